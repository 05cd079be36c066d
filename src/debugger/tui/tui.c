/*
 * debugger/tui/tui.c -- the loop of the TUI.
 *
 *     wait for a key -> do what keys say -> look what the guest did -> draw -> work -> ...
 *
 * The program has one thread and must answer a key at once, even with ten million events
 * loaded.  So nothing in the loop takes long.  Only what is visible is drawn; searching,
 * counting, and moving through events that have not been found yet are *work*, done in
 * slices of two milliseconds between which the keyboard is looked at.
 *
 * Begin reading with loop(), then tui_select().
 */
#include "debugger/tui/tui.h"

#include <curses.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "debugger/console/command.h"
#include "debugger/link/link.h"
#include "debugger/tui/survey.h"

/* All in the host's time. */
#define SLICE_NS    2000000     /* work between two looks at the keyboard                  */
#define TYPING_NS   300000000   /* after a key, how long we expect the user to type on: ... */
#define BREATH_MS   4           /* ... then we sleep so long between slices, see is_typing() */
#define SHOWN_NS    100000000   /* how often a search shows how far it has come            */
#define GROWING_MS  100         /* how often a growing file is looked at                   */
#define FRAME_NS    33000000    /* how often the screen of a running guest is drawn        */

#define MAX_KEYS    64          /* keys taken before the screen is drawn                   */
#define EXIT_CANNOT 125         /* exit status: the TUI could not begin                    */

/* By enum pane_id, made from the list in pane.h. */
static const struct pane_ops *const pane_ops[N_PANES] = {
#define X(id, ops) &ops,
    PANE_LIST(X)
#undef X
};

uint64_t tui_n_events(const struct tui *t) { return store_n_events(t->store); }

void tui_say(struct tui *t, enum role role, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(t->message, sizeof t->message, fmt, ap);
    va_end(ap);
    t->message_role = role;
    t->dirty = true;
}

/*
 * The selected event
 */

/* Push the cursor on the stack for Esc.  If that is full, the oldest place is forgotten. */
static void remember_jump(struct tui *t)
{
    if (t->n_back && t->back[t->n_back - 1] == t->cursor)
        return;
    if (t->n_back == TUI_BACK) {
        memmove(t->back, t->back + 1, (TUI_BACK - 1) * sizeof t->back[0]);
        t->n_back--;
    }
    t->back[t->n_back++] = t->cursor;
}

/* The event is copied: a pointer from store_at() does not last, as panes look at other
 * events.  Panes that are not on the screen are not told, for some would look far into the
 * trace; layout.c tells them when they come into sight. */
void tui_select(struct tui *t, uint64_t index, bool jump)
{
    const struct trace_event *e = store_at(t->store, index);
    if (jump)
        remember_jump(t);
    t->cursor = index;
    t->has_event = e;
    if (e)
        t->event = *e;
    for (unsigned i = 0; i < N_PANES; i++) {
        struct pane *p = &t->pane[i];
        p->stale = !p->shown;
        if (p->shown && p->ops->follow_selection)
            p->ops->follow_selection(p);
    }
    t->dirty = true;
}

/* filter_both() of nothing and nothing is the filter that lets everything pass.  The
 * selected event may not match the new filter, so the nearest one that does is looked for. */
void tui_set_filter(struct tui *t, const char *text)
{
    struct filter_error err;
    struct filter *f = text[0] ? filter_compile(text, store_text(t->store), &err)
                               : filter_both(NULL, NULL);
    if (!f) {
        tui_say(t, ROLE_ERROR, "%s", err.text);
        return;
    }
    filter_free(t->filter);
    t->filter = f;
    snprintf(t->filter_text, sizeof t->filter_text, "%s", text);
    struct pane *p = &t->pane[PANE_STREAM];
    p->ops->open(p);            /* forgets its rows, begins anew where the cursor is */
    tui_select(t, t->cursor, false);
    search_filter(t, false, t->cursor);
}

