/*
 * base/vclock.h -- the one clock that guests and devices know.
 *
 * Virtual nanoseconds since power-on.  Who drives it is the run loop's
 * business: retired instructions on `soft`, the host's clock on `kvm`.
 * Devices arm timers; each arming gets a new generation, so that an event
 * scheduled for an earlier setting of the device is recognised and dropped.
 */
#ifndef BASE_VCLOCK_H
#define BASE_VCLOCK_H

#include "base/types.h"

struct trace;
struct vclock;

#define VCLOCK_NEVER UINT64_MAX

typedef void vtimer_fn(void *arg);

/* One timer; lives inside its device.  Zero it, then vtimer_init(). */
struct vtimer {
    struct vclock *clock;
    vtimer_fn     *fn;
    void          *arg;
    uint64_t       deadline_ns;     /* VCLOCK_NEVER: not armed */
    uint32_t       generation;      /* of the latest arming    */
    uint64_t       cause;           /* trace event that armed it */
    uint64_t       order;           /* of that arming among all: decides between equal deadlines */
};

struct vclock *vclock_new(struct trace *t);
void vclock_free(struct vclock *c);

uint64_t vclock_now_ns(const struct vclock *c);
void vclock_set_ns(struct vclock *c, uint64_t now_ns);     /* never backwards: ignored then */

/* The earliest deadline, or VCLOCK_NEVER. */
uint64_t vclock_next_ns(const struct vclock *c);

/* The earliest deadline of the timers that were initialised with this arg, or VCLOCK_NEVER. */
uint64_t vclock_next_of(const struct vclock *c, const void *arg);

/* Run every timer that is due, in order of deadline (ties: order of arming). */
void vclock_run_due(struct vclock *c);

void vtimer_init(struct vtimer *t, struct vclock *c, vtimer_fn *fn, void *arg);
void vtimer_arm(struct vtimer *t, uint64_t deadline_ns);    /* replaces an earlier arming */
void vtimer_cancel(struct vtimer *t);

/* For snapshots: how many armings there were; the clock put back, also backwards;
 * and an arming put back with all that belongs to it. */
uint64_t vclock_armings(const struct vclock *c);
void vclock_restore(struct vclock *c, uint64_t now_ns, uint64_t armings);
void vtimer_restore(struct vtimer *t, uint64_t deadline_ns, uint32_t generation, uint64_t cause,
                    uint64_t order);

#endif
