/*
 * debugger/vmm/control.c -- run control; see control.h.
 *
 * Begin reading with one_turn(): prepare, look at events; run, look at why the
 * CPU came back; look at events.  Breakpoints are stops.c's.
 */
#include "debugger/vmm/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "base/x86.h"
#include "cpu/regs.h"
#include "debugger/symbols/disasm.h"
#include "debugger/vmm/stops.h"
#include "vm/loop.h"

/* Where the guest stood when it was sent running. */
struct start {
    uint64_t icount;                    /* instructions retired then                        */
    gla_t    pc, sp;                    /* linear addresses; sp for LINK_FINISH, LINK_NEXT  */
    bool     was_left;                  /* an instruction was retired since                 */
    bool     is_first_run;              /* the CPU has not run at all since                 */
};

struct control {
    struct vm       *vm;
    struct stops    *stops;
    bool             stepping;          /* the engine comes back after each instruction     */
    bool             step_irqs;         /* a stepped guest takes interrupts                 */

    /* What control_go() was asked for, and what is still to do of it. */
    enum link_run    how;
    gla_t            lo, hi;            /* LINK_STEP_RANGE: until the CPU is outside        */
    uint64_t         left;              /* steps or exits to go, where the engine does not
                                           count, and for LINK_STEP_EXIT                    */
    uint64_t         until;             /* LINK_STEP where it counts: icount to stop at     */
    bool             has_next;          /* LINK_NEXT stands before a call or a loop, which ends */
    gla_t            next_at;           /* at this address                                  */
    bool             was_return;        /* LINK_FINISH: the instruction now run is a return */
    struct start     start;

    /* Run no farther than here (control_horizon()). */
    uint64_t         horizon;           /* an icount; 0: none                               */
    bool           (*reached)(const void *arg);     /* NULL: none                            */
    const void      *reached_arg;

    bool             told_here;         /* the CPU stands before a code stop that was told  */
    struct link_stop stop;              /* why the guest has stopped, once it has           */
};

/* The boot CPU's registers, those of `groups` (ST_). False if the engine cannot tell. */
static bool get_cpu(const struct control *c, unsigned groups, struct cpu_state *s)
{
    struct vcpu *v = boot_cpu(c->vm);
    memset(s, 0, sizeof *s);
    return v->ops->get_state(v, groups, s) == 0;
}

/* ---- one turn ---- */

/* The machine will not go on.  Always true: the caller returns it as "the guest has
 * stopped". */
static bool guest_ended(struct control *c)
{
    const struct vm *vm = c->vm;
    vm_finish(c->vm);
    stops_say(&c->stop, LINK_GUEST_ENDED, "%s%s%s", vm_stops[vm->stop].about,
              vm->why[0] ? ": " : "", vm->why);
    c->stop.vm_stop = vm->stop;
    c->stop.status = vm->status;
    return true;
}

static bool stepped(struct control *c, const char *text)
{
    return stops_say(&c->stop, LINK_STEPPED, "%s", text);
}

/* The CPU has come back to us: is what control_go() asked for done?  `retired_one` says that an
 * instruction was certainly completed.  An engine that counts knows itself when a step is over,
 * and `until` has told it; one that does not comes back after each, and we count down. */
static bool step_done(struct control *c, bool retired_one)
{
    struct cpu_state s;
    const struct vcpu *v = boot_cpu(c->vm);
    c->start.was_left |= retired_one || v->icount != c->start.icount;
    switch (c->how) {
    case LINK_FREE:
    case LINK_STEP_EXIT:
        return false;
    case LINK_STEP:
        if (c->vm->cfg.engine->counts ? v->icount < c->until : !retired_one || --c->left)
            return false;
        return stepped(c, "stepped");
    default:
        break;
    }
    get_cpu(c, ST_GPRS | ST_SEGS | ST_CRS, &s);
    gla_t sp = state_sp(&s);
    if (c->how == LINK_STEP_RANGE)
        return c->start.was_left && state_pc(&s) - c->lo >= c->hi - c->lo && stepped(c, "stepped");
    if (c->how == LINK_NEXT)
        return c->start.was_left &&
               (!c->has_next || (state_pc(&s) == c->next_at && sp >= c->start.sp)) &&
               stepped(c, "stepped");
    if (c->was_return && c->start.was_left && sp > c->start.sp)
        return stepped(c, "returned");
    return false;
}

/* LINK_FINISH ends behind a return to a caller of this function.  So before each instruction see
 * whether it is one that returns; behind it, step_done() looks at the stack pointer. */
static void look_ahead(struct control *c)
{
    struct cpu_state s;
    struct insn i;
    uint8_t bytes[15];
    if (c->how != LINK_FINISH || !get_cpu(c, ST_GPRS | ST_SEGS | ST_CRS, &s))
        return;
    unsigned n = vm_read_code(c->vm, &s, bytes, sizeof bytes);
    /* Most opcodes are ruled out by their first byte: RET and IRET, SYSRET (0f), prefixes. */
    static const char may_return[] = "\xc2\xc3\xca\xcb\xcf\x0f\x48\x66\xf3\xf2\x67";
    c->was_return = false;
    if (!n || !memchr(may_return, bytes[0], sizeof may_return - 1))
        return;
    disasm(bytes, n, state_code_bits(&s), s.rip, s.seg[SEG_CS].base, NULL, &i);
    c->was_return = i.is_return;
}

