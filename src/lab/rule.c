/*
 * lab/rule.c -- the kinds of rules, each a pass over events (lab/pass.h): what it does with an
 * event, and what it says at the end.
 */
#include "lab/rule.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "debugger/trace/field.h"
#include "debugger/trace/filter.h"
#include "debugger/trace/store.h"
#include "lab/pass.h"
#include "mem/invariant.h"

/* How the numbers of an INVARIANT event are told. */
enum number_base { IN_HEX, IN_DECIMAL, AS_CALL };
static const struct { const char *at, *found; enum number_base base; const char *about; }
invariants[N_INVARIANTS] = {
#define X(name, at, found, base, about) [INVARIANT_##name] = { at, found, base, about },
    INVARIANT_LIST(X)
#undef X
};

static const char *const loop_calls[N_LOOP_CALLS] = {
#define X(name, text) [LOOP_##name] = text,
    LOOP_CALL_LIST(X)
#undef X
};

static void number_text(enum number_base base, uint64_t v, char *buf, size_t n)
{
    if (base == AS_CALL && v < N_LOOP_CALLS)
        snprintf(buf, n, "%s", loop_calls[v]);
    else
        snprintf(buf, n, base == IN_HEX ? "0x%" PRIx64 : "%" PRIu64, v);
}

/* ---- what is done with an event ---- */

static void take_count(struct lab_pass *p, uint64_t index, const struct trace_event *e)
{
    if (!filter_match(p->filter, e))
        return;
    if (p->count++ == 0)
        p->first = index;
}

/* To be compared with another run: what makes two events the same, whenever they happen. */
static void take_likeness(struct lab_pass *p, uint64_t index, const struct trace_event *e)
{
    uint64_t words[] = { e->kind, e->place, e->arg[0], e->arg[1], e->arg[2] }, sum = 0;
    if (!filter_match(p->filter, e) || !lab_pass_room(p, 1))
        return;
    for (size_t i = 0; i < NELEM(words); i++)
        sum = (sum ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15) + (sum >> 29);
    p->values[p->n_values++] = (struct lab_value){ sum, index };
}

static void take_invariant(struct lab_pass *p, uint64_t index, const struct trace_event *e)
{
    if (e->kind == TRACE_INVARIANT)
        take_count(p, index, e);
}

/* order and latency: A opens, B closes; an A while one is open is the one before left without. */
static void take_pair(struct lab_pass *p, uint64_t index, const struct trace_event *e)
{
    double ns = (double)e->vtime_ns - (double)p->open_ns;
    bool open = p->open_at != LAB_NO_EVENT;
    if (open && p->without && filter_match(p->without, e) && p->between == LAB_NO_EVENT)
        p->between = index;
    if (open && filter_match(p->then, e)) {
        if (ns > p->worst_ns)
            p->worst_ns = ns;
        if (p->rule->kind == RULE_LATENCY && ns > p->rule->bound.value && p->wrong == LAB_NO_EVENT)
            p->wrong = p->open_at;
        p->open_at = LAB_NO_EVENT;
        p->count++;
    } else if (filter_match(p->filter, e)) {
        if (open && p->wrong == LAB_NO_EVENT && p->rule->kind == RULE_ORDER)
            p->wrong = p->open_at;
        if (!open || p->rule->kind == RULE_ORDER) {
            p->open_at = index;
            p->open_ns = e->vtime_ns;
        }
    }
}

/* How often it matches in the reference run. */
static int count_reference(const struct lab_rule *r, const struct lab_run *reference,
                           double *count, struct lab_finding *f)
{
    struct lab_pass p;
    int err = lab_pass_over(&p, r, reference, take_count, f);
    *count = (double)p.count;
    lab_pass_close(&p);
    return err;
}

static void broken(struct lab_finding *f, uint64_t event)
{
    f->share = 0;
    f->event = event;
}

/* There are too many or too few events of the rule.  Mark the first that is another one than in the
 * reference run: there the two part.  If all are the same as far as both go, it is the first too
 * many, or the last before the one that is missing. */
