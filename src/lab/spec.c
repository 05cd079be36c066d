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

#define MAX_FILE  65536
#define MAX_WORDS 40
#define MAX_WALL  600

/* A line as words, and how far they have been used. */
struct words {
    char    *word[MAX_WORDS];
    unsigned n, at;
    unsigned line;
    char    *why;               /* where a complaint goes */
    size_t   why_bytes;
};

static int complain(struct words *w, const char *what, const char *word)
{
    snprintf(w->why, w->why_bytes, "line %u: %s%s%s%s", w->line, what, word ? " '" : "",
             word ? word : "", word ? "'" : "");
    return -EINVAL;
}

/* The next word, or NULL. */
static char *next_word(struct words *w)
{
    return w->at < w->n ? w->word[w->at++] : NULL;
}

static bool next_is(struct words *w, const char *word)
{
    bool is = w->at < w->n && strcmp(w->word[w->at], word) == 0;
    w->at += is;
    return is;
}

static int need_word(struct words *w, const char *what, const char **word)
{
    *word = next_word(w);
    return *word ? 0 : complain(w, what, NULL);
}

/* Cut a line into words, in place.  A quoted word ends at the same quote. */
static int split(struct words *w, char *line)
{
    w->n = w->at = 0;
    for (;;) {
        line += strspn(line, " \t");
        if (!*line || *line == '#')
            return 0;
        if (w->n == MAX_WORDS)
            return complain(w, "too many words", NULL);
        char quote = *line == '\'' || *line == '"' ? *line++ : 0;
        char stop[] = { quote ? quote : ' ', quote ? 0 : '\t', 0 };
        char *end = line + strcspn(line, stop);
        if (quote && !*end)
            return complain(w, "a quote that is not closed:", line);
        w->word[w->n++] = line;
        line = *end ? end + 1 : end;
        *end = 0;
    }
}

static int read_count(struct words *w, const char *word, uint64_t most, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = word ? strtoull(word, &end, 0) : 0;
    if (!word || errno || end == word || *end || word[0] == '-' || *value > most)
        return complain(w, "not a number that is possible here:", word ? word : "");
    return 0;
}

/* 10, 1.5*ref, 20us, 10%: times in nanoseconds, per cents as a part of 1. */
static int read_bound(struct words *w, struct lab_bound *b)
{
    static const struct { const char *unit; double times; } units[] = {
        { "", 1 }, { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "%", 0.01 },
        { "*ref", 1 },
    };
    const char *word = next_word(w);
    char *end = NULL;
    if (word && strcmp(word, "ref") == 0) {
        *b = (struct lab_bound){ 1, true };
        return 0;
    }
    double value = word ? strtod(word, &end) : 0;
    if (word && end != word && value >= 0 && value < 1e18)
        for (size_t i = 0; i < NELEM(units); i++)
            if (strcmp(end, units[i].unit) == 0) {
                *b = (struct lab_bound){ value * units[i].times, units[i].unit[0] == '*' };
                return 0;
            }
    return complain(w, "not a bound (10, 1.5*ref, 20us, 10%):", word ? word : "");
}

static int read_compare(struct words *w, enum lab_compare *c)
{
    static const char *const signs[] = { "==", "!=", "<", "<=", ">", ">=" };
    const char *word = next_word(w);
    for (unsigned i = 0; word && i < NELEM(signs); i++)
        if (strcmp(word, signs[i]) == 0) {
            *c = (enum lab_compare)i;
            return 0;
        }
    return complain(w, "a comparison (== != < <= > >=) is due here, not", word ? word : "the end");
}

/* ---- clauses of a rule ---- */

/* between mark A..B */
static int clause_between(struct lab_spec *spec, struct lab_rule *r, struct words *w)
{
    const char *word = next_is(w, "mark") ? next_word(w) : NULL;
    unsigned from, to;
    (void)spec;
    if (!word || sscanf(word, "%u..%u", &from, &to) != 2)
        return complain(w, "it is: between mark A..B", NULL);
    r->from_mark = from;
    r->to_mark = to;
    return 0;
}

/* from mark A */
static int clause_from(struct lab_spec *spec, struct lab_rule *r, struct words *w)
{
    uint64_t mark;
    (void)spec;
    if (!next_is(w, "mark") || read_count(w, next_word(w), UINT32_MAX, &mark))
        return complain(w, "it is: from mark N", NULL);
    r->from_mark = (int64_t)mark;
    return 0;
}

/* without 'C' */
static int clause_without(struct lab_spec *spec, struct lab_rule *r, struct words *w)
{
    (void)spec;
    if (r->kind != RULE_ORDER)
        return complain(w, "only `order` has a `without`", NULL);
    return need_word(w, "what must not come between?", &r->without);
}

