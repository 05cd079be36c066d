/*
 * vm/time_source.c -- virtual time: counted in instructions or measured with the host's clock.
 *
 * The clock of base/vclock.h only knows what time it is; here it is told.  Begin reading with
 * time_budget(): how long may the engine run before the monitor has something to do?
 */
#include "vm/time_source.h"

#include "base/host.h"
#include "base/trace.h"
#include "base/vclock.h"
#include "vm/vm.h"

void time_passes(struct vm *vm)
{
    vclock_set_ns(vm->clock, vm->time->now(vm));
}

void time_passes_unseen(struct vm *vm)
{
    uint64_t stamp = vm->trace ? vm->trace->ctx.vtime_ns : 0;
    time_passes(vm);
    if (vm->trace)
        vm->trace->ctx.vtime_ns = stamp;
}

void time_poll(struct vm *vm)
{
    uint64_t now = vclock_now_ns(vm->clock);
    if (vm->cfg.poll && now >= vm->next_poll_ns) {
        vm->next_poll_ns = now + vm->time->poll_ns;
        vm->cfg.poll(vm->cfg.hook_arg);
    }
    if (now >= vm->stuck.next_look_ns)
        stuck_look(vm);
}

uint64_t time_budget(struct vm *vm, struct vcpu *v)
{
    uint64_t until = vclock_next_ns(vm->clock);
    if (vm->cfg.poll && vm->next_poll_ns < until)
        until = vm->next_poll_ns;
    v->turn.ends_for = ENDS_FOR_TIME;
    return vm->time->budget(vm, v, until);
}

void vm_rebase_time(struct vm *vm)
{
    vm->time->rebase(vm);
}

uint64_t vm_progress(const struct vm *vm)
{
    return vm->time->progress(vm);
}

/* ---- counted: an instruction is a nanosecond ---- */

static void counted_attach(struct vm *vm, struct vcpu *v)
{
    v->time_base_ns = &vm->time_base_ns;
}

static uint64_t counted_now(struct vm *vm)
{
    return vm->time_base_ns + boot_cpu(vm)->icount;
}

/* Time goes on without instructions: from here on the sum is larger.  The time-stamp counter
 * of a CPU does not stop in HLT, so it must not miss it.
 * [SDM 3B "Time-Stamp Counter": "Invariant TSC"] */
static void counted_skip(struct vm *vm, uint64_t ns)
{
    vm->time_base_ns += ns;
    for (unsigned i = 0; i < vm->n_vcpus; i++)
        vm->vcpu[i].tsc_base += ns;     /* not "=": the guest may have written its TSC */
    time_passes(vm);
}

/* An access to the ISA bus takes about a microsecond, and guests rely on it: they
 * wait by reading ports.  Where time is counted and not measured, it must be
 * charged.  [IBM PC/AT Technical Reference "I/O Channel"] */
#define PORT_ACCESS_NS 1000

static void counted_charge_port(struct vm *vm)
{
    counted_skip(vm, PORT_ACCESS_NS);
}

static void counted_rebase(struct vm *vm)
{
    (void)vm;                           /* no time has passed: none was counted */
}

/* The first instruction count at which somebody wants the CPU back, if that is before the
 * budget ends.  Where two want the same one, the exit is the monitor's own before it is the
 * debugger's: those of a debugger are not logged, and looking must not change the trace. */
static __attribute__((noinline))
uint64_t nearest_claim(struct vm *vm, struct vcpu *v, uint64_t budget)
{
    const uint64_t at[] = {
        [ENDS_FOR_LIMIT]    = vm->cfg.limit_insns,
        [ENDS_FOR_LOCKSTEP] = vm->sync_insns ? v->icount - v->icount % vm->sync_insns +
                                               vm->sync_insns : 0,
        [ENDS_FOR_REPLAY]   = vm->replay_until,
        [ENDS_FOR_DEBUGGER] = vm->debug_wants.until,
    };
    for (unsigned who = ENDS_FOR_LIMIT; who < NELEM(at); who++)
        if (at[who] && at[who] - v->icount < budget) {
            budget = at[who] - v->icount;
            v->turn.ends_for = (enum turn_end)who;
        }
    return budget;
}

static uint64_t counted_budget(struct vm *vm, struct vcpu *v, uint64_t until)
{
    uint64_t now = vclock_now_ns(vm->clock);
    uint64_t ns = until == VCLOCK_NEVER ? UINT64_MAX : until > now ? until - now : 1;
    if (vm->cfg.limit_insns | vm->sync_insns | vm->replay_until | vm->debug_wants.until)
        return nearest_claim(vm, v, ns);
    return ns;                          /* nobody wants it back, as in most runs */
}

