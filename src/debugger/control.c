/*
 * debugger/control.c -- run control; see control.h.
 *
 * Begin reading with one_turn(): prepare, look at events; run, look at why the
 * CPU came back; look at events.
 */
#include "debugger/control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "base/trace.h"
#include "base/x86.h"
#include "debugger/disasm.h"
#include "debugger/expr.h"
#include "debugger/filter.h"
#include "debugger/regs.h"
#include "debugger/symbols.h"
#include "debugger/trace_text.h"

#define MAX_BREAKS 4096
#define MAX_WATCH  64                   /* bytes remembered to see a change */
#define TURNS_AT_ONCE 2048

struct point {
    struct link_break b;
    struct filter    *filter;
    uint8_t           old[MAX_WATCH];   /* BREAK_CHANGE: what was there */
    bool              old_ok;
};

struct control {
    struct vm            *vm;
    const struct symbols *symbols;
    struct trace_text     text;
    struct point         *point;
    size_t                n, cap;
    unsigned              next_nr;
    struct debug_stops    stops;
    gla_t                *code;
    struct data_stop     *data;
    bool                  has_events, stepping;

    enum link_run how;
    uint64_t      left;                 /* of LINK_STEP without counting, LINK_STEP_EXIT    */
    uint64_t      until;                /* LINK_STEP: the icount                            */
    uint64_t      begin_icount;         /* a code stop where we began is none               */
    bool          begun;                /* something was retired since                      */
    gla_t         sp0;                  /* LINK_FINISH, LINK_NEXT                           */
    gla_t         next_at;              /* LINK_NEXT over a call: comes back there          */
    bool          was_return, has_next;
    uint64_t      seen;                 /* events up to this one were looked at             */
    struct link_stop stop;
};

/* ---- stopping ---- */

__attribute__((format(printf, 3, 4)))
static bool stop(struct control *c, enum link_stop_why why, const char *fmt, ...)
{
    va_list ap;
    c->stop = (struct link_stop){ .why = why };
    va_start(ap, fmt);
    vsnprintf(c->stop.text, sizeof c->stop.text, fmt, ap);
    va_end(ap);
    return true;
}

static bool get_cpu(const struct control *c, unsigned groups, struct cpu_state *s)
{
    struct vcpu *v = &c->vm->cpu;
    memset(s, 0, sizeof *s);
    return v->ops->get_state(v, groups, s) == 0;
}

static int read_memory(void *arg, bool physical, uint64_t at, void *buf, unsigned n)
{
    const struct control *c = arg;
    return physical ? gmem_read(c->vm->gmem, at, buf, n) : vm_read_linear(c->vm, at, buf, n);
}

/* Is the condition true now?  One that cannot be evaluated stops, and says so. */
static bool condition_holds(struct control *c, const struct point *p, char *why, size_t n)
{
    struct cpu_state s;
    uint64_t value;
    size_t at;
    why[0] = 0;
    if (!p->b.condition[0])
        return true;
    get_cpu(c, ST_ALL & ~ST_FPU, &s);
    struct expr_machine m = { .cpu = &s, .symbols = c->symbols, .read = read_memory, .arg = c };
    return expr_eval(p->b.condition, &m, &value, &at, why, n) || value;
}

/* It was hit: is that a stop?  The caller has filled in c->stop. */
static bool counts(struct control *c, struct point *p, const char *odd)
{
    p->b.hits++;
    if (p->b.ignore && !odd[0]) {
        p->b.ignore--;
        return false;
    }
    c->stop.nr = p->b.nr;
    if (odd[0]) {
        size_t used = strlen(c->stop.text);
        snprintf(c->stop.text + used, sizeof c->stop.text - used, " (its condition: %s)", odd);
    }
    if (p->b.temporary)
        control_break_delete(c, p->b.nr);
    return true;
}

/* ---- code and data ---- */

