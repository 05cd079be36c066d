/*
 * debugger/tui/live.c -- a guest that runs while we look: go, pause, step, until.
 *
 * The guest is in another process (debugger/link/link.h).  What it does comes to us
 * as events, as in a recording that grows; besides, while it stands still, its
 * registers, memory and devices can be looked at as they are now.
 *
 * A run goes like this:
 *
 *     a key -> live_go() -> link_run(): returns at once, `going` is set
 *     the loop: live_poll() takes events from the ring, again and again
 *     the VMM says it stopped -> live_poll() -> guest_has_stopped(): the registers are
 *              copied, the message says why, every pane is told
 *
 * The loop never waits for the VMM longer than link_patience() (a second), for a VMM that
 * hangs must not take the keyboard with it.
 *
 * A guest can be taken back in time (doc/reverse.md).  The trace is not shortened by that:
 * it keeps the events of what was a future once.  When the guest then runs on another way,
 * the VMM logs a CUT, which says up to which event the trace still holds:
 *
 *     1 2 3 4 5 6 7 8   CUT(back to 4)   9 10 11 ...
 *             \______/                   what happens now, instead of 5 to 8
 *           no longer true
 *
 * Begin reading with live_go() and live_poll().
 */
#include <curses.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/regs.h"
#include "debugger/console/command.h"
#include "debugger/link/link.h"
#include "debugger/link/monitor_step.h"
#include "debugger/symbols/line_table.h"
#include "debugger/symbols/symbols.h"
#include "debugger/tui/tui.h"

#define RUNNING_MS 20           /* how often to poll a guest that runs: when its ring of events
                                   is full, the VMM waits for us                           */
#define WATCH_MS   2            /* ... or a monitor that is watched: it may wait for us at
                                   every exit                                              */
#define PATIENCE_MS 1000        /* how long to wait for an answer of the VMM; only once,
                                   see live.deaf                                           */
#define PAUSE_MS   1000         /* how long to wait for a pause to take effect             */
#define LOOK_NS    300000000    /* how long to look through the trace                      */
#define MAX_BREAKS 1024         /* breakpoints listed                                      */
#define STEP_MS    100          /* how long a step waits for the end of the one before     */

/* While it runs, what has happened since it was set going is new.  When it has stopped,
 * that is still what one wants to see marked, so the stop before the latest one counts. */
uint64_t live_new_from(const struct tui *t)
{
    return live_running(t) ? t->live.events_at_stop : t->live.events_before;
}

bool live_running(const struct tui *t)
{
    return t->link && link_state(t->link) == LINK_RUNNING;
}

/* Between two calls of live_poll().  If the guest has stopped and `going` is still set, the
 * news came together with the answer to another request, so link_fd() will not become
 * readable for it; but there is something to take, so poll at once. */
int live_wait_ms(const struct tui *t)
{
    if (live_running(t))
        return t->live.stepper && !t->live.monitor_stands ? WATCH_MS : RUNNING_MS;
    return t->live.going ? 1 : -1;
}

void live_begin(struct tui *t)
{
    if (!t->link)
        return;
    link_patience(t->link, PATIENCE_MS);
    link_get_state(t->link, &t->live.now);
    t->live.at_stop = t->live.now;
    t->live.events_at_stop = tui_n_events(t);
    t->live.stops = 1;
    tui_say(t, ROLE_STRONG,
            "F5 runs the guest, F7 is one instruction, F8 goes to its next exit, ? is help");
}

/* A monitor that is watched may stop in a handler at any moment while the guest runs, and
 * then it would not answer until the user lets it go on: so while it runs it is not asked. */
bool live_may_ask(const struct tui *t)
{
    return t->link && !t->live.deaf && !link_held(t->link) && !(t->live.stepper && live_running(t));
}

void live_answered(struct tui *t, int err)
{
    t->live.deaf |= err == -ETIMEDOUT;
}

