/*
 * lab/rule.c -- the kinds of rules, each a pass over events.
 *
 * A rule sees only the events between its marks, and only while its state has its value.  That
 * choosing is each_event()'s, so that a kind is just what it does with an event.
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
#include "mem/invariant.h"

#define MAX_FIELDS 6

/* How the numbers of an INVARIANT event are told. */
enum number_base { IN_HEX, IN_DECIMAL };
static const struct { const char *at, *found; enum number_base base; const char *about; }
invariants[N_INVARIANTS] = {
#define X(name, at, found, base, about) [INVARIANT_##name] = { at, found, base, about },
    INVARIANT_LIST(X)
#undef X
};

/* What a field was, and in which event. */
struct value { uint64_t value, at; };

/* A rule with its filters compiled. */
struct pass {
    const struct lab_rule *rule;
    struct filter *filter, *then, *without, *state;
    const struct trace_field *state_field, *field[MAX_FIELDS];
    unsigned n_fields;

    /* where in the run it is */
    bool     before_mark, behind_mark;
    bool     state_holds;

    /* what the kinds gather */
    void   (*take)(struct pass *p, uint64_t index, const struct trace_event *e);
    uint64_t count, first;              /* events of the filter; the first one                 */
    uint64_t open_at, open_ns;          /* an A without its B; open_at LAB_NO_EVENT: none      */
    uint64_t between;                   /* the first event that `without` forbids              */
    double   worst_ns;                  /* the longest way from an A to its B                  */
    uint64_t wrong;                     /* the first event that broke the rule                 */
    struct value *values;               /* of refine: fields one after the other               */
    size_t   n_values, room;
    bool     no_memory;
};

static bool mark_is(const struct trace_event *e, int64_t n)
{
    return n >= 0 && e->kind == TRACE_MARK && e->arg[0] == (uint64_t)n;
}

/* Choose: between the marks, and while the state holds. */
static void each_event(struct pass *p, uint64_t index, const struct trace_event *e)
{
    uint64_t value;
    if (mark_is(e, p->rule->from_mark))
        p->before_mark = false;
    if (mark_is(e, p->rule->to_mark) && !p->before_mark)
        p->behind_mark = true;
    if (p->state && filter_match(p->state, e) && trace_field_value(p->state_field, e, &value))
        p->state_holds = value == p->rule->during_value;
    if (!p->before_mark && !p->behind_mark && (!p->state || p->state_holds))
        p->take(p, index, e);
}

/* ---- what is done with an event ---- */

/* Room for n more values. */
static bool make_room(struct pass *p, size_t n)
{
    if (p->n_values + n <= p->room)
        return true;
    size_t room = 2 * p->room + 64 * MAX_FIELDS;
    struct value *more = realloc(p->values, room * sizeof *more);
    p->no_memory = !more;
    if (more) {
        p->values = more;
        p->room = room;
    }
    return more != NULL;
}

static void take_count(struct pass *p, uint64_t index, const struct trace_event *e)
{
    if (!filter_match(p->filter, e))
        return;
    if (p->count++ == 0)
        p->first = index;
}

/* To be compared with another run: what makes two events the same, whenever they happen. */
static void take_likeness(struct pass *p, uint64_t index, const struct trace_event *e)
{
    uint64_t words[] = { e->kind, e->place, e->arg[0], e->arg[1], e->arg[2] }, sum = 0;
    if (!filter_match(p->filter, e) || !make_room(p, 1))
        return;
    for (size_t i = 0; i < NELEM(words); i++)
        sum = (sum ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15) + (sum >> 29);
    p->values[p->n_values++] = (struct value){ sum, index };
}

static void take_invariant(struct pass *p, uint64_t index, const struct trace_event *e)
{
    if (e->kind == TRACE_INVARIANT)
        take_count(p, index, e);
}

/* order and latency: A opens, B closes; an A while one is open is the one before left without. */
static void take_pair(struct pass *p, uint64_t index, const struct trace_event *e)
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

static void take_values(struct pass *p, uint64_t index, const struct trace_event *e)
{
    if (!filter_match(p->filter, e) || !make_room(p, p->n_fields))
        return;
    for (unsigned i = 0; i < p->n_fields; i++) {
        struct value *v = &p->values[p->n_values++];
        *v = (struct value){ .at = index };
        trace_field_value(p->field[i], e, &v->value);
    }
}

