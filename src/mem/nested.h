/*
 * mem/nested.h -- monitor: the nested page tables, from guest-physical to host-physical.
 *
 * The monitor keeps them in EPT format and tells the processor where the root is; the
 * processor walks them by itself (ept_walk.h says how, and what an entry looks like).
 * Nothing here looks anything up for the guest, and nothing here reads its memory.
 *
 * The contract:
 *
 *   lazy       The tables are empty at first.  What the guest has not touched is not mapped, so
 *              the EPT violations tell the monitor which memory a guest uses: nested_fill()
 *              makes the one page present that was asked for, and no other.
 *   once       A page that is mapped with the rights that an access needs makes no violation,
 *              until somebody takes the entry or the right away.
 *   only RAM   An entry names a frame of the guest's memory (HMEM_GUEST + gpa) or a table.  What
 *              is neither RAM nor ROM stays empty: the processor's access there goes to a
 *              device.  nested_fill() gives a ROM's entry no W.  Nobody else gives it one either:
 *              who calls nested_map() or nested_protect() with EPT_W leaves ROM out (hypercall.c
 *              does), and here it is not looked for.
 *   large      A leaf at level 2 maps 2 MiB, where all of them are in one region of memory.
 *   no entry that a processor refuses: ept_walk.c's misconfigured() lists them.  Rights with W
 *              and without R are among them: nested_map() returns -EINVAL for such a perm.  For
 *              nested_protect() it is a mistake of the caller's, which need not be looked for; the
 *              real one ends with a bug_if().  Only nested_put_entry() writes what it is told.
 *   counted    nested_count() is always the number of leaves that are present, in small pages and
 *              large: one that is split counts 512 from then on.
 *   no memory  If a table is needed and hmem_table_new() has none (HMEM_NONE), -ENOMEM, and what
 *              was mapped stays mapped.  nested_protect() cannot return that.  It must not leave
 *              more rights than it was told, so it takes the whole 2 MiB page away that it cannot
 *              split, which counts as one entry; the guest's next access makes a violation.
 *              (In lab 6 there are 24 frames.)
 *
 * The monitor flushes the TLBs after a call that has taken something away, and only then:
 * nested_unmap() and nested_protect() say by what they return whether they have.  And
 * nested_unmap() logs NESTED_ZAP with gpa and len, if it has removed anything; no other function
 * logs.  (In lab 6 t is NULL, and the trusted monitor logs it: a call of trace_emit() more or less
 * is no mistake.)
 *
 * Free to choose: when a table is made and whether an empty one is given back, which frames
 * tables lie in, what is remembered beside them, loop or recursion; and A and D bits of entries
 * that are written anew.
 */
#ifndef MEM_NESTED_H
#define MEM_NESTED_H

#include "base/types.h"
#include "mem/ept_walk.h"

#define NESTED_LARGE  (UINT64_C(1) << 21)       /* bytes under a leaf of level 2 */

struct bytes_in;
struct bytes_out;
struct nested;
struct trace;

/* Empty tables in h, which must outlive them.  t (for NESTED_ZAP) may be NULL.  NULL and errno, if
 * there is no memory. */
struct nested *nested_new(struct hmem *h, struct trace *t);
void nested_free(struct nested *n);

/* The root table, for the EPT pointer: the same as long as n lives. */
hpa_t nested_root(const struct nested *n);

/* Map [gpa, gpa+size) to hpa; size is 4 KiB or 2 MiB and both are aligned to
 * it.  perm is of EPT_R/W/X.  0, -EINVAL, -ENOMEM.  Replaces what was there: of a 2 MiB page
 * in which a small one is mapped the rest stays as it was. */
int  nested_map(struct nested *n, gpa_t gpa, hpa_t hpa, uint64_t size, unsigned perm);

/* The answer to an EPT violation or misconfiguration, the processor's access to gpa not being
 * allowed: map the page at gpa with all the rights that it can have (RAM: all three; ROM: R and X).
 * What stands there, an entry with fewer rights or one that nested_put_entry() has written, is
 * replaced.  0; -ENOENT, if no region of memory has gpa; -ENOMEM.
 *
 * It is a page of 4 KiB; and one of 2 MiB if nested_set_large() asked for that, all of it is one
 * region of memory, and none of it is mapped by small pages: those were made small on purpose. */
int  nested_fill(struct nested *n, gpa_t gpa);
void nested_set_large(struct nested *n, bool large);

/* Remove what maps any of [gpa, gpa+len); the number of entries removed.  An entry is
 * removed whole, a 2 MiB page of which the range has only a part, too.  len 0 is no range, and what
 * lies beyond EPT_GPA_LIMIT is not mapped. */
size_t nested_unmap(struct nested *n, gpa_t gpa, uint64_t len);

/* Give what is mapped in the range the rights perm, no more and no less; the number of
 * entries that this changed: one that has these rights already is not changed.  A 2 MiB page that
 * is not wholly in the range, and would change, is split into 512 small ones first, and only those
 * in the range count and change; one that would not change stays large.  perm 0 removes them.  A
 * range may begin and end within a page: the page is in it. */
size_t nested_protect(struct nested *n, gpa_t gpa, uint64_t len, unsigned perm);

/* Write `entry` as it is where gpa's 4 KiB page is mapped, however wrong it may be: to
 * show, and to test, what the hardware says of it.  A 2 MiB page there is split, and the other 511
 * stay as they were.  0 or -EINVAL (gpa is beyond EPT_GPA_LIMIT), -ENOMEM. */
int  nested_put_entry(struct nested *n, gpa_t gpa, uint64_t entry);

/* For snapshots.  nested_load makes the tables say exactly what was saved, without an
 * event; false if that makes no sense for this guest memory, and then they are empty. */
void nested_save(const struct nested *n, struct bytes_out *o);
bool nested_load(struct nested *n, struct bytes_in *in);

/* The memory references of a two-dimensional walk when no cache has anything of it.  at[0] to
 * at[n_at - 2] are the guest-physical addresses of the guest's own entries on the way, from its
 * root down, and at[n_at - 1] is the address that they lead to.  For each of them come the nested
 * entries that the processor reads to find it, and then the guest's entry itself: its
 * host-physical address, too.  (The last address is not read: the access itself does that.)  Where
 * an entry is not present the list ends with it; of an address beyond EPT_GPA_LIMIT there is none.
 * How many; with four levels on both sides 24.
 * [SDM 3C "EPT Translation Mechanism"] */
size_t nested_references(const struct nested *n, const gpa_t *at, size_t n_at, hpa_t *list);
#define NESTED_MOST_AT 5                                /* addresses: four levels and the page */
#define NESTED_MOST_REFERENCES (5 * NESTED_MOST_AT - 1)

/* Leaves present, for statistics. */
size_t nested_count(const struct nested *n);

#endif
