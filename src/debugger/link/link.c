/*
 * debugger/link/link.c -- the debugger's side of the channel: send a request, wait for its
 * answer, take notices.
 *
 * One request is under way at a time.  A message with id 0 is a notice, which the VMM sends by
 * itself.  Notices that come while an answer is awaited are handled at once: the ring is
 * emptied, output kept, a stop noted; link_poll() reports them later.
 *
 * Not here: the questions themselves (link/ask.c), reading memory and registers
 * (link/memory.c), the beginning and end of the process (link/start.c).  Begin reading with
 * link_ask().
 */
#include "debugger/link/link.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/host.h"
#include "base/sandbox.h"
#include "base/trace.h"
#include "debugger/link/private.h"

#define DEATH_MS      1000              /* from closing its socket to its end */
#define AT_ONCE       1024              /* messages that one poll takes at most */

const char *const link_state_names[4] = { "stopped", "running", "ended", "dead" };

/* ---- small things ---- */

void link_clean(char *text, size_t n)
{
    text[n - 1] = 0;
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = '?';
}

/* Append; if that is too much the oldest bytes go. */
static void keep_text(struct text_queue *q, const void *bytes, size_t n)
{
    if (n > sizeof q->byte) {
        bytes = (const char *)bytes + (n - sizeof q->byte);
        n = sizeof q->byte;
    }
    if (q->n + n > sizeof q->byte) {                /* the oldest go */
        size_t drop = q->n + n - sizeof q->byte;
        memmove(q->byte, q->byte + drop, q->n - drop);
        q->n -= drop;
    }
    memcpy(q->byte + q->n, bytes, n);
    q->n += n;
}

/* Move up to n bytes from the front of the queue to buf. */
static size_t take_text(struct text_queue *q, char *buf, size_t n)
{
    if (n > q->n)
        n = q->n;
    memcpy(buf, q->byte, n);
    memmove(q->byte, q->byte + n, q->n - n);
    q->n -= n;
    return n;
}

size_t link_take_output(struct link *l, enum link_output which, char *buf, size_t n)
{
    return take_text(&l->output[which], buf, n);
}

size_t link_take_words(struct link *l, char *buf, size_t n)
{
    return take_text(&l->words, buf, n);
}

/* ---- events and words ---- */

unsigned link_take_events(struct link *l)
{
    if (!l->store)
        return 0;                       /* nothing was loaded: there is nothing to record */
    return store_take(l->store, l->trace->ring, RING_EVENTS) ? LINK_NEWS_EVENTS : 0;
}

/* The pipe does not block.  Control characters are replaced, so that a VMM that a guest has
 * taken over cannot send escape sequences to our terminal. */
unsigned link_read_words(struct link *l)
{
    char buf[1024];
    ssize_t n = l->words_fd < 0 ? 0 : read(l->words_fd, buf, sizeof buf);
    if (n <= 0)
        return 0;
    for (ssize_t i = 0; i < n; i++)
        if ((unsigned char)buf[i] < ' ' && buf[i] != '\n' && buf[i] != '\t')
            buf[i] = '?';
    keep_text(&l->words, buf, (size_t)n);
    return LINK_NEWS_WORDS;
}

/* ---- death ---- */

/* The sentence of a VMM's end, from the status that waitpid() gave.  Its sandbox ends it
 * with an exit status of its own (base/sandbox.h); SIGABRT is a failed assertion. */
static void describe_death(struct link *l, int status)
{
    char *t = l->stop.text;
    size_t n = sizeof l->stop.text;
    int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (l->killed)
        snprintf(t, n, "the monitor was killed, as you asked");
    else if (sig == SIGABRT)
        snprintf(t, n, "the monitor found a bug in itself and ended (signal 6)");
    else if (sig == SIGKILL)
        snprintf(t, n, "the monitor was killed from outside (signal 9)");
    else if (sig)
        snprintf(t, n, "the monitor crashed: signal %d, %s", sig, strsignal(sig));
    else if (WEXITSTATUS(status) == SANDBOX_EXIT)
        snprintf(t, n, "the monitor tried what its sandbox forbids and was ended");
    else
        snprintf(t, n, "the monitor ended by itself with status %d", WEXITSTATUS(status));
}

