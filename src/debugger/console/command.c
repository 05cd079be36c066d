/*
 * debugger/console/command.c -- the console's tables of commands, and running a line by them.
 *
 * To add a command: write its handler, declare it in private.h, add a row here.  Help and the
 * documentation are made from the tables by console/help.c, completion by console/complete.c.
 *
 * Begin reading with console_run().
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/console/private.h"
#include "debugger/link/monitor_step.h"
#include "debugger/symbols/orc.h"
#include "debugger/symbols/symbols.h"

static command_fn cmd_quit, cmd_source, cmd_echo;

/* Columns: name, alias, arguments, help, example, handler, live, json, completion
 * (struct command_row).  `help` lists the rows in this order. */
const struct command_row command_rows[] = {
    { "help", "h", "[COMMAND]", "what there is, or one command in full",
      "help break", cmd_help, false, false, WITH_COMMAND },
    { "info", "i", "WHAT", "look at something; `help info` lists what",
      "info registers", cmd_info, false, true, WITH_INFO },

    /* Running forwards.  Each of these tells where the guest has stopped (run.c, source.c). */
    { "run", "r", "[N]", "continue: the guest is loaded and waits already",
      "run", cmd_continue, true, true, WITH_NOTHING },
    { "continue", "c", "[N]", "run; pass the breakpoint stopped at N times",
      "continue", cmd_continue, true, true, WITH_NOTHING },
    { "stepi", "si", "[N]", "run N instructions (1)",
      "stepi 1000", cmd_stepi, true, true, WITH_NOTHING },
    { "nexti", "ni", NULL, "run one instruction with all that it calls; a REP or LOOP to its end",
      "nexti", cmd_nexti, true, true, WITH_NOTHING },
    { "step-exit", "se", "[N]", "run until N exits (1) were answered by the monitor",
      "step-exit", cmd_step_exit, true, true, WITH_NOTHING },
    { "step", "s", "[N]", "run to another source line, into functions too",
      "step", cmd_step, true, true, WITH_NOTHING },
    { "next", "n", "[N]", "run to another source line; calls are done on the way",
      "next", cmd_next, true, true, WITH_NOTHING },
    { "finish", "fin", NULL, "run until the selected function, or the handler, has returned",
      "finish", cmd_finish, true, true, WITH_NOTHING },
    { "until", "u", "ADDRESS|KIND ...", "run until there: a breakpoint for this once",
      "until mark 3", cmd_until, true, true, WITH_BREAK },
    { "advance", NULL, "ADDRESS|FILE:LINE", "the same",
      "advance kernel.c:120", cmd_until, true, true, WITH_BREAK },

    /* Running backwards, as far as the recording reaches (back.c). */
    { "reverse-stepi", "rsi", "[N]", "go back N instructions (1)",
      "reverse-stepi 1000", cmd_reverse_stepi, true, true, WITH_NOTHING },
    { "reverse-nexti", "rni", "[N]", "go back one instruction with all that it called",
      "reverse-nexti", cmd_reverse_nexti, true, true, WITH_NOTHING },
    { "reverse-step", "rs", "[N]",
      "go back to the beginning of a source line, into functions too",
      "reverse-step", cmd_reverse_step, true, true, WITH_NOTHING },
    { "reverse-next", "rn", "[N]", "go back to the beginning of a source line, over calls",
      "reverse-next", cmd_reverse_next, true, true, WITH_NOTHING },
    { "reverse-continue", "rc", NULL,
      "go back to the last breakpoint that was passed, or before the last write that is watched",
      "reverse-continue", cmd_reverse_continue, true, true, WITH_NOTHING },
    { "reverse-finish", "rf", NULL, "go back to the call of this function",
      "reverse-finish", cmd_reverse_finish, true, true, WITH_NOTHING },
    { "back", NULL, "[to] N|exit SEQ|event SEQ|mark N|write ADDRESS [BYTES]|begin|now",
      "go to a place in what was recorded: so many instructions, behind an event, before the "
      "write that put this value there",
      "back write ticks", cmd_back, true, true, WITH_EXPR },

    /* How it runs, and what can be done to it meanwhile (run.c, monitor.c). */
    { "step-irqs", NULL, "on|off",
      "does a guest that is stepped take interrupts? (soft: on, kvm: off)",
      "step-irqs off", cmd_step_irqs, true, false, WITH_NOTHING },
    { "follow", NULL, "[on|off|REASON ...]",
      "stop before the monitor answers an exit: its handler is next",
      "follow io cpuid", cmd_follow, true, false, WITH_NOTHING },
    { "pause", NULL, NULL, "stop a running guest (Ctrl-C does the same)",
      "pause", cmd_pause, true, true, WITH_NOTHING },
    { "type", NULL, "\"TEXT\"", "type on the guest's serial line; \\n is Enter",
      "type \"ps\\n\"", cmd_type, true, false, WITH_NOTHING },
    { "key", NULL, "\"TEXT\"", "the same on its PS/2 keyboard",
      "key \"ls\\n\"", cmd_key, true, false, WITH_NOTHING },
    { "monitor", "mon", "WHAT", "the monitor stepped beside the guest; `help monitor` lists what",
      "monitor follow on", cmd_monitor, true, true, WITH_MONITOR },
    { "kill", NULL, NULL, "end the monitor, for one that hangs; trace and memory stay",
      "kill", cmd_kill, true, true, WITH_NOTHING },

    /* Where it stops (break.c). */
    { "break", "b", "ADDRESS|FILE:LINE|KIND ... [if EXPR]",
      "stop before an instruction or at an event; `help break` lists the kinds",
      "break main if rax > 3", cmd_break, true, true, WITH_BREAK },
    { "tbreak", "tb", "ADDRESS|KIND ... [if EXPR]", "the same, once",
      "tbreak port 0x3f8", cmd_tbreak, true, true, WITH_BREAK },
    { "watch", NULL, "VARIABLE|ADDRESS [BYTES] [if EXPR]",
      "stop when memory changes (the variable, or 4 bytes)",
      "watch self->state", cmd_watch, true, true, WITH_EXPR },
    { "rwatch", NULL, "VARIABLE|ADDRESS [BYTES] [if EXPR]", "stop when it is read",
      "rwatch 0x2000 2", cmd_rwatch, true, true, WITH_EXPR },
    { "awatch", NULL, "VARIABLE|ADDRESS [BYTES] [if EXPR]", "stop when it is read or written",
      "awatch counter", cmd_awatch, true, true, WITH_EXPR },
    { "delete", "d", "[NR ...]", "delete breakpoints (all)",
      "delete 2", cmd_delete, true, false, WITH_NOTHING },
    { "enable", NULL, "[NR ...]", "switch breakpoints on (all)",
      "enable 2", cmd_enable, true, false, WITH_NOTHING },
    { "disable", NULL, "[NR ...]", "switch breakpoints off (all)",
      "disable 2", cmd_disable, true, false, WITH_NOTHING },
    { "condition", "cond", "NR [EXPR]", "stop only if EXPR is true; none: always",
      "condition 1 u32[rsp] == 0", cmd_condition, true, false, WITH_EXPR },
    { "ignore", NULL, "NR COUNT", "let the next COUNT hits pass",
      "ignore 1 99", cmd_ignore, true, false, WITH_NOTHING },

    /* Values, callers, source, memory, code (value.c, frame.c, source.c, look.c). */
    { "print", "p", "[/FMT] EXPR", "the value of an expression, as C has it; /x /d /u /t /c",
      "print procs[2].state", cmd_print, false, true, WITH_EXPR },
    { "display", NULL, "[/FMT] EXPR", "show it now and at each stop",
      "display /2i $pc", cmd_display, true, true, WITH_EXPR },
    { "undisplay", NULL, "[N...]", "no more; without N, none of them",
      "undisplay 1", cmd_undisplay, false, true, WITH_NOTHING },
    { "ptype", NULL, "TYPE|EXPR", "what a type is made of",
      "ptype struct process", cmd_ptype, false, false, WITH_EXPR },
    { "whatis", NULL, "TYPE|EXPR", "the name of an expression's type",
      "whatis self->sp", cmd_whatis, false, false, WITH_EXPR },
    { "backtrace", "bt", "[N]", "who called whom, the innermost first",
      "backtrace", cmd_backtrace, true, true, WITH_NOTHING },
    { "frame", "f", "[N]", "look at the caller N calls up; expressions see its variables",
      "frame 2", cmd_frame, true, true, WITH_NOTHING },
    { "up", NULL, "[N]", "N frames (1) towards the callers",
      "up", cmd_up, true, true, WITH_NOTHING },
    { "down", NULL, "[N]", "N frames (1) back", "down", cmd_down, true, true, WITH_NOTHING },
    { "list", "l", "[ADDRESS|FILE:LINE]",
      "source around there, or around where the guest stands; again: further",
      "list main", cmd_list, false, true, WITH_EXPR },
    { "x", NULL, "[/NFS] [ADDRESS]", "memory by linear address: count, format xductis, size bhwg",
      "x/8xg rsp", cmd_x, true, true, WITH_EXPR },
    { "xp", NULL, "[/NFS] [ADDRESS]", "the same by guest-physical address",
      "xp/16xb 0xb8000", cmd_xp, true, true, WITH_EXPR },
    { "disassemble", "dis", "[ADDRESS [COUNT]]", "code as the CPU would read it now",
      "disassemble main 20", cmd_disassemble, true, true, WITH_EXPR },
    { "set", NULL, "REG|VARIABLE|u32[ADDRESS] = EXPR", "change a register, a variable or memory",
      "set self->ticks = 0", cmd_set, true, false, WITH_EXPR },
    { "find", NULL, "FROM TO \"TEXT\"|BYTE ...", "search linear memory",
      "find 0x100000 0x200000 \"boot\"", cmd_find, true, true, WITH_EXPR },
    { "walk", NULL, "ADDRESS", "every step from a linear address to the host's",
      "walk rip", cmd_walk, true, true, WITH_EXPR },
    { "references", NULL, "ADDRESS", "every entry that the processor reads on the way if nothing "
      "is cached, in the guest's and the nested tables",
      "references rip", cmd_references, true, false, WITH_EXPR },

    /* What has happened (trace.c); these work on a recorded trace, too. */
    { "log", NULL, "[N] [FILTER]", "the last N events (20) that FILTER is true of",
      "log 5 exit==io && port==0x3f8", cmd_log, false, true, WITH_FIELD },
    { "why", NULL, "[SEQ]", "why the guest has crashed; else what caused event SEQ (the last one)",
      "why 121", cmd_why, false, false, WITH_NOTHING },
    { "count", NULL, "[FILTER]", "how many events FILTER is true of",
      "count FAULT_TRUE", cmd_count, false, true, WITH_FIELD },
    { "histogram", "hist", "FIELD [FILTER]", "how often a field has which value",
      "histogram port exit==io", cmd_histogram, false, false, WITH_FIELD },

    /* Files. */
    { "screenshot", NULL, "[FILE]", "the guest's text screen",
      "screenshot screen.txt", cmd_screenshot, true, false, WITH_FILE },

    { "save", NULL, "FILE", "the whole machine as it stands, into a file",
      "save before.vt", cmd_save, true, false, WITH_FILE },
    { "load", NULL, "FILE", "put the machine back to what a file has",
      "load before.vt", cmd_load, true, true, WITH_FILE },
    { "symbol-file", NULL, "FILE|kernel [OFFSET]",
      "symbols of an ELF, of System.map, or as a Linux kernel has them in the guest's memory",
      "symbol-file kernel", cmd_symbol_file, false, false, WITH_FILE },
    { "save-symbols", NULL, "FILE",
      "the symbols as an ELF file, which gdb's add-symbol-file reads",
      "save-symbols kernel.elf", cmd_save_symbols, false, false, WITH_FILE },
    { "source", NULL, "FILE", "run the commands in FILE",
      "source setup.vt", cmd_source, false, true, WITH_FILE },
    { "echo", NULL, "TEXT", "print TEXT",
      "echo -- booted --", cmd_echo, false, false, WITH_NOTHING },
    { "quit", "q", NULL, "leave; the guest ends", "quit", cmd_quit, false, true, WITH_NOTHING },
};
const size_t n_command_rows = NELEM(command_rows);

