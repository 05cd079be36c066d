/*
 * GDB's framing without a socket, its byte code, and its register tables.
 *   run    make unit
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/x86.h"
#include "cpu/regs.h"
#include "debugger/gdb/packet.h"
#include "debugger/symbols/gdb_regs.h"
#include "debugger/vmm/gdb_agent.h"

/* ---- framing ---- */

static struct gdb_packets p;

static enum gdb_got take(const char *bytes, size_t n)
{
    enum gdb_got got;
    assert_int_equal(gdb_packets_take(&p, bytes, n, &got), n);
    return got;
}

#define TAKE(text) take(text, sizeof(text) - 1)

static void assert_out(const char *bytes)
{
    if (p.out.n != strlen(bytes) || memcmp(p.out.byte, bytes, p.out.n))
        print_message("%.*s instead of %s\n", (int)p.out.n, p.out.byte, bytes);
    assert_int_equal(p.out.n, strlen(bytes));
    assert_memory_equal(p.out.byte, bytes, p.out.n);
    p.out.n = 0;
}

static int setup(void **state)
{
    (void)state;
    return !gdb_packets_init(&p);
}

static int teardown(void **state)
{
    (void)state;
    gdb_packets_free(&p);
    return 0;
}

static void whole(void **state)
{
    (void)state;
    assert_int_equal(TAKE("+++$m12,4#30"), GDB_PACKET);
    assert_string_equal(p.body, "m12,4");
    assert_out("+");
    assert_int_equal(TAKE("$#00"), GDB_PACKET);
    assert_int_equal(p.n_body, 0);
    assert_out("+");
    assert_int_equal(TAKE("\003"), GDB_INTERRUPT);
    assert_out("");
}

static void in_pieces(void **state)
{
    (void)state;
    static const char packet[] = "$vCont;c#a8";
    for (size_t i = 0; i < sizeof packet - 2; i++)
        assert_int_equal(take(packet + i, 1), GDB_NOTHING);
    assert_int_equal(take("8", 1), GDB_PACKET);
    assert_string_equal(p.body, "vCont;c");
    assert_out("+");
    /* Half of one, and then another: the half is forgotten. */
    assert_int_equal(TAKE("$vCo"), GDB_NOTHING);
    assert_int_equal(TAKE("$?#3f"), GDB_PACKET);
    assert_string_equal(p.body, "?");
    assert_out("+");
}

static void wrong_sum(void **state)
{
    (void)state;
    assert_int_equal(TAKE("$?#00"), GDB_NOTHING);
    assert_out("-");
    assert_int_equal(TAKE("$?#zz"), GDB_NOTHING);
    assert_out("-");
    assert_int_equal(TAKE("$?#3F"), GDB_PACKET);
    assert_out("+");
    p.no_ack = true;                            /* nobody looks at it then */
    assert_int_equal(TAKE("$?#00"), GDB_PACKET);
    assert_out("");
}

static void escapes(void **state)
{
    (void)state;
    static const char bytes[] = { '$', '#', '}', '*', 'a', 0, 3 };
    assert_int_equal(TAKE("$a}\003}\004}]b#e6"), GDB_NOTHING);      /* another sum */
    assert_out("-");
    p.no_ack = true;
    assert_int_equal(TAKE("$a}\003}\004}]b#00"), GDB_PACKET);
    assert_string_equal(p.body, "a#$}b");
    gdb_begin(&p);                              /* what we escape, we can read */
    gdb_put_binary(&p, bytes, sizeof bytes);
    assert_int_equal(p.answer.n, sizeof bytes + 4);
    gdb_send(&p);
    char sent[64];
    memcpy(sent, p.out.byte, p.out.n);
    p.no_ack = false;
    assert_int_equal(take(sent, p.out.n), GDB_PACKET);
    assert_int_equal(p.n_body, sizeof bytes);
    assert_memory_equal(p.body, bytes, sizeof bytes);
}

static void too_long(void **state)
{
    (void)state;
    char *big = malloc(GDB_PACKET_MAX + 100);
    memset(big, 'x', GDB_PACKET_MAX + 100);
    p.no_ack = true;
    assert_int_equal(TAKE("$"), GDB_NOTHING);
    assert_int_equal(take(big, GDB_PACKET_MAX + 100), GDB_NOTHING);
    assert_int_equal(TAKE("#00"), GDB_TOO_LONG);
    assert_int_equal(TAKE("$?#3f"), GDB_PACKET);
    free(big);
}

