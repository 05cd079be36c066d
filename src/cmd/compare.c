/*
 * cmd/compare.c -- vitrine compare: two engines in lockstep over one guest.
 *
 * Two machines of the same guest run side by side.  After every exit that the guest can tell,
 * and at least every N instructions, registers are compared, and at the end memory; the first
 * difference is shown with the instruction that comes next and the last events of both.  That
 * finds a wrong instruction in the soft engine where it happens, not where its result is used.
 *
 * The comparing is done by vm/lockstep.c; begin reading here with compare().
 */
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include <Zydis/Zydis.h>

#include "base/host.h"
#include "base/trace.h"
#include "base/x86.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cpu/regs.h"
#include "debugger/trace/drain.h"
#include "debugger/trace/text.h"
#include "vm/lockstep.h"

#define EXIT_USAGE  2
#define EXIT_CANNOT 125
/* Of each trace only the last events are ever looked at, and few of them shown. */
#define RING_EVENTS 4096
#define SHOW_EVENTS 12

/* One of the two engines: its machine and its own trace. */
struct side {
    const char  *name;
    struct trace *trace;
    struct trace_drain drain;       /* reads and forgets: only the last events matter */
    struct vm   *vm;
};

/* Signal handlers get no argument, so the machines are at file scope while they run. */
static struct vm *volatile leader, *volatile follower;

/* A kick makes a vCPU come back to its monitor.  Which of the two is running just now a
 * signal handler cannot know, and a kick for one that is not running does no harm. */
static void kick_both(void *arg)
{
    (void)arg;
    struct vm *both[] = { leader, follower };
    for (int i = 0; i < 2; i++)
        if (both[i])
            vm_kick(both[i]);
}

/* Ctrl-C: the leader ends its run, and the follower stops where the leader did. */
static void on_signal(int signo)
{
    if (leader)
        vm_interrupt(leader, signo);
    kick_both(NULL);
}

/* options_help() prints the options that the table gives to `vitrine compare`. */
static void help(void)
{
    fputs("usage: vitrine compare ENGINE[/MMU] ENGINE[/MMU] [options] GUEST\n\n"
          "Runs a guest on two engines side by side and stops at the first difference of their\n"
          "registers, of the exits the guest can tell, or of memory at the end.\n", stdout);
    options_help(FOR_COMPARE, "", stdout);
    fputs("\nexit status: the guest's, as of `vitrine run`, or 1 if the engines differ\n"
          "\nexamples:\n"
          "  vitrine compare soft/nested soft/shadow build/guests/paging.elf\n"
          "  vitrine compare soft kvm build/guests/hello.elf\n", stdout);
}

/* "soft/shadow" to engine and mmu; without a slash the mmu is nested.  False after the user
 * was told. */
static bool parse_side(const char *text, struct vm_config *c)
{
    char name[32];
    size_t len = strcspn(text, "/");
    snprintf(name, sizeof name, "%.*s", (int)len, text);
    c->engine = engine_find(name);
    if (!c->engine) {
        host_say("there is no engine '%s'; `vitrine engines` lists them", name);
        return false;
    }
    c->mmu = MMU_NESTED;
    if (!text[len])
        return true;
    for (unsigned i = 0; i <= MMU_SHADOW; i++) {
        if (strcmp(text + len + 1, mmu_names[i]) == 0) {
            c->mmu = (enum mmu_kind)i;
            return true;
        }
    }
    host_say("'%s': after the slash comes nested or shadow", text);
    return false;
}

/* A machine of this side with a trace of its own, and the guest loaded.  False after the
 * user was told; what was made is freed by cmd_compare() either way. */
static bool build(struct side *s, struct vm_config *c, const struct load_request *guest)
{
    char why[256];
    s->trace = trace_new(RING_EVENTS);
    if (!s->trace) {
        host_say("no memory for the trace ring");
        return false;
    }
    s->trace->mask = TRACE_DEFAULT_KINDS;
    trace_drain_attach(&s->drain, s->trace);
    c->trace = s->trace;
    s->vm = vm_new(c, why, sizeof why);
    if (s->vm && vm_load(s->vm, guest, why, sizeof why) == 0)
        return true;
    if (why[0])
        host_say("%s", why);
    return false;
}

/* The instruction at the leader's RIP, disassembled by Zydis and not by our own decoder:
 * that one may be what is wrong. */
