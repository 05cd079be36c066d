/*
 * lab/05-shadow-paging/oracle.c -- two walks of the same page, and what was true before.
 *
 * Begin with check_leaf().
 *
 * It keeps two memories, for two questions about an entry that is wrong now.
 *
 *   truth       Is it allowed?  By linear address: what has been true there since the guest
 *               last invalidated it.  A processor's TLB could hold that, so the part may, too.
 *   was_right   What is the mistake?  By place in the shadow: the very entries that were right
 *               at some address, and that nobody has written since.  Such an entry is an old
 *               one that the part did not remove: STALE.  Any other was wrong from the
 *               beginning, and is called by what is wrong with it: PLACE, RIGHTS, ...
 */
#include "../lab/05-shadow-paging/oracle.h"

#include <stdlib.h>
#include <string.h>

#include "mem/hmem.h"
#include "mem/invariant.h"

#define MAX_LEAVES  (1u << 17)      /* 512 MiB in pages of 4 KiB, in both views */
#define MAX_RECORDS (1u << 19)      /* addresses in both views, in a whole run          */
#define MAX_TABLES  256
#define N_MARKS     (1u << 19)      /* a power of two                                   */
#define FIRST_ROOM  1024u           /* a power of two                           */
#define RIGHTS      (PTE_W | PTE_U)

/* What was found in the shadow for one page, in one view (0: supervisor's accesses, 1: user's). */
struct truth {
    gla_t    gla;                   /* of the page, + view; NO_PAGE: unused     */
    uint64_t leaf;
    uint64_t page_size;             /* of the guest's page it lies in           */
    uint64_t generation;            /* it is allowed while this is the current  */
    uint64_t mark;                  /* the entry that said so last: mark_of()   */
    bool     right;                 /* false: it never was, and was told        */
};
#define NO_PAGE UINT64_MAX

/* A page of the guest's tables, as it was when something of it was first found true. */
struct table_seen { gpa_t page; uint64_t hash, generation; };

struct oracle {
    struct gmem        *gmem;
    const struct hmem  *hmem;
    struct trace       *trace;
    struct paging       pg;
    const struct shadow_regs *regs;
    uint64_t      generation;       /* from 1; 0 is never current               */
    struct truth *truth;            /* a hash table with open addressing        */
    size_t        room, n;
    uint32_t     *written;          /* [entry of any frame]: how often it was written */
    uint64_t     *was_right;        /* a set of marks, with open addressing; 0: unused */
    size_t        n_right;
    struct table_seen table[MAX_TABLES];
    size_t        n_tables;
    unsigned      leaves;           /* in this check                            */
};

/* ---- what was true ---- */

static struct truth *slot_of(struct truth *table, size_t room, gla_t key)
{
    size_t i = (size_t)((key >> 11 | (key & 1)) * UINT64_C(0x9e3779b97f4a7c15) >> 20);
    while (table[i & (room - 1)].gla != key && table[i & (room - 1)].gla != NO_PAGE)
        i++;
    return &table[i & (room - 1)];
}

static bool grow(struct oracle *o)
{
    size_t room = o->room ? 2 * o->room : FIRST_ROOM;
    struct truth *more = malloc(room * sizeof *more);
    if (!more)
        return false;
    for (size_t i = 0; i < room; i++)
        more[i].gla = NO_PAGE;
    for (size_t i = 0; i < o->room; i++)
        if (o->truth[i].gla != NO_PAGE)
            *slot_of(more, room, o->truth[i].gla) = o->truth[i];
    free(o->truth);
    o->truth = more;
    o->room = room;
    return true;
}

/* The record of this page in this view, new and allowing nothing if there was none; NULL if
 * there are too many. */
static struct truth *truth_of(struct oracle *o, gla_t gla, unsigned view)
{
    if (2 * o->n >= o->room && (o->n >= MAX_RECORDS || !grow(o)))
        return NULL;
    struct truth *t = slot_of(o->truth, o->room, gla | view);
    if (t->gla == NO_PAGE) {
        *t = (struct truth){ .gla = gla | view };
        o->n++;
    }
    return t;
}

