/*
 * debugger/tui/guard.h -- a process that gives the terminal back, whatever happens
 * to the TUI.
 *
 * A process killed by SIGKILL has no chance to clean up, but the one that waits for it has.
 */
#ifndef DEBUGGER_TUI_GUARD_H
#define DEBUGGER_TUI_GUARD_H

#include "base/types.h"

/* Fork, unless there is no terminal to guard or fork() fails.  Returns true in the process
 * that is to go on and be the TUI.  Returns false in the one that has waited for it until it
 * ended: *status is then what to exit with.  Call it before any thread is started. */
bool tui_guard(int *status);

#endif
