/*
 * debugger/symbols/line_table.c -- lines, source files and functions, by libdwfl; the text of
 * source files by reading them.
 *
 * libdwfl calls a program or library, together with the address it was loaded at, a module.
 * Here there is always one module: this program, or one ELF file.
 *
 * Where a kind of trace event is written is not in the debug information.  It is looked for in
 * the text of every source file, as a call of trace_emit() or vcpu_log_at() with the name
 * TRACE_KIND in it, or of oddity() with the name of an oddity; that is how a person would find
 * them with grep.  Whether the compiler has put functions into one another does not matter.
 *
 * The files may be a guest's: their number and sizes are bounded, and control characters in
 * them become blanks, so that they do nothing to a terminal.
 */
#include "debugger/symbols/line_table.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "debugger/symbols/nearby.h"
#include "io/oddity.h"

/* Bounds for hostile files.  The monitor has some 300 source files. */
#define MAX_FILES  400
#define MAX_PLACES 4            /* of one kind */
#define N_NAMES    (N_TRACE_KINDS + N_ODDITIES)
#define MAX_TEXT   (1u << 20)   /* of one file */

/* A source file: its names from the debug information, and its text once that was asked for. */
struct text {
    char  name[200];            /* as the compiler had it */
    char  path[PATH_MAX];       /* where it should be     */
    char *bytes;                /* lines end in NUL       */
    const char **line;
    int   n_lines;              /* -1: not read yet       */
    Dwarf_Die cu;               /* its compilation unit   */
};

struct source {
    Dwfl       *dwfl;
    Dwfl_Module *module;
    Dwarf_Addr  bias;
    char        program[PATH_MAX];  /* the ELF file; "": this program */

    size_t      n_texts;
    struct text text[MAX_FILES];

    /* Where each kind of event is written, and behind the kinds each oddity, once the texts were
     * scanned for that. */
    bool        scanned;
    unsigned    n_places[N_NAMES];
    struct source_place place[N_NAMES][MAX_PLACES];
};

/* Note the source file of a compilation unit.  Names may be relative to the directory in which
 * the compiler ran (DW_AT_comp_dir). */
static void add_file(struct source *s, Dwarf_Die *cu)
{
    const char *name = dwarf_diename(cu), *dir = "";
    Dwarf_Attribute a;
    if (!name || s->n_texts == MAX_FILES)
        return;
    if (dwarf_attr(cu, DW_AT_comp_dir, &a) && dwarf_formstring(&a))
        dir = dwarf_formstring(&a);
    struct text *t = &s->text[s->n_texts++];
    *t = (struct text){ .n_lines = -1, .cu = *cu };
    snprintf(t->name, sizeof t->name, "%s", name);
    snprintf(t->path, sizeof t->path, "%s%s%s", name[0] == '/' ? "" : dir,
             name[0] == '/' ? "" : "/", name);
}

/* How libdwfl finds files: of the running process by /proc/self/maps, of a file on its own by
 * its name. */
static const Dwfl_Callbacks own_callbacks = { .find_elf = dwfl_linux_proc_find_elf,
                                              .find_debuginfo = dwfl_standard_find_debuginfo };
static const Dwfl_Callbacks file_callbacks = { .section_address = dwfl_offline_section_address,
                                               .find_debuginfo = dwfl_standard_find_debuginfo };

/* Begin a session of libdwfl; the module is reported by the caller, between
 * dwfl_report_begin() here and dwfl_report_end(). */
static struct source *source_new(const Dwfl_Callbacks *callbacks)
{
    struct source *s = calloc(1, sizeof *s);
    if (!s || !(s->dwfl = dwfl_begin(callbacks))) {
        free(s);
        return NULL;
    }
    dwfl_report_begin(s->dwfl);
    return s;
}

/* Note all source files of the module. s is closed if there is no debug information in it. */
static struct source *with_module(struct source *s, Dwfl_Module *module)
{
    s->module = module;
    if (!module || !dwfl_module_getdwarf(module, &s->bias)) {
        source_close(s);
        return NULL;
    }
    for (Dwarf_Die *cu = NULL; (cu = dwfl_module_nextcu(s->module, cu, &s->bias)); )
        add_file(s, cu);
    return s;
}

/* This program may have been loaded anywhere (PIE), so the module is found by the address of
 * one of our functions. */
