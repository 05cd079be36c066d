/*
 * cmd/main.c -- the command line: a table of subcommands.
 *
 *     vitrine COMMAND ARGUMENT ...
 *
 * main() looks for COMMAND in the table and hands the rest on, so that a subcommand sees its
 * own name in argv[0].  Begin here if you want to follow a run from its first line: `run` is
 * cmd_run() in run.c, which leads to session.c.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/host.h"
#include "base/likeness.h"
#include "base/types.h"
#include "cmd/cmd.h"

#define VERSION "0.1"
#define EXIT_USAGE 2

/* In the order of `vitrine help`. */
static const struct command commands[] = {
    { "run",     cmd_run,     "[options] GUEST", "run a guest" },
    { "replay",  cmd_replay,  "[options] RECORDING",
      "a session that was recorded with run --record, again" },
    { "compare", cmd_compare, "A B [options] GUEST",
      "two engines in lockstep: where do they differ?" },
    { "debug",   cmd_debug,   "[options] GUEST | FILE.trace",
      "stop it, step it, look at it: the console" },
    { "gdb",     cmd_gdb,     "[options] GUEST [-- ARG ...]",
      "gdb on a guest, and on the monitor that answers it" },
    { "engines", cmd_engines, "",                "what each engine can do on this host" },
    { "doctor",  cmd_doctor,  "",                "is everything here, and what to type if not" },
    { "stat",    cmd_stat,    "FILE.trace | [options] GUEST",
      "count exits by reason, port and place" },
    { "trace",   cmd_trace,   "FILE.trace",      "print, filter and explain a trace" },
    { "report",  cmd_report,  "FILE.trace -o OUT.html", "a trace as one web page" },
    { "lab",     cmd_lab,     "VERB N [FILE]",   "the course's assignments: begin, check, grade" },
    { "exercise", cmd_exercise, "N [-s SEED] [-c]",
      "short problems with computed answers" },
    { "tui",     cmd_tui,     "[options] GUEST | FILE.trace",
      "watch a guest, or a trace, on the terminal" },
};

static void help(FILE *out)
{
    fprintf(out, "vitrine -- a hypervisor behind glass\n\nusage: vitrine COMMAND ...\n\n");
    for (size_t i = 0; i < NELEM(commands); i++)
        fprintf(out, "  %-9s %-30s %s\n", commands[i].name, commands[i].synopsis,
                commands[i].about);
    fprintf(out, "\n`vitrine COMMAND --help` tells the options and gives examples.\n"
                 "Start with:  vitrine run --trace - build/guests/hello.elf\n");
}

/* argv[0] is the command's name. */
static int run_command(int argc, char **argv)
{
    for (size_t i = 0; i < NELEM(commands); i++)
        if (strcmp(argv[0], commands[i].name) == 0)
            return commands[i].run(argc, argv);
    struct likeness l = { .word = argv[0], .len = strlen(argv[0]) };
    for (size_t i = 0; i < NELEM(commands); i++)
        likeness_try(&l, commands[i].name);
    if (l.best)
        host_say("there is no command '%s'; did you mean `vitrine %s`?", argv[0], l.best);
    else
        host_say("there is no command '%s'; `vitrine help` lists them", argv[0]);
    return EXIT_USAGE;
}

/* A shell can start a program without standard output (`vitrine run ... >&-`).  The next file that
 * is opened then gets number 1, be it the guest's memory or its recording, and what the guest
 * prints is written over it.  So whatever is missing of 0, 1 and 2 is /dev/null, for reading only:
 * who writes there gets an error, as before. */
static void fill_standard_files(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* `vitrine help X` is `vitrine X --help`. Without a command the help goes to stderr,
 * because that was a mistake. */
int main(int argc, char **argv)
{
    fill_standard_files();
    if (argc < 2) {
        help(stderr);
        return EXIT_USAGE;
    }
    if (argc > 2 && !strcmp(argv[1], "help")) {
        char *ask[] = { argv[2], (char[]){ "--help" }, NULL };
        return run_command(2, ask);
    }
    if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        help(stdout);
        return 0;
    }
    if (!strcmp(argv[1], "--version")) {
        puts("vitrine " VERSION);
        return 0;
    }
    return run_command(argc - 1, argv + 1);
}
