/*
 * debugger/symbols/expr.c -- the grammar of expressions: they are evaluated while they are
 * parsed.
 *
 * One function for each kind of expression, each of which calls the next tighter one:
 *
 *     ternary     binary ? ternary : ternary
 *     binary      unary OPERATOR unary ...            (operators[], by precedence)
 *     unary       ! ~ - * & sizeof (TYPE) unary, or postfix
 *     postfix     primary [index] ->member .member
 *     primary     (ternary), 12, 'c', u32[ternary], a name
 *
 * There is no tree: each function returns the value of what it has read.  For the side of &&
 * || ?: that does not count, p->skipping is raised meanwhile; then the text is still checked,
 * but no memory is read.  A variable stays in memory until its number is needed (expr_load()),
 * so that & and sizeof read nothing.
 *
 * After an error the functions go on with zeros and return soon; only the first is reported.
 *
 * Names, members and types are looked up by expr_name.c, operators carried out by expr_op.c.
 */
#include "debugger/symbols/expr_private.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cpu/regs.h"
#include "debugger/symbols/symbols.h"

#define MAX_DEPTH 64                    /* of brackets and unary operators, for our stack */

static struct value ternary(struct parser *p);
static struct value unary(struct parser *p);

struct value plain(uint64_t bits)
{
    return (struct value){ .bits = bits };
}

struct value complain(struct parser *p, int err, const char *fmt, ...)
{
    va_list ap;
    if (p->err)
        return plain(0);                /* only the first is reported */
    p->err = err;
    p->err_at = (size_t)(p->at - p->text);
    va_start(ap, fmt);
    vsnprintf(p->why, p->n, fmt, ap);
    va_end(ap);
    return plain(0);
}

/* The number that a value stands for. */
uint64_t expr_load(struct parser *p, const struct value *v)
{
    uint64_t bits;
    char name[100];
    if (p->skipping || p->err)
        return 0;
    int err = value_load(p->m, v, &bits);
    if (err == -EINVAL)
        complain(p, err, "a %s is no number", type_name(&v->type, name, sizeof name));
    else if (err)
        complain(p, err, "there is no memory to read at %s %#llx",
                 v->word.physical ? "guest-physical" : "linear", (unsigned long long)v->at);
    return err ? 0 : bits;
}

/* ---- the lexer ---- */

/* Where a blank ends the expression it is not skipped, except within brackets. */
static void skip_blanks(struct parser *p)
{
    if (p->ends_at_blank && !p->brackets)
        return;
    while (isspace((unsigned char)*p->at))
        p->at++;
}

/* Go past the token if it stands here. */
static bool accept_token(struct parser *p, const char *token)
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
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80 || c == '_' || c == '.'
        || c == '$' || c == '@';
}

size_t name_length(const char *at)
{
    size_t len = 0;
    while (is_name_char(at[len]))
        len++;
    return len;
}

/* ---- memory ---- */

/* So many bytes in memory at a linear or guest-physical address.  They are read when their number
 * is needed: whoever wants to watch or to set them asks for the place only. */
static struct value word_at(struct parser *p, bool physical, bool is_signed, unsigned bytes,
                            uint64_t at)
{
    if (p->err)
        return plain(0);
    return (struct value){ .in_memory = true, .at = at, .word = { bytes, is_signed, physical } };
}

/* Is the name in front of a '[' one of u8 u16 u32 u64 i8 ... p64?  Then what is to be read
 * there. */
static bool memory_word(const char *at, size_t len, bool *physical, bool *is_signed,
                        unsigned *bytes)
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

/* What stands between brackets, of which the first was read already. */
static struct value bracketed(struct parser *p, const char *close)
{
    p->brackets++;
    struct value v = ternary(p);
    if (!accept_token(p, close))
        complain(p, -EINVAL, "'%s' is missing here", close);
    p->brackets--;
    return v;
}

/* ---- operands ---- */

/* 12, 0x1f, 0b101.  A number that does not fit is an error rather than cut. */
static struct value number_literal(struct parser *p)
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
    return plain(v);
}

/* 'a', or '\n' and the like. */
static struct value character_literal(struct parser *p)
{
    /* Pairs of a letter behind a backslash and the character that it means. */
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
    return plain(v);
}

/* u32[ADDRESS], or a name */
static struct value name_or_memory(struct parser *p)
{
    const char *at = p->at;
    size_t len = name_length(at);
    bool physical, is_signed;
    unsigned bytes;
    if (at[len] == '[' && memory_word(at, len, &physical, &is_signed, &bytes)) {
        p->at += len + 1;
        struct value address = bracketed(p, "]");
        return word_at(p, physical, is_signed, bytes, expr_load(p, &address));
    }
    return expr_name(p);
}

