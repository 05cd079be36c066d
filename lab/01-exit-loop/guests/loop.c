/*
 * loop: a guest for which the order of things in the monitor's loop matters.
 *
 * On the command line test= says what is tried:
 *   bytes    writes seed=N's random bytes to the debug console, 40 to 80 of them, so that an OUT
 *            which is done twice or not at all is seen; then computes for some time
 *   clock    reads the timer's count behind each of some port accesses and hypercalls: a port takes
 *            a microsecond, a hypercall takes none, and who charges wrongly has a timer that is wrong
 *   sleep    halts until the timer comes, with other interrupts masked, and counts
 *   spin     the same without HLT: the timer must come while the guest runs
 *   stop     shuts down by a triple fault: the loop ends, and says how
 *   forever  never ends: the loop's limits must
 *   halt     HLT with interrupts off: nothing can wake it, so nothing behind it is ever executed
 *   reset    resets the machine, and would say so if it were still there
 *   nobody   reads a port that nobody has: with --strict that ends the run
 *   watched  sleeps, spins and prints while the monitor plays a debugger (MARK 256), then while it
 *            plays a user with CTRL-C (MARK 257); the guest must not notice
 */
#include "lib/guest.h"
#include "lib/desc.h"
#include "lib/test.h"

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
    for (unsigned i = 0; i < 500000; i++)       /* for which nobody need leave the guest */
        __asm__ volatile("pause");
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
        unsigned n = 1 + random_below(20), calls = 10 + random_below(20), before = timer_count();
        for (unsigned j = 0; j < n; j++)
            inb(0x61);
        for (unsigned j = 0; j < calls; j++)
            hypercall(HC_PING, j, 0, 0, 0);
        printf("%u port reads, %u hypercalls: %u ticks of 838 ns\n", n, calls,
               before - timer_count());
    }
}

/* Halt until there have been so many ticks in all. */
static void sleep_until(unsigned n)
{
    while (ticks < n) {
        sti_hlt();
        cli();
    }
}

static void test_sleep(void)
{
    trap_set(IRQ_BASE + 0, on_timer);
    pit_periodic(200 + random_below(100));
    pic_unmask(0);
    for (unsigned n = 1; n <= 20; n++) {
        sleep_until(n);
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
    mark(3);
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
    for (unsigned i = 1;; i++)
        putc(i % 64 ? (char)('a' + random_below(26)) : '\n');
}

static void test_halt(void)
{
    printf("good night\n");
    cli();
    for (;;) {
        __asm__ volatile("hlt");
        printf("and good morning\n");
    }
}

/* The keyboard controller's pulse on the reset line.  With --no-reboot that ends the run. */
static void test_reset(void)
{
    printf("%u is the first number\n", random_below(1000));
    outb(0x64, 0xfe);
    for (;;)
        printf("still here\n");
}

static void test_nobody(void)
{
    printf("is anybody there?\n");
    inb((uint16_t)(0x8100 + 8 * random_below(100)));
    printf("nobody is\n");
}

enum { MARK_LOOK = 0x100, MARK_EXAM, MARK_REST };

/* How far the guest comes between two ticks shows where the timer has come in. */
static void some_of_everything(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        sleep_until(ticks + 1);
        unsigned before = ticks, turns = 0;
        sti();
        while (ticks < before + 2 && turns < 1000000)
            turns++;
        cli();
        printf("tick %u, %u turns\n", ticks, turns);
    }
}

static void test_watched(void)
{
    trap_set(IRQ_BASE + 0, on_timer);
    pit_periodic(3000 + random_below(1000));
    pic_unmask(0);
    mark(MARK_LOOK);
    some_of_everything(6);
    mark(MARK_EXAM);
    some_of_everything(6);
    mark(MARK_REST);
    pic_mask(0);
}

int main(void)
{
    static const struct test tests[] = {
        { "bytes", test_bytes }, { "clock", test_clock }, { "sleep", test_sleep },
        { "spin", test_spin }, { "stop", test_stop }, { "forever", test_forever }, { "halt", test_halt },
        { "reset", test_reset }, { "nobody", test_nobody }, { "watched", test_watched },
    };
    seed = option_number("seed=", 1);
    pic_init();
    return run_test(tests, sizeof tests / sizeof tests[0]);
}
