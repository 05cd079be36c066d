/*
 * debugger/reverse.c -- going back; see reverse.h.
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
#include "debugger/reverse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "base/trace.h"
#include "base/vclock.h"
#include "debugger/checkpoint.h"
#include "debugger/disasm.h"
#include "debugger/regs.h"
#include "debugger/stops.h"
#include "debugger/symbols.h"

#define OWN_EVENTS   65536              /* of the ring for events that are known             */
#define SPACING_NS   20000000u          /* of host time between checkpoints, or              */
#define PER_COST     12                 /* so many times what the last one took              */
#define SLICE_NS     15000000u
#define NEARBY_NS    2000000u           /* a checkpoint is made so far before a place that was farther
                                           from one: who steps back once steps back again */
#define N_NEARBY     4
#define MAX_CODE     8

enum phase { IDLE, APPROACH, SEARCH };
enum goal { GOAL_INSN, GOAL_CODE, GOAL_EVENT };

/* A place in the past, and what is to be said there. */
struct place {
    enum goal        goal;
    uint64_t         icount, seq;
    gla_t            pc;
    struct link_stop why;
    bool             found;
};

struct op {
    enum link_run      how;
    enum phase         phase;
    struct place       to;              /* APPROACH; of SEARCH the last hit          */
    struct checkpoint *from;            /* where the pass began                      */
    struct checkpoint *origin;          /* where the request was made; may be NULL   */
    uint64_t           limit;           /* SEARCH: hits at or behind it do not count */
    uint64_t           begin_icount, begin_seq;
    gla_t              code[MAX_CODE];  /* SEARCH for these instead of breakpoints   */
    size_t             n_code;
    gla_t              least_sp;
    bool               looked;          /* LINK_REVERSE_NEXT: one back, and seen what is there */
    uint64_t           stopover;        /* APPROACH: take a checkpoint there         */
    uint64_t           done, total;
};

struct reverse {
    struct vm            *vm;
    struct control       *control;
    struct stops         *stops;
    const struct symbols *symbols;
    struct checkpoints   *all;
    bool                  ok, wall_due, unfaithful;
    uint64_t              max_bytes;
    uint64_t              mark_ns, spacing_ns;      /* of processor time */

    struct input_log      log;

    bool                  inside;
    struct checkpoint    *present;      /* where `inside` was entered from            */
    struct checkpoint    *wall;         /* running forwards inside: to here           */
    struct trace_ring    *live, *own;
    uint64_t              live_mask;
    struct link_stop      ended;        /* if the guest has ended at the present      */
    struct checkpoint    *nearby[N_NEARBY];
    unsigned              next_nearby;
    struct op             op;
};

/* ---- what came from outside ---- */

void reverse_note_byte(struct reverse *r, enum input_hook hook, enum input_kind kind, uint8_t byte)
{
    if (r->ok)
        input_log_byte(&r->log, hook, kind, byte);
    r->unfaithful |= r->log.full;       /* what is not in the log cannot be done again */
}

/* A checkpoint knows how much of the log was before it: no sleep grows over one. */
void reverse_note_sleep(struct reverse *r, uint64_t ns, uint64_t passed)
{
    r->log.closed = checkpoints_last(r->all) ? checkpoints_last(r->all)->note : 0;
    if (r->ok)
        input_log_sleep(&r->log, ns, passed);
    r->unfaithful |= r->log.full;
}

void reverse_play(struct reverse *r, enum input_hook hook)
{
    enum input_kind kind;
    uint8_t byte;
    while (input_play_byte(&r->log, hook, &kind, &byte))
        input_give(r->vm, kind, byte);
}

uint64_t reverse_play_sleep(struct reverse *r, uint64_t ns)
{
    uint64_t passed = input_play_sleep(&r->log, ns);
    if (passed != VCLOCK_NEVER)
        return passed;
    r->vm->pause_wanted = true;         /* here the log ends, and so the past */
    return 0;
}

/* ---- in and out of the past ---- */

bool reverse_inside(const struct reverse *r) { return r && r->inside; }

static struct checkpoint *take(struct reverse *r, bool wall)
{
    uint64_t before = host_cpu_ns();
    struct checkpoint *c = checkpoints_take(r->all, before - r->mark_ns, wall);
    r->mark_ns = host_cpu_ns();
    r->spacing_ns = (r->mark_ns - before) * PER_COST;
    if (r->spacing_ns < SPACING_NS)
        r->spacing_ns = SPACING_NS;
    if (c)
        c->note = r->inside ? r->log.at : r->log.n;
    return c;
}

