/*
 * debugger/trace/store_search.c -- what matches a filter: the next, the one before, each, how many.
 *
 * A search goes over the trace in runs: a block, or the tail.  Of a block it
 * unpacks what the filter asks about, if the block's header and index leave
 * hope; only one with a match is unpacked whole, and kept.
 */
#include "debugger/trace/store_private.h"

#include <pthread.h>

#include "base/host.h"
#include "debugger/trace/columns.h"
#include "debugger/trace/file.h"
#include "debugger/trace/filter.h"

/* A piece of the trace that is searched at once: events first to first + n - 1, which are a
 * block or the tail. */
struct run { uint64_t first, n; size_t block; bool in_tail; };

/* The run that event `index` is in. */
static struct run run_at(const struct store *s, uint64_t index)
{
    uint64_t in_file = trace_file_events(s->file);
    if (index >= in_file)
        return (struct run){ .first = in_file, .n = s->n_tail, .in_tail = true };
    size_t block = store_block_of_index(s->file, index);
    const struct trace_block *b = trace_file_block(s->file, block);
    return (struct run){ .first = b->first_index, .n = b->n_events, .block = block };
}

/* Which events of a window of 64 match; false: the block is damaged. */
static bool select_bits(const struct store *s, const struct filter *f, struct trace_columns *c,
                        const struct run *r, size_t first, uint64_t *bits)
{
    if (!r->in_tail)
        return filter_select(f, c, first, r->n - first, bits);
    *bits = 0;
    for (size_t i = 0; i < 64 && first + i < r->n; i++)
        *bits |= (uint64_t)filter_match(f, &s->tail[first + i]) << i;
    return true;
}

/* What came of opening a run for a search: its header and index rule a match out, or it
 * cannot be read, or it is open. */
enum look_result { NOTHING_THERE, DAMAGED, OPENED };

static enum look_result open_run(const struct store *s, const struct filter *f,
                                 struct trace_columns *c, const struct run *r)
{
    char why[200];
    if (r->in_tail)
        return OPENED;
    if (!filter_may_match(f, s->file, r->block))
        return NOTHING_THERE;
    return trace_columns_open(c, s->file, r->block, why, sizeof why) < 0 ? DAMAGED : OPENED;
}

/* The events of a run whose match was found, checked as a whole. */
static bool is_whole(struct store *s, const struct run *r)
{
    return r->in_tail || store_unpacked(s, r->block);
}

/* The first match of a run at or after event `from` of it; r->n: none, also if it is damaged. */
static uint64_t first_match(struct store *s, const struct filter *f, const struct run *r,
                            uint64_t from)
{
    enum look_result look = open_run(s, f, s->columns, r);
    s->met_damage = look == DAMAGED;
    if (look != OPENED)
        return r->n;
    for (uint64_t at = from & ~UINT64_C(63); at < r->n; at += 64) {
        uint64_t bits;
        if (!select_bits(s, f, s->columns, r, at, &bits)) {
            s->met_damage = true;
            return r->n;
        }
        if (at < from)
            bits &= ~UINT64_C(0) << (from - at);
        if (bits && is_whole(s, r))
            return at + (uint64_t)__builtin_ctzll(bits);
        s->met_damage |= bits != 0;
    }
    return r->n;
}

/* The last match of a run at or before event `to` of it; r->n: none. */
static uint64_t last_match(struct store *s, const struct filter *f, const struct run *r,
                           uint64_t to)
{
    if (open_run(s, f, s->columns, r) != OPENED)
        return r->n;
    for (uint64_t at = (to & ~UINT64_C(63)) + 64; at > 0; ) {
        uint64_t bits;
        at -= 64;
        if (!select_bits(s, f, s->columns, r, at, &bits))
            return r->n;
        if (to - at < 63)
            bits &= BIT(to - at + 1) - 1;
        if (bits)
            return is_whole(s, r) ? at + 63 - (uint64_t)__builtin_clzll(bits) : r->n;
    }
    return r->n;
}

/*
 * Many blocks, with two threads: each takes the next one when it is done with one, so that
 * all before the one that `next` says have been looked at when both have stopped.
 */

#define ALONE_NS 500000         /* most searches are over before a thread would have begun */

/* A search over many blocks.  Both threads take block numbers 0, 1, 2, ... from `next`;
 * number k is the block k further from `start`. */
