/*
 * lab/grade_print.c -- a grade for people, and for Gradescope.
 *   [Gradescope Autograder Documentation "Output Format"]
 */
#include "lab/grade.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/trace/store.h"

#define EVENTS_BEFORE 10
#define PRINTED_LINES 10          /* of what the submission printed */
#define PRINTED_BYTES 1000

static double points_of(const struct lab_grade *g, unsigned r)
{
    return g->finding[r].share * g->spec->rule[r].points;
}

/* The events up to the wrong one, which is marked, and how to see more. */
static void print_events(const struct lab_job *j, const struct lab_finding *f, FILE *out)
{
    uint64_t from = f->event > EVENTS_BEFORE ? f->event - EVENTS_BEFORE : 0;
    if (f->mark)
        fprintf(out, "      marked with >: %s\n", f->mark);
    for (uint64_t i = from; i <= f->event; i++) {
        const struct trace_event *e = store_at(j->run.trace, i);
        if (!e)
            continue;
        fputs(i == f->event ? "    > " : "      ", out);
        trace_text_line(store_text(j->run.trace), e, out);
    }
    const struct trace_event *wrong = store_at(j->run.trace, f->event);
    if (wrong)
        fprintf(out, "      look at it: vitrine tui %s, then \\seq==%" PRIu64 "\n", j->trace,
                wrong->seq);
}

/* The last lines of what the submission printed: what it said just before it went wrong. */
static void print_tail(const char *printed, FILE *out)
{
    size_t n = printed ? strlen(printed) : 0, from = n;
    unsigned lines = 0, left_out = 0;
    while (n && printed[n - 1] == '\n')
        n--;
    for (from = n; from && n - from < PRINTED_BYTES; from--)
        if (printed[from - 1] == '\n' && ++lines == PRINTED_LINES)
            break;
    if (!n)
        return;
    for (size_t i = 0; i < from; i++)
        left_out += printed[i] == '\n';
    fputs("      your part printed", out);
    if (from)
        fprintf(out, " (%zu bytes, %u lines, before this are left out)", from, left_out);
    fputs(":\n        | ", out);
    for (size_t i = from; i < n; i++)
        if (printed[i] == '\n')
            fputs("\n        | ", out);
        else
            fputc((unsigned char)printed[i] < ' ' && printed[i] != '\t' ? '?' : printed[i], out);
    fputc('\n', out);
}

/* ---- one fault, told once ---- */

/* Are two broken rules broken by one fault?  `i` comes first in the list. */
static bool is_same_fault(const struct lab_grade *g, unsigned i, unsigned r)
{
    const struct lab_finding *a = &g->finding[i], *b = &g->finding[r];
    const struct lab_job *ja = &g->job[g->guest_of[i]], *jb = &g->job[g->guest_of[r]];
    switch (b->fault) {
    case LAB_FAULT_ENDED:   return a->fault == b->fault && strcmp(a->text, b->text) == 0;
    case LAB_FAULT_MISSING: return ja == jb;
    case LAB_FAULT_SILENT:  return a->fault == b->fault && ja->ending.stop == jb->ending.stop;
    case LAB_FAULT_OWN:     break;
    }
    return false;
}

/* May rule r send its reader to rule i?  Not from one that students see to one that they do not. */
static bool may_refer(const struct lab_grade *g, unsigned r, unsigned i)
{
    return g->spec->rule[r].hidden || !g->spec->rule[i].hidden;
}

/* One mistake breaks many rules: all that judge a run which did not come to its end, say.  The
 * first rule in the list tells it. */
static unsigned first_with_this_fault(const struct lab_grade *g, unsigned r)
{
    for (unsigned i = 0; i < r && g->spec->rule[r].kind < RULE_PREDICT; i++)
        if (g->spec->rule[i].kind < RULE_PREDICT && g->finding[i].share < 1 &&
            may_refer(g, r, i) && is_same_fault(g, i, r))
            return first_with_this_fault(g, i);
    return r;
}

/* The rules that are broken for the same reason as r, which tells it. */
static void print_others(const struct lab_grade *g, unsigned r, FILE *out)
{
    unsigned n = 0;
    for (unsigned i = r + 1; i < g->spec->n_rules; i++)
        if (g->finding[i].share < 1 && may_refer(g, r, i) && first_with_this_fault(g, i) == r)
            fprintf(out, "%s%s", n++ ? ", " : "      the same fault also costs: ",
                    g->spec->rule[i].name);
    if (n)
        fputc('\n', out);
}

