/*
 * cpu/soft/system.c -- the table of the system instructions.
 *
 * The decoder asks soft_system_op() for each instruction that is not user-mode
 * integer code; the handlers are in the files that system.h lists.  What a
 * handler needs to know of the encoding beyond struct uop (which opcode of
 * several with one mnemonic, ModRM) it reads from the instruction's bytes:
 * such instructions are rare, and struct uop stays one cache line.
 */
#include <Zydis/Mnemonic.h>

#include "cpu/soft/system.h"

static const struct system_op { uint16_t mnemonic; op_fn *fn; } ops[] = {
    /* segments */
    { ZYDIS_MNEMONIC_PUSH, op_push_sreg }, { ZYDIS_MNEMONIC_POP, op_pop_sreg },
    { ZYDIS_MNEMONIC_LDS, op_load_far_pointer }, { ZYDIS_MNEMONIC_LES, op_load_far_pointer },
    { ZYDIS_MNEMONIC_LFS, op_load_far_pointer }, { ZYDIS_MNEMONIC_LGS, op_load_far_pointer },
    { ZYDIS_MNEMONIC_LSS, op_load_far_pointer },
    { ZYDIS_MNEMONIC_LLDT, op_lldt }, { ZYDIS_MNEMONIC_LTR, op_ltr },
    { ZYDIS_MNEMONIC_LAR, op_lar }, { ZYDIS_MNEMONIC_LSL, op_lsl },
    { ZYDIS_MNEMONIC_VERR, op_verr }, { ZYDIS_MNEMONIC_VERW, op_verw },
    { ZYDIS_MNEMONIC_ARPL, op_arpl },
    /* transfers */
    { ZYDIS_MNEMONIC_JMP, op_jmp_far }, { ZYDIS_MNEMONIC_CALL, op_call_far },
    { ZYDIS_MNEMONIC_RET, op_ret_far },
    { ZYDIS_MNEMONIC_INT, op_int }, { ZYDIS_MNEMONIC_INT3, op_int3 },
    { ZYDIS_MNEMONIC_INT1, op_int1 }, { ZYDIS_MNEMONIC_INTO, op_into },
    { ZYDIS_MNEMONIC_IRET, op_iret }, { ZYDIS_MNEMONIC_IRETD, op_iret },
    { ZYDIS_MNEMONIC_IRETQ, op_iret },
    { ZYDIS_MNEMONIC_SYSENTER, op_sysenter }, { ZYDIS_MNEMONIC_SYSEXIT, op_sysexit },
    { ZYDIS_MNEMONIC_SYSCALL, op_syscall }, { ZYDIS_MNEMONIC_SYSRET, op_sysret },
    /* control */
    { ZYDIS_MNEMONIC_MOV, op_mov_special },
    { ZYDIS_MNEMONIC_CLTS, op_clts }, { ZYDIS_MNEMONIC_LMSW, op_lmsw },
    { ZYDIS_MNEMONIC_SMSW, op_smsw },
    { ZYDIS_MNEMONIC_LGDT, op_lgdt }, { ZYDIS_MNEMONIC_LIDT, op_lidt },
    { ZYDIS_MNEMONIC_SGDT, op_sgdt }, { ZYDIS_MNEMONIC_SIDT, op_sidt },
    { ZYDIS_MNEMONIC_SLDT, op_sldt }, { ZYDIS_MNEMONIC_STR, op_str },
    { ZYDIS_MNEMONIC_INVLPG, op_invlpg },
    { ZYDIS_MNEMONIC_WBINVD, op_wbinvd }, { ZYDIS_MNEMONIC_INVD, op_wbinvd },
    { ZYDIS_MNEMONIC_CLI, op_cli }, { ZYDIS_MNEMONIC_STI, op_sti },
    { ZYDIS_MNEMONIC_CLAC, op_clac }, { ZYDIS_MNEMONIC_STAC, op_stac },
    { ZYDIS_MNEMONIC_HLT, op_hlt }, { ZYDIS_MNEMONIC_RDPMC, op_rdpmc },
    { ZYDIS_MNEMONIC_SWAPGS, op_swapgs },
    { ZYDIS_MNEMONIC_RDFSBASE, op_fsgsbase }, { ZYDIS_MNEMONIC_RDGSBASE, op_fsgsbase },
    { ZYDIS_MNEMONIC_WRFSBASE, op_fsgsbase }, { ZYDIS_MNEMONIC_WRGSBASE, op_fsgsbase },
    { ZYDIS_MNEMONIC_CPUID, op_cpuid }, { ZYDIS_MNEMONIC_VMCALL, op_vmcall },
    { ZYDIS_MNEMONIC_RDMSR, op_rdmsr }, { ZYDIS_MNEMONIC_WRMSR, op_wrmsr },
    { ZYDIS_MNEMONIC_RDTSC, op_rdtsc }, { ZYDIS_MNEMONIC_RDTSCP, op_rdtscp },
    /* ports */
    { ZYDIS_MNEMONIC_IN, op_in }, { ZYDIS_MNEMONIC_OUT, op_out },
    { ZYDIS_MNEMONIC_INSB, op_ins }, { ZYDIS_MNEMONIC_INSW, op_ins },
    { ZYDIS_MNEMONIC_INSD, op_ins },
    { ZYDIS_MNEMONIC_OUTSB, op_outs }, { ZYDIS_MNEMONIC_OUTSW, op_outs },
    { ZYDIS_MNEMONIC_OUTSD, op_outs },
    /* what CPUID does not list */
    { ZYDIS_MNEMONIC_MONITOR, op_undefined_system }, { ZYDIS_MNEMONIC_MWAIT, op_undefined_system },
    { ZYDIS_MNEMONIC_XSETBV, op_undefined_system }, { ZYDIS_MNEMONIC_XGETBV, op_undefined_system },
    { ZYDIS_MNEMONIC_RSM, op_undefined_system },
};

