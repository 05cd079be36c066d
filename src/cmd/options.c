/*
 * cmd/options.c -- parse the options of `vitrine run` and its relatives.
 *
 * The options are rows of option_list.h.  Begin reading with options_parse(), near the end: it
 * walks over argv with getopt_long(), hands each option to parse_one(), finds the guest's
 * name, and then asks fits_together() whether all of that makes sense at once.
 *
 * What is wrong is told where it is found, in a sentence that says what would be right; the
 * functions then return false, and the process ends with status 2.
 */
#include "cmd/option_list.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/host.h"
#include "base/likeness.h"
#include "base/trace.h"
#include "cmd/disks.h"
#include "cmd/foreign.h"
#include "debugger/gdb/server.h"
#include "debugger/symbols/gdb_regs.h"
#include "vm/snapshot.h"

#define EXIT_USAGE 2
#define EXIT_CANNOT 125          /* a file of the user's, or the host */

/* The numbers that getopt_long() returns for the options of the table, in its order.  They
 * begin above every character, which stands for a short option. */
enum {
    OPT_BASE = 256,
#define X(key, name, arg, users, help) OPT_##key,
    OPTION_LIST(X)
#undef X
    OPT_END
};

/* The rows as an array, for --help and for is_of(): row i is option OPT_BASE + 1 + i. */
static const struct { const char *name, *arg; unsigned users; const char *help; } option_infos[] = {
#define X(key, name, arg, users, help) { name, arg, users, help },
    OPTION_LIST(X)
#undef X
};

/* The same rows as getopt_long() wants them; a row of zeros ends the list.  [getopt(3)] */
static const struct option long_options[] = {
#define X(key, name, arg, users, help) \
    { name, (arg) ? required_argument : no_argument, NULL, OPT_##key },
    OPTION_LIST(X)
#undef X
    { 0 }
};

/* The names behind --exit-on have a table of their own (cpu/controls.h). */
static void exit_on_help(FILE *out)
{
    fputs("\n--exit-on LIST, with commas between:\n", out);
    for (size_t i = 0; i < NELEM(exit_on_infos); i++)
        fprintf(out, "  %-20s %s\n", exit_on_infos[i].name, exit_on_infos[i].about);
    fprintf(out, "  %-20s %s\n  %-20s %s\n  %-20s %s\n", "pf, gp, ud, 6 ...",
            "one exception, by name or number", "exceptions", "all of them", "all",
            "all of the above");
}

/* Only the options of this command.  --exit-on is followed by the names it takes. */
void options_help(enum option_user user, const char *more, FILE *out)
{
    fputs("\noptions:\n", out);
    for (size_t i = 0; i < NELEM(option_infos); i++) {
        char left[40];
        if (!(option_infos[i].users & user))
            continue;
        snprintf(left, sizeof left, "--%s %s", option_infos[i].name,
                 option_infos[i].arg ? option_infos[i].arg : "");
        fprintf(out, "  %-20s %s\n", left, option_infos[i].help);
    }
    fputs(more, out);
    if (option_infos[OPT_EXIT_ON - OPT_BASE - 1].users & user)
        exit_on_help(out);
}

/* A size in bytes: a number and a unit, each 1024 times the one before; "i" and "B" may
 * follow.
 *
 *   64M = 64MiB = 65536K = 67108864
 *
 * False if it is not a size or does not fit into 64 bits, where shifting would drop its
 * high bits. */
static bool parse_size(const char *text, uint64_t *bytes)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 0);
    static const char units[] = "KMGT";
    unsigned shift = 0;
    if (end == text || errno || text[0] == '-')
        return false;
    if (*end) {
        const char *u = strchr(units, toupper((unsigned char)*end));
        if (!u)
            return false;
        shift = 10 * (unsigned)(u - units + 1);
        end++;
        if (*end == 'i')
            end++;
        if (*end == 'B' || *end == 'b')
            end++;
    }
    if (*end || v > UINT64_MAX >> shift)
        return false;
    *bytes = v << shift;
    return true;
}

