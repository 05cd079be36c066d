/*
 * debugger/vmm/gdb_agent.c -- gdb's byte code; see gdb_agent.h.
 *
 * Each instruction is a row: its length, what it takes from the stack and
 * leaves there.  agent_eval() looks after those; do_one() only computes.
 */
#include "debugger/vmm/gdb_agent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "debugger/symbols/gdb_regs.h"

#define STACK     64
#define STEPS_MAX 4096

/* The instructions that the conditions of breakpoints use; those for tracepoints and for
 * floating point are left out.  "Takes" and "leaves" are numbers on the stack: DIV takes
 * two and leaves one.  [GDB manual "Bytecode Descriptions"]
 *
 *    code  name          operand bytes, takes, leaves */
#define AGENT_LIST(X)                                                      \
    X(0x02, ADD,          0, 2, 1)  X(0x03, SUB,          0, 2, 1)         \
    X(0x04, MUL,          0, 2, 1)  X(0x05, DIV_SIGNED,   0, 2, 1)         \
    X(0x06, DIV_UNSIGNED, 0, 2, 1)  X(0x07, REM_SIGNED,   0, 2, 1)         \
    X(0x08, REM_UNSIGNED, 0, 2, 1)  X(0x09, LSH,          0, 2, 1)         \
    X(0x0a, RSH_SIGNED,   0, 2, 1)  X(0x0b, RSH_UNSIGNED, 0, 2, 1)         \
    X(0x0e, LOG_NOT,      0, 1, 1)  X(0x0f, BIT_AND,      0, 2, 1)         \
    X(0x10, BIT_OR,       0, 2, 1)  X(0x11, BIT_XOR,      0, 2, 1)         \
    X(0x12, BIT_NOT,      0, 1, 1)  X(0x13, EQUAL,        0, 2, 1)         \
    X(0x14, LESS_SIGNED,  0, 2, 1)  X(0x15, LESS_UNSIGNED,0, 2, 1)         \
    X(0x16, EXT,          1, 1, 1)  X(0x17, REF8,         0, 1, 1)         \
    X(0x18, REF16,        0, 1, 1)  X(0x19, REF32,        0, 1, 1)         \
    X(0x1a, REF64,        0, 1, 1)  X(0x20, IF_GOTO,      2, 1, 0)         \
    X(0x21, GOTO,         2, 0, 0)  X(0x22, CONST8,       1, 0, 1)         \
    X(0x23, CONST16,      2, 0, 1)  X(0x24, CONST32,      4, 0, 1)         \
    X(0x25, CONST64,      8, 0, 1)  X(0x26, REG,          2, 0, 1)         \
    X(0x27, END,          0, 1, 1)  X(0x28, DUP,          0, 1, 2)         \
    X(0x29, POP,          0, 1, 0)  X(0x2a, ZERO_EXT,     1, 1, 1)         \
    X(0x2b, SWAP,         0, 2, 2)  X(0x32, PICK,         1, 0, 1)         \
    X(0x33, ROT,          0, 3, 3)

enum {
#define X(code, name, operand, takes, leaves) OP_##name = code,
    AGENT_LIST(X)
#undef X
    N_OPS = 0x40
};

static const struct op { bool ok; uint8_t operand, takes, leaves; } ops[N_OPS] = {
#define X(code, name, operand, takes, leaves) [code] = { true, operand, takes, leaves },
    AGENT_LIST(X)
#undef X
};

/* One evaluation.  The stack has room for two numbers more than it may hold: do_one()
 * writes the result before the depth is changed, and stack[0] is below the first number. */
struct run {
    const uint8_t *code;
    size_t         n, at;
    uint64_t       stack[STACK + 2];            /* the last number is stack[depth]; [0] is none */
    unsigned       depth;
    const struct agent_machine *m;
    char          *why;
    size_t         n_why;
};

static int refuse(struct run *r, int err, const char *what)
{
    snprintf(r->why, r->n_why, "%s at byte %zu of its code", what, r->at);
    return err;
}

static uint64_t operand_of(const struct run *r, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)        /* big-endian */
        v = v << 8 | r->code[r->at + 1 + i];
    return v;
}

