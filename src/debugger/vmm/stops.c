/*
 * debugger/vmm/stops.c -- the breakpoints of a machine, and what the engine is told of them;
 * see stops.h.  Whether one was hit is stops_hit.c's.
 *
 * The list is in the order in which they were made.  For the engine, and for
 * finding what was hit among thousands, there are two sorted tables made from
 * it: code addresses and watched ranges, each with the number of its point.
 * `stale` says that they must be made anew before the guest runs on.
 */
#include "debugger/vmm/stops_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/trace.h"
#include "debugger/symbols/symbols.h"

/* A limit for scripts that run wild; the engine's tables grow with the list. */
#define MAX_BREAKS 65536

bool stops_say(struct link_stop *stop, enum link_stop_why why, const char *fmt, ...)
{
    va_list ap;
    *stop = (struct link_stop){ .why = why };
    va_start(ap, fmt);
    vsnprintf(stop->text, sizeof stop->text, fmt, ap);
    va_end(ap);
    return true;
}

struct point *stops_find(const struct stops *s, unsigned nr)
{
    /* A binary search: the list ascends, since points are numbered as they are made. */
    size_t lo = 0, hi = s->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->point[mid].b.nr < nr)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < s->n && s->point[lo].b.nr == nr ? &s->point[lo] : NULL;
}

/* ---- events that come from within ---- */

/* Some events come from within the engine, in the midst of its run: an interrupt or
 * fault is delivered, the mode changes.  There and then, not at the next exit. */
#define FROM_WITHIN (BIT(TRACE_DELIVER) | BIT(TRACE_UNDELIVERED) | BIT(TRACE_MODE) | \
                     TRACE_INSN_KINDS)

/* Called for an event of a kind in t->watched, as it is logged, by the engine's own code.
 * All that can be done there is to ask for an exit (a kick); the event is looked at again
 * when that has come. */
static void on_event(void *arg, const struct trace_event *e)
{
    struct stops *s = arg;
    for (size_t i = 0; i < s->n; i++)
        if (s->point[i].b.enabled && s->point[i].filter && filter_match(s->point[i].filter, e)) {
            s->vm->debug_wants.kick = true;
            vm_kick(s->vm);
            return;
        }
}

/* Tell the trace which kinds on_event() is to be called for.  The fewer the better: an
 * engine that logs each delivery of an interrupt does that often. */
static void watch_events(struct stops *s)
{
    struct trace *t = s->vm->trace;
    uint64_t kinds = 0;
    for (size_t i = 0; i < s->n; i++)
        if (s->point[i].b.enabled && s->point[i].filter)
            kinds |= filter_kinds(s->point[i].filter);
    s->has_events = kinds != 0;
    if (!t)
        return;
    t->on_event = on_event;
    t->on_event_arg = s;
    t->watched = kinds & FROM_WITHIN;
}

void stops_elsewhere(struct stops *s)
{
    s->seen = s->vm->trace ? s->vm->trace->ring->head : 0;
    s->stale = true;
    stops_remember(s);
}

/* ---- the engine ---- */

static int by_code(const void *a, const void *b)
{
    const struct code_point *x = a, *y = b;
    return x->at != y->at ? (x->at < y->at ? -1 : 1) : (x->nr > y->nr) - (x->nr < y->nr);
}

static int by_address(const void *a, const void *b, void *arg)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    const struct link_break *p = &stops_find(arg, x)->b, *q = &stops_find(arg, y)->b;
    if (p->physical != q->physical)
        return p->physical ? 1 : -1;
    return p->at != q->at ? (p->at < q->at ? -1 : 1) : (x > y) - (x < y);
}

/* What a watchpoint needs to hear of: to see a change, of writes. */
static uint8_t needs(const struct link_break *b)
{
    return (uint8_t)((b->access & (ACCESS_R | ACCESS_W)) |
                     (b->access & BREAK_CHANGE ? ACCESS_W : 0));
}

/* Both tables anew.  Code of a kernel that is linked high is met at its physical address too.
 * Data is sorted as the engine wants it (struct debug_stops); what the engine reports is an index
 * into that order, and data_point[] leads from it back to the breakpoint. */