/* A number in decimal, or behind 0x in hexadecimal.  strtoull() takes a minus sign and
 * wraps the value around; a number of options is never negative.  False after the user was
 * told. */
static bool parse_number(const char *name, const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 0);
    if (end != text && !*end && !errno && text[0] != '-')
        return true;
    host_say("--%s wants a number, not '%s'", name, text);
    return false;
}

/* auto is kvm only if a trial shows that it can run any guest of ours: some KVMs have no
 * 32-bit paging (doc/engines.md), and a guest that fails on the user's machine only is no
 * help. */
static bool parse_cpu(const char *name, struct vm_config *c)
{
    if (strcmp(name, "auto") == 0) {
        struct engine_caps caps = { 0 };
        bool whole = engine_kvm.probe(&caps) == 0 && caps.ok && caps.paging32 && caps.long_mode;
        c->engine = whole ? &engine_kvm : &engine_soft;
        return true;
    }
    c->engine = engine_find(name);
    if (c->engine)
        return true;
    host_say("there is no engine '%s'; `vitrine engines` lists them", name);
    return false;
}

/* The names of mmu_names, but pv: no machine can be built with that one yet. */
static bool parse_mmu(const char *name, struct vm_config *c)
{
    for (unsigned i = 0; i < NELEM(mmu_names); i++) {
        if (strcmp(name, mmu_names[i]) == 0 && i != MMU_PV) {
            c->mmu = (enum mmu_kind)i;
            return true;
        }
    }
    host_say("--mmu is nested or shadow, not '%s'", name);
    return false;
}

#define MEM_MIN (UINT64_C(1) << 20)
#define MEM_MAX (UINT64_C(1) << 36)

/* In whole MiB, from 2 MiB (the PC's low memory with its holes is the first) to 64 GiB. */
static bool parse_mem(const char *text, struct vm_config *c)
{
    if (parse_size(text, &c->ram_bytes) && c->ram_bytes >= 2 * MEM_MIN && c->ram_bytes <= MEM_MAX &&
        c->ram_bytes % MEM_MIN == 0)
        return true;
    host_say("--mem wants a size from 2M to 64G in whole MiB, for example 64M, not '%s'", text);
    return false;
}

/* The host's time is read once, here: from then on the guest's clock goes by virtual time,
 * and the run can be repeated by giving the same number. */
static bool parse_rtc(const char *text, struct vm_config *c)
{
    uint64_t s;
    if (strcmp(text, "host") == 0) {
        c->rtc_start_s = (int64_t)host_realtime_s();
        return true;
    }
    if (!parse_number("rtc", text, &s))
        return false;
    c->rtc_start_s = (int64_t)s;
    return true;
}

/* A name of load.h's table; behind "flat" an address and a width may follow, as in
 * flat@0x7c00:16, and behind "boot" a drive. */
static bool parse_format(const char *text, const char **format)
{
    for (unsigned i = 0; i < N_LOAD_FORMATS; i++) {
        const char *name = load_formats[i].name, *rest = text + strlen(name);
        if (strncmp(text, name, strlen(name)) == 0 &&
            (!*rest || (i == LOAD_FLAT && *rest == '@') ||
             ((i == LOAD_FLAT || i == LOAD_BOOT) && *rest == ':'))) {
            *format = text;
            return true;
        }
    }
    host_say("--format is elf, multiboot, multiboot2, linux, linux64, boot[:0|0x80] or "
             "flat[@ADDR][:16|32|64], not '%s'", text);
    return false;
}

/* Names without regard to case, with commas between; an empty list is no kind at all. */
bool parse_kinds(const char *list, uint64_t *mask)
{
    *mask = 0;
    while (*list) {
        size_t len = strcspn(list, ",");
        unsigned k = 0;
        while (k < N_TRACE_KINDS && (strlen(trace_kinds[k].name) != len ||
                                     strncasecmp(trace_kinds[k].name, list, len)))
            k++;
        if (k == N_TRACE_KINDS) {
            host_say("there is no kind of event '%.*s'; `vitrine trace --kinds` lists them",
                     (int)len, list);
            return false;
        }
        *mask |= BIT(k);
        list += len + (list[len] == ',');
    }
    return true;
}

