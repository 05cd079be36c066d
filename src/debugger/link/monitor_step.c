/*
 * debugger/link/monitor_step.c -- step the monitor with ptrace(), a few debug registers, and the
 * debug information of our own program.
 *
 * Three debug registers are used, as execution breakpoints of the monitor's main thread, which
 * runs the guest:
 *
 *     DR0  vm_answer(), where every exit passes; from there the table in vm/exits.c
 *          says which handler will be called
 *     DR1  that handler's first instruction
 *     DR2  where a step or a finish comes back to
 *
 * Begin reading with stepper_poll(): it takes a stop of the process, and depending on what is
 * under way (enum doing) either resumes it at once or leaves it standing for the user.
 * [ptrace(2); SDM 3B "Debug Registers"]
 */
#include "debugger/link/monitor_step.h"

#include <dwarf.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/host.h"
#include "base/x86.h"
#include "cpu/exit.h"
#include "debugger/symbols/disasm.h"
#include "debugger/symbols/frame.h"
#include "debugger/symbols/symbols.h"
#include "vm/exits.h"

#define SLICE_NS    5000000             /* of one poll                            */
#define ATTACH_MS   1000
#define MAX_STEPS   2000000             /* instructions of one line               */

enum { AT_ANSWER, AT_HANDLER, AT_RETURN, N_POINTS };

/* What is under way while the process is not standing. */
enum doing {
    DOING_NOTHING,                      /* it runs until an exit comes                     */
    DOING_LINE,                         /* single steps, until another source line         */
    DOING_CALL,                         /* runs to AT_RETURN, and then the line goes on    */
    DOING_RETURN,                       /* runs to AT_RETURN, and stands there             */
};

struct stepper {
    struct link      *link;
    pid_t             pid;
    struct debuginfo *info;
    struct symbols   *symbols;
    bool              follow;                   /* stop in the handler of each exit */
    bool              stands, gone;             /* the process: stopped for the user; ended */
    bool              interrupting;             /* PTRACE_INTERRUPT is on its way */
    uint64_t          point[N_POINTS];          /* addresses for the debug registers; 0: not set */
    struct user_regs_struct regs;               /* as of the latest stop */
    struct cpu_state  cpu;                      /* the same, for expressions */

    /* The exit that is being answered. */
    unsigned          reason;
    bool              in_exit;
    uint64_t          handler_cfa;              /* of the handler's frame, or vm_answer()'s */

    /* The step that is under way. */
    enum doing        doing;
    bool              into;                     /* into called functions, too: step */
    uint64_t          from, to;                 /* the line's code: [from, to) */
    struct source_place line;                   /* where it began */
    uint64_t          cfa;                      /* of the function in which it began */
    uint64_t          return_sp;                /* AT_RETURN counts if sp is at least this */
    unsigned          steps;                    /* single steps made so far */
    int               pass_signal;              /* to hand on when it is resumed; 0: none */
};

/* ---- the process ---- */

/* Memory of the monitor's process, for the expressions and frames of debugger/symbols.
 * There is no physical address space here. */
static int read_own(void *arg, bool physical, uint64_t at, void *buf, unsigned n)
{
    const struct stepper *s = arg;
    struct iovec here = { buf, n }, there = { (void *)(uintptr_t)at, n };
    if (physical)
        return -EFAULT;
    return process_vm_readv(s->pid, &here, 1, &there, 1, 0) == (ssize_t)n ? 0 : -EFAULT;
}

/* The monitor's process as something that expressions can be evaluated over. */
static struct expr_machine machine(struct stepper *s)
{
    return (struct expr_machine){
        .cpu = &s->cpu, .symbols = s->symbols, .info = s->info, .read = read_own, .arg = s
    };
}

/* Fetch the registers, also in the form that the code for guests understands: a CPU in
 * 64-bit mode at privilege level 3 (L bit, selector 3). */
