/*
 * debugger/gdb/run.c -- going and stopping, as the remote protocol tells it.
 *
 *     vCont;c  ------------>  link_run()          the guest runs; no answer yet (GDB_LATER)
 *                             gdb_stub_news()     the guest has stopped:
 *     T05thread:p1.1;...  <-  report()            the stop reply
 *
 * A guest may change from 16 to 32 and 64 bits in one session, and with that the registers.
 * GDB allows registers to change only when a program executes another one.  So where the guest
 * stands in code of another size than GDB's description is for, the stop is told in two steps:
 *
 *     T05thread:p1.1;exec:...  <-     "another program was executed"
 *     qXfer:features:read:...  ->     GDB reads the description anew, and resumes
 *     vCont;c                  ->     the guest does not run: now the stop itself is told
 *     T05thread:p1.1;...       <-
 *
 * GDB may also step first, to get off a breakpoint, as it believes.  If instead it asks for the
 * list of threads, it has stopped at the event itself, for its user (`catch exec`); then it
 * knows of the stop, and nothing more is owed (xfer_threads() in query.c).
 * [GDB manual "Stop Reply Packets", exec]
 *
 * Begin reading with gdb_stub_news() and start_guest().
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "cpu/regs.h"
#include "debugger/gdb/private.h"
#include "debugger/symbols/symbols.h"

#define PAUSE_NS 1500000000u            /* a guest that has not paused by then hangs        */
#define RESTART_MS 1500                 /* gdb waits for two seconds                         */
#define TELL_NS  1000000000u            /* how often a long way back says how far it is  */

enum { SIG_NONE = 0, SIG_INT = 2, SIG_TRAP = 5, SIG_ABRT = 6,
       SIG_EMULATION = 148 };           /* "EXC_EMULATION, Emulation instruction": before an exit */

/* ---- how it ended ---- */

/* The signal that an end looks like, or SIG_NONE if the guest has ended as it wanted to.
 * Such an end is told as an end (W). After any other one the user may want to look around:
 * it is told as a stop by a signal, and only when the client lets the guest go on, as an
 * end.  The signal must not be SIGILL, SIGSEGV or SIGEMT: where a breakpoint is inserted, gdb
 * takes these for the breakpoint. */
static unsigned end_signal(const struct link_stop *why)
{
    if (why->why == LINK_DIED)
        return SIG_ABRT;
    switch (why->vm_stop) {
    case VM_EXIT_PORT:
    case VM_POWER_OFF:
    case VM_HALTED:
    case VM_RESET:        return SIG_NONE;
    default:              return SIG_ABRT;
    }
}

/* "W status" if the guest has ended, "X signal" if the monitor's process died. */
static void tell_end(struct gdb_stub *s)
{
    const struct link_stop *why = link_stopped(s->o.link);
    if (why->why == LINK_DIED)
        gdb_printf(&s->p, "X%02x", SIG_ABRT);
    else
        gdb_printf(&s->p, "W%02x", (unsigned)why->status & 0xff);
    if (s->multiprocess)
        gdb_put(&s->p, ";process:1");
    s->end_told = true;
}

/* ---- how it stopped ---- */

/* Why the guest has stopped, if it is one of the client's own breakpoints:
 * "watch:address;", "swbreak:;", "hwbreak:;". The last two only to clients that said they
 * know them, and only if the program counter that they see is the breakpoint's: else they would
 * look for the breakpoint there, find none, and let the guest go on. */
static void put_reason(struct gdb_stub *s, const struct link_stop *why,
                       const struct cpu_state *cpu)
{
    static const char *const watch[] = { [2] = "watch", [3] = "rwatch", [4] = "awatch" };
    const struct gdb_point *p = why->why == LINK_BREAK ? gdb_point_nr(s, why->nr) : NULL;
    if (!p)
        return;
    if (p->type >= 2)
        gdb_printf(&s->p, "%s:%llx;", watch[p->type], (unsigned long long)why->address);
    else if (gdb_seen_pc(s, cpu) != p->at)
        return;
    else if (p->type == 0 && s->swbreak)
        gdb_put(&s->p, "swbreak:;");
    else if (p->type == 1 && s->hwbreak)
        gdb_put(&s->p, "hwbreak:;");
}

