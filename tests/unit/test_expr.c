/*
 * Expressions, registers by name, disassembly, and the console's table without a machine.
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

#include "base/trace.h"
#include "base/x86.h"
#include "cpu/regs.h"
#include "debugger/console/command.h"
#include "debugger/symbols/disasm.h"
#include "debugger/symbols/expr.h"
#include "debugger/trace/store.h"

/* Memory: the byte at a is a & ff, below 1000h; physical: its complement. */
static int read_fake(void *arg, bool physical, uint64_t at, void *buf, unsigned n)
{
    uint8_t *out = buf;
    (void)arg;
    if (at >= 0x1000 || n > 0x1000 - at)
        return -EFAULT;
    for (unsigned i = 0; i < n; i++)
        out[i] = (uint8_t)(physical ? ~(at + i) : at + i);
    return 0;
}

static bool name_fake(void *arg, const char *name, size_t len, uint64_t *value)
{
    (void)arg;
    *value = 77;
    return len == 1 && *name == '$';
}

static struct cpu_state cpu = {
    .gpr = { [RAX] = 0x1122334455667788, [RBX] = 3, [RSP] = 0x100, [R8] = 0x80000001 },
    .rip = 0x40, .rflags = FLAG_ZF | FLAG_IF, .efer = EFER_LMA, .cr0 = CR0_PE,
    .seg[SEG_CS] = { .attr = SEG_L | SEG_P | SEG_S, .base = 0x7000 },
};
static const struct expr_machine machine = { .cpu = &cpu, .read = read_fake, .name = name_fake };

static void values(void **state)
{
    static const struct { const char *text; uint64_t value; } rows[] = {
        { "1", 1 }, { "0x1f", 31 }, { "0b101", 5 }, { " 2 ", 2 }, { "'A'", 65 }, { "'\\n'", 10 }, { "$", 77 },
        { "1+2*3", 7 }, { "(1+2)*3", 9 }, { "10-2-3", 5 }, { "7/2", 3 }, { "7%4", 3 }, { "1<<4|1", 17 },
        { "1<<64", 0 }, { "-1", UINT64_MAX }, { "~0>>60", 15 }, { "!5", 0 }, { "!!5", 1 }, { "- - 2", 2 },
        { "1<2", 1 }, { "2<=2", 1 }, { "3>4", 0 }, { "3!=4", 1 }, { "1==1==1", 1 }, { "6&3", 2 }, { "6^3", 5 },
        { "6&&0", 0 }, { "0||9", 1 }, { "1?2:3", 2 }, { "0?2:0?3:4", 4 }, { "1<<2<3", 0 }, { "5&4==4", 1 },
        { "rax", 0x1122334455667788 }, { "$rax", 0x1122334455667788 }, { "eax", 0x55667788 }, { "ax", 0x7788 },
        { "ah", 0x77 }, { "AL", 0x88 }, { "r8d", 0x80000001 }, { "r8w", 1 }, { "zf", 1 }, { "cf", 0 }, { "if", 1 },
        { "rip", 0x40 }, { "cs.base", 0x7000 }, { "rbx+rbx", 6 },
        { "u8[0x10]", 0x10 }, { "u16[0x10]", 0x1110 }, { "u32[rsp]", 0x03020100 }, { "i8[0xff]", UINT64_MAX },
        { "i16[0xfe]", 0xfffffffffffffffe }, { "p8[0x10]", 0xef }, { "u64[8]", 0x0f0e0d0c0b0a0908 },
        { "*8", 0x0f0e0d0c0b0a0908 }, { "u8[u8[5]+1]", 6 },
        { "0 && u8[0xffff]", 0 }, { "1 || u8[0xffff]", 1 }, { "1 ? 2 : u8[0xffff]", 2 }, { "0 && 1/0", 0 },
        { "18446744073709551615", UINT64_MAX },
    };
    char why[200];
    uint64_t v;
    size_t at;
    (void)state;
    for (size_t i = 0; i < NELEM(rows); i++) {
        int err = expr_eval(rows[i].text, &machine, &v, &at, why, sizeof why);
        if (err || v != rows[i].value)
            print_message("%s: %d %#lx %s\n", rows[i].text, err, (unsigned long)v, why);
        assert_int_equal(err, 0);
        assert_int_equal(v, rows[i].value);
    }
}

static volatile int global_number = -3;
static const char *volatile global_text = "far";
enum colour { RED, GREEN = 5 };
static volatile struct { int a; unsigned low : 3, high : 5; enum colour colour; struct { short deep; }; int list[3][2]; } global_thing =
    { .a = -1, .low = 5, .high = 17, .colour = GREEN, .deep = -9, .list = { { 1, 2 }, { 3, 4 }, { 5, 6 } } };

