/*
 * exercise/classify.c -- exercise 2: privileged, sensitive, innocuous.
 *
 * Each instruction is really executed in ring 3 (cpu/one_insn.h), once with CR4.UMIP clear and
 * once with it set: what traps, traps.  What is sensitive though it does not trap a table says.
 * [Robin and Irvine, "Analysis of the Intel Pentium's Ability to Support a Secure Virtual Machine
 * Monitor"]
 */
#include <string.h>

#include "base/host.h"
#include "base/x86.h"
#include "cpu/one_insn.h"
#include "exercise/make.h"
#include "exercise/sheet.h"
#include "mem/gmem.h"

enum { CODE = 0x1000, DATA = 0x3000, STACK = 0x5000, TSS = 0x6000, MEMORY = 0x10000 };

enum class { INNOCUOUS, PRIVILEGED, SENSITIVE, N_CLASSES };

static const char *const choices[N_CLASSES] = {
    [INNOCUOUS]  = "innocuous",
    [PRIVILEGED] = "privileged: it traps in ring 3",
    [SENSITIVE]  = "sensitive, and not privileged",
};

static const struct instruction {
    const char *text, *because;
    uint8_t     bytes[8], len;
    enum class  class;
} instructions[] = {
    { "add %ebx, %eax", "Registers and arithmetic flags, the same in every ring.",
      { 0x01, 0xd8 }, 2, INNOCUOUS },
    { "mov %eax, 0x3000", "A store goes through segmentation and paging in every ring.",
      { 0xa3, 0x00, 0x30, 0x00, 0x00 }, 5, INNOCUOUS },
    { "lea 4(%ebx), %ecx", "It computes an address and touches nothing.",
      { 0x8d, 0x4b, 0x04 }, 3, INNOCUOUS },
    { "push %eax", "The stack is memory as any other.", { 0x50 }, 1, INNOCUOUS },
    { "imul %ebx, %eax", "Registers and arithmetic flags, the same in every ring.",
      { 0x0f, 0xaf, 0xc3 }, 3, INNOCUOUS },
    { "xchg %eax, %ebx", "Two registers.", { 0x93 }, 1, INNOCUOUS },
    { "lahf", "It reads SF, ZF, AF, PF and CF: flags that belong to the program.",
      { 0x9f }, 1, INNOCUOUS },
    { "std", "DF belongs to the program.", { 0xfd }, 1, INNOCUOUS },
    { "hlt", "It stops the CPU, which is not the program's own: #GP in ring 3.",
      { 0xf4 }, 1, PRIVILEGED },
    { "cli", "With CPL > IOPL it is #GP; else it would keep the monitor from its interrupts.",
      { 0xfa }, 1, PRIVILEGED },
    { "sti", "With CPL > IOPL it is #GP.", { 0xfb }, 1, PRIVILEGED },
    { "mov %eax, %cr3", "It changes the address space: #GP in ring 3.",
      { 0x0f, 0x22, 0xd8 }, 3, PRIVILEGED },
    { "mov %cr0, %eax", "It tells of the real CR0, and is #GP in ring 3.",
      { 0x0f, 0x20, 0xc0 }, 3, PRIVILEGED },
    { "lgdt 0x3000", "It changes what all selectors mean: #GP in ring 3.",
      { 0x0f, 0x01, 0x15, 0x00, 0x30, 0x00, 0x00 }, 7, PRIVILEGED },
    { "lidt 0x3000", "It changes where interrupts go: #GP in ring 3.",
      { 0x0f, 0x01, 0x1d, 0x00, 0x30, 0x00, 0x00 }, 7, PRIVILEGED },
    { "invlpg 0x3000", "It changes the TLB: #GP in ring 3.",
      { 0x0f, 0x01, 0x3d, 0x00, 0x30, 0x00, 0x00 }, 7, PRIVILEGED },
    { "clts", "It changes CR0: #GP in ring 3.", { 0x0f, 0x06 }, 2, PRIVILEGED },
    { "wrmsr", "Model-specific registers belong to the machine: #GP in ring 3.",
      { 0x0f, 0x30 }, 2, PRIVILEGED },
    { "in $0x60, %al", "With CPL > IOPL and no I/O bitmap that allows it, it is #GP.",
      { 0xe4, 0x60 }, 2, PRIVILEGED },
    { "mov %eax, %dr7", "Breakpoints belong to whoever runs in ring 0: #GP in ring 3.",
      { 0x0f, 0x23, 0xf8 }, 3, PRIVILEGED },
    { "wbinvd", "It writes all caches back, which everybody would feel: #GP in ring 3.",
      { 0x0f, 0x09 }, 2, PRIVILEGED },
    { "sgdt 0x3000", "It tells where the real GDT is, the monitor's, and does not trap.",
      { 0x0f, 0x01, 0x05, 0x00, 0x30, 0x00, 0x00 }, 7, SENSITIVE },
    { "sidt 0x3000", "It tells where the real IDT is, the monitor's, and does not trap.",
      { 0x0f, 0x01, 0x0d, 0x00, 0x30, 0x00, 0x00 }, 7, SENSITIVE },
    { "sldt %eax", "It tells the real LDT's selector, and does not trap.",
      { 0x0f, 0x00, 0xc0 }, 3, SENSITIVE },
    { "smsw %eax", "It tells the low half of the real CR0, and does not trap.",
      { 0x0f, 0x01, 0xe0 }, 3, SENSITIVE },
    { "str %eax", "It tells the selector of the real task register, and does not trap.",
      { 0x0f, 0x00, 0xc8 }, 3, SENSITIVE },
    { "pushf", "It tells the real IF and IOPL, not those that the guest's kernel believes in.",
      { 0x9c }, 1, SENSITIVE },
    { "popf", "In ring 0 it sets IF; in ring 3 it leaves IF as it is, silently: the guest's kernel "
      "believes that interrupts are off, or on, and nobody is told.", { 0x9d }, 1, SENSITIVE },
    { "lar %ebx, %eax", "What it tells of a descriptor depends on the ring it runs in.",
      { 0x0f, 0x02, 0xc3 }, 3, SENSITIVE },
    { "lsl %ebx, %eax", "Whether it tells a segment's limit depends on the ring it runs in.",
      { 0x0f, 0x03, 0xc3 }, 3, SENSITIVE },
    { "verr %bx", "Whether a segment may be read depends on the ring it runs in.",
      { 0x0f, 0x00, 0xe3 }, 3, SENSITIVE },
    { "mov %cs, %eax", "The low bits of CS are the ring: a kernel that was moved to ring 3 sees 3.",
      { 0x8c, 0xc8 }, 2, SENSITIVE },
    { "push %cs", "The low bits of CS are the ring: a kernel that was moved to ring 3 sees 3.",
      { 0x0e }, 1, SENSITIVE },
};

