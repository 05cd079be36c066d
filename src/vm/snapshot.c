/*
 * vm/snapshot.c -- the file format of snapshot.h, both ways.
 *
 *     struct snapshot_head
 *     one zstd frame with a checksum:
 *         u64 bytes of state, the state
 *         for each page that is not zero: u64 gpa (ascending), 4096 bytes
 *         for each such page of what was written to a disk: u64 disk_key(), 4096 bytes
 *         u64 all ones
 *
 * Loading has two halves.  First everything is read and looked at, and the
 * state is tried on the machine; only what passed is then put into it.
 *
 * The head alone says which machine the rest is for: snapshot_machine() makes a vm_config of
 * it, and recordings (recording.c) begin with the same head.  Pages of zeros are left out, so a
 * snapshot of a small guest in much memory is small, and loading one does not make the host
 * give out memory that the guest has never touched.
 */
#include "vm/snapshot.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "base/bytes.h"
#include "base/host.h"
#include "base/vclock.h"
#include "io/overlay.h"
#include "mem/gmem.h"
#include "vm/load.h"
#include "vm/state.h"

#define PIECE       (1u << 17)
#define LEVEL       1
#define NO_MORE     UINT64_MAX
#define MAX_STATE   (UINT64_C(1) << 28)
static const char magic[8] = "VITRINE\x1a";

/* Pages of disks are told apart from those of memory by bit 62. */
static uint64_t disk_key(size_t disk, uint32_t page)
{
    return BIT(62) | (uint64_t)disk << 56 | (uint64_t)page * PAGE_SIZE;
}

static int io_put(void *arg, const void *data, size_t n)
{
    return host_write_all(*(int *)arg, data, n);
}

static int64_t io_get(void *arg, void *data, size_t n)
{
    return host_read_some(*(int *)arg, data, n);
}

struct snapshot_io snapshot_fd(int *fd)
{
    return (struct snapshot_io){ io_put, io_get, fd };
}

/* ---- the head ---- */

/* Of the head without its last member, which is this.  FNV-1a finds bytes that have changed by
 * accident; everything behind the head has zstd's checksum. */
static uint64_t checksum(const struct snapshot_head *h)
{
    const uint8_t *at = (const void *)h;
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < offsetof(struct snapshot_head, checksum); i++)
        sum = (sum ^ at[i]) * UINT64_C(0x100000001b3);
    return sum;
}

/* What does not fit is left out, and so is the right to load the guest again. */
static void describe_guest(const struct load_files *f, struct snapshot_head *h)
{
    const struct load_request *r = load_files_request(f);
    const char *text[] = { r->path, r->initrd, r->append, r->format, r->bios };
    char *to[] = { h->guest, h->initrd, h->append, h->format, h->bios };
    size_t room[] = { sizeof h->guest, sizeof h->initrd, sizeof h->append, sizeof h->format,
                      sizeof h->bios };
    uint32_t flag[] = { 0, SNAPSHOT_HAS_INITRD, SNAPSHOT_HAS_APPEND, SNAPSHOT_HAS_FORMAT,
                        SNAPSHOT_HAS_BIOS };
    h->guest_hash = load_files_hash(f) | 1;
    h->flags |= r->from_disk ? SNAPSHOT_FROM_DISK : 0;
    for (size_t i = 0; i < NELEM(text); i++) {
        if (!text[i])
            continue;
        h->flags |= flag[i];
        if (strlen(text[i]) >= room[i])
            h->guest_hash = 0;
        else
            strcpy(to[i], text[i]);
    }
}

/* An image that cannot be read has a sum that no other has. */
static void describe_disk(const struct disk_image *d, struct snapshot_disk *out)
{
    snprintf(out->path, sizeof out->path, "%s", d->path);
    out->sectors = d->sectors;
    out->mode = d->mode;
    if (disk_image_sum(d, &out->sum))
        out->sum = 0;
}

