/*
 * debugger/console/frame.c -- who called whom, and with what: backtrace, frame, up, down, info
 * locals, info args and info frame.
 *
 * One frame is selected: expressions see its variables.  The selection lasts until the guest's
 * stack pointer or instruction pointer changes; then the innermost frame is selected again.
 *
 * How frames are found (call frame information) is symbols/frame.h's business.
 */
#include <dwarf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu/regs.h"
#include "debugger/console/private.h"
#include "debugger/symbols/symbols.h"

#define MAX_FRAMES  200
#define MAX_GUESSES 40
#define STACK_WORDS 1024                /* that are looked through for return addresses */

/* Debug information has absolute paths; what is below the current directory reads better
 * without it. */
const char *short_path(const char *file)
{
    static char here[400];
    if (!here[0] && !getcwd(here, sizeof here))
        strcpy(here, "?");
    size_t n = strlen(here);
    return strncmp(file, here, n) == 0 && file[n] == '/' ? file + n + 1 : file;
}

bool place_of(struct console *c, uint64_t at, struct source_place *p)
{
    uint64_t linked;
    if (source_of_address(debuginfo_source(c->o.info), at, p) && p->line > 0)
        return true;
    /* A kernel that is linked high, before it has switched paging on. */
    return symbols_linked_at(c->o.symbols, at, &linked) &&
           source_of_address(debuginfo_source(c->o.info), linked, p) && p->line > 0;
}

/* The machine without a selected frame: from here frames are found. */
static struct expr_machine machine_now(struct console *c)
{
    struct expr_machine m = console_machine(c);
    m.frame = NULL;
    return m;
}

/* The frame `level` callers out.  Each caller is found from its callee, so walk there from
 * the innermost. */
static bool nth_frame(struct console *c, uint64_t level, struct frame *f)
{
    struct expr_machine m = machine_now(c);
    if (!frame_innermost(&m, f))
        return false;
    while (f->level < level) {
        struct frame callee = *f;
        if (f->level >= MAX_FRAMES || !frame_caller(&m, &callee, f))
            return false;
    }
    return true;
}

bool console_frame(struct console *c, struct frame *f)
{
    struct expr_machine m = console_machine(c);
    if (!m.frame)
        return frame_innermost(&m, f);
    *f = *m.frame;
    return true;
}

bool console_caller(struct console *c, const struct frame *f, struct frame *caller)
{
    struct expr_machine m = machine_now(c);
    return frame_caller(&m, f, caller);
}

/* ---- showing ---- */

/* The variables of a frame that have this DWARF tag (parameters or locals): "a=1, b=2", or
 * a line for each, or members of a JSON object.  How many there were.  In the short form
 * structs and arrays are "...". One whose place is not known at this address was optimized
 * out. */
static unsigned show_variables(struct console *c, const struct frame *f, int tag, bool lines)
{
    struct expr_machine m = machine_now(c);
    struct frame_scopes s;
    Dwarf_Die die;
    unsigned shown = 0;
    m.frame = f;
    frame_open_scopes(c->o.info, f, &s);
    for (unsigned i = 0; frame_variable(&s, i, &die); i++) {
        char why[200], text[150];
        struct value v;
        size_t at;
        const char *name = dwarf_diename(&die);
        if (dwarf_tag(&die) != tag || !name || strlen(name) > 120)
            continue;
        snprintf(text, sizeof text, "sym:%s", name);
        fputs(c->o.json ? shown ? "," : "" : lines || !shown ? "" : ", ", c->out);
        shown++;
        bool ok = expr_eval_value(text, &m, &v, &at, why, sizeof why) == 0;
        if (c->o.json)
            json_string(c->out, name);
        else
            fputs(name, c->out);
        fputs(c->o.json ? ":" : lines ? " = " : "=", c->out);
        bool big =
            !lines && ok && (type_kind(&v.type) == TYPE_STRUCT || type_kind(&v.type) == TYPE_ARRAY);
        if (c->o.json && ok)
            value_json(&m, &v, c->out);
        else if (ok && !big)
            value_print(&m, &v, c->out);
        else
            fputs(c->o.json ? "null" : big ? "..." : "<optimized out>", c->out);
        if (lines && !c->o.json)
            fputc('\n', c->out);
    }
    return shown;
}

