/*
 * vm/interrupts.h -- from the interrupt controller to the CPU; private to vm/.
 *
 * The 8259A says that something is pending; whether the guest can take it now is the
 * CPU's affair.  Between the two stand these two functions.
 */
#ifndef VM_INTERRUPTS_H
#define VM_INTERRUPTS_H

struct vcpu;
struct vm;

/* v is about to run: give it the pending interrupt, or have it exit as soon as it can take one. */
void offer_interrupt(struct vm *vm, struct vcpu *v);

/* v has executed HLT: let virtual time go on to whatever wakes it.  Afterwards v->halted is
 * false, unless the debugger or a stop wants the machine before that (vm->pause_wanted). */
void wait_for_interrupt(struct vm *vm, struct vcpu *v);

#endif
