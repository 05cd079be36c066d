/*
 * cpu/soft/control.c -- control and debug registers, descriptor tables, and
 * the other instructions that belong to the kernel.
 *
 * Each does what the manual's operation section says; where a control of the
 * monitor's asks for it (engine.h), it exits first, after the privilege check
 * and before anything else, as in VMX non-root operation.  [SDM 3C
 * "Instructions That Cause VM Exits"]  write_cr() is then called by conclude.c.
 *
 * [SDM 3A "Control Registers", "Mode Switching", "Initializing IA-32e Mode";
 * SDM 2B "MOV-Move to/from Control Registers"]
 */
#include "cpu/soft/system.h"

#include "cpu/cpuid.h"
#include "mem/gmem.h"

void require_cpl0(struct soft *s)
{
    if (s->cpl)
        fault_sel(s, VEC_GP, 0);
}

void write_gpr(struct soft *s, unsigned reg, unsigned size, uint64_t value)
{
    soft_write_reg(s, reg, size, value);
}

/* ---- CR0, CR3, CR4, CR8 ---- */

#define CR0_DEFINED (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | \
                     CR0_NW | CR0_CD | CR0_PG)

/* CR4 bits exist as CPUID says; the others are reserved. */
static const struct { uint64_t bits; uint32_t leaf; uint8_t reg, bit; } cr4_features[] = {
    { CR4_VME | CR4_PVI, 1, 3, 1 },  { CR4_DE, 1, 3, 2 },        { CR4_PSE, 1, 3, 3 },
    { CR4_TSD, 1, 3, 4 },            { CR4_PAE, 1, 3, 6 },       { CR4_MCE, 1, 3, 7 },
    { CR4_PGE, 1, 3, 13 },           { CR4_OSFXSR, 1, 3, 24 },   { CR4_OSXMMEXCPT, 1, 3, 25 },
    { CR4_FSGSBASE, 7, 1, 0 },       { CR4_SMEP, 7, 1, 7 },      { CR4_SMAP, 7, 1, 20 },
    { CR4_UMIP, 7, 2, 2 },
};

static uint64_t cr4_defined(void)
{
    uint64_t bits = CR4_PCE;
    uint32_t out[4];

    for (size_t i = 0; i < NELEM(cr4_features); i++) {
        cpuid_answer(cr4_features[i].leaf, 0, true, 0, out);
        if (out[cr4_features[i].reg] >> cr4_features[i].bit & 1)
            bits |= cr4_features[i].bits;
    }
    return bits;
}

/* PAE paging outside long mode keeps four PDPTEs in the processor, checked as
 * they are loaded.  [SDM 3A "PDPTE Registers"] */
void check_pdptes(struct soft *s, uint64_t cr0, uint64_t cr3, uint64_t cr4)
{
    const uint64_t reserved = FIELD(2, 1) | FIELD(8, 5) | FIELD(63, MAXPHYADDR);
    uint64_t pdpte[4];

    if (!(cr0 & CR0_PG) || !(cr4 & CR4_PAE) || long_mode(s))
        return;
    if (gmem_read(s->v->gmem, cr3 & 0xffffffe0, pdpte, sizeof pdpte))
        fault_sel(s, VEC_GP, 0);
    for (unsigned i = 0; i < 4; i++)
        if ((pdpte[i] & PTE_P) && (pdpte[i] & reserved))
            fault_sel(s, VEC_GP, 0);
}

/* "Activating IA-32e mode" and leaving it: what CR0.PG going up or down means under EFER.LME. */
static void switch_long_mode(struct soft *s, uint64_t value)
{
    bool tss16 = (s->seg[SEG_TR].attr & 0xd) == SYS_TSS16;

    if (!(s->efer & EFER_LME) || !((value ^ s->cr0) & CR0_PG))
        return;
    if (value & CR0_PG) {
        if (!(s->cr4 & CR4_PAE) || (s->seg[SEG_CS].attr & SEG_L) || tss16)
            fault_sel(s, VEC_GP, 0);
        s->efer |= EFER_LMA;
    } else {
        if (code64(s))
            fault_sel(s, VEC_GP, 0);
        s->efer &= ~EFER_LMA;
    }
}