/* while STATE==VALUE */
static int clause_while(struct lab_spec *spec, struct lab_rule *r, struct words *w)
{
    char *word = next_word(w), *is = word ? strstr(word, "==") : NULL;
    if (!is)
        return complain(w, "it is: while STATE==VALUE", NULL);
    *is = 0;
    for (unsigned i = 0; i < spec->n_states; i++)
        if (strcmp(spec->state[i].name, word) == 0) {
            r->during = &spec->state[i];
            return read_count(w, is + 2, UINT64_MAX, &r->during_value);
        }
    return complain(w, "no state has that name:", word);
}

/* as WORDS */
static int clause_as(struct lab_spec *spec, struct lab_rule *r, struct words *w)
{
    const char *name = next_word(w);
    for (unsigned i = 0; name && i < spec->n_word_lists && r->kind == RULE_ASK; i++)
        if (strcmp(spec->words[i].name, name) == 0)
            r->words = &spec->words[i];
    return r->words ? 0 : complain(w, "`as` names a list of `words`, for an `ask`:", name);
}

static const struct clause {
    const char *word;
    int (*read)(struct lab_spec *spec, struct lab_rule *r, struct words *w);
} clauses[] = {
    { "as",      clause_as },
    { "between", clause_between },
    { "from",    clause_from },
    { "while",   clause_while },
    { "without", clause_without },
};

static int read_clauses(struct lab_spec *spec, struct lab_rule *r, struct words *w)
{
    const char *word;
    while ((word = next_word(w))) {
        size_t i = 0;
        while (i < NELEM(clauses) && strcmp(word, clauses[i].word))
            i++;
        if (i == NELEM(clauses))
            return complain(w, "no clause begins with", word);
        int err = clauses[i].read(spec, r, w);
        if (err)
            return err;
    }
    return 0;
}

/* ---- what follows each kind ---- */

static int need_filter(struct lab_rule *r, struct words *w)
{
    return need_word(w, "which events? a filter in quotes is due here", &r->filter);
}

static int kind_output(struct lab_rule *r, struct words *w)
{
    (void)r, (void)w;
    return 0;
}

static int kind_never(struct lab_rule *r, struct words *w)
{
    return need_filter(r, w);
}

static int kind_count(struct lab_rule *r, struct words *w)
{
    int err = need_filter(r, w);
    err = err ? err : read_compare(w, &r->compare);
    return err ? err : read_bound(w, &r->bound);
}

static int kind_order(struct lab_rule *r, struct words *w)
{
    int err = need_filter(r, w);
    if (!err && !next_is(w, "->"))
        err = complain(w, "it is: 'A' -> 'B'", NULL);
    return err ? err : need_word(w, "what is to follow?", &r->then);
}

static int kind_latency(struct lab_rule *r, struct words *w)
{
    int err = kind_order(r, w);
    err = err ? err : read_compare(w, &r->compare);
    return err ? err : read_bound(w, &r->bound);
}

static int kind_refine(struct lab_rule *r, struct words *w)
{
    int err = need_filter(r, w);
    return err ? err : need_word(w, "which fields? port,value", &r->fields);
}

/* count 'F' within 10% "The question?" */
static int kind_predict(struct lab_rule *r, struct words *w)
{
    int err = next_is(w, "count") ? need_filter(r, w) : complain(w, "it is: count 'F'", NULL);
    if (!err && !next_is(w, "within"))
        err = complain(w, "within what part of the truth? within 10%", NULL);
    err = err ? err : read_bound(w, &r->bound);
    return err ? err : need_word(w, "what is the question?", &r->say);
}

/* 'F' FIELD "The question?" */
static int kind_ask(struct lab_rule *r, struct words *w)
{
    int err = need_filter(r, w);
    err = err ? err : need_word(w, "of which field?", &r->fields);
    return err ? err : need_word(w, "what is the question?", &r->say);
}

static const struct kind {
    const char *name;
    int (*read)(struct lab_rule *r, struct words *w);
} kinds[N_RULE_KINDS] = {
    [RULE_OUTPUT]  = { "output", kind_output },
    [RULE_COUNT]   = { "count", kind_count },
    [RULE_NEVER]   = { "never", kind_never },
    [RULE_INVARIANT] = { "invariant", kind_never },
    [RULE_ORDER]   = { "order", kind_order },
    [RULE_LATENCY] = { "latency", kind_latency },
    [RULE_BUDGET]  = { "budget", kind_count },
    [RULE_REFINE]  = { "refine", kind_refine },
    [RULE_PREDICT] = { "predict", kind_predict },
    [RULE_ASK]     = { "ask", kind_ask },
};

