/*
 * vm/state.c -- a machine's state out and in; see state.h.
 *
 * Who adds a field to struct vm that the next turn depends on adds it to a
 * list here; tests/unit/test_saved.c finds a member that was forgotten, here or in
 * the CPU or a device.  tests/unit/test_snapshot.c runs guests with and without an
 * interruption and compares their traces event by event.
 */
#include "vm/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/host.h"
#include "base/trace.h"
#include "base/vclock.h"
#include "io/bus.h"
#include "mem/gmem.h"
#include "mem/nested.h"
#include "mem/shadow.h"
#include "vm/exits.h"
#include "vm/pc.h"
#include "vm/vm.h"

#define MAX_PARTS 32
#define LATEST_NS BIT(58)               /* nine years: no guest gets there, and no sum overflows */

/* Numbers of which every value is harmless, and truths. */
#define NUMBERS(X) \
    X(time_base_ns) X(next_poll_ns) X(n_exits) X(n_irqs) X(exits_by) X(vcpu[0].msr) \
    X(vcpu[0].turn.icount_at_exit) X(vcpu[0].turn.icount_concluded) \
    X(vcpu[0].turn.time_base_at_exit_ns) X(status) X(why) X(vcpu[0].tsc_base) X(vcpu[0].n_exits)
#define BOOLS(X) \
    X(vcpu[0].halted) X(reset_wanted) X(vcpu[0].turn.paging_stale) X(vcpu[0].turn.after_visible) \
    X(vcpu[0].turn.registers_changed) X(vcpu[0].turn.unfinished) \
    X(vcpu[0].irq_ready) X(vcpu[0].controls.irq_window_exiting)

/* ---- saving ---- */

/* A length, and so many bytes. */
static void put_part(const struct pc_part *p, struct bytes_out *o)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    int err = f ? device_save(p->ops, p->dev, f) : -ENOMEM;
    if (f && fclose(f))
        err = -ENOMEM;
    o->bad |= err != 0;
    bytes_put_u64(o, n);
    bytes_put(o, text, n);
    free(text);
}

static void put_devices(const struct vm *vm, struct bytes_out *o)
{
    struct pc_part part[MAX_PARTS];
    size_t n = pc_parts(vm->pc, part, MAX_PARTS);
    bytes_put_u64(o, n);
    /* Backwards.  So the interrupt nets are loaded first, and devices that drive their pins
     * again find them as they are; the PIC comes last and knows best what it has latched. */
    for (size_t i = n; i-- > 0; )
        put_part(&part[i], o);
}

static void put_cpu(struct vm *vm, struct bytes_out *o)
{
    struct cpu_state s;
    const struct engine *e = boot_cpu(vm)->ops;
    if (e->save) {
        e->save(boot_cpu(vm), o);
        return;
    }
    memset(&s, 0, sizeof s);
    o->bad |= e->get_state(boot_cpu(vm), ST_ALL, &s) != 0;
    BYTES_PUT(o, s);
}

static void put_context(const struct vm *vm, struct bytes_out *o)
{
    struct trace_context c = vm->trace ? vm->trace->ctx : (struct trace_context){ 0 };
    bytes_put_u64(o, c.vtime_ns);           /* in mid-turn still that of its beginning */
    bytes_put_u64(o, c.icount);
    bytes_put_u64(o, c.rip);
    bytes_put_u64(o, c.cause);
}

void vm_save_state(struct vm *vm, struct bytes_out *o)
{
    bytes_put_u64(o, vclock_now_ns(vm->clock));
    bytes_put_u64(o, vclock_armings(vm->clock));
    put_devices(vm, o);
    put_context(vm, o);
#define X(member) BYTES_PUT(o, vm->member);
    NUMBERS(X)
    BOOLS(X)
#undef X
    bytes_put_u64(o, vm->stop);
    bytes_put_u64(o, boot_cpu(vm)->turn.verdict);
    event_save(o, &boot_cpu(vm)->turn.injected);
    put_cpu(vm, o);
    /* Last what varies most in size: what is before it stays where it is. */
    if (vm->nested)
        nested_save(vm->nested, o);
    if (vm->shadow)
        shadow_save(vm->shadow, o);
}

/* ---- loading ---- */

static bool get_part(const struct pc_part *p, struct bytes_in *in)
{
    uint64_t n = bytes_get_u64(in);
    const void *text = n < SIZE_MAX ? bytes_take(in, n) : NULL;
    FILE *f = text && n ? fmemopen((void *)(uintptr_t)text, n, "r") : NULL;
    bool ok = f && device_load(p->ops, p->dev, f) == 0 && fgetc(f) == EOF;
    if (f)
        fclose(f);
    return ok;
}

static const char *get_devices(struct vm *vm, struct bytes_in *in)
{
    struct pc_part part[MAX_PARTS];
    size_t n = pc_parts(vm->pc, part, MAX_PARTS);
    if (bytes_get_u64(in) != n)
        return "it has other devices";
    /* Each device claims anew what its registers say. */
    bus_release_movable(vm->ports);
    bus_release_movable(vm->mmio);
    for (size_t i = n; i-- > 0; )
        if (!get_part(&part[i], in))
            return part[i].name;
    return NULL;
}

static int get_cpu(struct vm *vm, struct bytes_in *in)
{
    struct cpu_state s;
    const struct engine *e = boot_cpu(vm)->ops;
    if (e->load)
        return e->load(boot_cpu(vm), in);
    BYTES_GET(in, s);
    return in->bad ? -EINVAL : e->set_state(boot_cpu(vm), ST_ALL, &s);
}

