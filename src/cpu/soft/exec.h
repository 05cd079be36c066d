/*
 * cpu/soft/exec.h -- how micro-operations run: dispatch, operands, the TLB's fast path.
 *
 * For the core's own files (run.c, block.c, tlb.c, ops/).  A handler is a
 * function of (s, u) that ends with NEXT, JUMP or a plain return to the run
 * loop.
 *
 * NEXT is the one macro here that hides a return, because dispatch is where an
 * interpreter lives or dies.  In an optimised build it is a call in tail
 * position, which gcc and clang turn into a jump at -O2: each handler has its
 * own indirect jump, which the host predicts well, and the stack never grows
 * ("threaded code").  Unoptimised and sanitizer builds do not promise that, so
 * there a handler returns and the run loop calls the next one.  A handler that hands
 * out addresses of its locals gets no tail call: it leaves such work to a SLOW
 * function.  tests/static looks for calls that should be jumps.
 *
 * A memory operation comes in three variants: with 64-bit and with 32-bit flat
 * addresses, where the address goes straight to the TLB, and a general one that
 * works out segments, page crossings, devices and watchpoints.  The fast ones
 * never call anything: if the TLB does not know, they tail-call the general one.
 */
#ifndef CPU_SOFT_EXEC_H
#define CPU_SOFT_EXEC_H

#include <stdatomic.h>
#include <string.h>

#include "cpu/soft/flags.h"
#include "cpu/soft/soft.h"
#include "cpu/soft/ops/sse.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define SOFT_LOOP 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || !defined(__OPTIMIZE__)
#define SOFT_LOOP 1
#endif
#ifndef SOFT_LOOP
#define SOFT_LOOP 0
#endif

#define LIKELY(c)   __builtin_expect(!!(c), 1)
#define UNLIKELY(c) __builtin_expect(!!(c), 0)
#define INLINE      static inline __attribute__((always_inline))
/* The way round a fast path: kept out of it, so that it needs no stack frame. */
#define SLOW        static __attribute__((noinline))

#if SOFT_LOOP
#define GO(s, u)    do { (s)->next = (u); return; } while (0)
#else
#define GO(s, u)    do { const struct uop *go = (u); go->fn((s), go); return; } while (0)
#endif
#define NEXT(s, u)  GO(s, (u) + 1)
/* Let another handler do this micro-operation. */
#define TAIL(f, s, u) do { f((s), (u)); return; } while (0)

/* ---- blocks (block.c) ---- */

/* Straight-line code, decoded.  A block fits if code lies at the same host
 * address, RIP and context; physical memory seen at two addresses is two blocks. */
struct block {
    uint64_t rip;               /* of the first instruction                       */
    uint64_t ctx;               /* soft.code_ctx it was decoded for               */
    uint8_t *hva;               /* of the first byte                              */
    uint8_t *hva2;              /* of the next page, if the block crosses into it */
    uint16_t bytes;
    uint8_t  n;                 /* instructions; 0: a debugger's stop is here      */
    bool     dead;              /* its bytes were written                         */
    bool     single;
    struct block *hash_next;
    struct block *page_next[2]; /* other blocks on this page, and on the second   */
    uint64_t limit;             /* of CS */
    struct uop uop[];
};

/* A cache from RIP to block, for computed jumps.  `gen` is soft.map_gen when it was made:
 * changing that number empties the cache. */
struct jump_entry { uint64_t rip; struct block *block; uint32_t gen; };

#ifdef VITRINE_HARD
enum { JUMP_ENTRIES = 1, TLB_ENTRIES = 1, BLOCK_INSNS = 1 };
#elif defined(VITRINE_SMALL)            /* as the fuzzers are built: see tests/fuzz/fuzz.mk */
enum { JUMP_ENTRIES = 64, TLB_ENTRIES = 64, BLOCK_INSNS = 32 };
#else
enum { JUMP_ENTRIES = 4096, TLB_ENTRIES = 2048, BLOCK_INSNS = 32 };
#endif

/* Where in soft.jumps a block at `rip` is remembered. */
INLINE size_t jump_index(uint64_t rip)
{
    return (rip ^ rip >> 12) & (JUMP_ENTRIES - 1);
}