/*
 * The screen
 */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The words of the top line: on the left what is shown, on which engine and with which paging;
 * behind it what the guest is doing, or why it stopped. */
struct top { char left[300], state[220]; };

/* One more word on the left, two columns behind the others. */
__attribute__((format(printf, 2, 3)))
static void add_left(struct top *top, const char *fmt, ...)
{
    size_t n = strlen(top->left);
    va_list ap;
    n += (size_t)snprintf(top->left + n, sizeof top->left - n, "%s", n ? "  " : "");
    va_start(ap, fmt);
    vsnprintf(top->left + n, sizeof top->left - n, fmt, ap);
    va_end(ap);
}

/* The left side without its `less` least important words. */
static void make_left(struct tui *t, int w, unsigned less, struct top *top)
{
    const char *engine = store_info(t->store, "engine"), *mmu = store_info(t->store, "mmu");
    const char *guest = store_info(t->store, "guest");
    top->left[0] = '\0';
    if (w > 100 && less < 1)
        add_left(top, "vitrine");
    if (less < 4)
        add_left(top, "%s", w > 140 && less < 1 ? t->o->name : base_name(t->o->name));
    if (guest && w > 60 && less < 2 && strcmp(guest, t->o->name))
        add_left(top, "guest %s", base_name(guest));
    if (engine && w > 50 && less < 3)
        add_left(top, "%s/%s", engine, mmu ? mmu : "?");
}

/* Why the guest stopped is never cut: where both do not fit, words on the left are left out; and
 * if that is not enough, the state has more lines.  Returns how many. */
static int make_top(struct tui *t, int w, struct top *top)
{
    top->state[0] = '\0';
    if (t->link)
        live_state_text(t, top->state, sizeof top->state);
    else if (store_warning(t->store)[0])
        snprintf(top->state, sizeof top->state, "(%s)", store_warning(t->store));
    draw_clean(top->state);
    int state = draw_width(top->state);
    for (unsigned less = 0; less < 5; less++) {
        make_left(t, w, less, top);
        if (draw_width(top->left) + 2 + state + 2 <= w)
            return 1;
    }
    return state + 2 <= w ? 1 : state + 10 <= 2 * w ? 2 : 3;
}

static void draw_top(struct tui *t, const struct area *a, const struct top *top)
{
    enum role role = t->link && live_running(t) ? ROLE_BARKEY : ROLE_BAR;
    for (int y = 0; y < a->h; y++)
        draw_rest(a, y, 0, ROLE_BAR);
    if (!top->left[0]) {
        draw_wrapped(a, 0, role, top->state);
        return;
    }
    bool brand = strncmp(top->left, "vitrine  ", 9) == 0;
    int x = draw_text(a, 0, 1, ROLE_BARKEY, brand ? "vitrine  " : "");
    x = draw_text(a, 0, x, ROLE_BAR, top->left + (brand ? 9 : 0));
    draw_text(a, 0, x + 2, role, top->state);
}

/* The last line has four uses: a line being typed is the most important, then a message,
 * then how far a search has come, then the names of the function keys. */
static void draw_bottom(struct tui *t, const struct area *a, int *cursor_y, int *cursor_x)
{
    if (t->prompt.kind) {
        prompt_draw(t, a, cursor_y, cursor_x);
    } else if (t->message[0]) {
        draw_rest(a, 0, 0, ROLE_TEXT);
        draw_text(a, 0, 1, t->message_role, draw_clean(t->message));
    } else if (t->search.active && t->search.looked_at > 1) {
        draw_rest(a, 0, 0, ROLE_TEXT);
        draw_format(a, 0, 1, ROLE_DIM, "searching: event %" PRIu64 " of %" PRIu64 "; Esc ends it",
                    t->search.at + 1, tui_n_events(t));
    } else {
        tui_draw_bar(t, a);
    }
}

/* Everything anew, into ncurses' picture of the screen; it finds out what has changed and
 * sends only that.  A terminal with few lines has them for the panes. */