static void write_cr0(struct soft *s, uint64_t value)
{
    const uint64_t paging = CR0_PG | CR0_WP | CR0_PE, pae = CR0_PG | CR0_CD | CR0_NW;
    uint64_t changed;

    if (value >> 32)
        fault_sel(s, VEC_GP, 0);
    value = (value & CR0_DEFINED) | CR0_ET;
    changed = value ^ s->cr0;
    if (((value & CR0_PG) && !(value & CR0_PE)) || ((value & CR0_NW) && !(value & CR0_CD)))
        fault_sel(s, VEC_GP, 0);
    if ((changed & pae) && !(s->efer & EFER_LME))
        check_pdptes(s, value, s->cr3, s->cr4);
    switch_long_mode(s, value);
    s->cr0 = value;
    if (changed & paging)
        soft_tlb_flush(s, true);
    soft_mode_changed(s);
}

static void write_cr3(struct soft *s, uint64_t value)
{
    if (long_mode(s)) {
        if (value & FIELD(63, MAXPHYADDR))
            fault_sel(s, VEC_GP, 0);
    } else {
        value = (uint32_t)value;
    }
    check_pdptes(s, s->cr0, value, s->cr4);
    s->cr3 = value;
    soft_tlb_flush(s, false);
}

static void write_cr4(struct soft *s, uint64_t value)
{
    const uint64_t paging = CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP | CR4_SMAP;
    uint64_t changed = value ^ s->cr4;

    if ((value & ~cr4_defined()) || (long_mode(s) && !(value & CR4_PAE)))
        fault_sel(s, VEC_GP, 0);
    if (changed & (CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP))
        check_pdptes(s, s->cr0, s->cr3, value);
    s->cr4 = value;
    if (changed & paging)
        soft_tlb_flush(s, true);
    soft_mode_changed(s);
}

void write_cr(struct soft *s, unsigned nr, uint64_t value)
{
    switch (nr) {
    case 0:
        write_cr0(s, value);
        break;
    case 2:
        s->cr2 = value;
        break;
    case 3:
        write_cr3(s, value);
        break;
    case 4:
        write_cr4(s, value);
        break;
    case 8:
        if (value >> 4)
            fault_sel(s, VEC_GP, 0);
        s->cr8 = value;
        break;
    default:
        soft_fault(s, VEC_UD, 0);
    }
}

uint64_t read_cr(const struct soft *s, unsigned nr)
{
    switch (nr) {
    case 0:  return s->cr0;
    case 2:  return s->cr2;
    case 3:  return s->cr3;
    case 4:  return s->cr4;
    default: return s->cr8;
    }
}

/* Would the monitor see this write?  It owns the bits of the masks. */
static bool cr_write_exits(const struct soft *s, unsigned nr, uint64_t value)
{
    if (nr == 0)
        return (value ^ s->cr0) & s->ctl.cr0_mask;
    if (nr == 4)
        return (value ^ s->cr4) & s->ctl.cr4_mask;
    return nr == 3 && s->ctl.cr3_load_exiting;
}

_Noreturn static void exit_cr(struct soft *s, const struct uop *u, enum cr_access type,
                              unsigned nr, unsigned gpr, uint64_t value)
{
    struct vmexit *x = soft_exit_record(s, EXIT_CR_ACCESS);

    x->cr.type = type;
    x->cr.nr = (uint8_t)nr;
    x->cr.gpr = (uint8_t)gpr;
    x->cr.value = value;
    system_leave(s, u);
}

/* 0F 20 reads, 0F 22 writes.  The operand is 64 bits in 64-bit mode, else 32,
 * whatever the prefixes. */
