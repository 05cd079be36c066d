/*
 * cpu/soft/insn_log.c -- every retired instruction as trace events, with the
 * registers it changed.
 *
 * Only if the trace wants INSN; then instructions are executed one by one
 * (run.c, must_run_one), and nothing of this is in the fast path.  An instruction
 * is logged when the next one begins: one that exits retires in the monitor,
 * and the register it reads into changes there.
 *
 * An INSN has the instruction's bytes, the first general register that changed and its
 * new value, and RFLAGS (cpu/insn_event.h); every further register is a REG.
 */
#include "cpu/soft/exec.h"

#include <string.h>

#include "base/trace.h"
#include "base/x86.h"
#include "cpu/soft/flags.h"

void insn_log_skip(struct soft *s)
{
    s->logged_icount = s->icount;
    memcpy(s->logged_gpr, s->gpr, sizeof s->logged_gpr);
}

void insn_log_begin(struct soft *s)
{
    bool wanted = s->v->trace && s->v->trace->mask & BIT(TRACE_INSN);
    if (wanted && !s->log_insns)
        insn_log_skip(s);
    s->log_insns = wanted;
}

/* How the CPU reads code now. */
static unsigned code_bits(const struct soft *s)
{
    switch (s->mode) {
    case MODE_LONG64:                   return 64;
    case MODE_PROT32: case MODE_LONG32: return 32;
    default:                            return 16;
    }
}

/* The bytes are copied before the instruction runs, for it may overwrite itself.  Those behind
 * the end of a page are in another one. */
void insn_log_start(struct soft *s, const struct block *b)
{
    struct insn_event *i = &s->logged_insn;
    uintptr_t start = (uintptr_t)b->hva;
    s->logged_rip = s->rip;
    s->logged_code = s->code;
    i->len = b->bytes < 15 ? b->bytes : 15;
    i->bits = code_bits(s);
    for (unsigned k = 0; k < i->len && k < INSN_EVENT_BYTES; k++) {
        bool second = b->hva2 && ((start + k) & PAGE_MASK) != (start & PAGE_MASK);
        i->bytes[k] = second ? b->hva2[(start + k) & ~PAGE_MASK] : *(const uint8_t *)(start + k);
    }
}

static void emit(struct soft *s)
{
    struct trace *t = s->v->trace;
    unsigned first = TRACE_NO_REGISTER;
    for (unsigned i = 0; i < 16 && first == TRACE_NO_REGISTER; i++)
        if (s->gpr[i] != s->logged_gpr[i])
            first = i;
    uint64_t arg[3];
    s->logged_insn.changed = first;
    s->logged_insn.value = first < 16 ? s->gpr[first] : 0;
    s->logged_insn.rflags = (s->flags & ~(uint64_t)FLAGS_ARITH) | cc_flags(s);
    insn_event_pack(&s->logged_insn, arg);
    t->ctx.cause = 0;
    t->ctx.cause = trace_emit(t, TRACE_INSN, arg[0], arg[1], arg[2]);
    for (unsigned i = first + 1; i < 16; i++)
        if (s->gpr[i] != s->logged_gpr[i])
            trace_emit(t, TRACE_REG, i, s->gpr[i], 0);
}

void insn_log_retired(struct soft *s)
{
    if (s->icount == s->logged_icount)
        return;
    struct trace *t = s->v->trace;
    struct trace_context before = t->ctx;
    trace_set_place(&t->ctx, s->logged_rip, &s->logged_code);
    t->ctx.icount = s->icount;
    t->ctx.vtime_ns = vcpu_time_at(s->v, s->icount);
    emit(s);
    t->ctx = before;
    insn_log_skip(s);
}
