/*
 * cpu/soft/block.c -- the cache of decoded code, and what happens when code is written.
 *
 * A block is straight-line code of one page, keyed by host address, RIP and
 * context (CS base, mode).  Blocks live in one arena that is emptied when full.
 * An instruction that crosses into the next page is a block of its own, which
 * is looked up anew each time, because the second page may be mapped elsewhere.
 *
 * How the next block is found, from fast to slow:
 *   link       a direct branch within the same linear page remembers its target;
 *              the mapping of that page was checked when it was entered
 *   jumps[]    by RIP; void after a TLB flush (map_gen)
 *   hash       by host address, through the TLB
 *   decoding
 *
 * Self-modifying code: a page with blocks has a struct code_page and no write
 * tag in the TLB, so writes to it come here.  A bitmap of 64-byte chunks says
 * whether code was hit at all, each block's range says which; those are unlinked
 * and die.  A debugger's stops kill blocks too (debug.c).  If the running block dies, each of its micro-operations becomes
 * op_stale, so the next one that would run looks itself up afresh.
 */
#include "cpu/soft/exec.h"

#include <errno.h>
#include <stdlib.h>

#include "base/host.h"
#include "mem/gmem.h"

struct code_page {
    uintptr_t page;                 /* host address; 0: free                    */
    uint64_t  chunks;               /* BIT(n): code in bytes [64n, 64n+64)      */
    struct block *blocks;
    struct code_page *next;
};

/* Room for the largest block: a micro-operation per instruction, and the end. */
#define BLOCK_MAX (sizeof(struct block) + (BLOCK_INSNS + 1) * sizeof(struct uop))

#ifdef VITRINE_HARD
enum { ARENA_BYTES = (2 * BLOCK_MAX + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE,
       HASH = 1, PAGES = 4, PAGE_HASH = 1 };
#define ARENA_USED (2 * BLOCK_MAX)
#else
enum { ARENA_BYTES = 8 << 20, HASH = 1 << 14, PAGES = 2048, PAGE_HASH = 1 << 10 };
#define ARENA_USED ARENA_BYTES
#endif

struct soft_blocks {
    uint8_t *arena;
    size_t   used;
    uint32_t epoch;                 /* counts emptyings                         */
    unsigned n_pages;
    struct code_page  pages[PAGES];
    struct code_page *page_hash[PAGE_HASH];
    struct block     *hash[HASH];
};

#define BLOCKS_BYTES ((sizeof(struct soft_blocks) + PAGE_SIZE - 1) & PAGE_MASK)
#define JUMPS_BYTES  ((sizeof(struct jump_entry) * JUMP_ENTRIES + PAGE_SIZE - 1) & PAGE_MASK)

int blocks_new(struct soft *s)
{
    s->blocks = host_page_alloc(BLOCKS_BYTES);
    s->jumps = host_page_alloc(JUMPS_BYTES);
    if (!s->blocks || !s->jumps)
        return -ENOMEM;
    s->blocks->arena = host_page_alloc(ARENA_BYTES);
    s->map_gen = 1;
    return s->blocks->arena ? 0 : -ENOMEM;
}

void blocks_free(struct soft *s)
{
    if (s->blocks && s->blocks->arena)
        host_page_free(s->blocks->arena, ARENA_BYTES);
    if (s->blocks)
        host_page_free(s->blocks, BLOCKS_BYTES);
    if (s->jumps)
        host_page_free(s->jumps, JUMPS_BYTES);
}

void blocks_forget_all(struct soft *s)
{
    struct soft_blocks *c = s->blocks;

    memset(c->hash, 0, sizeof c->hash);
    memset(c->page_hash, 0, sizeof c->page_hash);
    c->used = 0;
    c->n_pages = 0;
    c->epoch++;
    memset(s->jumps, 0, JUMPS_BYTES);
    s->block = NULL;
}

/* ---- pages with code ---- */

static struct code_page **page_slot(struct soft_blocks *c, uintptr_t page)
{
    return &c->page_hash[page >> 12 & (PAGE_HASH - 1)];
}

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

static struct block **next_on_page(struct block *b, const struct code_page *p)
{
    return &b->page_next[((uintptr_t)b->hva & PAGE_MASK) != p->page];
}

static uint64_t chunk_mask(unsigned from, unsigned to)
{
    return FIELD((to - 1) / 64, from / 64);
}

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

static void page_remove(struct block *b, struct code_page *p)
{
    struct block **at = &p->blocks;

    while (*at && *at != b)
        at = next_on_page(*at, p);
    if (*at)
        *at = *next_on_page(b, p);
}

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

static struct block **hash_slot(struct soft_blocks *c, const uint8_t *hva)
{
    uintptr_t h = (uintptr_t)hva;

