/*
 * test_lab.c -- the labs' machinery: what a run that cannot be started leaves behind, in how many
 * lines a mended source differs, and rules that no lab of today shows all sides of.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "base/types.h"
#include "debugger/trace/file.h"
#include "debugger/trace/store.h"
#include "lab/grade.h"
#include "lab/mend.h"
#include "lab/run.h"
#include "path.h"

static unsigned n_open(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

/* A submission that is not there, and a monitor that is: the first is the grader's trouble, and the
 * second is not started any more. */
static void test_failed_start_leaves_nothing_open(void **state)
{
    static const struct lab_guest guest = { .name = "none", .image = "none", .input = "x" };
    char why[200];
    (void)state;
    unsigned before = n_open();
    for (unsigned i = 0; i < 5; i++) {
        struct lab_job job = { .guest = &guest, .monitor = "/bin/true", .image = "none", .wall_s = 10,
                               .submission = "/nowhere/submission" };
        assert_true(lab_run_all(&job, 1, (struct lab_seats){ 1, 0 }, why, sizeof why) < 0);
        assert_non_null(strstr(why, "/nowhere/submission"));
        lab_job_free(&job);
    }
    assert_int_equal(n_open(), before);
}

static void test_mended_lines(void **state)
{
    static const char was[] = "kmain:\n    mov $1, %eax\n    push %eax   /* an argument */\n    iret\n";
    static const struct { const char *mended; unsigned lines; } rows[] = {
        { "kmain:\n    mov $1, %eax\n    push %eax\n    iret\n", 0 },
        { "/* a\n * longer comment */\nkmain:\n\n\tmov  $1,  %eax # one\n push %eax\n iret", 0 },
        { "kmain:\n    mov $2, %eax\n    push %eax\n    iret\n", 1 },
        { "kmain:\n    mov $1, %eax\n    push %eax\n    pop %eax\n    iret\n", 1 },
        { "kmain:\n    iret\n", 2 },
        { "kmain:\n    push %eax\n    mov $1, %eax\n    iret\n", 1 },
        { "", 4 },
        { "a\nb\nc\nd\ne\nf\n", 6 },
        { "/* never closed\nkmain:\n", 4 },
    };
    (void)state;
    for (size_t i = 0; i < NELEM(rows); i++)
        assert_int_equal(lab_mend_lines(was, rows[i].mended), rows[i].lines);
    static char many[8000];
    memset(many, 'x', sizeof many - 1);
    for (unsigned i = 1; i < sizeof many - 1; i += 2)
        many[i] = '\n';
    assert_int_equal(lab_mend_lines("x\n", many), UINT_MAX);        /* too long to be compared */
}

/* ---- rules, of lab files and traces that are made here ---- */

static int read_lab(struct lab_spec *spec, const char *text, char *why, size_t n)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    int err = lab_spec_read(spec, path, why, n);
    unlink(path);
    return err;
}

/* A run, a letter for each event: `!` is a MARK, `?` a TIMER, others are written to a port.  Times
 * and numbers of events are other ones in each run. */
static struct lab_run make_run(const char *letters)
{
    static uint64_t time;
    char why[200] = "";
    struct trace_writer *w = trace_writer_open(path, NULL, NULL);
    assert_non_null(w);
    for (uint64_t i = 0; letters[i]; i++) {
        struct trace_event e = { .seq = i + 1, .vtime_ns = time += 1000, .kind = TRACE_IO_WRITE,
                                 .arg = { 0x3f8, 1, (uint64_t)letters[i] } };
        if (letters[i] == '!')
            e = (struct trace_event){ .seq = i + 1, .kind = TRACE_MARK, .arg = { 5 } };
        if (letters[i] == '?')
            e = (struct trace_event){ .seq = i + 1, .kind = TRACE_TIMER, .arg = { time } };
        trace_writer_sink(w, &e, 1);
    }
    assert_int_equal(trace_writer_close(w), 0);
    struct lab_run run = { .trace = store_open(path, why, sizeof why) };
    if (!run.trace)
        fail_msg("%s", why);
    unlink(path);
    return run;
}

/* From the mark on a run must end as the reference does, whatever else is between, and say where it
 * does not. */
