/*
 * debugger/vmm/reverse_exits.c -- the past of a guest whose instructions nobody counts (kvm).
 *
 * From one exit on, the CPU comes to the next one again, if what the monitor answered is the
 * same and nothing enters in between.  So exits are what such a past is counted in, and the
 * log has, besides the bytes that were typed,
 *
 *   EXIT   that there was one, which, and the virtual time then
 *   TIME   the virtual time when something entered before the guest went on
 *   HELD   interrupts were held back there, because the user was stepping the guest
 *
 * Inside the past, time is what the log says, and the exits that come are compared with the
 * log's.  A different one means that the guest does something else than it did then (it has
 * read its time-stamp counter, which no KVM shows us), and there the way back ends.
 *
 * A *position* is a place that replaying finds again: behind an exit of the guest's own, or
 * where a checkpoint is.  What enters elsewhere, when an alarm has rung in the midst of a loop,
 * enters at a place that cannot be found again.  So just before, a checkpoint is taken there
 * that is a wall (reverse.h): a guest that comes to the exit before it is put behind it.
 *
 * Begin reading with measured(): it is called twice in every turn, and leads to the four
 * functions that write and play the log.
 */
#include "debugger/vmm/reverse_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/host.h"
#include "base/trace.h"
#include "base/vclock.h"
#include "cpu/exit.h"
#include "cpu/regs.h"
#include "io/pic.h"
#include "vm/pc.h"

#define LOOK_NS 10000000u               /* inside the past: look for a request so often */

/* ---- exits ---- */

/* A sum of 64 bits in the 16 that an entry of the log has for it.  Two different exits may
 * have the same sum, once in 65,536 times. */
static uint16_t fold_to_16(uint64_t h)
{
    h ^= h >> 32;
    return (uint16_t)(h ^ h >> 16);
}

/* A sum of the general registers and flags, and RIP apart: some exits come with the same
 * registers at another RIP (describe_exit()). */
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

/* The entry of the log for this exit: enough to see whether the same one comes again.  Of a
 * first touch of a page it has the page and not RIP: how KVM comes to it varies, and so
 * does where the CPU is then, before an instruction or in the midst of a REP MOVS. */
static struct input describe_exit(struct reverse *r, const struct vmexit *x)
{
    const struct trace *t = r->vm->trace;
    bool touch = x->reason == EXIT_EPT_VIOLATION;
    uint64_t rip, sum = sum_registers(r, &rip);
    return (struct input){
        .kind = INPUT_EXIT, .vtime_ns = vclock_now_ns(r->vm->clock), .passed = touch ? 0 : x->rip,
        .byte = (uint8_t)exit_index(x->reason), .seq = t ? (uint8_t)t->ring->head : 0,
        .check = fold_to_16(touch ? x->page.gpa : exit_qualification(x)),
        .registers = fold_to_16(sum),
    };
}

/* A page is touched first only once, but going back must make it untouched again
 * (elsewhere()). So remember at which entry of the log that was.  The caller appends the
 * entry behind this call. */
static void note_touch(struct reverse *r, gpa_t gpa)
{
    if (r->exits.n_touches == r->exits.room_for_touches) {
        size_t room = r->exits.n_touches ? 2 * r->exits.n_touches : 256;
        struct touch_note *more = realloc(r->exits.touches, room * sizeof *more);
        r->cannot_be_repeated |= !more;
        if (!more)
            return;
        r->exits.touches = more;
        r->exits.room_for_touches = room;
    }
    r->exits.touches[r->exits.n_touches++] = (struct touch_note){ gpa, r->log.n };
}

/* Inside the past: is this the exit that came then?  If reason, place or qualification
 * differ, the guest has gone another way (replay_diverged). If only registers differ it may
 * still find back, and the user is told (registers_diverged). */
static void compare_with_log(struct reverse *r, const struct vmexit *x)
{
    const struct input *was = r->exits.expected;
    struct input is = describe_exit(r, x);
    r->exits.expected = NULL;
    r->exits.replay_diverged |= !was || was->byte != is.byte || was->passed != is.passed ||
                                was->check != is.check || was->seq != is.seq;
    bool differs = was && was->registers != is.registers;
    r->exits.inside_instruction = differs && x->reason == EXIT_EPT_VIOLATION;
    r->exits.registers_diverged |= differs && !r->exits.inside_instruction;
}

