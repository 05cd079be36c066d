/*
 * debugger/report/explain_gates.c -- all gates of the IDT: where do they lead?
 *
 * A handler that was reached by a wrong address does not know by which vector, so every gate is
 * asked.  Of protected and long mode only: real mode has a table of addresses.
 */
#include "debugger/report/explain_private.h"

#include "debugger/symbols/symbols.h"

/* The handler's offset in the gate number n.  Its parts are at bytes 0 and 6, in long mode also
 * at 8.  False: there is no such gate, or it is not present.  [SDM 3A "IDT Descriptors", "64-Bit
 * Mode IDT"] */
static bool gate_offset(const struct explain_input *in, unsigned n, uint64_t *offset)
{
    const struct table_reg *idt = &in->cpu->idtr;
    unsigned size = explain_gate_bytes(in->cpu);
    uint8_t b[16] = { 0 };
    if (n * size + size - 1 > idt->limit || !in->read(in->arg, idt->base + n * size, b, size) ||
        !(b[5] & 0x80))
        return false;
    *offset = b[0] | b[1] << 8 | (uint64_t)b[6] << 16 | (uint64_t)b[7] << 24;
    for (unsigned i = 8; i < size - 4; i++)
        *offset |= (uint64_t)b[i] << (8 * i - 32);
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