static void make_tables(struct stops *s)
{
    size_t n_data = 0;
    s->n_code = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct link_break *b = &s->point[i].b;
        uint64_t loaded;
        if (b->enabled && b->kind == BREAK_CODE) {
            s->code_point[s->n_code++] = (struct code_point){ b->at, b->nr };
            if (symbols_loaded_at(s->world.symbols, b->at, &loaded))
                s->code_point[s->n_code++] = (struct code_point){ loaded, b->nr };
        }
        else if (b->enabled && b->kind == BREAK_DATA)
            s->data_point[n_data++] = b->nr;
    }
    qsort(s->code_point, s->n_code, sizeof *s->code_point, by_code);
    qsort_r(s->data_point, n_data, sizeof *s->data_point, by_address, s);
    for (size_t k = 0; k < n_data; k++) {
        const struct link_break *b = &stops_find(s, s->data_point[k])->b;
        s->data[k] = (struct data_stop){ b->at, b->len, needs(b), b->physical };
    }
    s->told.data = s->data;
    s->told.n_data = n_data;
}

/* The addresses of code_point and the extra one, each once and ascending. */
static void list_code(struct stops *s)
{
    size_t n = 0;
    bool extra = s->has_extra;
    for (size_t k = 0; k < s->n_code; k++) {
        gla_t at = s->code_point[k].at;
        if (extra && s->extra <= at) {
            s->code[n++] = s->extra;
            extra = false;
        }
        if (!n || s->code[n - 1] != at)
            s->code[n++] = at;
    }
    if (extra)
        s->code[n++] = s->extra;
    s->told.code = s->code;
    s->told.n_code = n;
}

/* Called before each run of the CPU, so it compares first.  A refusal (an engine with four
 * debug registers and five places) means stepping: stops_need_steps(). */
void stops_tell_engine(struct stops *s, const gla_t *extra, gla_t lo, gla_t hi)
{
    struct vm *vm = s->vm;
    if (!s->stale && s->has_extra == (extra != NULL) && (!extra || *extra == s->extra) &&
        s->told.lo == lo && s->told.hi == hi)
        return;
    if (s->stale) {
        make_tables(s);
        watch_events(s);
    }
    s->stale = false;
    s->has_extra = extra != NULL;
    s->extra = extra ? *extra : 0;
    s->told.lo = lo;
    s->told.hi = hi;
    list_code(s);
    if (vm->cfg.engine->set_debug)
        s->refused = vm->cfg.engine->set_debug(boot_cpu(vm), &s->told) != 0;
}

bool stops_need_steps(const struct stops *s)
{
    return (s->told.n_code || s->told.n_data) && (!s->vm->cfg.engine->set_debug || s->refused);
}

/* ---- the list ---- */

/* Is a watchpoint of a length that can be watched, and does it wait for anything? */
static int check_data(const struct link_break *b, char *why, size_t n)
{
    if (b->kind != BREAK_DATA)
        return 0;
    if (!b->len || b->len > (1u << 20) ||
        !(b->access & (BREAK_READ | BREAK_WRITE | BREAK_CHANGE))) {
        snprintf(why, n, "a watchpoint covers 1 byte to 1 MiB");
        return -EINVAL;
    }
    if ((b->access & BREAK_CHANGE) && b->len > MAX_WATCH) {
        snprintf(why, n, "changes can be seen in at most %d bytes; watch writes instead",
                 MAX_WATCH);
        return -EINVAL;
    }
    return 0;
}

/* Compile the expression of a BREAK_EVENT, and have the trace log the kinds that it looks
 * at: an event that is not logged cannot be met. */
static int make_filter(struct stops *s, struct point *p, char *why, size_t n)
{
    struct filter_error e;
    if (p->b.kind != BREAK_EVENT)
        return 0;
    p->filter = filter_compile(p->b.event, &s->text, &e);
    if (p->filter) {
        /* Every instruction is only logged for who asks for nothing else. */
        uint64_t kinds = filter_kinds(p->filter) & (BIT(N_TRACE_KINDS) - 1);
        s->vm->trace->mask |= kinds & ~TRACE_INSN_KINDS ? kinds & TRACE_DEFAULT_KINDS : kinds;
        return 0;
    }
    snprintf(why, n, "'%s' makes no sense at character %zu: %s", p->b.event, e.column + 1, e.text);
    return -EINVAL;
}

/* `array` is the address of a pointer.  On failure the old array stays. */
static bool grow_one(void *array, size_t bytes)
{
    void **a = array;
    void *more = realloc(*a, bytes);
    if (more)
        *a = more;
    return more != NULL;
}

/* Room for one breakpoint more, in the list and in all tables made from it.  If a later
 * array finds no memory the earlier ones are larger than `cap` says, which does no harm. */
