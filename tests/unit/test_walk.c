/*
 * test_walk -- the page walker against the manual, one row an access.
 *
 * A row is a paging mode, the entries of the four tables on the way, an access,
 * and what the processor must make of it.  The tables are at 0x1000 (the root)
 * to 0x4000; the address walked is such that slot 1 is used at every level.
 *
 *   run    make unit
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/x86.h"
#include "mem/gmem.h"
#include "mem/walk.h"

#define P   PTE_P
#define W   PTE_W
#define U   PTE_U
#define A   PTE_A
#define D   PTE_D
#define PS  PTE_PS
#define NX  PTE_NX
#define RW  (P | W)
#define RU  (P | U)
#define RWU (P | W | U)

#define R_  WALK_READ
#define W_  WALK_WRITE
#define X_  WALK_FETCH
#define US  WALK_USER
#define SYS WALK_SYSTEM

enum mode { OFF, LEGACY, PAE, LONG };

/* Other bits of the registers, together in one word of a row. */
enum { WP = 1, SMEP = 2, SMAP = 4, NXE = 8, PSE = 16, AC = 32, PGE = 64 };

#define FAULTS (UINT64_C(1) << 63)      /* in `expect`: #PF with this error code */

struct row {
    const char *what;
    enum mode   mode;
    unsigned    regs;
    uint64_t    entry[4];               /* from the root down */
    unsigned    access;
    uint64_t    expect;                 /* gpa, or FAULTS | error */
    uint64_t    used[4];                /* A and D bits that are set in each entry then */
};

