/*
 * judge.c -- the interpreter before independent judges.  Output is TAP.
 *
 *   judge [--silicon | --unicorn] [--seed N] [--cases N] [--case N] [--only NAME] [--reports N] [--coverage]
 *         [--vendor amd | intel | auto]
 *
 * Without a judge's name: both.  Our CPU is one of Intel's; what AMD's do otherwise is
 * the table in vendor.c, and --vendor says whose processor is the judge: by default
 * CPUID does.  --coverage also shows the table, with how many cases each row excused.  --case N of a --seed runs that one alone and
 * shows what both sides made of it.  Every difference is printed with what
 * repeats it.
 *
 * Cases are run in a child, so that one that kills it is a report and the rest
 * goes on.  Some instructions no judge can run: unjudged() in suits.c says why.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "judge.h"

enum { ENOUGH = 200000 /* cases after which everything was drawn */ };

/* Survives the child. */
static struct shared {
    uint64_t number, done, unable;
    uint64_t excused[MAX_VENDOR_ROWS];  /* cases not compared, by row of vendor.c */
    unsigned differ;
    char unavailable[120];      /* why this judge is not to be had */
    struct test now;
    unsigned seen[ZYDIS_MNEMONIC_MAX_VALUE + 1];
    bool was_excused[ZYDIS_MNEMONIC_MAX_VALUE + 1];
} *shared;

static unsigned max_reports = 10;
static enum vendor vendor;     /* of the processor that judges */

static const char *const judge_names[] = { "unicorn", "silicon" };
static const char *const world_names[N_WORLDS] = { "64-bit", "32-bit", "32-bit, LDT", "16-bit", "real mode" };

/* ---- the verdict ---- */

/* BSF and BSR of 0 leave their whole destination alone, and a CMPXCHG of 32 bits
 * that fails too, on Intel's processors; QEMU zero-extends.
 * [SDM 2A "BSF-Bit Scan Forward"], and tried on one. */
static bool keeps_upper_half(enum judge j, const struct test *t)
{
    if (j == SILICON)
        return vendor_low_half(vendor, t);
    return j == UNICORN && t->world == W64 && t->width == 32 &&
           (t->mnemonic == ZYDIS_MNEMONIC_BSF || t->mnemonic == ZYDIS_MNEMONIC_BSR ||
            t->mnemonic == ZYDIS_MNEMONIC_CMPXCHG);
}

/* What this judge cannot have an opinion on. */
static bool cannot_judge(enum judge j, const struct test *t, const struct outcome *a, const struct outcome *b)
{
    if (j == SILICON)
        return false;
    /* No paging, no limits; #DE it leaves without a vector, or with #DF's. */
    if (a->vector == VEC_DE)
        return b->rip == t->at;
    return a->vector == VEC_PF || a->vector == VEC_GP || a->vector == VEC_SS || b->vector >= 2000;
}

static uint64_t flags_to_compare(enum judge j, const struct test *t)
{
    return (FLAGS_ARITH | FLAG_DF | FLAG_NT | (j == SILICON ? FLAG_AC | FLAG_TF | FLAG_ID : 0)) & ~t->ignore;
}

static bool many_accesses(const struct test *t)
{
    switch (t->mnemonic) {
    case ZYDIS_MNEMONIC_MASKMOVQ: case ZYDIS_MNEMONIC_MASKMOVDQU:
    case ZYDIS_MNEMONIC_FXSAVE: case ZYDIS_MNEMONIC_FXSAVE64:
    case ZYDIS_MNEMONIC_FXRSTOR: case ZYDIS_MNEMONIC_FXRSTOR64:
        return true;
    default:
        return false;
    }
}

/* Our CPU has neither NX nor SMEP switched on, so no I bit; of the kernel's half
 * Linux says that everything is present. */
static uint32_t errors_to_compare(const struct test *t, const struct outcome *a)
{
    if (many_accesses(t) && a->vector == VEC_PF)
        return ~(uint32_t)(PF_I | PF_P);
    return a->vector != VEC_PF ? ~0u : a->cr2 >> 47 ? ~(uint32_t)(PF_I | PF_P) : ~(uint32_t)PF_I;
}

/* The return address a CALL pushed before it found its target outside.  It is
 * below the stack that the fault restores. */
