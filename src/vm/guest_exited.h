/*
 * vm/guest_exited.h -- what the monitor answers when vcpu_run() asks whether the guest has exited;
 * private to vm/.
 */
#ifndef VM_GUEST_EXITED_H
#define VM_GUEST_EXITED_H

#include "cpu/vcpu.h"

struct vm;

/* The owner of vm's CPUs, for struct vcpu. */
struct vcpu_owner vm_as_owner(struct vm *vm);

#endif
