/*
 * tests/fuzz/world.h -- what a fuzz target builds once, and puts back after each input.
 *
 * To build a machine takes milliseconds: mappings are made, and each of their pages is
 * touched for the first time.  To put one back takes microseconds.  A world is all memory
 * that was allocated between world_begin() and world_end():
 *
 *     malloc()             told by AddressSanitizer's hooks        compared, copied back
 *     what else there is   world_note_area()                       the same
 *     host_page_alloc()    the linker puts __wrap_ functions       the same
 *                          here in its place (fuzz.mk)
 *     guest memory         vm->dirty says which pages              copied back
 *
 * Of large blocks (world_spans()) only what may have been written: the pages that are zero in the
 * image are filled from the beginning of each row of them, and nobody looks behind a few that are
 * still zero.  That this holds is looked at behind each ALL_BYTES_EVERYth input: world_same().
 * So it knows nothing of what the memory means, and whoever adds a field to a struct need
 * not think of it.  What an input allocates and leaves is freed; what it frees of the world is
 * poisoned until it comes back.  Only what the C library itself gives back to malloc() cannot come
 * back: then world_put_back() says false, and the caller builds another.
 *
 * Invariant: an input's end does not depend on the inputs before it.  Each CHECK_EVERYth
 * input (all, with FUZZ_CHECK=1) is run again in a new world, and the ends must be the same:
 * world_check_due().
 */
#ifndef TESTS_FUZZ_WORLD_H
#define TESTS_FUZZ_WORLD_H

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sanitizer/allocator_interface.h>
#include <sanitizer/asan_interface.h>

#include "base/host.h"
#include "mem/dirty.h"
#include "mem/gmem.h"
#include "quick.h"

#define WORLD_BLOCKS    4096
#define WORLD_LEFT      65536
#define LARGE_BYTES     (128u << 10)
#define WORLD_STARTS    8
#define CHECK_EVERY     1000
#define ALL_BYTES_EVERY 1024

struct world_block {
    uint8_t *at, *image;
    size_t   n;
    uint32_t *row_end;      /* of a large block, for each page: 0, or its image is zero, and so are
                             * those of the pages from it up to this one                   */
    bool     pages, gone;
};
struct world_left  { void *at; size_t pages; };     /* pages: its bytes, of host_page_alloc() */

struct world {
    struct world_block block[WORLD_BLOCKS];         /* by address, once it is built */
    size_t             n_blocks;
    struct world_left  left[WORLD_LEFT];            /* of the input that runs       */
    size_t             n_left;
    bool               building, broken;
    bool               whole;                       /* compare all of what malloc() made    */
    struct gmem       *gmem;                        /* may be NULL                  */
    struct dirty      *dirty;
    uint8_t           *ram_image[8];                /* of each region               */
    const uint8_t     *start[WORLD_STARTS];         /* world_starts()               */
    size_t             n_starts;
};

static struct world *world_now;                     /* whose allocations are noted; or NULL */

/* Does this thread run the inputs?  libFuzzer's other one, which watches how much memory there is,
 * may begin at any time, and what it allocates is no part of a world. */
static _Thread_local bool world_runs_here;

/* ---- pages: small ones are used again, cleared, for a mapping costs more than the input ---- */

static struct { void *at[256]; size_t n; } world_pool;

void *__real_host_page_alloc(uint64_t bytes);
void *__wrap_host_page_alloc(uint64_t bytes);
void __real_host_page_free(void *hva, uint64_t bytes);
void __wrap_host_page_free(void *hva, uint64_t bytes);

static void *world_take_pages(uint64_t bytes)
{
    if (bytes != PAGE_SIZE || !world_pool.n)
        return __real_host_page_alloc(bytes);
    void *hva = world_pool.at[--world_pool.n];
    __asan_unpoison_memory_region(hva, PAGE_SIZE);
    return memset(hva, 0, PAGE_SIZE);
}

static void world_give_pages(void *hva, uint64_t bytes)
{
    if (bytes != PAGE_SIZE || world_pool.n == NELEM(world_pool.at)) {
        __real_host_page_free(hva, bytes);
        return;
    }
    __asan_poison_memory_region(hva, PAGE_SIZE);
    world_pool.at[world_pool.n++] = hva;
}

/* ---- noting ---- */