/* The block at s->rip, decoded if need be.  May fault (s->cur is NULL then). */
struct block *block_find(struct soft *s);
/* The same, only if the jump cache has it. */
INLINE struct block *block_cached(const struct soft *s, uint64_t rip)
{
    const struct jump_entry *j = &s->jumps[jump_index(rip)];

    if (LIKELY(j->rip == rip && j->gen == s->map_gen) && LIKELY(j->block->ctx == s->code_ctx))
        return j->block;
    return NULL;
}

int  blocks_new(struct soft *s);
void blocks_free(struct soft *s);
/* The len bytes at hva were or are about to be written. */
void blocks_written(struct soft *s, uint8_t *hva, uint64_t len);
bool blocks_on_page(const struct soft *s, const void *hva);
void blocks_forget_all(struct soft *s);
void blocks_forget_range(struct vcpu *v, gpa_t gpa, uint64_t len);
/* Blocks with one of these linear addresses, which ascend, in them. */
void blocks_forget_linear(struct soft *s, const gla_t *at, size_t n);

/* A write killed the running block: go on by looking up what follows. */
op_fn op_stale;
/* A system operation; then the run loop looks what it has done. */
op_fn op_system;
/* One that the run loop need not look at: mode, privilege and RFLAGS, but for
 * the arithmetic flags, stay, and no interrupt shadow begins. */
op_fn op_steady;
op_fn sse_compute, sse_compare, sse_shift, sse_shift_bytes, sse_load, sse_store, sse_maskmov,
      sse_emms;
op_fn op_ud, op_gp, op_x87, op_fwait, op_link0, op_link1;

/* Decode at most `max` instructions at rip from [hva, hva+avail) into u.
 * Returns micro-operations made; *n_insns, *n_bytes.  0: the first instruction
 * does not end within avail. */
unsigned soft_decode(struct soft *s, const uint8_t *hva, size_t avail, uint64_t rip,
                     unsigned max, struct uop *u, unsigned *n_insns, unsigned *n_bytes);
void soft_decode_init(void);

/* The handler of *d, an instruction at rip, whose operands are put into *u (choose.c).
 * *ends: no other instruction can follow it in a block. */
op_fn *choose_handler(struct soft *s, struct uop *u, const struct decoded *d, uint64_t rip,
                      bool *ends);

/* ---- going on ---- */

/* RIP as the mode has it. */
INLINE uint64_t rip_mask(const struct soft *s, uint64_t rip)
{
    return s->mode == MODE_LONG64 ? rip : (uint32_t)rip;
}

/* The linear address of code at `rip`: outside 64-bit mode CS has a base. */
INLINE gla_t code_linear(const struct soft *s, uint64_t rip)
{
    return s->mode == MODE_LONG64 ? rip : (uint32_t)(s->seg[SEG_CS].base + rip);
}

/* Where the instruction of a micro-operation begins. */
INLINE uint64_t uop_rip(const struct soft *s, const struct uop *u)
{
    return s->block->rip + u->off;
}

/* Run block b, if the budget covers all of it; else back to the run loop. */
#define ENTER(s, b) do {                                                    \
        struct block *enter = (b);                                          \
        uint64_t count = (s)->icount + enter->n;                            \
        (s)->block = enter;                                                 \
        if (UNLIKELY(count > atomic_load_explicit(&(s)->icount_limit,       \
                                                  memory_order_relaxed))) { \
            (s)->rip = enter->rip;                                          \
            return;                                                         \
        }                                                                   \
        (s)->icount = count;                                                \
        GO(s, enter->uop);                                                  \
    } while (0)

/* Go to a computed address. */
#define JUMP(s, to) do {                                                    \
        uint64_t target = (to);                                             \
        struct block *found = block_cached(s, target);                      \
        if (UNLIKELY(!found)) {                                             \
            (s)->rip = target;                                              \
            return;                                                         \
        }                                                                   \
        ENTER(s, found);                                                    \
    } while (0)

/* Follow direct branch u: way 0 to u->imm, way 1 to u->disp. */
#define FOLLOW(s, u, way) do {                                              \
        struct block *linked = (u)->link[way];                              \
        if (LIKELY(linked != NULL))                                         \
            ENTER(s, linked);                                               \
        if (way)                                                            \
            TAIL(op_link1, s, u);                                           \
        TAIL(op_link0, s, u);                                               \
    } while (0)

#define JCC_CONDITIONS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) \
                          X(13) X(14) X(15)
/* Jcc u, when its condition has come out as `taken`. */
#define BRANCH(s, u, taken) do {                                            \
        if (taken)                                                          \
            FOLLOW(s, u, 0);                                                \
        FOLLOW(s, u, 1);                                                    \
    } while (0)

