/*
 * tables: a kernel that does with its page tables whatever the manual allows, and knows what
 * must come of it.
 *
 * Each test builds a window of pages at 1 GiB, changes entries in an order that the seed chooses,
 * and compares each access with a model of its own: reached or refused, with which error code,
 * which data, and which A and D bits stand in the tables afterwards.  It never looks at a page
 * that it has changed and not invalidated: there a processor may do as it likes.
 *
 *   touch    pages touched for the first time, and holes between them
 *   rights   W, U and NX at two levels, CR0.WP, both rings
 *   guard    SMEP, SMAP and RFLAGS.AC; what the processor reads for itself
 *   codes    error codes: of reserved bits, and of a fetch where the tables know no NX
 *   bits     A and D appear when they should, again after they were cleared, and not before
 *   change   entries changed, removed and added, then INVLPG or CR3
 *   alias    one table at two addresses with different rights; a table that maps itself
 *   spaces   four address spaces that share a kernel
 *   large    4 MiB and 2 MiB pages, whole and split
 *   recycle  what was a table becomes data
 *   self     instructions that write the tables they need themselves
 *   nothing  what is mapped to no memory, and to ROM, with all rights; a table of both formats
 *   many     more tables than a monitor may keep, or let out of step
 *   modes    CR0.WP, CR4.PSE, EFER.NXE and paging itself, on and off
 *
 * On the command line: seed=N, test=NAME.  All but `modes` run with 2-level tables and with PAE.
 * MARK 1: it begins.  MARK 2: the window is set up.  MARK 3: done with it.  2 and 3 come twice.
 */
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

static void shuffle(uint8_t *order, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        order[i] = (uint8_t)i;
    for (unsigned i = n; i > 1; i--) {
        unsigned k = random_below(i);
        uint8_t t = order[i - 1];
        order[i - 1] = order[k];
        order[k] = t;
    }
}

/* ---- the tests ---- */

static void test_touch(void)
{
    uint8_t order[PAGES];
    for (unsigned i = 0; i < PAGES; i++)
        put(pte(page(i)), i % 4 == 3 ? 0 : frame_at(i) | P_W_U);
    shuffle(order, PAGES);
    reload();
    mark(2);
    for (unsigned n = 0; n < 3; n++)            /* the third time it is all there */
        for (unsigned i = 0; i < PAGES; i++)
            look(page(order[i]), n ? WRITE : READ, false);
    mark(3);
}

/* The upper entry of the window, too, gets the rights it is tested with. */
static void test_rights(void)
{
    mark(2);
    for (unsigned round = 0; round < 96; round++) {
        ulong va = page(random_below(PAGES));
        uint64_t up = PTE_P, leaf = PTE_P | (random_below(2) ? PTE_A | PTE_D : 0);
        up |= (random_below(3) ? PTE_W : 0) | (random_below(3) ? PTE_U : 0);
        leaf |= (random_below(3) ? PTE_W : 0) | (random_below(3) ? PTE_U : 0);
        if (pae && random_below(3) == 0)
            *(random_below(2) ? &up : &leaf) |= NX;
        put(pde(va), (get(pde(va)) & ADDRESS) | up);
        map(va, frame_at(random_below(FRAMES)) | leaf);
        reload();
        cr0_write((cr0_read() & ~CR0_WP) | (random_below(2) ? CR0_WP : 0));
        for (unsigned i = 0; i < 4; i++)
            look(va, (enum how)random_below(pae ? 3 : 2), random_below(2));
    }
    mark(3);
}

/* Are the kernel's own pages for both rings?  The low half of an entry is changed alone, so that it
 * is there all the time. */
static void share_kernel(bool shared)
{
    for (ulong va = 0; va < 16ul << 20; va += 2ul << 20) {
        volatile uint32_t *low_half = pde(va);
        *low_half = (*low_half & ~(uint32_t)PTE_U) | (shared ? PTE_U : 0);
    }
    reload();
}

/* ---- what the processor reads for itself ---- */

#define DESCRIPTOR  0x100u                  /* where it is in the table */
#define SELECTOR    (DESCRIPTOR | 7)        /* of the LDT, RPL 3 */

