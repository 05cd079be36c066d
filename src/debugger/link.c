/*
 * debugger/link.c -- the debugger's side of the link: ask, wait, believe nothing.
 *
 * One request is under way at a time.  While its answer is waited for, notices
 * that come are taken: the ring is emptied, output kept, a stop noted.
 * Memory is read by link_memory.c.
 */
#include "debugger/link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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
#include "debugger/link_private.h"
#include "debugger/sandbox.h"

#define RING_EVENTS   65536
#define ANSWER_MS     5000              /* a VMM that takes longer hangs      */
#define DEATH_MS      1000              /* between its last word and its end  */
#define AT_ONCE       1024              /* messages, before others have a turn */

const char *const link_state_names[4] = { "stopped", "running", "ended", "dead" };

/* ---- small things ---- */

static void clean(char *text, size_t n)
{
    text[n - 1] = 0;
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = '?';
}

/* A bool that came over the wire may hold anything. */
static void clean_bool(bool *b)
{
    unsigned char raw;
    memcpy(&raw, b, 1);
    raw = raw != 0;
    memcpy(b, &raw, 1);
}

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

static unsigned take_events(struct link *l)
{
    return store_take(l->store, l->trace->ring, RING_EVENTS) ? LINK_NEWS_EVENTS : 0;
}

static unsigned take_words(struct link *l)
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

static unsigned note_death(struct link *l)
{
    int status = 0;
    if (l->state == LINK_DEAD)
        return 0;
    for (int ms = 0; ms < DEATH_MS && waitpid(l->pid, &status, WNOHANG) == 0; ms++)
        poll(NULL, 0, 1);
    if (kill(l->pid, 0) == 0 && waitpid(l->pid, &status, WNOHANG) == 0) {
        kill(l->pid, SIGKILL);              /* it closed its end and lives: no use to anybody */
        waitpid(l->pid, &status, 0);
    }
    l->state = LINK_DEAD;
    l->stop = (struct link_stop){ .why = LINK_DIED };
    describe_death(l, status);
    while (take_words(l))
        ;
    take_events(l);
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, l->sock, NULL);
    if (l->words_fd >= 0)
        epoll_ctl(l->epoll, EPOLL_CTL_DEL, l->words_fd, NULL);
    return LINK_NEWS_STATE | LINK_NEWS_EVENTS;
}

/* ---- receiving ---- */

static unsigned on_stopped(struct link *l)
{
    struct link_stop *s = &l->in.stop;
    if (l->in.head.bytes != sizeof *s || s->why > LINK_GUEST_ENDED || s->vm_stop >= N_VM_STOPS)
        return 0;
    clean(s->text, sizeof s->text);
    l->stop = *s;
    l->state = s->why == LINK_GUEST_ENDED ? LINK_ENDED : LINK_STOPPED;
    return LINK_NEWS_STATE | take_events(l);
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
    case WIRE_RING_FULL: return take_events(l);
    default:             return 0;
    }
}

/* One message, if there is one: 1, 0 or (it is gone) -1. */
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

unsigned link_poll(struct link *l, int timeout_ms)
{
    unsigned news = l->news;
    l->news = 0;
    if (l->state == LINK_DEAD)
        return news | (l->words.n ? LINK_NEWS_WORDS : 0);
    news |= take_events(l);
    if (!news && timeout_ms) {
        struct pollfd p = { .fd = l->epoll, .events = POLLIN };
        if (poll(&p, 1, timeout_ms) < 0)
            return 0;
    }
    news |= take_words(l);
    int got = 0;
    for (int i = 0; i < AT_ONCE && (got = receive(l)) > 0; i++)
        if (!l->in.head.id)
            news |= on_notice(l);
    if (got < 0)
        news |= note_death(l);
    return news | take_events(l);
}

/* ---- asking ---- */

