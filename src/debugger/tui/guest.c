/*
 * debugger/tui/guest.c -- the pane of the guest's CPU: registers, the code around
 * RIP in the mode the CPU reads it, source lines, the stack.
 *
 * Where each thing comes from:
 *
 *                 live                            a recording
 *     registers   the state page of the VMM,      the INSN events before the selected one, if
 *                 as they are now                 there are any (past.h)
 *     code        guest memory, at CS:RIP         the guest's ELF file, at the RIP of the
 *                                                 selected event; the pane says so
 *     mode        the registers                   the last MODE event before
 *     stack       guest memory, at SS:RSP         not known
 *
 * Registers that differ from the stop before are marked.  Live, the pane does not follow
 * the selected event: it shows the machine, which may be further on than that event.
 *
 * x86 code can be read forward only: an instruction does not tell where the one before it
 * begins.  How lines above RIP are found all the same is in start_before().
 */
#include <curses.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/x86.h"
#include "cpu/exit.h"
#include "cpu/regs.h"
#include "debugger/link/link.h"
#include "debugger/symbols/disasm.h"
#include "debugger/symbols/guest_file.h"
#include "debugger/symbols/symbols.h"
#include "debugger/trace/field.h"
#include "debugger/tui/past.h"
#include "debugger/tui/tui.h"

#define MAX_LINES 256
#define BEFORE    64            /* bytes before RIP that are looked at without symbols */
#define NEIGHBOURS 24           /* lines decoded to find those beside one */
#define MODE_NS   5000000       /* how long to look for a MODE event, at most */

/* An instruction, its bytes, and the source line it came of. */
struct line { uint64_t rip; struct insn insn; uint8_t bytes[16]; struct source_place place; };

/* What is on the screen, or would be; line[here] is the instruction it is about. */
struct code {
    struct code_segment cs;     /* that it lies in: addresses are said with it */
    struct line line[MAX_LINES];
    int n, here;
};

struct guest {
    struct guest_file *file;    /* source lines; recorded: also code.  NULL: not readable */
    bool     looked;            /* for that file */
    struct code code;

    /* live: the instruction that j and k have moved to; else it is the one at RIP */
    uint64_t at;
    bool     has_at;

    /* recorded, at the selected event */
    struct filter *modes;       /* lets MODE events pass */
    struct past past;           /* registers */
    unsigned bits;              /* 16, 32 or 64: how code is decoded */
    bool     bits_known;
};

static bool guest_open(struct pane *p)
{
    struct guest *g = p->state;
    struct filter_error err;
    g->modes = filter_compile("kind==MODE", NULL, &err);
    return g->modes;
}

static void guest_close(struct pane *p)
{
    struct guest *g = p->state;
    guest_file_close(g->file);
    filter_free(g->modes);
    past_close(&g->past);
}

/* A recording: how wide was code at the selected event?  The last MODE event before it
 * names the mode the CPU went to, say "long mode, 64-bit"; without one the code cannot be
 * decoded. */
static void find_mode(struct tui *t, struct guest *g)
{
    uint64_t at = t->cursor;
    g->bits_known = false;
    if (store_prev(t->store, g->modes, &at, MODE_NS) != STORE_FOUND)
        return;
    const struct trace_event *e = store_at(t->store, at);
    const char *mode = e ? trace_field_word(store_text(t->store), MODE, e->arg[1]) : NULL;
    if (!mode)
        return;
    g->bits = strstr(mode, "64") ? 64 : strstr(mode, "32") ? 32 : 16;
    g->bits_known = true;
}

/* The guest's file is opened when it is first needed, not at the beginning: it may be
 * large, and the pane may never be shown. */
static void guest_follow(struct pane *p)
{
    struct guest *g = p->state;
    struct tui *t = p->tui;
    if (!g->looked)
        g->file = guest_file_open(t->o->elf_path);
    g->looked = true;
    if (!t->link && t->has_event)
        find_mode(t, g);
    if (!t->link)
        past_begin(&g->past, t);
}

static void guest_stopped(struct pane *p)
{
    struct guest *g = p->state;
    if (!g->looked)
        guest_follow(p);
    g->has_at = false;
}

/* Up to n bytes at a linear address: live from memory, as far as pages are mapped, recorded
 * from the guest's file.  Returns how many there are. */
static unsigned read_code(struct pane *p, uint64_t at, uint8_t *buf, unsigned n)
{
    struct guest *g = p->state;
    const struct tui *t = p->tui;
    if (!t->link)
        return guest_file_read(g->file, at, buf, n);
    uint64_t have = link_readable(t->link, at, n);
    return have && link_read_linear(t->link, at, buf, have) == 0 ? (unsigned)have : 0;
}

