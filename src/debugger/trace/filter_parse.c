/*
 * debugger/trace/filter_parse.c -- the language of filters: lexer and recursive-descent parser.
 *
 *     filter := [or]
 *     or     := and { ("||" | "or") and }
 *     and    := not { ("&&" | "and") not }
 *     not    := ("!" | "not") not | "(" or ")" | test
 *     test   := FIELD ("==" | "=" | "!=" | "<" | "<=" | ">" | ">=") value
 *             | "rip" ("==" | "=" | "!=") CS ":" IP   both hexadecimal, as traces show them
 *             | FIELD "&" value                       one of these bits is set
 *             | FIELD "in" (item | "(" item { "," item } ")")
 *             | FIELD | KIND
 *     item   := value [".." value]                    a symbol alone: all of it
 *     value  := NUMBER | WORD of the field | SYMBOL ["+" NUMBER]
 *
 * The nesting is bounded, as is the number of nodes: the text may be anything.
 */
#include "debugger/trace/filter.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/likeness.h"
#include "debugger/symbols/symbols.h"
#include "debugger/trace/filter_tree.h"
#include "debugger/trace/text.h"

#define MAX_NESTING 100
#define MAX_SHOWN   40          /* of a word, in a complaint */

enum token { END, NAME, NUMBER, AND, OR, NOT, IN, EQ, NE, LT, LE, GT, GE, BITS, LPAREN, RPAREN,
             DOTS, COMMA, PLUS };

/* One run of the parser.  `bad` is set by the first complaint; from then on everything
 * returns at once. */
struct parser {
    const char *text, *at;          /* at: after the token */
    enum token  token;
    const char *start;              /* of the token; of a quoted name, inside the quotes */
    size_t      len;
    const struct trace_text *x;
    struct filter *f;
    struct filter_error *err;
    unsigned    nesting;
    bool        bad;
};

__attribute__((format(printf, 3, 4)))
static void complain(struct parser *p, const char *where, const char *fmt, ...)
{
    va_list ap;
    if (p->bad)
        return;                     /* the first is the one that counts */
    p->bad = true;
    p->err->column = (size_t)(where - p->text);
    va_start(ap, fmt);
    vsnprintf(p->err->text, sizeof p->err->text, fmt, ap);
    va_end(ap);
}

/*
 * Tokens
 */

/* Longer signs come before shorter ones that they begin with. */
static const struct { const char *text; enum token token; } signs[] = {
    { "&&", AND }, { "||", OR }, { "==", EQ }, { "!=", NE }, { "<=", LE }, { ">=", GE },
    { "..", DOTS }, { "<", LT }, { ">", GT }, { "=", EQ }, { "!", NOT }, { "&", BITS },
    { "(", LPAREN }, { ")", RPAREN }, { ",", COMMA }, { "+", PLUS },
}, words[] = {
    { "and", AND }, { "or", OR }, { "not", NOT }, { "in", IN },
};

static bool is_name_char(const char *p)
{
    return isalnum((unsigned char)*p) || (unsigned char)*p >= 0x80 || *p == '_' || *p == '@'
        || *p == '$'
        || (*p == '.' && p[1] != '.' && (isalnum((unsigned char)p[1]) || p[1] == '_'));
}

/* "name with blanks": for symbols that are no single word. */
static void take_quoted(struct parser *p)
{
    const char *end = strchr(p->at + 1, '"');
    p->token = NAME;
    p->start = p->at + 1;
    if (!end) {
        complain(p, p->at, "this quotation mark has no partner");
        end = p->at + strlen(p->at) - 1;
    }
    p->len = end < p->start ? 0 : (size_t)(end - p->start);
    p->at = end + 1;
}

/* A word, a number or one of the operators that are words. */
static void take_name(struct parser *p)
{
    p->start = p->at;
    while (is_name_char(p->at))
        p->at++;
    p->len = (size_t)(p->at - p->start);
    p->token = isdigit((unsigned char)*p->start) ? NUMBER : NAME;
    for (size_t i = 0; i < NELEM(words); i++)
        if (strlen(words[i].text) == p->len && strncasecmp(words[i].text, p->start, p->len) == 0)
            p->token = words[i].token;
}

/* Read the next token into p->token, p->start and p->len. */
static void next_token(struct parser *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
    p->start = p->at;
    p->len = 1;
    if (!*p->at) {
        p->token = END;
        p->len = 0;
        return;
    }
    if (*p->at == '"') {
        take_quoted(p);
        return;
    }
    if (is_name_char(p->at)) {
        take_name(p);
        return;
    }
    for (size_t i = 0; i < NELEM(signs); i++)
        if (strncmp(p->at, signs[i].text, strlen(signs[i].text)) == 0) {
            p->token = signs[i].token;
            p->len = strlen(signs[i].text);
            p->at += p->len;
            return;
        }
    complain(p, p->at, "'%c' means nothing here", isprint((unsigned char)*p->at) ? *p->at : '?');
    p->token = END;
}

