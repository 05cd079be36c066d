/*
 * Breakpoints and watchpoints on the soft engine, through the link: what stops,
 * and exactly where.  Real mode, code at 1000h, a step at a time in the tables.
 *   run    make unit
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/x86.h"
#include "link_board.h"

#define CODE 0x1000u
static char path[] = "/tmp/vitrine-test-stops-XXXXXX";

static struct link *start(const uint8_t *code, size_t n)
{
    return start_guest(path, code, n);
}

static void go(struct link *l, enum link_run how, uint64_t n)
{
    assert_int_equal(link_run(l, how, n), 0);
    assert_int_equal(link_wait(l, 5000), 0);
}

static struct cpu_state cpu_of(const struct link *l)
{
    struct cpu_state s;
    link_get_state(l, &s);
    return s;
}

static unsigned add(struct link *l, unsigned kind, uint64_t at, uint64_t len, unsigned access, const char *condition)
{
    char why[300];
    struct link_break b = { .kind = kind, .at = at, .len = len, .access = access, .enabled = true };
    snprintf(b.condition, sizeof b.condition, "%s", condition);
    assert_int_equal(link_break_add(l, &b, why, sizeof why), 0);
    return b.nr;
}

static uint64_t hits(struct link *l, unsigned nr)
{
    struct link_break b;
    for (size_t i = 0; !link_break_at(l, i, &b); i++)
        if (b.nr == nr)
            return b.hits;
    return UINT64_MAX;
}

/* ---- one instruction that touches, among nops ---- */

enum { R = BREAK_READ, W = BREAK_WRITE, C = BREAK_CHANGE };

/* Four nops, `insn`, four nops, hlt.  SI = 2000h, DI = 3000h, SP = 4000h, BX = 2000h, CX = 8,
 * AX = 1234h; memory is 0 but for the word at 2000h: 1.  IVT 80h leads to a nop at 1100h. */
