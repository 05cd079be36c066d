/*
 * debugger/trace/store.c -- a trace for its readers: blocks of a file, unpacked when
 * looked into, and, of a trace being recorded, the events not yet in a block.
 *
 * The last few unpacked blocks are kept: a screen full of events, paging
 * through them and following their causes mostly stays within one or two.
 * `tail` is what comes after the last block.  When recording, it is what the
 * writer has been given and not written; it is the writer's block, so the two are
 * emptied together.  Of a file that another process writes, or was writing when it was
 * killed, it is what lies in the ring beside it.
 */
#include "debugger/trace/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/host.h"
#include "debugger/trace/columns.h"
#include "debugger/trace/file.h"
#include "debugger/trace/ring.h"

/*
 * Opening and closing
 */

/* For struct trace_text: engines are named by the file, whose writer may have had other
 * ones. */
static const char *engine_of(const void *arg, unsigned engine)
{
    return trace_file_engine(arg, engine);
}

static struct store *store_new(char *why, size_t n)
{
    struct store *s = calloc(1, sizeof *s);
    if (s && !(s->columns = trace_columns_new())) {
        free(s);
        s = NULL;
    }
    if (!s)
        snprintf(why, n, "there is not enough memory");
    if (s)
        s->ring = -1;
    for (size_t i = 0; s && i < N_CACHED; i++)
        s->cache[i].block = SIZE_MAX;
    return s;
}

/* Complete a store with its file; without one, there is no store. */
static struct store *with_file(struct store *s, struct trace_file *f)
{
    if (!f) {
        store_close(s);
        return NULL;
    }
    s->file = f;
    s->text = (struct trace_text){ .engine_name = engine_of, .engine_arg = f };
    return s;
}

struct store *store_open(const char *path, char *why, size_t n)
{
    struct store *s = store_new(why, n);
    s = s ? with_file(s, trace_file_open(path, why, n)) : NULL;
    if (s && !trace_file_is_complete(s->file)) {
        s->ring = trace_ring_open(path);
        store_refresh(s);
    }
    return s;
}

