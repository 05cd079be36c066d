/*
 * debugger/symbols/type.c -- reading DWARF's type entries.
 *
 * A type's entry refers to others: "const uint32_t *" is a pointer to a const to a typedef to
 * a base type.  Such chains are followed for at most MAX_CHAIN steps, because in a hostile
 * file they may be a circle.
 *
 * Begin reading with strip_typedefs() and type_kind(); declare() is the most difficult part.
 */
#include "debugger/symbols/type.h"

#include <dwarf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Bounds for hostile files. */
#define MAX_CHAIN   32
#define MAX_MEMBERS 4096
#define MAX_NESTING 8

struct type type_integer(const char *name, unsigned bytes, bool is_signed)
{
    return (struct type){ .name = name, .bytes = (uint8_t)bytes, .is_signed = is_signed };
}

bool type_from(Dwarf_Die *die, struct type *t)
{
    *t = (struct type){ .die = *die };
    return true;
}

/* An entry without DW_AT_type is void: that is how DWARF says "void *" and "returns nothing". */
bool type_of(Dwarf_Die *die, struct type *t)
{
    Dwarf_Attribute a;
    Dwarf_Die is;
    *t = type_integer("void", 0, false);
    if (!dwarf_attr_integrate(die, DW_AT_type, &a))
        return true;
    return dwarf_formref_die(&a, &is) && type_from(&is, t);
}

/* Go behind typedefs and qualifiers (const, volatile ...) to the entry that says what the type
 * is; the stars and indices counted in *t stay.  False: the chain is broken, or a circle. */
static bool strip_typedefs(const struct type *t, struct type *to)
{
    *to = *t;
    for (unsigned i = 0; to->die.addr && i < MAX_CHAIN; i++) {
        struct type next;
        switch (dwarf_tag(&to->die)) {
        case DW_TAG_typedef: case DW_TAG_const_type: case DW_TAG_volatile_type:
        case DW_TAG_restrict_type: case DW_TAG_atomic_type:
            if (!type_of(&to->die, &next))
                return false;
            next.stars = to->stars;
            next.dim = to->dim;
            *to = next;
            break;
        default:
            return true;
        }
    }
    return !to->die.addr;
}

/* The number that attribute `name` of an entry has; `none` if it has no such attribute. */
static uint64_t attribute_number(Dwarf_Die *die, unsigned name, uint64_t none)
{
    Dwarf_Attribute a;
    Dwarf_Word v;
    return dwarf_attr_integrate(die, name, &a) && dwarf_formudata(&a, &v) == 0 ? v : none;
}

enum type_kind type_kind(const struct type *t)
{
    struct type s;
    if (t->stars)
        return TYPE_POINTER;
    if (!t->die.addr)
        return !t->name ? TYPE_NONE : t->bytes ? TYPE_INTEGER : TYPE_VOID;
    if (!strip_typedefs(t, &s))
        return TYPE_VOID;
    if (!s.die.addr)
        return type_kind(&s);
    switch (dwarf_tag(&s.die)) {
    case DW_TAG_pointer_type:     return TYPE_POINTER;
    case DW_TAG_structure_type:
    case DW_TAG_union_type:       return TYPE_STRUCT;
    case DW_TAG_array_type:       return TYPE_ARRAY;
    case DW_TAG_enumeration_type: return TYPE_ENUM;
    case DW_TAG_subroutine_type:
    case DW_TAG_subprogram:       return TYPE_FUNCTION;
    case DW_TAG_base_type:
        return attribute_number(&s.die, DW_AT_encoding, 0) == DW_ATE_float ||
                       attribute_number(&s.die, DW_AT_byte_size, 0) > 8
                   ? TYPE_FLOAT
                   : TYPE_INTEGER;
    default:                      return TYPE_VOID;
    }
}

/* An array's entry has a child (DW_TAG_subrange_type) for each index.  Returns how many there
 * are, and in *count the length of the i-th: told directly or by the highest index; 0: not
 * told.  [DWARF 5 "Array Type Entries"] */