/* If the next token is this one, go past it. */
static bool accept_token(struct parser *p, enum token token)
{
    if (p->bad || p->token != token)
        return false;
    next_token(p);
    return true;
}

/* How much of the token a complaint quotes. */
static int shown(const struct parser *p)
{
    return p->len < MAX_SHOWN ? (int)p->len : MAX_SHOWN;
}

/*
 * Nodes
 */

/* The number of the new node.  Once there are too many it is 0, and a complaint has been
 * made. */
static uint16_t add_node(struct parser *p, struct filter_node node)
{
    if (p->f->n == FILTER_MAX_NODES) {
        complain(p, p->start, "this is too long: more than %d parts", FILTER_MAX_NODES);
        return 0;
    }
    p->f->node[p->f->n] = node;
    return (uint16_t)p->f->n++;
}

static uint16_t add_both(struct parser *p, enum filter_op op, uint16_t left, uint16_t right)
{
    return add_node(p, (struct filter_node){ .op = op, .left = left, .right = right });
}

static uint16_t add_test(struct parser *p, enum filter_op op, const struct trace_field *field,
                         uint64_t lo, uint64_t hi)
{
    return add_node(p, (struct filter_node){ .op = op, .field = field, .lo = lo, .hi = hi });
}

/*
 * Values
 */

static void complain_field(struct parser *p)
{
    struct likeness l = { .word = p->start, .len = p->len };
    for (size_t i = 0; i < trace_fields_count(); i++)
        likeness_try(&l, trace_field_at(i)->name);
    for (size_t i = 0; i < N_TRACE_KINDS; i++)
        likeness_try(&l, trace_kinds[i].name);
    complain(p, p->start, "there is no field or kind '%.*s'%s%s%s", shown(p), p->start,
             l.best ? "; did you mean '" : " (vitrine trace --fields lists them)",
             l.best ? l.best : "", l.best ? "'?" : "");
}

/* Decimal, or hexadecimal behind 0x; a leading 0 is octal as in C only if digits follow.
 * Times may have a unit and a fraction. */
static bool number_value(struct parser *p, const struct trace_field *field, uint64_t *value)
{
    static const struct { const char *unit; double ns; } units[] = {
        { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 },
    };
    char text[40], *end;
    if (p->len >= sizeof text) {
        complain(p, p->start, "this number is too long");
        return false;
    }
    memcpy(text, p->start, p->len);
    text[p->len] = '\0';
    errno = 0;
    bool decimal = text[0] != '0' || !isdigit((unsigned char)text[1]);
    *value = strtoull(text, &end, decimal && tolower((unsigned char)text[1]) != 'x' ? 10 : 0);
    if (!*end && !errno)
        return true;
    if (field->look == TIME && !errno) {
        double d = strtod(text, &end);
        for (size_t i = 0; i < NELEM(units); i++)
            if (strcmp(end, units[i].unit) == 0 && d >= 0 && d * units[i].ns < 1.8e19) {
                *value = (uint64_t)(d * units[i].ns + 0.5);
                return true;
            }
    }
    complain(p, p->start, errno ? "'%.*s' does not fit into 64 bits"
                                : field->look == TIME ? "'%.*s' is no number and no time like 1.5ms"
                                                      : "'%.*s' is no number", shown(p), p->start);
    return false;
}

static void complain_value(struct parser *p, const struct trace_field *field)
{
    const struct symbols *symbols = p->x ? p->x->symbols : NULL;
    if (field->look == REASON)
        complain(p, p->start, "'%.*s' is no exit reason (vitrine stat shows those of a trace)",
                 shown(p), p->start);
    else if (trace_field_word(p->x, field->look, 0))
        complain(p, p->start, "'%.*s' is none of the words for %s, such as %s", shown(p), p->start,
                 field->name, trace_field_word(p->x, field->look, 0));
    else if (symbols)
        complain(p, p->start, "the guest has no symbol '%.*s'", shown(p), p->start);
    else
        complain(p, p->start, "'%.*s' is no number, and there are no symbols (--symbols ELF)",
                 shown(p), p->start);
}

