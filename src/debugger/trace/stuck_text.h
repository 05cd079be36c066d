/*
 * debugger/trace/stuck_text.h -- what a STUCK event says, in words.
 */
#ifndef DEBUGGER_TRACE_STUCK_TEXT_H
#define DEBUGGER_TRACE_STUCK_TEXT_H

#include <stddef.h>
#include "vm/stuck.h"

/* "reads port 0x1f7 since 2.1 s: an IDE status register, no disk is there".  Returns buf.  The
 * report may come from a file and hold any numbers. */
char *stuck_text(const struct stuck_report *r, char *buf, size_t n);

#endif
