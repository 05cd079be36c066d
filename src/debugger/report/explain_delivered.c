/*
 * debugger/report/explain_delivered.c -- an exception whose handler has ended the run.
 *
 * A kernel with handlers does not crash: it says that something is wrong and halts, or loops.  The
 * exception is told as that of a triple fault would be (explain_chain.c), from the account that
 * the engine keeps of the one that was delivered last (cpu/delivery.h).  It counts only while its
 * frame still lies on the stack: else the handler has returned, and all was well.
 */
#include "debugger/report/explain_private.h"

#include "cpu/regs.h"

/* No handler of a kernel has used more of its stack than this. */
#define HANDLER_STACK (64u << 10)

#define BIOS_SEGMENT 0xf0000u           /* of its handlers: the base of CS */

static const struct delivered *latest(const struct explain_input *in)
{
    return in->chain && in->chain->latest.any &&
           in->chain->latest.step.type == EVENT_EXCEPTION ? &in->chain->latest : NULL;
}

bool explain_is_in_delivered(const struct explain_input *in)
{
    const struct delivered *d = latest(in);
    uint16_t ip;
    return d && d->frame - state_sp(in->cpu) < HANDLER_STACK &&
           in->read(in->arg, d->frame, &ip, sizeof ip) && ip == (uint16_t)d->step.rip;
}

bool explain_is_left_to_bios(const struct explain_input *in)
{
    return explain_is_real(in->cpu) && in->cpu->seg[SEG_CS].base == BIOS_SEGMENT &&
           explain_is_in_delivered(in);
}

/* The machine as it was when the exception came, as far as that is known: the handler may have
 * changed the other registers. */
static void go_back(const struct delivered *d, struct cpu_state *c, struct delivery_chain *ch)
{
    c->rip = d->step.rip;
    c->gpr[RSP] = d->rsp;
    c->seg[SEG_CS] = d->code;
    ch->n = 1;
    ch->step[0] = d->step;
    ch->cause = d->cause;
    ch->cause_at = d->cause_at;
}

void explain_delivered(const struct explain_input *in, FILE *out)
{
    struct cpu_state cpu = *in->cpu;
    struct delivery_chain chain = *in->chain;
    struct explain_input then = *in;
    go_back(&in->chain->latest, &cpu, &chain);
    then.cpu = &cpu;
    then.chain = &chain;
    explain_first(&then, &chain.step[0], out);
    explain_what_to_check(&then, &chain.step[0], out);
}
