/*
 * ptchurn: a kernel that cannot leave its page tables alone.
 *
 * Sixteen pages of address space, thirty-two frames, and a pseudo-random
 * stream of changes: map, unmap, remap to another frame, make read-only, make
 * two names for one frame, throw away a whole table and build another.  After
 * each, INVLPG or a load of CR3, and the whole area is compared with what the
 * guest thinks it looks like.  Whoever keeps a copy of these tables (a TLB, a
 * shadow page table, a code cache) and forgets one change fails here.
 *
 *   run    vitrine run   build/guests/ptchurn32.elf
 *   watch  vitrine run   --mmu shadow --stat build/guests/ptchurn32.elf
 *
 * Rounds: "rounds=N" on the command line, or make ROUNDS=N.
 * MARK 1: single pages.  MARK 2: whole tables.  MARK 3: new entries in old
 * frames.  MARK 9: done.
 */
#include "lib/guest.h"
#include "lib/desc.h"
#include "lib/page.h"

#ifndef ROUNDS
#define ROUNDS 1000
#endif
#define AREA 0x40000000ul
enum { PAGES = 16, FRAMES = 32, NONE = -1 };

static uint32_t frames[FRAMES][1024] __attribute__((aligned(4096)));
static struct {                         /* what we think of each page */
    int frame;
    bool writable;
} model[PAGES];
static pte_t *root;
static uint32_t seed = 1, faults, wrong;

static uint32_t random_below(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

static volatile uint32_t *page_at(unsigned p)
{
    return (volatile uint32_t *)(AREA + p * PAGE_SIZE);
}

static void set_page(unsigned p, int frame, bool writable)
{
    model[p].frame = frame;
    model[p].writable = writable;
    *page_entry(root, (ulong)page_at(p)) =
        frame == NONE ? 0 : (ulong)frames[frame] | PTE_P | (writable ? PTE_W : 0);
}

static void expect(bool ok, const char *what, unsigned page)
{
    if (!ok && wrong++ < 10)
        printf("WRONG: %s, page %u\n", what, page);
}

/* Read each page, write each that may be written, and see the write arrive in
 * the frame, by its own address. */
static void compare(uint32_t stamp)
{
    for (unsigned p = 0; p < PAGES; p++) {
        volatile uint32_t *at = page_at(p);
        uint32_t got = 0;
        bool fell = TRY("movl (%1), %0", : "=&r"(got) : "r"(at) : "memory");
        faults += fell;
        expect(fell == (model[p].frame == NONE), "presence", p);
        if (fell || model[p].frame == NONE)
            continue;
        volatile uint32_t *frame = frames[model[p].frame];
        expect(got == frame[0], "the frame's data", p);

        fell = TRY("movl %1, 4(%0)", : : "r"(at), "r"(stamp + p) : "memory");
        faults += fell;
        expect(fell == !model[p].writable, "writability", p);
        if (!fell)
            expect(frame[1] == stamp + p, "a write", p);
        else
            expect(caught.error == 3, "error code of a refused write", p);
    }
}

/* One page changes, one INVLPG. */
static void change_one(void)
{
    unsigned p = random_below(PAGES);
    int frame = (int)random_below(FRAMES);

    switch (random_below(4)) {
    case 0:
        set_page(p, NONE, false);
        break;
    case 1:
        if (model[p].frame != NONE)
            set_page(p, model[p].frame, !model[p].writable);
        break;
    default:
        set_page(p, frame, random_below(3) != 0);
    }
    invlpg((void *)page_at(p));
}

/* The whole area gets another table; CR3 is loaded. */
static void change_table(void)
{
    pte_t *old = (pte_t *)((ulong)page_entry(root, AREA) & PTE_FRAME), *new = page_alloc();
    pte_t *above = root;

#ifdef __x86_64__
    above = (pte_t *)(root[0] & PTE_FRAME);
    above = (pte_t *)(above[AREA >> 30] & PTE_FRAME);
    above[AREA >> 21 & 511] = (ulong)new | PTE_P | PTE_W;
#else
    above[AREA >> 22] = (ulong)new | PTE_P | PTE_W;
#endif
    for (unsigned p = 0; p < PAGES; p++) {
        int frame = random_below(4) ? (int)random_below(FRAMES) : NONE;
        set_page(p, frame, random_below(2));
    }
    cr3_write((ulong)root);
    page_free(old);
}

/* What was a page table becomes data and the other way round: the old table is
 * scribbled over, which must change nothing any more. */
static void recycle(void)
{
    pte_t *old = (pte_t *)((ulong)page_entry(root, AREA) & PTE_FRAME);

    change_table();
    memset(old + 1, 0xff, PAGE_SIZE - sizeof(pte_t));   /* the first word links the free list */
}

int main(void)
{
    static void (*const change[])(void) = {change_one, change_table, recycle};
    uint32_t rounds = option_number("rounds=", ROUNDS), sum = 0;

    root = page_start(0);
    cr0_write(cr0_read() | CR0_WP);
    for (unsigned f = 0; f < FRAMES; f++)
        frames[f][0] = 0x1000 + f;
    for (unsigned p = 0; p < PAGES; p++)
        set_page(p, NONE, false);
    cr3_write((ulong)root);
    for (unsigned kind = 0; kind < 3; kind++) {
        mark(kind + 1);
        for (uint32_t r = 0; r < (kind ? rounds / 4 : rounds); r++) {
            change[kind]();
            compare(r << 8 | kind << 4);
        }
        printf("phase %u: %u faults\n", kind + 1, faults);
    }
    mark(9);
    for (unsigned f = 0; f < FRAMES; f++)
        sum = sum * 31 + frames[f][1];
    printf("checksum %08x, wrong: %u\n", sum, wrong);
    return wrong != 0;
}
