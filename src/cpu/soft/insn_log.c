/*
 * cpu/soft/insn_log.c -- every retired instruction as trace events, with the
 * registers it changed.
 *
 * Only if the trace wants INSN; then instructions are executed one by one
 * (run.c, must_run_one), and nothing of this is in the fast path.  An instruction
 * is logged when the next one begins: one that exits retires in the monitor,
 * and the register it reads into changes there.
 *
 * An INSN names the first general register that changed and its new value, and
 * RFLAGS; every further one is a REG.
 */
#include "cpu/soft/soft.h"

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

void insn_log_start(struct soft *s)
{
    s->logged_rip = s->rip;
    s->logged_code = s->code;
}

static void emit(struct soft *s)
{
    struct trace *t = s->v->trace;
    unsigned first = TRACE_NO_REGISTER;
    for (unsigned i = 0; i < 16 && first == TRACE_NO_REGISTER; i++)
        if (s->gpr[i] != s->logged_gpr[i])
            first = i;
    uint64_t flags = (s->flags & ~(uint64_t)FLAGS_ARITH) | cc_flags(s);
    t->ctx.cause = 0;
    t->ctx.cause = trace_emit(t, TRACE_INSN, first, first < 16 ? s->gpr[first] : 0, flags);
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
