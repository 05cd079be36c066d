/*
 * debugger/vmm/reverse_pass.c -- a request under way; see reverse.h.
 *
 * A request becomes a sequence of passes over the past, each from a checkpoint
 * on, until `op.phase` says that the place is reached:
 *
 *   APPROACH  run to a place that is known: an instruction count, a code stop at
 *             one, or an event
 *   SEARCH    run from a checkpoint to `op.limit` and note the last hit on the
 *             way; without one try from the checkpoint before, and so on
 *
 * Both execute half turns of the loop themselves, half_turn(), for run control
 * has a state of its own that must survive.
 */
#include "debugger/vmm/reverse_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/host.h"
#include "base/trace.h"
#include "cpu/regs.h"
#include "vm/loop.h"

#define SLICE_NS     15000000u          /* of host time, in reverse_turns() */
/* People who step back once step back again.  So on the way to a place that is far from the
 * next checkpoint one is taken, so many nanoseconds of guest time before the place. */
#define NEARBY_NS    2000000u

/* ---- half a turn in the past ---- */

/* A later hit replaces this one: the last before the end of the pass is what counts. */
void pass_note_hit(struct reverse *r, enum goal goal, uint64_t progress, gla_t pc,
                   const struct link_stop *why)
{
    r->op.to = (struct place){ .goal = goal, .progress = progress, .pc = pc, .seq = why->seq,
                               .why = *why, .base = checkpoints_here(r->all), .nth = r->hits,
                               .is_hit = true };
}

/* Breakpoints on events are filters over the trace (stops.h).  One that is met now counts as a hit
 * only if it is before the place where the user asked. */
static void look_for_events(struct reverse *r)
{
    struct link_stop why;
    const struct trace *t = r->vm->trace;
    if (r->op.phase != SEARCH || r->op.n_code || !stops_events_hit(r->stops, &why))
        return;
    bool here_already = t->ring->head >= r->op.begin_seq &&
                        vm_progress(r->vm) >= r->op.begin_progress;
    if (!here_already)
        pass_note_hit(r, GOAL_EVENT, vm_progress(r->vm), 0, &why);
}

/* A linear address.  Of two calls of the same function, the outer one has the higher stack. */
static gla_t stack_pointer(struct reverse *r)
{
    struct cpu_state s = { 0 };
    boot_cpu(r->vm)->ops->get_state(boot_cpu(r->vm), ST_GPRS | ST_SEGS | ST_CRS, &s);
    return state_sp(&s);
}

/* The engine has stopped for a breakpoint on the way.  A search goes on all the same: what it looks
 * for is the *last* hit before where it began, and it cannot know that until it is there. */
static void look_at_stop(struct reverse *r, const struct vmexit *x)
{
    struct link_stop why = { .why = LINK_STEPPED };
    uint64_t progress = vm_progress(r->vm);
    gla_t at = x->breakpoint.at;
    if (r->op.phase != SEARCH)
        return;
    if (r->op.n_code) {
        if (!x->breakpoint.data && progress < r->op.limit && stack_pointer(r) >= r->op.least_sp)
            pass_note_hit(r, GOAL_CODE, progress, at, &why);
    } else if (!x->breakpoint.data) {
        if (progress < r->op.limit && stops_code_hit(r->stops, at, &why))
            pass_note_hit(r, GOAL_CODE, progress, at, &why);
    } else if (stops_data_hit(r->stops, x, &why) && progress) {
        r->axis->note_data_hit(r, at, &why);
    }
}

/* Only of an approach to an event: has the turn come in which it happened? */
static bool event_reached(const struct reverse *r)
{
    const struct op *op = &r->op;
    return op->phase == APPROACH && op->to.goal == GOAL_EVENT &&
           r->vm->trace->ring->head >= op->to.seq;
}

/* The log is played to its end.  If the goal is the last code stop, the guest may run on all the
 * same: that stop is known to come before anything that is not in the log. */
static bool at_wall(const struct reverse *r)
{
    const struct op *op = &r->op;
    bool comes = op->phase == APPROACH && op->to.sum && op->to.progress == vm_progress(r->vm);
    return r->axis->at_wall(r) && !comes;
}

/* One turn of the loop, as run control makes it (control.c), but looking for hits instead
 * of stopping at them.  `until` is the instruction count to stop at (0: none), for engines
 * that count.  False: the machine cannot go on here, or it does something else than it did
 * then. */
