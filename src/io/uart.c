/*
 * io/uart.c -- a 16550A as the guest sees it: eight ports, four reasons to interrupt.
 *
 *   off  DLAB=0 read   DLAB=0 write   DLAB=1
 *    0   RBR           THR            DLL     divisor, low half
 *    1   IER           IER            DLM     divisor, high half
 *    2   IIR           FCR
 *    3   LCR           LCR
 *    4   MCR           MCR
 *    5   LSR           -
 *    6   MSR           -
 *    7   SCR           SCR
 *
 * Bytes on their way in and out, and the time they take, are io/uart_line.c.
 *
 * IIR, LSR and the interrupt pin are not stored; they are computed from what
 * is in the FIFOs and a few latches (`iir`, `lsr`, `uart_update_irq`).
 *
 * On a PC the interrupt pin passes a gate that MCR's OUT2 opens.  In loopback
 * all modem outputs are inactive at the pins, so the gate is shut as well.
 * [PC16550D "Registers", "MODEM Control Register"]
 */
#include "io/uart.h"

#include <stdlib.h>

#include "io/oddity.h"
#include "io/uart_state.h"

/* A BIOS leaves 115200 baud, 8N1; a chip out of the box has no divisor at all. */
static const struct uart_regs uart_at_reset = {
    .lcr = 0x03,
    .dll = 1,
    .msr = MSR_CTS | MSR_DSR | MSR_DCD,     /* somebody is at the other end */
};

#define REG(member, name, flags, text) DEV_FIELD(struct uart, r.member, name, flags, text)

static const struct field uart_fields[] = {
    REG(ier, "IER", FIELD_RW, "interrupts enabled: 3 modem, 2 line, 1 THR empty, 0 data"),
    REG(fcr, "FCR", FIELD_RW, "7-6 trigger level, 0 FIFOs on"),
    REG(lcr, "LCR", FIELD_RW, "7 DLAB, 6 break, 3 parity, 2 stop bits, 1-0 word length"),
    REG(mcr, "MCR", FIELD_RW, "4 loopback, 3 OUT2 (interrupt gate), 2 OUT1, 1 RTS, 0 DTR"),
    REG(msr, "MSR", FIELD_RW, "7 DCD, 6 RI, 5 DSR, 4 CTS, 3-0 what changed"),
    REG(scr, "SCR", FIELD_RW, "scratch"),
    REG(dll, "DLL", FIELD_RW, "divisor, low half"),
    REG(dlm, "DLM", FIELD_RW, "divisor, high half"),
    REG(rbr, "RBR", FIELD_RO, "last byte read"),
    DEV_ARRAY(struct uart, r.rx, "RX", FIELD_RO, "receiver FIFO"),
    DEV_ARRAY(struct uart, r.rx_error, "RX_ERROR", FIELD_HIDDEN, "its errors"),
    REG(rx_head, "RX_HEAD", FIELD_RO, "next to read"),
    REG(rx_count, "RX_COUNT", FIELD_RO, "bytes in it"),
    DEV_ARRAY(struct uart, r.tx, "TX", FIELD_RO, "transmitter FIFO"),
    REG(tx_head, "TX_HEAD", FIELD_RO, "next to send"),
    REG(tx_count, "TX_COUNT", FIELD_RO, "bytes in it"),
    REG(tsr, "TSR", FIELD_RO, "byte being shifted out"),
    REG(tx_state, "TX_STATE", FIELD_RO, "0 idle, 1 starting, 2 shifting"),
    REG(overrun, "OE", FIELD_RW, "a byte was lost"),
    REG(thre_latch, "THRE_INT", FIELD_RW, "THR-empty interrupt pending"),
    REG(timeout, "TIMEOUT", FIELD_RW, "character timeout pending"),
    REG(told_no_out2, "NO_OUT2", FIELD_HIDDEN, "an interrupt that OUT2 held back is in the log"),
    REG(dll_again, "DLL_AGAIN", FIELD_HIDDEN, "how often DLL was written in a row, at most 2"),
    DEV_FIELD(struct uart, tx_timer, "TX_TIMER", FIELD_TIMER, "next step of the transmitter"),
    DEV_FIELD(struct uart, rx_timer, "RX_TIMER", FIELD_TIMER, "end of the byte on the wire"),
    DEV_FIELD(struct uart, idle_timer, "IDLE", FIELD_TIMER, "character timeout"),
};

