/*
 * pages: uses memory so that each mistake of a keeper of nested tables shows.
 *
 * The guest knows what it has written where, and which pages it has touched; it prints both.
 * What a keeper does wrong it then sees in what it reads, in what the hypercalls return, or the
 * trace has it: an EPT violation too many or too few.
 *
 * On the command line: seed=N chooses the places, test= what is tried:
 *   lazy    pages of 4 KiB, touched in any order, again and again
 *   large   the same with pages of 2 MiB, up to an end of RAM that is not on a 2 MiB boundary
 *   holes   ROM, device memory and nothing at all, in the midst of what could be a large page
 *   unmap   small pages taken away, one or some at a time
 *   rights  small pages narrowed, and widened again by being touched
 *   zap     entries taken away and narrowed, in ranges of any size, in pages of both sizes; first
 *           what must be seen with every seed, then what the seed chooses
 *   trap    entries that no processor accepts, in large pages
 *   scarce  more large pages are to be split than there are frames for tables
 *   cold    one read through page tables of which the monitor has mapped nothing
 *   walk    how many entries the processor would read (HC_WALK), in two or, as pages64, four levels
 */
#include "lib/guest.h"
#include "lib/page.h"

enum { SMALL = 0x1000, LARGE = 0x200000 };
enum { MAY_READ = 1, MAY_WRITE = 2, MAY_EXECUTE = 4 };

/* The lab gives the guest 17 MiB.  Below 4 MiB lie this program, ROM and the hole. */
#define FIRST 0x400000ul
#define END   0x1100000ul
#define N_PAGES ((END - FIRST) / SMALL)

static uint32_t seed;
static uint32_t expected[N_PAGES];      /* the word at where[] in each page, 0: not written yet */
static uint16_t where[N_PAGES];
static uint8_t  touched[N_PAGES];
static unsigned n_touched;

/* A linear congruential generator: the same numbers from the same seed everywhere. */
static uint32_t random_below(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 12) % n;
}

static volatile uint32_t *word(ulong at)
{
    return (volatile uint32_t *)at;
}

static long call(unsigned nr, ulong a, ulong b, ulong c)
{
    return hypercall(nr, a, b, c, 0);
}

/* Write a page for the first time or again, or read what was written. */
static void touch(unsigned page)
{
    ulong at = FIRST + page * (ulong)SMALL;
    n_touched += !touched[page];
    touched[page] = 1;
    if (expected[page] && random_below(2)) {
        check(*word(at + where[page]) == expected[page], "a page keeps what is written",
              *word(at + where[page]), expected[page]);
        return;
    }
    where[page] = (uint16_t)(random_below(SMALL / 4) * 4);
    expected[page] = seed | 1;
    *word(at + where[page]) = expected[page];
}

/* Places near each other and far from each other. */
static void touch_some(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned page = random_below(N_PAGES);
        touch(page);
        if (page && random_below(4) == 0)
            touch(page - 1);
    }
}

static void check_all(void)
{
    unsigned wrong = 0;
    for (unsigned page = 0; page < N_PAGES; page++)
        if (expected[page] && *word(FIRST + page * (ulong)SMALL + where[page]) != expected[page])
            wrong++;
    printf("%u pages touched, %u of them are not as they were left\n", n_touched, wrong);
}

/* The last of RAM, which fills no page of 2 MiB. */
static void touch_end(void)
{
    for (unsigned i = 1; i <= 3; i++)
        touch(N_PAGES - i * (1 + random_below(40)));
}

static void test_lazy(void)
{
    touch_some(900);
    touch_end();
    check_all();
}

static void test_large(void)
{
    CHECK("MAP_SIZE", call(HC_MAP_SIZE, LARGE, 0, 0), 0);
    touch_some(900);
    touch_end();
    check_all();
}

/* What is no RAM, in both sizes: the hole below the BIOS, the BIOS, the end of RAM, the BIOS at
 * the top of 4 GiB; and RAM beside it. */
