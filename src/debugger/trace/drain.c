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

/* Hand a run of events that lie one behind the other in memory to every sink. */
static void pass_on(struct trace_drain *d, const struct trace_event *events, size_t n)
{
    for (size_t i = 0; n && i < d->n_sinks; i++)
        d->sink[i].fn(d->sink[i].arg, events, n);
}

/* Give the sinks everything from the ring's tail up to `head`. The ring is an array used in
 * a circle: if the events run past its end they come in two pieces.  Only when the sinks
 * are done is the tail moved, which tells the writer that the places may be used again; the
 * store is a release, so that the writer cannot see it before the sinks' reads are over. */
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

/* Take what there is up to `head`. Called with the lock held and returns with it held, but
 * lets go of it while the sinks work: the VMM must be able to say how far it has come
 * meanwhile. */
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

/* What the trace calls when its ring is full and there is no thread: make room now. */
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

/* One batch, half of the ring. */
static void take_batch(struct trace_drain *d)
{
    take_events(d, d->trace->ring->tail + d->trace->batch);
}

/* The thread: sleep until a whole batch has come, take it, and so on until the end is
 * announced.  What is less than a batch at the end is left to trace_drain_detach(). */
static void *drain_thread(void *arg)
{
    struct trace_drain *d = arg;
    pthread_mutex_lock(&d->lock);
    d->is_running = true;
    pthread_cond_broadcast(&d->changed);
    while (!d->end)
        if (!d->busy && d->head - d->trace->ring->tail >= d->trace->batch)
            take_batch(d);
        else
            pthread_cond_wait(&d->changed, &d->lock);
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

/* The thread blocks all signals but those of a crash.  Signals that ask for something
 * (Ctrl-C, the alarm) must reach the VMM's thread, whose waits they interrupt; a crash
 * belongs to whoever crashes. */
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

/* What the trace calls, in the VMM's thread, whenever another batch is complete.  It tells
 * the thread (and makes it at the first time). If the ring is full, the VMM waits for the
 * batch that the thread is working on, or, if the thread has not come to it, does that
 * batch itself. */
static void thread_hook(void *arg)
{
    struct trace_drain *d = arg;
    const struct trace_ring *r = d->trace->ring;
    pthread_mutex_lock(&d->lock);
    d->head = r->head;
    pthread_cond_broadcast(&d->changed);
    while (d->busy && r->head - __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE) >= r->size)
        pthread_cond_wait(&d->changed, &d->lock);
    if (r->head - __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE) >= r->size)
        take_batch(d);
    pthread_mutex_unlock(&d->lock);
}

/* Until it runs, since its first system calls are the C library's own, which a sandbox that is
 * entered next need not allow.  Without a thread the ring gets full, and the VMM empties it. */
static void start_thread(struct trace_drain *d)
{
    pthread_mutex_lock(&d->lock);
    bool made = create_thread(d) == 0;
    while (made && !d->is_running)
        pthread_cond_wait(&d->changed, &d->lock);
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
    start_thread(d);
}

/* Tell the thread that no more will come, and wait until it has ended. */
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
