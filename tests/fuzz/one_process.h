/*
 * tests/fuzz/one_process.h -- both ends of debugger/link/link.h in one process and one thread, for
 * a fuzzer: no process to switch to, the coverage of both ends, the same every time.
 *
 * link.c and vmm.c are what they always are.  The linker puts the __wrap_ functions here in the
 * place of the system calls between them (fuzz.mk, ONE_PROCESS), so that fork() makes a
 * coroutine, their socket is two queues, and whoever would wait lets the other run:
 *
 *     the debugger's end     recv, poll     ---->   the VMM runs until it looks for a request
 *     the VMM's end          recvmsg, poll  <----
 *
 * A guest that runs gets SLICE_NS of its time at once.  There is one machine, which never ends:
 * one_process_keep() says how both ends are at the beginning of an input, one_process_put_back()
 * makes them so again (world.h), with the VMM's stack, wherever its program was.
 */
#ifndef TESTS_FUZZ_ONE_PROCESS_H
#define TESTS_FUZZ_ONE_PROCESS_H

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <sanitizer/common_interface_defs.h>

#include "base/host.h"
#include "base/vclock.h"
#include "debugger/vmm/vmm_private.h"
#include "quick.h"
#include "world.h"

#define SLICE_NS    100
#define CPU_NS      1000000             /* that a slice takes of the host's processor */
#define STACK_BYTES (1 << 20)
#define NO_PROCESS  0x3fffffff          /* the VMM's pid */

struct parcel { struct parcel *next; size_t n, n_control; char control[256], byte[]; };
struct message_queue { struct parcel *first, **last; };

#define N_PARCELS    16                 /* that are used again: else malloc() makes them */
#define PARCEL_BYTES 1024

static struct {
    struct message_queue to_vmm, to_debugger;
    void *sp_debugger, *sp_vmm;         /* of the end that does not run */
    void *stack, *fake[2];              /* AddressSanitizer's, of each end */
    const void *debugger_stack;
    size_t debugger_stack_bytes;
    bool in_vmm, begun;
    bool vmm_is_played;                 /* by the fuzzer, which puts its messages into to_debugger */
    bool vmm_has_ended;
    const struct link_options *options;
    struct trace *trace;
    struct wire_page *page;
    struct vm *vm;
    struct vmm *vmm;
    uint64_t slices;                    /* that the VMM was given */
    uint32_t parcels_used;              /* a bit for each of parcel_room */
} one;

/* ---- switching ---- */

/* swapcontext() asks the kernel, and the sanitizer behind it does so four times. */
__attribute__((naked, no_sanitize("address", "coverage")))
static void switch_stack(__attribute__((unused)) void **from, __attribute__((unused)) void *to)
{
    __asm__("push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15\n"
            "mov %rsp, (%rdi); mov %rsi, %rsp\n"
            "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp; ret");
}

static void to_debugger(void)
{
    one.in_vmm = false;
    __sanitizer_start_switch_fiber(&one.fake[1], one.debugger_stack, one.debugger_stack_bytes);
    switch_stack(&one.sp_vmm, one.sp_debugger);
    __sanitizer_finish_switch_fiber(one.fake[1], &one.debugger_stack, &one.debugger_stack_bytes);
    one.in_vmm = true;
}

static void vmm_begins(void)
{
    __sanitizer_finish_switch_fiber(NULL, &one.debugger_stack, &one.debugger_stack_bytes);
    one.in_vmm = true;
    vmm_serve(one.options, -1, one.trace, one.page);
}

static void to_vmm(void)
{
    if (!one.begun) {
        one.begun = true;
        one.stack = __real_host_page_alloc(STACK_BYTES);
        void (**top)(void) = (void (**)(void))((char *)one.stack + STACK_BYTES) - 2;
        *top = vmm_begins;              /* where the first switch returns to */
        one.sp_vmm = top - 6;
    }
    one.slices++;
    quick_stack_end = (char *)one.stack + STACK_BYTES;
    __sanitizer_start_switch_fiber(&one.fake[0], one.stack, STACK_BYTES);
    switch_stack(&one.sp_debugger, one.sp_vmm);
    __sanitizer_finish_switch_fiber(one.fake[0], NULL, NULL);
    quick_stack_end = NULL;
}