static void test_holes(void)
{
    call(HC_MAP_SIZE, LARGE, 0, 0);             /* the RAM above 1 MiB is no more than half of one */
    call(HC_UNMAP, 0, 0xa0000, 0);
    call(HC_UNMAP, 0x100000, 0x100000, 0);
    static const ulong nothing[] = { 0xc0000, 0xd5a00, 0xeffff & ~3ul, END, END + 0xff000,
                                     0x40000000, 0xc0000000 };
    static const ulong rom[] = { 0xf0000, 0xfe000, 0xffff0000 };
    static const ulong ram[] = { 0x9e000, 0xa0000, 0xbfff0, END - 4 };
    for (unsigned round = 0; round < 4; round++) {
        ulong off = random_below(0x40) * 4;
        call(HC_MAP_SIZE, round & 1 ? LARGE : SMALL, 0, 0);
        for (unsigned i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
            volatile uint32_t *w = word(nothing[i] == 0xefffc ? nothing[i] : nothing[i] + off);
            *w = 0x12345678;
            CHECK("where nothing is, ones are read", *w, 0xffffffff);
        }
        for (unsigned i = 0; i < sizeof rom / sizeof rom[0]; i++) {
            volatile uint32_t *w = word(rom[i] + off);
            uint32_t before = *w;
            *w = ~before;
            CHECK("a write to ROM is lost", *w, before);
        }
        for (unsigned i = 0; i < sizeof ram / sizeof ram[0]; i++) {
            *word(ram[i]) = 0xabcd0000 + round;
            CHECK("RAM beside it", *word(ram[i]), 0xabcd0000 + round);
        }
        printf("round %u\n", round);
    }
    CHECK("UNMAP of a hole", call(HC_UNMAP, 0xc0000, SMALL, 0), -14);
    touch_some(50);
    check_all();
}

/* A range of any length, that need not begin or end on a page. */
static void choose_range(ulong *at, ulong *bytes)
{
    ulong most = random_below(3) ? 40 * SMALL : 3 * LARGE;
    *at = FIRST + random_below(END - FIRST);
    *bytes = 1 + random_below(most);
    if (random_below(2)) {
        *at &= ~(LARGE - 1ul);
        *bytes = LARGE * (1 + random_below(2));
    }
    if (*bytes > END - *at)
        *bytes = END - *at;
}

static long unmap(ulong at, ulong bytes)
{
    return call(HC_UNMAP, at, bytes, 0);
}

static long protect(ulong at, ulong bytes, unsigned rights)
{
    return call(HC_PROTECT, at, bytes, rights);
}

/* Some small pages in a row are touched, some of them taken away, and all touched again. */
static void test_unmap(void)
{
    for (unsigned round = 0; round < 20; round++) {
        unsigned first = random_below(N_PAGES - 40), n = 10 + random_below(20), k = random_below(n);
        ulong at = FIRST + first * (ulong)SMALL;
        for (unsigned i = 0; i < n; i++)
            touch(first + i);
        printf("%u: one %ld, ", round, unmap(at + k * SMALL, SMALL));
        printf("again %ld, ", unmap(at + k * SMALL, SMALL));
        printf("some %ld, ", unmap(at + 3 * SMALL + 1 + random_below(SMALL - 1), 4 * SMALL));
        for (unsigned i = 0; i < n; i++)
            touch(first + i);
        printf("all %ld\n", unmap(at, n * (ulong)SMALL));
    }
    check_all();
}

/* Small pages lose rights and get them back when they are written. */
static void test_rights(void)
{
    for (unsigned round = 0; round < 20; round++) {
        unsigned first = random_below(N_PAGES - 40), n = 10 + random_below(20);
        ulong at = FIRST + first * (ulong)SMALL, some = 4 * SMALL;
        unsigned keeps = round & 1 ? MAY_READ : MAY_READ | MAY_EXECUTE;
        for (unsigned i = 0; i < n; i++)
            touch(first + i);
        unmap(at, n * (ulong)SMALL);
        for (unsigned i = 0; i < n; i++)
            (void)*word(at + i * SMALL);                /* who only reads gets all rights, too */
        printf("%u: all may do all %ld, ", round, protect(at, n * (ulong)SMALL, 7));
        printf("some %ld, ", protect(at + SMALL, some, keeps));
        printf("again %ld, ", protect(at + SMALL, some, keeps));
        for (unsigned i = 0; i < n; i++)
            if (*word(at + i * SMALL + where[first + i]) != expected[first + i])
                printf("page %u may not be read, ", i);
        *word(at + 2 * SMALL + where[first + 2]) = expected[first + 2];
        printf("all but one of them %ld\n", protect(at, n * (ulong)SMALL, keeps ^ 4));
    }
    check_all();
}