/* The VMM has closed its end of the socket.  Wait up to DEATH_MS for its process to end;
 * one that goes on without a socket is killed.  What it still said, and the events still in
 * the ring, are taken, for they often tell what happened. */
unsigned link_note_death(struct link *l)
{
    int status = 0;
    if (l->state == LINK_DEAD)
        return 0;
    for (int ms = 0; ms < DEATH_MS && waitpid(l->pid, &status, WNOHANG) == 0; ms++)
        poll(NULL, 0, 1);
    if (kill(l->pid, 0) == 0 && waitpid(l->pid, &status, WNOHANG) == 0) {
        kill(l->pid, SIGKILL);              /* alive without a socket: of no use */
        waitpid(l->pid, &status, 0);
    }
    l->state = LINK_DEAD;
    l->stop = (struct link_stop){ .why = LINK_DIED };
    describe_death(l, status);
    while (link_read_words(l))
        ;
    link_take_events(l);
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, l->sock, NULL);
    if (l->words_fd >= 0)
        epoll_ctl(l->epoll, EPOLL_CTL_DEL, l->words_fd, NULL);
    return LINK_NEWS_STATE | LINK_NEWS_EVENTS;
}

/* ---- receiving ---- */

/* The guest has stopped or ended.  A message with values out of range is ignored. */
static unsigned on_stopped(struct link *l)
{
    struct link_stop *s = &l->in.stop;
    if (l->in.head.bytes != sizeof *s || s->why > LINK_GUEST_ENDED || s->vm_stop >= N_VM_STOPS)
        return 0;
    link_clean(s->text, sizeof s->text);
    l->stop = *s;
    l->state = s->why == LINK_GUEST_ENDED ? LINK_ENDED : LINK_STOPPED;
    return LINK_NEWS_STATE | link_take_events(l);
}

static unsigned on_output(struct link *l)
{
    const struct wire_bytes *b = &l->in.bytes;
    if (l->in.head.bytes < WIRE_BYTES_HEAD || b->to >= N_LINK_OUTPUTS || b->n > sizeof b->byte ||
        l->in.head.bytes != WIRE_BYTES_HEAD + b->n)
        return 0;
    keep_text(&l->output[b->to], b->byte, b->n);
    return LINK_NEWS_OUTPUT;
}

static unsigned on_notice(struct link *l)
{
    switch (l->in.head.type) {
    case WIRE_STOPPED:   return on_stopped(l);
    case WIRE_OUTPUT:    return on_output(l);
    case WIRE_RING_FULL: return link_take_events(l);
    default:             return 0;
    }
}

/* Receive one message into l->in without waiting: 1, 0 if there is none, -1 if the VMM is
 * gone.  A message whose length does not fit its header is dropped. */
