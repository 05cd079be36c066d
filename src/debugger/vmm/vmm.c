/*
 * debugger/vmm/vmm.c -- the VMM's process, as its debugger sees it: make the machine,
 * lock oneself in, serve requests, and between them let the guest run.
 *
 * Begin reading with vmm_serve().  Requests are only served between turns of
 * the run loop, when the machine's state is whole; the poll hook, every
 * millisecond of virtual time, says that one has come (`attention`).
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/host.h"
#include "base/trace.h"
#include "base/vclock.h"
#include "base/x86.h"
#include "debugger/vmm/control.h"
#include "debugger/vmm/reverse.h"
#include "debugger/vmm/sandbox.h"
#include "debugger/vmm/stops.h"
#include "debugger/vmm/wire.h"
#include "io/bus.h"
#include "io/uart.h"
#include "io/vga.h"
#include "mem/gmem.h"
#include "mem/linear.h"
#include "mem/nested.h"
#include "mem/shadow.h"
#include "vm/exits.h"
#include "vm/pc.h"
#include "vm/snapshot.h"

#define CHECKPOINT_BYTES (UINT64_C(256) << 20)
#define TYPED 4096                      /* bytes waiting for the guest to take them */

struct vmm {
    const struct link_options *o;
    int               sock;
    struct trace     *trace;
    struct wire_page *page;
    struct vm        *vm;
    struct control   *control;
    struct reverse   *reverse;
    int               fd;               /* came with the request; -1: none          */
    enum link_state   state;
    bool              attention;        /* a request has come                       */
    bool              pause;            /* asked for                                */
    bool              all_wanted;       /* of the CPU's state, since it stopped      */
    uint32_t          owed;             /* the id of a RUN that is not answered yet; 0: none */
    bool              starved;          /* halted, and nothing will ever wake it    */
    uint64_t          follow;           /* exits before which to stop               */
    bool              inside;           /* stopped there: in the midst of a turn    */
    uint64_t          heartbeat;
    struct { uint8_t byte[TYPED]; size_t head, n; } typed[2];       /* by enum link_input  */
    struct { uint8_t byte[1024]; size_t n; } output[N_LINK_OUTPUTS];
    struct { struct wire_head head; union {
        struct wire_run run; struct wire_state state; struct wire_peek peek; struct wire_bytes bytes;
        struct wire_values values; struct link_break brk; struct link_second second;
        struct wire_ready ready; struct link_stop stop; char text[400];
    }; } in, out;
};

/* ---- sending ---- */