static bool below_stack(const struct test *t, const struct outcome *a, unsigned i)
{
    uint64_t sp = window_offset(t, t->ss, t->gpr[RSP]) & 0xffff;

    return t->mnemonic == ZYDIS_MNEMONIC_CALL && a->vector == VEC_GP && i < sp && i + 16 >= sp;
}

/* "IF tempEIP is not within code segment limit THEN #GP(0)" comes before the
 * push [SDM 2A "CALL-Call Procedure"]; Intel's processors push first. */
static bool call_pushes_first(const struct test *t, const struct outcome *a, const struct outcome *b)
{
    return t->mnemonic == ZYDIS_MNEMONIC_CALL && a->vector == VEC_GP &&
           (b->vector == VEC_AC || b->vector == VEC_PF || b->vector == VEC_SS);
}

static bool pops_frame(const struct test *t)
{
    return t->mnemonic == ZYDIS_MNEMONIC_RET || t->mnemonic == ZYDIS_MNEMONIC_IRET ||
           t->mnemonic == ZYDIS_MNEMONIC_IRETD || t->mnemonic == ZYDIS_MNEMONIC_IRETQ;
}

/* POPA that faults may have loaded some registers already: it will load them again. */
static bool half_popped(const struct test *t, const struct outcome *a, int i)
{
    return (t->mnemonic == ZYDIS_MNEMONIC_POPA || t->mnemonic == ZYDIS_MNEMONIC_POPAD) && i != RSP &&
           (a->vector == VEC_PF || a->vector == VEC_SS);
}

/* "An alignment-check exception may or may not be generated, depending on
 * processor implementation."  [SDM 2B "MOVUPS-Move Unaligned Packed Values"] */
static bool may_check_alignment(const struct test *t, const struct outcome *a, const struct outcome *b)
{
    return (t->wide_memory || t->mnemonic == ZYDIS_MNEMONIC_MASKMOVQ) && (a->vector == VEC_AC || b->vector == VEC_AC);
}

/* Which of several accesses that fault is the one reported no manual says:
 * Intel's processors read the last element of an IRET's frame first. */
static bool same_fault(const struct test *t, const struct outcome *a, const struct outcome *b)
{
    return a->cr2 == b->cr2 || (many_accesses(t) && a->cr2 - b->cr2 + 512 < 1024) || (pops_frame(t) && a->cr2 - b->cr2 + 64 < 128);
}

/* A REP with 32-bit addresses in 64-bit mode that did nothing leaves the upper
 * halves of its registers or clears them: processors do both. */
static bool idle_rep(const struct test *t, uint64_t ours, uint64_t judge, int i)
{
    return t->world == W64 && (i == RCX || i == RSI || i == RDI) && strstr(t->text, "rep") &&
           ours == t->gpr[i] && judge == (uint32_t)ours;
}

/* A null selector's RPL does not survive the host's return to ring 3. */
static uint16_t normal(uint16_t sel)
{
    return sel & ~3 ? sel : 0;
}

static bool differ_bytes(const char *name, int nr, const uint8_t *x, const uint8_t *y, const uint8_t *was,
                         unsigned n, char *why)
{
    if (!memcmp(x, y, n))
        return false;
    why += sprintf(why, "%s%d ", name, nr);
    for (const uint8_t **p = (const uint8_t *[]){ x, y, was, NULL }; *p; p++) {
        why += sprintf(why, "%s", *p == x ? "" : *p == y ? ", judge " : " (was ");
        for (unsigned i = n; i--; )
            why += sprintf(why, "%02x", (*p)[i]);
    }
    strcpy(why, ")");
    return true;
}

/* A store of an MMX register that faults has cleared TOP on Intel's processors,
 * but not set the tags: it will do both again. */
static bool half_mmx(const struct test *t, const struct outcome *a, const struct outcome *b)
{
    return t->n == 1 && (a->vector == VEC_PF || a->vector == VEC_GP || a->vector == VEC_SS ||
           a->vector == VEC_AC) && a->fpu.fsw == t->fpu.fsw && b->fpu.fsw == (a->fpu.fsw & ~0x3800);
}

