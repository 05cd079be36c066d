/*
 * debugger/symbols/location.c -- the stack machine for DWARF expressions.
 *
 *     DW_OP_fbreg -24                      the variable is 24 bytes below the frame base
 *     DW_OP_breg7 8, DW_OP_deref           its address is stored at register 7 (rsp) + 8
 *     DW_OP_reg3                           it is in register 3 (rbx)
 *     DW_OP_lit5, DW_OP_stack_value        it is nowhere; its value is 5
 *
 * Jumps are left out on purpose: without them every expression ends after its last operation,
 * whatever a hostile file says.  Also left out are variables in several pieces and values at
 * the entry of a function, which only optimized code has: these cannot be told.
 *
 * [DWARF 5 "Location Descriptions"]
 */
#include "debugger/symbols/location.h"

#include <dwarf.h>
#include <string.h>

#define DEPTH 32

/* The machine: a stack of 64-bit numbers.  After the first failure it goes on with zeros, and
 * the result is thrown away; so no operation needs to return an error. */
struct stack {
    const struct location_machine *m;
    uint64_t v[DEPTH];
    unsigned n, nested;
    bool     failed;
};

static void push(struct stack *s, uint64_t v)
{
    if (s->n == DEPTH)
        s->failed = true;
    else
        s->v[s->n++] = v;
}

static uint64_t pop(struct stack *s)
{
    if (!s->n) {
        s->failed = true;
        return 0;
    }
    return s->v[--s->n];
}

static unsigned address_bytes(const struct stack *s)
{
    return debuginfo_address_bytes(s->m->m->info);
}

/* The value of a register by DWARF's number.  It fails if the frame does not know it. */
static uint64_t register_value(struct stack *s, uint64_t n)
{
    const struct frame *f = s->m->frame;
    if (n >= FRAME_REGS || !(f->known & BIT(n))) {
        s->failed = true;
        return 0;
    }
    return f->reg[n];
}

/* Replace the address on top by the number of so many bytes that is there. */
static void deref(struct stack *s, uint64_t bytes)
{
    uint64_t v = 0, at = pop(s);
    const struct expr_machine *m = s->m->m;
    if (bytes > 8 || !bytes || !m->read || m->read(m->arg, false, at, &v, (unsigned)bytes))
        s->failed = true;
    push(s, v);
}

static bool run_ops(struct stack *s, const Dwarf_Op *op, size_t n, struct location *l);

/* Locals are told relative to their function's frame base, which is an expression itself (with
 * GCC: the CFA).  It must not use a frame base in turn. */
static uint64_t frame_base(struct stack *s)
{
    Dwarf_Attribute a;
    Dwarf_Op *op;
    size_t n;
    struct location l;
    struct stack inner = { .m = s->m, .nested = s->nested + 1 };
    uint64_t pc = s->m->frame ? frame_lookup_pc(s->m->frame) - debuginfo_bias(s->m->m->info) : 0;
    if (!s->m->function || s->nested ||
        !dwarf_attr_integrate(s->m->function, DW_AT_frame_base, &a) ||
        dwarf_getlocation_addr(&a, pc, &op, &n, 1) != 1 || !run_ops(&inner, op, n, &l) ||
        l.kind == LOCATION_NONE) {
        s->failed = true;
        return 0;
    }
    return l.value;
}

/* Operators on the top two; the one on top is the right operand.  Comparisons are signed.
 * Shifts by 64 or more give 0 (or all sign bits), which in C would be undefined. */
static void arithmetic(struct stack *s, unsigned atom)
{
    uint64_t b = pop(s), a = pop(s);
    switch (atom) {
    case DW_OP_plus:  push(s, a + b); break;
    case DW_OP_minus: push(s, a - b); break;
    case DW_OP_mul:   push(s, a * b); break;
    case DW_OP_and:   push(s, a & b); break;
    case DW_OP_or:    push(s, a | b); break;
    case DW_OP_xor:   push(s, a ^ b); break;
    case DW_OP_shl:   push(s, b < 64 ? a << b : 0); break;
    case DW_OP_shr:   push(s, b < 64 ? a >> b : 0); break;
    case DW_OP_shra:  push(s, (uint64_t)((int64_t)a >> (b < 64 ? b : 63))); break;
    case DW_OP_eq:    push(s, a == b); break;
    case DW_OP_ne:    push(s, a != b); break;
    case DW_OP_lt:    push(s, (int64_t)a < (int64_t)b); break;
    case DW_OP_gt:    push(s, (int64_t)a > (int64_t)b); break;
    case DW_OP_le:    push(s, (int64_t)a <= (int64_t)b); break;
    case DW_OP_ge:    push(s, (int64_t)a >= (int64_t)b); break;
    default:          s->failed = true;
    }
}