static bool load_regs(struct stepper *s)
{
    if (ptrace(PTRACE_GETREGS, s->pid, NULL, &s->regs))
        return false;
    const struct user_regs_struct *r = &s->regs;
    s->cpu = (struct cpu_state){
        .gpr = { r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp, r->rsi, r->rdi,
                 r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15 },
        .rip = r->rip, .rflags = r->eflags, .efer = EFER_LMA | EFER_LME, .cr0 = CR0_PE | CR0_PG,
        .seg[SEG_CS] = { .attr = SEG_L | SEG_P | SEG_S, .sel = 3 },
    };
    return true;
}

/* Where ptrace() keeps the process's debug register n: an offset into struct user.
 * [ptrace(2)] */
static size_t debug_register(unsigned n)
{
    return offsetof(struct user, u_debugreg) + n * sizeof(((struct user *)0)->u_debugreg[0]);
}

/* Load the breakpoints into DR0 to DR2. DR7 enables register i by bit 2i; its other bits
 * stay 0, which means "one byte, when executed".  It is cleared first, so that no breakpoint
 * is enabled while the addresses change.  [SDM 3B "Debug Control Register (DR7)"] */
static bool load_points(struct stepper *s)
{
    uint64_t dr7 = 0;
    bool ok = ptrace(PTRACE_POKEUSER, s->pid, debug_register(7), 0) == 0;
    for (unsigned i = 0; i < N_POINTS && ok; i++) {
        if (!s->point[i])
            continue;
        ok = ptrace(PTRACE_POKEUSER, s->pid, debug_register(i), s->point[i]) == 0;
        dr7 |= BIT(2 * i);
    }
    return ok && ptrace(PTRACE_POKEUSER, s->pid, debug_register(7), dr7) == 0;
}

/* Let it run, or make one step, and hand it the signal that was kept for it. */
static bool resume(struct stepper *s, bool one_step)
{
    long signal = s->pass_signal;
    s->pass_signal = 0;
    s->stands = false;
    if (load_points(s) &&
        ptrace(one_step ? PTRACE_SINGLESTEP : PTRACE_CONT, s->pid, NULL, signal) == 0)
        return true;
    s->gone = errno == ESRCH;
    return false;
}

/* ---- standing ---- */

/* It stands: whatever was under way is done.  From now on link calls give -EAGAIN. */
static void stand(struct stepper *s)
{
    s->doing = DOING_NOTHING;
    s->point[AT_RETURN] = 0;
    s->stands = true;
    link_hold(s->link, true);
}

/* It leaves the exit, if it was in one, and runs to the next (if exits are followed). */
static void run_on(struct stepper *s)
{
    s->doing = DOING_NOTHING;
    s->in_exit = false;
    s->point[AT_ANSWER] = s->follow ? (uint64_t)(uintptr_t)vm_answer : 0;
    s->point[AT_HANDLER] = s->point[AT_RETURN] = 0;
    link_hold(s->link, false);
    resume(s, false);
}

static bool frame_now(struct stepper *s, struct frame *f)
{
    struct expr_machine m = machine(s);
    return frame_innermost(&m, f);
}

/* The source line and the function's name of a code address.  The line table knows the
 * first, the symbol table may know a better name for the second. */
static bool place_at(struct stepper *s, uint64_t at, struct source_place *p)
{
    struct source_place by_name;
    struct source *source = debuginfo_source(s->info);
    bool ok = source_of_address(source, at, p) && p->line > 0;
    if (source_of_function(source, (void (*)(void))(uintptr_t)at, &by_name))
        memcpy(p->function, by_name.function, sizeof p->function);
    return ok;
}

/* ---- going on ---- */

/* Run until `at` is reached with the stack pointer at least sp.  In a recursion, a deeper
 * call returns to the same address with a lower stack pointer, and does not count. */
static void run_to(struct stepper *s, enum doing doing, uint64_t at, uint64_t sp)
{
    s->doing = doing;
    s->point[AT_RETURN] = at;
    s->return_sp = sp;
    resume(s, false);
}

