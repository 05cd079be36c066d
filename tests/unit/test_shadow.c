/*
 * test_shadow -- shadow paging against the walker.
 *
 * Two copies of one machine: in the first every access is a walk() of the
 * guest's tables, as the manual has it; in the second it goes through
 * shadow_walk() and, when that faults, shadow_fault().  After each access both
 * must have come to the same place or the same fault, and the memories,
 * Accessed and Dirty bits included, must be equal.
 *
 *   run    make unit            SEED=n ROUNDS=n STEPS=n build/tests/test_shadow
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/trace.h"
#include "base/x86.h"
#include "mem/gmem.h"
#include "mem/hmem.h"
#include "mem/shadow.h"

#define RAM_PAGES 64
#define RAM_SIZE  (RAM_PAGES * PAGE_SIZE)
#define ROM_BASE  RAM_SIZE
#define HIGH_BASE UINT64_C(0x400000)        /* where large pages can point */
#define HIGH_SIZE UINT64_C(0x4000)

struct pair {
    struct gmem   *oracle, *guest;
    struct shadow *s;
    struct hmem   *hmem;
    struct trace  *t;
    struct paging  pg;
    unsigned       n_verdicts[5];
};

static struct gmem *new_memory(void)
{
    struct gmem *m = gmem_new();
    gmem_add(m, "low", 0, RAM_SIZE, GMEM_RAM);
    gmem_add(m, "rom", ROM_BASE, 2 * PAGE_SIZE, GMEM_ROM);
    gmem_add(m, "high", HIGH_BASE, HIGH_SIZE, GMEM_RAM);
    gmem_freeze(m);
    return m;
}

static void pair_new(struct pair *p)
{
    memset(p, 0, sizeof *p);
    p->oracle = new_memory();
    p->guest = new_memory();
    p->t = trace_new(64);
    p->hmem = hmem_new(p->guest);
    p->s = shadow_new(p->guest, p->hmem, p->t);
    assert_non_null(p->s);
}

static void pair_free(struct pair *p)
{
    shadow_free(p->s);
    hmem_free(p->hmem);
    trace_free(p->t);
    gmem_free(p->oracle);
    gmem_free(p->guest);
}

static unsigned current_seed;           /* of the random guest, for messages */

static void check_invariant(struct pair *p)
{
    char why[200];
    if (shadow_check(p->s, why, sizeof why))
        fail_msg("seed %u: invariant: %s", current_seed, why);
}

static void same_memory(struct pair *p)
{
    for (size_t i = 0; i < gmem_count(p->guest); i++) {
        const struct gmem_region *a = gmem_region(p->oracle, i), *b = gmem_region(p->guest, i);
        if (!memcmp(a->hva_base, b->hva_base, a->size))
            continue;
        for (uint64_t off = 0; off < a->size; off += 8) {
            uint64_t x = *(uint64_t *)((char *)a->hva_base + off);
            uint64_t y = *(uint64_t *)((char *)b->hva_base + off);
            if (x != y)
                fail_msg("seed %u: gpa %#" PRIx64 ": oracle %#" PRIx64 ", shadowed guest %#" PRIx64,
                         current_seed, a->base + off, x, y);
        }
    }
}

static void load_cr3(struct pair *p)
{
    shadow_switch(p->s, &p->pg);
    shadow_take_flush(p->s);
}

/* Written before the guest runs, or by a device. */
static void poke(struct pair *p, gpa_t gpa, uint64_t value, unsigned size)
{
    gmem_write(p->oracle, gpa, &value, size);
    gmem_write(p->guest, gpa, &value, size);
    shadow_forget(p->s, gpa, size);
}

/* Where an access ends: RAM at hva, a device at gpa, or a fault. */
struct end { enum { RAM, DEVICE, FAULT } how; void *hva; gpa_t gpa; uint32_t error; };

static struct end through_walk(struct pair *p, gla_t gla, unsigned access)
{
    struct walk w;
    walk(&p->pg, p->oracle, gla, access, &w);
    if (w.result != WALK_OK)
        return (struct end){ FAULT, NULL, 0, w.error };
    const struct gmem_region *r = gmem_find(p->oracle, w.gpa);
    if (!r || (r->kind == GMEM_ROM && (access & WALK_WRITE)))
        return (struct end){ DEVICE, NULL, w.gpa, 0 };
    return (struct end){ RAM, gmem_ptr(p->oracle, w.gpa, 1), w.gpa, 0 };
}

static struct shadow_walk hardware(const struct pair *p, gla_t gla, unsigned access)
{
    struct shadow_walk h;
    shadow_walk(p->hmem, shadow_registers(p->s), gla, access, &h);
    return h;
}

