/*
 * debugger/report/explain_stack.c -- what the stack says about a crash.
 *
 * Two questions are asked here.  Did IRET find its frame?  An interrupt's frame can be
 * recognized: a selector of code, and above it flags whose reserved bits are right.  If none is
 * where the stack pointer is, but one lies a few words away, then pushes and pops did not
 * match, or an error code was left.  And: has a CALL led here?  Then the stack holds an address
 * behind a CALL.
 *
 * Both are guesses from what lies in memory, and are told as such.
 */
#include "debugger/report/explain_private.h"

#include <inttypes.h>
#include <Zydis/Mnemonic.h>

#include "cpu/decode.h"

/* The word number i above (below, if negative) the stack pointer; false: not mapped. */
static bool word_at(const struct explain_input *in, int i, unsigned size, uint64_t *value)
{
    const struct cpu_state *c = in->cpu;
    uint64_t at = c->gpr[RSP] + (uint64_t)(int64_t)i * size;
    *value = 0;
    return in->read(in->arg, explain_linear(c, SEG_SS, at), value, size);
}

/* Does the GDT have a code segment of this selector?  Bits 4 and 3 of its access byte say so. */
static bool names_code(const struct explain_input *in, uint64_t sel)
{
    const struct table_reg *gdt = &in->cpu->gdtr;
    uint8_t d[8];
    return sel <= 0xffff && (sel & ~7u) && !(sel & 4) && (sel | 7) <= gdt->limit &&
           in->read(in->arg, gdt->base + (sel & ~UINT64_C(7)), d, sizeof d) &&
           (d[5] & 0x18) == 0x18;
}

/* Bit 1 of RFLAGS is always 1; bits 3, 5, 15 and those from 22 on are always 0.
 * [SDM 1 "EFLAGS Register"] */
static bool look_like_flags(uint64_t flags)
{
    return (flags & (BIT(1) | BIT(3) | BIT(5) | BIT(15))) == BIT(1) && flags < BIT(22);
}

/* Do words i, i + 1 and i + 2 look like RIP, CS and RFLAGS? */
static bool is_frame(const struct explain_input *in, int i, unsigned size)
{
    uint64_t cs, flags;
    return word_at(in, i + 1, size, &cs) && word_at(in, i + 2, size, &flags) &&
           names_code(in, cs) && look_like_flags(flags);
}

/* PUSHA stores 8 registers; with segments and an error code some handlers have 14 words. */
enum { FRAME_BELOW = -4, FRAME_ABOVE = 20 };

/* How many words the nearest frame is away from the stack pointer; 0: it is there, or there
 * is none. */
static int frame_distance(const struct explain_input *in, unsigned size)
{
    if (is_frame(in, 0, size))
        return 0;
    for (int i = 1; i <= FRAME_ABOVE; i++) {
        if (is_frame(in, i, size))
            return i;
        if (-i >= FRAME_BELOW && is_frame(in, -i, size))
            return -i;
    }
    return 0;
}

bool explain_decode(const struct explain_input *in, const struct delivery_step *st,
                    struct decoded *d)
{
    uint8_t bytes[15];
    unsigned n = 0;
    gla_t at = explain_linear(in->cpu, SEG_CS, st->rip);
    if (st->type != EVENT_EXCEPTION)
        return false;
    decode_init();
    while (n < sizeof bytes && in->read(in->arg, at + n, bytes + n, 1))
        n++;
    return decode_insn(explain_code_width(in->cpu), bytes, n, st->rip, d) == DECODED;
}

/* The size of the words that IRET pops at this place; 0: the instruction is none. */
static unsigned iret_size(const struct explain_input *in, const struct delivery_step *st)
{
    struct decoded d;
    if (!explain_decode(in, st, &d))
        return 0;
    bool is_iret = d.mnemonic == ZYDIS_MNEMONIC_IRET || d.mnemonic == ZYDIS_MNEMONIC_IRETD ||
                   d.mnemonic == ZYDIS_MNEMONIC_IRETQ;
    return is_iret ? d.opsize : 0;
}

int explain_iret_distance(const struct explain_input *in, const struct delivery_step *st)
{
    unsigned size = iret_size(in, st);
    return size ? frame_distance(in, size) * (int)size : 0;
}

/* The size of what a delivery pushes: of a gate of 16 bits it is not looked for. */
static unsigned frame_size(const struct cpu_state *c)
{
    return explain_is_real(c) ? 2 : explain_is_long(c) ? 8 : 4;
}

