/*
 * base/trace.h -- the event log: what happened, when, where, and because of what.
 *
 * Every layer writes fixed 64-byte events into one ring in shared memory;
 * only debugger/ reads them.  Emitting never allocates, blocks or changes what
 * the guest can see.  The ring overwrites nothing silently: an event that
 * finds no room is counted in `lost`, exactly.
 *
 * `cause` links make the log answer "why": an event's cause is the seq of the
 * event it answers.  The current cause lives in the trace's context and is
 * moved by trace_enter()/trace_leave() around the work that an event starts.
 */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include "base/types.h"

enum layer { LAYER_BASE, LAYER_MEM, LAYER_CPU, LAYER_IO, LAYER_VM, N_LAYERS };

/*    kind          layer arg 0       arg 1         arg 2      one line */
#define TRACE_LIST(X)                                                                              \
    X(START,        VM,   "engine",   "mmu",        "seed",    "a run begins")                     \
    X(STOP,         VM,   "status",   "why",        "exits",   "a run ends")                       \
    X(MARK,         VM,   "n",        "",           "",        "the guest names a phase of "       \
                                                               "its run")                          \
    X(EXIT,         CPU,  "reason",   "qual",       "extra",   "the guest stopped and the "        \
                                                               "monitor was entered")              \
    X(RESUME,       VM,   "verdict",  "rip",        "host_ns", "the monitor concluded an exit")    \
    X(NESTED_FILL,  MEM,  "gpa",      "size",       "perm",    "an EPT entry was made")            \
    X(NESTED_ZAP,   MEM,  "gpa",      "size",       "",        "EPT entries were removed")         \
    X(SHADOW_FILL,  MEM,  "gla",      "gpa",        "flags",   "hidden fault: a shadow entry "     \
                                                               "was made")                         \
    X(SHADOW_ZAP,   MEM,  "gpa",      "entries",    "",        "shadow of a guest page table "     \
                                                               "was dropped")                      \
    X(SHADOW_ROOT,  MEM,  "cr3",      "cached",     "",        "the guest switched address space") \
    X(FAULT_TRUE,   VM,   "gla",      "error",      "vector",  "a fault of the guest's own, "      \
                                                               "given to it")                      \
    X(IO_READ,      IO,   "port",     "size",       "value",   "a device register was read by IN") \
    X(IO_WRITE,     IO,   "port",     "size",       "value",   "a device register was written "    \
                                                               "by OUT")                           \
    X(MMIO_READ,    IO,   "gpa",      "size",       "value",   "a device register was read as "    \
                                                               "memory")                           \
    X(MMIO_WRITE,   IO,   "gpa",      "size",       "value",   "a device register was written "    \
                                                               "as memory")                        \
    X(UNCLAIMED,    IO,   "address",  "size",       "write",   "an access no device answers")      \
    X(IRQ_LINE,     IO,   "line",     "level",      "",        "a device moved its interrupt pin") \
    X(IRQ_ACK,      IO,   "vector",   "line",       "",        "the PIC gave out a vector")        \
    X(IRQ_EOI,      IO,   "line",     "",           "",        "the guest ended an interrupt")     \
    X(TIMER,        BASE, "deadline", "generation", "",        "a virtual timer fired")            \
    X(INJECT,       VM,   "vector",   "error",      "type",    "the monitor gives the guest "      \
                                                               "an event")                         \
    X(DELIVER,      CPU,  "vector",   "rip",        "error",   "the guest's handler is entered")   \
    X(UNDELIVERED,  CPU,  "vector",   "obstacle",   "at",      "the guest's handler could not "   \
                                                               "be entered")                      \
    X(HYPERCALL,    VM,   "nr",       "arg",        "result",  "the guest asked the monitor "      \
                                                               "by name")                          \
    X(MODE,         CPU,  "from",     "to",         "",        "the CPU changed its operating "    \
                                                               "mode")                             \
    X(ODDITY,       IO,   "what",     "a",          "b",       "the guest did what hardware "      \
                                                               "leaves undefined")                 \
    X(INSN,         CPU,  "changed",  "value",      "rflags",  "an instruction retired; the "      \
                                                               "first register it changed")        \
    X(REG,          CPU,  "register", "value",      "",        "another register that the "        \
                                                               "instruction changed")              \
    X(CUT,          VM,   "back_to",  "insns",      "",        "another future begins: the guest " \
                                                               "was taken back to behind event "   \
                                                               "back_to and changed, or (0) a "    \
                                                               "state was loaded")                 \
    X(STUCK,        VM,   "how",      "where",      "since_ns", "the guest does the same again "  \
                                                               "and again")                        \
    X(INVARIANT,    MEM,  "broken",   "at",         "found",   "in a lab: the student's part "    \
                                                               "breaks its contract")              \
    X(DISK_READ,    IO,   "drive",    "lba",        "sectors", "the guest told a drive to read")   \
    X(DISK_WRITE,   IO,   "drive",    "lba",        "sectors", "the guest told a drive to write")  \
    X(DISK_HOST,    IO,   "offset",   "bytes",      "backing", "what the host did for it: where "  \
                                                               "in the image, or in memory")

