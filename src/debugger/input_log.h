/*
 * debugger/input_log.h -- what came to a machine from outside, and where.
 *
 * On an engine that counts instructions a run is a function of the guest and of
 * this: the bytes that were typed and how long the host really slept while the
 * guest was halted.  Each stands with the place where it went in: instructions,
 * virtual time, and which of the machine's hooks it was.  Played, it goes in
 * there again.
 */
#ifndef DEBUGGER_INPUT_LOG_H
#define DEBUGGER_INPUT_LOG_H

#include "vm/vm.h"

enum input_hook { INPUT_POLL, INPUT_ROOM, INPUT_IDLE, N_INPUT_HOOKS };
enum input_kind { INPUT_SERIAL, INPUT_KEYBOARD, INPUT_SLEEP, N_INPUT_KINDS };

struct input {
    uint64_t icount, vtime_ns;
    uint64_t passed;                    /* of a sleep                    */
    uint8_t  hook, kind, byte, zero[5];
};

#define INPUT_LOG_MAX (1u << 20)

struct input_log {
    struct vm    *vm;
    struct input *in;
    size_t        n, room;
    size_t        at;                   /* playing: the next             */
    size_t        closed;               /* sleeps before this one are not made longer */
    bool          full;                 /* something is missing: no memory, or too much */
};

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