/* `bad` points into the list, at the name that is none; the complaint shows it up to the
 * comma. */
static bool parse_exit_on(const char *list, struct vm_config *c)
{
    const char *bad;
    if (exit_on_parse(list, &c->exit_on, &bad))
        return true;
    host_say("--exit-on: '%.*s' is nothing that can exit; `vitrine run --help` lists what can",
             (int)strcspn(bad, ","), bad);
    return false;
}

/* An address is checked here, before a guest is started in vain; the socket is made later. */
static bool parse_gdb_at(const char *where, struct run_options *o)
{
    char why[200];
    o->gdb = where;
    if (gdb_server_address_ok(where, why, sizeof why))
        return true;
    host_say("--gdb: %s", why);
    return false;
}

/* A debugger that cannot be told of a change of mode gets one description for the whole
 * run. */
static bool parse_gdb_arch(const char *name, struct run_options *o)
{
    o->gdb_arch = name;
    for (size_t i = 0; i < N_GDB_ARCHS; i++)
        if (strcmp(gdb_arch_names[i], name) == 0)
            return true;
    host_say("--gdb-arch is i8086, i386 or i386:x86-64, not '%s'", name);
    return false;
}

/* -ex and -x, in the order in which they were given. */
static bool add_command(struct run_options *o, bool is_file, const char *text)
{
    if (o->n_commands == MAX_COMMANDS) {
        host_say("more than %d commands; put them into a file for -x", MAX_COMMANDS);
        return false;
    }
    o->command[o->n_commands++] = (struct debug_command){ is_file, text };
    return true;
}

/* A process has one byte for its status. */
static bool parse_halt_status(const char *text, struct vm_config *c)
{
    uint64_t n;
    if (!parse_number("halt-status", text, &n))
        return false;
    c->halt_status = (uint8_t)n;
    if (n > 255)
        host_say("--halt-status is from 0 to 255, not %s", text);
    return n <= 255;
}

/* The machine has as much ROM as the image has bytes. */
static bool parse_bios(const char *path, struct run_options *o)
{
    char why[300];
    o->guest.bios = path;
    int err = load_rom_size(path, &o->machine.bios_bytes, why, sizeof why);
    if (err)
        host_say("%s", why);
    return !err;
}

static bool parse_uart(const char *text, struct vm_config *c)
{
    c->uart_fast = strcmp(text, "fast") == 0;
    if (c->uart_fast || strcmp(text, "paced") == 0)
        return true;
    host_say("--uart is paced or fast, not '%s'", text);
    return false;
}