/* ---- registers ---- */

typedef uint16_t __attribute__((may_alias)) u16_alias;
typedef uint32_t __attribute__((may_alias)) u32_alias;

/* Registers by number and size.  `reg8` is the index of a byte within the array of
 * registers, so that AH is byte 1 of RAX and needs no case of its own. */
INLINE uint64_t reg_get(const struct soft *s, unsigned reg, unsigned reg8, unsigned n)
{
    switch (n) {
    case 1:  return ((const uint8_t *)s->gpr)[reg8];
    case 2:  return (uint16_t)s->gpr[reg];
    case 4:  return (uint32_t)s->gpr[reg];
    default: return s->gpr[reg];
    }
}

/* A 32-bit write clears the upper half, others leave the rest alone.  [SDM 1
 * "General-Purpose Registers in 64-Bit Mode"] */
INLINE void reg_set(struct soft *s, unsigned reg, unsigned reg8, unsigned n, uint64_t v)
{
    switch (n) {
    case 1:  ((uint8_t *)s->gpr)[reg8] = (uint8_t)v; break;
    case 2:  *(u16_alias *)&s->gpr[reg] = (uint16_t)v; break;
    case 4:  s->gpr[reg] = (uint32_t)v; break;
    default: s->gpr[reg] = v; break;
    }
}

/* Operand values, sign-extended: as flags want them. */
INLINE uint64_t get_rm(const struct soft *s, const struct uop *u, unsigned n)
{
    return cc_sx(reg_get(s, u->rm, u->rm8, n), n);
}

INLINE uint64_t get_reg(const struct soft *s, const struct uop *u, unsigned n)
{
    return cc_sx(reg_get(s, u->reg, u->reg8, n), n);
}

INLINE void set_rm(struct soft *s, const struct uop *u, unsigned n, uint64_t v)
{
    reg_set(s, u->rm, u->rm8, n, v);
}

INLINE void set_reg(struct soft *s, const struct uop *u, unsigned n, uint64_t v)
{
    reg_set(s, u->reg, u->reg8, n, v);
}

/* ---- the TLB's fast path (tlb.c) ---- */

/* An entry has a tag for each kind of access: a page may be readable and not writable. */
enum { TAG_R, TAG_W, TAG_X };

struct tlb_entry {
    uint64_t tag[3];            /* page-aligned gla this entry is good for, or TLB_EMPTY */
    uint64_t addend;            /* hva = gla + addend */
};
#define TLB_EMPTY UINT64_C(1)

INLINE unsigned tlb_index(gla_t a)
{
    return (unsigned)(a >> 12) & (TLB_ENTRIES - 1);
}

/* Is [a, a+n) within one page the TLB knows?  The entry is chosen by the first
 * byte and compared with the page of the last: a crossing never matches. */
INLINE bool tlb_hit(const struct soft *s, gla_t a, unsigned n, unsigned tag, uint8_t **p)
{
    const struct tlb_entry *e = &s->tlb_now[tlb_index(a)];

    if (UNLIKELY(e->tag[tag] != ((a + n - 1) & PAGE_MASK)))
        return false;
    *p = (uint8_t *)(uintptr_t)(a + e->addend);
    return true;
}

/* memcpy() of a constant size is one instruction, and may be misaligned. */
INLINE uint64_t mem_get(const uint8_t *p, unsigned n)
{
    uint8_t v1; uint16_t v2; uint32_t v4; uint64_t v8;

    switch (n) {
    case 1:  memcpy(&v1, p, 1); return v1;
    case 2:  memcpy(&v2, p, 2); return v2;
    case 4:  memcpy(&v4, p, 4); return v4;
    default: memcpy(&v8, p, 8); return v8;
    }
}

INLINE void mem_put(uint8_t *p, unsigned n, uint64_t v)
{
    uint8_t v1 = (uint8_t)v; uint16_t v2 = (uint16_t)v; uint32_t v4 = (uint32_t)v;

    switch (n) {
    case 1:  memcpy(p, &v1, 1); break;
    case 2:  memcpy(p, &v2, 2); break;
    case 4:  memcpy(p, &v4, 4); break;
    default: memcpy(p, &v, 8); break;
    }
}

/* Address variants of a memory operation. */
enum addressing { A64, A32, AG };