/* Is there a guest at all?  If not, a message says so. */
static bool can_run(struct tui *t)
{
    if (!t->link)
        tui_say(t, ROLE_DIM, "this is a recording: nothing runs");
    return t->link;
}

/* Where, in the trace, the present future begins: index of the last CUT, or 0.  From there
 * on virtual time only grows, so that one can search by halving. */
static uint64_t future_from(struct tui *t)
{
    struct filter_error err;
    struct filter *f = filter_compile("kind==CUT", NULL, &err);
    uint64_t at = tui_n_events(t) - 1;
    bool found = f && store_prev(t->store, f, &at, LOOK_NS) == STORE_FOUND;
    filter_free(f);
    return found ? at : 0;
}

/* Index of the last event that has happened where the guest stands.  The trace may know
 * more than that: the guest may have been taken back before events that are still in it. */
static uint64_t position(struct tui *t)
{
    struct link_status s;
    link_get_status(t->link, &s);
    uint64_t lo = future_from(t), hi = tui_n_events(t);
    const struct trace_event *e = store_at(t->store, lo);
    if (lo && e && e->vtime_ns >= s.vtime_ns)   /* it stands before the CUT: look there */
        hi = lo, lo = 0;
    while (hi - lo > 1) {
        uint64_t mid = lo + (hi - lo) / 2;
        e = store_at(t->store, mid);
        if (e && e->vtime_ns <= s.vtime_ns)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* After each stop.  If the guest stands before the end of the trace, show what happened
 * last where it stands.  When it has come back to the end, the end is followed again. */
static void select_position(struct tui *t)
{
    uint64_t n = tui_n_events(t), at = n ? position(t) : 0;
    bool was_past = t->live.past;
    t->live.past = at + 1 < n;
    if (t->live.past) {
        t->follow = false;
        tui_select(t, at, true);
    } else if (was_past && n) {
        t->follow = true;
        tui_select(t, n - 1, true);
    }
}

void live_to_event(struct tui *t)
{
    if (t->has_event)
        live_go(t, LINK_TO_EVENT, t->event.seq);
}

/* The last exit at *at or before it, which *at then is.  At a CUT go on where it leads back
 * to: what lies between was taken back, and is no exit that the guest has made. */
static bool find_exit(struct tui *t, const struct filter *f, uint64_t *at)
{
    while (store_prev(t->store, f, at, LOOK_NS) == STORE_FOUND) {
        const struct trace_event *e = store_at(t->store, *at);
        if (e && e->kind == TRACE_EXIT)
            return true;
        uint64_t back_to = e ? store_seek_seq(t->store, e->arg[0]) : 0;
        if (!e || back_to >= *at)
            return false;
        *at = back_to;
    }
    return false;
}

/* Two exits back from where the guest stands is the one before the one it last made.  Going
 * there means: to the end of the turn in which that exit happened. */
void live_exit_back(struct tui *t)
{
    struct filter_error err;
    if (!can_run(t) || !tui_n_events(t))
        return;
    struct filter *f = filter_compile("kind in (EXIT, CUT)", NULL, &err);
    uint64_t at = position(t);
    bool found = f && find_exit(t, f, &at) && at-- && find_exit(t, f, &at);
    const struct trace_event *e = found ? store_at(t->store, at) : NULL;
    filter_free(f);
    if (e)
        live_go(t, LINK_TO_EVENT, e->seq);
    else
        tui_say(t, ROLE_DIM, "there is no exit before");
}

/* The last words of `vitrine run`.  A guest that was taken back has none before it ends again. */
bool tui_show_crash(struct tui *t)
{
    const char *words = t->link ? NULL : store_words(t->store);
    char *text = t->link ? link_explain(t->link, t->o->symbols) : words ? strdup(words) : NULL;
    if (!text)
        return false;
    free(t->page);
    t->page = text;
    t->help_top = 0;
    t->help = false;
    tui_say(t, ROLE_STRONG, "any key shows what led to it; :why tells this again%s",
            t->link ? "; z is one instruction back, X an exit" : "");
    return true;
}

/* It stands still: copy the registers, and tell everybody. */
static void guest_has_stopped(struct tui *t)
{
    struct live *l = &t->live;
    const struct link_stop *s = link_stopped(t->link);
    l->before = l->at_stop;
    l->events_before = l->events_at_stop;
    link_get_state(t->link, &l->at_stop);
    l->now = l->at_stop;
    l->events_at_stop = tui_n_events(t);
    l->has_before = true;
    l->stops++;
    l->deaf = l->going = l->stepping = false;
    if (s->why != LINK_DIED)            /* a VMM that died may have logged more than it reported */
        select_position(t);
    live_breaks_changed(t);
    if (l->until)
        link_break_delete(t->link, l->until);   /* it is still there if another one stopped it */
    l->until = 0;
    bool crashed = tui_show_crash(t);
    if (s->why != LINK_STEPPED && !crashed)
        tui_say(t, s->why == LINK_DIED ? ROLE_ERROR : ROLE_STRONG, "%s", s->text);
    for (unsigned i = 0; i < N_PANES; i++)
        if (t->pane[i].ops->guest_stopped)
            t->pane[i].ops->guest_stopped(&t->pane[i]);
}

void live_poll(struct tui *t)
{
    char words[180];
    beside_poll(t);
    unsigned news = link_poll(t->link, 0);
    if (news & LINK_NEWS_STATE && !live_running(t))
        guest_has_stopped(t);
    if (news & LINK_NEWS_WORDS) {
        size_t n = link_take_words(t->link, words, sizeof words - 1);
        words[n] = '\0';
        tui_say(t, ROLE_ERROR, "%s", words);
    }
    t->dirty |= news != 0 || live_running(t);
}

/* While the monitor stands in a handler the guest cannot be set going: it is in the middle
 * of an instruction.  True: so it is, and a message says what to do. */
static bool say_if_held(struct tui *t)
{
    if (beside_stands(t))
        tui_say(t, ROLE_DIM, "the monitor stands in a handler: s steps it, c lets it answer");
    return beside_stands(t);
}

bool live_can_step(struct tui *t)
{
    if (!can_run(t) || say_if_held(t))
        return false;
    if (live_running(t))
        tui_say(t, ROLE_DIM, "it runs; F5 pauses it");
    return !live_running(t);
}

/* Holding a step key down sends keys faster than steps end.  Without waiting for the end of
 * the step before, most would be lost; with it, the guest steps as fast as it can. */
void live_go(struct tui *t, int how, uint64_t n)
{
    struct live *l = &t->live;
    if (!can_run(t) || say_if_held(t))
        return;
    if (live_running(t) && l->stepping) {       /* keys come faster than steps end */
        for (int ms = 0; ms < STEP_MS && live_running(t) && !beside_stands(t); ms += WATCH_MS) {
            link_wait(t->link, WATCH_MS);
            live_poll(t);
        }
    }
    int err = link_run(t->link, (enum link_run)how, n);
    if (err == 0) {
        l->going = true;
        l->stepping = how != LINK_FREE;
        t->follow |= !LINK_IS_BACK(how);
    } else if (err == -ENOTSUP) {
        tui_say(t, ROLE_DIM, "%s", link_refusal(t->link));
    } else if (err == -EBUSY) {
        tui_say(t, ROLE_DIM, "it runs; F5 pauses it");
    } else if (err == -EOWNERDEAD || err == -ESRCH) {
        tui_say(t, ROLE_DIM, "%s; it cannot go on", link_stopped(t->link)->text);
    } else {
        tui_say(t, ROLE_ERROR, "it does not go on: %s", strerror(-err));
    }
}

void live_run_or_pause(struct tui *t)
{
    if (live_running(t))
        live_interrupt(t);
    else
        live_go(t, LINK_FREE, 0);
}

/* A monitor that is watched would stop in the handler of an exit before it comes to the
 * pause, and answer nothing: so it is not watched until the guest has paused. */
static int pause_guest(struct tui *t)
{
    struct stepper *s = t->live.stepper;
    if (s)
        stepper_follow(s, false);
    int err = link_pause(t->link);
    if (s && !err)
        err = link_wait(t->link, PAUSE_MS);
    if (s)
        stepper_follow(s, true);
    return err;
}

void live_interrupt(struct tui *t)
{
    if (beside_stands(t))
        tui_say(t, ROLE_DIM, "the monitor stands in a handler: c lets it answer, W lets it alone");
    else if (!live_running(t))
        tui_say(t, ROLE_DIM, "q quits");
    else if (pause_guest(t) < 0)
        tui_say(t, ROLE_ERROR, "the monitor does not answer");
}

/*
 * Typing to the guest
 */

#define END_TYPING 0x1d         /* Ctrl-] */

void tui_begin_typing(struct tui *t, struct pane *p, int arg)
{
    (void)arg;
    t->typing = p;
    tui_say(t, ROLE_STRONG, "keys go to the guest; Ctrl-] ends it");
}

/* The bytes that a terminal sends for a key, of which curses has made one number: the
 * sequences of a VT100 or xterm.  Returns how many; 0: none are known. */
static size_t bytes_of_key(int key, char *buf)
{
    static const struct { int key; const char *bytes; } sent[] = {
        { KEY_UP, "\033[A" }, { KEY_DOWN, "\033[B" },
        { KEY_RIGHT, "\033[C" }, { KEY_LEFT, "\033[D" },
        { KEY_HOME, "\033[H" }, { KEY_END, "\033[F" },
        { KEY_BACKSPACE, "\177" }, { KEY_ENTER, "\r" },
    };
    for (size_t i = 0; i < NELEM(sent); i++)
        if (sent[i].key == key) {
            strcpy(buf, sent[i].bytes);
            return strlen(buf);
        }
    buf[0] = (char)key;
    return key >= 0 && key < 256;
}

bool tui_type(struct pane *p, int key, int to)
{
    char bytes[8];
    struct tui *t = p->tui;
    if (t->typing != p || !t->link)
        return false;
    if (key == END_TYPING) {
        t->typing = NULL;
        return true;
    }
    size_t n = bytes_of_key(key, bytes);
    ssize_t taken = n ? link_type(t->link, (enum link_input)to, bytes, n) : 0;
    if (taken < (ssize_t)n)
        tui_say(t, ROLE_DIM, taken == -EAGAIN ? "the monitor stands: Ctrl-] and let it go on first"
                             : live_running(t) ? "the guest does not take it now"
                             : "the guest does not run: F5, after Ctrl-]");
    return true;
}

/*
 * Breakpoints
 */

/* A symbol comes first, so that a function named like a register is found.  A register
 * counts as it is where the guest stands. */
bool tui_place(const struct tui *t, const char *text, uint64_t *at)
{
    char *end;
    uint64_t last;
    if (symbols_extent(t->o->symbols, text, strlen(text), at, &last))
        return true;
    errno = 0;
    *at = strtoull(text, &end, 0);
    if (end != text && !*end && !errno)
        return true;
    const struct reg *r = t->link ? reg_find(text, strlen(text)) : NULL;
    if (r)
        *at = reg_get(r, &t->live.now);
    return r;
}

/* Breakpoints are asked for one by one until there are no more.  If the VMM must not be
 * asked now, the list is what is known so far. */
const struct link_break *live_breaks(struct tui *t, size_t *n)
{
    struct live *l = &t->live;
    while (!l->breaks_known && live_may_ask(t)) {
        if (l->n_breaks == l->room_breaks) {
            size_t room = l->room_breaks ? 2 * l->room_breaks : 8;
            struct link_break *more = NULL;
            if (room <= MAX_BREAKS)
                more = realloc(l->breaks, room * sizeof *more);
            if (!more)
                break;
            l->breaks = more;
            l->room_breaks = room;
        }
        int err = link_break_at(t->link, l->n_breaks, &l->breaks[l->n_breaks]);
        live_answered(t, err);
        l->breaks_known = err < 0;
        l->n_breaks += err == 0;
    }
    *n = l->n_breaks;
    return l->breaks;
}

void live_breaks_changed(struct tui *t)
{
    t->live.breaks_known = false;
    t->live.n_breaks = 0;
}

/* Set a breakpoint by the console's command; verb: "break" or "tbreak".  `what` can be
 *
 *     main, 0x7c00, port 0x3f8, mark 3, main if eax == 3      what the console takes
 *     hlt, cpuid                                              an exit reason: "exit hlt"
 *     kind==EXIT && port==0x3f8                               a filter: "event ..."
 *
 * Whether it is a filter is tried first, then the first two, one after the other.  If both
 * fail, the complaint about the first is the one to show.  False: a message says why. */
static bool make_break(struct tui *t, const char *verb, const char *what, bool tell)
{
    static const char *const ways[] = { "%s %s", "%s exit %s" };
    char line[400], *answer = NULL, *first = NULL;
    struct filter_error err;
    uint64_t at;
    bool is_place = tui_place(t, what, &at);
    struct filter *f = is_place ? NULL : filter_compile(what, store_text(t->store), &err);
    enum console_result r = CONSOLE_ERROR;
    for (unsigned i = 0; i < NELEM(ways) && r == CONSOLE_ERROR; i++) {
        free(first);
        first = answer;
        snprintf(line, sizeof line, f ? "%s event %s" : ways[i], verb, what);
        r = tui_ask(t, line, &answer);
    }
    filter_free(f);
    if (r == CONSOLE_ERROR)
        tui_say(t, ROLE_ERROR, "%s", first ? first : answer ? answer : "");
    else if (tell)
        tui_say(t, ROLE_DIM, "%s", answer ? answer : "");
    free(first);
    free(answer);
    return r == CONSOLE_OK;
}

/* A temporary breakpoint; the newest one has the highest number.  It is remembered, as
 * another breakpoint may stop the guest first: then it must go. */
void live_until(struct tui *t, const char *what)
{
    size_t n;
    unsigned last = 0;
    if (!can_run(t) || !make_break(t, "tbreak", what, false))
        return;
    const struct link_break *b = live_breaks(t, &n);
    for (size_t i = 0; i < n; i++)
        last = b[i].nr > last ? b[i].nr : last;
    live_go(t, LINK_FREE, 0);
    t->live.until = last;
    tui_say(t, ROLE_DIM, "until %s", what);
}

void live_break(struct tui *t, const char *what)
{
    if (can_run(t))
        make_break(t, "break", what, true);
}

void live_state_text(struct tui *t, char *buf, size_t n)
{
    struct link_status s;
    const struct link_stop *stop = link_stopped(t->link);
    link_get_status(t->link, &s);
    struct source_place p;
    if (beside_where(t, 0, &p))
        snprintf(buf, n, "the MONITOR answers %s: %s() line %d", beside_exit(t), p.function,
                 p.line);
    else if (live_running(t) && s.past.total)
        snprintf(buf, n, "GOING BACK  %.0f %%", 100.0 * (double)s.past.done / (double)s.past.total);
    else if (live_running(t))
        snprintf(buf, n, "%s  %" PRIu64 " exits  %" PRIu64 " instructions",
                 s.halted ? "halted" : "RUNNING", s.n_exits, s.icount);
    else
        snprintf(buf, n, "%s: %s", link_state_names[link_state(t->link)], stop->text);
}
