/*
 * cpu/soft/ops/alu.c -- ADD OR ADC SBB AND SUB XOR CMP TEST, INC DEC NOT NEG.
 *
 * One inline function says what each operation does; handlers for every
 * operation x size x form are made from it by macros, so that in each of them
 * the operation and the size are constants.  Read alu() and the first OP_
 * macro; the rest is the same with other operands.
 */
#include "cpu/soft/exec.h"

#include <Zydis/Zydis.h>

enum alu { ADD, OR, ADC, SBB, AND, SUB, XOR, CMP, TEST, N_ALU };

/* ADC and SBB.  The carry in is part of the result, so the lazy forms (flags.h), which work
 * with two operands, do not fit: the flags are worked out now.  Bit by bit, an addition
 * carries out of a place where both operands have a 1, or one of them has and the result
 * has not; CF is the carry out of the highest place, AF that out of bit 3.
 * OF of an addition: both operands have one sign, the result the other.
 * [SDM 2A "ADC-Add With Carry"; SDM 2B "SBB-Integer Subtraction With Borrow"] */
INLINE uint64_t alu_carry(struct soft *s, bool sub, unsigned n, uint64_t a, uint64_t b)
{
    uint64_t c = cc_cf(s), r = cc_sx(sub ? a - b - c : a + b + c, n), carries;

    carries = sub ? (~a & b) | (~(a ^ b) & r) : (a & b) | ((a | b) & ~r);
    cc_set_bits(s, r, carries >> 63 |
                      ((sub ? (a ^ b) & (a ^ r) : ~(a ^ b) & (a ^ r)) >> 63 ? FLAG_OF : 0) |
                      ((a ^ b ^ r) & FLAG_AF));
    return r;
}

/* The operation itself.  a and b are sign-extended to 64 bits, whatever their size n; so is
 * the result.  Leaves the flags.  CMP is SUB and TEST is AND without the result being used.
 * [SDM 1 "Status Flags"] */
INLINE uint64_t alu(struct soft *s, enum alu op, unsigned n, uint64_t a, uint64_t b)
{
    uint64_t r;

    switch (op) {
    case ADD:
        r = cc_sx(a + b, n);
        cc_set_add(s, n, a, b, r);
        return r;
    case SUB: case CMP:
        r = cc_sx(a - b, n);
        cc_set_sub(s, a, b, r);
        return r;
    case ADC:  return alu_carry(s, false, n, a, b);
    case SBB:  return alu_carry(s, true, n, a, b);
    case OR:   r = a | b; break;
    case XOR:  r = a ^ b; break;
    default:   r = a & b; break;
    }
    cc_set_logic(s, r);
    return r;
}

/* ---- register forms ---- */

/* The names of handlers say where the operands are: rr_ADD4 is ADD r32, r32; i stands for
 * an immediate, m for memory.  _A64 and _A32 are the fast variants for flat addresses of
 * that width.  All are static functions with their own copy of alu(), of which the compiler
 * leaves a few instructions. */
#define OP_RR(op, n)                                                            \
static void rr_##op##n(struct soft *s, const struct uop *u)                     \
{                                                                               \
    uint64_t r = alu(s, op, n, get_rm(s, u, n), get_reg(s, u, n));              \
    if (op != CMP && op != TEST)                                                \
        set_rm(s, u, n, r);                                                     \
    NEXT(s, u);                                                                 \
}

#define OP_RI(op, n)                                                            \
static void ri_##op##n(struct soft *s, const struct uop *u)                     \
{                                                                               \
    uint64_t r = alu(s, op, n, get_rm(s, u, n), u->imm);                        \
    if (op != CMP && op != TEST)                                                \
        set_rm(s, u, n, r);                                                     \
    NEXT(s, u);                                                                 \
}

/* ---- memory forms: general first, which the fast ones fall back on ---- */

