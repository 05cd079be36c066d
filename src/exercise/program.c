/*
 * exercise/program.c -- the small program as code of three machines, each with its listing.
 */
#include "exercise/program.h"

#include <stdio.h>
#include <string.h>

#include "exercise/tiny_listing.h"

const char *const operator_signs[N_OPERATORS] = { "+", "-", "^", "*" };

static uint32_t apply(enum operator o, uint32_t a, uint32_t b)
{
    return o == OP_ADD ? a + b : o == OP_SUB ? a - b : o == OP_XOR ? a ^ b : a * b;
}

uint32_t program_answer(const struct program *p)
{
    uint32_t x = p->x;
    for (uint32_t n = p->n; n; n--)
        x = n & 1 ? apply(p->b, apply(p->a, x, p->k), n) : apply(p->c, x, n);
    return x;
}

/* ---- the stack machine ---- */

enum { VAR_X, VAR_N };

static void stack_add(struct stack_code *c, enum stack_op op, uint32_t arg)
{
    c->insn[c->n].op = op;
    c->insn[c->n++].arg = arg;
}

/* x = x OP (operand); the operand is pushed by `op`. */
static void stack_update_x(struct stack_code *c, enum stack_op op, uint32_t arg, enum operator o)
{
    static const enum stack_op ops[N_OPERATORS] = { STACK_ADD, STACK_SUB, STACK_XOR, STACK_MUL };
    stack_add(c, op, arg);
    stack_add(c, ops[o], 0);
}

void program_for_stack_vm(const struct program *p, struct stack_code *c)
{
    c->n = 0;
    stack_add(c, STACK_PUSH, p->x);
    stack_add(c, STACK_STORE, VAR_X);
    stack_add(c, STACK_PUSH, p->n);
    stack_add(c, STACK_STORE, VAR_N);
    unsigned again = c->n;
    stack_add(c, STACK_LOAD, VAR_N);
    stack_add(c, STACK_PUSH, 1);
    stack_add(c, STACK_AND, 0);
    unsigned to_even = c->n;
    stack_add(c, STACK_JZ, 0);
    stack_add(c, STACK_LOAD, VAR_X);
    stack_update_x(c, STACK_PUSH, p->k, p->a);
    stack_update_x(c, STACK_LOAD, VAR_N, p->b);
    stack_add(c, STACK_STORE, VAR_X);
    unsigned to_end = c->n;
    stack_add(c, STACK_JMP, 0);
    c->insn[to_even].arg = c->n;
    stack_add(c, STACK_LOAD, VAR_X);
    stack_update_x(c, STACK_LOAD, VAR_N, p->c);
    stack_add(c, STACK_STORE, VAR_X);
    c->insn[to_end].arg = c->n;
    stack_add(c, STACK_LOAD, VAR_N);
    stack_add(c, STACK_PUSH, 1);
    stack_add(c, STACK_SUB, 0);
    stack_add(c, STACK_STORE, VAR_N);
    stack_add(c, STACK_LOAD, VAR_N);
    stack_add(c, STACK_JNZ, again);
    stack_add(c, STACK_LOAD, VAR_X);
    stack_add(c, STACK_HALT, 0);
}

/* ---- RISC-V ---- */

struct rv32_writer {
    struct rv32_code *code;
    program_line_fn  *put;
    void             *arg;
};

/* One instruction, and its line. */
static void rv_add(struct rv32_writer *w, uint32_t insn, const char *text)
{
    char line[80];
    snprintf(line, sizeof line, "%2x:  %s", 4 * w->code->n, text);
    if (w->put)
        w->put(w->arg, line);
    w->code->insn[w->code->n++] = insn;
}

static uint32_t rv_imm(unsigned opcode, unsigned funct3, unsigned rd, unsigned rs1, uint32_t imm)
{
    return imm << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode;
}

static void rv_li(struct rv32_writer *w, unsigned rd, const char *name, uint32_t v)
{
    char text[40];
    snprintf(text, sizeof text, "addi %s, zero, %u", name, v);
    rv_add(w, rv_imm(0x13, 0, rd, RV_ZERO, v), text);
}

/* s0 = s0 OP rs2. */
static void rv_update(struct rv32_writer *w, enum operator o, unsigned rs2, const char *name)
{
    static const struct { const char *name; unsigned funct7, funct3; } ops[N_OPERATORS] = {
        { "add", 0, 0 }, { "sub", 0x20, 0 }, { "xor", 0, 4 }, { "mul", 1, 0 },
    };
    char text[40];
    snprintf(text, sizeof text, "%s s0, s0, %s", ops[o].name, name);
    rv_add(w, ops[o].funct7 << 25 | rs2 << 20 | RV_S0 << 15 | ops[o].funct3 << 12 | RV_S0 << 7 |
              0x33, text);
}

