/*
 * debugger/link/start.c -- the VMM's process begins and ends: fork it, wait for its first
 * message, take the descriptors of guest memory that came with it; at the end kill it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/host.h"
#include "base/trace.h"
#include "debugger/link/private.h"

#define ANSWER_MS     5000              /* a VMM that takes longer hangs      */

/* ---- the child ---- */

static bool is_of_disk(const struct vm_config *c, int fd)
{
    for (size_t i = 0; i < MAX_DISKS; i++)
        if (c->disk[i].sectors && c->disk[i].fd == fd)
            return true;
    return false;
}

/* The child becomes the VMM. It dies with the debugger (PDEATHSIG), has a session of its
 * own so that Ctrl-C and Ctrl-Z in the terminal reach the debugger alone, and keeps no
 * descriptor open but those it needs: what is open here would be open to a guest that takes
 * the VMM over. */
static _Noreturn void be_vmm(const struct link_options *o, int sock, int words, struct trace *t,
                             struct wire_page *page)
{
    int null = open("/dev/null", O_RDWR);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "vitrine-vmm");
    if (o->tracer)
        prctl(PR_SET_PTRACER, o->tracer);   /* where Yama lets only parents trace */
    setsid();
    for (int s = 1; s < 32; s++)
        signal(s, s == SIGPIPE ? SIG_IGN : SIG_DFL);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(words, STDERR_FILENO);
    for (int fd = 3; fd < 1024; fd++)
        if (fd != sock && fd != t->memfd && !is_of_disk(&o->machine, fd))
            close(fd);
    vmm_serve(o, sock, t, page);
}

/* ---- its first answer ---- */

/* The memfds that came with READY, in the order of the regions.  Descriptors beyond `room`
 * are closed, or they would stay open unseen.  [cmsg(3)] */
static size_t take_fds(struct msghdr *msg, int *fd, size_t room)
{
    size_t n = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int one;
            memcpy(&one, CMSG_DATA(c) + i * sizeof one, sizeof one);
            if (n < room)
                fd[n++] = one;
            else
                close(one);
        }
    }
    return n;
}

/* Believe READY only if each region has its descriptor and no region wraps around. */
static bool take_regions(struct link *l, const int *fd, size_t n_fds)
{
    const struct wire_ready *r = &l->in.ready;
    if (l->in.head.bytes != sizeof *r || r->n > WIRE_REGIONS || r->n != n_fds)
        return false;
    for (size_t i = 0; i < r->n; i++) {
        snprintf(l->region_name[i], sizeof l->region_name[i], "%.31s", r->region[i].name);
        link_clean(l->region_name[i], sizeof l->region_name[i]);
        l->region[i] = (struct gmem_region){
            .name = l->region_name[i], .base = r->region[i].base, .size = r->region[i].size,
            .kind = r->region[i].kind == GMEM_ROM ? GMEM_ROM : GMEM_RAM,
            .memfd = fd[i], .memfd_off = r->region[i].memfd_off,
        };
        if (l->region[i].base + l->region[i].size < l->region[i].base)
            return false;
    }
    l->n_regions = r->n;
    return true;
}

/* Begin to record.  That is once there is a guest, not before: one that cannot be loaded leaves no
 * trace file, and one of that name as it was. */
static bool open_store(struct link *l, const struct link_options *o, char *why, size_t n)
{
    if (!l->store)
        l->store = store_record(o->trace_path, l->trace, o->trace_info ? o->trace_info : "",
                                why, n);
    return l->store;
}

/* Wait for the child's first word: READY with its memory, or FAILED with a reason.  Its events
 * wait in the ring; loading a guest may already log more than that holds, so RING_FULL can come
 * before.  If nothing comes the child has died. */
static bool await_ready(struct link *l, const struct link_options *o, char *why, size_t n)
{
    union { struct cmsghdr head; char room[CMSG_SPACE(WIRE_REGIONS * sizeof(int))]; } control;
    struct iovec part = { &l->in, sizeof l->in };
    struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                          .msg_controllen = sizeof control };
    int fd[WIRE_REGIONS];
    ssize_t got;
    for (;;) {
        got = recvmsg(l->sock, &msg, MSG_CMSG_CLOEXEC);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < (ssize_t)sizeof l->in.head || l->in.head.type != WIRE_RING_FULL)
            break;
        if (!open_store(l, o, why, n))
            return false;
        link_take_events(l);
        msg.msg_controllen = sizeof control;    /* recvmsg() has put 0 there */
    }
    size_t n_fds = got > 0 ? take_fds(&msg, fd, NELEM(fd)) : 0;
    bool whole = got >= (ssize_t)sizeof l->in.head &&
                 (size_t)got == sizeof l->in.head + l->in.head.bytes;
    if (whole && l->in.head.type == WIRE_READY && take_regions(l, fd, n_fds)) {
        if (l->in.ready.sandbox_error)
            host_say("%.150s", l->in.ready.sandbox);
        link_clean(l->in.ready.note, sizeof l->in.ready.note);
        if (l->in.ready.note[0])
            host_say("%s", l->in.ready.note);
        return open_store(l, o, why, n);
    }
    if (whole && l->in.head.type == WIRE_FAILED && l->in.head.bytes) {
        link_clean(l->in.text, l->in.head.bytes < sizeof l->in.text
                   ? l->in.head.bytes : sizeof l->in.text);
        snprintf(why, n, "%s", l->in.text);
    } else {
        link_note_death(l);
        snprintf(why, n, "%s before it could begin", l->stop.text);
    }
    return false;
}

