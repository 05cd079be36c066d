/*
 * debugger/tui/past.h -- the guest's registers at the selected event of a recording, put
 * together from the instructions recorded before it (`--trace-insns`).
 */
#ifndef DEBUGGER_TUI_PAST_H
#define DEBUGGER_TUI_PAST_H

#include "base/types.h"

struct tui;
struct filter;

struct past {
    struct filter *insns;       /* NULL until the first use */
    uint64_t at;                /* where the search goes on, backwards */
    uint64_t looked;
    bool     any, done;         /* any: an instruction was found; done: nothing more will be */
    uint64_t value[16], rflags;
    uint32_t known, changed;    /* bits by register; changed by the last instruction */
};

void past_begin(struct past *p, struct tui *t);         /* another event is selected */
bool past_work(struct past *p, struct tui *t, uint64_t budget_ns);      /* more to do: true */
void past_close(struct past *p);

#endif
