/*
 * cpu/soft/save.c -- everything of the interpreted CPU that its future depends on.
 *
 * Left out is what follows from the rest (mode, privilege, flatness), what only
 * lives while run() does, and decoded code, which nobody can tell is missing.
 * Flags are saved worked out.
 */
#include <errno.h>

#include "base/saved.h"
#include "cpu/soft/exec.h"

/* Plain registers and counts (any value is one that a guest could have made), and truths. */
#define PLAIN(member) SAVED(struct soft, member)
#define TRUTH(member) SAVED_TRUTH(struct soft, member)
static const struct saved members[] = {
    PLAIN(rip), PLAIN(restart_rip), PLAIN(icount), PLAIN(seg), PLAIN(gdtr.base),
    PLAIN(gdtr.limit), PLAIN(idtr.base), PLAIN(idtr.limit), PLAIN(cr0), PLAIN(cr2), PLAIN(cr3),
    PLAIN(cr4), PLAIN(cr8), PLAIN(efer), PLAIN(dr), PLAIN(star), PLAIN(lstar), PLAIN(cstar),
    PLAIN(sfmask), PLAIN(kernel_gs_base), PLAIN(tsc_aux), PLAIN(sysenter_cs), PLAIN(sysenter_esp),
    PLAIN(sysenter_eip), PLAIN(pat), PLAIN(fpu), PLAIN(pending_db), PLAIN(kept_db),
    PLAIN(late_input_at), PLAIN(late_input_value), PLAIN(supplied), PLAIN(logged_icount),
    PLAIN(logged_rip), PLAIN(logged_code.base), PLAIN(logged_code.sel),
    TRUTH(logged_code.segmented), PLAIN(logged_gpr), PLAIN(logged_insn.changed),
    PLAIN(logged_insn.len), PLAIN(logged_insn.bits), PLAIN(logged_insn.value),
    PLAIN(logged_insn.rflags), PLAIN(logged_insn.bytes), PLAIN(obstacle_at),
    PLAIN(undelivered.step), PLAIN(undelivered.cause_at), PLAIN(undelivered.replayed),
    PLAIN(undelivered.latest.step), PLAIN(undelivered.latest.cause_at),
    PLAIN(undelivered.latest.rsp), PLAIN(undelivered.latest.frame),
    PLAIN(undelivered.latest.code), PLAIN(undelivered.latest.any),
    TRUTH(irq_shadow), TRUTH(db_shadow), TRUTH(halted),
    TRUTH(late_input), TRUTH(in_shadow), TRUTH(log_insns), PLAIN(arrival.error),
    PLAIN(arrival.cr3), PLAIN(arrival.seg), PLAIN(arrival.ldt), PLAIN(arrival.from),
    PLAIN(arrival.retired), TRUTH(arrival.pending), TRUTH(arrival.wide), TRUTH(arrival.trap),
    TRUTH(arrival.has_error), TRUTH(arrival.by_insn), TRUTH(arrival.steps),
    TRUTH(arrival.software), PLAIN(arrival.from_cs.base), PLAIN(arrival.from_cs.sel),
    TRUTH(arrival.from_cs.segmented),
};

void soft_save_all(struct vcpu *v, struct bytes_out *o)
{
    struct soft *s = v->priv;

    bytes_put(o, s->gpr, N_GPRS * sizeof s->gpr[0]);
    bytes_put_u64(o, soft_flags(s));
    saved_put(members, NELEM(members), s, o);
    bytes_put_u64(o, s->n_supplied);
    bytes_put_u64(o, s->obstacle);
    bytes_put_u64(o, s->undelivered.n);
    bytes_put_u64(o, s->undelivered.cause);
    bytes_put_u64(o, s->undelivered.latest.cause);
    event_save(o, &s->inject);
    event_save(o, &s->delivering);
    event_save(o, &s->interrupted_int);
    event_save(o, &s->arrival.event);
    tlb_save(s, o);
}

int soft_load_all(struct vcpu *v, struct bytes_in *in)
{
    struct soft *s = v->priv;

    bytes_get(in, s->gpr, N_GPRS * sizeof s->gpr[0]);
    soft_set_flags(s, bytes_get_u64(in));
    saved_get(members, NELEM(members), s, in);
    uint64_t n_supplied = bytes_get_u64(in);
    s->n_supplied = n_supplied < NELEM(s->supplied) ? (unsigned)n_supplied : NELEM(s->supplied);
    s->next_supplied = 0;
    uint64_t obstacle = bytes_get_u64(in), n_steps = bytes_get_u64(in), cause = bytes_get_u64(in);
    s->obstacle = obstacle < N_OBSTACLES ? obstacle : OBSTACLE_UNKNOWN;
    s->undelivered.cause = cause < N_OBSTACLES ? cause : OBSTACLE_UNKNOWN;
    s->undelivered.n = n_steps < DELIVERY_STEPS ? n_steps : DELIVERY_STEPS;
    cause = bytes_get_u64(in);
    s->undelivered.latest.cause = cause < N_OBSTACLES ? cause : OBSTACLE_UNKNOWN;
    event_load(in, &s->inject);
    event_load(in, &s->delivering);
    event_load(in, &s->interrupted_int);
    event_load(in, &s->arrival.event);
    x87_sanitize(&s->fpu);
    s->cur = NULL;
    s->creep = s->ac_in_delivery = false;
    debug_elsewhere(s);
    v->icount = s->icount;
    bool ok = tlb_load(s, in);
    soft_mode_changed(s);
    return ok ? 0 : -EINVAL;
}
