/*
 * lines: raises interrupt lines on purpose and writes down who was heard, and when.
 *
 * Three lines can be raised by software on a PC: the keyboard controller takes a byte for its
 * output buffer (command D2h: IRQ 1; D3h: IRQ 12), and the UART has an empty transmitter to tell
 * of as soon as that interrupt is enabled (IRQ 4).  IRQ 12 comes by way of the second 8259A, so it
 * ranks between 1 and 3.  With that a guest can ask in every order while it does not listen,
 * while it is in a handler, and while a line is masked.  What the handlers see is printed; a
 * right controller gives the same text each time.
 *
 * On the command line: seed=N chooses the order, test= what is tried:
 *   nest    handlers that let others in before their EOI
 *   eoi     specific and automatic EOI, EOIs in the wrong order
 *   mask    masks set and cleared while lines ask; special mask mode
 *   rotate  priorities that turn
 *   poll    the poll command, and the registers as they read
 */
#include "lib/guest.h"
#include "lib/desc.h"
#include "lib/pic_show.h"
#include "lib/test.h"

#define BIT(n) (1u << (n))
enum { OCW2_EOI = 0x20, OCW2_EOI_LINE = 0x60, OCW2_ROTATE_EOI = 0xa0, OCW2_SET_LOWEST = 0xc0,
       OCW3_POLL = 0x0c, OCW3_SMM = 0x68, OCW3_NO_SMM = 0x48 };

static const unsigned lines[] = { 1, 4, 12 };
#define N_LINES 3
#define ROUNDS  12

static uint32_t seed;
static unsigned depth;
static bool     nesting;            /* handlers open the gate for others              */
static unsigned raise_in_handler;   /* BIT(i) of lines[]: raised by the next handler  */
static bool     own_eoi;            /* the handlers send a specific EOI               */
static bool     no_eoi;             /* they send none                                 */

/* A linear congruential generator: the same numbers from the same seed everywhere. */
static unsigned random_below(unsigned n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 16) % n;
}

static void controller(uint8_t command)
{
    while (inb(0x64) & 2)
        ;
    outb(0x64, command);
}

static void raise_line(unsigned irq)
{
    if (irq == 4) {
        outb(COM1 + 1, 0);
        outb(COM1 + 1, 2);                      /* IER: transmitter empty */
    } else {
        controller(irq == 1 ? 0xd2 : 0xd3);
        while (inb(0x64) & 2)
            ;
        outb(0x60, (uint8_t)(0x10 + irq));
    }
}

/* Let the device take its request back: it has been heard. */
static void quiet(unsigned irq)
{
    if (irq == 4)
        outb(COM1 + 1, 0);
    else
        inb(0x60);
}

static void end(unsigned irq)
{
    if (no_eoi)
        return;
    if (own_eoi) {
        if (irq >= 8)
            outb(PIC2, (uint8_t)(OCW2_EOI_LINE | (irq & 7)));
        outb(PIC1, (uint8_t)(OCW2_EOI_LINE | (irq >= 8 ? 2 : irq)));
    } else
        pic_eoi(irq);
}

static void indent(void)
{
    for (unsigned i = 0; i < depth; i++)
        printf("  ");
}

static void on_line(struct frame *f)
{
    unsigned irq = (unsigned)f->vector - IRQ_BASE;
    unsigned raise = raise_in_handler;
    raise_in_handler = 0;
    depth++;
    indent();
    printf("> %u  ISR %02x %02x\n", irq, pic_register(PIC1, OCW3_ISR),
           pic_register(PIC2, OCW3_ISR));
    quiet(irq);
    for (unsigned i = 0; i < N_LINES; i++)
        if (raise & BIT(i))
            raise_line(lines[i]);
    if (nesting) {
        sti();
        for (volatile int i = 0; i < 20; i++)
            ;
        cli();
    }
    end(irq);
    indent();
    printf("< %u\n", irq);
    depth--;
}

static void listen(void)
{
    sti();
    for (volatile int i = 0; i < 50; i++)
        ;
    cli();
}

/* Raise some lines in a random order. */
static void raise_some(unsigned which)
{
    unsigned first = random_below(N_LINES);
    for (unsigned i = 0; i < N_LINES; i++) {
        unsigned k = (first + i) % N_LINES;
        /* the keyboard controller has one output buffer: 1 and 12 exclude each other */
        if (which & BIT(k) && !(k == 2 && which & 1))
            raise_line(lines[k]);
    }
}

/* Each line alone, and in its handler each choice of lines; the seed chooses where that begins. */
static void nest_all(void)
{
    unsigned first = random_below(N_LINES * 8);
    for (unsigned i = 0; i < N_LINES * 8; i++) {
        unsigned k = (first + i) % (N_LINES * 8);
        printf("%u in %u\n", k % 8, lines[k / 8]);
        raise_in_handler = k % 8;
        raise_line(lines[k / 8]);
        listen();
    }
}

