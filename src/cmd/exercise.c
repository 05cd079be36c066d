/*
 * cmd/exercise.c -- `vitrine exercise`: short problems for paper and terminal.
 *
 *     list                 which there are
 *     N [-s SEED]          the problem that this seed makes
 *     N -s SEED -c         the same with its solution
 *     N -s SEED a=ANSWER   are these answers right?
 *     --gift [N ...]       questions for a learning platform
 *
 * The problems are made in src/exercise/.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "cmd/cmd.h"
#include "exercise/exercise.h"
#include "exercise/print.h"

static const char usage[] =
    "usage: vitrine exercise list                        which there are\n"
    "       vitrine exercise N [-s SEED] [-c]            the problem; with its solution\n"
    "       vitrine exercise N [-s SEED] PART=ANSWER ... are these answers right?\n"
    "       vitrine exercise --gift [N ...] [options]    questions for a learning platform\n"
    "\nN is an exercise's number or its name.  Every seed makes another problem of the same kind;\n"
    "the answers are computed, by the monitor itself where it has the thing that is asked about.\n"
    "\noptions:\n"
    "  -s, --seed SEED     a number (default 1)\n"
    "  -c, --solution      show the answers, and how one comes to them\n"
    "  --gift              print GIFT, which Moodle and others import; of all exercises if no N\n"
    "  -n, --variants K    with --gift: each with K seeds, SEED and those behind it (default 1)\n"
    "  --markdown          list: as the table of exercises/README.md\n"
    "  -h, --help          this help\n"
    "\nexit status: 0 good, and all answers right; 1 an answer is wrong; 2 bad usage\n"
    "\nexamples:\n"
    "  vitrine exercise 9 -s 4711\n"
    "  vitrine exercise 9 -s 4711 a=0x2ff8 b=0x5010\n"
    "  vitrine exercise 9 -s 4711 -c\n"
    "  vitrine exercise --gift walk-32 pic -s 100 -n 20 >bank.gift\n";

struct request {
    uint64_t seed, variants;
    bool     solution, gift, markdown;
    char   **word;                      /* what is no option */
    int      n_words;
};

static int bad_usage(const char *what, const char *word)
{
    host_say("%s%s; `vitrine exercise --help` shows how", what, word);
    return 2;
}

static int list(const struct request *r)
{
    for (size_t i = 0; i < n_exercises; i++) {
        const struct exercise *e = &exercises[i];
        if (r->markdown)
            printf("| %u | `%s` | %s | %u | %s |\n", e->number, e->name, e->title, e->minutes,
                   e->see);
        else
            printf("%3u  %-16s %-54s %2u min\n", e->number, e->name, e->title, e->minutes);
    }
    return 0;
}

/* The sheets of one exercise for all variants. */
static void print_bank(const struct request *r, const struct exercise *e)
{
    static struct sheet s;
    for (uint64_t i = 0; i < r->variants; i++) {
        sheet_make(&s, e, r->seed + i);
        sheet_print_gift(&s, stdout);
        sheet_free(&s);
    }
}

static int gift(const struct request *r)
{
    for (int i = 0; i < r->n_words; i++)
        if (!exercise_find(r->word[i]))
            return bad_usage("there is no exercise ", r->word[i]);
    for (int i = 0; i < r->n_words; i++)
        print_bank(r, exercise_find(r->word[i]));
    for (size_t i = 0; i < n_exercises && !r->n_words; i++)
        print_bank(r, &exercises[i]);
    return 0;
}

/* Each of the words is PART=ANSWER. */
static int judge(const struct sheet *s, const struct request *r)
{
    int status = 0;
    for (int i = 1; i < r->n_words; i++) {
        const char *w = r->word[i];
        unsigned part = w[0] ? (unsigned)w[0] - 'a' : SHEET_QUESTIONS;
        if (part >= s->n_questions || w[1] != '=')
            return bad_usage("which question is this the answer to? a=..., not ", w);
        bool right = question_is_right(&s->question[part], w + 2);
        printf("(%c) %s\n", w[0], right ? "right" : "wrong");
        status |= !right;
    }
    return status;
}

static int show(const struct request *r)
{
    static struct sheet s;
    const struct exercise *e = exercise_find(r->word[0]);
    if (!e)
        return bad_usage("there is no exercise ", r->word[0]);
    sheet_make(&s, e, r->seed);
    int status = 0;
    if (r->n_words > 1)
        status = judge(&s, r);
    else
        sheet_print(&s, r->solution, stdout);
    sheet_free(&s);
    return status;
}

/* A whole number in decimal or hexadecimal. */
static bool take_number(const char *text, uint64_t *value)
{
    char *end;
    *value = strtoull(text, &end, 0);
    return *text >= '0' && *text <= '9' && !*end;
}

/* -1: go on. */
static int parse(struct request *r, int argc, char **argv)
{
    static const struct option options[] = {
        { "seed", required_argument, NULL, 's' }, { "solution", no_argument, NULL, 'c' },
        { "gift", no_argument, NULL, 'g' }, { "variants", required_argument, NULL, 'n' },
        { "markdown", no_argument, NULL, 'm' }, { "help", no_argument, NULL, 'h' }, { 0 },
    };
    *r = (struct request){ .seed = 1, .variants = 1 };
    for (int c; (c = getopt_long(argc, argv, "s:cn:h", options, NULL)) != -1; )
        switch (c) {
        case 's':
            if (!take_number(optarg, &r->seed))
                return bad_usage("a seed is a number, not ", optarg);
            break;
        case 'n':
            if (!take_number(optarg, &r->variants) || r->variants > 1000)
                return bad_usage("how many variants? at most 1000, not ", optarg);
            break;
        case 'c': r->solution = true; break;
        case 'g': r->gift = true; break;
        case 'm': r->markdown = true; break;
        case 'h': fputs(usage, stdout); return 0;
        default:  return bad_usage("that is no option of `vitrine exercise`", "");
        }
    r->word = argv + optind;
    r->n_words = argc - optind;
    return -1;
}

int cmd_exercise(int argc, char **argv)
{
    struct request r;
    int status = parse(&r, argc, argv);
    if (status >= 0)
        return status;
    if (r.gift)
        return gift(&r);
    if (!r.n_words)
        return bad_usage("which exercise? its number, its name, or `list`", "");
    return strcmp(r.word[0], "list") ? show(&r) : list(&r);
}
