/*
 * debugger/console/memory.c -- `info mmu` and `info mem`: the linear address space (linear_map.h)
 * as a table.  `info mmu` shows where addresses lead, `info mem` what may be done there, and
 * how much of it the monitor's own tables map.
 *
 * A guest can map its memory in so many small pieces that a full table would never end.  So
 * both commands stop after MAX_LINES lines or MAX_LOOKS pieces and say from which address to go
 * on, and they stop when the user interrupts.
 */
#include <inttypes.h>
#include <string.h>

#include "base/x86.h"
#include "debugger/console/private.h"
#include "debugger/link/linear_map.h"
#include "mem/nested.h"

#define MAX_LINES 200
#define MAX_LOOKS 2000000               /* pieces of the linear map              */
#define MAX_ASKS  20000                 /* questions to the VMM about its table  */

/* Neighbouring pieces that are shown as one line. */
struct run {
    struct linear_piece first;
    gla_t    last;
    uint64_t mapped, writable;          /* pages in the monitor's table          */
};

/* A walk along the addresses, for either command: they differ in which pieces belong
 * together (joins) and in what a line says (show). */
struct survey {
    struct console *c;
    bool  (*joins)(const struct run *r, const struct linear_piece *p);
    void  (*show)(struct survey *v, const struct run *r);
    struct run run;
    unsigned lines, asks;
    bool   second;                      /* the monitor's own table can be asked about */
    bool   is_shadow;                   /* it is a shadow table: by linear address */
    bool   asked_out;                   /* MAX_ASKS was reached, or an answer failed */
};

/* ---- the monitor's table ---- */

/* Can the VMM be asked about its own table?  Not while the guest runs, and not on kvm. */
static void probe_second(struct survey *v)
{
    struct link_second s;
    v->second = link_state(v->c->o.link) != LINK_RUNNING && link_second(v->c->o.link, 0, &s) == 0;
    v->is_shadow = v->second && s.is_shadow;
}

/* For how many bytes of address the answer of link_second() holds: those of the page, or of
 * the entry that was missing, whose level says how much it would map. */
static uint64_t reach(const struct link_second *s)
{
    unsigned level = s->depth ? s->step[s->depth - 1].level : 4;
    if (s->ok && s->page_size)
        return s->page_size;
    return UINT64_C(1) << (12 + 9 * (level >= 1 && level <= 4 ? level - 1 : 0));
}

/* Count how many pages of a piece the monitor has mapped, and how many of them writable.
 * One question answers for reach() bytes.  After MAX_ASKS questions give up, for each of
 * them is an exchange with another process. */
static void ask_second(struct survey *v, struct run *r, const struct linear_piece *p)
{
    uint64_t n = p->last - p->from;
    for (uint64_t off = 0, k; v->second && p->behind && off <= n; off += k) {
        struct link_second s;
        uint64_t at = (v->is_shadow ? p->from : p->gpa) + off;
        if (v->asks++ >= MAX_ASKS || link_second(v->c->o.link, at, &s)) {
            v->asked_out = true;
            v->second = false;
            return;
        }
        k = reach(&s) - (at & (reach(&s) - 1));
        uint64_t pages = ((k <= n - off ? k : n - off + 1) + PAGE_SIZE - 1) / PAGE_SIZE;
        bool writable = s.is_shadow ? s.perm & PF_W : s.perm & EPT_W;
        r->mapped += s.ok ? pages : 0;
        r->writable += s.ok && writable ? pages : 0;
    }
}

/* ---- along the addresses ---- */

/* The run is complete: show it, unless enough lines were shown. */
static void end_run(struct survey *v)
{
    if (v->run.first.present && v->lines++ < MAX_LINES)
        v->show(v, &v->run);
    v->run.first.present = false;
}

static bool has_enough(const struct survey *v)
{
    const struct console_options *o = &v->c->o;
    return o->enough && o->enough(o->wait_arg);
}

/* Let the piece join the run, or end the run and begin another with it. */
static void add_piece(struct survey *v, const struct linear_piece *p)
{
    if (!v->run.first.present || !v->joins(&v->run, p)) {
        end_run(v);
        v->run = (struct run){ .first = *p };
    }
    v->run.last = p->last;
    if (p->present)
        ask_second(v, &v->run, p);
}

/* From address `from` to the last, piece by piece.  A piece may begin before `from`: the
 * part before it is cut off.  The user is asked for from time to time, not at each piece,
 * since that may be a system call. */
static enum console_result go_along(struct survey *v, gla_t from)
{
    struct linear_map m;
    struct linear_piece p;
    uint64_t looks = 0;
    linear_map_begin(&m, v->c->o.link);
    gla_t at = from;
    do {
        linear_map_at(&m, at, &p);
        p.gpa += at > p.from ? at - p.from : 0;
        p.from = at;
        add_piece(v, &p);
        bool over = v->lines >= MAX_LINES || looks++ >= MAX_LOOKS;
        if ((looks % 1024 == 0 || v->asks % 64 == 1) && has_enough(v))
            return fail(v->c, "interrupted at %#" PRIx64, p.last);
        if (over && p.last != UINT64_MAX) {
            end_run(v);
            fprintf(v->c->out, "... and on from %#" PRIx64 ", if that is given as address\n",
                    v->lines > MAX_LINES ? v->run.first.from : p.last + 1);
            return CONSOLE_OK;
        }
        at = p.last + 1;
    } while (at);
    end_run(v);
    return CONSOLE_OK;
}

