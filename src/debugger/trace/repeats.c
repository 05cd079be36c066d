/*
 * debugger/trace/repeats.c -- find rounds of events that come again, and count them.
 *
 * For each length p of a round two numbers say for how many events each has been like the one p
 * before it, and how many of those had another value.  If one of them is large enough, the rounds
 * that follow are counted instead of printed, until an event comes that does not belong.  The
 * events of a round that is not complete are printed then, so that what led to the new event is
 * not lost.
 */
#include "debugger/trace/repeats.h"

#include <inttypes.h>

#include "debugger/trace/text.h"

/* So many rounds after the first are printed before the others are only counted. */
#define ROUNDS_PRINTED 2

/* A value that changes is what a reader waits for: it is printed.  One that has changed so often
 * while nothing else did is a counter or a clock. */
#define CHANGES_PRINTED 15

/* Arguments that do not count when events are compared: times; and, in the second column, values
 * that a device was read to have. */
static const struct { bool arg[N_ALIKES][3]; } is_ignored[N_TRACE_KINDS] = {
    [TRACE_RESUME]    = { { { 0, 0, 1 }, { 0, 0, 1 } } },
    [TRACE_TIMER]     = { { { 1, 1, 0 }, { 1, 1, 0 } } },
    [TRACE_IO_READ]   = { { { 0, 0, 0 }, { 0, 0, 1 } } },
    [TRACE_MMIO_READ] = { { { 0, 0, 0 }, { 0, 0, 1 } } },
};

static bool are_alike(const struct trace_event *a, const struct trace_event *b,
                      enum trace_alike how)
{
    if (a->kind != b->kind || a->place != b->place || a->cs != b->cs || a->kind >= N_TRACE_KINDS)
        return false;
    for (unsigned i = 0; i < 3; i++)
        if (a->arg[i] != b->arg[i] && !is_ignored[a->kind].arg[how][i])
            return false;
    return true;
}

/* The event that came n before the next one. */
static const struct trace_event *before(const struct trace_repeats *r, uint64_t n)
{
    return &r->last[(r->n_seen - n) % TRACE_ROUND_MAX];
}

static void count_runs(struct trace_repeats *r, const struct trace_event *e)
{
    for (unsigned p = 1; p <= TRACE_ROUND_MAX; p++) {
        bool is_same = p <= r->n_seen && are_alike(e, before(r, p), ALIKE);
        bool is_like = p <= r->n_seen && are_alike(e, before(r, p), ALIKE_BUT_VALUE);
        r->n_same[p] = is_same ? r->n_same[p] + 1 : 0;
        r->n_changes[p] = is_like ? r->n_changes[p] + !is_same : 0;
    }
}

/* From the next event on rounds of p events are counted. */
static void begin_round(struct trace_repeats *r, unsigned p, enum trace_alike how)
{
    for (unsigned i = 0; i < p; i++)
        r->round[i] = *before(r, p - i);
    r->n_round = p;
    r->next = 0;
    r->how = how;
    r->is_counting = true;
}

/* Has a round come often enough?  The shortest such round is taken. */
static void look_for_round(struct trace_repeats *r)
{
    for (unsigned p = 1; p <= TRACE_ROUND_MAX && !r->is_counting; p++)
        if (r->n_changes[p] >= CHANGES_PRINTED)
            begin_round(r, p, ALIKE_BUT_VALUE);
        else if (r->n_same[p] >= ROUNDS_PRINTED * p)
            begin_round(r, p, ALIKE);
}

/* 1234567 as "1,234,567". */
static const char *with_commas(uint64_t v, char *buf, size_t n)
{
    char digits[24];
    size_t len = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, v), to = 0;
    for (size_t i = 0; i < len && to + 2 < n; i++) {
        if (i && (len - i) % 3 == 0)
            buf[to++] = ',';
        buf[to++] = digits[i];
    }
    buf[to] = '\0';
    return buf;
}

/* Whole rounds become one line; what is left of one is printed. */
static void end_round(struct trace_repeats *r, const struct trace_text *x, FILE *out)
{
    char count[32];
    uint64_t rounds = r->n_held / r->n_round, rest = r->n_held % r->n_round;
    const char *values = r->how == ALIKE_BUT_VALUE ? ", with other values" : "";
    with_commas(rounds, count, sizeof count);
    if (rounds && r->n_round == 1)
        fprintf(out, "%10s ... %s more like it%s (to event %" PRIu64 ")\n", "", count, values,
                before(r, rest + 1)->seq);
    else if (rounds)
        fprintf(out, "%10s ... these %u again, %s time%s%s (to event %" PRIu64 ")\n", "",
                r->n_round, count, rounds == 1 ? "" : "s", values, before(r, rest + 1)->seq);
    for (uint64_t i = rest; i > 0; i--)
        trace_text_line(x, before(r, i), out);
    r->is_counting = false;
    r->n_held = 0;
}

void trace_repeats_line(struct trace_repeats *r, const struct trace_text *x,
                        const struct trace_event *e, FILE *out)
{
    if (!r->is_counting)
        look_for_round(r);
    bool belongs = r->n_round && are_alike(e, &r->round[r->next], r->how);
    if (r->is_counting && !belongs)
        end_round(r, x, out);
    r->is_counting = belongs;
    if (belongs) {
        r->n_held++;
        r->next = (r->next + 1) % r->n_round;
    } else {
        trace_text_line(x, e, out);
    }
    count_runs(r, e);
    r->last[r->n_seen++ % TRACE_ROUND_MAX] = *e;
}

void trace_repeats_end(struct trace_repeats *r, const struct trace_text *x, FILE *out)
{
    if (r->is_counting)
        end_round(r, x, out);
}