static unsigned dimensions(const struct type *array, unsigned i, uint64_t *count)
{
    Dwarf_Die sub, die = array->die;
    unsigned n = 0;
    *count = 0;
    if (dwarf_child(&die, &sub) == 0)
        do {
            if (dwarf_tag(&sub) != DW_TAG_subrange_type)
                continue;
            if (n++ == i) {
                uint64_t upper = attribute_number(&sub, DW_AT_upper_bound, UINT64_MAX);
                *count = attribute_number(&sub, DW_AT_count, upper == UINT64_MAX ? 0 : upper + 1);
            }
        } while (n < MAX_CHAIN && dwarf_siblingof(&sub, &sub) == 0);
    return n;
}

uint64_t type_count(const struct type *t)
{
    struct type s;
    uint64_t count = 0;
    if (!t->stars && strip_typedefs(t, &s) && s.die.addr && dwarf_tag(&s.die) == DW_TAG_array_type)
        dimensions(&s, s.dim, &count);
    return count;
}

/* An array has no size of its own; it is its length times the size of its elements. */
static uint64_t bytes_of(const struct debuginfo *d, const struct type *t, unsigned depth)
{
    struct type s, element;
    if (t->stars)
        return debuginfo_address_bytes(d);
    if (depth > MAX_CHAIN || !strip_typedefs(t, &s))
        return 0;
    if (!s.die.addr)
        return s.bytes;
    switch (dwarf_tag(&s.die)) {
    case DW_TAG_pointer_type:
        return debuginfo_address_bytes(d);
    case DW_TAG_array_type: {
        uint64_t n = type_count(&s),
                 one = type_target(&s, &element) ? bytes_of(d, &element, depth + 1) : 0;
        return one && n <= UINT64_MAX / one ? n * one : 0;
    }
    default:
        return attribute_number(&s.die, DW_AT_byte_size, 0);
    }
}

uint64_t type_bytes(const struct debuginfo *d, const struct type *t)
{
    return bytes_of(d, t, 0);
}

/* How a base type is to be read (DW_ATE_signed, DW_ATE_boolean ...), for an enumeration that
 * of the integer it is stored in; 0: neither.  [DWARF 5 "Base Type Entries"] */
static uint64_t encoding(const struct type *t)
{
    struct type s;
    if (t->stars || !strip_typedefs(t, &s) || !s.die.addr)
        return 0;
    if (dwarf_tag(&s.die) == DW_TAG_base_type)
        return attribute_number(&s.die, DW_AT_encoding, 0);
    struct type under;                          /* of an enumeration */
    if (dwarf_tag(&s.die) == DW_TAG_enumeration_type && dwarf_hasattr(&s.die, DW_AT_type) &&
        type_of(&s.die, &under) && under.die.addr && strip_typedefs(&under, &s) && s.die.addr)
        return attribute_number(&s.die, DW_AT_encoding, 0);
    return 0;
}

bool type_is_signed(const struct type *t)
{
    struct type s;
    if (!t->stars && strip_typedefs(t, &s) && !s.die.addr)
        return s.is_signed;
    uint64_t e = encoding(t);
    return e == DW_ATE_signed || e == DW_ATE_signed_char;
}

/* By the name, because the encoding of uint8_t is that of a character too. */
bool type_is_char(const struct type *t)
{
    uint64_t e = encoding(t);
    struct type s;
    char name[40];
    if (t->stars || !strip_typedefs(t, &s) ||
        (s.die.addr ? e != DW_ATE_signed_char && e != DW_ATE_unsigned_char : !s.name))
        return false;
    return strcmp(type_name(&s, name, sizeof name), "char") == 0;    /* a uint8_t is a number */
}

bool type_is_bool(const struct type *t)
{
    if (!t->die.addr && t->name && !t->stars)
        return strcmp(t->name, "_Bool") == 0;
    return encoding(t) == DW_ATE_boolean;
}

struct type type_pointer_to(const struct type *t)
{
    struct type p = *t;
    p.stars++;
    return p;
}