static void world_note(const void *at, size_t n, bool pages)
{
    struct world *w = world_now;
    if (!w || !at || !world_runs_here)
        return;
    if (w->building) {
        if (w->n_blocks == WORLD_BLOCKS)
            abort();
        w->block[w->n_blocks++] = (struct world_block){ .at = (uint8_t *)(uintptr_t)at, .n = n,
                                                        .pages = pages };
    } else if (w->n_left == WORLD_LEFT) {
        w->broken = true;
    } else {
        w->left[w->n_left++] = (struct world_left){ (void *)(uintptr_t)at, pages ? n : 0 };
    }
}

/* The block that begins there; NULL: none. */
static struct world_block *world_find(struct world *w, const void *at)
{
    size_t from = 0, to = w->n_blocks;
    if (w->building) {
        while (to-- > 0)
            if (w->block[to].at == at)
                return &w->block[to];
        return NULL;
    }
    while (from < to) {
        size_t mid = (from + to) / 2;
        if (w->block[mid].at == at)
            return &w->block[mid];
        if (w->block[mid].at < (const uint8_t *)at)
            from = mid + 1;
        else
            to = mid;
    }
    return NULL;
}

static void world_forget(const void *at)
{
    struct world *w = world_now;
    if (!w || !at || !world_runs_here)
        return;
    for (size_t i = w->n_left; i-- > 0; )
        if (w->left[i].at == at) {
            w->left[i] = w->left[--w->n_left];
            return;
        }
    struct world_block *b = world_find(w, at);
    if (b && w->building)
        *b = w->block[--w->n_blocks];
    else if (b)
        w->broken = true;
}

static void world_malloc_hook(const volatile void *at, size_t n)
{
    world_note((const void *)(uintptr_t)at, n, false);
}

static void world_free_hook(const volatile void *at)
{
    world_forget((const void *)(uintptr_t)at);
}

void *__wrap_host_page_alloc(uint64_t bytes)
{
    void *hva = world_take_pages(bytes);
    world_note(hva, bytes, true);
    return hva;
}

void __wrap_host_page_free(void *hva, uint64_t bytes)
{
    struct world_block *b = world_now && !world_now->building ? world_find(world_now, hva) : NULL;
    if (b) {                            /* it will be back */
        b->gone = true;
        __asan_poison_memory_region(hva, bytes);
        return;
    }
    world_forget(hva);
    if (hva)
        world_give_pages(hva, bytes);
}

/* The linker puts these in the place of free() and realloc() of our own code. */
void __real_free(void *at);
void __wrap_free(void *at);
void *__real_realloc(void *at, size_t n);
void *__wrap_realloc(void *at, size_t n);

/* The block of the running world that malloc() has made there; NULL: none. */
static struct world_block *world_own(const void *at)
{
    struct world_block *b = world_now && !world_now->building && at ? world_find(world_now, at)
                                                                    : NULL;
    if (b && b->gone)
        abort();                            /* freed twice */
    return b && !b->pages ? b : NULL;
}

void __wrap_free(void *at)
{
    struct world_block *b = world_own(at);
    if (!b) {
        __real_free(at);
        return;
    }
    b->gone = true;
    __asan_poison_memory_region(at, b->n);
}

void *__wrap_realloc(void *at, size_t n)
{
    struct world_block *b = world_own(at);
    if (!b)
        return __real_realloc(at, n);
    void *other = malloc(n);
    if (other) {
        memcpy(other, at, n < b->n ? n : b->n);
        __wrap_free(at);
    }
    return other;
}

/* Memory that no allocation tells of: static, or shared with another process. */
__attribute__((unused))
static void world_note_area(void *at, size_t n)
{
    if (world_now && world_now->building)
        world_note(at, n, true);
}

/* ---- building ---- */

/* From here all that is allocated belongs to w, which is all zero. */
static void world_begin(struct world *w)
{
    static bool hooked;
    if (!hooked && !__sanitizer_install_malloc_and_free_hooks(world_malloc_hook, world_free_hook))
        abort();
    hooked = world_runs_here = true;
    w->building = true;
    world_now = w;
}