enum trace_kind {
#define X(kind, layer, a0, a1, a2, about) TRACE_##kind,
    TRACE_LIST(X)
#undef X
    N_TRACE_KINDS
};

/* Every instruction is a lot: these are logged only if asked for by name. */
#define TRACE_INSN_KINDS    (BIT(TRACE_INSN) | BIT(TRACE_REG))
#define TRACE_DEFAULT_KINDS ((BIT(N_TRACE_KINDS) - 1) & ~TRACE_INSN_KINDS)

/* arg 0 of an INSN: no general register changed. */
#define TRACE_NO_REGISTER   UINT64_C(0xff)

/* What a place in the guest needs besides RIP: the code segment.  `segmented`: people say the place
 * as CS:IP, because IP alone is no address.  That is so in real and virtual-8086 mode, and
 * wherever else the base is not 0.  In 64-bit mode the base counts as 0. */
struct code_segment {
    uint32_t base;
    uint16_t sel;
    bool     segmented;
};

/* Who ran the guest, and whether the event's place is one of the segmented kind. */
struct trace_who {
    uint8_t segmented : 1;
    uint8_t engine : 3;
    uint8_t vcpu : 4;
};

struct trace_event {
    uint64_t seq;           /* from 1; 0 is no event                          */
    uint64_t vtime_ns;      /* virtual time                                   */
    uint64_t icount;        /* retired guest instructions (0 where unknown)   */
    uint64_t place;         /* RIP; or, if who.segmented, 31:0 the linear address and 63:32
                             * the base of CS: see trace_linear() and trace_ip() */
    uint64_t arg[3];
    uint32_t cause_back;    /* seq - cause_back is the cause; 0: none         */
    uint8_t  kind;
    struct trace_who who;
    uint16_t cs;            /* the selector that CS held there                */
};

/* The linear address of the event's place: what page tables and symbols are asked for. */
static inline uint64_t trace_linear(const struct trace_event *e)
{
    return e->who.segmented ? (uint32_t)e->place : e->place;
}

/* The base of CS there; 0 unless the place is said as CS:IP. */
static inline uint32_t trace_cs_base(const struct trace_event *e)
{
    return e->who.segmented ? (uint32_t)(e->place >> 32) : 0;
}

/* The instruction pointer there: an offset in CS. */
static inline uint64_t trace_ip(const struct trace_event *e)
{
    return e->who.segmented ? (uint32_t)(e->place - (e->place >> 32)) : e->place;
}

/* Stamped on every event: vcpu_run() and the clock keep it true.  An engine that logs in the midst
 * of a run has a stamp of its own for that event: vcpu_log_at(). */
struct trace_context {
    uint64_t vtime_ns, icount;
    uint64_t place;         /* with cs and who.segmented: trace_set_place() */
    uint64_t cause;         /* seq of the event being answered, 0: none */
    uint16_t cs;
    struct trace_who who;
};

/* Events that follow are about the instruction at `rip` in the segment *cs. */
static inline void trace_set_place(struct trace_context *c, uint64_t rip,
                                   const struct code_segment *cs)
{
    c->place = cs->segmented ? (uint64_t)cs->base << 32 | (uint32_t)(cs->base + rip) : rip;
    c->cs = cs->sel;
    c->who.segmented = cs->segmented;
}