/* What one option means.  False after the user was told. */
static bool parse_one(int opt, char *arg, struct run_options *o)
{
    struct vm_config *c = &o->machine;
    switch (opt) {
    case OPT_CPU:      o->cpu_given = strcmp(arg, "auto") != 0; return parse_cpu(arg, c);
    case OPT_MMU:      o->mmu_given = true;     return parse_mmu(arg, c);
    case OPT_MEM:      o->mem_given = true;     return parse_mem(arg, c);
    case OPT_RTC:      return parse_rtc(arg, c);
    case OPT_INSNS:    return parse_number("limit-insns", arg, &c->limit_insns);
    case OPT_EXITS:    return parse_number("limit-exits", arg, &c->limit_exits);
    case OPT_EXIT_ON:  return parse_exit_on(arg, c);
    case OPT_SEED:     return parse_number("seed", arg, &c->seed);
    case OPT_APPEND:   o->guest.append = arg;   break;
    case OPT_INITRD:   o->guest.initrd = arg;   break;
    case OPT_BIOS:     return parse_bios(arg, o);
    case OPT_DISK:     return disks_parse(o, arg);
    case OPT_FORMAT:   return parse_format(arg, &o->guest.format);
    case OPT_TRACE:    o->trace_path = arg;     break;
    case OPT_KINDS:    return parse_kinds(arg, &o->kinds);
    case OPT_TRACE_INSNS: o->insns = true;      break;
    case OPT_SCREEN:   o->screen_dump = arg;    break;
    case OPT_LOG_FAULTS: o->log_faults = true; c->exit_on |= UINT32_MAX; break;   /* exceptions */
    case OPT_STAT:     o->stat = true;          break;
    case OPT_TIMING:   c->timing = true;        break;
    case OPT_STRICT:   c->strict = true;        break;
    case OPT_GDB_AT:   return parse_gdb_at(arg, o);
    case OPT_GDB_ARCH: return parse_gdb_arch(arg, o);
    case OPT_GDB_CS_IP: o->gdb_cs_ip = true;    break;
    case OPT_MAGIC:    c->magic_break = true;   break;
    case OPT_KEYBOARD: o->keyboard = true;      break;
    case OPT_HALT_STATUS: return parse_halt_status(arg, c);
    case OPT_UART:     return parse_uart(arg, c);
    case OPT_REBOOT:   c->no_reboot = true;     break;
    case OPT_RECORD:   o->record = arg;         break;
    case OPT_FROM:     o->from = arg;           break;
    case OPT_EVERY:    return parse_number("every", arg, &o->every);
    case OPT_SHADOW:   o->check_shadow = true;  break;
    case OPT_QUIET:    o->quiet = true;         break;
    case OPT_EX:       return add_command(o, false, arg);
    case OPT_SCRIPT:   return add_command(o, true, arg);
    case OPT_SYMBOLS:  o->symbols = arg;        break;
    case OPT_BATCH:    o->batch = true;         break;
    case OPT_JSON:     o->json = true;          break;
    case OPT_SANDBOX:  o->no_sandbox = true;    break;
    default:           return false;            /* getopt has told the user */
    }
    return true;
}

#define YEAR_2000 946684800
#define ALL_KINDS TRACE_DEFAULT_KINDS

/* What the user calls the commands.  Of an option that several know, the first in this
 * order is named in a complaint. */
static const struct { enum option_user user; char *name, *command; } users[] = {
    { FOR_RUN, "run", "vitrine run" },
    { FOR_DEBUG, "debug", "vitrine debug" },
    { FOR_TUI, "tui", "vitrine tui" },
    { FOR_GDB, "gdb", "vitrine gdb" },
    { FOR_COMPARE, "compare", "vitrine compare" },
    { FOR_REPLAY, "replay", "vitrine replay" },
};

/* The first command that has an option, to be named in a complaint. */
static size_t user_index(unsigned of)
{
    size_t i = 0;
    while (i + 1 < NELEM(users) && !(users[i].user & of))
        i++;
    return i;
}

/* Does the command know this option?  If it exists elsewhere the user is told where.  A
 * number that is not in the table (a short option, or "?") is let pass: parse_one() has the
 * last word. */
static bool is_of(int opt, enum option_user user)
{
    if (opt <= OPT_BASE || opt >= OPT_END || option_infos[opt - OPT_BASE - 1].users & user)
        return true;
    host_say("--%s is an option of `vitrine %s`", option_infos[opt - OPT_BASE - 1].name,
             users[user_index(option_infos[opt - OPT_BASE - 1].users)].name);
    return false;
}

/* "timing=1" tells `vitrine trace` that host times are in the events.  The path is cut
 * rather than the other lines. */
void options_trace_info(const struct run_options *o, char info[OPTIONS_TRACE_INFO])
{
    const struct vm_config *c = &o->machine;
    snprintf(info, OPTIONS_TRACE_INFO,
             "guest=%.4200s\nengine=%s\nmmu=%s\nmem=%" PRIu64 "\nseed=%" PRIu64 "\n%s%s%.4200s%s",
             o->guest.path, c->engine->name, mmu_names[c->mmu], c->ram_bytes, c->seed,
             c->timing ? "timing=1\n" : "", o->symbols ? "symbols=" : "",
             o->symbols ? o->symbols : "", o->symbols ? "\n" : "");
}

/* kvm's `exit_on` is empty, so any name that was asked for is one too many. */
bool options_exit_on_ok(const struct vm_config *c)
{
    if (!(c->exit_on & ~c->engine->exit_on))
        return true;
    host_say("--exit-on is for soft: under kvm the host's kernel decides what exits, and answers "
             "the rest by itself");
    return false;
}

