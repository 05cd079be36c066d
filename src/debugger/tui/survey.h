/*
 * debugger/tui/survey.h -- what is known of a trace as a whole: counts of exits,
 * activity over time, every MARK.
 *
 * One pass, made a few milliseconds at a time while nobody presses a key; it
 * goes on as the trace grows, and says how far it has come.
 */
#ifndef DEBUGGER_TUI_SURVEY_H
#define DEBUGGER_TUI_SURVEY_H

#include "debugger/report/stat.h"
#include "debugger/trace/store.h"

#define SURVEY_BUCKETS 512      /* of virtual time, each as long as the others */
#define SURVEY_MARKS   4096

struct survey_bucket { uint32_t events, exits, faults, irqs; };

struct survey {
    uint64_t done;              /* events seen, from the first */
    struct exit_stat *stat;
    uint64_t first_ns, last_ns, bucket_ns;
    struct survey_bucket bucket[SURVEY_BUCKETS];
    size_t   n_marks;           /* those that found room */
    struct { uint64_t index, vtime_ns, n; } mark[SURVEY_MARKS];
    uint64_t changed;           /* counts up */
};

struct survey *survey_new(void);        /* NULL: out of memory */
void survey_free(struct survey *v);

/* True: there is more to do. */
bool survey_work(struct survey *v, struct store *s, uint64_t budget_ns);

#endif