struct type type_plain(const struct debuginfo *d, const struct type *t)
{
    struct type s, to;
    enum type_kind kind = type_kind(t);
    if (!t->die.addr || t->stars || !strip_typedefs(t, &s))
        return *t;
    if (kind == TYPE_POINTER && type_target(&s, &to))
        return type_pointer_to(&to);
    if (kind != TYPE_INTEGER && kind != TYPE_ENUM)
        return *t;
    const char *name = type_is_bool(t) ? "_Bool" : s.die.addr ? dwarf_diename(&s.die) : s.name;
    return type_integer(name ? name : "enum", (unsigned)type_bytes(d, t), type_is_signed(t));
}

/* An array with several indices is one entry; taking one index only counts `dim` up, and after
 * the last comes the type of the elements. */
bool type_target(const struct type *t, struct type *to)
{
    struct type s;
    uint64_t count;
    *to = *t;
    if (t->stars) {
        to->stars--;
        return true;
    }
    if (!strip_typedefs(t, &s) || !s.die.addr)
        return false;
    switch (dwarf_tag(&s.die)) {
    case DW_TAG_array_type:
        if (s.dim + 1u < dimensions(&s, 0, &count)) {
            *to = s;
            to->dim++;
            return true;
        }
        return type_of(&s.die, to);
    case DW_TAG_pointer_type:
    case DW_TAG_subroutine_type:
    case DW_TAG_subprogram:
        return type_of(&s.die, to);
    default:
        return false;
    }
}

/* ---- members ---- */

/* Bit fields are told in two ways.  Since DWARF 4 by the number of bits from the start of the
 * struct (DW_AT_data_bit_offset).  Before, by the storage unit that the compiler reads and the
 * number of bits from that unit's *highest* bit, so on a little-endian machine we count from
 * the other end.  [DWARF 5 "Data Member Entries"] */
static void read_member(const struct debuginfo *d, Dwarf_Die *die, struct type_member *m)
{
    const char *name = dwarf_diename(die);
    m->name = name ? name : "";
    m->offset = attribute_number(die, DW_AT_data_member_location, 0);
    m->bit_size = (unsigned)attribute_number(die, DW_AT_bit_size, 0);
    m->bit_offset = 0;
    if (m->bit_size > 64)
        m->bit_size = 0;
    if (m->bit_size && dwarf_hasattr(die, DW_AT_data_bit_offset)) {
        uint64_t bit = attribute_number(die, DW_AT_data_bit_offset, 0);
        m->offset = bit / 8;
        m->bit_offset = bit % 8;
    } else if (m->bit_size) {                   /* DWARF 3 counts from the other end */
        uint64_t unit = 8 * attribute_number(die, DW_AT_byte_size, type_bytes(d, &m->type));
        uint64_t bit = unit - attribute_number(die, DW_AT_bit_offset, 0) - m->bit_size;
        m->offset += bit / 8;
        m->bit_offset = bit % 8;
    }
    if (m->bit_offset + m->bit_size > 64)
        m->bit_size = 0;
}

/* The first child of a struct or union; false: it has none, or t is something else. */
static bool first_member(const struct type *t, Dwarf_Die *child)
{
    struct type s;
    return type_kind(t) == TYPE_STRUCT && strip_typedefs(t, &s) && dwarf_child(&s.die, child) == 0;
}

bool type_member_at(const struct debuginfo *d, const struct type *t, unsigned i,
                    struct type_member *m)
{
    Dwarf_Die child;
    if (i >= MAX_MEMBERS || !first_member(t, &child))
        return false;
    do
        if (dwarf_tag(&child) == DW_TAG_member && !i--) {
            bool ok = type_of(&child, &m->type);
            read_member(d, &child, m);
            return ok;
        }
    while (dwarf_siblingof(&child, &child) == 0);
    return false;
}