/*
 * Registers
 */

/* The general registers come first, in the order of their numbers in machine code: past.h
 * counts on it, and a small pane shows these, RIP and RFLAGS only. */
static const char *const names_64[] = {
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
    "rip", "rflags", "cr0", "cr2", "cr3", "cr4" };
static const char *const names_32[] = {
    "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi",
    "eip", "eflags", "cr0", "cr2", "cr3", "cr4" };
static const char *const names_segments[] = { "cs", "ss", "ds", "es", "fs", "gs", "tr", "ldtr" };

/* Registers by name, in as many columns as there is room for.  Those are marked that differ
 * from the latest stop, if the guest runs; if it stands, `now` is the latest stop, and they
 * are compared with the one before.  Returns the line below. */
static int draw_registers(struct tui *t, const struct area *a, int y, const char *const *names,
                          size_t n, int digits)
{
    int width = 8 + digits + 1, columns = (a->w - 1) / width, i = 0;
    if (columns < 1)
        columns = 1;
    for (size_t k = 0; k < n; k++) {
        const struct reg *r = reg_find(names[k], strlen(names[k]));
        if (!r)
            continue;
        uint64_t now = reg_get(r, &t->live.now), before = now;
        if (t->live.has_before)
            before = reg_get(r, live_running(t) ? &t->live.at_stop : &t->live.before);
        int x = 1 + i % columns * width;
        draw_format(a, y + i / columns, x, ROLE_DIM, "%6s", names[k]);
        draw_format(a, y + i / columns, x + 7, now != before ? ROLE_CHANGED : ROLE_TEXT,
                    "%0*" PRIx64, digits, now);
        i++;
    }
    return y + (i + columns - 1) / columns;
}

/* Mode, privilege, CS:IP where that is how places are said, and flags in the first line, then
 * registers: all of them in a pane of 20
 * lines or more, else so few that half of the lines are left for code.  The current
 * privilege level is the DPL in the attributes of SS [SDM 3C "Guest Register State"]. */
static int draw_cpu(struct tui *t, const struct area *a)
{
    bool all = a->h >= 20;
    char flags[80];
    const struct cpu_state *s = &t->live.now;
    unsigned bits = state_code_bits(s);
    struct code_segment cs = state_code_segment(s);
    char place[PLACE_MAX];
    int x = draw_format(a, 0, 1, ROLE_STRONG, "%s", state_mode(s));
    x = draw_format(a, 0, x + 2, ROLE_TEXT, "CPL %u",
                    s->seg[SEG_SS].attr & SEG_DPL ? (s->seg[SEG_SS].attr >> 5) & 3 : 0);
    if (cs.segmented)
        x = draw_format(a, 0, x + 2, ROLE_STRONG, "%s", state_place_phrase(s, place, sizeof place));
    draw_format(a, 0, x + 2, ROLE_TEXT, "%s", state_flags(s->rflags, flags, sizeof flags));
    int y;
    if (bits == 64)
        y = draw_registers(t, a, 1, names_64, all ? NELEM(names_64) : N_GPRS + 2, 16);
    else
        y = draw_registers(t, a, 1, names_32, all ? NELEM(names_32) : N_GPRS / 2 + 2, 8);
    return !all ? y : draw_registers(t, a, y, names_segments, NELEM(names_segments), 4);
}

/*
 * Code
 */

/* Where to begin decoding so that it arrives at pc exactly, for the lines above pc.
 *
 * The start of the symbol is such a place, unless the function is very long.  Without
 * symbols try the bytes before pc one after the other, from 48 before it, and take the
 * first from which decoding comes to pc.  It may be the wrong one for an instruction or
 * two, but x86 code soon falls into step, whatever one begins with. */
static uint64_t start_before(struct pane *p, uint64_t pc, unsigned bits)
{
    uint64_t offset;
    if (symbols_find(p->tui->o->symbols, pc, &offset) && offset <= 4096)
        return pc - offset;
    uint8_t bytes[BEFORE + 16];
    unsigned n = pc >= BEFORE ? read_code(p, pc - BEFORE, bytes, sizeof bytes) : 0;
    for (unsigned from = 16; n == sizeof bytes && from < BEFORE; from++) {
        unsigned at = from;
        while (at < BEFORE) {
            struct insn insn;
            disasm(bytes + at, sizeof bytes - at, bits, 0, 0, NULL, &insn);
            if (!insn.ok)
                break;
            at += insn.len;
        }
        if (at == BEFORE)
            return pc - BEFORE + from;
    }
    return pc;
}