static int read_own(void *arg, bool physical, uint64_t at, void *buf, unsigned n)
{
    (void)arg, (void)physical;
    if (at < 0x10000)
        return -EFAULT;
    memcpy(buf, (const void *)(uintptr_t)at, n);
    return 0;
}

/* This very program's own variables. */
static void variables(void **state)
{
    static const struct { const char *text; int64_t value; const char *type; } rows[] = {
        { "global_number", -3, "volatile int" }, { "global_number < 0", 1, "int" }, { "global_number / 2", -1, "long" },
        { "global_thing.a", -1, "int" }, { "global_thing.low", 5, "unsigned int" }, { "global_thing.high", 17, "unsigned int" },
        { "global_thing.colour == GREEN", 1, "int" }, { "global_thing.deep", -9, "short int" }, { "GREEN", 5, "enum colour" },
        { "global_thing.list[2][1]", 6, "int" }, { "*global_thing.list[1]", 3, "int" }, { "sizeof(global_thing.list)", 24, NULL },
        { "global_text[1]", 'a', "const char" }, { "*(global_text + 2)", 'r', "const char" }, { "&global_thing.list[1] - global_thing.list", 1, "long" },
        { "(unsigned char)global_number", 253, "unsigned char" }, { "(char)0x1ff", -1, "char" }, { "*&global_number", -3, "volatile int" },
        { "(long)&global_number == (long)(int *)&global_number", 1, "int" }, { "~global_thing.high", ~17u, "unsigned int" },
        { "sizeof(struct value)", sizeof(struct value), NULL }, { "!global_number", 0, "long" },
        { "(enum colour)5 == GREEN", 1, "int" }, { "0 && *(int *)0", 0, "int" },
    };
    struct debuginfo *info = debuginfo_own();
    struct expr_machine m = { .info = info, .read = read_own };
    assert_true(global_number < global_thing.a && global_text);     /* they are used */
    char why[200], name[100];
    struct value v;
    uint64_t bits;
    size_t at;
    (void)state;
    if (!info) {
        print_message("without debug information there is nothing to see\n");
        skip();
    }
    for (size_t i = 0; i < NELEM(rows); i++) {
        int err = expr_eval_value(rows[i].text, &m, &v, &at, why, sizeof why);
        err = err ? err : value_load(&m, &v, &bits);
        if (err || bits != (uint64_t)rows[i].value || (rows[i].type && strcmp(type_name(&v.type, name, sizeof name), rows[i].type)))
            print_message("%s: %d %#lx %s %s\n", rows[i].text, err, (unsigned long)bits, why, type_name(&v.type, name, sizeof name));
        assert_int_equal(err, 0);
        assert_int_equal(bits, rows[i].value);
        if (rows[i].type)
            assert_string_equal(type_name(&v.type, name, sizeof name), rows[i].type);
    }
    static const char *const wrong[] = {
        "global_thing.nosuch", "global_number.a", "global_number[1]", "*global_number", "&5", "&global_thing.low", "(struct nosuch *)1",
        "(struct value)1", "rax.a", "*(int *)0", "global_thing->", "(int", "sizeof(", "&",
    };
    for (size_t i = 0; i < NELEM(wrong); i++) {
        why[0] = 0;
        int err = expr_eval(wrong[i], &m, &bits, &at, why, sizeof why);
        if (!err || !why[0])
            print_message("%s: %d\n", wrong[i], err);
        assert_int_not_equal(err, 0);
        assert_true(why[0] && at <= strlen(wrong[i]));
    }
    debuginfo_close(info);
}

static void shown(void **state)
{
    static const struct { const char *text, *shown, *json; } rows[] = {
        { "global_thing", "{a = -1, low = 5, high = 17, colour = GREEN, {deep = -9}, list = {{1, 2}, {3, 4}, {5, 6}}}",
          "{\"a\":-1,\"low\":5,\"high\":17,\"colour\":\"GREEN\",\"\":{\"deep\":-9},\"list\":[[1,2],[3,4],[5,6]]}" },
        { "*global_text", "102 'f'", "102" }, { "*(int *)0", "<no memory at 0>", "null" },
    };
    struct debuginfo *info = debuginfo_own();
    struct expr_machine m = { .info = info, .read = read_own };
    char why[200], *text;
    struct value v;
    size_t at, n;
    (void)state;
    for (size_t i = 0; info && i < 2 * NELEM(rows); i++) {
        FILE *out = open_memstream(&text, &n);
        assert_int_equal(expr_eval_value(rows[i / 2].text, &m, &v, &at, why, sizeof why), 0);
        if (i & 1)
            value_json(&m, &v, out);
        else
            value_print(&m, &v, out);
        fclose(out);
        assert_string_equal(text, i & 1 ? rows[i / 2].json : rows[i / 2].shown);
        free(text);
    }
    debuginfo_close(info);
}

