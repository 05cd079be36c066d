/*
 * debugger/report/explain_gates.c -- the gates of the IDT: what they say, and where they lead.
 *
 * A handler that was reached by a wrong address does not know by which vector, so every gate is
 * asked.  Of protected and long mode only: real mode has a table of addresses.
 */
#include "debugger/report/explain_private.h"

#include "debugger/symbols/symbols.h"

#define GATE_PRESENT 0x80

/* The gate's size depends on the mode: 4 bytes in real mode (offset and segment), 8 in protected
 * mode, 16 in long mode, where the offset is in three parts:
 *
 *     byte  0 1      2 3       4 5         6 7       8 9 10 11   12..15
 *           offset   selector  IST, type   offset    offset      0
 *           15..0              P DPL       31..16    63..32
 *
 * [SDM 3A "IDT Descriptors", "64-Bit Mode IDT"] */
enum explain_gate_found explain_read_gate(const struct explain_input *in, unsigned vector,
                                          struct explain_gate *g)
{
    const struct table_reg *idt = &in->cpu->idtr;
    unsigned size = explain_gate_bytes(in->cpu);
    uint8_t b[16] = { 0 };
    if (vector * size + size - 1 > idt->limit)
        return GATE_IS_BEYOND_LIMIT;
    if (!in->read(in->arg, idt->base + vector * size, b, size))
        return GATE_IS_UNREADABLE;
    g->offset = b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[6] << 16 | (uint64_t)b[7] << 24;
    g->selector = (uint16_t)(b[2] | b[3] << 8);
    g->type = b[5];
    for (unsigned i = 8; i < size - 4; i++)
        g->offset |= (uint64_t)b[i] << (8 * i - 32);
    return GATE_IS_READ;
}

bool explain_gate_is_present(const struct explain_input *in, const struct explain_gate *g)
{
    return explain_is_real(in->cpu) || g->type & GATE_PRESENT;
}

/* The handler's offset in the gate of vector n.  False: there is no such gate, or it is not
 * present. */
static bool gate_offset(const struct explain_input *in, unsigned n, uint64_t *offset)
{
    struct explain_gate g;
    if (explain_read_gate(in, n, &g) != GATE_IS_READ || !explain_gate_is_present(in, &g))
        return false;
    *offset = g.offset;
    return true;
}

bool explain_gate_leads_to(const struct explain_input *in, uint64_t rip)
{
    uint64_t offset;
    for (unsigned n = 0; n < 256 && !explain_is_real(in->cpu); n++)
        if (gate_offset(in, n, &offset) && offset == rip)
            return true;
    return false;
}

/* Does a function of the program begin at this address? */
static bool begins_function(const struct explain_input *in, uint64_t at)
{
    uint64_t behind;
    return symbols_find(in->symbols, at, &behind) && behind == 0;
}

bool explain_gate_is_swapped(const struct explain_input *in)
{
    uint64_t offset;
    for (unsigned n = 0; n < 256 && !explain_is_real(in->cpu); n++)
        if (gate_offset(in, n, &offset) && !begins_function(in, offset) &&
            begins_function(in, (uint32_t)(offset << 16) | (uint32_t)offset >> 16))
            return true;
    return false;
}
