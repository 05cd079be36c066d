/*
 * debugger/console/memory.c -- `info mmu` and `info mem`: the linear address space (linear_map.h),
 * once by where it leads, once by what may be done there.
 *
 * A guest can make it longer than anybody's life: both end after MAX_LINES or MAX_LOOKS, with a
 * word about where to go on, and when the user has had enough.
 */
#include <inttypes.h>
#include <string.h>

#include "base/x86.h"
#include "debugger/console/private.h"
#include "debugger/link/linear_map.h"
#include "mem/nested.h"

#define MAX_LINES 200
#define MAX_LOOKS 2000000               /* pieces                                */
#define MAX_ASKS  20000                 /* of the VMM, about its own table       */

/* Alike pieces, one behind the other. */
struct run {
    struct linear_piece first;
    gla_t    last;
    uint64_t mapped, writable;          /* pages in the monitor's table          */
};

struct survey {
    struct console *c;
    bool  (*joins)(const struct run *r, const struct linear_piece *p);
    void  (*show)(struct survey *v, const struct run *r);
    struct run run;
    unsigned lines, asks;
    bool   second, is_shadow, asked_out;    /* has the monitor a table to be asked about? */
};

/* ---- the monitor's table ---- */

static void probe_second(struct survey *v)
{
    struct link_second s;
    v->second = link_state(v->c->o.link) != LINK_RUNNING && link_second(v->c->o.link, 0, &s) == 0;
    v->is_shadow = v->second && s.is_shadow;
}

/* What this entry, or its absence, answers for. */
static uint64_t reach(const struct link_second *s)
{
    unsigned level = s->depth ? s->step[s->depth - 1].level : 4;
    if (s->ok && s->page_size)
        return s->page_size;
    return UINT64_C(1) << (12 + 9 * (level >= 1 && level <= 4 ? level - 1 : 0));
}

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

static void show_rights(struct console *c, const struct linear_piece *p)
{
    fprintf(c->out, " %s%s%s", p->user ? "u" : "-", p->writable ? "rw" : "r-",
            p->executable ? "x" : "-");
}

/* ---- info mmu: where it leads ---- */

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

static bool may_do_so_too(const struct run *r, const struct linear_piece *p)
{
    return linear_alike(&r->first, p);
}

static void show_size(FILE *out, uint64_t bytes)
{
    static const char units[] = "KMGT";
    unsigned u = 0;
    for (bytes >>= 10; u < 3 && bytes && bytes % 1024 == 0; u++)
        bytes >>= 10;
    fprintf(out, " %5" PRIu64 "%c", bytes, units[u]);
}

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
