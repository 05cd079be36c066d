/*
 * mem/invariant.h -- what must hold of a part that a student writes, by name.
 *
 * The first argument of TRACE_INVARIANT.  A monitor that is right never breaks one, and does not
 * look: that would cost too much.  The trusted monitors of the labs (lab/NN-name/) look each time
 * before the guest runs on, and write down what is wrong first.  doc/labs.md, "invariant".
 *
 * Those of labs 5 and 6 are about tables that the processor can use, which is less than what
 * stands in some table: an entry that no root leads to may say anything.  (Only REFERENCES, COUNT
 * and ANSWER are about what a part says.)  Those of lab 1 are about the order in which the run loop
 * does things.
 */
#ifndef MEM_INVARIANT_H
#define MEM_INVARIANT_H

#include "base/types.h"

/* The functions of the run loop (vm/loop.h) that lab 1 asks for, and then those that they call: the
 * numbers are lab 1's messages, and what an event says was called. */
#define LOOP_CALL_LIST(X)                                                                         \
    X(STEP,        "vm_step()")                                                                   \
    X(PREPARE,     "vm_prepare()")                                                                \
    X(TURN,        "vm_turn()")                                                                   \
    X(TIME_PASSES, "time_passes()")                                                               \
    X(RUN_DUE,     "vclock_run_due()")                                                            \
    X(POLL,        "time_poll()")                                                                 \
    X(RESET,       "vm_reset()")                                                                  \
    X(WAIT,        "wait_for_interrupt()")                                                        \
    X(OFFER,       "offer_interrupt()")                                                           \
    X(BUDGET,      "time_budget()")                                                               \
    X(ENGINE,      "vcpu_run()")                                                                  \
    X(ANSWER,      "vm_answer()")                                                                 \
    X(CHARGE,      "charge_port()")                                                               \
    X(CONCLUDE,    "vcpu_conclude()")                                                             \
    X(STOP,        "vm_stop()")

enum loop_call {
    LOOP_NO_CALL,
#define X(name, text) LOOP_##name,
    LOOP_CALL_LIST(X)
#undef X
    N_LOOP_CALLS
};

/*    name          at: where      found: what was seen there
 *    one line: what is wrong if it is broken */
#define INVARIANT_LIST(X)                                                                         \
    X(PLACE,        "address",     "the page", IN_HEX,                                            \
      "the monitor's tables lead to another page than the guest's")                               \
    X(RIGHTS,       "address",     "the entry", IN_HEX,                                           \
      "they allow an access that the guest's tables forbid")                                      \
    X(ACCESSED,     "address",     "the entry", IN_HEX,                                           \
      "they map a page while an A bit on the way to it is clear")                                 \
    X(DIRTY,        "address",     "the entry", IN_HEX,                                           \
      "they let a page be written while its D bit is clear")                                      \
    X(STALE,        "address",     "the entry", IN_HEX,                                           \
      "they still have what the guest has invalidated by INVLPG or MOV to CR3")                   \
    X(TRUE_FAULT,   "address",     "the error code", IN_HEX,                                      \
      "the guest's tables forbid the access, and the guest was not told, or told another error "  \
      "code")                                                                                     \
    X(HIDDEN_FAULT, "address",     "guest-physical", IN_HEX,                                      \
      "the guest's tables allow the access, and the guest was told of a fault")                   \
    X(ROM,          "address",     "the entry", IN_HEX,                                           \
      "they let a page of ROM be written")                                                        \
    X(UNASKED,      "address",     "pages too many", IN_DECIMAL,                                  \
      "they map pages that no EPT violation has asked for")                                       \
    X(MISCONFIGURED, "address",    "the entry", IN_HEX,                                           \
      "they have an entry that no processor accepts")                                             \
    X(REFERENCES,   "address",     "the first wrong place in the list, from 0", IN_DECIMAL,       \
      "a walk's list of references is not what the processor reads")                              \
    X(COUNT,        "address",     "told", IN_DECIMAL,                                            \
      "nested_count() does not tell how many leaves there are")                                   \
    X(TAKEN,        "address",     "the entry, or pages", IN_HEX,                                 \
      "a call that takes something away has left it, or one that fails has taken something away") \
    X(ANSWER,       "address",     "answered", IN_DECIMAL,                                        \
      "a call with an address or a length that no guest has answers what the contract does not "  \
      "say")                                                                                      \
    X(STEP,         "instruction", "exits concluded in this step", IN_DECIMAL,                    \
      "vm_step() runs the guest again behind a concluded exit, or comes back without one")        \
    X(TURN,         "instruction", "returned", IN_DECIMAL,                                        \
      "vm_prepare() or vm_turn() returns what is not true, or does not return when it should")    \
    X(RESUMED,      "instruction", "the call", AS_CALL,                                           \
      "a turn that is prepared is prepared anew, or turn.unfinished does not say that it is")     \
    X(HALTED,       "instruction", "waits on", IN_DECIMAL,                                        \
      "the guest runs, or is waited for, while its CPU is to stay in HLT")                        \
    X(ENDED,        "instruction", "the stop", IN_DECIMAL,                                        \
      "the guest runs on behind the end of the run")                                              \
    X(CLOCK,        "instruction", "ns late", IN_DECIMAL,                                         \
      "the guest runs on while the virtual clock shows an earlier time")                          \
    X(DUE,          "instruction", "ns late", IN_DECIMAL,                                         \
      "the guest runs on while a timer is due that has not run")                                  \
    X(BUDGET,       "instruction", "instructions too many", IN_DECIMAL,                           \
      "the guest may run on beyond the next thing that the monitor has to do")                    \
    X(LIMIT,        "instruction", "the stop", IN_DECIMAL,                                        \
      "a limit or a signal does not end the run, or for another reason than it should")           \
    X(ORDER,        "instruction", "the call", AS_CALL,                                           \
      "the loop does in another order what only this order makes right, or hands on another "     \
      "verdict, record or budget than it was given")                                              \
    X(PREPARED,     "instruction", "the call", AS_CALL,                                           \
      "what is to be done before the guest runs is left out, done in another order, or done "     \
      "when it must not be")

enum invariant {
#define X(name, at, found, base, about) INVARIANT_##name,
    INVARIANT_LIST(X)
#undef X
    N_INVARIANTS
};

#endif
