/*
 * debugger/vmm/reverse_private.h -- what the files of going back share; private to them.
 *
 *   reverse.c        the machine's past: the way in and out, running forwards inside it, the
 *                    log of what came from outside
 *   reverse_pass.c   a request under way: passes over the past
 *   reverse_go.c     requests, and which passes they become
 *   reverse_insns.c  positions of an engine that counts instructions
 *   reverse_exits.c  positions of one that does not: exits
 *
 * The first three do not ask what is counted.  What differs is behind struct axis, which
 * reverse_new() chooses once.
 */
#ifndef DEBUGGER_VMM_REVERSE_PRIVATE_H
#define DEBUGGER_VMM_REVERSE_PRIVATE_H

#include "debugger/symbols/disasm.h"
#include "debugger/vmm/reverse.h"
#include "debugger/vmm/stops.h"
#include "vm/checkpoint.h"

#define N_NEARBY 4                      /* checkpoints on the way that are kept: make_nearby() */
#define MAX_CODE 8                      /* places a return may have been called from       */

/* What a way back is doing (reverse_pass.c), and what kind of place it is looking for: an
 * instruction count, a stop before the instruction at some address, the end of an event. */
enum phase { IDLE, APPROACH, SEARCH };
enum goal { GOAL_INSN, GOAL_CODE, GOAL_EVENT };

/* A place in the past, and what is to be said there. */
struct place {
    enum goal        goal;
    uint64_t         progress, seq;     /* vm_progress(), or GOAL_EVENT: the event's number */
    gla_t            pc;                /* GOAL_CODE: linear address                       */
    /* By exit a code stop (GOAL_CODE) is found by running from `base`: it is the nth code stop
     * from there, or, if sum is not 0, the one with these registers. */
    struct checkpoint *base;
    uint64_t         nth, sum;
    struct link_stop why;
    bool             is_hit;            /* of a SEARCH: something was found            */
};

/* A request that is being carried out. */
struct op {
    enum link_run      how;
    enum phase         phase;
    struct place       to;              /* APPROACH; of SEARCH the last hit            */
    struct checkpoint *from;            /* where the pass began                        */
    struct checkpoint *origin;          /* where the request was made; may be NULL     */
    uint64_t           limit;           /* SEARCH: hits at or behind it do not count   */
    uint64_t           begin_progress, begin_seq;
    gla_t              code[MAX_CODE];  /* SEARCH for these instead of breakpoints     */
    size_t             n_code;
    gla_t              least_sp;        /* and there only with a stack this high or higher */
    bool               return_checked;  /* LINK_REVERSE_NEXT went one back and looked whether
                                           a return is there                           */
    uint64_t           stopover;        /* APPROACH: take a checkpoint there; 0: no    */
    uint64_t           done, total;     /* for the user: instructions, or exits            */
};

/* The guest touched this page first when the log had so many entries. */
struct touch_note { gpa_t gpa; uint64_t at; };

/* What only reverse_exits.c needs to know.  A *position* is a place that replaying comes to
 * again: behind an exit of the guest's own, or where a checkpoint is.
 *
 * See reverse_exits.c.  Grouped: where the CPU stands, what replaying has found, the last
 * stop. */
struct exit_past {
    bool                at_position;    /* the CPU stands at one                               */
    bool                last_is_no_position;    /* the last exit can come anywhere: a kick, an
                                           interrupt window, or one whose answer is a reset    */
    bool                input_waits;    /* for the guest to be at a position                   */
    bool                replay_diverged;        /* inside: another exit came than then         */
    bool                registers_diverged;     /* the same exit, with other registers         */
    bool                inside_instruction;     /* this first touch came in the midst of one   */
    const struct input *expected;       /* the exit in the log that is to be compared next     */
    struct place        last_stop;      /* of code; base NULL: an exit came since              */
    struct place        present_stop;   /* the same, of the present                            */
    uint64_t            look_ns;        /* host time of the next look for a request            */
    struct touch_note  *touches;        /* ascending                                           */
    size_t              n_touches, room_for_touches;
    void              (*alarm)(uint64_t host_ns);   /* the machine's, which is silent inside   */
};

struct axis;

/* Going back, of one machine: the recording, the past, the request. */
struct reverse {
    const struct axis    *axis;
    struct vm            *vm;
    struct control       *control;
    struct stops         *stops;

    /* The recording: checkpoints, and what came from outside between them. */
    struct checkpoints   *all;
    struct input_log      log;
    bool                  can_go_back;  /* this engine can be taken back at all               */
    bool                  next_is_wall; /* the user changed the machine: the next checkpoint
                                           cannot be run into                                 */
    bool                  cannot_be_repeated;   /* something since the last checkpoint was not
                                           logged: the recording must begin anew              */
    uint64_t              max_bytes;
    uint64_t              mark_ns, spacing_ns;      /* processor time of the last checkpoint,
                                           and from there to the next                     */
    uint64_t              hits;         /* code stops since the machine was put back          */
    struct exit_past      exits;

    /* The past, while the guest is in it. */
    bool                  inside;
    struct checkpoint    *present;      /* where `inside` was entered from            */
    struct checkpoint    *wall;         /* running forwards inside: to here           */
    struct trace_ring    *live, *own;   /* the trace's ring, and ours for known events    */
    uint64_t              live_mask;    /* of the trace at the present                    */
    struct link_stop      ended;        /* if the guest has ended at the present      */

