/*
 * cpu/soft/tlb.c -- from linear address to host memory, and what is in the way.
 *
 * A direct-mapped cache of translations, one for each privilege: supervisor,
 * user, and supervisor with AC set under SMAP.  An entry has three tags, one
 * for each kind of access it grants; the fast path of exec.h compares one.  An
 * absent tag means "ask": nothing mapped, or something to be done first --
 *
 *   write tag    the page is dirty-marked, its guest D bit is set, no decoded
 *                code lies on it, it is not ROM
 *   no tags      a device, which is walked for each time; or a debugger watches
 *
 * A flush costs what filling cost: entries in use are on a list.  Global pages
 * have a list of their own, so that a CR3 load leaves them.
 *
 * The simulated hardware walks the guest's tables and, for each entry it reads,
 * the monitor's nested tables; or only the monitor's shadow tables.  What it
 * does not find it reports: #PF to the guest, EPT violation, MMIO or shadow
 * fault to the monitor.  In that order begin reading: translate().
 */
#include "cpu/soft/exec.h"

#include <errno.h>
#include <stdlib.h>

#include "base/host.h"
#include "base/trace.h"
#include "mem/dirty.h"
#include "mem/gmem.h"
#include "mem/ept_walk.h"
#include "mem/hmem.h"
#include "mem/shadow_walk.h"

enum tlb_set { SET_SUPERVISOR, SET_USER, SET_SUPERVISOR_AC, N_SETS };

struct soft_tlb {
    struct tlb_entry set[N_SETS][TLB_ENTRIES];
    bool listed[N_SETS][2][TLB_ENTRIES];        /* [1]: on the list of globals */
    bool global[N_SETS][TLB_ENTRIES];
    uint32_t list[2][N_SETS * TLB_ENTRIES];     /* set * TLB_ENTRIES + index */
    unsigned n_list[2];
    bool has_large;                             /* INVLPG must flush more than one entry */
    struct { uint64_t tag[2]; } guarded[N_SETS][TLB_ENTRIES];  /* granted, but to be looked at: code
                                                   lies there, or a debugger watches the page */
    bool clean[N_SETS][TLB_ENTRIES];            /* guarded[].tag[TAG_W]: to be dirty-marked first */
    struct tlb_entry nothing[TLB_ENTRIES];      /* tlb_now while every access must be looked at */
    uint64_t scratch;                           /* table entries read from no memory */
    uint8_t ones[2 * PAGE_SIZE];                /* code where there is no memory reads as this */
};

static void clear(struct soft_tlb *t, unsigned set, unsigned i)
{
    for (unsigned tag = TAG_R; tag <= TAG_X; tag++)
        t->set[set][i].tag[tag] = TLB_EMPTY;
    t->guarded[set][i].tag[TAG_R] = t->guarded[set][i].tag[TAG_W] = TLB_EMPTY;
    t->clean[set][i] = false;
}

int tlb_new(struct soft *s)
{
    struct soft_tlb *t = s->tlb = host_page_alloc((sizeof *t + PAGE_SIZE - 1) & PAGE_MASK);

    if (!t)
        return -ENOMEM;
    for (unsigned i = 0; i < N_SETS * TLB_ENTRIES; i++)
        clear(t, i / TLB_ENTRIES, i % TLB_ENTRIES);
    for (unsigned i = 0; i < TLB_ENTRIES; i++)
        for (unsigned tag = 0; tag < 3; tag++)
            t->nothing[i].tag[tag] = TLB_EMPTY;
    memset(t->ones, 0xff, sizeof t->ones);
    return 0;
}

void tlb_free(struct soft *s)
{
    if (s->tlb)
        host_page_free(s->tlb, (sizeof *s->tlb + PAGE_SIZE - 1) & PAGE_MASK);
}

static enum tlb_set set_for(const struct soft *s, unsigned access)
{
    if (access & WALK_USER)
        return SET_USER;
    if ((access & WALK_SYSTEM) || !(s->cr4 & CR4_SMAP))
        return SET_SUPERVISOR;
    return s->flags & FLAG_AC ? SET_SUPERVISOR_AC : SET_SUPERVISOR;
}

/* #AC is checked at CPL 3 only.  [SDM 3A "Alignment Check Exception"] */
static bool alignment_checked(const struct soft *s)
{
    return s->cpl == 3 && (s->cr0 & CR0_AM) && (s->flags & FLAG_AC);
}

