/*
 * The monitor's loop with a guest of a few bytes: what time, MSRs and memory
 * size look like from inside.  Real mode, code at CODE; it ends with HLT.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/abi.h"
#include "base/trace.h"
#include "base/x86.h"
#include "io/bus.h"
#include "mem/gmem.h"
#include "mem/nested.h"
#include "vm/exits.h"
#include "vm/lockstep.h"
#include "vm/loop.h"

#define CODE 0x8000
#define MiB  (UINT64_C(1) << 20)

static struct vm *machine_with(uint64_t ram_bytes, enum mmu_kind mmu)
{
    struct vm_config cfg = { .engine = &engine_soft, .mmu = mmu, .ram_bytes = ram_bytes,
                             .limit_insns = 10000, .no_reboot = true };
    char why[200];
    struct vm *vm = vm_new(&cfg, why, sizeof why);

    assert_non_null(vm);
    return vm;
}

static struct vm *machine(uint64_t ram_bytes)
{
    return machine_with(ram_bytes, MMU_NESTED);
}

static void put_code(struct vm *vm, const char *code, size_t n)
{
    struct cpu_state c;

    cpu_state_reset(&c);
    c.seg[SEG_CS].sel = 0;
    c.seg[SEG_CS].base = 0;
    c.rip = CODE;
    c.gpr[RSP] = CODE;
    assert_int_equal(gmem_write(vm->gmem, CODE, code, n), 0);
    assert_int_equal(boot_cpu(vm)->ops->set_state(boot_cpu(vm), ST_ALL, &c), 0);
}

/* Run these bytes until they halt; the registers then. */
static void run(struct vm *vm, const char *code, size_t n, struct cpu_state *c)
{
    put_code(vm, code, n);
    vm_run(vm);
    assert_int_equal(vm->stop, VM_HALTED);
    boot_cpu(vm)->ops->get_state(boot_cpu(vm), ST_ALL, c);
}

#define RUN(vm, code, c) run(vm, code, sizeof(code) - 1, c)

/* The guest sets its clock and waits by a port: it is not set back. */
static void test_tsc_stays_written(void **state)
{
    struct vm *vm = machine(MiB);
    struct cpu_state c;

    (void)state;
    RUN(vm,
        "\xe6\x80"                          /* out %al, $0x80 */
        "\x66\x31\xc0\x66\xba\x10\x00\x00\x00"  /* xor %eax, %eax; mov $0x10, %edx */
        "\x66\xb9\x10\x00\x00\x00"          /* mov $IA32_TSC, %ecx */
        "\x0f\x30"                          /* wrmsr */
        "\xe6\x80"                          /* out %al, $0x80 */
        "\x0f\x31\xf4", &c);                /* rdtsc; hlt */
    assert_int_equal(c.gpr[RDX], 0x10);
    assert_in_range(c.gpr[RAX], 1000, 1100);    /* a port access takes 1000 ns */
    vm_free(vm);
}

/* HC_TRAP_PAGE plants a misconfigured entry for RAM and for nothing else: not for ROM, a hole, a
 * device or an address beyond all memory; and a guest under shadow paging has no nested table. */
static void test_only_ram_can_be_trapped(void **state)
{
    static const gpa_t refused[] = { BIOS_BASE, UINT64_C(0xc0000000), UINT64_C(0xfee00000),
                                     UINT64_C(1) << 45, UINT64_MAX };
    struct vm *vm = machine(MiB), *shadowed = machine_with(MiB, MMU_SHADOW);

    (void)state;
    for (size_t i = 0; i < NELEM(refused); i++) {
        uint64_t arg[4] = { refused[i] };
        assert_int_equal((int64_t)vm_hypercall(vm, HC_TRAP_PAGE, arg), -EFAULT);
    }
    assert_int_equal(vm_hypercall(vm, HC_TRAP_PAGE, (uint64_t[4]){ 0x1234 }), 0);
    assert_int_equal((int64_t)vm_hypercall(shadowed, HC_TRAP_PAGE, (uint64_t[4]){ 0x1234 }),
                     (int64_t)HC_BADCALL);
    vm_free(vm);
    vm_free(shadowed);
}