/* What engine and monitor do together. */
static struct end through_shadow(struct pair *p, gla_t gla, unsigned access)
{
    unsigned ac = p->pg.ac ? WALK_AC : 0;

    for (int tries = 0; tries < 8; tries++) {
        struct shadow_walk h = hardware(p, gla, access | ac);
        struct walk w;
        if (h.ok) {
            gpa_t gpa;
            assert_true(gmem_gpa(p->guest, h.hva, &gpa));
            assert_int_equal(gpa, h.gpa);
            return (struct end){ RAM, h.hva, gpa, 0 };
        }
        if (h.device)
            return (struct end){ DEVICE, NULL, h.gpa, 0 };
        assert_int_equal(h.error & PF_RSVD, 0);
        assert_int_equal(shadow_access(h.error), access | ac);
        enum shadow_verdict v = shadow_fault(p->s, gla, shadow_access(h.error), &w);
        p->n_verdicts[v]++;
        assert_int_not_equal(v, SHADOW_FAILED);
        if (v == SHADOW_TRUE)
            return (struct end){ FAULT, NULL, 0, w.error };
    }
    fail_msg("seed %u: gla %#" PRIx64 " access %u: would fault for ever", current_seed, gla,
             access);
    return (struct end){ FAULT, NULL, 0, 0 };
}

/* One access, both ways; a write stores `value` (size bytes, aligned). */
static struct end access_both(struct pair *p, gla_t gla, unsigned access, uint64_t value,
                              unsigned size)
{
    struct end a = through_walk(p, gla, access), b = through_shadow(p, gla, access);

    if (a.how != b.how || a.gpa != b.gpa || a.error != b.error)
        fail_msg("seed %u: gla %#" PRIx64 " access %u: the manual says %d gpa %#" PRIx64
                 " error %#x, the shadow %d gpa %#" PRIx64 " error %#x", current_seed, gla, access,
                 (int)a.how, a.gpa, a.error, (int)b.how, b.gpa, b.error);
    if (a.how == RAM && (access & WALK_WRITE)) {
        memcpy(a.hva, &value, size);
        memcpy(b.hva, &value, size);
    }
    same_memory(p);
    check_invariant(p);
    return a;
}

#define CR0_PAGED  (CR0_PG | CR0_PE | CR0_WP)
#define WALK_W     WALK_WRITE
#define RW         (PTE_P | PTE_W)
#define RWU        (PTE_P | PTE_W | PTE_U)

/* ---- small stories ---- */

/* A directory at 0x1000 and a table at 0x2000 that maps the first 64 pages to
 * themselves, the tables among them: what most small kernels do. */
static void identity_2level(struct pair *p)
{
    poke(p, 0x1000, 0x2000 | RWU, 4);
    for (unsigned i = 0; i < RAM_PAGES; i++)
        poke(p, 0x2000 + 4 * i, i * PAGE_SIZE | RWU, 4);
    p->pg = (struct paging){ .cr0 = CR0_PAGED, .cr3 = 0x1000, .cr4 = CR4_PSE };
    load_cr3(p);
}

static void test_dirty_is_exact(void **state)
{
    (void)state;
    struct pair p;
    pair_new(&p);
    identity_2level(&p);
    access_both(&p, 0x5000, WALK_READ, 0, 0);
    assert_int_equal(*(uint32_t *)gmem_ptr(p.guest, 0x2014, 4), 0x5000 | RWU | PTE_A);
    access_both(&p, 0x5000, WALK_W, 7, 4);
    assert_int_equal(*(uint32_t *)gmem_ptr(p.guest, 0x2014, 4), 0x5000 | RWU | PTE_A | PTE_D);
    assert_int_equal(p.n_verdicts[SHADOW_FILLED], 2);
    access_both(&p, 0x5ff0, WALK_W, 7, 4);          /* no third fault */
    assert_int_equal(p.n_verdicts[SHADOW_FILLED], 2);
    pair_free(&p);
}

/* What INVLPG forgot may be in the TLB still, by another address; so the next page
 * that loses its write permission has all of it dropped. */
static void test_protection_reaches_the_tlb(void **state)
{
    (void)state;
    struct pair p;
    pair_new(&p);
    identity_2level(&p);
    poke(&p, 0x1004, 0x3000 | RWU, 4);
    poke(&p, 0x3000, 0x4000 | RWU, 4);
    access_both(&p, 0x5000, WALK_W, 1, 4);
    access_both(&p, 0x2000 + 4 * 5, WALK_W, 0x6000 | RWU, 4);
    shadow_take_flush(p.s);
    for (int round = 0; round < 2; round++) {
        shadow_invlpg(p.s, 0x5000);
        access_both(&p, 0x5000, WALK_READ, 0, 0);
        assert_false(shadow_take_flush(p.s));
    }
    access_both(&p, 0x400000, WALK_READ, 0, 0);     /* the table at 0x3000 is protected */
    assert_true(shadow_take_flush(p.s));
    pair_free(&p);
}

