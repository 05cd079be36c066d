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
 * Entries have the format of 4-level paging [SDM 3A "4-Level Paging"]: P, W, U,
 * NX, 51:12 frame (an hva); and in bits the hardware ignores:
 */
#ifndef MEM_SHADOW_H
#define MEM_SHADOW_H

#include "base/types.h"
#include "base/x86.h"
#include "mem/walk.h"

#define SHADOW_MMIO  BIT(9)     /* not present, and no RAM there: a device's. 51:12 is the gpa */

struct bytes_in;
struct bytes_out;
struct shadow;
struct trace;

/* m must outlive the shadow. */
struct shadow *shadow_new(struct gmem *m, struct trace *t);
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

/* What the hardware does: follow the current root.  access is of WALK_ bits, with
 * WALK_AC; SMEP and SMAP are the guest's, but CR0.WP is the monitor's and must be
 * set, or the guest's kernel could write through the protection.  Returns true
 * and *hva, *entry if allowed.  Else false, *error (see shadow_access) and *entry:
 * if it has SHADOW_MMIO, the access is allowed, but to a device at its 51:12. */
bool shadow_walk(const struct shadow *s, gla_t gla, unsigned access, bool cr0_wp,
                 void **hva, uint64_t *entry, uint32_t *error);

/* The entries that such a walk passes, from the root down: how many.  The last one is
 * the leaf, or is not present; their 51:12 are hvas of the next table. */
unsigned shadow_path(const struct shadow *s, gla_t gla, unsigned access, uint64_t entry[4]);

/* The error code of the hardware's #PF, with two things in its upper half that a
 * real one does not tell and the monitor needs to judge SMAP; and back. */
static inline uint32_t shadow_error(unsigned access, bool present)
{
    return (uint32_t)((present ? PF_P : 0) | (access & WALK_WRITE ? PF_W : 0) |
                      (access & WALK_USER ? PF_U : 0) | (access & WALK_FETCH ? PF_I : 0) |
                      (access & (WALK_SYSTEM | WALK_AC)) << 16);
}

static inline unsigned shadow_access(uint32_t error)
{
    return (error & PF_W ? WALK_WRITE : 0) | (error & PF_U ? WALK_USER : 0) |
           (error & PF_I ? WALK_FETCH : 0) | (error >> 16 & (WALK_SYSTEM | WALK_AC));
}

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
