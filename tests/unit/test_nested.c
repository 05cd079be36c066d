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

#include "base/bytes.h"
#include "base/trace.h"
#include "mem/hmem.h"
#include "mem/nested.h"

#define K4 UINT64_C(0x1000)
#define M2 UINT64_C(0x200000)

#define HPA(x) (HMEM_GUEST + (x))
#define RAM    (512 * M2)               /* nobody touches more than a few pages of it */

static struct gmem *ram;
static struct hmem *hmem;

/* Tables for memory that begins at 0; what they are told to map is up to the test. */
static struct nested *new_tables(struct trace *t)
{
    ram = gmem_new();
    assert_int_equal(gmem_add(ram, "RAM", 0, RAM, GMEM_RAM), 0);
    gmem_freeze(ram);
    hmem = hmem_new(ram);
    struct nested *n = nested_new(hmem, t);
    assert_non_null(n);
    return n;
}

/* The same for RAM of so many bytes, and 2 MiB of ROM at `rom`. */
static struct nested *new_tables_for(uint64_t bytes, gpa_t rom)
{
    ram = gmem_new();
    assert_int_equal(gmem_add(ram, "RAM", 0, bytes, GMEM_RAM), 0);
    assert_int_equal(gmem_add(ram, "ROM", rom, M2, GMEM_ROM), 0);
    gmem_freeze(ram);
    hmem = hmem_new(ram);
    struct nested *n = nested_new(hmem, NULL);
    assert_non_null(n);
    return n;
}

static void free_tables(struct nested *n)
{
    nested_free(n);
    hmem_free(hmem);
    gmem_free(ram);
}

static void *host(uint64_t at) { return gmem_ptr(ram, at, 1); }

static struct ept_walk walk_for(struct nested *n, gpa_t gpa, unsigned access, bool peek)
{
    struct ept_walk w;
    ept_walk(hmem, nested_root(n), gpa, access, peek, &w);
    return w;
}

static struct ept_walk look(struct nested *n, gpa_t gpa, unsigned access)
{
    return walk_for(n, gpa, access, true);
}

static void test_map_refuses(void **state)
{
    (void)state;
    struct nested *n = new_tables(NULL);
    assert_int_equal(nested_map(n, 0x800, HPA(0), K4, EPT_RWX), -EINVAL);
    assert_int_equal(nested_map(n, 0, HPA(0x800), K4, EPT_RWX), -EINVAL);
    assert_int_equal(nested_map(n, 0, HPA(0), 2 * K4, EPT_RWX), -EINVAL);
    assert_int_equal(nested_map(n, K4, HPA(0), M2, EPT_RWX), -EINVAL);
    assert_int_equal(nested_map(n, 0, HPA(K4), M2, EPT_RWX), -EINVAL);
    assert_int_equal(nested_map(n, BIT(48), HPA(0), K4, EPT_RWX), -EINVAL);
    assert_int_equal(nested_map(n, 0, HPA(0), K4, 0), -EINVAL);
    assert_int_equal(nested_map(n, 0, HPA(0), K4, EPT_W), -EINVAL);         /* misconfig. */
    assert_int_equal(nested_map(n, 0, HPA(0), K4, EPT_W | EPT_X), -EINVAL);
    assert_int_equal(nested_map(n, 0, HPA(0), K4, EPT_LARGE | EPT_R), -EINVAL);
    assert_int_equal(nested_count(n), 0);
    free_tables(n);
}

