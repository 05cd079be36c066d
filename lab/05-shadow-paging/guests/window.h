/*
 * window.h -- what the guests of lab 5 share: page tables of two formats, and one access at a time.
 *
 * A test has a window of pages at 1 GiB.  Each access is compared with a model: reached or refused,
 * with which error code, which data, and which A and D bits stand in the tables afterwards.
 */
#ifndef LAB_05_WINDOW_H
#define LAB_05_WINDOW_H

#include "lib/guest.h"
#include "lib/desc.h"
#include "lib/page.h"

#define WINDOW    0x40000000ul
#define NX        (1ull << 63)
#define P_W_U     (PTE_P | PTE_W | PTE_U)
#define ADDRESS   0x000ffffffffff000ull
#define EFER_NXE  0x800u
#define CR4_SMEP  0x00100000ul
#define CR4_SMAP  0x00200000ul
enum { PAGES = 24, FRAMES = 32 };

static uint32_t dir[1024] __attribute__((aligned(4096)));
static uint32_t low[4][1024] __attribute__((aligned(4096)));
static uint64_t pdpt[512] __attribute__((aligned(4096)));
static uint64_t pd[4][512] __attribute__((aligned(4096)));
static uint64_t low_pae[8][512] __attribute__((aligned(4096)));
static uint32_t frames[FRAMES][1024] __attribute__((aligned(4096)));

static bool     pae, nxe;
static bool     kernel_ac;          /* RFLAGS.AC of the kernel's probes */
static ulong    root;
static uint32_t seed, probes, faults, wrong;