void snapshot_describe(const struct vm *vm, struct snapshot_head *h)
{
    const struct vm_config *c = &vm->cfg;
    memset(h, 0, sizeof *h);
    memcpy(h->magic, magic, sizeof magic);
    h->version = SNAPSHOT_VERSION;
    h->head_bytes = sizeof *h;
    snprintf(h->engine, sizeof h->engine, "%s", c->engine->name);
    h->mmu = c->mmu;
    h->ram_bytes = c->ram_bytes;
    h->seed = c->seed;
    h->exit_on = c->exit_on;
    h->rtc_start_s = c->rtc_start_s;
    h->bios_bytes = c->bios_bytes;
    h->flags = (c->strict ? SNAPSHOT_STRICT : 0) | (c->no_reboot ? SNAPSHOT_NO_REBOOT : 0) |
               (c->no_vmcall ? SNAPSHOT_NO_VMCALL : 0) | (c->uart_fast ? SNAPSHOT_UART_FAST : 0) |
               (uint32_t)c->halt_status << SNAPSHOT_HALT_STATUS_BIT;
    h->icount = boot_cpu(vm)->icount;
    h->vtime_ns = vclock_now_ns(vm->clock);
    if (vm->files)
        describe_guest(vm->files, h);
    for (size_t i = 0; i < MAX_DISKS; i++)
        if (c->disk[i].sectors)
            describe_disk(&c->disk[i], &h->disk[i]);
    h->checksum = checksum(h);
}

__attribute__((format(printf, 4, 5)))
static int refuse(int err, char *why, size_t n, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, n, fmt, ap);
    va_end(ap);
    return err;
}

static bool is_text(const char *text, size_t n)
{
    return memchr(text, 0, n) != NULL;
}

static int get_exactly(const struct snapshot_io *io, void *data, size_t n)
{
    for (size_t done = 0; done < n; ) {
        int64_t got = io->get(io->arg, (char *)data + done, n - done);
        if (got <= 0 || (uint64_t)got > n - done)
            return got < 0 ? (int)got : -ENODATA;
        done += (size_t)got;
    }
    return 0;
}

static bool disks_make_sense(const struct snapshot_head *h)
{
    for (const struct snapshot_disk *d = h->disk; d < h->disk + MAX_DISKS; d++)
        if (!is_text(d->path, sizeof d->path) || d->sectors > DISK_MAX_SECTORS ||
            d->mode > DISK_READ_ONLY)
            return false;
    return true;
}

int snapshot_read_head(const struct snapshot_io *io, struct snapshot_head *h, char *why, size_t n)
{
    int err = get_exactly(io, h, sizeof *h);
    if (err == -ENODATA || (!err && memcmp(h->magic, magic, sizeof magic)))
        return refuse(-EINVAL, why, n, "it is no snapshot of Vitrine's");
    if (err)
        return refuse(err, why, n, "it cannot be read: %s", strerror(-err));
    if (h->version != SNAPSHOT_VERSION || h->head_bytes != sizeof *h)
        return refuse(-EINVAL, why, n, "it is of version %u, and this Vitrine reads version %u",
                      h->version, SNAPSHOT_VERSION);
    if (h->checksum != checksum(h))
        return refuse(-EINVAL, why, n, "its head is damaged");
    if (!is_text(h->engine, sizeof h->engine) || !is_text(h->guest, sizeof h->guest) ||
        !is_text(h->initrd, sizeof h->initrd) || !is_text(h->append, sizeof h->append) ||
        !is_text(h->format, sizeof h->format) || !is_text(h->bios, sizeof h->bios) ||
        !disks_make_sense(h))
        return refuse(-EINVAL, why, n, "its head makes no sense");
    return 0;
}