static int receive(struct link *l)
{
    for (;;) {
        ssize_t got = recv(l->sock, &l->in, sizeof l->in, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return 0;
        if (got <= 0)
            return -1;
        if ((size_t)got >= sizeof l->in.head && (size_t)got == sizeof l->in.head + l->in.head.bytes)
            return 1;
    }
}

/* AT_ONCE limits how long a guest that prints without end keeps the caller from the
 * keyboard.  Answers (their id is not 0) to requests that were given up are dropped. */
unsigned link_poll(struct link *l, int timeout_ms)
{
    unsigned news = l->news;
    l->news = 0;
    if (l->state == LINK_DEAD)
        return news | (l->words.n ? LINK_NEWS_WORDS : 0);
    news |= link_take_events(l);
    if (!news && timeout_ms) {
        struct pollfd p = { .fd = l->epoll, .events = POLLIN };
        if (poll(&p, 1, timeout_ms) < 0)
            return 0;
    }
    news |= link_read_words(l);
    int got = 0;
    for (int i = 0; i < AT_ONCE && (got = receive(l)) > 0; i++)
        if (!l->in.head.id)
            news |= on_notice(l);
    if (got < 0)
        news |= link_note_death(l);
    return news | link_take_events(l);
}

/* ---- asking ---- */

/* In /proc/PID/stat the state comes behind the program's name, which is in brackets and may
 * contain brackets itself, so look for the last one.  `t` means stopped by a tracer.
 * [proc(5)] */
bool link_held(const struct link *l)
{
    char text[128];
    if (l->held)
        return true;
    ssize_t n = l->stat_fd < 0 || l->state == LINK_DEAD
        ? 0 : pread(l->stat_fd, text, sizeof text - 1, 0);
    if (n <= 0)
        return false;
    text[n] = 0;
    const char *end = strrchr(text, ')');
    return end && end[1] == ' ' && end[2] == 't';
}

/* Has our own stepper (monitor_step.c) stopped the VMM at one of its breakpoints, without
 * having noticed yet?  WNOWAIT leaves the news for the stepper to take. */
static bool is_trapped(const struct link *l)
{
    siginfo_t i = { .si_pid = 0 };
    return waitid(P_PID, (id_t)l->pid, &i, WSTOPPED | WNOHANG | WNOWAIT) == 0 && i.si_pid &&
        i.si_code == CLD_TRAPPED;
}

/* What an answer may say: 0 or -errno, none of which is larger on Linux. */
static bool is_errno(int32_t error)
{
    return error <= 0 && error >= -4095;
}

/* Wait for the answer to request l->id; notices that come before it are handled on the way.
 * RUN is special: the guest may stop so soon that the notice of the stop comes first, or
 * our own stepper may catch the VMM in the first exit, so that it cannot answer.  Both mean
 * that RUN was accepted. */
static int await(struct link *l)
{
    uint64_t late = host_monotonic_ns() + (uint64_t)l->patience_ms * 1000000;
    for (;;) {
        int got = receive(l);
        if (got < 0) {
            l->news |= link_note_death(l);
            return -ESRCH;
        }
        if (got && l->in.head.id == l->id)
            return is_errno(l->in.head.error) ? l->in.head.error : -EBADMSG;
        if (got && !l->in.head.id)
            l->news |= on_notice(l);
        if (got && l->going && l->state != LINK_RUNNING) {
            l->in.head.bytes = 0;       /* stopped already: that is the answer */
            return 0;
        }
        if (got && host_monotonic_ns() <= late)     /* notices alone do not prolong the wait */
            continue;
        struct pollfd p = { .fd = l->sock, .events = POLLIN };
        if (!host_ready_soon(&p, 1) && poll(&p, 1, l->going ? 5 : 100) == 0)
            l->news |= link_read_words(l);
        if (is_trapped(l)) {
            l->in.head.bytes = 0;       /* RUN: it runs, as far as the first exit */
            return l->going ? 0 : -EAGAIN;
        }
        if (link_held(l))
            return -EAGAIN;
        if (host_monotonic_ns() > late)
            return -ETIMEDOUT;
    }
}

/* Send a request, together with l->send_fd if there is one.  The socket never blocks us: if
 * it is full, the VMM has not even read our earlier requests, which counts as no answer. */
static int request(struct link *l, enum wire_type type, const void *body, size_t n)
{
    if (l->state == LINK_DEAD)
        return -ESRCH;
    if (!++l->id)
        l->id = 1;
    struct wire_head h = { type, l->id, 0, (uint32_t)n };
    struct iovec part[2] = { { &h, sizeof h }, { (void *)(uintptr_t)body, n } };
    union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(int))]; } control = { 0 };
    struct msghdr msg = { .msg_iov = part, .msg_iovlen = 2 };
    if (l->send_fd >= 0) {
        control.head = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
                                         .cmsg_len = CMSG_LEN(sizeof(int)) };
        memcpy(CMSG_DATA(&control.head), &l->send_fd, sizeof l->send_fd);
        msg.msg_control = &control;
        msg.msg_controllen = sizeof control;
    }
    while (sendmsg(l->sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno == EAGAIN)
            return -ETIMEDOUT;          /* the socket is full of requests it has not read */
        if (errno != EINTR) {
            l->news |= link_note_death(l);
            return -ESRCH;
        }
    }
    return 0;
}

int link_ask(struct link *l, enum wire_type type, const void *body, size_t n, size_t bytes)
{
    int err = link_held(l) ? -EAGAIN : request(l, type, body, n);
    if (!err)
        err = await(l);
    return err ? err : l->in.head.bytes == bytes || bytes == WIRE_ANY ? 0 : -EBADMSG;
}

int link_ask_nothing(struct link *l, enum wire_type type)
{
    struct wire_none none = { { 0 } };
    return link_ask(l, type, &none, sizeof none, 0);
}

