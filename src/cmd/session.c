/*
 * cmd/session.c -- build the machine, run it, and say how it ended: `vitrine run`, `stat` and
 * `replay`.
 *
 * Begin reading with session_run(), at the end.  The order there is the order of a run:
 *
 *     terminal_open()   raw mode, so that keys go to the guest
 *     open_trace()      the ring, and who reads it
 *     build()           the machine, the guest in it, the recording
 *     open_trace_file() a file for the events, if there is to be one
 *     run()             signals, alarm, threads; shut_in() gives up rights; vm_run()
 *     report()          last words, screen, statistics, with the rights that are left
 *
 * Signals meet the machine only here: SIGINT and SIGTERM ask the run loop to stop, so that
 * trace files are closed and the terminal is put back on the ordinary way out.
 *
 * It is not the debugger's way to run a guest: that is debugger/link, with the machine in a
 * process of its own (session_gdb.c and debug.c use it).
 */
#include "cmd/session.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/host.h"
#include "base/sandbox.h"
#include "base/trace.h"
#include "base/vclock.h"
#include "cmd/disks.h"
#include "cmd/hints.h"
#include "cmd/log_faults.h"
#include "cmd/terminal.h"
#include "debugger/report/explain.h"
#include "debugger/report/last_words.h"
#include "debugger/report/stat.h"
#include "debugger/symbols/lines.h"
#include "debugger/symbols/symbols.h"
#include "debugger/trace/drain.h"
#include "debugger/trace/file.h"
#include "debugger/trace/repeats.h"
#include "debugger/trace/ring.h"
#include "debugger/trace/text.h"
#include "vm/host_io.h"
#include "vm/loop.h"
#include "vm/pc.h"
#include "vm/recording.h"
#include "vm/state.h"

#define RING_EVENTS (2 * TRACE_BLOCK_EVENTS)       /* one is written while the other fills */
#define EXIT_CANNOT 125                 /* the host or a file was in the way */

/* Everything one run needs.  Made and freed in session_run(); pointers are NULL for what
 * the options did not ask for. */
struct session {
    const struct run_options *o;

    /* The machine, and the user's end of it. */
    FILE                *screen_out;    /* --screen-dump, open before the guest runs */
    int                  ring_keeper;   /* of the trace file's ring; -1: there is none */
    struct vm           *vm;
    struct terminal     *terminal;
    struct hints         hints;
    uint64_t             n_faults;      /* --log-faults: so many were printed */

    /* The trace, and who reads it. */
    struct trace        *trace;
    struct trace_drain   drain;
    struct trace_writer *writer;
    struct exit_stat    *stat;
    struct symbols      *symbols;
    struct lines        *lines;     /* until they are given to `symbols` */
    struct trace_text    text;
    struct trace_repeats repeats;       /* --trace - */
    struct recorder     *recorder;      /* --record */
    struct host_io       io;            /* input and sleep */
};

/* ---- signals; a handler has no other way to reach the machine ---- */

static struct vm *volatile running;

/* vm_interrupt() only sets a flag and kicks the vCPU: both are allowed in a handler.  The
 * loop then ends by itself.  [signal-safety(7)] */
static void on_signal(int signo)
{
    if (running)
        vm_interrupt(running, signo);
}

