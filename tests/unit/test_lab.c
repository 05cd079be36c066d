/*
 * test_lab.c -- the labs' machinery: what a run that cannot be started leaves behind.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/types.h"
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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed_start_leaves_nothing_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
