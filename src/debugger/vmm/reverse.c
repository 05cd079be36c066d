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

#define OWN_EVENTS   65536              /* room of the ring for events of the past           */
#define SPACING_NS   20000000u          /* least host time between checkpoints; but at least */
#define PER_COST     12                 /* so many times what taking the last one took       */

/* ---- what came from outside ---- */

/* Everything that enters the machine must be in the log, or replaying leads somewhere else.  If an
 * entry found no room, nothing recorded so far can be used. */
void reverse_note_byte(struct reverse *r, enum input_hook hook, enum input_kind kind, uint8_t byte)
{
    if (r->can_go_back)
        input_log_byte(&r->log, hook, kind, byte);
    r->cannot_be_repeated |= r->log.full;       /* what is not in the log cannot be done again */
}

/* A sleep that goes on makes its entry longer, but not one that is before a checkpoint: that
 * knows how many entries the log had. */
void reverse_note_sleep(struct reverse *r, uint64_t ns, uint64_t passed)
{
    r->log.closed = checkpoints_last(r->all) ? checkpoints_last(r->all)->note : 0;
    if (r->can_go_back)
        r->axis->note_sleep(r, ns, passed);
    r->cannot_be_repeated |= r->log.full;
}

struct input_log *reverse_log(struct reverse *r)
{
    return &r->log;
}

uint64_t reverse_play_sleep(struct reverse *r, uint64_t ns)
{
    uint64_t passed = r->axis->play_sleep(r, ns);
    if (passed != VCLOCK_NEVER)
        return passed;
    r->vm->pause_wanted = true;         /* here the log ends, and so the past */
    return 0;
}

/* Before the first checkpoint nothing is recorded, and the clock is asked as usual.  `r` is
 * NULL while the machine is being made, which reads its clock too. */
uint64_t reverse_measured(struct reverse *r, uint64_t now)
{
    return r && checkpoints_first(r->all) ? r->axis->measured(r, now) : now;
}

void reverse_note_exit(struct reverse *r, const struct vmexit *x)
{
    if (checkpoints_first(r->all))
        r->axis->exit_comes(r, x);
}

void reverse_exit_answered(struct reverse *r)
{
    r->axis->exit_answered(r);
}

bool reverse_takes_input(struct reverse *r, enum input_hook hook)
{
    return !checkpoints_first(r->all) || r->axis->takes_input(r, hook);
}

/* ---- in and out of the past ---- */

bool reverse_inside(const struct reverse *r) { return r && r->inside; }

/* Unpin every checkpoint that we hold on to.  Checkpoints are about to be removed, and a
 * pinned one would stay. */
static void forget_nearby(struct reverse *r)
{
    for (unsigned i = 0; i < N_NEARBY; i++) {
        if (r->nearby[i])
            r->nearby[i]->pins--;
        r->nearby[i] = NULL;
    }
    exits_set_stop(&r->exits.last_stop, NULL);
    exits_set_stop(&r->exits.present_stop, NULL);
}

/* Where exits are logged the log is soon full.  Then its older half is dropped, and with it the
 * checkpoints that were taken before: the recording begins later. */
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
    r->axis->log_dropped(r, n);
    input_log_drop(&r->log, n);
    for (; c; c = c->newer)
        c->note -= n;
}

/* Besides taking it, note how much of the log belongs before it, and when the next is due:
 * PER_COST times what this one took, so that a large guest is recorded at the same share of
 * the time as a small one. */
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
    r->axis->mark(r, c);
    return c;
}

/* Events that happen inside the past have their numbers already, and are in the trace.  So the
 * machine writes them into a ring of our own, where breakpoints on events look, and nobody else:
 * room_to says that there is always room, and old events are overwritten. */
static void use_ring(struct reverse *r, struct trace_ring *ring, uint64_t mask)
{
    struct trace *t = r->vm->trace;
    if (!t)
        return;
    t->ring = ring;
    t->mask = mask;
    t->room_to = ring == r->own ? UINT64_MAX : 0;
}

/* Running on inside the past ends at the next wall, or at the present, which is one too. */
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

/* Put the machine to a checkpoint.  If that is the present it is still inside the past. */
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
    r->hits = 0;
    r->axis->elsewhere(r);
    find_wall(r);
}

/* A breakpoint between two exits is not met again by running (where the guest stood was no
 * position), but a wall may have been taken just there. */
