/*
 * debugger/console/break.c -- breakpoints and watchpoints: making, listing, changing them.
 *
 * The VMM knows three kinds (vmm/protocol.h): code, data, and events that a filter is true of.
 * Ports, interrupts, MARKs and the like are nothing but filters here, written for the user:
 *
 *     break port 0x3f8      kind in (IO_READ, IO_WRITE, UNCLAIMED) && (port in 0x3f8..0x3f8 || ...
 *     break exit hlt        exit==hlt
 *     break irq 0x20        INJECT && vector==32
 *     break fault 14        DELIVER && vector==14
 *     break mark 3          MARK && n==3
 *     break mode            MODE
 *
 * Whatever does not begin with such a word is an address.  This file keeps no list: the VMM has
 * it, and is asked.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/x86.h"
#include "cpu/regs.h"
#include "debugger/console/private.h"

static command_fn break_port, break_mmio, break_exit, break_irq, break_fault, break_mark,
                  break_mode, break_triple, break_event, break_code;

/* Each kind has a handler which fills in c->making: what to stop at. */
const struct command_row break_rows[] = {
    { "port", NULL, "PORT[..PORT]", "a port is read or written",
      "break port 0x3f8..0x3ff", break_port, true, true, WITH_NOTHING },
    { "mmio", NULL, "GPA[..GPA]", "a device's memory is",
      "break mmio 0xfee00000..0xfee00fff", break_mmio, true, true, WITH_NOTHING },
    { "exit", NULL, "[REASON]", "the monitor is entered, for any reason or this one",
      "break exit hlt", break_exit, true, true, WITH_NOTHING },
    { "irq", NULL, "[VECTOR]", "an interrupt is about to be given to the guest",
      "break irq 0x20", break_irq, true, true, WITH_NOTHING },
    { "fault", NULL, "[VECTOR]", "the guest enters a handler, for any vector or this one",
      "break fault 14", break_fault, true, true, WITH_NOTHING },
    { "mark", NULL, "[N]", "the guest names a phase of its run",
      "break mark 3", break_mark, true, true, WITH_NOTHING },
    { "mode", NULL, NULL, "the CPU changes its operating mode",
      "break mode", break_mode, true, true, WITH_NOTHING },
    { "triple", NULL, NULL, "a triple fault (the guest stops there anyway)",
      "break triple", break_triple, true, true, WITH_NOTHING },
    { "event", NULL, "FILTER", "any event; `vitrine trace --fields` lists what FILTER can name",
      "break event IRQ_LINE && line==4", break_event, true, true, WITH_FIELD },
};
const size_t n_break_rows = NELEM(break_rows);

