/*
 * debugger/console/run.c -- the console's run control (continue, stepi, finish, until, pause,
 * follow, ...), telling where the guest has stopped, and typing to it.
 *
 * Not here: stepping by source lines (source.c), going back (back.c), breakpoints (break.c).
 * Begin reading with run_and_tell().
 *
 *     command           what the VMM is asked for (vmm/protocol.h)
 *     continue          LINK_FREE
 *     stepi N           LINK_STEP
 *     nexti             LINK_NEXT
 *     step-exit N       LINK_STEP_EXIT
 *     finish            LINK_FINISH; after `up`, a temporary breakpoint and LINK_FREE
 *     until, advance    a temporary breakpoint and LINK_FREE
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/regs.h"
#include "debugger/console/private.h"
#include "debugger/link/monitor_step.h"
#include "debugger/symbols/disasm.h"

/* The instruction that the CPU will execute next, as "0x1000 <main>: push %rbp". `x` goes
 * on there. */
static void next_instruction(struct console *c, char *buf, size_t n)
{
    struct insn i;
    uint8_t bytes[15];
    char place[200];
    gla_t pc = state_pc(&c->cpu);
    uint64_t avail = link_readable(c->o.link, pc, sizeof bytes);
    if (avail && link_read_linear(c->o.link, pc, bytes, avail))
        avail = 0;
    disasm(bytes, (unsigned)avail, state_code_bits(&c->cpu), c->cpu.rip, c->cpu.seg[SEG_CS].base,
           c->o.symbols, &i);
    snprintf(buf, n, "%s: %s", code_text(c, pc, place, sizeof place),
             avail ? i.text : "no memory there");
    c->next_x = pc;
}

/* For JSON, in the order of enum link_stop_why. */
static const char *const why_names[] = { "start", "paused", "waiting", "stepped", "breakpoint",
                                         "beginning", "exit", "ended", "died" };

/* The source line, if it is known and can be read; `list` will begin there. */
static void tell_source(struct console *c)
{
    struct source_place p;
    c->list_line = 0;
    if (!place_of(c, state_pc(&c->cpu), &p))
        return;
    const char *text = source_line(debuginfo_source(c->o.info), p.file, p.line);
    fprintf(c->out, "%s:%d%s%s\n", short_path(p.file), p.line, text ? "  " : "",
            text ? text + strspn(text, " ") : "");
}

/* Where and why as one object.  Programs read it: members may be added, none renamed.
 *
 *     {"state":"stopped","why":"breakpoint","text":"breakpoint 1 at event 8836: MARK n 2",
 *      "breakpoint":1,"seq":8836,"pc":1051891,"icount":53694,"time":2963693,"exits":2932,
 *      "next":"0x100cf3 <main+0x163>: nop [rax+rax*1], eax","file":"kernel.c","line":350}
 */
static void tell_json(struct console *c, const struct link_stop *s, const char *insn)
{
    struct link_status st;
    link_get_status(c->o.link, &st);
    fprintf(c->out, "{\"state\":\"%s\",\"why\":\"%s\",\"text\":",
            link_state_names[link_state(c->o.link)], why_names[s->why]);
    json_string(c->out, s->text);
    if (s->why == LINK_BREAK)
        fprintf(c->out, ",\"breakpoint\":%u", s->nr);
    if (s->seq)
        fprintf(c->out, ",\"seq\":%" PRIu64, s->seq);
    if (s->why == LINK_GUEST_ENDED)
        fprintf(c->out, ",\"status\":%d", s->status);
    fprintf(c->out, ",\"pc\":%" PRIu64 ",\"icount\":%" PRIu64
            ",\"time\":%" PRIu64 ",\"exits\":%" PRIu64 ",\"next\":",
            state_pc(&c->cpu), st.icount, st.vtime_ns, st.n_exits);
    json_string(c->out, insn);
    struct source_place p;
    if (place_of(c, state_pc(&c->cpu), &p)) {
        fputs(",\"file\":", c->out);
        json_string(c->out, short_path(p.file));
        fprintf(c->out, ",\"line\":%d", p.line);
    }
    fputs("}\n", c->out);
}

/* Why the guest has ended, if nobody can have wanted that: once, as the stop is told. */
static void tell_explanation(struct console *c)
{
    char *text = link_explain(c->o.link, c->o.symbols);
    if (text)
        fputs(text, c->out);
    free(text);
}

