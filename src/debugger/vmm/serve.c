/*
 * debugger/vmm/serve.c -- one function for each request that the debugger makes.
 *
 * Begin reading with serve_one() at the end: a request is received, done and answered, in
 * this order, and the answer goes out after the state page was written, so that whoever has
 * the answer finds the page up to date.
 *
 * Requests come while the guest stands still, or between two turns of the loop (vmm.c).
 * Each serve_X() reads m->in, may fill in m->out and then sets *n to its length.  It returns
 * 0 or -errno; for the types in EXPLAINED a sentence in out.text says why.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/x86.h"
#include "debugger/vmm/stops.h"
#include "debugger/vmm/vmm_private.h"
#include "io/bus.h"
#include "mem/gmem.h"
#include "mem/linear.h"
#include "mem/nested.h"
#include "mem/shadow.h"
#include "mem/walk.h"
#include "vm/exits.h"
#include "vm/pc.h"
#include "vm/snapshot.h"

static size_t body_of(const struct vmm *m) { return m->in.head.bytes; }

/* ---- running, and registers ---- */

/* The guest goes back in slices of the main loop's; the reply comes now. */
static int run_back(struct vmm *m, const struct wire_run *r)
{
    int err = m->inside_turn ? -EBUSY
            : reverse_go(m->reverse, r->how, r->n, m->out.text, sizeof m->out.text);
    if (err)
        return err;
    m->state = LINK_RUNNING;
    m->pause_asked = m->starved = false;
    return 0;
}

/* The reply is left open until the guest has run for a slice, or has stopped
 * (do_and_answer() and vmm.c). Free running is answered at once: m->unanswered_run stays 0. */
static int serve_RUN(struct vmm *m, size_t *n)
{
    (void)n;
    const struct wire_run *r = &m->in.run;
    if (m->state == LINK_RUNNING)
        return -EBUSY;
    if (r->how >= N_LINK_RUNS)
        return -EINVAL;
    if (LINK_IS_BACK(r->how))
        return run_back(m, r);
    if (m->state == LINK_ENDED)
        return -EOWNERDEAD;
    if (!m->inside_turn)
        reverse_before_run(m->reverse);
    control_go(m->control, r->how, r->n, r->lo, r->hi);
    m->state = LINK_RUNNING;
    m->pause_asked = m->starved = false;
    m->all_state_asked = false;
    m->unanswered_run = r->how == LINK_FREE ? 0 : m->in.head.id;
    return 0;
}

/* Only noted here: the main loop stops the guest, after this has been answered. */
static int serve_PAUSE(struct vmm *m, size_t *n)
{
    (void)n;
    m->pause_asked = m->state == LINK_RUNNING;
    return 0;
}

static int serve_STEP_IRQS(struct vmm *m, size_t *n)
{
    (void)n;
    control_step_irqs(m->control, m->in.peek.value != 0);
    return 0;
}

/* A mask of exits before whose answers the guest stops (vmm_before_answer()). */
static int serve_FOLLOW(struct vmm *m, size_t *n)
{
    (void)n;
    m->follow = m->in.peek.value;
    return 0;
}

static int serve_GET_STATE(struct vmm *m, size_t *n)
{
    (void)n;
    m->all_state_asked = true;          /* serve_one() publishes before it answers */
    return 0;
}

/* Registers by the user's hand.  The monitor's shadow tables follow CR0, CR3 and CR4 as if the
 * guest had written them; what was remembered for breakpoints on change is void, and so is the
 * future if the guest is inside its past. */
static int serve_SET_STATE(struct vmm *m, size_t *n)
{
    struct vcpu *v = boot_cpu(m->vm);
    (void)n;
    if (m->inside_turn || reverse_busy(m->reverse))
        return -EBUSY;                  /* the answer or the way back would overwrite them */
    int err = v->ops->set_state(v, m->in.state.groups & ST_ALL, &m->in.state.cpu);
    vm_paging_changed(m->vm, v);
    control_touched(m->control);
    reverse_changed(m->reverse);
    return err;
}

/* ---- memory, devices, the monitor's tables ---- */

