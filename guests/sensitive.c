/*
 * sensitive: what ring 3 can find out without asking.
 *
 * Popek and Goldberg: a machine can be virtualized by trapping alone if every
 * instruction that reads or changes the machine's state traps outside of ring
 * 0.  On x86 a good many do not.  Run a kernel in ring 3 and it will read the
 * real descriptor tables, see the wrong ring in CS, and lose its CLIs in POPF
 * without anybody noticing.  Here ring 3 tries them all; first the ones that
 * trap, then the ones that make binary translation, or VT-x, necessary.
 *
 *   run    vitrine run   build/guests/sensitive.elf
 *   watch  vitrine run   --trace - --trace-kinds MARK,DELIVER build/guests/sensitive.elf
 *
 * User-mode instruction prevention (UMIP) came late and stops five of them; it
 * is off at first, and tried at the end on CPUs that have it.
 * MARK 1: those that trap.  MARK 2: those that do not.  MARK 3: UMIP.  MARK 4: done.
 */
#include "lib/guest.h"
#include "lib/desc.h"

#define NO_TRAP  (~0u)
#define GP(code) (code)
#define SILENT   NO_TRAP

struct __attribute__((packed)) table_ptr {
    uint16_t limit;
    uint32_t base;
} leak, kernel_idt;

/*    what          error     EAX         the instruction(s), and what EAX means          */
#define TRAPPING(X)                                                                        \
    X(hlt,          GP(0),    0, "hlt", "")                                                \
    X(cli,          GP(0),    0, "cli", "")                                                \
    X(sti,          GP(0),    0, "sti", "")                                                \
    X(in,           GP(0),    0, "in $0x60, %al", "")                                      \
    X(out,          GP(0),    0, "out %al, $0x80", "")                                     \
    X(lgdt,         GP(0),    0, "lgdt leak", "")                                          \
    X(lidt,         GP(0),    0, "lidt leak", "")                                          \
    X(lldt,         GP(0),    0, "lldt %ax", "")                                           \
    X(ltr,          GP(0),    0, "ltr %ax", "")                                            \
    X(lmsw,         GP(0),    0, "lmsw %ax", "")                                           \
    X(clts,         GP(0),    0, "clts", "")                                               \
    X(mov_from_cr0, GP(0),    0, "mov %cr0, %eax", "")                                     \
    X(mov_to_cr3,   GP(0),    0, "mov %eax, %cr3", "")                                     \
    X(mov_from_dr7, GP(0),    0, "mov %dr7, %eax", "")                                     \
    X(invlpg,       GP(0),    0, "invlpg leak", "")                                        \
    X(wbinvd,       GP(0),    0, "wbinvd", "")                                             \
    X(rdmsr,        GP(0),    0, "mov $0x174, %ecx; rdmsr", "")                            \
    X(wrmsr,        GP(0),    0, "mov $0x174, %ecx; xor %edx, %edx; wrmsr", "")            \
    X(pop_ds,       GP(0x10), 0, "push $0x10; pop %ds", "")                                \
    X(mov_to_ss,    GP(0x10), 0, "mov $0x10, %eax; mov %eax, %ss", "")                     \
    X(call_far,     GP(8),    0, "lcall $8, $0", "")                                       \
    X(jmp_far,      GP(8),    0, "ljmp $8, $0", "")                                        \
    X(ret_far,      GP(8),    0, "push $8; push $0; lret", "")                             \
    X(int_0x20,     GP(0x102), 0, "int $0x20", "")

#define UMIP_STOPS(X)                                                                      \
    X(sgdt,         SILENT,   0, "sgdt leak; mov leak+2, %eax; sub $gdt, %eax",            \
      "distance from the kernel's GDT")                                                    \
    X(sidt,         SILENT,   0, "sidt leak; mov leak+2, %eax; sub kernel_idt+2, %eax",    \
      "distance from the kernel's IDT")                                                    \
    X(sldt,         SILENT,   0, "sldt %eax", "the kernel's LDT")                          \
    X(str,          SILENT,   0x30, "str %eax", "the kernel's task register")              \
    X(smsw,         SILENT,   1, "smsw %eax; and $1, %eax", "CR0.PE")