/* The table maps itself, and the guest edits it through that mapping. */
static void test_table_in_its_own_way(void **state)
{
    (void)state;
    struct pair p;
    pair_new(&p);
    identity_2level(&p);
    access_both(&p, 0x5000, WALK_W, 1, 4);
    access_both(&p, 0x2000 + 4 * 5, WALK_W, 0x6000 | PTE_P, 4);
    assert_int_equal(p.n_verdicts[SHADOW_UNPROTECTED], 1);
    shadow_take_flush(p.s);
    shadow_invlpg(p.s, 0x5000);
    assert_false(shadow_take_flush(p.s));       /* the retired INVLPG drops all that went */
    assert_int_equal(access_both(&p, 0x5000, WALK_READ, 0, 0).gpa, 0x6000);
    assert_int_equal(access_both(&p, 0x5000, WALK_W, 0, 4).how, FAULT);

    /* Still out of sync: the next edit costs no fault, until CR3 is loaded. */
    access_both(&p, 0x2000 + 4 * 5, WALK_W, 0x7000 | RW, 4);
    assert_int_equal(p.n_verdicts[SHADOW_UNPROTECTED], 1);
    load_cr3(&p);
    assert_int_equal(access_both(&p, 0x5000, WALK_W, 1, 4).gpa, 0x7000);
    access_both(&p, 0x2000 + 4 * 5, WALK_W, 0, 4);
    assert_int_equal(p.n_verdicts[SHADOW_UNPROTECTED], 2);
    load_cr3(&p);
    assert_int_equal(access_both(&p, 0x5000, WALK_READ, 0, 0).error, 0);
    pair_free(&p);
}

/* The directory's last entry points to the directory: PTEs appear at 4 GiB-4 MiB. */
static void test_recursive_mapping(void **state)
{
    (void)state;
    struct pair p;
    pair_new(&p);
    identity_2level(&p);
    poke(&p, 0x1ffc, 0x1000 | RW, 4);
    load_cr3(&p);
    access_both(&p, 0xfffff000 + 4, WALK_W, 0x3000 | RW, 4);        /* PDE 1 = a new table */
    access_both(&p, 0xffc01000, WALK_W, 0x9000 | RW, 4);            /* its first entry     */
    assert_int_equal(access_both(&p, 0x400000, WALK_W, 1, 4).gpa, 0x9000);
    access_both(&p, 0xfffff000 + 4, WALK_W, 0, 4);
    shadow_invlpg(p.s, 0x400000);
    assert_int_equal(access_both(&p, 0x400000, WALK_READ, 0, 0).how, FAULT);
    pair_free(&p);
}

/* A directory entry moves from one table to another; neither table changed. */
static void test_invlpg_forgets_upper_levels(void **state)
{
    (void)state;
    struct pair p;
    pair_new(&p);
    identity_2level(&p);
    poke(&p, 0x1004, 0x3000 | RW, 4);
    poke(&p, 0x3000, 0x9000 | RW, 4);
    poke(&p, 0x4000, 0xa000 | RW, 4);
    assert_int_equal(access_both(&p, 0x400000, WALK_READ, 0, 0).gpa, 0x9000);
    access_both(&p, 0x1004, WALK_W, 0x4000 | RW, 4);
    shadow_invlpg(p.s, 0x400000);
    assert_int_equal(access_both(&p, 0x400000, WALK_READ, 0, 0).gpa, 0xa000);
    pair_free(&p);
}

/* Two tables of four pointers share a page: CR3 tells them apart. */
/* A table is unhooked and that is told; it is changed while nothing leads to it; hooked in
 * again there is nothing to tell: of an entry that was not present no processor has anything. */