/* The head of either table: the kind of paging, by levels, and the two settings that change
 * what the rights mean; then the lines. */
static enum console_result survey(struct survey *v, const char *args)
{
    static const char *const names[5] = { "off", "", "32-bit, 2 levels", "PAE, 3 levels",
                                          "4 levels" };
    struct console *c = v->c;
    struct paging pg = paging_for_debugger(&c->cpu);
    uint64_t from = 0;
    if (*args && (!arg_value(c, &args, &from) || nothing_more(c, args)))
        return CONSOLE_ERROR;
    fprintf(c->out, "paging: %s, cr3 %#" PRIx64 "%s%s\n", names[walk_levels(&pg)], c->cpu.cr3,
            c->cpu.cr0 & CR0_WP ? ", the supervisor obeys read-only pages (WP)" : "",
            c->cpu.efer & EFER_NXE ? "" : ", nothing is protected from execution (no NXE)");
    return go_along(v, from & PAGE_MASK);
}

static void show_range(struct console *c, const struct run *r)
{
    fprintf(c->out, "0x%016" PRIx64 "-0x%016" PRIx64, r->first.from, r->last);
}

/* As Linux shows them in /proc/PID/maps, with user or supervisor in front: "urwx". */
static void show_rights(struct console *c, const struct linear_piece *p)
{
    fprintf(c->out, " %s%s%s", p->user ? "u" : "-", p->writable ? "rw" : "r-",
            p->executable ? "x" : "-");
}

/* ---- info mmu: where it leads ---- */

/* For `info mmu`: the same rights, and the physical addresses go on where those of the run
 * end.
 *
 *     0x0000000000100000-0x0000000000104fff -> 0x0000100000 ur-x
 */
static bool leads_on(const struct run *r, const struct linear_piece *p)
{
    return p->present && r->first.writable == p->writable && r->first.user == p->user &&
           r->first.executable == p->executable &&
           r->first.gpa + (p->from - r->first.from) == p->gpa;
}

static void show_where(struct survey *v, const struct run *r)
{
    show_range(v->c, r);
    fprintf(v->c->out, " -> 0x%010" PRIx64, r->first.gpa);
    show_rights(v->c, &r->first);
    fputc('\n', v->c->out);
}

enum console_result info_mmu(struct console *c, const char *args)
{
    struct survey v = { .c = c, .joins = leads_on, .show = show_where };
    return survey(&v, args);
}

/* ---- info mem: what may be done ---- */

/* For `info mem`: where in physical memory it lies does not matter. */
static bool may_do_so_too(const struct run *r, const struct linear_piece *p)
{
    return linear_alike(&r->first, p);
}

/* In the largest unit that leaves no remainder. */
static void show_size(FILE *out, uint64_t bytes)
{
    static const char units[] = "KMGT";
    unsigned u = 0;
    for (bytes >>= 10; u < 3 && bytes && bytes % 1024 == 0; u++)
        bytes >>= 10;
    fprintf(out, " %5" PRIu64 "%c", bytes, units[u]);
}

/* One line: the rights that the guest's tables give, what is behind, and how much of it the
 * monitor has mapped.
 *
 *     0x0000000000100000-0x0000000000104fff    20K ur-x  rwx RAM, 4 of 5 pages mapped
 *     0x0000000004000000-0x00000000fffeffff 4128704K -rwx  --- a device's, or nothing
 */
static void show_what(struct survey *v, const struct run *r)
{
    static const char *const behind[] = { [BEHIND_NOTHING] = "--- a device's, or nothing",
                                          [BEHIND_RAM] = "rwx RAM", [BEHIND_ROM] = "r-x ROM" };
    FILE *out = v->c->out;
    uint64_t pages = (r->last - r->first.from) / PAGE_SIZE + 1;
    show_range(v->c, r);
    show_size(out, r->last - r->first.from + 1);
    show_rights(v->c, &r->first);
    fprintf(out, "  %s", behind[r->first.behind]);
    if (v->second && r->first.behind)
        fprintf(out, ", %" PRIu64 " of %" PRIu64 " pages mapped", r->mapped, pages);
    if (v->second && r->first.behind == BEHIND_RAM && r->writable < r->mapped)
        fprintf(out, ", %" PRIu64 " of them read-only", r->mapped - r->writable);
    fputc('\n', out);
}

static void show_physical(struct console *c)
{
    const struct gmem_region *r;
    size_t n = link_regions(c->o.link, &r);
    fputs("guest-physical memory:\n", c->out);
    for (size_t i = 0; i < n; i++)
        fprintf(c->out, "0x%010" PRIx64 "-0x%010" PRIx64 " %s %s\n", r[i].base,
                r[i].base + r[i].size - 1, r[i].kind == GMEM_ROM ? "ROM" : "RAM", r[i].name);
}

/* Behind the table comes the list of the machine's physical memory. */
enum console_result info_mem(struct console *c, const char *args)
{
    struct survey v = { .c = c, .joins = may_do_so_too, .show = show_what };
    probe_second(&v);
    enum console_result result = survey(&v, args);
    if (v.asked_out)
        fputs("(the monitor's table is too long to be asked about every page)\n", c->out);
    if (result == CONSOLE_OK)
        show_physical(c);
    return result;
}
