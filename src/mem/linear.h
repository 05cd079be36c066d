/*
 * mem/linear.h -- bytes at linear addresses, for those who only look.
 *
 * The debugger, a hypercall and `vitrine compare` want what the guest would find
 * at a linear address, and nothing in the guest may change by it: no A or D bit
 * is set and no fault is raised.  A virtual CPU never comes here: its accesses go
 * through the TLB of its engine.
 */
#ifndef MEM_LINEAR_H
#define MEM_LINEAR_H

#include "base/types.h"

struct gmem;
struct paging;

/* Copy up to n bytes from gla on into buf; how many there were before the first
 * page that is not mapped (for a supervisor's read under pg) or has no memory. */
size_t linear_read(const struct paging *pg, struct gmem *m, gla_t gla, void *buf, size_t n);

/* The same the other way, as gmem_write() writes: ROM stays as it is. */
size_t linear_write(const struct paging *pg, struct gmem *m, gla_t gla, const void *buf, size_t n);

#endif
