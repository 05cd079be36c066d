/*
 * exercise/stack_translate.c -- the translator of the stack machine, with its cache of blocks.
 *
 * A block becomes a function: RDI points to the variables, 8 bytes each; the machine's stack is
 * the host's, from which each bytecode pops and pushes; EAX at the end is the place where the
 * program goes on.  Numbers have 32 bits, in the low half of a slot of 64; the high half is
 * rubbish and nobody looks at it.
 *
 * Code is written first, then made executable: no page is both.
 */
#include "exercise/stack_vm.h"

#include <string.h>
#include <sys/mman.h>

enum { CODE_BYTES = 4096, ENDED = 0x7fffffff, ANSWER = STACK_VARS };

typedef uint32_t block_fn(uint64_t *vars);

/* Blocks by the place of their first bytecode. */
struct cache {
    uint8_t *page;
    unsigned used;
    unsigned at[STACK_CODE];            /* offset in the page, and 1; 0: not translated yet */
    unsigned insns[STACK_CODE];
};

static void emit(struct cache *c, const void *bytes, size_t n)
{
    memcpy(c->page + c->used, bytes, n);
    c->used += (unsigned)n;
}

#define EMIT(c, ...) \
    emit(c, (const uint8_t[]){ __VA_ARGS__ }, sizeof (const uint8_t[]){ __VA_ARGS__ })

static void emit_number(struct cache *c, uint32_t v)
{
    emit(c, &v, sizeof v);
}

/* The two places a conditional jump may lead to; `opcode` is that of CMOVE or CMOVNE. */
static void emit_jump_if(struct cache *c, uint8_t opcode, uint32_t to, uint32_t next)
{
    EMIT(c, 0x59, 0xb8);                /* pop %rcx; mov $next, %eax */
    emit_number(c, next);
    EMIT(c, 0xba);                      /* mov $to, %edx             */
    emit_number(c, to);
    EMIT(c, 0x85, 0xc9, 0x0f, opcode, 0xc2, 0xc3);  /* test %ecx, %ecx; cmov %edx, %eax; ret */
}

static void emit_go_to(struct cache *c, uint32_t to)
{
    EMIT(c, 0xb8);                      /* mov $to, %eax; ret */
    emit_number(c, to);
    EMIT(c, 0xc3);
}

/* One bytecode; `next` is the place behind it. */
static void emit_op(struct cache *c, enum stack_op op, uint32_t arg, unsigned next)
{
    switch (op) {
    case STACK_PUSH:  EMIT(c, 0x68); emit_number(c, arg); break;        /* push $arg          */
    case STACK_LOAD:  EMIT(c, 0xff, 0x77, (uint8_t)(8 * arg)); break;   /* push 8*arg(%rdi)   */
    case STACK_STORE: EMIT(c, 0x8f, 0x47, (uint8_t)(8 * arg)); break;   /* pop 8*arg(%rdi)    */
    case STACK_ADD:   EMIT(c, 0x58, 0x01, 0x04, 0x24); break;   /* pop %rax; add %eax, (%rsp) */
    case STACK_SUB:   EMIT(c, 0x58, 0x29, 0x04, 0x24); break;
    case STACK_XOR:   EMIT(c, 0x58, 0x31, 0x04, 0x24); break;
    case STACK_AND:   EMIT(c, 0x58, 0x21, 0x04, 0x24); break;
    case STACK_MUL:                     /* pop %rax; imul (%rsp), %eax; mov %eax, (%rsp) */
        EMIT(c, 0x58, 0x0f, 0xaf, 0x04, 0x24, 0x89, 0x04, 0x24);
        break;
    case STACK_JZ:    emit_jump_if(c, 0x44, arg, next); break;
    case STACK_JNZ:   emit_jump_if(c, 0x45, arg, next); break;
    case STACK_JMP:   emit_go_to(c, arg); break;
    case STACK_HALT:  emit_op(c, STACK_STORE, ANSWER, next); emit_go_to(c, ENDED); break;
    case N_STACK_OPS: break;
    }
}

/* The block that begins at bytecode `at`. */
static bool translate_block(const struct stack_code *code, struct cache *c, unsigned at)
{
    if (mprotect(c->page, CODE_BYTES, PROT_READ | PROT_WRITE))
        return false;
    c->at[at] = c->used + 1;
    for (unsigned i = at;; i++) {
        emit_op(c, code->insn[i].op, code->insn[i].arg, i + 1);
        c->insns[at] += stack_ops[code->insn[i].op].insns;
        if (code->insn[i].op >= STACK_JZ)
            break;
    }
    return mprotect(c->page, CODE_BYTES, PROT_READ | PROT_EXEC) == 0;
}

/* The dispatcher: look for the block, have it translated if it is new, run it. */
static bool dispatch(const struct stack_code *code, struct cache *c, struct stack_run *r)
{
    uint64_t vars[STACK_VARS + 1] = { 0 };
    for (unsigned at = 0; at != ENDED; ) {
        if (!c->at[at]) {
            if (!translate_block(code, c, at))
                return false;
            r->blocks++;
        }
        r->dispatches++;
        r->host_insns += c->insns[at];
        block_fn *block;
        void *address = c->page + c->at[at] - 1;
        memcpy(&block, &address, sizeof block);
        at = block(vars);
    }
    r->answer = (uint32_t)vars[ANSWER];
    return true;
}

bool stack_translate(const struct stack_code *code, struct stack_run *r)
{
    struct cache c = { 0 };
    c.page = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (c.page == MAP_FAILED)
        return false;
    r->blocks = r->dispatches = r->host_insns = 0;
    bool done = dispatch(code, &c, r);
    munmap(c.page, CODE_BYTES);
    return done;
}
