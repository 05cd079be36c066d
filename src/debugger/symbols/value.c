/*
 * debugger/symbols/value.c -- reading values from memory, and showing them.
 *
 * One walk over a value serves text and JSON: struct show says which.  The first half of the
 * file are numbers (load, fit, store), the second half is the walk, which begins with
 * show_value().
 *
 * How much is shown is bounded, in arrays, in depth and in all: the types come from a file
 * that may be hostile and say that a struct contains itself.
 */
#include "debugger/symbols/value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/symbols/expr.h"
#include "debugger/symbols/symbols.h"

#define MAX_ELEMENTS 200                /* of one array  */
#define MAX_TEXT     200                /* of one string */
#define MAX_LEAVES   4000               /* in all        */
#define MAX_NESTING  8
#define WIDTH        96                 /* a longer struct gets several lines */

/* A showing that is going on. */
struct show {
    const struct expr_machine *m;
    FILE    *out;
    bool     json, lines;               /* lines: each member on its own */
    unsigned depth, left;               /* left: how many values may still be shown */
};

/* ---- numbers ---- */

/* Types whose number is their address, as arrays and functions in C become pointers. */
static bool is_aggregate(enum type_kind k)
{
    return k == TYPE_STRUCT || k == TYPE_ARRAY || k == TYPE_FUNCTION;
}

uint64_t value_fit(const struct debuginfo *d, const struct type *t, uint64_t bits)
{
    uint64_t n = type_kind(t) == TYPE_NONE || (!d && t->stars) ? 8 : type_bytes(d, t);
    if (type_is_bool(t))
        return bits != 0;
    if (!n || n >= 8)
        return bits;
    return type_is_signed(t) ? sign_extend(bits, (unsigned)n) : low_bytes(bits, (unsigned)n);
}

/* A bit field is read with all bytes that it touches, then shifted up to bit 63 and down
 * again, which cuts it out and extends its sign in one go. */
uint64_t value_bytes(const struct debuginfo *d, const struct value *v)
{
    return v->word.bytes ? v->word.bytes : type_bytes(d, &v->type);
}

/* The number of a word without a type. */
static int load_word(const struct expr_machine *m, const struct value *v, uint64_t *bits)
{
    uint64_t read = 0;
    *bits = 0;
    if (!m->read || m->read(m->arg, v->word.physical, v->at, &read, v->word.bytes))
        return -EFAULT;
    *bits = v->word.is_signed ? sign_extend(read, v->word.bytes) : low_bytes(read, v->word.bytes);
    return 0;
}

int value_load(const struct expr_machine *m, const struct value *v, uint64_t *bits)
{
    enum type_kind kind = type_kind(&v->type);
    *bits = v->bits;
    if (!v->in_memory)
        return 0;
    if (v->word.bytes)
        return load_word(m, v, bits);
    *bits = v->at;
    if (is_aggregate(kind))
        return 0;
    uint64_t n = type_bytes(m->info, &v->type);
    *bits = 0;
    if (!n || n > 8)
        return -EINVAL;
    if (v->bit_size)
        n = (v->bit_offset + v->bit_size + 7) / 8;
    if (!m->read || m->read(m->arg, false, v->at, bits, (unsigned)n))
        return -EFAULT;
    if (!v->bit_size) {
        *bits = value_fit(m->info, &v->type, *bits);
        return 0;
    }
    *bits = *bits >> v->bit_offset << (64 - v->bit_size);
    *bits = type_is_signed(&v->type) ? (uint64_t)((int64_t)*bits >> (64 - v->bit_size))
                                     : *bits >> (64 - v->bit_size);
    return 0;
}

int value_store(const struct expr_machine *m, const struct value *v, uint64_t bits,
                uint8_t bytes[8], unsigned *n)
{
    uint64_t size = value_bytes(m->info, v), old = 0;
    if (!v->in_memory || is_aggregate(type_kind(&v->type)) || !size || size > 8)
        return -EINVAL;
    *n = v->bit_size ? (v->bit_offset + v->bit_size + 7) / 8 : (unsigned)size;
    if (v->bit_size) {
        uint64_t mask = (v->bit_size == 64 ? ~UINT64_C(0) : BIT(v->bit_size) - 1) << v->bit_offset;
        if (!m->read || m->read(m->arg, false, v->at, &old, *n))
            return -EFAULT;
        bits = (old & ~mask) | (bits << v->bit_offset & mask);
    }
    memcpy(bytes, &bits, 8);
    return 0;
}

/* ---- showing ---- */

static void show_value(struct show *s, const struct value *v);

/* A character of a string or between quotes; what is not printable is escaped, in JSON's or in
 * C's way. */
