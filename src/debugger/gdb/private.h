/*
 * debugger/gdb/private.h -- what the files of the GDB stub share.
 */
#ifndef DEBUGGER_GDB_PRIVATE_H
#define DEBUGGER_GDB_PRIVATE_H

#include "debugger/gdb/packet.h"
#include "debugger/gdb/stub.h"
#include "debugger/link/link.h"

struct console;

/* A breakpoint as gdb knows it: type 0 and 1 are for code, 2 writes, 3 reads, 4 both.  [GDB
 * manual "Packets", Z0 to Z4] */
struct gdb_point {
    unsigned type;
    unsigned nr;                        /* the VMM's number for it; 0: it has none there     */
    uint64_t at, len;

    /* What the VMM is to be told when its tracer lets it answer again. */
    struct link_break *owed;            /* that it is to be so; NULL: nothing               */
    bool gone;                          /* that it is to be deleted                         */
};

/* Memory of the guest that LLDB has borrowed, and what was there (scratch.c). */
struct gdb_loan { gla_t at; uint64_t n; uint8_t *kept; };
#define GDB_LOANS    32
#define GDB_LOAN_MAX (UINT64_C(1) << 20)

/* The stub: options, the connection, and what is known of client and guest. */
struct gdb_stub {
    struct gdb_options o;
    struct gdb_packets p;
    struct console   *console;
    bool              connected;        /* there is a client                                */
    bool              attached;         /* ... that debugs: it has sent more than a greeting */
    bool              closing;          /* hang up when all is sent                         */
    bool              quit;             /* `monitor quit`                                   */
    bool              is_elf;           /* the guest's file, which gdb can read then        */
    uint64_t          loaded;           /* its stamp when the guest was loaded              */
    bool              changed_told;     /* the client's user: that it is another one now    */

    /* What the client can do: it says so in qSupported (`extended`: by the packet `!`). */
    bool              multiprocess, exec_events, swbreak, hwbreak, error_text, extended;

    bool              physical;         /* Qqemu.PhyMemMode: its addresses are guest-physical */

    /* The registers that were described to it. */
    enum gdb_arch     arch;
    enum gdb_arch     own_arch;         /* for clients that take one description only        */

    /* How the guest was sent running, and what the client waits for. */
    enum link_run     how;
    uint64_t          range_from, range_to;     /* of vCont;r: [from, to)                   */
    bool              going;            /* the guest is meant to run                        */
    bool              waiting;          /* ... and the client waits for a stop reply        */
    bool              pausing;          /* the client has interrupted; the pause is on its way */
    bool              starved;          /* the guest halts until there is input             */
    bool              ahead;            /* by `monitor answer` the machine has finished the
                                           instruction that the client still sees before it */

    /* What the client was told of a stop. */
    bool              mode_told;        /* an exec event, for the mode: the stop is still due */
    bool              over_told;        /* the guest's end, but as a stop                   */
    bool              end_told;         /* the guest's end, as such                         */
    unsigned          why_told;         /* in words, to its user: 1 + why it stopped; 0: not yet */
    bool              start_told;       /* a breakpoint where the guest begins              */
    bool              early_told;       /* how gdb gets names for code not yet mapped high  */

    /* When, by the host's clock. */
    uint64_t          pause_ns;         /* the pause was asked for                          */
    uint64_t          told_ns;          /* the client was told how far the way back is      */
    uint64_t          stop_ns;          /* the last stop reply was sent                     */
    uint64_t          late_ns;          /* an interrupt came that crossed it; 0: none       */

    struct gdb_point *point;
    size_t            n_points, room_points;

    struct gdb_loan   loan[GDB_LOANS];
    unsigned          n_loans;

    /* The bytes behind the packet that is being answered: is there an interrupt in them? */
    const char       *rest;
    size_t            n_rest;

    int               file[8];          /* what vFile:open has opened; 0: free              */
};

