/*
 * What the system half of the interpreter leaves behind: exit records and what
 * their verdicts do, frames on stacks, the fields a task switch writes.
 */
#include "soft_board.h"

#include "base/trace.h"

static struct vmexit x;
static struct cpu_state c;

static void start(enum mode mode, int setup, const char *code)
{
    struct program p = { "", mode, setup, code };

    make_memory(&p);
    set_cpu(&p);
    cpu.ops->set_controls(&cpu, &(struct controls){ 0 });
}

static void go(unsigned reason)
{
    cpu.ops->run(&cpu, 100, &x);
    assert_int_equal(x.reason, reason);
}

static void conclude(enum verdict v)
{
    cpu.ops->conclude(&cpu, &x, v);
    cpu.ops->get_state(&cpu, ST_ALL, &c);
}

/* The CPU has stopped at the HLT of this handler. */
static void at_handler(unsigned vector)
{
    go(EXIT_HLT);
    cpu.ops->get_state(&cpu, ST_ALL, &c);
    assert_int_equal(c.rip + (c.cr0 & CR0_PE ? 0 : c.seg[SEG_CS].base), handler(vector));
}

static void set_reg(enum gpr reg, uint64_t value)
{
    cpu.ops->get_state(&cpu, ST_GPRS, &c);
    c.gpr[reg] = value;
    cpu.ops->set_state(&cpu, ST_GPRS, &c);
}

/* ---- exits and verdicts ---- */

static void test_cpuid(void **state)
{
    (void)state;
    start(P0, 0, "0fa2");
    set_reg(RAX, UINT64_C(0x40000000));
    set_reg(RCX, 7);
    go(EXIT_CPUID);
    assert_int_equal(x.rip, CODE);
    assert_int_equal(x.len, 2);
    assert_memory_equal(x.bytes, "\x0f\xa2", 2);
    assert_int_equal(x.cpuid.leaf, 0x40000000);
    assert_int_equal(x.cpuid.subleaf, 7);
    x.cpuid.eax = 1;
    x.cpuid.ebx = 2;
    x.cpuid.ecx = 3;
    x.cpuid.edx = 4;
    conclude(RETIRE);
    assert_int_equal(c.gpr[RAX], 1);
    assert_int_equal(c.gpr[RBX], 2);
    assert_int_equal(c.gpr[RCX], 3);
    assert_int_equal(c.gpr[RDX], 4);
    assert_int_equal(c.rip, CODE + 2);
}

static void test_in_merges(void **state)
{
    static const struct { const char *code; uint64_t rax; } sizes[] = {
        { "ec", 0x11223344556677dd }, { "66ed", 0x112233445566ccdd }, { "ed", 0xaabbccdd },
    };

    (void)state;
    for (size_t i = 0; i < NELEM(sizes); i++) {
        start(L0, 0, sizes[i].code);
        set_reg(RAX, 0x1122334455667788);
        go(EXIT_IO);
        assert_true(x.io.in);
        assert_int_equal(x.io.port, 0x3f8);
        x.io.value = 0xaabbccdd;
        conclude(RETIRE);
        assert_int_equal(c.gpr[RAX], sizes[i].rax);
    }
}

static void test_out(void **state)
{
    (void)state;
    start(P0, 0, "66e742");             /* out %ax, $0x42 */
    set_reg(RAX, 0x12345678);
    go(EXIT_IO);
    assert_false(x.io.in);
    assert_int_equal(x.io.port, 0x42);
    assert_int_equal(x.io.size, 2);
    assert_int_equal(x.io.value, 0x5678);
}

/* One exit an element; the iteration that finds ECX 0 leaves without one, as in KVM. */
static void test_rep_ins(void **state)
{
    (void)state;
    start(P0, 0, "f36c");               /* rep insb */
    set_reg(RCX, 3);
    set_reg(RDI, SCRATCH);
    for (unsigned n = 0; n < 3; n++) {
        go(EXIT_IO);
        assert_true(x.io.string && x.io.rep && x.io.in);
        assert_int_equal(x.io.gla, SCRATCH + n);
        x.io.value = 'a' + n;
        conclude(RETIRE);
        assert_int_equal(c.gpr[RCX], 2 - n);
        assert_int_equal(c.gpr[RDI], SCRATCH + n + 1);
        assert_int_equal(c.rip, CODE);
    }
    go(EXIT_HLT);
    assert_int_equal(x.rip, CODE + 2);
    assert_memory_equal(ram + SCRATCH, "abc", 4);
}

static void test_outs(void **state)
{
    (void)state;
    start(P0, 0, "fd6f");               /* std; outsl */
    put(SCRATCH, 0xfeedf00d, 4);
    set_reg(RSI, SCRATCH);
    go(EXIT_IO);
    assert_int_equal(x.io.value, 0xfeedf00d);
    assert_int_equal(x.io.size, 4);
    conclude(RETIRE);
    assert_int_equal(c.gpr[RSI], SCRATCH - 4);
    assert_int_equal(c.rip, CODE + 2);
}

/* The destination is gone between exit and conclusion: the value is not lost. */
static void test_late_input(void **state)
{
    (void)state;
    start(P0, 0, "6c");
    set_reg(RDI, SCRATCH);
    go(EXIT_IO);
    nested_unmap(nested, SCRATCH, PAGE_SIZE);
    cpu.ops->flush_tlb(&cpu);
    x.io.value = 0x77;
    conclude(RETIRE);
    assert_int_equal(c.rip, CODE);
    go(EXIT_EPT_VIOLATION);
    assert_int_equal(x.page.gpa, SCRATCH);
    nested_map(nested, SCRATCH, HMEM_GUEST + SCRATCH, PAGE_SIZE, EPT_RWX);
    conclude(RETRY);
    go(EXIT_HLT);
    assert_int_equal(x.rip, CODE + 1);
    assert_int_equal(ram[SCRATCH], 0x77);
    cpu.ops->get_state(&cpu, ST_GPRS, &c);
    assert_int_equal(c.gpr[RDI], SCRATCH + 1);
}