static const struct touch {
    const char *name;
    uint8_t     insn[8];
    unsigned    len;
    gla_t       at;
    uint64_t    bytes;
    unsigned    access;
    gla_t       where;              /* told as the address; 0: no stop at all */
    unsigned    behind;             /* rip, from the instruction's; 0x100: at 1100h */
} touches[] = {
    { "a store",                        { 0x89, 0x07 },             2, 0x2000, 2, W, 0x2000, 2 },
    { "its second byte",                { 0x89, 0x07 },             2, 0x2001, 1, W, 0x2001, 2 },
    { "beside it",                      { 0x89, 0x07 },             2, 0x2002, 2, W, 0, 0 },
    { "a store is no read",             { 0x89, 0x07 },             2, 0x2000, 2, R, 0, 0 },
    { "a load",                         { 0x8b, 0x17 },             2, 0x2000, 2, R, 0x2000, 2 },
    { "a load is no write",             { 0x8b, 0x17 },             2, 0x2000, 2, W, 0, 0 },
    { "over the page's end",            { 0xa3, 0xff, 0x2f },       3, 0x3000, 1, W, 0x3000, 3 },
    { "up to it",                       { 0xa3, 0xff, 0x2f },       3, 0x2fff, 1, W, 0x2fff, 3 },
    { "a watch over the page's end",    { 0xa2, 0x00, 0x30 },       3, 0x2fff, 2, W, 0x3000, 3 },
    { "read-modify-write reads",        { 0xff, 0x07 },             2, 0x2000, 1, R, 0x2000, 2 },
    { "and writes",                     { 0xff, 0x07 },             2, 0x2000, 1, W, 0x2000, 2 },
    { "a change",                       { 0xff, 0x07 },             2, 0x2000, 2, C, 0x2000, 2 },
    { "the same value is no change",    { 0xc7, 0x07, 0x01, 0x00 }, 4, 0x2000, 2, C, 0, 0 },
    { "a comparison, and not its jump", { 0x83, 0x3f, 0x01, 0x74, 0x01, 0x90 }, 6, 0x2000, 2, R, 0x2000, 3 },
    { "an exchange",                    { 0x87, 0x07 },             2, 0x2000, 2, W, 0x2000, 2 },
    { "CMPXCHG that fails writes",      { 0x0f, 0xb1, 0x0f },       3, 0x2000, 2, W, 0x2000, 3 },
    { "PUSH",                           { 0x50 },                   1, 0x3ffe, 2, W, 0x3ffe, 1 },
    { "POP",                            { 0x58 },                   1, 0x4000, 2, R, 0x4000, 1 },
    { "PUSHA",                          { 0x60 },                   1, 0x3ff0, 2, W, 0x3ff0, 1 },
    { "a call's return address",        { 0xe8, 0x00, 0x00 },       3, 0x3ffe, 2, W, 0x3ffe, 3 },
    { "INT's vector",                   { 0xcd, 0x80 },             2, 0x200,  4, R, 0x200, 0x100 },
    { "INT's frame",                    { 0xcd, 0x80 },             2, 0x3ffa, 2, W, 0x3ffa, 0x100 },
    { "MOVS reads",                     { 0xa4 },                   1, 0x2000, 1, R, 0x2000, 1 },
    { "MOVS writes",                    { 0xa4 },                   1, 0x3000, 1, W, 0x3000, 1 },
    { "REP MOVS, its third byte",       { 0xf3, 0xa4 },             2, 0x3002, 1, W, 0x3002, 0x200 },
    { "REP MOVS, its last",             { 0xf3, 0xa4 },             2, 0x2007, 1, R, 0x2007, 2 },
    { "REP MOVS, not so far",           { 0xf3, 0xa4 },             2, 0x3008, 1, W, 0, 0 },
    { "REP STOS",                       { 0xf3, 0xab },             2, 0x3004, 1, W, 0x3004, 0x200 },
    { "REPE CMPS",                      { 0xf3, 0xa6 },             2, 0x2000, 1, R, 0x2000, 2 },
    { "OUTS reads",                     { 0x6e },                   1, 0x2000, 1, R, 0x2000, 1 },
    { "INS writes",                     { 0x6c },                   1, 0x3000, 1, W, 0x3000, 1 },
    { "FNSTENV, its end",               { 0xd9, 0x37 },             2, 0x200c, 2, W, 0x200c, 2 },
    { "LGDT",                           { 0x0f, 0x01, 0x17 },       3, 0x2004, 1, R, 0x2004, 3 },
    { "a far pointer",                  { 0xc5, 0x17 },             2, 0x2002, 1, R, 0x2002, 2 },
    { "LEA touches nothing",            { 0x8d, 0x17 },             2, 0x2000, 2, R | W, 0, 0 },
    { "code is no data",                { 0x90 },                   1, 0x1000, 16, R | W, 0, 0 },
};

static void set_up(struct link *l)
{
    struct cpu_state s = cpu_of(l);
    s.rip = CODE;
    s.gpr[RSI] = s.gpr[RBX] = 0x2000;
    s.gpr[RDI] = 0x3000;
    s.gpr[RSP] = 0x4000;
    s.gpr[RCX] = 8;
    s.gpr[RAX] = 0x1234;
    s.gpr[RDX] = 0x80;
    for (unsigned i = SEG_ES; i <= SEG_GS; i++)
        s.seg[i].sel = s.seg[i].base = 0;
    assert_int_equal(link_set_state(l, ST_GPRS | ST_SEGS, &s), 0);
    assert_int_equal(link_write_phys(l, 0x2000, "\1", 1), 0);
    assert_int_equal(link_write_phys(l, 0x200, "\x00\x11\0\0", 4), 0);
    assert_int_equal(link_write_phys(l, 0x1100, "\x90\xf4", 2), 0);
}

/* By stepping and decoding: not what INT reads and writes for itself, and a REP may go on to its end. */
static struct engine_caps caps;