/* `info WHAT`.  The parts of the PC (`info pic`) have no rows: they come from the machine's
 * own table of devices, by info_device(). */
const struct command_row info_rows[] = {
    /* The CPU and its tables. */
    { "registers", "regs", "[all]", "general registers and flags; all: every one there is",
      "info regs", info_registers, true, true, WITH_NOTHING },
    { "segments", "sregs", NULL, "segment registers with base, limit and rights",
      "info segments", info_segments, true, false, WITH_NOTHING },
    { "gdt", NULL, NULL, "the descriptors of the GDT",
      "info gdt", info_gdt, true, false, WITH_NOTHING },
    { "idt", NULL, NULL, "where interrupts and exceptions go",
      "info idt", info_idt, true, false, WITH_NOTHING },
    { "tss", NULL, NULL, "the task state: stacks for the inner rings",
      "info tss", info_tss, true, false, WITH_NOTHING },
    { "mmu", NULL, "[ADDRESS]", "paging mode, and where linear memory is mapped to",
      "info mmu", info_mmu, true, false, WITH_EXPR },
    { "mem", NULL, "[ADDRESS]", "linear memory: what the guest's tables and the monitor's allow",
      "info mem", info_mem, true, false, WITH_EXPR },
    /* The parts of the PC. */
    { "devices", NULL, NULL, "the parts of the PC; `info NAME` shows one",
      "info pic", info_devices, false, false, WITH_NOTHING },
    { "port", NULL, "PORT [SIZE]", "what reading a port would give, without reading it",
      "info port 0x3fd", info_port, true, false, WITH_NOTHING },
    { "disk", NULL, NULL, "the disks, their images, and what each drive is doing",
      "info disk", info_disk, true, false, WITH_NOTHING },
    { "screen", NULL, NULL, "the text screen",
      "info screen", info_screen, true, false, WITH_NOTHING },
    /* What has happened. */
    { "exits", NULL, NULL, "how often the guest exited, by reason",
      "info exits", info_exits, false, true, WITH_NOTHING },
    { "breakpoints", "b", NULL, "breakpoints and watchpoints",
      "info breakpoints", info_breakpoints, true, true, WITH_NOTHING },
    { "display", NULL, NULL, "what is shown at each stop",
      "info display", info_display, false, false, WITH_NOTHING },
    { "crash", NULL, NULL, "why the guest has crashed: what happened first, and what to check",
      "info crash", info_crash, false, false, WITH_NOTHING },
    { "trace", NULL, NULL, "how many events there are, and from when to when",
      "info trace", info_trace, false, true, WITH_NOTHING },
    { "marks", NULL, NULL, "the phases of the run that the guest has marked",
      "info marks", info_marks, false, true, WITH_NOTHING },
    /* The guest's program: symbols, frames, source. */
    { "symbols", NULL, "[PART]", "the guest's symbols with PART in their names",
      "info symbols irq", info_symbols, false, false, WITH_NOTHING },
    { "symbol", NULL, "ADDRESS", "the symbol an address lies in",
      "info symbol rip", info_symbol, false, false, WITH_EXPR },
    { "locals", NULL, NULL, "local variables of the selected frame",
      "info locals", info_locals, true, true, WITH_NOTHING },
    { "args", NULL, NULL, "parameters of the selected frame",
      "info args", info_args, true, true, WITH_NOTHING },
    { "frame", NULL, NULL, "the selected frame and its registers",
      "info frame", info_frame, true, false, WITH_NOTHING },
    { "line", NULL, "[ADDRESS|FILE:LINE]", "where a source line's code is",
      "info line kernel.c:120", info_line, false, true, WITH_EXPR },
    { "source", NULL, NULL, "the source file of where the guest stands",
      "info source", info_source, true, false, WITH_NOTHING },
    /* The debugger and the monitor. */
    { "status", NULL, NULL, "where the guest stands, and why",
      "info status", info_status, true, true, WITH_NOTHING },
    { "checkpoints", NULL, NULL, "how far back the recording reaches, and what it takes",
      "info checkpoints", info_checkpoints, true, false, WITH_NOTHING },
    { "monitor", NULL, NULL, "the monitor's process and what it said",
      "info monitor", info_monitor, true, false, WITH_NOTHING },
};
const size_t n_info_rows = NELEM(info_rows);

