/*
 * debugger/vmm/start.c -- the beginning of the VMM's process: build the machine, give up the
 * rights that running it does not need, and tell the debugger.
 *
 * Everything that opens a file, maps guest memory or asks what the host supports happens
 * here, before sandbox_enter().  Afterwards the process can only compute, talk over its
 * socket, and on kvm run its vCPU.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/sandbox.h"
#include "debugger/vmm/vmm_private.h"
#include "mem/gmem.h"

/* Memory for going back, unless the debugger asks for more or less: 256 MiB. */
#define CHECKPOINT_BYTES (UINT64_C(256) << 20)

/* False, and a sentence in why: then the process ends, so nothing is freed here.  The order
 * matters: the hooks are part of the machine's configuration, run control needs the
 * machine, going back needs run control. */
static bool build(struct vmm *m, char *why, size_t n)
{
    const struct link_options *o = m->o;
    struct vm_config c = o->machine;
    hooks_set(m, &c);
    m->vm = vm_new(&c, why, n);
    if (!m->vm || vm_load(m->vm, &o->guest, why, n))
        return false;
    m->control = control_new(m->vm, o->symbols, o->info);
    snprintf(why, n, "out of memory");
    if (!m->control)
        return false;
    m->reverse = reverse_new(m->vm, m->control,
                             o->checkpoint_bytes ? o->checkpoint_bytes : CHECKPOINT_BYTES);
    if (m->reverse)
        hooks_attach(m);
    return m->reverse != NULL;
}

/* Guest memory as the debugger is to map it: what each region is, and the file it lies in. */
static void describe_memory(const struct vmm *m, struct wire_ready *r, int fd[WIRE_REGIONS])
{
    for (size_t i = 0; i < gmem_count(m->vm->gmem) && i < WIRE_REGIONS; i++) {
        const struct gmem_region *g = gmem_region(m->vm->gmem, i);
        snprintf(r->region[i].name, sizeof r->region[i].name, "%s", g->name);
        r->region[i].base = g->base;
        r->region[i].size = g->size;
        r->region[i].memfd_off = g->memfd_off;
        r->region[i].kind = g->kind;
        fd[i] = g->memfd;
        r->n++;
    }
}

/* Gives up the process's rights and tells READY. The page is written before that, so that
 * the debugger finds the registers of the CPU at reset there.
 *
 * A kernel that has no seccomp is no reason not to run; the debugger is told
 * (sandbox_error) and says so where the user asks. */
static void tell_ready(struct vmm *m)
{
    struct wire_ready *r = &m->out.ready;
    int fd[WIRE_REGIONS] = { 0 };
    memset(r, 0, sizeof *r);
    describe_memory(m, r, fd);
    const struct load_result *l = &m->vm->loaded;
    snprintf(r->about, sizeof r->about, "%s", l->about ? l->about : "");
    snprintf(r->note, sizeof r->note, "%s", l->note);
    unsigned rights = SANDBOX_SOCKET | (m->vm->cfg.engine == &engine_kvm ? SANDBOX_KVM : 0);
    if (!m->o->no_sandbox)
        r->sandbox_error = sandbox_enter(rights, r->sandbox, sizeof r->sandbox);
    wire_publish(m);
    wire_send_ready(m, r, fd);
}

/* The machine asks for alarms as soon as it runs, so the alarm clock is set up before
 * vm_begin(). */
void make_machine(struct vmm *m)
{
    char why[300] = "";
    if (!build(m, why, sizeof why)) {
        wire_send(m, WIRE_FAILED, 0, -EINVAL, why, strlen(why) + 1);
        _exit(1);
    }
    host_alarm_init(vm_kick, m->vm);
    vm_begin(m->vm);
    m->all_state_asked = true;
    tell_ready(m);
}
