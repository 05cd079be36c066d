/*
 * levels: one page, and each level of the tables above it: two levels or, as levels64, four.
 *
 * At each level in turn a right is taken away, the A bit is cleared, the table is unhooked, changed
 * and hooked in again, or another one takes its place.  What must come of it is compared with a
 * model, as in tables.c: it never looks at what it has changed and not invalidated.
 *
 * On the command line: seed=N, which chooses the pages.  MARK 1: it begins.  MARK 2: the rights are
 * done.  MARK 3: the tables are.  MARK 4: the large pages are.
 */
#include "lib/guest.h"
#include "lib/desc.h"
#include "lib/page.h"

enum { LEVELS = sizeof(long) == 8 ? 4 : 2, BITS = sizeof(long) == 8 ? 9 : 10, PAGES = 3 };
#define WINDOW    (sizeof(long) == 8 ? (ulong)(1ull << 39) : 0x40000000ul)
#define NX        (sizeof(long) == 8 ? (ulong)(1ull << 63) : 0ul)
#define EFER_NXE  0x800u
#define P_W_U     (PTE_P | PTE_W | PTE_U)
#define FRAME     (PTE_FRAME & ~NX)
#define RET       0xc3c3c3ul                        /* for who fetches it */

static ulong frames[8][512] __attribute__((aligned(4096)));
static pte_t *tables[LEVELS + 1];                   /* tables[LEVELS] is the root */
static ulong va[PAGES];
static uint32_t seed, probes, faults, wrong;