struct team {
    struct store        *s;
    const struct filter *f;
    /* false: no more */
    bool               (*look)(struct team *t, struct trace_columns *c, size_t k);
    size_t               n, next, hit;      /* blocks; how many are taken; the first with a match */
    size_t               start;             /* the first of them, and the direction */
    bool                 backward, stop;
    uint64_t             end_ns;
    uint64_t             from, to, count;   /* of a count */
};

/* Has the time that the caller allowed been used up?  end_ns 0: there is no limit. */
static bool is_late(uint64_t end_ns)
{
    return end_ns && host_monotonic_ns() >= end_ns;
}

/* Take one block after the other, until there are no more, somebody says stop, or time is
 * up. */
static void team_work(struct team *t, struct trace_columns *c, uint64_t end_ns)
{
    size_t k;
    while (!__atomic_load_n(&t->stop, __ATOMIC_RELAXED) && !is_late(end_ns)
           && (k = __atomic_fetch_add(&t->next, 1, __ATOMIC_RELAXED)) < t->n)
        if (!t->look(t, c, k))
            __atomic_store_n(&t->stop, true, __ATOMIC_RELAXED);
}

/* The second thread. */
static void *team_second(void *arg)
{
    struct team *t = arg;
    team_work(t, t->s->second, t->end_ns);
    return NULL;
}

/* Begin alone: most searches end within half a millisecond, before a thread would have
 * started. */
static void team_run(struct team *t)
{
    struct store *s = t->s;
    pthread_t other;
    uint64_t alone_ns = host_monotonic_ns() + ALONE_NS;
    team_work(t, s->columns, t->end_ns && t->end_ns < alone_ns ? t->end_ns : alone_ns);
    if (t->stop || t->next >= t->n || is_late(t->end_ns))
        return;
    if (!s->second)
        s->second = trace_columns_new();
    bool two = s->second && pthread_create(&other, NULL, team_second, t) == 0;
    team_work(t, s->columns, t->end_ns);
    if (two)
        pthread_join(other, NULL);
}

static struct run run_of_block(const struct store *s, size_t block)
{
    const struct trace_block *b = trace_file_block(s->file, block);
    return (struct run){ .first = b->first_index, .n = b->n_events, .block = block };
}

/* Look at block number k.  The first match counts, so hit becomes the least k that has one;
 * blocks behind a known hit need not be looked at.  Both threads may find one at the same
 * time: compare-and-exchange keeps the lesser. */