/* A guest can have entries taken away and narrowed, of RAM and of nothing else, and to rights that
 * a processor accepts. */
static void test_nested_hypercalls(void **state)
{
    static const struct { unsigned nr; uint64_t arg[4]; int64_t result; } calls[] = {
        { HC_MAP_SIZE, { 0x2000 },                          -EINVAL },
        { HC_MAP_SIZE, { 0x1000 },                          0 },
        { HC_UNMAP,    { 0x5000, 0x1000 },                  0 },
        { HC_UNMAP,    { 0x5000, UINT64_MAX },              -EFAULT },
        { HC_UNMAP,    { UINT64_C(0xc0000000), 0x1000 },    -EFAULT },
        { HC_UNMAP,    { 0x9f000, 0x1001 },                 -EFAULT },      /* to VGA memory */
        { HC_PROTECT,  { 0x5000, 0x1000, 0 },               -EINVAL },
        { HC_PROTECT,  { 0x5000, 0x1000, EPT_W },           -EINVAL },
        { HC_PROTECT,  { 0x5000, 0x1000, 8 },               -EINVAL },
        { HC_PROTECT,  { BIOS_BASE, 0x1000, EPT_RWX },      -EFAULT },
        { HC_PROTECT,  { UINT64_MAX, 1, EPT_R },            -EFAULT },
        { HC_WALK,     { 0x5000 },                          1 },            /* an empty root */
    };
    struct vm *vm = machine(MiB), *shadowed = machine_with(MiB, MMU_SHADOW);

    (void)state;
    for (size_t i = 0; i < NELEM(calls); i++) {
        assert_int_equal((int64_t)vm_hypercall(vm, calls[i].nr, calls[i].arg), calls[i].result);
        assert_int_equal((int64_t)vm_hypercall(shadowed, calls[i].nr, calls[i].arg),
                         (int64_t)HC_BADCALL);
    }
    assert_int_equal(nested_fill(vm->nested, 0x5000), 0);
    assert_int_equal(vm_hypercall(vm, HC_PROTECT, (uint64_t[4]){ 0x4000, 0x2000, EPT_R }), 1);
    assert_int_equal(vm_hypercall(vm, HC_PROTECT, (uint64_t[4]){ 0x4000, 0x2000, EPT_R }), 0);
    assert_int_equal(vm_hypercall(vm, HC_UNMAP, (uint64_t[4]){ 0, 0xa0000 }), 1);
    vm_free(vm);
    vm_free(shadowed);
}

/* "Fast-strings enable" is set at power-on.  [SDM 4 "IA32_MISC_ENABLE"] */
static void test_msr_at_reset(void **state)
{
    struct vm *vm = machine(MiB);
    struct cpu_state c;

    (void)state;
    RUN(vm, "\x66\xb9\xa0\x01\x00\x00\x0f\x32\xf4", &c);    /* mov $0x1a0, %ecx; rdmsr; hlt */
    assert_int_equal(c.gpr[RAX], 1);
    assert_int_equal(c.gpr[RDX], 0);
    vm_free(vm);
}

/* In ring 0 with paging and SMAP, every page the user's. */
static enum vm_stop run_under_smap(enum mmu_kind mmu, const char *code, size_t n, uint32_t *cell)
{
    enum { DIRECTORY = 0x10000 };
    struct vm *vm = machine_with(MiB, mmu);
    uint32_t pde = PTE_P | PTE_W | PTE_U | PTE_PS;
    enum vm_stop stop;
    struct cpu_state c;

