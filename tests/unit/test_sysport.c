/*
 * tests/unit/test_sysport.c -- the small ports and the wires behind them.
 *
 *   run   build/tests/test_sysport
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/abi.h"
#include "board.h"

static struct board *b;

static int set_up(void **state)
{
    (void)state;
    b = board_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    board_free(b);
    return 0;
}

static void port_92_moves_a20(void **state)
{
    (void)state;
    out(b, 0x92, 0x00);
    assert_int_equal(b->a20, 0);
    out(b, 0x92, 0x02);
    assert_int_equal(b->a20, 1);
    assert_int_equal(in(b, 0x92), 0x02);
    assert_int_equal(b->hooks, 0);
}

static void port_92_resets_on_a_rising_bit(void **state)
{
    (void)state;
    out(b, 0x92, 0x01);
    assert_int_equal(b->hooks, 1);
    assert_int_equal(b->hook_value, RESET_PORT92);
    out(b, 0x92, 0x03);
    assert_int_equal(b->hooks, 1);
}

static void mark_is_an_event(void **state)
{
    (void)state;
    bus_write(b->bus, from_cpu(0), PORT_MARK, 4, 0x12345678);
    assert_int_equal(last_event(b, TRACE_MARK)->arg[0], 0x12345678);
    assert_int_equal(b->hook_value, 0x12345678);
    out(b, PORT_MARK, 7);
    assert_int_equal(last_event(b, TRACE_MARK)->arg[0], 7);
    assert_int_equal(b->hooks, 2);
    const struct trace_event *mark = last_event(b, TRACE_MARK);
    assert_int_equal(last_event(b, TRACE_IO_WRITE)->seq, mark->seq - mark->cause_back);
}

static void debug_console_prints_and_is_there(void **state)
{
    (void)state;
    assert_int_equal(in(b, PORT_DEBUGCON), 0xe9);
    out(b, PORT_DEBUGCON, 'h');
    out(b, PORT_DEBUGCON, 'i');
    assert_string_equal(b->out, "hi");
}

static void exit_port_gives_its_status(void **state)
{
    (void)state;
    out(b, PORT_EXIT, 42);
    assert_int_equal(b->hooks, 1);
    assert_int_equal(b->hook_value, 42);
}

static void power_off_needs_slp_en(void **state)
{
    (void)state;
    bus_write(b->bus, from_cpu(0), PORT_ACPI_PM1A, 2, 0x1401);
    assert_int_equal(b->hooks, 0);
    uint64_t v;
    bus_read(b->bus, from_cpu(0), PORT_ACPI_PM1A, 2, &v);
    assert_int_equal(v, 0x1401);
    bus_write(b->bus, from_cpu(0), PORT_ACPI_PM1A, 2, 0x3401);
    assert_int_equal(b->hooks, 1);
    assert_int_equal(b->hook_value, 5);
    bus_read(b->bus, from_cpu(0), PORT_ACPI_PM1A, 2, &v);
    assert_int_equal(v, 0x1401);                    /* SLP_EN reads as zero */
    out(b, PORT_ACPI_PM1A + 1, 0x20);               /* by bytes works as well */
    assert_int_equal(b->hooks, 2);
}

static void cf9_resets_on_a_rising_bit(void **state)
{
    (void)state;
    out(b, 0xcf9, 0x02);
    assert_int_equal(b->hooks, 0);
    out(b, 0xcf9, 0x06);
    assert_int_equal(b->hook_value, RESET_CF9_HARD);
    out(b, 0xcf9, 0x06);
    assert_int_equal(b->hooks, 1);
    out(b, 0xcf9, 0x00);
    out(b, 0xcf9, 0x04);
    assert_int_equal(b->hooks, 2);
    assert_int_equal(b->hook_value, RESET_CF9);
}

static void pci_is_empty(void **state)
{
    (void)state;
    uint64_t v;
    bus_write(b->bus, from_cpu(0), 0xcf8, 4, 0x80001003);
    bus_read(b->bus, from_cpu(0), 0xcf8, 4, &v);
    assert_int_equal(v, 0x80001000);
    bus_read(b->bus, from_cpu(0), 0xcfc, 4, &v);
    assert_int_equal(v, 0xffffffff);
    bus_write(b->bus, from_cpu(0), 0xcf8, 4, 0x00000400);    /* not a reset: the address, bits 10 */
    assert_int_equal(b->hooks, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(port_92_moves_a20),
        T(port_92_resets_on_a_rising_bit),
        T(mark_is_an_event),
        T(debug_console_prints_and_is_there),
        T(exit_port_gives_its_status),
        T(power_off_needs_slp_en),
        T(cf9_resets_on_a_rising_bit),
        T(pci_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
