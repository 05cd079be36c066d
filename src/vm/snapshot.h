/*
 * vm/snapshot.h -- a whole machine in a file.
 *
 * A head says which machine it was taken of and can be read by itself; behind
 * it, compressed, come the state (vm/state.h) and all pages of memory that are
 * not zero.  Both carry a checksum.  Files are hostile: what is damaged, of
 * another version, of a machine built otherwise or makes no sense is refused
 * with a sentence, and the machine is as it was.
 *
 * Where bytes go to and come from is the caller's: this layer opens no files.
 */
#ifndef VM_SNAPSHOT_H
#define VM_SNAPSHOT_H

#include "base/types.h"
#include "vm/vm.h"

#define SNAPSHOT_VERSION 9
#define SNAPSHOT_TEXT    1024

/* A disk of the machine.  What was written to it is in the snapshot, its image is not: so that must
 * be there, as it was, when the snapshot is loaded. */
struct snapshot_disk {
    char     path[SNAPSHOT_TEXT];
    uint64_t sectors;                   /* 0: no disk                                  */
    uint64_t sum;                       /* of the image: disk_image_sum()              */
    uint64_t mode;                      /* enum disk_mode                              */
};

/* As it lies in the file, little-endian. */
struct snapshot_head {
    char     magic[8];                  /* "VITRINE\x1a"                               */
    uint32_t version, head_bytes;
    char     engine[16];
    uint32_t mmu, flags;
    uint64_t ram_bytes, seed, exit_on;
    int64_t  rtc_start_s;
    uint64_t icount, vtime_ns;          /* when it was taken: for people               */
    uint64_t guest_hash;                /* of the guest's files; 0: there were none    */
    uint64_t bios_bytes;                /* of ROM; 0: our BIOS's                       */
    char     guest[SNAPSHOT_TEXT], initrd[SNAPSHOT_TEXT], append[SNAPSHOT_TEXT], format[64];
    char     bios[SNAPSHOT_TEXT];
    struct snapshot_disk disk[MAX_DISKS];
    uint64_t checksum;                  /* of all before it                            */
};
enum { SNAPSHOT_STRICT = 1, SNAPSHOT_NO_REBOOT = 2, SNAPSHOT_NO_VMCALL = 4,
       SNAPSHOT_HAS_INITRD = 8, SNAPSHOT_HAS_APPEND = 16, SNAPSHOT_HAS_FORMAT = 32,
       SNAPSHOT_UART_FAST = 64, SNAPSHOT_HAS_BIOS = 128,
       SNAPSHOT_HALT_STATUS_BIT = 8 /* to 15: the status itself */,
       SNAPSHOT_FROM_DISK = 1 << 16 };

/* put: all of it, or -errno.  get: some bytes, 0 at the end, or -errno. */
struct snapshot_io {
    int     (*put)(void *arg, const void *data, size_t n);
    int64_t (*get)(void *arg, void *data, size_t n);
    void     *arg;
};

/* The same for a file that is open. */
struct snapshot_io snapshot_fd(int *fd);

/* The head that a snapshot of this machine has.  For recordings too. */
void snapshot_describe(const struct vm *vm, struct snapshot_head *h);

/* The machine and the guest that a head describes, hooks and sinks apart.  The strings
 * are the head's: it must live as long.  Its disks have names, but are not open (fd is -1). */
int snapshot_machine(const struct snapshot_head *h, struct vm_config *c, struct load_request *r,
                     char *why, size_t n);

/* Does a machine of this configuration have the disks of the head, with nothing in their images
 * changed?  0; or -errno and a sentence in why. */
int snapshot_check_disks(const struct snapshot_head *h, const struct vm_config *c, char *why,
                         size_t n);

/* 0; or -errno and a sentence in why. */
int snapshot_save(struct vm *vm, const struct snapshot_io *io, char *why, size_t n);
int snapshot_read_head(const struct snapshot_io *io, struct snapshot_head *h, char *why, size_t n);
int snapshot_load(struct vm *vm, const struct snapshot_io *io, char *why, size_t n);

/* The two halves of snapshot_load().  read: NULL, -errno in err and a sentence if the snapshot
 * cannot be loaded into this machine, which is then as before.  put: what was read can be put in;
 * it fails only if the host has no memory, and then the machine is lost. */
struct snapshot;
struct snapshot *snapshot_read(struct vm *vm, const struct snapshot_io *io, int *err, char *why,
                               size_t n);
int  snapshot_put(struct vm *vm, const struct snapshot *s, char *why, size_t n);
void snapshot_free(struct snapshot *s);

#endif