struct source *source_open(void)
{
    struct source *s = source_new(&own_callbacks);
    if (!s)
        return NULL;
    bool ok = dwfl_linux_proc_report(s->dwfl, getpid()) == 0;
    ok = dwfl_report_end(s->dwfl, NULL, NULL) == 0 && ok;
    return with_module(s, ok ? dwfl_addrmodule(s->dwfl, (Dwarf_Addr)(uintptr_t)source_open) : NULL);
}

struct source *source_open_file(const char *elf)
{
    struct source *s = source_new(&file_callbacks);
    if (!s)
        return NULL;
    snprintf(s->program, sizeof s->program, "%s", elf);
    Dwfl_Module *module = dwfl_report_offline(s->dwfl, elf, elf, -1);
    dwfl_report_end(s->dwfl, NULL, NULL);
    return with_module(s, module);
}

void source_close(struct source *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_texts; i++) {
        free(s->text[i].bytes);
        free(s->text[i].line);
    }
    dwfl_end(s->dwfl);
    free(s);
}

struct Dwfl_Module *source_module(struct source *s)
{
    return s->module;
}

/*
 * Text
 */

/* Cut the text into lines in place: each '\n' becomes the end of a string.  A rest without a
 * '\n' is no line. */
static void split_lines(struct text *t, size_t n)
{
    int lines = 1;
    for (size_t i = 0; i < n; i++)
        lines += t->bytes[i] == '\n';
    t->line = calloc((size_t)lines, sizeof *t->line);
    t->n_lines = 0;
    char *start = t->bytes;
    for (size_t i = 0; t->line && i < n; i++) {
        char c = t->bytes[i];
        if (c == '\n') {
            t->bytes[i] = '\0';
            t->line[t->n_lines++] = start;
            start = t->bytes + i + 1;
        } else if ((unsigned char)c < ' ' || c == 127) {
            t->bytes[i] = ' ';
        }
    }
}

/* Read a file once; the program may have been moved, with its source.  If the file is not there it
 * has no lines, and we do not try again. */
static void read_text(struct text *t, const char *program)
{
    char path[PATH_MAX];
    nearby_file(t->path, program[0] ? program : NULL, path, sizeof path);
    FILE *f = fopen(path, "r");
    t->n_lines = 0;
    if (f && (t->bytes = calloc(1, MAX_TEXT + 1)))
        split_lines(t, fread(t->bytes, 1, MAX_TEXT, f));
    if (f)
        fclose(f);
}

/* The file of this name, read if it was not yet.  Headers are no compilation units of their
 * own and get a row when they are first asked for.  NULL: not known, or there are too many. */
static struct text *text_of(struct source *s, const char *file)
{
    size_t i = 0;
    while (s && i < s->n_texts && strcmp(s->text[i].name, file) && strcmp(s->text[i].path, file))
        i++;
    if (!s || (i == s->n_texts && (i == MAX_FILES || file[0] != '/')))
        return NULL;
    if (i == s->n_texts) {      /* mostly a header */
        s->text[s->n_texts++] = (struct text){ .n_lines = -1 };
        snprintf(s->text[i].name, sizeof s->text[i].name, "%s", file);
        snprintf(s->text[i].path, sizeof s->text[i].path, "%s", file);
    }
    if (s->text[i].n_lines < 0)
        read_text(&s->text[i], s->program);
    return &s->text[i];
}

const char *source_line(struct source *s, const char *file, int n)
{
    const struct text *t = text_of(s, file);
    return t && n >= 1 && n <= t->n_lines ? t->line[n - 1] : NULL;
}

/*
 * Places
 */

/* The line table is a list of (address, file, line, flags), sorted by address; the row with
 * the highest address not above ours is it.  [DWARF 5 "Line Number Information"] */
bool source_of_address(struct source *s, uint64_t addr, struct source_place *p)
{
    int line = 0;
    Dwfl_Line *at = s ? dwfl_module_getsrc(s->module, addr) : NULL;
    const char *file = at ? dwfl_lineinfo(at, NULL, &line, NULL, NULL, NULL) : NULL;
    *p = (struct source_place){ .line = 0 };
    if (!file)
        return false;
    const char *dir = dwfl_line_comp_dir(at);
    bool is_whole = file[0] == '/' || !dir;
    snprintf(p->file, sizeof p->file, "%s%s%s", is_whole ? "" : dir, is_whole ? "" : "/", file);
    p->line = line;
    return true;
}

