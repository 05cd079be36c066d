/*
 * debugger/tui/command.c -- what can be typed behind `:`.
 *
 *     :goto 1234        a command of the table below, or an unambiguous beginning of one
 *     :1234             the same, as in less and vi
 *     :info registers   no command of ours: the console's (console/command.h)
 *
 * The console is the same one that `vitrine debug` has.  Its answer is text: one line goes
 * to the bottom of the screen, more cover the panes until a key is pressed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "debugger/console/command.h"
#include "debugger/link/link.h"
#include "debugger/tui/tui.h"

#define LINE_NS 1000000000      /* a step by line that takes longer is broken off */

typedef void command_fn(struct tui *t, const char *arg);

/* Decimal, or hexadecimal with 0x.  False: it is none, as a message says. */
static bool parse_number(struct tui *t, const char *text, uint64_t *n)
{
    char *end;
    errno = 0;
    *n = strtoull(text, &end, 0);
    if (!errno && end != text && !*end && text[0] != '-')
        return true;
    tui_say(t, ROLE_ERROR, "'%s' is no number", text);
    return false;
}

/* An index behind the end, as for a time later than the last event, is the last event. */
static void clamp_select(struct tui *t, uint64_t index)
{
    uint64_t n = tui_n_events(t);
    if (n)
        tui_select(t, index < n ? index : n - 1, true);
}

static void go_to(struct tui *t, const char *arg)
{
    uint64_t seq;
    if (parse_number(t, arg, &seq))
        clamp_select(t, store_seek_seq(t->store, seq));
}

/* "1.5ms", "20us"; a number alone is in nanoseconds.  A double has 53 bits, so beyond 104
 * days of virtual time the nanosecond would not be exact. */
static void go_to_time(struct tui *t, const char *arg)
{
    char *end;
    double v = strtod(arg, &end);
    static const struct { const char *unit; double ns; } units[] = {
        { "", 1 }, { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 } };
    for (size_t i = 0; i < NELEM(units) && end != arg; i++)
        if (strcmp(end, units[i].unit) == 0 && v >= 0 && v * units[i].ns < 1.8e19) {
            clamp_select(t, store_seek_time(t->store, (uint64_t)(v * units[i].ns)));
            return;
        }
    tui_say(t, ROLE_ERROR, "'%s' is no time; try 1.5ms", arg);
}

static void set_filter(struct tui *t, const char *arg) { tui_set_filter(t, arg); }

static void choose_layout(struct tui *t, const char *arg)
{
    if (!layout_choose(t, arg))
        tui_say(t, ROLE_ERROR, "there is no layout '%s': lecture, lab, debug", arg);
}

/* By its name; the names are in the panes' own tables. */
static void show_pane(struct tui *t, const char *arg)
{
    for (unsigned i = 0; i < N_PANES; i++)
        if (strcmp(t->pane[i].ops->name, arg) == 0) {
            layout_show(t, (enum pane_id)i);
            return;
        }
    tui_say(t, ROLE_ERROR, "there is no pane '%s'; Tab lists them", arg);
}

static void show_memory(struct tui *t, const char *arg)
{
    if (tui_place(t, arg, &t->memory_at))
        layout_show(t, PANE_MEMORY);
    else
        tui_say(t, ROLE_ERROR, "'%s' is no symbol, register or address", arg);
}

static void find_bytes(struct tui *t, const char *arg) { tui_find_memory(t, arg); }

/* Without an address, the pane is shown with that of the selected event. */
static void walk_of(struct tui *t, const char *arg)
{
    t->has_walk_at = *arg && tui_place(t, arg, &t->walk_at);
    if (*arg && !t->has_walk_at)
        tui_say(t, ROLE_ERROR, "'%s' is no symbol, register or address", arg);
    else
        layout_show(t, PANE_PAGING);
}

static void quit_tui(struct tui *t, const char *arg)
{
    (void)arg;
    t->quit = true;
}

/* Ours, then the console's, as a page over the panes; or in full a command of the console. */
static void show_help(struct tui *t, const char *arg);

static void step_exit(struct tui *t, const char *arg)
{
    uint64_t n = 1;
    if (!*arg || parse_number(t, arg, &n))
        live_go(t, LINK_STEP_EXIT, n);
}

static void run_on(struct tui *t, const char *arg) { (void)arg; live_go(t, LINK_FREE, 0); }
static void pause_it(struct tui *t, const char *arg) { (void)arg; live_interrupt(t); }
static void step_line(struct tui *t, const char *arg) { (void)arg; tui_step_line(t, true); }
static void next_line(struct tui *t, const char *arg) { (void)arg; tui_step_line(t, false); }

