/*
 * tiny/tiny.h -- a kernel of some hundred lines; begin reading in kernel.c.
 */
#ifndef TINY_H
#define TINY_H

#include "lib/guest.h"
#include "lib/desc.h"
#include "lib/page.h"

/*      nr  name    arguments        what it does                                 */
#define SYSCALL_LIST(X)                                                                \
    X(0,    exit,   "status",        "end this process")                               \
    X(1,    write,  "text, bytes",   "to the serial line")                             \
    X(2,    read,   "",              "one byte of the serial line; waits for it")      \
    X(3,    spawn,  "program, arg",  "a new process; its number, or -1")               \
    X(4,    wait,   "pid",           "for a process to end; its exit status")          \
    X(5,    ps,     "",              "print the table of processes")                   \
    X(6,    ticks,  "",              "timer ticks since boot")                         \
    X(7,    mem,    "",              "free pages")                                     \
    X(8,    halt,   "status",        "end the machine: 0-255 exit port, else power-off") \
    X(9,    faults, "",              "pages this process got on demand")               \
    X(10,   script, "buf, bytes",    "the commands after run= on the command line")

enum {
#define X(nr, name, args, what) SYS_##name = nr,
    SYSCALL_LIST(X)
#undef X
    N_SYSCALLS
};

/* Every process sees its own pages from here on: the stack at the top, and
 * below it an area that is filled with zeroed pages when touched. */
#define USER_BASE  0x40000000ul
#define USER_PAGES 64ul
#define USER_TOP   (USER_BASE + USER_PAGES * PAGE_SIZE)
#define POWER_OFF  256

/* The programs, by number for spawn: user.c. */
#define PROGRAM_LIST(X)                                                                \
    X(shell,  "reads commands")                                                        \
    X(primes, "counts the primes below N, in memory that appears when touched")        \
    X(touch,  "touches N pages: one fault each")                                       \
    X(spin,   "computes for N timer ticks")                   \
    X(crash,  "reads address 0 and is killed")                                         \
    X(snoop,  "reads the kernel's memory (0x90000) and is killed")

enum {
#define X(name, what) PROG_##name,
    PROGRAM_LIST(X)
#undef X
    N_PROGRAMS
};
typedef long program_fn(ulong arg);     /* what it returns is its exit status */
extern program_fn *const programs[N_PROGRAMS];
extern const char *const program_names[N_PROGRAMS];

#endif
