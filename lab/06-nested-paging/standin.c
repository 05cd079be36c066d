/*
 * lab/06-nested-paging/standin.c -- in the place of mem/nested.c: asks the student's process.
 *
 * It is linked into the trusted monitor of lab 6 and nowhere else.  The tables that the processor
 * walks are in the monitor's hmem; the submission tells each entry that it writes
 * (lab/common/tables.h), and an entry may name nothing but the guest's own memory or a table of
 * the submission's.  What the entries mean is the hardware's affair: mem/ept_walk.c.
 *
 * After each call an oracle goes over the whole tree, as it is in the monitor, and writes an
 * INVARIANT event if it breaks the contract where no guest may ever come by.  And when a guest unmaps
 * nothing, which is a sign of the lab's own, it makes the calls that no guest can bring about:
 * play().
 */
#include "mem/nested.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../lab/06-nested-paging/calls.h"
#include "../lab/common/ask.h"
#include "../lab/common/frames.h"
#include "base/host.h"
#include "base/trace.h"
#include "mem/invariant.h"

struct nested {
    struct asker  asker;
    struct frames frames;
    struct trace *trace;
    hpa_t         root;
    size_t        n_pages;      /* mapped, of 4 KiB, after the latest call */
    size_t        n_leaves;     /* by which entries                        */
};

/* Is there something behind the frame that a present entry names? */
static bool allowed(void *arg, uint64_t entry)
{
    const struct nested *n = arg;
    hpa_t frame = entry & EPT_FRAME;
    if (!(entry & EPT_RWX) || hmem_guest(n->frames.hmem, frame, PAGE_SIZE) ||
        frames_table(&n->frames, frame))
        return true;
    host_say("the submission writes an entry %#llx: at host-physical %#llx there is neither guest "
             "memory nor a table", (unsigned long long)entry, (unsigned long long)frame);
    return false;
}

static bool hear(void *arg, struct lab_message *m)
{
    struct nested *n = arg;
    return frames_is_ours(m) && frames_hear(&n->frames, m);
}

static uint64_t ask_keeper(const struct nested *n, enum lab6_call what, const uint64_t arg[4])
{
    struct lab_message m = { .what = (uint16_t)what };
    memcpy(m.arg, arg, 4 * sizeof arg[0]);
    ask(&((struct nested *)(uintptr_t)n)->asker, &m);
    return m.arg[0];
}
#define ASK(n, what, ...) ask_keeper(n, what, (const uint64_t[4]){ __VA_ARGS__ })

/* ---- the oracle ---- */

/* More than any keeper can need for what the guests have: then its tables lead in circles. */
#define MOST_ENTRIES (1u << 17)

/* What a call was to change. */
struct change {
    gpa_t    gpa, end;          /* its range, if it takes something away ...   */
    unsigned perm;              /* ... and what may be left there              */
    size_t   most;              /* so many pages may be more than before       */
    bool     failed;            /* it says that it has done nothing            */
};

struct survey {
    const struct nested *n;
    const struct change *change;
    size_t n_pages, n_leaves, n_entries;
    bool   broken;              /* one event for each call is enough */
};

static void tell_broken(struct survey *s, enum invariant what, gpa_t gpa, uint64_t found)
{
    if (!s->broken)
        trace_emit(s->n->trace, TRACE_INVARIANT, what, gpa, found);
    s->broken = true;
}

/* One that a processor refuses, other than the mark of HC_TRAP_PAGE.  The machine will stop there,
 * so the student is told at once. */
static bool is_refused(struct survey *s, uint64_t entry, unsigned level, gpa_t gpa)
{
    if ((entry & EPT_RWX) == EPT_W ||
        !ept_entry_is_misconfigured(s->n->frames.hmem, entry, level))
        return false;
    if (!s->broken)
        host_say("no processor accepts the entry %#llx in a table of level %u, for address %#llx "
                 "(ept_walk.c, misconfigured())", (unsigned long long)entry, level,
                 (unsigned long long)gpa);
    tell_broken(s, INVARIANT_MISCONFIGURED, gpa, entry);
    return true;
}

