/*
 * io/i8042.c -- the keyboard controller: two buffers, a status byte, three ports.
 *
 * What the keyboard sends goes through the translator into the output buffer,
 * one byte at a time; each one that arrives raises IRQ 1 until the guest has
 * read it.  A byte takes a while on the cable (CABLE_NS), so the line drops
 * between two bytes and an edge-triggered PIC sees each of them.  The
 * controller's own answers are there at once.
 *
 *   7 6 5 4 3 2 1 0
 *   P T A 1 c s I O    status: O output full, I input full, s self test passed,
 *                      c last write was a command, A byte is the mouse's
 *   . X m k . S M K    command byte: X translate; m k disable mouse, keyboard;
 *                      S self test passed; M K interrupt for mouse, keyboard
 *   . . b B . . A R    output port: R not reset, A A20, B b buffer interrupts
 * [PC/AT Technical Reference "Keyboard Controller"]
 */
#include "io/i8042.h"

#include <errno.h>
#include <stdlib.h>

#include "io/keyboard.h"
#include "io/oddity.h"
#include "io/slot.h"
#include "io/sysport.h"

#define ST_OBF      BIT(0)
#define ST_SYS      BIT(2)
#define ST_COMMAND  BIT(3)
#define ST_UNLOCKED BIT(4)          /* the key of the case is not turned */
#define ST_AUX      BIT(5)
#define CB_IRQ_KBD  BIT(0)
#define CB_IRQ_AUX  BIT(1)
#define CB_SYS      BIT(2)
#define CB_NO_KBD   BIT(4)
#define CB_NO_AUX   BIT(5)
#define CB_XLATE    BIT(6)
#define OUT_NRESET  BIT(0)
#define OUT_A20     BIT(1)
#define OUT_OBF     BIT(4)
#define OUT_AUX_OBF BIT(5)
#define INPUT_PORT  0xa0            /* not locked, colour display, no jumpers */

/* A real keyboard takes 0.9 ms; guests that poll would only trap the longer. */
#define CABLE_NS    1000

enum { CMD_READ_CB = 0x20, CMD_WRITE_CB = 0x60, CMD_AUX_OFF = 0xa7, CMD_AUX_ON = 0xa8,
       CMD_AUX_TEST = 0xa9, CMD_SELF_TEST = 0xaa, CMD_KBD_TEST = 0xab, CMD_KBD_OFF = 0xad,
       CMD_KBD_ON = 0xae, CMD_READ_IN = 0xc0, CMD_READ_OUT = 0xd0, CMD_WRITE_OUT = 0xd1,
       CMD_ECHO_KBD = 0xd2, CMD_ECHO_AUX = 0xd3, CMD_TO_AUX = 0xd4, CMD_TEST_IN = 0xe0,
       CMD_PULSE = 0xf0 };

struct i8042 {
    struct vclock   *clock;
    struct oddity_log    odd;
    struct irq_line  irq1, irq12, a20;
    struct port_hook reset;

    uint8_t status;             /* OBF, SYS, COMMAND and AUX; the rest is computed */
    uint8_t data;               /* the output buffer                               */
    uint8_t command_byte;
    uint8_t output_port;        /* bits 0, 1 and what has no meaning; 4, 5 computed */
    uint8_t command;            /* waits for its argument at port 60h, 0: none     */
    uint8_t release;            /* translator: F0h was seen, the next is a release */
    struct keyboard kbd;
    struct vtimer   cable;      /* the keyboard's next byte arrives                */
};

#define REG(member, name, text) DEV_FIELD(struct i8042, member, name, FIELD_RW, text)

static const struct field i8042_fields[] = {
    REG(status, "STATUS", "0 output buffer full, 2 system, 3 command, 5 mouse"),
    REG(data, "DATA", "output buffer"),
    REG(command_byte, "CB", "6 translate, 5-4 disable, 1-0 interrupts"),
    REG(output_port, "OUTPORT", "1 A20, 0 not reset"),
    REG(command, "COMMAND", "waiting for its argument"),
    REG(release, "RELEASE", "translator saw F0h"),
    DEV_ARRAY(struct i8042, kbd.queue, "QUEUE", FIELD_RO, "in the keyboard"),
    REG(kbd.head, "HEAD", "next to send"),
    REG(kbd.count, "N", "bytes queued"),
    REG(kbd.scanning, "SCANNING", "keys are sent"),
    REG(kbd.set, "SCANSET", "scan code set"),
    REG(kbd.leds, "LEDS", "2 caps, 1 num, 0 scroll"),
    REG(kbd.typematic, "TYPEMATIC", "repeat rate and delay"),
    REG(kbd.command, "KBDCMD", "keyboard command waiting for its argument"),
    REG(kbd.last, "LAST", "last byte the keyboard sent"),
    DEV_FIELD(struct i8042, cable, "CABLE", FIELD_TIMER, "the keyboard's next byte arrives"),
};

/* --- From the keyboard to the guest --- */

