/*
 * tests/unit/test_table_diff.c -- shots of page tables: 2-level, PAE and 4-level ones,
 * and ones that point at themselves.
 *   run    make unit
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/x86.h"
#include "debugger/link/link.h"
#include "debugger/link/table_diff.h"

static const uint8_t halt_code[] = { 0xfa, 0xf4 };     /* cli; hlt */
static char path[] = "/tmp/vitrine-test-table-XXXXXX";
static struct link *l;

static int setup(void **state)
{
    char why[300];
    (void)state;
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, halt_code, sizeof halt_code) != sizeof halt_code)
        return -1;
    close(fd);
    struct link_options o = {
        .machine = { .engine = &engine_soft, .mmu = MMU_NESTED, .ram_bytes = 2 << 20 },
        .guest = { .path = path, .format = "flat@0x1000:16" },
    };
    l = link_start(&o, why, sizeof why);
    return l ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    link_end(l);
    unlink(path);
    return 0;
}

static void put(gpa_t at, uint64_t entry, unsigned size)
{
    assert_int_equal(link_write_phys(l, at, &entry, size), 0);
}

static void clear(gpa_t at)
{
    static const uint8_t zero[4096];
    assert_int_equal(link_write_phys(l, at, zero, sizeof zero), 0);
}

static struct cpu_state paging(uint64_t cr3, uint64_t cr4, uint64_t efer)
{
    struct cpu_state s = { .cr0 = CR0_PG | CR0_PE, .cr3 = cr3, .cr4 = cr4, .efer = efer };
    return s;
}

static void two_levels(void **state)
{
    struct table_change c[4];
    struct cpu_state s = paging(0x10000, 0, 0);
    (void)state;
    clear(0x10000);
    clear(0x11000);
    put(0x10000 + 4 * 0x100, 0x11000 | PTE_P | PTE_W, 4);
    put(0x11000 + 4 * 5, 0x5000 | PTE_P, 4);
    struct table_shot *a = table_shot_take(l, &s);
    assert_int_equal(table_shot_tables(a), 2);
    put(0x11000 + 4 * 5, 0x6000 | PTE_P | PTE_W, 4);
    put(0x10000 + 4 * 0x101, 0x400000 | PTE_P | PTE_PS, 4);     /* a large page is no table */
    struct table_shot *b = table_shot_take(l, &s);
    assert_int_equal(table_shot_tables(b), 2);
    assert_int_equal(table_diff(a, b, c, 4), 2);
    assert_int_equal(c[0].gla, 0x40400000);
    assert_int_equal(c[0].level, 2);
    assert_int_equal(c[1].gla, 0x40005000);
    assert_int_equal(c[1].level, 1);
    assert_int_equal(c[1].before, 0x5000 | PTE_P);
    assert_int_equal(c[1].after, 0x6000 | PTE_P | PTE_W);
    assert_int_equal(table_diff(b, b, c, 4), 0);
    assert_int_equal(table_diff(NULL, b, NULL, 0), 3);          /* all that is there */
    table_shot_free(a);
    table_shot_free(b);
}

static void long_mode(void **state)
{
    struct table_change c[4];
    struct cpu_state s = paging(0x10000, CR4_PAE, EFER_LMA);
    (void)state;
    for (gpa_t at = 0x10000; at < 0x15000; at += 4096)
        clear(at);
    put(0x10000 + 8 * 511, 0x11000 | PTE_P, 8);
    put(0x11000, 0x12000 | PTE_P, 8);
    put(0x12000, 0x13000 | PTE_P, 8);
    struct table_shot *a = table_shot_take(l, &s);
    assert_int_equal(table_shot_tables(a), 4);
    put(0x12000, 0, 8);
    put(0x13000, 0x5000 | PTE_P, 8);
    struct table_shot *b = table_shot_take(l, &s);
    assert_int_equal(table_shot_tables(b), 3);
    assert_int_equal(table_diff(a, b, c, 4), 1);        /* the table that went was empty */
    assert_true(c[0].gla == 0xffffff8000000000);
    assert_int_equal(c[0].level, 2);
    assert_int_equal(c[0].after, 0);
    table_shot_free(a);
    table_shot_free(b);
}

static void pae_and_off(void **state)
{
    struct table_change c[4];
    struct cpu_state s = paging(0x10020, CR4_PAE, 0);
    (void)state;
    clear(0x10000);
    clear(0x11000);
    put(0x10020 + 8 * 3, 0x11000 | PTE_P, 8);
    put(0x11000 + 8, 0x200000 | PTE_P | PTE_PS, 8);
    struct table_shot *a = table_shot_take(l, &s);
    assert_int_equal(table_shot_tables(a), 2);
    assert_int_equal(table_diff(NULL, a, c, 4), 2);
    assert_int_equal(c[0].gla, 0xc0000000);
    assert_int_equal(c[0].level, 3);
    assert_int_equal(c[1].gla, 0xc0200000);
    table_shot_free(a);
    s.cr0 = CR0_PE;
    a = table_shot_take(l, &s);
    assert_int_equal(table_shot_tables(a), 0);
    assert_int_equal(table_diff(a, NULL, c, 4), 0);
    table_shot_free(a);
}

/* A hostile guest: every entry points back, and into nothing. */
static void at_themselves(void **state)
{
    struct cpu_state s = paging(0x10000, CR4_PAE, EFER_LMA);
    (void)state;
    for (unsigned i = 0; i < 512; i++)
        put(0x10000 + 8 * i, (i % 2 ? 0x10000 : 0xfffffff000) | PTE_P, 8);
    struct table_shot *a = table_shot_take(l, &s);
    assert_false(table_shot_is_whole(a));
    struct table_shot *b = table_shot_take(l, &s);
    assert_int_equal(table_diff(a, b, NULL, 0), 0);
    table_shot_free(a);
    table_shot_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_levels), cmocka_unit_test(long_mode), cmocka_unit_test(pae_and_off),
        cmocka_unit_test(at_themselves),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