static uint32_t random_below(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

static void expect(bool ok, const char *what, ulong at, ulong got, ulong want)
{
    if (!ok && wrong++ < 5)
        printf("WRONG: %s at %lx: %lx, should be %lx\n", what, at, got, want);
}

static ulong size_at(unsigned level)
{
    return 1ul << (12 + BITS * (level - 1));
}

static pte_t *entry(unsigned level, ulong at)
{
    return &tables[level][at / size_at(level) & ((1ul << BITS) - 1)];
}

/* ---- one access ---- */

enum how { READ, WRITE, FETCH };
static struct { ulong at, value; enum how how; bool fell; } probe;

static void access(void)
{
    ulong v = probe.value;
    switch (probe.how) {
    case READ:  probe.fell = TRY("mov 8(%1), %0", : "+r"(v) : "r"(probe.at) : "memory"); break;
    case WRITE: probe.fell = TRY("mov %0, 8(%1)", : "+r"(v) : "r"(probe.at) : "memory"); break;
    case FETCH: probe.fell = TRY("call *%1", : "+r"(v) : "r"(probe.at) : "memory"); break;
    }
    probe.value = v;
}

static void access_and_leave(void)
{
    access();
    user_exit();
}

/* What the tables say now: 0, or 1 + the error code. */
static unsigned model(ulong at, enum how how, bool user)
{
    unsigned error = (how == WRITE ? 2 : how == FETCH && NX ? 16 : 0) | (user ? 4 : 0);
    ulong all = ~0ul, any = 0;
    for (unsigned level = LEVELS; level; level--) {
        pte_t e = *entry(level, at);
        if (!(e & PTE_P))
            return 1 + error;
        all &= e;
        any |= e;
        if (level > 1 && (e & PTE_PS))
            break;
    }
    bool ok = (!user || (all & PTE_U)) && (how != WRITE || (all & PTE_W)) &&
              (how != FETCH || !(any & NX));
    return ok ? 0 : 1 + (error | 1);
}

/* `frame` is where the page is, as its own address says. */
static void look(ulong at, volatile ulong *frame, enum how how, bool user)
{
    unsigned want = model(at, how, user);
    ulong value = random_below(1u << 20);
    probe.at = at;
    probe.how = how;
    probe.value = value;
    if (user)
        user_run(access_and_leave, 2);
    else
        access();
    probes++;
    faults += probe.fell;
    expect(probe.fell == (want != 0), "refused", at, probe.fell, want != 0);
    if (probe.fell && want)
        expect(caught.vector == 14 && caught.error == want - 1, "error code", at, caught.error,
               want - 1);
    if (probe.fell || want || how == FETCH)
        return;
    ulong there = frame[8 / sizeof(ulong)];
    expect(there == (how == READ ? probe.value : value), "data", at, there, value);
}

static void look_at(unsigned page, enum how how, bool user)
{
    look(va[page], (volatile ulong *)(*entry(1, va[page]) & FRAME), how, user);
}

/* ---- the tests ---- */

static void all_hows(unsigned page)
{
    for (unsigned n = 0; n < 6; n++)
        look_at(page, (enum how)(n / 2), n & 1);
}

/* Each right counts at each level; and A is set at each level. */
static void test_rights(void)
{
    static const ulong without[] = { PTE_W, PTE_U, PTE_P };
    for (unsigned level = LEVELS; level; level--) {
        pte_t *e = entry(level, va[0]), was = *e & ~PTE_A;
        for (unsigned i = 0; i < 4; i++) {
            *e = i < 3 ? was & ~without[i] : was | NX;
            cr3_write(cr3_read());
            all_hows(0);
        }
        *e = was;
        cr3_write(cr3_read());
        look_at(0, READ, level & 1);
        expect(*e & PTE_A, "A", level, *e, PTE_A);
        *e = was & ~PTE_A;
        invlpg((void *)va[0]);
        look_at(0, WRITE, level & 1);
        expect(*e & PTE_A, "A once more", level, *e, PTE_A);
    }
}

/* The pages' own entries; said to nobody. */
static void change_pages(unsigned away)
{
    for (unsigned i = 0; i < PAGES; i++)
        *entry(1, va[i]) = (ulong)frames[(i + away) % 8] | P_W_U;
}

static void invalidate_pages(void)
{
    for (unsigned i = 0; i < PAGES; i++)
        invlpg((void *)va[i]);
}

/* Unhooked, invalidated, changed, and hooked in where nothing was present: true at once. */
static void hook_in_again(unsigned level, unsigned round)
{
    pte_t *e = entry(level, va[0]), was = *e;
    *e = 0;
    if (round & 1)
        cr3_write(cr3_read());
    else
        invalidate_pages();
    look_at(round % PAGES, READ, true);
    change_pages(1 + random_below(7));
    *e = was;
    for (unsigned i = 0; i < PAGES; i++)
        look_at((i + round) % PAGES, i & 1 ? WRITE : READ, round & 2);
}

/* A copy of the table takes its place; and then it comes back. */
static void replace(unsigned level)
{
    pte_t *e = entry(level, va[0]), was = *e, *old = tables[level - 1], *copy = page_alloc();
    memcpy(copy, old, PAGE_SIZE);
    tables[level - 1] = copy;
    *e = (ulong)copy | P_W_U;
    invalidate_pages();
    if (level == 2)
        change_pages(3);
    invalidate_pages();
    for (unsigned i = 0; i < PAGES; i++)
        look_at(i, WRITE, true);
    *e = was;
    tables[level - 1] = old;
    invalidate_pages();
    for (unsigned i = 0; i < PAGES; i++)
        look_at(i, i & 1 ? WRITE : READ, i == 2);
    page_free(copy);
}

/* One large page that maps the frames, where the table was.  INVLPG at one of its addresses ends
 * it, at whichever; then the table is there again. */
static void test_large(unsigned level)
{
    pte_t *e = entry(level, va[0]), was = *e;
    ulong size = size_at(level), base = va[0] & ~(size - 1), first = (ulong)frames & ~(size - 1);
    for (unsigned round = 0; round < 4; round++) {
        *e = first | PTE_PS | PTE_P | PTE_U | (round & 1 ? 0 : PTE_W);
        invalidate_pages();
        for (unsigned i = 0; i < 8; i++) {
            volatile ulong *frame = frames[(i + round) % 8];
            if (((ulong)frame & ~(size - 1)) != first)
                continue;
            look(base + ((ulong)frame & (size - 1)), frame, READ, i & 1);
            look(base + ((ulong)frame & (size - 1)), frame, WRITE, i & 2);
        }
        expect(!!(*e & PTE_D) == !(round & 1), "D", base, *e, PTE_D);
        *e = was;
        invlpg((void *)(base + random_below(512) * PAGE_SIZE));
        for (unsigned i = 0; i < PAGES; i++)
            look_at(i, i & 1 ? WRITE : READ, i == 2);
    }
}

/* The window's tables, and three pages of it: two in one table. */
static void build(void)
{
    tables[LEVELS] = page_start(PTE_U);
    for (unsigned i = 0; i < 8; i++)
        frames[i][0] = RET;
    va[0] = WINDOW + random_below(256) * PAGE_SIZE;
    va[1] = va[0] + PAGE_SIZE;
    va[2] = va[0] + (1 + random_below(200)) * 2 * PAGE_SIZE;
    for (unsigned level = LEVELS; level > 1; level--) {
        tables[level - 1] = page_alloc();
        *entry(level, va[0]) = (ulong)tables[level - 1] | P_W_U;
    }
    change_pages(0);
    cr0_write(cr0_read() | CR0_WP);
    if (sizeof(long) == 8)
        wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
}

int main(void)
{
    seed = option_number("seed=", 1);
    build();
    mark(1);
    test_rights();
    mark(2);
    for (unsigned level = LEVELS; level > 1; level--) {
        for (unsigned round = 0; round < 6; round++)
            hook_in_again(level, round);
        replace(level);
    }
    mark(3);
    cr4_write(cr4_read() | CR4_PSE);
    test_large(2);
    if (LEVELS == 4 && cpuid(0x80000001).edx >> 26 & 1)
        test_large(3);
    mark(4);
    printf("%u levels: %u probes, %u refused, %u wrong\n", LEVELS, probes, faults, wrong);
    return wrong != 0;
}