bool past_stop_at(struct reverse *r, const struct checkpoint *c, struct link_stop *why)
{
    struct cpu_state s = { 0 };
    struct vcpu *v = boot_cpu(r->vm);
    if (!c->was_debug_exit || v->ops->get_state(v, ST_GPRS | ST_SEGS | ST_CRS, &s))
        return false;
    return stops_code_hit(r->stops, state_pc(&s), why);
}

/* The guest has come to a wall.  Running on would lead elsewhere than it did then, so the machine
 * is put to the checkpoint behind it, which costs what has changed, and goes on from there. */
void past_pass_wall(struct reverse *r)
{
    if (r->wall == r->present)
        past_to_present(r);
    else
        past_return_to(r, r->wall);
}

/* Take a checkpoint of the present, to come back to, and from here on let the machine be silent:
 * its events go into our own ring, its output nowhere.
 *
 * The event ring of our own continues with the numbers of the trace's. */
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
    r->present = past_take(r, r->next_is_wall || !r->axis->at_position(r));
    if (!r->present)
        return false;
    r->next_is_wall = false;
    r->present->pins++;
    exits_set_stop(&r->exits.present_stop, &r->exits.last_stop);
    r->live = t ? t->ring : NULL;
    r->live_mask = t ? t->mask : 0;
    r->inside = true;
    r->wall = r->present;
    r->log.limit = r->present->note;
    r->axis->entered(r);
    if (t) {
        r->own->head = r->own->tail = r->live->head;
        use_ring(r, r->own, r->live_mask);
    }
    return true;
}

/* The machine goes on as if it had never been in the past. */
static void leave_past(struct reverse *r)
{
    use_ring(r, r->live, r->live_mask);
    r->present->pins--;
    r->present = r->wall = NULL;
    r->inside = false;
    exits_set_stop(&r->exits.present_stop, NULL);
    control_horizon(r->control, 0, NULL, NULL);
    stops_elsewhere(r->stops);
    r->axis->left(r);
}

void past_to_present(struct reverse *r)
{
    past_return_to(r, r->present);
    exits_set_stop(&r->exits.last_stop, &r->exits.present_stop);
    leave_past(r);
}

/* The user has changed the guest inside its past: what came after this place then will not come
 * now.  Forget it; the place becomes the present, and the trace gets a CUT event. */
static void cut(struct reverse *r)
{
    uint64_t seq = r->own ? r->own->head : 0;
    leave_past(r);
    forget_nearby(r);
    checkpoints_cut_future(r->all);
    r->log.n = r->log.at;
    r->axis->log_cut(r);
    vcpu_trace_here(boot_cpu(r->vm));
    trace_emit(r->vm->trace, TRACE_CUT, seq, vm_progress(r->vm), 0);
}

/* At the present there is nothing to cut off, but replaying would not make the user's
 * change. */
void reverse_changed(struct reverse *r)
{
    if (!r->can_go_back || !checkpoints_first(r->all))
        return;
    if (r->inside)
        cut(r);
    r->next_is_wall = true;
}

/* A checkpoint knows which kinds of events were logged from it on.  Replaying from one that
 * knew less would give events other numbers than they had: so there must be a new
 * checkpoint, which is a wall. */
void reverse_kinds_changed(struct reverse *r)
{
    struct trace *t = r->vm->trace;
    if (!r->inside) {
        const struct checkpoint *last = checkpoints_last(r->all);
        r->next_is_wall |= r->can_go_back && last && last->mask != t->mask;
        return;
    }
    r->live_mask |= t->mask;            /* in the past only what was logged then can be found */
    t->mask = checkpoints_here(r->all)->mask;
}

void reverse_unfaithful(struct reverse *r)
{
    r->cannot_be_repeated = r->can_go_back;
}

/* ---- forwards ---- */

/* Nothing that was recorded leads to where the machine is: begin a new recording here. */
void past_begin_again(struct reverse *r)
{
    struct checkpoint *c = past_take(r, false);
    if (!c)
        return;
    r->cannot_be_repeated = r->next_is_wall = false;
    forget_nearby(r);
    checkpoints_cut_older(r->all, c);
    r->axis->log_dropped(r, r->log.n);
    input_log_drop(&r->log, r->log.n);
    c->note = 0;
    r->log.full = false;
}

