/*
 * debugger/vmm/wire.h -- what goes over the wire of link.h.
 *
 * Both ends are the same program, so a message is a C struct without any encoding: a head, and
 * behind it the struct that the type says (or bytes, or on an error a sentence).  The receiver
 * checks its size before anything else.
 *
 *     debugger                                   VMM's process
 *     RUN, id 7, { LINK_STEP, n = 1 }  ------>
 *                                      <------   OUTPUT, id 0, what the guest printed
 *                                      <------   STOPPED, id 0, { LINK_STEPPED, ... }
 */
#ifndef DEBUGGER_VMM_WIRE_H
#define DEBUGGER_VMM_WIRE_H

#include "cpu/delivery.h"
#include "debugger/vmm/protocol.h"
#include "io/vga.h"

#define WIRE_MAX       65536            /* bytes of a whole message */
#define WIRE_REGIONS   16
#define WIRE_VALUES    4096             /* of a device              */

/* The requests.  A RUN may be over before its reply was sent; then there is no reply, and STOPPED
 * stands for it.  An error in the reply's head comes without the body, for some types with a
 * sentence instead (EXPLAINED in serve.c).
 *
 *    request       carries               is answered by */
#define WIRE_LIST(X)                                                     \
    X(RUN,          struct wire_run,      struct wire_none)              \
    X(PAUSE,        struct wire_none,     struct wire_none)              \
    X(STEP_IRQS,    struct wire_peek,     struct wire_none)              \
    X(FOLLOW,       struct wire_peek,     struct wire_none)              \
    X(GET_STATE,    struct wire_none,     struct wire_none)              \
    X(SET_STATE,    struct wire_state,    struct wire_none)              \
    X(WRITE,        struct wire_bytes,    struct wire_none)              \
    X(PEEK,         struct wire_peek,     struct wire_peek)              \
    X(SECOND,       struct wire_peek,     struct link_second)            \
    X(DEVICE,       struct wire_peek,     struct wire_values)            \
    X(BREAK_ADD,    struct link_break,    struct link_break)             \
    X(BREAK_CHANGE, struct link_break,    struct wire_none)              \
    X(BREAK_DELETE, struct link_break,    struct wire_none)              \
    X(BREAK_AT,     struct wire_peek,     struct link_break)             \
    X(TYPE,         struct wire_bytes,    struct wire_peek)              \
    X(SAVE,         struct wire_none,     struct wire_none)              \
    X(LOAD,         struct wire_none,     struct wire_none)              \
    X(QUIT,         struct wire_none,     struct wire_none)

enum wire_type {
#define X(name, in, out) WIRE_##name,
    WIRE_LIST(X)
#undef X
    N_WIRE_REQUESTS,
    WIRE_READY,             /* struct wire_ready, and the regions' memfds            */
    WIRE_FAILED,            /* the machine could not be made: a sentence             */
    WIRE_STOPPED,           /* struct link_stop                                      */
    WIRE_OUTPUT,            /* struct wire_bytes: `to` is which, from the guest      */
    WIRE_RING_FULL,         /* nothing: take events, the VMM is waiting for room     */
};

/* The head of every message. */
struct wire_head {
    uint32_t type;
    uint32_t id;            /* of a request, and of its reply; 0: a notice           */
    int32_t  error;         /* reply: 0 or -errno                                    */
    uint32_t bytes;         /* behind the head                                       */
};

/* The bodies.  struct wire_peek serves the requests that need a number or two: `what`
 * selects (a bus, a device), `at` is an address or an index, `value` is set by whichever
 * side has a number to tell. */
struct wire_none  { char nothing[1]; };
struct wire_run   { uint32_t how; uint64_t n, lo, hi; };
struct wire_state { uint32_t groups; struct cpu_state cpu; };
struct wire_peek  { uint32_t what, size; uint64_t at, value; };
/* These two are sent only as long as they are filled. */
struct wire_bytes { uint32_t to, n; uint64_t at; uint8_t byte[32768]; };
struct wire_values { uint32_t n; uint64_t value[WIRE_VALUES]; };

/* The machine is made: where the debugger finds its memory, and whether the process could
 * be locked in (sandbox_error 0, and what it may still do in `sandbox`). */
struct wire_ready {
    uint32_t n;
    struct { char name[32]; uint64_t base, size, memfd_off; uint32_t kind; } region[WIRE_REGIONS];
    char     about[128];    /* "ELF64, entered in long mode" */
    char     note[256];     /* what the author of the guest's file should know, or empty */
    int32_t  sandbox_error;
    char     sandbox[160];
};

/* In shared memory, written by the VMM at every stop and every millisecond of virtual time.
 * `sequence` is odd while that is done: a reader then tries again, and also if it has
 * changed while the reader copied. */
struct wire_page {
    uint32_t           sequence;
    struct link_status status;
    uint32_t           lacks;           /* ST_ groups of `cpu` that are old: GET_STATE */
    struct cpu_state   cpu;
    struct vga_text    screen;
    struct delivery_chain undelivered;  /* what the engine knows of it; n is 0: nothing    */
};
#define WIRE_PAGE_BYTES ((sizeof(struct wire_page) + PAGE_SIZE - 1) & PAGE_MASK)

#define WIRE_BYTES_HEAD offsetof(struct wire_bytes, byte)

/* Called in the VMM whenever the guest has stopped and the debugger was told. */
void vmm_guest_stopped(void);

/* The VMM's process (vmm.c): makes the machine, tells READY or FAILED, and serves
 * until QUIT.  Runs in the forked child; `trace` and `page` are shared. */
_Noreturn void vmm_serve(const struct link_options *o, int sock, struct trace *trace,
                         struct wire_page *page);

#endif
