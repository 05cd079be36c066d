/*
 * mem/gmem.c -- guest physical memory: a sorted array of regions on memfds.
 *
 * There are a handful of regions (low RAM, VGA, BIOS, ...), so a lookup is a
 * linear search that first tries the region found last: nearly every access
 * lies in the same one.  That hint is the only thing that changes after the
 * freeze, and any value of it is harmless, so readers in several threads need
 * no lock.
 *
 * Nothing here touches guest pages unless asked to copy: with userfaultfd on
 * the mappings the first touch of each page is an event of the guest's, not
 * ours.  gmem_hash() reads the backing files instead for the same reason.
 */
#include "mem/gmem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "base/x86.h"

#define MAX_REGIONS   32
#define MAX_LISTENERS 4

struct listener { gmem_changed_fn *fn; void *arg; };

struct gmem {
    struct gmem_region region[MAX_REGIONS];     /* in address order, disjoint */
    size_t             n_regions;
    unsigned           last;                    /* hint: where to look first  */
    bool               frozen;
    struct listener    listener[MAX_LISTENERS];
    size_t             n_listeners;
};

struct gmem *gmem_new(void)
{
    return calloc(1, sizeof(struct gmem));
}

void gmem_free(struct gmem *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n_regions; i++)
        host_shared_free(m->region[i].hva_base, m->region[i].size, m->region[i].memfd);
    free(m);
}

int gmem_add(struct gmem *m, const char *name, gpa_t base, uint64_t size, enum gmem_kind kind)
{
    uint64_t limit = BIT(MAXPHYADDR);
    if (m->frozen || !size || ((base | size) & ~PAGE_MASK) || base >= limit || size > limit - base)
        return -EINVAL;

    size_t at = 0;
    while (at < m->n_regions && m->region[at].base + m->region[at].size <= base)
        at++;
    if (at < m->n_regions && m->region[at].base < base + size)
        return -EEXIST;
    if (m->n_regions == MAX_REGIONS)
        return -ENOMEM;

    struct gmem_region r = { .name = name, .base = base, .size = size, .kind = kind };
    r.hva_base = host_shared_alloc(name, size, &r.memfd);
    if (!r.hva_base)
        return -ENOMEM;
    memmove(&m->region[at + 1], &m->region[at], (m->n_regions - at) * sizeof r);
    m->region[at] = r;
    m->n_regions++;
    return 0;
}

/* A counter, stirred until every bit of it has changed every bit of the result (the finalizer
 * of MurmurHash3): noise that can be made at any address without what comes before it. */