static const char *where(const struct control *c, gla_t at, char *buf, size_t n)
{
    char name[120];
    symbols_format(c->symbols, at, name, sizeof name);
    snprintf(buf, n, "%#" PRIx64 "%s%s%s", at, name[0] ? " <" : "", name, name[0] ? ">" : "");
    return buf;
}

static bool code_hit(struct control *c, gla_t at)
{
    char place[160], odd[200];
    bool stopped = false;
    for (size_t i = c->n; i-- > 0; ) {          /* backwards: a temporary one is deleted */
        struct point *p = &c->point[i];
        if (p->b.kind != BREAK_CODE || !p->b.enabled || p->b.at != at ||
            !condition_holds(c, p, odd, sizeof odd))
            continue;
        const char *what = p->b.temporary ? "temporary breakpoint" : "breakpoint";
        unsigned nr = p->b.nr;
        struct link_stop kept = c->stop;
        stop(c, LINK_BREAK, "%s %u at %s", what, nr, where(c, at, place, sizeof place));
        if (counts(c, p, odd))
            stopped = true;
        else
            c->stop = kept;
    }
    return stopped;
}

static void remember(struct control *c, struct point *p)
{
    uint64_t n = p->b.len < MAX_WATCH ? p->b.len : MAX_WATCH;
    p->old_ok = vm_read_linear(c->vm, p->b.at, p->old, n) == 0;
}

