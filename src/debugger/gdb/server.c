/*
 * debugger/gdb/server.c -- the sockets of the GDB stub: listening, one client, and a second one
 * that is refused; see gdb/server.h.  Nothing here knows what the bytes mean, except for the one
 * answer that a second client gets.
 */
#include "debugger/gdb/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "debugger/gdb/packet.h"
#include "debugger/gdb/stub.h"

#define SOCKET_PATH_SIZE sizeof ((struct sockaddr_un *)0)->sun_path
#define OUT_ENOUGH (1u << 20)           /* bytes waiting to be sent: then nothing is read */

/* Descriptors are -1 where there is none. */
struct gdb_server {
    struct gdb_stub *stub;
    int  listener;
    int  client;                        /* whom the stub talks to */
    int  second;                        /* one that is being refused */
    bool served;                        /* there was a client, and it has gone */
    char address[120];
    char path[SOCKET_PATH_SIZE];        /* to be removed; "" for TCP */
};

/* ---- opening ---- */

/* A socket of that name may be left over from a program that was killed: if nobody listens
 * there (ECONNREFUSED), it is removed.  Any other file is somebody's, and stays. */
static bool clear_path(const struct sockaddr_un *a, char *why, size_t n)
{
    struct stat st;
    if (lstat(a->sun_path, &st))
        return true;
    if (!S_ISSOCK(st.st_mode)) {
        snprintf(why, n, "%s exists and is no socket", a->sun_path);
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool alive = connect(fd, (const struct sockaddr *)a, sizeof *a) == 0 || errno != ECONNREFUSED;
    close(fd);
    if (alive) {
        snprintf(why, n, "%s is in use", a->sun_path);
        return false;
    }
    if (unlink(a->sun_path) == 0)
        return true;
    snprintf(why, n, "%s is left from another run, and cannot be removed: %s", a->sun_path,
             strerror(errno));
    return false;
}

/* The mask of permissions is set before bind() creates the file, so that there is no moment
 * in which others could connect.  [unix(7), umask(2)] */
static bool open_unix(struct gdb_server *v, const char *path, char *why, size_t n)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    strcpy(a.sun_path, path);
    if (!clear_path(&a, why, n))
        return false;
    v->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t before = umask(0177);
    int err = bind(v->listener, (struct sockaddr *)&a, sizeof a);
    umask(before);
    if (err || listen(v->listener, 4)) {
        snprintf(why, n, "no socket at %s: %s", path, strerror(errno));
        return false;
    }
    snprintf(v->path, sizeof v->path, "%s", path);
    snprintf(v->address, sizeof v->address, "%s", path);
    return true;
}

/* Port 0 asks the kernel for any free port; getsockname() then says which.  Only the
 * loopback address is bound, so no other machine can connect. */
static bool open_tcp(struct gdb_server *v, const char *port, char *why, size_t n)
{
    unsigned long nr = strtoul(port, NULL, 10);
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)nr),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    int one = 1;
    v->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(v->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(v->listener, (struct sockaddr *)&a, sizeof a) || listen(v->listener, 4) ||
        getsockname(v->listener, (struct sockaddr *)&a, &len)) {
        snprintf(why, n, "no socket at 127.0.0.1:%lu: %s", nr, strerror(errno));
        return false;
    }
    snprintf(v->address, sizeof v->address, "localhost:%u", ntohs(a.sin_port));
    return true;
}

#define UNIX(where) (strncmp(where, "unix:", 5) == 0)
#define TCP(where)  (strncmp(where, "tcp:", 4) == 0)

/* sun_path of a Unix socket's address has room for 108 bytes on Linux. */
bool gdb_server_address_ok(const char *where, char *why, size_t n)
{
    size_t length = strlen(where + 5 * UNIX(where));
    char *end = NULL;
    if (UNIX(where)) {
        snprintf(why, n, "a socket's path has 1 to %zu characters", SOCKET_PATH_SIZE - 1);
        return length && length < SOCKET_PATH_SIZE;
    }
    if (TCP(where)) {
        snprintf(why, n, "tcp: wants a port from 0 (any that is free) to 65535, not '%s'",
                 where + 4);
        return where[4] >= '0' && where[4] <= '9' && strtoul(where + 4, &end, 10) <= 65535 && !*end;
    }
    snprintf(why, n, "a debugger connects to unix:PATH or tcp:PORT, not to '%s'", where);
    return false;
}

struct gdb_server *gdb_server_open(const char *where, struct gdb_stub *stub, char *why, size_t n)
{
    struct gdb_server *v = calloc(1, sizeof *v);
    snprintf(why, n, "out of memory");
    if (!v)
        return NULL;
    v->stub = stub;
    v->listener = v->client = v->second = -1;
    if (gdb_server_address_ok(where, why, n) &&
        (UNIX(where) ? open_unix(v, where + 5, why, n) : open_tcp(v, where + 4, why, n)))
        return v;
    gdb_server_close(v);
    return NULL;
}

/* The client goes; the guest stays as it is. */
static void hang_up(struct gdb_server *v)
{
    if (v->client < 0)
        return;
    gdb_stub_gone(v->stub);
    close(v->client);
    v->client = -1;
    v->served = true;
}