static void forget_nearby(struct reverse *r)
{
    for (unsigned i = 0; i < N_NEARBY; i++) {
        if (r->nearby[i])
            r->nearby[i]->pins--;
        r->nearby[i] = NULL;
    }
}

static void use_ring(struct reverse *r, struct trace_ring *ring, uint64_t mask)
{
    struct trace *t = r->vm->trace;
    if (!t)
        return;
    t->ring = ring;
    t->mask = mask;
    t->room_to = ring == r->own ? UINT64_MAX : 0;
}

/* To a checkpoint, without asking whether that is the present. */
static void return_to(struct reverse *r, struct checkpoint *c)
{
    bug_if(!checkpoints_return(r->all, c), "no memory to return to a checkpoint");
    r->mark_ns = host_cpu_ns();
    r->log.at = c->note;
    if (r->own) {
        r->own->head = r->own->tail = c->seq;
        r->vm->trace->mask = c->mask;
    }
    stops_elsewhere(r->stops);
    r->vm->debug_hold_irqs = r->vm->debug_step = false;
}

static bool enter_past(struct reverse *r)
{
    struct trace *t = r->vm->trace;
    if (r->inside)
        return true;
    if (t && !r->own) {
        r->own = calloc(1, sizeof *r->own + OWN_EVENTS * sizeof r->own->event[0]);
        if (!r->own)
            return false;
        r->own->size = OWN_EVENTS;
    }
    r->present = take(r, r->wall_due);
    if (!r->present)
        return false;
    r->wall_due = false;
    r->present->pins++;
    r->live = t ? t->ring : NULL;
    r->live_mask = t ? t->mask : 0;
    r->inside = true;
    if (t) {
        r->own->head = r->own->tail = r->live->head;
        use_ring(r, r->own, r->live_mask);
    }
    return true;
}

static void leave_past(struct reverse *r)
{
    use_ring(r, r->live, r->live_mask);
    r->present->pins--;
    r->present = NULL;
    r->inside = false;
    control_horizon(r->control, 0);
    stops_elsewhere(r->stops);
}

static void to_present(struct reverse *r)
{
    return_to(r, r->present);
    leave_past(r);
}

/* What was to come is not to come any more. */
static void cut(struct reverse *r)
{
    uint64_t seq = r->own ? r->own->head : 0;
    r->present->pins--;
    r->present = NULL;
    forget_nearby(r);
    checkpoints_cut_future(r->all);
    r->log.n = r->log.at;
    r->inside = false;
    use_ring(r, r->live, r->live_mask);
    control_horizon(r->control, 0);
    stops_elsewhere(r->stops);
    trace_emit(r->vm->trace, TRACE_CUT, seq, r->vm->cpu.icount, 0);
}

void reverse_changed(struct reverse *r)
{
    if (!r->ok || !checkpoints_first(r->all))
        return;
    if (r->inside)
        cut(r);
    r->wall_due = true;
}

void reverse_kinds_changed(struct reverse *r)
{
    struct trace *t = r->vm->trace;
    if (!r->inside) {
        r->wall_due |= r->ok && checkpoints_last(r->all) && checkpoints_last(r->all)->mask != t->mask;
        return;
    }
    r->live_mask |= t->mask;            /* in the past only what was logged then can be found */
    t->mask = checkpoints_here(r->all)->mask;
}

void reverse_unfaithful(struct reverse *r)
{
    r->unfaithful = r->ok;
}

/* ---- forwards ---- */

/* The next place that cannot be run into: a wall, or the present. */
static struct checkpoint *next_wall(const struct reverse *r)
{
    struct checkpoint *c = checkpoints_at(r->all, r->vm->cpu.icount);
    for (c = c ? c->newer : checkpoints_first(r->all); c && !c->wall && c != r->present; c = c->newer)
        ;
    return c;
}

static void set_horizon(struct reverse *r)
{
    r->wall = r->inside ? next_wall(r) : NULL;
    if (r->inside && !r->wall)
        r->wall = r->present;
    control_horizon(r->control, r->wall ? r->wall->icount : 0);
}

