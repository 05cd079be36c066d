/*
 * tests/unit/to_and_fro.h -- what the tests of going back share: chance that repeats itself, a
 * sum, a link that goes, breakpoints.
 */
#ifndef TESTS_TO_AND_FRO_H
#define TESTS_TO_AND_FRO_H

#include "base/host.h"
#include "debugger/link/link.h"
#include "debugger/symbols/symbols.h"

#define MiB (1u << 20)

static uint64_t seed = 4711;
static struct symbols *symbols;

static uint64_t next(uint64_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (seed >> 20) % below;
}

static uint64_t fnv(uint64_t h, const void *data, size_t n)
{
    const uint8_t *at = data;
    while (n--)
        h = (h ^ *at++) * UINT64_C(0x100000001b3);
    return h;
}

/* Its path into path, its symbols into `symbols`. */
static void choose_guest(const char *guest, char path[200])
{
    char why[300];
    snprintf(path, 200, "%s/guests/%s.elf", getenv("BUILD") ? getenv("BUILD") : "build", guest);
    symbols_close(symbols);
    symbols = symbols_open(path, why, sizeof why);
}

static enum link_stop_why go(struct link *l, enum link_run how, uint64_t n)
{
    char words[512];
    int err = link_run(l, how, n);
    if (err)
        fail_msg("run %d %llu: %s", (int)how, (unsigned long long)n, link_refusal(l));
    if (link_wait(l, 60000))
        fail_msg("run %d %llu: no answer", (int)how, (unsigned long long)n);
    for (size_t k; (k = link_take_words(l, words, sizeof words)); )
        print_message("%.*s", (int)k, words);
    return link_stopped(l)->why;
}

static unsigned add_break(struct link *l, struct link_break b)
{
    char why[300];
    b.enabled = true;
    if (link_break_add(l, &b, why, sizeof why))
        fail_msg("%s", why);
    return b.nr;
}

static gla_t symbol(const char *name)
{
    uint64_t at = 0, end;
    if (!symbols_extent(symbols, name, strlen(name), &at, &end))
        fail_msg("no symbol %s", name);
    return at;
}

#endif
