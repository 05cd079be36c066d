/*
 * lab/common/frames.c -- a submission's tables, in the frames that the hardware walks.
 */
#include "../lab/common/frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"

int frames_init(struct frames *f, struct hmem *h, frames_allowed_fn *allowed, void *arg)
{
    *f = (struct frames){ .hmem = h, .allowed = allowed, .arg = arg };
    f->taken = calloc(h->tables_max / PAGE_SIZE + 1, sizeof *f->taken);
    return f->taken ? 0 : -ENOMEM;
}

void frames_free(struct frames *f)
{
    free(f->taken);
}

/* The first frame for tables is 1: HMEM_TABLES. */
static bool exists(const struct frames *f, uint64_t frame)
{
    return frame >= 1 && frame <= f->hmem->tables_max / PAGE_SIZE;
}

static bool is_taken(const struct frames *f, uint64_t frame)
{
    return exists(f, frame) && f->taken[frame];
}

uint64_t *frames_table(const struct frames *f, hpa_t hpa)
{
    return is_taken(f, hpa / PAGE_SIZE) ? hmem_table(f->hmem, hpa) : NULL;
}

static void tell_written(const struct frames *f, uint64_t frame, unsigned index, unsigned n,
                         uint64_t value)
{
    if (f->written)
        f->written(f->arg, frame * PAGE_SIZE, index, n, value);
}

static void clear(const struct frames *f, uint64_t frame)
{
    tell_written(f, frame, 0, TABLE_ENTRIES, 0);
    memset(hmem_table(f->hmem, frame * PAGE_SIZE), 0, PAGE_SIZE);
}

static bool take(struct frames *f, uint64_t frame)
{
    if (!exists(f, frame) || f->taken[frame]) {
        host_say("the submission takes frame %#llx for a table, which is %s",
                 (unsigned long long)frame,
                 exists(f, frame) ? "a table already" : "none for tables");
        return false;
    }
    f->taken[frame] = true;
    if (f->hmem->tables_bytes < frame * PAGE_SIZE)
        f->hmem->tables_bytes = frame * PAGE_SIZE;
    clear(f, frame);
    return true;
}

/* Cleared, so that an entry that still leads there leads to nothing. */
static bool give_back(struct frames *f, uint64_t frame)
{
    if (!is_taken(f, frame)) {
        host_say("the submission gives back frame %#llx, which is no table of its",
                 (unsigned long long)frame);
        return false;
    }
    clear(f, frame);
    f->taken[frame] = false;
    return true;
}

static bool write_entry(struct frames *f, const struct table_write *w)
{
    if (!is_taken(f, w->frame) || w->index >= TABLE_ENTRIES) {
        host_say("the submission writes entry %u of frame %#x, which is no table of its",
                 w->index, w->frame);
        return false;
    }
    if (f->allowed && !f->allowed(f->arg, w->value))
        return false;
    tell_written(f, w->frame, w->index, 1, w->value);
    hmem_table(f->hmem, (hpa_t)w->frame * PAGE_SIZE)[w->index] = w->value;
    return true;
}

static bool write_entries(struct frames *f, const struct lab_message *m)
{
    uint64_t n = m->arg[0];
    struct table_write w;
    if (n > WRITES_PER_MESSAGE || m->bytes != n * sizeof w) {
        host_say("the submission's message about its tables is no message");
        return false;
    }
    for (uint64_t i = 0; i < n; i++) {
        memcpy(&w, m->data + i * sizeof w, sizeof w);
        if (!write_entry(f, &w))
            return false;
    }
    return true;
}

bool frames_hear(struct frames *f, const struct lab_message *m)
{
    switch (m->what) {
    case LAB_TABLES_NEW:   return take(f, m->arg[0]);
    case LAB_TABLES_FREE:  return give_back(f, m->arg[0]);
    case LAB_TABLES_WRITE: return write_entries(f, m);
    default:               return false;
    }
}
