/*
 * cpu/kvm/step.c -- one instruction at a time, and the guest does not notice.
 *
 * A step is taken with TF, the trap flag of RFLAGS, which makes the CPU raise #DB behind the
 * instruction.  KVM sets it for us (KVM_GUESTDBG_SINGLESTEP).  But the guest can see TF and use
 * it for itself, and KVM knows of one flag only: it hides its own when the registers are read,
 * and the guest's with it.  So while KVM steps, the guest's own TF is kept here (`guest_tf`):
 *
 *   what shows TF      PUSHF, SYSCALL (in R11), the frame of a fault or interrupt: corrected
 *                      behind the instruction
 *   what loads TF      POPF, IRET, SYSRET: looked at before the instruction
 *   what clears TF     a delivery, and SYSCALL by its mask.  The CPU is then stepped no longer
 *                      and would run to the handler's IRET.  So wherever a handler may begin a
 *                      stop is laid for this one entry, a "landing"
 *   what KVM emulates  loses KVM's TF: it is asked for again before the next step (`lost`)
 *   what TF does       if the guest's own TF is set, the guest gets #DB behind the
 *                      instruction; so do its own debug registers (`owes_db`)
 *
 * A landing is HLT in place of the handler's first byte.  It is there only while the CPU is in
 * the guest, and not where the instruction itself would see it.  HLT in ring 0 always exits;
 * INT3 and the debug registers do not on every KVM.  Whether landings work is found out by
 * probe.c.  Where they do not, a step over a fault ends behind the handler's first instruction
 * or where the handler returns to, which depends on the host's KVM.
 *
 * Begin with kvm_step_begin(), kvm_step_lay() and kvm_step_end(), in this order.
 * [SDM 3B "Single-Step Exception Condition"]
 */
#include "cpu/kvm/kvm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <Zydis/Zydis.h>

#include "base/x86.h"
#include "cpu/accesses.h"
#include "mem/walk.h"

/* ---- the guest's stack and tables ---- */

/* Host address of a word on the guest's stack, `slots` words of `bytes` each above the one that
 * RSP points to.  NULL if it cannot be reached.  A stack outside 64-bit mode wraps at 64
 * KiB if its segment's B flag is clear.  [SDM 1 "Address-Size Attribute for Stack"] */
static uint8_t *on_stack(struct vcpu *v, unsigned slots, unsigned bytes)
{
    const struct kvm_cpu *k = v->priv;
    const struct kvm_sregs *r = &k->run->s.regs.sregs;
    uint64_t sp = k->run->s.regs.regs.rsp + slots * bytes;
    gla_t gla = sp;
    if (kvm_code_bytes(k) != 8)
        gla = (uint32_t)(r->ss.base + (r->ss.db ? (uint32_t)sp : (uint16_t)sp));
    return kvm_hva(v, gla, bytes, WALK_READ);
}

/* TF as it stands in a word of flags on the stack: bit 8, so bit 0 of the second byte. */
static bool tf_on_stack(struct vcpu *v, unsigned slots, unsigned bytes)
{
    const uint8_t *flags = on_stack(v, slots, bytes);
    return flags && (flags[1] & FLAG_TF >> 8);
}

/* Write TF into a word of flags in guest memory, without touching its other bits. */
static void put_tf(uint8_t *flags, bool tf)
{
    flags[1] = (uint8_t)((flags[1] & ~(FLAG_TF >> 8)) | (tf ? FLAG_TF >> 8 : 0));
}

/* Read n bytes of a descriptor table.  They must lie in one page, as aligned descriptors
 * do. */
static bool read_linear(struct vcpu *v, gla_t at, void *buf, size_t n)
{
    if ((at & (PAGE_SIZE - 1)) + n > PAGE_SIZE)
        return false;
    const void *hva = kvm_hva(v, at, n, WALK_READ);
    if (hva)
        memcpy(buf, hva, n);
    return hva != NULL;
}

/* The base of the code segment that a gate names.  False if it is none of ring 0: HLT as a
 * landing is of no use elsewhere, for in other rings it is a fault.  [SDM 3A "Segment
 * Descriptors"] */