static struct value primary(struct parser *p)
{
    skip_blanks(p);
    if (accept_token(p, "("))
        return bracketed(p, ")");
    if (isdigit((unsigned char)*p->at))
        return number_literal(p);
    if (*p->at == '\'')
        return character_literal(p);
    if (is_name_char(*p->at))
        return name_or_memory(p);
    return complain(p, -EINVAL, *p->at ? "a number, register or symbol should stand here"
                                       : "the expression ends too early");
}

/* What a pointer points to, or an array begins with; `index` elements further. */
/* The value in memory at pointer + index, not read yet.  An array and a pointer are the same
 * here: the number of an array is its address. */
static struct value element_at(struct parser *p, const struct value *v, uint64_t index)
{
    struct value e = { .in_memory = true };
    char name[100];
    enum type_kind kind = type_kind(&v->type);
    if (p->err)
        return plain(0);
    if ((kind != TYPE_POINTER && kind != TYPE_ARRAY) || !type_target(&v->type, &e.type))
        return complain(p, -EINVAL, "a %s is neither pointer nor array",
                        type_name(&v->type, name, sizeof name));
    e.at = expr_load(p, v) + index * type_bytes(p->m->info, &e.type);
    return e;
}

/* A number without a type can be followed too (*rsp): what is there is as wide as the CPU's
 * addresses are now. */
static struct value dereference(struct parser *p, const struct value *v)
{
    if (type_kind(&v->type) != TYPE_NONE)
        return element_at(p, v, 0);
    return word_at(p, false, false, p->m->cpu ? state_code_bits(p->m->cpu) / 8 : 8,
                   expr_load(p, v));
}

/* [index], ->member and .member, as many as there are.  An untyped number takes no index, so
 * that "rax [" is an error rather than a guess. */
static struct value postfix(struct parser *p)
{
    struct value v = primary(p);
    for (unsigned n = 0; !p->err && n < MAX_DEPTH; n++) {
        if (type_kind(&v.type) != TYPE_NONE && accept_token(p, "[")) {
            struct value index = bracketed(p, "]");
            v = element_at(p, &v, expr_load(p, &index));
        } else if (accept_token(p, "->")) {
            struct value to = element_at(p, &v, 0);
            v = expr_member(p, &to);
        } else if (accept_token(p, ".")) {
            v = expr_member(p, &v);
        } else {
            break;
        }
    }
    return v;
}

/* &x of a variable in memory is its address with the type "pointer to"; nothing is read. */
static struct value address_of(struct parser *p, const struct value *v)
{
    struct value a = { .bits = v->at };
    if (p->err)
        return plain(0);
    if (v->word.bytes)
        return plain(v->at);
    if (!v->in_memory && type_kind(&v->type) == TYPE_NONE && p->was_symbol)
        return *v;                              /* a bare symbol is its own address */
    if (!v->in_memory || v->bit_size)
        return complain(p, -EINVAL,
                        v->bit_size ? "a bit field has no address"
                                    : "this has no address: it is not in memory");
    a.type = type_pointer_to(&v->type);
    return a;
}

/* Is this (TYPE), in front of the operand of a cast or of sizeof?  If not, p->at stays where
 * it is: it may be an expression in brackets. */
static bool take_type(struct parser *p, struct type *t)
{
    const char *from = p->at;
    bool unknown = false;
    if (!accept_token(p, "("))
        return false;
    size_t n = type_parse(p->m->info, expr_address_bytes(p), expr_pc(p), p->at, t, &unknown);
    p->at += n;
    p->brackets++;
    bool whole = n && accept_token(p, ")");
    p->brackets--;
    if (unknown)
        complain(p, -EINVAL, "the debug information has no such type");
    if (!whole && !p->err)
        p->at = from;
    return whole;
}

/* (TYPE) operand.  Only to types that have a number; pointers of 32-bit programs are cut to 32
 * bits. */
static struct value cast(struct parser *p, const struct type *t)
{
    struct value v = unary(p), out = { .type = *t };
    enum type_kind kind = type_kind(t);
    char name[100];
    if (kind == TYPE_STRUCT || kind == TYPE_ARRAY || kind == TYPE_FUNCTION || kind == TYPE_FLOAT ||
        kind == TYPE_VOID)
        return complain(p, -EINVAL, "nothing can be cast to %s; a pointer to it can be",
                        type_name(t, name, sizeof name));
    out.bits = value_fit(p->m->info, t, expr_load(p, &v));
    if (kind == TYPE_POINTER && expr_address_bytes(p) == 4)
        out.bits = (uint32_t)out.bits;
    return out;
}

