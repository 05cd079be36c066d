/*
 * exercise/program.h -- one small program, for four machines.
 *
 *     x = X; n = N;
 *     do {
 *         if (n & 1) x = (x A K) B n;
 *         else       x = x C n;
 *         n = n - 1;
 *     } while (n);
 *     answer = x;
 *
 * A, B and C are operators, X, N and K numbers that a seed chooses; all is modulo 2^32.  It is
 * written for a stack machine (stack_vm.h), for RISC-V (rv32.h) and for a PC (tiny_guest.h), each
 * time instruction by instruction, and the same answer must come out of all.
 */
#ifndef EXERCISE_PROGRAM_H
#define EXERCISE_PROGRAM_H

#include "exercise/rv32.h"
#include "exercise/stack_vm.h"
#include "exercise/tiny_guest.h"

enum operator { OP_ADD, OP_SUB, OP_XOR, OP_MUL, N_OPERATORS };

struct program {
    uint32_t x, n, k;                   /* below 2048; n at least 1 */
    enum operator a, b, c;              /* a may be OP_MUL          */
};

extern const char *const operator_signs[N_OPERATORS];

/* Computed by the host's C compiler. */
uint32_t program_answer(const struct program *p);

/* Translate it, and write the listing line by line: put(arg, line) if put is not NULL. */
typedef void program_line_fn(void *arg, const char *line);
void program_for_stack_vm(const struct program *p, struct stack_code *out);
void program_for_rv32(const struct program *p, struct rv32_code *out, program_line_fn *put,
                      void *arg);
void program_for_pc(const struct program *p, struct tiny_code *out, program_line_fn *put,
                    void *arg);

#endif
