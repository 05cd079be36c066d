/*
 * tests/unit/test_sse.c -- MMX and SSE of the interpreter.
 *
 * What the host computes tests/judge compares; here is what the interpreter
 * adds: #UD, #NM, #MF and #XM, alignment, MXCSR, the image of FXSAVE, and that
 * no encoding at all harms the monitor.
 */
#include "cpu/soft/ops/sse.h"
#include "fpu_board.h"

enum { READY = CR4_OSFXSR | CR4_OSXMMEXCPT };

static void is_not_available(void **state)
{
    static const struct { const char *code; unsigned n; uint64_t cr0, cr4; int vector; } rows[] = {
        { "\x90\x0f\x28\xc0\xf4", 5, 0, READY, -1 },                   /* movaps xmm0, xmm0 */
        { "\x90\x0f\x28\xc0\xf4", 5, 0, 0, VEC_UD },
        { "\x90\x0f\x28\xc0\xf4", 5, CR0_EM | CR0_TS, READY, VEC_UD },
        { "\x90\x0f\x28\xc0\xf4", 5, CR0_TS, READY, VEC_NM },
        { "\x90\x0f\xef\xc0\xf4", 5, 0, 0, -1 },                       /* pxor mm0, mm0 */
        { "\x90\x0f\xef\xc0\xf4", 5, CR0_EM, READY, VEC_UD },
        { "\x90\x0f\xef\xc0\xf4", 5, CR0_TS, READY, VEC_NM },
        { "\x90\x0f\xc3\x03\xf4", 5, CR0_EM | CR0_TS, 0, -1 },         /* movnti [ebx], eax */
        { "\x90\x0f\xae\x1b\xf4", 5, 0, 0, VEC_UD },                   /* stmxcsr [ebx] */
        { "\x90\x0f\xae\x1b\xf4", 5, CR0_TS, READY, VEC_NM },
        { "\x90\x0f\xae\x03\xf4", 5, 0, 0, -1 },                       /* fxsave [ebx] */
        { "\x90\x0f\xae\x03\xf4", 5, CR0_EM, READY, VEC_NM },
        { "\x90\x0f\xae\x03\xf4", 5, CR0_TS, READY, VEC_NM },
        { "\x90\xf2\x0f\xd0\xc0\xf4", 6, 0, READY, VEC_UD },          /* addsubps: SSE3 */
        { "\x90\x0f\x38\x00\xc0\xf4", 6, 0, READY, VEC_UD },          /* pshufb: SSSE3 */
    };

    (void)state;
    for (size_t i = 0; i < NELEM(rows); i++) {
        begin(CR0_NE | rows[i].cr0, rows[i].cr4);
        go(rows[i].code, rows[i].n);
        if (rows[i].vector < 0)
            assert_int_equal(out.reason, EXIT_HLT);
        else
            assert_fault((unsigned)rows[i].vector, 1);
    }
}

static void waits_for_the_fpu(void **state)
{
    struct cpu_state s;
    struct fxsave f;

    (void)state;
    begin(CR0_NE, READY);
    s = get();
    f = fpu();
    f.fcw = 0x360;                              /* some exceptions are not masked ... */
    f.fsw = 1;                                  /* ... and one of them is pending     */
    memcpy(s.fpu, &f, sizeof f);
    engine_soft.set_state(&cpu, ST_FPU, &s);
    GO("\x66\x0f\xef\xc0\x0f\xef\xc0");        /* pxor xmm0, xmm0; pxor mm0, mm0 */
    assert_fault(VEC_MF, 4);
}

static void alignment(void **state)
{
    (void)state;
    begin(CR0_NE, READY);
    GO("\x0f\x10\x43\x01\x0f\x28\x43\x10\x0f\x28\x43\x01");     /* movups, movaps, movaps */
    assert_fault(VEC_GP, 8);
    begin(CR0_NE, READY);
    GO("\x66\x0f\xfc\x43\x08");                                /* paddb xmm0, [ebx+8] */
    assert_fault(VEC_GP, 0);
    begin(CR0_NE, READY);
    assert_int_equal(GO("\x0f\xfc\x43\x01"), EXIT_HLT);         /* paddb mm0, [ebx+1] */
}