/* Make the next single step of a source line.  A call that the user does not want to step
 * into is run as a whole, up to the instruction behind it. */
static void step_on(struct stepper *s)
{
    uint8_t bytes[15];
    struct insn i;
    uint64_t rip = s->regs.rip;
    s->doing = DOING_LINE;
    if (read_own(s, false, rip, bytes, sizeof bytes) == 0) {
        disasm(bytes, sizeof bytes, 64, rip, 0, NULL, &i);
        if (i.is_call && !s->into) {
            run_to(s, DOING_CALL, rip + i.len, s->regs.rsp);
            return;
        }
    }
    resume(s, true);
}

static bool in_line(const struct stepper *s)
{
    return s->regs.rip >= s->from && s->regs.rip < s->to;
}

/* After each single step: is the source line done?  Compare the frame's CFA (the stack
 * pointer before the call, which identifies a call) with the one where the step began.  A
 * lower CFA is a function that was called: stand there if the user wants to step into it
 * and it has source lines, else run to its return address.  A higher one is the caller.  In
 * the same function the step is done at the first instruction of another line; an
 * instruction in the middle of a line's code is a jump back, as in a loop, and goes on.
 * [DWARF 5 "Call Frame Information"] */
static void look_at_line(struct stepper *s)
{
    struct source_place p;
    struct frame f;
    uint64_t from, to, ra = 0;
    if (++s->steps > MAX_STEPS) {
        stand(s);
        return;
    }
    if (in_line(s)) {
        step_on(s);
        return;
    }
    bool known = place_at(s, s->regs.rip, &p), framed = frame_now(s, &f) && f.cfa;
    bool deeper = framed ? f.cfa < s->cfa : !known;
    /* a function without lines, or a signal's handler */
    if (deeper && !(s->into && known)) {
        if (read_own(s, false, s->regs.rsp, &ra, sizeof ra) == 0 && ra)
            run_to(s, DOING_CALL, ra, s->regs.rsp + 8);
        else
            step_on(s);
        return;
    }
    bool begins =
        source_range(debuginfo_source(s->info), s->regs.rip, &from, &to) && from == s->regs.rip;
    bool other = p.line != s->line.line || strcmp(p.file, s->line.file) != 0;
    if (known && (deeper || (framed && f.cfa > s->cfa) || (other && begins)))
        stand(s);
    else
        step_on(s);
}

/* Note the line's range of code and the frame, then make single steps.  Where there is no
 * line the range is one byte: one instruction. */
static void begin_line(struct stepper *s, bool into)
{
    struct frame f;
    s->into = into;
    s->steps = 0;
    s->cfa = frame_now(s, &f) ? f.cfa : 0;
    place_at(s, s->regs.rip, &s->line);
    if (!source_range(debuginfo_source(s->info), s->regs.rip, &s->from, &s->to)) {
        s->from = s->regs.rip;
        s->to = s->from + 1;
    }
    step_on(s);
}

/* Run to the caller; for the handler, and what is outside of it, that means to answer the
 * exit. */
static void begin_finish(struct stepper *s)
{
    struct expr_machine m = machine(s);
    struct frame f, caller;
    if (frame_now(s, &f) && f.cfa && f.cfa < s->handler_cfa && frame_caller(&m, &f, &caller))
        run_to(s, DOING_RETURN, caller.pc, f.cfa);
    else
        run_on(s);
}

int stepper_go(struct stepper *s, enum stepper_go how)
{
    if (s->gone)
        return -ESRCH;
    if (!s->stands)
        return -EBUSY;
    switch (how) {
    case STEPPER_STEP:
    case STEPPER_NEXT:     begin_line(s, how == STEPPER_STEP); break;
    case STEPPER_FINISH:   begin_finish(s); break;
    case STEPPER_CONTINUE: run_on(s); break;
    }
    return s->gone ? -ESRCH : 0;
}

/* ---- stops ---- */

