/*
 * debugger/trace/filter.c -- does this event match?  Can this block hold one that
 * does?  Which of these 64 do?
 */
#include "debugger/trace/filter.h"

#include "debugger/trace/columns.h"
#include "debugger/trace/file.h"
#include "debugger/trace/filter_tree.h"
#include "debugger/trace/format.h"

/* A comparison.  A field that the event does not have makes it false, whatever it asks. */
static bool test_matches(const struct filter_node *n, const struct trace_event *e)
{
    uint64_t v;
    if (!trace_field_value(n->field, e, &v))
        return false;
    switch (n->op) {
    case F_RANGE:   return v >= n->lo && v <= n->hi;
    case F_OUTSIDE: return v < n->lo || v > n->hi;
    case F_BITS:    return v & n->lo;
    default:        return true;
    }
}

static bool node_matches(const struct filter *f, size_t i, const struct trace_event *e)
{
    const struct filter_node *n = &f->node[i];
    switch (n->op) {
    case F_AND: return node_matches(f, n->left, e) && node_matches(f, n->right, e);
    case F_OR:  return node_matches(f, n->left, e) || node_matches(f, n->right, e);
    case F_NOT: return !node_matches(f, n->left, e);
    default:    return test_matches(n, e);
    }
}

bool filter_match(const struct filter *f, const struct trace_event *e)
{
    return f->n == 0 || node_matches(f, f->n - 1, e);
}

/* Tests of the kind itself say which; of another field, those that have it. */
static uint64_t kinds_of_test(const struct filter_node *n)
{
    if (n->field->look != KIND || n->op == F_BITS)
        return n->field->kinds;
    uint64_t kinds = 0;
    for (unsigned k = 0; k < 64; k++) {
        bool inside = k >= n->lo && k <= n->hi;
        if (n->op == F_HAS || inside == (n->op == F_RANGE))
            kinds |= BIT(k);
    }
    return kinds;
}

/* Which kinds of events can make this node true?  Of a negation nothing is known: an event
 * without the field makes it true as well. */
static uint64_t node_kinds(const struct filter *f, size_t i)
{
    const struct filter_node *n = &f->node[i];
    switch (n->op) {
    case F_AND: return node_kinds(f, n->left) & node_kinds(f, n->right);
    case F_OR:  return node_kinds(f, n->left) | node_kinds(f, n->right);
    case F_NOT: return ~UINT64_C(0);
    default:    return kinds_of_test(n);
    }
}

uint64_t filter_kinds(const struct filter *f)
{
    return f->n ? node_kinds(f, f->n - 1) : ~UINT64_C(0);
}

/*
 * Blocks, by what they say of themselves
 */

/* Can a block hold an event that passes this test?  Ranges are looked up in its summary and
 * index; for other tests it is enough that kinds with that field occur. */
static bool test_may_match(const struct filter_node *n, const struct trace_file *file, size_t i)
{
    if (n->op == F_RANGE)
        return trace_file_may_hold(file, i, n->field, n->lo, n->hi);
    return trace_file_block(file, i)->kinds & n->field->kinds;
}

static bool node_may_match(const struct filter *f, size_t node, const struct trace_file *file,
                           size_t i)
{
    const struct filter_node *n = &f->node[node];
    switch (n->op) {
    case F_AND: return node_may_match(f, n->left, file, i) && node_may_match(f, n->right, file, i);
    case F_OR:  return node_may_match(f, n->left, file, i) || node_may_match(f, n->right, file, i);
    case F_NOT: return true;
    default:    return test_may_match(n, file, i);
    }
}

bool filter_may_match(const struct filter *f, const struct trace_file *file, size_t i)
{
    if (f->n == 0)
        return true;
    return trace_file_block(file, i)->kinds & filter_kinds(f) &&
           node_may_match(f, f->n - 1, file, i);
}

/*
 * Blocks, column by column: 64 events at a time become the bits of a word.
 * `wanted` has those whose answer matters; where it is 0 nothing is looked at,
 * and columns that no test has wanted are never unpacked.
 */

/* Events first to first + n - 1 of a block, n at most 64. */
struct window { struct trace_columns *columns; size_t first, n; };

/* Does the value pass the test?  `v - lo <= hi - lo` is lo <= v <= hi with one comparison:
 * below lo the subtraction wraps around to a large number. */
static bool holds(const struct filter_node *n, uint64_t v)
{
    return n->op == F_RANGE ? v - n->lo <= n->hi - n->lo
         : n->op == F_OUTSIDE ? v - n->lo > n->hi - n->lo
         : n->op == F_BITS ? (v & n->lo) != 0 : true;
}

static bool select_kind(const struct filter_node *n, const struct window *w, uint64_t *bits)
{
    const uint8_t *kind = trace_columns_kinds(w->columns);
    if (!kind)
        return false;
    for (size_t i = 0; i < w->n; i++)
        *bits |= (uint64_t)holds(n, kind[w->first + i]) << i;
    return true;
}

/* A field that every event has in the same place. */
static bool select_plain(const struct filter_node *n, const struct window *w, uint64_t *bits)
{
    const struct trace_field_source *s = &n->field->of_kind[0];
    const uint64_t *word = trace_columns_word(w->columns, s->word);
    if (!word)
        return false;
    for (size_t i = 0; i < w->n; i++)
        *bits |= (uint64_t)holds(n, trace_field_extract(s, word[w->first + i])) << i;
    return true;
}

