/*
 * lib/page.c -- page tables and the pool they come from.
 *
 * Every page lies in the image's own .bss, identity-mapped, so a physical
 * address is a pointer.
 */
#include "lib/guest.h"
#include "lib/page.h"

#ifdef __x86_64__
enum { LEVELS = 4, INDEX_BITS = 9 };
extern pte_t pml4[512];                 /* start.S */
#else
enum { LEVELS = 2, INDEX_BITS = 10 };
#endif
enum { POOL_PAGES = 256, ENTRIES = 1 << INDEX_BITS };

static char pool[POOL_PAGES][PAGE_SIZE] __attribute__((aligned(4096)));
static void *free_list;                 /* the first word of a free page: the next one */
static unsigned pool_used, n_freed;

void *page_alloc(void)
{
    void *p = free_list;

    if (p) {
        free_list = *(void **)p;
        n_freed--;
    } else if (pool_used < POOL_PAGES) {
        p = pool[pool_used++];
    } else {
        die("out of pages");
    }
    return memset(p, 0, PAGE_SIZE);
}

void page_free(void *page)
{
    *(void **)page = free_list;
    free_list = page;
    n_freed++;
}

unsigned pages_free(void)
{
    return POOL_PAGES - pool_used + n_freed;
}

/* A table of small pages that maps what the big page did. */
static pte_t split(pte_t big)
{
    pte_t *table = page_alloc();

    for (ulong i = 0; i < ENTRIES; i++)
        table[i] = (big & ~PTE_PS) + i * PAGE_SIZE;
    return (ulong)table | PTE_P | PTE_W | PTE_U;
}

pte_t *page_entry(pte_t *root, ulong va)
{
    pte_t *table = root;

    for (int level = LEVELS - 1;; level--) {
        pte_t *e = &table[va >> (12 + level * INDEX_BITS) & (ENTRIES - 1)];
        if (level == 0)
            return e;
        if (!(*e & PTE_P))
            *e = (ulong)page_alloc() | PTE_P | PTE_W | PTE_U;
        else if (*e & PTE_PS)
            *e = split(*e);
        table = (pte_t *)(*e & PTE_FRAME);
    }
}

#ifdef __x86_64__
pte_t *page_start(ulong flags)
{
    pte_t *pdpt = (pte_t *)(pml4[0] & PTE_FRAME);

    pml4[0] |= PTE_U;           /* the last level decides */
    for (int i = 0; i < 4; i++) {
        pte_t *pd = (pte_t *)(pdpt[i] & PTE_FRAME);
        pdpt[i] |= PTE_U;
        for (int j = 0; j < ENTRIES; j++)
            pd[j] |= flags;
    }
    cr3_write((ulong)pml4);
    return pml4;
}
#else
pte_t *page_start(ulong flags)
{
    pte_t *root = page_alloc();

    for (ulong va = 0; va < 16ul << 20; va += PAGE_SIZE)
        *page_entry(root, va) = va | PTE_P | PTE_W | flags;
    cr3_write((ulong)root);
    cr0_write(cr0_read() | CR0_PG);
    return root;
}
#endif
