/*
 * debugger/expr.c -- evaluate while parsing: one table of binary operators by
 * precedence, and `dead` for the side of && || ?: that does not count.
 */
#include "debugger/expr.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "debugger/regs.h"
#include "debugger/symbols.h"

#define MAX_DEPTH 64                    /* of brackets and unary operators */

struct parser {
    const char *text, *at;
    const struct expr_machine *m;
    unsigned    depth, dead;            /* dead: nothing is read, faults do not count */
    bool        word;                   /* a blank outside brackets ends it           */
    unsigned    brackets;
    int         err;
    size_t      err_at;
    char       *why;
    size_t      n;
};

static uint64_t ternary(struct parser *p);

__attribute__((format(printf, 3, 4)))
static uint64_t complain(struct parser *p, int err, const char *fmt, ...)
{
    va_list ap;
    if (p->err)
        return 0;                       /* the first is the reason */
    p->err = err;
    p->err_at = (size_t)(p->at - p->text);
    va_start(ap, fmt);
    vsnprintf(p->why, p->n, fmt, ap);
    va_end(ap);
    return 0;
}

/* ---- the lexer ---- */

static void skip_blanks(struct parser *p)
{
    if (p->word && !p->brackets)
        return;
    while (isspace((unsigned char)*p->at))
        p->at++;
}

static bool take(struct parser *p, const char *token)
{
    skip_blanks(p);
    size_t len = strlen(token);
    if (strncmp(p->at, token, len))
        return false;
    p->at += len;
    return true;
}

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '$' || c == '@';
}

static size_t name_length(const char *at)
{
    size_t len = 0;
    while (is_name_char(at[len]))
        len++;
    return len;
}

/* ---- memory ---- */

static uint64_t load(struct parser *p, bool physical, bool is_signed, unsigned bytes, uint64_t at)
{
    uint64_t v = 0;
    if (p->dead || p->err)
        return 0;
    if (!p->m->read || p->m->read(p->m->arg, physical, at, &v, bytes))
        return complain(p, -EFAULT, "there is no memory to read at %s %#llx",
                        physical ? "guest-physical" : "linear", (unsigned long long)at);
    v = low_bytes(v, bytes);
    return is_signed ? sign_extend(v, bytes) : v;
}

/* "u32[" and its relatives: what to read there; false if it is none. */
static bool memory_word(const char *at, size_t len, bool *physical, bool *is_signed, unsigned *bytes)
{
    static const struct { const char *bits; unsigned bytes; } widths[] = {
        { "8", 1 }, { "16", 2 }, { "32", 4 }, { "64", 8 },
    };
    *physical = at[0] == 'p';
    *is_signed = at[0] == 'i';
    if (len < 2 || len > 3 || !strchr("uip", at[0]))
        return false;
    for (size_t i = 0; i < NELEM(widths); i++) {
        *bytes = widths[i].bytes;
        if (strlen(widths[i].bits) == len - 1 && !strncmp(at + 1, widths[i].bits, len - 1))
            return true;
    }
    return false;
}

static uint64_t bracketed(struct parser *p, const char *close)
{
    p->brackets++;
    uint64_t v = ternary(p);
    if (!take(p, close))
        complain(p, -EINVAL, "'%s' is missing here", close);
    p->brackets--;
    return v;
}

/* ---- operands ---- */

