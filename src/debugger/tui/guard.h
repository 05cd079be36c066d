/*
 * debugger/tui/guard.h -- a process that gives the terminal back, whatever happens
 * to the TUI.
 */
#ifndef DEBUGGER_TUI_GUARD_H
#define DEBUGGER_TUI_GUARD_H

#include "base/types.h"

/* Returns true in the process that is to go on and be the TUI (also if there is no
 * terminal); false, with its exit status, in the one that has waited for it. */
bool tui_guard(int *status);

#endif
