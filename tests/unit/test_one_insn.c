/*
 * tests/unit/test_one_insn.c -- one instruction for other engines: the same as in the interpreter.
 *
 * Two memories with the same contents.  On one a vCPU of the engine soft is single-stepped by
 * the monitor trap flag; on the other one_insn executes the same instruction on the same state.
 * Random bytes in every mode, registers that mostly point into memory, page tables with
 * holes: registers, memory, exit records, what becomes of answered exits must agree.
 * One instance serves all rounds, so nothing of one may show in the next.
 *
 *     SEED=7 ROUNDS=1 build/tests/test_one_insn      one round, its number from the message
 */
#include <setjmp.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/x86.h"
#include "cpu/engine.h"
#include "cpu/one_insn.h"
#include "cpu/vcpu.h"
#include "mem/dirty.h"
#include "mem/gmem.h"
#include "mem/hmem.h"
#include "mem/nested.h"

#define RAM    0x40000
#define CODE   0x1000
#define DATA   0x8000           /* up to TABLES */
#define TABLES 0x20000
#define GDT    0x30000
#define IDT    0x31000
#define DEVICE 0x80000          /* no memory, but mapped: MMIO */

enum mode { REAL, FLAT32, PAGED32, SEGMENTS32, LONG64, N_MODES };

struct board {
    struct vcpu v;              /* the reference                */
    struct nested *nested;
    struct gmem *other;         /* what one_insn works on       */
    struct dirty *dirty;
    struct one_insn *o;
};

static uint64_t seed;

static uint64_t rnd(void)       /* xorshift64* */
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return seed * UINT64_C(0x2545f4914f6cdd1d);
}

static struct gmem *memory(void)
{
    struct gmem *m = gmem_new();

    gmem_add(m, "RAM", 0, RAM, GMEM_RAM);
    gmem_freeze(m);
    return m;
}

static void board_new(struct board *b)
{
    *b = (struct board){
        .v = { .ops = &engine_soft, .gmem = memory() },
        .other = memory(),
    };
    b->v.hmem = hmem_new(b->v.gmem);
    b->nested = nested_new(b->v.hmem, NULL);
    b->v.eptp = nested_root(b->nested);
    for (gpa_t at = 0; at < RAM; at += PAGE_SIZE)
        nested_map(b->nested, at, HMEM_GUEST + at, PAGE_SIZE, EPT_RWX);
    assert_int_equal(engine_soft.create(&b->v), 0);
    b->dirty = dirty_new(b->other);
    b->o = one_insn_new(b->other, b->dirty);
    assert_non_null(b->o);
}

static void board_free(struct board *b)
{
    one_insn_free(b->o);
    dirty_free(b->dirty);
    gmem_free(b->other);
    engine_soft.destroy(&b->v);
    nested_free(b->nested);
    hmem_free(b->v.hmem);
    gmem_free(b->v.gmem);
}

static void write_both(struct board *b, gpa_t at, const void *from, size_t n)
{
    assert_int_equal(gmem_write(b->v.gmem, at, from, n), 0);
    assert_int_equal(gmem_write(b->other, at, from, n), 0);
}

static void write64(struct board *b, gpa_t at, uint64_t value)
{
    write_both(b, at, &value, 8);
}

/* 4 KiB pages, identity, one in eight missing or read-only; the device's page is there. */
static void page_tables(struct board *b, bool wide)
{
    uint64_t hole = rnd();

    if (wide) {
        write64(b, TABLES, (TABLES + 0x1000) | 7);
        write64(b, TABLES + 0x1000, (TABLES + 0x2000) | 7);
        write64(b, TABLES + 0x2000, (TABLES + 0x3000) | 7);
    } else {
        uint32_t pde = (TABLES + 0x3000) | 7;
        write_both(b, TABLES, &pde, 4);
    }
    for (unsigned i = 0; i <= DEVICE >> 12; i++) {
        bool odd = !(hole >> (i & 31) & 7) && i != CODE >> 12;
        uint64_t pte = (uint64_t)i << 12 | (odd ? i & 5 : 7);
        write_both(b, TABLES + 0x3000 + i * (wide ? 8 : 4), &pte, wide ? 8 : 4);
    }
}

