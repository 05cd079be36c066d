/*
 * cpu/soft/memory_operand.c -- memory operands through their segments, and the stack.
 *
 * The general way: every check the manual lists, in any mode.  Handlers come
 * here when the flat fast path of exec.h does not apply.
 * [SDM 3A "Limit Checking", "Type Checking"; SDM 3A "Canonical Address"]
 */
#include "cpu/soft/exec.h"

static bool canonical(uint64_t a)
{
    return (uint64_t)((int64_t)(a << 16) >> 16) == a;
}

/* Addresses that a segment does not have: #SS for the stack, so that a kernel can tell a stack
 * that must grow from a wild pointer; #GP(0) for all others. */
static _Noreturn void segment_fault(struct soft *s, enum obstacle why, enum seg seg, uint64_t off)
{
    bool in64 = s->mode == MODE_LONG64;

    fault_because(s, why, in64 ? off : refusal_place(seg, off), seg == SEG_SS ? VEC_SS : VEC_GP, 0);
}

/* May this kind of segment be accessed so?  OBSTACLE_UNKNOWN if it may.  Real and V86 segments
 * all may. */
static enum obstacle type_obstacle(const struct segment *g, unsigned access)
{
    unsigned type = g->attr & SEG_TYPE;
    bool writable = !(type & 8) && (type & 2);          /* code never is */
    bool readable = !(type & 8) || (type & 2) || (access & WALK_FETCH);

    if (!(g->attr & SEG_P))
        return OBSTACLE_SEG_NULL;
    if (access & WALK_WRITE)
        return writable ? OBSTACLE_UNKNOWN : OBSTACLE_SEG_WRITE;
    return readable ? OBSTACLE_UNKNOWN : OBSTACLE_SEG_READ;
}

/* The limit is the last byte that may be touched, so it is compared with the last byte of the
 * access.  A segment that grows downward has it below itself. */
static bool limit_allows(const struct segment *g, uint64_t off, unsigned size)
{
    uint64_t last = off + size - 1;

    if ((g->attr & (SEG_TYPE & ~UINT64_C(3))) == 4)     /* data, expand-down */
        return off > g->limit && last <= (g->attr & SEG_DB ? 0xffffffff : 0xffff);
    /* "When the effective limit is FFFFFFFFH (4 GBytes), these accesses may or may
     * not cause the indicated exceptions": on Intel's processors they wrap. */
    return last <= g->limit || g->limit == 0xffffffff;
}

/* Segmentation: from an offset to a linear address, with all it checks on the way.  64-bit
 * mode has none of it but the bases of FS and GS; there an address must be canonical, bits
 * 63:48 all equal to bit 47.  [SDM 3A "Using Segments", "Segmentation in IA-32e Mode"] */
gla_t soft_linear(struct soft *s, enum seg seg, uint64_t off, unsigned size, unsigned access)
{
    const struct segment *g = &s->seg[seg];
    enum obstacle why;

    if (s->mode == MODE_LONG64) {
        gla_t a = off + (seg == SEG_FS || seg == SEG_GS ? g->base : 0);
        if (!canonical(a) || !canonical(a + size - 1))
            segment_fault(s, OBSTACLE_CANONICAL, seg, a);
        return a;
    }
    if (s->mode > MODE_V86 && (why = type_obstacle(g, access)) != OBSTACLE_UNKNOWN)
        segment_fault(s, why, seg, off);
    if (!limit_allows(g, off, size))
        segment_fault(s, OBSTACLE_SEG_LIMIT, seg, off);
    return (uint32_t)(g->base + off);
}

static unsigned data_access(const struct soft *s)
{
    return s->cpl == 3 ? WALK_USER : 0;
}

uint64_t soft_load(struct soft *s, enum seg seg, uint64_t off, unsigned size)
{
    return soft_lin_load(s, soft_linear(s, seg, off, size, 0), size, data_access(s));
}

void soft_store(struct soft *s, enum seg seg, uint64_t off, unsigned size, uint64_t value)
{
    soft_lin_store(s, soft_linear(s, seg, off, size, WALK_WRITE), size, value, data_access(s));
}

