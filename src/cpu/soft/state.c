/*
 * cpu/soft/state.c -- the CPU's registers out of the interpreter and into it, by groups.
 *
 * Nothing here belongs to the run loop: the monitor, the debugger and lockstep call
 * it between two runs.  Putting registers in cancels what was about to happen to the
 * old ones (an interrupt shadow, a halt, an event on its way) and flushes the TLB.
 */
#include "cpu/soft/exec.h"
#include "cpu/soft/run.h"

/* Members with the same name in struct soft and struct cpu_state. */
#define COPY_CRS(X)  X(cr0) X(cr2) X(cr3) X(cr4) X(cr8) X(efer)
#define COPY_MSRS(X) X(star) X(lstar) X(cstar) X(sfmask) X(kernel_gs_base) X(tsc_aux) \
                     X(sysenter_cs) X(sysenter_esp) X(sysenter_eip) X(pat)

/* RFLAGS costs something: the arithmetic flags must be worked out (flags.h). */
int soft_get_state(struct vcpu *v, unsigned groups, struct cpu_state *c)
{
    struct soft *s = v->priv;

    if (groups & ST_GPRS) {
        memcpy(c->gpr, s->gpr, sizeof c->gpr);
        c->rip = s->rip;
        c->rflags = soft_flags(s);
    }
    if (groups & ST_SEGS) {
        memcpy(c->seg, s->seg, sizeof c->seg);
        c->gdtr = s->gdtr;
        c->idtr = s->idtr;
    }
#define X(name) c->name = s->name;
    if (groups & ST_CRS) {
        COPY_CRS(X)
    }
    if (groups & ST_MSRS) {
        COPY_MSRS(X)
        c->tsc = v->tsc_base + s->icount;
    }
#undef X
    if (groups & ST_DRS)
        memcpy(c->dr, s->dr, sizeof c->dr);
    if (groups & ST_FPU)
        memcpy(c->fpu, &s->fpu, sizeof c->fpu);
    return 0;
}

/* Loading general registers cancels what was about to happen to the old ones.
 * x87_sanitize(): the image may come from a file, and the host's FXRSTOR will load it. */
int soft_set_state(struct vcpu *v, unsigned groups, const struct cpu_state *c)
{
    struct soft *s = v->priv;

    if (groups & ST_GPRS) {
        memcpy(s->gpr, c->gpr, sizeof c->gpr);
        s->rip = c->rip;
        soft_set_flags(s, c->rflags);
        s->halted = s->irq_shadow = s->db_shadow = false;
        s->delivering.type = s->interrupted_int.type = EVENT_NONE;
        s->undelivered.n = s->undelivered.latest.any = 0;
        s->arrival.pending = false;
        s->ac_in_delivery = false;
        s->n_supplied = 0;
        s->pending_db = 0;
    }
    if (groups & ST_SEGS) {
        memcpy(s->seg, c->seg, sizeof c->seg);
        s->gdtr = c->gdtr;
        s->idtr = c->idtr;
    }
#define X(name) s->name = c->name;
    if (groups & ST_CRS) {
        COPY_CRS(X)
    }
    if (groups & ST_MSRS) {
        COPY_MSRS(X)
        v->tsc_base = c->tsc - s->icount;
    }
#undef X
    if (groups & ST_DRS)
        memcpy(s->dr, c->dr, sizeof c->dr);
    if (groups & ST_FPU) {
        memcpy(&s->fpu, c->fpu, sizeof s->fpu);
        x87_sanitize(&s->fpu);
    }
    soft_tlb_flush(s, true);
    soft_mode_changed(s);
    v->irq_ready = soft_irq_possible(s);
    return 0;
}