/* One more line, the instruction at linear address pc; base: of CS.  False: there is no
 * code, which the line says, and nothing can come behind it.  A byte that is no instruction
 * is a line of its own. */
static bool add_line(struct pane *p, struct code *c, uint64_t pc, uint64_t base, unsigned bits)
{
    uint8_t bytes[16] = { 0 };
    struct line *l = &c->line[c->n++];
    unsigned n = read_code(p, pc, bytes, sizeof bytes);
    *l = (struct line){ .rip = pc };
    if (n)
        disasm(bytes, n, bits, pc - base, base, p->tui->o->symbols, &l->insn);
    memcpy(l->bytes, bytes, sizeof bytes);
    if (!n)
        snprintf(l->insn.text, sizeof l->insn.text, "%s",
                 p->tui->link ? "(nothing is mapped here)" : "(not in the guest's file)");
    else if (!l->insn.len)
        l->insn.len = 1;
    guest_file_place(((struct guest *)p->state)->file, pc, &l->place);
    return n;
}

/* `want` lines around pc, a third of them before it.  Decoding comes from above, so of the
 * lines before pc only the last ones are kept: the first gives way to the next. */
static void decode_around(struct pane *p, struct code *c, uint64_t pc,
                          const struct code_segment *cs, unsigned bits, int want)
{
    uint64_t at = start_before(p, pc, bits), base = cs->base;
    int before = want / 3;
    c->cs = *cs;
    c->n = c->here = 0;
    while (at < pc && c->n < MAX_LINES) {
        if (c->n == before && before > 0) {
            memmove(c->line, c->line + 1, (size_t)(c->n - 1) * sizeof c->line[0]);
            c->n--;
        }
        if (before == 0)
            break;
        if (!add_line(p, c, at, base, bits))
            break;
        at += c->line[c->n - 1].insn.len;
    }
    c->here = c->n;
    for (at = pc; c->n < want && c->n < MAX_LINES; at += c->line[c->n - 1].insn.len)
        if (!add_line(p, c, at, base, bits))
            break;
}

/* The enabled breakpoint on the instruction at this linear address; NULL: there is none. */
static const struct link_break *break_on(struct tui *t, uint64_t at)
{
    size_t n;
    const struct link_break *b = live_breaks(t, &n);
    for (size_t i = 0; i < n; i++)
        if (b[i].kind == BREAK_CODE && b[i].at == at && b[i].enabled)
            return &b[i];
    return NULL;
}

/* A line: sign of RIP, sign of a breakpoint, address, bytes (if there is room),
 * instruction.  here: it is the line of the cursor. */
static void draw_insn(struct tui *t, const struct area *a, int y, const struct code_segment *cs,
                      const struct line *l, bool here, bool is_rip)
{
    char bytes[40] = "", name[100], place[PLACE_MAX];
    enum role role = here ? ROLE_CURSOR : ROLE_TEXT;
    if (here)
        draw_rest(a, y, 0, role);
    if (is_rip)
        draw_text(a, y, 0, here ? role : ROLE_GUEST, glyph(GLYPH_MARKER));
    if (t->link && break_on(t, l->rip))
        draw_text(a, y, 1, here ? role : ROLE_BAD, glyph(GLYPH_BREAK));
    uint64_t ip = cs->segmented ? (uint32_t)(l->rip - cs->base) : l->rip;
    int x = draw_format(a, y, 2, here ? role : ROLE_DIM, "%8s  ",
                        place_text(ip, cs, place, sizeof place));
    if (a->w >= 70) {
        for (unsigned i = 0; i < l->insn.len && i < 8; i++)
            snprintf(bytes + 2 * i, sizeof bytes - 2 * i, "%02x", l->bytes[i]);
        x = draw_format(a, y, x, here ? role : ROLE_DIM, "%-17s", bytes);
    }
    x = draw_text(a, y, x, here ? role : l->insn.is_branch ? ROLE_IO : ROLE_TEXT, l->insn.text);
    symbols_format(t->o->symbols, l->rip, name, sizeof name);
    if (here && name[0] && x + 4 < a->w)
        draw_format(a, y, x + 2, role, "<%s>", name);
}

/* Lines of code around pc or the line moved to, each source line above the first
 * instruction that it became. */