/* ldmxcsr [ebx]; mov eax, 1; cvtsi2ss xmm0, eax; xorps xmm1, xmm1; divss xmm0, xmm1 */
#define DIVIDE "\x0f\xae\x13\xb8\1\0\0\0\xf3\x0f\x2a\xc0\x0f\x57\xc9\xf3\x0f\x5e\xc1"

static void exceptions(void **state)
{
    uint32_t unmasked = 0x1d80;                 /* division by zero */

    (void)state;
    begin(CR0_NE, READY);
    gmem_write(cpu.gmem, DATA, "\x80\x1f\0\0", 4);
    assert_int_equal(GO(DIVIDE), EXIT_HLT);
    assert_int_equal(fpu().mxcsr, 0x1f84);
    assert_int_equal(fpu().xmm[0][3], 0x7f);    /* infinity */
    for (int handler = 0; handler < 2; handler++) {
        begin(CR0_NE, handler ? READY : CR4_OSFXSR);
        gmem_write(cpu.gmem, DATA, &unmasked, 4);
        GO(DIVIDE);
        assert_fault(handler ? VEC_XM : VEC_UD, 15);
        assert_int_equal(fpu().mxcsr, 0x1d84);
        assert_int_equal(fpu().xmm[0][3], 0x3f);        /* 1.0 still */
    }
}

static void control_register(void **state)
{
    (void)state;
    begin(CR0_NE, READY);
    gmem_write(cpu.gmem, DATA, "\xc0\xff\0\0", 4);
    assert_int_equal(GO("\x0f\xae\x13\x0f\xae\x5b\x08"), EXIT_HLT);    /* ldmxcsr; stmxcsr [ebx+8] */
    assert_int_equal(memory(8, 4), 0xffc0);
    gmem_write(cpu.gmem, DATA, "\x80\x1f\1\0", 4);
    begin(CR0_NE, READY);
    GO("\x0f\xae\x13");
    assert_fault(VEC_GP, 0);
}

static void saves_and_restores(void **state)
{
    (void)state;
    begin(CR0_NE, READY);
    gmem_write(cpu.gmem, DATA, &(uint8_t[512]){ [288] = 0x55, [511] = 0x66 }, 512);
    /* mov eax, 7; movd xmm1, eax; fld1; fxsave [ebx]; pxor xmm1, xmm1; fninit; fxrstor [ebx] */
    GO("\xb8\7\0\0\0\x66\x0f\x6e\xc8\xd9\xe8\x0f\xae\x03\x66\x0f\xef\xc9\xdb\xe3\x0f\xae\x0b");
    assert_int_equal(out.reason, EXIT_HLT);
    assert_int_equal(memory(0, 8), UINT64_C(0x01e800803800037f));
    assert_int_equal(memory(8, 8), CODE + 9);
    assert_int_equal(memory(24, 8), UINT64_C(0x0000ffff00001f80));
    assert_int_equal(memory(32, 8), BIT(63));
    assert_int_equal(memory(176, 8), 7);
    assert_int_equal(memory(288, 1), 0x55);     /* XMM8 is not there in 32-bit mode */
    assert_int_equal(memory(511, 1), 0x66);
    assert_int_equal(fpu().xmm[1][0], 7);
    assert_int_equal(fpu().ftw, 0x80);
    begin(CR0_NE, READY);
    GO("\x0f\xae\x43\x08");
    assert_fault(VEC_GP, 0);
    begin(CR0_NE, READY);
    gmem_write(cpu.gmem, DATA + 26, "\1", 1);
    GO("\x0f\xae\x0b");                        /* a bit of MXCSR that does not exist */
    assert_fault(VEC_GP, 0);
}

