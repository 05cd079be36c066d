/*
 * The virtual clock: timers run when due, in order, once; an arming replaces
 * the one before it.
 *   run    make unit
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/trace.h"
#include "base/vclock.h"

struct fixture {
    struct vclock *clock;
    struct vtimer  timer[4];
    char           ran[32];
    uint64_t       rearm_ns;
};

static struct fixture fx;

static void ran(char c)
{
    fx.ran[strlen(fx.ran)] = c;
}

static void run_a(void *arg) { (void)arg; ran('a'); }
static void run_b(void *arg) { (void)arg; ran('b'); }
static void run_c(void *arg) { (void)arg; ran('c'); }
static void run_again(void *arg)
{
    struct vtimer *t = arg;
    ran('r');
    fx.rearm_ns += 10;
    vtimer_arm(t, fx.rearm_ns);
}

static int setup(void **state)
{
    (void)state;
    memset(&fx, 0, sizeof fx);
    fx.clock = vclock_new(NULL);
    vtimer_init(&fx.timer[0], fx.clock, run_a, NULL);
    vtimer_init(&fx.timer[1], fx.clock, run_b, NULL);
    vtimer_init(&fx.timer[2], fx.clock, run_c, NULL);
    vtimer_init(&fx.timer[3], fx.clock, run_again, &fx.timer[3]);
    return fx.clock ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    vclock_free(fx.clock);
    return 0;
}

static void run_to(uint64_t ns)
{
    vclock_set_ns(fx.clock, ns);
    vclock_run_due(fx.clock);
}

static void time_never_goes_back(void **state)
{
    (void)state;
    assert_int_equal(vclock_now_ns(fx.clock), 0);
    vclock_set_ns(fx.clock, 50);
    vclock_set_ns(fx.clock, 49);
    assert_int_equal(vclock_now_ns(fx.clock), 50);
}

static void due_means_due(void **state)
{
    (void)state;
    assert_int_equal(vclock_next_ns(fx.clock), VCLOCK_NEVER);
    vtimer_arm(&fx.timer[0], 100);
    assert_int_equal(vclock_next_ns(fx.clock), 100);
    run_to(99);
    assert_string_equal(fx.ran, "");
    run_to(100);
    assert_string_equal(fx.ran, "a");
    run_to(1000);
    assert_string_equal(fx.ran, "a");
    assert_int_equal(vclock_next_ns(fx.clock), VCLOCK_NEVER);
}

static void in_order_of_deadline_then_of_arming(void **state)
{
    (void)state;
    vtimer_arm(&fx.timer[2], 30);
    vtimer_arm(&fx.timer[1], 20);
    vtimer_arm(&fx.timer[0], 30);
    run_to(30);
    assert_string_equal(fx.ran, "bca");
}

static void arming_again_replaces(void **state)
{
    (void)state;
    vtimer_arm(&fx.timer[0], 10);
    uint32_t first = fx.timer[0].generation;
    vtimer_arm(&fx.timer[0], 20);
    assert_int_not_equal(fx.timer[0].generation, first);
    run_to(10);
    assert_string_equal(fx.ran, "");
    run_to(20);
    assert_string_equal(fx.ran, "a");
}

static void cancelled_timers_stay_silent(void **state)
{
    (void)state;
    vtimer_arm(&fx.timer[0], 10);
    vtimer_arm(&fx.timer[1], 11);
    vtimer_arm(&fx.timer[2], 12);
    vtimer_cancel(&fx.timer[1]);
    vtimer_cancel(&fx.timer[1]);
    vtimer_arm(&fx.timer[2], VCLOCK_NEVER);
    run_to(100);
    assert_string_equal(fx.ran, "a");
}

/* A periodic timer that is late catches up, one period at a time, in this call. */
static void a_timer_may_arm_itself(void **state)
{
    (void)state;
    fx.rearm_ns = 10;
    vtimer_arm(&fx.timer[3], 10);
    vtimer_arm(&fx.timer[0], 25);
    run_to(35);
    assert_string_equal(fx.ran, "rrar");
    assert_int_equal(vclock_next_ns(fx.clock), 40);
}

/* The trace tells which arming fired, and what had armed it. */
static void the_trace_knows_who_armed(void **state)
{
    (void)state;
    struct trace *t = trace_new(16);
    struct vclock *c = vclock_new(t);
    struct vtimer timer;
    t->mask = ~UINT64_C(0);
    vtimer_init(&timer, c, run_a, NULL);
    uint64_t out = trace_emit(t, TRACE_IO_WRITE, 0x40, 1, 0);
    uint64_t old = trace_enter(t, out);
    vtimer_arm(&timer, 500);
    trace_leave(t, old);
    vclock_set_ns(c, 600);
    vclock_run_due(c);
    const struct trace_event *e = &t->ring->event[2];
    assert_int_equal(e->kind, TRACE_TIMER);
    assert_int_equal(e->arg[0], 500);
    assert_int_equal(e->arg[1], timer.generation);
    assert_int_equal(e->vtime_ns, 600);
    assert_int_equal(e->seq - e->cause_back, out);
    assert_int_equal(t->ctx.cause, 0);
    vclock_free(c);
    trace_free(t);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(time_never_goes_back),
        T(due_means_due),
        T(in_order_of_deadline_then_of_arming),
        T(arming_again_replaces),
        T(cancelled_timers_stay_silent),
        T(a_timer_may_arm_itself),
        T(the_trace_knows_who_armed),
    };
    return cmocka_run_group_tests_name("vclock", tests, NULL, NULL);
}
