/*
 * debugger/report/explain_cause.c -- the first exception of a crash: what a programmer should
 * check about the instruction that raised it.
 *
 * Begin with causes[], at the end; explain_signs.h says how such a table works.  Where no sign is
 * there, the reason that the engine gave has advice of its own (explain_refusal.c).
 */
#include "debugger/report/explain_signs.h"

#include <string.h>

#include "debugger/symbols/symbols.h"

/*
 * Page faults
 */

static bool calls_null(const struct explain_input *in, const struct delivery_step *st)
{
    return explain_fetch_failed(in, st) && st->cr2 < 0x1000;
}

/* The vector table of real mode, 400h bytes, and the BIOS's data behind it: no code lies there. */
static bool runs_in_vector_table(const struct explain_input *in, const struct delivery_step *st)
{
    return st->type == EVENT_EXCEPTION && explain_is_real(in->cpu) &&
           explain_linear(in->cpu, SEG_CS, st->rip) < 0x500;
}

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

/* Ring 0 was kept from a page that it may neither write to nor is forbidden to read. */
static bool is_kept_from_page(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return sign_is_exception(st, VEC_PF) && (st->error & PF_P) &&
           !(st->error & (PF_W | PF_U | PF_RSVD));
}

static bool meets_no_table(const struct explain_input *in, const struct delivery_step *st)
{
    return sign_is_exception(st, VEC_PF) && explain_table_is_nowhere(in, st->cr2);
}

static bool has_reserved_bit(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return sign_is_exception(st, VEC_PF) && (st->error & PF_RSVD);
}

static bool lacks_user_bit(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return sign_is_exception(st, VEC_PF) && (st->error & PF_P) && (st->error & PF_U);
}

static bool is_write_protected(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return sign_is_exception(st, VEC_PF) && (st->error & PF_P) && (st->error & PF_W);
}

/* 0F 22 /0 and /3 are MOV to CR0 and CR3.  The bytes are read by their physical address, for
 * before such a move linear and physical address are mostly the same. */
static bool has_just_changed_paging(const struct explain_input *in, const struct delivery_step *st)
{
    uint8_t b[3];
    return explain_fetch_failed(in, st) && in->physical &&
           in->physical(in->arg, st->cr2 - sizeof b, b, sizeof b) && b[0] == 0x0f && b[1] == 0x22 &&
           ((b[2] & 0xf8) == 0xc0 || (b[2] & 0xf8) == 0xd8);
}

static bool misses_gdt(const struct explain_input *in, const struct delivery_step *st)
{
    return sign_is_exception(st, VEC_PF) && sign_lies_in_table(st->cr2, &in->cpu->gdtr);
}

/* A push, or an access to a local variable, has met the page below the stack; pushing the
 * frame meets it again. */
static bool is_stack_overflow(const struct explain_input *in, const struct delivery_step *st)
{
    gla_t top = sign_stack_top(in);
    return sign_is_exception(st, VEC_PF) && st->obstacle == OBSTACLE_STACK_PAGE &&
           sign_lies_in(st->cr2, top - 0x1000, 0x2000);
}

static bool is_stack_unmapped(const struct explain_input *in, const struct delivery_step *st)
{
    gla_t top = sign_stack_top(in);
    return sign_is_exception(st, VEC_PF) && !(st->error & PF_P) &&
           sign_lies_in(st->cr2, top - 0x100, 0x200);
}

static bool uses_null(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return sign_is_exception(st, VEC_PF) && st->cr2 < 0x1000;
}

static bool misses_vga(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return sign_is_exception(st, VEC_PF) && sign_lies_in(st->cr2, 0xa0000, 0x20000);
}

static bool misses_apic(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return sign_is_exception(st, VEC_PF) && sign_lies_in(st->cr2, 0xfec00000, 0x300000);
}

/* SWAPGS once too often, or not at all: GS has the other ring's base. */
static bool misses_gs(const struct explain_input *in, const struct delivery_step *st)
{
    struct decoded d;
    return sign_is_exception(st, VEC_PF) && explain_is_long(in->cpu) &&
           explain_decode(in, st, &d) && d.has_mem && d.mem.seg == SEG_GS;
}

/* Is the address that of a handler?  Then a delivery was just made. */
static bool misses_handler(const struct explain_input *in, const struct delivery_step *st)
{
    const struct table_reg *idt = &in->cpu->idtr;
    unsigned size = explain_gate_bytes(in->cpu);
    uint8_t b[16] = { 0 };
    if (!explain_fetch_failed(in, st) || !sign_is_protected(in))
        return false;
    for (unsigned at = 0; at + size - 1 <= idt->limit; at += size) {
        if (!in->read(in->arg, idt->base + at, b, size) || !(b[5] & 0x80))
            continue;
        uint64_t offset = b[0] | b[1] << 8 | (uint64_t)b[6] << 16 | (uint64_t)b[7] << 24;
        for (unsigned i = 8; i < size - 4; i++)
            offset |= (uint64_t)b[i] << (8 * i - 32);
        if (offset == st->rip)
            return true;
    }
    return false;
}