/* An exit is about to be answered.  Read its record out of the monitor's memory to learn
 * its reason, and with that which handler the table in vm/exits.c has for it; the next stop
 * is there.  The record is the third argument of vm_answer(), which is in RDX. [System V
 * ABI for AMD64 "Parameter Passing"] */
static void at_answer(struct stepper *s)
{
    struct vmexit x;
    exit_handler_fn *handler = NULL;
    if (read_own(s, false, s->regs.rdx, &x, sizeof x) == 0) {
        s->reason = (unsigned)x.reason;
        handler = vm_exit_handler(s->reason);
    }
    s->in_exit = true;
    s->handler_cfa = s->regs.rsp + 8;
    s->point[AT_ANSWER] = 0;
    s->point[AT_HANDLER] = (uint64_t)(uintptr_t)handler;
    if (!handler)
        stand(s);
    else
        resume(s, false);
}

/* At a function's first instruction the return address is on top of the stack, so the CFA
 * is 8 above it. */
static void at_handler(struct stepper *s)
{
    s->handler_cfa = s->regs.rsp + 8;
    s->point[AT_HANDLER] = 0;
    stand(s);
}

/* SIGTRAP: a breakpoint was met or a single step is done.  Which one it was follows from
 * what is under way. */
static void at_trap(struct stepper *s)
{
    uint64_t rip = s->regs.rip;
    if (s->doing == DOING_CALL || s->doing == DOING_RETURN) {
        if (rip != s->point[AT_RETURN] || s->regs.rsp < s->return_sp) {
            resume(s, false);           /* deeper in a recursion */
            return;
        }
        s->point[AT_RETURN] = 0;
        if (s->doing == DOING_RETURN)
            stand(s);
        else
            look_at_line(s);
    } else if (s->doing == DOING_LINE) {
        look_at_line(s);
    } else if (rip == s->point[AT_ANSWER]) {
        at_answer(s);
    } else if (rip == s->point[AT_HANDLER]) {
        at_handler(s);
    } else {
        resume(s, false);
    }
}

/* A signal of the monitor's own (its alarm clock, a kick) is handed on.  During a single
 * step that would land in the signal's handler; so run until the handler has come back to
 * where the step is. */
static void at_signal(struct stepper *s, int signal)
{
    s->pass_signal = signal;
    if (s->doing == DOING_LINE)
        run_to(s, DOING_CALL, s->regs.rip, s->regs.rsp);
    else
        resume(s, false);
}

/* The process has stopped.  si_status has the signal, and above it the event of a PTRACE_
 * option or of PTRACE_INTERRUPT. [ptrace(2)] */
static void take_stop(struct stepper *s, int status)
{
    int signal = status & 0xff, event = status >> 8;
    if (!load_regs(s)) {
        s->gone = true;
        return;
    }
    if (event && s->interrupting) {             /* PTRACE_INTERRUPT */
        s->interrupting = false;
        s->stands = true;
    } else if (event) {
        resume(s, s->doing == DOING_LINE);
    } else if (signal == SIGTRAP) {
        at_trap(s);
    } else {
        at_signal(s, signal);
    }
}

/* Has the process ended?  WNOWAIT leaves its exit status to link.c, which tells the user.
 * A stop may be reported here too, hence the look at si_code. */
static bool has_ended(const struct stepper *s)
{
    siginfo_t i = { .si_pid = 0 };
    if (waitid(P_PID, (id_t)s->pid, &i, WEXITED | WNOHANG | WNOWAIT))
        return true;
    return i.si_pid &&
           (i.si_code == CLD_EXITED || i.si_code == CLD_KILLED || i.si_code == CLD_DUMPED);
}

/* While a source line is being stepped, a stop follows a resumption within microseconds, so
 * this looks again for a while (`idle`) before it returns to the main loop. */
