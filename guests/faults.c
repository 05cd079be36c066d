/*
 * faults: one of each.
 *
 * Every exception the integer part of the CPU can raise, provoked on purpose,
 * in ring 0 and ring 3, and what the CPU told its handler: the vector, the
 * error code, and whether the saved instruction pointer is that of the guilty
 * instruction (a fault: repair and retry) or of the next (a trap: go on).
 * A double fault arrives by a task gate in 32 bits and on a stack of its own
 * (IST) in 64, since the stack itself may be what is broken.
 *
 *   run    vitrine run   build/guests/faults32.elf
 *   watch  vitrine run   --trace - --trace-kinds MARK,DELIVER build/guests/faults32.elf
 *
 * MARK 1: ring 0 and page faults.  MARK 2: ring 3.  MARK 3: double fault.
 * MARK 4: done.     See [SDM 3A "Exception and Interrupt Reference"].
 */
#include "lib/guest.h"
#include "lib/desc.h"
#include "lib/page.h"

/* Selectors and pages that are not as they should be; in digits, for the
 * cases below are assembly. */
#define SEL_NOT_PRESENT "0x40"
#define SEL_DF_TASK      0x48
#define SEL_SHORT       "0x50"          /* a data segment of 4 KiB      */
#define SEL_BEYOND      "0x1f8"         /* far behind the end of the GDT */
#define HOLE            "0x40000000"    /* nothing mapped               */
#define READ_ONLY       "0x40001000"
#define KERNEL_ONLY     "0x40002000"
#define FIRST_PAGE       0x40000000ul

#ifdef __x86_64__
#define AX "%rax"
#define SP "%rsp"
#else
#define AX "%eax"
#define SP "%esp"
#endif
#define SET_FLAG(bit) "pushf; orl $" bit ", (" SP "); popf"
#define DEBUG(what, how) "mov $" what "," AX "; mov " AX ", %dr0; mov $" how "," AX "; mov " AX ", %dr7"

uint32_t watched;
uint32_t bounds[2] = {10, 20};

enum where { AT, AFTER, THERE, ANY };   /* the saved IP: of it, of the next, where it went */

#ifdef STRICT                           /* strict.c: what QEMU 7.2 does not know */
/*    id             ring vector error  IP     CR2/DR6      what is set up; the instruction  */
#define CASES(X)                                                                              \
    STRICT_OF_WIDTH(X)                                                                        \
    X(absent_gate,      0, 11, 0x412,  AT,    0, "", "int $0x82")                             \
    X(reserved_cr4,     0, 13, 0,      AT,    0, "mov %cr4, " AX "; bts $30, " AX,            \
      "mov " AX ", %cr4")                                                                     \
    X(paged_real_mode,  0, 13, 0,      AT,    0,                                              \
      "mov %cr0, " AX "; btr $0, " AX "; bts $31, " AX, "mov " AX ", %cr0")                   \
    X(user_int_0x20,    3, 13, 0x102,  AT,    0, "", "int $0x20")                             \
    X(user_int3,        3, 13, 0x1a,   AT,    0, "", "int3")