/* ---- answers and complaints ---- */

/* Bytes from 0x80 on are passed as they are, which is right for UTF-8. */
void json_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        unsigned char ch = (unsigned char)*text;
        if (ch == '"' || ch == '\\')
            fprintf(out, "\\%c", ch);
        else if (ch == '\n')
            fputs("\\n", out);
        else if (ch < ' ')
            fprintf(out, "\\u%04x", ch);
        else
            fputc(ch, out);
    }
    fputc('"', out);
}

/* A complaint has the same form for every command, so that a program can find it. */
enum console_result fail(struct console *c, const char *fmt, ...)
{
    char text[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (c->o.json) {
        fputs("{\"error\":", c->out);
        json_string(c->out, text);
        fputs("}\n", c->out);
    } else {
        fprintf(c->out, "%s\n", text);
    }
    return CONSOLE_ERROR;
}

/* The same errno can have several reasons; say the one that the user can do something
 * about. */
enum console_result fail_link(struct console *c, int err, const char *what)
{
    if (err == -EBUSY && console_held(c))
        err = -EAGAIN;
    switch (err) {
    case -ESRCH:      return fail(c, "%s: %s", what, link_stopped(c->o.link)->text);
    case -EAGAIN:
        return fail(c, c->stepper
                    ? "%s: the monitor itself is stopped; `monitor continue` lets it go on"
                    : "%s: a debugger holds the monitor; let it `continue`, or `detach`", what);
    case -ETIMEDOUT:  return fail(c, "%s: the monitor does not answer; `kill` ends it", what);
    case -EBUSY:      return fail(c, "%s: the guest is running; `pause` stops it", what);
    case -EOWNERDEAD: return fail(c, "%s: the guest has ended: %s", what,
                                  link_stopped(c->o.link)->text);
    case -EFAULT:     return fail(c, "%s: there is no memory", what);
    case -EBADMSG:    return fail(c, "%s: the monitor's answer makes no sense", what);
    default:          return fail(c, "%s: %s", what, strerror(-err));
    }
}

/* ---- dispatch ---- */

/* Exact names win over beginnings: `s` is step, although save and set begin so too. */
const struct command_row *row_find(const struct command_row *rows, size_t n, const char *name,
                                   size_t len, bool *ambiguous)
{
    const struct command_row *found = NULL;
    *ambiguous = false;
    for (size_t i = 0; i < n; i++) {
        const struct command_row *r = &rows[i];
        if ((strlen(r->name) == len && !strncmp(r->name, name, len)) ||
            (r->alias && strlen(r->alias) == len && !strncmp(r->alias, name, len))) {
            *ambiguous = false;
            return r;
        }
        if (len && !strncmp(r->name, name, len)) {
            *ambiguous |= found != NULL;
            found = r;
        }
    }
    return *ambiguous ? NULL : found;
}

/* JSON mode for a handler that prints text: let it print into memory, and put that into one
 * object.  A complaint is an object already and goes out as it is. */
static enum console_result run_as_text(struct console *c, const struct command_row *r,
                                       const char *args)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = c->out;
    c->out = open_memstream(&text, &n);
    if (!c->out) {
        c->out = out;
        return fail(c, "out of memory");
    }
    enum console_result result = r->run(c, args);
    fclose(c->out);
    c->out = out;
    if (result != CONSOLE_OK) {
        fputs(text, out);
    } else {
        fputs("{\"command\":", out);
        json_string(out, r->name);
        fputs(",\"text\":", out);
        json_string(out, text);
        fputs("}\n", out);
    }
    free(text);
    return result;
}

