/*
 * debugger/vmm/reverse_exits.c -- the past of a guest whose instructions nobody counts.
 *
 * From one exit on, the CPU comes to the next one again, if what the monitor
 * answered is the same and nothing enters in between.  So the log has, besides
 * the bytes that were typed,
 *
 *   EXIT   that there was one, which, and the virtual time then
 *   TIME   the virtual time when something entered before the guest went on
 *   HELD   interrupts were kept back there by who stepped the guest
 *
 * Inside the past time is what the log says, and the exits it has are waited for.
 * Another one means that the guest does something else -- it has read its time-
 * stamp counter, which no KVM shows us -- and there the way ends.
 *
 * What enters between two exits, when the alarm has rung in the midst of a loop,
 * enters at a place that cannot be found again.  So just before, a checkpoint is
 * taken there that is a wall: who comes to the exit before it is put behind it.
 */
#include "debugger/vmm/reverse_private.h"

#include <stdlib.h>

#include "base/host.h"
#include "base/trace.h"
#include "base/vclock.h"
#include "cpu/exit.h"
#include "cpu/regs.h"
#include "io/pic.h"
#include "vm/pc.h"

#define LOOK_NS 10000000u               /* inside the past: how often somebody looks for a request */

/* ---- exits ---- */

static uint16_t fold(uint64_t h)
{
    h ^= h >> 32;
    return (uint16_t)(h ^ h >> 16);
}

static uint64_t sum_registers(struct reverse *r, uint64_t *rip)
{
    struct cpu_state s = { 0 };
    uint64_t h = 0;
    boot_cpu(r->vm)->ops->get_state(boot_cpu(r->vm), ST_GPRS, &s);
    for (unsigned i = 0; i < 16; i++)
        h = (h ^ s.gpr[i]) * UINT64_C(0x9e3779b97f4a7c15);
    *rip = s.rip;
    return h ^ s.rflags;
}

/* Of a first touch the page: how KVM comes to it varies, and so does where the CPU is then, before
 * an instruction or in the midst of a REP MOVS. */
static struct input describe(struct reverse *r, const struct vmexit *x)
{
    const struct trace *t = r->vm->trace;
    bool touch = x->reason == EXIT_EPT_VIOLATION;
    uint64_t rip, sum = sum_registers(r, &rip);
    return (struct input){
        .kind = INPUT_EXIT, .vtime_ns = vclock_now_ns(r->vm->clock), .passed = touch ? 0 : x->rip,
        .byte = (uint8_t)exit_index(x->reason), .seq = t ? (uint8_t)t->ring->head : 0,
        .check = fold(touch ? x->page.gpa : exit_qualification(x)), .registers = fold(sum),
    };
}

static void note_touch(struct reverse *r, gpa_t gpa)
{
    if (r->n_touches == r->room_for_touches) {
        size_t room = r->n_touches ? 2 * r->n_touches : 256;
        struct touch_note *more = realloc(r->touches, room * sizeof *more);
        r->unfaithful |= !more;
        if (!more)
            return;
        r->touches = more;
        r->room_for_touches = room;
    }
    r->touches[r->n_touches++] = (struct touch_note){ gpa, r->log.n };
}

static void compare(struct reverse *r, const struct vmexit *x)
{
    const struct input *was = r->expected;
    struct input is = describe(r, x);
    r->expected = NULL;
    r->astray |= !was || was->byte != is.byte || was->passed != is.passed || was->check != is.check ||
                 was->seq != is.seq;
    bool differs = was && was->registers != is.registers;
    r->midway = differs && x->reason == EXIT_EPT_VIOLATION;
    r->drifted |= differs && !r->midway;
}

void reverse_note_exit(struct reverse *r, const struct vmexit *x)
{
    if (!r->by_exit || !checkpoints_first(r->all))
        return;
    if (r->inside) {
        compare(r, x);
        return;
    }
    /* These come anywhere; not every KVM opens the window at the first place there is. */
    exits_set_stop(&r->last_stop, NULL);
    r->kicked = x->reason == EXIT_KICKED || x->reason == EXIT_IRQ_WINDOW;
    if (r->kicked)
        return;
    if (x->reason == EXIT_EPT_VIOLATION)
        note_touch(r, x->page.gpa);
    struct input in = describe(r, x);
    input_log_note(&r->log, &in);
    r->unfaithful |= r->log.full;
    r->known = true;
}