/* Make the breakpoint one on events that this filter is true of. */
static enum console_result event(struct console *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static enum console_result event(struct console *c, const char *fmt, ...)
{
    va_list ap;
    c->making.kind = BREAK_EVENT;
    va_start(ap, fmt);
    int n = vsnprintf(c->making.event, sizeof c->making.event, fmt, ap);
    va_end(ap);
    return n < 0 || (size_t)n >= sizeof c->making.event
        ? fail(c, "this is too long for a breakpoint") : CONSOLE_OK;
}

/* "A" or "A..B", both included, each an expression.  false after fail(). */
static bool arg_range(struct console *c, const char *args, uint64_t *from, uint64_t *to)
{
    char text[200];
    const char *dots = strstr(args, "..");
    size_t len = dots ? (size_t)(dots - args) : strlen(args);
    if (!*args || len >= sizeof text) {
        fail(c, *args ? "this is too long" : "which one? for example 0x3f8 or 0x3f8..0x3ff");
        return false;
    }
    memcpy(text, args, len);
    text[len] = 0;
    const char *a = text, *b = dots ? dots + 2 : NULL;
    if (!arg_value(c, &a, from) || nothing_more(c, a))
        return false;
    *to = *from;
    return !b || (arg_value(c, &b, to) && !nothing_more(c, b));
}

/* A port that no device answers at is logged as UNCLAIMED, with the port in `address`. */
static enum console_result break_port(struct console *c, const char *args)
{
    uint64_t a, b;
    if (!arg_range(c, args, &a, &b))
        return CONSOLE_ERROR;
    if (a > 0xffff || b > 0xffff || b < a)
        return fail(c, "ports go from 0 to 0xffff");
    return event(c, "kind in (IO_READ, IO_WRITE, UNCLAIMED) && (port in %#" PRIx64 "..%#" PRIx64
                 " || kind==UNCLAIMED && address in %#" PRIx64 "..%#" PRIx64 ")", a, b, a, b);
}

/* What reached a device is MMIO_READ or MMIO_WRITE. The exit before it has the address too,
 * even if no device answers there. */
static enum console_result break_mmio(struct console *c, const char *args)
{
    uint64_t a, b;
    if (!arg_range(c, args, &a, &b))
        return CONSOLE_ERROR;
    return event(c, "kind in (MMIO_READ, MMIO_WRITE) && gpa in %#" PRIx64 "..%#" PRIx64
                 " || exit==mmio && gpa in %#" PRIx64 "..%#" PRIx64, a, b, a, b);
}

static enum console_result break_exit(struct console *c, const char *args)
{
    return *args ? event(c, "exit==%s", args) : event(c, "EXIT");
}

/* A kind of event, and if there is an argument, only with that number in `field`. */
static enum console_result event_numbered(struct console *c, const char *args, const char *kind,
                                          const char *field)
{
    uint64_t n;
    if (!*args)
        return event(c, "%s", kind);
    return arg_value(c, &args, &n) && !nothing_more(c, args)
         ? event(c, "%s && %s==%" PRIu64, kind, field, n) : CONSOLE_ERROR;
}

static enum console_result break_irq(struct console *c, const char *args)
{
    return event_numbered(c, args, "INJECT", "vector");
}

static enum console_result break_fault(struct console *c, const char *args)
{
    return event_numbered(c, args, "DELIVER", "vector");
}

static enum console_result break_mark(struct console *c, const char *args)
{
    return event_numbered(c, args, "MARK", "n");
}

static enum console_result break_mode(struct console *c, const char *args)
{
    return nothing_more(c, args) ? CONSOLE_ERROR : event(c, "MODE");
}

static enum console_result break_triple(struct console *c, const char *args)
{
    return nothing_more(c, args) ? CONSOLE_ERROR : event(c, "exit==TRIPLE_FAULT");
}

static enum console_result break_event(struct console *c, const char *args)
{
    return *args ? event(c, "%s", args) : fail(c, "which event? for example IRQ_LINE && line==4");
}

/* At an address, or without one where the guest stands. */
static enum console_result break_code(struct console *c, const char *args)
{
    c->making.kind = BREAK_CODE;
    c->making.at = state_pc(&c->cpu);
    return !*args || (arg_address(c, &args, &c->making.at) && !nothing_more(c, args))
        ? CONSOLE_OK : CONSOLE_ERROR;
}

/* ---- all that may stand behind the word ---- */

/* Cut " if EXPR" off the end of `text` and return EXPR, or "" if there is none.  It may
 * also stand at the beginning: `break if rax == 0` stops here.  The first " if " counts. */
static const char *cut_condition(char *text)
{
    char *at = text;
    if (!strncmp(text, "if ", 3)) {
        *text = 0;
        return text + 3;
    }
    while ((at = strstr(at, " if ")) != NULL) {
        char *cond = at + 4;
        *at = 0;
        for (char *e = at; e > text && e[-1] == ' '; )
            *--e = 0;
        return cond;
    }
    return "";
}

static const char *watched_text(struct console *c, const struct link_break *b, char *buf, size_t n)
{
    if (!b->physical)
        return address_text(c, b->at, buf, n);
    snprintf(buf, n, "guest-physical %#" PRIx64, b->at);
    return buf;
}

/* What a breakpoint is at, in words, in buf, which is returned.
 *
 *     event EXIT    or    0x100cf3 <main+0x163>    or    a change of 4 bytes at 0x9fb18
 */
static const char *describe(struct console *c, const struct link_break *b, char *buf, size_t n)
{
    char place[200];
    if (b->kind == BREAK_EVENT)
        snprintf(buf, n, "event %s", b->event);
    else if (b->kind == BREAK_CODE)
        snprintf(buf, n, "%s", address_text(c, b->at, place, sizeof place));
    else
        snprintf(buf, n, "%s of %" PRIu64 " byte%s at %s",
                 b->access & BREAK_CHANGE ? "a change"
                 : b->access & BREAK_READ && b->access & BREAK_WRITE ? "an access"
                 : b->access & BREAK_READ ? "a read" : "a write",
                 b->len, b->len == 1 ? "" : "s",
                 watched_text(c, b, place, sizeof place));
    return buf;
}

/* The breakpoint as one object; programs match it with stops by its number. */
static void break_json(struct console *c, const struct link_break *b)
{
    static const char *const kinds[N_BREAK_KINDS] = { "code", "data", "event" };
    fprintf(c->out, "{\"breakpoint\":%u,\"kind\":\"%s\",\"at\":%" PRIu64 ",\"len\":%" PRIu64
            ",\"physical\":%s,\"enabled\":%s,\"temporary\":%s,\"hits\":%" PRIu64
            ",\"ignore\":%" PRIu64 ",\"event\":",
            b->nr, kinds[b->kind], b->at, b->len, b->physical ? "true" : "false",
            b->enabled ? "true" : "false", b->temporary ? "true" : "false", b->hits, b->ignore);
    json_string(c->out, b->event);
    fputs(",\"condition\":", c->out);
    json_string(c->out, b->condition);
    fputs("}\n", c->out);
}

/* Hand c->making to the VMM and tell the user its number. */
static enum console_result add_breakpoint(struct console *c)
{
    char why[300], what[500];
    c->making.enabled = true;
    if (link_break_add(c->o.link, &c->making, why, sizeof why))
        return fail(c, "%s", why);
    if (c->o.json && !c->quiet)
        break_json(c, &c->making);
    else if (!c->quiet)
        fprintf(c->out, "%s %u: %s%s%s\n",
                c->making.kind == BREAK_DATA ? "watchpoint" : "breakpoint", c->making.nr,
                describe(c, &c->making, what, sizeof what),
                c->making.condition[0] ? " if " : "", c->making.condition);
    return CONSOLE_OK;
}

static enum console_result set_condition(struct console *c, const char *text)
{
    if (strlen(text) >= sizeof c->making.condition)
        return fail(c, "the condition is too long");
    strcpy(c->making.condition, text);
    return CONSOLE_OK;
}

/* `break WORD ...`: if the word is a kind of event, its handler is asked.  Here a beginning
 * is not enough, since `po` may be a symbol as well as short for `port`; it is taken as an
 * address. */
static enum console_result make_breakpoint(struct console *c, const char *args, bool temporary)
{
    char text[500];
    bool ambiguous;
    if (strlen(args) >= sizeof text)
        return fail(c, "this is too long for a breakpoint");
    strcpy(text, args);
    c->making = (struct link_break){ .temporary = temporary };
    const char *condition = cut_condition(text);
    size_t len = word_length(text);
    const struct command_row *r = row_find(break_rows, n_break_rows, text, len, &ambiguous);
    if (r && strlen(r->name) != len)
        r = NULL;
    enum console_result result = r ? r->run(c, skip_blanks(text + len)) : break_code(c, text);
    if (result == CONSOLE_OK)
        result = set_condition(c, condition);
    return result == CONSOLE_OK ? add_breakpoint(c) : result;
}

enum console_result cmd_break(struct console *c, const char *args)
{
    return make_breakpoint(c, args, false);
}

enum console_result cmd_tbreak(struct console *c, const char *args)
{
    return make_breakpoint(c, args, true);
}

/* What to watch: a place in memory, with its size (a variable, u16[ADDRESS], *0x1000), or a number,
 * which is the address of 4 bytes unless a size follows.  *args is moved behind it.  false after
 * fail(). */
static bool arg_watched(struct console *c, const char **args)
{
    struct expr_machine m = console_machine(c);
    struct value v;
    char why[300];
    size_t end;
    int err = expr_eval_word_value(*args, &m, &v, &end, why, sizeof why);
    bool place = !err && v.in_memory && type_kind(&v.type) != TYPE_FUNCTION;
    if (!place)
        return arg_value(c, args, &c->making.at);
    uint64_t bytes = value_bytes(c->o.info, &v);
    c->making.at = v.at;
    c->making.physical = v.word.physical;
    c->making.len = bytes ? bytes : 4;
    *args = skip_blanks(*args + end);
    return true;
}

/* `watch WHAT [BYTES] [if EXPR]`. */
static enum console_result make_watchpoint(struct console *c, const char *args, uint32_t access,
                                           bool temporary)
{
    char text[500];
    if (!*args || strlen(args) >= sizeof text)
        return fail(c, *args ? "this is too long for a watchpoint" : "watch which address?");
    strcpy(text, args);
    c->making = (struct link_break){ .kind = BREAK_DATA, .len = 4, .access = access,
                                     .temporary = temporary };
    const char *condition = cut_condition(text), *at = text;
    if (!arg_watched(c, &at) || (*at && !arg_value(c, &at, &c->making.len)) ||
        nothing_more(c, at) || set_condition(c, condition))
        return CONSOLE_ERROR;
    return add_breakpoint(c);
}

/* For `back write`: a watchpoint on writes that is deleted when it is met. */
enum console_result watch_writes(struct console *c, const char *args)
{
    return make_watchpoint(c, args, BREAK_WRITE, true);
}

enum console_result cmd_watch(struct console *c, const char *args)
{
    return make_watchpoint(c, args, BREAK_CHANGE, false);
}

enum console_result cmd_rwatch(struct console *c, const char *args)
{
    return make_watchpoint(c, args, BREAK_READ, false);
}

enum console_result cmd_awatch(struct console *c, const char *args)
{
    return make_watchpoint(c, args, BREAK_READ | BREAK_WRITE, false);
}

/* ---- the list ---- */

/* The VMM has the list; it is fetched one by one, and -ENOENT is its end. */
enum console_result info_breakpoints(struct console *c, const char *args)
{
    struct link_break b;
    char what[500];
    size_t i;
    int err;
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    for (i = 0; (err = link_break_at(c->o.link, i, &b)) == 0; i++) {
        if (c->o.json) {
            break_json(c, &b);
            continue;
        }
        if (!i)
            fprintf(c->out, "%4s %-3s %8s  %s\n", "nr", "on", "hits", "where");
        fprintf(c->out, "%4u %-3s %8" PRIu64 "  %s%s%s%s", b.nr, b.enabled ? "yes" : "no", b.hits,
                describe(c, &b, what, sizeof what), b.condition[0] ? " if " : "", b.condition,
                b.temporary ? " (once)" : "");
        if (b.ignore)
            fprintf(c->out, " (the next %" PRIu64 " pass)", b.ignore);
        fputc('\n', c->out);
    }
    if (err != -ENOENT)
        return fail_link(c, err, "breakpoints");
    if (!i && !c->o.json)
        fputs("there are no breakpoints\n", c->out);
    return CONSOLE_OK;
}

/* The breakpoint with that number: 0, or -ENOENT or another error of the link. */
static int get_break(struct console *c, uint64_t nr, struct link_break *b)
{
    int err;
    for (size_t i = 0; (err = link_break_at(c->o.link, i, b)) == 0; i++)
        if (b->nr == nr)
            return 0;
    return err;
}

/* Say that there is no breakpoint of that number, or why that is not known. */
static enum console_result no_such(struct console *c, int err, uint64_t nr)
{
    return err == -ENOENT
               ? fail(c, "there is no breakpoint %" PRIu64 "; `info breakpoints` lists them", nr)
               : fail_link(c, err, "breakpoints");
}

/* Without numbers, delete the first in the list until there is none. */
enum console_result cmd_delete(struct console *c, const char *args)
{
    struct link_break b;
    uint64_t nr;
    if (!*args) {
        int err;
        while ((err = link_break_at(c->o.link, 0, &b)) == 0 &&
               (err = link_break_delete(c->o.link, b.nr)) == 0)
            ;
        return err == -ENOENT ? CONSOLE_OK : fail_link(c, err, "breakpoints");
    }
    while (*args) {
        if (!arg_value(c, &args, &nr))
            return CONSOLE_ERROR;
        int err = link_break_delete(c->o.link, (unsigned)nr);
        if (err)
            return no_such(c, err, nr);
    }
    return CONSOLE_OK;
}

/* Tell the VMM what has been changed in *b. */
static enum console_result change(struct console *c, const struct link_break *b)
{
    char why[300];
    return link_break_change(c->o.link, b, why, sizeof why) ? fail(c, "%s", why) : CONSOLE_OK;
}

/* Those whose numbers are given, or all. */
static enum console_result set_enabled(struct console *c, const char *args, bool on)
{
    struct link_break b;
    uint64_t nr;
    for (size_t i = 0; !*args && link_break_at(c->o.link, i, &b) == 0; i++) {
        b.enabled = on;
        if (change(c, &b))
            return CONSOLE_ERROR;
    }
    while (*args) {
        if (!arg_value(c, &args, &nr))
            return CONSOLE_ERROR;
        int err = get_break(c, nr, &b);
        if (err)
            return no_such(c, err, nr);
        b.enabled = on;
        if (change(c, &b))
            return CONSOLE_ERROR;
    }
    return CONSOLE_OK;
}

enum console_result cmd_enable(struct console *c, const char *args)
{
    return set_enabled(c, args, true);
}

enum console_result cmd_disable(struct console *c, const char *args)
{
    return set_enabled(c, args, false);
}

/* The rest of the line is the condition, whatever is in it; without one the breakpoint
 * always stops.  The VMM compiles it and refuses one that it does not understand. */
enum console_result cmd_condition(struct console *c, const char *args)
{
    struct link_break b;
    uint64_t nr;
    if (!*args)
        return fail(c, "of which breakpoint? for example `condition 1 rax == 0`");
    if (!arg_value(c, &args, &nr))
        return CONSOLE_ERROR;
    int err = get_break(c, nr, &b);
    if (err)
        return no_such(c, err, nr);
    if (strlen(args) >= sizeof b.condition)
        return fail(c, "the condition is too long");
    strcpy(b.condition, args);
    return change(c, &b);
}

/* Only hits with the condition true are counted. */
enum console_result cmd_ignore(struct console *c, const char *args)
{
    struct link_break b;
    uint64_t nr, n;
    if (!*args)
        return fail(c, "which breakpoint, and how often? for example `ignore 1 10`");
    if (!arg_value(c, &args, &nr) || !arg_value(c, &args, &n) || nothing_more(c, args))
        return CONSOLE_ERROR;
    int err = get_break(c, nr, &b);
    if (err)
        return no_such(c, err, nr);
    b.ignore = n;
    return change(c, &b);
}