static void test_table_hooked_in_again(void **state)
{
    (void)state;
    struct pair p;
    pair_new(&p);
    identity_2level(&p);
    poke(&p, 0x1004, 0x3000 | RWU, 4);
    poke(&p, 0x3000, 0x9000 | RW, 4);
    poke(&p, 0x3004, 0xa000 | RW, 4);
    assert_int_equal(access_both(&p, 0x400000, WALK_W, 1, 4).gpa, 0x9000);
    access_both(&p, 0x1004, WALK_W, 0, 4);
    load_cr3(&p);
    access_both(&p, 0x3000, WALK_W, 0xb000 | RW, 4);
    access_both(&p, 0x1004, WALK_W, 0x3000 | RWU, 4);
    assert_int_equal(access_both(&p, 0x401000, WALK_READ, 0, 0).gpa, 0xa000);   /* makes the way */
    assert_int_equal(access_both(&p, 0x400000, WALK_W, 1, 4).gpa, 0xb000);
    pair_free(&p);
}

static void test_pdpts_share_a_page(void **state)
{
    (void)state;
    struct pair p;
    pair_new(&p);
    for (unsigned i = 0; i < 2; i++) {
        poke(&p, 0x1000 + 32 * i, (0x2000 + i * 0x1000) | PTE_P, 8);
        poke(&p, 0x2000 + 0x1000 * i, (0x4000 + i * 0x1000) | RW, 8);
        poke(&p, 0x4000 + 0x1000 * i, (0x8000 + i * 0x1000) | RW, 8);
    }
    p.pg = (struct paging){ .cr0 = CR0_PAGED, .cr4 = CR4_PAE };
    for (unsigned i = 0; i < 6; i++) {
        p.pg.cr3 = 0x1000 + i % 2 * 32;
        load_cr3(&p);
        assert_int_equal(access_both(&p, 0x10, WALK_W, i, 4).gpa, 0x8010 + i % 2 * 0x1000);
    }
    pair_free(&p);
}

/* One page is a table of 4-byte entries in one address space and of 8-byte
 * entries in another: the A bit of the one is address bit 37 of the other. */
static void test_one_table_two_formats(void **state)
{
    (void)state;
    struct pair p;
    struct paging big = { .cr0 = CR0_PAGED, .cr3 = 0x6000, .cr4 = CR4_PAE, .efer = EFER_LMA };
    struct paging small;
    pair_new(&p);
    identity_2level(&p);
    small = p.pg;
    poke(&p, 0x6000, 0x7000 | RW, 8);
    poke(&p, 0x7000, 0x8000 | RW, 8);
    poke(&p, 0x8000, 0x2000 | RW, 8);
    poke(&p, 0x2010, UINT64_C(0x0030000100005000) | RW, 8);
    p.pg = big;
    load_cr3(&p);
    assert_int_equal(access_both(&p, 0x2000, WALK_READ, 0, 0).gpa, UINT64_C(0x100005000));
    p.pg = small;
    load_cr3(&p);
    assert_int_equal(access_both(&p, 0x5000, WALK_READ, 0, 0).gpa, 0x300000);
    p.pg = big;
    load_cr3(&p);
    assert_int_equal(access_both(&p, 0x2000, WALK_READ, 0, 0).gpa, UINT64_C(0x2100005000));
    pair_free(&p);
}

/* An instruction may need a table to reach its second operand while it writes
 * it as the first: MOVSB from 4 MiB, mapped by the table at 0x3000, to 0x3000. */
static void test_needs_what_it_writes(void **state)
{
    (void)state;
    struct pair p;
    int tries;
    pair_new(&p);
    identity_2level(&p);
    poke(&p, 0x1004, 0x3000 | RW, 4);
    poke(&p, 0x3000, 0x9000 | RW, 4);
    load_cr3(&p);
    for (tries = 0; tries < 8; tries++) {
        struct shadow_walk h = hardware(&p, 0x400000, WALK_READ);
        struct walk w;
        gla_t gla = 0x400000;
        if (h.ok) {
            gla = 0x3000;
            h = hardware(&p, gla, WALK_WRITE);
            if (h.ok)
                break;
        }
        shadow_fault(p.s, gla, shadow_access(h.error), &w);
    }
    assert_in_range(tries, 0, 4);
    pair_free(&p);
}

/* Entries that the keeper never writes, put into its tables at each level: the hardware
 * refuses them, and what it refuses is told apart from a missing page. */