void op_mov_cr(struct soft *s, const struct uop *u)
{
    unsigned size = code64(s) ? 8 : 4, nr = u->reg;
    uint64_t value;

    if (nr != 0 && nr != 2 && nr != 3 && nr != 4 && nr != 8)
        soft_fault(s, VEC_UD, 0);
    require_cpl0(s);
    if (u->opcode == 0x0f20) {
        if (nr == 3 && s->ctl.cr3_store_exiting)
            exit_cr(s, u, CR_MOV_FROM, nr, u->rm, s->cr3);
        write_gpr(s, u->rm, size, read_cr(s, nr));
        return;
    }
    value = low_bytes(s->gpr[u->rm], size);
    if (cr_write_exits(s, nr, value))
        exit_cr(s, u, CR_MOV_TO, nr, u->rm, value);
    write_cr(s, nr, value);
}

void op_clts(struct soft *s, const struct uop *u)
{
    require_cpl0(s);
    if (s->cr0 & s->ctl.cr0_mask & CR0_TS)
        exit_cr(s, u, CR_CLTS, 0, 0, s->cr0 & ~CR0_TS);
    s->cr0 &= ~CR0_TS;
    soft_mode_changed(s);
}

/* LMSW can set PE but not clear it. */
void op_lmsw(struct soft *s, const struct uop *u)
{
    uint64_t value;

    require_cpl0(s);
    value = (u->mem ? soft_load(s, u->seg, soft_ea(s, u), 2) : s->gpr[u->rm]) & 15;
    value = (s->cr0 & ~(CR0_MP | CR0_EM | CR0_TS)) | value;
    if (cr_write_exits(s, 0, value))
        exit_cr(s, u, CR_LMSW, 0, u->rm, value);
    write_cr(s, 0, value);
}

/* ---- debug registers ---- */

#define DR6_WRITABLE UINT64_C(0xe00f)
#define DR7_WRITABLE UINT64_C(0xffff23ff)

void write_dr(struct soft *s, unsigned nr, uint64_t value)
{
    if (nr >= 4 && value >> 32)
        fault_sel(s, VEC_GP, 0);
    if (nr == 6)
        value = (value & DR6_WRITABLE) | DR6_INIT;
    else if (nr == 7)
        value = (value & DR7_WRITABLE) | DR7_INIT;
    s->dr[nr] = value;
    soft_mode_changed(s);
}

void op_mov_dr(struct soft *s, const struct uop *u)
{
    unsigned size = code64(s) ? 8 : 4, nr = u->reg;
    bool load = u->opcode == 0x0f23;

    if (nr > 7 || ((nr == 4 || nr == 5) && (s->cr4 & CR4_DE)))
        soft_fault(s, VEC_UD, 0);
    require_cpl0(s);
    nr = nr == 4 || nr == 5 ? nr + 2 : nr;
    if (s->dr[7] & DR7_GD) {
        s->pending_db |= DR6_BD;
        soft_fault(s, VEC_DB, 0);
    }
    if (s->ctl.mov_dr_exiting) {
        struct vmexit *x = soft_exit_record(s, EXIT_DR_ACCESS);
        x->cr.type = load ? CR_MOV_TO : CR_MOV_FROM;
        x->cr.nr = (uint8_t)nr;
        x->cr.gpr = u->rm;
        x->cr.value = load ? low_bytes(s->gpr[u->rm], size) : s->dr[nr];
        system_leave(s, u);
    }
    if (load)
        write_dr(s, nr, low_bytes(s->gpr[u->rm], size));
    else
        write_gpr(s, u->rm, size, s->dr[nr]);
}

/* ---- descriptor tables ---- */

/* "If CR4.UMIP = 1 and CPL > 0": user code may not learn where they are. */
static void check_umip(struct soft *s)
{
    if (s->cpl && (s->cr4 & CR4_UMIP))
        fault_sel(s, VEC_GP, 0);
}

static uint64_t after(const struct uop *u, uint64_t ea, unsigned bytes)
{
    return low_bytes(ea + bytes, u->asize);
}