#else
#define CASES(X)                                                                              \
    X(divide_by_0,      0,  0, 0,      AT,    0, "xor %ecx, %ecx", "div %ecx")                \
    X(divide_overflow,  0,  0, 0,      AT,    0, "mov $1, %edx; mov $1, %ecx", "div %ecx")    \
    X(single_step,      0,  1, 0,      AFTER, 0x4000, SET_FLAG("0x100"), "nop")               \
    X(data_breakpoint,  0,  1, 0,      AFTER, 1, DEBUG("watched", "0xd0001"),                 \
      "movl $1, watched")                                                                     \
    X(code_breakpoint,  0,  1, 0,      AT,    1, DEBUG("at_code_breakpoint", "1"), "nop")     \
    X(int3,             0,  3, 0,      AFTER, 0, "", "int3")                                  \
    X(undefined,        0,  6, 0,      AT,    0, "", "ud2")                                   \
    X(no_fpu_context,   0,  7, 0,      AT,    0,                                              \
      "mov %cr0, " AX "; or $0xa, " AX "; mov " AX ", %cr0", ".byte 0x9b")                    \
    X(absent_data,      0, 11, 0x40,   AT,    0, "mov $" SEL_NOT_PRESENT ", %eax",            \
      "mov %eax, %ds")                                                                        \
    X(absent_stack,     0, 12, 0x40,   AT,    0, "mov $" SEL_NOT_PRESENT ", %eax",            \
      "mov %eax, %ss")                                                                        \
    X(beyond_gdt,       0, 13, 0x1f8,  AT,    0, "mov $" SEL_BEYOND ", %eax",                 \
      "mov %eax, %ds")                                                                        \
    X(code_as_stack,    0, 13, 8,      AT,    0, "mov $8, %eax", "mov %eax, %ss")             \
    CASES_OF_WIDTH(X)                                                                         \
    X(read_hole,        0, 14, 0,      AT,    0x40000010, "", "movl " HOLE "+0x10, %eax")     \
    X(write_hole,       0, 14, 2,      AT,    0x40000020, "", "movl $0, " HOLE "+0x20")       \
    X(write_read_only,  0, 14, 3,      AT,    0x40001030, "", "movl $0, " READ_ONLY "+0x30")  \
    X(jump_to_hole,     0, 14, 0,      THERE, 0x40000040, "mov $" HOLE "+0x40, %eax",         \
      "jmp *" AX)                                                                             \
    X(user_read_hole,   3, 14, 4,      AT,    0x40000010, "", "movl " HOLE "+0x10, %eax")     \
    X(user_write_hole,  3, 14, 6,      AT,    0x40000020, "", "movl $0, " HOLE "+0x20")       \
    X(user_read_kernel, 3, 14, 5,      AT,    0x40002050, "", "movl " KERNEL_ONLY "+0x50, %eax") \
    X(user_write_kernel,3, 14, 7,      AT,    0x40002060, "", "movl $0, " KERNEL_ONLY "+0x60") \
    X(user_hlt,         3, 13, 0,      AT,    0, "", "hlt")                                   \
    X(user_cli,         3, 13, 0,      AT,    0, "", "cli")                                   \
    X(user_in,          3, 13, 0,      AT,    0, "", "in $0x60, %al")                         \
    X(user_mov_cr3,     3, 13, 0,      AT,    0, "", "mov %cr3, " AX)                         \
    X(user_kernel_data, 3, 13, 0x10,   AT,    0, "mov $0x10, %eax", "mov %eax, %ds")          \
    X(user_ud,          3,  6, 0,      AT,    0, "", "ud2")                                   \
    X(user_divide,      3,  0, 0,      AT,    0, "xor %ecx, %ecx", "div %ecx")                \
    X(double_fault,     0,  8, 0,      ANY,   0, "xor %ecx, %ecx", "div %ecx")
#endif

#ifdef __x86_64__
#define STRICT_OF_WIDTH(X)                                                                    \
    X(stack_not_canonical, 0, 12, 0,   AT,    0, "mov $1, %eax; shl $47, %rax",               \
      "mov (%rsp, %rax), %ecx")
#define CASES_OF_WIDTH(X)                                                                     \
    X(into_is_gone,     0,  6, 0,      AT,    0, "", ".byte 0xce")                            \
    X(iret_with_nt,     0, 13, 0,      AT,    0, SET_FLAG("0x4000"), "iretq")                 \
    X(not_canonical,    0, 13, 0,      AT,    0, "mov $1, %eax; shl $47, %rax",               \
      "mov (%rax), %ecx")
#else
#define STRICT_OF_WIDTH(X)                                                                    \
    X(beyond_limit,     0, 13, 0,      AT,    0, "mov $" SEL_SHORT ", %eax; mov %eax, %es",   \
      "movb %es:0x1000, %al")                                                                 \
    X(write_code,       0, 13, 0,      AT,    0, "", "movl $0, %cs:watched")
#define CASES_OF_WIDTH(X)                                                                     \
    X(overflow,         0,  4, 0,      AFTER, 0, "mov $0x7f, %al; inc %al", "into")           \
    X(bound_range,      0,  5, 0,      AT,    0, "mov $21, %eax", "bound %eax, bounds")       \
    X(iret_to_no_task,  0, 10, 0x10,   AT,    0, SET_FLAG("0x4000"), "iret")                  \
    X(null_stack,       0, 13, 0,      AT,    0, "xor %eax, %eax", "mov %eax, %ss")           \
    X(jump_to_busy_task,0, 13, 0x30,   AT,    0, "", "ljmp $0x30, $0")
#endif