int snapshot_machine(const struct snapshot_head *h, struct vm_config *c, struct load_request *r,
                     char *why, size_t n)
{
    c->engine = engine_find(h->engine);
    if (!c->engine)
        return refuse(-EINVAL, why, n, "it is of engine '%.15s', which this Vitrine has not",
                      h->engine);
    if (h->mmu > MMU_PV || h->ram_bytes < (1u << 20) || h->ram_bytes % (1u << 20) ||
        h->ram_bytes > UINT64_C(1) << 36 || (h->bios_bytes && !load_rom_fits(h->bios_bytes)))
        return refuse(-EINVAL, why, n, "its head describes no machine");
    c->mmu = (enum mmu_kind)h->mmu;
    c->ram_bytes = h->ram_bytes;
    c->seed = h->seed;
    c->exit_on = h->exit_on & EXIT_ON_ALL;
    c->rtc_start_s = h->rtc_start_s;
    c->bios_bytes = (uint32_t)h->bios_bytes;
    c->strict = h->flags & SNAPSHOT_STRICT;
    c->no_reboot = h->flags & SNAPSHOT_NO_REBOOT;
    c->no_vmcall = h->flags & SNAPSHOT_NO_VMCALL;
    c->uart_fast = h->flags & SNAPSHOT_UART_FAST;
    for (size_t i = 0; i < MAX_DISKS; i++) {
        const struct snapshot_disk *d = &h->disk[i];
        c->disk[i] = (struct disk_image){ d->path, d->sectors, -1, (enum disk_mode)d->mode };
    }
    c->halt_status = (uint8_t)(h->flags >> SNAPSHOT_HALT_STATUS_BIT);
    *r = (struct load_request){
        .path = h->guest,
        .initrd = h->flags & SNAPSHOT_HAS_INITRD ? h->initrd : NULL,
        .append = h->flags & SNAPSHOT_HAS_APPEND ? h->append : NULL,
        .format = h->flags & SNAPSHOT_HAS_FORMAT ? h->format : NULL,
        .bios = h->flags & SNAPSHOT_HAS_BIOS ? h->bios : NULL,
        .from_disk = h->flags & SNAPSHOT_FROM_DISK,
    };
    return 0;
}

/* ---- saving ---- */

struct packer {
    const struct snapshot_io *io;
    ZSTD_CCtx *z;
    uint8_t    out[PIECE];
    int        err;
};

/* Give n bytes to the compressor, and what it has ready to the file. */
static void pack(struct packer *p, const void *data, size_t n, ZSTD_EndDirective end)
{
    ZSTD_inBuffer in = { data, n, 0 };
    size_t left;
    do {
        ZSTD_outBuffer out = { p->out, sizeof p->out, 0 };
        left = ZSTD_compressStream2(p->z, &out, &in, end);
        if (!p->err && ZSTD_isError(left))
            p->err = -ENOMEM;
        if (!p->err && out.pos)
            p->err = p->io->put(p->io->arg, p->out, out.pos);
    } while (!p->err && (in.pos < in.size || (end == ZSTD_e_end && left)));
}

static void pack_u64(struct packer *p, uint64_t v)
{
    pack(p, &v, sizeof v, ZSTD_e_continue);
}

static bool is_zero(const uint8_t page[PAGE_SIZE])
{
    return !page[0] && !memcmp(page, page + 1, PAGE_SIZE - 1);
}

/* Each page that is not zero, with its address.  It is read through the region's file, not the
 * mapping: a read of a page that nobody has touched gives zeros and does not make it exist. */
static void pack_memory(struct packer *p, const struct gmem *m)
{
    uint8_t page[PAGE_SIZE];
    for (size_t i = 0; i < gmem_count(m); i++) {
        const struct gmem_region *r = gmem_region(m, i);
        for (uint64_t off = 0; off < r->size && !p->err; off += PAGE_SIZE) {
            p->err = host_read_at(r->memfd, r->memfd_off + off, page, PAGE_SIZE);
            if (p->err || is_zero(page))
                continue;
            pack_u64(p, r->base + off);
            pack(p, page, PAGE_SIZE, ZSTD_e_continue);
        }
    }
}

static void pack_disk(struct packer *p, size_t disk, const struct overlay *o)
{
    for (uint32_t i = 0; o && i < overlay_pages(o) && !p->err; i++) {
        const uint8_t *page = overlay_page(o, i);
        if (!page || is_zero(page))
            continue;
        pack_u64(p, disk_key(disk, i));
        pack(p, page, PAGE_SIZE, ZSTD_e_continue);
    }
}

