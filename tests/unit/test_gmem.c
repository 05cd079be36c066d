/*
 * test_gmem -- guest physical memory: where regions begin and end.
 *
 *   run    make unit
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/x86.h"
#include "mem/gmem.h"

/* 64 KiB RAM, 4 KiB ROM right behind it, a hole, and RAM again. */
static struct gmem *small_machine(void)
{
    struct gmem *m = gmem_new();
    assert_non_null(m);
    assert_int_equal(gmem_add(m, "high", 0x100000, 0x2000, GMEM_RAM), 0);
    assert_int_equal(gmem_add(m, "low", 0, 0x10000, GMEM_RAM), 0);
    assert_int_equal(gmem_add(m, "rom", 0x10000, 0x1000, GMEM_ROM), 0);
    gmem_freeze(m);
    return m;
}

static void test_add_refuses(void **state)
{
    (void)state;
    static const struct { gpa_t base; uint64_t size; int expect; } row[] = {
        { 0x0,                0x1000, -EEXIST },    /* the same            */
        { 0x1000,             0x1000, 0 },          /* touching: fine      */
        { 0x2000,             0x0,    -EINVAL },    /* empty               */
        { 0x2001,             0x1000, -EINVAL },
        { 0x2000,             0x1001, -EINVAL },
        { 0x800,              0x1000, -EINVAL },
        { 0x0,                0x9000, -EEXIST },    /* covers the others   */
        { ~UINT64_C(0xfff),   0x1000, -EINVAL },
        { ~UINT64_C(0xfff),   0x2000, -EINVAL },    /* wraps               */
        { BIT(MAXPHYADDR) - 0x1000, 0x1000, 0 },
        { BIT(MAXPHYADDR) - 0x2000, 0x3000, -EINVAL },
        { 0x2000, ~UINT64_C(0xfff),         -EINVAL },
    };
    struct gmem *m = gmem_new();
    assert_int_equal(gmem_add(m, "first", 0, 0x1000, GMEM_RAM), 0);
    for (size_t i = 0; i < NELEM(row); i++)
        assert_int_equal(gmem_add(m, "x", row[i].base, row[i].size, GMEM_RAM), row[i].expect);
    gmem_freeze(m);
    assert_int_equal(gmem_add(m, "late", 0x8000, 0x1000, GMEM_RAM), -EINVAL);
    gmem_free(m);
}

static void test_order(void **state)
{
    (void)state;
    struct gmem *m = small_machine();
    assert_int_equal(gmem_count(m), 3);
    assert_string_equal(gmem_region(m, 0)->name, "low");
    assert_string_equal(gmem_region(m, 1)->name, "rom");
    assert_string_equal(gmem_region(m, 2)->name, "high");
    assert_null(gmem_region(m, 3));
    assert_string_equal(gmem_find(m, 0xffff)->name, "low");
    assert_string_equal(gmem_find(m, 0x10000)->name, "rom");
    assert_string_equal(gmem_find(m, 0x101fff)->name, "high");
    assert_null(gmem_find(m, 0x11000));
    assert_null(gmem_find(m, 0x102000));
    assert_null(gmem_find(m, UINT64_MAX));
    gmem_free(m);
}

static void test_ptr_stays_inside(void **state)
{
    (void)state;
    static const struct { gpa_t gpa; uint64_t len; bool inside; } row[] = {
        { 0, 0x10000, true },       { 0, 0x10001, false },      { 0xffff, 1, true },
        { 0xffff, 2, false },       { 0x10000, 0x1000, true },  { 0x10000, 0x1001, false },
        { 0x11000, 1, false },      { 0xfffff, 2, false },      { 0x101fff, 1, true },
        { 0x102000, 0, false },     { 8, UINT64_MAX, false },   { UINT64_MAX, 2, false },
        { 0x100008, UINT64_MAX - 0x100000, false },
    };
    struct gmem *m = small_machine();
    for (size_t i = 0; i < NELEM(row); i++)
        assert_int_equal(gmem_ptr(m, row[i].gpa, row[i].len) != NULL, row[i].inside);
    for (size_t i = 0; i < NELEM(row); i++)
        for (size_t k = 0; k < gmem_count(m); k++) {
            const struct gmem_region *r = gmem_region(m, k);
            bool here = r == gmem_find(m, row[i].gpa);
            assert_int_equal(gmem_hva(r, row[i].gpa, row[i].len) != NULL, here && row[i].inside);
        }
    assert_ptr_equal(gmem_ptr(m, 0x101234, 4), (char *)gmem_region(m, 2)->hva_base + 0x1234);
    gmem_free(m);
}