static bool is_page_fault(const struct explain_input *in, const struct delivery_step *st)
{
    (void)in;
    return sign_is_exception(st, VEC_PF);
}

/*
 * All others
 */

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

/* A stack pointer to no memory has been set, not reached by pushing. */
static bool has_stack_nowhere(const struct explain_input *in, const struct delivery_step *st)
{
    uint8_t byte;
    return st->type == EVENT_EXCEPTION && sign_is_protected(in) && !explain_is_paged(in->cpu) &&
           !in->read(in->arg, sign_stack_top(in), &byte, 1);
}

/* The stack lies just below the instruction: what is above has been overwritten.  (A boot
 * sector's stack lies there rightly.) */
static bool has_stack_in_code(const struct explain_input *in, const struct delivery_step *st)
{
    gla_t at = explain_linear(in->cpu, SEG_CS, st->rip);
    return st->type != EVENT_IRQ && sign_is_protected(in) && at >= 0x8000 &&
           sign_lies_in(sign_stack_top(in), at - 0x400, 0x400 + 16);
}

/* DS or another register has not been loaded since real mode. */
static bool uses_segment_of_real_mode(const struct explain_input *in,
                                      const struct delivery_step *st)
{
    unsigned seg = in->chain ? in->chain->cause_at >> 32 & 7 : 0;
    return in->chain && st->type == EVENT_EXCEPTION && sign_is_protected(in) &&
           in->chain->cause == OBSTACLE_SEG_LIMIT && seg <= SEG_GS &&
           sign_is_of_real_mode(&in->cpu->seg[seg]);
}

static bool has_narrow_iret(const struct explain_input *in, const struct delivery_step *st)
{
    return explain_iret_is_narrow(in, st);
}

static bool has_frame_elsewhere(const struct explain_input *in, const struct delivery_step *st)
{
    return explain_iret_distance(in, st) != 0;
}

/* Memory that nobody has filled is 0, and FF where there is none. */
static bool is_fill(const struct explain_input *in, gla_t at, unsigned n)
{
    uint8_t b[16];
    if (!in->read(in->arg, at, b, n) || (b[0] != 0 && b[0] != 0xff))
        return false;
    for (unsigned i = 1; i < n; i++)
        if (b[i] != b[0])
            return false;
    return true;
}

/* Is the instruction below 1 MiB, while the program with all its symbols lies above? */
static bool is_below_program(const struct explain_input *in, gla_t at)
{
    uint64_t lowest, end;
    return at < 0x100000 && symbols_at(in->symbols, 0, &lowest, &end) && lowest >= 0x100000;
}

/* Tables of gates or descriptors are no code.  (A limit of 64 KiB is that of real mode.) */
static bool executes_table(gla_t at, const struct table_reg *t)
{
    return t->limit < 0xffff && sign_lies_in_table(at, t);
}

/* Is the instruction, or what lies before it, no code?  (Before a function may lie anything.) */
static bool runs_through_nothing(const struct explain_input *in, const struct delivery_step *st)
{
    gla_t at = explain_linear(in->cpu, SEG_CS, st->rip);
    uint8_t byte;
    uint64_t offset = 1;
    if (st->type != EVENT_EXCEPTION || st->vector == VEC_DB || !sign_is_protected(in))
        return false;
    if (executes_table(at, &in->cpu->gdtr) || executes_table(at, &in->cpu->idtr))
        return true;
    if (in->cpu->rflags & FLAG_VM)
        return is_fill(in, at, 2);      /* a V86 task's code lies low, and begins anywhere */
    if (st->rip < 0x400 || is_fill(in, at, 2) || is_below_program(in, at))
        return true;
    if (!in->read(in->arg, at, &byte, 1))
        return st->vector != VEC_PF;
    bool begins_function = symbols_find(in->symbols, at, &offset) && offset == 0;
    return !begins_function && is_fill(in, at - 16, 16);
}

/* The same of real mode, where zeros before the instruction are all there is to go by. */
static bool runs_through_zeros(const struct explain_input *in, const struct delivery_step *st)
{
    return sign_is_exception(st, VEC_UD) && explain_is_real(in->cpu) && st->rip >= 16 &&
           is_fill(in, explain_linear(in->cpu, SEG_CS, st->rip) - 16, 16);
}

