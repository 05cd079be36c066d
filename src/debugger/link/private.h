/*
 * debugger/link/private.h -- what link.c, link/ask.c, link/memory.c and link/start.c share.
 */
#ifndef DEBUGGER_LINK_PRIVATE_H
#define DEBUGGER_LINK_PRIVATE_H

#include "debugger/link/link.h"
#include "debugger/vmm/wire.h"

#define RING_EVENTS 65536
#define WIRE_ANY SIZE_MAX               /* the caller checks the answer's size itself */

struct text_queue { char byte[65536]; size_t n; };

struct link {
    pid_t             pid;
    int               sock, words_fd, epoll, patience_ms;
    uint32_t          id;               /* of the latest request */
    int               send_fd;          /* goes with the next one; -1: none */
    char              refusal[200];
    enum link_state   state;
    enum link_run     how;              /* it was sent running last               */
    struct link_stop  stop;
    unsigned          news;             /* seen while an answer was waited for */
    bool              going;            /* RUN waits for its answer, which a stop is too */
    bool              killed, held;     /* held: by us, who traces it */
    uint64_t          follow;           /* exits before which to stop */
    int               stat_fd;          /* /proc/PID/stat of a VMM that may be traced; else -1 */
    struct trace     *trace;
    struct wire_page *page;
    struct store     *store;
    struct text_queue output[N_LINK_OUTPUTS], words;
    size_t            n_regions;
    struct gmem_region region[WIRE_REGIONS];
    char              region_name[WIRE_REGIONS][32];
    struct { struct wire_head head; union {
        struct wire_peek peek; struct wire_bytes bytes; struct wire_values values;
        struct link_break brk; struct link_second second; struct wire_ready ready;
        struct link_stop stop; char text[400];
    }; } in;
};

/* Send a request and wait.  The answer is in l->in; `bytes` is what it must have if it is no
 * error. */
int link_ask(struct link *l, enum wire_type type, const void *body, size_t n, size_t bytes);
int link_ask_nothing(struct link *l, enum wire_type type);
/* Why: the sentence that came with a refusal, or one of our own; returns err. */
int link_refused(struct link *l, int err, char *why, size_t n);

/* Text that came over the wire: ended, and printable. */
void link_clean(char *text, size_t n);

/* LINK_NEWS_ bits. */
unsigned link_take_events(struct link *l);      /* out of the ring          */
unsigned link_read_words(struct link *l);       /* out of the VMM's stderr  */
unsigned link_note_death(struct link *l);

#endif
