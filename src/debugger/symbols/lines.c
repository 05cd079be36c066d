/*
 * debugger/symbols/lines.c -- one address looked up in the line tables of an ELF file.
 *
 * DWARF keeps a table of lines for each compilation unit: rows of (address, file, line), sorted by
 * address; a row is true up to the address of the next.  They are searched one after the other,
 * which takes milliseconds for a kernel of a course, and is done once, after a crash.
 *
 * libdw must not look for other files: in the sandbox that would be the end of the process.  It
 * does so for split units and for a file shared by several programs (.gnu_debugaltlink).  Units
 * are not entered here, only the line tables are read; and the program is made its own shared file.
 * Opening makes one more call that the sandbox refuses, so it comes before.
 * [DWARF 5 "Line Number Information"]
 */
#include "debugger/symbols/lines.h"

#include <elfutils/libdw.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct lines {
    Elf    *elf;
    Dwarf  *dwarf;
    void   *map;                /* NULL: somebody else's memory */
    size_t  map_bytes;
};

/* Code that ends with a call that never returns has one more row for the address behind the call,
 * which is of no code: the sequence ends there.  Of two rows for one address libdw gives the one
 * that ends first, so then the other one seems to begin anew.  It is the old one if the line is. */
static bool is_left_over(Dwarf_Line *row, Dwarf_Line *before, uint64_t end)
{
    Dwarf_Addr at;
    int line, line_before;

    return before && dwarf_lineaddr(row, &at) == 0 && at == end && dwarf_lineno(row, &line) == 0 &&
           dwarf_lineno(before, &line_before) == 0 && line == line_before;
}

/* The row of this table that addr belongs to; NULL: it has none.  A row that ends a sequence is the
 * first address behind some code, and belongs to nothing. */
static Dwarf_Line *row_of(Dwarf_Lines *lines, size_t n, uint64_t addr)
{
    Dwarf_Line *row = NULL, *next, *ended = NULL;
    Dwarf_Addr at, end = 0;
    bool ends;

    for (size_t i = 0; i < n; i++) {
        next = dwarf_onesrcline(lines, i);
        if (!next || dwarf_lineaddr(next, &at) || dwarf_lineendsequence(next, &ends))
            return NULL;
        if (at > addr)
            return row;
        if (ends) {
            ended = row ? row : ended;
            end = at;
        }
        row = ends || is_left_over(next, ended, end) ? NULL : next;
    }
    return NULL;
}

/* Of a file's name the last two parts: enough to find it, and to tell two "main.c" apart. */
static const char *short_name(const char *file)
{
    const char *name = strrchr(file, '/');

    while (name && name > file && name[-1] != '/')
        name--;
    return name ? name : file;
}

/* "kernel.c:12"; names are a stranger's, and go to a terminal. */
static bool put_row(Dwarf_Line *row, char *buf, size_t n)
{
    const char *file = dwarf_linesrc(row, NULL, NULL);
    int line;

    if (!file || dwarf_lineno(row, &line) || line <= 0)
        return false;
    snprintf(buf, n, "%.100s:%d", short_name(file), line);
    for (char *p = buf; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 127)
            *p = '?';
    return true;
}

static bool search(Dwarf *dwarf, uint64_t addr, char *buf, size_t n)
{
    Dwarf_Off at = 0, next;
    Dwarf_CU *cu = NULL;
    Dwarf_Lines *lines;
    size_t n_lines;

    while (dwarf_next_lines(dwarf, at, &next, &cu, NULL, NULL, &lines, &n_lines) == 0) {
        Dwarf_Line *row = row_of(lines, n_lines, addr);
        if (row)
            return put_row(row, buf, n);
        if (next <= at)
            return false;
        at = next;
    }
    return false;
}

/* Takes over `elf`. */
static struct lines *open_lines(Elf *elf)
{
    struct lines *l = elf ? calloc(1, sizeof *l) : NULL;

    if (!l) {
        elf_end(elf);
        return NULL;
    }
    l->elf = elf;
    l->dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
    if (!l->dwarf) {
        lines_close(l);
        return NULL;
    }
    dwarf_setalt(l->dwarf, l->dwarf);
    return l;
}

struct lines *lines_of_memory(const void *bytes, uint64_t n_bytes)
{
    if (!bytes || !n_bytes || elf_version(EV_CURRENT) == EV_NONE)
        return NULL;
    return open_lines(elf_memory((char *)(uintptr_t)bytes, n_bytes));
}

/* The file is mapped, not read: most sections are never looked at. */
struct lines *lines_of_file(int fd)
{
    struct stat st;
    void *map = fstat(fd, &st) || st.st_size <= 0 ? MAP_FAILED :
                mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    struct lines *l = map == MAP_FAILED ? NULL : lines_of_memory(map, (uint64_t)st.st_size);

    if (l) {
        l->map = map;
        l->map_bytes = (size_t)st.st_size;
    } else if (map != MAP_FAILED) {
        munmap(map, (size_t)st.st_size);
    }
    return l;
}

void lines_close(struct lines *l)
{
    if (!l)
        return;
    if (l->dwarf) {
        dwarf_setalt(l->dwarf, NULL);
        dwarf_end(l->dwarf);
    }
    elf_end(l->elf);
    if (l->map)
        munmap(l->map, l->map_bytes);
    free(l);
}

bool lines_find(struct lines *l, uint64_t addr, char *buf, size_t n)
{
    buf[0] = '\0';
    return l && search(l->dwarf, addr, buf, n);
}
