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
#include "base/trace.h"
#include "vm/exits.h"
#include "vm/loop.h"
#include "vm/state.h"
#include "vm/vm.h"
#include "world.h"

enum { INSNS = 300, EXITS = 200, HEADER = 10, CODE_BYTES = 512, PD = TABLES + 0x3000,
       BOARD_END = PD + 0x1000, EVENTS = 1 << 14,
       RAM_BYTES = 1 << 20 /* with the hole below 1 MiB */, ALL_PAGES_EVERY = 64 };

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
    fill_memory(&p);
    memset(ram + CODE, 0xf4, HANDLERS - CODE);          /* HLT: behind the code is no more code */
    memcpy(ram + CODE, in + HEADER, n - HEADER < CODE_BYTES ? n - HEADER : CODE_BYTES);
    put(PD, 0x87, 4);
    dirty_mark(vm->dirty, 0, BOARD_END);
    set_cpu(&p);
    cpu.ops->get_state(&cpu, ST_ALL, &c);
    for (unsigned i = 0; i < 16; i++)
        if (i != RSP)
            c.gpr[i] = values[in[2 + i / 2] >> 4 * (i & 1) & 15];
    set_switches(&c, in);
    cpu.ops->set_state(&cpu, ST_ALL, &c);
    vm_paging_changed(vm, boot_cpu(vm));
}

/* ---- machines: nested and shadow tables, in blocks and singly ---- */

struct machine { struct vm *vm; struct world world; };
struct end { struct cpu_state c; uint64_t icount; enum vm_stop stop; uint64_t sum; };

static struct vm *make(enum mmu_kind mmu, bool singly)
{
    struct vm_config cfg = { .engine = &engine_soft, .mmu = mmu, .ram_bytes = RAM_BYTES,
                             .limit_insns = INSNS, .limit_exits = singly ? 100 * EXITS : EXITS,
                             .no_reboot = true, .trace = trace_new(EVENTS) };
    char why[200];
    struct vm *vm = vm_new(&cfg, why, sizeof why);

    if (!vm || !cfg.trace)
        abort();
    vm->sync_insns = singly;
    memset(gmem_ptr(vm->gmem, 0, RAM), 0, RAM);
    return vm;
}

static struct machine *machine(enum mmu_kind mmu, bool singly)
{
    static struct machine machines[2][2];
    struct machine *m = &machines[mmu == MMU_SHADOW][singly];

    if (m->world.broken) {
        world_drop(&m->world);
        vm_free(m->vm);
        m->vm = NULL;
    }
    if (!m->vm) {
        world_begin(&m->world);
        m->vm = make(mmu, singly);
        world_end(&m->world, m->vm->gmem, m->vm->dirty);
    }
    return m;
}

static void run(struct vm *vm, const uint8_t *in, size_t n, struct end *e)
{
    set_up_case(vm, in, n);
    vm_run(vm);
    memset(&e->c, 0, sizeof e->c);
    boot_cpu(vm)->ops->get_state(boot_cpu(vm), ST_ALL, &e->c);
    e->icount = boot_cpu(vm)->icount;
    e->stop = vm->stop;
}

/* ---- the same, whatever ran before? ---- */

static void sum_up(struct vm *vm, struct end *e)
{
    const struct trace_ring *r = vm->trace->ring;
    uint64_t n = r->head < r->size ? r->head : r->size;

    e->sum = world_sum(vm_hash(vm), r->event + 1, n ? (n - 1) * sizeof r->event[0] : 0);
}

static void run_and_sum(struct vm *vm, const uint8_t *in, size_t n, struct end *e)
{
    vm->trace->mask = ~UINT64_C(0);
    vm->trace->ring->head = vm->trace->ring->tail = vm->trace->ring->lost = 0;
    run(vm, in, n, e);
    sum_up(vm, e);
}

static void check(const uint8_t *in, size_t n, bool singly)
{
    enum mmu_kind mmu = in[0] & 8 ? MMU_SHADOW : MMU_NESTED;
    struct machine *old = machine(mmu, singly);
    struct vm *fresh = make(mmu, singly);
    struct end a, b;

    world_enter(&old->world);
    run_and_sum(old->vm, in, n, &a);
    world_put_back(&old->world);
    run_and_sum(fresh, in, n, &b);
    bug_if(a.stop != b.stop || a.icount != b.icount || a.sum != b.sum,
           "the end depends on the inputs before: %s after %lu, else %s after %lu",
           vm_stops[a.stop].name, (long)a.icount, vm_stops[b.stop].name, (long)b.icount);
    struct trace *t = fresh->trace;
    vm_free(fresh);
    trace_free(t);
}

/* Which pages were written says the machine itself, so in each ALL_PAGES_EVERYth input all are
 * looked at: a write that has not marked its page dirty is found there. */
static bool same_ram(const struct vm *a, const struct vm *b)
{
    static unsigned n;
    bool all = ++n % ALL_PAGES_EVERY == 0;

    for (gpa_t at = 0; at < RAM_BYTES; at += PAGE_SIZE) {
        const void *pa = gmem_ptr(a->gmem, at, PAGE_SIZE), *pb = gmem_ptr(b->gmem, at, PAGE_SIZE);
        if ((all || dirty_test(a->dirty, at) || dirty_test(b->dirty, at)) && pa && pb &&
            memcmp(pa, pb, PAGE_SIZE))
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
    static struct end blocks, singly;
    char diff[2000];

    if (n <= HEADER)
        return 0;
    enum mmu_kind mmu = in[0] & 8 ? MMU_SHADOW : MMU_NESTED;
    struct machine *a = machine(mmu, false), *b = machine(mmu, true);
    world_enter(&a->world);
    run(a->vm, in, n, &blocks);
    world_enter(&b->world);
    run(b->vm, in, n, &singly);
    bool alike = same_ram(a->vm, b->vm);
    if (blocks.stop != VM_LIMIT_EXITS && singly.stop != VM_LIMIT_EXITS &&
        (blocks.stop != singly.stop || blocks.icount != singly.icount || !alike ||
         cpu_state_diff(&blocks.c, &singly.c, ST_ALL, diff, sizeof diff))) {
        fprintf(stderr, "in blocks %s after %lu, singly %s after %lu; memory %s\n%s\n",
                vm_stops[blocks.stop].name, (long)blocks.icount, vm_stops[singly.stop].name,
                (long)singly.icount, alike ? "agrees" : "differs", diff);
        abort();
    }
    world_put_back(&a->world);
    world_put_back(&b->world);
    if (world_check_due()) {
        check(in, n, false);
        check(in, n, true);
    }
    return 0;
}