/* One value, or a symbol's whole extent. */
static bool value(struct parser *p, const struct trace_field *field, uint64_t *lo, uint64_t *hi)
{
    uint64_t plus;
    if (p->bad)
        return false;
    if (p->token == NUMBER) {
        bool ok = number_value(p, field, lo);
        *hi = *lo;
        next_token(p);
        return ok;
    }
    if (p->token != NAME) {
        complain(p, p->start, "here should be a value to compare %s with", field->name);
        return false;
    }
    if (trace_field_parse_word(p->x, field->look, p->start, p->len, lo)) {
        *hi = *lo;
        next_token(p);
        return true;
    }
    if (!p->x || !symbols_extent(p->x->symbols, p->start, p->len, lo, hi)) {
        complain_value(p, field);
        return false;
    }
    (*hi)--;
    next_token(p);
    if (accept_token(p, PLUS)) {
        if (p->token != NUMBER || !number_value(p, field, &plus)) {
            complain(p, p->start, "here should be a number");
            return false;
        }
        *hi = *lo += plus;
        next_token(p);
    }
    return true;
}

/*
 * Tests
 */

/* VALUE, VALUE..VALUE or SYMBOL (all its bytes): always a range. */
static uint16_t item(struct parser *p, const struct trace_field *field)
{
    uint64_t lo = 0, hi = 0, unused, to;
    const char *start = p->start;
    if (!value(p, field, &lo, &hi))
        return 0;
    if (accept_token(p, DOTS)) {
        if (!value(p, field, &to, &unused))
            return 0;
        hi = to;
    }
    if (lo > hi) {
        complain(p, start, "this range ends before it begins");
        return 0;
    }
    return add_test(p, F_RANGE, field, lo, hi);
}

/* What stands behind "in": an item, or several in parentheses, any of which may hold it. */
static uint16_t membership(struct parser *p, const struct trace_field *field)
{
    if (!accept_token(p, LPAREN))
        return item(p, field);
    uint16_t left = item(p, field);
    while (accept_token(p, COMMA)) {
        uint16_t right = item(p, field);
        left = add_both(p, F_OR, left, right);
    }
    if (!accept_token(p, RPAREN))
        complain(p, p->start, "here should be ',' or ')'");
    return left;
}

/* A test that nothing passes ("x < 0"): none of no bits is set. */
static uint16_t add_never(struct parser *p, const struct trace_field *field)
{
    return add_node(p, (struct filter_node){ .op = F_BITS, .field = field });
}

/* Every comparison becomes a range, the outside of a range, or a test of bits. */
static uint16_t comparison(struct parser *p, const struct trace_field *field, enum token op)
{
    uint64_t v = 0, unused;
    if (!value(p, field, &v, &unused))
        return 0;
    switch (op) {
    case EQ:   return add_test(p, F_RANGE, field, v, v);
    case NE:   return add_test(p, F_OUTSIDE, field, v, v);
    case LE:   return add_test(p, F_RANGE, field, 0, v);
    case GE:   return add_test(p, F_RANGE, field, v, UINT64_MAX);
    case LT:   return v ? add_test(p, F_RANGE, field, 0, v - 1) : add_never(p, field);
    case GT:   return v == UINT64_MAX ? add_never(p, field)
                                      : add_test(p, F_RANGE, field, v + 1, UINT64_MAX);
    default:   return add_test(p, F_BITS, field, v, 0);
    }
}

static bool kind_named(const struct parser *p, uint64_t *kind)
{
    return trace_field_parse_word(NULL, KIND, p->start, p->len, kind);
}

/* "07c0:0009": two hexadecimal numbers, as a place is shown.  True: it was one, and is taken. */
static bool place(struct parser *p, uint64_t *cs, uint64_t *ip)
{
    char *colon, *end;
    if (p->token != NUMBER && p->token != NAME)
        return false;
    *cs = strtoull(p->start, &colon, 16);
    if (colon == p->start || *colon != ':' || !isxdigit((unsigned char)colon[1]))
        return false;
    errno = 0;
    *ip = strtoull(colon + 1, &end, 16);
    if (is_name_char(end) || errno || *cs > UINT16_MAX) {
        complain(p, p->start, "this is no place such as 07c0:0009");
        return false;
    }
    p->at = end;
    next_token(p);
    return true;
}

/* rip compared with CS:IP becomes two comparisons. */
static uint16_t place_comparison(struct parser *p, enum token op, uint64_t cs, uint64_t ip,
                                 const char *start)
{
    uint16_t left = add_test(p, F_RANGE, trace_field_find("cs", 2), cs, cs);
    uint16_t right = add_test(p, F_RANGE, trace_field_find("ip", 2), ip, ip);
    uint16_t both = add_both(p, F_AND, left, right);
    if (op == EQ)
        return both;
    if (op != NE)
        complain(p, start, "places are equal (==) or not (!=); for more take the linear address");
    return add_node(p, (struct filter_node){ .op = F_NOT, .left = both });
}

