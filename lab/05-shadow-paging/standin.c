/*
 * lab/05-shadow-paging/standin.c -- in the place of mem/shadow.c: asks the student's process.
 *
 * The tables that the part keeps are copied, entry by entry, into frames of the monitor's own
 * (lab/common/frames.h), and there the processor walks them: it looks up each frame number, so
 * whatever an entry says, it leads to memory of the guest or to a page fault.  Guest memory is
 * read, and A and D bits are set, on this side, with the guest's own registers.
 *
 * Each time before the guest runs on, the oracle looks at what the processor could now find.
 */
#include "mem/shadow.h"

#include <stdlib.h>
#include <string.h>

#include "../lab/05-shadow-paging/calls.h"
#include "../lab/05-shadow-paging/oracle.h"
#include "../lab/common/ask.h"
#include "../lab/common/frames.h"
#include "base/host.h"

struct shadow {
    struct asker       asker;
    struct frames      frames;
    struct gmem       *gmem;
    struct oracle     *oracle;
    struct paging      pg;              /* the guest's, as of the last switch       */
    struct shadow_regs regs;
    bool               flush;
    bool               wrote;           /* a walk of this call has set A or D bits  */
};

/* ---- what the submission asks ---- */

/* A walk that leaves A and D bits is the processor's in the guest's own tables. */
static bool is_guests(const struct shadow *s, const struct paging *pg)
{
    return pg->cr0 == s->pg.cr0 && pg->cr3 == s->pg.cr3 && pg->cr4 == s->pg.cr4 &&
           pg->efer == s->pg.efer;
}

static bool hear_walk(struct shadow *s, struct lab_message *m)
{
    const uint64_t *a = m->arg;
    struct paging pg = { a[0], a[1], a[2], a[3], (a[5] & WALK_AC) != 0 };
    unsigned access = (unsigned)a[5] & (WALK_WRITE | WALK_USER | WALK_FETCH | WALK_PEEK | WALK_SYSTEM);
    struct walk w;
    if (!(access & WALK_PEEK) && !is_guests(s, &pg)) {
        host_say("walk() with registers that are not the guest's: only with WALK_PEEK");
        return false;
    }
    memset(&w, 0, sizeof w);                    /* all of it goes to the other process */
    walk(&pg, s->gmem, a[4], access, &w);
    s->wrote |= w.wrote;
    memcpy(m->data, &w, sizeof w);
    m->bytes = sizeof w;
    return true;
}

static bool hear_read(const struct shadow *s, struct lab_message *m)
{
    uint64_t n = m->arg[1];
    if (n > LAB_WIRE_DATA)
        return false;
    m->arg[0] = gmem_read(s->gmem, m->arg[0], m->data, n) == 0;
    m->bytes = m->arg[0] ? (uint32_t)n : 0;
    return true;
}

static bool hear(void *arg, struct lab_message *m)
{
    struct shadow *s = arg;
    if (frames_is_ours(m))
        return frames_hear(&s->frames, m);
    if (m->kind != LAB_CALL)
        return false;
    m->bytes = 0;
    return m->what == LAB5_WALK ? hear_walk(s, m) : m->what == LAB5_READ ? hear_read(s, m) : false;
}

/* ---- asking it ---- */

/* After a call the hardware has new registers.  Without a submission it finds nothing, and the
 * next fault ends the run: shadow_fault(). */
static void ask_part(struct shadow *s, struct lab_message *m)
{
    struct lab5_view view = { .cr3 = { HMEM_NONE, HMEM_NONE } };
    s->wrote = false;
    ask(&s->asker, m);
    if (!s->asker.lost && m->bytes == sizeof view)
        memcpy(&view, m->data, sizeof view);
    s->regs = (struct shadow_regs){
        .cr3 = { view.cr3[0] & PTE_ADDR, view.cr3[1] & PTE_ADDR }, .gla_mask = view.gla_mask,
        .wp = view.wp, .smep = view.smep, .smap = view.smap,
    };
    s->flush |= view.flush || s->asker.lost;
}

static void let_run(struct shadow *s)
{
    if (s->asker.lost || oracle_check(s->oracle, &s->regs))
        return;
    host_say("the shadow maps more than there is: do its tables lead in circles?");
    s->asker.lost = true;
    s->regs.cr3[0] = s->regs.cr3[1] = HMEM_NONE;
}

