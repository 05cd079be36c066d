/*
 * timer: a clock made of interrupts.
 *
 * The 8254 divides 1.193182 MHz by 11931 and pulls IRQ 0 a hundred times a
 * second; the 8259A turns the line into vector 0x20; the CPU, asleep in HLT,
 * goes through the gate and comes back behind the HLT.  To the monitor each
 * tick is a chain: timer due, line raised, exit of HLT over, injection, the
 * guest's handler, its OUT 0x20 (end of interrupt).
 *
 *   run    vitrine run   build/guests/timer.elf
 *   watch  vitrine run   --trace t.trace build/guests/timer.elf; vitrine trace t.trace
 *
 * MARK 1: the timer runs.  MARK 2: ten ticks counted.
 */
#include "lib/guest.h"
#include "lib/desc.h"

static volatile unsigned ticks;

static void on_timer(struct frame *f)
{
    (void)f;
    ticks++;
    pic_eoi(0);
}

int main(void)
{
    pic_init();
    trap_set(IRQ_BASE + 0, on_timer);
    pit_periodic(100);
    pic_unmask(0);
    mark(1);
    for (unsigned n = 1; n <= 10; n++) {
        while (ticks < n) {
            sti_hlt();
            cli();
        }
        printf("tick %u\n", n);
    }
    pic_mask(0);
    mark(2);
    printf("ten ticks at 100 Hz\n");
    return 0;
}
