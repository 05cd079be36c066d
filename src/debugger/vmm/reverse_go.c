/*
 * debugger/vmm/reverse_go.c -- requests to go back, and what they become; see reverse.h.
 *
 * Begin reading with reverse_go(), at the end: it checks the request, enters the past, and sets
 * up struct op for the passes, which reverse_pass.c then makes.
 *
 *     request                    becomes
 *     reverse-step n             APPROACH the count n lower
 *     reverse-next               APPROACH the count one lower; if a return stands there,
 *                                SEARCH for the call that it returned from
 *     reverse-continue           SEARCH for the last stop before here
 *     reverse-finish             SEARCH for the last time the function's first instruction was
 *                                executed with a stack as high as now, then one back
 *     to an event, a count       APPROACH it
 *     to the present             no pass: that is a checkpoint
 */
#include "debugger/vmm/reverse_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/trace.h"
#include "cpu/regs.h"

/* ---- requests ---- */

/* Returns err, after putting the sentence where the debugger gets it. */
static int refuse_request(int err, char *why, size_t size, const char *text)
{
    snprintf(why, size, "%s", text);
    return err;
}

/* To an instruction count within the recording.  `before` says that it would lie before the
 * recording's beginning: then that is where the guest is taken, and the user is told so. */
static int begin_insn(struct reverse *r, uint64_t progress, bool before)
{
    struct op *op = &r->op;
    before |= progress < checkpoints_first(r->all)->progress;
    op->to = (struct place){ .goal = GOAL_INSN, .progress = progress };
    if (before)
        op->to.progress = checkpoints_first(r->all)->progress;
    if (before)
        stops_say(&op->to.why, LINK_AT_BEGINNING, "the beginning of the recording");
    else
        stops_say(&op->to.why, LINK_STEPPED, op->how == LINK_TO_INSN ? "there" : "stepped back");
    pass_approach(r);
    return 0;
}

/* By exit the first checkpoint need not be the only one with its progress. */
static int begin_begin(struct reverse *r)
{
    r->op.to = (struct place){ .goal = GOAL_INSN, .progress = checkpoints_first(r->all)->progress };
    stops_say(&r->op.to.why, LINK_AT_BEGINNING, "the beginning of the recording");
    past_return_to(r, checkpoints_first(r->all));
    r->op.phase = APPROACH;
    return 0;
}

/* A search: for what would stop the guest, or for op.code.  If nothing is found the user is told
 * "the beginning", and a pause on the way leaves the guest at the origin. */
static int begin_search(struct reverse *r, bool was_inside)
{
    struct op *op = &r->op;
    if (exits_passed_stop(r)) {
        op->to = r->exits.last_stop;
        pass_approach(r);
        return 0;
    }
    op->limit = op->begin_progress;
    if (!was_inside)
        op->origin = r->present;
    else if (r->axis->takes_checkpoints_anywhere)
        op->origin = past_take(r, false);
    if (op->origin)
        op->origin->pins++;
    struct checkpoint *c = op->limit ? checkpoints_at(r->all, op->limit - 1) : NULL;
    op->total = op->begin_progress - checkpoints_first(r->all)->progress;
    if (!pass_search_from(r, c))
        begin_insn(r, op->begin_progress, true);
    return 0;
}

/* `start` is where the function begins, by the debugger's symbols.  A CPU that stands there has
 * just been called: then the call is one instruction back. */
static int begin_finish(struct reverse *r, bool was_inside, gla_t start)
{
    struct cpu_state s;
    struct insn i;
    uint8_t bytes[15];
    pass_instruction(r, &s, &i, bytes);
    r->op.code[0] = start;
    r->op.n_code = 1;
    r->op.least_sp = state_sp(&s);
    if (state_pc(&s) != start)
        return begin_search(r, was_inside);
    r->op.n_code = 0;
    r->op.how = LINK_REVERSE_STEP;
    r->op.to = (struct place){ .goal = GOAL_INSN,
                               .progress = r->op.begin_progress - (r->op.begin_progress > 0) };
    stops_say(&r->op.to.why, LINK_STEPPED, "before the call");
    pass_approach(r);
    return 0;
}

/* Events up to the first checkpoint's own number happened before it, and nothing older can
 * be reached. */