/* One page of 2 MiB after the other, in each of the ways that there are to change a part of it. */
static void change_parts(void)
{
    call(HC_MAP_SIZE, LARGE, 0, 0);
    for (unsigned block = 0; block < 6; block++) {
        ulong at = FIRST + block * (ulong)LARGE;
        unsigned first = block * (LARGE / SMALL), part = 1 + random_below(200), one = 2 * part;
        unsigned n = 1 + random_below(100);
        unmap(at, LARGE);
        (void)*word(at);
        printf("%u: the rights that it has: %ld", block, protect(at + part * SMALL, n * SMALL, 7));
        touch(first + 511);
        printf(", a page of it is all of it: %ld", unmap(at + one * SMALL, SMALL));
        touch(first + 510 - random_below(50));
        printf(", and is large again: %ld", unmap(at, LARGE));
        touch(first + random_below(512));
        printf(", narrowed in part: %ld", protect(at + part * SMALL, n * SMALL, MAY_READ));
        touch(first + part + n);                        /* was left as it was */
        touch(first + part);                            /* widened by one, if that is written */
        *word(at + part * SMALL) += 0;
        printf(", and small then: %ld", unmap(at, LARGE));
        touch(first + random_below(512));
        printf(", all of it narrowed: %ld", protect(at, LARGE, MAY_READ));
        printf(" %ld\n", protect(at + part * SMALL, n * SMALL, MAY_READ));
        *word(at + one * SMALL) += 0;
        printf("   large: %ld", unmap(at, LARGE));
        call(HC_MAP_SIZE, SMALL, 0, 0);
        touch(first + one);
        call(HC_MAP_SIZE, LARGE, 0, 0);
        touch(first + one + 1);
        printf(", two small ones stay small: %ld\n", unmap(at, LARGE));
    }
    touch_end();
}

static void test_zap(void)
{
    static const uint8_t rights[] = { MAY_READ, MAY_READ | MAY_EXECUTE, MAY_READ | MAY_WRITE };
    ulong at, bytes;
    change_parts();
    for (unsigned round = 0; round < 120; round++) {
        if (round % 8 == 0)
            call(HC_MAP_SIZE, random_below(3) ? LARGE : SMALL, 0, 0);
        choose_range(&at, &bytes);
        unsigned right = rights[random_below(3)];
        if (random_below(2))
            printf("%u: unmap   %p + %lx: %ld\n", round, (void *)at, bytes,
                   unmap(at, bytes));
        else
            printf("%u: protect %p + %lx: %ld\n", round, (void *)at, bytes,
                   protect(at, bytes, right));
        touch(((at - FIRST) / SMALL) % N_PAGES);
        touch(((at + bytes - 1 - FIRST) / SMALL) % N_PAGES);
        touch_some(6);
    }
    check_all();
}

static void test_trap(void)
{
    call(HC_MAP_SIZE, LARGE, 0, 0);
    touch_end();
    touch_some(200);
    for (unsigned round = 0; round < 40; round++) {
        unsigned page = random_below(N_PAGES);
        CHECK("TRAP_PAGE", call(HC_TRAP_PAGE, FIRST + page * (ulong)SMALL, 0, 0), 0);
        touch(page);
        touch(page);
        touch(page ^ 1);
    }
    check_all();
}

/* 28 large pages, from each of which one small page is made another.  What can be split no more is
 * taken away (PROTECT) or stays as it was (TRAP_PAGE); the guest cannot tell, but for the trace. */
static void test_scarce(void)
{
    enum { BLOCKS = 28, NO_MEMORY = -12 };
    const ulong first = 0x800000;
    call(HC_MAP_SIZE, LARGE, 0, 0);
    for (unsigned i = 0; i < BLOCKS; i++)
        for (unsigned k = 0; k < 4; k++)
            *word(first + i * (ulong)LARGE + k * (LARGE / 4)) = 4 * i + k;
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < BLOCKS; i++) {
            ulong at = first + i * (ulong)LARGE, page = at + (1 + random_below(100)) * (ulong)SMALL;
            *word(page) = round;                        /* all rights, whatever was before */
            long narrowed = protect(page, SMALL, MAY_READ);
            CHECK("PROTECT of one page", narrowed, 1);
            CHECK("what it has", *word(page), round);
            long trapped = call(HC_TRAP_PAGE, at + 200 * SMALL, 0, 0);
            check(trapped == 0 || trapped == NO_MEMORY, "TRAP_PAGE", (ulong)trapped, 0);
            *word(at + 200 * SMALL) = *word(page) + 1;
            for (unsigned k = 0; k < 4; k++)
                CHECK("the rest of it", *word(at + k * (LARGE / 4)), 4 * i + k);
        }
    printf("%u pages\n", BLOCKS);
}

/* Where no page of the guest's is mapped yet. */
#define WINDOW (sizeof(long) == 8 ? (ulong)(1ull << 39) : 0x40000000ul)

/* The window's tables lie where large pages can be; the 6 MiB before them are what it shows. */
#define TABLES (FIRST + 3 * LARGE + 0x5000)
enum { LEVELS = sizeof(long) == 8 ? 4 : 2, BITS = sizeof(long) == 8 ? 9 : 10 };

