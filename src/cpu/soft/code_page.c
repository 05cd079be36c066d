/*
 * cpu/soft/code_page.c -- guest pages that decoded code came from, and what happens when
 * they are written.
 *
 * A real CPU compares every store with the code in its pipeline and caches, so that a
 * program may write instructions and jump to them.  [SDM 3A "Self-Modifying Code"]  Here
 * stores are not compared.  Instead, a page with blocks has a struct code_page and no write
 * tag in the TLB, so writes to it take the slow path and come here (blocks_written()).  A
 * bitmap of 64-byte chunks says whether code was hit at all, because kernels like to keep
 * data on the pages of their code; each block's range says which blocks were hit.  Those
 * are unlinked and die.
 *
 * Not here: how the TLB withholds the write tag (tlb.c).
 */
#include "cpu/soft/blocks.h"

#include "mem/gmem.h"

/* ---- pages with code ---- */

/* The record of the page that hva lies on; NULL: no code was decoded there. */
static struct code_page *page_find(const struct soft *s, const void *hva)
{
    uintptr_t page = (uintptr_t)hva & PAGE_MASK;
    struct code_page *p = *page_slot(s->blocks, page);

    while (p && p->page != page)
        p = p->next;
    return p;
}

bool blocks_on_page(const struct soft *s, const void *hva)
{
    const struct code_page *p = page_find(s, hva);

    return p && p->chunks;
}

/* The page's record, made if need be; the caller has seen to room. */
static struct code_page *page_get(struct soft *s, uint8_t *hva)
{
    struct code_page *p = page_find(s, hva);

    if (!p) {
        struct code_page **slot = page_slot(s->blocks, (uintptr_t)hva & PAGE_MASK);
        p = &s->blocks->pages[s->blocks->n_pages++];
        *p = (struct code_page){ .page = (uintptr_t)hva & PAGE_MASK, .next = *slot };
        *slot = p;
    }
    return p;
}

/* The part of b on page p, as offsets [*from, *to). */
static void block_range(const struct block *b, const struct code_page *p, unsigned *from,
                        unsigned *to)
{
    unsigned start = (unsigned)((uintptr_t)b->hva & ~PAGE_MASK);
    bool on_first = ((uintptr_t)b->hva & PAGE_MASK) == p->page;

    if (!b->hva2) {
        *from = start;
        *to = start + b->bytes;
    } else if (on_first && ((uintptr_t)b->hva2 & PAGE_MASK) == p->page) {
        *from = 0;                          /* both halves on one frame: all of it */
        *to = PAGE_SIZE;
    } else if (on_first) {
        *from = start;
        *to = PAGE_SIZE;
    } else {
        *from = 0;
        *to = start + b->bytes - PAGE_SIZE;
    }
}

/* A block that crosses into a second page is in two lists: which link belongs to p? */
static struct block **next_on_page(struct block *b, const struct code_page *p)
{
    return &b->page_next[((uintptr_t)b->hva & PAGE_MASK) != p->page];
}

/* The bits of the 64-byte chunks that bytes [from, to) of a page lie in. */
static uint64_t chunk_mask(unsigned from, unsigned to)
{
    return FIELD((to - 1) / 64, from / 64);
}

/* The first block on a page also takes the page its write tag in the TLB. */
static void page_add(struct soft *s, struct block *b, uint8_t *hva)
{
    struct code_page *p = page_get(s, hva);
    unsigned from, to;

    *next_on_page(b, p) = p->blocks;
    p->blocks = b;
    block_range(b, p, &from, &to);
    if (!p->chunks)
        tlb_guard_page(s, (uint8_t *)p->page);
    p->chunks |= chunk_mask(from, to);
}

void pages_add_block(struct soft *s, struct block *b)
{
    page_add(s, b, b->hva);
    if (b->hva2 && ((uintptr_t)b->hva2 & PAGE_MASK) != ((uintptr_t)b->hva & PAGE_MASK))
        page_add(s, b, b->hva2);
}

