/*
 * lab/crash_note.h -- what a submission's process leaves behind when it crashes.
 *
 * A student's part dies in a process of its own, and that process alone knows where: the
 * instruction, and on its stack who had called.  So a handler in it (lab/common/last_note.c) writes
 * a note behind all that the part has printed, and the grader finds function and line by the
 * debugging information that it has of the submission.
 *
 * The note is as good as the process that wrote it.  A submission can write a false one: then it
 * is lied to about its own crash.  Nothing is judged by a note.
 */
#ifndef LAB_CRASH_NOTE_H
#define LAB_CRASH_NOTE_H

#include <stddef.h>

#include "base/types.h"

#define CRASH_NOTE_MAGIC "\n\1crash note\1\n"
#define CRASH_NOTE_WORDS 1024

/* The first bytes of a note; n_words words of the stack, from rsp on, follow. */
struct crash_note {
    char     magic[16];
    uint64_t signal;            /* CRASH_NOTE_ASKED: it runs, and was asked where         */
    uint64_t address;           /* that it could not use, of a bad address                */
    uint64_t rip, rsp;
    uint64_t stack_bytes;       /* how much of the stack was in use                       */
    uint64_t n_words;
};

/* The grader sends this signal to a process that should have ended long ago. */
#define CRASH_NOTE_ASKED 14     /* SIGALRM */

/* A note as the grader has it. */
struct crash_place {
    struct crash_note note;
    uint64_t word[CRASH_NOTE_WORDS];
};

/* Is a note at the end of these n bytes?  Then it is moved from there to *place, and a 0 is put
 * where it began.  Any bytes may be there. */
bool crash_note_take(char *bytes, size_t n, struct crash_place *place);

/* "in pic_read(), pic.c:57", or "in memcpy(), called by pic_read(), pic.c:57", into text (n bytes),
 * as the file `program` says by its symbols; `source` is the path of what the student wrote, or
 * NULL.  Empty: the program has no name for the place. */
void crash_note_where(const struct crash_place *place, const char *program, const char *source,
                      char *text, size_t n);

#endif