static void command_monitor(struct tui *t, const char *arg)
{
    if (t->link)
        beside_command(t, arg);
    else
        tui_say(t, ROLE_DIM, "this is a recording: nothing runs");
}

/* The commands, in the order in which help lists them. */
static const struct command { const char *name, *arg, *about; command_fn *fn; } commands[] = {
    /* the selected event, and the screen */
    { "goto", "SEQ", "select event SEQ; a number alone does, too", go_to },
    { "time", "1.5ms", "select the first event at that moment or behind it", go_to_time },
    { "filter", "EXPR", "show only events that it is true of; nothing: all", set_filter },
    { "layout", "NAME", "lecture, lab, debug", choose_layout },
    { "pane", "NAME", "put that pane here, or go to it", show_pane },

    /* a guest that runs */
    { "run", "", "set the guest going", run_on },
    { "pause", "", "and stop it", pause_it },
    { "step", "", "to another source line, into functions too", step_line },
    { "next", "", "to another source line; calls are done", next_line },
    { "exit", "[N]", "N exits, each answered and concluded", step_exit },
    { "until", "WHAT", "main, hlt, port 0x3f8, mark 2, main if eax==3, or events as in a filter",
      live_until },
    { "break", "WHAT", "the same, and it stays", live_break },
    { "monitor", "WHAT",
      "follow on, step, next, finish, continue, print EXPR: of the monitor itself",
      command_monitor },

    /* memory */
    { "memory", "ADDRESS", "show memory there", show_memory },
    { "find", "TEXT|BYTES", "search it", find_bytes },
    { "walk", "ADDRESS", "translate that address, in the pane paging", walk_of },

    { "help", "[COMMAND]", "this, or one of the console's commands in full", show_help },
    { "quit", "", "end the guest, and the TUI", quit_tui },
};

/* Ours, then the console's. */
static void show_help(struct tui *t, const char *arg)
{
    char line[300], *rest, *all = NULL;
    size_t n;
    snprintf(line, sizeof line, "help %s", arg);
    tui_ask(t, line, &rest);
    FILE *out = open_memstream(&all, &n);
    if (!out) {
        free(rest);
        return;
    }
    for (size_t i = 0; i < NELEM(commands) && !arg[0]; i++)
        fprintf(out, "%-8s %-11s %s\n", commands[i].name, commands[i].arg, commands[i].about);
    fprintf(out, "%s%s\n", arg[0] ? "" : "\nand all of the console:\n\n", rest ? rest : "");
    fclose(out);
    free(rest);
    free(t->page);
    t->page = all;
    t->help_top = 0;
}

/* Called by the console while the guest makes a step.  Stepping by source line is several
 * runs of the guest, and between them the console decides whether the line is over, so it
 * must wait for each.  But a line may contain a wait of a whole second, or a monitor that
 * is watched may stop: then the screen must not hang, and the step is given up. */
static int wait_for_step(void *arg, struct link *l)
{
    struct tui *t = arg;
    uint64_t late = host_monotonic_ns() + LINE_NS;
    while (link_state(l) == LINK_RUNNING && !beside_stands(t) && host_monotonic_ns() < late) {
        link_wait(l, 2);
        beside_poll(t);
    }
    return link_state(l) == LINK_RUNNING ? -EINTR : 0;
}

/* Run a line in one of the two consoles, and make it if it is not there.  They differ in
 * `wait`: without it the console returns at once when it has set the guest going.  Any
 * command may have changed breakpoints, or set the guest going. */
static enum console_result run_in_console(struct tui *t, struct console **c, const char *line,
                                          char **answer)
{
    size_t n = 0;
    *answer = NULL;
    if (!*c)
        *c = console_new(&(struct console_options){
            .link = t->link, .store = t->store, .symbols = t->o->symbols, .info = t->o->info,
            .wait = c == &t->stepping ? wait_for_step : NULL, .wait_arg = t });
    FILE *out = *c ? open_memstream(answer, &n) : NULL;
    if (!out)
        return CONSOLE_ERROR;
    enum console_result r = console_run(*c, line, out);
    fclose(out);
    while (*answer && n && (*answer)[n - 1] == '\n')
        (*answer)[--n] = '\0';
    t->live.going |= live_running(t);
    live_breaks_changed(t);
    return r;
}

/* By the console that returns at once. */
enum console_result tui_ask(struct tui *t, const char *line, char **answer)
{
    return run_in_console(t, &t->console, line, answer);
}

/* By the console that waits.  When it comes back, the guest has stopped, and live_poll()
 * has not seen that yet: `going` makes it look. */