static int grow(struct stops *s)
{
    if (s->n < s->cap)
        return 0;
    if (s->n >= MAX_BREAKS)
        return -ENOSPC;
    size_t cap = s->cap ? 2 * s->cap : 16;
    if (!grow_one(&s->point, cap * sizeof *s->point) ||
        !grow_one(&s->code, (2 * cap + 1) * sizeof *s->code) ||
        !grow_one(&s->data, cap * sizeof *s->data) ||
        !grow_one(&s->code_point, 2 * cap * sizeof *s->code_point) ||
        !grow_one(&s->data_point, cap * sizeof *s->data_point))
        return -ENOMEM;
    s->told.code = s->code;
    s->told.data = s->data;
    s->cap = cap;
    return 0;
}

int stops_add(struct stops *s, struct link_break *b, char *why, size_t n)
{
    struct point p = { .b = *b };
    int err = grow(s);
    if (err) {
        snprintf(why, n, err == -ENOSPC ? "there are %d breakpoints already" : "out of memory",
                 MAX_BREAKS);
        return err;
    }
    if (b->kind >= N_BREAK_KINDS || (b->kind == BREAK_EVENT && !s->vm->trace))
        return -EINVAL;
    if ((err = condition_check(&s->world, b, why, n)) || (err = check_data(b, why, n)) ||
        (err = make_filter(s, &p, why, n)))
        return err;
    p.b.nr = b->nr = s->next_nr++;
    p.b.hits = 0;
    if (b->access & BREAK_CHANGE)
        stops_remember_point(s, &p);
    s->point[s->n++] = p;
    s->stale = true;
    return 0;
}

/* What can be changed: enabled, the count to ignore, the condition.  Place and kind stay. */
int stops_change(struct stops *s, const struct link_break *b, char *why, size_t n)
{
    struct point *p = stops_find(s, b->nr);
    if (!p) {
        snprintf(why, n, "there is no breakpoint %u", b->nr);
        return -ENOENT;
    }
    struct link_break checked = *b;
    checked.kind = p->b.kind;
    checked.at = p->b.at;
    int err = condition_check(&s->world, &checked, why, n);
    if (err)
        return err;
    p->b.enabled = b->enabled;
    p->b.ignore = b->ignore;
    memcpy(p->b.condition, b->condition, sizeof p->b.condition);
    free(p->names);
    p->names = NULL;
    memcpy(p->b.agent, b->agent, sizeof p->b.agent);
    p->b.agent_len = b->agent_len;
    if (b->access & BREAK_CHANGE)
        stops_remember_point(s, p);
    s->stale = true;
    return 0;
}

/* Numbers are never used again, so the list stays sorted by number. */
int stops_delete(struct stops *s, unsigned nr)
{
    struct point *p = stops_find(s, nr);
    if (!p)
        return -ENOENT;
    filter_free(p->filter);
    free(p->names);
    size_t i = (size_t)(p - s->point);
    memmove(p, p + 1, (--s->n - i) * sizeof *p);
    s->stale = true;
    return 0;
}

void stops_met(struct stops *s, unsigned nr)
{
    const struct point *p = stops_find(s, nr);
    if (p && p->b.temporary)
        stops_delete(s, nr);
}

int stops_at(const struct stops *s, size_t i, struct link_break *b)
{
    if (i >= s->n)
        return -ENOENT;
    *b = s->point[i].b;
    return 0;
}

static void stops_free(struct stops *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++) {
        filter_free(s->point[i].filter);
        free(s->point[i].names);
    }
    free(s->point);
    free(s->code);
    free(s->data);
    free(s->code_point);
    free(s->data_point);
    free(s);
}

/* ---- made and freed ---- */

struct stops *stops_new(struct vm *vm, const struct symbols *symbols, struct debuginfo *info)
{
    struct stops *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->vm = vm;
    s->world = (struct condition_world){ vm, symbols, info };
    s->text = (struct trace_text){ .symbols = symbols, .engine_name = trace_text_listed_engine,
                                   .engine_arg = engine_names() };
    s->next_nr = 1;
    s->stale = true;
    s->told.magic = vm->cfg.magic_break;
    if (vm->cfg.engine->set_debug)
        vm->cfg.engine->set_debug(boot_cpu(vm), NULL);
    if (grow(s)) {
        stops_free(s);
        return NULL;
    }
    return s;
}
