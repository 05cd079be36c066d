/*
 * vm/input_log.h -- what came to a machine from outside, and where.
 *
 * On an engine that counts instructions a run is a function of two things: the guest, and what
 * came from outside, which is the bytes that were typed and how long the host really slept
 * while the guest was halted.  An entry of the log has the place where it went in: the number
 * of retired instructions, the virtual time, and which hook of the machine's was running.
 * Played, it goes in at the same place, and the run is the same to the last event.
 *
 * On an engine that does not count, an entry's place is its order: the log then has the exits
 * and the times at which something entered, too (debugger/vmm/reverse_exits.c).
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
    uint64_t passed;                    /* INPUT_SLEEP: ns; INPUT_EXIT: RIP                  */
    uint8_t  hook, kind;
    uint8_t  byte;                      /* that was typed; INPUT_EXIT: the exit's index      */
    uint8_t  seq;                       /* INPUT_EXIT: the low byte of its event's number    */
    uint16_t check, registers;          /* INPUT_EXIT: sums of its qualification and of the
                                           registers, to see whether the same one came again */
};

#define INPUT_LOG_MAX (1u << 20)

struct input_log {
    struct vm    *vm;
    struct input *in;
    size_t        n, room;
    uint64_t      at;                   /* playing: index of the next entry                  */
    uint64_t      limit;                /* playing INPUT_EXITs: not this one, nor later ones */
    size_t        closed;               /* entries before this index do not change any more  */
    bool          full;                 /* an entry is missing: no memory, or INPUT_LOG_MAX  */
};

/* Append an entry as it is.  If that fails log->full is set, and the run cannot be repeated. */
void input_log_note(struct input_log *log, const struct input *in);
/* Forget the first n entries. */
void input_log_drop(struct input_log *log, size_t n);

/* Append: this byte went in here. */
void input_log_byte(struct input_log *log, enum input_hook hook, enum input_kind kind,
                    uint8_t byte);

/* Append: the guest was halted for `passed` ns; its next timer was due in ns.  If both are the
 * same nothing is appended, since a guest that is left alone sleeps as long.  Sleeps that follow
 * each other become one entry.  True if there is a new entry. */
bool input_log_sleep(struct input_log *log, uint64_t ns, uint64_t passed);

/* Take the next entry if it is a byte that goes in at this place; else false. */
bool input_play_byte(struct input_log *log, enum input_hook hook, enum input_kind *kind,
                     uint8_t *byte);

/* How long the guest slept at this place, its next timer being due in ns: what the log says, else
 * ns (which is VCLOCK_NEVER if no timer runs). */
uint64_t input_play_sleep(struct input_log *log, uint64_t ns);

/* Give the guest a byte on its serial line or keyboard.  0; -EAGAIN: its device has no room now. */
int input_give(struct vm *vm, enum input_kind kind, uint8_t byte);

#endif
