/*
 * lib/desc.c -- GDT, IDT, TSS, and where traps go.
 */
#include "lib/guest.h"
#include "lib/desc.h"

uint64_t gdt[32] __attribute__((aligned(16)));
struct tss tss;
static char stack0[8192] __attribute__((aligned(16)));  /* for traps out of ring 3 */

struct table_ptr {
    uint16_t limit;
    ulong base;
} __attribute__((packed));

/* The base and the limit of a descriptor lie in pieces, for the sake of the
 * 286's six-byte ones [SDM 3A "Segment Descriptors"]. */
uint64_t seg_desc(uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)access << 40 |
           (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)flags << 52 |
           (uint64_t)(base >> 24) << 56;
}

static void load_gdt(void)
{
    struct table_ptr p = {sizeof(gdt) - 1, (ulong)gdt};

    __asm__ volatile("lgdt %0" : : "m"(p));
#ifdef __x86_64__
    __asm__ volatile("push %0; push $1f; lretq; 1:" : : "i"(SEL_KCODE) : "memory");
#else
    __asm__ volatile("ljmp %0, $1f; 1:" : : "i"(SEL_KCODE) : "memory");
#endif
    __asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%ss; mov %0, %%fs; mov %0, %%gs"
                     : : "r"(SEL_KDATA) : "memory");
    __asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
}

void gdt_init(void)
{
    uint32_t t = (uint32_t)(ulong)&tss;

#ifdef __x86_64__
    gdt[SEL_KCODE / 8] = seg_desc(0, 0xfffff, ACC_KCODE, SEGF_LONG);
#else
    gdt[SEL_KCODE / 8] = seg_desc(0, 0xfffff, ACC_KCODE, SEGF_4G);
    tss.ss0 = SEL_KDATA;
#endif
    gdt[SEL_KDATA / 8] = seg_desc(0, 0xfffff, ACC_KDATA, SEGF_4G);
    gdt[SEL_UCODE32 / 8] = seg_desc(0, 0xfffff, ACC_UCODE, SEGF_4G);
    gdt[SEL_UDATA / 8] = seg_desc(0, 0xfffff, ACC_UDATA, SEGF_4G);
    gdt[SEL_UCODE64 / 8] = seg_desc(0, 0xfffff, ACC_UCODE, SEGF_LONG);
    gdt[SEL_TSS / 8] = seg_desc(t, sizeof(tss) - 1, ACC_TSS32_AVAIL, 0);
    TSS_SP0(&tss) = (ulong)stack0 + sizeof(stack0);
    tss.iomap = sizeof(tss);            /* beyond the limit: no port for ring 3 */
    load_gdt();
}

/* ---- IDT ---- */
#ifdef __x86_64__
struct gate {
    uint16_t off0, sel;
    uint8_t ist, type;
    uint16_t off1;
    uint32_t off2, zero;
};
#else
struct gate {
    uint16_t off0, sel;
    uint8_t ist, type;
    uint16_t off1;
};
#endif

static struct gate idt[256] __attribute__((aligned(16)));
static trap_fn *handler[256];
struct caught caught;
ulong caught_resume, caught_sp;
extern char trap_stubs[];               /* trap.S: 256 of them, 16 bytes apart */
void user_exit_entry(void);

#define GATE_INTERRUPT 0x8e             /* present, IF cleared on the way */

void gate_set(unsigned vector, void (*entry)(void), unsigned dpl)
{
    ulong at = (ulong)entry;
    struct gate *g = &idt[vector];

    g->off0 = (uint16_t)at;
    g->off1 = (uint16_t)(at >> 16);
#ifdef __x86_64__
    g->off2 = (uint32_t)(at >> 32);
#endif
    g->sel = SEL_KCODE;
    g->type = (uint8_t)(GATE_INTERRUPT | dpl << 5);
}

void gate_user(unsigned vector)
{
    idt[vector].type |= 3 << 5;
}

void gate_absent(unsigned vector, bool absent)
{
    idt[vector].type = (uint8_t)((idt[vector].type & 0x7f) | (absent ? 0 : 0x80));
}

#ifdef __x86_64__
void gate_ist(unsigned vector, unsigned ist)
{
    idt[vector].ist = (uint8_t)ist;
}
#else
void gate_task(unsigned vector, uint16_t sel)
{
    idt[vector] = (struct gate){.sel = sel, .type = ACC_TASK_GATE};
}
#endif

void trap_set(unsigned vector, trap_fn *fn)
{
    handler[vector] = fn;
}

void idt_init(void)
{
    struct table_ptr p = {sizeof(idt) - 1, (ulong)idt};

    for (unsigned v = 0; v < 256; v++)
        gate_set(v, (void (*)(void))(trap_stubs + 16 * v), 0);
    gate_set(USER_EXIT, user_exit_entry, 3);
    __asm__ volatile("lidt %0" : : "m"(p));
}

static bool trap_is_expected(struct frame *f)
{
    if (!caught_resume)
        return false;
    caught.vector = f->vector;
    caught.error = f->error;
    caught.ip = f->ip;
    caught.cr2 = f->vector == 14 ? cr2_read() : 0;
    caught.n++;
    f->ip = caught_resume;
    f->flags &= ~(FLAG_TF | FLAG_NT | FLAG_AC);     /* they were set to get here */
    caught_resume = 0;
    return true;
}

void trap(struct frame *f);
void trap(struct frame *f)
{
    if (f->vector < 32 && trap_is_expected(f))
        return;
    if (handler[f->vector]) {
        handler[f->vector](f);
        return;
    }
    printf("unexpected trap %lu, error %lx, at %lx:%lx, flags %lx, cr2 %lx\n", f->vector, f->error,
           f->cs & 0xffff, f->ip, f->flags, cr2_read());
    guest_exit(2);
}
