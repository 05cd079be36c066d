/*
 * mem/gmem.h -- guest physical memory: a short list of named regions.
 *
 * A gpa is RAM, ROM or nothing at all; what is nothing here belongs to a
 * device and is reached through io/bus.h.  gmem_hva() is the only place in
 * the program where a guest-physical address becomes a host pointer, so it is
 * the only place where a guest can try to escape; tests/static looks for
 * others.
 *
 * The layout is frozen before the first vCPU exists (gmem_freeze), so engines
 * may copy it into KVM memory slots or host mappings and never look again.
 */
#ifndef MEM_GMEM_H
#define MEM_GMEM_H

#include "base/types.h"

enum gmem_kind { GMEM_RAM, GMEM_ROM };

struct gmem_region {
    const char     *name;       /* "low RAM", "BIOS" -- shown by `info mem`   */
    gpa_t           base;
    uint64_t        size;       /* bytes, a multiple of 4096                  */
    enum gmem_kind  kind;
    void           *hva_base;   /* where `base` is mapped, until gmem_free.   */
                                /* Only gmem.h and gmem.c look at it.         */
    int             memfd;      /* backing file, so others can map it again   */
    uint64_t        memfd_off;
};

struct gmem;

struct gmem *gmem_new(void);
void gmem_free(struct gmem *m);

/* Add [base, base+size).  0, -EEXIST on overlap, -EINVAL if not page-aligned,
 * empty, beyond MAXPHYADDR or frozen, -ENOMEM.  `name` must outlive m. */
int  gmem_add(struct gmem *m, const char *name, gpa_t base, uint64_t size, enum gmem_kind kind);
void gmem_freeze(struct gmem *m);

/* The host address of [gpa, gpa+len) if all of that lies in r, else NULL. */
static inline void *gmem_hva(const struct gmem_region *r, gpa_t gpa, uint64_t len)
{
    uint64_t off = gpa - r->base;       /* huge if gpa lies below */

    if (off >= r->size || len > r->size - off)
        return NULL;
    return (char *)r->hva_base + off;
}

/* The same in whichever region gpa lies.  NULL if there is none, or [gpa, gpa+len)
 * goes on behind its end. */
void *gmem_ptr(const struct gmem *m, gpa_t gpa, uint64_t len);

/* The way back: true, and the guest-physical address that hva is mapped from; false
 * if hva points to no guest memory. */
bool gmem_gpa(const struct gmem *m, const void *hva, gpa_t *gpa);

/* The region gpa lies in, or NULL.  The pointer stays good once m is frozen. */
const struct gmem_region *gmem_find(const struct gmem *m, gpa_t gpa);

/* Copies that may cross regions.  0, or -EFAULT with nothing copied.  A write
 * to ROM succeeds and changes nothing, as on the bus of a real PC.  These are
 * for everybody but the vCPU: a write tells the listeners below. */
int  gmem_read(const struct gmem *m, gpa_t gpa, void *buf, uint64_t len);
int  gmem_write(struct gmem *m, gpa_t gpa, const void *buf, uint64_t len);
int  gmem_load_rom(struct gmem *m, gpa_t gpa, const void *buf, uint64_t len);   /* ROM too */

/* What RAM may hold when the power comes on: noise.  Fills the region at `base`, before any vCPU
 * exists; each word depends on its address and on seed, and on nothing else. */
void gmem_fill_noise(struct gmem *m, gpa_t base, uint64_t seed);

/* Regions in address order, for KVM slots, E820 and `info mem`. */
size_t gmem_count(const struct gmem *m);
const struct gmem_region *gmem_region(const struct gmem *m, size_t i);

/* FNV-1a over all RAM, for `compare` and replay checks.  Populates no page. */
uint64_t gmem_hash(const struct gmem *m);

/* Called after any write that did not come from the guest's own vCPU (device
 * DMA, debugger, loader), so code caches and shadow tables can forget.
 * gmem_write() does so by itself; who writes through gmem_ptr() must say it.
 * At most 4 listeners. */
typedef void gmem_changed_fn(void *arg, gpa_t gpa, uint64_t len);
void gmem_on_change(struct gmem *m, gmem_changed_fn *fn, void *arg);
void gmem_changed(struct gmem *m, gpa_t gpa, uint64_t len);     /* tell them */

#endif
