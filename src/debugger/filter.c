/*
 * debugger/filter.c -- does this event match?
 */
#include "debugger/filter.h"

#include "debugger/filter_tree.h"

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
        return trace_field_kinds(n->field);
    uint64_t kinds = 0;
    for (unsigned k = 0; k < 64; k++) {
        bool inside = k >= n->lo && k <= n->hi;
        if (n->op == F_HAS || inside == (n->op == F_RANGE))
            kinds |= BIT(k);
    }
    return kinds;
}

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