/* Does `leaf` allow no more than `was` did, and lead to the same page? */
static bool within(uint64_t leaf, uint64_t was)
{
    uint64_t where = PTE_ADDR | PTE_P | SHADOW_MMIO;
    return !((leaf ^ was) & where) && !(leaf & ~was & (RIGHTS | SHADOW_ROM)) &&
           !(was & ~leaf & PTE_NX);
}

/* ---- which entries were right ---- */

static size_t entry_number(hpa_t frame, unsigned index)
{
    return (size_t)(frame / PAGE_SIZE) * TABLE_ENTRIES + index;
}

/* One number for "this entry, as it was last written, seen at this address"; never 0. */
static uint64_t mark_of(const struct oracle *o, gla_t gla, unsigned view, size_t entry)
{
    uint64_t mark = (gla | view) * UINT64_C(0x9e3779b97f4a7c15);
    mark = (mark ^ mark >> 29 ^ entry) * UINT64_C(0xbf58476d1ce4e5b9);
    mark = (mark ^ mark >> 32 ^ o->written[entry]) * UINT64_C(0x94d049bb133111eb);
    return (mark ^ mark >> 31) | 1;
}

static uint64_t *slot_of_mark(const struct oracle *o, uint64_t mark)
{
    size_t i = (size_t)(mark >> 20);
    while (o->was_right[i % N_MARKS] && o->was_right[i % N_MARKS] != mark)
        i++;
    return &o->was_right[i % N_MARKS];
}

/* A full memory begins anew: then an old entry may be called by what is wrong with it. */
static void note_right(struct oracle *o, uint64_t mark)
{
    uint64_t *slot = slot_of_mark(o, mark);
    if (*slot)
        return;
    if (o->n_right == N_MARKS / 2) {
        memset(o->was_right, 0, N_MARKS * sizeof *o->was_right);
        o->n_right = 0;
        slot = slot_of_mark(o, mark);
    }
    *slot = mark;
    o->n_right++;
}

/* What only loses rights (to write-protect a table of the guest's) stays the old entry. */
void oracle_written(void *oracle, hpa_t frame, unsigned index, unsigned n, uint64_t value)
{
    struct oracle *o = oracle;
    const uint64_t *table = hmem_table(o->hmem, frame);
    for (unsigned i = index; table && i < index + n; i++)
        if (!within(value, table[i]))
            o->written[entry_number(frame, i)]++;
}

/* ---- has the guest changed its tables, and said nothing? ---- */

/* Without the A and D bits, which change by themselves. */
static uint64_t hash_page(const struct gmem *m, gpa_t page)
{
    const uint32_t *word = gmem_ptr(m, page, PAGE_SIZE);
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; word && i < PAGE_SIZE / sizeof *word; i++)
        hash = (hash ^ (word[i] & ~(uint32_t)(PTE_A | PTE_D))) * UINT64_C(0x100000001b3);
    return hash;
}

static struct table_seen *find_table(struct oracle *o, gpa_t page)
{
    for (size_t i = 0; i < o->n_tables; i++)
        if (o->table[i].page == page)
            return &o->table[i];
    return NULL;
}

static void see_tables(struct oracle *o, const struct walk *w)
{
    for (unsigned i = 0; i < w->depth; i++) {
        gpa_t page = w->step[i].at & PAGE_MASK;
        struct table_seen *t = find_table(o, page);
        if (!t && o->n_tables < MAX_TABLES)
            *(t = &o->table[o->n_tables++]) = (struct table_seen){ .page = page };
        if (t && t->generation != o->generation) {
            t->generation = o->generation;
            t->hash = hash_page(o->gmem, page);
        }
    }
}

static bool tables_have_changed(struct oracle *o, const struct walk *w)
{
    for (unsigned i = 0; i < w->depth; i++) {
        const struct table_seen *t = find_table(o, w->step[i].at & PAGE_MASK);
        if (t && t->generation == o->generation && t->hash != hash_page(o->gmem, t->page))
            return true;
    }
    return o->n_tables == MAX_TABLES;
}

/* One guest table may be reached by several addresses.  Once the guest has changed it, what was
 * true at one of them may be found at another: the lower bits of such addresses are the same. */
