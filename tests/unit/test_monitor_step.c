/*
 * The monitor stepped beside the guest: it stops in the handler of an exit, goes on line by
 * line, shows its variables, and nothing that happens to it holds us up.
 *   run    make unit
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/host.h"
#include "debugger/link/monitor_step.h"
#include "link_board.h"

/* 16-bit code at 1000h: OUT to COM1 for ever.  mov dx,3f8h; mov al,'A'; out dx,al; jmp */
static const uint8_t code[] = { 0xba, 0xf8, 0x03, 0xb0, 0x41, 0xee, 0xeb, 0xfb };
static char path[] = "/tmp/vitrine-test-step-XXXXXX";

static struct link *start(void)
{
    return start_guest(path, code, sizeof code);
}

static struct stepper *attach(struct link *l)
{
    char why[400];
    struct stepper *s = stepper_attach(l, why, sizeof why);
    if (!s) {
        print_message("%s\n", why);
        assert_true(strlen(why) > 20);
        link_end(l);
        skip();
    }
    return s;
}

/* Run into the next handler. */
static void into_handler(struct link *l, struct stepper *s)
{
    assert_int_equal(link_run(l, LINK_FREE, 0), 0);
    assert_int_equal(stepper_wait(s, 5000), STEPPER_STANDS);
}

static void handler(void **state)
{
    struct source_place p;
    char *text;
    size_t n;
    (void)state;
    struct link *l = start();
    struct stepper *s = attach(l);
    assert_int_equal(stepper_poll(s), STEPPER_RUNS);
    assert_int_equal(stepper_go(s, STEPPER_NEXT), -EBUSY);
    assert_int_equal(link_run(l, LINK_STEP, 2), 0);     /* not followed: it runs as ever */
    assert_int_equal(link_wait(l, 5000), 0);
    assert_int_equal(stepper_follow(s, true), 0);
    into_handler(l, s);
    while (strcmp(stepper_exit(s), "IO") != 0) {        /* memory comes first */
        assert_int_equal(stepper_go(s, STEPPER_CONTINUE), 0);
        assert_int_equal(stepper_wait(s, 5000), STEPPER_STANDS);
    }
    assert_true(stepper_where(s, 0, &p));
    assert_string_equal(p.function, "on_io");
    assert_non_null(strstr(p.file, "vm/exits.c"));
    int line = p.line;
    FILE *out = open_memstream(&text, &n);
    assert_true(stepper_print(s, "x->io.port", false, out));
    assert_false(stepper_print(s, "x->nonsense", false, out));
    fclose(out);
    assert_non_null(strstr(text, "1016\n"));
    free(text);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(stepper_go(s, STEPPER_NEXT), 0);
        assert_int_equal(stepper_wait(s, 5000), STEPPER_STANDS);
    }
    assert_true(stepper_where(s, 0, &p));
    assert_string_equal(p.function, "on_io");
    assert_true(p.line > line && p.line < line + 40);
    assert_int_equal(stepper_follow(s, false), 0);
    assert_int_equal(stepper_go(s, STEPPER_FINISH), 0);
    assert_int_equal(link_pause(l), 0);
    assert_int_equal(link_wait(l, 5000), 0);
    assert_int_equal(link_state(l), LINK_STOPPED);
    stepper_detach(s);
    link_end(l);
}

/* What needs an answer is refused at once; what does not is there. */
static void held(void **state)
{
    uint8_t bytes[sizeof code];
    uint64_t v;
    (void)state;
    struct link *l = start();
    struct stepper *s = attach(l);
    assert_int_equal(stepper_follow(s, true), 0);
    into_handler(l, s);
    uint64_t before = host_monotonic_ns();
    assert_int_equal(link_peek_port(l, 0x3fd, 1, &v), -EAGAIN);
    assert_int_equal(link_pause(l), -EAGAIN);
    assert_true(host_monotonic_ns() - before < 500000000);
    assert_int_equal(link_read_phys(l, 0x1000, bytes, sizeof bytes), 0);
    assert_memory_equal(bytes, code, sizeof code);
    stepper_detach(s);                                  /* while it stands: it runs on */
    assert_int_equal(link_pause(l), 0);
    assert_int_equal(link_wait(l, 5000), 0);
    assert_int_equal(link_peek_port(l, 0x3fd, 1, &v), 0);
    link_end(l);
}

/* As a program's main loop waits: whoever does not take the events lets the trace's ring fill, and
 * then the VMM waits, too (link.h). */
static enum stepper_state wait_and_take_events(struct link *l, struct stepper *s)
{
    enum stepper_state state = STEPPER_RUNS;
    for (unsigned ms = 0; ms < 20000 && state == STEPPER_RUNS; ms++) {
        link_poll(l, 0);
        state = stepper_wait(s, 1);
    }
    return state;
}

/* Whenever the interrupt comes, on the way to a handler too: what stands is known to stand,
 * and goes on when told to. */
static void followed_at_any_moment(void **state)
{
    (void)state;
    struct link *l = start();
    struct stepper *s = attach(l);
    assert_int_equal(link_run(l, LINK_FREE, 0), 0);
    for (unsigned i = 0; i < 400; i++) {
        assert_int_equal(stepper_follow(s, true), 0);
        bool stands = stepper_poll(s) == STEPPER_STANDS;
        assert_int_equal(link_held(l), stands);
        assert_int_equal(wait_and_take_events(l, s), STEPPER_STANDS);
        assert_true(link_held(l));
        assert_int_equal(stepper_follow(s, false), 0);
        assert_int_equal(stepper_go(s, STEPPER_CONTINUE), 0);
        for (volatile unsigned j = 0; j < i * 37 % 1000; j++)
            ;
    }
    stepper_detach(s);
    link_end(l);
}

static void killed(void **state)
{
    struct source_place p;
    (void)state;
    struct link *l = start();
    struct stepper *s = attach(l);
    assert_int_equal(stepper_follow(s, true), 0);
    into_handler(l, s);
    kill(link_pid(l), SIGKILL);
    assert_int_equal(stepper_go(s, STEPPER_NEXT) == 0 ? (int)stepper_wait(s, 5000) : (int)STEPPER_GONE, STEPPER_GONE);
    assert_false(stepper_where(s, 0, &p));
    stepper_detach(s);
    for (int i = 0; i < 200 && link_state(l) != LINK_DEAD; i++)
        link_poll(l, 10);
    assert_int_equal(link_state(l), LINK_DEAD);
    link_end(l);
}

static void twice(void **state)
{
    char why[300];
    (void)state;
    struct link *l = start();
    struct stepper *s = attach(l);
    assert_null(stepper_attach(l, why, sizeof why));    /* one tracer at a time */
    assert_string_equal(why, "the monitor cannot be stepped: another debugger traces it already");
    stepper_detach(s);
    s = attach(l);
    stepper_detach(s);
    link_kill(l);
    assert_null(stepper_attach(l, why, sizeof why));
    link_end(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handler), cmocka_unit_test(held),
        cmocka_unit_test(followed_at_any_moment), cmocka_unit_test(killed), cmocka_unit_test(twice),
    };
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