static void test_nest(void)
{
    nesting = true;
    nest_all();
    for (unsigned n = 0; n < ROUNDS; n++) {
        printf("round %u\n", n);
        raise_in_handler = random_below(8);
        raise_some(1 + random_below(7));
        listen();
    }
    nesting = false;
}

static void test_eoi(void)
{
    own_eoi = true;
    for (unsigned n = 0; n < ROUNDS; n++) {
        printf("round %u\n", n);
        raise_some(1 + random_below(7));
        listen();
    }
    own_eoi = false;
    no_eoi = true;                              /* in service for ever: lower lines wait */
    raise_line(4);
    listen();
    pic_show("4 in service");
    raise_line(1);
    listen();
    pic_show("1 and 4 in service");
    outb(PIC1, OCW2_EOI);                       /* the highest in service: 1 */
    pic_show("after one EOI");
    outb(PIC1, OCW2_EOI_LINE | 4);
    pic_show("after the other");
    outb(PIC1, 0x11);                           /* again, with automatic EOI */
    outb(PIC1 + 1, IRQ_BASE);
    outb(PIC1 + 1, 1 << 2);
    outb(PIC1 + 1, 0x03);
    outb(PIC1 + 1, 0xff & ~(BIT(1) | BIT(4)));
    raise_line(4);
    listen();
    raise_line(1);
    listen();
    pic_show("automatic EOI");
    no_eoi = false;
}

static void test_mask(void)
{
    for (unsigned n = 0; n < ROUNDS; n++) {
        unsigned irq = lines[random_below(N_LINES)];
        printf("round %u\n", n);
        pic_mask(irq);
        raise_some(n ? 1 + random_below(7) : 4);
        listen();
        pic_show("masked");
        pic_unmask(irq);
        listen();
        pic_show("open");
    }
    no_eoi = true;
    raise_line(1);
    listen();                                   /* 1 in service: 4 must wait ... */
    no_eoi = false;
    raise_line(4);
    listen();
    pic_show("waiting");
    pic_mask(1);
    outb(PIC1, OCW3_SMM);                       /* ... but not in special mask mode */
    listen();
    pic_show("special mask");
    outb(PIC1, OCW3_NO_SMM);
    outb(PIC1, OCW2_EOI_LINE | 1);
    pic_unmask(1);
}

static void test_rotate(void)
{
    for (unsigned n = 0; n < ROUNDS; n++) {
        unsigned lowest = n % 8;
        printf("round %u: %u is lowest\n", n, lowest);
        outb(PIC1, (uint8_t)(OCW2_SET_LOWEST | lowest));
        raise_some(7);
        listen();
    }
    no_eoi = true;
    raise_line(4);
    listen();
    outb(PIC1, OCW2_ROTATE_EOI);                /* 4 is lowest now */
    no_eoi = false;
    raise_some(3);
    listen();
    outb(PIC1, OCW2_SET_LOWEST | 7);
}

static void test_poll(void)
{
    for (unsigned n = 0; n < ROUNDS; n++) {
        raise_some(1 + random_below(7));
        pic_show("asked");
        for (unsigned i = 0; i < 3; i++) {
            outb(PIC1, OCW3_POLL);
            uint8_t line = inb(PIC1);
            printf("poll %02x\n", line);
            if (line == 0x82) {
                outb(PIC2, OCW3_POLL);
                printf("second %02x\n", inb(PIC2));
                outb(PIC2, OCW2_EOI);
            }
            if (line & 0x80) {
                quiet((line & 7) == 4 ? 4 : 1);
                outb(PIC1, OCW2_EOI);
            }
        }
    }
}

int main(void)
{
    static const struct test tests[] = {
        { "nest", test_nest }, { "eoi", test_eoi }, { "mask", test_mask },
        { "rotate", test_rotate }, { "poll", test_poll },
    };
    seed = option_number("seed=", 1);
    pic_init();
    while (inb(0x64) & 1)
        inb(0x60);
    outb(0x64, 0x60);
    outb(0x60, 0x03);                           /* both interrupts of the 8042, no translation */
    controller(0xa8);                           /* the second port is on */
    outb(COM1 + 4, 0x0b);                       /* MCR: OUT2 lets the UART's interrupt through */
    for (unsigned i = 0; i < N_LINES; i++) {
        trap_set(IRQ_BASE + lines[i], on_line);
        pic_unmask(lines[i]);
    }
    return run_test(tests, sizeof tests / sizeof tests[0]);
}
