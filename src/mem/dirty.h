/*
 * mem/dirty.h -- which guest pages changed since somebody last asked.
 *
 * One bit a page of guest RAM.  Writers are engines (soft sets bits as its TLB
 * grants a first write; kvm copies the kernel's log when it is asked to: collect_dirty
 * of cpu/engine.h) and whoever else writes: DMA, loaders, the debugger.
 */
#ifndef MEM_DIRTY_H
#define MEM_DIRTY_H

#include "base/types.h"

struct gmem;
struct dirty;

struct dirty *dirty_new(const struct gmem *m);  /* m frozen; NULL and errno */
void dirty_free(struct dirty *d);
void dirty_mark(struct dirty *d, gpa_t gpa, uint64_t len);
bool dirty_test(const struct dirty *d, gpa_t gpa);
size_t dirty_count(const struct dirty *d);

/* Move up to n gpas of dirty pages into out, clearing them; how many. */
size_t dirty_take(struct dirty *d, gpa_t *out, size_t n);

#endif