/* GDT: null, code, data, code of ring 3, data of ring 3, 16-bit code, a small segment, TSS. */
static void descriptor_tables(struct board *b, bool wide)
{
    const uint64_t gdt[8] = { 0, wide ? 0x00af9b000000ffff : 0x00cf9b000000ffff, 0x00cf93000000ffff,
                              wide ? 0x00affb000000ffff : 0x00cffb000000ffff, 0x00cff3000000ffff,
                              0x00009b000000ffff, 0x0040930080000fff, 0x00008b0320000067 };

    write_both(b, GDT, gdt, sizeof gdt);
    for (unsigned i = 0; i < 256; i++) {
        uint64_t gate = CODE | UINT64_C(8) << 16 | UINT64_C(0xee00) << 32;
        write64(b, IDT + i * (wide ? 16 : 8), gate);
        if (wide)
            write64(b, IDT + i * 16 + 8, 0);
    }
}

static struct segment flat(uint16_t sel, uint16_t attr)
{
    return (struct segment){ .sel = sel, .attr = attr, .limit = 0xffffffff };
}

static void segments(struct cpu_state *s, enum mode mode)
{
    unsigned rpl = rnd() & 1 ? 3 : 0;

    for (int i = SEG_ES; i <= SEG_GS; i++)
        s->seg[i] = flat((uint16_t)(rpl ? 0x23 : 0x10), (uint16_t)(0xc093 | rpl << 5));
    s->seg[SEG_CS] = flat((uint16_t)(rpl ? 0x1b : 0x08),
                          (uint16_t)((mode == LONG64 ? 0xa09b : 0xc09b) | rpl << 5));
    if (mode == SEGMENTS32) {
        s->seg[SEG_DS].base = DATA;
        s->seg[SEG_DS].limit = 0xfff;
        s->seg[SEG_CS].attr = (uint16_t)(0x9b | rpl << 5);      /* 16-bit code */
    }
    s->seg[SEG_TR] = (struct segment){ .sel = 0x38, .attr = 0x8b, .limit = 0x67, .base = 0x32000 };
}

static struct cpu_state random_state(struct board *b, enum mode mode)
{
    struct cpu_state s;

    memset(&s, 0, sizeof s);
    cpu_state_reset(&s);
    for (int i = 0; i < N_GPRS; i++) {
        s.gpr[i] = DATA + (rnd() & 0xffff);
        if (!(rnd() & 7))
            s.gpr[i] = mode == LONG64 ? rnd() : (uint32_t)rnd();
    }
    if (rnd() & 1)
        s.gpr[RCX] = rnd() & 3;         /* REP comes to its end */
    if (!(rnd() & 7))
        s.gpr[RSI] = DEVICE + (rnd() & 0xff8);
    if (!(rnd() & 7))
        s.gpr[RDI] = DEVICE + (rnd() & 0xff8);
    s.gpr[RSP] = DATA + (rnd() & 0x7ff8);
    s.rip = CODE + (rnd() & 0xff);
    s.rflags = FLAG_ONE | (rnd() & (FLAGS_ARITH | FLAG_DF | FLAG_IF | FLAG_IOPL));
    if (!(rnd() & 15))
        s.rflags |= FLAG_TF;
    s.tsc = rnd() & 0xffffffff;
    s.gdtr = (struct table_reg){ GDT, 63 };
    s.idtr = (struct table_reg){ IDT, mode == LONG64 ? 0xfff : 0x7ff };
    if (mode == REAL) {
        for (int i = SEG_ES; i <= SEG_GS; i++)
            s.seg[i].sel = 0, s.seg[i].base = 0;
        s.rip &= 0xffff;
        return s;
    }
    s.cr0 |= CR0_PE;
    s.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    segments(&s, mode);
    descriptor_tables(b, mode == LONG64);
    s.cr3 = TABLES;
    if (mode == PAGED32 || mode == LONG64) {
        s.cr0 |= CR0_PG | (rnd() & 1 ? CR0_WP : 0);
        page_tables(b, mode == LONG64);
    }
    if (mode == LONG64) {
        s.cr4 |= CR4_PAE;
        s.efer = EFER_LME | EFER_LMA | EFER_SCE;
    }
    return s;
}

