/*
 * cmd/terminal.h -- the user's terminal as the far end of the guest's serial line.
 *
 * On a terminal: keys go to the guest one by one; Ctrl-A is the escape
 * (Ctrl-A h lists what follows it); Ctrl-C stays ours and ends the run.  The
 * terminal is put back on every way out, a signal included.
 * On a pipe or file: its bytes are the guest's input, as fast as the guest
 * takes them and no faster, so that a run stays a function of its input.
 *
 * All of it is used from the thread that runs the loop; only the signal handlers, which put
 * the terminal back, may come at any time.
 */
#ifndef CMD_TERMINAL_H
#define CMD_TERMINAL_H

#include "base/types.h"

struct host_io;
struct link;
struct terminal;

/* If standard input is a terminal, put it into raw mode, and arrange that it is put back
 * however the process ends.  There can be one at a time.  NULL: out of memory. */
struct terminal *terminal_open(void);
/* Print what is left, put the terminal back, free t (which may be NULL). */
void terminal_close(struct terminal *t);

/* Input goes to this machine of this process: to its PS/2 keyboard, or else to its serial
 * port.  `io` stays the caller's. */
void terminal_attach(struct terminal *t, struct host_io *io, bool keyboard);

/* Or to one in another process.  Ctrl-A x then sends SIGINT to our own. */
void terminal_attach_link(struct terminal *t, struct link *l, bool keyboard);
/* Is there room for what the user types, and can more come?  Else there is no use in
 * waiting for the keyboard. */
bool terminal_wants_input(const struct terminal *t);
/* Was something read that the guest has no room for yet? */
bool terminal_has_input(const struct terminal *t);
/* Has standard input ended, and has the guest had all of it? */
bool terminal_input_ended(const struct terminal *t);
/* Has the guest printed anything? */
bool terminal_has_printed(const struct terminal *t);
/* Is standard input a terminal, with somebody who watches? */
bool terminal_is_interactive(const struct terminal *t);

/* For struct host_ops.
 *   poll  read what was typed, without waiting, and give it to the guest
 *   feed  give the guest what was read before: its device has room again
 *   idle  the guest is halted and its next timer is due in ns (VCLOCK_NEVER: it has none): wait
 *         for that or for input.  Returns how many ns of virtual time have passed. */
void     terminal_poll(void *terminal);
void     terminal_feed(struct terminal *t);
uint64_t terminal_idle(void *terminal, uint64_t ns);

/* A byte of guest output, for struct char_sink. */
void terminal_put(void *terminal, uint8_t byte);

/* Print whole lines with this prefix instead of single bytes (NULL: bytes). */
void terminal_set_prefix(struct terminal *t, const char *prefix);
/* Print the rest of a line, and see to it that the monitor's next words begin a line of
 * their own. */
void terminal_flush(struct terminal *t);

/* Let go of what was printed.  If nobody can take it (a full disk, a reader that
 * has gone) the run ends. */
void terminal_send(struct terminal *t);

#endif
