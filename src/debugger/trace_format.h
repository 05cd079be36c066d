/*
 * debugger/trace_format.h -- the bytes of a trace file; only its writer and its
 * reader look here.  All numbers are little-endian, as on every x86.
 *
 *   file:    struct file_header, `info_bytes` of lines "key=value\n", blocks
 *   block:   struct block_header, `packed_bytes` of zstd
 *   unpacked: the first event as it is (64 bytes), the width of each column (8
 *            bytes: 0, 1, 2, 4 or 8), then 8 columns, n_events numbers each.
 *            Column c is word c of each event, as the difference to the event
 *            before it (of the first: 0), zigzag (bit 0 is the sign), in as
 *            few bytes as hold the column's largest.  Words that seldom change
 *            become zeros, which zstd likes; narrow columns it gets done with.
 */
#ifndef DEBUGGER_TRACE_FORMAT_H
#define DEBUGGER_TRACE_FORMAT_H

#include "base/trace.h"

#define TRACE_FILE_MAGIC    "\x89VTRACE\n"
#define TRACE_FILE_VERSION  1
#define TRACE_BLOCK_MAGIC   UINT32_C(0x4b4c4256)    /* "VBLK" */
#define TRACE_INFO_MAX      65536
#define TRACE_EVENT_WORDS   (sizeof(struct trace_event) / 8)

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
    uint32_t packed_bytes;
    uint32_t reserved;
    uint64_t first_seq, last_seq;
    uint64_t first_ns, last_ns;
    uint64_t first_icount, last_icount;
    uint64_t kinds;
    uint64_t lost;
    uint64_t payload_sum;       /* of the packed bytes                      */
    uint64_t sum;               /* of all of the above                      */
};

#define TRACE_UNPACKED_MAX(n) (sizeof(struct trace_event) + TRACE_EVENT_WORDS \
                               + (size_t)(n) * sizeof(struct trace_event))

/* Differences with the sign in bit 0, so that small ones have few bits. */
static inline uint64_t zigzag(uint64_t d)
{
    return d << 1 ^ (d >> 63 ? ~UINT64_C(0) : 0);
}

static inline uint64_t unzigzag(uint64_t z)
{
    return z >> 1 ^ (z & 1 ? ~UINT64_C(0) : 0);
}

_Static_assert(sizeof(struct trace_event) == 64, "an event is 64 bytes");
_Static_assert(sizeof(struct file_header) == 32, "no padding");
_Static_assert(sizeof(struct block_header) == 96, "no padding");

/* FNV-1a, started from an earlier sum to go on with it. */
#define TRACE_SUM_START UINT64_C(0xcbf29ce484222325)
static inline uint64_t trace_sum(uint64_t sum, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n; i++)
        sum = (sum ^ p[i]) * UINT64_C(0x100000001b3);
    return sum;
}

#endif
