/*
 * debugger/console/info.c -- `info WHAT` for the tables of the CPU (GDT, TSS), the parts of the
 * PC, the screen, symbols and the monitor's process.
 *
 * All of it is read by peek: a guest cannot notice.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/x86.h"
#include "cpu/regs.h"
#include "debugger/console/private.h"
#include "debugger/symbols/symbols.h"
#include "io/vga.h"

#define MAX_VALUES 4096

/* ---- descriptors ---- */

/* Long mode: descriptors of the system (TSS, LDT, gates) have 16 bytes then, and the TSS
 * another layout. */
static bool is_long(const struct console *c)
{
    return c->cpu.efer & EFER_LMA;
}

/* One descriptor.  Base and limit are scattered over its 8 bytes; bit 55 (G) counts the
 * limit in pages, bit 44 (S) tells code and data from the system's.  In long mode the base
 * of a system descriptor goes on in the next 8 bytes (`upper`). [SDM 3A "Segment
 * Descriptors", "System Descriptor Types"]
 *
 *      63      56 55 54 53 52 51  48 47 46 45 44 43  40 39           16 15       0
 *     [ base 31-24 G D/B L  .  limit  P  DPL   S  type   base 23-0       limit    ]
 *
 *     0x0008  base 0x00000000 limit 0xffffffff DPL 0 code 64-bit
 */
static void show_descriptor(struct console *c, unsigned sel, uint64_t d, uint64_t upper)
{
    static const char *const system[16] = {
        "?", "16-bit TSS", "LDT", "16-bit TSS, busy",
        "16-bit call gate", "task gate", "16-bit interrupt gate", "16-bit trap gate",
        "?", "TSS", "?", "TSS, busy",
        "call gate", "?", "interrupt gate", "trap gate",
    };
    unsigned type = (unsigned)(d >> 40) & 15, dpl = (unsigned)(d >> 45) & 3;
    uint64_t base = (d >> 16 & 0xffffff) | (d >> 32 & 0xff000000),
             limit = (d & 0xffff) | (d >> 32 & 0xf0000);
    if (d >> 55 & 1)
        limit = limit << 12 | 0xfff;
    bool code_or_data = d >> 44 & 1;
    if (!code_or_data && is_long(c))
        base |= upper << 32;
    fprintf(c->out, "0x%04x  base 0x%08" PRIx64 " limit 0x%08" PRIx64 " DPL %u %s%s%s\n",
            sel, base, limit, dpl, d >> 47 & 1 ? "" : "not present, ",
            !code_or_data ? system[type] : type & 8 ? "code" : "data",
            !code_or_data ? "" : d >> 53 & 1 ? " 64-bit" : d >> 54 & 1 ? " 32-bit" : " 16-bit");
}

/* Selector 0 is the null descriptor, which is never used, so begin at 8. The upper half of
 * a 16-byte descriptor must not be shown as one of its own. */
enum console_result info_gdt(struct console *c, const char *args)
{
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    fprintf(c->out, "GDT at %#" PRIx64 ", limit %#x\n", c->cpu.gdtr.base, c->cpu.gdtr.limit);
    for (unsigned sel = 8; sel + 7 <= c->cpu.gdtr.limit; sel += 8) {
        uint64_t d, upper = 0;
        if (link_read_linear(c->o.link, c->cpu.gdtr.base + sel, &d, 8))
            return fail(c, "the GDT is not in readable memory at %#" PRIx64,
                        c->cpu.gdtr.base + sel);
        bool wide = is_long(c) && d && !(d >> 44 & 1);
        if (wide)
            link_read_linear(c->o.link, c->cpu.gdtr.base + sel + 8, &upper, 8);
        if (d)
            show_descriptor(c, sel, d, upper);
        sel += wide ? 8 : 0;
    }
    return CONSOLE_OK;
}

/* The stack pointers that the CPU loads when an interrupt or a gate raises the privilege
 * level, in long mode also the seven stacks that a gate can ask for (IST). The I/O map is
 * at the offset that the last 2 bytes name.  [SDM 3A "Task-State Segment (TSS)", "Task
 * Management in 64-Bit Mode"]
 *
 *     offset  32 bits     offset  64 bits
 *        4    ESP0           4    RSP0
 *        8    SS0           12    RSP1
 *       12    ESP1, ...     36    IST1, ...
 *      102    I/O map      102    I/O map
 */