/* Has it changed since we last looked?  And what from and to, in words. */
static bool has_changed(struct control *c, struct point *p, char *words, size_t n)
{
    uint8_t old[MAX_WATCH];
    bool old_ok = p->old_ok;
    uint64_t len = p->b.len < MAX_WATCH ? p->b.len : MAX_WATCH, a = 0, b = 0;
    memcpy(old, p->old, sizeof old);
    remember(c, p);
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

static bool touches(const struct point *p, gla_t at)
{
    return p->b.kind == BREAK_DATA && p->b.enabled && at - p->b.at < p->b.len;
}

static bool data_hit(struct control *c, gla_t at, bool any)
{
    char place[160], words[80] = "", odd[200];
    for (size_t i = c->n; i-- > 0; ) {
        struct point *p = &c->point[i];
        if (any ? p->b.kind != BREAK_DATA || !p->b.enabled : !touches(p, at))
            continue;
        if ((p->b.access & BREAK_CHANGE) && !has_changed(c, p, words, sizeof words))
            continue;
        if (!condition_holds(c, p, odd, sizeof odd))
            continue;
        stop(c, LINK_BREAK, "watchpoint %u at %s%s", p->b.nr,
             where(c, any ? p->b.at : at, place, sizeof place), words);
        c->stop.address = any ? p->b.at : at;
        if (counts(c, p, odd))
            return true;
    }
    return false;
}

/* ---- events ---- */

static bool event_hit(struct control *c, const struct trace_event *e)
{
    char args[120], odd[200];
    for (size_t i = c->n; i-- > 0; ) {
        struct point *p = &c->point[i];
        if (p->b.kind != BREAK_EVENT || !p->b.enabled || !filter_match(p->filter, e) ||
            !condition_holds(c, p, odd, sizeof odd))
            continue;
        const char *kind = e->kind < N_TRACE_KINDS ? trace_kinds[e->kind].name : "?";
        stop(c, LINK_BREAK, "breakpoint %u at event %" PRIu64 ": %s %s", p->b.nr, e->seq, kind,
             trace_text_args(&c->text, e, args, sizeof args));
        c->stop.seq = e->seq;
        if (counts(c, p, odd))
            return true;
    }
    return false;
}

/* The events since last time.  All are looked at: each may count a hit, and the
 * first that stops is the one told. */
static bool look_at_events(struct control *c)
{
    const struct trace *t = c->vm->trace;
    if (!t)
        return false;
    uint64_t head = t->ring->head, from = c->seen;
    c->seen = head;
    if (!c->has_events)
        return false;
    if (head - from > t->ring->size)
        from = head - t->ring->size;
    bool stopped = false;
    struct link_stop first = { 0 };
    for (uint64_t seq = from + 1; seq <= head; seq++) {
        bool hit = event_hit(c, &t->ring->event[seq & (t->ring->size - 1)]);
        if (hit && !stopped)
            first = c->stop;
        stopped |= hit;
    }
    if (stopped)
        c->stop = first;
    return stopped;
}

/* Some events come from within the engine, in the midst of its run: an interrupt or
 * fault is delivered, the mode changes.  There and then, not at the next exit. */
#define FROM_WITHIN (BIT(TRACE_DELIVER) | BIT(TRACE_MODE) | TRACE_INSN_KINDS)

static void on_event(void *arg, const struct trace_event *e)
{
    struct control *c = arg;
    for (size_t i = 0; i < c->n; i++)
        if (c->point[i].b.enabled && c->point[i].filter && filter_match(c->point[i].filter, e)) {
            c->vm->debug_kick = true;
            vm_kick(c->vm);
            return;
        }
}

static void watch_events(struct control *c)
{
    struct trace *t = c->vm->trace;
    uint64_t kinds = 0;
    for (size_t i = 0; i < c->n; i++)
        if (c->point[i].b.enabled && c->point[i].filter)
            kinds |= filter_kinds(c->point[i].filter);
    if (!t)
        return;
    t->on_event = on_event;
    t->on_event_arg = c;
    t->watched = kinds & FROM_WITHIN;
}

/* ---- one turn ---- */

static bool guest_ended(struct control *c)
{
    const struct vm *vm = c->vm;
    vm_finish(c->vm);
    stop(c, LINK_GUEST_ENDED, "%s%s%s", vm_stops[vm->stop].about, vm->why[0] ? ": " : "", vm->why);
    c->stop.vm_stop = vm->stop;
    c->stop.status = vm->status;
    return true;
}

static bool stepped(struct control *c, const char *text)
{
    return stop(c, LINK_STEPPED, "%s", text);
}

/* An instruction is done, or several: was that what was wanted? */
static bool step_done(struct control *c, bool retired_one)
{
    struct cpu_state s;
    const struct vcpu *v = &c->vm->cpu;
    c->begun |= retired_one || v->icount != c->begin_icount;
    switch (c->how) {
    case LINK_FREE:
    case LINK_STEP_EXIT:
        return false;
    case LINK_STEP:
        if (c->vm->cfg.engine->counts ? v->icount < c->until : !retired_one || --c->left)
            return false;
        return stepped(c, "stepped");
    default:
        break;
    }
    get_cpu(c, ST_GPRS | ST_SEGS | ST_CRS, &s);
    gla_t sp = state_sp(&s);
    if (c->how == LINK_NEXT)
        return c->begun && (!c->has_next || (state_pc(&s) == c->next_at && sp >= c->sp0)) &&
               stepped(c, "stepped");
    if (c->was_return && c->begun && sp > c->sp0)
        return stepped(c, "returned");
    return false;
}

/* LINK_FINISH: does the instruction we stand before return? */
static void look_ahead(struct control *c)
{
    struct cpu_state s;
    struct insn i;
    uint8_t bytes[15];
    unsigned n = sizeof bytes;
    if (c->how != LINK_FINISH || !get_cpu(c, ST_GPRS | ST_SEGS | ST_CRS, &s))
        return;
    while (n && vm_read_linear(c->vm, state_pc(&s), bytes, n))
        n--;
    /* Most opcodes are ruled out by their first byte: RET and IRET, SYSRET (0f), prefixes. */
    static const char may_return[] = "\xc2\xc3\xca\xcb\xcf\x0f\x48\x66\xf3\xf2\x67";
    c->was_return = false;
    if (!n || !memchr(may_return, bytes[0], sizeof may_return - 1))
        return;
    disasm(bytes, n, state_code_bits(&s), s.rip, s.seg[SEG_CS].base, NULL, &i);
    c->was_return = i.is_return;
}

/* The CPU came back for our own sake. */
static bool look_at_debug_exit(struct control *c, const struct vmexit *x)
{
    if (x->reason == EXIT_BREAKPOINT && x->fault.vector == 1)
        return data_hit(c, x->fault.gla, false) || step_done(c, false);
    if (x->reason == EXIT_BREAKPOINT) {
        bool at_begin = !c->begun && c->vm->cpu.icount == c->begin_icount;
        if (c->how == LINK_NEXT && c->has_next && step_done(c, false))
            return true;
        return !at_begin && code_hit(c, x->fault.gla);
    }
    return step_done(c, x->reason != EXIT_KICKED);
}

/* An engine without stops of its own was stepped: look for ourselves. */
static bool look_around(struct control *c)
{
    struct cpu_state s;
    if (!c->stepping || c->vm->cfg.engine->set_debug || !c->begun)
        return false;
    if (data_hit(c, 0, true))
        return true;
    return get_cpu(c, ST_GPRS | ST_SEGS | ST_CRS, &s) && code_hit(c, state_pc(&s));
}

static bool look_at_exit(struct control *c, const struct vmexit *x)
{
    bool retired = c->vm->verdict == RETIRE;
    (void)x;
    if (look_at_events(c))
        return true;
    if (c->how == LINK_STEP_EXIT && !--c->left)
        return stepped(c, "one exit further");
    return step_done(c, retired) || look_around(c);
}

static bool one_turn(struct control *c)
{
    struct vm *vm = c->vm;
    struct vmexit x;
    bool may_run = vm_prepare(vm);
    if (vm->stop != VM_RUNNING) {
        look_at_events(c);
        return guest_ended(c);
    }
    if (look_at_events(c))
        return true;
    if (!may_run)
        return false;                           /* halted; pause_wanted says why */
    look_ahead(c);
    vm->debug_until = c->until;
    if (c->how == LINK_FINISH && vm->cfg.engine->counts)
        vm->debug_until = vm->cpu.icount + 1;
    bool counted = vm_turn(vm, &x);
    vm->debug_until = 0;
    if (!counted)
        return vm->debug_exit && (look_at_events(c) || look_at_debug_exit(c, &x) || look_around(c));
    bool stopped = look_at_exit(c, &x);
    return vm->stop != VM_RUNNING ? guest_ended(c) : stopped;
}

bool control_turns(struct control *c, const bool *attention, struct link_stop *why)
{
    uint64_t late = host_monotonic_ns() + 20000000;
    for (unsigned i = 0; !*attention && (i % 256 || host_monotonic_ns() < late); i++) {
        if (one_turn(c)) {
            *why = c->stop;
            return true;
        }
        if (c->vm->pause_wanted)
            break;
    }
    return false;
}

/* ---- going ---- */

/* Without hidden stops, or to be exact about steps without a count: the trap flag. */
static void choose_stepping(struct control *c)
{
    struct vm *vm = c->vm;
    bool native = vm->cfg.engine->set_debug != NULL;
    bool points = c->stops.n_code || c->stops.n_data;
    bool steps = c->how != LINK_FREE && c->how != LINK_STEP_EXIT;
    c->stepping = (points && !native) || (steps && !vm->cfg.engine->counts);
    vm->debug_step = c->stepping;
    if (vm->controls.monitor_trap_flag == c->stepping)
        return;
    vm->controls.monitor_trap_flag = c->stepping;
    vm->cpu.ops->set_controls(&vm->cpu, &vm->controls);
}

static int compare_gla(const void *a, const void *b)
{
    gla_t x = *(const gla_t *)a, y = *(const gla_t *)b;
    return x < y ? -1 : x > y;
}

/* The engine's stops, made anew from the breakpoints. */
static void tell_engine(struct control *c)
{
    struct vm *vm = c->vm;
    c->stops = (struct debug_stops){ .code = c->code, .data = c->data };
    c->has_events = false;
    for (size_t i = 0; i < c->n; i++) {
        const struct link_break *b = &c->point[i].b;
        if (!b->enabled)
            continue;
        if (b->kind == BREAK_CODE)
            c->code[c->stops.n_code++] = b->at;
        else if (b->kind == BREAK_DATA)
            c->data[c->stops.n_data++] = (struct data_stop){ b->at, b->len,
                (uint8_t)((b->access & (ACCESS_R | ACCESS_W)) | (b->access & BREAK_CHANGE ? ACCESS_W : 0)) };
        else
            c->has_events = true;
    }
    if (c->how == LINK_NEXT && c->has_next)
        c->code[c->stops.n_code++] = c->next_at;
    qsort(c->code, c->stops.n_code, sizeof *c->code, compare_gla);
    if (vm->cfg.engine->set_debug)
        vm->cfg.engine->set_debug(&vm->cpu, &c->stops);
    watch_events(c);
    choose_stepping(c);
}

/* Over a call: a hidden stop behind it, good for the same or a higher stack. */
static void prepare_next(struct control *c, const struct cpu_state *s)
{
    struct insn i;
    uint8_t bytes[15];
    unsigned n = sizeof bytes;
    while (n && vm_read_linear(c->vm, state_pc(s), bytes, n))
        n--;
    disasm(bytes, n, state_code_bits(s), s->rip, s->seg[SEG_CS].base, NULL, &i);
    c->has_next = i.ok && i.is_call;
    c->next_at = state_pc(s) + i.len;
    if (!c->has_next)
        c->how = LINK_STEP;
}

void control_go(struct control *c, enum link_run how, uint64_t n)
{
    struct cpu_state s;
    const struct vcpu *v = &c->vm->cpu;
    get_cpu(c, ST_GPRS | ST_SEGS | ST_CRS, &s);
    c->how = how;
    c->left = n ? n : 1;
    c->begin_icount = v->icount;
    c->begun = c->was_return = c->has_next = false;
    c->sp0 = state_sp(&s);
    if (how == LINK_NEXT)
        prepare_next(c, &s);
    c->until = c->how == LINK_STEP && c->vm->cfg.engine->counts ? v->icount + c->left : 0;
    tell_engine(c);
}

void control_touched(struct control *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->point[i].b.access & BREAK_CHANGE)
            remember(c, &c->point[i]);
}

