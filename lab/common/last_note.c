/*
 * lab/common/last_note.c -- a submission that crashes says where (lab/crash_note.h), and loses nothing
 * of what it has printed.
 *
 * Every submission is linked with this, and nothing calls it: it begins by itself, before main() and
 * before what the student may have there, as some servers call the part before they serve.
 *
 * A signal can come at any instruction, so the handler calls nothing but write() and _exit(): a
 * printf() that was interrupted may hold a lock. [signal-safety(7)]  It has a stack of its own, as
 * a recursion without an end leaves none.  The words of the stack are given to write() where they
 * are: of memory that is not there the kernel takes nothing, where a copy would crash again.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "lab/crash_note.h"

#define MOST_PAGES 64               /* so far below the stack its pointer may be */

static uint64_t stack_top;          /* a little above the first frame */

static void write_note(int number, siginfo_t *info, void *context)
{
    const ucontext_t *c = context;
    const greg_t *reg = c->uc_mcontext.gregs;
    struct crash_note note = {
        .magic = CRASH_NOTE_MAGIC, .signal = (uint64_t)number,
        .address = (uint64_t)(uintptr_t)info->si_addr,
        .rip = (uint64_t)reg[REG_RIP], .rsp = (uint64_t)reg[REG_RSP],
    };
    uint64_t at = note.rsp;
    note.stack_bytes = stack_top - note.rsp;
    note.n_words = note.stack_bytes / 8 < CRASH_NOTE_WORDS ? note.stack_bytes / 8
                                                           : CRASH_NOTE_WORDS;
    bool written = write(STDOUT_FILENO, &note, sizeof note) == (ssize_t)sizeof note;
    for (unsigned page = 0; written && page < MOST_PAGES; page++) {
        if (write(STDOUT_FILENO, (const void *)(uintptr_t)at, 8 * note.n_words) >= 0)
            break;
        at = (at | 4095) + 1;           /* the stack was full: its last page is above */
    }
    if (number == CRASH_NOTE_ASKED)
        _exit(1);
    /* The signal's default is back (SA_RESETHAND): the same instruction ends the process now, and
     * the grader sees by which signal. */
    raise(number);
}

/* The C library hands a constructor what it hands main().  The arguments lie above all frames. */
__attribute__((constructor(101))) static void prepare(int argc, char **argv)
{
    (void)argc;
    static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP,
                                 CRASH_NOTE_ASKED };
    static char own_stack[16384];
    const stack_t stack = { .ss_sp = own_stack, .ss_size = sizeof own_stack };
    struct sigaction act = { .sa_sigaction = write_note,
                             .sa_flags = SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND };
    stack_top = (uint64_t)(uintptr_t)argv;
    setvbuf(stdout, NULL, _IONBF, 0);   /* what waits in a buffer is lost in a crash */
    sigaltstack(&stack, NULL);
    for (size_t i = 0; i < NELEM(fatal); i++)
        sigaction(fatal[i], &act, NULL);
}
