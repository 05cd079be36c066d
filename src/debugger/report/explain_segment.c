/*
 * debugger/report/explain_segment.c -- the first exception has to do with a segment: its descriptor
 * in the GDT, or a code segment that has code read with another width than it was written for.
 *
 * D and L of CS decide how long operands and addresses are, and so where an instruction ends.
 */
#include "debugger/report/explain_signs.h"

#include <string.h>

/* A descriptor that cannot be meant: of a system type that does not exist, or not present. */
static bool uses_nonsense_of_gdt(const struct explain_input *in, const struct delivery_step *st)
{
    const struct table_reg *t = &in->cpu->gdtr;
    bool by_selector = sign_is_exception(st, VEC_GP) || sign_is_exception(st, VEC_NP);
    uint8_t d[8];
    if (!by_selector || !(st->error & 0xfff8) || (st->error & 6) ||
        (st->error | 7) > t->limit)
        return false;
    if (!in->read(in->arg, t->base + (st->error & 0xfff8), d, 8))
        return true;
    bool exists = (d[5] & 0x10) || (1u << (d[5] & 15) & 0xdafe);
    return !exists || !(d[0] | d[1] | d[2] | d[3] | d[4] | d[5] | d[6] | d[7]);
}

/* GDTR is 0, limit and all: so begins a GDT, with the null descriptor. */
static bool has_null_gdtr(const struct explain_input *in, const struct delivery_step *st)
{
    const struct table_reg *t = &in->cpu->gdtr;
    return sign_is_protected(in) && st->type == EVENT_EXCEPTION && (st->error & 0xfff8) &&
           !(st->error & 6) && !t->base && !t->limit;
}

/* A selector was refused, and the GDT lies where a function had its local variables that has
 * returned: just below the stack pointer. */
static bool has_gdt_in_dead_frame(const struct explain_input *in, const struct delivery_step *st)
{
    enum { DEEP = 0x400 };
    gla_t below = sign_stack_top(in) - in->cpu->gdtr.base;
    bool by_selector = sign_is_exception(st, VEC_GP) || sign_is_exception(st, VEC_NP);
    return sign_is_protected(in) && by_selector && (st->error & 0xfff8) && !(st->error & 6) &&
           below && below <= DEEP;
}

static bool has_narrow_iret(const struct explain_input *in, const struct delivery_step *st)
{
    return explain_iret_is_narrow(in, st);
}

/* CS has what real mode put there: base 16 times the selector, 64 KiB, 16-bit code. */
static bool has_cs_of_real_mode(const struct explain_input *in, const struct delivery_step *st)
{
    const struct cpu_state *c = in->cpu;
    const struct segment *cs = &c->seg[SEG_CS];
    struct decoded d;
    if (explain_decode(in, st, &d) && d.far)
        return false;
    return st->type != EVENT_SOFTWARE && sign_is_protected(in) && !(c->rflags & FLAG_VM) &&
           sign_is_of_real_mode(cs) && !(cs->attr & SEG_DB);
}

/* Long mode is on, but CS is the 32-bit segment of before: what is 64-bit code means something
 * else there. */
static bool is_stuck_in_compatibility_mode(const struct explain_input *in,
                                           const struct delivery_step *st)
{
    return st->type == EVENT_EXCEPTION && explain_is_long(in->cpu) && st->ring == 0 && !st->error &&
           explain_code_width(in->cpu) != CODE64;
}

/* A code segment of the GDT whose D is 0 (not the one of real mode, which has_cs_of_real_mode()
 * knows). */
static bool runs_32_bits_as_16(const struct explain_input *in, const struct delivery_step *st)
{
    const struct cpu_state *c = in->cpu;
    return st->type == EVENT_EXCEPTION && sign_is_protected(in) && !(c->rflags & FLAG_VM) &&
           !explain_is_long(c) && explain_code_width(c) == CODE16 &&
           !sign_is_of_real_mode(&c->seg[SEG_CS]);
}

/* MOV of a selector to a general register, and from there to a segment register: in code of 16 bits
 * B8 10 00, 8E D8.  In code of 32 bits the number has two bytes more, or the prefix 66 is there. */
static bool loads_selector_in_16_bits(const uint8_t b[6])
{
    bool is_selector = b[2] && !(b[2] & 4) && !b[3];
    return b[0] != 0x66 && (b[1] & 0xf8) == 0xb8 && is_selector && b[4] == 0x8e &&
           (b[5] & 0xc7) == (0xc0 | (b[1] & 7));
}

/* A number of 32 bits to a register, or a CALL over a short distance: both have two bytes more than
 * in code of 16 bits, and those are zeros, or ones of a CALL backwards. */
static bool is_of_32_bits(const uint8_t b[5])
{
    bool is_mov = (b[0] & 0xf8) == 0xb8 && (b[1] | b[2]) && !(b[3] | b[4]);
    bool is_call = b[0] == 0xe8 && (b[2] == 0 || b[2] == 0xff) && b[3] == b[2] && b[4] == b[2];
    return is_mov || is_call;
}