static void transmit(struct vmm *m, uint32_t type, uint32_t id, int error, const void *body, size_t bytes)
{
    struct wire_head h = { type, id, error, (uint32_t)bytes };
    struct iovec part[2] = { { &h, sizeof h }, { (void *)(uintptr_t)body, bytes } };
    struct msghdr msg = { .msg_iov = part, .msg_iovlen = 2 };
    while (sendmsg(m->sock, &msg, MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            _exit(1);                   /* the debugger is gone, and so are we */
}

/* To a step its stop is answer enough; to one that takes longer it comes now. */
static void pay_answer(struct vmm *m)
{
    uint32_t id = m->owed;
    m->owed = 0;
    if (id)
        transmit(m, WIRE_RUN, id, 0, NULL, 0);
}

static void flush_output(struct vmm *m)
{
    for (unsigned i = 0; i < N_LINK_OUTPUTS; i++) {
        struct wire_bytes b = { .to = i, .n = (uint32_t)m->output[i].n };
        if (!b.n)
            continue;
        memcpy(b.byte, m->output[i].byte, b.n);
        transmit(m, WIRE_OUTPUT, 0, 0, &b, WIRE_BYTES_HEAD + b.n);
        m->output[i].n = 0;
    }
}

static void put(struct vmm *m, enum link_output which, uint8_t byte)
{
    if (reverse_inside(m->reverse))
        return;                         /* it was printed when it was done first */
    m->output[which].byte[m->output[which].n++] = byte;
    if (m->output[which].n == sizeof m->output[which].byte)
        flush_output(m);
}

static void put_serial(void *arg, uint8_t byte)   { put(arg, LINK_SERIAL, byte); }
static void put_debugcon(void *arg, uint8_t byte) { put(arg, LINK_DEBUGCON, byte); }

static bool request_waits(struct vmm *m, int timeout_ms)
{
    struct pollfd p = { .fd = m->sock, .events = POLLIN };
    return poll(&p, 1, timeout_ms) > 0;
}

/* The ring is full: its reader must move.  While it does not, neither do we. */
static void wait_for_room(void *arg)
{
    struct vmm *m = arg;
    const struct timespec nap = { 0, 50000 };
    const struct trace_ring *r = m->trace->ring;
    transmit(m, WIRE_RING_FULL, 0, 0, NULL, 0);
    while (r->head - __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE) >= r->size)
        nanosleep(&nap, NULL);
}

/* ---- the state page ---- */

static void fill_status(struct vmm *m, struct link_status *s)
{
    const struct vm *vm = m->vm;
    *s = (struct link_status){
        .icount = boot_cpu(vm)->icount, .vtime_ns = vclock_now_ns(vm->clock),
        .n_exits = vm->n_exits, .n_irqs = vm->n_irqs, .heartbeat = ++m->heartbeat,
        .halted = boot_cpu(vm)->halted, .injected = boot_cpu(vm)->turn.unfinished ? boot_cpu(vm)->turn.injected : (struct event){ 0 },
    };
    memcpy(s->exits_by, vm->exits_by, sizeof s->exits_by);
    if (vm->shadow) {
        struct shadow_stats st;
        shadow_get_stats(vm->shadow, &st);
        _Static_assert(sizeof st <= sizeof s->mmu, "room for the statistics");
        memcpy(s->mmu, &st, sizeof st);
    } else if (vm->nested) {
        s->mmu[0] = nested_count(vm->nested);
    }
    reverse_status(m->reverse, &s->past);
}

/* Stopped, what the host must be asked for is left out until the debugger wants it: it
 * may only be stepping on. */
static void publish(struct vmm *m)
{
    struct wire_page *p = m->page;
    struct vcpu *v = boot_cpu(m->vm);
    unsigned groups = m->state == LINK_RUNNING || m->all_wanted ? ST_ALL : ST_ALL & ~v->ops->slow_state;
    __atomic_store_n(&p->sequence, p->sequence | 1, __ATOMIC_SEQ_CST);
    fill_status(m, &p->status);
    p->lacks = ST_ALL & ~groups;
    v->ops->get_state(v, groups, &p->cpu);
    vga_text_mode(pc_vga(m->vm->pc), &p->screen);
    __atomic_store_n(&p->sequence, p->sequence + 1, __ATOMIC_SEQ_CST);
}

/* ---- what the machine asks of us ---- */

static void feed(struct vmm *m, enum input_hook hook)
{
    static const enum input_kind kinds[] = { [LINK_TO_SERIAL] = INPUT_SERIAL, [LINK_TO_KEYBOARD] = INPUT_KEYBOARD };
    if (reverse_inside(m->reverse)) {
        reverse_play(m->reverse, hook);
        return;
    }
    if (!(m->typed[0].n || m->typed[1].n) || !reverse_takes_input(m->reverse, hook))
        return;
    for (unsigned to = 0; to < NELEM(m->typed); to++)
        while (m->typed[to].n && input_give(m->vm, kinds[to], m->typed[to].byte[m->typed[to].head]) != -EAGAIN) {
            reverse_note_byte(m->reverse, hook, kinds[to], m->typed[to].byte[m->typed[to].head]);
            m->typed[to].head = (m->typed[to].head + 1) % TYPED;
            m->typed[to].n--;
        }
}

static void on_room(void *arg)
{
    feed(arg, INPUT_ROOM);
}

static void look_around(struct vmm *m, enum input_hook hook)
{
    feed(m, hook);
    pay_answer(m);
    flush_output(m);
    publish(m);
    m->attention |= request_waits(m, 0) || reverse_due(m->reverse);
}

static void on_poll(void *arg)
{
    look_around(arg, INPUT_POLL);
}

/* There is a request: it comes before the halt. */
static uint64_t interrupt_idling(struct vmm *m)
{
    m->attention = m->vm->pause_wanted = true;
    return 0;
}

static uint64_t idle_paced(struct vmm *m, uint64_t ns)
{
    uint64_t before = host_monotonic_ns();
    if (request_waits(m, ns > 10000000 ? 10 : (int)(ns / 1000000)))
        return interrupt_idling(m);
    uint64_t passed = host_monotonic_ns() - before;
    return passed < ns ? passed : ns;
}

/* Halted: pace with the user's time, or jump to the next timer.  Without a timer
 * only input wakes the guest, and that comes as a request. */
static uint64_t sleep_now(struct vmm *m, uint64_t ns)
{
    if (m->o->paced)
        return idle_paced(m, ns);
    if (ns != VCLOCK_NEVER)
        return ns;
    if (m->typed[0].n || m->typed[1].n)
        return 1;
    m->starved = true;
    return interrupt_idling(m);
}

static void after_exit(void *arg)
{
    struct vmm *m = arg;
    reverse_exit_answered(m->reverse);
}

static uint64_t on_measured(void *arg, uint64_t ns)
{
    struct vmm *m = arg;
    return reverse_measured(m->reverse, ns);
}

static uint64_t on_idle(void *arg, uint64_t ns)
{
    struct vmm *m = arg;
    look_around(m, INPUT_IDLE);
    if (m->attention)
        return interrupt_idling(m);
    if (reverse_inside(m->reverse))
        return reverse_play_sleep(m->reverse, ns);
    uint64_t passed = sleep_now(m, ns);
    reverse_note_sleep(m->reverse, ns, passed);
    return passed;
}

/* ---- requests ---- */

static size_t body_of(const struct vmm *m) { return m->in.head.bytes; }

/* Each serves m->in, puts its answer into m->out and its length into *n; an error
 * other than 0 is answered with the sentence in out.text, if there is one. */

static int serve_RUN(struct vmm *m, size_t *n)
{
    (void)n;
    if (m->state == LINK_RUNNING)
        return -EBUSY;
    const struct wire_run *r = &m->in.run;
    if (r->how >= N_LINK_RUNS)
        return -EINVAL;
    if (m->state == LINK_ENDED && !LINK_IS_BACK(r->how))
        return -EOWNERDEAD;
    if (LINK_IS_BACK(r->how)) {
        int err = m->inside ? -EBUSY : reverse_go(m->reverse, r->how, r->n, m->out.text, sizeof m->out.text);
        if (err)
            return err;
        m->state = LINK_RUNNING;
        m->pause = m->starved = false;
        return 0;
    }
    if (!m->inside)
        reverse_before_run(m->reverse);
    control_go(m->control, r->how, r->n, r->lo, r->hi);
    m->state = LINK_RUNNING;
    m->pause = m->starved = false;
    m->all_wanted = false;
    m->owed = r->how == LINK_FREE ? 0 : m->in.head.id;
    return 0;
}

static int serve_PAUSE(struct vmm *m, size_t *n)
{
    (void)n;
    m->pause = m->state == LINK_RUNNING;
    return 0;
}

static int serve_STEP_IRQS(struct vmm *m, size_t *n)
{
    (void)n;
    control_step_irqs(m->control, m->in.peek.value != 0);
    return 0;
}

static int serve_FOLLOW(struct vmm *m, size_t *n)
{
    (void)n;
    m->follow = m->in.peek.value;
    return 0;
}

static int serve_GET_STATE(struct vmm *m, size_t *n)
{
    (void)n;
    m->all_wanted = true;               /* and published before the answer */
    return 0;
}

static int serve_SET_STATE(struct vmm *m, size_t *n)
{
    struct vcpu *v = boot_cpu(m->vm);
    (void)n;
    if (m->inside || reverse_busy(m->reverse))
        return -EBUSY;                  /* the answer to the exit, or the way back, will change them, too */
    int err = v->ops->set_state(v, m->in.state.groups & ST_ALL, &m->in.state.cpu);
    vm_paging_changed(m->vm, boot_cpu(m->vm));
    control_touched(m->control);
    reverse_changed(m->reverse);
    return err;
}

static int write_linear(struct vmm *m, gla_t gla, const uint8_t *from, uint64_t n)
{
    struct cpu_state s;
    struct vcpu *v = boot_cpu(m->vm);
    if (v->ops->get_state(v, ST_CRS | ST_GPRS, &s))
        return -EIO;
    struct paging pg = paging_for_debugger(&s);
    return linear_write(&pg, m->vm->gmem, gla, from, n) == n ? 0 : -EFAULT;
}

static int serve_WRITE(struct vmm *m, size_t *n)
{
    const struct wire_bytes *b = &m->in.bytes;
    (void)n;
    if (b->n > sizeof b->byte || body_of(m) != WIRE_BYTES_HEAD + b->n)
        return -EINVAL;
    if (reverse_busy(m->reverse))
        return -EBUSY;                  /* in which of the times that it passes through? */
    int err = b->to ? gmem_write(m->vm->gmem, b->at, b->byte, b->n)
                    : write_linear(m, b->at, b->byte, b->n);
    control_touched(m->control);
    reverse_changed(m->reverse);
    return err;
}

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

static int serve_nested(struct vmm *m, struct link_second *s)
{
    struct nested_walk w;
    nested_walk(m->vm->nested, m->in.peek.at, 0, true, &w);
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
    void *hva = NULL;
    uint32_t error;
    uint64_t entry = 0, path[4];
    s->is_shadow = true;
    s->ok = shadow_walk(m->vm->shadow, m->in.peek.at, WALK_READ | WALK_SYSTEM, true, &hva, &entry, &error);
    s->hva = s->ok ? (uintptr_t)hva : 0;
    s->page_size = PAGE_SIZE;
    s->depth = shadow_path(m->vm->shadow, m->in.peek.at, WALK_READ | WALK_SYSTEM, path);
    for (unsigned i = 0; i < s->depth; i++) {
        s->step[i].level = 4 - i;
        s->step[i].entry = path[i];
    }
    s->perm = (unsigned)((entry & PTE_W ? PF_W : 0) | (entry & PTE_U ? PF_U : 0) |
                         (entry & PTE_NX ? 0 : PF_I));
    return 0;
}

static int serve_SECOND(struct vmm *m, size_t *n)
{
    memset(&m->out.second, 0, sizeof m->out.second);
    *n = sizeof m->out.second;
    return m->vm->nested ? serve_nested(m, &m->out.second)
         : m->vm->shadow ? serve_shadow(m, &m->out.second) : -ENOTSUP;
}

static int serve_DEVICE(struct vmm *m, size_t *n)
{
    struct pc_part part[32];
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

static void end_strings(struct link_break *b)
{
    b->event[sizeof b->event - 1] = b->condition[sizeof b->condition - 1] = 0;
}

static void tell_stop(struct vmm *m, const struct link_stop *why);

static void give_up_way_back(struct vmm *m)
{
    struct link_stop why;
    reverse_give_up(m->reverse, &why);
    tell_stop(m, &why);
}

/* On the way back the same ground is gone over more than once, and the breakpoints must be the
 * same each time: who changes them ends it. */
static void breaks_change(struct vmm *m)
{
    if (reverse_busy(m->reverse))
        give_up_way_back(m);
}

static int serve_BREAK_ADD(struct vmm *m, size_t *n)
{
    struct link_break b = m->in.brk;
    end_strings(&b);
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
    end_strings(&m->in.brk);
    breaks_change(m);
    return stops_change(control_stops(m->control), &m->in.brk, m->out.text, sizeof m->out.text);
}

static int serve_BREAK_DELETE(struct vmm *m, size_t *n)
{
    (void)n;
    breaks_change(m);
    return stops_delete(control_stops(m->control), m->in.brk.nr);
}

static int serve_BREAK_AT(struct vmm *m, size_t *n)
{
    *n = sizeof m->out.brk;
    return stops_at(control_stops(m->control), m->in.peek.at, &m->out.brk);
}

static int serve_TYPE(struct vmm *m, size_t *n)
{
    const struct wire_bytes *b = &m->in.bytes;
    if (b->n > sizeof b->byte || body_of(m) != WIRE_BYTES_HEAD + b->n || b->to > LINK_TO_KEYBOARD)
        return -EINVAL;
    uint32_t taken = 0;
    m->out.peek = (struct wire_peek){ .value = 0 };
    *n = sizeof m->out.peek;
    if (reverse_busy(m->reverse))
        return 0;                       /* later, when there is a place for it */
    if (reverse_inside(m->reverse)) {
        reverse_changed(m->reverse);
        m->typed[0].n = m->typed[1].n = 0;      /* typed into the future that is cut off */
    }
    for (; taken < b->n && m->typed[b->to].n < TYPED; taken++)
        m->typed[b->to].byte[(m->typed[b->to].head + m->typed[b->to].n++) % TYPED] = b->byte[taken];
    m->out.peek.value = taken;
    return 0;
}

static int serve_SAVE(struct vmm *m, size_t *n)
{
    struct snapshot_io io = snapshot_fd(&m->fd);
    (void)n;
    if (m->fd < 0 || m->state == LINK_RUNNING || m->inside)
        return m->fd < 0 ? -EBADF : -EBUSY;
    return snapshot_save(m->vm, &io, m->out.text, sizeof m->out.text);
}

static int serve_LOAD(struct vmm *m, size_t *n)
{
    struct snapshot_io io = snapshot_fd(&m->fd);
    struct link_stop why = { .why = LINK_PAUSED, .text = "the snapshot is loaded" };
    (void)n;
    if (m->fd < 0 || m->state == LINK_RUNNING || m->inside)
        return m->fd < 0 ? -EBADF : -EBUSY;
    int err;
    struct snapshot *s = snapshot_read(m->vm, &io, &err, m->out.text, sizeof m->out.text);
    if (!s)
        return err;
    reverse_changed(m->reverse);            /* only now: a bad file takes nobody's future */
    err = snapshot_put(m->vm, s, m->out.text, sizeof m->out.text);
    snapshot_free(s);
    control_touched(m->control);
    if (err)
        return err;
    reverse_unfaithful(m->reverse);         /* nothing that was leads here */
    m->typed[0].n = m->typed[1].n = 0;
    tell_stop(m, &why);
    return 0;
}

static int serve_QUIT(struct vmm *m, size_t *n)
{
    (void)m, (void)n;
    _exit(0);
}

static const struct service {
    int  (*serve)(struct vmm *m, size_t *n);
    size_t bytes;
    bool   open_ended;                  /* wire_bytes: as long as it says */
} services[N_WIRE_REQUESTS] = {
#define X(name, in, out) [WIRE_##name] = { serve_##name, sizeof(in), \
                                           sizeof(in) == sizeof(struct wire_bytes) },
    WIRE_LIST(X)
#undef X
};

static bool is_whole(const struct vmm *m, ssize_t got)
{
    const struct wire_head *h = &m->in.head;
    if (got < (ssize_t)sizeof *h || h->type >= N_WIRE_REQUESTS || (size_t)got != sizeof *h + h->bytes)
        return false;
    const struct service *s = &services[h->type];
    return s->open_ended ? h->bytes >= WIRE_BYTES_HEAD && h->bytes <= s->bytes : h->bytes == s->bytes;
}

/* A request, and in m->fd what file came with it. */
static ssize_t receive(struct vmm *m)
{
    union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(int))]; } control;
    struct iovec part = { &m->in, sizeof m->in };
    struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                          .msg_controllen = sizeof control };
    struct pollfd next = { .fd = m->sock, .events = POLLIN };
    host_ready_soon(&next, 1);              /* steps come one after the other */
    ssize_t got = recvmsg(m->sock, &msg, MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = got < 0 ? NULL : CMSG_FIRSTHDR(&msg);
    m->fd = -1;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&m->fd, CMSG_DATA(c), sizeof m->fd);
    return got;
}

