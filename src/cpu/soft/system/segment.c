/*
 * cpu/soft/system/segment.c -- segment registers, and the descriptors behind them.
 *
 * A segment register has a visible part, the selector, and a hidden part:
 * base, limit and attributes.  In protected mode the hidden part comes from a
 * descriptor in the GDT or LDT, after a set of checks that differs between
 * SS, the data registers and CS (far.c).  In real mode only the base is
 * written; limit and attributes stay what they were.  That is all there is
 * to "unreal mode": enter protected mode, load a 4 GiB limit, go back.
 *
 * Begin with load_seg().
 * [SDM 3A "Segment Descriptors"; SDM 2B "MOV-Move"; 2A "LAR", "LSL"]
 */
#include "cpu/soft/system/system.h"

#define ATTR_V86   0xf3         /* present, DPL 3, data, read-write, accessed */
#define ATTR_DATA  0x93         /* the same at DPL 0                          */
#define ACCESSED   BIT(40)      /* in a descriptor                            */

/* ---- descriptors ---- */

static gla_t table_linear(const struct soft *s, gla_t a)
{
    return long_mode(s) ? a : (uint32_t)a;
}

/* A selector:
 *
 *     15            3  2   1   0
 *     index            TI  RPL       TI: 0 the GDT, 1 the LDT; index * 8 is the offset in it
 *
 * All eight bytes must lie within the table's limit.  The read is a supervisor's whatever
 * the CPL, since programs may use descriptors that they cannot see.
 * [SDM 3A "Segment Selectors"] */
bool desc_fetch(struct soft *s, uint16_t sel, struct descriptor *d)
{
    const struct segment *ldt = &s->seg[SEG_LDTR];
    bool in_ldt = sel & 4;
    uint64_t base = in_ldt ? ldt->base : s->gdtr.base;
    uint32_t limit = in_ldt ? ldt->limit : s->gdtr.limit;

    *d = (struct descriptor){ .sel = sel };
    if ((in_ldt && !(ldt->attr & SEG_P)) || (sel | 7u) > limit)
        return false;
    d->at = table_linear(s, base + (sel & ~7u));
    if (!canonical(d->at))
        return false;
    d->raw = soft_lin_load(s, d->at, 8, WALK_SYSTEM);
    return true;
}

bool desc_fetch_global(struct soft *s, uint16_t sel, struct descriptor *d)
{
    *d = (struct descriptor){ .sel = sel };
    return !(sel & 4) && desc_fetch(s, sel, d);
}

bool desc_fetch_upper(struct soft *s, struct descriptor *d)
{
    uint32_t limit = d->sel & 4 ? s->seg[SEG_LDTR].limit : s->gdtr.limit;

    if ((d->sel | 7u) + 8 > limit || !canonical(d->at + 8))
        return false;
    d->upper = soft_lin_load(s, d->at + 8, 8, WALK_SYSTEM);
    return !(d->upper >> 40 & 0x1f);
}

/* The 386 had to keep the 286's format, so base and limit lie scattered:
 *
 *     63     56 55 54 53 52  51    48 47 46 45 44 43  40 39      16 15       0
 *     base      G  D  L  AVL limit    P  DPL   S  type   base       limit
 *     31:24                  19:16                       23:0       15:0
 *
 * G: the limit counts pages of 4 KiB.  [SDM 3A "Segment Descriptors"] */
struct segment desc_segment(const struct descriptor *d)
{
    uint32_t limit = (d->raw & 0xffff) | (d->raw >> 32 & 0xf0000);

    if (d->raw >> 55 & 1)
        limit = limit << 12 | 0xfff;
    return (struct segment){
        .sel = d->sel,
        .attr = (d->raw >> 40) & 0xf0ff,
        .limit = limit,
        .base = (d->raw >> 16 & 0xffffff) | (d->raw >> 56) << 24 | (d->upper & 0xffffffff) << 32,
    };
}

/* The A bit tells a kernel which segments were loaded since it last looked; the CPU never
 * clears it.  Only the byte that holds it is written. */