void gdb_server_close(struct gdb_server *v)
{
    if (!v)
        return;
    hang_up(v);
    if (v->listener >= 0)
        close(v->listener);
    if (v->second >= 0)
        close(v->second);
    if (v->path[0])
        unlink(v->path);
    free(v);
}

const char *gdb_server_address(const struct gdb_server *v) { return v->address; }

/* ---- serving ---- */

/* As much as the socket takes now; the rest stays in the stub.  MSG_NOSIGNAL: a client that
 * has gone is an error and no SIGPIPE. */
static void send_some(struct gdb_server *v)
{
    size_t n;
    const void *bytes = gdb_stub_output(v->stub, &n);
    if (!n || v->client < 0)
        return;
    ssize_t sent = send(v->client, bytes, n, MSG_NOSIGNAL);
    if (sent > 0)
        gdb_stub_sent(v->stub, (size_t)sent);
    else if (errno != EAGAIN && errno != EINTR)
        hang_up(v);
}

/* A client that does not read its answers is not read from either, or it could fill our
 * memory with them. */
static void receive_some(struct gdb_server *v)
{
    static char buf[65536];
    size_t waiting;
    gdb_stub_output(v->stub, &waiting);
    if (waiting > OUT_ENOUGH)
        return;
    ssize_t n = recv(v->client, buf, sizeof buf, 0);
    if (n > 0)
        gdb_stub_input(v->stub, buf, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        hang_up(v);
}

#define LAST_READS 256                  /* of 64 KiB each: more were no last words */

/* Has the client hung up?  Then what it sent last (perhaps a `k`) is still taken, and the
 * next client can have its place at once. */
static void see_off(struct gdb_server *v)
{
    struct pollfd p = { .fd = v->client, .events = POLLRDHUP };
    if (v->client < 0 || poll(&p, 1, 0) <= 0 || !(p.revents & (POLLRDHUP | POLLHUP | POLLERR)))
        return;
    for (int i = 0; v->client >= 0 && i < LAST_READS; i++) {
        size_t n;
        gdb_stub_output(v->stub, &n);
        gdb_stub_sent(v->stub, n);          /* nobody reads it */
        receive_some(v);
    }
    hang_up(v);
}

/* Accept a connection.  TCP_NODELAY: packets are small and each waits for an answer, so the
 * kernel must not delay them to gather more; on a Unix socket setting it fails and does not
 * matter. */
static void welcome(struct gdb_server *v)
{
    int one = 1;
    int fd = accept4(v->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    see_off(v);
    if (v->client >= 0) {
        if (v->second >= 0)
            close(v->second);
        v->second = fd;
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    v->client = fd;
    gdb_stub_connected(v->stub);
}

/* The second client.  gdb prints an error to its user, but only in answer to a packet, and
 * it sends several before it gives up: so each packet (it has a #) gets the same answer
 * until the client hangs up. */
static void refuse(struct gdb_server *v)
{
    static const char busy[] = "+$E.another debugger is attached to this guest#46";
    char words[512];
    ssize_t n = recv(v->second, words, sizeof words, 0);
    bool asks = n > 0 && memchr(words, '#', (size_t)n);
    if (n > 0 && (!asks || send(v->second, busy, sizeof busy - 1, MSG_NOSIGNAL) > 0))
        return;
    close(v->second);
    v->second = -1;
}

/* POLLOUT is asked for only while something is waiting, or poll() would always return at
 * once. */
void gdb_server_fds(const struct gdb_server *v, struct pollfd fds[GDB_SERVER_FDS])
{
    size_t waiting;
    gdb_stub_output(v->stub, &waiting);
    fds[0] = (struct pollfd){ .fd = v->listener, .events = POLLIN };
    fds[1] = (struct pollfd){ .fd = v->client,
                              .events = (short)((waiting > OUT_ENOUGH ? 0 : POLLIN) |
                                                (waiting ? POLLOUT : 0)) };
    fds[2] = (struct pollfd){ .fd = v->second, .events = POLLIN };
}

void gdb_server_take(struct gdb_server *v, const struct pollfd fds[GDB_SERVER_FDS])
{
    if (fds[2].revents)
        refuse(v);
    if (fds[1].revents & ~POLLOUT)
        receive_some(v);
    if (fds[0].revents)
        welcome(v);
}

void gdb_server_give(struct gdb_server *v)
{
    send_some(v);
    if (v->client >= 0 && gdb_stub_wants_close(v->stub) && gdb_server_flushed(v))
        hang_up(v);
}

bool gdb_server_served(const struct gdb_server *v) { return v->served && v->client < 0; }

/* MSG_PEEK leaves the bytes in the socket. */
bool gdb_server_interrupted(const struct gdb_server *v)
{
    char next[64];
    ssize_t n = v->client < 0 ? 0 : recv(v->client, next, sizeof next, MSG_PEEK | MSG_DONTWAIT);
    return n > 0 && gdb_begins_with_interrupt(next, (size_t)n);
}

bool gdb_server_flushed(const struct gdb_server *v)
{
    size_t n;
    gdb_stub_output(v->stub, &n);
    return v->client < 0 || !n;
}
