/*
 * Going back where instructions are not counted: by exit, on engine kvm.
 *
 * Guests run from exit to exit, and at each stop a sum over registers, RAM and
 * clock is noted.  Then they are sent back and forth between those events; wherever
 * they arrive the sum must be that one.  Then they run on to their end, and must
 * have said what they say when nobody stops them.
 *   run    make unit
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/trace.h"
#include "to_and_fro.h"

#define STOPS 60

static struct engine_caps caps;

static struct link *start(const char *guest)
{
    char why[300], path[200];
    choose_guest(guest, path);
    struct link_options o = {
        .machine = { .engine = &engine_kvm, .mmu = MMU_NESTED, .ram_bytes = 4 * MiB },
        .guest = { .path = path, .append = "rounds=1" }, .symbols = symbols,
    };
    struct link *l = link_start(&o, why, sizeof why);
    if (!l)
        fail_msg("%s: %s", path, why);
    return l;
}

static struct link_past past(const struct link *l)
{
    struct link_status st;
    link_get_status(l, &st);
    return st.past;
}

/* All but the time-stamp counter, which nobody can stop, and the clock. */
static uint64_t sum_without_clock(const struct link *l)
{
    static uint8_t ram[4 * MiB];
    struct cpu_state s;
    struct link_status st;
    memset(&s, 0, sizeof s);
    link_get_state(l, &s);
    link_get_status(l, &st);
    uint64_t h = fnv(0xcbf29ce484222325, s.gpr, sizeof s.gpr), word;
    h = fnv(h, &s.rip, sizeof s.rip);
    h = fnv(h, &s.rflags, sizeof s.rflags);
    h = fnv(h, s.seg, sizeof s.seg);
    h = fnv(h, &s.cr0, 6 * sizeof s.cr0);
    uint64_t counts[] = { st.n_exits, st.n_irqs };
    h = fnv(h, counts, sizeof counts);
    link_read_phys(l, 0, ram, 0xa0000);
    link_read_phys(l, MiB, ram + MiB, 3 * MiB);
    for (gpa_t at = 0; at < sizeof ram; at += 8) {
        memcpy(&word, ram + at, 8);
        h = (h ^ word) * UINT64_C(0x100000001b3);
    }
    return h;
}

static uint64_t sum(const struct link *l)
{
    struct link_status st;
    link_get_status(l, &st);
    return fnv(sum_without_clock(l), &st.vtime_ns, sizeof st.vtime_ns);
}

/* ---- there and back ---- */

static struct { uint64_t seq, sum; } seen[STOPS];
static unsigned n_seen;

/* What must leave no trace in what is done next: steps, and a pause somewhere. */
static void disturb(struct link *l)
{
    uint64_t what = next(4);
    if (link_state(l) == LINK_STOPPED && what == 0)
        go(l, LINK_STEP, 1 + next(5));
    if (link_state(l) != LINK_STOPPED || what != 1)
        return;
    assert_int_equal(link_run(l, LINK_FREE, 0), 0);
    usleep((useconds_t)next(20000));
    link_pause(l);
    assert_int_equal(link_wait(l, 20000), 0);
}

static void wander(struct link *l, uint64_t far)
{
    n_seen = 0;
    while (n_seen < STOPS && link_state(l) == LINK_STOPPED) {
        if (!next(8))
            go(l, LINK_STEP, 1 + next(5));
        if (link_state(l) != LINK_STOPPED)
            return;
        go(l, LINK_STEP_EXIT, 1 + (next(4) ? next(far) : next(3)));
        seen[n_seen].seq = past(l).seq;
        seen[n_seen++].sum = sum(l);
    }
    if (link_state(l) == LINK_ENDED)
        n_seen--;                               /* its end is no place to come to by an event */
}

