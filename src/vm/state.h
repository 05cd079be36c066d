/*
 * vm/state.h -- all of a machine but its memory, as bytes.
 *
 * A machine that is given these bytes, with its memory as it was then, goes on
 * as the one did that they were taken from, to the last event: registers and
 * what the CPU has still to deliver, the TLB and the monitor's own tables,
 * devices, the clock with its timers, and where the run loop stands.  Files
 * (vm/snapshot.h) and checkpoints (vm/checkpoint.h) are made from them.
 *
 * Taken and given between two turns of the loop, or in the midst of one that a
 * debugger has interrupted.
 */
#ifndef VM_STATE_H
#define VM_STATE_H

#include "base/bytes.h"

struct vm;

void vm_save_state(struct vm *vm, struct bytes_out *o);

/* Without any event.  0; or -errno and a sentence, and then the machine is in no
 * state at all: give it another. */
int vm_load_state(struct vm *vm, struct bytes_in *in, char *why, size_t n);

/* A number for "the same": of registers, devices, clock and memory, and of nothing
 * that only an engine or the monitor knows. */
uint64_t vm_hash(struct vm *vm);
/* The same without memory, which is what takes the time. */
uint64_t vm_hash_parts(struct vm *vm);

#endif
