/*
 * mem/hmem.h -- host-physical memory: what simulated hardware finds behind a frame
 * number in a nested or shadow table.
 *
 * A real monitor fills its tables with the numbers of RAM frames.  Ours runs in a
 * process and has no such numbers, so it makes up a small machine of its own:
 *
 *     hpa            what is there
 *     0              nothing: a forgotten entry leads nowhere
 *     HMEM_TABLES    frames for the monitor's own tables
 *     HMEM_GUEST     the guest's memory: hpa = HMEM_GUEST + gpa, with the same holes
 *
 * Whatever number an entry holds, it is looked up here each time it is used, and a
 * number with nothing behind it gives NULL: a table can be wrong, but it cannot
 * lead into other memory of this process.
 *
 * Nested (EPT) and shadow tables have the same shape: 512 entries of 8 bytes, four
 * levels, leaves at 4 KiB (nested ones at 2 MiB, too).  What is in an entry say
 * ept_walk.h and shadow_walk.h.
 */
#ifndef MEM_HMEM_H
#define MEM_HMEM_H

#include "base/types.h"
#include "base/x86.h"
#include "mem/gmem.h"

#define HMEM_NONE         0                     /* hpa of no frame                            */
#define HMEM_TABLES       ((hpa_t)PAGE_SIZE)
#define HMEM_GUEST        ((hpa_t)BIT(MAXPHYADDR))  /* above any gpa, so none is mistaken for one */
#define HMEM_MAXPHYADDR   46                    /* of the simulated host, in bits             */

#define TABLE_ENTRIES     512

struct hmem {
    const struct gmem *gmem;
    char     *tables;           /* the frames from HMEM_TABLES on             */
    uint64_t  tables_bytes;     /* how much of it was handed out at some time */
    uint64_t  tables_max;
    hpa_t     free;             /* the first frame given back, or HMEM_NONE   */
    const struct gmem_region *last;     /* hint: where hmem_guest_byte() looks first */
};

/* Room for the tables that map all of m once, and for every shadow page there can be.
 * m is frozen and outlives it.  NULL and errno. */
struct hmem *hmem_new(const struct gmem *m);
void hmem_free(struct hmem *h);

/* The table in the frame at hpa (page-aligned), or NULL if none was ever made there. */
static inline uint64_t *hmem_table(const struct hmem *h, hpa_t hpa)
{
    uint64_t off = hpa - HMEM_TABLES;           /* huge if hpa lies below */

    return off < h->tables_bytes ? (uint64_t *)(void *)(h->tables + off) : NULL;
}

/* The guest's memory at [hpa, hpa+len), or NULL if not all of that is guest memory. */
static inline void *hmem_guest(const struct hmem *h, hpa_t hpa, uint64_t len)
{
    return gmem_ptr(h->gmem, hpa - HMEM_GUEST, len);
}

/* The region of guest memory that hpa lies in, or NULL; it is looked at first next time. */
const struct gmem_region *hmem_region(const struct hmem *h, hpa_t hpa);

/* One byte of it, quickly: most lie in the region of the one before. */
static inline void *hmem_guest_byte(const struct hmem *h, hpa_t hpa)
{
    const struct gmem_region *r = __atomic_load_n(&h->last, __ATOMIC_RELAXED);
    void *hva = gmem_hva(r, hpa - HMEM_GUEST, 1);

    if (hva)
        return hva;
    r = hmem_region(h, hpa);
    return r ? gmem_hva(r, hpa - HMEM_GUEST, 1) : NULL;
}

/* Index of `address` in a table of `level`: 4 (root) to 1 (leaf). */
static inline unsigned table_index(uint64_t address, unsigned level)
{
    return (unsigned)(address >> (12 + 9 * (level - 1))) & (TABLE_ENTRIES - 1);
}

/* For the monitor, which keeps the tables: a frame with an empty table, HMEM_NONE if
 * there are no more; and back. */
hpa_t hmem_table_new(struct hmem *h);
void  hmem_table_free(struct hmem *h, hpa_t hpa);

#endif