/* Bytes of every kind; instructions that exit and string instructions often. */
static void random_code(struct board *b, gpa_t at, enum mode mode)
{
    static const uint8_t often[] = { 0xa4, 0xa5, 0xab, 0xa6, 0xae, 0x6c, 0x6d, 0x6e, 0x6f, 0xe4,
                                     0xe6, 0xec, 0xee, 0xf4, 0xcc, 0xcd, 0x8b, 0x89, 0x01, 0xff,
                                     0x0f, 0x0f, 0x0f, 0x50, 0x58, 0xc3, 0xcf, 0x8e, 0xfb, 0x9d };
    uint8_t code[16];
    unsigned n = 0;

    for (unsigned i = 0; i < sizeof code; i++)
        code[i] = (uint8_t)rnd();
    if (rnd() & 1)
        code[n++] = (uint8_t[]){ 0xf3, 0xf2, 0x66, 0x67 }[rnd() & 3];
    if (mode == LONG64 && (rnd() & 1))
        code[n++] = 0x48;
    if (rnd() & 3)
        code[n++] = often[rnd() % sizeof often];
    write_both(b, at, code, sizeof code);
}

static void answer(struct vmexit *x, uint64_t value)
{
    switch (x->reason) {
    case EXIT_IO:        if (x->io.in) x->io.value = value;                    break;
    case EXIT_MMIO:      if (!x->mmio.write) x->mmio.value = value;            break;
    case EXIT_CPUID:     x->cpuid.eax = x->cpuid.edx = (uint32_t)value;        break;
    case EXIT_RDMSR:     x->msr.value = value;                                 break;
    case EXIT_VMCALL:    x->call.result = value;                               break;
    default:             break;
    }
}

/* Is it a request that can be answered? */
static bool answerable(const struct vmexit *x)
{
    int i = exit_index(x->reason);
    return i >= 0 && (exit_infos[i].family == FAMILY_REQUEST || x->reason == EXIT_HLT);
}

static void same_state(struct board *b, uint64_t round, const char *when)
{
    struct cpu_state expect, got;
    char diff[2000];

    memset(&expect, 0, sizeof expect);
    memset(&got, 0, sizeof got);
    engine_soft.get_state(&b->v, ST_ALL, &expect);
    one_insn_state(b->o, &got);
    if (cpu_state_diff(&expect, &got, ST_ALL, diff, sizeof diff) || expect.tsc != got.tsc)
        fail_msg("SEED=%" PRIu64 ": states differ %s\n%s", round, when, diff);
    if (memcmp(gmem_ptr(b->v.gmem, 0, RAM), gmem_ptr(b->other, 0, RAM), RAM))
        fail_msg("SEED=%" PRIu64 ": memory differs %s", round, when);
}

/* What has been met; a random test that meets only #UD would prove nothing. */
static uint64_t n_done, n_exits[N_EXITS], n_answered;

static void same_exit(const struct vmexit *expect, const struct vmexit *got, uint64_t round)
{
    char a[200], b[200];

    exit_describe(expect, a, sizeof a);
    exit_describe(got, b, sizeof b);
    if (expect->reason != got->reason || expect->rip != got->rip || expect->len != got->len ||
        memcmp(expect->bytes, got->bytes, expect->len) || strcmp(a, b) ||
        exit_qualification(expect) != exit_qualification(got) ||
        exit_extra(expect) != exit_extra(got))
        fail_msg("SEED=%" PRIu64 ": exits differ\n%s\n%s", round, a, b);
}

