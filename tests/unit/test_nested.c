/*
 * test_nested -- EPT-format tables: mapping, splitting, rights, A and D.
 *
 *   run    make unit
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/trace.h"
#include "mem/nested.h"

#define K4 UINT64_C(0x1000)
#define M2 UINT64_C(0x200000)

/* Nothing is ever read through these: any aligned address will do. */
#define HVA(x) ((void *)(uintptr_t)(UINT64_C(0x7f0000000000) + (x)))

static struct nested_walk look(struct nested *n, gpa_t gpa, unsigned access)
{
    struct nested_walk w;
    nested_walk(n, gpa, access, true, &w);
    return w;
}

static void test_map_refuses(void **state)
{
    (void)state;
    struct nested *n = nested_new(NULL);
    assert_int_equal(nested_map(n, 0x800, HVA(0), K4, EPT_RWX), -EINVAL);
    assert_int_equal(nested_map(n, 0, HVA(0x800), K4, EPT_RWX), -EINVAL);
    assert_int_equal(nested_map(n, 0, HVA(0), 2 * K4, EPT_RWX), -EINVAL);
    assert_int_equal(nested_map(n, K4, HVA(0), M2, EPT_RWX), -EINVAL);
    assert_int_equal(nested_map(n, 0, HVA(K4), M2, EPT_RWX), -EINVAL);
    assert_int_equal(nested_map(n, BIT(48), HVA(0), K4, EPT_RWX), -EINVAL);
    assert_int_equal(nested_map(n, 0, HVA(0), K4, 0), -EINVAL);
    assert_int_equal(nested_map(n, 0, HVA(0), K4, EPT_W), -EINVAL);         /* misconfig. */
    assert_int_equal(nested_map(n, 0, HVA(0), K4, EPT_W | EPT_X), -EINVAL);
    assert_int_equal(nested_map(n, 0, HVA(0), K4, EPT_LARGE | EPT_R), -EINVAL);
    assert_int_equal(nested_count(n), 0);
    nested_free(n);
}

static void test_walk(void **state)
{
    (void)state;
    struct nested *n = nested_new(NULL);
    struct nested_walk w = look(n, 0x1234, EPT_R);
    assert_false(w.ok);
    assert_null(w.hva);
    assert_int_equal(w.perm, 0);
    assert_int_equal(w.depth, 1);

    assert_int_equal(nested_map(n, 0x1000, HVA(0x5000), K4, EPT_R | EPT_X), 0);
    w = look(n, 0x1234, EPT_R);
    assert_true(w.ok);
    assert_ptr_equal(w.hva, HVA(0x5234));
    assert_int_equal(w.page_size, K4);
    assert_int_equal(w.perm, EPT_R | EPT_X);
    assert_int_equal(w.depth, 4);
    assert_int_equal(w.step[0].level, 4);
    assert_int_equal(w.step[3].level, 1);
    w = look(n, 0x1234, EPT_R | EPT_W);
    assert_false(w.ok);
    assert_ptr_equal(w.hva, HVA(0x5234));           /* mapped, but not so */

    assert_int_equal(nested_map(n, M2, HVA(4 * M2), M2, EPT_RWX), 0);
    w = look(n, M2 + 0x123456, EPT_W);
    assert_true(w.ok);
    assert_ptr_equal(w.hva, HVA(4 * M2 + 0x123456));
    assert_int_equal(w.page_size, M2);
    assert_int_equal(w.depth, 3);
    assert_int_equal(nested_count(n), 2);
    assert_false(look(n, BIT(48) + 0x1000, EPT_R).ok);  /* no wrapping round */
    assert_false(look(n, UINT64_MAX, EPT_R).ok);
    nested_free(n);
}

static void test_accessed_and_dirty(void **state)
{
    (void)state;
    struct nested *n = nested_new(NULL);
    struct nested_walk w;
    nested_map(n, 0, HVA(0), K4, EPT_R);
    nested_map(n, K4, HVA(0), K4, EPT_RWX);

    nested_walk(n, 0, EPT_W, false, &w);            /* refused: leaves no trace */
    w = look(n, 0, EPT_R);
    for (unsigned i = 0; i < w.depth; i++)
        assert_int_equal(w.step[i].entry & (EPT_A | EPT_D), 0);

    nested_walk(n, K4, EPT_R, false, &w);
    w = look(n, K4, EPT_R);
    for (unsigned i = 0; i < w.depth; i++)
        assert_int_equal(w.step[i].entry & (EPT_A | EPT_D), EPT_A);

    nested_walk(n, K4, EPT_W, false, &w);
    w = look(n, K4, EPT_R);
    for (unsigned i = 0; i < w.depth; i++)
        assert_int_equal(w.step[i].entry & EPT_D, i == 3 ? EPT_D : 0);
    assert_int_equal(look(n, 0, EPT_R).step[3].entry & EPT_A, 0);
    nested_free(n);
}

