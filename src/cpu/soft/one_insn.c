/*
 * cpu/soft/one_insn.c -- one instruction for other engines; see cpu/one_insn.h.
 *
 * A vCPU of the interpreter that no machine knows: it shares guest memory with the
 * caller's and nothing else.  The monitor trap flag makes it exit after one instruction.
 * Its nested tables are the identity; they are filled page by page, as instructions
 * touch memory, and stay, because guest memory does not move.  Code, translations and
 * everything half done are forgotten before each call: the caller's guest has gone on
 * in the meantime, and the interpreter was not told.
 */
#include "cpu/one_insn.h"

#include <errno.h>
#include <stdlib.h>

#include "cpu/soft/exec.h"
#include "cpu/soft/run.h"
#include "mem/gmem.h"
#include "mem/hmem.h"
#include "mem/nested.h"

/* A whole interpreter, with nested tables of its own. */
struct one_insn { struct vcpu v; struct nested *nested; };

/* NULL if there is no memory.  The fields of the vCPU that a machine would set stay 0: no
 * trace, no owner. */
struct one_insn *one_insn_new(struct gmem *m, struct dirty *dirty)
{
    struct one_insn *o = calloc(1, sizeof *o);

    if (!o)
        return NULL;
    o->v.ops = &engine_soft;
    o->v.gmem = m;
    o->v.dirty = dirty;
    o->v.mmu = MMU_NESTED;
    o->v.hmem = hmem_new(m);
    o->nested = o->v.hmem ? nested_new(o->v.hmem, NULL) : NULL;
    o->v.eptp = o->nested ? nested_root(o->nested) : HMEM_NONE;
    if (!o->nested || engine_soft.create(&o->v)) {
        one_insn_free(o);
        return NULL;
    }
    return o;
}

void one_insn_free(struct one_insn *o)
{
    if (!o)
        return;
    if (o->v.priv)
        engine_soft.destroy(&o->v);
    if (o->nested)
        nested_free(o->nested);
    if (o->v.hmem)
        hmem_free(o->v.hmem);
    free(o);
}

/* The first touch of a page.  ROM stays read-only: the bus ignores writes to it. */
static int map_page(struct one_insn *o, gpa_t gpa)
{
    const struct gmem_region *r = gmem_find(o->v.gmem, gpa);
    gpa_t page = gpa & PAGE_MASK;

    if (!r)
        return -EFAULT;
    return nested_map(o->nested, page, HMEM_GUEST + page, PAGE_SIZE,
                      r->kind == GMEM_ROM ? EPT_R | EPT_X : EPT_RWX);
}

/* Execute until the instruction is done or somebody else must see to it. */
static enum one_insn_end go_on(struct one_insn *o, struct vmexit *x)
{
    int err;

    for (;;) {
        struct vmexit found;
        engine_soft.run(&o->v, UINT64_MAX, &found);
        if (found.reason == EXIT_MTF)
            return ONE_INSN_DONE;
        if (found.reason != EXIT_EPT_VIOLATION) {
            *x = found;
            return ONE_INSN_EXIT;
        }
        err = map_page(o, found.page.gpa);
        if (err) {
            *x = (struct vmexit){ .reason = EXIT_HOST, .rip = found.rip,
                                  .fail = { err, "no memory for nested tables" } };
            return ONE_INSN_EXIT;
        }
        engine_soft.conclude(&o->v, &found, RETRY);
    }
}

/* Every exception exits, for the caller decides what becomes of it. */
enum one_insn_end one_insn_run(struct one_insn *o, const struct cpu_state *before,
                               const struct controls *c, struct vmexit *x)
{
    struct controls mine = *c;

    mine.exception_bitmap = UINT32_MAX;
    mine.monitor_trap_flag = true;
    mine.irq_window_exiting = false;
    soft_start_over(o->v.priv);
    engine_soft.set_controls(&o->v, &mine);
    engine_soft.set_state(&o->v, ST_ALL, before);
    return go_on(o, x);
}

/* The caller has filled in x.  Three kinds of instruction are not finished by that: a
 * device has answered one access of an instruction that may make more; INS has its value
 * and no place to store it yet; CR3 is loaded and the rest of the task switch is to come. */
enum one_insn_end one_insn_answer(struct one_insn *o, struct vmexit *x)
{
    struct soft *s = o->v.priv;
    struct event fault;

    engine_soft.conclude(&o->v, x, RETIRE);
    fault = s->inject;
    s->inject.type = EVENT_NONE;
    if (fault.type == EVENT_EXCEPTION) {        /* the access itself faulted: MOV to CR, WRMSR */
        s->x = x;
        soft_exit_exception(s, &fault);
        return ONE_INSN_EXIT;
    }
    if (x->reason == EXIT_MMIO || s->late_input || !x->len)
        return go_on(o, x);
    return ONE_INSN_DONE;
}

void one_insn_state(struct one_insn *o, struct cpu_state *after)
{
    engine_soft.get_state(&o->v, ST_ALL, after);
}

struct one_insn_rest one_insn_rest(const struct one_insn *o)
{
    const struct soft *s = o->v.priv;

    return (struct one_insn_rest){ .irq_shadow = s->irq_shadow, .debug_trap = s->pending_db };
}