/* One instruction may touch several watched ranges.  The engine tells one after the other before
 * it goes on; all are counted, and the first that stops the guest is the reason that is told. */
static bool look_at_data(struct control *c, struct vmexit *x)
{
    bool stopped = stops_data_hit(c->stops, x, &c->stop);
    while (x->breakpoint.more && !vm_turn(c->vm, x) && x->reason == EXIT_BREAKPOINT) {
        struct link_stop another;
        bool hit = stops_data_hit(c->stops, x, &another);
        if (hit && !stopped)
            c->stop = another;
        stopped |= hit;
    }
    return stopped;
}

/* The CPU has left the guest for the debugger alone: a breakpoint, a watchpoint, the end of a
 * step, or a kick. */
static bool look_at_debug_exit(struct control *c, struct vmexit *x)
{
    if (x->reason == EXIT_BREAKPOINT && x->breakpoint.data)
        return look_at_data(c, x) || step_done(c, false);
    if (x->reason == EXIT_BREAKPOINT && x->breakpoint.magic)
        return stops_magic_hit(c->stops, x->breakpoint.at, &c->stop);
    if (x->reason != EXIT_BREAKPOINT)
        return step_done(c, x->reason != EXIT_KICKED);
    /* The guest was sent running from a breakpoint: that one does not stop it again before it
     * has moved.  An engine that counts shows by its count that it has not; from one that does
     * not, such a stop can only come in the first run. */
    const struct start *s = &c->start;
    bool at_start = c->vm->cfg.engine->counts
                  ? !s->was_left && boot_cpu(c->vm)->icount == s->icount
                  : s->is_first_run && !c->told_here && x->breakpoint.at == s->pc;
    if (c->how == LINK_NEXT && c->has_next && step_done(c, false))
        return true;
    return !at_start &&
           (stops_code_hit(c->stops, x->breakpoint.at, &c->stop) || step_done(c, false));
}

/* An engine without breakpoints of its own was stepped one instruction: see by ourselves whether
 * that changed what is watched, or came to a breakpoint. */
static bool look_around(struct control *c)
{
    struct cpu_state s;
    if (!c->stepping || !stops_need_steps(c->stops) || !c->start.was_left)
        return false;
    if (stops_changed(c->stops, &c->stop))
        return true;
    return get_cpu(c, ST_GPRS | ST_SEGS | ST_CRS, &s) &&
           stops_code_hit(c->stops, state_pc(&s), &c->stop);
}

/* A real exit was answered.  A breakpoint goes before the end of a step: the user wants to know
 * that it was met. */
static bool look_at_exit(struct control *c)
{
    bool retired = boot_cpu(c->vm)->turn.verdict == RETIRE;
    if (stops_events_hit(c->stops, &c->stop))
        return true;
    if (c->how == LINK_STEP_EXIT && !--c->left)
        return stepped(c, "one exit further");
    return step_done(c, retired) || look_around(c);
}

/* Switch single steps on or off.  This is called before each run, so the engine is told
 * only of a change. */
static void set_stepping(struct control *c, bool on)
{
    struct vm *vm = c->vm;
    c->stepping = vm->debug_wants.step = on;
    if (boot_cpu(vm)->controls.monitor_trap_flag == on)
        return;
    boot_cpu(vm)->controls.monitor_trap_flag = on;
    boot_cpu(vm)->ops->set_controls(boot_cpu(vm), &boot_cpu(vm)->controls);
}

/* The monitor trap flag makes the CPU exit after each instruction [SDM 3C "Monitor Trap Flag"].  It
 * is needed where the engine cannot stop after a count, or has no breakpoints of its own. */
static void choose_stepping(struct control *c)
{
    bool steps = c->how != LINK_FREE && c->how != LINK_STEP_EXIT;
    c->vm->debug_wants.hold_irqs = steps && !c->step_irqs;
    set_stepping(c, stops_need_steps(c->stops) || (steps && !c->vm->cfg.engine->counts));
}

void control_steps_no_more(struct control *c)
{
    c->vm->debug_wants.hold_irqs = false;
    set_stepping(c, false);
}

/* Before each run: which addresses to stop at.  It costs nothing when nothing has changed. */
static void tell_engine(struct control *c)
{
    bool range = c->how == LINK_STEP_RANGE && c->vm->cfg.engine->counts;
    stops_tell_engine(c->stops, c->how == LINK_NEXT && c->has_next ? &c->next_at : NULL,
                      range ? c->lo : 0, range ? c->hi : 0);
    choose_stepping(c);
}

/* One turn of the loop, with a look at what it brought after each half.  True: the guest
 * has stopped, and c->stop says why.
 *
 * Events are looked at three times, because each can happen in a place of its own: while
 * timers and interrupts are prepared, in the engine before a hidden stop, and in the answer
 * to an exit.  `until` is the instruction count at which an engine that counts comes back
 * by itself; the nearest of the reasons for one wins. */