#define NOT_TRAPPING(X)                                                                    \
    UMIP_STOPS(X)                                                                          \
    X(pushf,        SILENT,   0, "pushf; pop %eax; and $0x3200, %eax", "the real IF and IOPL") \
    X(popf,         SILENT,   0, "pushf; xorl $0x3200, (%esp); popf; pushf; pop %eax;"     \
      "and $0x3200, %eax", "IF and IOPL after setting them")                               \
    X(iret,         SILENT,   0, "pushf; xorl $0x3200, (%esp); push %cs; push $7f; iret; 7:" \
      "pushf; pop %eax; and $0x3200, %eax", "IF and IOPL after setting them")              \
    X(push_cs,      SILENT,   0x1b, "push %cs; pop %eax; movzx %ax, %eax", "CS, and in it the ring")        \
    X(mov_from_ss,  SILENT,   0x23, "mov %ss, %eax", "SS, and in it the ring")             \
    X(lar_own,      SILENT,   0xc0fb00, "mov %cs, %ecx; lar %ecx, %eax; and $0xf0ff00, %eax", \
      "rights of our code")                                                                \
    X(lar_kernel,   SILENT,   0, "mov $8, %ecx; lar %ecx, %eax; setz %al; movzx %al, %eax", \
      "may we see the kernel's code?")                                                     \
    X(lsl_own,      SILENT,   ~0u, "mov %ds, %ecx; lsl %ecx, %eax", "limit of our data")   \
    X(lsl_kernel,   SILENT,   0, "mov $0x10, %ecx; lsl %ecx, %eax; setz %al; movzx %al, %eax", \
      "may we see the kernel's data?")                                                     \
    X(verr_own,     SILENT,   1, "mov %cs, %ecx; verr %cx; setz %al", "is our code readable?") \
    X(verw_own,     SILENT,   0, "mov %cs, %ecx; verw %cx; setz %al", "is our code writable?") \
    X(verr_kernel,  SILENT,   0, "mov $0x10, %ecx; verr %cx; setz %al",                    \
      "is the kernel's data readable?")                                                    \
    X(verw_data,    SILENT,   1, "mov %ds, %ecx; verw %cx; setz %al", "is our data writable?")

#define AS_CODE(id, error, value, insn, what)                                              \
    __asm__(".text\ncase_" #id ": xor %eax, %eax\n" insn "\nret");                         \
    extern void case_##id(void);
TRAPPING(AS_CODE)
NOT_TRAPPING(AS_CODE)

static const struct sensitive {
    const char *name;
    void (*run)(void);
    uint32_t error, value;
    const char *what;
} trapping[] = {
#define AS_ROW(id, error, value, insn, what) {#id, case_##id, error, value, what},
    TRAPPING(AS_ROW)
}, not_trapping[] = {
    NOT_TRAPPING(AS_ROW)
}, umip_stops[] = {
    UMIP_STOPS(AS_ROW)
};
#define N(table) (sizeof(table) / sizeof(*table))

static const struct sensitive *current;
static uint32_t trapped, value;

static void user_main(void)
{
    uint32_t eax = 0;

    trapped = TRY("call *%1", : "=&a"(eax) : "r"(current->run) : "ecx", "edx", "memory", "cc");
    value = eax;
    user_exit();
}

static void try_in_ring_3(const struct sensitive *s)
{
    current = s;
    user_run(user_main, 2);
    __asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(SEL_KDATA));
}

static void show(const struct sensitive *s)
{
    try_in_ring_3(s);
    CHECK(s->name, trapped, s->error != SILENT);
    if (trapped) {
        printf("%-13s #GP(%lx)\n", s->name, caught.error);
        CHECK("vector", caught.vector, 13);
        CHECK("error code", caught.error, s->error);
    } else {
        printf("%-13s no trap; %s: %x\n", s->name, s->what, value);
        CHECK(s->name, value, s->value);
    }
}

static void umip(void)
{
    cr4_write(cr4_read() | CR4_UMIP);
    for (const struct sensitive *s = umip_stops; s < umip_stops + N(umip_stops); s++) {
        try_in_ring_3(s);
        check(trapped && caught.vector == 13 && caught.error == 0, s->name, trapped, 1);
    }
    cr4_write(cr4_read() & ~CR4_UMIP);
}

int main(void)
{
    if (cr4_read() & CR4_UMIP)
        cr4_write(cr4_read() & ~CR4_UMIP);
    __asm__ volatile("sidt %0" : "=m"(kernel_idt));
    mark(1);
    for (const struct sensitive *s = trapping; s < trapping + N(trapping); s++)
        show(s);
    mark(2);
    for (const struct sensitive *s = not_trapping; s < not_trapping + N(not_trapping); s++)
        show(s);
    mark(3);
    if (cpuid(0).eax >= 7 && cpuid(7).ecx & 1 << 2)
        umip();
    mark(4);
    printf("UMIP, where the CPU has it: %s\n", check_result() ? "see above" : "stops the first five");
    return check_result();
}