void tlb_choose(struct soft *s)
{
    if (!s->tlb)
        return;
    s->watching = (s->dr[7] & 0xff) || alignment_checked(s);
    if (s->watching)
        s->tlb_now = s->tlb->nothing;
    else
        s->tlb_now = s->tlb->set[set_for(s, s->cpl == 3 ? WALK_USER : 0)];
}

/* ---- flushing ---- */

static void flush_list(struct soft_tlb *t, bool globals)
{
    for (unsigned k = 0; k < t->n_list[globals]; k++) {
        unsigned set = t->list[globals][k] / TLB_ENTRIES, i = t->list[globals][k] % TLB_ENTRIES;

        t->listed[set][globals][i] = false;
        if (t->global[set][i] == globals)       /* else it has been refilled as the other kind */
            clear(t, set, i);
    }
    t->n_list[globals] = 0;
}

void soft_tlb_flush(struct soft *s, bool globals_too)
{
    flush_list(s->tlb, false);
    if (globals_too) {
        flush_list(s->tlb, true);
        s->tlb->has_large = false;
    }
    s->map_gen++;
}

void soft_tlb_flush_page(struct soft *s, gla_t gla)
{
    if (s->tlb->has_large) {            /* which entries came from the same large page? */
        soft_tlb_flush(s, true);
        return;
    }
    for (unsigned set = 0; set < N_SETS; set++)
        clear(s->tlb, set, tlb_index(gla));
    s->map_gen++;
}

/* A page got code: take the write tags away from all that map it. */
void tlb_guard_page(struct soft *s, const uint8_t *hva)
{
    struct soft_tlb *t = s->tlb;
    uint64_t page = (uintptr_t)hva & PAGE_MASK;

    for (unsigned globals = 0; globals < 2; globals++)
        for (unsigned k = 0; k < t->n_list[globals]; k++) {
            unsigned set = t->list[globals][k] / TLB_ENTRIES;
            unsigned i = t->list[globals][k] % TLB_ENTRIES;
            struct tlb_entry *e = &t->set[set][i];
            if (e->tag[TAG_W] != TLB_EMPTY && e->tag[TAG_W] + e->addend == page) {
                t->guarded[set][i].tag[TAG_W] = e->tag[TAG_W];
                e->tag[TAG_W] = TLB_EMPTY;
            }
        }
}

/* ---- what others want with all entries: each is on one of the lists ---- */

void tlb_rearm_dirty(struct vcpu *v)
{
    struct soft_tlb *t = ((struct soft *)v->priv)->tlb;

    for (unsigned globals = 0; globals < 2; globals++)
        for (unsigned k = 0; k < t->n_list[globals]; k++) {
            unsigned set = t->list[globals][k] / TLB_ENTRIES;
            unsigned i = t->list[globals][k] % TLB_ENTRIES;
            uint64_t *write = &t->set[set][i].tag[TAG_W];
            if (*write != TLB_EMPTY)
                t->guarded[set][i].tag[TAG_W] = *write;
            *write = TLB_EMPTY;
            t->clean[set][i] = true;
        }
}

/* Saved: entries in no particular order, with guest-physical addresses; a guest that
 * changed its tables and has not said so yet goes on as if nothing had been. */
struct saved_entry { uint64_t page, gpa; uint32_t index; uint8_t set, tags, global, zero; };

static gpa_t gpa_of(struct soft *s, const uint8_t *hva);
static void grant(struct soft_tlb *t, unsigned set, unsigned i, unsigned tag, gla_t page,
                  bool guarded);

static uint64_t tag_of(const struct soft_tlb *t, unsigned set, unsigned i, unsigned tag)
{
    uint64_t direct = t->set[set][i].tag[tag];
    return direct != TLB_EMPTY || tag == TAG_X ? direct : t->guarded[set][i].tag[tag];
}

