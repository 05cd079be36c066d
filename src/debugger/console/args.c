/*
 * debugger/console/args.c -- the arguments of commands: words, numbers, addresses; and the
 * machine that expressions in them are evaluated over.
 *
 * Each arg_ function takes one argument off the front of *args and leaves *args before the
 * next, so that a command with two arguments calls two of them.
 *
 *     x/8xg rsp            parse_format(), then arg_value()
 *     break kernel.c:120   arg_address()
 *     stepi 1000           arg_count()
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/x86.h"
#include "cpu/regs.h"
#include "debugger/console/private.h"
#include "debugger/symbols/symbols.h"

const char *skip_blanks(const char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    return s;
}

size_t word_length(const char *s)
{
    size_t n = 0;
    while (s[n] && !isspace((unsigned char)s[n]))
        n++;
    return n;
}

/* strncmp() alone would also accept a beginning of `word`. */
bool word_is(const char *s, const char *word)
{
    return word_length(s) == strlen(word) && strncmp(s, word, strlen(word)) == 0;
}

/* How expressions read the guest's memory. */
static int read_memory(void *arg, bool physical, uint64_t at, void *buf, unsigned n)
{
    struct console *c = arg;
    if (!c->o.link)
        return -EFAULT;
    return physical ? link_read_phys(c->o.link, at, buf, n)
                    : link_read_linear(c->o.link, at, buf, n);
}

/* `$` in an expression: the value that print has printed last. */
static bool special_name(void *arg, const char *name, size_t len, uint64_t *value)
{
    struct console *c = arg;
    if (len != 1 || name[0] != '$')
        return false;
    *value = c->last_value;
    return true;
}

/* While the innermost frame is selected the expression code finds it by itself. */
struct expr_machine console_machine(struct console *c)
{
    return (struct expr_machine){ .cpu = c->o.link ? &c->cpu : NULL, .symbols = c->o.symbols,
                                  .info = c->o.info, .orc = c->own_orc,
                                  .frame = c->frame.level ? &c->frame : NULL,
                                  .read = read_memory, .arg = c, .name = special_name };
}

/* expr_eval_word() stops where the expression cannot go on, so arguments need only a blank
 * between them; a comma is allowed too. */
bool arg_value(struct console *c, const char **args, uint64_t *value)
{
    struct expr_machine m = console_machine(c);
    char why[300];
    size_t end;
    if (expr_eval_word(*args, &m, value, &end, why, sizeof why)) {
        fail(c, "%s", why);
        return false;
    }
    *args = skip_blanks(*args + end);
    if (**args == ',')
        *args = skip_blanks(*args + 1);
    return true;
}

/* FILE:LINE, or :LINE in the file of the selected frame.  *is_line says whether the word
 * looks like that at all: it ends with a colon and digits, and what comes before holds no
 * bracket (`u32[ds:8]` is an expression). false without *is_line is no error. */
static bool line_address(struct console *c, const char **args, uint64_t *value, bool *is_line)
{
    struct source_place p = { .line = 0 };
    struct frame f;
    char file[200];
    int actual;
    size_t len = word_length(*args), n = len;
    while (n && isdigit((unsigned char)(*args)[n - 1]))
        n--;
    *is_line = n && n < len && (*args)[n - 1] == ':' && n < sizeof file &&
        strcspn(*args, "[(") >= n;
    if (!*is_line)
        return false;
    snprintf(file, sizeof file, "%.*s", (int)n - 1, *args);
    if (!file[0] && c->o.link && console_frame(c, &f) && place_of(c, frame_lookup_pc(&f), &p))
        snprintf(file, sizeof file, "%s", p.file);
    if (!file[0] || !source_address(debuginfo_source(c->o.info), file,
                                    (int)strtol(*args + n, NULL, 10), value, &actual)) {
        fail(c, "no code is known of %.*s", (int)len, *args);
        return false;
    }
    *args = skip_blanks(*args + len);
    return true;
}

/* All that follows the star is one expression, blanks or not. */
static bool whole_value(struct console *c, const char **args, uint64_t *value)
{
    struct expr_machine m = console_machine(c);
    char why[300];
    size_t at;
    if (expr_eval(*args + 1, &m, value, &at, why, sizeof why)) {
        fail(c, "%s", why);
        return false;
    }
    *args += strlen(*args);
    return true;
}

