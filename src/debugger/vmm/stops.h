/*
 * debugger/vmm/stops.h -- the breakpoints of a machine: the list, and whether one was hit.
 *
 * In the VMM's process, used by run control (control.h) alone.  What the
 * engine is to look out for is made from the list when it has changed; what it
 * tells is looked up here: is a breakpoint enabled there, is its condition true,
 * does its count let it pass?
 *
 * Every _hit() function returns true if the guest is to stop, with *why filled in.
 */
#ifndef DEBUGGER_VMM_STOPS_H
#define DEBUGGER_VMM_STOPS_H

#include "debugger/vmm/protocol.h"

struct stops;
struct vmexit;

/* An empty list for this machine.  `symbols` and `info` give names to conditions and
 * filters; each may be NULL. All stay the caller's.  NULL: out of memory. */
struct stops *stops_new(struct vm *vm, const struct symbols *symbols, struct debuginfo *info);

/* Put a copy of b into the list: 0 and its number in b->nr; -EINVAL, -ENOSPC, -ENOMEM and
 * in why[n] a sentence. */
int  stops_add(struct stops *s, struct link_break *b, char *why, size_t n);
/* Take over b's condition, count to ignore and whether it is enabled, for breakpoint b->nr.
 * 0; -ENOENT or -EINVAL and a sentence. */
int  stops_change(struct stops *s, const struct link_break *b, char *why, size_t n);
/* 0, or -ENOENT: there is none with that number. */
int  stops_delete(struct stops *s, unsigned nr);
/* The i-th of the list, from 0 and in ascending numbers: 0, or -ENOENT behind the last. */
int  stops_at(const struct stops *s, size_t i, struct link_break *b);

/* Have the engine look out for them, and for code at `extra` (NULL: nowhere else) and outside
 * [lo, hi) (lo == hi: no).  Costs nothing if nothing has changed. */
void stops_tell_engine(struct stops *s, const gla_t *extra, gla_t lo, gla_t hi);
/* It cannot do that, or has no stops of its own: somebody must step and look. */
bool stops_need_steps(const struct stops *s);

/* The CPU stands before the instruction at the linear address `at`. */
bool stops_code_hit(struct stops *s, gla_t at, struct link_stop *why);
/* The CPU has executed XCHG BX, BX, and stands at `at` behind it.  Always true. */
bool stops_magic_hit(struct stops *s, gla_t at, struct link_stop *why);
/* x is an EXIT_BREAKPOINT about data: the engine has seen a watched byte being touched. */
bool stops_data_hit(struct stops *s, const struct vmexit *x, struct link_stop *why);
/* For engines that cannot watch, around each step.  look_ahead, before it: decode the
 * instruction and note what it will touch (stops_touch.c). changed, behind it: was anything
 * that is watched touched or changed? */
void stops_look_ahead(struct stops *s);
bool stops_changed(struct stops *s, struct link_stop *why);
/* The events since last time.  All are looked at: each may count a hit, and the first
 * that stops is the one told. */
bool stops_events_hit(struct stops *s, struct link_stop *why);

/* Going back (reverse.h) executes the past again and looks for hits there.  These were counted
 * when they happened first, so while this is on no hit is counted or used up by `ignore`, and no
 * temporary breakpoint is deleted. */
void stops_rehearse(struct stops *s, bool on);
/* Going back has ended at a hit of this one: delete it if it is temporary. */
void stops_met(struct stops *s, unsigned nr);
/* The machine stands somewhere else: what was told the engine, seen and remembered is void. */
void stops_elsewhere(struct stops *s);

/* Memory was changed by the user: what was remembered of it is void. */
void stops_remember(struct stops *s);

/* Fill in *stop: why, and the sentence.  Always true, so that a caller can return it as
 * "the guest has stopped". */
bool stops_say(struct link_stop *stop, enum link_stop_why why, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
