/*
 * test_lab.c -- the labs' machinery: what a run that cannot be started leaves behind, and in how many
 * lines a mended source differs.
 */
#include <dirent.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/types.h"
#include "lab/mend.h"
#include "lab/run.h"

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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed_start_leaves_nothing_open),
        cmocka_unit_test(test_mended_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
