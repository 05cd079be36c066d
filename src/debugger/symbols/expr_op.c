/*
 * debugger/symbols/expr_op.c -- the operators of expressions, as C has them but in 64 bits.
 *
 * Which type an operation has: without types, an unsigned 64-bit number; with types, what C's
 * conversions would say, except that all that would be int or long is a signed 64-bit number.
 */
#include <errno.h>

#include "debugger/symbols/expr_private.h"

/* C's integer promotions: what is narrower than int becomes int, which here is 64 bits and
 * signed; an unsigned int stays unsigned.  Pointers count as unsigned.  A function is an
 * address whose arithmetic counts bytes, like an untyped number. */
struct type expr_promoted(const struct value *v)
{
    enum type_kind kind = type_kind(&v->type);
    if (kind == TYPE_NONE || kind == TYPE_FUNCTION)     /* code is counted in bytes */
        return (struct type){ .bytes = 0 };
    if (kind != TYPE_INTEGER && kind != TYPE_ENUM)
        return type_integer("unsigned long", 8, false);
    struct type t = v->type;
    uint64_t bytes = type_bytes(NULL, &t);
    if (type_is_signed(&t) || bytes < 4)
        return type_integer("long", 8, true);
    return bytes == 4 ? type_integer("unsigned int", 4, false)
                      : type_integer("unsigned long", 8, false);
}

/* C's usual arithmetic conversions: unsigned if an operand is an unsigned 64-bit number, else
 * signed, into which an unsigned int fits.  A number without a type takes the other's; two of
 * them stay without. */
static struct type common_type(const struct value *a, const struct value *b)
{
    struct type x = expr_promoted(a), y = expr_promoted(b);
    if (type_kind(&x) == TYPE_NONE)
        x = y;
    if (type_kind(&y) == TYPE_NONE)
        y = x;
    if (type_kind(&x) == TYPE_NONE)
        return x;
    bool is_unsigned = (x.bytes == 8 && !x.is_signed) || (y.bytes == 8 && !y.is_signed);
    return is_unsigned ? type_integer("unsigned long", 8, false) : type_integer("long", 8, true);
}

static bool is_comparison(enum op op)
{
    return (op >= OP_LE && op <= OP_NE) || op == OP_LAND || op == OP_LOR;
}

/* 1 or 0.  LAND and LOR come here with both sides known. */
static uint64_t compare(enum op op, uint64_t a, uint64_t b, bool is_signed)
{
    bool less = is_signed ? (int64_t)a < (int64_t)b : a < b, equal = a == b;
    switch (op) {
    case OP_LE: return less || equal;
    case OP_GE: return !less;
    case OP_LT: return less;
    case OP_GT: return !less && !equal;
    case OP_EQ: return equal;
    case OP_NE: return !equal;
    case OP_LAND: return a && b;
    default: return a || b;
    }
}

/* Nothing may make our processor trap: it would for a divisor of 0 and, signed, for the least
 * number divided by -1, whose quotient does not fit. */
static uint64_t divide(struct parser *p, enum op op, uint64_t a, uint64_t b, bool is_signed)
{
    if (!b) {
        if (!p->skipping)
            complain(p, -EINVAL, "this divides by zero");
        return 0;
    }
    if (is_signed && b == UINT64_MAX)           /* the one quotient that may not fit */
        return op == OP_DIV ? -a : 0;
    if (is_signed)
        return (uint64_t)(op == OP_DIV ? (int64_t)a / (int64_t)b : (int64_t)a % (int64_t)b);
    return op == OP_DIV ? a / b : a % b;
}

/* Shifts by 64 or more, undefined in C, shift everything out. */
static uint64_t compute(struct parser *p, enum op op, uint64_t a, uint64_t b, bool is_signed)
{
    switch (op) {
    case OP_MUL:  return a * b;
    case OP_ADD:  return a + b;
    case OP_SUB:  return a - b;
    case OP_SHL:  return b < 64 ? a << b : 0;
    case OP_SHR:
        return is_signed ? (uint64_t)((int64_t)a >> (b < 64 ? b : 63)) : b < 64 ? a >> b : 0;
    case OP_AND:  return a & b;
    case OP_XOR:  return a ^ b;
    case OP_OR:   return a | b;
    case OP_DIV:
    case OP_MOD:  return divide(p, op, a, b, is_signed);
    default:      return compare(op, a, b, is_signed);
    }
}

static bool is_pointer(const struct value *v)
{
    return type_kind(&v->type) == TYPE_POINTER || type_kind(&v->type) == TYPE_ARRAY;
}

/* Sums with pointers count in elements: p + 1 is the next element, and the difference of two
 * pointers is how many elements lie between. x and y are the numbers of a and b.  Where the
 * size of an element is not known (void), it is 1, as with GCC. */
static struct value on_pointers(struct parser *p, enum op op, const struct value *a,
                                const struct value *b, uint64_t x, uint64_t y)
{
    const struct value *pointer = is_pointer(a) ? a : b;
    struct value out = { .type = pointer->type };
    struct type to;
    type_target(&pointer->type, &to);
    uint64_t bytes = type_bytes(p->m->info, &to);
    if (!bytes)
        bytes = 1;
    if (is_pointer(a) && is_pointer(b)) {
        out.type = type_integer("long", 8, true);
        out.bits = (uint64_t)((int64_t)(x - y) / (int64_t)bytes);
        return out;
    }
    if (type_kind(&out.type) == TYPE_ARRAY)
        out.type = type_pointer_to(&to);
    out.bits = op == OP_SUB ? x - y * bytes : is_pointer(a) ? x + y * bytes : x * bytes + y;
    return out;
}

/* A comparison of typed operands is an int, as in C. */
struct value expr_apply(struct parser *p, enum op op, const struct value *a, const struct value *b)
{
    struct value out = { .type = common_type(a, b) };
    uint64_t x = expr_load(p, a), y = expr_load(p, b);
    if ((op == OP_ADD || op == OP_SUB) && (is_pointer(a) || (op == OP_ADD && is_pointer(b))))
        return on_pointers(p, op, a, b, x, y);
    bool is_signed = type_is_signed(&out.type);
    if (is_comparison(op) && type_kind(&out.type) != TYPE_NONE)
        out.type = type_integer("int", 4, true);
    out.bits = compute(p, op, x, y, is_signed);
    return out;
}