/* The last-level entry for va, with a table of each level on the way to it. */
static pte_t *window_entry(pte_t *root, ulong va)
{
    pte_t *table = root;
    for (unsigned level = LEVELS;; level--) {
        pte_t *entry = &table[va >> (12 + BITS * (level - 1)) & ((1ul << BITS) - 1)];
        if (level == 1)
            return entry;
        table = (pte_t *)(TABLES + level * (ulong)SMALL);
        if (!*entry)
            memset(table, 0, SMALL);
        *entry = (ulong)table | PTE_P | PTE_W;
    }
}

/* A page of 16 in the window shows another page of RAM. */
static pte_t *choose_window(pte_t *root, ulong *va, ulong *page)
{
    *va = WINDOW + random_below(16) * (ulong)SMALL;
    *page = FIRST + random_below(3 * LARGE / SMALL) * (ulong)SMALL;
    pte_t *entry = window_entry(root, *va);
    *entry = *page | PTE_P | PTE_W;
    __asm__ volatile("invlpg (%0)" : : "r"(*va) : "memory");
    return entry;
}

/* Page, table and both are there or taken away, in small pages and large ones.  Where a list ends
 * that is not complete depends on which tables are there, so that is not printed. */
static void test_walk(void)
{
    pte_t *root = page_start(0);
    ulong va, page;
    for (unsigned round = 0; round < 60; round++) {
        if (round % 6 == 0) {
            call(HC_MAP_SIZE, random_below(2) ? LARGE : SMALL, 0, 0);
            call(HC_UNMAP, FIRST, END - FIRST, 0);
        }
        pte_t *entry = choose_window(root, &va, &page);
        if (random_below(4) == 0)
            call(HC_UNMAP, (ulong)entry & ~(SMALL - 1ul), SMALL, 0);
        if (random_below(4) == 0)
            call(HC_UNMAP, page & ~(LARGE - 1ul), random_below(2) ? LARGE / 2 : LARGE / 4, 0);
        ulong at = va + random_below(SMALL);
        call(HC_WALK, at, 0, 0);
        *word(at & ~3ul) = round;
        printf("%u: %p: %ld references\n", round, (void *)at, call(HC_WALK, at, 0, 0));
    }
    printf("not mapped: %ld\n", call(HC_WALK, WINDOW + LARGE / 2, 0, 0));
    call(HC_MAP_SIZE, SMALL, 0, 0);
    call(HC_UNMAP, FIRST, END - FIRST, 0);
    mark(3);
    *word(va) = 1;
    printf("at the end: %ld references\n", call(HC_WALK, va, 0, 0));
}

/* The root table, the last-level table and the page are taken away; then the page is read. */
static void test_cold(void)
{
    ulong va = WINDOW + random_below(256) * (ulong)SMALL, page = FIRST + 0x123000;
    pte_t *root = page_start(0), *entry = page_entry(root, va);
    *entry = page | PTE_P | PTE_W;
    *word(va) = 0x5eed;
    call(HC_PING, 0, 0, 0);                     /* so that the page of this function is there */
    mark(3);
    call(HC_UNMAP, (ulong)root, SMALL, 0);
    call(HC_UNMAP, (ulong)entry & ~(SMALL - 1ul), SMALL, 0);
    call(HC_UNMAP, page, SMALL, 0);
    CHECK("the page", *word(va), 0x5eed);
    mark(4);
    if (call(HC_UNMAP, page, 0, 0))             /* the lab's monitor takes that for a sign, too */
        printf("UNMAP of nothing has removed something\n");
}

int main(void)
{
    static const struct { const char *name; void (*run)(void); } tests[] = {
        { "lazy", test_lazy }, { "large", test_large }, { "holes", test_holes },
        { "unmap", test_unmap }, { "rights", test_rights }, { "zap", test_zap }, { "trap", test_trap },
        { "scarce", test_scarce }, { "cold", test_cold }, { "walk", test_walk },
    };
    char test[16];
    seed = option_number("seed=", 1);
    option("test=", test, sizeof test);
    extern char image_start[], image_data[], image_end[];
    if ((ulong)image_end > FIRST)
        die("this program reaches into the memory that it tries\n");
    memset(expected, 0, sizeof expected);       /* its own pages are there before it begins */
    memset(where, 0, sizeof where);
    memset(touched, 0, sizeof touched);
    for (ulong at = (ulong)image_start; at < (ulong)image_data; at += SMALL)
        (void)*word(at);
    mark(1);
    for (unsigned i = 0; i < sizeof tests / sizeof tests[0]; i++)
        if (strcmp(tests[i].name, test) == 0)
            tests[i].run();
    mark(2);
    return check_result();
}