/* One instruction on both, exits answered alike. */
static void one_round(struct board *b, uint64_t round)
{
    seed = round * UINT64_C(0x9e3779b97f4a7c15) + 1;
    enum mode mode = (enum mode)(rnd() % N_MODES);
    struct cpu_state s = random_state(b, mode);
    struct controls c = { .exception_bitmap = UINT32_MAX, .monitor_trap_flag = true };
    struct vmexit expect, got;
    enum one_insn_end end;

    memset(&got, 0, sizeof got);
    if (!(rnd() & 3))
        c.cr3_load_exiting = c.invlpg_exiting = c.msr_exiting = c.rdtsc_exiting = true;
    if (!(rnd() & 3))
        c.cr0_mask = c.cr4_mask = UINT64_MAX;
    random_code(b, s.rip, mode);
    engine_soft.set_controls(&b->v, &c);
    engine_soft.set_state(&b->v, ST_ALL, &s);
    engine_soft.forget(&b->v, 0, RAM);
    engine_soft.run(&b->v, 1000, &expect);
    end = one_insn_run(b->o, &s, &c, &got);
    for (unsigned n = 0; ; n++) {
        if ((end == ONE_INSN_DONE) != (expect.reason == EXIT_MTF))
            fail_msg("SEED=%" PRIu64 ": %s, but here %s (exit %u of mode %d)", round,
                     exit_name(expect.reason),
                     end == ONE_INSN_DONE ? "it is done" : exit_name(got.reason), n, mode);
        same_state(b, round, end == ONE_INSN_DONE ? "at the end" : "at an exit");
        if (end == ONE_INSN_DONE) {
            n_done++;
            return;
        }
        same_exit(&expect, &got, round);
        n_exits[exit_index(got.reason)]++;
        if (!answerable(&expect) || n == 20)
            return;
        uint64_t value = rnd(), before = b->v.icount;
        answer(&expect, value);
        answer(&got, value);
        enum exit_reason asked = got.reason;
        engine_soft.conclude(&b->v, &expect, RETIRE);
        end = one_insn_answer(b->o, &got);
        if (b->v.icount != before || (end == ONE_INSN_DONE && asked == EXIT_IO)) {
            assert_int_equal(end, ONE_INSN_DONE);
            same_state(b, round, "after the answer");
            n_answered++;
            return;
        }
        if (end == ONE_INSN_EXIT && got.reason == EXIT_EXCEPTION && asked != EXIT_MMIO)
            return;             /* the engine would deliver it now, unseen */
        engine_soft.run(&b->v, 1000, &expect);
    }
}

static void random_instructions(void **state)
{
    const char *from = getenv("SEED"), *rounds = getenv("ROUNDS");
    uint64_t first = from ? strtoull(from, NULL, 0) : 1;
    uint64_t n = rounds ? strtoull(rounds, NULL, 0) : 20000;
    struct board b;

    (void)state;
    board_new(&b);
    for (uint64_t i = 0; i < n; i++)
        one_round(&b, first + i);
    board_free(&b);
    printf("# %" PRIu64 " rounds, %" PRIu64 " done, %" PRIu64 " answered;", n, n_done, n_answered);
    for (unsigned i = 0; i < N_EXITS; i++)
        if (n_exits[i])
            printf(" %s %" PRIu64, exit_infos[i].name, n_exits[i]);
    printf("\n");
    if (n >= 20000) {
        assert_true(n_done > n / 4);
        assert_true(n_answered > n / 50);
        assert_true(n_exits[EXIT_IDX_MMIO] > n / 200 && n_exits[EXIT_IDX_IO] > n / 50);
    }
}

/* ---- what the interface promises ---- */

static struct cpu_state real_mode_at(gpa_t at)
{
    struct cpu_state s;

    memset(&s, 0, sizeof s);
    cpu_state_reset(&s);
    s.seg[SEG_CS].sel = 0;
    s.seg[SEG_CS].base = 0;
    s.rip = at;
    s.rflags = FLAG_ONE;
    s.gpr[RSP] = 0x8000;
    return s;
}

/* The code is another at each call: nothing decoded is kept. */
static void code_that_changes(void **state)
{
    struct board b;
    struct cpu_state s = real_mode_at(CODE), after;
    struct controls none = { 0 };
    struct vmexit x;

    (void)state;
    board_new(&b);
    for (unsigned i = 0; i < 256; i++) {
        uint8_t mov_al[2] = { 0xb0, (uint8_t)i };
        memcpy(gmem_ptr(b.other, CODE, 2), mov_al, 2);          /* nobody is told */
        assert_int_equal(one_insn_run(b.o, &s, &none, &x), ONE_INSN_DONE);
        one_insn_state(b.o, &after);
        assert_int_equal(after.gpr[RAX] & 0xff, i);
        assert_int_equal(after.rip, CODE + 2);
    }
    board_free(&b);
}