enum console_result run_row(struct console *c, const struct command_row *r, const char *args)
{
    if (r->live && !c->o.link)
        return fail(c, "%s needs a guest, and this is a recorded trace", r->name);
    return c->o.json && !r->json ? run_as_text(c, r, args) : r->run(c, args);
}

/* Before each command: fetch the registers.  If the guest has moved since a frame was
 * selected, the selection means nothing any more, and the innermost frame is selected. */
static void refresh(struct console *c)
{
    if (!c->o.link)
        return;
    link_get_state(c->o.link, &c->cpu);
    if (c->frame.level && (c->frame_ip != c->cpu.rip || c->frame_sp != c->cpu.gpr[RSP]))
        c->frame.level = 0;
}

/* The handler gets a copy of its arguments without blanks at the end.  The command's name
 * also ends at `/` and `"`, so that `x/8xb` is the command x. */
enum console_result console_run(struct console *c, const char *line, FILE *out)
{
    bool ambiguous;
    c->out = out;
    line = skip_blanks(line);
    if (!*line || *line == '#')
        return CONSOLE_OK;
    refresh(c);
    size_t len = strcspn(line, " \t\r\n/\"");
    const struct command_row *r = row_find(command_rows, n_command_rows, line, len, &ambiguous);
    if (ambiguous)
        return fail(c, "'%.*s' begins several commands; `help` lists them", (int)len, line);
    if (!r)
        return fail(c, "there is no command '%.*s'; `help` lists them", (int)word_length(line),
                    line);
    char *args = strdup(skip_blanks(line + len));
    if (!args)
        return fail(c, "out of memory");
    for (size_t n = strlen(args); n && isspace((unsigned char)args[n - 1]); )
        args[--n] = 0;
    enum console_result result = run_row(c, r, args);
    free(args);
    return result;
}

