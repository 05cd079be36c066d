/*
 * lib/page.h -- page tables for guests that need some: 2 levels in 32 bits, 4 in 64.
 */
#ifndef LIB_PAGE_H
#define LIB_PAGE_H

#include "lib/x86.h"

typedef ulong pte_t;
#define PAGE_SIZE 4096ul
#define PTE_P  0x01ul
#define PTE_W  0x02ul
#define PTE_U  0x04ul
#define PTE_A  0x20ul
#define PTE_D  0x40ul
#define PTE_PS 0x80ul
#define PTE_FRAME (~(PAGE_SIZE - 1))

void *page_alloc(void);                 /* a zeroed page; ends the guest if there is none */
void page_free(void *page);
unsigned pages_free(void);

/* The last-level entry for va below root, making the tables above it. */
pte_t *page_entry(pte_t *root, ulong va);

/* Paging on, with the first 16 MiB (4 GiB in 64 bits) identity-mapped with `flags`
 * (PTE_U or 0 beside present and writable).  Returns the root, now in CR3. */
pte_t *page_start(ulong flags);

#endif
