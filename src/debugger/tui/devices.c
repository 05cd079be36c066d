/*
 * debugger/tui/devices.c -- the pane of devices: what the guest last wrote to
 * and read from each port, as of the selected event; and, live, the fields of
 * one device as they are now, by the names that its datasheet gives them.
 *
 * Accesses are found backwards from the selected event, as far as a few ten
 * thousand; the table says if that was not the beginning.  Fields are asked of
 * the VMM, which only peeks: at every stop, and now and then while it runs.
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
#define LOOK_BACK    50000      /* accesses */
#define AT_ONCE_NS   300000     /* of that before the first drawing */
#define PIC_PORT     0x20
#define MAX_PARTS    32
#define MAX_VALUES   4096       /* of one device, as in the link */
#define CELL         40         /* columns for a field, at least */

struct access { bool is; uint64_t value, seq; };

struct port {
    uint64_t at;                /* the port, or the guest-physical address */
    bool     memory, unclaimed;
    struct access read, written;
    unsigned n;                 /* accesses seen */
};

/* Of one part of the machine: now, and at the stop before (`since`, as live.stops counts). */
struct values { uint64_t *now, *before; size_t n; bool has_before; uint64_t since; };

struct devices {
    struct pc_part part[MAX_PARTS];
    struct values values[MAX_PARTS];
    size_t   n_parts;
    unsigned pinned;            /* part + 1 that was asked for; 0: the one last accessed */
    unsigned shown;             /* part; chosen: for the selected event */
    bool     chosen;
    uint64_t asked_ns;
    struct filter *accesses;
    struct port port[MAX_PORTS];
    size_t   n;
    uint64_t at;
    unsigned looked;
    bool     done, whole;       /* whole: back to the beginning of the trace */
    long     top;
};

static bool devices_open(struct pane *p)
{
    struct devices *d = p->state;
    struct filter_error err;
    d->accesses = filter_compile("kind in (IO_READ, IO_WRITE, MMIO_READ, MMIO_WRITE, UNCLAIMED)",
                                 NULL, &err);
    d->n_parts = link_parts(d->part, MAX_PARTS);
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

static bool has_fields(const struct pc_part *part)
{
    for (size_t i = 0; i < part->ops->n_fields; i++)
        if (!(part->ops->fields[i].flags & FIELD_HIDDEN))
            return true;
    return false;
}

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
    if (v->since != since) {    /* the first look since then: what is known is what was */
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

static void devices_stopped(struct pane *p)
{
    struct devices *d = p->state;
    for (unsigned i = 0; i < d->n_parts; i++)
        if (has_fields(&d->part[i]))
            ask_values(p, i);
    d->asked_ns = host_monotonic_ns();
}

/* The device of that access or interrupt, unless one was asked for. */
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

/* A field's elements, until there is no more room. */
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
        x = draw_text(&cell, y, x, before && before[i] != now[i] ? ROLE_CHANGED : ROLE_TEXT, text) +
            1;
    }
    draw_text(&cell, y, x + 1, ROLE_DIM, f->about);
}

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
        /* or a line of its own */
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

static void devices_follow(struct pane *p)
{
    struct devices *d = p->state;
    d->n = d->looked = 0;
    d->at = p->tui->cursor;
    d->done = tui_n_events(p->tui) == 0;
    d->whole = false;
    d->chosen = choose_part(d, p->tui->has_event ? &p->tui->event : NULL);
}

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

/* Going backwards: the first one seen is the last one made. */
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

static int draw_access(const struct area *a, int y, int x, const struct access *c,
                       const struct port *p, bool now)
{
    char value[24] = "";
    if (c->is && p->unclaimed)
        snprintf(value, sizeof value, "nobody");
    else if (c->is)
        snprintf(value, sizeof value, "%#" PRIx64, c->value);
    draw_format(a, y, x, now ? ROLE_CHANGED : p->unclaimed ? ROLE_DIM : ROLE_TEXT, "%10s", value);
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
    draw_format(a, 0, 1, ROLE_HEAD, "%9s  %-10s%10s%9s %10s%9s   %s", "port", "device", "written",
                "event",
                "read", "event", "what answers there");
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
    .name = "devices", .about =
        "what was last written to and read from each port; live, the fields of a device",
    .state_bytes = sizeof(struct devices), .keys = devices_keys, .open = devices_open,
        .close = devices_close,
    .title = devices_title, .draw = devices_draw, .follow_selection = devices_follow,
        .work = devices_work,
    .guest_stopped = devices_stopped,
};
