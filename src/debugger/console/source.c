/*
 * debugger/console/source.c -- by source line: step, next, list, info line, info source.
 *
 * A step by line does not single-step all instructions of the line, for that would be slow.  The
 * line's code is run in pieces: up to the next call at full speed, then the call itself, into
 * it (step, if the function's lines are known) or over it.  An interrupt that the guest takes
 * on the way is run until its handler returns.
 *
 * Begin reading with step_piece().
 *
 *     for (i = 0; i < f(n); i++)      piece 1: i = 0, what comes before the call
 *                                     piece 2: the call of f
 *                                     piece 3: the comparison, and the jump
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/regs.h"
#include "debugger/console/private.h"
#include "debugger/symbols/disasm.h"
#include "debugger/symbols/symbols.h"

#define MAX_PIECES 100000               /* of one line, before it is said to be too long */

/* ---- stepping ---- */

/* A step that is under way. */
struct line_step {
    bool     into;                      /* step: into functions too; next: over them */
    struct source_place place;          /* of the line to leave */
    uint64_t from, to;                  /* the code of the piece's line: [from, to) */
    uint64_t function, function_end;    /* the function where it began: [.., ..) */
};

/* Note the line and the function where the step begins. */
static void enter_line(struct console *c, struct line_step *s)
{
    uint64_t pc = state_pc(&c->cpu), offset;
    const char *name = symbols_find(c->o.symbols, pc, &offset);
    place_of(c, pc, &s->place);
    s->function = s->function_end = pc;
    if (name)
        symbols_extent(c->o.symbols, name, strlen(name), &s->function, &s->function_end);
}

static bool in_function(const struct line_step *s, uint64_t pc)
{
    return pc >= s->function && pc < s->function_end;
}

/* Disassemble the instruction at a linear address; its length, or 1 if it cannot be read or
 * is none. */
static unsigned decode(struct console *c, uint64_t at, struct insn *i)
{
    uint8_t bytes[15];
    uint64_t avail = link_readable(c->o.link, at, sizeof bytes);
    if (avail && link_read_linear(c->o.link, at, bytes, avail))
        avail = 0;
    disasm(bytes, (unsigned)avail, state_code_bits(&c->cpu), at - c->cpu.seg[SEG_CS].base,
           c->cpu.seg[SEG_CS].base, NULL, i);
    return i->ok && i->len ? i->len : 1;
}

/* The next piece of a line: from pc up to the next call, or the end of the line's code.
 * *first is its first instruction, *end the address behind the piece.  If the first
 * instruction is a call, it is a piece by itself. */
static void next_piece(struct console *c, struct line_step *s, uint64_t pc, struct insn *first,
                       uint64_t *end)
{
    struct insn i;
    if (!source_range(debuginfo_source(c->o.info), pc, &s->from, &s->to))
        s->to = pc + 1;
    *end = pc + decode(c, pc, first);
    while (*end < s->to && !first->is_call) {
        unsigned n = decode(c, *end, &i);
        if (i.is_call)
            break;
        *end += n;
    }
}

/* Did the guest do what it was asked for?  If not, something else has stopped it, or it
 * went wrong, and the step is over. */
static bool stepped(struct console *c, enum console_result result)
{
    return result == CONSOLE_OK && link_state(c->o.link) == LINK_STOPPED &&
           link_stopped(c->o.link)->why == LINK_STEPPED;
}

/* Is the guest in an interrupt's handler?  Then the address to which it will return is on
 * top of the stack, or one word below an error code, and lies in the piece that was
 * running.  [SDM 3A "Exception- or Interrupt-Handler Procedures"] */
static bool was_interrupted(struct console *c, uint64_t from, uint64_t to)
{
    unsigned bytes = state_code_bits(&c->cpu) / 8;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t ip = 0;
        if (link_read_linear(c->o.link, state_sp(&c->cpu) + i * bytes, &ip, bytes) == 0 &&
            ip >= from && ip <= to)
            return true;
    }
    return false;
}

/* Does a line's code begin at pc? */
static bool at_line(struct console *c, uint64_t pc)
{
    uint64_t from, to;
    return source_range(debuginfo_source(c->o.info), pc, &from, &to) && from == pc;
}

/* Has the guest got to another line?  In the same function only the first instruction of a
 * line counts: after a jump into the middle of a line's code, as at the end of a loop, the
 * line was begun before.  In another function (returned to, or stepped into) any place with
 * a known line will do. */
static bool arrived(struct console *c, const struct line_step *s)
{
    struct source_place p;
    uint64_t pc = state_pc(&c->cpu);
    if (!place_of(c, pc, &p))
        return false;
    if (!in_function(s, pc))
        return true;
    return (p.line != s->place.line || strcmp(p.file, s->place.file) != 0) && at_line(c, pc);
}

/* Run one piece; *done says that the step is over.  Straight code runs at full speed, up to
 * the next call.  A call is one LINK_NEXT, or with `into` one LINK_STEP; if the function
 * then has no source lines, run until it returns.  If an interrupt came in between, run
 * until its handler returns. */
static enum console_result step_piece(struct console *c, struct line_step *s, bool *done)
{
    struct insn i;
    struct source_place p;
    uint64_t pc = state_pc(&c->cpu), end;
    next_piece(c, s, pc, &i, &end);
    enum console_result result =
        !i.is_call ? run_range(c, pc, end) : run_quietly(c, s->into ? LINK_STEP : LINK_NEXT, 1);
    *done = true;
    if (!stepped(c, result))
        return result;
    uint64_t now = state_pc(&c->cpu);
    bool called = i.is_call && s->into && now != end;
    if (called && place_of(c, now, &p))
        return CONSOLE_OK;
    if (called || (!in_function(s, now) && was_interrupted(c, pc, end))) {
        result = run_quietly(c, LINK_FINISH, 1);
        if (!stepped(c, result))
            return result;
    }
    *done = arrived(c, s);
    return CONSOLE_OK;
}

