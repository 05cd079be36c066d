/*
 * cpu/insn_event.h -- what an INSN event says: the instruction's bytes, the first general register
 * that it changed, and RFLAGS behind it, in the event's three words.
 *
 *   arg 0   63            16 15  14 13  12 11   8 7       0
 *           | bytes 0 to 5  |  0   | bits  | len  | changed |    bits: 1: 16, 2: 32, 3: 64
 *   arg 1   the register's new value
 *   arg 2   63            24 23                           0
 *           | bytes 6 to 10 |            RFLAGS           |      (its upper bits are 0)
 *
 * Of the few instructions that are longer, only the first INSN_EVENT_BYTES bytes are kept.
 */
#ifndef CPU_INSN_EVENT_H
#define CPU_INSN_EVENT_H

#include "base/trace.h"

#define INSN_EVENT_BYTES 11

struct insn_event {
    unsigned changed;           /* number of the register, or TRACE_NO_REGISTER          */
    unsigned len, bits;         /* of the instruction; 0, or how the CPU read it: 16 ... */
    uint64_t value, rflags;
    uint8_t  bytes[INSN_EVENT_BYTES];
};

static inline void insn_event_pack(const struct insn_event *i, uint64_t arg[3])
{
    uint64_t bits = i->bits == 64 ? 3 : i->bits / 16 % 3;
    arg[0] = (i->changed & 0xff) | (uint64_t)(i->len & 15) << 8 | bits << 12;
    arg[1] = i->value;
    arg[2] = i->rflags & 0xffffff;
    for (unsigned k = 0; k < INSN_EVENT_BYTES && k < i->len; k++)
        arg[k < 6 ? 0 : 2] |= (uint64_t)i->bytes[k] << (k < 6 ? 16 + 8 * k : 24 + 8 * (k - 6));
}

static inline void insn_event_unpack(const struct trace_event *e, struct insn_event *i)
{
    static const uint8_t bits[] = { 0, 16, 32, 64 };
    *i = (struct insn_event){ .changed = e->arg[0] & 0xff, .len = e->arg[0] >> 8 & 15,
                              .bits = bits[e->arg[0] >> 12 & 3], .value = e->arg[1],
                              .rflags = e->arg[2] & 0xffffff };
    for (unsigned k = 0; k < INSN_EVENT_BYTES; k++)
        i->bytes[k] = (uint8_t)(k < 6 ? e->arg[0] >> (16 + 8 * k)
                                      : e->arg[2] >> (24 + 8 * (k - 6)));
}

/* The event with its arguments as TRACE_LIST names them, and without the bytes. */
static inline struct trace_event insn_event_plain(const struct trace_event *e)
{
    struct trace_event plain = *e;
    plain.arg[0] &= 0xff;
    plain.arg[2] &= 0xffffff;
    return plain;
}

#endif
