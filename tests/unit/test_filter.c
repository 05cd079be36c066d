/*
 * Filters: what matches, what does not, and where the caret stands.
 *   run    make unit
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/x86.h"
#include "cpu/exit.h"
#include "debugger/trace/field.h"
#include "debugger/trace/filter.h"
#include "debugger/trace/text.h"

static const char *engine_of(const void *arg, unsigned engine)
{
    (void)arg;
    return engine == 0 ? "soft" : engine == 1 ? "kvm" : "?";
}

static const struct trace_text text = { .engine_name = engine_of };

static const struct trace_event io_out = {
    .seq = 10, .vtime_ns = 1500000, .icount = 700, .place = 0x100006, .cause_back = 0,
    .kind = TRACE_EXIT, .who.engine = 1,
    .arg = { EXIT_IO, 0x03f80000, 0x41 },
};
static const struct trace_event io_write = {
    .seq = 11, .vtime_ns = 1500000, .place = 0x100006, .cause_back = 1, .kind = TRACE_IO_WRITE,
    .who.engine = 1, .arg = { 0x3f8, 1, 0x41 },
};
static const struct trace_event mark = { .seq = 12, .kind = TRACE_MARK, .arg = { 7 } };
static const struct trace_event fault = {
    .seq = 13, .kind = TRACE_FAULT_TRUE, .arg = { 0xdeadb000, 6, VEC_PF },
};
static const struct trace_event strange = { .seq = 14, .kind = 63, .arg = { 1, 2, 3 } };

static bool matches(const char *expr, const struct trace_event *e)
{
    struct filter_error err;
    struct filter *f = filter_compile(expr, &text, &err);
    if (!f)
        fail_msg("%s: at %zu: %s", expr, err.column, err.text);
    bool yes = filter_match(f, e);
    /* What it says of kinds must never hide a match. */
    assert_true(!yes || filter_kinds(f) & BIT(e->kind));
    filter_free(f);
    return yes;
}

static void expressions_choose_events(void **state)
{
    (void)state;
    static const struct { const char *expr; const struct trace_event *yes, *no; } rows[] = {
        { "",                                     &mark,     NULL },
        { "exit==io",                             &io_out,   &io_write },
        { "exit == IO && port == 0x3f8",          &io_out,   &io_write },
        { "port==0x3f8",                          &io_write, &mark },
        { "port in 0x3f8..0x3ff",                 &io_out,   &fault },
        { "port in (0x60, 0x64, 0x3f8)",          &io_out,   &fault },
        { "port != 0x60",                         &io_out,   &mark },       /* a mark has no port */
        { "!(port == 0x60)",                      &mark,     NULL },
        { "value==0x41 and not read",             &io_write, &mark },
        { "read == no",                           &io_out,   &io_write },   /* IO_WRITE has no `read` */
        { "size == 1",                            &io_out,   &mark },
        { "MARK",                                 &mark,     &fault },
        { "mark && n < 8",                        &mark,     &fault },
        { "n > 7",                                NULL,      &mark },
        { "n < 0",                                NULL,      &mark },
        { "n >= 7 && n <= 7",                     &mark,     &fault },
        { "kind in (MARK, FAULT_TRUE)",           &fault,    &io_out },
        { "kind != MARK",                         &fault,    &mark },
        { "error & 2",                            &fault,    &mark },
        { "error & 9",                            NULL,      &fault },
        { "gla in 0xdeadb000..0xdeadbfff",        &fault,    &mark },
        { "time >= 1.5ms",                        &io_out,   &mark },
        { "time < 1500us",                        &mark,     &io_out },
        { "time == 1500000",                      &io_out,   &mark },
        { "layer == io || layer == vm",           &mark,     &io_out },
        { "engine == kvm",                        &io_out,   &mark },
        { "cause",                                &io_write, &io_out },
        { "cause == 10",                          &io_write, &io_out },
        { "seq in (12, 13)",                      &fault,    &io_out },
        { "( ( MARK ) ) || exit",                 &io_out,   &fault },
        { "not not mark",                         &mark,     &fault },
        { "seq == 14",                            &strange,  &mark },
        { "!mark",                                &strange,  &mark },
        { "port",                                 &io_out,   &strange },
    };
    for (size_t i = 0; i < NELEM(rows); i++) {
        if (rows[i].yes && !matches(rows[i].expr, rows[i].yes))
            fail_msg("%s does not match event %d", rows[i].expr, (int)rows[i].yes->seq);
        if (rows[i].no && matches(rows[i].expr, rows[i].no))
            fail_msg("%s matches event %d", rows[i].expr, (int)rows[i].no->seq);
    }
}

