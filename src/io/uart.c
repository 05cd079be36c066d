/*
 * io/uart.c -- a 16550A: two FIFOs, two shift registers, four reasons to interrupt.
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
 * IIR, LSR and the interrupt pin are not stored; they are computed from what
 * is in the FIFOs and a few latches (`iir`, `lsr`, `update_irq`).
 *
 * On a PC the interrupt pin passes a gate that MCR's OUT2 opens.  In loopback
 * all modem outputs are inactive at the pins, so the gate is shut as well.
 * [PC16550D "Programmable Baud Generator", "FIFO Interrupt Mode Operation",
 *  "MODEM Control Register"]
 */
#include "io/uart.h"

#include <errno.h>
#include <stdlib.h>

#include "io/oddity.h"
#include "io/slot.h"

#define IER_RDA     BIT(0)
#define IER_THRE    BIT(1)
#define IER_LINE    BIT(2)
#define IER_MODEM   BIT(3)
#define FCR_ENABLE  BIT(0)
#define FCR_CLEAR_RX BIT(1)
#define FCR_CLEAR_TX BIT(2)
#define LCR_STOP    BIT(2)
#define LCR_PARITY  BIT(3)
#define LCR_BREAK   BIT(6)
#define LCR_DLAB    BIT(7)
#define MCR_DTR     BIT(0)
#define MCR_RTS     BIT(1)
#define MCR_OUT1    BIT(2)
#define MCR_OUT2    BIT(3)
#define MCR_LOOP    BIT(4)
#define LSR_DR      BIT(0)
#define LSR_OE      BIT(1)
#define LSR_FE      BIT(3)
#define LSR_BI      BIT(4)
#define LSR_THRE    BIT(5)
#define LSR_TEMT    BIT(6)
#define LSR_FIFOERR BIT(7)
#define MSR_TERI    BIT(2)
#define MSR_CTS     BIT(4)
#define MSR_DSR     BIT(5)
#define MSR_RI      BIT(6)
#define MSR_DCD     BIT(7)

enum { IIR_MODEM = 0x0, IIR_NONE = 0x1, IIR_THRE = 0x2, IIR_RDA = 0x4, IIR_LINE = 0x6,
       IIR_TIMEOUT = 0xc, IIR_FIFOS = 0xc0 };

enum { TX_IDLE, TX_STARTING /* THR is full, the start bit is due */, TX_SHIFTING };

#define FIFO 16
#define CRYSTAL_HZ 1843200u

struct uart_regs {
    uint8_t ier, fcr, lcr, mcr, msr, scr, dll, dlm;
    uint8_t rbr;                    /* the last byte read: what an empty receiver gives */
    uint8_t rx[FIFO], rx_error[FIFO], rx_head, rx_count;
    uint8_t tx[FIFO], tx_head, tx_count;
    uint8_t tsr, tx_state;
    uint8_t overrun;                /* LSR_OE or 0                   */
    uint8_t thre_latch;             /* THR ran empty, not yet told   */
    uint8_t timeout;                /* bytes lie in the FIFO and nobody comes */
};

struct uart {
    struct vclock   *clock;
    struct trace    *trace;
    struct irq_line  irq;
    struct char_sink out;
    void           (*room)(void *arg);
    void            *room_arg;
    uint64_t         char_ns;       /* 0: as the divisor says */

    struct uart_regs r;
    struct vtimer    tx_timer;      /* the transmitter's next step        */
    struct vtimer    rx_timer;      /* the last byte is still on the wire */
    struct vtimer    idle_timer;    /* four character times of silence    */
};

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
    DEV_FIELD(struct uart, tx_timer, "TX_TIMER", FIELD_TIMER, "next step of the transmitter"),
    DEV_FIELD(struct uart, rx_timer, "RX_TIMER", FIELD_TIMER, "end of the byte on the wire"),
    DEV_FIELD(struct uart, idle_timer, "IDLE", FIELD_TIMER, "character timeout"),
};

/* --- Time on the wire --- */

static uint64_t divisor(const struct uart *u)
{
    unsigned d = (unsigned)(u->r.dlm << 8 | u->r.dll);
    return d ? d : 65536;
}

