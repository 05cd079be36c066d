/*
 * soft_board.h -- a machine for one instruction: the interpreter, 256 KiB of
 * RAM, and tables in which many things are wrong on purpose.
 *
 * A program says in which of seven modes its bytes are to run.  Every handler
 * is one HLT, and so is what follows the code: where it halts tells what
 * happened.  Included by the tests of engine `soft`'s system half.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/x86.h"
#include "cpu/vcpu.h"
#include "mem/gmem.h"
#include "mem/hmem.h"
#include "mem/nested.h"

enum {                          /* where things are, linear = physical */
    GDT = 0x1000, IDT = 0x2000, TSS = 0x3000, TSS2 = 0x3400, TSS16 = 0x3800, LDT = 0x3c00,
    CODE = 0x4000, HANDLERS = 0x5000, TABLES = 0x6000 /* to 0x9fff */, SCRATCH = 0xc000,
    DIR = 0xd000, DIR2 = 0xe000, PAGES = 0xf000, PAGES2 = 0x10000,      /* of SET_PAGED */
    STACK0 = 0x20000, STACK_IST = 0x28000, STACK3 = 0x30000, STACK2 = 0x38000,
    TSS0_SP = 0x24000, RAM = 0x40000,
    GDT_LIMIT = 0x10f, IDT_LIMIT = 0x90 * 8 - 1, IDT64_LIMIT = 0x90 * 16 - 1,
    IOMAP = 0x68, TSS_LIMIT = IOMAP + 128, IO_OPEN = 0x10 /* ports 0x10 to 0x17 */
};

enum mode { R, V, P0, P3, L0, L3, C3 };

enum {
    SET_NO_GP = 1 << 0, SET_NO_DF = 1 << 1, SET_NO_UD = 1 << 2, SET_PVI = 1 << 3, SET_VIP = 1 << 4,
    SET_UMIP = 1 << 5, SET_TSD = 1 << 6, SET_LINK = 1 << 7, SET_LINK_IDLE = 1 << 8,
    SET_BAD_TASK_DS = 1 << 9, SET_DE = 1 << 10, SET_IOPL3 = 1 << 11, SET_VME = 1 << 12,
    SET_VIF = 1 << 13, SET_FSGS = 1 << 14, SET_SYSCALL = 1 << 15, SET_SYSENTER = 1 << 16,
    SET_PAGED = 1 << 17,        /* P0 under 32-bit paging; TSS2 has a space without CODE */
    SET_GP_TASK = 1 << 18, SET_PF_TASK = 1 << 19, SET_DF_TASK = 1 << 20 /* gates to TSS2 */
};

enum { ANY = -1, NONE = -2, TRIPLE = -3 };

/* What to run. */
struct program {
    const char *name;
    enum mode   mode;
    int         setup;
    const char *code;           /* hexadecimal; an HLT is put behind it */
};

/* GDT, entry by entry from 0.  hi, lo */
static const uint64_t gdt[(GDT_LIMIT + 1) / 8] = {
    [0x08 / 8] = 0x00cf9b000000ffff, [0x10 / 8] = 0x00cf93000000ffff,     /* ring 0 */
    [0x18 / 8] = 0x00cffb000000ffff, [0x20 / 8] = 0x00cff3000000ffff,     /* ring 3 */
    [0x28 / 8] = 0x00008b0030000000 | TSS_LIMIT, [0x30 / 8] = 0x000082003c000007,
    [0x38 / 8] = 0x00009b000000ffff, [0x40 / 8] = 0x000093000000ffff,     /* 16-bit */
    [0x48 / 8] = 0x00cf9f000000ffff,                    /* conforming code          */
    [0x50 / 8] = 0x00cf13000000ffff,                    /* data, not present        */
    [0x58 / 8] = 0x00cf91000000ffff,                    /* data, read-only          */
    [0x60 / 8] = 0x00cf99000000ffff,                    /* code, execute-only       */
    [0x68 / 8] = 0x0000ec0000085400,                    /* call gate to 8:5400      */
    [0x70 / 8] = 0x00008c0000085400,                    /* the same, of ring 0      */
    [0x78 / 8] = 0x0000e90034000000 | TSS_LIMIT,        /* TSS2, available          */
    [0x80 / 8] = 0x0000e50000780000,                    /* task gate to it          */
    [0x88 / 8] = 0x00008b0034000000 | TSS_LIMIT,        /* a busy TSS               */
    [0x90 / 8] = 0x000081003800002b,                    /* TSS16, available         */
    [0x98 / 8] = 0x00cf1b000000ffff,                    /* code, not present        */
    [0xa0 / 8] = 0x00006c0000085400,                    /* call gate, not present   */
    [0xa8 / 8] = 0x0000e40000385400,                    /* 16-bit call gate to 38:5400 */
    [0xb0 / 8] = 0x0000ec0200085400,                    /* call gate, two parameters */
    [0xc0 / 8] = 0x0000890034000066,                    /* TSS too short            */
    [0xc8 / 8] = 0x0000ec0000105400,                    /* call gate to data        */
    [0xe8 / 8] = 0x00af9b000000ffff, [0xf0 / 8] = 0x00affb000000ffff,     /* 64-bit code */
    [0xf8 / 8] = 0x00008e0000085400,                    /* an interrupt gate        */
    [0x100 / 8] = 0x00ef9b000000ffff,                   /* code with L and D        */
};