/* Members of a struct without a name count as the outer struct's, as in C11. */
static bool find_member(const struct debuginfo *d, const struct type *t, const char *name,
                        size_t len, struct type_member *m, unsigned depth)
{
    Dwarf_Die child;
    struct type_member inner;
    unsigned n = 0;
    if (depth > MAX_NESTING || !first_member(t, &child))
        return false;
    do {
        if (dwarf_tag(&child) != DW_TAG_member || !type_of(&child, &m->type))
            continue;
        read_member(d, &child, m);
        if (strncmp(m->name, name, len) == 0 && !m->name[len] && len)
            return true;
        if (m->name[0] || !find_member(d, &m->type, name, len, &inner, depth + 1))
            continue;
        inner.offset += m->offset;
        *m = inner;
        return true;
    } while (++n < MAX_MEMBERS && dwarf_siblingof(&child, &child) == 0);
    return false;
}

bool type_member(const struct debuginfo *d, const struct type *t, const char *name, size_t len,
                 struct type_member *m)
{
    return find_member(d, t, name, len, m, 0);
}

/* ---- names ---- */

/* Append to the string in buf, which has room for n bytes.  What comes from the file is
 * printed only if it is printable. */
static void append(char *buf, size_t n, const char *text)
{
    size_t at = strlen(buf);
    for (; *text && at + 1 < n; text++)
        buf[at++] = (unsigned char)*text < ' ' || (unsigned char)*text > 126 ? '?' : *text;
    buf[at] = 0;
}

/* The same in front of the string. */
static void prepend(char *buf, size_t n, const char *text)
{
    char all[400] = "";
    append(all, sizeof all, text);
    append(all, sizeof all, buf);
    buf[0] = 0;
    append(buf, n, all);
}

/* Values are compared in 32 bits: compilers store -1 both with and without sign extension. */
const char *type_enumerator(const struct type *t, uint64_t value, char *buf, size_t n)
{
    struct type s;
    Dwarf_Die child;
    unsigned left = MAX_MEMBERS;
    if (t->stars || !strip_typedefs(t, &s) || !s.die.addr ||
        dwarf_tag(&s.die) != DW_TAG_enumeration_type || dwarf_child(&s.die, &child))
        return NULL;
    do {
        Dwarf_Attribute a;
        Dwarf_Sword v;
        if (dwarf_tag(&child) != DW_TAG_enumerator || !dwarf_attr(&child, DW_AT_const_value, &a) ||
            dwarf_formsdata(&a, &v) || (uint32_t)v != (uint32_t)value)
            continue;
        buf[0] = 0;
        append(buf, n, dwarf_diename(&child) ? dwarf_diename(&child) : "?");
        return buf;
    } while (--left && dwarf_siblingof(&child, &child) == 0);
    return NULL;
}

static const char *tag_word(Dwarf_Die *die)
{
    switch (dwarf_tag(die)) {
    case DW_TAG_structure_type:   return "struct ";
    case DW_TAG_union_type:       return "union ";
    case DW_TAG_enumeration_type: return "enum ";
    case DW_TAG_const_type:       return "const ";
    case DW_TAG_volatile_type:    return "volatile ";
    default:                      return "";
    }
}

/* Put [n] or () behind the declarator.  If it begins with a * that must come first, so it
 * needs brackets: *x[4] would be an array of pointers, (*x)[4] is a pointer to an array. */
static void put_behind(char *text, size_t n, const char *what)
{
    if (text[0] == '*')
        prepend(text, n, "("), append(text, n, ")");
    append(text, n, what);
}

/* Write a declaration as C has it, from the inside out.  `text` is what has been written so
 * far, at first the name: a pointer puts * in front of it, an array [n] behind it, and
 * brackets are needed where a * in front meets [n] or () behind.  For example an array of 4
 * pointers to functions that return int:
 *
 *     table   ->  table[4]   ->  *table[4]   ->  (*table[4])()   ->  int (*table[4])() */
