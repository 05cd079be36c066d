/*
 * debugger/report/last_words.h -- what else there is to say when a run has ended: things that
 * the guest did and that went wrong without stopping it.
 *
 * Why it ended is told by explain.h.
 */
#ifndef DEBUGGER_REPORT_LAST_WORDS_H
#define DEBUGGER_REPORT_LAST_WORDS_H

#include <stdio.h>
#include "vm/vm.h"

struct symbols;

/* One line for each kind of thing that the guest has done and that hardware leaves undefined
 * (io/oddity.h), with how often, and what would be right.  The machine counts them whether or
 * not there is a trace.  `lost_output`: only the bytes that never reached the user, which
 * are worth a line even after a run that ended well.  Of writes that were lost the first one's
 * place is told, named by `symbols` (may be NULL). */
void oddities_say(const struct vm *vm, const struct symbols *symbols, bool lost_output, FILE *out);

#endif