/* Loads the selector; and the flat one again, for the sake of whoever saves it next. */
static void load_selector(void)
{
    ulong flat = SEL_UDATA, now;
    probe.fell = TRY("movw %w1, %%fs", : "=&r"(now) : "r"(SELECTOR) : "memory");
    __asm__ volatile("movw %w0, %%fs" : : "r"(flat) : "memory");
}

static void load_and_leave(void)
{
    load_selector();
    user_exit();
}

/* The table lies in a page with these rights.  A descriptor that is loaded for the first time is
 * written, too: its bit "accessed". */
static void load_from(uint64_t rights, bool user, bool ac, ulong error)
{
    ulong va = page(PAGES + 3);
    uint64_t *there = (uint64_t *)((char *)frames[3] + DESCRIPTOR);
    *there = seg_desc(0, 0xfffff, ACC_UDATA & ~1u, SEGF_4G);
    gdt[SEL_FREE / 8] = seg_desc((uint32_t)va, 0xfff, ACC_LDT, 0);
    __asm__ volatile("lldt %w0" : : "r"(SEL_FREE));
    map(va, (ulong)frames[3] | PTE_P | rights);
    reload();
    if (user)
        user_run(load_and_leave, 2);
    if (ac)
        flags_write(flags_read() | FLAG_AC);
    if (!user)
        load_selector();
    flags_write(flags_read() & ~FLAG_AC);
    probes++;
    faults += probe.fell;
    expect(probe.fell == (error != 0), "a descriptor is refused", va, probe.fell, error != 0);
    if (probe.fell && error)
        expect(caught.vector == 14 && caught.error == error, "its error code", va, caught.error,
               error);
    if (!error)
        expect(*there >> 40 & 1, "accessed", va, (ulong)(*there >> 32), 0x100);
}

/* It reads as the kernel, whoever loads the selector; and RFLAGS.AC opens no page to it. */
static void test_descriptors(void)
{
    put(pde(WINDOW), get(pde(WINDOW)) | P_W_U);
    share_kernel(false);
    cr4_write(cr4_read() | CR4_SMAP);
    load_from(PTE_W, false, false, 0);
    load_from(PTE_W | PTE_U, false, false, 1);
    load_from(PTE_W | PTE_U, false, true, 1);
    cr4_write(cr4_read() & ~CR4_SMAP);
    share_kernel(true);
    load_from(PTE_W, true, false, 0);
    load_from(PTE_W | PTE_U, true, false, 0);
    load_from(0, true, false, 3);
    cr0_write(cr0_read() & ~CR0_WP);
    load_from(0, true, false, 0);
    load_from(PTE_U, true, false, 0);
    cr0_write(cr0_read() | CR0_WP);
    __asm__ volatile("lldt %w0" : : "r"(0));
}

/* The kernel's own pages are for the kernel alone as long as it may not touch the user's. */
static void test_guard(void)
{
    static const ulong guards[] = { 0, CR4_SMEP, CR4_SMEP | CR4_SMAP, CR4_SMAP };
    uint64_t table = get(pde(WINDOW)) & ADDRESS;
    ulong plain = cr4_read();
    mark(2);
    share_kernel(false);
    for (unsigned i = 0; i < 2 * 4; i++) {
        cr4_write(plain | guards[i % 4]);
        for (unsigned k = 0; k < 4; k++) {
            put(pde(WINDOW), table | PTE_P | PTE_W | (k & 1 ? PTE_U : 0));
            put(pte(page(k)), frame_at(i + k) | PTE_P | PTE_W | (k & 2 ? PTE_U : 0));
            reload();
            for (unsigned n = 0; n < 6; n++) {          /* with AC first, and without it first */
                kernel_ac = (i + n) & 1;
                look(page(k), (enum how)(n / 2), false);
            }
            kernel_ac = false;
        }
    }
    cr4_write(plain);
    share_kernel(true);
    test_descriptors();
    mark(3);
}