/* All tags that an entry has are the same page.  False: it has none. */
static bool save_entry(struct soft *s, unsigned set, unsigned i, struct bytes_out *o)
{
    const struct soft_tlb *t = s->tlb;
    const struct tlb_entry *e = &t->set[set][i];
    struct saved_entry out = { .index = i, .set = (uint8_t)set, .global = t->global[set][i] };

    for (unsigned tag = TAG_R; tag <= TAG_X; tag++)
        if (tag_of(t, set, i, tag) != TLB_EMPTY) {
            out.page = tag_of(t, set, i, tag);
            out.tags |= (uint8_t)BIT(tag);
        }
    if (!out.tags)
        return false;
    out.gpa = gpa_of(s, (const uint8_t *)(uintptr_t)(out.page + e->addend));
    BYTES_PUT(o, out);
    return true;
}

void tlb_save(struct soft *s, struct bytes_out *o)
{
    struct soft_tlb *t = s->tlb;
    size_t at = o->n + 1;
    uint64_t n = 0;

    BYTES_PUT(o, t->has_large);
    BYTES_PUT(o, n);
    for (unsigned globals = 0; globals < 2; globals++)
        for (unsigned k = 0; k < t->n_list[globals]; k++) {
            unsigned set = t->list[globals][k] / TLB_ENTRIES;
            unsigned i = t->list[globals][k] % TLB_ENTRIES;
            if (t->global[set][i] == globals)   /* else refilled as the other kind */
                n += save_entry(s, set, i, o);
        }
    if (!o->bad)
        memcpy(o->data + at, &n, sizeof n);
}

static bool load_entry(struct soft *s, const struct saved_entry *e)
{
    struct soft_tlb *t = s->tlb;
    const struct gmem_region *r = gmem_find(s->v->gmem, e->gpa);
    bool write = e->tags & BIT(TAG_W), global = e->global;

    if (!r || ((e->gpa | e->page) & ~PAGE_MASK) || e->set >= N_SETS || e->index >= TLB_ENTRIES ||
        tlb_index(e->page) != e->index || (write && r->kind == GMEM_ROM) ||
        t->n_list[global] >= N_SETS * TLB_ENTRIES)
        return false;
    clear(t, e->set, e->index);
    struct tlb_entry *to = &t->set[e->set][e->index];
    to->addend = (uintptr_t)gmem_hva(r, e->gpa, PAGE_SIZE) - e->page;
    to->tag[TAG_X] = e->tags & BIT(TAG_X) ? e->page : TLB_EMPTY;
    if (e->tags & BIT(TAG_R))
        grant(t, e->set, e->index, TAG_R, e->page,
              s->debug_data && debug_watches(s, e->page, e->gpa, ACCESS_R));
    if (write)
        grant(t, e->set, e->index, TAG_W, e->page, true);
    t->clean[e->set][e->index] = true;
    t->global[e->set][e->index] = global;
    if (!t->listed[e->set][global][e->index]) {
        t->listed[e->set][global][e->index] = true;
        t->list[global][t->n_list[global]++] = e->set * TLB_ENTRIES + e->index;
    }
    return true;
}

bool tlb_load(struct soft *s, struct bytes_in *in)
{
    bool has_large = bytes_get_bool(in);
    uint64_t n = bytes_get_u64(in);

    soft_tlb_flush(s, true);
    s->tlb->has_large = has_large;
    for (; n && !in->bad; n--) {
        struct saved_entry e;
        BYTES_GET(in, e);
        if (in->bad || !load_entry(s, &e))
            return false;
    }
    return !in->bad;
}

/* ---- the walk ---- */

struct place {                  /* where an access goes */
    uint8_t *hva;               /* NULL: to a device */
    gpa_t    gpa;
    bool     global, large;
    bool     guarded;           /* perhaps decoded instructions lie on the page, or a debugger
                                 * watches it */
};

struct walk_context { struct soft *s; gla_t gla; };

/* A misconfigured entry is told with the rights that it has. */
static _Noreturn void ept_exit(struct soft *s, gla_t gla, gpa_t gpa, unsigned access,
                               const struct ept_walk *n, bool in_walk)
{
    bool misconfig = n->result == EPT_MISCONFIG;
    struct vmexit *x = soft_exit_record(s, misconfig ? EXIT_EPT_MISCONFIG : EXIT_EPT_VIOLATION);

    x->page.gla = gla;
    x->page.gpa = gpa;
    x->page.access = (uint8_t)access;
    x->page.perm = (uint8_t)(misconfig ? n->step[n->depth - 1].entry & EPT_RWX : n->perm);
    x->page.in_walk = in_walk;
    soft_leave(s);
}

