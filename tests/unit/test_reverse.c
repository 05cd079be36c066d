/*
 * Going back: what is found there is what was there.
 *
 * Guests run forwards in steps of random length, and at each stop a sum over
 * registers, RAM and clock is noted.  Then they are sent back and forth at random;
 * wherever they stop at a place that was noted the sum must be that one.  Then
 * they run on to the end, which must be that of a guest that was never stopped.
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
#include "disk_image.h"
#include "to_and_fro.h"

static struct link *start(const char *guest, enum mmu_kind mmu, const char *append)
{
    char why[300], path[200];
    choose_guest(guest, path);
    struct link_options o = {
        .machine = { .engine = &engine_soft, .mmu = mmu, .ram_bytes = 4 * MiB },
        .guest = { .path = path, .append = append }, .symbols = symbols,
    };
    if (strcmp(guest, "ata") == 0)
        o.machine.disk[0] = test_disk();
    struct link *l = link_start(&o, why, sizeof why);
    if (!l)
        fail_msg("%s: %s", path, why);
    return l;
}

static struct link_status status(const struct link *l)
{
    struct link_status st;
    link_get_status(l, &st);
    return st;
}

static uint64_t icount(const struct link *l)
{
    return status(l).icount;
}

static uint64_t sum(const struct link *l)
{
    static uint8_t page[MiB];
    struct cpu_state s;
    memset(&s, 0, sizeof s);
    link_get_state(l, &s);
    struct link_status st = status(l);
    uint64_t h = fnv(0xcbf29ce484222325, s.gpr, sizeof s.gpr), word;
    h = fnv(h, &s.rip, sizeof s.rip);
    h = fnv(h, &s.rflags, sizeof s.rflags);
    h = fnv(h, s.seg, sizeof s.seg);
    h = fnv(h, &s.cr0, 6 * sizeof s.cr0);
    h = fnv(h, s.fpu, sizeof s.fpu);
    h = fnv(h, &s.tsc, sizeof s.tsc);
    uint64_t counts[] = { st.icount, st.vtime_ns, st.n_exits, st.n_irqs };
    h = fnv(h, counts, sizeof counts);
    for (gpa_t at = 0; at < 4 * MiB; at += MiB) {
        link_read_phys(l, at, page, at ? MiB : 0xc0000);
        for (size_t i = 0; i < MiB; i += 8) {
            memcpy(&word, page + i, 8);
            h = (h ^ word) * UINT64_C(0x100000001b3);
        }
    }
    return h;
}

/* ---- there and back ---- */

#define STOPS 60
static struct { uint64_t icount, sum; } seen[STOPS];
static unsigned n_seen;

static void remember(const struct link *l)
{
    seen[n_seen].icount = icount(l);
    seen[n_seen++].sum = sum(l);
}

static void compare(const struct link *l, const char *how, unsigned i)
{
    if (icount(l) != seen[i].icount)
        fail_msg("%s: at %llu, not at %llu", how, (unsigned long long)icount(l),
                 (unsigned long long)seen[i].icount);
    if (sum(l) != seen[i].sum)
        fail_msg("%s to %llu: not what was there", how, (unsigned long long)seen[i].icount);
}

/* Forwards in random steps; to the end, if that is near. */
static void wander(struct link *l, uint64_t far)
{
    n_seen = 0;
    while (n_seen < STOPS && link_state(l) == LINK_STOPPED) {
        remember(l);
        go(l, LINK_STEP, 1 + (next(4) ? next(far) : next(20)));
    }
}

static void there_and_back(struct link *l)
{
    for (unsigned k = 0; k < 80; k++) {
        unsigned i = (unsigned)next(n_seen);
        uint64_t now = icount(l), to = seen[i].icount;
        if (next(2) && to < now) {
            go(l, LINK_REVERSE_STEP, now - to);
            compare(l, "reverse-step", i);
        } else if (next(2) && to > now && link_state(l) == LINK_STOPPED) {
            go(l, LINK_STEP, to - now);
            compare(l, "step in the past", i);
        } else {
            go(l, LINK_TO_INSN, to);
            compare(l, "to", i);
        }
    }
}

