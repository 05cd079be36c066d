/*
 * debugger/report/explain_page.c -- why the page tables do not allow an access: which entry
 * says so, and where it lies.
 *
 * The walk is made again, as the MMU made it (mem/walk.h), over the tables as they are now;
 * nothing in them is changed.  Told is the entry at which the walk ended, or that withholds the
 * right that was missing.  A table that lies where there is no memory is a mistake of its own:
 * entries and CR3 hold physical addresses, and a kernel in the upper half of the address space
 * easily writes linear ones there.
 * [SDM 3A "Page-Fault Exceptions", "Determination of Access Rights"]
 */
#include "debugger/report/explain_private.h"

#include <inttypes.h>

#include "mem/walk.h"

/* What the entries of each level are called; the root's first. */
static const char *entry_name(unsigned levels, unsigned depth)
{
    static const char *const names[5][4] = {
        [2] = { "page directory entry", "page table entry" },
        [3] = { "PDPT entry", "page directory entry", "page table entry" },
        [4] = { "PML4 entry", "PDPT entry", "page directory entry", "page table entry" },
    };
    return names[levels][depth];
}

/* A source of table entries that only reads. */
struct tables { const struct explain_input *in; uint64_t entry; };

static void *read_entry(void *arg, gpa_t at, unsigned size, bool write)
{
    struct tables *t = arg;
    t->entry = 0;
    return !write && t->in->physical(t->in->arg, at, &t->entry, size) ? &t->entry : NULL;
}

/* Is the right withheld by an entry of this level?  The four PDPT entries of PAE paging have
 * no rights. */
static bool withholds(unsigned levels, unsigned depth, uint64_t entry, uint32_t error)
{
    if (levels == 3 && depth == 0)
        return false;
    return ((error & PF_U) && !(entry & PTE_U)) || ((error & PF_W) && !(entry & PTE_W)) ||
           ((error & PF_I) && (entry & PTE_NX));
}

static const char *missing_right(uint64_t entry, uint32_t error)
{
    if ((error & PF_U) && !(entry & PTE_U))
        return "U/S (bit 2) is 0, ring 3 may not use it";
    if ((error & PF_W) && !(entry & PTE_W))
        return "R/W (bit 1) is 0, it may not be written to";
    if ((error & PF_I) && (entry & PTE_NX))
        return "NX (bit 63) is set, it may not be executed";
    return "U/S (bit 2) is 1, and CR4.SMEP or CR4.SMAP keeps ring 0 from pages of ring 3";
}

/* Which bits must be 0 depends on the level; the likeliest is named. */
static const char *reserved_bit(const struct cpu_state *c, unsigned levels, unsigned depth,
                                uint64_t entry)
{
    bool is_table_entry = depth == levels - 1;
    if ((entry & PTE_NX) && levels > 2 && !(c->efer & EFER_NXE))
        return "bit 63 (NX) is set, but EFER.NXE is 0";
    if ((entry & PTE_PS) && levels == 4 && depth == 0)
        return "bit 7 (PS) is set, but this level maps no pages";
    if ((entry & PTE_PS) && !is_table_entry)
        return "it maps a large page, whose address must be a multiple of its size";
    return "it has bits beyond physical addresses, or others that must be 0";
}

/* The depth of the entry to tell of: the one that withholds a right, or else the last. */
static unsigned guilty(const struct walk *w, unsigned levels, uint32_t error)
{
    for (unsigned i = 0; i < w->depth && (error & PF_P) && !(error & PF_RSVD); i++)
        if (withholds(levels, i, w->step[i].entry, error))
            return i;
    return w->depth - 1;
}

/* What may have led the MMU to a wrong entry: the one above it, or CR3.  NULL: nothing odd. */
static const char *doubt(const struct cpu_state *c, const struct walk *w, unsigned levels,
                         unsigned i)
{
    uint64_t above = i ? w->step[i - 1].entry : c->cr3;
    if (!i)
        return levels != 3 && above & 0xfff ? "the low 12 bits of CR3 are not part of the address: "
                                              "is the table aligned to 4096 bytes?" : NULL;
    if (levels == 2 && (above & PTE_PS) && !(c->cr4 & CR4_PSE))
        return "the entry above has PS (bit 7) set, but maps 4 MiB only with CR4.PSE, which is 0";
    if (above & FIELD(11, 9))
        return "the entry above has some of bits 11 to 9 set, which are not part of the address: "
               "is the table aligned to 4096 bytes?";
    return NULL;
}

/* The walk of a page fault's access, over the tables as they are.  False: paging is off, or the
 * tables cannot be read. */
static bool walk_again(const struct explain_input *in, gla_t at, uint32_t error, struct walk *w)
{
    struct paging pg = paging_of(in->cpu);
    struct tables tables = { .in = in };
    unsigned access = (error & PF_W ? (unsigned)WALK_WRITE : 0) |
                      (error & PF_U ? (unsigned)WALK_USER : 0) |
                      (error & PF_I ? (unsigned)WALK_FETCH : 0) | WALK_PEEK;
    if (!in->physical || !walk_levels(&pg))
        return false;
    walk_from(&pg, &(struct walk_source){ read_entry, &tables }, at, access, w);
    return true;
}

bool explain_table_is_nowhere(const struct explain_input *in, gla_t at)
{
    struct walk w;
    return walk_again(in, at, 0, &w) && w.result == WALK_NO_MEMORY;
}

void explain_say_walk(const struct explain_input *in, gla_t at, uint32_t error, FILE *out)
{
    const struct cpu_state *c = in->cpu;
    struct paging pg = paging_of(c);
    struct walk w;
    unsigned levels = walk_levels(&pg);
    if (!walk_again(in, at, error, &w) || w.result == WALK_OK)
        return;
    unsigned i = guilty(&w, levels, w.error);
    uint64_t entry = w.step[i].entry;
    fprintf(out, " (the %s at %#" PRIx64, entry_name(levels, i), w.step[i].at);
    if (w.result == WALK_NO_MEMORY)
        fputs(" lies where there is no memory", out);
    else if (!(w.error & PF_P))
        fprintf(out, " is %#" PRIx64 ": P (bit 0) is 0", entry);
    else
        fprintf(out, " is %#" PRIx64 ": %s", entry, w.error & PF_RSVD ?
                reserved_bit(c, levels, i, entry) : missing_right(entry, w.error));
    const char *because = w.result == WALK_NO_MEMORY ? NULL : doubt(c, &w, levels, i);
    fprintf(out, "%s%s)", because ? "; " : "", because ? because : "");
}
