/*
 * debugger/vmm/wire.c -- the VMM's end of the wire: messages out and in, and the state page.
 *
 * The socket keeps messages apart (SOCK_SEQPACKET), so one sendmsg() is one message.  A
 * message is a struct of wire.h; nothing that arrives is used before its length is known
 * to be that of its type.  If the debugger's process has ended, which is no error, this one
 * ends at once: nobody is left who could look at its guest.
 *
 * Registers and counters do not go over the socket.  They lie in a page that both processes
 * map; `sequence` is odd while it is being written, and a reader who finds it odd, or
 * changed when it has read, reads again.
 *
 * What a request means is serve.c's business.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/vclock.h"
#include "debugger/vmm/vmm_private.h"
#include "io/vga.h"
#include "mem/nested.h"
#include "mem/shadow.h"
#include "vm/pc.h"

/* ---- messages out ---- */

void wire_send(struct vmm *m, uint32_t type, uint32_t id, int error, const void *body,
               size_t bytes)
{
    struct wire_head h = { type, id, error, (uint32_t)bytes };
    struct iovec part[2] = { { &h, sizeof h }, { (void *)(uintptr_t)body, bytes } };
    struct msghdr msg = { .msg_iov = part, .msg_iovlen = 2 };
    while (sendmsg(m->sock, &msg, MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            _exit(1);                   /* the debugger is gone, and so are we */
}

/* sendmsg() carries descriptors beside the bytes, as ancillary data of type SCM_RIGHTS. */
void wire_send_ready(struct vmm *m, const struct wire_ready *r, const int *fd)
{
    struct wire_head h = { WIRE_READY, 0, 0, sizeof *r };
    struct iovec part[2] = { { &h, sizeof h }, { (void *)(uintptr_t)r, sizeof *r } };
    union {
        struct cmsghdr head;
        char           room[CMSG_SPACE(WIRE_REGIONS * sizeof *fd)];
    } control = { 0 };
    struct msghdr msg = { .msg_iov = part, .msg_iovlen = 2, .msg_control = &control,
                          .msg_controllen = CMSG_SPACE(r->n * sizeof *fd) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(r->n * sizeof *fd);
    memcpy(CMSG_DATA(c), fd, r->n * sizeof *fd);
    if (sendmsg(m->sock, &msg, MSG_NOSIGNAL) < 0)
        _exit(1);
}

/* The reply to a RUN waits: a step is over sooner than a reply is sent, and the STOPPED that
 * ends it says enough.  A guest that runs on for longer gets its reply here. */
void wire_answer_run(struct vmm *m)
{
    uint32_t id = m->unanswered_run;
    m->unanswered_run = 0;
    if (id)
        wire_send(m, WIRE_RUN, id, 0, NULL, 0);
}

void wire_flush_output(struct vmm *m)
{
    for (unsigned i = 0; i < N_LINK_OUTPUTS; i++) {
        struct wire_bytes b = { .to = i, .n = (uint32_t)m->output[i].n };
        if (!b.n)
            continue;
        memcpy(b.byte, m->output[i].byte, b.n);
        wire_send(m, WIRE_OUTPUT, 0, 0, &b, WIRE_BYTES_HEAD + b.n);
        m->output[i].n = 0;
    }
}

/* A message for every byte would cost a system call each; 1 KiB is collected, or what there
 * is when hooks.c flushes it. */
void wire_put_output(struct vmm *m, enum link_output which, uint8_t byte)
{
    m->output[which].byte[m->output[which].n++] = byte;
    if (m->output[which].n == sizeof m->output[which].byte)
        wire_flush_output(m);
}

/* ---- messages in ---- */

bool wire_request_waits(struct vmm *m, int timeout_ms)
{
    struct pollfd p = { .fd = m->sock, .events = POLLIN };
    return poll(&p, 1, timeout_ms) > 0;
}

/* How long each request's body is.  Only one that carries struct wire_bytes may be shorter,
 * since that is sent only as far as it is filled. */
static const struct { size_t bytes; bool is_open_ended; } bodies[N_WIRE_REQUESTS] = {
#define X(name, in, out) [WIRE_##name] = { sizeof(in), sizeof(in) == sizeof(struct wire_bytes) },
    WIRE_LIST(X)
#undef X
};

/* Does the message that arrived have the length its type prescribes?  What else it says is
 * believed by serve.c only after checks of its own. */
static bool is_whole(const struct vmm *m, size_t got)
{
    const struct wire_head *h = &m->in.head;
    if (got < sizeof *h || h->type >= N_WIRE_REQUESTS || got != sizeof *h + h->bytes)
        return false;
    size_t most = bodies[h->type].bytes;
    size_t least = bodies[h->type].is_open_ended ? WIRE_BYTES_HEAD : most;
    return h->bytes >= least && h->bytes <= most;
}

/* The one file that a message may bring along.  The kernel has put it among our descriptors
 * whether we want it or not [Linux unix(7), "Ancillary messages"], so it must be closed even
 * if the request is then refused. */
static int descriptor_in(struct msghdr *msg)
{
    int fd = -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(msg);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof fd))
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

/* With SOCK_SEQPACKET one recvmsg() takes one whole message.  Steps come one after the
 * other, and so the next request is often there within microseconds: host_ready_soon()
 * looks for it a moment longer before recvmsg() gives the processor away. */
int wire_receive(struct vmm *m)
{
    union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(int))]; } control;
    struct iovec part = { &m->in, sizeof m->in };
    struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                          .msg_controllen = sizeof control };
    struct pollfd next = { .fd = m->sock, .events = POLLIN };
    host_ready_soon(&next, 1);              /* steps come one after the other */
    m->fd = -1;
    m->in.head.type = m->in.head.id = 0;    /* in case that less than a head arrives */
    ssize_t got = recvmsg(m->sock, &msg, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR)
        return -EINTR;
    if (got <= 0)
        _exit(0);                           /* the debugger is gone */
    m->fd = descriptor_in(&msg);
    return is_whole(m, (size_t)got) ? 0 : -EBADMSG;
}

