/*
 * debugger/gdb/server.h -- the socket a debugger connects to: "unix:PATH" (mode 0600)
 * or "tcp:PORT" on 127.0.0.1.
 *
 * One client at a time; a second is told so and sent away.  Nothing blocks: who
 * owns the program's main loop polls gdb_server_fds() and calls the two functions.
 */
#ifndef DEBUGGER_GDB_SERVER_H
#define DEBUGGER_GDB_SERVER_H

#include <poll.h>
#include "base/types.h"

struct gdb_server;
struct gdb_stub;

/* Has it that form?  If not, a sentence in why. */
bool gdb_server_address_ok(const char *where, char *why, size_t n);

/* NULL, and a sentence in why. */
struct gdb_server *gdb_server_open(const char *where, struct gdb_stub *stub, char *why, size_t n);
void gdb_server_close(struct gdb_server *v);            /* v may be NULL */

/* What gdb's `target remote` wants: the path, or localhost:PORT. */
const char *gdb_server_address(const struct gdb_server *v);

/* What to wait for; those with a descriptor of -1 are for poll() to skip.  How many: */
#define GDB_SERVER_FDS 3
void gdb_server_fds(const struct gdb_server *v, struct pollfd fds[GDB_SERVER_FDS]);

/* Take what poll() has said of them: connections and bytes. */
void gdb_server_take(struct gdb_server *v, const struct pollfd fds[GDB_SERVER_FDS]);

/* Send what there is to send. */
void gdb_server_give(struct gdb_server *v);

/* Is the next thing that it says the interrupt?  It stays to be taken. */
bool gdb_server_interrupted(const struct gdb_server *v);

/* A client has come, and none is here any more. */
bool gdb_server_served(const struct gdb_server *v);

/* Everything has left. */
bool gdb_server_flushed(const struct gdb_server *v);

#endif