enum console_result info_tss(struct console *c, const char *args)
{
    const struct segment *tr = &c->cpu.seg[SEG_TR];
    uint8_t t[104];
    uint64_t sp;
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    if (!(tr->attr & SEG_P) || tr->limit < sizeof t - 1)
        return fail(c, "the task register holds no 32- or 64-bit TSS");
    if (link_read_linear(c->o.link, tr->base, t, sizeof t))
        return fail(c, "the TSS is not in readable memory at %#" PRIx64, tr->base);
    fprintf(c->out, "TSS %#x at %#" PRIx64 ", limit %#x\n", tr->sel, tr->base, tr->limit);
    for (unsigned i = 0; i < 3; i++) {
        sp = 0;
        memcpy(&sp, t + 4 + 8 * i, is_long(c) ? 8 : 4);
        fprintf(c->out, "  ring %u stack %#" PRIx64, i, sp);
        if (!is_long(c))
            fprintf(c->out, ", ss %#x", t[8 + 8 * i] | t[9 + 8 * i] << 8);
        fputc('\n', c->out);
    }
    for (unsigned i = 1; is_long(c) && i < 8; i++) {
        memcpy(&sp, t + 36 + 8 * (i - 1), 8);
        fprintf(c->out, "  IST%u %#" PRIx64 "\n", i, sp);
    }
    fprintf(c->out, "  I/O map at offset %#x\n", t[102] | t[103] << 8);
    return CONSOLE_OK;
}

/* ---- devices ---- */

enum console_result info_devices(struct console *c, const char *args)
{
    struct pc_part part[PC_MAX_PARTS];
    size_t n = link_parts(c->o.link, part, NELEM(part));
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    for (size_t i = 0; i < n; i++)
        fprintf(c->out, "%-10s %s: %s\n", part[i].name, part[i].ops->name, part[i].ops->about);
    return CONSOLE_OK;
}

/* The VMM sends values only; what they are called comes from the device's table of fields. */
enum console_result info_device(struct console *c, const char *name, size_t len, bool *known)
{
    static uint64_t values[MAX_VALUES];
    struct pc_part part;
    size_t room = MAX_VALUES;
    int number = link_part_named(c->o.link, name, len, &part);
    *known = number >= 0;
    if (!*known)
        return CONSOLE_ERROR;
    if (!c->o.link)
        return fail(c, "%s needs a guest, and this is a recorded trace", part.name);
    if (nothing_more(c, skip_blanks(name + len)))
        return CONSOLE_ERROR;
    int err = link_device(c->o.link, (unsigned)number, values, &room);
    if (err)
        return fail_link(c, err, part.name);
    if (!c->o.json) {
        device_show_values(part.ops, values, c->out);
        return CONSOLE_OK;
    }
    fprintf(c->out, "{\"device\":\"%s\"", part.name);
    const uint64_t *v = values;
    for (size_t f = 0; f < part.ops->n_fields; f++) {
        const struct field *d = &part.ops->fields[f];
        fprintf(c->out, ",\"%s\":%s", d->name, d->count > 1 ? "[" : "");
        for (unsigned k = 0; k < d->count; k++)
            fprintf(c->out, "%s%" PRIu64, k ? "," : "", *v++);
        fputs(d->count > 1 ? "]" : "", c->out);
    }
    fputs("}\n", c->out);
    return CONSOLE_OK;
}

/* By peek: reading some ports changes the device, as when a byte is taken out of a receive
 * buffer. */
enum console_result info_port(struct console *c, const char *args)
{
    uint64_t port, size = 1, value;
    if (!*args)
        return fail(c, "which port? for example `info port 0x3fd`");
    if (!arg_value(c, &args, &port) || (*args && !arg_value(c, &args, &size)) ||
        nothing_more(c, args))
        return CONSOLE_ERROR;
    if (port > 0xffff || (size != 1 && size != 2 && size != 4))
        return fail(c, "ports go from 0 to 0xffff, sizes are 1, 2 and 4");
    int err = link_peek_port(c->o.link, (uint16_t)port, (unsigned)size, &value);
    if (err && err != -ENXIO)
        return fail_link(c, err, "port");
    const char *name = pc_port_name((uint16_t)port);
    fprintf(c->out, "port %#" PRIx64 " (%s) would read %#" PRIx64 "%s\n", port,
            name ? name : "nobody's", value, err ? ": nobody answers" : "");
    return CONSOLE_OK;
}

/* ---- the screen ---- */

