/*
 * lab/01-exit-loop/oracle.c -- a debugger, a user with CTRL-C, and somebody who looks on.
 */
#include "../lab/01-exit-loop/oracle.h"

#include <signal.h>

#include "base/trace.h"
#include "base/vclock.h"
#include "mem/invariant.h"
#include "vm/time_source.h"

#define MAX_TOLD 50u        /* events of a kind; a loop that is wrong is so in each turn */

static void rings(void *arg)
{
    struct oracle *o = arg;
    o->armed = false;
}

void oracle_init(struct oracle *o, struct vm *vm, oracle_ask_fn *ask, void *arg)
{
    *o = (struct oracle){ .vm = vm, .ask = ask, .arg = arg, .mode = LAB1_MARK_REST };
    vtimer_init(&o->alarm, vm->clock, rings, o);
}

static void broken(struct oracle *o, enum invariant what, uint64_t found)
{
    const struct trace *t = o->vm->trace;
    if (t && o->n_told[what]++ < MAX_TOLD)
        trace_emit(o->vm->trace, TRACE_INVARIANT, what, t->ctx.place, found);
}

static struct vcpu *cpu(const struct oracle *o)
{
    return boot_cpu(o->vm);
}

static bool may_run(const struct oracle *o)
{
    return o->vm->stop == VM_RUNNING && !cpu(o)->halted;
}

/* ---- exams: limits, signals, and what else may happen ---- */

/* Each HLT is interrupted in so many steps, whole ones and halves. */
#define PAUSES 4u

/* A limit is not set, was reached some time ago, is reached at this moment, will be soon, or in so
 * many that 32 bits do not hold the number. */
enum limit { NONE, PASSED, REACHED, AHEAD, FAR };

struct exam {
    enum limit     insns, exits;
    int            signal;
    enum lab1_call at;              /* in this call the signal comes; if none does, the call stops
                                     * the machine.  LAB1_RESET is wanted.  0: behind an exit */
    enum vm_stop   want;            /* VM_RUNNING: the guest must run on                      */
};

static const struct exam exams[] = {
    { AHEAD,   AHEAD,   0,       0,             VM_RUNNING },
    { FAR,     FAR,     0,       0,             VM_RUNNING },
    { NONE,    REACHED, 0,       0,             VM_LIMIT_EXITS },
    { REACHED, NONE,    0,       0,             VM_LIMIT_INSNS },
    { NONE,    PASSED,  0,       0,             VM_LIMIT_EXITS },
    { PASSED,  AHEAD,   0,       0,             VM_LIMIT_INSNS },
    { REACHED, REACHED, 0,       0,             VM_LIMIT_INSNS },
    { NONE,    NONE,    SIGINT,  0,             VM_INTERRUPTED },
    { NONE,    NONE,    SIGTERM, 0,             VM_TERMINATED },
    { NONE,    NONE,    SIGHUP,  0,             VM_TERMINATED },
    { REACHED, NONE,    SIGTERM, 0,             VM_TERMINATED },
    { NONE,    REACHED, SIGINT,  0,             VM_INTERRUPTED },
    { NONE,    NONE,    SIGINT,  LAB1_WAIT,     VM_INTERRUPTED },
    { NONE,    NONE,    SIGTERM, LAB1_WAIT,     VM_TERMINATED },
    { NONE,    NONE,    0,       LAB1_WAIT,     VM_HOST },
    { NONE,    NONE,    0,       LAB1_RUN_DUE,  VM_HOST },
    { NONE,    NONE,    0,       LAB1_POLL,     VM_HOST },
    { NONE,    NONE,    0,       LAB1_RESET,    VM_RUNNING },
    { NONE,    NONE,    0,       0,             VM_RUNNING },
};

static bool is_asleep(const struct exam *e)
{
    return e->at == LAB1_WAIT;
}

