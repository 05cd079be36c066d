/*
 * mem/shadow.h -- shadow page tables: guest linear straight to host.
 *
 * Without nested paging the hardware can follow only one table, so the monitor
 * builds it: the guest's tables composed with its own map of guest memory.
 * Kept true by write-protecting every guest page a shadow entry came from.
 *
 * Invariant: an entry is present only if the guest's walk allows at least as
 * much, and every guest table it came from is write-protected in all shadows
 * -- or out of sync: written since, and not yet followed by the INVLPG or load
 * of CR3 that the manual demands.  See shadow.c.
 *
 * A page fault of the shadowed guest is *true* (the guest's own tables forbid
 * it: reflect) or *hidden* (ours to repair: fill, retry).
 *
 * The whole contract, which any solution of lab 5 keeps.  The shadow must
 *
 *   1. allow an access only if the guest's walk allows it, and lead it to the
 *      same page: W, U, NX of all levels, CR0.WP, SMEP, and SMAP with the
 *      RFLAGS.AC of that access; where there is no memory, too;
 *   2. let a page be written only while its D bit is set, and map it only
 *      while all A bits on the way are: the first use faults, and the walk of
 *      that fault sets them;
 *   3. judge a fault by the guest's tables as they are at that moment, and tell
 *      a true one with the error code of the guest's walk, all bits of it;
 *   4. have nothing old left after an INVLPG of a page (of a large page: any
 *      address in it), and after a load of CR3 or a change of paging mode
 *      nothing old at all, global pages included;
 *   5. be true at once where nothing was present: of such an entry a processor
 *      has nothing cached, so the guest owes no INVLPG for it;
 *   6. get on: an instruction that needs ten pages, or writes the tables it
 *      needs itself, ends after so many faults as it needs entries.  When
 *      hmem_table_new() has no frame left (in lab 5 there are 128), something is
 *      forgotten to make room; SHADOW_FAILED is for when there is no room even then;
 *   7. have the hardware's TLB dropped (shadow_take_flush) when the processor
 *      might still use what the shadow has no more.  Behind shadow_switch() that
 *      is done in any case, and behind shadow_invlpg() for that address.
 *
 * A page of memory may be a table of two formats, one after the other, or of two
 * levels; a PDPT of PAE paging is 32 bytes, and several may lie in one page.
 *
 * It may: keep old translations until the guest invalidates them (a shadow is
 * a large TLB), or find out earlier; write-protect the guest's tables or not;
 * fill ahead (2 holds for what is filled ahead, too); forget anything at any
 * time, at the price of faults; share tables between address spaces or not;
 * keep shadows of address spaces that are away, or make them anew.  Of the
 * verdicts the caller tells only true, failed and hidden apart: which of the three
 * hidden ones it is serves who reads the trace.  In lab 5 shadow_forget() is not
 * asked for: no device of its machine writes memory by itself.
 *
 * What an entry looks like, and how the processor follows it, is shadow_walk.h's.
 */
#ifndef MEM_SHADOW_H
#define MEM_SHADOW_H

#include "base/types.h"
#include "base/x86.h"
#include "mem/shadow_walk.h"
#include "mem/walk.h"

struct bytes_in;
struct bytes_out;
struct shadow;
struct trace;

/* Shadows of tables in m, made in h (which is of the same m); both must outlive it. */
struct shadow *shadow_new(struct gmem *m, struct hmem *h, struct trace *t);
void shadow_free(struct shadow *s);

/* The guest loaded CR3 (even with the same value) or changed the paging bits of
 * CR0, CR4 or EFER: choose, or start, the shadow for them.  Roots are cached by
 * CR3 and role.  pg->ac is not looked at.  Needs no memory: the first fault makes
 * what is missing. */
void shadow_switch(struct shadow *s, const struct paging *pg);

enum shadow_verdict {
    SHADOW_TRUE,            /* reflect w->error                       */
    SHADOW_FILLED,          /* hidden: entry made, retry              */
    SHADOW_UNPROTECTED,     /* hidden: a guest table is written, so it is out of sync now; retry */
    SHADOW_DEVICE,          /* nothing (or ROM, for a write) at w->gpa; retry */
    SHADOW_FAILED,          /* out of memory                          */
};

/* The hardware faulted at gla wanting `access` (WALK_ bits, with WALK_AC as
 * RFLAGS.AC is now); repair or judge.  *w is the guest's walk.  It may have set
 * A and D bits in the tables at w->step[]. */
enum shadow_verdict shadow_fault(struct shadow *s, gla_t gla, unsigned access, struct walk *w);

/* INVLPG: forget what tables out of sync say of gla. */
void shadow_invlpg(struct shadow *s, gla_t gla);

/* Guest memory [gpa, gpa+len) was written by somebody else than the vCPU. */
void shadow_forget(struct shadow *s, gpa_t gpa, uint64_t len);

/* Set whenever entries were removed or narrowed, except the leaf of an INVLPG: the
 * engine must drop its whole TLB before it runs on, for a translation that no
 * shadow has any more would escape later write protection.  Reading clears it. */
bool shadow_take_flush(struct shadow *s);

/* What the processor's registers must hold for the guest to run on: its roots among
 * them.  The pointer stays good as long as s lives; what it shows changes. */
const struct shadow_regs *shadow_registers(const struct shadow *s);

/* Check the invariant over all shadows; 0, or the number of bad entries, the
 * first described in why.  For tests and `make hard`. */
size_t shadow_check(const struct shadow *s, char *why, size_t n);

/* For snapshots (shadow_save.c).  shadow_load makes the shadows what was saved, without
 * an event; false if that makes no sense, and then there are none.  What they are
 * shadows of must be in memory already, written by nobody who tells shadow_forget(). */
void shadow_save(const struct shadow *s, struct bytes_out *o);
bool shadow_load(struct shadow *s, struct bytes_in *in);

struct shadow_stats { uint64_t roots, pages, fills, zaps, true_faults, hidden_faults, pt_writes; };
void shadow_get_stats(const struct shadow *s, struct shadow_stats *st);

#endif