/* With the names remembered: registers are read anew, and what is not evaluated is not remembered. */
static void remembered(void **state)
{
    struct expr_names names = { 0 };
    struct cpu_state s = cpu;
    struct expr_machine m = { .cpu = &s, .read = read_fake, .name = name_fake, .names = &names };
    static const char text[] = "zf ? rbx + $ : eax + u8[rbx]";
    char why[200];
    uint64_t v;
    size_t at;
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        s.gpr[RBX] = 10 + i;
        s.gpr[RAX] = 100 * i;
        s.rflags = i & 1 ? FLAG_ZF : 0;
        assert_int_equal(expr_eval(text, &m, &v, &at, why, sizeof why), 0);
        assert_int_equal(v, i & 1 ? 10 + i + 77 : 100 * i + 10 + i);
    }
    assert_int_equal(names.n, 4);
}

static void mistakes(void **state)
{
    static const struct { const char *text; int err; size_t at; } rows[] = {
        { "", -EINVAL, 0 }, { "1+", -EINVAL, 2 }, { "(1", -EINVAL, 2 }, { "1)", -EINVAL, 1 }, { "1 2", -EINVAL, 2 },
        { "nosuch", -EINVAL, 0 }, { "0x", -EINVAL, 0 }, { "12z", -EINVAL, 0 }, { "0b12", -EINVAL, 0 },
        { "18446744073709551616", -EINVAL, 0 }, { "'ab'", -EINVAL, 0 }, { "1/0", -EINVAL, 3 }, { "u8[1", -EINVAL, 4 },
        { "u8[0x1000]", -EFAULT, 10 }, { "u64[0xfff]", -EFAULT, 10 }, { "1?2", -EINVAL, 3 }, { "sym:x", -EINVAL, 0 },
        { "u7[1]", -EINVAL, 0 }, { "@", -EINVAL, 0 }, { "#", -EINVAL, 0 },
    };
    char why[200], deep[500];
    uint64_t v;
    size_t at;
    (void)state;
    for (size_t i = 0; i < NELEM(rows); i++) {
        int err = expr_eval(rows[i].text, &machine, &v, &at, why, sizeof why);
        if (err != rows[i].err || at != rows[i].at)
            print_message("'%s': %d at %zu: %s\n", rows[i].text, err, at, why);
        assert_int_equal(err, rows[i].err);
        assert_int_equal(at, rows[i].at);
        assert_true(strlen(why) > 5);
    }
    memset(deep, '(', sizeof deep);
    deep[sizeof deep - 1] = 0;
    assert_int_equal(expr_eval(deep, &machine, &v, &at, why, sizeof why), -EINVAL);
    memset(deep, '-', sizeof deep - 1);
    assert_int_equal(expr_eval(deep, &machine, &v, &at, why, sizeof why), -EINVAL);
    assert_int_equal(expr_check("u8[0xffff]", &machine, &at, why, sizeof why), 0);
    assert_int_equal(expr_check("u8[0xffff", &machine, &at, why, sizeof why), -EINVAL);
    assert_int_equal(expr_check("&*2 == &u8[2]", &machine, &at, why, sizeof why), 0);
    assert_int_equal(expr_check("&3", &machine, &at, why, sizeof why), -EINVAL);
}

static void several(void **state)
{
    char why[200];
    uint64_t v;
    size_t end;
    (void)state;
    assert_int_equal(expr_eval_word("1+2 4", &machine, &v, &end, why, sizeof why), 0);
    assert_int_equal(v, 3);
    assert_int_equal(end, 3);
    assert_int_equal(expr_eval_word("(1 + 2), 4", &machine, &v, &end, why, sizeof why), 0);
    assert_int_equal(end, 7);
}

static void registers(void **state)
{
    struct cpu_state s = cpu;
    (void)state;
    for (size_t i = 0; i < regs_count(); i++) {
        const struct reg *r = reg_at(i), *same = reg_find(r->name, strlen(r->name));
        assert_ptr_equal(r, same);                          /* no name twice */
        assert_true(r->lo + r->bits <= 8 * r->bytes);
        reg_set(r, &s, ~UINT64_C(0));
        assert_int_equal(reg_get(r, &s), r->bits == 64 ? ~UINT64_C(0) : BIT(r->bits) - 1);
    }
    s = cpu;
    reg_set(reg_find("al", 2), &s, 0x1ff);
    assert_int_equal(s.gpr[RAX], 0x11223344556677ff);
    reg_set(reg_find("eax", 3), &s, 5);
    assert_int_equal(s.gpr[RAX], 5);
    assert_null(reg_find("raxx", 4));
    assert_int_equal(state_code_bits(&cpu), 64);
    assert_int_equal(state_pc(&cpu), 0x40);
    s.efer = s.cr0 = 0;
    s.rip = 0x10;
    assert_int_equal(state_code_bits(&s), 16);
    assert_int_equal(state_pc(&s), 0x7010);
    assert_string_equal(state_mode(&s), "real mode");
}

