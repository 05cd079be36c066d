/*
 * debugger/gdb/stub.h -- GDB's and LLDB's end of a guest: packets in, answers out.
 *
 *     gdb --- socket --- gdb/server.c --- gdb/packet.c --- gdb/stub.c --- link.h --- the VMM
 *
 * The stub runs in the debugger's process and reaches the machine through link.h only, as
 * the console and the TUI do.  So it can answer even if the guest has ended, or the VMM hangs
 * or is gone.  There is no socket here: the owner puts bytes in by gdb_stub_input() and takes
 * them out by gdb_stub_output().
 *
 * A stub is in one of two states:
 *
 *     free       nobody debugs: the guest runs, or waits where it was left
 *     attached   a client has sent more than a greeting: the guest is stopped, or it runs
 *                because the client said so, and the client waits for a stop reply
 *
 * The guest must not suffer from what becomes of the client.  `k` and `D` let it run on; a
 * connection that breaks leaves it as it is, running or stopped, for the next client.
 *
 * Begin reading with the table of packets in gdb/stub.c.  [GDB manual "Remote Protocol"]
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
    /* Asked while an answer takes long: of the bytes that the client has sent and that were
     * not given to gdb_stub_input() yet, is the first an interrupt (0x03)?  NULL: no. */
    bool         (*interrupted)(void *arg);
    void          *arg;
    const char    *guest_path;          /* given to gdb as the program that runs             */
    enum gdb_arch  arch;                /* which registers to describe, if fixed_arch        */
    bool           fixed_arch;          /* else: those of the mode that the CPU is in        */
    bool           cs_ip;               /* the program counter is told as the offset in CS, as
                                           QEMU tells it in 16-bit code, not as linear address */
    bool           last_client;         /* the program ends when the client goes, so that the
                                           guest need not run on                             */
    bool           serves_file;         /* the client may read the guest's file through the
                                           stub, as it must from another machine             */
};

/* The options are copied; what they point to is not, and must outlive the stub.  NULL: out
 * of memory.  gdb_stub_free() takes NULL too. */
struct gdb_stub *gdb_stub_new(const struct gdb_options *o);
void gdb_stub_free(struct gdb_stub *s);             /* s may be NULL */

/* A client has connected (forget everything about the one before); it has hung up (delete
 * its breakpoints, leave the guest as it is). */
void gdb_stub_connected(struct gdb_stub *s);
void gdb_stub_gone(struct gdb_stub *s);

/* Bytes have come from the client: answer the packets in them.  n may end anywhere, also in
 * the middle of a packet. */
void gdb_stub_input(struct gdb_stub *s, const void *bytes, size_t n);

/* Look whether the machine has stopped, and if so send the stop reply that the client waits
 * for.  Call it after each link_poll(). */
void gdb_stub_news(struct gdb_stub *s);

/* Input for the guest has come.  A guest that halts and waits for nothing else
 * (LINK_STARVED) runs on. */
void gdb_stub_wake(struct gdb_stub *s);

/* The bytes to be sent, and *n, how many.  They belong to the stub, and are valid until it
 * is called again.  Tell it by gdb_stub_sent() how many have been sent. */
const void *gdb_stub_output(const struct gdb_stub *s, size_t *n);
void gdb_stub_sent(struct gdb_stub *s, size_t n);

/* The client has detached, or memory ran out: close the connection when all output is sent. */
bool gdb_stub_wants_close(const struct gdb_stub *s);

/* Is somebody attached who may want to look at a guest that has ended, or to run it again?  Then
 * the program should not end yet. */
bool gdb_stub_looking(const struct gdb_stub *s);

/* Has the user typed `monitor quit`? */
bool gdb_stub_quit(const struct gdb_stub *s);

/* Is the guest meant to run, but waits in HLT for input? */
bool gdb_stub_starved(const struct gdb_stub *s);

/* Is the client waiting for a single step to be done? */
bool gdb_stub_steps(const struct gdb_stub *s);

#endif