static void test_hardware_checks_entries(void **state)
{
    (void)state;
    static const struct { const char *what; unsigned step; uint64_t entry; bool ok, reserved; } row[] = {
        { "another page of RAM",       3, HMEM_GUEST + 0x7000 + PTE_P, true, false },
        { "the last page of RAM",      3, HMEM_GUEST + RAM_SIZE - PAGE_SIZE + PTE_P, true, false },
        { "behind all memory",         3, HMEM_GUEST + HIGH_BASE + HIGH_SIZE + PTE_P, false, true },
        { "frame 0",                   3, PTE_P, false, true },
        { "a table of the monitor's",  3, HMEM_TABLES + PTE_P, false, true },
        { "a host pointer",            3, 0x7f1234567000 + PTE_P, false, true },
        { "address bit 46",            3, HMEM_GUEST + 0x7000 + BIT(46) + PTE_P, false, true },
        { "address bit 51",            3, HMEM_GUEST + 0x7000 + BIT(51) + PTE_P, false, true },
        { "ignored bits",              3, HMEM_GUEST + 0x7000 + FIELD(62, 52) + PTE_P, true, false },
        { "not present",               3, 0x7f1234567000, false, false },
        { "a table that is none",      2, HMEM_GUEST + 0x7000 + PTE_P, false, true },
        { "a large page",              2, HMEM_GUEST + PTE_PS + PTE_P, false, true },
        { "a table never made",        1, 0xff000000 + PTE_P, false, true },
        { "a reserved bit at the top", 0, HMEM_TABLES + BIT(50) + PTE_P, false, true },
        { "PS at the top",             0, HMEM_TABLES + PTE_PS + PTE_P, false, true },
    };
    for (size_t i = 0; i < NELEM(row); i++) {
        struct pair p;
        pair_new(&p);
        load_cr3(&p);                       /* no paging: gla is gpa */
        access_both(&p, 0x5123, WALK_READ, 0, 1);
        struct shadow_walk h = hardware(&p, 0x5123, WALK_READ);
        assert_true(h.ok);
        hpa_t table = row[i].step ? h.step[row[i].step - 1] & PTE_ADDR
                                  : shadow_registers(p.s)->cr3[0];
        hmem_table(p.hmem, table)[table_index(0x5123, 4 - row[i].step)] = row[i].entry;
        h = hardware(&p, 0x5123, WALK_READ);
        if (h.ok != row[i].ok || (!h.ok && !(h.error & PF_RSVD) != !row[i].reserved))
            fail_msg("%s: ok %d, error %#x", row[i].what, h.ok, h.error);
        assert_false(h.device);
        if (h.ok)
            assert_ptr_equal(h.hva, gmem_ptr(p.guest, (row[i].entry & PTE_ADDR & ~BIT(46)) -
                                             HMEM_GUEST + 0x123, 1));
        hmem_table(p.hmem, table)[table_index(0x5123, 4 - row[i].step)] = 0;    /* for pair_free */
        pair_free(&p);
    }
}

/* With CR0.WP clear the supervisor writes through the protection: the monitor must set it. */
static void test_hardware_obeys_wp(void **state)
{
    (void)state;
    struct pair p;
    pair_new(&p);
    identity_2level(&p);
    load_cr3(&p);
    access_both(&p, 0x1000, WALK_READ, 0, 4);   /* the directory: protected */
    struct shadow_regs r = *shadow_registers(p.s);
    struct shadow_walk h;
    assert_true(r.wp);
    shadow_walk(p.hmem, &r, 0x1000, WALK_WRITE, &h);
    assert_false(h.ok);
    r.wp = false;
    shadow_walk(p.hmem, &r, 0x1000, WALK_WRITE, &h);
    assert_true(h.ok);
    shadow_walk(p.hmem, &r, 0x1000, WALK_WRITE | WALK_USER, &h);
    assert_false(h.ok);
    r.cr3[0] = HMEM_NONE;
    shadow_walk(p.hmem, &r, 0x1000, WALK_READ, &h);
    assert_false(h.ok);
    assert_int_equal(h.error, 0);
    pair_free(&p);
}

static void test_device_and_rom(void **state)
{
    (void)state;
    struct pair p;
    pair_new(&p);
    identity_2level(&p);
    poke(&p, 0x2000 + 4 * 100, 0xb8000 | RW, 4);            /* nothing there: a device's */
    poke(&p, 0x2000 + 4 * 101, ROM_BASE | RWU, 4);
    poke(&p, 0x2000 + 4 * 102, ROM_BASE | PTE_P, 4);
    assert_int_equal(access_both(&p, 100 * PAGE_SIZE + 8, WALK_READ, 0, 0).how, DEVICE);
    assert_int_equal(access_both(&p, 100 * PAGE_SIZE + 8, WALK_W, 0, 4).gpa, 0xb8008);
    assert_int_equal(access_both(&p, 100 * PAGE_SIZE, WALK_READ | WALK_USER, 0, 0).how, FAULT);
    assert_int_equal(access_both(&p, 101 * PAGE_SIZE, WALK_READ, 0, 0).how, RAM);
    assert_int_equal(access_both(&p, 101 * PAGE_SIZE + 4, WALK_W, 1, 4).gpa, ROM_BASE + 4);
    assert_int_equal(access_both(&p, 101 * PAGE_SIZE + 4, WALK_W, 1, 4).how, DEVICE);
    assert_int_equal(access_both(&p, 102 * PAGE_SIZE + 4, WALK_W, 1, 4).how, FAULT);
    pair_free(&p);
}

