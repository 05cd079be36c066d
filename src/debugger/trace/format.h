/*
 * debugger/trace/format.h -- the bytes of a trace file; only its writer and its
 * reader look here.  All numbers are little-endian, as on every x86.
 *
 *   file:    struct file_header, `info_bytes` of lines "key=value\n", blocks
 *   block:   struct block_header, `index_bytes` of index, N_COLUMNS of struct
 *            column_header, the columns' bytes one after the other
 *   end:     a struct block_header with no events: the file was closed properly.  What
 *            follows it, if packed_bytes is not 0, is text: why the run ended as it did
 *
 * A block's events lie column by column, so that a search unpacks what it asks
 * about and nothing else.  A column is numbers of `width` bytes (0, 1, 2, 4 or 8:
 * as few as hold the largest), compressed by zstd if that helps much.  What they
 * are is the column's coding:
 *   RAW        the value, for each event.  Of the others only those that are not 0,
 *              behind 64-bit words with a bit for each event: has it one?
 *   DELTA      zigzag(value - value before - step); before the first is `base`
 *   TIME_DELTA the same of value - virtual time: `soft` retires an instruction a ns
 *   KIND_DELTA zigzag(value - last value in an event of the same kind), 0 first:
 *              a guest that repeats itself repeats whole groups of events
 *
 * The index is a Bloom filter of 8 * index_bytes bits (a power of two), two for
 * each value of each indexed field; the info line "index=" names the fields
 * and how many low bits are left out of the value.
 */
#ifndef DEBUGGER_TRACE_FORMAT_H
#define DEBUGGER_TRACE_FORMAT_H

#include <string.h>
#include "base/trace.h"

#define TRACE_FILE_MAGIC    "\x89VTRACE\n"
#define TRACE_FILE_VERSION  5                       /* 4: places had no CS; 3: nor was there text */
#define TRACE_FILE_OLDEST   3                       /* that is read                        */
#define TRACE_BLOCK_MAGIC   UINT32_C(0x4b4c4256)    /* "VBLK" */
#define TRACE_INFO_MAX      65536
#define TRACE_INDEX_MAX     2048                    /* bytes */
#define TRACE_WORDS_MAX     16384                   /* of text at the end */
#define TRACE_EVENT_WORDS   (sizeof(struct trace_event) / 8)

/*    name     coding      bytes of a value */
#define COLUMN_LIST(X)      \
    X(SEQ,     DELTA,      8) \
    X(TIME,    DELTA,      8) \
    X(ICOUNT,  DELTA,      8) \
    X(RIP,     DELTA,      8) \
    X(ARG0,    KIND_DELTA, 8) \
    X(ARG1,    KIND_DELTA, 8) \
    X(ARG2,    KIND_DELTA, 8) \
    X(CAUSE,   KIND_DELTA, 4) \
    X(KIND,    RAW,        1) \
    X(WHO,     KIND_DELTA, 4)       /* struct trace_who, cs << 8 */ \
    X(BASE,    DELTA,      4)       /* of CS, where places are CS:IP; RIP is linear */

enum column {
#define X(name, coding, bytes) COLUMN_##name,
    COLUMN_LIST(X)
#undef X
    N_COLUMNS
};

/* Files up to version 4 end with WHO, which was layer, engine << 8, vcpu << 16. */
#define TRACE_LAST_FLAT 4       /* the last version without CS and its base */
static inline unsigned trace_columns_in(unsigned version)
{
    return version <= TRACE_LAST_FLAT ? COLUMN_BASE : N_COLUMNS;
}

enum coding { RAW, DELTA, TIME_DELTA, KIND_DELTA };

struct file_header {
    char     magic[8];
    uint32_t version;
    uint32_t event_bytes;
    uint32_t info_bytes;
    uint32_t n_kinds;
    uint64_t sum;               /* of all of the above, then of the info lines */
};

struct block_header {
    uint32_t magic;
    uint32_t n_events;
    uint32_t packed_bytes;      /* all that follows the header */
    uint32_t index_bytes;
    uint64_t first_seq, last_seq;
    uint64_t min_ns, max_ns;
    uint64_t min_icount, max_icount;
    uint64_t min_rip, max_rip;
    uint64_t kinds;
    uint64_t lost;
    uint64_t index_sum;         /* of the index                             */
    uint64_t table_sum;         /* of the columns' headers, which have sums of their own; in the
                                   end's header: of its text */
    uint64_t sum;               /* of all of the above                      */
};

struct column_header {
    uint64_t base, step;        /* KIND_DELTA: the least and the greatest value */
    uint64_t sum;               /* of its bytes: only columns that are asked for are checked */
    uint32_t packed_bytes;
    uint8_t  width;
    uint8_t  is_compressed;
    uint8_t  coding;
    uint8_t  reserved;
};

/* Before the numbers of a column that is not RAW, if there are any. */
static inline size_t trace_bitmap_bytes(size_t n_events)
{
    return (n_events + 63) / 64 * 8;
}

/* Differences with the sign in bit 0, so that small ones have few bits. */
static inline uint64_t zigzag(uint64_t d)
{
    return d << 1 ^ (d >> 63 ? ~UINT64_C(0) : 0);
}

static inline uint64_t unzigzag(uint64_t z)
{
    return z >> 1 ^ -(z & 1);
}

_Static_assert(sizeof(struct trace_event) == 64, "an event is 64 bytes");
_Static_assert(sizeof(struct file_header) == 32, "no padding");
_Static_assert(sizeof(struct block_header) == 120, "no padding");
_Static_assert(sizeof(struct column_header) == 32, "no padding");

/* 64 bits in which every bit depends on every bit of x. */
static inline uint64_t trace_mix(uint64_t x)
{
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

/* A checksum, started from an earlier one to go on with it: a multiplication for
 * every 8 bytes, in two chains that the CPU runs side by side. */
#define TRACE_SUM_START UINT64_C(0xcbf29ce484222325)
static inline uint64_t trace_sum(uint64_t sum, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint64_t a = sum ^ n, b = ~sum, v[2] = { 0, 0 };
    for (; n >= 16; p += 16, n -= 16) {
        memcpy(v, p, 16);
        a = (a ^ v[0]) * UINT64_C(0x9e3779b97f4a7c15);
        b = (b ^ v[1]) * UINT64_C(0xc2b2ae3d27d4eb4f);
        a ^= a >> 29;
        b ^= b >> 31;
    }
    v[0] = v[1] = 0;
    memcpy(v, p, n);
    return trace_mix(trace_mix(a ^ v[0]) + trace_mix(b ^ v[1]) * 3);
}

#endif