int link_refused(struct link *l, int err, char *why, size_t n)
{
    if (err != -ESRCH && err != -ETIMEDOUT && err != -EAGAIN && l->in.head.bytes && l->in.text[0]) {
        link_clean(l->in.text, l->in.head.bytes < sizeof l->in.text
                   ? l->in.head.bytes : sizeof l->in.text);
        snprintf(why, n, "%s", l->in.text);
    } else {
        snprintf(why, n, err == -ESRCH ? "the monitor is gone"
                         : err == -ETIMEDOUT ? "the monitor does not answer"
                         : err == -EAGAIN ? "the monitor is being debugged"
                         : "the monitor refuses: %s", strerror(-err));
    }
    return err;
}

const char *link_refusal(const struct link *l)
{
    return l->refusal;
}

/* ---- running ---- */

/* The state becomes RUNNING before the request is sent, because the notice of the stop may
 * come before the answer and must not be overwritten by it.  If the VMM refuses, the state
 * before is put back; after a timeout it is not, because a VMM that hangs may yet take the
 * request up. */
static int send_run(struct link *l, const struct wire_run *r, bool wait)
{
    static const int refusals[4] = { [LINK_RUNNING] = -EBUSY, [LINK_ENDED] = -EOWNERDEAD,
                                     [LINK_DEAD] = -ESRCH };
    l->refusal[0] = 0;
    if (refusals[l->state] && !(l->state == LINK_ENDED && LINK_IS_BACK(r->how)))
        return refusals[l->state];
    enum link_state before = l->state;
    l->state = LINK_RUNNING;
    l->how = r->how;
    l->going = true;
    int err = wait ? link_ask(l, WIRE_RUN, r, sizeof *r, 0) : request(l, WIRE_RUN, r, sizeof *r);
    l->going = false;
    if (err && err != -ETIMEDOUT && l->state == LINK_RUNNING)
        l->state = before;              /* one that hangs may yet take it up */
    return err ? link_refused(l, err, l->refusal, sizeof l->refusal) : 0;
}

int link_run(struct link *l, enum link_run how, uint64_t n)
{
    return send_run(l, &(struct wire_run){ .how = how, .n = n }, true);
}

enum link_run link_how(const struct link *l)
{
    return l->how;
}

int link_run_range(struct link *l, gla_t lo, gla_t hi)
{
    return send_run(l, &(struct wire_run){ .how = LINK_STEP_RANGE, .lo = lo, .hi = hi }, true);
}

int link_go_on(struct link *l)
{
    return send_run(l, &(struct wire_run){ .how = LINK_STEP, .n = 1 }, false);
}

int link_pause(struct link *l)
{
    int err = l->state == LINK_RUNNING ? link_ask_nothing(l, WIRE_PAUSE) : 0;
    if (l->state == LINK_STOPPED && l->stop.why == LINK_STARVED)
        l->stop.why = LINK_PAUSED;
    return err;
}

/* Polls often: the trace ring must be emptied meanwhile, which link_fd() does not announce. */
int link_wait(struct link *l, int timeout_ms)
{
    uint64_t late = host_monotonic_ns() + (uint64_t)timeout_ms * 1000000;
    while (l->state == LINK_RUNNING) {
        struct pollfd p = { .fd = l->epoll, .events = POLLIN };
        int left = timeout_ms < 0 ? 20 : 1;
        if (timeout_ms >= 0 && host_monotonic_ns() >= late)
            return -ETIMEDOUT;
        if (!host_ready_soon(&p, 1) && poll(&p, 1, left) < 0 && errno == EINTR)
            return -EINTR;
        l->news |= link_poll(l, 0);
    }
    return 0;
}

enum link_state link_state(const struct link *l)            { return l->state; }
const struct link_stop *link_stopped(const struct link *l)  { return &l->stop; }
pid_t link_pid(const struct link *l)                        { return l->pid; }
void link_hold(struct link *l, bool on)                     { l->held = on; }
void link_patience(struct link *l, int ms)                  { l->patience_ms = ms; }
int link_fd(const struct link *l)                           { return l->epoll; }
struct store *link_store(struct link *l)                    { return l->store; }
const struct disk_image *link_disks(const struct link *l)   { return l->disk; }

void link_kill(struct link *l)
{
    if (l->state == LINK_DEAD)
        return;
    l->killed = true;
    kill(l->pid, SIGKILL);
    l->news |= link_note_death(l);
}
