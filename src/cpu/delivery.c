/*
 * cpu/delivery.c -- obstacles of a delivery and of an instruction by name; a chain in short.
 */
#include "cpu/delivery.h"

const struct obstacle_info obstacle_infos[N_OBSTACLES] = {
#define X(name, at, about) [OBSTACLE_##name] = { #name, at, about },
    OBSTACLE_LIST(X)
    REFUSAL_LIST(X)
#undef X
};

void delivery_summary(const struct delivery_chain *c, struct vmexit *x)
{
    x->chain.n = (uint8_t)(c->n < DELIVERY_STEPS ? c->n : DELIVERY_STEPS);
    for (unsigned i = 0; i < x->chain.n; i++)
        x->chain.vector[i] = c->step[i].vector;
    x->chain.type = c->step[0].type;
    x->chain.obstacle = c->step[0].obstacle;
    x->chain.rip = c->step[0].rip;
}
