/*
 * debugger/tui/devices.c -- the pane of devices: what the guest last wrote to
 * and read from each port, as of the selected event; and, live, the fields of
 * one device as they are now, by the names that its datasheet gives them.
 *
 *         port  device        written    event       read    event   what answers there
 *           20  i8259            0x20     1733                        first 8259A: command
 *          3f8  uart             0x48     1501       0x60     1499    COM1: data
 *
 * The table is made of the trace.  Accesses are found backwards from the selected event, so
 * the first one met for a port is the last one made; the search ends after LOOK_BACK of
 * them, and the title says if that was not the beginning.
 *
 * The fields are made of the device's own table of fields (io/device.h), which lies in this
 * program too; their values are asked of the VMM, at every stop and now and then while the
 * guest runs.  The VMM only peeks: looking changes nothing.
 */
#include <curses.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "debugger/link/link.h"
#include "debugger/tui/tui.h"
#include "vm/pc.h"

#define MAX_PORTS    128
#define LOOK_BACK    50000      /* accesses looked at, at most */
#define AT_ONCE_NS   300000     /* of looking, before the first drawing */
#define PIC_PORT     0x20       /* of the interrupt controller, for events about interrupts */
#define MAX_VALUES   4096       /* of one device, as in the link */
#define CELL         40         /* columns for a field, at least */

/* The last access of one direction, if there was any (is), and its event. */
struct access { bool is; uint64_t value, seq; };

struct port {
    uint64_t at;                /* the port, or the guest-physical address          */
    bool     memory;            /* it is an address: memory of a device             */
    bool     unclaimed;         /* no device answers there                          */
    struct access read, written;
    unsigned n;                 /* accesses seen                                    */
};

/* The values of a device's fields: now, and as they were at the stop before.  `since` is
 * that stop's number as live.stops counts, so that a new one is noticed. */
struct values { uint64_t *now, *before; size_t n; bool has_before; uint64_t since; };

struct devices {
    /* The fields: of each part of the machine, as far as they were asked for. */
    struct pc_part part[PC_MAX_PARTS];
    struct values values[PC_MAX_PARTS];
    size_t   n_parts;
    unsigned pinned;            /* 1 + the part that the user wants to see; 0: the one that
                                   was accessed last                                      */
    unsigned shown;             /* the part that is shown                                 */
    bool     chosen;            /* `shown` is right for the selected event                */
    uint64_t asked_ns;          /* the host's time when the VMM was last asked            */

    /* The accesses, up to the selected event, in order of address; ports before memory. */
    struct filter *accesses;    /* lets them pass                                         */
    struct port port[MAX_PORTS];
    size_t   n;
    uint64_t at;                /* index where the search goes on, backwards              */
    unsigned looked;            /* accesses looked at                                     */
    bool     done;              /* the search has ended, ...                              */
    bool     whole;             /* ... at the beginning of the trace                      */
    long     top;               /* first row shown                                        */
};

static bool devices_open(struct pane *p)
{
    struct devices *d = p->state;
    struct filter_error err;
    d->accesses = filter_compile("kind in (IO_READ, IO_WRITE, MMIO_READ, MMIO_WRITE, UNCLAIMED)",
                                 NULL, &err);
    d->n_parts = link_parts(p->tui->link, d->part, PC_MAX_PARTS);
    return d->accesses;
}

static void devices_close(struct pane *p)
{
    struct devices *d = p->state;
    filter_free(d->accesses);
    for (size_t i = 0; i < d->n_parts; i++) {
        free(d->values[i].now);
        free(d->values[i].before);
    }
}

/*
 * Fields
 */

/* Has the device any field for people to see?  Some have hidden ones only. */
static bool has_fields(const struct pc_part *part)
{
    for (size_t i = 0; i < part->ops->n_fields; i++)
        if (!(part->ops->fields[i].flags & FIELD_HIDDEN))
            return true;
    return false;
}

/* Ask the VMM for the fields of part i.  What is known becomes `before` once for each stop,
 * so that a running guest is compared with the latest stop, and one that has stopped with
 * the stop before.  If the VMM must not be asked, what is known stays. */
