/*
 * debugger/vmm/protocol.h -- the words that a debugger and the VMM's process share: how the
 * guest is sent running, why it has stopped, what a breakpoint is.
 *
 * The debugger calls link/link.h, which puts these structs into messages (wire.h);
 * the VMM's process acts on them (vmm.c, control.c, stops.c).  They are named link_
 * because they are what the link between the two carries.
 */
#ifndef DEBUGGER_VMM_PROTOCOL_H
#define DEBUGGER_VMM_PROTOCOL_H

#include <sys/types.h>
#include "cpu/state.h"
#include "vm/vm.h"

struct debuginfo;
struct symbols;

/* What the VMM's process is started with. */
struct link_options {
    struct vm_config    machine;        /* its hooks and sinks are not looked at          */
    struct load_request guest;
    uint64_t            kinds;          /* of events: BIT(kind); 0: TRACE_DEFAULT_KINDS   */
    const char         *trace_path;     /* where the trace goes; NULL: a file without a name */
    const char         *trace_info;     /* as in store_record(); NULL: none               */
    bool                paced;          /* a halted guest sleeps as long as its clock says
                                           (somebody is watching); else time jumps        */
    uint64_t            checkpoint_bytes;   /* memory for going back; 0: 256 MiB          */
    bool                no_sandbox;     /* keep the process's rights: its sandbox would be in
                                           the way of somebody who debugs the monitor     */
    pid_t               tracer;         /* this process and its children may ptrace the VMM, and
                                           stop it at any time; 0: as the host allows     */
    const struct symbols *symbols;      /* for names in conditions; may be NULL           */
    struct debuginfo   *info;           /* for variables in them; may be NULL             */
};

/* The guest as the debugger knows it.  ENDED: it will not go on, but can still be looked at
 * and taken back.  DEAD: its process is gone, and with it everything. */
enum link_state { LINK_STOPPED, LINK_RUNNING, LINK_ENDED, LINK_DEAD };

/* Why it is not running. */
struct link_stop {
    enum link_stop_why {
        LINK_AT_START,                  /* before the first instruction              */
        LINK_PAUSED,
        LINK_STARVED,                   /* it has halted, and only input will wake it */
        LINK_STEPPED,                   /* what link_run() was asked for is done     */
        LINK_BREAK,                     /* breakpoint number `nr`                    */
        LINK_AT_BEGINNING,              /* going back: nothing is recorded before    */
        LINK_AT_EXIT,                   /* link_follow(): before exit `seq` is answered, in the
                                           midst of an instruction                   */
        LINK_GUEST_ENDED,               /* vm_stop says how                          */
        LINK_DIED,                      /* the VMM is gone                           */
    } why;
    unsigned     nr;
    uint64_t     seq;                   /* LINK_BREAK on an event, LINK_AT_EXIT: which; else 0 */
    uint64_t     address;               /* LINK_BREAK on data: where it was touched  */
    enum vm_stop vm_stop;
    int          status;                /* of the guest, once it ended               */
    char         text[240];             /* all that in a sentence without a full stop */
};

/* How the guest is to run. */
enum link_run {
    LINK_FREE,                          /* until something stops it                            */
    LINK_STEP,                          /* n instructions; of a REP each iteration is one, a taken
                                           interrupt's first instruction counts                */
    LINK_STEP_EXIT,                     /* n exits, each answered and concluded                */
    LINK_FINISH,                        /* until the current function or handler has returned  */
    LINK_NEXT,                          /* one instruction, with all that it calls; all rounds of
                                           a REP or LOOP                                       */
    LINK_STEP_RANGE,                    /* link_run_range()                                    */

    /* Back, as far as the recording reaches (doc/reverse.md); -ENOTSUP: not with this
     * engine.  From LINK_ENDED too.  A pause leaves the guest where it was. */
    LINK_REVERSE_STEP,                  /* n instructions back                                 */
    LINK_REVERSE_CONTINUE,              /* to the last time something would have stopped it    */
    LINK_REVERSE_NEXT,                  /* one instruction, with all that it called            */
    LINK_REVERSE_FINISH,                /* before the call (or interrupt) of the current function,
                                           which begins at address n                          */
    LINK_TO_INSN,                       /* to where n instructions had been retired, either way */
    LINK_TO_EVENT,                      /* to the end of the turn in which event n happened    */
    LINK_TO_BEGIN,                      /* to where the recording begins                       */
    LINK_TO_NOW,                        /* to the newest point there is: whence one went back  */
    N_LINK_RUNS,
};
#define LINK_IS_BACK(how) ((how) >= LINK_REVERSE_STEP)

