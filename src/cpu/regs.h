/*
 * cpu/regs.h -- the registers of struct cpu_state by name: for
 * expressions, `info regs`, `set`, completion and the debuggers' protocols.
 *
 * One table: name, where it is, how wide, and in which group an engine keeps
 * it.  Parts of registers (eax, ax, ah, al, r8d, eflags bits as cf, zf ...) are
 * rows like any other.
 */
#ifndef CPU_REGS_H
#define CPU_REGS_H

#include "base/trace.h"
#include "cpu/state.h"

struct reg {
    const char *name;
    uint16_t    offset;         /* in struct cpu_state        */
    uint8_t     bytes;          /* of the member: 2, 4 or 8   */
    uint8_t     lo, bits;       /* the part of it: a bit field */
    uint8_t     group;          /* ST_                        */
    bool        part;           /* of a register listed before */
};

size_t regs_count(void);
const struct reg *reg_at(size_t i);
/* By the first `len` characters of name, in upper or lower case.  NULL: there is none. */
const struct reg *reg_find(const char *name, size_t len);

uint64_t reg_get(const struct reg *r, const struct cpu_state *s);

/* Writing a 32-bit part of a general register zeroes the upper half, as the CPU does. */
void     reg_set(const struct reg *r, struct cpu_state *s, uint64_t value);

/* How the CPU reads code now: 16, 32 or 64. */
unsigned state_code_bits(const struct cpu_state *s);
/* The linear address of the next instruction, and of the top of the stack. */
gla_t    state_pc(const struct cpu_state *s);
gla_t    state_sp(const struct cpu_state *s);
/* The code segment, as places in it are said. */
struct code_segment state_code_segment(const struct cpu_state *s);
/* The place of the next instruction: "rip 0x100006" or "cs:ip 07c0:0009". */
char *state_place_phrase(const struct cpu_state *s, char *buf, size_t n);
/* "real mode", "protected mode, 32-bit", "long mode, 64-bit", ... */
const char *state_mode(const struct cpu_state *s);
/* "[zf pf if]": the flags that are set; returns buf. */
char *state_flags(uint64_t rflags, char *buf, size_t n);

#endif
