/*
 * cpu/soft/flags.h -- lazy arithmetic flags: remember the operation, not the answer.
 *
 * Most flags are overwritten before anybody looks.  So an addition stores its
 * operands and its result, sign-extended to 64 bits, and what kind it was;
 * a conditional jump works out the one condition it needs.  Sign extension
 * keeps both the signed and the unsigned order, so a comparison needs no size:
 *
 *   after SUB or CMP   CF is dst <u src    SF^OF is dst <s src    ZF is result == 0
 *
 * cc_op is two fields:  7:0 the operation that decided CF;  15:8 an INC or DEC
 * since then, which leaves CF alone and decides the others.
 */
#ifndef CPU_SOFT_FLAGS_H
#define CPU_SOFT_FLAGS_H

#include "cpu/soft/soft.h"

/* What the last operation was: how to work out its flags from dst, src and result. */
enum cc {
    CC_FLAGS,       /* all six are in cc_src, as in RFLAGS                   */
    CC_BITS,        /* CF, OF, AF are in cc_src; ZF, SF, PF from cc_result   */
    CC_LOGIC,       /* CF = OF = AF = 0                                      */
    CC_SUB,         /* dst - src = result, any size                          */
    CC_ADD1, CC_ADD2, CC_ADD4, CC_ADD8,     /* dst + src = result            */
};
enum { CC_INC = 0x100, CC_DEC = 0x500 };    /* + 0x100 * log2(size)          */

/* The low n bytes of v, sign-extended. */
static inline __attribute__((always_inline)) uint64_t cc_sx(uint64_t v, unsigned n)
{
    switch (n) {
    case 1:  return (uint64_t)(int8_t)v;
    case 2:  return (uint64_t)(int16_t)v;
    case 4:  return (uint64_t)(int32_t)v;
    default: return v;
    }
}

/* Of an operand size in bytes. */
static inline __attribute__((always_inline)) unsigned cc_log2(unsigned n)
{
    return n == 1 ? 0 : n == 2 ? 1 : n == 4 ? 2 : 3;
}

/* Carry.  An addition carries if the sum is less, in its width, than one of the operands; a
 * subtraction borrows if dst < src. */
static inline bool cc_cf(const struct soft *s)
{
    switch (s->cc_op & 0xff) {
    case CC_SUB:   return s->cc_dst < s->cc_src;
    case CC_LOGIC: return false;
    case CC_ADD1:  return (uint8_t)(s->cc_dst + s->cc_src) < (uint8_t)s->cc_src;
    case CC_ADD2:  return (uint16_t)(s->cc_dst + s->cc_src) < (uint16_t)s->cc_src;
    case CC_ADD4:  return (uint32_t)(s->cc_dst + s->cc_src) < (uint32_t)s->cc_src;
    case CC_ADD8:  return s->cc_dst + s->cc_src < s->cc_src;
    default:       return s->cc_src & FLAG_CF;
    }
}

static inline bool cc_zf(const struct soft *s)
{
    return s->cc_op != CC_FLAGS ? s->cc_result == 0 : (s->cc_src & FLAG_ZF) != 0;
}

static inline bool cc_sf(const struct soft *s)
{
    return s->cc_op != CC_FLAGS ? (int64_t)s->cc_result < 0 : (s->cc_src & FLAG_SF) != 0;
}

/* Parity is of the low byte only, even for wide operands. */
static inline bool cc_pf(const struct soft *s)
{
    if (s->cc_op == CC_FLAGS)
        return s->cc_src & FLAG_PF;
    return !__builtin_parity((uint8_t)s->cc_result);
}

/* Overflow: the sign of a 64-bit word is the sign of the operand.  INC overflows
 * to the most negative number of its size, and DEC from it.  [SDM 1 "Status Flags"] */
static inline bool cc_of(const struct soft *s)
{
    unsigned inc = s->cc_op & 0xff00;

    if (inc) {
        unsigned bits = 8u << ((inc - CC_INC) >> 8 & 3);
        uint64_t min = (uint64_t)INT64_MIN >> (64 - bits);
        uint64_t r = bits == 64 ? s->cc_result : s->cc_result & (BIT(bits) - 1);
        return inc < CC_DEC ? r == min : r == min - 1;
    }
    switch (s->cc_op) {
    case CC_SUB:   return (s->cc_dst ^ s->cc_src) & (s->cc_dst ^ s->cc_result) & BIT(63);
    case CC_LOGIC: return false;
    case CC_FLAGS:
    case CC_BITS:  return s->cc_src & FLAG_OF;
    default:       return ~(s->cc_dst ^ s->cc_src) & (s->cc_dst ^ s->cc_result) & BIT(63);
    }
}