/* Entries that no processor accepts, at both levels; the bits below are what PAE reserves. */
static void test_codes(void)
{
    uint64_t table = get(pde(WINDOW)) & ADDRESS, good = table | P_W_U, frame = frame_at(5);
    uint64_t high = 1ull << (40 + random_below(12)), big = 8ul << 20 | PTE_PS | P_W_U;
    const struct { uint64_t above, entry; } cases[] = {
        { good, 0 }, { good, frame | PTE_P }, { good, frame | P_W_U }, { good, frame | P_W_U | NX },
        { good | NX, frame | P_W_U }, { good, frame | P_W_U | high }, { good, frame | high },
        { good | high, frame | P_W_U }, { good | high, 0 }, { table | high, frame | P_W_U },
        { big | high, 0 }, { big | (pae ? 1ul << 13 : 1ul << 21), 0 }, { big, 0 },
    };
    ulong va = page(random_below(PAGES));
    *(volatile uint32_t *)((8ul << 20) + (va - WINDOW)) = 0x00c3c3c3;     /* RET, here, too */
    mark(2);
    for (unsigned i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        if (pae && i % 2 == 0)
            set_nxe(i / 2 % 2);
        put(pde(va), good);
        put(entry_in(table, va), frame | P_W_U);
        reload();
        look(va, READ, true);
        put(entry_in(table, va), cases[i / 2].entry);
        put(pde(va), cases[i / 2].above);
        invlpg((void *)va);
        for (unsigned n = 0; n < 6; n++)
            look(va, (enum how)(n / 2), n & 1);
        if (pae && i % 2 == 0)
            set_nxe(true);
    }
    put(pde(va), good);
    reload();
    mark(3);
}

static void expect_bits(volatile void *e, ulong va, ulong want)
{
    ulong got = (ulong)get(e) & (PTE_A | PTE_D);
    expect(got == want, "A (20) and D (40)", va, got, want);
}

/* Reads leave A, writes D; never D without a write. */
static void test_bits(void)
{
    ulong other = page(PAGES + 1);
    mark(2);
    for (unsigned round = 0; round < 60; round++) {
        ulong va = page(random_below(PAGES));
        uint64_t e = frame_at(random_below(FRAMES)) | P_W_U;
        map(va, e);
        map(other, e);
        expect_bits(pte(va), va, 0);
        look(va, READ, random_below(2));
        expect_bits(pte(va), va, PTE_A);
        if (random_below(2)) {                  /* cleared: it must come again */
            map(va, e);
            look(va, READ, random_below(2));
            expect_bits(pte(va), va, PTE_A);
        }
        look(va, WRITE, random_below(2));
        expect_bits(pte(va), va, PTE_A | PTE_D);
        look(other, READ, false);               /* the frame is dirty, this name of it is not */
        expect_bits(pte(other), other, PTE_A);
        map(va, e | PTE_A);                     /* as a pager does that has written it out */
        look(va, WRITE, random_below(2));
        expect_bits(pte(va), va, PTE_A | PTE_D);
        expect((get(pde(va)) & PTE_A) != 0, "A above", va, 0, PTE_A);
    }
    mark(3);
}

/* Single entries with INVLPG, several at once with CR3, new ones with neither. */
static void change_some(void)
{
    unsigned n = 1 + random_below(3);
    bool all = random_below(3) == 0;
    for (unsigned i = 0; i < n; i++) {
        ulong va = page(random_below(PAGES));
        uint64_t was = get(pte(va)), is = 0;
        if (random_below(4))
            is = frame_at(random_below(FRAMES)) | PTE_P | PTE_U | (random_below(3) ? PTE_W : 0);
        if (random_below(4) == 0)
            is = was ^ PTE_W;
        put(pte(va), is);
        if (!all && (was & PTE_P))
            invlpg((void *)va);
    }
    if (all)
        reload();
}

static void test_change(void)
{
    mark(2);
    for (unsigned round = 0; round < 60; round++) {
        change_some();
        for (unsigned i = 0; i < 6; i++)
            look(page(random_below(PAGES)), (enum how)random_below(2), random_below(2));
    }
    mark(3);
}

/* The window's table as a page of the window: entries are changed through it. */
static void change_through_window(void)
{
    map(page(PAGES), (get(pde(WINDOW)) & ADDRESS) | P_W_U);
    for (unsigned round = 0; round < 20; round++) {
        unsigned n = random_below(PAGES);
        put(entry_in(page(PAGES), page(n)), frame_at(random_below(FRAMES)) | P_W_U);
        invlpg((void *)page(n));
        look(page(n), READ, false);
        look(page(n), WRITE, true);
    }
}

/* The same through a name that is read before it is written, and whose D bit is set from the
 * beginning: the table is shadowed already when that name is first met. */