/* The field "cause" is the event's number minus the distance that is stored; 0 means none. */
static bool select_cause(const struct filter_node *n, const struct window *w, uint64_t *bits)
{
    const uint64_t *seq = trace_columns_word(w->columns, 0),
                   *meta = trace_columns_word(w->columns, 7);
    if (!seq || !meta)
        return false;
    for (size_t i = 0; i < w->n; i++) {
        uint64_t now = seq[w->first + i], back = meta[w->first + i] & UINT32_MAX;
        *bits |= (uint64_t)(back && back < now && holds(n, now - back)) << i;
    }
    return true;
}

/* The offset in CS: where a place has no base to subtract, all of RIP. */
static bool select_ip(const struct filter_node *n, const struct window *w, uint64_t *bits)
{
    const uint64_t *linear = trace_columns_word(w->columns, COLUMN_RIP),
                   *base = trace_columns_word(w->columns, TRACE_WORD_BASE);
    if (!linear || !base)
        return false;
    for (size_t i = 0; i < w->n; i++) {
        uint64_t at = linear[w->first + i], from = base[w->first + i];
        *bits |= (uint64_t)holds(n, from ? (uint32_t)(at - from) : at) << i;
    }
    return true;
}

/* Where an EXIT has the field: found out once for a run of the same reason. */
struct finder { const uint64_t *reasons; uint64_t reason; const struct trace_field_source *s; };

static const struct trace_field_source *find_in_exit(struct finder *d, const struct trace_field *f,
                                                     size_t i)
{
    if (d->reasons[i] != d->reason) {
        d->reason = d->reasons[i];
        int exit = d->reason <= UINT32_MAX ? exit_index((unsigned)d->reason) : -1;
        d->s = exit >= 0 && f->of_exit[exit].is ? &f->of_exit[exit] : NULL;
    }
    return d->s;
}

/* A field that different kinds of events have in different places: go from wanted event to
 * wanted event.  Columns are unpacked when the first event needs one. */
static bool select_by_kind(const struct filter_node *n, const struct window *w, uint64_t wanted,
                           uint64_t *bits)
{
    const uint64_t *word[TRACE_EVENT_WORDS] = { NULL };
    struct finder exits = { .reason = UINT64_MAX };
    const uint8_t *kind = trace_columns_kinds(w->columns);
    uint64_t kinds = n->field->kinds & (BIT(N_TRACE_KINDS) - 1);
    if (!kind)
        return false;
    for (; wanted; wanted &= wanted - 1) {
        size_t bit = (size_t)__builtin_ctzll(wanted), i = w->first + bit;
        if (kind[i] >= N_TRACE_KINDS || !(kinds & BIT(kind[i])))
            continue;
        const struct trace_field_source *s = &n->field->of_kind[kind[i]];
        if (!s->is) {           /* an EXIT, then */
            if (!exits.reasons && !(exits.reasons = trace_columns_word(w->columns, 4)))
                return false;
            if (!(s = find_in_exit(&exits, n->field, i)))
                continue;
        }
        if (!word[s->word] && !(word[s->word] = trace_columns_word(w->columns, s->word)))
            return false;
        *bits |= (uint64_t)holds(n, trace_field_extract(s, word[s->word][i])) << bit;
    }
    return true;
}

/* One comparison over a window: the fastest way that the field allows. */
static bool select_test(const struct filter_node *n, const struct window *w, uint64_t wanted,
                        uint64_t *bits)
{
    *bits = 0;
    if (trace_field_role(n->field) == ROLE_CAUSE)
        return select_cause(n, w, bits);
    if (trace_field_role(n->field) == ROLE_IP)
        return select_ip(n, w, bits);
    if (n->field->look == KIND)
        return select_kind(n, w, bits);
    if (n->field->kinds == ~UINT64_C(0))
        return select_plain(n, w, bits);
    return select_by_kind(n, w, wanted, bits);
}

static bool select_node(const struct filter *f, size_t node, const struct window *w,
                        uint64_t wanted, uint64_t *bits)
{
    const struct filter_node *n = &f->node[node];
    uint64_t more = 0;
    *bits = 0;
    if (!wanted)
        return true;
    switch (n->op) {
    case F_AND:
        return select_node(f, n->left, w, wanted, bits) && select_node(f, n->right, w, *bits, bits);
    case F_OR:
        if (!select_node(f, n->left, w, wanted, bits) ||
            !select_node(f, n->right, w, wanted & ~*bits, &more))
            return false;
        *bits |= more;
        return true;
    case F_NOT:
        if (!select_node(f, n->left, w, wanted, bits))
            return false;
        *bits = wanted & ~*bits;
        return true;
    default:
        if (!select_test(n, w, wanted, bits))
            return false;
        *bits &= wanted;
        return true;
    }
}

bool filter_select(const struct filter *f, struct trace_columns *c, size_t first, size_t n,
                   uint64_t *bits)
{
    struct window w = { c, first, n < 64 ? n : 64 };
    uint64_t all = w.n == 64 ? ~UINT64_C(0) : BIT(w.n) - 1;
    if (f->n)
        return select_node(f, f->n - 1, &w, all, bits);
    *bits = all;
    return true;
}