static void mark_divergence(const struct lab_rule *r, const struct lab_run *reference,
                            const struct lab_run *run, struct lab_finding *f)
{
    struct lab_pass a, b;
    char text[sizeof f->text];
    size_t same = 0;
    memcpy(text, f->text, sizeof text);
    int err = lab_pass_over(&a, r, reference, take_likeness, f);
    err = lab_pass_over(&b, r, run, take_likeness, f) || err;
    while (same < a.n_values && same < b.n_values && a.values[same].value == b.values[same].value)
        same++;
    f->event = LAB_NO_EVENT;
    if (!err && b.n_values) {
        f->event = b.values[same < b.n_values ? same : same - 1].at;
        f->mark = same == b.n_values  ? "a right run has another one behind this"
                  : same == a.n_values ? "the first that a right run does not have"
                                       : "the first that a right run has not, or not so";
    }
    memcpy(f->text, text, sizeof text);
    lab_pass_close(&a);
    lab_pass_close(&b);
}

/* ---- the kinds ---- */

static int judge_output(const struct lab_rule *r, const struct lab_run *reference,
                        const struct lab_run *run, const char *answer, struct lab_finding *f)
{
    (void)r, (void)answer;
    const char *a = reference->output ? reference->output : "", *b = run->output ? run->output : "";
    size_t same = 0;
    while (a[same] && a[same] == b[same])
        same++;
    size_t line = same;
    while (line && a[line - 1] != '\n')
        line--;
    if (a[same] || b[same]) {
        broken(f, LAB_NO_EVENT);
        f->fault = b[0] ? LAB_FAULT_OWN : LAB_FAULT_SILENT;
        snprintf(f->text, sizeof f->text,
                 "the guest should have printed \"%.*s\", it printed \"%.*s\"",
                 (int)strcspn(a + line, "\n"), a + line, (int)strcspn(b + line, "\n"), b + line);
    } else if (reference->status != run->status) {
        broken(f, LAB_NO_EVENT);
        snprintf(f->text, sizeof f->text, "the guest ended with status %d, %d is right",
                 run->status, reference->status);
    }
    return 0;
}

static bool compares(double a, enum lab_compare c, double b)
{
    switch (c) {
    case LAB_EQ: return a == b;
    case LAB_NE: return a != b;
    case LAB_LT: return a < b;
    case LAB_LE: return a <= b;
    case LAB_GT: return a > b;
    case LAB_GE: return a >= b;
    }
    return false;
}

static int judge_count(const struct lab_rule *r, const struct lab_run *reference,
                       const struct lab_run *run, const char *answer, struct lab_finding *f)
{
    static const char *const words[] = { "", "not ", "below ", "at most ", "above ", "at least " };
    struct lab_pass p;
    double bound = 1;
    (void)answer;
    int err = r->bound.of_reference ? count_reference(r, reference, &bound, f) : 0;
    if (err)
        return err;
    bound *= r->bound.value;
    err = lab_pass_over(&p, r, run, take_count, f);
    if (!err && !compares((double)p.count, r->compare, bound)) {
        broken(f, p.first);
        snprintf(f->text, sizeof f->text, "there are %" PRIu64 " of %s; %s%g would be right",
                 p.count, r->filter, words[r->compare], bound);
        mark_divergence(r, reference, run, f);
    }
    lab_pass_close(&p);
    return err;
}

static int judge_never(const struct lab_rule *r, const struct lab_run *reference,
                       const struct lab_run *run, const char *answer, struct lab_finding *f)
{
    struct lab_pass p;
    (void)reference, (void)answer;
    int err = lab_pass_over(&p, r, run, take_count, f);
    if (!err && p.count) {
        broken(f, p.first);
        snprintf(f->text, sizeof f->text, "it happened, %" PRIu64 " times: %s", p.count, r->filter);
    }
    lab_pass_close(&p);
    return err;
}

/* As never, of the events that the oracle in the trusted monitor writes.  Each of them is one
 * page, so the sentence can name it. */
static int judge_invariant(const struct lab_rule *r, const struct lab_run *reference,
                           const struct lab_run *run, const char *answer, struct lab_finding *f)
{
    struct lab_pass p;
    (void)reference, (void)answer;
    int err = lab_pass_over(&p, r, run, take_invariant, f);
    const struct trace_event *e = err || !p.count ? NULL : store_at(run->trace, p.first);
    if (e && e->arg[0] < N_INVARIANTS) {
        char found[40];
        number_text(invariants[e->arg[0]].base, e->arg[2], found, sizeof found);
        broken(f, p.first);
        snprintf(f->text, sizeof f->text,
                 "at %s 0x%" PRIx64 " (%s: %s): %s; %" PRIu64 " times in all",
                 invariants[e->arg[0]].at, e->arg[1], invariants[e->arg[0]].found, found,
                 invariants[e->arg[0]].about, p.count);
    }
    lab_pass_close(&p);
    return err;
}

