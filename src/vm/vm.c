/*
 * vm/vm.c -- one machine: made, loaded, run, stopped.
 *
 * vm_run() is the loop everything hangs on.  A turn of it:
 *   time passes -> due timers run -> an interrupt is injected or asked for ->
 *   the engine runs -> its exit is logged, answered and concluded.
 */
#include "vm/vm.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "base/trace.h"
#include "base/vclock.h"
#include "base/x86.h"
#include "io/bus.h"
#include "io/pic.h"
#include "io/uart.h"
#include "mem/dirty.h"
#include "mem/gmem.h"
#include "mem/hmem.h"
#include "mem/nested.h"
#include "mem/shadow.h"
#include "vm/exits.h"
#include "vm/pc.h"

const struct vm_stop_info vm_stops[N_VM_STOPS] = {
#define X(name, status, about) [VM_##name] = { #name, status, about },
    VM_STOP_LIST(X)
#undef X
};

/* ---- making one ---- */

#define MiB (UINT64_C(1) << 20)
#define VGA_MEMORY 0xa0000u
#define PCI_HOLE 0xc0000000u        /* RAM above this goes to 4 GiB, as on a PC */

static int add_memory(struct vm *vm)
{
    uint64_t ram = vm->cfg.ram_bytes;
    uint64_t below = ram > PCI_HOLE ? PCI_HOLE : ram;
    struct { const char *name; gpa_t base; uint64_t size; enum gmem_kind kind; } const layout[] = {
        { "low RAM",    0,               0xa0000,            GMEM_RAM },
        { "VGA memory", VGA_MEMORY,         0x20000,            GMEM_RAM },
        { "BIOS",       BIOS_BASE,       BIOS_SIZE,          GMEM_ROM },
        { "RAM",        MiB,             below - MiB,        GMEM_RAM },
        { "BIOS at the top of 4 GiB", BIOS_ALIAS_BASE, BIOS_SIZE, GMEM_ROM },
        { "high RAM",   UINT64_C(4) << 30, ram - below,      GMEM_RAM },
    };
    for (size_t i = 0; i < NELEM(layout); i++) {
        if (!layout[i].size)
            continue;
        int err = gmem_add(vm->gmem, layout[i].name, layout[i].base, layout[i].size, layout[i].kind);
        if (err)
            return err;
        /* Of the screen the video BIOS has made a clean one by the time a guest begins. */
        if (vm->cfg.seed && layout[i].kind == GMEM_RAM && layout[i].base != VGA_MEMORY)
            gmem_fill_noise(vm->gmem, layout[i].base, vm->cfg.seed);
    }
    gmem_freeze(vm->gmem);
    return 0;
}

/* Memory came by another way than the vCPU: its caches are out of date. */
static void on_memory_changed(void *arg, gpa_t gpa, uint64_t len)
{
    struct vm *vm = arg;
    if (vm->shadow) {
        shadow_forget(vm->shadow, gpa, len);
        if (shadow_take_flush(vm->shadow) && boot_cpu(vm)->ops)
            boot_cpu(vm)->ops->flush_tlb(boot_cpu(vm));
    }
    if (vm->dirty)
        dirty_mark(vm->dirty, gpa, len);
    if (boot_cpu(vm)->ops && boot_cpu(vm)->ops->forget)
        boot_cpu(vm)->ops->forget(boot_cpu(vm), gpa, len);
}

static bool make_parts(struct vm *vm)
{
    struct trace *t = vm->trace;
    vm->clock = vclock_new(t);
    vm->ports = bus_new("port", TRACE_IO_READ, TRACE_IO_WRITE, t);
    vm->mmio = bus_new("mmio", TRACE_MMIO_READ, TRACE_MMIO_WRITE, t);
    vm->dirty = dirty_new(vm->gmem);
    vm->hmem = hmem_new(vm->gmem);
    if (!vm->hmem)
        return false;
    if (vm->cfg.mmu == MMU_SHADOW)
        vm->shadow = shadow_new(vm->gmem, t);
    else if (vm->cfg.engine->walks_tables)
        vm->nested = nested_new(vm->hmem, t);
    if (!vm->clock || !vm->ports || !vm->mmio || !vm->dirty || !(vm->shadow || vm->nested ||
        !vm->cfg.engine->walks_tables))
        return false;
    vm->pc = pc_new(vm);
    return vm->pc != NULL;
}