static bool is_seen(const struct touch *t)
{
    return board_engine->counts ||
           (!(t->behind & 0x100) && (caps.sse || (t->insn[0] != 0xd9)));     /* nor x87, where it is not to be had */
}

static void watchpoints(void **state)
{
    (void)state;
    for (size_t i = 0; i < NELEM(touches); i++) {
        const struct touch *t = &touches[i];
        if (!is_seen(t))
            continue;
        uint8_t code[20];
        memset(code, 0x90, sizeof code);
        memcpy(code + 4, t->insn, t->len);
        code[8 + t->len] = 0xf4;
        struct link *l = start(code, 9 + t->len);
        set_up(l);
        unsigned nr = add(l, BREAK_DATA, t->at, t->bytes, t->access, "");
        go(l, LINK_FREE, 0);
        const struct link_stop *why = link_stopped(l);
        uint64_t behind = cpu_of(l).rip - CODE - 4;
        uint64_t wanted = t->behind == 0x100 ? 0x1100 - CODE - 4 : t->behind == 0x200 ? 0 : t->behind;
        bool good = t->where ? why->why == LINK_BREAK && why->nr == nr && why->address == t->where &&
                               (behind == wanted || (!board_engine->counts && t->insn[0] == 0xf3 && behind == 0))
                             : why->why == LINK_GUEST_ENDED;
        if (!good)
            print_message("%s: %s (address %#lx, rip %+ld)\n", t->name, why->text, (unsigned long)why->address, (long)behind);
        assert_true(good);
        link_end(l);
    }
}

/* Two stops of one instruction are both counted, and one is told; the second store stops again. */
static void several_at_once(void **state)
{
    /* movsw; mov [3000h],ax; hlt */
    static const uint8_t code[] = { 0xa5, 0xa3, 0x00, 0x30, 0xf4 };
    (void)state;
    struct link *l = start(code, sizeof code);
    set_up(l);
    unsigned from = add(l, BREAK_DATA, 0x2000, 1, R, ""), to = add(l, BREAK_DATA, 0x3000, 4, W, "");
    unsigned both = add(l, BREAK_DATA, 0x3001, 1, W, ""), never = add(l, BREAK_DATA, 0x3000, 2, W, "ax == 5");
    go(l, LINK_FREE, 0);
    assert_int_equal(link_stopped(l)->why, LINK_BREAK);
    assert_int_equal(cpu_of(l).rip, 0x1001);
    assert_int_equal(hits(l, from), 1);
    assert_int_equal(hits(l, to), 1);
    assert_int_equal(hits(l, both), 1);
    go(l, LINK_FREE, 0);
    assert_int_equal(cpu_of(l).rip, 0x1004);
    assert_int_equal(hits(l, from), 1);
    assert_int_equal(hits(l, to), 2);
    assert_int_equal(hits(l, both), 2);
    assert_int_equal(hits(l, never), 0);
    go(l, LINK_FREE, 0);
    assert_int_equal(link_stopped(l)->why, LINK_GUEST_ENDED);
    link_end(l);
}

/* An instruction that touches and then faults has not happened; its handler's frame has. */
static void faulting(void **state)
{
    /* movsw to FFFFh: #GP, vector 13, led to 1100h */
    static const uint8_t code[] = { 0x90, 0xa5, 0xf4 };
    (void)state;
    struct link *l = start(code, sizeof code);
    set_up(l);
    struct cpu_state s = cpu_of(l);
    s.gpr[RDI] = 0xffff;
    assert_int_equal(link_set_state(l, ST_GPRS, &s), 0);
    assert_int_equal(link_write_phys(l, 13 * 4, "\x00\x11\0\0", 4), 0);
    unsigned read = add(l, BREAK_DATA, 0x2000, 2, R, ""), frame = add(l, BREAK_DATA, 0x3ffe, 2, W, "");
    go(l, LINK_FREE, 0);
    assert_int_equal(link_stopped(l)->nr, frame);
    assert_int_equal(cpu_of(l).rip, 0x1100);
    assert_int_equal(hits(l, read), 0);
    link_end(l);
}

