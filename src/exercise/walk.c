/*
 * exercise/walk.c -- exercises 9 to 11: walk the guest's page tables by hand.
 *
 * The tables are put into a guest memory of their own, with entries beside the ones that count,
 * and the monitor's page walker (mem/walk.h) follows them: what it finds is the answer.  The
 * three exercises differ in a row of modes[] and in nothing else.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "base/x86.h"
#include "exercise/make.h"
#include "exercise/sheet.h"
#include "mem/gmem.h"
#include "mem/walk.h"

struct level { const char *table; unsigned hi, lo; };  /* bits of the address that index it */

struct mode {
    const char  *about;
    uint64_t     cr4, efer;
    unsigned     entry_bytes, n_levels;
    unsigned     address_digits;
    struct level level[4];
};

static const struct mode mode_32 = {
    "32-bit paging: CR0.PG = 1, CR4.PSE = 1, CR4.PAE = 0. An entry has 4 bytes",
    CR4_PSE, 0, 4, 2, 8,
    { { "page directory", 31, 22 }, { "page table", 21, 12 } }
};
static const struct mode mode_pae = {
    "PAE paging: CR0.PG = 1, CR4.PAE = 1, EFER.LMA = 0, EFER.NXE = 1. An entry has 8 bytes",
    CR4_PAE, EFER_NXE, 8, 3, 8,
    { { "page-directory-pointer table", 31, 30 }, { "page directory", 29, 21 },
      { "page table", 20, 12 } }
};
static const struct mode mode_64 = {
    "4-level paging: CR0.PG = 1, CR4.PAE = 1, EFER.LMA = 1, EFER.NXE = 1. An entry has 8 bytes",
    CR4_PAE, EFER_NXE | EFER_LME | EFER_LMA, 8, 4, 16,
    { { "PML4 table", 47, 39 }, { "page-directory-pointer table", 38, 30 },
      { "page directory", 29, 21 }, { "page table", 20, 12 } }
};

/* The machine, the address, and what the walk of it came to. */
struct problem {
    const struct mode *mode;
    struct gmem   *memory;
    struct paging  registers;
    gla_t          gla;
    unsigned       access;
    gpa_t          table[4];            /* where the table of each level is */
    struct walk    walk;
    uint64_t       after[4];            /* its entries, when the walk had set A and D bits */
    unsigned       n_marked;            /* how many of them it changed                     */
};

#define MEMORY_BYTES (1u << 20)

/* What may hinder an access: bits that one level lacks (or has). */
enum hindrance { NONE, LARGE, ABSENT, READ_ONLY, SUPERVISOR, NO_EXECUTE, N_HINDRANCES };

static unsigned table_index(const struct problem *p, unsigned level)
{
    const struct level *l = &p->mode->level[level];
    return (unsigned)((p->gla & FIELD(l->hi, l->lo)) >> l->lo);
}

static gpa_t entry_address(const struct problem *p, unsigned level)
{
    return p->table[level] + (uint64_t)table_index(p, level) * p->mode->entry_bytes;
}

static bool is_pdpte(const struct problem *p, unsigned level)
{
    return p->mode == &mode_pae && level == 0;
}

/* An entry with the bits that any may have: P, W, U, and now and then A. */
static uint64_t some_flags(struct sheet *s, const struct problem *p, unsigned level)
{
    if (is_pdpte(p, level))
        return PTE_P;
    uint64_t flags = PTE_P | PTE_W | PTE_U;
    if (sheet_pick(s, 0, 2) == 0)
        flags |= PTE_A;
    return flags;
}

static void put_entry(struct problem *p, gpa_t at, uint64_t entry)
{
    gmem_write(p->memory, at, &entry, p->mode->entry_bytes);
}

/* The entries beside the one that counts: plausible, and wrong. */
static void put_neighbours(struct sheet *s, struct problem *p, unsigned level)
{
    gpa_t first = entry_address(p, level) & ~(uint64_t)(4 * p->mode->entry_bytes - 1);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t flags = some_flags(s, p, level);
        uint64_t frame = sheet_pick(s, 1, 255);
        if (sheet_pick(s, 0, 3) == 0)
            flags &= is_pdpte(p, level) ? 0 : ~PTE_P;
        put_entry(p, first + i * p->mode->entry_bytes, frame << 12 | flags);
    }
}

/* The entry of the way at `level`, which leads to `to`; what hinders is in it if its time has
 * come. */
static void put_way(struct sheet *s, struct problem *p, unsigned level, uint64_t to,
                    enum hindrance h, bool here)
{
    uint64_t flags = some_flags(s, p, level);
    static const uint64_t lacks[N_HINDRANCES] = {
        [ABSENT] = PTE_P, [READ_ONLY] = PTE_W, [SUPERVISOR] = PTE_U,
    };
    if (here)
        flags &= ~lacks[h];
    if (here && h == NO_EXECUTE)
        flags |= PTE_NX;
    if (here && h == LARGE)
        flags |= PTE_PS;
    put_entry(p, entry_address(p, level), to | flags);
}

