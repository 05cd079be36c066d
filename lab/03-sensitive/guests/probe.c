/*
 * probe: one instruction after the other, on two machines.
 *
 * Popek and Goldberg ask of a monitor that a program sees no difference.  So each instruction of
 * the table is executed twice:
 *
 *   alone       in ring 0.  The kernel has the machine for itself: its own GDT, IDT, LDT and task
 *               register, CR0.TS set, interrupts off.
 *   monitored   in ring 3, where a monitor by trap and emulate would put that kernel.  The tables
 *               are the monitor's, CR0.TS is clear, interrupts are on.
 *
 * For each row there is a MARK with its number, and then the class goes to port 80h:
 *
 *   1 trap        monitored, it raises #GP: the monitor hears of it, and can do it for the kernel
 *   2 control     no trap; alone, it changes the machine (IF or IOPL), monitored it does not
 *   3 behaviour   no trap; what it gives the kernel is not the same on both machines
 *   4 innocuous   no trap, no difference
 *
 * Behind the last row: 5 if there was a 2 or 3, else 6.
 *
 *   run    vitrine run --append umip=0 build/guests/probe.elf      (or umip=1)
 */
#include "lib/guest.h"
#include "lib/desc.h"

enum { TRAP = 1, CONTROL, BEHAVIOUR, INNOCUOUS, NOT_ENOUGH, ENOUGH };

#define PORT_RESULT  0x80
#define SEL_OWN_LDT  SEL_FREE
#define SEL_OWN_TSS  (SEL_FREE + 8)
#define FLAGS_FATE   0x3200u            /* IF and IOPL */
#define TSS_BUSY     (UINT64_C(1) << 41)

struct __attribute__((packed)) table_ptr {
    uint16_t limit;
    uint32_t base;
};
struct table_ptr leak;

/*     row           the instruction; its result in EAX */
#define ROWS(X)                                                                             \
    X(cli,           "cli")                                                                 \
    X(hlt,           "hlt")                                                                 \
    X(in,            "in $0x60, %al")                                                       \
    X(lgdt,          "lgdt leak")                                                           \
    X(mov_from_cr0,  "mov %cr0, %eax")                                                      \
    X(invlpg,        "invlpg leak")                                                         \
    X(rdmsr,         "mov $0x174, %ecx; rdmsr")                                             \
    X(mov_to_ss,     "mov $0x10, %ecx; mov %ecx, %ss")                                      \
    X(call_far,      "lcall $8, $0")                                                        \
    X(jmp_far,       "ljmp $8, $0")                                                         \
    X(ret_far,       "push $8; push $0; lret")                                              \
    X(int_n,         "int $0x20")                                                           \
    X(sgdt,          "sgdt leak; mov leak + 2, %eax")                                       \
    X(sidt,          "sidt leak; mov leak + 2, %eax")                                       \
    X(sldt,          "sldt %eax")                                                           \
    X(str,           "str %eax")                                                            \
    X(smsw,          "smsw %eax; and $15, %eax")                                            \
    X(pushf,         "pushf; pop %eax; and $0x3200, %eax")                                  \
    X(popf,          "pushf; xorl $0x200, (%esp); popf")                                    \
    X(iret,          "pushf; xorl $0x200, (%esp); push %cs; push $7f; iret; 7:")            \
    X(push_cs,       "push %cs; pop %eax; movzwl %ax, %eax")                                \
    X(mov_from_ss,   "mov %ss, %eax")                                                       \
    X(lar,           "mov $8, %ecx; lar %ecx, %eax")                                        \
    X(lsl,           "mov $0x10, %ecx; lsl %ecx, %eax")                                     \
    X(verr,          "mov $0x10, %ecx; verr %cx; setz %al")                                 \
    X(verw,          "mov $0x10, %ecx; verw %cx; setz %al")                                 \
    X(add,           "mov $2, %eax; add $3, %eax")                                          \
    X(push_eax,      "mov $7, %eax; push %eax; xor %eax, %eax; pop %eax")                   \
    X(stc,           "stc; setc %al")                                                       \
    X(bsr,           "mov $0x800, %ecx; bsr %ecx, %eax")