enum stepper_state stepper_poll(struct stepper *s)
{
    uint64_t late = host_monotonic_ns() + SLICE_NS;
    for (unsigned idle = 0; !s->gone && !s->stands; ) {
        siginfo_t i = { .si_pid = 0 };
        if (waitid(P_PID, (id_t)s->pid, &i, WSTOPPED | WNOHANG | __WALL) != 0 || has_ended(s)) {
            s->gone = true;
        } else if (i.si_pid) {
            take_stop(s, i.si_status);
            idle = 0;
        } else if (s->doing != DOING_LINE || ++idle > 1000) {
            break;                              /* a single step is worth waiting for */
        }
        if (host_monotonic_ns() > late)
            break;
    }
    if (s->gone)
        link_hold(s->link, false);
    return s->gone ? STEPPER_GONE : s->stands ? STEPPER_STANDS : STEPPER_RUNS;
}

enum stepper_state stepper_wait(struct stepper *s, int timeout_ms)
{
    uint64_t late = host_monotonic_ns() + (uint64_t)timeout_ms * 1000000;
    enum stepper_state state;
    while ((state = stepper_poll(s)) == STEPPER_RUNS && host_monotonic_ns() < late)
        if (s->doing != DOING_LINE)
            usleep(200);
    return state;
}

/* Stop it wherever it is, for a moment.  The flag makes take_stop() see that this stop was
 * asked for.  false: it is gone, or does not stop. */
static bool interrupt(struct stepper *s)
{
    if (s->stands)
        return true;
    s->interrupting = true;
    if (ptrace(PTRACE_INTERRUPT, s->pid, NULL, NULL))
        return false;
    return stepper_wait(s, ATTACH_MS) == STEPPER_STANDS;
}

/* DR0 can only be changed while the process is stopped, so it is interrupted, and sent on.
 * It may be in an exit just then: at its handler already, where it stands, or on the way
 * from vm_answer() to it. */
int stepper_follow(struct stepper *s, bool on)
{
    bool stood = s->stands && s->in_exit;
    s->follow = on;
    if (stood)
        return 0;                               /* resuming will set DR0 anyhow */
    if (!interrupt(s))
        return s->gone ? -ESRCH : -ETIMEDOUT;
    bool stands = s->interrupting;              /* it stood before the interrupt came */
    s->interrupting = false;
    if (stands)
        return 0;
    if (on && s->in_exit)
        resume(s, false);
    else
        run_on(s);
    return s->gone ? -ESRCH : 0;
}

bool stepper_follows(const struct stepper *s)
{
    return s->follow;
}

/* ---- attaching ---- */

/* Does /proc/PID/status name a tracer?  [proc(5)] */
static bool is_traced(pid_t pid)
{
    char path[40], line[200];
    int tracer = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f) && sscanf(line, "TracerPid: %d", &tracer) != 1)
        ;
    if (f)
        fclose(f);
    return tracer > 0;
}

/* What the errno of PTRACE_SEIZE means to the user. */
static const char *refusal(pid_t pid, int err)
{
    if (err == ESRCH)
        return "it is gone";
    if (err != EPERM)
        return strerror(err);
    return is_traced(pid) ? "another debugger traces it already"
         : "this system does not permit one process to trace another (Yama's ptrace_scope, or a "
           "container without CAP_SYS_PTRACE)";
}

/* The symbols of our own program, moved to where it was loaded (it is
 * position-independent). */
static struct symbols *own_symbols(const struct debuginfo *info)
{
    char why[200];
    struct symbols *s = symbols_open("/proc/self/exe", why, sizeof why);
    symbols_shift(s, debuginfo_bias(info));
    return s;
}

/* PTRACE_SEIZE, unlike PTRACE_ATTACH, does not stop the process, and makes PTRACE_INTERRUPT
 * possible.  EXITKILL: if the debugger dies, the monitor dies with it and is not left
 * standing. */