/* Refusals of these come with a sentence. */
#define EXPLAINED (BIT(WIRE_BREAK_ADD) | BIT(WIRE_BREAK_CHANGE) | BIT(WIRE_RUN) | BIT(WIRE_SAVE) | BIT(WIRE_LOAD))

static void serve_one(struct vmm *m)
{
    ssize_t got = receive(m);
    if (got < 0 && errno == EINTR)
        return;
    if (got <= 0)
        _exit(0);                       /* the debugger is gone */
    size_t n = 0;
    if (!is_whole(m, got)) {
        transmit(m, m->in.head.type, got >= (ssize_t)sizeof m->in.head ? m->in.head.id : 0, -EBADMSG, NULL, 0);
        return;
    }
    m->out.text[0] = 0;
    int err = services[m->in.head.type].serve(m, &n);
    if (err) {
        m->out.text[sizeof m->out.text - 1] = 0;
        n = EXPLAINED >> m->in.head.type & 1 ? strlen(m->out.text) + 1 : 0;
    }
    if (m->fd >= 0)
        close(m->fd);
    if (m->state != LINK_RUNNING)
        publish(m);                     /* before the answer: who has it may look at once */
    if (err || m->owed != m->in.head.id)
        transmit(m, m->in.head.type, m->in.head.id, err, &m->out.text, n);
}

