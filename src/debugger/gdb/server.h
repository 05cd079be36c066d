/*
 * debugger/gdb/server.h -- the socket a debugger connects to: "unix:PATH" (mode 0600)
 * or "tcp:PORT" on 127.0.0.1.
 *
 * One client at a time; a second one is told that there is one already and sent away.  No
 * function here blocks.  The program's main loop does this:
 *
 *     gdb_server_fds(v, fds);
 *     poll(fds, GDB_SERVER_FDS, ...);
 *     gdb_server_take(v, fds);             what has come goes to the stub
 *     gdb_stub_news(stub);
 *     gdb_server_give(v);                  and the stub's answers go out
 *
 * A Unix socket is open to its owner alone.  A TCP port is open to every user of this
 * machine, but not to others: the protocol knows no passwords.
 */
#ifndef DEBUGGER_GDB_SERVER_H
#define DEBUGGER_GDB_SERVER_H

#include <poll.h>
#include "base/types.h"

struct gdb_server;
struct gdb_stub;

/* Is `where` of one of the two forms?  If not, `why` gets a sentence. */
bool gdb_server_address_ok(const char *where, char *why, size_t n);

/* Listen at `where` for clients of this stub.  NULL, and a sentence in `why`.
 * gdb_server_close() hangs up, removes the socket's file, and takes NULL too. */
struct gdb_server *gdb_server_open(const char *where, struct gdb_stub *stub, char *why, size_t n);
void gdb_server_close(struct gdb_server *v);

/* What gdb's `target remote` wants: the path, or localhost:PORT. */
const char *gdb_server_address(const struct gdb_server *v);

#define GDB_SERVER_FDS 3
/* What to wait for by poll(). A descriptor of -1 in it is ignored by poll(). */
void gdb_server_fds(const struct gdb_server *v, struct pollfd fds[GDB_SERVER_FDS]);

/* Act on what poll() has found: accept connections, read bytes and give them to the stub. */
void gdb_server_take(struct gdb_server *v, const struct pollfd fds[GDB_SERVER_FDS]);

/* Send what the stub has to send, as far as the socket takes it; then hang up if the stub
 * wants that. */
void gdb_server_give(struct gdb_server *v);

/* Has the client sent an interrupt that was not taken yet?  It stays there. */
bool gdb_server_interrupted(const struct gdb_server *v);

/* Has a client been here, and is none here now? */
bool gdb_server_served(const struct gdb_server *v);

/* Has everything been sent? */
bool gdb_server_flushed(const struct gdb_server *v);

#endif