static void test_walk(void **state)
{
    (void)state;
    struct nested *n = new_tables(NULL);
    struct ept_walk w = look(n, 0x1234, EPT_R);
    assert_false(w.result == EPT_OK);
    assert_null(w.hva);
    assert_int_equal(w.perm, 0);
    assert_int_equal(w.depth, 1);

    assert_int_equal(nested_map(n, 0x1000, HPA(0x5000), K4, EPT_R | EPT_X), 0);
    w = look(n, 0x1234, EPT_R);
    assert_true(w.result == EPT_OK);
    assert_ptr_equal(w.hva, host(0x5234));
    assert_int_equal(w.page_size, K4);
    assert_int_equal(w.perm, EPT_R | EPT_X);
    assert_int_equal(w.depth, 4);
    assert_int_equal(w.step[0].level, 4);
    assert_int_equal(w.step[3].level, 1);
    w = look(n, 0x1234, EPT_R | EPT_W);
    assert_false(w.result == EPT_OK);
    assert_ptr_equal(w.hva, host(0x5234));           /* mapped, but not so */

    assert_int_equal(nested_map(n, M2, HPA(4 * M2), M2, EPT_RWX), 0);
    w = look(n, M2 + 0x123456, EPT_W);
    assert_true(w.result == EPT_OK);
    assert_ptr_equal(w.hva, host(4 * M2 + 0x123456));
    assert_int_equal(w.page_size, M2);
    assert_int_equal(w.depth, 3);
    assert_int_equal(nested_count(n), 2);
    assert_false(look(n, BIT(48) + 0x1000, EPT_R).result == EPT_OK);  /* no wrapping round */
    assert_false(look(n, UINT64_MAX, EPT_R).result == EPT_OK);
    free_tables(n);
}

static void test_accessed_and_dirty(void **state)
{
    (void)state;
    struct nested *n = new_tables(NULL);
    struct ept_walk w;
    nested_map(n, 0, HPA(0), K4, EPT_R);
    nested_map(n, K4, HPA(0), K4, EPT_RWX);

    walk_for(n, 0, EPT_W, false);                   /* refused: leaves no trace */
    w = look(n, 0, EPT_R);
    for (unsigned i = 0; i < w.depth; i++)
        assert_int_equal(w.step[i].entry & (EPT_A | EPT_D), 0);

    walk_for(n, K4, EPT_R, false);
    w = look(n, K4, EPT_R);
    for (unsigned i = 0; i < w.depth; i++)
        assert_int_equal(w.step[i].entry & (EPT_A | EPT_D), EPT_A);

    walk_for(n, K4, EPT_W, false);
    w = look(n, K4, EPT_R);
    for (unsigned i = 0; i < w.depth; i++)
        assert_int_equal(w.step[i].entry & EPT_D, i == 3 ? EPT_D : 0);
    assert_int_equal(look(n, 0, EPT_R).step[3].entry & EPT_A, 0);
    free_tables(n);
}

static void test_replace(void **state)
{
    (void)state;
    struct nested *n = new_tables(NULL);
    for (unsigned i = 0; i < 512; i += 2)
        nested_map(n, i * K4, HPA(i * K4), K4, EPT_RWX);
    assert_int_equal(nested_count(n), 256);

    /* A large page over small ones, then a small one into the large. */
    assert_int_equal(nested_map(n, 0, HPA(M2), M2, EPT_RWX), 0);
    assert_int_equal(nested_count(n), 1);
    assert_ptr_equal(look(n, 0x1008, EPT_R).hva, host(M2 + 0x1008));
    assert_int_equal(nested_map(n, 0x3000, HPA(0x9000), K4, EPT_R), 0);
    assert_int_equal(nested_count(n), 512);
    assert_ptr_equal(look(n, 0x3001, EPT_R).hva, host(0x9001));
    assert_false(look(n, 0x3001, EPT_W).result == EPT_OK);
    assert_ptr_equal(look(n, 0x2001, EPT_R).hva, host(M2 + 0x2001));
    assert_true(look(n, 0x4fff, EPT_W).result == EPT_OK);
    assert_int_equal(nested_map(n, 0x3000, HPA(0xa000), K4, EPT_RWX), 0);
    assert_int_equal(nested_count(n), 512);
    free_tables(n);
}

static void test_unmap(void **state)
{
    (void)state;
    struct nested *n = new_tables(NULL);
    nested_map(n, 0, HPA(0), M2, EPT_RWX);
    nested_map(n, M2, HPA(0), K4, EPT_RWX);
    nested_map(n, M2 + K4, HPA(0), K4, EPT_RWX);
    nested_map(n, BIT(39), HPA(0), K4, EPT_RWX);
    assert_int_equal(nested_unmap(n, 4 * M2, M2), 0);
    assert_int_equal(nested_unmap(n, M2 + K4 + 5, 0), 0);
    assert_int_equal(nested_unmap(n, M2 + K4 + 5, 1), 1);
    assert_int_equal(nested_unmap(n, 5, 1), 1);     /* all of the large page */
    assert_false(look(n, M2 - 1, EPT_R).result == EPT_OK);
    assert_true(look(n, M2, EPT_R).result == EPT_OK);
    assert_int_equal(nested_unmap(n, 0, UINT64_MAX), 2);
    assert_int_equal(nested_count(n), 0);
    assert_int_equal(nested_unmap(n, UINT64_MAX, 8), 0);
    free_tables(n);
}