static void ask_values(struct pane *p, unsigned i)
{
    struct devices *d = p->state;
    uint64_t since = p->tui->live.stops - !live_running(p->tui);
    struct values *v = &d->values[i];
    if (!v->now)
        v->now = calloc(MAX_VALUES, sizeof *v->now);
    if (!v->before)
        v->before = calloc(MAX_VALUES, sizeof *v->before);
    if (!v->now || !v->before)
        return;
    if (v->since != since) {    /* the first look since: what is known becomes `before` */
        memcpy(v->before, v->now, v->n * sizeof *v->now);
        v->has_before = v->n;
        v->since = since;
    }
    size_t n = MAX_VALUES;
    int err = live_may_ask(p->tui) ? link_device(p->tui->link, i, v->now, &n) : -EAGAIN;
    if (err == 0)
        v->n = n;
    live_answered(p->tui, err);
}

/* At every stop all devices are asked, not only the one shown: else there would be nothing
 * to compare with when another one is looked at. */
static void devices_stopped(struct pane *p)
{
    struct devices *d = p->state;
    for (unsigned i = 0; i < d->n_parts; i++)
        if (has_fields(&d->part[i]))
            ask_values(p, i);
    d->asked_ns = host_monotonic_ns();
}

/* Show the device that this access was about, or the interrupt controller if it is an event
 * about interrupts; but if the user asked for a device, that one.  False: the event is
 * about no device that has fields. */
static bool choose_part(struct devices *d, const struct trace_event *e)
{
    if (d->pinned) {
        d->shown = d->pinned - 1;
        return true;
    }
    bool irq = e && (e->kind == TRACE_IRQ_LINE || e->kind == TRACE_IRQ_ACK ||
                     e->kind == TRACE_INJECT);
    bool access = e && (e->kind == TRACE_IO_READ || e->kind == TRACE_IO_WRITE);
    if (!irq && !access)
        return false;
    const struct device_ops *ops = pc_port_device(irq ? PIC_PORT : (uint16_t)e->arg[0]);
    for (unsigned i = 0; i < d->n_parts; i++)
        if (d->part[i].ops == ops && has_fields(&d->part[i])) {
            d->shown = i;
            return true;
        }
    return false;
}

/* A cell of w columns: name, elements in hex as wide as they are, as many as there is room
 * for, and what the field is about.  A timer is the virtual time at which it is due; all
 * ones: it is off. */
static void draw_field(const struct area *a, int y, int x, int w, const struct field *f,
                       const uint64_t *now, const uint64_t *before)
{
    struct area cell = { a->y, a->x, a->h, x + w < a->w ? x + w - 1 : a->w };
    x = draw_format(&cell, y, x, ROLE_GUEST, "%-10s", f->name);
    for (unsigned i = 0; i < f->count && x < cell.w; i++) {
        char text[32];
        snprintf(text, sizeof text, "%0*" PRIx64, 2 * f->size, now[i]);
        if (f->flags & FIELD_TIMER)
            snprintf(text, sizeof text, now[i] + 1 ? "at %" PRIu64 " ns" : "off", now[i]);
        bool changed = before && before[i] != now[i];
        x = 1 + draw_text(&cell, y, x, changed ? ROLE_CHANGED : ROLE_TEXT, text);
    }
    draw_text(&cell, y, x + 1, ROLE_DIM, f->about);
}

/* Fields in columns of at least CELL characters.  The values of all fields lie one behind
 * the other, hidden ones too, so k counts elements. */
static void draw_fields(struct pane *p, const struct area *a)
{
    struct devices *d = p->state;
    const struct values *v = &d->values[d->shown];
    const struct device_ops *ops = d->part[d->shown].ops;
    int columns = a->w / CELL > 0 ? a->w / CELL : 1, at = 0;
    size_t k = 0;
    draw_rest(a, 0, 0, ROLE_HEAD);
    draw_format(a, 0, 1, ROLE_HEAD, "%s, %s as it is now: %s", d->part[d->shown].name, ops->name,
                ops->about);
    for (size_t i = 0; i < ops->n_fields; k += ops->fields[i++].count) {
        const struct field *f = &ops->fields[i];
        if (f->flags & FIELD_HIDDEN || k + f->count > v->n)
            continue;
        /* an array or a timer is long, and has a line of its own */
        int cells = f->count > 1 || f->flags & FIELD_TIMER ? columns : 1;
        if (cells > 1)
            at = (at + columns - 1) / columns * columns;
        draw_field(a, 1 + at / columns, 1 + at % columns * (a->w / columns),
                   cells * (a->w / columns), f, v->now + k, v->has_before ? v->before + k : NULL);
        at += cells;
    }
    if (!v->n)
        draw_wrapped(a, 1, ROLE_DIM, "the monitor has not said");
}