/* The recording begins anew where nobody knows how the machine came. */
static void begin_again(struct reverse *r)
{
    struct checkpoint *c = take(r, false);
    r->unfaithful = false;
    if (!c)
        return;
    forget_nearby(r);
    checkpoints_cut_older(r->all, c);
    r->log.n = c->note = 0;
    r->log.full = false;
}

void reverse_before_run(struct reverse *r)
{
    if (!r->ok)
        return;
    if (r->unfaithful && !r->inside)
        begin_again(r);
    if (!checkpoints_first(r->all) || r->wall_due)
        take(r, r->wall_due);
    r->wall_due = false;
    set_horizon(r);
}

bool reverse_due(const struct reverse *r)
{
    return r->ok && !r->inside && host_cpu_ns() - r->mark_ns >= r->spacing_ns;
}

bool reverse_forwards(struct reverse *r, struct link_stop *why)
{
    if (!r->ok)
        return false;
    while (r->inside && control_at_horizon(r->control)) {
        if (r->wall != r->present) {
            return_to(r, r->wall);
            set_horizon(r);
            continue;
        }
        to_present(r);
        *why = r->ended;
        return r->vm->stop != VM_RUNNING;
    }
    if (control_holds_irqs(r->control) && !r->inside)
        r->unfaithful = true;
    if ((reverse_due(r) || r->wall_due) && !r->unfaithful) {
        take(r, r->wall_due);
        r->wall_due = false;
    }
    return false;
}

void reverse_ended(struct reverse *r, const struct link_stop *why)
{
    r->ended = *why;
}

/* ---- half a turn in the past ---- */

static void note_hit(struct reverse *r, enum goal goal, uint64_t icount, gla_t pc, const struct link_stop *why)
{
    r->op.to = (struct place){ .goal = goal, .icount = icount, .pc = pc, .seq = why->seq, .why = *why,
                               .found = true };
}

static void look_for_events(struct reverse *r)
{
    struct link_stop why;
    const struct trace *t = r->vm->trace;
    if (r->op.phase != SEARCH || r->op.n_code || !stops_events_hit(r->stops, &why))
        return;
    bool here_already = t->ring->head >= r->op.begin_seq && r->vm->cpu.icount >= r->op.begin_icount;
    if (!here_already)
        note_hit(r, GOAL_EVENT, r->vm->cpu.icount, 0, &why);
}

static gla_t stack_pointer(struct reverse *r)
{
    struct cpu_state s = { 0 };
    r->vm->cpu.ops->get_state(&r->vm->cpu, ST_GPRS | ST_SEGS | ST_CRS, &s);
    return state_sp(&s);
}

static void look_at_stop(struct reverse *r, const struct vmexit *x)
{
    struct link_stop why = { .why = LINK_STEPPED };
    uint64_t icount = r->vm->cpu.icount;
    gla_t at = x->fault.gla;
    if (r->op.phase != SEARCH)
        return;
    if (r->op.n_code) {
        if (x->fault.vector == 0 && icount < r->op.limit && stack_pointer(r) >= r->op.least_sp)
            note_hit(r, GOAL_CODE, icount, at, &why);
    } else if (x->fault.vector == 0) {
        if (icount < r->op.limit && stops_code_hit(r->stops, at, &why))
            note_hit(r, GOAL_CODE, icount, at, &why);
    } else if (stops_data_hit(r->stops, x, &why) && icount) {
        note_hit(r, GOAL_INSN, icount - 1, 0, &why);       /* before it touched */
    }
}

static bool event_reached(const struct reverse *r)
{
    const struct op *op = &r->op;
    return op->phase == APPROACH && op->to.goal == GOAL_EVENT && r->vm->trace->ring->head >= op->to.seq;
}

/* False: the machine cannot go on here. */
static bool half_turn(struct reverse *r, uint64_t until, struct vmexit *x)
{
    struct vm *vm = r->vm;
    x->reason = EXIT_KICKED;
    bool may = vm_prepare(vm);
    look_for_events(r);
    if (event_reached(r))
        return true;                    /* what happens before the guest runs: an injection */
    if (!may)
        return false;
    vm->debug_until = until;
    bool counted = vm_turn(vm, x);
    vm->debug_until = 0;
    look_for_events(r);
    if (!counted && vm->debug_exit && x->reason == EXIT_BREAKPOINT)
        look_at_stop(r, x);
    return true;
}

