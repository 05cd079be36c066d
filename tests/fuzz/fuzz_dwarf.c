/*
 * tests/fuzz/fuzz_dwarf.c -- any bytes as a guest's ELF file with debug information, and what
 * the console does with one: names, types, lines, frames, expressions; and as a
 * kernel's own tables.
 *   run    make fuzz
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "debugger/symbols/expr.h"
#include "debugger/symbols/frame.h"
#include "debugger/symbols/kallsyms.h"
#include "debugger/symbols/line_table.h"
#include "debugger/symbols/symbols.h"

static int read_fake(void *arg, bool physical, uint64_t at, void *buf, unsigned n)
{
    (void)arg, (void)physical;
    memset(buf, 0x10, n);
    return at & 0x80000000 ? -EFAULT : 0;
}

static void try_value(const struct expr_machine *m, const char *text, FILE *out)
{
    char why[200];
    struct value v;
    size_t at;
    if (expr_eval_value(text, m, &v, &at, why, sizeof why))
        return;
    value_print(m, &v, out);
    value_json(m, &v, out);
    type_describe(m->info, &v.type, out);
}

static void try_names(const struct expr_machine *m, FILE *out)
{
    const struct debuginfo_name *name;
    size_t n = debuginfo_names(m->info, &name);
    for (size_t i = 0; i < n && i < 40; i++) {
        Dwarf_Die die;
        struct type t;
        char text[120];
        if (strlen(name[i].name) < 80) {
            snprintf(text, sizeof text, "sym:%s", name[i].name);
            try_value(m, text, out);
        }
        if (debuginfo_die(m->info, name[i].die, &die) && type_from(&die, &t))
            type_describe(m->info, &t, out);
    }
}

static void try_frames(const struct expr_machine *m, FILE *out)
{
    struct frame f, callee;
    struct source_place p;
    uint64_t from, to;
    unsigned n = 0;
    if (!frame_innermost(m, &f))
        return;
    do {
        struct frame_scopes s;
        struct location l;
        struct frame_way way = { 0 };
        Dwarf_Die die;
        frame_open_scopes(m->info, &f, &s);
        for (unsigned i = 0; i < 20 && frame_variable(&s, i, &die); i++)
            if (frame_locate(m, &f, &s, &die, &l, &way) && way.n)
                frame_follow(m, &f, &s, &way, &l);
        if (source_of_address(debuginfo_source(m->info), f.pc, &p))
            fprintf(out, "%s:%d\n", p.file, p.line);
        source_range(debuginfo_source(m->info), f.pc, &from, &to);
        callee = f;
    } while (++n < 10 && frame_caller(m, &callee, &f));
}

static void try_file(const char *path)
{
    static FILE *null;
    char why[200];
    struct cpu_state cpu = { .rip = 0x100010, .gpr = { [RSP] = 0x9000 } };
    struct expr_machine m = { .cpu = &cpu, .read = read_fake };
    if (!null)
        null = fopen("/dev/null", "w");
    m.symbols = symbols_open(path, why, sizeof why);
    symbols_line(m.symbols, 0x100010, why, sizeof why);
    m.info = debuginfo_open(path);
    if (m.info) {
        const struct debuginfo_name *name;
        uint64_t at;
        int line;
        try_names(&m, null);
        if (source_address(debuginfo_source(m.info), "", 1, &at, &line))
            cpu.rip = at;
        try_frames(&m, null);
        debuginfo_names(m.info, &name);
    }
    debuginfo_close(m.info);
    symbols_close((struct symbols *)(uintptr_t)m.symbols);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64], why[200];
    int fd = memfd_create("fuzz", 0);
    if (fd < 0)
        return 0;
    if (write(fd, data, size) == (ssize_t)size) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        try_file(path);
    }
    close(fd);
    symbols_close(kallsyms_find(data, size, why, sizeof why));
    return 0;
}
