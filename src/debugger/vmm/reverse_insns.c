/*
 * debugger/vmm/reverse_insns.c -- positions in the past of an engine that counts instructions.
 *
 * Here every place is a position: the number of retired instructions names it, and executing
 * the guest up to that number comes to it again, to the bit.  Virtual time follows from the
 * count, so the log holds only what was typed and how long a halted guest really slept.
 * Most functions have nothing to do; reverse_exits.c shows what they are for.
 */
#include "debugger/vmm/reverse_private.h"

#include <inttypes.h>

#include "base/host.h"

/* For the bools of struct axis: every place is a position, and no wall is met but by its
 * count. */
static bool everywhere(const struct reverse *r)
{
    (void)r;
    return true;
}

static bool nowhere(const struct reverse *r)
{
    (void)r;
    return false;
}

static void nothing(struct reverse *r)
{
    (void)r;
}

static void mark_nothing(struct reverse *r, struct checkpoint *c)
{
    (void)r, (void)c;
}

/* Inside the past the guest runs as far as to the wall, which is the count of its checkpoint. */
static void set_horizon(struct reverse *r)
{
    control_horizon(r->control, r->inside ? r->wall->progress : 0, NULL, NULL);
}

static void drop_nothing(struct reverse *r, uint64_t n)
{
    (void)r, (void)n;
}

/* Virtual time is counted from instructions and needs no log. */
static uint64_t measured(struct reverse *r, uint64_t now)
{
    (void)r;
    return now;
}

static void ignore_exit(struct reverse *r, const struct vmexit *x)
{
    (void)r, (void)x;
}

/* Typed bytes may go in anywhere: the count says where. */
static bool takes_input(struct reverse *r, enum input_hook hook)
{
    (void)r, (void)hook;
    return true;
}

/* How long a halted guest really slept is the one thing about time that comes from outside. */
static void note_sleep(struct reverse *r, uint64_t ns, uint64_t passed)
{
    input_log_sleep(&r->log, ns, passed);
}

static uint64_t play_sleep(struct reverse *r, uint64_t ns)
{
    return input_play_sleep(&r->log, ns);
}

static int check(const struct reverse *r, enum link_run how, char *why, size_t size)
{
    (void)r, (void)how, (void)why, (void)size;
    return 0;                           /* all requests there are */
}

/* A watchpoint stops behind the instruction that touched; going back stops before it. */
static void note_data_hit(struct reverse *r, gla_t at, const struct link_stop *why)
{
    (void)at;
    pass_note_hit(r, GOAL_INSN, vm_progress(r->vm) - 1, 0, why);
}

/* By address and count together: a loop comes to the same address many times. */
static bool is_at_code(struct reverse *r, const struct vmexit *x)
{
    const struct place *to = &r->op.to;
    return !x->breakpoint.data && x->breakpoint.at == to->pc && vm_progress(r->vm) == to->progress;
}

/* An approach ends by its count or at its stop; there is nothing else to recognise. */
static bool not_yet(struct reverse *r)
{
    (void)r;
    return false;
}

static bool note_stop(struct reverse *r, const struct link_stop *why)
{
    (void)r, (void)why;
    return false;
}

/* What was done before does not happen again.  That is a bug of ours, but not one to lose the
 * user's machine over. */
static void say_lost(struct reverse *r, struct link_stop *why)
{
    host_say("going back failed: the guest does not do again what it did before instruction %"
             PRIu64, vm_progress(r->vm));
    reverse_give_up(r, why);
}

const struct axis axis_insns = {
    .is_by_exit = false,
    .takes_checkpoints_anywhere = true,
    .approaches_from_here = true,
    .code_stops_need_base = false,
    .restarts_by_itself = false,
    .cannot_enter = "no memory for going back",
    .at_position = everywhere,
    .mark = mark_nothing,
    .at_wall = nowhere,
    .set_horizon = set_horizon,
    .entered = nothing,
    .left = nothing,
    .elsewhere = nothing,
    .log_cut = nothing,
    .log_dropped = drop_nothing,
    .measured = measured,
    .exit_comes = ignore_exit,
    .exit_answered = nothing,
    .takes_input = takes_input,
    .note_sleep = note_sleep,
    .play_sleep = play_sleep,
    .check = check,
    .note_data_hit = note_data_hit,
    .is_at_code = is_at_code,
    .has_arrived = not_yet,
    .searches_to_wall = nowhere,
    .note_stop = note_stop,
    .say_lost = say_lost,
};
