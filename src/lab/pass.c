/*
 * lab/pass.c -- choosing a rule's events: between its marks, while its state holds.
 */
#include "lab/pass.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/trace/field.h"
#include "debugger/trace/filter.h"
#include "debugger/trace/store.h"

static bool mark_is(const struct trace_event *e, int64_t n)
{
    return n >= 0 && e->kind == TRACE_MARK && e->arg[0] == (uint64_t)n;
}

/* Choose: between the marks, and while the state holds. */
static void each_event(struct lab_pass *p, uint64_t index, const struct trace_event *e)
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

bool lab_pass_room(struct lab_pass *p, size_t n)
{
    if (p->n_values + n <= p->room)
        return true;
    size_t room = 2 * p->room + 64 * LAB_PASS_FIELDS;
    struct lab_value *more = realloc(p->values, room * sizeof *more);
    p->no_memory = !more;
    if (more) {
        p->values = more;
        p->room = room;
    }
    return more != NULL;
}

void lab_take_values(struct lab_pass *p, uint64_t index, const struct trace_event *e)
{
    if (!filter_match(p->filter, e) || !lab_pass_room(p, p->n_fields))
        return;
    for (unsigned i = 0; i < p->n_fields; i++) {
        struct lab_value *v = &p->values[p->n_values++];
        *v = (struct lab_value){ .at = index };
        trace_field_value(p->field[i], e, &v->value);
    }
}

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

static int find_fields(struct lab_pass *p, const char *names, char *why, size_t n)
{
    while (names && *names) {
        size_t len = strcspn(names, ",");
        const struct trace_field *f = trace_field_find(names, len);
        if (!f || p->n_fields == LAB_PASS_FIELDS) {
            snprintf(why, n, "the lab's fields: %s", names);
            return -EINVAL;
        }
        p->field[p->n_fields++] = f;
        names += len + (names[len] == ',');
    }
    return 0;
}

static int pass_open(struct lab_pass *p, const struct lab_rule *r, struct store *s, char *why,
                     size_t n)
{
    *p = (struct lab_pass){ .rule = r, .before_mark = r->from_mark >= 0, .first = LAB_NO_EVENT,
                            .open_at = LAB_NO_EVENT, .between = LAB_NO_EVENT,
                            .wrong = LAB_NO_EVENT, .behind_at = LAB_NO_EVENT };
    int err = compile(&p->filter, r->filter, s, why, n);
    err = err ? err : compile(&p->then, r->then, s, why, n);
    err = err ? err : compile(&p->without, r->without, s, why, n);
    err = err ? err : compile(&p->behind, r->behind, s, why, n);
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

void lab_pass_close(struct lab_pass *p)
{
    filter_free(p->filter);
    filter_free(p->then);
    filter_free(p->without);
    filter_free(p->behind);
    filter_free(p->state);
    free(p->values);
}

/* Go over a run.  A run without a trace has no events. */
int lab_pass_over(struct lab_pass *p, const struct lab_rule *r, const struct lab_run *run,
                  lab_take_fn *take, struct lab_finding *f)
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