/* ---- the list ---- */

static struct point *find(const struct control *c, unsigned nr)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->point[i].b.nr == nr)
            return &c->point[i];
    return NULL;
}

static int check_condition(const struct control *c, const char *text, char *why, size_t n)
{
    static const struct cpu_state none;
    struct expr_machine m = { .cpu = &none, .symbols = c->symbols };
    size_t at;
    char what[200];
    if (!text[0] || !expr_check(text, &m, &at, what, sizeof what))
        return 0;
    snprintf(why, n, "the condition '%s' makes no sense: %s", text, what);
    return -EINVAL;
}

static int check_data(const struct control *c, const struct link_break *b, char *why, size_t n)
{
    if (b->kind != BREAK_DATA)
        return 0;
    if (!b->len || b->len > (1u << 20) || !(b->access & (BREAK_READ | BREAK_WRITE | BREAK_CHANGE))) {
        snprintf(why, n, "a watchpoint covers 1 byte to 1 MiB");
        return -EINVAL;
    }
    if ((b->access & BREAK_CHANGE) && b->len > MAX_WATCH) {
        snprintf(why, n, "changes can be seen in at most %d bytes; watch writes instead", MAX_WATCH);
        return -EINVAL;
    }
    if (!c->vm->cfg.engine->set_debug && !(b->access & BREAK_CHANGE)) {
        snprintf(why, n, "on %s only changes of memory can be watched", c->vm->cfg.engine->name);
        return -ENOTSUP;
    }
    return 0;
}

