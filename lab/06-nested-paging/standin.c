/*
 * lab/06-nested-paging/standin.c -- in the place of mem/nested.c: asks the student's process.
 *
 * It is linked into the trusted monitor of lab 6 and nowhere else.  The tables that the processor
 * walks are in the monitor's hmem; the submission tells each entry that it writes
 * (lab/common/tables.h), and an entry may name nothing but the guest's own memory or a table of
 * the submission's.  What the entries mean is the hardware's affair: mem/ept_walk.c.
 */
#include "mem/nested.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../lab/06-nested-paging/calls.h"
#include "../lab/common/ask.h"
#include "../lab/common/frames.h"
#include "base/host.h"
#include "base/trace.h"

struct nested {
    struct asker  asker;
    struct frames frames;
    struct trace *trace;
    hpa_t         root;
};

/* Is there something behind the frame that a present entry names? */
static bool allowed(void *arg, uint64_t entry)
{
    const struct nested *n = arg;
    hpa_t frame = entry & EPT_FRAME;
    if (!(entry & EPT_RWX) || hmem_guest(n->frames.hmem, frame, PAGE_SIZE) ||
        frames_table(&n->frames, frame))
        return true;
    host_say("the submission writes an entry %#llx: at host-physical %#llx there is neither guest "
             "memory nor a table", (unsigned long long)entry, (unsigned long long)frame);
    return false;
}

static bool hear(void *arg, struct lab_message *m)
{
    struct nested *n = arg;
    return frames_is_ours(m) && frames_hear(&n->frames, m);
}

static uint64_t ask_keeper(const struct nested *n, enum lab6_call what, const uint64_t arg[4])
{
    struct lab_message m = { .what = (uint16_t)what };
    memcpy(m.arg, arg, 4 * sizeof arg[0]);
    ask(&((struct nested *)(uintptr_t)n)->asker, &m);
    return m.arg[0];
}
#define ASK(n, what, ...) ask_keeper(n, what, (const uint64_t[4]){ __VA_ARGS__ })

/* 0 or an error that the real keeper could have. */
static int ask_status(const struct nested *n, enum lab6_call what, const uint64_t arg[4])
{
    uint64_t status = ask_keeper(n, what, arg);
    if (n->asker.lost)
        return -ENOMEM;
    return !status ? 0 : status == (uint64_t)-ENOENT ? -ENOENT : status == (uint64_t)-EINVAL
           ? -EINVAL : -ENOMEM;
}
#define STATUS(n, what, ...) ask_status(n, what, (const uint64_t[4]){ __VA_ARGS__ })

static uint32_t put_regions(const struct gmem *m, struct lab_message *to)
{
    struct lab6_region all[LAB_WIRE_DATA / sizeof(struct lab6_region)] = { { 0 } };
    uint32_t n = 0;
    for (size_t i = 0; i < gmem_count(m) && n < NELEM(all); i++) {
        const struct gmem_region *r = gmem_region(m, i);
        all[n++] = (struct lab6_region){ r->base, r->size, r->kind, 0 };
    }
    to->bytes = n * (uint32_t)sizeof all[0];
    memcpy(to->data, all, to->bytes);
    return n;
}

/* The monitor makes a second keeper to look into a crash; that one the lab does without. */
struct nested *nested_new(struct hmem *h, struct trace *t)
{
    static bool made;
    struct nested *n = made ? NULL : calloc(1, sizeof *n);
    struct lab_message m = { .what = LAB6_NEW };
    if (!n)
        return NULL;
    made = true;
    n->trace = t;
    asker_init(&n->asker, (struct port_hook){ NULL, NULL }, hear, n);
    if (frames_init(&n->frames, h, allowed, n)) {
        free(n);
        return NULL;
    }
    m.arg[0] = h->tables_max / PAGE_SIZE;
    m.arg[1] = put_regions(h->gmem, &m);
    ask(&n->asker, &m);
    n->root = m.arg[0];
    if (!n->asker.lost && !frames_table(&n->frames, n->root)) {
        host_say("the submission's root is at host-physical %#llx, where it has no table",
                 (unsigned long long)n->root);
        n->asker.lost = true;
    }
    return n;
}

void nested_free(struct nested *n)
{
    if (!n)
        return;
    frames_free(&n->frames);
    free(n);
}

hpa_t nested_root(const struct nested *n)
{
    return n->root;
}

int nested_map(struct nested *n, gpa_t gpa, hpa_t hpa, uint64_t size, unsigned perm)
{
    return STATUS(n, LAB6_MAP, gpa, hpa, size, perm);
}

int nested_fill(struct nested *n, gpa_t gpa)
{
    return STATUS(n, LAB6_FILL, gpa);
}

void nested_set_large(struct nested *n, bool large)
{
    ASK(n, LAB6_LARGE, large);
}

size_t nested_unmap(struct nested *n, gpa_t gpa, uint64_t len)
{
    size_t removed = ASK(n, LAB6_UNMAP, gpa, len);
    if (removed)
        trace_emit(n->trace, TRACE_NESTED_ZAP, gpa, len, 0);
    return removed;
}

size_t nested_protect(struct nested *n, gpa_t gpa, uint64_t len, unsigned perm)
{
    return ASK(n, LAB6_PROTECT, gpa, len, perm);
}

int nested_put_entry(struct nested *n, gpa_t gpa, uint64_t entry)
{
    return STATUS(n, LAB6_PUT, gpa, entry);
}

size_t nested_count(const struct nested *n)
{
    return ASK(n, LAB6_COUNT, 0);
}

/* Snapshots are for debuggers, which a lab's monitor does not have. */
void nested_save(const struct nested *n, struct bytes_out *o)
{
    (void)n, (void)o;
    bug("only `run` is for labs");
}

bool nested_load(struct nested *n, struct bytes_in *in)
{
    (void)n, (void)in;
    bug("only `run` is for labs");
}