void desc_set_accessed(struct soft *s, struct descriptor *d)
{
    if (d->raw & ACCESSED)
        return;
    d->raw |= ACCESSED;
    soft_lin_store(s, d->at + 5, 1, d->raw >> 40 & 0xff, WALK_SYSTEM);
}

/* A TSS in use is marked busy, so that a task cannot be entered twice: its one TSS could hold
 * only one set of registers. */
void desc_set_busy(struct soft *s, struct descriptor *d, bool busy)
{
    d->raw = busy ? d->raw | (uint64_t)TSS_BUSY << 40 : d->raw & ~((uint64_t)TSS_BUSY << 40);
    soft_lin_store(s, d->at + 5, 1, d->raw >> 40 & 0xff, WALK_SYSTEM);
}

/* ---- loading ---- */

struct segment real_segment(const struct soft *s, enum seg seg, uint16_t sel)
{
    struct segment g = s->seg[seg];

    if (s->flags & FLAG_VM)
        return (struct segment){ .sel = sel, .attr = ATTR_V86, .limit = 0xffff,
                                 .base = (uint64_t)sel << 4 };
    if (!(g.attr & SEG_P))      /* was null in protected mode: a real-mode load makes it usable */
        g.attr = ATTR_DATA;
    g.sel = sel;
    g.base = (uint64_t)sel << 4;
    return g;
}

struct segment null_segment(uint16_t sel, unsigned dpl)
{
    return (struct segment){ .sel = sel, .attr = (uint16_t)(dpl << 5) };
}

/* A null SS is of use in 64-bit mode only, and not in ring 3. */
static void load_null_ss(struct soft *s, uint16_t sel)
{
    if (!code64(s) || s->cpl == 3 || (sel & 3) != s->cpl)
        gp_because(s, OBSTACLE_SEL_NULL, sel);
    s->seg[SEG_SS] = null_segment(sel, s->cpl);
}

/* SS is checked most strictly: its DPL and RPL must be exactly the CPL.  If a program could
 * load a stack of another ring, entering or leaving a ring would mean nothing.  A segment
 * that is not present is #SS here, and #NP for all other registers. */
static void load_ss(struct soft *s, uint16_t sel)
{
    struct descriptor d;

    if (null_selector(sel)) {
        load_null_ss(s, sel);
        return;
    }
    if (!desc_fetch(s, sel, &d) || (sel & 3) != s->cpl || !desc_writable(&d) ||
        desc_dpl(&d) != s->cpl)
        fault_desc(s, OBSTACLE_SEL_SS, VEC_GP, &d);
    if (!desc_present(&d))
        fault_sel_because(s, OBSTACLE_SEL_ABSENT, VEC_SS, sel);
    desc_set_accessed(s, &d);
    s->seg[SEG_SS] = desc_segment(&d);
}

/* A null selector may be loaded, and only using it faults: that is how a kernel makes a
 * register unusable.  A segment must be at most as privileged as both the CPL and the RPL;
 * conforming code is for everybody.  [SDM 3A "Privilege Level Checking When Accessing Data
 * Segments"] */
static void load_data(struct soft *s, enum seg seg, uint16_t sel)
{
    struct descriptor d;

    if (null_selector(sel)) {
        s->seg[seg] = null_segment(sel, 0);
        return;
    }
    if (!desc_fetch(s, sel, &d) || !desc_readable(&d))
        fault_desc(s, OBSTACLE_SEL_DATA, VEC_GP, &d);
    if (!desc_conforming(&d) && ((sel & 3) > desc_dpl(&d) || s->cpl > desc_dpl(&d)))
        fault_desc(s, OBSTACLE_SEL_DATA, VEC_GP, &d);
    if (!desc_present(&d))
        fault_sel_because(s, OBSTACLE_SEL_ABSENT, VEC_NP, sel);
    desc_set_accessed(s, &d);
    s->seg[seg] = desc_segment(&d);
}