/* After a step no reason is printed: the user knows it.  The registers must be fetched
 * again, as they are from before the guest ran. */
void tell_where(struct console *c)
{
    char insn[400];
    const struct link_stop *s = link_stopped(c->o.link);
    link_get_state(c->o.link, &c->cpu);
    if (link_state(c->o.link) == LINK_RUNNING) {
        fputs(c->o.json ? "{\"state\":\"running\"}\n" : "the guest is running\n", c->out);
        return;
    }
    next_instruction(c, insn, sizeof insn);
    if (c->o.json) {
        tell_json(c, s, insn);
        show_displays(c);
        return;
    }
    if (s->why == LINK_DIED)
        fprintf(c->out, "%s; memory, the last registers and the trace are still here\n", s->text);
    else if (s->why != LINK_STEPPED)
        fprintf(c->out, "%s\n", s->text);
    fprintf(c->out, "=> %s\n", insn);
    tell_source(c);
    tell_explanation(c);
    show_displays(c);
}

/* What follows on setting the guest going; err is what that gave.  If the user interrupts,
 * the guest is paused.  While exits are followed, the monitor would stop in a handler
 * before it could take the request to pause, so following is off meanwhile. */
enum console_result wait_until_stopped(struct console *c, int err)
{
    if (err)
        return fail_link(c, err, "the guest cannot run");
    if (!c->o.wait)
        return CONSOLE_OK;
    err = c->o.wait(c->o.wait_arg, c->o.link);
    bool held = console_held(c);
    if (err == -EINTR && !held && link_state(c->o.link) == LINK_RUNNING) {
        bool follows = c->stepper && stepper_follows(c->stepper);
        if (follows)
            stepper_follow(c->stepper, false);
        err = link_pause(c->o.link);
        if (!err)
            err = link_wait(c->o.link, 5000);
        if (follows)
            stepper_follow(c->stepper, true);
        if (err)
            return fail_link(c, err, "the guest cannot be paused");
    }
    if (err && err != -EINTR)
        return fail_link(c, err, "waiting for the guest");
    link_get_state(c->o.link, &c->cpu);
    c->frame.level = 0;
    if (held)
        tell_monitor(c);
    return CONSOLE_OK;
}

enum console_result run_quietly(struct console *c, enum link_run how, uint64_t n)
{
    return wait_until_stopped(c, link_run(c->o.link, how, n));
}

enum console_result run_range(struct console *c, gla_t lo, gla_t hi)
{
    return wait_until_stopped(c, link_run_range(c->o.link, lo, hi));
}

/* And print where it stands, unless the monitor stands in a handler: then that was printed. */
static enum console_result run_and_tell(struct console *c, enum link_run how, uint64_t n)
{
    enum console_result result = run_quietly(c, how, n);
    if (result == CONSOLE_OK && c->o.wait && !console_held(c))
        tell_where(c);
    return result;
}

static enum console_result run_counted(struct console *c, enum link_run how, const char *args)
{
    uint64_t n;
    if (!arg_count(c, args, 1, &n))
        return CONSOLE_ERROR;
    return n ? run_and_tell(c, how, n) : fail(c, "0 times is not at all");
}

enum console_result cmd_stepi(struct console *c, const char *args)
{
    return run_counted(c, LINK_STEP, args);
}

enum console_result cmd_step_exit(struct console *c, const char *args)
{
    return run_counted(c, LINK_STEP_EXIT, args);
}

enum console_result cmd_nexti(struct console *c, const char *args)
{
    return nothing_more(c, args) ? CONSOLE_ERROR : run_and_tell(c, LINK_NEXT, 1);
}

/* The type that the selected function returns, if its value comes in RAX: whole numbers and
 * pointers do, structs and floating point do not.  [System V ABI "Function Calling
 * Sequence"] */
static bool return_type(struct console *c, struct type *t)
{
    struct frame f;
    struct frame_scopes s;
    Dwarf_Die function;
    if (!console_frame(c, &f))
        return false;
    frame_open_scopes(c->o.info, &f, &s);
    if (!frame_function(&s, &function) || !type_of(&function, t))
        return false;
    uint64_t bytes = type_bytes(c->o.info, t);
    return bytes && bytes <= debuginfo_address_bytes(c->o.info) && type_kind(t) != TYPE_STRUCT &&
           type_kind(t) != TYPE_FLOAT;
}

