/*
 * lab/pass.h -- one pass over the events of a run, for one rule.
 *
 * A rule sees only the events between its marks, and only while its state has its value.  That
 * choosing is done here, so that a kind of rule is just what it does with an event.
 */
#ifndef LAB_PASS_H
#define LAB_PASS_H

#include "lab/rule.h"

struct filter;
struct trace_event;
struct trace_field;

enum { LAB_PASS_FIELDS = 6 };           /* of one rule */

/* What a field was, and in which event. */
struct lab_value { uint64_t value, at; };

/* A rule with its filters compiled. */
struct lab_pass;
typedef void lab_take_fn(struct lab_pass *p, uint64_t index, const struct trace_event *e);
struct lab_pass {
    const struct lab_rule *rule;
    struct filter *filter, *then, *without, *behind, *state;
    const struct trace_field *state_field, *field[LAB_PASS_FIELDS];
    unsigned n_fields;

    /* where in the run it is */
    bool     before_mark, behind_mark;
    bool     state_holds;

    /* what the kinds gather */
    lab_take_fn *take;
    uint64_t count, first;              /* events of the filter; the first one                 */
    uint64_t open_at, open_ns;          /* an A without its B; open_at LAB_NO_EVENT: none      */
    uint64_t between;                   /* the first event that `without` forbids              */
    double   worst_ns;                  /* the longest way from an A to its B                  */
    uint64_t wrong;                     /* the first event that broke the rule                 */
    uint64_t behind_at;                 /* the event of `behind`, or LAB_NO_EVENT              */
    size_t   n_before;                  /* values up to that one                               */
    struct lab_value *values;           /* fields, one event's after the other's               */
    size_t   n_values, room;
    bool     no_memory;
};

/* Go over a run: its events that the rule sees, to `take`, in order.  A run without a trace has
 * none.  0; or -EINVAL (the lab's filters or fields) or -ENOMEM, and a sentence in found->text.
 * lab_pass_close() in any case. */
int lab_pass_over(struct lab_pass *p, const struct lab_rule *rule, const struct lab_run *run,
                  lab_take_fn *take, struct lab_finding *found);
void lab_pass_close(struct lab_pass *p);

/* Room for n more values; false, and p->no_memory, if there is none. */
bool lab_pass_room(struct lab_pass *p, size_t n);

/* Takes, of events that match, the rule's fields into p->values.  A field that an event does not
 * have counts as 0. */
void lab_take_values(struct lab_pass *p, uint64_t index, const struct trace_event *e);

/* RULE_EQUAL_SUFFIX, in suffix.c; as lab_rule_judge(). */
int lab_judge_suffix(const struct lab_rule *rule, const struct lab_run *reference,
                     const struct lab_run *run, const char *answer, struct lab_finding *found);

#endif