static int judge_pair(const struct lab_rule *r, const struct lab_run *reference,
                      const struct lab_run *run, const char *answer, struct lab_finding *f)
{
    struct lab_pass p;
    (void)reference, (void)answer;
    int err = lab_pass_over(&p, r, run, take_pair, f);
    uint64_t wrong = p.between != LAB_NO_EVENT ? p.between
                     : p.wrong != LAB_NO_EVENT ? p.wrong : p.open_at;
    if (!err && (wrong != LAB_NO_EVENT || !p.count)) {
        broken(f, wrong);
        if (p.between != LAB_NO_EVENT)
            snprintf(f->text, sizeof f->text, "on the way to %s something else happened", r->then);
        else if (wrong == LAB_NO_EVENT) {
            f->fault = LAB_FAULT_MISSING;
            snprintf(f->text, sizeof f->text, "nothing of the kind happened at all");
        } else if (r->kind == RULE_LATENCY && p.wrong != LAB_NO_EVENT)
            snprintf(f->text, sizeof f->text, "it took up to %.3f us; %.3f us are allowed",
                     p.worst_ns / 1e3, r->bound.value / 1e3);
        else
            snprintf(f->text, sizeof f->text, "what had to follow did not: %s", r->then);
    }
    lab_pass_close(&p);
    return err;
}

/* All points up to the reference's count and a little, none at the bound. */
static int judge_budget(const struct lab_rule *r, const struct lab_run *reference,
                        const struct lab_run *run, const char *answer, struct lab_finding *f)
{
    struct lab_pass p;
    double base;
    (void)answer;
    int err = count_reference(r, reference, &base, f);
    if (err)
        return err;
    double free_up_to = base * 1.05 + 2, most = r->bound.value * (r->bound.of_reference ? base : 1);
    err = lab_pass_over(&p, r, run, take_count, f);
    double cost = (double)p.count;
    if (!err && cost > free_up_to) {
        f->share = cost >= most ? 0 : (most - cost) / (most - free_up_to);
        snprintf(f->text, sizeof f->text, "it cost %g of %s; %g are enough, at %g no point is left",
                 cost, r->filter, base, most);
        mark_divergence(r, reference, run, f);
    }
    lab_pass_close(&p);
    return err;
}

static int judge_refine(const struct lab_rule *r, const struct lab_run *reference,
                        const struct lab_run *run, const char *answer, struct lab_finding *f)
{
    struct lab_pass a, b;
    (void)answer;
    int err = lab_pass_over(&a, r, reference, lab_take_values, f);
    if (!err) {
        err = lab_pass_over(&b, r, run, lab_take_values, f);
        size_t same = 0;
        while (same < a.n_values && same < b.n_values &&
               a.values[same].value == b.values[same].value)
            same++;
        if (!err && (same < a.n_values || same < b.n_values)) {
            broken(f, same < b.n_values ? b.values[same].at : LAB_NO_EVENT);
            snprintf(f->text, sizeof f->text,
                     "number %zu of %s is another one than it should be", same / b.n_fields + 1,
                     r->filter);
        }
        lab_pass_close(&b);
    }
    lab_pass_close(&a);
    return err;
}

/* A number and nothing else.  "nan" is none: it would be neither above nor below the truth. */
static bool is_number(const char *answer, double *value)
{
    char *end;
    *value = strtod(answer, &end);
    return end != answer && !*end && isfinite(*value);
}

static int judge_predict(const struct lab_rule *r, const struct lab_run *reference,
                         const struct lab_run *run, const char *answer, struct lab_finding *f)
{
    double truth, said = 0;
    bool number = answer && is_number(answer, &said);
    (void)run;
    int err = count_reference(r, reference, &truth, f);
    if (err || (number && fabs(said - truth) <= truth * r->bound.value))
        return err;
    broken(f, LAB_NO_EVENT);
    if (number)
        snprintf(f->text, sizeof f->text, "%g is not within %g %% of what the machine counts", said,
                 r->bound.value * 100);
    else
        snprintf(f->text, sizeof f->text, answer ? "the answer is no number" : "no answer");
    return 0;
}