void tui_step_line(struct tui *t, bool into)
{
    char *answer;
    if (!live_can_step(t))
        return;
    enum console_result r = run_in_console(t, &t->stepping, into ? "step" : "next", &answer);
    if (r == CONSOLE_ERROR)
        tui_say(t, ROLE_ERROR, "%s", answer ? answer : "");
    t->live.going = t->follow = true;   /* its stops are still to be seen */
    free(answer);
}

/* A short answer goes into the last line, a long one over the panes. */
static void ask_console(struct tui *t, const char *line)
{
    char *answer;
    enum console_result r = tui_ask(t, line, &answer);
    t->quit |= r == CONSOLE_QUIT;
    t->follow |= live_running(t);
    free(t->page);
    t->page = NULL;
    if (answer && strchr(answer, '\n'))
        t->page = answer;
    else if (answer && answer[0])
        tui_say(t, r == CONSOLE_ERROR ? ROLE_ERROR : ROLE_TEXT, "%s", answer);
    if (!t->page)
        free(answer);
    t->help_top = 0;
    t->dirty = true;
}

/* A command may be shortened to any beginning that no other command of ours has, "goto" to
 * "g".  A name written in full wins over longer ones that begin with it.  What is neither
 * is left to the console, which has its own rules for short names. */
void tui_command(struct tui *t, const char *text)
{
    text += strspn(text, " ");
    size_t len = strcspn(text, " ");
    const char *arg = text + len + strspn(text + len, " ");
    const struct command *found = NULL;
    bool two = false;
    if (!len)
        return;
    if (text[0] >= '0' && text[0] <= '9') {     /* :123 as in less and vi */
        go_to(t, text);
        return;
    }
    for (size_t i = 0; i < NELEM(commands); i++)
        if (strncmp(commands[i].name, text, len) == 0) {
            two = found && strlen(found->name) != len;
            found = found && strlen(found->name) == len ? found : &commands[i];
        }
    bool whole = found && strlen(found->name) == len;
    if (found && (whole || !two))
        found->fn(t, arg);
    else
        ask_console(t, text);
}

/* The i-th word of ours that can stand here: as the command (first), or as the argument of
 * `command`.  NULL: there are no more. */
static const char *candidate(const struct tui *t, bool first, const char *command, unsigned i)
{
    if (first)
        return i < NELEM(commands) ? commands[i].name : NULL;
    if (strcmp(command, "layout") == 0)
        return tui_layout_name(i);
    if (strcmp(command, "pane") == 0)
        return i < N_PANES ? t->pane[i].ops->name : NULL;
    return NULL;
}

/* What a word can become: `word` is what was typed, n candidates begin with it, `common` is
 * the beginning that they share, and `all` lists them for the last line. */
struct found { const char *word; unsigned n; char common[64], all[180]; };

/* One more candidate, if it begins with what was typed and was not there yet. */
static void add_word(struct found *f, const char *c)
{
    size_t same = 0;
    if (strncmp(c, f->word, strlen(f->word)) || strstr(f->all, c))
        return;
    while (f->n && f->common[same] && f->common[same] == c[same])
        same++;
    if (f->n++)
        f->common[same] = '\0';
    else
        snprintf(f->common, sizeof f->common, "%s", c);
    size_t at = strlen(f->all);
    snprintf(f->all + at, sizeof f->all - at, "%s ", c);
}

/* Our own words, only behind `:` itself, then the console's.  The console is asked about
 * the line as it would see it, with `command` in front; where the word begins is counted
 * from there. */
bool tui_complete(struct tui *t, const char *command, char *text, size_t n)
{
    char first[32], line[2 * TUI_TEXT], *ignored;
    char *blank = strchr(text, ' ');
    size_t start = blank ? (size_t)(blank + 1 - text) : 0, before = strlen(command);
    snprintf(first, sizeof first, "%.*s", blank ? (int)(blank - text) : 0, text);
    struct found f = { .word = text + start };
    const char *c;
    for (unsigned i = 0; !before && (c = candidate(t, !blank, first, i)); i++)
        add_word(&f, c);
    if (!t->console) {
        tui_ask(t, "", &ignored);       /* makes one */
        free(ignored);
    }
    snprintf(line, sizeof line, "%s%s", command, text);
    char **words = t->console && !(blank && f.n)
                 ? console_complete(t->console, line, &start) : NULL;
    if (words) {
        start = start > before ? start - before : 0;
        f.word = text + start;
    }
    for (char **w = words; w && *w; w++) {
        add_word(&f, *w);
        free(*w);
    }
    free(words);
    if (!f.n)
        return false;
    if (f.n > 1)
        tui_say(t, ROLE_DIM, "%s", f.all);
    snprintf(text + start, n - start, "%s%s", f.common, f.n == 1 ? " " : "");
    return true;
}