static bool ring0_code_base(struct vcpu *v, uint16_t sel, gla_t *base)
{
    const struct kvm_sregs *r = &((struct kvm_cpu *)v->priv)->run->s.regs.sregs;
    gla_t table = sel & 4 ? r->ldt.base : r->gdt.base;
    uint8_t d[8];
    if (!read_linear(v, table + (sel & ~7u), d, sizeof d) || (d[5] & 0x60) || (d[5] & 0x1c) != 0x18)
        return false;
    *base = (gla_t)(d[2] | d[3] << 8 | d[4] << 16) | (gla_t)d[7] << 24;
    return true;
}

/* Where the handler of a vector begins: the entry of the interrupt table, read as the CPU
 * will read it.  Real mode has 4 bytes for each vector, offset and segment; protected mode
 * a gate of 8 bytes; long mode one of 16, with the offset's upper half behind.  False if
 * there is no gate to ring 0; task gates are not followed.  [SDM 3A "IDT Descriptors",
 * "64-Bit Mode IDT"; SDM 1 "Real-Address Mode Operation"] */
static bool find_handler(struct vcpu *v, unsigned vector, gla_t *at)
{
    const struct kvm_sregs *r = &((struct kvm_cpu *)v->priv)->run->s.regs.sregs;
    bool real = !(r->cr0 & CR0_PE), is_long = r->efer & EFER_LMA;
    unsigned bytes = real ? 4 : is_long ? 16 : 8;
    uint8_t g[16];
    gla_t base;
    if ((vector + 1) * bytes > r->idt.limit + 1u ||
        !read_linear(v, r->idt.base + vector * bytes, g, bytes))
        return false;
    uint16_t low = (uint16_t)(g[0] | g[1] << 8), sel = (uint16_t)(g[2] | g[3] << 8);
    if (real) {
        *at = sel * 16u + low;
        return true;
    }
    /* Types 6 and 7 are 16-bit interrupt and trap gates; 14 and 15 those of 32 and 64 bits. */
    unsigned type = g[5] & 0x1f;
    if (!(g[5] & 0x80) || (type & 0x16) != 6)
        return false;
    uint64_t off = low | (type & 8 ? (uint32_t)(g[6] | g[7] << 8) << 16 : 0);
    if (!ring0_code_base(v, sel, &base))
        return false;
    if (is_long) {
        uint32_t high;
        memcpy(&high, g + 8, 4);
        *at = off | (uint64_t)high << 32;
        return true;
    }
    *at = (uint32_t)(base + off);
    return true;
}

/* ---- before: what will it do? ---- */

/* The instructions that show, load or clear TF.  `bytes` is the word that they move. */
static const struct { uint16_t mnemonic; uint8_t kind, bytes; } tf_insns[] = {
    { ZYDIS_MNEMONIC_PUSHF,   STEP_PUSHES,  2 }, { ZYDIS_MNEMONIC_PUSHFD,  STEP_PUSHES, 4 },
    { ZYDIS_MNEMONIC_PUSHFQ,  STEP_PUSHES,  8 },
    { ZYDIS_MNEMONIC_POPF,    STEP_POPS,    2 }, { ZYDIS_MNEMONIC_POPFD,   STEP_POPS,   4 },
    { ZYDIS_MNEMONIC_POPFQ,   STEP_POPS,    8 },
    { ZYDIS_MNEMONIC_IRET,    STEP_RETURNS, 2 }, { ZYDIS_MNEMONIC_IRETD,   STEP_RETURNS, 4 },
    { ZYDIS_MNEMONIC_IRETQ,   STEP_RETURNS, 8 },
    { ZYDIS_MNEMONIC_SYSCALL, STEP_SYSCALL, 0 }, { ZYDIS_MNEMONIC_SYSRET,  STEP_SYSRET, 0 },
    { ZYDIS_MNEMONIC_INT,     STEP_INT,     0 }, { ZYDIS_MNEMONIC_INT3,    STEP_INT,    0 },
    { ZYDIS_MNEMONIC_INTO,    STEP_INT,     0 },
};

/* True for instructions that neither touch memory nor can fault once they are fetched, and
 * that no KVM emulates.  After them KVM's trap flag is still there, and no landings are
 * needed: most steps are such, and cost one system call less. */