    return &c->hash[(h ^ h >> 12) & (HASH - 1)];
}

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

static void kill(struct soft *s, struct block *b)
{
    struct jump_entry *j = &s->jumps[(b->rip ^ b->rip >> 12) & (JUMP_ENTRIES - 1)];
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
                    kill(s, b);
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

void op_stale(struct soft *s, const struct uop *u)
{
    s->rip = rip_mask(s, uop_rip(s, u));
    s->icount -= u->left;
    s->cur = NULL;
}

/* The linear address of a block's first byte: soft_mode_changed() says what its context is made of. */
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
            kill(s, b);
        off += sizeof *b + b->uop[0].n_uops * sizeof(struct uop);
    }
}

void op_hidden_stop(struct soft *s, const struct uop *u)
{
    s->rip = rip_mask(s, uop_rip(s, u));
    s->cur = NULL;
}

/* ---- birth of a block ---- */

/* A CS limit that is neither 64 KiB nor 4 GiB: each block remembers it. */
static bool odd_limit(const struct soft *s)
{
    uint32_t limit = s->seg[SEG_CS].limit;

    return s->mode != MODE_LONG64 && limit != 0xffff && limit != 0xffffffff;
}

static gla_t code_address(const struct soft *s, uint64_t rip)
{
    return s->mode == MODE_LONG64 ? rip : (uint32_t)(s->seg[SEG_CS].base + rip);
}

static struct block *block_lookup(struct soft *s, const uint8_t *hva)
{
    struct block *b = *hash_slot(s->blocks, hva);

    while (b && !(b->hva == hva && b->rip == s->rip && b->ctx == s->code_ctx &&
                  b->single == s->single &&
                  (!odd_limit(s) || b->limit == s->seg[SEG_CS].limit)))
        b = b->hash_next;
    return b;
}

static void ensure_room(struct soft *s)
{
    struct soft_blocks *c = s->blocks;

    if (c->used + BLOCK_MAX > ARENA_USED || c->n_pages + 2 > PAGES)
        blocks_forget_all(s);
}

/* The bytes from here to the CS limit. */
static uint64_t limit_left(const struct soft *s)
{
    return s->mode == MODE_LONG64 ? UINT64_MAX : s->seg[SEG_CS].limit - s->rip + 1;
}

/* The first instruction does not end on this page: decode it from both. */
static unsigned decode_crossing(struct soft *s, struct block *b, unsigned here,
                                unsigned *n, unsigned *bytes)
{
    uint8_t both[16];
    unsigned avail = 15 < limit_left(s) ? 15 : (unsigned)limit_left(s);

    b->hva2 = tlb_fetch(s, code_address(s, s->rip + here));
    memcpy(both, b->hva, here);
    memcpy(both + here, b->hva2, sizeof both - here);
    return soft_decode(s, both, avail, s->rip, 1, b->uop, n, bytes);
}

/* At most `max` instructions from hva, up to a debugger's stop; one that such a
 * stop lies in is alone. */
static unsigned decode_to_stop(struct soft *s, struct block *b, unsigned max, unsigned avail,
                               unsigned *n, unsigned *bytes)
{
    unsigned to_stop = s->single ? avail : debug_bytes_to_stop(s, code_address(s, s->rip), avail);
    unsigned n_uops;

    if (!to_stop) {
        *n = 0;
        *bytes = 1;
        memset(&b->uop[0], 0, sizeof b->uop[0]);
        b->uop[0].fn = op_hidden_stop;
        return 1;
    }
    n_uops = soft_decode(s, b->hva, to_stop, s->rip, max, b->uop, n, bytes);
    if (!n_uops && to_stop < avail)
        n_uops = soft_decode(s, b->hva, avail, s->rip, 1, b->uop, n, bytes);
    return n_uops;
}

