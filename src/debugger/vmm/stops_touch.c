/*
 * debugger/vmm/stops_touch.c -- watchpoints on reads and writes, for engines that cannot
 * watch memory by themselves.
 *
 * The guest is stepped then, one instruction at a time.  A change of a watched byte is seen by
 * comparing after each step, but a read, or a write of the value that was there, changes
 * nothing.  So each instruction is decoded before it runs: its memory operands, computed from
 * the registers as they are, are what it will touch.  What the CPU reads and writes for itself
 * is not seen: descriptors, task state segments, the frames of interrupts.
 */
#include "debugger/vmm/stops_private.h"

#include "cpu/regs.h"
#include "mem/gmem.h"
#include "mem/walk.h"
#include "debugger/symbols/disasm.h"

#define STATE (ST_GPRS | ST_SEGS | ST_CRS)

/* Only for these is decoding worth its time: changes are seen without it. */
static bool somebody_wants_accesses(const struct stops *s)
{
    for (size_t k = 0; k < s->n; k++)
        if (s->point[k].b.kind == BREAK_DATA && s->point[k].b.enabled &&
            !(s->point[k].b.access & BREAK_CHANGE))
            return true;
    return false;
}

void stops_look_ahead(struct stops *s)
{
    struct stops_ahead *a = &s->ahead;
    struct insn i;
    uint8_t bytes[15];
    struct vcpu *v = boot_cpu(s->vm);
    a->n = 0;
    if (!somebody_wants_accesses(s) || v->ops->get_state(v, STATE, &a->before))
        return;
    unsigned n = vm_read_code(s->vm, &a->before, bytes, sizeof bytes);
    unsigned bits = state_code_bits(&a->before);
    a->n = operands_of(&a->before, bits, bytes, n, a->operand);
    disasm(bytes, n, bits, a->before.rip, a->before.seg[SEG_CS].base, NULL, &i);
    a->jumps = i.is_branch;
    a->len = i.len;
}

/* Three cases in which the instruction did not do what was decoded.  It has faulted, and
 * the CPU stands in a handler: nothing was touched.  It is one iteration of a REP, after
 * which RIP has not moved.  Or the engine has executed several iterations in one step,
 * which RCX tells. */
void stops_look_behind(struct stops *s)
{
    struct stops_ahead *a = &s->ahead;
    struct cpu_state now;
    if (!a->n || boot_cpu(s->vm)->ops->get_state(boot_cpu(s->vm), STATE, &now))
        return;
    gla_t from = state_pc(&a->before), pc = state_pc(&now);
    uint64_t times = (a->before.gpr[RCX] - now.gpr[RCX]) & UINT32_MAX;
    bool iterates = a->operand[0].strides && times && pc == from;
    if (!a->jumps && pc != from + a->len && !iterates)
        a->n = 0;                       /* it faulted, and is in the handler */
    operands_repeat(a->operand, a->n, &a->before, times);   /* some engines do many in one step */
}

/* The piece of an operand that begins at o->at and lies within one page, by its guest-physical
 * address; then *o is what is left of it.  False: the page is not mapped, or nothing is left. */
static bool take_physical(const struct stops *s, struct operand *o, struct operand *piece)
{
    struct paging pg = paging_for_debugger(&s->ahead.before);
    struct walk w;
    uint64_t in_page = PAGE_SIZE - (o->at & ~PAGE_MASK);
    uint32_t n = o->len < in_page ? o->len : (uint32_t)in_page;
    walk(&pg, s->vm->gmem, o->at, WALK_READ | WALK_PEEK, &w);
    *piece = *o;
    piece->at = w.gpa;
    piece->len = n;
    o->at += n;
    o->len -= n;
    return n && w.result == WALK_OK;
}

/* Does the operand touch what b watches, by linear or by guest-physical address?  *at: where. */
static bool operand_touches(const struct stops *s, struct operand o, const struct link_break *b,
                            uint64_t *at)
{
    unsigned access = b->access & (ACCESS_R | ACCESS_W);
    struct operand piece = o;
    if (!b->physical) {
        *at = o.at;
        return operands_touch(&o, 1, b->at, b->len, access);
    }
    while (take_physical(s, &o, &piece)) {
        *at = piece.at;
        if (operands_touch(&piece, 1, b->at, b->len, access))
            return true;
    }
    return false;
}

/* An operand may begin before the watched range; the address that is told lies inside it. */
bool stops_touched(const struct stops *s, const struct link_break *b, gla_t *at)
{
    uint64_t from;
    for (unsigned k = 0; k < s->ahead.n; k++) {
        if (operand_touches(s, s->ahead.operand[k], b, &from)) {
            *at = from - b->at < b->len ? from : b->at;
            return true;
        }
    }
    return false;
}
