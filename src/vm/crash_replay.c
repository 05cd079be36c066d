/*
 * vm/crash_replay.c -- one instruction, executed again by the interpreter, on the guest's memory.
 *
 * The interpreter gets nested tables that are empty at first.  A page that it reads is mapped
 * without W; before it writes to one the page's content is kept, and put back at the end.  So
 * nobody can tell that there was a replay.  Whatever is not a matter of memory ends it: then
 * the crash cannot be had again in this way.
 */
#include "vm/crash_replay.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/state.h"
#include "cpu/vcpu.h"
#include "mem/gmem.h"
#include "mem/hmem.h"
#include "mem/nested.h"

/* Deliveries of an exception, of what came of it and of a double fault touch some dozen pages. */
enum { MAX_KEPT = 32, MAX_EXITS = 200 };

struct replay {
    struct vcpu    cpu;
    struct nested *nested;
    unsigned       n_kept;
    struct { gpa_t gpa; uint8_t *bytes; } kept[MAX_KEPT];
};

/* Keep what a page holds, before it is written to. */
static bool keep_page(struct replay *r, gpa_t page)
{
    uint8_t *bytes = r->n_kept < MAX_KEPT ? malloc(PAGE_SIZE) : NULL;

    if (!bytes || gmem_read(r->cpu.gmem, page, bytes, PAGE_SIZE)) {
        free(bytes);
        return false;
    }
    r->kept[r->n_kept].gpa = page;
    r->kept[r->n_kept++].bytes = bytes;
    return true;
}

/* A page is missing, or may not be written to yet.  False: that is not it. */
static bool map_page(struct replay *r, struct vmexit *x)
{
    gpa_t page = x->page.gpa & PAGE_MASK;
    bool write = x->page.access & ACCESS_W;
    const struct gmem_region *g;

    if (x->reason != EXIT_EPT_VIOLATION)
        return false;
    g = gmem_find(r->cpu.gmem, page);
    if (!g || (write && (g->kind != GMEM_RAM || !keep_page(r, page))))
        return false;
    if (nested_map(r->nested, page, HMEM_GUEST + page, PAGE_SIZE, write ? EPT_RWX : EPT_R | EPT_X))
        return false;
    r->cpu.ops->conclude(&r->cpu, x, RETRY);
    return true;
}

/* The budget is one instruction: if it is used up, the instruction has gone well this time, or its
 * exception has found a handler. */
static bool crashes_again(struct replay *r)
{
    struct vmexit x;

    for (unsigned i = 0; i < MAX_EXITS; i++) {
        r->cpu.ops->run(&r->cpu, 1, &x);
        if (x.reason == EXIT_TRIPLE_FAULT)
            return true;
        if (!map_page(r, &x))
            return false;
    }
    return false;
}

/* The latest first: a page may have been kept twice, if its mapping was lost in between. */
static void put_back(struct replay *r)
{
    while (r->n_kept--) {
        gmem_write(r->cpu.gmem, r->kept[r->n_kept].gpa, r->kept[r->n_kept].bytes, PAGE_SIZE);
        free(r->kept[r->n_kept].bytes);
    }
}

/* From state c, with this event on its way to the guest (of type EVENT_NONE: none). */
static bool try_from(struct replay *r, const struct cpu_state *c, const struct event *e)
{
    return !r->cpu.ops->set_state(&r->cpu, ST_ALL, c) &&
           (e->type == EVENT_NONE || !r->cpu.ops->inject(&r->cpu, e)) && crashes_again(r) &&
           r->cpu.undelivered->n && r->cpu.undelivered->step[0].rip == c->rip;
}

/* If the instruction itself goes well, an interrupt may have come before it: the latest that the
 * monitor has injected. */
static bool replay(struct replay *r, const struct cpu_state *c, const struct event *injected,
                   struct delivery_chain *chain)
{
    const struct event none = { .type = EVENT_NONE };
    bool again;

    if (r->cpu.ops->create(&r->cpu))
        return false;
    again = try_from(r, c, &none) || (injected->type != EVENT_NONE && try_from(r, c, injected));
    if (again)
        *chain = *r->cpu.undelivered;
    r->cpu.ops->destroy(&r->cpu);
    put_back(r);
    return again;
}

bool crash_replay(struct vcpu *v, struct delivery_chain *chain)
{
    struct replay r = { .cpu = { .ops = &engine_soft, .gmem = v->gmem, .mmu = MMU_NESTED } };
    struct cpu_state c;
    bool done = false;

    if (v->ops->get_state(v, ST_ALL, &c))
        return false;
    r.cpu.hmem = hmem_new(v->gmem);
    r.nested = r.cpu.hmem ? nested_new(r.cpu.hmem, NULL) : NULL;
    if (r.nested) {
        r.cpu.eptp = nested_root(r.nested);
        done = replay(&r, &c, &v->latest_injection, chain);
        nested_free(r.nested);
    }
    hmem_free(r.cpu.hmem);
    chain->replayed = done;
    return done;
}
