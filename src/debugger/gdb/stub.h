/*
 * debugger/gdb/stub.h -- GDB's and LLDB's end of a guest: packets in, answers out.
 *
 *     gdb --- socket --- gdb/server.c --- gdb/packet.c --- gdb/stub.c --- link.h --- the VMM
 *
 * It runs in the debugger's process and asks the machine for nothing but what
 * link.h gives the console and the TUI: a guest that ended, a VMM that hangs or
 * is gone, all have answers.  No socket here: bytes come by gdb_stub_input(),
 * and go from gdb_stub_output().
 *
 *     free       nobody debugs: the guest runs, or waits where it was left
 *     attached   a client has asked for more than a greeting: the guest is
 *                stopped, or runs because the client said so and wants a
 *                stop reply
 *
 * What a client may do to the guest is what its user types; what becomes of
 * the client is nothing to the guest.  `k` and `D` let it run on; a connection
 * that breaks leaves it as it is, running or stopped, for the next.
 *
 * Begin reading with the table in gdb/stub.c.
 */
#ifndef DEBUGGER_GDB_STUB_H
#define DEBUGGER_GDB_STUB_H

#include "debugger/symbols/gdb_regs.h"

struct link;
struct gdb_stub;
struct debuginfo;
struct symbols;

struct gdb_options {
    struct link   *link;
    const struct symbols *symbols;      /* for `monitor`; may be NULL                        */
    struct debuginfo *info;             /* likewise                                          */
    /* What has come from the client and was not given to gdb_stub_input() yet: does it begin
     * with the interrupt?  Asked while an answer takes long.  NULL: no.               */
    bool         (*interrupted)(void *arg);
    void          *arg;
    const char    *guest_path;          /* given to gdb as the program that runs             */
    enum gdb_arch  arch;                /* with fixed_arch: this description for ever        */
    bool           fixed_arch;
    bool           last_client;         /* when the client goes the guest will end: it need not
                                           run on                                            */
    bool           serves_file;         /* the client may be on another machine: it reads the
                                           guest's file through us                           */
};

/* The options are copied; what they point to is not.  NULL: out of memory. */
struct gdb_stub *gdb_stub_new(const struct gdb_options *o);
void gdb_stub_free(struct gdb_stub *s);             /* s may be NULL */

/* A client has come; it has gone. */
void gdb_stub_connected(struct gdb_stub *s);
void gdb_stub_gone(struct gdb_stub *s);

/* Bytes from it. */
void gdb_stub_input(struct gdb_stub *s, const void *bytes, size_t n);

/* Look whether the machine has stopped: call it after link_poll(). */
void gdb_stub_news(struct gdb_stub *s);

/* Input for the guest has come: one that waits in HLT for nothing else runs on. */
void gdb_stub_wake(struct gdb_stub *s);

/* What is to be sent; then how much of it was. */
const void *gdb_stub_output(const struct gdb_stub *s, size_t *n);
void gdb_stub_sent(struct gdb_stub *s, size_t n);

/* The client has said good-bye (or went mad): close after what is to be sent. */
bool gdb_stub_wants_close(const struct gdb_stub *s);

/* Does somebody look at the machine, who may want to go on doing so though it has
 * ended?  Has the user asked, by `monitor quit`, for the end? */
bool gdb_stub_looking(const struct gdb_stub *s);
bool gdb_stub_quit(const struct gdb_stub *s);

/* The guest is meant to run, but waits in HLT for input; it makes a single step just now. */
bool gdb_stub_starved(const struct gdb_stub *s);
bool gdb_stub_steps(const struct gdb_stub *s);

#endif