static void tell_engine(struct reverse *r)
{
    const struct engine *e = r->vm->cfg.engine;
    if (!r->op.n_code) {
        stops_tell_engine(r->stops, NULL, 0, 0);
        return;
    }
    struct debug_stops own = { .code = r->op.code, .n_code = r->op.n_code };
    if (e->set_debug)
        e->set_debug(&r->vm->cpu, &own);
}

/* ---- the passes ---- */

static void begin_at(struct reverse *r, struct checkpoint *c)
{
    return_to(r, c);
    tell_engine(r);
    r->op.from = c;
}

/* How many instructions the guest executed in NEARBY_NS hereabouts. */
static uint64_t nearby(const struct checkpoint *c)
{
    const struct checkpoint *next = c->newer ? c->newer : c, *before = c->newer ? c : c->older;
    if (!before || next->axis <= before->axis)
        return 100000;
    return (uint64_t)((double)(next->icount - before->icount) * NEARBY_NS / (double)(next->axis - before->axis));
}

/* Where to take a checkpoint on the way; 0: it is too near for that. */
static uint64_t stopover(struct reverse *r)
{
    const struct op *op = &r->op;
    uint64_t now = r->vm->cpu.icount, far = nearby(checkpoints_here(r->all));
    if (op->to.goal == GOAL_EVENT || op->to.icount < now + 2 * far || !far)
        return 0;
    return op->to.icount - far;
}

/* Towards op.to: from the nearest checkpoint before, or from here if that is nearer. */
static void approach(struct reverse *r)
{
    struct op *op = &r->op;
    struct checkpoint *c = op->to.goal == GOAL_EVENT ? checkpoints_before_event(r->all, op->to.seq)
                         : op->to.goal == GOAL_INSN ? checkpoints_at(r->all, op->to.icount)
                         : op->to.icount ? checkpoints_at(r->all, op->to.icount - 1) : NULL;
    op->phase = APPROACH;
    if (!c)
        c = op->from ? op->from : checkpoints_first(r->all);
    if (op->to.goal != GOAL_CODE)
        op->n_code = 0;
    uint64_t now = r->vm->cpu.icount;
    bool on_the_way = op->to.goal == GOAL_INSN && r->vm->stop == VM_RUNNING && now <= op->to.icount &&
                      now >= c->icount && c == checkpoints_at(r->all, now) && op->from;
    if (!on_the_way)
        begin_at(r, c);
    op->stopover = stopover(r);
    op->done = 0;
    op->total = op->to.icount > r->vm->cpu.icount ? op->to.icount - r->vm->cpu.icount : 0;
}

static void make_nearby(struct reverse *r)
{
    struct checkpoint **slot = &r->nearby[r->next_nearby++ % N_NEARBY];
    struct checkpoint *c = take(r, false);
    if (!c)
        return;
    c->pins++;
    if (*slot)
        (*slot)->pins--;
    *slot = c;
}

/* Lost: what was done before does not happen again.  That is a bug, but not one to
 * lose the machine over. */
static bool lost(struct reverse *r, struct link_stop *why)
{
    host_say("going back failed: the guest does not do again what it did before instruction %" PRIu64,
             r->vm->cpu.icount);
    reverse_give_up(r, why);
    return true;
}

static bool finish(struct reverse *r, const struct link_stop *why, struct link_stop *out)
{
    r->op.phase = IDLE;
    r->op.total = 0;
    stops_rehearse(r->stops, false);
    stops_elsewhere(r->stops);
    if (r->op.origin)
        r->op.origin->pins--;
    r->op.origin = NULL;
    *out = *why;
    return true;
}

static bool at_beginning(struct reverse *r, struct link_stop *why)
{
    struct link_stop stop;
    stops_say(&stop, LINK_AT_BEGINNING, "the beginning of the recording");
    return_to(r, checkpoints_first(r->all));
    return finish(r, &stop, why);
}

static bool search_from(struct reverse *r, struct checkpoint *c)
{
    if (!c)
        return false;
    r->op.phase = SEARCH;
    r->op.to.found = false;
    begin_at(r, c);
    return true;
}

