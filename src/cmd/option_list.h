/*
 * cmd/option_list.h -- every option of the commands that run a guest, a row for each.
 *
 * Only options.c includes it, and makes from it the numbers of the options, what
 * getopt_long() wants to know, and --help.  What an option does is in parse_one() there.
 * To add one: a row here, a case there, a field in struct run_options.
 */
#ifndef CMD_OPTION_LIST_H
#define CMD_OPTION_LIST_H

#include "cmd/options.h"

/* Which commands know an option: short names for the column "of" of the table.  LIVE are those
 * that choose an engine; `vitrine compare` names its two engines without options. */
#define RUN     FOR_RUN
#define COMPARE FOR_COMPARE
#define DEBUG   FOR_DEBUG
#define GDB     FOR_GDB
#define ANY     (FOR_RUN | FOR_COMPARE | FOR_DEBUG | FOR_TUI | FOR_GDB)
#define LIVE    (FOR_RUN | FOR_DEBUG | FOR_TUI | FOR_GDB)
#define REPLAY  FOR_REPLAY

/* key: OPT_key is its number.  argument: what --help calls it; NULL: the option takes none.
 *
 *     key          option          argument    of           help */
#define OPTION_LIST(X)                                                                           \
    /* the machine */                                                                            \
    X(CPU,         "cpu",          "ENGINE",   LIVE,                                             \
      "soft (default), kvm, or auto: kvm if it can do everything")                               \
    X(MMU,         "mmu",          "KIND",     LIVE,                                             \
      "nested (default) or shadow: who translates guest addresses")                              \
    X(MEM,         "mem",          "SIZE",     ANY,                                              \
      "guest RAM, for example 64M (default) or 1G")                                              \
    /* the guest */                                                                              \
    X(APPEND,      "append",       "TEXT",     ANY,         "kernel command line")               \
    X(INITRD,      "initrd",       "FILE",     ANY,                                              \
      "initial RAM disk or Multiboot modules")                                                   \
    X(FORMAT,      "format",       "NAME",     ANY,                                              \
      "do not guess: elf, multiboot, multiboot2, linux, linux64, boot[:0|0x80], "                \
      "flat[@ADDR][:16|32|64]")                                                                  \
    X(BIOS,        "bios",         "FILE",     ANY,                                              \
      "a BIOS image in the place of ours; GUEST is a disk image then, or nothing")               \
    X(DISK,        "disk",         "FILE",     ANY | REPLAY,                                     \
      "a disk image: hda, the next hdb, ...; writes stay in memory; FILE,ro: none are taken; "    \
      "FILE,write: they go into FILE")                                                          \
    /* what is logged and counted */                                                             \
    X(TRACE,       "trace",        "FILE",     LIVE | REPLAY,                                    \
      "log every event to FILE; `-` prints them as they happen")                                 \
    X(KINDS,       "trace-kinds",  "LIST",     LIVE | REPLAY,                                    \
      "of those only these kinds, for example EXIT,MARK")                                        \
    X(TRACE_INSNS, "trace-insns",  NULL,       LIVE | REPLAY,                                    \
      "and every instruction with the registers it changed (soft)")                              \
    X(LOG_FAULTS,  "log-faults",   NULL,       RUN,                                              \
      "print each exception with all registers, as QEMU's -d int does (soft)")                   \
    X(STAT,        "stat",         NULL,       RUN | REPLAY,                                     \
      "at the end, count exits by reason, port and place")                                       \
    X(TIMING,      "timing",       NULL,       LIVE,                                             \
      "measure host nanoseconds for every exit")                                                 \
    /* when to stop, what to exit for, what differs from run to run */                           \
    X(STRICT,      "strict",       NULL,       ANY,                                              \
      "stop at the first access to a device that is not there")                                  \
    X(INSNS,       "limit-insns",  "N",        ANY,                                              \
      "stop after N guest instructions (soft)")                                                  \
    X(EXITS,       "limit-exits",  "N",        ANY,         "stop after N exits")                \
    X(EXIT_ON,     "exit-on",      "LIST",     ANY,                                              \
      "exit for these too, for example cr3,pf; the names are below (soft)")                      \
    X(SEED,        "seed",         "N",        ANY,                                              \
      "RAM holds noise made of N at power-on; 0 (default): zeros")                               \
    X(RTC,         "rtc",          "TIME",     ANY,                                              \
      "clock at power-on: host, or seconds since 1970 (default 2000-01-01)")                     \
    X(HALT_STATUS, "halt-status",  "N",        LIVE,                                             \
      "exit status if the guest halts and nothing can wake it (default 0)")                      \
    /* serial line, screen, keyboard, a debugger on a socket */                                  \
    X(UART,        "uart",         "PACE",     ANY,                                              \
      "paced (default): a byte takes the time its divisor says; fast: sent at once, as QEMU")    \
    X(SCREEN,      "screen-dump",  "FILE",     RUN | REPLAY,                                     \
      "at the end, write the VGA text screen to FILE or `-`")                                    \
    X(KEYBOARD,    "keyboard",     NULL,       RUN | GDB,                                        \
      "type on the PS/2 keyboard instead of the serial line")                                    \
    X(GDB_AT,      "gdb",          "WHERE",    RUN,                                              \
      "wait for gdb or lldb at unix:PATH or tcp:PORT (127.0.0.1)")                               \
    X(GDB_ARCH,    "gdb-arch",     "NAME",     RUN | GDB,                                        \
      "describe the CPU to it as i8086, i386 or i386:x86-64 for ever")                           \
    X(GDB_CS_IP,   "gdb-cs-ip",    NULL,       RUN,                                              \
      "tell it the offset in CS as program counter, not the linear address")                     \
    X(MAGIC,       "magic-break",  NULL,       RUN | DEBUG | GDB,                                \
      "XCHG BX, BX in the guest stops it, as in Bochs (debuggers, soft)")                        \
    X(REBOOT,      "no-reboot",    NULL,       LIVE,                                             \
      "a guest that resets the machine ends the run")                                            \
    /* vitrine compare, and how much is said */                                                  \
    X(EVERY,       "every",        "N",        COMPARE,                                          \
      "compare at least every N instructions (default 10000)")                                   \
    X(SHADOW,      "check-shadow", NULL,       COMPARE,                                          \
      "verify the shadow tables at each comparison (slow)")                                      \
    X(QUIET,       "quiet",        NULL,       RUN | COMPARE | GDB | REPLAY,                     \
      "no last words about why the run ended")                                                   \
    /* the console: what it does first, and how it answers */                                    \
    X(EX,          "ex",           "COMMAND",  DEBUG,                                            \
      "run this command first; -ex does the same, as in gdb")                                    \
    X(SCRIPT,      "script",       "FILE",     DEBUG,                                            \
      "run the commands in FILE first; -x does the same")                                        \
    X(SYMBOLS,     "symbols",      "FILE",     DEBUG,                                            \
      "names by these symbols: an ELF or System.map, FILE@OFFSET if it was loaded elsewhere")    \
    X(BATCH,       "batch",        NULL,       DEBUG,                                            \
      "leave after these commands; status 1 if one failed")                                      \
    X(JSON,        "json",         NULL,       DEBUG,                                            \
      "answer in JSON, an object on each line")                                                  \
    /* rights, recordings, snapshots, help */                                                    \
    X(SANDBOX,     "no-sandbox",   NULL,       RUN | DEBUG | GDB | REPLAY,                       \
      "do not lock the monitor's process in")                                                    \
    X(RECORD,      "record",       "FILE",     RUN,                                              \
      "keep what comes from outside: `vitrine replay FILE` does it again (soft)")                \
    X(FROM,        "from",         "SNAPSHOT", RUN | DEBUG,                                      \
      "go on from what `save` of `vitrine debug` wrote; GUEST may be left out")                  \
    X(HELP,        "help",         NULL,       ANY | REPLAY, "this help")

#endif
