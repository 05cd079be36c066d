/*
 * cpu/delivery.h -- why an interrupt or exception did not reach its handler.
 *
 * To deliver an event the CPU reads a gate from the IDT, a code segment from the GDT, perhaps a
 * stack from the TSS, and pushes a frame.  Whatever is wrong there stands in the way: it is the
 * *obstacle*, and the CPU raises another exception because of it, whose delivery may fail too.
 * A triple fault is the end of such a chain:
 *
 *     #UD at kmain+0x3  -- the IDT ends before its gate -->  #GP
 *     #GP               -- the IDT ends before its gate -->  #DF
 *     #DF               -- the IDT ends before its gate -->  triple fault
 *
 * An engine that executes deliveries itself keeps the chain here; a debugger reads it after the
 * crash (debugger/report/explain_chain.c).  An engine whose deliveries are made by the
 * processor or by the host's kernel cannot: they only say that it is over.
 * [SDM 3A "Interrupt and Exception Handling", "Interrupt 8-Double Fault Exception (#DF)"]
 */
#ifndef CPU_DELIVERY_H
#define CPU_DELIVERY_H

#include "cpu/exit.h"
#include "cpu/state.h"
#include "cpu/refusal.h"

/* What a step's `at` means depends on the obstacle: it is the number that is wrong, or the
 * place where something is wrong.
 *
 *    name           at                      what stands in the way, as half a sentence */
#define OBSTACLE_LIST(X)                                                                          \
    X(UNKNOWN,       "-",                    "the CPU refused it")                                \
    X(IDT_LIMIT,     "offset in the IDT",    "the IDT ends before its gate")                      \
    X(IDT_PAGE,      "linear address",       "the page of the IDT that holds its gate is not "    \
                                             "mapped")                                            \
    X(GATE_TYPE,     "gate, linear address", "its gate in the IDT is of a wrong type")            \
    X(GATE_DPL,      "gate, linear address", "its gate may not be called from this ring")         \
    X(GATE_ABSENT,   "gate, linear address", "its gate in the IDT is not present")                \
    X(CODE_NULL,     "selector",             "its gate names the null selector as code segment")  \
    X(CODE_LIMIT,    "selector",             "its gate names a code segment beyond the end of "   \
                                             "its table")                                         \
    X(CODE_TYPE,     "selector",             "its gate names a segment that is not code")         \
    X(CODE_DPL,      "selector",             "its gate names code of a less privileged ring")     \
    X(CODE_LONG,     "selector",             "its gate names code that is not 64-bit code")       \
    X(CODE_ABSENT,   "selector",             "its gate names a code segment that is not "         \
                                             "present")                                           \
    X(CODE_V86,      "selector",             "its gate does not lead from virtual-8086 mode to "  \
                                             "ring 0")                                            \
    X(TABLE_PAGE,    "linear address",       "the page of the GDT or LDT that it needs is not "   \
                                             "mapped")                                            \
    X(HANDLER_LIMIT, "handler",              "its handler lies beyond the end of the code "       \
                                             "segment")                                           \
    X(TSS_NONE,      "selector in TR",       "its handler's ring needs a stack from the TSS, "    \
                                             "and no TSS is loaded")                              \
    X(TSS_LIMIT,     "offset in the TSS",    "the TSS ends before the stack pointer of its "      \
                                             "handler's ring")                                    \
    X(TSS_PAGE,      "linear address",       "a page of the TSS is not mapped")                   \
    X(STACK_NULL,    "ring",                 "the TSS has the null selector as stack segment "    \
                                             "of its handler's ring")                             \
    X(STACK_LIMIT,   "selector",             "the TSS names a stack segment beyond the end of "   \
                                             "its table")                                         \
    X(STACK_TYPE,    "selector",             "the TSS names a stack segment that is not "         \
                                             "writable data of its handler's ring")               \
    X(STACK_ABSENT,  "selector",             "the TSS names a stack segment that is not "         \
                                             "present")                                           \
    X(STACK_END,     "offset in SS",         "its frame does not fit into the stack segment")     \
    X(STACK_ADDRESS, "stack pointer",        "its stack pointer is not a canonical address")      \
    X(STACK_PAGE,    "linear address",       "its frame cannot be pushed: the page of the "       \
                                             "stack is not mapped for writing")                   \
    X(TASK_TSS,      "selector",             "its task gate names a TSS that cannot be used")

enum obstacle {
#define X(name, at, about) OBSTACLE_##name,
    OBSTACLE_LIST(X)
    REFUSAL_LIST(X)
#undef X
    N_OBSTACLES,
    FIRST_REFUSAL = OBSTACLE_RING0,
};

struct obstacle_info { const char *name, *at, *about; };
extern const struct obstacle_info obstacle_infos[N_OBSTACLES];

/* One delivery that failed.  Numbers of fixed size without gaps, because it goes into
 * snapshots as it lies in memory. */
struct delivery_step {
    uint64_t rip;               /* what the handler would have returned to; of an INT, the INT */
    uint64_t at;                /* see OBSTACLE_LIST                                           */
    uint64_t cr2;               /* of a page fault that was being delivered                    */
    uint32_t error;             /* its error code                                              */
    uint32_t second_error;      /* that of the exception that came of the failure              */
    uint16_t cs;                /* selector of the interrupted code                            */
    uint8_t  vector;            /* what was being delivered, ...                               */
    uint8_t  type;              /* enum event_type; EVENT_SOFTWARE: INT n, INT3, INTO, INT1    */
    uint8_t  has_error;
    uint8_t  obstacle;          /* enum obstacle                                               */
    uint8_t  second_vector;     /* the exception that came of the failure                      */
    uint8_t  ring;              /* of the interrupted code                                     */
};
_Static_assert(sizeof(struct delivery_step) == 40, "no gaps in a delivery_step");

/* INT n, the exception that it raises, one that is delivered instead, and a double fault. */
#define DELIVERY_STEPS 4

/* The exception that was delivered last.  Its handler may run still, and end the run: a kernel
 * that panics halts there.  Then this tells why, as a chain that failed does. */
struct delivered {
    struct delivery_step step;          /* its obstacle is OBSTACLE_UNKNOWN             */
    uint64_t cause, cause_at;           /* as those of a chain                          */
    uint64_t rsp;                       /* before the delivery                          */
    uint64_t frame;                     /* where the IP lies that the handler returns to: linear */
    struct segment code;                /* CS before the delivery                       */
    uint64_t any;                       /* 0: there was none                            */
};

/* Deliveries that failed one because of the other, the first one first.  n is 0 as soon as a
 * delivery succeeds; if there are more than DELIVERY_STEPS the last step is overwritten.
 * If the first was of an exception, `cause` says why that was raised: OBSTACLE_UNKNOWN of a page
 * fault, whose error code tells, and of what is no fault of an instruction. */
struct delivery_chain {
    struct delivery_step step[DELIVERY_STEPS];
    uint64_t n;
    uint64_t cause, cause_at;           /* enum obstacle, and see REFUSAL_LIST */
    uint64_t replayed;                  /* not 0: had again on another engine (vm/crash_replay.h) */
    struct delivered latest;
};

/* Put the chain in short into *x, an EXIT_TRIPLE_FAULT. */
void delivery_summary(const struct delivery_chain *c, struct vmexit *x);

#endif