/* A reset takes the CPU from behind this exit to its first instruction: that is a place of its own. */
void reverse_exit_answered(struct reverse *r)
{
    if (!r->by_exit || r->inside || !r->vm->reset_wanted)
        return;
    r->known = false;
    r->kicked = true;
}

/* ---- time, when it happens first ---- */

static void note(struct reverse *r, enum input_kind kind, uint64_t now)
{
    struct input in = { .kind = (uint8_t)kind, .vtime_ns = now };
    input_log_note(&r->log, &in);
    r->unfaithful |= r->log.full;
}

/* The guest is about to go on: does anything enter here? */
static uint64_t note_entry(struct reverse *r, uint64_t now)
{
    struct vm *vm = r->vm;
    bool held = vm->debug_wants.hold_irqs && !vm->debug_news.woken;
    bool due = vclock_next_ns(vm->clock) <= now;
    bool irq = pic_pending(pc_pic(vm->pc)) && (boot_cpu(vm)->irq_ready || boot_cpu(vm)->halted);
    bool enters = due || (irq && !held) || r->kicked || r->input_waits;
    r->kicked = false;
    if (enters && !r->known)
        r->unfaithful |= !past_take(r, true);
    if (r->input_waits && r->known) {
        r->input_waits = false;
        vm->next_poll_ns = 0;
    }
    if (held && r->known && (due || irq))
        note(r, INPUT_HELD, now);
    if (enters || (irq && r->known))
        note(r, INPUT_TIME, now);
    return now;
}

/* Its time is in the log: of this entry, or with that of an exit that is being answered. */
static bool is_timed(const struct reverse *r, enum input_hook hook)
{
    const struct input *last = r->log.n ? &r->log.in[r->log.n - 1] : NULL;
    return hook == INPUT_ROOM ||
           (last && last->kind == INPUT_TIME && last->vtime_ns == vclock_now_ns(r->vm->clock));
}

/* What is typed may go in here: this is a place that will be known. */
bool reverse_takes_input(struct reverse *r, enum input_hook hook)
{
    if (!r->by_exit || !checkpoints_first(r->all))
        return true;
    if (!r->known)
        r->input_waits = true;
    else if (!is_timed(r, hook))
        note(r, INPUT_TIME, vclock_now_ns(r->vm->clock));
    return r->known;
}

/* ---- and when it is played ---- */

static const struct input *upcoming(const struct reverse *r)
{
    return r->log.at < r->log.limit ? &r->log.in[r->log.at] : NULL;
}

static bool take_if(struct reverse *r, enum input_kind kind)
{
    const struct input *in = upcoming(r);
    bool is = in && in->kind == kind;
    r->log.at += is;
    return is;
}

/* Whatever the guest does now, somebody must look at the clock and for requests. */
static void stay_awake(struct reverse *r)
{
    uint64_t now = host_monotonic_ns();
    if (now < r->look_ns && r->look_ns < now + LOOK_NS)
        return;
    r->look_ns = now + LOOK_NS;
    host_alarm_at(r->look_ns);
}

static uint64_t play_entry(struct reverse *r)
{
    struct vm *vm = r->vm;
    uint64_t now = vclock_now_ns(vm->clock);
    stay_awake(r);
    vm->debug_wants.kick = true;              /* the alarm is ours, and no exit of the guest's, */
    vm->debug_wants.no_window = true;         /* and where a window opened there is a wall      */
    vm->debug_wants.hold_irqs = take_if(r, INPUT_HELD);
    if (take_if(r, INPUT_TIME))
        now = r->log.in[r->log.at - 1].vtime_ns;
    const struct input *next = upcoming(r);
    if (next && next->kind < INPUT_SLEEP && next->hook == INPUT_POLL)
        vm->next_poll_ns = 0;
    return now;
}