static int world_by_address(const void *a, const void *b)
{
    const struct world_block *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

static void world_keep_ram(struct world *w)
{
    gpa_t gpa[64];
    while (w->dirty && dirty_take(w->dirty, gpa, NELEM(gpa)))
        ;
    for (size_t i = 0; i < gmem_count(w->gmem) && i < NELEM(w->ram_image); i++) {
        const struct gmem_region *r = gmem_region(w->gmem, i);
        if (r->kind != GMEM_RAM)
            continue;
        w->ram_image[i] = __real_host_page_alloc(r->size);
        if (!w->ram_image[i])
            abort();
        memcpy(w->ram_image[i], gmem_ptr(w->gmem, r->base, r->size), r->size);
    }
}

/* memcmp() without the sanitizer's and the fuzzer's part in it: what is compared is our own. */
static int (*world_compare)(const void *a, const void *b, size_t n);

/* The bytes of a block's page: at its end perhaps fewer than PAGE_SIZE. */
static size_t world_page_bytes(const struct world_block *b, size_t page)
{
    size_t at = page * PAGE_SIZE;
    return b->n - at < PAGE_SIZE ? b->n - at : PAGE_SIZE;
}

static bool world_page_zero(const struct world_block *b, size_t page)
{
    const uint8_t *p = b->at + page * PAGE_SIZE;
    return !p[0] && !world_compare(p, p + 1, world_page_bytes(b, page) - 1);
}

/* Within a large block another thing begins here, which is filled from its own beginning. */
__attribute__((unused))
static void world_starts(struct world *w, const void *at)
{
    if (w->n_starts == WORLD_STARTS)
        abort();
    w->start[w->n_starts++] = at;
}

static bool world_start_in(const struct world *w, const uint8_t *page)
{
    for (size_t i = 0; i < w->n_starts; i++)
        if ((uintptr_t)(w->start[i] - page) < PAGE_SIZE)
            return true;
    return false;
}

/* Tables, decoded code, events, text: a large block is mostly zero pages, in rows. */
static void world_spans(const struct world *w, struct world_block *b)
{
    size_t n = (b->n + PAGE_SIZE - 1) / PAGE_SIZE, end = 0;
    b->row_end = __real_host_page_alloc(n * sizeof *b->row_end);
    if (!b->row_end)
        abort();
    for (size_t page = n; page-- > 0; ) {
        bool zero = world_page_zero(b, page);
        end = !zero ? 0 : end ? end : page + 1;
        b->row_end[page] = (uint32_t)end;
        if (world_start_in(w, b->at + page * PAGE_SIZE))
            end = 0;
    }
}

static void world_keep_block(const struct world *w, struct world_block *b)
{
    b->image = __real_host_page_alloc(b->n + PAGE_SIZE);
    if (!b->image)
        abort();
    if (b->n >= LARGE_BYTES && (b->pages || !w->whole))
        world_spans(w, b);
    for (size_t page = 0; page * PAGE_SIZE < b->n; page++)
        if (!b->row_end || !b->row_end[page])
            memcpy(b->image + page * PAGE_SIZE, b->at + page * PAGE_SIZE, world_page_bytes(b, page));
}

/* The world is as it shall be at the beginning of each input.  gmem and dirty may be NULL; with
 * gmem alone the caller puts pages back, because somebody else takes the dirty ones. */
static void world_end(struct world *w, struct gmem *gmem, struct dirty *dirty)
{
    world_now = NULL;
    w->building = false;
    w->gmem = gmem;
    w->dirty = dirty;
    if (gmem)
        world_keep_ram(w);
    qsort(w->block, w->n_blocks, sizeof w->block[0], world_by_address);
    world_compare = (int (*)(const void *, const void *, size_t))dlsym(RTLD_NEXT, "memcmp");
    for (size_t i = 0; i < w->n_blocks; i++)
        world_keep_block(w, &w->block[i]);
}

/* An input begins: what it allocates is to be noted. */
static void world_enter(struct world *w)
{
    world_now = w;
}

/* ---- putting back ---- */

static void world_free_left(struct world *w)
{
    for (size_t i = 0; i < w->n_left; i++)
        if (w->left[i].pages)
            world_give_pages(w->left[i].at, w->left[i].pages);
        else
            __real_free(w->left[i].at);
    w->n_left = 0;
}

static void world_put_page(struct world *w, gpa_t gpa)
{
    for (size_t i = 0; i < gmem_count(w->gmem); i++) {
        const struct gmem_region *r = gmem_region(w->gmem, i);
        if (gpa - r->base < r->size && w->ram_image[i])
            memcpy(gmem_ptr(w->gmem, gpa, PAGE_SIZE), w->ram_image[i] + (gpa - r->base), PAGE_SIZE);
    }
}

static void world_put_ram(struct world *w)
{
    gpa_t gpa[64];
    size_t n;
    while ((n = dirty_take(w->dirty, gpa, NELEM(gpa))))
        for (size_t i = 0; i < n; i++)
            world_put_page(w, gpa[i]);
}

__attribute__((no_sanitize("all")))
static bool world_put_block_page(struct world_block *b, size_t page)
{
    size_t at = page * PAGE_SIZE, n = world_page_bytes(b, page);
    if (!world_compare(b->at + at, b->image + at, n))
        return false;
    memcpy(b->at + at, b->image + at, n);
    return true;
}

/* Behind so many pages of a row that are still zero nothing was written.  A page of a table may
 * have been cleared again. */
static unsigned world_gap(const struct world_block *b)
{
    return b->pages ? 8 : 2;
}

__attribute__((no_sanitize("all")))
static void world_put_block(struct world_block *b)
{
    unsigned clean = 0;
    for (size_t page = 0, next; page * PAGE_SIZE < b->n; page = next) {
        bool put = world_put_block_page(b, page), in_row = b->row_end && b->row_end[page];
        clean = put || !in_row ? 0 : clean + 1;
        next = page + 1;
        if (in_row && (clean >= world_gap(b) || next == b->row_end[page])) {
            next = b->row_end[page];
            clean = 0;
        }
    }
}

/* Is every byte of the world that was allocated as in its image? */
__attribute__((no_sanitize("all")))
static bool world_same(const struct world *w)
{
    for (size_t i = 0; i < w->n_blocks; i++)
        if (world_compare(w->block[i].at, w->block[i].image, w->block[i].n))
            return false;
    return true;
}

/* As it was at world_end().  False: the input has freed what cannot come back. */
static bool world_put_back(struct world *w)
{
    static unsigned n;
    world_now = NULL;
    if (w->broken)
        return false;
    world_free_left(w);
    if (w->dirty)
        world_put_ram(w);
    for (size_t i = 0; i < w->n_blocks; i++) {
        if (w->block[i].gone)
            __asan_unpoison_memory_region(w->block[i].at, w->block[i].n);
        w->block[i].gone = false;
        world_put_block(&w->block[i]);
    }
    bug_if(++n % ALL_BYTES_EVERY == 0 && !world_same(w), "a large block is not filled in order");
    return true;
}

/* Its images go, so that the caller can free what it is made of, and then build another. */
__attribute__((unused))
static void world_drop(struct world *w)
{
    world_now = NULL;
    for (size_t i = 0; i < w->n_blocks; i++) {
        size_t n = w->block[i].n;
        __real_host_page_free(w->block[i].image, n + PAGE_SIZE);
        if (w->block[i].row_end)
            __real_host_page_free(w->block[i].row_end, (n + PAGE_SIZE - 1) / PAGE_SIZE *
                                                           sizeof w->block[i].row_end[0]);
    }
    for (size_t i = 0; w->gmem && i < NELEM(w->ram_image); i++)
        if (w->ram_image[i])
            __real_host_page_free(w->ram_image[i], gmem_region(w->gmem, i)->size);
    memset(w, 0, sizeof *w);
}

/* Is guest memory as in the world's image?  Its own, or that of a machine that was built alike. */
__attribute__((unused, no_sanitize("all")))
static bool world_same_ram(const struct world *w, const struct gmem *m)
{
    for (size_t i = 0; i < gmem_count(m); i++) {
        const struct gmem_region *r = gmem_region(m, i);
        if (w->ram_image[i] &&
            world_compare(gmem_ptr(m, r->base, r->size), w->ram_image[i], r->size))
            return false;
    }
    return true;
}

/* ---- the check ---- */

/* Is this input to be run again, in a new world? */
__attribute__((unused))
static bool world_check_due(void)
{
    static uint64_t n;
    static int every;
    if (!every)
        every = getenv("FUZZ_CHECK") ? atoi(getenv("FUZZ_CHECK")) : CHECK_EVERY;
    return every > 0 && ++n % (uint64_t)every == 0;
}

/* Part of a number for "the same end". */
__attribute__((unused))
static uint64_t world_sum(uint64_t h, const void *data, size_t n)
{
    const uint8_t *at = data;
    for (size_t i = 0; i < n; i++)
        h = (h ^ at[i]) * UINT64_C(0x100000001b3);
    return h;
}

#endif
