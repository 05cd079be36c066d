/*
 * debugger/vmm/stops_private.h -- what stops.c (the list), stops_hit.c and stops_touch.c share.
 */
#ifndef DEBUGGER_VMM_STOPS_PRIVATE_H
#define DEBUGGER_VMM_STOPS_PRIVATE_H

#include "cpu/accesses.h"
#include "cpu/exit.h"
#include "debugger/trace/filter.h"
#include "debugger/trace/text.h"
#include "debugger/vmm/condition.h"
#include "debugger/vmm/stops.h"
#include "vm/vm.h"

#define MAX_WATCH  64                   /* bytes remembered to see a change */

struct point {
    struct link_break b;
    struct filter    *filter;
    struct expr_names *names;           /* of the condition, at code; else NULL */
    uint8_t           old[MAX_WATCH];   /* BREAK_CHANGE: what was there */
    bool              old_ok;
};

/* The instruction that is being stepped, where the engine cannot watch; see stops_touch.c. */
struct stops_ahead {
    struct operand   operand[MAX_OPERANDS];
    unsigned         n, len;
    bool             jumps;
    struct cpu_state before;
};

struct code_point { gla_t at; unsigned nr; };

struct stops {
    struct vm            *vm;
    struct condition_world world;
    struct trace_text     text;
    struct point         *point;
    size_t                n, cap;
    unsigned              next_nr;
    uint64_t              seen;         /* events up to this one were looked at */

    /* For the engine; room for `cap` of each, and one more of code. */
    struct debug_stops    told;
    gla_t                *code;         /* of code_point, and somebody's extra one */
    struct data_stop     *data;
    struct code_point    *code_point;
    unsigned             *data_point;
    size_t                n_code;
    bool                  stale, refused, has_events;
    bool                  rehearsing;   /* hits are neither counted nor the end of anything */
    gla_t                 extra;        /* as told last */
    bool                  has_extra;
    struct stops_ahead    ahead;
};

/* By its number; NULL: there is none. */
struct point *stops_find(const struct stops *s, unsigned nr);
/* What is in the bytes that are watched for a change. */
void stops_remember_point(struct stops *s, struct point *p);

/* Behind the step: what of stops_look_ahead() came true; and did that touch this? */
void stops_look_behind(struct stops *s);
bool stops_touched(const struct stops *s, const struct link_break *b, gla_t *at);

#endif
