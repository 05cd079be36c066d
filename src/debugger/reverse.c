/*
 * debugger/reverse.c -- the machine's past: the way in and out of it; see reverse.h.
 *
 * Taking checkpoints while the guest runs on, the log of what came from outside, and
 * running forwards inside the past, up to a wall or to the present.
 */
#include "debugger/reverse_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "base/trace.h"
#include "base/vclock.h"

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

struct checkpoint *past_take(struct reverse *r, bool wall)
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
void past_return_to(struct reverse *r, struct checkpoint *c)
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
    r->present = past_take(r, r->wall_due);
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

void past_to_present(struct reverse *r)
{
    past_return_to(r, r->present);
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
void past_begin_again(struct reverse *r)
{
    struct checkpoint *c = past_take(r, false);
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
        past_begin_again(r);
    if (!checkpoints_first(r->all) || r->wall_due)
        past_take(r, r->wall_due);
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
            past_return_to(r, r->wall);
            set_horizon(r);
            continue;
        }
        past_to_present(r);
        if (r->vm->stop == VM_RUNNING)          /* *why may be that of a step that ends here */
            return false;
        *why = r->ended;
        return true;
    }
    if (control_holds_irqs(r->control) && !r->inside)
        r->unfaithful = true;
    if ((reverse_due(r) || r->wall_due) && !r->unfaithful) {
        past_take(r, r->wall_due);
        r->wall_due = false;
    }
    return false;
}

void reverse_ended(struct reverse *r, const struct link_stop *why)
{
    r->ended = *why;
}

/* ---- asking, and the beginning ---- */

/* The newest place there is, from outside and from inside. */
void past_newest(const struct reverse *r, uint64_t *icount, uint64_t *seq)
{
    *icount = r->inside ? r->present->icount : r->vm->cpu.icount;
    *seq = r->inside ? r->present->seq : r->vm->trace ? r->vm->trace->ring->head : 0;
}

void reverse_status(const struct reverse *r, struct link_past *p)
{
    const struct checkpoint *first = r->ok ? checkpoints_first(r->all) : NULL;
    *p = (struct link_past){ .ok = r->ok && first, .inside = r->inside, .max_bytes = r->max_bytes,
                             .seq = r->vm->trace ? r->vm->trace->ring->head : 0 };
    if (!first)
        return;
    past_newest(r, &p->newest_icount, &p->newest_seq);
    p->begin_icount = first->icount;
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
    r->ok = vm->cfg.engine->counts && vm->cfg.engine->save && !vm->peer;
    r->all = checkpoints_new(vm, max_bytes);
    if (r->all)
        return r;
    free(r);
    return NULL;
}
