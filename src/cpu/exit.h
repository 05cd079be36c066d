/*
 * cpu/exit.h -- the one language in which engines tell why the guest stopped.
 *
 * An engine runs guest code until the monitor is needed.  It then fills in a
 * struct vmexit: the reason, where the guest was, and the facts that belong to
 * that reason.  A handler of the monitor (vm/exits.c) reads the record, writes
 * the members marked (out) and returns a verdict.  No handler moves RIP: the
 * engine's conclude() does, according to the verdict.
 *
 * Reasons are numbered and named as the VMX basic exit reasons [SDM 3D "VMX
 * Basic Exit Reasons"]; from 0x8000 on they are ours.  Only reasons that some
 * engine really raises are listed.  A processor has more of them, for what our
 * machine does not have (an XSETBV, the VMX preemption timer), or for what the
 * host's kernel takes care of (host interrupts).
 *
 * Begin with EXIT_LIST, then struct vmexit.  How a record becomes the two words
 * of a trace event is in exit.c, how it becomes a line for people in exit_text.c.
 */
#ifndef CPU_EXIT_H
#define CPU_EXIT_H

#include "base/bytes.h"
#include "base/trace.h"
#include "base/types.h"

/*    nr      name           family    payload     one line, for `stat` and the slides          */
#define EXIT_LIST(X)                                                                             \
    X(0x00,   EXCEPTION,     FAULT,    fault,      "an exception or NMI the monitor asked for")  \
    X(0x02,   TRIPLE_FAULT,  CHANGE,   chain,      "a fault while delivering a double fault")    \
    X(0x07,   IRQ_WINDOW,    CHANGE,   none,       "the guest can take an interrupt now")        \
    X(0x0a,   CPUID,         REQUEST,  cpuid,      "CPUID")                                      \
    X(0x0c,   HLT,           CHANGE,   none,       "nothing to do until an interrupt")           \
    X(0x0e,   INVLPG,        REQUEST,  page,       "one page forgotten by the guest")            \
    X(0x10,   RDTSC,         REQUEST,  msr,        "RDTSC or RDTSCP")                            \
    X(0x12,   VMCALL,        REQUEST,  call,       "the guest calls the monitor by name")        \
    X(0x1c,   CR_ACCESS,     REQUEST,  cr,         "MOV to or from a control register")          \
    X(0x1d,   DR_ACCESS,     REQUEST,  cr,         "MOV to or from a debug register")            \
    X(0x1e,   IO,            REQUEST,  io,         "IN or OUT, one element")                     \
    X(0x1f,   RDMSR,         REQUEST,  msr,        "RDMSR")                                      \
    X(0x20,   WRMSR,         REQUEST,  msr,        "WRMSR")                                      \
    X(0x25,   MTF,           CHANGE,   none,       "monitor trap flag: one instruction done")    \
    X(0x30,   EPT_VIOLATION, FAULT,    page,       "a guest-physical address not mapped so")     \
    X(0x31,   EPT_MISCONFIG, FAULT,    page,       "an EPT entry that no processor accepts")     \
    X(0x36,   WBINVD,        REQUEST,  none,       "WBINVD or INVD")                             \
    X(0x8000, KICKED,        CHANGE,   none,       "another thread asked the vCPU to stop")      \
    X(0x8001, BUDGET,        CHANGE,   none,       "the instruction budget is used up")          \
    X(0x8002, UNHANDLED,     FAILURE,  fail,       "something this engine cannot do")            \
    X(0x8003, HOST,          FAILURE,  fail,       "the host refused")                           \
    X(0x8004, MMIO,          REQUEST,  mmio,       "an access to a device's memory, decoded")    \
    X(0x8005, BREAKPOINT,    CHANGE,   breakpoint, "a debugger's breakpoint or watchpoint")

enum exit_reason {
#define X(nr, name, family, payload, about) EXIT_##name = nr,
    EXIT_LIST(X)
#undef X
};

/* Dense index of each reason, for tables: EXIT_LIST order. */
enum exit_index {
#define X(nr, name, family, payload, about) EXIT_IDX_##name,
    EXIT_LIST(X)
#undef X
    N_EXITS
};

/* What the exit is to the guest: a fault of its memory accesses, a change in how it runs,
 * an instruction that asks the monitor for something, or the end of what can be done. */
enum exit_family { FAMILY_FAULT, FAMILY_CHANGE, FAMILY_REQUEST, FAMILY_FAILURE };

/* Which member of the union in struct vmexit a reason uses. */
enum exit_payload {
    PAYLOAD_none, PAYLOAD_fault, PAYLOAD_cpuid, PAYLOAD_page, PAYLOAD_mmio, PAYLOAD_io, PAYLOAD_cr,
    PAYLOAD_msr, PAYLOAD_call, PAYLOAD_fail, PAYLOAD_breakpoint, PAYLOAD_chain, N_PAYLOADS
};

struct exit_info {
    unsigned          reason;
    const char       *name;
    enum exit_family  family;
    enum exit_payload payload;
    const char       *about;
};
extern const struct exit_info exit_infos[N_EXITS];

/* Index into exit_infos, or -1 if no exit has this number. */
int exit_index(unsigned reason);
const char *exit_name(unsigned reason);         /* "?" if there is no such exit */
enum exit_payload exit_payload_of(unsigned reason);     /* PAYLOAD_none if there is no such exit */