/* In /proc/PID/stat the state comes behind the name, which is in brackets. */
bool link_held(const struct link *l)
{
    char text[128];
    if (l->held)
        return true;
    ssize_t n = l->stat_fd < 0 || l->state == LINK_DEAD ? 0 : pread(l->stat_fd, text, sizeof text - 1, 0);
    if (n <= 0)
        return false;
    text[n] = 0;
    const char *end = strrchr(text, ')');
    return end && end[1] == ' ' && end[2] == 't';
}

/* Does our own stepper (monitor_step.c) hold it, which will be seen at its next poll? */
static bool is_trapped(const struct link *l)
{
    siginfo_t i = { .si_pid = 0 };
    return waitid(P_PID, (id_t)l->pid, &i, WSTOPPED | WNOHANG | WNOWAIT) == 0 && i.si_pid && i.si_code == CLD_TRAPPED;
}

/* Wait for the answer to request l->id; notices on the way are taken. */
static int await(struct link *l)
{
    uint64_t late = host_monotonic_ns() + (uint64_t)l->patience_ms * 1000000;
    for (;;) {
        int got = receive(l);
        if (got < 0) {
            l->news |= note_death(l);
            return -ESRCH;
        }
        if (got && l->in.head.id == l->id)
            return l->in.head.error > 0 ? -EBADMSG : l->in.head.error;
        if (got && !l->in.head.id)
            l->news |= on_notice(l);
        if (got && l->going && l->state != LINK_RUNNING) {
            l->in.head.bytes = 0;       /* stopped already: that is the answer */
            return 0;
        }
        if (got && host_monotonic_ns() <= late)     /* one that only ever gives notice hangs, too */
            continue;
        struct pollfd p = { .fd = l->sock, .events = POLLIN };
        if (!host_ready_soon(&p, 1) && poll(&p, 1, l->going ? 5 : 100) == 0)
            l->news |= take_words(l);
        if (l->going && is_trapped(l)) {
            l->in.head.bytes = 0;       /* it runs, as far as the first exit */
            return 0;
        }
        if (link_held(l))
            return -EAGAIN;
        if (host_monotonic_ns() > late)
            return -ETIMEDOUT;
    }
}

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
            return -ETIMEDOUT;          /* it has not read the last ones yet */
        if (errno != EINTR) {
            l->news |= note_death(l);
            return -ESRCH;
        }
    }
    return 0;
}

/* The answer is in l->in; `bytes` is what it must have if it is no error. */
int link_ask(struct link *l, enum wire_type type, const void *body, size_t n, size_t bytes)
{
    int err = link_held(l) ? -EAGAIN : request(l, type, body, n);
    if (!err)
        err = await(l);
    return err ? err : l->in.head.bytes == bytes || bytes == WIRE_ANY ? 0 : -EBADMSG;
}

static int ask_nothing(struct link *l, enum wire_type type)
{
    struct wire_none none = { { 0 } };
    return link_ask(l, type, &none, sizeof none, 0);
}

/* ---- running ---- */

static int refusal(struct link *l, int err, char *why, size_t n);

static int run(struct link *l, const struct wire_run *r, bool wait)
{
    static const int refusals[4] = { [LINK_RUNNING] = -EBUSY, [LINK_ENDED] = -EOWNERDEAD, [LINK_DEAD] = -ESRCH };
    l->refusal[0] = 0;
    if (refusals[l->state] && !(l->state == LINK_ENDED && LINK_IS_BACK(r->how)))
        return refusals[l->state];
    enum link_state before = l->state;
    l->state = LINK_RUNNING;
    l->going = true;
    int err = wait ? link_ask(l, WIRE_RUN, r, sizeof *r, 0) : request(l, WIRE_RUN, r, sizeof *r);
    l->going = false;
    if (err && err != -ETIMEDOUT && l->state == LINK_RUNNING)
        l->state = before;              /* one that hangs may yet take it up */
    return err ? refusal(l, err, l->refusal, sizeof l->refusal) : 0;
}

int link_run(struct link *l, enum link_run how, uint64_t n)
{
    return run(l, &(struct wire_run){ .how = how, .n = n }, true);
}

