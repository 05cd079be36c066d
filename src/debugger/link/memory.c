/*
 * debugger/link/memory.c -- the guest's memory, registers and screen, read by the debugger
 * itself from the memfds and the state page.  The VMM is asked only for those registers that
 * its engine must ask the host's kernel for.
 *
 * Memory is read with pread() and not through a mapping: reading a mapping would allocate
 * pages that the guest has never touched, and if the VMM's process had shortened the file,
 * the reader would die of SIGBUS; pread() returns an error.
 */
#include <errno.h>
#include <string.h>

#include "base/host.h"
#include "debugger/link/private.h"

/* ---- the state page ---- */

/* The state page is guarded by a sequence counter ("seqlock"): the VMM makes it odd,
 * writes, and makes it even.  A reader copies, and tries again if the counter was odd or
 * has changed meanwhile.  So the writer never waits for us.  If the VMM dies in the middle
 * of a write the counter stays odd for ever; after TRIES the page is taken as it is. */
#define TRIES 10000

static void read_page(const struct link *l, size_t offset, void *to, size_t n)
{
    const struct wire_page *p = l->page;
    for (int i = 0; i < TRIES; i++) {
        uint32_t before = __atomic_load_n(&p->sequence, __ATOMIC_ACQUIRE);
        memcpy(to, (const char *)p + offset, n);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (!(before & 1) && __atomic_load_n(&p->sequence, __ATOMIC_RELAXED) == before)
            return;
    }
}

/* Some groups the engine writes to the page only when asked (`lacks` names them). */
void link_get_groups(const struct link *l, unsigned groups, struct cpu_state *s)
{
    struct wire_none none = { { 0 } };
    if ((l->page->lacks & groups) && link_state(l) != LINK_RUNNING)
        link_ask((struct link *)(uintptr_t)l, WIRE_GET_STATE, &none, sizeof none, 0);
    read_page(l, offsetof(struct wire_page, cpu), s, sizeof *s);
}

void link_get_state(const struct link *l, struct cpu_state *s)
{
    link_get_groups(l, ST_ALL, s);
}

void link_get_status(const struct link *l, struct link_status *s)
{
    unsigned char halted, ok, inside, by_exit;
    read_page(l, offsetof(struct wire_page, status), s, sizeof *s);
    memcpy(&halted, &s->halted, 1);             /* a bool from there may hold any byte */
    s->halted = halted != 0;
    memcpy(&ok, &s->past.ok, 1);
    memcpy(&inside, &s->past.inside, 1);
    memcpy(&by_exit, &s->past.by_exit, 1);
    s->past.ok = ok != 0;
    s->past.inside = inside != 0;
    s->past.by_exit = by_exit != 0;
    if ((unsigned)s->injected.type >= N_EVENT_TYPES)
        s->injected.type = EVENT_NONE;
    s->injected.has_error = false;              /* the page does not say */
}

/* What came from the other process must not be used as an index: types and counts are
 * checked, vectors and obstacles are by whoever looks them up. */
void link_get_undelivered(const struct link *l, struct delivery_chain *chain)
{
    read_page(l, offsetof(struct wire_page, undelivered), chain, sizeof *chain);
    if (chain->n > DELIVERY_STEPS)
        chain->n = DELIVERY_STEPS;
    for (uint64_t i = 0; i < chain->n; i++)
        if (chain->step[i].type >= N_EVENT_TYPES)
            chain->step[i].type = EVENT_NONE;
    if (chain->latest.step.type >= N_EVENT_TYPES)
        chain->latest.step.type = EVENT_NONE;
}

/* ---- memory ---- */

size_t link_regions(const struct link *l, const struct gmem_region **r)
{
    *r = l->region;
    return l->n_regions;
}

/* The region that contains gpa, or NULL. If gpa is below the base the difference wraps to a
 * huge number, so one comparison tests both ends. */
static const struct gmem_region *region_at(const struct link *l, gpa_t gpa)
{
    for (size_t i = 0; i < l->n_regions; i++)
        if (gpa - l->region[i].base < l->region[i].size)
            return &l->region[i];
    return NULL;
}

int link_read_phys(const struct link *l, gpa_t gpa, void *buf, uint64_t n)
{
    for (uint64_t k; n; gpa += k, buf = (char *)buf + k, n -= k) {
        const struct gmem_region *r = region_at(l, gpa);
        if (!r)
            return -EFAULT;
        uint64_t off = gpa - r->base;
        k = r->size - off < n ? r->size - off : n;
        if (host_read_at(r->memfd, r->memfd_off + off, buf, k))
            return -EFAULT;
    }
    return 0;
}

/* A table entry for the walker; what is not there reads as ones, as on the bus. */
struct entry { const struct link *l; uint64_t value; };

