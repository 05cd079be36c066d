/*
 * cpu/kvm/step.c -- one instruction at a time, and the guest does not notice.
 *
 * A step is taken with the trap flag, which is in the guest's RFLAGS then, and KVM
 * knows of one flag only: it hides its own in the register and with it loses the
 * guest's.  So while it steps, the guest's is kept here (`guest_tf`):
 *
 *   what shows TF      PUSHF, SYSCALL (R11), the frame of a fault or interrupt: corrected
 *                      behind the instruction
 *   what loads TF      POPF, IRET, SYSRET: looked at before the instruction
 *   what clears TF     a delivery, and SYSCALL by its mask.  The CPU is then stepped no longer
 *                      and would run to the IRET: where a handler may begin a stop is
 *                      laid for this one entry, a "landing"
 *   what KVM emulates  loses KVM's TF: it is asked for again before the next
 *   what TF does       if it is the guest's, a #DB of its own behind the instruction; so
 *                      do its own debug registers
 *
 * A landing is HLT in place of the handler's first byte, there only while the CPU is in the
 * guest, and not where the instruction itself would see it.  HLT always exits; INT3 and the debug
 * registers do not on every KVM.  Whether it works is probe.c's to say; where it does
 * not, a step over a fault ends behind the handler's first instruction or where the handler
 * returns to, as this KVM likes.  [SDM 3B "Single-Step Exception Condition"]
 */
#include "cpu/kvm/kvm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <Zydis/Zydis.h>

#include "base/x86.h"
#include "cpu/operands.h"
#include "mem/walk.h"

/* ---- the guest's stack and tables ---- */

/* What is on the stack, `slots` words from the top; NULL: it cannot be reached. */
static uint8_t *on_stack(struct vcpu *v, unsigned slots, unsigned bytes)
{
    const struct kvm_cpu *k = v->priv;
    const struct kvm_sregs *r = &k->run->s.regs.sregs;
    uint64_t sp = k->run->s.regs.regs.rsp + slots * bytes;
    gla_t gla = kvm_code_bytes(k) == 8 ? sp : (uint32_t)(r->ss.base + (r->ss.db ? (uint32_t)sp : (uint16_t)sp));
    return kvm_hva(v, gla, bytes, WALK_READ);
}

static bool flag_on_stack(struct vcpu *v, unsigned slots, unsigned bytes)
{
    const uint8_t *flags = on_stack(v, slots, bytes);
    return flags && (flags[1] & FLAG_TF >> 8);
}

static void put_flag(uint8_t *flags, bool tf)
{
    flags[1] = (uint8_t)((flags[1] & ~(FLAG_TF >> 8)) | (tf ? FLAG_TF >> 8 : 0));
}

static bool read_linear(struct vcpu *v, gla_t at, void *buf, size_t n)
{
    if ((at & (PAGE_SIZE - 1)) + n > PAGE_SIZE)
        return false;
    const void *hva = kvm_hva(v, at, n, WALK_READ);
    if (hva)
        memcpy(buf, hva, n);
    return hva != NULL;
}

/* The base of a code segment that a gate names, if it is ring 0's: elsewhere HLT is a fault. */
static bool code_base(struct vcpu *v, uint16_t sel, gla_t *base)
{
    const struct kvm_sregs *r = &((struct kvm_cpu *)v->priv)->run->s.regs.sregs;
    gla_t table = sel & 4 ? r->ldt.base : r->gdt.base;
    uint8_t d[8];
    if (!read_linear(v, table + (sel & ~7u), d, sizeof d) || (d[5] & 0x60) || (d[5] & 0x1c) != 0x18)
        return false;
    *base = (gla_t)(d[2] | d[3] << 8 | d[4] << 16) | (gla_t)d[7] << 24;
    return true;
}

