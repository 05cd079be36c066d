/*
 * cpu/soft/save.c -- everything of the interpreted CPU that its future depends on.
 *
 * Left out is what follows from the rest (mode, privilege, flatness), what only
 * lives while run() does, and decoded code, which nobody can tell is missing.
 * Flags are saved worked out.
 */
#include <errno.h>

#include "cpu/soft/exec.h"

/* Plain registers and counts: any value is one that a guest could have made. */
#define PLAIN_STATE(X)                                                                  \
    X(rip) X(restart_rip) X(icount) X(seg)                                            \
    X(gdtr.base) X(gdtr.limit) X(idtr.base) X(idtr.limit)                               \
    X(cr0) X(cr2) X(cr3) X(cr4) X(cr8) X(efer) X(dr)                                    \
    X(star) X(lstar) X(cstar) X(sfmask) X(kernel_gs_base) X(tsc_aux)                    \
    X(sysenter_cs) X(sysenter_esp) X(sysenter_eip) X(pat) X(fpu)                        \
    X(pending_db) X(kept_db) X(late_input_at) X(late_input_value) X(supplied)           \
    X(logged_icount) X(logged_rip) X(logged_gpr) X(run_icount)

#define BOOL_STATE(X) \
    X(irq_shadow) X(db_shadow) X(halted) X(late_input) X(in_shadow) X(log_insns)

void soft_save_all(struct vcpu *v, struct bytes_out *o)
{
    struct soft *s = v->priv;

    bytes_put(o, s->gpr, N_GPRS * sizeof s->gpr[0]);
    bytes_put_u64(o, soft_flags(s));
#define X(member) BYTES_PUT(o, s->member);
    PLAIN_STATE(X)
    BOOL_STATE(X)
#undef X
    bytes_put_u64(o, s->n_supplied);
    event_save(o, &s->inject);
    event_save(o, &s->delivering);
    tlb_save(s, o);
}

int soft_load_all(struct vcpu *v, struct bytes_in *in)
{
    struct soft *s = v->priv;

    bytes_get(in, s->gpr, N_GPRS * sizeof s->gpr[0]);
    soft_set_flags(s, bytes_get_u64(in));
#define X(member) BYTES_GET(in, s->member);
    PLAIN_STATE(X)
#undef X
#define X(member) s->member = bytes_get_bool(in);
    BOOL_STATE(X)
#undef X
    uint64_t n_supplied = bytes_get_u64(in);
    s->n_supplied = n_supplied < NELEM(s->supplied) ? (unsigned)n_supplied : NELEM(s->supplied);
    s->next_supplied = 0;
    event_load(in, &s->inject);
    event_load(in, &s->delivering);
    x87_sanitize(&s->fpu);
    s->cur = NULL;
    s->creep = false;
    debug_elsewhere(s);
    v->icount = s->icount;
    bool ok = tlb_load(s, in);
    soft_mode_changed(s);
    return ok ? 0 : -EINVAL;
}
