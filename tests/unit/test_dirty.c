/*
 * test_dirty -- which pages changed: marks across regions, and taking them.
 *
 *   run    make unit
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mem/dirty.h"
#include "mem/gmem.h"

/* RAM pages 0..99, ROM 100..101, RAM 102..103, a hole, RAM at 1 MiB. */
static struct gmem *machine(void)
{
    struct gmem *m = gmem_new();
    gmem_add(m, "low", 0, 100 * PAGE_SIZE, GMEM_RAM);
    gmem_add(m, "rom", 100 * PAGE_SIZE, 2 * PAGE_SIZE, GMEM_ROM);
    gmem_add(m, "mid", 102 * PAGE_SIZE, 2 * PAGE_SIZE, GMEM_RAM);
    gmem_add(m, "high", 0x100000, 70 * PAGE_SIZE, GMEM_RAM);
    gmem_freeze(m);
    return m;
}

static void test_marks(void **state)
{
    (void)state;
    static const struct { gpa_t gpa; uint64_t len; size_t count; } row[] = {
        { 0, 0, 0 },                { 0, 1, 1 },                { 0xfff, 1, 1 },
        { 0xfff, 2, 2 },            { 0x1000, 0x1000, 1 },      { 0x1000, 0x1001, 2 },
        { 100 * PAGE_SIZE, 2 * PAGE_SIZE, 0 },                  /* ROM             */
        { 99 * PAGE_SIZE, 4 * PAGE_SIZE, 2 },                   /* RAM on each side */
        { 0, UINT64_MAX, 172 },     { UINT64_MAX, UINT64_MAX, 0 },
        { 0x100000 + 69 * PAGE_SIZE, UINT64_MAX, 1 },           /* would wrap      */
        { 104 * PAGE_SIZE, 8, 0 },                              /* hole            */
    };
    struct gmem *m = machine();
    for (size_t i = 0; i < NELEM(row); i++) {
        struct dirty *d = dirty_new(m);
        dirty_mark(d, row[i].gpa, row[i].len);
        dirty_mark(d, row[i].gpa, row[i].len);
        assert_int_equal(dirty_count(d), row[i].count);
        dirty_free(d);
    }
    gmem_free(m);
}

static void test_take(void **state)
{
    (void)state;
    struct gmem *m = machine();
    struct dirty *d = dirty_new(m);
    gpa_t out[8];

    assert_int_equal(dirty_take(d, out, 8), 0);
    dirty_mark(d, 0x100005, 1);
    dirty_mark(d, 98 * PAGE_SIZE, 5 * PAGE_SIZE);
    assert_true(dirty_test(d, 98 * PAGE_SIZE + 17));
    assert_false(dirty_test(d, 97 * PAGE_SIZE));
    assert_false(dirty_test(d, 100 * PAGE_SIZE));
    assert_false(dirty_test(d, UINT64_MAX));

    assert_int_equal(dirty_take(d, out, 2), 2);
    assert_int_equal(out[0], 98 * PAGE_SIZE);
    assert_int_equal(out[1], 99 * PAGE_SIZE);
    assert_int_equal(dirty_count(d), 2);
    dirty_mark(d, 0x3000, 1);                   /* below what was taken */
    assert_int_equal(dirty_take(d, out, 8), 3);
    assert_int_equal(out[0], 0x3000);
    assert_int_equal(out[1], 102 * PAGE_SIZE);
    assert_int_equal(out[2], 0x100000);
    assert_int_equal(dirty_count(d), 0);
    assert_int_equal(dirty_take(d, out, 8), 0);
    dirty_free(d);
    gmem_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