int link_run_range(struct link *l, gla_t lo, gla_t hi)
{
    return run(l, &(struct wire_run){ .how = LINK_STEP_RANGE, .lo = lo, .hi = hi }, true);
}

int link_go_on(struct link *l)
{
    return run(l, &(struct wire_run){ .how = LINK_STEP, .n = 1 }, false);
}

/* Exits that happen to a guest for the monitor's sake are not among "all". */
static uint64_t guest_exits(void)
{
    static const enum exit_index ours[] = {
        EXIT_IDX_EXTERNAL_IRQ, EXIT_IDX_IRQ_WINDOW, EXIT_IDX_MTF, EXIT_IDX_PREEMPTION, EXIT_IDX_KICKED,
        EXIT_IDX_BUDGET, EXIT_IDX_BREAKPOINT,
    };
    uint64_t mask = BIT(N_EXITS) - 1;
    for (size_t i = 0; i < NELEM(ours); i++)
        mask &= ~BIT(ours[i]);
    return mask;
}

int link_follow(struct link *l, uint64_t exits)
{
    struct wire_peek p = { .value = exits == LINK_FOLLOW_ALL ? guest_exits() : exits };
    int err = link_ask(l, WIRE_FOLLOW, &p, sizeof p, 0);
    if (!err)
        l->follow = p.value;
    return err;
}

uint64_t link_following(const struct link *l) { return l->follow; }

int link_set_step_irqs(struct link *l, bool on)
{
    struct wire_peek p = { .value = on };
    return link_ask(l, WIRE_STEP_IRQS, &p, sizeof p, 0);
}

int link_pause(struct link *l)
{
    int err = l->state == LINK_RUNNING ? ask_nothing(l, WIRE_PAUSE) : 0;
    if (l->state == LINK_STOPPED && l->stop.why == LINK_STARVED)
        l->stop.why = LINK_PAUSED;
    return err;
}

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

void link_kill(struct link *l)
{
    if (l->state == LINK_DEAD)
        return;
    l->killed = true;
    kill(l->pid, SIGKILL);
    l->news |= note_death(l);
}

/* ---- the CPU and the rest of the machine ---- */

int link_set_state(struct link *l, unsigned groups, const struct cpu_state *s)
{
    struct wire_state w = { .groups = groups, .cpu = *s };
    return link_ask(l, WIRE_SET_STATE, &w, sizeof w, 0);
}

int link_second(struct link *l, uint64_t address, struct link_second *out)
{
    struct wire_peek p = { .at = address };
    int err = link_ask(l, WIRE_SECOND, &p, sizeof p, sizeof *out);
    if (err)
        return err;
    *out = l->in.second;
    clean_bool(&out->is_shadow);
    clean_bool(&out->ok);
    if (out->depth > 4)
        out->depth = 4;
    return 0;
}

size_t link_parts(struct pc_part *out, size_t n)
{
    return pc_parts(NULL, out, n);
}

int link_device(struct link *l, unsigned part, uint64_t *values, size_t *n)
{
    struct wire_peek p = { .what = part };
    int err = link_ask(l, WIRE_DEVICE, &p, sizeof p, WIRE_ANY);
    const struct wire_values *v = &l->in.values;
    if (err)
        return err;
    if (l->in.head.bytes < offsetof(struct wire_values, value) || v->n > WIRE_VALUES ||
        l->in.head.bytes != offsetof(struct wire_values, value) + v->n * sizeof v->value[0])
        return -EBADMSG;
    size_t room = *n;
    *n = v->n;
    memcpy(values, v->value, (v->n < room ? v->n : room) * sizeof *values);
    return v->n > room ? -E2BIG : 0;
}

static int peek(struct link *l, bool mmio, uint64_t at, unsigned size, uint64_t *value)
{
    struct wire_peek p = { .what = mmio, .size = size, .at = at };
    int err = link_ask(l, WIRE_PEEK, &p, sizeof p, sizeof p);
    *value = err ? low_bytes(~UINT64_C(0), size) : l->in.peek.value;
    return err;
}

