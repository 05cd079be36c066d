/*
 * vm/exits.h -- what the monitor does about each exit.
 */
#ifndef VM_EXITS_H
#define VM_EXITS_H

#include "cpu/exit.h"

struct vcpu;
struct vm;

/* The verdict on x, an exit of v; fills in its (out) fields. */
enum verdict vm_answer(struct vm *vm, struct vcpu *v, struct vmexit *x);

/* The function that answers exits of this reason, for those who show its source; NULL: none. */
typedef enum verdict exit_handler_fn(struct vm *vm, struct vcpu *v, struct vmexit *x);
exit_handler_fn *vm_exit_handler(unsigned reason);

/* The controls a CPU of this machine starts with; the engine is still to be told. */
void vm_initial_controls(const struct vm *vm, struct vcpu *v);

/* The monitor's own MSRs as after power-on. */
void vm_reset_msrs(struct vcpu *v);

/* After a verdict was carried out: v's paging registers may be new. */
void vm_paging_changed(struct vm *vm, struct vcpu *v);

/* Hypercalls (vm/hypercall.c): the result. */
uint64_t vm_hypercall(struct vm *vm, uint64_t nr, const uint64_t arg[4]);

/* The same by PORT_HYPERCALL: arguments from and result to the registers. */
void vm_hypercall_port(void *vm, uint32_t eax);

#endif