static void change_after_reading(void)
{
    ulong name = page(PAGES + 2);
    for (unsigned round = 0; round < 8; round++) {
        unsigned n = random_below(PAGES), f = random_below(FRAMES);
        put(pte(page(n)), frame_at(f) | P_W_U);
        put(pte(name), (get(pde(WINDOW)) & ADDRESS) | P_W_U | PTE_A | PTE_D);
        reload();
        look(page(n), READ, false);
        uint64_t was = get(entry_in(name, page(n)));
        expect((was & ADDRESS) == frame_at(f), "entry read", page(n), (ulong)was, (ulong)frame_at(f));
        put(entry_in(name, page(n)), frame_at(f + 1 + random_below(FRAMES - 1)) | P_W_U);
        invlpg((void *)page(n));
        look(page(n), READ, true);
        look(page(n), WRITE, false);
    }
}

/* A right is given to the upper entry of the second name, and taken from it again: from a page
 * that is looked at then, and from one that is not. */
static void change_rights_above(ulong away)
{
    uint64_t table = get(pde(WINDOW)) & ADDRESS;
    unsigned n = random_below(PAGES);
    ulong va = page(n), other = page((n + 1) % PAGES);
    put(pte(va), frame_at(random_below(FRAMES)) | P_W_U);
    put(pte(other), frame_at(random_below(FRAMES)) | P_W_U);
    reload();
    for (unsigned i = 0; i < 6; i++) {
        put(pde(va + away), table | (i & 1 ? P_W_U : i & 2 ? PTE_P | PTE_U : PTE_P | PTE_W));
        reload();
        look(va + away, READ, true);
        look(va + away, WRITE, true);
        look(va + away, WRITE, false);
        look(va, WRITE, true);
        look(other + away, WRITE, i & 1);
    }
}

/* The window's table a second time, 8 MiB higher, with other rights. */
static void test_alias(void)
{
    ulong away = 8ul << 20;
    for (unsigned i = 0; i < PAGES; i++)
        put(pte(page(i)), frame_at(i) | P_W_U);
    put(pde(WINDOW + away), (get(pde(WINDOW)) & ADDRESS) | PTE_P | PTE_U);
    reload();
    mark(2);
    for (unsigned round = 0; round < 40; round++) {
        ulong va = page(random_below(PAGES));
        for (unsigned i = 0; i < 4; i++)
            look(va + (random_below(2) ? away : 0), (enum how)random_below(2), random_below(2));
        if (random_below(4) == 0) {
            put(pte(va), frame_at(random_below(FRAMES)) | PTE_P | (random_below(2) ? PTE_W : 0) |
                             (random_below(2) ? PTE_U : 0));
            invlpg((void *)va);
            invlpg((void *)(va + away));
        }
        if (random_below(8) == 0) {
            put(pde(WINDOW + away), get(pde(WINDOW + away)) ^ (random_below(2) ? PTE_W : PTE_U));
            reload();
        }
    }
    change_rights_above(away);
    change_through_window();
    change_after_reading();
    mark(3);
}

/* A copy of the address space with a window of its own; where the window's first entry is.  PAE's
 * roots are 32 bytes long, and all of them lie in one page. */
static volatile void *make_space(unsigned n, ulong *its_root)
{
    static uint64_t roots[PAGE_SIZE / 32][4] __attribute__((aligned(4096)));
    uint64_t table = (ulong)page_alloc() | P_W_U;
    uint64_t *copy = pae ? roots[n] : page_alloc();
    *its_root = (ulong)copy;
    if (pae) {
        uint64_t *own = page_alloc();
        memcpy(copy, pdpt, sizeof roots[n]);
        memcpy(own, pd[1], PAGE_SIZE);
        copy[1] = (ulong)own | PTE_P;
        own[0] = table;
    } else {
        memcpy(copy, dir, PAGE_SIZE);
        ((uint32_t *)copy)[WINDOW >> 22] = (uint32_t)table;
    }
    return entry_in(table, WINDOW);
}