/* A file to write and read again; without a name, on disk if that can be. */
static int open_recording(const char *path)
{
    if (path) {
        trace_ring_remove(path);
        return trace_file_create(path, O_RDWR);
    }
    const char *dir = getenv("TMPDIR");
    int fd = open(dir ? dir : "/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC | O_APPEND, 0600);
    return fd >= 0 ? fd : memfd_create("vitrine-trace", MFD_CLOEXEC);
}

/* The file that is written to fd (taken), to be read; NULL and a sentence. */
static struct trace_file *begin_recording(struct store *s, int fd, const char *name,
                                          const struct trace *t, const char *info, char *why,
                                          size_t n)
{
    struct trace_file *f = NULL;
    int readable = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    s->writer = trace_writer_open_fd(fd, name, t, info);
    if (s->writer && readable >= 0)
        f = trace_file_open_fd(readable, why, n);
    else
        snprintf(why, n, "%s", strerror(errno));
    if (readable >= 0)
        close(readable);
    return f;
}

struct store *store_record(const char *path, const struct trace *t, const char *info,
                           char *why, size_t n)
{
    char what[200];
    const char *name = path ? path : "(without a name)";
    struct trace_file *f = NULL;
    struct store *s = store_new(why, n);
    if (!s)
        return NULL;
    int fd = open_recording(path);
    if (fd < 0)
        snprintf(what, sizeof what, "%s", strerror(errno));
    else if (!(s->tail = calloc(TRACE_BLOCK_EVENTS, sizeof *s->tail)))
        close(fd), snprintf(what, sizeof what, "there is not enough memory");
    else
        f = begin_recording(s, fd, name, t, info, what, sizeof what);
    if (!f)
        snprintf(why, n, "cannot create trace %s: %s", name, what);
    return with_file(s, f);
}

int store_close(struct store *s)
{
    if (!s)
        return 0;
    int err = trace_writer_close(s->writer);
    trace_file_close(s->file);
    for (size_t i = 0; i < N_CACHED; i++)
        free(s->cache[i].events);
    trace_columns_free(s->columns);
    trace_columns_free(s->second);
    if (s->ring >= 0)
        close(s->ring);
    free(s->tail);
    free(s);
    return err;
}

/*
 * Growing
 */

/* A cause lies before its event, as the rest of the program relies on. */
static void make_sane(struct trace_event *e)
{
    if (e->cause_back >= e->seq)
        e->cause_back = 0;
}

/* The events of a ring that come after the file's last; the file has been read after the
 * ring, so that what had left the ring is in it. */
static void tail_from_ring(struct store *s, const struct trace_ring *r)
{
    const struct trace_event *e;
    size_t blocks = trace_file_blocks(s->file);
    uint64_t seq = blocks ? trace_file_block(s->file, blocks - 1)->last_seq : 0;
    free(s->tail);
    s->n_tail = 0;
    s->tail = malloc(r->size * sizeof *s->tail);
    while (s->tail && s->n_tail < r->size && (e = trace_ring_event(r, ++seq))) {
        struct trace_event *to = &s->tail[s->n_tail++];
        *to = *e;
        to->kind = trace_file_kind_map(s->file)[e->kind];
        make_sane(to);
    }
}

/* Of a file that its writer has not closed, the newest events lie in FILE.ring.  The ring
 * is copied first and the file looked at again after that, so that an event which leaves
 * the ring in between is found in the file.  The ring counts only if it goes on exactly
 * from a block that this file has. */
static void look_into_ring(struct store *s)
{
    struct trace_ring *r = s->ring >= 0 ? trace_ring_copy(s->ring) : NULL;
    trace_file_refresh(s->file);
    if (r && !trace_file_is_complete(s->file) &&
        trace_file_has_written(s->file, r->written, r->written_sum)) {
        tail_from_ring(s, r);
        s->lost = r->lost;
    } else if (s->ring >= 0) {
        s->n_tail = 0;
    }
    free(r);
}

uint64_t store_refresh(struct store *s)
{
    uint64_t before = store_n_events(s);
    if (s->writer)
        trace_file_refresh(s->file);
    else
        look_into_ring(s);
    return store_n_events(s) > before ? store_n_events(s) - before : 0;
}

/* Events both to the writer and to our own tail.  When they fill a block the writer has
 * written it, and it is read back from the file from now on. */
static void add_to_tail(struct store *s, const struct trace_event *events, size_t n)
{
    size_t before = trace_file_blocks(s->file);
    memcpy(s->tail + s->n_tail, events, n * sizeof *events);
    s->n_tail += n;
    trace_writer_sink(s->writer, events, n);
    if (s->n_tail < TRACE_BLOCK_EVENTS)
        return;
    store_refresh(s);
    if (trace_file_blocks(s->file) == before)       /* the writer has said why */
        s->dropped += s->n_tail;
    s->n_tail = 0;
}

void store_sink(void *store, const struct trace_event *events, size_t n)
{
    struct store *s = store;
    bug_if(!s->writer, "this store does not record");
    while (n) {
        size_t room = TRACE_BLOCK_EVENTS - s->n_tail, now = n < room ? n : room;
        add_to_tail(s, events, now);
        events += now;
        n -= now;
    }
}

/* The writer of the ring may be anybody by now: only its events are taken, and
 * only with numbers that go up. */
static size_t take_sane(struct store *s, const struct trace_event *events, size_t n)
{
    size_t taken = 0;
    for (size_t i = 0; i < n; i++) {
        struct trace_event e = events[i];
        uint64_t last = s->n_tail ? s->tail[s->n_tail - 1].seq : 0;
        size_t blocks = trace_file_blocks(s->file);
        if (!s->n_tail && blocks)
            last = trace_file_block(s->file, blocks - 1)->last_seq;
        if (e.seq <= last)
            continue;
        make_sane(&e);
        store_sink(s, &e, 1);
        if (e.kind < N_TRACE_KINDS)
            s->newest[e.kind] = store_n_events(s);
        taken++;
    }
    return taken;
}

/* The ring lies in memory that the VMM's process can write, and a guest may have taken that
 * process over.  So head and tail are only hints: never more than `size` events are looked
 * at, and each is copied before it is checked. */
size_t store_take(struct store *s, struct trace_ring *r, uint64_t size)
{
    uint64_t head = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);
    uint64_t tail = __atomic_load_n(&r->tail, __ATOMIC_RELAXED), n = head - tail;
    if (n > size) {             /* not what a ring does: begin anew at its oldest */
        tail = head - size;
        n = size;
    }
    uint64_t first = (tail + 1) & (size - 1), until_wrap = size - first;
    uint64_t n_first = n < until_wrap ? n : until_wrap;
    s->lost = __atomic_load_n(&r->lost, __ATOMIC_RELAXED);
    trace_writer_lost(s->writer, s->lost);
    size_t taken = take_sane(s, r->event + first, n_first);
    taken += take_sane(s, r->event, n - n_first);
    __atomic_store_n(&r->tail, head, __ATOMIC_RELEASE);
    return taken;
}

uint64_t store_newest(const struct store *s, enum trace_kind kind) { return s->newest[kind]; }

bool store_is_complete(const struct store *s)
{
    return !s->writer && trace_file_is_complete(s->file);
}

/*
 * Events
 */

uint64_t store_n_events(const struct store *s)
{
    return trace_file_events(s->file) + s->n_tail;
}

