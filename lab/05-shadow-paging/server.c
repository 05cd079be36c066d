/*
 * lab/05-shadow-paging/server.c -- the main() of a submission: calls what the student wrote.
 *
 * The student's shadow.c finds here what it needs of the monitor: frames for its tables
 * (lab/common/keeper.h), the list of the guest's memory regions, and walk() and gmem_read(),
 * which ask the monitor.
 */
#include "mem/shadow.h"

#include <errno.h>
#include <string.h>

#include "../lab/05-shadow-paging/calls.h"
#include "../lab/common/keeper.h"
#include "../lab/common/part.h"
#include "base/trace.h"

struct gmem { struct gmem_region region[LAB5_REGIONS]; size_t n; };

static struct gmem    memory;
static struct shadow *shadow;

/* ---- the guest's memory, as far as a part sees it ---- */

size_t gmem_count(const struct gmem *m)
{
    return m->n;
}

const struct gmem_region *gmem_region(const struct gmem *m, size_t i)
{
    return &m->region[i];
}

const struct gmem_region *gmem_find(const struct gmem *m, gpa_t gpa)
{
    for (size_t i = 0; i < m->n; i++)
        if (gpa - m->region[i].base < m->region[i].size)
            return &m->region[i];
    return NULL;
}

int gmem_read(const struct gmem *m, gpa_t gpa, void *buf, uint64_t len)
{
    (void)m;
    for (uint64_t n; len; len -= n, gpa += n, buf = (char *)buf + n) {
        n = len < LAB_WIRE_DATA ? len : LAB_WIRE_DATA;
        struct lab_message ask = { .what = LAB5_READ, .arg = { gpa, n } };
        if (lab_call(&part_wire, &ask) || !ask.arg[0] || ask.bytes != n)
            return -EFAULT;
        memcpy(buf, ask.data, n);
    }
    return 0;
}

unsigned walk_levels(const struct paging *pg)
{
    if (!(pg->cr0 & CR0_PG))
        return 0;
    return pg->efer & EFER_LMA ? 4 : pg->cr4 & CR4_PAE ? 3 : 2;
}

void walk(const struct paging *pg, struct gmem *m, gla_t gla, unsigned access, struct walk *w)
{
    struct lab_message ask = {
        .what = LAB5_WALK,
        .arg = { pg->cr0, pg->cr3, pg->cr4, pg->efer, gla,
                 (access & ~(unsigned)WALK_AC) | (pg->ac ? WALK_AC : 0) },
    };
    (void)m;
    if (lab_call(&part_wire, &ask) || ask.bytes != sizeof *w)
        *w = (struct walk){ .result = WALK_FAULT };
    else
        memcpy(w, ask.data, sizeof *w);
}

/* ---- answering ---- */

static bool make_shadow(const struct lab_message *m)
{
    static struct trace nowhere;
    struct lab5_memory told;
    struct hmem *tables = keeper_hmem(m->arg[0]);
    memcpy(&told, m->data, sizeof told);
    for (; memory.n < told.n && memory.n < LAB5_REGIONS; memory.n++) {
        const struct lab5_region *r = &told.region[memory.n];
        memory.region[memory.n] = (struct gmem_region){
            .base = r->base, .size = r->size, .kind = r->is_rom ? GMEM_ROM : GMEM_RAM,
        };
    }
    if (!tables)
        return false;
    tables->gmem = &memory;
    shadow = shadow_new(&memory, tables, &nowhere);
    return shadow != NULL;
}

static void answer_fault(struct lab_message *m)
{
    struct walk w = { .error = 0 };
    m->arg[0] = shadow_fault(shadow, m->arg[0], (unsigned)m->arg[1], &w);
    m->arg[1] = w.error;
}

/* The end of each answer: first the tables, then what leads to them. */
static void put_view(struct lab_message *m)
{
    struct lab5_view view = { .cr3 = { HMEM_NONE, HMEM_NONE } };
    keeper_tell();
    if (shadow) {
        const struct shadow_regs *r = shadow_registers(shadow);
        view = (struct lab5_view){
            .cr3 = { r->cr3[0], r->cr3[1] }, .gla_mask = r->gla_mask,
            .wp = r->wp, .smep = r->smep, .smap = r->smap, .flush = shadow_take_flush(shadow),
        };
    }
    memcpy(m->data, &view, sizeof view);
    m->bytes = sizeof view;
}

static bool serve(void *arg, struct lab_message *m)
{
    struct paging pg = { m->arg[0], m->arg[1], m->arg[2], m->arg[3], false };
    (void)arg;
    if (m->what == LAB5_NEW)
        m->arg[0] = make_shadow(m);
    else if (!shadow)
        return false;
    else if (m->what == LAB5_SWITCH)
        shadow_switch(shadow, &pg);
    else if (m->what == LAB5_FAULT)
        answer_fault(m);
    else if (m->what == LAB5_INVLPG)
        shadow_invlpg(shadow, m->arg[0]);
    else if (m->what == LAB5_FORGET)
        shadow_forget(shadow, m->arg[0], m->arg[1]);
    else
        return false;
    put_view(m);
    return true;
}

int main(void)
{
    return part_serve(serve);
}