/* ---- all at once: the same places as single steps find ---- */

/* 1000  mov cx,3        1003  inc word [2000h]   1007  push cx    1008  mov si,1ffeh
 * 100b  mov di,2fffh    100e  mov cx,5           1011  rep movsb  1013  pop cx
 * 1014  add [2003h],cl  1018  call 101fh         101b  loop 1003h 101d  jmp 1000h
 * 101f  mov [2ffeh],cx  1023  ret */
static const uint8_t mixed[] = {
    0xb9, 0x03, 0x00, 0xff, 0x06, 0x00, 0x20, 0x51, 0xbe, 0xfe, 0x1f, 0xbf, 0xff, 0x2f, 0xb9, 0x05, 0x00, 0xf3, 0xa4,
    0x59, 0x00, 0x0e, 0x03, 0x20, 0xe8, 0x04, 0x00, 0xe2, 0xe6, 0xeb, 0xe1, 0x89, 0x0e, 0xfe, 0x2f, 0xc3,
};
#define STOPS 60

static uint64_t icount(const struct link *l)
{
    struct link_status st;
    link_get_status(l, &st);
    return st.icount;
}

static void as_single_steps(void **state)
{
    static const struct { gla_t at; unsigned len; } rows[] = {
        { 0x2000, 4 }, { 0x2003, 1 }, { 0x2ffe, 4 }, { 0x3ffe, 2 }, { 0x3001, 3 },
    };
    (void)state;
    for (size_t r = 0; r < NELEM(rows); r++) {
        struct link *l = start(mixed, sizeof mixed), *k = start(mixed, sizeof mixed);
        uint8_t old[8] = { 0 }, now[8] = { 0 };
        set_up(l);
        set_up(k);
        add(k, BREAK_DATA, rows[r].at, rows[r].len, C, "");
        link_read_linear(l, rows[r].at, now, rows[r].len);
        for (unsigned n = 0; n < STOPS; n++) {
            unsigned steps = 0;
            do {
                assert_true(++steps < 5000);
                memcpy(old, now, sizeof old);
                go(l, LINK_STEP, 1);
                link_read_linear(l, rows[r].at, now, rows[r].len);
            } while (!memcmp(old, now, sizeof old));
            go(k, LINK_FREE, 0);
            assert_int_equal(icount(k), icount(l));
            assert_int_equal(cpu_of(k).rip, cpu_of(l).rip);
            assert_int_equal(cpu_of(k).rflags, cpu_of(l).rflags);
            assert_memory_equal(cpu_of(k).gpr, cpu_of(l).gpr, sizeof cpu_of(k).gpr);
        }
        link_end(l);
        link_end(k);
    }
}

/* ---- code ---- */

/* At every address, instruction or not: a stop at each instruction, and only there. */
static void everywhere(void **state)
{
    (void)state;
    struct link *l = start(mixed, sizeof mixed), *k = start(mixed, sizeof mixed);
    set_up(l);
    set_up(k);
    for (unsigned i = 0; i < 4096; i++)
        add(k, BREAK_CODE, CODE + i, 0, 0, "");
    for (unsigned n = 0; n < 300; n++) {
        go(l, LINK_STEP, 1);
        go(k, LINK_FREE, 0);
        assert_int_equal(link_stopped(k)->why, LINK_BREAK);
        assert_int_equal(icount(k), icount(l));
        assert_int_equal(cpu_of(k).rip, cpu_of(l).rip);
    }
    link_end(l);
    link_end(k);
}

