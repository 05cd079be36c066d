/*
 * debugger/tui/memory.c -- the pane of guest memory, by linear address: hex and
 * characters; bytes that changed since the stop before are marked.
 *
 *       7c00  fa 31 c0 8e d8 8e c0 8e  d0 bc 00 7c fb be 1e 7c  .1.........|...|  <start>
 *
 * Live, memory is read where it lies (link.h): nothing is asked of the VMM, no page is
 * touched that the guest has not touched, and no device notices.  A recording holds no
 * memory; then the bytes are those of the guest's file, as loaded, and the pane says so.
 *
 * The address shown first is t->memory_at, rounded down to 16; `:memory` and a search set
 * it, and scrolling moves it.
 */
#include <curses.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "cpu/regs.h"
#include "debugger/link/link.h"
#include "debugger/symbols/guest_file.h"
#include "debugger/symbols/symbols.h"
#include "debugger/tui/tui.h"

#define VIEW 4096               /* bytes looked at, more than any pane shows */
#define CHUNK 65536             /* bytes read at once in a search            */
#define SEARCH_NS 300000000     /* how long a search may hold the keyboard   */
#define MAX_NEEDLE 128          /* bytes that can be searched for            */

struct memory {
    struct guest_file *file;    /* recorded: where the bytes come from; NULL: not readable */
    bool     looked;            /* for that file */

    /* The bytes from seen_at on, as last drawn and as they were at the stop before. */
    uint64_t seen_at;
    uint8_t  now[VIEW], before[VIEW];
    bool     has_before;        /* false: another address was shown then */

    uint8_t  needle[MAX_NEEDLE];    /* what is searched for */
    size_t   n_needle;          /* 0: nothing has been searched for */
};

static void memory_close(struct pane *p)
{
    guest_file_close(((struct memory *)p->state)->file);
}

/* Up to n bytes at a linear address; returns how many can be read. */
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

/* What was drawn last is what memory held at the stop before. */
static void memory_stopped(struct pane *p)
{
    struct memory *m = p->state;
    memcpy(m->before, m->now, sizeof m->before);
    m->has_before = true;
}

/* A row of 16 bytes: address, hex with a gap in the middle, characters, symbol.  A byte of
 * what was found is marked, so is one that changed; zeroes are dim, to let the others be
 * seen. */
