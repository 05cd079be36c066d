/*
 * lab/grade.c -- from a lab's rules and runs to points.
 */
#include "lab/grade.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "debugger/trace/store.h"
#include "lab/kept.h"

/* A short guest may well take some more than its reference. */
#define LEAST_EXITS 1000
#define LEAST_INSNS 1000000

/* Guests that are hidden have a seed of their own, which follows from the grader's: who does not
 * know the one does not know the other. */
static uint64_t seed_for(const struct lab_grade *g, const struct lab_guest *guest)
{
    uint64_t mixed = (g->seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t other = (uint32_t)(mixed >> 33);
    return !guest->hidden ? g->seed : other != g->seed ? other : other + 1;
}

/* One job for each guest.  `name` tells the traces apart.  A kernel that could not be assembled is
 * a run that has ended before it began. */
static void prepare(struct lab_grade *g, struct lab_job *jobs, const struct lab_place *p,
                    const struct lab_kernels *kernels, const char *name)
{
    for (unsigned i = 0; i < g->spec->n_guests; i++) {
        const struct lab_guest *guest = &g->spec->guest[i];
        const struct lab_kernel *k = &kernels->guest[i];
        snprintf(g->image[i], PATH_MAX, "%.2000s/%.200s.elf", p->guests, guest->image);
        jobs[i] = (struct lab_job){ .guest = guest, .monitor = p->vitrine, .image = g->image[i],
                                    .seed = seed_for(g, guest), .wall_s = g->spec->wall_s,
                                    .folder = p->portable };
        if (guest->mend.file) {
            jobs[i].image = k->image;
            jobs[i].names = k->symbols;
            jobs[i].folder = p->portable ? p->work : NULL;
            jobs[i].run.ended = k->trouble[0] ? k->trouble : NULL;
        }
        snprintf(jobs[i].trace, PATH_MAX, "%.2000s/%.200s.%s.trace", p->work, guest->name, name);
    }
}

static uint64_t allowed(struct lab_bound bound, uint64_t of_reference, uint64_t least)
{
    return least + (uint64_t)(bound.value * (bound.of_reference ? (double)of_reference : 1));
}

/* A guest's own --limit-insns comes later on the command line, and counts. */
static void set_limits(struct lab_job *j, const struct lab_spec *spec, const struct lab_run *right)
{
    j->limit_exits = allowed(spec->exits, right->n_exits, LEAST_EXITS);
    if (spec->insns.value > 0)
        j->limit_insns = allowed(spec->insns, right->n_insns, LEAST_INSNS);
}

/* A filter that names a label of a kernel cannot be understood if the student has taken the label
 * away: that is no mistake of the lab. */
static void lost_label(struct lab_finding *f)
{
    char text[sizeof f->text];
    memcpy(text, f->text, sizeof text);
    snprintf(f->text, sizeof f->text, "the mended kernel must keep its labels: %.250s", text);
    f->share = 0;
    f->event = LAB_NO_EVENT;
}

/* What guest i's run is judged beside: its own reference, or that of the guest it must be like. */
static const struct lab_run *beside(const struct lab_grade *g, const struct lab_rule *rule,
                                    unsigned i)
{
    for (unsigned k = 0; rule->like && k < g->spec->n_guests; k++)
        if (strcmp(rule->like, g->spec->guest[k].name) == 0)
            return &g->reference[k].run;
    return &g->reference[i].run;
}

/* Is it a rule of this guest?  One that students see is none of a guest that they do not. */
static bool is_rule_of(const struct lab_rule *rule, const struct lab_guest *guest)
{
    return strcmp(rule->guest, "*") ? strcmp(rule->guest, guest->name) == 0
                                    : rule->hidden || !guest->hidden;
}

/* A rule of all guests is kept if each of them keeps it; the first that does not is told, and
 * costs all points.  But a guest that did not get through its phases has not broken an invariant,
 * and the fault that ended it is another: it costs twice that guest's part.  So who is through
 * with half of them, or fewer, earns nothing. */
static int judge_rule(struct lab_grade *g, unsigned r, const char *answer)
{
    const struct lab_rule *rule = &g->spec->rule[r];
    struct lab_finding *told = &g->finding[r], f;
    unsigned n = 0, kept = 0;
    *told = (struct lab_finding){ .share = 1, .event = LAB_NO_EVENT };
    for (unsigned i = 0; i < g->spec->n_guests && (told->share == 1 || told->not_judged); i++) {
        if (!is_rule_of(rule, &g->spec->guest[i]))
            continue;
        int err = lab_rule_judge(rule, beside(g, rule, i), &g->job[i].run, answer, &f);
        if (err == -EINVAL && g->spec->guest[i].mend.file && rule->kind < RULE_PREDICT)
            lost_label(&f);
        else if (err) {
            *told = f;
            return err;
        }
        n++;
        kept += f.share == 1;
        if (told->share == 1 || (f.share < 1 && !f.not_judged)) {
            *told = f;
            g->guest_of[r] = i;
        }
    }
    if (told->not_judged)
        told->share = 2 * kept > n ? 2.0 * kept / n - 1 : 0;
    return 0;
}

static int judge(struct lab_grade *g, const char *const *answer, char *why, size_t n)
{
    for (unsigned r = 0; r < g->spec->n_rules; r++) {
        int err = judge_rule(g, r, answer ? answer[r] : NULL);
        if (err) {
            snprintf(why, n, "rule %s: %s", g->spec->rule[r].name, g->finding[r].text);
            return err;
        }
        g->points += g->finding[r].share * g->spec->rule[r].points;
    }
    return 0;
}

int lab_grade_reference(struct lab_grade *g, const struct lab_spec *spec,
                        const struct lab_place *place, uint64_t seed, char *why, size_t n)
{
    memset(g, 0, sizeof *g);
    g->spec = spec;
    g->seed = seed;
    prepare(g, g->reference, place, &place->original, "reference");
    for (unsigned i = 0; i < spec->n_guests; i++)
        if (spec->guest[i].mend.file)
            g->reference[i].seed = 0;       /* students ask why it crashes for them, and so */
    int err = place->kept[0] ? lab_recall(g->reference, spec->n_guests, place->kept, why, n)
                             : lab_run_all(g->reference, spec->n_guests, place->seats, why, n);
    for (unsigned i = 0; !err && i < spec->n_guests; i++)
        if (!g->reference[i].run.trace) {
            snprintf(why, n, "the reference run of %s made no trace: %s",
                     g->reference[i].guest->name,
                     g->reference[i].run.ended ? g->reference[i].run.ended
                     : g->reference[i].said    ? g->reference[i].said : "nobody knows why");
            err = -EIO;
        }
    g->has_reference = !err;
    return err;
}

/* Does something of the student's run with this guest? */
static bool is_students(const struct lab_spec *spec, unsigned guest)
{
    return spec->cut || spec->guest[guest].mend.file;
}

int lab_grade_submission(struct lab_grade *g, const struct lab_place *place,
                         const char *submission, const char *const *answer, char *why, size_t n)
{
    const struct lab_spec *spec = g->spec;
    g->points = 0;
    prepare(g, g->job, place, &place->mended, "submission");
    for (unsigned i = 0; i < spec->n_guests; i++) {
        struct lab_job *j = &g->job[i];
        set_limits(j, spec, &g->reference[i].run);
        if (spec->cut && submission) {
            j->submission = submission;
            j->source = place->source;
            j->monitor = place->monitor;
        }
        if (!is_students(spec, i))
            j->run.ended = "it need not run again";
    }
    int err = lab_run_all(g->job, spec->n_guests, place->seats, why, n);
    for (unsigned i = 0; i < spec->n_guests; i++)
        if (!is_students(spec, i))
            g->job[i] = g->reference[i];
    return err ? err : judge(g, answer, why, n);
}

void lab_grade_forget(struct lab_grade *g)
{
    for (unsigned i = 0; i < LAB_GUESTS; i++) {
        if (g->spec && is_students(g->spec, i))
            lab_job_free(&g->job[i]);
        memset(&g->job[i], 0, sizeof g->job[i]);
    }
    memset(g->finding, 0, sizeof g->finding);
    g->points = 0;
}

void lab_grade_free(struct lab_grade *g)
{
    lab_grade_forget(g);
    for (unsigned i = 0; i < LAB_GUESTS; i++)
        lab_job_free(&g->reference[i]);
    g->has_reference = false;
}
