/*
 * cpu/soft/debug.c -- a debugger's stops, hidden from the guest.
 *
 * They cost only who meets them:
 *
 *   code     a block never runs across a stop, and where one begins there it is
 *            a single op_hidden_stop that returns to the run loop (block.c).
 *            Other code, and links between blocks, know nothing of it.
 *   data     a page with a watched byte has no tag in the TLB for what is
 *            watched (tlb.c), so accesses come to debug_touch().  An instruction
 *            that touches is taken back as if it had faulted, and executed
 *            again alone; so the CPU stops right behind it.
 *   [lo, hi) each block comes back to the run loop.
 *
 * What the CPU reads and writes for itself is data too: descriptors, task
 * state, the frame of an interrupt.  Not seen are its walks of the page tables
 * (accessed and dirty bits), and what the monitor or a device writes.
 */
#include <errno.h>
#include <stdlib.h>

#include "cpu/soft/exec.h"

#define MAX_TOUCHED 16                  /* stops of one instruction; others go untold */

/* Data stops, ascending by address: those at linear addresses, and those at guest-physical ones. */
struct watched {
    const struct data_stop *stop;
    uint64_t *reach;                    /* the last byte of stop[0] to stop[i], at most */
    size_t    n;
};
enum { LINEAR, PHYSICAL, N_WATCHED };

/* All that is asked for, and what of it is about to be told. */
struct soft_debug {
    gla_t            *code;
    size_t            n_code;
    struct data_stop *data;
    uint64_t         *reach;
    size_t            n_data;
    struct watched    watched[N_WATCHED];           /* the two parts of data and reach */
    gla_t             lo, hi;
    uint64_t          told_rip, told_icount;        /* the stop told last: not twice */
    struct { size_t i; gla_t at; } touched[MAX_TOUCHED];
    unsigned          n_touched;
    bool              magic;                        /* XCHG BX, BX was executed: to be told */
};

/* ---- code ---- */

/* The first of n ascending addresses that is not below `from`; n if there is none. */
size_t debug_first_at(const gla_t *code, size_t n, gla_t from)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (code[mid] < from)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* How many of `bytes` bytes of code from `from` on can run before a stop.  0: one is here. */
unsigned debug_bytes_to_stop(const struct soft *s, gla_t from, unsigned bytes)
{
    const struct soft_debug *d = s->debug;
    if (!s->debug_code)
        return bytes;
    size_t i = debug_first_at(d->code, d->n_code, from);
    return i < d->n_code && d->code[i] - from < bytes ? (unsigned)(d->code[i] - from) : bytes;
}

/* Are all these bytes in [lo, hi)? Unsigned differences make one comparison of two. */
bool debug_in_range(const struct soft *s, gla_t from, unsigned bytes)
{
    const struct soft_debug *d = s->debug;
    return from - d->lo < d->hi - d->lo && d->hi - from >= bytes;
}

/* A record for run() to return, filled in by the caller. */
static struct vmexit *stop_record(struct soft *s, gla_t at)
{
    struct vmexit *x = soft_exit_record(s, EXIT_BREAKPOINT);
    x->breakpoint.at = at;
    return x;
}

/* The CPU stands at pc.  If it is a stop, or outside the range, make a record: but only
 * once while no instruction was executed, so that the guest can go on from there. */
bool debug_tell_code(struct soft *s, gla_t pc)
{
    struct soft_debug *d = s->debug;
    bool outside = s->debug_range && !debug_in_range(s, pc, 1);
    if ((!outside && debug_bytes_to_stop(s, pc, 1)) ||
        (d->told_icount == s->icount && d->told_rip == s->rip))
        return false;
    d->told_icount = s->icount;
    d->told_rip = s->rip;
    stop_record(s, pc);
    return true;
}

/* ---- data ---- */

/* The last stop with a byte before or at `last`, or n if none of those up to it reaches `first`:
 * from there downwards. */
static size_t last_touched(const struct watched *w, uint64_t first, uint64_t last)
{
    size_t lo = 0, hi = w->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (w->stop[mid].at <= last)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo && w->reach[lo - 1] >= first ? lo - 1 : w->n;
}

