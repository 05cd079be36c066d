/*
 * debugger/console/look.c -- looking at memory and code: x, xp, disassemble, find.
 *
 * The letters and sizes of x/NFS (N how many, F format, S size):
 *
 *     x hexadecimal   d signed      u unsigned      o octal     t binary
 *     c character     a address     s string        i instruction
 *     b 1 byte        h 2 bytes     w 4 bytes       g 8 bytes
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/x86.h"
#include "cpu/regs.h"
#include "debugger/console/private.h"
#include "debugger/symbols/disasm.h"
#include "debugger/symbols/symbols.h"

/* ---- /FMT ---- */

/* The letters may come in any order, as in gdb: x/8xg and x/8gx are the same. */
bool parse_format(struct console *c, const char **args, struct format *f)
{
    static const char sizes[] = "bhwg";
    const char *at = *args;
    if (*at != '/')
        return true;
    at++;
    if (isdigit((unsigned char)*at)) {
        char *end;
        errno = 0;
        f->count = strtoull(at, &end, 10);
        at = end;
        if (errno || !f->count || f->count > 65536) {
            fail(c, "a count goes from 1 to 65536");
            return false;
        }
    }
    for (; *at && !isspace((unsigned char)*at); at++) {
        const char *size = strchr(sizes, *at);
        if (size)
            f->size = 1u << (size - sizes);
        else if (strchr("xduotcisa", *at))
            f->letter = *at;
        else {
            fail(c, "'%c' is no format; there are x d u o t c i s a, and the sizes b h w g", *at);
            return false;
        }
    }
    *args = skip_blanks(at);
    return true;
}

/* At most `bits` digits, without zeros in front. */
static void put_binary(FILE *out, uint64_t v, unsigned bits)
{
    while (bits > 1 && !(v >> (bits - 1) & 1))
        bits--;
    fputs("0b", out);
    while (bits--)
        fputc('0' + (int)(v >> bits & 1), out);
}

/* The letters are those of gdb's `x` and `print`. [GDB manual "Output Formats"] */
void put_number(struct console *c, uint64_t v, char letter, unsigned size)
{
    char text[200];
    switch (letter) {
    case 'd': fprintf(c->out, "%" PRId64, (int64_t)sign_extend(v, size)); break;
    case 'u': fprintf(c->out, "%" PRIu64, v); break;
    case 'o': fprintf(c->out, "0%" PRIo64, v); break;
    case 't': put_binary(c->out, v, 8 * size); break;
    case 'c':
        fprintf(c->out, isprint((int)(v & 0x7f)) && v < 127 ? "%" PRIu64 " '%c'" : "%" PRIu64,
                v, (int)v);
        break;
    case 'a': fputs(address_text(c, v, text, sizeof text), c->out); break;
    case 'x': fprintf(c->out, "0x%0*" PRIx64, (int)(2 * size), v); break;
    default:  fprintf(c->out, "%#" PRIx64, v); break;
    }
}

/* ---- memory ---- */

static int read_at(struct console *c, bool physical, uint64_t at, void *buf, uint64_t n)
{
    return physical ? link_read_phys(c->o.link, at, buf, n)
                    : link_read_linear(c->o.link, at, buf, n);
}

static void put_ascii(struct console *c, const uint8_t *bytes, unsigned n)
{
    fputs("  ", c->out);
    for (unsigned i = 0; i < n; i++)
        fputc(isprint(bytes[i]) ? bytes[i] : '.', c->out);
}

static enum console_result unreadable(struct console *c, bool physical, uint64_t at)
{
    return fail(c, "there is no memory at %s %#" PRIx64, physical ? "guest-physical" : "linear",
                at);
}

/* 16 bytes on a line, as numbers of f->size bytes; single bytes in hexadecimal also as
 * characters.
 *
 *     0x11cfe0 <stack+0x7fe0>: 0x0009fb18 0x00000000 0x00102b0b 0x00000000
 */
static enum console_result dump(struct console *c, bool physical, uint64_t at,
                                const struct format *f)
{
    char place[200];
    unsigned per_line = 16 / f->size;
    for (uint64_t i = 0; i < f->count; ) {
        uint8_t line[16];
        unsigned n = (unsigned)(f->count - i < per_line ? f->count - i : per_line);
        if (read_at(c, physical, at, line, n * f->size))
            return unreadable(c, physical, at);
        fprintf(c->out, "%s:", physical ? (snprintf(place, sizeof place, "%#" PRIx64, at), place)
                                        : address_text(c, at, place, sizeof place));
        for (unsigned k = 0; k < n; k++) {
            uint64_t v = 0;
            memcpy(&v, line + k * f->size, f->size);
            fputc(' ', c->out);
            put_number(c, v, f->letter, f->size);
        }
        if (f->size == 1 && f->letter == 'x')
            put_ascii(c, line, n);
        fputc('\n', c->out);
        i += n;
        at += n * f->size;
    }
    c->next_x = at;
    return CONSOLE_OK;
}