/* The registers that gdb needs at every stop (stack pointer, program counter) are sent
 * along, "number:value;", to spare it a question. */
static void put_registers(struct gdb_stub *s, const struct cpu_state *cpu)
{
    const uint8_t *number;
    uint8_t image[GDB_REG_BYTES];
    size_t n = gdb_reg_expedited(s->arch, &number);
    for (size_t i = 0; i < n; i++) {
        const struct gdb_reg *r = gdb_reg_at(s->arch, number[i]);
        gdb_read_register(s, r, cpu, image);
        gdb_printf(&s->p, "%02x:", number[i]);
        gdb_put_hex(&s->p, image, r->wire);
        gdb_put(&s->p, ";");
    }
}

/* "T signal thread:...;reason;registers", the answer that ends a continue or a step.  [GDB
 * manual "Stop Reply Packets"] */
static void put_stop(struct gdb_stub *s, unsigned sig, const struct cpu_state *cpu)
{
    gdb_printf(&s->p, "T%02xthread:%s;", sig, gdb_thread(s));
    if (link_stopped(s->o.link)->why == LINK_AT_BEGINNING)
        gdb_put(&s->p, "replaylog:begin;");
    put_reason(s, link_stopped(s->o.link), cpu);
    put_registers(s, cpu);
}

/* Which signal gdb shows: SIGINT if the user has interrupted, though the guest may have
 * halted or finished a step just then; SIGTRAP for a breakpoint or a step. */
static unsigned stop_signal(const struct gdb_stub *s)
{
    const struct link_stop *why = link_stopped(s->o.link);
    if (why->why == LINK_GUEST_ENDED || why->why == LINK_DIED)
        return end_signal(why) ? end_signal(why) : SIG_TRAP;
    if (why->why == LINK_AT_EXIT)
        return SIG_EMULATION;
    bool asked = why->why == LINK_PAUSED ||
                 (s->pausing && (why->why == LINK_STARVED || why->why == LINK_STEPPED));
    return asked && s->waiting ? SIG_INT : SIG_TRAP;
}

/* The name of the "program executed" in an exec event.  There is no such file, which makes gdb
 * keep the symbols it has, whatever they belong to, and forget the file.  It says so in a line
 * that ends with "No such file or directory".  (Of a name that begins with '/' it would ask
 * whether "set sysroot" is needed, which is no use here.) */
static const char *const programs[N_GDB_ARCHS] = {
    "16-bit code now, symbols stay", "32-bit code now, symbols stay",
    "64-bit code now, symbols stay",
};

/* Put that name; or better that of the guest's own file, if gdb finds all it has there again: then
 * it has nothing to warn of.  Not in code of other bits than the file is for, because gdb believes
 * the file's architecture rather than the description's if that is the richer one. */
static void put_program(struct gdb_stub *s, enum gdb_arch a)
{
    const char *name = s->is_elf && s->o.info && a == s->own_arch ? s->o.guest_path
                                                                  : programs[a];
    gdb_put_hex(&s->p, name, strlen(name));
}

/* If the CPU is in another mode than the description is for: tell that as an exec event,
 * and owe the client the stop itself.  Clients that do not know exec events keep the
 * description they have. */
static bool tell_mode(struct gdb_stub *s, const struct cpu_state *cpu)
{
    enum gdb_arch a = gdb_arch_of(cpu);
    if (s->o.fixed_arch || !s->exec_events || a == s->arch)
        return false;
    s->arch = a;
    s->mode_told = true;
    gdb_printf(&s->p, "T%02xthread:%s;exec:", SIG_TRAP, gdb_thread(s));
    put_program(s, a);
    gdb_put(&s->p, ";");
    return true;
}

