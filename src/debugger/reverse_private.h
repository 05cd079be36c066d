/*
 * debugger/reverse_private.h -- what the files of going back share; private to them.
 *
 *   reverse.c        the machine's past: in, out, forwards inside it, and what came from outside
 *   reverse_pass.c   a request under way: the passes over the past
 *   reverse_go.c     requests: what they become
 */
#ifndef DEBUGGER_REVERSE_PRIVATE_H
#define DEBUGGER_REVERSE_PRIVATE_H

#include "debugger/checkpoint.h"
#include "debugger/disasm.h"
#include "debugger/reverse.h"
#include "debugger/stops.h"

#define N_NEARBY 4
#define MAX_CODE 8

enum phase { IDLE, APPROACH, SEARCH };
enum goal { GOAL_INSN, GOAL_CODE, GOAL_EVENT };

/* A place in the past, and what is to be said there. */
struct place {
    enum goal        goal;
    uint64_t         icount, seq;
    gla_t            pc;
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
    uint64_t           begin_icount, begin_seq;
    gla_t              code[MAX_CODE];  /* SEARCH for these instead of breakpoints   */
    size_t             n_code;
    gla_t              least_sp;
    bool               looked;          /* LINK_REVERSE_NEXT: one back, and seen what is there */
    uint64_t           stopover;        /* APPROACH: take a checkpoint there         */
    uint64_t           done, total;
};

struct reverse {
    struct vm            *vm;
    struct control       *control;
    struct stops         *stops;
    struct checkpoints   *all;
    bool                  ok, wall_due, unfaithful;
    uint64_t              max_bytes;
    uint64_t              mark_ns, spacing_ns;      /* of processor time */

    struct input_log      log;

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
void past_newest(const struct reverse *r, uint64_t *icount, uint64_t *seq);

/* reverse_pass.c: begin a pass towards op.to, or a search from c (false: there is none); the end of both. */
void pass_approach(struct reverse *r);
bool pass_search_from(struct reverse *r, struct checkpoint *c);
bool pass_finish(struct reverse *r, const struct link_stop *why, struct link_stop *out);
/* The instruction the CPU stands before. */
bool pass_instruction(struct reverse *r, struct cpu_state *s, struct insn *i, uint8_t bytes[15]);

#endif
