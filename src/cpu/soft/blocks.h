/*
 * cpu/soft/blocks.h -- the cache of decoded code, as its two files see it.
 *
 * block.c finds blocks and makes them; code_page.c knows which pages of guest memory they
 * were decoded from, and ends them when those bytes change.  All others use exec.h.
 *
 * Invariants: a block is on the hash chain of its first byte and on the list of each page
 * it has bytes on, or it is dead and on none.  A page with a living block has no write tag
 * in the TLB, so that no write to it goes unseen.
 */
#ifndef CPU_SOFT_BLOCKS_H
#define CPU_SOFT_BLOCKS_H

#include "cpu/soft/exec.h"

/* A page of host memory that blocks were decoded from. */
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
#elif defined(VITRINE_SMALL)
enum { ARENA_BYTES = 1 << 18, HASH = 1 << 8, PAGES = 64, PAGE_HASH = 1 << 5 };
#define ARENA_USED ARENA_BYTES
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

/* The chain that blocks whose first byte is at hva are on. */
static inline struct block **hash_slot(struct soft_blocks *c, const uint8_t *hva)
{
    uintptr_t h = (uintptr_t)hva;

    return &c->hash[(h ^ h >> 12) & (HASH - 1)];
}

/* The chain that the record of a page is on. */
static inline struct code_page **page_slot(struct soft_blocks *c, uintptr_t page)
{
    return &c->page_hash[page >> 12 & (PAGE_HASH - 1)];
}

/* ---- code_page.c ---- */

/* Put a new block on the lists of the pages it has bytes on; there is room for their records. */
void pages_add_block(struct soft *s, struct block *b);

/* The block's code has changed: nothing finds it any more, no branch leads to it, and if
 * it is running, the next of its micro-operations that would run is an op_stale. */
void block_kill(struct soft *s, struct block *b);

#endif
