/*
 * cmd/lab_try.c -- `vitrine lab try N`: what is kept with a lab, graded side by side.
 *
 * The starter must earn nearly nothing, the right solutions everything, and each mutant must lose
 * exactly the rules that the lab's file says.
 */
#include <stdio.h>
#include <string.h>

#include "base/host.h"
#include "cmd/lab.h"

/* Predictions are the student's, not the source's: nothing that is kept with a lab makes them.
 * Where nothing is cut the answers are what is handed in, and all rules count. */
static bool counts(const struct lab_spec *spec, unsigned rule)
{
    return spec->rule[rule].kind < RULE_PREDICT || !spec->cut;
}

/* With --few, at most so many of the solutions are tried, spread over all that there are. */
#define FEW 2u

static bool is_left_out(const struct lab *l, unsigned i)
{
    return l->few && i % ((l->spec.n_cases + FEW - 1) / FEW);
}

/* The names of the rules that lost points, in order, by commas. */
static void lost_rules(const struct lab_grade *g, char *text, size_t n)
{
    size_t used = 0;
    text[0] = 0;
    for (unsigned r = 0; r < g->spec->n_rules; r++)
        if (g->finding[r].share < 1 && counts(g->spec, r) && used < n)
            used += (size_t)snprintf(text + used, n - used, "%s%s", used ? "," : "",
                                     g->spec->rule[r].name);
}

/* Points of the rules that count, and how many there are. */
static double source_points(const struct lab_grade *g, unsigned *most)
{
    double points = 0;
    *most = 0;
    for (unsigned r = 0; r < g->spec->n_rules; r++)
        if (counts(g->spec, r)) {
            points += g->finding[r].share * g->spec->rule[r].points;
            *most += g->spec->rule[r].points;
        }
    return points;
}

/* What is tried, one source after the other, beside the same reference runs. */
static struct lab_grade g;

/* One line of `try`.  `loses` is what it must lose; NULL: nothing; "*": nearly everything. */
static bool try_one(struct lab *l, const char *name, const char *source, const char *loses)
{
    char said[8000], lost[1200];
    unsigned most;
    int status = lab_grade_source(l, source, &g, said, sizeof said);
    double points = source_points(&g, &most);
    lost_rules(&g, lost, sizeof lost);
    bool ok = status == 0 && (!loses                     ? points == most
                              : strcmp(loses, "*") == 0 ? points <= 0.05 * most
                                                        : strcmp(loses, lost) == 0);
    printf("%-4s %5.4g of %u  %-24s %s%s\n", ok ? "ok" : "BAD", points, most, name,
           lost[0] && strcmp(loses ? loses : "", "*") ? "loses " : "",
           loses && strcmp(loses, "*") == 0 ? "" : lost);
    if (!ok && status == 1)
        printf("%s", said);
    if (!ok && status == 0 && loses)
        printf("     it should lose %s\n", loses);
    if (!ok && status == 0)
        lab_grade_print(&g, LAB_TEACHER, stdout);
    return ok;
}

/* A case of a lab of answers: lab/NN-name/answers with a patch. */
static bool write_answers(const struct lab_folders *f, const struct lab_case *c, const char *to,
                          char *why, size_t n)
{
    char from[PATH_MAX + 16], file[PATH_MAX + 300];
    snprintf(from, sizeof from, "%s/answers", f->lab);
    snprintf(file, sizeof file, "%s/%.200s", f->lab, c->file);
    char *patch[] = { "patch", "-s", "-o", (char *)(uintptr_t)to, from, file, NULL };
    return lab_run_tool(patch, f, NULL, why, n) == 0;
}

/* Of a lab of answers: none give nothing, and lab/NN-name/answers give all. */
static int try_answers(struct lab *l)
{
    char path[PATH_MAX];
    unsigned most = lab_spec_points(&l->spec);
    snprintf(path, sizeof path, "%.3000s/answers", l->folders.lab);
    bool ok = true;
    for (unsigned with = 0; with < 2; with++) {
        l->file = with ? path : "/dev/null";
        if (!lab_read_answers(l) || lab_grade_source(l, NULL, &g, NULL, 0))
            return LAB_CANNOT;
        bool right = g.points == (with ? most : 0);
        printf("%-4s %5.4g of %u  %s\n", right ? "ok" : "BAD", g.points, most,
               with ? "the right answers" : "no answers");
        if (!right)
            lab_grade_print(&g, LAB_TEACHER, stdout);
        ok &= right;
    }
    snprintf(path, sizeof path, "%.3000s/answers", l->folders.work);
    for (unsigned i = 0; i < l->spec.n_cases; i++) {
        const struct lab_case *c = &l->spec.cases[i];
        char why[400];
        if (is_left_out(l, i))
            continue;
        l->file = path;
        bool made = write_answers(&l->folders, c, path, why, sizeof why);
        if (!made)
            printf("BAD  %s: %s\n", c->file, why);
        ok &= made && lab_read_answers(l) && try_one(l, c->file, path, c->loses);
    }
    return ok ? 0 : 1;
}

/* Of a lab whose guests are mended: the folder that a student begins with, the lab's own mended
 * kernels and answers, and each case as a diff of those. */
static bool try_folder(struct lab *l, const char *name, const struct lab_case *c, bool starter,
                       const char *loses)
{
    char why[PATH_MAX + 100], to[PATH_MAX + 32];
    static unsigned number;
    snprintf(to, sizeof to, "%s/case-%u", l->folders.work, number++);
    int err = starter ? lab_mend_start(&l->folders, to, why, sizeof why)
                      : lab_mend_write_case(&l->folders, c, to, why, sizeof why);
    if (err) {
        printf("BAD  %s: %s\n", name, why);
        return false;
    }
    l->file = starter ? NULL : to;
    return lab_read_answers(l) && try_one(l, name, to, loses);
}

static int try_folders(struct lab *l)
{
    bool ok = try_folder(l, "the starter", NULL, true, "*");
    ok &= try_folder(l, "the mended kernels", NULL, false, NULL);
    for (unsigned i = 0; i < l->spec.n_cases; i++) {
        const struct lab_case *c = &l->spec.cases[i];
        if (!is_left_out(l, i))
            ok &= try_folder(l, c->file, c, false, c->loses);
    }
    return ok ? 0 : 1;
}

static int try_sources(struct lab *l)
{
    char source[PATH_MAX + 16], why[PATH_MAX + 100];
    bool ok;
    snprintf(source, sizeof source, "%s/part.c", l->folders.work);
    ok = lab_write_starter(&l->folders, &l->spec, source, why, sizeof why) > 0 &&
         try_one(l, "the starter", source, "*");
    snprintf(source, sizeof source, "%s/%.200s", l->folders.root, l->spec.cut);
    ok &= try_one(l, "the real source", source, NULL);
    snprintf(source, sizeof source, "%s/part.c", l->folders.work);
    for (unsigned i = 0; i < l->spec.n_cases; i++) {
        const struct lab_case *c = &l->spec.cases[i];
        if (is_left_out(l, i))
            continue;
        if (lab_write_case(&l->folders, &l->spec, c, source, why, sizeof why)) {
            printf("BAD  %s: %s\n", c->file, why);
            ok = false;
        } else
            ok &= try_one(l, c->file, source, c->loses);
    }
    return ok ? 0 : 1;
}

int lab_try(struct lab *l)
{
    int status = lab_spec_mends(&l->spec) ? try_folders(l)
                 : l->spec.cut            ? try_sources(l) : try_answers(l);
    lab_grade_free(&g);
    return status;
}