const char *lab_rule_kind_name(enum lab_rule_kind kind)
{
    return kinds[kind].name;
}

static bool has_guest(const struct lab_spec *spec, const char *name)
{
    for (unsigned i = 0; i < spec->n_guests; i++)
        if (strcmp(spec->guest[i].name, name) == 0)
            return true;
    return strcmp(name, "*") == 0;
}

/* NAME: POINTS GUEST ..., up to the kind. */
static int begin_rule(struct lab_spec *spec, struct words *w, char *name, struct lab_rule **rule)
{
    uint64_t points;
    if (spec->n_rules == LAB_RULES)
        return complain(w, "too many rules", NULL);
    struct lab_rule *r = *rule = &spec->rule[spec->n_rules++];
    name[strlen(name) - 1] = 0;
    *r = (struct lab_rule){ .name = name, .from_mark = -1, .to_mark = -1 };
    int err = read_count(w, next_word(w), 1000, &points);
    r->points = (unsigned)points;
    err = err ? err : need_word(w, "of which guest?", &r->guest);
    return !err && !has_guest(spec, r->guest) ? complain(w, "there is no guest", r->guest) : err;
}

static int read_rule(struct lab_spec *spec, struct words *w, char *name)
{
    struct lab_rule *r;
    int err = begin_rule(spec, w, name, &r);
    const char *kind = NULL;
    err = err ? err : need_word(w, "what kind of rule?", &kind);
    for (unsigned i = 0; !err && i < RULE_PREDICT; i++)
        if (strcmp(kind, kinds[i].name) == 0) {
            r->kind = (enum lab_rule_kind)i;
            err = kinds[i].read(r, w);
            return err ? err : read_clauses(spec, r, w);
        }
    return err ? err : complain(w, "there is no kind of rule", kind);
}

/* ---- statements ---- */

static int say_lab(struct lab_spec *spec, struct words *w)
{
    int err = need_word(w, "which lab?", &spec->id);
    if (!err && (strlen(spec->id) > 2 || !isalnum((unsigned char)spec->id[0])))
        err = complain(w, "a lab is a number or a letter, not", spec->id);
    return err ? err : need_word(w, "what is its title?", &spec->title);
}

static int say_cut(struct lab_spec *spec, struct words *w)
{
    return need_word(w, "which file?", &spec->cut);
}

/* limit exits 4*ref wall 10s */
static int say_limit(struct lab_spec *spec, struct words *w)
{
    struct lab_bound wall;
    int err = next_is(w, "exits") ? read_bound(w, &spec->exits)
                                  : complain(w, "it is: limit exits 4*ref wall 10s", NULL);
    if (!err && next_is(w, "wall")) {
        err = read_bound(w, &wall);
        spec->wall_s = (unsigned)(wall.value / 1e9);
        if (!err && (spec->wall_s < 1 || spec->wall_s > MAX_WALL))
            err = complain(w, "wall is 1s to 600s", NULL);
    }
    return err;
}

/* mends kernel|boot FILE.S by 8 */
static int read_mend(struct lab_mend *m, struct words *w)
{
    uint64_t lines;
    m->boots = next_is(w, "boot");
    if (!m->boots && !next_is(w, "kernel"))
        return complain(w, "it is: mends kernel FILE.S by LINES, or mends boot FILE.S by LINES",
                        NULL);
    int err = need_word(w, "which file?", &m->file);
    if (!err && strchr(m->file, '/'))
        err = complain(w, "a file of the lab's guests/ is due here, not", m->file);
    if (!err && !next_is(w, "by"))
        err = complain(w, "by how many lines?", NULL);
    err = err ? err : read_count(w, next_word(w), 1000, &lines);
    m->most_lines = err ? 0 : (unsigned)lines;
    return err;
}

static int say_guest(struct lab_spec *spec, struct words *w)
{
    if (spec->n_guests == LAB_GUESTS)
        return complain(w, "too many guests", NULL);
    struct lab_guest *g = &spec->guest[spec->n_guests++];
    int err = need_word(w, "which guest?", &g->name);
    g->image = g->name;
    for (const char *word; !err && (word = next_word(w)); ) {
        if (strcmp(word, "input") == 0)
            err = need_word(w, "what is typed?", &g->input);
        else if (strcmp(word, "image") == 0)
            err = need_word(w, "which image?", &g->image);
        else if (strcmp(word, "with") == 0)
            err = need_word(w, "what is on its command line?", &g->with);
        else if (strcmp(word, "mends") == 0)
            err = read_mend(&g->mend, w);
        else if (g->n_options == LAB_OPTIONS)
            err = complain(w, "too many options", NULL);
        else
            g->option[g->n_options++] = word;
    }
    return err;
}