/* sizeof(TYPE) or sizeof operand.  The operand is not evaluated, as in C. */
static struct value size_of(struct parser *p)
{
    struct type t;
    p->skipping++;
    if (!take_type(p, &t)) {
        struct value v = unary(p);
        t = v.type;
    }
    p->skipping--;
    return plain(type_kind(&t) == TYPE_NONE ? 8 : type_bytes(p->m->info, &t));
}

/* ! ~ and -, in the type that arithmetic would have. */
static struct value negate(struct parser *p, char op)
{
    struct value v = unary(p), out = { .type = expr_promoted(&v) };
    uint64_t bits = expr_load(p, &v);
    out.bits = op == '!' ? !bits : op == '~' ? ~bits : -bits;
    if (type_kind(&out.type) != TYPE_NONE)
        out.bits = value_fit(NULL, &out.type, out.bits);
    return out;
}

/* Go past a word such as sizeof, if it does not merely begin a longer name. */
static bool take_word(struct parser *p, const char *word)
{
    skip_blanks(p);
    size_t n = strlen(word);
    if (strncmp(p->at, word, n) || is_name_char(p->at[n]))
        return false;
    p->at += n;
    return true;
}

/* Prefix operators, which bind from right to left.  All recursion of the grammar passes here
 * or through ternary(), which both count its depth. */
static struct value unary(struct parser *p)
{
    struct value v = plain(0);
    struct type t;
    if (++p->depth > MAX_DEPTH) {
        complain(p, -EINVAL, "this is nested too deeply");
    } else if (accept_token(p, "!")) {
        v = negate(p, '!');
    } else if (accept_token(p, "~")) {
        v = negate(p, '~');
    } else if (accept_token(p, "-")) {
        v = negate(p, '-');
    } else if (accept_token(p, "*")) {
        v = unary(p);
        v = dereference(p, &v);
    } else if (accept_token(p, "&")) {
        p->was_symbol = false;
        v = unary(p);
        v = address_of(p, &v);
    } else if (take_word(p, "sizeof")) {
        v = size_of(p);
    } else if (take_type(p, &t)) {
        v = cast(p, &t);
    } else if (!p->err) {
        v = postfix(p);
    }
    p->depth--;
    return v;
}

/* ---- binary operators ---- */

/* Binary operators by precedence: level 0 binds tightest, as in C.  `but_not` is a longer
 * operator that begins the same and is meant instead. */
static const struct infix {
    const char *token, *but_not;
    enum op op;
    unsigned level;
} operators[] = {
    { "*", NULL, OP_MUL, 0 }, { "/", NULL, OP_DIV, 0 }, { "%", NULL, OP_MOD, 0 },
    { "+", NULL, OP_ADD, 1 }, { "-", NULL, OP_SUB, 1 },
    { "<<", NULL, OP_SHL, 2 }, { ">>", NULL, OP_SHR, 2 },
    { "<=", NULL, OP_LE, 3 }, { ">=", NULL, OP_GE, 3 },
    { "<", "<<", OP_LT, 3 }, { ">", ">>", OP_GT, 3 },
    { "==", NULL, OP_EQ, 4 }, { "!=", NULL, OP_NE, 4 },
    { "&", "&&", OP_AND, 5 }, { "^", NULL, OP_XOR, 6 }, { "|", "||", OP_OR, 7 },
    { "&&", NULL, OP_LAND, 8 }, { "||", NULL, OP_LOR, 9 },
};
#define LOOSEST 9

/* The operator that stands here, or NULL.  The first byte tells that mostly, which makes the
 * usual case, the end of the expression, quick. */
static const struct infix *look_operator(struct parser *p)
{
    skip_blanks(p);
    if (!*p->at || !strchr("*/%+-<>=!&^|", *p->at))
        return NULL;
    for (size_t i = 0; i < NELEM(operators); i++) {
        const struct infix *o = &operators[i];
        if (o->token[0] == *p->at && !strncmp(p->at, o->token, strlen(o->token)) &&
            !(o->but_not && !strncmp(p->at, o->but_not, strlen(o->but_not))))
            return o;
    }
    return NULL;
}

/* Read operands with operators up to this level between them ("precedence climbing").  Behind
 * an operator all that binds tighter belongs to its right side, so that is read by a call with
 * the next lower level.  If && or || is decided by its left side, the right side is parsed all
 * the same, but skipped: its mistakes are errors, its memory is not read. */
