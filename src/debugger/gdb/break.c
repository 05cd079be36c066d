/*
 * debugger/gdb/break.c -- Z and z: breakpoints and watchpoints of the client.
 *
 * The VMM's breakpoints (link.h) change no code, so the guest cannot see them, and there may be
 * any number.  So "software" (Z0) and "hardware" (Z1) breakpoints are the same here.
 *
 *     Z0,100cf3,1                      stop before the instruction at 0x100cf3
 *     Z2,9fb18,4                       stop when any of these 4 bytes is written
 *     Z0,100cf3,1;X7,26000022021327    ... only if RAX is 2, in gdb's byte code
 *
 * Inserting one that is there changes its condition and nothing else: gdb does so after each
 * change of mode.  While gdb has stopped the monitor itself (link_held()) the VMM cannot be
 * told of a breakpoint; that is made good when the guest is to run on (gdb_settle_points()).
 * [GDB manual "Packets", Z and z]
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/gdb/private.h"
#include "debugger/vmm/gdb_agent.h"

/* By the number behind Z. */
static const uint32_t accesses[] = {
    [2] = BREAK_WRITE, [3] = BREAK_READ, [4] = BREAK_READ | BREAK_WRITE
};

/* The length counts for watchpoints only: for breakpoints it is the size of the breakpoint
 * instruction, which we do not need. */
static struct gdb_point *find_point(const struct gdb_stub *s, unsigned type, uint64_t at,
                                    uint64_t len)
{
    for (size_t i = 0; i < s->n_points; i++) {
        struct gdb_point *p = &s->point[i];
        if (p->type == type && p->at == at && (type < 2 || p->len == len))
            return p;
    }
    return NULL;
}

const struct gdb_point *gdb_point_nr(const struct gdb_stub *s, unsigned nr)
{
    for (size_t i = 0; i < s->n_points; i++)
        if (s->point[i].nr == nr)
            return &s->point[i];
    return NULL;
}

/* "type,address,length". For a breakpoint the last number is its "kind". */
static bool parse(struct gdb_args *a, struct gdb_point *p)
{
    uint64_t type;
    if (!gdb_take_number(a, &type) || type > 4 || !gdb_take(a, ',') ||
        !gdb_take_number(a, &p->at) || !gdb_take(a, ',') || !gdb_take_number(a, &p->len))
        return false;
    p->type = (unsigned)type;
    return true;
}

/* ";X length,code", any number of times, and perhaps other things behind them.  Each is a
 * condition in gdb's byte code; the guest stops if one of them is true.  [GDB manual "Agent
 * Expressions"; "Packets", Z0] */
static bool parse_conditions(struct gdb_stub *s, struct gdb_args *a, struct link_break *b)
{
    struct agent_list list = { b->agent, 0, sizeof b->agent };
    uint8_t code[LINK_AGENT_BYTES];
    uint64_t len;
    agent_list_begin(&list, s->arch);
    while (gdb_take(a, ';') && gdb_take(a, 'X')) {
        if (!gdb_take_number(a, &len) || !gdb_take(a, ',') || len > sizeof code ||
            gdb_from_hex(a->at, (size_t)(a->end - a->at), code, len) != len ||
            !agent_list_add(&list, code, len))
            return false;
        a->at += 2 * len;
    }
    b->agent_len = list.n > 1 ? (uint32_t)list.n : 0;
    return true;
}

/* Room for one more, before the VMM is told of it. */
static bool has_room(struct gdb_stub *s)
{
    if (s->n_points < s->room_points)
        return true;
    size_t room = s->room_points ? 2 * s->room_points : 16;
    struct gdb_point *p = realloc(s->point, room * sizeof *p);
    if (!p)
        return false;
    s->point = p;
    s->room_points = room;
    return true;
}

/* Have the VMM make this breakpoint, or change the condition of the one it has.  If the VMM
 * is held by a tracer, note what it is owed.  Some engines cannot see each write, only that
 * a value has changed: better than no watchpoint. */
