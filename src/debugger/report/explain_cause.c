/*
 * debugger/report/explain_cause.c -- the first exception of a crash: what a programmer should
 * check about the instruction that raised it.
 *
 * Begin with in_order[], at the end: what is unmistakable comes first, then each kind of cause has
 * a file of its own.  explain_signs.h says how their tables work.  Where no sign is there, the
 * reason that the engine gave has advice of its own (explain_refusal.c).
 */
#include "debugger/report/explain_signs.h"

/* Is the address one of the vectors that a BIOS has set?  They are at address 0, where what follows
 * a null pointer finds them. */
static bool is_sent_by_vector_table(const struct explain_input *in,
                                    const struct delivery_step *st)
{
    uint32_t vector[256];
    uint8_t byte;
    if (st->type != EVENT_EXCEPTION || !sign_is_protected(in) || st->rip < 0x100000 ||
        in->read(in->arg, explain_linear(in->cpu, SEG_CS, st->rip), &byte, 1) ||
        !in->read(in->arg, 0, vector, sizeof vector))
        return false;
    for (unsigned i = 0; i < NELEM(vector); i++)
        if (vector[i] == st->rip)
            return true;
    return false;
}

static bool has_no_directory(const struct explain_input *in, const struct delivery_step *st)
{
    return st->type == EVENT_EXCEPTION && explain_is_paged(in->cpu) && !(in->cpu->cr3 & ~0xfffull);
}

/* Code of GCC's and Clang's stack protector takes its canary from where an operating system keeps
 * it: GS:14h in 32-bit code, FS:28h in 64-bit code (with -mcmodel=kernel GS:28h). */
static bool reads_canary(const struct explain_input *in, const struct delivery_step *st)
{
    struct decoded d;
    if (!explain_decode(in, st, &d) || !d.has_mem || d.mem.base != NO_REG || d.mem.index != NO_REG)
        return false;
    return explain_code_width(in->cpu) == CODE64
               ? (d.mem.seg == SEG_FS || d.mem.seg == SEG_GS) && d.mem.disp == 0x28
               : d.mem.seg == SEG_GS && d.mem.disp == 0x14;
}

/* Whatever the exception is, these are what is wrong. */
static const struct sign unmistakable[] = {
    { reads_canary,
      "was the kernel built with -fno-stack-protector? This reads the stack protector's canary, "
      "which an operating system keeps for its programs behind GS (in 64-bit code FS): a kernel "
      "has none there." },
    { is_sent_by_vector_table,
      "was a null pointer followed? The address is one of those in the vector table of real mode, "
      "which a BIOS leaves at 0: a table of functions was looked for there. (An object of C++ "
      "has no vtable until its constructor has run, and the kernel's start must call those of "
      "global objects.)" },
    { has_no_directory,
      "was CR3 loaded? It is 0, which is where real mode has its vector table. (A TSS has a "
      "field for CR3: a task switch loads it.)" },
};

static bool has_frame_elsewhere(const struct explain_input *in, const struct delivery_step *st)
{
    return explain_iret_distance(in, st) != 0;
}

static const struct sign frames[] = {
    { has_frame_elsewhere,
      "does the handler take off the stack all that was put there? Each PUSH needs its POP, "
      "and of vectors 8, 10 to 14 and 17 the error code must go (ADD ESP, 4 or ADD RSP, 8) "
      "before IRET." },
};

/* DS or another register has not been loaded since real mode. */
static bool uses_segment_of_real_mode(const struct explain_input *in,
                                      const struct delivery_step *st)
{
    unsigned seg = in->chain ? in->chain->cause_at >> 32 & 7 : 0;
    return in->chain && st->type == EVENT_EXCEPTION && sign_is_protected(in) &&
           in->chain->cause == OBSTACLE_SEG_LIMIT && seg <= SEG_GS &&
           sign_is_of_real_mode(&in->cpu->seg[seg]);
}

/* INT 10h to 1Ah are services of a BIOS: 16-bit code, reached through real mode's table. */
static bool calls_bios(const struct explain_input *in, const struct delivery_step *st)
{
    return sign_is_protected(in) && st->type == EVENT_SOFTWARE &&
           sign_lies_in(st->vector, 0x10, 11);
}

static bool is_single_step(const struct explain_input *in, const struct delivery_step *st)
{
    return sign_is_exception(st, VEC_DB) && (in->cpu->rflags & FLAG_TF);
}

static const struct sign others[] = {
    { uses_segment_of_real_mode,
      "has the segment register been loaded since real mode? After the far jump DS, ES and SS "
      "need the data selector of the GDT." },
    { calls_bios,
      "this INT is a service of the BIOS, which is there in real mode only. In protected mode "
      "a kernel drives devices itself: text goes to 0xb8000 or to the serial port." },
    { is_single_step,
      "who has set TF (bit 8 of the flags)? It makes a #DB behind each instruction; a POPF or "
      "IRET with wrong flags does so too." },
};

static const char *check_unmistakable(const struct explain_input *in,
                                      const struct delivery_step *st)
{
    return sign_find(unmistakable, NELEM(unmistakable), in, st);
}

static const char *check_frame(const struct explain_input *in, const struct delivery_step *st)
{
    return sign_find(frames, NELEM(frames), in, st);
}

static const char *check_others(const struct explain_input *in, const struct delivery_step *st)
{
    return sign_find(others, NELEM(others), in, st);
}

static const char *check_refusal(const struct explain_input *in, const struct delivery_step *st)
{
    (void)st;
    return explain_check_refusal(in);
}

typedef const char *check_fn(const struct explain_input *in, const struct delivery_step *st);

/* The first that has something to say is told. */
static check_fn *const in_order[] = {
    check_unmistakable,
    explain_check_page_fault,
    explain_check_segment,
    check_frame,
    explain_check_lost,
    check_others,
    check_refusal,
};

const char *explain_check_cause(const struct explain_input *in, const struct delivery_step *st)
{
    const char *check = NULL;
    for (size_t i = 0; i < NELEM(in_order) && !check; i++)
        check = in_order[i](in, st);
    return check;
}
