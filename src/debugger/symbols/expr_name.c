/*
 * debugger/symbols/expr_name.c -- what a name in an expression stands for.
 *
 * In this order: $pc, $sp or $fp, a register, one of the caller's own names, a local variable or
 * parameter of the frame, a variable, function or enumerator of the program, a symbol.
 *
 * Names may contain dots, and members are told by dots too.  The longest name that exists is
 * taken: "cs.base" is a register and "counter.0" a symbol (compilers name static locals so),
 * but in "task.state" only "task" is a name, and "state" its member.
 *
 * Begin reading with expr_name() at the end of the file.
 */
#include <ctype.h>
#include <dwarf.h>
#include <errno.h>
#include <string.h>

#include "cpu/regs.h"
#include "debugger/symbols/expr_private.h"
#include "debugger/symbols/symbols.h"

unsigned expr_address_bytes(const struct parser *p)
{
    return p->m->info  ? debuginfo_address_bytes(p->m->info)
           : p->m->cpu ? state_code_bits(p->m->cpu) / 8
                       : 8;
}

/* Find the frame whose locals are meant, when a name first needs one: most expressions ask
 * only for registers. */
static void need_frame(struct parser *p)
{
    if (p->has_frame || !p->m->info)
        return;
    p->has_frame = true;
    p->frame = p->m->frame;
    if (!p->frame && frame_innermost(p->m, &p->innermost))
        p->frame = &p->innermost;
    if (p->frame)
        frame_open_scopes(p->m->info, p->frame, &p->scopes);
}

/* An address inside the function, not the return address behind it. */
uint64_t expr_pc(struct parser *p)
{
    return p->m->frame ? frame_lookup_pc(p->m->frame) : p->m->cpu ? state_pc(p->m->cpu) : 0;
}

/* "sym:" in front says that the name is not a register's.  Returns the name behind it, or `at`
 * itself if there is no "sym:".  (A colon is no part of a name, so the name before it ends at
 * 3.) */
static const char *behind_sym(const char *at)
{
    return name_length(at) == 3 && !strncmp(at, "sym:", 4) ? at + 4 : at;
}

/* The value of a variable of this type at p->at, which is where l says; l NULL: it is nowhere.
 * Where nothing is evaluated, as in a check before the guest runs, that is no error. */
static struct value variable_at(struct parser *p, const struct type *t, const struct location *l)
{
    struct value v = { .type = *t, .in_memory = true };
    const char *name = behind_sym(p->at);
    int len = (int)name_length(name);
    if (!l && p->skipping)
        return v;
    if (!l)
        return complain(p, -EINVAL, "'%.*s' has no place here (optimized out)", len, name);
    v.in_memory = l->kind == LOCATION_MEMORY;
    v.at = l->value;
    if (!v.in_memory && type_kind(t) == TYPE_STRUCT)
        return complain(p, -EINVAL, "'%.*s' is in registers, which is not supported for a struct",
                        len, name);
    if (!v.in_memory)
        v.bits = value_fit(p->m->info, t, l->value);
    return v;
}

/* The variable that an entry describes.  For a local the way to it is noted in p->way. */
static struct value variable_value(struct parser *p, Dwarf_Die *die, bool local)
{
    struct location l;
    struct type t;
    type_of(die, &t);
    bool found = frame_locate(p->m, local ? p->frame : NULL, local ? &p->scopes : NULL, die, &l,
                              local ? &p->way : NULL);
    return variable_at(p, &t, found ? &l : NULL);
}

/* The local variable or parameter of this name that can be seen from the frame. */
static bool local_named(struct parser *p, const char *name, size_t len, struct value *v)
{
    Dwarf_Die die;
    need_frame(p);
    if (!p->frame || !frame_variable_named(&p->scopes, name, len, &die))
        return false;
    *v = variable_value(p, &die, true);
    return true;
}

/* A function: a value in memory where it begins.  False: it has no code of its own (inlined). */
static bool function_value(struct parser *p, Dwarf_Die *die, struct value *v)
{
    Dwarf_Addr entry;
    *v = (struct value){ .in_memory = true };
    if (dwarf_entrypc(die, &entry) || !type_from(die, &v->type))
        return false;
    v->at = entry + debuginfo_bias(p->m->info);
    return true;
}

