/*
 * Exits packed into two words and back, and told in words; the state after
 * reset and the difference of two states.
 *   run    make unit
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/x86.h"
#include "cpu/delivery.h"
#include "cpu/exit.h"
#include "cpu/state.h"

static void every_reason_is_found_and_named(void **state)
{
    (void)state;
    for (int i = 0; i < N_EXITS; i++) {
        assert_int_equal(exit_index(exit_infos[i].reason), i);
        assert_string_equal(exit_name(exit_infos[i].reason), exit_infos[i].name);
    }
    assert_int_equal(exit_index(0x7fff), -1);
    assert_string_equal(exit_name(0x7fff), "?");
}

struct row {
    const char *text;           /* what exit_describe() says */
    uint64_t qual, extra;       /* as the SDM packs them     */
    struct vmexit x;
};

/* The numbers on the left were packed by hand from the SDM's tables. */
static const struct row rows[] = {
    { "IO out 0x3f8 size 1 value 0x41", 0x03f80000, 0x41,
      { .reason = EXIT_IO, .io = { .port = 0x3f8, .size = 1, .value = 0x41 } } },
    { "IO in 0x60 size 4", 0x0060000b, 0,
      { .reason = EXIT_IO, .io = { .port = 0x60, .size = 4, .in = true } } },
    { "IO rep ins 0x1f0 size 2 gla 0xc0de0", 0x01f00039, 0xc0de0,
      { .reason = EXIT_IO, .io = { .port = 0x1f0, .size = 2, .in = true, .string = true,
                                   .rep = true, .gla = 0xc0de0 } } },
    { "CR_ACCESS mov cr3, rbx value 0x5000", 0x303, 0x5000,
      { .reason = EXIT_CR_ACCESS, .cr = { .nr = 3, .type = CR_MOV_TO, .gpr = RBX, .value = 0x5000 } } },
    { "CR_ACCESS mov r9, cr8", 0x918, 0,
      { .reason = EXIT_CR_ACCESS, .cr = { .nr = 8, .type = CR_MOV_FROM, .gpr = R9 } } },
    { "CR_ACCESS clts", 0x20, 0, { .reason = EXIT_CR_ACCESS, .cr = { .type = CR_CLTS } } },
    { "CR_ACCESS lmsw 0x9", 0x90030, 9,
      { .reason = EXIT_CR_ACCESS, .cr = { .type = CR_LMSW, .value = 9 } } },
    { "DR_ACCESS mov rsi, dr6", 0x616, 0,
      { .reason = EXIT_DR_ACCESS, .cr = { .nr = 6, .type = CR_MOV_FROM, .gpr = RSI } } },
    { "EPT_VIOLATION gpa 0xb8123 access -w- allowed r-x gla 0xc0123123", 0xc01231aa, 0xb8123,
      { .reason = EXIT_EPT_VIOLATION, .page = { .gpa = 0xb8123, .gla = 0xc0123123,
                                                .access = ACCESS_W, .perm = ACCESS_R | ACCESS_X } } },
    { "EPT_VIOLATION gpa 0x1000 access r-- allowed ---", 0x101, 0x1000,
      { .reason = EXIT_EPT_VIOLATION, .page = { .gpa = 0x1000, .access = ACCESS_R } } },
    { "EPT_VIOLATION gpa 0x2018 access r-- allowed --- gla 0x7fff7000 in page walk", 0x7fff7081, 0x2018,
      { .reason = EXIT_EPT_VIOLATION, .page = { .gpa = 0x2018, .gla = 0x7fff7000,
                                                .access = ACCESS_R, .in_walk = true } } },
    { "INVLPG gla 0xffff800000001000", 0xffff800000001000, 0,
      { .reason = EXIT_INVLPG, .page = { .gla = 0xffff800000001000 } } },
    { "EXCEPTION #PF(14) error 0x7 gla 0xdead000", 0xdead000, 0x780000b0e,
      { .reason = EXIT_EXCEPTION, .fault = { .vector = VEC_PF, .has_error = true, .error = 7,
                                             .gla = 0xdead000 } } },
    { "EXCEPTION #BP(3)", 0, 0x80000603,
      { .reason = EXIT_EXCEPTION, .fault = { .vector = VEC_BP, .type = EVENT_SOFTWARE } } },
    { "EXCEPTION #DB(1) dr6 0x4000", 0x4000, 0x80000301,
      { .reason = EXIT_EXCEPTION, .fault = { .vector = VEC_DB, .type = EVENT_EXCEPTION, .gla = 0x4000 } } },
    { "BREAKPOINT data 0x1234", 0x1234, 0x500000003,
      { .reason = EXIT_BREAKPOINT, .breakpoint = { .at = 0x1234, .index = 5, .data = true, .more = true } } },
    { "EXCEPTION #UD(6)", 0, 0x80000306, { .reason = EXIT_EXCEPTION, .fault = { .vector = VEC_UD } } },
    { "MMIO write gpa 0xfee000b0 size 4 value 0x1", 0x00300000fee000b0, 1,
      { .reason = EXIT_MMIO, .mmio = { .gpa = 0xfee000b0, .size = 4, .write = true, .value = 1 } } },
    { "MMIO read gpa 0xfee00020 size 8", 0x00f00000fee00020, 0,
      { .reason = EXIT_MMIO, .mmio = { .gpa = 0xfee00020, .size = 8 } } },
    { "CPUID leaf 0x7 subleaf 0x1", 0x100000007, 0,
      { .reason = EXIT_CPUID, .cpuid = { .leaf = 7, .subleaf = 1 } } },
    { "WRMSR 0xc0000080 EFER value 0x100", 0xc0000080, 0x100,
      { .reason = EXIT_WRMSR, .msr = { .index = 0xc0000080u, .value = 0x100 } } },
    { "RDMSR 0x1b APIC_BASE", 0x1b, 0, { .reason = EXIT_RDMSR, .msr = { .index = 0x1b } } },
    { "VMCALL nr 1 arg 0x8000", 1, 0x8000, { .reason = EXIT_VMCALL, .call = { .nr = 1, .arg = { 0x8000 } } } },
    { "TRIPLE_FAULT #UD at 0x100010 IDT_LIMIT, then #GP, #DF", 0x080d03010306, 0x100010,
      { .reason = EXIT_TRIPLE_FAULT, .chain = { .n = 3, .vector = { VEC_UD, VEC_GP, VEC_DF },
                                                .type = EVENT_EXCEPTION, .rip = 0x100010,
                                                .obstacle = OBSTACLE_IDT_LIMIT } } },
    { "TRIPLE_FAULT INT 0x80 at 0x7c00 GATE_DPL", 0x01040480, 0x7c00,
      { .reason = EXIT_TRIPLE_FAULT, .chain = { .n = 1, .vector = { 0x80 }, .rip = 0x7c00,
                                                .type = EVENT_SOFTWARE,
                                                .obstacle = OBSTACLE_GATE_DPL } } },
    { "TRIPLE_FAULT", 0, 0, { .reason = EXIT_TRIPLE_FAULT } },
    { "HLT", 0, 0, { .reason = EXIT_HLT } },
    { "HOST error -12 code 0x11", (uint64_t)-12, 0x11,
      { .reason = EXIT_HOST, .raw = 0x11, .fail = { .error = -12 } } },
};