/* A NAK has the answer sent again, a storm of them not for ever, and not on top of itself. */
static void naks(void **state)
{
    (void)state;
    assert_int_equal(TAKE("$?#3f"), GDB_PACKET);
    gdb_begin(&p);
    gdb_put(&p, "S05");
    gdb_send(&p);
    assert_out("+$S05#b8");
    assert_int_equal(TAKE("-"), GDB_NOTHING);
    assert_out("$S05#b8");
    assert_int_equal(TAKE("----"), GDB_NOTHING);
    assert_out("$S05#b8");
    size_t sent = 0;
    for (int i = 0; i < 1000; i++) {
        TAKE("-");
        sent += p.out.n;
        p.out.n = 0;
    }
    assert_true(sent < 100);
    assert_int_equal(TAKE("$?#3f"), GDB_PACKET);
    assert_out("+");
    assert_int_equal(TAKE("-"), GDB_NOTHING);
    assert_out("$S05#b8");
}

static void numbers(void **state)
{
    (void)state;
    static const char text[] = "ffffffffffffffff,10000000000000000";
    const char *at = text, *end = text + sizeof text - 1;
    uint64_t v;
    assert_true(gdb_number(&at, end, &v));
    assert_int_equal(v, UINT64_MAX);
    assert_int_equal(*at++, ',');
    assert_false(gdb_number(&at, end, &v));     /* 65 bits */
    at = "";
    assert_false(gdb_number(&at, at, &v));
    uint8_t bytes[4];
    assert_int_equal(gdb_from_hex("12aBx", 5, bytes, 4), 2);
    assert_int_equal(bytes[1], 0xab);
    assert_int_equal(gdb_from_hex("123", 3, bytes, 4), 1);
}

/* ---- byte code ---- */

static int fake_read(void *arg, uint64_t at, void *buf, unsigned n)
{
    (void)arg;
    uint64_t v = 0x8877665544332211;
    if (at != 0x1000)
        return -EFAULT;
    memcpy(buf, &v, n);
    return 0;
}

static bool fake_reg(void *arg, unsigned nr, uint64_t *value)
{
    (void)arg;
    *value = 100 + nr;
    return nr < 8;
}

static const struct agent_machine machine = { fake_read, fake_reg, NULL };

#define EVAL(v, ...) agent_eval((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), \
                                &machine, v, why, sizeof why)

static void byte_code(void **state)
{
    (void)state;
    char why[120];
    uint64_t v;
    /* what gdb 13 makes of `$eax == 0x1234567`, with 107 instead */
    assert_int_equal(EVAL(&v, 0x26, 0, 7, 0x16, 0x20, 0x24, 0, 0, 0, 107, 0x13, 0x27), 0);
    assert_int_equal(v, 1);
    assert_int_equal(EVAL(&v, 0x23, 0x10, 0, 0x19, 0x27), 0);               /* *(int *)0x1000 */
    assert_int_equal(v, 0x44332211);
    assert_int_equal(EVAL(&v, 0x22, 0xff, 0x16, 8, 0x27), 0);               /* sign-extended */
    assert_int_equal(v, UINT64_MAX);
    assert_int_equal(EVAL(&v, 0x22, 5, 0x22, 3, 0x03, 0x27), 0);            /* 5 - 3 */
    assert_int_equal(v, 2);
    assert_int_equal(EVAL(&v, 0x22, 0, 0x20, 0, 9, 0x22, 7, 0x27, 0, 0x22, 8, 0x27), 0);    /* not taken */
    assert_int_equal(v, 7);
    assert_int_equal(EVAL(&v, 0x22, 1, 0x20, 0, 9, 0x22, 7, 0x27, 0, 0x22, 8, 0x27), 0);    /* taken */
    assert_int_equal(v, 8);
    assert_int_equal(EVAL(&v, 0x22, 1, 0x22, 2, 0x22, 3, 0x33, 0x29, 0x29, 0x27), 0);       /* rot: 3 1 2 */
    assert_int_equal(v, 3);
    /* the smallest number by -1 */
    assert_int_equal(EVAL(&v, 0x25, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x22, 0, 0x12, 0x05, 0x27), 0);
    assert_int_equal(v, UINT64_C(1) << 63);
}