static const struct row rows[] = {
    { "no paging", OFF, SMEP | SMAP, { 0 }, US | X_, 0x40201234, { 0 } },

    /* [SDM 3A "32-Bit Paging"]; the address is 0x00401234 */
    { "4 KiB page", LEGACY, 0, { 0x2000 | RW, 0x9000 | RW }, R_, 0x9234, { A, A } },
    { "4 KiB page written", LEGACY, 0, { 0x2000 | RW, 0x9000 | RW }, W_, 0x9234, { A, A | D } },
    { "table missing", LEGACY, 0, { 0x2000 | W, 0 }, R_, FAULTS, { 0 } },
    { "page missing, written by user", LEGACY, 0, { 0x2000 | RWU, W | U }, W_ | US,
      FAULTS | PF_W | PF_U, { 0 } },
    { "PS without CR4.PSE is ignored", LEGACY, 0, { 0x2000 | RW | PS, 0x9000 | RW }, R_, 0x9234,
      { A, A } },
    { "4 MiB page", LEGACY, PSE, { 0xc00000 | RW | PS }, W_, 0xc01234, { A | D } },
    { "PSE-36: bits 20:13 are 39:32", LEGACY, PSE, { 0xc00000 | BIT(13) | BIT(20) | RW | PS }, R_,
      UINT64_C(0x8100c01234), { A } },
    { "PSE-36: bit 21 is reserved", LEGACY, PSE, { 0xc00000 | BIT(21) | RW | PS }, R_,
      FAULTS | PF_P | PF_RSVD, { 0 } },
    { "bit 12 of a 4 MiB entry is PAT", LEGACY, PSE, { 0xc00000 | BIT(12) | RW | PS }, R_, 0xc01234,
      { A } },
    { "a fetch does not tell without NXE or SMEP", LEGACY, NXE, { 0x2000 | RW, 0 }, X_, FAULTS,
      { 0 } },
    { "a fetch tells with SMEP", LEGACY, SMEP, { 0x2000 | RW, 0 }, X_, FAULTS | PF_I, { 0 } },
    { "supervisor page read by user", LEGACY, 0, { 0x2000 | RWU, 0x9000 | RW }, R_ | US,
      FAULTS | PF_P | PF_U, { 0 } },
    { "supervisor directory entry", LEGACY, 0, { 0x2000 | RW, 0x9000 | RWU }, R_ | US,
      FAULTS | PF_P | PF_U, { 0 } },
    { "read-only written by user", LEGACY, 0, { 0x2000 | RWU, 0x9000 | RU }, W_ | US,
      FAULTS | PF_P | PF_W | PF_U, { 0 } },
    { "read-only directory entry", LEGACY, WP, { 0x2000 | RU, 0x9000 | RWU }, W_,
      FAULTS | PF_P | PF_W, { 0 } },
    { "read-only written by kernel, WP clear", LEGACY, 0, { 0x2000 | RU, 0x9000 | RU }, W_, 0x9234,
      { A, A | D } },
    { "an implicit access at CPL 3 is supervisor", LEGACY, 0, { 0x2000 | RW, 0x9000 | RW },
      R_ | US | SYS, 0x9234, { A, A } },
    { "... and its faults say so", LEGACY, 0, { 0x2000 | RW, 0 }, W_ | US | SYS, FAULTS | PF_W,
      { 0 } },

    /* SMEP and SMAP  [SDM 3A "Determination of Access Rights"] */
    { "SMEP: kernel runs a user page", LEGACY, SMEP, { 0x2000 | RWU, 0x9000 | RWU }, X_,
      FAULTS | PF_P | PF_I, { 0 } },
    { "SMEP: kernel reads a user page", LEGACY, SMEP, { 0x2000 | RWU, 0x9000 | RWU }, R_, 0x9234,
      { A, A } },
    { "SMEP: supervisor by the directory alone", LEGACY, SMEP, { 0x2000 | RW, 0x9000 | RWU }, X_,
      0x9234, { A, A } },
    { "SMAP: kernel reads a user page", LEGACY, SMAP, { 0x2000 | RWU, 0x9000 | RWU }, R_,
      FAULTS | PF_P, { 0 } },
    { "SMAP: with AC it may", LEGACY, SMAP | AC, { 0x2000 | RWU, 0x9000 | RWU }, W_, 0x9234,
      { A, A | D } },
    { "SMAP: AC does not help an implicit access", LEGACY, SMAP | AC,
      { 0x2000 | RWU, 0x9000 | RWU },
      R_ | SYS, FAULTS | PF_P, { 0 } },
    { "SMAP: with WP clear too", LEGACY, SMAP, { 0x2000 | RU, 0x9000 | RU }, W_,
      FAULTS | PF_P | PF_W, { 0 } },
    { "SMAP: fetches are SMEP's", LEGACY, SMAP, { 0x2000 | RWU, 0x9000 | RWU }, X_, 0x9234,
      { A, A } },
    { "SMAP: users are not concerned", LEGACY, SMAP, { 0x2000 | RWU, 0x9000 | RWU }, R_ | US,
      0x9234,
      { A, A } },

    /* [SDM 3A "PAE Paging"]; the address is 0x40201234 */
    { "PAE 4 KiB; a PDPTE has no rights", PAE, WP, { 0x2000 | P, 0x3000 | RWU, 0x9000 | RWU },
      W_ | US,
      0x9234, { 0, A, A | D } },
    { "PAE PDPTE missing", PAE, 0, { 0x2000 }, R_, FAULTS, { 0 } },
    { "PAE PDPTE: W is reserved", PAE, 0, { 0x2000 | RW }, R_, FAULTS | PF_P | PF_RSVD, { 0 } },
    { "PAE PDPTE: PS is reserved", PAE, 0, { 0x2000 | P | PS }, R_, FAULTS | PF_P | PF_RSVD,
      { 0 } },
    { "PAE PDPTE: NX is reserved", PAE, NXE, { 0x2000 | P | NX }, R_, FAULTS | PF_P | PF_RSVD,
      { 0 } },
    { "PAE 2 MiB", PAE, 0, { 0x2000 | P, 0xc00000 | RW | PS }, W_, 0xc01234, { 0, A | D } },
    { "PAE 2 MiB: bit 13 is reserved", PAE, 0, { 0x2000 | P, 0xc00000 | BIT(13) | RW | PS }, R_,
      FAULTS | PF_P | PF_RSVD, { 0 } },
    { "PAE: bit 52 is reserved", PAE, 0, { 0x2000 | P, 0x3000 | RW, BIT(52) | 0x9000 | RW }, R_,
      FAULTS | PF_P | PF_RSVD, { 0 } },
    { "PAE: NX", PAE, NXE, { 0x2000 | P, 0x3000 | RW | NX, 0x9000 | RW }, X_, FAULTS | PF_P | PF_I,
      { 0 } },
    { "PAE: NX pages are read", PAE, NXE, { 0x2000 | P, 0x3000 | RW | NX, 0x9000 | RW }, R_, 0x9234,
      { 0, A, A } },
    { "PAE: NX without NXE is reserved", PAE, 0, { 0x2000 | P, 0x3000 | RW, 0x9000 | RW | NX }, R_,
      FAULTS | PF_P | PF_RSVD, { 0 } },

    /* [SDM 3A "4-Level Paging and 5-Level Paging"]; the address is 0x8040201234 */
    { "long 4 KiB", LONG, WP, { 0x2000 | RWU, 0x3000 | RWU, 0x4000 | RWU, 0x9000 | RWU }, W_ | US,
      0x9234, { A, A, A, A | D } },
    { "long 2 MiB", LONG, 0, { 0x2000 | RW, 0x3000 | RW, 0xc00000 | RW | PS }, W_, 0xc01234,
      { A, A, A | D } },
    { "long 1 GiB", LONG, 0, { 0x2000 | RW, 0x80000000 | RW | PS }, R_, 0x80201234, { A, A } },
    { "long 1 GiB: bit 13 is reserved", LONG, 0, { 0x2000 | RW, 0x80002000 | RW | PS }, R_,
      FAULTS | PF_P | PF_RSVD, { 0 } },
    { "long 2 MiB: bit 20 is reserved", LONG, 0,
      { 0x2000 | RW, 0x3000 | RW, 0x900000 | RW | PS }, R_,
      FAULTS | PF_P | PF_RSVD, { 0 } },
    { "PML4E: PS is reserved", LONG, 0, { 0x2000 | RW | PS, 0x3000 | RW, 0x4000 | RW, 0x9000 | RW },
      R_, FAULTS | PF_P | PF_RSVD, { 0 } },
    { "bit 7 of a PTE is PAT", LONG, 0,
      { 0x2000 | RW, 0x3000 | RW, 0x4000 | RW, 0x9000 | RW | PS }, R_,
      0x9234, { A, A, A, A } },
    { "address bit 40 is reserved", LONG, 0,
      { 0x2000 | RW, 0x3000 | RW, 0x4000 | RW, BIT(40) | 0x9000 | RW }, R_, FAULTS | PF_P | PF_RSVD,
      { 0 } },
    { "address bit 39 is not", LONG, 0,
      { 0x2000 | RW, 0x3000 | RW, 0x4000 | RW, BIT(39) | 0x9000 | RW }, R_, BIT(39) | 0x9234,
      { A, A, A, A } },
    { "bits 62:52 are ignored", LONG, 0,
      { 0x2000 | RW | BIT(52), 0x3000 | RW, 0x4000 | RW, 0x9000 | RW | BIT(62) }, R_, 0x9234,
      { A, A, A, A } },
    { "NX at the top", LONG, NXE, { 0x2000 | RW | NX, 0x3000 | RW, 0x4000 | RW, 0x9000 | RW }, X_,
      FAULTS | PF_P | PF_I, { 0 } },
    { "missing beats forbidden above it", LONG, NXE,
      { 0x2000 | P | NX, 0x3000 | RW, 0x4000 | RW, 0 },
      X_ | US, FAULTS | PF_U | PF_I, { 0 } },
    { "reserved beats forbidden above it", LONG, WP,
      { 0x2000 | P, 0x3000 | RW, 0x4000 | RW, BIT(45) | 0x9000 | RW }, W_,
      FAULTS | PF_P | PF_W | PF_RSVD, { 0 } },
    { "reserved bits of a missing entry do not count", LONG, 0,
      { 0x2000 | RW, 0x3000 | RW, 0x4000 | RW, BIT(45) | 0x9000 | W }, R_, FAULTS, { 0 } },
    { "peeking leaves nothing behind", LONG, 0,
      { 0x2000 | RW, 0x3000 | RW, 0x4000 | RW, 0x9000 | RW },
      W_ | WALK_PEEK, 0x9234, { 0 } },
    { "bits already set stay", LONG, 0,
      { 0x2000 | RW | A, 0x3000 | RW, 0x4000 | RW, 0x9000 | RW | D },
      R_, 0x9234, { A, A, A, A | D } },
    { "a table in no memory reads as ones", LONG, 0, { 0x100000 | RW }, R_, FAULTS | PF_P | PF_RSVD,
      { 0 } },
};

