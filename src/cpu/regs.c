/*
 * cpu/regs.c -- the table of registers by name.
 *
 * A row says where in struct cpu_state a register lies and which bits of it are
 * meant.  AX is bits 15:0 of the member that holds RAX, AH its bits 15:8, the
 * carry flag bit 0 of RFLAGS: so one pair of functions reads and writes them all.
 * A register comes before its parts; searching takes the first row that fits.
 */
#include "cpu/regs.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/x86.h"

/* Rows: where a member is; a register that is a whole member; a part of one. */
#define AT(member)  offsetof(struct cpu_state, member), sizeof(((struct cpu_state *)0)->member)
#define WHOLE(nm, member, group) \
    { nm, AT(member), 0, 8 * sizeof(((struct cpu_state *)0)->member), group, false }
#define PART(nm, member, lo, bits, group)   { nm, AT(member), lo, bits, group, true }

#define GPR_WHOLE(id, nm)   WHOLE(#nm, gpr[id], ST_GPRS),
#define GPR_OLD(id, c)      PART("e" c, gpr[id], 0, 32, ST_GPRS), PART(c, gpr[id], 0, 16, ST_GPRS)
#define GPR_OLD_BYTES(id, c) \
    PART(c "l", gpr[id], 0, 8, ST_GPRS), PART(c "h", gpr[id], 8, 8, ST_GPRS)
#define GPR_NEW(id, nm) \
    PART(nm "d", gpr[id], 0, 32, ST_GPRS), PART(nm "w", gpr[id], 0, 16, ST_GPRS), \
    PART(nm "b", gpr[id], 0, 8, ST_GPRS)