static const char *function_name(struct console *c, const struct frame *f, char *buf, size_t n)
{
    uint64_t offset;
    const char *name = symbols_find(c->o.symbols, frame_lookup_pc(f), &offset);
    snprintf(buf, n, "%s", name ? name : "?");
    return buf;
}

/* One frame, as gdb prints it, or as an object.  The line is that of the call, which for a
 * caller lies before the return address (frame_lookup_pc()).
 *
 *     #1  0x102b0b main(argc=1) at kernel.c:77
 *     {"frame":1,"pc":1059595,"function":"main","file":"kernel.c","line":77,"args":{"argc":1}}
 */
static void show_frame(struct console *c, const struct frame *f)
{
    struct source_place p;
    char name[150];
    bool known = place_of(c, frame_lookup_pc(f), &p);
    function_name(c, f, name, sizeof name);
    if (c->o.json) {
        fprintf(c->out, "{\"frame\":%u,\"pc\":%" PRIu64 ",\"function\":", f->level, f->pc);
        json_string(c->out, name);
        if (known) {
            fputs(",\"file\":", c->out);
            json_string(c->out, short_path(p.file));
            fprintf(c->out, ",\"line\":%d", p.line);
        }
        fputs(",\"args\":{", c->out);
        show_variables(c, f, DW_TAG_formal_parameter, false);
        fputs("}}\n", c->out);
        return;
    }
    fprintf(c->out, "#%-2u %#" PRIx64 " %s(", f->level, f->pc, name);
    show_variables(c, f, DW_TAG_formal_parameter, false);
    fputc(')', c->out);
    if (known)
        fprintf(c->out, " at %s:%d", short_path(p.file), p.line);
    fputc('\n', c->out);
}

/* Say why there is no such frame. */
static enum console_result no_frame(struct console *c)
{
    return fail(c, c->o.info || c->own_orc ? "there is no such frame; `backtrace` lists them"
                             : "there is no debug information, so frames are not known");
}

/* Does a CALL instruction end right before this address?  CALL rel32 is E8 and four bytes;
 * CALL r/m is FF /2, with 2 to 7 bytes.  Bytes that only look so are possible, so it is a
 * guess.  [SDM 2A "CALL-Call Procedure"] */
static bool behind_call(struct console *c, uint64_t at)
{
    static const uint8_t indirect[] = { 2, 3, 4, 6, 7 };        /* lengths of CALL r/m */
    uint8_t b[8];
    if (at < 8 || link_read_linear(c->o.link, at - 8, b, 8))
        return false;
    if (b[3] == 0xe8)
        return true;
    for (unsigned i = 0; i < sizeof indirect; i++)
        if (b[8 - indirect[i]] == 0xff && (b[9 - indirect[i]] & 0x38) == 0x10)
            return true;
    return false;
}

/* Where call frame information ends, look through the stack for words that point behind a
 * CALL in some function.  Most are return addresses, some are left over from calls that
 * have returned; so they are marked with `?`.
 *
 *     (no call frame information: from here on what looks like a return address)
 *     ?   0x100a8e <sys_wait+0xe>
 */
static void guess_callers(struct console *c, uint64_t sp, uint64_t left)
{
    unsigned bytes = state_code_bits(&c->cpu) / 8;
    char place[200];
    uint64_t offset, shown = 0;
    for (unsigned i = 0; i < STACK_WORDS && shown < left && shown < MAX_GUESSES; i++) {
        uint64_t word = 0;
        if (link_read_linear(c->o.link, sp + i * bytes, &word, bytes))
            return;
        if (!symbols_find(c->o.symbols, word, &offset) || !offset || !behind_call(c, word))
            continue;
        if (c->o.json) {
            fprintf(c->out, "{\"guess\":true,\"pc\":%" PRIu64 ",\"function\":", word);
            json_string(c->out, symbols_format(c->o.symbols, word, place, sizeof place));
            fputs("}\n", c->out);
        } else {
            if (!shown)
                fputs("(no call frame information: from here on what looks like a return "
                      "address)\n", c->out);
            fprintf(c->out, "?   %s\n", address_text(c, word, place, sizeof place));
        }
        shown++;
    }
}

/* As far as frames are known, then guesses.  DWARF numbers the stack pointer 7 in 64-bit
 * code and 4 in 32-bit code.  [System V ABI, "DWARF Register Number Mapping"] */
