/*
 * mem/ept_walk.h -- hardware: second-level translation, from guest-physical to
 * host-physical.
 *
 * The simulated processor comes here for every guest-physical address it uses: once
 * for each entry of the guest's page tables, once for the data itself.  The monitor
 * fills the tables (nested.h) and never walks them; the hardware walks them and never
 * fills them.  [SDM 3C "The Extended Page Table Mechanism (EPT)"]
 *
 * An entry:
 *
 *   63      52 51          12 11 10  9  8  7  6  5 4 3  2  1  0
 *    (ignored)     frame        .  .  D  A  L  0  type   X  W  R
 *
 *   R W X  what may be done; none of them set: the entry is not present
 *   type   of memory, in a leaf: 6, write-back.  0 in an entry that points to a table
 *   L      a leaf of 2 MiB; bits 20:12 are 0 then
 *   A, D   accessed, dirty: set by the walk
 */
#ifndef MEM_EPT_WALK_H
#define MEM_EPT_WALK_H

#include "base/types.h"

#define EPT_R      BIT(0)
#define EPT_W      BIT(1)
#define EPT_X      BIT(2)
#define EPT_RWX    (EPT_R | EPT_W | EPT_X)
#define EPT_TYPE   FIELD(5, 3)
#define EPT_WB     (UINT64_C(6) << 3)
#define EPT_LARGE  BIT(7)
#define EPT_A      BIT(8)
#define EPT_D      BIT(9)
#define EPT_FRAME  FIELD(51, 12)

#define EPT_GPA_LIMIT BIT(48)           /* four levels translate so much */

struct hmem;

enum ept_result {
    EPT_OK,
    EPT_VIOLATION,              /* not mapped, or not so                     */
    EPT_MISCONFIG,              /* the last step is an entry no processor accepts */
};

struct ept_walk {
    enum ept_result result;
    void    *hva;               /* of the byte at gpa; NULL if not mapped    */
    uint64_t page_size;         /* 4096 or 2 MiB, if mapped                  */
    unsigned perm;              /* R, W, X of all levels; 0: not mapped      */
    /* Only if the walk peeked or did not end in EPT_OK: */
    unsigned depth;             /* steps taken, 1 to 4 (0: gpa beyond the limit) */
    struct { unsigned level; uint64_t entry; } step[4];     /* as found      */
};

/* Translate gpa for an access that wants `access` (EPT_R, W, X), beginning at the
 * table in the frame at `root`: what the EPT pointer of a VMCS names.  Sets A in all
 * entries used and, for a write, D in the leaf, if the access is allowed; with `peek`
 * it sets nothing. */
void ept_walk(const struct hmem *h, hpa_t root, gpa_t gpa, unsigned access, bool peek,
              struct ept_walk *w);

/* Would a processor refuse this entry of a table at `level` (4 to 1), whatever the
 * access?  It asks only of entries that are present. */
bool ept_entry_is_misconfigured(const struct hmem *h, uint64_t entry, unsigned level);

#endif