/* A guest that has crashed: what happened first, and what to check. */
static void say_explanation(struct gdb_stub *s)
{
    char *text = link_explain(s->o.link, s->o.symbols);
    if (text)
        gdb_console_text(s, text);
    free(text);
}

/* A breakpoint of the client's in a kernel that is linked high, met before its paging is on, at
 * the code's physical address: gdb has no names there.  How to give it some is said once. */
static void say_early(struct gdb_stub *s, const struct gdb_point *p, const struct cpu_state *cpu)
{
    char place[200], text[500], hint[150] = "";
    gla_t pc = state_pc(cpu);
    uint64_t linked;
    if (p->type >= 2 || !symbols_linked_at(s->o.symbols, pc, &linked) || linked != p->at)
        return;
    if (!s->early_told)
        snprintf(hint, sizeof hint, "; names for gdb there: add-symbol-file FILE -o %#llx",
                 (unsigned long long)(pc - linked));
    s->early_told = true;
    snprintf(text, sizeof text, "the breakpoint at %#llx is met at %#llx <%s>, where the code lies "
             "before the kernel maps itself%s\n", (unsigned long long)p->at,
             (unsigned long long)pc, symbols_format(s->o.symbols, pc, place, sizeof place), hint);
    gdb_console_text(s, text);
}

/* Print the reason of a stop to the user if the stop reply cannot say it, as for
 * breakpoints that were made with `monitor break`. */
static void say_why(struct gdb_stub *s)
{
    char text[300];
    struct cpu_state cpu;
    const struct link_stop *why = link_stopped(s->o.link);
    const struct gdb_point *p = why->why == LINK_BREAK ? gdb_point_nr(s, why->nr) : NULL;
    link_get_groups(s->o.link, LINK_CORE, &cpu);
    if (p && gdb_seen_pc(s, &cpu) != p->at)
        say_early(s, p, &cpu);
    bool known = why->why == LINK_STEPPED || why->why == LINK_PAUSED || why->why == LINK_AT_START ||
                 why->why == LINK_STARVED || why->why == LINK_AT_BEGINNING ||
                 p ||
                 (why->why == LINK_GUEST_ENDED && why->vm_stop == VM_EXIT_PORT);
    if (known)
        return;
    snprintf(text, sizeof text, "%s\n", why->text);
    gdb_console_text(s, text);
    say_explanation(s);
}

/* Put the stop reply into p.answer, or first the event before it.  The client waits for
 * nothing then. */
static void report(struct gdb_stub *s)
{
    struct cpu_state cpu;
    const struct link_stop *why = link_stopped(s->o.link);
    bool over = why->why == LINK_GUEST_ENDED || why->why == LINK_DIED;
    if (!s->over_told && s->why_told != why->why + 1u)
        say_why(s);
    s->why_told = why->why + 1u;
    gdb_begin(&s->p);
    link_get_groups(s->o.link, LINK_CORE, &cpu);
    if (over && (s->over_told || !end_signal(why))) {
        tell_end(s);
    } else if (!tell_mode(s, &cpu)) {
        put_stop(s, stop_signal(s), &cpu);
        s->over_told = over;
    }
    s->waiting = s->going = s->pausing = false;
    s->stop_ns = host_monotonic_ns();
}

static void send_report(struct gdb_stub *s)
{
    report(s);
    gdb_send(&s->p);
}

/* `?`: why the guest stands.  Asked at the beginning, so an end is told as a stop too. */
enum gdb_when gdb_stop_reason(struct gdb_stub *s, struct gdb_args args)
{
    struct cpu_state cpu;
    const struct link_stop *why = link_stopped(s->o.link);
    (void)args;
    link_get_groups(s->o.link, LINK_CORE, &cpu);
    s->over_told = why->why == LINK_GUEST_ENDED || why->why == LINK_DIED;
    put_stop(s, stop_signal(s), &cpu);
    return GDB_NOW;
}

/* ---- the machine's news ---- */