static void instructions(void **state)
{
    struct insn i;
    (void)state;
    disasm((const uint8_t *)"\xe8\x02\x00\x00\x00", 5, 32, 0x1000, 0, NULL, &i);
    assert_true(i.ok && i.is_call && i.has_target && !i.is_return);
    assert_int_equal(i.target, 0x1007);
    disasm((const uint8_t *)"\xe9\xfd\xff", 3, 16, 0, 0xf0000, NULL, &i);     /* wraps in its segment */
    assert_true(i.has_target);
    assert_int_equal(i.target, 0);
    disasm((const uint8_t *)"\xcf", 1, 64, 0, 0, NULL, &i);
    assert_true(i.is_return);
    disasm((const uint8_t *)"\xcd\x80", 2, 32, 0, 0, NULL, &i);
    assert_true(i.is_call);
    disasm((const uint8_t *)"\x0f\x0b", 1, 64, 0, 0, NULL, &i);                 /* cut off */
    assert_false(i.ok);
    assert_int_equal(i.len, 1);
    disasm(NULL, 0, 64, 0, 0, NULL, &i);
    assert_false(i.ok);
}

static enum console_result run(struct console *c, const char *line, char *out, size_t n)
{
    FILE *f = fmemopen(out, n, "w");
    enum console_result r = console_run(c, line, f);
    fclose(f);
    out[n - 1] = 0;
    return r;
}

/* A console over an empty trace: what needs no machine works, the rest says so. */
static void console(void **state)
{
    char why[200], out[30000];
    struct trace *t = trace_new(64);
    struct store *s = store_record(NULL, t, "", why, sizeof why);
    struct console *c = console_new(&(struct console_options){ .store = s });
    size_t start;
    (void)state;
    assert_int_equal(run(c, "", out, sizeof out), CONSOLE_OK);
    assert_int_equal(run(c, "# nothing", out, sizeof out), CONSOLE_OK);
    assert_int_equal(run(c, "print 6*7", out, sizeof out), CONSOLE_OK);
    assert_string_equal(out, "0x2a = 42\n");
    assert_int_equal(run(c, "p/t $+1", out, sizeof out), CONSOLE_OK);
    assert_string_equal(out, "0b101011\n");
    assert_int_equal(run(c, "print/x 43", out, sizeof out), CONSOLE_OK);
    assert_string_equal(out, "0x2b\n");
    assert_int_equal(run(c, "print rax", out, sizeof out), CONSOLE_ERROR);
    assert_int_equal(run(c, "help", out, sizeof out), CONSOLE_OK);
    assert_non_null(strstr(out, "step-exit"));
    assert_int_equal(run(c, "help break mark", out, sizeof out), CONSOLE_OK);
    assert_non_null(strstr(out, "break mark [N]"));
    assert_int_equal(run(c, "stepi", out, sizeof out), CONSOLE_ERROR);
    assert_non_null(strstr(out, "needs a guest"));
    assert_int_equal(run(c, "di", out, sizeof out), CONSOLE_ERROR);             /* disable, disassemble */
    assert_non_null(strstr(out, "several"));
    assert_int_equal(run(c, "info trace", out, sizeof out), CONSOLE_OK);
    assert_int_equal(run(c, "quit", out, sizeof out), CONSOLE_QUIT);

    char **w = console_complete(c, "he", &start);
    assert_string_equal(w[0], "help");
    assert_null(w[1]);
    assert_int_equal(start, 0);
    free(w[0]), free(w);
    w = console_complete(c, "info brea", &start);
    assert_string_equal(w[0], "breakpoints");
    assert_int_equal(start, 5);
    free(w[0]), free(w);
    w = console_complete(c, "print 1+kernel", &start);
    assert_string_equal(w[0], "kernel_gs_base");
    assert_int_equal(start, 8);
    free(w[0]), free(w);
    console_free(c);
    store_close(s);
    trace_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values), cmocka_unit_test(remembered), cmocka_unit_test(variables), cmocka_unit_test(shown), cmocka_unit_test(mistakes), cmocka_unit_test(several),
        cmocka_unit_test(registers), cmocka_unit_test(instructions), cmocka_unit_test(console),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