static struct vcpu cpu;
static struct nested *nested;
static uint8_t *ram;

static void put(uint32_t at, uint64_t value, unsigned size)
{
    memcpy(ram + at, &value, size);
}

static inline uint64_t get(uint32_t at, unsigned size)
{
    uint64_t v = 0;

    if (at <= RAM - 8)
        memcpy(&v, ram + at, size);
    return v;
}

static uint32_t handler(unsigned vector)
{
    return HANDLERS + 16 * vector;
}

static bool is_long(enum mode m)
{
    return m >= L0;
}

/* Gate number `vector`: selector, access byte, IST. */
static void gate(bool wide, unsigned vector, unsigned sel, unsigned access, unsigned ist)
{
    uint64_t to = handler(vector), g = (to & 0xffff) | sel << 16 | (uint64_t)access << 40 |
                                       (uint64_t)ist << 32;

    put(IDT + vector * (wide ? 16 : 8), g, 8);
    if (wide)
        put(IDT + vector * 16 + 8, 0, 8);
}

static void make_idt(const struct program *r)
{
    bool wide = is_long(r->mode);
    unsigned code = wide ? 0xe8 : 8;

    for (unsigned v = 0; v < 0x90; v++)
        gate(wide, v, code, v == 3 || v == 4 || v == 0x30 ? 0xee : 0x8e, 0);
    gate(wide, 0x31, code, 0xef, 0);
    gate(wide, 0x81, code, 0x80, 0);
    gate(wide, 0x82, code, 0x0e, 0);
    if (!wide)
        gate(wide, 0x83, 0x78, 0x85, 0);
    gate(wide, 0x84, 0, 0x8e, 0);
    gate(wide, 0x85, 0x10, 0x8e, 0);
    gate(wide, 0x86, 0x98, 0x8e, 0);
    gate(wide, 0x87, code, 0x8e, wide);
    if (r->setup & SET_GP_TASK)
        gate(wide, VEC_GP, 0x78, 0x85, 0);
    if (r->setup & SET_PF_TASK)
        gate(wide, VEC_PF, 0x78, 0x85, 0);
    if (r->setup & SET_DF_TASK)
        gate(wide, VEC_DF, 0x78, 0x85, 0);
    if (r->setup & SET_NO_GP)
        gate(wide, VEC_GP, code, 0x0e, 0);
    if (r->setup & SET_NO_DF)
        gate(wide, VEC_DF, code, 0x0e, 0);
    if (r->setup & SET_NO_UD)
        gate(wide, VEC_UD, code, 0x0e, 0);
}

