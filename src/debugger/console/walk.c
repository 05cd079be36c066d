/*
 * debugger/console/walk.c -- the way of an address: walk, references.
 *
 * A guest's linear address goes through the guest's own tables to a guest-physical one, and from
 * there through the nested tables to the host; or by a shadow table at once.  Only looking: no A
 * or D bit is set, nothing is filled in.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/x86.h"
#include "cpu/regs.h"
#include "debugger/console/private.h"

static const char *const level_names[5] = { "", "PT", "PD", "PDPT", "PML4" };

/* The flags of a page-table entry by their names in the manual, in buf, which is returned.
 * [SDM 3A "Paging"] */
static char *entry_bits(uint64_t e, char *buf, size_t n)
{
    static const struct { uint64_t bit; const char *name; } bits[] = {
        { PTE_P, "P" }, { PTE_W, "W" }, { PTE_U, "U" },   { PTE_A, "A" },
        { PTE_D, "D" }, { PTE_PS, "PS" }, { PTE_G, "G" }, { PTE_NX, "NX" },
    };
    size_t used = 0;
    buf[0] = 0;
    for (size_t i = 0; i < NELEM(bits); i++)
        if ((e & bits[i].bit) && used < n)
            used += (size_t)snprintf(buf + used, n - used, "%s%s", used ? " " : "", bits[i].name);
    return buf;
}

/* The low three bits of an EPT entry are the rights to read, write and execute.  [SDM 3C
 * "The Extended Page Table Mechanism (EPT)"] */
static char *ept_bits(unsigned perm, char buf[4])
{
    buf[0] = perm & 1 ? 'r' : '-';
    buf[1] = perm & 2 ? 'w' : '-';
    buf[2] = perm & 4 ? 'x' : '-';
    buf[3] = 0;
    return buf;
}

/* The second half of the way: from guest-physical to the host's address by nested tables,
 * or at once from linear to host by the shadow.
 *
 *       nested PML4  entry 0x0000000000002107 [rwx]
 *       nested PDPT  entry 0x0000000000003107 [rwx]
 *       nested PD    entry 0x0000000000004107 [rwx]
 *       nested PT    entry 0x0000010000100137 [rwx]
 *     hva  0x7fd38f44bcf3 in the monitor (page of 4096 bytes, rwx)
 */
static void show_second(struct console *c, const struct link_second *s, gla_t gla, gpa_t gpa)
{
    char bits[80], rwx[4];
    const char *table = s->is_shadow ? "shadow" : "nested";
    for (unsigned i = 0; i < s->depth; i++)
        fprintf(c->out, "  %s %-5s entry 0x%016" PRIx64 " [%s]\n", table,
                level_names[s->step[i].level <= 4 ? s->step[i].level : 0], s->step[i].entry,
                s->is_shadow ? entry_bits(s->step[i].entry, bits, sizeof bits)
                             : ept_bits((unsigned)s->step[i].entry & 7, rwx));
    if (s->ok)
        fprintf(c->out, "hva  %#" PRIx64 " in the monitor (page of %" PRIu64 " bytes, %s)\n",
                s->hva, s->page_size,
                s->is_shadow ? "as the shadow allows" : ept_bits(s->perm, rwx));
    else
        fprintf(c->out, "hva  none: the %s tables do not map %s %#" PRIx64
                " (not touched yet, or a device)\n",
                table, s->is_shadow ? "gla" : "gpa", s->is_shadow ? gla : gpa);
}