/* Page tables in n different pages of the lowest megabyte. */
static void place_tables(struct sheet *s, struct problem *p)
{
    uint8_t page[64];
    for (unsigned i = 0; i < NELEM(page); i++)
        page[i] = (uint8_t)(i + 1);
    sheet_shuffle(s, page, NELEM(page), 1);
    for (unsigned i = 0; i < 4; i++)
        p->table[i] = (gpa_t)page[i] * PAGE_SIZE;
    if (p->mode == &mode_pae)                           /* only 32 bytes, aligned so */
        p->table[0] += 32u * sheet_pick(s, 0, 127);
}

static void fill_tables(struct sheet *s, struct problem *p, enum hindrance h)
{
    unsigned n = p->mode->n_levels;
    unsigned where = h == LARGE ? n - 2 : sheet_pick(s, 0, n - 1);
    if (p->mode == &mode_pae && where == 0 && h != ABSENT)
        where = n - 1;
    if (h == NO_EXECUTE && p->mode == &mode_32)
        h = READ_ONLY;
    for (unsigned i = 0; i < n; i++) {
        put_neighbours(s, p, i);
        uint64_t to = i + 1 < n ? p->table[i + 1] : (uint64_t)sheet_pick(s, 16, 4095) << 12;
        if (h == LARGE && i == where)
            to = (uint64_t)sheet_pick(s, 1, 200) << p->mode->level[i].lo;
        put_way(s, p, i, to, h, i == where);
    }
}

/* An access that may meet what hinders: half of those that are not allowed are chosen so. */
static unsigned some_access(struct sheet *s, enum hindrance h)
{
    static const unsigned accesses[] = { WALK_READ, WALK_WRITE, WALK_FETCH };
    static const unsigned meets[N_HINDRANCES] = {
        [READ_ONLY] = WALK_WRITE, [SUPERVISOR] = WALK_USER, [NO_EXECUTE] = WALK_FETCH,
    };
    unsigned a = accesses[sheet_pick(s, 0, 2)];
    unsigned user = sheet_pick(s, 0, 1) ? WALK_USER : 0;
    if (!meets[h] || sheet_pick(s, 0, 1))
        return a | user;
    return meets[h] == WALK_USER ? a | WALK_USER : meets[h] | user;
}

static void walk_it(struct problem *p)
{
    uint64_t before[4] = { 0 };
    for (unsigned i = 0; i < p->mode->n_levels; i++)
        gmem_read(p->memory, entry_address(p, i), &before[i], p->mode->entry_bytes);
    walk(&p->registers, p->memory, p->gla, p->access, &p->walk);
    for (unsigned i = 0; i < p->mode->n_levels; i++) {
        gmem_read(p->memory, entry_address(p, i), &p->after[i], p->mode->entry_bytes);
        p->n_marked += before[i] != p->after[i];
        if (i < p->walk.depth)
            p->walk.step[i].entry = before[i];          /* as the student sees it */
    }
}

/* ---- as text ---- */

static const char *access_words(unsigned access)
{
    return access & WALK_WRITE ? "writes" : access & WALK_FETCH ? "fetches an instruction" :
           "reads";
}

static int by_address(const void *a, const void *b)
{
    gpa_t x = *(const gpa_t *)a, y = *(const gpa_t *)b;
    return x < y ? -1 : x > y;
}

/* Four entries of each table, and not in the order of the walk. */
static void show_memory(struct sheet *s, const struct problem *p)
{
    unsigned bytes = p->mode->entry_bytes, n = p->mode->n_levels;
    gpa_t first[4] = { 0 };
    for (unsigned i = 0; i < n; i++)
        first[i] = entry_address(p, i) & ~(uint64_t)(4 * bytes - 1);
    qsort(first, n, sizeof first[0], by_address);
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = 0; k < 4; k++) {
            uint64_t entry = 0;
            gmem_read(p->memory, first[i] + k * bytes, &entry, bytes);
            sheet_show(s, "0x%08" PRIx64 ":  0x%0*" PRIx64, first[i] + k * bytes, 2 * (int)bytes,
                       entry);
        }
}

static void give(struct sheet *s, const struct problem *p)
{
    sheet_say(s, "A guest uses %s. CR0.WP = 1, and CR4.SMEP = CR4.SMAP = 0.", p->mode->about);
    sheet_show(s, "CR3 = 0x%08" PRIx64, p->registers.cr3);
    sheet_say(s, "A part of its memory (address: entry; entries as numbers, not byte by byte):");
    show_memory(s, p);
    sheet_say(s, "%s %s at linear address 0x%0*" PRIx64 ".",
              p->access & WALK_USER ? "A program in ring 3" : "The kernel, in ring 0,",
              access_words(p->access), (int)p->mode->address_digits, p->gla);
}

