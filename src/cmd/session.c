/*
 * cmd/session.c -- build the machine, run it, and say how it ended.
 *
 * The only place where a signal meets a machine: SIGINT and SIGTERM ask the
 * run loop to stop, so that trace files are closed and the terminal is put
 * back on the ordinary way out.
 */
#include "cmd/session.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "base/trace.h"
#include "base/vclock.h"
#include "cmd/terminal.h"
#include "debugger/explain.h"
#include "debugger/stat.h"
#include "debugger/symbols.h"
#include "debugger/trace_drain.h"
#include "debugger/trace_file.h"
#include "debugger/trace_ring.h"
#include "debugger/trace_text.h"
#include "vm/pc.h"

#define RING_EVENTS (2 * TRACE_BLOCK_EVENTS)       /* one is written while the other fills */
#define EXIT_CANNOT 125

struct session {
    const struct run_options *o;
    struct vm           *vm;
    struct terminal     *terminal;
    struct trace        *trace;
    struct trace_drain   drain;
    struct trace_writer *writer;
    struct exit_stat    *stat;
    struct symbols      *symbols;
    struct trace_text    text;
};

/* ---- signals; a handler has no other way to reach the machine ---- */

static struct vm *volatile running;

static void on_signal(int signo)
{
    if (running)
        vm_interrupt(running, signo);
}

static void catch_signals(void)
{
    struct sigaction a = { .sa_handler = on_signal };
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
}

