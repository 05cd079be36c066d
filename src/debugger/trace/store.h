/*
 * debugger/trace/store.h -- a trace as its readers want it: event 0 to event n - 1,
 * whether they lie in a file, in a file that is still growing, or have just
 * come out of a ring.
 *
 * Everything that looks at events (the console, the TUI, the reports) goes
 * through here; debugger/trace/file.h is the layer below.  An event's *index*
 * is its place in this trace, from 0 and without gaps.  Its *seq* is the
 * number the monitor gave it; they differ where damaged blocks are left out.
 *
 *     struct store *s = store_open("run.trace", why, sizeof why);
 *     for (uint64_t i = store_seek_time(s, 5000); i < store_n_events(s); i++)
 *         if ((e = store_at(s, i)))
 *             trace_text_line(store_text(s), e, stdout);
 *
 * Live, the debugger's process is the ring's reader and hands what it takes
 * to a store of its own, which compresses it to disk as it comes:
 *
 *     struct store *s = store_record(NULL, trace, info, why, sizeof why);
 *     trace_drain_add(&drain, store_sink, s);        same process, or
 *     store_take(s, ring, ring_events);              a ring shared with another
 *
 * A store belongs to one thread.  (A full search uses a second one inside.)
 */
#ifndef DEBUGGER_TRACE_STORE_H
#define DEBUGGER_TRACE_STORE_H

#include "base/trace.h"
#include "debugger/trace/text.h"

struct filter;
struct store;
struct trace_file;

/*
 * Opening
 */

/* A trace file, whole or growing.  NULL, and in `why` a sentence. */
struct store *store_open(const char *path, char *why, size_t n);

/* A live trace: what store_sink() or store_take() is given is readable here at
 * once and goes into the file at `path` (NULL: one without a name, gone when
 * closed).  `info` as in trace_writer_open(). */
struct store *store_record(const char *path, const struct trace *t, const char *info,
                           char *why, size_t n);

/* Closes the file properly if it was recording: 0, or the first error in writing it. */
int store_close(struct store *s);

/*
 * Growing
 */

/* Append; for a trace_drain. */
void store_sink(void *store, const struct trace_event *events, size_t n);

/* Take what is new out of a ring of `size` events in memory shared with a
 * process that is not trusted; returns how many events came. */
size_t store_take(struct store *s, struct trace_ring *ring, uint64_t size);

/* Of the events that store_take() has taken, the newest of this kind: 1 + its index.  0: none. */
uint64_t store_newest(const struct store *s, enum trace_kind kind);

/* A file that another process writes: see what has been added since; how many
 * events.  Pointers of store_at() end here if it is not 0. */
uint64_t store_refresh(struct store *s);

/* The writer has closed its file properly (a killed one never does). */
bool store_is_complete(const struct store *s);

/*
 * Events
 */
uint64_t store_n_events(const struct store *s);
uint64_t store_lost(const struct store *s);     /* by the ring, for want of room: exact */
const char *store_warning(const struct store *s);   /* "" or what is damaged */

/* Event `index`, or NULL: beyond the end, or its block is damaged.  Good until
 * 8 other blocks have been looked into; copy what must last. */
const struct trace_event *store_at(struct store *s, uint64_t index);

/* The first event at or after; store_n_events() if there is none. */
uint64_t store_seek_seq(struct store *s, uint64_t seq);
uint64_t store_seek_time(struct store *s, uint64_t vtime_ns);
uint64_t store_seek_icount(struct store *s, uint64_t icount);

/* Event number `seq`, as trace_why() wants it (arg is a store): 0, -ENOENT. */
int store_find_seq(const void *store, uint64_t seq, struct trace_event *e);

/*
 * Searching
 *
 * One call looks from *at (inclusive) for a match, for at most about budget_ns
 * host nanoseconds (0: as long as it takes), so that a screen stays alive.
 *     STORE_FOUND  *at is the match; go on from *at + 1 (- 1 backward)
 *     STORE_MORE   not yet; *at is where the next call goes on
 *     STORE_NONE   there is none; *at is store_n_events(), where a search of a
 *                  growing trace goes on once there is more (backward: 0)
 */
enum store_found { STORE_NONE, STORE_FOUND, STORE_MORE };

enum store_found store_next(struct store *s, const struct filter *f, uint64_t *at,
                            uint64_t budget_ns);
enum store_found store_prev(struct store *s, const struct filter *f, uint64_t *at,
                            uint64_t budget_ns);

/* Every match with an index in [from, to), in order, until fn returns false.
 * How many blocks were damaged, or -errno. */
typedef bool store_each_fn(void *arg, uint64_t index, const struct trace_event *e);
int store_each(struct store *s, const struct filter *f, uint64_t from, uint64_t to,
               store_each_fn *fn, void *arg);

/* How many there are in [from, to); uses both hands. */
uint64_t store_count(struct store *s, const struct filter *f, uint64_t from, uint64_t to);

/*
 * What the file says about the run, and how to print its events
 */
const char *store_info(const struct store *s, const char *key);    /* NULL: not said */

/* Why the run ended as it did, in the lines that `vitrine run` printed then (report/explain.h);
 * NULL: it needed no explanation, it has not ended, or its writer was killed.  Whoever records
 * sets them before store_close(). */
const char *store_words(const struct store *s);
void store_set_words(struct store *s, const char *text);
const struct trace_file *store_file(const struct store *s);

/* Engines by the file's names; symbols, if set, are the caller's. */
const struct trace_text *store_text(const struct store *s);
void store_set_symbols(struct store *s, const struct symbols *symbols);

#endif