/* A boot sector, say, that was assembled or compiled for protected mode. */
static bool runs_32_bits_in_real_mode(const struct explain_input *in,
                                      const struct delivery_step *st)
{
    enum { NEAR = 32 };
    gla_t at = explain_linear(in->cpu, SEG_CS, st->rip);
    uint8_t b[2 * NEAR];
    if (st->type != EVENT_EXCEPTION || !explain_is_real(in->cpu) || at < NEAR ||
        !in->read(in->arg, at - NEAR, b, sizeof b))
        return false;
    for (unsigned i = 0; i + 5 <= sizeof b; i++)
        if (is_of_32_bits(b + i))
            return true;
    return false;
}

/* The CPU reads code for 16 bits as code for 32: what is first done behind the far jump tells. */
static bool runs_16_bits_as_32(const struct explain_input *in, const struct delivery_step *st)
{
    enum { NEAR = 64 };
    gla_t at = explain_linear(in->cpu, SEG_CS, st->rip);
    uint8_t b[NEAR + 16];
    if (st->type != EVENT_EXCEPTION || !sign_is_protected(in) ||
        explain_code_width(in->cpu) != CODE32 || at < NEAR ||
        !in->read(in->arg, at - NEAR, b, sizeof b))
        return false;
    for (unsigned i = 0; i + 6 <= sizeof b; i++)
        if (loads_selector_in_16_bits(b + i))
            return true;
    return false;
}

/* PUSH and POP of ES, CS, SS and DS, DAA and its kin, PUSHA, POPA, far CALL and JMP with an
 * immediate, INTO, AAM, AAD: 64-bit mode has none of them. */
static bool is_opcode_of_32_bits(const struct explain_input *in, const struct delivery_step *st)
{
    static const uint8_t gone[] = {
        0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f,
        0x60, 0x61, 0x9a, 0xce, 0xd4, 0xd5, 0xea,
    };
    uint8_t opcode;
    return sign_is_exception(st, VEC_UD) && explain_code_width(in->cpu) == CODE64 &&
           in->read(in->arg, st->rip, &opcode, 1) && memchr(gone, opcode, sizeof gone);
}

/* The first that is there is told. */
static const struct sign segments[] = {
    { has_null_gdtr,
      "was LGDT given the table itself? What it takes is not the GDT but a pointer to it: 2 bytes "
      "of limit (the size minus 1) and 4 of base, in 64-bit code 8. A GDT begins with zeros, and "
      "so GDTR is 0 now, with limit 0." },
    { has_gdt_in_dead_frame,
      "was the GDT a local variable? It lies just below the stack pointer, where each call "
      "overwrites it: the CPU reads it at every load of a selector, so it must be static. (LGDT's "
      "operand alone may be local.)" },
    { uses_nonsense_of_gdt,
      "is the GDT where LGDT was told? Its operand is 2 bytes of limit and right behind them "
      "the linear base (in real mode: segment times 16 plus offset); in C that struct must be "
      "packed. LGDT reads it through DS." },
    { has_cs_of_real_mode,
      "has a far jump followed the MOV to CR0? CS still is what it was in real mode: 32-bit "
      "code is read as 16-bit code until a far jump has loaded a selector of the GDT." },
    { runs_32_bits_as_16,
      "is this code for 32 bits? D (bit 54 of the descriptor, SZ or DB in some books) is 0 in the "
      "segment that CS names, so it is read as 16-bit code: another length of operands and "
      "addresses, and so other instructions." },
    { runs_32_bits_in_real_mode,
      "is this code for 16 bits? The CPU is in real mode, and nearby lies what looks like code for "
      "32 bits: tell the assembler (NASM: BITS 16, GNU as: .code16). What a C compiler makes with "
      "-m32 is for protected mode." },
    { runs_16_bits_as_32,
      "is this code for 32 bits? The segment that CS names is, but nearby lies what loads a "
      "selector in code for 16 bits: behind the far jump the assembler must be told (NASM: BITS "
      "32, GNU as: .code32)." },
    { is_stuck_in_compatibility_mode,
      "has a far jump led to 64-bit code? Long mode is on, but CS is a segment of 32-bit code: "
      "until a far jump, call or return has loaded a code segment whose L is 1, 64-bit code is "
      "read as 32-bit code." },
    { is_opcode_of_32_bits,
      "is this 32-bit code? The CPU is in 64-bit mode, which does not have this opcode. (An "
      "ELF64 file without a Multiboot header is entered in 64-bit mode.)" },
    { has_narrow_iret,
      "is it the right IRET? In 32-bit code IRETD takes words of 4 bytes, in long mode IRETQ "
      "of 8; an assembler may take IRET for the short one." },
    { explain_far_ret_is_narrow,
      "is it the right RET? In long mode a far RET takes words of 4 bytes unless it is written as "
      "LRETQ (RETFQ, O64 RETF), and PUSH stores 8." },
};

const char *explain_check_segment(const struct explain_input *in, const struct delivery_step *st)
{
    return sign_find(segments, NELEM(segments), in, st);
}