/* Has an earlier rule told what is to be told of the run with this guest, but not of the rule? */
static bool told_before(const struct lab_grade *g, unsigned r)
{
    for (unsigned i = 0; i < r; i++)
        if (g->finding[i].share < 1 && g->guest_of[i] == g->guest_of[r] &&
            g->spec->rule[i].kind < RULE_PREDICT && may_refer(g, r, i))
            return true;
    return false;
}

/* Lines of the monitor's, or how the run ended, if a right run ends otherwise. */
static void print_ending(const struct lab_job *j, const struct lab_job *reference, FILE *out)
{
    if (j->run.ended || j->ending.stop == reference->ending.stop)
        return;
    fprintf(out, "      the run ended as a right one does not: %s\n", j->ending.text);
    if (j->said && j->said[0])
        fprintf(out, "      the monitor said: %.*s\n", (int)strcspn(j->said, "\n"), j->said);
}

/* What a broken rule says to the student. */
static void print_finding(const struct lab_grade *g, unsigned r, FILE *out)
{
    const struct lab_rule *rule = &g->spec->rule[r];
    const struct lab_finding *f = &g->finding[r];
    unsigned guest = g->guest_of[r], first = first_with_this_fault(g, r);
    const struct lab_job *j = &g->job[guest];
    if (!j->guest) {
        fprintf(out, "      It does not compile.\n");
        return;
    }
    if (first != r) {
        fprintf(out, "      %s: for the same reason as %s.\n", j->guest->name,
                g->spec->rule[first].name);
        return;
    }
    fprintf(out, "      %s: %s.\n", j->guest->name, f->text);
    if (rule->say)
        fprintf(out, "      %s\n", rule->say);
    if (rule->kind >= RULE_PREDICT)
        return;
    print_others(g, r, out);
    if (!told_before(g, r)) {
        print_ending(j, &g->reference[guest], out);
        print_tail(j->printed, out);
    }
    if (f->event != LAB_NO_EVENT && j->run.trace)
        print_events(j, f, out);
}

/* What a student sees of a hidden rule: neither its name nor its guest, which would tell what it is
 * about. */
static void print_hidden(const struct lab_grade *g, unsigned r, FILE *out)
{
    fprintf(out, "  %5.4g of %-3u a hidden test%s\n", points_of(g, r), g->spec->rule[r].points,
            g->finding[r].share < 1 ? " failed" : "");
}

void lab_grade_print(struct lab_grade *g, enum lab_reader reader, FILE *out)
{
    fprintf(out, "lab %s: %s\n\n", g->spec->id, g->spec->title);
    for (unsigned r = 0; r < g->spec->n_rules; r++) {
        const struct lab_rule *rule = &g->spec->rule[r];
        if (rule->hidden && reader == LAB_STUDENT) {
            print_hidden(g, r, out);
            continue;
        }
        fprintf(out, "  %5.4g of %-3u %-14s %s %s%s\n", points_of(g, r), rule->points, rule->name,
                rule->guest, lab_rule_kind_name(rule->kind), rule->hidden ? " (hidden)" : "");
        if (g->finding[r].share < 1)
            print_finding(g, r, out);
    }
    fprintf(out, "\n  %5.4g of %u points\n", g->points, lab_spec_points(g->spec));
}

/* One test of results.json; false: no memory. */
static bool add_test(cJSON *tests, const struct lab_grade *g, unsigned r)
{
    const struct lab_rule *rule = &g->spec->rule[r];
    cJSON *t = cJSON_CreateObject();
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    if (f && g->finding[r].share < 1)
        print_finding(g, r, f);
    bool ok = t && f && fclose(f) == 0 && cJSON_AddItemToArray(tests, t) &&
              cJSON_AddStringToObject(t, "name", rule->name) &&
              cJSON_AddNumberToObject(t, "score", points_of(g, r)) &&
              cJSON_AddNumberToObject(t, "max_score", rule->points) &&
              cJSON_AddStringToObject(t, "output", text) &&
              cJSON_AddStringToObject(t, "visibility",
                                      rule->hidden ? "after_published" : "visible");
    free(text);
    return ok;
}

int lab_grade_json(struct lab_grade *g, FILE *out)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *tests = root ? cJSON_AddArrayToObject(root, "tests") : NULL;
    bool ok = tests && cJSON_AddNumberToObject(root, "score", g->points) &&
              cJSON_AddStringToObject(root, "output", g->spec->title);
    for (unsigned r = 0; ok && r < g->spec->n_rules; r++)
        ok = add_test(tests, g, r);
    char *text = ok ? cJSON_Print(root) : NULL;
    if (text)
        fprintf(out, "%s\n", text);
    free(text);
    cJSON_Delete(root);
    return text ? 0 : -ENOMEM;
}