static int make_cpu(struct vm *vm)
{
    struct vcpu *v = boot_cpu(vm);
    *v = (struct vcpu){
        .ops = vm->cfg.engine, .gmem = vm->gmem, .dirty = vm->dirty, .trace = vm->trace,
        .mmu = vm->cfg.mmu, .hmem = vm->hmem, .shadow = vm->shadow,
        .eptp = vm->nested ? nested_root(vm->nested) : HMEM_NONE,
    };
    vm->n_vcpus = 1;
    int err = v->ops->create(v);
    if (err) {
        v->ops = NULL;
        return err;
    }
    vm_initial_controls(vm, v);
    vm_reset_msrs(boot_cpu(vm));
    return v->ops->set_controls(v, &v->controls);
}

struct vm *vm_new(const struct vm_config *cfg, char *why, size_t n)
{
    struct vm *vm = calloc(1, sizeof *vm);
    if (!vm)
        return NULL;
    vm->cfg = *cfg;
    vm->trace = cfg->trace;
    vm->gmem = gmem_new();
    int err = vm->gmem ? add_memory(vm) : -ENOMEM;
    if (err) {
        snprintf(why, n, "cannot get %llu MiB of guest memory: %s; try a smaller --mem",
                 (unsigned long long)(cfg->ram_bytes / MiB), strerror(-err));
        goto fail;
    }
    if (!make_parts(vm)) {
        snprintf(why, n, "out of memory while building the machine");
        goto fail;
    }
    err = make_cpu(vm);
    if (err) {
        why[0] = 0;                             /* it has said so */
        goto fail;
    }
    gmem_on_change(vm->gmem, on_memory_changed, vm);
    return vm;
fail:
    vm_free(vm);
    return NULL;
}

void vm_free(struct vm *vm)
{
    if (!vm)
        return;
    if (boot_cpu(vm)->ops)
        boot_cpu(vm)->ops->destroy(boot_cpu(vm));
    pc_free(vm->pc);
    bus_free(vm->ports);
    bus_free(vm->mmio);
    nested_free(vm->nested);
    shadow_free(vm->shadow);
    hmem_free(vm->hmem);
    dirty_free(vm->dirty);
    vclock_free(vm->clock);
    gmem_free(vm->gmem);
    load_files_free(vm->files);
    free(vm);
}

static int place_guest(struct vm *vm, char *why, size_t n)
{
    if (!vm->files) {
        snprintf(why, n, "the guest's file is not at hand");
        return -ENOENT;
    }
    int err = load_files_place(vm->files, vm->gmem, &vm->loaded, why, n);
    if (err)
        return err;
    err = boot_cpu(vm)->ops->set_state(boot_cpu(vm), ST_ALL, &vm->loaded.cpu);
    if (err) {
        snprintf(why, n, "engine %s refuses the entry state of a guest in %s format",
                 vm->cfg.engine->name, vm->loaded.about);
        return err;
    }
    vm_paging_changed(vm, boot_cpu(vm));
    return 0;
}

int vm_load(struct vm *vm, const struct load_request *r, char *why, size_t n)
{
    load_files_free(vm->files);
    vm->files = load_files_read(r, why, n);
    return vm->files ? place_guest(vm, why, n) : -errno;
}

/* ---- stopping ---- */

void vm_stop(struct vm *vm, enum vm_stop stop, const char *fmt, ...)
{
    if (vm->stop != VM_RUNNING)
        return;                                 /* the first reason is the reason */
    vm->stop = stop;
    vm->status = vm_stops[stop].status;
    vm->why[0] = 0;
    if (!fmt)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(vm->why, sizeof vm->why, fmt, ap);
    va_end(ap);
}

void vm_kick(void *machine)
{
    struct vm *vm = machine;
    if (boot_cpu(vm)->ops)
        boot_cpu(vm)->ops->kick(boot_cpu(vm));
}

void vm_interrupt(struct vm *vm, int signo)
{
    vm->interrupted = signo;
    vm_kick(vm);
}

static void check_limits(struct vm *vm)
{
    const struct vm_config *c = &vm->cfg;
    if (vm->interrupted)
        vm_stop(vm, vm->interrupted == 15 ? VM_TERMINATED : VM_INTERRUPTED, NULL);
    else if (c->limit_insns && boot_cpu(vm)->icount >= c->limit_insns)
        vm_stop(vm, VM_LIMIT_INSNS, "%llu instructions", (unsigned long long)boot_cpu(vm)->icount);
    else if (c->limit_exits && vm->n_exits >= c->limit_exits)
        vm_stop(vm, VM_LIMIT_EXITS, "%llu exits", (unsigned long long)vm->n_exits);
}

