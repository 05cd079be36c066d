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
 * A command that sets the guest going (continue, stepi, ...) returns at once if
 * `wait` is NULL, and the caller learns of the stop by link_poll(); else it
 * calls wait until the guest has stopped and then tells why.
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

struct console_options {
    struct link   *link;            /* NULL: a trace, and nothing to run           */
    struct store  *store;           /* the trace; never NULL                       */
    const struct symbols *symbols;  /* of the guest; may be NULL                   */
    struct debuginfo *info;         /* for types and source lines; may be NULL     */
    bool           json;            /* answers as JSON, one object a line          */

    /* Wait until the link is not running any more, console_held(), or the user has had enough:
     * 0, or -EINTR (the guest is then paused).  What the guest prints meanwhile
     * is the function's business.  NULL: do not wait. */
    int          (*wait)(void *arg, struct link *l);
    /* Asked by commands that take long: has the user had enough?  NULL: never. */
    bool         (*enough)(void *arg);
    void          *wait_arg;        /* of both                                     */
};

/* The options are copied; what they point to is not.  NULL: out of memory. */
struct console *console_new(const struct console_options *o);
void console_free(struct console *c);

enum console_result {
    CONSOLE_OK,
    CONSOLE_ERROR,                  /* one sentence that says what is wrong was printed */
    CONSOLE_QUIT,
};

/* Run one line: a command, empty, or a # comment.  Answers and complaints go to out. */
enum console_result console_run(struct console *c, const char *line, FILE *out);

/* The guest runs, and the monitor stands in a handler, for it is followed (`monitor
 * follow on`): whoever waits for the guest waits no longer. */
bool console_held(struct console *c);

/* What could stand where `line` ends: the words, each beginning with the last
 * word of line (at *start), sorted; NULL-terminated, to be freed with its strings. */
char **console_complete(struct console *c, const char *line, size_t *start);

/* Commands as a table for doc/debugger.md. */
void console_document(FILE *out);

#endif
