/*
 * tests/unit/test_uart.c -- the 16550A against its data sheet.
 *
 *   run   build/tests/test_uart
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "board.h"

#define CHAR_NS 86800       /* ten bits at 115200 baud */

enum { DATA = 0x3f8, IER, IIR, LCR, MCR, LSR, MSR, SCR };

static struct board *b;
static struct uart *uart;

static int set_up(void **state)
{
    (void)state;
    b = board_new();
    uart = b->part[B_UART].dev;
    start_pics(b);
    out(b, MCR, 0x0b);      /* OUT2 opens the gate */
    in(b, MSR);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    board_free(b);
    return 0;
}

static bool irq4(void)
{
    out(b, 0x20, 0x0a);
    return in(b, 0x20) & 0x10;
}

static void receive(const char *text)
{
    for (; *text; text++) {
        assert_int_equal(uart_receive(uart, (uint8_t)*text), 0);
        pass(b, CHAR_NS);
    }
}

static void a_byte_goes_out_at_the_pace_of_the_divisor(void **state)
{
    (void)state;
    out(b, DATA, 'A');
    assert_int_equal(in(b, LSR) & 0x60, 0x00);      /* THR full */
    pass(b, 10000);                                 /* a bit later it is in the shift register */
    assert_int_equal(in(b, LSR) & 0x60, 0x20);
    assert_int_equal(b->n_out, 0);
    pass(b, CHAR_NS);
    assert_string_equal(b->out, "A");
    assert_int_equal(in(b, LSR) & 0x60, 0x60);
}

static void a_slower_divisor_takes_longer(void **state)
{
    (void)state;
    out(b, LCR, 0x83);
    out(b, DATA, 12);                               /* 9600 baud */
    assert_int_equal(in(b, DATA), 12);
    out(b, IER, 0);
    out(b, LCR, 0x03);
    out(b, DATA, 'x');
    pass(b, 11 * CHAR_NS);
    assert_int_equal(b->n_out, 0);
    pass(b, 3 * CHAR_NS);
    assert_int_equal(b->n_out, 1);
}

static void the_frame_decides_how_long(void **state)
{
    (void)state;
    /* half bits of a frame: start, data, parity, stop */
    static const struct { uint8_t lcr; unsigned half_bits; } t[] = {
        { 0x00, 14 }, { 0x04, 15 }, { 0x03, 20 }, { 0x07, 22 }, { 0x0b, 22 }, { 0x0e, 22 },
    };
    uint64_t bit = 16 * UINT64_C(1000000000) / 1843200;
    for (size_t i = 0; i < NELEM(t); i++) {
        out(b, LCR, t[i].lcr);
        out(b, DATA, 'x');
        pass(b, bit + bit * t[i].half_bits / 2 - 100);
        assert_int_equal(in(b, LSR) & 0x40, 0);
        pass(b, 200);
        assert_int_equal(in(b, LSR) & 0x40, 0x40);
    }
    uart_set_char_ns(uart, 1000);
    out(b, DATA, 'y');
    pass(b, 1200);
    assert_int_equal(in(b, LSR) & 0x40, 0x40);
}

static void a_fast_line_loses_nothing(void **state)
{
    (void)state;
    uart_set_char_ns(uart, 10);
    for (int i = 0; i < 10; i++)
        out(b, DATA, (uint8_t)('0' + i));           /* nobody waits, and no time passes */
    pass(b, 100);
    assert_string_equal(b->out, "0123456789");
    assert_int_equal(last_oddity(b), ODDITY_NONE);
}

static void an_interrupt_without_out2_is_reported_once(void **state)
{
    (void)state;
    out(b, MCR, 0);
    out(b, IER, 0x02);                              /* THR is empty: due at once */
    assert_false(irq4());
    assert_int_equal(last_oddity(b), ODDITY_UART_NO_OUT2);
    uint64_t head = b->trace->ring->head;
    out(b, IER, 0);
    out(b, IER, 0x02);
    assert_int_equal(last_oddity(b), ODDITY_UART_NO_OUT2);
    assert_true(b->trace->ring->head - head <= 4);  /* two writes, no second report */
    out(b, MCR, 0x08);
    assert_true(irq4());
    out(b, MCR, 0x18);                              /* loopback closes the gate by design */
    assert_false(irq4());
}

static void fifo_takes_sixteen_and_drops_more(void **state)
{
    (void)state;
    out(b, IIR, 0x01);
    for (int i = 0; i < 17; i++)
        out(b, DATA, (uint8_t)('a' + i));
    assert_int_equal(last_oddity(b), ODDITY_UART_THR_FULL);
    pass(b, 20 * CHAR_NS);
    assert_string_equal(b->out, "abcdefghijklmnop");
}