    put_code(vm, code, n);
    gmem_write(vm->gmem, DIRECTORY, &pde, 4);
    boot_cpu(vm)->ops->get_state(boot_cpu(vm), ST_ALL, &c);
    for (int i = 0; i < 6; i++)
        c.seg[i] = (struct segment){ .sel = 8, .limit = 0xffffffff,
                                     .attr = i == SEG_CS ? 0xc09b : 0xc093 };
    c.cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_ET;
    c.cr3 = DIRECTORY;
    c.cr4 = CR4_PSE | CR4_SMAP;
    boot_cpu(vm)->ops->set_state(boot_cpu(vm), ST_ALL, &c);
    vm_paging_changed(vm, boot_cpu(vm));
    vm_run(vm);
    stop = vm->stop;
    gmem_read(vm->gmem, 0x9000, cell, 4);
    vm_free(vm);
    return stop;
}

/* The kernel reaches its users' pages with AC set, and only so, whoever walks. */
static void test_smap(void **state)
{
    /* stac or clac; mov 0x9000, %eax; movl $7, 0x9000; hlt */
#define WRITE "\xa1\0\x90\0\0\xc7\x05\0\x90\0\0\7\0\0\0\xf4"
    static const char with[] = "\x0f\x01\xcb" WRITE, without[] = "\x0f\x01\xca" WRITE;

    (void)state;
    for (enum mmu_kind mmu = MMU_NESTED; mmu <= MMU_SHADOW; mmu++) {
        uint32_t cell;
        assert_int_equal(run_under_smap(mmu, with, sizeof with, &cell), VM_HALTED);
        assert_int_equal(cell, 7);
        assert_int_equal(run_under_smap(mmu, without, sizeof without, &cell), VM_TRIPLE_FAULT);
        assert_int_equal(cell, 0);
    }
}

/* ---- INJECT and DELIVER have a place and a time of their own ---- */

enum { HANDLER = 0x9000, PORT_NS = 1000 };

/* Run the guest with handlers that halt at HANDLER + 16 * vector; its trace, in one piece. */
static struct trace *trace_of(const char *code, size_t n)
{
    struct vm_config cfg = { .engine = &engine_soft, .mmu = MMU_NESTED, .ram_bytes = MiB,
                             .limit_insns = 10000, .no_reboot = true, .trace = trace_new(4096) };
    char why[200];
    struct vm *vm = vm_new(&cfg, why, sizeof why);

    assert_non_null(vm);
    cfg.trace->mask = TRACE_DEFAULT_KINDS;
    put_code(vm, code, n);
    for (uint32_t vector = 0; vector < 256; vector++) {
        uint32_t entry = HANDLER + 16 * vector;
        gmem_write(vm->gmem, 4 * vector, &entry, 4);
        gmem_write(vm->gmem, entry, "\xf4", 1);
    }
    vm_run(vm);
    assert_int_equal(vm->stop, VM_HALTED);
    vm_free(vm);
    assert_int_equal(cfg.trace->ring->lost, 0);
    return cfg.trace;
}

#define TRACE_OF(code) trace_of(code, sizeof(code) - 1)

/* The only event of this kind. */
static const struct trace_event *only(const struct trace *t, enum trace_kind kind)
{
    const struct trace_event *found = NULL;

    for (uint64_t seq = 1; seq <= t->ring->head; seq++) {
        const struct trace_event *e = &t->ring->event[seq & (t->ring->size - 1)];
        if (e->kind != kind)
            continue;
        assert_null(found);
        found = e;
    }
    assert_non_null(found);
    return found;
}

static void assert_delivered(const struct trace_event *e, unsigned vector, uint64_t rip,
                             uint64_t icount, unsigned ports)
{
    assert_int_equal(e->arg[0], vector);
    assert_int_equal(e->arg[1], HANDLER + 16 * vector);
    assert_int_equal(e->place, rip);
    assert_int_equal(e->icount, icount);
    assert_int_equal(e->vtime_ns, icount + ports * PORT_NS);
}

/* Of a fault: where the instruction stands that could not be done, and what was done before. */
static void test_fault_has_its_place(void **state)
{
    struct trace *t = TRACE_OF("\x90\x31\xc9\xf7\xf1");     /* nop; xor %cx, %cx; div %cx */

    (void)state;
    assert_delivered(only(t, TRACE_DELIVER), 0, CODE + 3, 2, 0);
    trace_free(t);
}