static int make_filter(struct control *c, struct point *p, char *why, size_t n)
{
    struct filter_error e;
    if (p->b.kind != BREAK_EVENT)
        return 0;
    p->filter = filter_compile(p->b.event, &c->text, &e);
    if (p->filter) {
        /* Every instruction is only logged for who asks for nothing else. */
        uint64_t kinds = filter_kinds(p->filter) & (BIT(N_TRACE_KINDS) - 1);
        c->vm->trace->mask |= kinds & ~TRACE_INSN_KINDS ? kinds & TRACE_DEFAULT_KINDS : kinds;
        return 0;
    }
    snprintf(why, n, "'%s' makes no sense at character %zu: %s", p->b.event, e.column + 1, e.text);
    return -EINVAL;
}

static int grow(struct control *c)
{
    if (c->n < c->cap)
        return 0;
    if (c->n >= MAX_BREAKS)
        return -ENOSPC;
    size_t cap = c->cap ? 2 * c->cap : 16;
    struct point *point = realloc(c->point, cap * sizeof *point);
    if (point)
        c->point = point;
    gla_t *code = realloc(c->code, (cap + 1) * sizeof *code);       /* one more: LINK_NEXT's */
    if (code)
        c->code = code;
    struct data_stop *data = realloc(c->data, cap * sizeof *data);
    if (data)
        c->data = data;
    if (!point || !code || !data)
        return -ENOMEM;
    c->cap = cap;
    return 0;
}