/* Everything as after power-on, and the guest loaded anew. */
static void reset_machine(struct vm *vm)
{
    char why[256];
    vm->reset_wanted = false;
    if (vm->cfg.no_reboot) {
        vm_stop(vm, VM_RESET, NULL);
        return;
    }
    pc_reset(vm->pc);
    boot_cpu(vm)->halted = false;
    vm_reset_msrs(boot_cpu(vm));
    if (place_guest(vm, why, sizeof why))
        vm_stop(vm, VM_HOST, "cannot load the guest again after its reset: %s", why);
}

/* ---- time ---- */

static void time_passes(struct vm *vm)
{
    const struct vm_config *c = &vm->cfg;
    uint64_t ran = c->engine->counts ? boot_cpu(vm)->icount : host_monotonic_ns() - vm->host_base_ns;
    uint64_t now = vm->time_base_ns + ran;
    vclock_set_ns(vm->clock, c->engine->counts || !c->measured ? now : c->measured(c->hook_arg, now));
}

void vm_rebase_time(struct vm *vm)
{
    if (vm->cfg.engine->counts)
        return;
    vm->time_base_ns = vclock_now_ns(vm->clock);
    vm->host_base_ns = host_monotonic_ns();
    vm->alarm_ns = 0;
}

uint64_t vm_progress(const struct vm *vm)
{
    return vm->cfg.engine->counts ? boot_cpu(vm)->icount : vm->n_exits;
}

static void skip_time(struct vm *vm, uint64_t ns)
{
    if (vm->cfg.engine->counts) {
        vm->time_base_ns += ns;
        boot_cpu(vm)->tsc_base += ns;         /* not "=": the guest may have written its TSC */
    }
    time_passes(vm);
}

/* An access to the ISA bus takes about a microsecond, and guests rely on it: they
 * wait by reading ports.  Where time is counted and not measured, it must be
 * charged.  [IBM PC/AT Technical Reference "I/O Channel"] */
#define PORT_ACCESS_NS 1000

static void charge_port_access(struct vm *vm, const struct vmexit *x)
{
    if (x->reason == EXIT_IO && vm->cfg.engine->counts)
        skip_time(vm, PORT_ACCESS_NS);
}

static void poll_input(struct vm *vm)
{
    uint64_t now = vclock_now_ns(vm->clock);
    if (!vm->cfg.poll || now < vm->next_poll_ns)
        return;
    vm->next_poll_ns = now + (vm->cfg.engine->counts ? POLL_NS : POLL_MEASURED_NS);
    vm->cfg.poll(vm->cfg.hook_arg);
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
    vm->slice_ns = slice < MIN_SLICE_NS ? MIN_SLICE_NS : slice > MAX_SLICE_NS ? MAX_SLICE_NS : slice;
}

/* How long may the engine run before the monitor has something to do? */
static uint64_t budget(struct vm *vm)
{
    uint64_t now = vclock_now_ns(vm->clock);
    uint64_t until = vclock_next_ns(vm->clock);
    if (vm->cfg.poll && vm->next_poll_ns < until)
        until = vm->next_poll_ns;
    vm->debug_news.due = false;
    if (!vm->cfg.engine->counts) {
        set_alarm(vm, until);
        return UINT64_MAX;
    }
    uint64_t ns = until == VCLOCK_NEVER ? UINT64_MAX : until > now ? until - now : 1;
    if (vm->cfg.limit_insns && vm->cfg.limit_insns - boot_cpu(vm)->icount < ns)
        ns = vm->cfg.limit_insns - boot_cpu(vm)->icount;
    if (vm->sync_insns && vm->sync_insns - boot_cpu(vm)->icount % vm->sync_insns < ns)
        ns = vm->sync_insns - boot_cpu(vm)->icount % vm->sync_insns;
    vm->debug_news.due = vm->debug_wants.until && vm->debug_wants.until - boot_cpu(vm)->icount < ns;
    return vm->debug_news.due ? vm->debug_wants.until - boot_cpu(vm)->icount : ns;
}

/* ---- interrupts ---- */

static void want_irq_window(struct vm *vm, bool want)
{
    want &= !vm->debug_wants.no_window;
    if (boot_cpu(vm)->controls.irq_window_exiting == want)
        return;
    boot_cpu(vm)->controls.irq_window_exiting = want;
    boot_cpu(vm)->ops->set_controls(boot_cpu(vm), &boot_cpu(vm)->controls);
}