/* The ring, as it lies in the memfd: one writer, one reader. */
struct trace_ring {
    uint64_t head;          /* seq of the newest event; written by the VMM  */
    uint64_t tail;          /* last seq the reader is done with             */
    uint64_t lost;          /* events that found no room                    */
    uint64_t size;          /* a power of two                               */
    uint64_t written;       /* of a run that is recorded: the last event in its file,  */
    uint64_t written_sum;   /* and the checksum of that block's header (or the file's) */
    uint64_t pad[2];
    struct trace_event event[];
};

struct trace {
    uint64_t             mask;      /* BIT(kind) set: emit it; 0: tracing is off */
    struct trace_context ctx;
    struct trace_ring   *ring;
    uint64_t             room_to;   /* the reader need not be looked at before this seq */
    int                  memfd;
    /* For a reader in the same process, if set: called after every `batch`
     * events, and when the ring is full, before an event is counted lost.
     * It sees to it that ring->tail moves. */
    void               (*drain)(void *arg);
    uint64_t             batch;     /* a power of two; 0: only when the ring is full */
    void                *drain_arg;
    const char *const   *engine_names;
    /* Called with each event of these kinds, if set, from within whatever emits it:
     * it may kick the engine, and nothing else. */
    uint64_t             watched;   /* BIT(kind) */
    void               (*on_event)(void *arg, const struct trace_event *e);
    void                *on_event_arg;
};

/* A ring of n_events (a power of two, at least 4) on a memfd; NULL and errno. */
struct trace *trace_new(size_t n_events);
/* The same in a file, which may stay when we are gone; fd is the trace's, even if it fails. */
struct trace *trace_new_in(int fd, size_t n_events);
void trace_free(struct trace *t);

/* The slow half of trace_emit(). */
uint64_t trace_write(struct trace *t, enum trace_kind kind, uint64_t a0, uint64_t a1, uint64_t a2);

/* Log one event; its seq, or 0 if this kind is off or was lost.  t may be NULL. */
static inline uint64_t trace_emit(struct trace *t, enum trace_kind kind,
                                  uint64_t a0, uint64_t a1, uint64_t a2)
{
    if (!t || !(t->mask & BIT(kind)))
        return 0;
    return trace_write(t, kind, a0, a1, a2);
}

/* What follows is caused by event `seq` (0: leave the cause as it is); returns
 * the cause to go back to.  t may be NULL. */
uint64_t trace_enter(struct trace *t, uint64_t seq);
void trace_leave(struct trace *t, uint64_t old_cause);

struct trace_kind_info {
    const char *name;
    enum layer layer;
    const char *arg[3], *about;
};
extern const struct trace_kind_info trace_kinds[N_TRACE_KINDS];
extern const char *const layer_names[N_LAYERS];

/* The code segment of an event's place. */
static inline struct code_segment trace_code_segment(const struct trace_event *e)
{
    return (struct code_segment){ trace_cs_base(e), e->cs, e->who.segmented };
}

/* The layer that logs events of this kind; N_LAYERS of a kind that this program does not know. */
static inline unsigned trace_layer(unsigned kind)
{
    return kind < N_TRACE_KINDS ? trace_kinds[kind].layer : N_LAYERS;
}

/* The name of that layer; "?" of an unknown kind. */
const char *trace_layer_name(unsigned kind);

/* A place for people: "100006", or "07c0:0009" where it is said as CS:IP.  At most n bytes with
 * the final NUL (PLACE_MAX are enough); returns buf. */
#define PLACE_MAX 32
char *place_text(uint64_t rip, const struct code_segment *cs, char *buf, size_t n);
char *trace_place_text(const struct trace_event *e, char *buf, size_t n);

/* The same for sentences: "rip 0x100006", or "cs:ip 07c0:0009". */
char *place_phrase(uint64_t rip, const struct code_segment *cs, char *buf, size_t n);
char *trace_place_phrase(const struct trace_event *e, char *buf, size_t n);

#endif