static void draw_row(struct pane *p, const struct area *a, int y, uint64_t at, const uint8_t *bytes,
                     unsigned n, const uint8_t *before)
{
    char name[80];
    int x = draw_format(a, y, 1, ROLE_DIM, "%10" PRIx64 "  ", at), text = x + 16 * 3 + 2;
    for (unsigned i = 0; i < n; i++) {
        bool changed = before && before[i] != bytes[i];
        bool found = at + i - p->tui->memory_at < ((struct memory *)p->state)->n_needle;
        enum role role = found ? ROLE_FOUND : changed ? ROLE_CHANGED : ROLE_TEXT;
        char c[2] = { bytes[i] >= ' ' && bytes[i] < 127 ? (char)bytes[i] : '.', 0 };
        draw_format(a, y, x + 3 * (int)i + (i >= 8),
                    role != ROLE_TEXT || bytes[i] ? role : ROLE_DIM, "%02x", bytes[i]);
        draw_text(a, y, text + (int)i, role, c);
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
        y = draw_wrapped(a, 0, ROLE_DIM,
                         "Memory is not recorded. These are the bytes of the guest's file, as "
                         "loaded.");
    uint64_t at = t->memory_at & ~UINT64_C(15);
    unsigned n = read_memory(p, at, m->now, VIEW);
    if (m->seen_at != at)
        m->has_before = false;
    m->seen_at = at;
    for (unsigned i = 0; y < a->h && i + 16 <= VIEW; i += 16, y++) {
        if (i >= n) {
            draw_format(a, y, 1, ROLE_DIM, "%10" PRIx64 "  %s", at + i,
                        t->link ? "(not mapped)" : "(not in the file)");
            break;
        }
        draw_row(p, a, y, at + i, m->now + i, n - i < 16 ? n - i : 16,
                 m->has_before ? m->before + i : NULL);
    }
}

static void memory_title(struct pane *p, char *buf, size_t n)
{
    snprintf(buf, n, "linear address %#" PRIx64 "  (:memory ADDRESS, / searches)",
             p->tui->memory_at);
}

/* A row up or down (rows is 1 or -1), or a screen (2 or -2: a page of rows of 16 bytes). */
static void scroll_memory(struct tui *t, struct pane *p, int rows)
{
    int page = p->area.h > 2 ? p->area.h - 2 : 1;
    t->memory_at += (uint64_t)(int64_t)(rows == 1 || rows == -1 ? 16 * rows : 8 * rows * page);
}

/*
 * Searching
 */

/* The next place behind `from`, or the last one before it, that holds the needle.
 *
 * Memory is read in chunks.  Each is read a little further than the next one begins, so
 * that a needle across the border is found.  What can be read of a chunk ends at the first
 * page that is not mapped; pages behind that one in the same chunk are not searched. */
static bool find_bytes(struct pane *p, uint64_t from, bool backward, uint64_t *at)
{
    static uint8_t chunk[CHUNK + MAX_NEEDLE];
    const struct memory *m = p->state;
    uint64_t end_ns = host_monotonic_ns() + SEARCH_NS, base = from & ~(uint64_t)(CHUNK - 1);
    bool found = false;
    while (!found && host_monotonic_ns() < end_ns) {
        unsigned have = read_memory(p, base, chunk, (unsigned)(CHUNK + m->n_needle - 1));
        for (uint8_t *hit = chunk, *end = chunk + have; have; hit++) {
            hit = memmem(hit, (size_t)(end - hit), m->needle, m->n_needle);
            if (!hit)
                break;
            uint64_t place = base + (uint64_t)(hit - chunk);
            if (backward ? place >= from : place <= from)
                continue;
            *at = place;
            found = true;
            if (!backward)
                break;          /* else the last one in this chunk counts */
        }
        if (backward ? base < CHUNK : base > UINT64_MAX - 2 * CHUNK)
            break;
        base += backward ? -(uint64_t)CHUNK : CHUNK;
    }
    return found;
}

/* Two hex digits, or several bytes with blanks between them ("48 65 6c"), are bytes;
 * anything else is text.  "be" alone is therefore a byte, "beef" is text. */
static void parse_needle(struct memory *m, const char *text)
{
    unsigned byte, n = 0;
    int used;
    uint8_t bytes[MAX_NEEDLE];
    const char *at = text;
    while (n < MAX_NEEDLE && sscanf(at, " %2x%n", &byte, &used) == 1) {
        bytes[n++] = (uint8_t)byte;
        at += used;
    }
    bool hex = n && !at[strspn(at, " ")] && (strchr(text, ' ') || strlen(text) == 2);
    m->n_needle = hex ? n : strnlen(text, MAX_NEEDLE);
    memcpy(m->needle, hex ? (const void *)bytes : text, m->n_needle);
}

/* To the next place; t->memory_at is where the last one was found. */
static void search_on(struct tui *t, struct pane *p, int backward)
{
    struct memory *m = p->state;
    if (!m->n_needle)
        tui_say(t, ROLE_DIM, "nothing has been searched for; / begins");
    else if (find_bytes(p, t->memory_at, backward, &t->memory_at))
        layout_show(t, PANE_MEMORY);
    else
        tui_say(t, ROLE_ERROR, "it is not in the memory %s %#" PRIx64,
                backward ? "before" : "behind", t->memory_at);
}

void tui_find_memory(struct tui *t, const char *text)
{
    struct pane *p = &t->pane[PANE_MEMORY];
    if (text[0])
        parse_needle(p->state, text);
    search_on(t, p, false);
}

static void ask_needle(struct tui *t, struct pane *p, int arg)
{
    (void)p, (void)arg;
    prompt_open(t, PROMPT_FIND);
}

static const struct key memory_keys[] = {
    { '/', KEY_F(3), NULL, "search memory: text, or bytes as 48 65 6c", ask_needle, 0, ALWAYS },
    { 'n', 0, NULL, "the next place that holds it", search_on, 0, ALWAYS },
    { 'N', 0, NULL, "the one before", search_on, 1, ALWAYS },
    { 'j', KEY_DOWN, NULL, "a row down", scroll_memory, 1, ALWAYS },
    { 'k', KEY_UP, NULL, "a row up", scroll_memory, -1, ALWAYS },
    { KEY_NPAGE, CTRL('f'), NULL, "a screen down", scroll_memory, 2, ALWAYS },
    { KEY_PPAGE, CTRL('b'), NULL, "a screen up", scroll_memory, -2, ALWAYS },
    { 0 }
};

const struct pane_ops pane_memory = {
    .name = "memory", .about = "memory by linear address",
    .state_bytes = sizeof(struct memory), .keys = memory_keys,
    .close = memory_close, .title = memory_title, .draw = memory_draw,
    .guest_stopped = memory_stopped,
};