/* An entry that no processor accepts is the monitor's mistake, and is told as such. */
static void test_ept_misconfig(void **state)
{
    (void)state;
    static const struct { uint64_t entry; unsigned perm; } row[] = {
        { HMEM_GUEST | SCRATCH | EPT_WB | EPT_W, EPT_W },                   /* W without R      */
        { HMEM_GUEST | SCRATCH | EPT_RWX | 7 << 3, EPT_RWX },               /* no such type     */
        { HMEM_GUEST | SCRATCH | EPT_RWX | EPT_WB | BIT(50), EPT_RWX },     /* a reserved bit   */
        { (HMEM_GUEST + RAM) | EPT_R | EPT_WB, EPT_R },                     /* no such frame    */
        { 0x7f5500001000 | EPT_RWX | EPT_WB, EPT_RWX },                     /* a host pointer   */
    };
    for (size_t i = 0; i < NELEM(row); i++) {
        start(P0, 0, "aaf4");               /* stosb; hlt */
        set_reg(RDI, SCRATCH + 5);
        set_reg(RAX, 0x5a);
        ram[SCRATCH + 5] = 0;
        nested_put_entry(nested, SCRATCH, row[i].entry);
        cpu.ops->flush_tlb(&cpu);
        go(EXIT_EPT_MISCONFIG);
        assert_int_equal(x.page.gpa, SCRATCH + 5);
        assert_int_equal(x.page.gla, SCRATCH + 5);
        assert_int_equal(x.page.access, EPT_R | EPT_W);
        assert_int_equal(x.page.perm, row[i].perm);
        assert_int_equal(ram[SCRATCH + 5], 0);
        nested_map(nested, SCRATCH, HMEM_GUEST + SCRATCH, PAGE_SIZE, EPT_RWX);
        conclude(RETRY);
        go(EXIT_HLT);
        assert_int_equal(ram[SCRATCH + 5], 0x5a);
    }
}

/* The engine logs a fill if there is one, whatever the monitor says. */
static void test_fill_is_seen(void **state)
{
    (void)state;
    struct trace *t = trace_new(64);
    t->mask = BIT(TRACE_NESTED_FILL);
    cpu.trace = t;
    start(P0, 0, "aaf4");
    set_reg(RDI, SCRATCH + 5);
    nested_unmap(nested, SCRATCH, PAGE_SIZE);
    cpu.ops->flush_tlb(&cpu);
    go(EXIT_EPT_VIOLATION);
    conclude(RETRY);                        /* said, and not done */
    go(EXIT_EPT_VIOLATION);
    assert_int_equal(t->ring->head, 0);
    nested_map(nested, SCRATCH, HMEM_GUEST + SCRATCH, PAGE_SIZE, EPT_R);
    conclude(RETRY);                        /* done, but this access is a write */
    go(EXIT_EPT_VIOLATION);
    assert_int_equal(t->ring->head, 0);
    nested_map(nested, SCRATCH, HMEM_GUEST + SCRATCH, PAGE_SIZE, EPT_RWX);
    conclude(RETRY);
    go(EXIT_HLT);
    assert_int_equal(t->ring->head, 1);
    assert_int_equal(t->ring->event[1].arg[0], SCRATCH);
    assert_int_equal(t->ring->event[1].arg[1], PAGE_SIZE);
    assert_int_equal(t->ring->event[1].arg[2], EPT_RWX);
    cpu.trace = NULL;
    trace_free(t);
}

static void test_hlt_and_shadow(void **state)
{
    (void)state;
    start(P0, 0, "fbf4");               /* sti; hlt */
    go(EXIT_HLT);
    assert_false(cpu.irq_ready);        /* HLT is in the shadow of STI */
    conclude(RETIRE);
    assert_int_equal(c.rip, CODE + 2);
    cpu.ops->inject(&cpu, &(struct event){ .type = EVENT_IRQ, .vector = 0x33 });
    at_handler(0x33);
    assert_int_equal(get((uint32_t)c.gpr[RSP], 4), CODE + 2);
    assert_false(c.rflags & FLAG_IF);
}

static void test_vmcall(void **state)
{
    (void)state;
    start(L0, 0, "0f01c1");
    set_reg(RAX, 5);
    set_reg(RSI, 6);
    go(EXIT_VMCALL);
    assert_int_equal(x.call.nr, 5);
    assert_int_equal(x.call.arg[0], SCRATCH);
    assert_int_equal(x.call.arg[3], 6);
    x.call.result = (uint64_t)-38;
    conclude(RETIRE);
    assert_int_equal(c.gpr[RAX], (uint64_t)-38);
    assert_int_equal(c.rip, CODE + 3);
}

static void test_reflect(void **state)
{
    (void)state;
    start(P0, 0, "0f32");               /* rdmsr */
    set_reg(RCX, 0x12345);
    go(EXIT_RDMSR);
    assert_int_equal(x.msr.index, 0x12345);
    conclude(exit_reflect(&x, VEC_GP, true, 0));
    at_handler(VEC_GP);
    assert_int_equal(get((uint32_t)c.gpr[RSP], 4), 0);
    assert_int_equal(get((uint32_t)c.gpr[RSP] + 4, 4), CODE);
    assert_true(get((uint32_t)c.gpr[RSP] + 12, 4) & FLAG_RF);
}

/* An intercepted MOV CR is performed by its conclusion, with its faults. */
static void test_cr_access(void **state)
{
    struct controls ctl = { .cr0_mask = CR0_WP | CR0_PG, .cr3_load_exiting = true };

    (void)state;
    start(P0, 0, "0f22c0");
    cpu.ops->set_controls(&cpu, &ctl);
    set_reg(RAX, CR0_PE | CR0_ET | CR0_MP);
    go(EXIT_HLT);                       /* only bits of the guest's own changed */

    start(P0, 0, "0f22c0");
    cpu.ops->set_controls(&cpu, &ctl);
    set_reg(RAX, CR0_PE | CR0_ET | CR0_WP);
    go(EXIT_CR_ACCESS);
    assert_int_equal(x.cr.nr, 0);
    assert_int_equal(x.cr.type, CR_MOV_TO);
    conclude(RETIRE);
    assert_int_equal(c.cr0, CR0_PE | CR0_ET | CR0_WP);
    assert_int_equal(c.rip, CODE + 3);

    start(P0, 0, "0f22c0");
    cpu.ops->set_controls(&cpu, &ctl);
    set_reg(RAX, CR0_PG);
    go(EXIT_CR_ACCESS);
    conclude(RETIRE);
    assert_int_equal(c.rip, CODE);
    at_handler(VEC_GP);

    start(P0, 0, "0f22d8");
    cpu.ops->set_controls(&cpu, &ctl);
    set_reg(RAX, 0x5000);
    go(EXIT_CR_ACCESS);
    conclude(RETIRE);
    assert_int_equal(c.cr3, 0x5000);
}