static const gla_t address_of[] = {
    [OFF] = 0x40201234, [LEGACY] = 0x401234, [PAE] = 0x40201234, [LONG] = UINT64_C(0x8040201234),
};

static struct gmem *new_memory(void)
{
    struct gmem *m = gmem_new();
    gmem_add(m, "ram", 0, 0x10000, GMEM_RAM);
    gmem_add(m, "rom", 0x10000, 0x4000, GMEM_ROM);
    gmem_freeze(m);
    return m;
}

static struct paging paging_of(const struct row *r)
{
    return (struct paging){
        .cr0 = CR0_PE | (r->mode != OFF ? CR0_PG : 0) | (r->regs & WP ? CR0_WP : 0),
        .cr3 = 0x1000,
        .cr4 = (r->mode >= PAE ? CR4_PAE : 0) | (r->regs & PSE ? CR4_PSE : 0) |
               (r->regs & SMEP ? CR4_SMEP : 0) | (r->regs & SMAP ? CR4_SMAP : 0) |
               (r->regs & PGE ? CR4_PGE : 0),
        .efer = (r->mode == LONG ? EFER_LMA : 0) | (r->regs & NXE ? EFER_NXE : 0),
        .ac = r->regs & AC,
    };
}

static void check_row(const struct row *r)
{
    struct gmem *m = new_memory();
    struct paging pg = paging_of(r);
    unsigned size = r->mode == LEGACY ? 4 : 8;
    struct walk w;

    for (unsigned i = 0; i < 4; i++)
        gmem_write(m, 0x1000 * (i + 1) + size, &r->entry[i], size);
    walk(&pg, m, address_of[r->mode], r->access, &w);
    uint64_t got = w.result == WALK_OK ? w.gpa : FAULTS | w.error;
    if (got != r->expect)
        fail_msg("%s: expected %#" PRIx64 ", got %#" PRIx64, r->what, r->expect, got);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t now = 0;
        gmem_read(m, 0x1000 * (i + 1) + size, &now, size);
        uint64_t want = r->mode == OFF ? r->entry[i] : r->entry[i] | r->used[i];
        if (now != want)
            fail_msg("%s: entry %u should be %#" PRIx64 ", is %#" PRIx64, r->what, i, want, now);
        if (w.result == WALK_OK && i < w.depth && w.step[i].entry != now)
            fail_msg("%s: step %u shows %#" PRIx64, r->what, i, w.step[i].entry);
    }
    gmem_free(m);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < NELEM(rows); i++)
        check_row(&rows[i]);
}