/* A program in ring 3, flat, IOPL 0, without paging. */
static struct cpu_state ring_3(uint64_t cr4)
{
    struct cpu_state c;
    cpu_state_reset(&c);
    for (int i = 0; i <= SEG_GS; i++)
        c.seg[i] = (struct segment){ .sel = 0x23, .limit = 0xffffffff, .attr = 0xc0f3 };
    c.seg[SEG_CS] = (struct segment){ .sel = 0x1b, .limit = 0xffffffff, .attr = 0xc0fb };
    c.seg[SEG_TR] = (struct segment){ .sel = 0x28, .base = TSS, .limit = 0x67, .attr = 0x8b };
    c.cr0 = CR0_PE | CR0_ET;
    c.cr4 = cr4;
    c.rip = CODE;
    c.rflags = FLAG_ONE;
    c.gpr[RSP] = STACK;
    return c;
}

/* Executed in ring 3: does it trap? */
static bool traps(const struct instruction *i, uint64_t cr4)
{
    struct gmem *m = gmem_new();
    struct controls none = { 0 };
    struct vmexit x;
    const uint16_t no_bitmap = 0xffff;          /* where the TSS says that the I/O bitmap is */
    bug_if(!m || gmem_add(m, "RAM", 0, MEMORY, GMEM_RAM), "no guest memory");
    gmem_freeze(m);
    struct one_insn *o = one_insn_new(m, NULL);
    bug_if(!o, "no memory to execute an instruction");
    struct cpu_state before = ring_3(cr4);
    gmem_write(m, CODE, i->bytes, i->len);
    gmem_write(m, TSS + 0x66, &no_bitmap, sizeof no_bitmap);
    bool trapped = one_insn_run(o, &before, &none, &x) == ONE_INSN_EXIT;
    bug_if(trapped && (x.reason != EXIT_EXCEPTION || x.fault.vector != VEC_GP),
           "%s: exit 0x%x, not #GP", i->text, x.reason);
    one_insn_free(o);
    gmem_free(m);
    return trapped;
}

void make_classify(struct sheet *s)
{
    enum { ASKED = 7 };
    uint8_t order[NELEM(instructions)];
    unsigned change = 0, holes = 0;
    for (unsigned i = 0; i < NELEM(order); i++)
        order[i] = (uint8_t)i;
    sheet_shuffle(s, order, NELEM(order), 1);
    sheet_say(s, "A monitor without hardware support runs the guest's kernel in ring 3, with IOPL "
              "0 and no I/O bitmap that allows anything; CR4.UMIP and CR4.TSD are 0. To which "
              "class does each of these instructions belong, for 32-bit code? (Popek and Goldberg: "
              "sensitive is what changes the machine's resources, or whose result depends on the "
              "ring or on where the program lies.)");
    for (unsigned i = 0; i < ASKED; i++) {
        const struct instruction *n = &instructions[order[i]];
        bool trapped = traps(n, 0);
        bug_if(trapped != (n->class == PRIVILEGED), "%s: the table is wrong", n->text);
        change += traps(n, CR4_UMIP) != trapped;
        holes += n->class == SENSITIVE;
        sheet_ask_choice(s, choices, N_CLASSES, n->class, "%s", n->text);
        sheet_because(s, "%s %s", n->because, trapped ? "(Executed in ring 3: #GP.)" :
                      "(Executed in ring 3: no trap.)");
    }
    sheet_ask_number(s, change, "How many of these %d become privileged if CR4.UMIP is set?",
                     ASKED);
    sheet_because(s, "UMIP makes SGDT, SIDT, SLDT, SMSW and STR trap outside ring 0, and no "
                  "other.");
    sheet_ask_number(s, holes, "How many of these %d would a monitor that only traps and emulates "
                     "never get to see, though it should?", ASKED);
    sheet_because(s, "Those that are sensitive and not privileged. One alone is enough to break "
                  "Popek and Goldberg's condition: all sensitive instructions are privileged.");
}
