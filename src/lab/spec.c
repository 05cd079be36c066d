/*
 * lab/spec.c -- reading a lab's file.
 *
 * A line is cut into words in place, and the first word chooses a row of `statements`; a word
 * that ends in a colon is the name of a rule.  What follows a rule's kind is a list of clauses
 * (`between mark 1..2`, `while imr==0xff`), each a row of `clauses`.
 */
#include "lab/spec.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "lab/line.h"

#define MAX_FILE  65536
#define MAX_WALL  600

/* ---- clauses of a rule ---- */

/* between mark A..B */
static int clause_between(struct lab_spec *spec, struct lab_rule *r, struct line *w)
{
    const char *word = line_next_is(w, "mark") ? line_next(w) : NULL;
    unsigned from, to;
    (void)spec;
    if (!word || sscanf(word, "%u..%u", &from, &to) != 2)
        return line_complain(w, "it is: between mark A..B", NULL);
    r->from_mark = from;
    r->to_mark = to;
    return 0;
}

/* from mark A */
static int clause_from(struct lab_spec *spec, struct lab_rule *r, struct line *w)
{
    uint64_t mark;
    (void)spec;
    if (!line_next_is(w, "mark") || line_count(w, line_next(w), UINT32_MAX, &mark))
        return line_complain(w, "it is: from mark N", NULL);
    r->from_mark = (int64_t)mark;
    return 0;
}

/* without 'C' */
static int clause_without(struct lab_spec *spec, struct lab_rule *r, struct line *w)
{
    (void)spec;
    if (r->kind != RULE_ORDER)
        return line_complain(w, "only `order` has a `without`", NULL);
    return line_need(w, "what must not come between?", &r->without);
}

/* while STATE==VALUE */
static int clause_while(struct lab_spec *spec, struct lab_rule *r, struct line *w)
{
    char *word = line_next(w), *is = word ? strstr(word, "==") : NULL;
    if (!is)
        return line_complain(w, "it is: while STATE==VALUE", NULL);
    *is = 0;
    for (unsigned i = 0; i < spec->n_states; i++)
        if (strcmp(spec->state[i].name, word) == 0) {
            r->during = &spec->state[i];
            return line_count(w, is + 2, UINT64_MAX, &r->during_value);
        }
    return line_complain(w, "no state has that name:", word);
}

/* as WORDS */
static int clause_as(struct lab_spec *spec, struct lab_rule *r, struct line *w)
{
    const char *name = line_next(w);
    for (unsigned i = 0; name && i < spec->n_word_lists && r->kind == RULE_ASK; i++)
        if (strcmp(spec->words[i].name, name) == 0)
            r->words = &spec->words[i];
    return r->words ? 0 : line_complain(w, "`as` names a list of `words`, for an `ask`:", name);
}

/* NULL: there is none. */
static const struct lab_guest *find_guest(const struct lab_spec *spec, const char *name)
{
    for (unsigned i = 0; i < spec->n_guests; i++)
        if (strcmp(spec->guest[i].name, name) == 0)
            return &spec->guest[i];
    return NULL;
}

/* like GUEST */
static int clause_like(struct lab_spec *spec, struct lab_rule *r, struct line *w)
{
    if (r->kind != RULE_EQUAL_SUFFIX)
        return line_complain(w, "only `equal-suffix` has a `like`", NULL);
    int err = line_need(w, "like the run of which guest?", &r->like);
    const struct lab_guest *g = err ? NULL : find_guest(spec, r->like);
    if (!err && !g)
        err = line_complain(w, "there is no guest", r->like);
    if (g && g->hidden)
        err = line_complain(w, "this guest is hidden, and has another seed:", r->like);
    return err;
}

static const struct clause {
    const char *word;
    int (*read)(struct lab_spec *spec, struct lab_rule *r, struct line *w);
} clauses[] = {
    { "as",      clause_as },
    { "between", clause_between },
    { "from",    clause_from },
    { "like",    clause_like },
    { "while",   clause_while },
    { "without", clause_without },
};

static int read_clauses(struct lab_spec *spec, struct lab_rule *r, struct line *w)
{
    const char *word;
    while ((word = line_next(w))) {
        size_t i = 0;
        while (i < NELEM(clauses) && strcmp(word, clauses[i].word))
            i++;
        if (i == NELEM(clauses))
            return line_complain(w, "no clause begins with", word);
        int err = clauses[i].read(spec, r, w);
        if (err)
            return err;
    }
    return 0;
}

/* ---- what follows each kind ---- */

static int need_filter(struct lab_rule *r, struct line *w)
{
    return line_need(w, "which events? a filter in quotes is due here", &r->filter);
}

static int kind_output(struct lab_rule *r, struct line *w)
{
    (void)r, (void)w;
    return 0;
}