static bool is_hex_prefix(const char *text)
{
    return text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
}

/* How long a number of a segmented address is at `text`: hexadecimal digits, at least `least` of
 * them or behind 0x; 0: that is none.  *value is what it says. */
static size_t segment_number(const char *text, size_t least, uint64_t *value)
{
    static const char hex[] = "0123456789abcdefABCDEF";
    size_t prefix = is_hex_prefix(text) ? 2 : 0;
    size_t digits = strspn(text + prefix, hex);
    *value = strtoull(text, NULL, 16);
    return digits >= (prefix ? 1 : least) && digits <= 8 ? prefix + digits : 0;
}

/* CS:IP as it is shown, at least four hexadecimal digits each, or with 0x: "07c0:0009",
 * "0x7c0:0x9".  *is_place says whether the word looks like that.  The base of a selector that CS
 * does not hold is known in real and virtual-8086 mode only, where it is 16 times the selector. */
static bool segment_address(struct console *c, const char **args, uint64_t *value, bool *is_place)
{
    uint64_t sel, ip = 0;
    size_t len = word_length(*args), n = segment_number(*args, 4, &sel);
    size_t least = n && is_hex_prefix(*args) ? 1 : 4;
    size_t rest = n && (*args)[n] == ':' ? segment_number(*args + n + 1, least, &ip) : 0;
    *is_place = rest && n + 1 + rest == len && sel <= UINT16_MAX;
    if (!*is_place)
        return false;
    struct code_segment cs = state_code_segment(&c->cpu);
    bool shifts = !(c->cpu.cr0 & CR0_PE) || c->cpu.rflags & FLAG_VM;
    if (sel != cs.sel && !shifts) {
        fail(c, "the base of segment %04x is not known here: CS is %04x", (unsigned)sel, cs.sel);
        return false;
    }
    *value = (uint32_t)((sel == cs.sel ? cs.base : sel << 4) + ip);
    *args = skip_blanks(*args + len);
    return true;
}

/* Try CS:IP and FILE:LINE first, since `main.c:12` is no expression.  A star in front says, as in
 * gdb, that an expression follows whose number is the address: `break *0x100010`,
 * `break *main + 4`. */
bool arg_address(struct console *c, const char **args, uint64_t *value)
{
    bool is_line, is_place;
    if (**args == '*')
        return whole_value(c, args, value);
    if (segment_address(c, args, value, &is_place))
        return true;
    if (is_place)
        return false;
    return line_address(c, args, value, &is_line) || (!is_line && arg_value(c, args, value));
}

bool arg_memory(struct console *c, const char **args, uint64_t *value)
{
    bool is_place;
    return segment_address(c, args, value, &is_place) ||
           (!is_place && arg_value(c, args, value));
}

/* Not a plain number but an expression, so that `stepi rcx` works. */
bool arg_count(struct console *c, const char *args, uint64_t none, uint64_t *n)
{
    *n = none;
    return !*args || (arg_value(c, &args, n) && nothing_more(c, args) == CONSOLE_OK);
}

enum console_result nothing_more(struct console *c, const char *args)
{
    return *args ? fail(c, "nothing more is expected at '%.40s'", args) : CONSOLE_OK;
}

const struct trace_text *console_text(struct console *c)
{
    return store_text(c->o.store);
}

/* Without the name if no symbol covers the address. */
char *address_text(struct console *c, uint64_t at, char *buf, size_t n)
{
    char name[150];
    symbols_format(c->o.symbols, at, name, sizeof name);
    snprintf(buf, n, name[0] ? "%#" PRIx64 " <%s>" : "%#" PRIx64, at, name);
    return buf;
}

char *code_text(struct console *c, uint64_t at, char *buf, size_t n)
{
    struct code_segment cs = state_code_segment(&c->cpu);
    char place[PLACE_MAX], name[200];
    if (!cs.segmented)
        return address_text(c, at, buf, n);
    snprintf(buf, n, "%s (%s)", place_text((uint32_t)(at - cs.base), &cs, place, sizeof place),
             address_text(c, at, name, sizeof name));
    return buf;
}
