/*
 * cr3loads: changing the address space, over and over.
 *
 * Two sets of page tables, alike but for one page.  After every MOV to CR3 the
 * guest reads that page and must see the other data: what a TLB may keep and
 * what it must forget.  On most monitors with shadow paging every load is an
 * exit; with nested paging none is.
 *
 *   run    vitrine run   build/guests/cr3loads32.elf
 *   watch  vitrine run   --mmu shadow --stat build/guests/cr3loads32.elf
 *
 * Rounds: "rounds=N" on the command line, or make ROUNDS=N.
 * MARK 1: loads.  MARK 9: done.
 */
#include "lib/guest.h"
#include "lib/page.h"

#ifndef ROUNDS
#define ROUNDS 20000
#endif
#define WINDOW 0x40000000ul

static uint32_t data[2][1024] __attribute__((aligned(4096)));

int main(void)
{
    uint32_t rounds = option_number("rounds=", ROUNDS), wrong = 0;
    pte_t *space[2];

    data[0][0] = 100;
    data[1][0] = 200;
    space[0] = page_start(0);
    space[1] = page_alloc();
    memcpy(space[1], space[0], PAGE_SIZE);
#ifdef __x86_64__                       /* the roots share what is below: copy the next level too */
    space[1][0] = (ulong)memcpy(page_alloc(), (void *)(space[0][0] & PTE_FRAME), PAGE_SIZE) |
                  PTE_P | PTE_W;
    pte_t *upper = (pte_t *)(space[1][0] & PTE_FRAME);
    upper[1] = (ulong)memcpy(page_alloc(), (void *)(upper[1] & PTE_FRAME), PAGE_SIZE) |
               PTE_P | PTE_W;
#endif
    for (int i = 0; i < 2; i++)
        *page_entry(space[i], WINDOW) = (ulong)data[i] | PTE_P | PTE_W;
    mark(1);
    for (uint32_t r = 0; r < rounds; r++) {
        cr3_write((ulong)space[r & 1]);
        wrong += *(volatile uint32_t *)WINDOW != (r & 1 ? 200u : 100u);
    }
    mark(9);
    printf("loads %u, wrong: %u\n", rounds, wrong);
    return wrong != 0;
}