static void draw_all(struct tui *t)
{
    int h, w, cursor_y = -1, cursor_x = 0;
    tui_term_size(&h, &w);
    struct top words;
    bool bottom = h >= 3 || t->prompt.kind || t->message[0];
    int top = h >= 16 ? make_top(t, w, &words) : 0;
    struct area first = { 0, 0, top, w }, last = { h - 1, 0, 1, w };
    struct area body = { top, 0, h - top - bottom, w };
    layout_arrange(t, &body);
    if (t->page)
        tui_draw_page(t, &body);
    else if (t->help)
        tui_draw_help(t, &body);
    else
        layout_draw(t);
    if (top)
        draw_top(t, &first, &words);
    if (bottom)
        draw_bottom(t, &last, &cursor_y, &cursor_x);
    tui_term_show(cursor_y, cursor_x);
    t->shown_ns = host_monotonic_ns();
    t->dirty = false;
}

/*
 * Work
 */

/* May somebody still be writing the trace file?  The last event of a run is its STOP. */
static bool may_grow(struct tui *t)
{
    uint64_t n = tui_n_events(t);
    const struct trace_event *last = n ? store_at(t->store, n - 1) : NULL;
    return !last || last->kind != TRACE_STOP;
}

/* The trace has grown.  If its end is followed, the last event that the filter shows
 * becomes the selected one; if it was empty before, the first. */
static void follow_end(struct tui *t)
{
    uint64_t before = t->n_seen, n = t->n_seen = tui_n_events(t);
    t->dirty = true;
    if (t->follow || before == 0)
        search_filter(t, t->follow, t->follow ? n - 1 : 0);
}

/* A recording: has another process written more into the file? */
static void look_for_more(struct tui *t)
{
    uint64_t now = host_monotonic_ns();
    if (now - t->looked_ns < GROWING_MS * UINT64_C(1000000) || !may_grow(t))
        return;
    t->looked_ns = now;
    store_refresh(t->store);
}

/* Has a key come just now?  While keys come, the loop sleeps a little between slices of
 * work.
 *
 * A process that computes without a pause has used up its share of the processor when a key
 * comes, so on a busy machine the scheduler lets it wait; that delay can be longer than
 * drawing the screen.  A process that sleeps most of the time is run at once.  That
 * counting takes longer meanwhile is not noticed. */
static bool is_typing(const struct tui *t) { return host_monotonic_ns() - t->key_ns < TYPING_NS; }

/* A slice of work: the search first, for the user waits for it; then the panes on the
 * screen; and with what time is left the survey, which nobody waits for.  True: there is
 * more to do.  How far search and survey have come is drawn a few times a second. */
static bool work_a_slice(struct tui *t)
{
    uint64_t end_ns = host_monotonic_ns() + SLICE_NS;
    bool more = search_work(t, SLICE_NS);
    for (unsigned i = 0; i < N_PANES; i++) {
        struct pane *p = &t->pane[i];
        if (p->shown && p->ops->work)
            more |= host_monotonic_ns() >= end_ns || p->ops->work(p, end_ns - host_monotonic_ns());
    }
    bool counting = t->survey->done < tui_n_events(t);
    if (host_monotonic_ns() < end_ns && !more && counting) {
        counting = survey_work(t->survey, t->store, end_ns - host_monotonic_ns());
        t->dirty |= !counting;
    }
    if ((t->search.active || (counting && !is_typing(t))) &&
        host_monotonic_ns() - t->shown_ns > SHOWN_NS)
        t->dirty = true;
    return more || counting;
}

/* Ctrl-C ends a search and pauses the guest.  SIGTERM and SIGHUP, or a terminal that is
 * gone, end the TUI, with the exit status that a shell gives to a program ended by a
 * signal. */
static void take_signal(struct tui *t)
{
    int signo = tui_term_signal();
    if (signo == SIGINT) {
        search_stop(t);
        live_interrupt(t);
    } else if (signo || tui_term_lost()) {
        t->quit = true;
        t->status = 128 + (signo ? signo : SIGHUP);
    }
}