/* A boot sector whose stack is in the boot sector.  (Its end, 7E00h, is as good as its begin.) */
static bool has_stack_in_boot_sector(const struct explain_input *in,
                                     const struct delivery_step *st)
{
    bool is_lost = sign_is_exception(st, VEC_UD) || sign_is_exception(st, VEC_GP);
    return is_lost && explain_is_real(in->cpu) && sign_lies_in(sign_stack_top(in), 0x7c01, 0x1e0);
}

/* SYSCALL goes to LSTAR and leaves in RCX the address behind itself.  Its opcode is 0F 05. */
static bool came_by_syscall(const struct explain_input *in, const struct delivery_step *st)
{
    const struct cpu_state *c = in->cpu;
    uint8_t b[2];
    return explain_code_width(c) == CODE64 && sign_lies_in(st->rip, c->lstar, 0x100) &&
           runs_through_nothing(in, st) && in->read(in->arg, c->gpr[RCX] - 2, b, 2) &&
           b[0] == 0x0f && b[1] == 0x05;
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

/* Nobody stops the CPU in real mode before the end of the segment: zeros are an ADD there. */
static bool runs_to_end_of_segment(const struct explain_input *in, const struct delivery_step *st)
{
    return sign_is_exception(st, VEC_GP) && explain_is_real(in->cpu) && st->rip > 0xffff;
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

/* A kernel that is linked for the upper half of the address space lies some MiB above its begin. */
static bool runs_high_without_paging(const struct explain_input *in,
                                     const struct delivery_step *st)
{
    uint8_t byte;
    return st->type == EVENT_EXCEPTION && sign_is_protected(in) && !explain_is_paged(in->cpu) &&
           st->rip >= 0x80000000 && st->rip % 0x10000000 < 0x1000000 &&
           !in->read(in->arg, explain_linear(in->cpu, SEG_CS, st->rip), &byte, 1);
}

/* Nobody has set it: the first push went to the top of the address space. */
static bool has_stack_at_zero(const struct explain_input *in, const struct delivery_step *st)
{
    uint32_t sp = (uint32_t)(in->cpu->gpr[RSP] + 0x100);
    return sign_is_protected(in) && sp <= 0x100 && runs_through_nothing(in, st);
}

static bool runs_through_nothing_in_handler(const struct explain_input *in,
                                            const struct delivery_step *st)
{
    return runs_through_nothing(in, st) && explain_is_in_handler(in);
}

/* The IDT still is the vector table of real mode: this is a boot loader, or what it has loaded. */
static bool runs_where_nothing_was_loaded(const struct explain_input *in,
                                          const struct delivery_step *st)
{
    return runs_through_nothing(in, st) && sign_has_vector_table(in) &&
           st->rip < 0xa0000;
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

#define RUNS_IN_VECTOR_TABLE                                                                    \
    "this is the vector table of real mode, or the BIOS's data behind it, and no code: was the " \
    "CPU sent here by a jump, a call or a RET with a wrong address, or through a vector that is " \
    "not set?"

#define NOTHING_WAS_LOADED                                                                     \
    "is there code? A BIOS loads one sector, 512 bytes, to 0x7c00; what lies behind must be "  \
    "read by INT 13h, which counts sectors from 1 and sets CF if it has failed."

/* The first that is there is told. */
static const struct sign causes[] = {
    { runs_in_vector_table, RUNS_IN_VECTOR_TABLE },
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
    { calls_null,
      "was a function pointer 0, or a return address? The CPU was sent to address 0 by a jump, "
      "a call or a RET whose stack held something else." },
    { meets_no_table,
      "do CR3 and the entries hold physical addresses? A kernel linked into the upper half of "
      "the address space must subtract that offset before it stores one." },
    { misses_handler,
      "a gate of the IDT leads to this address: is the handler's whole offset in the gate (in "
      "long mode it has three parts), and is the handler mapped, as code?" },
    { has_reserved_bit,
      "is each entry made as the manual draws it? Addresses in it are multiples of 4096 (of a "
      "large page: of its size), NX needs EFER.NXE, and PS is for entries that map large pages." },
    { lacks_user_bit,
      "what ring 3 uses needs U/S = 1 in the entries of all levels, not in the last one alone." },
    { is_write_protected,
      "what is written to needs R/W = 1 in the entries of all levels; with CR0.WP that holds "
      "for ring 0 too." },
    { is_kept_from_page,
      "is the page meant for this? A page of ring 3 (U/S = 1) is closed to ring 0's code by "
      "CR4.SMEP and to its data by CR4.SMAP, and one with NX to all code." },
    { has_just_changed_paging,
      "do the page tables map the instruction itself? Code that switches paging on (or changes "
      "CR3) must be mapped at the address at which it is running, until it has jumped "
      "elsewhere." },
    { explain_fetch_failed,
      "do the page tables map the instruction itself? Code that switches paging on must map "
      "itself, and code that jumps to another address must map that." },
    { misses_gdt,
      "do the page tables map the GDT? Loading a selector reads it, and the base that LGDT "
      "takes is a linear address (of which only 24 bits count if its operand is 16 bits wide)." },
    { is_stack_overflow,
      "the stack has overflowed (endless recursion, large local arrays): the address is next "
      "to the stack pointer. To see it handled, a double fault needs a stack of its own: IST, "
      "or a task gate." },
    { is_stack_unmapped,
      "is the stack pointer right, and its page mapped? The address is next to it." },
    { uses_null, "is a pointer 0? The address is that of a field or element behind address 0." },
    { misses_gs,
      "has GS the kernel's base? SWAPGS must be executed once on the way in from ring 3 and "
      "once on the way out, and not when an interrupt comes in ring 0." },
    { misses_vga, "the VGA's memory (text is at 0xb8000) must be mapped like any other." },
    { misses_apic,
      "this is where a PC has its APICs: their pages must be mapped before they are used." },
    { is_page_fault,
      "is the address right (a pointer not set, an index too large)? Else it must be mapped "
      "before it is used." },
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
    { has_frame_elsewhere,
      "does the handler take off the stack all that was put there? Each PUSH needs its POP, "
      "and of vectors 8, 10 to 14 and 17 the error code must go (ADD ESP, 4 or ADD RSP, 8) "
      "before IRET." },
    { has_stack_in_boot_sector,
      "what has set the stack pointer? It is in the midst of the boot sector (0x7c00 to 0x7dff), "
      "so that each push overwrites code or data. With SS = 0 and SP = 0x7c00 the stack grows "
      "down from there." },
    { runs_to_end_of_segment,
      "is there code? The CPU has run through memory to the end of the 64 KiB that IP reaches "
      "(zeros are an instruction, ADD): on behind the end of the code (end it with HLT in a "
      "loop), or sent to a wrong place by a jump, a call or a RET." },
    { runs_through_zeros, NOTHING_WAS_LOADED },
    { came_by_syscall,
      "was LSTAR set? The CPU came here by SYSCALL, which goes to the address in LSTAR (MSR "
      "0xc0000082), and there is no code." },
    { runs_high_without_paging,
      "is paging on? It is off, and this looks like an address of a kernel that is linked for the "
      "upper half: until it has switched paging on it must use physical addresses." },
    { has_stack_at_zero,
      "was the stack pointer set? It is at 0, and what was pushed below that is lost (the top of "
      "the address space), so that each RET and POP takes nonsense." },
    { runs_through_nothing_in_handler,
      "is the gate right: both halves of the handler's address, and the type (0x8e; 0x86 is "
      "for 16-bit code)? An exception or interrupt was delivered, and its gate leads to where "
      "no handler is." },
    { has_stack_nowhere,
      "what has set the stack pointer? It points to where there is no memory, so that each RET "
      "and POP takes nonsense. (LEAVE takes it from EBP.)" },
    { has_stack_in_code,
      "the stack has grown into the code and overwritten it: is the recursion endless, or the "
      "stack too small?" },
    { runs_where_nothing_was_loaded, NOTHING_WAS_LOADED },
    { runs_through_nothing,
      "is there code? The CPU has run into memory that nobody has filled: behind the end of a "
      "function (a kernel's entry must not return or fall through), or by a jump, call or RET "
      "to a wrong address." },
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

bool explain_is_runaway(const struct explain_input *in, const struct delivery_step *st)
{
    return calls_null(in, st) || runs_in_vector_table(in, st) || runs_through_nothing(in, st);
}

/* A CPU that has lost its way need not raise an exception: zeros are instructions too. */
static const struct sign lost[] = {
    { runs_in_vector_table, RUNS_IN_VECTOR_TABLE },
    { has_stack_nowhere,
      "the stack pointer points to where there is no memory: what has set it? Or does a "
      "recursion without end push, far beyond the stack? (LEAVE takes the stack pointer from "
      "EBP.)" },
    { runs_through_nothing_in_handler,
      "there is no code: is the handler's address in the gate right, with both halves?" },
    { runs_through_nothing,
      "there is no code: has the CPU run on behind the end of a function, or was it sent here "
      "by a jump, call or RET to a wrong address?" },
};

const char *explain_check_running(const struct explain_input *in, const struct delivery_step *st)
{
    return sign_find(lost, NELEM(lost), in, st);
}

const char *explain_check_cause(const struct explain_input *in, const struct delivery_step *st)
{
    const char *sign = sign_find(causes, NELEM(causes), in, st);
    return sign ? sign : explain_check_refusal(in);
}
