/*
 * cpu/soft/mode.c -- which mode the CPU is in, and what follows from that.
 *
 * There is no register "mode".  It is worked out from five bits in four places,
 * so whoever changes one of them calls soft_mode_changed() afterwards:
 *
 *    CR0.PE   RFLAGS.VM   EFER.LMA   CS.L   CS.D     mode
 *      0          -           -        -      -      real mode
 *      1          1           0        -      -      virtual-8086 mode
 *      1          0           0        -     0, 1    protected mode, 16- or 32-bit code
 *      1          -           1        0     0, 1    compatibility mode, 16- or 32-bit code
 *      1          -           1        1      0      64-bit mode
 *
 * [SDM 3A "Modes of Operation"]
 */
#include "base/trace.h"
#include "cpu/soft/exec.h"

static enum cpu_mode mode_of(const struct soft *s)
{
    uint16_t cs = s->seg[SEG_CS].attr;

    if (!(s->cr0 & CR0_PE))
        return MODE_REAL;
    if (s->flags & FLAG_VM)
        return MODE_V86;
    if (s->efer & EFER_LMA)
        return cs & SEG_L ? MODE_LONG64 : cs & SEG_DB ? MODE_LONG32 : MODE_LONG16;
    return cs & SEG_DB ? MODE_PROT32 : MODE_PROT16;
}

/* Data and stack: base 0, limit 4 GiB, present, writable, not expand-down. */
static bool flat_data(const struct segment *g)
{
    return g->base == 0 && g->limit == 0xffffffff && (g->attr & SEG_P) &&
           (g->attr & (SEG_S | 0xe)) == (SEG_S | 2);
}

static bool is_flat(const struct soft *s)
{
    const struct segment *cs = &s->seg[SEG_CS];

    if (s->mode == MODE_LONG64)
        return true;
    return (s->mode == MODE_PROT32 || s->mode == MODE_LONG32) &&
           cs->base == 0 && cs->limit == 0xffffffff && (s->seg[SEG_SS].attr & SEG_DB) &&
           flat_data(&s->seg[SEG_DS]) && flat_data(&s->seg[SEG_ES]) && flat_data(&s->seg[SEG_SS]);
}

/* How places in the code that runs now are said. */
static struct code_segment code_segment_of(const struct soft *s)
{
    const struct segment *cs = &s->seg[SEG_CS];
    uint32_t base = s->mode == MODE_LONG64 ? 0 : (uint32_t)cs->base;

    return (struct code_segment){ .base = base, .sel = cs->sel,
        .segmented = base || s->mode == MODE_REAL || s->mode == MODE_V86 };
}

/* With the place and time of the instruction that changes the mode, like a DELIVER: in the log
 * the two may stand side by side, and time must not go back.  RIP and CS have moved on by now,
 * but s->restart_rip and s->code are still those of the instruction, or of the place that an
 * interrupt came before.  If the monitor loads another state there is no instruction, and the
 * place is where the CPU stands now. */
static void log_mode(struct soft *s, enum cpu_mode from)
{
    bool arrives = s->arrival.pending && s->arrival.by_insn;    /* it counts already */
    uint64_t retired = s->cur ? s->icount - s->cur->left : s->icount - arrives;
    bool moved = s->in_system || s->delivering.type != EVENT_NONE;
    struct code_segment here = code_segment_of(s);

    vcpu_log_at(s->v, moved ? s->restart_rip : s->rip, moved ? &s->code : &here, retired,
                TRACE_MODE, from, s->mode, 0);
}

void soft_mode_changed(struct soft *s)
{
    enum cpu_mode old = s->mode;
    const struct segment *cs = &s->seg[SEG_CS];

    s->mode = (uint8_t)mode_of(s);
    /* CPL is the DPL of SS, as in a VMCS.  [SDM 3C "Guest Register State"] */
    s->cpl = s->mode == MODE_REAL ? 0 : s->mode == MODE_V86 ? 3 : s->seg[SEG_SS].attr >> 5 & 3;
    s->flat = is_flat(s);
    s->code_ctx = (uint64_t)s->mode | (uint64_t)s->flat << 3 | (uint64_t)(s->cpl == 3) << 4 |
                  (uint64_t)(cs->limit == 0xffff) << 5 |
                  (s->mode == MODE_LONG64 ? 0 : cs->base << 32);
    tlb_choose(s);
    if (s->mode != old)
        log_mode(s, old);
    s->code = code_segment_of(s);
}