/* Through the guest's page tables, but as the debugger: pages that are read-only for the
 * guest are written too.  -EFAULT: not all of it is mapped; the part before was written. */
static int write_linear(struct vmm *m, gla_t gla, const uint8_t *from, uint64_t n)
{
    struct cpu_state s;
    struct vcpu *v = boot_cpu(m->vm);
    if (v->ops->get_state(v, ST_CRS | ST_GPRS, &s))
        return -EIO;
    struct paging pg = paging_for_debugger(&s);
    return linear_write(&pg, m->vm->gmem, gla, from, n) == n ? 0 : -EFAULT;
}

/* Up to 32 KiB at a physical (`to` not 0) or linear address. */
static int serve_WRITE(struct vmm *m, size_t *n)
{
    const struct wire_bytes *b = &m->in.bytes;
    (void)n;
    if (b->n > sizeof b->byte || body_of(m) != WIRE_BYTES_HEAD + b->n)
        return -EINVAL;
    if (reverse_busy(m->reverse))
        return -EBUSY;                  /* memory changes all the time on the way back */
    int err = b->to ? gmem_write(m->vm->gmem, b->at, b->byte, b->n)
                    : write_linear(m, b->at, b->byte, b->n);
    control_touched(m->control);
    reverse_changed(m->reverse);
    return err;
}

/* A device's register, read without the side effects that a read by the guest would have:
 * its bus calls the device's `peek`. -ENXIO: no device is there. */
static int serve_PEEK(struct vmm *m, size_t *n)
{
    const struct wire_peek *p = &m->in.peek;
    if (p->size != 1 && p->size != 2 && p->size != 4 && p->size != 8)
        return -EINVAL;
    m->out.peek = *p;
    *n = sizeof m->out.peek;
    return bus_peek(p->what ? m->vm->mmio : m->vm->ports, from_debugger(0), p->at, p->size,
                    &m->out.peek.value) ? 0 : -ENXIO;
}

/* The way through the EPT, for the guest-physical address in `at`. */
static int serve_nested(struct vmm *m, struct link_second *s)
{
    struct ept_walk w;
    ept_walk(m->vm->hmem, nested_root(m->vm->nested), m->in.peek.at, 0, true, &w);
    s->ok = w.perm != 0;
    s->perm = w.perm;
    s->page_size = w.page_size;
    s->hva = s->ok ? (uintptr_t)w.hva : 0;
    s->depth = w.depth;
    for (unsigned i = 0; i < w.depth && i < 4; i++) {
        s->step[i].level = w.step[i].level;
        s->step[i].entry = w.step[i].entry;
    }
    return 0;
}

/* The shadow's entries for a linear address, as a supervisor's read finds them. */
static int serve_shadow(struct vmm *m, struct link_second *s)
{
    struct shadow_walk w;
    shadow_walk(m->vm->hmem, shadow_registers(m->vm->shadow), m->in.peek.at,
                WALK_READ | WALK_SYSTEM, &w);
    s->is_shadow = true;
    s->ok = w.ok;
    s->hva = w.ok ? (uintptr_t)w.hva : 0;
    s->page_size = PAGE_SIZE;
    s->depth = w.depth;
    for (unsigned i = 0; i < w.depth; i++) {
        s->step[i].level = 4 - i;
        s->step[i].entry = w.step[i];
    }
    s->perm = (unsigned)((w.entry & PTE_W ? PF_W : 0) | (w.entry & PTE_U ? PF_U : 0) |
                         (w.entry & PTE_NX ? 0 : PF_I));
    return 0;
}

/* The table that the hardware walks, besides the guest's own or instead of it: with --mmu nested it
 * maps guest-physical addresses [SDM 3C "The Extended Page Table Mechanism (EPT)"], with --mmu
 * shadow linear ones. */
static int serve_SECOND(struct vmm *m, size_t *n)
{
    memset(&m->out.second, 0, sizeof m->out.second);
    *n = sizeof m->out.second;
    return m->vm->nested ? serve_nested(m, &m->out.second)
         : m->vm->shadow ? serve_shadow(m, &m->out.second) : -ENOTSUP;
}

