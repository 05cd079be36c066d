/*
 * debugger/link/explain.c -- the last words about a guest whose machine is in another process.
 *
 * What to say is report/explain.h's business.  This file gathers what it needs from this side
 * of the link: registers, memory and the account of failed deliveries are read from what both
 * processes share, so it works after the VMM has died, too.
 */
#include <stdlib.h>

#include "debugger/link/link.h"
#include "debugger/report/explain.h"

static bool read_linear(void *link, gla_t at, void *to, size_t n)
{
    return link_read_linear(link, at, to, n) == 0;
}

static bool read_physical(void *link, gpa_t at, void *to, size_t n)
{
    return link_read_phys(link, at, to, n) == 0;
}

char *link_explain(struct link *l, const struct symbols *symbols)
{
    struct cpu_state cpu;
    struct delivery_chain chain;
    char *text = NULL;
    size_t n;
    FILE *out = link_state(l) == LINK_ENDED ? open_memstream(&text, &n) : NULL;
    if (!out)
        return NULL;
    link_get_state(l, &cpu);
    link_get_undelivered(l, &chain);
    struct explain_input in = { .stop = link_stopped(l)->vm_stop, .cpu = &cpu,
                                .read = read_linear, .physical = read_physical, .arg = l,
                                .symbols = symbols, .chain = &chain };
    explain_end(&in, out);
    if (fclose(out) == 0 && text && *text)
        return text;
    free(text);
    return NULL;
}
