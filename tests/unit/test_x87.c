/*
 * tests/unit/test_x87.c -- floating point of the interpreter.
 *
 * The arithmetic is the host's own; what is tested is what the interpreter adds:
 * operands, #NM and #MF, EFLAGS and AX, the layouts in memory, and that no
 * encoding at all harms the monitor.
 */
#include "cpu/soft/ops/x87.h"
#include "fpu_board.h"

static void computes(void **state)
{
    uint64_t result;
    double two = 2, d;

    (void)state;
    begin(CR0_NE, 0);
    gmem_write(cpu.gmem, DATA, &two, 8);
    /* fld m64; fsqrt; fst m64 [ebx+8]; fmul st,st; fistp m64 [ebx+16] */
    assert_int_equal(GO("\xdd\x03\xd9\xfa\xdd\x53\x08\xd8\xc8\xdf\x7b\x10"), EXIT_HLT);
    result = memory(8, 8);
    memcpy(&d, &result, 8);
    assert_true(d > 1.414213562373095 && d < 1.414213562373096);
    assert_int_equal(memory(16, 8), 2);
    assert_int_equal(fpu().ftw, 0);
}

/* The pointers are the guest's, or a run would not be repeatable. */
static void remembers_the_instruction(void **state)
{
    (void)state;
    begin(CR0_NE, 0);
    GO("\x90\xd9\x43\x04\xd9\xe1\xd9\x7b\x20");     /* nop; fld m32; fabs; fnstcw */
    assert_int_equal(fpu().fip, CODE + 4);
    assert_int_equal(fpu().fdp, DATA + 4);
    assert_int_equal(fpu().fop, 0x1e1);
}

static void is_not_available(void **state)
{
    (void)state;
    begin(CR0_NE | CR0_TS, 0);
    GO("\x90\xd9\xe8");
    assert_fault(VEC_NM, 1);
    begin(CR0_NE | CR0_EM, 0);
    GO("\xdb\xe3");
    assert_fault(VEC_NM, 0);
    begin(CR0_NE | CR0_TS, 0);                         /* FWAIT needs MP too */
    assert_int_equal(GO("\x9b"), EXIT_HLT);
    begin(CR0_NE | CR0_TS | CR0_MP, 0);
    GO("\x9b");
    assert_fault(VEC_NM, 0);
}

/* fnstcw; and m16,~4; fldcw: unmask division by zero; fld1; fldz; fdivp */
#define DIVIDE "\xd9\x3b\x66\x83\x23\xfb\xd9\x2b\xd9\xe8\xd9\xee\xde\xf9"

static void waits_with_its_exception(void **state)
{
    (void)state;
    begin(CR0_NE, 0);
    GO(DIVIDE "\xdf\xe0\xd9\xe8");                  /* fnstsw ax does not wait; fld1 does */
    assert_fault(VEC_MF, 16);
    assert_int_equal(get().gpr[RAX] & 0xffff, 0xb084);      /* B, TOP 6, ES, ZE */
    begin(CR0_NE, 0);
    GO(DIVIDE "\x9b");
    assert_fault(VEC_MF, 14);
    begin(CR0_NE, 0);
    assert_int_equal(GO(DIVIDE "\xdb\xe2\xd9\xe8"), EXIT_HLT);      /* fnclex */
    begin(0, 0);                                       /* without NE: as if ignored */
    assert_int_equal(GO(DIVIDE "\xd9\xe8"), EXIT_HLT);
    assert_int_equal(fpu().fsw & 0x8084, 0x8084);
}

static void compares_into_flags(void **state)
{
    (void)state;
    begin(CR0_NE, 0);
    GO("\xf9\xd9\xe8\xd9\xee\xdb\xf1");             /* stc; fld1; fldz; fcomi st,st(1) */
    assert_int_equal(get().rflags & FLAGS_ARITH, FLAG_CF);
    GO("\xd9\xee");
    begin(CR0_NE, 0);
    GO("\xf9\xd9\xe8\xd9\xee\xda\xc1");             /* stc; fld1; fldz; fcmovb st,st(1) */
    assert_int_equal(fpu().st[0][9], 0x3f);         /* 1.0 */
    assert_int_equal(get().rflags & FLAGS_ARITH, FLAG_CF);
}

