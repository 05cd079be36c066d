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

/* A breakpoint, and what was made of it. */
struct point {
    struct link_break b;
    struct filter    *filter;           /* BREAK_EVENT; else NULL */
    struct expr_names *names;           /* of the condition, at code; else NULL */
    uint8_t           old[MAX_WATCH];   /* BREAK_CHANGE: what was there */
    bool              old_ok;           /* the bytes were mapped, and `old` has them */
};

/* The instruction that is being stepped, where the engine cannot watch: its memory
 * operands, and the registers before it.  See stops_touch.c. */
struct stops_ahead {
    struct operand   operand[MAX_OPERANDS];
    unsigned         n, len;            /* operands; bytes of the instruction */
    bool             jumps;             /* it need not go on behind itself */
    struct cpu_state before;
};

/* A row of the table of code addresses; several breakpoints may be at one. */
struct code_point { gla_t at; unsigned nr; };

struct stops {
    struct vm            *vm;
    struct condition_world world;
    struct trace_text     text;

    /* The list, in ascending numbers. */
    struct point         *point;
    size_t                n, cap;
    unsigned              next_nr;
    uint64_t              seen;         /* events up to this one were looked at */
    bool                  has_events;   /* some breakpoint is on events, and enabled */
    bool                  rehearsing;   /* hits are neither counted nor the end of anything */

    /* Tables made from the list; room for `cap` of data, for twice as much code (each may be at
     * two addresses, symbols_loaded_at()), and one more of code. */
    struct code_point    *code_point;   /* by address: which breakpoints are there */
    size_t                n_code;
    unsigned             *data_point;   /* numbers of those at data[], in its order */
    bool                  stale;        /* the list has changed since they were made */

    /* What the engine was told last. */
    struct debug_stops    told;         /* it points to the next two */
    gla_t                *code;         /* each address once, the extra one included */
    struct data_stop     *data;
    gla_t                 extra;        /* one more place, where run control wants to stop */
    bool                  has_extra;
    bool                  refused;      /* the engine cannot: the guest is stepped instead */

    struct stops_ahead    ahead;
};

/* By its number; NULL: there is none. */
struct point *stops_find(const struct stops *s, unsigned nr);
/* Read the bytes that are watched for a change, to compare with later. */
void stops_remember_point(struct stops *s, struct point *p);

/* Behind the step: the operands that stops_look_ahead() noted are corrected by what the instruction
 * really did. */
void stops_look_behind(struct stops *s);
/* Was b touched by that instruction, in a way it watches for?  *at: the first watched byte
 * that was. */
bool stops_touched(const struct stops *s, const struct link_break *b, gla_t *at);

#endif