/* The value that was returned; `$` is that value now. */
static void tell_returned(struct console *c, const struct type *t)
{
    char name[200];
    struct expr_machine m = console_machine(c);
    struct value v = { .type = *t, .bits = value_fit(c->o.info, t, c->cpu.gpr[RAX]) };
    if (debuginfo_address_bytes(c->o.info) == 4 && type_kind(t) == TYPE_POINTER)
        v.bits = (uint32_t)v.bits;
    c->last_value = v.bits;
    if (c->o.json) {
        fputs("{\"returned\":", c->out);
        value_json(&m, &v, c->out);
        fputs("}\n", c->out);
        return;
    }
    fprintf(c->out, "returned %s: ", type_name(t, name, sizeof name));
    value_print(&m, &v, c->out);
    fputc('\n', c->out);
}

/* Run until a function further out has returned, which `up` has selected: to its caller's
 * address, with the stack at least as high as before the call.  The condition is needed
 * because a recursive call may return to the same address earlier, with the stack deeper. */
static enum console_result finish_selected(struct console *c, unsigned *nr)
{
    char why[300];
    struct frame caller;
    struct link_break b = { .kind = BREAK_CODE, .enabled = true, .temporary = true };
    if (!c->frame.cfa || !console_caller(c, &c->frame, &caller))
        return fail(c, "where this function will return to is not known");
    b.at = caller.pc;
    snprintf(b.condition, sizeof b.condition, "rsp >= %#" PRIx64, c->frame.cfa);
    if (link_break_add(c->o.link, &b, why, sizeof why))
        return fail(c, "%s", why);
    *nr = b.nr;
    enum console_result result = run_and_tell(c, LINK_FREE, 0);
    if (c->o.wait)                      /* something else may have stopped the guest first */
        link_break_delete(c->o.link, b.nr);
    return result;
}

/* The type must be looked up first: afterwards the function is no longer selected. */
enum console_result cmd_finish(struct console *c, const char *args)
{
    struct type t;
    unsigned nr = 0;
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    bool returns = return_type(c, &t);
    enum console_result result = c->frame.level ? finish_selected(c, &nr)
                                                : run_and_tell(c, LINK_FINISH, 1);
    const struct link_stop *s = link_stopped(c->o.link);
    bool done = nr ? s->why == LINK_BREAK && s->nr == nr : s->why == LINK_STEPPED;
    if (result == CONSOLE_OK && returns && done && c->o.wait &&
        link_state(c->o.link) == LINK_STOPPED)
        tell_returned(c, &t);
    return result;
}

/* `continue N` passes the breakpoint where the guest stands N - 1 times more. */
static enum console_result ignore_here(struct console *c, uint64_t n)
{
    char why[300];
    struct link_break b;
    const struct link_stop *s = link_stopped(c->o.link);
    for (size_t i = 0; link_break_at(c->o.link, i, &b) == 0; i++) {
        if (s->why != LINK_BREAK || b.nr != s->nr)
            continue;
        b.ignore = n - 1;
        return link_break_change(c->o.link, &b, why, sizeof why) ? fail(c, "%s", why) : CONSOLE_OK;
    }
    return fail(c, "the guest does not stand at a breakpoint; plain `continue` runs it");
}

enum console_result cmd_continue(struct console *c, const char *args)
{
    uint64_t n;
    if (!arg_count(c, args, 1, &n))
        return CONSOLE_ERROR;
    if (n > 1 && ignore_here(c, n) != CONSOLE_OK)
        return CONSOLE_ERROR;
    return run_and_tell(c, LINK_FREE, 0);
}

/* A temporary breakpoint without a word about it.  If something else stopped the guest
 * first, it is deleted; a console that does not wait must leave it. */
enum console_result cmd_until(struct console *c, const char *args)
{
    if (!*args)
        return fail(c, "until what? an address or an event; `help until` lists them");
    c->quiet = true;
    enum console_result result = cmd_tbreak(c, args);
    c->quiet = false;
    if (result != CONSOLE_OK)
        return result;
    unsigned nr = c->making.nr;
    result = run_and_tell(c, LINK_FREE, 0);
    if (c->o.wait)
        link_break_delete(c->o.link, nr);
    return result;
}

/* A guest that has been told to pause may still run for a moment, so wait for the stop. */
enum console_result cmd_pause(struct console *c, const char *args)
{
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    int err = link_pause(c->o.link);
    if (!err && c->o.wait)
        err = link_wait(c->o.link, 5000);
    if (err)
        return fail_link(c, err, "the guest cannot be paused");
    tell_where(c);
    return CONSOLE_OK;
}