static void load_table(struct soft *s, const struct uop *u, struct table_reg *t)
{
    uint64_t ea = soft_ea(s, u), base;
    uint16_t limit;

    require_cpl0(s);
    limit = (uint16_t)soft_load(s, u->seg, ea, 2);
    base = soft_load(s, u->seg, after(u, ea, 2), code64(s) ? 8 : 4);
    if (!code64(s) && u->opsize == 2)
        base &= 0xffffff;
    if (code64(s) && !canonical(base))
        fault_sel(s, VEC_GP, 0);
    *t = (struct table_reg){ .base = base, .limit = limit };
}

/* All of the base is stored whatever the operand size, as processors since the
 * 386 do.  [SDM 2B "SGDT-Store Global Descriptor Table Register"] */
static void store_table(struct soft *s, const struct uop *u, const struct table_reg *t)
{
    uint64_t ea = soft_ea(s, u);
    unsigned size = code64(s) ? 8 : 4;

    check_umip(s);
    soft_lin_probe(s, soft_linear(s, u->seg, after(u, ea, 2), size, WALK_WRITE), size,
                   WALK_WRITE | (s->cpl == 3 ? WALK_USER : 0));
    soft_store(s, u->seg, ea, 2, t->limit);
    soft_store(s, u->seg, after(u, ea, 2), size, t->base);
}

void op_lgdt(struct soft *s, const struct uop *u)
{
    load_table(s, u, &s->gdtr);
}

void op_lidt(struct soft *s, const struct uop *u)
{
    load_table(s, u, &s->idtr);
}

void op_sgdt(struct soft *s, const struct uop *u)
{
    store_table(s, u, &s->gdtr);
}

void op_sidt(struct soft *s, const struct uop *u)
{
    store_table(s, u, &s->idtr);
}

/* To a register at operand size, to memory always 16 bits. */
static void store_word(struct soft *s, const struct uop *u, uint64_t value)
{

    if (u->mem)
        soft_store(s, u->seg, soft_ea(s, u), 2, value);
    else
        write_gpr(s, u->rm, u->opsize, value);
}

static void store_selector(struct soft *s, const struct uop *u, enum seg seg)
{
    if (real_mode(s) || v86_mode(s))
        soft_fault(s, VEC_UD, 0);
    check_umip(s);
    store_word(s, u, s->seg[seg].sel);
}

void op_sldt(struct soft *s, const struct uop *u)
{
    store_selector(s, u, SEG_LDTR);
}

void op_str(struct soft *s, const struct uop *u)
{
    store_selector(s, u, SEG_TR);
}

void op_smsw(struct soft *s, const struct uop *u)
{
    check_umip(s);
    store_word(s, u, s->cr0);
}

/* ---- caches and TLB ---- */

void finish_invlpg(struct soft *s, gla_t gla)
{
    if (canonical(gla))
        soft_tlb_flush_page(s, gla);
}

/* INVLPG checks neither limit nor type of the segment. */
void op_invlpg(struct soft *s, const struct uop *u)
{
    gla_t gla = soft_ea(s, u);

    require_cpl0(s);
    if (!code64(s))
        gla = (uint32_t)(gla + s->seg[u->seg].base);
    else if (u->seg == SEG_FS || u->seg == SEG_GS)
        gla += s->seg[u->seg].base;
    if (s->ctl.invlpg_exiting) {
        struct vmexit *x = soft_exit_record(s, EXIT_INVLPG);
        x->page.gla = gla;
        system_leave(s, u);
    }
    finish_invlpg(s, gla);
}

/* WBINVD and INVD: there is no cache to write back. */
void op_wbinvd(struct soft *s, const struct uop *u)
{
    (void)u;
    require_cpl0(s);
}

/* ---- flags of the kernel ---- */

static void change_flags(struct soft *s, uint64_t clear, uint64_t set)
{
    soft_set_flags(s, (soft_flags(s) & ~clear) | set);
}

/* Does CLI or STI act on VIF instead of IF?  #GP(0) if on neither.
 * [SDM 2A "CLI-Clear Interrupt Flag"; SDM 3B "Protected-Mode Virtual Interrupts"] */
