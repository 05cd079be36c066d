/*
 * debugger/vmm/reverse.c -- the machine's past: the way in and out of it; see reverse.h.
 *
 * Taking checkpoints while the guest runs on, the log of what came from outside, and
 * running forwards inside the past, up to a wall or to the present.
 */
#include "debugger/vmm/reverse_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "base/trace.h"
#include "base/vclock.h"
#include "cpu/regs.h"

#define OWN_EVENTS   65536              /* of the ring for events that are known             */
#define SPACING_NS   20000000u          /* of host time between checkpoints, or              */
#define PER_COST     12                 /* so many times what the last one took              */

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
    if (r->ok && !r->by_exit)
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
    uint64_t passed = r->by_exit ? 0 : input_play_sleep(&r->log, ns);
    if (r->by_exit ? exits_sleep_on(r) : passed != VCLOCK_NEVER)
        return passed;
    r->vm->pause_wanted = true;         /* here the log ends, and so the past */
    return 0;
}

/* ---- in and out of the past ---- */

bool reverse_inside(const struct reverse *r) { return r && r->inside; }

static void forget_nearby(struct reverse *r)
{
    for (unsigned i = 0; i < N_NEARBY; i++) {
        if (r->nearby[i])
            r->nearby[i]->pins--;
        r->nearby[i] = NULL;
    }
    exits_set_stop(&r->last_stop, NULL);
    exits_set_stop(&r->present_stop, NULL);
}

/* Where exits are logged the log is soon full: its older half goes. */
static void trim_log(struct reverse *r)
{
    struct checkpoint *c = checkpoints_first(r->all);
    if (r->inside || r->log.n < INPUT_LOG_MAX / 4 * 3)
        return;
    while (c && c->note < r->log.n / 2)
        c = c->newer;
    if (!c)
        return;
    forget_nearby(r);
    checkpoints_cut_older(r->all, c);
    uint64_t n = c->note;
    exits_forget_past(r, n);
    for (; c; c = c->newer)
        c->note -= n;
}

struct checkpoint *past_take(struct reverse *r, bool wall)
{
    uint64_t before = host_cpu_ns();
    trim_log(r);
    struct checkpoint *c = checkpoints_take(r->all, before - r->mark_ns, wall);
    r->mark_ns = host_cpu_ns();
    r->spacing_ns = (r->mark_ns - before) * PER_COST;
    if (r->spacing_ns < SPACING_NS)
        r->spacing_ns = SPACING_NS;
    if (!c)
        return NULL;
    c->note = r->inside ? r->log.at : r->log.n;
    c->between = r->by_exit && (!r->known || boot_cpu(r->vm)->turn.unfinished);
    c->told = c->between && r->vm->debug_news.exit;
    r->known = true;
    return c;
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

/* The next place that cannot be run into: a wall, or the present.  (Where the machine has come as
 * far as that without being there, a checkpoint may stand behind it in the row.) */
static void find_wall(struct reverse *r)
{
    struct checkpoint *c = checkpoints_here(r->all);
    if (!r->inside)
        return;
    if (c != r->present)
        for (c = c->newer; c && c != r->present && !c->wall; c = c->newer)
            ;
    r->wall = c ? c : r->present;
    r->log.limit = r->wall->note;
}

/* To a checkpoint, without asking whether that is the present. */
void past_return_to(struct reverse *r, struct checkpoint *c)
{
    control_steps_no_more(r->control);
    bug_if(!checkpoints_return(r->all, c), "no memory to return to a checkpoint");
    r->mark_ns = host_cpu_ns();
    r->log.at = c->note;
    if (r->own) {
        r->own->head = r->own->tail = c->seq;
        r->vm->trace->mask = c->mask;
    }
    stops_elsewhere(r->stops);
    exits_elsewhere(r);
    find_wall(r);
}

/* If it is one between two exits, what happened before the CPU ran there happens once more. */
bool past_at_wall(const void *arg)
{
    const struct reverse *r = arg;
    return r->by_exit && r->inside && r->log.at >= r->log.limit && (!r->wall->between || boot_cpu(r->vm)->turn.unfinished);
}

bool past_stop_at(struct reverse *r, const struct checkpoint *c, struct link_stop *why)
{
    struct cpu_state s = { 0 };
    if (!c->told || boot_cpu(r->vm)->ops->get_state(boot_cpu(r->vm), ST_GPRS | ST_SEGS | ST_CRS, &s))
        return false;
    return stops_code_hit(r->stops, state_pc(&s), why);
}

void past_pass_wall(struct reverse *r)
{
    if (r->wall == r->present)
        past_to_present(r);
    else
        past_return_to(r, r->wall);
}

bool past_enter(struct reverse *r)
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
    r->present = past_take(r, r->wall_due || (r->by_exit && !r->known));
    if (!r->present)
        return false;
    r->wall_due = false;
    r->present->pins++;
    exits_set_stop(&r->present_stop, &r->last_stop);
    r->live = t ? t->ring : NULL;
    r->live_mask = t ? t->mask : 0;
    r->inside = true;
    r->wall = r->present;
    r->log.limit = r->present->note;
    if (r->by_exit) {
        r->alarm = r->vm->cfg.alarm;
        r->vm->cfg.alarm = NULL;
    }
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
    r->present = r->wall = NULL;
    r->inside = false;
    exits_set_stop(&r->present_stop, NULL);
    control_horizon(r->control, 0, NULL, NULL);
    stops_elsewhere(r->stops);
    if (r->by_exit) {
        r->vm->cfg.alarm = r->alarm;
        r->vm->debug_wants.kick = r->vm->debug_wants.no_window = false;
        vm_rebase_time(r->vm);
    }
}