/* The whole way as one object; "error" is the error code that the #PF would have. */
static void walk_json(struct console *c, gla_t gla, const struct walk *w,
                      const struct link_second *s, int err)
{
    fprintf(c->out, "{\"gla\":%" PRIu64 ",\"ok\":%s,\"error\":%u,\"steps\":[", gla,
            w->result == WALK_OK ? "true" : "false", w->result == WALK_FAULT ? w->error : 0);
    for (unsigned i = 0; i < w->depth; i++)
        fprintf(c->out, "%s{\"at\":%" PRIu64 ",\"entry\":%" PRIu64 "}", i ? "," : "", w->step[i].at,
                w->step[i].entry);
    fputc(']', c->out);
    if (w->result == WALK_OK)
        fprintf(c->out, ",\"gpa\":%" PRIu64 ",\"page\":%" PRIu64
                ",\"writable\":%s,\"user\":%s,\"executable\":%s",
                w->gpa, w->page_size, w->writable ? "true" : "false", w->user ? "true" : "false",
                w->executable ? "true" : "false");
    if (!err)
        fprintf(c->out, ",\"second\":\"%s\",\"mapped\":%s,\"hva\":%" PRIu64,
                s->is_shadow ? "shadow" : "nested", s->ok ? "true" : "false", s->hva);
    fputs("}\n", c->out);
}

/* A guest-virtual address such as "cs:0x10": segment and offset, which *gla becomes the sum
 * of base and offset for.  Anything else is linear already (*segment is -1). Outside of
 * 64-bit mode linear addresses wrap at 4 GiB. false after fail(). */
static bool parse_gva(struct console *c, const char **args, gla_t *gla, int *segment)
{
    uint64_t off;
    *segment = -1;
    for (unsigned i = 0; i < N_SEGS; i++) {
        size_t n = strlen(seg_names[i]);
        if (!strncasecmp(*args, seg_names[i], n) && (*args)[n] == ':') {
            *segment = (int)i;
            *args += n + 1;
        }
    }
    if (!arg_value(c, args, &off))
        return false;
    *gla = off + (*segment >= 0 ? c->cpu.seg[*segment].base : 0);
    if (state_code_bits(&c->cpu) != 64)
        *gla = (uint32_t)*gla;
    if (*segment >= 0 && !c->o.json)
        fprintf(c->out, "gva  %s:%#" PRIx64 ", base %#" PRIx64 ", limit %#x\n", seg_names[*segment],
                off, c->cpu.seg[*segment].base, c->cpu.seg[*segment].limit);
    return true;
}

/* The first half: segment base, then each entry of the guest's tables, then the page.
 *
 *     gla  0x100cf3 <main+0x163>
 *       guest PML4  at gpa 0x10f000: 0x0000000000110027 [P W U A]
 *       guest PDPT  at gpa 0x110000: 0x0000000000111027 [P W U A]
 *       guest PD    at gpa 0x111000: 0x0000000000125027 [P W U A]
 *       guest PT    at gpa 0x125800: 0x0000000000100025 [P U A]
 *     gpa  0x100cf3 (page of 4096 bytes, read-only, user)
 */
static void show_walk(struct console *c, gla_t gla, const struct walk *w)
{
    char place[200], bits[80];
    struct paging pg = paging_for_debugger(&c->cpu);
    unsigned levels = walk_levels(&pg);
    fprintf(c->out, "gla  %s\n", address_text(c, gla, place, sizeof place));
    for (unsigned i = 0; i < w->depth; i++)
        fprintf(c->out, "  guest %-5s at gpa %#" PRIx64 ": 0x%016" PRIx64 " [%s]\n",
                level_names[levels - i <= 4 ? levels - i : 0], w->step[i].at, w->step[i].entry,
                entry_bits(w->step[i].entry, bits, sizeof bits));
    if (!levels)
        fputs("  paging is off\n", c->out);
    if (w->result == WALK_OK)
        fprintf(c->out, "gpa  %#" PRIx64 " (page of %" PRIu64 " bytes, %s, %s%s)\n", w->gpa,
                w->page_size, w->writable ? "writable" : "read-only",
                w->user ? "user" : "supervisor", w->executable ? "" : ", no execute");
    else
        fprintf(c->out, "gpa  none: a read would fault, #PF error code %#x (%s)\n", w->error,
                w->error & 1 ? "not allowed" : "not present");
}

/* A shadow table is asked by linear address.  Whether there is one the first answer says; a
 * nested table is then asked by the guest-physical address that the guest's own tables
 * gave. */
