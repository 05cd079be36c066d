/*
 * loop: a guest for which the order of things in the monitor's loop matters.
 *
 * On the command line test= says what is tried:
 *   bytes    writes seed=N's random bytes to the debug console, 40 to 80 of them, so that an OUT
 *            which is done twice or not at all is seen
 *   clock    reads the timer's count behind each of some port accesses: a port takes a
 *            microsecond, and who forgets to charge it has a timer that runs slow
 *   sleep    halts until the timer comes, with other interrupts masked, and counts
 *   spin     the same without HLT: the timer must come while the guest runs
 *   stop     shuts down by a triple fault: the loop ends, and says how
 *   forever  never ends: the loop's limits must
 *   halt     HLT with interrupts off: nothing can wake it
 */
#include "lib/guest.h"
#include "lib/desc.h"

static uint32_t seed;
static volatile unsigned ticks;

static unsigned random_below(unsigned n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 16) % n;
}

static void on_timer(struct frame *f)
{
    (void)f;
    ticks++;
    pic_eoi(0);
}

static void test_bytes(void)
{
    unsigned n = 40 + random_below(40);
    for (unsigned i = 0; i < n; i++)
        putc((char)('a' + random_below(26)));
    putc('\n');
}

static unsigned timer_count(void)
{
    outb(0x43, 0x00);                           /* latch channel 0 */
    unsigned low = inb(0x40);
    return low | (unsigned)inb(0x40) << 8;
}

static void test_clock(void)
{
    pit_one_shot(60000);
    for (unsigned i = 0; i < 8; i++) {
        unsigned n = 1 + random_below(20), before = timer_count();
        for (unsigned j = 0; j < n; j++)
            inb(0x61);
        printf("%u port reads: %u ticks of 838 ns\n", n, before - timer_count());
    }
}

static void test_sleep(void)
{
    trap_set(IRQ_BASE + 0, on_timer);
    pit_periodic(200 + random_below(100));
    pic_unmask(0);
    for (unsigned n = 1; n <= 20; n++) {
        while (ticks < n) {
            sti_hlt();
            cli();
        }
        printf("tick %u\n", ticks);
    }
    pic_mask(0);
}

static void test_spin(void)
{
    trap_set(IRQ_BASE + 0, on_timer);
    pit_periodic(1000 + random_below(500));
    pic_unmask(0);
    sti();
    for (unsigned i = 0; i < 20000000 && ticks < 10; i++)
        __asm__ volatile("pause");
    cli();
    pic_mask(0);
    printf("%s\n", ticks >= 10 ? "ten ticks" : "too few ticks");
}

static void test_stop(void)
{
    static const struct { uint16_t limit; uint32_t base; } __attribute__((packed)) none = { 0, 0 };
    printf("the end\n");
    __asm__ volatile("lidt %0; ud2" : : "m"(none));
}

static void test_forever(void)
{
    for (;;)
        outb(0x80, 0);
}

static void test_halt(void)
{
    printf("good night\n");
    cli();
    for (;;)
        __asm__ volatile("hlt");
}

int main(void)
{
    static const struct { const char *name; void (*run)(void); } tests[] = {
        { "bytes", test_bytes }, { "clock", test_clock }, { "sleep", test_sleep },
        { "spin", test_spin }, { "stop", test_stop }, { "forever", test_forever }, { "halt", test_halt },
    };
    char test[16];
    seed = option_number("seed=", 1);
    pic_init();
    option("test=", test, sizeof test);
    mark(1);
    for (unsigned i = 0; i < sizeof tests / sizeof tests[0]; i++)
        if (strcmp(tests[i].name, test) == 0)
            tests[i].run();
    mark(2);
    return 0;
}