/* ---- beginning and end ---- */

static void watch_fd(struct link *l, int fd)
{
    struct epoll_event e = { .events = EPOLLIN };
    epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e);
}

/* What both processes share must exist before the fork: the trace ring and the state page.
 * The state page's descriptor is not needed, since the child inherits the mapping. */
static bool make_parts(struct link *l, const struct link_options *o, char *why, size_t n)
{
    int page_fd;
    snprintf(why, n, "out of memory");
    l->trace = trace_new(RING_EVENTS);
    l->page = host_shared_alloc("vitrine-state", WIRE_PAGE_BYTES, &page_fd);
    if (!l->trace || !l->page)
        return false;
    close(page_fd);
    l->trace->engine_names = engine_names();
    l->trace->mask = o->kinds ? o->kinds : TRACE_DEFAULT_KINDS;
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    return l->epoll >= 0;
}

/* The socket is a SOCK_SEQPACKET: it keeps the limits between messages, so a message is
 * either whole or not there.  stdio is flushed before fork(), or the child would write our
 * buffered output a second time. */
static bool spawn(struct link *l, const struct link_options *o, char *why, size_t n)
{
    int sock[2], words[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) ||
        pipe2(words, O_CLOEXEC | O_NONBLOCK)) {
        snprintf(why, n, "no channel to the monitor: %s", strerror(errno));
        return false;
    }
    fflush(NULL);
    l->pid = fork();
    if (l->pid == 0)
        be_vmm(o, sock[1], words[1], l->trace, l->page);
    close(sock[1]);
    close(words[1]);
    l->sock = sock[0];
    l->words_fd = words[0];
    if (l->pid < 0) {
        snprintf(why, n, "no process for the monitor: %s", strerror(errno));
        return false;
    }
    watch_fd(l, l->sock);
    watch_fd(l, l->words_fd);
    if (o->tracer) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/stat", (int)l->pid);
        l->stat_fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    return await_ready(l, o, why, n);
}

/* Show the user what a VMM that could not begin wrote to its stderr. */
static void pass_on_words(struct link *l)
{
    char buf[1024];
    size_t n;
    while (link_read_words(l))
        ;
    while ((n = link_take_words(l, buf, sizeof buf)))
        fwrite(buf, 1, n, stderr);
}

struct link *link_start(const struct link_options *o, char *why, size_t n)
{
    struct link *l = calloc(1, sizeof *l);
    if (!l) {
        snprintf(why, n, "out of memory");
        return NULL;
    }
    l->send_fd = l->sock = l->words_fd = l->epoll = l->stat_fd = -1;
    l->patience_ms = ANSWER_MS;
    memcpy(l->disk, o->machine.disk, sizeof l->disk);
    l->stop = (struct link_stop){ .why = LINK_AT_START, .text = "before the first instruction" };
    if (make_parts(l, o, why, n) && spawn(l, o, why, n))
        return l;
    pass_on_words(l);
    link_end(l);
    return NULL;
}

/* A trace that ends with the guest's end says why it ended so. */
static void keep_words(struct link *l)
{
    char *text = l->store ? link_explain(l, store_text(l->store)->symbols) : NULL;
    if (text)
        store_set_words(l->store, text);
    free(text);
}

void link_end(struct link *l)
{
    if (!l)
        return;
    keep_words(l);
    if (l->pid > 0 && l->state != LINK_DEAD) {
        kill(l->pid, SIGKILL);              /* nothing of it needs saving: the trace is ours */
        waitpid(l->pid, NULL, 0);
        link_take_events(l);
    }
    if (l->store)
        store_close(l->store);
    for (size_t i = 0; i < l->n_regions; i++)
        close(l->region[i].memfd);
    int fds[] = { l->sock, l->words_fd, l->epoll, l->stat_fd };
    for (size_t i = 0; i < NELEM(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    host_shared_free(l->page, WIRE_PAGE_BYTES, -1);
    trace_free(l->trace);
    free(l);
}