/* A terminal that is closed (SIGHUP) ends the run in order, too, unless nohup(1) forbade it. */
static void catch_signals(void)
{
    struct sigaction a = { .sa_handler = on_signal }, old;
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
    if (sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
        sigaction(SIGHUP, &a, NULL);
}

/* A reader that has gone, or a limit on the size of files, is no reason to die: write() fails, and
 * the run ends in order. */
static void ignore_signals(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

/* ---- the trace: who reads the ring ---- */

/* --trace -: events as text while they happen, between the lines that the guest prints.  What a
 * guest that polls does again and again is counted: it would fill the disk. */
static void print_events(void *arg, const struct trace_event *e, size_t n)
{
    struct session *s = arg;
    for (size_t i = 0; i < n; i++)
        trace_repeats_line(&s->repeats, &s->text, &e[i], stdout);
    terminal_send(s->terminal);
}

/* --trace - */
static bool wants_live_text(const struct run_options *o)
{
    return o->trace_path && strcmp(o->trace_path, "-") == 0;
}

static bool wants_file(const struct run_options *o)
{
    return o->trace_path && !wants_live_text(o);
}

/* --trace FILE, once there is a run to record: a guest that cannot be loaded leaves no file, and
 * one of that name as it was.  Events of making the machine wait in the ring.  That lies beside the
 * file until it is closed; the process is locked in by then and may remove nothing, so a helper
 * process is asked to (trace/ring.h). */
static bool open_trace_file(struct session *s)
{
    char info[OPTIONS_TRACE_INFO];
    if (!wants_file(s->o))
        return true;
    options_trace_info(s->o, info);
    s->writer = trace_writer_open(s->o->trace_path, s->trace, info);
    if (!s->writer)
        return false;                       /* it has said why */
    if (!s->o->no_sandbox && (s->ring_keeper = trace_ring_keeper(s->o->trace_path)) < 0) {
        host_say("cannot start a process: %s", strerror(errno));
        return false;
    }
    trace_drain_add(&s->drain, trace_writer_sink, s->writer);
    return true;
}

/* Make the ring and its readers: statistics, text, a file.  Without any of them there is no
 * trace and the guest runs without logging. */
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
    }
    return true;
}

/* With --trace - the events of an exit are printed before the guest goes on, so that its
 * output and the log are in order. */
static void drain_now(void *arg)
{
    struct session *s = arg;
    trace_drain_run(&s->drain);
}

/* Lines of the guest's source, for the last words.  Behind the sandbox they can be read, but not
 * be opened. */
static void open_lines(struct session *s)
{
    uint64_t n;
    const void *image = s->vm->files ? load_files_image(s->vm->files, &n) : NULL;
    if (image)
        s->lines = lines_of_memory(image, n);
}

/* For addresses in what is printed.  From the guest's file as the machine has it in memory:
 * behind the sandbox no file can be opened.  Twice is once. */
static void open_symbols(struct session *s)
{
    char why[200];
    uint64_t n;
    const void *image = s->vm->files ? load_files_image(s->vm->files, &n) : NULL;
    if (!s->symbols && image)
        s->symbols = symbols_read(image, n, why, sizeof why);
    if (s->symbols && s->lines) {
        symbols_set_lines(s->symbols, s->lines);
        s->lines = NULL;
    }
    s->text.symbols = s->symbols;
}

/* An end that the guest asked for needs no explanation. */
static bool ended_as_it_wanted(const struct vm *vm)
{
    return vm->stop == VM_EXIT_PORT || vm->stop == VM_POWER_OFF;
}

/* The trace file says at its end why the run ended so, in the words that the user will read. */
static void keep_words(struct session *s)
{
    char *text = NULL;
    size_t n;
    bool wanted = s->vm && ended_as_it_wanted(s->vm) && !s->vm->status;
    FILE *out = s->vm && !wanted ? open_memstream(&text, &n) : NULL;
    if (!out)
        return;
    open_symbols(s);
    explain_vm(s->vm, s->symbols, out);
    if (fclose(out) == 0)
        trace_writer_words(s->writer, text);
    free(text);
}

/* The last events go to the readers, the file is closed.  0 or -errno of writing it. */
static int close_trace(struct session *s)
{
    int err = 0;
    if (!s->trace)
        return 0;
    trace_drain_detach(&s->drain);
    trace_repeats_end(&s->repeats, &s->text, stdout);
    if (s->writer) {
        keep_words(s);
        err = trace_writer_close(s->writer);
    }
    if (s->writer && s->ring_keeper >= 0)
        trace_ring_release(s->ring_keeper);
    else if (wants_file(s->o))
        trace_ring_remove(s->o->trace_path);
    if (err)
        host_say("the trace file %s is incomplete: %s", s->o->trace_path, strerror(-err));
    return err;
}