/* The monitor does not even pause.  Its last registers and its memory can be looked at:
 * answer as if the guest had stopped. */
static void tell_hang(struct gdb_stub *s)
{
    struct cpu_state cpu;
    gdb_console_text(s, "the monitor does not answer (is it being debugged itself?); what is shown "
                        "is its last word; `monitor kill` ends it\n");
    gdb_begin(&s->p);
    link_get_groups(s->o.link, LINK_CORE, &cpu);
    put_stop(s, SIG_INT, &cpu);
    gdb_send(&s->p);
    s->waiting = s->pausing = false;
}

/* A long way back takes seconds: tell the user, now and then, how far it is. */
static void tell_progress(struct gdb_stub *s)
{
    struct link_status st;
    char text[64];
    uint64_t now = host_monotonic_ns();
    if (!LINK_IS_BACK(s->how) || now - s->told_ns < TELL_NS)
        return;
    s->told_ns = now;
    link_get_status(s->o.link, &st);
    if (!st.past.total || st.past.done > st.past.total)
        return;
    snprintf(text, sizeof text, "going back: %.0f %%\n",
             100.0 * (double)st.past.done / (double)st.past.total);
    gdb_console_text(s, text);
}

/* A guest that does the same thing again and again runs on, but gdb's user is told. */
static void tell_stuck(struct gdb_stub *s)
{
    char text[600];
    if (!s->waiting || !link_take_stuck(s->o.link, s->o.symbols, text, sizeof text - 1))
        return;
    strcat(text, "\n");
    gdb_console_text(s, text);
}

/* Called after each poll of the link: has what the client waits for happened?  A guest that
 * halts and needs input still counts as running for the client, unless it was interrupted. */
void gdb_stub_news(struct gdb_stub *s)
{
    if (!s->going)
        return;
    tell_stuck(s);
    if (link_state(s->o.link) == LINK_RUNNING) {
        s->starved = false;             /* `monitor continue` */
        if (s->waiting && s->pausing && host_monotonic_ns() - s->pause_ns > PAUSE_NS)
            tell_hang(s);
        else if (s->waiting)
            tell_progress(s);
        return;
    }
    s->starved = link_stopped(s->o.link)->why == LINK_STARVED && !s->pausing;
    if (s->starved)
        return;                         /* it goes on when there is input */
    s->going = false;
    if (s->waiting)
        send_report(s);
}

/* 0 or -errno of the link. */
static int set_going(struct gdb_stub *s)
{
    return s->how == LINK_STEP_RANGE ? link_run_range(s->o.link, s->range_from, s->range_to)
                                     : link_run(s->o.link, s->how, 1);
}

void gdb_stub_wake(struct gdb_stub *s)
{
    if (!s->starved)
        return;
    s->starved = false;
    if (link_state(s->o.link) == LINK_STOPPED)
        set_going(s);
}

/* ---- going ---- */

/* What an errno of set_going() means to the user. */
static const char *going_error(int err, enum link_run how)
{
    if (err == -ENODATA || (LINK_IS_BACK(how) && err == -EINVAL))
        return "nothing is recorded before this";
    switch (err) {
    case -ETIMEDOUT: return "the monitor does not answer";
    case -EBUSY:     return "the guest runs already";
    case -EAGAIN:    return "the monitor is stopped: `vt-guest`, or `detach` in inferior 2, "
                            "lets it go on";
    default:         return "the guest cannot run";
    }
}

/* The answer to a continue or step that is not possible.  gdb prints "E." and words in
 * place of a stop reply.  Where the engine cannot go back, the machine has said so itself. */
static enum gdb_when cannot_go(struct gdb_stub *s, int err, enum link_run how)
{
    bool by_exit = err == -ENOTSUP;     /* this engine goes back by exit only */
    gdb_printf(&s->p, "E.%s", by_exit ? link_refusal(s->o.link) : going_error(err, how));
    return GDB_NOW;
}