static bool on_vif(struct soft *s)
{
    if (real_mode(s) || s->cpl <= iopl(s))
        return false;
    if (v86_mode(s) ? s->cr4 & CR4_VME : s->cpl == 3 && (s->cr4 & CR4_PVI))
        return true;
    fault_sel(s, VEC_GP, 0);
}

void op_cli(struct soft *s, const struct uop *u)
{
    (void)u;
    change_flags(s, on_vif(s) ? FLAG_VIF : FLAG_IF, 0);
}

void op_sti(struct soft *s, const struct uop *u)
{
    (void)u;
    if (on_vif(s)) {
        if (s->flags & FLAG_VIP)
            fault_sel(s, VEC_GP, 0);
        change_flags(s, 0, FLAG_VIF);
        return;
    }
    if (!(s->flags & FLAG_IF))
        s->irq_shadow = true;
    change_flags(s, 0, FLAG_IF);
}

static void require_smap(struct soft *s)
{
    uint32_t out[4];

    cpuid_answer(7, 0, true, 0, out);
    if (s->cpl || !(out[1] >> 20 & 1))
        soft_fault(s, VEC_UD, 0);
}

void op_clac(struct soft *s, const struct uop *u)
{
    (void)u;
    require_smap(s);
    change_flags(s, FLAG_AC, 0);
    soft_mode_changed(s);
}

void op_stac(struct soft *s, const struct uop *u)
{
    (void)u;
    require_smap(s);
    change_flags(s, 0, FLAG_AC);
    soft_mode_changed(s);
}

/* ---- the rest ---- */

void op_hlt(struct soft *s, const struct uop *u)
{
    require_cpl0(s);
    soft_exit_record(s, EXIT_HLT);
    system_leave(s, u);
}

/* MONITOR, MWAIT, XSETBV, RSM, VMX and SVM: CPUID does not list them. */
void op_undefined_system(struct soft *s, const struct uop *u)
{
    (void)u;
    soft_fault(s, VEC_UD, 0);
}

/* There are no performance counters, so no counter number is valid. */
void op_rdpmc(struct soft *s, const struct uop *u)
{
    (void)u;
    fault_sel(s, VEC_GP, 0);
}

void op_swapgs(struct soft *s, const struct uop *u)
{
    uint64_t base = s->seg[SEG_GS].base;

    (void)u;
    if (!code64(s))
        soft_fault(s, VEC_UD, 0);
    require_cpl0(s);
    s->seg[SEG_GS].base = s->kernel_gs_base;
    s->kernel_gs_base = base;
}

/* F3 0F AE /0 RDFSBASE /1 RDGSBASE /2 WRFSBASE /3 WRGSBASE */
void op_fsgsbase(struct soft *s, const struct uop *u)
{
    struct segment *g = &s->seg[u->reg & 1 ? SEG_GS : SEG_FS];
    uint64_t value = low_bytes(s->gpr[u->rm], u->opsize);

    if (!code64(s) || !(s->cr4 & CR4_FSGSBASE))
        soft_fault(s, VEC_UD, 0);
    if (!(u->reg & 2)) {
        write_gpr(s, u->rm, u->opsize, g->base);
        return;
    }
    if (!canonical(value))
        fault_sel(s, VEC_GP, 0);
    g->base = value;
}

void op_cpuid(struct soft *s, const struct uop *u)
{
    struct vmexit *x = soft_exit_record(s, EXIT_CPUID);

    x->cpuid.leaf = (uint32_t)s->gpr[RAX];
    x->cpuid.subleaf = (uint32_t)s->gpr[RCX];
    system_leave(s, u);
}

void op_vmcall(struct soft *s, const struct uop *u)
{
    static const enum gpr args[4] = { RBX, RCX, RDX, RSI };
    struct vmexit *x = soft_exit_record(s, EXIT_VMCALL);
    unsigned size = code64(s) ? 8 : 4;

    x->call.nr = low_bytes(s->gpr[RAX], size);
    for (unsigned i = 0; i < 4; i++)
        x->call.arg[i] = low_bytes(s->gpr[args[i]], size);
    system_leave(s, u);
}
