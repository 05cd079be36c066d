/*
 * generate.h -- what the parts of the generator share: generate.c draws a case,
 * suits.c says what may be drawn, aim.c makes its operands point somewhere.
 */
#ifndef GENERATE_H
#define GENERATE_H

#include "judge.h"

extern enum judge who;                      /* the case is for */

/* generate.c */
uint64_t rnd(void);
bool one_in(unsigned n);
uint64_t value(void);                       /* often near an edge */
uint64_t origin(const struct test *t, uint16_t sel);
const ZydisDecoder *decoder(const struct test *t);     /* of the mode of its world */
uint16_t selector_of(const struct test *t, ZydisRegister seg);

/* suits.c */
void suits_init(void);
bool suitable(const struct test *t, const ZydisDecodedInstruction *in,
              const ZydisDecodedOperand *op, bool run);
uint64_t undefined(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op,
                   const struct test *t);

/* vendor.c: the rows, as bits, that are about an instruction; about one that Zydis refuses. */
uint32_t vendor_rows(const struct test *t, const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op);
uint32_t vendor_rows_illegal_lock(const uint8_t *code, unsigned n);

/* aim.c: false if it cannot be done. */
bool aim_all(struct test *t, const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op);
bool aim_branch(struct test *t, const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op);
void aim_selectors(struct test *t, const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op);
uint64_t target(bool locked);
int gpr_of(ZydisRegister r);                /* -1: none */
bool rip_relative(const ZydisDecodedOperand *o);
void set_low(uint64_t *r, uint64_t v, unsigned width);
void clip(struct test *t);
unsigned stack_width(const struct test *t);

#endif