static void test_int3_intercepted(void **state)
{
    (void)state;
    start(P0, 0, "cc");
    cpu.ops->set_controls(&cpu, &(struct controls){ .exception_bitmap = BIT(VEC_BP) });
    go(EXIT_EXCEPTION);
    assert_int_equal(x.rip, CODE);
    conclude(exit_reflect(&x, VEC_BP, false, 0));
    at_handler(VEC_BP);
    assert_int_equal(get((uint32_t)c.gpr[RSP], 4), CODE + 1);
}

/* The gate of #BP is ring 0's: INT3 of a user is #GP at the instruction, with the vector in its
 * error code and no EXT, whether it exits first or not. */
static void test_int3_not_allowed(void **state)
{
    (void)state;
    for (unsigned exits = 0; exits < 2; exits++) {
        start(P3, 0, "cc");
        ram[IDT + VEC_BP * 8 + 5] &= 0x9f;
        cpu.ops->set_controls(&cpu, &(struct controls){ .exception_bitmap = exits << VEC_BP });
        if (exits) {
            go(EXIT_EXCEPTION);
            assert_int_equal(x.fault.type, EVENT_SOFTWARE);
            conclude(exit_reflect(&x, VEC_BP, false, 0));
        }
        at_handler(VEC_GP);
        assert_int_equal(get((uint32_t)c.gpr[RSP], 4), VEC_BP * 8 + 2);
        assert_int_equal(get((uint32_t)c.gpr[RSP] + 4, 4), CODE);
    }
}

/* Time goes on as if RDTSC had not exited. */
static void test_rdtsc(void **state)
{
    uint64_t tsc[2];

    (void)state;
    for (unsigned exits = 0; exits < 2; exits++) {
        start(P0, 0, "90" "0f31");
        cpu.tsc_base = 1000000 - cpu.icount;
        cpu.ops->set_controls(&cpu, &(struct controls){ .rdtsc_exiting = exits });
        if (exits) {
            go(EXIT_RDTSC);
            x.msr.value = cpu.tsc_base + cpu.icount + 1;
            conclude(RETIRE);
        }
        go(EXIT_HLT);
        cpu.ops->get_state(&cpu, ST_GPRS, &c);
        tsc[exits] = c.gpr[RDX] << 32 | c.gpr[RAX];
    }
    assert_int_equal(tsc[0], 1000002);
    assert_int_equal(tsc[1], tsc[0]);
}

/* The exit comes before the guest's own guard over its debug registers. */
static void test_dr_guarded(void **state)
{
    (void)state;
    for (unsigned exits = 0; exits < 2; exits++) {
        start(P0, 0, "0f23c0");
        cpu.ops->get_state(&cpu, ST_DRS, &c);
        c.dr[7] = DR7_INIT | DR7_GD;
        cpu.ops->set_state(&cpu, ST_DRS, &c);
        cpu.ops->set_controls(&cpu, &(struct controls){ .mov_dr_exiting = exits });
        if (exits) {
            go(EXIT_DR_ACCESS);
            conclude(RETIRE);
        }
        at_handler(VEC_DB);
        assert_int_equal(get((uint32_t)c.gpr[RSP], 4), CODE);
        assert_true(c.dr[6] & DR6_BD);
        assert_false(c.dr[7] & DR7_GD);
    }
}

/* Two faults that exited one after the other are a double fault, which exits too. */
static void test_double_fault_exits(void **state)
{
    (void)state;
    start(P0, 0, "0f32");
    ram[IDT + VEC_GP * 8 + 5] &= 0x7f;          /* its gate is not present */
    cpu.ops->set_controls(&cpu, &(struct controls){ .exception_bitmap = ~0u });
    set_reg(RCX, 0x12345);
    go(EXIT_RDMSR);
    conclude(exit_reflect(&x, VEC_GP, true, 0));
    go(EXIT_EXCEPTION);
    assert_int_equal(x.fault.vector, VEC_NP);
    conclude(exit_reflect(&x, VEC_NP, true, x.fault.error));
    go(EXIT_EXCEPTION);
    assert_int_equal(x.fault.vector, VEC_DF);
    conclude(exit_reflect(&x, VEC_DF, true, 0));
    at_handler(VEC_DF);
}

static void test_trap_after_exit(void **state)
{
    (void)state;
    start(P0, 0, "9c810c2400010000" "9d" "0fa2" "90");      /* TF on; cpuid; nop */
    go(EXIT_CPUID);
    conclude(RETIRE);
    at_handler(VEC_DB);
    assert_int_equal(get((uint32_t)c.gpr[RSP], 4), CODE + 11);
    assert_true(c.dr[6] & DR6_BS);
}

static void test_delivery_resumes(void **state)
{
    (void)state;
    start(P0, 0, "0f0b");
    nested_unmap(nested, IDT, PAGE_SIZE);
    cpu.ops->flush_tlb(&cpu);
    go(EXIT_EPT_VIOLATION);
    nested_map(nested, IDT, HMEM_GUEST + IDT, PAGE_SIZE, EPT_RWX);
    conclude(RETRY);
    at_handler(VEC_UD);
    assert_int_equal(get((uint32_t)c.gpr[RSP], 4), CODE);
}

/* A write that exits first hits its data breakpoint once, when it is done. */
static void test_breakpoint_after_exit(void **state)
{
    (void)state;
    start(P0, 0, "c60307" "90");        /* movb $7, (%ebx); nop */
    cpu.ops->get_state(&cpu, ST_DRS, &c);
    c.dr[0] = SCRATCH;
    c.dr[7] = DR7_INIT | 0x10001;
    cpu.ops->set_state(&cpu, ST_DRS, &c);
    nested_unmap(nested, SCRATCH, PAGE_SIZE);
    cpu.ops->flush_tlb(&cpu);
    go(EXIT_EPT_VIOLATION);
    nested_map(nested, SCRATCH, HMEM_GUEST + SCRATCH, PAGE_SIZE, EPT_RWX);
    conclude(RETRY);
    at_handler(VEC_DB);
    assert_int_equal(get((uint32_t)c.gpr[RSP], 4), CODE + 3);
    assert_int_equal(c.dr[6] & 15, 1);
    assert_int_equal(ram[SCRATCH], 7);
}

/* ---- frames ---- */

static void expect_frame(unsigned size, size_t n, const uint64_t *want)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(get((uint32_t)(c.gpr[RSP] + i * size), size), want[i]);
}