static void test_equal_suffix(void **state)
{
    static const char lab[] = "lab 99 \"moved\"\nguest never\nguest moved\n"
        "same: 2 moved equal-suffix 'IO_WRITE' port,value behind 'MARK && n==5' like never\n";
    static const struct {
        const char *reference, *run;
        uint64_t event;                 /* the first wrong one; LAB_NO_EVENT and no text: kept */
        const char *text;
    } rows[] = {
        { "abcdefg", "abc!defg", LAB_NO_EVENT, NULL },
        { "abcdefg", "abc!d??ef?g", LAB_NO_EVENT, NULL },
        { "abcdefg", "!efg", LAB_NO_EVENT, NULL },              /* a snapshot that was restored */
        { "ab!cdefg", "xx!cdefg", LAB_NO_EVENT, NULL },         /* before the mark is not judged */
        { "ab!cdefg", "ab!cd!efg", LAB_NO_EVENT, NULL },        /* the first mark counts */
        { "abcdefg", "abc!deXg", 6,
          "number 3 of IO_WRITE behind MARK && n==5 has value 0x58; 0x66 is right, as in number 6" },
        { "abcdefg", "!eXg", 2, "number 2 of IO_WRITE behind MARK && n==5 has value 0x58" },
        { "abcdefg", "abc!dfg", 5, "has value 0x66; 0x65 is right, as in number 5" },      /* lost */
        { "abcdefg", "abc!ddefg", 5, "has value 0x64; 0x65 is right, as in number 5" },    /* twice */
        { "abcdefg", "abc!def", 6, "there are 3 of IO_WRITE behind MARK && n==5; 4 would be right" },
        { "abcdefg", "abc!defgg", 8, "there are 5 of IO_WRITE behind MARK && n==5; 4 would be" },
        { "ab!cdefg", "ab!efg", 3, "has value 0x65; 0x63 is right, as in number 3" },
        { "abc", "!abcabc", 4, "there are 6 of IO_WRITE behind MARK && n==5; 3 would be right" },
        { "abcdefg", "abcdefg", LAB_NO_EVENT, "what it is judged from never happened" },
        { "abcdefg", "abcdefg!", 7, "nothing of IO_WRITE happened behind MARK" },
        { "abcdefg", "", LAB_NO_EVENT, "what it is judged from never happened" },
    };
    struct lab_spec spec;
    struct lab_finding f;
    char why[300] = "";
    (void)state;
    assert_int_equal(read_lab(&spec, lab, why, sizeof why), 0);
    assert_string_equal(spec.rule[0].like, "never");
    for (size_t i = 0; i < NELEM(rows); i++) {
        struct lab_run a = make_run(rows[i].reference), b = make_run(rows[i].run);
        assert_int_equal(lab_rule_judge(&spec.rule[0], &a, &b, NULL, &f), 0);
        if (f.event != rows[i].event || (f.share == 1) != !rows[i].text ||
            !strstr(f.text, rows[i].text ? rows[i].text : ""))
            fail_msg("%s beside %s: event %d, %s", rows[i].run, rows[i].reference, (int)f.event,
                     f.text);
        store_close(a.trace);
        store_close(b.trace);
    }
    struct lab_run a = make_run("?"), b = make_run("!a");
    assert_int_equal(lab_rule_judge(&spec.rule[0], &a, &b, NULL, &f), -EINVAL);
    assert_non_null(strstr(f.text, "the reference run has no event of IO_WRITE"));
    store_close(a.trace);
    store_close(b.trace);
    lab_spec_free(&spec);
}

/* What a lab's file may not say, and the complaint. */
static void test_complaints(void **state)
{
    static const struct { const char *line, *complaint; } rows[] = {
        { "r: 1 one equal-suffix 'MARK' n", "behind 'A'" },
        { "r: 1 one equal-suffix 'MARK' n behind", "behind which event?" },
        { "r: 1 one equal-suffix 'MARK' n behind 'EXIT' like two", "there is no guest" },
        { "r: 1 one never 'MARK' like one", "only `equal-suffix` has a `like`" },
        { "guest far hidden\nr: 1 one equal-suffix 'MARK' n behind 'EXIT' like far", "is hidden" },
        { "predict r: 1 one count 'MARK' within 1% \"?\"\nhidden", "a question cannot be hidden" },
        { "guest far hidden\nask r: 1 far 'MARK' n \"?\"", "a question cannot be hidden" },
        { "hidden", "there is no rule yet" },
    };
    struct lab_spec spec;
    char text[300], why[300];
    (void)state;
    for (size_t i = 0; i < NELEM(rows); i++) {
        snprintf(text, sizeof text, "lab 99 \"x\"\nguest one\n%s\n", rows[i].line);
        assert_int_equal(read_lab(&spec, text, why, sizeof why), -EINVAL);
        if (!strstr(why, rows[i].complaint))
            fail_msg("%s: %s", rows[i].line, why);
        lab_spec_free(&spec);
    }
}

