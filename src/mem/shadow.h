/*
 * mem/shadow.h -- shadow page tables: guest linear straight to host.
 *
 * Without nested paging the hardware can follow only one table, so the monitor
 * builds it: the guest's tables composed with its own map of guest memory.
 * Kept true by write-protecting every guest page a shadow entry came from.
 *
 * Invariant: an entry is present only if the guest's walk allows at least as
 * much, and every guest table it came from is write-protected in all shadows.
 *
 * A page fault of the shadowed guest is *true* (the guest's own tables forbid
 * it: reflect) or *hidden* (ours to repair: fill, retry).
 *
 * Entries have the format of 4-level paging [SDM 3A "4-Level Paging"]: P, W, U,
 * NX, 51:12 frame (an hva); and in bits the hardware ignores:
 */
#ifndef MEM_SHADOW_H
#define MEM_SHADOW_H

#include "base/types.h"
#include "mem/walk.h"

#define SHADOW_MMIO  BIT(9)     /* not present, and no RAM there: a device's. 51:12 is the gpa */

struct shadow;
struct trace;

/* m must outlive the shadow. */
struct shadow *shadow_new(struct gmem *m, struct trace *t);
void shadow_free(struct shadow *s);

/* The guest's paging registers changed (CR0, CR3, CR4, EFER): choose, or start,
 * the shadow for them.  Roots are cached by CR3 and role. */
int  shadow_switch(struct shadow *s, const struct paging *pg);

enum shadow_verdict {
    SHADOW_TRUE,            /* reflect w->error                       */
    SHADOW_FILLED,          /* hidden: entry made, retry              */
    SHADOW_UNPROTECTED,     /* hidden: a guest table is about to be written; its shadows are gone, retry */
    SHADOW_DEVICE,          /* nothing at w->gpa: an SHADOW_MMIO entry was made, retry   */
    SHADOW_FAILED,          /* out of memory                          */
};

/* The hardware faulted at gla wanting `access` (WALK_ bits); repair or judge.
 * *w is the guest's walk. */
enum shadow_verdict shadow_fault(struct shadow *s, gla_t gla, unsigned access, struct walk *w);

/* INVLPG: forget what maps gla in the current root.  As flush: everything the
 * guest may have changed behind our back (none, by the invariant). */
void shadow_invlpg(struct shadow *s, gla_t gla);

/* Guest memory [gpa, gpa+len) was written by somebody else than the vCPU. */
void shadow_forget(struct shadow *s, gpa_t gpa, uint64_t len);

/* Set whenever entries were removed or narrowed: the engine must drop its TLB.
 * Reading clears it. */
bool shadow_take_flush(struct shadow *s);

/* What the hardware does: follow the current root.  access is of WALK_ bits
 * (supervisor writes honour W only if cr0_wp).  Returns true and *hva, *entry
 * if allowed; else false, *error (a #PF error code) and *entry (0 or the entry). */
bool shadow_walk(const struct shadow *s, gla_t gla, unsigned access, bool cr0_wp,
                 void **hva, uint64_t *entry, uint32_t *error);

/* Check the invariant over all shadows; 0, or the number of bad entries, the
 * first described in why.  For tests and `make hard`. */
size_t shadow_check(const struct shadow *s, char *why, size_t n);

struct shadow_stats { uint64_t roots, pages, fills, zaps, true_faults, hidden_faults, pt_writes; };
void shadow_get_stats(const struct shadow *s, struct shadow_stats *st);

#endif
