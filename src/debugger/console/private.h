/*
 * debugger/console/private.h -- what the files of the console share.
 *
 * A command is a row and a handler.  The handler prints its answer to c->out
 * and returns CONSOLE_OK, or what fail() returns.  In JSON mode a row with
 * `json` prints objects itself; of any other the text becomes one object.
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

enum completes {
    WITH_NOTHING, WITH_EXPR, WITH_BREAK, WITH_INFO, WITH_COMMAND, WITH_FILE, WITH_FIELD,
        WITH_MONITOR
};

struct command_row {
    const char *name, *alias;           /* alias may be NULL                        */
    const char *args, *help, *example;
    command_fn *run;
    bool        live;                   /* needs a machine, not only a trace        */
    bool        json;                   /* prints JSON itself                       */
    enum completes completes;
};

struct console {
    struct console_options o;
    FILE       *out;
    struct cpu_state cpu;               /* as of the command's beginning            */
    uint64_t    last_value;             /* $ : what print said last                 */
    gla_t       next_x;                 /* where x and disassemble go on            */
    unsigned    sourced;                /* source within source                     */
    struct frame frame;                 /* selected; level 0: the innermost         */
    uint64_t    frame_ip, frame_sp;     /* the CPU's as it was selected             */
    struct symbols *own_symbols;        /* of symbol-file; NULL: none               */
    struct debuginfo *own_info;
    struct orc *own_orc;                /* of symbol-file kernel; NULL: none        */
    struct stepper *stepper;            /* the monitor, followed; NULL: not         */
    char        list_file[200];         /* where list goes on                       */
    int         list_line;              /* 0: around the frame's line               */
    struct link_break making;           /* by the handler of a kind of breakpoint   */
    bool        quiet;                  /* ... which is not the user's affair       */
};

extern const struct command_row command_rows[], info_rows[], break_rows[], monitor_rows[];
extern const size_t n_command_rows, n_info_rows, n_break_rows, n_monitor_rows;

/* The row called that: exactly, by alias, or as the only one that begins so. */
const struct command_row *row_find(const struct command_row *rows, size_t n, const char *name,
                                   size_t len,
                                   bool *ambiguous);
enum console_result run_row(struct console *c, const struct command_row *r, const char *args);

/* Says what is wrong, in one sentence without a full stop. */
enum console_result fail(struct console *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
enum console_result fail_link(struct console *c, int err, const char *what);

/* JSON text: quoted and escaped. */
void json_string(FILE *out, const char *text);

/* ---- arguments ---- */

/* "/8xg ADDRESS": behind it is *args.  Letters left out stay as they are; false after fail(). */
struct format { uint64_t count; char letter; unsigned size; };
bool parse_format(struct console *c, const char **args, struct format *f);
void put_number(struct console *c, uint64_t v, char letter, unsigned size);

const char *skip_blanks(const char *s);
size_t word_length(const char *s);
bool word_is(const char *s, const char *word);         /* the first word of s */

/* An address: an expression, or FILE:LINE, or :LINE in the file we are in. */
bool arg_address(struct console *c, const char **args, uint64_t *value);

/* An expression at *args, which moves behind it and the blanks; false after fail(). */
bool arg_value(struct console *c, const char **args, uint64_t *value);
/* one number or nothing */
bool arg_count(struct console *c, const char *args, uint64_t none, uint64_t *n);
enum console_result nothing_more(struct console *c, const char *args);

/* ---- the machine, also when it is only a trace ---- */

struct expr_machine console_machine(struct console *c);
/* "0x1000 <main+2>" */
char *address_text(struct console *c, uint64_t at, char *buf, size_t n);
const struct trace_text *console_text(struct console *c);

/* Tell where the machine stands and why; for after it stopped. */
void tell_where(struct console *c);

/* Go, wait if that is wanted: CONSOLE_OK once it has stopped. */
enum console_result run_quietly(struct console *c, enum link_run how, uint64_t n);
enum console_result run_range(struct console *c, gla_t lo, gla_t hi);
/* err: of setting it going */
enum console_result wait_until_stopped(struct console *c, int err);

/* The monitor stands in a handler: where. */
void tell_monitor(struct console *c);

/* The selected frame; false: there is no debug information. */
bool console_frame(struct console *c, struct frame *f);
bool console_caller(struct console *c, const struct frame *f, struct frame *caller);
/* The source line of an address as one line, to be printed; false: not known. */
bool place_of(struct console *c, uint64_t at, struct source_place *p);
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

/* look.c, memory.c */
command_fn cmd_x, cmd_xp, cmd_disassemble, cmd_walk, cmd_find, info_registers, info_segments,
           info_symbol;
command_fn info_mmu, info_mem;

/* info.c; info_device() looks for a part of the PC by name: *known says whether there is one. */
command_fn info_idt, info_gdt, info_tss, info_devices, info_exits, info_status, info_monitor,
           info_screen, info_symbols, info_port, cmd_screenshot;
enum console_result info_device(struct console *c, const char *name, size_t len, bool *known);

/* trace.c */
command_fn cmd_log, cmd_why, cmd_count, cmd_histogram, info_trace, info_marks;

#endif
