/*
 * preempt: interrupted wherever it happens to be.
 *
 * A loop without a single exit looks for primes while the 8254 pulls IRQ 0 250
 * times a second.  No interrupt can wait for the guest to come out by
 * itself: the monitor must get the CPU back from it, by an exit that is no
 * instruction's.  Ten times it waits for the clock that way, and says so.  What it
 * prints is always the same; when it was interrupted is not, where time is the host's.
 *
 *   run    vitrine run   build/guests/preempt64.elf
 *   watch  vitrine run   --trace - build/guests/preempt64.elf
 *
 * MARK 1: the timer runs.  MARK 2: ten rounds are done.
 */
#include "lib/guest.h"
#include "lib/desc.h"

enum { ROUND_TICKS = 3, LIMIT = 1500 };

static volatile unsigned ticks;

static void on_timer(struct frame *f)
{
    (void)f;
    ticks++;
    pic_eoi(0);
}

static unsigned count_primes(unsigned limit)
{
    unsigned primes = 0;
    for (unsigned n = 2; n < limit; n++) {
        unsigned d = 2;
        while (d * d <= n && n % d)
            d++;
        primes += d * d > n;
    }
    return primes;
}

int main(void)
{
    pic_init();
    trap_set(IRQ_BASE + 0, on_timer);
    pit_periodic(250);
    pic_unmask(0);
    mark(1);
    sti();
    for (unsigned round = 1; round <= 10; round++) {
        unsigned until = ticks + ROUND_TICKS, primes = 0;
        while (ticks < until)
            primes = count_primes(LIMIT);
        printf("round %u: %u primes below %u\n", round, primes, (unsigned)LIMIT);
    }
    cli();
    pic_mask(0);
    mark(2);
    return 0;
}
