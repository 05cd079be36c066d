/*
 * tests/fuzz/fuzz_lockstep.c -- any bytes as code, on nested and shadow paging side by side.
 *
 * Two machines of engine soft run the same bytes in lockstep: with nested
 * tables and with shadow tables.  They must stay alike in every register after
 * every exit and in memory at the end, and the shadow tables must keep their
 * invariant.  So the target looks for crashes of the decoder and the
 * interpreter, and for guests that can tell one kind of paging from the other.
 *
 * The input: a byte for the mode, one for what is switched on, 30 for
 * registers and flags, the rest is code at CODE.  All structures of the CPU lie
 * in the lowest 64 KiB, within reach of the code.  Each exception handler adds
 * 2 to the return address and returns, so that a fault is not the end.
 *
 *   run   make fuzz
 */
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "base/x86.h"
#include "mem/gmem.h"
#include "vm/exits.h"
#include "vm/lockstep.h"

enum { REAL, V86, PROT, PROT_USER, PAGED, PAGED_USER, PAE, LONG, LONG_USER, COMPAT, N_MODES };

enum { GDT = 0x1000, IDT = 0x1800, TSS = 0x2800, TSS2 = 0x2a00, HANDLER = 0x2c00, TABLES = 0x3000,
       STACK0 = 0x7f00, CODE = 0x8000, STACK3 = 0xbf00, SIZE = 0x10000,
       MAX_CODE = 256, MAX_INSNS = 400, MAX_EXITS = 600 };

static const uint64_t gdt[] = {
    0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff,
    0x00008b0028000067, 0, 0x000089002a000067, 0,
    0x00af9b000000ffff, 0x00affb000000ffff,
    0x00009b000000ffff, 0x000093000000ffff,             /* 16-bit */
    0x0000ec0000082c00, 0,                              /* call gate */
    0x0000e50000380000, 0x00cf9f000000ffff,             /* task gate, conforming code */
};

static uint8_t image[SIZE];

static void put(unsigned at, uint64_t value, unsigned size)
{
    memcpy(image + at, &value, size);
}

static bool is_long(unsigned mode)
{
    return mode >= LONG;
}

static bool is_user(unsigned mode)
{
    return mode == PROT_USER || mode == PAGED_USER || mode == LONG_USER || mode == COMPAT;
}

/* Handlers: skip two bytes and return; 16 bytes each, without and with an error code. */
static void make_handlers(unsigned mode)
{
    static const uint8_t real[] = { 0x55, 0x89, 0xe5, 0x83, 0x46, 0x02, 0x02, 0x5d, 0xcf };
    static const uint8_t prot[] = { 0x83, 0x04, 0x24, 0x02, 0xcf };
    static const uint8_t prot_err[] = { 0x83, 0xc4, 0x04, 0x83, 0x04, 0x24, 0x02, 0xcf };
    static const uint8_t wide[] = { 0x48, 0x83, 0x04, 0x24, 0x02, 0x48, 0xcf };
    static const uint8_t wide_err[] = { 0x48, 0x83, 0xc4, 0x08, 0x48, 0x83, 0x04, 0x24, 0x02,
                                        0x48, 0xcf };

    if (mode == REAL) {
        memcpy(image + HANDLER, real, sizeof real);
    } else if (is_long(mode)) {
        memcpy(image + HANDLER, wide, sizeof wide);
        memcpy(image + HANDLER + 16, wide_err, sizeof wide_err);
    } else {
        memcpy(image + HANDLER, prot, sizeof prot);
        memcpy(image + HANDLER + 16, prot_err, sizeof prot_err);
    }
}

