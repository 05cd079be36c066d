/*
 * cpu/soft/ops/string.c -- MOVS, STOS, LODS, CMPS, SCAS, with and without REP.
 *
 * Each iteration is complete in itself: registers are updated after every one,
 * so a fault leaves the count of what is still to do, and the instruction is
 * restartable.  With REP each iteration counts as one instruction; the budget
 * may end, or a kick arrive, between two; CMPS and SCAS set the flags with the
 * last one only.  REP ends its block.
 *
 * Within a page, REP MOVS and STOS run in one go if nothing is there to see:
 * flat addresses, DF clear, no code, no device, no watchpoint.
 * [SDM 2B "REP/REPE/REPZ/REPNE/REPNZ-Repeat String Operation Prefix"]
 */
#include "cpu/soft/exec.h"

#include <Zydis/Zydis.h>

enum string_op { MOVS, STOS, LODS, CMPS, SCAS, N_STRINGS };

/* SI or DI by the size of an element, backward if DF is set. */
INLINE void advance(struct soft *s, const struct uop *u, unsigned reg, unsigned bytes)
{
    uint64_t by = s->flags & FLAG_DF ? -(uint64_t)bytes : bytes;

    reg_set(s, reg, 0, u->asize, low_bytes(s->gpr[reg] + by, u->asize));
}

/* The source is in DS, or in the segment that a prefix says. */
INLINE uint64_t load_source(struct soft *s, const struct uop *u, unsigned n)
{
    return soft_load(s, u->seg, low_bytes(s->gpr[RSI], u->asize), n);
}

/* The destination is in ES, which no prefix changes. */
INLINE uint64_t load_destination(struct soft *s, const struct uop *u, unsigned n)
{
    return soft_load(s, SEG_ES, low_bytes(s->gpr[RDI], u->asize), n);
}

INLINE void set_compare_flags(struct soft *s, unsigned n, uint64_t a, uint64_t b)
{
    cc_set_sub(s, cc_sx(a, n), cc_sx(b, n), cc_sx(a - b, n));
}

/* One element.  For CMPS, which of two faults comes first is as processors have it. */
INLINE void iterate(struct soft *s, const struct uop *u, enum string_op op, unsigned n)
{
    uint64_t a, b;

    switch (op) {
    case MOVS:
        a = load_source(s, u, n);
        soft_store(s, SEG_ES, low_bytes(s->gpr[RDI], u->asize), n, a);
        break;
    case STOS:
        soft_store(s, SEG_ES, low_bytes(s->gpr[RDI], u->asize), n, reg_get(s, RAX, 0, n));
        break;
    case LODS:
        reg_set(s, RAX, 0, n, load_source(s, u, n));
        break;
    case CMPS:
        b = load_destination(s, u, n);
        set_compare_flags(s, n, load_source(s, u, n), b);
        break;
    default:
        set_compare_flags(s, n, reg_get(s, RAX, 0, n), load_destination(s, u, n));
        break;
    }
    if (op != STOS && op != SCAS)
        advance(s, u, RSI, n);
    if (op != LODS)
        advance(s, u, RDI, n);
}

/* ---- many iterations at once ---- */

static uint64_t min_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* So many elements fit between an address and the end of its page. */
static uint64_t elements_to_page_end(uint64_t at, unsigned n)
{
    return (PAGE_SIZE - (at & ~PAGE_MASK)) / n;
}

/* A forward copy onto its own source repeats it, as if a pattern were painted: element by
 * element.  [SDM 2B "MOVS/MOVSB/MOVSW/MOVSD/MOVSQ"] */
static void copy_elements(uint8_t *to, const uint8_t *from, uint64_t bytes, unsigned n)
{
    if (to <= from || to >= from + bytes) {
        memmove(to, from, bytes);
        return;
    }
    for (uint64_t i = 0; i < bytes; i += n)
        mem_put(to + i, n, mem_get(from + i, n));
}

/* REP STOS: v over and over. */
static void fill_elements(uint8_t *to, uint64_t v, uint64_t bytes, unsigned n)
{
    if (n == 1) {
        memset(to, (int)(v & 0xff), bytes);
        return;
    }
    for (uint64_t i = 0; i < bytes; i += n)
        mem_put(to + i, n, v);
}

/* Do many iterations of REP MOVS or REP STOS as one copy or fill.  Returns how many were
 * done: at most `max`, and 0 if the next one must be done singly because there may be
 * something to see (a segment with a base, DF, a page end, a device, code, a watchpoint). */