/* Set and taken away while the code is hot, from within and at its ends. */
static void on_hot_code(void **state)
{
    static const uint16_t places[] = { 0x1000, 0x1003, 0x1011, 0x1014, 0x101b, 0x101f, 0x1023 };
    (void)state;
    struct link *l = start(mixed, sizeof mixed);
    set_up(l);
    for (unsigned n = 0; n < 50; n++) {
        uint16_t at = places[n % NELEM(places)];
        go(l, LINK_STEP, 5000 + n);
        unsigned nr = add(l, BREAK_CODE, at, 0, 0, "");
        go(l, LINK_FREE, 0);
        assert_int_equal(link_stopped(l)->nr, nr);
        assert_int_equal(cpu_of(l).rip, at);
        assert_int_equal(link_break_delete(l, nr), 0);
        unsigned far = add(l, BREAK_CODE, 0x1001, 0, 0, "");     /* in the midst of an instruction */
        go(l, LINK_STEP, 5000);
        assert_int_equal(link_stopped(l)->why, LINK_STEPPED);
        assert_int_equal(link_break_delete(l, far), 0);
    }
    link_end(l);
}

/* Through a loader: the code is written after the breakpoint was set, more than once. */
static void code_that_changes(void **state)
{
    /* 1000 mov byte [1010h],90h   1005 call 1010h   1008 mov byte [1010h],0c3h   100d jmp 1000h
     * 1010 ret   1011 ret */
    static const uint8_t code[] = { 0xc6, 0x06, 0x10, 0x10, 0x90, 0xe8, 0x08, 0x00, 0xc6, 0x06, 0x10, 0x10, 0xc3,
                                    0xeb, 0xf1, 0x90, 0xc3, 0xc3 };
    (void)state;
    struct link *l = start(code, sizeof code);
    set_up(l);
    add(l, BREAK_CODE, 0x1010, 0, 0, "");
    add(l, BREAK_CODE, 0x1011, 0, 0, "");
    for (unsigned n = 0; n < 20; n++) {
        go(l, LINK_FREE, 0);
        assert_int_equal(cpu_of(l).rip, 0x1010);
        go(l, LINK_FREE, 0);
        assert_int_equal(cpu_of(l).rip, 0x1011);
    }
    link_end(l);
}

static void thousands(void **state)
{
    (void)state;
    struct link *l = start(mixed, sizeof mixed);
    set_up(l);
    for (unsigned i = 0; i < 10000; i++)
        add(l, BREAK_CODE, 0x10000 + 3 * i, 0, 0, "");
    for (unsigned i = 0; i < 2000; i++)
        add(l, BREAK_DATA, 0x30000 + 8 * i, 4, R | W, "");
    unsigned nr = add(l, BREAK_DATA, 0x2003, 1, W, "cl == 2");
    for (unsigned i = 0; i < 10; i++) {
        go(l, LINK_FREE, 0);
        assert_int_equal(link_stopped(l)->nr, nr);
        assert_int_equal(cpu_of(l).rip, 0x1018);
        assert_int_equal(cpu_of(l).gpr[RCX] & 0xff, 2);
    }
    for (unsigned i = 1; i <= 12000; i += 2)
        assert_int_equal(link_break_delete(l, i), 0);
    go(l, LINK_FREE, 0);
    assert_int_equal(link_stopped(l)->nr, nr);
    link_end(l);
}

/* ---- steps and interrupts ---- */

/* 8259A: IRQ 0 alone, vector 20h; 8254: every 20 ticks, about 17 us; sti; inc bx; jmp back; with
 * MOV SS and PUSHF on the way.  The handler at 1100h: inc dx; EOI; iret */
static const uint8_t ticking[] = {
    0xb0, 0x11, 0xe6, 0x20, 0xb0, 0x20, 0xe6, 0x21, 0xb0, 0x04, 0xe6, 0x21, 0xb0, 0x01, 0xe6, 0x21, 0xb0, 0xfe, 0xe6, 0x21,
    0xb0, 0x34, 0xe6, 0x43, 0xb0, 0x14, 0xe6, 0x40, 0xb0, 0x00, 0xe6, 0x40,
    0xfa, 0x43, 0x8e, 0xd1, 0x9c, 0x5d, 0x01, 0xef, 0xfb, 0x90, 0xeb, 0xf4,
};