static int pack_all(struct vm *vm, struct packer *p, const struct bytes_out *state)
{
    struct snapshot_head h;
    ZSTD_CCtx_setParameter(p->z, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter(p->z, ZSTD_c_checksumFlag, 1);
    snapshot_describe(vm, &h);
    p->err = p->io->put(p->io->arg, &h, sizeof h);
    pack_u64(p, state->n);
    pack(p, state->data, state->n, ZSTD_e_continue);
    pack_memory(p, vm->gmem);
    for (size_t i = 0; i < MAX_DISKS; i++)
        pack_disk(p, i, disk_overlay(vm->disk[i]));
    uint64_t end = NO_MORE;
    pack(p, &end, sizeof end, ZSTD_e_end);
    return p->err;
}

/* Why there are no bytes of its state. */
static int cannot_save(const struct bytes_out *state, char *why, size_t n)
{
    if (!state->not_now)
        return refuse(-ENOMEM, why, n, "out of memory");
    return refuse(-EBUSY, why, n,
                  "the CPU is in the midst of an instruction that goes to a device more than "
                  "once, and KVM cannot show it so: step on and try again");
}

/* The state is made first, in memory: whether it can be had at all (a CPU may be in the midst of
 * something) must be known before the file is begun. */
int snapshot_save(struct vm *vm, const struct snapshot_io *io, char *why, size_t n)
{
    struct bytes_out state = { 0 };
    struct packer *p = calloc(1, sizeof *p);
    int err = -ENOMEM;
    if (vm->in_lockstep) {
        free(p);
        return refuse(-ENOTSUP, why, n, "a machine in lockstep has two CPUs, and a snapshot one");
    }
    vm_save_state(vm, &state);
    if (p && !state.bad) {
        p->io = io;
        p->z = ZSTD_createCCtx();
        err = p->z ? pack_all(vm, p, &state) : -ENOMEM;
        ZSTD_freeCCtx(p->z);
    }
    free(p);
    free(state.data);
    if (state.bad)
        return cannot_save(&state, why, n);
    return err ? refuse(err, why, n, "the snapshot cannot be written: %s", strerror(-err)) : 0;
}

/* ---- loading ---- */

struct unpacker {
    const struct snapshot_io *io;
    ZSTD_DCtx    *z;
    uint8_t       in[PIECE];
    ZSTD_inBuffer have;
    int           err;
    bool          ended;
};

/* An end of the file here is too early: the frame's own end comes before it. */
static void refill(struct unpacker *u)
{
    int64_t n = u->io->get(u->io->arg, u->in, sizeof u->in);
    u->err = n < 0 ? (int)n : n == 0 ? -ENODATA : 0;
    u->have = (ZSTD_inBuffer){ u->in, n > 0 ? (size_t)n : 0, 0 };
}

/* n bytes, decompressed; false if there are fewer, or the file is no zstd frame. */
static bool unpack(struct unpacker *u, void *data, size_t n)
{
    ZSTD_outBuffer out = { data, n, 0 };
    while (out.pos < n && !u->err && !u->ended) {
        if (u->have.pos == u->have.size)
            refill(u);
        if (u->err)
            break;
        size_t left = ZSTD_decompressStream(u->z, &out, &u->have);
        if (ZSTD_isError(left))
            u->err = -EINVAL;
        u->ended = left == 0;
    }
    return out.pos == n;
}

struct loaded_page { uint64_t gpa; uint8_t byte[PAGE_SIZE]; };

struct contents {
    struct bytes_out state;
    struct loaded_page **page;
    size_t n_pages, room;
};

static void free_contents(struct contents *c)
{
    for (size_t i = 0; i < c->n_pages; i++)
        free(c->page[i]);
    free(c->page);
    free(c->state.data);
}

static int add_page(struct contents *c, struct unpacker *u, uint64_t gpa)
{
    if (c->n_pages == c->room) {
        size_t room = c->room ? 2 * c->room : 1024;
        struct loaded_page **page = realloc(c->page, room * sizeof *page);
        if (!page)
            return -ENOMEM;
        c->page = page;
        c->room = room;
    }
    struct loaded_page *p = malloc(sizeof *p);
    if (!p)
        return -ENOMEM;
    c->page[c->n_pages++] = p;
    p->gpa = gpa;
    return unpack(u, p->byte, PAGE_SIZE) ? 0 : -EINVAL;
}

/* The end of the frame, where zstd compares its checksum. */
static bool ends_here(struct unpacker *u)
{
    uint8_t more;
    return !unpack(u, &more, 1) && !u->err && u->ended;
}

/* Is there such a page, of memory or of a disk? */
static bool has_page(const struct vm *vm, uint64_t key)
{
    size_t disk = key >> 56 & 0x3f;
    uint64_t page = (key & (BIT(56) - 1)) / PAGE_SIZE;
    if (key % PAGE_SIZE)
        return false;
    if (!(key & BIT(62)))
        return gmem_find(vm->gmem, key) != NULL;
    const struct overlay *o = disk < MAX_DISKS ? disk_overlay(vm->disk[disk]) : NULL;
    return !(key & BIT(63)) && o && page < overlay_pages(o);
}

/* The file may be anybody's.  Nothing of it is put into the machine before all of it was read, its
 * checksum compared, and each page found to be one that this machine has, in ascending order. */
static int unpack_all(const struct vm *vm, struct unpacker *u, struct contents *c)
{
    uint64_t n, gpa, least = 0;
    if (!unpack(u, &n, sizeof n) || n > MAX_STATE)
        return -EINVAL;
    void *state = bytes_space(&c->state, n);
    if (!state)
        return -ENOMEM;
    if (!unpack(u, state, n))
        return -EINVAL;
    for (;;) {
        if (!unpack(u, &gpa, sizeof gpa))
            return -EINVAL;
        if (gpa == NO_MORE)
            return ends_here(u) ? 0 : -EINVAL;
        if (gpa < least || !has_page(vm, gpa))
            return -EINVAL;
        least = gpa + PAGE_SIZE;
        int err = add_page(c, u, gpa);
        if (err)
            return err;
    }
}

/* The window is bounded: a hostile file could otherwise ask for gigabytes to decompress with.
 * [zstd manual "Advanced decompression API", ZSTD_d_windowLogMax] */
static int read_contents(const struct vm *vm, const struct snapshot_io *io, struct contents *c)
{
    struct unpacker *u = calloc(1, sizeof *u);
    int err = -ENOMEM;
    if (!u)
        return err;
    u->io = io;
    u->z = ZSTD_createDCtx();
    if (u->z) {
        ZSTD_DCtx_setParameter(u->z, ZSTD_d_windowLogMax, 27);
        err = unpack_all(vm, u, c);
    }
    ZSTD_freeDCtx(u->z);
    free(u);
    return err;
}

/* Only what differs is written: a page that was never touched stays so.  Returns how many pages of
 * the file that were. */
static size_t put_memory(struct vm *vm, const struct contents *c)
{
    static const uint8_t zero[PAGE_SIZE];
    uint8_t now[PAGE_SIZE];
    size_t next = 0;
    for (size_t i = 0; i < gmem_count(vm->gmem); i++) {
        const struct gmem_region *r = gmem_region(vm->gmem, i);
        for (uint64_t off = 0; off < r->size; off += PAGE_SIZE) {
            bool given = next < c->n_pages && c->page[next]->gpa == r->base + off;
            const uint8_t *want = given ? c->page[next++]->byte : zero;
            int err = host_read_at(r->memfd, r->memfd_off + off, now, PAGE_SIZE);
            if (err || memcmp(now, want, PAGE_SIZE))
                gmem_load_rom(vm->gmem, r->base + off, want, PAGE_SIZE);
        }
    }
    return next;
}

/* The same for what was written to disks, whose pages stand behind those of memory. */
static void put_disks(struct vm *vm, const struct contents *c, size_t next)
{
    for (size_t d = 0; d < MAX_DISKS; d++) {
        struct overlay *o = disk_overlay(vm->disk[d]);
        for (uint32_t i = 0; o && i < overlay_pages(o); i++) {
            bool given = next < c->n_pages && c->page[next]->gpa == disk_key(d, i);
            overlay_put_page(o, i, given ? c->page[next++]->byte : NULL);
        }
    }
}

static struct bytes_in reader(const struct bytes_out *o)
{
    return (struct bytes_in){ o->data, o->data + o->n, false };
}

/* Is it a state of this machine?  To be tried, and then undone. */
static int try_state(struct vm *vm, const struct contents *c, char *why, size_t n)
{
    struct bytes_out before = { 0 };
    char twice[200];
    vm_save_state(vm, &before);
    if (before.bad) {
        free(before.data);
        return cannot_save(&before, why, n);
    }
    struct bytes_in in = reader(&c->state);
    int err = vm_load_state(vm, &in, why, n);
    in = reader(&before);
    bug_if(vm_load_state(vm, &in, twice, sizeof twice), "the machine's own state is refused: %s",
           twice);
    free(before.data);
    return err;
}

int snapshot_check_disks(const struct snapshot_head *h, const struct vm_config *c, char *why,
                         size_t n)
{
    for (size_t i = 0; i < MAX_DISKS; i++) {
        const struct snapshot_disk *want = &h->disk[i];
        const struct disk_image *have = &c->disk[i];
        uint64_t sum = 0;
        char name = (char)('a' + i);
        if (!want->sectors != !have->sectors)
            return refuse(-EINVAL, why, n, want->sectors ? "its disk hd%c is missing"
                                                         : "it had no disk hd%c", name);
        if (want->sectors != have->sectors)
            return refuse(-EINVAL, why, n, "hd%c, %s, has %llu sectors, and had %llu", name,
                          have->path, (unsigned long long)have->sectors,
                          (unsigned long long)want->sectors);
        int err = want->sectors ? disk_image_sum(have, &sum) : 0;
        if (err)
            return refuse(err, why, n, "hd%c, %s, cannot be read: %s", name, have->path,
                          strerror(-err));
        if (want->mode != have->mode || want->sum != sum)
            return refuse(-EINVAL, why, n, "hd%c, %s, is not as it was: its %s", name, have->path,
                          want->sum != sum ? "contents have changed" : "option is another");
    }
    return 0;
}

/* State is only meant for a machine that was made in the same way. */
static int check_machine(const struct vm *vm, const struct snapshot_head *h, char *why, size_t n)
{
    const struct vm_config *c = &vm->cfg;
    unsigned long long mib = h->ram_bytes >> 20;
    if (vm->in_lockstep)
        return refuse(-ENOTSUP, why, n, "a machine in lockstep has two CPUs, and a snapshot one");
    if (strcmp(h->engine, c->engine->name))
        return refuse(-EINVAL, why, n, "it was taken on engine %s, and this is %s", h->engine,
                      c->engine->name);
    if (h->mmu != c->mmu)
        return refuse(-EINVAL, why, n, "it was taken with --mmu %s, and this is %s",
                      h->mmu <= MMU_PV ? mmu_names[h->mmu] : "?", mmu_names[c->mmu]);
    if (h->ram_bytes != c->ram_bytes)
        return refuse(-EINVAL, why, n, "it is of a machine with %llu MiB, and this one has %llu",
                      mib, (unsigned long long)(c->ram_bytes >> 20));
    return snapshot_check_disks(h, c, why, n);
}

struct snapshot { struct contents contents; };

struct snapshot *snapshot_read(struct vm *vm, const struct snapshot_io *io, int *err, char *why,
                               size_t n)
{
    struct snapshot_head h;
    *err = snapshot_read_head(io, &h, why, n);
    if (!*err)
        *err = check_machine(vm, &h, why, n);
    if (*err)
        return NULL;
    struct snapshot *s = calloc(1, sizeof *s);
    *err = s ? read_contents(vm, io, &s->contents) : -ENOMEM;
    if (*err)
        snprintf(why, n, *err == -ENOMEM ? "out of memory" : "it is damaged behind its head");
    else
        *err = try_state(vm, &s->contents, why, n);
    if (!*err)
        return s;
    snapshot_free(s);
    return NULL;
}

/* Before memory, since a CPU that is left may have to write; and behind it, since what is told of
 * changes in memory drops shadows. */
int snapshot_put(struct vm *vm, const struct snapshot *s, char *why, size_t n)
{
    struct bytes_in in = reader(&s->contents.state);
    int err = vm_load_state(vm, &in, why, n);
    if (err)
        return err;
    put_disks(vm, &s->contents, put_memory(vm, &s->contents));
    in = reader(&s->contents.state);
    return vm_load_state(vm, &in, why, n);
}

void snapshot_free(struct snapshot *s)
{
    if (s)
        free_contents(&s->contents);
    free(s);
}

int snapshot_load(struct vm *vm, const struct snapshot_io *io, char *why, size_t n)
{
    int err;
    struct snapshot *s = snapshot_read(vm, io, &err, why, n);
    if (s)
        err = snapshot_put(vm, s, why, n);
    snapshot_free(s);
    return err;
}