static void test_spaces(void)
{
    enum { SPACES = 4 };
    ulong roots[SPACES];
    volatile void *entry[SPACES];
    for (unsigned s = 0; s < SPACES; s++) {
        entry[s] = make_space(s, &roots[s]);
        put(entry[s], frame_at(s) | P_W_U);
    }
    mark(2);
    for (unsigned round = 0; round < 100; round++) {
        unsigned s = random_below(SPACES);
        if (random_below(8) == 0)               /* in a space that is away */
            put(entry[s], frame_at(random_below(FRAMES)) | P_W_U);
        cr3_write(roots[s]);
        uint32_t *frame = (uint32_t *)(ulong)(get(entry[s]) & ADDRESS), value = random_below(9999);
        bool fell = try(WINDOW, READ, random_below(2), 0);
        expect(!fell && probe.value == frame[1], "data here", WINDOW, probe.value, frame[1]);
        fell = try(WINDOW, WRITE, random_below(2), value);
        expect(!fell && frame[1] == value, "data written", WINDOW, frame[1], value);
    }
    reload();
    mark(3);
}

/* 8 MiB is memory that nobody else uses.  What a part has kept of `first` from the last round is
 * seen; and the table that maps that memory elsewhere has a second half, too. */
static void look_at_large(ulong size, ulong first, bool writable)
{
    for (unsigned i = 0; i < 10; i++) {
        ulong va = i < 2 ? first + i * size / 2
                         : WINDOW + random_below(size / PAGE_SIZE) * PAGE_SIZE;
        look(va, READ, random_below(2));
        if (i == 0)
            expect_bits(pde(WINDOW), va, PTE_A);
        look(va, WRITE, random_below(2));
        expect_bits(pde(WINDOW), va, writable ? PTE_A | PTE_D : PTE_A);
    }
}

/* One INVLPG, at any address in it, ends a large page. */
static void test_large(void)
{
    ulong size = pae ? 2ul << 20 : 4ul << 20, first = page(2 + random_below(PAGES - 2));
    uint64_t big = 8ul << 20 | PTE_PS | PTE_P | PTE_U, table = get(pde(WINDOW)) & ADDRESS;
    unsigned odd = random_below(2);
    mark(2);
    for (unsigned round = 0; round < 8; round++) {
        bool writable = (round / 2 + odd) % 2;
        put(pde(WINDOW), big | (writable ? PTE_W : 0));
        reload();
        look_at_large(size, first, writable);
        for (unsigned i = 0; i < size / PAGE_SIZE; i++)
            put(entry_in(table, i * PAGE_SIZE), ((big | PTE_W) & ~PTE_PS) + i * PAGE_SIZE);
        put(entry_in(table, first), frame_at(1) | P_W_U);
        put(pde(WINDOW), table | P_W_U);
        invlpg((void *)(WINDOW + random_below(size / PAGE_SIZE) * PAGE_SIZE));
        for (unsigned i = 0; i < 8; i++)
            look(i ? page(random_below(PAGES)) : first, (enum how)random_below(2), random_below(2));
    }
    mark(3);
}

/* A table is taken away and INVLPG or CR3 says so; it is changed while nothing leads to it, and
 * put back.  Of an entry that was not present nothing can be cached: no more needs to be said. */
static void test_relink(void)
{
    uint64_t table = get(pde(WINDOW));
    for (unsigned i = 0; i < PAGES; i++)
        put(pte(page(i)), frame_at(i) | P_W_U);
    reload();
    mark(2);
    for (unsigned round = 0; round < 30; round++) {
        for (unsigned i = 0; i < 6; i++)
            look(page(random_below(PAGES)), (enum how)random_below(2), random_below(2));
        put(pde(WINDOW), 0);
        if (random_below(2))
            reload();
        else
            for (unsigned i = 0; i < PAGES; i++)
                invlpg((void *)page(i));
        for (unsigned i = 0; i < 6; i++)
            put(entry_in(table, page(random_below(PAGES))),
                frame_at(random_below(FRAMES)) | PTE_P | PTE_U | (random_below(3) ? PTE_W : 0));
        put(pde(WINDOW), table);
    }
    mark(3);
}

/* Tables come and go; what was one is written to as data, and must then cost nothing. */
static void test_recycle(void)
{
    mark(2);
    for (unsigned round = 0; round < 6; round++) {
        volatile uint32_t *old = (volatile uint32_t *)(ulong)(get(pde(WINDOW)) & ADDRESS);
        put(pde(WINDOW), (ulong)page_alloc() | P_W_U);
        put(pte(page(round)), frame_at(round) | P_W_U);
        reload();
        look(page(round), WRITE, false);
        for (unsigned n = 0; n < 4; n++) {
            for (unsigned i = 0; i < 1024; i++)
                old[i] = i * n;
            reload();
        }
        look(page(round), READ, true);
        page_free((void *)old);
    }
    mark(3);
}