/* The instruction the CPU stands before. */
static bool instruction(struct reverse *r, struct cpu_state *s, struct insn *i, uint8_t bytes[15])
{
    unsigned n = 15;
    memset(s, 0, sizeof *s);
    if (r->vm->cpu.ops->get_state(&r->vm->cpu, ST_GPRS | ST_SEGS | ST_CRS, s))
        return false;
    while (n && vm_read_linear(r->vm, state_pc(s), bytes, n))
        n--;
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
        disasm(bytes, len, state_code_bits(s), pc - len - s->seg[SEG_CS].base, s->seg[SEG_CS].base, NULL, &i);
        if (i.ok && i.is_call && i.len == len)
            op->code[op->n_code++] = pc - len;
    }
    if (interrupted)
        op->code[op->n_code++] = pc;
}

/* One instruction back, the CPU stands before a return?  Then go to before its call. */
static bool over_calls(struct reverse *r, struct link_stop *why)
{
    struct op *op = &r->op;
    struct cpu_state s;
    struct insn i;
    uint8_t bytes[15];
    struct place back = op->to;
    op->looked = true;
    if (!instruction(r, &s, &i, bytes) || !i.is_return)
        return finish(r, &back.why, why);
    bool pops = bytes[0] == 0xc2 || bytes[0] == 0xca;
    list_calls(r, &s, back.pc, bytes[i.len - 1] == 0xcf);
    op->least_sp -= pops ? (gla_t)bytes[1] | (gla_t)bytes[2] << 8 : 0;
    op->limit = r->vm->cpu.icount;
    struct checkpoint *c = op->limit ? checkpoints_at(r->all, op->limit - 1) : NULL;
    if (!op->n_code || !search_from(r, c))
        return finish(r, &back.why, why);
    op->to.why = back.why;
    return false;
}

static bool arrived(struct reverse *r, struct link_stop *why)
{
    struct op *op = &r->op;
    if (op->how == LINK_REVERSE_NEXT && !op->looked)
        return over_calls(r, why);
    return finish(r, &op->to.why, why);
}

/* True: it is over, and why. */
static bool approach_on(struct reverse *r, struct link_stop *why)
{
    struct op *op = &r->op;
    uint64_t icount = r->vm->cpu.icount, stop = op->stopover > icount ? op->stopover : 0;
    struct vmexit x;
    if (op->to.goal == GOAL_INSN && icount >= op->to.icount)
        return arrived(r, why);
    if (event_reached(r))
        return arrived(r, why);
    uint64_t until = op->to.goal == GOAL_EVENT ? 0 : stop ? stop
                   : icount >= op->to.icount ? op->to.icount + 1 : op->to.icount;
    if (!half_turn(r, until, &x))
        return lost(r, why);
    op->done += r->vm->cpu.icount - icount;
    if (stop && r->vm->cpu.icount == stop)
        make_nearby(r);
    if (op->to.goal != GOAL_CODE)
        return false;
    if (x.reason == EXIT_BREAKPOINT && !x.fault.vector && x.fault.gla == op->to.pc &&
        r->vm->cpu.icount == op->to.icount)
        return arrived(r, why);
    return r->vm->cpu.icount > op->to.icount && lost(r, why);
}

/* The pass is over: to the last hit, or one checkpoint back. */
static bool end_of_pass(struct reverse *r, struct link_stop *why)
{
    struct op *op = &r->op;
    if (op->to.found) {
        if (op->how == LINK_REVERSE_FINISH && op->to.icount)
            op->to = (struct place){ .goal = GOAL_INSN, .icount = op->to.icount - 1, .why = op->to.why };
        if (op->how == LINK_REVERSE_FINISH)
            stops_say(&op->to.why, LINK_STEPPED, "before the call");
        if (op->how == LINK_REVERSE_NEXT)
            stops_say(&op->to.why, LINK_STEPPED, "stepped back");
        approach(r);
        return false;
    }
    op->limit = op->from->icount;
    return !search_from(r, op->from->older) && at_beginning(r, why);
}

static bool search_on(struct reverse *r, struct link_stop *why)
{
    struct op *op = &r->op;
    struct vmexit x;
    uint64_t icount = r->vm->cpu.icount;
    if (icount >= op->limit)
        return end_of_pass(r, why);
    if (!half_turn(r, op->limit, &x))
        return lost(r, why);
    op->done += r->vm->cpu.icount - icount;
    return false;
}

bool reverse_busy(const struct reverse *r)
{
    return r->op.phase != IDLE;
}