/* Load ES, SS, DS, FS, GS as MOV and POP do, with all checks, in any mode. */
static void load_seg(struct soft *s, enum seg seg, uint16_t sel)
{
    if (real_mode(s) || v86_mode(s))
        s->seg[seg] = real_segment(s, seg, sel);
    else if (seg == SEG_SS)
        load_ss(s, sel);
    else
        load_data(s, seg, sel);
    soft_mode_changed(s);
}

/* [SDM 2B "RET-Return From Procedure": RETURN-TO-OUTER-PRIVILEGE-LEVEL] */
void drop_inner_segments(struct soft *s)
{
    static const enum seg data[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };

    for (size_t i = 0; i < NELEM(data); i++) {
        struct segment *g = &s->seg[data[i]];
        unsigned dpl = g->attr >> 5 & 3;
        bool conforming = (g->attr & SEG_S) && (g->attr & 0xc) == 0xc;

        if (!(g->attr & SEG_P) || (!conforming && dpl < s->cpl))
            *g = (struct segment){ .base = long_mode(s) ? g->base : 0 };
    }
}

/* ---- MOV, PUSH, POP, LDS and kin ---- */

static void shadow_after_ss(struct soft *s)
{
    s->irq_shadow = true;
    s->db_shadow = true;
}

/* CS cannot be loaded by MOV: code and RIP change together or not at all. */
void op_mov_sreg(struct soft *s, const struct uop *u)
{
    enum seg seg = (enum seg)(u->reg & 7);
    bool load = u->opcode == 0x8e;

    if (seg > SEG_GS || (load && seg == SEG_CS))
        fault_because(s, OBSTACLE_REGISTER, seg, VEC_UD, 0);
    if (load) {
        load_seg(s, seg, (uint16_t)(u->mem ? soft_load(s, u->seg, soft_ea(s, u), 2)
                                               : s->gpr[u->rm]));
        if (seg == SEG_SS)
            shadow_after_ss(s);
    } else if (u->mem) {
        soft_store(s, u->seg, soft_ea(s, u), 2, s->seg[seg].sel);
    } else {
        soft_write_reg(s, u->rm, u->opsize, s->seg[seg].sel);
    }
}

/* PUSH and POP of ES CS SS DS are 06+8n and 07+8n; of FS and GS 0F A0, A8. */
static enum seg seg_of_opcode(unsigned opcode)
{
    if (opcode >= 0x0f00)
        return opcode & 8 ? SEG_GS : SEG_FS;
    return (enum seg)(opcode >> 3 & 3);
}

/* With a 32-bit operand recent processors move the stack pointer by 4 but write
 * only 16 bits  [SDM 2B "PUSH-Push Word, Doubleword, or Quadword Onto the Stack"] */
void op_push_sreg(struct soft *s, const struct uop *u)
{
    uint16_t sel = s->seg[seg_of_opcode(u->opcode)].sel;
    struct stack st = stack_current(s);

    if (u->opsize == 4) {
        stack_skip(&st, -2u);
        stack_push(s, &st, 2, sel);
    } else {
        stack_push(s, &st, u->opsize, sel);
    }
    soft_write_reg(s, RSP, st.width, st.sp);
}

void op_pop_sreg(struct soft *s, const struct uop *u)
{
    enum seg seg = seg_of_opcode(u->opcode);
    struct stack st = stack_current(s);
    uint16_t sel = (uint16_t)stack_pop(s, &st, 2);      /* no more is read, whatever the size */
    unsigned width = st.width;

    stack_skip(&st, u->opsize - 2u);
    load_seg(s, seg, sel);
    soft_write_reg(s, RSP, width, st.sp);
    if (seg == SEG_SS)
        shadow_after_ss(s);
}

