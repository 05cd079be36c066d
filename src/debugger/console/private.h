/*
 * debugger/console/private.h -- what the files of the console share.
 *
 * A command is a row in a table and a handler.  The handler prints its answer to c->out and
 * returns CONSOLE_OK, or what fail() returns.  In JSON mode a handler whose row says `json`
 * prints objects itself; the text that any other handler prints becomes one object,
 * {"command":"...","text":"..."}.
 *
 *     a line    console_run()       command.c
 *     a row     row_find()          command_rows[]; `info` looks again in info_rows[], ...
 *     a call    run_row()           checks `live`, wraps text for JSON
 *     an answer the handler         run.c, back.c, break.c, look.c, ...
 *
 * Begin reading with console_run() in command.c.
 */
#ifndef DEBUGGER_CONSOLE_PRIVATE_H
#define DEBUGGER_CONSOLE_PRIVATE_H

#include "cpu/state.h"
#include "debugger/console/command.h"
#include "debugger/link/link.h"
#include "debugger/symbols/expr.h"
#include "debugger/symbols/frame.h"
#include "debugger/symbols/line_table.h"
#include "debugger/trace/store.h"

typedef enum console_result command_fn(struct console *c, const char *args);

/* What can stand behind a command's name: what the Tab key offers there. */
enum completes {
    WITH_NOTHING,
    WITH_EXPR,                          /* symbols, variables, registers            */
    WITH_BREAK,                         /* kinds of breakpoints, symbols, registers */
    WITH_INFO,                          /* what `info` knows, parts of the PC       */
    WITH_COMMAND,                       /* another command                          */
    WITH_FILE,                          /* a file: nothing is offered               */
    WITH_FIELD,                         /* fields and kinds of events, symbols      */
    WITH_MONITOR,                       /* what `monitor` knows                     */
};

/* One command, in the four tables below. */
struct command_row {
    const char *name, *alias;           /* alias may be NULL                        */
    const char *args, *help, *example;  /* as `help` prints them; args may be NULL  */
    command_fn *run;
    bool        live;                   /* it needs a machine, not only a trace     */
    bool        json;                   /* in JSON mode it prints objects itself    */
    enum completes completes;
};

/* An expression that is shown at each stop, with its format: "/x rax" (display.c). */
#define MAX_DISPLAYS 32
struct display { unsigned nr; char text[200]; };

struct console {
    struct console_options o;
    FILE       *out;
    struct cpu_state cpu;               /* as of the command's beginning            */

    /* Where commands go on that are given again without arguments. */
    uint64_t    last_value;             /* of $ in expressions: what print printed  */
    gla_t       next_x;                 /* of x                                     */
    char        list_file[200];         /* of list                                  */
    int         list_line;              /* 0: around the line of the selected frame */
    unsigned    sourced;                /* how deep `source` is nested              */

    struct display display[MAX_DISPLAYS];
    unsigned    n_displays, last_display;       /* how many; the newest one's number   */

    /* The frame whose variables expressions see; level 0: the innermost. */
    struct frame frame;
    uint64_t    frame_ip, frame_sp;     /* of the CPU when the frame was selected   */

    /* What symbol-file has loaded, to be freed; NULL: nothing. */
    struct symbols *own_symbols;
    struct debuginfo *own_info;
    struct orc *own_orc;                /* of `symbol-file kernel`                  */

    struct stepper *stepper;            /* traces the monitor (`monitor follow on`) */

    /* The breakpoint that a command is making: the handler of its kind fills it in. */
    struct link_break making;
    bool        quiet;                  /* do not report it: another command needs it */
};

extern const struct command_row command_rows[], info_rows[], break_rows[], monitor_rows[];
extern const size_t n_command_rows, n_info_rows, n_break_rows, n_monitor_rows;

/* The row whose name or alias is exactly the first len characters of `name`; else the only
 * row whose name begins so.  NULL if there is none, or, with *ambiguous, if there are
 * several. */
const struct command_row *row_find(const struct command_row *rows, size_t n, const char *name,
                                   size_t len, bool *ambiguous);
/* Run a row's handler: complain if it needs a machine and there is none, and in JSON mode
 * wrap the text of a handler that does not print JSON itself. */
enum console_result run_row(struct console *c, const struct command_row *r, const char *args);

