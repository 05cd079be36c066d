/*
 * mem/shadow_check.c -- is the invariant of shadow.h true?  For tests.
 *
 * Looks at it from the other side than shadow.c does: enumerates every linear
 * page that any tree maps and asks the guest's walk about it.
 */
#include <stdarg.h>
#include <stdio.h>

#include "mem/shadow_page.h"

struct check {
    const struct shadow *s;
    size_t  bad;
    char   *why;
    size_t  n;
};

static void __attribute__((format(printf, 2, 3))) complain(struct check *c, const char *fmt, ...)
{
    va_list ap;

    if (c->bad++ || !c->n)
        return;
    va_start(ap, fmt);
    vsnprintf(c->why, c->n, fmt, ap);
    va_end(ap);
}

/* The registers under which the tree of this root was made. */
static struct paging paging_of_root(struct key root)
{
    struct paging pg = { .cr3 = root.gpa };
    unsigned levels = key_guest_levels(root);

    if (levels)
        pg.cr0 = CR0_PG | CR0_PE | (root.role & ROLE_EVERY_WRITE ? 0 : CR0_WP);
    pg.cr4 = (levels > 2 ? CR4_PAE : 0) | (root.role & ROLE_PSE ? CR4_PSE : 0);
    pg.efer = (levels == 4 ? EFER_LMA : 0) | (root.role & ROLE_NXE ? EFER_NXE : 0);
    return pg;
}

static bool way_is_synced(const struct shadow *s, const struct walk *w)
{
    for (unsigned i = 0; i < w->depth; i++)
        if (frame_is_unsync(s, w->step[i].at))
            return false;
    return true;
}

/* A leaf that allows this access: does the guest, and is it the same page? */
static void check_access(struct check *c, struct key root, gla_t gla, uint64_t leaf,
                         unsigned access)
{
    struct paging pg = paging_of_root(root);
    struct walk w;

    walk(&pg, c->s->gmem, gla, access | WALK_PEEK, &w);
    if (!way_is_synced(c->s, &w))
        return;
    if (w.result != WALK_OK) {
        complain(c, "gla %#llx access %u: shadow %#llx allows it, the guest says error %#x",
                 (unsigned long long)gla, access, (unsigned long long)leaf, w.error);
        return;
    }
    gpa_t page = w.gpa & PAGE_MASK;
    bool memory = gmem_find(c->s->gmem, page);
    if (memory != (bool)(leaf & PTE_P) || (leaf & PTE_ADDR) != (memory ? HMEM_GUEST + page : page))
        complain(c, "gla %#llx: shadow %#llx, but the guest maps it to gpa %#llx",
                 (unsigned long long)gla, (unsigned long long)leaf, (unsigned long long)w.gpa);
    if ((access & WALK_WRITE) && !w.dirty)
        complain(c, "gla %#llx: writable, but D is clear", (unsigned long long)gla);
    for (unsigned i = key_guest_levels(root) == 3 ? 1 : 0; i < w.depth; i++)
        if (!(w.step[i].entry & PTE_A))
            complain(c, "gla %#llx: present, but A is clear at %#llx", (unsigned long long)gla,
                     (unsigned long long)w.step[i].at);
}

static void check_leaf(struct check *c, struct key root, gla_t gla, uint64_t leaf)
{
    for (unsigned user = 0; user <= WALK_USER; user += WALK_USER) {
        if (user && (!(leaf & PTE_U) || (root.role & ROLE_EVERY_WRITE)))
            continue;
        check_access(c, root, gla, leaf, user | WALK_READ);
        if (!(leaf & PTE_NX))
            check_access(c, root, gla, leaf, user | WALK_FETCH);
        if (leaf & PTE_W)
            check_access(c, root, gla, leaf, user | WALK_WRITE);
    }
}

static void check_tree(struct check *c, struct key root, const struct spage *p, gla_t base)
{
    unsigned level = key_level(p->key);

    for (unsigned slot = 0; slot < TABLE_ENTRIES; slot++) {
        gla_t gla = base + slot * BIT(12 + 9 * (level - 1));
        if (level == 1) {
            if (p->table[slot])
                check_leaf(c, root, gla, p->table[slot]);
            continue;
        }
        const struct spage *child = entry_child(c->s, p, slot);
        if (!child)
            continue;
        if (!child->used || key_level(child->key) != level - 1 ||
            (p->table[slot] & PTE_ADDR) != child->frame)
            complain(c, "gla %#llx level %u: entry %#llx leads to no shadow page",
                     (unsigned long long)gla, level, (unsigned long long)p->table[slot]);
        else
            check_tree(c, root, child, gla);
    }
}

/* No entry anywhere may write to a protected table, or to ROM. */
static void check_protection(struct check *c, const struct spage *p)
{
    for (unsigned slot = 0; slot < TABLE_ENTRIES && key_level(p->key) == 1; slot++) {
        uint64_t e = p->table[slot];
        if (!(e & PTE_P) || !(e & PTE_W))
            continue;
        const struct span *span = span_of_gpa(c->s, leaf_page(e));
        if (!span || span->rom)
            complain(c, "leaf %#llx writes to what is not RAM", (unsigned long long)e);
        else if (frame_is_protected(c->s, leaf_page(e)))
            complain(c, "guest table at %#llx can be written unseen",
                     (unsigned long long)leaf_page(e));
    }
}

size_t shadow_check(const struct shadow *s, char *why, size_t n)
{
    struct check c = { .s = s, .why = why, .n = n };

    if (n)
        why[0] = '\0';
    for (uint32_t i = 0; i < s->n_made; i++) {
        const struct spage *p = &s->page[i];
        if (!p->used)
            continue;
        check_protection(&c, p);
        if (key_level(p->key) == 4)
            check_tree(&c, p->key, p, 0);
    }
    return c.bad;
}
