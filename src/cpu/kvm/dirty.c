/*
 * cpu/kvm/dirty.c -- which pages the guest has written, and what becomes of the
 * kernel's tables when others have.
 *
 * The kernel can keep a log: it takes the guest the right to write, notes the
 * first write to each page and gives the right back.  That costs an exit inside
 * the kernel for each page and each time the log is read, so it begins when
 * somebody first asks.  (Some KVMs give a page that is touched for the first time
 * with the right to write, and note it, if it was only read; and so does a CPU
 * whose walk of the guest's page tables asks for that right.)  What was written
 * before the log began is not known; but a guest that was never entered has
 * written nothing, and what the pager has never seen touched was not written.
 *
 * A KVM without nested paging keeps shadows of the guest's page tables, true to
 * what the guest writes.  The monitor writes through another mapping, which the
 * kernel does not see, and a CPU's TLB does not see it in any case.  So what
 * others write is followed, before the guest runs again, by the one thing that
 * makes every KVM throw away all its tables: a memory slot goes.
 */
#include "cpu/kvm/kvm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/host.h"
#include "mem/dirty.h"
#include "mem/gmem.h"

/* ---- the log ---- */

/* Only RAM: ROM cannot be written, and device memory is no slot. */
static bool is_logged(const struct vcpu *v, size_t i)
{
    return gmem_region(v->gmem, i)->kind == GMEM_RAM;
}

/* One bit a page, enough for the largest region; KVM writes whole words of 64.  NULL: no
 * memory. */
static uint64_t *new_bitmap(const struct vcpu *v)
{
    uint64_t most = 0;
    for (size_t i = 0; i < gmem_count(v->gmem); i++)
        if (is_logged(v, i) && gmem_region(v->gmem, i)->size > most)
            most = gmem_region(v->gmem, i)->size;
    return calloc(most / PAGE_SIZE / 64 + 1, 8);
}

static void mark_region(const struct vcpu *v, size_t i)
{
    dirty_mark(v->dirty, gmem_region(v->gmem, i)->base, gmem_region(v->gmem, i)->size);
}

/* What may have been written before the log began: all pages that were touched, if the
 * pager knows; else all. */
static void mark_past(const struct vcpu *v)
{
    const struct kvm_cpu *k = v->priv;
    if (!k->entered)
        return;
    for (size_t i = 0; i < gmem_count(v->gmem); i++)
        if (k->pager)
            pager_mark_touched(k->pager, i, v->dirty);
        else
            mark_region(v, i);
}

/* Give every RAM slot to the kernel again, with the flag that makes it keep a log.  If one
 * is refused there is no log at all, and everything counts as dirty. */
static void begin_log(struct vcpu *v)
{
    struct kvm_cpu *k = v->priv;
    k->dirty_bitmap = new_bitmap(v);
    for (size_t i = 0; k->dirty_bitmap && i < gmem_count(v->gmem); i++)
        if (is_logged(v, i) && kvm_set_slot(v, i, KVM_MEM_LOG_DIRTY_PAGES)) {
            free(k->dirty_bitmap);
            k->dirty_bitmap = NULL;
        }
    if (!k->dirty_bitmap)
        host_say("kvm: no log of dirty pages: %s; all are taken for dirty", strerror(errno));
    mark_past(v);
}

/* The ioctl copies the slot's bits and clears them in the kernel. */
static void collect_region(struct vcpu *v, size_t i)
{
    struct kvm_cpu *k = v->priv;
    const struct gmem_region *r = gmem_region(v->gmem, i);
    size_t words = (r->size / PAGE_SIZE + 63) / 64;
    struct kvm_dirty_log log = { .slot = (uint32_t)i, .dirty_bitmap = k->dirty_bitmap };

    if (ioctl(k->vm, KVM_GET_DIRTY_LOG, &log)) {
        mark_region(v, i);
        return;
    }
    for (size_t w = 0; w < words; w++)
        for (uint64_t bits = k->dirty_bitmap[w]; bits; bits &= bits - 1)
            dirty_mark(v->dirty, r->base + (w * 64 + (size_t)__builtin_ctzll(bits)) * PAGE_SIZE,
                       PAGE_SIZE);
}

/* collect_dirty() of the engine: mark in v->dirty what was written since it was last asked.
 * An INS that is half done has still to write what it was given. */
void kvm_collect_dirty(struct vcpu *v)
{
    struct kvm_cpu *k = v->priv;

    if (!v->dirty)
        return;
    kvm_settle(k);
    if (!k->logs_dirty)
        begin_log(v);
    k->logs_dirty = true;
    for (size_t i = 0; i < gmem_count(v->gmem); i++)
        if (is_logged(v, i) && k->dirty_bitmap)
            collect_region(v, i);
        else
            mark_region(v, i);          /* of ROM it is ignored */
}

/* ---- tables that are out of date ---- */

/* Somebody else has written to guest memory.  A guest that was never entered has no tables
 * yet. */
void kvm_forget_tables(struct vcpu *v)
{
    struct kvm_cpu *k = v->priv;
    k->stale = k->entered;
}

void kvm_forget_range(struct vcpu *v, gpa_t gpa, uint64_t len)
{
    (void)gpa, (void)len;
    kvm_forget_tables(v);
}

/* The slot that comes and goes: below the pages that KVM_SET_TSS_ADDR was told (setup.c),
 * where a PC has no memory. */
#define PASSING_SLOT  500
#define PASSING_GPA   0xfffbc000u

/* Make a memory slot and delete it at once: at a deletion KVM throws away all its tables. */
void kvm_renew_tables(struct vcpu *v)
{
    struct kvm_cpu *k = v->priv;
    const struct gmem_region *r = gmem_region(v->gmem, 0);
    struct kvm_userspace_memory_region slot = {
        .slot = PASSING_SLOT, .guest_phys_addr = PASSING_GPA, .memory_size = PAGE_SIZE,
        .userspace_addr = (uintptr_t)gmem_hva(r, r->base, PAGE_SIZE),
    };
    k->stale = false;
    int err = ioctl(k->vm, KVM_SET_USER_MEMORY_REGION, &slot);
    slot.memory_size = 0;
    if (err || ioctl(k->vm, KVM_SET_USER_MEMORY_REGION, &slot))
        host_say("kvm: the kernel's page tables may be out of date: %s", strerror(errno));
}