uint64_t store_lost(const struct store *s)
{
    uint64_t in_file = trace_file_lost(s->file);
    return (in_file > s->lost ? in_file : s->lost) + s->dropped;
}

const char *store_warning(const struct store *s) { return trace_file_warning(s->file); }

/* A binary search; the last block whose first event is not after `index`. */
size_t store_block_of_index(const struct trace_file *f, uint64_t index)
{
    size_t lo = 0, hi = trace_file_blocks(f);
    while (lo + 1 < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (trace_file_block(f, mid)->first_index <= index)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* The place in the cache that was not used for the longest time. */
static struct cached *oldest(struct store *s)
{
    struct cached *c = &s->cache[0];
    for (size_t i = 1; i < N_CACHED; i++)
        if (s->cache[i].used < c->used)
            c = &s->cache[i];
    return c;
}

const struct trace_event *store_unpacked(struct store *s, size_t block)
{
    struct cached *c = NULL;
    for (size_t i = 0; i < N_CACHED && !c; i++)
        if (s->cache[i].block == block)
            c = &s->cache[i];
    if (!c) {
        char why[200];
        size_t n = trace_file_block(s->file, block)->n_events;
        c = oldest(s);
        free(c->events);
        *c = (struct cached){ .block = SIZE_MAX, .events = malloc(n * sizeof *c->events) };
        if (!c->events)
            return NULL;
        c->block = block;
        c->damaged = trace_columns_open(s->columns, s->file, block, why, sizeof why) < 0
                  || trace_columns_events(s->columns, c->events, why, sizeof why) < 0;
    }
    c->used = ++s->clock;
    return c->damaged ? NULL : c->events;
}

const struct trace_event *store_at(struct store *s, uint64_t index)
{
    uint64_t in_file = trace_file_events(s->file);
    if (index >= in_file)
        return index - in_file < s->n_tail ? &s->tail[index - in_file] : NULL;
    size_t block = store_block_of_index(s->file, index);
    const struct trace_event *events = store_unpacked(s, block);
    return events ? &events[index - trace_file_block(s->file, block)->first_index] : NULL;
}

/* Events are in order by number, by time and by instruction count, so each can be searched
 * by halving. */
enum order { BY_SEQ, BY_TIME, BY_ICOUNT };

static uint64_t order_of_event(const struct trace_event *e, enum order by)
{
    return by == BY_SEQ ? e->seq : by == BY_TIME ? e->vtime_ns : e->icount;
}

static uint64_t order_of_block(const struct trace_block *b, enum order by)
{
    return by == BY_SEQ ? b->last_seq : by == BY_TIME ? b->max_ns : b->max_icount;
}

/* The first of n events that is not before `value`; n if all are. */
static size_t first_in(const struct trace_event *events, size_t n, enum order by, uint64_t value)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (order_of_event(&events[mid], by) < value)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* First the block by the summaries, then the event within it.  Of a damaged block its
 * beginning. */
static uint64_t seek(struct store *s, enum order by, uint64_t value)
{
    size_t lo = 0, n = trace_file_blocks(s->file), hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (order_of_block(trace_file_block(s->file, mid), by) < value)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == n)
        return trace_file_events(s->file) + first_in(s->tail, s->n_tail, by, value);
    const struct trace_block *b = trace_file_block(s->file, lo);
    const struct trace_event *events = store_unpacked(s, lo);
    return b->first_index + (events ? first_in(events, b->n_events, by, value) : 0);
}

uint64_t store_seek_seq(struct store *s, uint64_t seq) { return seek(s, BY_SEQ, seq); }
uint64_t store_seek_time(struct store *s, uint64_t vtime_ns) { return seek(s, BY_TIME, vtime_ns); }
uint64_t store_seek_icount(struct store *s, uint64_t icount) { return seek(s, BY_ICOUNT, icount); }

int store_find_seq(const void *store, uint64_t seq, struct trace_event *e)
{
    struct store *s = (struct store *)(uintptr_t)store;     /* what changes is only its cache */
    const struct trace_event *found = store_at(s, store_seek_seq(s, seq));
    if (!found || found->seq != seq)
        return -ENOENT;
    *e = *found;
    return 0;
}

/*
 * What the file says
 */

const char *store_info(const struct store *s, const char *key)
{
    return trace_file_info(s->file, key);
}

const char *store_words(const struct store *s) { return trace_file_words(s->file); }

void store_set_words(struct store *s, const char *text)
{
    trace_writer_words(s->writer, text);
}

const struct trace_file *store_file(const struct store *s) { return s->file; }
const struct trace_text *store_text(const struct store *s) { return &s->text; }

void store_set_symbols(struct store *s, const struct symbols *symbols)
{
    s->text.symbols = symbols;
}