static uint64_t noise(uint64_t v)
{
    v = (v ^ v >> 33) * UINT64_C(0xff51afd7ed558ccd);
    v = (v ^ v >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return v ^ v >> 33;
}

void gmem_fill_noise(struct gmem *m, gpa_t base, uint64_t seed)
{
    const struct gmem_region *r = gmem_find(m, base);
    uint64_t *word = r ? gmem_hva(r, r->base, r->size) : NULL, key = noise(seed);

    for (uint64_t i = 0; word && i < r->size / sizeof *word; i++)
        word[i] = noise(key + r->base + i * sizeof *word);
}

void gmem_freeze(struct gmem *m)
{
    m->frozen = true;
}

EXIT_PATH const struct gmem_region *gmem_find(const struct gmem *m, gpa_t gpa)
{
    unsigned last = __atomic_load_n(&m->last, __ATOMIC_RELAXED);
    const struct gmem_region *r = &m->region[last];

    /* An unused slot has size 0, so nothing lies in it. */
    if (gpa - r->base < r->size)
        return r;
    for (size_t i = 0; i < m->n_regions; i++) {
        r = &m->region[i];
        if (gpa - r->base < r->size) {
            __atomic_store_n(&((struct gmem *)m)->last, (unsigned)i, __ATOMIC_RELAXED);
            return r;
        }
    }
    return NULL;
}

EXIT_PATH void *gmem_ptr(const struct gmem *m, gpa_t gpa, uint64_t len)
{
    const struct gmem_region *r = gmem_find(m, gpa);
    return r ? gmem_hva(r, gpa, len) : NULL;
}

bool gmem_gpa(const struct gmem *m, const void *hva, gpa_t *gpa)
{
    for (size_t i = 0; i < m->n_regions; i++) {
        const struct gmem_region *r = &m->region[i];
        uint64_t off = (uint64_t)((uintptr_t)hva - (uintptr_t)r->hva_base);
        if (off < r->size) {
            *gpa = r->base + off;
            return true;
        }
    }
    return false;
}

/* The host address of gpa, and in *n how many of the next `len` bytes lie in
 * the same region r. */
static void *piece(const struct gmem *m, gpa_t gpa, uint64_t len, uint64_t *n,
                   const struct gmem_region **r)
{
    *n = 0;
    *r = gmem_find(m, gpa);
    if (!*r)
        return NULL;
    uint64_t to_end = (*r)->size - (gpa - (*r)->base);
    *n = len < to_end ? len : to_end;
    return gmem_hva(*r, gpa, *n);
}

/* Is there RAM or ROM at every byte of [gpa, gpa+len)? */
static bool all_there(const struct gmem *m, gpa_t gpa, uint64_t len)
{
    const struct gmem_region *r;
    uint64_t n;

    for (; len; gpa += n, len -= n)
        if (!piece(m, gpa, len, &n, &r))
            return false;
    return true;
}

int gmem_read(const struct gmem *m, gpa_t gpa, void *buf, uint64_t len)
{
    const struct gmem_region *r;
    char *to = buf;
    uint64_t n;

    if (!all_there(m, gpa, len))
        return -EFAULT;
    for (; len; gpa += n, to += n, len -= n) {
        const void *hva = piece(m, gpa, len, &n, &r);
        memcpy(to, hva, n);
    }
    return 0;
}

static int copy_in(struct gmem *m, gpa_t gpa, const char *from, uint64_t len, bool rom_too)
{
    const struct gmem_region *r;
    uint64_t n;

    if (!all_there(m, gpa, len))
        return -EFAULT;
    for (; len; gpa += n, from += n, len -= n) {
        void *hva = piece(m, gpa, len, &n, &r);
        if (r->kind != GMEM_RAM && !rom_too)
            continue;
        memcpy(hva, from, n);
        gmem_changed(m, gpa, n);
    }
    return 0;
}

int gmem_write(struct gmem *m, gpa_t gpa, const void *buf, uint64_t len)
{
    return copy_in(m, gpa, buf, len, false);
}

int gmem_load_rom(struct gmem *m, gpa_t gpa, const void *buf, uint64_t len)
{
    return copy_in(m, gpa, buf, len, true);
}

size_t gmem_count(const struct gmem *m)
{
    return m->n_regions;
}

const struct gmem_region *gmem_region(const struct gmem *m, size_t i)
{
    return i < m->n_regions ? &m->region[i] : NULL;
}

void gmem_on_change(struct gmem *m, gmem_changed_fn *fn, void *arg)
{
    bug_if(m->n_listeners == MAX_LISTENERS, "more than %d listeners on guest memory",
           MAX_LISTENERS);
    m->listener[m->n_listeners++] = (struct listener){ fn, arg };
}

void gmem_changed(struct gmem *m, gpa_t gpa, uint64_t len)
{
    for (size_t i = 0; i < m->n_listeners; i++)
        m->listener[i].fn(m->listener[i].arg, gpa, len);
}

#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME  UINT64_C(0x100000001b3)

/* FNV-1a over one page.  A byte of 0 only multiplies by the prime, so a page
 * of zeros (most of them are) is one multiplication by its 4096th power. */
static uint64_t fnv_page(uint64_t h, const uint8_t page[PAGE_SIZE], uint64_t prime_4096)
{
    if (!page[0] && !memcmp(page, page + 1, PAGE_SIZE - 1))
        return h * prime_4096;
    for (size_t i = 0; i < PAGE_SIZE; i++)
        h = (h ^ page[i]) * FNV_PRIME;
    return h;
}

uint64_t gmem_hash(const struct gmem *m)
{
    uint8_t page[PAGE_SIZE];
    uint64_t prime_4096 = FNV_PRIME, h = FNV_OFFSET;

    for (int i = 0; i < 12; i++)
        prime_4096 *= prime_4096;
    for (size_t i = 0; i < m->n_regions; i++) {
        const struct gmem_region *r = &m->region[i];
        for (uint64_t off = 0; r->kind == GMEM_RAM && off < r->size; off += PAGE_SIZE) {
            int err = host_read_at(r->memfd, r->memfd_off + off, page, PAGE_SIZE);
            bug_if(err, "cannot read back guest memory \"%s\": %s", r->name, strerror(-err));
            h = fnv_page(h, page, prime_4096);
        }
    }
    return h;
}