/* A device's fields, in the order of its table, which the debugger has too: names stay there. */
static int serve_DEVICE(struct vmm *m, size_t *n)
{
    struct pc_part part[PC_MAX_PARTS];
    size_t count = pc_parts(m->vm->pc, part, NELEM(part)), i = m->in.peek.what;
    if (i >= count)
        return -ENOENT;
    size_t k = device_values(part[i].ops, part[i].dev, m->out.values.value, WIRE_VALUES);
    if (k > WIRE_VALUES)
        return -E2BIG;
    m->out.values.n = (uint32_t)k;
    *n = offsetof(struct wire_values, value) + k * sizeof(uint64_t);
    return 0;
}

/* ---- breakpoints ---- */

/* A bool in bytes that somebody else has sent may be neither 0 nor 1, and C says nothing of what
 * reading that is. */
static void settle_bool(bool *b)
{
    unsigned char byte;
    memcpy(&byte, b, sizeof byte);
    *b = byte != 0;
}

/* Whatever arrived, the strings in it end within their arrays, and a bool is one. */
static void settle_break(struct link_break *b)
{
    settle_bool(&b->physical);
    settle_bool(&b->enabled);
    settle_bool(&b->temporary);
    b->event[sizeof b->event - 1] = b->condition[sizeof b->condition - 1] = 0;
}

/* Going back runs over the same part of the past several times, and finds a breakpoint's last
 * hit only if the breakpoints are the same each time.  Changing one ends the way back. */
static void breaks_change(struct vmm *m)
{
    if (reverse_busy(m->reverse))
        vmm_give_up_way_back(m);
}

/* The reply is the breakpoint with its number.  A new filter may have made the trace log
 * more kinds of events, which going back must know of. */
static int serve_BREAK_ADD(struct vmm *m, size_t *n)
{
    settle_break(&m->in.brk);
    struct link_break b = m->in.brk;
    breaks_change(m);
    int err = stops_add(control_stops(m->control), &b, m->out.text, sizeof m->out.text);
    if (err)
        return err;
    reverse_kinds_changed(m->reverse);
    m->out.brk = b;
    *n = sizeof b;
    return 0;
}

static int serve_BREAK_CHANGE(struct vmm *m, size_t *n)
{
    (void)n;
    settle_break(&m->in.brk);
    breaks_change(m);
    return stops_change(control_stops(m->control), &m->in.brk, m->out.text, sizeof m->out.text);
}

static int serve_BREAK_DELETE(struct vmm *m, size_t *n)
{
    (void)n;
    breaks_change(m);
    return stops_delete(control_stops(m->control), m->in.brk.nr);
}

/* The i-th breakpoint; -ENOENT ends the list. */
static int serve_BREAK_AT(struct vmm *m, size_t *n)
{
    *n = sizeof m->out.brk;
    return stops_at(control_stops(m->control), m->in.peek.at, &m->out.brk);
}

/* ---- input, snapshots, the end ---- */

/* Bytes that wait for the guest, but were typed for a future that is gone. */
static void forget_typed(struct vmm *m)
{
    for (size_t i = 0; i < NELEM(m->typed); i++)
        m->typed[i].n = 0;
}

/* As much as there is room for; the reply says how many bytes.  Typing while the guest
 * stands in its past is a change of that past, and begins another future there. */
static int serve_TYPE(struct vmm *m, size_t *n)
{
    const struct wire_bytes *b = &m->in.bytes;
    if (b->n > sizeof b->byte || body_of(m) != WIRE_BYTES_HEAD + b->n || b->to > LINK_TO_KEYBOARD)
        return -EINVAL;
    uint32_t taken = 0;
    m->out.peek = (struct wire_peek){ .value = 0 };
    *n = sizeof m->out.peek;
    if (reverse_busy(m->reverse))
        return 0;                       /* none taken: the debugger tries again later */
    if (reverse_inside(m->reverse)) {
        reverse_changed(m->reverse);
        forget_typed(m);                        /* it was meant for the future that is cut off */
    }
    for (struct typed *t = &m->typed[b->to]; taken < b->n && t->n < TYPED_MAX; taken++)
        t->byte[(t->head + t->n++) % TYPED_MAX] = b->byte[taken];
    m->out.peek.value = taken;
    return 0;
}

