/*
 * vm/host_io.c -- the three hooks of host_io.h.
 *
 * At each hook the order is: input first, since it may be what the guest is waiting for; then the
 * look around; then, at idle only, the sleep.  A replay keeps the same order, so bytes meet the
 * machine in the same state as then.
 */
#include "vm/host_io.h"

#include <errno.h>

#include "io/uart.h"
#include "vm/listening.h"
#include "vm/pc.h"

int host_io_give(struct host_io *io, enum input_kind kind, uint8_t byte)
{
    int err = listening_now(io->vm, kind) ? input_give(io->vm, kind, byte) : -EAGAIN;
    if (err == -EAGAIN)
        return err;
    listening_given(io->vm, kind);
    io->ops->note_byte(io->arg, io->hook, kind, byte);
    return 0;
}

/* What the log has for this place; its bytes were taken then, so they are now. */
static void play(struct host_io *io)
{
    enum input_kind kind;
    uint8_t byte;
    while (input_play_byte(io->log, io->hook, &kind, &byte)) {
        listening_now(io->vm, kind);            /* what it has noted then, it notes now */
        input_give(io->vm, kind, byte);
        listening_given(io->vm, kind);
    }
}

static void take_input(struct host_io *io, enum input_hook hook)
{
    io->hook = hook;
    if (io->ops->is_playing(io->arg))
        play(io);
    else
        io->ops->feed(io->arg, hook);
}

/* True: somebody wants the loop back, so a halted CPU must not begin to wait. */
static bool look(struct host_io *io)
{
    return io->ops->look && io->ops->look(io->arg);
}

/* Between poll and idle the serial port may ask for more at any of the guest's accesses. */
static void leave_hook(struct host_io *io)
{
    io->hook = INPUT_ROOM;
}

static void on_room(void *arg)
{
    struct host_io *io = arg;
    enum input_hook inside = io->hook;
    take_input(io, INPUT_ROOM);
    io->hook = inside;
}

static void on_poll(void *arg)
{
    struct host_io *io = arg;
    take_input(io, INPUT_POLL);
    look(io);
    leave_hook(io);
}

/* How long the CPU slept.  Only a sleep in the world is noted: a played one is in the log. */
static uint64_t sleep_or_play(struct host_io *io, uint64_t ns)
{
    if (io->ops->is_playing(io->arg))
        return io->ops->play_sleep(io->arg, ns);
    uint64_t passed = io->ops->sleep(io->arg, ns);
    io->ops->note_sleep(io->arg, ns, passed);
    return passed;
}

static uint64_t on_idle(void *arg, uint64_t ns)
{
    struct host_io *io = arg;
    uint64_t passed = 0;
    take_input(io, INPUT_IDLE);
    if (look(io))
        io->vm->pause_wanted = true;
    else
        passed = sleep_or_play(io, ns);
    leave_hook(io);
    return passed;
}

void host_io_hook(struct host_io *io, struct vm_config *c)
{
    io->hook = INPUT_ROOM;
    c->poll = on_poll;
    c->idle = on_idle;
    c->room = on_room;
    c->hook_arg = io;
}

void host_io_attach(struct host_io *io, struct vm *vm)
{
    io->vm = vm;
    uart_on_room(pc_uart(vm->pc), on_room, io);
}
