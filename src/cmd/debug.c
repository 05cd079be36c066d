/*
 * cmd/debug.c -- vitrine debug: the console on a terminal, or in a script.
 *
 * Lines come from -ex and -x, and then from the terminal (with readline) or plain standard
 * input.  What a line means is debugger/console/command.c's business; here lines are read,
 * remembered and completed.  While the guest runs its serial output is printed, and Ctrl-C
 * pauses it.  What the guest reads, the command `type` gives it: the terminal is the console's.
 *
 *     -ex, -x    run_commands() ------.
 *     terminal   read_with_readline() -+-> run_line() -> console_run() -> link -> the guest
 *     pipe       read_plainly() ------'                      |
 *                                                     wait_for_stop()
 *
 * Begin reading with session().
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include <readline/history.h>
#include <readline/readline.h>

#include "base/host.h"
#include "base/trace.h"
#include "cmd/cmd.h"
#include "cmd/names.h"
#include "cmd/options.h"
#include "debugger/console/command.h"
#include "debugger/link/link.h"
#include "debugger/symbols/debuginfo.h"
#include "debugger/symbols/symbols.h"
#include "vm/snapshot.h"

#define EXIT_CANNOT 125
#define PROMPT      "(vitrine) "
#define HISTORY     1000
#define LOOK_MS     10              /* between looks at a running machine */
#define PROGRESS_LOOKS 25           /* between words of how far a way back has come */

/* One session of the console.  `link` is there with a guest, `store` alone with a trace. */
struct debug {
    struct run_options o;
    struct names    names;
    struct debuginfo *info;         /* NULL: none */
    struct link    *link;
    struct store   *store;          /* of a trace file; of a link it is the link's */
    struct console *console;
    char           *repeat;         /* what an empty line does again */
    bool            failed;
    bool            in_line;        /* what the guest wrote last has not ended its line */
};

/* ---- the terminal, put back on every way out ---- */

/* At file scope, because signal handlers get no argument. */
static struct termios saved_mode;
static bool mode_saved;
static volatile sig_atomic_t interrupted;

/* Ctrl-C only sets a flag.  Whoever waits looks at it: wait_for_stop(), readline's hook, a
 * command that prints much (has_enough()). */
static void on_interrupt(int signo)
{
    (void)signo;
    interrupted = 1;
}

/* readline has changed the terminal's mode: put it back, then die of the signal as usual. */
static void on_crash(int signo)
{
    if (mode_saved)
        tcsetattr(STDIN_FILENO, TCSANOW, &saved_mode);
    signal(signo, SIG_DFL);
    raise(signo);
}

/* Remember the terminal's mode and catch the signals.  SIGINT is caught without SA_RESTART,
 * so that a system call that waits ends with EINTR. [sigaction(2)] */