static int begin_event(struct reverse *r, uint64_t seq, char *why, size_t size)
{
    if (seq <= checkpoints_first(r->all)->seq)
        return refuse_request(-ENODATA, why, size,
                              "that event was before the beginning of the recording");
    r->op.to = (struct place){ .goal = GOAL_EVENT, .seq = seq };
    stops_say(&r->op.to.why, LINK_STEPPED, "after event %" PRIu64, seq);
    pass_approach(r);
    return 0;
}

/* By the kind of request, set up op.to and begin the first pass.  A request to step back
 * over calls (LINK_REVERSE_NEXT) begins as a step of one instruction, and finds out there
 * whether that is a return (over_calls() in reverse_pass.c). */
static int begin_request(struct reverse *r, bool was_inside, uint64_t n, char *why, size_t size)
{
    struct op *op = &r->op;
    struct cpu_state s;
    struct insn i;
    uint8_t bytes[15];
    switch (op->how) {
    case LINK_REVERSE_NEXT:
        pass_instruction(r, &s, &i, bytes);
        op->least_sp = state_sp(&s);
        begin_insn(r, op->begin_progress - (op->begin_progress > 0), !op->begin_progress);
        op->return_checked = op->to.why.why == LINK_AT_BEGINNING;
        op->to.pc = state_pc(&s);
        return 0;
    case LINK_REVERSE_CONTINUE: return begin_search(r, was_inside);
    case LINK_REVERSE_FINISH:   return begin_finish(r, was_inside, n);
    case LINK_TO_INSN:          return begin_insn(r, n, false);
    case LINK_TO_EVENT:         return begin_event(r, n, why, size);
    case LINK_TO_BEGIN:         return begin_begin(r);
    default:
        n = n ? n : 1;
        return begin_insn(r, op->begin_progress >= n ? op->begin_progress - n : 0,
                          op->begin_progress < n);
    }
}

/* Everything that can be refused without having changed anything. */
static int check_request(const struct reverse *r, enum link_run how, uint64_t n, char *why,
                         size_t size)
{
    uint64_t progress, seq;
    if (!r->can_go_back)
        return refuse_request(-ENOTSUP, why, size, "this engine cannot be taken back here");
    int err = r->axis->check(r, how, why, size);
    if (err)
        return err;
    if (!checkpoints_first(r->all))
        return refuse_request(-ENODATA, why, size, "the guest has not run yet: there is no past");
    past_newest(r, &progress, &seq);
    if ((how == LINK_TO_INSN && n > progress) || (how == LINK_TO_EVENT && n > seq))
        return refuse_request(-ERANGE, why, size, "that has not happened yet");
    if (how == LINK_TO_EVENT && !r->vm->trace)
        return refuse_request(-ENOTSUP, why, size, "without a trace there are no events");
    return 0;
}

/* If the place of the request turns out not to exist after the past was entered, the guest
 * is put back to where it stood, which may itself have been inside the past. */
int reverse_go(struct reverse *r, enum link_run how, uint64_t n, char *why, size_t size)
{
    uint64_t progress, seq;
    int err = check_request(r, how, n, why, size);
    if (err)
        return err;
    if (r->cannot_be_repeated && !r->inside)
        past_begin_again(r);
    past_newest(r, &progress, &seq);
    bool was_inside = r->inside;
    if (!past_enter(r))
        return refuse_request(-ENOMEM, why, size, r->axis->cannot_enter);
    bool to_now = how == LINK_TO_NOW || (how == LINK_TO_INSN && n == progress);
    r->op = (struct op){ .how = how, .begin_progress = vm_progress(r->vm),
                         .begin_seq = r->own ? r->own->head : 0 };
    stops_rehearse(r->stops, true);
    if (to_now) {
        r->op.to = (struct place){ .goal = GOAL_INSN, .progress = r->present->progress };
        stops_say(&r->op.to.why, LINK_STEPPED, "now: whence you went back");
        past_to_present(r);
        r->op.phase = APPROACH;
        if (r->vm->stop != VM_RUNNING)
            r->op.to.why = r->ended;
        return 0;
    }
    err = begin_request(r, was_inside, n, why, size);
    if (err) {
        struct link_stop none;
        if (was_inside && r->op.origin)
            past_return_to(r, r->op.origin);
        pass_finish(r, &r->op.to.why, &none);
        if (!was_inside)
            past_to_present(r);
    }
    return err;
}
