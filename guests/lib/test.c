/*
 * lib/test.c -- the test that the command line names.
 */
#include "lib/test.h"

#include "lib/guest.h"

static int say_which(const struct test *tests, unsigned n)
{
    printf("test= is one of");
    for (unsigned i = 0; i < n; i++)
        printf(" %s", tests[i].name);
    printf("\n");
    return 1;
}

int run_test(const struct test *tests, unsigned n)
{
    char name[16] = "";
    unsigned i = 0;
    option("test=", name, sizeof name);
    while (i < n && strcmp(tests[i].name, name) != 0)
        i++;
    if (i == n)
        return say_which(tests, n);
    mark(1);
    tests[i].run();
    mark(2);
    return 0;
}