static struct value binary(struct parser *p, unsigned level)
{
    const struct infix *o;
    struct value a = unary(p);
    while (!p->err && (o = look_operator(p)) && o->level <= level) {
        bool lazy = o->op == OP_LAND || o->op == OP_LOR;
        p->at += strlen(o->token);
        bool skip_right = lazy && (o->op == OP_LAND ? !expr_load(p, &a) : !!expr_load(p, &a));
        p->skipping += skip_right;
        struct value b = o->level ? binary(p, o->level - 1) : unary(p);
        uint64_t y = skip_right ? 0 : expr_load(p, &b);
        p->skipping -= skip_right;
        struct value known = { .type = b.type, .bits = y };
        a = expr_apply(p, o->op, &a, lazy ? &known : &b);
    }
    return a;
}

/* CONDITION ? A : B, the loosest of all.  Both sides are parsed, one of them is skipped. */
static struct value ternary(struct parser *p)
{
    if (++p->depth > MAX_DEPTH) {
        p->depth--;
        return complain(p, -EINVAL, "this is nested too deeply");
    }
    struct value which = binary(p, LOOSEST);
    if (!accept_token(p, "?")) {
        p->depth--;
        return which;
    }
    bool first = expr_load(p, &which);
    p->skipping += !first;
    struct value a = ternary(p);
    p->skipping -= !first;
    if (!accept_token(p, ":"))
        complain(p, -EINVAL, "':' is missing here");
    p->skipping += first;
    struct value b = ternary(p);
    p->skipping -= first;
    p->depth--;
    return first ? a : b;
}

/* ---- what callers call ---- */

/* Blanks in front are always allowed. */
static void begin_parsing(struct parser *p)
{
    if (p->n)
        p->why[0] = 0;
    p->at = p->text;
    while (isspace((unsigned char)*p->at))
        p->at++;
}

/* What is left of the text must be nothing, or where a word was to be read, a blank or comma. */
static int finish(struct parser *p)
{
    skip_blanks(p);
    bool may_go_on = p->ends_at_blank && (isspace((unsigned char)*p->at) || *p->at == ',');
    if (!p->err && *p->at && !may_go_on)
        complain(p, -EINVAL, "an operator should stand before '%.20s'", p->at);
    return p->err;
}

static int parse_and_evaluate(struct parser *p, struct value *value)
{
    begin_parsing(p);
    *value = ternary(p);
    return finish(p);
}

/* The same, and load the number. */
static int run_number(struct parser *p, uint64_t *value)
{
    struct value v;
    if (parse_and_evaluate(p, &v) == 0)
        *value = expr_load(p, &v);
    return p->err;
}

int expr_eval(const char *text, const struct expr_machine *m, uint64_t *value,
              size_t *at, char *why, size_t n)
{
    struct parser p = { .text = text, .m = m, .why = why, .n = n };
    int err = run_number(&p, value);
    *at = err ? p.err_at : (size_t)(p.at - text);
    return err;
}

int expr_eval_value(const char *text, const struct expr_machine *m, struct value *value,
                    size_t *at, char *why, size_t n)
{
    struct parser p = { .text = text, .m = m, .why = why, .n = n };
    int err = parse_and_evaluate(&p, value);
    *at = err ? p.err_at : (size_t)(p.at - text);
    return err;
}

int expr_type(const char *text, const struct expr_machine *m, struct type *type,
              size_t *at, char *why, size_t n)
{
    struct parser p = { .text = text, .m = m, .why = why, .n = n, .skipping = 1 };
    struct value v = plain(0);
    begin_parsing(&p);
    size_t used = type_parse(m->info, expr_address_bytes(&p), expr_pc(&p), p.at, type, NULL);
    while (isspace((unsigned char)p.at[used]))
        used++;
    if (used && !p.at[used]) {
        return 0;
    }
    int err = parse_and_evaluate(&p, &v);
    *type = v.type;
    *at = p.err_at;
    return err;
}

int expr_check(const char *text, const struct expr_machine *m, size_t *at, char *why, size_t n)
{
    struct parser p = { .text = text, .m = m, .why = why, .n = n, .skipping = 1 };
    uint64_t value;
    int err = run_number(&p, &value);
    *at = p.err_at;
    return err;
}

int expr_eval_word_value(const char *text, const struct expr_machine *m, struct value *value,
                         size_t *end, char *why, size_t n)
{
    struct parser p = { .text = text, .m = m, .why = why, .n = n, .ends_at_blank = true };
    int err = parse_and_evaluate(&p, value);
    *end = (size_t)((err ? text + p.err_at : p.at) - text);
    return err;
}

int expr_eval_word(const char *text, const struct expr_machine *m, uint64_t *value,
                   size_t *end, char *why, size_t n)
{
    struct parser p = { .text = text, .m = m, .why = why, .n = n, .ends_at_blank = true };
    int err = run_number(&p, value);
    *end = (size_t)((err ? text + p.err_at : p.at) - text);
    return err;
}
