/*
 * paging: three ways to spell one mapping.
 *
 * 32-bit x86 has three formats of page tables: two levels of 1024 four-byte
 * entries; the same with 4 MiB pages (CR4.PSE); and three levels of eight-byte
 * entries (CR4.PAE) with 2 MiB pages.  The guest builds each by hand, looks at
 * one page through a window at 0xC0000000, watches the Accessed and Dirty
 * bits appear, falls into the hole behind the window, and turns paging off.
 *
 *   run    vitrine run   build/guests/paging.elf
 *   watch  vitrine run   --mmu shadow --stat build/guests/paging.elf
 *
 * MARK 1: two levels.  MARK 2: PSE.  MARK 3: PAE.  MARK 4: done.
 */
#include "lib/guest.h"
#include "lib/desc.h"
#include "lib/page.h"

#define WINDOW 0xc0000000ul

static uint32_t dir[1024] __attribute__((aligned(4096)));
static uint32_t low[1024] __attribute__((aligned(4096)));
static uint32_t win[1024] __attribute__((aligned(4096)));
static uint64_t pdpt[4] __attribute__((aligned(32)));
static uint64_t pae_dir[4][512] __attribute__((aligned(4096)));
static uint64_t pae_win[512] __attribute__((aligned(4096)));
static char data[2][PAGE_SIZE] __attribute__((aligned(4096)));

static void paging_on(const void *root, ulong cr4_bits)
{
    cr4_write(cr4_read() | cr4_bits);
    cr3_write((ulong)root);
    cr0_write(cr0_read() | CR0_PG);
}

static void paging_off(ulong cr4_bits)
{
    cr0_write(cr0_read() & ~CR0_PG);
    cr4_write(cr4_read() & ~cr4_bits);
}

/* An entry of either width; the flags all lie in the low 32 bits. */
static const char *accessed_dirty(const volatile void *entry)
{
    uint32_t e = *(const volatile uint32_t *)entry;

    return e & PTE_D ? e & PTE_A ? "AD" : "D" : e & PTE_A ? "A" : "none";
}

/* `page` is seen at `window`, whose entry is `entry`; `hole` is not mapped. */
static void look(const char *name, volatile uint32_t *page, ulong window, volatile void *entry,
                 ulong hole)
{
    volatile uint32_t *w = (volatile uint32_t *)window;

    page[0] = 0x12345678;
    printf("%s: bits %s", name, accessed_dirty(entry));
    CHECK("read through the window", w[0], 0x12345678);
    printf(", read %s", accessed_dirty(entry));
    w[1] = 0x9abcdef0;
    printf(", written %s", accessed_dirty(entry));
    CHECK("written through the window", page[1], 0x9abcdef0);

    bool fell = TRY("movl %%eax, (%0)", : : "r"(hole), "a"(0) : "memory");
    CHECK("the hole faults", fell, true);
    CHECK("vector", caught.vector, 14);
    CHECK("CR2", caught.cr2, hole);
    printf(", hole #PF error %lx\n", caught.error);
    page[0] = page[1] = 0;
}

static void two_levels(void)
{
    for (unsigned i = 0; i < 1024; i++)         /* the first 4 MiB, where we live */
        low[i] = i * PAGE_SIZE | PTE_P | PTE_W;
    win[0] = (uint32_t)data[0] | PTE_P | PTE_W;
    dir[0] = (uint32_t)low | PTE_P | PTE_W;
    dir[WINDOW >> 22] = (uint32_t)win | PTE_P | PTE_W;
    paging_on(dir, 0);
    look("two levels", (void *)data[0], WINDOW, &win[0], WINDOW + PAGE_SIZE);
    paging_off(0);
}

static void pse(void)
{
    ulong offset = (ulong)data[1];              /* in the first 4 MiB */

    memset(dir, 0, sizeof(dir));
    dir[0] = 0 | PTE_PS | PTE_P | PTE_W;
    dir[WINDOW >> 22] = 0 | PTE_PS | PTE_P | PTE_W;
    paging_on(dir, CR4_PSE);
    look("4 MiB pages", (void *)data[1], WINDOW + offset, &dir[WINDOW >> 22], WINDOW + (4ul << 20));
    paging_off(CR4_PSE);
}

static void pae(void)
{
    for (unsigned i = 0; i < 4; i++)
        pdpt[i] = (uint32_t)pae_dir[i] | PTE_P;         /* R/W is reserved here */
    pae_dir[0][0] = 0 | PTE_PS | PTE_P | PTE_W;
    pae_dir[0][1] = 0x200000 | PTE_PS | PTE_P | PTE_W;
    pae_dir[WINDOW >> 30][0] = (uint32_t)pae_win | PTE_P | PTE_W;
    pae_win[3] = (uint32_t)data[0] | PTE_P | PTE_W;
    paging_on(pdpt, CR4_PAE);
    look("PAE", (void *)data[0], WINDOW + 3 * PAGE_SIZE, &pae_win[3], WINDOW);
    paging_off(CR4_PAE);
}

int main(void)
{
    mark(1);
    two_levels();
    mark(2);
    pse();
    mark(3);
    pae();
    mark(4);
    return check_result();
}