static uint32_t random_below(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

static void expect(bool ok, const char *what, ulong va, ulong got, ulong want)
{
    if (!ok && wrong++ < 5)
        printf("WRONG: %s at %lx: %lx, should be %lx\n", what, va, got, want);
}

/* ---- tables of either format ---- */

static uint64_t get(const volatile void *e)
{
    return pae ? *(const volatile uint64_t *)e : *(const volatile uint32_t *)e;
}

/* In halves, so that no processor ever sees a mixture that is present. */
static void put(volatile void *e, uint64_t v)
{
    volatile uint32_t *half = e;
    if (pae) {
        half[0] = 0;
        half[1] = (uint32_t)(v >> 32);
    }
    half[0] = (uint32_t)v;
}

static volatile void *pde(ulong va)
{
    return pae ? (volatile void *)&pd[va >> 30][va >> 21 & 511] : (volatile void *)&dir[va >> 22];
}

static volatile void *entry_in(uint64_t table, ulong va)
{
    ulong t = (ulong)(table & ADDRESS);
    return pae ? (volatile void *)((uint64_t *)t + (va >> 12 & 511))
               : (volatile void *)((uint32_t *)t + (va >> 12 & 1023));
}

static volatile void *pte(ulong va)
{
    return entry_in(get(pde(va)), va);
}

static void reload(void)
{
    cr3_write(root);
}

static uint64_t frame_at(unsigned n)
{
    return (ulong)frames[n % FRAMES];
}

static ulong page(unsigned n)
{
    return WINDOW + n * PAGE_SIZE;
}

/* The first 16 MiB as they are, for both rings; the window's table, with nothing in it. */
static void build(void)
{
    memset(dir, 0, sizeof dir);
    memset(pd, 0, sizeof pd);
    for (unsigned i = 0; i < 4096; i++) {
        low[i / 1024][i % 1024] = (uint32_t)(i * PAGE_SIZE | P_W_U);
        low_pae[i / 512][i % 512] = i * PAGE_SIZE | P_W_U;
    }
    for (unsigned i = 0; i < 4; i++) {
        dir[i] = (uint32_t)((ulong)low[i] | P_W_U);
        pdpt[i] = (ulong)pd[i] | PTE_P;
    }
    for (unsigned i = 0; i < 8; i++)
        pd[0][i] = (ulong)low_pae[i] | P_W_U;
    put(pde(WINDOW), (ulong)page_alloc() | P_W_U);
    for (unsigned f = 0; f < FRAMES; f++) {
        frames[f][0] = 0x00c3c3c3;              /* RET, for who fetches it */
        frames[f][1] = 0xf0000000 + f;
    }
}

static void set_nxe(bool on)
{
    nxe = on;
    wrmsr(MSR_EFER, on ? EFER_NXE : 0);
}

static void paging_off(void)
{
    cr0_write(cr0_read() & ~(CR0_PG | CR0_WP));
}

static void paging_on(bool with_pae)
{
    paging_off();
    pae = with_pae;
    build();
    root = pae ? (ulong)pdpt : (ulong)dir;
    cr4_write((cr4_read() & ~(CR4_PAE | CR4_PSE)) | (pae ? CR4_PAE : CR4_PSE));
    set_nxe(pae);
    reload();
    cr0_write(cr0_read() | CR0_PG | CR0_WP);
}

/* ---- one access ---- */

enum how { READ, WRITE, FETCH };
static struct { ulong va; enum how how; uint32_t value; bool fell; } probe;

static void access(void)
{
    uint32_t v = probe.value;
    switch (probe.how) {
    case READ:  probe.fell = TRY("movl 4(%1), %0", : "+r"(v) : "r"(probe.va) : "memory"); break;
    case WRITE: probe.fell = TRY("movl %0, 4(%1)", : "+r"(v) : "r"(probe.va) : "memory"); break;
    case FETCH: probe.fell = TRY("call *%1", : "+r"(v) : "r"(probe.va) : "memory"); break;
    }
    probe.value = v;
}

static void access_and_leave(void)
{
    access();
    user_exit();
}

/* True: it was refused, and caught says how. */
static bool try(ulong va, enum how how, bool user, uint32_t value)
{
    ulong at = va + (how == FETCH ? 0 : 4);
    probe.va = va;
    probe.how = how;
    probe.value = value;
    if (user) {
        user_run(access_and_leave, 2);
    } else if (kernel_ac) {
        flags_write(flags_read() | FLAG_AC);
        access();
        flags_write(flags_read() & ~FLAG_AC);
    } else {
        access();
    }
    probes++;
    faults += probe.fell;
    if (probe.fell) {
        expect(caught.vector == 14, "vector", va, caught.vector, 14);
        expect(caught.cr2 == at, "CR2", va, caught.cr2, at);
    }
    return probe.fell;
}

static bool is_large(uint64_t above)
{
    return (above & PTE_P) && (above & PTE_PS);
}

/* Has it a bit that must be 0? */
static bool is_reserved(uint64_t e, bool large)
{
    uint64_t bits = pae ? 0x7fffffull << 40 | (nxe ? 0 : NX) | (large ? 0x1fe000 : 0)
                        : large ? 1ull << 21 : 0;
    return (e & PTE_P) && (e & bits);
}

/* Do the rights of both entries allow it? */
static bool is_granted(uint64_t above, uint64_t e, enum how how, bool user)
{
    uint64_t both = above & e, guard = how == FETCH ? CR4_SMEP : CR4_SMAP;
    bool ok = !user || (both & PTE_U);
    if (how == WRITE)
        ok &= (both & PTE_W) || (!user && !(cr0_read() & CR0_WP));
    if (how == FETCH)
        ok &= !((above | e) & NX);
    if (!user && (both & PTE_U) && (how == FETCH || !kernel_ac))
        ok &= !(cr4_read() & guard);
    return ok;
}

/* What the tables say now, asked as the manual does: 0, or 1 + the error code. */
static unsigned model(ulong va, enum how how, bool user)
{
    uint64_t above = get(pde(va));
    uint64_t e = !(above & PTE_P) || is_large(above) ? above : get(pte(va));
    bool told = nxe || (cr4_read() & CR4_SMEP);             /* that it was a fetch */
    unsigned error = (how == WRITE ? 2 : how == FETCH && told ? 16 : 0) | (user ? 4 : 0);
    if (is_reserved(above, is_large(above)) || is_reserved(e, is_large(above)))
        return 1 + (error | 9);
    if (!(above & PTE_P) || !(e & PTE_P))
        return 1 + error;
    return is_granted(above, e, how, user) ? 0 : 1 + (error | 1);
}

/* The word that va shows, by the frame's own address. */
static volatile uint32_t *behind(ulong va)
{
    uint64_t above = get(pde(va));
    ulong size = above & PTE_PS ? (pae ? 2ul << 20 : 4ul << 20) : PAGE_SIZE;
    uint64_t e = above & PTE_PS ? above : get(pte(va));
    return (volatile uint32_t *)(((ulong)(e & ADDRESS) & ~(size - 1)) + (va & (size - 1)));
}

/* One access, compared with the model. */
static void look(ulong va, enum how how, bool user)
{
    unsigned want = model(va, how, user);
    uint32_t value = random_below(1u << 20);
    bool fell = try(va, how, user, value);
    expect(fell == (want != 0), "refused", va, fell, want != 0);
    if (fell && want)
        expect(caught.error == want - 1, "error code", va, caught.error, want - 1);
    if (fell || want || how == FETCH)
        return;
    uint32_t there = behind(va)[1];
    if (how == READ)
        expect(probe.value == there, "data read", va, probe.value, there);
    else
        expect(there == value, "data written", va, there, value);
}

static void map(ulong va, uint64_t e)
{
    put(pte(va), e);
    invlpg((void *)va);
}

static void expect_bits(volatile void *e, ulong va, ulong want)
{
    ulong got = (ulong)get(e) & (PTE_A | PTE_D);
    expect(got == want, "A (20) and D (40)", va, got, want);
}

/* ---- running them ---- */

/* `once`: it turns paging on by itself, in all formats. */
struct window_test { const char *name; void (*run)(void); bool once; };

/* Those that the command line names, with tables of two levels and with PAE. */
static int run_tests(const struct window_test *tests, unsigned n)
{
    char test[16] = "";
    seed = option_number("seed=", 1);
    option("test=", test, sizeof test);
    mark(1);
    for (unsigned i = 0; i < n; i++) {
        if (test[0] && strcmp(tests[i].name, test))
            continue;
        for (unsigned with_pae = tests[i].once; with_pae < 2; with_pae++) {
            probes = faults = 0;
            paging_on(with_pae);
            tests[i].run();
            printf("%s, %s: %u probes, %u refused, %u wrong\n", tests[i].name,
                   tests[i].once ? "all formats" : with_pae ? "PAE" : "2 levels", probes, faults,
                   wrong);
        }
    }
    mark(4);
    return wrong != 0;
}

#endif