int link_peek_port(struct link *l, uint16_t port, unsigned size, uint64_t *value)
{
    return peek(l, false, port, size, value);
}

int link_peek_mmio(struct link *l, gpa_t gpa, unsigned size, uint64_t *value)
{
    return peek(l, true, gpa, size, value);
}

ssize_t link_type(struct link *l, enum link_input to, const char *bytes, size_t n)
{
    static struct wire_bytes b;
    if (n > sizeof b.byte)
        n = sizeof b.byte;
    b.to = to;
    b.n = (uint32_t)n;
    memcpy(b.byte, bytes, n);
    int err = link_ask(l, WIRE_TYPE, &b, WIRE_BYTES_HEAD + n, sizeof(struct wire_peek));
    return err ? err : l->in.peek.value <= n ? (ssize_t)l->in.peek.value : -EBADMSG;
}

/* ---- breakpoints ---- */

static void take_break(struct link *l, struct link_break *b)
{
    *b = l->in.brk;
    clean_bool(&b->enabled);
    clean_bool(&b->temporary);
    clean(b->event, sizeof b->event);
    clean(b->condition, sizeof b->condition);
    if (b->kind >= N_BREAK_KINDS)
        b->kind = BREAK_CODE;
    if (b->agent_len > sizeof b->agent)
        b->agent_len = 0;
}

/* The sentence that came with a refusal, or one of our own. */
static int refusal(struct link *l, int err, char *why, size_t n)
{
    if (err != -ESRCH && err != -ETIMEDOUT && err != -EAGAIN && l->in.head.bytes && l->in.text[0]) {
        clean(l->in.text, l->in.head.bytes < sizeof l->in.text ? l->in.head.bytes : sizeof l->in.text);
        snprintf(why, n, "%s", l->in.text);
    } else {
        snprintf(why, n, err == -ESRCH ? "the monitor is gone" : err == -ETIMEDOUT
                 ? "the monitor does not answer" : err == -EAGAIN ? "the monitor is being debugged" : "the monitor refuses: %s", strerror(-err));
    }
    return err;
}

const char *link_refusal(const struct link *l)
{
    return l->refusal;
}

#define SNAPSHOT_MS 120000              /* a file may be long in coming */

static int ask_with_file(struct link *l, enum wire_type type, int fd, char *why, size_t n)
{
    int patience = l->patience_ms;
    l->patience_ms = SNAPSHOT_MS;
    l->send_fd = fd;
    int err = ask_nothing(l, type);
    l->send_fd = -1;
    l->patience_ms = patience;
    return err ? refusal(l, err, why, n) : 0;
}

int link_save(struct link *l, int fd, char *why, size_t n)
{
    return ask_with_file(l, WIRE_SAVE, fd, why, n);
}

int link_load(struct link *l, int fd, char *why, size_t n)
{
    return ask_with_file(l, WIRE_LOAD, fd, why, n);
}

int link_break_add(struct link *l, struct link_break *b, char *why, size_t n)
{
    int err = link_ask(l, WIRE_BREAK_ADD, b, sizeof *b, sizeof *b);
    if (err)
        return refusal(l, err, why, n);
    take_break(l, b);
    return 0;
}

int link_break_change(struct link *l, const struct link_break *b, char *why, size_t n)
{
    int err = link_ask(l, WIRE_BREAK_CHANGE, b, sizeof *b, 0);
    return err ? refusal(l, err, why, n) : 0;
}

int link_break_delete(struct link *l, unsigned nr)
{
    struct link_break b = { .nr = nr };
    return link_ask(l, WIRE_BREAK_DELETE, &b, sizeof b, 0);
}

