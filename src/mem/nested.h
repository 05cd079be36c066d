/*
 * mem/nested.h -- monitor: the nested page tables, from guest-physical to host-physical.
 *
 * The monitor keeps them in EPT format and tells the processor where the root is; the
 * processor walks them by itself (ept_walk.h says how, and what an entry looks like).
 * Nothing here looks anything up for the guest.
 */
#ifndef MEM_NESTED_H
#define MEM_NESTED_H

#include "base/types.h"
#include "mem/ept_walk.h"

struct bytes_in;
struct bytes_out;
struct nested;
struct trace;

/* Empty tables in h, which must outlive them.  t (for NESTED_ZAP) may be NULL.  NULL
 * and errno. */
struct nested *nested_new(struct hmem *h, struct trace *t);
void nested_free(struct nested *n);

/* The root table, for the EPT pointer: the same as long as n lives. */
hpa_t nested_root(const struct nested *n);

/* Map [gpa, gpa+size) to hpa; size is 4 KiB or 2 MiB and both are aligned to
 * it.  perm is of EPT_R/W/X.  0, -EINVAL, -ENOMEM.  Replaces what was there. */
int  nested_map(struct nested *n, gpa_t gpa, hpa_t hpa, uint64_t size, unsigned perm);

/* Remove what maps any of [gpa, gpa+len); the number of entries removed. */
size_t nested_unmap(struct nested *n, gpa_t gpa, uint64_t len);

/* Take away or give permissions on what is mapped in the range (2 MiB pages
 * are split); the number of entries changed. */
size_t nested_protect(struct nested *n, gpa_t gpa, uint64_t len, unsigned perm);

/* Write `entry` as it is where gpa's 4 KiB page is mapped, however wrong it may be: to
 * show, and to test, what the hardware says of it.  0 or -EINVAL, -ENOMEM. */
int  nested_put_entry(struct nested *n, gpa_t gpa, uint64_t entry);

/* For snapshots.  nested_load makes the tables say exactly what was saved, without an
 * event; false if that makes no sense for this guest memory, and then they are empty. */
void nested_save(const struct nested *n, struct bytes_out *o);
bool nested_load(struct nested *n, struct bytes_in *in);

/* Entries present, for statistics. */
size_t nested_count(const struct nested *n);

#endif
