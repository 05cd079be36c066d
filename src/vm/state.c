/*
 * vm/state.c -- a machine's state out and in; see state.h.
 *
 * Begin reading with parts[]: each row is a part of the machine, with the function that saves
 * it and the one that loads it.  Which members a part has is a table, too: here (members,
 * context), in the CPU (cpu/soft/save.c), in each device (its fields).  Snapshots, checkpoints
 * and going back all come here, so a row that is added is added for all of them.
 *
 * tests/unit/test_saved.c finds a member that was forgotten; tests/unit/test_snapshot.c runs
 * guests with and without an interruption and compares their traces event by event.
 */
#include "vm/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/host.h"
#include "base/saved.h"
#include "base/trace.h"
#include "base/vclock.h"
#include "io/bus.h"
#include "io/overlay.h"
#include "mem/gmem.h"
#include "mem/nested.h"
#include "mem/shadow.h"
#include "vm/exits.h"
#include "vm/pc.h"
#include "vm/time_source.h"
#include "vm/vm.h"

#define LATEST_NS BIT(58)               /* nine years: no guest gets there, and no sum overflows */

/* What of struct vm is state, and of what belongs to its one CPU.  The rest is wiring, the host's
 * or the debugger's; tests/unit/test_saved.c has the reason for each. */
#define NUMBER(member) SAVED(struct vm, member)
#define TRUTH(member)  SAVED_TRUTH(struct vm, member)
static const struct saved members[] = {
    NUMBER(time_base_ns), NUMBER(next_poll_ns), NUMBER(n_exits), NUMBER(n_irqs), NUMBER(exits_by),
    NUMBER(vcpu[0].msr), NUMBER(vcpu[0].turn.icount_at_exit), NUMBER(vcpu[0].turn.icount_concluded),
    NUMBER(vcpu[0].turn.time_base_at_exit_ns), NUMBER(status), NUMBER(why),
    NUMBER(vcpu[0].tsc_base), NUMBER(vcpu[0].n_exits), NUMBER(n_oddities), NUMBER(stuck),
    NUMBER(listening), NUMBER(lost_write),
    NUMBER(vcpu[0].repeated),
    TRUTH(vcpu[0].halted), TRUTH(reset_wanted), TRUTH(vcpu[0].turn.paging_stale),
    TRUTH(vcpu[0].turn.after_visible), TRUTH(vcpu[0].turn.registers_changed),
    TRUTH(vcpu[0].turn.unfinished), TRUTH(vcpu[0].irq_ready),
    TRUTH(vcpu[0].controls.irq_window_exiting),
};

/* Of the trace: in the midst of a turn its events still have the stamp of its beginning. */
static const struct saved context[] = {
    SAVED(struct trace_context, vtime_ns), SAVED(struct trace_context, icount),
    SAVED(struct trace_context, place), SAVED(struct trace_context, cs),
    SAVED(struct trace_context, cause),
};

/* A load under way: what was read that a later part still needs. */
struct loading { struct bytes_in *in; uint64_t now, armings; };

/* ---- the clock ---- */

static void put_clock(struct vm *vm, struct bytes_out *o)
{
    bytes_put_u64(o, vclock_now_ns(vm->clock));
    bytes_put_u64(o, vclock_armings(vm->clock));
}

static const char *get_clock(struct vm *vm, struct loading *l)
{
    l->now = bytes_get_u64(l->in);
    l->armings = bytes_get_u64(l->in);
    if (l->now >= LATEST_NS)
        return "its clock";
    vclock_restore(vm->clock, l->now, l->armings);
    return NULL;
}

/* Loaded devices have armed their timers, and the clock has counted that. */
static void put_nothing(struct vm *vm, struct bytes_out *o)
{
    (void)vm, (void)o;
}

static const char *get_clock_again(struct vm *vm, struct loading *l)
{
    vclock_restore(vm->clock, l->now, l->armings);
    return NULL;
}

/* ---- devices ---- */

/* A length, which is known last, and so many bytes. */
static void put_part(const struct pc_part *p, struct bytes_out *o)
{
    size_t at = o->n;
    bytes_put_u64(o, 0);
    device_save(p->ops, p->dev, o);
    uint64_t n = o->n - at - sizeof n;
    if (!o->bad)
        memcpy(o->data + at, &n, sizeof n);
}

