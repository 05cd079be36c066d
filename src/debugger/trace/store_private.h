/*
 * debugger/trace/store_private.h -- what store.c (a trace and its events) and store_search.c share.
 */
#ifndef DEBUGGER_TRACE_STORE_PRIVATE_H
#define DEBUGGER_TRACE_STORE_PRIVATE_H

#include "debugger/trace/store.h"

struct trace_columns;
struct trace_writer;

/* Unpacked blocks that are kept: one more than store_at() promises, because the one that is
 * being unpacked takes the place of the oldest. */
#define N_CACHED 9

/* A block that has been unpacked into events. */
struct cached {
    size_t              block;          /* SIZE_MAX: none */
    uint64_t            used;           /* when last; the oldest makes room */
    struct trace_event *events;
    bool                damaged;
};

/* A trace: the blocks of a file, then `tail`, the events that are in no block yet. */
struct store {
    struct trace_file   *file;
    struct trace_writer *writer;        /* NULL: not recording */
    struct trace_event  *tail;
    size_t               n_tail;
    int                  ring;          /* beside a file that is read; or -1 */
    uint64_t             dropped;       /* could not be recorded (full disk) */
    uint64_t             lost;          /* by the ring that is recorded */
    uint64_t             newest[N_TRACE_KINDS];     /* 1 + its index, of those that were taken */
    struct cached        cache[N_CACHED];
    uint64_t             clock;
    struct trace_columns *columns;      /* of the block a search looks into, */
    struct trace_columns *second;       /* and of the one its second thread does */
    bool                 met_damage;    /* there */
    struct trace_text    text;
};

/* The block that event `index` is in. */
size_t store_block_of_index(const struct trace_file *f, uint64_t index);
/* The events of a block, or NULL if it is damaged. */
const struct trace_event *store_unpacked(struct store *s, size_t block);

#endif
