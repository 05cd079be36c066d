/*
 * cpu/soft/system/msr.c -- RDMSR, WRMSR, RDTSC.
 *
 * Two kinds of model-specific register.  The CPU's own (EFER, the SYSCALL and
 * SYSENTER entry points, segment bases, PAT, TSC: cpu/msr.h) live in struct soft and need
 * no monitor.  All others belong to the machine around it, so the instruction
 * exits and the monitor answers, or reflects #GP.  With ctl.msr_exiting the
 * first kind exits too, and conclude.c performs the access after all.
 *
 * [SDM 2B "RDMSR-Read From Model Specific Register"; SDM 4 "MSRs"]
 */
#include "cpu/msr.h"
#include "cpu/soft/system/system.h"

/* The simple ones: a 64-bit field and what may be written to it. */
static const struct own_msr { uint32_t index; enum msr_rule rule; size_t field; } own[] = {
#define X(name, rule, field) { (uint32_t)MSR_##name, MSR_##rule, offsetof(struct soft, field) },
    CPU_MSR_LIST(X)
#undef X
};

static const struct own_msr *find_own(uint32_t index)
{
    for (size_t i = 0; i < NELEM(own); i++)
        if (own[i].index == index)
            return &own[i];
    return NULL;
}

/* 1 retired instruction = 1 ns of virtual time = 1 tick. */
static uint64_t read_tsc(const struct soft *s)
{
    return s->v->tsc_base + s->icount;
}

static bool msr_read(struct soft *s, uint32_t index, uint64_t *value)
{
    const struct own_msr *m = find_own(index);

    if (index == (uint32_t)MSR_TSC) {
        *value = read_tsc(s);
        return true;
    }
    if (!m)
        return false;
    *value = *(const uint64_t *)((const char *)s + m->field);
    return true;
}

/* LMA is the processor's, and LME cannot move while paging is on.
 * [SDM 3A "Initializing IA-32e Mode"] */
static uint64_t checked_efer(struct soft *s, uint64_t value)
{
    if (value & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE))
        gp_because(s, OBSTACLE_EFER_RESERVED,
                   value & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE));
    if (((value ^ s->efer) & EFER_LME) && (s->cr0 & CR0_PG))
        gp_because(s, OBSTACLE_EFER_PAGING, value);
    return (value & ~EFER_LMA) | (s->efer & EFER_LMA);
}

/* Each byte a memory type: UC WC WT WP WB UC-  [SDM 3A "IA32_PAT MSR"] */
static uint64_t checked_pat(struct soft *s, uint64_t value)
{
    for (unsigned i = 0; i < 64; i += 8) {
        unsigned type = value >> i & 0xff;
        if (type > 7 || type == 2 || type == 3)
            gp_because(s, OBSTACLE_PAT_TYPE, value);
    }
    return value;
}

bool msr_write(struct soft *s, uint32_t index, uint64_t value)
{
    const struct own_msr *m = find_own(index);

    if (index == (uint32_t)MSR_TSC) {
        s->v->tsc_base = value - s->icount;
        return true;
    }
    if (!m)
        return false;
    if ((m->rule == MSR_CANONICAL && !canonical(value)) || (m->rule == MSR_LOW32 && value >> 32))
        gp_because(s, OBSTACLE_MSR_VALUE, value);
    if (index == (uint32_t)MSR_EFER) {
        value = checked_efer(s, value);
        if ((value ^ s->efer) & EFER_NXE)
            soft_tlb_flush(s, true);
    } else if (index == (uint32_t)MSR_PAT) {
        value = checked_pat(s, value);
    }
    *(uint64_t *)((char *)s + m->field) = value;
    if (index == (uint32_t)MSR_EFER)
        soft_mode_changed(s);
    return true;
}

/* 64-bit values went through EDX:EAX long before there was RAX; the upper halves are cleared. */
static void set_edx_eax(struct soft *s, uint64_t value)
{
    soft_write_reg(s, RAX, 4, value & 0xffffffff);
    soft_write_reg(s, RDX, 4, value >> 32);
}

_Noreturn static void exit_msr(struct soft *s, const struct uop *u, enum exit_reason reason,
                               uint32_t index, uint64_t value)
{
    struct vmexit *x = soft_exit_record(s, reason);

    x->msr.index = index;
    x->msr.value = value;
    system_leave(s, u);
}

/* Reading performs no access outside the CPU, so the value is put into the record even if the
 * access only exits because the monitor wants to see it. */
void op_rdmsr(struct soft *s, const struct uop *u)
{
    uint32_t index = (uint32_t)s->gpr[RCX];
    uint64_t value = 0;

    require_cpl0(s);
    if (!msr_read(s, index, &value) || s->ctl.msr_exiting)
        exit_msr(s, u, EXIT_RDMSR, index, value);
    set_edx_eax(s, value);
}

void op_wrmsr(struct soft *s, const struct uop *u)
{
    uint32_t index = (uint32_t)s->gpr[RCX];
    uint64_t value = s->gpr[RDX] << 32 | (uint32_t)s->gpr[RAX];

    require_cpl0(s);
    if (s->ctl.msr_exiting || !msr_write(s, index, value))
        exit_msr(s, u, EXIT_WRMSR, index, value);
}

/* ---- RDTSC, RDTSCP ---- */

/* A kernel can keep programs from the time stamp counter (CR4.TSD), a monitor can keep guests
 * from it; here it counts instructions, so a guest cannot tell how fast its host is. */
static void rdtsc(struct soft *s, const struct uop *u, bool aux)
{
    if (s->cpl && (s->cr4 & CR4_TSD))
        gp_because(s, OBSTACLE_TSD, s->cpl);
    if (s->ctl.rdtsc_exiting)
        exit_msr(s, u, EXIT_RDTSC, aux ? MSR_TSC_AUX : MSR_TSC, read_tsc(s));
    set_edx_eax(s, read_tsc(s));
    if (aux)
        soft_write_reg(s, RCX, 4, s->tsc_aux);
}

void op_rdtsc(struct soft *s, const struct uop *u)
{
    rdtsc(s, u, false);
}

void op_rdtscp(struct soft *s, const struct uop *u)
{
    rdtsc(s, u, true);
}