static uint64_t bit_ns(const struct uart *u)
{
    if (u->char_ns)
        return u->char_ns / 10;
    return divisor(u) * 16 * UINT64_C(1000000000) / CRYSTAL_HZ;
}

/* Start, 5-8 data bits, parity, and one, one and a half or two stop bits. */
static uint64_t char_ns(const struct uart *u)
{
    unsigned data = 5 + (u->r.lcr & 3);
    unsigned half_stops = !(u->r.lcr & LCR_STOP) ? 2 : data == 5 ? 3 : 4;
    unsigned half_bits = 2 * (1 + data + !!(u->r.lcr & LCR_PARITY)) + half_stops;
    return u->char_ns ? u->char_ns : bit_ns(u) * half_bits / 2;
}

static void arm_in(struct vtimer *t, uint64_t ns)
{
    vtimer_arm(t, vclock_now_ns(t->clock) + (ns ? ns : 1));
}

/* --- What is computed --- */

static bool fifos_on(const struct uart *u)
{
    return u->r.fcr & FCR_ENABLE;
}

static unsigned depth(const struct uart *u)
{
    return fifos_on(u) ? FIFO : 1;
}

static unsigned trigger_level(const struct uart *u)
{
    static const uint8_t level[4] = { 1, 4, 8, 14 };
    return fifos_on(u) ? level[u->r.fcr >> 6] : 1;
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

static uint8_t lsr(const struct uart *u)
{
    uint8_t v = u->r.overrun | rx_errors_here(u);
    if (u->r.rx_count)
        v |= LSR_DR;
    if (!u->r.tx_count)
        v |= LSR_THRE;
    if (!u->r.tx_count && u->r.tx_state == TX_IDLE)
        v |= LSR_TEMT;
    if (fifos_on(u) && rx_errors_anywhere(u))
        v |= LSR_FIFOERR;
    return v;
}

/* The reason of the highest priority.  [PC16550D "Interrupt Identification Register"] */
static uint8_t iir(const struct uart *u)
{
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
}

static void update_irq(struct uart *u)
{
    bool gate = u->r.mcr & MCR_OUT2 && !(u->r.mcr & MCR_LOOP);
    irq_set(&u->irq, gate && iir(u) != IIR_NONE);
}

/* --- The receiver --- */

static void idle_again(struct uart *u)
{
    u->r.timeout = 0;
    if (fifos_on(u) && u->r.rx_count)
        arm_in(&u->idle_timer, 4 * char_ns(u));
    else
        vtimer_cancel(&u->idle_timer);
}

static void idle_expired(void *arg)
{
    struct uart *u = arg;
    u->r.timeout = u->r.rx_count > 0;
    update_irq(u);
}

/* A full FIFO keeps what it has; a full RBR is overwritten.  [PC16550D "Line Status Register"] */
static void rx_push(struct uart *u, uint8_t byte, uint8_t error)
{
    struct uart_regs *r = &u->r;
    if (r->rx_count == depth(u)) {
        r->overrun = LSR_OE;
        oddity(u->trace, ODDITY_UART_OVERRUN, byte, 0);
        if (!fifos_on(u)) {
            r->rx[r->rx_head] = byte;
            r->rx_error[r->rx_head] = error;
        }
    } else {
        unsigned at = (r->rx_head + r->rx_count++) % FIFO;
        r->rx[at] = byte;
        r->rx_error[at] = error;
    }
    idle_again(u);
    update_irq(u);
}

static uint8_t word_of(const struct uart *u, uint8_t byte)
{
    return byte & (uint8_t)(0xff >> (3 - (u->r.lcr & 3)));
}

static bool rx_ready(const struct uart *u)
{
    return u->r.rx_count < depth(u) && u->rx_timer.deadline_ns == VCLOCK_NEVER &&
           !(u->r.mcr & MCR_LOOP);
}

int uart_receive(struct uart *u, uint8_t byte)
{
    if (!rx_ready(u))
        return -EAGAIN;
    arm_in(&u->rx_timer, char_ns(u));
    rx_push(u, word_of(u, byte), 0);
    return 0;
}

void uart_receive_forced(struct uart *u, uint8_t byte)
{
    if (!(u->r.mcr & MCR_LOOP))
        rx_push(u, word_of(u, byte), 0);
}

void uart_receive_break(struct uart *u)
{
    if (!(u->r.mcr & MCR_LOOP))
        rx_push(u, 0, LSR_BI | LSR_FE);
}

void uart_on_room(struct uart *u, void (*room)(void *arg), void *arg)
{
    u->room = room;
    u->room_arg = arg;
}

static void tell_room(struct uart *u)
{
    if (u->room && rx_ready(u))
        u->room(u->room_arg);
}

static void rx_wire_free(void *arg)
{
    tell_room(arg);
}

static uint8_t rbr_peek(const struct uart *u)
{
    return u->r.rx_count ? u->r.rx[u->r.rx_head] : u->r.rbr;
}

static void rbr_taken(struct uart *u)
{
    struct uart_regs *r = &u->r;
    r->rbr = rbr_peek(u);
    if (r->rx_count) {
        r->rx_head = (r->rx_head + 1) % FIFO;
        r->rx_count--;
    }
    idle_again(u);
    update_irq(u);
    tell_room(u);
}

/* --- The transmitter --- */

static void shift_out(struct uart *u, uint8_t byte)
{
    if (u->r.mcr & MCR_LOOP)
        rx_push(u, byte, 0);
    else
        char_put(&u->out, byte);
}

/* THR or FIFO to shift register; when that was the last, THR is empty. */
static void tx_load(struct uart *u)
{
    struct uart_regs *r = &u->r;
    r->tsr = r->tx[r->tx_head];
    r->tx_head = (r->tx_head + 1) % FIFO;
    r->tx_count--;
    r->tx_state = TX_SHIFTING;
    if (!r->tx_count)
        r->thre_latch = 1;
    arm_in(&u->tx_timer, char_ns(u));
}

static void tx_step(void *arg)
{
    struct uart *u = arg;
    bool shifted = u->r.tx_state == TX_SHIFTING;
    uint8_t byte = u->r.tsr;
    u->r.tx_state = TX_IDLE;
    if (u->r.tx_count)
        tx_load(u);
    if (shifted)
        shift_out(u, byte);
    update_irq(u);
}

static void thr_write(struct uart *u, uint8_t byte)
{
    struct uart_regs *r = &u->r;
    r->thre_latch = 0;
    if (r->tx_count == depth(u)) {
        oddity(u->trace, ODDITY_UART_THR_FULL, byte, 0);
        if (fifos_on(u))
            return;             /* a full FIFO drops it ...             */
        r->tx_count = 0;        /* ... a full THR is overwritten by it  */
    }
    r->tx[(r->tx_head + r->tx_count++) % FIFO] = word_of(u, byte);
    if (r->tx_state != TX_IDLE)
        return;
    if (!(r->dll | r->dlm))
        oddity(u->trace, ODDITY_UART_DIVISOR_0, 0, 0);
    r->tx_state = TX_STARTING;
    arm_in(&u->tx_timer, bit_ns(u));
}

void uart_flush(struct uart *u)
{
    while (u->r.tx_state != TX_IDLE) {
        vtimer_cancel(&u->tx_timer);
        tx_step(u);
    }
}

void uart_set_char_ns(struct uart *u, uint64_t ns)
{
    u->char_ns = ns;
}

/* --- The registers --- */

static void clear_rx(struct uart *u)
{
    u->r.rx_count = u->r.rx_head = 0;
    idle_again(u);
}

/* What is already in the shift register still goes out. */
static void clear_tx(struct uart *u)
{
    u->r.tx_count = 0;
    u->r.thre_latch = 1;
    if (u->r.tx_state == TX_STARTING) {
        u->r.tx_state = TX_IDLE;
        vtimer_cancel(&u->tx_timer);
    }
}

static void fcr_write(struct uart *u, uint8_t value)
{
    bool toggled = (value ^ u->r.fcr) & FCR_ENABLE;
    u->r.fcr = value & FCR_ENABLE ? value & 0xc9 : 0;
    if (toggled || value & FCR_CLEAR_RX)
        clear_rx(u);
    if (toggled || value & FCR_CLEAR_TX)
        clear_tx(u);
    tell_room(u);
}

static void ier_write(struct uart *u, uint8_t value)
{
    bool thre_on = value & IER_THRE && !(u->r.ier & IER_THRE);
    u->r.ier = value & 0xf;
    if (thre_on && !u->r.tx_count)
        u->r.thre_latch = 1;    /* enabling it with THR empty interrupts at once */
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

static void mcr_write(struct uart *u, uint8_t value)
{
    uint8_t in = MSR_CTS | MSR_DSR | MSR_DCD;
    u->r.mcr = value & 0x1f;
    if (value & MCR_LOOP)
        in = (value & MCR_RTS ? MSR_CTS : 0) | (value & MCR_DTR ? MSR_DSR : 0) |
             (value & MCR_OUT1 ? MSR_RI : 0) | (value & MCR_OUT2 ? MSR_DCD : 0);
    modem_inputs(u, in);
    tell_room(u);
}

static void lcr_write(struct uart *u, uint8_t value)
{
    bool break_on = value & LCR_BREAK && !(u->r.lcr & LCR_BREAK);
    u->r.lcr = value;
    if (break_on && u->r.mcr & MCR_LOOP)
        rx_push(u, 0, LSR_BI | LSR_FE);
}

static void data_write(struct uart *u, uint8_t value)
{
    if (u->r.lcr & LCR_DLAB)
        u->r.dll = value;
    else
        thr_write(u, value);
}

static void uart_write(void *dev, struct bus_access a, uint64_t value)
{
    struct uart *u = dev;
    uint8_t v = (uint8_t)value;
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
    default: oddity(u->trace, ODDITY_PORT_READ_ONLY, a.off, v); break;    /* LSR, MSR */
    }
    update_irq(u);
}

static uint64_t uart_peek(const void *dev, struct bus_access a)
{
    const struct uart *u = dev;
    bool dlab = u->r.lcr & LCR_DLAB;
    switch (a.off & 7) {
    case 0: return dlab ? u->r.dll : rbr_peek(u);
    case 1: return dlab ? u->r.dlm : u->r.ier;
    case 2: return iir(u) | (fifos_on(u) ? IIR_FIFOS : 0);
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
    struct uart *u = dev;
    uint64_t value = uart_peek(dev, a);
    switch (a.off & 7) {
    case 0:
        if (!(u->r.lcr & LCR_DLAB))
            rbr_taken(u);
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
    update_irq(u);
    return value;
}

static void uart_reset(void *dev)
{
    struct uart *u = dev;
    u->r = uart_at_reset;
    vtimer_cancel(&u->tx_timer);
    vtimer_cancel(&u->rx_timer);
    vtimer_cancel(&u->idle_timer);
    update_irq(u);
}

/* Bound what is used as an index, and keep the transmitter going. */
static void uart_after_load(void *dev)
{
    struct uart *u = dev;
    struct uart_regs *r = &u->r;
    r->rx_head %= FIFO;
    r->tx_head %= FIFO;
    if (r->rx_count > depth(u))
        r->rx_count = (uint8_t)depth(u);
    if (r->tx_count > depth(u))
        r->tx_count = (uint8_t)depth(u);
    if (r->tx_state > TX_SHIFTING || (r->tx_state == TX_STARTING && !r->tx_count))
        r->tx_state = TX_IDLE;
    if (r->tx_count && r->tx_state == TX_IDLE)
        r->tx_state = TX_STARTING;
    if (r->tx_state != TX_IDLE && u->tx_timer.deadline_ns == VCLOCK_NEVER)
        arm_in(&u->tx_timer, bit_ns(u));
    r->overrun &= LSR_OE;
    for (unsigned i = 0; i < FIFO; i++)
        r->rx_error[i] &= LSR_BI | LSR_FE;
    update_irq(u);
}

static void *uart_create(const struct slot *s)
{
    struct uart *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    u->clock = s->clock;
    u->trace = s->trace;
    u->irq = s->pin[0];
    u->out = s->serial;
    vtimer_init(&u->tx_timer, s->clock, tx_step, u);
    vtimer_init(&u->rx_timer, s->clock, rx_wire_free, u);
    vtimer_init(&u->idle_timer, s->clock, idle_expired, u);
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