/* base + index * scale + disp; for a register that is absent, NO_REG, the array has an
 * element that is always 0. */
INLINE gla_t flat_address(const struct soft *s, const struct uop *u, enum addressing av)
{
    uint64_t a = s->gpr[u->base] + s->gpr[u->index] * u->scale + (uint64_t)u->disp;
    return av == A32 ? (uint32_t)a : a;
}

/* The general way, for memory operands of any kind. */
gla_t gen_address(struct soft *s, const struct uop *u, unsigned n, unsigned access);
gla_t gen_aligned_address(struct soft *s, const struct uop *u, unsigned n, unsigned align,
                          unsigned access);
uint64_t gen_load(struct soft *s, const struct uop *u, unsigned n);
uint64_t gen_load_rmw(struct soft *s, const struct uop *u, unsigned n);
void gen_store(struct soft *s, const struct uop *u, unsigned n, uint64_t v);

/* Store the result of a read-modify-write with the flags as they were before. */
INLINE void gen_store_rmw(struct soft *s, const struct uop *u, unsigned n, uint64_t v,
                          struct cc_state before)
{
    struct cc_state after = cc_save(s);

    cc_restore(s, before);
    gen_store(s, u, n, v);
    cc_restore(s, after);
}

/* ---- the TLB's slow side ---- */

int  tlb_new(struct soft *s);
void tlb_free(struct soft *s);
/* For engine.h: rearm_dirty; save and load, which is false if that is no TLB of this guest's. */
void tlb_rearm_dirty(struct vcpu *v);
void tlb_save(struct soft *s, struct bytes_out *o);
bool tlb_load(struct soft *s, struct bytes_in *in);
/* Blocks were made on the page of hva: writes there must be seen. */
void tlb_guard_page(struct soft *s, const uint8_t *hva);
/* Where the byte at gla is for fetching; NULL never: faults or exits instead. */
uint8_t *tlb_fetch(struct soft *s, gla_t gla);
/* Choose tlb_now for CPL, SMAP, AC and watchpoints. */
void tlb_choose(struct soft *s);

/* The monitor says that the cause of this exit is repaired (RETRY). */
void tlb_see_repair(struct soft *s, const struct vmexit *x);
/* Host address of n bytes at gla if they are plain memory within a page with
 * nothing to watch, for string instructions; else NULL.  May fault or exit. */
uint8_t *tlb_span(struct soft *s, gla_t gla, unsigned n, unsigned access);

/* ---- choosing handlers (choose.c) ---- */

/* Where operands are: R register, M memory, I immediate, the destination first. */
enum form { F_NONE, F_R, F_M, F_I, F_RR, F_RI, F_RM, F_MR, F_MI, F_OTHER };

/* What the files of ops/ need to know to choose a handler. */
struct insn {
    enum form form;
    enum addressing av;
    unsigned n;                 /* size of operand 0, bytes        */
    unsigned n2;                /* of operand 1                    */
    unsigned log;               /* log2(n)                         */
    unsigned n_operands;
    bool op2_imm;               /* a third operand, immediate ...  */
    bool op2_cl;                /* ... or CL                       */
    bool op1_cl;                /* operand 1 is CL (shifts)        */
    unsigned cc;                /* low four bits of the opcode     */
    bool cc_branch;             /* a Jcc                           */
    uint64_t cs_limit;
    uint8_t mode;
    bool flat;
    uint8_t stack;              /* 8: 64-bit stack; 4: flat 32-bit; 0: look at SS.B */
    uint64_t rip, next;         /* of this instruction and of the next one */
};

/* A family's choice: the handler of u, or NULL: undefined opcode.
 * Sets *ends if nothing can follow it in a block. */
typedef op_fn *select_fn(struct uop *u, const struct insn *i, bool *ends);
select_fn select_alu, select_unary, select_mov, select_movx, select_lea,
          select_xchg, select_cmov, select_setcc, select_shift, select_shiftd, select_bt,
          select_bits, select_muldiv, select_imul, select_branch, select_stack, select_string,
          select_flag, select_misc, select_atomic, select_bcd;

/* Is fn the handler of a Jcc, and on which condition? */
bool is_jcc(op_fn *fn, unsigned *cc);
/* The handler that does what fn does, which changes flags, and then the Jcc
 * behind it; NULL if there is none. */
op_fn *alu_and_jcc(op_fn *fn, unsigned cc);

#endif