/* ---- commands about commands ---- */

/* `info NAME` is a row of the table or a part of the PC. An exact name of a row comes
 * first, then the parts, then aliases and beginnings of rows. */
enum console_result cmd_info(struct console *c, const char *args)
{
    bool ambiguous, known = false;
    size_t len = word_length(args);
    if (!len)
        return fail(c, "info about what? `help info` lists it");
    const struct command_row *r = row_find(info_rows, n_info_rows, args, len, &ambiguous);
    if (r && strlen(r->name) == len)
        return run_row(c, r, skip_blanks(args + len));
    enum console_result result = info_device(c, args, len, &known);
    if (known)
        return result;
    if (r)
        return run_row(c, r, skip_blanks(args + len));
    return fail(c, ambiguous ? "'%.*s' begins several; `help info` lists them"
                             : "there is no `info %.*s`; `help info` lists what there is",
                (int)len, args);
}

static enum console_result cmd_quit(struct console *c, const char *args)
{
    (void)c, (void)args;
    return CONSOLE_QUIT;
}

static enum console_result cmd_echo(struct console *c, const char *args)
{
    fprintf(c->out, "%s\n", args);
    return CONSOLE_OK;
}

/* Run a file's lines until one fails.  A file that sources itself would do so for ever,
 * hence the limit of 8. A directory can be opened but not read, which getline() does not
 * report. */
