/*
 * debugger/command_private.h -- what the files of the console share.
 *
 * A command is a row and a handler.  The handler prints its answer to c->out
 * and returns CONSOLE_OK, or what fail() returns.  In JSON mode a row with
 * `json` prints objects itself; of any other the text becomes one object.
 */
#ifndef DEBUGGER_COMMAND_PRIVATE_H
#define DEBUGGER_COMMAND_PRIVATE_H

#include "cpu/state.h"
#include "debugger/command.h"
#include "debugger/expr.h"
#include "debugger/link.h"
#include "debugger/store.h"

typedef enum console_result command_fn(struct console *c, const char *args);

enum completes { WITH_NOTHING, WITH_EXPR, WITH_BREAK, WITH_INFO, WITH_COMMAND, WITH_FILE, WITH_FIELD };

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
    struct link_break making;           /* by the handler of a kind of breakpoint   */
    bool        quiet;                  /* ... which is not the user's affair       */
};

extern const struct command_row command_rows[], info_rows[], break_rows[];
extern const size_t n_command_rows, n_info_rows, n_break_rows;

/* The row called that: exactly, by alias, or as the only one that begins so. */
const struct command_row *row_find(const struct command_row *rows, size_t n, const char *name, size_t len,
                                   bool *ambiguous);

/* Says what is wrong, in one sentence without a full stop. */
enum console_result fail(struct console *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
enum console_result fail_link(struct console *c, int err, const char *what);

/* JSON text: quoted and escaped. */
void json_string(FILE *out, const char *text);

/* ---- arguments ---- */

const char *skip_blanks(const char *s);
size_t word_length(const char *s);
bool word_is(const char *s, const char *word);         /* the first word of s */

/* An expression at *args, which moves behind it and the blanks; false after fail(). */
bool arg_value(struct console *c, const char **args, uint64_t *value);
bool arg_count(struct console *c, const char *args, uint64_t none, uint64_t *n);       /* one number or nothing */
enum console_result nothing_more(struct console *c, const char *args);

/* ---- the machine, also when it is only a trace ---- */

struct expr_machine console_machine(struct console *c);
char *address_text(struct console *c, uint64_t at, char *buf, size_t n);      /* "0x1000 <main+2>" */
const struct trace_text *console_text(struct console *c);

/* Tell where the machine stands and why; for after it stopped. */
void tell_where(struct console *c);

/* ---- handlers, by file ---- */

command_fn cmd_continue, cmd_stepi, cmd_nexti, cmd_step_exit, cmd_finish, cmd_until, cmd_pause, cmd_kill,
    cmd_type, cmd_key;                                                          /* command_run.c   */
command_fn cmd_break, cmd_tbreak, cmd_delete, cmd_enable, cmd_disable, cmd_condition, cmd_ignore, cmd_watch,
    cmd_rwatch, cmd_awatch, info_breakpoints;                                   /* command_break.c */
command_fn cmd_print, cmd_x, cmd_xp, cmd_disassemble, cmd_set, cmd_walk, info_registers, info_segments,
    info_symbol, cmd_find;                                                      /* command_look.c  */
command_fn info_idt, info_gdt, info_tss, info_mmu, info_mem, info_devices, info_exits, info_status,
    info_monitor, info_screen, info_symbols, info_port, cmd_screenshot;         /* command_info.c  */
enum console_result info_device(struct console *c, const char *name, size_t len, bool *known);
command_fn cmd_log, cmd_why, info_trace, info_marks, cmd_count, cmd_histogram;  /* command_trace.c */
command_fn break_code, break_port, break_mmio, break_exit, break_irq, break_mark, break_mode, break_event,
    break_triple, break_fault;                                                  /* command_break.c */

#endif
