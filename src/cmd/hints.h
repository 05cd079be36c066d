/*
 * cmd/hints.h -- one line for a person in front of a guest that says nothing: what it does, or
 * where to look.
 *
 * While the guest runs, hints are for a terminal only; each is given once.  When it has ended
 * they belong to the last words of `vitrine run`.
 */
#ifndef CMD_HINTS_H
#define CMD_HINTS_H

#include "cmd/options.h"
#include "cmd/terminal.h"
#include "vm/stuck.h"

struct symbols;

struct hints {
    const struct run_options *o;
    struct terminal *terminal;
    unsigned  n_told;                       /* ways of being stuck that were told */
    struct stuck_report told[4];
    bool      told_screen;
    uint64_t  next_look_ns;                 /* virtual time of the next look at the screen */
};

/* The guest is stuck: a line on stderr, unless it was told before, nobody watches, or the guest
 * only waits for what the user may type.  symbols may be NULL. */
void hint_stuck(struct hints *h, const struct stuck_report *r, const struct symbols *symbols);

/* Call it now and then while vm runs.  After some seconds without a byte on the serial line:
 * where its output may be, if it is not there. */
void hint_screen(struct hints *h, struct vm *vm);

/* The run is over: both of them, as far as they still hold. */
void hints_at_end(struct hints *h, struct vm *vm, const struct symbols *symbols);

#endif