/* Must the monitor hear of a walk that failed?  Not where it can map nothing: what
 * lies there is a device, or a ROM that is written to. */
static bool monitor_maps(const struct soft *s, gpa_t gpa, bool write, const struct ept_walk *n)
{
    const struct gmem_region *r = gmem_find(s->v->gmem, gpa);

    return n->result == EPT_MISCONFIG || (r && !(write && r->kind == GMEM_ROM));
}

/* The second dimension: a guest table entry at a guest-physical address. */
static void *walk_entry(void *arg, gpa_t at, unsigned size, bool write)
{
    struct walk_context *c = arg;
    struct soft *s = c->s;
    unsigned access = EPT_R | (write ? EPT_W : 0);
    struct ept_walk n;

    ept_walk(s->v->hmem, s->v->eptp, at, access, false, &n);
    if (LIKELY(n.result == EPT_OK)) {
        if (write && s->v->dirty)
            dirty_mark(s->v->dirty, at, size);
        return n.hva;
    }
    if (monitor_maps(s, at, write, &n))
        ept_exit(s, c->gla, at, access, &n, true);
    return walk_bus_entry(s->v->gmem, at, size, write, &s->tlb->scratch);
}

static void translate_nested(struct soft *s, gla_t gla, unsigned access, struct place *p)
{
    struct paging pg = { .cr0 = s->cr0, .cr3 = s->cr3, .cr4 = s->cr4, .efer = s->efer,
                         .ac = s->flags & FLAG_AC };
    struct walk_context context = { s, gla };
    struct walk_source source = { walk_entry, &context };
    unsigned want = access & WALK_FETCH ? EPT_X : access & WALK_WRITE ? EPT_R | EPT_W : EPT_R;
    struct ept_walk n;
    struct walk w;

    walk_from(&pg, &source, gla, access, &w);
    if (w.result == WALK_FAULT)
        soft_page_fault(s, gla, w.error);
    ept_walk(s->v->hmem, s->v->eptp, w.gpa, want, false, &n);
    p->gpa = w.gpa;
    p->hva = n.hva;
    p->global = w.global && (s->cr4 & CR4_PGE);
    p->large = w.page_size > PAGE_SIZE;
    if (n.result == EPT_OK)
        return;
    p->hva = NULL;
    if (monitor_maps(s, w.gpa, access & WALK_WRITE, &n))
        ept_exit(s, gla, w.gpa, want, &n, false);
}

/* The host page back to guest-physical: for dirty marks and devices. */
static gpa_t gpa_of(struct soft *s, const uint8_t *hva)
{
    gpa_t gpa;
    bug_if(!gmem_gpa(s->v->gmem, hva, &gpa), "the TLB leads to %p, which is no guest memory",
           (const void *)hva);
    return gpa;
}

static void translate_shadow(struct soft *s, gla_t gla, unsigned access, struct place *p)
{
    struct shadow_walk w;

    if (s->flags & FLAG_AC)
        access |= WALK_AC;
    p->global = p->large = false;
    shadow_walk(s->v->hmem, s->v->shadow_regs, gla, access, &w);
    if (UNLIKELY(!w.ok && !w.device))
        soft_page_fault(s, gla, w.error);
    p->hva = w.hva;
    if (w.device)
        p->hva = NULL;
    p->gpa = w.gpa;
}

static void grant(struct soft_tlb *t, unsigned set, unsigned i, unsigned tag, gla_t page,
                  bool guarded)
{
    t->set[set][i].tag[tag] = guarded ? TLB_EMPTY : page;
    t->guarded[set][i].tag[tag] = guarded ? page : TLB_EMPTY;
}

static void grant_data(struct soft *s, gla_t gla, unsigned set, unsigned i, unsigned access,
                       struct place *p)
{
    gla_t page = gla & PAGE_MASK;
    bool reads = UNLIKELY(s->debug_data) && debug_watches(s, gla, gpa_of(s, p->hva), ACCESS_R);

    p->guarded = reads;
    grant(s->tlb, set, i, TAG_R, page, reads);
    if (access & WALK_WRITE) {          /* a read-modify-write asks for this tag alone */
        p->guarded = reads || blocks_on_page(s, p->hva) ||
                     (UNLIKELY(s->debug_data) &&
                      debug_watches(s, gla, gpa_of(s, p->hva), ACCESS_W));
        grant(s->tlb, set, i, TAG_W, page, p->guarded);
        s->tlb->clean[set][i] = false;
    }
}