/* ---- a pass from beginning to end ---- */

static int compile(struct filter **f, const char *text, struct store *s, char *why, size_t n)
{
    struct filter_error err;
    if (!text)
        return 0;
    *f = filter_compile(text, s ? store_text(s) : NULL, &err);
    if (!*f)
        snprintf(why, n, "the lab's filter %s: %s", text, err.text);
    return *f ? 0 : -EINVAL;
}

static int find_fields(struct pass *p, const char *names, char *why, size_t n)
{
    while (names && *names) {
        size_t len = strcspn(names, ",");
        const struct trace_field *f = trace_field_find(names, len);
        if (!f || p->n_fields == MAX_FIELDS) {
            snprintf(why, n, "the lab's fields: %s", names);
            return -EINVAL;
        }
        p->field[p->n_fields++] = f;
        names += len + (names[len] == ',');
    }
    return 0;
}

static int pass_open(struct pass *p, const struct lab_rule *r, struct store *s, char *why, size_t n)
{
    *p = (struct pass){ .rule = r, .before_mark = r->from_mark >= 0, .first = LAB_NO_EVENT,
                        .open_at = LAB_NO_EVENT, .between = LAB_NO_EVENT, .wrong = LAB_NO_EVENT };
    int err = compile(&p->filter, r->filter, s, why, n);
    err = err ? err : compile(&p->then, r->then, s, why, n);
    err = err ? err : compile(&p->without, r->without, s, why, n);
    err = err ? err : find_fields(p, r->fields, why, n);
    if (err || !r->during)
        return err;
    p->state_field = trace_field_find(r->during->field, strlen(r->during->field));
    if (!p->state_field) {
        snprintf(why, n, "the lab's state has no field %s", r->during->field);
        return -EINVAL;
    }
    return compile(&p->state, r->during->filter, s, why, n);
}

static void pass_close(struct pass *p)
{
    filter_free(p->filter);
    filter_free(p->then);
    filter_free(p->without);
    filter_free(p->state);
    free(p->values);
}

typedef void take_fn(struct pass *p, uint64_t index, const struct trace_event *e);

/* Go over a run.  A run without a trace has no events. */
static int go_over(struct pass *p, const struct lab_rule *r, const struct lab_run *run,
                   take_fn *take, struct lab_finding *f)
{
    int err = pass_open(p, r, run->trace, f->text, sizeof f->text);
    p->take = take;
    uint64_t n = !err && run->trace ? store_n_events(run->trace) : 0;
    for (uint64_t i = 0; i < n && !p->behind_mark && !p->no_memory; i++) {
        const struct trace_event *e = store_at(run->trace, i);
        if (e)
            each_event(p, i, e);
    }
    if (!err && p->no_memory) {
        snprintf(f->text, sizeof f->text, "there is not enough memory");
        err = -ENOMEM;
    }
    return err;
}

/* How often it matches in the reference run. */
static int count_reference(const struct lab_rule *r, const struct lab_run *reference,
                           double *count, struct lab_finding *f)
{
    struct pass p;
    int err = go_over(&p, r, reference, take_count, f);
    *count = (double)p.count;
    pass_close(&p);
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
    struct pass a, b;
    char text[sizeof f->text];
    size_t same = 0;
    memcpy(text, f->text, sizeof text);
    int err = go_over(&a, r, reference, take_likeness, f);
    err = go_over(&b, r, run, take_likeness, f) || err;
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
    pass_close(&a);
    pass_close(&b);
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
    struct pass p;
    double bound = 1;
    (void)answer;
    int err = r->bound.of_reference ? count_reference(r, reference, &bound, f) : 0;
    if (err)
        return err;
    bound *= r->bound.value;
    err = go_over(&p, r, run, take_count, f);
    if (!err && !compares((double)p.count, r->compare, bound)) {
        broken(f, p.first);
        snprintf(f->text, sizeof f->text, "there are %" PRIu64 " of %s; %s%g would be right",
                 p.count, r->filter, words[r->compare], bound);
        mark_divergence(r, reference, run, f);
    }
    pass_close(&p);
    return err;
}