static void make_tss(const struct program *r)
{
    if (is_long(r->mode)) {
        put(TSS + 4, TSS0_SP, 8);
        put(TSS + 0x24, STACK_IST, 8);
    } else {
        put(TSS + 4, TSS0_SP, 4);
        put(TSS + 8, 0x10, 2);
    }
    put(TSS + 0x66, IOMAP, 2);
    memset(ram + TSS + IOMAP, 0xff, 129);
    ram[TSS + IOMAP + IO_OPEN / 8] = 0;
    if (r->setup & (SET_LINK | SET_LINK_IDLE))
        put(TSS, 0x78, 2);
    if (r->setup & SET_LINK)
        ram[GDT + 0x78 + 5] |= 2;

    put(TSS2 + 0x1c, r->setup & SET_PAGED ? DIR2 : 0, 4);
    put(TSS2 + 0x20, handler(0x41), 4);
    put(TSS2 + 0x24, 2, 4);
    put(TSS2 + 0x38, STACK2, 4);
    for (unsigned i = 0; i < 6; i++)
        put(TSS2 + 0x48 + 4 * i, i == 1 ? 8 : 0x10, 2);
    if (r->setup & SET_BAD_TASK_DS)
        put(TSS2 + 0x54, 0x50, 2);
    put(TSS16 + 0x0e, handler(0x41), 2);
    put(TSS16 + 0x10, 2, 2);
    put(TSS16 + 0x1a, 0xb000, 2);
    for (unsigned i = 0; i < 4; i++)
        put(TSS16 + 0x22 + 2 * i, i == 1 ? 8 : 0x10, 2);
}

/* All of RAM is mapped where it is, for everybody, in pages of 4 KiB; in the second space but for
 * CODE.  Nothing is above it. */
static void make_pages(void)
{
    put(DIR, PAGES | 7, 4);
    put(DIR2, PAGES2 | 7, 4);
    for (uint32_t at = 0; at < RAM; at += PAGE_SIZE) {
        put(PAGES + at / 1024, at | 7, 4);
        put(PAGES2 + at / 1024, at == CODE ? 0 : at | 7, 4);
    }
}

/* The tables, handlers and code of a program, in memory that is zero. */
static void fill_memory(const struct program *r)
{
    size_t n = strlen(r->code) / 2;

    memcpy(ram + GDT, gdt, sizeof gdt);
    put(LDT, gdt[2], 8);
    make_idt(r);
    make_tss(r);
    for (unsigned v = 0; v < 256; v++) {
        ram[handler(v)] = 0xf4;
        put(4 * v, (uint64_t)(HANDLERS >> 4) << 16 | 16 * v, 4);
    }
    for (size_t i = 0; i < n; i++) {
        unsigned byte;
        assert_int_equal(sscanf(r->code + 2 * i, "%2x", &byte), 1);
        ram[CODE + i] = (uint8_t)byte;
    }
    ram[CODE + n] = 0xf4;
    if (r->setup & SET_PAGED)
        make_pages();
    put(TABLES, (TABLES + 0x1000) | 7, 8);              /* the first 2 MiB, for all */
    put(TABLES + 0x1000, (TABLES + 0x2000) | 7, 8);
    put(TABLES + 0x2000, 0x87, 8);
}

static inline void make_memory(const struct program *r)
{
    memset(ram, 0, RAM);
    fill_memory(r);
}

static struct segment flat(uint16_t sel, bool code, bool wide)
{
    return (struct segment){ .sel = sel, .limit = 0xffffffff,
        .attr = (uint16_t)(0x8093 | (sel & 3) << 5 | (code ? 8 : 0) | (wide ? SEG_L : SEG_DB)) };
}

static void set_segments(struct cpu_state *c, enum mode m)
{
    bool user = m == P3 || m == L3 || m == C3;
    uint16_t data = user ? 0x23 : 0x10;
    uint16_t code = m == L0 ? 0xe8 : m == L3 ? 0xf3 : user ? 0x1b : 8;

    for (unsigned i = SEG_ES; i <= SEG_GS; i++)
        c->seg[i] = m == R ? (struct segment){ .attr = 0x93, .limit = 0xffff }
                  : m == V ? (struct segment){ .attr = 0xf3, .limit = 0xffff }
                           : flat(data, false, false);
    if (m == R || m == V) {
        c->seg[SEG_CS].sel = CODE >> 4;
        c->seg[SEG_CS].base = CODE;
        c->seg[SEG_SS].sel = 0x1000;
        c->seg[SEG_SS].base = 0x10000;
    } else {
        c->seg[SEG_CS] = flat(code, true, m == L0 || m == L3);
    }
    c->seg[SEG_LDTR] = (struct segment){ .sel = 0x30, .base = LDT, .limit = 7, .attr = 0x82 };
    c->seg[SEG_TR] = (struct segment){ .sel = 0x28, .base = TSS, .limit = TSS_LIMIT, .attr = 0x8b };
    c->gdtr = (struct table_reg){ GDT, GDT_LIMIT };
    c->idtr = m == R ? (struct table_reg){ 0, 0x3ff }
                     : (struct table_reg){ IDT, is_long(m) ? IDT64_LIMIT : IDT_LIMIT };
}