/* How long to wait for a key when there is no work; -1: for ever. */
static int wait_ms(struct tui *t)
{
    return t->link ? live_wait_ms(t) : may_grow(t) ? GROWING_MS : -1;
}

/* What has the guest, or whoever writes the file, done meanwhile? */
static void look_outside(struct tui *t)
{
    if (t->link)
        live_poll(t);
    else
        look_for_more(t);
    if (tui_n_events(t) != t->n_seen)   /* also if they came along with an answer */
        follow_end(t);
}

/* Draw if there is anything new.  What a key did is shown at once; what a running guest
 * does at FRAME_NS, or drawing would take all the time. */
static void draw_screen(struct tui *t, bool keyed)
{
    if (t->dirty && (keyed || !live_running(t) || host_monotonic_ns() - t->shown_ns >= FRAME_NS))
        draw_all(t);
}

/* All keys that wait are taken before the screen is drawn once (but at most MAX_KEYS of
 * them): so holding a key down does not draw a screen for each.  If yet more have come by
 * then, drawing is put off to the next turn. */
static void loop(struct tui *t)
{
    bool more = true;
    while (!t->quit) {
        draw_screen(t, false);
        int fd = t->link ? link_fd(t->link) : -1;
        int key = tui_term_key(!more ? wait_ms(t) : is_typing(t) ? BREATH_MS : 0, fd);
        bool keyed = key != ERR;
        for (unsigned i = 0; key != ERR && !t->quit; key = tui_term_key(0, -1)) {
            t->key_ns = host_monotonic_ns();
            tui_key(t, key);
            if (++i == MAX_KEYS)
                break;
        }
        take_signal(t);
        look_outside(t);
        if (!tui_term_pending())
            draw_screen(t, keyed);
        more = work_a_slice(t);
    }
}

/*
 * Beginning and end
 */

/* One pane of each sort.  False: out of memory; close_tui() then closes what is open. */
static bool open_panes(struct tui *t)
{
    for (unsigned i = 0; i < N_PANES; i++) {
        struct pane *p = &t->pane[i];
        *p = (struct pane){ .ops = pane_ops[i], .tui = t, .stale = true };
        p->state = calloc(1, p->ops->state_bytes + 1);
        if (!p->state || (p->ops->open && !p->ops->open(p)))
            return false;
    }
    return true;
}

/* Frees everything, also if new_tui() has come only half way. */
static void close_tui(struct tui *t)
{
    beside_end(t);
    for (unsigned i = 0; i < N_PANES; i++) {
        if (t->pane[i].state && t->pane[i].ops->close)
            t->pane[i].ops->close(&t->pane[i]);
        free(t->pane[i].state);
    }
    free(t->page);
    free(t->live.breaks);
    console_free(t->console);
    console_free(t->stepping);
    filter_free(t->filter);
    survey_free(t->survey);
    free(t);
}

static struct tui *new_tui(const struct tui_options *o)
{
    struct tui *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    *t = (struct tui){ .o = o, .store = o->store, .link = o->link, .dirty = true,
                       .mouse = o->term.mouse, .follow = o->link != NULL };
    t->filter = filter_both(NULL, NULL);
    t->survey = survey_new();
    if (t->filter && t->survey && open_panes(t))
        return t;
    close_tui(t);
    return NULL;
}

int tui_run(const struct tui_options *o)
{
    char why[200];
    struct tui *t = new_tui(o);
    if (!t) {
        host_say("there is not enough memory");
        return EXIT_CANNOT;
    }
    if (!tui_term_open(&o->term, why, sizeof why)) {
        host_say("%s", why);
        close_tui(t);
        return EXIT_CANNOT;
    }
    if (o->layout)
        layout_choose(t, o->layout);
    if (o->filter)
        tui_set_filter(t, o->filter);
    tui_select(t, t->cursor, false);
    t->n_seen = tui_n_events(t);
    live_begin(t);
    tui_show_crash(t);
    loop(t);
    tui_term_close();
    int status = t->status;
    close_tui(t);
    return status;
}
