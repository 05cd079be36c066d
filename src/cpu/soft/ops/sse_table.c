/*
 * cpu/soft/ops/sse_table.c -- which MMX, SSE and SSE2 instructions there are.
 *
 * A row for each, by mandatory prefix (none, 66, F3, F2) and second opcode byte.  Most are of one
 * shape, reg = reg OP r/m, and are run by the host; the rest are moves and a
 * few of their own.  Rows of one opcode stand together.
 * [SDM 2D "Opcode Map", "Two-byte Opcode Map"]
 */
#include "cpu/soft/exec.h"

/* Both forms of ModRM, and with alignment of the one in memory. */
#define RM      (SSE_REG | SSE_MEM)
#define RMA     (SSE_REG | SSE_MEM | SSE_ALIGNED)

/*       host: prefix opcode  reg  r/m  size of r/m in memory  flags */
#define HOST(pfx, op, r, m, size, flags) \
    { sse_compute, SSE_##pfx, op, 0, SSE_##r, SSE_##m, size, flags, 0, 0, op },
/* Arithmetic: packed and scalar, single and double. */
#define PACKED(op)  HOST(NP, op, X, X, 16, RMA | SSE_FP) HOST(66, op, X, X, 16, RMA | SSE_FP)
#define SINGLES(op) HOST(NP, op, X, X, 16, RMA | SSE_FP) HOST(F3, op, X, X, 4, RM | SSE_FP)
#define ALL_FOUR(op) SINGLES(op) HOST(66, op, X, X, 16, RMA | SSE_FP) \
                     HOST(F2, op, X, X, 8, RM | SSE_FP)
/* On bits: MXCSR does not matter. */
#define BITS(op)    HOST(NP, op, X, X, 16, RMA) HOST(66, op, X, X, 16, RMA)
/* Integers: MMX and XMM. */
#define INT(op)     HOST(NP, op, M, M, 8, RM) HOST(66, op, X, X, 16, RMA)
#define INT_LOW(op) HOST(NP, op, M, M, 4, RM) HOST(66, op, X, X, 16, RMA)
#define INT_X(op)   HOST(66, op, X, X, 16, RMA)
#define COMPARE(op) { sse_compare, SSE_NP, op, 0, SSE_X, SSE_X, 4, RM | SSE_FP, 0, 0, op }, \
                    { sse_compare, SSE_66, op, 0, SSE_X, SSE_X, 8, RM | SSE_FP, 0, 0, op },
/* Shifts by an immediate do what those by a register do. */
#define SHIFT(op, nr, as) \
    { sse_shift, SSE_NP, op, nr, SSE_M, SSE_M, 8, SSE_REG | SSE_GROUP, 0, 0, as }, \
    { sse_shift, SSE_66, op, nr, SSE_X, SSE_X, 16, SSE_REG | SSE_GROUP, 0, 0, as },
#define SHIFT_DQ(nr) \
    { sse_shift_bytes, SSE_66, 0x73, nr, SSE_X, SSE_X, 16, SSE_REG | SSE_GROUP, 0, 0, 0 },
/*      moves: prefix opcode  reg  r/m  bytes  flags, from and to which byte */
#define LOAD(pfx, op, r, m, size, flags, from, to) \
    { sse_load, SSE_##pfx, op, 0, SSE_##r, SSE_##m, size, flags, from, to, 0 },
#define STORE(pfx, op, r, m, size, flags, from, to) \
    { sse_store, SSE_##pfx, op, 0, SSE_##r, SSE_##m, size, flags, from, to, 0 },

/* The order is by opcode.  X, M and G are the classes of the operands: XMM, MMX, general
 * register. */
static const struct sse_op table[] = {
    LOAD(NP, 0x10, X, X, 16, RM, 0, 0)                          /* MOVUPS, MOVUPD */
    LOAD(66, 0x10, X, X, 16, RM, 0, 0)
    LOAD(F3, 0x10, X, X, 4, SSE_MEM, 0, 0)                      /* MOVSS, MOVSD */
    LOAD(F3, 0x10, X, X, 4, SSE_REG | SSE_KEEP, 0, 0)
    LOAD(F2, 0x10, X, X, 8, SSE_MEM, 0, 0)
    LOAD(F2, 0x10, X, X, 8, SSE_REG | SSE_KEEP, 0, 0)
    STORE(NP, 0x11, X, X, 16, RM, 0, 0)
    STORE(66, 0x11, X, X, 16, RM, 0, 0)
    STORE(F3, 0x11, X, X, 4, RM | SSE_KEEP, 0, 0)
    STORE(F2, 0x11, X, X, 8, RM | SSE_KEEP, 0, 0)
    LOAD(NP, 0x12, X, X, 8, SSE_MEM | SSE_KEEP, 0, 0)           /* MOVLPS, MOVLPD */
    LOAD(66, 0x12, X, X, 8, SSE_MEM | SSE_KEEP, 0, 0)
    LOAD(NP, 0x12, X, X, 8, SSE_REG | SSE_KEEP, 8, 0)           /* MOVHLPS */
    STORE(NP, 0x13, X, X, 8, SSE_MEM, 0, 0)
    STORE(66, 0x13, X, X, 8, SSE_MEM, 0, 0)
    BITS(0x14) BITS(0x15)                                       /* UNPCKL, UNPCKH */
    LOAD(NP, 0x16, X, X, 8, SSE_MEM | SSE_KEEP, 0, 8)           /* MOVHPS, MOVHPD */
    LOAD(66, 0x16, X, X, 8, SSE_MEM | SSE_KEEP, 0, 8)
    LOAD(NP, 0x16, X, X, 8, SSE_REG | SSE_KEEP, 0, 8)           /* MOVLHPS */
    STORE(NP, 0x17, X, X, 8, SSE_MEM, 8, 0)
    STORE(66, 0x17, X, X, 8, SSE_MEM, 8, 0)
    LOAD(NP, 0x28, X, X, 16, RMA, 0, 0)                         /* MOVAPS, MOVAPD */
    LOAD(66, 0x28, X, X, 16, RMA, 0, 0)
    STORE(NP, 0x29, X, X, 16, RMA, 0, 0)
    STORE(66, 0x29, X, X, 16, RMA, 0, 0)
    HOST(NP, 0x2a, X, M, 8, RM | SSE_FP)                        /* CVTPI2PS and the like */
    HOST(66, 0x2a, X, M, 8, RM | SSE_FP)
    HOST(F3, 0x2a, X, G, 0, RM | SSE_FP)
    HOST(F2, 0x2a, X, G, 0, RM | SSE_FP)
    STORE(NP, 0x2b, X, X, 16, SSE_MEM | SSE_ALIGNED, 0, 0)      /* MOVNTPS, MOVNTPD */
    STORE(66, 0x2b, X, X, 16, SSE_MEM | SSE_ALIGNED, 0, 0)
    HOST(NP, 0x2c, M, X, 8, RM | SSE_FP)                        /* CVTTPS2PI and the like */
    HOST(66, 0x2c, M, X, 16, RMA | SSE_FP)
    HOST(F3, 0x2c, G, X, 4, RM | SSE_FP)
    HOST(F2, 0x2c, G, X, 8, RM | SSE_FP)
    HOST(NP, 0x2d, M, X, 8, RM | SSE_FP)
    HOST(66, 0x2d, M, X, 16, RMA | SSE_FP)
    HOST(F3, 0x2d, G, X, 4, RM | SSE_FP)
    HOST(F2, 0x2d, G, X, 8, RM | SSE_FP)
    COMPARE(0x2e) COMPARE(0x2f)                                 /* UCOMISS, COMISS */
    HOST(NP, 0x50, G, X, 16, SSE_REG)                           /* MOVMSKPS, MOVMSKPD */
    HOST(66, 0x50, G, X, 16, SSE_REG)
    ALL_FOUR(0x51)                                              /* SQRT */
    HOST(NP, 0x52, X, X, 16, RMA) HOST(F3, 0x52, X, X, 4, RM)   /* RSQRT, RCP: no exceptions */
    HOST(NP, 0x53, X, X, 16, RMA) HOST(F3, 0x53, X, X, 4, RM)
    BITS(0x54) BITS(0x55) BITS(0x56) BITS(0x57)                 /* AND ANDN OR XOR */
    ALL_FOUR(0x58) ALL_FOUR(0x59)                               /* ADD MUL */
    HOST(NP, 0x5a, X, X, 8, RM | SSE_FP)                        /* CVTPS2PD and back */
    HOST(66, 0x5a, X, X, 16, RMA | SSE_FP)
    HOST(F3, 0x5a, X, X, 4, RM | SSE_FP)
    HOST(F2, 0x5a, X, X, 8, RM | SSE_FP)
    PACKED(0x5b) HOST(F3, 0x5b, X, X, 16, RMA | SSE_FP)         /* CVTDQ2PS and back */
    ALL_FOUR(0x5c) ALL_FOUR(0x5d) ALL_FOUR(0x5e) ALL_FOUR(0x5f) /* SUB MIN DIV MAX */
    INT_LOW(0x60) INT_LOW(0x61) INT_LOW(0x62)                   /* PUNPCKL */
    INT(0x63) INT(0x64) INT(0x65) INT(0x66) INT(0x67)           /* PACKSSWB PCMPGT PACKUSWB */
    INT(0x68) INT(0x69) INT(0x6a) INT(0x6b)                     /* PUNPCKH PACKSSDW */
    INT_X(0x6c) INT_X(0x6d)                                     /* PUNPCKLQDQ, PUNPCKHQDQ */
    LOAD(NP, 0x6e, M, G, 0, RM, 0, 0)                           /* MOVD */
    LOAD(66, 0x6e, X, G, 0, RM, 0, 0)
    LOAD(NP, 0x6f, M, M, 8, RM, 0, 0)                           /* MOVQ, MOVDQA, MOVDQU */
    LOAD(66, 0x6f, X, X, 16, RMA, 0, 0)
    LOAD(F3, 0x6f, X, X, 16, RM, 0, 0)
    HOST(NP, 0x70, M, M, 8, RM | SSE_IMM)                       /* PSHUF */
    HOST(66, 0x70, X, X, 16, RMA | SSE_IMM)
    HOST(F3, 0x70, X, X, 16, RMA | SSE_IMM)
    HOST(F2, 0x70, X, X, 16, RMA | SSE_IMM)
    SHIFT(0x71, 2, 0xd1) SHIFT(0x71, 4, 0xe1) SHIFT(0x71, 6, 0xf1)
    SHIFT(0x72, 2, 0xd2) SHIFT(0x72, 4, 0xe2) SHIFT(0x72, 6, 0xf2)
    SHIFT(0x73, 2, 0xd3) SHIFT(0x73, 6, 0xf3) SHIFT_DQ(3) SHIFT_DQ(7)
    INT(0x74) INT(0x75) INT(0x76)                               /* PCMPEQ */
    { sse_emms, SSE_NP, 0x77, 0, SSE_M, SSE_M, 0, RM, 0, 0, 0 },
    STORE(NP, 0x7e, M, G, 0, RM, 0, 0)
    STORE(66, 0x7e, X, G, 0, RM, 0, 0)
    LOAD(F3, 0x7e, X, X, 8, RM, 0, 0)                           /* MOVQ */
    STORE(NP, 0x7f, M, M, 8, RM, 0, 0)
    STORE(66, 0x7f, X, X, 16, RMA, 0, 0)
    STORE(F3, 0x7f, X, X, 16, RM, 0, 0)
    HOST(NP, 0xc2, X, X, 16, RMA | SSE_FP | SSE_IMM)            /* CMPPS and its kin */
    HOST(66, 0xc2, X, X, 16, RMA | SSE_FP | SSE_IMM)
    HOST(F3, 0xc2, X, X, 4, RM | SSE_FP | SSE_IMM)
    HOST(F2, 0xc2, X, X, 8, RM | SSE_FP | SSE_IMM)
    STORE(NP, 0xc3, G, G, 0, SSE_MEM | SSE_FREE, 0, 0)          /* MOVNTI */
    HOST(NP, 0xc4, M, G, 2, RM | SSE_IMM)                       /* PINSRW */
    HOST(66, 0xc4, X, G, 2, RM | SSE_IMM)
    HOST(NP, 0xc5, G, M, 8, SSE_REG | SSE_IMM)                  /* PEXTRW */
    HOST(66, 0xc5, G, X, 16, SSE_REG | SSE_IMM)
    HOST(NP, 0xc6, X, X, 16, RMA | SSE_IMM)                     /* SHUFPS, SHUFPD */
    HOST(66, 0xc6, X, X, 16, RMA | SSE_IMM)
    INT(0xd1) INT(0xd2) INT(0xd3) INT(0xd4) INT(0xd5)           /* PSRL PADDQ PMULLW */
    STORE(66, 0xd6, X, X, 8, RM, 0, 0)                          /* MOVQ */
    LOAD(F3, 0xd6, X, M, 8, SSE_REG, 0, 0)                      /* MOVQ2DQ, MOVDQ2Q */
    LOAD(F2, 0xd6, M, X, 8, SSE_REG, 0, 0)
    HOST(NP, 0xd7, G, M, 8, SSE_REG)                            /* PMOVMSKB */
    HOST(66, 0xd7, G, X, 16, SSE_REG)
    INT(0xd8) INT(0xd9) INT(0xda) INT(0xdb) INT(0xdc) INT(0xdd) INT(0xde) INT(0xdf)
    INT(0xe0) INT(0xe1) INT(0xe2) INT(0xe3) INT(0xe4) INT(0xe5)
    HOST(66, 0xe6, X, X, 16, RMA | SSE_FP)                      /* CVTTPD2DQ */
    HOST(F3, 0xe6, X, X, 8, RM | SSE_FP)                        /* CVTDQ2PD  */
    HOST(F2, 0xe6, X, X, 16, RMA | SSE_FP)                      /* CVTPD2DQ  */
    STORE(NP, 0xe7, M, M, 8, SSE_MEM, 0, 0)                     /* MOVNTQ, MOVNTDQ */
    STORE(66, 0xe7, X, X, 16, SSE_MEM | SSE_ALIGNED, 0, 0)
    INT(0xe8) INT(0xe9) INT(0xea) INT(0xeb) INT(0xec) INT(0xed) INT(0xee) INT(0xef)
    INT(0xf1) INT(0xf2) INT(0xf3) INT(0xf4) INT(0xf5) INT(0xf6)
    { sse_maskmov, SSE_NP, 0xf7, 0, SSE_M, SSE_M, 8, SSE_REG, 0, 0, 0 },
    { sse_maskmov, SSE_66, 0xf7, 0, SSE_X, SSE_X, 16, SSE_REG, 0, 0, 0 },
    INT(0xf8) INT(0xf9) INT(0xfa) INT(0xfb) INT(0xfc) INT(0xfd) INT(0xfe)
};

/* The row of `table` at which an opcode begins, plus 1; 0: there is none. */
static uint16_t first_row[256];

/* Fill first_row, once at start.  Backwards, so that the first row of an opcode is what
 * stays. */
void sse_table_init(void)
{
    for (size_t i = NELEM(table); i--; )
        first_row[table[i].opcode] = (uint16_t)(i + 1);
}

/* The piece of code in sse_host.S that runs it.  Of opcodes with an immediate there is one
 * piece for each of its 256 values, for the host's instruction has it in its bytes, too. */
static const uint8_t *form_of(const struct sse_op *o, const struct sse_insn *i)
{
    static const uint8_t with_imm[5] = { 0x70, 0xc2, 0xc4, 0xc5, 0xc6 };
    unsigned k = 0;

    if (!(o->flags & SSE_IMM))
        return sse_forms[i->wide && (o->reg == SSE_G || o->rm == SSE_G)][o->prefix][o->runs];
    while (with_imm[k] != o->opcode)
        k++;
    return sse_imm_forms[k][o->prefix][i->imm];
}

/* Find the row for prefix, register or memory form, and group.  The size of a memory
 * operand goes into u->imm2. */
op_fn *sse_select(struct uop *u, const struct sse_insn *i)
{
    unsigned mod = i->modrm >> 6 == 3 ? SSE_REG : SSE_MEM, row = first_row[i->opcode];

    for (; row && row <= NELEM(table) && table[row - 1].opcode == i->opcode; row++) {
        const struct sse_op *o = &table[row - 1];
        if (o->prefix != i->prefix || !(o->flags & mod) ||
            ((o->flags & SSE_GROUP) && o->group != (i->modrm >> 3 & 7)))
            continue;
        u->sse = o;
        u->host = form_of(o, i);
        u->imm = i->imm;
        u->imm2 = o->size ? o->size : i->wide ? 8 : 4;
        return o->fn;
    }
    return NULL;
}
