/*
 * debugger/tui/walk.c -- one address on its way, for the pane of paging: every entry
 * of the guest's tables from gla to gpa, and beside them those of the table that
 * the CPU really walks: the shadow, from gla straight to hva, or the nested
 * one, from gpa to hva.
 *
 *     gla 0x401234  is PDE 001 + PTE 001 + offset 234
 *     the guest's tables, from CR3 131000      the nested table (EPT), walked for this gpa
 *     `- PDE  at 131004: 137023  PW-A-         `- PML4E  ...  rwx
 *      `- PTE at 137004: 10c063  PW-AD          `- ...
 *     gpa 0x10c234  writable, 4 KiB            hva 0x7f...234  in the monitor, 4 KiB
 *
 * The guest's tables are read from its memory; the other one belongs to the VMM, which has
 * to be asked.  So what is drawn was looked up once for each stop, and a few times a second
 * while the guest runs.  An entry that was another at the stop before is marked.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/host.h"
#include "base/x86.h"
#include "debugger/link/link.h"
#include "debugger/tui/tui.h"
#include "debugger/tui/walk.h"

#define BESIDE_W 92             /* in a pane so wide the two stand beside each other */

/* Does the monitor of this guest use shadow paging? */
static bool is_shadowed(const struct tui *t)
{
    const char *mmu = store_info(t->store, "mmu");
    return mmu && strcmp(mmu, "shadow") == 0;
}

/* What the monitor's own table says of an address: a gla for the shadow, a gpa for the
 * nested table.  0, -EAGAIN if the VMM must not be asked now, or what link_second() gives. */
static int ask_second(struct tui *t, uint64_t address, struct link_second *out)
{
    memset(out, 0, sizeof *out);
    int err = live_may_ask(t) ? link_second(t->link, address, out) : -EAGAIN;
    live_answered(t, err);
    return err;
}

/* Walk the guest's tables, then the monitor's.  With nested paging the second walk needs
 * the gpa that the first one gives, so after a page fault there is none (-ENOENT); and the
 * addresses of the guest's tables, being gpas, are looked up in the same way. */
static void look_both_up(struct tui *t, struct walk_view *v, uint64_t gla)
{
    v->gla = gla;
    v->stops = t->live.stops;
    v->asked_ns = host_monotonic_ns();
    v->known = true;
    link_walk(t->link, gla, WALK_READ, &v->walk);
    bool shadow = is_shadowed(t);
    v->err = shadow || v->walk.result == WALK_OK
           ? ask_second(t, shadow ? gla : v->walk.gpa, &v->second) : -ENOENT;
    for (unsigned i = 0; i < v->walk.depth && !shadow; i++)
        ask_second(t, v->walk.step[i].at, &v->of_step[i]);
}

/* What was found at the last stop becomes `before` when the guest has stopped anew; there
 * is nothing to compare with when another address is walked. */
void walk_look(struct tui *t, struct walk_view *v, uint64_t gla)
{
    bool same = v->known && v->gla == gla, stopped = v->stops != t->live.stops;
    if (same && !stopped && (!live_running(t) || host_monotonic_ns() - v->asked_ns < LIVE_ASK_NS))
        return;
    if (stopped || !same) {
        v->has_before = same;
        v->before = v->walk;
        v->second_before = v->second;
    }
    look_both_up(t, v, gla);
}

/*
 * Drawing
 */

/* The bits of an entry [SDM 3A "Hierarchical Paging Structures: an Overview"]; a bit that
 * is 0 is a dash, so that columns stay columns. */
const char *walk_bits(uint64_t e, char *buf, size_t n)
{
    snprintf(buf, n, "%s%s%s%s%s%s%s", e & PTE_P ? "P" : "-", e & PTE_W ? "W" : "-",
             e & PTE_U ? "U" : "-", e & PTE_A ? "A" : "-", e & PTE_D ? "D" : "-",
             e & PTE_PS ? " large" : "", e & PTE_NX ? " NX" : "");
    return buf;
}

const char *walk_level_name(unsigned level)
{
    static const char *const names[] = { "?", "PTE", "PDE", "PDPTE", "PML4E" };
    return names[level <= 4 ? level : 0];
}

static unsigned levels_now(const struct tui *t)
{
    struct paging pg = paging_for_debugger(&t->live.now);
    return walk_levels(&pg);
}

/* The address taken apart, as the tables are indexed: 10 bits for each of two levels in
 * 32-bit paging, else 9 bits each [SDM 3A "Paging"]. */
static void draw_address(struct tui *t, const struct area *a, int y, uint64_t gla)
{
    unsigned levels = levels_now(t), bits = levels == 2 ? 10 : 9;
    int x = draw_format(a, y, 1, ROLE_STRONG, "gla %#" PRIx64, gla);
    for (unsigned level = levels; level > 0; level--)
        x = draw_format(a, y, x, ROLE_DIM, "%s%s %03" PRIx64, level == levels ? "  is " : " + ",
                        walk_level_name(level),
                        gla >> (12 + bits * (level - 1)) & (BIT(bits) - 1));
    if (levels)
        draw_format(a, y, x, ROLE_DIM, " + offset %03" PRIx64, gla & 0xfff);
    else
        draw_text(a, y, x, ROLE_DIM, "  paging is off: it is the gpa as well");
}