static void there_and_back(struct link *l, unsigned times)
{
    for (unsigned k = 0; k < times; k++) {
        unsigned i = (unsigned)next(n_seen);
        if (past(l).inside)
            disturb(l);
        go(l, LINK_TO_EVENT, seen[i].seq);
        if (past(l).seq != seen[i].seq)
            fail_msg("to event %llu, but at %llu: %s", (unsigned long long)seen[i].seq,
                     (unsigned long long)past(l).seq, link_stopped(l)->text);
        if (sum(l) != seen[i].sum)
            fail_msg("to event %llu: not what was there (%s)", (unsigned long long)seen[i].seq,
                     link_stopped(l)->text);
        if (next(4))
            continue;
        unsigned j = i + (unsigned)next(n_seen - i);
        for (uint64_t exits = 0; past(l).seq < seen[j].seq && exits < 10000; exits++)
            go(l, LINK_STEP_EXIT, 1);           /* forwards inside the past */
        if (past(l).seq < seen[j].seq)
            fail_msg("forwards to event %llu, but at %llu: %s", (unsigned long long)seen[j].seq,
                     (unsigned long long)past(l).seq, link_stopped(l)->text);
        if (past(l).seq == seen[j].seq && sum(l) != seen[j].sum)    /* not led past it by a wall */
            fail_msg("forwards to event %llu: not what was there", (unsigned long long)seen[j].seq);
    }
}

static size_t read_to_end(struct link *l, char *text, size_t n)
{
    while (link_state(l) == LINK_STOPPED)
        go(l, LINK_FREE, 0);
    assert_int_equal(link_state(l), LINK_ENDED);
    return link_take_output(l, LINK_DEBUGCON, text, n);
}

static void roam(const char *guest, uint64_t far)
{
    static char want[65536], text[65536];
    struct link *l = start(guest);
    size_t want_n = read_to_end(l, want, sizeof want);
    link_end(l);
    l = start(guest);
    wander(l, far);
    assert_in_range(n_seen, 3, STOPS);
    uint64_t newest = past(l).seq, there = sum(l);
    there_and_back(l, 30);
    bool further = past(l).newest_seq > newest;     /* it was paused behind that */
    go(l, LINK_TO_NOW, 0);
    assert_true(further || (past(l).seq == newest && sum(l) == there));
    size_t n = read_to_end(l, text, sizeof text);
    assert_int_equal(n, want_n);
    assert_memory_equal(text, want, n);
    there_and_back(l, 30);
    go(l, LINK_TO_NOW, 0);
    assert_int_equal(link_state(l), LINK_ENDED);
    link_end(l);
}

static void needs(bool able, const char *what)
{
    if (able)
        return;
    print_message("skipped: %s\n", caps.ok ? what : caps.why);
    skip();
}

/* ---- breakpoints backwards ---- */

/* Every stop on the way there is met on the way back, and again forwards.  (At a stop between
 * two exits the clock goes on while one looks.) */
static void back_over(struct link *l, unsigned most)
{
    uint64_t at[32], sums[32];
    unsigned n = 0;
    for (; n < most && go(l, LINK_FREE, 0) == LINK_BREAK; n++) {
        at[n] = past(l).seq;
        sums[n] = sum_without_clock(l);
        if (getenv("VERBOSE"))
            print_message("stop %u: event %llu, exit %llu\n", n, (unsigned long long)at[n], (unsigned long long)past(l).newest_progress);
    }
    assert_int_equal(n, most);
    for (unsigned i = n - 1; i-- > 0; ) {
        if (go(l, LINK_REVERSE_CONTINUE, 0) != LINK_BREAK || past(l).seq != at[i])
            fail_msg("stop %u of %u: at %llu, not at %llu: %s", i, n, (unsigned long long)past(l).seq,
                     (unsigned long long)at[i], link_stopped(l)->text);
        assert_true(sum_without_clock(l) == sums[i]);
    }
    assert_int_equal(go(l, LINK_REVERSE_CONTINUE, 0), LINK_AT_BEGINNING);
    for (unsigned i = 0; i < n; i++) {
        if (go(l, LINK_FREE, 0) != LINK_BREAK || past(l).seq != at[i])
            fail_msg("forwards, stop %u of %u: at %llu, not at %llu: %s", i, n,
                     (unsigned long long)past(l).seq, (unsigned long long)at[i], link_stopped(l)->text);
        assert_true(sum_without_clock(l) == sums[i]);
    }
    link_end(l);
}

