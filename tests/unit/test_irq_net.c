/*
 * tests/unit/test_irq_net.c -- interrupt nets with several sources, and messages.
 *
 *   run   build/tests/test_irq_net
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "board.h"

static struct board *b;
static struct pic *pic;
static struct irq_line one, two;        /* two devices on line 11 */

static int set_up(void **state)
{
    (void)state;
    b = board_new();
    pic = b->part[B_PIC].dev;
    one = b->pin[11];
    two = irq_nets_join(b->nets, 11);
    start_pics(b);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    board_free(b);
    return 0;
}

static int ack(void)
{
    struct irq_ack a = pic_ack(pic);
    irq_nets_log_ack(b->nets, &a);
    out(b, 0xa0, 0x20);                 /* and the EOI at once */
    out(b, 0x20, 0x20);
    return a.vector;
}

static uint64_t events(void)
{
    return b->trace->ring->head;
}

static void a_net_is_high_while_any_source_is(void **state)
{
    (void)state;
    static const struct { bool one, two, level; } steps[] = {
        { 1, 0, 1 }, { 1, 1, 1 }, { 0, 1, 1 }, { 0, 0, 0 }, { 0, 1, 1 }, { 0, 0, 0 },
    };
    for (size_t i = 0; i < NELEM(steps); i++) {
        irq_set(&one, steps[i].one);
        irq_set(&two, steps[i].two);
        assert_int_equal(irq_nets_level(b->nets, 11), steps[i].level);
        assert_false(irq_nets_level(b->nets, 10));
    }
}

static void only_a_change_of_the_net_is_logged(void **state)
{
    (void)state;
    irq_set(&one, true);
    const struct trace_event *e = last_event(b, TRACE_IRQ_LINE);
    assert_int_equal(e->arg[0], 11);
    assert_int_equal(e->arg[1], 1);
    uint64_t before = events();
    irq_set(&one, true);                /* said twice */
    irq_set(&two, true);                /* the net is high already */
    irq_set(&one, false);               /* the other holds it */
    assert_int_equal(events(), before);
    irq_set(&two, false);
    assert_int_equal(events(), before + 1);
    assert_int_equal(last_event(b, TRACE_IRQ_LINE)->arg[1], 0);
}

/* A controller that counts edges misses the second of two devices: why ISA lines cannot be
 * shared, and PCI's are level-triggered. */
static void a_shared_net_wants_a_level_triggered_input(void **state)
{
    (void)state;
    irq_set(&one, true);
    irq_set(&two, true);
    assert_int_equal(ack(), 0x2b);
    irq_set(&one, false);               /* served; the other still asks */
    assert_false(pic_pending(pic));     /* and is not heard */
    irq_set(&two, false);
    out(b, 0x4d1, 0x08);                /* ELCR: line 11 is level-triggered */
    irq_set(&one, true);
    irq_set(&two, true);
    assert_int_equal(ack(), 0x2b);
    irq_set(&one, false);
    assert_true(pic_pending(pic));
    assert_int_equal(ack(), 0x2b);
    irq_set(&two, false);
    assert_false(pic_pending(pic));
}

static void the_log_is_written_in_front_of_the_chip(void **state)
{
    (void)state;
    irq_set(&one, true);
    uint64_t raised = last_event(b, TRACE_IRQ_LINE)->seq;
    irq_set(&two, true);
    struct irq_ack a = pic_ack(pic);
    assert_int_equal(events(), raised);                     /* the chip itself says nothing */
    assert_int_equal(a.line, 11);
    assert_false(a.spurious);
    assert_int_equal(irq_nets_log_ack(b->nets, &a), raised);
    const struct trace_event *e = last_event(b, TRACE_IRQ_ACK);
    assert_int_equal(e->arg[0], 0x2b);
    assert_int_equal(e->arg[1], 11);
    assert_int_equal(e->seq - e->cause_back, raised);
}

static bool heard;
static void on_net(void *arg, unsigned net, bool level)
{
    assert_ptr_equal(arg, &heard);
    assert_int_equal(net, 11);
    heard = level;
}

static void several_controllers_can_listen(void **state)
{
    (void)state;
    irq_nets_listen(b->nets, on_net, &heard);
    irq_set(&two, true);
    assert_true(heard);
    assert_true(pic_pending(pic));
    irq_set(&two, false);
    assert_false(heard);
}

/* ---- messages ---- */

static uint64_t got_address;
static uint32_t got_data;

static bool take(void *arg, uint64_t address, uint32_t data)
{
    (void)arg;
    got_address = address;
    got_data = data;
    return address >> 20 == 0xfee;      /* where local APICs are */
}

static void a_message_finds_its_receiver(void **state)
{
    (void)state;
    struct irq_message m = irq_nets_messages(b->nets);
    irq_nets_take_messages(b->nets, take, NULL);
    uint64_t before = events();
    irq_send(&m, 0xfee01000, 0x4041);
    assert_int_equal(got_address, 0xfee01000);
    assert_int_equal(got_data, 0x4041);
    assert_int_equal(events(), before);
    irq_send(&m, 0x1000, 1);            /* refused: not its address */
    assert_int_equal(last_oddity(b), ODDITY_IRQ_MESSAGE_LOST);
}

static void a_message_without_a_receiver_is_odd(void **state)
{
    (void)state;
    struct irq_message m = irq_nets_messages(b->nets), nowhere = { 0 };
    irq_send(&m, 0xfee00000, 0x31);
    const struct trace_event *e = last_event(b, TRACE_ODDITY);
    assert_int_equal(e->arg[0], ODDITY_IRQ_MESSAGE_LOST);
    assert_int_equal(e->arg[1], 0xfee00000);
    assert_int_equal(e->arg[2], 0x31);
    irq_send(&nowhere, 0, 0);           /* a device without a slot may say so, too */
}

/* ---- saved ---- */

static void the_sources_levels_are_saved(void **state)
{
    (void)state;
    struct bytes_out o = { 0 };
    irq_set(&two, true);
    device_save(&irq_nets_ops, b->nets, &o);
    assert_false(o.bad);
    irq_set(&two, false);
    struct bytes_in in = { o.data, o.data + o.n, false };
    uint64_t before = events();
    assert_int_equal(device_load(&irq_nets_ops, b->nets, &in), 0);
    free(o.data);
    assert_true(irq_nets_level(b->nets, 11));
    irq_set(&two, true);                /* as its device does after loading: nothing new */
    assert_int_equal(events(), before);
    irq_set(&one, true);
    irq_set(&two, false);
    assert_true(irq_nets_level(b->nets, 11));
}

static void a_file_drives_no_source_that_is_not_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < irq_nets_ops.n_fields; i++)
        for (unsigned k = 0; k < irq_nets_ops.fields[i].count; k++)
            field_set(&irq_nets_ops.fields[i], b->nets, k, UINT64_MAX);
    irq_nets_ops.after_load(b->nets);
    assert_true(irq_nets_level(b->nets, 11));
    irq_set(&one, false);
    irq_set(&two, false);
    assert_false(irq_nets_level(b->nets, 11));
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_net_is_high_while_any_source_is),
        T(only_a_change_of_the_net_is_logged),
        T(a_shared_net_wants_a_level_triggered_input),
        T(the_log_is_written_in_front_of_the_chip),
        T(several_controllers_can_listen),
        T(a_message_finds_its_receiver),
        T(a_message_without_a_receiver_is_odd),
        T(the_sources_levels_are_saved),
        T(a_file_drives_no_source_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