/* Time that makes sense, and a look for input that comes. */
static bool good_times(const struct vm *vm, uint64_t now)
{
    uint64_t at = vm->time_base_ns + boot_cpu(vm)->icount;
    return now < LATEST_NS && vm->time_base_ns < LATEST_NS && boot_cpu(vm)->icount < LATEST_NS &&
           vm->next_poll_ns <= now + POLL_MEASURED_NS &&
           (!vm->cfg.engine->counts || (at >= now && at - now < POLL_MEASURED_NS));
}

static void get_context(struct vm *vm, struct bytes_in *in)
{
    struct trace_context c = { .vtime_ns = bytes_get_u64(in), .icount = bytes_get_u64(in),
                               .rip = bytes_get_u64(in), .cause = bytes_get_u64(in) };
    if (!vm->trace)
        return;
    vm->trace->ctx.vtime_ns = c.vtime_ns;
    vm->trace->ctx.icount = c.icount;
    vm->trace->ctx.rip = c.rip;
    vm->trace->ctx.cause = c.cause;
}

/* Everything in the order of saving; what is wrong with it, or NULL. */
static const char *load(struct vm *vm, struct bytes_in *in)
{
    uint64_t now = bytes_get_u64(in), armings = bytes_get_u64(in);
    if (now >= LATEST_NS)
        return "its clock";
    vclock_restore(vm->clock, now, armings);
    const char *wrong = get_devices(vm, in);
    if (wrong)
        return wrong;
    vclock_restore(vm->clock, now, armings);    /* devices have settled */
    get_context(vm, in);
#define X(member) BYTES_GET(in, vm->member);
    NUMBERS(X)
#undef X
#define X(member) vm->member = bytes_get_bool(in);
    BOOLS(X)
#undef X
    uint64_t stop = bytes_get_u64(in), verdict = bytes_get_u64(in);
    vm->stop = stop < N_VM_STOPS ? (enum vm_stop)stop : VM_RUNNING;
    boot_cpu(vm)->turn.verdict = verdict <= STOP ? (enum verdict)verdict : RETRY;
    vm->why[sizeof vm->why - 1] = 0;
    event_load(in, &boot_cpu(vm)->turn.injected);
    bool ready = boot_cpu(vm)->irq_ready;
    boot_cpu(vm)->ops->set_controls(boot_cpu(vm), &boot_cpu(vm)->controls);
    if (get_cpu(vm, in))
        return "its CPU";
    boot_cpu(vm)->irq_ready = ready;
    if (vm->nested && !nested_load(vm->nested, in))
        return "its nested tables";
    if (vm->shadow && !shadow_load(vm->shadow, in))
        return "its shadow tables";
    return in->bad || in->at != in->end ? "its length" : good_times(vm, now) ? NULL : "its clock";
}

int vm_load_state(struct vm *vm, struct bytes_in *in, char *why, size_t n)
{
    uint64_t mask = vm->trace ? vm->trace->mask : 0;
    if (vm->trace)
        vm->trace->mask = 0;
    const char *wrong = load(vm, in);
    if (vm->trace)
        vm->trace->mask = mask;
    vm_rebase_time(vm);
    vm->alarm_ns = 0;
    vm->debug_news.exit = vm->debug_news.due = false;
    if (!wrong)
        return 0;
    snprintf(why, n, "the state makes no sense for this machine: %s", wrong);
    return -EINVAL;
}

/* ---- the same? ---- */

static uint64_t fnv(uint64_t h, const void *data, size_t n)
{
    const uint8_t *at = data;
    while (n--)
        h = (h ^ *at++) * UINT64_C(0x100000001b3);
    return h;
}

/* Of devices what their tables name, but the numbers of events. */
static uint64_t hash_devices(const struct vm *vm, uint64_t h)
{
    struct pc_part part[MAX_PARTS];
    size_t n = pc_parts(vm->pc, part, MAX_PARTS);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < part[i].ops->n_fields; k++) {
            const struct field *f = &part[i].ops->fields[k];
            for (unsigned e = 0; e < f->count && !(f->flags & FIELD_TRACE); e++) {
                uint64_t value = field_get(f, part[i].dev, e);
                h = fnv(h, &value, sizeof value);
            }
        }
    return h;
}

/* Without what the compiler left between the members. */
static uint64_t hash_cpu(struct vm *vm, uint64_t h)
{
    struct cpu_state s;
    memset(&s, 0, sizeof s);
    boot_cpu(vm)->ops->get_state(boot_cpu(vm), ST_ALL, &s);
    if (!vm->cfg.engine->counts)
        s.tsc = 0;                      /* the host's time, which goes on */
    struct table_reg gdtr = s.gdtr, idtr = s.idtr;
    memset(&s.gdtr, 0, sizeof s.gdtr);
    memset(&s.idtr, 0, sizeof s.idtr);
    s.gdtr.base = gdtr.base;
    s.gdtr.limit = gdtr.limit;
    s.idtr.base = idtr.base;
    s.idtr.limit = idtr.limit;
    return fnv(h, &s, sizeof s);
}

uint64_t vm_hash(struct vm *vm)
{
    uint64_t now[] = { vclock_now_ns(vm->clock), boot_cpu(vm)->icount, vm->n_exits };
    return hash_devices(vm, hash_cpu(vm, fnv(gmem_hash(vm->gmem), now, sizeof now)));
}