/* Where the handler of a vector begins.  [SDM 3A "IDT Descriptors"] */
static bool handler(struct vcpu *v, unsigned vector, gla_t *at)
{
    const struct kvm_sregs *r = &((struct kvm_cpu *)v->priv)->run->s.regs.sregs;
    bool real = !(r->cr0 & CR0_PE), is_long = r->efer & EFER_LMA;
    unsigned bytes = real ? 4 : is_long ? 16 : 8;
    uint8_t g[16];
    gla_t base;
    if ((vector + 1) * bytes > r->idt.limit + 1u || !read_linear(v, r->idt.base + vector * bytes, g, bytes))
        return false;
    uint16_t low = (uint16_t)(g[0] | g[1] << 8), sel = (uint16_t)(g[2] | g[3] << 8);
    if (real) {
        *at = sel * 16u + low;
        return true;
    }
    unsigned type = g[5] & 0x1f;        /* 6, 7: 16-bit interrupt and trap gate; 14, 15: the others */
    if (!(g[5] & 0x80) || (type & 0x16) != 6)
        return false;
    uint64_t off = low | (type & 8 ? (uint32_t)(g[6] | g[7] << 8) << 16 : 0);
    if (!code_base(v, sel, &base))
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

static const struct { uint16_t mnemonic; uint8_t kind, bytes; } special[] = {
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

/* Of instructions that touch no memory these can only fault on being fetched. */
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

static uint64_t read_msr(struct kvm_cpu *k, uint32_t index)
{
    union { struct kvm_msrs head; char room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)]; } m = { 0 };
    m.head.nmsrs = 1;
    m.head.entries[0].index = index;
    return ioctl(k->fd, KVM_GET_MSRS, &m) == 1 ? m.head.entries[0].data : 0;
}

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
    if (handler(v, vector, &at))
        add_landing(v->priv, at);
}

static void land_in_fault_handlers(struct vcpu *v)
{
    static const uint8_t faults[] = { VEC_PF, VEC_GP, VEC_UD, VEC_DE, VEC_NM, VEC_SS, VEC_NP, VEC_TS,
                                      VEC_MF, VEC_XM, VEC_AC, VEC_BR, VEC_DF };
    for (size_t i = 0; i < sizeof faults; i++)
        land_in_handler(v, faults[i]);
}

/* Does the instruction show, load or clear TF, or enter a handler by itself? */
static void find_kind(struct vcpu *v, const ZydisDecodedInstruction *i, const ZydisDecodedOperand *o)
{
    struct kvm_cpu *k = v->priv;
    struct kvm_step *s = &k->step;
    const struct kvm_regs *r = &k->run->s.regs.regs;
    for (size_t n = 0; n < NELEM(special); n++)
        if (special[n].mnemonic == i->mnemonic) {
            s->kind = special[n].kind;
            s->bytes = special[n].bytes;
        }
    s->tf_after = s->guest_tf;
    if (s->kind == STEP_POPS)
        s->tf_after = flag_on_stack(v, 0, s->bytes);
    if (s->kind == STEP_RETURNS)
        s->tf_after = flag_on_stack(v, 2, s->bytes);
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

/* Lay HLT at each landing that the instruction itself does not touch. */
static void lay(struct vcpu *v, const uint8_t *bytes, size_t n)
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

/* Take the landings away again: the guest's own bytes are back before anybody looks. */
static void take_up(struct kvm_step *s)
{
    for (unsigned i = s->n_landings; i-- > 0; )
        if (s->landing[i].hva) {
            *s->landing[i].hva = s->landing[i].was;
            s->landing[i].hva = NULL;
        }
}

static bool is_landing(const struct kvm_step *s, gla_t pc)
{
    for (unsigned i = 0; i < s->n_landings; i++)
        if (s->landing[i].was_laid && s->landing[i].at == pc)
            return true;
    return false;
}

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

void kvm_step_lay(struct vcpu *v)
{
    struct kvm_cpu *k = v->priv;
    uint8_t bytes[15];
    if (k->step.lands)
        lay(v, bytes, k->step.coming ? 0 : kvm_fetch(v, k->run->s.regs.regs.rip, bytes, sizeof bytes));
}

/* ---- behind it ---- */

#define FRAME_SLOTS 4                   /* an error code, and what a handler's first instruction pushes */

/* What an instruction may have changed before an interrupt: the arithmetic flags. */
#define MAY_DIFFER (FLAG_TF | FLAG_RF | FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* The flags in the frame of a delivery: behind this instruction's address and its CS. */
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
        put_flag(frame[2], k->step.guest_tf);
        return;
    }
}

