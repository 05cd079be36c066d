/*
 * debugger/gdb/private.h -- what the files of the GDB stub share.
 */
#ifndef DEBUGGER_GDB_PRIVATE_H
#define DEBUGGER_GDB_PRIVATE_H

#include "debugger/gdb/packet.h"
#include "debugger/gdb/stub.h"
#include "debugger/link/link.h"

struct console;

/* A breakpoint as gdb knows it, and its number in link.h. */
struct gdb_point {
    unsigned type, nr;                  /* nr 0: not in the VMM                             */
    uint64_t at, len;
    struct link_break *owed;            /* so it is to be there, when the VMM can be told   */
    bool gone;                          /* not at all                                       */
};

struct gdb_stub {
    struct gdb_options o;
    struct gdb_packets p;
    struct console   *console;
    bool              connected, attached, closing, quit;
    bool              is_elf;           /* the guest's file: gdb can read it                */

    /* What the client can do. */
    bool              multiprocess, exec_events, swbreak, hwbreak, error_text, extended;

    /* The description it has, and what is owed to it. */
    enum gdb_arch     arch;
    enum gdb_arch     own_arch;         /* for clients that cannot change it                */
    bool              going;            /* the guest is meant to run                        */
    bool              waiting;          /* ... and the client wants a stop reply            */
    bool              pausing;          /* we have asked for a pause                        */
    uint64_t          pause_ns;         /* when                                             */
    uint64_t          told_ns;          /* when it was told how far the way back is         */
    /* of the last stop reply; of an interrupt that crossed it */
    uint64_t          stop_ns, late_ns;
    bool              starved;          /* the guest waits for input in HLT                 */
    bool              mode_told;        /* the exec event is out: the stop itself is owed   */
    bool              ahead;            /* the machine was told to finish the instruction that the
                                           client takes it to stand before                  */
    bool              over_told;        /* the end was told as a stop: next time as an end  */
    bool              end_told;         /* as an end                                        */
    enum link_run     how;
    uint64_t          range_from, range_to;     /* vCont;r: [from, to)                      */

    struct gdb_point *point;
    size_t            n_points, room_points;
    const char       *rest;             /* what came behind the packet that is being answered */
    size_t            n_rest;
    int               file[8];          /* vFile: the guest's, opened so often; 0: not      */
};

/* An argument as it goes along a packet. */
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

/* Each answers one packet: it fills p.answer, and the caller sends it, unless it
 * says GDB_LATER.  args is what stands behind the name. */
enum gdb_when { GDB_NOW, GDB_LATER };
typedef enum gdb_when gdb_fn(struct gdb_stub *s, struct gdb_args args);

enum gdb_when gdb_ok(struct gdb_stub *s);
/* An error, in words for who understands them. */
enum gdb_when gdb_error(struct gdb_stub *s, int err, const char *what);
/* As gdb's own output, while it waits. */
void gdb_console_text(struct gdb_stub *s, const char *text);

/* Has the client interrupted an answer that takes long?  (What is nothing to the guest: the
 * interrupt is taken as such behind the answer, and finds that nobody waits for a stop.) */
bool gdb_has_enough(const struct gdb_stub *s);

/* gdb/run.c */
gdb_fn gdb_stop_reason, gdb_vcont_query, gdb_vcont, gdb_continue, gdb_step, gdb_detach, gdb_kill,
       gdb_vkill, gdb_vattach, gdb_back_step, gdb_back;
void gdb_attach(struct gdb_stub *s);
void gdb_interrupt(struct gdb_stub *s);
enum gdb_when gdb_go_on(struct gdb_stub *s);       /* `monitor answer` */
const char *gdb_thread(const struct gdb_stub *s);

/* gdb/memory.c */
gdb_fn gdb_read_memory, gdb_read_binary, gdb_write_memory, gdb_write_binary, gdb_search, gdb_crc,
       gdb_region_info;

/* gdb/break.c */
gdb_fn gdb_insert, gdb_remove;
void gdb_remove_all(struct gdb_stub *s);
void gdb_settle_points(struct gdb_stub *s);     /* what could not be done while the VMM was held */
const struct gdb_point *gdb_point_nr(const struct gdb_stub *s, unsigned nr);

/* gdb/query.c */
gdb_fn gdb_query, gdb_set, gdb_file;
void gdb_close_files(struct gdb_stub *s);

#endif