int link_break_at(const struct link *l, size_t i, struct link_break *b)
{
    struct wire_peek p = { .at = i };
    struct link *asking = (struct link *)(uintptr_t)l;      /* asking changes nothing one could see */
    int err = link_ask(asking, WIRE_BREAK_AT, &p, sizeof p, sizeof *b);
    if (!err)
        take_break(asking, b);
    return err;
}

/* ---- beginning ---- */

/* The child: away from the terminal, with nothing open but what it needs. */
static _Noreturn void be_vmm(const struct link_options *o, int sock, int words, struct trace *t,
                             struct wire_page *page)
{
    int null = open("/dev/null", O_RDWR);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "vitrine-vmm");
    if (o->tracer)
        prctl(PR_SET_PTRACER, o->tracer);   /* where Yama lets only parents trace */
    setsid();                               /* Ctrl-C and Ctrl-Z are the debugger's */
    for (int s = 1; s < 32; s++)
        signal(s, s == SIGPIPE ? SIG_IGN : SIG_DFL);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(words, STDERR_FILENO);
    for (int fd = 3; fd < 1024; fd++)
        if (fd != sock && fd != t->memfd)
            close(fd);
    vmm_serve(o, sock, t, page);
}

/* The memfds that came with READY, in order; the rest is closed. */
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

static bool take_regions(struct link *l, const int *fd, size_t n_fds)
{
    const struct wire_ready *r = &l->in.ready;
    if (l->in.head.bytes != sizeof *r || r->n > WIRE_REGIONS || r->n != n_fds)
        return false;
    for (size_t i = 0; i < r->n; i++) {
        snprintf(l->region_name[i], sizeof l->region_name[i], "%.31s", r->region[i].name);
        clean(l->region_name[i], sizeof l->region_name[i]);
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

/* READY or FAILED. */
static bool await_ready(struct link *l, char *why, size_t n)
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
        take_events(l);
        msg.msg_controllen = sizeof control;    /* recvmsg() has put 0 there */
    }
    size_t n_fds = got > 0 ? take_fds(&msg, fd, NELEM(fd)) : 0;
    bool whole = got >= (ssize_t)sizeof l->in.head &&
                 (size_t)got == sizeof l->in.head + l->in.head.bytes;
    if (whole && l->in.head.type == WIRE_READY && take_regions(l, fd, n_fds)) {
        if (l->in.ready.sandbox_error)
            host_say("%.150s", l->in.ready.sandbox);
        return true;
    }
    if (whole && l->in.head.type == WIRE_FAILED && l->in.head.bytes) {
        clean(l->in.text, l->in.head.bytes < sizeof l->in.text ? l->in.head.bytes : sizeof l->in.text);
        snprintf(why, n, "%s", l->in.text);
    } else {
        note_death(l);
        snprintf(why, n, "%s before it could begin", l->stop.text);
    }
    return false;
}

static void watch_fd(struct link *l, int fd)
{
    struct epoll_event e = { .events = EPOLLIN };
    epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e);
}

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
    l->store = store_record(o->trace_path, l->trace, o->trace_info ? o->trace_info : "", why, n);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    return l->store && l->epoll >= 0;
}

static bool spawn(struct link *l, const struct link_options *o, char *why, size_t n)
{
    int sock[2], words[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) || pipe2(words, O_CLOEXEC | O_NONBLOCK)) {
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
    return await_ready(l, why, n);
}

/* What a VMM that could not begin said on its way is the user's to read. */
static void pass_on_words(struct link *l)
{
    char buf[1024];
    size_t n;
    while (take_words(l))
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
    l->stop = (struct link_stop){ .why = LINK_AT_START, .text = "before the first instruction" };
    if (make_parts(l, o, why, n) && spawn(l, o, why, n))
        return l;
    pass_on_words(l);
    link_end(l);
    return NULL;
}

void link_end(struct link *l)
{
    if (!l)
        return;
    if (l->pid > 0 && l->state != LINK_DEAD) {
        kill(l->pid, SIGKILL);              /* it has nothing to lose */
        waitpid(l->pid, NULL, 0);
        take_events(l);
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
