/*
 * ours.c -- a case on our own engine: ring 3 under paging, as Linux would run it.
 *
 * The GDT is Linux's as far as a program can tell, the LDT the judge's.  Every
 * exception exits, so the outcome is the state before its delivery.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge.h"
#include "mem/gmem.h"
#include "mem/hmem.h"
#include "mem/nested.h"

/* Physical: the window at 0, then tables.  Linear: the window at WINDOW, the
 * descriptor tables where the kernel's would be. */
enum { RAM = 1 << 18, PML4 = 0x10000, GDT = 0x20000, LDT = 0x21000, TSS = 0x22000 };
#define SYSTEM UINT64_C(0x20000000)         /* linear of GDT */

static struct vcpu vcpu;
static uint8_t *ram;

static const uint64_t gdt[16] = {           /* Linux's, arch/x86/kernel/cpu/common.c */
    [1] = 0x00cf9b000000ffff, [2] = 0x00af9b000000ffff, [3] = 0x00cf93000000ffff,
    [4] = 0x00cffb000000ffff, [5] = 0x00cff3000000ffff, [6] = 0x00affb000000ffff,
    [8] = 0x20008b0220000067, [10] = 0x2000820010000047, [15] = 0x0040f50000000000,
};

static void put(gpa_t at, uint64_t v)
{
    memcpy(ram + at, &v, 8);
}

static void make_page_tables(void)
{
    uint64_t flags = PTE_P | PTE_W | PTE_U | PTE_A | PTE_D;

    put(PML4, (PML4 + 0x1000) | flags);
    put(PML4 + 0x1000, (PML4 + 0x2000) | flags);
    put(PML4 + 0x2000 + (WINDOW >> 21) * 8, (PML4 + 0x3000) | flags);
    put(PML4 + 0x2000 + (SYSTEM >> 21) * 8, (PML4 + 0x4000) | flags);
    for (size_t i = 0; i < NELEM(parts); i++)
        for (gpa_t at = parts[i].from; at < parts[i].to; at += PAGE_SIZE)
            put(PML4 + 0x3000 + at / PAGE_SIZE * 8,
                at | (parts[i].writable ? flags : flags & ~PTE_W));
    for (unsigned i = 0; i < 3; i++)
        put(PML4 + 0x4000 + i * 8, (GDT + i * PAGE_SIZE) | (flags & ~PTE_U));
}

static uint64_t descriptor(const struct ldt_row *r)
{
    uint64_t type = (r->read_exec_only ? 1 : 3) | (uint64_t)r->contents << 2;

    return (r->limit & 0xffff) | (uint64_t)(r->limit >> 16) << 48 |
           (uint64_t)(r->base & 0xffffff) << 16 | (uint64_t)(r->base >> 24) << 56 |
           (0x70 | type | (r->absent ? 0 : 0x80)) << 40 | (r->big ? BIT(54) : 0);
}

void ours_init(void)
{
    struct controls c = { .exception_bitmap = ~0u };

    vcpu.ops = &engine_soft;
    vcpu.gmem = gmem_new();
    gmem_add(vcpu.gmem, "RAM", 0, RAM, GMEM_RAM);
    gmem_freeze(vcpu.gmem);
    ram = gmem_ptr(vcpu.gmem, 0, RAM);
    vcpu.hmem = hmem_new(vcpu.gmem);
    struct nested *nested = nested_new(vcpu.hmem, NULL);
    vcpu.eptp = nested_root(nested);
    for (gpa_t at = 0; at < RAM; at += PAGE_SIZE)
        nested_map(nested, at, HMEM_GUEST + at, PAGE_SIZE, EPT_RWX);
    make_page_tables();
    memcpy(ram + GDT, gdt, sizeof gdt);
    for (unsigned i = 0; i < LDT_ROWS; i++)
        put(LDT + 8 * i, descriptor(&ldt[i]));
    put(TSS + 0x64, 0x68ull << 16);         /* no I/O bitmap */
    if (engine_soft.create(&vcpu))
        exit(2);
    engine_soft.set_controls(&vcpu, &c);
}