/* LES LDS (C4, C5), LSS LFS LGS (0F B2, B4, B5): offset, then selector. */
void op_load_far_pointer(struct soft *s, const struct uop *u)
{
    enum seg seg = u->opcode == 0xc4   ? SEG_ES : u->opcode == 0xc5   ? SEG_DS
                 : u->opcode == 0x0fb2 ? SEG_SS : u->opcode == 0x0fb4 ? SEG_FS : SEG_GS;
    uint64_t ea = soft_ea(s, u);
    uint64_t off = soft_load(s, u->seg, ea, u->opsize);
    uint16_t sel = (uint16_t)soft_load(s, u->seg, low_bytes(ea + u->opsize, u->asize), 2);

    load_seg(s, seg, sel);
    soft_write_reg(s, u->reg, u->opsize, off);
}

/* ---- LLDT, LTR ---- */

static void require_protected(struct soft *s)
{
    if (real_mode(s) || v86_mode(s))
        fault_because(s, OBSTACLE_INSN_MODE, 0, VEC_UD, 0);
}

static uint16_t read_selector(struct soft *s, const struct uop *u)
{
    return (uint16_t)(u->mem ? soft_load(s, u->seg, soft_ea(s, u), 2) : s->gpr[u->rm]);
}

/* The LDT has a descriptor in the GDT and is a table of the same kind, for one process. */
void op_lldt(struct soft *s, const struct uop *u)
{
    struct descriptor d;
    uint16_t sel;

    require_protected(s);
    require_cpl0(s);
    sel = read_selector(s, u);
    if (null_selector(sel)) {
        s->seg[SEG_LDTR] = null_segment(sel, 0);
        return;
    }
    if (!desc_fetch_global(s, sel, &d) || !desc_system(&d) || desc_type(&d) != SYS_LDT)
        fault_desc(s, OBSTACLE_SEL_LDT, VEC_GP, &d);
    if (long_mode(s) && !desc_fetch_upper(s, &d))
        fault_desc(s, OBSTACLE_SEL_LDT, VEC_GP, &d);
    if (!desc_present(&d))
        fault_sel_because(s, OBSTACLE_SEL_ABSENT, VEC_NP, sel);
    if (!canonical(desc_segment(&d).base))
        fault_desc(s, OBSTACLE_SEL_LDT, VEC_GP, &d);
    s->seg[SEG_LDTR] = desc_segment(&d);
}

/* LTR names the TSS in which the CPU finds stacks for inner rings and the I/O bitmap.  It
 * switches no task; the busy bit is set all the same. */
void op_ltr(struct soft *s, const struct uop *u)
{
    struct descriptor d;
    uint16_t sel;
    bool ok;

    require_protected(s);
    require_cpl0(s);
    sel = read_selector(s, u);
    if (null_selector(sel))
        gp_because(s, OBSTACLE_SEL_NULL, sel);
    ok = desc_fetch_global(s, sel, &d) && desc_system(&d) &&
         (desc_type(&d) == SYS_TSS32 || (desc_type(&d) == SYS_TSS16 && !long_mode(s)));
    if (!ok || (long_mode(s) && !desc_fetch_upper(s, &d)))
        fault_desc(s, OBSTACLE_SEL_TSS, VEC_GP, &d);
    if (!desc_present(&d))
        fault_sel_because(s, OBSTACLE_SEL_ABSENT, VEC_NP, sel);
    if (!canonical(desc_segment(&d).base))
        fault_desc(s, OBSTACLE_SEL_TSS, VEC_GP, &d);
    desc_set_busy(s, &d, true);
    s->seg[SEG_TR] = desc_segment(&d);
}

/* ---- LAR, LSL, VERR, VERW, ARPL: asking without loading ---- */

static void set_zf(struct soft *s, bool on)
{
    uint64_t f = soft_flags(s);

    soft_set_flags(s, on ? f | FLAG_ZF : f & ~FLAG_ZF);
}

/* Fetch sel if the caller may see it at its CPL and RPL. */
static bool visible(struct soft *s, uint16_t sel, struct descriptor *d)
{
    if (null_selector(sel) || !desc_fetch(s, sel, d))
        return false;
    return desc_conforming(d) || (s->cpl <= desc_dpl(d) && (sel & 3) <= desc_dpl(d));
}