static int make_point(struct gdb_stub *s, struct gdb_point *p, struct link_break *b, char *why,
                      size_t n)
{
    b->nr = p->nr;
    int err =
        b->nr ? link_break_change(s->o.link, b, why, n) : link_break_add(s->o.link, b, why, n);
    if (err == -ENOTSUP && p->type == 2) {      /* an engine that only sees what has changed */
        b->access = BREAK_CHANGE;
        err = link_break_add(s->o.link, b, why, n);
    }
    if (err == -EAGAIN && !p->owed)
        p->owed = malloc(sizeof *p->owed);
    if (err == -EAGAIN && p->owed) {
        *p->owed = *b;
        return 0;
    }
    if (!err)
        p->nr = b->nr;
    return err;
}

/* `Z type,address,length;conditions`. */
enum gdb_when gdb_insert(struct gdb_stub *s, struct gdb_args args)
{
    char why[300];
    struct gdb_point p = { 0 };
    if (!parse(&args, &p))
        return gdb_error(s, EINVAL, "Z wants a type from 0 to 4, an address and a length");
    if (!has_room(s))
        return gdb_error(s, ENOMEM, "out of memory");
    struct link_break b = { .kind = p.type < 2 ? BREAK_CODE : BREAK_DATA,
                            .at = p.at,
                            .enabled = true };
    if (p.type >= 2) {
        b.len = p.len;
        b.physical = s->physical;
        b.access = accesses[p.type];
    }
    if (!parse_conditions(s, &args, &b))
        return gdb_error(s, EINVAL, "the condition is too long, or none");
    struct gdb_point *old = find_point(s, p.type, p.at, p.len);
    if (old)                            /* it stays, with this condition */
        old->gone = false;
    int err = make_point(s, old ? old : &p, &b, why, sizeof why);
    if (err)
        return gdb_error(s, err, why);
    if (!old)
        s->point[s->n_points++] = p;
    return gdb_ok(s);
}

/* Take it off the list; the last one takes its place. */
static void drop(struct gdb_stub *s, struct gdb_point *p)
{
    free(p->owed);
    *p = s->point[--s->n_points];
}

/* `z type,address,length`. What is not there, or was deleted by the user with `monitor
 * delete`, is gone as the client wants it. */
enum gdb_when gdb_remove(struct gdb_stub *s, struct gdb_args args)
{
    struct gdb_point p;
    if (!parse(&args, &p))
        return gdb_error(s, EINVAL, "z wants a type from 0 to 4, an address and a length");
    struct gdb_point *old = find_point(s, p.type, p.at, p.len);
    if (!old)
        return gdb_ok(s);               /* it is not there, as wanted */
    int err = old->nr ? link_break_delete(s->o.link, old->nr) : 0;
    if (err == -EAGAIN) {
        old->gone = true;
        return gdb_ok(s);
    }
    if (err && err != -ENOENT && err != -ESRCH) /* the user may have deleted it with `monitor` */
        return gdb_error(s, err, "the monitor does not answer");
    drop(s, old);
    return gdb_ok(s);
}

/* Backwards through the list, since drop() moves the last one. */
void gdb_settle_points(struct gdb_stub *s)
{
    char why[300];
    for (size_t i = s->n_points; i-- > 0; ) {
        struct gdb_point *p = &s->point[i];
        struct link_break *owed = p->owed;
        if (p->gone && (!p->nr || link_break_delete(s->o.link, p->nr) != -EAGAIN)) {
            drop(s, p);
        } else if (!p->gone && owed) {
            p->owed = NULL;
            make_point(s, p, owed, why, sizeof why);
            free(owed);
        }
    }
}

void gdb_remove_all(struct gdb_stub *s)
{
    while (s->n_points) {
        link_break_delete(s->o.link, s->point[s->n_points - 1].nr);
        drop(s, &s->point[s->n_points - 1]);
    }
}