op_fn *soft_system_op(unsigned mnemonic)
{
    for (size_t i = 0; i < NELEM(ops); i++)
        if (ops[i].mnemonic == mnemonic)
            return ops[i].fn;
    return NULL;
}

/* MOV is three instructions: 8C 8E with Sreg, 0F 20 0F 22 with CR, 0F 21 0F 23 with DR. */
void op_mov_special(struct soft *s, const struct uop *u)
{
    unsigned opcode = system_encoding(s, u).opcode;

    if (opcode < 0x0f00)
        op_mov_sreg(s, u);
    else if (opcode & 1)
        op_mov_dr(s, u);
    else
        op_mov_cr(s, u);
}

static bool is_prefix(uint8_t b)
{
    switch (b) {
    case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65:
    case 0x66: case 0x67: case 0xf0: case 0xf2: case 0xf3:
        return true;
    default:
        return false;
    }
}

/* [SDM 2A "Instruction Format"] */
struct encoding system_encoding(const struct soft *s, const struct uop *u)
{
    struct encoding e = { 0 };
    unsigned i = 0, rex = 0, modrm;

    /* A REX counts only right before the opcode. */
    for (; i + 1 < u->len; i++)
        if (is_prefix(u->bytes[i]))
            rex = 0;
        else if (code64(s) && (u->bytes[i] & 0xf0) == 0x40)
            rex = u->bytes[i];
        else
            break;
    e.opcode = u->bytes[i++];
    if (e.opcode == 0x0f && i < u->len)
        e.opcode = (uint16_t)(0x0f00 | u->bytes[i++]);
    if (i >= u->len)
        return e;
    modrm = u->bytes[i];
    e.mod = (uint8_t)(modrm >> 6);
    e.reg = (uint8_t)((modrm >> 3 & 7) | (rex & 4) << 1);
    e.rm = (uint8_t)((modrm & 7) | (rex & 1) << 3);
    e.mem = u->mem;
    return e;
}

void system_leave(struct soft *s, const struct uop *u)
{
    s->left = *u;
    soft_leave(s);
}
