/*
 * test_explain.c -- a crash is explained whatever the guest has left behind.
 *
 * What explains reads registers, tables and stack of a guest that has gone wrong, or wants to do
 * harm.  Here all of that is noise: the text must still be lines of plain characters, and not
 * long ones.  tests/crash and tests/mistakes ask whether it is right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/x86.h"
#include "cpu/delivery.h"
#include "cpu/state.h"
#include "debugger/report/explain_private.h"

enum { ROUNDS = 4000, LONGEST = 100 };

static uint64_t seed = 88172645463325252;

/* Marsaglia's xorshift: the same numbers each time. */
static uint64_t noise(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static void fill(void *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)to)[i] = (uint8_t)(noise() >> 8);
}

/* Three of four reads find memory: noise, zeros or ones. */
static bool read_noise(void *arg, uint64_t at, void *to, size_t n)
{
    (void)arg;
    (void)at;
    switch (noise() >> 20 & 3) {
    case 0:  return false;
    case 1:  memset(to, 0, n); return true;
    case 2:  memset(to, 0xff, n); return true;
    default: fill(to, n); return true;
    }
}

/* Registers as noise, but in a mode that exists, and small tables (each entry is looked at). */
static void noisy_cpu(struct cpu_state *c)
{
    fill(c, sizeof *c);
    if (noise() & 0x100)
        c->efer = 0;
    if (!(c->cr0 & CR0_PE)) {
        c->cr0 &= ~CR0_PG;
        c->efer = 0;
    }
    if (!(c->cr0 & CR0_PG) || !(c->cr4 & CR4_PAE))
        c->efer &= ~EFER_LMA;
    c->idtr.limit &= 0xfff;
}

static void noisy_chain(struct delivery_chain *ch)
{
    fill(ch, sizeof *ch);
    ch->n = 1 + noise() % DELIVERY_STEPS;
    ch->cause = noise() % (N_OBSTACLES + 1);
    for (unsigned i = 0; i < ch->n; i++) {
        ch->step[i].type = (uint8_t)(noise() % N_EVENT_TYPES);
        ch->step[i].obstacle = (uint8_t)(noise() % (N_OBSTACLES + 1));
        ch->step[i].vector &= noise() & 0x100 ? 0xff : 0x1f;
    }
}

static void assert_readable(const char *text)
{
    size_t column = 0;
    for (const char *p = text; *p; p++) {
        assert_true(*p == '\n' || (*p >= ' ' && *p <= '~'));
        column = *p == '\n' ? 0 : column + 1;
        if (column > LONGEST)
            fail_msg("a line of more than %d characters: %s", LONGEST, text);
    }
    assert_int_equal(column, 0);
}

static void explain(enum vm_stop stop, const struct delivery_chain *chain)
{
    struct cpu_state c;
    char *text = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    assert_non_null(out);
    noisy_cpu(&c);
    struct explain_input in = { .stop = stop, .cpu = &c, .read = read_noise,
                                .physical = noise() & 0x100 ? read_noise : NULL,
                                .chain = chain };
    explain_end(&in, out);
    assert_int_equal(fclose(out), 0);
    assert_readable(text);
    assert_true(*text || stop == VM_TERMINATED);
    free(text);
}

static void any_triple_fault(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct delivery_chain chain;
        noisy_chain(&chain);
        explain(VM_TRIPLE_FAULT, &chain);
    }
}

static void any_triple_fault_without_account(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++)
        explain(VM_TRIPLE_FAULT, NULL);
}

static void any_halt(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++)
        explain(VM_HALTED, NULL);
}

static void any_running_guest(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++)
        explain(VM_TERMINATED, NULL);
}

static void assert_folded(const char *text, const char *expected)
{
    char *got = NULL;
    size_t n;
    FILE *out = open_memstream(&got, &n);
    assert_non_null(out);
    explain_fold(text, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(got, expected);
    free(got);
}

#define WORDS_60 "a23456789 b23456789 c23456789 d23456789 e23456789 f23456789"

static void lines_are_folded(void **state)
{
    (void)state;
    assert_folded("", "");
    assert_folded("\n  short\n", "\n  short\n");
    assert_folded("no newline", "no newline\n");
    assert_folded("  " WORDS_60 " g23456789 h23456789\n",
                  "  " WORDS_60 " g23456789\n      h23456789\n");
    assert_folded("  " WORDS_60 " 0x100000 <main+0x4>: nop\n",     /* kept together */
                  "  " WORDS_60 "\n      0x100000 <main+0x4>: nop\n");
    assert_folded("x" WORDS_60 "-" "1234567890123456789012345678901234567890 y\n",
                  "xa23456789 b23456789 c23456789 d23456789 e23456789\n"
                  "    f23456789-1234567890123456789012345678901234567890 y\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_triple_fault),
        cmocka_unit_test(any_triple_fault_without_account),
        cmocka_unit_test(any_halt),
        cmocka_unit_test(any_running_guest),
        cmocka_unit_test(lines_are_folded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
