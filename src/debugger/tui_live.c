/*
 * debugger/tui_live.c -- a guest that runs while we look: go, pause, step, until.
 *
 * The guest is in another process (debugger/link.h).  What it does comes to us
 * as events, as in a recording that grows; besides, while it stands still, its
 * registers, memory and devices can be looked at as they are now.
 */
#include <curses.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/link.h"
#include "debugger/regs.h"
#include "debugger/symbols.h"
#include "debugger/tui.h"

#define RUNNING_MS 20           /* the ring wants to be emptied */
#define STEP_MS    100          /* so long the next step waits for the last */

bool live_running(const struct tui *t)
{
    return t->link && link_state(t->link) == LINK_RUNNING;
}

/* Asking the VMM something may have brought the news that it stopped: then its
 * descriptor is silent, and there is something to take all the same. */
int live_wait_ms(const struct tui *t)
{
    return live_running(t) ? RUNNING_MS : t->live.going ? 1 : -1;
}

void live_begin(struct tui *t)
{
    if (!t->link)
        return;
    link_get_state(t->link, &t->live.now);
    t->live.stops = 1;
    tui_say(t, ROLE_STRONG, "F5 runs the guest, F7 is one instruction, F8 goes to its next exit, ? is help");
}

bool live_may_ask(const struct tui *t) { return t->link && !t->live.deaf; }

void live_answered(struct tui *t, int err)
{
    t->live.deaf |= err == -ETIMEDOUT;
}

/* It stands still: what are its registers now? */
static void stopped(struct tui *t)
{
    const struct link_stop *s = link_stopped(t->link);
    link_get_state(t->link, &t->live.now);
    t->live.stops++;
    t->live.deaf = t->live.going = false;
    if (s->why != LINK_STEPPED)
        tui_say(t, s->why == LINK_DIED ? ROLE_ERROR : ROLE_STRONG, "%s", s->text);
    for (unsigned i = 0; i < N_PANES; i++)
        if (t->pane[i].ops->guest_stopped)
            t->pane[i].ops->guest_stopped(&t->pane[i]);
}

void live_poll(struct tui *t)
{
    char words[180];
    unsigned news = link_poll(t->link, 0);
    if (news & LINK_NEWS_STATE && !live_running(t))
        stopped(t);
    if (news & LINK_NEWS_WORDS) {
        size_t n = link_take_words(t->link, words, sizeof words - 1);
        words[n] = '\0';
        tui_say(t, ROLE_ERROR, "%s", words);
    }
    t->dirty |= news != 0 || live_running(t);
}

static bool can_run(struct tui *t)
{
    if (!t->link)
        tui_say(t, ROLE_DIM, "this is a recording: nothing runs");
    return t->link;
}

void live_go(struct tui *t, int how, uint64_t n)
{
    struct live *l = &t->live;
    if (!can_run(t))
        return;
    if (live_running(t) && l->stepping) {       /* keys come faster than steps end */
        link_wait(t->link, STEP_MS);
        live_poll(t);
    }
    uint64_t events = tui_n_events(t);
    struct cpu_state before = l->now;
    int err = link_run(t->link, (enum link_run)how, n);
    if (err == 0) {
        l->before = before;
        l->has_before = l->going = true;
        l->stepping = how != LINK_FREE;
        l->events_before = events;
        t->follow = true;
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

void live_interrupt(struct tui *t)
{
    if (!live_running(t))
        tui_say(t, ROLE_DIM, "q quits");
    else if (link_pause(t->link) < 0)
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

/* What a terminal sends for keys that curses has taken apart. */
static size_t bytes_of_key(int key, char *buf)
{
    static const struct { int key; const char *bytes; } sent[] = {
        { KEY_UP, "\033[A" }, { KEY_DOWN, "\033[B" }, { KEY_RIGHT, "\033[C" }, { KEY_LEFT, "\033[D" },
        { KEY_HOME, "\033[H" }, { KEY_END, "\033[F" }, { KEY_BACKSPACE, "\177" }, { KEY_ENTER, "\r" },
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
    if (n && link_type(t->link, (enum link_input)to, bytes, n) < (ssize_t)n)
        tui_say(t, ROLE_DIM, live_running(t) ? "the guest does not take it now" : "the guest does not run: F5, after Ctrl-]");
    return true;
}

/*
 * Breakpoints
 */

/* A symbol, a register or a number. */
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

/* Breakpoints on code; any other text says which events. */
static bool is_code(const struct tui *t, const char *text, uint64_t *at)
{
    return !(t->link && reg_find(text, strlen(text))) && tui_place(t, text, at);
}

static bool add_break(struct tui *t, const char *what, bool temporary)
{
    char why[200];
    struct link_break b = { .enabled = true, .temporary = temporary, .kind = BREAK_CODE, .len = 1 };
    if (!can_run(t))
        return false;
    if (!is_code(t, what, &b.at)) {
        b.kind = BREAK_EVENT;
        snprintf(b.event, sizeof b.event, "%s", what);
    }
    if (link_break_add(t->link, &b, why, sizeof why) == 0) {
        tui_say(t, ROLE_DIM, temporary ? "until %s" : "it will stop at %s (:delete %u)", what, b.nr);
        return true;
    }
    tui_say(t, ROLE_ERROR, "%s", why);
    return false;
}

void live_until(struct tui *t, const char *what)
{
    if (add_break(t, what, true))
        live_go(t, LINK_FREE, 0);
}

void live_break(struct tui *t, const char *what) { add_break(t, what, false); }

void live_delete(struct tui *t, const char *nr)
{
    if (!can_run(t))
        return;
    if (link_break_delete(t->link, (unsigned)strtoul(nr, NULL, 0)) < 0)
        tui_say(t, ROLE_ERROR, "there is no breakpoint %s", nr);
}

void live_state_text(struct tui *t, char *buf, size_t n)
{
    struct link_status s;
    const struct link_stop *stop = link_stopped(t->link);
    link_get_status(t->link, &s);
    if (live_running(t))
        snprintf(buf, n, "%s  %" PRIu64 " exits  %" PRIu64 " instructions", s.halted ? "halted" : "RUNNING", s.n_exits,
                 s.icount);
    else
        snprintf(buf, n, "%s: %s", link_state_names[link_state(t->link)], stop->text);
}