static void packing_is_the_manuals(void **state)
{
    (void)state;
    for (size_t i = 0; i < NELEM(rows); i++) {
        assert_int_equal(exit_qualification(&rows[i].x), rows[i].qual);
        assert_int_equal(exit_extra(&rows[i].x), rows[i].extra);
    }
}

static void words_survive_packing(void **state)
{
    (void)state;
    char direct[200], unpacked[200];
    for (size_t i = 0; i < NELEM(rows); i++) {
        struct vmexit back;
        exit_unpack(rows[i].x.reason, exit_qualification(&rows[i].x), exit_extra(&rows[i].x), &back);
        exit_describe(&rows[i].x, direct, sizeof direct);
        exit_describe(&back, unpacked, sizeof unpacked);
        assert_string_equal(direct, rows[i].text);
        assert_string_equal(unpacked, rows[i].text);
    }
}

/* Whatever stands in a file, words come out, and they end where the buffer ends. */
static void any_words_are_described(void **state)
{
    (void)state;
    static const uint64_t words[] = { 0, ~UINT64_C(0), UINT64_C(0x8000000000000000), 0x123456789abcdef };
    for (unsigned reason = 0; reason < 0x9000; reason++) {
        if (reason > 0x100 && reason < 0x7ff0)
            continue;
        for (size_t i = 0; i < NELEM(words) * NELEM(words); i++) {
            struct vmexit x;
            exit_unpack(reason, words[i % NELEM(words)], words[i / NELEM(words)], &x);
            char text[200];
            exit_describe(&x, text, sizeof text);
            assert_true(strlen(text) > 0);
            for (size_t n = 0; n < 40; n++) {
                char small[41];
                memset(small, '~', sizeof small);
                assert_ptr_equal(exit_describe(&x, small, n), small);
                assert_int_equal(small[n], '~');
                if (n)
                    assert_memory_equal(small, text, strlen(small));
            }
        }
    }
}

