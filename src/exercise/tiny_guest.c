/*
 * exercise/tiny_guest.c -- one machine for one run of a few bytes.
 */
#include "exercise/tiny_guest.h"

#include <string.h>

#include "base/host.h"
#include "mem/gmem.h"
#include "vm/loop.h"
#include "vm/vm.h"

#define MiB (UINT64_C(1) << 20)

void tiny_code_add(struct tiny_code *c, const void *bytes, size_t n)
{
    bug_if(c->n + n > sizeof c->byte, "a guest of more than %zu bytes", sizeof c->byte);
    memcpy(c->byte + c->n, bytes, n);
    c->n += (unsigned)n;
}

static void take_output(void *arg, uint8_t byte)
{
    struct tiny_run *r = arg;
    if (r->n_out < sizeof r->out)
        r->out[r->n_out++] = (char)byte;
}

static void enter(struct vm *vm, const struct tiny_code *code)
{
    struct vcpu *v = boot_cpu(vm);
    struct cpu_state c;
    cpu_state_reset(&c);
    c.seg[SEG_CS].sel = 0;
    c.seg[SEG_CS].base = 0;
    c.rip = TINY_CODE;
    c.gpr[RSP] = TINY_CODE;
    gmem_write(vm->gmem, TINY_CODE, code->byte, code->n);
    bug_if(v->ops->set_state(v, ST_ALL, &c), "a guest of an exercise cannot be entered");
}

void tiny_guest_run(const struct tiny_code *code, enum mmu_kind mmu, uint64_t limit,
                    struct tiny_run *r)
{
    struct trace *t = trace_new(TINY_EVENTS);
    char why[200];
    memset(r, 0, sizeof *r);
    bug_if(!t, "no memory for the trace of an exercise");
    t->mask = TRACE_DEFAULT_KINDS;
    t->engine_names = engine_names();
    struct vm_config cfg = {
        .engine = &engine_soft, .mmu = mmu, .ram_bytes = MiB, .limit_insns = limit,
        .no_reboot = true, .trace = t, .debugcon = { take_output, r },
    };
    struct vm *vm = vm_new(&cfg, why, sizeof why);
    bug_if(!vm, "no machine for an exercise: %s", why);
    enter(vm, code);
    vm_run(vm);
    struct vcpu *v = boot_cpu(vm);
    v->ops->get_state(v, ST_ALL, &r->cpu);
    r->insns = v->icount;
    r->exits = vm->n_exits;
    memcpy(r->exits_by, vm->exits_by, sizeof r->exits_by);
    r->ns = t->ctx.vtime_ns;
    r->n_events = (unsigned)t->ring->head;
    memcpy(r->event, t->ring->event + 1, (TINY_EVENTS - 1) * sizeof r->event[0]);
    vm_free(vm);
    trace_free(t);
}
