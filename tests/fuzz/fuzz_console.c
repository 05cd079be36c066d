/*
 * tests/fuzz/fuzz_console.c -- any text as an expression, a line to complete, and a
 * command over a trace without a machine.
 *   run    make fuzz
 *
 * Commands that open files the text names are left out.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/trace.h"
#include "debugger/console/command.h"
#include "debugger/symbols/expr.h"
#include "debugger/trace/store.h"

static int read_fake(void *arg, bool physical, uint64_t at, void *buf, unsigned n)
{
    (void)arg;
    memset(buf, physical ? 1 : 2, n);
    return at & 0x8000 ? -EFAULT : 0;
}

static void try_expression(const char *text)
{
    static struct cpu_state cpu = { .gpr = { 1, 2, 3 } };
    struct expr_machine m = { .cpu = &cpu, .read = read_fake };
    char why[100];
    uint64_t v;
    size_t at;
    int err = expr_eval(text, &m, &v, &at, why, sizeof why);
    if (at > strlen(text) || (err && !why[0]))
        abort();
    /* What evaluates makes sense. */
    if (!err && expr_check(text, &m, &at, why, sizeof why))
        abort();
    expr_eval_word(text, &m, &v, &at, why, sizeof why);
    if (at > strlen(text))
        abort();
}

static void try_completion(struct console *c, const char *text)
{
    size_t start;
    char **words = console_complete(c, text, &start);
    if (start > strlen(text))
        abort();
    for (size_t i = 0; words && words[i]; i++) {
        if (strncmp(words[i], text + start, strlen(text + start)))
            abort();
        free(words[i]);
    }
    free(words);
}

static bool names_a_file(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    return !strncmp(text, "so", 2) || !strncmp(text, "sc", 2) || !strncmp(text, "sy", 2) ||
           !strncmp(text, "sa", 2);     /* source, screenshot, symbol-file, save-symbols */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct console *c;
    static FILE *null;
    char why[200];
    if (!c) {
        struct trace *t = trace_new(64);
        struct store *s = t ? store_record(NULL, t, "", why, sizeof why) : NULL;
        null = fopen("/dev/null", "w");
        c = s ? console_new(&(struct console_options){ .store = s }) : NULL;
        if (!c || !null)
            return 0;
    }
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    try_expression(text);
    try_completion(c, text);
    if (!names_a_file(text))
        console_run(c, text, null);
    free(text);
    return 0;
}
