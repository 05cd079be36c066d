/*
 * io/overlay.c -- sectors and bits in a memfd, and which pages of it have changed.
 *
 * Each page has a mark: never written (then it is zero, and looking at it would only make the host
 * give it out), written, dirty.  Dirty pages also stand in a row, so that taking them costs what
 * was written and not what the disk is large.  Marks and row are as long as they can ever have to
 * be; of them, too, the host gives out only what is used.
 */
#include "io/overlay.h"

#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "io/disk.h"

enum { WRITTEN = 1, DIRTY = 2 };

struct overlay {
    uint8_t  *byte;                     /* sectors, then bits           */
    int       memfd;
    uint64_t  bits_at;                  /* offset of the bits           */
    uint32_t  n_pages;
    uint8_t  *mark;                     /* of each page                 */
    uint32_t *dirty;                    /* numbers of dirty pages       */
    uint32_t  n_dirty;
};

static uint64_t whole_pages(uint64_t bytes)
{
    return (bytes + PAGE_SIZE - 1) & PAGE_MASK;
}

static uint64_t row_bytes(const struct overlay *o)
{
    return whole_pages((uint64_t)o->n_pages * sizeof o->dirty[0]);
}

struct overlay *overlay_new(uint64_t sectors)
{
    struct overlay *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->memfd = -1;
    o->bits_at = whole_pages(sectors * SECTOR_BYTES);
    uint64_t bytes = o->bits_at + whole_pages(sectors / 8 + 1);
    o->n_pages = (uint32_t)(bytes / PAGE_SIZE);
    o->byte = host_shared_alloc("disk overlay", bytes, &o->memfd);
    o->mark = host_page_alloc(whole_pages(o->n_pages));
    o->dirty = host_page_alloc(row_bytes(o));
    if (o->byte && o->mark && o->dirty)
        return o;
    overlay_free(o);
    return NULL;
}

void overlay_free(struct overlay *o)
{
    if (!o)
        return;
    host_shared_free(o->byte, (uint64_t)o->n_pages * PAGE_SIZE, o->memfd);
    if (o->mark)
        host_page_free(o->mark, whole_pages(o->n_pages));
    if (o->dirty)
        host_page_free(o->dirty, row_bytes(o));
    free(o);
}

static void mark_dirty(struct overlay *o, uint32_t page)
{
    if (!(o->mark[page] & DIRTY))
        o->dirty[o->n_dirty++] = page;
    o->mark[page] = WRITTEN | DIRTY;
}

/* ---- sectors ---- */

bool overlay_has(const struct overlay *o, uint64_t lba)
{
    uint64_t at = o->bits_at + lba / 8;
    return o->mark[at / PAGE_SIZE] && o->byte[at] >> lba % 8 & 1;
}

void overlay_read(const struct overlay *o, uint64_t lba, void *sector)
{
    memcpy(sector, o->byte + lba * SECTOR_BYTES, SECTOR_BYTES);
}

void overlay_write(struct overlay *o, uint64_t lba, const void *sector)
{
    uint64_t at = lba * SECTOR_BYTES, bit_at = o->bits_at + lba / 8;
    memcpy(o->byte + at, sector, SECTOR_BYTES);
    mark_dirty(o, (uint32_t)(at / PAGE_SIZE));
    if (overlay_has(o, lba))
        return;
    o->byte[bit_at] |= (uint8_t)(1u << lba % 8);
    mark_dirty(o, (uint32_t)(bit_at / PAGE_SIZE));
}

/* ---- pages ---- */

uint32_t overlay_pages(const struct overlay *o)
{
    return o->n_pages;
}

const uint8_t *overlay_page(const struct overlay *o, uint32_t page)
{
    return o->mark[page] ? o->byte + (uint64_t)page * PAGE_SIZE : NULL;
}

void overlay_put_page(struct overlay *o, uint32_t page, const uint8_t *data)
{
    if (!data && !o->mark[page])
        return;
    if (data)
        memcpy(o->byte + (uint64_t)page * PAGE_SIZE, data, PAGE_SIZE);
    else
        memset(o->byte + (uint64_t)page * PAGE_SIZE, 0, PAGE_SIZE);
    mark_dirty(o, page);
}

size_t overlay_take_dirty(struct overlay *o, uint32_t *out, size_t n)
{
    size_t k = 0;
    while (k < n && o->n_dirty) {
        out[k] = o->dirty[--o->n_dirty];
        o->mark[out[k++]] = WRITTEN;
    }
    return k;
}

/* FNV-1a, by eight bytes at a time.  Pages of zeros count as those that were never written. */
uint64_t overlay_hash(const struct overlay *o, uint64_t h)
{
    for (uint32_t page = 0; page < o->n_pages; page++) {
        const uint8_t *byte = overlay_page(o, page);
        if (!byte || (!byte[0] && !memcmp(byte, byte + 1, PAGE_SIZE - 1)))
            continue;
        h = (h ^ page) * UINT64_C(0x100000001b3);
        for (unsigned i = 0; i < PAGE_SIZE; i += 8) {
            uint64_t eight;
            memcpy(&eight, byte + i, 8);
            h = (h ^ eight) * UINT64_C(0x100000001b3);
        }
    }
    return h;
}