static void make_gates(unsigned mode)
{
    const uint64_t errors = BIT(VEC_DF) | BIT(VEC_TS) | BIT(VEC_NP) | BIT(VEC_SS) | BIT(VEC_GP) |
                            BIT(VEC_PF) | BIT(VEC_AC);

    for (unsigned v = 0; v < 64; v++) {
        unsigned to = HANDLER + (errors >> v & 1 && v < 32 ? 16 : 0);
        unsigned access = v & 1 ? 0xef : 0xee;
        if (mode == REAL)
            put(4 * v, HANDLER, 4);
        else if (is_long(mode))
            put(IDT + 16 * v, to | 0x48u << 16 | (uint64_t)access << 40, 8);
        else
            put(IDT + 8 * v, to | 8u << 16 | (uint64_t)access << 40, 8);
    }
    if (!is_long(mode) && mode != REAL)
        put(IDT + 8 * 62, 0x38u << 16 | (uint64_t)0xe5 << 40, 8);
}

/* The first 64 KiB of linear memory, identical, in pages of 4 KiB; and a large
 * page that maps them again. */
static void make_tables(unsigned mode)
{
    unsigned levels = is_long(mode) ? 4 : mode == PAE ? 3 : 2, at = TABLES;

    if (mode < PAGED)
        return;
    for (unsigned level = levels; level > 1; level--, at += 0x1000)
        put(at, (at + 0x1000) | (level == 3 && levels == 3 ? 1 : 7), 8);
    put(at - 0x1000 + (levels == 2 ? 4 : 8), 0x87, levels == 2 ? 4 : 8);
    for (unsigned i = 0; i < 16; i++)
        put(at + (levels == 2 ? 4 : 8) * i, i << 12 | (i == 13 ? 5 : i == 14 ? 3 : 7),
            levels == 2 ? 4 : 8);
}

static void make_tss(unsigned mode)
{
    put(TSS + 4, STACK0, 8);
    if (!is_long(mode))
        put(TSS + 8, 0x10, 2);
    put(TSS + 0x24, STACK0 - 0x400, 8);
    put(TSS + 0x66, 0x60, 2);
    put(TSS2 + 0x1c, TABLES, 4);
    put(TSS2 + 0x20, HANDLER, 4);
    put(TSS2 + 0x24, 2, 4);
    put(TSS2 + 0x38, STACK0 - 0x200, 4);
    for (unsigned i = 0; i < 6; i++)
        put(TSS2 + 0x48 + 4 * i, i == SEG_CS ? 8 : 0x10, 2);
}

static struct segment segment(unsigned mode, bool code)
{
    unsigned dpl = is_user(mode) ? 3 : 0;
    uint16_t sel = code ? (mode == LONG ? 0x48 : mode == LONG_USER ? 0x53 : dpl ? 0x1b : 8)
                        : dpl ? 0x23 : 0x10;
    bool wide = code && (mode == LONG || mode == LONG_USER);

    if (mode == REAL || mode == V86)
        return (struct segment){ .attr = mode == V86 ? 0xf3 : 0x93, .limit = 0xffff };
    return (struct segment){ .sel = sel, .limit = 0xffffffff,
                             .attr = (uint16_t)(0x8093 | dpl << 5 | (code ? 8 : 0) |
                                                (wide ? SEG_L : SEG_DB)) };
}