/* Before the monitor answers an exit of the guest's. */
static void exit_comes(struct reverse *r, const struct vmexit *x)
{
    if (r->inside) {
        compare_with_log(r, x);
        return;
    }
    /* A kick comes at any place, and so does an interrupt window: not every KVM opens it at the
     * first instruction that could be interrupted. */
    exits_set_stop(&r->exits.last_stop, NULL);
    r->exits.last_is_no_position = x->reason == EXIT_KICKED || x->reason == EXIT_IRQ_WINDOW;
    if (r->exits.last_is_no_position)
        return;
    if (x->reason == EXIT_EPT_VIOLATION)
        note_touch(r, x->page.gpa);
    struct input in = describe_exit(r, x);
    input_log_note(&r->log, &in);
    r->cannot_be_repeated |= r->log.full;
    r->exits.at_position = true;
}

/* A reset takes the CPU from behind this exit to its first instruction.  Replaying the exit does
 * not lead there, for inside the past nothing is reset: a wall will be taken. */
static void exit_answered(struct reverse *r)
{
    if (r->inside || !r->vm->reset_wanted)
        return;
    r->exits.at_position = false;
    r->exits.last_is_no_position = true;
}

/* ---- time, when it happens first ---- */

/* An entry of the log that has nothing but a kind and a time. */
static void note_entry_kind(struct reverse *r, enum input_kind kind, uint64_t now)
{
    struct input in = { .kind = (uint8_t)kind, .vtime_ns = now };
    input_log_note(&r->log, &in);
    r->cannot_be_repeated |= r->log.full;
}

/* At the present, the guest is about to go on: does anything enter here?  A timer that is
 * due, an interrupt that can be taken, input that waits.  If so the place must be one that
 * replaying finds again.  Behind an exit it is; elsewhere a wall is taken.  Returns the
 * time, unchanged. */