/* The other end runs for a while. */
static void let_other(void)
{
    if (one.in_vmm)
        to_debugger();
    else
        to_vmm();
}

/* ---- messages ---- */

static _Alignas(16) uint8_t parcel_room[N_PARCELS][PARCEL_BYTES];

static struct parcel *parcel_new(size_t n)
{
    unsigned i = (unsigned)__builtin_ctz(~one.parcels_used);
    if (sizeof(struct parcel) + n > PARCEL_BYTES || i >= N_PARCELS)
        return malloc(sizeof(struct parcel) + n);
    one.parcels_used |= 1u << i;
    return (struct parcel *)parcel_room[i];
}

static void parcel_free(struct parcel *m)
{
    size_t at = (size_t)((uint8_t *)m - parcel_room[0]);
    if (at < sizeof parcel_room)
        one.parcels_used &= ~(1u << at / PARCEL_BYTES);
    else
        free(m);
}

/* The descriptors among them belong to the receiver. */
static void own_descriptors(struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            fd = dup(fd);
            memcpy(CMSG_DATA(c) + i * sizeof fd, &fd, sizeof fd);
        }
}

static void put_message(struct message_queue *q, const struct msghdr *msg)
{
    size_t n = 0;
    for (size_t i = 0; i < msg->msg_iovlen; i++)
        n += msg->msg_iov[i].iov_len;
    struct parcel *m = parcel_new(n);
    if (!m || msg->msg_controllen > sizeof m->control)
        abort();
    m->next = NULL;
    m->n = 0;
    for (size_t i = 0; i < msg->msg_iovlen; i++) {
        if (msg->msg_iov[i].iov_len)
            memcpy(m->byte + m->n, msg->msg_iov[i].iov_base, msg->msg_iov[i].iov_len);
        m->n += msg->msg_iov[i].iov_len;
    }
    m->n_control = msg->msg_controllen;
    if (m->n_control) {
        memcpy(m->control, msg->msg_control, m->n_control);
        struct msghdr own = { .msg_control = m->control, .msg_controllen = m->n_control };
        own_descriptors(&own);
    }
    *(q->first ? q->last : &q->first) = m;
    q->last = &m->next;
}

static ssize_t take_message(struct message_queue *q, void *to, size_t room, struct msghdr *msg)
{
    struct parcel *m = q->first;
    size_t n = m->n < room ? m->n : room;
    q->first = m->next;
    memcpy(to, m->byte, n);
    if (msg) {
        if (msg->msg_controllen > m->n_control)
            msg->msg_controllen = m->n_control;
        memcpy(msg->msg_control, m->control, msg->msg_controllen);
    }
    parcel_free(m);
    return (ssize_t)n;
}

static struct message_queue *mine(void)
{
    return one.in_vmm ? &one.to_vmm : &one.to_debugger;
}

/* Has something come?  If not, the other end runs first. */
static bool has_come(void)
{
    if (!mine()->first && !one.vmm_is_played)
        let_other();
    return mine()->first;
}

/* ---- in the place of the system's ---- */

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t __wrap_recv(int fd, void *to, size_t n, int flags);
int __wrap_poll(struct pollfd *p, nfds_t n, int ms);
bool __wrap_host_ready_soon(struct pollfd *p, unsigned n);
uint64_t __wrap_host_cpu_ns(void);
int __wrap_nanosleep(const struct timespec *a, struct timespec *b);
pid_t __wrap_fork(void);
int __wrap_kill(pid_t pid, int sig);
_Noreturn void __wrap__exit(int status);

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    (void)fd, (void)flags;
    put_message(one.in_vmm ? &one.to_debugger : &one.to_vmm, msg);
    return 1;
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags)
{
    (void)fd, (void)flags;
    while (!has_come())
        ;
    return take_message(mine(), msg->msg_iov[0].iov_base, msg->msg_iov[0].iov_len, msg);
}

/* The debugger's end, which does not wait. */
ssize_t __wrap_recv(int fd, void *to, size_t n, int flags)
{
    (void)fd, (void)flags;
    if (has_come())
        return take_message(mine(), to, n, NULL);
    if (one.vmm_has_ended)
        return 0;
    errno = EAGAIN;
    return -1;
}

