/*
 * debugger/console/value.c -- values and their types: print, ptype, whatis, set.
 *
 * The expressions and how values are printed are symbols/expr.h's and symbols/value.h's business.
 * Writing goes through the link: the VMM must tell its caches of it.
 *
 *     print procs[2].state         an expression, as C has it
 *     print /x rax + 8             as a number in this format
 *     set u32[0x2000] = 1          memory, a register (rax) or a variable
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/regs.h"
#include "debugger/console/private.h"
#include "debugger/symbols/symbols.h"

/* ---- print ---- */

/* A number without a type: in hexadecimal with the symbol it may point to, and from 10 on
 * in decimal too, where both look different. */
static void print_plain(struct console *c, uint64_t v)
{
    char name[200];
    fprintf(c->out, "%s", address_text(c, v, name, sizeof name));
    fprintf(c->out, v > 9 ? " = %" PRIu64 "\n" : "\n", v);
}

/* `bits` is the value as a number, if it is one. */
static void print_json(struct console *c, const struct expr_machine *m, const struct value *v,
                       uint64_t bits)
{
    char name[300];
    if (type_kind(&v->type) == TYPE_NONE) {
        fprintf(c->out, "{\"value\":%" PRIu64 ",\"hex\":\"%#" PRIx64 "\",\"symbol\":", bits, bits);
        json_string(c->out, symbols_format(c->o.symbols, bits, name, sizeof name));
    } else {
        fputs("{\"type\":", c->out);
        json_string(c->out, type_name(&v->type, name, sizeof name));
        if (v->in_memory)
            fprintf(c->out, ",\"address\":%" PRIu64, v->at);
        fputs(",\"value\":", c->out);
        value_json(m, v, c->out);
    }
    fputs("}\n", c->out);
}

/* With a format the value is printed as a number; else as C would write it.  `$` becomes
 * the value, and after a pointer `x` shows what it points to. */
enum console_result cmd_print(struct console *c, const char *args)
{
    struct format f = { 1, 0, 8 };
    struct expr_machine m = console_machine(c);
    struct value v;
    char why[300];
    uint64_t bits;
    size_t at;
    if (!parse_format(c, &args, &f))
        return CONSOLE_ERROR;
    if (!*args)
        return fail(c, "print what? for example `print rax + 8`");
    if (expr_eval_value(args, &m, &v, &at, why, sizeof why))
        return fail(c, "%s (at character %zu)", why, at + 1);
    bool number = value_load(&m, &v, &bits) == 0;
    enum type_kind kind = type_kind(&v.type);
    if (!number && v.word.bytes)
        return fail(c, "there is no memory to read at %s %#" PRIx64,
                    v.word.physical ? "guest-physical" : "linear", v.at);
    c->last_value = number ? bits : 0;
    if (number && kind == TYPE_POINTER)
        c->next_x = bits;
    if (c->o.json) {
        print_json(c, &m, &v, bits);
        return CONSOLE_OK;
    }
    if (f.letter && number && kind != TYPE_STRUCT && kind != TYPE_ARRAY) {
        put_number(c, bits, f.letter == 'x' ? 0 : f.letter, f.size);
        fputc('\n', c->out);
    } else if (kind == TYPE_NONE) {
        print_plain(c, bits);
    } else {
        value_print(&m, &v, c->out);
        fputc('\n', c->out);
    }
    return CONSOLE_OK;
}

/* ---- types ---- */

/* The type of an expression, or the type that is named ("struct process"). */
static enum console_result type_of_text(struct console *c, const char *args, struct type *t)
{
    struct expr_machine m = console_machine(c);
    char why[300];
    size_t at;
    if (!*args)
        return fail(c, "of what? for example an expression, or struct NAME");
    if (!c->o.info)
        return fail(c, "there is no debug information, so there are no types");
    return expr_type(args, &m, t, &at, why, sizeof why)
               ? fail(c, "%s (at character %zu)", why, at + 1)
               : CONSOLE_OK;
}

/* The members of a struct, or what a typedef stands for. */
enum console_result cmd_ptype(struct console *c, const char *args)
{
    struct type t;
    if (type_of_text(c, args, &t) != CONSOLE_OK)
        return CONSOLE_ERROR;
    type_describe(c->o.info, &t, c->out);
    return CONSOLE_OK;
}

enum console_result cmd_whatis(struct console *c, const char *args)
{
    struct type t;
    char name[300];
    if (type_of_text(c, args, &t) != CONSOLE_OK)
        return CONSOLE_ERROR;
    fprintf(c->out, "%s\n", type_name(&t, name, sizeof name));
    return CONSOLE_OK;
}

/* ---- set ---- */

/* Fetch all registers, change one, and send back the group that contains it. */
static enum console_result set_register(struct console *c, const struct reg *r, uint64_t value)
{
    link_get_state(c->o.link, &c->cpu);
    reg_set(r, &c->cpu, value);
    int err = link_set_state(c->o.link, r->group, &c->cpu);
    return err ? fail_link(c, err, "registers") : CONSOLE_OK;
}

/* A variable, member, element, *pointer or u32[ADDRESS]: what has a place in memory.
 * value_store() makes the bytes that a bit-field or a small number consist of. */
static enum console_result set_variable(struct console *c, const char *what, size_t len,
                                        uint64_t bits)
{
    struct expr_machine m = console_machine(c);
    struct value v;
    uint8_t bytes[8];
    char text[200], why[300];
    unsigned n;
    size_t at;
    snprintf(text, sizeof text, "%.*s", (int)len, what);
    if (len >= sizeof text)
        return fail(c, "this is too long");
    if (expr_eval_value(text, &m, &v, &at, why, sizeof why))
        return fail(c, "%s (at character %zu)", why, at + 1);
    if (value_store(&m, &v, bits, bytes, &n))
        return fail(c, "'%s' cannot be set; a register, a variable in memory or u32[ADDRESS] can",
                    text);
    int err = v.word.physical ? link_write_phys(c->o.link, v.at, bytes, n)
                              : link_write_linear(c->o.link, v.at, bytes, n);
    return err ? fail_link(c, err, "memory") : CONSOLE_OK;
}

/* WHAT = VALUE. The value is evaluated first, so that a mistake in it changes nothing.  A
 * register's name wins over a variable's. */
enum console_result cmd_set(struct console *c, const char *args)
{
    const char *equals = strchr(args, '='), *value = equals ? skip_blanks(equals + 1) : "";
    struct expr_machine m = console_machine(c);
    char why[300];
    uint64_t v;
    size_t at, len;
    if (!equals || equals == args || !*value)
        return fail(c, "set REGISTER = VALUE, or a variable, or u32[ADDRESS]");
    for (len = (size_t)(equals - args); len && isspace((unsigned char)args[len - 1]); )
        len--;
    if (expr_eval(value, &m, &v, &at, why, sizeof why))
        return fail(c, "%s", why);
    if (link_state(c->o.link) == LINK_RUNNING)
        return fail(c, "the guest is running; `pause` stops it");
    const struct reg *r = reg_find(args + (args[0] == '$'), len - (args[0] == '$'));
    return r ? set_register(c, r, v) : set_variable(c, args, len, v);
}
