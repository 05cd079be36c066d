/*
 * port: asks a serial port everything a driver could.
 *
 * In loopback what is sent comes back, so one side can play both ends of the line.  What the
 * registers say is printed through the debug console; a right 16550A gives the same text each
 * time.  On the command line: seed=N chooses bytes, test= what is tried:
 *   poll    send a random line, asking LSR before each byte, as fast as LSR allows
 *   fifo    depth, trigger levels, overrun, clearing
 *   irq     which reason is told first, and what ends each
 *   loop    modem outputs and inputs, break
 *   dlab    the divisor's two halves hide behind other registers
 *   input   what the user types comes in, none of it lost
 */
#include "lib/guest.h"
#include "lib/desc.h"
#include "lib/test.h"

enum { RBR = COM1, THR = COM1, IER = COM1 + 1, IIR = COM1 + 2, FCR = COM1 + 2, LCR = COM1 + 3,
       MCR = COM1 + 4, LSR = COM1 + 5, MSR = COM1 + 6, SCR = COM1 + 7 };
enum { DR = 0x01, THRE = 0x20, TEMT = 0x40, LOOP = 0x10, OUT2 = 0x08 };

static uint32_t seed;
static unsigned n_irqs;
static uint8_t  last_iir;

static unsigned random_below(unsigned n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 16) % n;
}

static void wait_for(uint8_t bits)
{
    for (unsigned i = 0; i < 20000; i++)
        if ((inb(LSR) & bits) == bits)
            return;
    printf("waited in vain for LSR %02x\n", bits);
}

/* Until nothing is under way. */
static void settle(void)
{
    wait_for(TEMT);
}

/* The same by the clock, for who reads LSR would take the error that it tells. */
static void pause(void)
{
    for (volatile unsigned i = 0; i < 400000; i++)
        ;
}

static void show(const char *what)
{
    uint8_t iir = inb(IIR), lsr = inb(LSR), msr = inb(MSR);
    printf("%s: IIR %02x LSR %02x MSR %02x\n", what, iir, lsr, msr);
}

static void test_poll(void)
{
    unsigned n = 40 + random_below(40), early = 0;
    for (unsigned i = 0; i < n; i++) {
        if (!(inb(LSR) & THRE))
            wait_for(THRE);
        outb(THR, (uint8_t)('a' + random_below(26)));
        early += inb(LSR) & TEMT;
    }
    wait_for(THRE);
    outb(THR, '\n');
    settle();
    printf("%u bytes; TEMT right behind a write: %u\n", n, early);
    inb(IIR);
    outb(IER, 0);
}

static void send(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        outb(THR, (uint8_t)(0x40 + i));
    settle();
}

static unsigned receive_all(void)
{
    unsigned n = 0, sum = 0;
    while (inb(LSR) & DR && n < 40) {
        sum = sum * 31 + inb(RBR);
        n++;
    }
    printf("%u bytes, sum %x\n", n, sum);
    return n;
}

static void fill(unsigned level, unsigned n)
{
    outb(FCR, (uint8_t)(0x07 | level << 6));
    outb(IER, 1);
    send(n);
    printf("level %u, %u bytes: ", level, n);
    show("");
    receive_all();
    show("empty");
    outb(IER, 0);
}

static void test_fifo(void)
{
    static const uint8_t trigger[] = { 1, 4, 8, 14 };
    outb(MCR, LOOP);
    for (unsigned i = 0; i < 4; i++) {
        fill(i, 1 + random_below(15));
        for (unsigned n = i ? trigger[i] - 1 : 1; n <= trigger[i] + 1u; n++)
            fill(i, n);                         /* just below, just there, just above */
    }
    outb(FCR, 0x07);
    send(16);
    outb(THR, 'x');
    pause();
    show("overrun");
    show("told once");
    receive_all();
    outb(FCR, 0x01);
    send(5);
    outb(FCR, 0x03);                            /* clear the receiver, keep the mode */
    show("cleared");
    outb(FCR, 0x00);                            /* no FIFOs: one byte */
    send(1);
    outb(THR, 'y');
    pause();
    show("without FIFOs");
    printf("the later byte: %02x\n", inb(RBR));
}

