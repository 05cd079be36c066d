/*
 * test_refusal.c -- why an instruction was refused: each row of REFUSAL_LIST has a program.
 *
 * There is no IDT, so every exception ends in a triple fault, and the engine's account of that
 * (cpu/delivery.h) says why the first one was raised.
 *
 *   run one:  build/tests/test_refusal, and look for its name
 */
#include "soft_board.h"

#include "cpu/delivery.h"

/* Bits that are set in control registers and flags before the program begins. */
struct row {
    struct program p;
    enum obstacle  cause;
    int64_t        at;          /* or ANY */
    uint64_t       cr0, cr4, flags;
    bool           lme;         /* EFER.LME */
};

#define PAGING      "0f20c0" "0d00000080" "0f22c0"      /* or $CR0_PG into CR0 */
/* All exceptions unmasked; 1.0 into XMM0, 0.0 into XMM1. */
#define DIVSS_BY_0  "c70300000000" "0fae13" "c7030000803f" "f30f1003" "0f57c9" "f30f5ec1"
#define IN(seg, off) ((int64_t)(seg) << 32 | (off))

/* Name, mode, what soft_board.h shall set up, code; why it is refused, and the number of it; what
 * else is set. */
#define ROW_WITH(name, mode, setup, code, why, number, ...) \
    { { name, mode, setup, code }, .cause = OBSTACLE_##why, .at = number, __VA_ARGS__ },
#define ROW(name, mode, setup, code, why, number) \
    { { name, mode, setup, code }, .cause = OBSTACLE_##why, .at = number },

static const struct row rows[] = {
    /* who may */
    ROW("LGDT in ring 3", P3, 0, "0f0113", RING0, 3)
    ROW("HLT in ring 3 of long mode", L3, 0, "f4", RING0, 3)
    ROW("CLI in ring 3", P3, 0, "fa", IOPL, 0)
    ROW("IN in ring 3", P3, 0, "ec", PORT, 0x3f8)
    ROW("PUSHF in V86", V, 0, "9c", V86_IOPL, 0)
    ROW("POPF sets TF under VME", V, SET_VME, "680001" "9d", V86_FLAGS, 0x100)
    ROW("SGDT under UMIP", P3, SET_UMIP, "0f0103", UMIP, 3)
    ROW("RDTSC under TSD", P3, SET_TSD, "0f31", TSD, 3)
    /* what exists */
    ROW("UD2", P0, 0, "0f0b", UD2, ANY)
    ROW("no instruction", P0, 0, "ffff", NO_INSN, ANY)
    ROW("16 bytes", P0, 0, "666666666666666666666666666666" "90", INSN_LENGTH, ANY)
    ROW("LLDT in real mode", R, 0, "0f00d0", INSN_MODE, ANY)
    ROW("MOV to CR5", P0, 0, "0f22e8", NO_INSN, ANY)
    ROW("MOV to DR4 with DE", P0, SET_DE, "0f23e0", REGISTER, 4)
    ROW("SYSCALL without SCE", L0, 0, "0f05", SYSCALL_OFF, ANY)
    ROW("SYSENTER without MSR", P0, 0, "0f34", SYSENTER_CS, 0)
    ROW("RDFSBASE, not enabled", L0, 0, "f30faec0", FSGSBASE_OFF, ANY)
    ROW("CLAC in ring 3", P3, 0, "0f01ca", SMAP_NONE, 3)
    ROW("RDPMC", P0, 0, "0f33", COUNTER, 0)
    /* SSE and FPU */
    ROW("MOVAPS without OSFXSR", P0, 0, "0f28c1", SSE_OFF, 0)
    ROW_WITH("MOVAPS with EM", P0, 0, "0f28c1", SSE_EMULATED, ANY, .cr0 = CR0_EM, .cr4 = CR4_OSFXSR)
    ROW_WITH("FLD1 with EM", P0, 0, "d9e8", FPU_EMULATED, ANY, .cr0 = CR0_EM)
    ROW_WITH("FLD1 with TS", P0, 0, "d9e8", FPU_SWITCHED, ANY, .cr0 = CR0_TS)
    ROW_WITH("FLD1 after 1 / 0", P0, 0, "c70300000000" "d92b" "d9e8" "d9ee" "def9" "d9e8",
             FPU_PENDING, ANY, .cr0 = CR0_NE)
    ROW_WITH("DIVSS by 0", P0, 0,
             DIVSS_BY_0, SIMD, ANY, .cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT)
    ROW_WITH("DIVSS by 0, #XM unknown", P0, 0,
             DIVSS_BY_0, SIMD_UNKNOWN, ANY, .cr4 = CR4_OSFXSR)
    ROW_WITH("LDMXCSR of ones", P0, 0, "c703ffffffff" "0fae13", MXCSR_RESERVED, 0xffffffff,
             .cr4 = CR4_OSFXSR)
    ROW_WITH("MOVAPS, odd address", P0, 0, "0f284301", OPERAND_16, SCRATCH + 1, .cr4 = CR4_OSFXSR)
    /* numbers */
    ROW("DIV by 0", P0, 0, "31c9" "f7f1", DIVIDE_ZERO, ANY)
    ROW("IDIV by 0", L0, 0, "31c9" "48f7f9", DIVIDE_ZERO, ANY)
    ROW("DIV, EDX not cleared", P0, 0, "b901000000" "ba05000000" "f7f1", DIVIDE_RANGE, ANY)
    ROW("BOUND", P0, 0, "c70300000000" "c7430400000000" "b805000000" "6203", BOUND, 5)
    /* addresses */
    ROW_WITH("unaligned, with AC", P3, 0, "8b4301", UNALIGNED, SCRATCH + 1, .cr0 = CR0_AM,
             .flags = FLAG_AC)
    ROW("not canonical", L0, 0, "48b80000000000800000" "8b00", CANONICAL, INT64_C(0x800000000000))
    ROW("JMP to no canonical address", L0, 0, "48b80000000000800000" "ffe0", CANONICAL,
        INT64_C(0x800000000000))
    ROW("DS is null", P0, 0, "31c0" "8ed8" "8b03", SEG_NULL, IN(SEG_DS, SCRATCH))
    ROW("write to CS", P0, 0, "2e8903", SEG_WRITE, IN(SEG_CS, SCRATCH))
    ROW("read of execute-only code", P0, 0, "ea074000006000" "2e8b03", SEG_READ, IN(SEG_CS,
        SCRATCH))
    ROW("beyond 64 KiB in real mode", R, 0, "678b8300000100", SEG_LIMIT, IN(SEG_DS, 0x1c000))
    ROW("JMP beyond CS", R, 0, "66e900000100", BRANCH_LIMIT, 0x10006)
    ROW("code runs beyond CS", R, 0, "e9fbff", CODE_LIMIT_HIT, 0x10000)
    ROW("PUSHA with SP = 7", R, 0, "bc0700" "60", SP_ODD, 7)
    /* selectors */
    ROW("LTR of null", P0, 0, "31c0" "0f00d8", SEL_NULL, 0)
    ROW("MOV SS of null", P0, 0, "31c0" "8ed0", SEL_NULL, 0)
    ROW("DS beyond the GDT", P0, 0, "b8d0010000" "8ed8", SEL_LIMIT, 0x1d0)
    ROW("JMP beyond the GDT", P0, 0, "ea00000000d001", SEL_LIMIT, 0x1d0)
    ROW("SS of code", P0, 0, "b808000000" "8ed0", SEL_SS, 8)
    ROW("DS of execute-only code", P0, 0, "b860000000" "8ed8", SEL_DATA, 0x60)
    ROW("JMP to data", P0, 0, "ea00400000" "1000", SEL_CODE, 0x10)
    ROW("RETF to data", P0, 0, "6a10" "6a00" "cb", SEL_RETURN, 0x10)
    ROW("a gate of ring 0", P3, 0, "ea00000000" "7000", SEL_GATE, 0x70)
    ROW("JMP to an LDT", P0, 0, "ea00000000" "3000", SEL_SYSTEM, 0x30)
    ROW("LLDT of data", P0, 0, "b810000000" "0f00d0", SEL_LDT, 0x10)
    ROW("LTR of a busy TSS", P0, 0, "b828000000" "0f00d8", SEL_TSS, 0x28)
    ROW("LTR of one in the LDT", P0, 0, "b82c000000" "0f00d8", SEL_TSS, 0x2c)
    ROW("LLDT of one in the LDT", P0, 0, "b8fcff0000" "0f00d0", SEL_LDT, 0xfffc)
    ROW("DS not present", P0, 0, "b850000000" "8ed8", SEL_ABSENT, 0x50)
    /* tasks */
    ROW("JMP out of a short TSS", P0, 0, "b8c0000000" "0f00d8" "ea00000000" "7800", TASK_LIMIT,
        0xc0)
    ROW("IRET with NT, no link", P0, 0, "9c" "810c2400400000" "9d" "cf", TASK_LINK, 0)
    ROW("IRET with NT in long mode", L0, 0, "9c" "810c2400400000" "9d" "48cf", TASK_LONG, ANY)
    /* control registers */
    ROW("CR0, bit 40", L0, 0, "48b80000000000010000" "0f22c0", CR0_UPPER, INT64_C(0x10000000000))
    ROW("PG without PE", R, 0, "66b800000080" "0f22c0", PG_WITHOUT_PE, ANY)
    ROW("NW without CD", P0, 0, "b811000020" "0f22c0", NW_WITHOUT_CD, ANY)
    ROW_WITH("long mode without PAE", P0, 0, PAGING, LONG_PAE, 0, .lme = true)
    ROW_WITH("long mode from CS.L", P0, 0, "ea07400000e800" "0f20c0" "660d00000080" "0f22c0",
             LONG_CS, ANY, .cr4 = CR4_PAE, .lme = true)
    ROW_WITH("long mode with a 16-bit TSS", P0, 0, "b890000000" "0f00d8" PAGING, LONG_TSS, 0x90,
             .cr4 = CR4_PAE, .lme = true)
    ROW("paging off in 64-bit code", L0, 0, "0f20c0" "25ffffff7f" "0f22c0", LONG_LEAVE, ANY)
    ROW_WITH("a PDPTE with R/W", P0, 0, "c70307000000" "0f22db" PAGING, PDPTE, 7, .cr4 = CR4_PAE)
    ROW_WITH("CR3 outside of RAM", P0, 0, "bb00000800" "0f22db" PAGING, PDPTE_NONE, 0x80000,
             .cr4 = CR4_PAE)
    ROW("CR3, bit 62", L0, 0, "48b80000000000000040" "0f22d8", CR3_UPPER, ANY)
    ROW("CR4, bit 23", P0, 0, "b800008000" "0f22e0", CR4_RESERVED, 0x800000)
    ROW("PAE off in long mode", L0, 0, "31c0" "0f22e0", LONG_KEEPS_PAE, 0)
    ROW("CR8, bit 4", L0, 0, "b810000000" "440f22c0", CR8_RESERVED, 0x10)
    ROW("DR7, bit 40", L0, 0, "48b80000000000010000" "0f23f8", DR_UPPER, ANY)
    ROW("DR0 under GD", P0, 0, "b800200000" "0f23f8" "0f21c0", DR_GUARDED, ANY)
    /* MSRs */
    ROW("EFER, bit 1", P0, 0, "b9800000c0" "b802000000" "31d2" "0f30", EFER_RESERVED, 2)
    ROW("LME under paging", L0, 0, "b9800000c0" "31c0" "31d2" "0f30", EFER_PAGING, 0)
    ROW("PAT of type 2", P0, 0, "b977020000" "b802000000" "31d2" "0f30", PAT_TYPE, 2)
    ROW("LSTAR not canonical", P0, 0, "b9820000c0" "31c0" "ba00000080" "0f30", MSR_VALUE, ANY)
    ROW("RDMSR of none", P0, 0, "b934120000" "0f32", MSR_UNKNOWN, 0x1234)
    ROW("WRMSR of none", P0, 0, "b934120000" "0f30", MSR_UNKNOWN, 0x1234)
    /* what is no refusal */
    ROW("INT3", P0, 0, "cc", UNKNOWN, ANY)
    ROW("single step", P0, 0, "9c" "810c2400010000" "9d" "90", UNKNOWN, ANY)

};

/* As fill_memory() and set_cpu() have it, without IDT and with the row's bits. */
static void prepare(const struct row *r)
{
    struct cpu_state c;

    make_memory(&r->p);
    set_cpu(&r->p);
    assert_int_equal(cpu.ops->get_state(&cpu, ST_ALL, &c), 0);
    c.idtr.limit = 0;
    c.cr0 |= r->cr0;
    c.cr4 |= r->cr4;
    c.rflags |= r->flags;
    c.efer |= r->lme ? EFER_LME : 0;
    assert_int_equal(cpu.ops->set_state(&cpu, ST_ALL, &c), 0);
}

/* Nothing but MSRs asks for an answer: the guest gets #GP. */
static bool ends_in_triple_fault(const struct row *r)
{
    struct vmexit x;

    for (unsigned i = 0; i < 4; i++) {
        cpu.ops->run(&cpu, 100, &x);
        if (x.reason == EXIT_TRIPLE_FAULT)
            return true;
        if (x.reason != EXIT_RDMSR && x.reason != EXIT_WRMSR)
            break;
        x.reflect = (struct event){ .type = EVENT_EXCEPTION, .vector = VEC_GP, .has_error = true };
        cpu.ops->conclude(&cpu, &x, REFLECT);
    }
    print_error("%s: exit 0x%x, no triple fault\n", r->p.name, x.reason);
    return false;
}

static bool check(const struct row *r)
{
    const struct delivery_chain *c = cpu.undelivered;

    prepare(r);
    if (!ends_in_triple_fault(r))
        return false;
    if (c->cause == (uint64_t)r->cause && (r->at == ANY || c->cause_at == (uint64_t)r->at))
        return true;
    print_error("%s: refused because of %s, %#lx\n", r->p.name,
                c->cause < N_OBSTACLES ? obstacle_infos[c->cause].name : "?",
                (unsigned long)c->cause_at);
    return false;
}

static void test_rows(void **state)
{
    unsigned bad = 0;

    (void)state;
    for (size_t i = 0; i < NELEM(rows); i++)
        bad += !check(&rows[i]);
    assert_int_equal(bad, 0);
}

/* A reason that no program has been refused for may be one that never is. */
static void test_complete(void **state)
{
    unsigned missing = 0;

    (void)state;
    for (unsigned why = FIRST_REFUSAL; why < N_OBSTACLES; why++) {
        bool found = false;
        for (size_t i = 0; i < NELEM(rows); i++)
            found = found || rows[i].cause == why;
        if (!found)
            print_error("no row for %s\n", obstacle_infos[why].name);
        missing += !found;
    }
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_complete),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