enum console_result cmd_walk(struct console *c, const char *args)
{
    struct link_second s = { 0 };
    struct walk w;
    gla_t gla;
    int segment;
    if (!*args)
        return fail(c, "walk to which address? for example `walk rip` or `walk ss:esp`");
    if (!parse_gva(c, &args, &gla, &segment) || nothing_more(c, args))
        return CONSOLE_ERROR;
    link_walk(c->o.link, gla, WALK_READ, &w);
    int err = link_second(c->o.link, gla, &s);
    if (!err && !s.is_shadow)
        err = w.result == WALK_OK ? link_second(c->o.link, w.gpa, &s) : -ENOENT;
    if (c->o.json) {
        walk_json(c, gla, &w, &s, err);
        return CONSOLE_OK;
    }
    show_walk(c, gla, &w);
    if (!err)
        show_second(c, &s, gla, w.gpa);
    else if (err == -ENOTSUP)
        fputs("hva  the host's kernel keeps the second level to itself (kvm)\n", c->out);
    else if (err == -ESRCH)
        fputs("hva  the monitor is gone, and its tables with it\n", c->out);
    return CONSOLE_OK;
}

/* ---- all memory references of a walk ---- */

/* The nested entries that lead to gpa, numbered from *count on.  False: the way ends before it. */
static bool refer_nested(struct console *c, gpa_t gpa, unsigned *count)
{
    struct link_second s = { 0 };
    char rwx[4];
    if (link_second(c->o.link, gpa, &s))
        return false;
    for (unsigned i = 0; i < s.depth; i++)
        fprintf(c->out, "%3u    nested %-5s for gpa %#" PRIx64 ": 0x%016" PRIx64 " [%s]\n",
                ++*count, level_names[s.step[i].level <= 4 ? s.step[i].level : 0], gpa,
                s.step[i].entry, ept_bits((unsigned)s.step[i].entry & 7, rwx));
    return s.ok;
}

/* Two tables, one behind the other: to read an entry of the guest's the processor must first find
 * it by the nested ones.  What it does when no cache has anything of the way.
 * [SDM 3C "EPT Translation Mechanism"] */
static void show_references(struct console *c, const struct walk *w)
{
    struct paging pg = paging_for_debugger(&c->cpu);
    unsigned levels = walk_levels(&pg), count = 0;
    bool found = true;
    char bits[80];
    for (unsigned i = 0; i < w->depth && found; i++) {
        found = refer_nested(c, w->step[i].at, &count);
        if (found)
            fprintf(c->out, "%3u  guest %-5s at gpa %#" PRIx64 ": 0x%016" PRIx64 " [%s]\n",
                    ++count, level_names[levels - i <= 4 ? levels - i : 0], w->step[i].at,
                    w->step[i].entry, entry_bits(w->step[i].entry, bits, sizeof bits));
    }
    if (found && w->result == WALK_OK)
        found = refer_nested(c, w->gpa, &count);
    fprintf(c->out, "%u references%s\n", count,
            w->result != WALK_OK ? ", then a page fault"
            : !found ? ", then an EPT violation: not touched yet, or a device" : "");
}

enum console_result cmd_references(struct console *c, const char *args)
{
    struct link_second s = { 0 };
    struct walk w;
    gla_t gla;
    int segment;
    if (!*args)
        return fail(c, "references to which address? for example `references rip`");
    if (!parse_gva(c, &args, &gla, &segment) || nothing_more(c, args))
        return CONSOLE_ERROR;
    int err = link_second(c->o.link, gla, &s);
    if (err || s.is_shadow)
        return fail(c, err == -ESRCH ? "the monitor is gone, and its tables with it"
                       : err ? "the host's kernel keeps the second level to itself (kvm)"
                       : "there is one table only, the shadow: `walk` shows it");
    link_walk(c->o.link, gla, WALK_READ, &w);
    show_references(c, &w);
    return CONSOLE_OK;
}
