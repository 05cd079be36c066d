/*
 * chips: what two 8259As can do that a plain driver never asks for.
 *
 * lines.c asks in the order that the seed chooses; here each case of the contract in io/pic.h comes
 * once and in a fixed order, so that each mistake shows with each seed.  (The seed chooses the
 * vectors.)  Four lines are raised by software: the keyboard controller's two (1 and 12), the
 * UART's (4), and the clock's (8), which with 12 makes two lines of the second chip.
 *
 * On the command line: seed=N, test= what is tried:
 *   special  special fully nested mode, special mask mode
 *   ring     who is lowest: set, by EOIs of both kinds, and in automatic EOI mode
 *   wires    levels, vectors, the line between the chips, and initialization
 */
#include "lib/guest.h"
#include "lib/desc.h"
#include "lib/pic_show.h"
#include "lib/test.h"

enum { ELCR1 = 0x4d0 };
enum { EOI = 0x20, EOI_LINE = 0x60, ROTATE_EOI = 0xa0, ROTATE_EOI_LINE = 0xe0, SET_LOWEST = 0xc0,
       ROTATE_IN_AEOI = 0x80, NO_ROTATE_IN_AEOI = 0x00, SMM = 0x68,
       NO_SMM = 0x48, NO_OPERATION = 0x40 };
enum { ICW4 = 0x01, ICW4_AEOI = 0x03, ICW4_SFNM = 0x11 };

static unsigned base[2];                /* vectors of the chips' lines 0          */
static unsigned depth;
static unsigned raise_in_handler;       /* this line, by the next handler; 0: none */
static unsigned keep_up;                /* this line the next handler leaves high     */
static bool     no_eoi;                 /* the handlers send none                     */

static void controller(uint8_t command, uint8_t byte)
{
    while (inb(0x64) & 2)
        ;
    outb(0x64, command);
    while (inb(0x64) & 2)
        ;
    outb(0x60, byte);
}

static void clock_interrupt(bool on)
{
    outb(0x70, 0x0b);
    outb(0x71, on ? 0x42 : 0x02);
    outb(0x70, 0x0c);
    inb(0x71);                          /* what is due is taken back */
    for (unsigned i = 0; on && i < 300; i++)
        inb(0x61);                      /* until it is due again: 122 us */
}

static void raise_line(unsigned irq)
{
    if (irq == 4) {
        outb(COM1 + 1, 0);
        outb(COM1 + 1, 2);              /* IER: transmitter empty */
    } else if (irq == 8)
        clock_interrupt(true);
    else
        controller(irq == 1 ? 0xd2 : 0xd3, (uint8_t)irq);
}

static void quiet(unsigned irq)
{
    if (irq == 4)
        outb(COM1 + 1, 0);
    else if (irq == 8)
        clock_interrupt(false);
    else
        inb(0x60);
}

static void listen(void)
{
    sti();
    for (volatile int i = 0; i < 50; i++)
        ;
    cli();
}

/* In special fully nested mode the first chip's EOI waits until the second has nothing more. */
static void end(unsigned irq)
{
    if (irq >= 8)
        outb(PIC2, EOI);
    if (irq < 8 || !pic_register(PIC2, OCW3_ISR))
        outb(PIC1, EOI);
}

static void indent(unsigned n)
{
    while (n--)
        printf("  ");
}

static void on_line(struct frame *f)
{
    unsigned vector = (unsigned)f->vector, raise = raise_in_handler;
    unsigned irq = vector - base[0] < 8 ? vector - base[0] : vector - base[1] + 8;
    raise_in_handler = 0;
    indent(depth++);
    printf("> %u, ISR %02x %02x\n", irq, pic_register(PIC1, OCW3_ISR),
           pic_register(PIC2, OCW3_ISR));
    if (irq != keep_up)
        quiet(irq);
    keep_up = 0;
    if (raise) {
        raise_line(raise);
        listen();
    }
    if (!no_eoi)
        end(irq);
    indent(--depth);
    printf("< %u\n", irq);
}

/* Both chips anew; all four lines are heard. */
static void initialize(uint8_t first, uint8_t second)
{
    outb(PIC1, 0x11);
    outb(PIC1 + 1, (uint8_t)base[0]);
    outb(PIC1 + 1, 1 << 2);
    outb(PIC1 + 1, first);
    outb(PIC2, 0x11);
    outb(PIC2 + 1, (uint8_t)base[1]);
    outb(PIC2 + 1, 2);
    outb(PIC2 + 1, second);
    outb(PIC1 + 1, 0xe9);
    outb(PIC2 + 1, 0xee);
}

/* Two lines ask at once. */
static void race(const char *what, unsigned a, unsigned b)
{
    printf("%s: %u and %u\n", what, a, b);
    raise_line(a);
    raise_line(b);
    listen();
}

/* Handlers of the second chip's 12, in which its 8 asks. */
static void nest_in_second(const char *what, uint8_t first)
{
    printf("%s\n", what);
    initialize(first, ICW4);
    raise_in_handler = 8;
    raise_line(12);
    listen();
    raise_in_handler = 12;              /* and the other way round: 12 is lower than 8 */
    raise_line(8);
    listen();
}

