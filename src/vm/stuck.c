/*
 * vm/stuck.c -- what repeats itself, and since when.
 *
 * Four things are watched, each in its own way:
 *
 *   exits        up to STUCK_EXITS different ones are remembered, with the value that was read or
 *                written.  An exit that is not among them is news, and takes the oldest one's row.
 *                Reads of devices that are no news, thousands a second, are polling.  A guest that
 *                makes ever new exits gets somewhere; so does one that halts.
 *   registers    about every millisecond, with the stack's top.  A loop that waits for a flag in
 *                memory has as many states as instructions; one that counts has ever new ones.
 *   interrupts   at each look: have many come since the last one, or is the next one waiting while
 *                the CPU keeps them off?  A handler that is slower than its timer leaves nothing
 *                for the rest.
 *   exceptions   the engine counts how often the same one was delivered (cpu/vcpu.h).
 *
 * Timer interrupts in between do not hide any of this: their EOI is the same each time.
 * Begin reading with stuck_look().
 */
#include "vm/stuck.h"

#include <string.h>

#include "base/trace.h"
#include "base/vclock.h"
#include "base/x86.h"
#include "cpu/regs.h"
#include "io/pic.h"
#include "vm/pc.h"
#include "vm/vm.h"

#define SECOND      UINT64_C(1000000000)
#define POLLING_NS  (2 * SECOND)        /* reads without news for so long are polling      */
#define LOOPING_NS  SECOND              /* a loop shows itself sooner                      */
#define LOOK_NS     (SECOND / 1000)
#define READS_PER_S 1000u               /* fewer are only a look now and then              */
#define IRQS        20u                 /* so many between two looks leave little for the rest */
#define EXCEPTIONS  100u                /* so many of the same in a second are no accident */

/* Some things take the host long and the guest no time: reading device memory, or an exception,
 * is a few instructions.  So many are enough, however little time has passed. */
#define MANY_READS      2000000u
#define MANY_EXCEPTIONS 200000u

const struct stuck_info stuck_infos[N_STUCK_HOWS] = {
#define X(how, where, about) [STUCK_##how] = { #how, where, about },
    STUCK_LIST(X)
#undef X
};

/* ---- exits ---- */

/* What an exit was, in one number: a port or address, and in the high bits of what kind. */
#define KIND_IN     BIT(63)
#define KIND_PORT   BIT(62)
#define KIND_MEMORY BIT(61)
#define ADDRESS     (BIT(56) - 1)

static uint64_t what_it_was(const struct vmexit *x, uint64_t *value)
{
    switch (x->reason) {
    case EXIT_IO:
        *value = x->io.value;
        return KIND_PORT | (x->io.in ? KIND_IN : 0) | x->io.port;
    case EXIT_MMIO:
        *value = x->mmio.value;
        return KIND_MEMORY | (x->mmio.write ? 0 : KIND_IN) | (x->mmio.gpa & ADDRESS);
    default:
        *value = exit_qualification(x);
        return (uint64_t)x->reason << 40 ^ (x->rip & ADDRESS);
    }
}

/* Nothing that was seen counts any more. */
static void start_over(struct stuck *s, uint64_t now)
{
    memset(s->seen, 0, sizeof s->seen);
    memset(s->sample, 0, sizeof s->sample);
    s->next_row = 0;
    s->news = 0;
    s->new_exit_ns = s->new_sample_ns = now;
    s->told_ns = 0;
}

/* If a new exit came since the last look: those before it are counted anew, and what registers
 * were seen does not matter.  This is not done at the exit itself, because a guest that gets
 * somewhere makes new exits all the time, and must not be slowed down by it. */
static void heed_news(struct stuck *s)
{
    if (!s->news)
        return;
    s->news = 0;
    for (unsigned i = 0; i < STUCK_EXITS && s->seen[i].times; i++)
        s->seen[i].times = 1;
    memset(s->sample, 0, sizeof s->sample);
    s->new_sample_ns = s->new_exit_ns;
    s->told_ns = 0;
}

/* The guest does not notice these. */
static bool is_monitors_own(const struct vmexit *x)
{
    return x->reason == EXIT_BUDGET || x->reason == EXIT_KICKED || x->reason == EXIT_IRQ_WINDOW ||
           x->reason == EXIT_MTF || x->reason == EXIT_BREAKPOINT;
}