static void on_irq(struct frame *f)
{
    (void)f;
    last_iir = inb(IIR);
    n_irqs++;
    switch (last_iir & 0xf) {
    case 0x6: inb(LSR); break;
    case 0x4: case 0xc: inb(RBR); break;
    case 0x0: inb(MSR); break;
    }
    pic_eoi(4);
}

static void listen(const char *what)
{
    n_irqs = last_iir = 0;
    sti();
    for (volatile unsigned i = 0; i < 200; i++)
        ;
    cli();
    printf("%s: %u interrupts, the last for %02x\n", what, n_irqs, last_iir);
}

static void test_irq(void)
{
    outb(FCR, 0x07);
    outb(IER, 0);
    outb(MCR, OUT2);
    inb(MSR);
    outb(IER, 2);
    listen("the transmitter is empty");
    listen("and that is told once");
    outb(IER, 0);
    outb(IER, 2);
    listen("switched on again");
    outb(MCR, 0);
    outb(IER, 0);
    outb(IER, 2);
    listen("behind a closed gate");
    outb(MCR, OUT2);
    listen("the gate opens");
    outb(IER, 0);
    outb(MCR, LOOP);
    send(1);
    outb(MCR, LOOP | 1);
    outb(IER, 0x0f);
    for (unsigned i = 0; i < 4; i++) {          /* polled: the reasons in their order */
        uint8_t iir = inb(IIR);
        printf("reason %02x\n", iir);
        if ((iir & 0xf) == 0x4 || (iir & 0xf) == 0xc)
            inb(RBR);
        else if ((iir & 0xf) == 0)
            inb(MSR);
    }
    outb(IER, 0);
}

static void test_loop(void)
{
    outb(MCR, LOOP);
    inb(MSR);
    for (unsigned i = 0; i < 8; i++) {
        unsigned outputs = random_below(16);
        outb(MCR, (uint8_t)(LOOP | outputs));
        uint8_t first = inb(MSR);
        printf("outputs %x: MSR %02x, again %02x\n", outputs, first, inb(MSR));
    }
    outb(LCR, 0x43);
    show("break");
    printf("as a byte: %02x\n", inb(RBR));
    outb(LCR, 0x03);
    show("over");
    outb(LCR, 0x00);                            /* five bits to a character */
    outb(THR, 0xff);
    settle();
    printf("of ff five bits are %02x\n", inb(RBR));
    outb(LCR, 0x03);
}

static void test_dlab(void)
{
    uint8_t low = (uint8_t)(1 + random_below(200)), scratch = (uint8_t)random_below(256);
    outb(IER, 5);
    outb(SCR, scratch);
    outb(LCR, 0x83);
    outb(RBR, low);
    outb(IER, 0);
    uint8_t dll = inb(RBR), dlm = inb(IER);
    printf("DLL %02x DLM %02x LCR %02x\n", dll, dlm, inb(LCR));
    outb(LCR, 0x03);
    uint8_t ier = inb(IER), lsr = inb(LSR);
    printf("IER %02x SCR %s, no byte was sent: LSR %02x\n", ier,
           inb(SCR) == scratch ? "kept" : "lost", lsr);
    outb(LCR, 0x83);
    outb(RBR, 1);
    outb(LCR, 0x03);
    outb(IER, 0);
}

static void test_input(void)
{
    unsigned n = 0, sum = 0;
    outb(FCR, 0x07);
    for (uint8_t c = 0; c != 'q'; n++) {
        for (unsigned i = 0; !(inb(LSR) & DR); i++)
            if (i == 100000) {
                printf("nothing came\n");
                return;
            }
        c = inb(RBR);
        sum = sum * 31 + c;
    }
    printf("%u bytes typed, sum %x\n", n, sum);
}

int main(void)
{
    static const struct test tests[] = {
        { "poll", test_poll }, { "fifo", test_fifo }, { "irq", test_irq }, { "loop", test_loop },
        { "dlab", test_dlab }, { "input", test_input },
    };
    seed = option_number("seed=", 1);
    pic_init();
    trap_set(IRQ_BASE + 4, on_irq);
    pic_unmask(4);
    return run_test(tests, sizeof tests / sizeof tests[0]);
}