static void put_devices(struct vm *vm, struct bytes_out *o)
{
    struct pc_part part[PC_MAX_PARTS];
    size_t n = pc_parts(vm->pc, part, PC_MAX_PARTS);
    bytes_put_u64(o, n);
    /* Backwards.  So the interrupt nets are loaded first, and devices that drive their pins
     * again find them as they are; the PIC comes last and knows best what it has latched. */
    for (size_t i = n; i-- > 0; )
        put_part(&part[i], o);
}

static bool get_part(const struct pc_part *p, struct bytes_in *in)
{
    uint64_t n = bytes_get_u64(in);
    const uint8_t *at = n < SIZE_MAX ? bytes_take(in, n) : NULL;
    struct bytes_in part = { at, at ? at + n : NULL, false };
    return device_load(p->ops, p->dev, &part) == 0 && part.at == part.end;
}

static const char *get_devices(struct vm *vm, struct loading *l)
{
    struct pc_part part[PC_MAX_PARTS];
    size_t n = pc_parts(vm->pc, part, PC_MAX_PARTS);
    if (bytes_get_u64(l->in) != n)
        return "it has other devices";
    /* Each device claims anew what its registers say. */
    bus_release_movable(vm->ports);
    bus_release_movable(vm->mmio);
    for (size_t i = n; i-- > 0; )
        if (!get_part(&part[i], l->in))
            return part[i].name;
    return NULL;
}

/* ---- where the run loop stands ---- */

static void put_context(struct vm *vm, struct bytes_out *o)
{
    const struct trace_context none = { 0 }, *c = vm->trace ? &vm->trace->ctx : &none;
    saved_put(context, NELEM(context), c, o);
    bytes_put_u64(o, c->who.segmented);
}

static const char *get_context(struct vm *vm, struct loading *l)
{
    struct trace_context unused = { 0 }, *c = vm->trace ? &vm->trace->ctx : &unused;
    saved_get(context, NELEM(context), c, l->in);
    c->who.segmented = bytes_get_u64(l->in) & 1;
    return NULL;
}

static void put_loop(struct vm *vm, struct bytes_out *o)
{
    saved_put(members, NELEM(members), vm, o);
    bytes_put_u64(o, vm->stop);
    bytes_put_u64(o, boot_cpu(vm)->turn.verdict);
    event_save(o, &boot_cpu(vm)->turn.injected);
}

static const char *get_loop(struct vm *vm, struct loading *l)
{
    struct turn *turn = &boot_cpu(vm)->turn;
    saved_get(members, NELEM(members), vm, l->in);
    uint64_t stop = bytes_get_u64(l->in), verdict = bytes_get_u64(l->in);
    vm->stop = stop < N_VM_STOPS ? (enum vm_stop)stop : VM_RUNNING;
    turn->verdict = verdict <= STOP ? (enum verdict)verdict : RETRY;
    vm->why[sizeof vm->why - 1] = 0;
    event_load(l->in, &turn->injected);
    return NULL;
}

/* ---- the CPU ---- */

static void put_cpu(struct vm *vm, struct bytes_out *o)
{
    struct cpu_state s;
    struct vcpu *v = boot_cpu(vm);
    if (v->ops->save) {
        v->ops->save(v, o);
        return;
    }
    memset(&s, 0, sizeof s);
    o->bad |= v->ops->get_state(v, ST_ALL, &s) != 0;
    BYTES_PUT(o, s);
}

static int load_cpu(struct vcpu *v, struct bytes_in *in)
{
    struct cpu_state s;
    if (v->ops->load)
        return v->ops->load(v, in);
    BYTES_GET(in, s);
    return in->bad ? -EINVAL : v->ops->set_state(v, ST_ALL, &s);
}

/* Its registers as they are set may say that it takes no interrupt; what was saved counts. */
static const char *get_cpu(struct vm *vm, struct loading *l)
{
    struct vcpu *v = boot_cpu(vm);
    bool ready = v->irq_ready;
    v->ops->set_controls(v, &v->controls);
    if (load_cpu(v, l->in))
        return "its CPU";
    v->irq_ready = ready;
    return NULL;
}

