/*
 * cmd/run.c -- vitrine run: run a guest.
 *
 * Nothing is done here but to parse the options and to choose: without --gdb the machine runs
 * in this process (session.c), with it in another one (session_gdb.c).  The exit status is the
 * guest's if it chose one; see `examples` for the others.
 */
#include "cmd/cmd.h"
#include "cmd/session.h"
#include "vm/snapshot.h"

static const char examples[] =
    "\nexit status: what the guest wrote to port 0xf4; 0 power-off, or a final halt (if not\n"
    "  --halt-status); 2 bad usage; 120 triple fault; 121 --strict; 122 the engine cannot go on;\n"
    "  124 a limit; 125 the host or the guest's file; 130, 143 interrupted\n"
    "\non a terminal: Ctrl-C ends the run, Ctrl-A h tells the other keys\n"
    "\nexamples:\n"
    "  vitrine run --trace - build/guests/hello.elf       every exit as it happens\n"
    "  vitrine run --trace t.trace build/guests/timer.elf; vitrine trace t.trace\n"
    "  vitrine run --mmu shadow --stat build/guests/ptchurn32.elf\n"
    "  vitrine run --append 'run=primes; ps; exit 3' build/guests/tiny32.elf\n"
    "  vitrine run --gdb unix:/tmp/v build/guests/longmode.elf     "
    "then gdb -ex 'target remote /tmp/v'\n"
    "  vitrine run --record s.vrec build/guests/tiny32.elf; vitrine replay s.vrec\n"
    "  vitrine run --mem 32M --append console=ttyS0,115200 /boot/memtest86+x64.bin\n";

static void help(void)
{
    fputs("usage: vitrine run [options] GUEST\n\n"
          "Runs a guest: an ELF, Multiboot or Linux kernel, or a boot sector; with --disk and no\n"
          "GUEST what is on the disk.\n", stdout);
    options_help(FOR_RUN, "", stdout);
    fputs(examples, stdout);
}

/* `head` lives as long as `o`, whose strings point into it. */
int cmd_run(int argc, char **argv)
{
    struct run_options o;
    bool done;
    int err = options_parse(FOR_RUN, argc, argv, &o, &done);
    if (done)
        help();
    if (err || done)
        return err;
    struct snapshot_head head;
    if (o.from && !options_from(&o, &head))
        return 125;
    return o.gdb ? session_run_gdb(&o) : session_run(&o);
}
