/*
 * vm/recording.c -- the file of recording.h.
 *
 *     "VTRECORD", version, limits
 *     struct snapshot_head           the machine, as in a snapshot of its beginning
 *     entries of 48 bytes            an input or the end, and a checksum of all so far
 *
 * Everything is little-endian.  A sleep that goes on is written when it is over.
 *
 * What is not in here: anything the guest does.  A machine that counts its instructions does the
 * same again by itself, given the same input at the same counts, so a recording of an hour in
 * which somebody typed ten lines is a few kilobytes.
 */
#include "vm/recording.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/vclock.h"
#include "vm/load.h"
#include "vm/state.h"

#define ENTRY_END 255

struct head { char magic[8]; uint32_t version, bytes; uint64_t limit_insns, limit_exits; };

struct entry {
    union {
        struct input in;
        struct recording_end end;
        uint8_t raw[40];
    };
    uint64_t sum;                       /* the lowest byte says which of the two */
};
_Static_assert(sizeof(struct entry) == 48, "as the file has it");

static uint64_t fnv(uint64_t h, const void *data, size_t n)
{
    const uint8_t *at = data;
    while (n--)
        h = (h ^ *at++) * UINT64_C(0x100000001b3);
    return h;
}

/* The sum with its lowest byte replaced: it still goes into the next one. */
static uint64_t chain(uint64_t sum, const struct entry *e, uint8_t what)
{
    return (fnv(sum, e->raw, sizeof e->raw) & ~UINT64_C(0xff)) | what;
}

/* ---- writing ----
 *
 * The recorder has a log like any other, whose entries it writes out as soon as they cannot change
 * any more.  Each is flushed at once: what a run that is killed leaves is all that it did. */

struct recorder {
    FILE            *out;
    struct input_log log;
    size_t           written;
    uint64_t         sum;
    int              err;
};

static void put(struct recorder *r, struct entry *e, uint8_t what)
{
    e->sum = r->sum = chain(r->sum, e, what);
    if (!r->err && (fwrite(e, sizeof *e, 1, r->out) != 1 || fflush(r->out)))
        r->err = errno ? -errno : -EIO;
}

/* Write all entries but the last `keep`, which may yet become longer. */
static void put_inputs(struct recorder *r, size_t keep)
{
    while (r->written + keep < r->log.n) {
        struct entry e = { .raw = { 0 } };
        e.in = r->log.in[r->written++];
        put(r, &e, 0);
    }
    if (r->written > 4096) {            /* they are in the file: forget them */
        memmove(r->log.in, r->log.in + r->written, (r->log.n - r->written) * sizeof *r->log.in);
        r->log.n -= r->written;
        r->written = 0;
    }
}

void recorder_byte(struct recorder *r, enum input_hook hook, enum input_kind kind, uint8_t byte)
{
    input_log_byte(&r->log, hook, kind, byte);
    put_inputs(r, 0);
}

void recorder_sleep(struct recorder *r, uint64_t ns, uint64_t passed)
{
    r->log.closed = r->written;
    if (input_log_sleep(&r->log, ns, passed))
        put_inputs(r, 1);
}

struct recorder *recorder_open(const char *path, const struct vm *vm, char *why, size_t n)
{
    struct recorder *r = calloc(1, sizeof *r);
    struct head h = { .version = RECORDING_VERSION, .bytes = sizeof h,
                      .limit_insns = vm->cfg.limit_insns, .limit_exits = vm->cfg.limit_exits };
    struct snapshot_head machine;
    memcpy(h.magic, RECORDING_MAGIC, sizeof h.magic);
    snapshot_describe(vm, &machine);
    if (r)
        r->out = fopen(path, "wbe");
    if (!r || !r->out) {
        snprintf(why, n, "%s: cannot record into it: %s", path, strerror(errno));
        free(r);
        return NULL;
    }
    r->log.vm = (struct vm *)(uintptr_t)vm;
    r->sum = fnv(fnv(0, &h, sizeof h), &machine, sizeof machine);
    if (fwrite(&h, sizeof h, 1, r->out) != 1 || fwrite(&machine, sizeof machine, 1, r->out) != 1 ||
        fflush(r->out))
        r->err = errno ? -errno : -EIO;
    return r;
}

/* The end says how the run ended, with a hash of the whole machine: a replay that ends with the
 * same one was the same run. */
int recorder_close(struct recorder *r, struct vm *vm)
{
    struct entry e = { .raw = { 0 } };
    put_inputs(r, 0);
    e.end = (struct recording_end){
        .icount = boot_cpu(vm)->icount, .vtime_ns = vclock_now_ns(vm->clock),
        .n_exits = vm->n_exits, .hash = vm_hash(vm), .stop = (uint16_t)vm->stop,
        .kicked = vm->exits_by[EXIT_IDX_KICKED] > 0,
        .status = vm->status,
    };
    put(r, &e, ENTRY_END);
    int err = r->log.full ? -ENOMEM : r->err;
    if (fclose(r->out) && !err)
        err = -errno;
    free(r->log.in);
    free(r);
    return err;
}

