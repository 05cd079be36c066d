/*
 * debugger/console/back.c -- the console's way back in time, and snapshots.
 *
 * The VMM can be asked to go back to a place (an instruction count, an event) or to search
 * backwards for a breakpoint (link.h).  What the user names differently -- source lines, MARKs,
 * the write that left a value -- is translated to such requests here.  How the VMM does it is
 * described in doc/reverse.md.
 *
 *     reverse-stepi N       LINK_REVERSE_STEP
 *     reverse-nexti         LINK_REVERSE_NEXT
 *     reverse-continue      LINK_REVERSE_CONTINUE
 *     reverse-finish        LINK_REVERSE_FINISH, with the function's address
 *     reverse-step, -next   LINK_REVERSE_STEP or _NEXT until a source line begins
 *     back N                LINK_TO_INSN
 *     back event SEQ        LINK_TO_EVENT
 *     back mark N           search the trace for the MARK, then LINK_TO_EVENT
 *     back write ADDRESS    a temporary watchpoint, then LINK_REVERSE_CONTINUE
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/host.h"
#include "base/trace.h"
#include "cpu/regs.h"
#include "debugger/console/private.h"
#include "debugger/symbols/debuginfo.h"
#include "debugger/symbols/line_table.h"
#include "debugger/symbols/symbols.h"
#include "debugger/trace/filter.h"

#define MAX_LINES_STEPS 20000           /* instructions that a step back by lines looks at */

/* ---- one request ---- */

/* The VMM refuses a way back with a sentence that says more than an errno can: what is
 * recorded, or which engine cannot go back. */
static enum console_result go_back(struct console *c, enum link_run how, uint64_t n)
{
    int err = link_run(c->o.link, how, n);
    if (err && link_refusal(c->o.link)[0])
        return fail(c, "%s", link_refusal(c->o.link));
    return wait_until_stopped(c, err);
}

/* Go back and print where the guest then stands. */
static enum console_result go_and_tell(struct console *c, enum link_run how, uint64_t n)
{
    enum console_result result = go_back(c, how, n);
    if (result == CONSOLE_OK && c->o.wait && !console_held(c))
        tell_where(c);
    return result;
}

enum console_result cmd_reverse_stepi(struct console *c, const char *args)
{
    uint64_t n;
    return arg_count(c, args, 1, &n) ? go_and_tell(c, LINK_REVERSE_STEP, n) : CONSOLE_ERROR;
}

/* Has the way back that was asked for been gone to its end?  If not, a breakpoint or the
 * beginning of the recording has ended it. */
static bool is_stepped(struct console *c, enum console_result result)
{
    return result == CONSOLE_OK && !console_held(c) && link_state(c->o.link) == LINK_STOPPED &&
           link_stopped(c->o.link)->why == LINK_STEPPED;
}

/* One request for each: how far back the call lies is not known before it has been looked
 * for. */
enum console_result cmd_reverse_nexti(struct console *c, const char *args)
{
    uint64_t n;
    enum console_result result;
    if (!arg_count(c, args, 1, &n))
        return CONSOLE_ERROR;
    if (n > 1 && !c->o.wait)
        return fail(c, "several at once need a console that waits");
    do
        result = go_back(c, LINK_REVERSE_NEXT, 1);
    while (n-- > 1 && is_stepped(c, result));
    if (result == CONSOLE_OK && c->o.wait && !console_held(c))
        tell_where(c);
    return result;
}

enum console_result cmd_reverse_continue(struct console *c, const char *args)
{
    return nothing_more(c, args) ? CONSOLE_ERROR : go_and_tell(c, LINK_REVERSE_CONTINUE, 0);
}

/* The VMM knows no symbols, so it is told at which address the function begins. */
enum console_result cmd_reverse_finish(struct console *c, const char *args)
{
    uint64_t offset, pc = state_pc(&c->cpu);
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    if (!symbols_find(c->o.symbols, pc, &offset))
        return fail(c, "where this function begins is not known: no symbol is here");
    return go_and_tell(c, LINK_REVERSE_FINISH, pc - offset);
}

/* ---- by source lines ---- */

/* Is the guest at the first instruction of a source line's code? */
static bool at_line(struct console *c)
{
    uint64_t from, to, pc = state_pc(&c->cpu);
    return source_range(debuginfo_source(c->o.info), pc, &from, &to) && from == pc;
}