static void fill(struct soft *s, gla_t gla, unsigned access, struct place *p)
{
    struct soft_tlb *t = s->tlb;
    unsigned set = set_for(s, access), i = tlb_index(gla);
    struct tlb_entry *e = &t->set[set][i];
    gla_t page = gla & PAGE_MASK;
    uint64_t addend = (uintptr_t)p->hva - gla;

    if (e->addend != addend || t->global[set][i] != p->global ||
        (e->tag[TAG_R] != page && e->tag[TAG_W] != page && e->tag[TAG_X] != page))
        clear(t, set, i);
    e->addend = addend;
    t->global[set][i] = p->global;
    t->has_large |= p->large;
    if (!t->listed[set][p->global][i]) {
        t->listed[set][p->global][i] = true;
        t->list[p->global][t->n_list[p->global]++] = set * TLB_ENTRIES + i;
    }
    if (access & WALK_FETCH) {
        e->tag[TAG_X] = page;
        return;
    }
    grant_data(s, gla, set, i, access, p);
}

/* The first write since somebody took the dirty marks. */
SLOW void mark_again(struct soft *s, gla_t gla, unsigned set, unsigned i, struct place *p)
{
    if (s->v->dirty)
        dirty_mark(s->v->dirty, gpa_of(s, p->hva) & PAGE_MASK, PAGE_SIZE);
    grant_data(s, gla, set, i, WALK_WRITE, p);
}

/* Where does one byte at gla lie?  Faults or exits if nowhere. */
SLOW void translate(struct soft *s, gla_t gla, unsigned access, struct place *p)
{
    if (s->v->mmu == MMU_SHADOW)
        translate_shadow(s, gla, access, p);
    else
        translate_nested(s, gla, access, p);
    if (!p->hva)
        return;
    if ((access & WALK_WRITE) && s->v->dirty)
        dirty_mark(s->v->dirty, p->gpa & PAGE_MASK, PAGE_SIZE);
    fill(s, gla, access, p);
}

/* As translate, but looks into the TLB first. */
static void locate(struct soft *s, gla_t gla, unsigned access, struct place *p)
{
    unsigned set = set_for(s, access), i = tlb_index(gla);
    const struct tlb_entry *e = &s->tlb->set[set][i];
    unsigned tag = access & WALK_FETCH ? TAG_X : access & WALK_WRITE ? TAG_W : TAG_R;
    gla_t page = gla & PAGE_MASK;

    p->guarded = tag != TAG_X && s->tlb->guarded[set][i].tag[tag] == page;
    if (e->tag[tag] == page || p->guarded)
        p->hva = (uint8_t *)(uintptr_t)(gla + e->addend);
    else
        translate(s, gla, access, p);
    if (UNLIKELY(p->guarded) && tag == TAG_W && s->tlb->clean[set][i])
        mark_again(s, gla, set, i, p);
}

/* ---- what the monitor repaired ---- */

static void see_nested_fill(struct soft *s, const struct vmexit *x)
{
    struct ept_walk n;

    ept_walk(s->v->hmem, s->v->eptp, x->page.gpa, x->page.access, true, &n);
    if (n.result == EPT_OK)
        trace_emit(s->v->trace, TRACE_NESTED_FILL, x->page.gpa & ~(n.page_size - 1), n.page_size,
                   n.perm);
}

static void see_shadow_fill(struct soft *s, const struct vmexit *x)
{
    const struct shadow_regs *r = s->v->shadow_regs;
    struct shadow_walk w;

    shadow_walk(s->v->hmem, r, x->fault.gla, shadow_access(x->fault.error), &w);
    if (w.ok || w.device)
        trace_emit(s->v->trace, TRACE_SHADOW_FILL, x->fault.gla & r->gla_mask, w.gpa,
                   w.entry & ~PTE_ADDR);
}

/* The processor is about to go back to the address it left at.  What it finds there now,
 * and did not before, the monitor has made: that is logged here and not where it is
 * made, so that nobody has to take the monitor's word for it. */
