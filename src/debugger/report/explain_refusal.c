/*
 * debugger/report/explain_refusal.c -- why the first exception of a chain was raised.
 *
 * The vector says little: #GP has some sixty causes.  The engine has kept the one that it was, and
 * a number (cpu/refusal.h); here they become half a sentence, and advice on what to check.  A
 * page fault says by itself, in its error code, what was wrong, so there is nothing to add.
 */
#include "debugger/report/explain_private.h"

#include <inttypes.h>
#include <string.h>

/* A far transfer makes some of the checks of a delivery, with the same code.  What the sentences
 * of OBSTACLE_LIST say about a handler is then true of the transfer's target. */
static const char *const of_transfer[FIRST_REFUSAL] = {
    [OBSTACLE_HANDLER_LIMIT] = "the target lies beyond the end of the code segment, or is not "
                               "canonical",
    [OBSTACLE_TSS_NONE]      = "the target's ring needs a stack from the TSS, and no TSS is loaded",
    [OBSTACLE_TSS_LIMIT]     = "the TSS ends before the stack pointer of the target's ring",
    [OBSTACLE_STACK_NULL]    = "the TSS has the null selector as stack segment of the target's "
                               "ring",
    [OBSTACLE_STACK_LIMIT]   = "the TSS names a stack segment beyond the end of its table",
    [OBSTACLE_STACK_TYPE]    = "the TSS names a stack segment that is not writable data of the "
                               "target's ring",
    [OBSTACLE_STACK_ABSENT]  = "the TSS names a stack segment that is not present",
    [OBSTACLE_STACK_END]     = "the stack segment ends there",
    [OBSTACLE_STACK_ADDRESS] = "the stack pointer is not a canonical address",
    [OBSTACLE_TASK_TSS]      = "the task gate names a TSS that cannot be used",
};

/* "DS:0x12345, where DS is 0x10 with limit 0xffff" */
static void say_segment_place(const struct explain_input *in, uint64_t at, FILE *out)
{
    static const char *const names[] = { "ES", "CS", "SS", "DS", "FS", "GS" };
    unsigned seg = at >> 32 & 7;
    const struct segment *g = &in->cpu->seg[seg < NELEM(names) ? seg : SEG_DS];
    const char *name = names[seg < NELEM(names) ? seg : SEG_DS];
    fprintf(out, " (%s:%#x, where %s is %#x with limit %#x)", name, (uint32_t)at, name, g->sel,
            g->limit);
}

/* The number, unless the exception's error code, printed before, is the same selector. */
static void say_number(const struct explain_input *in, const char *what, uint64_t at, FILE *out)
{
    if (!strcmp(what, "segment:offset"))
        say_segment_place(in, at, out);
    else if (strcmp(what, "-") != 0 && strcmp(what, "selector") != 0)
        fprintf(out, " (%s %#" PRIx64 ")", what, at);
}

void explain_refusal(const struct explain_input *in, FILE *out)
{
    uint64_t why = in->chain->cause;
    if (why == OBSTACLE_UNKNOWN || why >= N_OBSTACLES)
        return;
    const struct obstacle_info *info = &obstacle_infos[why];
    bool shared = why < FIRST_REFUSAL && of_transfer[why];
    fprintf(out, "    the CPU refused it: %s", shared ? of_transfer[why] : info->about);
    say_number(in, info->at, in->chain->cause_at, out);
    fputs(".\n", out);
}

/* The engine has decoded the instruction, or it had said that it is none.  If the bytes that lie
 * there are none, they are others: a stack has grown there, or the exception's own frame. */
void explain_say_overwritten(const struct explain_input *in, const struct delivery_step *st,
                             FILE *out)
{
    uint64_t why = in->chain->cause;
    struct decoded d;
    uint8_t byte;
    if (st->type != EVENT_EXCEPTION || why < FIRST_REFUSAL || why >= N_OBSTACLES ||
        why == OBSTACLE_NO_INSN || why == OBSTACLE_INSN_MODE || why == OBSTACLE_CODE_LIMIT_HIT ||
        !in->read(in->arg, explain_linear(in->cpu, SEG_CS, st->rip), &byte, 1) ||
        explain_decode(in, st, &d))
        return;
    fputs("    What lies there now is no instruction: it has been overwritten since, perhaps by "
          "the frame of this exception.\n", out);
}