static void errors_show_the_place(void **state)
{
    (void)state;
    static const struct { const char *expr; size_t column; const char *part; } rows[] = {
        { "prot==1",              0, "did you mean 'port'" },
        { "zzzzzz",               0, "--fields" },
        { "port==",               6, "here should be a value" },
        { "exit==oi",             6, "no exit reason" },
        { "layer==moon",          7, "words for layer" },
        { "mark && (port==1",    16, "')' is missing" },
        { "mark mark",            5, "'&&' or '||' is missing" },
        { "mark &&",              7, "something is missing" },
        { "port in 5..2",         8, "ends before it begins" },
        { "port in (1,",         11, "here should be a value" },
        { "port in (1 2",        11, "',' or ')'" },
        { "mark == 3",            0, "a kind stands alone" },
        { "port == 1z",           8, "is no number" },
        { "time > 3weeks",        7, "no time like" },
        { "port == 0x11112222333344445", 8, "64 bits" },
        { "rip in main",          7, "--symbols" },
        { "rip == \"x",           7, "no partner" },
        { "port # 3",             5, "means nothing" },
        { "n == -1",              5, "means nothing" },
    };
    for (size_t i = 0; i < NELEM(rows); i++) {
        struct filter_error err;
        struct filter *f = filter_compile(rows[i].expr, &text, &err);
        if (f)
            fail_msg("%s is accepted", rows[i].expr);
        if (err.column != rows[i].column || !strstr(err.text, rows[i].part))
            fail_msg("%s: at %zu: %s", rows[i].expr, err.column, err.text);
    }
}

static void a_complaint_has_a_caret(void **state)
{
    (void)state;
    struct filter_error err;
    char buf[200];
    assert_null(filter_compile("port ==\tx", &text, &err));
    filter_complain("port ==\tx", &err, buf, sizeof buf);
    assert_non_null(strstr(buf, "\n  port == x\n          ^"));
    filter_complain("port ==\tx", &err, buf, 12);
    assert_int_equal(strlen(buf), 11);
}

static void too_much_is_refused(void **state)
{
    (void)state;
    struct filter_error err;
    static char deep[4000];
    memset(deep, '(', 200);
    assert_null(filter_compile(deep, &text, &err));
    assert_non_null(strstr(err.text, "deeply"));
    memset(deep, '!', 3000);
    assert_null(filter_compile(deep, &text, &err));
    deep[0] = '\0';
    for (unsigned i = 0; i < 300; i++)
        strcat(deep, i ? "||mark" : "mark");
    assert_null(filter_compile(deep, &text, &err));
    assert_non_null(strstr(err.text, "too long"));
}

/* Every argument of every kind is a field, and fields' names are unique. */
static void every_argument_is_a_field(void **state)
{
    (void)state;
    for (unsigned k = 0; k < N_TRACE_KINDS; k++)
        for (unsigned i = 0; i < 3; i++) {
            const char *arg = trace_kinds[k].arg[i];
            if (!arg[0])
                continue;
            const char *name = strcmp(arg, "rip") ? arg : "to";
            const struct trace_field *f = trace_field_find(name, strlen(name));
            struct trace_event e = { .kind = (uint8_t)k, .who.engine = 5, .arg = { 5, 5, 5 } };
            uint64_t v;
            assert_non_null(f);
            assert_true(trace_field_value(f, &e, &v));
            assert_int_equal(v, 5);
            assert_true(f->kinds & BIT(k));
        }
    for (size_t i = 0; i < trace_fields_count(); i++)
        assert_ptr_equal(trace_field_find(trace_field_at(i)->name, strlen(trace_field_at(i)->name)),
                         trace_field_at(i));
}

