/*
 * debugger/vmm/condition.c -- the condition of a breakpoint: an expression, or gdb's byte
 * code; see condition.h.
 */
#include "debugger/vmm/condition.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/symbols/gdb_regs.h"
#include "debugger/vmm/gdb_agent.h"
#include "mem/gmem.h"

/* For expr.h: the guest's memory at a physical or linear address.  0 or -errno. */
static int read_memory(void *arg, bool physical, uint64_t at, void *buf, unsigned n)
{
    const struct condition_world *w = arg;
    return physical ? gmem_read(w->vm->gmem, at, buf, n) : vm_read_linear(w->vm, at, buf, n);
}

/* One evaluation of gdb's byte code.  `groups` (ST_) says which registers of `cpu` were fetched. */
struct asking {
    const struct condition_world *w;
    enum gdb_arch    arch;
    unsigned         groups;
    struct cpu_state cpu;
};

static int read_for_agent(void *arg, uint64_t at, void *buf, unsigned n)
{
    const struct asking *a = arg;
    return vm_read_linear(a->w->vm, at, buf, n);
}

/* A register by gdb's number.  Fetching all of them from the engine may cost system calls,
 * so only the group that holds this one is fetched, and once for each evaluation. */
static bool reg_for_agent(void *arg, unsigned nr, uint64_t *value)
{
    struct asking *a = arg;
    struct vcpu *v = boot_cpu(a->w->vm);
    uint8_t image[GDB_REG_BYTES];
    const struct gdb_reg *r = gdb_reg_at(a->arch, nr);
    if (!r || r->wire > 8)
        return false;
    unsigned want = r->st | (r->special ? ST_GPRS | ST_SEGS | ST_CRS : 0u);
    if (want & ~a->groups && v->ops->get_state(v, want & ~a->groups, &a->cpu))
        return false;
    a->groups |= want;
    gdb_reg_read(r, &a->cpu, image);
    memcpy(value, image, sizeof *value);
    return true;
}

/* True too if the code fails; `why` then says how (condition_holds()). */
static bool agent_holds(const struct condition_world *w, const struct link_break *b, char *why,
                        size_t n)
{
    struct asking a = { .w = w, .arch = b->agent[0] };
    bool holds = true;
    const struct agent_machine m = { read_for_agent, reg_for_agent, &a };
    return agent_list_eval(b->agent, b->agent_len, &m, &holds, why, n) || holds;
}

bool condition_holds(const struct condition_world *w, const struct link_break *b,
                     struct expr_names **names, char *why, size_t n)
{
    struct cpu_state cpu = { 0 };
    struct vcpu *v = boot_cpu(w->vm);
    uint64_t value;
    size_t at;
    why[0] = 0;
    if (b->agent_len)
        return agent_holds(w, b, why, n);
    if (!b->condition[0])
        return true;
    if (b->kind == BREAK_CODE && !*names)
        *names = calloc(1, sizeof **names);
    v->ops->get_state(v, ST_ALL & ~(unsigned)ST_FPU, &cpu);
    struct expr_machine m = { .cpu = &cpu, .symbols = w->symbols, .info = w->info, .names = *names,
                              .read = read_memory, .arg = (void *)(uintptr_t)w };
    return expr_eval(b->condition, &m, &value, &at, why, n) || value;
}

/* At code the names are those in scope at that address; elsewhere nobody knows where the
 * CPU will be, and only global names can be checked. */
int condition_check(const struct condition_world *w, const struct link_break *b, char *why,
                    size_t n)
{
    const struct cpu_state there = { .rip = b->kind == BREAK_CODE ? b->at : 0 };
    struct expr_machine m = { .cpu = &there, .symbols = w->symbols, .info = w->info };
    size_t at;
    char what[200];
    if (b->agent_len > sizeof b->agent) {
        snprintf(why, n, "a condition in byte code has at most %zu bytes", sizeof b->agent);
        return -EINVAL;
    }
    if (b->agent_len && agent_list_check(b->agent, b->agent_len, why, n))
        return -EINVAL;
    if (!b->condition[0] || !expr_check(b->condition, &m, &at, what, sizeof what))
        return 0;
    snprintf(why, n, "the condition '%s' makes no sense: %s", b->condition, what);
    return -EINVAL;
}