static bool half_turn(struct reverse *r, uint64_t until, struct vmexit *x)
{
    struct vm *vm = r->vm;
    x->reason = EXIT_KICKED;
    bool may = vm_prepare(vm);
    look_for_events(r);
    if (event_reached(r))
        return true;                    /* an injection, say, which is before the guest runs */
    if (at_wall(r))
        return true;
    if (!may)
        return false;
    vm->debug_wants.until = until;
    bool counted = vm_turn(vm, x);
    vm->debug_wants.until = 0;
    look_for_events(r);
    if (!counted && vm->debug_news.exit && x->reason == EXIT_BREAKPOINT) {
        r->hits++;
        look_at_stop(r, x);
    }
    return !r->exits.replay_diverged;
}

/* Which addresses the engine is to stop at: the user's breakpoints, or those of this request
 * (where a function was called from). */
static void tell_engine(struct reverse *r)
{
    const struct engine *e = r->vm->cfg.engine;
    if (!r->op.n_code) {
        stops_tell_engine(r->stops, NULL, 0, 0);
        return;
    }
    struct debug_stops own = { .code = r->op.code, .n_code = r->op.n_code };
    if (e->set_debug)
        e->set_debug(boot_cpu(r->vm), &own);
}

/* ---- the passes ---- */

/* Put the machine to c and begin a pass from there. */
static void begin_at(struct reverse *r, struct checkpoint *c)
{
    past_return_to(r, c);
    tell_engine(r);
    r->op.from = c;
}

/* How many instructions the guest executed in NEARBY_NS hereabouts. */
static uint64_t insns_nearby(const struct checkpoint *c)
{
    const struct checkpoint *next = c->newer ? c->newer : c, *before = c->newer ? c : c->older;
    if (!before || next->axis <= before->axis)
        return 100000;
    double insns = (double)(next->progress - before->progress);
    return (uint64_t)(insns * NEARBY_NS / (double)(next->axis - before->axis));
}

/* Where to take a checkpoint on the way; 0: the goal is too near for that. */
static uint64_t choose_stopover(struct reverse *r)
{
    const struct op *op = &r->op;
    uint64_t now = vm_progress(r->vm), far = insns_nearby(checkpoints_here(r->all));
    if (op->to.goal == GOAL_EVENT || op->to.progress < now + 2 * far || !far)
        return 0;
    return op->to.progress - far;
}

/* Towards op.to: from the nearest checkpoint before it, or from where the machine stands if
 * that is on the way.  A code stop by exit can only be found from its base, the checkpoint
 * from which the search has found it. */
void pass_approach(struct reverse *r)
{
    struct op *op = &r->op;
    struct checkpoint *c = op->to.goal == GOAL_EVENT ? checkpoints_before_event(r->all, op->to.seq)
                         : op->to.goal == GOAL_INSN ? checkpoints_at(r->all, op->to.progress)
                         : op->to.progress ? checkpoints_at(r->all, op->to.progress - 1) : NULL;
    op->phase = APPROACH;
    /* What is older than the checkpoint of the search need not lead there: that may be a wall. */
    const struct checkpoint *base = op->to.goal == GOAL_CODE ? op->to.base : NULL;
    if (base && (r->axis->code_stops_need_base || !c || c->progress < base->progress))
        c = op->to.base;
    if (!c)
        c = op->from ? op->from : checkpoints_first(r->all);
    if (op->to.goal != GOAL_CODE)
        op->n_code = 0;
    uint64_t now = vm_progress(r->vm);
    bool on_the_way = r->axis->approaches_from_here && op->to.goal == GOAL_INSN && op->from &&
                      r->vm->stop == VM_RUNNING && now <= op->to.progress &&
                      now >= c->progress && c == checkpoints_at(r->all, now);
    if (!on_the_way)
        begin_at(r, c);
    op->stopover = choose_stopover(r);
    op->done = 0;
    op->total = op->to.progress > vm_progress(r->vm) ? op->to.progress - vm_progress(r->vm) : 0;
}

/* The last few such checkpoints are pinned: thinning would take them first, since they stand so
 * close together. */
static void make_nearby(struct reverse *r)
{
    struct checkpoint **slot = &r->nearby[r->next_nearby++ % N_NEARBY];
    struct checkpoint *c = past_take(r, false);
    if (!c)
        return;
    c->pins++;
    if (*slot)
        (*slot)->pins--;
    *slot = c;
}

/* The guest has not come to where it was then: the way back ends.  Always true. */
static bool end_lost(struct reverse *r, struct link_stop *why)
{
    r->axis->say_lost(r, why);
    return true;
}