/* The segment a selector of the tables above means. */
static struct segment segment(uint16_t sel)
{
    const uint8_t *at = ram + (sel & 4 ? LDT : GDT) + (sel & ~7);
    struct segment s = { .sel = sel };
    uint64_t d;

    if (!(sel & ~3))
        return s;
    memcpy(&d, at, 8);
    s.attr = (uint16_t)(d >> 40 & 0xf0ff);
    s.base = (d >> 16 & 0xffffff) | (d >> 56) << 24;
    s.limit = (uint32_t)((d & 0xffff) | (d >> 32 & 0xf0000));
    if (s.attr & SEG_G)
        s.limit = s.limit << 12 | 0xfff;
    return s;
}

static void protected_state(const struct test *t, struct cpu_state *s)
{
    s->cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_WP | CR0_AM;
    s->cr3 = PML4;
    s->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    s->efer = EFER_SCE | EFER_LME | EFER_LMA;
    for (int i = 0; i < 6; i++)
        s->seg[i] = segment(0);
    s->seg[SEG_CS] = segment(t->cs);
    s->seg[SEG_SS] = segment(t->ss);
    s->seg[SEG_DS] = segment(t->ds);
    s->seg[SEG_ES] = segment(t->es);
    s->seg[SEG_LDTR] = (struct segment){ .sel = 0x50, .base = SYSTEM + LDT - GDT,
                                         .limit = LDT_ROWS * 8 - 1, .attr = 0x82 };
    s->seg[SEG_TR] = (struct segment){ .sel = 0x40, .base = SYSTEM + TSS - GDT, .limit = 0x67,
                                       .attr = 0x8b };
    s->gdtr = (struct table_reg){ SYSTEM, sizeof gdt - 1 };
    s->idtr = (struct table_reg){ SYSTEM + 0x800, 0 };
}

static void set_state(const struct test *t)
{
    struct cpu_state s;

    memset(&s, 0, sizeof s);
    cpu_state_reset(&s);
    if (t->world == REAL) {
        for (int i = 0; i < 6; i++)
            s.seg[i].sel = 0, s.seg[i].base = 0;
        s.cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
    } else {
        protected_state(t, &s);
    }
    memcpy(s.gpr, t->gpr, sizeof s.gpr);
    memcpy(s.fpu, &t->fpu, sizeof s.fpu);
    s.rip = t->at;
    s.rflags = t->flags | FLAG_ONE | FLAG_IF | (t->step ? FLAG_TF : 0);
    engine_soft.set_state(&vcpu, ST_ALL, &s);
}

static void take_outcome(struct outcome *o, const struct vmexit *x)
{
    struct cpu_state s;

    engine_soft.get_state(&vcpu, ST_ALL, &s);
    memcpy(o->gpr, s.gpr, sizeof o->gpr);
    memcpy(&o->fpu, s.fpu, sizeof o->fpu);
    o->rip = s.rip;
    o->flags = s.rflags;
    o->cs = s.seg[SEG_CS].sel;
    o->ss = s.seg[SEG_SS].sel;
    o->ds = s.seg[SEG_DS].sel;
    o->es = s.seg[SEG_ES].sel;
    o->vector = x->reason == EXIT_EXCEPTION ? x->fault.vector : 1000 + (int)x->reason;
    o->error = x->reason == EXIT_EXCEPTION ? x->fault.error : 0;
    o->cr2 = x->reason == EXIT_EXCEPTION && x->fault.vector == VEC_PF ? x->fault.gla : 0;
    memcpy(o->window, ram, WINDOW_BYTES);
}

void ours(const struct test *t, struct outcome *o)
{
    struct vmexit x;

    memcpy(ram, image, WINDOW_BYTES);
    engine_soft.forget(&vcpu, 0, WINDOW_BYTES);
    set_state(t);
    engine_soft.run(&vcpu, 1000000, &x);
    take_outcome(o, &x);
}