static void exits_are_answered(void **state)
{
    struct board b;
    struct cpu_state s = real_mode_at(CODE), after;
    struct controls none = { 0 };
    struct vmexit x;

    (void)state;
    board_new(&b);
    write_both(&b, CODE, "\xe4\x60", 2);                        /* in al, 0x60 */
    assert_int_equal(one_insn_run(b.o, &s, &none, &x), ONE_INSN_EXIT);
    assert_int_equal(x.reason, EXIT_IO);
    assert_int_equal(x.io.port, 0x60);
    one_insn_state(b.o, &after);
    assert_int_equal(after.rip, CODE);
    x.io.value = 0x1c;
    assert_int_equal(one_insn_answer(b.o, &x), ONE_INSN_DONE);
    one_insn_state(b.o, &after);
    assert_int_equal(after.gpr[RAX] & 0xff, 0x1c);
    assert_int_equal(after.rip, CODE + 2);
    board_free(&b);
}

static void faults_leave_the_state(void **state)
{
    struct board b;
    struct cpu_state s = real_mode_at(CODE), after;
    struct controls none = { 0 };
    struct vmexit x;

    (void)state;
    board_new(&b);
    write_both(&b, CODE, "\xf7\xf1", 2);                        /* div cx, by 0 */
    assert_int_equal(one_insn_run(b.o, &s, &none, &x), ONE_INSN_EXIT);
    assert_int_equal(x.reason, EXIT_EXCEPTION);
    assert_int_equal(x.fault.vector, VEC_DE);
    one_insn_state(b.o, &after);
    assert_int_equal(cpu_state_diff(&s, &after, ST_ALL, (char[200]){ 0 }, 200), 0);
    board_free(&b);
}

static void traps_and_shadows_are_told(void **state)
{
    struct board b;
    struct cpu_state s = real_mode_at(CODE);
    struct controls none = { 0 };
    struct vmexit x;

    (void)state;
    board_new(&b);
    write_both(&b, CODE, "\xfb", 1);                            /* sti */
    assert_int_equal(one_insn_run(b.o, &s, &none, &x), ONE_INSN_DONE);
    assert_true(one_insn_rest(b.o).irq_shadow);
    assert_int_equal(one_insn_rest(b.o).debug_trap, 0);
    write_both(&b, CODE, "\x90", 1);
    s.rflags |= FLAG_TF;
    assert_int_equal(one_insn_run(b.o, &s, &none, &x), ONE_INSN_DONE);
    assert_int_equal(one_insn_rest(b.o).debug_trap, DR6_BS);
    s.rflags &= ~(uint64_t)FLAG_TF;
    assert_int_equal(one_insn_run(b.o, &s, &none, &x), ONE_INSN_DONE);
    assert_int_equal(one_insn_rest(b.o).debug_trap, 0);
    assert_false(one_insn_rest(b.o).irq_shadow);
    board_free(&b);
}

static void written_pages_are_dirty(void **state)
{
    struct board b;
    struct cpu_state s = real_mode_at(CODE);
    struct controls none = { 0 };
    struct vmexit x;
    gpa_t page;

    (void)state;
    board_new(&b);
    for (unsigned i = 0; i < 3; i++) {                          /* the TLB remembers nothing */
        s.gpr[RBX] = 0x9000;
        write_both(&b, CODE, "\x88\x07", 2);                    /* mov [bx], al */
        while (dirty_take(b.dirty, &page, 1))
            ;
        assert_int_equal(one_insn_run(b.o, &s, &none, &x), ONE_INSN_DONE);
        assert_int_equal(dirty_count(b.dirty), 1);
        assert_true(dirty_test(b.dirty, 0x9000));
    }
    board_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_instructions),
        cmocka_unit_test(code_that_changes),
        cmocka_unit_test(exits_are_answered),
        cmocka_unit_test(faults_leave_the_state),
        cmocka_unit_test(traps_and_shadows_are_told),
        cmocka_unit_test(written_pages_are_dirty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
