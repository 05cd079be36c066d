/*
 * vm/listening.c -- see listening.h.
 *
 * One table says what is known of the two devices.  Looking at a register here is a peek: the
 * guest notices nothing.
 */
#include "vm/listening.h"

#include "base/vclock.h"
#include "base/x86.h"
#include "io/i8042.h"
#include "io/pic.h"
#include "io/uart.h"
#include "vm/input_log.h"
#include "vm/pc.h"
#include "vm/vm.h"

#define ENOUGH 3                    /* looks in vain: fewer are part of an initialisation */

#define LSR_DR      BIT(0)
#define LSR_THRE    BIT(5)
#define LCR_DLAB    BIT(7)
#define MCR_OUT2    BIT(3)
#define KBD_FULL    BIT(0)

enum { UART_DATA = 0, UART_IER = 1, UART_LCR = 3, UART_MCR = 4, UART_LSR = 5 };
enum { KBD_DATA = 0, KBD_STATUS = 4 };

/* Ports from, to; the offset of the status register, the bits of it that matter, and what they are
 * when somebody looks for a byte in vain; the data register is at `from`. */
static const struct source {
    uint16_t from, to, status;
    uint8_t  mask, in_vain, irq;
} sources[2] = {
    [INPUT_SERIAL]   = { 0x3f8, 0x3ff, 0x3fd, LSR_DR | LSR_THRE, LSR_THRE, 4 },
    [INPUT_KEYBOARD] = { 0x060, 0x064, 0x064, KBD_FULL, 0, 1 },
};

static const struct source *source_at(uint16_t port, unsigned *kind)
{
    for (unsigned i = 0; i < 2; i++)
        if (port >= sources[i].from && port <= sources[i].to && port != 0x061) {
            *kind = i;
            return &sources[i];
        }
    return NULL;
}

/* A byte of data that was there begins the count anew; with none the read was in vain, too, but
 * which it was shows at the next look at the status. */
bool listening_note_in(struct vm *vm, uint16_t port, uint8_t in)
{
    unsigned kind;
    const struct source *s = source_at(port, &kind);
    uint8_t *looks = s ? &vm->listening.looks[kind] : NULL;
    if (!s || (port != s->status && port != s->from) || *looks >= ENOUGH ||
        (port == s->status && (in & s->mask) != s->in_vain))
        return false;
    return ++*looks == ENOUGH;
}

/* A byte that is sent is no initialisation, but whoever sends looks at the status as well.  Any
 * other write may be one. */
void listening_note_out(struct vm *vm, uint16_t port)
{
    unsigned kind;
    const struct source *s = source_at(port, &kind);
    if (!s)
        return;
    vm->listening.looks[kind] = 0;
    if (port != s->from)
        vm->listening.by_interrupt[kind] = 0;
}

static uint8_t uart_reg(const struct vm *vm, unsigned off)
{
    return (uint8_t)uart_ops.peek(pc_uart(vm->pc), (struct bus_access){ .off = off, .size = 1 });
}

static bool has_room(const struct vm *vm, unsigned kind)
{
    const struct bus_access status = { .off = KBD_STATUS, .size = 1 };
    if (kind == INPUT_SERIAL)
        return !(uart_reg(vm, UART_LSR) & LSR_DR);
    return !(i8042_ops.peek(pc_keyboard(vm->pc), status) & KBD_FULL) &&
           vm->listening.given_ns != vclock_now_ns(vm->clock);
}

/* Would the device's interrupt come through all three gates, at the device, at the 8259A and at
 * the CPU?  The keyboard's own gate cannot be seen without asking the controller. */
static bool takes_interrupts(struct vm *vm, unsigned kind)
{
    struct cpu_state s;
    if (kind == INPUT_SERIAL && (uart_reg(vm, UART_LCR) & LCR_DLAB ||
                                 !(uart_reg(vm, UART_IER) & 1) ||
                                 !(uart_reg(vm, UART_MCR) & MCR_OUT2)))
        return false;
    return pc_open_lines(vm->pc) & BIT(sources[kind].irq) &&
           !boot_cpu(vm)->ops->get_state(boot_cpu(vm), ST_GPRS, &s) && s.rflags & FLAG_IF;
}

/* Bytes for an interrupt handler may fill the FIFO, even while it runs; for one who polls
 * they come one by one, since he may initialise the device yet.  So do characters for the
 * keyboard: a command makes it forget what it has not sent. */
bool listening_now(struct vm *vm, unsigned kind)
{
    struct listening *l = &vm->listening;
    if (!l->by_interrupt[kind])
        l->by_interrupt[kind] = takes_interrupts(vm, kind);
    if (kind == INPUT_SERIAL && l->by_interrupt[kind])
        return true;
    return has_room(vm, kind) && (l->by_interrupt[kind] || l->looks[kind] >= ENOUGH);
}

void listening_given(struct vm *vm, unsigned kind)
{
    vm->listening.looks[kind] = 0;
    if (kind == INPUT_KEYBOARD)
        vm->listening.given_ns = vclock_now_ns(vm->clock);
}
