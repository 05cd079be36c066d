/*
 * cpu/soft/ops/move.c -- MOV, MOVBE, MOVZX, MOVSX, LEA, XCHG, BSWAP, CMOVcc, SETcc.
 *
 * None of them changes a flag.  For the scheme of variants see exec.h.
 */
#include "cpu/soft/exec.h"

#include <Zydis/Zydis.h>

/* X for every operand size, in bytes. */
#define SIZES(X) X(1) X(2) X(4) X(8)

/* ---- MOV ---- */

/* rr: to a register from a register; ri: from an immediate; rm: from memory; mr, mi: to
 * memory.  Writing a 32-bit register clears the upper half of the 64-bit one; 8- and 16-bit
 * writes leave the rest alone (reg_set()).  [SDM 1 "General-Purpose Registers in 64-Bit
 * Mode"] */
#define MOV(n)                                                                  \
static void mov_rr##n(struct soft *s, const struct uop *u)                      \
{                                                                               \
    set_rm(s, u, n, reg_get(s, u->reg, u->reg8, n));                            \
    NEXT(s, u);                                                                 \
}                                                                               \
static void mov_ri##n(struct soft *s, const struct uop *u)                      \
{                                                                               \
    set_rm(s, u, n, u->imm);                                                    \
    NEXT(s, u);                                                                 \
}                                                                               \
SLOW void mov_rm##n(struct soft *s, const struct uop *u)                        \
{                                                                               \
    set_reg(s, u, n, gen_load(s, u, n));                                        \
    NEXT(s, u);                                                                 \
}                                                                               \
SLOW void mov_mr##n(struct soft *s, const struct uop *u)                        \
{                                                                               \
    gen_store(s, u, n, reg_get(s, u->reg, u->reg8, n));                         \
    NEXT(s, u);                                                                 \
}                                                                               \
SLOW void mov_mi##n(struct soft *s, const struct uop *u)                        \
{                                                                               \
    gen_store(s, u, n, u->imm);                                                 \
    NEXT(s, u);                                                                 \
}
SIZES(MOV)

/* The three with memory, when the address is flat and the TLB knows the page.  They are among
 * the commonest instructions of all, so each is a few instructions of the host. */
