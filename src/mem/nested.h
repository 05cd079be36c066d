/*
 * mem/nested.h -- second-level page tables: guest physical to host, EPT format.
 *
 * The monitor keeps them; simulated hardware really walks them, once for every
 * guest table entry it reads and once for the data itself.  An entry:
 *   bit 0 R, 1 W, 2 X, 7 large page, 8 A, 9 D, 51:12 frame (an hva)
 * [SDM 3C "The Extended Page Table Mechanism (EPT)"]
 */
#ifndef MEM_NESTED_H
#define MEM_NESTED_H

#include "base/types.h"

#define EPT_R     BIT(0)
#define EPT_W     BIT(1)
#define EPT_X     BIT(2)
#define EPT_RWX   (EPT_R | EPT_W | EPT_X)
#define EPT_LARGE BIT(7)
#define EPT_A     BIT(8)
#define EPT_D     BIT(9)

struct bytes_in;
struct bytes_out;
struct gmem;
struct nested;
struct trace;

struct nested *nested_new(struct trace *t);
void nested_free(struct nested *n);

/* Map [gpa, gpa+size) to hva; size is 4 KiB or 2 MiB and both are aligned to
 * it.  perm is of EPT_R/W/X.  0, -EINVAL, -ENOMEM.  Replaces what was there. */
int  nested_map(struct nested *n, gpa_t gpa, void *hva, uint64_t size, unsigned perm);

/* Remove what maps any of [gpa, gpa+len); the number of entries removed. */
size_t nested_unmap(struct nested *n, gpa_t gpa, uint64_t len);

/* Take away or give permissions on what is mapped in the range (2 MiB pages
 * are split); the number of entries changed. */
size_t nested_protect(struct nested *n, gpa_t gpa, uint64_t len, unsigned perm);

struct nested_walk {
    bool     ok;                /* mapped, and allows the access             */
    void    *hva;               /* of the byte at gpa, if mapped             */
    uint64_t page_size;
    unsigned perm;              /* of all levels; 0: not mapped              */
    unsigned depth;
    struct { unsigned level; uint64_t entry; } step[4];
};

/* Walk as the hardware does for an access wanting `access` (EPT_R/W/X bits);
 * sets the A and D bits unless peek. */
void nested_walk(const struct nested *n, gpa_t gpa, unsigned access, bool peek,
                 struct nested_walk *w);

/* For snapshots.  nested_load makes the tables say exactly what was saved, without an
 * event; false if that makes no sense in m, and then they are empty. */
void nested_save(const struct nested *n, struct bytes_out *o);
bool nested_load(struct nested *n, const struct gmem *m, struct bytes_in *in);

/* Entries present, for statistics. */
size_t nested_count(const struct nested *n);

#endif
