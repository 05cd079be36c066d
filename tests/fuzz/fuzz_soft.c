/*
 * tests/fuzz/fuzz_soft.c -- any bytes as code, in any mode of the interpreter.
 *
 * The input says in which mode of the test board (../unit/soft_board.h) its
 * bytes run, with which switches, and what is in the registers; the rest is
 * code.  A whole machine runs it for a few hundred instructions, so the
 * monitor's answers and the devices are behind it.
 *
 *   byte 0     bits 2:0 mode, 3 shadow paging, 4 legacy paging (not PAE), 5 AM and AC, 6 WP, 7 EM
 *   byte 1     bit 0 TF, 1 IF, 2 IOPL 3, 3 PVI and VIP, 4 VME, 5 UMIP, 6 data breakpoints, 7 16-bit
 *   byte 2..9  a nibble for each register: an index into values[]
 *
 * Beyond crashes and sanitizer reports it fails if the machine ends otherwise
 * when each instruction is run alone: then a block, a link, a fused or a lazy
 * thing is wrong.
 */
#include <stdlib.h>

#include "../unit/soft_board.h"
#include "vm/exits.h"
#include "vm/vm.h"

enum { INSNS = 300, EXITS = 200, HEADER = 10, CODE_BYTES = 512, PD = TABLES + 0x3000 };

static const uint64_t values[16] = {
    0, 1, ~UINT64_C(0), 0x80, SCRATCH, SCRATCH + 0xffc, CODE + 4, TABLES + 0x2000, GDT + 0x10, TSS,
    0x7fffffff, 0x80000000, BIT(63), 0xb8000, 0x3f8, RAM - 2,
};

static void set_switches(struct cpu_state *c, const uint8_t *in)
{
    uint8_t a = in[0], b = in[1];

    if ((a & 16) && !(c->efer & EFER_LMA) && (c->cr0 & CR0_PE)) {
        c->cr0 |= CR0_PG;
        c->cr3 = PD;
        c->cr4 |= CR4_PSE;
    }
    c->cr0 |= (a & 32 ? CR0_AM : 0) | (a & 64 ? CR0_WP : 0) | (a & 128 ? CR0_EM : 0);
    c->rflags |= (a & 32 ? FLAG_AC : 0) | (b & 1 ? FLAG_TF : 0) | (b & 2 ? FLAG_IF : 0);
    if (b & 64) {
        c->dr[0] = SCRATCH;
        c->dr[1] = CODE + 8;
        c->dr[7] |= 0xd0005;                /* 0: read or write, 4 bytes; 1: execution */
    }
    if ((b & 128) && (c->cr0 & CR0_PE) && !(c->rflags & FLAG_VM) && !(c->efer & EFER_LMA)) {
        c->seg[SEG_CS].attr &= ~SEG_DB;
        c->seg[SEG_SS].attr &= ~SEG_DB;
    }
}

static void set_up_case(struct vm *vm, const uint8_t *in, size_t n)
{
    struct program p = { .name = "fuzz", .mode = in[0] & 7, .code = "" };
    struct cpu_state c;

    if (p.mode > C3)
        p.mode = R;
    p.setup = (in[1] & 4 ? SET_IOPL3 : 0) | (in[1] & 8 ? SET_PVI | SET_VIP : 0) |
              (in[1] & 16 ? SET_VME : 0) | (in[1] & 32 ? SET_UMIP : 0) | SET_SYSCALL | SET_SYSENTER;
    ram = gmem_ptr(vm->gmem, 0, RAM);
    cpu = vm->vcpu[0];
    make_memory(&p);
    memcpy(ram + CODE, in + HEADER, n - HEADER < CODE_BYTES ? n - HEADER : CODE_BYTES);
    put(PD, 0x87, 4);
    set_cpu(&p);
    cpu.ops->get_state(&cpu, ST_ALL, &c);
    for (unsigned i = 0; i < 16; i++)
        if (i != RSP)
            c.gpr[i] = values[in[2 + i / 2] >> 4 * (i & 1) & 15];
    set_switches(&c, in);
    cpu.ops->set_state(&cpu, ST_ALL, &c);
    vm_paging_changed(vm, boot_cpu(vm));
}

struct end { struct cpu_state c; uint64_t icount; enum vm_stop stop; uint8_t ram[RAM]; };

static void run(const uint8_t *in, size_t n, bool singly, struct end *e)
{
    struct vm_config cfg = { .engine = &engine_soft, .mmu = in[0] & 8 ? MMU_SHADOW : MMU_NESTED,
                             .ram_bytes = 1 << 20, .limit_insns = INSNS, .limit_exits = EXITS,
                             .no_reboot = true };
    char why[200];
    struct vm *vm = vm_new(&cfg, why, sizeof why);

    if (!vm)
        abort();
    set_up_case(vm, in, n);
    if (singly)
        vm->sync_insns = 1, vm->cfg.limit_exits = 100 * EXITS;
    vm_run(vm);
    memset(&e->c, 0, sizeof e->c);
    boot_cpu(vm)->ops->get_state(boot_cpu(vm), ST_ALL, &e->c);
    e->icount = boot_cpu(vm)->icount;
    e->stop = vm->stop;
    memcpy(e->ram, ram, RAM);
    vm_free(vm);
}

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
    static struct end blocks, singly;
    char diff[2000];
    bool same_ram;

    if (n <= HEADER)
        return 0;
    run(in, n, false, &blocks);
    run(in, n, true, &singly);
    if (blocks.stop == VM_LIMIT_EXITS || singly.stop == VM_LIMIT_EXITS)
        return 0;
    same_ram = !memcmp(blocks.ram, singly.ram, RAM);
    if (blocks.stop != singly.stop || blocks.icount != singly.icount || !same_ram ||
        cpu_state_diff(&blocks.c, &singly.c, ST_ALL, diff, sizeof diff)) {
        fprintf(stderr, "in blocks %s after %lu, singly %s after %lu; memory %s\n%s\n",
                vm_stops[blocks.stop].name, (long)blocks.icount, vm_stops[singly.stop].name,
                (long)singly.icount, same_ram ? "agrees" : "differs", diff);
        abort();
    }
    return 0;
}