static void draw_code(struct pane *p, const struct area *a, uint64_t pc,
                      const struct code_segment *cs, unsigned bits)
{
    struct guest *g = p->state;
    struct code *c = &g->code;
    if (a->h < 1)
        return;
    decode_around(p, c, g->has_at ? g->at : pc, cs, bits, a->h < MAX_LINES ? a->h : MAX_LINES);
    int first = 0, last_source = 0, used = 0;
    /* How many lines of the screen stand above the instruction it is about, source lines
     * counted?  If more than half, leave out the first ones, so that it is in sight. */
    for (int i = 0; i <= c->here && i < c->n; i++) {
        used += 1 + (c->line[i].place.line && c->line[i].place.line != last_source);
        last_source = c->line[i].place.line;
    }
    while (used > a->h / 2 && first < c->here) {
        used -= 1 + (c->line[first].place.line != 0 &&
                     c->line[first].place.line != (first ? c->line[first - 1].place.line : 0));
        first++;
    }
    last_source = 0;
    int y = 0;
    for (int i = first; i < c->n && y < a->h; i++) {
        const struct source_place *s = &c->line[i].place;
        if (s->line && s->line != last_source && y + 1 < a->h) {
            const char *text = guest_file_line(g->file, s), *slash = strrchr(s->file, '/');
            draw_format(a, y++, 2, ROLE_MEM, "%s:%d  %s", slash ? slash + 1 : s->file, s->line,
                        text ? text + strspn(text, " ") : "");
        }
        last_source = s->line;
        draw_insn(p->tui, a, y++, &c->cs, &c->line[i], i == c->here, c->line[i].rip == pc);
    }
}

/* What the stack pointer points to, word by word upwards, with a symbol where a word may be
 * an address of code.  A word is as wide as code is. */
static void draw_stack(struct tui *t, const struct area *a)
{
    const struct cpu_state *s = &t->live.now;
    unsigned bits = state_code_bits(s), size = bits / 8;
    uint64_t sp = state_sp(s);
    draw_format(a, 0, 1, ROLE_DIM, "stack at %" PRIx64, sp);
    for (int i = 0; i + 1 < a->h; i++) {
        uint64_t v = 0;
        char name[100];
        if (link_read_linear(t->link, sp + (unsigned)i * size, &v, size) < 0) {
            draw_text(a, i + 1, 1, ROLE_DIM, "(not mapped)");
            return;
        }
        int x = draw_format(a, i + 1, 1, ROLE_DIM, "+%-3x", (unsigned)i * size);
        x = draw_format(a, i + 1, x, ROLE_TEXT, " %0*" PRIx64, (int)size * 2, v);
        if (symbols_format(t->o->symbols, v, name, sizeof name)[0])
            draw_format(a, i + 1, x, ROLE_DIM, " %s", name);
    }
}

/* Registers above; below them code, and the stack beside it in a pane of 76 columns or
 * more. */
static void draw_live(struct pane *p, const struct area *a)
{
    struct tui *t = p->tui;
    if (live_running(t))
        link_get_state(t->link, &t->live.now);
    const struct cpu_state *s = &t->live.now;
    int y = a->h > 6 ? draw_cpu(t, a) : 0;
    int stack = a->w >= 76 ? 32 : 0;
    struct area code = { a->y + y, a->x, a->h - y, a->w - stack };
    struct area right = { a->y + y, a->x + a->w - stack, a->h - y, stack };
    struct code_segment cs = state_code_segment(s);
    draw_code(p, &code, state_pc(s), &cs, state_code_bits(s));
    if (stack)
        draw_stack(t, &right);
}

/* Registers as recorded instructions left them; "looking" until past_work() is done. */
static int draw_past(const struct guest *g, const struct area *a)
{
    const struct past *r = &g->past;
    char flags[80];
    int n = g->bits == 64 ? 16 : 8, digits = g->bits == 64 ? 16 : 8;
    int width = 9 + digits, columns = (a->w - 1) / width, i;
    int x = draw_text(a, 0, 1, ROLE_DIM, "registers as recorded instructions left them  ");
    draw_text(a, 0, x, ROLE_TEXT, state_flags(r->rflags, flags, sizeof flags));
    columns = columns < 1 ? 1 : columns;
    for (i = 0; i < n; i++) {
        int y = 1 + i / columns, at = 1 + i % columns * width;
        draw_format(a, y, at, ROLE_DIM, "%6s", (g->bits == 64 ? names_64 : names_32)[i]);
        if (r->known >> i & 1)
            draw_format(a, y, at + 7, r->changed >> i & 1 ? ROLE_CHANGED : ROLE_TEXT, "%0*" PRIx64,
                        digits, r->value[i]);
        else
            draw_text(a, y, at + 7, ROLE_DIM, r->done ? "not set" : "looking");
    }
    return 1 + (n + columns - 1) / columns;
}

