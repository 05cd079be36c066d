/*
 * debugger/link/private.h -- what link.c, link/ask.c, link/memory.c and link/start.c share.
 */
#ifndef DEBUGGER_LINK_PRIVATE_H
#define DEBUGGER_LINK_PRIVATE_H

#include "debugger/link/link.h"
#include "debugger/vmm/wire.h"

#define RING_EVENTS 65536
#define WIRE_ANY SIZE_MAX               /* the caller checks the answer's size itself */

/* The latest 64 KiB of some text; older bytes are dropped. */
struct text_queue { char byte[65536]; size_t n; };

struct link {
    pid_t             pid;
    int               sock;             /* requests, answers and notices: vmm/wire.h */
    int               words_fd;         /* the VMM's stderr, a pipe */
    int               epoll;            /* of those two: what link_fd() gives out */
    int               patience_ms;      /* how long to wait for an answer */
    uint32_t          id;               /* of the latest request; 0 would be a notice */
    int               send_fd;          /* a file to send with the next request; -1: none */
    char              refusal[200];     /* link_refusal() */
    enum link_state   state;
    enum link_run     how;              /* of the latest request to run */
    struct link_stop  stop;
    unsigned          news;             /* LINK_NEWS_ bits seen while awaiting an answer */
    bool              going;            /* a RUN awaits its answer; a stop is one, too */
    bool              killed;           /* by link_kill() */
    bool              held;             /* link_hold(): our own ptrace() has stopped the VMM */
    uint64_t          follow;           /* exits before which to stop */
    int               stat_fd;          /* /proc/PID/stat of a VMM that may be traced; else -1 */

    /* Shared with the VMM's process, which writes them. */
    struct trace     *trace;            /* the ring of events */
    struct wire_page *page;             /* registers, counts, the screen's shape */

    struct store     *store;            /* events taken out of the ring */
    struct { uint64_t seen; struct trace_event told; } stuck;   /* link_take_stuck() */
    struct text_queue output[N_LINK_OUTPUTS], words;

    struct disk_image disk[MAX_DISKS];  /* which disks the machine has */

    /* Guest memory: what READY has told of it. */
    size_t            n_regions;
    struct gmem_region region[WIRE_REGIONS];
    char              region_name[WIRE_REGIONS][32];

    /* The message that came last. */
    struct { struct wire_head head; union {
        struct wire_peek peek; struct wire_bytes bytes; struct wire_values values;
        struct link_break brk; struct link_second second; struct wire_ready ready;
        struct link_stop stop; char text[400];
    }; } in;
};

/* Send a request and wait for its answer, which is then in l->in.  `bytes` is the size that
 * a successful answer must have, or WIRE_ANY. 0, the VMM's own -errno, or -EBADMSG
 * (malformed), -ESRCH (dead), -ETIMEDOUT (no answer), -EAGAIN (held by a tracer). */
int link_ask(struct link *l, enum wire_type type, const void *body, size_t n, size_t bytes);
/* The same for a request that carries no data and whose answer carries none. */
int link_ask_nothing(struct link *l, enum wire_type type);
/* Put the reason of a refusal into `why`: the sentence that came with the answer if there
 * is one, else one of our own about err.  Returns err, so that a caller can return it too. */
int link_refused(struct link *l, int err, char *why, size_t n);

/* Make text that came over the wire safe to print: it ends within n bytes, and control
 * characters become `?`. */
void link_clean(char *text, size_t n);

/* Each does its part of link_poll() and returns LINK_NEWS_ bits: empty the trace ring into
 * the store, read the VMM's stderr, note that the VMM has ended. */
unsigned link_take_events(struct link *l);      /* out of the ring          */
unsigned link_read_words(struct link *l);       /* out of the VMM's stderr  */
unsigned link_note_death(struct link *l);

#endif
