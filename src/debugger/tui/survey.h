/*
 * debugger/tui/survey.h -- what is known of a trace as a whole: counts of exits,
 * activity over time, every MARK.
 *
 * One pass over all events, made a few milliseconds at a time while the user is not busy.
 * It goes on as the trace grows.  Panes show what has been counted so far and say how far
 * that is; nothing waits for the end.
 */
#ifndef DEBUGGER_TUI_SURVEY_H
#define DEBUGGER_TUI_SURVEY_H

#include "debugger/report/stat.h"
#include "debugger/trace/store.h"

#define SURVEY_BUCKETS 512      /* of virtual time, each as long as the others */
#define SURVEY_MARKS   4096

/* What happened in one piece of virtual time: events of all kinds; exits; pages mapped and
 * true page faults; interrupts injected. */
struct survey_bucket { uint32_t events, exits, faults, irqs; };

struct survey {
    uint64_t done;              /* events counted: those with an index below this      */
    uint64_t changed;           /* counts up with every change, so that a pane sees one */
    struct exit_stat *stat;     /* the tables of exits                                 */

    /* Virtual time of the first and of the latest event; bucket i counts what happened in
     * [first_ns + i * bucket_ns, first_ns + (i + 1) * bucket_ns). */
    uint64_t first_ns, last_ns, bucket_ns;
    struct survey_bucket bucket[SURVEY_BUCKETS];

    /* MARKs that the guest has set, in order of time; those beyond SURVEY_MARKS are left out.
     * n: the number that the guest gave it. */
    size_t   n_marks;
    struct { uint64_t index, vtime_ns, n; } mark[SURVEY_MARKS];
};

struct survey *survey_new(void);        /* NULL: out of memory */
void survey_free(struct survey *v);

/* Count on, from where the last call has ended, for about budget_ns.  True: there are more
 * events to count. */
bool survey_work(struct survey *v, struct store *s, uint64_t budget_ns);

#endif