/* Print what is wrong, as one sentence without a full stop, and return CONSOLE_ERROR. */
enum console_result fail(struct console *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for an error of the link (link.h); `what` is what could not be done. */
enum console_result fail_link(struct console *c, int err, const char *what);

/* Print text as a JSON string, quoted and escaped.  [RFC 8259 "Strings"] */
void json_string(FILE *out, const char *text);

/* ---- arguments ---- */

/* What "/8xg" says: how many, in which letter's format, of how many bytes each. */
struct format { uint64_t count; char letter; unsigned size; };

/* Parse "/8xg ADDRESS" into *f and move *args behind it.  What the user leaves out keeps the
 * value that *f had.  false after fail(). */
bool parse_format(struct console *c, const char **args, struct format *f);

/* Print a number of `size` bytes by a format's letter. */
void put_number(struct console *c, uint64_t v, char letter, unsigned size);

/* Words are separated by white space. */
const char *skip_blanks(const char *s);
size_t word_length(const char *s);                      /* of the first word of s */
bool word_is(const char *s, const char *word);          /* is that the first word of s? */

/* An address at *args: an expression, or FILE:LINE, or :LINE in the file where the selected
 * frame is.  Then *args points behind it.  false after fail(). */
bool arg_address(struct console *c, const char **args, uint64_t *value);

/* An expression at *args, which is moved behind it, the blanks and one comma.  false after
 * fail(). */
bool arg_value(struct console *c, const char **args, uint64_t *value);

/* The same of an address in memory, which may be written as segment and offset: 07c0:0009. */
bool arg_memory(struct console *c, const char **args, uint64_t *value);

/* The only argument, a count; `none` is taken if there is no argument.  false after fail(). */
bool arg_count(struct console *c, const char *args, uint64_t none, uint64_t *n);

/* Complain if there is an argument left. */
enum console_result nothing_more(struct console *c, const char *args);

/* ---- the machine, also when it is only a trace ---- */

/* What expressions are evaluated over: the machine, its symbols and the selected frame.
 * Over a mere trace there are no registers and no memory, but constants and symbols. */
struct expr_machine console_machine(struct console *c);

/* An address with the symbol it lies in, "0x1000 <main+2>", in buf, which is returned. */
char *address_text(struct console *c, uint64_t at, char *buf, size_t n);

/* The same of code in the segment that CS holds: where places are said as CS:IP it is
 * "07c0:0009 (0x7c09 <main+0x2>)". */
char *code_text(struct console *c, uint64_t at, char *buf, size_t n);

/* How the trace's events are printed. */
const struct trace_text *console_text(struct console *c);

/* Print where the machine stands and why; for use after it stopped. */
void tell_where(struct console *c);

/* Send the guest running and, if the console waits, wait until it has stopped.  CONSOLE_OK
 * says no more than that; link_stopped() says why it stopped. */
enum console_result run_quietly(struct console *c, enum link_run how, uint64_t n);
enum console_result run_range(struct console *c, gla_t lo, gla_t hi);

/* The second half of that: err is what setting it going has given. */
enum console_result wait_until_stopped(struct console *c, int err);

/* Print in which handler of the monitor, and at which line, it stands. */
void tell_monitor(struct console *c);

/* The selected frame, or the innermost; false: not known, as without debug information. */
bool console_frame(struct console *c, struct frame *f);
bool console_caller(struct console *c, const struct frame *f, struct frame *caller);
/* The source file and line of an address; false: not known. */
bool place_of(struct console *c, uint64_t at, struct source_place *p);

/* The path without the current directory in front; it points into `file`. */
const char *short_path(const char *file);

/* ---- handlers, by file ---- */

/* command.c */
command_fn cmd_info;

/* help.c */
command_fn cmd_help;

/* run.c */
command_fn cmd_continue, cmd_stepi, cmd_nexti, cmd_step_exit, cmd_finish, cmd_until, cmd_pause,
           cmd_step_irqs, cmd_follow, cmd_kill, cmd_type, cmd_key;

/* back.c */
command_fn cmd_reverse_stepi, cmd_reverse_nexti, cmd_reverse_step, cmd_reverse_next,
           cmd_reverse_continue, cmd_reverse_finish, cmd_back, cmd_save, cmd_load,
           info_checkpoints;

/* break.c */
command_fn cmd_break, cmd_tbreak, cmd_delete, cmd_enable, cmd_disable, cmd_condition, cmd_ignore,
           cmd_watch, cmd_rwatch, cmd_awatch, info_breakpoints;
command_fn watch_writes;

/* value.c */
command_fn cmd_print, cmd_ptype, cmd_whatis, cmd_set;

/* frame.c */
command_fn cmd_backtrace, cmd_frame, cmd_up, cmd_down, info_locals, info_args, info_frame;

/* symbols.c, monitor.c, source.c */
command_fn cmd_symbol_file, cmd_save_symbols;
command_fn cmd_monitor;
command_fn cmd_step, cmd_next, cmd_list, info_line, info_source;

/* look.c, walk.c, registers.c, memory.c */
command_fn cmd_x, cmd_xp, cmd_disassemble, cmd_walk, cmd_references, cmd_find, info_symbol;
command_fn info_registers, info_segments;
command_fn info_mmu, info_mem;

/* display.c; show_displays() is called when the guest has stopped. */
command_fn cmd_display, cmd_undisplay, info_display;
void show_displays(struct console *c);

/* info.c, idt.c; info_device() looks for a part of the PC by name: *known says whether there
 * is one. */
command_fn info_idt, info_gdt, info_tss, info_devices, info_exits, info_status, info_monitor,
           info_screen, info_disk, info_symbols, info_port, cmd_screenshot;
enum console_result info_device(struct console *c, const char *name, size_t len, bool *known);

/* trace.c */
command_fn cmd_log, cmd_why, cmd_count, cmd_histogram;
command_fn info_trace, info_marks, info_crash;

#endif