/* C leaves a division by 0 and INT64_MIN / -1 undefined, and both end the process on x86
 * [SDM 2A "IDIV-Signed Divide"]. The first is the code's mistake; the second is given the
 * value that wraps around. */
static int divide(struct run *r, unsigned op, uint64_t *a, uint64_t b)
{
    if (!b)
        return refuse(r, -EINVAL, "a division by 0");
    bool minus_one = b == ~UINT64_C(0);         /* the smallest number has no negative */
    switch (op) {
    case OP_DIV_SIGNED:   *a = minus_one ? -*a : (uint64_t)((int64_t)*a / (int64_t)b);  break;
    case OP_REM_SIGNED:   *a = minus_one ? 0 : (uint64_t)((int64_t)*a % (int64_t)b);    break;
    case OP_DIV_UNSIGNED: *a /= b;                                                      break;
    default:              *a %= b;                                                      break;
    }
    return 0;
}

/* By 64 or more: in C undefined, here what shifting one by one would give. */
static uint64_t shift(unsigned op, uint64_t a, uint64_t b)
{
    if (op == OP_RSH_SIGNED)
        return (uint64_t)((int64_t)a >> (b < 64 ? b : 63));
    return b > 63 ? 0 : op == OP_LSH ? a << b : a >> b;
}

/* Two numbers become one. */
static int combine(struct run *r, unsigned op, uint64_t *a, uint64_t b)
{
    switch (op) {
    case OP_ADD:           *a += b;                                break;
    case OP_SUB:           *a -= b;                                break;
    case OP_MUL:           *a *= b;                                break;
    case OP_BIT_AND:       *a &= b;                                break;
    case OP_BIT_OR:        *a |= b;                                break;
    case OP_BIT_XOR:       *a ^= b;                                break;
    case OP_EQUAL:         *a = *a == b;                           break;
    case OP_LESS_SIGNED:   *a = (int64_t)*a < (int64_t)b;          break;
    case OP_LESS_UNSIGNED: *a = *a < b;                            break;
    case OP_LSH:
    case OP_RSH_SIGNED:
    case OP_RSH_UNSIGNED:  *a = shift(op, *a, b);                  break;
    default:               return divide(r, op, a, b);
    }
    return 0;
}

/* The low `bits` of v, as a signed or unsigned number of 64 bits. */
static uint64_t extend(uint64_t v, unsigned bits, bool sign)
{
    if (!bits || bits >= 64)
        return v;
    v = v << (64 - bits);
    return sign ? (uint64_t)((int64_t)v >> (64 - bits)) : v >> (64 - bits);
}

/* Replace the address in *at by the little-endian number of so many bytes that is there. */
static int load_memory(struct run *r, uint64_t *at, unsigned bytes)
{
    uint64_t v = 0;
    if (r->m->read(r->m->arg, *at, &v, bytes)) {
        snprintf(r->why, r->n_why, "there is no memory at %#llx", (unsigned long long)*at);
        return -EFAULT;
    }
    *at = v;
    return 0;
}

/* The stack has what `op` takes and room for what it leaves; top is its last number. */
static int do_one(struct run *r, unsigned op, uint64_t operand)
{
    uint64_t *top = &r->stack[r->depth], kept;
    switch (op) {
    case OP_CONST8:
    case OP_CONST16:
    case OP_CONST32:
    case OP_CONST64:  top[1] = operand;                                         return 0;
    case OP_REG:
        return r->m->reg(r->m->arg, (unsigned)operand, &top[1]) ? 0
             : refuse(r, -EINVAL, "a register that there is not");
    case OP_PICK:
        if (operand >= r->depth)
            return refuse(r, -EINVAL, "too little on the stack");
        top[1] = r->stack[r->depth - operand];
        return 0;
    case OP_DUP:      top[1] = *top;                                            return 0;
    case OP_SWAP:     kept = top[0]; top[0] = top[-1]; top[-1] = kept;          return 0;
    case OP_ROT:      kept = top[0]; top[0] = top[-1]; top[-1] = top[-2];
                      top[-2] = kept;                                           return 0;
    case OP_LOG_NOT:  *top = !*top;                                             return 0;
    case OP_BIT_NOT:  *top = ~*top;                                             return 0;
    case OP_EXT:      *top = extend(*top, (unsigned)operand, true);             return 0;
    case OP_ZERO_EXT: *top = extend(*top, (unsigned)operand, false);            return 0;
    case OP_REF8:     return load_memory(r, top, 1);
    case OP_REF16:    return load_memory(r, top, 2);
    case OP_REF32:    return load_memory(r, top, 4);
    case OP_REF64:    return load_memory(r, top, 8);
    case OP_POP:
    case OP_END:
    case OP_GOTO:
    case OP_IF_GOTO:  return 0;
    default:          return combine(r, op, top - 1, *top);
    }
}