/* base + index * scale + displacement, cut to the address size before the segment's base is
 * added: a 16-bit address wraps within its 64 KiB.  [SDM 1 "Specifying an Offset"] */
uint64_t soft_ea(const struct soft *s, const struct uop *u)
{
    uint64_t a = s->gpr[u->base] + s->gpr[u->index] * u->scale + (uint64_t)u->disp;

    return low_bytes(a, u->asize);
}

gla_t gen_address(struct soft *s, const struct uop *u, unsigned n, unsigned access)
{
    s->cur = u;
    return soft_linear(s, u->seg, soft_ea(s, u), n, access);
}

/* For SSE and CMPXCHG16B: misalignment is #GP(0), and comes before what segment_fault() would
 * raise. */
gla_t gen_aligned_address(struct soft *s, const struct uop *u, unsigned n, unsigned align,
                          unsigned access)
{
    bool based = s->mode != MODE_LONG64 || u->seg == SEG_FS || u->seg == SEG_GS;
    uint64_t at = soft_ea(s, u) + (based ? s->seg[u->seg].base : 0);

    s->cur = u;
    if (at & (align - 1))
        fault_because(s, OBSTACLE_OPERAND_16, at, VEC_GP, 0);
    return gen_address(s, u, n, access);
}

/* Handlers with no fast form of their own come here straight away, so look
 * into the TLB first. */
static bool quick(struct soft *s, const struct uop *u, unsigned n, unsigned tag, uint8_t **p)
{
    return u->av != AG && tlb_hit(s, flat_address(s, u, u->av), n, tag, p);
}

uint64_t gen_load(struct soft *s, const struct uop *u, unsigned n)
{
    uint8_t *p;

    if (quick(s, u, n, TAG_R, &p))
        return mem_get(p, n);
    return soft_lin_load(s, gen_address(s, u, n, 0), n, data_access(s));
}

/* An instruction that will write back what it has read must fault as a write, at once: else a
 * device or a debugger would see a read that never led to anything. */
uint64_t gen_load_rmw(struct soft *s, const struct uop *u, unsigned n)
{
    uint8_t *p;

    if (quick(s, u, n, TAG_W, &p))
        return mem_get(p, n);
    return soft_lin_load(s, gen_address(s, u, n, WALK_WRITE), n, data_access(s) | WALK_WRITE);
}

void gen_store(struct soft *s, const struct uop *u, unsigned n, uint64_t v)
{
    uint8_t *p;

    if (quick(s, u, n, TAG_W, &p)) {
        mem_put(p, n, v);
        return;
    }
    soft_lin_store(s, gen_address(s, u, n, WALK_WRITE), n, v, data_access(s));
}

/* ---- for the system side ---- */

uint64_t soft_read_reg(const struct soft *s, unsigned reg, unsigned size)
{
    return low_bytes(s->gpr[reg], size);
}

void soft_write_reg(struct soft *s, unsigned reg, unsigned size, uint64_t value)
{
    reg_set(s, reg, reg * 8, size, value);
}

uint64_t soft_read_rm(struct soft *s, const struct uop *u, unsigned size)
{
    return u->mem ? gen_load(s, u, size) : reg_get(s, u->rm, u->rm8, size);
}

/* ---- the stack ---- */

static unsigned sp_size(const struct soft *s)
{
    if (s->mode == MODE_LONG64)
        return 8;
    return s->seg[SEG_SS].attr & SEG_DB ? 4 : 2;
}

/* SP changes only in its own width: the upper half of ESP survives a 16-bit push. */
static void set_sp(struct soft *s, uint64_t sp)
{
    reg_set(s, RSP, 0, sp_size(s), sp);
}

void soft_push(struct soft *s, unsigned size, uint64_t value)
{
    uint64_t sp = low_bytes(s->gpr[RSP] - size, sp_size(s));

    soft_store(s, SEG_SS, sp, size, value);
    set_sp(s, sp);
}

uint64_t soft_pop(struct soft *s, unsigned size)
{
    unsigned width = sp_size(s);
    uint64_t sp = low_bytes(s->gpr[RSP], width);
    uint64_t v = soft_load(s, SEG_SS, sp, size);

    set_sp(s, low_bytes(sp + size, width));
    return v;
}