/* PE beside OE or UE that trap is about a result with an unbounded exponent: sse.c. */
static uint32_t mxcsr_to_compare(const struct outcome *a)
{
    uint32_t unmasked = a->fpu.mxcsr & ~(a->fpu.mxcsr >> 7);

    return a->vector == VEC_XM && unmasked & 0x18 ? ~UINT32_C(0x20) : ~UINT32_C(0);
}

/* MMX and XMM registers and what goes with them; Unicorn has no exceptions of SSE. */
static bool differ_fpu(enum judge j, const struct test *t, const struct outcome *oa, const struct outcome *ob,
                       char *why)
{
    const struct fxsave *a = &oa->fpu, *b = &ob->fpu;

    for (int i = 0; i < (t->world == W64 ? 16 : 8); i++)
        if (differ_bytes("xmm", i, a->xmm[i], b->xmm[i], t->fpu.xmm[i], 16, why))
            return true;
    if (j == UNICORN || half_mmx(t, oa, ob))
        return false;
    for (int i = 0; i < 8; i++)
        if (differ_bytes("st", i, a->st[i], b->st[i], t->fpu.st[i], 10, why))
            return true;
    if ((a->mxcsr ^ b->mxcsr) & mxcsr_to_compare(oa))
        return sprintf(why, "mxcsr %#x, judge %#x (was %#x)", a->mxcsr, b->mxcsr, t->fpu.mxcsr);
    if (a->fsw != b->fsw || a->ftw != b->ftw)
        return sprintf(why, "fsw %#x ftw %#x, judge %#x %#x", a->fsw, a->ftw, b->fsw, b->ftw);
    return false;
}

#define DIFFER(what, x, y) return sprintf(why, "%s %#lx, judge %#lx", what, (long)(x), (long)(y))

static bool differ(enum judge j, const struct test *t, const struct outcome *a, const struct outcome *b,
                   char *why)
{
    uint64_t mask = flags_to_compare(j, t);
    bool wide = t->world == W64 && a->cs == SEL_CODE64;     /* else the host forgets upper halves */

    if (may_check_alignment(t, a, b) || call_pushes_first(t, a, b) || (pops_frame(t) && a->vector == VEC_PF && b->vector == VEC_SS))
        return false;
    if (a->vector != b->vector)
        return sprintf(why, "vector %d (%#x, cr2 %#lx), judge %d (%#x, cr2 %#lx)", a->vector, a->error,
                       (long)a->cr2, b->vector, b->error, (long)b->cr2);
    for (int i = 0; i < (wide ? 16 : 8); i++)
        if (low_bytes(a->gpr[i] ^ b->gpr[i], !wide || keeps_upper_half(j, t) ? 4 : 8) &&
            !idle_rep(t, a->gpr[i], b->gpr[i], i) && !half_popped(t, a, i))
            return sprintf(why, "%s %#lx, judge %#lx (was %#lx)", gpr_names[i], (long)a->gpr[i],
                           (long)b->gpr[i], (long)t->gpr[i]);
    if (differ_fpu(j, t, a, b, why))
        return true;
    if (a->rip != b->rip)
        DIFFER("rip", a->rip, b->rip);
    if ((a->flags ^ b->flags) & mask)
        return sprintf(why, "flags %#lx, judge %#lx, differ in %#lx (were %#lx)", (long)a->flags,
                       (long)b->flags, (long)((a->flags ^ b->flags) & mask), (long)t->flags);
    if (a->cs != b->cs)
        DIFFER("cs", a->cs, b->cs);
    if (a->ss != b->ss)
        DIFFER("ss", a->ss, b->ss);
    if (normal(a->ds) != b->ds)
        DIFFER("ds", a->ds, b->ds);
    if (normal(a->es) != b->es)
        DIFFER("es", a->es, b->es);
    if (j == SILICON && a->vector == VEC_PF && !same_fault(t, a, b))
        DIFFER("cr2", a->cr2, b->cr2);
    if (j == SILICON && a->vector >= VEC_DF && (a->error ^ b->error) & errors_to_compare(t, a))
        DIFFER("error code", a->error, b->error);
    for (size_t k = 0; k < NELEM(parts); k++)
        for (unsigned i = parts[k].from; i < parts[k].to; i++)
            if (a->window[i] != b->window[i] && !below_stack(t, a, i))
                return sprintf(why, "memory at %#x: %#x, judge %#x", i, a->window[i], b->window[i]);
    return false;
}