static bool was_true_elsewhere(const struct oracle *o, gla_t gla, unsigned view, uint64_t leaf)
{
    for (size_t i = 0; i < o->room; i++) {
        const struct truth *t = &o->truth[i];
        if (t->gla != NO_PAGE && t->right && t->generation == o->generation &&
            (t->gla & 1) == view && !((t->gla ^ gla) & FIELD(20, 12)) && within(leaf, t->leaf))
            return true;
    }
    return false;
}

/* ---- one page ---- */

static bool is_accessed(const struct oracle *o, const struct walk *w)
{
    bool ok = true;
    for (unsigned i = walk_levels(&o->pg) == 3 ? 1 : 0; i < w->depth; i++)
        ok &= (w->step[i].entry & PTE_A) != 0;
    return ok;
}

/* What is wrong if the processor makes this access with these registers, or N_INVARIANTS. */
static enum invariant compare(const struct oracle *o, const struct shadow_regs *r, gla_t gla,
                              unsigned access, struct walk *w)
{
    struct paging pg = o->pg;
    struct shadow_walk s;
    pg.ac = true;                   /* the most that SMAP lets through */
    shadow_walk(o->hmem, r, gla, access | WALK_AC, &s);
    if (!s.ok && !s.device)
        return N_INVARIANTS;
    walk(&pg, o->gmem, gla, access | WALK_PEEK, w);
    if (w->result != WALK_OK)
        return INVARIANT_RIGHTS;
    bool memory = gmem_find(o->gmem, w->gpa) != NULL;
    if (s.gpa != w->gpa || (s.ok && !memory) || (s.device && memory && !(access & WALK_WRITE)))
        return INVARIANT_PLACE;
    if (!is_accessed(o, w))
        return INVARIANT_ACCESSED;
    return (access & WALK_WRITE) && !w->dirty ? INVARIANT_DIRTY : N_INVARIANTS;
}

/* The same of all accesses of one view. */
static enum invariant compare_all(const struct oracle *o, const struct shadow_regs *r, gla_t gla,
                                  unsigned view, struct walk *w)
{
    static const unsigned accesses[] = { WALK_READ, WALK_WRITE, WALK_FETCH };
    enum invariant broken = N_INVARIANTS;
    for (unsigned i = 0; i < NELEM(accesses) && broken == N_INVARIANTS; i++)
        broken = compare(o, r, gla, accesses[i] | (view ? WALK_USER : 0), w);
    return broken;
}

/* An entry that is right in one view.  If it is in the tree of that view only, now, it may be met
 * in the other one, too, once the guest has set CR0.WP: would it be right there? */
static void note_views(struct oracle *o, gla_t gla, unsigned view, size_t entry)
{
    struct shadow_regs r = *o->regs;
    struct walk w;
    note_right(o, mark_of(o, gla, view, entry));
    if (r.cr3[0] == r.cr3[1])
        return;
    r.cr3[!view] = r.cr3[view];
    if (compare_all(o, &r, gla, !view, &w) == N_INVARIANTS)
        note_right(o, mark_of(o, gla, !view, entry));
}

/* May a TLB have what this entry says, though it is wrong now? */
static bool is_allowed(struct oracle *o, const struct truth *t, uint64_t leaf,
                       const struct walk *w)
{
    if (t->generation == o->generation && within(leaf, t->leaf))
        return true;
    return tables_have_changed(o, w) &&
           was_true_elsewhere(o, t->gla & ~UINT64_C(1), (unsigned)t->gla & 1, leaf);
}

/* Seen as it was seen before: true if nothing need be looked at. */
static bool is_known(struct oracle *o, struct truth *t, uint64_t leaf, uint64_t mark)
{
    if (t->generation != o->generation || t->leaf != leaf)
        return false;
    if (t->right && t->mark != mark)
        note_right(o, t->mark = mark);
    return true;
}

/* The entry at `index` of the shadow table in `frame`, which the processor uses for gla.  False:
 * there is no room to remember it. */
