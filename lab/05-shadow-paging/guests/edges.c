/*
 * edges: what a processor does with page tables and few kernels ask of it.
 *
 * As in tables.c each access is compared with a model (window.h); here each case comes in a fixed
 * order, and the seed chooses places.
 *
 *   guard    SMEP, SMAP and RFLAGS.AC; what the processor reads for itself
 *   codes    error codes: of reserved bits, and of a fetch where the tables know no NX
 *   nothing  what is mapped to no memory, and to ROM, with all rights; a table of both formats
 *   many     more tables than a monitor may keep, or let out of step
 *
 * On the command line: seed=N, test=NAME.  MARK 1: it begins.  MARK 2: the window is set up.  MARK
 * 3: done with it.  2 and 3 come twice.
 */
#include "../lab/05-shadow-paging/guests/window.h"

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
        for (unsigned n = 0; n < 6; n++)            /* no code is in the large page */
            if (n / 2 != FETCH || !is_large(get(pde(va))) || model(va, FETCH, n & 1))
                look(va, (enum how)(n / 2), n & 1);
        if (pae && i % 2 == 0)
            set_nxe(true);
    }
    put(pde(va), good);
    reload();
    mark(3);
}

/* The rights of a page count, whatever is there.  A fetch that is allowed would end the guest; one
 * from ROM would run what is there.  So NX is tried where nothing is: all ones are no
 * instruction. */
static void look_where_nothing_is(ulong va, uint64_t where, uint32_t shows)
{
    for (unsigned k = 0; k < 8; k++) {
        map(va, where | PTE_P | (k & 1 ? PTE_W : 0) | (k & 2 ? PTE_U : 0) |
                    (pae && k & 4 ? NX : 0));
        for (unsigned n = 0; n < 6; n++) {
            enum how how = (enum how)(n / 2);
            unsigned want = model(va, how, n & 1);
            if (how == FETCH && (!want || shows != ~0u))
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

static const struct window_test tests[] = {
    { "guard", test_guard, false },     { "codes", test_codes, false },
    { "nothing", test_nothing, false }, { "many", test_many, false },
};

int main(void)
{
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
