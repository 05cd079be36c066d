/*
 * debugger/console/command.h -- the commands of the console: one table of name,
 * arguments, a line of help, an example and a handler.
 *
 * `vitrine debug` reads lines from a terminal or a script and runs them here;
 * the TUI's `:` prompt does the same.  Help, completion and the manual are made
 * from the table.
 *
 *     struct console *c = console_new(&(struct console_options){ .link = l, .store = link_store(l),
 *                                                                .symbols = symbols });
 *     console_run(c, "break main if rax > 3", stdout);
 *
 * Answers are text for people.  In JSON mode (options.json) they are objects, one on each
 * line, for programs:
 *
 *     print rax          {"value":2,"hex":"0x2","symbol":""}
 *     echo hello         {"command":"echo","text":"hello\n"}
 *     break foo          {"error":"'foo' is neither a register nor a symbol of the guest"}
 *
 * A command that sets the guest going (continue, stepi, ...) returns at once if `wait` is
 * NULL, and the caller learns of the stop by link_poll().  Otherwise it calls `wait` until
 * the guest has stopped, and then prints where and why.
 *
 * A console belongs to one thread, the one that owns the link.
 */
#ifndef DEBUGGER_CONSOLE_COMMAND_H
#define DEBUGGER_CONSOLE_COMMAND_H

#include <stdio.h>
#include "base/types.h"

struct console;
struct debuginfo;
struct link;
struct store;
struct symbols;

/* What a console works on, and how its owner waits. */
struct console_options {
    struct link   *link;            /* NULL: a recorded trace, nothing that runs   */
    struct store  *store;           /* the trace; never NULL                       */
    const struct symbols *symbols;  /* of the guest; may be NULL                   */
    struct debuginfo *info;         /* for types and source lines; may be NULL     */
    bool           json;            /* answers as JSON, one object a line          */

    /* Wait until the guest does not run any more, or console_held(): 0.  If the user presses
     * Ctrl-C it returns -EINTR, and the console then pauses the guest.  Meanwhile it should
     * show what the guest prints.  NULL: the console does not wait. */
    int          (*wait)(void *arg, struct link *l);
    /* Asked by commands that take long: has the user interrupted them?  NULL: never. */
    bool         (*enough)(void *arg);
    void          *wait_arg;        /* passed to both                              */
};

/* The options are copied, what they point to is not: it must outlive the console.  NULL:
 * out of memory. */
struct console *console_new(const struct console_options *o);
/* Frees the symbols that symbol-file has loaded, and lets go of the monitor if it is
 * followed.  c may be NULL. */
void console_free(struct console *c);

/* Is the code of this ELF file, whose symbols the console uses, what lies in the guest's memory?
 * If it is another build's, print a sentence that says so, and return false.  Anything that is no
 * ELF file, or code that is not there yet, is no difference. */
bool console_check_symbols(struct console *c, const char *path, FILE *out);

enum console_result {
    CONSOLE_OK,
    CONSOLE_ERROR,                  /* one sentence that says what is wrong was printed */
    CONSOLE_QUIT,
};

/* Run one line: a command, an empty line, or a comment that begins with #. Answers and
 * complaints are printed to `out`. In JSON mode each answer is one or more lines, each an
 * object, and a complaint is {"error":"..."}. */
enum console_result console_run(struct console *c, const char *line, FILE *out);

/* Does the monitor stand in a handler, stopped there by `monitor follow on`? Whoever waits
 * for the guest need not wait any longer: the guest cannot move until the user lets the
 * monitor go on. */
bool console_held(struct console *c);

/* What could stand where `line` ends.  The result is a sorted, NULL-terminated list of
 * words, each of which begins with the last word of `line`; *start is where that word
 * begins.  The caller frees the list and each string in it; NULL: out of memory. */
char **console_complete(struct console *c, const char *line, size_t *start);

/* Print all commands as Markdown tables: doc/debugger.md. */
void console_document(FILE *out);

#endif