/* What a guest says and how it ends if nobody stops it. */
static uint64_t undisturbed(const char *guest, enum mmu_kind mmu, const char *append, uint64_t *events)
{
    struct link *l = start(guest, mmu, append);
    char text[65536];
    assert_int_equal(go(l, LINK_FREE, 0), LINK_GUEST_ENDED);
    size_t n = link_take_output(l, LINK_SERIAL, text, sizeof text);
    uint64_t h = fnv(sum(l), text, n);
    *events = store_n_events(link_store(l));
    link_end(l);
    return h;
}

static void roam(const char *guest, enum mmu_kind mmu, const char *append, uint64_t far)
{
    uint64_t want_events, want = undisturbed(guest, mmu, append, &want_events);
    struct link *l = start(guest, mmu, append);
    char text[65536];
    wander(l, far);
    uint64_t newest = icount(l), there = sum(l);
    there_and_back(l);
    go(l, LINK_TO_NOW, 0);
    assert_int_equal(icount(l), newest);
    assert_true(sum(l) == there);
    if (link_state(l) == LINK_STOPPED)
        assert_int_equal(go(l, LINK_FREE, 0), LINK_GUEST_ENDED);
    assert_int_equal(link_state(l), LINK_ENDED);
    there_and_back(l);
    if (link_state(l) == LINK_STOPPED)
        assert_int_equal(go(l, LINK_FREE, 0), LINK_GUEST_ENDED);
    size_t n = link_take_output(l, LINK_SERIAL, text, sizeof text);
    if (fnv(sum(l), text, n) != want)
        fail_msg("%s ends otherwise after it was taken back", guest);
    assert_int_equal(store_n_events(link_store(l)), want_events);
    link_end(l);
}

static void test_hello(void **state)    { (void)state; roam("hello", MMU_NESTED, NULL, 20); }
static void test_timer(void **state)    { (void)state; roam("timer", MMU_NESTED, NULL, 20000); }
static void test_churn(void **state)    { (void)state; roam("ptchurn32", MMU_SHADOW, NULL, 100000); }
/* It reads a sector that must be as in the image before it writes to it: each time anew. */
static void test_disk_taken_back(void **state) { (void)state; roam("ata", MMU_NESTED, NULL, 20000); }
static void test_paging(void **state)   { (void)state; roam("paging", MMU_SHADOW, NULL, 1000); }
static void test_smc(void **state)      { (void)state; roam("smc32", MMU_NESTED, NULL, 100000); }
static void test_tiny(void **state)     { (void)state; roam("tiny32", MMU_SHADOW, "run=primes; ps; exit 3", 200000); }
static void test_tiny64(void **state)   { (void)state; roam("tiny64", MMU_NESTED, "run=primes; ps; exit 3", 200000); }

/* ---- breakpoints backwards ---- */

/* Every stop at a breakpoint on the way there is met on the way back, in the other order. */
static void back_over(struct link *l, const char *what)
{
    uint64_t at[64];
    unsigned n = 0;
    while (n < NELEM(at) && go(l, LINK_FREE, 0) == LINK_BREAK)
        at[n++] = icount(l);
    if (n < 3)
        fail_msg("%s: only %u hits", what, n);
    bool ended = n < NELEM(at);
    for (unsigned i = n - !ended; i-- > 0; ) {
        if (go(l, LINK_REVERSE_CONTINUE, 0) != LINK_BREAK)
            fail_msg("%s, hit %u of %u: %s", what, i, n, link_stopped(l)->text);
        if (icount(l) != at[i])
            fail_msg("%s, hit %u of %u: at %llu, not at %llu", what, i, n, (unsigned long long)icount(l),
                     (unsigned long long)at[i]);
    }
    assert_int_equal(go(l, LINK_REVERSE_CONTINUE, 0), LINK_AT_BEGINNING);
    assert_int_equal(icount(l), 0);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(go(l, LINK_FREE, 0), LINK_BREAK);
        assert_int_equal(icount(l), at[i]);
    }
    link_end(l);
}

static void test_code_backwards(void **state)
{
    (void)state;
    struct link *l = start("timer", MMU_NESTED, NULL);
    add_break(l, (struct link_break){ .kind = BREAK_CODE, .at = symbol("emit") });
    back_over(l, "code");
}

