/*
 * cpu/soft/system/control_regs.c -- MOV to and from control registers, LMSW, CLTS.
 *
 * The control registers decide what all other instructions mean: CR0 has the switches of
 * protected mode and paging, CR3 the address of the page tables, CR4 the extensions, CR2
 * the address of the last page fault, CR8 the task priority of 64-bit mode.
 *
 * Where a control of the monitor's asks for it (engine.h), the instruction exits first,
 * after the privilege check and before anything else, as in VMX non-root operation.
 * conclude.c then calls write_cr().  [SDM 3C "Instructions That Cause VM Exits
 * Conditionally"]
 *
 * [SDM 3A "Control Registers", "Mode Switching", "Initializing IA-32e Mode";
 * SDM 2B "MOV-Move to/from Control Registers"]
 */
#include "cpu/soft/system/system.h"

#include "cpu/cpuid.h"
#include "mem/gmem.h"

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

/* A kernel may set a bit of CR4 to see whether it faults; so what CPUID denies must fault. */
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
        gp_because(s, OBSTACLE_PDPTE_NONE, cr3);
    for (unsigned i = 0; i < 4; i++)
        if ((pdpte[i] & PTE_P) && (pdpte[i] & reserved))
            gp_because(s, OBSTACLE_PDPTE, pdpte[i]);
}

/* "Activating IA-32e mode" and leaving it: what CR0.PG going up or down means under EFER.LME. */
static void switch_long_mode(struct soft *s, uint64_t value)
{
    bool tss16 = (s->seg[SEG_TR].attr & 0xd) == SYS_TSS16;

    if (!(s->efer & EFER_LME) || !((value ^ s->cr0) & CR0_PG))
        return;
    if (value & CR0_PG) {
        if (!(s->cr4 & CR4_PAE))
            gp_because(s, OBSTACLE_LONG_PAE, s->cr4);
        if (s->seg[SEG_CS].attr & SEG_L)
            gp_because(s, OBSTACLE_LONG_CS, 0);
        if (tss16)
            gp_because(s, OBSTACLE_LONG_TSS, s->seg[SEG_TR].sel);
        s->efer |= EFER_LMA;
    } else {
        if (code64(s))
            gp_because(s, OBSTACLE_LONG_LEAVE, value);
        s->efer &= ~EFER_LMA;
    }
}

/* Some combinations make no sense and are refused: paging needs protected mode, and "not
 * write-through" needs the cache off.  ET is hardwired to 1 since the 486.  Every change of
 * PE, PG or WP changes what an address means or who may use it, so the TLB is emptied. */
static void write_cr0(struct soft *s, uint64_t value)
{
    const uint64_t paging = CR0_PG | CR0_WP | CR0_PE, pae = CR0_PG | CR0_CD | CR0_NW;
    uint64_t changed;

    if (value >> 32)
        gp_because(s, OBSTACLE_CR0_UPPER, value);
    value = (value & CR0_DEFINED) | CR0_ET;
    changed = value ^ s->cr0;
    if ((value & CR0_PG) && !(value & CR0_PE))
        gp_because(s, OBSTACLE_PG_WITHOUT_PE, value);
    if ((value & CR0_NW) && !(value & CR0_CD))
        gp_because(s, OBSTACLE_NW_WITHOUT_CD, value);
    if ((changed & pae) && !(s->efer & EFER_LME))
        check_pdptes(s, value, s->cr3, s->cr4);
    switch_long_mode(s, value);
    s->cr0 = value;
    if (changed & paging)
        soft_tlb_flush(s, true);
    soft_mode_changed(s);
}

/* A new address space.  Entries marked global (a kernel's own, the same in every space) stay in
 * the TLB: that is what they are for.  [SDM 3A "Invalidation of TLBs and Paging-Structure
 * Caches"] */
static void write_cr3(struct soft *s, uint64_t value)
{
    if (long_mode(s)) {
        if (value & FIELD(63, MAXPHYADDR))
            gp_because(s, OBSTACLE_CR3_UPPER, value);
    } else {
        value = (uint32_t)value;
    }
    check_pdptes(s, s->cr0, value, s->cr4);
    s->cr3 = value;
    soft_tlb_flush(s, false);
}

/* In long mode PAE cannot be switched off, since its tables are an extension of PAE's. */
static void write_cr4(struct soft *s, uint64_t value)
{
    const uint64_t paging = CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP | CR4_SMAP;
    uint64_t changed = value ^ s->cr4;

    if (value & ~cr4_defined())
        gp_because(s, OBSTACLE_CR4_RESERVED, value & ~cr4_defined());
    if (long_mode(s) && !(value & CR4_PAE))
        gp_because(s, OBSTACLE_LONG_KEEPS_PAE, value);
    if (changed & (CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP))
        check_pdptes(s, s->cr0, s->cr3, value);
    s->cr4 = value;
    if (changed & paging)
        soft_tlb_flush(s, true);
    soft_mode_changed(s);
}

/* CR8 is the task priority, the upper half of the local APIC's TPR; without an APIC nobody
 * looks at it. */
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
            gp_because(s, OBSTACLE_CR8_RESERVED, value);
        s->cr8 = value;
        break;
    default:
        fault_because(s, OBSTACLE_REGISTER, nr, VEC_UD, 0);
    }
}

static uint64_t read_cr(const struct soft *s, unsigned nr)
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

/* The record says which register and which general register, so that the monitor need not
 * decode the instruction. */
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
        fault_because(s, OBSTACLE_REGISTER, nr, VEC_UD, 0);
    require_cpl0(s);
    if (u->opcode == 0x0f20) {
        if (nr == 3 && s->ctl.cr3_store_exiting)
            exit_cr(s, u, CR_MOV_FROM, nr, u->rm, s->cr3);
        soft_write_reg(s, u->rm, size, read_cr(s, nr));
        return;
    }
    value = low_bytes(s->gpr[u->rm], size);
    if (cr_write_exits(s, nr, value))
        exit_cr(s, u, CR_MOV_TO, nr, u->rm, value);
    write_cr(s, nr, value);
}

/* CLTS ends what a task switch began: the kernel has exchanged the registers of the FPU. */
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