static void *read_entry(void *arg, gpa_t at, unsigned size, bool write)
{
    struct entry *e = arg;
    (void)write;
    e->value = ~UINT64_C(0);
    if (!link_read_phys(e->l, at, &e->value, size) && size < 8)
        e->value = low_bytes(e->value, size);
    return &e->value;
}

/* Walk the tables as a debugger does: rights are not checked, and WALK_PEEK leaves the
 * accessed and dirty bits alone. */
static void walk_with(const struct link *l, const struct cpu_state *s, gla_t gla, unsigned access,
                      struct walk *w)
{
    struct paging pg = paging_for_debugger(s);
    struct entry e = { .l = l };
    walk_from(&pg, &(struct walk_source){ read_entry, &e }, gla, access | WALK_PEEK, w);
}

void link_walk(const struct link *l, gla_t gla, unsigned access, struct walk *w)
{
    struct cpu_state s;
    link_get_groups(l, LINK_CORE, &s);
    walk_with(l, &s, gla, access, w);
}

/* Page by page, for neighbouring pages may lie anywhere in physical memory. */
int link_read_linear(const struct link *l, gla_t gla, void *buf, uint64_t n)
{
    struct cpu_state s;
    link_get_groups(l, LINK_CORE, &s);
    for (uint64_t k; n; gla += k, buf = (char *)buf + k, n -= k) {
        struct walk w;
        k = PAGE_SIZE - (gla & ~PAGE_MASK);
        if (k > n)
            k = n;
        walk_with(l, &s, gla, WALK_READ, &w);
        if (w.result != WALK_OK || link_read_phys(l, w.gpa, buf, k))
            return -EFAULT;
    }
    return 0;
}

uint64_t link_readable(const struct link *l, gla_t gla, uint64_t n)
{
    struct cpu_state s;
    uint64_t done = 0, k;
    link_get_groups(l, LINK_CORE, &s);
    for (; done < n; done += k) {
        struct walk w;
        k = PAGE_SIZE - ((gla + done) & ~PAGE_MASK);
        walk_with(l, &s, gla + done, WALK_READ, &w);
        if (w.result != WALK_OK || !region_at(l, w.gpa))
            break;
    }
    return done < n ? done : n;
}

/* In as many messages as it takes.  A failure leaves what came before it written. */
static int write_pieces(struct link *l, bool physical, uint64_t at, const void *buf, uint64_t n)
{
    static struct wire_bytes b;
    for (uint64_t k; n; at += k, buf = (const char *)buf + k, n -= k) {
        k = n < sizeof b.byte ? n : sizeof b.byte;
        b.to = physical;
        b.n = (uint32_t)k;
        b.at = at;
        memcpy(b.byte, buf, k);
        int err = link_ask(l, WIRE_WRITE, &b, WIRE_BYTES_HEAD + k, 0);
        if (err)
            return err;
    }
    return 0;
}

int link_write_phys(struct link *l, gpa_t gpa, const void *buf, uint64_t n)
{
    return write_pieces(l, true, gpa, buf, n);
}

int link_write_linear(struct link *l, gla_t gla, const void *buf, uint64_t n)
{
    return write_pieces(l, false, gla, buf, n);
}

/* ---- the screen ---- */

#define VGA_BASE 0xa0000

/* May the screen's shape be used to index memory?  Its numbers come from the VMM, and are
 * read from a page that it can write at any time: *m is a copy. */
static bool is_sane(struct vga_text *m)
{
    unsigned char text, cursor;
    memcpy(&text, &m->text, 1);
    memcpy(&cursor, &m->cursor, 1);
    m->text = text != 0;
    m->cursor = cursor != 0;
    return m->columns && m->rows && m->columns <= 132 && m->rows <= 60 && m->window_bytes &&
           m->window <= VGA_VRAM_BYTES && m->window_bytes <= VGA_VRAM_BYTES - m->window;
}

/* The window on 0xa0000 holds the video memory as the text modes see it: the low byte of a
 * cell is its character, the next its attribute. */
int link_screen(const struct link *l, struct vga_text *m, uint16_t cells[LINK_CELLS])
{
    static uint8_t vram[VGA_VRAM_BYTES];
    read_page(l, offsetof(struct wire_page, screen), m, sizeof *m);
    if (!is_sane(m))
        return -EBADMSG;
    if (!m->text)
        return 0;
    if (link_read_phys(l, VGA_BASE, vram, sizeof vram))
        return -EFAULT;
    for (unsigned row = 0; row < m->rows; row++)
        for (unsigned column = 0; column < m->columns; column++) {
            uint32_t at = vga_text_cell(m, column, row) % (VGA_VRAM_BYTES - 1);
            cells[row * m->columns + column] = (uint16_t)(vram[at] | vram[at + 1] << 8);
        }
    return 0;
}
