/*
 * exercise/stack_vm.h -- a process VM for a machine that was never built: interpreter and
 * translator.
 *
 * The machine has a stack of numbers of 32 bits and four variables.  The interpreter looks at each
 * bytecode again whenever it comes to it.  The translator makes x86-64 code of a *block*, from
 * where it enters to the next jump, keeps it in a cache, and runs that whenever the program comes
 * by again; between two blocks its dispatcher looks for the next one.  [Smith and Nair, "Virtual
 * Machines", "Emulation: Interpretation and Binary Translation"]
 *
 * The stack must be empty at every jump, as a compiler leaves it.  Programs come from program.h
 * and are trusted; nothing here checks them.
 */
#ifndef EXERCISE_STACK_VM_H
#define EXERCISE_STACK_VM_H

#include "base/types.h"

/*    name   argument    host instructions it becomes */
#define STACK_OP_LIST(X)                                                     \
    X(PUSH,  "a number",   1)                                                \
    X(LOAD,  "a variable", 1)                                                \
    X(STORE, "a variable", 1)                                                \
    X(ADD,   "",           2)                                                \
    X(SUB,   "",           2)                                                \
    X(XOR,   "",           2)                                                \
    X(AND,   "",           2)                                                \
    X(MUL,   "",           3)                                                \
    X(JZ,    "a place",    6)                                                \
    X(JNZ,   "a place",    6)                                                \
    X(JMP,   "a place",    2)                                                \
    X(HALT,  "",           3)

enum stack_op {
#define X(name, argument, insns) STACK_##name,
    STACK_OP_LIST(X)
#undef X
    N_STACK_OPS
};

extern const struct stack_op_info { const char *name, *argument; unsigned insns; }
    stack_ops[N_STACK_OPS];

enum { STACK_VARS = 4, STACK_CODE = 64 };

struct stack_code {
    unsigned n;
    struct { enum stack_op op; uint32_t arg; } insn[STACK_CODE];
};

struct stack_run {
    uint32_t answer;                    /* what HALT found on the stack                        */
    unsigned bytecodes;                 /* interpreted                                         */
    unsigned blocks;                    /* translated                                          */
    unsigned dispatches;                /* blocks entered: looked for by the dispatcher        */
    unsigned host_insns;                /* executed in translated code                         */
};

/* Fills in answer and bytecodes. */
void stack_interpret(const struct stack_code *code, struct stack_run *r);

/* Fills in the rest and the answer.  False: this host lets nobody make code at run time. */
bool stack_translate(const struct stack_code *code, struct stack_run *r);

/* The blocks and dispatches that a translator would need, without one; and host_insns. */
void stack_count_blocks(const struct stack_code *code, struct stack_run *r);

#endif