/* Of INT n: where the INT stands, though its handler returns behind it. */
static void test_int_has_its_place(void **state)
{
    struct trace *t = TRACE_OF("\xe6\x80\x90\x90\xcd\x40");   /* out; nop; nop; int $0x40 */

    (void)state;
    assert_delivered(only(t, TRACE_DELIVER), 0x40, CODE + 4, 3, 1);
    trace_free(t);
}

/* Of an interrupt: the instruction before which it comes.  The monitor gives it and the CPU
 * takes it at the same one, at the time for which it was due. */
static void test_interrupt_has_its_place(void **state)
{
    struct trace *t = TRACE_OF(
        "\xb0\x11\xe6\x20"                  /* first 8259A: ICW1 */
        "\xb0\x20\xe6\x21"                  /* ICW2: vectors from 0x20 */
        "\xb0\x04\xe6\x21\xb0\x01\xe6\x21"  /* ICW3, ICW4 */
        "\xb0\xfe\xe6\x21"                  /* only the timer */
        "\xb0\x30\xe6\x43"                  /* 8254, counter 0: once */
        "\xb0\x04\xe6\x40\xb0\x00\xe6\x40"  /* after 4 of its clocks, 3.4 us */
        "\xfb\x90\xeb\xfe");                /* sti; nop; 1: jmp 1b */
    const struct trace_event *inject = only(t, TRACE_INJECT), *deliver = only(t, TRACE_DELIVER);

    (void)state;
    assert_int_equal(inject->arg[0], 0x20);
    assert_int_equal(inject->place, CODE + 34);
    assert_int_equal(inject->icount, deliver->icount);
    assert_int_equal(inject->vtime_ns, deliver->vtime_ns);
    assert_in_range(inject->icount, 18, 10000);
    assert_delivered(deliver, 0x20, CODE + 34, inject->icount, 8);
    assert_int_equal(inject->vtime_ns, only(t, TRACE_TIMER)->arg[0]);
    trace_free(t);
}

static unsigned cmos(struct vm *vm, unsigned reg)
{
    uint64_t v;

    bus_write(vm->ports, from_cpu(0), 0x70, 1, reg);
    bus_read(vm->ports, from_cpu(0), 0x71, 1, &v);
    return (unsigned)v;
}

/* Memory beyond the hole for PCI lies above 4 GiB, and CMOS says so in two places. */
static void test_memory_in_cmos(void **state)
{
    static const struct { uint64_t ram; unsigned below, above; } sizes[] = {
        { 1 * MiB, 0, 0 },
        { 16 * MiB, 0, 0 },
        { 17 * MiB, 16, 0 },
        { 3072 * MiB, (3072 - 16) * 16, 0 },
        { 3073 * MiB, (3072 - 16) * 16, 16 },
        { 8192 * MiB, (3072 - 16) * 16, (8192 - 3072) * 16 },
    };

    (void)state;
    for (size_t i = 0; i < NELEM(sizes); i++) {
        struct vm *vm = machine(sizes[i].ram);
        assert_int_equal(cmos(vm, 0x34) | cmos(vm, 0x35) << 8, sizes[i].below);
        assert_int_equal(cmos(vm, 0x5b) | cmos(vm, 0x5c) << 8 | cmos(vm, 0x5d) << 16,
                         sizes[i].above);
        vm_free(vm);
    }
}

/* The mouse's wire is there, though no mouse: D3h makes the controller say that
 * a byte of it came.  [IBM PC/AT Technical Reference "Keyboard Controller"] */
