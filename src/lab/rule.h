/*
 * lab/rule.h -- is a rule kept?  By the trace of a run, beside the reference's.
 *
 * Each rule is one pass over the events.  What it found is a share of the points, a sentence,
 * and the first event that is wrong, which is where a student should look.
 */
#ifndef LAB_RULE_H
#define LAB_RULE_H

#include "lab/spec.h"

struct store;

/* A run that is over. */
struct lab_run {
    struct store *trace;        /* NULL: the run gave none             */
    const char   *output;       /* what the guest printed             */
    int           status;       /* of the process; -1: it was killed   */
    const char   *ended;        /* why it ended early, or NULL         */
    uint64_t      n_exits, n_marks;     /* events of these kinds         */
    uint64_t      n_insns;      /* instructions up to the last event  */
};

#define LAB_NO_EVENT UINT64_MAX

/* A fault may be the rule's own, or of the whole run. */
enum lab_fault {
    LAB_FAULT_OWN,
    LAB_FAULT_ENDED,            /* the run did not come to its end           */
    LAB_FAULT_MISSING,          /* what is judged did not happen at all      */
    LAB_FAULT_SILENT,           /* the guest printed nothing                 */
};

struct lab_finding {
    double   share;             /* 1: kept; 0: not; between: of a budget */
    uint64_t event;             /* index in the trace, or LAB_NO_EVENT   */
    const char *mark;           /* what that event is; NULL: against the rule */
    enum lab_fault fault;
    bool     not_judged;        /* an invariant: the guest did not get through, so nobody knows  */
    char     text[500];         /* what was found; empty if it is kept   */
};

/* Judge one rule for one guest.  `answer` is what the student says (NULL: nothing), of
 * RULE_PREDICT and RULE_ASK only.  `reference` is the right run of the same guest, or of the one
 * that the rule is `like`.  0; or -EINVAL and the lab's mistake (a filter that is none) in
 * found->text. */
int lab_rule_judge(const struct lab_rule *rule, const struct lab_run *reference,
                   const struct lab_run *run, const char *answer, struct lab_finding *found);

#endif
