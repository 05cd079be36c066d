/*
 * lib/test.h -- a guest that has several tests, of which the word behind test= on its command line
 * names one.
 *
 *     int main(void)
 *     {
 *         static const struct test tests[] = { { "poll", test_poll }, { "fifo", test_fifo } };
 *         return run_test(tests, sizeof tests / sizeof tests[0]);
 *     }
 */
#ifndef LIB_TEST_H
#define LIB_TEST_H

struct test {
    const char *name;
    void      (*run)(void);
};

/* Run the one that is named, between MARK 1 and MARK 2; 0, for main's return.  If there is none of
 * that name it says which there are, and returns 1. */
int run_test(const struct test *tests, unsigned n);

#endif