/* ---- telling ---- */

static void show_case(const struct test *t, enum judge j, uint64_t seed)
{
    printf("# --%s --seed %lu --case %lu, %s%s: %s\n#  ", judge_names[j], (long)seed,
           (long)shared->number, world_names[t->world], t->step ? ", stepped" : "", t->text);
    for (unsigned i = 0; i < t->len; i++)
        printf(" %02x", t->code[i]);
    printf("\n#   at=%lx flags=%lx ss=%x ds=%x es=%x", (long)t->at, (long)t->flags, t->ss, t->ds, t->es);
    for (int i = 0; i < (t->world == W64 ? 16 : 8); i++)
        printf(" %s=%lx", gpr_names[i], (long)t->gpr[i]);
    printf("\n");
}

static void show_outcome(const char *name, const struct outcome *o)
{
    printf("# %s: vector %d error %#x cr2 %#lx rip %#lx flags %#lx cs %x ss %x ds %x es %x\n#  ", name,
           o->vector, o->error, (long)o->cr2, (long)o->rip, (long)o->flags, o->cs, o->ss, o->ds, o->es);
    for (int i = 0; i < 16; i++)
        printf(" %s=%lx", gpr_names[i], (long)o->gpr[i]);
    printf("\n");
}

/* ---- running ---- */

struct job { enum judge judge; uint64_t seed, from, to; bool show; };

static void run_one(const struct job *job, uint64_t n)
{
    static struct outcome a, b;
    struct test *t = &shared->now;
    char why[256];

    shared->number = n;
    generate(t, job->judge, job->seed, n);
    ours(t, &a);
    if (job->show) {
        show_case(t, job->judge, job->seed);
        show_outcome("ours ", &a);
        fflush(stdout);
    }
    if (job->judge == SILICON)
        silicon(t, &b);
    else
        unicorn(t, &b);
    if (job->show)
        show_outcome("judge", &b);
    int excuse = job->judge == SILICON ? vendor_excuse(vendor, t, &a) : -1;
    if (excuse >= 0) {
        shared->excused[excuse]++;
        shared->was_excused[t->mnemonic] = true;
        shared->unable++;
    } else if (cannot_judge(job->judge, t, &a, &b)) {
        shared->unable++;
    } else if (differ(job->judge, t, &a, &b, why)) {
        shared->differ++;
        show_case(t, job->judge, job->seed);
        printf("#   %s\n", why);
    } else {
        shared->seen[t->mnemonic]++;
    }
    shared->done++;
}

static void child(const struct job *job)
{
    const char *why = NULL;

    ours_init();
    if (job->judge == SILICON)
        why = silicon_init();
    else if (!unicorn_init())
        why = "Unicorn does not start";
    if (why) {
        snprintf(shared->unavailable, sizeof shared->unavailable, "%s", why);
        _exit(0);
    }
    for (uint64_t n = shared->number; n < job->to && shared->differ < max_reports; n++) {
        alarm(10);
        run_one(job, n);
        fflush(stdout);
    }
    _exit(0);
}

/* All cases, in as many children as it takes.  False: the judge is not there. */
static bool run_all(const struct job *job)
{
    int status;

    shared->number = job->from;
    for (;;) {
        fflush(stdout);
        pid_t pid = fork();
        if (!pid)
            child(job);
        if (pid < 0 || waitpid(pid, &status, 0) < 0)
            return false;
        if (WIFEXITED(status))
            return !shared->unavailable[0];
        shared->differ++;
        show_case(&shared->now, job->judge, job->seed);
        printf("#   killed by signal %d\n", WTERMSIG(status));
        shared->number++;
        if (shared->differ >= max_reports)
            return true;
    }
}

/* Which entries of our tables were never judged, of those that could be. */
static unsigned coverage(enum judge j)
{
    unsigned judged = 0, missing = 0, excused = 0;

    for (unsigned m = 1; m <= ZYDIS_MNEMONIC_MAX_VALUE; m++) {
        if (!in_our_tables(m))
            continue;
        if (shared->seen[m])
            judged++;
        else if (unjudged(j, m) || shared->was_excused[m])
            excused++;
        else if (++missing)
            printf("# never judged: %s\n", ZydisMnemonicGetString((ZydisMnemonic)m));
    }
    printf("# %u of our instructions judged, %u not, %u this judge cannot have\n", judged, missing, excused);
    return missing;
}