static void test_replace(void **state)
{
    (void)state;
    struct nested *n = nested_new(NULL);
    for (unsigned i = 0; i < 512; i += 2)
        nested_map(n, i * K4, HVA(i * K4), K4, EPT_RWX);
    assert_int_equal(nested_count(n), 256);

    /* A large page over small ones, then a small one into the large. */
    assert_int_equal(nested_map(n, 0, HVA(M2), M2, EPT_RWX), 0);
    assert_int_equal(nested_count(n), 1);
    assert_ptr_equal(look(n, 0x1008, EPT_R).hva, HVA(M2 + 0x1008));
    assert_int_equal(nested_map(n, 0x3000, HVA(0x9000), K4, EPT_R), 0);
    assert_int_equal(nested_count(n), 512);
    assert_ptr_equal(look(n, 0x3001, EPT_R).hva, HVA(0x9001));
    assert_false(look(n, 0x3001, EPT_W).ok);
    assert_ptr_equal(look(n, 0x2001, EPT_R).hva, HVA(M2 + 0x2001));
    assert_true(look(n, 0x4fff, EPT_W).ok);
    assert_int_equal(nested_map(n, 0x3000, HVA(0xa000), K4, EPT_RWX), 0);
    assert_int_equal(nested_count(n), 512);
    nested_free(n);
}

static void test_unmap(void **state)
{
    (void)state;
    struct nested *n = nested_new(NULL);
    nested_map(n, 0, HVA(0), M2, EPT_RWX);
    nested_map(n, M2, HVA(0), K4, EPT_RWX);
    nested_map(n, M2 + K4, HVA(0), K4, EPT_RWX);
    nested_map(n, BIT(39), HVA(0), K4, EPT_RWX);
    assert_int_equal(nested_unmap(n, 4 * M2, M2), 0);
    assert_int_equal(nested_unmap(n, M2 + K4 + 5, 0), 0);
    assert_int_equal(nested_unmap(n, M2 + K4 + 5, 1), 1);
    assert_int_equal(nested_unmap(n, 5, 1), 1);     /* all of the large page */
    assert_false(look(n, M2 - 1, EPT_R).ok);
    assert_true(look(n, M2, EPT_R).ok);
    assert_int_equal(nested_unmap(n, 0, UINT64_MAX), 2);
    assert_int_equal(nested_count(n), 0);
    assert_int_equal(nested_unmap(n, UINT64_MAX, 8), 0);
    nested_free(n);
}

static void test_protect(void **state)
{
    (void)state;
    struct nested *n = nested_new(NULL);
    nested_map(n, 0, HVA(0), M2, EPT_RWX);
    nested_map(n, M2, HVA(0), M2, EPT_RWX);

    /* All of a large page: no need to split.  Part of one: split. */
    assert_int_equal(nested_protect(n, 0, M2, EPT_R | EPT_X), 1);
    assert_int_equal(nested_count(n), 2);
    assert_false(look(n, M2 - 1, EPT_W).ok);
    assert_int_equal(nested_protect(n, 0, M2, EPT_R | EPT_X), 0);
    assert_int_equal(nested_protect(n, M2 + K4, 2 * K4, EPT_R), 2);
    assert_int_equal(nested_count(n), 1 + 512);
    assert_true(look(n, M2, EPT_W).ok);
    assert_false(look(n, M2 + K4, EPT_W).ok);
    assert_false(look(n, M2 + 3 * K4 - 1, EPT_X).ok);
    assert_true(look(n, M2 + 3 * K4, EPT_W).ok);
    assert_int_equal(nested_protect(n, M2 + K4, K4, EPT_RWX), 1);
    assert_true(look(n, M2 + K4, EPT_W).ok);
    assert_int_equal(nested_protect(n, M2 + 2 * K4, K4, 0), 1);
    assert_int_equal(nested_count(n), 512);
    assert_int_equal(nested_protect(n, 8 * M2, M2, EPT_RWX), 0);   /* gives nothing to holes */
    nested_free(n);
}