/* The PIC has something: inject it, or ask to hear when that can be done. */
static void deliver_irq(struct vm *vm)
{
    bool pending = pic_pending(pc_pic(vm->pc));
    boot_cpu(vm)->turn.injected.type = EVENT_NONE;
    if ((vm->cfg.irq_at_visible_exits && !boot_cpu(vm)->turn.after_visible) || (vm->debug_wants.hold_irqs && !vm->debug_news.woken)) {
        want_irq_window(vm, false);
        return;
    }
    if (!pending || !boot_cpu(vm)->irq_ready) {
        want_irq_window(vm, pending);
        return;
    }
    want_irq_window(vm, false);
    uint64_t cause;
    struct event e = { .type = EVENT_IRQ, .vector = pc_ack_irq(vm->pc, &cause) };
    uint64_t old = trace_enter(vm->trace, cause);
    uint64_t seq = trace_emit(vm->trace, TRACE_INJECT, e.vector, 0, e.type);
    trace_leave(vm->trace, old);
    trace_enter(vm->trace, seq);                /* what the guest does next answers it */
    if (boot_cpu(vm)->ops->inject(boot_cpu(vm), &e))
        vm_stop(vm, VM_ENGINE, "it does not take interrupt %u", e.vector);
    boot_cpu(vm)->turn.injected = e;
    vm->debug_news.woken = false;
    vm->n_irqs++;
}

/* HLT: let virtual time run to whatever wakes the CPU. */
static void sleep_until_irq(struct vm *vm)
{
    struct cpu_state s;
    if (boot_cpu(vm)->ops->get_state(boot_cpu(vm), ST_GPRS, &s) || !(s.rflags & FLAG_IF)) {
        vm_stop(vm, VM_HALTED, "HLT with interrupts off");
        return;
    }
    if (!pic_pending(pc_pic(vm->pc)) && pic_is_deaf(pc_pic(vm->pc))) {
        vm_stop(vm, VM_HALTED, "the 8259A lets no interrupt through (masked, or one without its EOI)");
        return;
    }
    while (!pic_pending(pc_pic(vm->pc)) && vm->stop == VM_RUNNING && !vm->interrupted &&
           !vm->reset_wanted && !vm->pause_wanted) {
        uint64_t now = vclock_now_ns(vm->clock), next = vclock_next_ns(vm->clock);
        uint64_t ns = next == VCLOCK_NEVER ? VCLOCK_NEVER : next - now;
        uint64_t passed = vm->cfg.idle ? vm->cfg.idle(vm->cfg.hook_arg, ns) : ns;
        if (passed == VCLOCK_NEVER) {
            vm_stop(vm, VM_HALTED, "no timer runs and no input can come");
            return;
        }
        skip_time(vm, passed);
        vclock_run_due(vm->clock);
    }
    boot_cpu(vm)->halted = vm->pause_wanted && !pic_pending(pc_pic(vm->pc)) && vm->stop == VM_RUNNING &&
                 !vm->reset_wanted;
}

/* ---- the loop ---- */

bool vm_prepare(struct vm *vm)
{
    if (boot_cpu(vm)->turn.unfinished)
        return vm->stop == VM_RUNNING;
    if (vm->reset_wanted)
        reset_machine(vm);
    time_passes(vm);
    vclock_run_due(vm->clock);
    poll_input(vm);
    vm->debug_news.woken |= boot_cpu(vm)->halted;
    if (boot_cpu(vm)->halted && vm->stop == VM_RUNNING)
        sleep_until_irq(vm);
    check_limits(vm);
    if (vm->stop != VM_RUNNING || boot_cpu(vm)->halted)
        return false;
    deliver_irq(vm);
    boot_cpu(vm)->turn.unfinished = true;
    return true;
}

/* An exit that only the debugger asked for: the guest and the trace know nothing of
 * it.  Time is brought up to date for who looks at devices, but events of the
 * unfinished turn keep their stamp. */
static bool is_debug_exit(struct vm *vm, const struct vmexit *x)
{
    vm->debug_news.exit = x->reason == EXIT_BREAKPOINT || (x->reason == EXIT_BUDGET && vm->debug_news.due) ||
                     (x->reason == EXIT_MTF && vm->debug_wants.step) ||
                     (x->reason == EXIT_KICKED && vm->debug_wants.kick);
    vm->debug_wants.kick &= x->reason != EXIT_KICKED;
    if (!vm->debug_news.exit)
        return false;
    uint64_t stamp = vm->trace ? vm->trace->ctx.vtime_ns : 0;
    time_passes(vm);
    if (vm->trace)
        vm->trace->ctx.vtime_ns = stamp;
    vm->debug_news.n_exits++;
    boot_cpu(vm)->turn.unfinished = vm->cfg.engine->counts;
    boot_cpu(vm)->ops->conclude(boot_cpu(vm), x, RETRY);
    return true;
}

