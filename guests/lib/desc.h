/*
 * lib/desc.h -- descriptors (GDT, IDT, TSS), traps, and the interrupt hardware.
 *
 * The same names in 32 and 64 bits; a field exists in both or in neither.
 */
#ifndef LIB_DESC_H
#define LIB_DESC_H

#include "lib/x86.h"
#include "lib/desc.inc"

/* access: P DPL S type (bits 47:40 of the descriptor); flags: G D/B L (55:52) */
#define ACC_TSS32_AVAIL 0x89
#define ACC_TASK_GATE   0x85
#define ACC_LDT         0x82
#define ACC_KCODE 0x9b
#define ACC_KDATA 0x93
#define ACC_UCODE 0xfb
#define ACC_UDATA 0xf3
#define SEGF_4G   0xc           /* granularity 4 KiB, 32-bit */
#define SEGF_LONG 0xa
#define SEGF_BYTE 0x4           /* limit in bytes, 32-bit */

extern uint64_t gdt[32];
uint64_t seg_desc(uint32_t base, uint32_t limit, unsigned access, unsigned flags);
void gdt_init(void);

#ifdef __x86_64__
struct tss {
    uint32_t reserved0;
    uint64_t sp[3], reserved1, ist[7], reserved2;
    uint16_t reserved3, iomap;
} __attribute__((packed));
#define TSS_SP0(t) ((t)->sp[0])
#else
struct tss {                    /* [SDM 3A "Task-State Segment (TSS)"] */
    uint32_t link, sp0, ss0, sp1, ss1, sp2, ss2, cr3, ip, flags;
    uint32_t ax, cx, dx, bx, sp, bp, si, di, es, cs, ss, ds, fs, gs, ldt;
    uint16_t trap, iomap;
};
#define TSS_SP0(t) ((t)->sp0)
#endif
extern struct tss tss;          /* of the CPU; its stack 0 is set by gdt_init */

/* ---- traps ---- */
struct frame {                  /* as trap.S pushes it */
#ifdef __x86_64__
    ulong r15, r14, r13, r12, r11, r10, r9, r8, bp, di, si, dx, cx, bx, ax;
#else
    ulong gs, fs, es, ds;
    ulong di, si, bp, unused, bx, dx, cx, ax;
#endif
    ulong vector, error, ip, cs, flags;
    ulong sp, ss;               /* in 32 bits only from another ring */
};
typedef void trap_fn(struct frame *f);

void idt_init(void);
void trap_set(unsigned vector, trap_fn *fn);    /* unset: "unexpected trap", exit 2 */
void gate_set(unsigned vector, void (*entry)(void), unsigned dpl);      /* own entry code */
void gate_user(unsigned vector);                /* let ring 3 INT to it */
void gate_absent(unsigned vector, bool absent); /* clear its present bit */
#ifdef __x86_64__
void gate_ist(unsigned vector, unsigned ist);
#else
void gate_task(unsigned vector, uint16_t sel);
#endif

/* A fault that is expected: TRY runs some assembly; if it traps, the trap is
 * noted in `caught` and execution goes on behind it.  True: it trapped. */
struct caught {
    ulong vector, error, ip, cr2, n;
};
extern struct caught caught;
extern ulong caught_resume;     /* where to go on; 0: not expecting any */
extern ulong caught_sp;         /* and with which stack pointer */
#ifdef __x86_64__
#define MOV_WORD "movq"
#define REG_SP "%%rsp"
#else
#define MOV_WORD "movl"
#define REG_SP "%%esp"
#endif
#define TRY(code, ...)                                                                  \
    ({                                                                                  \
        caught.vector = ~0ul;                                                           \
        __asm__ volatile(MOV_WORD " " REG_SP ", caught_sp\n" MOV_WORD                   \
                         " $9f, caught_resume\n" code "\n9:\n" MOV_WORD                \
                         " caught_sp, " REG_SP "\n" MOV_WORD                            \
                         " $0, caught_resume" __VA_ARGS__);                             \
        caught.vector != ~0ul;                                                          \
    })

/* Call fn on its own stack in ring 3; it returns here by `int $USER_EXIT`. */
void user_run(void (*fn)(void), ulong flags);
static inline void user_exit(void)
{
    __asm__ volatile("int %0" : : "i"(USER_EXIT) : "memory");
}

/* ---- 8259A pair and 8254 ---- */
#define IRQ_BASE 0x20           /* IRQ n arrives at vector IRQ_BASE + n */
void pic_init(void);            /* all lines masked */
void pic_unmask(unsigned irq);
void pic_mask(unsigned irq);
void pic_eoi(unsigned irq);
#define PIT_HZ 1193182u
void pit_periodic(unsigned hz);                 /* channel 0, mode 2 */
void pit_one_shot(uint16_t count);              /* channel 0, mode 0 */

#endif