void tlb_see_repair(struct soft *s, const struct vmexit *x)
{
    bool shadow = s->v->mmu == MMU_SHADOW;
    uint64_t kinds = BIT(TRACE_NESTED_FILL) | BIT(TRACE_SHADOW_FILL);

    if (!s->v->trace || !(s->v->trace->mask & kinds))
        return;
    if (x->reason == EXIT_EPT_VIOLATION && !shadow)
        see_nested_fill(s, x);
    else if (x->reason == EXIT_EXCEPTION && shadow && x->fault.vector == VEC_PF)
        see_shadow_fill(s, x);
}

uint8_t *tlb_fetch(struct soft *s, gla_t gla)
{
    struct place p;

    locate(s, gla, WALK_FETCH | (s->cpl == 3 ? WALK_USER : 0), &p);
    return p.hva ? p.hva : s->tlb->ones + (gla & ~PAGE_MASK);
}

/* ---- devices ---- */

/* The n-th device access of an instruction.  The first time round it exits;
 * the monitor answers and the instruction is executed again, and then the
 * answers already there are used.  Returns true if this one is answered. */
static bool mmio_answered(struct soft *s)
{
    return s->next_supplied < s->n_supplied;
}

static _Noreturn void mmio_exit(struct soft *s, gpa_t gpa, unsigned size, bool write,
                                uint64_t value)
{
    struct vmexit *x;

    if (s->n_supplied == NELEM(s->supplied)) {
        x = soft_exit_record(s, EXIT_UNHANDLED);
        x->fail.what = "an instruction with more than 32 accesses to devices";
        soft_leave(s);
    }
    x = soft_exit_record(s, EXIT_MMIO);
    x->mmio.gpa = gpa;
    x->mmio.size = (uint8_t)size;
    x->mmio.write = write;
    x->mmio.value = low_bytes(value, size);
    soft_leave(s);
}

static uint64_t place_load(struct soft *s, const struct place *p, unsigned size)
{
    if (LIKELY(p->hva != NULL))
        return mem_get(p->hva, size);
    if (!mmio_answered(s))
        mmio_exit(s, p->gpa, size, false, 0);
    return low_bytes(s->supplied[s->next_supplied++], size);
}

static void place_store(struct soft *s, const struct place *p, unsigned size, uint64_t value)
{
    if (p->hva) {
        mem_put(p->hva, size, value);
        if (UNLIKELY(p->guarded))
            blocks_written(s, p->hva, size);
    } else if (mmio_answered(s)) {
        s->next_supplied++;
    } else {
        mmio_exit(s, p->gpa, size, true, value);
    }
}

/* ---- linear accesses ---- */

/* The pushes onto an inner ring's stack are that ring's, though the CPL is still 3. */
static void check_alignment(struct soft *s, gla_t gla, unsigned size, unsigned access)
{
    if ((access & WALK_USER) && !(access & WALK_SYSTEM) && alignment_checked(s) &&
        (gla & (size - 1)))
        fault_because(s, OBSTACLE_UNALIGNED, gla, VEC_AC, 0);
}

/* Data breakpoints and alignment checks: only while s->watching.
 * [SDM 3B "Debug Registers"] */
static void watch(struct soft *s, gla_t gla, unsigned size, unsigned access)
{
    check_alignment(s, gla, size, access);
    if (access & WALK_SYSTEM)
        return;
    s->pending_db |= breakpoints_met(s, access & WALK_WRITE ? BREAK_WRITE : BREAK_READ, gla, size);
}

/* Linear addresses outside 64-bit mode wrap at 4 GiB. */
static gla_t gla_wrap(const struct soft *s, gla_t gla)
{
    return s->mode == MODE_LONG64 || (s->efer & EFER_LMA) ? gla : (uint32_t)gla;
}

/* A debugger's stops at guest-physical addresses, once it is known where the access goes. */
SLOW void touch_place(struct soft *s, const struct place *p, unsigned size, unsigned access)
{
    debug_touch(s, true, p->hva ? gpa_of(s, p->hva) : p->gpa, size,
                ACCESS_R * !(access & WALK_WRITE) | ACCESS_W * !!(access & WALK_WRITE));
}

static bool crosses(gla_t gla, unsigned size)
{
    return (gla & ~PAGE_MASK) + size > PAGE_SIZE;
}

/* An access that crosses into another page: both are located first, so that a
 * fault on the second leaves no half of it behind; then byte by byte. */