/* Back to the beginning of the current line, or if the guest stands there already, of the
 * one before.  Single steps back, each of which the VMM makes by returning to a checkpoint
 * and executing forwards, until an instruction is the first of a line. */
static enum console_result line_back(struct console *c, bool into)
{
    struct source_place p;
    enum console_result result;
    link_get_state(c->o.link, &c->cpu);
    if (!place_of(c, state_pc(&c->cpu), &p))
        return fail(c, "no source line is known here; reverse-stepi goes back one instruction");
    for (unsigned n = 0; n < MAX_LINES_STEPS; n++) {
        result = go_back(c, into ? LINK_REVERSE_STEP : LINK_REVERSE_NEXT, 1);
        if (!is_stepped(c, result) || at_line(c))
            return result;
    }
    return fail(c, "this line is too long; reverse-finish leaves the function");
}

/* N lines back.  Each needs many requests to the VMM with their answers, so the console
 * must be one that waits. */
static enum console_result lines_back(struct console *c, const char *args, bool into)
{
    uint64_t n;
    enum console_result result;
    if (!arg_count(c, args, 1, &n))
        return CONSOLE_ERROR;
    if (!c->o.wait)
        return fail(c, "stepping by line needs a console that waits; use reverse-stepi or "
                       "reverse-nexti");
    do
        result = line_back(c, into);
    while (n-- > 1 && is_stepped(c, result));
    if (result == CONSOLE_OK && !console_held(c))
        tell_where(c);
    return result;
}

enum console_result cmd_reverse_step(struct console *c, const char *args)
{
    return lines_back(c, args, true);
}

enum console_result cmd_reverse_next(struct console *c, const char *args)
{
    return lines_back(c, args, false);
}

/* ---- back to ... ---- */

/* What is recorded, and where in it the guest stands. */
static struct link_past past(const struct console *c)
{
    struct link_status st;
    link_get_status(c->o.link, &st);
    return st.past;
}

/* The last MARK n before where the guest stands, found in the trace: searching it is much
 * faster than executing backwards. */
static enum console_result back_to_mark(struct console *c, uint64_t n)
{
    char text[64];
    struct filter_error e;
    snprintf(text, sizeof text, "kind==MARK && n==%" PRIu64, n);
    struct filter *f = filter_compile(text, console_text(c), &e);
    if (!f)
        return fail(c, "out of memory");
    uint64_t at = store_seek_seq(c->o.store, past(c).seq + 1), seq = 0;
    if (at && (at--, store_prev(c->o.store, f, &at, 0) == STORE_FOUND))
        seq = store_at(c->o.store, at)->seq;
    filter_free(f);
    return seq ? go_and_tell(c, LINK_TO_EVENT, seq)
               : fail(c, "MARK %" PRIu64 " was not passed before this; `info marks` lists them", n);
}

/* To the end of the turn of the run loop in which event `seq` happened. */
static enum console_result back_to_event(struct console *c, uint64_t seq, bool exits_only)
{
    struct trace_event e;
    if (store_find_seq(c->o.store, seq, &e))
        return fail(c, "there is no event %" PRIu64, seq);
    if (exits_only && e.kind != TRACE_EXIT)
        return fail(c, "event %" PRIu64 " is no exit but %s; `back event %" PRIu64 "` goes there",
                    seq, trace_kinds[e.kind].name, seq);
    return go_and_tell(c, LINK_TO_EVENT, seq);
}

/* Back to before the last write to an address: a temporary watchpoint, and run backwards
 * into it.  Other breakpoints on the way are passed, if the console waits and so can go on.
 * If nobody wrote, the watchpoint is still there and must be deleted. */
static enum console_result back_to_write(struct console *c, const char *args)
{
    c->quiet = true;
    enum console_result result = watch_writes(c, args);
    c->quiet = false;
    if (result != CONSOLE_OK)
        return result;
    struct link_break b = c->making;
    const struct link_stop *s = link_stopped(c->o.link);
    do
        result = go_back(c, LINK_REVERSE_CONTINUE, 0);
    while (result == CONSOLE_OK && c->o.wait && s->why == LINK_BREAK && s->nr != b.nr &&
           s->address - b.at >= b.len);
    if (c->o.wait || result != CONSOLE_OK)
        link_break_delete(c->o.link, b.nr);
    if (result == CONSOLE_OK && c->o.wait && !console_held(c))
        tell_where(c);
    return result;
}