static void bad_byte_code(void **state)
{
    (void)state;
    char why[120];
    uint64_t v;
    assert_int_equal(EVAL(&v, 0x27), -EINVAL);                              /* nothing on the stack */
    assert_int_equal(EVAL(&v, 0x02, 0x27), -EINVAL);
    assert_int_equal(EVAL(&v, 0x22), -EINVAL);                              /* cut off */
    assert_int_equal(EVAL(&v, 0x22, 1), -EINVAL);                           /* no end */
    assert_int_equal(EVAL(&v, 0x21, 0, 0), -EINVAL);                        /* round and round */
    assert_int_equal(EVAL(&v, 0x21, 0xff, 0xff), -EINVAL);                  /* out of it */
    assert_int_equal(EVAL(&v, 0x22, 1, 0x28, 0x21, 0, 2), -EINVAL);         /* higher and higher */
    assert_int_equal(EVAL(&v, 0x22, 1, 0x22, 0, 0x05, 0x27), -EINVAL);      /* by 0 */
    assert_int_equal(EVAL(&v, 0x26, 0, 9, 0x27), -EINVAL);                  /* no such register */
    assert_int_equal(EVAL(&v, 0x22, 1, 0x32, 1, 0x27), -EINVAL);            /* below the stack */
    assert_int_equal(EVAL(&v, 0xff), -EINVAL);
    assert_int_equal(EVAL(&v, 0x0c), -EINVAL);                              /* trace: not here */
    assert_int_equal(EVAL(&v, 0x22, 1, 0x17, 0x27), -EFAULT);
    assert_int_equal(agent_eval(NULL, 0, &machine, &v, why, sizeof why), -EINVAL);
}

static void lists(void **state)
{
    (void)state;
    char why[120];
    bool holds;
    uint8_t bytes[16];
    static const uint8_t no[] = { 0x22, 0, 0x27 }, yes[] = { 0x22, 9, 0x27 };
    struct agent_list l = { bytes, 0, sizeof bytes };
    assert_true(agent_list_begin(&l, GDB_I386));
    assert_true(agent_list_add(&l, no, sizeof no));
    assert_int_equal(agent_list_check(bytes, l.n, why, sizeof why), 0);
    assert_int_equal(agent_list_eval(bytes, l.n, &machine, &holds, why, sizeof why), 0);
    assert_false(holds);
    assert_true(agent_list_add(&l, yes, sizeof yes));
    assert_int_equal(agent_list_eval(bytes, l.n, &machine, &holds, why, sizeof why), 0);
    assert_true(holds);
    assert_true(agent_list_add(&l, yes, sizeof yes));
    assert_false(agent_list_add(&l, yes, sizeof yes));                      /* full */
    assert_int_equal(agent_list_check(bytes, l.n, why, sizeof why), 0);
    for (size_t n = 0; n < l.n; n++)                                        /* cut anywhere but between */
        assert_int_equal(agent_list_check(bytes, n, why, sizeof why), n == 1 || n == 6 || n == 11 ? 0 : -EINVAL);
    bytes[0] = 77;
    assert_int_equal(agent_list_check(bytes, l.n, why, sizeof why), -EINVAL);
}

/* ---- registers ---- */

/* gdb refuses the core feature unless all 32 (or 40) are there, in order. */
static void register_order(void **state)
{
    (void)state;
    static const char *const narrow[] = { "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags",
                                          "cs", "ss", "ds", "es", "fs", "gs", "st0" };
    static const char *const wide[] = { "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11",
                                        "r12", "r13", "r14", "r15", "rip", "eflags", "cs", "ss", "ds", "es", "fs", "gs",
                                        "st0" };
    for (size_t i = 0; i < NELEM(narrow); i++) {
        assert_string_equal(gdb_reg_at(GDB_I386, i)->name, narrow[i]);
        assert_string_equal(gdb_reg_at(GDB_I8086, i)->name, narrow[i]);
    }
    for (size_t i = 0; i < NELEM(wide); i++)
        assert_string_equal(gdb_reg_at(GDB_X86_64, i)->name, wide[i]);
    assert_string_equal(gdb_reg_at(GDB_I386, 31)->name, "fop");
    assert_string_equal(gdb_reg_at(GDB_X86_64, 39)->name, "fop");
    assert_null(gdb_reg_at(GDB_X86_64, gdb_reg_count(GDB_X86_64)));
    assert_null(gdb_reg_at(GDB_X86_64, SIZE_MAX));
}