/* BEQ (funct3 0) or BNE (1) of rs1 with zero, `insns` instructions on or back. */
static uint32_t rv_branch(unsigned funct3, unsigned rs1, int insns)
{
    uint32_t o = (uint32_t)(4 * insns);
    return (o >> 12 & 1) << 31 | (o >> 5 & 0x3f) << 25 | rs1 << 15 | funct3 << 12 |
           (o >> 1 & 15) << 8 | (o >> 11 & 1) << 7 | 0x63;
}

static void rv_system_call(struct rv32_writer *w, uint32_t number)
{
    rv_li(w, RV_A7, "a7", number);
    rv_add(w, 0x73, "ecall");
}

void program_for_rv32(const struct program *p, struct rv32_code *out, program_line_fn *put,
                      void *arg)
{
    struct rv32_writer w = { out, put, arg };
    out->n = 0;
    rv_li(&w, RV_S0, "s0", p->x);
    rv_li(&w, RV_S1, "s1", p->n);
    rv_li(&w, RV_S2, "s2", p->k);
    rv_add(&w, rv_imm(0x13, 7, RV_T0, RV_S1, 1), "andi t0, s1, 1");
    rv_add(&w, rv_branch(0, RV_T0, 4), "beq t0, zero, 20");
    rv_update(&w, p->a, RV_S2, "s2");
    rv_update(&w, p->b, RV_S1, "s1");
    rv_add(&w, 8u << 20 | 0x6f, "jal zero, 24");
    rv_update(&w, p->c, RV_S1, "s1");
    rv_add(&w, rv_imm(0x13, 0, RV_S1, RV_S1, 0xfff), "addi s1, s1, -1");
    rv_add(&w, rv_branch(1, RV_S1, -7), "bne s1, zero, c");
    rv_add(&w, RV32_DATA | RV_T1 << 7 | 0x37, "lui t1, 0x1");
    rv_add(&w, RV_S0 << 20 | RV_T1 << 15 | 2 << 12 | 0x23, "sw s0, 0(t1)");
    rv_li(&w, RV_A0, "a0", 1);
    rv_add(&w, rv_imm(0x13, 0, RV_A1, RV_T1, 0), "addi a1, t1, 0");
    rv_li(&w, RV_A2, "a2", 4);
    rv_system_call(&w, 64);
    rv_li(&w, RV_A0, "a0", 0);
    rv_system_call(&w, 93);
}

/* ---- a PC in real mode ---- */

/* mov $v, %reg: 66 B8+reg imm32. */
static void pc_mov(struct tiny_listing *w, unsigned reg, const char *name, uint32_t v)
{
    uint8_t bytes[6] = { 0x66, (uint8_t)(0xb8 + reg) };
    memcpy(bytes + 2, &v, 4);
    tiny_insn(w, bytes, sizeof bytes, "mov $%u, %%%s", v, name);
}

/* %eax = %eax OP reg. */
static void pc_update(struct tiny_listing *w, enum operator o, unsigned reg, const char *name)
{
    static const struct { const char *name; uint8_t opcode; } ops[N_OPERATORS] = {
        { "add", 0x01 }, { "sub", 0x29 }, { "xor", 0x31 }, { "imul", 0xaf },
    };
    uint8_t multiply[] = { 0x66, 0x0f, 0xaf, (uint8_t)(0xc0 | reg) };
    uint8_t other[] = { 0x66, ops[o].opcode, (uint8_t)(0xc0 | reg << 3) };
    bool is_mul = o == OP_MUL;
    tiny_insn(w, is_mul ? multiply : other, is_mul ? sizeof multiply : sizeof other,
              "%s %%%s, %%eax", ops[o].name, name);
}

void program_for_pc(const struct program *p, struct tiny_code *out, program_line_fn *put, void *arg)
{
    enum { ECX = 1, EBX = 3 };
    struct tiny_listing w = { out, put, arg };
    out->n = 0;
    pc_mov(&w, 0, "eax", p->x);
    pc_mov(&w, ECX, "ecx", p->n);
    pc_mov(&w, EBX, "ebx", p->k);
    unsigned again = out->n, odd = (p->a == OP_MUL ? 4 : 3) + 3 + 2;
    tiny_insn(&w, "\xf6\xc1\x01", 3, "test $1, %%cl");
    tiny_jump(&w, "jz", 0x74, out->n + 2 + odd);
    pc_update(&w, p->a, EBX, "ebx");
    pc_update(&w, p->b, ECX, "ecx");
    tiny_jump(&w, "jmp", 0xeb, out->n + 2 + 3);
    pc_update(&w, p->c, ECX, "ecx");
    tiny_insn(&w, "\x66\x49", 2, "dec %%ecx");
    tiny_jump(&w, "jnz", 0x75, again);
    for (unsigned i = 0; i < 4; i++) {
        tiny_insn(&w, "\xe6\xe9", 2, "out %%al, $0xe9");
        if (i < 3)
            tiny_insn(&w, "\x66\xc1\xe8\x08", 4, "shr $8, %%eax");
    }
    tiny_insn(&w, "\xfa", 1, "cli");
    tiny_insn(&w, "\xf4", 1, "hlt");
}
