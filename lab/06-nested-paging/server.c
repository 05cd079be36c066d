/*
 * lab/06-nested-paging/server.c -- the main() of a submission: calls what the student wrote.
 *
 * The student's nested.c finds here the map of guest memory, but no guest memory, and frames for
 * its tables; what it writes there is told to the monitor before each reply.
 */
#include "mem/nested.h"

#include <string.h>

#include "../lab/06-nested-paging/calls.h"
#include "../lab/common/keeper.h"
#include "../lab/common/part.h"
#include "mem/gmem.h"

static struct nested *nested;
static struct gmem_region region[LAB_WIRE_DATA / sizeof(struct lab6_region)];
static size_t n_regions;

size_t gmem_count(const struct gmem *m)
{
    (void)m;
    return n_regions;
}

const struct gmem_region *gmem_region(const struct gmem *m, size_t i)
{
    (void)m;
    return i < n_regions ? &region[i] : NULL;
}

const struct gmem_region *gmem_find(const struct gmem *m, gpa_t gpa)
{
    (void)m;
    for (size_t i = 0; i < n_regions; i++)
        if (gpa - region[i].base < region[i].size)
            return &region[i];
    return NULL;
}

/* There is no memory behind the map. */
void *gmem_ptr(const struct gmem *m, gpa_t gpa, uint64_t len)
{
    (void)m, (void)gpa, (void)len;
    return NULL;
}

static uint64_t make(const struct lab_message *m)
{
    struct lab6_region r;
    struct hmem *h = keeper_hmem(m->arg[0]);
    n_regions = m->arg[1] < NELEM(region) ? m->arg[1] : NELEM(region);
    for (size_t i = 0; i < n_regions; i++) {
        memcpy(&r, m->data + i * sizeof r, sizeof r);
        region[i] = (struct gmem_region){ .name = "memory", .base = r.base, .size = r.size,
                                          .kind = (enum gmem_kind)r.kind };
    }
    nested = h ? nested_new(h, NULL) : NULL;
    return nested ? nested_root(nested) : HMEM_NONE;
}

/* The list goes back in the message's data. */
static uint64_t list_walk(struct lab_message *m)
{
    gpa_t at[NESTED_MOST_AT];
    hpa_t list[LAB_WIRE_DATA / sizeof(hpa_t)] = { 0 };      /* room for a list that is too long */
    uint64_t n_at = m->arg[0] < NELEM(at) ? m->arg[0] : NELEM(at);
    memcpy(at, m->data, n_at * sizeof at[0]);
    uint64_t n = nested_references(nested, at, n_at, list);
    m->bytes = (uint32_t)(n <= NELEM(list) ? n * sizeof list[0] : 0);
    memcpy(m->data, list, m->bytes);
    return n;
}

static uint64_t call(const struct lab_message *m)
{
    const uint64_t *a = m->arg;
    switch (m->what) {
    case LAB6_MAP:     return (uint64_t)(int64_t)nested_map(nested, a[0], a[1], a[2],
                                                            (unsigned)a[3]);
    case LAB6_FILL:    return (uint64_t)(int64_t)nested_fill(nested, a[0]);
    case LAB6_LARGE:   nested_set_large(nested, a[0]); return 0;
    case LAB6_UNMAP:   return nested_unmap(nested, a[0], a[1]);
    case LAB6_PROTECT: return nested_protect(nested, a[0], a[1], (unsigned)a[2]);
    case LAB6_PUT:     return (uint64_t)(int64_t)nested_put_entry(nested, a[0], a[1]);
    default:           return nested_count(nested);
    }
}

static bool serve(void *arg, struct lab_message *m)
{
    (void)arg;
    if (m->what < LAB6_NEW || m->what > LAB6_WALK || (m->what != LAB6_NEW && !nested))
        return false;
    if (m->what == LAB6_WALK) {
        m->arg[0] = list_walk(m);
    } else {
        m->arg[0] = m->what == LAB6_NEW ? make(m) : call(m);
        m->bytes = 0;
    }
    keeper_tell();
    return true;
}

int main(void)
{
    return part_serve(serve);
}
