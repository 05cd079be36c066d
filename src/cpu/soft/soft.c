/*
 * cpu/soft/soft.c -- the engine "soft": made, told what to do, destroyed.
 *
 * The const struct at the end is what the monitor sees of the interpreter; engine.h
 * says what each function promises.  The longest of them have files of their own:
 * run.c, conclude.c, state.c, save.c, debug.c.  Begin with soft_create().
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/host.h"
#include "cpu/soft/exec.h"
#include "cpu/soft/run.h"

/* Everything, on any host. */
static int soft_probe(struct engine_caps *caps)
{
    *caps = (struct engine_caps){
        .ok = true, .real_mode = true, .protected_mode = true, .paging32 = true, .pae = true,
        .long_mode = true, .v86 = true, .iret32 = true, .int64 = true, .syscall64 = true,
        .sse = true, .single_step = true, .steps_into_handlers = true,
        .breakpoints = true, .user_breakpoints = true, .watchpoints = true,
        .deterministic = true, .sees_cr_access = true, .sees_cpuid = true, .sees_msr = true,
        .sees_first_touch = true, .sees_vmcall = true, .exits_on_demand = true,
        .mmus = BIT(MMU_NESTED) | BIT(MMU_SHADOW),
    };
    snprintf(caps->why, sizeof caps->why,
             "an interpreter with simulated VMX and EPT: needs nothing of the host");
    return 0;
}

static void soft_destroy(struct vcpu *v)
{
    struct soft *s = v->priv;

    if (!s)
        return;
    debug_free(s);
    tlb_free(s);
    blocks_free(s);
    free(s);
    v->priv = NULL;
    v->undelivered = NULL;
}

/* A new CPU is in the state after reset: real mode, RIP 16 bytes below 4 GiB.
 * The caches come first, since to set the state is to empty them. */
static int soft_create(struct vcpu *v)
{
    struct soft *s = aligned_alloc(64, (sizeof *s + 63) / 64 * 64);
    struct cpu_state reset;
    int err;

    if (!s)
        return -ENOMEM;
    memset(s, 0, sizeof *s);
    s->v = v;
    v->priv = s;
    v->undelivered = &s->undelivered;
    soft_decode_init();
    err = tlb_new(s);
    if (!err)
        err = blocks_new(s);
    if (err) {
        host_say("no memory for the interpreter's caches");
        soft_destroy(v);
        return err;
    }
    memset(&reset, 0, sizeof reset);
    cpu_state_reset(&reset);
    return soft_set_state(v, ST_ALL, &reset);
}

/* Forget everything half done: events on their way, shadows, values that devices have
 * supplied, code. */
void soft_start_over(struct soft *s)
{
    s->inject.type = s->delivering.type = s->raised.type = EVENT_NONE;
    s->ac_in_delivery = false;
    s->pending_db = s->kept_db = 0;
    s->obstacle = OBSTACLE_UNKNOWN;
    s->undelivered.n = s->undelivered.latest.any = 0;
    s->arrival.pending = false;
    s->interrupted_int.type = EVENT_NONE;
    s->n_supplied = s->next_supplied = 0;
    s->irq_shadow = s->db_shadow = s->in_shadow = s->in_system = false;
    s->late_input = s->creep = s->halted = false;
    blocks_forget_all(s);
}

/* The order matters: the loop stores icount_limit and then reads `kicked`, this does it the
 * other way round, so one of the two sees the other.  It runs in another thread, or in a
 * signal handler. */
static void soft_kick(struct vcpu *v)
{
    struct soft *s = v->priv;

    atomic_store(&s->kicked, true);
    atomic_store(&s->icount_limit, 0);
}

/* An external interrupt must wait until the guest can take it; an exception or an NMI need not. */
static int soft_inject(struct vcpu *v, const struct event *e)
{
    struct soft *s = v->priv;

    if (e->type == EVENT_IRQ && !soft_irq_possible(s))
        return -EAGAIN;
    s->inject = *e;
    v->irq_ready = false;
    vcpu_log_injection(v, s->rip, &s->code, e);
    return 0;
}

static int soft_set_controls(struct vcpu *v, const struct controls *c)
{
    ((struct soft *)v->priv)->ctl = *c;
    return 0;
}

static void soft_flush(struct vcpu *v)
{
    soft_tlb_flush(v->priv, true);
}

const struct engine engine_soft = {
    .name = "soft",
    .about = "our interpreter, with simulated hardware virtualization; deterministic",
    .counts = true, .walks_tables = true, .exit_on = EXIT_ON_ALL,
    .probe = soft_probe, .create = soft_create, .destroy = soft_destroy,
    .run = soft_run, .conclude = soft_conclude, .kick = soft_kick,
    .get_state = soft_get_state, .set_state = soft_set_state,
    .inject = soft_inject, .set_controls = soft_set_controls,
    .set_debug = soft_set_debug,
    .flush_tlb = soft_flush, .forget = blocks_forget_range,
    .save = soft_save_all, .load = soft_load_all, .rearm_dirty = tlb_rearm_dirty,
};
