/*
 * cpu/controls.c -- --exit-on: words that people type, turned into controls.
 *
 * Begin with exit_on_apply(): it is the list of which control does what.
 */
#include "cpu/controls.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/x86.h"

/* EXIT_ON_LIST unfolded, for help and documents. */
const struct exit_on_info exit_on_infos[N_EXIT_ONS] = {
#define X(name, about) [EXIT_ON_##name] = { #name, about },
    EXIT_ON_LIST(X)
#undef X
};

/* A mask has the 32 exceptions in its low half and the rows of EXIT_ON_LIST in its high
 * half. */
#define EXCEPTIONS UINT64_C(0xffffffff)

/* What may be typed; VECTOR_LIST has the names of exceptions, such as "pf". */
static const struct { const char *name; uint64_t mask; } words[] = {
    { "all", EXIT_ON_ALL },
    { "exceptions", EXCEPTIONS },
#define X(name, about) { #name, BIT(32 + EXIT_ON_##name) },
    EXIT_ON_LIST(X)
#undef X
#define X(nr, name, err, about) { #name, BIT(nr) },
    VECTOR_LIST(X)
#undef X
};

/* The mask of one word of `len` characters, or of a vector's number; 0: it means nothing. */
static uint64_t mask_of_word(const char *word, size_t len)
{
    char *end;
    unsigned long vector = strtoul(word, &end, 0);

    if (len && end == word + len && *word >= '0' && *word <= '9')
        return vector < 32 ? BIT(vector) : 0;
    for (size_t i = 0; i < NELEM(words); i++)
        if (strlen(words[i].name) == len && !strncasecmp(words[i].name, word, len))
            return words[i].mask;
    return 0;
}

/* On a word without meaning *bad points to it, within `list`. */
bool exit_on_parse(const char *list, uint64_t *mask, const char **bad)
{
    *mask = 0;
    for (;;) {
        size_t len = strcspn(list, ",");
        uint64_t one = mask_of_word(list, len);
        *bad = list;
        if (!one)
            return false;
        *mask |= one;
        if (!list[len])
            return true;
        list += len + 1;
    }
}

/* A guest that reads CR3 is as interesting as one that writes it, so `cr3` sets both
 * controls.  The masks of CR0 and CR4 get all bits: every write that changes something
 * exits; one that changes nothing does not, on a processor neither.  [SDM 3C "Guest/Host
 * Masks and Read Shadows for CR0 and CR4"] */
void exit_on_apply(uint64_t mask, struct controls *c)
{
    uint64_t rows = mask >> 32;

    c->exception_bitmap |= (uint32_t)mask;
    if (rows & BIT(EXIT_ON_cr3))
        c->cr3_load_exiting = c->cr3_store_exiting = true;
    if (rows & BIT(EXIT_ON_cr))
        c->cr0_mask = c->cr4_mask = ~UINT64_C(0);
    c->mov_dr_exiting |= rows >> EXIT_ON_dr & 1;
    c->invlpg_exiting |= rows >> EXIT_ON_invlpg & 1;
    c->msr_exiting    |= rows >> EXIT_ON_msr & 1;
    c->rdtsc_exiting  |= rows >> EXIT_ON_rdtsc & 1;
    c->wbinvd_exiting |= rows >> EXIT_ON_wbinvd & 1;
}
