/*
 * unicorn.c -- Unicorn, which is QEMU's translator without a machine, as a judge.
 *
 * It has neither paging nor segment limits, so a fault other than #UD and #DE
 * is nothing it can judge.  A case ends at an INT3.
 */
#include <stdio.h>
#include <unicorn/unicorn.h>

#include "judge.h"

static uc_engine *engines_of[N_WORLDS];
static int vector;

static const int regs64[16] = {
    UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX, UC_X86_REG_RSP, UC_X86_REG_RBP,
    UC_X86_REG_RSI, UC_X86_REG_RDI, UC_X86_REG_R8, UC_X86_REG_R9, UC_X86_REG_R10, UC_X86_REG_R11,
    UC_X86_REG_R12, UC_X86_REG_R13, UC_X86_REG_R14, UC_X86_REG_R15,
};
static const int regs32[8] = {
    UC_X86_REG_EAX, UC_X86_REG_ECX, UC_X86_REG_EDX, UC_X86_REG_EBX, UC_X86_REG_ESP, UC_X86_REG_EBP,
    UC_X86_REG_ESI, UC_X86_REG_EDI,
};

static void on_interrupt(uc_engine *uc, uint32_t v, void *arg)
{
    (void)arg;
    vector = (int)v;
    uc_emu_stop(uc);
}

bool unicorn_init(void)
{
    static const uc_mode modes[N_WORLDS] = { [W64] = UC_MODE_64, [W32] = UC_MODE_32, [REAL] = UC_MODE_16 };
    void (*on_it)(uc_engine *, uint32_t, void *) = on_interrupt;
    uc_hook hook;

    for (enum world w = 0; w < N_WORLDS; w++) {
        uc_engine **uc = &engines_of[w];
        if (!modes[w])
            continue;
        if (uc_open(UC_ARCH_X86, modes[w], uc))
            return false;
        for (size_t i = 0; i < NELEM(parts); i++)
            uc_mem_map(*uc, world_base(w) + parts[i].from, parts[i].to - parts[i].from, UC_PROT_ALL);
        uc_hook_add(*uc, &hook, UC_HOOK_INTR, *(void **)&on_it, NULL, 1, 0);
    }
    return true;
}

static void set_state(uc_engine *uc, const struct test *t)
{
    uint64_t flags = t->flags | FLAG_IF, cr4 = CR4_OSFXSR;

    uc_reg_write(uc, UC_X86_REG_CR4, &cr4);
    for (int i = 0; i < (t->world == W64 ? 16 : 8); i++)
        uc_reg_write(uc, UC_X86_REG_XMM0 + i, t->fpu.xmm[i]);
    uc_reg_write(uc, UC_X86_REG_MXCSR, &t->fpu.mxcsr);

    for (size_t i = 0; i < NELEM(parts); i++)
        uc_mem_write(uc, world_base(t->world) + parts[i].from, image + parts[i].from,
                     parts[i].to - parts[i].from);
    for (int i = 0; i < (t->world == W64 ? 16 : 8); i++)
        uc_reg_write(uc, t->world == W64 ? regs64[i] : regs32[i], &t->gpr[i]);
    uc_reg_write(uc, UC_X86_REG_EFLAGS, &flags);
    uc_ctl_remove_cache(uc, world_base(t->world) + CODE, world_base(t->world) + CODE_END);
}

void unicorn(const struct test *t, struct outcome *o)
{
    uc_engine *uc = engines_of[t->world];
    uc_err err;

    set_state(uc, t);
    vector = -1;
    err = uc_emu_start(uc, t->at, 0, 0, 0);
    for (int i = 0; i < 16; i++)
        o->gpr[i] = t->gpr[i];
    for (int i = 0; i < (t->world == W64 ? 16 : 8); i++) {
        o->gpr[i] = 0;
        uc_reg_read(uc, t->world == W64 ? regs64[i] : regs32[i], &o->gpr[i]);
    }
    o->fpu = t->fpu;
    for (int i = 0; i < (t->world == W64 ? 16 : 8); i++)
        uc_reg_read(uc, UC_X86_REG_XMM0 + i, o->fpu.xmm[i]);
    o->rip = o->flags = 0;
    uc_reg_read(uc, t->world == W64 ? UC_X86_REG_RIP : UC_X86_REG_EIP, &o->rip);
    uc_reg_read(uc, UC_X86_REG_EFLAGS, &o->flags);
    for (size_t i = 0; i < NELEM(parts); i++)
        uc_mem_read(uc, world_base(t->world) + parts[i].from, o->window + parts[i].from,
                    parts[i].to - parts[i].from);
    o->vector = err == UC_ERR_INSN_INVALID ? VEC_UD : err ? 2000 + (int)err : vector;
    if (o->vector == VEC_BP)
        o->rip--;                           /* a trap: go back to it */
    o->cs = t->cs;
    o->ss = t->ss;
    o->ds = t->ds;
    o->es = t->es;
}