/* The table that maps the code, or the data, of the very instruction that writes it. */
static void test_self(void)
{
    static uint32_t data[1024] __attribute__((aligned(4096)));
    ulong here = (ulong)test_self, there = (ulong)data;
    mark(2);
    for (unsigned i = 0; i < 12; i++) {
        volatile uint32_t *code = pte(here + i % 2 * PAGE_SIZE);
        __asm__ volatile("lock orl $0x20, %0" : "+m"(*code) : : "memory");
        invlpg((void *)here);
        /* a table copied onto itself: it maps where it is read, and where it is written */
        volatile uint32_t *from = entry_in(get(pde(there)), 0), *to = from;
        ulong n = 1024;
        __asm__ volatile("rep movsl" : "+S"(from), "+D"(to), "+c"(n) : : "memory");
        reload();
        data[i] = i;
        expect(data[i] == i, "data", there, data[i], i);
        probes++;
    }
    mark(3);
}

/* The rights of a page count, whatever is there.  A fetch that is allowed would end the guest. */
static void look_where_nothing_is(ulong va, uint64_t where, uint32_t shows)
{
    for (unsigned k = 0; k < 8; k++) {
        map(va, where | PTE_P | (k & 1 ? PTE_W : 0) | (k & 2 ? PTE_U : 0) |
                    (pae && k & 4 ? NX : 0));
        for (unsigned n = 0; n < 6; n++) {
            enum how how = (enum how)(n / 2);
            unsigned want = model(va, how, n & 1);
            if (how == FETCH && !want)
                continue;
            bool fell = try(va, how, n & 1, ~shows);
            expect(fell == (want != 0), "refused", va, fell, want != 0);
            if (fell && want)
                expect(caught.error == want - 1, "error code", va, caught.error, want - 1);
            if (!fell && how == READ)
                expect(probe.value == shows, "what it shows", va, probe.value, shows);
        }
    }
}

/* One page is a table of both formats.  The processor sets A in the second half of what PAE takes
 * for one entry, and there it is bit 37 of an address (at which nothing is, before and after). */
static void test_both_formats(void)
{
    ulong va = WINDOW + (16ul << 20), small = PAGE_SIZE;
    volatile uint32_t *both = page_alloc();
    both[0] = both[2] = (uint32_t)frame_at(7) | P_W_U | PTE_A | PTE_D;
    both[3] = PTE_P | PTE_U;
    for (unsigned i = 0; i < 3; i++) {
        paging_on(i != 1);
        put(pde(va), (ulong)both | P_W_U);
        reload();
        look(va, READ, false);
        bool fell = try(va + (i == 1 ? 3 : 1) * small, READ, true, 0);
        expect(!fell && (i == 1 || probe.value == ~0u), "one entry or two", va, probe.value, ~0u);
        expect(both[3] == (PTE_P | PTE_U | (i ? PTE_A : 0)), "A", va, both[3], PTE_A);
    }
}

/* No memory: all ones are read, and writes are lost.  ROM: writes are lost. */
static void test_nothing(void)
{
    ulong hole = page(0), rom = page(1);
    uint64_t no_memory = 0xe0000000ul | P_W_U, bios = 0xf0000ul | P_W_U;
    mark(2);
    for (unsigned i = 0; i < 8; i++) {
        bool user = random_below(2);
        map(hole, no_memory);
        map(rom, bios);
        try(rom, READ, user, 0);
        uint32_t was = probe.value;
        expect_bits(pte(rom), rom, PTE_A);
        bool fell = try(hole, WRITE, user, 1234) || try(rom, WRITE, user, ~was);
        expect_bits(pte(hole), hole, PTE_A | PTE_D);
        expect_bits(pte(rom), rom, PTE_A | PTE_D);
        fell |= try(hole, READ, user, 0);
        expect(!fell && probe.value == ~0u, "what is nowhere", hole, probe.value, ~0u);
        fell = try(rom, READ, user, 0);
        expect(!fell && probe.value == was, "ROM", rom, probe.value, was);
    }
    look_where_nothing_is(hole, no_memory & ADDRESS, ~0u);
    look_where_nothing_is(rom, bios & ADDRESS, ((volatile uint32_t *)0xf0000)[1]);
    if (!pae)
        test_both_formats();
    mark(3);
}

