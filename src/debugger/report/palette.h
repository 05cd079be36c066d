/*
 * debugger/report/palette.h -- one colour for each exit reason, for ever: in a report of any run,
 * in two reports side by side, on slides.  A reader who has learnt that HLT is grey need not look
 * at a legend again.
 *
 * Related reasons have related colours: blue is devices, green is memory, orange and red are what
 * a CPU instruction asks for, grey is waiting, purple is trouble.  Neighbours in a figure differ in
 * lightness as well, for those who do not tell colours apart; and what a colour says, a word says
 * too.
 */
#ifndef DEBUGGER_REPORT_PALETTE_H
#define DEBUGGER_REPORT_PALETTE_H

#include "base/types.h"

/* The colour of the exit reason with this index (enum exit_index), as "#rrggbb".  Of any other
 * number that of reasons that this program does not know. */
const char *palette_of_exit(unsigned index);

#endif
