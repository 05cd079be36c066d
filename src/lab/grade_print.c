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

static double points_of(const struct lab_grade *g, unsigned r)
{
    return g->finding[r].share * g->spec->rule[r].points;
}

/* The events up to the wrong one, which is marked, and how to see more. */
static void print_events(const struct lab_job *j, uint64_t event, FILE *out)
{
    uint64_t from = event > EVENTS_BEFORE ? event - EVENTS_BEFORE : 0;
    for (uint64_t i = from; i <= event; i++) {
        const struct trace_event *e = store_at(j->run.trace, i);
        if (!e)
            continue;
        fputs(i == event ? "    > " : "      ", out);
        trace_text_line(store_text(j->run.trace), e, out);
    }
    const struct trace_event *wrong = store_at(j->run.trace, event);
    if (wrong)
        fprintf(out, "      look at it: vitrine tui %s, then /seq==%" PRIu64 "\n", j->trace,
                wrong->seq);
}

/* What a broken rule says to the student. */
static void print_finding(const struct lab_grade *g, unsigned r, FILE *out)
{
    const struct lab_rule *rule = &g->spec->rule[r];
    const struct lab_finding *f = &g->finding[r];
    const struct lab_job *j = &g->job[g->guest_of[r]];
    if (!j->guest) {
        fprintf(out, "      It does not compile.\n");
        return;
    }
    fprintf(out, "      %s: %s.\n", j->guest->name, f->text);
    if (rule->say)
        fprintf(out, "      %s\n", rule->say);
    if (f->event != LAB_NO_EVENT && j->run.trace)
        print_events(j, f->event, out);
    if (j->printed && j->printed[0])
        fprintf(out, "      your part printed: %.300s\n", j->printed);
}

void lab_grade_print(struct lab_grade *g, FILE *out)
{
    fprintf(out, "lab %s: %s\n\n", g->spec->id, g->spec->title);
    for (unsigned r = 0; r < g->spec->n_rules; r++) {
        const struct lab_rule *rule = &g->spec->rule[r];
        fprintf(out, "  %5.4g of %-3u %-14s %s %s\n", points_of(g, r), rule->points, rule->name,
                rule->guest, lab_rule_kind_name(rule->kind));
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
              cJSON_AddStringToObject(t, "visibility", rule->hidden ? "after_due_date" : "visible");
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