/* ---- reading ---- */

__attribute__((format(printf, 3, 4)))
static int refuse(char *why, size_t n, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, n, fmt, ap);
    va_end(ap);
    return -EINVAL;
}

/* An entry of a file, which anybody may have written: is it of a kind that the log knows, and not
 * before the one that precedes it? */
static bool makes_sense(const struct recording *r, const struct input *in)
{
    const struct input *last = r->log.n ? &r->log.in[r->log.n - 1] : NULL;
    return in->hook < N_INPUT_HOOKS && in->kind < N_RECORDED_KINDS && in->icount < BIT(58) &&
           in->vtime_ns < BIT(58) && in->passed < BIT(58) &&
           (in->kind != INPUT_SLEEP || (in->hook == INPUT_IDLE && in->passed)) &&
           (!last || (in->icount >= last->icount && in->vtime_ns >= last->vtime_ns));
}

/* As input_log_note(), but without its limit: the file's size is one already. */
static bool keep(struct recording *r, const struct input *in)
{
    struct input_log *log = &r->log;
    if (log->n == log->room) {
        size_t room = log->room ? 2 * log->room : 256;
        struct input *more = realloc(log->in, room * sizeof *more);
        if (!more)
            return false;
        log->in = more;
        log->room = room;
    }
    log->in[log->n++] = *in;
    return true;
}

/* Each entry has the checksum of everything up to it, so that a file from which entries were
 * taken out is found to be damaged, and a file that was cut off is good up to there. */
static int read_entries(FILE *in, struct recording *r, uint64_t sum, char *why, size_t n)
{
    struct entry e;
    while (fread(&e, sizeof e, 1, in) == 1) {
        uint8_t what = (uint8_t)e.sum;
        sum = chain(sum, &e, what);
        if (r->ended || sum != e.sum || (what && what != ENTRY_END))
            return refuse(why, n, "it is damaged behind input %zu", r->log.n);
        if (what == ENTRY_END) {
            r->ended = true;
            r->end = e.end;
            if (e.end.stop >= N_VM_STOPS || e.end.icount >= BIT(58))
                return refuse(why, n, "its end makes no sense");
        } else if (!makes_sense(r, &e.in)) {
            return refuse(why, n, "its input %zu makes no sense", r->log.n + 1);
        } else if (!keep(r, &e.in)) {
            return refuse(why, n, "out of memory");
        }
    }
    return 0;                           /* a killed run may leave half an entry at the end */
}

static int64_t get(void *arg, void *data, size_t n)
{
    return (int64_t)fread(data, 1, n, arg);
}

int recording_read(FILE *in, struct recording *r, char *why, size_t n)
{
    struct head h;
    struct snapshot_io io = { .get = get, .arg = in };
    *r = (struct recording){ .ended = false };
    if (fread(&h, sizeof h, 1, in) != 1 || memcmp(h.magic, RECORDING_MAGIC, sizeof h.magic))
        return refuse(why, n, "it is no recording of Vitrine's; "
                              "`vitrine run --record FILE` makes one");
    if (h.version != RECORDING_VERSION || h.bytes != sizeof h)
        return refuse(why, n, "it is of version %u, and this Vitrine reads version %u", h.version,
                      RECORDING_VERSION);
    r->limit_insns = h.limit_insns;
    r->limit_exits = h.limit_exits;
    int err = snapshot_read_head(&io, &r->machine, why, n);
    if (!err)
        err = read_entries(in, r, fnv(fnv(0, &h, sizeof h), &r->machine, sizeof r->machine),
                           why, n);
    if (err)
        recording_free(r);
    return err;
}

void recording_free(struct recording *r)
{
    free(r->log.in);
    r->log = (struct input_log){ .in = NULL };
}

int recording_machine(const struct recording *r, struct vm_config *c, struct load_request *q,
                      char *why, size_t n)
{
    int err = snapshot_machine(&r->machine, c, q, why, n);
    if (!err && (!engine_repeats(c->engine) || r->machine.mmu > MMU_SHADOW))
        return refuse(why, n, "it is of engine %s, and only soft can do the same again",
                      c->engine->name);
    c->limit_insns = r->limit_insns;
    c->limit_exits = r->limit_exits;
    return err;
}

bool recording_is_of(const struct recording *r, const struct vm *vm, char *why, size_t n)
{
    uint64_t hash = load_files_hash(vm->files) | 1;
    if (hash == r->machine.guest_hash)
        return snapshot_check_disks(&r->machine, &vm->cfg, why, n) == 0;
    refuse(why, n, "%s is not the guest that was recorded: its contents differ",
           load_files_request(vm->files)->path);
    return false;
}