/* The request is done, and *out is what the user is told. */
bool pass_finish(struct reverse *r, const struct link_stop *why, struct link_stop *out)
{
    r->op.phase = IDLE;
    r->op.total = 0;
    stops_rehearse(r->stops, false);
    stops_elsewhere(r->stops);
    if (why->why == LINK_BREAK)
        stops_met(r->stops, why->nr);
    if (r->op.origin)
        r->op.origin->pins--;
    r->op.origin = NULL;
    *out = *why;
    size_t n = strlen(out->text);
    if ((r->exits.registers_diverged || r->exits.inside_instruction) && r->inside)
        snprintf(out->text + n, sizeof out->text - n, "; registers are not as they were (%s)",
                 r->exits.registers_diverged ? "the guest reads its clock?"
                                             : "it is in the midst of an instruction");
    return true;
}

/* The search has come to the oldest checkpoint without a hit. */
static bool at_beginning(struct reverse *r, struct link_stop *why)
{
    struct link_stop stop;
    stops_say(&stop, LINK_AT_BEGINNING, "the beginning of the recording");
    past_return_to(r, checkpoints_first(r->all));
    return pass_finish(r, &stop, why);
}

bool pass_search_from(struct reverse *r, struct checkpoint *c)
{
    if (!c)
        return false;
    r->op.phase = SEARCH;
    r->op.to.is_hit = false;
    begin_at(r, c);
    return true;
}

bool pass_instruction(struct reverse *r, struct cpu_state *s, struct insn *i, uint8_t bytes[15])
{
    memset(s, 0, sizeof *s);
    if (boot_cpu(r->vm)->ops->get_state(boot_cpu(r->vm), ST_GPRS | ST_SEGS | ST_CRS, s))
        return false;
    unsigned n = vm_read_code(r->vm, s, bytes, 15);
    disasm(bytes, n, state_code_bits(s), s->rip, s->seg[SEG_CS].base, NULL, i);
    return n && i->ok;
}

/* Where may the return at hand have been called from, to come back to pc?  A call that
 * ends there; for IRET what was interrupted there, too. */
static void list_calls(struct reverse *r, const struct cpu_state *s, gla_t pc, bool interrupted)
{
    struct op *op = &r->op;
    struct insn i;
    uint8_t bytes[8];
    op->n_code = 0;
    for (unsigned len = 7; len >= 1; len--) {
        if (vm_read_linear(r->vm, pc - len, bytes, len))
            continue;
        disasm(bytes, len, state_code_bits(s), pc - len - s->seg[SEG_CS].base,
               s->seg[SEG_CS].base, NULL, &i);
        if (i.ok && i.is_call && i.len == len)
            op->code[op->n_code++] = pc - len;
    }
    if (interrupted)
        op->code[op->n_code++] = pc;
}

/* reverse-next has gone one instruction back.  If a return stands there, that instruction
 * ended a call (or an interrupt), and the user wants to be before it: search for the last
 * time that the call, with a stack as high as now, was executed.
 *
 * RET n removes n bytes more from the stack [SDM 2B "RET-Return From Procedure"], so the
 * stack before the call was lower by as much. */
static bool over_calls(struct reverse *r, struct link_stop *why)
{
    struct op *op = &r->op;
    struct cpu_state s;
    struct insn i;
    uint8_t bytes[15];
    struct place back = op->to;
    op->return_checked = true;
    if (!pass_instruction(r, &s, &i, bytes) || !i.is_return)
        return pass_finish(r, &back.why, why);
    bool pops = bytes[0] == 0xc2 || bytes[0] == 0xca;
    list_calls(r, &s, back.pc, bytes[i.len - 1] == 0xcf);
    op->least_sp -= pops ? (gla_t)bytes[1] | (gla_t)bytes[2] << 8 : 0;
    op->limit = vm_progress(r->vm);
    struct checkpoint *c = op->limit ? checkpoints_at(r->all, op->limit - 1) : NULL;
    if (!op->n_code || !pass_search_from(r, c))
        return pass_finish(r, &back.why, why);
    op->to.why = back.why;
    return false;
}

/* The approach is over, and with it the request, unless reverse-next must look for a call. */
static bool end_arrived(struct reverse *r, struct link_stop *why)
{
    struct op *op = &r->op;
    if (op->how == LINK_REVERSE_NEXT && !op->return_checked)
        return over_calls(r, why);
    if (op->to.sum)
        stops_code_hit(r->stops, op->to.pc, &op->to.why);       /* it may have another number now */
    r->axis->note_stop(r, &op->to.why);
    return pass_finish(r, &op->to.why, why);
}

/* One turn of an APPROACH. True: it is over, and *why says how.  `until` is the nearest of
 * the goal and the checkpoint to be taken on the way; at a code stop the engine must run
 * one instruction farther than its count to meet the stop at all. */