static int kind_never(struct lab_rule *r, struct line *w)
{
    return need_filter(r, w);
}

static int kind_count(struct lab_rule *r, struct line *w)
{
    int err = need_filter(r, w);
    err = err ? err : line_compare(w, &r->compare);
    return err ? err : line_bound(w, &r->bound);
}

static int kind_order(struct lab_rule *r, struct line *w)
{
    int err = need_filter(r, w);
    if (!err && !line_next_is(w, "->"))
        err = line_complain(w, "it is: 'A' -> 'B'", NULL);
    return err ? err : line_need(w, "what is to follow?", &r->then);
}

static int kind_latency(struct lab_rule *r, struct line *w)
{
    int err = kind_order(r, w);
    err = err ? err : line_compare(w, &r->compare);
    return err ? err : line_bound(w, &r->bound);
}

static int kind_refine(struct lab_rule *r, struct line *w)
{
    int err = need_filter(r, w);
    return err ? err : line_need(w, "which fields? port,value", &r->fields);
}

/* 'F' FIELDS behind 'A' */
static int kind_equal_suffix(struct lab_rule *r, struct line *w)
{
    int err = kind_refine(r, w);
    if (!err && !line_next_is(w, "behind"))
        err = line_complain(w, "it is: 'F' FIELD,FIELD behind 'A'", NULL);
    return err ? err : line_need(w, "behind which event?", &r->behind);
}

/* count 'F' within 10% "The question?" */
static int kind_predict(struct lab_rule *r, struct line *w)
{
    int err = line_next_is(w, "count") ? need_filter(r, w)
                                       : line_complain(w, "it is: count 'F'", NULL);
    if (!err && !line_next_is(w, "within"))
        err = line_complain(w, "within what part of the truth? within 10%", NULL);
    err = err ? err : line_bound(w, &r->bound);
    return err ? err : line_need(w, "what is the question?", &r->say);
}

/* 'F' FIELD "The question?" */
static int kind_ask(struct lab_rule *r, struct line *w)
{
    int err = need_filter(r, w);
    err = err ? err : line_need(w, "of which field?", &r->fields);
    return err ? err : line_need(w, "what is the question?", &r->say);
}

static const struct kind {
    const char *name;
    int (*read)(struct lab_rule *r, struct line *w);
} kinds[N_RULE_KINDS] = {
    [RULE_OUTPUT]  = { "output", kind_output },
    [RULE_COUNT]   = { "count", kind_count },
    [RULE_NEVER]   = { "never", kind_never },
    [RULE_INVARIANT] = { "invariant", kind_never },
    [RULE_ORDER]   = { "order", kind_order },
    [RULE_LATENCY] = { "latency", kind_latency },
    [RULE_BUDGET]  = { "budget", kind_count },
    [RULE_REFINE]  = { "refine", kind_refine },
    [RULE_EQUAL_SUFFIX] = { "equal-suffix", kind_equal_suffix },
    [RULE_PREDICT] = { "predict", kind_predict },
    [RULE_ASK]     = { "ask", kind_ask },
};

const char *lab_rule_kind_name(enum lab_rule_kind kind)
{
    return kinds[kind].name;
}

/* NAME: POINTS GUEST ..., up to the kind. */
static int begin_rule(struct lab_spec *spec, struct line *w, char *name, struct lab_rule **rule)
{
    uint64_t points;
    if (spec->n_rules == LAB_RULES)
        return line_complain(w, "too many rules", NULL);
    struct lab_rule *r = *rule = &spec->rule[spec->n_rules++];
    name[strlen(name) - 1] = 0;
    *r = (struct lab_rule){ .name = name, .from_mark = -1, .to_mark = -1 };
    int err = line_count(w, line_next(w), 1000, &points);
    r->points = (unsigned)points;
    err = err ? err : line_need(w, "of which guest?", &r->guest);
    const struct lab_guest *g = err ? NULL : find_guest(spec, r->guest);
    if (!err && !g && strcmp(r->guest, "*"))
        err = line_complain(w, "there is no guest", r->guest);
    r->hidden = g && g->hidden;
    return err;
}

static int read_rule(struct lab_spec *spec, struct line *w, char *name)
{
    struct lab_rule *r;
    int err = begin_rule(spec, w, name, &r);
    const char *kind = NULL;
    err = err ? err : line_need(w, "what kind of rule?", &kind);
    for (unsigned i = 0; !err && i < RULE_PREDICT; i++)
        if (strcmp(kind, kinds[i].name) == 0) {
            r->kind = (enum lab_rule_kind)i;
            err = kinds[i].read(r, w);
            return err ? err : read_clauses(spec, r, w);
        }
    return err ? err : line_complain(w, "there is no kind of rule", kind);
}

/* ---- statements ---- */