#define MOV_FAST(n, av)                                                         \
static void mov_rm##n##_##av(struct soft *s, const struct uop *u)               \
{                                                                               \
    uint8_t *p;                                                                 \
    if (UNLIKELY(!tlb_hit(s, flat_address(s, u, av), n, TAG_R, &p)))            \
        TAIL(mov_rm##n, s, u);                                                  \
    set_reg(s, u, n, mem_get(p, n));                                            \
    NEXT(s, u);                                                                 \
}                                                                               \
static void mov_mr##n##_##av(struct soft *s, const struct uop *u)               \
{                                                                               \
    uint8_t *p;                                                                 \
    if (UNLIKELY(!tlb_hit(s, flat_address(s, u, av), n, TAG_W, &p)))            \
        TAIL(mov_mr##n, s, u);                                                  \
    mem_put(p, n, reg_get(s, u->reg, u->reg8, n));                              \
    NEXT(s, u);                                                                 \
}                                                                               \
static void mov_mi##n##_##av(struct soft *s, const struct uop *u)               \
{                                                                               \
    uint8_t *p;                                                                 \
    if (UNLIKELY(!tlb_hit(s, flat_address(s, u, av), n, TAG_W, &p)))            \
        TAIL(mov_mi##n, s, u);                                                  \
    mem_put(p, n, u->imm);                                                      \
    NEXT(s, u);                                                                 \
}
#define MOV_FASTS(n) MOV_FAST(n, A64) MOV_FAST(n, A32)
SIZES(MOV_FASTS)

#define MOV_ROW(n) { mov_rr##n, mov_ri##n, { mov_rm##n##_A64, mov_rm##n##_A32, mov_rm##n },  \
    { mov_mr##n##_A64, mov_mr##n##_A32, mov_mr##n },                                        \
    { mov_mi##n##_A64, mov_mi##n##_A32, mov_mi##n } },
static const struct { op_fn *rr, *ri, *rm[3], *mr[3], *mi[3]; } mov_rows[4] = { SIZES(MOV_ROW) };

/* MOVBE (big-endian load and store) is rare: one handler each way, the size looked up.
 * BSWAP likewise. */
static uint64_t swap_bytes(uint64_t v, unsigned n)
{
    return n == 2 ? __builtin_bswap16((uint16_t)v) : n == 4 ? __builtin_bswap32((uint32_t)v)
                                                   : __builtin_bswap64(v);
}

/* Load, and store, in the other byte order.  [SDM 2B "MOVBE-Move Data After Swapping
 * Bytes"] */
static void movbe_rm(struct soft *s, const struct uop *u)
{
    soft_write_reg(s, u->reg, u->opsize, swap_bytes(gen_load(s, u, u->opsize), u->opsize));
    NEXT(s, u);
}

static void movbe_mr(struct soft *s, const struct uop *u)
{
    gen_store(s, u, u->opsize, swap_bytes(soft_read_reg(s, u->reg, u->opsize), u->opsize));
    NEXT(s, u);
}

/* The choice for choose.c: by log2 of the size and by form; rows with three entries by
 * addressing. */
op_fn *select_mov(struct uop *u, const struct insn *i, bool *ends)
{
    (void)ends;
    if (u->mnemonic == ZYDIS_MNEMONIC_MOVBE)
        return i->form == F_RM ? movbe_rm : movbe_mr;
    switch (i->form) {
    case F_RR: return mov_rows[i->log].rr;
    case F_RI: return mov_rows[i->log].ri;
    case F_RM: return mov_rows[i->log].rm[i->av];
    case F_MR: return mov_rows[i->log].mr[i->av];
    case F_MI: return mov_rows[i->log].mi[i->av];
    default:   return NULL;
    }
}

/* ---- MOVZX, MOVSX, MOVSXD: to n bytes from m ---- */

/* `extend` is the value v as it is (MOVZX) or sign-extended (MOVSX, MOVSXD), written to n
 * bytes. */
#define MOVX(name, n, m, extend)                                                \
static void name##n##m##_rr(struct soft *s, const struct uop *u)                \
{                                                                               \
    uint64_t v = reg_get(s, u->reg, u->reg8, m);                                \
    reg_set(s, u->rm, u->rm8, n, extend);                                       \
    NEXT(s, u);                                                                 \
}                                                                               \
SLOW void name##n##m##_rm(struct soft *s, const struct uop *u)                  \
{                                                                               \
    uint64_t v = gen_load(s, u, m);                                             \
    reg_set(s, u->reg, u->reg8, n, extend);                                     \
    NEXT(s, u);                                                                 \
}                                                                               \
MOVX_FAST(name, n, m, extend, A64) MOVX_FAST(name, n, m, extend, A32)

#define MOVX_FAST(name, n, m, extend, av)                                       \
static void name##n##m##_##av(struct soft *s, const struct uop *u)              \
{                                                                               \
    uint8_t *p;                                                                 \
    if (UNLIKELY(!tlb_hit(s, flat_address(s, u, av), m, TAG_R, &p)))            \
        TAIL(name##n##m##_rm, s, u);                                            \
    uint64_t v = mem_get(p, m);                                                 \
    reg_set(s, u->reg, u->reg8, n, extend);                                     \
    NEXT(s, u);                                                                 \
}

/* Every pair of sizes: bytes written, bytes read.  From 2 to 2 exists, with a useless
 * prefix. */
#define MOVX_LIST(X)                                                            \
    X(movzx, 2, 1, v) X(movzx, 4, 1, v) X(movzx, 8, 1, v)                       \
    X(movzx, 2, 2, v) X(movzx, 4, 2, v) X(movzx, 8, 2, v)                       \
    X(movsx, 2, 1, cc_sx(v, 1)) X(movsx, 4, 1, cc_sx(v, 1)) X(movsx, 8, 1, cc_sx(v, 1)) \
    X(movsx, 2, 2, cc_sx(v, 2)) X(movsx, 4, 2, cc_sx(v, 2)) X(movsx, 8, 2, cc_sx(v, 2)) \
    X(movsx, 2, 4, cc_sx(v, 4)) X(movsx, 4, 4, cc_sx(v, 4)) X(movsx, 8, 4, cc_sx(v, 4))
MOVX_LIST(MOVX)

#define MOVX_ROW(name, n, m, extend)                                            \
    { ZYDIS_MNEMONIC_##name, n, m, name##n##m##_rr,                             \
      { name##n##m##_A64, name##n##m##_A32, name##n##m##_rm } },
#define ZYDIS_MNEMONIC_movzx ZYDIS_MNEMONIC_MOVZX
#define ZYDIS_MNEMONIC_movsx ZYDIS_MNEMONIC_MOVSX
static const struct { uint16_t mnemonic; uint8_t n, m; op_fn *rr, *rm[3]; } movx_rows[] = {
    MOVX_LIST(MOVX_ROW)
};

/* The table is searched: this happens once for each instruction decoded, not each time it
 * runs. */
op_fn *select_movx(struct uop *u, const struct insn *i, bool *ends)
{
    unsigned m = u->mnemonic == ZYDIS_MNEMONIC_MOVZX ? ZYDIS_MNEMONIC_MOVZX : ZYDIS_MNEMONIC_MOVSX;
    unsigned from = i->n2 > i->n ? i->n : i->n2;        /* MOVSXD r16, r/m32 moves 16 bits */

    (void)ends;
    for (size_t k = 0; k < NELEM(movx_rows); k++)
        if (movx_rows[k].mnemonic == m && movx_rows[k].n == i->n && movx_rows[k].m == from)
            return i->form == F_RR ? movx_rows[k].rr : movx_rows[k].rm[i->av];
    return NULL;
}

/* ---- LEA ---- */

/* LEA works out an address and does not use it: no segment, no check, no access.  Compilers
 * use it to add and to multiply by small numbers.  n is the size of the register, a that of
 * the address.  [SDM 2A "LEA-Load Effective Address"] */
#define LEA(n, a)                                                               \
static void lea##n##_##a(struct soft *s, const struct uop *u)                   \
{                                                                               \
    uint64_t at = s->gpr[u->base] + s->gpr[u->index] * u->scale + (uint64_t)u->disp; \
    reg_set(s, u->reg, 0, n, a == 8 ? at : low_bytes(at, a));                   \
    NEXT(s, u);                                                                 \
}
#define LEAS(n) LEA(n, 2) LEA(n, 4) LEA(n, 8)
LEAS(2) LEAS(4) LEAS(8)
static op_fn *const lea_rows[4][4] = {
    [1] = { NULL, lea2_2, lea2_4, lea2_8 },
    [2] = { NULL, lea4_2, lea4_4, lea4_8 },
    [3] = { NULL, lea8_2, lea8_4, lea8_8 },
};

/* LEA with a register instead of memory is an undefined opcode. */
op_fn *select_lea(struct uop *u, const struct insn *i, bool *ends)
{
    (void)ends;
    return i->form == F_RM ? lea_rows[i->log][cc_log2(u->asize)] : NULL;
}

/* ---- XCHG and BSWAP ---- */

/* With a memory operand XCHG is locked even without a prefix, so it is the oldest way to make a
 * lock.  Here one CPU runs at a time and every instruction is atomic. */
#define XCHG(n)                                                                 \
static void xchg_rr##n(struct soft *s, const struct uop *u)                     \
{                                                                               \
    uint64_t a = reg_get(s, u->rm, u->rm8, n), b = reg_get(s, u->reg, u->reg8, n); \
    set_rm(s, u, n, b);                                                         \
    set_reg(s, u, n, a);                                                        \
    NEXT(s, u);                                                                 \
}                                                                               \
static void xchg_mr##n(struct soft *s, const struct uop *u)                     \
{                                                                               \
    uint64_t a = gen_load_rmw(s, u, n);                                         \
    gen_store(s, u, n, reg_get(s, u->reg, u->reg8, n));                         \
    set_reg(s, u, n, a);                                                        \
    NEXT(s, u);                                                                 \
}
SIZES(XCHG)
#define XCHG_ROW(n) { xchg_rr##n, xchg_mr##n },
static const struct { op_fn *rr, *mr; } xchg_rows[4] = { SIZES(XCHG_ROW) };

/* XCHG BX, BX does nothing; assembled into a guest it may be a breakpoint of a debugger's. */
static void xchg_bx_bx(struct soft *s, const struct uop *u)
{
    if (UNLIKELY(s->debug_magic)) {
        s->cur = u;
        debug_magic(s);
    }
    NEXT(s, u);
}

static bool is_magic(const struct uop *u, const struct insn *i)
{
    return i->form == F_RR && u->opsize == 2 && u->reg == RBX && u->rm == RBX;
}

static void bswap(struct soft *s, const struct uop *u)
{
    /* "When the BSWAP instruction references a 16-bit register, the result is
     * undefined": processors give zero. */
    uint64_t v = u->opsize == 2 ? 0 : swap_bytes(soft_read_reg(s, u->rm, u->opsize), u->opsize);

    soft_write_reg(s, u->rm, u->opsize, v);
    NEXT(s, u);
}

op_fn *select_xchg(struct uop *u, const struct insn *i, bool *ends)
{
    (void)ends;
    if (u->mnemonic == ZYDIS_MNEMONIC_BSWAP)
        return bswap;
    if (is_magic(u, i))
        return xchg_bx_bx;
    return i->form == F_RR ? xchg_rows[i->log].rr : xchg_rows[i->log].mr;
}

/* ---- CMOVcc, SETcc: a handler for each condition ---- */

/* A CMOV reads its source whatever the condition, so it can fault even if nothing is moved;
 * and in 64-bit mode it always clears the upper half of a 32-bit destination.  [SDM 2A
 * "CMOVcc-Conditional Move"] */
#define CMOV(cc, n)                                                             \
static void cmov##cc##_rr##n(struct soft *s, const struct uop *u)               \
{                                                                               \
    uint64_t v = cc_cond(s, cc) ? reg_get(s, u->reg, 0, n) : reg_get(s, u->rm, 0, n); \
    reg_set(s, u->rm, 0, n, v);                                                 \
    NEXT(s, u);                                                                 \
}                                                                               \
static void cmov##cc##_rm##n(struct soft *s, const struct uop *u)               \
{                                                                               \
    uint64_t v = gen_load(s, u, n);                                             \
    reg_set(s, u->reg, 0, n, cc_cond(s, cc) ? v : reg_get(s, u->reg, 0, n));    \
    NEXT(s, u);                                                                 \
}
/* SETcc writes 1 or 0 into a byte. */
#define SETCC(cc)                                                               \
static void set##cc##_r(struct soft *s, const struct uop *u)                    \
{                                                                               \
    set_rm(s, u, 1, cc_cond(s, cc));                                            \
    NEXT(s, u);                                                                 \
}                                                                               \
static void set##cc##_m(struct soft *s, const struct uop *u)                    \
{                                                                               \
    gen_store(s, u, 1, cc_cond(s, cc));                                         \
    NEXT(s, u);                                                                 \
}
#define CONDITIONS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) \
                      X(14) X(15)
#define CMOV_SETCC(cc) CMOV(cc, 2) CMOV(cc, 4) CMOV(cc, 8) SETCC(cc)
CONDITIONS(CMOV_SETCC)

/* By condition, then by log2 of the size; there is no CMOV of bytes. */
#define CC_ROW(cc) { { NULL, cmov##cc##_rr2, cmov##cc##_rr4, cmov##cc##_rr8 },  \
                     { NULL, cmov##cc##_rm2, cmov##cc##_rm4, cmov##cc##_rm8 },  \
                     set##cc##_r, set##cc##_m },
static const struct { op_fn *rr[4], *rm[4], *set_r, *set_m; } cc_rows[16] = { CONDITIONS(CC_ROW) };

op_fn *select_cmov(struct uop *u, const struct insn *i, bool *ends)
{
    (void)u, (void)ends;
    return i->form == F_RR ? cc_rows[i->cc].rr[i->log] : cc_rows[i->cc].rm[i->log];
}

op_fn *select_setcc(struct uop *u, const struct insn *i, bool *ends)
{
    (void)u, (void)ends;
    return i->form == F_R ? cc_rows[i->cc].set_r : cc_rows[i->cc].set_m;
}
