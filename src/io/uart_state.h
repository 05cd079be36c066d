/*
 * io/uart_state.h -- the state of a 16550A, for the two files that need it.
 *
 * uart.c is the side of the guest: registers, and why it interrupts.
 * uart_line.c is the side of the wire: bytes that come and go, and when.
 * Nobody else includes this.
 */
#ifndef IO_UART_STATE_H
#define IO_UART_STATE_H

#include "base/vclock.h"
#include "io/slot.h"

/* The bits of the registers.  [PC16550D "Registers"] */
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
    uint8_t told_no_out2;           /* ODDITY_UART_NO_OUT2 since OUT2 was last 1 */
    uint8_t dll_again;              /* writes to DLL in a row; 2: two or more       */
};

struct uart {
    struct vclock   *clock;
    struct oddity_log odd;
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

/* In FIFO mode 16 bytes, else one holding register.  [PC16550D "FIFO Control Register"] */
static inline bool uart_fifos_on(const struct uart *u)
{
    return u->r.fcr & FCR_ENABLE;
}

static inline unsigned uart_fifo_depth(const struct uart *u)
{
    return uart_fifos_on(u) ? FIFO : 1;
}

/* ---- uart.c ---- */

/* The interrupt pin follows from the state: call it after every change. */
void uart_update_irq(struct uart *u);

/* ---- uart_line.c ---- */

/* How long a bit takes on the wire; arm a timer for so many nanoseconds from now (at least 1). */
uint64_t uart_bit_ns(const struct uart *u);
void uart_arm_in(struct vtimer *t, uint64_t ns);

/* A byte and its errors (LSR bits) arrive in the receiver. */
void uart_rx_push(struct uart *u, uint8_t byte, uint8_t error);

/* What RBR shows, and: the guest has read it. */
uint8_t uart_rbr(const struct uart *u);
void uart_rbr_taken(struct uart *u);

/* There may be room for the next byte: whoever waits for it is told. */
void uart_tell_room(struct uart *u);

/* The guest has written THR.  Empty the FIFOs, as FCR asks. */
void uart_thr_write(struct uart *u, uint8_t byte);
void uart_clear_rx(struct uart *u);
void uart_clear_tx(struct uart *u);

/* What the three timers call, with a struct uart. */
void uart_tx_step(void *uart);
void uart_rx_wire_free(void *uart);
void uart_idle_expired(void *uart);

#endif