/* What to check then.  Where the sentence of REFUSAL_LIST says all, there is none. */
static const char *const checks[N_OBSTACLES] = {
    [OBSTACLE_RING0] =
        "is this code meant to run in ring 3? A program asks the kernel to do it, by a system "
        "call. If it is the kernel: who has left ring 0?",
    [OBSTACLE_IOPL] =
        "CLI and STI are the kernel's. A program needs IOPL 3 in its flags to use them, which "
        "gives it all ports too.",
    [OBSTACLE_V86_IOPL] =
        "INT, CLI, STI, PUSHF, POPF and IRET of a V86 task are for its monitor to do, in the "
        "handler of this #GP; with IOPL 3 in the task's flags the CPU does them itself (INT n "
        "through a gate of the IDT).",
    [OBSTACLE_PORT] =
        "a program asks the kernel to do I/O. It may do so itself with IOPL 3 in its flags, or "
        "if the I/O bitmap of its TSS opens the port.",
    [OBSTACLE_UD2] =
        "which check of the program has failed here? Compilers put UD2 where they are sure that "
        "nobody comes (behind a call that must not return, or after undefined behaviour), and "
        "for __builtin_trap() and panics.",
    [OBSTACLE_NO_INSN] =
        "is it code, and built for this CPU and mode? Data look so; so does 64-bit code in a "
        "32-bit segment, or the other way round; and so do extensions that CPUID does not "
        "announce (AVX: build with -mno-avx).",
    [OBSTACLE_INSN_MODE] =
        "was this code built for another mode? Bits D and L of the code segment's descriptor say "
        "how wide CS reads it.",
    [OBSTACLE_REGISTER] = "is the number of the register right?",
    [OBSTACLE_SYSCALL_OFF] =
        "set EFER.SCE (MSR 0xc0000080, bit 0) before the first SYSCALL, and STAR, LSTAR and "
        "SFMASK.",
    [OBSTACLE_SYSENTER_CS] =
        "write the MSRs 0x174 to 0x176 (CS, ESP, EIP of the kernel) before the first SYSENTER.",
    [OBSTACLE_SSE_OFF] =
        "before the first SSE instruction clear CR0.EM, and set CR0.MP, CR4.OSFXSR and "
        "CR4.OSXMMEXCPT; or build the kernel without SSE (-mno-sse, -mgeneral-regs-only).",
    [OBSTACLE_SSE_EMULATED] =
        "before the first SSE instruction clear CR0.EM, and set CR0.MP, CR4.OSFXSR and "
        "CR4.OSXMMEXCPT; or build the kernel without SSE (-mno-sse, -mgeneral-regs-only).",
    [OBSTACLE_FPU_EMULATED] =
        "clear CR0.EM, set CR0.MP, and execute FNINIT before the first floating-point "
        "instruction.",
    [OBSTACLE_FPU_SWITCHED] =
        "the handler of #NM executes CLTS and loads the FPU's registers of the task; a kernel "
        "that does not switch them lazily leaves TS at 0.",
    [OBSTACLE_SIMD_UNKNOWN] =
        "set CR4.OSXMMEXCPT, and have a handler for vector 19; or leave MXCSR at 0x1f80, which "
        "masks all.",
    [OBSTACLE_DIVIDE_ZERO] = "where does the divisor come from?",
    [OBSTACLE_DIVIDE_RANGE] =
        "was the upper half of the dividend set before the division? DIV wants XOR EDX, EDX, "
        "IDIV wants CDQ. (The lowest number divided by -1 does not fit either.)",
    [OBSTACLE_OPERAND_16] =
        "is the stack aligned? Compilers count on a stack pointer that is a multiple of 16 "
        "before each CALL: at the kernel's entry, in stubs of handlers and for new threads too.",
    [OBSTACLE_CANONICAL] =
        "is the pointer whole? Moves of 32 bits lose its upper half; in the upper half of the "
        "address space bits 63 to 47 are all 1.",
    [OBSTACLE_SEG_NULL] =
        "who has loaded that segment register with 0? An IRET to ring 3 clears those that ring 3 "
        "may not use: load them with the user's data selector.",
    [OBSTACLE_SEG_WRITE] =
        "the kernel's data segment has access byte 0x92: W (bit 1) is 1, bit 3 is 0.",
    [OBSTACLE_SEG_READ] = "a code segment that is read needs R (bit 1 of the access byte): 0x9a.",
    [OBSTACLE_SEG_LIMIT] =
        "is G (granularity) set in the descriptor? A limit of 0xfffff means 4 GiB with it and 1 "
        "MiB without.",
    [OBSTACLE_BRANCH_LIMIT] =
        "is G (granularity) set in the descriptor of CS? A limit of 0xfffff means 4 GiB with it "
        "and 1 MiB without.",
    [OBSTACLE_HANDLER_LIMIT] =
        "is G (granularity) set in the descriptor of the code segment? A limit of 0xfffff means "
        "4 GiB with it and 1 MiB without.",
    [OBSTACLE_CODE_LIMIT_HIT] =
        "is G (granularity) set in the descriptor of CS? A limit of 0xfffff means 4 GiB with it "
        "and 1 MiB without.",
    [OBSTACLE_SEL_NULL] =
        "a selector is the index in the GDT times 8; entry 0 is the null descriptor, and CS and "
        "SS cannot do with it.",
    [OBSTACLE_SEL_LIMIT] =
        "is the selector the index in the GDT times 8, and is the limit that LGDT loads the size "
        "of the whole GDT in bytes minus 1?",
    [OBSTACLE_SEL_SS] =
        "SS needs the data segment of its ring: access byte 0x92 in ring 0; 0xf2, and RPL 3 in "
        "the selector, in ring 3.",
    [OBSTACLE_SEL_DATA] =
        "is the selector that of a data segment (access byte 0x92, in ring 3 0xf2) in the GDT "
        "that LGDT loaded last?",
    [OBSTACLE_SEL_CODE] =
        "is the selector that of a code segment of this ring (access byte 0x9a, RPL 0) in the "
        "GDT that LGDT loaded last? In long mode L is 1 and D is 0.",
    [OBSTACLE_SEL_RETURN] =
        "a return to ring 3 needs a code segment with DPL 3 (access byte 0xfa) and RPL 3 in the "
        "selector (index times 8 plus 3), and of SS the same.",
    [OBSTACLE_SEL_SYSTEM] = "is the selector that of a code segment?",
    [OBSTACLE_SEL_TSS] =
        "LTR makes a TSS busy, so it cannot be loaded twice; the access byte is 0x89. In long "
        "mode its descriptor has 16 bytes.",
    [OBSTACLE_SEL_LDT] = "LLDT needs a descriptor with access byte 0x82; 0 if no LDT is used.",
    [OBSTACLE_SEL_ABSENT] =
        "bit 7 of the access byte (P) must be set, and the descriptor's bytes be in their order.",
    [OBSTACLE_TASK_LINK] =
        "who has set NT (bit 14 of the flags)? Or has IRET taken wrong flags before?",
    [OBSTACLE_TASK_LONG] =
        "who has set NT (bit 14 of the flags)? Or has IRET taken wrong flags before?",
    [OBSTACLE_PG_WITHOUT_PE] =
        "set CR0.PE and CR0.PG (bits 0 and 31); the others must stay as they are.",
    [OBSTACLE_LONG_PAE] =
        "long mode wants this order: CR4.PAE, CR3 with the PML4, EFER.LME, CR0.PG.",
    [OBSTACLE_PDPTE] =
        "was EFER.LME set before paging was switched on? Without it CR4.PAE means PAE paging, "
        "and CR3 points to four PDPT entries, not to a PML4.",
    [OBSTACLE_PDPTE_NONE] = "does CR3 hold a physical address?",
    [OBSTACLE_CR4_RESERVED] = "does CPUID announce what these bits switch on?",
    [OBSTACLE_EFER_RESERVED] = "does CPUID announce what these bits switch on?",
    [OBSTACLE_EFER_PAGING] = "set EFER.LME before CR0.PG.",
    [OBSTACLE_MSR_UNKNOWN] =
        "is the number in ECX right, and does CPUID announce what the MSR belongs to?",
    [OBSTACLE_MSR_VALUE] = "EDX:EAX is the value, EDX its upper half.",
};

const char *explain_check_refusal(const struct explain_input *in)
{
    return in->chain && in->chain->cause < N_OBSTACLES ? checks[in->chain->cause] : NULL;
}