static void test_frame_v86(void **state)
{
    static const uint64_t want[] = { 2, CODE >> 4, FLAG_VM | FLAG_IOPL | FLAG_ONE, 0xf000, 0x1000,
                                     0x111, 0x222, 0x333, 0x444 };

    (void)state;
    start(V, SET_IOPL3, "cd30");
    cpu.ops->get_state(&cpu, ST_SEGS, &c);
    c.seg[SEG_ES].sel = 0x111;
    c.seg[SEG_DS].sel = 0x222;
    c.seg[SEG_FS].sel = 0x333;
    c.seg[SEG_GS].sel = 0x444;
    cpu.ops->set_state(&cpu, ST_SEGS, &c);
    at_handler(0x30);
    expect_frame(4, NELEM(want), want);
    assert_int_equal(c.gpr[RSP], TSS0_SP - 36);
    assert_int_equal(c.seg[SEG_GS].sel, 0);
    assert_false(c.seg[SEG_DS].attr & SEG_P);
    assert_false(c.rflags & FLAG_VM);
}

/* INT n with its bit clear in the redirection map stays in V86 mode; the
 * program's IF is VIF, and it sees IOPL 3.  The handler's HLT is then #GP. */
static void test_frame_v86_redirected(void **state)
{
    static const uint64_t want[] = { 2, CODE >> 4, FLAG_IOPL | FLAG_IF | FLAG_ONE };
    uint32_t sp;

    (void)state;
    start(V, SET_VME | SET_VIF, "cd21");
    put(TSS + 0x66, IOMAP + 32, 2);     /* 32 bytes below it: the redirection map */
    ram[TSS + IOMAP + 0x21 / 8] = 0xfd;
    at_handler(VEC_GP);
    assert_int_equal(get((uint32_t)c.gpr[RSP] + 4, 4), 16 * 0x21);      /* EIP and CS of that HLT */
    assert_int_equal(get((uint32_t)c.gpr[RSP] + 8, 4), HANDLERS >> 4);
    assert_false(get((uint32_t)c.gpr[RSP] + 12, 4) & FLAG_VIF);
    sp = 0x10000 + (uint32_t)get((uint32_t)c.gpr[RSP] + 16, 4);
    assert_int_equal(sp, 0x10000 + 0xf000 - 6);
    for (size_t i = 0; i < NELEM(want); i++)
        assert_int_equal(get((uint32_t)(sp + 2 * i), 2), want[i]);
}

static void test_frame_call_gate(void **state)
{
    static const uint64_t want[] = { CODE + 11, 0x1b, 0x22, 0x11, STACK3 - 8, 0x23 };

    (void)state;
    start(P3, 0, "6a116a22" "9a00000000b000");
    at_handler(0x40);
    expect_frame(4, NELEM(want), want);
    assert_int_equal(c.seg[SEG_CS].sel, 8);
    assert_int_equal(c.seg[SEG_SS].sel, 0x10);
}

static void test_frame_long(void **state)
{
    static const uint64_t want[] = { CODE + 4, 0xe8, FLAG_ONE, STACK0 - 8, 0x10 };

    (void)state;
    start(L0, 0, "6a00" "cd30");
    at_handler(0x30);
    assert_int_equal(c.gpr[RSP], STACK0 - 16 - 40);
    expect_frame(8, NELEM(want), want);
}

static void test_frame_long_user(void **state)
{
    static const uint64_t want[] = { CODE + 2, 0xf3, FLAG_ONE, STACK3, 0x23 };

    (void)state;
    start(L3, 0, "cd30");
    at_handler(0x30);
    assert_int_equal(c.gpr[RSP], TSS0_SP - 40);
    expect_frame(8, NELEM(want), want);
    assert_int_equal(c.seg[SEG_SS].sel, 0);
}

/* ---- alignment checks while an event is delivered ---- */

/* Ring 3 code with alignment checks on, and a stack pointer of its own. */
static void start_checked(const char *code, uint64_t rsp)
{
    start(P3, 0, code);
    cpu.ops->get_state(&cpu, ST_ALL, &c);
    c.cr0 |= CR0_AM;
    c.rflags |= FLAG_AC;
    c.gpr[RSP] = rsp;
    cpu.ops->set_state(&cpu, ST_ALL, &c);
}

/* Only ring 3 is checked: what is pushed onto the stack of ring 0 is ring 0's, although it is
 * pushed while the CPU is still on its way from ring 3.
 * [SDM 3A "Interrupt 17-Alignment Check Exception (#AC)"] */
static void test_inner_stack_is_not_checked(void **state)
{
    static const uint64_t want[] = { CODE + 2, 0x1b, FLAG_ONE | FLAG_AC, STACK3, 0x23 };

    (void)state;
    start_checked("cd30", STACK3);
    put(TSS + 4, TSS0_SP + 2, 4);
    at_handler(0x30);
    assert_int_equal(c.gpr[RSP], TSS0_SP + 2 - 20);
    expect_frame(4, NELEM(want), want);
}

/* The same for the words that a call gate copies to that stack. */
static void test_call_gate_stack_is_not_checked(void **state)
{
    (void)state;
    start_checked("6a116a22" "9a00000000b000", STACK3);
    put(TSS + 4, TSS0_SP + 2, 4);
    at_handler(0x40);
    assert_int_equal(c.seg[SEG_CS].sel, 8);
}

/* An unaligned push of ring 3 raises #AC as ever... */
static void test_outer_stack_is_checked(void **state)
{
    (void)state;
    start_checked("50", STACK3 + 2);
    at_handler(VEC_AC);
    assert_int_equal(get((uint32_t)c.gpr[RSP] + 4, 4), CODE);
}

/* ... and if its handler is ring 3's too, on that same stack, delivering it raises the next: the
 * machine stops (see is_endless() in deliver.c). */
static void test_endless_alignment_check(void **state)
{
    (void)state;
    start_checked("50", STACK3 + 2);
    gate(false, VEC_AC, 0x1b, 0xee, 0);
    go(EXIT_TRIPLE_FAULT);
}

/* The same by a detour: #AC has no handler, which is #GP, whose handler has the unaligned stack. */
static void test_endless_alignment_check_by_detour(void **state)
{
    (void)state;
    start_checked("8b4301", STACK3 - 1);        /* movl 1(%ebx), %eax: #AC, then #GP, #AC, ... */
    gate(false, VEC_AC, 8, 0, 0);
    gate(false, VEC_GP, 0x1b, 0xee, 0);
    go(EXIT_TRIPLE_FAULT);
}