/* The debugger opens the file, since this process can open none, and sends it along. */
static int serve_SAVE(struct vmm *m, size_t *n)
{
    struct snapshot_io io = snapshot_fd(&m->fd);
    (void)n;
    if (m->fd < 0 || m->state == LINK_RUNNING || m->inside_turn)
        return m->fd < 0 ? -EBADF : -EBUSY;
    return snapshot_save(m->vm, &io, m->out.text, sizeof m->out.text);
}

/* The file is read whole before anything is changed: a damaged one must leave machine and
 * recording as they were. */
static int serve_LOAD(struct vmm *m, size_t *n)
{
    struct snapshot_io io = snapshot_fd(&m->fd);
    struct link_stop why = { .why = LINK_PAUSED, .text = "the snapshot is loaded" };
    (void)n;
    if (m->fd < 0 || m->state == LINK_RUNNING || m->inside_turn)
        return m->fd < 0 ? -EBADF : -EBUSY;
    int err;
    struct snapshot *s = snapshot_read(m->vm, &io, &err, m->out.text, sizeof m->out.text);
    if (!s)
        return err;
    reverse_changed(m->reverse);            /* only now: a bad file must not cut off the future */
    err = snapshot_put(m->vm, s, m->out.text, sizeof m->out.text);
    snapshot_free(s);
    control_touched(m->control);
    if (err)
        return err;
    reverse_unfaithful(m->reverse);         /* running the past again would not lead here */
    trace_emit(m->vm->trace, TRACE_CUT, 0, vm_progress(m->vm), 0);
    forget_typed(m);
    vmm_tell_stop(m, &why);
    return 0;
}

static int serve_QUIT(struct vmm *m, size_t *n)
{
    (void)m, (void)n;
    _exit(0);
}

/* ---- the table, and one request ---- */

typedef int serve_fn(struct vmm *m, size_t *n);

/* By the type of the request: a row of WIRE_LIST for each serve_X() above. */
static serve_fn *const services[N_WIRE_REQUESTS] = {
#define X(name, in, out) [WIRE_##name] = serve_##name,
    WIRE_LIST(X)
#undef X
};

/* Refusals of these come with a sentence. */
#define EXPLAINED (BIT(WIRE_BREAK_ADD) | BIT(WIRE_BREAK_CHANGE) | BIT(WIRE_RUN) | \
                   BIT(WIRE_SAVE) | BIT(WIRE_LOAD))

/* The file that came with the request, if one did. */
static void close_file(struct vmm *m)
{
    if (m->fd >= 0)
        close(m->fd);
    m->fd = -1;
}

/* If it has failed, and the type is in EXPLAINED, the reply carries the sentence instead of
 * the body.  A RUN that is still to be answered (m->unanswered_run is its id) gets no reply
 * here. */
static void do_and_answer(struct vmm *m)
{
    const struct wire_head *h = &m->in.head;
    size_t n = 0;
    m->out.text[0] = 0;
    int err = services[h->type](m, &n);
    if (err) {
        m->out.text[sizeof m->out.text - 1] = 0;
        n = EXPLAINED >> h->type & 1 ? strlen(m->out.text) + 1 : 0;
    }
    close_file(m);
    if (m->state != LINK_RUNNING)
        wire_publish(m);
    if (err || m->unanswered_run != h->id)
        wire_send(m, h->type, h->id, err, &m->out.text, n);
}

/* A message of the wrong length is answered with -EBADMSG and not looked at; -EINTR of the
 * receiver is no message at all. */
void serve_one(struct vmm *m)
{
    int err = wire_receive(m);
    if (err == -EBADMSG) {
        close_file(m);
        wire_send(m, m->in.head.type, m->in.head.id, err, NULL, 0);
    } else if (!err) {
        do_and_answer(m);
    }
}