bool explain_iret_is_narrow(const struct explain_input *in, const struct delivery_step *st)
{
    unsigned size = iret_size(in, st), full = frame_size(in->cpu);
    return size && size < full && is_frame(in, 0, full);
}

bool explain_far_ret_is_narrow(const struct explain_input *in, const struct delivery_step *st)
{
    enum { FULL = 8 };
    struct decoded d;
    uint64_t taken, cs;
    return explain_code_width(in->cpu) == CODE64 && explain_decode(in, st, &d) && d.far &&
           d.mnemonic == ZYDIS_MNEMONIC_RET && d.opsize < FULL &&
           word_at(in, 1, d.opsize, &taken) && !names_code(in, taken) &&
           word_at(in, 1, FULL, &cs) && names_code(in, cs);
}

void explain_say_iret(const struct explain_input *in, const struct delivery_step *st, FILE *out)
{
    unsigned size = iret_size(in, st);
    uint64_t ip, cs, flags;
    if (!size || !word_at(in, 0, size, &ip) || !word_at(in, 1, size, &cs) ||
        !word_at(in, 2, size, &flags))
        return;
    int distance = frame_distance(in, size) * (int)size;
    fprintf(out, "    IRET took as instruction pointer %#" PRIx64 ", as CS %#" PRIx64
                 ", as flags %#" PRIx64,
            ip, cs, flags);
    if (explain_iret_is_narrow(in, st))
        fprintf(out, ", %u bytes each; a frame with words of %u bytes lies there", size,
                frame_size(in->cpu));
    else if (distance)
        fprintf(out, "; what looks like a frame lies %d bytes %s",
                distance < 0 ? -distance : distance, distance < 0 ? "lower" : "higher");
    fputs(".\n", out);
}

/* The RET has taken RIP, which is still in memory, and lies just before the HLT, or is in the loop
 * around it. */
void explain_say_lost_frame(const struct explain_input *in, FILE *out)
{
    const struct cpu_state *c = in->cpu;
    unsigned size = frame_size(c);
    uint64_t ip, flags;
    if (explain_is_real(c) || c->rflags & FLAG_IF || !is_frame(in, -1, size) ||
        !word_at(in, -1, size, &ip) || !word_at(in, 1, size, &flags))
        return;
    if (flags & FLAG_IF && c->rip - ip + 64 < 128)
        fputs("  At the stack pointer lie the CS and flags of an interrupt that came here with "
              "IF=1: does its handler end with RET instead of IRET (a function of C does)?\n",
              out);
}

/* Is the code before this address a CALL?  Direct ones are E8 and a distance of four bytes (in code
 * of 16 bits two); of indirect ones, FF /2, 2 to 7 bytes are usual. */
enum call { NO_CALL, CALL_DIRECT, CALL_INDIRECT };

/* Which kind it is; *target is where a direct one goes. */
static enum call call_before(const struct explain_input *in, uint64_t at, uint64_t *target)
{
    uint8_t b[7];
    unsigned distance = explain_code_width(in->cpu) == CODE16 ? 2 : 4;
    *target = 0;
    if (at < sizeof b || !in->read(in->arg, explain_linear(in->cpu, SEG_CS, at) - sizeof b, b,
                                   sizeof b))
        return NO_CALL;
    if (b[sizeof b - 1 - distance] == 0xe8) {
        uint32_t raw = b[5] | (uint32_t)b[6] << 8;
        *target = distance == 2 ? (uint16_t)(at + raw)
                : at + (uint64_t)(int32_t)(raw << 16 | b[3] | (uint32_t)b[4] << 8);
        return CALL_DIRECT;
    }
    for (unsigned len = 2; len <= sizeof b; len++)
        if (b[sizeof b - len] == 0xff && (b[sizeof b - len + 1] & 0x38) == 0x10)
            return CALL_INDIRECT;
    return NO_CALL;
}

/* A frame to which its handler has added nothing yet: `size` of its words, 0 if there is none;
 * it begins at the stack pointer or behind an error code.  A gate of 16 bits pushes words of 2. */
struct fresh_frame { unsigned size; int begin; };

static struct fresh_frame fresh_frame(const struct explain_input *in)
{
    const unsigned sizes[] = { frame_size(in->cpu), 2 };
    for (unsigned i = 0; i < NELEM(sizes) && !explain_is_real(in->cpu); i++)
        for (int begin = 0; begin < 2; begin++)
            if (is_frame(in, begin, sizes[i]))
                return (struct fresh_frame){ sizes[i], begin };
    return (struct fresh_frame){ 0, 0 };
}

