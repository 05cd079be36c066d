/*
 * debugger/tui_devices.c -- the pane of devices: what the guest last wrote to
 * and read from each port, as of the selected event.
 *
 * Found backwards from the selected event, as far as a few ten thousand
 * accesses; the table says if that was not the beginning.
 */
#include <curses.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "debugger/tui.h"
#include "vm/pc.h"

#define MAX_PORTS    128
#define LOOK_BACK    50000      /* accesses */

struct access { bool is; uint64_t value, seq; };

struct port {
    uint64_t at;                /* the port, or the guest-physical address */
    bool     memory, unclaimed;
    struct access read, written;
    unsigned n;                 /* accesses seen */
};

struct devices {
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
    d->accesses = filter_compile("kind in (IO_READ, IO_WRITE, MMIO_READ, MMIO_WRITE, UNCLAIMED)", NULL, &err);
    return d->accesses;
}

static void devices_close(struct pane *p)
{
    filter_free(((struct devices *)p->state)->accesses);
}

static void devices_follow(struct pane *p)
{
    struct devices *d = p->state;
    d->n = d->looked = 0;
    d->at = p->tui->cursor;
    d->done = tui_n_events(p->tui) == 0;
    d->whole = false;
}

static struct port *port_of(struct devices *d, uint64_t at, bool memory)
{
    size_t i = 0;
    while (i < d->n && (d->port[i].memory < memory || (d->port[i].memory == memory && d->port[i].at < at)))
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
static void take(struct devices *d, const struct trace_event *e)
{
    bool unclaimed = e->kind == TRACE_UNCLAIMED;
    bool memory = e->kind == TRACE_MMIO_READ || e->kind == TRACE_MMIO_WRITE || (unclaimed && e->arg[0] > 0xffff);
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
    while (!d->done && host_monotonic_ns() < end_ns) {
        enum store_found f = store_prev(p->tui->store, d->accesses, &d->at, budget_ns);
        const struct trace_event *e = f == STORE_FOUND ? store_at(p->tui->store, d->at) : NULL;
        if (e)
            take(d, e);
        d->whole = f == STORE_NONE || (f == STORE_FOUND && d->at == 0);
        d->done = d->whole || ++d->looked >= LOOK_BACK;
        if (f == STORE_FOUND && d->at)
            d->at--;
    }
    if (d->done && !was_done)
        p->tui->dirty = true;
    return !d->done;
}

static int draw_access(const struct area *a, int y, int x, const struct access *c, const struct port *p, bool now)
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

static void devices_draw(struct pane *p, const struct area *a)
{
    struct devices *d = p->state;
    draw_clear(a);
    if (a->h < 1)
        return;
    devices_work(p, 1000000);
    draw_rest(a, 0, 0, ROLE_HEAD);
    draw_format(a, 0, 1, ROLE_HEAD, "%9s  %-10s%10s%9s %10s%9s   %s", "port", "device", "written", "event",
                "read", "event", "what answers there");
    pane_scroll(&d->top, (long)d->n, a->h - 1);
    for (int i = 0; i + 1 < a->h && d->top + i < (long)d->n; i++)
        draw_port(p, a, i + 1, &d->port[d->top + i]);
    if (!d->n)
        draw_wrapped(a, 1, ROLE_DIM, "no device was accessed until here");
}

static void devices_title(struct pane *p, char *buf, size_t n)
{
    const struct devices *d = p->state;
    if (!d->done)
        snprintf(buf, n, "looking back");
    else
        snprintf(buf, n, "%zu addresses accessed until here%s", d->n, d->whole ? "" : ", and older ones");
}

static void scroll_ports(struct tui *t, struct pane *p, int by)
{
    (void)t;
    ((struct devices *)p->state)->top += by;
}

static const struct key devices_keys[] = {
    { 'j', KEY_DOWN, NULL, "scroll down", scroll_ports, 1, ALWAYS },
    { 'k', KEY_UP, NULL, "scroll up", scroll_ports, -1, ALWAYS },
    { 0 }
};

const struct pane_ops pane_devices = {
    .name = "devices", .about = "what was last written to and read from each port",
    .state_bytes = sizeof(struct devices), .keys = devices_keys, .open = devices_open, .close = devices_close,
    .title = devices_title, .draw = devices_draw, .follow_selection = devices_follow, .work = devices_work,
};