/* What contradicts itself, or asks kvm for what its kernel keeps to itself.  The first
 * contradiction is told; false. */
static bool fits_together(enum option_user user, const struct run_options *o)
{
    const struct vm_config *c = &o->machine;
    if (c->engine == &engine_kvm && c->mmu == MMU_SHADOW)
        host_say("--mmu shadow is for --cpu soft: under kvm the kernel translates");
    else if (c->engine == &engine_kvm && c->limit_insns)
        host_say("--limit-insns is for --cpu soft: kvm does not count instructions");
    else if (c->engine == &engine_kvm && o->log_faults)
        host_say("--log-faults is for --cpu soft: under kvm exceptions go to the guest unseen");
    else if (o->log_faults && o->gdb)
        host_say("--log-faults is for a run without --gdb, which has `monitor info regs`");
    else if (!options_exit_on_ok(c))
        return false;                   /* it has said so */
    else if (c->engine == &engine_kvm && o->insns)
        host_say("--trace-insns is for --cpu soft: under kvm instructions run unseen");
    else if ((o->kinds != ALL_KINDS || o->insns) && !o->trace_path && user == FOR_RUN)
        host_say("--trace-%s says what --trace keeps; --trace is missing",
                 o->insns ? "insns" : "kinds");
    else if ((o->gdb || user == FOR_GDB) &&
             (o->stat || (o->trace_path && strcmp(o->trace_path, "-") == 0)))
        host_say("--gdb goes with --trace FILE, which `vitrine trace` and `vitrine stat` read");
    else if (o->record && (o->gdb || o->from || !engine_repeats(c->engine)))
        host_say(o->gdb ? "--gdb keeps a recording of its own; --record is for a run without it"
                 : o->from
                     ? "--record begins with the guest's first instruction, and --from does not"
                     : "--record is for --cpu soft: under kvm a run is never the same again");
    else if (o->from && o->gdb)
        host_say("--from goes with `vitrine debug`, or with a run without --gdb");
    else if (c->magic_break && c->engine == &engine_kvm)
        host_say("--magic-break is for --cpu soft: under kvm instructions run unseen");
    else if (c->magic_break && !o->gdb && user == FOR_RUN)
        host_say("--magic-break stops in a debugger: `vitrine debug`, or --gdb WHERE");
    else if ((o->gdb_arch || o->gdb_cs_ip) && !o->gdb && user != FOR_GDB)
        host_say("--gdb-%s says what --gdb tells; --gdb is missing",
                 o->gdb_arch ? "arch" : "cs-ip");
    else
        return true;
    return false;
}

/* getopt_long() sorts the guest's name behind the options, changing the order in argv.
 * gdb's users write -ex with one dash, which getopt would read as -e -x: it is given its
 * second dash first.  `argv[0]` is what getopt's own complaints begin with.  [getopt(3)] */
/* getopt_long() has refused an option.  Is it one of another program's, or one of ours with
 * a slip of the finger? */
static void suggest(enum option_user user, int argc, char **argv)
{
    const char *word = optind > 0 && optind <= argc ? argv[optind - 1] : "", *here;
    for (int i = 1; i < argc; i++)
        if ((here = foreign_option(argv[i])) != NULL) {
            host_say("%s is called otherwise here: %s", argv[i], here);
            return;
        }
    word += strspn(word, "-");
    struct likeness l = { .word = word, .len = strcspn(word, "=") };
    for (size_t i = 0; i < NELEM(option_infos); i++)
        if (option_infos[i].users & user)
            likeness_try(&l, option_infos[i].name);
    if (l.best && l.distance)
        host_say("did you mean --%s?", l.best);
    host_say("`vitrine %s --help` lists the options", users[user_index(user)].name);
}

