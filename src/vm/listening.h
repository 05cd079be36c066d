/*
 * vm/listening.h -- does the guest listen to what is typed?
 *
 * A byte that comes too early is lost on a PC: a kernel that initialises its serial port clears the
 * FIFO, one that initialises the 8259A clears the edge of IRQ 1, and then nobody ever reads port
 * 60h.  A person types again; a pipe does not.  So what comes from the user waits until the guest
 * listens, and that is one of two things that it does:
 *
 *   it polls        it has looked for a byte several times and done nothing to the device in
 *                   between.  (A driver that initialises writes, one that prints writes, too.)
 *   it takes        interrupts: the device's interrupt is enabled, its line is open in the 8259A,
 *   interrupts      and RFLAGS.IF is set
 *
 * The devices know nothing of this: it is seen from their ports.  A kind is INPUT_SERIAL or
 * INPUT_KEYBOARD (input_log.h).
 */
#ifndef VM_LISTENING_H
#define VM_LISTENING_H

#include "base/types.h"

struct vm;

/* Part of the machine's state.  Index: INPUT_SERIAL, INPUT_KEYBOARD. */
struct listening {
    uint8_t  looks[2];              /* how often it has looked in vain, up to ENOUGH      */
    uint8_t  by_interrupt[2];       /* it was ready to take one, since it initialised     */
    uint64_t given_ns;              /* when the keyboard was given its last character     */
};

/* The guest has accessed a port: in is what it read, or out what it wrote.  True: it has begun to
 * listen by this, so input should be looked for at once. */
bool listening_note_in(struct vm *vm, uint16_t port, uint8_t in);
void listening_note_out(struct vm *vm, uint16_t port);

/* Would a byte reach the guest now? */
bool listening_now(struct vm *vm, unsigned kind);

/* A byte was given. */
void listening_given(struct vm *vm, unsigned kind);

#endif