static void test_event_backwards(void **state)
{
    (void)state;
    struct link *l = start("timer", MMU_SHADOW, NULL);
    add_break(l, (struct link_break){ .kind = BREAK_EVENT, .event = "kind=INJECT" });
    back_over(l, "event");
}

/* A watchpoint stops behind the write on the way there, and before it on the way back. */
static void test_data_backwards(void **state)
{
    (void)state;
    uint64_t at[100];
    unsigned n = 0;
    struct link *l = start("timer", MMU_NESTED, NULL);
    add_break(l, (struct link_break){ .kind = BREAK_DATA, .at = symbol("ticks"), .len = 4,
                                      .access = BREAK_CHANGE });
    while (n < NELEM(at) && go(l, LINK_FREE, 0) == LINK_BREAK)
        at[n++] = icount(l);
    assert_in_range(n, 3, 100);
    for (unsigned i = n; i-- > 0; ) {
        assert_int_equal(go(l, LINK_REVERSE_CONTINUE, 0), LINK_BREAK);
        assert_int_equal(icount(l), at[i] - 1);
    }
    assert_int_equal(go(l, LINK_REVERSE_CONTINUE, 0), LINK_AT_BEGINNING);
    link_end(l);
}

/* Over a call forwards and back again is where one was. */
static void test_next_and_finish(void **state)
{
    (void)state;
    struct link *l = start("timer", MMU_NESTED, NULL);
    struct cpu_state before, after;
    add_break(l, (struct link_break){ .kind = BREAK_CODE, .at = symbol("emit"), .temporary = true });
    go(l, LINK_FREE, 0);
    link_get_state(l, &before);
    uint64_t inside = icount(l);
    go(l, LINK_STEP, 3);
    go(l, LINK_REVERSE_FINISH, symbol("emit"));
    assert_int_equal(icount(l), inside - 1);        /* at the call */
    uint64_t call = sum(l), at = icount(l);
    go(l, LINK_NEXT, 0);
    assert_true(icount(l) > inside);
    go(l, LINK_REVERSE_NEXT, 0);
    assert_int_equal(icount(l), at);
    assert_true(sum(l) == call);
    link_get_state(l, &after);
    assert_int_not_equal(before.rip, after.rip);
    link_end(l);
}

/* ---- another future ---- */

static void test_cut(void **state)
{
    (void)state;
    struct link *l = start("tiny64", MMU_NESTED, NULL);
    go(l, LINK_STEP, 50000);
    uint64_t newest = status(l).past.newest_progress;
    assert_int_equal(newest, 50000);
    go(l, LINK_REVERSE_STEP, 20000);
    uint64_t there = sum(l);
    assert_true(status(l).past.inside);
    uint8_t byte = 0x5a;
    assert_int_equal(link_write_phys(l, 0x500, &byte, 1), 0);
    uint64_t changed = sum(l);
    assert_true(changed != there);
    assert_false(status(l).past.inside);
    assert_int_equal(status(l).past.newest_progress, 30000);
    link_poll(l, 0);
    assert_int_equal(store_at(link_store(l), store_n_events(link_store(l)) - 1)->kind, TRACE_CUT);
    go(l, LINK_STEP, 10000);
    go(l, LINK_REVERSE_STEP, 10000);
    assert_true(sum(l) == changed);                 /* the write is part of it */
    go(l, LINK_REVERSE_STEP, 1);
    byte = 0;
    link_read_phys(l, 0x500, &byte, 1);
    assert_int_not_equal(byte, 0x5a);
    go(l, LINK_STEP, 1);
    assert_true(sum(l) == changed);
    go(l, LINK_STEP, 5000);
    link_read_phys(l, 0x500, &byte, 1);
    assert_int_equal(byte, 0x5a);
    assert_int_equal(link_run(l, LINK_TO_INSN, 40001), -ERANGE);
    assert_non_null(strstr(link_refusal(l), "not happened"));
    link_end(l);
}

