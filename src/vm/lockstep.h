/*
 * vm/lockstep.h -- two engines side by side, compared after every exit.
 *
 * Popek and Goldberg's *equivalence*, run: the leader is an ordinary machine
 * with devices and a clock.  The follower has the same memory and CPU but no
 * devices of its own: it is brought to the leader's instruction count, must
 * make the same guest-visible exit there, and is given the leader's answers and
 * interrupts.  Exits that are an engine's private business (a nested or shadow
 * fault, a CR access, CPUID) each side answers for itself.
 *
 * A follower that cannot count instructions (kvm) is compared at guest-visible
 * exits only, and interrupts are given to both only there.  Its processor may leave other
 * values in undefined flags: those that the guest does not read are not compared.
 */
#ifndef VM_LOCKSTEP_H
#define VM_LOCKSTEP_H

#include <stdio.h>
#include "vm/vm.h"

struct lockstep {
    struct vm *leader, *follower;
    uint64_t every_insns;       /* compare so often at least, if both can count; 0: at exits only */
    bool     check_shadow;      /* verify the shadow tables each time (slow)                      */

    uint64_t n_compared, n_visible;
    uint64_t leader_icount;     /* at its last guest-visible exit                      */
    bool     abreast;           /* both are at the same point of the guest             */
    bool     differ;
    char     what[160];         /* the difference in a sentence                        */
    char     states[4096];      /* what differs, by register or address                */
    struct vmexit exit[2];      /* the last exit of each                               */
};

/* Configure two machine descriptions for lockstep, before vm_new(): same
 * memory, no time or input of its own for the follower. */
void lockstep_prepare(struct vm_config *leader, struct vm_config *follower);

/* Run both, already loaded, until the leader stops or they differ.  The
 * leader's exit status, or 1 if they differ (l->differ). */
int lockstep_run(struct lockstep *l);

#endif
