/*
 * exercise/rv32.c -- fetch, decode by opcode, execute; at ECALL be the kernel.
 */
#include "exercise/rv32.h"

#include <string.h>

struct hart {
    const struct rv32_code *code;
    struct rv32_run *r;
    uint32_t pc, x[32];
    uint8_t  data[RV32_DATA_BYTES];
    bool     stopped;
};

/* Bits hi:lo of an instruction. */
static uint32_t part(uint32_t insn, unsigned hi, unsigned lo)
{
    return (uint32_t)((insn & FIELD(hi, lo)) >> lo);
}

static uint32_t signed_part(uint32_t value, unsigned bits)
{
    return (uint32_t)((int32_t)(value << (32 - bits)) >> (32 - bits));
}

static void set(struct hart *h, unsigned reg, uint32_t v)
{
    if (reg)
        h->x[reg] = v;
}

/* funct7 (of MUL and SUB) and funct3 say which; others end the program. */
static void operate(struct hart *h, uint32_t insn, uint32_t b, unsigned funct7)
{
    uint32_t a = h->x[part(insn, 19, 15)], v = 0;
    switch (funct7 << 3 | part(insn, 14, 12)) {
    case 0:             v = a + b; break;
    case 0x20 << 3 | 0: v = a - b; break;
    case 1 << 3 | 0:    v = a * b; break;
    case 4:             v = a ^ b; break;
    case 7:             v = a & b; break;
    default:            h->stopped = true;
    }
    set(h, part(insn, 11, 7), v);
}

static void op_register(struct hart *h, uint32_t insn)
{
    operate(h, insn, h->x[part(insn, 24, 20)], part(insn, 31, 25));
}

static void op_immediate(struct hart *h, uint32_t insn)
{
    operate(h, insn, signed_part(part(insn, 31, 20), 12), 0);
}

static void op_lui(struct hart *h, uint32_t insn)
{
    set(h, part(insn, 11, 7), insn & 0xfffff000);
}

static void op_branch(struct hart *h, uint32_t insn)
{
    uint32_t offset = part(insn, 31, 31) << 12 | part(insn, 7, 7) << 11 | part(insn, 30, 25) << 5 |
                      part(insn, 11, 8) << 1;
    bool equal = h->x[part(insn, 19, 15)] == h->x[part(insn, 24, 20)];
    unsigned funct3 = part(insn, 14, 12);
    h->stopped = funct3 > 1;
    if (equal == (funct3 == 0))
        h->pc += signed_part(offset, 13) - 4;
}

static void op_jal(struct hart *h, uint32_t insn)
{
    uint32_t offset = part(insn, 31, 31) << 20 | part(insn, 19, 12) << 12 |
                      part(insn, 20, 20) << 11 | part(insn, 30, 21) << 1;
    set(h, part(insn, 11, 7), h->pc);
    h->pc += signed_part(offset, 21) - 4;
}

/* SW alone. */
static void op_store(struct hart *h, uint32_t insn)
{
    uint32_t offset = part(insn, 31, 25) << 5 | part(insn, 11, 7);
    uint32_t at = h->x[part(insn, 19, 15)] + signed_part(offset, 12) - RV32_DATA;
    if (part(insn, 14, 12) != 2 || at > RV32_DATA_BYTES - 4)
        h->stopped = true;
    else
        memcpy(h->data + at, &h->x[part(insn, 24, 20)], 4);
}

static void sys_write(struct hart *h)
{
    uint32_t at = h->x[RV_A1] - RV32_DATA, n = h->x[RV_A2];
    if (h->x[RV_A0] != 1 || n > RV32_DATA_BYTES || at > RV32_DATA_BYTES - n ||
        n > sizeof h->r->out - h->r->n_out) {
        h->x[RV_A0] = (uint32_t)-1;
        return;
    }
    memcpy(h->r->out + h->r->n_out, h->data + at, n);
    h->r->n_out += n;
    h->x[RV_A0] = n;
}

/* The kernel, as far as the program needs one. */
static void op_ecall(struct hart *h, uint32_t insn)
{
    (void)insn;
    h->r->syscalls++;
    if (h->x[RV_A7] == 64)
        sys_write(h);
    else {
        h->r->exited = h->x[RV_A7] == 93;
        h->r->status = h->x[RV_A0];
        h->stopped = true;
    }
}

/* By bits 6:2 of the instruction.  [RISC-V Unprivileged ISA "RV32/64G Instruction Set Listings"] */
static void (*const execute[32])(struct hart *h, uint32_t insn) = {
    [0x04] = op_immediate, [0x08] = op_store, [0x0c] = op_register, [0x0d] = op_lui,
    [0x18] = op_branch, [0x1b] = op_jal, [0x1c] = op_ecall,
};

void rv32_run(const struct rv32_code *code, struct rv32_run *r)
{
    enum { LIMIT = 100000 };
    struct hart h = { .code = code, .r = r };
    *r = (struct rv32_run){ 0 };
    while (!h.stopped && r->insns < LIMIT && h.pc / 4 < code->n && h.pc % 4 == 0) {
        uint32_t insn = code->insn[h.pc / 4];
        unsigned opcode = part(insn, 6, 2);
        h.pc += 4;
        if ((insn & 3) != 3 || !execute[opcode])
            return;
        execute[opcode](&h, insn);
        r->insns++;
    }
}
