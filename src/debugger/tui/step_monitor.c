/*
 * debugger/tui/step_monitor.c -- the monitor stepped beside the guest: while it is watched
 * (`W`), every exit stops in the monitor's handler, and the keys that step the guest
 * step the monitor, line by line, until the exit is answered.
 *
 *     not watched --W--> watched, runs --exit--> stands in a handler --s S f--> stands
 *          ^                |  ^                       |
 *          +------- W ------+  +-------- c ------------+
 *
 * The stepping is done by ptrace(), in link/monitor_step.h; here are the keys and commands
 * for it.  A monitor that stands answers no request, so nobody may ask it something and
 * wait: live_may_ask() says so.  What is found here is drawn by the pane `monitor`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/link/link.h"
#include "debugger/link/monitor_step.h"
#include "debugger/tui/tui.h"

#define STEP_MS 20              /* how long to wait for the end of a step before drawing */

bool beside_stands(const struct tui *t) { return t->live.monitor_stands; }

/* The monitor stands somewhere else than before, runs again, or has ended: note it. */
static void note_stepper(struct tui *t, enum stepper_state now)
{
    struct live *l = &t->live;
    l->monitor_stands = now == STEPPER_STANDS;
    l->monitor_moves++;
    t->dirty = true;
    if (now == STEPPER_GONE) {
        stepper_detach(l->stepper);
        l->stepper = NULL;
    }
}

/* Nothing is noted while it stands where it stood, or the pane would lose its scrolling. */
void beside_poll(struct tui *t)
{
    struct live *l = &t->live;
    if (!l->stepper)
        return;
    enum stepper_state now = stepper_poll(l->stepper);
    if ((now == STEPPER_STANDS) != l->monitor_stands || now == STEPPER_GONE)
        note_stepper(t, now);
}

/* Most steps are over in no time: wait a little, so that the next key finds it standing. */
void beside_go(struct tui *t, int how)
{
    struct live *l = &t->live;
    if (!l->monitor_stands)
        return;
    if (stepper_go(l->stepper, (enum stepper_go)how) == 0)
        note_stepper(t, stepper_wait(l->stepper, STEP_MS));
}

/* Begin to watch, and show the pane in which it is seen; or let go, whatever it was doing.
 * stepper_attach() may fail, where the system forbids ptrace(), and the message says why. */
void beside_toggle(struct tui *t)
{
    char why[200];
    struct live *l = &t->live;
    if (l->stepper) {
        stepper_detach(l->stepper);
        l->stepper = NULL;
        note_stepper(t, STEPPER_RUNS);
        tui_say(t, ROLE_DIM, "the monitor answers by itself again");
        return;
    }
    l->stepper = stepper_attach(t->link, why, sizeof why);
    if (l->stepper && stepper_follow(l->stepper, true) == 0) {
        layout_beside(t, PANE_MONITOR);
        tui_say(t, ROLE_STRONG,
                "the monitor is watched: each exit stops in its handler, and the step keys step "
                "there");
        return;
    }
    tui_say(t, ROLE_ERROR, "%s", l->stepper ? "the monitor does not stop" : why);
    stepper_detach(l->stepper);
    l->stepper = NULL;
}

/* Breakpoints in the monitor are in its CPU's debug registers, which stay set when a tracer
 * just ends: the monitor would be killed by the SIGTRAP of the next one.  So they are
 * cleared and it is let go in order. */
void beside_end(struct tui *t)
{
    stepper_detach(t->live.stepper);
    t->live.stepper = NULL;
    t->live.monitor_stands = false;
}

/* These three have nothing to tell unless the monitor stands. */
bool beside_where(struct tui *t, unsigned level, struct source_place *p)
{
    return t->live.monitor_stands && stepper_where(t->live.stepper, level, p);
}

const char *beside_exit(const struct tui *t)
{
    return t->live.monitor_stands ? stepper_exit(t->live.stepper) : "";
}

char *beside_locals(struct tui *t)
{
    char *text = NULL;
    size_t n;
    FILE *out = t->live.monitor_stands ? open_memstream(&text, &n) : NULL;
    if (!out)
        return NULL;
    stepper_locals(t->live.stepper, out);
    fclose(out);
    return text;
}

/* The value goes into the last line, or over the panes if it has several lines. */
static void print_expression(struct tui *t, const char *expr)
{
    char *text = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    if (!out)
        return;
    bool ok = stepper_print(t->live.stepper, expr, false, out);
    fclose(out);
    free(t->page);
    t->page = NULL;
    while (text && n && text[n - 1] == '\n')
        text[--n] = '\0';
    if (text && strchr(text, '\n')) {
        t->page = text;
        t->help_top = 0;
        return;
    }
    tui_say(t, ok ? ROLE_TEXT : ROLE_ERROR, "%s", text ? text : "");
    free(text);
}

/* `:monitor ...`, with the words that the console has for it. */
void beside_command(struct tui *t, const char *arg)
{
    static const struct { const char *name; enum stepper_go how; } words[] = {
        { "step", STEPPER_STEP }, { "next", STEPPER_NEXT },
        { "finish", STEPPER_FINISH }, { "continue", STEPPER_CONTINUE } };
    bool on = strcmp(arg, "follow on") == 0, off = strcmp(arg, "follow off") == 0;
    if (on || off) {
        if (on != (t->live.stepper != NULL))
            beside_toggle(t);
        return;
    }
    if (!t->live.monitor_stands) {
        tui_say(t, ROLE_ERROR,
                "the monitor does not stand in a handler; W watches it, then set the guest going");
        return;
    }
    for (size_t i = 0; i < NELEM(words); i++)
        if (strcmp(arg, words[i].name) == 0) {
            beside_go(t, (int)words[i].how);
            return;
        }
    if (strncmp(arg, "print ", 6) == 0)
        print_expression(t, arg + 6);
    else
        tui_say(t, ROLE_ERROR,
                "monitor follow on, follow off, step, next, finish, continue, print EXPR");
}
