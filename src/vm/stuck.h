/*
 * vm/stuck.h -- does the guest do the same thing again and again?
 *
 * A guest that waits for a device which is not there, or that has ended in an endless loop, says
 * nothing.  The monitor sees it: exits that repeat those before, registers that return to the
 * same values, an exception that comes back to the same instruction.  If nothing new has happened
 * for a while of virtual time, a STUCK event is logged, and again whenever the time has doubled.
 * The guest goes on as before: it may well be waiting for something that comes.
 *
 * All of this is state of the machine, saved and put back with it, so that a run which is done
 * again logs the same.  What an event means in words is debugger/report/stuck_text.h.
 */
#ifndef VM_STUCK_H
#define VM_STUCK_H

#include "base/types.h"

struct cpu_state;
struct vm;
struct vmexit;

/*    how         of the argument `where`           one line */
#define STUCK_LIST(X)                                                                            \
    X(PORT,       "the port",                       "the same ports are read again and again")   \
    X(MEMORY,     "the guest-physical address",     "the same device memory is read again and "  \
                                                    "again")                                     \
    X(LOOP,       "the loop's last instruction",    "a loop whose registers do not change, "     \
                                                    "with interrupts on")                        \
    X(LOOP_MASKED, "the loop's last instruction",   "the same, and the PIC lets no interrupt "   \
                                                    "through")                                   \
    X(LOOP_UNSERVED, "the interrupt line",          "the same, and the line of a device is "     \
                                                    "still up since its interrupt came")         \
    X(LOOP_CLI,   "the loop's last instruction",    "the same, with interrupts off")             \
    X(IRQS,       "how many come in a second",      "so many interrupts come that little else "  \
                                                    "gets done")                                 \
    X(EXCEPTION,  "the vector",                     "an exception comes back to the same "       \
                                                    "instruction")

enum stuck_how {
#define X(how, where, about) STUCK_##how,
    STUCK_LIST(X)
#undef X
    N_STUCK_HOWS
};

struct stuck_info { const char *name, *where, *about; };
extern const struct stuck_info stuck_infos[N_STUCK_HOWS];

/* An exit that came before: what it was, the linear address of its instruction, and how often it
 * came since something new happened, as far as stuck_look() has seen. */
struct stuck_exit { uint64_t what, value, at, times; };      /* times 0: the row is free */

/* The CPU's registers at some moment, as a hash (0: the row is free), and where it was. */
struct stuck_sample { uint64_t hash, at; };

/* Interrupts that come so fast that the CPU does little else: since when, and how many the machine
 * had seen by then and by the last look. */
struct stuck_irqs { uint64_t since_ns, before, at_look; };

#define STUCK_EXITS   8
#define STUCK_SAMPLES 64

struct stuck {
    struct stuck_exit   seen[STUCK_EXITS];
    uint32_t            next_row;               /* the one that the next new exit takes         */
    uint32_t            news;                   /* how many of them came since the last look    */
    uint64_t            new_exit_ns;            /* when an exit came that was not among them    */
    struct stuck_sample sample[STUCK_SAMPLES];
    uint64_t            new_sample_ns;          /* when registers were seen that are not there  */
    struct stuck_irqs   irqs;
    uint64_t            next_look_ns;
    uint64_t            told_ns;                /* how long it had lasted when it was last told */
};

/* An exit was answered (and x has the value that was read). */
void stuck_note_exit(struct vm *vm, const struct vmexit *x);

/* The machine has been reset: nothing that was seen before counts. */
void stuck_reset(struct vm *vm);

/* To be called between two exits when next_look_ns has come, about every millisecond of virtual
 * time: look at the registers, and log STUCK if it is time to. */
void stuck_look(struct vm *vm);

/* What the guest is stuck in now, for the end of a run. */
struct stuck_report {
    enum stuck_how how;
    uint64_t       where;           /* as the table says                       */
    gla_t          at;              /* of an instruction that does it: linear  */
    uint64_t       ns;              /* for how long                            */
};

/* False: it is not, as far as one can see.  A run that has ended is judged sooner, by a fiftieth
 * of the time. */
bool stuck_now(struct vm *vm, struct stuck_report *r);

/* The run ends: if the guest is stuck, log how long it has been. */
void stuck_finish(struct vm *vm);

#endif
