/*
 * tests/unit/test_pic.c -- the 8259A pair against its data sheet.
 *
 *   run   build/tests/test_pic
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "board.h"

static struct board *b;
static struct pic *pic;

static int set_up(void **state)
{
    (void)state;
    b = board_new();
    pic = b->part[B_PIC].dev;
    start_pics(b);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    board_free(b);
    return 0;
}

/* As devices do, by way of the nets. */
static void raise_line(unsigned n)
{
    irq_set(&b->pin[n], true);
}

static void lower_line(unsigned n)
{
    irq_set(&b->pin[n], false);
}

/* As the machine does for the CPU: the vector.  What the nets say of the cause is kept. */
static uint64_t cause;

static int ack(void)
{
    struct irq_ack a = pic_ack(pic);
    cause = irq_nets_log_ack(b->nets, &a);
    return a.vector;
}

static uint8_t isr(uint16_t port)
{
    out(b, port, 0x0b);
    return in(b, port);
}

static uint8_t irr(uint16_t port)
{
    out(b, port, 0x0a);
    return in(b, port);
}

static void says_nothing_before_initialization(void **state)
{
    (void)state;
    b->part[B_PIC].ops->reset(pic);
    raise_line(3);
    assert_false(pic_pending(pic));
}

static void initialization_clears_mask_and_edges(void **state)
{
    (void)state;
    out(b, 0x21, 0xff);
    assert_int_equal(in(b, 0x21), 0xff);
    raise_line(3);
    start_pics(b);
    assert_int_equal(in(b, 0x21), 0);
    assert_false(pic_pending(pic));         /* the edge came before ICW1 */
    lower_line(3);
    raise_line(3);
    assert_true(pic_pending(pic));
}

static void vector_is_icw2_plus_line(void **state)
{
    (void)state;
    raise_line(4);
    assert_int_equal(ack(), 0x24);
    raise_line(14);
    assert_false(pic_pending(pic) && ack() == 0x24);
    lower_line(14);
}

static void second_chip_comes_through_line_2(void **state)
{
    (void)state;
    raise_line(12);
    assert_int_equal(irr(0x20), 0x04);
    assert_int_equal(irr(0xa0), 0x10);
    assert_int_equal(ack(), 0x2c);
    assert_int_equal(isr(0x20), 0x04);
    assert_int_equal(isr(0xa0), 0x10);
    out(b, 0xa0, 0x20);
    out(b, 0x20, 0x20);
    assert_int_equal(isr(0x20) | isr(0xa0), 0);
    assert_false(pic_pending(pic));
}

static void higher_priority_interrupts_lower(void **state)
{
    (void)state;
    raise_line(4);
    assert_int_equal(ack(), 0x24);
    raise_line(5);
    assert_false(pic_pending(pic));         /* lower than what is in service */
    raise_line(1);
    assert_int_equal(ack(), 0x21);
    out(b, 0x20, 0x20);                     /* ends 1, the highest */
    assert_int_equal(isr(0x20), 0x10);
    out(b, 0x20, 0x20);
    assert_int_equal(ack(), 0x25);
}

static void mask_holds_a_request_back(void **state)
{
    (void)state;
    out(b, 0x21, 0x10);
    raise_line(4);
    assert_false(pic_pending(pic));
    assert_int_equal(irr(0x20), 0x10);
    out(b, 0x21, 0x00);
    assert_true(pic_pending(pic));
}

static void an_edge_gives_one_interrupt(void **state)
{
    (void)state;
    raise_line(4);
    ack();
    out(b, 0x20, 0x20);
    assert_false(pic_pending(pic));         /* still high, but no new edge */
    lower_line(4);
    raise_line(4);
    assert_true(pic_pending(pic));
}

static void a_level_gives_interrupts_until_it_drops(void **state)
{
    (void)state;
    out(b, 0x4d0, 0xff);
    assert_int_equal(in(b, 0x4d0), 0xf8);   /* 0-2 are edges whatever is written */
    out(b, 0x4d1, 0xff);
    assert_int_equal(in(b, 0x4d1), 0xde);
    raise_line(5);
    assert_int_equal(ack(), 0x25);
    out(b, 0x20, 0x20);
    assert_int_equal(ack(), 0x25);
    lower_line(5);
    out(b, 0x20, 0x20);
    assert_false(pic_pending(pic));
}

static void a_request_taken_back_is_spurious(void **state)
{
    (void)state;
    raise_line(3);
    lower_line(3);
    assert_false(pic_pending(pic));
    assert_int_equal(ack(), 0x27);
    assert_int_equal(isr(0x20), 0);         /* a spurious 7 is not in service */
    assert_int_equal(last_oddity(b), ODDITY_PIC_SPURIOUS);
    assert_int_equal(cause, 0);
}

static void specific_eoi_ends_the_named_line(void **state)
{
    (void)state;
    raise_line(4);
    ack();
    raise_line(1);
    ack();
    out(b, 0x20, 0x64);
    assert_int_equal(isr(0x20), 0x02);
    out(b, 0x20, 0x66);                     /* 6 is not in service */
    assert_int_equal(last_oddity(b), ODDITY_PIC_BAD_EOI);
    assert_int_equal(isr(0x20), 0x02);
}

