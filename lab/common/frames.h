/*
 * lab/common/frames.h -- in the monitor: the tables that a submission keeps (tables.h).
 *
 * Nothing that the submission says can reach memory other than the frames for tables: a frame
 * must be one that it has taken, an index one of 512.  What a value means is for the hardware
 * to judge when it walks there (it looks up each frame number), and for `allowed` to judge at
 * once.
 */
#ifndef LAB_COMMON_FRAMES_H
#define LAB_COMMON_FRAMES_H

#include "../lab/common/tables.h"
#include "mem/hmem.h"

/* May an entry have this value?  If not, it has said why in a sentence (host_say). */
typedef bool frames_allowed_fn(void *arg, uint64_t value);

/* n entries from `index` on of the table in this frame are about to get this value. */
typedef void frames_written_fn(void *arg, hpa_t frame, unsigned index, unsigned n,
                               uint64_t value);

struct frames {
    struct hmem *hmem;
    bool        *taken;         /* [frame]: the submission has it                       */
    frames_allowed_fn *allowed; /* NULL: any value                                      */
    frames_written_fn *written; /* NULL: nobody wants to know.  Set it after the init   */
    void        *arg;
};

/* Frames of h, which nobody else takes tables from.  0 or -ENOMEM. */
int frames_init(struct frames *f, struct hmem *h, frames_allowed_fn *allowed, void *arg);
void frames_free(struct frames *f);

/* Is it about tables? */
static inline bool frames_is_ours(const struct lab_message *m)
{
    return m->kind == LAB_TELL && m->what >= LAB_TABLES_NEW && m->what < LAB_TABLES_END;
}

/* Do what it says.  False: it makes no sense, and a sentence about it was said. */
bool frames_hear(struct frames *f, const struct lab_message *m);

/* The table that the submission has in the frame at hpa; NULL if it has none there. */
uint64_t *frames_table(const struct frames *f, hpa_t hpa);

#endif