static uint64_t note_entry(struct reverse *r, uint64_t now)
{
    struct vm *vm = r->vm;
    bool held = vm->debug_wants.hold_irqs && !vm->debug_news.woken;
    bool due = vclock_next_ns(vm->clock) <= now;
    bool irq = pic_pending(pc_pic(vm->pc)) && (boot_cpu(vm)->irq_ready || boot_cpu(vm)->halted);
    bool enters = due || (irq && !held) || r->exits.last_is_no_position || r->exits.input_waits;
    r->exits.last_is_no_position = false;
    if (enters && !r->exits.at_position)
        r->cannot_be_repeated |= !past_take(r, true);
    if (r->exits.input_waits && r->exits.at_position) {
        r->exits.input_waits = false;
        vm->next_poll_ns = 0;
    }
    if (held && r->exits.at_position && (due || irq))
        note_entry_kind(r, INPUT_HELD, now);
    if (enters || (irq && r->exits.at_position))
        note_entry_kind(r, INPUT_TIME, now);
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
static bool takes_input(struct reverse *r, enum input_hook hook)
{
    if (!r->exits.at_position)
        r->exits.input_waits = true;
    else if (!is_timed(r, hook))
        note_entry_kind(r, INPUT_TIME, vclock_now_ns(r->vm->clock));
    return r->exits.at_position;
}

/* ---- and when it is played ---- */

/* The next entry of the log that is to be played; NULL: none up to the wall. */
static const struct input *upcoming(const struct reverse *r)
{
    return r->log.at < r->log.limit ? &r->log.in[r->log.at] : NULL;
}

/* Take the next entry, if it is of this kind. */
static bool take_if(struct reverse *r, enum input_kind kind)
{
    const struct input *in = upcoming(r);
    bool is = in && in->kind == kind;
    r->log.at += is;
    return is;
}

/* The machine's own alarm is off (entered()), but a guest that loops without an exit must
 * still come back to us now and then, to look for a request: set an alarm of our own, each
 * LOOK_NS. */
static void stay_awake(struct reverse *r)
{
    uint64_t now = host_monotonic_ns();
    if (now < r->exits.look_ns && r->exits.look_ns < now + LOOK_NS)
        return;
    r->exits.look_ns = now + LOOK_NS;
    host_alarm_at(r->exits.look_ns);
}

/* The guest is about to go on inside its past: what entered here then enters again, and the
 * time is what the log says. */
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

/* The guest has come back inside its past.  If that was for the debugger alone the log
 * knows nothing of it; else the next entry is this exit, with the virtual time at which it
 * came then. */
static uint64_t play_exit(struct reverse *r)
{
    uint64_t now = vclock_now_ns(r->vm->clock);
    r->exits.at_position = !r->vm->debug_news.exit;
    if (r->vm->debug_news.exit) {
        r->vm->next_poll_ns = 0;
        return now;
    }
    r->exits.expected = take_if(r, INPUT_EXIT) ? &r->log.in[r->log.at - 1] : NULL;
    return r->exits.expected ? r->exits.expected->vtime_ns : now;
}

/* Time is in the log as such, so a sleep need not be noted. */
static void note_no_sleep(struct reverse *r, uint64_t ns, uint64_t passed)
{
    (void)r, (void)ns, (void)passed;
}

/* A halted guest sleeps until what the log has next.  There time is set, so no ns of sleep
 * are added here.  At the end of the log: VCLOCK_NEVER. */
static uint64_t play_sleep(struct reverse *r, uint64_t ns)
{
    const struct input *next = upcoming(r);
    (void)ns;
    bool goes_on = next && (next->kind == INPUT_TIME || next->kind == INPUT_HELD ||
                            next->kind < INPUT_SLEEP);
    return goes_on ? 0 : VCLOCK_NEVER;
}

/* The loop reads virtual time twice in each turn: before the guest goes on, and behind its
 * exit (turn.unfinished says which). These are the two places where the log is written and
 * played. */
static uint64_t measured(struct reverse *r, uint64_t now)
{
    if (!boot_cpu(r->vm)->turn.unfinished)
        return r->inside ? play_entry(r) : note_entry(r, now);
    if (r->inside)
        return play_exit(r);
    r->exits.at_position = false;
    return now;
}

/* ---- the last code stop ---- */

/* Registers and RIP as one number, never 0. */
static uint64_t sum_of_place(struct reverse *r)
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

/* A place keeps its base from being removed. */
void exits_set_stop(struct place *at, const struct place *p)
{
    if (p && p->base)
        p->base->pins++;
    if (at->base)
        at->base->pins--;
    *at = p ? *p : (struct place){ 0 };
}

/* A stop is in front of the next wall, and what is to be done at the wall does not concern it. */
static bool note_stop(struct reverse *r, const struct link_stop *why)
{
    struct vcpu *v = boot_cpu(r->vm);
    struct cpu_state s = { 0 };
    if (!checkpoints_first(r->all) || why->why != LINK_BREAK)
        return true;
    v->ops->get_state(v, ST_GPRS | ST_SEGS | ST_CRS, &s);
    if (!stops_there(r, state_pc(&s)))
        return true;
    struct place here = { .goal = GOAL_CODE, .progress = vm_progress(r->vm), .pc = state_pc(&s),
                          .sum = sum_of_place(r), .why = *why, .base = checkpoints_here(r->all) };
    exits_set_stop(&r->exits.last_stop, &here);
    return true;
}

/* reverse-continue right behind a stop, with no exit between: the last stop is known and
 * need not be searched for. */
bool exits_passed_stop(struct reverse *r)
{
    const struct place *p = &r->exits.last_stop;
    return p->base && p->progress == vm_progress(r->vm) && p->sum != sum_of_place(r) &&
           stops_there(r, p->pc);
}

/* The CPU stands exactly at the stop p. */
static bool exits_at_sum(struct reverse *r, const struct place *p)
{
    return p->sum && p->progress == vm_progress(r->vm) && p->sum == sum_of_place(r);
}

/* ---- positions, and walls ---- */

static bool at_position(const struct reverse *r)
{
    return r->exits.at_position;
}

/* A checkpoint makes a position of any place.  One that is between two exits is marked so, and
 * whether the debugger alone had stopped the guest there. */
static void mark(struct reverse *r, struct checkpoint *c)
{
    c->is_between_exits = !r->exits.at_position || boot_cpu(r->vm)->turn.unfinished;
    c->was_debug_exit = c->is_between_exits && r->vm->debug_news.exit;
    r->exits.at_position = true;
}

/* The log has no more up to the wall.  If the wall is between two exits, what happens before the
 * CPU runs there (timers, an injection) happens once more first. */
static bool at_wall(const struct reverse *r)
{
    return r->inside && r->log.at >= r->log.limit &&
           (!r->wall->is_between_exits || boot_cpu(r->vm)->turn.unfinished);
}

static bool reached_wall(const void *arg)
{
    return at_wall(arg);
}

/* No count to stop at, so run control asks a function whether the wall is reached. */
static void set_horizon(struct reverse *r)
{
    control_horizon(r->control, 0, r->inside ? reached_wall : NULL, r->inside ? r : NULL);
}

/* ---- in and out of the past ---- */

/* The machine's own alarm would ring by the host's time, which has nothing to say there. */
static void entered(struct reverse *r)
{
    r->exits.alarm = r->vm->cfg.alarm;
    r->vm->cfg.alarm = NULL;
}

static void left(struct reverse *r)
{
    r->vm->cfg.alarm = r->exits.alarm;
    r->vm->debug_wants.kick = r->vm->debug_wants.no_window = false;
    vm_rebase_time(r->vm);
}

/* A page that the guest had not touched yet at this place must be untouched again, so that its
 * first touch is an exit again; one that it had, must not. */
static void elsewhere(struct reverse *r)
{
    struct vcpu *v = boot_cpu(r->vm);
    struct exit_past *p = &r->exits;
    p->replay_diverged = p->registers_diverged = p->inside_instruction = false;
    p->last_is_no_position = false;
    p->at_position = true;
    exits_set_stop(&p->last_stop, NULL);
    for (size_t i = 0; v->ops->touch_again && i < p->n_touches; i++)
        v->ops->touch_again(v, p->touches[i].gpa, p->touches[i].at >= r->log.at);
}

/* The log has become shorter: touches that were after its end have not happened. */
static void log_cut(struct reverse *r)
{
    struct exit_past *p = &r->exits;
    while (p->n_touches && p->touches[p->n_touches - 1].at >= r->log.n)
        p->n_touches--;
}

/* The first n entries are gone, and touches count from the new beginning.  Pages touched
 * before it stay touched, since nobody can go back that far. */
static void log_dropped(struct reverse *r, uint64_t n)
{
    struct exit_past *p = &r->exits;
    size_t kept = 0;
    for (size_t i = 0; i < p->n_touches; i++)
        if (p->touches[i].at >= n)
            p->touches[kept++] = (struct touch_note){ p->touches[i].gpa, p->touches[i].at - n };
    p->n_touches = kept;
}

/* ---- requests and passes ---- */

#define REQUESTS \
    (BIT(LINK_TO_EVENT) | BIT(LINK_TO_BEGIN) | BIT(LINK_TO_NOW) | BIT(LINK_REVERSE_CONTINUE))

static int check(const struct reverse *r, enum link_run how, char *why, size_t size)
{
    const char *text = NULL;
    if (!(REQUESTS & BIT(how)))
        text = "this engine counts no instructions and goes back by exit: "
               "`back exit SEQ`, `back event SEQ`, `reverse-continue`, `back now`";
    else if (how == LINK_REVERSE_CONTINUE && checkpoints_first(r->all) &&
             stops_need_steps(r->stops))
        text = "one of the breakpoints is looked for by stepping here (`info breakpoints`: a "
               "watchpoint, or more than four in code); such are not found backwards";
    if (text)
        snprintf(why, size, "%s", text);
    return text ? -ENOTSUP : 0;
}

/* The instruction that touched cannot be found by its number, but the stop behind it can. */
static void note_data_hit(struct reverse *r, gla_t at, const struct link_stop *why)
{
    pass_note_hit(r, GOAL_CODE, vm_progress(r->vm), at, why);
}

static bool is_at_code(struct reverse *r, const struct vmexit *x)
{
    const struct place *to = &r->op.to;
    (void)x;
    return to->sum ? exits_at_sum(r, to) : r->hits == to->nth;
}

/* A code stop with neither a number nor registers is where its base is. */
static bool has_arrived(struct reverse *r)
{
    const struct place *to = &r->op.to;
    return exits_at_sum(r, to) || (to->goal == GOAL_CODE && !to->nth && !to->sum);
}

/* Between the last exit before op.limit and the wall there may still be code stops. */
static bool searches_to_wall(const struct reverse *r)
{
    return r->wall->progress <= r->op.limit;
}

/* It happens: a guest that reads its time-stamp counter does not do the same again, and no
 * KVM shows us that.  So the way back ends at the present, with a word about it. */
static void say_lost(struct reverse *r, struct link_stop *why)
{
    reverse_give_up(r, why);
    stops_say(why, LINK_PAUSED,
              "now: on the way the guest did not do again what it did (it reads its clock?)");
}

const struct axis axis_exits = {
    .is_by_exit = true,
    .takes_checkpoints_anywhere = false,
    .approaches_from_here = false,
    .code_stops_need_base = true,
    .restarts_by_itself = true,
    .cannot_enter = "the machine is in the midst of an instruction: "
                    "let it come to its next exit first",
    .at_position = at_position,
    .mark = mark,
    .at_wall = at_wall,
    .set_horizon = set_horizon,
    .entered = entered,
    .left = left,
    .elsewhere = elsewhere,
    .log_cut = log_cut,
    .log_dropped = log_dropped,
    .measured = measured,
    .exit_comes = exit_comes,
    .exit_answered = exit_answered,
    .takes_input = takes_input,
    .note_sleep = note_no_sleep,
    .play_sleep = play_sleep,
    .check = check,
    .note_data_hit = note_data_hit,
    .is_at_code = is_at_code,
    .has_arrived = has_arrived,
    .searches_to_wall = searches_to_wall,
    .note_stop = note_stop,
    .say_lost = say_lost,
};