/* The parts of an EXIT's words are what exit_unpack() says they are. */
static void an_exits_parts_are_its_fields(void **state)
{
    (void)state;
    struct vmexit x = { .reason = EXIT_MMIO, .mmio = { 0xb8000, 0x1234, 2, true } };
    struct trace_event e = { .kind = TRACE_EXIT,
                             .arg = { x.reason, exit_qualification(&x), exit_extra(&x) } };
    assert_true(matches("gpa==0xb8000 && value==0x1234 && size==2 && read==no", &e));
    x = (struct vmexit){ .reason = EXIT_IO, .io = { .port = 0x60, .size = 4, .in = true } };
    e.arg[0] = x.reason, e.arg[1] = exit_qualification(&x), e.arg[2] = exit_extra(&x);
    assert_true(matches("port==0x60 && size==4 && read==yes", &e));
    x = (struct vmexit){ .reason = EXIT_EPT_VIOLATION,
                         .page = { .gla = 0x8048123, .gpa = 0x1123, .access = ACCESS_W } };
    e.arg[0] = x.reason, e.arg[1] = exit_qualification(&x), e.arg[2] = exit_extra(&x);
    assert_true(matches("gpa==0x1123 && gla==0x8048000", &e));
    x = (struct vmexit){ .reason = EXIT_EXCEPTION,
                         .fault = { .vector = 14, .has_error = true, .error = 7, .gla = 0x5000 } };
    e.arg[0] = x.reason, e.arg[1] = exit_qualification(&x), e.arg[2] = exit_extra(&x);
    assert_true(matches("vector==14 && error==7 && gla==0x5000", &e));
    x = (struct vmexit){ .reason = EXIT_CPUID, .cpuid = { .leaf = 0x40000000, .subleaf = 3 } };
    e.arg[0] = x.reason, e.arg[1] = exit_qualification(&x), e.arg[2] = exit_extra(&x);
    assert_true(matches("leaf==0x40000000 && subleaf==3", &e));
    x = (struct vmexit){ .reason = EXIT_CR_ACCESS, .cr = { .nr = 3, .value = 0x1000 } };
    e.arg[0] = x.reason, e.arg[1] = exit_qualification(&x), e.arg[2] = exit_extra(&x);
    assert_true(matches("cr==3 && value==0x1000", &e));
    e.arg[0] = 0x7777;          /* a reason that is none */
    assert_true(matches("exit==0x7777 && !port && !value", &e));
    e = (struct trace_event){ .kind = TRACE_MARK, .place = UINT64_C(0xffff0000) << 32 | 0xfffffff0, .cs = 0xf000,
                              .who.segmented = 1 };
    assert_true(matches("place==f000:fff0 && rip==0xfffffff0 && cs==0xf000 && ip==0xfff0", &e));
    assert_true(matches("place = F000:0000fff0 and not place != f000:fff0", &e));
    assert_false(matches("place==f000:ffff || place==f001:fff0", &e));
}

static void filters_combine(void **state)
{
    (void)state;
    struct filter_error err;
    struct filter *a = filter_compile("port==0x3f8 || mark", &text, &err);
    struct filter *b = filter_compile("kind==MARK || kind==EXIT", &text, &err);
    struct filter *ab = filter_both(a, b), *a_only = filter_both(NULL, a), *all = filter_both(NULL, NULL);
    assert_true(filter_match(ab, &io_out));
    assert_true(filter_match(ab, &mark));
    assert_false(filter_match(ab, &io_write));
    assert_true(filter_match(a_only, &io_write));
    assert_false(filter_match(a_only, &fault));
    assert_true(filter_match(all, &fault));
    filter_free(a), filter_free(b), filter_free(ab), filter_free(a_only), filter_free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_choose_events),
        cmocka_unit_test(errors_show_the_place),
        cmocka_unit_test(a_complaint_has_a_caret),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(every_argument_is_a_field),
        cmocka_unit_test(filters_combine),
        cmocka_unit_test(an_exits_parts_are_its_fields),
    };
    return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