/* An enumerator: its number, with the type of its enum. */
static bool enumerator_value(struct parser *p, const struct debuginfo_name *name, Dwarf_Die *die,
                             struct value *v)
{
    Dwarf_Attribute a;
    Dwarf_Sword value;
    Dwarf_Die parent;
    *v = plain(0);
    if (!dwarf_attr(die, DW_AT_const_value, &a) || dwarf_formsdata(&a, &value) ||
        !debuginfo_die(p->m->info, name->parent, &parent) || !type_from(&parent, &v->type))
        return false;
    v->bits = (uint64_t)value;
    return true;
}

/* A variable, function or enumerator at file scope. */
static bool name_of_program(struct parser *p, const char *name, size_t len, struct value *v)
{
    Dwarf_Die die;
    const struct debuginfo_name *found =
        debuginfo_find(p->m->info, DEBUGINFO_VARIABLE | DEBUGINFO_FUNCTION | DEBUGINFO_ENUMERATOR,
                       name, len, expr_pc(p));
    if (!found || !debuginfo_die(p->m->info, found->die, &die))
        return false;
    p->is_fixed = true;
    if (found->kind == DEBUGINFO_FUNCTION)
        return function_value(p, &die, v);
    if (found->kind == DEBUGINFO_ENUMERATOR)
        return enumerator_value(p, found, &die, v);
    *v = variable_value(p, &die, false);
    return true;
}

/* A symbol is a number without a type: its address. */
static bool symbol_value(struct parser *p, const char *name, size_t len, struct value *v)
{
    uint64_t end;
    *v = plain(0);
    return p->is_fixed = p->was_symbol = symbols_extent(p->m->symbols, name, len, &v->bits, &end);
}

static bool variable_or_symbol(struct parser *p, const char *name, size_t len, struct value *v)
{
    return local_named(p, name, len, v) || name_of_program(p, name, len, v) ||
           symbol_value(p, name, len, v);
}

/* What gdb calls $pc, $sp and $fp, whatever the mode: linear addresses, which `x` and `break` take
 * as they are. */
static bool standard_register(struct parser *p, const char *at, size_t len, struct value *v)
{
    const struct cpu_state *cpu = p->m->cpu;
    if (!cpu || len != 3 || at[0] != '$')
        return false;
    bool is_pc = !strncmp(at, "$pc", len), is_sp = !strncmp(at, "$sp", len),
         is_fp = !strncmp(at, "$fp", len);
    if (!is_pc && !is_sp && !is_fp)
        return false;
    struct cpu_state at_fp = *cpu;
    at_fp.gpr[RSP] = cpu->gpr[RBP];
    v->bits = is_pc ? state_pc(cpu) : state_sp(is_sp ? cpu : &at_fp);
    return true;
}

/* Everything that a name can be, in the order of the file's head.  A '$' in front of a
 * register is allowed, as in gdb. */
static bool any_name(struct parser *p, const char *at, size_t len, struct value *v)
{
    size_t skip = at[0] == '$';
    const struct reg *r = reg_find(at + skip, len - skip);
    *v = plain(0);
    if (standard_register(p, at, len, v))
        return true;
    if (r && p->m->cpu) {
        p->reg = r;
        v->bits = reg_get(r, p->m->cpu);
        return true;
    }
    return (p->m->name && p->m->name(p->m->arg, at, len, &v->bits)) ||
           variable_or_symbol(p, at, len, v);
}

/* Ask `find` for the whole name, then for what is left when the part behind the last dot is
 * cut off, and so on. p->at is moved behind what was found; the rest is members. */
static bool longest_name(struct parser *p, const char *at, size_t len, struct value *v,
                         bool (*find)(struct parser *, const char *, size_t, struct value *))
{
    for (size_t n = len; n; ) {
        if (find(p, at, n, v)) {
            p->at = at + n;
            return true;
        }
        for (n--; n && at[n] != '.'; n--)
            ;
    }
    return false;
}

/* ---- names found before ---- */