/* A stop at the end of the address space does not wrap. */
static uint64_t last_byte(const struct data_stop *d)
{
    return d->at + d->len - 1 < d->at ? UINT64_MAX : d->at + d->len - 1;
}

/* The next one from i downwards that [first, last] touches so, or n. */
static size_t next_touched(const struct watched *w, size_t i, uint64_t first, uint64_t last,
                           unsigned access)
{
    for (; i < w->n && w->reach[i] >= first; i--)               /* below 0 is beyond n */
        if ((w->stop[i].access & access) && w->stop[i].at <= last &&
            last_byte(&w->stop[i]) >= first)
            return i;
    return w->n;
}

static bool watches_page(const struct watched *w, uint64_t at, unsigned access)
{
    uint64_t first = at & PAGE_MASK, last = first + PAGE_SIZE - 1;
    return next_touched(w, last_touched(w, first, last), first, last, access) < w->n;
}

/* Must accesses of this kind to a page be seen?  The TLB asks before it gives the page a tag. */
bool debug_watches(const struct soft *s, gla_t gla, gpa_t gpa, unsigned access)
{
    const struct soft_debug *d = s->debug;
    return s->debug_data && (watches_page(&d->watched[LINEAR], gla, access) ||
                             watches_page(&d->watched[PHYSICAL], gpa, access));
}

/* Each stop once for each instruction; i is its place in data[]. */
static void note_touched(struct soft_debug *d, size_t i, uint64_t at)
{
    for (unsigned k = 0; k < d->n_touched; k++)
        if (d->touched[k].i == i)
            return;
    if (d->n_touched == MAX_TOUCHED)
        return;
    d->touched[d->n_touched].i = i;
    d->touched[d->n_touched++].at = at;
}

/* An access to a page with watched bytes.  If other instructions follow in the block the
 * instruction is taken back (soft_again() does not return) and executed again alone.
 * Setting icount_limit to 0 makes the run loop stop behind it. */
void debug_touch(struct soft *s, bool physical, uint64_t at, unsigned size, unsigned access)
{
    struct soft_debug *d = s->debug;
    const struct watched *w = &d->watched[physical ? PHYSICAL : LINEAR];
    uint64_t last = at + size - 1 < at ? UINT64_MAX : at + size - 1;
    size_t i = next_touched(w, last_touched(w, at, last), at, last, access);
    if (i == w->n)
        return;
    if (s->cur && !s->in_system && !s->single)
        soft_again(s);                  /* other instructions follow it in its block */
    for (; i < w->n; i = next_touched(w, i - 1, at, last, access))
        note_touched(d, (size_t)(w->stop - d->data) + i, at > w->stop[i].at ? at : w->stop[i].at);
    s->touched = true;
    atomic_store(&s->icount_limit, 0);
}

void debug_magic(struct soft *s)
{
    if (s->cur && !s->single)
        soft_again(s);
    s->debug->magic = s->touched = true;
    atomic_store(&s->icount_limit, 0);
}

void debug_untouch(struct soft *s)
{
    s->touched = false;
    if (s->debug) {
        s->debug->n_touched = 0;
        s->debug->magic = false;
    }
}

void debug_elsewhere(struct soft *s)
{
    debug_untouch(s);
    if (s->debug)
        s->debug->told_icount = UINT64_MAX;
}

/* A magic breakpoint, which touches nothing; or each of those that were touched, one exit after
 * the other. */
void debug_tell_data(struct soft *s)
{
    struct soft_debug *d = s->debug;
    if (d->magic) {
        stop_record(s, code_linear(s, s->rip))->breakpoint.magic = true;
        d->magic = s->touched = false;
        return;
    }
    struct vmexit *x = stop_record(s, d->touched[0].at);
    x->breakpoint.data = true;
    x->breakpoint.index = (uint32_t)d->touched[0].i;
    d->n_touched--;
    memmove(d->touched, d->touched + 1, d->n_touched * sizeof d->touched[0]);
    x->breakpoint.more = s->touched = d->n_touched > 0;
}

/* ---- what is asked for ---- */

/* A copy on the heap; never NULL for want of elements. */
static void *copy_of(const void *from, size_t n, size_t bytes)
{
    void *to = malloc(n * bytes + 1);
    if (to && n)
        memcpy(to, from, n * bytes);
    return to;
}