/* The first page under table n of the window's. */
static ulong under(unsigned n)
{
    return WINDOW + n * (pae ? 2ul << 20 : 4ul << 20);
}

/* All tables are changed before anything is invalidated.  Then the kernel and its user see each
 * page in their own way (CR0.WP is clear): that makes twice as many tables. */
static void test_many(void)
{
    enum { TABLES = 80 };
    for (unsigned i = 0; i < TABLES; i++) {
        put(pde(under(i)), (ulong)page_alloc() | P_W_U);
        put(pte(under(i)), frame_at(i) | P_W_U);
    }
    mark(2);
    reload();
    for (unsigned round = 0; round < 2; round++) {
        unsigned away = 1 + random_below(FRAMES - 1);
        for (unsigned i = 0; i < TABLES; i++)
            look(under(i), READ, false);
        for (unsigned i = 0; i < TABLES; i++)
            put(pte(under(i)), frame_at(i + away) | PTE_P | PTE_U);
        reload();
        cr0_write(cr0_read() & ~CR0_WP);
        for (unsigned i = 0; i < 2 * TABLES; i++)
            look(under(i / 2), i % 4 < 2 ? WRITE : READ, i & 1);
        cr0_write(cr0_read() | CR0_WP);
    }
    mark(3);
}

/* A table of 1024 entries maps 4 MiB, twice as much as one of 512, and a directory 4 GiB. */
static ulong part(unsigned i)
{
    return WINDOW + i % 2 * (2ul << 20) + i / 2 * (1ul << 30) + PAGE_SIZE;
}

static void look_at_parts(void)
{
    enum { PARTS = 6 };
    for (unsigned i = 0; i < PARTS; i++) {
        if (!(get(pde(part(i))) & PTE_P))
            put(pde(part(i)), (ulong)page_alloc() | P_W_U);
        put(pte(part(i)), frame_at(i) | P_W_U);
    }
    reload();
    for (unsigned i = 0; i < 2 * PARTS; i++) {
        look(part(i % PARTS), READ, true);
        look(part(random_below(PARTS)), WRITE, false);
    }
}

static void test_modes(void)
{
    unsigned odd = random_below(2);
    mark(2);
    for (unsigned round = 0; round < 6; round++) {
        paging_on((round + odd) % 2);
        put(pte(page(0)), frame_at(round) | PTE_P | PTE_U);
        put(pte(page(1)), frame_at(round) | P_W_U | (pae ? NX : 0));
        for (unsigned i = 0; i < 6; i++) {
            cr0_write(cr0_read() ^ CR0_WP);
            look(page(0), WRITE, false);
            look(page(0), WRITE, true);
            look(page(1), pae && i % 2 ? FETCH : WRITE, random_below(2));
        }
        look_at_parts();
        paging_off();
        frames[round][1] = round;
        probes++;
    }
    paging_on(false);
    mark(3);
}

static const struct { const char *name; void (*run)(void); } tests[] = {
    { "touch", test_touch },     { "rights", test_rights },   { "guard", test_guard },
    { "codes", test_codes },     { "bits", test_bits },       { "change", test_change },
    { "alias", test_alias },     { "spaces", test_spaces },   { "large", test_large },
    { "relink", test_relink },   { "recycle", test_recycle }, { "self", test_self },
    { "nothing", test_nothing }, { "many", test_many },       { "modes", test_modes },
};

int main(void)
{
    char test[16] = "";
    seed = option_number("seed=", 1);
    option("test=", test, sizeof test);
    mark(1);
    for (unsigned i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        if (test[0] && strcmp(tests[i].name, test))
            continue;
        bool once = tests[i].run == test_modes;
        for (unsigned with_pae = once; with_pae < 2; with_pae++) {
            probes = faults = 0;
            paging_on(with_pae);
            tests[i].run();
            printf("%s, %s: %u probes, %u refused, %u wrong\n", tests[i].name,
                   once ? "all formats" : with_pae ? "PAE" : "2 levels", probes, faults, wrong);
        }
    }
    mark(4);
    return wrong != 0;
}