int __wrap_poll(struct pollfd *p, nfds_t n, int ms)
{
    (void)p, (void)n, (void)ms;
    if (one.in_vmm && one.vm) {
        uint64_t soon = vclock_now_ns(one.vm->clock) + SLICE_NS;
        if (one.vm->next_poll_ns > soon)
            one.vm->next_poll_ns = soon;
    }
    return has_come();
}

bool __wrap_host_ready_soon(struct pollfd *p, unsigned n)
{
    return __wrap_poll(p, n, 0);
}

/* Checkpoints are some time of the host's processor apart: let it be the slices that were given. */
uint64_t __wrap_host_cpu_ns(void)
{
    return one.slices * CPU_NS;
}

int __wrap_nanosleep(const struct timespec *a, struct timespec *b)
{
    (void)a, (void)b;
    if (!one.vmm_is_played)
        let_other();
    return 0;
}

/* What the monitor complains of is what nothing here may bring about.  FUZZ_COMPLAINTS=1 makes it
 * a finding; it may come of more than one input, so the input that is shown need not bring it
 * about alone. */
void __wrap_host_say(const char *fmt, ...);
void __wrap_host_say(const char *fmt, ...)
{
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fprintf(stderr, "the monitor says: %s\n", text);
    if (getenv("FUZZ_COMPLAINTS"))
        abort();
}

pid_t __wrap_fork(void)                     { return NO_PROCESS; }

/* Of a VMM that is played (one.vmm_is_played) there is no process to be killed. */
int __wrap_kill(pid_t pid, int sig)
{
    (void)pid, (void)sig;
    if (!one.vmm_is_played)
        abort();
    errno = ESRCH;
    return -1;
}

/* A VMM that was asked to end is not heard of again, until it is put back. */
_Noreturn void __wrap__exit(int status)
{
    if (!one.in_vmm || status)
        abort();
    one.vmm_has_ended = true;
    for (;;)
        to_debugger();
}

/* Every comparison that the interpreter and the devices make would be told to the fuzzer, at
 * two fifths of the time; the mutator knows what a packet looks like. */
#define UNTOLD(name, type) \
    void __wrap___sanitizer_cov_trace_##name(type a, type b); \
    __attribute__((no_sanitize("all"))) \
    void __wrap___sanitizer_cov_trace_##name(type a, type b) { (void)a, (void)b; }
UNTOLD(cmp1, uint8_t) UNTOLD(cmp2, uint16_t) UNTOLD(cmp4, uint32_t) UNTOLD(cmp8, uint64_t)
UNTOLD(const_cmp1, uint8_t) UNTOLD(const_cmp2, uint16_t) UNTOLD(const_cmp4, uint32_t)
UNTOLD(const_cmp8, uint64_t)

/* ---- what the VMM's end is made of, as it goes by ---- */

struct vm *__real_vm_new(const struct vm_config *c, char *why, size_t n);
struct vm *__wrap_vm_new(const struct vm_config *c, char *why, size_t n);
void *__real_host_shared_alloc(const char *name, uint64_t bytes, int *fd);
void *__wrap_host_shared_alloc(const char *name, uint64_t bytes, int *fd);
struct trace *__real_trace_new(size_t n_events);
struct trace *__wrap_trace_new(size_t n_events);
size_t __wrap_store_take(struct store *s, struct trace_ring *ring, uint64_t size);

struct vm *__wrap_vm_new(const struct vm_config *c, char *why, size_t n)
{
    return one.vm = __real_vm_new(c, why, n);
}

void *__wrap_host_shared_alloc(const char *name, uint64_t bytes, int *fd)
{
    void *hva = __real_host_shared_alloc(name, bytes, fd);
    if (!strcmp(name, "vitrine-state"))
        one.page = hva;
    return hva;
}

/* The first that is made is the link's, which the VMM gets. */
struct trace *__wrap_trace_new(size_t n_events)
{
    struct trace *t = __real_trace_new(n_events);
    if (!one.trace)
        one.trace = t;
    return t;
}

