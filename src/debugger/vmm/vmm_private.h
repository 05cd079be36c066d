/*
 * debugger/vmm/vmm_private.h -- the VMM's process as one struct, and what its five files
 * offer each other.  No file outside debugger/vmm/ includes this, and run control (control.c,
 * stops.c) and going back (reverse.c) do not either: they know a machine, not a process.
 *
 *   vmm.c     the main loop: serve requests while the guest stands still, let it run, tell
 *             the debugger why it stopped.  Begin here.
 *   start.c   the beginning: build the machine, give up rights, tell the debugger
 *   hooks.c   what the running machine asks for: input, sleep, room for output and events
 *   serve.c   one function for each request of the debugger's
 *   wire.c    messages, and the page of shared memory with the guest's state
 */
#ifndef DEBUGGER_VMM_VMM_PRIVATE_H
#define DEBUGGER_VMM_VMM_PRIVATE_H

#include "base/host.h"
#include "debugger/vmm/control.h"
#include "debugger/vmm/reverse.h"
#include "debugger/vmm/wire.h"
#include "vm/host_io.h"

#define TYPED_MAX 4096                  /* bytes that wait for the guest to take them */

/* Bytes in the order in which they came; the first is at `head`. */
struct typed { uint8_t byte[TYPED_MAX]; size_t head, n; };

/* A request or a reply, as it goes over the socket.
 *
 * The union has one member for each type of body in wire.h; head.type says which is meant.
 * `text` is the sentence that explains a refusal. */
struct message {
    struct wire_head head;
    union {
        struct wire_run run; struct wire_state state; struct wire_peek peek;
        struct wire_bytes bytes;
        struct wire_values values; struct link_break brk; struct link_second second;
        struct wire_ready ready; struct link_stop stop; char text[400];
    };
};

/* One per process, in vmm_serve().  Only the process's single thread touches it. */
struct vmm {
    const struct link_options *o;       /* as the debugger filled them in before the fork      */
    struct trace     *trace;
    struct vm        *vm;
    struct host_io    io;
    struct control   *control;
    struct reverse   *reverse;

    /* What the guest is doing, as the debugger knows it. */
    enum link_state   state;
    bool              inside_turn;      /* stopped between an exit and its answer              */
    bool              starved;          /* halted, and only input could ever wake it           */
    uint64_t          follow;           /* BIT(exit index): stop before these are answered     */

    /* What the debugger has asked for and not got yet. */
    bool              request_waits;    /* the turns of the loop are to end soon               */
    bool              pause_asked;
    bool              all_state_asked;  /* GET_STATE: publish slow registers too, until it runs */
    uint32_t          unanswered_run;   /* the id of a RUN without its reply yet; 0: none      */
    struct typed      typed[2];         /* by enum link_input                                  */

    /* The wire. */
    int               sock;
    int               fd;               /* came with the request being served; -1: none        */
    struct wire_page *page;
    uint64_t          heartbeat;        /* how often the page was written                      */
    struct { uint8_t byte[1024]; size_t n; } output[N_LINK_OUTPUTS];    /* not yet sent        */
    struct message    in, out;
};

/* ---- wire.c ---- */

/* Send one message: type (a request's, if this is its reply, with that request's id; or one of
 * the notices behind N_WIRE_REQUESTS with id 0), error 0 or -errno, and a body of so many bytes
 * (NULL, 0: none).  If the debugger is gone the process ends. */
void wire_send(struct vmm *m, uint32_t type, uint32_t id, int error, const void *body,
               size_t bytes);

/* READY, with the descriptors of guest memory: r->n of them, one for each region and in the
 * same order.  They go as ancillary data of the message, so that the debugger can map the same
 * memory [Linux unix(7), "Ancillary messages"]. */
void wire_send_ready(struct vmm *m, const struct wire_ready *r, const int *fd);

/* Send the reply to the RUN that is under way, if it has none yet. */
void wire_answer_run(struct vmm *m);

/* Send on what the guest has printed.  put: collect one byte of it. */
void wire_flush_output(struct vmm *m);
void wire_put_output(struct vmm *m, enum link_output which, uint8_t byte);

/* Does a request wait?  If not, wait for one, timeout_ms milliseconds at most (0: not at all). */
bool wire_request_waits(struct vmm *m, int timeout_ms);

/* Receive a request into m->in, and a file that came with it into m->fd, which is then the
 * caller's to close.  0; -EINTR; or -EBADMSG if it is not of the length that its type has.
 * If the debugger is gone the process ends. */
int wire_receive(struct vmm *m);

/* Write the guest's state into the shared page. */
void wire_publish(struct vmm *m);

/* ---- serve.c ---- */

/* Receive one request, do it, answer it. */
void serve_one(struct vmm *m);

/* ---- hooks.c ---- */

/* Have the machine's hooks call this process.  hooks_set() fills in those that are part of *c and
 * must be called before vm_new(); hooks_attach() gives the machine that then exists its input and
 * the log it is recorded in, so m->vm and m->reverse must be there. */
void hooks_set(struct vmm *m, struct vm_config *c);
void hooks_attach(struct vmm *m);

/* ---- start.c ---- */

/* Build the machine, tell READY; without success tell FAILED and end the process. */
void make_machine(struct vmm *m);

/* ---- vmm.c ---- */

/* The guest has stopped: publish its state and tell the debugger why. */
void vmm_tell_stop(struct vmm *m, const struct link_stop *why);

/* Going back takes long; end it where the guest is then, and tell that. */
void vmm_give_up_way_back(struct vmm *m);

/* An exit is about to be answered: stop here, in the midst of a turn, if the debugger follows
 * exits of this kind. */
void vmm_before_answer(struct vmm *m, const struct vmexit *x);

#endif
