/*
 * vm/input_log.c -- see input_log.h.
 *
 * The place of an entry is compared with where the machine stands now (next_here); an entry
 * is played only if all of it is the same.  So an entry whose place was missed is never played
 * later, and all behind it neither: the two runs were not the same, and the end will tell.
 */
#include "vm/input_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/vclock.h"
#include "io/i8042.h"
#include "io/uart.h"
#include "vm/pc.h"

void input_log_note(struct input_log *log, const struct input *in)
{
    if (log->n == log->room) {
        size_t room = log->room ? 2 * log->room : 256;
        struct input *more = log->n < INPUT_LOG_MAX ? realloc(log->in, room * sizeof *more) : NULL;
        if (!more) {
            log->full = true;
            return;
        }
        log->in = more;
        log->room = room;
    }
    log->in[log->n++] = *in;
}

/* Forget the first n entries: nobody can go back to before them any more. */
void input_log_drop(struct input_log *log, size_t n)
{
    if (!n)
        return;
    log->n -= n;
    log->at = log->at > n ? log->at - n : 0;
    memmove(log->in, log->in + n, log->n * sizeof *log->in);
}

static struct input here(const struct input_log *log, enum input_hook hook, enum input_kind kind)
{
    return (struct input){ .icount = boot_cpu(log->vm)->icount,
                           .vtime_ns = vclock_now_ns(log->vm->clock),
                           .hook = (uint8_t)hook, .kind = (uint8_t)kind };
}

void input_log_byte(struct input_log *log, enum input_hook hook, enum input_kind kind, uint8_t byte)
{
    struct input in = here(log, hook, kind);
    in.byte = byte;
    input_log_note(log, &in);
}

bool input_log_sleep(struct input_log *log, uint64_t ns, uint64_t passed)
{
    struct input in = here(log, INPUT_IDLE, INPUT_SLEEP);
    struct input *last = log->n > log->closed ? &log->in[log->n - 1] : NULL;
    in.passed = passed;
    if (!passed || passed == ns)
        return false;
    /* The host sleeps in pieces of some milliseconds; without anything in between they are one. */
    if (last && last->kind == INPUT_SLEEP && last->icount == in.icount &&
        last->vtime_ns + last->passed == in.vtime_ns) {
        last->passed += passed;
        return false;
    }
    input_log_note(log, &in);
    return true;
}

/* The next entry, if its place is here: same count, same time, same hook.  NULL: not yet, or
 * never. */
static const struct input *next_here(const struct input_log *log, enum input_hook hook, bool sleep)
{
    const struct input *in = log->at < log->n ? &log->in[log->at] : NULL;
    struct input now = here(log, hook, INPUT_SERIAL);
    return in && in->icount == now.icount && in->vtime_ns == now.vtime_ns && in->hook == hook &&
           (in->kind == INPUT_SLEEP) == sleep ? in : NULL;
}

bool input_play_byte(struct input_log *log, enum input_hook hook, enum input_kind *kind,
                     uint8_t *byte)
{
    const struct input *in = next_here(log, hook, false);
    if (!in)
        return false;
    *kind = (enum input_kind)in->kind;
    *byte = in->byte;
    log->at++;
    return true;
}

uint64_t input_play_sleep(struct input_log *log, uint64_t ns)
{
    const struct input *in = next_here(log, INPUT_IDLE, true);
    if (!in)
        return ns;
    log->at++;
    return in->passed < ns ? in->passed : ns;
}

int input_give(struct vm *vm, enum input_kind kind, uint8_t byte)
{
    if (kind == INPUT_KEYBOARD)
        return keyboard_type(pc_keyboard(vm->pc), (char)(byte == '\r' ? '\n' : byte));
    return uart_receive(pc_uart(vm->pc), byte);
}