/* If a wall was due and there is no memory for it, replaying would run on without what the user
 * had changed there: then nothing recorded so far can be used. */
static void take_due(struct reverse *r)
{
    if (!past_take(r, r->next_is_wall))
        r->cannot_be_repeated |= r->next_is_wall;
    r->next_is_wall = false;
}

/* The horizon of run control is the wall, if the guest is inside its past. */
void reverse_before_run(struct reverse *r)
{
    if (!r->can_go_back)
        return;
    if (r->cannot_be_repeated && !r->inside)
        past_begin_again(r);
    if (!checkpoints_first(r->all) || r->next_is_wall)
        take_due(r);
    r->axis->set_horizon(r);
}

bool reverse_due(const struct reverse *r)
{
    return r->can_go_back && !r->inside && host_cpu_ns() - r->mark_ns >= r->spacing_ns;
}

/* Running forwards inside the past, the guest has done something else than it did then. */
static bool end_diverged(struct reverse *r, struct link_stop *why)
{
    past_to_present(r);
    stops_say(why, LINK_PAUSED,
              "now: the guest did not do again what it did (it reads its clock?)");
    if (r->vm->stop != VM_RUNNING)
        *why = r->ended;
    return true;
}

/* Three things can end a slice of running inside the past: a stop, a guest that did something
 * else than then, and a wall.  Outside, this is where checkpoints are taken; their distance is a
 * multiple of what the last one cost, so that recording takes a fixed share of the time. */
bool reverse_forwards(struct reverse *r, bool stopped, struct link_stop *why)
{
    if (!r->can_go_back)
        return false;
    if (r->inside && r->exits.replay_diverged)
        return end_diverged(r, why);
    if (stopped && r->axis->note_stop(r, why))
        return false;
    while (r->inside && control_at_horizon(r->control)) {
        const struct checkpoint *wall = r->wall;
        past_pass_wall(r);
        if (past_stop_at(r, wall, why))
            return true;
        if (r->inside) {
            r->axis->set_horizon(r);
            continue;
        }
        if (r->vm->stop == VM_RUNNING)          /* *why may be that of a step that ends here */
            return false;
        *why = r->ended;
        return true;
    }
    if (control_holds_irqs(r->control) && !r->inside)
        r->cannot_be_repeated = true;
    if (!r->axis->at_position(r))
        return false;                   /* replaying would not come to a checkpoint here */
    if (r->axis->restarts_by_itself && r->cannot_be_repeated && !r->inside && reverse_due(r))
        past_begin_again(r);
    if ((reverse_due(r) || r->next_is_wall) && !r->cannot_be_repeated)
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

/* `seq` is the number of the last event before the place where the guest stands. */
void reverse_status(const struct reverse *r, struct link_past *p)
{
    const struct checkpoint *first = r->can_go_back ? checkpoints_first(r->all) : NULL;
    *p = (struct link_past){ .ok = r->can_go_back && first, .inside = r->inside,
                             .max_bytes = r->max_bytes,
                             .seq = r->vm->trace ? r->vm->trace->ring->head : 0 };
    if (!first)
        return;
    past_newest(r, &p->newest_progress, &p->newest_seq);
    p->by_exit = r->axis->is_by_exit;
    p->begin_progress = first->progress;
    p->begin_seq = first->seq;
    p->checkpoints = checkpoints_count(r->all);
    p->bytes = checkpoints_bytes(r->all);
    p->inputs = r->log.n;
    p->done = r->op.done;
    p->total = r->op.total;
}

/* An engine can be taken back if its vCPU can be saved, and if either it counts
 * instructions or it tells which pages the guest wrote.  Two machines in lockstep depend on
 * each other, so neither can. */
struct reverse *reverse_new(struct vm *vm, struct control *c, uint64_t max_bytes)
{
    struct reverse *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->vm = r->log.vm = vm;
    r->control = c;
    r->stops = control_stops(c);
    r->max_bytes = max_bytes;
    r->can_go_back = vm->cfg.engine->save && !vm->in_lockstep &&
                     (vm->cfg.engine->counts || vm->cfg.engine->collect_dirty);
    r->axis = r->can_go_back && !vm->cfg.engine->counts ? &axis_exits : &axis_insns;
    r->all = checkpoints_new(vm, max_bytes);
    if (r->all)
        return r;
    free(r);
    return NULL;
}