static void test_events(void **state)
{
    (void)state;
    needs(caps.long_mode, "no long mode");
    struct link *l = start("preempt64");
    add_break(l, (struct link_break){ .kind = BREAK_EVENT, .event = "kind=INJECT" });
    back_over(l, 12);
}

static void test_code(void **state)
{
    (void)state;
    needs(caps.long_mode && caps.breakpoints, "no hardware breakpoints");
    struct link *l = start("preempt64");
    add_break(l, (struct link_break){ .kind = BREAK_CODE, .at = symbol("on_timer") });
    back_over(l, 12);
}

/* ---- steps ---- */

/* Whoever has stepped the guest, here over an instruction that traps, can go back as well. */
static void test_behind_steps(void **state)
{
    (void)state;
    needs(caps.ok && caps.single_step, "no single steps");
    struct link *l = start("hello");
    go(l, LINK_STEP_EXIT, 20);
    uint64_t seq = past(l).seq, there = sum(l);
    go(l, LINK_STEP_EXIT, 5);
    for (unsigned i = 0; i < 10; i++) {
        go(l, LINK_STEP, 3);
        go(l, LINK_TO_EVENT, seq);
        if (past(l).seq != seq || sum(l) != there)
            fail_msg("after %u steps: to event %llu, but at %llu: %s", 3 * (i + 1), (unsigned long long)seq,
                     (unsigned long long)past(l).seq, link_stopped(l)->text);
        go(l, LINK_STEP, 1);                    /* forwards inside the past */
        go(l, LINK_TO_EVENT, seq);
        assert_true(past(l).seq == seq && sum(l) == there);
        go(l, LINK_TO_NOW, 0);
    }
    link_end(l);
}

/* A stop that the guest was stepped on from is the last one, though no exit was between.  (What time
 * it was at a stop between two exits is not in the log.) */
static void test_stepped_on(void **state)
{
    (void)state;
    needs(caps.long_mode && caps.breakpoints && caps.single_step, "no hardware breakpoints");
    struct link *l = start("preempt64");
    uint64_t at = 0, end, sums[4];
    assert_true(symbols_extent(symbols, "on_timer", strlen("on_timer"), &at, &end));
    add_break(l, (struct link_break){ .kind = BREAK_CODE, .at = at });
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(go(l, LINK_FREE, 0), LINK_BREAK);
        sums[i] = sum_without_clock(l);
    }
    for (unsigned i = 4; i-- > 0; ) {
        go(l, LINK_STEP, 2);
        assert_true(sum_without_clock(l) != sums[i]);
        assert_int_equal(go(l, LINK_REVERSE_CONTINUE, 0), LINK_BREAK);
        assert_true(sum_without_clock(l) == sums[i]);
        enum link_stop_why why = go(l, LINK_REVERSE_CONTINUE, 0);
        assert_int_equal(why, i ? LINK_BREAK : LINK_AT_BEGINNING);
        assert_true(!i || sum_without_clock(l) == sums[i - 1]);
    }
    link_end(l);
}

/* ---- another future ---- */

static void test_cut(void **state)
{
    (void)state;
    needs(caps.long_mode, "no long mode");
    char text[8192];
    struct link *l = start("preempt64");
    go(l, LINK_STEP_EXIT, 200);
    uint64_t newest = past(l).seq;
    go(l, LINK_TO_EVENT, newest / 2);
    assert_true(past(l).inside);
    uint8_t byte = 0x5a;
    assert_int_equal(link_write_phys(l, 0x500, &byte, 1), 0);
    uint64_t changed = sum(l), cut = past(l).seq;
    assert_false(past(l).inside);
    go(l, LINK_STEP_EXIT, 50);
    assert_true(past(l).newest_seq > cut);
    go(l, LINK_TO_EVENT, past(l).newest_seq - 20);
    link_read_phys(l, 0x500, &byte, 1);
    assert_int_equal(byte, 0x5a);
    go(l, LINK_TO_BEGIN, 0);
    link_read_phys(l, 0x500, &byte, 1);
    assert_int_not_equal(byte, 0x5a);
    go(l, LINK_TO_NOW, 0);
    assert_true(sum(l) != changed);
    assert_int_not_equal(read_to_end(l, text, sizeof text), 0);
    assert_int_equal(link_stopped(l)->status, 0);
    link_end(l);
}