static void test_protect(void **state)
{
    (void)state;
    struct nested *n = new_tables(NULL);
    nested_map(n, 0, HPA(0), M2, EPT_RWX);
    nested_map(n, M2, HPA(0), M2, EPT_RWX);

    /* All of a large page: no need to split.  Part of one: split. */
    assert_int_equal(nested_protect(n, 0, M2, EPT_R | EPT_X), 1);
    assert_int_equal(nested_count(n), 2);
    assert_false(look(n, M2 - 1, EPT_W).result == EPT_OK);
    assert_int_equal(nested_protect(n, 0, M2, EPT_R | EPT_X), 0);
    assert_int_equal(nested_protect(n, M2 + K4, 2 * K4, EPT_R), 2);
    assert_int_equal(nested_count(n), 1 + 512);
    assert_true(look(n, M2, EPT_W).result == EPT_OK);
    assert_false(look(n, M2 + K4, EPT_W).result == EPT_OK);
    assert_false(look(n, M2 + 3 * K4 - 1, EPT_X).result == EPT_OK);
    assert_true(look(n, M2 + 3 * K4, EPT_W).result == EPT_OK);
    assert_int_equal(nested_protect(n, M2 + K4, K4, EPT_RWX), 1);
    assert_true(look(n, M2 + K4, EPT_W).result == EPT_OK);
    assert_int_equal(nested_protect(n, M2 + 2 * K4, K4, 0), 1);
    assert_int_equal(nested_count(n), 512);
    assert_int_equal(nested_protect(n, 8 * M2, M2, EPT_RWX), 0);   /* gives nothing to holes */
    free_tables(n);
}

static void test_events(void **state)
{
    (void)state;
    struct trace *t = trace_new(16);
    t->mask = UINT64_MAX;
    struct nested *n = new_tables(t);
    nested_map(n, M2, HPA(0), M2, EPT_R | EPT_X);   /* the hardware tells when it meets it */
    nested_unmap(n, M2, K4);
    nested_unmap(n, M2, K4);                        /* nothing there: no event */
    assert_int_equal(t->ring->head, 1);
    const struct trace_event *e = &t->ring->event[1];
    assert_int_equal(e[0].kind, TRACE_NESTED_ZAP);
    assert_int_equal(trace_layer(e[0].kind), LAYER_MEM);
    assert_int_equal(e[0].arg[0], M2);
    free_tables(n);
    trace_free(t);
}

/* What a processor says of an entry, and that it says nothing of the same bits where
 * they are not present.  [SDM 3C "EPT Misconfigurations"] */