/* `monitor answer`, for guest and monitor side by side.  The guest stands before an exit is
 * answered (LINK_AT_EXIT), and gdb debugs the monitor's process as a second inferior.  This
 * lets the machine finish the instruction.  For the client the guest still stands where it
 * was, until it resumes it: catch_up() then tells it where the guest has got to. */
enum gdb_when gdb_go_on(struct gdb_stub *s)
{
    if (link_state(s->o.link) != LINK_STOPPED || link_stopped(s->o.link)->why != LINK_AT_EXIT)
        return gdb_error(s, EINVAL, "the monitor has nothing to answer");
    gdb_settle_points(s);
    int err = link_go_on(s->o.link);
    if (err)
        return gdb_error(s, err, "the monitor does not answer");
    s->going = s->ahead = true;
    s->waiting = false;
    return gdb_ok(s);
}

/* The client resumes a guest that has been running since `monitor answer`. */
static enum gdb_when catch_up(struct gdb_stub *s)
{
    if (link_state(s->o.link) == LINK_RUNNING && link_held(s->o.link))
        return cannot_go(s, -EAGAIN, LINK_STEP);
    s->ahead = s->starved = false;
    if (link_state(s->o.link) == LINK_RUNNING) {
        s->going = s->waiting = true;
        return GDB_LATER;
    }
    report(s);
    return GDB_NOW;
}

/* Stop a guest that runs without the client's knowledge: before it attaches, or after
 * `monitor continue`. */
static void stand_still(struct gdb_stub *s)
{
    if (link_state(s->o.link) == LINK_RUNNING && link_pause(s->o.link) == 0)
        link_wait(s->o.link, 1000);
}

/* The guest stands before its first instruction, at the physical address of code for which the
 * client has a breakpoint at its linear one.  gdb does not see that it stands at it: that is a
 * stop, once. */
static bool starts_at_point(struct gdb_stub *s)
{
    struct cpu_state cpu;
    uint64_t linked;
    if (s->start_told || link_stopped(s->o.link)->why != LINK_AT_START ||
        link_state(s->o.link) != LINK_STOPPED)
        return false;
    link_get_groups(s->o.link, LINK_CORE, &cpu);
    if (!symbols_linked_at(s->o.symbols, state_pc(&cpu), &linked))
        return false;
    for (size_t i = 0; i < s->n_points; i++)
        if (s->point[i].type < 2 && s->point[i].at == linked) {
            s->start_told = s->waiting = true;
            say_early(s, &s->point[i], &cpu);
            return true;
        }
    return false;
}

#define CROSSING_NS 200000000u          /* as long an interrupt can be on its way when a stop
                                           reply is sent */

/* While gdb makes many steps (`stepi 1000000`), an interrupt is likely to arrive just after
 * a step's reply was sent, when nobody is waiting for one.  It would be lost, and the user
 * could never interrupt.  So it is noted (gdb_interrupt()), and the next step that follows
 * at once is answered as interrupted. */
static bool interrupted_late(struct gdb_stub *s)
{
    uint64_t late = s->late_ns;
    s->late_ns = 0;
    return late && host_monotonic_ns() - late < CROSSING_NS &&
           link_state(s->o.link) == LINK_STOPPED && link_stopped(s->o.link)->why == LINK_STEPPED;
}

/* Continue or step, forwards or backwards.  In some cases there is an answer at once: the
 * guest has been set going already (catch_up()), the client has not seen the stop behind an
 * exec event yet, or the guest is over.  Otherwise GDB_LATER: gdb_stub_news() answers when
 * it stops. */