/* An answer becomes part of a filter, so it must be one value: a number, a word or a symbol. */
static bool is_value(const char *answer)
{
    return answer[0] && strspn(answer, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789_.+-") == strlen(answer);
}

/* What the answer is as a value of the field: itself, or what the rule's word stands for; else
 * empty, and a sentence in why. */
static void answer_value(const struct lab_rule *r, const char *answer, char *value, size_t n,
                         char *why, size_t n_why)
{
    const struct lab_words *l = r->words;
    value[0] = why[0] = 0;
    if (!answer) {
        snprintf(why, n_why, "no answer");
    } else if (!l && is_value(answer)) {
        snprintf(value, n, "%s", answer);
    } else if (!l) {
        snprintf(why, n_why, "that is no value of the field");
    } else {
        size_t used = (size_t)snprintf(why, n_why, "the answer is one of these words:");
        for (unsigned i = 0; i < l->n; i++) {
            if (strcasecmp(l->word[i], answer) == 0)
                snprintf(value, n, "%" PRIu64, l->value[i]);
            if (used < n_why)
                used += (size_t)snprintf(why + used, n_why - used, " %s", l->word[i]);
        }
    }
}

/* The first event of the reference run that matches, and whether `FIELD==ANSWER` is true of it. */
static int judge_ask(const struct lab_rule *r, const struct lab_run *reference,
                     const struct lab_run *run, const char *answer, struct lab_finding *f)
{
    char text[300], value[200];
    struct filter_error error;
    struct lab_rule plain = *r;
    struct lab_pass p;
    (void)run;
    plain.fields = NULL;
    int err = lab_pass_over(&p, &plain, reference, take_count, f);
    const struct trace_event *e = err || !p.count ? NULL : store_at(reference->trace, p.first);
    lab_pass_close(&p);
    if (!err && !e) {
        snprintf(f->text, sizeof f->text, "the reference run has no event of %s", r->filter);
        err = -EINVAL;
    }
    if (err)
        return err;
    answer_value(r, answer, value, sizeof value, f->text, sizeof f->text);
    snprintf(text, sizeof text, "%s==%s", r->fields, value);
    struct filter *is = value[0] ? filter_compile(text, store_text(reference->trace), &error)
                                 : NULL;
    if (is && filter_match(is, e)) {
        f->text[0] = 0;
    } else {
        broken(f, LAB_NO_EVENT);
        if (is)
            snprintf(f->text, sizeof f->text, "that is not what happened");
        else if (value[0])
            snprintf(f->text, sizeof f->text, "that is no value of the field");
    }
    filter_free(is);
    return 0;
}

/* Is it kept by a run in which nothing happens?  Then it earns points only if the guest got as
 * far as in the reference run. */
static bool is_kept_by_nothing(const struct lab_rule *r)
{
    return r->kind == RULE_NEVER || r->kind == RULE_INVARIANT || r->kind == RULE_BUDGET ||
           (r->kind == RULE_COUNT && (r->compare == LAB_LE || r->compare == LAB_LT));
}

typedef int judge_fn(const struct lab_rule *r, const struct lab_run *reference,
                     const struct lab_run *run, const char *answer, struct lab_finding *f);

int lab_rule_judge(const struct lab_rule *rule, const struct lab_run *reference,
                   const struct lab_run *run, const char *answer, struct lab_finding *found)
{
    static judge_fn *const judge[N_RULE_KINDS] = {
        [RULE_OUTPUT]  = judge_output,
        [RULE_COUNT]   = judge_count,
        [RULE_NEVER]   = judge_never,
        [RULE_INVARIANT] = judge_invariant,
        [RULE_ORDER]   = judge_pair,
        [RULE_LATENCY] = judge_pair,
        [RULE_BUDGET]  = judge_budget,
        [RULE_REFINE]  = judge_refine,
        [RULE_EQUAL_SUFFIX] = lab_judge_suffix,
        [RULE_PREDICT] = judge_predict,
        [RULE_ASK]     = judge_ask,
    };
    *found = (struct lab_finding){ .share = 1, .event = LAB_NO_EVENT };
    if (is_kept_by_nothing(rule) && run->n_marks < reference->n_marks) {
        broken(found, LAB_NO_EVENT);
        found->fault = LAB_FAULT_MISSING;
        found->not_judged = rule->kind == RULE_INVARIANT;
        snprintf(found->text, sizeof found->text, "the guest did not get through its phases");
        return 0;
    }
    if (run->ended && rule->kind < RULE_PREDICT) {
        broken(found, run->trace && store_n_events(run->trace)
                          ? store_n_events(run->trace) - 1 : LAB_NO_EVENT);
        found->fault = LAB_FAULT_ENDED;
        found->not_judged = rule->kind == RULE_INVARIANT;
        found->mark = "the last event of the run";
        snprintf(found->text, sizeof found->text, "the run did not come to its end: %s",
                 run->ended);
        return 0;
    }
    return judge[rule->kind](rule, reference, run, answer, found);
}
