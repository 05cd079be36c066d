/*
 * tests/fuzz/fuzz_filter.c -- any text as a filter, on events of every kind.
 *   run    make fuzz
 *
 * The first 64 bytes are an event, the rest is the text.  What the filter says
 * of kinds must never hide an event that it matches.
 */
#include <stdlib.h>
#include <string.h>

#include "debugger/trace/filter.h"
#include "debugger/trace/text.h"

static const char *engine_of(const void *arg, unsigned engine)
{
    (void)arg;
    return engine == 0 ? "soft" : "?";
}

static void try_event(const struct filter *f, const struct trace_event *e)
{
    if (filter_match(f, e) && !(filter_kinds(f) & BIT(e->kind & 63)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct trace_text x = { .engine_name = engine_of };
    struct trace_event e;
    struct filter_error err;
    char complaint[300];
    if (size < sizeof e)
        return 0;
    memcpy(&e, data, sizeof e);
    char *text = malloc(size - sizeof e + 1);
    if (!text)
        return 0;
    memcpy(text, data + sizeof e, size - sizeof e);
    text[size - sizeof e] = '\0';
    struct filter *f = filter_compile(text, &x, &err);
    if (f) {
        struct filter *twice = filter_both(f, f);
        e.kind &= 63;
        for (unsigned k = 0; k < N_TRACE_KINDS; k++, e.kind = (uint8_t)k)
            try_event(f, &e);
        if (twice && filter_match(twice, &e) != filter_match(f, &e))
            abort();
        filter_free(twice);
        filter_free(f);
    } else {
        if (err.column > strlen(text) || !err.text[0])
            abort();
        filter_complain(text, &err, complaint, sizeof complaint);
    }
    free(text);
    return 0;
}
