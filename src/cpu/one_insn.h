/*
 * cpu/one_insn.h -- execute one instruction on a given state: an emulator for other engines.
 *
 * An engine that runs guest code on a real CPU meets instructions that this CPU will not
 * execute for it: kvm when its own emulator gives up, direct execution and binary
 * translation at every sensitive instruction.  It hands the state over, the interpreter
 * `soft` executes one instruction on it, and the engine takes the new state back.
 *
 *     one_insn_run(o, &state, &controls, &x)
 *         -> ONE_INSN_DONE    one_insn_state(o, &state): the instruction is done
 *         -> ONE_INSN_EXIT    x says why it is not: an exception, or a request to the monitor.
 *                             Answer it, then one_insn_answer(o, &x); or let it be.
 *
 * All exceptions come back as exits (EXIT_EXCEPTION) with the state as it was before the
 * instruction: delivering them is the caller's.  A string instruction with REP executes one
 * iteration a call; RIP stays at it until the last.  The guest's page tables are walked in
 * guest memory, as the CPU would, and their A and D bits are set.
 *
 * It is no engine of the machine: it has no trace, no breakpoints, no budget, and it keeps
 * nothing of the guest from one call to the next.  Guest memory is the caller's, and is
 * really written: so the caller must forget what it has cached of the pages in `dirty`.
 */
#ifndef CPU_ONE_INSN_H
#define CPU_ONE_INSN_H

#include "cpu/engine.h"

struct dirty;
struct gmem;
struct one_insn;

/* One instance serves any number of calls, from one thread.  m is frozen and outlives it.
 * Pages that instructions write are marked in `dirty`, which may be NULL.  NULL: no memory. */
struct one_insn *one_insn_new(struct gmem *m, struct dirty *dirty);
void one_insn_free(struct one_insn *o);

enum one_insn_end { ONE_INSN_DONE, ONE_INSN_EXIT };

/* Execute the instruction at CS:RIP of *before.  Of *c the controls of instructions count
 * (CR masks, RDTSC, INVLPG ... exiting); every exception exits whatever the bitmap says.
 * x is written with ONE_INSN_EXIT only; EXIT_HOST: the host had no memory for tables. */
enum one_insn_end one_insn_run(struct one_insn *o, const struct cpu_state *before,
                               const struct controls *c, struct vmexit *x);

/* Go on behind a request (EXIT_IO, EXIT_MMIO, EXIT_CPUID, EXIT_CR_ACCESS ...) whose (out)
 * fields the caller has filled in: the verdict RETIRE of engine.h.  Perhaps there is
 * another request, or a fault met on the way: then x is that. */
enum one_insn_end one_insn_answer(struct one_insn *o, struct vmexit *x);

/* The state after the instruction; after an exit, as far as it has come. */
void one_insn_state(struct one_insn *o, struct cpu_state *after);

/* What cpu_state has no room for, after ONE_INSN_DONE.  irq_shadow: it was STI, MOV SS or
 * POP SS, so no interrupt may come before the next instruction.  debug_trap: bits of DR6,
 * if not 0; a debug exception (TF, the guest's breakpoints on data) comes now, as a trap. */
struct one_insn_rest { bool irq_shadow; uint64_t debug_trap; };
struct one_insn_rest one_insn_rest(const struct one_insn *o);

#endif
