/*
 * cpu/engine.c -- all the engines there are.
 *
 * In the order in which `vitrine engines` tells of them.
 * Nothing registers itself: an engine that is not in this table does not exist.
 */
#include "cpu/engine.h"

#include <string.h>

const struct engine *const engines[] = {
    &engine_soft,
    &engine_kvm,
    NULL,
};

const char *const mmu_names[3] = {
    [MMU_NESTED] = "nested",
    [MMU_SHADOW] = "shadow",
    [MMU_PV]     = "pv",
};

const struct engine *engine_find(const char *name)
{
    for (size_t i = 0; engines[i]; i++)
        if (strcmp(engines[i]->name, name) == 0)
            return engines[i];
    return NULL;
}

const char *const *engine_names(void)
{
    static const char *names[NELEM(engines)];

    for (size_t i = 0; engines[i]; i++)
        names[i] = engines[i]->name;
    return names;
}
