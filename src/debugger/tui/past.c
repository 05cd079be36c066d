/*
 * debugger/tui/past.c -- registers out of a trace, backwards: the last instruction that
 * changed one says what it is.  How that works is in past.h.
 */
#include "cpu/insn_event.h"
#include "debugger/tui/past.h"

#include <string.h>

#include "base/host.h"
#include "debugger/trace/filter.h"
#include "debugger/tui/tui.h"

#define MAX_LOOKED 2000000      /* instructions; a register set before them stays unknown */
#define AT_ONCE_NS 500000       /* of the search, as another event is selected */

void past_close(struct past *p) { filter_free(p->insns); }

/* The first half millisecond of the search is done at once: often that is enough, and
 * nothing flickers. */
void past_begin(struct past *p, struct tui *t)
{
    struct filter_error err;
    struct filter *f = p->insns ? p->insns : filter_compile("kind in (INSN, REG)", NULL, &err);
    *p = (struct past){ .insns = f, .at = t->cursor, .done = !f || !tui_n_events(t) };
    past_work(p, t, AT_ONCE_NS);
}

/* What a register was set to, unless a later setting is known.  is_last: by the latest
 * instruction of all. */
static void learn_register(struct past *p, uint64_t reg, uint64_t value, bool is_last)
{
    if (reg >= 16 || p->known >> reg & 1)
        return;
    p->value[reg] = value;
    p->known |= 1u << reg;
    p->changed |= (uint32_t)is_last << reg;
}

/* An INSN has the number of one register it set, that one's value, and RFLAGS; REG events
 * with further registers follow it.  Going backwards one meets those first.  So everything
 * up to and including the first INSN met was set by the latest instruction. */
static void take_event(struct past *p, const struct trace_event *e)
{
    bool insn = e->kind == TRACE_INSN;
    struct insn_event i = { .changed = (unsigned)e->arg[0] };
    if (insn)
        insn_event_unpack(e, &i);
    learn_register(p, i.changed, e->arg[1], !p->any);
    if (insn && !p->any) {
        p->rflags = i.rflags;
        p->any = true;
    }
    p->looked += insn;
}

/* Over when all sixteen are known, at the beginning of the trace, or after MAX_LOOKED
 * instructions: a register that is never set would else be sought through all of it. */
bool past_work(struct past *p, struct tui *t, uint64_t budget_ns)
{
    uint64_t end_ns = host_monotonic_ns() + budget_ns;
    bool was_done = p->done;
    while (!p->done && host_monotonic_ns() < end_ns) {
        enum store_found f = store_prev(t->store, p->insns, &p->at, budget_ns);
        const struct trace_event *e = f == STORE_FOUND ? store_at(t->store, p->at) : NULL;
        if (e)
            take_event(p, e);
        p->done = f == STORE_NONE || (f == STORE_FOUND && p->at == 0) || p->known == 0xffff ||
                  p->looked >= MAX_LOOKED;
        if (f == STORE_FOUND && p->at)
            p->at--;
    }
    t->dirty |= p->done && !was_done;
    return !p->done;
}