/* ---- the state page ---- */

/* Numbers of the machine, from wherever they are kept. */
static void fill_status(struct vmm *m, struct link_status *s)
{
    const struct vm *vm = m->vm;
    const struct vcpu *v = boot_cpu(vm);
    *s = (struct link_status){
        .icount = v->icount, .vtime_ns = vclock_now_ns(vm->clock),
        .n_exits = vm->n_exits, .n_irqs = vm->n_irqs, .heartbeat = ++m->heartbeat,
        .halted = v->halted,
        .injected = v->turn.unfinished ? v->turn.injected : (struct event){ 0 },
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

/* Exceptions that were delivered, and deliveries that have failed: of most guests there are none,
 * and then nothing is copied. */
static void fill_undelivered(const struct vcpu *v, struct delivery_chain *to)
{
    to->n = v->undelivered ? v->undelivered->n : 0;
    to->latest.any = v->undelivered && v->undelivered->latest.any;
    if (to->n || to->latest.any)
        *to = *v->undelivered;
}

/* Registers that only the host can tell cost a system call each.  While the guest stands
 * still they are left out until the debugger asks (GET_STATE): it may only be stepping.
 *
 * `sequence` is odd from the first __atomic_store_n() to the second.  A reader copies the
 * page and takes the copy only if the number was even and the same before and after. */
void wire_publish(struct vmm *m)
{
    struct wire_page *p = m->page;
    struct vcpu *v = boot_cpu(m->vm);
    bool all = m->state == LINK_RUNNING || m->all_state_asked;
    unsigned groups = all ? ST_ALL : ST_ALL & ~v->ops->slow_state;
    __atomic_store_n(&p->sequence, p->sequence | 1, __ATOMIC_SEQ_CST);
    fill_status(m, &p->status);
    p->lacks = ST_ALL & ~groups;
    v->ops->get_state(v, groups, &p->cpu);
    vga_text_mode(pc_vga(m->vm->pc), &p->screen);
    fill_undelivered(v, &p->undelivered);
    __atomic_store_n(&p->sequence, p->sequence + 1, __ATOMIC_SEQ_CST);
}