/* ---- the machine ---- */

/* Input goes in at two hooks (vm/host_io.h): the machine polls about every millisecond of
 * its time, and it says so when the serial port has room again.  With --keyboard the next
 * poll is soon enough. */
static void feed(void *arg, enum input_hook hook)
{
    struct session *s = arg;
    if (hook != INPUT_ROOM)
        hint_screen(&s->hints, s->vm);
    if (hook == INPUT_POLL)
        terminal_poll(s->terminal);
    else if (hook == INPUT_ROOM && !s->o->keyboard)
        terminal_feed(s->terminal);
}

/* The guest is halted: wait for input or for its next timer, whichever comes first. */
static uint64_t idle(void *arg, uint64_t ns)
{
    struct session *s = arg;
    return terminal_idle(s->terminal, ns);
}

/* --record: this byte has gone into the guest, now. */
static void note_byte(void *arg, enum input_hook hook, enum input_kind kind, uint8_t byte)
{
    struct session *s = arg;
    if (s->recorder)
        recorder_byte(s->recorder, hook, kind, byte);
}

/* --record: a halted guest has slept `passed` ns, its next timer being due in ns. */
static void note_sleep(void *arg, uint64_t ns, uint64_t passed)
{
    struct session *s = arg;
    if (s->recorder)
        recorder_sleep(s->recorder, ns, passed);
}

/* ---- a recording, done again ---- */

/* Does input come from a recording instead of the terminal? */
static bool is_playing(const void *arg)
{
    const struct session *s = arg;
    return s->o->replay;
}

/* Did the recorded run end because somebody interrupted it?  Then the replay must be interrupted
 * at the same place, which the next functions look for. */
static bool was_interrupted(const struct recording *r)
{
    return r->ended && (r->end.stop == VM_INTERRUPTED || r->end.stop == VM_TERMINATED);
}

/* A run can be interrupted while the guest runs (the CPU was kicked out of it, which is an
 * exit of its own), or between two exits.  The replay must end in the same way, or exit
 * counts differ. */
static void interrupt_again(struct session *s)
{
    const struct recording_end *end = &s->o->replay->end;
    s->vm->interrupted = end->stop == VM_TERMINATED ? SIGTERM : SIGINT;
    if (end->kicked)
        vm_kick(s->vm);
}

/* How long the guest slept at this place, says the recording.  If the recorded run was
 * interrupted in this very sleep, the sleep ends at that virtual time. */
static uint64_t play_sleep(void *arg, uint64_t ns)
{
    struct session *s = arg;
    const struct recording *r = s->o->replay;
    uint64_t now = vclock_now_ns(s->vm->clock);
    bool last = was_interrupted(r) && !r->end.kicked && boot_cpu(s->vm)->icount == r->end.icount &&
                s->vm->n_exits == r->end.n_exits;
    uint64_t passed = last && now >= r->end.vtime_ns ? 0 : input_play_sleep(&s->o->replay->log, ns);
    if (last && now + passed >= r->end.vtime_ns)
        interrupt_again(s);
    return passed;
}

/* What the machine asks of its host, by way of vm/host_io.h. */
static const struct host_ops host_ops = {
    .is_playing = is_playing, .feed = feed, .sleep = idle, .play_sleep = play_sleep,
    .note_byte = note_byte, .note_sleep = note_sleep,
};

/* Is the machine where the recorded run was interrupted?  That may be in the midst of a turn: the
 * kick was an exit of its own (end->kicked); or between two turns. */
static bool is_there(const struct session *s, bool in_turn)
{
    const struct recording_end *end = &s->o->replay->end;
    const struct vm *vm = s->vm;
    if (!was_interrupted(s->o->replay) || boot_cpu(vm)->icount < end->icount ||
        in_turn != (end->kicked != 0) || boot_cpu(vm)->halted)
        return false;
    return boot_cpu(vm)->icount > end->icount || vm->n_exits + end->kicked >= end->n_exits;
}

/* One turn of the loop, so that between its halves the place of the interruption is not missed.
 * If that is ahead, the engine runs no farther than to it. */
