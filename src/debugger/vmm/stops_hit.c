/*
 * debugger/vmm/stops_hit.c -- was a breakpoint hit, and does that stop the guest?
 *
 * Asked when the engine has stopped for one (code, data), after each turn (events),
 * or where it cannot look itself, after each step (what has changed).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/trace.h"
#include "debugger/symbols/symbols.h"
#include "mem/gmem.h"
#include "mem/walk.h"
#include "debugger/vmm/stops_private.h"

/* ---- counting ---- */

/* A hit with its condition true: count it.  False if it is one of those to be ignored.
 * `odd` is what went wrong with the condition ("" : nothing); such a hit always stops, and
 * the sentence in *why says so.  *why is filled in already, but for the number. */
static bool hit_stops_guest(struct stops *s, struct point *p, const char *odd,
                            struct link_stop *why)
{
    p->b.hits += !s->rehearsing;
    if (p->b.ignore && !odd[0] && !s->rehearsing) {
        p->b.ignore--;
        return false;
    }
    why->nr = p->b.nr;
    if (odd[0]) {
        size_t used = strlen(why->text);
        snprintf(why->text + used, sizeof why->text - used, " (its condition: %s)", odd);
    }
    if (p->b.temporary && !s->rehearsing)
        stops_delete(s, p->b.nr);
    return true;
}

void stops_rehearse(struct stops *s, bool on)
{
    s->rehearsing = on;
}

/* ---- code ---- */

/* "0x401020 <main+4>", or without the name if nobody knows one. */
static const char *name_place(const struct stops *s, gla_t at, char *buf, size_t n)
{
    char name[120];
    symbols_format(s->world.symbols, at, name, sizeof name);
    snprintf(buf, n, "%#" PRIx64 "%s%s%s", at, name[0] ? " <" : "", name, name[0] ? ">" : "");
    return buf;
}

/* The index of the first code point at or behind `from`: where to begin among those at one
 * address. */
static size_t first_code_point(const struct stops *s, gla_t from)
{
    size_t lo = 0, hi = s->n_code;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->code_point[mid].at < from)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Does the linear address mean the same physical one?  Then the code there is that of a kernel
 * which is linked higher, before it goes there.  Later, other code may be at this address. */
static bool is_identity(const struct stops *s, gla_t at)
{
    struct cpu_state cpu;
    struct walk w;
    struct vcpu *v = boot_cpu(s->vm);
    memset(&cpu, 0, sizeof cpu);
    if (v->ops->get_state(v, ST_GPRS | ST_SEGS | ST_CRS, &cpu))
        return false;
    struct paging pg = paging_for_debugger(&cpu);
    walk(&pg, s->vm->gmem, at, WALK_READ | WALK_PEEK, &w);
    return w.result == WALK_OK && w.gpa == at;
}

bool stops_code_hit(struct stops *s, gla_t at, struct link_stop *why)
{
    char place[160], odd[200];
    bool stopped = false;
    /* All that are there count their hit; the one made first is told. */
    for (size_t k = first_code_point(s, at); k < s->n_code && s->code_point[k].at == at; k++) {
        struct point *p = stops_find(s, s->code_point[k].nr);
        if (!p || (p->b.at != at && !is_identity(s, at)) ||
            !condition_holds(&s->world, &p->b, &p->names, odd, sizeof odd))
            continue;
        const char *what = p->b.temporary ? "temporary breakpoint" : "breakpoint";
        struct link_stop hit;
        stops_say(&hit, LINK_BREAK, "%s %u at %s", what, p->b.nr,
                  name_place(s, at, place, sizeof place));
        if (!hit_stops_guest(s, p, odd, &hit))
            continue;
        if (!stopped)
            *why = hit;
        stopped = true;
    }
    return stopped;
}

bool stops_magic_hit(struct stops *s, gla_t at, struct link_stop *why)
{
    char place[160];
    return stops_say(why, LINK_BREAK, "magic breakpoint (xchg bx, bx) before %s",
                     name_place(s, at, place, sizeof place));
}

/* ---- data ---- */

void stops_remember_point(struct stops *s, struct point *p)
{
    uint64_t n = p->b.len < MAX_WATCH ? p->b.len : MAX_WATCH;
    p->old_ok = (p->b.physical ? gmem_read(s->vm->gmem, p->b.at, p->old, n)
                               : vm_read_linear(s->vm, p->b.at, p->old, n)) == 0;
}