/* A leaf leads to the guest's own page of that number.  The mark of HC_TRAP_PAGE does, too. */
static void see_leaf(struct survey *s, uint64_t entry, gpa_t gpa, uint64_t bytes)
{
    const struct gmem_region *r = gmem_find(s->n->frames.hmem->gmem, gpa);
    hpa_t page = entry & EPT_FRAME;
    s->n_pages += bytes / PAGE_SIZE;
    s->n_leaves++;
    if (gpa < s->change->end && gpa + bytes > s->change->gpa &&
        (entry & EPT_RWX & ~(uint64_t)s->change->perm))
        tell_broken(s, INVARIANT_TAKEN, gpa, entry);
    else if (page != HMEM_GUEST + gpa)
        tell_broken(s, INVARIANT_PLACE, gpa, page);
    else if (r && r->kind == GMEM_ROM && (entry & EPT_W))
        tell_broken(s, INVARIANT_ROM, gpa, entry);
}

static void see_table(struct survey *s, hpa_t at, unsigned level, gpa_t base)
{
    const uint64_t *table = frames_table(&s->n->frames, at);
    uint64_t bytes = BIT(12 + 9 * (level - 1));
    for (unsigned i = 0; table && i < TABLE_ENTRIES && s->n_entries < MOST_ENTRIES; i++) {
        gpa_t gpa = base + i * bytes;
        s->n_entries += (table[i] & EPT_RWX) != 0;
        if (!(table[i] & EPT_RWX) || is_refused(s, table[i], level, gpa))
            continue;
        if (level == 1 || (table[i] & EPT_LARGE))
            see_leaf(s, table[i], gpa, bytes);
        else
            see_table(s, table[i] & EPT_FRAME, level - 1, gpa);
    }
}

/* After each call. */
static void survey(struct nested *n, struct change c)
{
    struct survey s = { .n = n, .change = &c };
    if (n->asker.lost)
        return;
    see_table(&s, n->root, 4, 0);
    if (s.n_entries >= MOST_ENTRIES) {
        host_say("the tables map more than there is: do they lead in circles?");
        n->asker.lost = true;
        return;
    }
    if (s.n_pages > n->n_pages + c.most)
        tell_broken(&s, INVARIANT_UNASKED, c.gpa, s.n_pages - n->n_pages);
    if (c.failed && s.n_pages < n->n_pages)
        tell_broken(&s, INVARIANT_TAKEN, c.gpa, n->n_pages - s.n_pages);
    n->n_pages = s.n_pages;
    n->n_leaves = s.n_leaves;
    uint64_t told = ASK(n, LAB6_COUNT, 0);
    if (!n->asker.lost && told != s.n_leaves)
        tell_broken(&s, INVARIANT_COUNT, c.gpa, told);
}

/* The end of [gpa, gpa+len), not beyond what the tables can say; of a range of no length, gpa. */
static gpa_t range_end(gpa_t gpa, uint64_t len)
{
    if (!len || gpa >= EPT_GPA_LIMIT)
        return 0;
    return len < EPT_GPA_LIMIT - gpa ? gpa + len : EPT_GPA_LIMIT;
}

/* ---- what no guest brings about ---- */

static void expect(struct nested *n, gpa_t at, uint64_t answer, uint64_t right)
{
    if (!n->asker.lost && answer != right)
        trace_emit(n->trace, TRACE_INVARIANT, INVARIANT_ANSWER, at, answer);
}

/* How many references the part lists for one address. */
static uint64_t ask_references(struct nested *n, gpa_t at)
{
    struct lab_message m = { .what = LAB6_WALK, .arg = { 1 }, .bytes = sizeof at };
    memcpy(m.data, &at, sizeof at);
    ask(&n->asker, &m);
    return m.arg[0];
}

/* Addresses beyond what four levels translate, which have the index of lower ones in each table;
 * ranges of no length, and those whose end is beyond the highest number.  Behind it nothing is
 * mapped, and the guest goes on as if all had been taken away from it. */
