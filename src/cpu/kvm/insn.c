/*
 * cpu/kvm/insn.c -- is this IN, OUT, INS or OUTS, and how long is it?
 *
 * KVM tells of a port access, not of the instruction that made it.  Eight
 * opcodes can, behind any prefixes; that is all this file knows.
 *
 *   prefixes  REX   opcode      immediate
 *   66 f3 2e  4x    e4-e7 IN, OUT with the port in the instruction   ib
 *                   ec-ef IN, OUT with the port in DX                -
 *                   6c-6f INS, OUTS                                  -
 *
 * In an opcode, bit 0 set means that the operand is of 16 or 32 bits, and bit 1 that the data
 * go out.
 * [SDM 2A "Instruction Format"; "IN", "INS", "OUT", "OUTS"]
 */
#include "cpu/kvm/kvm.h"

#include <string.h>

#define MAX_INSN 15

struct prefixes { bool rep, size16_32, addr; uint8_t rex; int8_t seg; size_t n; };

/* Is this byte a prefix?  Then note what it means here. */
static EXIT_PATH bool is_prefix(uint8_t b, struct prefixes *p)
{
    /* ES CS SS DS FS GS, in the order of enum seg */
    static const uint8_t seg_prefix[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65 };

    for (size_t i = 0; i < NELEM(seg_prefix); i++)
        if (b == seg_prefix[i]) {
            p->seg = (int8_t)i;
            return true;
        }
    switch (b) {
    case 0x66: p->size16_32 = true; return true;
    case 0x67: p->addr = true;      return true;
    case 0xf2:
    case 0xf3: p->rep = true;       return true;
    case 0xf0:                      return true;    /* LOCK: #UD, but a prefix */
    default:                        return false;
    }
}

/* Prefixes in any order, then REX if code is 64 bits wide, then the opcode:
 *   6C 6D INS   6E 6F OUTS   E4 E5 IN imm8   E6 E7 OUT imm8   EC ED IN DX   EE EF OUT DX
 * Bit 0 of the opcode says "not a byte", bit 1 "out". */
EXIT_PATH void io_insn_parse(const uint8_t *bytes, size_t n, unsigned code_bytes,
                             struct io_insn *out)
{
    struct prefixes p = { .seg = -1 };

    memset(out, 0, sizeof(*out));
    if (n > MAX_INSN)
        n = MAX_INSN;
    while (p.n < n && is_prefix(bytes[p.n], &p))
        p.n++;
    /* REX comes last of the prefixes, and exists in 64-bit mode alone. */
    if (code_bytes == 8 && p.n < n && (bytes[p.n] & 0xf0) == 0x40)
        p.rex = bytes[p.n++];
    if (p.n >= n)
        return;

    uint8_t op = bytes[p.n];
    bool string = (op & 0xfc) == 0x6c, imm = (op & 0xfc) == 0xe4, dx = (op & 0xfc) == 0xec;
    if (!string && !imm && !dx)
        return;
    if (imm && p.n + 1 >= n)
        return;
    bool wide = op & 1, out_dir = op & 2;
    unsigned full = (code_bytes == 2) == p.size16_32 ? 4 : 2;

    out->len = (uint8_t)(p.n + 1 + imm);
    out->in = !out_dir;
    out->string = string;
    out->rep = string && p.rep;
    out->op_bytes = (uint8_t)(wide ? full : 1);
    out->addr_bytes = (uint8_t)(!p.addr ? code_bytes : code_bytes == 4 ? 2 : 4);
    out->seg = p.seg;
    out->imm = imm;
    out->imm_port = imm ? bytes[p.n + 1] : 0;
}