/*
 * Accesses
 */

/* Another event is selected: begin the search anew. */
static void devices_follow(struct pane *p)
{
    struct devices *d = p->state;
    d->n = d->looked = 0;
    d->at = p->tui->cursor;
    d->done = tui_n_events(p->tui) == 0;
    d->whole = false;
    d->chosen = choose_part(d, p->tui->has_event ? &p->tui->event : NULL);
}

/* The row of this port or address, put in at its place if it is new.  NULL: no more room. */
static struct port *port_of(struct devices *d, uint64_t at, bool memory)
{
    size_t i = 0;
    while (i < d->n &&
           (d->port[i].memory < memory || (d->port[i].memory == memory && d->port[i].at < at)))
        i++;
    if (i < d->n && d->port[i].at == at && d->port[i].memory == memory)
        return &d->port[i];
    if (d->n == MAX_PORTS)
        return NULL;
    memmove(&d->port[i + 1], &d->port[i], (d->n - i) * sizeof d->port[0]);
    d->port[i] = (struct port){ .at = at, .memory = memory };
    d->n++;
    return &d->port[i];
}

/* An access; going backwards, the first one met for a port is the last one made.  UNCLAIMED
 * tells neither port from memory nor what was read: an address above 0xffff is no port. */
static void take_event(struct devices *d, const struct trace_event *e)
{
    bool unclaimed = e->kind == TRACE_UNCLAIMED;
    bool memory = e->kind == TRACE_MMIO_READ || e->kind == TRACE_MMIO_WRITE ||
                  (unclaimed && e->arg[0] > 0xffff);
    bool write = unclaimed ? e->arg[2] : e->kind == TRACE_IO_WRITE || e->kind == TRACE_MMIO_WRITE;
    struct port *p = port_of(d, e->arg[0], memory);
    if (!p)
        return;
    struct access *a = write ? &p->written : &p->read;
    if (!a->is)
        *a = (struct access){ true, unclaimed ? 0 : e->arg[2], e->seq };
    p->unclaimed |= unclaimed;
    p->n++;
}

/* Ask for the shown fields now and then while the guest runs, and look back for accesses. */
static bool devices_work(struct pane *p, uint64_t budget_ns)
{
    struct devices *d = p->state;
    uint64_t end_ns = host_monotonic_ns() + budget_ns;
    bool was_done = d->done;
    if (live_running(p->tui) && host_monotonic_ns() - d->asked_ns > LIVE_ASK_NS) {
        ask_values(p, d->shown);
        d->asked_ns = host_monotonic_ns();
    }
    while (!d->done && host_monotonic_ns() < end_ns) {
        enum store_found f = store_prev(p->tui->store, d->accesses, &d->at, budget_ns);
        const struct trace_event *e = f == STORE_FOUND ? store_at(p->tui->store, d->at) : NULL;
        if (e && !d->chosen)
            d->chosen = choose_part(d, e);
        if (e)
            take_event(d, e);
        d->whole = f == STORE_NONE || (f == STORE_FOUND && d->at == 0);
        d->done = d->whole || ++d->looked >= LOOK_BACK;
        if (f == STORE_FOUND && d->at)
            d->at--;
    }
    if (d->done && !was_done)
        p->tui->dirty = true;
    return !d->done;
}

/* Value and event of an access, or blanks; is_now: it is the selected event.  Returns the
 * column behind. */
static int draw_access(const struct area *a, int y, int x, const struct access *c,
                       const struct port *p, bool is_now)
{
    char value[24] = "";
    if (c->is && p->unclaimed)
        snprintf(value, sizeof value, "nobody");
    else if (c->is)
        snprintf(value, sizeof value, "%#" PRIx64, c->value);
    enum role role = is_now ? ROLE_CHANGED : p->unclaimed ? ROLE_DIM : ROLE_TEXT;
    draw_format(a, y, x, role, "%10s", value);
    if (c->is)
        draw_format(a, y, x + 10, ROLE_DIM, "%9" PRIu64, c->seq);
    return x + 20;
}

