/*
 * lab/crash_note.c -- from a crashed process's note to a function and a line.
 *
 * The crash itself is often in a function of the C library that was called with a bad argument.
 * The line to be looked at is the student's, so the stack is searched for the first word that is a
 * return address into the student's file.  There may be an old one that a function has left in a
 * variable it never set; a wrong line now and then is the price for needing no unwinder.
 */
#include "lab/crash_note.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "debugger/symbols/symbols.h"

_Static_assert(CRASH_NOTE_ASKED == SIGALRM, "the number of SIGALRM");
_Static_assert(sizeof CRASH_NOTE_MAGIC <= sizeof(((struct crash_note *)NULL)->magic), "it fits");

bool crash_note_take(char *bytes, size_t n, struct crash_place *place)
{
    size_t most = sizeof place->note + sizeof place->word;
    size_t first = n > most ? n - most : 0;
    for (size_t at = n; at-- > first; ) {
        if (n - at < sizeof place->note ||
            memcmp(bytes + at, CRASH_NOTE_MAGIC, sizeof CRASH_NOTE_MAGIC))
            continue;
        memset(place, 0, sizeof *place);
        memcpy(&place->note, bytes + at, sizeof place->note);
        size_t words = (n - at - sizeof place->note) / sizeof place->word[0];
        if (place->note.n_words > words)
            place->note.n_words = words;
        memcpy(place->word, bytes + at + sizeof place->note,
               place->note.n_words * sizeof place->word[0]);
        bytes[at] = 0;
        return true;
    }
    return false;
}

/* The line of the code at addr as "pic.c:57" into text (n bytes).  Is it in the student's file? */
static bool students_line(const struct symbols *s, uint64_t addr, const char *source, char *text,
                          size_t n)
{
    char line[200];
    const char *slash = source ? strrchr(source, '/') : NULL;
    const char *name = slash ? slash + 1 : source;
    size_t len = name ? strlen(name) : 0;
    const char *file = strrchr(symbols_line(s, addr, line, sizeof line), '/');
    file = file ? file + 1 : line;
    snprintf(text, n, "%s", file);
    return len && strncmp(file, name, len) == 0 && file[len] == ':';
}

/* Of the first return address into the student's file: who called, and the line. */
static bool find_caller(const struct crash_place *place, const struct symbols *s,
                        const char *source, char *text, size_t n)
{
    char line[200];
    for (uint64_t i = 0; i < place->note.n_words; i++) {
        uint64_t back = place->word[i], offset;
        /* It is behind a call, which may be a function's last instruction.  In front of where a
         * function begins, as a pointer to one does, there mostly is padding, which is in none. */
        const char *caller = symbols_find(s, back - 1, &offset);
        if (caller && students_line(s, back - 1, source, line, sizeof line)) {
            snprintf(text, n, "%.80s(), %s", caller, line);
            return true;
        }
    }
    return false;
}

/* The C library's inner functions say nothing to a student. */
static bool is_inner(const char *function)
{
    return function[0] == '_' || strchr(function, '.');
}

void crash_note_where(const struct crash_place *place, const char *program, const char *source,
                      char *text, size_t n)
{
    char why[200], line[200], caller[300];
    uint64_t offset;
    struct symbols *s = symbols_open(program, why, sizeof why);
    const char *crashed = symbols_find(s, place->note.rip, &offset);
    text[0] = 0;
    if (crashed && students_line(s, place->note.rip, source, line, sizeof line))
        snprintf(text, n, "in %.80s(), %s", crashed, line);
    else if (!find_caller(place, s, source, caller, sizeof caller))
        snprintf(text, n, crashed ? "in %.80s()" : "", crashed);
    else if (crashed && !is_inner(crashed))
        snprintf(text, n, "in %.80s(), called by %s", crashed, caller);
    else
        snprintf(text, n, "in what was called by %s", caller);
    symbols_close(s);
}
