/*
 * debugger/console/monitor.c -- `monitor ...`: step the monitor itself beside the guest.
 *
 * After `monitor follow on`, when the guest exits, everything stops in the monitor's handler
 * of that exit.  From there `monitor step`, `next` and `print` look at the monitor; after
 * `monitor finish` or `continue` the exit is answered, and the guest goes on with what it had
 * been asked for (a step, a run).  The work is done by link/monitor_step.h.
 *
 * Two things can stop, so there are two words:
 *
 *     the guest stops       its CPU does not run; link_stopped() says why
 *     the monitor stands    its process is stopped by ptrace() in a handler (console_held())
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/console/private.h"
#include "debugger/link/monitor_step.h"

#define STEP_MS 5000                    /* a step that takes longer has left the handler */

static command_fn monitor_follow, monitor_where, monitor_step, monitor_next, monitor_finish,
    monitor_continue, monitor_print, monitor_locals, monitor_list;

const struct command_row monitor_rows[] = {
    { "follow", NULL, "on|off", "stop in the handler of every exit, or do not",
      "monitor follow on", monitor_follow, true, true, WITH_NOTHING },
    { "where", "bt", NULL, "where the monitor stands, and who called that",
      "monitor where", monitor_where, true, true, WITH_NOTHING },
    { "step", "s", "[N]", "to another line of the monitor, into its functions too",
      "monitor step", monitor_step, true, true, WITH_NOTHING },
    { "next", "n", "[N]", "to another line of the same function",
      "monitor next", monitor_next, true, true, WITH_NOTHING },
    { "finish", "fin", NULL,
      "until this function has returned; of the handler: back to the guest",
      "monitor finish", monitor_finish, true, true, WITH_NOTHING },
    { "continue", "c", NULL, "answer the exit, and on with the guest",
      "monitor continue", monitor_continue, true, true, WITH_NOTHING },
    { "print", "p", "EXPR", "a C expression over the monitor's variables",
      "monitor print *x", monitor_print, true, true, WITH_NOTHING },
    { "locals", NULL, NULL, "the variables of the function it stands in",
      "monitor locals", monitor_locals, true, false, WITH_NOTHING },
    { "list", "l", NULL, "its source around there",
      "monitor list", monitor_list, true, false, WITH_NOTHING },
};
const size_t n_monitor_rows = NELEM(monitor_rows);

bool console_held(struct console *c)
{
    return c->stepper && stepper_poll(c->stepper) == STEPPER_STANDS;
}

/* ---- where ---- */

/* Say why there is nothing to be seen of the monitor. */
static enum console_result not_standing(struct console *c)
{
    if (!c->stepper)
        return fail(c, "the monitor is not followed; `monitor follow on` stops it in the handler "
                       "of every exit");
    return fail(c, "the monitor does not stand in a handler; the guest's next exit will stop it");
}

/* One frame of the monitor; the first also with the exit and the source line.
 *
 *     monitor: on_cpuid() at src/vm/exits.c:120, for an exit for CPUID
 *     120         struct cpuid_regs out;
 *              vm_turn() at src/vm/loop.c:68
 */
static void tell_place(struct console *c, const struct source_place *p, bool first)
{
    const char *text = source_line(stepper_source(c->stepper), p->file, p->line);
    if (c->o.json) {
        fputs("{\"monitor\":\"stands\",\"exit\":", c->out);
        json_string(c->out, stepper_exit(c->stepper));
        fputs(",\"function\":", c->out);
        json_string(c->out, p->function);
        fputs(",\"file\":", c->out);
        json_string(c->out, short_path(p->file));
        fprintf(c->out, ",\"line\":%d,\"text\":", p->line);
        json_string(c->out, text ? text : "");
        fputs("}\n", c->out);
        return;
    }
    fprintf(c->out, "%s%s() at %s:%d", first ? "monitor: " : "         ",
            p->function[0] ? p->function : "?", short_path(p->file), p->line);
    if (first && stepper_exit(c->stepper)[0])
        fprintf(c->out, ", for an exit for %s", stepper_exit(c->stepper));
    fprintf(c->out, first && text ? "\n%d\t%s\n" : "\n", p->line, text);
}

void tell_monitor(struct console *c)
{
    struct source_place p;
    if (stepper_where(c->stepper, 0, &p))
        tell_place(c, &p, true);
}

/* ---- the commands ---- */

/* All but `monitor follow` need the monitor to stand.  Handlers whose rows claim to print
 * JSON are called directly; the text of the other two is wrapped by run_row(). */
enum console_result cmd_monitor(struct console *c, const char *args)
{
    bool ambiguous;
    size_t len = word_length(args);
    const struct command_row *r = row_find(monitor_rows, n_monitor_rows, args, len, &ambiguous);
    if (!len)
        return fail(c, "monitor what? `help monitor` lists it");
    if (!r)
        return fail(c, "there is no `monitor %.*s`; `help monitor` lists what there is", (int)len,
                    args);
    const char *more = skip_blanks(args + len);
    if (r->run != monitor_follow && !console_held(c))
        return not_standing(c);
    return r->run == monitor_locals || r->run == monitor_list
               ? run_row(c, r, more) : r->run(c, more);
}