/* ---- the monitor's own tables ---- */

static void put_tables(struct vm *vm, struct bytes_out *o)
{
    if (vm->nested)
        nested_save(vm->nested, o);
    if (vm->shadow)
        shadow_save(vm->shadow, o);
}

static const char *get_tables(struct vm *vm, struct loading *l)
{
    if (vm->nested && !nested_load(vm->nested, l->in))
        return "its nested tables";
    if (vm->shadow && !shadow_load(vm->shadow, l->in))
        return "its shadow tables";
    return NULL;
}

/* ---- all of it ---- */

/* In this order a state is written and read: the clock before the devices, whose timers count
 * by it; the loop's members before the CPU, which is told the controls among them; last what
 * varies most in size, so that in two states all before it is at the same place, where
 * checkpoints share what is the same. */
static const struct part {
    void        (*put)(struct vm *vm, struct bytes_out *o);
    const char *(*get)(struct vm *vm, struct loading *l);       /* what is wrong, or NULL */
} parts[] = {
    { put_clock,   get_clock },
    { put_devices, get_devices },
    { put_nothing, get_clock_again },
    { put_context, get_context },
    { put_loop,    get_loop },
    { put_cpu,     get_cpu },
    { put_tables,  get_tables },
};

void vm_save_state(struct vm *vm, struct bytes_out *o)
{
    for (size_t i = 0; i < NELEM(parts); i++)
        parts[i].put(vm, o);
}

/* Time that makes sense, and a look for input that comes. */
static bool good_times(const struct vm *vm, uint64_t now)
{
    return now < LATEST_NS && vm->time_base_ns < LATEST_NS && boot_cpu(vm)->icount < LATEST_NS &&
           vm->next_poll_ns <= now + POLL_MEASURED_NS && vm->time->fits(vm, now);
}

/* What is wrong with the state, or NULL.  That it was read to its end and no further is only known
 * behind the last part. */
static const char *load(struct vm *vm, struct loading *l)
{
    for (size_t i = 0; i < NELEM(parts); i++) {
        const char *wrong = parts[i].get(vm, l);
        if (wrong)
            return wrong;
    }
    if (l->in->bad || l->in->at != l->in->end)
        return "its length";
    return good_times(vm, l->now) ? NULL : "its clock";
}

int vm_load_state(struct vm *vm, struct bytes_in *in, char *why, size_t n)
{
    uint64_t mask = vm->trace ? vm->trace->mask : 0;
    if (vm->trace)
        vm->trace->mask = 0;
    struct loading l = { .in = in };
    const char *wrong = load(vm, &l);
    if (vm->trace)
        vm->trace->mask = mask;
    vm_rebase_time(vm);
    vm->alarm_ns = 0;
    vm->debug_news.exit = false;
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
    struct pc_part part[PC_MAX_PARTS];
    size_t n = pc_parts(vm->pc, part, PC_MAX_PARTS);
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
    if (!vm->time->tsc_repeats)
        s.tsc = 0;
    struct table_reg gdtr = s.gdtr, idtr = s.idtr;
    memset(&s.gdtr, 0, sizeof s.gdtr);
    memset(&s.idtr, 0, sizeof s.idtr);
    s.gdtr.base = gdtr.base;
    s.gdtr.limit = gdtr.limit;
    s.idtr.base = idtr.base;
    s.idtr.limit = idtr.limit;
    return fnv(h, &s, sizeof s);
}

static uint64_t hash_parts(struct vm *vm, uint64_t h)
{
    uint64_t now[] = { vclock_now_ns(vm->clock), boot_cpu(vm)->icount, vm->n_exits };
    return hash_devices(vm, hash_cpu(vm, fnv(h, now, sizeof now)));
}

uint64_t vm_hash(struct vm *vm)
{
    uint64_t h = gmem_hash(vm->gmem);
    for (size_t i = 0; i < MAX_DISKS; i++)
        if (disk_overlay(vm->disk[i]))
            h = overlay_hash(disk_overlay(vm->disk[i]), h);
    return hash_parts(vm, h);
}

uint64_t vm_hash_parts(struct vm *vm)
{
    return hash_parts(vm, 0);
}
