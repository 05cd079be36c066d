/*
 * cpu/delivery.c -- the obstacles of a delivery and of an instruction, by name.
 */
#include "cpu/delivery.h"

const struct obstacle_info obstacle_infos[N_OBSTACLES] = {
#define X(name, at, about) [OBSTACLE_##name] = { #name, at, about },
    OBSTACLE_LIST(X)
    REFUSAL_LIST(X)
#undef X
};