/* Addresses in one of two ascending lists, but not in both; into out, which has room. */
static size_t difference(const gla_t *a, size_t n_a, const gla_t *b, size_t n_b, gla_t *out)
{
    size_t i = 0, k = 0, n = 0;
    while (i < n_a || k < n_b) {
        if (k == n_b || (i < n_a && a[i] < b[k]))
            out[n++] = a[i++];
        else if (i == n_a || b[k] < a[i])
            out[n++] = b[k++];
        else
            i++, k++;
    }
    return n;
}

/* Blocks that contain an address whose stop came or went were cut wrongly: they are
 * forgotten, and others stay. */
static int set_code_stops(struct soft *s, const struct debug_stops *asked)
{
    struct soft_debug *d = s->debug;
    gla_t *code = copy_of(asked->code, asked->n_code, sizeof *code);
    gla_t *changed = malloc((asked->n_code + d->n_code + 1) * sizeof *changed);
    if (!code || !changed) {
        free(code);
        free(changed);
        return -ENOMEM;
    }
    size_t n = difference(d->code, d->n_code, code, asked->n_code, changed);
    free(d->code);
    d->code = code;
    d->n_code = asked->n_code;
    s->debug_code = d->n_code > 0;
    if (n)
        blocks_forget_linear(s, changed, n);
    free(changed);
    return 0;
}

static bool same_data(const struct soft_debug *d, const struct debug_stops *asked)
{
    if (d->n_data != asked->n_data)
        return false;
    for (size_t i = 0; i < d->n_data; i++)
        if (d->data[i].at != asked->data[i].at || d->data[i].len != asked->data[i].len ||
            d->data[i].access != asked->data[i].access ||
            d->data[i].physical != asked->data[i].physical)
            return false;
    return true;
}

/* One part of data[]: the n from `first` on.  `reach` makes the search fast although stops may
 * overlap: from any stop downwards it tells when none before can reach the bytes in question. */
static void set_watched(struct soft_debug *d, struct watched *w, size_t first, size_t n)
{
    uint64_t far = 0;
    *w = (struct watched){ d->data + first, d->reach + first, n };
    for (size_t i = 0; i < n; i++) {
        far = last_byte(&w->stop[i]) > far ? last_byte(&w->stop[i]) : far;
        w->reach[i] = far;
    }
}

/* The TLB is flushed, for its tags were given by the old list. */
static int set_data_stops(struct soft *s, const struct debug_stops *asked)
{
    struct soft_debug *d = s->debug;
    if (same_data(d, asked))
        return 0;
    struct data_stop *data = copy_of(asked->data, asked->n_data, sizeof *data);
    uint64_t *reach = malloc((asked->n_data + 1) * sizeof *reach);
    size_t n_linear = 0;
    if (!data || !reach) {
        free(data);
        free(reach);
        return -ENOMEM;
    }
    free(d->data);
    free(d->reach);
    d->data = data;
    d->reach = reach;
    d->n_data = asked->n_data;
    while (n_linear < d->n_data && !data[n_linear].physical)
        n_linear++;
    set_watched(d, &d->watched[LINEAR], 0, n_linear);
    set_watched(d, &d->watched[PHYSICAL], n_linear, d->n_data - n_linear);
    s->debug_data = d->n_data > 0;
    soft_tlb_flush(s, true);
    return 0;
}

/* set_debug() of the engine: this one can do everything that is asked. */
int soft_set_debug(struct vcpu *v, const struct debug_stops *asked)
{
    static const struct debug_stops none;
    struct soft *s = v->priv;
    if (!asked)
        asked = &none;
    if (!s->debug && !(s->debug = calloc(1, sizeof *s->debug)))
        return -ENOMEM;
    debug_untouch(s);
    s->debug->lo = asked->lo;
    s->debug->hi = asked->hi;
    s->debug_range = asked->lo != asked->hi;
    s->debug_magic = asked->magic;
    int err = set_code_stops(s, asked);
    return err ? err : set_data_stops(s, asked);
}

void debug_free(struct soft *s)
{
    if (!s->debug)
        return;
    free(s->debug->code);
    free(s->debug->data);
    free(s->debug->reach);
    free(s->debug);
    s->debug = NULL;
}