void past_to_present(struct reverse *r)
{
    past_return_to(r, r->present);
    exits_set_stop(&r->last_stop, &r->present_stop);
    leave_past(r);
}

/* What was to come is not to come any more. */
static void cut(struct reverse *r)
{
    uint64_t seq = r->own ? r->own->head : 0;
    leave_past(r);
    forget_nearby(r);
    checkpoints_cut_future(r->all);
    r->log.n = r->log.at;
    exits_forget_future(r);
    trace_emit(r->vm->trace, TRACE_CUT, seq, vm_progress(r->vm), 0);
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

static void set_horizon(struct reverse *r)
{
    if (r->by_exit && r->inside)
        control_horizon(r->control, 0, past_at_wall, r);
    else
        control_horizon(r->control, r->inside ? r->wall->progress : 0, NULL, NULL);
}

/* The recording begins anew where nobody knows how the machine came. */
void past_begin_again(struct reverse *r)
{
    struct checkpoint *c = past_take(r, false);
    if (!c)
        return;
    r->unfaithful = r->wall_due = false;
    forget_nearby(r);
    checkpoints_cut_older(r->all, c);
    exits_forget_past(r, r->log.n);
    c->note = 0;
    r->log.full = false;
}

/* Without its wall what comes cannot be told from what was to come before the user's hand. */
static void take_due(struct reverse *r)
{
    if (!past_take(r, r->wall_due))
        r->unfaithful |= r->wall_due;
    r->wall_due = false;
}

void reverse_before_run(struct reverse *r)
{
    if (!r->ok)
        return;
    if (r->unfaithful && !r->inside)
        past_begin_again(r);
    if (!checkpoints_first(r->all) || r->wall_due)
        take_due(r);
    set_horizon(r);
}

bool reverse_due(const struct reverse *r)
{
    return r->ok && !r->inside && host_cpu_ns() - r->mark_ns >= r->spacing_ns;
}

/* Running forwards inside the past: the guest does not do again what it did. */
static bool went_astray(struct reverse *r, struct link_stop *why)
{
    past_to_present(r);
    stops_say(why, LINK_PAUSED, "now: the guest did not do again what it did (it reads its clock?)");
    if (r->vm->stop != VM_RUNNING)
        *why = r->ended;
    return true;
}

bool reverse_forwards(struct reverse *r, bool stopped, struct link_stop *why)
{
    if (!r->ok)
        return false;
    if (r->inside && r->astray)
        return went_astray(r, why);
    if (stopped && r->by_exit) {
        exits_note_stop(r, why);
        return false;                   /* behind the wall is somewhere else */
    }
    while (r->inside && control_at_horizon(r->control)) {
        const struct checkpoint *wall = r->wall;
        past_pass_wall(r);
        if (past_stop_at(r, wall, why))
            return true;
        if (r->inside) {
            set_horizon(r);
            continue;
        }
        if (r->vm->stop == VM_RUNNING)          /* *why may be that of a step that ends here */
            return false;
        *why = r->ended;
        return true;
    }
    if (control_holds_irqs(r->control) && !r->inside)
        r->unfaithful = true;
    if (r->by_exit && !r->known)
        return false;                   /* no place for a checkpoint that one could come to */
    if (r->by_exit && r->unfaithful && !r->inside && reverse_due(r))
        past_begin_again(r);
    if ((reverse_due(r) || r->wall_due) && !r->unfaithful)
        take_due(r);
    return false;
}

void reverse_ended(struct reverse *r, const struct link_stop *why)
{
    r->ended = *why;
}

/* ---- asking, and the beginning ---- */

/* The newest place there is, from outside and from inside. */
void past_newest(const struct reverse *r, uint64_t *progress, uint64_t *seq)
{
    *progress = r->inside ? r->present->progress : vm_progress(r->vm);
    *seq = r->inside ? r->present->seq : r->vm->trace ? r->vm->trace->ring->head : 0;
}

void reverse_status(const struct reverse *r, struct link_past *p)
{
    const struct checkpoint *first = r->ok ? checkpoints_first(r->all) : NULL;
    *p = (struct link_past){ .ok = r->ok && first, .inside = r->inside, .max_bytes = r->max_bytes,
                             .seq = r->vm->trace ? r->vm->trace->ring->head : 0 };
    if (!first)
        return;
    past_newest(r, &p->newest_progress, &p->newest_seq);
    p->by_exit = r->by_exit;
    p->begin_progress = first->progress;
    p->begin_seq = first->seq;
    p->checkpoints = checkpoints_count(r->all);
    p->bytes = checkpoints_bytes(r->all);
    p->inputs = r->log.n;
    p->done = r->op.done;
    p->total = r->op.total;
}

struct reverse *reverse_new(struct vm *vm, struct control *c, uint64_t max_bytes)
{
    struct reverse *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->vm = r->log.vm = vm;
    r->control = c;
    r->stops = control_stops(c);
    r->max_bytes = max_bytes;
    r->by_exit = !vm->cfg.engine->counts;
    r->ok = vm->cfg.engine->save && !vm->peer && (vm->cfg.engine->counts || vm->cfg.engine->collect_dirty);
    r->by_exit &= r->ok;
    r->all = checkpoints_new(vm, max_bytes);
    if (r->all)
        return r;
    free(r);
    return NULL;
}