/* Guest and monitor side by side: the guest stops before the monitor answers one of
 * these exits (BIT of its index in exit_infos). */
#define LINK_FOLLOW_ALL UINT64_MAX      /* all that the guest itself has caused */

/* The groups of registers that every stop brings along. */
#define LINK_CORE (ST_GPRS | ST_SEGS | ST_CRS)

/* Numbers that live in the state page (wire.h), of the same moment as the registers there. */
struct link_status {
    uint64_t icount, vtime_ns;
    uint64_t n_exits, n_irqs;
    uint64_t exits_by[N_EXITS];
    uint64_t heartbeat;                 /* turns of the run loop: does it move?      */
    bool     halted;                    /* in HLT                                     */
    uint64_t mmu[8];                    /* --mmu shadow: the fields of shadow_stats, in order;
                                           nested: [0] is the number of entries      */
    struct event injected;              /* waits to be delivered as the guest goes on */
    struct link_past {
        bool     ok;                    /* going back is possible                     */
        bool     inside;                /* the guest is in the past: what it does is known,
                                           makes no events and prints nothing         */
        bool     by_exit;               /* in exits: the engine counts no instructions */
        uint64_t seq;                   /* the last event before where the guest stands */
        uint64_t begin_progress, begin_seq;     /* how far back the recording reaches */
        uint64_t newest_progress, newest_seq;   /* and how far forward                */
        uint64_t checkpoints, bytes, max_bytes; /* kept in memory                     */
        uint64_t inputs;                /* what came from outside, recorded; by exit, exits too */
        uint64_t done, total;           /* of a way back that is under way: instructions
                                           executed again so far, and to execute;
                                           total 0: none is                          */
    } past;
};

/* How the hardware translates an address: the entries of the monitor's own table.  With
 * --mmu nested these are EPT entries, found by a guest-physical address; with --mmu shadow
 * they are entries of the shadow page tables, found by a linear one. */
struct link_second {
    bool     is_shadow, ok;             /* ok: mapped                                */
    unsigned perm;                      /* nested: EPT_R/W/X; shadow: PF_W, PF_U, PF_I of
                                           the leaf                                  */
    uint64_t page_size;
    uint64_t hva;                       /* in the VMM's process                      */
    unsigned depth;                     /* entries that were read on the way         */
    struct { unsigned level; uint64_t entry; } step[4];     /* the root's first      */
};

/* What the guest writes, and where what the user types goes. */
enum link_output { LINK_SERIAL, LINK_DEBUGCON, N_LINK_OUTPUTS };
enum link_input { LINK_TO_SERIAL, LINK_TO_KEYBOARD };

/*
 * Breakpoints: any number, invisible to the guest, in the VMM's process
 *
 *     BREAK_CODE    before the instruction at linear address `at`; before paging
 *                   and through loaders too, for nothing is written anywhere
 *     BREAK_DATA    after an instruction that wrote (or, by `access`, read)
 *                   any of [at, at + len), or with BREAK_CHANGE changed it
 *     BREAK_EVENT   after the turn in which an event happened that `event`
 *                   is true of: debugger/trace/filter.h has the language.  Every
 *                   port, MMIO, exit, interrupt, MARK, mode switch is one.
 */
enum break_kind { BREAK_CODE, BREAK_DATA, BREAK_EVENT, N_BREAK_KINDS };
enum { BREAK_READ = ACCESS_R, BREAK_WRITE = ACCESS_W, BREAK_CHANGE = 8 };

/* Room for conditions in gdb's byte code (gdb_agent.h). */
#define LINK_AGENT_BYTES 512

/* One breakpoint, as it is asked for and as it is told.  Fixed in size: it goes over the wire. */
struct link_break {
    uint32_t nr;                        /* from 1; given by link_break_add()          */
    uint32_t kind;                      /* enum break_kind                           */
    uint64_t at, len;                   /* linear address; bytes, for BREAK_DATA     */
    bool     physical;                  /* BREAK_DATA: `at` is a guest-physical one  */
    uint32_t access;                    /* BREAK_DATA: BREAK_READ and others, ORed   */
    bool     enabled, temporary;        /* temporary: deleted as it stops             */
    uint64_t ignore;                    /* so many hits do not stop                   */
    uint64_t hits;                      /* with the condition true                    */
    char     event[240];                /* BREAK_EVENT: the filter                   */
    char     condition[240];            /* an expression (debugger/symbols/expr.h): it stops
                                           only if that is not 0; "": always         */
    uint32_t agent_len;                 /* gdb's byte code instead, so many bytes; 0: none  */
    uint8_t  agent[LINK_AGENT_BYTES];
};

#endif
