/*
 * debugger/vmm/hooks.c -- what the running machine asks its host for, answered on behalf of a
 * debugger: input, sleep, room for output and for trace events.
 *
 * The machine calls these in the midst of its loop, where its state may be half changed.  So
 * no request is served here.  If one waits, `request_waits` ends the turns of the loop, and
 * vmm.c serves it between two of them.
 *
 * A guest that was taken back is inside its past (reverse.h): its input then comes from the
 * log, it does not really sleep, and what it prints was printed when it did so first.
 */
#include <errno.h>
#include <time.h>

#include "base/trace.h"
#include "base/vclock.h"
#include "debugger/vmm/vmm_private.h"

/* ---- output, and events ---- */

/* What the guest prints inside its past was printed when it ran there first. */
static void put(struct vmm *m, enum link_output which, uint8_t byte)
{
    if (!reverse_inside(m->reverse))
        wire_put_output(m, which, byte);
}

static void put_serial(void *arg, uint8_t byte)   { put(arg, LINK_SERIAL, byte); }
static void put_debugcon(void *arg, uint8_t byte) { put(arg, LINK_DEBUGCON, byte); }

/* The trace ring is full.  The debugger's process empties it; until it has, the guest waits,
 * since an event that is not written is lost. */
static void wait_for_room(void *arg)
{
    struct vmm *m = arg;
    const struct timespec nap = { 0, 50000 };
    const struct trace_ring *r = m->trace->ring;
    wire_send(m, WIRE_RING_FULL, 0, 0, NULL, 0);
    while (r->head - __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE) >= r->size)
        nanosleep(&nap, NULL);
}

/* ---- input ---- */

static bool something_is_typed(const struct vmm *m)
{
    return m->typed[LINK_TO_SERIAL].n || m->typed[LINK_TO_KEYBOARD].n;
}

/* Give the guest what was typed, as far as its devices have room. */
static void feed(void *arg, enum input_hook hook)
{
    static const enum input_kind kinds[] = {
        [LINK_TO_SERIAL] = INPUT_SERIAL, [LINK_TO_KEYBOARD] = INPUT_KEYBOARD,
    };
    struct vmm *m = arg;
    if (!something_is_typed(m) || !reverse_takes_input(m->reverse, hook))
        return;
    for (unsigned to = 0; to < NELEM(m->typed); to++) {
        struct typed *t = &m->typed[to];
        while (t->n && host_io_give(&m->io, kinds[to], t->byte[t->head]) != -EAGAIN) {
            t->head = (t->head + 1) % TYPED_MAX;
            t->n--;
        }
    }
}

/* Called every millisecond of virtual time, and when the guest halts.  This is where a
 * running guest's state and output become visible to the debugger.  True ends the turns of
 * the loop soon. */
static bool look_around(void *arg)
{
    struct vmm *m = arg;
    wire_answer_run(m);
    wire_flush_output(m);
    wire_publish(m);
    m->request_waits |= wire_request_waits(m, 0) || reverse_due(m->reverse);
    return m->request_waits;
}

/* ---- sleep ---- */

/* A request has come while the guest sleeps.  Let no time pass (0 ns) and end the slice:
 * the request is served first, then the guest sleeps on. */
static uint64_t interrupt_idling(struct vmm *m)
{
    m->request_waits = m->vm->pause_wanted = true;
    return 0;
}

/* Somebody watches, so virtual time must not run faster than the user's: sleep as long as
 * the guest's clock says, in pieces of 10 ms at most.  Returns the nanoseconds that passed. */
static uint64_t idle_paced(struct vmm *m, uint64_t ns)
{
    uint64_t before = host_monotonic_ns();
    if (wire_request_waits(m, ns > 10000000 ? 10 : (int)(ns / 1000000)))
        return interrupt_idling(m);
    uint64_t passed = host_monotonic_ns() - before;
    return passed < ns ? passed : ns;
}

/* Nobody watches the clock: virtual time jumps to the next timer.  If no timer runs
 * (VCLOCK_NEVER) only input can wake the guest, and that comes with a request. */
static uint64_t idle_jumping(struct vmm *m, uint64_t ns)
{
    if (ns != VCLOCK_NEVER)
        return ns;
    if (something_is_typed(m))
        return 1;
    m->starved = true;
    return interrupt_idling(m);
}

/* The guest is halted, and the next timer is due in ns.  How many of them have passed? */
static uint64_t idle(void *arg, uint64_t ns)
{
    struct vmm *m = arg;
    return m->o->paced ? idle_paced(m, ns) : idle_jumping(m, ns);
}

/* ---- what going back wants to see ---- */

static void after_exit(void *arg)
{
    struct vmm *m = arg;
    reverse_exit_answered(m->reverse);
}

/* The vm_config hooks get the struct host_io as their argument; behind it is the VMM. */
static struct vmm *vmm_of(void *arg)
{
    struct host_io *io = arg;
    return io->arg;
}

/* Virtual time is read.  Inside the past of an engine that does not count it is what the
 * log says, not what the host's clock says. */
static uint64_t on_measured(void *arg, uint64_t ns)
{
    return reverse_measured(vmm_of(arg)->reverse, ns);
}

static void before_answer(void *arg, const struct vmexit *x)
{
    vmm_before_answer(vmm_of(arg), x);
}

static bool is_playing(const void *arg)
{
    const struct vmm *m = arg;
    return reverse_inside(m->reverse);
}

static uint64_t play_sleep(void *arg, uint64_t ns)
{
    struct vmm *m = arg;
    return reverse_play_sleep(m->reverse, ns);
}

static void note_byte(void *arg, enum input_hook hook, enum input_kind kind, uint8_t byte)
{
    struct vmm *m = arg;
    reverse_note_byte(m->reverse, hook, kind, byte);
}

static void note_sleep(void *arg, uint64_t ns, uint64_t passed)
{
    struct vmm *m = arg;
    reverse_note_sleep(m->reverse, ns, passed);
}

/* What vm/host_io.h calls.  Inside the past (`is_playing`) it takes input and sleeps from
 * the log and does not call feed and sleep. */
static const struct host_ops ops = {
    .is_playing = is_playing, .feed = feed, .look = look_around, .sleep = idle,
    .play_sleep = play_sleep, .note_byte = note_byte, .note_sleep = note_sleep,
};

/* ---- setting them ---- */

void hooks_set(struct vmm *m, struct vm_config *c)
{
    c->trace = m->trace;
    c->serial = (struct char_sink){ put_serial, m };
    c->debugcon = (struct char_sink){ put_debugcon, m };
    m->io = (struct host_io){ .ops = &ops, .arg = m };
    host_io_hook(&m->io, c);
    c->measured = on_measured;
    c->before_answer = before_answer;
    c->alarm = host_alarm_at;
    c->after_exit = after_exit;
    c->after_exit_arg = m;
    m->trace->drain = wait_for_room;
    m->trace->drain_arg = m;
}

void hooks_attach(struct vmm *m)
{
    m->io.log = reverse_log(m->reverse);
    host_io_attach(&m->io, m->vm);
}
