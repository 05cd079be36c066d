/*
 * vm/live_flags.h -- will the guest read its arithmetic flags before it writes them?
 *
 * Many instructions leave flags undefined: AND does AF, MUL does ZF, SHR does OF.  Processors
 * of two makers then differ, and no correct program can tell.  So where lockstep finds
 * only such flags different, it asks here what the guest is about to do with them.
 */
#ifndef VM_LIVE_FLAGS_H
#define VM_LIVE_FLAGS_H

#include "vm/vm.h"

/* Those of `flags` (of FLAGS_ARITH) that code from s->rip on reads, stores or may read before
 * it writes them; 0: none of them matters.  Looks ahead in vm's memory and changes nothing.
 * When in doubt -- code that is not mapped, a computed jump, a far one, or more than some
 * dozens of instructions -- a flag counts as read. */
uint64_t live_flags(struct vm *vm, const struct cpu_state *s, uint64_t flags);

#endif