static void guard_terminal(void)
{
    static const int crashes[] = { SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE };
    mode_saved = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &saved_mode) == 0;
    for (size_t i = 0; mode_saved && i < NELEM(crashes); i++)
        signal(crashes[i], on_crash);
    struct sigaction a = { .sa_handler = on_interrupt };        /* no SA_RESTART: waits end */
    sigaction(SIGINT, &a, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* ---- while the guest runs ---- */

/* An object with one member, a text in which everything but plain ASCII is escaped. */
static void print_json(const char *name, const char *text, size_t n)
{
    printf("{\"%s\":\"", name);
    for (size_t i = 0; i < n; i++) {
        unsigned char ch = (unsigned char)text[i];
        printf(ch < ' ' || ch == '"' || ch == '\\' || ch > 126 ? "\\u%04x" : "%c", ch);
    }
    puts("\"}");
}

/* What the guest wrote goes to standard output, with --json as objects; what the monitor
 * says goes to stderr. */
static void show_output(struct debug *d, struct link *l)
{
    static const char *const names[N_LINK_OUTPUTS] = { "serial", "debugcon" };
    char buf[4096];
    size_t n;
    for (unsigned i = 0; i < N_LINK_OUTPUTS; i++)
        while ((n = link_take_output(l, i, buf, sizeof buf - 1))) {
            if (!d->o.json) {
                fwrite(buf, 1, n, stdout);
                d->in_line = buf[n - 1] != '\n';
                continue;
            }
            print_json(names[i], buf, n);
        }
    while ((n = link_take_words(l, buf, sizeof buf)))
        fwrite(buf, 1, n, stderr);
    fflush(stdout);
}

/* A guest that does the same thing again and again runs on, but its user is told. */
static void show_stuck(struct debug *d, struct link *l)
{
    char text[600];
    if (!link_take_stuck(l, d->names.symbols, text, sizeof text))
        return;
    if (d->o.json) {
        print_json("stuck", text, strlen(text));
        return;
    }
    printf("%s%s\n", d->in_line ? "\n" : "", text);
    d->in_line = false;
    fflush(stdout);
}

/* A way back that takes long is told of on a terminal, in a line that is overwritten and at
 * last removed.  True if something was printed. */
static bool show_progress(const struct debug *d, struct link *l)
{
    struct link_status s;
    link_get_status(l, &s);
    if (d->o.json || d->in_line || !s.past.total || !isatty(STDOUT_FILENO))
        return false;
    uint64_t done = s.past.done < s.past.total ? s.past.done : s.past.total;
    printf("\rgoing back: %.0f %%", 100.0 * (double)done / (double)s.past.total);
    fflush(stdout);
    return true;
}

/* For the console: should a command that prints much stop?  After a Ctrl-C. */
static bool has_enough(void *arg)
{
    (void)arg;
    return interrupted;
}

/* For the console, after a command has sent the guest running: show its output until it
 * stops.  0: it has stopped, or the console holds it for a reason of its own
 * (console_held()). -EINTR: the user has pressed Ctrl-C, and the console pauses the guest. */
static int wait_for_stop(void *arg, struct link *l)
{
    interrupted = 0;
    struct debug *d = arg;
    bool held = false, progress = false;
    unsigned looks = 0;
    while (link_state(l) == LINK_RUNNING && !interrupted && !(held = console_held(d->console))) {
        struct pollfd p = { .fd = link_fd(l), .events = POLLIN };
        poll(&p, 1, LOOK_MS);
        link_poll(l, 0);
        show_output(arg, l);
        show_stuck(d, l);
        if (++looks % PROGRESS_LOOKS == 0)
            progress |= show_progress(d, l);
    }
    if (progress)
        fputs("\r                    \r", stdout);
    if (link_state(l) == LINK_RUNNING && !held)
        return -EINTR;
    link_poll(l, 0);
    show_output(arg, l);
    show_stuck(d, l);
    if (d->in_line)
        putchar('\n');          /* what is told now does not go on where the guest stopped */
    d->in_line = false;
    return 0;
}

/* ---- lines ---- */

/* What an empty line does again, as in gdb.  For x, list and continue the arguments are
 * left out, so that they go on where they were. */
static void remember(struct debug *d, const char *line)
{
    static const struct { const char *word; bool goes_on; } again[] = {
        { "stepi", false }, { "si", false }, { "nexti", false }, { "ni", false },
            { "step-exit", false },
        { "reverse-stepi", false }, { "rsi", false }, { "reverse-nexti", false }, { "rni", false },
        { "reverse-step", false }, { "rs", false }, { "reverse-next", false }, { "rn", false },
        { "reverse-continue", false }, { "rc", false },
        { "se", false }, { "step", false }, { "s", false }, { "next", false }, { "n", false },
        { "list", true }, { "l", true }, { "continue", false }, { "c", false }, { "x", true },
            { "xp", true },
    };
    size_t len = strcspn(line, " \t/");
    free(d->repeat);
    d->repeat = NULL;
    for (size_t i = 0; i < NELEM(again); i++)
        if (strlen(again[i].word) == len && !strncmp(line, again[i].word, len))
            d->repeat = again[i].goes_on ? strndup(line, strcspn(line, " \t")) : strdup(line);
}

/* Do what one line says, and print what the guest has written meanwhile.  False: the
 * session is over, by `quit` or because nobody reads our output any more. */
static bool run_line(struct debug *d, const char *line)
{
    while (*line == ' ' || *line == '\t')
        line++;
    interrupted = 0;
    enum console_result r = console_run(d->console, line, stdout);
    fflush(stdout);
    if (d->link)
        show_output(d, d->link);
    d->failed |= r == CONSOLE_ERROR;
    return r != CONSOLE_QUIT && !ferror(stdout);
}

/* The commands of -ex and -x, in order; -x is the console's command `source`. With --batch,
 * nothing that comes behind a file with an error is done.  False if one of the commands was
 * `quit`. */
static bool run_commands(struct debug *d)
{
    for (unsigned i = 0; i < d->o.n_commands; i++) {
        const struct debug_command *k = &d->o.command[i];
        char line[4300];
        if (strlen(k->text) > 4200) {
            host_say("command %u is too long", i + 1);
            d->failed = true;
            continue;
        }
        snprintf(line, sizeof line, "%s%s", k->is_file ? "source " : "", k->text);
        if (!run_line(d, line))
            return false;
        if (d->failed && k->is_file && d->o.batch)
            return true;
    }
    return true;
}

/* Commands from a file or a pipe: no prompt, no editing.  A Ctrl-C while waiting (EINTR) is
 * no end of input: there is no command to interrupt, so reading goes on. */
static void read_plainly(struct debug *d)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    do {
        n = getline(&line, &room, stdin);
        if (n > 0 && line[n - 1] == '\n')
            line[n - 1] = 0;
        if (n < 0 && errno == EINTR && !feof(stdin))
            clearerr(stdin), n = 0;
        else if (n < 0)
            break;
    } while (!n || run_line(d, line));
    free(line);
}