void stuck_note_exit(struct vm *vm, const struct vmexit *x)
{
    struct stuck *s = &vm->stuck;
    uint64_t value, what;
    if (s->news >= STUCK_EXITS || is_monitors_own(x))
        return;         /* so much is new since the last look: the guest gets somewhere */
    if (x->reason == EXIT_HLT) {
        if (s->seen[0].times | s->sample[0].hash)
            start_over(s, vclock_now_ns(vm->clock));
        return;
    }
    what = what_it_was(x, &value);
    for (unsigned i = 0; i < STUCK_EXITS && s->seen[i].times; i++)
        if (s->seen[i].what == what && s->seen[i].value == value) {
            s->seen[i].times++;
            return;
        }
    s->seen[s->next_row++ % STUCK_EXITS] =
        (struct stuck_exit){ what, value, x->cs.base + x->rip, 1 };
    s->new_exit_ns = vclock_now_ns(vm->clock);
    s->news++;
}

void stuck_reset(struct vm *vm)
{
    start_over(&vm->stuck, vclock_now_ns(vm->clock));
}

/* ---- registers ---- */

/* FNV-1a, by eight bytes at a time; n is a multiple of that. */
static uint64_t mix(uint64_t hash, const void *data, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        uint64_t word;
        memcpy(&word, (const uint8_t *)data + i, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x100000001b3);
        hash ^= hash >> 32;
    }
    return hash;
}

/* Of the registers but RFLAGS, which repeat if they do; and of what lies around the stack's top,
 * where a compiler that does not optimise keeps the counters of loops. */
static uint64_t hash_of(struct vm *vm, const struct cpu_state *c)
{
    uint8_t stack[256] = { 0 };
    uint64_t hash = mix(UINT64_C(0xcbf29ce484222325), c->gpr, sizeof c->gpr);
    hash = mix(hash, &c->rip, sizeof c->rip);
    vm_read_linear(vm, state_sp(c) - 64, stack, sizeof stack);
    return mix(hash, stack, sizeof stack) | 1;
}

static void note_sample(struct vm *vm, const struct cpu_state *c, uint64_t now)
{
    struct stuck *s = &vm->stuck;
    uint64_t hash = hash_of(vm, c);
    unsigned i;
    for (i = 0; i < STUCK_SAMPLES && s->sample[i].hash; i++)
        if (s->sample[i].hash == hash)
            return;
    if (i == STUCK_SAMPLES) {
        memset(s->sample, 0, sizeof s->sample);
        i = 0;
    }
    s->sample[i] = (struct stuck_sample){ hash, state_pc(c) };
    s->new_sample_ns = now;
}

/* ---- interrupts ---- */

/* Does an open line ask, be it that what is in service keeps it waiting? */
static bool is_asked(struct pc *pc)
{
    return pc_pic_lines(pc, "EDGE") & pc_open_lines(pc);
}

static void note_irqs(struct vm *vm, const struct cpu_state *c, uint64_t now)
{
    struct stuck_irqs *q = &vm->stuck.irqs;
    uint64_t came = vm->n_irqs - q->at_look;
    bool next_waits = !(c->rflags & FLAG_IF) && is_asked(vm->pc);
    if (came < IRQS && !next_waits)
        *q = (struct stuck_irqs){ .since_ns = now, .before = vm->n_irqs };
    q->at_look = vm->n_irqs;
}

/* How long interrupts have come so fast, while nothing else was new. */
static uint64_t flooded_ns(const struct stuck *s, uint64_t now)
{
    return now - (s->irqs.since_ns > s->new_exit_ns ? s->irqs.since_ns : s->new_exit_ns);
}

/* Two digits say enough: 590000 a second. */
static uint64_t rounded(uint64_t n)
{
    uint64_t unit = 1;
    while (n / unit >= 100)
        unit *= 10;
    return n / unit * unit;
}

static void report_irqs(struct vm *vm, uint64_t now, struct stuck_report *r)
{
    const struct stuck_irqs *q = &vm->stuck.irqs;
    struct vcpu *v = boot_cpu(vm);
    struct cpu_state c;
    uint64_t us = (now - q->since_ns) / 1000;
    *r = (struct stuck_report){ .how = STUCK_IRQS, .ns = flooded_ns(&vm->stuck, now) };
    r->where = rounded((vm->n_irqs - q->before) * 1000000 / (us ? us : 1));
    if (v->ops->get_state(v, ST_GPRS | ST_SEGS | ST_CRS, &c) == 0)
        r->at = state_pc(&c);
}

/* ---- the judgement ---- */

/* Which device is read most, if any is polled, for ns now: its row. */
static const struct stuck_exit *polled(const struct stuck *s, uint64_t ns)
{
    const struct stuck_exit *most = NULL;
    for (unsigned i = 0; i < STUCK_EXITS && s->seen[i].times; i++)
        if (s->seen[i].what & KIND_IN && (!most || s->seen[i].times > most->times))
            most = &s->seen[i];
    bool often = most && most->times > READS_PER_S && most->times / READS_PER_S >= ns / SECOND;
    return often ? most : NULL;
}

