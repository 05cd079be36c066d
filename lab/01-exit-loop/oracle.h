/*
 * lab/01-exit-loop/oracle.h -- does the loop keep the contract of vm/loop.h, where no guest sees it?
 *
 * The stand-in tells it of each call that the student's loop makes, and has it ask for the steps.
 * It looks at two moments: when the guest is about to run (is the clock right, may the CPU run,
 * has the run ended?), and when a function of the loop comes back (is what it returns true?).
 * What is wrong is an INVARIANT event (mem/invariant.h).
 *
 * A guest can ask for more, by a MARK (enum lab1_mark).  From LAB1_MARK_LOOK on the oracle is a
 * debugger: it has turns interrupted, asks for them by halves, and takes a halted machine back.
 * The guest must not notice.  From LAB1_MARK_EXAM on it sets limits and sends signals, one after
 * the other, and takes back the end of the run that each of them must cause.
 */
#ifndef LAB_01_ORACLE_H
#define LAB_01_ORACLE_H

#include "../lab/01-exit-loop/calls.h"
#include "base/vclock.h"
#include "mem/invariant.h"
#include "vm/vm.h"

/* Have the submission do LAB1_STEP, _PREPARE or _TURN: what that returned, and enum lab1_left. */
typedef uint64_t oracle_ask_fn(void *arg, unsigned what, uint64_t *left);

/* Limits that are set, or a signal that comes, and how the run must end then. */
struct exam;

struct oracle {
    struct vm     *vm;
    oracle_ask_fn *ask;
    void          *arg;
    enum lab1_mark mode;            /* LAB1_MARK_REST: only look on                        */
    unsigned       n_steps;         /* since that mark                                     */
    unsigned       concluded;       /* exits, in this step                                 */
    bool           unfinished;      /* the turn is prepared: nothing may be done but run   */
    struct {                        /* what the loop owes, in the order of its contract    */
        bool     answered, charged; /* of the exit that is held                            */
        bool     budget;            /* what vcpu_run() may be given was asked just now     */
        uint64_t most;              /* and is this                                         */
        unsigned prepared;          /* the calls before the guest runs: a BIT for each     */
    } done;
    bool           in_turn, came_back;      /* vm_turn() was asked for; there was no exit  */
    bool           armed;           /* this timer is due, and has not rung                 */
    struct vtimer  alarm;
    bool           pauses, paused;  /* the next wait may be cut short; it was              */
    unsigned       n_pauses;        /* of this HLT                                         */
    unsigned       n_told[N_INVARIANTS];    /* events written                              */
    unsigned       row;             /* the next exam                                       */
    const struct exam *exam;        /* being held                                          */
    bool           passed;          /* the loop has ended the run for it                   */
    bool           reset_wanted;    /* by the exam; the machine itself is not reset        */
    bool           anew;            /* the end was taken back: a turn that was prepared is not */
    bool           was_halted;      /* the CPU, when it began; the guest has not run since */
    uint64_t       limit_insns, limit_exits;    /* of the exam                             */
};

void oracle_init(struct oracle *o, struct vm *vm, oracle_ask_fn *ask, void *arg);

/* One step, in one piece or in two. */
void oracle_step(struct oracle *o);

/* The loop calls this (enum lab1_call), with this argument; it was done. */
void oracle_called(struct oracle *o, unsigned what, uint64_t a);
void oracle_did(struct oracle *o, unsigned what);

/* It asks how long the guest may run, and is told `most`, which is returned. */
uint64_t oracle_budget(struct oracle *o, uint64_t most);

/* It resets the machine.  True: that is an exam's affair, and the machine stays as it is. */
bool oracle_resets(struct oracle *o);

/* It is about to run the guest for so long; the CPU has come back, with an exit or without. */
void oracle_runs(struct oracle *o, uint64_t budget);
void oracle_ran(struct oracle *o, bool exited);
void oracle_concluded(struct oracle *o);

/* That exit is about to be concluded: is all as the handler left it, the verdict and the record? */
void oracle_concludes(struct oracle *o, const struct vmexit *x, bool same);

/* It is about to wait for an interrupt, and has. */
void oracle_waits(struct oracle *o);
void oracle_waited(struct oracle *o);

/* It ends the run.  True: that is an exam's affair, and the machine goes on. */
bool oracle_stops(struct oracle *o, enum vm_stop why);

/* The guest has written this mark. */
void oracle_mark(struct oracle *o, uint32_t mark);

/* What an exam changes of what the loop sees. */
void oracle_view(const struct oracle *o, struct lab1_view *view);

#endif
