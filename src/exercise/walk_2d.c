/*
 * exercise/walk_2d.c -- exercise 12: what a TLB miss costs with nested paging.
 *
 * A guest's tables and nested tables are really built, and the walk of the guest's tables
 * (mem/walk.h) has each of its references walked in the nested ones (mem/ept_walk.h), as the
 * simulated processor does it.  Every reference is noted down; so they are counted, not computed.
 */
#include "base/host.h"
#include "base/x86.h"
#include "exercise/make.h"
#include "exercise/sheet.h"
#include "mem/ept_walk.h"
#include "mem/gmem.h"
#include "mem/hmem.h"
#include "mem/nested.h"
#include "mem/walk.h"

#define MiB (UINT64_C(1) << 20)

/* One memory reference of the walk. */
struct reference {
    bool     of_guest;                  /* an entry of a guest table; else of a nested one */
    unsigned level;                     /* of that table: 4 the root, 1 the last           */
};

struct machine {
    struct gmem   *memory;
    struct hmem   *hmem;
    struct nested *nested;
    struct paging  registers;
    unsigned       levels;              /* of the guest's tables                           */
    unsigned       guest_steps;         /* guest entries read so far                       */
    struct reference reference[32];
    unsigned       n;
};

static void note(struct machine *m, bool of_guest, unsigned level)
{
    bug_if(m->n == NELEM(m->reference), "a walk of more than %u references", m->n);
    m->reference[m->n++] = (struct reference){ of_guest, level };
}

/* The nested walk of one guest-physical address. */
static void *walk_nested(struct machine *m, gpa_t gpa)
{
    struct ept_walk w;
    ept_walk(m->hmem, nested_root(m->nested), gpa, EPT_R, true, &w);
    for (unsigned i = 0; i < w.depth; i++)
        note(m, false, w.step[i].level);
    return w.hva;
}

/* A walk_source: the guest's entry at `at`. */
static void *find_entry(void *arg, gpa_t at, unsigned size, bool write)
{
    struct machine *m = arg;
    void *hva = walk_nested(m, at);
    (void)size;
    (void)write;
    note(m, true, m->levels - m->guest_steps++);
    return hva;
}

/* Tables of the guest at 0x1000, 0x2000 ..., all entries of which lead to the next; the last one
 * maps gla to 0x10000, or (large) an entry of the last but one maps it to 0. */
static void build_guest_tables(struct machine *m, bool large)
{
    unsigned bytes = m->levels == 2 ? 4 : 8;
    for (unsigned i = 0; i < m->levels; i++) {
        bool last = i + 1 == m->levels, leaf = last || (large && i + 2 == m->levels);
        uint64_t to = !leaf ? 0x1000 * (i + 2) : last ? 0x10000 : 0;
        bool pdpte = m->levels == 3 && i == 0;
        uint64_t entry = to | PTE_P | (pdpte ? 0 : PTE_W | PTE_U) | (leaf && !last ? PTE_PS : 0);
        for (unsigned k = 0; k < PAGE_SIZE; k += bytes)
            gmem_write(m->memory, 0x1000 * (i + 1) + k, &entry, bytes);
    }
}

static void build(struct machine *m, unsigned levels, bool guest_large, bool nested_large)
{
    uint64_t size = nested_large ? 2 * MiB : PAGE_SIZE;
    *m = (struct machine){ .memory = gmem_new(), .levels = levels };
    bug_if(!m->memory || gmem_add(m->memory, "RAM", 0, 2 * MiB, GMEM_RAM), "no guest memory");
    gmem_freeze(m->memory);
    m->hmem = hmem_new(m->memory);
    bug_if(!m->hmem, "no memory for tables");
    m->nested = nested_new(m->hmem, NULL);
    bug_if(!m->nested, "no memory for tables");
    for (gpa_t at = 0; at < 2 * MiB; at += size)
        nested_map(m->nested, at, HMEM_GUEST + at, size, EPT_RWX);
    m->registers = (struct paging){
        .cr0 = CR0_PE | CR0_PG, .cr3 = 0x1000, .cr4 = levels == 2 ? CR4_PSE : CR4_PAE,
        .efer = levels == 4 ? EFER_LME | EFER_LMA : 0,
    };
    build_guest_tables(m, guest_large);
}