static uint64_t number(struct parser *p)
{
    unsigned base = 10;
    uint64_t v = 0;
    const char *digits = p->at;
    if (digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X'))
        base = 16, digits += 2;
    else if (digits[0] == '0' && (digits[1] == 'b' || digits[1] == 'B'))
        base = 2, digits += 2;
    const char *c = digits;
    for (; isalnum((unsigned char)*c); c++) {
        unsigned d = isdigit((unsigned char)*c) ? (unsigned)(*c - '0')
                                                : (unsigned)(tolower((unsigned char)*c) - 'a') + 10;
        if (d >= base)
            break;
        if (v > (UINT64_MAX - d) / base)
            return complain(p, -EINVAL, "the number has more than 64 bits");
        v = v * base + d;
    }
    if (c == digits || is_name_char(*c))
        return complain(p, -EINVAL, "'%.*s' is not a number", (int)name_length(p->at), p->at);
    p->at = c;
    return v;
}

static uint64_t character(struct parser *p)
{
    static const char escapes[] = "n\nr\rt\t0\0\\\\''";
    const char *c = p->at + 1;
    uint64_t v = (unsigned char)*c;
    if (*c == '\\' && c[1]) {
        const char *e = escapes;
        while (e < escapes + sizeof escapes - 1 && *e != c[1])
            e += 2;
        if (e >= escapes + sizeof escapes - 1)
            return complain(p, -EINVAL, "'\\%c' is not a character", c[1]);
        v = (unsigned char)e[1];
        c++;
    }
    if (!*c || c[1] != '\'')
        return complain(p, -EINVAL, "a character is one letter between quotes, as in 'a'");
    p->at = c + 2;
    return v;
}

static bool symbol(const struct parser *p, const char *name, size_t len, uint64_t *v)
{
    uint64_t end;
    return symbols_extent(p->m->symbols, name, len, v, &end);
}

static uint64_t name(struct parser *p)
{
    const char *at = p->at;
    size_t len = name_length(at);
    bool physical, is_signed;
    unsigned bytes;
    uint64_t v = 0;
    if (at[len] == '[' && memory_word(at, len, &physical, &is_signed, &bytes)) {
        p->at += len + 1;
        return load(p, physical, is_signed, bytes, bracketed(p, "]"));
    }
    if (len == 3 && !strncmp(at, "sym", 3) && at[3] == ':') {
        len = name_length(at + 4);
        if (!symbol(p, at + 4, len, &v))
            return complain(p, -EINVAL, "the guest has no symbol '%.*s'", (int)len, at + 4);
        p->at += 4 + len;
        return v;
    }
    size_t skip = at[0] == '$';
    const struct reg *r = reg_find(at + skip, len - skip);
    p->at += len;
    if (r && p->m->cpu)
        return reg_get(r, p->m->cpu);
    if ((p->m->name && p->m->name(p->m->arg, at, len, &v)) || symbol(p, at, len, &v))
        return v;
    p->at -= len;
    if (r)
        return complain(p, -EINVAL, "there are no registers here, so no %.*s", (int)len, at);
    return complain(p, -EINVAL, "'%.*s' is neither a register nor a symbol of the guest", (int)len, at);
}

static uint64_t primary(struct parser *p)
{
    skip_blanks(p);
    if (take(p, "("))
        return bracketed(p, ")");
    if (isdigit((unsigned char)*p->at))
        return number(p);
    if (*p->at == '\'')
        return character(p);
    if (is_name_char(*p->at))
        return name(p);
    return complain(p, -EINVAL, *p->at ? "a number, register or symbol should stand here"
                                       : "the expression ends too early");
}

static uint64_t unary(struct parser *p)
{
    uint64_t v = 0;
    if (++p->depth > MAX_DEPTH) {
        complain(p, -EINVAL, "this is nested too deeply");
    } else if (take(p, "!")) {
        v = !unary(p);
    } else if (take(p, "~")) {
        v = ~unary(p);
    } else if (take(p, "-")) {
        v = -unary(p);
    } else if (take(p, "*")) {
        uint64_t at = unary(p);
        v = load(p, false, false, p->m->cpu ? state_code_bits(p->m->cpu) / 8 : 8, at);
    } else {
        v = primary(p);
    }
    p->depth--;
    return v;
}

/* ---- binary operators, loosest last; longer tokens of one level first ---- */

enum op { OP_MUL, OP_DIV, OP_MOD, OP_ADD, OP_SUB, OP_SHL, OP_SHR, OP_LE, OP_GE, OP_LT, OP_GT,
          OP_EQ, OP_NE, OP_AND, OP_XOR, OP_OR, OP_LAND, OP_LOR };

static const struct { const char *token, *but_not; enum op op; unsigned level; } operators[] = {
    { "*", NULL, OP_MUL, 0 }, { "/", NULL, OP_DIV, 0 }, { "%", NULL, OP_MOD, 0 },
    { "+", NULL, OP_ADD, 1 }, { "-", NULL, OP_SUB, 1 },
    { "<<", NULL, OP_SHL, 2 }, { ">>", NULL, OP_SHR, 2 },
    { "<=", NULL, OP_LE, 3 }, { ">=", NULL, OP_GE, 3 }, { "<", "<<", OP_LT, 3 }, { ">", ">>", OP_GT, 3 },
    { "==", NULL, OP_EQ, 4 }, { "!=", NULL, OP_NE, 4 },
    { "&", "&&", OP_AND, 5 }, { "^", NULL, OP_XOR, 6 }, { "|", "||", OP_OR, 7 },
    { "&&", NULL, OP_LAND, 8 }, { "||", NULL, OP_LOR, 9 },
};
#define LOOSEST 9

static uint64_t compute(struct parser *p, enum op op, uint64_t a, uint64_t b)
{
    switch (op) {
    case OP_MUL:  return a * b;
    case OP_ADD:  return a + b;
    case OP_SUB:  return a - b;
    case OP_SHL:  return b < 64 ? a << b : 0;
    case OP_SHR:  return b < 64 ? a >> b : 0;
    case OP_LE:   return a <= b;
    case OP_GE:   return a >= b;
    case OP_LT:   return a < b;
    case OP_GT:   return a > b;
    case OP_EQ:   return a == b;
    case OP_NE:   return a != b;
    case OP_AND:  return a & b;
    case OP_XOR:  return a ^ b;
    case OP_OR:   return a | b;
    case OP_LAND: return a && b;
    case OP_LOR:  return a || b;
    case OP_DIV:
    case OP_MOD:
        if (!b)
            return p->dead ? 0 : complain(p, -EINVAL, "this divides by zero");
        return op == OP_DIV ? a / b : a % b;
    }
    return 0;
}

static bool take_operator(struct parser *p, unsigned level, enum op *op)
{
    skip_blanks(p);
    for (size_t i = 0; i < NELEM(operators); i++) {
        const char *t = operators[i].token, *no = operators[i].but_not;
        if (operators[i].level != level || strncmp(p->at, t, strlen(t)) ||
            (no && !strncmp(p->at, no, strlen(no))))
            continue;
        p->at += strlen(t);
        *op = operators[i].op;
        return true;
    }
    return false;
}

static uint64_t binary(struct parser *p, unsigned level)
{
    uint64_t a = level ? binary(p, level - 1) : unary(p);
    for (enum op op; !p->err && take_operator(p, level, &op); ) {
        bool dead = (op == OP_LAND && !a) || (op == OP_LOR && a);
        p->dead += dead;
        uint64_t b = level ? binary(p, level - 1) : unary(p);
        a = compute(p, op, a, b);
        p->dead -= dead;
    }
    return a;
}

static uint64_t ternary(struct parser *p)
{
    uint64_t v = 0;
    if (++p->depth > MAX_DEPTH) {
        complain(p, -EINVAL, "this is nested too deeply");
        p->depth--;
        return 0;
    }
    uint64_t which = binary(p, LOOSEST);
    if (!take(p, "?")) {
        p->depth--;
        return which;
    }
    p->dead += !which;
    uint64_t a = ternary(p);
    p->dead -= !which;
    if (!take(p, ":"))
        complain(p, -EINVAL, "':' is missing here");
    p->dead += !!which;
    v = ternary(p);
    p->dead -= !!which;
    p->depth--;
    return which ? a : v;
}

/* ---- in ---- */

static int run(struct parser *p, uint64_t *value)
{
    if (p->n)
        p->why[0] = 0;
    p->at = p->text;
    while (isspace((unsigned char)*p->at))
        p->at++;
    *value = ternary(p);
    skip_blanks(p);
    if (!p->err && *p->at && !(p->word && (isspace((unsigned char)*p->at) || *p->at == ',')))
        complain(p, -EINVAL, "an operator should stand before '%.20s'", p->at);
    return p->err;
}

int expr_eval(const char *text, const struct expr_machine *m, uint64_t *value,
              size_t *at, char *why, size_t n)
{
    struct parser p = { .text = text, .m = m, .why = why, .n = n };
    int err = run(&p, value);
    *at = err ? p.err_at : (size_t)(p.at - text);
    return err;
}

int expr_check(const char *text, const struct expr_machine *m, size_t *at, char *why, size_t n)
{
    struct parser p = { .text = text, .m = m, .why = why, .n = n, .dead = 1 };
    uint64_t value;
    int err = run(&p, &value);
    *at = p.err_at;
    return err;
}

int expr_eval_word(const char *text, const struct expr_machine *m, uint64_t *value,
                   size_t *end, char *why, size_t n)
{
    struct parser p = { .text = text, .m = m, .why = why, .n = n, .word = true };
    int err = run(&p, value);
    *end = (size_t)((err ? text + p.err_at : p.at) - text);
    return err;
}