static void put_char(FILE *out, unsigned char c, char quote, bool json)
{
    if (c == (unsigned char)quote || c == '\\')
        fprintf(out, "\\%c", c);
    else if (c == '\n')
        fputs("\\n", out);
    else if (c < ' ' || c > 126)
        fprintf(out, json ? "\\u%04x" : "\\x%02x", c);
    else
        fputc(c, out);
}

/* Names come from the file and may contain anything. */
static void put_name(struct show *s, const char *name)
{
    for (; *name; name++)
        fputc((unsigned char)*name < ' ' || (unsigned char)*name > 126 || *name == '"' ||
                      *name == '\\'
                  ? '?'
                  : *name,
              s->out);
}

/* Say in place of the value why there is none; `fmt` may show the address `at`. */
static void complain(struct show *s, const char *fmt, uint64_t at)
{
    if (s->json)
        fputs("null", s->out);
    else
        fprintf(s->out, fmt, at);
}

/* Show the characters at `at`: up to a NUL (of a char *), or `room` of them (of an array),
 * without the NULs that fill its end.  "..." behind says that there is more than MAX_TEXT.
 * False: not even the first can be read, and nothing was shown. */
static bool put_string(struct show *s, uint64_t at, uint64_t room, bool stop_at_nul)
{
    char text[MAX_TEXT];
    size_t n = 0;
    while (n < room && n < sizeof text && s->m->read &&
           s->m->read(s->m->arg, false, at + n, &text[n], 1) == 0 && (text[n] || !stop_at_nul))
        n++;
    bool whole = n == room || n < sizeof text;
    while (!stop_at_nul && n && !text[n - 1]) {
        n--;                            /* the NULs that fill it */
        whole = true;
    }
    if (!n && room && stop_at_nul && s->m->read && s->m->read(s->m->arg, false, at, text, 1))
        return false;
    fputc('"', s->out);
    for (size_t i = 0; i < n; i++)
        put_char(s->out, (unsigned char)text[i], '"', s->json);
    fputs(whole ? "\"" : "...\"", s->out);
    return true;
}

/* An address, the symbol it points to, and for a char * the text there.  Its type is told only
 * at the outermost level; within a struct the member's name is enough. */
static void show_pointer(struct show *s, const struct value *v, uint64_t bits)
{
    struct type to;
    char name[200], symbol[150];
    symbols_format(s->m->symbols, bits, symbol, sizeof symbol);
    if (s->json) {
        fprintf(s->out, "\"%#" PRIx64 "\"", bits);
        return;
    }
    bool known = type_target(&v->type, &to), is_text = known && type_is_char(&to);
    if (!s->depth && !is_text)
        fprintf(s->out, "(%s) ", type_name(&v->type, name, sizeof name));
    fprintf(s->out, symbol[0] ? "%#" PRIx64 " <%s>" : "%#" PRIx64, bits, symbol);
    if (is_text && bits) {
        fputc(' ', s->out);
        put_string(s, bits, UINT64_MAX, true);
    }
}

/* Enumerations by name, if the value has one; a char also as a letter: 65 'A'. */
static void show_number(struct show *s, const struct value *v, uint64_t bits)
{
    char name[120];
    const char *enumerator = type_kind(&v->type) == TYPE_ENUM
                                 ? type_enumerator(&v->type, bits, name, sizeof name)
                                 : NULL;
    bool is_signed = type_is_signed(&v->type);
    if (enumerator)
        fprintf(s->out, s->json ? "\"%s\"" : "%s", enumerator);
    else if (type_is_bool(&v->type))
        fputs(bits ? "true" : "false", s->out);
    else
        fprintf(s->out, is_signed ? "%" PRId64 : "%" PRIu64, bits);
    if (!s->json && type_is_char(&v->type)) {
        fputs(" '", s->out);
        put_char(s->out, (unsigned char)bits, '\'', false);
        fputc('\'', s->out);
    }
}

/* Numbers of 4 and 8 bytes have the format of this machine's float and double.  Those of the
 * x87 with 10 bytes are not shown. */
static void show_float(struct show *s, const struct value *v)
{
    double d = 0;
    float f = 0;
    uint64_t n = type_bytes(s->m->info, &v->type);
    void *to = n == 4 ? (void *)&f : &d;
    if (!v->in_memory || (n != 4 && n != 8) || !s->m->read ||
        s->m->read(s->m->arg, false, v->at, to, (unsigned)n))
        complain(s, "<a floating-point number>", 0);
    else
        fprintf(s->out, "%g", n == 4 ? (double)f : d);
}

/* What is a single number, or the reason why it is none. */
static void show_scalar(struct show *s, const struct value *v)
{
    uint64_t bits;
    int err = value_load(s->m, v, &bits);
    enum type_kind kind = type_kind(&v->type);
    if (kind == TYPE_FLOAT)
        show_float(s, v);
    else if (kind == TYPE_VOID || err == -EINVAL)
        complain(s, "<no value>", 0);
    else if (err)
        complain(s, "<no memory at %#" PRIx64 ">", v->at);
    else if (kind == TYPE_POINTER)
        show_pointer(s, v, bits);
    else
        show_number(s, v, bits);
}