/* ---- running ---- */

/* A place for breakpoints of who debugs this process. */
__attribute__((noinline)) void vmm_guest_stopped(void)
{
    __asm__ volatile("");
}

static void tell_stop(struct vmm *m, const struct link_stop *why)
{
    m->state = why->why == LINK_GUEST_ENDED ? LINK_ENDED : LINK_STOPPED;
    m->pause = m->starved = false;
    flush_output(m);
    publish(m);
    transmit(m, WIRE_STOPPED, 0, 0, why, sizeof *why);
    m->owed = 0;
    vmm_guest_stopped();
}

/* Somebody wants to see how this exit is answered: stop here, with the machine half way
 * through its turn, and serve what can be served so.  (They will have gdb step this
 * process; where the guest stops next, vmm_guest_stopped() is called.) */
static void before_answer(void *arg, const struct vmexit *x)
{
    struct vmm *m = arg;
    struct link_stop why = { .why = LINK_AT_EXIT, .seq = m->trace->ctx.cause };
    char text[200];
    int i = exit_index(x->reason);
    reverse_note_exit(m->reverse, x);
    if (i < 0 || !(m->follow >> i & 1) || reverse_busy(m->reverse))
        return;
    snprintf(why.text, sizeof why.text, "the monitor is about to answer: %s", exit_describe(x, text, sizeof text));
    m->inside = true;
    tell_stop(m, &why);
    while (m->state != LINK_RUNNING)
        serve_one(m);
    m->inside = false;
}

