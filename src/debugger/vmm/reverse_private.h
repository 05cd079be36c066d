/*
 * debugger/vmm/reverse_private.h -- what the files of going back share; private to them.
 *
 *   reverse.c        the machine's past: in, out, forwards inside it, and what came from outside
 *   reverse_pass.c   a request under way: the passes over the past
 *   reverse_go.c     requests: what they become
 *   reverse_exits.c  what is different where instructions are not counted
 */
#ifndef DEBUGGER_VMM_REVERSE_PRIVATE_H
#define DEBUGGER_VMM_REVERSE_PRIVATE_H

#include "debugger/symbols/disasm.h"
#include "debugger/vmm/reverse.h"
#include "debugger/vmm/stops.h"
#include "vm/checkpoint.h"

#define N_NEARBY 4
#define MAX_CODE 8

enum phase { IDLE, APPROACH, SEARCH };
enum goal { GOAL_INSN, GOAL_CODE, GOAL_EVENT };

/* A place in the past, and what is to be said there. */
struct place {
    enum goal        goal;
    uint64_t         progress, seq;
    gla_t            pc;
    struct checkpoint *base;            /* of a code stop: found from here;             */
    uint64_t         nth, sum;          /* or, if that is not 0, with these registers */
    struct link_stop why;
    bool             found;
};

struct op {
    enum link_run      how;
    enum phase         phase;
    struct place       to;              /* APPROACH; of SEARCH the last hit          */
    struct checkpoint *from;            /* where the pass began                      */
    struct checkpoint *origin;          /* where the request was made; may be NULL   */
    uint64_t           limit;           /* SEARCH: hits at or behind it do not count */
    uint64_t           begin_progress, begin_seq;
    gla_t              code[MAX_CODE];  /* SEARCH for these instead of breakpoints   */
    size_t             n_code;
    gla_t              least_sp;
    bool               looked;          /* LINK_REVERSE_NEXT: one back, and seen what is there */
    uint64_t           stopover;        /* APPROACH: take a checkpoint there         */
    uint64_t           done, total;
};

struct touch_note { gpa_t gpa; uint64_t at; /* in the log */ };

struct reverse {
    struct vm            *vm;
    struct control       *control;
    struct stops         *stops;
    struct checkpoints   *all;
    bool                  ok, wall_due, unfaithful;
    uint64_t              max_bytes;
    uint64_t              mark_ns, spacing_ns;      /* of processor time */

    struct input_log      log;

    /* By exit (reverse_exits.c): */
    bool                  by_exit;      /* the engine does not count                  */
    bool                  known;        /* the CPU stands where it will come again    */
    bool                  kicked;       /* the last exit was no place                 */
    bool                  input_waits;  /* for one                                    */
    bool                  astray;       /* inside: another exit came than then        */
    bool                  drifted;      /* the same, with other registers             */
    bool                  midway;       /* now only: an instruction is not yet done   */
    const struct input   *expected;     /* the exit that is about to be compared      */
    uint64_t              hits;         /* of code stops, since the machine was put back */
    struct place          last_stop;    /* of code; base NULL: an exit came since      */
    struct place          present_stop; /* the same, of the present */
    uint64_t              look_ns;
    struct touch_note    *touches;      /* first ones, ascending                      */
    size_t                n_touches, room_for_touches;
    void                (*alarm)(uint64_t host_ns);     /* the machine's, which is silent inside */

    bool                  inside;
    struct checkpoint    *present;      /* where `inside` was entered from            */
    struct checkpoint    *wall;         /* running forwards inside: to here           */
    struct trace_ring    *live, *own;
    uint64_t              live_mask;
    struct link_stop      ended;        /* if the guest has ended at the present      */
    struct checkpoint    *nearby[N_NEARBY];
    unsigned              next_nearby;
    struct op             op;
};

/* reverse.c */
struct checkpoint *past_take(struct reverse *r, bool wall);
void past_return_to(struct reverse *r, struct checkpoint *c);
bool past_enter(struct reverse *r);
void past_to_present(struct reverse *r);
void past_begin_again(struct reverse *r);
void past_newest(const struct reverse *r, uint64_t *progress, uint64_t *seq);

bool past_at_wall(const void *r);               /* by exit: from here on it cannot run; to r->wall */
/* The machine stands at c.  Was that a code stop, and is one? */
bool past_stop_at(struct reverse *r, const struct checkpoint *c, struct link_stop *why);
void past_pass_wall(struct reverse *r);         /* to behind it; maybe out of the past             */

/* reverse_exits.c: the machine was put elsewhere, or the log cut, at its end or its beginning; there
 * is more in the log for a halted CPU. */
void exits_elsewhere(struct reverse *r);
void exits_forget_future(struct reverse *r);
void exits_forget_past(struct reverse *r, uint64_t n);
bool exits_sleep_on(struct reverse *r);
/* Steps are not counted, so where the guest was when it last stopped is remembered: is it behind
 * that, with no exit between?  Does it stand at p? */
void exits_note_stop(struct reverse *r, const struct link_stop *why);
void exits_set_stop(struct place *at, const struct place *p);   /* NULL: there is none */
bool exits_passed_stop(struct reverse *r);
bool exits_at_sum(struct reverse *r, const struct place *p);

/* reverse_pass.c: begin a pass towards op.to, or a search from c (false: there is none); the end of both. */
void pass_approach(struct reverse *r);
bool pass_search_from(struct reverse *r, struct checkpoint *c);
bool pass_finish(struct reverse *r, const struct link_stop *why, struct link_stop *out);
/* The instruction the CPU stands before. */
bool pass_instruction(struct reverse *r, struct cpu_state *s, struct insn *i, uint8_t bytes[15]);

#endif