/* In each step the row of the instruction is checked against code and stack first, so that
 * do_one() need not check either. */
int agent_eval(const uint8_t *code, size_t n, const struct agent_machine *m, uint64_t *value,
               char *why, size_t n_why)
{
    struct run r = { .code = code, .n = n, .m = m, .why = why, .n_why = n_why };
    for (unsigned steps = 0; steps < STEPS_MAX; steps++) {
        unsigned op = r.at < n ? code[r.at] : N_OPS;
        const struct op *o = op < N_OPS ? &ops[op] : NULL;
        if (!o || !o->ok || n - r.at <= o->operand)
            return refuse(&r, -EINVAL, o ? "something that no condition has" : "no end");
        if (r.depth < o->takes || r.depth - o->takes + o->leaves > STACK)
            return refuse(&r, -EINVAL, "too little or too much on the stack");
        uint64_t operand = operand_of(&r, o->operand);
        int err = do_one(&r, op, operand);
        if (err)
            return err;
        bool jump = op == OP_GOTO || (op == OP_IF_GOTO && r.stack[r.depth]);
        r.depth = r.depth - o->takes + o->leaves;
        if (op == OP_END) {
            *value = r.stack[r.depth];
            return 0;
        }
        r.at = jump ? (size_t)operand : r.at + 1 + o->operand;
    }
    return refuse(&r, -EINVAL, "no end of its steps");
}

/* ---- lists ---- */

bool agent_list_begin(struct agent_list *l, unsigned arch)
{
    l->n = 0;
    if (!l->room)
        return false;
    l->byte[l->n++] = (uint8_t)arch;
    return true;
}

bool agent_list_add(struct agent_list *l, const uint8_t *code, size_t n)
{
    if (n > 0xffff || l->room - l->n < n + 2)
        return false;
    l->byte[l->n++] = (uint8_t)n;
    l->byte[l->n++] = (uint8_t)(n >> 8);
    memcpy(l->byte + l->n, code, n);
    l->n += n;
    return true;
}

/* The next expression of a list: its code, its length, and *at moved behind it.  False at
 * the end, or where what is left is too short to be one. */
static bool next_expression(const uint8_t *list, size_t n, size_t *at, const uint8_t **code,
                            size_t *len)
{
    if (n - *at < 2)
        return false;
    *len = list[*at] | (size_t)list[*at + 1] << 8;
    if (n - *at - 2 < *len)
        return false;
    *code = list + *at + 2;
    *at += 2 + *len;
    return true;
}

/* Jumps may lead into an operand, which is then decoded as code: agent_eval() checks every
 * step, so that does no harm. */
int agent_list_check(const uint8_t *list, size_t n, char *why, size_t n_why)
{
    const uint8_t *code;
    size_t at = 1, len;
    snprintf(why, n_why, "this is no condition in byte code");
    if (n < 1 || list[0] >= N_GDB_ARCHS)
        return -EINVAL;
    while (next_expression(list, n, &at, &code, &len))
        for (size_t i = 0; i < len; i += 1u + ops[code[i]].operand)
            if (code[i] >= N_OPS || !ops[code[i]].ok || len - i <= ops[code[i]].operand)
                return -EINVAL;
    return at == n ? 0 : -EINVAL;
}

int agent_list_eval(const uint8_t *list, size_t n, const struct agent_machine *m, bool *holds,
                    char *why, size_t n_why)
{
    const uint8_t *code;
    size_t at = 1, len;
    uint64_t value;
    *holds = false;
    while (!*holds && next_expression(list, n, &at, &code, &len)) {
        int err = agent_eval(code, len, m, &value, why, n_why);
        if (err)
            return err;
        *holds = value != 0;
    }
    return 0;
}