static bool run_slice(struct vmm *m, struct link_stop *why)
{
    if (reverse_busy(m->reverse))
        return reverse_turns(m->reverse, &m->attention, why);
    bool stopped = control_turns(m->control, &m->attention, why);
    return reverse_forwards(m->reverse, stopped, why) || stopped;
}

static void let_run(struct vmm *m)
{
    struct link_stop why = { .why = LINK_PAUSED };
    m->attention = m->vm->pause_wanted = false;
    bool stopped = run_slice(m, &why);
    m->vm->pause_wanted = false;
    if (!stopped)
        pay_answer(m);
    if (stopped && why.why == LINK_GUEST_ENDED)
        reverse_ended(m->reverse, &why);
    if (stopped) {
        tell_stop(m, &why);
    } else if (m->starved) {
        why.why = LINK_STARVED;
        snprintf(why.text, sizeof why.text, "the guest has halted and waits for input (`type` gives it some)");
        tell_stop(m, &why);
    }
}

static void answer_pause(struct vmm *m)
{
    struct link_stop why = { .why = LINK_PAUSED };
    snprintf(why.text, sizeof why.text, "paused");
    if (!m->pause || m->state != LINK_RUNNING)
        return;
    if (reverse_busy(m->reverse))
        give_up_way_back(m);
    else
        tell_stop(m, &why);
}

