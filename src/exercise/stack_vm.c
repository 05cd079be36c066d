/*
 * exercise/stack_vm.c -- the interpreter of the stack machine.
 *
 * Fetch, decode, execute: the loop that every interpreter is, and a table instead of a switch.
 */
#include "exercise/stack_vm.h"

const struct stack_op_info stack_ops[N_STACK_OPS] = {
#define X(name, argument, insns) { #name, argument, insns },
    STACK_OP_LIST(X)
#undef X
};

struct machine {
    unsigned pc;                        /* of the next bytecode */
    bool     halted;
    uint32_t stack[STACK_CODE];
    unsigned depth;
    uint32_t var[STACK_VARS];
};

static void push(struct machine *m, uint32_t v)
{
    m->stack[m->depth++] = v;
}

static uint32_t pop(struct machine *m)
{
    return m->stack[--m->depth];
}

static void do_push(struct machine *m, uint32_t arg)  { push(m, arg); }
static void do_load(struct machine *m, uint32_t arg)  { push(m, m->var[arg]); }
static void do_store(struct machine *m, uint32_t arg) { m->var[arg] = pop(m); }

static void do_add(struct machine *m, uint32_t arg)
{
    uint32_t b = pop(m);
    (void)arg;
    push(m, pop(m) + b);
}

static void do_sub(struct machine *m, uint32_t arg)
{
    uint32_t b = pop(m);
    (void)arg;
    push(m, pop(m) - b);
}

static void do_xor(struct machine *m, uint32_t arg)
{
    uint32_t b = pop(m);
    (void)arg;
    push(m, pop(m) ^ b);
}

static void do_and(struct machine *m, uint32_t arg)
{
    uint32_t b = pop(m);
    (void)arg;
    push(m, pop(m) & b);
}

static void do_mul(struct machine *m, uint32_t arg)
{
    uint32_t b = pop(m);
    (void)arg;
    push(m, pop(m) * b);
}

static void do_jz(struct machine *m, uint32_t arg)
{
    if (!pop(m))
        m->pc = arg;
}

static void do_jnz(struct machine *m, uint32_t arg)
{
    if (pop(m))
        m->pc = arg;
}

static void do_jmp(struct machine *m, uint32_t arg) { m->pc = arg; }

static void do_halt(struct machine *m, uint32_t arg)
{
    (void)arg;
    m->halted = true;
}

static void (*const execute[N_STACK_OPS])(struct machine *m, uint32_t arg) = {
    [STACK_PUSH] = do_push, [STACK_LOAD] = do_load, [STACK_STORE] = do_store,
    [STACK_ADD] = do_add, [STACK_SUB] = do_sub, [STACK_XOR] = do_xor, [STACK_AND] = do_and,
    [STACK_MUL] = do_mul, [STACK_JZ] = do_jz, [STACK_JNZ] = do_jnz, [STACK_JMP] = do_jmp,
    [STACK_HALT] = do_halt,
};

void stack_interpret(const struct stack_code *code, struct stack_run *r)
{
    struct machine m = { 0 };
    r->bytecodes = 0;
    while (!m.halted) {
        unsigned at = m.pc++;
        execute[code->insn[at].op](&m, code->insn[at].arg);
        r->bytecodes++;
    }
    r->answer = pop(&m);
}

void stack_count_blocks(const struct stack_code *code, struct stack_run *r)
{
    struct machine m = { 0 };
    bool known[STACK_CODE] = { false }, begins = true;
    r->blocks = r->dispatches = r->host_insns = 0;
    while (!m.halted) {
        unsigned at = m.pc++;
        r->dispatches += begins;
        r->blocks += begins && !known[at];
        known[at] |= begins;
        execute[code->insn[at].op](&m, code->insn[at].arg);
        r->host_insns += stack_ops[code->insn[at].op].insns;
        begins = code->insn[at].op >= STACK_JZ;
    }
}