static enum gdb_when start_guest(struct gdb_stub *s, enum link_run how)
{
    if (s->ahead)
        return catch_up(s);
    if (s->waiting)                     /* whose stop is still owed, and perhaps a pause */
        return cannot_go(s, -EBUSY, how);
    stand_still(s);
    if (how == LINK_FREE && starts_at_point(s)) {
        report(s);
        return GDB_NOW;
    }
    if (!s->mode_told && interrupted_late(s)) {
        s->waiting = s->pausing = true;
        report(s);
        return GDB_NOW;
    }
    bool told = s->mode_told;
    enum link_state state = link_state(s->o.link);
    s->mode_told = told && how != LINK_FREE && how != LINK_REVERSE_CONTINUE;
    s->starved = s->pausing = false;
    if (told || state == LINK_DEAD || (state == LINK_ENDED && !LINK_IS_BACK(how))) {
        report(s);                      /* of an end that nobody was told of yet, as a stop first */
        return GDB_NOW;
    }
    if (!s->changed_told && gdb_file_changed(s)) {
        gdb_console_text(s, "the guest's file has changed since the guest was loaded from it: "
                            "names and lines that gdb has read from it now may be wrong\n");
        gdb_begin(&s->p);
        s->changed_told = true;
    }
    gdb_settle_points(s);
    s->how = how;
    s->told_ns = host_monotonic_ns();
    int err = set_going(s);
    if (err)
        return cannot_go(s, err, how);
    s->over_told = false;
    s->why_told = 0;
    s->going = s->waiting = true;
    return GDB_LATER;
}

/* The packet may have an address to go on at; gdb sets the register instead. */
enum gdb_when gdb_continue(struct gdb_stub *s, struct gdb_args args)
{
    (void)args;
    return start_guest(s, LINK_FREE);
}

enum gdb_when gdb_step(struct gdb_stub *s, struct gdb_args args)
{
    (void)args;
    return start_guest(s, LINK_STEP);
}

enum gdb_when gdb_back_step(struct gdb_stub *s, struct gdb_args args)
{
    (void)args;
    return start_guest(s, LINK_REVERSE_STEP);
}

enum gdb_when gdb_back(struct gdb_stub *s, struct gdb_args args)
{
    (void)args;
    return start_guest(s, LINK_REVERSE_CONTINUE);
}

/* "vCont;r from,to": step as long as the program counter is in the range.  The VMM does it
 * at full speed, where gdb would send a packet for each instruction.  An empty range is one
 * step. */
static enum gdb_when go_in_range(struct gdb_stub *s, struct gdb_args *args)
{
    if (!gdb_take_number(args, &s->range_from) || !gdb_take(args, ',') ||
        !gdb_take_number(args, &s->range_to) || s->range_to < s->range_from)
        return gdb_error(s, EINVAL, "vCont;r wants a range");
    return start_guest(s, s->range_from < s->range_to ? LINK_STEP_RANGE : LINK_STEP);
}

enum gdb_when gdb_vcont_query(struct gdb_stub *s, struct gdb_args args)
{
    (void)args;
    gdb_put(&s->p, "vCont;c;C;s;S;t;r");
    return GDB_NOW;
}

/* "vCont;action:thread;action...": the first action is for our CPU, there being no other.
 * [GDB manual "Packets", vCont] */
enum gdb_when gdb_vcont(struct gdb_stub *s, struct gdb_args args)
{
    if (!gdb_take(&args, ';') || !gdb_more(&args))
        return gdb_error(s, EINVAL, "vCont wants an action");
    switch (*args.at++) {
    case 'c':
    case 'C':
        return start_guest(s, LINK_FREE);
    case 's':
    case 'S':
        return start_guest(s, LINK_STEP);
    case 'r':
        return go_in_range(s, &args);
    case 't':
        gdb_interrupt(s);
        return gdb_ok(s);
    default:
        return gdb_error(s, EINVAL, "vCont knows c, C, s, S, r and t");
    }
}

/* Ctrl-C. If nobody waits for a stop, it may belong to a reply that has just been sent: see
 * interrupted_late(). A guest that halts and waits for input stands already. */
void gdb_interrupt(struct gdb_stub *s)
{
    if (!s->waiting && host_monotonic_ns() - s->stop_ns < CROSSING_NS)
        s->late_ns = host_monotonic_ns();
    if (!s->waiting || s->pausing)
        return;
    s->pausing = true;
    s->pause_ns = host_monotonic_ns();
    if (s->starved) {
        s->starved = false;
        send_report(s);
    } else {
        link_pause(s->o.link);          /* what becomes of it, gdb_stub_news() sees */
    }
}

