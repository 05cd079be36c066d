/*
 * mem/walk.h -- the guest's own page tables, read the way the MMU reads them.
 *
 * One walker for everybody: the interpreter, the shadow tables, the debugger
 * and the TUI.  Who only wants to look passes WALK_PEEK and nothing in the
 * guest changes; who stands for the processor does not, and the Accessed and
 * Dirty bits are set as the manual says.  [SDM 3A "Paging"]
 *
 * The walk is returned, not just its result, so that it can be drawn.
 */
#ifndef MEM_WALK_H
#define MEM_WALK_H

#include "base/types.h"

struct gmem;

/* The registers that decide; a copy, so mem/ needs no cpu/. */
struct paging {
    uint64_t cr0, cr3, cr4, efer;
    bool     ac;                /* RFLAGS.AC, for SMAP */
};

enum {
    WALK_READ  = 0,
    WALK_WRITE = 1,
    WALK_USER  = 2,             /* the access is made at CPL 3 */
    WALK_FETCH = 4,
    WALK_PEEK  = 8,             /* set no A or D bits           */
    WALK_SYSTEM = 16,           /* implicit supervisor access (GDT, TSS ...): SMAP ignores AC */
    WALK_AC    = 32,            /* shadow.h only: RFLAGS.AC at this access */
};

/* An access is a supervisor one unless the program itself makes it at CPL 3. */
static inline bool walk_is_user(unsigned access)
{
    return (access & (WALK_USER | WALK_SYSTEM)) == WALK_USER;
}

/* Where the walker finds a table entry: host pointer to the `size` bytes at
 * gpa `at`, or NULL to end the walk there.  First every entry is asked for to
 * be read; then, if the access is allowed, those that lack their A or D bit
 * are asked for again with `write`.  With nested paging this is where the
 * second dimension is walked.
 *
 * What is returned for `write` must hold the entry as memory has it now, even where
 * the write will be lost (ROM): the walker compares it with what it read before, and
 * walks once more if another CPU has changed it meanwhile. */
struct walk_source {
    void *(*entry)(void *arg, gpa_t at, unsigned size, bool write);
    void *arg;
};

enum walk_result {
    WALK_OK,
    WALK_FAULT,                 /* #PF with `error`                           */
    WALK_NO_MEMORY,             /* the source had nothing at step[depth-1].at */
};

struct walk {
    enum walk_result result;
    gpa_t    gpa;               /* if ok                                          */
    uint64_t page_size;         /* if ok: 4K, 2M, 4M, 1G; 4K if paging is off     */
    uint32_t error;             /* if WALK_FAULT: what #PF pushes                 */
    bool     writable;          /* if ok: by W bits (and CR0.WP) at this privilege */
    bool     user;              /* U/S of all levels                              */
    bool     executable;        /* NX of all levels (and SMEP)                    */
    bool     dirty;             /* if ok: the leaf's D bit, after this walk       */
    bool     global;            /* if ok: G, and CR4.PGE                          */
    bool     wrote;             /* it has set A or D bits in at least one entry   */
    unsigned depth;             /* steps taken: 0 without paging, up to 4         */
    struct { gpa_t at; uint64_t entry; } step[4];   /* from the root down; as left
                                                     * behind by this walk        */
};

void walk_from(const struct paging *pg, const struct walk_source *src, gla_t gla,
               unsigned access, struct walk *w);

/* As walk_from, with table entries read straight from guest memory by
 * walk_bus_entry(), so never WALK_NO_MEMORY. */
void walk(const struct paging *pg, struct gmem *m, gla_t gla, unsigned access, struct walk *w);

/* A table entry as the memory bus of a PC gives it: where there is nothing all
 * ones are read, and what is written to ROM is lost.  In both cases *scratch
 * stands in for it.  A source that simulates nested paging falls back on this
 * where the monitor can map nothing, so that such a guest sees the same. */
void *walk_bus_entry(struct gmem *m, gpa_t at, unsigned size, bool write, uint64_t *scratch);

/* How many levels these registers select: 0 (off), 2, 3 (PAE), 4. */
unsigned walk_levels(const struct paging *pg);

#endif
