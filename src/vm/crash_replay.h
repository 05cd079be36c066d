/*
 * vm/crash_replay.h -- the way to a triple fault, of an engine that cannot see it.
 *
 * KVM only says that the guest has shut down.  But a delivery that fails changes nothing in the
 * guest but CR2 and some words below the stack pointer, so the CPU still stands before the
 * instruction that began it: the interpreter executes that one again, and keeps an account.  If
 * that goes well, the latest interrupt that was injected is tried, too.
 */
#ifndef VM_CRASH_REPLAY_H
#define VM_CRASH_REPLAY_H

#include "cpu/delivery.h"

struct vcpu;

/* v has exited with EXIT_TRIPLE_FAULT.  Execute its instruction again on engine soft, and put the
 * account of it into *chain.  The guest's registers and memory stay as they are.  False: it went
 * another way (the host's processor has forgotten the state, say, or refuses what it should
 * not), or there is no memory. */
bool crash_replay(struct vcpu *v, struct delivery_chain *chain);

#endif