static void draw_port(struct pane *p, const struct area *a, int y, const struct port *port)
{
    const struct trace_event *e = &p->tui->event;
    const struct device_ops *ops = port->memory ? NULL : pc_port_device((uint16_t)port->at);
    const char *name = port->memory ? "memory" : pc_port_name((uint16_t)port->at);
    int x = draw_format(a, y, 1, ROLE_IO, "%9" PRIx64, port->at);
    x = draw_format(a, y, x, ROLE_STRONG, "  %-10.10s", ops ? ops->name : "");
    x = draw_access(a, y, x, &port->written, port, port->written.is && port->written.seq == e->seq);
    x = draw_access(a, y, x, &port->read, port, port->read.is && port->read.seq == e->seq);
    draw_text(a, y, x + 2, ROLE_DIM, name ? name : "no device");
}

static void draw_accesses(struct pane *p, const struct area *a)
{
    struct devices *d = p->state;
    draw_rest(a, 0, 0, ROLE_HEAD);
    draw_format(a, 0, 1, ROLE_HEAD, "%9s  %-10s%10s%9s %10s%9s   %s", "port", "device",
                "written", "event", "read", "event", "what answers there");
    pane_scroll(&d->top, (long)d->n, a->h - 1);
    for (int i = 0; i + 1 < a->h && d->top + i < (long)d->n; i++)
        draw_port(p, a, i + 1, &d->port[d->top + i]);
    if (!d->n)
        draw_wrapped(a, 1, ROLE_DIM, "no device was accessed until here");
}

/* Live, the lower part is the fields': as many lines as the accesses leave, half at least. */
static void devices_draw(struct pane *p, const struct area *a)
{
    struct devices *d = p->state;
    int upper = a->h;
    draw_clear(a);
    if (a->h < 1)
        return;
    devices_work(p, AT_ONCE_NS);
    if (p->tui->link && a->h >= 6) {
        upper = d->n ? (int)d->n + 1 : 2;
        upper = upper > a->h / 2 ? a->h / 2 : upper;
        struct area fields = { a->y + upper, a->x, a->h - upper, a->w };
        if (!d->values[d->shown].n)
            ask_values(p, d->shown);
        draw_fields(p, &fields);
    }
    draw_accesses(p, &(struct area){ a->y, a->x, upper, a->w });
}

static void devices_title(struct pane *p, char *buf, size_t n)
{
    const struct devices *d = p->state;
    if (!d->done)
        snprintf(buf, n, "looking back");
    else
        snprintf(buf, n, "%zu addresses accessed until here%s", d->n,
                 d->whole ? "" : ", and older ones");
}

static void scroll_ports(struct tui *t, struct pane *p, int by)
{
    (void)t;
    ((struct devices *)p->state)->top += by;
}

/* The next device with fields; behind the last again the one last accessed. */
static void next_part(struct tui *t, struct pane *p, int arg)
{
    struct devices *d = p->state;
    (void)t, (void)arg;
    do
        d->pinned = (d->pinned + 1) % (unsigned)(d->n_parts + 1);
    while (d->pinned && !has_fields(&d->part[d->pinned - 1]));
    choose_part(d, NULL);
}

static const struct key devices_keys[] = {
    { 'b', KEY_RIGHT, NULL, "the fields of the next device, at last again of the one last accessed",
      next_part, 0, LIVE },
    { 'j', KEY_DOWN, NULL, "scroll down", scroll_ports, 1, ALWAYS },
    { 'k', KEY_UP, NULL, "scroll up", scroll_ports, -1, ALWAYS },
    { 0 }
};

const struct pane_ops pane_devices = {
    .name = "devices",
    .about = "what was last written to and read from each port; live, the fields of a device",
    .state_bytes = sizeof(struct devices), .keys = devices_keys,
    .open = devices_open, .close = devices_close, .title = devices_title, .draw = devices_draw,
    .follow_selection = devices_follow, .guest_stopped = devices_stopped, .work = devices_work,
};