static void test_misconfigured(void **state)
{
    (void)state;
    static const struct { const char *what; uint64_t entry; enum ept_result result; } row[] = {
        { "as it should be",               HPA(K4) | EPT_WB | EPT_RWX,              EPT_OK },
        { "execute only",                  HPA(K4) | EPT_WB | EPT_X,                EPT_VIOLATION },
        { "write only",                    HPA(K4) | EPT_WB | EPT_W,                EPT_MISCONFIG },
        { "write and execute",             HPA(K4) | EPT_WB | EPT_W | EPT_X,        EPT_MISCONFIG },
        { "memory type 2",                 HPA(K4) | 2 << 3 | EPT_RWX,              EPT_MISCONFIG },
        { "memory type 3",                 HPA(K4) | 3 << 3 | EPT_RWX,              EPT_MISCONFIG },
        { "memory type 7",                 HPA(K4) | 7 << 3 | EPT_RWX,              EPT_MISCONFIG },
        { "uncached",                      HPA(K4) | EPT_RWX,                       EPT_OK },
        { "address bit 46",                HPA(K4) | BIT(46) | EPT_WB | EPT_RWX,    EPT_MISCONFIG },
        { "address bit 51",                HPA(K4) | BIT(51) | EPT_WB | EPT_RWX,    EPT_MISCONFIG },
        { "bits above the address",        HPA(K4) | FIELD(63, 52) | EPT_WB | EPT_RWX, EPT_OK },
        { "the last frame of memory",      HPA(RAM - K4) | EPT_WB | EPT_RWX,        EPT_OK },
        { "the first frame behind it",     HPA(RAM) | EPT_WB | EPT_RWX,             EPT_MISCONFIG },
        { "frame 0",                       0 | EPT_WB | EPT_RWX,                    EPT_MISCONFIG },
        { "a gpa, not an hpa",             K4 * 9 | EPT_WB | EPT_RWX,               EPT_MISCONFIG },
        { "the monitor's tables",          HMEM_TABLES | EPT_WB | EPT_RWX,          EPT_MISCONFIG },
        { "a host pointer",                0x7f1234567000 | EPT_WB | EPT_RWX,       EPT_MISCONFIG },
        { "nothing, with such a frame",    HPA(RAM) | EPT_WB,                       EPT_VIOLATION },
    };
    struct nested *n = new_tables(NULL);
    for (size_t i = 0; i < NELEM(row); i++) {
        assert_int_equal(nested_put_entry(n, 0x3000, row[i].entry), 0);
        struct ept_walk w = walk_for(n, 0x3123, EPT_R, false);
        if (w.result != row[i].result)
            fail_msg("%s: result %d, expected %d", row[i].what, w.result, row[i].result);
        assert_int_equal(w.hva != NULL, w.perm != 0);
        w = look(n, 0x3123, EPT_R);
        assert_int_equal(w.step[w.depth - 1].entry & ~EPT_A, row[i].entry);
        assert_int_equal(ept_entry_is_misconfigured(hmem, row[i].entry, 1),
                         row[i].result == EPT_MISCONFIG);
    }
    free_tables(n);
}

/* The same of entries above the last level. */
static void test_misconfigured_above(void **state)
{
    (void)state;
    struct nested *n = new_tables(NULL);
    uint64_t table = nested_root(n);
    static const struct { uint64_t bits; unsigned level; bool bad; } row[] = {
        { 0, 4, false },         { 0, 3, false },         { 0, 2, false },
        { BIT(3), 4, true },     { BIT(6), 3, true },     { BIT(5), 2, true },
        { EPT_LARGE, 4, true },  { EPT_LARGE, 3, true },  { BIT(46), 4, true },
        { BIT(50), 2, true },    { BIT(62), 4, false },   { EPT_A, 3, false },
        { HMEM_GUEST, 3, true }, { 16 * M2, 2, true },
    };
    for (size_t i = 0; i < NELEM(row); i++)
        assert_int_equal(ept_entry_is_misconfigured(hmem, (table | EPT_RWX) + row[i].bits,
                                                    row[i].level), row[i].bad);
    /* A large page lies in memory with all its bytes, at a multiple of its size. */
    assert_false(ept_entry_is_misconfigured(hmem, HPA(RAM - M2) | EPT_LARGE | EPT_R, 2));
    assert_true(ept_entry_is_misconfigured(hmem, HPA(RAM) | EPT_LARGE | EPT_R, 2));
    assert_true(ept_entry_is_misconfigured(hmem, HPA(K4) | EPT_LARGE | EPT_R, 2));
    free_tables(n);
}

/* A root that was never made, and one that was. */
static void test_no_root(void **state)
{
    (void)state;
    struct nested *n = new_tables(NULL);
    struct ept_walk w;
    static const hpa_t roots[] = { HMEM_NONE, 0x1234567000, HMEM_GUEST, UINT64_MAX };
    for (size_t i = 0; i < NELEM(roots); i++) {
        ept_walk(hmem, roots[i], 0x1000, EPT_R, false, &w);
        assert_int_equal(w.result, EPT_VIOLATION);
        assert_null(w.hva);
    }
    free_tables(n);
}