static bool one_turn(struct control *c)
{
    struct vm *vm = c->vm;
    struct vmexit x;
    bool may_run = vm_prepare(vm);
    if (vm->stop != VM_RUNNING) {
        stops_events_hit(c->stops, &c->stop);
        return guest_ended(c);
    }
    if (stops_events_hit(c->stops, &c->stop))
        return true;
    if (!may_run || control_at_horizon(c))
        return false;                   /* halted (pause_wanted is set), or at its horizon */
    tell_engine(c);
    look_ahead(c);
    if (c->stepping && stops_need_steps(c->stops))
        stops_look_ahead(c->stops);
    vm->debug_wants.until = c->until;
    if (c->how == LINK_FINISH && vm->cfg.engine->counts)
        vm->debug_wants.until = boot_cpu(vm)->icount + 1;
    if (c->horizon && (!vm->debug_wants.until || c->horizon < vm->debug_wants.until))
        vm->debug_wants.until = c->horizon;
    bool counted = vm_turn(vm, &x);
    vm->debug_wants.until = 0;
    bool stopped = counted ? look_at_exit(c)
                           : vm->debug_news.exit && (stops_events_hit(c->stops, &c->stop) ||
                                                     look_at_debug_exit(c, &x) || look_around(c));
    c->start.is_first_run = false;
    c->told_here = !counted && x.reason == EXIT_BREAKPOINT && !x.breakpoint.data;
    return vm->stop != VM_RUNNING ? guest_ended(c) : stopped;
}

/* Asking for the host's time costs more than a short turn, so it is asked once in 256. */
bool control_turns(struct control *c, const bool *attention, struct link_stop *why)
{
    uint64_t late = host_monotonic_ns() + 20000000;
    for (unsigned i = 0; !*attention && !control_at_horizon(c) &&
                         (i % 256 || host_monotonic_ns() < late); i++) {
        if (one_turn(c)) {
            *why = c->stop;
            return true;
        }
        if (c->vm->pause_wanted)
            break;
    }
    return false;
}

/* ---- going ---- */

/* LINK_NEXT over a call runs to a hidden stop behind it.  The stack pointer tells the return of
 * this call from one of a deeper recursion, whose stack is lower: stacks grow downwards.
 *
 *     401000: call f       the guest stands here with RSP = sp
 *     401005: ...          next_at; the step ends here once RSP >= sp again
 *
 * REP and LOOP come to what is behind them in the same way, when their count is over.  Any other
 * instruction is a plain step. */
static void prepare_next(struct control *c, const struct cpu_state *s)
{
    struct insn i;
    uint8_t bytes[15];
    unsigned n = vm_read_code(c->vm, s, bytes, sizeof bytes);
    disasm(bytes, n, state_code_bits(s), s->rip, s->seg[SEG_CS].base, NULL, &i);
    c->has_next = i.ok && (i.is_call || i.is_loop);
    c->next_at = state_pc(s) + i.len;
    if (!c->has_next)
        c->how = LINK_STEP;
}

/* Remember where the guest stands: whether a step is over, or a breakpoint is a new one, is
 * always decided in comparison with that. */
void control_go(struct control *c, enum link_run how, uint64_t n, gla_t lo, gla_t hi)
{
    struct cpu_state s;
    const struct vcpu *v = boot_cpu(c->vm);
    get_cpu(c, ST_GPRS | ST_SEGS | ST_CRS, &s);
    c->how = how;
    c->lo = lo;
    c->hi = hi;
    c->left = n ? n : 1;
    c->was_return = c->has_next = false;
    c->start = (struct start){ .icount = v->icount, .pc = state_pc(&s), .sp = state_sp(&s),
                               .is_first_run = true };
    if (how == LINK_NEXT)
        prepare_next(c, &s);
    c->until = c->how == LINK_STEP && c->vm->cfg.engine->counts ? v->icount + c->left : 0;
    choose_stepping(c);                 /* before the first interrupt is injected */
}

void control_touched(struct control *c)
{
    stops_remember(c->stops);
}

void control_horizon(struct control *c, uint64_t icount, bool (*reached)(const void *arg),
                     const void *arg)
{
    c->horizon = icount;
    c->reached = reached;
    c->reached_arg = arg;
}

bool control_at_horizon(const struct control *c)
{
    return (c->horizon && boot_cpu(c->vm)->icount >= c->horizon) ||
           (c->reached && c->reached(c->reached_arg));
}

bool control_holds_irqs(const struct control *c)
{
    return c->vm->debug_wants.hold_irqs && c->vm->cfg.engine->counts;
}

void control_step_irqs(struct control *c, bool on)
{
    c->step_irqs = on;
}

struct stops *control_stops(struct control *c)
{
    return c->stops;
}

struct control *control_new(struct vm *vm, const struct symbols *symbols, struct debuginfo *info)
{
    struct control *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->vm = vm;
    /* Where time is the host's, a timer is due at every step. */
    c->step_irqs = vm->cfg.engine->counts;
    c->stops = stops_new(vm, symbols, info);
    if (!c->stops) {
        free(c);
        return NULL;
    }
    return c;
}