    /* The request that is being carried out (op.phase IDLE: none). */
    struct op             op;
    struct checkpoint    *nearby[N_NEARBY];
    unsigned              next_nearby;
};

/* What the guest's progress is counted in, and all that follows from it. */
struct axis {
    bool is_by_exit;                    /* for the user's eyes (struct link_past)                */
    bool takes_checkpoints_anywhere;    /* and not only at positions                             */
    bool approaches_from_here;          /* when the goal is ahead, without going back first      */
    bool code_stops_need_base;          /* a code stop is only found from the place's `base`     */
    bool restarts_by_itself;            /* a broken recording begins anew as the guest runs on   */
    const char *cannot_enter;           /* why the past cannot be entered where the guest stands */

    /* Positions. */
    bool (*at_position)(const struct reverse *r);
    void (*mark)(struct reverse *r, struct checkpoint *c);      /* c was taken here just now     */
    bool (*at_wall)(const struct reverse *r);       /* inside: it cannot run on, but to r->wall  */
    void (*set_horizon)(struct reverse *r);         /* how far control_turns() may run           */

    /* The past was entered or left; the machine was put elsewhere; the log's end was cut off,
     * or its first n entries dropped. */
    void (*entered)(struct reverse *r);
    void (*left)(struct reverse *r);
    void (*elsewhere)(struct reverse *r);
    void (*log_cut)(struct reverse *r);
    void (*log_dropped)(struct reverse *r, uint64_t n);

    /* What comes from outside, as it happens first and as it is played.  play_sleep:
     * VCLOCK_NEVER where the log ends. */
    uint64_t (*measured)(struct reverse *r, uint64_t now);
    void     (*exit_comes)(struct reverse *r, const struct vmexit *x);
    void     (*exit_answered)(struct reverse *r);
    bool     (*takes_input)(struct reverse *r, enum input_hook hook);
    void     (*note_sleep)(struct reverse *r, uint64_t ns, uint64_t passed);
    uint64_t (*play_sleep)(struct reverse *r, uint64_t ns);

    /* Requests, and passes.  check: 0, or -errno and a sentence. */
    int  (*check)(const struct reverse *r, enum link_run how, char *why, size_t size);
    void (*note_data_hit)(struct reverse *r, gla_t at, const struct link_stop *why);
    bool (*is_at_code)(struct reverse *r, const struct vmexit *x);  /* a stop: is it op.to?      */
    bool (*has_arrived)(struct reverse *r);         /* at op.to, and no stop needs to say so     */
    bool (*searches_to_wall)(const struct reverse *r);  /* farther than op.limit                 */
    /* The guest was stopped.  True: in front of the wall, which is not to be passed now. */
    bool (*note_stop)(struct reverse *r, const struct link_stop *why);
    /* The guest did something else than it did then: end the way back and say so. */
    void (*say_lost)(struct reverse *r, struct link_stop *why);
};

/* The two of them: reverse_insns.c and reverse_exits.c. */
extern const struct axis axis_insns, axis_exits;

/* ---- reverse.c ---- */

/* A checkpoint of the machine as it stands.  NULL: no memory, or not possible just here. */
struct checkpoint *past_take(struct reverse *r, bool wall);
/* Put the machine to c.  There must be memory for that: the machine would be lost. */
void past_return_to(struct reverse *r, struct checkpoint *c);
/* Go in: take a checkpoint of the present and silence the machine.  False: no memory, or
 * the engine cannot be saved where it stands (axis->cannot_enter). */
bool past_enter(struct reverse *r);
/* Put the machine to the present and leave the past. */
void past_to_present(struct reverse *r);
/* Forget the whole past; the recording begins where the machine stands. */
void past_begin_again(struct reverse *r);
/* The newest place that was ever reached. */
void past_newest(const struct reverse *r, uint64_t *progress, uint64_t *seq);

/* The machine stands at c.  Was that a code stop, and is one? */
bool past_stop_at(struct reverse *r, const struct checkpoint *c, struct link_stop *why);
/* The machine is at r->wall's foot: put it behind, which may be out of the past. */
void past_pass_wall(struct reverse *r);

/* ---- reverse_exits.c ---- */

/* Steps are not counted, so the place of the last code stop is remembered.  set: at becomes p
 * (NULL: none).  passed: the guest has run past it, with no exit between. */
void exits_set_stop(struct place *at, const struct place *p);
bool exits_passed_stop(struct reverse *r);

/* ---- reverse_pass.c ---- */

/* Begin a pass towards op.to. */
void pass_approach(struct reverse *r);
/* Begin a search from c up to op.limit.  False: c is NULL, there is nothing older to
 * search. */
bool pass_search_from(struct reverse *r, struct checkpoint *c);
/* The request is over; *out is what the user is told, made from *why.  Always true. */
bool pass_finish(struct reverse *r, const struct link_stop *why, struct link_stop *out);
/* The search has come upon something here. */
void pass_note_hit(struct reverse *r, enum goal goal, uint64_t progress, gla_t pc,
                   const struct link_stop *why);
/* The instruction the CPU stands before. */
bool pass_instruction(struct reverse *r, struct cpu_state *s, struct insn *i, uint8_t bytes[15]);

#endif