static void list_coverage(enum judge j)
{
    for (unsigned m = 1; m <= ZYDIS_MNEMONIC_MAX_VALUE; m++)
        if (in_our_tables(m))
            printf("# %8u %s%s%s\n", shared->seen[m], ZydisMnemonicGetString((ZydisMnemonic)m),
                   unjudged(j, m) ? ": " : "", unjudged(j, m) ? unjudged(j, m) : "");
}

/* What was not compared because the judge is of another maker than our CPU. */
static void list_excused(void)
{
    printf("# the judge is of %s\n", vendor_names[vendor]);
    vendor_list(shared->excused);
}

static bool hold_court(const struct job *job, unsigned test, bool list)
{
    const char *name = judge_names[job->judge];
    unsigned missing = 0;

    memset(shared, 0, sizeof *shared);
    if (!run_all(job)) {
        printf("ok %u - %s # SKIP %s\n", test, name, shared->unavailable);
        return true;
    }
    if (job->to - job->from >= ENOUGH && !shared->differ)
        missing = coverage(job->judge);
    else if (job->to - job->from > 1)
        printf("# check-all: that every instruction is drawn on %s, for which it takes %d cases\n", name, ENOUGH);
    if (list)
        list_coverage(job->judge);
    if (list && job->judge == SILICON)
        list_excused();
    printf("%sok %u - %s: %lu cases of seed %lu, %u differ, %lu beyond it\n",
           shared->differ || missing ? "not " : "", test, name, (long)shared->done, (long)job->seed,
           shared->differ, (long)shared->unable);
    return !shared->differ && !missing;
}

static enum vendor vendor_named(const char *name)
{
    for (enum vendor v = 0; v < N_VENDORS; v++)
        if (!strcmp(vendor_names[v], name))
            return v;
    if (!strcmp(name, "auto"))
        return host_vendor();
    fprintf(stderr, "judge: --vendor amd, intel or auto, not %s\n", name);
    exit(2);
}

static unsigned mnemonic_named(const char *name)
{
    for (unsigned m = 1; m <= ZYDIS_MNEMONIC_MAX_VALUE; m++)
        if (!strcmp(ZydisMnemonicGetString((ZydisMnemonic)m), name))
            return m;
    fprintf(stderr, "judge: no instruction %s\n", name);
    exit(2);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "silicon", no_argument, NULL, 's' }, { "unicorn", no_argument, NULL, 'u' },
        { "seed", required_argument, NULL, 'n' }, { "cases", required_argument, NULL, 'c' },
        { "case", required_argument, NULL, 'o' }, { "coverage", no_argument, NULL, 'l' }, { "only", required_argument, NULL, 'm' },
        { "reports", required_argument, NULL, 'r' }, { "vendor", required_argument, NULL, 'v' }, { 0 },
    };
    struct job job = { .seed = 1, .to = 100000 };
    bool which[2] = { true, true }, list = false, ok = true;
    int o, n = 0;

    vendor = host_vendor();
    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (o) {
        case 's': which[UNICORN] = false; break;
        case 'u': which[SILICON] = false; break;
        case 'n': job.seed = strtoull(optarg, NULL, 0); break;
        case 'c': job.to = strtoull(optarg, NULL, 0); break;
        case 'o': job.from = strtoull(optarg, NULL, 0); job.to = job.from + 1; job.show = true; break;
        case 'r': max_reports = (unsigned)strtoul(optarg, NULL, 0); break;
        case 'm': only_mnemonic = mnemonic_named(optarg); break;
        case 'l': list = true; break;
        case 'v': vendor = vendor_named(optarg); break;
        default: return 2;
        }
    generate_init();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 2;
    for (enum judge j = UNICORN; j <= SILICON; j++) {
        job.judge = j;
        if (which[j])
            ok &= hold_court(&job, (unsigned)++n, list);
    }
    bool table = vendor_test();
    printf("%sok %d - the table of vendors is about what it means, and nothing else\n1..%d\n", table ? "" : "not ",
           n + 1, n + 1);
    ok &= table;
    return ok ? 0 : 1;
}