static void test_mouse_interrupt(void **state)
{
    struct vm *vm = machine(MiB);
    uint64_t irr;

    (void)state;
    bus_write(vm->ports, from_cpu(0), 0x64, 1, 0x60);
    bus_write(vm->ports, from_cpu(0), 0x60, 1, 0x47);    /* translate, both interrupts */
    bus_write(vm->ports, from_cpu(0), 0x64, 1, 0xd3);
    bus_write(vm->ports, from_cpu(0), 0x60, 1, 0x5a);
    bus_read(vm->ports, from_cpu(0), 0xa0, 1, &irr);
    assert_int_equal(irr, 1 << (12 - 8));
    bus_read(vm->ports, from_cpu(0), 0x60, 1, &irr);
    bus_read(vm->ports, from_cpu(0), 0xa0, 1, &irr);
    assert_int_equal(irr, 0);
    vm_free(vm);
}

/* The timer ticks, but its last interrupt has had no EOI, or it is masked: this
 * HLT is the last, and the run ends. */
static void test_halted_for_good(void **state)
{
    static const struct { uint8_t imr; bool eoi, ends; } cases[] = {
        { 0xfe, true, false }, { 0xfe, false, true }, { 0xff, true, true }, { 0xfb, true, true },
    };

    (void)state;
    for (size_t i = 0; i < NELEM(cases); i++) {
        struct vm *vm = machine(MiB);
        static const struct { uint8_t port, value; } setup[] = {
            { 0x20, 0x11 }, { 0x21, 0x20 }, { 0x21, 4 }, { 0x21, 1 },
            { 0x43, 0x34 }, { 0x40, 100 }, { 0x40, 0 },
        };
        for (size_t k = 0; k < NELEM(setup); k++)
            bus_write(vm->ports, from_cpu(0), setup[k].port, 1, setup[k].value);
        bus_write(vm->ports, from_cpu(0), 0x21, 1, cases[i].imr);
        /* sti; 1: hlt; jmp 1b; and the handler of vector 20h: (EOI;) iret */
        gmem_write(vm->gmem, 0x20 * 4, "\x00\x90\x00\x00", 4);
        gmem_write(vm->gmem, 0x9000, "\xb0\x20\xe6\x20\xcf", 5);
        if (!cases[i].eoi)
            gmem_write(vm->gmem, 0x9000, "\xcf", 1);
        put_code(vm, "\xfb\xf4\xeb\xfd", 4);
        vm->cfg.limit_exits = 50;
        vm_run(vm);
        assert_int_equal(vm->stop, cases[i].ends ? VM_HALTED : VM_LIMIT_EXITS);
        vm_free(vm);
    }
}

/* A follower's clock is the leader's, at each instruction. */
static void test_lockstep_tells_the_time(void **state)
{
    static const char code[] = "\xe6\x80"                  /* out %al, $0x80 */
                               "\x0f\x31\xe6\x80\x93"      /* rdtsc; out %al, $0x80; xchg */
                               "\x0f\x31\xe6\x80"          /* rdtsc; out %al, $0x80 */
                               "\x66\xb9\x10\x00\x00\x00\x0f\x30"     /* TSC := itself */
                               "\x0f\x31\xe6\x80\x0f\x31\xf4";        /* again; hlt */
    struct vm_config a = { .engine = &engine_soft, .ram_bytes = MiB, .limit_insns = 100 }, b = a;
    struct lockstep l = { 0 };
    char why[200];

    (void)state;
    b.mmu = MMU_SHADOW;
    lockstep_prepare(&a, &b);
    l.leader = vm_new(&a, why, sizeof why);
    l.follower = vm_new(&b, why, sizeof why);
    put_code(l.leader, code, sizeof code - 1);
    put_code(l.follower, code, sizeof code - 1);
    vm_paging_changed(l.follower, boot_cpu(l.follower));
    lockstep_run(&l);
    if (l.differ)
        fail_msg("%s\n%s", l.what, l.states);
    assert_int_equal(l.leader->stop, VM_HALTED);
    vm_free(l.leader);
    vm_free(l.follower);
}

/* A processor of another maker: it leaves another AF behind after each OUT and HLT, and does
 * not count its instructions. */