/* The guest's walk, a line for each entry, and what came of it: a gpa with the rights of
 * all levels together, or a page fault.  Where the hva of a table is known it stands
 * beside.  Returns the line below, as draw_second() does. */
static int draw_guest(struct tui *t, const struct walk_view *v, const struct area *a, int y)
{
    char bits[40];
    const struct walk *w = &v->walk;
    unsigned levels = levels_now(t);
    if (levels)
        draw_format(a, y++, 1, ROLE_GUEST, "the guest's tables, from CR3 %" PRIx64,
                    t->live.now.cr3);
    for (unsigned i = 0; i < w->depth; i++, y++) {
        bool changed = v->has_before &&
            (i >= v->before.depth || v->before.step[i].entry != w->step[i].entry);
        int x = draw_format(a, y, 1 + (int)i, ROLE_DIM, "%s", glyph(GLYPH_LAST));
        x = draw_format(a, y, x, ROLE_GUEST, " %-5s", walk_level_name(levels - i));
        x = draw_format(a, y, x, ROLE_DIM, " at %" PRIx64 ": ", w->step[i].at);
        x = draw_format(a, y, x, changed ? ROLE_CHANGED : ROLE_TEXT, "%" PRIx64, w->step[i].entry);
        x = draw_format(a, y, x, ROLE_TEXT, "  %s", walk_bits(w->step[i].entry, bits, sizeof bits));
        if (v->of_step[i].ok && x + 22 < a->w)
            draw_format(a, y, x + 2, ROLE_DIM, "(hva %" PRIx64 ")", v->of_step[i].hva);
    }
    if (w->result == WALK_OK)
        draw_format(a, y, 1, ROLE_STRONG, "gpa %#" PRIx64 "  %s%s%s, %" PRIu64 " KiB", w->gpa,
                    w->writable ? "writable" : "read-only", w->user ? ", user" : "",
                    w->executable ? "" : ", no code", w->page_size / 1024);
    else
        draw_format(a, y, 1, ROLE_BAD, "no page: #PF, error code %#x (a true fault)", w->error);
    return y + 1;
}

/* The shadow has the format of the guest's tables, an EPT entry one of its own: bits 0, 1
 * and 2 are read, write and execute [SDM 3C "EPT Translation Mechanism"]. */
static int draw_second(const struct walk_view *v, const struct area *a, int y)
{
    char bits[40];
    const struct link_second *s = &v->second;
    if (v->err < 0) {
        const char *why =
            v->err == -ENOENT    ? "no gpa, so nothing to look up in the nested table"
            : v->err == -ESRCH   ? "the monitor is gone, and its tables with it"
            : v->err == -ENOTSUP ? "the second table is the kernel's, and cannot be seen"
                                 : "the monitor does not answer";
        return draw_wrapped(a, y, ROLE_DIM, why);
    }
    draw_text(a, y++, 1, ROLE_MEM,
              s->is_shadow ? "the shadow, which the CPU walks instead"
                           : "the nested table (EPT), walked for this gpa");
    for (unsigned i = 0; i < s->depth && i < 4; i++, y++) {
        uint64_t e = s->step[i].entry;
        bool changed = v->has_before && (i >= v->second_before.depth ||
                                         v->second_before.step[i].entry != e);
        int x = draw_format(a, y, 1 + (int)i, ROLE_DIM, "%s", glyph(GLYPH_LAST));
        x = draw_format(a, y, x, ROLE_MEM, " %-5s ", walk_level_name(s->step[i].level));
        x = draw_format(a, y, x, changed ? ROLE_CHANGED : ROLE_TEXT, "%" PRIx64, e);
        if (s->is_shadow)
            draw_format(a, y, x, ROLE_TEXT, "  %s", walk_bits(e, bits, sizeof bits));
        else
            draw_format(a, y, x, ROLE_TEXT, "  %c%c%c",
                        e & 1 ? 'r' : '-', e & 2 ? 'w' : '-', e & 4 ? 'x' : '-');
    }
    if (s->ok)
        draw_format(a, y, 1, ROLE_STRONG, "hva %#" PRIx64 "  in the monitor, %" PRIu64 " KiB",
                    s->hva, s->page_size / 1024);
    else
        draw_text(a, y, 1, ROLE_BAD, "not mapped yet: the first touch is an exit");
    return y + 1;
}

int walk_draw(struct tui *t, const struct walk_view *v, const struct area *a, int y)
{
    draw_address(t, a, y++, v->gla);
    if (a->w < BESIDE_W) {
        y = draw_guest(t, v, a, y);
        return draw_second(v, a, y);
    }
    int half = a->w / 2;
    struct area left = { a->y, a->x, a->h, half };
    struct area right = { a->y, a->x + half, a->h, a->w - half };
    int y1 = draw_guest(t, v, &left, y), y2 = draw_second(v, &right, y);
    return y1 > y2 ? y1 : y2;
}