/* A handler has been entered: the delivery has cleared TF, for the guest as well. */
static void delivered(struct vcpu *v)
{
    struct kvm_cpu *k = v->priv;
    correct_frame(v);
    k->step.guest_tf = false;
    k->step.lost = true;
    k->step.coming = 0;
}

/* R11 goes into the registers when the CPU is entered. */
static void correct_r11(struct kvm_cpu *k)
{
    struct kvm_regs *r = &k->run->s.regs.regs;
    r->r11 = (r->r11 & ~(uint64_t)FLAG_TF) | (k->step.guest_tf ? FLAG_TF : 0);
    ioctl(k->fd, KVM_SET_REGS, r);
    k->step.lost = true;
}

/* The instruction is done: put right what it showed of TF, and note what the guest's TF is now. */
static void retired(struct vcpu *v)
{
    struct kvm_cpu *k = v->priv;
    struct kvm_step *s = &k->step;
    uint8_t *flags;
    bool had = s->guest_tf, jumps = s->kind == STEP_RETURNS || s->kind == STEP_SYSRET || s->kind == STEP_SYSCALL;
    if (s->kind == STEP_DELIVERY || (!jumps && k->run->s.regs.regs.rip - k->entry_rip > 15))
        correct_frame(v);
    if (s->kind == STEP_DELIVERY || s->kind == STEP_INT) {
        delivered(v);
        return;
    }
    if (s->kind == STEP_PUSHES && (flags = on_stack(v, 0, s->bytes)))
        put_flag(flags, s->guest_tf);
    if (s->kind == STEP_SYSCALL)
        correct_r11(k);
    s->guest_tf = s->tf_after;
    if (s->kind == STEP_SYSCALL || s->kind == STEP_SYSRET ? s->tf_after : had)
        s->owes_db |= DR6_BS;
    s->lost |= !s->harmless;
}

/* At a landing: before its HLT, or behind it, of which KVM tells as a halt or as a step. */
static bool has_landed(struct kvm_cpu *k, bool exited)
{
    struct kvm_regs *r = &k->run->s.regs.regs;
    uint32_t reason = k->run->exit_reason;
    if (!k->step.n_landings)
        return false;
    if (!exited)
        return is_landing(&k->step, kvm_pc(k));
    if ((reason != KVM_EXIT_HLT && reason != KVM_EXIT_DEBUG) || !is_landing(&k->step, kvm_pc(k) - 1))
        return false;
    k->step.late_halt |= reason == KVM_EXIT_DEBUG;
    r->rip--;
    ioctl(k->fd, KVM_SET_REGS, r);
    return true;
}

/* The guest's own are in force; DR6 may tell of ones that are not enabled.
 * [SDM 3B "Debug Status Register (DR6)"] */
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

/* The guest's own, before this instruction; it is not met again at the IRET. */
static bool is_own_breakpoint(struct kvm_cpu *k)
{
    if (!k->step.owes_db)
        return false;
    k->run->s.regs.regs.rflags |= FLAG_RF;
    ioctl(k->fd, KVM_SET_REGS, &k->run->s.regs.regs);
    k->step.lost = true;
    return true;
}

bool kvm_step_end(struct vcpu *v, bool exited)
{
    struct kvm_cpu *k = v->priv;
    struct kvm_step *s = &k->step;
    const struct kvm_debug_exit_arch *d = &k->run->debug.arch;
    take_up(s);
    if (has_landed(k, exited)) {
        if (s->kind == STEP_SYSCALL)
            retired(v);
        else
            delivered(v);
        return true;
    }
    if (exited && k->run->exit_reason == KVM_EXIT_DEBUG && d->exception == VEC_DB) {
        if (!(k->debug.control & KVM_GUESTDBG_USE_HW_BP))
            s->owes_db |= own_breakpoints(k, d->dr6 & 15);
        if (d->dr6 & DR6_BS)
            retired(v);
        else
            return is_own_breakpoint(k);
    }
    return false;
}

/* ---- the guest's own trap ---- */

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