/* The steps of the walk as lines of a solution. */
static void tell_steps(struct sheet *s, const struct problem *p)
{
    for (unsigned i = 0; i < p->walk.depth; i++) {
        const struct level *l = &p->mode->level[i];
        uint64_t e = p->walk.step[i].entry;
        sheet_because_line(s, "%s: bits %u:%u are %u, so the entry is at 0x%" PRIx64, l->table,
                           l->hi, l->lo, table_index(p, i), p->walk.step[i].at);
        sheet_because_line(s, "  it is 0x%" PRIx64 ": P=%d W=%d U=%d%s%s", e, !!(e & PTE_P),
                           !!(e & PTE_W), !!(e & PTE_U),
                           e & PTE_PS && i + 2 >= p->mode->n_levels ? " PS=1" : "",
                           e & PTE_NX ? " NX=1" : "");
    }
}

static void ask_result(struct sheet *s, const struct problem *p)
{
    static const char *const ends[] = { "a physical address", "a page fault" };
    const struct walk *w = &p->walk;
    bool fault = w->result == WALK_FAULT;
    sheet_ask_choice(s, ends, NELEM(ends), fault, "What does the walk end in?");
    if (fault)
        sheet_because(s, "%s", w->error & PF_P ?
                      "All entries on the way are present, but W, U or NX of at least one of them "
                      "does not allow this access. What is allowed is what all levels allow." :
                      "The last entry that was read has P = 0.");
    else
        sheet_because(s, "All entries on the way are present, and all of them allow this access.");
    sheet_ask_hex(s, fault ? w->error : w->gpa,
                  "The physical address; or, of a page fault, the error code.");
    if (fault)
        sheet_because(s, "Bit 0: %s. Bit 1: %s. Bit 2: %s. Bit 4: %s.",
                      w->error & PF_P ? "1, the page is there, but not for this" :
                                        "0, an entry is not present",
                      w->error & PF_W ? "1, a write" : "0, no write",
                      w->error & PF_U ? "1, from ring 3" : "0, not from ring 3",
                      w->error & PF_I ? "1, a fetch, which is told because EFER.NXE is set" :
                      p->access & WALK_FETCH ? "0: without NXE and SMEP a fetch is not told" :
                                               "0, no fetch");
    else
        sheet_because(s, "The page has 0x%" PRIx64 " bytes. Its frame is in the last entry; the "
                      "other bits are the offset, 0x%" PRIx64 ".", w->page_size,
                      p->gla & (w->page_size - 1));
}

static void ask(struct sheet *s, const struct problem *p)
{
    sheet_ask_hex(s, p->walk.step[0].at, "At which physical address is the first entry that the "
                  "processor reads?");
    sheet_because(s, "CR3 holds where the %s is; bits %u:%u of the linear address, %u, select "
                  "one of its entries, which have %u bytes each.", p->mode->level[0].table,
                  p->mode->level[0].hi, p->mode->level[0].lo, table_index(p, 0),
                  p->mode->entry_bytes);
    sheet_ask_number(s, p->walk.depth, "How many entries are read in all%s?",
                     p->mode == &mode_pae ? " (the first one counts, though a processor reads it "
                                            "when CR3 is loaded)" : "");
    tell_steps(s, p);
    ask_result(s, p);
    if (p->walk.result != WALK_OK)
        return;
    sheet_ask_number(s, p->n_marked, "In how many entries does the processor set a bit (A or D)?");
    sheet_because(s, "A (bit 5) is set in every entry that was used and lacks it%s; D (bit 6) in "
                  "the last one, if the access is a write.", p->mode == &mode_pae ?
                  ", except in that of the page-directory-pointer table, which has no A bit" : "");
    for (unsigned i = 0; i < p->walk.depth; i++)
        if (p->walk.step[i].entry != p->after[i])
            sheet_because_line(s, "%s: 0x%" PRIx64 " becomes 0x%" PRIx64, p->mode->level[i].table,
                               (uint64_t)p->walk.step[i].entry, p->after[i]);
}

static void make_walk(struct sheet *s, const struct mode *mode)
{
    struct problem p = { .mode = mode };
    enum hindrance h = sheet_pick(s, 0, N_HINDRANCES - 1);
    p.memory = gmem_new();
    bug_if(!p.memory || gmem_add(p.memory, "RAM", 0, MEMORY_BYTES, GMEM_RAM), "no guest memory");
    gmem_freeze(p.memory);
    place_tables(s, &p);
    p.gla = sheet_pick(s, 0, UINT32_MAX);
    if (mode == &mode_64) {
        uint64_t high = sheet_pick(s, 0, UINT32_MAX);
        p.gla |= high << 32;
        p.gla = (uint64_t)((int64_t)(p.gla << 16) >> 16);
    }
    p.registers = (struct paging){ .cr0 = CR0_PE | CR0_PG | CR0_WP, .cr3 = p.table[0],
                                   .cr4 = mode->cr4, .efer = mode->efer };
    fill_tables(s, &p, h);
    p.access = some_access(s, h);
    give(s, &p);
    walk_it(&p);
    ask(s, &p);
    gmem_free(p.memory);
}

void make_walk_32(struct sheet *s)
{
    make_walk(s, &mode_32);
}

void make_walk_pae(struct sheet *s)
{
    make_walk(s, &mode_pae);
}

void make_walk_64(struct sheet *s)
{
    make_walk(s, &mode_64);
}