static void unbuild(struct machine *m)
{
    nested_free(m->nested);
    hmem_free(m->hmem);
    gmem_free(m->memory);
}

/* All references until the byte at gla is known to be at a host-physical address. */
static void walk_all(struct machine *m, gla_t gla)
{
    struct walk_source source = { find_entry, m };
    struct walk w;
    walk_from(&m->registers, &source, gla, WALK_READ | WALK_PEEK, &w);
    bug_if(w.result != WALK_OK, "the walk of an exercise fails");
    walk_nested(m, w.gpa);
}

static unsigned count(unsigned levels, bool guest_large, bool nested_large)
{
    struct machine m;
    build(&m, levels, guest_large, nested_large);
    walk_all(&m, 0x3000);
    unsigned n = m.n;
    unbuild(&m);
    return n;
}

static void tell_references(struct sheet *s, const struct machine *m)
{
    unsigned from = 1;
    for (unsigned i = 0; i < m->n; i++) {
        const struct reference *r = &m->reference[i];
        if (!r->of_guest && i + 1 < m->n)
            continue;
        unsigned nested = i + 1 - from + !r->of_guest;
        if (r->of_guest)
            sheet_because_line(s, "%2u to %2u  %u nested entries, then level %u of the guest's "
                               "tables", from, i + 1, nested, r->level);
        else
            sheet_because_line(s, "%2u to %2u  %u nested entries, for the address of the byte",
                               from, i + 1, nested);
        from = i + 2;
    }
}

void make_walk_2d(struct sheet *s)
{
    static const char *const modes[] = { [2] = "32-bit paging (2 levels)",
                                         [3] = "PAE paging (3 levels; count the PDPTE as read)",
                                         [4] = "4-level paging" };
    struct machine m;
    unsigned levels = sheet_pick(s, 0, 1) ? 4 : sheet_pick(s, 2, 3);
    bool guest_large = sheet_pick(s, 0, 2) == 0, nested_large = sheet_pick(s, 0, 2) == 0;
    build(&m, levels, guest_large, nested_large);
    walk_all(&m, 0x3000);
    unsigned k = sheet_pick(s, 1, m.n);
    sheet_say(s, "A guest uses %s, and maps an address by a %s. The monitor's nested tables (EPT) "
              "have 4 levels, and map guest memory by pages of %s. The guest reads a byte there; "
              "the TLB is empty, and there are no other caches of translations.", modes[levels],
              guest_large ? "large page, one level above the last" : "page of 4 KiB",
              nested_large ? "2 MiB" : "4 KiB");
    sheet_ask_number(s, m.n, "How many entries of tables does the processor read before it can "
                     "read the byte?");
    sheet_because(s, "CR3 and every entry of the guest hold guest-physical addresses, and each "
                  "must be translated by the nested tables before the guest's entry behind it can "
                  "be read; and at last the address of the byte itself: with g guest levels and e "
                  "nested ones that are walked, (g + 1) * (e + 1) - 1.");
    tell_references(s, &m);
    sheet_ask_number(s, m.reference[k - 1].of_guest ? m.reference[k - 1].level : 0,
                     "The reference number %u (from 1) is to which level of the guest's tables? "
                     "(The last table is level 1; 0: it is to a nested table.)", k);
    sheet_because(s, "See the list above.");
    sheet_ask_number(s, count(levels, guest_large, !nested_large), "How many would it be with "
                     "nested pages of %s?", nested_large ? "4 KiB" : "2 MiB");
    sheet_because(s, "A 2 MiB page ends the nested walk one level earlier, and that each time.");
    sheet_ask_number(s, 4, "How many with shadow tables of 4 levels and 4 KiB pages instead?");
    sheet_because(s, "The processor walks one table, the monitor's, which leads straight from "
                  "linear to host-physical. What it costs is paid elsewhere: in exits.");
    unbuild(&m);
}