/* One output buffer, two senders: the byte in it is announced by its sender's line. */
static void update_irqs(struct i8042 *k)
{
    bool full = k->status & ST_OBF, aux = k->status & ST_AUX;
    irq_set(&k->irq1, full && !aux && k->command_byte & CB_IRQ_KBD);
    irq_set(&k->irq12, full && aux && k->command_byte & CB_IRQ_AUX);
}

/* Start the transfer of the keyboard's next byte, if one may come. */
static void start_transfer(struct i8042 *k)
{
    bool may = !(k->status & ST_OBF) && !(k->command_byte & CB_NO_KBD);
    if (!may || !keyboard_has_byte(&k->kbd))
        vtimer_cancel(&k->cable);
    else if (k->cable.deadline_ns == VCLOCK_NEVER)
        vtimer_arm(&k->cable, vclock_now_ns(k->clock) + CABLE_NS);
}

/* Set 2 to set 1, with F0h turned into bit 7 of what follows.  The controller cannot tell a scan
 * code from an answer to a command and translates all that the keyboard sends: asked for its scan
 * code set, the keyboard says 02h and the guest reads 41h.  False: nothing to show yet. */
static bool translate(struct i8042 *k, uint8_t *byte)
{
    if (!(k->command_byte & CB_XLATE))
        return true;
    if (*byte == 0xf0) {
        k->release = 0x80;
        return false;
    }
    *byte = scancode_to_set1(*byte) | k->release;
    k->release = 0;
    return true;
}

static void byte_arrived(void *arg)
{
    struct i8042 *k = arg;
    while (keyboard_has_byte(&k->kbd)) {
        uint8_t byte = keyboard_take(&k->kbd);
        if (!translate(k, &byte))
            continue;
        k->data = byte;
        k->status = (k->status & (uint8_t)~ST_AUX) | ST_OBF;
        break;
    }
    update_irqs(k);
    start_transfer(k);
}

/* An answer of the controller itself. */
static void put_answer(struct i8042 *k, uint8_t byte, bool aux)
{
    k->data = byte;
    k->status |= ST_OBF;
    k->status = aux ? k->status | ST_AUX : k->status & (uint8_t)~ST_AUX;
}

/* --- Commands --- */

/* Bits 4 and 5 mirror the two interrupt lines. */
static uint8_t output_port(const struct i8042 *k)
{
    uint8_t v = k->output_port & (uint8_t)~(OUT_OBF | OUT_AUX_OBF);
    if (k->status & ST_OBF)
        v |= k->status & ST_AUX ? OUT_AUX_OBF : OUT_OBF;
    return v;
}

/* The AT had pins to spare here, so A20 and the CPU's reset hang on the keyboard controller.
 * [PC/AT Technical Reference "Keyboard Controller"] */
static void write_output_port(struct i8042 *k, uint8_t v)
{
    k->output_port = v;
    irq_set(&k->a20, v & OUT_A20);
    if (!(v & OUT_NRESET))
        port_call(&k->reset, RESET_I8042);
}

static void write_command_byte(struct i8042 *k, uint8_t v)
{
    k->command_byte = v;
    k->status = v & CB_SYS ? k->status | ST_SYS : k->status & (uint8_t)~ST_SYS;
}

/* AAh answers 55h if all is well, and leaves keyboard and mouse off. */
static void self_test(struct i8042 *k)
{
    write_command_byte(k, CB_SYS | CB_NO_KBD | CB_NO_AUX | CB_XLATE);
    k->command = k->release = 0;
    put_answer(k, 0x55, false);
}

/* Commands that are done at once; those with an argument wait for it. */
static void write_command(struct i8042 *k, uint8_t v)
{
    k->command = 0;
    k->status |= ST_COMMAND;
    switch (v) {
    case CMD_READ_CB:   put_answer(k, k->command_byte, false); break;
    case CMD_AUX_OFF:   k->command_byte |= CB_NO_AUX; break;
    case CMD_AUX_ON:    k->command_byte &= (uint8_t)~CB_NO_AUX; break;
    case CMD_AUX_TEST:  put_answer(k, 0x00, false); break;      /* the wires are fine */
    case CMD_SELF_TEST: self_test(k); break;
    case CMD_KBD_TEST:  put_answer(k, 0x00, false); break;
    case CMD_KBD_OFF:   k->command_byte |= CB_NO_KBD; break;
    case CMD_KBD_ON:    k->command_byte &= (uint8_t)~CB_NO_KBD; break;
    case CMD_READ_IN:   put_answer(k, INPUT_PORT, false); break;
    case CMD_READ_OUT:  put_answer(k, output_port(k), false); break;
    case CMD_TEST_IN:   put_answer(k, 0x00, false); break;
    case CMD_WRITE_CB:
    case CMD_WRITE_OUT:
    case CMD_ECHO_KBD:
    case CMD_ECHO_AUX:
    case CMD_TO_AUX:
        k->command = v;
        break;
    default:
        if (v < CMD_PULSE)
            oddity(&k->odd, ODDITY_I8042_BAD_COMMAND, v, 0);
        else if (!(v & OUT_NRESET))
            port_call(&k->reset, RESET_I8042);  /* F0-FF pulse the low bits that are 0 */
        break;
    }
}