static void draw_recorded(struct pane *p, const struct area *a)
{
    struct guest *g = p->state;
    const struct tui *t = p->tui;
    int y = g->past.any && g->bits_known ? draw_past(g, a)
          : draw_wrapped(a, 0, ROLE_DIM,
                         "Registers and memory are not recorded (with --trace-insns registers "
                         "are). The code below is the guest's file as loaded, at the RIP of the "
                         "selected event.");
    struct area code = { a->y + y, a->x, a->h - y, a->w };
    struct code_segment cs = trace_code_segment(&t->event);
    if (!g->file)
        draw_wrapped(a, y, ROLE_DIM,
                     "The guest's file is not there or is no ELF: the code is not known.");
    else if (!g->bits_known)
        draw_wrapped(a, y, ROLE_DIM,
                     "The mode of the CPU is not recorded here (no MODE event before this one).");
    else if (t->has_event)
        draw_code(p, &code, trace_linear(&t->event), &cs, g->bits);
}

static void guest_draw(struct pane *p, const struct area *a)
{
    draw_clear(a);
    if (a->h < 1)
        return;
    if (!((struct guest *)p->state)->looked)
        guest_follow(p);
    if (p->tui->link)
        draw_live(p, a);
    else
        draw_recorded(p, a);
}

static void guest_title(struct pane *p, char *buf, size_t n)
{
    const struct tui *t = p->tui;
    if (!t->link)
        snprintf(buf, n, "code at the selected event");
    else if (beside_stands(t))
        snprintf(buf, n, "its exit is being answered");
    else if (live_running(t))
        snprintf(buf, n, "running");
    else
        snprintf(buf, n, "as it is now%s",
                 t->cursor + 1 < tui_n_events(t) ? " (the selected event is earlier)" : "");
}

static bool guest_work(struct pane *p, uint64_t budget_ns)
{
    struct guest *g = p->state;
    return !p->tui->link && past_work(&g->past, p->tui, budget_ns);
}

/*
 * Keys
 */

/* Move the cursor to another instruction, so many lines down.  Its neighbours are found as
 * for drawing. */
static void move_line(struct tui *t, struct pane *p, int by)
{
    struct guest *g = p->state;
    const struct cpu_state *s = &t->live.now;
    struct code_segment cs = state_code_segment(s);
    decode_around(p, &g->code, g->has_at ? g->at : state_pc(s), &cs, state_code_bits(s),
                  NEIGHBOURS);
    int to = g->code.here + by;
    if (to < 0 || to >= g->code.n)
        return;
    g->at = g->code.line[to].rip;
    g->has_at = true;
}

static uint64_t this_line(const struct pane *p)
{
    const struct guest *g = p->state;
    return g->has_at ? g->at : state_pc(&p->tui->live.now);
}

static void toggle_break(struct tui *t, struct pane *p, int arg)
{
    char where[40];
    (void)arg;
    const struct link_break *b = break_on(t, this_line(p));
    if (b) {
        link_break_delete(t->link, b->nr);
        live_breaks_changed(t);
        return;
    }
    snprintf(where, sizeof where, "%#" PRIx64, this_line(p));
    live_break(t, where);
}

static void run_to_line(struct tui *t, struct pane *p, int arg)
{
    char where[40];
    (void)arg;
    snprintf(where, sizeof where, "%#" PRIx64, this_line(p));
    live_until(t, where);
}

static const struct key guest_keys[] = {
    { 'j', KEY_DOWN, NULL, "the line of code below", move_line, 1, LIVE },
    { 'k', KEY_UP, NULL, "the one above", move_line, -1, LIVE },
    { 'b', 0, NULL, "a breakpoint on this line, or none any more", toggle_break, 0, LIVE },
    { 'h', 0, NULL, "run until here: this line", run_to_line, 0, LIVE },
    { 0 }
};

const struct pane_ops pane_guest = {
    .name = "guest", .about = "the guest's CPU: registers, code with source lines, stack",
    .state_bytes = sizeof(struct guest), .keys = guest_keys,
    .open = guest_open, .close = guest_close, .title = guest_title, .draw = guest_draw,
    .follow_selection = guest_follow, .guest_stopped = guest_stopped, .work = guest_work,
};