static void rotation_moves_the_served_line_last(void **state)
{
    (void)state;
    raise_line(4);
    ack();
    lower_line(4);
    out(b, 0x20, 0xa0);                     /* rotate on non-specific EOI: 5 is first now */
    raise_line(4);
    raise_line(6);
    assert_int_equal(ack(), 0x26);
}

static void set_priority_names_the_lowest(void **state)
{
    (void)state;
    out(b, 0x20, 0xc4);                     /* 4 lowest, so 5 highest */
    raise_line(0);
    raise_line(5);
    assert_int_equal(ack(), 0x25);
}

static void automatic_eoi_leaves_nothing_in_service(void **state)
{
    (void)state;
    out(b, 0x20, 0x11);
    out(b, 0x21, 0x20);
    out(b, 0x21, 0x04);
    out(b, 0x21, 0x03);
    raise_line(4);
    assert_int_equal(ack(), 0x24);
    assert_int_equal(isr(0x20), 0);
    raise_line(5);
    assert_int_equal(ack(), 0x25);
}

static void rotating_automatic_eoi_takes_turns(void **state)
{
    (void)state;
    out(b, 0x20, 0x11);
    out(b, 0x21, 0x20);
    out(b, 0x21, 0x04);
    out(b, 0x21, 0x03);
    out(b, 0x20, 0x80);
    raise_line(4);
    ack();
    lower_line(4);
    raise_line(4);
    raise_line(6);
    assert_int_equal(ack(), 0x26);
}

static void special_mask_lets_lower_lines_in(void **state)
{
    (void)state;
    raise_line(3);
    ack();
    raise_line(5);
    assert_false(pic_pending(pic));
    out(b, 0x21, 0x08);
    out(b, 0x20, 0x68);
    assert_int_equal(ack(), 0x25);
    out(b, 0x20, 0x20);                     /* ends 5: masked 3 is out of its reach */
    assert_int_equal(isr(0x20), 0x08);
    out(b, 0x20, 0x63);
    assert_int_equal(isr(0x20), 0);
}

static void special_full_nesting_lets_the_second_chip_in_again(void **state)
{
    (void)state;
    raise_line(14);
    ack();
    raise_line(8);
    assert_false(pic_pending(pic));         /* line 2 is in service */
    lower_line(8);
    out(b, 0xa0, 0x20);
    out(b, 0x20, 0x20);
    lower_line(14);
    out(b, 0x20, 0x11);
    out(b, 0x21, 0x20);
    out(b, 0x21, 0x04);
    out(b, 0x21, 0x11);                     /* SFNM */
    raise_line(14);
    ack();
    raise_line(8);
    assert_true(pic_pending(pic));
    assert_int_equal(ack(), 0x28);
}

static void poll_reads_and_acknowledges(void **state)
{
    (void)state;
    out(b, 0x20, 0x0c);
    assert_int_equal(in(b, 0x20), 0x00);
    raise_line(6);
    out(b, 0x20, 0x0c);
    assert_int_equal(in(b, 0x20), 0x86);
    assert_int_equal(isr(0x20), 0x40);
}

static void two_requests_of_the_second_chip_in_turn(void **state)
{
    (void)state;
    raise_line(9);
    raise_line(15);
    assert_int_equal(ack(), 0x29);
    out(b, 0xa0, 0x20);
    out(b, 0x20, 0x20);
    assert_int_equal(ack(), 0x2f);
}

static void the_cause_is_the_event_that_raised_the_line(void **state)
{
    (void)state;
    raise_line(4);
    uint64_t raised = last_event(b, TRACE_IRQ_LINE)->seq;
    raise_line(7);
    assert_int_equal(ack(), 0x24);
    assert_int_equal(cause, raised);
    const struct trace_event *acked = last_event(b, TRACE_IRQ_ACK);
    assert_int_equal(acked->seq - acked->cause_back, raised);
    out(b, 0x20, 0x20);
    assert_int_equal(last_event(b, TRACE_IRQ_EOI)->arg[0], 4);
    assert_int_equal(last_event(b, TRACE_IO_WRITE)->seq,
                     last_event(b, TRACE_IRQ_EOI)->seq - last_event(b, TRACE_IRQ_EOI)->cause_back);
}

static void a_line_that_does_not_move_is_no_event(void **state)
{
    (void)state;
    raise_line(4);
    uint64_t seq = b->trace->ring->head;
    raise_line(4);
    assert_int_equal(b->trace->ring->head, seq);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(says_nothing_before_initialization),
        T(initialization_clears_mask_and_edges),
        T(vector_is_icw2_plus_line),
        T(second_chip_comes_through_line_2),
        T(higher_priority_interrupts_lower),
        T(mask_holds_a_request_back),
        T(an_edge_gives_one_interrupt),
        T(a_level_gives_interrupts_until_it_drops),
        T(a_request_taken_back_is_spurious),
        T(specific_eoi_ends_the_named_line),
        T(rotation_moves_the_served_line_last),
        T(set_priority_names_the_lowest),
        T(automatic_eoi_leaves_nothing_in_service),
        T(rotating_automatic_eoi_takes_turns),
        T(special_mask_lets_lower_lines_in),
        T(special_full_nesting_lets_the_second_chip_in_again),
        T(poll_reads_and_acknowledges),
        T(two_requests_of_the_second_chip_in_turn),
        T(the_cause_is_the_event_that_raised_the_line),
        T(a_line_that_does_not_move_is_no_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