/* The first word says what the number behind it counts; without such a word, instructions. */
enum console_result cmd_back(struct console *c, const char *args)
{
    static const struct { const char *word; int what; } words[] = {
        { "insn", 'i' }, { "event", 'e' }, { "exit", 'x' }, { "mark", 'm' }, { "write", 'w' },
        { "begin", 'b' }, { "now", 'n' },
    };
    int what = 'i';
    uint64_t n = 0;
    if (word_is(args, "to"))
        args = skip_blanks(args + 2);
    if (!*args)
        return fail(c, "back where? an instruction count, exit SEQ, event SEQ, mark N, write "
                       "ADDRESS, begin or now");
    for (size_t i = 0; i < NELEM(words); i++)
        if (word_is(args, words[i].word)) {
            what = words[i].what;
            args = skip_blanks(args + strlen(words[i].word));
            break;
        }
    if (what == 'w')
        return back_to_write(c, args);
    if (what != 'b' && what != 'n' && !arg_value(c, &args, &n))
        return CONSOLE_ERROR;
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    switch (what) {
    case 'm': return back_to_mark(c, n);
    case 'e': return back_to_event(c, n, false);
    case 'x': return back_to_event(c, n, true);
    case 'b': return go_and_tell(c, LINK_TO_BEGIN, 0);
    case 'n': return go_and_tell(c, LINK_TO_NOW, 0);
    default:  return go_and_tell(c, LINK_TO_INSN, n);
    }
}

/* The recording is two lists in the VMM: what came from outside (inputs), and copies of the
 * machine from which it can be executed again (checkpoints). */
enum console_result info_checkpoints(struct console *c, const char *args)
{
    struct link_past p = past(c);
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    if (!p.ok) {
        fputs("nothing is recorded: the guest has not run, or its engine cannot be taken back\n",
              c->out);
        return CONSOLE_OK;
    }
    fprintf(c->out, "recorded: %s %" PRIu64 " to %" PRIu64 ", "
            "events %" PRIu64 " to %" PRIu64 "%s\n",
            p.by_exit ? "exits" : "instructions", p.begin_progress, p.newest_progress,
            p.begin_seq, p.newest_seq, p.inside ? "; the guest stands in its past" : "");
    fprintf(c->out, "%" PRIu64 " checkpoints in %.1f MB of %.0f, %" PRIu64 " %s\n", p.checkpoints,
            (double)p.bytes / 1e6, (double)p.max_bytes / 1e6, p.inputs,
            p.by_exit ? "exits, times and inputs noted" : "inputs from outside");
    return CONSOLE_OK;
}

/* ---- snapshots ---- */

/* Write to FILE.new and rename it when it is complete: if the disk is full, an older
 * snapshot of that name is not lost.  Only regular files are replaced, because rename()
 * would put a file in the place of a device such as /dev/null. */
enum console_result cmd_save(struct console *c, const char *args)
{
    char name[4096], why[300];
    struct stat st;
    if (!*args || strlen(args) + 8 > sizeof name)
        return fail(c, "save into which file?");
    if (stat(args, &st) == 0 && !S_ISREG(st.st_mode))
        return fail(c, "%s: it is not a regular file", args);
    snprintf(name, sizeof name, "%s.new", args);
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(c, "%s: %s", name, strerror(errno));
    int err = link_save(c->o.link, fd, why, sizeof why);
    if (close(fd) && !err)
        err = -errno, snprintf(why, sizeof why, "%s", strerror(errno));
    if (!err && rename(name, args))
        err = -errno, snprintf(why, sizeof why, "%s", strerror(errno));
    if (!err)
        return CONSOLE_OK;
    unlink(name);
    return fail(c, "%s: %s", args, why);
}

/* O_NONBLOCK: opening a FIFO that nobody writes to must not hang. */
enum console_result cmd_load(struct console *c, const char *args)
{
    char why[300];
    int fd = *args ? open(args, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    if (fd < 0)
        return *args ? fail(c, "%s: %s", args, strerror(errno)) : fail(c, "load which file?");
    int err = link_load(c->o.link, fd, why, sizeof why);
    close(fd);
    if (err)
        return fail(c, "%s: %s", args, why);
    link_poll(c->o.link, 0);
    tell_where(c);
    return CONSOLE_OK;
}