/* What of a packet is still to be read: [at, end). Each gdb_take() function moves `at`
 * behind what it has read, if it was there. */
struct gdb_args { const char *at, *end; };

static inline bool gdb_more(const struct gdb_args *a)
{
    return a->at < a->end;
}

static inline bool gdb_take(struct gdb_args *a, char c)
{
    if (a->at >= a->end || *a->at != c)
        return false;
    a->at++;
    return true;
}

static inline bool gdb_take_number(struct gdb_args *a, uint64_t *value)
{
    return gdb_number(&a->at, a->end, value);
}

/* A handler answers one packet: it puts the answer into p.answer and returns GDB_NOW, and
 * the caller sends it.  GDB_LATER: there is no answer now, as when the guest was sent
 * running.  `args` is what stands behind the packet's name.  An empty answer means that the
 * packet is not known. */
enum gdb_when { GDB_NOW, GDB_LATER };
typedef enum gdb_when gdb_fn(struct gdb_stub *s, struct gdb_args args);

/* The answer OK; the answer that an error is: "E.words" for a client that understands
 * words, else "Enn" with an errno.  [GDB manual "Standard Replies"] */
enum gdb_when gdb_ok(struct gdb_stub *s);
enum gdb_when gdb_error(struct gdb_stub *s, int err, const char *what);

/* Text for the user, sent at once as an O packet: gdb prints it while it waits for the real
 * answer. */
void gdb_console_text(struct gdb_stub *s, const char *text);

/* Has the client sent an interrupt while an answer takes long?  The interrupt is not taken:
 * it will be read after the answer, and then finds that no stop reply is waited for. */
bool gdb_has_enough(const struct gdb_stub *s);

/* gdb/run.c */
gdb_fn gdb_stop_reason, gdb_vcont_query, gdb_vcont, gdb_continue, gdb_step, gdb_detach, gdb_kill,
       gdb_vkill, gdb_vattach, gdb_vrun, gdb_back_step, gdb_back;
void gdb_attach(struct gdb_stub *s);            /* the client begins to debug: stop the guest */
void gdb_interrupt(struct gdb_stub *s);         /* the byte 0x03, or vCont;t */
enum gdb_when gdb_go_on(struct gdb_stub *s);    /* `monitor answer` */
const char *gdb_thread(const struct gdb_stub *s);   /* "p1.1" or "1": our only thread */

/* A register as the client is to see it: as gdb_reg_read(), but with --gdb-cs-ip the program
 * counter is the offset in CS. */
void gdb_read_register(const struct gdb_stub *s, const struct gdb_reg *r,
                       const struct cpu_state *cpu, uint8_t out[GDB_REG_BYTES]);

/* Has somebody written the guest's file since the guest was loaded from it?  Then the symbols
 * that gdb reads from it are another build's. */
bool gdb_file_changed(const struct gdb_stub *s);

/* The program counter so. */
uint64_t gdb_seen_pc(const struct gdb_stub *s, const struct cpu_state *cpu);

/* gdb/memory.c */
gdb_fn gdb_read_memory, gdb_read_binary, gdb_write_memory, gdb_write_binary, gdb_search, gdb_crc,
       gdb_region_info;

/* gdb/break.c */
gdb_fn gdb_insert, gdb_remove;
void gdb_remove_all(struct gdb_stub *s);

/* Tell the VMM what it could not be told while a tracer held it. */
void gdb_settle_points(struct gdb_stub *s);

/* The breakpoint with this number in the VMM, or NULL. */
const struct gdb_point *gdb_point_nr(const struct gdb_stub *s, unsigned nr);

/* gdb/scratch.c */
gdb_fn gdb_lend, gdb_take_back;
void gdb_give_all_back(struct gdb_stub *s);

/* gdb/query.c */
gdb_fn gdb_query, gdb_set, gdb_file;
void gdb_close_files(struct gdb_stub *s);

#endif
