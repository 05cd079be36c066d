/*
 * debugger/console/symbols.c -- symbol-file: other symbols for the guest than those of the file
 * that it was started from.
 *
 * They come from an ELF file (with its types and lines), from a Linux System.map, or from a
 * Linux kernel's own table (kallsyms) as it lies in the guest's memory.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/console/private.h"
#include "debugger/symbols/guest_file.h"
#include "debugger/symbols/kallsyms.h"
#include "debugger/symbols/orc.h"
#include "debugger/symbols/symbols.h"

#define CHUNK    (UINT64_C(64) << 20)   /* bytes of guest memory searched at a time */
#define OVERLAP  (UINT64_C(16) << 20)   /* ... shared with the next: a table is smaller */

/* Read n bytes of a region, with zeros for what cannot be read. */
static uint64_t read_chunk(struct console *c, gpa_t at, uint8_t *buf, uint64_t n)
{
    uint64_t got = 0;
    for (uint64_t step = 1 << 20; got < n; got += step) {
        step = n - got < step ? n - got : step;
        if (link_read_phys(c->o.link, at + got, buf + got, step))
            memset(buf + got, 0, step);
    }
    return got;
}

/* Search guest-physical memory for the kernel's own symbol table.  Chunks overlap, so that
 * a table which crosses the end of one lies whole in the next. */
static struct symbols *from_memory(struct console *c, char *why, size_t n)
{
    const struct gmem_region *r;
    struct symbols *s = NULL;
    size_t n_regions = c->o.link ? link_regions(c->o.link, &r) : 0;
    uint8_t *buf = malloc(CHUNK);
    snprintf(why, n,
             !buf         ? "there is not enough memory"
             : !n_regions ? "there is no guest's memory to look through"
                          : "there is no memory");
    for (size_t i = 0; buf && i < n_regions && !s; i++)
        for (uint64_t at = 0; at < r[i].size && !s; at += CHUNK - OVERLAP) {
            uint64_t left = r[i].size - at;
            s = kallsyms_find(buf, read_chunk(c, r[i].base + at, buf, left < CHUNK ? left : CHUNK),
                              why, n);
        }
    free(buf);
    return s;
}

static int read_phys(void *arg, uint64_t gpa, void *buf, size_t n)
{
    struct console *c = arg;
    return link_read_phys(c->o.link, gpa, buf, n);
}

/* The kernel's tables for unwinding its stacks (ORC) are in memory too; the symbols found
 * before say where.  `end` is the end of physical memory. */
static struct orc *orc_of_memory(struct console *c, const struct symbols *s)
{
    const struct gmem_region *r;
    uint64_t end = 0;
    for (size_t i = 0, n = link_regions(c->o.link, &r); i < n; i++)
        if (r[i].base + r[i].size > end)
            end = r[i].base + r[i].size;
    return orc_load(s, read_phys, c, end);
}

/* Use these symbols from now on, in place of all that was known.  The trace store must
 * forget the old ones before they are freed.  A selected frame was found by the old ones,
 * so it is selected no more. */
static void use(struct console *c, struct symbols *s, struct debuginfo *info, struct orc *orc)
{
    store_set_symbols(c->o.store, s);
    symbols_close(c->own_symbols);
    debuginfo_close(c->own_info);
    orc_close(c->own_orc);
    c->own_orc = orc;
    c->own_symbols = s;
    c->o.symbols = s;
    c->own_info = info;
    c->o.info = info;
    c->frame.level = 0;
}

#define COMPARED (UINT64_C(1) << 20)    /* bytes of code, at most */

/* Is this code in the guest's memory?  Where memory holds only zeros it has not come there yet
 * (a boot loader will bring it), which is no difference. */
static bool is_other_code(struct console *c, uint64_t physical, const uint8_t *bytes, uint64_t n)
{
    uint8_t page[PAGE_SIZE];
    bool any = false, same = true;
    n = n < COMPARED ? n : COMPARED;
    for (uint64_t at = 0, k; at < n && !(any && !same); at += k) {
        k = n - at < sizeof page ? n - at : sizeof page;
        if (link_read_phys(c->o.link, physical + at, page, k))
            return false;
        for (uint64_t i = 0; i < k; i++)
            any |= page[i] != 0;
        same &= !memcmp(page, bytes + at, k);
    }
    return any && !same;
}

bool console_check_symbols(struct console *c, const char *path, FILE *out)
{
    struct guest_file *g = c->o.link ? guest_file_open(path) : NULL;
    const uint8_t *bytes;
    uint64_t physical, n;
    bool other = false;
    for (size_t i = 0; !other && guest_file_code(g, i, &physical, &bytes, &n); i++)
        other = is_other_code(c, physical, bytes, n);
    if (other && !c->o.json)
        fprintf(out, "%s is of another build than the guest: its code is not what lies at "
                     "guest-physical %#" PRIx64 ", so names and lines may be wrong\n",
                path, physical);
    guest_file_close(g);
    return !other;
}

/* An offset moves the symbols only, so an ELF file's types and lines, which would not be
 * moved with them, are not used then. */
enum console_result cmd_symbol_file(struct console *c, const char *args)
{
    char why[300], path[600];
    uint64_t offset = 0;
    size_t len = word_length(args);
    if (!len || len >= sizeof path)
        return fail(c, "which file? an ELF, System.map, or `kernel` for what a Linux kernel has "
                       "in its memory");
    snprintf(path, sizeof path, "%.*s", (int)len, args);
    args = skip_blanks(args + len);
    if (*args && (!arg_value(c, &args, &offset) || nothing_more(c, args)))
        return CONSOLE_ERROR;
    bool kernel = strcmp(path, "kernel") == 0;
    struct symbols *s = kernel ? from_memory(c, why, sizeof why)
                               : symbols_open(path, why, sizeof why);
    if (!s)
        return fail(c, "%s: %s", path, why);
    struct orc *orc = kernel && !offset ? orc_of_memory(c, s) : NULL;
    symbols_shift(s, offset);
    use(c, s, kernel || offset ? NULL : debuginfo_open(path), orc);
    fprintf(c->out, "%zu symbols\n", symbols_count(s));
    if (!kernel && !offset)
        console_check_symbols(c, path, c->out);
    return CONSOLE_OK;
}

/* gdb cannot read the kernel's own table out of guest memory; with this file it gets the
 * names. */
enum console_result cmd_save_symbols(struct console *c, const char *args)
{
    char why[300], path[600];
    size_t len = word_length(args);
    if (!len || len >= sizeof path)
        return fail(c, "into which file?");
    if (nothing_more(c, skip_blanks(args + len)))
        return CONSOLE_ERROR;
    snprintf(path, sizeof path, "%.*s", (int)len, args);
    if (!symbols_save(c->o.symbols, path, why, sizeof why))
        return fail(c, "%s: %s", path, why);
    fprintf(c->out, "%zu symbols in %s\n", symbols_count(c->o.symbols), path);
    return CONSOLE_OK;
}