/* The loop reaches from the first to the last instruction at which the CPU was found. */
static void report_loop(struct vm *vm, struct stuck_report *r)
{
    const struct stuck *s = &vm->stuck;
    struct vcpu *v = boot_cpu(vm);
    const struct pic *pic = pc_pic(vm->pc);
    unsigned unserved;
    struct cpu_state c;
    r->at = UINT64_MAX;
    r->where = 0;
    for (unsigned i = 0; i < STUCK_SAMPLES && s->sample[i].hash; i++) {
        r->at = s->sample[i].at < r->at ? s->sample[i].at : r->at;
        r->where = s->sample[i].at > r->where ? s->sample[i].at : r->where;
    }
    r->how = v->ops->get_state(v, ST_GPRS, &c) || !(c.rflags & FLAG_IF) ? STUCK_LOOP_CLI
           : !pic_pending(pic) && pic_is_deaf(pic)                      ? STUCK_LOOP_MASKED
           : pc_unserved(vm->pc, &unserved)                             ? STUCK_LOOP_UNSERVED
                                                                        : STUCK_LOOP;
    if (r->how == STUCK_LOOP_UNSERVED)
        r->where = unserved;
}

/* Does an exception come back again and again, and did it a moment ago? */
static bool repeats(const struct repeated *e, uint64_t now, unsigned haste)
{
    bool long_enough = e->times >= EXCEPTIONS && e->last_ns - e->first_ns >= LOOPING_NS / haste;
    return now - e->last_ns < SECOND / 10 && (long_enough || e->times >= MANY_EXCEPTIONS);
}

/* With haste, a time so many times shorter is enough. */
static bool judge(struct vm *vm, struct stuck_report *r, unsigned haste)
{
    struct stuck *s = &vm->stuck;
    const struct repeated *e = &boot_cpu(vm)->repeated;
    uint64_t now = vclock_now_ns(vm->clock);
    heed_news(s);
    uint64_t silent = now - s->new_exit_ns;
    const struct stuck_exit *read = polled(s, silent);
    if (read && (silent >= POLLING_NS / haste || read->times >= MANY_READS)) {
        *r = (struct stuck_report){ read->what & KIND_PORT ? STUCK_PORT : STUCK_MEMORY,
                                    read->what & ADDRESS, read->at, silent };
    } else if (repeats(e, now, haste)) {
        *r = (struct stuck_report){ STUCK_EXCEPTION, e->vector, e->at, now - e->first_ns };
    } else if (vm->n_irqs - s->irqs.before >= IRQS && flooded_ns(s, now) >= LOOPING_NS / haste) {
        report_irqs(vm, now, r);
    } else if (!read && s->sample[0].hash && now - s->new_sample_ns >= LOOPING_NS / haste) {
        r->ns = now - s->new_sample_ns;
        report_loop(vm, r);
    } else {
        return false;
    }
    return true;
}

/* While a guest runs it may yet get somewhere.  When it has been ended from outside, somebody has
 * lost patience. */
#define LIVE   1
#define AT_END 50

bool stuck_now(struct vm *vm, struct stuck_report *r)
{
    return judge(vm, r, vm->stop == VM_RUNNING ? LIVE : AT_END);
}

/* Log it, with the place where it happens, and pass it on to whoever shows it. */
static void tell(struct vm *vm, const struct stuck_report *r)
{
    struct vcpu *v = boot_cpu(vm);
    struct cpu_state c;
    vm->stuck.told_ns = r->ns;
    if (!vm->trace || v->ops->get_state(v, ST_GPRS | ST_SEGS | ST_CRS, &c))
        return;
    struct code_segment cs = state_code_segment(&c);
    vcpu_log_at(v, r->at - cs.base, &cs, v->icount, TRACE_STUCK, r->how, r->where, r->ns);
}

void stuck_look(struct vm *vm)
{
    struct stuck *s = &vm->stuck;
    struct vcpu *v = boot_cpu(vm);
    struct stuck_report r;
    struct cpu_state c;
    uint64_t now = vclock_now_ns(vm->clock);
    if (v->halted)
        return;
    s->next_look_ns = now + LOOK_NS;
    heed_news(s);
    if (v->ops->get_state(v, ST_GPRS | ST_SEGS | ST_CRS, &c) == 0) {
        note_sample(vm, &c, now);
        note_irqs(vm, &c, now);
    }
    if (!stuck_now(vm, &r))
        s->told_ns = 0;
    else if (!s->told_ns || r.ns / 2 >= s->told_ns) {
        tell(vm, &r);
        if (vm->cfg.stuck)
            vm->cfg.stuck(vm->cfg.stuck_arg, &r);
    }
}

void stuck_finish(struct vm *vm)
{
    struct stuck_report r;
    if (!boot_cpu(vm)->halted && stuck_now(vm, &r))
        tell(vm, &r);
}
