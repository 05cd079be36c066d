/*
 * io/uart_line.c -- a 16550A, seen from the wire: receiver and transmitter in time.
 *
 * A character is a start bit (low), 5 to 8 data bits, perhaps a parity bit,
 * and stop bits (high).  The divisor says how long a bit is: 1843200 Hz
 * divided by 16 times the divisor, 115200 a second at most.
 *
 *   THR or its FIFO -> shift register -> wire -> shift register -> FIFO or RBR
 *
 * Each step has its timer in virtual time.  Nothing is modelled inside a bit:
 * a byte is "being shifted" and then gone.
 * [PC16550D "Programmable Baud Generator", "FIFO Interrupt Mode Operation"]
 */
#include "io/uart.h"

#include <errno.h>

#include "io/oddity.h"
#include "io/uart_state.h"

/* --- Time on the wire --- */

static uint64_t divisor(const struct uart *u)
{
    unsigned d = (unsigned)(u->r.dlm << 8 | u->r.dll);
    return d ? d : 65536;
}

uint64_t uart_bit_ns(const struct uart *u)
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
    return u->char_ns ? u->char_ns : uart_bit_ns(u) * half_bits / 2;
}

void uart_arm_in(struct vtimer *t, uint64_t ns)
{
    vtimer_arm(t, vclock_now_ns(t->clock) + (ns ? ns : 1));
}

/* --- The receiver --- */

/* Bytes below the trigger level must not lie for ever: after four character times without any
 * traffic the receiver interrupts for them.  [PC16550D "FIFO Interrupt Mode Operation"] */
static void idle_again(struct uart *u)
{
    u->r.timeout = 0;
    if (uart_fifos_on(u) && u->r.rx_count)
        uart_arm_in(&u->idle_timer, 4 * char_ns(u));
    else
        vtimer_cancel(&u->idle_timer);
}

void uart_idle_expired(void *arg)
{
    struct uart *u = arg;
    u->r.timeout = u->r.rx_count > 0;
    uart_update_irq(u);
}

/* A full FIFO keeps what it has; a full RBR is overwritten.  [PC16550D "Line Status Register"] */
void uart_rx_push(struct uart *u, uint8_t byte, uint8_t error)
{
    struct uart_regs *r = &u->r;
    if (r->rx_count == uart_fifo_depth(u)) {
        r->overrun = LSR_OE;
        oddity(&u->odd, ODDITY_UART_OVERRUN, byte, 0);
        if (!uart_fifos_on(u)) {
            r->rx[r->rx_head] = byte;
            r->rx_error[r->rx_head] = error;
        }
    } else {
        unsigned at = (r->rx_head + r->rx_count++) % FIFO;
        r->rx[at] = byte;
        r->rx_error[at] = error;
    }
    idle_again(u);
    uart_update_irq(u);
}

/* Of a byte as many bits as a character has. */
static uint8_t word_of(const struct uart *u, uint8_t byte)
{
    return byte & (uint8_t)(0xff >> (3 - (u->r.lcr & 3)));
}

/* A byte is taken from the host only if the last one has left the wire, so input comes at the
 * line's pace, and only if there is room. */
static bool rx_ready(const struct uart *u)
{
    return u->r.rx_count < uart_fifo_depth(u) && u->rx_timer.deadline_ns == VCLOCK_NEVER &&
           !(u->r.mcr & MCR_LOOP);
}

int uart_receive(struct uart *u, uint8_t byte)
{
    if (!rx_ready(u))
        return -EAGAIN;
    uart_arm_in(&u->rx_timer, char_ns(u));
    uart_rx_push(u, word_of(u, byte), 0);
    return 0;
}

void uart_receive_forced(struct uart *u, uint8_t byte)
{
    if (!(u->r.mcr & MCR_LOOP))
        uart_rx_push(u, word_of(u, byte), 0);
}

void uart_receive_break(struct uart *u)
{
    if (!(u->r.mcr & MCR_LOOP))
        uart_rx_push(u, 0, LSR_BI | LSR_FE);
}

void uart_on_room(struct uart *u, void (*room)(void *arg), void *arg)
{
    u->room = room;
    u->room_arg = arg;
}

void uart_tell_room(struct uart *u)
{
    if (u->room && rx_ready(u))
        u->room(u->room_arg);
}

void uart_rx_wire_free(void *arg)
{
    uart_tell_room(arg);
}

uint8_t uart_rbr(const struct uart *u)
{
    return u->r.rx_count ? u->r.rx[u->r.rx_head] : u->r.rbr;
}

void uart_rbr_taken(struct uart *u)
{
    struct uart_regs *r = &u->r;
    r->rbr = uart_rbr(u);
    if (r->rx_count) {
        r->rx_head = (r->rx_head + 1) % FIFO;
        r->rx_count--;
    }
    idle_again(u);
    uart_update_irq(u);
    uart_tell_room(u);
}

/* --- The transmitter --- */

/* In loopback what is sent comes back, and nothing reaches the wire. */
static void shift_out(struct uart *u, uint8_t byte)
{
    if (u->r.mcr & MCR_LOOP)
        uart_rx_push(u, byte, 0);
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
    uart_arm_in(&u->tx_timer, char_ns(u));
}

/* A bit time after THR was filled the byte moves to the shift register; a character later it is
 * out, and the next one follows without a gap. */
void uart_tx_step(void *arg)
{
    struct uart *u = arg;
    bool shifted = u->r.tx_state == TX_SHIFTING;
    uint8_t byte = u->r.tsr;
    u->r.tx_state = TX_IDLE;
    if (u->r.tx_count)
        tx_load(u);
    if (shifted)
        shift_out(u, byte);
    uart_update_irq(u);
}

/* The transmitter's next step, now. */
static void step_now(struct uart *u)
{
    vtimer_cancel(&u->tx_timer);
    uart_tx_step(u);
}

void uart_thr_write(struct uart *u, uint8_t byte)
{
    struct uart_regs *r = &u->r;
    while (u->char_ns && r->tx_count == uart_fifo_depth(u))
        step_now(u);
    r->thre_latch = 0;
    if (r->tx_count == uart_fifo_depth(u)) {
        oddity(&u->odd, ODDITY_UART_THR_FULL, byte, 0);
        if (uart_fifos_on(u))
            return;             /* a full FIFO drops it ...             */
        r->tx_count = 0;        /* ... a full THR is overwritten by it  */
    }
    r->tx[(r->tx_head + r->tx_count++) % FIFO] = word_of(u, byte);
    if (r->tx_state != TX_IDLE)
        return;
    if (!(r->dll | r->dlm))
        oddity(&u->odd, ODDITY_UART_DIVISOR_0, 0, 0);
    r->tx_state = TX_STARTING;
    uart_arm_in(&u->tx_timer, uart_bit_ns(u));
}

void uart_flush(struct uart *u)
{
    while (u->r.tx_state != TX_IDLE)
        step_now(u);
}

void uart_set_char_ns(struct uart *u, uint64_t ns)
{
    u->char_ns = ns;
}

void uart_clear_rx(struct uart *u)
{
    u->r.rx_count = u->r.rx_head = 0;
    idle_again(u);
}

/* What is already in the shift register still goes out. */
void uart_clear_tx(struct uart *u)
{
    u->r.tx_count = 0;
    u->r.thre_latch = 1;
    if (u->r.tx_state == TX_STARTING) {
        u->r.tx_state = TX_IDLE;
        vtimer_cancel(&u->tx_timer);
    }
}