/* What a walk tells besides the address. */
static void test_details(void **state)
{
    (void)state;
    struct gmem *m = new_memory();
    struct paging pg = { .cr0 = CR0_PE | CR0_PG, .cr3 = 0x1fff, .cr4 = CR4_PAE | CR4_PGE | CR4_SMEP,
                         .efer = EFER_LMA | EFER_NXE };
    uint64_t entry[4] = { 0x2000 | RWU, 0x3000 | RWU, 0x4000 | RWU, 0x9000 | RU | PTE_G };
    struct walk w;

    for (unsigned i = 0; i < 4; i++)
        gmem_write(m, 0x1000 * (i + 1) + 8, &entry[i], 8);
    walk(&pg, m, address_of[LONG], R_, &w);
    assert_int_equal(w.depth, 4);
    assert_int_equal(w.step[0].at, 0x1008);
    assert_int_equal(w.step[3].at, 0x4008);
    assert_int_equal(w.page_size, 4096);
    assert_true(w.writable);                    /* by the kernel, WP clear      */
    assert_true(w.user);
    assert_false(w.executable);                 /* not by the kernel, with SMEP */
    assert_false(w.dirty);
    assert_true(w.global);
    walk(&pg, m, address_of[LONG], R_ | US, &w);
    assert_false(w.writable);
    assert_true(w.executable);
    pg.cr4 &= ~CR4_PGE;
    walk(&pg, m, address_of[LONG], W_, &w);
    assert_true(w.dirty);
    assert_false(w.global);
    assert_int_equal(walk_levels(&pg), 4);
    pg.efer = 0;
    assert_int_equal(walk_levels(&pg), 3);
    pg.cr4 = 0;
    assert_int_equal(walk_levels(&pg), 2);
    pg.cr0 = CR0_PE;
    assert_int_equal(walk_levels(&pg), 0);
    gmem_free(m);
}

