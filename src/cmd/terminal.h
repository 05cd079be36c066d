/*
 * cmd/terminal.h -- the user's terminal as the far end of the guest's serial line.
 *
 * On a terminal: keys go to the guest one by one; Ctrl-A is the escape
 * (Ctrl-A h lists what follows it); Ctrl-C stays ours and ends the run.  The
 * terminal is put back on every way out, a signal included.
 * On a pipe or file: its bytes are the guest's input, as fast as the guest
 * takes them and no faster, so that a run stays a function of its input.
 */
#ifndef CMD_TERMINAL_H
#define CMD_TERMINAL_H

#include "base/types.h"

struct host_io;
struct link;
struct terminal;

struct terminal *terminal_open(void);               /* NULL: out of memory */
void terminal_close(struct terminal *t);            /* t may be NULL       */

/* Input goes to this machine: its serial port, or its keyboard. */
void terminal_attach(struct terminal *t, struct host_io *io, bool keyboard);

/* Or to one in another process.  Ctrl-A x then sends SIGINT to our own. */
void terminal_attach_link(struct terminal *t, struct link *l, bool keyboard);
bool terminal_wants_input(const struct terminal *t);
/* something waits for the guest to take it */
bool terminal_has_input(const struct terminal *t);
bool terminal_is_interactive(const struct terminal *t);

/* For struct host_ops.  poll: read what was typed and give it to the guest; feed: give it what
 * was read before; idle: the guest is halted, wait for ns at most and do the same. */
void     terminal_poll(void *terminal);
void     terminal_feed(struct terminal *t);
uint64_t terminal_idle(void *terminal, uint64_t ns);

/* A byte of guest output, for struct char_sink. */
void terminal_put(void *terminal, uint8_t byte);

/* Print whole lines with this prefix instead of single bytes (NULL: bytes). */
void terminal_set_prefix(struct terminal *t, const char *prefix);
void terminal_flush(struct terminal *t);

/* Let go of what was printed.  If nobody can take it (a full disk, a reader that
 * has gone) the run ends. */
void terminal_send(struct terminal *t);

#endif