/* MMX registers are the physical ones of the FPU. */
static void mmx_and_fpu(void **state)
{
    (void)state;
    begin(CR0_NE, READY);
    /* fld1; mov eax, 5; movd mm7, eax */
    GO("\xd9\xe8\xb8\5\0\0\0\x0f\x6e\xf8");
    assert_int_equal(fpu().st[7][0], 5);
    assert_int_equal(fpu().st[7][9], 0xff);
    assert_int_equal(fpu().ftw, 0xff);
    assert_int_equal(fpu().fsw, 0);
    begin(CR0_NE, READY);
    GO("\x0f\xef\xc0\x0f\x77");                 /* pxor mm0, mm0; emms */
    assert_int_equal(fpu().ftw, 0);
}

/* A store across pages of which the second cannot be written has written nothing. */
static void faulting_store(void **state)
{
    (void)state;
    begin(CR0_NE, READY);
    gmem_write(cpu.gmem, READ_ONLY - 8, "\x55", 1);
    GO("\x0f\x11\x05\xf8\x4f\0\0");             /* movups [READ_ONLY-8], xmm0 */
    assert_int_equal(out.reason, EXIT_EPT_VIOLATION);
    assert_int_equal(out.rip, CODE);
    assert_int_equal(memory(READ_ONLY - 8 - DATA, 1), 0x55);
}

/* Handlers end in jumps, or a loop of the guest's would use up the monitor's stack. */
static void loops_for_long(void **state)
{
    static const char loop[] = "\xb9\x40\x42\x0f\0"         /* mov ecx, 1000000 */
        "\x0f\x10\x03\x0f\x58\xc1\x0f\x11\x03"           /* movups, addps, movups */
        "\x0f\x2e\xc1\x66\x0f\x73\xd0\1\x66\x0f\x73\xd8\1" /* ucomiss, psrlq, psrldq */
        "\x0f\xef\xc0\x0f\x77\xd9\x03\xd9\x1b"           /* pxor mm0, emms, fld, fstp */
        "\x49\x75\xdf\xf4";                               /* dec ecx; jnz; hlt */

    (void)state;
    begin(0, READY);
    gmem_write(cpu.gmem, CODE, loop, sizeof loop);
    engine_soft.forget(&cpu, CODE, sizeof loop);
    engine_soft.run(&cpu, 100000000, &out);
    assert_int_equal(out.reason, EXIT_HLT);
    assert_int_equal(get().gpr[RCX], 0);
}

/* Whatever is encoded and whatever the registers hold: the monitor lives, and
 * MXCSR is the host's. */
static void no_encoding_harms(void **state)
{
    static const char prefixes[4] = "\x90\x66\xf3\xf2";
    volatile double third = 1.0 / 3, zero = 0;

    (void)state;
    srand(1);
    for (unsigned k = 0; k < 4 * 256 * 256; k += 3) {
        char code[10] = { prefixes[k >> 16], 0x0f, (char)(k >> 8), (char)k, 0, 0x10, 0, 0, 0 };
        struct cpu_state s;
        if ((k >> 8 & 0xf0) == 0x80)            /* branches */
            continue;
        begin(CR0_NE, READY);
        s = get();
        for (unsigned i = 0; i < sizeof s.fpu; i++)
            s.fpu[i] = (uint8_t)rand();
        engine_soft.set_state(&cpu, ST_FPU, &s);
        go(code, sizeof code);
        assert_true(third == 1.0 / 3 && 1 / zero > 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_not_available),
        cmocka_unit_test(waits_for_the_fpu),
        cmocka_unit_test(alignment),
        cmocka_unit_test(exceptions),
        cmocka_unit_test(control_register),
        cmocka_unit_test(saves_and_restores),
        cmocka_unit_test(mmx_and_fpu),
        cmocka_unit_test(faulting_store),
        cmocka_unit_test(loops_for_long),
        cmocka_unit_test(no_encoding_harms),
    };

    return cmocka_run_group_tests_name("sse", tests, set_up, tear_down);
}