bool reverse_turns(struct reverse *r, const bool *attention, struct link_stop *why)
{
    uint64_t late = host_monotonic_ns() + SLICE_NS;
    for (unsigned i = 0; !*attention && (i % 64 || host_monotonic_ns() < late); i++)
        if (r->op.phase == APPROACH ? approach_on(r, why) : search_on(r, why))
            return true;
    return false;
}

void reverse_give_up(struct reverse *r, struct link_stop *why)
{
    struct link_stop stop;
    struct checkpoint *origin = r->op.origin ? r->op.origin : r->present;
    stops_say(&stop, LINK_PAUSED, "going back was given up; this is where it began");
    if (!r->inside)
        stop = r->op.to.why;            /* it is at the present, or was never away */
    else if (origin == r->present) {
        to_present(r);
        if (r->vm->stop != VM_RUNNING)
            stop = r->ended;
    } else {
        return_to(r, origin);
    }
    finish(r, &stop, why);
}

/* ---- requests ---- */

static int cannot(int err, char *why, size_t size, const char *text)
{
    snprintf(why, size, "%s", text);
    return err;
}

/* To an instruction count that is within the recording, or as near to it as there is. */
static int begin_insn(struct reverse *r, uint64_t icount, bool before)
{
    struct op *op = &r->op;
    before |= icount < checkpoints_first(r->all)->icount;
    op->to = (struct place){ .goal = GOAL_INSN, .icount = before ? checkpoints_first(r->all)->icount : icount };
    if (before)
        stops_say(&op->to.why, LINK_AT_BEGINNING, "the beginning of the recording");
    else
        stops_say(&op->to.why, LINK_STEPPED, op->how == LINK_TO_INSN ? "there" : "stepped back");
    approach(r);
    return 0;
}

/* A search: for what would stop the guest, or for op.code. */
static int begin_search(struct reverse *r, bool was_inside)
{
    struct op *op = &r->op;
    op->limit = op->begin_icount;
    op->origin = was_inside ? take(r, false) : r->present;
    if (op->origin)
        op->origin->pins++;
    struct checkpoint *c = op->limit ? checkpoints_at(r->all, op->limit - 1) : NULL;
    op->total = op->begin_icount - checkpoints_first(r->all)->icount;
    if (!search_from(r, c))
        begin_insn(r, op->begin_icount, true);
    return 0;
}

static int begin_finish(struct reverse *r, bool was_inside, char *why, size_t size)
{
    struct cpu_state s;
    struct insn i;
    uint8_t bytes[15];
    uint64_t offset;
    instruction(r, &s, &i, bytes);
    gla_t pc = state_pc(&s);
    if (!symbols_find(r->symbols, pc, &offset))
        return cannot(-ENOENT, why, size, "where this function begins is not known: no symbol is here");
    r->op.code[0] = pc - offset;
    r->op.n_code = 1;
    r->op.least_sp = state_sp(&s);
    if (offset)
        return begin_search(r, was_inside);
    r->op.n_code = 0;
    r->op.how = LINK_REVERSE_STEP;
    r->op.to = (struct place){ .goal = GOAL_INSN, .icount = r->op.begin_icount - (r->op.begin_icount > 0) };
    stops_say(&r->op.to.why, LINK_STEPPED, "before the call");
    approach(r);
    return 0;
}

static int begin_event(struct reverse *r, uint64_t seq, char *why, size_t size)
{
    if (seq <= checkpoints_first(r->all)->seq)
        return cannot(-ENODATA, why, size, "that event was before the beginning of the recording");
    r->op.to = (struct place){ .goal = GOAL_EVENT, .seq = seq };
    stops_say(&r->op.to.why, LINK_STEPPED, "after event %" PRIu64, seq);
    approach(r);
    return 0;
}

static int begin(struct reverse *r, bool was_inside, uint64_t n, char *why, size_t size)
{
    struct op *op = &r->op;
    struct cpu_state s;
    struct insn i;
    uint8_t bytes[15];
    switch (op->how) {
    case LINK_REVERSE_NEXT:
        instruction(r, &s, &i, bytes);
        op->least_sp = state_sp(&s);
        begin_insn(r, op->begin_icount - (op->begin_icount > 0), !op->begin_icount);
        op->looked = op->to.why.why == LINK_AT_BEGINNING;
        op->to.pc = state_pc(&s);
        return 0;
    case LINK_REVERSE_CONTINUE: return begin_search(r, was_inside);
    case LINK_REVERSE_FINISH:   return begin_finish(r, was_inside, why, size);
    case LINK_TO_INSN:          return begin_insn(r, n, false);
    case LINK_TO_EVENT:         return begin_event(r, n, why, size);
    default:
        n = n ? n : 1;
        return begin_insn(r, op->begin_icount >= n ? op->begin_icount - n : 0, op->begin_icount < n);
    }
}