/* Events are forgotten: a fuzzer's run has too many. */
size_t __wrap_store_take(struct store *s, struct trace_ring *ring, uint64_t size)
{
    uint64_t n = ring->head - ring->tail;
    (void)s, (void)size;
    ring->tail = ring->head;
    return n;
}

void __real_make_machine(struct vmm *m);
void __wrap_make_machine(struct vmm *m);
size_t __real_dirty_take(struct dirty *d, gpa_t *out, size_t n);
size_t __wrap_dirty_take(struct dirty *d, gpa_t *out, size_t n);

void __wrap_make_machine(struct vmm *m)
{
    one.vmm = m;
    world_note_area(m, sizeof *m);
    __real_make_machine(m);
}

/* ---- putting back ---- */

#define KEPT_PAGES 1024                     /* of guest memory: no more than 4 MiB */

static struct {
    struct world world;
    uint64_t     taken[KEPT_PAGES / 64];    /* pages that the past has taken from vm->dirty */
    char        *sp;                        /* the VMM's, and what lies from there to its stack's end */
    char         stack[STACK_BYTES];
    uint8_t      shadow[STACK_BYTES / 8];   /* what AddressSanitizer says of that */
} kept;

/* The past asks which pages are dirty, and they are clean then: who puts back must know, too. */
size_t __wrap_dirty_take(struct dirty *d, gpa_t *out, size_t n)
{
    n = __real_dirty_take(d, out, n);
    for (size_t i = 0; i < n; i++) {
        bug_if(out[i] / PAGE_SIZE >= KEPT_PAGES, "more memory than is kept");
        kept.taken[out[i] / PAGE_SIZE / 64] |= BIT(out[i] / PAGE_SIZE % 64);
    }
    return n;
}

/* Byte by byte, for memcpy() would be told that it touches what nobody may. */
__attribute__((no_sanitize("all")))
static void copy_unseen(void *to, const void *from, size_t n)
{
    volatile uint64_t *a = to;
    const uint64_t *b = from;
    for (; n >= 8; n -= 8)
        *a++ = *b++;
    for (size_t i = 0; i < n; i++)
        ((volatile uint8_t *)a)[i] = ((const uint8_t *)b)[i];
}

static uint8_t *shadow_of(const char *at)
{
    size_t scale, offset;
    __asan_get_shadow_mapping(&scale, &offset);
    return (uint8_t *)(((uintptr_t)at >> scale) + offset);
}

static char *stack_top(void)
{
    return (char *)one.stack + STACK_BYTES;
}

static void put_stack_back(void)
{
    char *now = one.sp_vmm, *from = now < kept.sp ? now : kept.sp;
    size_t n = (size_t)(stack_top() - kept.sp);
    __asan_unpoison_memory_region(from, (size_t)(stack_top() - from));
    copy_unseen(kept.sp, kept.stack, n);
    copy_unseen(shadow_of(kept.sp), kept.shadow, n / 8);
}

/* From world_begin(&kept.world) on all that is made belongs to both ends; now it is complete. */
static void one_process_keep(void)
{
    world_note_area(one.page, WIRE_PAGE_BYTES);
    world_note_area(one.trace->ring, sizeof *one.trace->ring);
    world_note_area(&one, sizeof one);
    world_end(&kept.world, one.vm->gmem, NULL);
    kept.sp = one.sp_vmm;
    copy_unseen(kept.stack, kept.sp, (size_t)(stack_top() - kept.sp));
    copy_unseen(kept.shadow, shadow_of(kept.sp), (size_t)(stack_top() - kept.sp) / 8);
}

static void one_process_put_back(void)
{
    gpa_t gpa[64];
    while (__wrap_dirty_take(one.vm->dirty, gpa, NELEM(gpa)))
        ;
    for (size_t i = 0; i < KEPT_PAGES; i++)
        if (kept.taken[i / 64] >> i % 64 & 1)
            world_put_page(&kept.world, i * PAGE_SIZE);
    memset(kept.taken, 0, sizeof kept.taken);
    put_stack_back();
    bug_if(!world_put_back(&kept.world), "something was freed that cannot come back");
}

static struct link *link_in_one_process(const struct link_options *o, char *why, size_t n)
{
    one.options = o;
    return link_start(o, why, n);
}

#endif