static _Noreturn void serve(struct vmm *m)
{
    for (;;) {
        while (m->state != LINK_RUNNING || (!m->owed && request_waits(m, 0))) {
            serve_one(m);
            answer_pause(m);
        }
        let_run(m);
    }
}

/* ---- the beginning ---- */

static bool build(struct vmm *m, char *why, size_t n)
{
    struct vm_config c = m->o->machine;
    c.trace = m->trace;
    c.serial = (struct char_sink){ put_serial, m };
    c.debugcon = (struct char_sink){ put_debugcon, m };
    c.idle = on_idle;
    c.measured = on_measured;
    c.poll = on_poll;
    c.alarm = host_alarm_at;
    c.hook_arg = m;
    c.before_answer = before_answer;
    c.after_exit = after_exit;
    c.after_exit_arg = m;
    m->trace->drain = wait_for_room;
    m->trace->drain_arg = m;
    m->vm = vm_new(&c, why, n);
    if (!m->vm || vm_load(m->vm, &m->o->guest, why, n))
        return false;
    uart_on_room(pc_uart(m->vm->pc), on_room, m);
    m->control = control_new(m->vm, m->o->symbols, m->o->info);
    snprintf(why, n, "out of memory");
    if (!m->control)
        return false;
    m->reverse = reverse_new(m->vm, m->control,
                             m->o->checkpoint_bytes ? m->o->checkpoint_bytes : CHECKPOINT_BYTES);
    return m->reverse != NULL;
}