static uint64_t counted_progress(const struct vm *vm)
{
    return boot_cpu(vm)->icount;
}

/* The clock is set when the engine comes back, so it may be late, but not by more than a run is
 * long, and never early. */
static bool counted_fits(const struct vm *vm, uint64_t now)
{
    uint64_t at = vm->time_base_ns + boot_cpu(vm)->icount;
    return at >= now && at - now < POLL_MEASURED_NS;
}

static bool counted_stands_still(const struct vcpu *v)
{
    return v->icount == v->turn.icount_concluded;
}

const struct timekeeping time_counted = {
    .poll_ns = POLL_NS, .turns_resume = true, .tsc_repeats = true,
    .attach = counted_attach, .now = counted_now, .skip = counted_skip,
    .charge_port = counted_charge_port, .rebase = counted_rebase, .budget = counted_budget,
    .progress = counted_progress, .fits = counted_fits, .stands_still = counted_stands_still,
};

/* ---- measured: the host's clock ---- */

static void measured_attach(struct vm *vm, struct vcpu *v)
{
    (void)vm;
    v->time_base_ns = NULL;             /* only the host's clock knows */
}

static uint64_t measured_now(struct vm *vm)
{
    uint64_t now = vm->time_base_ns + (host_monotonic_ns() - vm->host_base_ns);
    return vm->cfg.measured ? vm->cfg.measured(vm->cfg.hook_arg, now) : now;
}

/* The sleep took as long on the host as it was meant to. */
static void measured_skip(struct vm *vm, uint64_t ns)
{
    (void)ns;
    time_passes(vm);
}

static void measured_charge_port(struct vm *vm)
{
    (void)vm;                           /* the exit itself has taken longer than an ISA bus */
}

static void measured_rebase(struct vm *vm)
{
    vm->time_base_ns = vclock_now_ns(vm->clock);
    vm->host_base_ns = host_monotonic_ns();
    vm->alarm_ns = 0;
}

/* An engine that cannot count is stopped by an alarm.  Between two of them the
 * guest must get somewhere, however often it has its timer fire and however
 * slow the host is (each system call under strace): the timer is late then. */
#define MIN_SLICE_NS     100000u
#define MAX_SLICE_NS   20000000u
#define SLICE_PER_COST 16           /* of setting an alarm */

static void set_alarm(struct vm *vm, uint64_t until)
{
    uint64_t to_host = vm->host_base_ns - vm->time_base_ns;
    uint64_t now = vclock_now_ns(vm->clock) + to_host, due = until + to_host;
    if (until == VCLOCK_NEVER || !vm->cfg.alarm)
        return;
    if (due < now + vm->slice_ns)
        due = now + vm->slice_ns;
    if (vm->alarm_ns > now && vm->alarm_ns <= due)
        return;                                 /* set, and early enough */
    vm->alarm_ns = due;
    uint64_t before = host_monotonic_ns();
    vm->cfg.alarm(due);
    uint64_t slice = (host_monotonic_ns() - before) * SLICE_PER_COST;
    vm->slice_ns = slice < MIN_SLICE_NS ? MIN_SLICE_NS
                 : slice > MAX_SLICE_NS ? MAX_SLICE_NS : slice;
}

static uint64_t measured_budget(struct vm *vm, struct vcpu *v, uint64_t until)
{
    (void)v;
    set_alarm(vm, until);
    return UINT64_MAX;                          /* the engine does not count */
}

static uint64_t measured_progress(const struct vm *vm)
{
    return vm->n_exits;
}

static bool measured_fits(const struct vm *vm, uint64_t now)
{
    (void)vm, (void)now;
    return true;                                /* the clock goes on from whatever it shows */
}

static bool measured_stands_still(const struct vcpu *v)
{
    (void)v;
    return false;                               /* who knows */
}

const struct timekeeping time_measured = {
    .poll_ns = POLL_MEASURED_NS, .turns_resume = false, .tsc_repeats = false,
    .attach = measured_attach, .now = measured_now, .skip = measured_skip,
    .charge_port = measured_charge_port, .rebase = measured_rebase, .budget = measured_budget,
    .progress = measured_progress, .fits = measured_fits, .stands_still = measured_stands_still,
};