int options_parse(enum option_user user, int argc, char **argv, struct run_options *o, bool *done)
{
    const char *command = users[user_index(user)].name;

    *done = false;
    *o = (struct run_options){
        .machine = { .engine = &engine_soft, .mmu = MMU_NESTED, .ram_bytes = 64u << 20,
                     .rtc_start_s = YEAR_2000 },
        .every = 10000,
        .kinds = ALL_KINDS,
    };
    optind = 0;                 /* getopt may have been used before */
    argv[0] = users[user_index(user)].command;      /* what it calls us */
    for (int i = 1; user == FOR_DEBUG && i < argc; i++)
        if (strcmp(argv[i], "-ex") == 0)
            argv[i] = "--ex";
    for (int opt; (opt = getopt_long(argc, argv, user == FOR_DEBUG ? "hx:" : "h", long_options,
                                     NULL)) != -1; ) {
        if (opt == 'x')
            opt = OPT_SCRIPT;
        if (opt == OPT_HELP || opt == 'h') {
            *done = true;
            return 0;
        }
        if (!is_of(opt, user) || !parse_one(opt, optarg, o)) {
            if (opt == '?')
                suggest(user, argc, argv);
            return EXIT_USAGE;
        }
    }
    if (!disks_open(o, user))
        return EXIT_CANNOT;
    if (optind == argc && o->guest.bios)
        o->guest.path = o->guest.bios;          /* it is all there is */
    if (optind == argc && !o->guest.path && !o->from && o->n_disks && user != FOR_REPLAY) {
        o->guest.path = o->machine.disk[0].path;
        o->guest.from_disk = true;
    }
    if (optind == argc && (o->from || o->guest.path))
        return fits_together(user, o) ? 0 : EXIT_USAGE;
    if (optind + 1 != argc) {
        host_say(optind == argc && user == FOR_REPLAY
                     ? "which recording? `vitrine run --record FILE GUEST` makes "
                       "one; `vitrine %s --help` shows examples"
                 : optind == argc ? "which guest? name an ELF, Multiboot, Linux or boot image; "
                                    "`vitrine %s --help` shows examples"
                                  : "one guest at a time, please; see `vitrine %s --help`",
                 command);
        return EXIT_USAGE;
    }
    o->guest.path = argv[optind];
    return user == FOR_COMPARE || fits_together(user, o) ? 0 : EXIT_USAGE;
}

/* The machine is the snapshot's.  If the user has named another engine, MMU or size, that
 * is a contradiction, not a wish to be ignored: -EINVAL and a sentence. */
static int is_as_asked(const struct run_options *o, const struct vm_config *asked, char *why,
                       size_t n)
{
    const struct vm_config *m = &o->machine;
    if (o->cpu_given && asked->engine != m->engine)
        snprintf(why, n, "it was taken on engine %s, and --cpu says %s", m->engine->name,
                 asked->engine->name);
    else if (o->mmu_given && asked->mmu != m->mmu)
        snprintf(why, n, "it was taken with --mmu %s, and this says %s", mmu_names[m->mmu],
                 mmu_names[asked->mmu]);
    else if (o->mem_given && asked->ram_bytes != m->ram_bytes)
        snprintf(why, n, "it is of a machine with %" PRIu64 " MiB, and --mem says %" PRIu64,
                 m->ram_bytes >> 20, asked->ram_bytes >> 20);
    else
        return 0;
    return -EINVAL;
}

/* O_NONBLOCK: opening a FIFO by mistake must not hang. */
bool options_from(struct run_options *o, struct snapshot_head *h)
{
    char why[300];
    struct load_request guest;
    int fd = open(o->from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct snapshot_io io = snapshot_fd(&fd);
    if (fd < 0) {
        host_say("%s: %s", o->from, strerror(errno));
        return false;
    }
    int err = snapshot_read_head(&io, h, why, sizeof why);
    close(fd);
    struct vm_config asked = o->machine;
    if (!err)
        err = snapshot_machine(h, &o->machine, &guest, why, sizeof why);
    if (!err)
        err = is_as_asked(o, &asked, why, sizeof why);
    if (err) {
        host_say("%s: %s", o->from, why);
        return false;
    }
    if (!o->guest.path)
        o->guest = guest;
    return disks_again(o, asked.disk);
}