/* Who cannot write any more is told so by write(). */
static void ignore_signals(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

/* ---- the trace: who reads the ring ---- */

static void print_events(void *arg, const struct trace_event *e, size_t n)
{
    struct session *s = arg;
    for (size_t i = 0; i < n; i++)
        trace_text_line(&s->text, &e[i], stdout);
    terminal_send(s->terminal);
}

static bool open_trace_file(struct session *s)
{
    char info[600];
    snprintf(info, sizeof info, "guest=%s\nengine=%s\nmmu=%s\nmem=%" PRIu64 "\nseed=%" PRIu64 "\n",
             s->o->guest.path, s->o->machine.engine->name, mmu_names[s->o->machine.mmu],
             s->o->machine.ram_bytes, s->o->machine.seed);
    s->writer = trace_writer_open(s->o->trace_path, s->trace, info);
    if (!s->writer) {
        trace_ring_remove(s->o->trace_path);
        return false;                       /* it has said why */
    }
    trace_drain_add(&s->drain, trace_writer_sink, s->writer);
    return true;
}

static bool wants_live_text(const struct run_options *o)
{
    return o->trace_path && strcmp(o->trace_path, "-") == 0;
}

static bool open_trace(struct session *s)
{
    const struct run_options *o = s->o;
    if (!o->trace_path && !o->stat)
        return true;
    s->trace = trace_ring_new(wants_live_text(o) ? NULL : o->trace_path, RING_EVENTS);
    if (!s->trace) {
        host_say("no memory for the trace ring: %s", strerror(errno));
        return false;
    }
    s->trace->engine_names = engine_names();
    s->text.engine_name = trace_text_listed_engine;
    s->text.engine_arg = s->trace->engine_names;
    s->trace->mask = o->kinds | (o->insns ? TRACE_INSN_KINDS : 0);
    trace_drain_attach(&s->drain, s->trace);
    if (o->stat && !(s->stat = stat_new()))
        return false;
    if (s->stat)
        stat_name_ports(s->stat, pc_port_name);
    if (s->stat)
        trace_drain_add(&s->drain, stat_sink, s->stat);
    if (wants_live_text(o)) {
        trace_text_head(stdout);
        trace_drain_add(&s->drain, print_events, s);
    } else if (o->trace_path) {
        return open_trace_file(s);
    }
    return true;
}

static void drain_now(void *arg)
{
    struct session *s = arg;
    trace_drain_run(&s->drain);
}

static int close_trace(struct session *s)
{
    int err = 0;
    if (!s->trace)
        return 0;
    trace_drain_detach(&s->drain);
    if (s->writer)
        err = trace_writer_close(s->writer);
    if (s->writer)
        trace_ring_remove(s->o->trace_path);
    if (err)
        host_say("the trace file %s is incomplete: %s", s->o->trace_path, strerror(-err));
    return err;
}

/* ---- the machine ---- */

static void poll_host(void *arg)
{
    struct session *s = arg;
    terminal_poll(s->terminal);
}

static uint64_t idle(void *arg, uint64_t ns)
{
    struct session *s = arg;
    return terminal_idle(s->terminal, ns);
}

static bool build(struct session *s)
{
    char why[256];
    struct vm_config c = s->o->machine;
    c.trace = s->trace;
    c.serial = c.debugcon = (struct char_sink){ terminal_put, s->terminal };
    c.idle = idle;
    c.poll = poll_host;
    c.alarm = host_alarm_at;
    c.hook_arg = s;
    if (wants_live_text(s->o)) {
        terminal_set_prefix(s->terminal, "guest> ");
        c.after_exit = drain_now;
        c.after_exit_arg = s;
    }
    s->vm = vm_new(&c, why, sizeof why);
    if (s->vm && vm_load(s->vm, &s->o->guest, why, sizeof why) == 0) {
        terminal_attach(s->terminal, s->vm, s->o->keyboard);
        return true;
    }
    if (why[0])
        host_say("%s", why);
    return false;
}

static bool dump_screen(const struct session *s)
{
    const char *path = s->o->screen_dump;
    FILE *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    if (!out) {
        host_say("cannot write the screen to %s: %s", path, strerror(errno));
        return false;
    }
    pc_screen(s->vm->pc, out);
    if (out != stdout)
        fclose(out);
    return true;
}

static void open_symbols(struct session *s)
{
    char why[200];
    if (!s->symbols)
        s->symbols = symbols_open(s->o->guest.path, why, sizeof why);
    s->text.symbols = s->symbols;
}

static void last_words(struct session *s)
{
    const struct vm *vm = s->vm;
    bool expected = vm->stop == VM_EXIT_PORT || vm->stop == VM_POWER_OFF;
    if (s->o->quiet || (expected && !wants_live_text(s->o)))
        return;
    host_say("%s%s%s (%" PRIu64 " exits, %" PRIu64 " instructions)", vm_stops[vm->stop].about,
             vm->why[0] ? ": " : "", vm->why, vm->n_exits, vm->cpu.icount);
    open_symbols(s);
    explain_vm(s->vm, s->symbols, stderr);
}

/* False if something that was asked for could not be given. */
static bool report(struct session *s)
{
    last_words(s);
    bool ok = !s->o->screen_dump || dump_screen(s);
    if (s->stat) {
        open_symbols(s);
        stat_print(stdout, s->stat, s->symbols);
    }
    if (s->trace && s->trace->ring->lost)
        host_say("%" PRIu64 " trace events found no room and are lost", s->trace->ring->lost);
    return ok;
}

static bool output_arrived(const struct session *s)
{
    bool ok = fflush(stdout) == 0 && !ferror(stdout);
    if (!ok && s->vm->stop != VM_HOST)
        host_say("output cannot be written: %s", strerror(errno));
    return ok;
}

static const struct session *bug_session;

static void show_recent(void)
{
    if (bug_session && bug_session->trace)
        trace_text_recent(bug_session->trace, 20, stderr);
}

static int run(struct session *s)
{
    running = s->vm;
    bug_session = s;
    host_bug_hook = show_recent;
    host_alarm_init(vm_kick, s->vm);
    catch_signals();
    if (s->trace && !wants_live_text(s->o))
        trace_drain_start(&s->drain);
    int status = vm_run(s->vm);
    host_alarm_at(0);
    running = NULL;
    terminal_flush(s->terminal);
    bool ok = close_trace(s) == 0;
    ok = report(s) && ok;
    ok = output_arrived(s) && ok;
    return !ok && !status ? EXIT_CANNOT : status;
}

int session_run(const struct run_options *o)
{
    struct session s = { .o = o };
    int status = EXIT_CANNOT;
    ignore_signals();
    s.terminal = terminal_open();
    if (s.terminal && open_trace(&s)) {
        if (s.trace && wants_live_text(o))
            open_symbols(&s);
        if (build(&s))
            status = run(&s);
        else
            close_trace(&s);
    }
    terminal_close(s.terminal);
    vm_free(s.vm);
    symbols_close(s.symbols);
    stat_free(s.stat);
    trace_free(s.trace);
    bug_session = NULL;
    return status;
}
