/*
 * debugger/vmm/vmm.c -- the main loop of the VMM's process.
 *
 * Begin reading with vmm_serve(), at the end: while the guest stands still the process waits
 * for requests and serves them; while it runs, let_run() gives it some milliseconds at a time
 * and looks for requests in between.  So requests only come between turns of the run loop,
 * when the machine's state is whole.  The one exception is vmm_before_answer().
 *
 * Where it stops is control.c's to find; where it goes back to, reverse.h's.
 */
#include <stdio.h>
#include <string.h>

#include "base/trace.h"
#include "debugger/vmm/vmm_private.h"
#include "vm/exits.h"

/* Where gdb on this process sets its breakpoint: the guest has stopped (vmm_before_answer). */
__attribute__((noinline)) void vmm_guest_stopped(void)
{
    __asm__ volatile("");
}

/* Everything that the debugger may look at must be in place before STOPPED is sent, since
 * it acts on that message at once: first the output printed so far, then the page with the
 * state, then the message. */
void vmm_tell_stop(struct vmm *m, const struct link_stop *why)
{
    m->state = why->why == LINK_GUEST_ENDED ? LINK_ENDED : LINK_STOPPED;
    m->pause_asked = m->starved = false;
    wire_flush_output(m);
    wire_publish(m);
    wire_send(m, WIRE_STOPPED, 0, 0, why, sizeof *why);
    m->unanswered_run = 0;
    vmm_guest_stopped();
}

/* Called for a pause, and when breakpoints change on the way back (serve.c). */
void vmm_give_up_way_back(struct vmm *m)
{
    struct link_stop why;
    reverse_give_up(m->reverse, &why);
    vmm_tell_stop(m, &why);
}

/* The user follows exits of this kind into the monitor's own source: a gdb on this process is
 * about to step through the answer.  So the guest stops before it, with the machine half way
 * through its turn, and only requests that change nothing are served.  That gdb finds the end
 * of the answer by a breakpoint in vmm_guest_stopped(). */
void vmm_before_answer(struct vmm *m, const struct vmexit *x)
{
    struct link_stop why = { .why = LINK_AT_EXIT, .seq = m->trace->ctx.cause };
    char text[200];
    int i = exit_index(x->reason);
    reverse_note_exit(m->reverse, x);
    if (i < 0 || !(m->follow >> i & 1) || reverse_busy(m->reverse))
        return;
    snprintf(why.text, sizeof why.text, "the monitor is about to answer: %s",
             exit_describe(x, text, sizeof text));
    m->inside_turn = true;
    vmm_tell_stop(m, &why);
    while (m->state != LINK_RUNNING)
        serve_one(m);
    m->inside_turn = false;
}

/* Some milliseconds of whatever is under way: a way back, or the guest running forwards.
 * True if the guest has stopped, and *why says for what reason.  While the guest is inside
 * its past, a stop of run control may turn out to be none, and a slice without a stop may
 * end at a place that is one (reverse_forwards()); so both are asked. */
static bool run_slice(struct vmm *m, struct link_stop *why)
{
    if (reverse_busy(m->reverse))
        return reverse_turns(m->reverse, &m->request_waits, why);
    bool stopped = control_turns(m->control, &m->request_waits, why);
    return reverse_forwards(m->reverse, stopped, why) || stopped;
}

/* One slice, and its consequences.  The reply to a RUN is sent at the end of the first
 * slice that did not stop the guest: a step is over before, and STOPPED then stands for the
 * reply.
 *
 * A halted guest without a running timer is not stopped by a breakpoint, yet would sleep
 * for ever (hooks.c sets `starved`): the debugger is told, so that the user can type
 * something. */
static void let_run(struct vmm *m)
{
    struct link_stop why = { .why = LINK_PAUSED };
    m->request_waits = m->vm->pause_wanted = false;
    bool stopped = run_slice(m, &why);
    m->vm->pause_wanted = false;
    if (!stopped)
        wire_answer_run(m);
    if (stopped && why.why == LINK_GUEST_ENDED)
        reverse_ended(m->reverse, &why);
    if (stopped) {
        vmm_tell_stop(m, &why);
    } else if (m->starved) {
        why.why = LINK_STARVED;
        snprintf(why.text, sizeof why.text,
                 "the guest has halted and waits for input (`type` gives it some)");
        vmm_tell_stop(m, &why);
    }
}

/* PAUSE only sets a flag; here, between two turns, the guest is really stopped. */
static void answer_pause(struct vmm *m)
{
    struct link_stop why = { .why = LINK_PAUSED };
    snprintf(why.text, sizeof why.text, "paused");
    if (!m->pause_asked || m->state != LINK_RUNNING)
        return;
    if (reverse_busy(m->reverse))
        vmm_give_up_way_back(m);
    else
        vmm_tell_stop(m, &why);
}

/* `m` is static because it is large and the machine's hooks keep pointers to it until the
 * process ends.  While a RUN waits for its reply no other request is read, so that replies
 * keep the order of requests. */
_Noreturn void vmm_serve(const struct link_options *o, int sock, struct trace *trace,
                         struct wire_page *page)
{
    static struct vmm m;
    m.o = o;
    m.sock = sock;
    m.trace = trace;
    m.page = page;
    m.fd = -1;
    m.state = LINK_STOPPED;
    make_machine(&m);
    for (;;) {
        while (m.state != LINK_RUNNING || (!m.unanswered_run && wire_request_waits(&m, 0))) {
            serve_one(&m);
            answer_pause(&m);
        }
        let_run(&m);
    }
}