static void locate_both(struct soft *s, gla_t gla, unsigned size, unsigned access,
                        struct place p[2], unsigned *first)
{
    *first = PAGE_SIZE - (unsigned)(gla & ~PAGE_MASK);
    locate(s, gla, access, &p[0]);
    locate(s, gla_wrap(s, gla + *first), access, &p[1]);
    if (UNLIKELY(s->debug_data)) {
        touch_place(s, &p[0], *first, access);
        touch_place(s, &p[1], size - *first, access);
    }
}

static void place_step(struct place *p)
{
    if (p->hva)
        p->hva++;
    p->gpa++;
}

SLOW uint64_t load_crossing(struct soft *s, gla_t gla, unsigned size, unsigned access)
{
    struct place p[2];
    unsigned first;
    uint64_t v = 0;

    locate_both(s, gla, size, access, p, &first);
    for (unsigned i = 0; i < size; i++) {
        struct place *at = &p[i >= first];
        v |= place_load(s, at, 1) << (8 * i);
        place_step(at);
    }
    return v;
}

SLOW void store_crossing(struct soft *s, gla_t gla, unsigned size, uint64_t v, unsigned access)
{
    struct place p[2];
    unsigned first;

    locate_both(s, gla, size, access, p, &first);
    for (unsigned i = 0; i < size; i++) {
        struct place *at = &p[i >= first];
        place_store(s, at, 1, v >> (8 * i) & 0xff);
        place_step(at);
    }
}

/* Is there more to do for this access than to find the byte and touch it? */
static bool is_special(const struct soft *s, gla_t gla, unsigned size)
{
    return s->debug_data | s->watching | crosses(gla, size);
}

SLOW uint64_t load_special(struct soft *s, gla_t gla, unsigned size, unsigned access)
{
    struct place p;

    if (s->debug_data)
        debug_touch(s, false, gla, size, ACCESS_R | (access & WALK_WRITE ? ACCESS_W : 0));
    if (s->watching)
        watch(s, gla, size, access);
    if (crosses(gla, size))
        return load_crossing(s, gla, size, access);
    locate(s, gla, access, &p);
    if (s->debug_data)
        touch_place(s, &p, size, access);
    return place_load(s, &p, size);
}

SLOW void store_special(struct soft *s, gla_t gla, unsigned size, uint64_t value, unsigned access)
{
    struct place p;

    if (s->debug_data)
        debug_touch(s, false, gla, size, ACCESS_W);
    if (s->watching)
        watch(s, gla, size, access);
    if (crosses(gla, size)) {
        store_crossing(s, gla, size, value, access);
        return;
    }
    locate(s, gla, access, &p);
    if (s->debug_data)
        touch_place(s, &p, size, access);
    place_store(s, &p, size, value);
}

uint64_t soft_lin_load(struct soft *s, gla_t gla, unsigned size, unsigned access)
{
    struct place p;

    gla = gla_wrap(s, gla);
    if (UNLIKELY(is_special(s, gla, size)))
        return load_special(s, gla, size, access);
    locate(s, gla, access, &p);
    return place_load(s, &p, size);
}

void soft_lin_store(struct soft *s, gla_t gla, unsigned size, uint64_t value, unsigned access)
{
    struct place p;

    gla = gla_wrap(s, gla);
    access |= WALK_WRITE;
    if (UNLIKELY(is_special(s, gla, size))) {
        store_special(s, gla, size, value, access);
        return;
    }
    locate(s, gla, access, &p);
    place_store(s, &p, size, value);
}

void soft_lin_probe(struct soft *s, gla_t gla, unsigned len, unsigned access)
{
    struct place p;

    if (UNLIKELY(s->watching) && len <= 8)
        check_alignment(s, gla, len, access);
    for (unsigned done = 0; done < len; done += PAGE_SIZE - (unsigned)((gla + done) & ~PAGE_MASK))
        locate(s, gla_wrap(s, gla + done), access, &p);
}

uint8_t *tlb_span(struct soft *s, gla_t gla, unsigned n, unsigned access)
{
    struct place p;

    if (s->watching || crosses(gla, n))
        return NULL;
    locate(s, gla, access | (s->cpl == 3 ? WALK_USER : 0), &p);
    if (p.hva && p.guarded)
        return NULL;
    return p.hva;
}