static void thre_interrupts_and_reading_iir_ends_it(void **state)
{
    (void)state;
    out(b, IER, 0x02);                              /* THR is empty already */
    assert_true(irq4());
    assert_int_equal(in(b, IIR), 0x02);
    assert_false(irq4());
    assert_int_equal(in(b, IIR), 0x01);
    out(b, DATA, 'A');
    assert_false(irq4());
    pass(b, 2 * CHAR_NS);
    assert_true(irq4());
    out(b, DATA, 'B');                              /* so does writing THR */
    assert_false(irq4());
}

static void received_data_interrupts_at_the_trigger_level(void **state)
{
    (void)state;
    out(b, IIR, 0x41);                              /* 4 bytes */
    out(b, IER, 0x01);
    receive("123");
    assert_false(irq4());
    assert_int_equal(uart_receive(uart, '4'), 0);
    assert_int_equal(in(b, IIR), 0xc4);
    assert_true(irq4());
    assert_int_equal(in(b, DATA), '1');
    assert_false(irq4());                           /* below the level again */
}

static void a_few_bytes_time_out(void **state)
{
    (void)state;
    out(b, IIR, 0xc1);
    out(b, IER, 0x01);
    receive("x");
    assert_false(irq4());
    pass(b, 4 * CHAR_NS);
    assert_int_equal(in(b, IIR), 0xcc);
    assert_true(irq4());
    assert_int_equal(in(b, DATA), 'x');
    assert_false(irq4());
    pass(b, 10 * CHAR_NS);
    assert_false(irq4());                           /* nothing left to time out */
}

static void a_full_receiver_pushes_back(void **state)
{
    (void)state;
    assert_int_equal(uart_receive(uart, 'a'), 0);
    assert_int_equal(uart_receive(uart, 'b'), -EAGAIN);     /* on the wire */
    pass(b, CHAR_NS);
    assert_int_equal(uart_receive(uart, 'b'), -EAGAIN);     /* RBR full */
    assert_int_equal(in(b, DATA), 'a');
    assert_int_equal(uart_receive(uart, 'b'), 0);
    assert_int_equal(in(b, LSR) & 0x03, 0x01);              /* and no overrun */
    out(b, IIR, 0x01);
    pass(b, CHAR_NS);
    receive("0123456789abcdef");
    assert_int_equal(uart_receive(uart, 'g'), -EAGAIN);
}

static int rooms;

static void room(void *arg)
{
    rooms++;
    if (rooms < 5)
        uart_receive(arg, (uint8_t)('0' + rooms));
}

static void room_is_told_as_bytes_leave(void **state)
{
    (void)state;
    rooms = 0;
    uart_on_room(uart, room, uart);
    uart_receive(uart, '0');
    for (int i = 0; i < 5; i++) {
        assert_int_equal(in(b, DATA), '0' + i);
        pass(b, CHAR_NS);
    }
    assert_int_equal(in(b, LSR) & 0x03, 0);
}

/* Emptying the receiver makes room, and the byte that comes then is a new reason: the pin falls and
 * rises, or an edge-triggered 8259A would not tell of it. */
static void the_byte_behind_a_cleared_fifo_interrupts(void **state)
{
    (void)state;
    out(b, IIR, 0x01);
    out(b, MCR, 0x08);
    out(b, IER, 0x01);
    uart_receive(uart, '0');
    pass(b, CHAR_NS);
    assert_true(irq4());
    out(b, 0x20, 0x0c);                             /* the poll command: read to acknowledge */
    assert_int_equal(in(b, 0x20), 0x84);
    out(b, 0x20, 0x20);
    assert_false(irq4());
    rooms = 0;
    uart_on_room(uart, room, uart);
    out(b, IIR, 0x03);
    assert_int_equal(rooms, 1);
    assert_true(irq4());
    assert_int_equal(in(b, DATA), '1');
}

static void overrun_is_a_line_status_of_the_first_rank(void **state)
{
    (void)state;
    out(b, IER, 0x05);
    uart_receive_forced(uart, 'a');
    assert_int_equal(in(b, IIR), 0x04);
    uart_receive_forced(uart, 'b');
    assert_int_equal(in(b, IIR), 0x06);
    assert_int_equal(in(b, LSR) & 0x03, 0x03);
    assert_int_equal(in(b, LSR) & 0x03, 0x01);      /* reading cleared OE */
    assert_int_equal(in(b, DATA), 'b');             /* RBR is overwritten ... */
    out(b, IIR, 0x01);
    for (int i = 0; i < 17; i++)
        uart_receive_forced(uart, (uint8_t)i);
    assert_int_equal(in(b, DATA), 0);               /* ... a FIFO is not */
}