static void page_remove(struct block *b, struct code_page *p)
{
    struct block **at = &p->blocks;

    while (*at && *at != b)
        at = next_on_page(*at, p);
    if (*at)
        *at = *next_on_page(b, p);
}

/* Blocks may share a chunk, so when one goes the bitmap is made anew from the others. */
static void page_recount(struct code_page *p)
{
    unsigned from, to;

    p->chunks = 0;
    for (struct block *b = p->blocks; b; b = *next_on_page(b, p)) {
        block_range(b, p, &from, &to);
        p->chunks |= chunk_mask(from, to);
    }
}

/* ---- death of a block ---- */

/* No branch may lead to b any more.  Links stay within a page. */
static void unlink_branches(struct code_page *p, const struct block *b)
{
    for (struct block *from = p->blocks; from; from = *next_on_page(from, p)) {
        struct uop *last = &from->uop[from->uop[0].n_uops - 1];
        if (last->fn == op_system || last->fn == op_steady || last->fn == op_stale)
            continue;
        for (unsigned way = 0; way < 2; way++)
            if (last->link[way] == b)
                last->link[way] = NULL;
    }
}

/* From every place where it could be found: jump cache, hash table, pages, links.  It may
 * be running right now, so its memory stays, and its micro-operations become op_stale,
 * which looks up what follows. */
void block_kill(struct soft *s, struct block *b)
{
    struct jump_entry *j = &s->jumps[jump_index(b->rip)];
    struct block **at = hash_slot(s->blocks, b->hva);
    struct code_page *p = page_find(s, b->hva);

    if (j->block == b)
        j->gen = 0;
    while (*at != b)
        at = &(*at)->hash_next;
    *at = b->hash_next;
    page_remove(b, p);
    unlink_branches(p, b);
    page_recount(p);
    if (b->hva2 && ((p = page_find(s, b->hva2)))) {
        page_remove(b, p);
        page_recount(p);
    }
    b->dead = true;
    for (unsigned i = 0; i < b->uop[0].n_uops; i++)
        b->uop[i].fn = op_stale;
}

/* Page by page, and on each only blocks with a byte in the range. */
void blocks_written(struct soft *s, uint8_t *hva, uint64_t len)
{
    while (len) {
        unsigned from = (unsigned)((uintptr_t)hva & ~PAGE_MASK);
        unsigned n = len < PAGE_SIZE - from ? (unsigned)len : PAGE_SIZE - from;
        struct code_page *p = page_find(s, hva);

        if (p && (p->chunks & chunk_mask(from, from + n))) {
            struct block *b = p->blocks, *next;
            for (; b; b = next) {
                unsigned start, end;
                next = *next_on_page(b, p);
                block_range(b, p, &start, &end);
                if (start < from + n && from < end)
                    block_kill(s, b);
            }
        }
        hva += n;
        len -= n;
    }
}

/* Somebody else wrote guest memory, or will: page by page, regions may end. */
void blocks_forget_range(struct vcpu *v, gpa_t gpa, uint64_t len)
{
    while (len) {
        uint64_t n = PAGE_SIZE - (gpa & ~PAGE_MASK);
        uint8_t *hva;

        if (n > len)
            n = len;
        hva = gmem_ptr(v->gmem, gpa, n);
        if (hva)
            blocks_written(v->priv, hva, n);
        gpa += n;
        len -= n;
    }
}

/* The linear address of a block's first byte.  What its context is made of is written in
 * soft_mode_changed(). */
static gla_t block_gla(const struct block *b)
{
    return (b->ctx & 7) == MODE_LONG64 ? b->rip : (uint32_t)((b->ctx >> 32) + b->rip);
}

void blocks_forget_linear(struct soft *s, const gla_t *at, size_t n)
{
    for (size_t off = 0; off < s->blocks->used; ) {
        struct block *b = (struct block *)(s->blocks->arena + off);
        gla_t from = block_gla(b);
        size_t i = debug_first_at(at, n, from);
        if (!b->dead && !b->single && i < n && at[i] - from < b->bytes)
            block_kill(s, b);
        off += sizeof *b + b->uop[0].n_uops * sizeof(struct uop);
    }
}