/* CR0.WP clear: the kernel writes everywhere, users do not. */
static void test_wp_clear(void **state)
{
    (void)state;
    struct pair p;
    pair_new(&p);
    identity_2level(&p);
    poke(&p, 0x2000 + 4 * 5, 0x5000 | PTE_P | PTE_U, 4);
    for (int round = 0; round < 3; round++) {
        p.pg.cr0 ^= CR0_WP;
        load_cr3(&p);
        int kernel = p.pg.cr0 & CR0_WP ? FAULT : RAM;
        assert_int_equal(access_both(&p, 0x5000, WALK_READ | WALK_USER, 0, 0).how, RAM);
        assert_int_equal(access_both(&p, 0x5000, WALK_W, round, 4).how, kernel);
        assert_int_equal(access_both(&p, 0x5000, WALK_W | WALK_USER, 9, 4).how, FAULT);
        assert_int_equal(access_both(&p, 0x5000, WALK_W, round + 1, 4).how, kernel);
        /* And still sees the tables written. */
        access_both(&p, 0x2000 + 4 * 9, WALK_W, 0xa000 | PTE_P | PTE_U | (unsigned)round << 9, 4);
        shadow_invlpg(p.s, 0x9000);
        access_both(&p, 0x9000, WALK_READ, 0, 0);
    }
    assert_true(p.n_verdicts[SHADOW_UNPROTECTED] >= 3);
    pair_free(&p);
}

static void test_roots_are_cached(void **state)
{
    (void)state;
    struct pair p;
    struct shadow_stats a, b;
    pair_new(&p);
    identity_2level(&p);
    poke(&p, 0x4000, 0x2000 | RW, 4);               /* a second directory, same table */
    p.t->mask = UINT64_MAX;
    access_both(&p, 0x5000, WALK_W, 1, 4);
    p.pg.cr3 = 0x4000;
    load_cr3(&p);
    access_both(&p, 0x5000, WALK_W, 1, 4);
    p.pg.cr3 = 0x1000;
    load_cr3(&p);
    shadow_get_stats(p.s, &a);
    access_both(&p, 0x5000, WALK_W, 1, 4);          /* nothing to fill */
    shadow_get_stats(p.s, &b);
    assert_int_equal(a.fills, b.fills);
    assert_int_equal(a.roots, 2);
    const struct trace_event *e = &p.t->ring->event[p.t->ring->head & 63];
    assert_int_equal(e->kind, TRACE_SHADOW_ROOT);
    assert_int_equal(e->arg[1], 1);
    pair_free(&p);
}

/* More tables written than the shadow can remember to be out of sync. */
static void test_many_tables_written(void **state)
{
    (void)state;
    struct pair p;
    pair_new(&p);
    identity_2level(&p);
    for (unsigned i = 3; i < RAM_PAGES + 4; i++) {
        gpa_t table = i < RAM_PAGES ? i * PAGE_SIZE : HIGH_BASE + (i - RAM_PAGES) * PAGE_SIZE;
        poke(&p, 0x2000 + 4 * i, table | RWU, 4);
        poke(&p, 0x1000 + 4 * i, table | RWU, 4);
        poke(&p, table, 0x5000 | RWU, 4);
    }
    load_cr3(&p);
    for (unsigned i = 3; i < RAM_PAGES + 4; i++)
        access_both(&p, (gla_t)i << 22, WALK_READ, 0, 0);
    for (unsigned i = 1; i < RAM_PAGES + 4; i++)
        access_both(&p, i * PAGE_SIZE + 0xffc, WALK_W, 0x6000 | RW, 4);
    assert_true(p.n_verdicts[SHADOW_UNPROTECTED] >= RAM_PAGES + 3);
    load_cr3(&p);
    for (unsigned i = 3; i < RAM_PAGES + 4; i++)
        assert_int_equal(access_both(&p, ((gla_t)i << 22) + 0x3ff000, WALK_READ, 0, 0).gpa, 0x6000);
    pair_free(&p);
}