static enum console_result cmd_source(struct console *c, const char *args)
{
    char *line = NULL;
    size_t room = 0, nr = 0;
    enum console_result result = CONSOLE_OK;
    FILE *out = c->out, *f = *args ? fopen(args, "r") : NULL;
    if (!f)
        return fail(c, *args ? "%s: %s" : "source which file?", args, strerror(errno));
    if (c->sourced == 8) {
        fclose(f);
        return fail(c, "%s: files that source each other", args);
    }
    c->sourced++;
    while (result == CONSOLE_OK && getline(&line, &room, f) >= 0) {
        nr++;
        result = console_run(c, line, out);
    }
    c->sourced--;
    c->out = out;
    bool unread = ferror(f);
    if (result == CONSOLE_ERROR && !c->o.json)
        fprintf(out, "(in line %zu of %s)\n", nr, args);
    free(line);
    fclose(f);
    return unread ? fail(c, "%s: it cannot be read", args) : result;
}

/* ---- made and freed ---- */

struct console *console_new(const struct console_options *o)
{
    struct console *c = calloc(1, sizeof *c);
    if (c)
        c->o = *o;
    return c;
}

/* The trace store must not keep a pointer to symbols that are about to be freed. */
void console_free(struct console *c)
{
    if (!c)
        return;
    stepper_detach(c->stepper);
    if (c->own_symbols)
        store_set_symbols(c->o.store, NULL);
    symbols_close(c->own_symbols);
    debuginfo_close(c->own_info);
    orc_close(c->own_orc);
    free(c);
}