/* From every host address back to the guest's; from those around them to nothing. */
static void test_way_back(void **state)
{
    (void)state;
    struct gmem *m = small_machine();
    gpa_t gpa = 1;
    for (size_t i = 0; i < gmem_count(m); i++) {
        const struct gmem_region *r = gmem_region(m, i);
        assert_true(gmem_gpa(m, gmem_hva(r, r->base + 0x123, 1), &gpa));
        assert_int_equal(gpa, r->base + 0x123);
        assert_true(gmem_gpa(m, gmem_hva(r, r->base + r->size - 1, 1), &gpa));
        assert_int_equal(gpa, r->base + r->size - 1);
    }
    assert_false(gmem_gpa(m, NULL, &gpa));
    assert_false(gmem_gpa(m, &gpa, &gpa));
    gmem_free(m);
}

static void test_copies_cross_regions(void **state)
{
    (void)state;
    struct gmem *m = small_machine();
    uint8_t in[16], out[16];
    memset(in, 0x5a, sizeof in);

    /* RAM takes its half, ROM ignores the other. */
    assert_int_equal(gmem_write(m, 0xfff8, in, 16), 0);
    assert_int_equal(gmem_read(m, 0xfff8, out, 16), 0);
    assert_memory_equal(out, in, 8);
    assert_int_equal(out[8], 0);
    assert_int_equal(gmem_load_rom(m, 0xfff8, in, 16), 0);
    assert_int_equal(gmem_read(m, 0xfff8, out, 16), 0);
    assert_memory_equal(out, in, 16);

    /* Into the hole: nothing at all is copied. */
    memset(in, 0x77, sizeof in);
    assert_int_equal(gmem_load_rom(m, 0x10ff8, in, 16), -EFAULT);
    assert_int_equal(gmem_read(m, 0x10ff8, out, 8), 0);
    assert_int_equal(out[0], 0);
    assert_int_equal(gmem_write(m, UINT64_MAX - 3, in, 16), -EFAULT);
    assert_int_equal(gmem_read(m, 0, out, UINT64_MAX), -EFAULT);
    gmem_free(m);
}

struct heard { int calls; gpa_t gpa; uint64_t len; };

static void hear(void *arg, gpa_t gpa, uint64_t len)
{
    struct heard *h = arg;
    h->calls++;
    h->gpa = gpa;
    h->len = len;
}

static void test_listeners(void **state)
{
    (void)state;
    struct gmem *m = small_machine();
    struct heard a = { 0 }, b = { 0 };
    gmem_on_change(m, hear, &a);
    gmem_on_change(m, hear, &b);
    gmem_write(m, 0x100010, "abc", 3);
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 1);
    assert_int_equal(b.gpa, 0x100010);
    assert_int_equal(b.len, 3);
    gmem_write(m, 0x10010, "abc", 3);           /* ROM: nothing changed */
    assert_int_equal(a.calls, 1);
    gmem_changed(m, 0x2000, 8);
    assert_int_equal(a.calls, 2);
    gmem_free(m);
}

/* The hash is FNV-1a byte by byte, whatever the short cut for zeros does; ROM
 * does not count. */
static void test_hash(void **state)
{
    (void)state;
    struct gmem *m = small_machine();
    uint64_t h[4];
    for (int round = 0; round < 3; round++) {
        uint64_t want = UINT64_C(0xcbf29ce484222325);
        for (size_t i = 0; i < gmem_count(m); i++) {
            const struct gmem_region *r = gmem_region(m, i);
            for (uint64_t off = 0; r->kind == GMEM_RAM && off < r->size; off++)
                want = (want ^ ((uint8_t *)r->hva_base)[off]) * UINT64_C(0x100000001b3);
        }
        h[round] = gmem_hash(m);
        assert_int_equal(h[round], want);
        ((uint8_t *)gmem_ptr(m, round ? 0x101fff : 0x3000, 1))[0] = 1;
    }
    assert_int_not_equal(h[0], h[1]);
    assert_int_not_equal(h[1], h[2]);
    h[3] = gmem_hash(m);
    gmem_load_rom(m, 0x10000, "rom", 3);
    assert_int_equal(gmem_hash(m), h[3]);
    gmem_free(m);
}

/* A word of noise depends on its address and the seed: not on the size of the memory. */
static void test_noise(void **state)
{
    (void)state;
    uint64_t word[4];
    for (unsigned i = 0; i < 4; i++) {
        struct gmem *m = gmem_new();
        gmem_add(m, "RAM", 0x100000, i == 1 ? 0x8000 : 0x4000, GMEM_RAM);
        gmem_fill_noise(m, 0x100000, i == 2 ? 8 : 7);
        gmem_freeze(m);
        assert_int_equal(gmem_read(m, i == 3 ? 0x102348 : 0x102340, &word[i], sizeof word[i]), 0);
        gmem_free(m);
    }
    assert_int_equal(word[0], word[1]);
    assert_int_not_equal(word[0], word[2]);
    assert_int_not_equal(word[0], word[3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_refuses),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_ptr_stays_inside),
        cmocka_unit_test(test_way_back),
        cmocka_unit_test(test_copies_cross_regions),
        cmocka_unit_test(test_listeners),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