/* All 4 GiB touched: more shadow pages than there may be. */
static void test_runs_out_of_pages(void **state)
{
    (void)state;
    struct pair p;
    struct shadow_stats st;
    pair_new(&p);
    load_cr3(&p);                                   /* no paging */
    for (uint64_t round = 0; round < 2; round++)
        for (uint64_t gla = 0x5000; gla < BIT(32); gla += 0x200000) {
            struct end e = through_shadow(&p, gla, WALK_WRITE);
            assert_int_equal(e.how, gmem_find(p.guest, gla) ? RAM : DEVICE);
            assert_int_equal(e.gpa, gla);
        }
    check_invariant(&p);
    shadow_get_stats(p.s, &st);
    assert_in_range(st.pages, 4, 2048);
    pair_free(&p);
}

/* ---- the random guest ---- */

static uint64_t rng_state;

static uint32_t rnd(uint32_t below)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return (uint32_t)(rng_state >> 11) % below;
}

#define TABLE_PAGES 12          /* pages 1..12 of RAM serve as tables of any kind */

/* An entry that leads, mostly, to another table page or to some page. */
static uint64_t random_entry(const struct pair *p)
{
    uint64_t e = rnd(40) ? PTE_P : 0;

    e |= rnd(10) ? PTE_W : 0;
    e |= rnd(10) ? PTE_U : 0;
    e |= rnd(4) == 0 ? PTE_A : 0;
    e |= rnd(6) == 0 ? PTE_D : 0;
    e |= rnd(6) == 0 ? PTE_G : 0;
    e |= rnd(30) == 0 ? PTE_NX : 0;
    if (walk_levels(&p->pg) == 3 && rnd(2))
        e &= ~(PTE_W | PTE_U | PTE_G | PTE_NX);     /* would do as a PDPTE */
    if (rnd(400) == 0)
        e |= BIT(rnd(64));                          /* often a reserved one */
    if (rnd(24) == 0)
        return e | PTE_PS | (rnd(3) ? 0 : HIGH_BASE);
    switch (rnd(24)) {
    case 0:  return e | (ROM_BASE + rnd(3) * PAGE_SIZE);        /* ROM, or a device after it */
    case 1:  return e | HIGH_BASE | rnd(5) * PAGE_SIZE;
    case 2:
    case 3:  return e | rnd(RAM_PAGES) * PAGE_SIZE;
    default: return e | (1 + rnd(TABLE_PAGES)) * PAGE_SIZE;
    }
}

/* Few different indices, so that things meet. */
static const uint16_t slots[] = { 0, 1, 2, 511, 512, 1023 };

static unsigned random_slot(unsigned entries)
{
    return slots[rnd(NELEM(slots))] % entries;
}

static void random_table_entry(struct pair *p)
{
    unsigned size = walk_levels(&p->pg) == 2 ? 4 : 8;
    if (rnd(8) == 0)
        size = 12 - size;
    poke(p, (1 + rnd(TABLE_PAGES)) * PAGE_SIZE + random_slot(PAGE_SIZE / size) * size,
         random_entry(p), size);
}

static gla_t random_gla(const struct pair *p)
{
    unsigned levels = walk_levels(&p->pg);
    gla_t gla = rnd(PAGE_SIZE) & ~7u;

    if (levels == 0)
        return gla | rnd(RAM_PAGES + 4) * PAGE_SIZE;
    gla |= (gla_t)random_slot(levels == 2 ? 1024 : 512) << 12;
    gla |= (gla_t)random_slot(levels == 2 ? 1024 : 512) << (levels == 2 ? 22 : 21);
    if (levels == 3)
        gla |= (gla_t)rnd(4) << 30;
    if (levels < 4)
        return gla;
    gla |= (gla_t)random_slot(512) << 30;
    return gla | (gla_t)random_slot(512) << 39;
}

/* INVLPG for every page random_gla() can name. */
static void invlpg_all(struct pair *p)
{
    unsigned levels = walk_levels(&p->pg), n = levels == 2 ? NELEM(slots) : 4;
    unsigned rounds = levels == 4 ? n * n * n * n : levels == 3 ? n * n * 4 : n * n;

    for (unsigned i = 0; i < rounds; i++) {
        unsigned a = slots[i % n], b = slots[i / n % n], c = i / n / n % n, d = i / n / n / n;
        gla_t gla = (gla_t)a << 12 | (gla_t)b << (levels == 2 ? 22 : 21);
        if (levels > 2)
            gla |= (gla_t)(levels == 3 ? c : slots[c]) << 30 | (gla_t)slots[d % n] << 39;
        shadow_invlpg(p->s, gla);
    }
}

