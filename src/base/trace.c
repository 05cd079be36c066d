/*
 * base/trace.c -- the ring of trace events.
 *
 * One writer, one reader, in the same process or in another one.  Event number seq lies at
 * place seq modulo the ring's size:
 *
 *     tail         head            tail + size
 *      |  to read   |  to write      |
 *   ...+============+----------------+...
 *
 * An event is written before `head` moves over it (release); the reader moves `tail` when it
 * is done with events.  Nothing is overwritten that the reader has not passed: an event that
 * finds no room is counted in `lost`.  Begin with trace_write().
 */
#include "base/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/host.h"

/* TRACE_LIST unfolded: names, layers and arguments of each kind. */
const struct trace_kind_info trace_kinds[N_TRACE_KINDS] = {
#define X(kind, layer, a0, a1, a2, about) \
    [TRACE_##kind] = { #kind, LAYER_##layer, { a0, a1, a2 }, about },
    TRACE_LIST(X)
#undef X
};

const char *const layer_names[N_LAYERS] = { "base", "mem", "cpu", "io", "vm" };

const char *trace_layer_name(unsigned kind)
{
    return kind < N_TRACE_KINDS ? layer_names[trace_layer(kind)] : "?";
}

/* Four digits for an offset that has no more, as real-mode addresses are written. */
char *place_text(uint64_t rip, const struct code_segment *cs, char *buf, size_t n)
{
    if (cs->segmented)
        snprintf(buf, n, rip <= 0xffff ? "%04x:%04" PRIx64 : "%04x:%08" PRIx64, cs->sel, rip);
    else
        snprintf(buf, n, "%" PRIx64, rip);
    return buf;
}

char *place_phrase(uint64_t rip, const struct code_segment *cs, char *buf, size_t n)
{
    char place[PLACE_MAX];
    snprintf(buf, n, "%s%s", cs->segmented ? "cs:ip " : "rip 0x",
             place_text(rip, cs, place, sizeof place));
    return buf;
}

char *trace_place_text(const struct trace_event *e, char *buf, size_t n)
{
    const struct code_segment cs = trace_code_segment(e);
    return place_text(trace_ip(e), &cs, buf, n);
}

char *trace_place_phrase(const struct trace_event *e, char *buf, size_t n)
{
    const struct code_segment cs = trace_code_segment(e);
    return place_phrase(trace_ip(e), &cs, buf, n);
}

/* The ring's size in memory: its head, and then the events; whole pages. */
static uint64_t ring_bytes(size_t n_events)
{
    uint64_t bytes = sizeof(struct trace_ring) + n_events * sizeof(struct trace_event);
    return (bytes + PAGE_SIZE - 1) & PAGE_MASK;
}

/* A trace around a ring that is mapped already.  If that fails the ring is given back. */
static struct trace *with_ring(struct trace_ring *ring, size_t n_events, int fd)
{
    struct trace *t = ring ? calloc(1, sizeof *t) : NULL;
    if (!t) {
        host_shared_free(ring, ring_bytes(n_events), fd);
        return NULL;
    }
    t->ring = ring;
    t->memfd = fd;
    ring->size = n_events;
    return t;
}

/* A power of two, so that an event's place is its seq with the high bits masked off. */
static bool is_ring_size(size_t n_events)
{
    errno = EINVAL;
    return n_events >= 4 && !(n_events & (n_events - 1));
}

/* Anonymous shared memory: a debugger's process maps the same pages and reads while we
 * write. */
struct trace *trace_new(size_t n_events)
{
    int fd;
    if (!is_ring_size(n_events))
        return NULL;
    struct trace_ring *ring = host_shared_alloc("vitrine-trace", ring_bytes(n_events), &fd);
    return with_ring(ring, n_events, fd);
}

/* In a file the events outlive a process that crashes. */
struct trace *trace_new_in(int fd, size_t n_events)
{
    struct trace_ring *ring = NULL;
    if (is_ring_size(n_events))
        ring = host_shared_file(fd, ring_bytes(n_events));
    return with_ring(ring, n_events, fd);
}

void trace_free(struct trace *t)
{
    if (!t)
        return;
    host_shared_free(t->ring, ring_bytes(t->ring->size), t->memfd);
    free(t);
}

/* The last seq that the reader has left room for.  Acquire: what the reader has read it has
 * read before it moved `tail`, so the writer may overwrite it now. */
static uint64_t room_to(const struct trace_ring *r)
{
    return __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE) + r->size;
}

/* There may be no room for event `seq`.  See how far the reader has come; if that is not
 * enough, ask the reader in this process, if there is one, to make room.  False: the event
 * is lost.
 *
 * With a reader in this process room_to is set to the end of a batch at most, so that this
 * function is called, and the reader with it, after every batch.  Out of line, because that
 * is seldom. */
static __attribute__((noinline, cold)) bool find_room(struct trace *t, uint64_t seq)
{
    struct trace_ring *r = t->ring;
    t->room_to = room_to(r);
    if (t->drain && (t->batch || seq > t->room_to)) {
        t->drain(t->drain_arg);
        t->room_to = room_to(r);
    }
    if (seq > t->room_to) {
        __atomic_store_n(&r->lost, r->lost + 1, __ATOMIC_RELAXED);
        return false;
    }
    uint64_t tail = t->room_to - r->size, in_batch = (seq - 1 - tail) & (t->batch - 1);
    if (t->batch && seq - 1 - in_batch + t->batch < t->room_to)
        t->room_to = seq - 1 - in_batch + t->batch;
    return true;
}

/* The event is complete before `head` counts it (release), so a reader that sees the new
 * head sees the event as well. */
EXIT_PATH uint64_t trace_write(struct trace *t, enum trace_kind kind, uint64_t a0, uint64_t a1,
                               uint64_t a2)
{
    struct trace_ring *r = t->ring;
    uint64_t seq = r->head + 1;
    if (__builtin_expect(seq > t->room_to, 0) && !find_room(t, seq))
        return 0;
    uint64_t back = t->ctx.cause ? seq - t->ctx.cause : 0;
    r->event[seq & (r->size - 1)] = (struct trace_event){
        .seq = seq,
        .vtime_ns = t->ctx.vtime_ns,
        .icount = t->ctx.icount,
        .place = t->ctx.place,
        .arg = { a0, a1, a2 },
        .cause_back = back <= UINT32_MAX ? (uint32_t)back : 0,
        .kind = (uint8_t)kind,
        .who = t->ctx.who,
        .cs = t->ctx.cs,
    };
    /* The next exit's lines, to be written: the ring is larger than the cache, its reader has
     * copies of them, and there may be a world switch until then.  Without it an exit
     * on KVM cost 3 % more.  (__builtin_prefetch() fetches for reading on plain x86-64.) */
    __asm__ volatile("prefetchw %0" : : "m"(r->event[(seq + 4) & (r->size - 1)]));
    __atomic_store_n(&r->head, seq, __ATOMIC_RELEASE);
    if (__builtin_expect(t->watched >> kind & 1, 0))
        t->on_event(t->on_event_arg, &r->event[seq & (r->size - 1)]);
    return seq;
}

EXIT_PATH uint64_t trace_enter(struct trace *t, uint64_t seq)
{
    if (!t)
        return 0;
    uint64_t old = t->ctx.cause;
    if (seq)
        t->ctx.cause = seq;
    return old;
}

EXIT_PATH void trace_leave(struct trace *t, uint64_t old_cause)
{
    if (t)
        t->ctx.cause = old_cause;
}