/* --- What is computed --- */

/* So many bytes in the FIFO are worth an interrupt.  [PC16550D "FIFO Control Register"] */
static unsigned trigger_level(const struct uart *u)
{
    static const uint8_t level[4] = { 1, 4, 8, 14 };
    return uart_fifos_on(u) ? level[u->r.fcr >> 6] : 1;
}

static uint8_t rx_errors_here(const struct uart *u)
{
    return u->r.rx_count ? u->r.rx_error[u->r.rx_head] : 0;
}

static bool rx_errors_anywhere(const struct uart *u)
{
    for (unsigned i = 0; i < u->r.rx_count; i++)
        if (u->r.rx_error[(u->r.rx_head + i) % FIFO])
            return true;
    return false;
}

/* THRE: the guest may write the next byte.  TEMT: the last one is on the wire and gone. */
static uint8_t lsr(const struct uart *u)
{
    /* lab 2 begin: (void)rx_errors_here, (void)rx_errors_anywhere; return u ? LSR_TEMT : 0; */
    uint8_t v = u->r.overrun | rx_errors_here(u);
    if (u->r.rx_count)
        v |= LSR_DR;
    if (!u->r.tx_count)
        v |= LSR_THRE;
    if (!u->r.tx_count && u->r.tx_state == TX_IDLE)
        v |= LSR_TEMT;
    if (uart_fifos_on(u) && rx_errors_anywhere(u))
        v |= LSR_FIFOERR;
    return v;
    /* lab 2 end */
}

/* The reason of the highest priority.  [PC16550D "Interrupt Identification Register"] */
static uint8_t iir(const struct uart *u)
{
    /* lab 2 begin: (void)trigger_level; return u ? IIR_NONE : 0; */
    const struct uart_regs *r = &u->r;
    if (r->ier & IER_LINE && (r->overrun || rx_errors_here(u)))
        return IIR_LINE;
    if (r->ier & IER_RDA && r->rx_count >= trigger_level(u))
        return IIR_RDA;
    if (r->ier & IER_RDA && r->timeout)
        return IIR_TIMEOUT;
    if (r->ier & IER_THRE && r->thre_latch)
        return IIR_THRE;
    if (r->ier & IER_MODEM && r->msr & 0xf)
        return IIR_MODEM;
    return IIR_NONE;
    /* lab 2 end */
}

/* On a PC the chip's interrupt pin leads to IRQ 4 through a gate that the output OUT2 opens, and
 * the chip itself closes it in loopback.  Many forget OUT2 and wait for an interrupt in vain, so
 * that is reported, once for each time that it is off.
 * [IBM PC/XT Technical Reference "Asynchronous Communications Adapter"] */
void uart_update_irq(struct uart *u)
{
    /* lab 2 begin: (void)u; */
    bool out2 = u->r.mcr & MCR_OUT2, due = iir(u) != IIR_NONE && !(u->r.mcr & MCR_LOOP);
    if (due && !out2 && !u->r.told_no_out2)
        oddity(&u->odd, ODDITY_UART_NO_OUT2, iir(u), 0);
    u->r.told_no_out2 = !out2 && (due || u->r.told_no_out2);
    irq_set(&u->irq, out2 && due);
    /* lab 2 end */
}

/* --- The registers --- */

/* Turning the FIFOs on or off empties them.  Without bit 0 the other bits are not heard.
 * [PC16550D "FIFO Control Register"] */
static void fcr_write(struct uart *u, uint8_t value)
{
    /* lab 2 begin: (void)u, (void)value; */
    bool toggled = (value ^ u->r.fcr) & FCR_ENABLE;
    u->r.fcr = value & FCR_ENABLE ? value & 0xc9 : 0;
    if (toggled || value & FCR_CLEAR_RX)
        uart_clear_rx(u);
    if (toggled || value & FCR_CLEAR_TX)
        uart_clear_tx(u);
    uart_update_irq(u);                 /* the pin falls before the next byte raises it */
    uart_tell_room(u);
    /* lab 2 end */
}

