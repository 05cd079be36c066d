/*
 * debugger/trace/repeats.h -- lines of events, without those that say the same again and again.
 *
 * A guest that polls a port makes the same three events for ever, and their lines fill a terminal
 * or a disk.  Here the first rounds are printed, and then one line that counts the others:
 *
 *         9    0.000000009       1000c4           cpu  EXIT         IO in 0x1f7 size 1
 *        10    0.000000009       1000c4        9  io   IO_READ      port 0x1f7 size 1 value 0xff
 *        11    0.000001009       1000c4        9  vm   RESUME       verdict RETIRE rip 0x1000c4
 *           ... these 3 again, 12,345 times (to event 37046)
 *
 * It is not the detection of a guest that is stuck (vm/stuck.h): nothing is concluded from it.
 */
#ifndef DEBUGGER_TRACE_REPEATS_H
#define DEBUGGER_TRACE_REPEATS_H

#include <stdio.h>
#include "base/trace.h"

struct trace_text;

/* A round that repeats has at most so many events: an interrupt from its pin to its EOI has about
 * fifteen, and twice as many where a second one comes between. */
#define TRACE_ROUND_MAX 32

/* Two ways in which an event may be like one before.  Both need the same kind, place and arguments,
 * the host's time apart; the second takes reads of a device with other values for the same, as of a
 * timer's counter. */
enum trace_alike { ALIKE, ALIKE_BUT_VALUE, N_ALIKES };

/* Begin with all zero. */
struct trace_repeats {
    struct trace_event last[TRACE_ROUND_MAX];   /* the latest events; n_seen % TRACE_ROUND_MAX is
                                                 * where the next one goes */
    uint64_t           n_seen;
    /* Of the events up to the latest, without a break, so many are the same as the one p before
     * each; and where they are alike but for a value, so many had another one. */
    uint64_t           n_same[TRACE_ROUND_MAX + 1], n_changes[TRACE_ROUND_MAX + 1];
    /* The round that is counted, or was when it last ended: where other events come between, as
     * those of a timer, it goes on at once behind them. */
    struct trace_event round[TRACE_ROUND_MAX];
    unsigned           n_round, next;           /* of so many events; the one that is expected */
    enum trace_alike   how;
    bool               is_counting;
    uint64_t           n_held;                  /* not printed since the last line */
};

/* Print e, unless it belongs to a round that is only counted. */
void trace_repeats_line(struct trace_repeats *r, const struct trace_text *x,
                        const struct trace_event *e, FILE *out);

/* No more events come: print what was held back. */
void trace_repeats_end(struct trace_repeats *r, const struct trace_text *x, FILE *out);

#endif
