/*
 * debugger/trace/drain.c -- from the ring to the sinks, in at most two pieces
 * (the ring may wrap), without copying.
 *
 * With a thread, both sides meet only at the ends of batches: the VMM says how
 * far it is, and if the ring is full there is one to wait for or to take; the
 * thread takes whole batches, one after the other.  What is left at the end is
 * passed on by the VMM itself, when the thread is gone.
 */
#include "debugger/trace/drain.h"

#include <signal.h>

#include "base/host.h"

static void pass_on(struct trace_drain *d, const struct trace_event *events, size_t n)
{
    for (size_t i = 0; n && i < d->n_sinks; i++)
        d->sink[i].fn(d->sink[i].arg, events, n);
}

static void pass_on_to(struct trace_drain *d, uint64_t head)
{
    struct trace_ring *r = d->trace->ring;
    uint64_t n = head - r->tail, first = (r->tail + 1) & (r->size - 1);
    uint64_t until_wrap = r->size - first;
    uint64_t n_first = n < until_wrap ? n : until_wrap;

    pass_on(d, r->event + first, n_first);
    pass_on(d, r->event, n - n_first);
    __atomic_store_n(&r->tail, head, __ATOMIC_RELEASE);
}

/* What there is up to `head`; the lock is held before and after, but not meanwhile. */
static void take_events(struct trace_drain *d, uint64_t head)
{
    d->busy = true;
    pthread_mutex_unlock(&d->lock);
    pass_on_to(d, head);
    pthread_mutex_lock(&d->lock);
    d->busy = false;
    pthread_cond_broadcast(&d->changed);
}

void trace_drain_run(struct trace_drain *d)
{
    uint64_t head = __atomic_load_n(&d->trace->ring->head, __ATOMIC_ACQUIRE);
    if (!d->has_thread) {
        pass_on_to(d, head);
        return;
    }
    pthread_mutex_lock(&d->lock);
    while (d->busy)
        pthread_cond_wait(&d->changed, &d->lock);
    d->head = head;
    take_events(d, head);
    pthread_mutex_unlock(&d->lock);
}

static void drain_hook(void *arg)
{
    trace_drain_run(arg);
}

void trace_drain_attach(struct trace_drain *d, struct trace *t)
{
    bug_if(t->drain, "two readers for one trace ring");
    *d = (struct trace_drain){ .trace = t };
    t->drain = drain_hook;
    t->drain_arg = d;
}

void trace_drain_add(struct trace_drain *d, trace_sink_fn *fn, void *arg)
{
    bug_if(d->has_thread, "a sink for a drain that is running");
    bug_if(d->n_sinks == NELEM(d->sink), "more than %zu sinks", NELEM(d->sink));
    d->sink[d->n_sinks].fn = fn;
    d->sink[d->n_sinks].arg = arg;
    d->n_sinks++;
}

/*
 * The thread
 */

static void take_batch(struct trace_drain *d)
{
    take_events(d, d->trace->ring->tail + d->trace->batch);
}

static void *drain_thread(void *arg)
{
    struct trace_drain *d = arg;
    pthread_mutex_lock(&d->lock);
    while (!d->end)
        if (!d->busy && d->head - d->trace->ring->tail >= d->trace->batch)
            take_batch(d);
        else
            pthread_cond_wait(&d->changed, &d->lock);
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

/* Signals that ask for something are for the VMM's thread, whose waits they end;
 * a crash is the business of whoever crashes. */
static int create_thread(struct trace_drain *d)
{
    static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS };
    sigset_t blocked, old;
    sigfillset(&blocked);
    for (size_t i = 0; i < NELEM(crashes); i++)
        sigdelset(&blocked, crashes[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &old);
    int err = pthread_create(&d->thread, NULL, drain_thread, d);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -err;
}

/* In the VMM's thread, after every batch. */
static void thread_hook(void *arg)
{
    struct trace_drain *d = arg;
    const struct trace_ring *r = d->trace->ring;
    pthread_mutex_lock(&d->lock);
    d->head = r->head;
    if (!d->is_running && d->head - r->tail >= d->trace->batch)
        d->is_running = create_thread(d) == 0;  /* if not: the ring gets full, see below */
    pthread_cond_broadcast(&d->changed);
    while (d->busy && r->head - __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE) >= r->size)
        pthread_cond_wait(&d->changed, &d->lock);
    if (r->head - __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE) >= r->size)
        take_batch(d);
    pthread_mutex_unlock(&d->lock);
}

void trace_drain_start(struct trace_drain *d)
{
    struct trace *t = d->trace;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    d->end = d->busy = d->is_running = false;
    d->head = t->ring->head;
    d->has_thread = true;
    t->batch = t->ring->size / 2;
    t->drain = thread_hook;
    t->room_to = 0;                         /* ask at the next event */
}

static void stop_thread(struct trace_drain *d)
{
    pthread_mutex_lock(&d->lock);
    d->end = true;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    if (d->is_running)
        pthread_join(d->thread, NULL);
    pthread_mutex_destroy(&d->lock);
    pthread_cond_destroy(&d->changed);
    d->has_thread = false;
    d->trace->batch = 0;
}

void trace_drain_detach(struct trace_drain *d)
{
    if (d->has_thread)
        stop_thread(d);
    trace_drain_run(d);
    d->trace->drain = NULL;
    d->trace->drain_arg = NULL;
}