static int say_lab(struct lab_spec *spec, struct line *w)
{
    int err = line_need(w, "which lab?", &spec->id);
    if (!err && (strlen(spec->id) > 2 || !isalnum((unsigned char)spec->id[0])))
        err = line_complain(w, "a lab is a number or a letter, not", spec->id);
    return err ? err : line_need(w, "what is its title?", &spec->title);
}

static int say_cut(struct lab_spec *spec, struct line *w)
{
    return line_need(w, "which file?", &spec->cut);
}

static int say_called(struct lab_spec *spec, struct line *w)
{
    return line_need(w, "which name?", &spec->called);
}

/* limit exits 4*ref insns 4*ref wall 10s */
static int say_limit(struct lab_spec *spec, struct line *w)
{
    struct lab_bound wall;
    int err = line_next_is(w, "exits") ? line_bound(w, &spec->exits)
                                  : line_complain(w, "it is: limit exits 4*ref wall 10s", NULL);
    if (!err && line_next_is(w, "insns"))
        err = line_bound(w, &spec->insns);
    if (!err && line_next_is(w, "wall")) {
        err = line_bound(w, &wall);
        spec->wall_s = (unsigned)(wall.value / 1e9);
        if (!err && (spec->wall_s < 1 || spec->wall_s > MAX_WALL))
            err = line_complain(w, "wall is 1s to 600s", NULL);
    }
    return err;
}

/* mends kernel|boot FILE.S by 8 */
static int read_mend(struct lab_mend *m, struct line *w)
{
    uint64_t lines;
    m->boots = line_next_is(w, "boot");
    if (!m->boots && !line_next_is(w, "kernel"))
        return line_complain(w, "it is: mends kernel FILE.S by LINES (or mends boot ...)", NULL);
    int err = line_need(w, "which file?", &m->file);
    if (!err && strchr(m->file, '/'))
        err = line_complain(w, "a file of the lab's guests/ is due here, not", m->file);
    if (!err && !line_next_is(w, "by"))
        err = line_complain(w, "by how many lines?", NULL);
    err = err ? err : line_count(w, line_next(w), 1000, &lines);
    m->most_lines = err ? 0 : (unsigned)lines;
    return err;
}

static int say_guest(struct lab_spec *spec, struct line *w)
{
    if (spec->n_guests == LAB_GUESTS)
        return line_complain(w, "too many guests", NULL);
    struct lab_guest *g = &spec->guest[spec->n_guests++];
    int err = line_need(w, "which guest?", &g->name);
    g->image = g->name;
    for (const char *word; !err && (word = line_next(w)); ) {
        if (strcmp(word, "input") == 0)
            err = line_need(w, "what is typed?", &g->input);
        else if (strcmp(word, "hidden") == 0)
            g->hidden = true;
        else if (strcmp(word, "image") == 0)
            err = line_need(w, "which image?", &g->image);
        else if (strcmp(word, "with") == 0)
            err = line_need(w, "what is on its command line?", &g->with);
        else if (strcmp(word, "mends") == 0)
            err = read_mend(&g->mend, w);
        else if (g->n_options == LAB_OPTIONS)
            err = line_complain(w, "too many options", NULL);
        else
            g->option[g->n_options++] = word;
    }
    return err;
}

static int say_state(struct lab_spec *spec, struct line *w)
{
    if (spec->n_states == LAB_STATES)
        return line_complain(w, "too many states", NULL);
    struct lab_state *s = &spec->state[spec->n_states++];
    int err = line_need(w, "what is its name?", &s->name);
    err = err ? err : line_need(w, "a filter in quotes is due here", &s->filter);
    return err ? err : line_need(w, "of which field?", &s->field);
}

/* words NAME WORD=NUMBER ... */
static int say_words(struct lab_spec *spec, struct line *w)
{
    if (spec->n_word_lists == LAB_WORD_LISTS)
        return line_complain(w, "too many lists of words", NULL);
    struct lab_words *l = &spec->words[spec->n_word_lists++];
    int err = line_need(w, "what is the name of these words?", &l->name);
    for (char *word; !err && (word = line_next(w)); l->n++) {
        char *is = strchr(word, '=');
        if (!is || l->n == LAB_WORDS)
            return line_complain(w, is ? "too many words:" : "it is: WORD=NUMBER, not", word);
        *is = 0;
        l->word[l->n] = word;
        err = line_count(w, is + 1, UINT64_MAX, &l->value[l->n]);
    }
    return err;
}

/* Both are rules about what the student says. */
static int say_answer(struct lab_spec *spec, struct line *w, enum lab_rule_kind kind)
{
    char *name = line_next(w);
    struct lab_rule *r = NULL;
    if (!name || !*name || name[strlen(name) - 1] != ':')
        return line_complain(w, "a name with a colon is due here: NAME: POINTS GUEST ...", NULL);
    int err = begin_rule(spec, w, name, &r);
    if (err)
        return err;
    if (r->hidden)
        return line_complain(w, "a question cannot be hidden: this guest is", r->guest);
    r->kind = kind;
    err = kinds[kind].read(r, w);
    return err ? err : read_clauses(spec, r, w);
}

