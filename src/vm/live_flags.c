/*
 * vm/live_flags.c -- reads the guest's code ahead, along every path, until each flag is read
 * or written.
 *
 * A CALL or a RET ends a path: no flag carries anything into a function or out of it
 * [System V psABI "Registers"].  What faults on the way would push the flags, too; lockstep
 * has made them equal by then.
 */
#include "vm/live_flags.h"

#include <Zydis/Zydis.h>

#include "base/x86.h"

enum { MAX_INSNS = 64, MAX_PATHS = 16 };

struct place { uint64_t ip, flags; };

struct look {
    struct vm *vm;
    struct cpu_state at;                    /* the guest's, with rip where we are looking */
    ZydisDecoder decoder;
    uint64_t ip_mask;
    struct place seen[MAX_INSNS], paths[MAX_PATHS];
    unsigned n_seen, n_paths;
};

/* The size of operands and addresses follows from the code segment: L is 64-bit code, D is
 * 32-bit, neither is 16-bit.  [SDM 3A "Code Segment Descriptor in 64-bit Mode"] */
static void look_from(struct look *l, struct vm *vm, const struct cpu_state *s)
{
    bool wide = s->seg[SEG_CS].attr & SEG_DB;
    bool protected = (s->cr0 & CR0_PE) && !(s->rflags & FLAG_VM);

    *l = (struct look){ .vm = vm, .at = *s };
    if ((s->efer & EFER_LMA) && (s->seg[SEG_CS].attr & SEG_L)) {
        ZydisDecoderInit(&l->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
        l->ip_mask = UINT64_MAX;
    } else if (wide && protected) {
        ZydisDecoderInit(&l->decoder, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
        l->ip_mask = UINT32_MAX;
    } else {
        ZydisDecoderInit(&l->decoder, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
        l->ip_mask = UINT16_MAX;
    }
}

static bool decode(struct look *l, uint64_t ip, ZydisDecodedInstruction *in,
                   ZydisDecodedOperand *op)
{
    uint8_t code[15];

    l->at.rip = ip;
    unsigned n = vm_read_code(l->vm, &l->at, code, sizeof code);
    return n && ZYAN_SUCCESS(ZydisDecoderDecodeFull(&l->decoder, code, n, in, op));
}

/* Instructions that put all of RFLAGS in memory or in a register. */
static bool stores_flags(const ZydisDecodedInstruction *in)
{
    switch (in->mnemonic) {
    case ZYDIS_MNEMONIC_PUSHF: case ZYDIS_MNEMONIC_PUSHFD: case ZYDIS_MNEMONIC_PUSHFQ:
    case ZYDIS_MNEMONIC_LAHF: case ZYDIS_MNEMONIC_SYSENTER:
        return true;
    default:
        return in->meta.category == ZYDIS_CATEGORY_INTERRUPT ||
               in->meta.category == ZYDIS_CATEGORY_SYSCALL;
    }
}

/* A shift or rotate by 0 and a REP of no iterations leave the flags alone.
 * [SDM 2B "SAL/SAR/SHL/SHR-Shift"] */
static bool may_do_nothing(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op)
{
    unsigned n = in->operand_count_visible;
    const ZydisDecodedOperand *count = &op[n ? n - 1 : 0];
    bool shifts = in->meta.category == ZYDIS_CATEGORY_SHIFT ||
                  in->meta.category == ZYDIS_CATEGORY_ROTATE;

    return in->meta.category == ZYDIS_CATEGORY_STRINGOP ||
           (shifts && (count->type != ZYDIS_OPERAND_TYPE_IMMEDIATE || !(count->imm.value.u & 31)));
}

static uint64_t written(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op)
{
    const ZydisAccessedFlags *f = in->cpu_flags;

    return !f || may_do_nothing(in, op) ? 0 : f->modified | f->set_0 | f->set_1 | f->undefined;
}

/* Have we been at this place, looking for these flags? */
static bool seen_before(struct look *l, uint64_t ip, uint64_t flags)
{
    for (unsigned i = 0; i < l->n_seen; i++)
        if (l->seen[i].ip == ip && !(flags & ~l->seen[i].flags))
            return true;
    return false;
}

/* One path, from p on; the flags that are read along it.  Where it forks, the other
 * branch is put in l->paths. */
static uint64_t follow_path(struct look *l, struct place p)
{
    ZydisDecodedInstruction in;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];

    for (; !seen_before(l, p.ip, p.flags); p.ip = (p.ip + in.length) & l->ip_mask) {
        if (l->n_seen == MAX_INSNS || !decode(l, p.ip, &in, op) || stores_flags(&in))
            return p.flags;
        l->seen[l->n_seen++] = p;
        if (in.cpu_flags && in.cpu_flags->tested & p.flags)
            return p.flags;
        p.flags &= ~written(&in, op);
        if (!p.flags)
            return 0;
        if (in.meta.branch_type == ZYDIS_BRANCH_TYPE_NONE)
            continue;
        if (in.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
            return p.flags;
        if (in.meta.category == ZYDIS_CATEGORY_CALL || in.meta.category == ZYDIS_CATEGORY_RET)
            return 0;
        if (op[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE || l->n_paths == MAX_PATHS)
            return p.flags;
        uint64_t target = (p.ip + in.length + op[0].imm.value.u) & l->ip_mask;
        if (in.meta.category == ZYDIS_CATEGORY_COND_BR)
            l->paths[l->n_paths++] = (struct place){ target, p.flags };
        else
            p.ip = target - in.length;
    }
    return 0;
}

uint64_t live_flags(struct vm *vm, const struct cpu_state *s, uint64_t flags)
{
    struct look l;
    uint64_t live = 0;

    look_from(&l, vm, s);
    l.paths[l.n_paths++] = (struct place){ s->rip, flags };
    while (l.n_paths && live != flags)
        live |= follow_path(&l, l.paths[--l.n_paths]);
    return live;
}