/* Pieces until another line is reached.  A loop in one line can have a great many, hence
 * the limit. */
static enum console_result step_line(struct console *c, bool into)
{
    struct line_step s = { .into = into };
    bool done = false;
    enter_line(c, &s);
    if (!s.place.line)
        return fail(c, "no source line is known here; `stepi` steps one instruction, `finish` "
                       "leaves the function");
    for (unsigned n = 0; n < MAX_PIECES && !done; n++) {
        enum console_result result = step_piece(c, &s, &done);
        if (result != CONSOLE_OK || console_held(c))
            return result;
    }
    return done ? CONSOLE_OK : fail(c, "this line takes too long; `finish` leaves the function");
}

/* The same N times; anything but a completed step ends it. */
static enum console_result step_lines(struct console *c, const char *args, bool into)
{
    uint64_t n;
    enum console_result result = CONSOLE_OK;
    if (!arg_count(c, args, 1, &n))
        return CONSOLE_ERROR;
    if (!c->o.wait)
        return fail(c, "stepping by line needs a console that waits; use stepi or nexti");
    do
        result = step_line(c, into);
    while (result == CONSOLE_OK && n-- > 1 && link_state(c->o.link) == LINK_STOPPED &&
           link_stopped(c->o.link)->why == LINK_STEPPED);
    if (result == CONSOLE_OK && !console_held(c))
        tell_where(c);
    return result;
}

enum console_result cmd_step(struct console *c, const char *args)
{
    return step_lines(c, args, true);
}

enum console_result cmd_next(struct console *c, const char *args)
{
    return step_lines(c, args, false);
}

/* ---- text ---- */

static enum console_result no_source(struct console *c)
{
    return fail(c, c->o.info ? "no source line is known here"
                             : "there is no debug information, so no source");
}

/* Ten lines from `first` on, the current one marked; `list` goes on behind them. */
static enum console_result show_lines(struct console *c, const char *file, int first, int current)
{
    struct source *s = debuginfo_source(c->o.info);
    if (first < 1)
        first = 1;
    for (int n = first; n < first + 10; n++) {
        const char *text = source_line(s, file, n);
        if (!text && n == first)
            return fail(c, source_line(s, file, 1)
                               ? "%s has no line %d"
                               : "%s cannot be read (line %d): it is neither there nor, by an "
                                 "end of that path, beside the guest or above it; copy it there",
                        short_path(file), n);
        if (!text)
            break;
        if (c->o.json) {
            fprintf(c->out, "{\"line\":%d,\"text\":", n);
            json_string(c->out, text);
            fputs("}\n", c->out);
        } else {
            fprintf(c->out, "%s%d\t%s\n", n == current ? "=> " : "   ", n, text);
        }
        c->list_line = n + 1;
    }
    if (file != c->list_file)
        snprintf(c->list_file, sizeof c->list_file, "%s", file);
    return CONSOLE_OK;
}

/* `list WHERE` shows lines around it; `list` alone goes on, or begins around the selected
 * frame.  With FILE:LINE the line itself is shown, though the nearest code may be further
 * down. */
enum console_result cmd_list(struct console *c, const char *args)
{
    struct source_place p;
    struct frame f;
    uint64_t at = 0;
    const char *colon = strrchr(args, ':');
    int asked = colon ? atoi(colon + 1) : 0;
    if (*args && (!arg_address(c, &args, &at) || nothing_more(c, args)))
        return CONSOLE_ERROR;
    if (!at && c->list_line)
        return show_lines(c, c->list_file, c->list_line, 0);
    bool here = !at && c->o.link && console_frame(c, &f);
    if (here)
        at = frame_lookup_pc(&f);
    return at && place_of(c, at, &p)
               ? show_lines(c, p.file, (asked > 0 ? asked : p.line) - 4, here ? p.line : 0)
               : no_source(c);
}

/* From a source line to its code, or from an address to its line. */
enum console_result info_line(struct console *c, const char *args)
{
    struct source_place p;
    uint64_t at = c->o.link ? state_pc(&c->cpu) : 0, from, to;
    char place[200];
    if (*args && (!arg_address(c, &args, &at) || nothing_more(c, args)))
        return CONSOLE_ERROR;
    if (!place_of(c, at, &p) || !source_range(debuginfo_source(c->o.info), at, &from, &to))
        return no_source(c);
    if (c->o.json) {
        fputs("{\"file\":", c->out);
        json_string(c->out, short_path(p.file));
        fprintf(c->out, ",\"line\":%d,\"from\":%" PRIu64 ",\"to\":%" PRIu64 "}\n", p.line, from,
                to);
        return CONSOLE_OK;
    }
    fprintf(c->out, "%s:%d is at %s", short_path(p.file), p.line,
            address_text(c, from, place, sizeof place));
    fprintf(c->out, " up to %s\n", address_text(c, to, place, sizeof place));
    return CONSOLE_OK;
}

/* The path as the compiler wrote it down: this is where the file is looked for. */
enum console_result info_source(struct console *c, const char *args)
{
    struct source_place p;
    struct frame f;
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    if (!c->o.link || !console_frame(c, &f) || !place_of(c, frame_lookup_pc(&f), &p))
        return no_source(c);
    fprintf(c->out, "%s, line %d%s\n", p.file, p.line,
            source_line(debuginfo_source(c->o.info), p.file, 1) ? "" : " (it cannot be read here)");
    return CONSOLE_OK;
}