static void conclude_otherwise(struct vcpu *v, const struct vmexit *x, enum verdict verdict)
{
    struct cpu_state s;

    engine_soft.conclude(v, x, verdict);
    if (x->reason != EXIT_IO && x->reason != EXIT_HLT)
        return;
    assert_int_equal(engine_soft.get_state(v, ST_GPRS, &s), 0);
    s.rflags ^= FLAG_AF;
    assert_int_equal(engine_soft.set_state(v, ST_GPRS, &s), 0);
}

/* Does lockstep find a difference?  Its exit and what it looks at begin after the OUT. */
static bool differs_from_other_maker(const char *code, size_t n)
{
    struct engine other = engine_soft;
    struct vm_config a = { .engine = &engine_soft, .ram_bytes = MiB, .limit_insns = 100 }, b = a;
    struct lockstep l = { 0 };
    char why[200];

    other.counts = false;
    other.conclude = conclude_otherwise;
    b.engine = &other;
    lockstep_prepare(&a, &b);
    l.leader = vm_new(&a, why, sizeof why);
    l.follower = vm_new(&b, why, sizeof why);
    put_code(l.leader, code, n);
    put_code(l.follower, code, n);
    vm_paging_changed(l.follower, boot_cpu(l.follower));
    lockstep_run(&l);
    if (l.differ)
        assert_non_null(strstr(l.states, "rflags"));
    vm_free(l.leader);
    vm_free(l.follower);
    return l.differ;
}

static void test_lockstep_and_undefined_flags(void **state)
{
    static const struct { const char *what, *code; size_t n; bool differs; } cases[] = {
#define CASE(what, code, differs) { what, "\xe6\x80" code "\xf4\x31\xc0", sizeof(code) + 4, differs }
        CASE("XOR writes it", "\x31\xc0", false),
        CASE("a HLT between, or a MOV", "\xf4\x89\xd8\x39\xc0", false),
        CASE("DAA reads it", "\x27", true),
        CASE("LAHF reads it", "\x9f", true),
        CASE("PUSHF stores it", "\x9c", true),
        CASE("INT3 stores it", "\xcc", true),
        CASE("JZ does not read it, both ways write it", "\x74\x02\x31\xc0\x31\xc0", false),
        CASE("JZ, and PUSHF where it leads", "\x74\x04\x31\xc0\xf4\xf4\x9c", true),
        CASE("JZ, and PUSHF where it does not lead", "\x74\x01\x9c\x31\xc0", true),
        CASE("JMP is followed", "\xeb\x01\x9c\x31\xc0", false),
        CASE("JMP to a PUSHF", "\xeb\x02\x31\xc0\x9c", true),
        CASE("a loop that reads nothing", "\x39\xc0\x40\x75\xfd", false),
        CASE("INC writes it", "\x40", false),
        CASE("SHL by CL may do nothing", "\xd3\xe0\x9c", true),
        CASE("SHL by 1 does something", "\xd1\xe0\x9c", false),
        CASE("REPE CMPSB may do nothing", "\xf3\xa6\x9c", true),
        CASE("a computed jump", "\xff\xe0", true),
#undef CASE
    };

    (void)state;
    for (size_t i = 0; i < NELEM(cases); i++)
        if (differs_from_other_maker(cases[i].code, cases[i].n) != cases[i].differs)
            fail_msg("%s: %s", cases[i].what, cases[i].differs ? "not found to differ" : "found to differ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tsc_stays_written),
        cmocka_unit_test(test_msr_at_reset),
        cmocka_unit_test(test_only_ram_can_be_trapped),
        cmocka_unit_test(test_nested_hypercalls),
        cmocka_unit_test(test_smap),
        cmocka_unit_test(test_fault_has_its_place),
        cmocka_unit_test(test_int_has_its_place),
        cmocka_unit_test(test_interrupt_has_its_place),
        cmocka_unit_test(test_memory_in_cmos),
        cmocka_unit_test(test_mouse_interrupt),
        cmocka_unit_test(test_halted_for_good),
        cmocka_unit_test(test_lockstep_tells_the_time),
        cmocka_unit_test(test_lockstep_and_undefined_flags),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
