/*
 * lab/suffix.c -- the rule equal-suffix: behind some event, a run goes on as another one ends.
 *
 *     reference   a b c d e f g           never moved to another machine
 *     run         a b c M d e f g         moved at M: what is behind M is the reference's end
 *     run         M e f g                 a snapshot that was restored
 *
 * A letter is an event of the rule's filter, and of it no more than the rule's fields: what two
 * right runs may have different (time, the number of an event, an address) is not among them.  If M
 * is in the reference run, too, both are compared from there on.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "debugger/trace/field.h"
#include "debugger/trace/filter.h"
#include "debugger/trace/store.h"
#include "lab/pass.h"

/* Some events of a pass, one after the other, each n_fields values. */
struct stretch {
    const struct lab_pass *pass;
    size_t from, n;                     /* in events, not in values */
};

static void take_suffix(struct lab_pass *p, uint64_t index, const struct trace_event *e)
{
    lab_take_values(p, index, e);
    if (p->behind_at == LAB_NO_EVENT && filter_match(p->behind, e)) {
        p->behind_at = index;
        p->n_before = p->n_values;
    }
}

static struct stretch all_of(const struct lab_pass *p)
{
    return (struct stretch){ p, 0, p->n_values / p->n_fields };
}

static struct stretch part_from(const struct lab_pass *p, size_t from)
{
    size_t n = p->n_values / p->n_fields;
    return (struct stretch){ p, from, n > from ? n - from : 0 };
}

static const struct lab_value *value_at(const struct stretch *s, size_t event, unsigned field)
{
    return &s->pass->values[(s->from + event) * s->pass->n_fields + field];
}

/* How many events are the same, before the first that is not. */
static size_t same_events(const struct stretch *a, const struct stretch *b)
{
    size_t same = 0;
    for (; same < a->n && same < b->n; same++)
        for (unsigned i = 0; i < a->pass->n_fields; i++)
            if (value_at(a, same, i)->value != value_at(b, same, i)->value)
                return same;
    return same;
}

/* What the run is to be like: the reference from the same event on, or the end of it that is as
 * long. */
static struct stretch expected(const struct lab_pass *reference, const struct stretch *run)
{
    struct stretch all = all_of(reference);
    if (reference->behind_at != LAB_NO_EVENT)
        return part_from(reference, reference->n_before / reference->n_fields);
    return part_from(reference, all.n > run->n ? all.n - run->n : 0);
}

/* Where an event is lost or one too many, all events behind it are beside those that they are
 * compared with if one counts from the end.  To tell the first difference, see whether counting
 * from the beginning leads farther. */
static struct stretch best_expected(const struct lab_pass *reference, const struct stretch *run,
                                    struct stretch by_end)
{
    struct stretch by_start = part_from(reference, run->from);
    return reference->behind_at == LAB_NO_EVENT &&
           same_events(&by_start, run) > same_events(&by_end, run) ? by_start : by_end;
}

static void field_text(const struct stretch *s, size_t event, unsigned field,
                       const struct trace_text *x, char *text, size_t n)
{
    const struct trace_field *f = s->pass->field[field];
    uint64_t value = value_at(s, event, field)->value;
    const char *word = trace_field_word(x, f->look, value);
    if (word)
        snprintf(text, n, "%s", word);
    else
        snprintf(text, n, f->look == DEC || f->look == TIME ? "%" PRIu64 : "0x%" PRIx64, value);
}

/* The first event that differs: which field, and what it is in both runs. */
static void tell_difference(const struct lab_rule *r, const struct stretch *run,
                            const struct stretch *right, const struct trace_text *x, size_t at,
                            struct lab_finding *f)
{
    char is[40], should[40];
    unsigned field = 0;
    while (field + 1 < run->pass->n_fields &&
           value_at(run, at, field)->value == value_at(right, at, field)->value)
        field++;
    field_text(run, at, field, x, is, sizeof is);
    field_text(right, at, field, x, should, sizeof should);
    f->event = value_at(run, at, 0)->at;
    f->mark = "the first that the other run does not have so";
    snprintf(f->text, sizeof f->text,
             "number %zu of %s behind %s has %s %s; %s is right, as in number %zu of the other run",
             at + 1, r->filter, r->behind, run->pass->field[field]->name, is, should,
             right->from + at + 1);
}

/* All events are the same as far as both go, and one goes farther. */
static void tell_length(const struct lab_rule *r, const struct stretch *run,
                        const struct stretch *right, struct lab_finding *f)
{
    bool more = run->n > right->n;
    f->event = value_at(run, more ? right->n : run->n - 1, 0)->at;
    f->mark = more ? "the first that the other run does not have"
                   : "the other run has another one behind this";
    snprintf(f->text, sizeof f->text, "there are %zu of %s behind %s; %zu would be right", run->n,
             r->filter, r->behind, right->n);
}

static void compare(const struct lab_rule *r, const struct lab_pass *reference,
                    const struct lab_pass *p, const struct trace_text *x, struct lab_finding *f)
{
    struct stretch run = part_from(p, p->n_before / p->n_fields);
    if (p->behind_at == LAB_NO_EVENT || !run.n) {
        f->share = 0;
        f->event = p->behind_at;
        f->fault = LAB_FAULT_MISSING;
        if (p->behind_at == LAB_NO_EVENT)
            snprintf(f->text, sizeof f->text, "what it is judged from never happened: %s",
                     r->behind);
        else
            snprintf(f->text, sizeof f->text, "nothing of %s happened behind %s", r->filter,
                     r->behind);
        return;
    }
    struct stretch right = expected(reference, &run);
    size_t same = same_events(&run, &right);
    if (same == run.n && same == right.n)
        return;
    f->share = 0;
    right = best_expected(reference, &run, right);
    same = same_events(&run, &right);
    if (same < run.n && same < right.n)
        tell_difference(r, &run, &right, x, same, f);
    else
        tell_length(r, &run, &right, f);
}

int lab_judge_suffix(const struct lab_rule *r, const struct lab_run *reference,
                     const struct lab_run *run, const char *answer, struct lab_finding *f)
{
    struct lab_pass a, b;
    (void)answer;
    int err = lab_pass_over(&a, r, reference, take_suffix, f);
    if (!err && !a.n_values) {
        snprintf(f->text, sizeof f->text, "the reference run has no event of %s", r->filter);
        err = -EINVAL;
    }
    if (!err) {
        err = lab_pass_over(&b, r, run, take_suffix, f);
        if (!err)
            compare(r, &a, &b, run->trace ? store_text(run->trace) : NULL, f);
        lab_pass_close(&b);
    }
    lab_pass_close(&a);
    return err;
}
