/*
 * vm/recording.h -- a whole session in a file: which machine, what came from
 * outside, and how it ended.
 *
 * With the guest's files it is all that is needed to have the same run again, event
 * by event.  Every entry is in the file as soon as it happened, with a checksum
 * that goes on from the one before, so a run that was killed leaves a recording of all
 * that it did.  Files are hostile: read, a recording is whole and makes sense, or
 * is refused with a sentence.
 */
#ifndef VM_RECORDING_H
#define VM_RECORDING_H

#include <stdio.h>
#include "vm/input_log.h"
#include "vm/snapshot.h"

#define RECORDING_MAGIC   "VTRECORD"
#define RECORDING_VERSION 1

struct recording_end {
    uint64_t icount, vtime_ns, n_exits, hash;
    uint16_t stop;                      /* enum vm_stop             */
    uint16_t kicked;                    /* an interrupt took the guest out of its run */
    int32_t  status;
};

struct recording {
    struct snapshot_head machine;
    uint64_t             limit_insns, limit_exits;
    struct input_log     log;
    struct recording_end end;
    bool                 ended;         /* else the run was killed  */
};

/* ---- writing ---- */

struct recorder;

/* Of a machine that is loaded and has not run.  NULL and a sentence. */
struct recorder *recorder_open(const char *path, const struct vm *vm, char *why, size_t n);
void recorder_byte(struct recorder *r, enum input_hook hook, enum input_kind kind, uint8_t byte);
void recorder_sleep(struct recorder *r, uint64_t ns, uint64_t passed);

/* The run is over.  0 or -errno: the file is incomplete. */
int recorder_close(struct recorder *r, struct vm *vm);

/* ---- reading ---- */

/* 0, or -EINVAL and a sentence. */
int  recording_read(FILE *in, struct recording *r, char *why, size_t n);
void recording_free(struct recording *r);

/* The machine and the guest that were recorded; the strings are r's. */
int recording_machine(const struct recording *r, struct vm_config *c, struct load_request *q,
                      char *why, size_t n);

/* Is this, loaded, the guest that was recorded, with the disks that it had?  False: and a sentence
 * in why. */
bool recording_is_of(const struct recording *r, const struct vm *vm, char *why, size_t n);

#endif
