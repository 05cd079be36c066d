/*
 * pfstorm: page faults as fast as they come.
 *
 * The guest unmaps 64 pages and touches them; its handler maps each on demand
 * and returns.  With nested paging the monitor sees none of it.  With shadow
 * paging every one of these faults comes to the monitor, which must find out
 * that it is the guest's own business, and every store to a page table is a
 * second exit: that is the price the two techniques differ by.
 *
 *   run    vitrine run   build/guests/pfstorm32.elf
 *   watch  vitrine run   --mmu shadow --stat build/guests/pfstorm32.elf
 *
 * Rounds: "rounds=N" on the command line, or make ROUNDS=N.
 * MARK 1: faults.  MARK 9: done.
 */
#include "lib/guest.h"
#include "lib/desc.h"
#include "lib/page.h"

#ifndef ROUNDS
#define ROUNDS 200
#endif
#define AREA 0x40000000ul
enum { PAGES = 64 };

static pte_t *root;
static char frames[PAGES][PAGE_SIZE] __attribute__((aligned(4096)));
static uint32_t faults;

static void on_page_fault(struct frame *f)
{
    ulong page = (cr2_read() - AREA) / PAGE_SIZE;

    if (page >= PAGES)
        die("a fault at %lx, error %lx", cr2_read(), f->error);
    *page_entry(root, AREA + page * PAGE_SIZE) = (ulong)frames[page] | PTE_P | PTE_W;
    faults++;
}

int main(void)
{
    uint32_t rounds = option_number("rounds=", ROUNDS), wrong = 0;

    root = page_start(0);
    trap_set(14, on_page_fault);
    mark(1);
    for (uint32_t r = 0; r < rounds; r++) {
        for (ulong p = 0; p < PAGES; p++) {
            *page_entry(root, AREA + p * PAGE_SIZE) = 0;
            invlpg((void *)(AREA + p * PAGE_SIZE));
        }
        for (ulong p = 0; p < PAGES; p++) {
            volatile uint32_t *w = (volatile uint32_t *)(AREA + p * PAGE_SIZE);
            wrong += *w != (r ? r - 1 + p : 0);
            *w = (uint32_t)(r + p);
        }
    }
    mark(9);
    printf("faults %u, want %u; wrong: %u\n", faults, rounds * PAGES, wrong);
    return faults != rounds * PAGES || wrong;
}