#define SEG_ROWS(id, nm)    WHOLE(#nm, seg[SEG_##id].sel, ST_SEGS),                 \
                            WHOLE(#nm ".base", seg[SEG_##id].base, ST_SEGS),        \
                            WHOLE(#nm ".limit", seg[SEG_##id].limit, ST_SEGS),      \
                            WHOLE(#nm ".attr", seg[SEG_##id].attr, ST_SEGS),
#define FLAG_ROW(nm, bit)   PART(nm, rflags, bit, 1, ST_GPRS)

/* GPR_OLD: the registers that a 386 has, with names for their parts by letters.  GPR_NEW: R8 to
 * R15 of 64-bit mode, whose parts are named by suffixes.
 * [SDM 1 "General-Purpose Registers in 64-Bit Mode"] */
static const struct reg regs[] = {
    GPR_LIST(GPR_WHOLE)
    WHOLE("rip", rip, ST_GPRS), WHOLE("rflags", rflags, ST_GPRS),
    GPR_OLD(RAX, "ax"), GPR_OLD(RCX, "cx"), GPR_OLD(RDX, "dx"), GPR_OLD(RBX, "bx"),
    GPR_OLD(RSP, "sp"), GPR_OLD(RBP, "bp"), GPR_OLD(RSI, "si"), GPR_OLD(RDI, "di"),
    GPR_OLD_BYTES(RAX, "a"), GPR_OLD_BYTES(RCX, "c"),
    GPR_OLD_BYTES(RDX, "d"), GPR_OLD_BYTES(RBX, "b"),
    PART("spl", gpr[RSP], 0, 8, ST_GPRS), PART("bpl", gpr[RBP], 0, 8, ST_GPRS),
    PART("sil", gpr[RSI], 0, 8, ST_GPRS), PART("dil", gpr[RDI], 0, 8, ST_GPRS),
    GPR_NEW(R8, "r8"), GPR_NEW(R9, "r9"), GPR_NEW(R10, "r10"), GPR_NEW(R11, "r11"),
    GPR_NEW(R12, "r12"), GPR_NEW(R13, "r13"), GPR_NEW(R14, "r14"), GPR_NEW(R15, "r15"),
    PART("eip", rip, 0, 32, ST_GPRS), PART("ip", rip, 0, 16, ST_GPRS),
    PART("eflags", rflags, 0, 32, ST_GPRS),
    FLAG_ROW("cf", 0), FLAG_ROW("pf", 2), FLAG_ROW("af", 4), FLAG_ROW("zf", 6), FLAG_ROW("sf", 7),
    FLAG_ROW("tf", 8), FLAG_ROW("if", 9), FLAG_ROW("df", 10), FLAG_ROW("of", 11),
    PART("iopl", rflags, 12, 2, ST_GPRS), FLAG_ROW("nt", 14), FLAG_ROW("rf", 16),
    FLAG_ROW("vm", 17), FLAG_ROW("ac", 18), FLAG_ROW("vif", 19), FLAG_ROW("vip", 20),
    FLAG_ROW("id", 21),
    SEG_LIST(SEG_ROWS)
    PART("cpl", seg[SEG_SS].attr, 5, 2, ST_SEGS),
    WHOLE("gdtr.base", gdtr.base, ST_SEGS), WHOLE("gdtr.limit", gdtr.limit, ST_SEGS),
    WHOLE("idtr.base", idtr.base, ST_SEGS), WHOLE("idtr.limit", idtr.limit, ST_SEGS),
    WHOLE("cr0", cr0, ST_CRS), WHOLE("cr2", cr2, ST_CRS), WHOLE("cr3", cr3, ST_CRS),
    WHOLE("cr4", cr4, ST_CRS), WHOLE("cr8", cr8, ST_CRS), WHOLE("efer", efer, ST_CRS),
    WHOLE("dr0", dr[0], ST_DRS), WHOLE("dr1", dr[1], ST_DRS), WHOLE("dr2", dr[2], ST_DRS),
    WHOLE("dr3", dr[3], ST_DRS), WHOLE("dr6", dr[6], ST_DRS), WHOLE("dr7", dr[7], ST_DRS),
    WHOLE("star", star, ST_MSRS), WHOLE("lstar", lstar, ST_MSRS), WHOLE("cstar", cstar, ST_MSRS),
    WHOLE("sfmask", sfmask, ST_MSRS), WHOLE("kernel_gs_base", kernel_gs_base, ST_MSRS),
    WHOLE("tsc_aux", tsc_aux, ST_MSRS), WHOLE("sysenter_cs", sysenter_cs, ST_MSRS),
    WHOLE("sysenter_esp", sysenter_esp, ST_MSRS), WHOLE("sysenter_eip", sysenter_eip, ST_MSRS),
    WHOLE("pat", pat, ST_MSRS), WHOLE("tsc", tsc, ST_MSRS),
};

size_t regs_count(void)
{
    return NELEM(regs);
}

const struct reg *reg_at(size_t i)
{
    return i < NELEM(regs) ? &regs[i] : NULL;
}

/* Comparing the first letter first makes this fast enough for every keystroke of a
 * completion. */
const struct reg *reg_find(const char *name, size_t len)
{
    for (size_t i = 0; i < NELEM(regs); i++)
        if ((regs[i].name[0] & 0x1f) == (name[0] & 0x1f) &&
            strncasecmp(regs[i].name, name, len) == 0 && !regs[i].name[len])
            return &regs[i];
    return NULL;
}

static uint64_t mask_of(const struct reg *r)
{
    return r->bits == 64 ? ~UINT64_C(0) : BIT(r->bits) - 1;
}

/* The whole member that the register is part of. */
static uint64_t member(const struct reg *r, const struct cpu_state *s)
{
    uint64_t v = 0;
    memcpy(&v, (const char *)s + r->offset, r->bytes);      /* x86 is little-endian */
    return v;
}

uint64_t reg_get(const struct reg *r, const struct cpu_state *s)
{
    return member(r, s) >> r->lo & mask_of(r);
}

/* A write to the 32-bit part of a general register clears the upper half; smaller parts leave the
 * rest alone.  [SDM 1 "General-Purpose Registers in 64-Bit Mode"] */
void reg_set(const struct reg *r, struct cpu_state *s, uint64_t value)
{
    bool is_gpr = r->offset < offsetof(struct cpu_state, rip);
    uint64_t v = member(r, s) & ~(mask_of(r) << r->lo);
    if (is_gpr && r->bits == 32)
        v = 0;
    v |= (value & mask_of(r)) << r->lo;
    memcpy((char *)s + r->offset, &v, r->bytes);
}

/* ---- what follows from them ---- */

/* Long mode, of which compatibility mode is a part. */
static bool is_long(const struct cpu_state *s)
{
    return s->efer & EFER_LMA;
}

static bool is_protected(const struct cpu_state *s)
{
    return (s->cr0 & CR0_PE) && !(s->rflags & FLAG_VM);
}

/* In 64-bit mode CS.L is set; otherwise CS.D alone tells 16 bits from 32, in real mode as
 * well: a segment loaded in protected mode keeps its D bit ("unreal mode").  [SDM 3A
 * "Code-Segment Descriptor in 64-bit Mode"] */
unsigned state_code_bits(const struct cpu_state *s)
{
    uint16_t attr = s->seg[SEG_CS].attr;
    if (is_long(s) && (attr & SEG_L))
        return 64;
    return is_protected(s) && (attr & SEG_DB) ? 32 : attr & SEG_DB ? 32 : 16;
}

/* 64-bit mode ignores the base of CS; elsewhere linear addresses have 32 bits. */
gla_t state_pc(const struct cpu_state *s)
{
    return state_code_bits(s) == 64 ? s->rip : (uint32_t)(s->seg[SEG_CS].base + s->rip);
}

struct code_segment state_code_segment(const struct cpu_state *s)
{
    uint32_t base = state_code_bits(s) == 64 ? 0 : (uint32_t)s->seg[SEG_CS].base;
    bool real_or_v86 = !is_long(s) && !is_protected(s);
    return (struct code_segment){ .base = base, .sel = s->seg[SEG_CS].sel,
                                  .segmented = base || real_or_v86 };
}

char *state_place_phrase(const struct cpu_state *s, char *buf, size_t n)
{
    struct code_segment cs = state_code_segment(s);
    return place_phrase(s->rip, &cs, buf, n);
}

/* SS.B says how many bits of the stack pointer count, except in 64-bit mode, where all do. */
gla_t state_sp(const struct cpu_state *s)
{
    if (state_code_bits(s) == 64)
        return s->gpr[RSP];
    uint64_t off = s->seg[SEG_SS].attr & SEG_DB ? (uint32_t)s->gpr[RSP] : (uint16_t)s->gpr[RSP];
    return (uint32_t)(s->seg[SEG_SS].base + off);
}

/* For people.  The order of the tests matters: VM counts in protected mode only. */
const char *state_mode(const struct cpu_state *s)
{
    static const char *const names[2][3] = {
        { "protected mode, 16-bit", "protected mode, 32-bit", "?" },
        { "long mode, 16-bit compatibility", "long mode, 32-bit compatibility",
          "long mode, 64-bit" },
    };
    if (!(s->cr0 & CR0_PE))
        return "real mode";
    if (s->rflags & FLAG_VM && !is_long(s))
        return "virtual-8086 mode";
    unsigned bits = state_code_bits(s);
    return names[is_long(s)][bits == 64 ? 2 : bits == 32];
}

/* From the highest bit down, as the table has the flags in ascending order. */
char *state_flags(uint64_t rflags, char *buf, size_t n)
{
    size_t used = 0;
    if (!n)
        return buf;
    buf[0] = 0;
    for (size_t i = NELEM(regs); i-- > 0; )
        if (regs[i].offset == offsetof(struct cpu_state, rflags) && regs[i].bits == 1 &&
            (rflags >> regs[i].lo & 1) && used < n)
            used += (size_t)snprintf(buf + used, n - used, "%s%s", used ? " " : "", regs[i].name);
    return buf;
}
