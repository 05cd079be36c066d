/*
 * debugger/symbols/type_parse.c -- words, then stars: "const unsigned char **".
 *
 * Arrays and functions are not read: C does not allow them in casts either, only pointers to
 * them, which nobody types.
 */
#include "debugger/symbols/type_parse.h"

#include <ctype.h>
#include <dwarf.h>
#include <string.h>

/* How often each of C's own words was read: in C they may stand in any order ("long
 * unsigned"). */
struct words { unsigned n_long, n_short, is_unsigned, is_signed, is_char, is_int, is_bool,
               is_void; };

/* How long the word at `at` is; 0: none begins there. */
static size_t word_length(const char *at)
{
    size_t n = 0;
    while (isalnum((unsigned char)at[n]) || at[n] == '_')
        n++;
    return isdigit((unsigned char)at[0]) ? 0 : n;
}

static size_t blanks_length(const char *at)
{
    size_t n = 0;
    while (isspace((unsigned char)at[n]))
        n++;
    return n;
}

static bool word_is(const char *at, size_t n, const char *what)
{
    return strlen(what) == n && strncmp(at, what, n) == 0;
}

/* Count one of C's own words; false: it is none. */
static bool take_word(struct words *w, const char *at, size_t n)
{
    struct { const char *word; unsigned *count;
    } known[] = {
        { "long", &w->n_long },      { "short", &w->n_short }, { "unsigned", &w->is_unsigned },
        { "signed", &w->is_signed }, { "char", &w->is_char },  { "int", &w->is_int },
        { "_Bool", &w->is_bool },    { "bool", &w->is_bool },  { "void", &w->is_void },
    };
    for (size_t i = 0; i < NELEM(known); i++)
        if (word_is(at, n, known[i].word)) {
            ++*known[i].count;
            return true;
        }
    return false;
}

/* What the words mean.  `long` is as wide as an address, as in the ABIs of Linux. */
static struct type plain_integer(const struct words *w, unsigned address_bytes)
{
    bool u = w->is_unsigned;
    if (w->is_void)
        return type_integer("void", 0, false);
    if (w->is_bool)
        return type_integer("_Bool", 1, false);
    if (w->is_char)
        return type_integer(u ? "unsigned char" : w->is_signed ? "signed char" : "char", 1, !u);
    if (w->n_short)
        return type_integer(u ? "unsigned short" : "short", 2, !u);
    if (w->n_long > 1)
        return type_integer(u ? "unsigned long long" : "long long", 8, !u);
    if (w->n_long)
        return type_integer(u ? "unsigned long" : "long", address_bytes, !u);
    return type_integer(u ? "unsigned int" : "int", 4, !u);
}

/* The type of this name in the debug information. */
static bool find_type(struct debuginfo *d, unsigned kinds, const char *name, size_t n, uint64_t pc,
                      struct type *t)
{
    Dwarf_Die die;
    const struct debuginfo_name *found = debuginfo_find(d, kinds, name, n, pc);
    return found && debuginfo_die(d, found->die, &die) && type_from(&die, t);
}

/* struct, union or enum NAME, of which the first word was read already. */
static bool find_tagged_type(struct debuginfo *d, const char *at, size_t n, uint64_t pc,
                             unsigned tag, struct type *t)
{
    return n && find_type(d, DEBUGINFO_TAG, at, n, pc, t) && dwarf_tag(&t->die) == (int)tag;
}

/* Which kind of entry the word says that a tag follows for; 0: it says nothing of the kind. */
static unsigned tag_of(const char *at, size_t n)
{
    return word_is(at, n, "struct") ? DW_TAG_structure_type
         : word_is(at, n, "union")  ? DW_TAG_union_type
         : word_is(at, n, "enum")   ? DW_TAG_enumeration_type : 0;
}

/* `end` is behind the last byte that belongs to the type: what was read ahead, such as blanks,
 * does not count. */
size_t type_parse(struct debuginfo *d, unsigned address_bytes, uint64_t pc, const char *text,
                  struct type *t, bool *unknown)
{
    struct words w = { 0 };
    bool named = false, plain = false;
    const char *at = text + blanks_length(text), *end = at;
    for (size_t n; (n = word_length(at)) > 0; at += n, end = at, at += blanks_length(at)) {
        unsigned tag = tag_of(at, n);
        if (word_is(at, n, "const") || word_is(at, n, "volatile"))
            continue;
        if (tag && !named && !plain) {
            at += n + blanks_length(at + n);
            n = word_length(at);
            named = find_tagged_type(d, at, n, pc, tag, t);
            if (!named && unknown)
                *unknown = true;
            if (!named)
                return 0;
        } else if (!named && take_word(&w, at, n)) {
            plain = true;
        } else if (named || plain || !(named = find_type(d, DEBUGINFO_TYPE, at, n, pc, t))) {
            break;
        }
    }
    if (!named && !plain)
        return 0;
    if (plain)
        *t = plain_integer(&w, address_bytes);
    for (at = end + blanks_length(end); *at == '*' && t->stars < 8; at += blanks_length(at)) {
        t->stars++;
        end = ++at;
    }
    return (size_t)(end - text);
}
