/*
 * softint: the way into the kernel and back, and nothing else.
 *
 * INT 0x80 in ring 3: a gate, a stack switch through the TSS, five words
 * pushed, IRET.  A monitor that runs the guest's kernel in another ring, or
 * translates it, must play all of this itself.
 *
 *   run    vitrine run   build/guests/softint32.elf
 *   watch  vitrine run   --stat build/guests/softint32.elf
 *
 * Rounds: "rounds=N" on the command line, or make ROUNDS=N.
 * MARK 1: from ring 0.  MARK 2: from ring 3.  MARK 9: done.
 */
#include "lib/guest.h"
#include "lib/desc.h"
#include "lib/page.h"

#ifndef ROUNDS
#define ROUNDS 20000
#endif

static uint32_t rounds;
volatile uint32_t calls;

/* The shortest handler there is: count, return. */
__asm__(".text\nsoftint_entry: incl calls\n"
#ifdef __x86_64__
        "iretq");
#else
        "iret");
#endif
void softint_entry(void);

static void loop(void)
{
    for (uint32_t r = 0; r < rounds; r++)
        __asm__ volatile("int $0x80" : : : "memory");
}

static void user_loop(void)
{
    loop();
    user_exit();
}

int main(void)
{
    rounds = option_number("rounds=", ROUNDS);
    page_start(PTE_U);
    gate_set(0x80, softint_entry, 3);
    mark(1);
    loop();
    mark(2);
    user_run(user_loop, 2);
    mark(9);
    printf("calls %u, want %u\n", calls, 2 * rounds);
    return calls != 2 * rounds;
}