/* One operation.  The names are those of the standard; the numbers that some carry with them
 * are in op->number and number2.  [DWARF 5 "DWARF Expressions"] */
static void apply_op(struct stack *s, const Dwarf_Op *op)
{
    uint64_t v;
    unsigned atom = op->atom;
    if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31) {
        push(s, atom - DW_OP_lit0);
        return;
    }
    if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31) {
        push(s, register_value(s, atom - DW_OP_breg0) + op->number);
        return;
    }
    switch (atom) {
    case DW_OP_nop: break;
    case DW_OP_addr: push(s, op->number + debuginfo_bias(s->m->m->info)); break;
    case DW_OP_const1u: case DW_OP_const2u: case DW_OP_const4u: case DW_OP_const8u:
    case DW_OP_const1s: case DW_OP_const2s: case DW_OP_const4s: case DW_OP_const8s:
    case DW_OP_constu:  case DW_OP_consts:
        push(s, op->number);
        break;
    case DW_OP_bregx: push(s, register_value(s, op->number) + op->number2); break;
    case DW_OP_fbreg: push(s, frame_base(s) + op->number); break;
    case DW_OP_call_frame_cfa:
        s->failed |= !s->m->frame || !s->m->frame->cfa;
        push(s, s->m->frame ? s->m->frame->cfa : 0);
        break;
    case DW_OP_plus_uconst: push(s, pop(s) + op->number); break;
    case DW_OP_neg: push(s, -pop(s)); break;
    case DW_OP_not: push(s, ~pop(s)); break;
    case DW_OP_abs: v = pop(s); push(s, (int64_t)v < 0 ? -v : v); break;
    case DW_OP_deref: deref(s, address_bytes(s)); break;
    case DW_OP_deref_size: deref(s, op->number); break;
    case DW_OP_dup: v = pop(s); push(s, v); push(s, v); break;
    case DW_OP_drop: pop(s); break;
    case DW_OP_over: v = s->n > 1 ? s->v[s->n - 2] : (s->failed = true, 0); push(s, v); break;
    case DW_OP_swap: { uint64_t a = pop(s), b = pop(s); push(s, a); push(s, b); break; }
    default: arithmetic(s, atom);
    }
}

/* An expression that is a single DW_OP_reg is not computed: the thing is in that register. */
static bool is_register(const Dwarf_Op *op, size_t n, unsigned *number)
{
    if (n != 1)
        return false;
    *number = op->atom == DW_OP_regx ? (unsigned)op->number : op->atom - (unsigned)DW_OP_reg0;
    return op->atom == DW_OP_regx || (op->atom >= DW_OP_reg0 && op->atom <= DW_OP_reg31);
}

/* Carry out an expression.  What is on top at the end is the address of the thing, or, after
 * DW_OP_stack_value, its value: then it is nowhere in memory. */
static bool run_ops(struct stack *s, const Dwarf_Op *op, size_t n, struct location *l)
{
    *l = (struct location){ .kind = LOCATION_NONE };
    if (is_register(op, n, &l->reg)) {
        l->value = register_value(s, l->reg);
        l->kind = LOCATION_REGISTER;
        return !s->failed;
    }
    l->kind = LOCATION_MEMORY;
    for (size_t i = 0; i < n && !s->failed; i++) {
        if (op[i].atom == DW_OP_stack_value)
            l->kind = LOCATION_VALUE;
        else
            apply_op(s, &op[i]);
    }
    l->value = pop(s);
    if (l->kind == LOCATION_MEMORY && address_bytes(s) == 4)
        l->value = (uint32_t)l->value;
    return !s->failed;
}

bool location_eval(const struct location_machine *m, const Dwarf_Op *op, size_t n,
                   struct location *l)
{
    struct stack s = { .m = m };
    return run_ops(&s, op, n, l);
}