static uint64_t play_exit(struct reverse *r)
{
    uint64_t now = vclock_now_ns(r->vm->clock);
    r->known = !r->vm->debug_news.exit;
    if (r->vm->debug_news.exit) {
        r->vm->next_poll_ns = 0;
        return now;
    }
    r->expected = take_if(r, INPUT_EXIT) ? &r->log.in[r->log.at - 1] : NULL;
    return r->expected ? r->expected->vtime_ns : now;
}

bool exits_sleep_on(struct reverse *r)
{
    const struct input *next = upcoming(r);
    return next && (next->kind == INPUT_TIME || next->kind == INPUT_HELD || next->kind < INPUT_SLEEP);
}

uint64_t reverse_measured(struct reverse *r, uint64_t now)
{
    if (!r || !r->by_exit || !checkpoints_first(r->all))
        return now;
    if (!boot_cpu(r->vm)->turn.unfinished)
        return r->inside ? play_entry(r) : note_entry(r, now);
    if (r->inside)
        return play_exit(r);
    r->known = false;
    return now;
}

/* ---- the last code stop ---- */

static uint64_t standing(struct reverse *r)
{
    uint64_t rip, sum = sum_registers(r, &rip);
    return (sum ^ rip) * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

/* Breakpoints come and go meanwhile, and gdb's get new numbers. */
static bool stops_there(const struct reverse *r, gla_t pc)
{
    struct link_break b;
    for (size_t i = 0; stops_at(r->stops, i, &b) == 0; i++)
        if (b.kind == BREAK_CODE && b.enabled && b.at == pc)
            return true;
    return false;
}

void exits_set_stop(struct place *at, const struct place *p)
{
    if (p && p->base)
        p->base->pins++;
    if (at->base)
        at->base->pins--;
    *at = p ? *p : (struct place){ 0 };
}

void exits_note_stop(struct reverse *r, const struct link_stop *why)
{
    struct cpu_state s = { 0 };
    if (!r->by_exit || !checkpoints_first(r->all) || why->why != LINK_BREAK)
        return;
    boot_cpu(r->vm)->ops->get_state(boot_cpu(r->vm), ST_GPRS | ST_SEGS | ST_CRS, &s);
    if (!stops_there(r, state_pc(&s)))
        return;
    struct place here = { .goal = GOAL_CODE, .progress = vm_progress(r->vm), .pc = state_pc(&s),
                          .sum = standing(r), .why = *why, .base = checkpoints_here(r->all) };
    exits_set_stop(&r->last_stop, &here);
}

bool exits_passed_stop(struct reverse *r)
{
    const struct place *p = &r->last_stop;
    return p->base && p->progress == vm_progress(r->vm) && p->sum != standing(r) &&
           stops_there(r, p->pc);
}

bool exits_at_sum(struct reverse *r, const struct place *p)
{
    return p->sum && p->progress == vm_progress(r->vm) && p->sum == standing(r);
}

/* ---- elsewhere ---- */

/* What was touched first behind the place where the machine stands now is to be so again. */
void exits_elsewhere(struct reverse *r)
{
    struct vcpu *v = boot_cpu(r->vm);
    if (!r->by_exit)
        return;
    r->astray = r->drifted = r->midway = r->kicked = false;
    r->known = true;
    r->hits = 0;
    exits_set_stop(&r->last_stop, NULL);
    for (size_t i = 0; v->ops->touch_again && i < r->n_touches; i++)
        v->ops->touch_again(v, r->touches[i].gpa, r->touches[i].at >= r->log.at);
}

void exits_forget_future(struct reverse *r)
{
    while (r->n_touches && r->touches[r->n_touches - 1].at >= r->log.n)
        r->n_touches--;
}

/* The log is long: its first n entries go, and what was before them. */
void exits_forget_past(struct reverse *r, uint64_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->n_touches; i++)
        if (r->touches[i].at >= n)
            r->touches[kept++] = (struct touch_note){ r->touches[i].gpa, r->touches[i].at - n };
    r->n_touches = kept;
    input_log_drop(&r->log, n);
}