static void play(struct nested *n)
{
    const gpa_t large = 2 * NESTED_LARGE, next = large + PAGE_SIZE, limit = EPT_GPA_LIMIT;
    const gpa_t last = large + NESTED_LARGE - PAGE_SIZE;
    const uint64_t endless = UINT64_MAX;
    expect(n, 0, ASK(n, LAB6_UNMAP, 0, endless), n->n_leaves);
    expect(n, 0, ASK(n, LAB6_MAP, 0, HMEM_GUEST, PAGE_SIZE, EPT_RWX), 0);
    expect(n, large, ASK(n, LAB6_MAP, large, HMEM_GUEST + large, NESTED_LARGE, EPT_RWX), 0);
    expect(n, limit, ask_references(n, limit), 0);
    expect(n, limit, ASK(n, LAB6_UNMAP, limit, PAGE_SIZE), 0);
    expect(n, limit, ASK(n, LAB6_PROTECT, limit, endless, EPT_R), 0);
    expect(n, large, ASK(n, LAB6_UNMAP, large, 0), 0);
    expect(n, large, ASK(n, LAB6_PROTECT, large, 0, EPT_R), 0);
    expect(n, last, ASK(n, LAB6_PROTECT, last + 1, endless, EPT_R), 1);
    expect(n, next, ASK(n, LAB6_UNMAP, next, endless), TABLE_ENTRIES - 1);
    expect(n, 0, ASK(n, LAB6_UNMAP, 0, endless), 2);
}

/* Is the page at gpa of 2 MiB? */
static bool is_large(const struct nested *n, gpa_t gpa)
{
    struct ept_walk w;
    ept_walk(n->frames.hmem, n->root, gpa, EPT_R, true, &w);
    return w.page_size == NESTED_LARGE;
}

/* The hardware's own way to gpa, compared with the list from *i on. */
static bool same_way(const struct nested *n, gpa_t gpa, const hpa_t *list, size_t count, size_t *i,
                     hpa_t *entry)
{
    struct ept_walk w;
    hpa_t table = n->root;
    ept_walk(n->frames.hmem, n->root, gpa, EPT_R, true, &w);
    for (unsigned k = 0; k < w.depth; k++, ++*i) {
        if (*i >= count || list[*i] != table + 8 * table_index(gpa, w.step[k].level))
            return false;
        table = w.step[k].entry & EPT_FRAME;
    }
    *entry = w.hva ? table + (gpa & (w.page_size - 1)) : HMEM_NONE;
    return true;
}

static void check_references(const struct nested *n, const gpa_t *at, size_t n_at,
                             const hpa_t *list, size_t count)
{
    size_t i = 0;
    bool same = true;
    hpa_t entry = HMEM_GUEST;
    for (size_t k = 0; same && entry != HMEM_NONE && k < n_at; k++) {
        same = same_way(n, at[k], list, count, &i, &entry);
        if (same && entry != HMEM_NONE && k + 1 < n_at)
            same = i < count && list[i++] == entry;
    }
    if (!same || i != count)
        trace_emit(n->trace, TRACE_INVARIANT, INVARIANT_REFERENCES, at[n_at - 1], i);
}

/* ---- the calls ---- */

/* 0 or an error that the real keeper could have. */
static int ask_status(const struct nested *n, enum lab6_call what, const uint64_t arg[4])
{
    uint64_t status = ask_keeper(n, what, arg);
    if (n->asker.lost)
        return -ENOMEM;
    return !status ? 0 : status == (uint64_t)-ENOENT ? -ENOENT : status == (uint64_t)-EINVAL
           ? -EINVAL : -ENOMEM;
}
#define STATUS(n, what, ...) ask_status(n, what, (const uint64_t[4]){ __VA_ARGS__ })

static uint32_t put_regions(const struct gmem *m, struct lab_message *to)
{
    struct lab6_region all[LAB_WIRE_DATA / sizeof(struct lab6_region)] = { { 0 } };
    uint32_t n = 0;
    for (size_t i = 0; i < gmem_count(m) && n < NELEM(all); i++) {
        const struct gmem_region *r = gmem_region(m, i);
        all[n++] = (struct lab6_region){ r->base, r->size, r->kind, 0 };
    }
    to->bytes = n * (uint32_t)sizeof all[0];
    memcpy(to->data, all, to->bytes);
    return n;
}