/* On a stack that is aligned the same handler is entered; its HLT is not ring 3's to execute. */
static void test_alignment_check_within_ring_3(void **state)
{
    (void)state;
    start_checked("8b4301", STACK3);            /* mov eax, [ebx+1] */
    set_reg(RBX, SCRATCH);
    gate(false, VEC_AC, 0x1b, 0xee, 0);
    at_handler(VEC_GP);
    assert_int_equal(get((uint32_t)c.gpr[RSP] + 4, 4), handler(VEC_AC));
    assert_int_equal(get(STACK3 - 12, 4), CODE);
}

/* ---- tasks ---- */

static unsigned tss_type(unsigned sel)
{
    return ram[GDT + sel + 5] & 15;
}

static void test_task_call_and_return(void **state)
{
    (void)state;
    start(P0, 0, "9a000000007800" "b807000000");
    put(handler(0x41), 0xf4cf, 2);              /* iret; hlt */
    go(EXIT_HLT);
    cpu.ops->get_state(&cpu, ST_ALL, &c);
    assert_int_equal(c.rip, CODE + 12);
    assert_int_equal(c.gpr[RAX], 7);
    assert_int_equal(c.gpr[RSP], STACK0);
    assert_int_equal(c.seg[SEG_TR].sel, 0x28);
    assert_int_equal(get(TSS2, 2), 0x28);               /* the link */
    assert_int_equal(tss_type(0x28), 11);
    assert_int_equal(tss_type(0x78), 9);
    assert_false(c.rflags & FLAG_NT);
    assert_false(get(TSS2 + 0x24, 4) & FLAG_NT);        /* saved without NT */
    assert_true(c.cr0 & CR0_TS);
}

static void test_task_jump(void **state)
{
    (void)state;
    start(P0, 0, "ea000000007800");
    at_handler(0x41);
    assert_int_equal(c.seg[SEG_TR].sel, 0x78);
    assert_int_equal(tss_type(0x28), 9);
    assert_int_equal(tss_type(0x78), 11);
    assert_false(c.rflags & FLAG_NT);
    assert_int_equal(get(TSS + 0x20, 4), CODE + 7);
    assert_int_equal(get(TSS + 0x4c, 2), 8);
    assert_int_equal(c.gpr[RSP], STACK2);
}

/* A double fault through a task gate pushes its error code on the new task's stack. */
static void test_task_error_code(void **state)
{
    (void)state;
    start(P0, SET_NO_GP, "9a00000000d801");             /* beyond the GDT */
    gate(false, VEC_DF, 0x78, 0x85, 0);
    at_handler(0x41);
    assert_int_equal(c.gpr[RSP], STACK2 - 4);
    assert_int_equal(get(STACK2 - 4, 4), 0);
    assert_int_equal(get(TSS + 0x20, 4), CODE);
    assert_true(c.rflags & FLAG_NT);
}

static void test_task_trap_bit(void **state)
{
    (void)state;
    start(P0, 0, "ea000000007800");
    put(TSS2 + 0x64, 1, 2);
    at_handler(VEC_DB);
    assert_true(c.dr[6] & DR6_BT);
    assert_int_equal(get((uint32_t)c.gpr[RSP], 4), handler(0x41));
}

/* ---- what comes first ---- */

static void set_flags(uint64_t flags)
{
    cpu.ops->get_state(&cpu, ST_GPRS, &c);
    c.rflags |= flags;
    cpu.ops->set_state(&cpu, ST_GPRS, &c);
}

/* As the handler's IRET would, but for the flags. */
static void back_from_handler(void)
{
    cpu.ops->get_state(&cpu, ST_ALL, &c);
    c.rip = get((uint32_t)c.gpr[RSP], 4);
    c.gpr[RSP] += 12;
    cpu.ops->set_state(&cpu, ST_ALL, &c);
}

/* DR0 of the guest, switched on; `kind` are the bits R/W and LEN of DR7. */
static void set_breakpoint(uint64_t at, unsigned kind)
{
    cpu.ops->get_state(&cpu, ST_DRS, &c);
    c.dr[0] = at;
    c.dr[7] = DR7_INIT | 1 | kind << 16;
    cpu.ops->set_state(&cpu, ST_DRS, &c);
}

/* A reflected exception goes in before an interrupt, and there is room for one. */
static void test_no_irq_with_reflected(void **state)
{
    const struct event irq = { .type = EVENT_IRQ, .vector = 0x20 };

    (void)state;
    start(P0, 0, "0f32");               /* rdmsr */
    set_flags(FLAG_IF);
    set_reg(RCX, 0x999);
    go(EXIT_RDMSR);
    assert_true(cpu.irq_ready);
    exit_reflect(&x, VEC_GP, true, 0);
    conclude(REFLECT);
    assert_false(cpu.irq_ready);
    assert_int_not_equal(cpu.ops->inject(&cpu, &irq), 0);
    at_handler(VEC_GP);
}

/* "Traps on the previous instruction" come before "external interrupts". */
static void test_no_irq_before_trap(void **state)
{
    (void)state;
    start(P0, 0, "e642");               /* out %al, $0x42 */
    set_flags(FLAG_IF | FLAG_TF);
    go(EXIT_IO);
    conclude(RETIRE);
    assert_false(cpu.irq_ready);
    at_handler(VEC_DB);
}

/* INT n clears TF on its way: its handler is not trapped at its first instruction. */
static void test_int_is_not_stepped(void **state)
{
    static const struct { const char *code; unsigned vector; } ints[] = {
        { "cd30", 0x30 }, { "cc", VEC_BP }, { "ce", VEC_OF },
    };

    (void)state;
    for (size_t i = 0; i < NELEM(ints); i++) {
        start(P0, 0, ints[i].code);
        set_flags(FLAG_TF | FLAG_OF);
        at_handler(ints[i].vector);
    }
    start(P0, 0, "ce");                 /* INTO that does nothing is like any other */
    set_flags(FLAG_TF);
    at_handler(VEC_DB);
}

/* The guest's breakpoints on ports: a trap after IN, OUT, INS or OUTS whose port has a byte in
 * common with the breakpoint, once for each element; with CR4.DE only.  With them the ones on
 * data that INS and OUTS meet.  [SDM 3B "Data Memory and I/O Breakpoint Exception Conditions"] */