/* Port 60h: the argument of a command that waits for one; else a byte for the keyboard. */
static void write_data(struct i8042 *k, uint8_t v)
{
    uint8_t waiting = k->command;
    k->command = 0;
    k->status &= (uint8_t)~ST_COMMAND;
    switch (waiting) {
    case CMD_WRITE_CB:  write_command_byte(k, v); break;
    case CMD_WRITE_OUT: write_output_port(k, v); break;
    case CMD_ECHO_KBD:  put_answer(k, v, false); break;
    case CMD_ECHO_AUX:  put_answer(k, v, true); break;
    case CMD_TO_AUX:    put_answer(k, 0xfe, true); break;       /* nobody there: time-out */
    default:
        k->command_byte &= (uint8_t)~CB_NO_KBD;     /* talking to it enables it */
        keyboard_command(&k->kbd, &k->odd, v);
        break;
    }
}

static void i8042_write(void *dev, struct bus_access a, uint64_t value)
{
    struct i8042 *k = dev;
    if (a.off)
        write_command(k, (uint8_t)value);
    else
        write_data(k, (uint8_t)value);
    update_irqs(k);
    start_transfer(k);
}

static uint64_t i8042_peek(const void *dev, struct bus_access a)
{
    const struct i8042 *k = dev;
    return a.off ? k->status | ST_UNLOCKED : k->data;
}

/* Reading the data port empties the buffer and so lets the next byte come. */
static uint64_t i8042_read(void *dev, struct bus_access a)
{
    struct i8042 *k = dev;
    uint64_t value = i8042_peek(dev, a);
    if (!a.off) {
        k->status &= (uint8_t)~(ST_OBF | ST_AUX);
        update_irqs(k);
        start_transfer(k);
    }
    return value;
}

/* --- Keys from the host --- */

int i8042_key(struct i8042 *k, uint16_t set1_code, bool down)
{
    int err = keyboard_key(&k->kbd, &k->odd, set1_code, down);
    start_transfer(k);
    return err;
}

/* Shift or Ctrl down, the key down and up, Shift or Ctrl up: all of it or nothing. */
int keyboard_type(struct i8042 *k, char ascii)
{
    /* ROOM: four bytes, and what keyboard_key() wants free for the fourth key. */
    enum { LEFT_SHIFT = 0x2a, LEFT_CTRL = 0x1d, ROOM = 4 + 7 };
    bool shift, ctrl;
    uint16_t key = keyboard_key_for(ascii, &shift, &ctrl);
    uint16_t hold = shift ? LEFT_SHIFT : ctrl ? LEFT_CTRL : 0;
    if (!key)
        return -EINVAL;
    if (k->kbd.count + ROOM > KEYBOARD_QUEUE)
        return -EAGAIN;
    if (hold)
        i8042_key(k, hold, true);
    i8042_key(k, key, true);
    i8042_key(k, key, false);
    if (hold)
        i8042_key(k, hold, false);
    return 0;
}

/* --- Life --- */

/* As a BIOS leaves it: tested, keyboard on and translated, interrupt enabled. */
static void i8042_reset(void *dev)
{
    struct i8042 *k = dev;
    k->status = ST_SYS;
    k->data = 0;
    k->command_byte = CB_XLATE | CB_NO_AUX | CB_SYS | CB_IRQ_KBD;
    k->output_port = 0xc0 | OUT_A20 | OUT_NRESET;
    k->command = 0;
    k->release = 0;
    keyboard_reset(&k->kbd);
    vtimer_cancel(&k->cable);
    irq_set(&k->a20, true);
    update_irqs(k);
}

static void i8042_after_load(void *dev)
{
    struct i8042 *k = dev;
    keyboard_after_load(&k->kbd);
    k->release &= 0x80;
    k->status &= ST_OBF | ST_SYS | ST_COMMAND | ST_AUX;
    irq_set(&k->a20, k->output_port & OUT_A20);
    update_irqs(k);
    start_transfer(k);
}

static void *i8042_create(const struct slot *s)
{
    struct i8042 *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    k->clock = s->clock;
    k->odd = slot_oddities(s);
    k->irq1 = s->pin[0];
    k->irq12 = s->pin[1];
    k->a20 = s->a20;
    k->reset = s->ask.reset;
    vtimer_init(&k->cable, s->clock, byte_arrived, k);
    i8042_reset(k);
    return k;
}

static void i8042_free(void *dev)
{
    struct i8042 *k = dev;
    if (!k)
        return;
    vtimer_cancel(&k->cable);
    free(k);
}

const struct device_ops i8042_ops = {
    .name = "i8042",
    .about = "keyboard controller and keyboard [IBM PC/AT]",
    .fields = i8042_fields,
    .n_fields = NELEM(i8042_fields),
    .state_bytes = sizeof(struct i8042),
    .width = 1,
    .create = i8042_create,
    .reset = i8042_reset,
    .read = i8042_read,
    .write = i8042_write,
    .peek = i8042_peek,
    .after_load = i8042_after_load,
    .free = i8042_free,
};