static void environment_in_memory(void **state)
{
    (void)state;
    begin(CR0_NE, 0);
    GO("\xd9\xe8\xd9\xee\xd9\x33");                 /* fld1; fldz; fnstenv */
    assert_int_equal(memory(0, 4), 0xffff037f);
    assert_int_equal(memory(4, 4), 0xffff3000);
    assert_int_equal(memory(8, 4), 0xffff1fff);     /* 7 valid, 6 zero, others empty */
    assert_int_equal(memory(12, 4), CODE + 2);
    assert_int_equal(memory(16, 4), 0x1ee << 16);
    assert_int_equal(fpu().fcw, 0x37f);

    begin(CR0_NE, 0);
    GO("\xd9\xe8\x66\xd9\x33");                     /* the 16-bit layout */
    assert_int_equal(memory(0, 8), UINT64_C(0x10003fff3800037f));
}

/* TOP moves over registers that stay: what FLDENV and FNINIT do to ST(i). */
static void registers_stay_where_they_are(void **state)
{
    (void)state;
    begin(CR0_NE, 0);
    GO("\xd9\xe8\xd9\x33\xc7\x43\x04\0\0\0\0\xd9\x23");     /* fld1; fnstenv; TOP=0; fldenv */
    assert_int_equal(fpu().st[7][9], 0x3f);
    assert_int_equal(fpu().ftw, 0x80);
    begin(CR0_NE, 0);
    GO("\xd9\xe8\xdd\x33\xd9\xee\xdd\x23");         /* fld1; fnsave; fldz; frstor */
    assert_int_equal(fpu().st[0][9], 0x3f);
    assert_int_equal(fpu().fsw >> 11 & 7, 7);
}

/* A store that faults has not popped. */
static void faulting_store(void **state)
{
    (void)state;
    begin(CR0_NE, 0);
    GO("\xd9\xe8\xdb\x3d\x00\x50\x00\x00");         /* fld1; fstp m80 [READ_ONLY] */
    assert_int_equal(out.reason, EXIT_EPT_VIOLATION);
    assert_int_equal(out.rip, CODE + 2);
    assert_int_equal(fpu().ftw, 0x80);
}

/* fld1; unmask invalid; fld m32 of a NaN is quiet; fistp m16 of it is invalid: nothing stored */
static void unmasked_result_is_not_stored(void **state)
{
    static const uint32_t nan = 0x7fc00000;

    (void)state;
    begin(CR0_NE, 0);
    gmem_write(cpu.gmem, DATA, "\x7e\x03\xff\xff", 4);
    gmem_write(cpu.gmem, DATA + 8, &nan, 4);
    gmem_write(cpu.gmem, DATA + 16, "\x55\x55", 2);
    assert_int_equal(GO("\xd9\x2b\xd9\x43\x08\xdf\x5b\x10"), EXIT_HLT);
    assert_int_equal(memory(16, 2), 0x5555);
    assert_int_equal(fpu().fsw & 0x8081, 0x8081);
    assert_int_equal(fpu().ftw, 0x80);
}

/* Whatever is encoded and whatever the registers hold: the monitor lives, and
 * what is left is the host's FPU as the C compiler expects it. */
static void no_encoding_harms(void **state)
{
    volatile long double third = 1.0L / 3;

    (void)state;
    srand(1);
    for (unsigned op = 0xd8; op < 0xe0; op++) {
        for (unsigned modrm = 0; modrm < 256 * 8; modrm++) {
            char code[8] = { (char)op, (char)modrm, 0, 0x10, 0, 0 };
            struct cpu_state s;
            begin(modrm & 256 ? CR0_NE : 0, 0);
            s = get();
            for (unsigned i = 0; i < sizeof s.fpu; i++)
                s.fpu[i] = (uint8_t)rand();
            engine_soft.set_state(&cpu, ST_FPU, &s);
            go(code, sizeof code);
            assert_true(third == 1.0L / 3);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(computes),
        cmocka_unit_test(remembers_the_instruction),
        cmocka_unit_test(is_not_available),
        cmocka_unit_test(waits_with_its_exception),
        cmocka_unit_test(compares_into_flags),
        cmocka_unit_test(environment_in_memory),
        cmocka_unit_test(registers_stay_where_they_are),
        cmocka_unit_test(faulting_store),
        cmocka_unit_test(unmasked_result_is_not_stored),
        cmocka_unit_test(no_encoding_harms),
    };

    return cmocka_run_group_tests_name("x87", tests, set_up, tear_down);
}