/* One object.  The array is closed even if memory ends in the middle, so that a program can
 * still read what came before the complaint.
 *
 *     {"address":1051891,"size":1,"values":[15,31]}
 */
static enum console_result dump_json(struct console *c, bool physical, uint64_t at,
                                     const struct format *f)
{
    fprintf(c->out, "{\"address\":%" PRIu64 ",\"size\":%u,\"values\":[", at, f->size);
    for (uint64_t i = 0; i < f->count; i++) {
        uint64_t v = 0;
        if (read_at(c, physical, at + i * f->size, &v, f->size)) {
            fputs("]}\n", c->out);
            return unreadable(c, physical, at + i * f->size);
        }
        fprintf(c->out, "%s%" PRIu64, i ? "," : "", v);
    }
    fputs("]}\n", c->out);
    c->next_x = at + f->count * f->size;
    return CONSOLE_OK;
}

/* `count` strings that end with a 0 byte, escaped as in C. */
static enum console_result dump_strings(struct console *c, bool physical, uint64_t at,
                                        uint64_t count)
{
    char place[200];
    for (; count; count--) {
        unsigned n = 0;
        char ch = 0;
        fprintf(c->out, "%s: \"", address_text(c, at, place, sizeof place));
        for (; n < 1024 && read_at(c, physical, at, &ch, 1) == 0 && ch; n++, at++)
            if (ch == '"' || ch == '\\' || !isprint((unsigned char)ch))
                fprintf(c->out, ch == '\n' ? "\\n"
                        : isprint((unsigned char)ch) ? "\\%c" : "\\x%02x", (unsigned char)ch);
            else
                fputc(ch, c->out);
        fputs("\"\n", c->out);
        at++;
    }
    c->next_x = at;
    return CONSOLE_OK;
}

/* ---- code ---- */

/* One line of disassembly, with an arrow at the instruction that is next.
 *
 *     => 0x100cf3 <main+0x163>                  0f 1f 44 00 00           nop [rax+rax*1], eax
 */
static void put_insn(struct console *c, gla_t at, const struct insn *i, const uint8_t *bytes)
{
    char place[200], hex[40];
    unsigned used = 0;
    for (unsigned k = 0; k < i->len && k < 10; k++)
        used += (unsigned)snprintf(hex + used, sizeof hex - used, "%02x ", bytes[k]);
    if (c->o.json) {
        fprintf(c->out, "{\"address\":%" PRIu64 ",\"len\":%u,\"bytes\":", at, i->len);
        json_string(c->out, hex);
        fputs(",\"text\":", c->out);
        json_string(c->out, i->text);
        fputs("}\n", c->out);
        return;
    }
    fprintf(c->out, "%s %-38s %-24s %s\n", at == state_pc(&c->cpu) ? "=>" : "  ",
            code_text(c, at, place, sizeof place), hex, i->text);
}

/* Instructions have 1 to 15 bytes; as many as can be read are given to the disassembler,
 * since the last page of mapped code may end within 15 bytes.  It wants the offset in the
 * code segment, which has a base outside of 64-bit mode. */
static enum console_result code(struct console *c, gla_t at, uint64_t count)
{
    uint64_t base = state_code_bits(&c->cpu) == 64 ? 0 : c->cpu.seg[SEG_CS].base;
    for (uint64_t k = 0; k < count; k++) {
        struct insn i;
        uint8_t bytes[15];
        uint64_t avail = link_readable(c->o.link, at, sizeof bytes);
        if (!avail || link_read_linear(c->o.link, at, bytes, avail))
            return unreadable(c, false, at);
        disasm(bytes, (unsigned)avail, state_code_bits(&c->cpu), at - base, base, c->o.symbols, &i);
        put_insn(c, at, &i, bytes);
        at += i.len;
    }
    c->next_x = at;
    return CONSOLE_OK;
}