/* Enabling an interrupt whose reason is there already makes it at once: drivers start sending by
 * this. */
static void ier_write(struct uart *u, uint8_t value)
{
    /* lab 2 begin: (void)u, (void)value; */
    bool thre_on = value & IER_THRE && !(u->r.ier & IER_THRE);
    u->r.ier = value & 0xf;
    if (thre_on && !u->r.tx_count)
        u->r.thre_latch = 1;
    /* lab 2 end */
}

/* The modem inputs, and in the low half which of them moved (RI: only its end counts). */
static void modem_inputs(struct uart *u, uint8_t now)
{
    uint8_t changed = (now ^ u->r.msr) & 0xf0;
    uint8_t delta = changed >> 4 & (uint8_t)~MSR_TERI;
    if (changed & MSR_RI && !(now & MSR_RI))
        delta |= MSR_TERI;
    u->r.msr = (now & 0xf0) | (u->r.msr & 0xf) | delta;
}

/* In loopback the four outputs are wired to the four inputs inside the chip: this is how drivers
 * find out that a 16550 is there.  [PC16550D "MODEM Control Register"] */
static void mcr_write(struct uart *u, uint8_t value)
{
    /* lab 2 begin: (void)modem_inputs, (void)u, (void)value; */
    uint8_t in = MSR_CTS | MSR_DSR | MSR_DCD;
    u->r.mcr = value & 0x1f;
    if (value & MCR_LOOP)
        in = (value & MCR_RTS ? MSR_CTS : 0) | (value & MCR_DTR ? MSR_DSR : 0) |
             (value & MCR_OUT1 ? MSR_RI : 0) | (value & MCR_OUT2 ? MSR_DCD : 0);
    modem_inputs(u, in);
    uart_tell_room(u);
    /* lab 2 end */
}

/* A break holds the line low; looped back, the receiver sees a null byte with a framing error. */
static void lcr_write(struct uart *u, uint8_t value)
{
    bool break_on = value & LCR_BREAK && !(u->r.lcr & LCR_BREAK);
    u->r.lcr = value;
    if (break_on && u->r.mcr & MCR_LOOP)
        uart_rx_push(u, 0, LSR_BI | LSR_FE);
}

static void data_write(struct uart *u, uint8_t value)
{
    /* lab 2 begin: (void)u, (void)value; */
    if (u->r.lcr & LCR_DLAB)
        u->r.dll = value;
    else
        uart_thr_write(u, value);
    /* lab 2 end */
}

/* Many set DLAB for the divisor and forget to clear it: what they print goes there.  One byte is a
 * divisor; from the second on in a row they are output. */
static void note_divisor(struct uart *u, unsigned reg, uint8_t value)
{
    if (reg != 0 || !(u->r.lcr & LCR_DLAB)) {
        u->r.dll_again = 0;
        return;
    }
    if (u->r.dll_again == 1)
        oddity(&u->odd, ODDITY_UART_DLAB, u->r.dll, 0);
    if (u->r.dll_again)
        oddity(&u->odd, ODDITY_UART_DLAB, value, 0);
    u->r.dll_again = u->r.dll_again ? 2 : 1;
}

static void uart_write(void *dev, struct bus_access a, uint64_t value)
{
    struct uart *u = dev;
    uint8_t v = (uint8_t)value;
    note_divisor(u, a.off & 7, v);
    switch (a.off & 7) {
    case 0: data_write(u, v); break;
    case 1:
        if (u->r.lcr & LCR_DLAB)
            u->r.dlm = v;
        else
            ier_write(u, v);
        break;
    case 2: fcr_write(u, v); break;
    case 3: lcr_write(u, v); break;
    case 4: mcr_write(u, v); break;
    case 7: u->r.scr = v; break;
    default: oddity(&u->odd, ODDITY_PORT_READ_ONLY, a.off, v); break;    /* LSR, MSR */
    }
    uart_update_irq(u);
}