static uint64_t limit_at(enum limit l, uint64_t now)
{
    static const int64_t ahead[] = { [PASSED] = -1, [REACHED] = 0, [AHEAD] = 1,
                                     [FAR] = INT64_C(1) << 32 };
    return l == NONE ? 0 : now + (uint64_t)ahead[l];
}

/* Each exam is held twice: the loop is asked for a whole step, and for its halves. */
static bool all_held(const struct oracle *o)
{
    return o->row == 2 * NELEM(exams);
}

static bool by_halves(const struct oracle *o)
{
    return (o->exam ? o->row - 1 : o->row) & 1;
}

static void begin_exam(struct oracle *o, bool asleep)
{
    if (o->mode != LAB1_MARK_EXAM || o->exam || all_held(o) ||
        is_asleep(&exams[o->row / 2]) != asleep)
        return;
    o->exam = &exams[o->row++ / 2];
    o->passed = false;
    o->was_halted = cpu(o)->halted;
    o->limit_insns = limit_at(o->exam->insns, cpu(o)->icount);
    o->limit_exits = limit_at(o->exam->exits, o->vm->n_exits);
    o->reset_wanted = o->exam->at == LAB1_RESET;
    o->vm->interrupted = o->exam->signal;
}

/* The end of the run is taken back; so is the offer, if the loop had come that far. */
static void end_exam(struct oracle *o)
{
    if (!o->exam)
        return;
    o->exam = NULL;
    o->limit_insns = o->limit_exits = 0;
    o->reset_wanted = false;
    o->vm->interrupted = 0;
    if (o->passed) {
        o->vm->stop = VM_RUNNING;
        cpu(o)->halted = o->was_halted;
        o->done.prepared &= ~BIT(LAB1_OFFER);
        o->anew = true;
    }
}

bool oracle_stops(struct oracle *o, enum vm_stop why)
{
    if (!o->exam || o->passed)
        return o->exam != NULL;
    if (why != o->exam->want)
        broken(o, INVARIANT_LIMIT, why);
    o->passed = true;
    o->vm->stop = why;
    return true;
}

bool oracle_resets(struct oracle *o)
{
    bool was = o->reset_wanted;
    o->reset_wanted = false;
    return was;
}

/* An exam in which a call stops the machine. */
void oracle_did(struct oracle *o, unsigned what)
{
    const struct exam *e = o->exam;
    if (!e || o->passed || e->at != what || e->signal || e->want == VM_RUNNING)
        return;
    o->passed = true;
    o->vm->stop = e->want;
}

/* ---- the guest is about to run, and has ---- */

static void look_at_clock(struct oracle *o, uint64_t budget)
{
    uint64_t shows = vclock_now_ns(o->vm->clock), is = o->vm->time->now(o->vm);
    uint64_t most = time_budget(o->vm, cpu(o));
    if (shows < is)
        broken(o, INVARIANT_CLOCK, is - shows);
    else if (budget > most)
        broken(o, INVARIANT_BUDGET, budget - most);
}

void oracle_runs(struct oracle *o, uint64_t budget)
{
    if (o->exam && !o->passed && o->exam->want != VM_RUNNING) {
        broken(o, INVARIANT_LIMIT, VM_RUNNING);
        end_exam(o);
    } else if (o->vm->stop != VM_RUNNING)
        broken(o, INVARIANT_ENDED, o->vm->stop);
    else if (o->concluded)
        broken(o, INVARIANT_STEP, o->concluded);
    else if (cpu(o)->halted)
        broken(o, INVARIANT_HALTED, o->concluded);
    else if (!o->unfinished)
        look_at_clock(o, budget);
    if (o->armed && o->vm->stop == VM_RUNNING)
        broken(o, INVARIANT_DUE, 0);
    o->armed = false;
    vtimer_cancel(&o->alarm);
    if (o->exam && !o->passed)
        end_exam(o);
    if (o->in_turn && o->came_back)
        broken(o, INVARIANT_TURN, true);
    o->was_halted = o->unfinished = false;
}

void oracle_ran(struct oracle *o, bool exited)
{
    o->vm->debug_wants.until = 0;
    o->unfinished = o->came_back = !exited;
}

