/*
 * corners: what of a 16550A a driver meets once a year.
 *
 * port.c asks what every driver asks; here each of the other cases comes once and in a fixed order,
 * so that each mistake shows with each seed.  (The seed chooses the bytes.)  In loopback one side
 * plays both ends; whether the interrupt pin is up shows in the 8259A, which nobody lets through.
 *
 * On the command line: seed=N, test= what is tried:
 *   corners  bits that are not there, the FIFOs emptied in all ways, errors and where they stand
 *   pin      what raises the pin, what lowers it, and the gate
 *   room     who types has been kept waiting; when the next byte comes
 */
#include "lib/guest.h"
#include "lib/desc.h"
#include "lib/test.h"

enum { RBR = COM1, THR = COM1, IER = COM1 + 1, IIR = COM1 + 2, FCR = COM1 + 2, LCR = COM1 + 3,
       MCR = COM1 + 4, LSR = COM1 + 5, MSR = COM1 + 6 };
enum { DR = 0x01, LOOP = 0x10, OUT2 = 0x08, DLAB = 0x80, BREAK = 0x40, WORD_8 = 0x03 };

static uint32_t seed;
static volatile unsigned n_irqs;

static uint8_t byte(void)
{
    seed = seed * 1664525 + 1013904223;
    return (uint8_t)(seed >> 16);
}

/* Some 28 characters long, by the clock: who reads LSR would take the error that it tells. */
static void pause(void)
{
    for (unsigned i = 0; i < 2500; i++)
        inb(0x61);
}

static void write_some(unsigned n)
{
    while (n--)
        outb(THR, byte());
}

static void send(unsigned n)
{
    write_some(n);
    pause();
}

/* Reading IIR may take a reason and LSR an error, so each is read once. */
static void show(const char *what)
{
    uint8_t iir = inb(IIR), lsr = inb(LSR);
    printf("%s: IIR %02x LSR %02x\n", what, iir, lsr);
}

static void empty(const char *what)
{
    unsigned n = 0, sum = 0;
    while (inb(LSR) & DR && n < 40) {
        sum = sum * 31 + inb(RBR);
        n++;
    }
    printf("%s: %u bytes, sum %x\n", what, n, sum);
}

static void anew(uint8_t ier, uint8_t fcr)
{
    outb(IER, 0);
    outb(MCR, LOOP);
    outb(FCR, 0);
    outb(FCR, fcr);
    outb(IER, ier);
    inb(MSR);
}

static void test_bits(void)
{
    anew(0xff, 0);
    outb(MCR, 0xff);
    printf("IER %02x MCR %02x\n", inb(IER), inb(MCR));
    anew(0, 0x01);
    send(3);
    outb(FCR, 0);                               /* off: empty */
    show("FIFOs off");
    send(1);
    outb(FCR, 0x01);                            /* on: the same */
    show("FIFOs on");
    send(2);
    outb(FCR, 0x05);                            /* the transmitter's only */
    empty("the receiver keeps");
    write_some(9);
    outb(FCR, 0x05);                            /* what is under way */
    pause();
    empty("what had left");
    send(1);
    outb(LCR, DLAB | WORD_8);
    inb(RBR);                                   /* the divisor */
    outb(LCR, WORD_8);
    empty("behind the divisor");
}

static void test_errors(void)
{
    anew(4, 0x01);
    send(1);
    outb(LCR, BREAK | WORD_8);                  /* behind a good byte */
    outb(LCR, WORD_8);
    send(1);
    show("a break to come");
    inb(RBR);
    show("the break");
    show("told once");
    empty("and the rest");
    anew(1, 0x81);                              /* the trigger is 8 */
    send(7);
    show("seven, and silence");
    inb(RBR);
    show("one is taken");
    send(2);
    show("eight");
    empty("all");
    show("none");
}

static void test_corners(void)
{
    test_bits();
    test_errors();
}

static void pin(const char *what)
{
    outb(0x20, 0x0a);                           /* the 8259A's IRR */
    printf("%s: the pin is %s\n", what, inb(0x20) & 0x10 ? "up" : "down");
}

static void test_pin(void)
{
    anew(0, 0x01);
    outb(MCR, OUT2);
    inb(IIR);
    outb(IER, 2);
    pin("nothing to send");
    inb(IIR);
    pin("IIR was read");
    outb(IER, 2);
    pin("enabled once more");
    outb(IER, 0);
    outb(IER, 2);
    outb(MCR, OUT2 | LOOP);
    pin("loopback");
    outb(IER, 0);
    write_some(6);
    outb(IER, 2);
    pin("bytes are waiting");
    outb(MCR, OUT2);
    pin("and the gate is open");
    outb(IER, 0);
    anew(4, 0x01);
    outb(LCR, BREAK | WORD_8);
    outb(LCR, WORD_8);
    outb(MCR, OUT2);
    pin("a break");
    inb(LSR);
    pin("LSR was read");
    anew(8, 0x01);
    outb(MCR, LOOP | 1);
    outb(MCR, OUT2);
    pin("modem lines have moved");
    inb(MSR);
    pin("MSR was read");
    outb(IER, 0);
}

/* Takes no byte: the receiver fills. */
static void on_byte(struct frame *f)
{
    (void)f;
    n_irqs++;
    pic_eoi(4);
}

/* The sender has waited for room: the next byte is there as soon as there is some; and it
 * interrupts, because the pin has fallen when the last one went. */
static void make_room(const char *what, uint16_t port, uint8_t value)
{
    pause();                                    /* until the receiver is full */
    n_irqs = 0;
    outb(port, value);
    unsigned came = inb(LSR) & DR;
    printf("%s: %s, %u interrupts\n", what, came ? "a byte comes" : "nothing comes", n_irqs);
}

static void test_room(void)
{
    trap_set(IRQ_BASE + 4, on_byte);
    pic_unmask(4);
    outb(MCR, OUT2);
    outb(FCR, 0x01);
    outb(IER, 1);
    sti();
    make_room("the receiver is emptied", FCR, 0x03);
    make_room("FIFOs off", FCR, 0x00);
    make_room("FIFOs on", FCR, 0x01);
    for (unsigned i = 0; i < 2; i++) {
        pause();
        outb(MCR, OUT2 | LOOP);
        empty("before loopback");
        make_room("it lasts", MCR, OUT2 | LOOP | 1);
        make_room("it has ended", MCR, OUT2);
    }
    cli();
    outb(IER, 0);
}

int main(void)
{
    static const struct test tests[] = {
        { "corners", test_corners }, { "pin", test_pin }, { "room", test_room },
    };
    seed = option_number("seed=", 1);
    pic_init();
    return run_test(tests, sizeof tests / sizeof tests[0]);
}