static void show_instruction(struct vm *vm)
{
    struct cpu_state s;
    uint8_t bytes[15];
    char text[100];
    ZydisDecoder decoder;
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    ZydisFormatter formatter;

    if (boot_cpu(vm)->ops->get_state(boot_cpu(vm), ST_ALL, &s))
        return;
    uint64_t rip = s.rip;
    bool long64 = (s.efer & EFER_LMA) && (s.seg[SEG_CS].attr & SEG_L);
    bool wide = s.seg[SEG_CS].attr & SEG_DB;
    ZydisDecoderInit(&decoder, long64 ? ZYDIS_MACHINE_MODE_LONG_64
                     : wide ? ZYDIS_MACHINE_MODE_LEGACY_32 : ZYDIS_MACHINE_MODE_LEGACY_16,
                     long64 ? ZYDIS_STACK_WIDTH_64 : wide
                         ? ZYDIS_STACK_WIDTH_32 : ZYDIS_STACK_WIDTH_16);
    ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
    if (vm_read_linear(vm, s.seg[SEG_CS].base + rip, bytes, sizeof bytes) ||
        !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, sizeof bytes, &insn, operands)) ||
        !ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter, &insn, operands,
                                                      insn.operand_count_visible, text,
                                                      sizeof text, rip, NULL)))
        snprintf(text, sizeof text, "(no instruction can be read there)");
    char place[PLACE_MAX];
    fprintf(stderr, "next instruction at %s: %s\n", state_place_phrase(&s, place, sizeof place),
            text);
}

/* What differs, in which instruction it will show, and the last events of both: an engine
 * goes wrong a few events before the comparison that finds it. */
static void show_difference(const struct lockstep *l, struct side side[2])
{
    fprintf(stderr, "vitrine: the engines differ: %s\n", l->what);
    if (l->states[0])
        fprintf(stderr, "%s (left) and %s (right):\n%s", side[0].name, side[1].name, l->states);
    show_instruction(l->leader);
    for (int i = 0; i < 2; i++) {
        fprintf(stderr, "last events of %s:\n", side[i].name);
        trace_text_recent(side[i].trace, SHOW_EVENTS, stderr);
    }
}

/* What the guest prints; only the leader's output is shown. */
static void put_stdout(void *arg, uint8_t byte)
{
    (void)arg;
    putchar(byte);
}

/* Run both until the leader stops or they differ.  The alarm of the host may kick either of
 * them, whichever is running.  The exit status of the process. */
static int compare(struct side side[2], struct vm_config config[2], const struct run_options *o)
{
    struct lockstep l = { .every_insns = o->every, .check_shadow = o->check_shadow };
    config[0].serial = config[0].debugcon = (struct char_sink){ put_stdout, NULL };
    config[0].alarm = config[1].alarm = host_alarm_at;
    lockstep_prepare(&config[0], &config[1]);
    for (int i = 0; i < 2; i++)
        if (!build(&side[i], &config[i], &o->guest))
            return EXIT_CANNOT;
    l.leader = leader = side[0].vm;
    l.follower = follower = side[1].vm;
    host_alarm_init(kick_both, NULL);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    int status = lockstep_run(&l);
    host_alarm_at(0);
    leader = follower = NULL;
    fflush(stdout);
    if (l.differ)
        show_difference(&l, side);
    else if (!o->quiet)
        fprintf(stderr, "vitrine: %s and %s agree: %" PRIu64 " comparisons, %" PRIu64
                " guest-visible exits, %" PRIu64 " instructions; %s\n", side[0].name, side[1].name,
                l.n_compared, l.n_visible, boot_cpu(l.leader)->icount,
                vm_stops[l.leader->stop].about);
    return status;
}

/* The two engines come first, before all options.  The exit status: 2 bad usage, 1 a
 * difference, else the guest's. */
int cmd_compare(int argc, char **argv)
{
    struct side side[2] = { 0 };
    struct vm_config config[2];
    struct run_options o;
    bool done = argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"));

    if (done) {
        help();
        return 0;
    }
    if (argc < 4) {
        host_say("which two engines, and which guest? `vitrine compare --help` shows examples");
        return EXIT_USAGE;
    }
    side[0].name = argv[1];
    side[1].name = argv[2];             /* the parser puts the command's name there */
    int err = options_parse(FOR_COMPARE, argc - 2, argv + 2, &o, &done);
    if (err || done) {
        if (done)
            help();
        return err;
    }
    for (int i = 0; i < 2; i++) {
        config[i] = o.machine;
        if (!parse_side(side[i].name, &config[i]) || !options_exit_on_ok(&config[i]))
            return EXIT_USAGE;
    }
    int status = compare(side, config, &o);
    for (int i = 0; i < 2; i++) {
        vm_free(side[i].vm);
        if (side[i].trace)
            trace_drain_detach(&side[i].drain);
        trace_free(side[i].trace);
    }
    return status;
}
