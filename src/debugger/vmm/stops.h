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

struct stops *stops_new(struct vm *vm, const struct symbols *symbols, struct debuginfo *info);

/* 0 and b->nr; -EINVAL, -ENOMEM and a sentence. */
int  stops_add(struct stops *s, struct link_break *b, char *why, size_t n);
int  stops_change(struct stops *s, const struct link_break *b, char *why, size_t n);
int  stops_delete(struct stops *s, unsigned nr);
int  stops_at(const struct stops *s, size_t i, struct link_break *b);

/* Have the engine look out for them, and for code at `extra` (NULL: nowhere else) and outside
 * [lo, hi) (lo == hi: no).  Costs nothing if nothing has changed. */
void stops_tell_engine(struct stops *s, const gla_t *extra, gla_t lo, gla_t hi);
/* It cannot do that, or has no stops of its own: somebody must step and look. */
bool stops_need_steps(const struct stops *s);

bool stops_code_hit(struct stops *s, gla_t at, struct link_stop *why);
/* x: EXIT_BREAKPOINT about data. */
bool stops_data_hit(struct stops *s, const struct vmexit *x, struct link_stop *why);
/* Without the engine's help: what the instruction that is to be stepped will touch is found by
 * decoding it; and behind it: has anything watched changed, or was it touched? */
void stops_look_ahead(struct stops *s);
bool stops_changed(struct stops *s, struct link_stop *why);
/* The events since last time.  All are looked at: each may count a hit, and the first
 * that stops is the one told. */
bool stops_events_hit(struct stops *s, struct link_stop *why);

/* From now on hits are looked for in what was done already: they do not count, and
 * nothing that is temporary goes.  Or no more. */
void stops_rehearse(struct stops *s, bool on);
/* This one has been come back to, and is gone if it is temporary. */
void stops_met(struct stops *s, unsigned nr);
/* The machine stands somewhere else: what was told the engine, seen and remembered is void. */
void stops_elsewhere(struct stops *s);

/* Memory was changed by the user: what was remembered of it is void. */
void stops_remember(struct stops *s);

/* "stepped", for a reason of run control's own; returns true. */
bool stops_say(struct link_stop *stop, enum link_stop_why why, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