enum { WRITES = 1, PORTS = 2, DATA = 3, LEN2 = 4, LEN4 = 12 };

static const struct { const char *what, *code; int setup; uint64_t at; unsigned kind, ip; } met[] = {
    { "in %dx, %al",                "ec" "90",   SET_DE, 0x3f8, PORTS, 1 },
    { "out %al, %dx",               "ee" "90",   SET_DE, 0x3f8, PORTS, 1 },
    { "in $0x42, %al",              "e442" "90", SET_DE, 0x42,  PORTS, 2 },
    { "insb",                       "6c" "90",   SET_DE, 0x3f8, PORTS, 1 },
    { "outsb",                      "6e" "90",   SET_DE, 0x3f8, PORTS, 1 },
    { "rep outsb, first element",   "f36e" "90", SET_DE, 0x3f8, PORTS, 0 },
    { "out %eax, %dx: third byte",  "ef" "90",   SET_DE, 0x3fa, PORTS, 1 },
    { "in %dx, %al: of a word",     "ec" "90",   SET_DE, 0x3f9, PORTS | LEN2, 1 },
    { "in %dx, %al: of four",       "ec" "90",   SET_DE, 0x3fb, PORTS | LEN4, 1 },
    { "the port below",             "ec" "90",   SET_DE, 0x3f7, PORTS, 0 },
    { "the port above",             "ec" "90",   SET_DE, 0x3f9, PORTS, 0 },
    { "DR0 has no 16-bit port",     "ec" "90",   SET_DE, 0x103f8, PORTS, 0 },
    { "without DE",                 "ec" "90",   0,      0x3f8, PORTS, 0 },
    { "memory is no port",          "8803" "90", SET_DE, SCRATCH, PORTS, 0 },
    { "a port is no memory",        "ec" "90",   SET_DE, 0x3f8, DATA, 0 },
    { "insb stores",                "6c" "90",   0,      SCRATCH + 1, WRITES, 1 },
    { "outsb loads",                "6e" "90",   0,      SCRATCH, DATA, 1 },
    { "outsb does not store",       "6e" "90",   0,      SCRATCH, WRITES, 0 },
};

static void test_port_breakpoints(void **state)
{
    (void)state;
    for (size_t i = 0; i < NELEM(met); i++) {
        bool rep = met[i].code[0] == 'f', trap = met[i].ip || rep;

        start(P0, met[i].setup, met[i].code);
        set_reg(RSI, SCRATCH);
        set_reg(RDI, SCRATCH + 1);
        set_reg(RCX, 2);
        set_breakpoint(met[i].at, met[i].kind);
        cpu.ops->run(&cpu, 100, &x);
        if (x.reason == EXIT_IO) {
            conclude(RETIRE);
            go(EXIT_HLT);
        }
        cpu.ops->get_state(&cpu, ST_ALL, &c);
        if (c.dr[6] != (DR6_INIT | trap) || (c.rip == handler(VEC_DB)) != trap ||
            (trap && get((uint32_t)c.gpr[RSP], 4) != CODE + met[i].ip))
            fail_msg("%s: DR6 0x%lx, RIP 0x%lx", met[i].what, (unsigned long)c.dr[6],
                     (unsigned long)c.rip);
    }
}

/* The monitor sees the #DB that it intercepts with the same bits; then the store that INS could
 * not make at once counts as well. */
static void test_port_breakpoint_late(void **state)
{
    (void)state;
    start(P0, SET_DE, "6c" "90");       /* insb */
    set_reg(RDI, SCRATCH);
    set_breakpoint(0x3f8, PORTS);
    cpu.ops->set_controls(&cpu, &(struct controls){ .exception_bitmap = 1u << VEC_DB });
    go(EXIT_IO);
    nested_unmap(nested, SCRATCH, PAGE_SIZE);
    cpu.ops->flush_tlb(&cpu);
    conclude(RETIRE);
    assert_int_equal(c.rip, CODE);
    go(EXIT_EPT_VIOLATION);
    nested_map(nested, SCRATCH, HMEM_GUEST + SCRATCH, PAGE_SIZE, EPT_RWX);
    conclude(RETRY);
    go(EXIT_EXCEPTION);
    assert_int_equal(x.fault.vector, VEC_DB);
    assert_int_equal(x.fault.gla & 15, 1);
    assert_int_equal(x.rip, CODE + 1);
}

/* A load of SS under TF makes no trap: what follows does, or nothing if it is INT n.  Nor does the
 * #DB of INT1 then find BS in DR6.  [SDM 3A "Masking Exceptions and Interrupts When Switching
 * Stacks"] */
static void test_loaded_stack_is_not_stepped(void **state)
{
    static const struct { const char *what, *code; unsigned vector, ip; bool bs; } steps[] = {
        { "popf; mov %eax, %ss; int1", "8cd0" "9d" "8ed0" "f1",   VEC_DB, 6, false },
        { "popf; mov %eax, %ss; nop",  "8cd0" "9d" "8ed0" "9090", VEC_DB, 6, true },
        { "popf; pop %ss; nop",        "90"   "9d" "17" "9090",   VEC_DB, 4, true },
        { "popf; mov %eax, %ss; int",  "8cd0" "9d" "8ed0" "cd30", 0x30,   7, false },
        { "popf; mov %eax, %ss; int3", "8cd0" "9d" "8ed0" "cc",   VEC_BP, 6, false },
        { "popf; mov %eax, %ds; nop",  "8cd0" "9d" "8ed8" "9090", VEC_DB, 5, true },
    };

    (void)state;
    for (size_t i = 0; i < NELEM(steps); i++) {
        start(P0, 0, steps[i].code);
        put(STACK0, FLAG_TF | FLAG_ONE, 4);
        put(STACK0 + 4, 0x10, 4);
        go(EXIT_HLT);
        cpu.ops->get_state(&cpu, ST_ALL, &c);
        if (c.rip != handler(steps[i].vector) || !(c.dr[6] & DR6_BS) == steps[i].bs ||
            get((uint32_t)c.gpr[RSP], 4) != CODE + steps[i].ip)
            fail_msg("%s: DR6 0x%lx, RIP 0x%lx, from 0x%lx", steps[i].what,
                     (unsigned long)c.dr[6], (unsigned long)c.rip,
                     (unsigned long)get((uint32_t)c.gpr[RSP], 4));
    }
}

/* A breakpoint on what MOV SS reads is told of behind the next instruction.
 * [SDM 3A "Masking Exceptions and Interrupts When Switching Stacks"] */