/* Which system types LAR and LSL answer for: BIT(type)  [SDM 2A "LAR", "LSL"] */
#define LAR_TYPES       (BIT(SYS_TSS16) | BIT(SYS_LDT) | BIT(SYS_TSS16_BUSY) | BIT(SYS_CALL16) | \
                         BIT(SYS_TASK_GATE) | BIT(SYS_TSS32) | BIT(SYS_TSS32_BUSY) | \
                         BIT(SYS_CALL32))
#define LAR_TYPES_LONG  (BIT(SYS_LDT) | BIT(SYS_TSS32) | BIT(SYS_TSS32_BUSY) | BIT(SYS_CALL32))
#define LSL_TYPES       (BIT(SYS_TSS16) | BIT(SYS_LDT) | BIT(SYS_TSS16_BUSY) | BIT(SYS_TSS32) | \
                         BIT(SYS_TSS32_BUSY))
#define LSL_TYPES_LONG  (BIT(SYS_LDT) | BIT(SYS_TSS32) | BIT(SYS_TSS32_BUSY))

/* In long mode the system types have 16-byte descriptors, and fewer types exist. */
static bool answered(struct soft *s, struct descriptor *d, uint64_t legacy, uint64_t in_long)
{
    if (!desc_system(d))
        return true;
    if (!((long_mode(s) ? in_long : legacy) >> desc_type(d) & 1))
        return false;
    return !long_mode(s) || desc_fetch_upper(s, d);
}

/* LAR tells DPL and type, LSL the limit; VERR and VERW whether reading or writing would be
 * allowed.  A kernel asks before it uses a selector that a program gave it.  The answer is in
 * ZF and nothing faults: that is the point of them. */
void op_lar(struct soft *s, const struct uop *u)
{
    struct descriptor d;
    uint16_t sel;

    require_protected(s);
    sel = read_selector(s, u);
    if (!visible(s, sel, &d) || !answered(s, &d, LAR_TYPES, LAR_TYPES_LONG)) {
        set_zf(s, false);
        return;
    }
    soft_write_reg(s, u->reg, u->opsize,
              d.raw >> 32 & (u->opsize == 2 ? 0xff00 : 0xffff00));     /* as processors do */
    set_zf(s, true);
}

void op_lsl(struct soft *s, const struct uop *u)
{
    struct descriptor d;
    uint16_t sel;

    require_protected(s);
    sel = read_selector(s, u);
    if (!visible(s, sel, &d) || !answered(s, &d, LSL_TYPES, LSL_TYPES_LONG)) {
        set_zf(s, false);
        return;
    }
    soft_write_reg(s, u->reg, u->opsize, desc_segment(&d).limit);
    set_zf(s, true);
}

void op_verr(struct soft *s, const struct uop *u)
{
    struct descriptor d;

    require_protected(s);
    set_zf(s, visible(s, read_selector(s, u), &d) && desc_readable(&d));
}

void op_verw(struct soft *s, const struct uop *u)
{
    struct descriptor d;

    require_protected(s);
    set_zf(s, visible(s, read_selector(s, u), &d) && desc_writable(&d));
}

/* A kernel that got a selector from a program raises its RPL to the program's, so that the
 * checks of load_data() are made for the program and not for the kernel.  In 64-bit mode the
 * opcode is MOVSXD.  [SDM 2A "ARPL-Adjust RPL Field of Segment Selector"] */
void op_arpl(struct soft *s, const struct uop *u)
{
    uint16_t dst, rpl = s->gpr[u->reg] & 3;
    uint64_t ea = 0;

    require_protected(s);
    if (u->mem) {
        ea = soft_ea(s, u);
        dst = (uint16_t)soft_load(s, u->seg, ea, 2);
    } else {
        dst = (uint16_t)s->gpr[u->rm];
    }
    if ((dst & 3) >= rpl) {
        set_zf(s, false);
        return;
    }
    if (u->mem)
        soft_store(s, u->seg, ea, 2, (dst & ~3u) | rpl);
    else
        soft_write_reg(s, u->rm, 2, (dst & ~3u) | rpl);
    set_zf(s, true);
}