/* The value that a local has now, by the way that was found before. */
static struct value recall_local(struct parser *p, const struct expr_known *k)
{
    struct location l;
    need_frame(p);
    bool found = p->frame && frame_follow(p->m, p->frame, &p->scopes,
                                          &(struct frame_way){ k->way, k->n_way }, &l);
    return variable_at(p, &k->value.type, found ? &l : NULL);
}

/* Was the name at this place of the text found before (struct expr_names)?  False: no, or
 * nobody keeps such a memory. */
static bool recall(struct parser *p, struct value *v)
{
    const struct expr_names *names = p->m->names;
    size_t at = (size_t)(p->at - p->text);
    for (unsigned i = 0; names && i < names->n; i++) {
        const struct expr_known *k = &names->name[i];
        if (k->at != at)
            continue;
        *v = k->reg ? plain(reg_get(k->reg, p->m->cpu)) : k->n_way ? recall_local(p, k) : k->value;
        p->at = p->text + k->end;
        p->was_symbol = k->was_symbol;
        return true;
    }
    return false;
}

/* Keep what was found, if it will be found in the same way next time.  On a side that is
 * skipped nothing was found out, so there is nothing to keep.  The type is reduced, because
 * type_kind() and the like would search the debug information each time. */
static void remember(struct parser *p, const char *from, const struct value *v)
{
    struct expr_names *names = p->m->names;
    if (!names || names->n == EXPR_NAMES || p->err || p->skipping ||
        !(p->reg || p->is_fixed || p->way.n))
        return;
    struct expr_known *k = &names->name[names->n++];
    *k = (struct expr_known){ .at = (size_t)(from - p->text), .end = (size_t)(p->at - p->text),
                              .reg = p->reg, .value = *v, .way = p->way.op, .n_way = p->way.n,
                              .was_symbol = p->was_symbol };
    k->value.type = type_plain(p->m->info, &v->type);
}

/* Look the name up, or say as well as we can why it is not there. */
static struct value find_name(struct parser *p)
{
    const char *at = behind_sym(p->at);
    size_t len = name_length(at);
    struct value v = plain(0);
    if (at != p->at)
        return longest_name(p, at, len, &v, variable_or_symbol) ? v
             : complain(p, -EINVAL, "the guest has no symbol '%.*s'", (int)len, at);
    if (longest_name(p, at, len, &v, any_name))
        return v;
    if (debuginfo_find(p->m->info, DEBUGINFO_FUNCTION, at, len, 0))
        return complain(p, -EINVAL,
                        "'%.*s' is inlined where it is called, and has no address; FILE:LINE names "
                        "a line of it",
                        (int)len, at);
    if (reg_find(at + (at[0] == '$'), len - (at[0] == '$')))
        return complain(p, -EINVAL,
                        "'%.*s' would be a register or a flag of one, and this place knows no "
                        "registers", (int)len, at);
    return complain(p, -EINVAL, "'%.*s' is neither a register nor a symbol of the guest", (int)len,
                    at);
}

struct value expr_name(struct parser *p)
{
    const char *from = p->at;
    struct value v;
    p->was_symbol = p->is_fixed = false;
    p->reg = NULL;
    p->way = (struct frame_way){ NULL, 0 };
    if (recall(p, &v))
        return v;
    v = find_name(p);
    remember(p, from, &v);
    return v;
}

struct value expr_member(struct parser *p, const struct value *v)
{
    struct type_member m;
    char name[120];
    size_t len = 0;
    while (isalnum((unsigned char)p->at[len]) || p->at[len] == '_')
        len++;
    if (p->err)
        return plain(0);
    if (type_kind(&v->type) != TYPE_STRUCT)
        return complain(p, -EINVAL,
                        type_kind(&v->type) == TYPE_NONE ? "this has no type, so no members"
                                                         : "a %s has no members",
                        type_name(&v->type, name, sizeof name));
    if (!len || !type_member(p->m->info, &v->type, p->at, len, &m))
        return complain(p, -EINVAL, "%s has no member '%.*s'",
                        type_name(&v->type, name, sizeof name), (int)len, p->at);
    p->at += len;
    return (struct value){ .type = m.type, .in_memory = true, .at = v->at + m.offset,
                           .bit_offset = m.bit_offset, .bit_size = m.bit_size };
}