void shadow_switch(struct shadow *s, const struct paging *pg)
{
    struct lab_message m = { .what = LAB5_SWITCH, .arg = { pg->cr0, pg->cr3, pg->cr4, pg->efer } };
    s->pg = *pg;
    ask_part(s, &m);
    oracle_switch(s->oracle, pg);
    let_run(s);
}

enum shadow_verdict shadow_fault(struct shadow *s, gla_t gla, unsigned access, struct walk *w)
{
    struct lab_message m = { .what = LAB5_FAULT, .arg = { gla, access } };
    struct paging pg = s->pg;
    struct walk before;
    pg.ac = (access & WALK_AC) != 0;
    gla &= walk_levels(&pg) == 4 ? FIELD(47, 0) : FIELD(31, 0);
    walk(&pg, s->gmem, gla, access | WALK_PEEK, &before);
    ask_part(s, &m);
    *w = before;                        /* the caller looks at it, whatever the verdict */
    w->wrote = s->wrote;
    w->error = (uint32_t)m.arg[1];
    if (s->asker.lost || m.arg[0] >= SHADOW_FAILED)
        return SHADOW_FAILED;
    oracle_judge(s->oracle, s->regs.cr3[walk_is_user(access)], gla, &before,
                 m.arg[0] == SHADOW_TRUE, w->error);
    let_run(s);
    return (enum shadow_verdict)m.arg[0];
}

void shadow_invlpg(struct shadow *s, gla_t gla)
{
    struct lab_message m = { .what = LAB5_INVLPG, .arg = { gla } };
    ask_part(s, &m);
    oracle_invlpg(s->oracle, gla);
    let_run(s);
}

void shadow_forget(struct shadow *s, gpa_t gpa, uint64_t len)
{
    struct lab_message m = { .what = LAB5_FORGET, .arg = { gpa, len } };
    ask_part(s, &m);
    let_run(s);
}

bool shadow_take_flush(struct shadow *s)
{
    bool flush = s->flush;
    s->flush = false;
    return flush;
}

const struct shadow_regs *shadow_registers(const struct shadow *s)
{
    return &s->regs;
}

/* ---- making it ---- */

static void cannot_end(void *arg, uint32_t status)
{
    (void)arg, (void)status;
}

static void tell_memory(const struct gmem *m, struct lab_message *to)
{
    struct lab5_memory told = { .n = 0 };
    for (size_t i = 0; i < gmem_count(m) && i < LAB5_REGIONS; i++) {
        const struct gmem_region *r = gmem_region(m, i);
        told.region[told.n++] = (struct lab5_region){ r->base, r->size, r->kind == GMEM_ROM };
    }
    memcpy(to->data, &told, sizeof told);
    to->bytes = sizeof told;
}

struct shadow *shadow_new(struct gmem *m, struct hmem *h, struct trace *t)
{
    struct lab_message new = { .what = LAB5_NEW, .arg = { LAB5_FRAMES } };
    struct shadow *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->gmem = m;
    s->oracle = oracle_new(m, h, t);
    if (!s->oracle || frames_init(&s->frames, h, NULL, s->oracle)) {
        shadow_free(s);
        return NULL;
    }
    s->frames.written = oracle_written;
    asker_init(&s->asker, (struct port_hook){ cannot_end, NULL }, hear, s);
    tell_memory(m, &new);
    ask_part(s, &new);
    s->asker.lost |= !(new.arg[0] & 1);
    return s;
}

void shadow_free(struct shadow *s)
{
    if (!s)
        return;
    oracle_free(s->oracle);
    frames_free(&s->frames);
    free(s);
}

/* ---- for others than `run`, which a lab's monitor does not have ---- */

size_t shadow_check(const struct shadow *s, char *why, size_t n)
{
    (void)s, (void)why, (void)n;
    return 0;
}

void shadow_save(const struct shadow *s, struct bytes_out *o)
{
    (void)s, (void)o;
}

bool shadow_load(struct shadow *s, struct bytes_in *in)
{
    (void)s, (void)in;
    return false;
}

void shadow_get_stats(const struct shadow *s, struct shadow_stats *st)
{
    (void)s;
    *st = (struct shadow_stats){ 0 };
}