/* Does the user mean this file?  "kernel.c" and "tiny/kernel.c" both mean
 * "/home/me/guests/tiny/kernel.c", but "ernel.c" does not. */
static bool is_file(const char *is, const char *file)
{
    size_t n = strlen(is), len = strlen(file);
    return !len ||
           (n >= len && strcmp(is + n - len, file) == 0 && (n == len || is[n - len - 1] == '/'));
}

/* What is looked for, and the best row so far: the lowest line not above the one asked for is
 * wanted, and of its rows the one with the lowest address. */
struct line_search { const char *file; int line, best; uint64_t addr; };

/* All rows of a compilation unit.  Only rows that begin a statement count, as a breakpoint
 * should stand in front of the whole line; a row that ends a sequence is behind the last byte
 * of code and belongs to no line. */
static void search_unit(Dwarf_Die *cu, Dwarf_Addr bias, struct line_search *q)
{
    Dwarf_Lines *lines;
    size_t n;
    if (dwarf_getsrclines(cu, &lines, &n))
        return;
    for (size_t i = 0; i < n; i++) {
        Dwarf_Line *l = dwarf_onesrcline(lines, i);
        Dwarf_Addr addr;
        bool stmt = false, end = true;
        int line;
        const char *file = dwarf_linesrc(l, NULL, NULL);
        if (!file || dwarf_lineno(l, &line) || line < q->line || (q->best && line > q->best) ||
            dwarf_linebeginstatement(l, &stmt) || dwarf_lineendsequence(l, &end) || !stmt || end ||
            dwarf_lineaddr(l, &addr) || !is_file(file, q->file))
            continue;
        if (line != q->best || addr + bias < q->addr)
            q->addr = addr + bias;
        q->best = line;
    }
}

bool source_address(struct source *s, const char *file, int line, uint64_t *addr, int *actual)
{
    struct line_search q = { .file = file, .line = line };
    for (Dwarf_Die *cu = NULL; s && (cu = dwfl_module_nextcu(s->module, cu, &s->bias)); )
        search_unit(cu, s->bias, &q);
    *addr = q.addr;
    *actual = q.best;
    return q.best != 0;
}

/* A line may have several rows one behind the other, as for the parts of a `for`.  The range
 * begins with the first row of the line that addr is in, and ends with the first row of
 * another line behind addr. */
bool source_range(struct source *s, uint64_t addr, uint64_t *from, uint64_t *to)
{
    Dwarf_Addr bias, at;
    Dwarf_Lines *lines;
    size_t n;
    int here = 0, line = 0;
    bool found = false;
    Dwarf_Die *cu = s ? dwfl_module_addrdie(s->module, addr, &bias) : NULL;
    if (!cu || dwarf_getsrclines(cu, &lines, &n))
        return false;
    for (size_t i = 0; i < n; i++) {            /* in order of address */
        Dwarf_Line *l = dwarf_onesrcline(lines, i);
        if (dwarf_lineaddr(l, &at) || dwarf_lineno(l, &line))
            return false;
        if (at + bias > addr && (!found || line != here)) {
            *to = at + bias;
            return found;
        }
        if (at + bias <= addr && (!found || line != here)) {
            *from = at + bias;
            here = line;
            found = true;
        }
    }
    return false;
}

bool source_of_function(struct source *s, void (*fn)(void), struct source_place *p)
{
    Dwarf_Addr addr = (Dwarf_Addr)(uintptr_t)fn, bias;
    int line = 0;
    *p = (struct source_place){ .line = 0 };
    if (!s || !fn)
        return false;
    const char *name = dwfl_module_addrname(s->module, addr);
    Dwfl_Line *at = dwfl_module_getsrc(s->module, addr);
    const char *file = at ? dwfl_lineinfo(at, NULL, &line, NULL, NULL, NULL) : NULL;
    Dwarf_Die *cu = dwfl_module_addrdie(s->module, addr, &bias);
    const char *cu_name = cu ? dwarf_diename(cu) : NULL;
    if (!file || !cu_name)
        return false;
    snprintf(p->function, sizeof p->function, "%s", name ? name : "");
    snprintf(p->file, sizeof p->file, "%s", cu_name);
    p->line = line;
    return true;
}