#define AS_CODE(name, insn) \
    __asm__(".text\nrow_" #name ": xor %eax, %eax\n" insn "\nret"); extern void row_##name(void);
ROWS(AS_CODE)

static void (*const rows[])(void) = {
#define AS_ROW(name, insn) row_##name,
    ROWS(AS_ROW)
};
#define N_ROWS (sizeof rows / sizeof *rows)

static void (*current)(void);
static uint32_t result;
static bool trapped;

static void run_row(void)
{
    uint32_t eax = 0;
    trapped = TRY("call *%1", : "=&a"(eax) : "r"(current) : "ecx", "edx", "memory", "cc");
    result = eax;
}

/* ---- monitored: ring 3, the monitor's tables ---- */

static void in_ring_3(void)
{
    run_row();
    user_exit();
}

static void monitored(void)
{
    user_run(in_ring_3, 0x202);
    __asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(SEL_KDATA));
}

/* ---- alone: ring 0, the kernel's own tables ---- */

static uint64_t own_gdt[32] __attribute__((aligned(16)));
static uint64_t own_idt[256];
static uint64_t own_ldt[2];
static struct tss own_tss;

static uint32_t flags(void)
{
    uint32_t f;
    __asm__ volatile("pushf; pop %0" : "=r"(f));
    return f;
}

/* Load all four registers that name tables.  LTR wants a TSS that is not busy. */
static void load_tables(const struct table_ptr *gdtr, const struct table_ptr *idtr, unsigned ldt,
                        unsigned tr)
{
    ((uint64_t *)gdtr->base)[tr / 8] &= ~TSS_BUSY;
    __asm__ volatile("lgdt %0; lidt %1; lldt %w2; ltr %w3"
                     : : "m"(*gdtr), "m"(*idtr), "r"(ldt), "r"(tr) : "memory");
}

/* Run the row.  True: it has changed the machine. */
static bool alone(void)
{
    struct table_ptr gdtr, idtr, mine, idt_mine = { sizeof own_idt - 1, (uint32_t)own_idt };
    __asm__ volatile("sgdt %0; sidt %1" : "=m"(gdtr), "=m"(idtr));
    mine = (struct table_ptr){ sizeof own_gdt - 1, (uint32_t)own_gdt };
    memcpy(own_gdt, gdt, sizeof own_gdt);
    memcpy(own_idt, (void *)idtr.base, sizeof own_idt);
    own_gdt[SEL_OWN_LDT / 8] = seg_desc((uint32_t)own_ldt, sizeof own_ldt - 1, ACC_LDT, 0);
    own_gdt[SEL_OWN_TSS / 8] = seg_desc((uint32_t)&own_tss, sizeof own_tss - 1,
                                        ACC_TSS32_AVAIL, 0);
    load_tables(&mine, &idt_mine, SEL_OWN_LDT, SEL_OWN_TSS);
    cr0_write(cr0_read() | CR0_TS);
    uint32_t before = flags() & FLAGS_FATE;
    run_row();
    bool changed = (flags() & FLAGS_FATE) != before;
    __asm__ volatile("cli; clts");
    load_tables(&gdtr, &idtr, 0, SEL_TSS);
    return changed;
}

static unsigned class_of(void (*row)(void))
{
    current = row;
    monitored();
    if (trapped)
        return TRAP;
    uint32_t seen = result;
    bool changes = alone();
    return changes ? CONTROL : result != seen ? BEHAVIOUR : INNOCUOUS;
}

int main(void)
{
    bool enough = true;
    pic_init();
    if (option_number("umip=", 0))
        cr4_write(cr4_read() | CR4_UMIP);
    for (unsigned i = 0; i < N_ROWS; i++) {
        unsigned class = class_of(rows[i]);
        mark(i + 1);
        outb(PORT_RESULT, (uint8_t)class);
        enough &= class != CONTROL && class != BEHAVIOUR;
    }
    mark(N_ROWS + 1);
    outb(PORT_RESULT, enough ? ENOUGH : NOT_ENOUGH);
    mark(N_ROWS + 2);
    return 0;
}