static uint64_t uart_peek(const void *dev, struct bus_access a)
{
    const struct uart *u = dev;
    bool dlab = u->r.lcr & LCR_DLAB;
    switch (a.off & 7) {
    case 0: return dlab ? u->r.dll : uart_rbr(u);
    case 1: return dlab ? u->r.dlm : u->r.ier;
    case 2: return iir(u) | (uart_fifos_on(u) ? IIR_FIFOS : 0);
    case 3: return u->r.lcr;
    case 4: return u->r.mcr;
    case 5: return lsr(u);
    case 6: return u->r.msr;
    default: return u->r.scr;
    }
}

/* Reading RBR takes the byte; IIR the THR-empty interrupt if that is what it
 * says; LSR the errors; MSR the changes. */
static uint64_t uart_read(void *dev, struct bus_access a)
{
    /* lab 2 begin: return uart_peek(dev, a); */
    struct uart *u = dev;
    uint64_t value = uart_peek(dev, a);
    switch (a.off & 7) {
    case 0:
        if (!(u->r.lcr & LCR_DLAB))
            uart_rbr_taken(u);
        break;
    case 2:
        if ((value & 0xf) == IIR_THRE)
            u->r.thre_latch = 0;
        break;
    case 5:
        u->r.overrun = 0;
        u->r.rx_error[u->r.rx_head] = 0;
        break;
    case 6:
        u->r.msr &= 0xf0;
        break;
    }
    uart_update_irq(u);
    return value;
    /* lab 2 end */
}

/* The reset pin empties everything.  Bytes on the wire are lost. */
static void uart_reset(void *dev)
{
    struct uart *u = dev;
    u->r = uart_at_reset;
    vtimer_cancel(&u->tx_timer);
    vtimer_cancel(&u->rx_timer);
    vtimer_cancel(&u->idle_timer);
    uart_update_irq(u);
}

/* Bound what is used as an index, and keep the transmitter going. */
static void uart_after_load(void *dev)
{
    struct uart *u = dev;
    struct uart_regs *r = &u->r;
    r->rx_head %= FIFO;
    r->tx_head %= FIFO;
    if (r->rx_count > uart_fifo_depth(u))
        r->rx_count = (uint8_t)uart_fifo_depth(u);
    if (r->tx_count > uart_fifo_depth(u))
        r->tx_count = (uint8_t)uart_fifo_depth(u);
    if (r->tx_state > TX_SHIFTING || (r->tx_state == TX_STARTING && !r->tx_count))
        r->tx_state = TX_IDLE;
    if (r->tx_count && r->tx_state == TX_IDLE)
        r->tx_state = TX_STARTING;
    if (r->tx_state != TX_IDLE && u->tx_timer.deadline_ns == VCLOCK_NEVER)
        uart_arm_in(&u->tx_timer, uart_bit_ns(u));
    r->overrun &= LSR_OE;
    for (unsigned i = 0; i < FIFO; i++)
        r->rx_error[i] &= LSR_BI | LSR_FE;
    uart_update_irq(u);
}

static void *uart_create(const struct slot *s)
{
    struct uart *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    u->clock = s->clock;
    u->odd = slot_oddities(s);
    u->irq = s->pin[0];
    u->out = s->serial;
    vtimer_init(&u->tx_timer, s->clock, uart_tx_step, u);
    vtimer_init(&u->rx_timer, s->clock, uart_rx_wire_free, u);
    vtimer_init(&u->idle_timer, s->clock, uart_idle_expired, u);
    uart_reset(u);
    return u;
}

static void uart_free(void *dev)
{
    struct uart *u = dev;
    if (!u)
        return;
    vtimer_cancel(&u->tx_timer);
    vtimer_cancel(&u->rx_timer);
    vtimer_cancel(&u->idle_timer);
    free(u);
}

const struct device_ops uart_ops = {
    .name = "uart16550a",
    .about = "serial port [National PC16550D]",
    .fields = uart_fields,
    .n_fields = NELEM(uart_fields),
    .state_bytes = sizeof(struct uart),
    .width = 1,
    .create = uart_create,
    .reset = uart_reset,
    .read = uart_read,
    .write = uart_write,
    .peek = uart_peek,
    .after_load = uart_after_load,
    .free = uart_free,
};