bool explain_is_in_handler(const struct explain_input *in)
{
    return fresh_frame(in).size != 0;
}

static void say_frame(const struct explain_input *in, struct fresh_frame f, FILE *out)
{
    uint64_t at;
    if (!word_at(in, f.begin, f.size, &at))
        return;
    fprintf(out, "    At the stack pointer lies the frame of an interrupt or exception%s at ",
            f.size == 2 ? ", of a gate for 16-bit code," : "");
    explain_say_place(in, at, out);
    fputs(": its gate may have led here.\n", out);
}

/* How far up the frame of a handler is looked for that has called functions, in words. */
enum { HANDLER_DEPTH = 64 };

void explain_say_handler(const struct explain_input *in, const struct delivery_step *st, FILE *out)
{
    unsigned size = frame_size(in->cpu);
    uint64_t at;
    uint8_t byte;
    if (st->type != EVENT_EXCEPTION || st->ring != 0 || explain_is_real(in->cpu) ||
        iret_size(in, st))
        return;
    for (int i = 0; i < HANDLER_DEPTH; i++) {
        if (!is_frame(in, i, size) || !word_at(in, i, size, &at) ||
            !in->read(in->arg, explain_linear(in->cpu, SEG_CS, at), &byte, 1))
            continue;
        if (i == 0) {
            say_frame(in, (struct fresh_frame){ size, 0 }, out);
            return;
        }
        fprintf(out, "    %u bytes above the stack pointer lies what looks like the frame of an "
                     "interrupt or exception at ", (unsigned)i * size);
        explain_say_place(in, at, out);
        fputs(": this may have happened in its handler.\n", out);
        return;
    }
}

/* Has a RET led to `rip`?  Then the address is still in memory, in the word below the stack
 * pointer; or, if the CPU has run on from there through zeros, one that is not far before. */
static bool was_taken_by_ret(const struct explain_input *in, uint64_t rip, unsigned size)
{
    enum { FAR = 256 << 20 };
    uint64_t taken;
    uint8_t code[8];
    if (!word_at(in, -1, size, &taken))
        return false;
    if (taken == rip)
        return true;
    bool are_zeros = in->read(in->arg, explain_linear(in->cpu, SEG_CS, taken), code, sizeof code);
    for (unsigned i = 0; i < sizeof code; i++)
        are_zeros = are_zeros && !code[i];
    return are_zeros && taken && taken < rip && rip - taken < FAR;
}

/* The function that the RET belongs to is the one that was called last, if what is on the stack
 * now is where it should have gone to. */
static void say_ret(const struct explain_input *in, unsigned size, FILE *out)
{
    uint64_t taken, at, target;
    if (!word_at(in, -1, size, &taken))
        return;
    fprintf(out, "    A RET has led here: just below the stack pointer lies %#" PRIx64
                 ", which it took for its return address.\n", taken);
    if (word_at(in, 0, size, &at) && call_before(in, at, &target) == CALL_DIRECT) {
        fputs("    The right one lies above it, ", out);
        explain_say_place(in, at, out);
        fputs(", behind the CALL of ", out);
        explain_say_place(in, target, out);
        fputs(": a PUSH without its POP, or ESP moved, before the RET of that function?\n", out);
        return;
    }
    fputs("    Was the return address overwritten (an array on the stack, filled beyond its end), "
          "or does the RET belong to what nobody has called?\n", out);
}

bool explain_say_caller(const struct explain_input *in, uint64_t rip, FILE *out)
{
    enum code_width width = explain_code_width(in->cpu);
    unsigned size = width == CODE64 ? 8 : width == CODE32 ? 4 : 2;
    struct fresh_frame frame = fresh_frame(in);
    uint64_t at = 0, target;
    if (frame.size) {
        say_frame(in, frame, out);
        return true;
    }
    enum call call = word_at(in, 0, size, &at) ? call_before(in, at, &target) : NO_CALL;
    if (call != CALL_INDIRECT && was_taken_by_ret(in, rip, size)) {
        say_ret(in, size, out);
        return true;
    }
    if (call == NO_CALL)
        return false;
    fputs("    At the stack pointer lies ", out);
    explain_say_place(in, at, out);
    fputs(", an address behind a CALL: that may have led here.\n", out);
    return true;
}