/* The monitor makes a second keeper to look into a crash; that one the lab does without. */
struct nested *nested_new(struct hmem *h, struct trace *t)
{
    static bool made;
    struct nested *n = made ? NULL : calloc(1, sizeof *n);
    struct lab_message m = { .what = LAB6_NEW };
    if (!n)
        return NULL;
    made = true;
    n->trace = t;
    asker_init(&n->asker, (struct port_hook){ NULL, NULL }, hear, n);
    if (frames_init(&n->frames, h, allowed, n)) {
        free(n);
        return NULL;
    }
    m.arg[0] = LAB6_FRAMES;
    m.arg[1] = put_regions(h->gmem, &m);
    ask(&n->asker, &m);
    n->root = m.arg[0];
    if (!n->asker.lost && !frames_table(&n->frames, n->root)) {
        host_say("the submission's root is at host-physical %#llx, where it has no table",
                 (unsigned long long)n->root);
        n->asker.lost = true;
    }
    survey(n, (struct change){ .most = 0 });            /* nothing is mapped at power-on */
    return n;
}

void nested_free(struct nested *n)
{
    if (!n)
        return;
    frames_free(&n->frames);
    free(n);
}

hpa_t nested_root(const struct nested *n)
{
    return n->root;
}

int nested_map(struct nested *n, gpa_t gpa, hpa_t hpa, uint64_t size, unsigned perm)
{
    int err = STATUS(n, LAB6_MAP, gpa, hpa, size, perm);
    survey(n, (struct change){ .gpa = gpa, .most = size / PAGE_SIZE, .failed = err != 0 });
    return err;
}

int nested_fill(struct nested *n, gpa_t gpa)
{
    int err = STATUS(n, LAB6_FILL, gpa);
    survey(n, (struct change){ .gpa = gpa, .most = is_large(n, gpa) ? TABLE_ENTRIES : 1,
                               .failed = err != 0 });
    return err;
}

void nested_set_large(struct nested *n, bool large)
{
    ASK(n, LAB6_LARGE, large);
}

size_t nested_unmap(struct nested *n, gpa_t gpa, uint64_t len)
{
    size_t removed = ASK(n, LAB6_UNMAP, gpa, len);
    survey(n, (struct change){ .gpa = gpa, .end = range_end(gpa, len) });
    if (!len && !n->asker.lost) {
        play(n);
        survey(n, (struct change){ .most = 0 });
    }
    if (removed)
        trace_emit(n->trace, TRACE_NESTED_ZAP, gpa, len, 0);
    return removed;
}

size_t nested_protect(struct nested *n, gpa_t gpa, uint64_t len, unsigned perm)
{
    size_t changed = ASK(n, LAB6_PROTECT, gpa, len, perm);
    survey(n, (struct change){ .gpa = gpa, .end = range_end(gpa, len), .perm = perm });
    return changed;
}

int nested_put_entry(struct nested *n, gpa_t gpa, uint64_t entry)
{
    int err = STATUS(n, LAB6_PUT, gpa, entry);
    survey(n, (struct change){ .gpa = gpa, .most = 1, .failed = err != 0 });
    return err;
}

size_t nested_references(const struct nested *n, const gpa_t *at, size_t n_at, hpa_t *list)
{
    struct lab_message m = { .what = LAB6_WALK, .arg = { n_at } };
    m.bytes = (uint32_t)(n_at * sizeof at[0]);
    memcpy(m.data, at, m.bytes);
    ask(&((struct nested *)(uintptr_t)n)->asker, &m);
    size_t told = m.bytes / sizeof list[0];
    size_t count = told < NESTED_MOST_REFERENCES ? told : NESTED_MOST_REFERENCES;
    memcpy(list, m.data, count * sizeof list[0]);
    if (!n->asker.lost)
        check_references(n, at, n_at, list, told == m.arg[0] ? count : 0);
    return n->asker.lost ? 0 : m.arg[0];
}

size_t nested_count(const struct nested *n)
{
    return ASK(n, LAB6_COUNT, 0);
}

/* Snapshots are for debuggers, which a lab's monitor does not have. */
void nested_save(const struct nested *n, struct bytes_out *o)
{
    (void)n, (void)o;
    bug("only `run` is for labs");
}

bool nested_load(struct nested *n, struct bytes_in *in)
{
    (void)n, (void)in;
    bug("only `run` is for labs");
}
