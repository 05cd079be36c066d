/*
 * A right solution, for `accept`: each register is a row of functions, in two banks of which DLAB
 * chooses one; reasons to interrupt are rows, too, each with what it takes to be due and with what
 * reading IIR does to it.  LSR is put together from bits that other functions keep, and nothing
 * remembers whether the interrupt pin has moved.
 */
#include "io/uart.h"

#include <stdlib.h>

#include "io/uart_state.h"

/* ---- the line status ---- */

static uint8_t errors(const struct uart *u, unsigned from, unsigned to)
{
    uint8_t all = 0;
    for (unsigned i = from; i < to && i < u->r.rx_count; i++)
        all |= u->r.rx_error[(u->r.rx_head + i) % FIFO];
    return all;
}

static uint8_t line_status(const struct uart *u)
{
    const struct uart_regs *r = &u->r;
    bool empty = r->tx_count == 0;
    return (uint8_t)(r->overrun | errors(u, 0, 1) | (r->rx_count ? LSR_DR : 0) |
                     (empty ? LSR_THRE : 0) | (empty && r->tx_state == TX_IDLE ? LSR_TEMT : 0) |
                     (uart_fifos_on(u) && errors(u, 0, FIFO) ? LSR_FIFOERR : 0));
}

/* ---- reasons, the highest first ---- */

static bool line_due(const struct uart *u) { return u->r.overrun | errors(u, 0, 1); }
static bool timeout_due(const struct uart *u) { return u->r.timeout; }
static bool thr_due(const struct uart *u) { return u->r.thre_latch; }
static bool modem_due(const struct uart *u) { return u->r.msr << 4 & 0xff; }

static bool data_due(const struct uart *u)
{
    unsigned least = 1;
    if (uart_fifos_on(u))
        switch (u->r.fcr & 0xc0) {
        case 0x40: least = 4; break;
        case 0x80: least = 8; break;
        case 0xc0: least = 14; break;
        }
    return u->r.rx_count >= least;
}

static void told_thr(struct uart *u) { u->r.thre_latch = 0; }
static void told_nothing(struct uart *u) { (void)u; }

static const struct reason {
    uint8_t enable, code;
    bool  (*due)(const struct uart *u);
    void  (*told)(struct uart *u);
} reasons[] = {
    { IER_LINE,  IIR_LINE,    line_due,    told_nothing },
    { IER_RDA,   IIR_RDA,     data_due,    told_nothing },
    { IER_RDA,   IIR_TIMEOUT, timeout_due, told_nothing },
    { IER_THRE,  IIR_THRE,    thr_due,     told_thr },
    { IER_MODEM, IIR_MODEM,   modem_due,   told_nothing },
};

static const struct reason *first_reason(const struct uart *u)
{
    for (unsigned i = 0; i < NELEM(reasons); i++)
        if (u->r.ier & reasons[i].enable && reasons[i].due(u))
            return &reasons[i];
    return NULL;
}