static void replay_turn(struct session *s)
{
    struct vm *vm = s->vm;
    const struct recording_end *end = &s->o->replay->end;
    struct vmexit x;
    if (!boot_cpu(vm)->turn.unfinished && is_there(s, false))
        interrupt_again(s);
    if (!vm_prepare(vm))
        return;
    if (is_there(s, true))
        interrupt_again(s);
    bool is_ahead = was_interrupted(s->o->replay) && boot_cpu(vm)->icount < end->icount;
    vm->replay_until = is_ahead ? end->icount : 0;
    vm_turn(vm, &x);
}

/* vm_run(), for a recording: the same turns, with a look between their halves.  Without
 * that, a run that somebody had interrupted would not end where it did then. */
static int replay(struct session *s)
{
    vm_begin(s->vm);
    while (s->vm->stop == VM_RUNNING)
        replay_turn(s);
    vm_finish(s->vm);
    return s->vm->status;
}

/* The recording ends with a sum over memory and CPU of its run.  0 if this run has ended
 * with the same, or if there is none to compare with; else 1. */
static int compare_ends(const struct session *s)
{
    const struct recording *r = s->o->replay;
    const struct vm *vm = s->vm;
    if (!r->ended) {
        host_say("the recording ends without the end of its run, which was killed; "
                 "this one ended so: %s",
                 vm_stops[vm->stop].about);
        return 0;
    }
    uint64_t hash = vm_hash(s->vm);
    if (hash == r->end.hash && vm->stop == r->end.stop) {
        if (!s->o->quiet)
            host_say("it ended as it was recorded: %" PRIu64 " instructions, %" PRIu64
                     " exits, sum %016" PRIx64,
                     boot_cpu(vm)->icount, vm->n_exits, hash);
        return 0;
    }
    host_say("it ended otherwise than it was recorded: \"%s\" at instruction %" PRIu64
             ", exit %" PRIu64 ", and not"
             " \"%s\" at %" PRIu64 ", exit %" PRIu64 " (sum %016" PRIx64 ", not %016" PRIx64 ")",
             vm_stops[vm->stop].about, boot_cpu(vm)->icount, vm->n_exits,
             vm_stops[r->end.stop].about,
             r->end.icount, r->end.n_exits, hash, r->end.hash);
    return 1;
}

/* --from: memory and state of a snapshot.  The guest's files are loaded first, because a
 * reset of the machine needs them; if they are gone the run goes on without. */