static void test_breakpoint_waits_for_stack(void **state)
{
    (void)state;
    start(P0, 0, "8e13" "9090");        /* mov (%ebx), %ss */
    put(SCRATCH, 0x10, 2);
    set_breakpoint(SCRATCH, DATA);
    at_handler(VEC_DB);
    assert_int_equal(get((uint32_t)c.gpr[RSP], 4), CODE + 3);
    assert_int_equal(c.dr[6], DR6_INIT | 1);
}

/* ---- nothing is left half done ---- */

/* How many bytes from `at` on are not `filler`? */
static unsigned changed(uint32_t at, unsigned n, uint8_t filler)
{
    unsigned count = 0;

    for (unsigned i = 0; i < n; i++)
        count += ram[at + i] != filler;
    return count;
}

/* In real mode the frame of #GP lies right below SP, 6 bytes of it; from V86 it lies elsewhere. */
static void test_pusha_at_odd_sp(void **state)
{
    static const char *const codes[] = { "60", "6660" };

    (void)state;
    for (unsigned i = 0; i < 2 * NELEM(codes); i++) {
        enum mode mode = i & 1 ? V : R;
        for (unsigned sp = 7; sp <= 15; sp += 2) {
            unsigned frame = mode == R ? 6 : 0;

            start(mode, 0, codes[i / 2]);
            memset(ram + 0x10000, 0xa5, 0x10000);
            set_reg(RSP, sp);
            at_handler(VEC_GP);
            assert_int_equal(changed(0x10000, sp - frame, 0xa5), 0);
            assert_int_equal(changed(0x10000 + sp, 0x10000 - sp, 0xa5), 0);
            assert_int_equal(get((uint32_t)(c.gpr[RSP] + (mode == R ? 0x10000 : 4)), 2), 0);
        }
    }
    for (unsigned sp = 1; sp <= 5; sp += 2) {
        start(R, 0, "60");
        set_reg(RSP, sp);
        go(EXIT_TRIPLE_FAULT);
    }
    for (unsigned sp = 6; sp <= 18; sp += 2) {
        start(R, 0, "60");
        set_reg(RSP, sp);
        go(EXIT_HLT);
        assert_int_equal(x.rip, 1);
    }
}

/* 64-bit code; page tables of 4 KiB pages, of which one is absent. */
static void start_with_hole(const char *code, uint32_t hole)
{
    const uint32_t table = TABLES + 0x3000;

    start(L0, 0, code);
    for (unsigned i = 0; i < RAM / PAGE_SIZE; i++)
        put(table + 8 * i, (uint64_t)i * PAGE_SIZE | 3, 8);
    put(table + hole / PAGE_SIZE * 8, 0, 8);
    put(TABLES + 0x2000, table | 7, 8);
    cpu.ops->flush_tlb(&cpu);
}

/* Stores of more than one word into a range that ends in a page that is absent. */
static void test_no_half_image(void **state)
{
    static const struct { const char *what, *code; unsigned bytes, below; } images[] = {
        { "fxsave (%rbx)",       "0fae03",   512, 256 }, { "fxsave64 (%rbx)", "480fae03", 512, 16 },
        { "fnsave (%rbx)",       "dd33",     108, 30 },  { "data16 fnsave",   "66dd33",   94, 20 },
        { "fnstenv (%rbx)",      "d933",     28, 8 },    { "fstpt (%rbx)",    "db3b",     10, 8 },
        { "sidt (%rbx)",         "0f010b",   10, 2 },    { "movups",          "0f1103",   16, 8 },
    };
    const uint32_t hole = SCRATCH + PAGE_SIZE;

    (void)state;
    for (size_t i = 0; i < NELEM(images); i++) {
        start_with_hole(images[i].code, hole);
        memset(ram + SCRATCH, 0xa5, 2 * PAGE_SIZE);
        cpu.ops->get_state(&cpu, ST_ALL, &c);
        c.cr4 |= CR4_OSFXSR;
        memcpy(c.fpu, (uint16_t[]){ 0x37f }, 2);       /* FCW: all exceptions masked */
        c.gpr[RBX] = hole - images[i].below;
        cpu.ops->set_state(&cpu, ST_ALL, &c);
        at_handler(VEC_PF);
        if (c.cr2 != hole || changed(SCRATCH, 2 * PAGE_SIZE, 0xa5))
            fail_msg("%s: CR2 0x%lx, %u bytes changed", images[i].what, (unsigned long)c.cr2,
                     changed(SCRATCH, 2 * PAGE_SIZE, 0xa5));
    }
}

/* The same around the end of the address space: the range goes on at address 0. */
static void test_no_half_image_at_the_end(void **state)
{
    const uint32_t tables = 0x3e000;    /* for the last 2 MiB below 2^64 */

    (void)state;
    start_with_hole("0fae03", 0);       /* fxsave (%rbx) */
    memset(ram + SCRATCH, 0xa5, PAGE_SIZE);
    put(TABLES + 511 * 8, (tables - 0x1000) | 7, 8);
    put(tables - 0x1000 + 511 * 8, tables | 7, 8);
    put(tables + 511 * 8, (tables + 0x1000) | 7, 8);
    put(tables + 0x1000 + 511 * 8, SCRATCH | 7, 8);
    set_reg(RBX, (uint64_t)-256);
    at_handler(VEC_PF);
    assert_int_equal(c.cr2, 0);
    assert_int_equal(changed(SCRATCH, PAGE_SIZE, 0xa5), 0);
}

/* With alignment checks FSAVE and FRSTOR ask for 4 bytes, or 2, and not for more in the middle;
 * INS asks before the device is.  [SDM 3A "Alignment Check Exception (#AC)"], tried on silicon */