/* Everything of struct cpu_state is in some register: what is written there comes back. */
static void every_register(void **state)
{
    (void)state;
    static struct cpu_state s, other;
    static uint8_t seen[sizeof s];
    for (unsigned a = 0; a < N_GDB_ARCHS; a++)
        for (size_t i = 0; i < gdb_reg_count(a); i++) {
            const struct gdb_reg *r = gdb_reg_at(a, i);
            uint8_t in[GDB_REG_BYTES] = { 0 }, out[GDB_REG_BYTES];
            assert_true(r->wire <= GDB_REG_BYTES);
            memset(in, 0x5a, r->bytes < r->wire ? r->bytes : r->wire);
            gdb_reg_read(r, &s, out);
            memset(&other, 0, sizeof other);
            gdb_reg_write(r, &other, in);
            gdb_reg_read(r, &other, out);
            if (!r->special)                    /* the pc and the tag word are computed */
                assert_memory_equal(in, out, r->wire);
            for (unsigned k = 0; k < r->bytes; k++)
                seen[r->offset + k] = 1;
        }
    size_t missing = 0;
    for (size_t k = 0; k < offsetof(struct cpu_state, fpu); k++)
        missing += !seen[k];
    /* dr4 and dr5 do not exist; two table registers have 6 bytes of padding each */
    assert_int_equal(missing, 2 * 8 + 2 * 6);
}

/* The tag word: FXSAVE keeps one bit of two. */
static void tags(void **state)
{
    (void)state;
    struct cpu_state s = { .rip = 0 };
    uint8_t out[GDB_REG_BYTES];
    const struct gdb_reg *r = gdb_reg_at(GDB_I386, 26);
    assert_string_equal(r->name, "ftag");
    gdb_reg_read(r, &s, out);
    assert_int_equal(out[0] | out[1] << 8, 0xffff);         /* all empty */
    s.fpu[4] = 0x80;                                        /* physical 7, which with TOP 7 is st0: 1.0 */
    s.fpu[3] = 7 << 3;
    s.fpu[32 + 7] = 0x80;
    s.fpu[32 + 8] = 0xff, s.fpu[32 + 9] = 0x3f;
    gdb_reg_read(r, &s, out);
    assert_int_equal(out[0] | out[1] << 8, 0x3fff);
    gdb_reg_write(r, &s, (const uint8_t[GDB_REG_BYTES]){ 0xff, 0xff });
    assert_int_equal(s.fpu[4], 0);
}

/* The program counter is linear, whatever CS is. */
static void linear_pc(void **state)
{
    (void)state;
    struct cpu_state s = { .rip = 0xfff0 };
    uint8_t image[GDB_REG_BYTES] = { 0 };
    uint32_t pc;
    s.seg[SEG_CS] = (struct segment){ 0xf000, SEG_P, 0xffff, 0xf0000 };
    const struct gdb_reg *r = gdb_reg_at(GDB_I8086, 8);
    gdb_reg_read(r, &s, image);
    memcpy(&pc, image, 4);
    assert_int_equal(pc, 0xffff0);
    pc = 0xf1234;
    memcpy(image, &pc, 4);
    gdb_reg_write(r, &s, image);
    assert_int_equal(s.rip, 0x1234);
    assert_int_equal(gdb_arch_of(&s), GDB_I8086);
}

static void documents(void **state)
{
    (void)state;
    char text[300];
    for (unsigned a = 0; a < N_GDB_ARCHS; a++) {
        size_t n, opened = 0, closed = 0;
        const char *xml = gdb_reg_xml(a, &n);
        assert_non_null(xml);
        assert_int_equal(strlen(xml), n);
        for (const char *c = xml; (c = strstr(c, "<feature ")) != NULL; c++)
            opened++;
        for (const char *c = xml; (c = strstr(c, "</feature>")) != NULL; c++)
            closed++;
        assert_int_equal(opened, a == GDB_X86_64 ? 4 : 3);
        assert_int_equal(closed, opened);
        for (size_t i = 0; i < gdb_reg_count(a); i++)
            assert_true(gdb_reg_info(a, i, text, sizeof text));
        assert_false(gdb_reg_info(a, gdb_reg_count(a), text, sizeof text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whole, setup, teardown),
        cmocka_unit_test_setup_teardown(in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_sum, setup, teardown),
        cmocka_unit_test_setup_teardown(escapes, setup, teardown),
        cmocka_unit_test_setup_teardown(too_long, setup, teardown),
        cmocka_unit_test_setup_teardown(naks, setup, teardown),
        cmocka_unit_test(numbers),
        cmocka_unit_test(byte_code),
        cmocka_unit_test(bad_byte_code),
        cmocka_unit_test(lists),
        cmocka_unit_test(register_order),
        cmocka_unit_test(every_register),
        cmocka_unit_test(tags),
        cmocka_unit_test(linear_pc),
        cmocka_unit_test(documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