/* A carry out of bit 3: bit 4 of the result is then not the XOR of the operands' bits 4. */
static inline bool cc_af(const struct soft *s)
{
    unsigned inc = s->cc_op & 0xff00;

    if (inc)
        return (s->cc_result & 0xf) == (inc < CC_DEC ? 0 : 0xf);
    switch (s->cc_op) {
    case CC_LOGIC: return false;
    case CC_FLAGS:
    case CC_BITS:  return s->cc_src & FLAG_AF;
    default:       return (s->cc_dst ^ s->cc_src ^ s->cc_result) & FLAG_AF;
    }
}

/* Condition `cc` of Jcc, SETcc, CMOVcc: the low four opcode bits.
 * [SDM 1 "EFLAGS Condition Codes"] */
static inline __attribute__((always_inline)) bool cc_cond(const struct soft *s, unsigned cc)
{
    bool sub = s->cc_op == CC_SUB, yes;

    switch (cc >> 1) {
    case 0:  yes = cc_of(s); break;
    case 1:  yes = sub ? s->cc_dst < s->cc_src : cc_cf(s); break;
    case 2:  yes = cc_zf(s); break;
    case 3:  yes = sub ? s->cc_dst <= s->cc_src : cc_cf(s) || cc_zf(s); break;
    case 4:  yes = cc_sf(s); break;
    case 5:  yes = cc_pf(s); break;
    case 6:  yes = sub ? (int64_t)s->cc_dst < (int64_t)s->cc_src : cc_sf(s) != cc_of(s); break;
    default: yes = sub ? (int64_t)s->cc_dst <= (int64_t)s->cc_src
                       : cc_zf(s) || cc_sf(s) != cc_of(s); break;
    }
    return yes != (cc & 1);
}

/* ---- what instructions leave behind ---- */

/* AND, OR, XOR, TEST. */
static inline void cc_set_logic(struct soft *s, uint64_t result)
{
    s->cc_result = result;
    s->cc_op = CC_LOGIC;
}

static inline void cc_set_sub(struct soft *s, uint64_t dst, uint64_t src, uint64_t result)
{
    s->cc_dst = dst;
    s->cc_src = src;
    s->cc_result = result;
    s->cc_op = CC_SUB;
}

static inline void cc_set_add(struct soft *s, unsigned n, uint64_t dst, uint64_t src,
                              uint64_t result)
{
    s->cc_dst = dst;
    s->cc_src = src;
    s->cc_result = result;
    s->cc_op = CC_ADD1 + cc_log2(n);
}

/* bits: of FLAG_CF, FLAG_OF, FLAG_AF */
static inline void cc_set_bits(struct soft *s, uint64_t result, uint64_t bits)
{
    s->cc_result = result;
    s->cc_src = bits;
    s->cc_op = CC_BITS;
}

/* All six are known: POPF, SAHF, and instructions that change single ones. */
static inline void cc_set_flags(struct soft *s, uint64_t arith)
{
    s->cc_src = arith;
    s->cc_op = CC_FLAGS;
}

/* Rotates: CF and OF become `bits`, the others stay as they are. */
static inline void cc_set_cf_of(struct soft *s, uint64_t bits)
{
    if (s->cc_op == CC_FLAGS)
        s->cc_src = (s->cc_src & ~(FLAG_CF | FLAG_OF)) | bits;
    else
        cc_set_bits(s, s->cc_result, bits | (cc_af(s) ? FLAG_AF : 0));
}

/* An operation with memory as destination sets the flags before its store,
 * which may still fault: keep the old ones until then. */
struct cc_state { uint64_t result, src, dst; uint32_t op; };

static inline struct cc_state cc_save(const struct soft *s)
{
    return (struct cc_state){ s->cc_result, s->cc_src, s->cc_dst, s->cc_op };
}

static inline void cc_restore(struct soft *s, struct cc_state c)
{
    s->cc_result = c.result;
    s->cc_src = c.src;
    s->cc_dst = c.dst;
    s->cc_op = c.op;
}

/* The six arithmetic flags, as they stand in RFLAGS. */
uint64_t cc_flags(const struct soft *s);

#endif