/* Has it changed since we last looked?  And what from and to, in words. */
static bool has_changed(struct stops *s, struct point *p, char *words, size_t n)
{
    uint8_t old[MAX_WATCH];
    bool old_ok = p->old_ok;
    uint64_t len = p->b.len < MAX_WATCH ? p->b.len : MAX_WATCH, a = 0, b = 0;
    memcpy(old, p->old, sizeof old);
    stops_remember_point(s, p);
    words[0] = 0;
    if (old_ok == p->old_ok && (!old_ok || !memcmp(old, p->old, len)))
        return false;
    if (len <= 8) {
        memcpy(&a, old, len);
        memcpy(&b, p->old, len);
        snprintf(words, n, old_ok && p->old_ok ? ": %#" PRIx64 " became %#" PRIx64
                         : p->old_ok ? ": mapped now" : ": not mapped any more", a, b);
    }
    return true;
}

/* A watched byte at `at` was touched.  Of a BREAK_CHANGE that is a hit only if the bytes
 * differ from those that were remembered. */
static bool one_data_hit(struct stops *s, struct point *p, gla_t at, struct link_stop *why)
{
    char place[160], words[80] = "", odd[200];
    if ((p->b.access & BREAK_CHANGE) && !has_changed(s, p, words, sizeof words))
        return false;
    if (!condition_holds(&s->world, &p->b, &p->names, odd, sizeof odd))
        return false;
    struct link_stop hit;
    if (p->b.physical)
        snprintf(place, sizeof place, "guest-physical %#" PRIx64, at);
    else
        name_place(s, at, place, sizeof place);
    stops_say(&hit, LINK_BREAK, "watchpoint %u at %s%s", p->b.nr, place, words);
    hit.address = at;
    if (!hit_stops_guest(s, p, odd, &hit))
        return false;
    *why = hit;
    return true;
}

/* The index is one of the table that the engine was told (make_tables() in stops.c). */
bool stops_data_hit(struct stops *s, const struct vmexit *x, struct link_stop *why)
{
    size_t k = x->breakpoint.index;
    struct point *p = k < s->told.n_data ? stops_find(s, s->data_point[k]) : NULL;
    return p && one_data_hit(s, p, x->breakpoint.at, why);
}

/* From the last to the first, so that of several hits the one made first is left in *why;
 * deleting a temporary one moves only those behind it. */
bool stops_changed(struct stops *s, struct link_stop *why)
{
    bool stopped = false;
    stops_look_behind(s);
    for (size_t i = s->n; i-- > 0; ) {
        struct point *p = &s->point[i];
        gla_t at = p->b.at;
        if (p->b.kind == BREAK_DATA && p->b.enabled &&
            ((p->b.access & BREAK_CHANGE) || stops_touched(s, &p->b, &at)))
            stopped |= one_data_hit(s, p, at, why);
    }
    s->ahead.n = 0;
    return stopped;
}

void stops_remember(struct stops *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->point[i].b.access & BREAK_CHANGE)
            stops_remember_point(s, &s->point[i]);
}

/* ---- events ---- */

/* Is one of the breakpoints on events true of e?  At most one stop for each event. */
static bool event_hit(struct stops *s, const struct trace_event *e, struct link_stop *why)
{
    char args[120], odd[200];
    for (size_t i = s->n; i-- > 0; ) {
        struct point *p = &s->point[i];
        if (p->b.kind != BREAK_EVENT || !p->b.enabled || !filter_match(p->filter, e) ||
            !condition_holds(&s->world, &p->b, &p->names, odd, sizeof odd))
            continue;
        const char *kind = e->kind < N_TRACE_KINDS ? trace_kinds[e->kind].name : "?";
        struct link_stop hit;
        stops_say(&hit, LINK_BREAK, "breakpoint %u at event %" PRIu64 ": %s %s", p->b.nr, e->seq,
                  kind, trace_text_args(&s->text, e, args, sizeof args));
        hit.seq = e->seq;
        if (hit_stops_guest(s, p, odd, &hit)) {
            *why = hit;
            return true;
        }
    }
    return false;
}

/* Only events since the last call.  If the ring has overwritten some of them meanwhile,
 * those are lost to us. */
bool stops_events_hit(struct stops *s, struct link_stop *why)
{
    const struct trace *t = s->vm->trace;
    if (!t)
        return false;
    uint64_t head = t->ring->head, from = s->seen;
    s->seen = head;
    if (!s->has_events)
        return false;
    if (head - from > t->ring->size)
        from = head - t->ring->size;
    bool stopped = false;
    for (uint64_t seq = from + 1; seq <= head; seq++) {
        struct link_stop hit;
        if (!event_hit(s, &t->ring->event[seq & (t->ring->size - 1)], &hit))
            continue;
        if (!stopped)
            *why = hit;
        stopped = true;
    }
    return stopped;
}