static void set_control(struct cpu_state *c, const struct program *r)
{
    int f = r->setup;

    c->cr0 = CR0_ET | (r->mode == R ? 0 : CR0_PE);
    c->cr4 = (f & SET_PVI ? CR4_PVI : 0) | (f & SET_UMIP ? CR4_UMIP : 0) |
             (f & SET_TSD ? CR4_TSD : 0) | (f & SET_DE ? CR4_DE : 0) |
             (f & SET_VME ? CR4_VME : 0) | (f & SET_FSGS ? CR4_FSGSBASE : 0);
    c->rflags |= (f & SET_VIP ? FLAG_VIP : 0) | (f & SET_VIF ? FLAG_VIF : 0) |
                 (f & SET_IOPL3 ? FLAG_IOPL : 0) | (r->mode == V ? FLAG_VM : 0);
    if (is_long(r->mode)) {
        c->cr0 |= CR0_PG;
        c->cr3 = TABLES;
        c->cr4 |= CR4_PAE;
        c->efer = EFER_LME | EFER_LMA | (f & SET_SYSCALL ? EFER_SCE : 0);
    }
    if (f & SET_PAGED) {
        c->cr0 |= CR0_PG;
        c->cr3 = DIR;
    }
    c->star = UINT64_C(0x00e300e8) << 32;
    c->lstar = c->sysenter_eip = handler(0x42);
    c->sysenter_cs = f & SET_SYSENTER ? 0xe8 : 0;
    c->sysenter_esp = TSS0_SP;
}

static void set_cpu(const struct program *r)
{
    enum mode m = r->mode;
    struct cpu_state c;

    memset(&c, 0, sizeof c);
    c.rflags = FLAG_ONE;
    set_segments(&c, m);
    set_control(&c, r);
    c.gpr[RBX] = SCRATCH;
    c.gpr[RDX] = 0x3f8;
    c.gpr[RSP] = m == R || m == V ? 0xf000 : m == P0 || m == L0 ? STACK0 : STACK3;
    c.rip = m == R || m == V ? 0 : CODE;
    c.dr[6] = DR6_INIT;
    c.dr[7] = DR7_INIT;
    assert_int_equal(cpu.ops->set_state(&cpu, ST_ALL, &c), 0);
    cpu.ops->forget(&cpu, 0, RAM);
}

__attribute__((unused)) static int set_up(void **state)
{
    static struct gmem *m;

    (void)state;
    m = gmem_new();
    if (gmem_add(m, "RAM", 0, RAM, GMEM_RAM))
        return -1;
    gmem_freeze(m);
    ram = gmem_ptr(m, 0, RAM);
    cpu = (struct vcpu){ .ops = &engine_soft, .gmem = m, .mmu = MMU_NESTED,
                         .hmem = hmem_new(m) };
    nested = nested_new(cpu.hmem, NULL);
    cpu.eptp = nested_root(nested);
    for (uint32_t at = 0; at < RAM; at += PAGE_SIZE)
        nested_map(nested, at, HMEM_GUEST + at, PAGE_SIZE, EPT_RWX);
    return cpu.ops->create(&cpu);
}

__attribute__((unused)) static int tear_down(void **state)
{
    (void)state;
    cpu.ops->destroy(&cpu);
    nested_free(nested);
    hmem_free(cpu.hmem);
    gmem_free(cpu.gmem);
    return 0;
}