static void reset_is_the_manuals(void **state)
{
    (void)state;
    struct cpu_state s;
    cpu_state_reset(&s);
    assert_int_equal(s.seg[SEG_CS].base + s.rip, 0xfffffff0);
    assert_int_equal(s.cr0, 0x60000010);
    assert_int_equal(s.rflags, 2);
    assert_int_equal(s.seg[SEG_DS].attr, 0x93);
    assert_int_equal(s.seg[SEG_TR].attr, 0x8b);
    assert_int_equal(s.dr[6], 0xffff0ff0);
    assert_int_equal(s.dr[7], 0x400);
}

static void diff_names_what_differs(void **state)
{
    (void)state;
    struct cpu_state a, b;
    char text[600];
    cpu_state_reset(&a);
    b = a;
    b.tsc = 77;
    assert_int_equal(cpu_state_diff(&a, &b, ST_ALL, text, sizeof text), 0);
    assert_string_equal(text, "");
    b.gpr[R11] = 5;
    b.seg[SEG_GS].base = 0x1000;
    b.fpu[160 + 16 * 3] = 9;
    b.fpu[32 + 16 * 7 + 9] = 1;
    assert_int_equal(cpu_state_diff(&a, &b, ST_ALL, text, sizeof text), 4);
    assert_non_null(strstr(text, "r11            0000000000000000  0000000000000005\n"));
    assert_non_null(strstr(text, "gs.base "));
    assert_non_null(strstr(text, "xmm3 "));
    assert_non_null(strstr(text, "st7            00000000000000000000  01000000000000000000\n"));
    assert_int_equal(cpu_state_diff(&a, &b, ST_SEGS, text, sizeof text), 1);
    assert_int_equal(cpu_state_diff(&a, &b, ST_CRS, text, sizeof text), 0);
}

static void hidden_part_of_an_unusable_segment_is_no_difference(void **state)
{
    (void)state;
    struct cpu_state a, b;
    char text[200];
    cpu_state_reset(&a);
    b = a;
    a.seg[SEG_ES].attr = b.seg[SEG_ES].attr = a.seg[SEG_FS].attr = b.seg[SEG_FS].attr = 0;
    b.seg[SEG_ES].limit = 1;
    b.seg[SEG_ES].base = 1;
    assert_int_equal(cpu_state_diff(&a, &b, ST_ALL, text, sizeof text), 0);
    b.seg[SEG_FS].base = 1;
    assert_int_equal(cpu_state_diff(&a, &b, ST_ALL, text, sizeof text), 1);
}

static void diff_fits_any_buffer(void **state)
{
    (void)state;
    struct cpu_state a, b;
    memset(&a, 0, sizeof a);
    memset(&b, 0xff, sizeof b);
    char text[100];
    unsigned all = cpu_state_diff(&a, &b, ST_ALL, NULL, 0);
    assert_true(all > 60);
    for (size_t n = 1; n < sizeof text; n++) {
        memset(text, '~', sizeof text);
        assert_int_equal(cpu_state_diff(&a, &b, ST_ALL, text, n), all);
        assert_int_equal(text[n], '~');
        assert_true(strlen(text) < n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_is_found_and_named),
        cmocka_unit_test(packing_is_the_manuals),
        cmocka_unit_test(words_survive_packing),
        cmocka_unit_test(any_words_are_described),
        cmocka_unit_test(reset_is_the_manuals),
        cmocka_unit_test(diff_names_what_differs),
        cmocka_unit_test(hidden_part_of_an_unusable_segment_is_no_difference),
        cmocka_unit_test(diff_fits_any_buffer),
    };
    return cmocka_run_group_tests_name("exit", tests, NULL, NULL);
}
