/*
 * tests/unit/test_debug_exit.c -- port 501h ends the run as QEMU's isa-debug-exit does.
 *
 * The whole machine, because the device is known to it by its row alone.
 *
 *   run   build/tests/test_debug_exit
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "io/bus.h"
#include "mem/gmem.h"
#include "vm/loop.h"
#include "vm/pc.h"
#include "vm/vm.h"

#define CODE 0x8000

static struct vm *vm;

static int set_up(void **state)
{
    (void)state;
    char why[200];
    vm = vm_new(&(struct vm_config){ .engine = &engine_soft, .ram_bytes = 1u << 20,
                                     .limit_insns = 1000 }, why, sizeof why);
    return vm ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    vm_free(vm);
    return 0;
}

/* The status of a guest that consists of these bytes, in real mode. */
static int run(const char *code, size_t n)
{
    struct cpu_state c;
    cpu_state_reset(&c);
    c.seg[SEG_CS].sel = 0;
    c.seg[SEG_CS].base = 0;
    c.rip = CODE;
    assert_int_equal(gmem_write(vm->gmem, CODE, code, n), 0);
    assert_int_equal(boot_cpu(vm)->ops->set_state(boot_cpu(vm), ST_ALL, &c), 0);
    return vm_run(vm);
}

#define RUN(code) run(code, sizeof(code) - 1)

#define MOV_DX_501 "\xba\x01\x05"

static void a_guest_ends_with_an_odd_status(void **state)
{
    (void)state;
    assert_int_equal(RUN(MOV_DX_501 "\xb0\x2a\xee\xf4"), 0x2a << 1 | 1);    /* mov $42, %al; out */
    assert_int_equal(vm->stop, VM_EXIT_PORT);
}

static void zero_is_no_success(void **state)
{
    (void)state;
    assert_int_equal(RUN(MOV_DX_501 "\xb0\x00\xee\xf4"), 1);
}

static void words_and_double_words_end_it_too(void **state)
{
    (void)state;
    assert_int_equal(RUN(MOV_DX_501 "\xb8\x10\x77\xef\xf4"), 0x21);         /* out %ax */
    tear_down(NULL), set_up(NULL);
    assert_int_equal(RUN(MOV_DX_501 "\x66\xb8\x11\x00\x22\x33\x66\xef\xf4"), 0x23);
}

static void the_second_port_does_the_same(void **state)
{
    (void)state;
    assert_int_equal(RUN("\xba\x02\x05\xb0\x03\xee\xf4"), 7);
}

static void reading_gives_zero_and_ends_nothing(void **state)
{
    (void)state;
    uint64_t v;
    assert_true(bus_read(vm->ports, from_cpu(0), 0x501, 2, &v));
    assert_int_equal(v, 0);
    assert_int_equal(vm->stop, VM_RUNNING);
    assert_false(bus_read(vm->ports, from_cpu(0), 0x503, 1, &v));
    assert_false(bus_read(vm->ports, from_cpu(0), 0x500, 1, &v));
}

static void the_machine_knows_it_by_name(void **state)
{
    (void)state;
    assert_non_null(pc_port_name(0x502));
    assert_string_equal(pc_port_device(0x501)->name, "debug_exit");
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_guest_ends_with_an_odd_status),
        T(zero_is_no_success),
        T(words_and_double_words_end_it_too),
        T(the_second_port_does_the_same),
        T(reading_gives_zero_and_ends_nothing),
        T(the_machine_knows_it_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