struct stepper *stepper_attach(struct link *l, char *why, size_t n)
{
    struct stepper *s = calloc(1, sizeof *s);
    if (!s) {
        snprintf(why, n, "there is not enough memory");
        return NULL;
    }
    *s = (struct stepper){ .link = l, .pid = link_pid(l), .info = debuginfo_own() };
    if (link_state(l) == LINK_DEAD || !s->info) {
        snprintf(why, n, s->info ? "the monitor is gone"
                                 : "this program has no debug information of its own");
    } else if (ptrace(PTRACE_SEIZE, s->pid, NULL, PTRACE_O_EXITKILL)) {
        snprintf(why, n, "the monitor cannot be stepped: %s", refusal(s->pid, errno));
    } else {
        s->symbols = own_symbols(s->info);
        if (stepper_follow(s, false) == 0)
            return s;
        snprintf(why, n, "the monitor cannot be stepped: %s",
                 s->gone ? "it is gone" : "it does not stop");
        ptrace(PTRACE_DETACH, s->pid, NULL, NULL);
    }
    symbols_close(s->symbols);
    debuginfo_close(s->info);
    free(s);
    return NULL;
}

/* The debug registers must be cleared first: a breakpoint that is met without a tracer
 * would kill the process with SIGTRAP. */
void stepper_detach(struct stepper *s)
{
    if (!s)
        return;
    s->follow = false;
    if (!s->gone && interrupt(s)) {
        memset(s->point, 0, sizeof s->point);
        load_points(s);
        ptrace(PTRACE_DETACH, s->pid, NULL, (long)s->pass_signal);
    }
    link_hold(s->link, false);
    symbols_close(s->symbols);
    debuginfo_close(s->info);
    free(s);
}

/* ---- looking ---- */

bool stepper_where(struct stepper *s, unsigned level, struct source_place *p)
{
    struct expr_machine m = machine(s);
    struct frame f, callee;
    *p = (struct source_place){ .line = 0 };
    if (!s->stands || !frame_now(s, &f))
        return false;
    for (; level; level--) {
        callee = f;
        if (!frame_caller(&m, &callee, &f))
            return false;
    }
    place_at(s, frame_lookup_pc(&f), p);
    return true;
}

struct source *stepper_source(struct stepper *s)
{
    return debuginfo_source(s->info);
}

const char *stepper_exit(const struct stepper *s)
{
    return s->in_exit ? exit_name(s->reason) : "";
}

/* The frame gives access to local variables; without one, only globals are known. */
static bool print_value(struct stepper *s, const char *expr, bool json, FILE *out)
{
    struct expr_machine m = machine(s);
    struct frame f;
    struct value v;
    char why[300];
    size_t at;
    if (frame_now(s, &f)) {
        m.frame = &f;
        m.cpu = NULL;                   /* vm is our variable, and not a flag of the CPU's */
    }
    if (expr_eval_value(expr, &m, &v, &at, why, sizeof why)) {
        fprintf(out, json ? "null" : "%s", why);
        return false;
    }
    if (json)
        value_json(&m, &v, out);
    else if (type_kind(&v.type) == TYPE_NONE)
        fprintf(out, "%#llx", (unsigned long long)v.bits);
    else
        value_print(&m, &v, out);
    return true;
}

bool stepper_print(struct stepper *s, const char *expr, bool json, FILE *out)
{
    if (!s->stands) {
        fputs(json ? "null\n" : "the monitor runs; it can be looked at while it stands\n", out);
        return false;
    }
    bool ok = print_value(s, expr, json, out);
    fputc('\n', out);
    return ok;
}

/* Names are printed as "sym:NAME" expressions, so that a variable called `rax` or `vm` is
 * not taken for a register or a flag. */
void stepper_locals(struct stepper *s, FILE *out)
{
    struct frame f;
    struct frame_scopes scopes;
    Dwarf_Die die;
    if (!s->stands || !frame_now(s, &f))
        return;
    frame_open_scopes(s->info, &f, &scopes);
    for (unsigned i = 0; frame_variable(&scopes, i, &die); i++) {
        char name[150];
        const char *is = dwarf_diename(&die);
        if (!is || strlen(is) > 120)
            continue;
        snprintf(name, sizeof name, "sym:%s", is);
        fprintf(out, "%s = ", is);
        print_value(s, name, false, out);
        fputc('\n', out);
    }
}