/* The instruction of the exit is retired, and the clock has not been told: a timer that is due
 * just now rings only if it is told before timers run. */
static void arm_alarm(struct oracle *o)
{
    o->armed = true;
    vtimer_arm(&o->alarm, o->vm->time->now(o->vm));
}

void oracle_concluded(struct oracle *o)
{
    o->concluded++;
    o->done.prepared = 0;
    if (o->mode == LAB1_MARK_LOOK)
        arm_alarm(o);
    begin_exam(o, false);
}

/* ---- the order of calls ---- */

/* A port's time belongs to its access: charged before the answer, or behind the conclusion, it is
 * the time of something else. */
static void look_at_answer(struct oracle *o, unsigned what, bool same_record)
{
    if (what == LAB1_ANSWER && !same_record)
        broken(o, INVARIANT_ORDER, what);
    if (what == LAB1_ANSWER)
        o->done.answered = true;
    if (what != LAB1_CHARGE)
        return;
    if (!o->done.answered || o->done.charged)
        broken(o, INVARIANT_ORDER, what);
    o->done.charged = true;
}

void oracle_concludes(struct oracle *o, const struct vmexit *x, bool same)
{
    if (!same || o->done.charged != (x->reason == EXIT_IO))
        broken(o, INVARIANT_ORDER, LAB1_CONCLUDE);
    o->done.answered = o->done.charged = false;
}

/* How long the guest may run is asked last: whatever is done before may change it. */
static void look_at_budget(struct oracle *o, unsigned what, uint64_t budget)
{
    if (what == LAB1_ENGINE && (!o->done.budget || budget < o->done.most))
        broken(o, INVARIANT_ORDER, what);
    o->done.budget = what == LAB1_BUDGET;
}

uint64_t oracle_budget(struct oracle *o, uint64_t most)
{
    o->done.most = most;
    return most;
}

/* ---- what is done before the guest runs ---- */

/* What must have been done before these calls, since the exit before. */
static const uint32_t needs[N_LAB1_CALLS] = {
    [LAB1_RUN_DUE] = BIT(LAB1_TIME_PASSES),
    [LAB1_POLL]    = BIT(LAB1_TIME_PASSES) | BIT(LAB1_RUN_DUE),
    [LAB1_WAIT]    = BIT(LAB1_TIME_PASSES) | BIT(LAB1_RUN_DUE) | BIT(LAB1_POLL),
    [LAB1_OFFER]   = BIT(LAB1_TIME_PASSES) | BIT(LAB1_RUN_DUE) | BIT(LAB1_POLL),
    [LAB1_ENGINE]  = BIT(LAB1_OFFER),
};

#define BEFORE_RUN (BIT(LAB1_TIME_PASSES) | BIT(LAB1_RUN_DUE) | BIT(LAB1_POLL) | BIT(LAB1_WAIT) | \
                    BIT(LAB1_OFFER))

/* Nothing comes before a reset (time may pass, but must then do so behind it, too), and nothing
 * behind the offer.  What is offered to a machine that has stopped is taken from its interrupt
 * controller, and never comes. */
static void look_at_preparation(struct oracle *o, unsigned what)
{
    uint32_t is = BIT(what), was = o->done.prepared;
    bool wants_reset = o->vm->reset_wanted || o->reset_wanted;
    bool too_early = needs[what] & ~was || (wants_reset && needs[what]);
    bool too_late = is & BEFORE_RUN && was & BIT(LAB1_OFFER);
    if (o->vm->stop == VM_RUNNING && (too_early || too_late))
        broken(o, INVARIANT_PREPARED, what);
    else if (what == LAB1_OFFER && !may_run(o))
        broken(o, INVARIANT_PREPARED, what);
    o->done.prepared = what == LAB1_RESET ? 0 : was | (is & BEFORE_RUN);
}

