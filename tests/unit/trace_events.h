/*
 * trace_events.h -- the events of a trace file for tests, unpacked block by block as
 * debugger/trace/store.c does it.
 */
#ifndef TESTS_TRACE_EVENTS_H
#define TESTS_TRACE_EVENTS_H

#include <errno.h>
#include <stdlib.h>

#include "debugger/trace/columns.h"
#include "debugger/trace/file.h"

/* Block i into `events` (room for its n_events): 0, or -EINVAL and a sentence. */
static inline int block_events(const struct trace_file *f, size_t i, struct trace_event *events,
                               char *why, size_t n)
{
    struct trace_columns *c = trace_columns_new();
    int err = trace_columns_open(c, f, i, why, n);
    if (err >= 0)
        err = trace_columns_events(c, events, why, n);
    trace_columns_free(c);
    return err;
}

/* Every event, in order, until fn returns false: how many blocks were damaged. */
static inline int each_event(const struct trace_file *f,
                             bool (*fn)(void *arg, const struct trace_event *e), void *arg)
{
    int damaged = 0;
    bool go_on = true;
    char why[200];
    struct trace_event *events = malloc(TRACE_BLOCK_MAX * sizeof *events);
    for (size_t i = 0; i < trace_file_blocks(f) && go_on; i++) {
        bool bad = block_events(f, i, events, why, sizeof why) < 0;
        damaged += bad;
        for (size_t k = 0; !bad && go_on && k < trace_file_block(f, i)->n_events; k++)
            go_on = fn(arg, &events[k]);
    }
    free(events);
    return damaged;
}

#endif