/* The function that a line is in is the one of the same file whose declaration is nearest above
 * it.  (A compilation unit has functions of headers as well, with lines of their own.) */
struct function_search { const char *file; int line, best; const char *name; };

static int note_nearest(Dwarf_Die *fn, void *arg)
{
    struct function_search *q = arg;
    int line = 0;
    const char *file = dwarf_decl_file(fn);
    size_t n = file ? strlen(file) : 0, m = strlen(q->file);
    if (n < m || strcmp(file + n - m, q->file) != 0)
        return DWARF_CB_OK;
    if (dwarf_decl_line(fn, &line) == 0 && line <= q->line && line > q->best) {
        q->best = line;
        q->name = dwarf_diename(fn);
    }
    return DWARF_CB_OK;
}

/* Note that events of this name are written in this line. */
static void add_place(struct source *s, struct text *t, unsigned name, int line)
{
    struct function_search q = { .file = t->name, .line = line };
    if (s->n_places[name] == MAX_PLACES)
        return;
    dwarf_getfuncs(&t->cu, note_nearest, &q, 0);
    struct source_place *p = &s->place[name][s->n_places[name]++];
    snprintf(p->function, sizeof p->function, "%s", q.name ? q.name : "");
    snprintf(p->file, sizeof p->file, "%s", t->name);
    p->line = line;
}

/* Does the name of len characters end there?  TRACE_IO_READ is not TRACE_IO_READY. */
static bool is_name(const char *at, size_t len)
{
    char c = at[len];
    return !(c == '_' || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'));
}

/* The line (from 1) of the call that logs an event, if `name` in line `line` (from 0) is one of
 * its arguments: the call may begin one or two lines above.  0: it is only mentioned there. */
static int line_of_call(const struct text *t, int line, const char *name)
{
    static const char *const calls[] = { "trace_emit(", "vcpu_log_at(", "oddity(" };
    for (int back = 0; back < 3 && back <= line; back++) {
        const char *from = t->line[line - back], *end = back ? from + strlen(from) : name;
        for (size_t i = 0; i < NELEM(calls); i++) {
            const char *at = strstr(from, calls[i]);
            if (at && at < end)
                return line - back + 1;
        }
        if (back && strpbrk(from, ";{}"))       /* the statement began below */
            return 0;
    }
    return 0;
}

static const char *name_at(unsigned i)
{
    return i < N_TRACE_KINDS ? trace_kinds[i].name : oddities[i - N_TRACE_KINDS].name;
}

/* Look for `prefix` and one of the names from..to - 1 in a line (counted from 0). */
static void scan_line(struct source *s, struct text *t, int line, const char *prefix,
                      unsigned from, unsigned to)
{
    size_t n = strlen(prefix);
    for (const char *at = t->line[line]; (at = strstr(at, prefix)); at++) {
        int call = line_of_call(t, line, at);
        for (unsigned k = from; call && k < to; k++) {
            size_t len = strlen(name_at(k));
            if (strncmp(at + n, name_at(k), len) == 0 && is_name(at + n, len))
                add_place(s, t, k, call);
        }
    }
}

/* Of the debugger only the VMM's process writes events. */
static void scan_sources(struct source *s)
{
    s->scanned = true;
    for (size_t i = 0; i < s->n_texts; i++) {
        struct text *t = &s->text[i];
        if ((strstr(t->name, "debugger/") && !strstr(t->name, "debugger/vmm/")) ||
            strstr(t->name, "cmd/") || strstr(t->name, "tests/"))
            continue;
        text_of(s, t->name);
        for (int line = 0; line < t->n_lines; line++) {
            scan_line(s, t, line, "TRACE_", 0, N_TRACE_KINDS);
            scan_line(s, t, line, "ODDITY_", N_TRACE_KINDS, N_NAMES);
        }
    }
}

bool source_of_event(struct source *s, const struct trace_event *e, unsigned i,
                     struct source_place *p)
{
    if (!s || e->kind >= N_TRACE_KINDS)
        return false;
    if (!s->scanned)
        scan_sources(s);
    unsigned name = e->kind;
    if (e->kind == TRACE_ODDITY && e->arg[0] < N_ODDITIES)
        name = N_TRACE_KINDS + (unsigned)e->arg[0];
    if (i >= s->n_places[name])
        return false;
    *p = s->place[name][i];
    return true;
}