static void declare(struct type t, char *text, size_t n, unsigned depth)
{
    char count[32];
    for (; t.stars; t.stars--)
        prepend(text, n, "*");
    if (depth > MAX_CHAIN)
        return;
    if (!t.die.addr) {
        prepend(text, n, text[0] && text[0] != '[' ? " " : "");
        prepend(text, n, t.name ? t.name : "number");
        return;
    }
    int tag = dwarf_tag(&t.die);
    const char *name = dwarf_diename(&t.die);
    struct type to;
    if (tag == DW_TAG_pointer_type) {
        prepend(text, n, "*");
    } else if (tag == DW_TAG_array_type) {
        uint64_t c = type_count(&t);
        snprintf(count, sizeof count, c ? "[%" PRIu64 "]" : "[]", c);
        put_behind(text, n, count);
    } else if (tag == DW_TAG_subroutine_type || tag == DW_TAG_subprogram) {
        put_behind(text, n, "()");
    } else if ((tag == DW_TAG_const_type || tag == DW_TAG_volatile_type) && type_of(&t.die, &to)) {
        if (type_kind(&to) == TYPE_POINTER) {
            prepend(text, n, text[0] ? " " : "");
            prepend(text, n, tag == DW_TAG_const_type ? "const" : "volatile");
            declare(to, text, n, depth + 1);
        } else {
            declare(to, text, n, depth + 1);
            prepend(text, n, tag_word(&t.die));
        }
        return;
    } else {
        prepend(text, n, text[0] ? " " : "");
        prepend(text, n, name ? name : "{...}");
        prepend(text, n, tag_word(&t.die));
        return;
    }
    if (type_target(&t, &to))
        declare(to, text, n, depth + 1);
}

/* The type around a name, as in a declaration: "int (*table[4])()". */
static char *type_declare(const struct type *t, const char *name, char *buf, size_t n)
{
    buf[0] = 0;
    append(buf, n, name);
    declare(*t, buf, n, 0);
    return buf;
}

char *type_name(const struct type *t, char *buf, size_t n)
{
    return type_declare(t, "", buf, n);
}

/* ---- ptype ---- */

static void describe_enum(const struct type *s, FILE *out)
{
    Dwarf_Die child, die = s->die;
    unsigned n = 0;
    if (dwarf_child(&die, &child))
        return;
    do {
        Dwarf_Attribute a;
        Dwarf_Sword v = 0;
        char name[120] = "";
        if (dwarf_tag(&child) != DW_TAG_enumerator)
            continue;
        if (dwarf_attr(&child, DW_AT_const_value, &a))
            dwarf_formsdata(&a, &v);
        append(name, sizeof name, dwarf_diename(&child) ? dwarf_diename(&child) : "?");
        fprintf(out, "%12" PRId64 "  %s\n", (int64_t)v, name);
    } while (++n < MAX_MEMBERS && dwarf_siblingof(&child, &child) == 0);
}

/* A line for each member, with its offset from the outermost struct and its size; members of
 * unnamed structs within are indented. */
static void describe_members(const struct debuginfo *d, const struct type *t, uint64_t base,
                             FILE *out, unsigned depth)
{
    struct type_member m;
    char text[300];
    for (unsigned i = 0; type_member_at(d, t, i, &m); i++) {
        fprintf(out, "%6" PRIu64 " %6" PRIu64 "  %*s%s", base + m.offset, type_bytes(d, &m.type),
                (int)(4 * depth), "", type_declare(&m.type, m.name, text, sizeof text));
        fprintf(out, m.bit_size ? " : %u;\n" : ";\n", m.bit_size);
        if (!m.name[0] && depth < MAX_NESTING)
            describe_members(d, &m.type, base + m.offset, out, depth + 1);
    }
}

void type_describe(const struct debuginfo *d, const struct type *t, FILE *out)
{
    char text[300];
    struct type s = *t;
    uint64_t bytes = type_bytes(d, t);
    enum type_kind kind = type_kind(t);
    fprintf(out, "%s", type_name(t, text, sizeof text));
    if (!t->stars && strip_typedefs(t, &s) && s.die.addr &&
        dwarf_tag(&s.die) != dwarf_tag((Dwarf_Die *)(uintptr_t)&t->die))
        fprintf(out, " = %s", type_name(&s, text, sizeof text));
    fprintf(out, bytes ? ": %" PRIu64 " bytes\n" : "\n", bytes);
    if (kind == TYPE_STRUCT) {
        fputs("offset  bytes\n", out);
        describe_members(d, &s, 0, out, 0);
    } else if (kind == TYPE_ENUM) {
        describe_enum(&s, out);
    }
}