static void tell_ready(struct vmm *m)
{
    struct wire_ready *r = &m->out.ready;
    int fd[WIRE_REGIONS] = { 0 };
    memset(r, 0, sizeof *r);
    for (size_t i = 0; i < gmem_count(m->vm->gmem) && i < WIRE_REGIONS; i++) {
        const struct gmem_region *g = gmem_region(m->vm->gmem, i);
        snprintf(r->region[i].name, sizeof r->region[i].name, "%s", g->name);
        r->region[i].base = g->base;
        r->region[i].size = g->size;
        r->region[i].memfd_off = g->memfd_off;
        r->region[i].kind = g->kind;
        fd[i] = g->memfd;
        r->n++;
    }
    snprintf(r->about, sizeof r->about, "%s", m->vm->loaded.about ? m->vm->loaded.about : "");
    r->sandbox_error = m->o->no_sandbox ? 0
        : sandbox_enter(m->vm->cfg.engine == &engine_kvm, r->sandbox, sizeof r->sandbox);
    publish(m);

    struct wire_head h = { WIRE_READY, 0, 0, sizeof *r };
    struct iovec part[2] = { { &h, sizeof h }, { r, sizeof *r } };
    union { struct cmsghdr head; char room[CMSG_SPACE(sizeof fd)]; } control = { 0 };
    struct msghdr msg = { .msg_iov = part, .msg_iovlen = 2, .msg_control = &control,
                          .msg_controllen = CMSG_SPACE(r->n * sizeof(int)) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(r->n * sizeof(int));
    memcpy(CMSG_DATA(c), fd, r->n * sizeof(int));
    if (sendmsg(m->sock, &msg, MSG_NOSIGNAL) < 0)
        _exit(1);
}

_Noreturn void vmm_serve(const struct link_options *o, int sock, struct trace *trace,
                         struct wire_page *page)
{
    static struct vmm m;
    char why[300] = "";
    m.o = o;
    m.sock = sock;
    m.trace = trace;
    m.page = page;
    m.state = LINK_STOPPED;
    if (!build(&m, why, sizeof why)) {
        transmit(&m, WIRE_FAILED, 0, -EINVAL, why, strlen(why) + 1);
        _exit(1);
    }
    host_alarm_init(vm_kick, m.vm);
    vm_begin(m.vm);
    m.all_wanted = true;
    tell_ready(&m);
    serve(&m);
}