static void test_events(void **state)
{
    (void)state;
    struct trace *t = trace_new(16);
    t->mask = UINT64_MAX;
    struct nested *n = nested_new(t);
    nested_map(n, M2, HVA(0), M2, EPT_R | EPT_X);
    nested_unmap(n, M2, K4);
    nested_unmap(n, M2, K4);                        /* nothing there: no event */
    assert_int_equal(t->ring->head, 2);
    const struct trace_event *e = &t->ring->event[1];
    assert_int_equal(e[0].kind, TRACE_NESTED_FILL);
    assert_int_equal(e[0].layer, LAYER_MEM);
    assert_int_equal(e[0].arg[0], M2);
    assert_int_equal(e[0].arg[1], M2);
    assert_int_equal(e[0].arg[2], EPT_R | EPT_X);
    assert_int_equal(e[1].kind, TRACE_NESTED_ZAP);
    assert_int_equal(e[1].arg[0], M2);
    nested_free(n);
    trace_free(t);
}

/* Against a plain array of 2048 pages: what each page maps to and allows. */
#define PAGES 2048

struct model { uint64_t at; unsigned perm; unsigned large; };

static void model_set(struct model *p, unsigned first, unsigned count, uint64_t at, unsigned perm)
{
    for (unsigned i = 0; i < count; i++)
        p[first + i] = (struct model){ at + i * K4, perm, count == 512 };
}

/* A change to part of a large page makes small ones of it. */
static void model_split(struct model *p, unsigned page)
{
    unsigned first = page & ~511u;
    for (unsigned i = 0; i < 512; i++)
        p[first + i].large = 0;
}

static void random_step(struct nested *n, struct model *p)
{
    static const unsigned perms[] = { EPT_R, EPT_R | EPT_W, EPT_R | EPT_X, EPT_RWX };
    unsigned page = (unsigned)rand() % PAGES, perm = perms[rand() % 4];
    unsigned first = page & ~511u, count = 1 + (unsigned)rand() % 700;
    uint64_t at = ((uint64_t)rand() % 4096) * M2;

    if (page + count > PAGES)
        count = PAGES - page;
    switch (rand() % 8) {
    case 0:
        assert_int_equal(nested_map(n, first * K4, HVA(at), M2, perm), 0);
        model_set(p, first, 512, at, perm);
        break;
    case 1:
        nested_unmap(n, page * K4, K4);
        if (p[page].large)
            model_set(p, first, 512, 0, 0);
        model_split(p, page);
        p[page].perm = 0;
        break;
    case 2: case 3:
        nested_protect(n, page * K4, count * K4, perm);
        for (unsigned i = page; i < page + count; i++) {
            bool whole = (i & ~511u) >= page && (i | 511u) < page + count;
            if (p[i].large && !whole && p[i].perm != perm)
                model_split(p, i);
            p[i].perm = p[i].perm ? perm : 0;
        }
        break;
    default:
        assert_int_equal(nested_map(n, page * K4, HVA(at), K4, perm), 0);
        model_split(p, page);
        model_set(p, page, 1, at, perm);
    }
}

static void test_random(void **state)
{
    (void)state;
    const char *env = getenv("SEED");
    unsigned seed = env ? (unsigned)strtoul(env, NULL, 0) : 20;
    static struct model p[PAGES];
    struct nested *n = nested_new(NULL);

    print_message("seed %u (set SEED to change)\n", seed);
    srand(seed);
    for (int step = 0; step < 3000; step++) {
        random_step(n, p);
        size_t leaves = 0;
        for (unsigned i = 0; i < PAGES; i++) {
            struct nested_walk w = look(n, i * K4 + 7, EPT_R);
            assert_int_equal(w.perm, p[i].perm);
            assert_int_equal(w.ok, p[i].perm != 0);
            if (w.ok)
                assert_ptr_equal(w.hva, HVA(p[i].at + 7));
            leaves += w.ok && (w.page_size == K4 || i % 512 == 0);
        }
        assert_int_equal(nested_count(n), leaves);
    }
    nested_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_refuses),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_accessed_and_dirty),
        cmocka_unit_test(test_replace),
        cmocka_unit_test(test_unmap),
        cmocka_unit_test(test_protect),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