/* ---- readline ---- */

/* readline calls back without an argument of ours, so what it needs lies at file scope. */
static struct console *completing;
static char **words;
static size_t next_word;

/* For rl_completion_matches(), which calls this again and again until it is NULL, and frees
 * what it gets.  `again` is 0 in the first call.  [GNU Readline "Custom Completers"] */
static char *give_word(const char *text, int again)
{
    (void)text;
    next_word = again ? next_word : 0;
    return words && words[next_word] ? strdup(words[next_word++]) : NULL;
}

/* The console says what could stand at the cursor; readline wants its own kind of list.
 * rl_attempted_completion_over keeps readline from offering file names when there is no
 * match.  [GNU Readline "Custom Completers"] */
static char **complete(const char *text, int start, int end)
{
    size_t at;
    char *line = strndup(rl_line_buffer, (size_t)end);
    (void)text, (void)start;
    words = line ? console_complete(completing, line, &at) : NULL;
    rl_attempted_completion_over = 1;
    char **matches = words ? rl_completion_matches(text, give_word) : NULL;
    for (size_t i = 0; words && words[i]; i++)
        free(words[i]);
    free(words);
    free(line);
    words = NULL;
    return matches;
}

/* $XDG_STATE_HOME/vitrine/history, or ~/.vitrine_history; "" if neither is known. */
static void history_path(char *path, size_t n)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    path[0] = 0;
    if (state && state[0] == '/') {
        snprintf(path, n, "%s/vitrine", state);
        mkdir(path, 0700);
        snprintf(path, n, "%s/vitrine/history", state);
    } else if (home && home[0] == '/') {
        snprintf(path, n, "%s/.vitrine_history", home);
    }
}

static bool line_given_up;          /* the empty line came from a Ctrl-C */

/* Ctrl-C at the prompt gives a new one.  rl_done makes readline() return an empty line,
 * which must not be taken for the one that repeats a command. */
static int on_readline_interrupt(void)
{
    if (interrupted) {
        interrupted = 0;
        line_given_up = true;
        rl_replace_line("", 0);
        rl_done = 1;
    }
    return 0;
}

/* An empty line repeats the last command, as in gdb.  The command is copied first, since it
 * may replace d->repeat while it runs. */
static void read_with_readline(struct debug *d)
{
    char path[600], *line;
    history_path(path, sizeof path);
    rl_readline_name = "vitrine";
    completing = d->console;
    rl_attempted_completion_function = complete;
    rl_completer_word_break_characters = " \t\n([=!<>&|+-*,^";
    rl_event_hook = on_readline_interrupt;
    rl_signal_event_hook = on_readline_interrupt;
    rl_catch_signals = 1;
    using_history();
    stifle_history(HISTORY);
    if (path[0])
        read_history(path);
    bool go_on = true;
    while (go_on && (line = readline(PROMPT)) != NULL) {
        const char *what = line[strspn(line, " \t")] ? line : d->repeat && !line_given_up
            ? d->repeat : "";
        line_given_up = false;
        if (what == line) {
            add_history(line);
            remember(d, line);
        }
        char *copy = strdup(what);
        go_on = copy && run_line(d, copy);
        free(copy);
        free(line);
    }
    if (go_on)
        putchar('\n');
    if (path[0])
        write_history(path);
}

/* ---- a machine, or a trace ---- */

/* A recorded trace instead of a guest: the same console, without a machine. */
static bool open_trace(struct debug *d)
{
    char why[300];
    d->store = store_open(d->o.guest.path, why, sizeof why);
    if (!d->store) {
        host_say("cannot read trace %s: %s", d->o.guest.path, why);
        return false;
    }
    if (!names_open_trace(&d->names, d->o.symbols, d->store, d->o.guest.path))
        return false;
    d->info = debuginfo_open(names_debuginfo(&d->names));
    store_set_symbols(d->store, d->names.symbols);
    return true;
}

/* The guest in its own process, before its first instruction.  Time is paced (a halted
 * guest really sleeps) if somebody sits at the terminal.  False after the user was told. */
