/*
 * vm/pages.c -- numbers of pages, and where they are.
 *
 * A span is a run of pages that lie together.  There are a handful, so both ways of looking one up
 * go through all of them.
 */
#include "vm/pages.h"

#include <stdlib.h>
#include <string.h>

#include "io/overlay.h"
#include "mem/dirty.h"
#include "mem/gmem.h"
#include "vm/vm.h"

#define MAX_SPANS 32
#define AT_ONCE   256

struct span {
    uint32_t                  first, n;     /* numbers                                  */
    const struct gmem_region *ram;          /* a region of RAM, or NULL and ...         */
    struct overlay           *overlay;      /* ... what was written to a disk           */
};

struct pages {
    struct vm  *vm;
    struct span span[MAX_SPANS];
    size_t      n_spans;
    uint32_t    n;
};

static void add_span(struct pages *p, uint64_t n, const struct gmem_region *ram,
                     struct overlay *overlay)
{
    p->span[p->n_spans++] = (struct span){ p->n, (uint32_t)n, ram, overlay };
    p->n += (uint32_t)n;
}

struct pages *pages_new(struct vm *vm)
{
    struct pages *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->vm = vm;
    for (size_t i = 0; i < gmem_count(vm->gmem); i++) {
        const struct gmem_region *r = gmem_region(vm->gmem, i);
        if (r->kind == GMEM_RAM)
            add_span(p, r->size / PAGE_SIZE, r, NULL);
    }
    for (size_t i = 0; i < MAX_DISKS; i++) {
        struct overlay *o = disk_overlay(vm->disk[i]);
        if (o)
            add_span(p, overlay_pages(o), NULL, o);
    }
    return p;
}

void pages_free(struct pages *p)
{
    free(p);
}

uint32_t pages_count(const struct pages *p)
{
    return p->n;
}

static const struct span *span_of(const struct pages *p, uint32_t page)
{
    const struct span *s = p->span;
    while (page - s->first >= s->n)
        s++;
    return s;
}

static gpa_t gpa_in(const struct span *s, uint32_t page)
{
    return s->ram->base + (uint64_t)(page - s->first) * PAGE_SIZE;
}

const uint8_t *page_now(const struct pages *p, uint32_t page)
{
    static const uint8_t zero[PAGE_SIZE];
    const struct span *s = span_of(p, page);
    const uint8_t *now = s->overlay ? overlay_page(s->overlay, page - s->first)
                                    : gmem_hva(s->ram, gpa_in(s, page), PAGE_SIZE);
    return now ? now : zero;
}

void page_set(struct pages *p, uint32_t page, const uint8_t *data)
{
    const struct span *s = span_of(p, page);
    if (s->overlay) {
        overlay_put_page(s->overlay, page - s->first, data);
        return;
    }
    uint8_t *hva = gmem_hva(s->ram, gpa_in(s, page), PAGE_SIZE);
    if (data)
        memcpy(hva, data, PAGE_SIZE);
    else
        memset(hva, 0, PAGE_SIZE);
    gmem_changed(p->vm->gmem, gpa_in(s, page), PAGE_SIZE);
}

/* Of an address that is dirty, and so in RAM. */
static uint32_t page_of(const struct pages *p, gpa_t gpa)
{
    const struct span *s = p->span;
    while (gpa - s->ram->base >= s->ram->size)
        s++;
    return s->first + (uint32_t)((gpa - s->ram->base) / PAGE_SIZE);
}

size_t pages_take_dirty(struct pages *p, uint32_t *out, size_t n)
{
    gpa_t gpa[AT_ONCE];
    size_t k = 0, got;
    while (k < n && (got = dirty_take(p->vm->dirty, gpa, n - k < AT_ONCE ? n - k : AT_ONCE)))
        for (size_t i = 0; i < got; i++)
            out[k++] = page_of(p, gpa[i]);
    for (size_t i = 0; i < p->n_spans && k < n; i++) {
        struct span *s = &p->span[i];
        got = s->overlay ? overlay_take_dirty(s->overlay, out + k, n - k) : 0;
        for (size_t end = k + got; k < end; k++)
            out[k] += s->first;
    }
    return k;
}
