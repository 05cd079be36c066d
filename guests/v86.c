/*
 * v86: a virtual machine monitor from 1985.
 *
 * Virtual-8086 mode runs real-mode code as a ring-3 task: segments work as on
 * the 8086, but with IOPL 0 everything that touches the machine (INT, CLI, STI,
 * PUSHF, POPF, IRET, HLT, and IN and OUT without a bit in the I/O map) faults.
 * on_fault below is the whole monitor: look at the instruction, do to the
 * guest's state what the 8086 would have done, and go on behind it.
 * Everything a hypervisor does is here once, small.
 *
 *   run    vitrine run   build/guests/v86.elf
 *   watch  vitrine run   --trace - --trace-kinds MARK,DELIVER build/guests/v86.elf
 *
 * MARK 1: into virtual-8086 mode.  MARK 2: back.     [SDM 3A "8086 Emulation"]
 */
#include "lib/guest.h"
#include "lib/desc.h"

#define VM_CODE 0x20000ul               /* 2000:0000 */
#define VECTOR  0x61

struct v86_frame {                      /* what the CPU pushes beyond struct frame */
    struct frame f;
    ulong es, ds, fs, gs;
};

/* The guest: real-mode code, copied to 2000:0000.  It sets up an interrupt
 * handler of its own, calls it, and tries its hand at the interrupt flag. */
__asm__(".section .rodata\n"
        "vm_start: .code16\n"
        "    mov %cs, %ax\n"
        "    mov %ax, %ds\n"
        "    xor %ax, %ax\n"
        "    mov %ax, %es\n"
        "    movw $vm_handler - vm_start, %es:0x61*4\n"
        "    mov %cs, %es:0x61*4+2\n"
        "    sti\n"
        "    pushf\n"                   /* the flag it sees must be its own: 1 */
        "    pop %bx\n"
        "    mov $vm_text - vm_start, %si\n"
        "    int $0x61\n"
        "    cli\n"
        "    pushf\n"                   /* and now 0 */
        "    pop %cx\n"
        "    hlt\n"                     /* ends the machine */
        "vm_handler:\n"
        "    pushf\n"                   /* INT cleared it */
        "    pop %dx\n"
        "1:  lodsb\n"
        "    test %al, %al\n"
        "    jz 2f\n"
        "    out %al, $0xe9\n"
        "    jmp 1b\n"
        "2:  iret\n"
        "vm_text: .asciz \"hello from virtual-8086 mode\\n\"\n"
        "vm_end: .code32\n"
        ".text\n"
        "enter_v86:\n"                  /* void enter_v86(void): builds the frame and IRETs */
        "    pusha\n"
        "    mov %esp, monitor_sp\n"
        "    mov %esp, tss + 4\n"       /* traps land just below */
        "    push $0; push $0; push $0; push $0\n"      /* gs fs ds es */
        "    push $0x2000; push $0x8000\n"              /* ss sp */
        "    push $0x20002\n"                           /* flags: VM, IOPL 0 */
        "    push $0x2000; push $0\n"                   /* cs ip */
        "    iret\n"
        "leave_v86:\n"
        "    mov monitor_sp, %esp\n"
        "    mov $0x10, %eax\n"
        "    mov %eax, %fs\n"
        "    mov %eax, %gs\n"
        "    popa\n"
        "    ret\n");
extern char vm_start[], vm_end[];
void enter_v86(void);
_Noreturn void leave_v86(void);
ulong monitor_sp;

static bool virtual_if;
static struct frame at_end;
static struct { unsigned out, interrupts, cli, sti, pushf, popf, iret; } count;

static uint8_t *linear(ulong seg, ulong off)
{
    ulong at = (seg & 0xffff) * 16 + (off & 0xffff);

    __asm__("" : "+r"(at));             /* address 0 is a good one here; compilers doubt it */
    return (uint8_t *)at;
}

static void push16(struct frame *f, ulong v)
{
    f->sp = (f->sp - 2) & 0xffff;
    *(uint16_t *)linear(f->ss, f->sp) = (uint16_t)v;
}

static uint16_t pop16(struct frame *f)
{
    uint16_t v = *(uint16_t *)linear(f->ss, f->sp);

    f->sp = (f->sp + 2) & 0xffff;
    return v;
}

/* The flags as the guest believes them to be, and back. */
static ulong guest_flags(const struct frame *f)
{
    return (f->flags & 0xffff & ~FLAG_IF) | (virtual_if ? FLAG_IF : 0);
}

static void set_guest_flags(struct frame *f, ulong flags)
{
    virtual_if = flags & FLAG_IF;
    f->flags = (f->flags & ~0xcd5ul) | (flags & 0xcd5) | FLAG_VM;
}

/* INT n as the 8086 does it: through the table at address 0. */
static void reflect(struct frame *f, uint8_t vector)
{
    const uint16_t *ivt = (const uint16_t *)linear(0, vector * 4);

    push16(f, guest_flags(f));
    push16(f, f->cs);
    push16(f, f->ip);
    virtual_if = false;
    f->ip = ivt[0];
    f->cs = ivt[1];
}

static void on_fault(struct frame *f)
{
    if (!(f->flags & FLAG_VM))
        die("a fault of the monitor's own at %lx, error %lx", f->ip, f->error);
    f->flags &= ~(ulong)FLAG_RF;        /* goes on behind the instruction: not the one resumed */
    const uint8_t *insn = linear(f->cs, f->ip);
    switch (insn[0]) {
    case 0xcd: f->ip += 2; count.interrupts++; reflect(f, insn[1]); return;
    case 0xe6: f->ip += 2; count.out++; outb(insn[1], (uint8_t)f->ax); return;
    case 0xfa: f->ip += 1; count.cli++; virtual_if = false; return;
    case 0xfb: f->ip += 1; count.sti++; virtual_if = true; return;
    case 0x9c: f->ip += 1; count.pushf++; push16(f, guest_flags(f)); return;
    case 0x9d: f->ip += 1; count.popf++; set_guest_flags(f, pop16(f)); return;
    case 0xcf:
        count.iret++;
        f->ip = pop16(f);
        f->cs = pop16(f);
        set_guest_flags(f, pop16(f));
        return;
    case 0xf4:
        at_end = *f;
        leave_v86();
    default:
        die("virtual machine: opcode %x at %lx:%lx", insn[0], f->cs, f->ip);
    }
}

int main(void)
{
    const uint32_t saved = *(volatile uint32_t *)linear(0, VECTOR * 4);

    memcpy((void *)VM_CODE, vm_start, (size_t)(vm_end - vm_start));
    trap_set(13, on_fault);
    mark(1);
    enter_v86();
    mark(2);
    *(volatile uint32_t *)linear(0, VECTOR * 4) = saved;
    printf("interrupts %u, out %u, cli %u, sti %u, pushf %u, popf %u, iret %u\n", count.interrupts,
           count.out, count.cli, count.sti, count.pushf, count.popf, count.iret);
    CHECK("IF after STI", at_end.bx & FLAG_IF, FLAG_IF);
    CHECK("IF in the handler", at_end.dx & FLAG_IF, 0);
    CHECK("IF after CLI", at_end.cx & FLAG_IF, 0);
    CHECK("the stack is level", at_end.sp, 0x8000);
    CHECK("the guest's CS", at_end.cs, 0x2000);
    return check_result();
}