/* Tables in ROM work; their A bits cannot be set, and nobody minds. */
static void test_tables_in_rom(void **state)
{
    (void)state;
    struct gmem *m = new_memory();
    struct paging pg = { .cr0 = CR0_PE | CR0_PG, .cr3 = 0x10000 };
    uint32_t pde = 0x11000 | RW, pte = 0x9000 | RW, now;
    struct walk w;

    gmem_load_rom(m, 0x10004, &pde, 4);
    gmem_load_rom(m, 0x11004, &pte, 4);
    walk(&pg, m, address_of[LEGACY], W_, &w);
    assert_int_equal(w.result, WALK_OK);
    assert_int_equal(w.gpa, 0x9234);
    gmem_read(m, 0x11004, &now, 4);
    assert_int_equal(now, pte);
    gmem_free(m);
}

/* A source that refuses ends the walk at that step: to read, then to write. */
struct refusing { struct gmem *m; gpa_t at; bool write; unsigned writes; };

static void *refuse(void *arg, gpa_t at, unsigned size, bool write)
{
    struct refusing *r = arg;
    r->writes += write;
    return at == r->at && write == r->write ? NULL : gmem_ptr(r->m, at, size);
}

static void test_source(void **state)
{
    (void)state;
    struct gmem *m = new_memory();
    struct paging pg = { .cr0 = CR0_PE | CR0_PG, .cr3 = 0x1000 };
    uint32_t pde = 0x2000 | RW, pte = 0x9000 | RW;
    struct refusing r = { .m = m, .at = 0x2004 };
    struct walk_source src = { refuse, &r };
    struct walk w;

    gmem_write(m, 0x1004, &pde, 4);
    gmem_write(m, 0x2004, &pte, 4);
    walk_from(&pg, &src, address_of[LEGACY], R_, &w);
    assert_int_equal(w.result, WALK_NO_MEMORY);
    assert_int_equal(w.step[w.depth - 1].at, 0x2004);
    assert_int_equal(r.writes, 0);
    r.write = true;
    walk_from(&pg, &src, address_of[LEGACY], R_, &w);
    assert_int_equal(w.result, WALK_NO_MEMORY);
    assert_int_equal(w.step[w.depth - 1].at, 0x2004);
    r.at = 0;
    walk_from(&pg, &src, address_of[LEGACY], R_, &w);
    assert_int_equal(w.result, WALK_OK);
    r.writes = 0;
    walk_from(&pg, &src, address_of[LEGACY], R_, &w);
    assert_int_equal(r.writes, 0);              /* nothing left to set */
    gmem_free(m);
}