static bool start_machine(struct debug *d)
{
    char why[400], info[OPTIONS_TRACE_INFO];
    const struct run_options *o = &d->o;
    if (!names_open(&d->names, o->symbols, o->guest.path))
        return false;
    d->info = debuginfo_open(names_debuginfo(&d->names));
    options_trace_info(o, info);
    struct link_options l = {
        .machine = o->machine, .guest = o->guest,
        .kinds = o->kinds | (o->insns ? TRACE_INSN_KINDS : 0),
        .trace_path = o->trace_path, .trace_info = info, .paced = isatty(STDIN_FILENO) && !o->batch,
            .no_sandbox = o->no_sandbox,
        .symbols = d->names.symbols, .info = d->info,
    };
    d->link = link_start(&l, why, sizeof why);
    if (!d->link) {
        if (why[0])
            host_say("%s", why);
        return false;
    }
    store_set_symbols(link_store(d->link), d->names.symbols);
    return true;
}

/* --from: the machine as a snapshot has it.  The file is opened here and sent along, since
 * the other process may open none. */
static bool load_snapshot(struct debug *d)
{
    char why[300];
    int fd = open(d->o.from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int err = fd < 0 ? -errno : link_load(d->link, fd, why, sizeof why);
    if (err)
        host_say("%s: %s", d->o.from, fd < 0 ? strerror(errno) : why);
    if (fd >= 0)
        close(fd);
    return !err;
}

/* The console from its first command to its last: those of the command line, then those of
 * the user.  The exit status. */
static int session(struct debug *d)
{
    d->console = console_new(&(struct console_options){
        .link = d->link, .store = d->link ? link_store(d->link) : d->store,
        .symbols = d->names.symbols, .info = d->info, .json = d->o.json, .wait = wait_for_stop,
        .enough = has_enough, .wait_arg = d,
    });
    if (!d->console) {
        host_say("out of memory");
        return EXIT_CANNOT;
    }
    guard_terminal();
    if (d->o.symbols)
        console_check_symbols(d->console, d->o.symbols, stderr);
    if (run_commands(d) && !d->o.batch) {
        if (isatty(STDIN_FILENO))
            read_with_readline(d);
        else
            read_plainly(d);
    }
    console_free(d->console);
    free(d->repeat);
    return d->o.batch && d->failed ? 1 : 0;
}

/* ---- the command ---- */

static void help(void)
{
    fputs("usage: vitrine debug [options] GUEST\n"
          "       vitrine debug [options] FILE.trace\n"
          "       vitrine debug --commands\n"
          "\nThe console: run a guest, stop it anywhere, and look at everything; or look at a "
          "trace.\n"
          "The guest waits before its first instruction.  `help` lists the commands.\n", stdout);
    options_help(FOR_DEBUG, "  --commands           print the commands as a table, for the "
                 "documentation\n", stdout);
    fputs("\nexit status: 0; 1 with --batch, if a command failed; 2 bad usage; 125 the host or "
          "the guest's file\n"
          "\nexamples:\n"
          "  vitrine debug build/guests/paging.elf\n"
          "  vitrine debug --batch -ex 'break mark 2' -ex continue -ex 'info regs' "
          "build/guests/paging.elf\n"
          "  vitrine debug --batch --json -ex 'until port 0xf4' -ex 'walk rip' "
          "build/guests/tiny64.elf\n"
          "  vitrine debug -x setup.vt --trace t.trace build/guests/tiny32.elf\n"
          "  vitrine debug --batch -ex 'why 121' t.trace\n", stdout);
}

/* The word that names a guest may name a trace instead: the console is the same, without
 * the commands that need a machine. */
int cmd_debug(int argc, char **argv)
{
    struct debug d = { .link = NULL };
    bool done;
    int status = EXIT_CANNOT;
    if (argc == 2 && strcmp(argv[1], "--commands") == 0) {
        console_document(stdout);
        return 0;
    }
    int err = options_parse(FOR_DEBUG, argc, argv, &d.o, &done);
    if (done)
        help();
    if (err || done)
        return err;
    if (d.o.trace_path && strcmp(d.o.trace_path, "-") == 0) {
        host_say("--trace wants a file here; `log` prints events");
        return 2;
    }
    struct snapshot_head head;
    if (d.o.from && !options_from(&d.o, &head))
        return EXIT_CANNOT;
    if (is_trace(d.o.guest.path) ? open_trace(&d)
                                 : start_machine(&d) && (!d.o.from || load_snapshot(&d)))
        status = session(&d);
    link_end(d.link);
    if (d.store)
        store_close(d.store);
    debuginfo_close(d.info);
    names_close(&d.names);
    return status;
}