static int say_predict(struct lab_spec *spec, struct line *w)
{
    return say_answer(spec, w, RULE_PREDICT);
}

static int say_ask(struct lab_spec *spec, struct line *w)
{
    return say_answer(spec, w, RULE_ASK);
}

static int say_case(struct lab_spec *spec, struct line *w, bool accept)
{
    if (spec->n_cases == LAB_CASES)
        return line_complain(w, "too many solutions", NULL);
    struct lab_case *c = &spec->cases[spec->n_cases++];
    c->accept = accept;
    int err = line_need(w, "which file?", &c->file);
    if (err || accept)
        return err;
    return line_next_is(w, "loses") ? line_need(w, "which rules?", &c->loses)
                               : line_complain(w, "it is: reject FILE loses RULE,RULE", NULL);
}

static int say_accept(struct lab_spec *spec, struct line *w)
{
    return say_case(spec, w, true);
}

static int say_reject(struct lab_spec *spec, struct line *w)
{
    return say_case(spec, w, false);
}

/* Lines that belong to the rule before them. */
static int say_say(struct lab_spec *spec, struct line *w)
{
    if (!spec->n_rules)
        return line_complain(w, "there is no rule yet that it could belong to", NULL);
    return line_need(w, "say what?", &spec->rule[spec->n_rules - 1].say);
}

static int say_hidden(struct lab_spec *spec, struct line *w)
{
    if (!spec->n_rules)
        return line_complain(w, "there is no rule yet that it could belong to", NULL);
    struct lab_rule *r = &spec->rule[spec->n_rules - 1];
    r->hidden = r->kind < RULE_PREDICT;
    return r->hidden ? 0 : line_complain(w, "a question cannot be hidden:", r->name);
}

static const struct statement {
    const char *word;
    int (*read)(struct lab_spec *spec, struct line *w);
} statements[] = {
    { "lab",     say_lab },
    { "cut",     say_cut },
    { "called",  say_called },
    { "limit",   say_limit },
    { "guest",   say_guest },
    { "state",   say_state },
    { "words",   say_words },
    { "predict", say_predict },
    { "ask",     say_ask },
    { "accept",  say_accept },
    { "reject",  say_reject },
    { "say",     say_say },
    { "hidden",  say_hidden },
};

static int read_line(struct lab_spec *spec, struct line *w, char *line)
{
    int err = line_split(w, line);
    char *word = err ? NULL : line_next(w);
    if (!word)
        return err;
    if (word[0] && word[strlen(word) - 1] == ':')
        return read_rule(spec, w, word);
    for (size_t i = 0; i < NELEM(statements); i++)
        if (strcmp(word, statements[i].word) == 0) {
            err = statements[i].read(spec, w);
            return err || w->at == w->n ? err
                                        : line_complain(w, "more than is known:", w->word[w->at]);
        }
    return line_complain(w, "no line begins with", word);
}

int lab_spec_read(struct lab_spec *spec, const char *path, char *why, size_t n)
{
    void *bytes;
    uint64_t size;
    struct line w = { .why = why, .why_bytes = n };
    *spec = (struct lab_spec){ .wall_s = 10, .exits = { 4, true } };
    int err = host_read_file(path, MAX_FILE, &bytes, &size, why, n);
    if (err)
        return err;
    spec->text = malloc(size + 1);
    if (spec->text) {
        memcpy(spec->text, bytes, size);
        spec->text[size] = 0;
    }
    free(bytes);
    for (char *line = spec->text, *end; line && *line && !err; line = end) {
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = 0;
        w.number++;
        err = read_line(spec, &w, line);
    }
    if (!err && !spec->title)
        err = line_complain(&w, "the file must say `lab N \"title\"`", NULL);
    return spec->text ? err : -ENOMEM;
}

void lab_spec_free(struct lab_spec *spec)
{
    free(spec->text);
    spec->text = NULL;
}

const char *lab_part_name(const struct lab_spec *spec)
{
    const char *slash = spec->cut ? strrchr(spec->cut, '/') : NULL;
    if (spec->called)
        return spec->called;
    return slash ? slash + 1 : spec->cut ? spec->cut : "answers";
}

bool lab_spec_mends(const struct lab_spec *spec)
{
    for (unsigned i = 0; i < spec->n_guests; i++)
        if (spec->guest[i].mend.file)
            return true;
    return false;
}

unsigned lab_spec_points(const struct lab_spec *spec)
{
    unsigned points = 0;
    for (unsigned i = 0; i < spec->n_rules; i++)
        points += spec->rule[i].points;
    return points;
}
