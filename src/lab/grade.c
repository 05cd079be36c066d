/*
 * lab/grade.c -- from a lab's rules and runs to points.
 */
#include "lab/grade.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "debugger/trace/store.h"

#define LEAST_EXITS 1000        /* a short guest may well take some more than its reference */

static unsigned processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}

/* One job for each guest.  `name` tells the traces apart. */
static void prepare(struct lab_job *jobs, const struct lab_spec *spec, const struct lab_place *p,
                    char image[][PATH_MAX], const char *name, uint64_t seed)
{
    for (unsigned i = 0; i < spec->n_guests; i++) {
        const struct lab_guest *g = &spec->guest[i];
        snprintf(image[i], PATH_MAX, "%.2000s/%.200s.elf", p->guests, g->image);
        jobs[i] = (struct lab_job){ .guest = g, .monitor = p->vitrine, .image = image[i],
                                    .seed = seed, .wall_s = spec->wall_s };
        snprintf(jobs[i].trace, PATH_MAX, "%.2000s/%.200s.%s.trace", p->work, g->name, name);
    }
}

static uint64_t exits_allowed(const struct lab_spec *spec, const struct lab_job *reference)
{
    double base = spec->exits.of_reference ? (double)reference->run.n_exits : 1;
    return LEAST_EXITS + (uint64_t)(spec->exits.value * base);
}

/* A rule of all guests is kept if each of them keeps it; the first that does not is told. */
static int judge_rule(struct lab_grade *g, unsigned r, const char *answer)
{
    const struct lab_rule *rule = &g->spec->rule[r];
    g->finding[r] = (struct lab_finding){ .share = 1, .event = LAB_NO_EVENT };
    for (unsigned i = 0; i < g->spec->n_guests && g->finding[r].share == 1; i++) {
        if (strcmp(rule->guest, "*") && strcmp(rule->guest, g->spec->guest[i].name))
            continue;
        g->guest_of[r] = i;
        int err = lab_rule_judge(rule, &g->reference[i].run, &g->job[i].run, answer,
                                 &g->finding[r]);
        if (err)
            return err;
    }
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

int lab_grade(struct lab_grade *g, const struct lab_spec *spec, const struct lab_place *place,
              const char *submission, uint64_t seed, const char *const *answer,
              char *why, size_t n)
{
    static char image[LAB_GUESTS][PATH_MAX];
    memset(g, 0, sizeof *g);
    g->spec = spec;
    prepare(g->reference, spec, place, image, "reference", seed);
    prepare(g->job, spec, place, image, "submission", seed);
    int err = lab_run_all(g->reference, spec->n_guests, processors(), why, n);
    for (unsigned i = 0; !err && i < spec->n_guests; i++) {
        struct lab_job *j = &g->job[i];
        j->limit_exits = exits_allowed(spec, &g->reference[i]);
        j->submission = submission;
        if (submission)
            j->monitor = place->monitor;
        if (!g->reference[i].run.trace) {
            snprintf(why, n, "the reference run of %s made no trace: %s", j->guest->name,
                     g->reference[i].run.output);
            err = -EIO;
        }
    }
    if (!spec->cut)                 /* nothing of the student's runs */
        memcpy(g->job, g->reference, sizeof g->job);
    else
        err = err ? err : lab_run_all(g->job, spec->n_guests, processors(), why, n);
    return err ? err : judge(g, answer, why, n);
}

void lab_grade_free(struct lab_grade *g)
{
    for (unsigned i = 0; i < LAB_GUESTS; i++) {
        lab_job_free(&g->reference[i]);
        if (g->spec && g->spec->cut)
            lab_job_free(&g->job[i]);
    }
}