/* Rules of which two are hidden, each broken in its own way, or all by one fault. */
static void make_grade(struct lab_grade *g, struct lab_spec *spec, enum lab_fault fault)
{
    static const char lab[] = "lab 99 \"hidden\"\n"
        "guest shown\nguest unseen image shown hidden with \"x\"\n"
        "first: 1 shown output\nsay \"Secret one.\"\nhidden\n"
        "second: 2 shown output\nsay \"Seen.\"\n"
        "third: 3 unseen output\nsay \"Secret two.\"\n"
        "fourth: 4 unseen output\n";
    char why[300] = "";
    if (read_lab(spec, lab, why, sizeof why))
        fail_msg("%s", why);
    memset(g, 0, sizeof *g);
    g->spec = spec;
    for (unsigned i = 0; i < spec->n_guests; i++)
        g->job[i].guest = g->reference[i].guest = &spec->guest[i];
    for (unsigned r = 0; r < 3; r++) {
        g->finding[r] = (struct lab_finding){ .event = LAB_NO_EVENT, .fault = fault };
        snprintf(g->finding[r].text, sizeof g->finding[r].text, "what was found");
        g->guest_of[r] = r == 2;
    }
    g->finding[3] = (struct lab_finding){ .share = 1, .event = LAB_NO_EVENT };
    g->points = 4;
}

/* A student sees of hidden rules how many points they gave, and nothing of what they are about; a
 * rule that is not hidden never points to one that is. */
static void test_hidden_rules(void **state)
{
    static struct lab_grade g;
    static const char *const secret[] = { "first", "third", "fourth", "unseen", "Secret" };
    struct lab_spec spec;
    char text[4000];
    (void)state;
    for (unsigned fault = LAB_FAULT_OWN; fault <= LAB_FAULT_SILENT; fault++) {
        make_grade(&g, &spec, (enum lab_fault)fault);
        memset(text, 0, sizeof text);
        FILE *f = fmemopen(text, sizeof text, "w");
        lab_grade_print(&g, LAB_STUDENT, f);
        fclose(f);
        for (size_t i = 0; i < NELEM(secret); i++)
            assert_null(strstr(text, secret[i]));
        assert_non_null(strstr(text, "      0 of 1   a hidden test failed\n"));
        assert_non_null(strstr(text, "      0 of 2   second         shown output\n"
                                     "      shown: what was found.\n      Seen.\n"));
        assert_non_null(strstr(text, "      0 of 3   a hidden test failed\n"
                                     "      4 of 4   a hidden test\n"));
        assert_non_null(strstr(text, "4 of 10 points"));
        memset(text, 0, sizeof text);
        f = fmemopen(text, sizeof text, "w");
        lab_grade_print(&g, LAB_TEACHER, f);
        fclose(f);
        for (size_t i = 0; i < NELEM(secret); i++)
            if (fault == LAB_FAULT_OWN)
                assert_non_null(strstr(text, secret[i]));
        assert_non_null(strstr(text, "first          shown output (hidden)\n"));
        lab_spec_free(&spec);
    }
}

/* Gradescope shows the text of a test with its visibility; so what a visible one says must not tell
 * of the others. */
static void test_hidden_in_json(void **state)
{
    static struct lab_grade g;
    struct lab_spec spec;
    char text[8000] = "";
    (void)state;
    make_grade(&g, &spec, LAB_FAULT_SILENT);
    FILE *f = fmemopen(text, sizeof text, "w");
    assert_int_equal(lab_grade_json(&g, f), 0);
    fclose(f);
    cJSON *root = cJSON_Parse(text), *test;
    const cJSON *tests = cJSON_GetObjectItemCaseSensitive(root, "tests");
    unsigned i = 0;
    cJSON_ArrayForEach(test, tests) {
        const cJSON *visibility = cJSON_GetObjectItemCaseSensitive(test, "visibility");
        const cJSON *output = cJSON_GetObjectItemCaseSensitive(test, "output");
        assert_string_equal(visibility->valuestring, i == 1 ? "visible" : "after_published");
        if (i == 1)
            assert_string_equal(output->valuestring, "      shown: what was found.\n      Seen.\n");
        i++;
    }
    assert_int_equal(i, 4);
    cJSON_Delete(root);
    lab_spec_free(&spec);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed_start_leaves_nothing_open),
        cmocka_unit_test(test_mended_lines),
        cmocka_unit_test(test_equal_suffix),
        cmocka_unit_test(test_complaints),
        cmocka_unit_test(test_hidden_rules),
        cmocka_unit_test(test_hidden_in_json),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
