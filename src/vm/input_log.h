/*
 * vm/input_log.h -- what came to a machine from outside, and where.
 *
 * On an engine that counts instructions a run is a function of the guest and of
 * this: the bytes that were typed and how long the host really slept while the
 * guest was halted.  Each stands with the place where it went in: instructions,
 * virtual time, and which of the machine's hooks it was.  Played, it goes in
 * there again.  On one that does not, the log has its exits and times, too
 * (reverse_exits.c), and their order is the place.
 */
#ifndef VM_INPUT_LOG_H
#define VM_INPUT_LOG_H

#include "vm/vm.h"

enum input_hook { INPUT_POLL, INPUT_ROOM, INPUT_IDLE, N_INPUT_HOOKS };
enum input_kind {
    INPUT_SERIAL, INPUT_KEYBOARD, INPUT_SLEEP,
    N_RECORDED_KINDS,                   /* those above are in recordings, too (recording.h) */
    INPUT_TIME = N_RECORDED_KINDS,      /* a timer fired then                               */
    INPUT_HELD,                         /* interrupts were kept back                        */
    INPUT_EXIT,
};

struct input {
    uint64_t icount, vtime_ns;
    uint64_t passed;                    /* of a sleep                    */
    uint8_t  hook, kind, byte;
    uint8_t  seq;                       /* INPUT_EXIT: of its event, the low byte; passed is RIP, byte */
    uint16_t check, registers;          /* the exit's index; and sums of what it was, and of those     */
};

#define INPUT_LOG_MAX (1u << 20)

struct input_log {
    struct vm    *vm;
    struct input *in;
    size_t        n, room;
    uint64_t      at;                   /* playing: the next             */
    uint64_t      limit;                /* of whom play INPUT_EXITs: no farther than that   */
    size_t        closed;               /* sleeps before this one are not made longer */
    bool          full;                 /* something is missing: no memory, or too much */
};

/* Anything, as it is; log->full says if it could not be. */
void input_log_note(struct input_log *log, const struct input *in);
/* The first n are forgotten. */
void input_log_drop(struct input_log *log, size_t n);

void input_log_byte(struct input_log *log, enum input_hook hook, enum input_kind kind, uint8_t byte);

/* ns is until the next timer.  To sleep as long is what a guest does that is left alone: no need
 * to note it.  True if there is a new entry, and not a longer one. */
bool input_log_sleep(struct input_log *log, uint64_t ns, uint64_t passed);

/* The next byte that goes in here; false if none does. */
bool input_play_byte(struct input_log *log, enum input_hook hook, enum input_kind *kind, uint8_t *byte);

/* How long it slept here; VCLOCK_NEVER: for want of a timer and of anything that is noted. */
uint64_t input_play_sleep(struct input_log *log, uint64_t ns);

/* Give a byte as somebody who types.  -EAGAIN: later. */
int input_give(struct vm *vm, enum input_kind kind, uint8_t byte);

#endif