static uint64_t log_exit(struct vm *vm, const struct vmexit *x)
{
    struct trace *t = vm->trace;
    if (!t)
        return 0;
    t->ctx.rip = x->rip;
    t->ctx.icount = boot_cpu(vm)->icount;
    return trace_emit(t, TRACE_EXIT, x->reason, exit_qualification(x), exit_extra(x));
}

static void conclude(struct vm *vm, struct vmexit *x, enum verdict verdict, uint64_t entered_ns)
{
    boot_cpu(vm)->ops->conclude(boot_cpu(vm), x, verdict);
    boot_cpu(vm)->turn.icount_concluded = boot_cpu(vm)->icount;
    if (boot_cpu(vm)->turn.paging_stale) {
        boot_cpu(vm)->turn.paging_stale = false;
        vm_paging_changed(vm, boot_cpu(vm));
    }
    uint64_t took = vm->cfg.timing ? host_monotonic_ns() - entered_ns : 0;
    trace_emit(vm->trace, TRACE_RESUME, verdict, x->rip, took);
}

/* An alarm rang, but no timer is due and nobody has asked for anything: that is
 * the monitor's way to measure time, and no exit of the guest's. */
static bool is_tick(const struct vm *vm, const struct vmexit *x)
{
    return x->reason == EXIT_KICKED && !vm->interrupted && boot_cpu(vm)->turn.injected.type == EVENT_NONE &&
           vclock_next_ns(vm->clock) > vclock_now_ns(vm->clock);
}

/* Right behind an exit that the guest can tell, or still there: a window that
 * opens before an instruction is retired is at the same point. */
static bool is_after_visible(const struct vm *vm, const struct vmexit *x)
{
    if (x->reason == EXIT_IRQ_WINDOW)
        return boot_cpu(vm)->turn.after_visible && vm->cfg.engine->counts &&
               boot_cpu(vm)->icount == boot_cpu(vm)->turn.icount_concluded;
    return x->reason == EXIT_IO || x->reason == EXIT_MMIO || x->reason == EXIT_HLT;
}

bool vm_turn(struct vm *vm, struct vmexit *x)
{
    boot_cpu(vm)->ops->run(boot_cpu(vm), budget(vm), x);
    if (is_debug_exit(vm, x))
        return false;
    boot_cpu(vm)->turn.after_visible = is_after_visible(vm, x);
    time_passes(vm);
    boot_cpu(vm)->turn.unfinished = false;
    if (is_tick(vm, x)) {
        boot_cpu(vm)->ops->conclude(boot_cpu(vm), x, RETRY);
        return false;
    }
    uint64_t entered_ns = vm->cfg.timing ? host_monotonic_ns() : 0;
    vm->n_exits++;
    boot_cpu(vm)->turn.icount_at_exit = boot_cpu(vm)->icount;
    boot_cpu(vm)->turn.time_base_at_exit_ns = vm->time_base_ns;
    boot_cpu(vm)->turn.registers_changed = false;
    uint64_t seq = log_exit(vm, x);
    trace_enter(vm->trace, seq);
    if (vm->cfg.before_answer)
        vm->cfg.before_answer(vm->cfg.hook_arg, x);
    boot_cpu(vm)->turn.verdict = vm_answer(vm, boot_cpu(vm), x);
    charge_port_access(vm, x);
    conclude(vm, x, boot_cpu(vm)->turn.verdict, entered_ns);
    if (vm->cfg.after_exit)
        vm->cfg.after_exit(vm->cfg.after_exit_arg);
    trace_leave(vm->trace, 0);                  /* what comes next starts a chain of its own */
    return true;
}

void vm_step(struct vm *vm, struct vmexit *x)
{
    while (vm_prepare(vm) && !vm_turn(vm, x))
        ;
}

static unsigned engine_number(const struct engine *e)
{
    unsigned i = 0;
    while (engines[i] && engines[i] != e)
        i++;
    return i;
}

void vm_begin(struct vm *vm)
{
    unsigned engine = engine_number(vm->cfg.engine);
    vm->host_base_ns = host_monotonic_ns();
    if (vm->trace)
        vm->trace->ctx.engine = (uint8_t)engine;
    trace_emit(vm->trace, TRACE_START, engine, vm->cfg.mmu, vm->cfg.seed);
}

void vm_finish(struct vm *vm)
{
    uart_flush(pc_uart(vm->pc));
    trace_emit(vm->trace, TRACE_STOP, (uint64_t)vm->status, vm->stop, vm->n_exits);
}

int vm_run(struct vm *vm)
{
    struct vmexit x;

    vm_begin(vm);
    while (vm->stop == VM_RUNNING)
        vm_step(vm, &x);
    vm_finish(vm);
    return vm->status;
}