/* FIELD, KIND, or FIELD compared with something. */
static uint16_t test(struct parser *p)
{
    uint64_t kind;
    if (p->token != NAME) {
        complain(p, p->start,
                 p->token == END ? "here something is missing: a field or a kind of event"
                                 : "here should be a field or a kind of event");
        return 0;
    }
    const struct trace_field *field = trace_field_find(p->start, p->len);
    if (!field && !kind_named(p, &kind)) {
        complain_field(p);
        return 0;
    }
    const char *start = p->start;
    size_t len = p->len;
    next_token(p);
    enum token op = p->token;
    bool compares = op == IN || (op >= EQ && op <= BITS);
    if (!field && compares) {
        complain(p, start, "'%.*s' is a kind of event, not a field; a kind stands alone", (int)len,
                 start);
        return 0;
    }
    if (!field)
        return add_test(p, F_RANGE, trace_field_find("kind", 4), kind, kind);
    if (!compares)
        return add_test(p, F_HAS, field, 0, 0);
    next_token(p);
    uint64_t cs, ip;
    const char *value_start = p->start;
    if (trace_field_role(field) == ROLE_RIP && op != IN && place(p, &cs, &ip))
        return place_comparison(p, op, cs, ip, value_start);
    return op == IN ? membership(p, field) : comparison(p, field, op);
}

/*
 * Combinations
 */

static uint16_t or_list(struct parser *p);

/* The deepest level of the grammar, where parentheses open again: the nesting is counted
 * here. */
static uint16_t negation(struct parser *p)
{
    uint16_t inner = 0;
    if (p->bad)
        return 0;
    if (++p->nesting > MAX_NESTING)
        complain(p, p->start, "this is nested too deeply");
    if (accept_token(p, NOT)) {
        inner = negation(p);
        inner = add_node(p, (struct filter_node){ .op = F_NOT, .left = inner });
    } else if (accept_token(p, LPAREN)) {
        inner = or_list(p);
        if (!accept_token(p, RPAREN))
            complain(p, p->start, "here a ')' is missing");
    } else {
        inner = test(p);
    }
    p->nesting--;
    return inner;
}

static uint16_t and_list(struct parser *p)
{
    uint16_t left = negation(p);
    while (accept_token(p, AND)) {
        uint16_t right = negation(p);
        left = add_both(p, F_AND, left, right);
    }
    return left;
}

static uint16_t or_list(struct parser *p)
{
    uint16_t left = and_list(p);
    while (accept_token(p, OR)) {
        uint16_t right = and_list(p);
        left = add_both(p, F_OR, left, right);
    }
    return left;
}

struct filter *filter_compile(const char *text, const struct trace_text *x,
                              struct filter_error *err)
{
    struct parser p = { .text = text, .at = text, .x = x, .err = err };
    *err = (struct filter_error){ 0 };
    p.f = calloc(1, sizeof *p.f);
    if (!p.f) {
        complain(&p, text, "there is not enough memory");
        return NULL;
    }
    next_token(&p);
    if (p.token != END)
        or_list(&p);
    if (p.token != END)
        complain(&p, p.start, "here '&&' or '||' is missing");
    if (p.bad) {
        free(p.f);
        return NULL;
    }
    return p.f;
}

struct filter *filter_both(const struct filter *a, const struct filter *b)
{
    static const struct filter everything;
    struct filter *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    *f = a ? *a : everything;
    size_t n = f->n, more = b ? b->n : 0;
    if (n + more + 1 > FILTER_MAX_NODES) {
        free(f);
        return NULL;
    }
    for (size_t i = 0; i < more; i++) {
        struct filter_node *to = &f->node[f->n++];
        *to = b->node[i];
        to->left = (uint16_t)(to->left + n);
        to->right = (uint16_t)(to->right + n);
    }
    if (n && more)
        f->node[f->n++] = (struct filter_node){ .op = F_AND, .left = (uint16_t)(n - 1),
                                                .right = (uint16_t)(n + more - 1) };
    return f;
}

void filter_free(struct filter *f)
{
    free(f);
}

void filter_complain(const char *text, const struct filter_error *err, char *buf, size_t n)
{
    size_t used = (size_t)snprintf(buf, n, "%s\n  ", err->text);
    size_t column = err->column;
    for (const char *c = text; *c && used + 1 < n; c++)     /* one line, one column a byte */
        buf[used++] = isprint((unsigned char)*c) ? *c : ' ';
    if (used < n)
        snprintf(buf + used, n - used, "\n  %*s^", (int)(column < 1000 ? column : 1000), "");
}