/* The monitor was let go: wait until the guest has stopped, or the monitor stands in the
 * handler of the next exit. */
static enum console_result let_go(struct console *c)
{
    enum console_result result = wait_until_stopped(c, 0);
    if (result == CONSOLE_OK && c->o.wait && !console_held(c))
        tell_where(c);
    return result;
}

static void detach(struct console *c)
{
    stepper_detach(c->stepper);
    c->stepper = NULL;
}

/* Attach at `on`, detach at `off`. If the monitor stood in a handler, `off` lets it answer
 * the exit, and the guest goes on with what it had been asked for. */
static enum console_result monitor_follow(struct console *c, const char *args)
{
    char why[400];
    bool on = word_is(args, "on"), stood = console_held(c);
    if (!on && !word_is(args, "off"))
        return fail(c, "monitor follow on, or monitor follow off");
    if (!on) {
        detach(c);
        return stood ? let_go(c) : CONSOLE_OK;
    }
    if (!c->stepper && !(c->stepper = stepper_attach(c->o.link, why, sizeof why)))
        return fail(c, "%s", why);
    if (stepper_follow(c->stepper, true)) {
        detach(c);
        return fail(c, "the monitor cannot be followed: it does not stop");
    }
    return CONSOLE_OK;
}

static enum console_result monitor_where(struct console *c, const char *args)
{
    struct source_place p;
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    for (unsigned level = 0; level < 30 && stepper_where(c->stepper, level, &p); level++)
        tell_place(c, &p, level == 0);
    return CONSOLE_OK;
}

/* N steps, as long as each ends in the handler of the same exit.  A step out of the handler
 * goes back to the guest; then wait as after `continue`. */
static enum console_result step_monitor(struct console *c, const char *args, enum stepper_go how)
{
    uint64_t n;
    if (!arg_count(c, args, 1, &n))
        return CONSOLE_ERROR;
    do
        if (stepper_go(c->stepper, how))
            return fail(c, "the monitor is gone");
    while (stepper_wait(c->stepper, STEP_MS) == STEPPER_STANDS && stepper_exit(c->stepper)[0] &&
           n-- > 1);
    if (!console_held(c))
        return let_go(c);
    tell_monitor(c);
    return CONSOLE_OK;
}

static enum console_result monitor_step(struct console *c, const char *args)
{
    return step_monitor(c, args, STEPPER_STEP);
}

static enum console_result monitor_next(struct console *c, const char *args)
{
    return step_monitor(c, args, STEPPER_NEXT);
}

/* finish and continue.  A finish in a function that the handler called ends in the handler:
 * the monitor still stands. */
static enum console_result leave_handler(struct console *c, const char *args, enum stepper_go how)
{
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    if (stepper_go(c->stepper, how))
        return fail(c, "the monitor is gone");
    if (stepper_exit(c->stepper)[0] && stepper_wait(c->stepper, STEP_MS) == STEPPER_STANDS) {
        tell_monitor(c);                        /* still answering, one function further out */
        return CONSOLE_OK;
    }
    return let_go(c);
}

static enum console_result monitor_finish(struct console *c, const char *args)
{
    return leave_handler(c, args, STEPPER_FINISH);
}

static enum console_result monitor_continue(struct console *c, const char *args)
{
    return leave_handler(c, args, STEPPER_CONTINUE);
}

/* The stepper prints to a stream; take its text, so that a complaint can be put as one. */
static enum console_result monitor_print(struct console *c, const char *args)
{
    char *text = NULL;
    size_t n;
    if (!*args)
        return fail(c, "print what? for example *x, the exit that is answered");
    FILE *out = open_memstream(&text, &n);
    if (!out)
        return fail(c, "out of memory");
    bool ok = stepper_print(c->stepper, args, c->o.json, out);
    fclose(out);
    if (n && text[n - 1] == '\n')
        text[n - 1] = 0;
    enum console_result result = CONSOLE_OK;
    if (!ok)
        result = fail(c, "%s", c->o.json ? "the monitor has no such value here" : text);
    else
        fprintf(c->out, c->o.json ? "{\"value\":%s}\n" : "%s\n", text);
    free(text);
    return result;
}

static enum console_result monitor_locals(struct console *c, const char *args)
{
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    stepper_locals(c->stepper, c->out);
    return CONSOLE_OK;
}

/* Five lines before the one where it stands, and five after. */
static enum console_result monitor_list(struct console *c, const char *args)
{
    struct source_place p;
    if (nothing_more(c, args) || !stepper_where(c->stepper, 0, &p))
        return CONSOLE_ERROR;
    for (int line = p.line > 5 ? p.line - 5 : 1; line < p.line + 6; line++) {
        const char *text = source_line(stepper_source(c->stepper), p.file, line);
        if (!text)
            return line == 1 ? fail(c, "%s cannot be read", short_path(p.file)) : CONSOLE_OK;
        fprintf(c->out, "%s%d\t%s\n", line == p.line ? "=> " : "   ", line, text);
    }
    return CONSOLE_OK;
}
