/*
 * tables: a kernel that does with its page tables whatever the manual allows, and knows what
 * must come of it.
 *
 * Each test changes entries of a window of pages in an order that the seed chooses, and compares
 * each access with a model (window.h).  It never looks at a page that it has changed and not
 * invalidated: there a processor may do as it likes.  edges.c has what few kernels do.
 *
 *   touch    pages touched for the first time, and holes between them
 *   rights   W, U and NX at two levels, CR0.WP, both rings
 *   bits     A and D appear when they should, again after they were cleared, and not before
 *   change   entries changed, removed and added, then INVLPG or CR3
 *   alias    one table at two addresses with different rights; a table that maps itself
 *   spaces   four address spaces that share a kernel
 *   large    4 MiB and 2 MiB pages, whole and split
 *   recycle  what was a table becomes data
 *   self     instructions that write the tables they need themselves
 *   modes    CR0.WP, CR4.PSE, EFER.NXE and paging itself, on and off
 *
 * On the command line: seed=N, test=NAME.  All but `modes` run with 2-level tables and with PAE.
 * MARK 1: it begins.  MARK 2: the window is set up.  MARK 3: done with it.  2 and 3 come twice.
 */
#include "../lab/05-shadow-paging/guests/window.h"

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
    ulong va = page(n), other = page((n + 1) % PAGES), fresh = page((n + 2) % PAGES);
    put(pte(va), frame_at(random_below(FRAMES)) | P_W_U);
    put(pte(other), frame_at(random_below(FRAMES)) | P_W_U);
    reload();
    for (unsigned i = 0; i < 6; i++) {
        map(fresh, frame_at(random_below(FRAMES)) | P_W_U);
        put(pde(va + away), table | (i & 1 ? P_W_U : i & 2 ? PTE_P | PTE_U : PTE_P | PTE_W));
        reload();
        look(va + away, READ, true);
        look(va + away, WRITE, true);
        look(va + away, WRITE, false);
        look(va, WRITE, true);
        look(other + away, WRITE, i & 1);
        look(fresh, WRITE, true);               /* by its first name, and only by that */
    }
    /* the same with the upper entry's A bit, which nothing at the second name sets again */
    map(fresh, frame_at(random_below(FRAMES)) | P_W_U);
    put(pde(va + away), table | P_W_U);
    reload();
    look(other, READ, true);
    look(other + away, READ, true);
    put(pde(va + away), table | P_W_U);
    reload();
    look(fresh, WRITE, true);
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
 * seen; and the table that maps that memory elsewhere has a second half, too.  Who leads these
 * addresses to the first 2 MiB of memory must not hit this program there, and do anything. */
static void look_at_large(ulong size, ulong first, bool writable)
{
    for (unsigned i = 0; i < 10; i++) {
        ulong half = pae ? size / 4 : size / 2;
        ulong va = i < 2 ? first + i * half
                         : WINDOW + random_below(2) * half + random_below(112) * PAGE_SIZE;
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

static const struct window_test tests[] = {
    { "touch", test_touch, false },     { "rights", test_rights, false },
    { "bits", test_bits, false },       { "change", test_change, false },
    { "alias", test_alias, false },     { "spaces", test_spaces, false },
    { "large", test_large, false },     { "relink", test_relink, false },
    { "recycle", test_recycle, false }, { "self", test_self, false },
    { "modes", test_modes, true },
};

int main(void)
{
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
