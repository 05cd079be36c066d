/*
 * tests/fuzz/big_blocks.h -- large blocks of memory are used again, by their exact size.
 *
 * AddressSanitizer makes a mapping for each large block and touches all of its pages anew; a
 * reader of files, which takes a dozen of them for each file, does little else.  The linker puts
 * the __wrap_ functions here in the place of malloc(), calloc() and free() of our own code
 * (fuzz.mk).  A block that waits is poisoned, so its use is found as ever.
 */
#ifndef TESTS_FUZZ_BIG_BLOCKS_H
#define TESTS_FUZZ_BIG_BLOCKS_H

#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <sanitizer/allocator_interface.h>
#include <sanitizer/asan_interface.h>

#include "quick.h"

#define BIG_BYTES (16u << 10)

static struct { void *at[64]; size_t n[64]; unsigned oldest; } big_blocks;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void __real_free(void *at);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void __wrap_free(void *at);

static void *big_block_take(size_t n)
{
    for (size_t i = 0; n >= BIG_BYTES && i < 64; i++)
        if (big_blocks.at[i] && big_blocks.n[i] == n) {
            void *at = big_blocks.at[i];
            big_blocks.at[i] = NULL;
            __asan_unpoison_memory_region(at, n);
            return at;
        }
    return NULL;
}

void *__wrap_malloc(size_t n)
{
    void *at = big_block_take(n);
    return at ? at : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    size_t bytes;
    void *at = __builtin_mul_overflow(n, size, &bytes) ? NULL : big_block_take(bytes);
    return at ? memset(at, 0, bytes) : __real_calloc(n, size);
}

void __wrap_free(void *at)
{
    size_t n = at && __sanitizer_get_ownership(at) ? __sanitizer_get_allocated_size(at) : 0;
    if (n < BIG_BYTES) {
        __real_free(at);
        return;
    }
    for (unsigned i = 0; i < 64; i++)
        if (big_blocks.at[i] == at)
            __real_free(at), abort();           /* twice: the sanitizer says so, or we do */
    unsigned i = big_blocks.oldest++ % 64;
    if (big_blocks.at[i]) {
        __asan_unpoison_memory_region(big_blocks.at[i], big_blocks.n[i]);
        __real_free(big_blocks.at[i]);
    }
    big_blocks.at[i] = at;
    big_blocks.n[i] = n;
    __asan_poison_memory_region(at, n);
}

/* ---- zstd's decompressor: 150 KiB, whose tables are filled when it is made ---- */

static ZSTD_DCtx *idle_dctx;            /* given back, not freed; NULL: none */

ZSTD_DCtx *__real_ZSTD_createDCtx(void);
size_t __real_ZSTD_freeDCtx(ZSTD_DCtx *d);
ZSTD_DCtx *__wrap_ZSTD_createDCtx(void);
size_t __wrap_ZSTD_freeDCtx(ZSTD_DCtx *d);

ZSTD_DCtx *__wrap_ZSTD_createDCtx(void)
{
    ZSTD_DCtx *d = idle_dctx;
    idle_dctx = NULL;
    if (d)
        ZSTD_DCtx_reset(d, ZSTD_reset_session_and_parameters);
    return d ? d : __real_ZSTD_createDCtx();
}

size_t __wrap_ZSTD_freeDCtx(ZSTD_DCtx *d)
{
    if (!d || idle_dctx)
        return __real_ZSTD_freeDCtx(d);
    idle_dctx = d;
    return 0;
}

#endif
