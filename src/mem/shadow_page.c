/*
 * mem/shadow_page.c -- finding, making, linking and dropping shadow pages.
 *
 * Knows lists and entries, nothing of the guest's paging modes.  Begin with
 * relink(): it alone changes what an entry points to.
 */
#include "mem/shadow_page.h"

#include <stdlib.h>
#include <string.h>

#include "base/host.h"

#define NODES_BYTES (TABLE_ENTRIES * sizeof(struct node))

/* ---- entries and their lists ---- */

static uint32_t page_index(const struct shadow *s, const struct spage *p)
{
    return (uint32_t)(p - s->page);
}

static uint32_t entry_ref(const struct shadow *s, const struct spage *p, unsigned slot)
{
    return page_index(s, p) * TABLE_ENTRIES + slot + 1;
}

/* The field that follows `ref`: of a list head, its first element. */
static uint32_t *next_field(struct shadow *s, uint32_t ref)
{
    if (ref & REF_FRAME_HEAD)
        return &s->mappings[ref & ~REF_FRAME_HEAD];
    if (ref & REF_PAGE_HEAD)
        return &s->page[ref & ~REF_PAGE_HEAD].parents;
    ref--;
    return &s->page[ref / TABLE_ENTRIES].node[ref % TABLE_ENTRIES].next;
}

static struct node *node_of(struct shadow *s, uint32_t ref)
{
    ref--;
    return &s->page[ref / TABLE_ENTRIES].node[ref % TABLE_ENTRIES];
}

const struct span *span_of_gpa(const struct shadow *s, gpa_t gpa)
{
    for (size_t i = 0; i < s->n_spans; i++)
        if (gpa - s->span[i].base < s->span[i].size)
            return &s->span[i];
    return NULL;
}

/* The list of the leaves that map the page at gpa; false if no memory is there. */
static bool mappings_of(const struct shadow *s, gpa_t gpa, uint32_t *frame)
{
    const struct span *span = span_of_gpa(s, gpa);

    if (!span)
        return false;
    *frame = span->first + (uint32_t)((gpa - span->base) / PAGE_SIZE);
    return true;
}

static bool is_linked(uint64_t entry)
{
    return entry & PTE_P;
}

/* Write `entry` and move it to the list at `head`; 0: to none. */
static void relink(struct shadow *s, struct spage *p, unsigned slot, uint64_t entry, uint32_t head)
{
    struct node *n = &p->node[slot];
    uint32_t ref = entry_ref(s, p, slot);

    if (is_linked(p->table[slot])) {
        *next_field(s, n->prev) = n->next;
        if (n->next)
            node_of(s, n->next)->prev = n->prev;
    }
    p->table[slot] = entry;
    if (!head)
        return;
    uint32_t *first = next_field(s, head);
    *n = (struct node){ .next = *first, .prev = head };
    if (*first)
        node_of(s, *first)->prev = ref;
    *first = ref;
}

static void entry_clear(struct shadow *s, struct spage *p, unsigned slot)
{
    if (!p->table[slot])
        return;
    relink(s, p, slot, 0, 0);
    s->flush = true;
}

/* A leaf goes whose page the retired INVLPG drops from the TLB.  Should the same
 * table be reached by other addresses too, the TLB may keep what it had of those, as
 * a processor may, until some page loses its write permission: frame_protect(). */
static void entry_age(struct shadow *s, struct spage *p, unsigned slot)
{
    relink(s, p, slot, 0, 0);
    s->aged = true;
}

void entry_set_child(struct shadow *s, struct spage *p, unsigned slot, struct spage *child)
{
    entry_clear(s, p, slot);
    relink(s, p, slot, (uint64_t)page_index(s, child) << 52 | child->frame | PTE_P | PTE_W | PTE_U,
           REF_PAGE_HEAD | page_index(s, child));
}

void entry_set_leaf(struct shadow *s, struct spage *p, unsigned slot, uint64_t entry)
{
    uint64_t old = p->table[slot];
    uint32_t head = 0;

    /* More rights to the same page need no flush; anything else does. */
    bool wider = !((old ^ entry) & (PTE_ADDR | PTE_P | SHADOW_MMIO)) &&
                 !(old & ~entry & (PTE_W | PTE_U)) && !(entry & ~old & PTE_NX);
    if (old && !wider)
        s->flush = true;
    if (is_linked(entry)) {
        uint32_t frame = 0;
        bug_if(!mappings_of(s, leaf_page(entry), &frame),
               "shadow leaf %#llx leads out of guest memory", (unsigned long long)entry);
        head = REF_FRAME_HEAD | frame;
    }
    relink(s, p, slot, entry, head);
}

struct spage *entry_child(const struct shadow *s, const struct spage *p, unsigned slot)
{
    uint64_t entry = p->table[slot];
    return is_linked(entry) ? (struct spage *)&s->page[(entry & CHILD_INDEX) >> 52] : NULL;
}

/* ---- frames of guest memory ---- */

static uint32_t *bucket_of(const struct shadow *s, gpa_t gpa)
{
    uint64_t frame = gpa / PAGE_SIZE;
    return (uint32_t *)&s->bucket[(frame ^ frame >> 10) % N_BUCKETS];
}

static bool made_of_frame(const struct spage *p, gpa_t gpa)
{
    return !(p->key.role & ROLE_DIRECT) && p->key.gpa / PAGE_SIZE == gpa / PAGE_SIZE;
}

bool frame_is_table(const struct shadow *s, gpa_t gpa)
{
    for (uint32_t i = *bucket_of(s, gpa); i; i = s->page[i - 1].next)
        if (made_of_frame(&s->page[i - 1], gpa))
            return true;
    return false;
}