/* The newest place there is, from outside and from inside. */
static void newest(const struct reverse *r, uint64_t *icount, uint64_t *seq)
{
    *icount = r->inside ? r->present->icount : r->vm->cpu.icount;
    *seq = r->inside ? r->present->seq : r->vm->trace ? r->vm->trace->ring->head : 0;
}

static int check_request(const struct reverse *r, enum link_run how, uint64_t n, char *why, size_t size)
{
    uint64_t icount, seq;
    if (!r->ok)
        return cannot(-ENOTSUP, why, size, "only engine soft can be taken back: it does the same again, to the instruction");
    if (!checkpoints_first(r->all))
        return cannot(-ENODATA, why, size, "the guest has not run yet: there is no past");
    newest(r, &icount, &seq);
    if ((how == LINK_TO_INSN && n > icount) || (how == LINK_TO_EVENT && n > seq))
        return cannot(-ERANGE, why, size, "that has not happened yet");
    if (how == LINK_TO_EVENT && !r->vm->trace)
        return cannot(-ENOTSUP, why, size, "without a trace there are no events");
    return 0;
}

int reverse_go(struct reverse *r, enum link_run how, uint64_t n, char *why, size_t size)
{
    uint64_t icount, seq;
    int err = check_request(r, how, n, why, size);
    if (err)
        return err;
    if (r->unfaithful && !r->inside)
        begin_again(r);
    newest(r, &icount, &seq);
    bool was_inside = r->inside;
    if (!enter_past(r))
        return cannot(-ENOMEM, why, size, "no memory for going back");
    bool to_now = how == LINK_TO_NOW || (how == LINK_TO_INSN && n == icount);
    r->op = (struct op){ .how = how, .begin_icount = r->vm->cpu.icount,
                         .begin_seq = r->own ? r->own->head : 0 };
    stops_rehearse(r->stops, true);
    if (to_now) {
        r->op.to = (struct place){ .goal = GOAL_INSN, .icount = r->present->icount };
        stops_say(&r->op.to.why, LINK_STEPPED, "now: whence you went back");
        to_present(r);
        r->op.phase = APPROACH;
        if (r->vm->stop != VM_RUNNING)
            r->op.to.why = r->ended;
        return 0;
    }
    err = begin(r, was_inside, n, why, size);
    if (err) {
        struct link_stop none;
        if (was_inside && r->op.origin)
            return_to(r, r->op.origin);
        finish(r, &r->op.to.why, &none);
        if (!was_inside)
            to_present(r);
    }
    return err;
}

void reverse_status(const struct reverse *r, struct link_past *p)
{
    const struct checkpoint *first = r->ok ? checkpoints_first(r->all) : NULL;
    *p = (struct link_past){ .ok = r->ok && first, .inside = r->inside, .max_bytes = r->max_bytes,
                             .seq = r->vm->trace ? r->vm->trace->ring->head : 0 };
    if (!first)
        return;
    newest(r, &p->newest_icount, &p->newest_seq);
    p->begin_icount = first->icount;
    p->begin_seq = first->seq;
    p->checkpoints = checkpoints_count(r->all);
    p->bytes = checkpoints_bytes(r->all);
    p->inputs = r->log.n;
    p->done = r->op.done;
    p->total = r->op.total;
}

struct reverse *reverse_new(struct vm *vm, struct control *c, const struct symbols *symbols,
                            uint64_t max_bytes)
{
    struct reverse *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->vm = r->log.vm = vm;
    r->control = c;
    r->stops = control_stops(c);
    r->symbols = symbols;
    r->max_bytes = max_bytes;
    r->ok = vm->cfg.engine->counts && vm->cfg.engine->save && !vm->peer;
    r->all = checkpoints_new(vm, max_bytes);
    if (r->all)
        return r;
    free(r);
    return NULL;
}