static bool load_snapshot(struct session *s, char *why, size_t n)
{
    char files[256] = "", text[300];
    int fd = open(s->o->from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct snapshot_io io = snapshot_fd(&fd);
    if (fd < 0) {
        snprintf(why, n, "%s: %s", s->o->from, strerror(errno));
        return false;
    }
    if (vm_load(s->vm, &s->o->guest, files, sizeof files))
        host_say("%s; it would only be needed if the guest resets the machine", files);
    int err = snapshot_load(s->vm, &io, text, sizeof text);
    close(fd);
    if (err)
        snprintf(why, n, "%.100s: %.140s", s->o->from, text);
    return !err;
}

/* Put the guest into the machine: from its file or from a snapshot. */
static bool load(struct session *s, char *why, size_t n)
{
    if (s->o->from)
        return load_snapshot(s, why, n);
    return vm_load(s->vm, &s->o->guest, why, n) == 0;
}

/* Begin to write a recording, or to read one.  A recording belongs to one guest, whose
 * contents it has a sum of. */
static bool attach_recording(struct session *s)
{
    char why[300];
    if (s->o->replay) {
        s->o->replay->log.vm = s->vm;
        s->io.log = &s->o->replay->log;
        if (recording_is_of(s->o->replay, s->vm, why, sizeof why))
            return true;
        host_say("%s", why);
        return false;
    }
    if (!s->o->record)
        return true;
    s->recorder = recorder_open(s->o->record, s->vm, why, sizeof why);
    if (!s->recorder)
        host_say("%s", why);
    return s->recorder != NULL;
}

/* Write the end of the recording.  False, after telling the user, if the file is
 * incomplete. */
static bool close_recording(struct session *s)
{
    int err = s->recorder ? recorder_close(s->recorder, s->vm) : 0;
    s->recorder = NULL;
    if (err)
        host_say("the recording %s is incomplete: %s", s->o->record, strerror(-err));
    return !err;
}

/* What exits cost is measured if asked for, and also for a table on a terminal, where somebody
 * looks who wants to know.  Not if it goes into a trace or a pipe: a run of `soft` prints the
 * same every time. */
static bool wants_timing(const struct session *s)
{
    return s->o->machine.timing || (s->stat && !s->o->trace_path && isatty(STDOUT_FILENO));
}

static void on_stuck(void *arg, const struct stuck_report *r)
{
    struct session *s = arg;
    open_symbols(s);
    hint_stuck(&s->hints, r, s->symbols);
}

/* --log-faults */
static void on_fault(void *arg, const struct vmexit *x)
{
    struct session *s = arg;
    open_symbols(s);
    terminal_flush(s->terminal);
    log_fault(stderr, s->vm, x, s->n_faults++, s->symbols);
}

/* The machine with its hooks to this process: output to the terminal, input and waiting
 * through struct host_io, alarms by a timer of the host. */
static bool build(struct session *s)
{
    char why[256];
    struct vm_config c = s->o->machine;
    c.trace = s->trace;
    c.timing = wants_timing(s);
    c.serial = c.debugcon = (struct char_sink){ terminal_put, s->terminal };
    c.alarm = host_alarm_at;
    if (s->o->log_faults) {
        c.on_fault = on_fault;
        c.on_fault_arg = s;
    }
    c.stuck = on_stuck;
    c.stuck_arg = s;
    s->hints = (struct hints){ .o = s->o, .terminal = s->terminal };
    s->io = (struct host_io){ .ops = &host_ops, .arg = s };
    host_io_hook(&s->io, &c);
    if (wants_live_text(s->o)) {
        terminal_set_prefix(s->terminal, "guest> ");
        c.after_exit = drain_now;
        c.after_exit_arg = s;
    }
    s->vm = vm_new(&c, why, sizeof why);
    if (s->vm && load(s, why, sizeof why)) {
        if (s->vm->loaded.note[0] && !s->o->quiet)
            host_say("%s: %s", s->o->guest.path, s->vm->loaded.note);
        if (wants_live_text(s->o))
            open_symbols(s);
        host_io_attach(&s->io, s->vm);
        terminal_attach(s->terminal, &s->io, s->o->keyboard);
        return attach_recording(s);
    }
    if (why[0])
        host_say("%s", why);
    return false;
}

/* Opened before the run, because a process that is locked in can open nothing. */
static bool open_screen_dump(struct session *s)
{
    const char *path = s->o->screen_dump;
    if (path)
        s->screen_out = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    if (path && !s->screen_out)
        host_say("cannot write the screen to %s: %s", path, strerror(errno));
    return !path || s->screen_out;
}

/* --screen-dump, after the run.  The file is open already. */
static bool dump_screen(struct session *s)
{
    bool ok = true;
    pc_screen(s->vm->pc, s->screen_out);
    if (s->screen_out != stdout)
        ok = fclose(s->screen_out) == 0;
    s->screen_out = NULL;
    if (!ok)
        host_say("cannot write the screen to %s: %s", s->o->screen_dump, strerror(errno));
    return ok;
}

/* How the guest ended, if that was not its own wish, with what its registers say about it and
 * what else went wrong.  If it was, only lost output is worth a word. */
static void last_words(struct session *s)
{
    const struct vm *vm = s->vm;
    bool expected = ended_as_it_wanted(vm);
    if (s->o->quiet)
        return;
    if (expected && !wants_live_text(s->o)) {
        if (vm->status) {
            open_symbols(s);
            explain_vm(s->vm, s->symbols, stderr);      /* the BIOS may have ended it */
        }
        oddities_say(vm, NULL, true, stderr);
        hints_at_end(&s->hints, s->vm, NULL);
        return;
    }
    host_say("%s%s%s (%" PRIu64 " exits, %" PRIu64 " instructions)", vm_stops[vm->stop].about,
             vm->why[0] ? ": " : "", vm->why, vm->n_exits, boot_cpu(vm)->icount);
    open_symbols(s);
    explain_vm(s->vm, s->symbols, stderr);
    oddities_say(vm, s->symbols, false, stderr);
    hints_at_end(&s->hints, s->vm, s->symbols);
}

/* What is printed after the run, on stderr and (statistics) on stdout.  False if something
 * that was asked for could not be given. */
static bool report(struct session *s)
{
    last_words(s);
    bool ok = !s->screen_out || dump_screen(s);
    if (s->stat) {
        open_symbols(s);
        stat_print(stdout, s->stat, s->symbols);
    }
    if (s->trace && s->trace->ring->lost)
        host_say("%" PRIu64 " trace events found no room and are lost", s->trace->ring->lost);
    return ok;
}

/* Standard output is buffered, so a write that failed may only show when the rest is
 * flushed.  A full disk must not look like a run that printed nothing. */
static bool output_arrived(const struct session *s)
{
    bool ok = fflush(stdout) == 0 && !ferror(stdout);
    if (!ok && s->vm->stop != VM_HOST)
        host_say("output cannot be written: %s", strerror(errno));
    return ok;
}

static const struct session *bug_session;

/* If the monitor itself has a bug, bug() shows the last events before it aborts. */
static void show_recent(void)
{
    if (bug_session && bug_session->trace)
        trace_text_recent(bug_session->trace, 20, stderr);
}

/* Files, terminal, threads and the alarm are there: from here on the guest's monitor needs
 * few rights.  A kernel that cannot take them away is no reason not to run; `vitrine doctor`
 * tells. */
static void shut_in(const struct session *s)
{
    char why[200];
    bool kvm = s->o->machine.engine == &engine_kvm;
    if (!s->o->no_sandbox)
        sandbox_enter(SANDBOX_TERMINAL | (kvm ? SANDBOX_KVM : 0) |
                      (disks_write(s->o) ? SANDBOX_DISK : 0), why, sizeof why);
}

/* Everything between the last preparation and the report.  The process gives up its rights
 * in shut_in(); what comes behind that, the report included, works with what is open
 * already.  The order at the end matters too: the trace is closed before its losses are
 * told, and a recording before anything is compared with it. */
static int run(struct session *s)
{
    running = s->vm;
    bug_session = s;
    host_bug_hook = show_recent;
    host_alarm_init(vm_kick, s->vm);
    catch_signals();
    if (s->trace && !wants_live_text(s->o))
        trace_drain_start(&s->drain);
    open_lines(s);
    shut_in(s);
    int status = s->o->replay ? replay(s) : vm_run(s->vm);
    host_alarm_at(0);
    running = NULL;
    terminal_flush(s->terminal);
    bool ok = close_trace(s) == 0;
    ok = close_recording(s) && ok;
    ok = report(s) && ok;
    ok = output_arrived(s) && ok;
    if (s->o->replay)
        status = compare_ends(s);
    return !ok && !status ? EXIT_CANNOT : status;
}

/* Order matters: files, terminal and threads first, then run() locks the process in. */
int session_run(const struct run_options *o)
{
    struct session s = { .o = o, .ring_keeper = -1 };
    int status = EXIT_CANNOT;
    ignore_signals();
    s.terminal = terminal_open();
    if (s.terminal && open_trace(&s)) {
        if (build(&s) && open_screen_dump(&s) && open_trace_file(&s))
            status = run(&s);
        else
            close_trace(&s);
    }
    terminal_close(s.terminal);
    lines_close(s.lines);
    symbols_close(s.symbols);           /* lines are in memory of the machine's */
    vm_free(s.vm);
    stat_free(s.stat);
    trace_free(s.trace);
    bug_session = NULL;
    return status;
}
