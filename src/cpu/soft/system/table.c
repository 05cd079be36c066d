/*
 * cpu/soft/system/table.c -- the table of the system instructions.
 *
 * The decoder asks soft_system_op() for each instruction that is not user-mode
 * integer code; the handlers are in the files that system.h lists.  Each is run by
 * op_system(), or by op_steady() if the next instruction can follow at once.  Where one
 * mnemonic has several opcodes, uop.opcode tells which.
 */
#include <Zydis/Mnemonic.h>

#include "cpu/soft/exec.h"
#include "cpu/soft/system/system.h"

/* MOV is three instructions: 8C 8E with Sreg, 0F 20 0F 22 with CR, 0F 21 0F 23 with DR. */
static void op_mov_special(struct soft *s, const struct uop *u)
{
    if (u->opcode < 0x0f00)
        op_mov_sreg(s, u);
    else if (u->opcode & 1)
        op_mov_dr(s, u);
    else
        op_mov_cr(s, u);
}

#define OP(mnemonic, fn)     { ZYDIS_MNEMONIC_##mnemonic, fn, false },
#define STEADY(mnemonic, fn) { ZYDIS_MNEMONIC_##mnemonic, fn, true },       /* see exec.h */

static const struct system_op { uint16_t mnemonic; op_fn *fn; bool steady; } ops[] = {
    /* segments */
    STEADY(PUSH, op_push_sreg) OP(POP, op_pop_sreg)
    OP(LDS, op_load_far_pointer) OP(LES, op_load_far_pointer)
    OP(LFS, op_load_far_pointer) OP(LGS, op_load_far_pointer)
    OP(LSS, op_load_far_pointer)
    OP(LLDT, op_lldt) OP(LTR, op_ltr)
    STEADY(LAR, op_lar) STEADY(LSL, op_lsl)
    STEADY(VERR, op_verr) STEADY(VERW, op_verw)
    STEADY(ARPL, op_arpl)
    /* transfers */
    OP(JMP, op_jmp_far) OP(CALL, op_call_far)
    OP(RET, op_ret_far)
    OP(INT, op_int) OP(INT3, op_int3)
    OP(INT1, op_int1) OP(INTO, op_into)
    OP(IRET, op_iret) OP(IRETD, op_iret)
    OP(IRETQ, op_iret)
    OP(SYSENTER, op_sysenter) OP(SYSEXIT, op_sysexit)
    OP(SYSCALL, op_syscall) OP(SYSRET, op_sysret)
    /* control */
    OP(MOV, op_mov_special)
    OP(CLTS, op_clts) OP(LMSW, op_lmsw)
    STEADY(SMSW, op_smsw)
    OP(LGDT, op_lgdt) OP(LIDT, op_lidt)
    STEADY(SGDT, op_sgdt) STEADY(SIDT, op_sidt)
    STEADY(SLDT, op_sldt) STEADY(STR, op_str)
    STEADY(INVLPG, op_invlpg)
    STEADY(WBINVD, op_wbinvd) STEADY(INVD, op_wbinvd)
    OP(CLI, op_cli) OP(STI, op_sti)
    OP(CLAC, op_clac) OP(STAC, op_stac)
    OP(HLT, op_hlt) STEADY(RDPMC, op_rdpmc)
    STEADY(SWAPGS, op_swapgs)
    STEADY(RDFSBASE, op_fsgsbase) STEADY(RDGSBASE, op_fsgsbase)
    STEADY(WRFSBASE, op_fsgsbase) STEADY(WRGSBASE, op_fsgsbase)
    STEADY(CPUID, op_cpuid) OP(VMCALL, op_vmcall)
    STEADY(RDMSR, op_rdmsr) OP(WRMSR, op_wrmsr)
    STEADY(RDTSC, op_rdtsc) STEADY(RDTSCP, op_rdtscp)
    STEADY(FXSAVE, op_fxsave) STEADY(FXSAVE64, op_fxsave)
    STEADY(FXRSTOR, op_fxrstor) STEADY(FXRSTOR64, op_fxrstor)
    STEADY(LDMXCSR, op_ldmxcsr) STEADY(STMXCSR, op_stmxcsr)
    /* ports */
    STEADY(IN, op_in) STEADY(OUT, op_out)
    OP(INSB, op_ins) OP(INSW, op_ins)
    OP(INSD, op_ins)
    OP(OUTSB, op_outs) OP(OUTSW, op_outs)
    OP(OUTSD, op_outs)
    /* what CPUID does not list */
    OP(MONITOR, op_undefined_system) OP(MWAIT, op_undefined_system)
    OP(XSETBV, op_undefined_system) OP(XGETBV, op_undefined_system)
    OP(RSM, op_undefined_system)
};

op_fn *soft_system_op(unsigned mnemonic, bool *steady)
{
    for (size_t i = 0; i < NELEM(ops); i++)
        if (ops[i].mnemonic == mnemonic) {
            *steady = ops[i].steady;
            return ops[i].fn;
        }
    return NULL;
}

/* ---- how they are run ---- */

/* While one runs, RIP is already behind it, so that a handler may push it (CALL) or
 * change it (JMP); restart_rip is where a fault puts it back to. */
void op_system(struct soft *s, const struct uop *u)
{
    s->cur = u;
    s->restart_rip = rip_mask(s, uop_rip(s, u));
    s->rip = rip_mask(s, s->restart_rip + u->len);
    s->in_system = true;
    u->sys(s, u);
    s->in_system = false;
    s->cur = NULL;
}

void op_steady(struct soft *s, const struct uop *u)
{
    op_system(s, u);
    JUMP(s, s->rip);
}
