/*
 * debugger/report/causes.c -- a byte for each event of the trace, saying of what sort it is, and a
 * square table of counts.  A cause may lie anywhere before its effect, so nothing less would do.
 */
#include "debugger/report/causes.h"

#include <stdlib.h>

#include "cpu/exit.h"

/* Sorts of events: their kinds, but an EXIT by its reason.  0: not looked at. */
#define FIRST_EXIT (1 + N_TRACE_KINDS)
#define N_SORTS    (FIRST_EXIT + N_EXITS)

struct link { uint64_t count, example; };

struct causes {
    struct link link[N_SORTS][N_SORTS];     /* [cause][effect] */
    uint64_t    n;
    uint8_t     sort[];                     /* of each event   */
};

_Static_assert(N_SORTS < 256, "a sort is a byte");

struct causes *causes_new(uint64_t n)
{
    struct causes *c = calloc(1, sizeof *c + n);
    if (c)
        c->n = n;
    return c;
}

void causes_free(struct causes *c)
{
    free(c);
}

static uint8_t sort_of(const struct trace_event *e)
{
    int reason = e->kind == TRACE_EXIT && e->arg[0] <= UINT32_MAX ? exit_index((unsigned)e->arg[0])
                                                                  : -1;
    if (reason >= 0)
        return (uint8_t)(FIRST_EXIT + reason);
    return e->kind < N_TRACE_KINDS ? (uint8_t)(1 + e->kind) : 0;
}

static const char *name_of(size_t sort)
{
    return sort >= FIRST_EXIT ? exit_infos[sort - FIRST_EXIT].name : trace_kinds[sort - 1].name;
}

void causes_add(struct causes *c, uint64_t index, uint64_t cause_index, const struct trace_event *e)
{
    if (index >= c->n)
        return;
    uint8_t effect = c->sort[index] = sort_of(e);
    uint8_t cause = cause_index < index ? c->sort[cause_index] : 0;
    if (!cause || !effect || e->kind == TRACE_RESUME)   /* every exit leads to one of those */
        return;
    struct link *l = &c->link[cause][effect];
    if (!l->count++)
        l->example = e->seq;
}

/* An insertion sort into the rows: they are few. */
size_t causes_rows(const struct causes *c, struct cause_row *row, size_t max)
{
    size_t n = 0;
    for (size_t from = 1; from < N_SORTS && max; from++)
        for (size_t to = 1; to < N_SORTS; to++) {
            const struct link *l = &c->link[from][to];
            size_t at = n;
            while (at > 0 && row[at - 1].count < l->count)
                at--;
            if (!l->count || at == max)
                continue;
            n += n < max;
            for (size_t i = n - 1; i > at; i--)
                row[i] = row[i - 1];
            row[at] = (struct cause_row){ name_of(from), name_of(to), l->count, l->example };
        }
    return n;
}