static void new_line(struct show *s)
{
    if (s->lines)
        fprintf(s->out, "\n%*s", (int)(2 * s->depth), "");
}

/* Members are values in memory like any other, and are shown by the same walk. */
static void show_struct(struct show *s, const struct value *v)
{
    struct type_member m;
    unsigned i;
    fputc('{', s->out);
    s->depth++;
    for (i = 0; s->left && type_member_at(s->m->info, &v->type, i, &m); i++) {
        struct value member = { .type = m.type, .in_memory = true, .at = v->at + m.offset,
                                .bit_offset = m.bit_offset, .bit_size = m.bit_size };
        if (i)
            fputs(s->lines || s->json ? "," : ", ", s->out);
        new_line(s);
        fputs(s->json ? "\"" : "", s->out);
        put_name(s, m.name);
        fputs(s->json ? "\":" : m.name[0] ? " = " : "", s->out);
        show_value(s, &member);
    }
    s->depth--;
    if (i)
        new_line(s);
    fputc('}', s->out);
}

/* A value as a text of its own, to be freed, to be compared or measured before it is shown;
 * NULL: no memory.  What it showed counts against the bound. */
static char *rendered(struct show *s, const struct value *v)
{
    char *text = NULL;
    size_t n;
    struct show inner = *s;
    inner.out = open_memstream(&text, &n);
    if (!inner.out)
        return NULL;
    show_value(&inner, v);
    fclose(inner.out);
    s->left = inner.left;
    return text;
}

/* Neighbours that look the same are shown once: {0 <15 times>, 7}. So an element is shown only
 * when the next one, or the end, is known; i goes one further than the last for that. */
static void show_elements(struct show *s, const struct value *v, const struct type *element,
                          uint64_t count)
{
    uint64_t bytes = type_bytes(s->m->info, element), same = 0, i;
    char *last = NULL;
    for (i = 0; i <= count && i <= MAX_ELEMENTS && s->left; i++) {
        struct value e = { .type = *element, .in_memory = true, .at = v->at + i * bytes };
        char *text = i < count && i < MAX_ELEMENTS ? rendered(s, &e) : NULL;
        if (text && last && strcmp(text, last) == 0 && !s->json) {
            same++;
            free(text);
            continue;
        }
        if (last)
            fprintf(s->out, same ? "%s <%" PRIu64 " times>" : "%s", last, same + 1);
        if (last && text)
            fputs(s->json ? "," : ", ", s->out);
        free(last);
        last = text;
        same = 0;
    }
    free(last);
    if (count > MAX_ELEMENTS)
        fputs(s->json ? ",\"...\"" : ", ...", s->out);
}

/* An array of char is a string. */
static void show_array(struct show *s, const struct value *v)
{
    struct type element;
    uint64_t count = type_count(&v->type);
    if (!type_target(&v->type, &element)) {
        complain(s, "<no value>", 0);
        return;
    }
    if (type_is_char(&element) && put_string(s, v->at, count, false))
        return;
    fputs(s->json ? "[" : "{", s->out);
    s->depth++;
    show_elements(s, v, &element, count);
    s->depth--;
    fputs(s->json ? "]" : "}", s->out);
}

/* One step of the walk; `left` counts down with each, and at 0 the rest becomes "...". */
static void show_value(struct show *s, const struct value *v)
{
    enum type_kind kind = type_kind(&v->type);
    if (s->left)
        s->left--;
    if (!s->left || s->depth > MAX_NESTING)
        fputs(s->json ? "\"...\"" : "...", s->out);
    else if (kind == TYPE_STRUCT && v->in_memory)
        show_struct(s, v);
    else if (kind == TYPE_ARRAY && v->in_memory)
        show_array(s, v);
    else if (kind == TYPE_FUNCTION) {
        struct value address = { .type = type_pointer_to(&v->type),
                                 .bits = v->in_memory ? v->at : v->bits };
        show_pointer(s, &address, address.bits);
    } else
        show_scalar(s, v);
}

/* On one line if that is short enough; else again, a member on each line. */
void value_print(const struct expr_machine *m, const struct value *v, FILE *out)
{
    struct show s = { .m = m, .out = out, .left = MAX_LEAVES };
    char *text = rendered(&s, v);
    if (text && strlen(text) <= WIDTH) {
        fputs(text, out);
    } else {
        struct show again = { .m = m, .out = out, .left = MAX_LEAVES, .lines = true };
        show_value(&again, v);
    }
    free(text);
}

void value_json(const struct expr_machine *m, const struct value *v, FILE *out)
{
    struct show s = { .m = m, .out = out, .left = MAX_LEAVES, .json = true };
    show_value(&s, v);
}
