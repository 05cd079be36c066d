/*
 * lab/spec.h -- a lab's one declarative file: what is cut, which guests run, what earns points.
 *
 *     lab 7 "Interrupts: who is heard, and when"
 *     cut src/io/pic.c
 *     limit exits 4*ref insns 4*ref wall 10s
 *     guest timer
 *     guest nest image lines with "test=nest"
 *     state imr 'IO_WRITE && port==0x21' value
 *
 *     nesting: 3 nest output
 *         say "A handler may be interrupted by lines of higher priority, and by no other."
 *     ticks: 1 timer count 'DELIVER && vector==0x20' == 10 between mark 1..2
 *     prompt: 1 * latency 'IRQ_LINE && line==0 && level==1' -> 'DELIVER && vector==0x20' <= 20us
 *     masked: 1 * never 'DELIVER && vector in 0x20..0x2f' while imr==0xff
 *
 *     same: 2 moved equal-suffix 'IO_WRITE' port,value behind 'MARK && n==5' like never
 *
 *     ask what: 1 timer 'DELIVER' vector "Which vector does the first interrupt have?"
 *     predict exits: 1 timer count 'EXIT' within 10% "How many exits does timer make?"
 *
 *     accept right/latched.c
 *     reject mutants/eoi-all.diff loses nesting
 *
 * Behind a rule `hidden`, and behind a guest, whose rules are all hidden then: students see only
 * whether such a test failed.
 *
 * A line is words; 'one word' and "one word" may hold blanks; # begins a comment.  A rule is
 * NAME: POINTS GUEST KIND ..., and an indented line belongs to the rule before it.  doc/labs.md
 * has the whole language; lab/rule.h says what each kind of rule means.
 */
#ifndef LAB_SPEC_H
#define LAB_SPEC_H

#include "base/types.h"

enum { LAB_GUESTS = 20, LAB_RULES = 64, LAB_STATES = 8, LAB_CASES = 96, LAB_OPTIONS = 12,
       LAB_WORD_LISTS = 4, LAB_WORDS = 8 };

/* A number as such, or so many times what the reference run has. */
struct lab_bound { double value; bool of_reference; };

/* What the student makes of a guest that comes with a mistake. */
struct lab_mend {
    const char *file;                       /* guests/FILE.S and SUBMISSION/FILE.S; NULL: nothing */
    bool        boots;                      /* it is a boot sector, not a Multiboot kernel */
    unsigned    most_lines;                 /* so many may be other ones              */
};

/* One machine run: `vitrine run OPTIONS GUEST`. */
struct lab_guest {
    const char *name;                       /* in rules                           */
    const char *image;                      /* build/guests/IMAGE.elf, if nothing is mended */
    struct lab_mend mend;
    const char *with;                       /* more for its command line, or NULL */
    const char *option[LAB_OPTIONS];        /* words; n_options of them           */
    unsigned    n_options;
    const char *input;                      /* what is typed, or NULL             */
    bool        hidden;                     /* other seed; its rules are hidden   */
};

/* The latest value of a field among the events that match: while imr==0xff. */
struct lab_state { const char *name, *filter, *field; };

/* Words for answers that are numbers in the trace: trap=1 silent=2. */
struct lab_words {
    const char *name;
    const char *word[LAB_WORDS];            /* n of them */
    uint64_t    value[LAB_WORDS];
    unsigned    n;
};

enum lab_rule_kind {
    RULE_OUTPUT,        /* what the guest printed, and its status, are the reference's     */
    RULE_COUNT,         /* so many events match                                            */
    RULE_NEVER,         /* none does                                                       */
    RULE_INVARIANT,     /* the lab's oracle found none of these broken                     */
    RULE_ORDER,         /* behind each A a B, before the next A                            */
    RULE_LATENCY,       /* and so soon                                                     */
    RULE_BUDGET,        /* points fall from the reference's count to the bound             */
    RULE_REFINE,        /* some fields of the matching events, one after the other, are the
                         * reference's */
    RULE_EQUAL_SUFFIX,  /* and so from one event on to the end, which is another run's end */
    RULE_PREDICT,       /* the student's own number is what is counted                     */
    RULE_ASK,           /* a field of the first matching event is what the student says    */
    N_RULE_KINDS
};

enum lab_compare { LAB_EQ, LAB_NE, LAB_LT, LAB_LE, LAB_GT, LAB_GE };

struct lab_rule {
    const char *name, *guest;               /* "*": all of the lab's                      */
    unsigned    points;
    enum lab_rule_kind kind;
    const char *filter, *then;              /* A, and B of `A -> B`                       */
    const char *without;                    /* C, which must not come between A and B; or NULL */
    const char *fields;                     /* of refine and equal-suffix: "port,value"   */
    const char *behind;                     /* of equal-suffix: the event from which on    */
    const char *like;                       /* and the guest whose reference it is like; NULL: its
                                             * own */
    enum lab_compare compare;
    struct lab_bound bound;
    int64_t     from_mark, to_mark;         /* between mark A..B; -1: from the start, to the end */
    const struct lab_state *during;         /* while STATE==VALUE; or NULL                */
    uint64_t    during_value;
    const struct lab_words *words;          /* of ask: one of these; or NULL              */
    bool        hidden;                     /* it counts, but only a teacher sees what it says */
    const char *say;                        /* the sentence for the student, or NULL      */
};

/* A solution that is kept beside the lab to prove that its rules are right. */
struct lab_case {
    const char *file;                       /* right/NAME.c, or mutants/NAME.diff to apply */
    bool        accept;
    const char *loses;                      /* of a mutant: names of rules, by commas      */
};

struct lab_spec {
    const char *id;                         /* "7", "C"                                   */
    const char *title;
    const char *cut;                        /* NULL: nothing is written, only answered    */
    const char *called;                     /* what students call their file or folder, or NULL */
    struct lab_bound exits, insns;          /* a run ends there; of the reference's; insns.value
                                             * 0: there is no such limit                   */
    unsigned    wall_s;
    unsigned    n_guests, n_states, n_word_lists, n_rules, n_cases;
    struct lab_guest guest[LAB_GUESTS];
    struct lab_state state[LAB_STATES];
    struct lab_words words[LAB_WORD_LISTS];
    struct lab_rule  rule[LAB_RULES];
    struct lab_case  cases[LAB_CASES];
    char       *text;                       /* what the strings above point into           */
};

/* Read the file.  0; or -errno and in why a sentence with the line.  Free it in any case. */
int lab_spec_read(struct lab_spec *spec, const char *path, char *why, size_t n);
void lab_spec_free(struct lab_spec *spec);

const char *lab_rule_kind_name(enum lab_rule_kind kind);

/* The name of the file or folder that a student begins with, if they say no other. */
const char *lab_part_name(const struct lab_spec *spec);

/* Is the submission a folder, with kernels to mend and a file `answers`? */
bool lab_spec_mends(const struct lab_spec *spec);

/* All points there are. */
unsigned lab_spec_points(const struct lab_spec *spec);

#endif
