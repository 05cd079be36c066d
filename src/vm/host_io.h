/*
 * vm/host_io.h -- where a machine meets the world of its host: what is typed goes in, and a
 * halted CPU waits.
 *
 * The machine calls three hooks: poll, every millisecond of virtual time; room, when its
 * serial port can take a byte again; idle, when the CPU has halted.  At each of them input
 * either comes from the world, and is noted with its place; or it is played from a log of
 * such notes (vm/input_log.h), and the world is silent.  `vitrine run` and the process behind
 * a debugger differ in where input comes from, what else is looked at, and who notes it; that
 * is struct host_ops.  The order in which it happens is the same for both and is here.
 *
 * Bytes enter the machine in host_io_give() and nowhere else.
 */
#ifndef VM_HOST_IO_H
#define VM_HOST_IO_H

#include "vm/input_log.h"

struct host_ops {
    /* Does input come from the log now? */
    bool     (*is_playing)(const void *arg);

    /* Call host_io_give() for what was typed, as far as it is taken. */
    void     (*feed)(void *arg, enum input_hook hook);

    /* Look for whatever else there is; true: a halted CPU must not wait now, the loop is wanted
     * back.  After input, at poll and idle.  NULL: there is nothing else. */
    bool     (*look)(void *arg);

    /* The CPU is halted for ns of virtual time (VCLOCK_NEVER: until input).  Wait or not, and
     * say how much virtual time has passed.  play: how much it was, by the log. */
    uint64_t (*sleep)(void *arg, uint64_t ns);
    uint64_t (*play_sleep)(void *arg, uint64_t ns);

    /* It happened so: write it down. */
    void     (*note_byte)(void *arg, enum input_hook hook, enum input_kind kind, uint8_t byte);
    void     (*note_sleep)(void *arg, uint64_t ns, uint64_t passed);
};

struct host_io {
    const struct host_ops *ops;
    void                  *arg;         /* for them                             */
    struct vm             *vm;
    struct input_log      *log;         /* to be played; NULL: nothing ever is  */
    enum input_hook        hook;        /* which of the three is running        */
};

/* Before vm_new(): have the machine call these hooks; ops and arg are set.  Behind it: which
 * machine it is. */
void host_io_hook(struct host_io *io, struct vm_config *c);
void host_io_attach(struct host_io *io, struct vm *vm);

/* One byte for the guest: 0, and it is noted; -EAGAIN: later. */
int host_io_give(struct host_io *io, enum input_kind kind, uint8_t byte);

#endif