static bool check_leaf(struct oracle *o, gla_t gla, unsigned view, hpa_t frame, unsigned index)
{
    uint64_t leaf = hmem_table(o->hmem, frame)[index];
    uint64_t mark = mark_of(o, gla, view, entry_number(frame, index));
    struct truth *t = truth_of(o, gla, view);
    struct walk w = { .page_size = PAGE_SIZE };
    if (!t || is_known(o, t, leaf, mark))
        return t != NULL;
    enum invariant broken = compare_all(o, o->regs, gla, view, &w);
    bool right = broken == N_INVARIANTS;
    if (!right) {
        if (is_allowed(o, t, leaf, &w))
            return true;
        bool was_right = *slot_of_mark(o, mark) != 0;
        trace_emit(o->trace, TRACE_INVARIANT, was_right ? INVARIANT_STALE : broken, gla, leaf);
    } else {
        note_views(o, gla, view, entry_number(frame, index));
    }
    see_tables(o, &w);
    *t = (struct truth){
        .gla = t->gla, .leaf = leaf, .mark = mark, .right = right,
        .page_size = w.result == WALK_OK ? w.page_size : PAGE_SIZE,
        .generation = o->generation,        /* told once, if it was wrong */
    };
    return true;
}

/* ---- all of them ---- */

static bool check_table(struct oracle *o, hpa_t frame, unsigned level, gla_t base, unsigned view)
{
    const uint64_t *table = hmem_table(o->hmem, frame);
    for (unsigned i = 0; table && i < TABLE_ENTRIES; i++) {
        gla_t gla = base | (gla_t)i << (12 + 9 * (level - 1));
        uint64_t e = table[i];
        if (!e || gla > o->regs->gla_mask)
            continue;
        if (++o->leaves > MAX_LEAVES)
            return false;
        if (level == 1 ? !check_leaf(o, gla, view, frame, i)
                       : (e & PTE_P) && !check_table(o, e & PTE_ADDR, level - 1, gla, view))
            return false;
    }
    return true;
}

bool oracle_check(struct oracle *o, const struct shadow_regs *r)
{
    o->regs = r;
    o->leaves = 0;
    return check_table(o, r->cr3[0], 4, 0, 0) && check_table(o, r->cr3[1], 4, 0, 1);
}

/* The processor could not use the entry for gla below this root; whatever is there now was made
 * now, even if it is what was there before. */
static void note_made(struct oracle *o, hpa_t frame, gla_t gla)
{
    const uint64_t *table = hmem_table(o->hmem, frame);
    for (unsigned level = 4; level > 1 && table; level--) {
        frame = table[table_index(gla, level)] & PTE_ADDR;
        table = hmem_table(o->hmem, frame);
    }
    if (table)
        o->written[entry_number(frame, table_index(gla, 1))]++;
}

void oracle_judge(struct oracle *o, hpa_t root, gla_t gla, const struct walk *before,
                  bool is_true, uint32_t error)
{
    bool forbidden = before->result != WALK_OK;
    if (!is_true)
        note_made(o, root, gla);
    if (forbidden && (!is_true || error != before->error))
        trace_emit(o->trace, TRACE_INVARIANT, INVARIANT_TRUE_FAULT, gla,
                   is_true ? error : before->error);
    if (!forbidden && is_true)
        trace_emit(o->trace, TRACE_INVARIANT, INVARIANT_HIDDEN_FAULT, gla, before->gpa);
}

/* ---- what the guest invalidates ---- */

void oracle_switch(struct oracle *o, const struct paging *pg)
{
    o->pg = *pg;
    o->generation++;
}

/* A large page is one translation, which any address in it names. */
void oracle_invlpg(struct oracle *o, gla_t gla)
{
    for (size_t i = 0; i < o->room; i++) {
        struct truth *t = &o->truth[i];
        if (t->gla != NO_PAGE && t->page_size && !((t->gla ^ gla) & ~(t->page_size - 1)))
            t->generation = 0;
    }
}

struct oracle *oracle_new(struct gmem *m, const struct hmem *h, struct trace *t)
{
    struct oracle *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    *o = (struct oracle){ .gmem = m, .hmem = h, .trace = t, .generation = 1 };
    o->written = calloc(entry_number(HMEM_TABLES + h->tables_max, 0), sizeof *o->written);
    o->was_right = calloc(N_MARKS, sizeof *o->was_right);
    if (o->written && o->was_right && grow(o))
        return o;
    oracle_free(o);
    return NULL;
}

void oracle_free(struct oracle *o)
{
    if (!o)
        return;
    free(o->written);
    free(o->was_right);
    free(o->truth);
    free(o);
}
