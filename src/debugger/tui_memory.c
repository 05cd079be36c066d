/*
 * debugger/tui_memory.c -- the pane of guest memory, by linear address: hex and
 * characters; bytes that changed since the stop before are marked.
 *
 * A recording holds no memory; then the bytes are those of the guest's file, as
 * loaded, and the pane says so.
 */
#include <curses.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/guest_file.h"
#include "debugger/link.h"
#include "debugger/regs.h"
#include "debugger/symbols.h"
#include "debugger/tui.h"

#define VIEW 4096               /* bytes looked at, more than any pane shows */

struct memory {
    struct guest_file *file;
    bool     looked;
    uint64_t seen_at;           /* of now[] */
    uint8_t  now[VIEW], before[VIEW];
    bool     has_before;
};

static void memory_close(struct pane *p)
{
    guest_file_close(((struct memory *)p->state)->file);
}

static unsigned read_memory(struct pane *p, uint64_t at, uint8_t *buf, unsigned n)
{
    struct memory *m = p->state;
    struct link *l = p->tui->link;
    if (!l) {
        if (!m->looked)
            m->file = guest_file_open(p->tui->o->elf_path);
        m->looked = true;
        return guest_file_read(m->file, at, buf, n);
    }
    uint64_t have = link_readable(l, at, n);
    return have && link_read_linear(l, at, buf, have) == 0 ? (unsigned)have : 0;
}

static void memory_stopped(struct pane *p)
{
    struct memory *m = p->state;
    memcpy(m->before, m->now, sizeof m->before);
    m->has_before = true;
}

static void draw_row(struct pane *p, const struct area *a, int y, uint64_t at, const uint8_t *bytes, unsigned n,
                     const uint8_t *before)
{
    char name[80];
    int x = draw_format(a, y, 1, ROLE_DIM, "%10" PRIx64 "  ", at), text = x + 16 * 3 + 2;
    for (unsigned i = 0; i < n; i++) {
        bool changed = before && before[i] != bytes[i];
        char c[2] = { bytes[i] >= ' ' && bytes[i] < 127 ? (char)bytes[i] : '.', 0 };
        draw_format(a, y, x + 3 * (int)i + (i >= 8), changed ? ROLE_CHANGED : bytes[i] ? ROLE_TEXT : ROLE_DIM, "%02x", bytes[i]);
        draw_text(a, y, text + (int)i, changed ? ROLE_CHANGED : ROLE_TEXT, c);
    }
    if (text + 18 < a->w && symbols_format(p->tui->o->symbols, at, name, sizeof name)[0])
        draw_format(a, y, text + 18, ROLE_DIM, "<%s>", name);
}

static void memory_draw(struct pane *p, const struct area *a)
{
    struct memory *m = p->state;
    struct tui *t = p->tui;
    int y = 0;
    draw_clear(a);
    if (a->h < 1)
        return;
    if (!t->link)
        y = draw_wrapped(a, 0, ROLE_DIM, "Memory is not recorded. These are the bytes of the guest's file, as loaded.");
    uint64_t at = t->memory_at & ~UINT64_C(15);
    unsigned n = read_memory(p, at, m->now, VIEW);
    if (m->seen_at != at)
        m->has_before = false;
    m->seen_at = at;
    for (unsigned i = 0; y < a->h && i + 16 <= VIEW; i += 16, y++) {
        if (i >= n) {
            draw_format(a, y, 1, ROLE_DIM, "%10" PRIx64 "  %s", at + i, t->link ? "(not mapped)" : "(not in the file)");
            break;
        }
        draw_row(p, a, y, at + i, m->now + i, n - i < 16 ? n - i : 16, m->has_before ? m->before + i : NULL);
    }
}

static void memory_title(struct pane *p, char *buf, size_t n)
{
    snprintf(buf, n, "linear address %#" PRIx64 "  (:memory ADDRESS, :find TEXT)", p->tui->memory_at);
}

static void scroll_memory(struct tui *t, struct pane *p, int rows)
{
    int page = p->area.h > 2 ? p->area.h - 2 : 1;
    t->memory_at += (uint64_t)(int64_t)(rows == 1 || rows == -1 ? 16 * rows : 8 * rows * page);
}

static const struct key memory_keys[] = {
    { 'j', KEY_DOWN, NULL, "a row down", scroll_memory, 1, ALWAYS },
    { 'k', KEY_UP, NULL, "a row up", scroll_memory, -1, ALWAYS },
    { KEY_NPAGE, CTRL('f'), NULL, "a screen down", scroll_memory, 2, ALWAYS },
    { KEY_PPAGE, CTRL('b'), NULL, "a screen up", scroll_memory, -2, ALWAYS },
    { 0 }
};

const struct pane_ops pane_memory = {
    .name = "memory", .about = "memory by linear address",
    .state_bytes = sizeof(struct memory), .keys = memory_keys, .close = memory_close, .title = memory_title,
    .draw = memory_draw, .guest_stopped = memory_stopped,
};

/* The next place behind `from` that holds these bytes, within a few MiB. */
bool tui_find_bytes(struct tui *t, uint64_t from, const char *bytes, size_t n, uint64_t *at)
{
    static uint8_t chunk[65536];
    struct pane *p = &t->pane[PANE_MEMORY];
    for (unsigned i = 0; i < 64; i++, from += sizeof chunk - n) {
        unsigned have = read_memory(p, from, chunk, sizeof chunk);
        const uint8_t *hit = have ? memmem(chunk, have, bytes, n) : NULL;
        if (hit) {
            *at = from + (uint64_t)(hit - chunk);
            return true;
        }
        if (have < sizeof chunk)
            return false;
    }
    return false;
}