enum console_result cmd_backtrace(struct console *c, const char *args)
{
    struct expr_machine m = machine_now(c);
    struct frame f = { .cfa = 0 }, callee;
    uint64_t n, shown = 0, sp = state_sp(&c->cpu);
    char place[200];
    if (!arg_count(c, args, MAX_FRAMES, &n))
        return CONSOLE_ERROR;
    bool known = frame_innermost(&m, &f);
    if (!known && !symbols_count(c->o.symbols))
        return no_frame(c);
    if (!known && !c->o.json)
        fprintf(c->out, "#0  %s\n", address_text(c, state_pc(&c->cpu), place, sizeof place));
    for (; known && shown < n && shown < MAX_FRAMES; shown++) {
        show_frame(c, &f);
        callee = f;
        sp = f.cfa ? f.cfa : f.level ? f.reg[debuginfo_address_bytes(c->o.info) == 8 ? 7 : 4] : sp;
        known = frame_caller(&m, &callee, &f);
    }
    if (!known)
        guess_callers(c, sp, n - shown);
    return CONSOLE_OK;
}

/* ---- selecting ---- */

/* Remember the frame, and the registers by which refresh() (command.c) sees that the guest
 * has moved. */
static enum console_result select_frame(struct console *c, uint64_t level)
{
    struct source_place p;
    struct frame f;
    if (!nth_frame(c, level, &f))
        return no_frame(c);
    c->frame = f;
    c->frame_ip = c->cpu.rip;
    c->frame_sp = c->cpu.gpr[RSP];
    c->list_line = 0;
    show_frame(c, &f);
    const char *text = place_of(c, frame_lookup_pc(&f), &p)
                           ? source_line(debuginfo_source(c->o.info), p.file, p.line)
                           : NULL;
    if (text && !c->o.json)
        fprintf(c->out, "%d\t%s\n", p.line, text);
    return CONSOLE_OK;
}

enum console_result cmd_frame(struct console *c, const char *args)
{
    uint64_t n;
    return arg_count(c, args, c->frame.level, &n) ? select_frame(c, n) : CONSOLE_ERROR;
}

enum console_result cmd_up(struct console *c, const char *args)
{
    uint64_t n;
    return arg_count(c, args, 1, &n) ? select_frame(c, c->frame.level + n) : CONSOLE_ERROR;
}

enum console_result cmd_down(struct console *c, const char *args)
{
    uint64_t n;
    if (!arg_count(c, args, 1, &n))
        return CONSOLE_ERROR;
    return n > c->frame.level ? fail(c, "this is the innermost frame")
                              : select_frame(c, c->frame.level - n);
}

/* ---- info ---- */

/* `info locals` and `info args`. */
static enum console_result variables(struct console *c, const char *args, int tag, const char *what)
{
    struct frame f;
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    if (!console_frame(c, &f))
        return no_frame(c);
    fputs(c->o.json ? "{" : "", c->out);
    unsigned n = show_variables(c, &f, tag, true);
    if (c->o.json)
        fputs("}\n", c->out);
    else if (!n)
        fprintf(c->out, "there are no %s\n", what);
    return CONSOLE_OK;
}

enum console_result info_locals(struct console *c, const char *args)
{
    return variables(c, args, DW_TAG_variable, "local variables");
}

enum console_result info_args(struct console *c, const char *args)
{
    return variables(c, args, DW_TAG_formal_parameter, "parameters");
}

/* Registers have the order of DWARF, which differs between 32 and 64 bits and is neither's
 * encoding in instructions.  Only those that are known in this frame are shown. */
enum console_result info_frame(struct console *c, const char *args)
{
    static const char *const names64[FRAME_REGS] = {
        "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12",
        "r13", "r14", "r15", "rip",
    };
    static const char *const names32[9] = {
        "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip",
    };
    struct frame f;
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    if (!console_frame(c, &f))
        return no_frame(c);
    show_frame(c, &f);
    fprintf(c->out,
            f.cfa ? "the stack before the call was at %#" PRIx64 "\n"
                  : "what the stack was before the call is not known\n",
            f.cfa);
    bool wide = debuginfo_address_bytes(c->o.info) == 8;
    for (unsigned i = 0; i < (wide ? 17 : 9); i++)
        if (f.known & BIT(i))
            fprintf(c->out, "%-4s %#" PRIx64 "\n", wide ? names64[i] : names32[i], f.reg[i]);
    return CONSOLE_OK;
}