bool frame_is_unsync(const struct shadow *s, gpa_t gpa)
{
    for (size_t i = 0; i < s->n_unsync; i++)
        if (s->unsync[i] == (gpa & PAGE_MASK))
            return true;
    return false;
}

bool frame_is_protected(const struct shadow *s, gpa_t gpa)
{
    return frame_is_table(s, gpa) && !frame_is_unsync(s, gpa);
}

void frame_protect(struct shadow *s, gpa_t gpa)
{
    uint32_t frame;

    if (!mappings_of(s, gpa, &frame))
        return;
    s->flush |= s->aged;
    for (uint32_t ref = s->mappings[frame]; ref; ref = node_of(s, ref)->next) {
        uint64_t *e = &s->page[(ref - 1) / TABLE_ENTRIES].table[(ref - 1) % TABLE_ENTRIES];
        if (*e & PTE_W) {
            *e &= ~PTE_W;
            s->flush = true;
        }
    }
}

static size_t count_entries(const struct spage *p)
{
    size_t n = 0;

    for (unsigned slot = 0; slot < TABLE_ENTRIES; slot++)
        n += p->table[slot] != 0;
    return n;
}

static void spage_drop(struct shadow *s, struct spage *p);

size_t frame_drop_tables(struct shadow *s, gpa_t gpa, unsigned keep_size)
{
    uint32_t i = *bucket_of(s, gpa);
    size_t entries = 0;

    while (i) {
        struct spage *p = &s->page[i - 1];
        i = p->next;
        if (!made_of_frame(p, gpa) || (key_guest_levels(p->key) == 2 ? 4 : 8) == keep_size)
            continue;
        entries += count_entries(p);
        spage_drop(s, p);
    }
    return entries;
}

size_t frame_forget_page(struct shadow *s, gpa_t gpa, unsigned slot)
{
    uint32_t i = *bucket_of(s, gpa);
    size_t entries = 0;

    while (i) {
        struct spage *p = &s->page[i - 1];
        i = p->next;
        if (!made_of_frame(p, gpa))
            continue;
        if (key_level(p->key) > 1) {
            entries += count_entries(p);
            spage_drop(s, p);
        } else if (p->table[slot]) {
            entries++;
            entry_age(s, p, slot);
        }
    }
    return entries;
}

size_t spage_forget_unsync(struct shadow *s, struct spage *p)
{
    bool unsync = !(p->key.role & ROLE_DIRECT) && frame_is_unsync(s, p->key.gpa);
    bool leaves = key_level(p->key) == 1;
    size_t entries = 0;

    if (!s->n_unsync || (leaves && !unsync))
        return 0;
    for (unsigned slot = 0; slot < TABLE_ENTRIES; slot++) {
        if (!p->table[slot])
            continue;
        if (!unsync) {
            entries += spage_forget_unsync(s, entry_child(s, p, slot));
            continue;
        }
        entries++;
        entry_clear(s, p, slot);
    }
    return entries;
}

/* ---- pages ---- */

struct spage *spage_find(const struct shadow *s, struct key k)
{
    for (uint32_t i = *bucket_of(s, k.gpa); i; i = s->page[i - 1].next) {
        const struct spage *p = &s->page[i - 1];
        if (p->key.gpa == k.gpa && p->key.role == k.role)
            return (struct spage *)p;
    }
    return NULL;
}

/* An unused page with an empty table, or NULL. */
struct spage *shadow_take_page(struct shadow *s)
{
    if (s->free) {
        struct spage *p = &s->page[s->free - 1];
        s->free = p->next;
        return p;
    }
    if (s->n_made == MAX_PAGES)
        return NULL;
    struct spage *p = &s->page[s->n_made];
    p->node = malloc(NODES_BYTES);
    p->frame = p->node ? hmem_table_new(s->hmem) : HMEM_NONE;
    if (p->frame == HMEM_NONE) {
        free(p->node);
        p->node = NULL;
        return NULL;
    }
    p->table = hmem_table(s->hmem, p->frame);
    s->n_made++;
    return p;
}

void shadow_enter(struct shadow *s, struct spage *p, struct key k)
{
    uint32_t *bucket = bucket_of(s, k.gpa);
    p->key = k;
    p->used = true;
    p->parents = 0;
    p->next = *bucket;
    *bucket = page_index(s, p) + 1;
    s->stats.pages++;
}

struct spage *spage_new(struct shadow *s, struct key k)
{
    struct spage *p = shadow_take_page(s);

    if (p)
        shadow_enter(s, p, k);
    return p;
}

static void spage_drop(struct shadow *s, struct spage *p)
{
    while (p->parents) {
        uint32_t ref = p->parents - 1;
        entry_clear(s, &s->page[ref / TABLE_ENTRIES], ref % TABLE_ENTRIES);
    }
    for (unsigned slot = 0; slot < TABLE_ENTRIES; slot++)
        entry_clear(s, p, slot);

    uint32_t *at = bucket_of(s, p->key.gpa);
    while (*at != page_index(s, p) + 1)
        at = &s->page[*at - 1].next;
    *at = p->next;
    p->used = false;
    p->next = s->free;
    s->free = page_index(s, p) + 1;
    s->stats.pages--;
    for (unsigned user = 0; user < 2; user++)
        if (s->root[user] == p) {
            shadow_set_root(s, user, NULL);
            s->flush = true;
        }
}

void shadow_drop_all(struct shadow *s)
{
    for (uint32_t i = 0; i < s->n_made; i++)
        if (s->page[i].used)
            spage_drop(s, &s->page[i]);
    s->n_unsync = 0;
}