/* ---- coming and going ---- */

/* The client begins to debug.  The guest must stand, and from its mode follows which
 * registers are described.  A client that knows exec events can be told of changes later;
 * for others one description must do. */
void gdb_attach(struct gdb_stub *s)
{
    struct cpu_state cpu;
    s->attached = true;
    s->end_told = s->over_told = s->mode_told = false;
    s->going = s->starved = s->ahead = false;
    stand_still(s);
    link_get_groups(s->o.link, LINK_CORE, &cpu);
    s->arch = s->o.fixed_arch ? s->o.arch : s->exec_events ? gdb_arch_of(&cpu) : s->own_arch;
}

/* The client lets go: the guest runs on as if nobody had ever looked.  If it is stepping or
 * going back, it would stop at the end of that with nobody to send it on; so it is stopped
 * and then sent running freely. */
static void gdb_let_go(struct gdb_stub *s)
{
    gdb_remove_all(s);
    if (s->how != LINK_FREE || s->n_loans)
        stand_still(s);
    gdb_give_all_back(s);
    s->attached = s->waiting = s->pausing = s->mode_told = false;
    s->starved = false;
    s->how = LINK_FREE;
    s->going = link_state(s->o.link) == LINK_RUNNING ||
               (!s->o.last_client && link_run(s->o.link, LINK_FREE, 0) == 0);
    s->closing = !s->extended;
}

/* ";1", or nothing at all, means our one process. */
static bool is_our_process(struct gdb_args a)
{
    uint64_t pid;
    return !gdb_more(&a) ||
           (gdb_take(&a, ';') && gdb_take_number(&a, &pid) && pid == 1 && !gdb_more(&a));
}

enum gdb_when gdb_detach(struct gdb_stub *s, struct gdb_args args)
{
    if (!is_our_process(args))
        return gdb_error(s, ESRCH, "there is one process, 1");
    gdb_let_go(s);
    return gdb_ok(s);
}

enum gdb_when gdb_kill(struct gdb_stub *s, struct gdb_args args)
{
    (void)args;
    gdb_let_go(s);
    return GDB_LATER;                   /* k has no answer */
}

enum gdb_when gdb_vkill(struct gdb_stub *s, struct gdb_args args)
{
    return gdb_detach(s, args);
}

/* `run`, also after the guest has ended: back to where it began.  It is the same run then: what
 * came from outside comes again (doc/reverse.md). */
enum gdb_when gdb_vrun(struct gdb_stub *s, struct gdb_args args)
{
    struct cpu_state cpu;
    (void)args;
    if (s->waiting)                     /* the answer to the packet that runs is still owed */
        return cannot_go(s, -EBUSY, LINK_TO_BEGIN);
    if (link_state(s->o.link) == LINK_DEAD)
        return gdb_error(s, ESRCH, "the monitor is gone");
    stand_still(s);
    gdb_settle_points(s);
    int err = link_run(s->o.link, LINK_TO_BEGIN, 0);
    if (!err)
        err = link_wait(s->o.link, RESTART_MS);
    if (err)
        return gdb_error(s, err, "the guest cannot be taken back to where it began");
    gdb_attach(s);
    link_get_groups(s->o.link, LINK_CORE, &cpu);
    gdb_printf(&s->p, "T%02xthread:%s;", SIG_TRAP, gdb_thread(s));
    put_registers(s, &cpu);
    return GDB_NOW;
}

/* After a detach in extended mode (`!`) the connection stays, and the client may attach
 * again. */
enum gdb_when gdb_vattach(struct gdb_stub *s, struct gdb_args args)
{
    if (!gdb_more(&args) || !is_our_process(args))
        return gdb_error(s, ESRCH, "there is one process, 1");
    if (!s->attached)
        gdb_attach(s);
    return gdb_stop_reason(s, args);
}