/* "Another CPU": just before the walker is given the entry at `at` to set bits in it,
 * the entry becomes `now`. */
struct other_cpu { struct gmem *m; gpa_t at; uint64_t now; unsigned times; };

static void *entry_with_other_cpu(void *arg, gpa_t at, unsigned size, bool write)
{
    struct other_cpu *o = arg;
    uint64_t scratch;
    if (write && at == o->at && o->times) {
        o->times--;
        gmem_write(o->m, at, &o->now, size);
    }
    return walk_bus_entry(o->m, at, size, write, &scratch);
}

/* A and D never appear in an entry that was changed since it was read.
 * [SDM 3A "Accessed and Dirty Flags"] */
static void test_bits_are_set_atomically(void **state)
{
    (void)state;
    static const struct { gpa_t at; uint64_t now; enum walk_result result; uint64_t left; } row[] = {
        { 0x4008, 0,                    WALK_FAULT, 0 },                    /* unmapped          */
        { 0x4008, 0xa000 | RU,          WALK_FAULT, 0xa000 | RU },          /* write-protected   */
        { 0x4008, 0xa000 | RWU,         WALK_OK,    0xa000 | RWU | A | D }, /* moved             */
        { 0x4008, 0x9000 | RWU | A | D, WALK_OK,    0x9000 | RWU | A | D }, /* set there already */
        { 0x2008, 0,                    WALK_FAULT, 0 },
        { 0x2008, 0x3000 | RWU | A,     WALK_OK,    0x3000 | RWU | A },
    };
    for (size_t i = 0; i < NELEM(row); i++) {
        struct gmem *m = new_memory();
        struct paging pg = { .cr0 = CR0_PE | CR0_PG | CR0_WP, .cr3 = 0x1000, .cr4 = CR4_PAE,
                             .efer = EFER_LMA };
        uint64_t entry[4] = { 0x2000 | RWU, 0x3000 | RWU, 0x4000 | RWU, 0x9000 | RWU }, left;
        struct other_cpu other = { m, row[i].at, row[i].now, 1 };
        struct walk w;
        for (unsigned k = 0; k < 4; k++)
            gmem_write(m, 0x1000 * (k + 1) + 8, &entry[k], 8);
        walk_from(&pg, &(struct walk_source){ entry_with_other_cpu, &other }, address_of[LONG],
                  W_, &w);
        assert_int_equal(w.result, row[i].result);
        gmem_read(m, row[i].at, &left, 8);
        assert_int_equal(left, row[i].left);
        assert_int_equal(other.times, 0);
        gmem_free(m);
    }
}

/* An entry that is used as directory and as page at once (tables that map themselves). */
static void test_self_map(void **state)
{
    (void)state;
    struct gmem *m = new_memory();
    struct paging pg = { .cr0 = CR0_PE | CR0_PG, .cr3 = 0x1000 };
    uint32_t pde = 0x1000 | RW, now;
    struct walk w;
    gmem_write(m, 0x1000, &pde, 4);
    walk(&pg, m, 0x10, W_, &w);
    assert_int_equal(w.result, WALK_OK);
    assert_int_equal(w.gpa, 0x1010);
    assert_true(w.dirty);
    gmem_read(m, 0x1000, &now, 4);
    assert_int_equal(now, 0x1000 | RW | A | D);
    gmem_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_details),
        cmocka_unit_test(test_tables_in_rom),
        cmocka_unit_test(test_source),
        cmocka_unit_test(test_bits_are_set_atomically),
        cmocka_unit_test(test_self_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