/* Each case as a little function: the three labels tell where it stopped. */
#define AS_CODE(id, ring, vector, error, ip, extra, before, insn)                             \
    __asm__(".text\ncase_" #id ": xor %eax, %eax; xor %edx, %edx\n" before "\n"               \
            "at_" #id ": " insn "\nafter_" #id ": nop; nop; ret");                            \
    extern void case_##id(void);                                                              \
    extern char at_##id[], after_##id[];
CASES(AS_CODE)

static const struct fault_case {
    const char *name;
    void (*run)(void);
    ulong at, after;
    ulong ring, vector, error, extra;
    enum where where;
} cases[] = {
#define AS_ROW(id, ring, vector, error, ip, extra, before, insn)                              \
    {#id, case_##id, (ulong)at_##id, (ulong)after_##id, ring, vector, error, extra, ip},
    CASES(AS_ROW)
};

static const char *const vector_names[] = {"DE", "DB", "NMI", "BP", "OF", "BR", "UD", "NM",
                                           "DF", "9",  "TS",  "NP", "SS", "GP", "PF"};

static const struct fault_case *current;
static ulong trapped;

static void call_current(void)
{
    trapped = TRY("call *%0", : : "r"(current->run)
                  : "eax", "ecx", "edx", "esi", "edi", "memory", "cc");
}

static void user_main(void)
{
    call_current();
    user_exit();
}

static const char *where(const struct fault_case *c)
{
    if (c->where == ANY)
        return "aborted";
    return caught.ip == c->at      ? "at the instruction"
           : caught.ip == c->after ? "after the instruction"
           : caught.ip == caught.cr2 ? "where it jumped to"
                                     : "elsewhere";
}

static ulong dr6_take(void)
{
    ulong dr6;

    __asm__ volatile("mov %%dr6, %0; mov %1, %%dr6; mov %2, %%dr7"
                     : "=&r"(dr6) : "r"(0xffff0ff0ul), "r"(0ul));
    return dr6 & 0xe00f;
}

/* What a case may have changed, as it was. */
static void tidy(void)
{
    cr0_write(cr0_read() & ~(CR0_TS | CR0_MP));
    __asm__ volatile("mov %0, %%es; mov %0, %%ds" : : "r"(SEL_KDATA));
}

static void check_case(const struct fault_case *c)
{
    static const char *const whereabouts[] = {"at the instruction", "after the instruction",
                                              "where it jumped to", "aborted"};
    ulong extra = c->vector == 1 ? dr6_take() : caught.cr2;

    if (!trapped) {
        check(false, c->name, 0, c->vector);
        return;
    }
    printf("%-20s #%s error %-4lx %s", c->name,
           caught.vector < 15 ? vector_names[caught.vector] : "?", caught.error, where(c));
    if (extra)
        printf(", %s %lx", c->vector == 1 ? "DR6" : "CR2", extra);
    printf("\n");
    CHECK(c->name, caught.vector, c->vector);
    CHECK("error code", caught.error, c->error);
    CHECK("CR2 or DR6", extra, c->extra);
    check(strcmp(where(c), whereabouts[c->where]) == 0, "saved IP", caught.ip, c->at);
}

#ifdef __x86_64__
static char df_stack[4096] __attribute__((aligned(16)));

static void double_fault_set_up(void)
{
    tss.ist[0] = (ulong)df_stack + sizeof(df_stack);
    gate_ist(8, 1);
}
#else
static char df_stack[4096] __attribute__((aligned(16)));
static struct tss df_tss;

/* The error code lies where a caller would have put the argument, were there
 * a return address: push one. */
__asm__(".text\ndf_entry: call df_main; add $4, %esp; iret; jmp df_entry");
extern char df_entry[];
void df_main(ulong error);

/* Runs as a task of its own: the state of the broken one is in its TSS. */
void df_main(ulong error)
{
    caught.vector = 8;
    caught.error = error;
    caught.ip = tss.ip;
    CHECK("the task that was left", df_tss.link, SEL_TSS);
    tss.ip = caught_resume;             /* where IRET will continue it */
}

static void double_fault_set_up(void)
{
    df_tss = (struct tss){
        .cr3 = cr3_read(), .ip = (uint32_t)df_entry, .flags = 2,
        .sp = (uint32_t)df_stack + sizeof(df_stack), .cs = SEL_KCODE, .ss = SEL_KDATA,
        .ds = SEL_KDATA, .es = SEL_KDATA, .iomap = sizeof(df_tss),
    };
    tss.cr3 = cr3_read();               /* a task switch loads it on the way back */
    gdt[SEL_DF_TASK / 8] = seg_desc((uint32_t)&df_tss, sizeof(df_tss) - 1, ACC_TSS32_AVAIL, 0);
    gate_task(8, SEL_DF_TASK);
    tss.link = SEL_KDATA;               /* for iret_to_no_task */
}
#endif

static void set_up(void)
{
    pte_t *root = page_start(PTE_U);

    *page_entry(root, FIRST_PAGE) = 0;
    *page_entry(root, FIRST_PAGE + 0x1000) = (ulong)page_alloc() | PTE_P;
    *page_entry(root, FIRST_PAGE + 0x2000) = (ulong)page_alloc() | PTE_P | PTE_W;
    cr3_write((ulong)root);
    cr0_write(cr0_read() | CR0_WP);
    gdt[8] = seg_desc(0, 0xfffff, ACC_KDATA & 0x7f, SEGF_4G);
    gdt[10] = seg_desc(0, 0xfff, ACC_KDATA, SEGF_BYTE);
    gate_absent(0x82, true);
    double_fault_set_up();
}

int main(void)
{
    set_up();
    mark(1);
    for (current = cases; current < cases + sizeof(cases) / sizeof(*cases); current++) {
        if (current->vector == 8) {
            mark(3);
            gate_absent(0, true);       /* #NP while delivering #DE */
        } else if (current->ring == 3 && current[-1].ring == 0) {
            mark(2);
        }
        if (current->ring == 3)
            user_run(user_main, 2);
        else
            call_current();
        tidy();
        check_case(current);
    }
    mark(4);
    return check_result();
}