static int say_state(struct lab_spec *spec, struct words *w)
{
    if (spec->n_states == LAB_STATES)
        return complain(w, "too many states", NULL);
    struct lab_state *s = &spec->state[spec->n_states++];
    int err = need_word(w, "what is its name?", &s->name);
    err = err ? err : need_word(w, "a filter in quotes is due here", &s->filter);
    return err ? err : need_word(w, "of which field?", &s->field);
}

/* words NAME WORD=NUMBER ... */
static int say_words(struct lab_spec *spec, struct words *w)
{
    if (spec->n_word_lists == LAB_WORD_LISTS)
        return complain(w, "too many lists of words", NULL);
    struct lab_words *l = &spec->words[spec->n_word_lists++];
    int err = need_word(w, "what is the name of these words?", &l->name);
    for (char *word; !err && (word = next_word(w)); l->n++) {
        char *is = strchr(word, '=');
        if (!is || l->n == LAB_WORDS)
            return complain(w, is ? "too many words:" : "it is: WORD=NUMBER, not", word);
        *is = 0;
        l->word[l->n] = word;
        err = read_count(w, is + 1, UINT64_MAX, &l->value[l->n]);
    }
    return err;
}

/* Both are rules about what the student says. */
static int say_answer(struct lab_spec *spec, struct words *w, enum lab_rule_kind kind)
{
    char *name = next_word(w);
    struct lab_rule *r = NULL;
    if (!name || !*name || name[strlen(name) - 1] != ':')
        return complain(w, "a name with a colon is due here: NAME: POINTS GUEST ...", NULL);
    int err = begin_rule(spec, w, name, &r);
    if (err)
        return err;
    r->kind = kind;
    err = kinds[kind].read(r, w);
    return err ? err : read_clauses(spec, r, w);
}

static int say_predict(struct lab_spec *spec, struct words *w)
{
    return say_answer(spec, w, RULE_PREDICT);
}

static int say_ask(struct lab_spec *spec, struct words *w)
{
    return say_answer(spec, w, RULE_ASK);
}

static int say_case(struct lab_spec *spec, struct words *w, bool accept)
{
    if (spec->n_cases == LAB_CASES)
        return complain(w, "too many solutions", NULL);
    struct lab_case *c = &spec->cases[spec->n_cases++];
    c->accept = accept;
    int err = need_word(w, "which file?", &c->file);
    if (err || accept)
        return err;
    return next_is(w, "loses") ? need_word(w, "which rules?", &c->loses)
                               : complain(w, "it is: reject FILE loses RULE,RULE", NULL);
}

static int say_accept(struct lab_spec *spec, struct words *w)
{
    return say_case(spec, w, true);
}

static int say_reject(struct lab_spec *spec, struct words *w)
{
    return say_case(spec, w, false);
}

/* Lines that belong to the rule before them. */
static int say_say(struct lab_spec *spec, struct words *w)
{
    if (!spec->n_rules)
        return complain(w, "there is no rule yet that it could belong to", NULL);
    return need_word(w, "say what?", &spec->rule[spec->n_rules - 1].say);
}

static int say_hidden(struct lab_spec *spec, struct words *w)
{
    if (!spec->n_rules)
        return complain(w, "there is no rule yet that it could belong to", NULL);
    spec->rule[spec->n_rules - 1].hidden = true;
    return 0;
}

static const struct statement {
    const char *word;
    int (*read)(struct lab_spec *spec, struct words *w);
} statements[] = {
    { "lab",     say_lab },
    { "cut",     say_cut },
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

static int read_line(struct lab_spec *spec, struct words *w, char *line)
{
    int err = split(w, line);
    char *word = err ? NULL : next_word(w);
    if (!word)
        return err;
    if (word[0] && word[strlen(word) - 1] == ':')
        return read_rule(spec, w, word);
    for (size_t i = 0; i < NELEM(statements); i++)
        if (strcmp(word, statements[i].word) == 0) {
            err = statements[i].read(spec, w);
            return !err && w->at < w->n ? complain(w, "more than is known:", w->word[w->at]) : err;
        }
    return complain(w, "no line begins with", word);
}

int lab_spec_read(struct lab_spec *spec, const char *path, char *why, size_t n)
{
    void *bytes;
    uint64_t size;
    struct words w = { .why = why, .why_bytes = n };
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
        w.line++;
        err = read_line(spec, &w, line);
    }
    if (!err && !spec->title)
        err = complain(&w, "the file must say `lab N \"title\"`", NULL);
    return spec->text ? err : -ENOMEM;
}

void lab_spec_free(struct lab_spec *spec)
{
    free(spec->text);
    spec->text = NULL;
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
