/*
 * cpu/soft/block.c -- the cache of decoded code: finding a block, making one.
 *
 * Decoding an instruction takes a hundred times as long as executing it, so it is done
 * once.  A block is straight-line code of one page, keyed by host address, RIP and
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
 * Blocks die when their code is written (code_page.c) and when a debugger's stop is set
 * in them (debug.c).  Begin with block_find().
 */
#include "cpu/soft/blocks.h"

#include <errno.h>
#include <stdlib.h>

#include "base/host.h"

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

/* The tables are emptied entry by entry: that is little work if there is little code
 * (one_insn.c), and if there is much, decoding it has cost a hundred times as much. */
void blocks_forget_all(struct soft *s)
{
    struct soft_blocks *c = s->blocks;

    for (size_t off = 0; off < c->used; ) {
        const struct block *b = (const struct block *)(c->arena + off);
        *hash_slot(c, b->hva) = NULL;
        s->jumps[jump_index(b->rip)].gen = 0;
        off += sizeof *b + b->uop[0].n_uops * sizeof(struct uop);
    }
    for (unsigned i = 0; i < c->n_pages; i++)
        *page_slot(c, c->pages[i].page) = NULL;
    c->used = 0;
    c->n_pages = 0;
    c->epoch++;
    s->block = NULL;
}

/* ---- birth of a block ---- */

/* A CS limit that is neither 64 KiB nor 4 GiB: each block remembers it. */
static bool odd_limit(const struct soft *s)
{
    uint32_t limit = s->seg[SEG_CS].limit;

    return s->mode != MODE_LONG64 && limit != 0xffff && limit != 0xffffffff;
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

    b->hva2 = tlb_fetch(s, code_linear(s, s->rip + here));
    memcpy(both, b->hva, here);
    memcpy(both + here, b->hva2, sizeof both - here);
    return soft_decode(s, both, avail, s->rip, 1, b->uop, n, bytes);
}

/* The micro-operation of a debugger's stop: back to the run loop, before the instruction. */
static void op_hidden_stop(struct soft *s, const struct uop *u)
{
    s->rip = rip_mask(s, uop_rip(s, u));
    s->cur = NULL;
}

/* At most `max` instructions from hva, up to a debugger's stop; one that such a
 * stop lies in is alone. */
static unsigned decode_to_stop(struct soft *s, struct block *b, unsigned max, unsigned avail,
                               unsigned *n, unsigned *bytes)
{
    unsigned to_stop = s->single ? avail : debug_bytes_to_stop(s, code_linear(s, s->rip), avail);
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
        fault_because(s, OBSTACLE_CODE_LIMIT_HIT, s->rip, VEC_GP, 0);
    b->n = (uint8_t)n;
    b->bytes = (uint16_t)bytes;
    b->uop[0].n_uops = (uint8_t)n_uops;
    s->blocks->used += sizeof *b + n_uops * sizeof(struct uop);
    b->hash_next = *hash_slot(s->blocks, hva);
    *hash_slot(s->blocks, hva) = b;
    pages_add_block(s, b);
    return b;
}

struct block *block_find(struct soft *s)
{
    struct block *b = s->single ? NULL : block_cached(s, s->rip);
    gla_t gla = code_linear(s, s->rip);
    uint8_t *hva;

    if (b)
        return b;
    if (s->mode == MODE_LONG64 ? (uint64_t)((int64_t)(gla << 16) >> 16) != gla
                               : s->rip > s->seg[SEG_CS].limit)
        fault_because(s, s->mode == MODE_LONG64 ? OBSTACLE_CANONICAL : OBSTACLE_CODE_LIMIT_HIT,
                      s->rip, VEC_GP, 0);
    hva = tlb_fetch(s, gla);
    b = block_lookup(s, hva);
    if (b && b->hva2) {
        unsigned here = PAGE_SIZE - (unsigned)((uintptr_t)hva & ~PAGE_MASK);
        if (tlb_fetch(s, code_linear(s, s->rip + here)) != b->hva2) {
            block_kill(s, b);
            b = NULL;
        }
    }
    if (!b)
        b = block_decode(s, hva);
    if (!b->hva2 && !b->single && !odd_limit(s))
        s->jumps[jump_index(b->rip)] =
            (struct jump_entry){ b->rip, b, s->map_gen };
    return b;
}

/* ---- following direct branches ---- */

/* May a branch in block `from` remember that it leads to b? */
static bool linkable(const struct soft *s, const struct block *from, const struct block *b)
{
    return !from->dead && !from->hva2 && !b->hva2 && !odd_limit(s) &&
           (code_linear(s, from->rip) & PAGE_MASK) == (code_linear(s, b->rip) & PAGE_MASK);
}

static struct block *find_target(struct soft *s, const struct uop *u, unsigned way)
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
    struct block *b = find_target(s, u, 0);

    if (!b)
        return;
    ENTER(s, b);
}

void op_link1(struct soft *s, const struct uop *u)
{
    struct block *b = find_target(s, u, 1);

    if (!b)
        return;
    ENTER(s, b);
}

/* ---- code that was written while it ran ---- */

void op_stale(struct soft *s, const struct uop *u)
{
    s->rip = rip_mask(s, uop_rip(s, u));
    s->icount -= u->left;
    s->cur = NULL;
}