static void make_state(struct cpu_state *c, unsigned mode, uint8_t on, const uint8_t regs[30])
{
    cpu_state_reset(c);
    for (unsigned i = 0; i < N_GPRS; i++)
        c->gpr[i] = i < 8 ? (uint64_t)(regs[2 * i] | regs[2 * i + 1] << 8) : regs[i] * 0x10101u;
    c->gpr[RSP] = is_user(mode) ? STACK3 : STACK0;
    c->rip = CODE;
    c->rflags = FLAG_ONE | (regs[4] & 0xd5) | (regs[20] & 0x0c) << 8 | (regs[21] & 0x70) << 8 |
                (mode == V86 ? FLAG_VM : 0) | (on & 1 ? FLAG_TF : 0) | (on & 2 ? FLAG_AC : 0);
    for (unsigned i = SEG_ES; i <= SEG_GS; i++)
        c->seg[i] = segment(mode, i == SEG_CS);
    c->seg[SEG_TR] = (struct segment){ .sel = 0x28, .base = TSS, .limit = 0x67, .attr = 0x8b };
    c->seg[SEG_LDTR] = (struct segment){ 0 };
    c->gdtr = (struct table_reg){ GDT, sizeof gdt - 1 };
    c->idtr = mode == REAL ? (struct table_reg){ 0, 0x3ff }
                           : (struct table_reg){ IDT, is_long(mode) ? 1023 : 511 };
    c->cr0 = CR0_ET | (mode == REAL ? 0 : CR0_PE) | (mode >= PAGED ? CR0_PG : 0) |
             (on & 4 ? CR0_WP : 0) | (on & 2 ? CR0_AM : 0);
    c->cr3 = TABLES;
    c->cr4 = (mode >= PAE ? CR4_PAE : CR4_PSE) | (on & 8 ? CR4_VME | CR4_PVI | CR4_DE : 0) |
             (on & 16 ? CR4_PGE : 0);
    c->efer = (is_long(mode) ? EFER_LME | EFER_LMA : 0) | EFER_SCE | (on & 32 ? EFER_NXE : 0);
    c->dr[0] = regs[22] << 4;
    c->dr[1] = CODE + regs[23];
    c->dr[7] = DR7_INIT | (on & 64 ? 0x000f0005 : 0);
    c->star = UINT64_C(0x00230048) << 32;
    c->lstar = c->sysenter_eip = HANDLER;
    c->sysenter_cs = 0x48;
    c->sysenter_esp = STACK0;
}

static struct vm *machine(const struct vm_config *cfg, const struct cpu_state *c)
{
    char why[200];
    struct vm *vm = vm_new(cfg, why, sizeof why);

    bug_if(!vm, "%s", why);
    gmem_write(vm->gmem, 0, image, SIZE);
    bug_if(boot_cpu(vm)->ops->set_state(boot_cpu(vm), ST_ALL, c), "the state is refused");
    vm_paging_changed(vm, boot_cpu(vm));
    return vm;
}

/* Has the guest other tables now?  Then what it sees depends on what its TLB still
 * keeps, and may depend on the kind of paging: nobody promised it otherwise.
 * [SDM 3A "Invalidation of TLBs and Paging-Structure Caches"] */
static bool changed_tables(struct vm *vm)
{
    const uint8_t *now = gmem_ptr(vm->gmem, TABLES, STACK0 - TABLES);
    struct cpu_state c;

    boot_cpu(vm)->ops->get_state(boot_cpu(vm), ST_CRS, &c);
    for (unsigned i = TABLES; i < TABLES + 0x4000; i++)
        if ((now[i - TABLES] ^ image[i]) & (i % 4 ? 0xff : (uint8_t)~(PTE_A | PTE_D)))
            return true;
    return c.cr3 != TABLES;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vm_config a = { .engine = &engine_soft, .mmu = MMU_NESTED, .ram_bytes = 1 << 20,
                           .limit_insns = MAX_INSNS, .limit_exits = MAX_EXITS, .no_reboot = true };
    struct vm_config b = a;
    struct cpu_state c;

    if (size < 33)
        return 0;
    unsigned mode = data[0] % N_MODES;
    size_t n = size - 32 < MAX_CODE ? size - 32 : MAX_CODE;
    memset(image, 0, sizeof image);
    memcpy(image + GDT, gdt, sizeof gdt);
    make_handlers(mode);
    make_tss(mode);
    make_gates(mode);
    make_tables(mode);
    memcpy(image + CODE, data + 32, n);
    make_state(&c, mode, data[1], data + 2);

    b.mmu = MMU_SHADOW;
    lockstep_prepare(&a, &b);
    struct lockstep l = { .leader = machine(&a, &c), .follower = machine(&b, &c),
                          .check_shadow = data[0] & 0x80 };
    lockstep_run(&l);
    if (l.differ && !(mode >= PAGED && (changed_tables(l.leader) || changed_tables(l.follower)))) {
        fprintf(stderr, "mode %u: %s\n%s\n", mode, l.what, l.states);
        abort();
    }
    vm_free(l.leader);
    vm_free(l.follower);
    return 0;
}