static int judge_never(const struct lab_rule *r, const struct lab_run *reference,
                       const struct lab_run *run, const char *answer, struct lab_finding *f)
{
    struct pass p;
    (void)reference, (void)answer;
    int err = go_over(&p, r, run, take_count, f);
    if (!err && p.count) {
        broken(f, p.first);
        snprintf(f->text, sizeof f->text, "it happened, %" PRIu64 " times: %s", p.count, r->filter);
    }
    pass_close(&p);
    return err;
}

/* As never, of the events that the oracle in the trusted monitor writes.  Each of them is one
 * page, so the sentence can name it. */
static int judge_invariant(const struct lab_rule *r, const struct lab_run *reference,
                           const struct lab_run *run, const char *answer, struct lab_finding *f)
{
    struct pass p;
    (void)reference, (void)answer;
    int err = go_over(&p, r, run, take_invariant, f);
    const struct trace_event *e = err || !p.count ? NULL : store_at(run->trace, p.first);
    if (e && e->arg[0] < N_INVARIANTS) {
        char found[24];
        snprintf(found, sizeof found,
                 invariants[e->arg[0]].base == IN_HEX ? "0x%" PRIx64 : "%" PRIu64, e->arg[2]);
        broken(f, p.first);
        snprintf(f->text, sizeof f->text,
                 "at %s 0x%" PRIx64 " (%s: %s): %s; %" PRIu64 " times in all",
                 invariants[e->arg[0]].at, e->arg[1], invariants[e->arg[0]].found, found,
                 invariants[e->arg[0]].about, p.count);
    }
    pass_close(&p);
    return err;
}

static int judge_pair(const struct lab_rule *r, const struct lab_run *reference,
                      const struct lab_run *run, const char *answer, struct lab_finding *f)
{
    struct pass p;
    (void)reference, (void)answer;
    int err = go_over(&p, r, run, take_pair, f);
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
    pass_close(&p);
    return err;
}

/* All points up to the reference's count and a little, none at the bound. */
static int judge_budget(const struct lab_rule *r, const struct lab_run *reference,
                        const struct lab_run *run, const char *answer, struct lab_finding *f)
{
    struct pass p;
    double base;
    (void)answer;
    int err = count_reference(r, reference, &base, f);
    if (err)
        return err;
    double free_up_to = base * 1.05 + 2, most = r->bound.value * (r->bound.of_reference ? base : 1);
    err = go_over(&p, r, run, take_count, f);
    double cost = (double)p.count;
    if (!err && cost > free_up_to) {
        f->share = cost >= most ? 0 : (most - cost) / (most - free_up_to);
        snprintf(f->text, sizeof f->text, "it cost %g of %s; %g are enough, at %g no point is left",
                 cost, r->filter, base, most);
        mark_divergence(r, reference, run, f);
    }
    pass_close(&p);
    return err;
}

static int judge_refine(const struct lab_rule *r, const struct lab_run *reference,
                        const struct lab_run *run, const char *answer, struct lab_finding *f)
{
    struct pass a, b;
    (void)answer;
    int err = go_over(&a, r, reference, take_values, f);
    if (!err) {
        err = go_over(&b, r, run, take_values, f);
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
        pass_close(&b);
    }
    pass_close(&a);
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
    struct pass p;
    (void)run;
    plain.fields = NULL;
    int err = go_over(&p, &plain, reference, take_count, f);
    const struct trace_event *e = err || !p.count ? NULL : store_at(reference->trace, p.first);
    pass_close(&p);
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
        [RULE_PREDICT] = judge_predict,
        [RULE_ASK]     = judge_ask,
    };
    *found = (struct lab_finding){ .share = 1, .event = LAB_NO_EVENT };
    if (is_kept_by_nothing(rule) && run->n_marks < reference->n_marks) {
        broken(found, LAB_NO_EVENT);
        found->fault = LAB_FAULT_MISSING;
        snprintf(found->text, sizeof found->text, "the guest did not get through its phases");
        return 0;
    }
    if (run->ended && rule->kind < RULE_PREDICT) {
        broken(found, run->trace && store_n_events(run->trace)
                          ? store_n_events(run->trace) - 1 : LAB_NO_EVENT);
        found->fault = LAB_FAULT_ENDED;
        found->mark = "the last event of the run";
        snprintf(found->text, sizeof found->text, "the run did not come to its end: %s",
                 run->ended);
        return 0;
    }
    return judge[rule->kind](rule, reference, run, answer, found);
}
