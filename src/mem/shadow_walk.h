/*
 * mem/shadow_walk.h -- hardware: the walk of a shadow table, from linear straight to
 * host-physical.
 *
 * Under shadow paging the processor knows nothing of the guest's tables: it follows
 * the one table that the monitor gave it, as any processor without EPT would, and
 * what it does not find there is a page fault that goes to the monitor.  The monitor
 * fills the table (shadow.h) and never walks it; the processor walks it and never
 * fills it.
 *
 * Entries have the format of 4-level paging [SDM 3A "4-Level Paging"], with NX:
 *
 *   63 62        52 51         12 11 10  9  8  7 6 5 4 3  2  1  0
 *   NX   (ignored)     frame       .  R  M  .  0 D A . .  U  W  P
 *
 * Two of the bits that a processor ignores are for our engine, which decodes accesses
 * to devices by itself and would otherwise need the monitor to tell it that they are:
 *   M  not present, and a device is there: 51:12 is the guest-physical page
 *   R  present, not writable, and ROM: a write is for the bus
 */
#ifndef MEM_SHADOW_WALK_H
#define MEM_SHADOW_WALK_H

#include "base/types.h"
#include "base/x86.h"
#include "mem/walk.h"

#define SHADOW_MMIO  BIT(9)
#define SHADOW_ROM   BIT(10)

struct hmem;

/* What the processor's registers hold while the guest runs; the monitor sets them, and
 * they are not the guest's, though SMEP and SMAP say what the guest's do. */
struct shadow_regs {
    hpa_t cr3[2];               /* for supervisor and user accesses; HMEM_NONE: all faults.
                                 * A real one has one CR3: its monitor would have to load
                                 * another wherever the privilege changes */
    gla_t gla_mask;             /* linear addresses have 32 or 48 bits           */
    bool  wp;                   /* CR0.WP: must be set, or the guest's kernel could
                                 * write through the protection of its tables    */
    bool  smep, smap;
};

struct shadow_walk {
    bool     ok;                /* mapped, and so                                 */
    bool     device;            /* not ok, but allowed: to a device (or ROM) at gpa */
    void    *hva;               /* if ok: of the byte at gla                      */
    gpa_t    gpa;               /* if ok or device                                */
    uint32_t error;             /* if not ok: what the page fault tells the monitor */
    uint64_t entry;             /* the last one met: a leaf, or not present; 0: no root */
    unsigned depth;             /* steps taken, up to 4                           */
    uint64_t step[4];           /* the entries, from the root down                */
};

/* Follow the table for an access of WALK_ bits (with WALK_AC: RFLAGS.AC is set). */
void shadow_walk(const struct hmem *h, const struct shadow_regs *r, gla_t gla, unsigned access,
                 struct shadow_walk *w);

/* The error code of such a page fault, with two things in its upper half that a
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

#endif