/* A turn that is prepared: whatever is done for it a second time, the guest could notice. */
void oracle_called(struct oracle *o, unsigned what, uint64_t a)
{
    if (o->unfinished && BIT(what) & (BEFORE_RUN | BIT(LAB1_RESET)))
        broken(o, INVARIANT_RESUMED, what);
    else
        look_at_preparation(o, what);
    look_at_answer(o, what, a);
    look_at_budget(o, what, a);
}

void oracle_waits(struct oracle *o)
{
    if (o->paused && cpu(o)->halted)
        broken(o, INVARIANT_HALTED, 1);
    begin_exam(o, true);
    o->vm->pause_wanted = o->pauses && o->n_pauses < PAUSES;
}

void oracle_waited(struct oracle *o)
{
    o->paused = o->vm->pause_wanted;
    o->n_pauses = o->paused ? o->n_pauses + 1 : 0;
    o->pauses = false;
}

/* ---- steps ---- */

static bool prepare(struct oracle *o)
{
    uint64_t left;
    bool may = o->ask(o->arg, LAB1_PREPARE, &left);
    if (may != may_run(o))
        broken(o, INVARIANT_TURN, may);
    else if (may && !(left & LAB1_LEFT_UNFINISHED))
        broken(o, INVARIANT_RESUMED, LAB1_PREPARE);
    return may;
}

static void turn(struct oracle *o)
{
    uint64_t left;
    o->in_turn = true;
    o->came_back = false;
    bool exited = o->ask(o->arg, LAB1_TURN, &left);
    o->in_turn = false;
    if (exited != (o->concluded > 0) || (exited && !(left & LAB1_LEFT_EXIT)))
        broken(o, INVARIANT_TURN, exited);
}

static void whole_step(struct oracle *o)
{
    uint64_t left;
    o->ask(o->arg, LAB1_STEP, &left);
    if (may_run(o) && !(o->concluded && left & LAB1_LEFT_EXIT))
        broken(o, INVARIANT_STEP, o->concluded);
}

/* As a debugger: prepare, look, perhaps prepare once more; then a turn, or what is left of one. */
static void half_steps(struct oracle *o, bool twice)
{
    if (!prepare(o) || o->concluded)
        return;
    o->unfinished = twice;
    if (twice)
        prepare(o);
    o->unfinished = false;
    turn(o);
    if (o->unfinished && o->vm->stop == VM_RUNNING && prepare(o))
        turn(o);
}

/* Each turn in another way, and each of them at another number of instructions. */
static void look(struct oracle *o)
{
    unsigned n = o->n_steps++;
    o->pauses = true;
    if (n % 3)
        o->vm->debug_wants.until = cpu(o)->icount + n * 7 % 11;
    if (n % 4 < 2)
        whole_step(o);
    else
        half_steps(o, n % 4 == 2);
    o->vm->debug_wants.until = 0;
    o->pauses = o->unfinished = false;
}

void oracle_step(struct oracle *o)
{
    o->concluded = 0;
    o->paused = o->vm->pause_wanted = false;
    if (o->mode == LAB1_MARK_LOOK)
        look(o);
    else if (o->mode == LAB1_MARK_EXAM && by_halves(o))
        half_steps(o, false);
    else
        whole_step(o);
    o->anew = false;
    if (o->passed)
        end_exam(o);
}

void oracle_mark(struct oracle *o, uint32_t mark)
{
    if (mark < LAB1_MARK_LOOK || mark > LAB1_MARK_REST)
        return;
    if (mark == LAB1_MARK_REST && o->mode == LAB1_MARK_EXAM && !all_held(o))
        broken(o, INVARIANT_LIMIT, o->row);     /* the guest has gone by without them */
    o->mode = (enum lab1_mark)mark;
    o->n_steps = 0;
}

void oracle_view(const struct oracle *o, struct lab1_view *view)
{
    view->reset_wanted |= o->reset_wanted;
    view->anew = o->anew;
    if (!o->exam)
        return;
    view->limit_insns = o->limit_insns;
    view->limit_exits = o->limit_exits;
}
