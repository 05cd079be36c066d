/*
 * debugger/tui/past.h -- the guest's registers at the selected event of a recording, put
 * together from the instructions recorded before it (`--trace-insns`).
 *
 * A recording holds no copy of the registers.  With --trace-insns it holds an INSN event
 * for each instruction and a REG event for each further register that it changed.  So one
 * looks backwards from the selected event: the first value met for a register is its
 * latest, and after sixteen different ones all are known.
 *
 * It is done a little at a time: past_begin() once, then past_work() until it says false.
 */
#ifndef DEBUGGER_TUI_PAST_H
#define DEBUGGER_TUI_PAST_H

#include "base/types.h"

struct tui;
struct filter;

/* All zero before the first use. */
struct past {
    struct filter *insns;       /* lets INSN and REG events pass; NULL until the first use */
    uint64_t at;                /* index where the search goes on, backwards               */
    uint64_t looked;            /* instructions looked at                                  */
    bool     any;               /* an instruction was found, so rflags is known            */
    bool     done;              /* what is not known by now will not be found              */
    uint64_t value[16], rflags; /* by register number: 0 is RAX, 1 RCX, 2 RDX, ...         */
    uint32_t known, changed;    /* bit n: value[n] is known; the last instruction set it   */
};

/* Another event is selected: forget what is known, and begin. */
void past_begin(struct past *p, struct tui *t);

/* Look on for about budget_ns.  True: there is more to do. */
bool past_work(struct past *p, struct tui *t, uint64_t budget_ns);
void past_close(struct past *p);        /* frees what is in *p, not p itself */

#endif