static void test_alignment(void **state)
{
    static const struct { const char *what, *code; unsigned off; bool ac; } aligned[] = {
        { "fnsave (%ebx)",  "dd33", 4, false },   { "fnsave (%ebx)",  "dd33", 2, true },
        { "frstor (%ebx)",  "dd23", 4, false },   { "frstor (%ebx)",  "dd23", 2, true },
        { "data16 fnsave",  "66dd33", 2, false }, { "data16 fnsave",  "66dd33", 1, true },
        { "data16 frstor",  "66dd23", 2, false }, { "fstpt (%ebx)",   "db3b", 8, false },
        { "fstpt (%ebx)",   "db3b", 4, true },    { "insl",           "6d", 2, true },
        { "sidt (%ebx)",    "0f010b", 4, true },
    };

    (void)state;
    for (size_t i = 0; i < NELEM(aligned); i++) {
        start(P3, SET_IOPL3, aligned[i].code);
        memset(ram + SCRATCH, 0xa5, 256);
        cpu.ops->get_state(&cpu, ST_ALL, &c);
        c.cr0 |= CR0_AM;
        memcpy(c.fpu, (uint16_t[]){ 0x37f }, 2);       /* FCW: all exceptions masked */
        c.rflags |= FLAG_AC;
        c.gpr[RBX] = c.gpr[RDI] = SCRATCH + aligned[i].off;
        cpu.ops->set_state(&cpu, ST_ALL, &c);
        cpu.ops->run(&cpu, 100, &x);
        cpu.ops->get_state(&cpu, ST_ALL, &c);
        bool ac = x.reason == EXIT_HLT && c.rip == handler(VEC_AC);
        if (ac != aligned[i].ac || (ac && changed(SCRATCH, 256, 0xa5)))
            fail_msg("%s at %u: at 0x%lx, %u bytes changed", aligned[i].what, aligned[i].off,
                     (unsigned long)c.rip, changed(SCRATCH, 256, 0xa5));
    }
}

/* Under TF each element of REP INS and REP OUTS is one trap, and the last one's comes behind
 * the instruction, as with REP MOVS.  [SDM 2B "REP/REPE/REPZ/REPNE/REPNZ"] */
static void test_rep_is_stepped(void **state)
{
    static const struct { const char *code; bool port; } strings[] = {
        { "f36c" "90", true }, { "f36e" "90", true }, { "f3a4" "90", false },
    };

    (void)state;
    for (size_t i = 0; i < NELEM(strings); i++) {
        start(P0, 0, strings[i].code);
        set_reg(RSI, SCRATCH);
        set_reg(RDI, SCRATCH + 0x100);
        set_reg(RCX, 2);
        for (unsigned left = 2; left--;) {
            set_flags(FLAG_TF);
            if (strings[i].port) {
                go(EXIT_IO);
                conclude(RETIRE);
            }
            at_handler(VEC_DB);
            assert_int_equal(c.gpr[RCX], left);
            assert_int_equal(get((uint32_t)c.gpr[RSP], 4), left ? CODE : CODE + 2);
            back_from_handler();
        }
    }
}

/* A breakpoint on REP OUTS is met once, not before each element: RF is set in what the trap
 * between two of them saves.  [SDM 3B "Instruction-Breakpoint Exception Condition"] */
static void test_breakpoint_on_rep(void **state)
{
    (void)state;
    start(P0, 0, "f36e" "90");          /* rep outsb */
    set_reg(RCX, 2);
    set_breakpoint(CODE, 0);
    at_handler(VEC_DB);
    assert_int_equal(c.gpr[RCX], 2);
    back_from_handler();
    set_flags(FLAG_RF);
    for (unsigned left = 2; left--;) {
        go(EXIT_IO);
        conclude(RETIRE);
        assert_int_equal(c.gpr[RCX], left);
        assert_true(c.rflags & FLAG_RF);
    }
    go(EXIT_HLT);
    cpu.ops->get_state(&cpu, ST_GPRS, &c);
    assert_false(c.rflags & FLAG_RF);
}

/* jmp 1f; movb $0x31, 1f+1(%rip); 1: .byte 0x0f, 0x04.  Undefined, until its second
 * byte makes it RDTSC. */
static void test_undefined_is_patched(void **state)
{
    (void)state;
    start(P0, 0, "eb07" "c6050a40000031" "0f04");
    at_handler(VEC_UD);
    c.rip = CODE + 2;
    cpu.ops->set_state(&cpu, ST_GPRS, &c);
    go(EXIT_HLT);
    assert_int_equal(x.rip, CODE + 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpuid), cmocka_unit_test(test_in_merges),
        cmocka_unit_test(test_out), cmocka_unit_test(test_rep_ins), cmocka_unit_test(test_outs),
        cmocka_unit_test(test_late_input), cmocka_unit_test(test_ept_misconfig),
        cmocka_unit_test(test_fill_is_seen), cmocka_unit_test(test_hlt_and_shadow),
        cmocka_unit_test(test_vmcall), cmocka_unit_test(test_reflect),
        cmocka_unit_test(test_cr_access), cmocka_unit_test(test_int3_intercepted),
        cmocka_unit_test(test_int3_not_allowed), cmocka_unit_test(test_rdtsc),
        cmocka_unit_test(test_dr_guarded), cmocka_unit_test(test_double_fault_exits),
        cmocka_unit_test(test_trap_after_exit), cmocka_unit_test(test_delivery_resumes),
        cmocka_unit_test(test_breakpoint_after_exit),
        cmocka_unit_test(test_frame_v86), cmocka_unit_test(test_frame_v86_redirected),
        cmocka_unit_test(test_frame_call_gate), cmocka_unit_test(test_frame_long),
        cmocka_unit_test(test_frame_long_user),
        cmocka_unit_test(test_inner_stack_is_not_checked),
        cmocka_unit_test(test_call_gate_stack_is_not_checked),
        cmocka_unit_test(test_outer_stack_is_checked),
        cmocka_unit_test(test_endless_alignment_check),
        cmocka_unit_test(test_endless_alignment_check_by_detour),
        cmocka_unit_test(test_alignment_check_within_ring_3),
        cmocka_unit_test(test_task_call_and_return),
        cmocka_unit_test(test_task_jump), cmocka_unit_test(test_task_error_code),
        cmocka_unit_test(test_task_trap_bit),
        cmocka_unit_test(test_no_irq_with_reflected), cmocka_unit_test(test_no_irq_before_trap),
        cmocka_unit_test(test_int_is_not_stepped), cmocka_unit_test(test_rep_is_stepped),
        cmocka_unit_test(test_breakpoint_on_rep), cmocka_unit_test(test_port_breakpoints),
        cmocka_unit_test(test_port_breakpoint_late),
        cmocka_unit_test(test_loaded_stack_is_not_stepped),
        cmocka_unit_test(test_breakpoint_waits_for_stack),
        cmocka_unit_test(test_pusha_at_odd_sp), cmocka_unit_test(test_no_half_image),
        cmocka_unit_test(test_no_half_image_at_the_end), cmocka_unit_test(test_alignment),
        cmocka_unit_test(test_undefined_is_patched),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