static bool is_harmless(const ZydisDecodedInstruction *i, const ZydisDecodedOperand *o)
{
    static const uint8_t plain[] = {
        ZYDIS_CATEGORY_LOGICAL, ZYDIS_CATEGORY_SHIFT, ZYDIS_CATEGORY_ROTATE, ZYDIS_CATEGORY_COND_BR,
        ZYDIS_CATEGORY_CMOV, ZYDIS_CATEGORY_SETCC, ZYDIS_CATEGORY_NOP, ZYDIS_CATEGORY_CONVERT,
        ZYDIS_CATEGORY_BITBYTE, ZYDIS_CATEGORY_UNCOND_BR,
    };
    for (unsigned k = 0; k < i->operand_count; k++)
        if (o[k].type == ZYDIS_OPERAND_TYPE_MEMORY || o[k].type == ZYDIS_OPERAND_TYPE_POINTER)
            return false;
    if (i->meta.category == ZYDIS_CATEGORY_BINARY)
        return i->mnemonic != ZYDIS_MNEMONIC_DIV && i->mnemonic != ZYDIS_MNEMONIC_IDIV;
    if (i->mnemonic == ZYDIS_MNEMONIC_MOV)
        return o[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
               ZydisRegisterGetClass(o[0].reg.value) <= ZYDIS_REGCLASS_GPR64 &&
               (o[1].type != ZYDIS_OPERAND_TYPE_REGISTER ||
                ZydisRegisterGetClass(o[1].reg.value) <= ZYDIS_REGCLASS_GPR64);
    return i->meta.isa_set != ZYDIS_ISA_SET_SSE && memchr(plain, i->meta.category, sizeof plain);
}

/* One MSR of the guest's; 0 if the kernel does not have it.  struct kvm_msrs ends in a
 * flexible array, hence the union. */
static uint64_t read_msr(struct kvm_cpu *k, uint32_t index)
{
    union {
        struct kvm_msrs head;
        char room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
    } m = { 0 };
    m.head.nmsrs = 1;
    m.head.entries[0].index = index;
    return ioctl(k->fd, KVM_GET_MSRS, &m) == 1 ? m.head.entries[0].data : 0;
}

/* A landing at the stepped instruction itself would stop the step before it began. */
static void add_landing(struct kvm_cpu *k, gla_t at)
{
    struct kvm_step *s = &k->step;
    for (unsigned i = 0; i < s->n_landings; i++)
        if (s->landing[i].at == at)
            return;
    if (s->n_landings < NELEM(s->landing) && at != kvm_pc(k))
        s->landing[s->n_landings++] = (struct kvm_landing){ .at = at };
}

static void land_in_handler(struct vcpu *v, unsigned vector)
{
    gla_t at;
    if (find_handler(v, vector, &at))
        add_landing(v->priv, at);
}

/* An instruction may fault, and which fault it will be is not known before: every handler
 * is a landing. */
static void land_in_fault_handlers(struct vcpu *v)
{
    static const uint8_t faults[] = {
        VEC_PF, VEC_GP, VEC_UD, VEC_DE, VEC_NM, VEC_SS, VEC_NP, VEC_TS, VEC_MF, VEC_XM, VEC_AC,
        VEC_BR, VEC_DF,
    };
    for (size_t i = 0; i < sizeof faults; i++)
        land_in_handler(v, faults[i]);
}

/* Does the instruction show, load or clear TF, or enter a handler by itself?  What it will
 * load into TF is read here, before it runs: from the stack (IRET's frame is RIP, CS,
 * RFLAGS, so slot 2) or from R11.  SYSCALL keeps RFLAGS in R11 and clears the flags that are
 * set in the MSR FMASK.  [SDM 2B "IRET/IRETD/IRETQ", "POPF/POPFD/POPFQ", "SYSCALL",
 * "SYSRET"] */
static void find_kind(struct vcpu *v, const ZydisDecodedInstruction *i,
                      const ZydisDecodedOperand *o)
{
    struct kvm_cpu *k = v->priv;
    struct kvm_step *s = &k->step;
    const struct kvm_regs *r = &k->run->s.regs.regs;
    for (size_t n = 0; n < NELEM(tf_insns); n++)
        if (tf_insns[n].mnemonic == i->mnemonic) {
            s->kind = tf_insns[n].kind;
            s->bytes = tf_insns[n].bytes;
        }
    s->tf_after = s->guest_tf;
    if (s->kind == STEP_POPS)
        s->tf_after = tf_on_stack(v, 0, s->bytes);
    if (s->kind == STEP_RETURNS)
        s->tf_after = tf_on_stack(v, 2, s->bytes);
    if (s->kind == STEP_SYSRET)
        s->tf_after = r->r11 & FLAG_TF;
    if (s->kind == STEP_SYSCALL) {
        s->tf_after = s->guest_tf && !(read_msr(k, MSR_SFMASK) & FLAG_TF);
        add_landing(k, read_msr(k, kvm_code_bytes(k) == 8 ? MSR_LSTAR : MSR_CSTAR));
    }
    if (s->kind == STEP_INT)
        land_in_handler(v, i->mnemonic == ZYDIS_MNEMONIC_INTO ? VEC_OF :
                           i->mnemonic == ZYDIS_MNEMONIC_INT3 ? VEC_BP : (uint8_t)o[0].imm.value.u);
}

/* Decode what is about to run, and choose where landings are needed.  What cannot be
 * decoded gets landings at all faults: it is probably #UD. */
static void look_at_instruction(struct vcpu *v, uint8_t bytes[15], size_t *n)
{
    static const struct { ZydisMachineMode mode; ZydisStackWidth stack; } modes[] = {
        [2] = { ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16 },
        [4] = { ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32 },
        [8] = { ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64 },
    };
    struct kvm_cpu *k = v->priv;
    unsigned mode = kvm_code_bytes(k);
    ZydisDecoder d;
    ZydisDecodedInstruction i;
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
    *n = kvm_fetch(v, k->run->s.regs.regs.rip, bytes, 15);
    k->step.kind = STEP_PLAIN;
    k->step.tf_after = k->step.guest_tf;
    bool ok = ZYAN_SUCCESS(ZydisDecoderInit(&d, modes[mode].mode, modes[mode].stack)) && *n &&
              ZYAN_SUCCESS(ZydisDecoderDecodeFull(&d, bytes, *n, &i, o));
    if (ok)
        find_kind(v, &i, o);
    k->step.harmless = ok && is_harmless(&i, o);
    if (!k->step.harmless)
        land_in_fault_handlers(v);
}

/* ---- landings ---- */

/* Write HLT over the first byte of each landing.  A landing is left out if the instruction
 * itself would see the HLT: if it reads or writes that byte, or if the byte is its own
 * code.  Then the step may run on further, but the guest is never shown what is not its
 * own. */
static void lay_landings(struct vcpu *v, const uint8_t *bytes, size_t n)
{
    struct kvm_cpu *k = v->priv;
    struct kvm_step *s = &k->step;
    struct operand o[MAX_OPERANDS];
    struct cpu_state state;
    if (!s->n_landings || kvm_get_state(v, ST_GPRS | ST_SEGS | ST_CRS, &state))
        return;
    unsigned touched = operands_of(&state, 8 * kvm_code_bytes(k), bytes, n, o);
    for (unsigned i = 0; i < s->n_landings; i++) {
        struct kvm_landing *l = &s->landing[i];
        l->hva = l->at - kvm_pc(k) < 15 || operands_touch(o, touched, l->at, 1, ACCESS_R | ACCESS_W)
               ? NULL : kvm_hva(v, l->at, 1, WALK_READ);
        if (!l->hva)
            continue;
        l->was = *l->hva;
        l->was_laid = true;
        *l->hva = 0xf4;
    }
}

/* Put the guest's own bytes back, before anybody looks at memory.  In the reverse order, so
 * that of two landings at one host address the true byte is written last. */
static void remove_landings(struct kvm_step *s)
{
    for (unsigned i = s->n_landings; i-- > 0; )
        if (s->landing[i].hva) {
            *s->landing[i].hva = s->landing[i].was;
            s->landing[i].hva = NULL;
        }
}

/* Did HLT lie at this address during the last entry? */
static bool is_landing(const struct kvm_step *s, gla_t pc)
{
    for (unsigned i = 0; i < s->n_landings; i++)
        if (s->landing[i].was_laid && s->landing[i].at == pc)
            return true;
    return false;
}

/* If an event is injected, the CPU delivers it first and the step ends before the handler's
 * first instruction; otherwise the step is the instruction at RIP. */
void kvm_step_begin(struct vcpu *v)
{
    struct kvm_cpu *k = v->priv;
    struct kvm_step *s = &k->step;
    uint8_t bytes[15];
    size_t n = 0;
    s->n_landings = 0;
    s->kind = STEP_DELIVERY;
    s->flags = k->run->s.regs.regs.rflags;
    if (!kvm_stepping(k))
        s->guest_tf = s->flags & FLAG_TF;       /* KVM shows it still */
    s->cs = k->run->s.regs.sregs.cs.selector;
    if (s->coming)
        land_in_handler(v, s->coming & 0xff);
    else
        look_at_instruction(v, bytes, &n);
}

/* The instruction is fetched again: between begin() and here KVM has been told what is
 * wanted, and may have finished an instruction that was half done. */
void kvm_step_lay(struct vcpu *v)
{
    struct kvm_cpu *k = v->priv;
    uint8_t bytes[15];
    size_t n = 0;
    if (!k->step.lands)
        return;
    if (!k->step.coming)
        n = kvm_fetch(v, k->run->s.regs.regs.rip, bytes, sizeof bytes);
    lay_landings(v, bytes, n);
}

/* ---- behind it ---- */

/* How far from the top of the stack a frame is looked for: an error code may lie on it, and
 * what the handler's first instruction pushes, if the step ended behind that. */
#define FRAME_SLOTS 4

/* What an instruction may have changed before an interrupt: the arithmetic flags. */
#define MAY_DIFFER (FLAG_TF | FLAG_RF | FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* Write the guest's own TF into the frame of a delivery.  The frame is three words, RIP, CS
 * and RFLAGS, the RIP lowest; it is known by its contents: an RIP within the stepped
 * instruction or just behind it, the CS of before, and flags that differ from those of
 * before in nothing but what one instruction may change.  [SDM 3A "Exception- and
 * Interrupt-Handler Procedures"] */
static void correct_frame(struct vcpu *v)
{
    struct kvm_cpu *k = v->priv;
    unsigned bytes = kvm_code_bytes(k);
    for (unsigned i = 0; i < FRAME_SLOTS; i++) {
        uint64_t rip = 0, cs = 0, flags = 0, mask = bytes == 8 ? UINT64_MAX : BIT(8 * bytes) - 1;
        uint8_t *frame[3];
        for (unsigned n = 0; n < 3; n++)
            if (!(frame[n] = on_stack(v, i + n, bytes)))
                return;
        memcpy(&rip, frame[0], bytes);
        memcpy(&cs, frame[1], bytes);
        memcpy(&flags, frame[2], bytes);
        if (((rip - k->entry_rip) & mask) > 15 || (uint16_t)cs != k->step.cs ||
            ((flags ^ k->step.flags) & mask & ~(uint64_t)MAY_DIFFER))
            continue;
        put_tf(frame[2], k->step.guest_tf);
        return;
    }
}

/* A handler has been entered: the delivery has cleared TF, for the guest as well as for
 * KVM. */
static void after_delivery(struct vcpu *v)
{
    struct kvm_cpu *k = v->priv;
    correct_frame(v);
    k->step.guest_tf = false;
    k->step.lost = true;
    k->step.coming = 0;
}

/* SYSCALL has put RFLAGS into R11, and with them KVM's own TF. */
static void correct_r11(struct kvm_cpu *k)
{
    struct kvm_regs *r = &k->run->s.regs.regs;
    r->r11 = (r->r11 & ~(uint64_t)FLAG_TF) | (k->step.guest_tf ? FLAG_TF : 0);
    ioctl(k->fd, KVM_SET_REGS, r);
    k->step.lost = true;
}

/* The instruction is done: put right what it showed of TF, and note what the guest's TF is
 * now.
 *
 * A jump of more than 15 bytes, the longest an instruction can be, by one that is no return
 * may have been a delivery.  Whether the guest's own trap is due is decided by TF as it was
 * before the instruction; of SYSCALL and SYSRET by TF as it is behind them.  [SDM 3B
 * "Single-Step Exception Condition"] */
static void after_instruction(struct vcpu *v)
{
    struct kvm_cpu *k = v->priv;
    struct kvm_step *s = &k->step;
    uint8_t *flags;
    bool had_tf = s->guest_tf;
    bool jumps = s->kind == STEP_RETURNS || s->kind == STEP_SYSRET || s->kind == STEP_SYSCALL;
    if (s->kind == STEP_DELIVERY || (!jumps && k->run->s.regs.regs.rip - k->entry_rip > 15))
        correct_frame(v);
    if (s->kind == STEP_DELIVERY || s->kind == STEP_INT) {
        after_delivery(v);
        return;
    }
    if (s->kind == STEP_PUSHES && (flags = on_stack(v, 0, s->bytes)))
        put_tf(flags, s->guest_tf);
    if (s->kind == STEP_SYSCALL)
        correct_r11(k);
    s->guest_tf = s->tf_after;
    if (s->kind == STEP_SYSCALL || s->kind == STEP_SYSRET ? s->tf_after : had_tf)
        s->owes_db |= DR6_BS;
    s->lost |= !s->harmless;
}

/* Is the CPU at a landing?  Either before its HLT (the entry ended for another reason), or
 * behind it, of which KVM tells as a halt or as a step.  RIP is put back over the HLT,
 * which never was the guest's. */
static bool has_landed(struct kvm_cpu *k, bool exited)
{
    struct kvm_regs *r = &k->run->s.regs.regs;
    uint32_t reason = k->run->exit_reason;
    if (!k->step.n_landings)
        return false;
    if (!exited)
        return is_landing(&k->step, kvm_pc(k));
    if ((reason != KVM_EXIT_HLT && reason != KVM_EXIT_DEBUG) ||
        !is_landing(&k->step, kvm_pc(k) - 1))
        return false;
    k->step.late_halt |= reason == KVM_EXIT_DEBUG;
    r->rip--;
    ioctl(k->fd, KVM_SET_REGS, r);
    return true;
}

/* The bits B0 to B3 of DR6 that are owed to the guest: its own breakpoint registers are in
 * force while no debugger has lent them.  DR6 may have bits of registers that are not
 * enabled in DR7; those are dropped.  [SDM 3B "Debug Status Register (DR6)"] */
static uint32_t own_breakpoints(struct kvm_cpu *k, uint64_t met)
{
    struct kvm_debugregs d;
    uint32_t enabled = 0;
    if (!met || ioctl(k->fd, KVM_GET_DEBUGREGS, &d))
        return 0;
    for (unsigned i = 0; i < 4; i++)
        if (met & BIT(i) && (d.dr7 >> (2 * i) & 3))
            enabled |= (uint32_t)BIT(i);
    return enabled;
}

/* #DB came without BS: a breakpoint of the guest's own before the instruction, which has
 * not run.  RF in RFLAGS keeps it from being met again when the guest's handler returns.
 * [SDM 3B "Instruction-Breakpoint Exception Condition"] */
static bool is_own_breakpoint(struct kvm_cpu *k)
{
    if (!k->step.owes_db)
        return false;
    k->run->s.regs.regs.rflags |= FLAG_RF;
    ioctl(k->fd, KVM_SET_REGS, &k->run->s.regs.regs);
    k->step.lost = true;
    return true;
}

/* BS in DR6 means that an instruction was completed under TF; B0 to B3 alone that a
 * breakpoint was met before one. */
bool kvm_step_end(struct vcpu *v, bool exited)
{
    struct kvm_cpu *k = v->priv;
    struct kvm_step *s = &k->step;
    const struct kvm_debug_exit_arch *d = &k->run->debug.arch;
    remove_landings(s);
    if (has_landed(k, exited)) {
        if (s->kind == STEP_SYSCALL)
            after_instruction(v);
        else
            after_delivery(v);
        return true;
    }
    if (exited && k->run->exit_reason == KVM_EXIT_DEBUG && d->exception == VEC_DB) {
        if (!(k->debug.control & KVM_GUESTDBG_USE_HW_BP))
            s->owes_db |= own_breakpoints(k, d->dr6 & 15);
        if (d->dr6 & DR6_BS)
            after_instruction(v);
        else
            return is_own_breakpoint(k);
    }
    return false;
}

/* ---- the guest's own trap ---- */

/* What a CPU does at #DB: bits into DR6, which software alone clears, then the exception. */
int kvm_step_trap(struct vcpu *v)
{
    struct kvm_cpu *k = v->priv;
    struct kvm_debugregs d;
    if (ioctl(k->fd, KVM_GET_DEBUGREGS, &d))
        return -errno;
    d.dr6 = (d.dr6 & ~UINT64_C(15)) | k->step.owes_db;
    k->step.owes_db = 0;
    if (ioctl(k->fd, KVM_SET_DEBUGREGS, &d))
        return -errno;
    k->step.coming = VEC_DB | STEP_COMES;
    return kvm_queue_exception(k, &(struct event){ .type = EVENT_EXCEPTION, .vector = VEC_DB });
}