static uint64_t run_in_bulk(struct soft *s, const struct uop *u, bool moves, unsigned n,
                            uint64_t max)
{
    uint64_t from = low_bytes(s->gpr[RSI], u->asize), to = low_bytes(s->gpr[RDI], u->asize), k;
    uint8_t *source = NULL, *dest;

    if (!s->flat || u->asize == 2 || u->seg >= SEG_FS || (s->flags & FLAG_DF))
        return 0;
    k = min_of(max, elements_to_page_end(to, n));
    if (moves)
        k = min_of(k, elements_to_page_end(from, n));
    if (k < 2)
        return 0;
    if (s->mode == MODE_LONG64 && u->asize == 8 &&
        ((uint64_t)((int64_t)(to << 16) >> 16) != to ||
         (uint64_t)((int64_t)(from << 16) >> 16) != from))
        return 0;
    if (moves && !(source = tlb_span(s, from, (unsigned)(k * n), 0)))
        return 0;
    dest = tlb_span(s, to, (unsigned)(k * n), WALK_WRITE);
    if (!dest)
        return 0;
    if (moves)
        copy_elements(dest, source, k * n, n);
    else
        fill_elements(dest, s->gpr[RAX], k * n, n);
    if (moves)
        advance(s, u, RSI, (unsigned)(k * n));
    advance(s, u, RDI, (unsigned)(k * n));
    return k;
}

/* ---- handlers ---- */

/* How many more instructions the run may execute. */
static uint64_t budget_left(const struct soft *s)
{
    uint64_t limit = atomic_load_explicit(&s->icount_limit, memory_order_relaxed);

    return limit > s->icount ? limit - s->icount : 0;
}

/* Does REPE or REPNE end here?  They go on while ZF is 1 or 0, and only CMPS and SCAS ask.
 * [SDM 2B "REP/REPE/REPZ/REPNE/REPNZ"] */
INLINE bool condition_ends(const struct soft *s, const struct uop *u, enum string_op op)
{
    return (op == CMPS || op == SCAS) && cc_zf(s) == u->repne;
}

/* All iterations, or as many as the budget allows.  The first was counted when the block
 * was entered.  Returns true if the instruction is finished, false to come back for the
 * rest: RIP stays at it, and RCX says how much is left. */
INLINE bool repeat(struct soft *s, const struct uop *u, enum string_op op, unsigned n)
{
    uint64_t count = low_bytes(s->gpr[RCX], u->asize), k;
    struct cc_state before = cc_save(s);

    while (count) {
        k = 0;
        if (op == MOVS || op == STOS)
            k = run_in_bulk(s, u, op == MOVS, n, min_of(count, budget_left(s) + 1));
        if (!k) {
            iterate(s, u, op, n);
            k = 1;
        }
        s->icount += k - 1;
        count -= k;
        reg_set(s, RCX, 0, u->asize, count);
        if (!count || condition_ends(s, u, op))
            return true;
        /* Until it is finished the flags are those before it. */
        if (op == CMPS || op == SCAS)
            cc_restore(s, before);
        if (s->block->dead || !budget_left(s)) {
            s->flags |= FLAG_RF;            /* its breakpoint has been reported */
            return false;
        }
        s->icount++;
    }
    return true;
}

/* Two handlers for each operation and size: alone, and with REP.  The one with REP is the
 * last of its block, because it may come back to itself. */
#define STRING(op, n)                                                           \
static void op##n(struct soft *s, const struct uop *u)                          \
{                                                                               \
    s->cur = u;                                                                 \
    iterate(s, u, op, n);                                                       \
    NEXT(s, u);                                                                 \
}                                                                               \
static void rep_##op##n(struct soft *s, const struct uop *u)                    \
{                                                                               \
    s->cur = u;                                                                 \
    if (!repeat(s, u, op, n)) {                                                 \
        s->rip = rip_mask(s, uop_rip(s, u));                                    \
        s->cur = NULL;                                                          \
        return;                                                                 \
    }                                                                           \
    FOLLOW(s, u, 0);                                                            \
}
#define SIZES(X, op) X(op, 1) X(op, 2) X(op, 4) X(op, 8)
#define STRING_OPS(X) X(MOVS) X(STOS) X(LODS) X(CMPS) X(SCAS)
#define STRING_ALL(op) SIZES(STRING, op)
STRING_OPS(STRING_ALL)

#define ROW(op, n) { op##n, rep_##op##n },
#define ROWS(op) [op] = { SIZES(ROW, op) },
static const struct { op_fn *once, *rep; } rows[N_STRINGS][4] = { STRING_OPS(ROWS) };

/* u->imm is where to go on after the last iteration. */
op_fn *select_string(struct uop *u, const struct insn *i, bool *ends)
{
#define CASE(op) case ZYDIS_MNEMONIC_##op##B: case ZYDIS_MNEMONIC_##op##W:      \
    case ZYDIS_MNEMONIC_##op##D: case ZYDIS_MNEMONIC_##op##Q:                   \
        return u->rep || u->repne ? rows[op][cc_log2(u->opsize)].rep            \
                                  : rows[op][cc_log2(u->opsize)].once;
    *ends = u->rep || u->repne;
    u->imm = i->next;
    switch (u->mnemonic) {
    STRING_OPS(CASE)
    default: return NULL;
    }
#undef CASE
}