/* Three times from the beginning: counts at 500h, writes that to the debug console, resets itself. */
static void test_reset(void **state)
{
    (void)state;
    needs(caps.real_mode, "no real mode");
    static const uint8_t code[] = {
        0xff, 0x06, 0x00, 0x05,                 /* inc word [500h]         */
        0xa0, 0x00, 0x05, 0xe6, 0xe9,           /* mov al, [500h]; out e9h */
        0x3c, 0x03, 0x74, 0x04,                 /* cmp al, 3; je +4        */
        0xb0, 0xfe, 0xe6, 0x64,                 /* mov al, feh; out 64h    */
        0x30, 0xc0, 0xe6, 0xf4, 0xeb, 0xfe,     /* xor al, al; out f4h     */
    };
    char why[300], path[] = "/tmp/vitrine-test-reset-XXXXXX", text[16];
    int fd = mkstemp(path);
    assert_int_equal(write(fd, code, sizeof code), sizeof code);
    close(fd);
    struct link_options o = {
        .machine = { .engine = &engine_kvm, .mmu = MMU_NESTED, .ram_bytes = 4 * MiB },
        .guest = { .path = path, .format = "flat@0x1000:16" },
    };
    struct link *l = link_start(&o, why, sizeof why);
    if (!l)
        fail_msg("%s", why);
    wander(l, 1);
    assert_in_range(n_seen, 5, STOPS);
    there_and_back(l, 40);
    go(l, LINK_TO_NOW, 0);
    assert_int_equal(read_to_end(l, text, sizeof text), 3);
    assert_memory_equal(text, "\1\2\3", 3);
    there_and_back(l, 40);
    link_end(l);
    unlink(path);
}

static void test_refusals(void **state)
{
    (void)state;
    needs(caps.ok, "");
    struct link *l = start("hello");
    assert_int_equal(link_run(l, LINK_TO_BEGIN, 0), -ENODATA);
    go(l, LINK_STEP_EXIT, 20);
    assert_int_equal(link_run(l, LINK_REVERSE_STEP, 1), -ENOTSUP);
    assert_non_null(strstr(link_refusal(l), "by exit"));
    assert_int_equal(link_run(l, LINK_TO_EVENT, past(l).seq + 1), -ERANGE);
    link_end(l);
}

/* Whichever way a byte went in: where the guest is asked every millisecond, where it makes room,
 * or where it sleeps. */
static void test_typed(void **state)
{
    (void)state;
    needs(caps.ok, "");
    struct link *l = start("echo");
    for (n_seen = 0; n_seen < STOPS; n_seen++) {
        const char *text = n_seen == STOPS / 2 ? "\n" : "abc";
        link_type(l, LINK_TO_SERIAL, text, 1 + next(strlen(text)));
        go(l, LINK_STEP_EXIT, 1 + next(n_seen < STOPS / 2 ? 200 : 4));
        seen[n_seen].seq = past(l).seq;
        seen[n_seen].sum = sum(l);
    }
    there_and_back(l, 40);
    link_end(l);
}

static void test_hello(void **state)   { (void)state; needs(caps.ok, ""); roam("hello", 5); }
static void test_pages(void **state)   { (void)state; needs(caps.long_mode, "no long mode"); roam("pfstorm64", 3); }
static void test_churn(void **state)   { (void)state; needs(caps.long_mode, "no long mode"); roam("ptchurn64", 3); }
static void test_preempt(void **state) { (void)state; needs(caps.long_mode, "no long mode"); roam("preempt64", 20); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello), cmocka_unit_test(test_pages), cmocka_unit_test(test_churn),
        cmocka_unit_test(test_preempt), cmocka_unit_test(test_events), cmocka_unit_test(test_code),
        cmocka_unit_test(test_behind_steps), cmocka_unit_test(test_stepped_on),
        cmocka_unit_test(test_cut), cmocka_unit_test(test_typed),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_reset),
    };
    engine_kvm.probe(&caps);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
