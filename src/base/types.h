/*
 * base/types.h -- the words every other file is written in.
 *
 * Five kinds of address meet in a hypervisor.  They are kept apart by name
 * and, where C allows it, by type:
 *
 *   seg:off  what guest code writes              (only cpu/ adds them)
 *   gla_t    guest linear address, after segmentation
 *   gpa_t    guest physical address, after the guest's own paging
 *   hpa_t    host-physical address, as the monitor's tables name frames (mem/hmem.h)
 *   void *   host pointer, always called hva     (only gmem_hva() makes one)
 */
#ifndef BASE_TYPES_H
#define BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t gla_t;
typedef uint64_t gpa_t;
typedef uint64_t hpa_t;

#define NELEM(a)        (sizeof(a) / sizeof((a)[0]))
#define BIT(n)          (UINT64_C(1) << (n))

/* Bits [hi:lo], as the manuals write them. */
#define FIELD(hi, lo)   (((~UINT64_C(0)) >> (63 - (hi) + (lo))) << (lo))

#define PAGE_SIZE       4096u
#define PAGE_MASK       (~(uint64_t)(PAGE_SIZE - 1))

/* Code between leaving a guest and entering it again.  Both may empty the TLB, so
 * every page touched there is paid for anew: the linker puts all of this together. */
#define EXIT_PATH       __attribute__((hot))

/* The low `size` bytes of v; size is 1, 2, 4 or 8. */
static inline uint64_t low_bytes(uint64_t v, unsigned size)
{
    return size >= 8 ? v : v & (BIT(8 * size) - 1);
}

/* Sign-extend the low `size` bytes of v. */
static inline uint64_t sign_extend(uint64_t v, unsigned size)
{
    unsigned shift = 64 - 8 * size;
    return (uint64_t)((int64_t)(v << shift) >> shift);
}

#endif
