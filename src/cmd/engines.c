/*
 * cmd/engines.c -- `vitrine engines`: what each engine can do on this host.
 *
 * The answers come from the engines' own probes (`probe` of cpu/engine.h), which run tiny
 * guests: what a KVM can do depends on the kernel and the processor, and some say more than
 * they do.  This file only lays the answers out as a table, a column for each engine.
 */
#include <stdio.h>
#include <string.h>

#include "base/host.h"
#include "cmd/cmd.h"
#include "cpu/engine.h"
#include "vm/pc.h"

#define MAX_ENGINES 16

/* A row for each field of struct engine_caps that is a bool.  The field's name is what
 * --caps prints.
 *
 *    field            question */
#define ABILITY_LIST(X)                                                      \
    X(real_mode,        "real mode")                                         \
    X(protected_mode,   "protected mode")                                    \
    X(iret32,           "IRET in 32-bit protected mode")                     \
    X(int64,            "INT n in long mode")                                \
    X(syscall64,        "SYSCALL from 64-bit ring 3")                        \
    X(v86,              "virtual-8086 mode")                                 \
    X(paging32,         "32-bit paging")                                     \
    X(pae,              "PAE paging")                                        \
    X(long_mode,        "long mode (64-bit)")                                \
    X(sse,              "SSE in the guest's kernel")                         \
    X(single_step,      "stops after every instruction")                     \
    X(steps_into_handlers, "steps into handlers")                            \
    X(breakpoints,      "breakpoints without stepping")                      \
    X(user_breakpoints, "breakpoints in ring 3")                             \
    X(watchpoints,      "watchpoints without stepping")                      \
    X(deterministic,    "two runs are the same run")                         \
    X(sees_first_touch, "shows the first touch of a page")                   \
    X(sees_msr,         "shows RDMSR and WRMSR")                             \
    X(sees_cpuid,       "shows CPUID")                                       \
    X(sees_cr_access,   "shows control register access")                     \
    X(sees_vmcall,      "shows VMCALL (else by a port)")                    \
    X(exits_on_demand,  "exits on demand (--exit-on)")

static const struct ability { size_t offset; const char *name, *question; } abilities[] = {
#define X(field, question) { offsetof(struct engine_caps, field), #field, question },
    ABILITY_LIST(X)
#undef X
};

/* The abilities are bools of struct engine_caps, found by their offsets. */
static bool has(const struct engine_caps *c, const struct ability *a)
{
    return *(const bool *)((const char *)c + a->offset);
}

/* "nested,shadow", padded to a column: which --mmu an engine takes. */
static void print_mmus(const struct engine_caps *c)
{
    int width = 0;
    for (unsigned i = 0; i < NELEM(mmu_names); i++)
        if (c->mmus & BIT(i))
            width += printf("%s%s", width ? "," : "", mmu_names[i]);
    printf("%*s", width < 15 ? 15 - width : 1, "");
}

/* A row for each question, a column for each engine; "." where the engine does not work at
 * all.
 *
 *                                     soft           kvm
 *   works here                        yes            no
 *   real mode                         yes            . */
static void print_table(const struct engine_caps *caps, size_t n)
{
    printf("%-34s", "");
    for (size_t i = 0; i < n; i++)
        printf("%-15s", engines[i]->name);
    printf("\n%-34s", "works here");
    for (size_t i = 0; i < n; i++)
        printf("%-15s", caps[i].ok ? "yes" : "no");
    for (size_t a = 0; a < NELEM(abilities); a++) {
        printf("\n%-34s", abilities[a].question);
        for (size_t i = 0; i < n; i++)
            printf("%-15s", !caps[i].ok ? "." : has(&caps[i], &abilities[a]) ? "yes" : "no");
    }
    printf("\n%-34s", "--mmu");
    for (size_t i = 0; i < n; i++)
        print_mmus(&caps[i]);
    printf("\n");
}

/* --caps, for scripts: the names of what one engine can do, on one line.  The exit status:
 * 1 and the reason if it does not work here, 2 if there is none of that name. */
static int print_names(const char *name)
{
    const struct engine *e = engine_find(name);
    struct engine_caps caps = { 0 };

    if (!e) {
        host_say("there is no engine '%s'; `vitrine engines` lists them", name);
        return 2;
    }
    e->probe(&caps);
    if (!caps.ok) {
        host_say("%s: %s", name, caps.why);
        return 1;
    }
    for (size_t a = 0, n = 0; a < NELEM(abilities); a++)
        if (has(&caps, &abilities[a]))
            printf("%s%s", n++ ? " " : "", abilities[a].name);
    printf("\n");
    return 0;
}

/* Asked for (status 0) or not (status 2). */
static int usage(bool asked)
{
    if (!asked) {
        host_say("engines takes --caps ENGINE, --machine or nothing; see `vitrine engines --help`");
        return 2;
    }
    fputs("usage: vitrine engines [--caps ENGINE | --machine]\n\n"
          "Tries every CPU engine with tiny guests and tells what it can do on this host.\n"
          "  --caps ENGINE    only the names of what that engine can do, for scripts;\n"
          "                   exit status 1 and the reason if it does not work here\n"
          "  --machine        the PC that every engine runs in: devices and ports, as Markdown\n"
          "  --help           this help\n"
          "\nexamples:\n"
          "  vitrine engines\n"
          "  vitrine engines --caps kvm | grep -qw paging32 && echo 32-bit kernels run here\n",
              stdout);
    return 0;
}

/* Without an argument: probe all engines, print the table, and below it each engine's own
 * words about itself. */
int cmd_engines(int argc, char **argv)
{
    struct engine_caps caps[MAX_ENGINES] = { 0 };
    size_t n = 0;

    if (argc == 3 && !strcmp(argv[1], "--caps"))
        return print_names(argv[2]);
    if (argc == 2 && !strcmp(argv[1], "--machine")) {
        pc_document(stdout);
        return 0;
    }
    if (argc > 1)
        return usage(argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")));
    for (; n < MAX_ENGINES && engines[n]; n++)
        engines[n]->probe(&caps[n]);
    print_table(caps, n);
    for (size_t i = 0; i < n; i++)
        printf("\n%s -- %s\n    %s\n", engines[i]->name, engines[i]->about, caps[i].why);
    printf("\nlockstep -- any two of them side by side, compared after every exit\n"
           "    vitrine compare A B GUEST\n");
    return 0;
}