static void test_special(void)
{
    nest_in_second("fully nested", ICW4);
    nest_in_second("special fully nested", ICW4_SFNM);
    initialize(ICW4, ICW4);
    no_eoi = true;
    raise_line(1);
    listen();                           /* in service for ever ...             */
    outb(PIC1, SMM);
    raise_line(4);
    listen();                           /* ... and not masked: 4 waits         */
    pic_show("special mask mode");
    outb(PIC1 + 1, 0xeb);
    listen();                           /* now it is masked                    */
    pic_show("masked");
    outb(PIC1, EOI);                    /* of the highest that is not masked: 4 */
    pic_show("one EOI");
    outb(PIC1, NO_SMM);
    outb(PIC1, EOI);
    pic_show("another");
    outb(PIC1, EOI);                    /* of nothing */
    outb(PIC1, EOI_LINE | 3);
    pic_show("and two of nothing");
    no_eoi = false;
}

static void test_ring(void)
{
    initialize(ICW4, ICW4);
    for (unsigned lowest = 0; lowest < 8; lowest++) {
        outb(PIC1, (uint8_t)(SET_LOWEST | lowest));
        printf("%u is lowest\n", lowest);
        race("set", 4, 1);
        race("set", 12, 4);
    }
    no_eoi = true;
    raise_line(1);
    listen();
    outb(PIC1, ROTATE_EOI);
    no_eoi = false;
    race("by an EOI of 1", 1, 4);
    outb(PIC1, SET_LOWEST | 7);
    no_eoi = true;
    raise_line(4);
    listen();
    raise_line(1);
    listen();
    pic_show("4 and 1 in service");
    outb(PIC1, ROTATE_EOI_LINE | 1);
    pic_show("1 has ended");
    outb(PIC1, EOI);
    pic_show("both have");
    no_eoi = false;
    race("1 was named", 1, 4);
    initialize(ICW4_AEOI, ICW4_AEOI);
    no_eoi = true;
    race("automatic", 1, 4);
    outb(PIC1, ROTATE_IN_AEOI);
    raise_line(1);
    listen();
    race("rotating", 1, 4);             /* 1 is lowest, then 4, then 1 ... */
    outb(PIC1, NO_ROTATE_IN_AEOI);
    raise_line(4);
    listen();
    race("no more", 1, 4);              /* ... no: still 1                 */
    no_eoi = false;
}

static void test_wires(void)
{
    initialize(ICW4_AEOI, ICW4_AEOI);   /* 8 does not hold 12 back: one more rise of line 2 */
    no_eoi = true;
    race("both of the second", 12, 8);
    pic_show("nothing is left");
    no_eoi = false;
    outb(ELCR1, 1 << 4);
    initialize(ICW4, ICW4);
    keep_up = 4;                        /* by level: once more, behind its EOI */
    printf("level\n");
    raise_line(4);
    listen();
    outb(ELCR1, 0);
    keep_up = 4;                        /* by edge: once                       */
    printf("edge\n");
    raise_line(4);
    listen();
    quiet(4);
    raise_line(4);
    quiet(4);
    listen();
    pic_show("taken back");
    outb(PIC1, 0x11);
    raise_line(4);                      /* the chip is not ready, and its mask is clear */
    listen();
    printf("no vector yet\n");
    outb(PIC1 + 1, (uint8_t)base[0]);
    listen();
    outb(PIC1 + 1, 1 << 2);
    listen();
    printf("no ICW4 yet\n");
    outb(PIC1 + 1, ICW4);
    listen();
    quiet(4);
    outb(PIC1, NO_OPERATION);           /* for the lab's monitor the sign to make an INTA */
    pic_show("an INTA that nobody has asked for");
}

int main(void)
{
    static const struct test tests[] = {
        { "special", test_special }, { "ring", test_ring }, { "wires", test_wires },
    };
    static const uint8_t lines[] = { 1, 4, 8, 12 };
    uint32_t seed = option_number("seed=", 1);
    base[0] = 0x30 + 16 * (seed % 5);
    base[1] = 0xe0 - 16 * (seed % 3);   /* not right behind the first one's */
    pic_init();
    while (inb(0x64) & 1)
        inb(0x60);
    controller(0x60, 0x03);             /* both interrupts of the 8042, no translation */
    while (inb(0x64) & 2)
        ;
    outb(0x64, 0xa8);                   /* the second port is on */
    outb(COM1 + 4, 0x0b);               /* MCR: OUT2 lets the UART's interrupt through */
    outb(0x70, 0x0a);
    outb(0x71, 0x23);                   /* the clock's periodic interrupt: each 122 us */
    for (unsigned i = 0; i < sizeof lines; i++)
        trap_set(base[lines[i] / 8] + lines[i] % 8, on_line);
    return run_test(tests, sizeof tests / sizeof tests[0]);
}