/* The tracer must let go first: a traced process that is killed stays until its tracer has
 * noticed. */
enum console_result cmd_kill(struct console *c, const char *args)
{
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    stepper_detach(c->stepper);
    c->stepper = NULL;
    link_kill(c->o.link);
    tell_where(c);
    return CONSOLE_OK;
}

enum console_result cmd_step_irqs(struct console *c, const char *args)
{
    bool on = !strcmp(args, "on");
    if (!on && strcmp(args, "off"))
        return fail(c, "step-irqs on, or step-irqs off");
    int err = link_set_step_irqs(c->o.link, on);
    return err ? fail_link(c, err, "the monitor cannot be told") : CONSOLE_OK;
}

/* ---- the monitor's answers, before they are given ---- */

/* Which exits are followed. */
static void tell_follow(struct console *c)
{
    uint64_t mask = link_following(c->o.link);
    fputs(mask ? "the guest stops before the monitor answers:"
               : "the monitor's answers are not followed", c->out);
    for (unsigned i = 0; i < N_EXITS; i++)
        if (mask >> i & 1)
            fprintf(c->out, " %s", exit_infos[i].name);
    fputc('\n', c->out);
}

/* Add the exit of this name to the mask; false: there is none. */
static bool add_exit(const char *name, size_t len, uint64_t *mask)
{
    for (unsigned i = 0; i < N_EXITS; i++)
        if (strlen(exit_infos[i].name) == len && !strncasecmp(name, exit_infos[i].name, len)) {
            *mask |= BIT(i);
            return true;
        }
    return false;
}

/* `follow on`, `follow off`, or the exits to stop at, by name.  Without arguments it says
 * which they are.  Unlike `monitor follow` this stops the guest, and needs no ptrace():
 * another debugger (gdb) can step the monitor then. */
enum console_result cmd_follow(struct console *c, const char *args)
{
    uint64_t mask = 0;
    if (!*args) {
        tell_follow(c);
        return CONSOLE_OK;
    }
    bool on = !strcmp(args, "on"), off = !strcmp(args, "off");
    for (size_t len; !on && !off && *args; args += len + strspn(args + len, " \t,")) {
        len = strcspn(args, " \t,");
        if (!add_exit(args, len, &mask))
            return fail(c, "follow takes on, off or exit reasons (`info exits` has them), not "
                           "'%.*s'", (int)len, args);
    }
    int err = link_follow(c->o.link, on ? LINK_FOLLOW_ALL : mask);
    return err ? fail_link(c, err, "the monitor cannot be followed") : CONSOLE_OK;
}

/* ---- typing ---- */

/* What to type: "ls\n", with or without the quotes, with the escapes of C and \e for
 * Escape.  A string that is not quoted may contain quotes. */
static size_t unquote(const char *args, char *text, size_t room)
{
    size_t n = 0, len = strlen(args);
    bool quoted = len >= 2 && args[0] == '"' && args[len - 1] == '"';
    const char *at = args + quoted, *end = args + len - quoted;
    for (; at < end && n < room; at++) {
        char ch = *at;
        if (ch == '\\' && at + 1 < end) {
            static const char from[] = "nrt0e\\\"", to[] = "\n\r\t\0\033\\\"";
            const char *e = strchr(from, *++at);
            ch = e ? to[e - from] : *at;
        }
        text[n++] = ch;
    }
    return n;
}

/* A serial line's receive buffer and a keyboard's are small: if the guest does not read,
 * only part of the text is taken, and the user is told how much is not. */
static enum console_result type_text(struct console *c, enum link_input to, const char *args)
{
    char text[4096];
    size_t n = unquote(args, text, sizeof text);
    if (!n)
        return fail(c, "type what? for example \"ps\\n\"");
    ssize_t took = link_type(c->o.link, to, text, n);
    if (took < 0)
        return fail_link(c, (int)took, "typing");
    if ((size_t)took < n)
        return fail(c,
                    "the guest has not read what was typed before: %zu of %zu bytes are left over",
                    n - (size_t)took, n);
    return CONSOLE_OK;
}

enum console_result cmd_type(struct console *c, const char *args)
{
    return type_text(c, LINK_TO_SERIAL, args);
}

enum console_result cmd_key(struct console *c, const char *args)
{
    return type_text(c, LINK_TO_KEYBOARD, args);
}