static struct link *start_ticking(void)
{
    struct link *l = start(ticking, sizeof ticking);
    set_up(l);
    struct cpu_state s = cpu_of(l);
    s.gpr[RDX] = s.gpr[RCX] = 0;
    assert_int_equal(link_set_state(l, ST_GPRS, &s), 0);
    assert_int_equal(link_write_phys(l, 0x80, "\x00\x11\0\0", 4), 0);
    assert_int_equal(link_write_phys(l, 0x1100, "\x42\xb0\x20\xe6\x20\xcf", 6), 0);
    return l;
}

static void interrupts_held(void **state)
{
    (void)state;
    struct link *l = start_ticking();
    assert_int_equal(link_set_step_irqs(l, false), 0);
    go(l, LINK_STEP, 200000);
    assert_int_equal(cpu_of(l).gpr[RDX], 0);
    assert_int_equal(link_run_range(l, CODE, CODE + sizeof ticking), 0);
    assert_int_equal(link_wait(l, 50), -ETIMEDOUT);
    assert_int_equal(link_pause(l), 0);
    assert_int_equal(link_wait(l, 5000), 0);
    assert_int_equal(cpu_of(l).gpr[RDX], 0);
    add(l, BREAK_CODE, 0x1100, 0, 0, "");
    go(l, LINK_FREE, 0);                        /* what was held comes now */
    assert_int_equal(cpu_of(l).rip, 0x1100);
    assert_int_equal(link_set_step_irqs(l, true), 0);
    assert_int_equal(link_break_delete(l, 1), 0);
    go(l, LINK_STEP, 200000);
    assert_true(cpu_of(l).gpr[RDX] > 5);
    link_end(l);
}

/* Step by step, over STI and MOV SS and through handlers, is the same way; PUSHF shows no trap flag. */
static void small_steps(void **state)
{
    (void)state;
    struct link *l = start_ticking(), *k = start_ticking();
    unsigned n = 0;
    for (unsigned i = 0; n < 60000; i++) {
        unsigned stride = 1 + i % 29;
        go(l, LINK_STEP, stride);
        n += stride;
    }
    for (unsigned i = 0; i < 100; i++, n++)
        go(l, LINK_STEP, 1);
    go(k, LINK_STEP, n);
    struct cpu_state a = cpu_of(l), b = cpu_of(k);
    assert_int_equal(icount(l), icount(k));
    assert_memory_equal(a.gpr, b.gpr, sizeof a.gpr);
    assert_int_equal(a.rip, b.rip);
    assert_int_equal(a.rflags, b.rflags);
    assert_true(a.gpr[RDX] >= 2);
    assert_int_equal(a.gpr[RBP] & FLAG_TF, 0);
    link_end(l);
    link_end(k);
}

/* The same where the CPU cannot watch, or not so much: many breakpoints, ones that a guest writes
 * over, and every access that an instruction names. */
static void on_kvm(void **state)
{
    if (engine_kvm.probe(&caps) || !caps.real_mode || !caps.single_step) {
        print_message("skipped: %s\n", caps.why);
        skip();
    }
    board_engine = &engine_kvm;
    watchpoints(state);
    code_that_changes(state);
    board_engine = &engine_soft;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watchpoints), cmocka_unit_test(several_at_once), cmocka_unit_test(faulting),
        cmocka_unit_test(as_single_steps), cmocka_unit_test(everywhere), cmocka_unit_test(on_hot_code),
        cmocka_unit_test(code_that_changes), cmocka_unit_test(thousands),
        cmocka_unit_test(on_kvm), cmocka_unit_test(interrupts_held), cmocka_unit_test(small_steps),
    };
    int fd = mkstemp(path);
    if (fd < 0)
        return 2;
    close(fd);
    int bad = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return bad;
}