static void break_travels_with_its_byte(void **state)
{
    (void)state;
    out(b, IIR, 0x01);
    out(b, IER, 0x04);
    uart_receive_forced(uart, 'a');
    uart_receive_break(uart);
    assert_int_equal(in(b, LSR), 0xe1);             /* in the FIFO, not at its top */
    assert_false(irq4());
    assert_int_equal(in(b, DATA), 'a');
    assert_true(irq4());
    assert_int_equal(in(b, LSR) & 0x91, 0x91);
    assert_int_equal(in(b, LSR) & 0x91, 0x01);
}

static void loopback_echoes_and_shuts_the_gate(void **state)
{
    (void)state;
    out(b, IER, 0x01);
    out(b, MCR, 0x1f);
    assert_int_equal(in(b, MSR) & 0xf0, 0xf0);
    out(b, MCR, 0x1b);                              /* OUT1 down: RI's trailing edge */
    assert_int_equal(in(b, MSR), 0xb4);
    assert_int_equal(in(b, MSR), 0xb0);
    out(b, DATA, 'L');
    pass(b, 2 * CHAR_NS);
    assert_int_equal(b->n_out, 0);
    assert_int_equal(in(b, LSR) & 1, 1);
    assert_false(irq4());
    assert_int_equal(uart_receive(uart, 'x'), -EAGAIN);
    assert_int_equal(in(b, DATA), 'L');
}

static void out2_gates_the_interrupt(void **state)
{
    (void)state;
    out(b, IER, 0x01);
    out(b, MCR, 0x03);
    receive("x");
    assert_int_equal(in(b, IIR), 0x04);
    assert_false(irq4());
    out(b, MCR, 0x0b);
    assert_true(irq4());
}

static void modem_status_interrupts_last(void **state)
{
    (void)state;
    out(b, IER, 0x0a);
    out(b, MCR, 0x10);
    out(b, MCR, 0x0b);
    assert_int_equal(in(b, IIR), 0x02);
    assert_int_equal(in(b, IIR), 0x00);
    assert_int_equal(in(b, MSR) & 0x0b, 0x0b);
    assert_int_equal(in(b, IIR), 0x01);
}

static void fcr_clears_fifos(void **state)
{
    (void)state;
    out(b, IIR, 0x01);
    receive("abc");
    out(b, IIR, 0x03);
    assert_int_equal(in(b, LSR) & 1, 0);
    assert_int_equal(in(b, IIR) & 0xc0, 0xc0);
    receive("abc");
    out(b, IIR, 0x00);                              /* turning them off does, too */
    assert_int_equal(in(b, LSR) & 1, 0);
    assert_int_equal(in(b, IIR) & 0xc0, 0x00);
}

static void flush_loses_nothing(void **state)
{
    (void)state;
    out(b, IIR, 0x01);
    for (const char *s = "goodbye"; *s; s++)
        out(b, DATA, (uint8_t)*s);
    uart_flush(uart);
    assert_string_equal(b->out, "goodbye");
    assert_int_equal(in(b, LSR) & 0x60, 0x60);
}

static void scratch_keeps_and_words_are_cut(void **state)
{
    (void)state;
    out(b, SCR, 0x5a);
    assert_int_equal(in(b, SCR), 0x5a);
    out(b, LCR, 0x02);                              /* 7 bits */
    uart_receive(uart, 0xff);
    assert_int_equal(in(b, DATA), 0x7f);
    assert_int_equal(in(b, DATA), 0x7f);            /* empty: the last byte again */
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_byte_goes_out_at_the_pace_of_the_divisor),
        T(a_slower_divisor_takes_longer),
        T(the_frame_decides_how_long),
        T(a_fast_line_loses_nothing),
        T(an_interrupt_without_out2_is_reported_once),
        T(fifo_takes_sixteen_and_drops_more),
        T(thre_interrupts_and_reading_iir_ends_it),
        T(received_data_interrupts_at_the_trigger_level),
        T(a_few_bytes_time_out),
        T(a_full_receiver_pushes_back),
        T(room_is_told_as_bytes_leave),
        T(the_byte_behind_a_cleared_fifo_interrupts),
        T(overrun_is_a_line_status_of_the_first_rank),
        T(break_travels_with_its_byte),
        T(loopback_echoes_and_shuts_the_gate),
        T(out2_gates_the_interrupt),
        T(modem_status_interrupts_last),
        T(fcr_clears_fifos),
        T(flush_loses_nothing),
        T(scratch_keeps_and_words_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