void uart_update_irq(struct uart *u)
{
    irq_set(&u->irq, (u->r.mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2 && first_reason(u));
}

/* ---- registers: what they show, what reading does beside that, what writing does ---- */

struct row {
    uint8_t (*show)(const struct uart *u);
    void    (*taken)(struct uart *u);
    void    (*write)(struct uart *u, uint8_t value);
};

static void nothing(struct uart *u) { (void)u; }
static void ignored(struct uart *u, uint8_t value) { (void)u, (void)value; }

static uint8_t show_low(const struct uart *u) { return u->r.dll; }
static uint8_t show_high(const struct uart *u) { return u->r.dlm; }
static uint8_t show_enabled(const struct uart *u) { return u->r.ier; }
static uint8_t show_format(const struct uart *u) { return u->r.lcr; }
static uint8_t show_modem(const struct uart *u) { return u->r.mcr; }
static uint8_t show_inputs(const struct uart *u) { return u->r.msr; }
static uint8_t show_scratch(const struct uart *u) { return u->r.scr; }

static uint8_t show_reason(const struct uart *u)
{
    const struct reason *first = first_reason(u);
    uint8_t fifos = uart_fifos_on(u) ? IIR_FIFOS : 0;
    return fifos | (first ? first->code : IIR_NONE);
}

static void reason_taken(struct uart *u)
{
    const struct reason *first = first_reason(u);
    if (first)
        first->told(u);
}

static void errors_taken(struct uart *u)
{
    u->r.rx_error[u->r.rx_head] = u->r.overrun = 0;
}

static void changes_taken(struct uart *u)
{
    u->r.msr = u->r.msr >> 4 << 4;
}

static void write_low(struct uart *u, uint8_t value) { u->r.dll = value; }
static void write_high(struct uart *u, uint8_t value) { u->r.dlm = value; }
static void write_scratch(struct uart *u, uint8_t value) { u->r.scr = value; }

static void write_enabled(struct uart *u, uint8_t value)
{
    uint8_t new = value & (uint8_t)~u->r.ier & IER_THRE;
    u->r.ier = value & (IER_RDA | IER_THRE | IER_LINE | IER_MODEM);
    if (new && line_status(u) & LSR_THRE)
        u->r.thre_latch = 1;
}

static void write_fifos(struct uart *u, uint8_t value)
{
    bool were = uart_fifos_on(u), are = value & FCR_ENABLE;
    u->r.fcr = are ? value & 0xc9 : 0;
    if (were != are)
        value |= FCR_CLEAR_RX | FCR_CLEAR_TX;
    if (value & FCR_CLEAR_TX)
        uart_clear_tx(u);
    if (value & FCR_CLEAR_RX)
        uart_clear_rx(u);
    uart_tell_room(u);
}

static void write_format(struct uart *u, uint8_t value)
{
    uint8_t rises = value & (uint8_t)~u->r.lcr;
    u->r.lcr = value;
    if (rises & LCR_BREAK && u->r.mcr & MCR_LOOP)
        uart_rx_push(u, 0, LSR_BI | LSR_FE);
}

/* RTS, DTR, OUT1, OUT2 are wired to CTS, DSR, RI, DCD. */
static void write_modem(struct uart *u, uint8_t value)
{
    static const uint8_t wire[][2] = {
        { MCR_RTS, MSR_CTS }, { MCR_DTR, MSR_DSR }, { MCR_OUT1, MSR_RI }, { MCR_OUT2, MSR_DCD },
    };
    uint8_t old = u->r.msr, now = MSR_CTS | MSR_DSR | MSR_DCD;
    u->r.mcr = value & 0x1f;
    if (value & MCR_LOOP) {
        now = 0;
        for (unsigned i = 0; i < NELEM(wire); i++)
            now |= value & wire[i][0] ? wire[i][1] : 0;
    }
    u->r.msr = now | (old & 0x0f);
    for (unsigned i = 0; i < NELEM(wire); i++) {
        uint8_t input = wire[i][1];
        bool rose = now & (uint8_t)~old & input, fell = old & (uint8_t)~now & input;
        if (fell || (rose && input != MSR_RI))
            u->r.msr |= input >> 4;
    }
    uart_tell_room(u);
}

static const struct row bank[2][8] = {
    {
        { uart_rbr,     uart_rbr_taken, uart_thr_write },
        { show_enabled, nothing,        write_enabled },
        { show_reason,  reason_taken,   write_fifos },
        { show_format,  nothing,        write_format },
        { show_modem,   nothing,        write_modem },
        { line_status,  errors_taken,   ignored },
        { show_inputs,  changes_taken,  ignored },
        { show_scratch, nothing,        write_scratch },
    }, {
        { show_low,     nothing,        write_low },
        { show_high,    nothing,        write_high },
        { show_reason,  reason_taken,   write_fifos },
        { show_format,  nothing,        write_format },
        { show_modem,   nothing,        write_modem },
        { line_status,  errors_taken,   ignored },
        { show_inputs,  changes_taken,  ignored },
        { show_scratch, nothing,        write_scratch },
    },
};

static const struct row *row_of(const struct uart *u, struct bus_access a)
{
    return &bank[u->r.lcr & LCR_DLAB ? 1 : 0][a.off % 8];
}

static uint64_t rows_peek(const void *dev, struct bus_access a)
{
    return row_of(dev, a)->show(dev);
}

static uint64_t rows_read(void *dev, struct bus_access a)
{
    const struct row *row = row_of(dev, a);
    uint8_t value = row->show(dev);
    row->taken(dev);
    uart_update_irq(dev);
    return value;
}

static void rows_write(void *dev, struct bus_access a, uint64_t value)
{
    row_of(dev, a)->write(dev, (uint8_t)value);
    uart_update_irq(dev);
}

/* ---- its life ---- */

static struct vtimer *const *timers_of(struct uart *u)
{
    static struct vtimer *timers[4];
    timers[0] = &u->tx_timer;
    timers[1] = &u->rx_timer;
    timers[2] = &u->idle_timer;
    return timers;
}

static void rows_reset(void *dev)
{
    struct uart *u = dev;
    for (struct vtimer *const *t = timers_of(u); *t; t++)
        vtimer_cancel(*t);
    u->r = (struct uart_regs){ .dll = 1, .lcr = 3, .msr = MSR_DCD | MSR_CTS | MSR_DSR };
    uart_update_irq(u);
}

static void *rows_create(const struct slot *s)
{
    static vtimer_fn *const step[] = { uart_tx_step, uart_rx_wire_free, uart_idle_expired };
    struct uart *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    u->clock = s->clock;
    u->irq = s->pin[0];
    u->out = s->serial;
    for (unsigned i = 0; i < NELEM(step); i++)
        vtimer_init(timers_of(u)[i], s->clock, step[i], u);
    rows_reset(u);
    return u;
}

const struct device_ops uart_ops = {
    .name = "uart16550a", .about = "rows", .state_bytes = sizeof(struct uart), .width = 1,
    .create = rows_create, .reset = rows_reset, .read = rows_read, .write = rows_write,
    .peek = rows_peek, .free = free,
};