static bool look_for_match(struct team *t, struct trace_columns *c, size_t k)
{
    struct run r = run_of_block(t->s, t->backward ? t->start - k : t->start + k);
    uint64_t bits = 0;
    if (k >= __atomic_load_n(&t->hit, __ATOMIC_RELAXED))
        return false;
    if (open_run(t->s, t->f, c, &r) != OPENED)
        return true;
    for (uint64_t at = 0; at < r.n && !bits; at += 64)
        if (!select_bits(t->s, t->f, c, &r, at, &bits))
            return true;
    for (size_t hit = t->hit; bits && k < hit; )
        if (__atomic_compare_exchange_n(&t->hit, &hit, k, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            break;
    return !bits;
}

/* How many blocks from `start` on a search can leave out: there is no match in them. */
static size_t blocks_without(struct store *s, const struct filter *f, size_t start, bool backward,
                             uint64_t end_ns)
{
    size_t n = backward ? start + 1 : trace_file_blocks(s->file) - start;
    struct team t = { .s = s, .f = f, .look = look_for_match, .n = n, .hit = SIZE_MAX,
                      .start = start,
                      .backward = backward, .end_ns = end_ns };
    team_run(&t);
    return t.hit < n ? t.hit : t.next < n ? t.next : n;
}

enum store_found store_next(struct store *s, const struct filter *f, uint64_t *at,
                            uint64_t budget_ns)
{
    uint64_t n = store_n_events(s), end_ns = budget_ns ? host_monotonic_ns() + budget_ns : 0;
    while (*at < n) {
        struct run r = run_at(s, *at);
        uint64_t match = first_match(s, f, &r, *at - r.first);
        *at = r.first + match;
        if (match < r.n)
            return STORE_FOUND;
        if (!r.in_tail && r.block + 1 < trace_file_blocks(s->file)) {
            size_t next = r.block + 1 + blocks_without(s, f, r.block + 1, false, end_ns);
            *at = next < trace_file_blocks(s->file) ? trace_file_block(s->file, next)->first_index
                                                    : trace_file_events(s->file);
        }
        if (*at < n && is_late(end_ns))
            return STORE_MORE;
    }
    *at = n;
    return STORE_NONE;
}

enum store_found store_prev(struct store *s, const struct filter *f, uint64_t *at,
                            uint64_t budget_ns)
{
    uint64_t n = store_n_events(s), end_ns = budget_ns ? host_monotonic_ns() + budget_ns : 0;
    uint64_t left = *at < n ? *at + 1 : n;          /* events [0, left) are to be looked at */
    while (left) {
        struct run r = run_at(s, left - 1);
        uint64_t match = last_match(s, f, &r, left - 1 - r.first);
        *at = r.first + match;
        if (match < r.n)
            return STORE_FOUND;
        left = r.first;
        if (!r.in_tail && r.block) {
            size_t without = blocks_without(s, f, r.block - 1, true, end_ns);
            left = without < r.block ? trace_file_block(s->file,
                                                        r.block - without)->first_index : 0;
        }
        *at = left ? left - 1 : 0;
        if (left && is_late(end_ns))
            return STORE_MORE;
    }
    return STORE_NONE;
}

/* The events of a run that match, in [from, to), to fn: false to end it all. */
static bool each_of_run(struct store *s, const struct filter *f, const struct run *r, uint64_t from,
                        uint64_t to, store_each_fn *fn, void *arg)
{
    for (uint64_t i = from; i < to; i++) {      /* fn may look into so many blocks that ours goes */
        const struct trace_event *events = r->in_tail ? s->tail : store_unpacked(s, r->block);
        if (events && filter_match(f, &events[i - r->first]) && !fn(arg, i, &events[i - r->first]))
            return false;
    }
    return true;
}

int store_each(struct store *s, const struct filter *f, uint64_t from, uint64_t to,
               store_each_fn *fn, void *arg)
{
    int damaged = 0;
    if (to > store_n_events(s))
        to = store_n_events(s);
    while (from < to) {
        struct run r = run_at(s, from);
        uint64_t end = r.first + r.n < to ? r.first + r.n : to;
        uint64_t first = r.first + first_match(s, f, &r, from - r.first);
        damaged += s->met_damage;
        if (!each_of_run(s, f, &r, first, end, fn, arg))
            break;
        from = end;
    }
    return damaged;
}

/* Matches in a run, but only those with an index in [from, to): the windows of 64 at both
 * ends are cut by masks. */
static uint64_t count_in_run(const struct team *t, struct trace_columns *c, const struct run *r)
{
    uint64_t n = 0, bits;
    if (open_run(t->s, t->f, c, r) != OPENED)
        return 0;
    for (uint64_t at = 0; at < r->n; at += 64) {
        if (!select_bits(t->s, t->f, c, r, at, &bits))
            return n;
        if (r->first + at < t->from)
            bits &= t->from - r->first - at < 64 ? ~UINT64_C(0) << (t->from - r->first - at) : 0;
        if (r->first + at + 64 > t->to)
            bits &= t->to > r->first + at ? ~UINT64_C(0) >> (r->first + at + 64 - t->to) : 0;
        n += (uint64_t)__builtin_popcountll(bits);
    }
    return n;
}

/* The same for one block of a team; block numbers are in the order of the trace. */
static bool look_and_count(struct team *t, struct trace_columns *c, size_t k)
{
    struct run r = run_of_block(t->s, t->start + k);
    if (r.first >= t->to)
        return false;
    if (r.first + r.n > t->from)
        __atomic_fetch_add(&t->count, count_in_run(t, c, &r), __ATOMIC_RELAXED);
    return true;
}

uint64_t store_count(struct store *s, const struct filter *f, uint64_t from, uint64_t to)
{
    struct team t = { .s = s, .f = f, .look = look_and_count, .n = trace_file_blocks(s->file),
                      .from = from, .to = to };
    struct run tail = { .first = trace_file_events(s->file), .n = s->n_tail, .in_tail = true };
    team_run(&t);
    return t.count + count_in_run(&t, s->columns, &tail);
}