/* A stop at the very place where the user put the CPU: nothing before it leads there. */
static void test_stop_at_wall(void **state)
{
    (void)state;
    struct link *l = start("timer", MMU_NESTED, NULL);
    struct cpu_state s;
    go(l, LINK_STEP, 1000);
    link_get_state(l, &s);
    s.rip = symbol("emit");
    assert_int_equal(link_set_state(l, ST_GPRS, &s), 0);
    uint64_t there = sum(l);
    add_break(l, (struct link_break){ .kind = BREAK_CODE, .at = s.rip });
    go(l, LINK_STEP, 3);
    assert_int_equal(go(l, LINK_REVERSE_CONTINUE, 0), LINK_BREAK);
    assert_int_equal(icount(l), 1000);
    assert_true(sum(l) == there);
    assert_int_equal(go(l, LINK_REVERSE_CONTINUE, 0), LINK_AT_BEGINNING);
    link_end(l);
}

/* What was typed comes again where it came. */
static void test_typed(void **state)
{
    (void)state;
    struct link *l = start("tiny32", MMU_SHADOW, NULL);
    char text[65536];
    go(l, LINK_STEP, 2000000);                      /* until it waits for input */
    assert_int_equal(link_state(l), LINK_STOPPED);
    uint64_t prompt = icount(l), at_prompt = sum(l);
    assert_int_equal(link_type(l, LINK_TO_SERIAL, "ps\n", 3), 3);
    go(l, LINK_STEP, 200000);
    uint64_t newest = icount(l), there = sum(l);
    assert_true(newest > prompt);
    size_t n = link_take_output(l, LINK_SERIAL, text, sizeof text);
    assert_true(n > 10);
    go(l, LINK_TO_INSN, 1000);
    go(l, LINK_TO_INSN, prompt + 5);
    go(l, LINK_STEP, newest - prompt - 5);
    assert_int_equal(icount(l), newest);
    assert_true(sum(l) == there);
    assert_int_equal(link_take_output(l, LINK_SERIAL, text, sizeof text), 0);
    go(l, LINK_TO_INSN, prompt);
    (void)at_prompt;
    assert_int_equal(link_type(l, LINK_TO_SERIAL, "exit 7\n", 7), 7);
    while (link_state(l) == LINK_STOPPED)
        go(l, LINK_FREE, 0);
    assert_int_equal(link_stopped(l)->status, 7);
    link_end(l);
}

/* ---- files ---- */

static void test_save_and_load(void **state)
{
    (void)state;
    char why[300], name[] = "/tmp/vitrine-test-reverse-XXXXXX";
    int fd = mkstemp(name);
    struct link *l = start("tiny32", MMU_SHADOW, NULL);
    go(l, LINK_STEP, 100000);
    uint64_t there = sum(l);
    assert_int_equal(link_save(l, fd, why, sizeof why), 0);
    go(l, LINK_STEP, 5000);
    lseek(fd, 0, SEEK_SET);
    if (link_load(l, fd, why, sizeof why))
        fail_msg("%s", why);
    link_poll(l, 0);
    assert_true(sum(l) == there);
    go(l, LINK_STEP, 1000);
    go(l, LINK_REVERSE_STEP, 1000);
    assert_true(sum(l) == there);
    assert_int_equal(go(l, LINK_REVERSE_STEP, 1), LINK_AT_BEGINNING);
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(write(fd, "x", 1), 1);
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(link_load(l, fd, why, sizeof why), -EINVAL);
    assert_non_null(strstr(why, "no snapshot"));
    assert_true(sum(l) == there);
    close(fd);
    unlink(name);
    link_end(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello), cmocka_unit_test(test_timer), cmocka_unit_test(test_churn),
        cmocka_unit_test(test_paging), cmocka_unit_test(test_disk_taken_back), cmocka_unit_test(test_smc), cmocka_unit_test(test_tiny),
        cmocka_unit_test(test_tiny64), cmocka_unit_test(test_code_backwards),
        cmocka_unit_test(test_event_backwards), cmocka_unit_test(test_data_backwards),
        cmocka_unit_test(test_next_and_finish), cmocka_unit_test(test_cut), cmocka_unit_test(test_stop_at_wall), cmocka_unit_test(test_typed),
        cmocka_unit_test(test_save_and_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