enum console_result cmd_disassemble(struct console *c, const char *args)
{
    uint64_t at = state_pc(&c->cpu), count = 10;
    if ((*args && !arg_memory(c, &args, &at)) || (*args && !arg_value(c, &args, &count)) ||
        nothing_more(c, args))
        return CONSOLE_ERROR;
    return count > 65536 ? fail(c, "that is too much") : code(c, at, count);
}

/* `x/NFS ADDRESS`, where any part may be missing: then go on where the last one ended. */
static enum console_result examine(struct console *c, const char *args, bool physical)
{
    struct format f = { 1, 'x', 4 };
    uint64_t at = c->next_x;
    if (!parse_format(c, &args, &f) || (*args && !arg_memory(c, &args, &at)) ||
        nothing_more(c, args))
        return CONSOLE_ERROR;
    if (f.letter == 'i')
        return physical ? fail(c, "code is read by linear address: x/i") : code(c, at, f.count);
    if (f.letter == 's' && !c->o.json)
        return dump_strings(c, physical, at, f.count);
    if (f.letter == 'c')
        f.size = 1;
    return c->o.json ? dump_json(c, physical, at, &f) : dump(c, physical, at, &f);
}

enum console_result cmd_x(struct console *c, const char *args)  { return examine(c, args, false); }
enum console_result cmd_xp(struct console *c, const char *args) { return examine(c, args, true); }

/* ---- searching ---- */

/* What to search for: "TEXT", or bytes, each an expression.  Its length, 0 after fail(). */
static size_t parse_needle(struct console *c, const char *args, uint8_t *needle, size_t room)
{
    size_t n = 0, len = strlen(args);
    uint64_t v;
    if (len > 2 && args[0] == '"' && args[len - 1] == '"') {
        n = len - 2 < room ? len - 2 : room;
        memcpy(needle, args + 1, n);
        return n;
    }
    while (*args && n < room) {
        if (!arg_value(c, &args, &v))
            return 0;
        if (v > 255) {
            fail(c, "%#" PRIx64 " is not a byte", v);
            return 0;
        }
        needle[n++] = (uint8_t)v;
    }
    if (!n)
        fail(c, "find what? a \"text\" or bytes");
    return n;
}

/* Page by page, since pages may be missing in between.  A match may begin in one page and
 * end in the next, so n - 1 bytes more are read; it counts for the page where it begins. */
enum console_result cmd_find(struct console *c, const char *args)
{
    uint8_t needle[64], page[PAGE_SIZE + sizeof needle];
    uint64_t from, to, found = 0;
    char place[200];
    if (!*args)
        return fail(c, "find FROM TO \"TEXT\", for example find 0x100000 0x200000 \"boot\"");
    if (!arg_value(c, &args, &from) || !*args || !arg_value(c, &args, &to))
        return *args ? CONSOLE_ERROR : fail(c, "find FROM TO \"TEXT\"");
    size_t n = parse_needle(c, args, needle, sizeof needle);
    if (!n)
        return CONSOLE_ERROR;
    if (to < from || to - from > (UINT64_C(1) << 32))
        return fail(c, "the range must go upwards and have at most 4 GiB");
    for (uint64_t at = from; at < to && found < 100; at = (at & PAGE_MASK) + PAGE_SIZE) {
        uint64_t in_page = PAGE_SIZE - (at & ~PAGE_MASK),
                 got = link_readable(c->o.link, at, in_page + n - 1);
        if (got < n || link_read_linear(c->o.link, at, page, got))
            continue;
        for (uint64_t i = 0; i + n <= got && i < in_page && at + i < to && found < 100; i++)
            if (!memcmp(page + i, needle, n)) {
                found++;
                if (c->o.json)
                    fprintf(c->out, "{\"found\":%" PRIu64 "}\n", at + i);
                else
                    fprintf(c->out, "%s\n", address_text(c, at + i, place, sizeof place));
            }
    }
    return found || c->o.json ? CONSOLE_OK : fail(c, "it is not there");
}

/* ---- symbols ---- */

/* The opposite of `print NAME`: from an address to a name. */
enum console_result info_symbol(struct console *c, const char *args)
{
    uint64_t at;
    char name[200];
    if (!*args)
        return fail(c, "the symbol of which address?");
    if (!arg_value(c, &args, &at) || nothing_more(c, args))
        return CONSOLE_ERROR;
    if (!symbols_format(c->o.symbols, at, name, sizeof name)[0])
        return fail(c, "no symbol of the guest covers %#" PRIx64, at);
    fprintf(c->out, "%#" PRIx64 " is %s\n", at, name);
    return CONSOLE_OK;
}
