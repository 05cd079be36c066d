/*
 * cpu/soft/system/undelivered.c -- a delivery has failed: keep why, for whoever asks later.
 *
 * Deliveries cost nothing more than before: they keep no account of what they do.  Only the
 * place that refuses to go on says why (fault_because()), and a page fault needs not even
 * that, for its address tells what was being read or written: a gate, a descriptor, the TSS,
 * or else the stack.  When the run loop learns of the second exception it calls
 * undelivered_add(), which adds a step to s->undelivered and logs it.  By then the reason of the
 * first exception is forgotten, so undelivered_begin() has kept it: two stores an exception.
 *
 * Nothing here changes what the guest sees.
 */
#include "cpu/soft/system/system.h"

#include <Zydis/Mnemonic.h>

#include "base/trace.h"

static bool lies_in(gla_t gla, uint64_t base, uint64_t bytes)
{
    return gla - base < bytes;
}

/* What the CPU touched at gla while it delivered `vector`.  An access that straddles two pages
 * is reported at the second, so tables are compared by their whole extent; only of the IDT is
 * it known which gate was read.  What is none of the tables is the stack: nothing else is
 * accessed.  (Of a task gate it may be the new task's TSS, which is not looked for.) */
static enum obstacle page_obstacle(const struct soft *s, unsigned vector, gla_t gla)
{
    unsigned size = real_mode(s) ? 4 : long_mode(s) ? 16 : 8;
    const struct segment *ldt = &s->seg[SEG_LDTR], *tr = &s->seg[SEG_TR];

    if (lies_in(gla, s->idtr.base + vector * size, size))
        return OBSTACLE_IDT_PAGE;
    if (real_mode(s))
        return OBSTACLE_STACK_PAGE;
    if (lies_in(gla, s->gdtr.base, s->gdtr.limit + UINT64_C(1)) ||
        ((ldt->attr & SEG_P) && lies_in(gla, ldt->base, ldt->limit + UINT64_C(1))))
        return OBSTACLE_TABLE_PAGE;
    if ((tr->attr & SEG_P) && lies_in(gla, tr->base, tr->limit + UINT64_C(1)))
        return OBSTACLE_TSS_PAGE;
    return OBSTACLE_STACK_PAGE;
}

void undelivered_begin(struct soft *s, const struct event *e)
{
    struct delivery_chain *c = &s->undelivered;

    if (c->n)
        return;
    c->cause = e->type == EVENT_EXCEPTION ? s->obstacle : OBSTACLE_UNKNOWN;
    c->cause_at = s->obstacle_at;
}

void undelivered_add(struct soft *s, const struct event *first, const struct event *second)
{
    struct delivery_chain *c = &s->undelivered;
    enum obstacle why = s->obstacle;
    uint64_t at = s->obstacle_at;

    if (second->vector == VEC_PF) {
        why = page_obstacle(s, first->vector, second->cr2);
        at = second->cr2;
    }
    if (!c->n && first->type == EVENT_SOFTWARE)
        c->cause = OBSTACLE_UNKNOWN;
    if (c->n < DELIVERY_STEPS)
        c->n++;
    c->step[c->n - 1] = (struct delivery_step){
        .rip = s->rip, .at = at, .cr2 = first->cr2, .error = first->error,
        .second_error = second->error, .cs = s->seg[SEG_CS].sel, .vector = first->vector,
        .type = (uint8_t)first->type, .has_error = first->has_error, .obstacle = (uint8_t)why,
        .second_vector = second->vector, .ring = s->cpl,
    };
    s->obstacle = OBSTACLE_UNKNOWN;
    trace_enter(s->v->trace, vcpu_log_at(s->v, s->rip, &s->code, s->icount,
                                         TRACE_UNDELIVERED, first->vector, why, at));
}

/* INT n and its kin deliver as part of an instruction: s->delivering is empty, and the
 * exception that came of it looks like any other.  Its obstacle gives it away, or the page
 * fault: these instructions access nothing else. */
bool undelivered_is_int(const struct soft *s, const struct uop *u, struct event *e)
{
    bool in_delivery = s->obstacle != OBSTACLE_UNKNOWN && s->obstacle < FIRST_REFUSAL;

    if (!u || (!in_delivery && s->raised.vector != VEC_PF))
        return false;
    *e = (struct event){ .type = EVENT_SOFTWARE, .len = u->len };
    switch (u->mnemonic) {
    case ZYDIS_MNEMONIC_INT:  e->vector = (uint8_t)u->imm; return true;
    case ZYDIS_MNEMONIC_INT1: e->vector = VEC_DB;          return true;
    case ZYDIS_MNEMONIC_INT3: e->vector = VEC_BP;          return true;
    case ZYDIS_MNEMONIC_INTO: e->vector = VEC_OF;          return true;
    default:                  return false;
    }
}