/* reg = reg OP memory. */
#define OP_RM(op, n)                                                            \
SLOW void rm_##op##n(struct soft *s, const struct uop *u)                       \
{                                                                               \
    uint64_t b = cc_sx(gen_load(s, u, n), n);                                   \
    uint64_t r = alu(s, op, n, get_reg(s, u, n), b);                            \
    if (op != CMP && op != TEST)                                                \
        set_reg(s, u, n, r);                                                    \
    NEXT(s, u);                                                                 \
}

/* The same if the TLB knows the page; if not, the general handler does the whole
 * instruction. */
#define OP_RM_FAST(op, n, av)                                                   \
static void rm_##op##n##_##av(struct soft *s, const struct uop *u)              \
{                                                                               \
    uint8_t *p;                                                                 \
    if (UNLIKELY(!tlb_hit(s, flat_address(s, u, av), n, TAG_R, &p)))            \
        TAIL(rm_##op##n, s, u);                                                 \
    uint64_t r = alu(s, op, n, get_reg(s, u, n), cc_sx(mem_get(p, n), n));      \
    if (op != CMP && op != TEST)                                                \
        set_reg(s, u, n, r);                                                    \
    NEXT(s, u);                                                                 \
}

/* memory = memory OP source.  The access is checked for writing before the flags change
 * (gen_load_rmw); the store may fault all the same, and then shows the flags of before. */
#define OP_MX(name, op, n, source)                                              \
SLOW void name##_##op##n(struct soft *s, const struct uop *u)                   \
{                                                                               \
    bool writes = op != CMP && op != TEST;                                      \
    uint64_t a = writes ? gen_load_rmw(s, u, n) : gen_load(s, u, n);            \
    struct cc_state before = cc_save(s);                                        \
    uint64_t r = alu(s, op, n, cc_sx(a, n), source);                            \
    if (writes)                                                                 \
        gen_store_rmw(s, u, n, r, before);                                      \
    NEXT(s, u);                                                                 \
}

/* A hit in the TLB for writing means that the store cannot fault, so flags need no care. */
#define OP_MX_FAST(name, op, n, source, av)                                     \
static void name##_##op##n##_##av(struct soft *s, const struct uop *u)          \
{                                                                               \
    uint8_t *p;                                                                 \
    unsigned tag = op == CMP || op == TEST ? TAG_R : TAG_W;                     \
    if (UNLIKELY(!tlb_hit(s, flat_address(s, u, av), n, tag, &p)))              \
        TAIL(name##_##op##n, s, u);                                             \
    uint64_t r = alu(s, op, n, cc_sx(mem_get(p, n), n), source);                \
    if (tag == TAG_W)                                                           \
        mem_put(p, n, r);                                                       \
    NEXT(s, u);                                                                 \
}

#define SIZES(X, op)  X(op, 1) X(op, 2) X(op, 4) X(op, 8)
#define ALL_OPS(X)    X(ADD) X(OR) X(ADC) X(SBB) X(AND) X(SUB) X(XOR) X(CMP) X(TEST)

/* All forms of one operation and size; then of all sizes and operations: 9 x 4 x 11
 * handlers. */
#define OP_FORMS(op, n)                                                         \
    OP_RR(op, n) OP_RI(op, n) OP_RM(op, n)                                      \
    OP_RM_FAST(op, n, A64) OP_RM_FAST(op, n, A32)                               \
    OP_MX(mr, op, n, get_reg(s, u, n)) OP_MX(mi, op, n, u->imm)                 \
    OP_MX_FAST(mr, op, n, get_reg(s, u, n), A64)                                \
    OP_MX_FAST(mr, op, n, get_reg(s, u, n), A32)                                \
    OP_MX_FAST(mi, op, n, u->imm, A64) OP_MX_FAST(mi, op, n, u->imm, A32)
#define OP_ALL(op) SIZES(OP_FORMS, op)
ALL_OPS(OP_ALL)

/* They are found by operation and by log2 of the size; an array of three is by enum
 * addressing. */
struct alu_row { op_fn *rr, *ri, *rm[3], *mr[3], *mi[3]; };

#define ROW(op, n) { rr_##op##n, ri_##op##n,                                    \
    { rm_##op##n##_A64, rm_##op##n##_A32, rm_##op##n },                         \
    { mr_##op##n##_A64, mr_##op##n##_A32, mr_##op##n },                         \
    { mi_##op##n##_A64, mi_##op##n##_A32, mi_##op##n } },
#define ROWS(op) [op] = { SIZES(ROW, op) },
static const struct alu_row rows[N_ALU][4] = { ALL_OPS(ROWS) };

/* From the forms that exist, the one of this instruction. */
static op_fn *alu_form(const struct alu_row *r, const struct insn *i)
{
    switch (i->form) {
    case F_RR: return r->rr;
    case F_RI: return r->ri;
    case F_RM: return r->rm[i->av];
    case F_MR: return r->mr[i->av];
    case F_MI: return r->mi[i->av];
    default:   return NULL;
    }
}

/* The choice for choose.c.  Immediates are sign-extended once, here, and not at every run. */
op_fn *select_alu(struct uop *u, const struct insn *i, bool *ends)
{
#define CASE(op) case ZYDIS_MNEMONIC_##op: return alu_form(&rows[op][i->log], i);
    (void)ends;
    u->imm = cc_sx(u->imm, i->n);
    switch (u->mnemonic) {
    ALL_OPS(CASE)
    default: return NULL;
    }
#undef CASE
}

/* ---- fused with the conditional jump behind them ---- */

/* A pair such as CMP and JE runs as one handler.  The compiler sees the operation and the
 * condition together: what is left of cc_cond() is one comparison.  The jump keeps its own
 * micro-operation, u + 1, for its links. */
#define OP_JCC(cc, name, op, n, source)                                         \
static void name##_##op##n##_j##cc(struct soft *s, const struct uop *u)         \
{                                                                               \
    uint64_t r = alu(s, op, n, get_rm(s, u, n), source);                        \
    if (op != CMP && op != TEST)                                                \
        set_rm(s, u, n, r);                                                     \
    BRANCH(s, u + 1, cc_cond(s, cc));                                           \
}
#define JCC_NAME(cc, name, op, n, source) name##_##op##n##_j##cc,
#define EACH_JCC(X, ...)                                                        \
    X(0, __VA_ARGS__) X(1, __VA_ARGS__) X(2, __VA_ARGS__) X(3, __VA_ARGS__)     \
    X(4, __VA_ARGS__) X(5, __VA_ARGS__) X(6, __VA_ARGS__) X(7, __VA_ARGS__)     \
    X(8, __VA_ARGS__) X(9, __VA_ARGS__) X(10, __VA_ARGS__) X(11, __VA_ARGS__)   \
    X(12, __VA_ARGS__) X(13, __VA_ARGS__) X(14, __VA_ARGS__) X(15, __VA_ARGS__)

/* What compilers put in front of a conditional jump. */
#define FUSED(X)                                                                \
    X(CMP, 1) X(CMP, 4) X(CMP, 8) X(TEST, 1) X(TEST, 4) X(TEST, 8)              \
    X(SUB, 4) X(SUB, 8) X(ADD, 4) X(ADD, 8) X(AND, 4) X(AND, 8)
#define FUSED_OPS(op, n)                                                        \
    EACH_JCC(OP_JCC, rr, op, n, get_reg(s, u, n)) EACH_JCC(OP_JCC, ri, op, n, u->imm)
FUSED(FUSED_OPS)

#define FUSED_ROWS(op, n)                                                       \
    { rr_##op##n, { EACH_JCC(JCC_NAME, rr, op, n, ) } },                        \
    { ri_##op##n, { EACH_JCC(JCC_NAME, ri, op, n, ) } },
static const struct { op_fn *plain, *fused[16]; } fused_rows[] = { FUSED(FUSED_ROWS) };

/* The fused handler that takes the place of fn, if there is one. */
op_fn *alu_and_jcc(op_fn *fn, unsigned cc)
{
    for (unsigned i = 0; i < NELEM(fused_rows); i++)
        if (fused_rows[i].plain == fn)
            return fused_rows[i].fused[cc];
    return NULL;
}

/* ---- one operand ---- */

/* INC and DEC leave CF as it was, so that they can count in a loop that adds long numbers with
 * ADC.  NOT touches no flag at all.  NEG is 0 - a. */
enum unary { INC, DEC, NOT, NEG, N_UNARY };

/* INC and DEC record only that they have happened (high byte of cc_op), so that CF can
 * still be worked out from the operation before them.  [SDM 2A "INC-Increment by 1"] */
INLINE uint64_t unary(struct soft *s, enum unary op, unsigned n, uint64_t a)
{
    uint64_t r;

    switch (op) {
    case INC: case DEC:
        r = cc_sx(op == INC ? a + 1 : a - 1, n);
        s->cc_result = r;
        s->cc_op = (s->cc_op & 0xff) | ((op == INC ? CC_INC : CC_DEC) + 0x100 * cc_log2(n));
        return r;
    case NEG:
        r = cc_sx(-a, n);
        cc_set_sub(s, 0, a, r);
        return r;
    default:
        return ~a;
    }
}

/* The same three kinds of handler as above: register, memory, memory by the TLB. */
#define OP_R(op, n)                                                             \
static void r_##op##n(struct soft *s, const struct uop *u)                      \
{                                                                               \
    set_rm(s, u, n, unary(s, op, n, get_rm(s, u, n)));                          \
    NEXT(s, u);                                                                 \
}
#define OP_M(op, n)                                                             \
SLOW void m_##op##n(struct soft *s, const struct uop *u)                        \
{                                                                               \
    uint64_t a = cc_sx(gen_load_rmw(s, u, n), n);                               \
    struct cc_state before = cc_save(s);                                        \
    gen_store_rmw(s, u, n, unary(s, op, n, a), before);                         \
    NEXT(s, u);                                                                 \
}
#define OP_M_FAST(op, n, av)                                                    \
static void m_##op##n##_##av(struct soft *s, const struct uop *u)               \
{                                                                               \
    uint8_t *p;                                                                 \
    if (UNLIKELY(!tlb_hit(s, flat_address(s, u, av), n, TAG_W, &p)))            \
        TAIL(m_##op##n, s, u);                                                  \
    mem_put(p, n, unary(s, op, n, cc_sx(mem_get(p, n), n)));                    \
    NEXT(s, u);                                                                 \
}
#define UNARY_FORMS(op, n) OP_R(op, n) OP_M(op, n) OP_M_FAST(op, n, A64) OP_M_FAST(op, n, A32)
#define UNARY_OPS(X) X(INC) X(DEC) X(NOT) X(NEG)
#define UNARY_ALL(op) SIZES(UNARY_FORMS, op)
UNARY_OPS(UNARY_ALL)

#define UNARY_ROW(op, n) { r_##op##n, { m_##op##n##_A64, m_##op##n##_A32, m_##op##n } },
#define UNARY_ROWS(op) [op] = { SIZES(UNARY_ROW, op) },
static const struct { op_fn *r, *m[3]; } unary_rows[N_UNARY][4] = { UNARY_OPS(UNARY_ROWS) };

op_fn *select_unary(struct uop *u, const struct insn *i, bool *ends)
{
#define CASE(op) case ZYDIS_MNEMONIC_##op: \
        return i->form == F_R ? unary_rows[op][i->log].r : unary_rows[op][i->log].m[i->av];
    (void)ends;
    switch (u->mnemonic) {
    UNARY_OPS(CASE)
    default: return NULL;
    }
#undef CASE
}
