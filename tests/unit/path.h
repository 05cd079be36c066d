/*
 * tests/unit/path.h -- a file in /tmp for a test program: its name, of our own, and its end.
 */
#ifndef TESTS_UNIT_PATH_H
#define TESTS_UNIT_PATH_H

#include <stdio.h>
#include <unistd.h>

static char path[64];

static inline int make_path(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/vitrine-test-%d.trace", (int)getpid());
    return 0;
}

static inline int remove_path(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

#endif
