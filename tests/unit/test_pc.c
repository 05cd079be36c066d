/*
 * tests/unit/test_pc.c -- the machine as it is wired: ports, interrupt lines, what is saved.
 *
 * Each device has tests of its own; here is what only the whole shows.
 *
 *   run   build/tests/test_pc
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/trace.h"
#include "io/bus.h"
#include "io/pic.h"
#include "vm/pc.h"
#include "vm/state.h"
#include "vm/vm.h"

static struct trace *t;
static struct vm *vm;

static int set_up(void **state)
{
    (void)state;
    char why[200];
    t = trace_new(1024);
    t->mask = ~UINT64_C(0);
    vm = vm_new(&(struct vm_config){ .engine = &engine_soft, .ram_bytes = 1u << 20, .trace = t },
                why, sizeof why);
    return vm ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    vm_free(vm);
    trace_free(t);
    return 0;
}

static void out(uint16_t port, uint8_t value)
{
    bus_write(vm->ports, from_cpu(0), port, 1, value);
}

static const struct trace_event *last_event(enum trace_kind kind)
{
    for (uint64_t seq = t->ring->head; seq; seq--)
        if (t->ring->event[seq & (t->ring->size - 1)].kind == kind)
            return &t->ring->event[seq & (t->ring->size - 1)];
    return NULL;
}

/* The part of that name in the list that snapshots are made from. */
static struct pc_part part_named(const char *name)
{
    struct pc_part part[32];
    size_t n = pc_parts(vm->pc, part, NELEM(part));
    for (size_t i = 0; i < n; i++)
        if (!strcmp(part[i].name, name))
            return part[i];
    fail_msg("no part %s", name);
    return part[0];
}

static void what_the_tables_say_is_on_the_bus(void **state)
{
    (void)state;
    unsigned named = 0;
    for (uint32_t port = 0; port < 0x10000; port++) {
        const struct bus_range *r = bus_find(vm->ports, port);
        const char *name = pc_port_name((uint16_t)port);
        assert_ptr_equal(name, r ? r->why : NULL);
        assert_ptr_equal(pc_port_device((uint16_t)port), r ? r->ops : NULL);
        named += name != NULL;
    }
    assert_in_range(named, 100, 300);
    assert_int_equal(bus_count(vm->mmio), 0);
}

static void start_pics(void)
{
    static const struct { uint8_t port, value; } seq[] = {
        { 0x20, 0x11 }, { 0x21, 0x20 }, { 0x21, 0x04 }, { 0x21, 0x01 },
        { 0xa0, 0x11 }, { 0xa1, 0x28 }, { 0xa1, 0x02 }, { 0xa1, 0x01 },
        { 0x21, 0x00 }, { 0xa1, 0x00 },
    };
    for (size_t i = 0; i < NELEM(seq); i++)
        out(seq[i].port, seq[i].value);
}

/* From the UART's pin by net 4 to the 8259A, and from there to the CPU. */
static void a_device_s_pin_reaches_the_cpu(void **state)
{
    (void)state;
    struct pc_part nets = part_named("IRQ");
    start_pics();
    out(0x3fc, 0x08);               /* OUT2 opens the gate */
    out(0x3f9, 0x02);               /* THR is empty: at once */
    assert_int_equal(field_get(&nets.ops->fields[0], nets.dev, 4), 1);
    assert_true(pic_pending(pc_pic(vm->pc)));
    uint64_t cause, line = last_event(TRACE_IRQ_LINE)->seq;
    assert_int_equal(pc_ack_irq(vm->pc, &cause), 0x24);
    assert_int_equal(cause, line);
    assert_int_equal(last_event(TRACE_IRQ_ACK)->arg[1], 4);
}

static void a_spurious_interrupt_has_no_cause(void **state)
{
    (void)state;
    start_pics();
    out(0x3fc, 0x08), out(0x3f9, 0x02), out(0x3f9, 0x00);      /* taken back */
    uint64_t cause;
    assert_int_equal(pc_ack_irq(vm->pc, &cause), 0x27);
    assert_int_equal(cause, 0);
    assert_int_equal(last_event(TRACE_IRQ_ACK)->arg[1], 7);
}

/* Levels of the nets' sources are saved; a range that a device chose itself is not, because its
 * device claims it again when it is loaded.  Here there is no such device, so it is gone. */
static void a_loaded_state_has_nets_and_no_leftovers(void **state)
{
    (void)state;
    struct bytes_out saved = { .data = NULL };
    struct pc_part uart = part_named("COM1"), nets = part_named("IRQ");
    struct bus_range bar = { 0xc000, 0x20, uart.ops, uart.dev, "a BAR", 0, true };
    char why[200] = "";
    start_pics();
    out(0x3fc, 0x08), out(0x3f9, 0x02);
    vm_begin(vm);
    vm_save_state(vm, &saved);
    assert_false(saved.bad);
    size_t wired = bus_count(vm->ports);
    out(0x3f9, 0x00);
    assert_int_equal(bus_claim(vm->ports, &bar), 0);
    assert_int_equal(bus_claim(vm->mmio, &bar), 0);

    struct bytes_in in = { saved.data, saved.data + saved.n, false };
    uint64_t events = t->ring->head;
    if (vm_load_state(vm, &in, why, sizeof why))
        fail_msg("%s", why);
    assert_int_equal(bus_count(vm->ports), wired);
    assert_int_equal(bus_count(vm->mmio), 0);
    assert_int_equal(field_get(&nets.ops->fields[0], nets.dev, 4), 1);
    assert_true(pic_pending(pc_pic(vm->pc)));
    assert_int_equal(t->ring->head, events);
    out(0x3f9, 0x00);                       /* and the pin still moves the net */
    assert_int_equal(field_get(&nets.ops->fields[0], nets.dev, 4), 0);
    assert_false(pic_pending(pc_pic(vm->pc)));
    free(saved.data);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_the_tables_say_is_on_the_bus),
        T(a_device_s_pin_reaches_the_cpu),
        T(a_spurious_interrupt_has_no_cause),
        T(a_loaded_state_has_nets_and_no_leftovers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