static struct block *block_decode(struct soft *s, uint8_t *hva)
{
    unsigned max = s->single ? 1 : BLOCK_INSNS, n, bytes, n_uops;
    unsigned here = PAGE_SIZE - (unsigned)((uintptr_t)hva & ~PAGE_MASK);
    uint64_t left = limit_left(s);
    struct block *b;

    ensure_room(s);
    b = (struct block *)(s->blocks->arena + s->blocks->used);
    *b = (struct block){ .rip = s->rip, .ctx = s->code_ctx, .hva = hva, .single = s->single,
                         .limit = s->seg[SEG_CS].limit };
    n_uops = decode_to_stop(s, b, max, here < left ? here : (unsigned)left, &n, &bytes);
    if (!n_uops && here < left && here < 15)
        n_uops = decode_crossing(s, b, here, &n, &bytes);
    if (!n_uops)
        soft_fault(s, VEC_GP, 0);               /* runs past the CS limit */
    b->n = (uint8_t)n;
    b->bytes = (uint16_t)bytes;
    b->uop[0].n_uops = (uint8_t)n_uops;
    s->blocks->used += sizeof *b + n_uops * sizeof(struct uop);
    b->hash_next = *hash_slot(s->blocks, hva);
    *hash_slot(s->blocks, hva) = b;
    page_add(s, b, hva);
    if (b->hva2 && ((uintptr_t)b->hva2 & PAGE_MASK) != ((uintptr_t)hva & PAGE_MASK))
        page_add(s, b, b->hva2);
    return b;
}

struct block *block_find(struct soft *s)
{
    struct block *b = s->single ? NULL : block_cached(s, s->rip);
    gla_t gla = code_address(s, s->rip);
    uint8_t *hva;

    if (b)
        return b;
    if (s->mode == MODE_LONG64 ? (uint64_t)((int64_t)(gla << 16) >> 16) != gla
                               : s->rip > s->seg[SEG_CS].limit)
        soft_fault(s, VEC_GP, 0);
    hva = tlb_fetch(s, gla);
    b = block_lookup(s, hva);
    if (b && b->hva2) {
        unsigned here = PAGE_SIZE - (unsigned)((uintptr_t)hva & ~PAGE_MASK);
        if (tlb_fetch(s, code_address(s, s->rip + here)) != b->hva2) {
            kill(s, b);
            b = NULL;
        }
    }
    if (!b)
        b = block_decode(s, hva);
    if (!b->hva2 && !b->single && !odd_limit(s))
        s->jumps[(b->rip ^ b->rip >> 12) & (JUMP_ENTRIES - 1)] =
            (struct jump_entry){ b->rip, b, s->map_gen };
    return b;
}

/* ---- following direct branches ---- */

/* May a branch in block `from` remember that it leads to b? */
static bool linkable(const struct soft *s, const struct block *from, const struct block *b)
{
    return !from->dead && !from->hva2 && !b->hva2 && !odd_limit(s) &&
           (code_address(s, from->rip) & PAGE_MASK) == (code_address(s, b->rip) & PAGE_MASK);
}

static struct block *resolve(struct soft *s, const struct uop *u, unsigned way)
{
    struct block *from = s->block, *b;
    uint32_t epoch = s->blocks->epoch;

    s->rip = way ? (uint64_t)u->disp : u->imm;
    s->cur = NULL;
    if (s->single)
        return NULL;                        /* the run loop has something to do first */
    b = block_find(s);
    if (s->blocks->epoch == epoch && linkable(s, from, b))
        ((struct uop *)u)->link[way] = b;
    return b;
}

void op_link0(struct soft *s, const struct uop *u)
{
    struct block *b = resolve(s, u, 0);

    if (!b)
        return;
    ENTER(s, b);
}

void op_link1(struct soft *s, const struct uop *u)
{
    struct block *b = resolve(s, u, 1);

    if (!b)
        return;
    ENTER(s, b);
}