/* Frames come empty, run out, and come back. */
static void test_frames(void **state)
{
    (void)state;
    struct nested *n = new_tables(NULL);
    hpa_t first = hmem_table_new(hmem), last = first, at;
    hmem_table(hmem, first)[511] = UINT64_MAX;
    while ((at = hmem_table_new(hmem)) != HMEM_NONE)
        last = at;
    assert_null(hmem_table(hmem, last + K4));
    assert_int_equal(nested_map(n, 0, HPA(0), K4, EPT_RWX), -ENOMEM);
    hmem_table_free(hmem, last);
    hmem_table_free(hmem, first);
    assert_int_equal(hmem_table_new(hmem), first);
    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        assert_int_equal(hmem_table(hmem, first)[i], 0);
    assert_int_equal(hmem_table_new(hmem), last);
    free_tables(n);
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
    uint64_t at = ((uint64_t)rand() % (RAM / M2)) * M2;

    if (page + count > PAGES)
        count = PAGES - page;
    switch (rand() % 8) {
    case 0:
        assert_int_equal(nested_map(n, first * K4, HPA(at), M2, perm), 0);
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
        assert_int_equal(nested_map(n, page * K4, HPA(at), K4, perm), 0);
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
    struct nested *n = new_tables(NULL);

    print_message("seed %u (set SEED to change)\n", seed);
    srand(seed);
    for (int step = 0; step < 3000; step++) {
        random_step(n, p);
        size_t leaves = 0;
        for (unsigned i = 0; i < PAGES; i++) {
            struct ept_walk w = look(n, i * K4 + 7, EPT_R);
            assert_int_equal(w.perm, p[i].perm);
            assert_int_equal(w.result == EPT_OK, p[i].perm != 0);
            if (w.result == EPT_OK)
                assert_ptr_equal(w.hva, host(p[i].at + 7));
            leaves += w.result == EPT_OK && (w.page_size == K4 || i % 512 == 0);
        }
        assert_int_equal(nested_count(n), leaves);
    }
    free_tables(n);
}

static void expect_fill(struct nested *n, gpa_t gpa, uint64_t size, unsigned perm)
{
    assert_int_equal(nested_fill(n, gpa), 0);
    struct ept_walk w = look(n, gpa, EPT_R);
    assert_true(w.result == EPT_OK);
    assert_ptr_equal(w.hva, host(gpa));
    assert_int_equal(w.page_size, size);
    assert_int_equal(w.perm, perm);
}

/* RAM of three times 2 MiB and a page, a hole, a ROM: what a fill maps, small and large. */
static void test_fill(void **state)
{
    (void)state;
    struct nested *n = new_tables_for(3 * M2 + K4, 4 * M2 - K4);
    expect_fill(n, 0x5123, K4, EPT_RWX);
    assert_int_equal(nested_count(n), 1);                       /* and no other page */
    expect_fill(n, 4 * M2, K4, EPT_R | EPT_X);
    assert_int_equal(nested_fill(n, 3 * M2 + K4), -ENOENT);
    assert_int_equal(nested_fill(n, UINT64_MAX), -ENOENT);

    nested_set_large(n, true);
    expect_fill(n, K4, K4, EPT_RWX);                            /* a small one is there */
    expect_fill(n, M2 + 0x5123, M2, EPT_RWX);
    assert_int_equal(nested_count(n), 4);
    expect_fill(n, 3 * M2, K4, EPT_RWX);                        /* the rest is no memory */
    expect_fill(n, 4 * M2 - K4, K4, EPT_R | EPT_X);
    assert_int_equal(nested_protect(n, 2 * M2, M2, EPT_R), 0);
    expect_fill(n, 2 * M2, M2, EPT_RWX);
    assert_int_equal(nested_protect(n, 2 * M2, M2, EPT_R), 1);
    expect_fill(n, 2 * M2, M2, EPT_RWX);                        /* whole, as it was */
    assert_int_equal(nested_protect(n, M2 + K4, K4, EPT_R), 1);
    expect_fill(n, M2 + K4, K4, EPT_RWX);                       /* split: stays small */

    assert_int_equal(nested_unmap(n, M2, M2), 512);
    expect_fill(n, M2 + K4, M2, EPT_RWX);                       /* none is left */

    nested_set_large(n, false);
    assert_int_equal(nested_unmap(n, 2 * M2, K4), 1);
    expect_fill(n, 2 * M2, K4, EPT_RWX);
    free_tables(n);
}

/* A guest's two entries and its page: small pages, a large one, and a page that is missing. */
static void test_references(void **state)
{
    (void)state;
    struct nested *n = new_tables_for(3 * M2, 4 * M2);
    const gpa_t at[] = { 0x1008, 0x2010, M2 + 0x3456 };
    hpa_t list[NESTED_MOST_REFERENCES];
    expect_fill(n, at[0], K4, EPT_RWX);
    expect_fill(n, at[1], K4, EPT_RWX);
    assert_int_equal(nested_references(n, at, 3, list), 13);    /* the last table is not there */
    expect_fill(n, at[2], K4, EPT_RWX);
    assert_int_equal(nested_references(n, at, 3, list), 14);
    assert_int_equal(list[0], nested_root(n));                  /* the first entry of the root */
    assert_int_equal(list[5], nested_root(n));
    assert_int_equal(list[10], nested_root(n));
    assert_int_equal(list[3] & ~PAGE_MASK, 8);                  /* of page 1 */
    assert_int_equal(list[4], HPA(at[0]));
    assert_int_equal(list[9], HPA(at[1]));
    assert_int_equal(list[12] & ~PAGE_MASK, 8);                 /* of the second 2 MiB */
    nested_set_large(n, true);
    nested_unmap(n, 0, UINT64_MAX);
    expect_fill(n, at[0], M2, EPT_RWX);
    expect_fill(n, at[2], M2, EPT_RWX);
    assert_int_equal(nested_references(n, at, 3, list), 11);
    assert_int_equal(nested_references(n, at + 2, 1, list), 3);
    assert_int_equal(nested_references(n, &(gpa_t){ BIT(48) }, 1, list), 0);
    free_tables(n);
}

/* Large pages, small ones, and which are made next: all that is saved is there again. */
static void test_saved(void **state)
{
    (void)state;
    struct bytes_out o = { 0 }, again = { 0 };
    struct nested *n = new_tables_for(3 * M2 + K4, 4 * M2);
    nested_set_large(n, true);
    expect_fill(n, 0, M2, EPT_RWX);
    expect_fill(n, M2, M2, EPT_RWX);
    expect_fill(n, 3 * M2, K4, EPT_RWX);
    assert_int_equal(nested_protect(n, M2, M2 / 2, EPT_R), 256);
    walk_for(n, 5, EPT_R | EPT_W, false);
    nested_save(n, &o);
    nested_set_large(n, false);
    nested_unmap(n, 0, UINT64_MAX);
    expect_fill(n, 2 * M2, K4, EPT_RWX);

    assert_true(nested_load(n, &(struct bytes_in){ o.data, o.data + o.n, false }));
    assert_int_equal(nested_count(n), 514);
    assert_int_equal(look(n, 5, EPT_R).page_size, M2);
    assert_int_equal(look(n, M2, EPT_R).perm, EPT_R);
    assert_int_equal(look(n, 2 * M2 - 1, EPT_R).perm, EPT_RWX);
    nested_save(n, &again);
    assert_int_equal(o.n, again.n);
    assert_memory_equal(o.data, again.data, o.n);
    expect_fill(n, 2 * M2, M2, EPT_RWX);

    /* a large page that would reach beyond the memory makes no sense */
    memcpy(o.data + 8, &(uint64_t){ 3 * M2 }, 8);
    assert_false(nested_load(n, &(struct bytes_in){ o.data, o.data + o.n, false }));
    assert_int_equal(nested_count(n), 0);
    free(o.data);
    free(again.data);
    free_tables(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fill),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_saved),
        cmocka_unit_test(test_map_refuses),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_accessed_and_dirty),
        cmocka_unit_test(test_replace),
        cmocka_unit_test(test_unmap),
        cmocka_unit_test(test_protect),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_misconfigured),
        cmocka_unit_test(test_misconfigured_above),
        cmocka_unit_test(test_no_root),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
