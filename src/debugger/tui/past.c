/*
 * debugger/tui/past.c -- registers out of a trace, backwards: the last instruction that
 * changed one says what it is.
 */
#include "debugger/tui/past.h"

#include <string.h>

#include "base/host.h"
#include "debugger/trace/filter.h"
#include "debugger/tui/tui.h"

#define MAX_LOOKED 2000000      /* instructions; what was set before them stays unknown */
#define AT_ONCE_NS 500000

void past_close(struct past *p) { filter_free(p->insns); }

void past_begin(struct past *p, struct tui *t)
{
    struct filter_error err;
    struct filter *f = p->insns ? p->insns : filter_compile("kind in (INSN, REG)", NULL, &err);
    *p = (struct past){ .insns = f, .at = t->cursor, .done = !f || !tui_n_events(t) };
    past_work(p, t, AT_ONCE_NS);
}

static void learn(struct past *p, uint64_t reg, uint64_t value, bool last)
{
    if (reg >= 16 || p->known >> reg & 1)
        return;
    p->value[reg] = value;
    p->known |= 1u << reg;
    p->changed |= (uint32_t)last << reg;
}

/* A REG belongs to the INSN before it, so what comes up to the first INSN is the last one's. */
static void take_event(struct past *p, const struct trace_event *e)
{
    bool insn = e->kind == TRACE_INSN;
    learn(p, e->arg[0], e->arg[1], !p->any);
    if (insn && !p->any) {
        p->rflags = e->arg[2];
        p->any = true;
    }
    p->looked += insn;
}

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