static void random_mode(struct pair *p)
{
    unsigned mode = rnd(8);

    p->pg.cr0 = CR0_PE | (mode ? CR0_PG : 0) | (rnd(2) ? CR0_WP : 0);
    p->pg.cr4 = (mode > 2 ? CR4_PAE : 0) | (rnd(4) ? CR4_PSE : 0) | (rnd(2) ? CR4_PGE : 0) |
                (rnd(3) ? 0 : CR4_SMEP) | (rnd(3) ? 0 : CR4_SMAP);
    p->pg.efer = (mode > 4 ? EFER_LMA | EFER_LME : 0) | (rnd(3) ? EFER_NXE : 0);
}

static void random_cr3(struct pair *p)
{
    p->pg.cr3 = (1 + rnd(TABLE_PAGES)) * PAGE_SIZE | (rnd(4) ? 0 : rnd(128) * 32u);
    if (rnd(40) == 0)
        p->pg.cr3 = ROM_BASE + rnd(3) * PAGE_SIZE;
    if (rnd(200) == 0)
        p->pg.cr3 = (uint64_t)rnd(256) << 32;
}

/* A write may have hit a table, and then the guest must forget what it said,
 * in one of the two ways. */
static void random_access(struct pair *p)
{
    unsigned access = rnd(3) ? WALK_READ : rnd(3) ? WALK_WRITE : WALK_FETCH;

    access |= rnd(2) ? WALK_USER : 0;
    access |= rnd(6) ? 0 : WALK_SYSTEM;
    p->pg.ac = rnd(2);
    struct end e = access_both(p, random_gla(p), access, random_entry(p), rnd(2) ? 8 : 4);
    if (!(access & WALK_WRITE) || e.how != RAM)
        return;
    if (rnd(2))
        load_cr3(p);
    else
        invlpg_all(p);
}

static void random_step(struct pair *p)
{
    unsigned what = rnd(100);

    if (what < 15) {                                /* by a device: then CR3, as after a write */
        random_table_entry(p);
        load_cr3(p);
    } else if (what < 20) {
        random_cr3(p);
        load_cr3(p);
    } else if (what < 22) {
        random_mode(p);
        for (unsigned i = 0; i < 200; i++)           /* in the new format */
            random_table_entry(p);
        load_cr3(p);
    } else if (what < 24) {
        shadow_invlpg(p->s, random_gla(p));
    } else {
        random_access(p);
    }
}

static unsigned from_env(const char *name, unsigned otherwise)
{
    const char *v = getenv(name);
    return v ? (unsigned)strtoul(v, NULL, 0) : otherwise;
}

static void test_random_tables(void **state)
{
    (void)state;
    unsigned seed = from_env("SEED", 1), rounds = from_env("ROUNDS", 40);
    unsigned steps = from_env("STEPS", 300);
    unsigned verdicts[5] = { 0 };

    for (unsigned round = 0; round < rounds; round++) {
        struct pair p;
        current_seed = seed + round;
        rng_state = UINT64_C(0x9e3779b97f4a7c15) * (seed + round + 1);
        pair_new(&p);
        random_mode(&p);
        random_cr3(&p);
        for (unsigned i = 0; i < 300; i++)
            random_table_entry(&p);
        load_cr3(&p);
        for (unsigned i = 0; i < steps; i++)
            random_step(&p);
        for (unsigned v = 0; v < NELEM(verdicts); v++)
            verdicts[v] += p.n_verdicts[v];
        pair_free(&p);
    }
    print_message("seeds %u to %u: %u true, %u filled, %u unprotected, %u device\n", seed,
                  seed + rounds - 1, verdicts[SHADOW_TRUE], verdicts[SHADOW_FILLED],
                  verdicts[SHADOW_UNPROTECTED], verdicts[SHADOW_DEVICE]);
    for (unsigned v = SHADOW_TRUE; v <= SHADOW_DEVICE; v++)
        assert_int_not_equal(verdicts[v], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dirty_is_exact),
        cmocka_unit_test(test_protection_reaches_the_tlb),
        cmocka_unit_test(test_table_in_its_own_way),
        cmocka_unit_test(test_recursive_mapping),
        cmocka_unit_test(test_invlpg_forgets_upper_levels),
        cmocka_unit_test(test_table_hooked_in_again),
        cmocka_unit_test(test_pdpts_share_a_page),
        cmocka_unit_test(test_one_table_two_formats),
        cmocka_unit_test(test_needs_what_it_writes),
        cmocka_unit_test(test_hardware_checks_entries),
        cmocka_unit_test(test_hardware_obeys_wp),
        cmocka_unit_test(test_device_and_rom),
        cmocka_unit_test(test_wp_clear),
        cmocka_unit_test(test_roots_are_cached),
        cmocka_unit_test(test_many_tables_written),
        cmocka_unit_test(test_runs_out_of_pages),
        cmocka_unit_test(test_random_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