enum verdict {
    RETIRE,         /* emulated: write results to the guest, advance past it   */
    RETRY,          /* the cause is repaired: execute it again                 */
    REFLECT,        /* the guest's own business: deliver x->reflect            */
    STOP,           /* the monitor cannot or must not go on                    */
};
extern const char *const verdict_names[4];

/*
 * Something to deliver through the guest's IDT.  The types are those a VMCS has
 * for injection.  [SDM 3C "VM-Entry Controls for Event Injection"]
 *
 * INT3 and INTO raise a *software exception*: it is an instruction's doing, so
 * the gate's DPL is checked, and the handler returns behind the instruction,
 * which is `len` bytes long.  INT1 ("privileged software exception") returns
 * behind the instruction as well, but is delivered like a hardware exception.
 */
enum event_type { EVENT_NONE, EVENT_IRQ, EVENT_NMI, EVENT_EXCEPTION, EVENT_SOFTWARE, EVENT_INT1,
                  N_EVENT_TYPES };
extern const char *const event_type_names[N_EVENT_TYPES];

struct event {
    enum event_type type;
    uint8_t  vector;
    uint8_t  len;               /* EVENT_SOFTWARE, EVENT_INT1: of the instruction, in bytes */
    bool     has_error;
    uint32_t error;
    gla_t    cr2;               /* for #PF */
};

/* Bits 2:0 of the qualification.  [SDM 3C "Exit Qualification for EPT Violations"] */
enum { ACCESS_R = 1, ACCESS_W = 2, ACCESS_X = 4 };

enum cr_access { CR_MOV_TO, CR_MOV_FROM, CR_CLTS, CR_LMSW };

struct vmexit {
    enum exit_reason reason;
    uint64_t rip;               /* of the instruction that caused it            */
    struct code_segment cs;     /* that it lies in                              */
    uint64_t raw;               /* the engine's own code for it                 */
    uint8_t  len;               /* instruction length; 0: not known             */
    uint8_t  bytes[15];         /* its bytes, `len` of them                     */
    union {
        struct { uint8_t vector; bool has_error; enum event_type type; uint32_t error;
                 gla_t gla; /* of a #PF */ } fault;
        struct { uint32_t leaf, subleaf, eax, ebx, ecx, edx; /* e?x: (out) */ } cpuid;
        struct { gla_t gla; gpa_t gpa; uint8_t access, perm; bool in_walk; } page;
        struct { gpa_t gpa; uint64_t value; /* (out) on read */ uint8_t size; bool write; } mmio;
        struct { uint64_t value; /* (out) on in */ gla_t gla; uint16_t port; uint8_t size;
                 bool in, string, rep; } io;
        struct { uint64_t value; /* (out) on MOV_FROM */ uint8_t nr; enum cr_access type;
                 uint8_t gpr; } cr;
        struct { uint64_t value; /* (out) on RDMSR, RDTSC */ uint32_t index; } msr;
        struct { uint64_t nr, arg[4], result; /* (out) */ } call;
        struct { int error; const char *what; } fail;
        /* A code stop is told before the instruction at `at`.  A data stop is told after the
         * access: `index` is its place in debug_stops.data, `more` says that the same instruction
         * touched another one, which the next run() tells of.  A magic one is told before the
         * instruction that follows it. */
        struct { gla_t at; uint32_t index; bool data, more, magic; } breakpoint;
        /* The way to a triple fault in short (cpu/delivery.h): n deliveries failed, those of
         * vector[0] to vector[n - 1], the first of which was at `rip`.  n is 0 if the engine
         * cannot see them. */
        struct { uint64_t rip; uint8_t n, vector[4]; uint8_t type /* enum event_type */,
                 obstacle /* enum obstacle */; /* both of the first */ } chain;
    };
    struct event reflect;       /* (out) with REFLECT */
};

/* The exit qualification and the second word of a TRACE_EXIT event; doc/trace.md describes
 * them for each reason. */
uint64_t exit_qualification(const struct vmexit *x);
uint64_t exit_extra(const struct vmexit *x);

/* The inverse: fill in *x as far as the two words tell it.  The words may come from a damaged or
 * hostile file; whatever they are, *x is one that exit_describe() can print. */
void exit_unpack(unsigned reason, uint64_t qual, uint64_t extra, struct vmexit *x);

/* One line for people: "IO out 0x3f8 size 1 value 0x41".  At most n bytes with the final NUL;
 * returns buf. */
char *exit_describe(const struct vmexit *x, char *buf, size_t n);

/* For snapshots.  A saved event of a type that does not exist is loaded as EVENT_NONE. */
void event_save(struct bytes_out *o, const struct event *e);
void event_load(struct bytes_in *in, struct event *e);

/* "#PF" for 14, as the manual writes it; "vector" for those that are no exception. */
const char *exit_vector_name(unsigned vector);

/* A handler's "deliver this exception to the guest": fills in x->reflect (cr2 apart) and returns
 * REFLECT.  If x is EXIT_EXCEPTION with this vector, it is delivered as the event that it was. */
enum verdict exit_reflect(struct vmexit *x, uint8_t vector, bool has_error, uint32_t error);

#endif
