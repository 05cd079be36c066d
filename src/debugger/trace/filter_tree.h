/*
 * debugger/trace/filter_tree.h -- what the parser of filters makes and the evaluator
 * runs: a tree in an array, children before their parents, so the last node is
 * the root.  Every comparison has become "is in lo..hi" or "has one of these
 * bits", on one field.
 */
#ifndef DEBUGGER_TRACE_FILTER_TREE_H
#define DEBUGGER_TRACE_FILTER_TREE_H

#include "debugger/trace/field.h"

#define FILTER_MAX_NODES 256

enum filter_op { F_AND, F_OR, F_NOT, F_HAS, F_RANGE, F_OUTSIDE, F_BITS };

struct filter_node {
    enum filter_op op;
    uint16_t left, right;           /* AND, OR; NOT: left                    */
    const struct trace_field *field;      /* the others                            */
    uint64_t lo, hi;                /* RANGE, OUTSIDE: both included; BITS: lo */
};

struct filter {
    size_t             n;           /* 0: everything matches */
    struct filter_node node[FILTER_MAX_NODES];
};

#endif