/* One character of at most 16 bits as UTF-8. [RFC 3629 "UTF-8 definition"] */
static void put_utf8(FILE *out, unsigned ch)
{
    if (ch < 0x80)
        fputc((int)ch, out);
    else if (ch < 0x800)
        fprintf(out, "%c%c", 0xc0 | ch >> 6, 0x80 | (ch & 0x3f));
    else
        fprintf(out, "%c%c%c", 0xe0 | ch >> 12, 0x80 | (ch >> 6 & 0x3f), 0x80 | (ch & 0x3f));
}

/* Code page 437 translated to Unicode; blanks at the ends of lines are left out.
 *
 *     cells[row * columns + column]:   15       8 7         0
 *                                      attribute  character
 */
static enum console_result put_screen(struct console *c, FILE *out)
{
    static uint16_t cells[LINK_CELLS];
    struct vga_text m;
    int err = link_screen(c->o.link, &m, cells);
    if (err)
        return fail_link(c, err, "the screen");
    if (!m.text)
        return fail(c, "the guest has set a graphics mode, which is not drawn");
    for (unsigned row = 0; row < m.rows; row++) {
        unsigned end = m.columns;
        while (end && ((cells[row * m.columns + end - 1] & 0xff) == ' ' ||
                       !(cells[row * m.columns + end - 1] & 0xff)))
            end--;
        for (unsigned i = 0; i < end; i++) {
            unsigned ch = cp437_to_unicode[cells[row * m.columns + i] & 0xff];
            put_utf8(out, ch ? ch : ' ');
        }
        fputc('\n', out);
    }
    return CONSOLE_OK;
}

enum console_result info_screen(struct console *c, const char *args)
{
    return nothing_more(c, args) ? CONSOLE_ERROR : put_screen(c, c->out);
}

/* A write to a full disk may fail only when the file is closed. */
enum console_result cmd_screenshot(struct console *c, const char *args)
{
    if (!*args)
        return put_screen(c, c->out);
    FILE *f = fopen(args, "w");
    if (!f)
        return fail(c, "%s: %s", args, strerror(errno));
    enum console_result result = put_screen(c, f);
    if (fclose(f) && result == CONSOLE_OK)
        return fail(c, "%s: %s", args, strerror(errno));
    return result;
}

/* ---- the rest ---- */

/* All symbols that have PART somewhere in their names, by address, with their sizes. */
enum console_result info_symbols(struct console *c, const char *args)
{
    uint64_t at, end;
    size_t shown = 0;
    const char *name;
    for (size_t i = 0; (name = symbols_at(c->o.symbols, i, &at, &end)) != NULL; i++)
        if (strstr(name, args)) {
            fprintf(c->out, "0x%016" PRIx64 " %6" PRIu64 " %s\n", at, end - at, name);
            shown++;
        }
    if (shown)
        return CONSOLE_OK;
    return symbols_count(c->o.symbols) ? fail(c, "no symbol has '%s' in its name", args)
                                       : fail(c, "the guest's file has no symbols");
}

/* Where the guest stands and why, then the counts.  An event that is about to be injected
 * is told too: the guest's next instruction will be that of a handler. */
enum console_result info_status(struct console *c, const char *args)
{
    struct link_status s;
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    tell_where(c);
    if (c->o.json)
        return CONSOLE_OK;
    link_get_status(c->o.link, &s);
    fprintf(c->out, "%" PRIu64 " instructions, %" PRIu64 " exits, %" PRIu64 " interrupts, %" PRIu64
            ".%06" PRIu64 " ms of virtual time%s; %s\n", s.icount, s.n_exits, s.n_irqs,
            s.vtime_ns / 1000000, s.vtime_ns % 1000000, s.halted ? ", halted" : "",
            state_mode(&c->cpu));
    if (s.injected.type != EVENT_NONE)
        fprintf(c->out, "vector %#x will be delivered first\n", s.injected.vector);
    return CONSOLE_OK;
}

/* Linux tells in /proc/PID/status whether the process is confined (NoNewPrivs, Seccomp) and
 * how much memory it takes.  [proc(5)] */
enum console_result info_monitor(struct console *c, const char *args)
{
    char path[64], line[200], words[4096];
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    fprintf(c->out, "process %d, %s\n", (int)link_pid(c->o.link),
            link_state_names[link_state(c->o.link)]);
    snprintf(path, sizeof path, "/proc/%d/status", (int)link_pid(c->o.link));
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, "NoNewPrivs:", 11) || !strncmp(line, "Seccomp:", 8) ||
            !strncmp(line, "VmRSS:", 6))
            fputs(line, c->out);
    if (f)
        fclose(f);
    size_t n = link_take_words(c->o.link, words, sizeof words);
    fwrite(words, 1, n, c->out);
    return CONSOLE_OK;
}