static bool approach_on(struct reverse *r, struct link_stop *why)
{
    struct op *op = &r->op;
    uint64_t progress = vm_progress(r->vm), stop = op->stopover > progress ? op->stopover : 0;
    struct vmexit x;
    if (op->to.goal == GOAL_INSN && progress >= op->to.progress)
        return end_arrived(r, why);
    if (event_reached(r) || r->axis->has_arrived(r))
        return end_arrived(r, why);
    if (at_wall(r)) {
        past_pass_wall(r);
        return !r->inside && !event_reached(r) && end_lost(r, why);
    }
    uint64_t until = op->to.goal == GOAL_EVENT ? 0 : stop ? stop
                   : progress >= op->to.progress ? op->to.progress + 1 : op->to.progress;
    if (!half_turn(r, until, &x))
        return end_lost(r, why);
    op->done += vm_progress(r->vm) - progress;
    if (stop && vm_progress(r->vm) == stop)
        make_nearby(r);
    if (op->to.goal != GOAL_CODE)
        return false;
    if (x.reason == EXIT_BREAKPOINT && r->axis->is_at_code(r, &x))
        return end_arrived(r, why);
    return vm_progress(r->vm) > op->to.progress && end_lost(r, why);
}

/* The pass is over: to the last hit, or one checkpoint back. */
static bool end_of_pass(struct reverse *r, struct link_stop *why)
{
    struct op *op = &r->op;
    if (op->to.is_hit) {
        if (op->how == LINK_REVERSE_FINISH && op->to.progress)
            op->to = (struct place){ .goal = GOAL_INSN, .progress = op->to.progress - 1,
                                     .why = op->to.why };
        if (op->how == LINK_REVERSE_FINISH)
            stops_say(&op->to.why, LINK_STEPPED, "before the call");
        if (op->how == LINK_REVERSE_NEXT)
            stops_say(&op->to.why, LINK_STEPPED, "stepped back");
        pass_approach(r);
        return false;
    }
    op->limit = op->from->progress;
    return !pass_search_from(r, op->from->older) && at_beginning(r, why);
}

/* A stop between two exits, where something entered as the guest went on: a wall is there. */
static void look_at_wall(struct reverse *r)
{
    struct checkpoint *wall = r->wall;
    struct link_stop why;
    if (r->op.n_code || !wall->was_debug_exit || wall->seq >= r->op.begin_seq)
        return;
    past_return_to(r, wall);
    if (past_stop_at(r, wall, &why))
        pass_note_hit(r, GOAL_CODE, wall->progress, 0, &why);
}

/* A part of the search: from op.from on up to op.limit.  If the pass has had no hit the search
 * begins anew one checkpoint earlier, with this pass's beginning as its limit; so in the end all
 * of the past has been executed once, and the part with the hit twice. */
static bool search_on(struct reverse *r, struct link_stop *why)
{
    struct op *op = &r->op;
    struct vmexit x;
    uint64_t progress = vm_progress(r->vm);
    if (r->axis->at_wall(r)) {
        look_at_wall(r);
        return end_of_pass(r, why);
    }
    if (progress >= op->limit && !r->axis->searches_to_wall(r))
        return end_of_pass(r, why);
    if (!half_turn(r, op->limit, &x))
        return end_lost(r, why);
    op->done += vm_progress(r->vm) - progress;
    return false;
}

bool reverse_busy(const struct reverse *r)
{
    return r->op.phase != IDLE;
}

/* In slices, so that a pause is answered within some milliseconds, however far the way back
 * is. */
bool reverse_turns(struct reverse *r, const bool *attention, struct link_stop *why)
{
    uint64_t late = host_monotonic_ns() + SLICE_NS;
    for (unsigned i = 0; !*attention && (i % 64 || host_monotonic_ns() < late); i++)
        if (r->op.phase == APPROACH ? approach_on(r, why) : search_on(r, why))
            return true;
    return false;
}

/* origin is where the request was made: inside the past a checkpoint that was taken for
 * this, else the present. */
void reverse_give_up(struct reverse *r, struct link_stop *why)
{
    struct link_stop stop;
    struct checkpoint *origin = r->op.origin ? r->op.origin : r->present;
    bool began_here = !r->present || origin != r->present ||
                      r->op.begin_progress == r->present->progress;
    stops_say(&stop, LINK_PAUSED, "going back was given up; this is %s",
              began_here ? "where it began" : "now");
    if (!r->inside)
        stop = r->op.to.why;            /* it is at the present, or was never away */
    else if (origin == r->present) {
        past_to_present(r);
        if (r->vm->stop != VM_RUNNING)
            stop = r->ended;
    } else {
        past_return_to(r, origin);
    }
    pass_finish(r, &stop, why);
}