int control_break_add(struct control *c, struct link_break *b, char *why, size_t n)
{
    struct point p = { .b = *b };
    int err = grow(c);
    if (err) {
        snprintf(why, n, err == -ENOSPC ? "there are %d breakpoints already" : "out of memory", MAX_BREAKS);
        return err;
    }
    if (b->kind >= N_BREAK_KINDS || (b->kind == BREAK_EVENT && !c->vm->trace))
        return -EINVAL;
    if ((err = check_condition(c, b->condition, why, n)) || (err = check_data(c, b, why, n)) ||
        (err = make_filter(c, &p, why, n)))
        return err;
    p.b.nr = b->nr = c->next_nr++;
    p.b.hits = 0;
    if (b->access & BREAK_CHANGE)
        remember(c, &p);
    c->point[c->n++] = p;
    tell_engine(c);
    return 0;
}

int control_break_change(struct control *c, const struct link_break *b, char *why, size_t n)
{
    struct point *p = find(c, b->nr);
    if (!p) {
        snprintf(why, n, "there is no breakpoint %u", b->nr);
        return -ENOENT;
    }
    int err = check_condition(c, b->condition, why, n);
    if (err)
        return err;
    p->b.enabled = b->enabled;
    p->b.ignore = b->ignore;
    memcpy(p->b.condition, b->condition, sizeof p->b.condition);
    if (b->access & BREAK_CHANGE)
        remember(c, p);
    tell_engine(c);
    return 0;
}

int control_break_delete(struct control *c, unsigned nr)
{
    struct point *p = find(c, nr);
    if (!p)
        return -ENOENT;
    filter_free(p->filter);
    size_t i = (size_t)(p - c->point);
    memmove(p, p + 1, (--c->n - i) * sizeof *p);
    tell_engine(c);
    return 0;
}

int control_break_at(const struct control *c, size_t i, struct link_break *b)
{
    if (i >= c->n)
        return -ENOENT;
    *b = c->point[i].b;
    return 0;
}

struct control *control_new(struct vm *vm, const struct symbols *symbols)
{
    struct control *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->vm = vm;
    c->symbols = symbols;
    c->text = (struct trace_text){ .symbols = symbols, .engine_name = trace_text_listed_engine,
                                   .engine_arg = engine_names() };
    c->next_nr = 1;
    if (grow(c)) {
        control_free(c);
        return NULL;
    }
    return c;
}

void control_free(struct control *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n; i++)
        filter_free(c->point[i].filter);
    free(c->point);
    free(c->code);
    free(c->data);
    free(c);
}
