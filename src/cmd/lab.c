/*
 * cmd/lab.c -- `vitrine lab`: the course's programming assignments.
 *
 *     list         which there are
 *     start N      the starter: the real source without what is to be written
 *     check N      build the student's part, run it in a jail, judge it, explain
 *     grade N      the same for a grader: seed, results.json
 *     try N        for a teacher: starter, real source, right solutions and mutants side by side
 *     explain N    the rules of a lab, as sentences
 *     keep N       the right runs, for a tree that is handed out
 *     verify N     is this results.json what was signed?
 *
 * The work is done in src/lab/.  Here are only the folders, the words and the exit status.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/host.h"
#include "base/likeness.h"
#include "cmd/cmd.h"
#include "cmd/lab.h"

static const char usage[] =
    "usage: vitrine lab list\n"
    "       vitrine lab start N [FILE]           the file to begin with\n"
    "       vitrine lab check N [FILE]           your points, and what is wrong\n"
    "       vitrine lab grade N FILE [options]   the same, for a grader\n"
    "       vitrine lab explain N                what earns points\n"
    "       vitrine lab try N                    for teachers: all solutions kept with the lab\n"
    "       vitrine lab keep N FOLDER            for teachers: the right runs, to hand them out\n"
    "       vitrine lab verify N RESULTS.JSON    for teachers: is it what the grader signed?\n"
    "\nIn a lab you write one part of the monitor.  It runs in a process of its own, which can\n"
    "open no file and sees nothing of the monitor but the calls of its own interface; the guests\n"
    "and the trace are judged outside of it.  In some you mend guests instead, or only answer.\n"
    "\noptions:\n"
    "  --seed N       what the guests do differently each time (default 1)\n"
    "  --json FILE    write Gradescope's results.json\n"
    "  --answers FILE lines NAME: ANSWER, to the questions of the lab\n"
    "  --cc COMMAND   the compiler and its flags (default \"gcc -O2\")\n"
    "  --cc-seconds N how long it may take for a submission (default 60)\n"
    "  --class FOLDER grade: every FILE.c, or NAME/FILE.c, in it, on all processors (of a lab of\n"
    "                 answers NAME.txt, or NAME/answers; of kernels to mend folders NAME);\n"
    "                 results, a table as CSV and a web page go below FOLDER/results; what is\n"
    "                 there already is not graded again\n"
    "  --part K/N     of a class: only each N-th submission, from the K-th on (for many machines)\n"
    "  --sign KEY     results.json with what it was made from, signed with this private key\n"
    "  --key FILE     verify: the public key\n"
    "  --of FILE      verify: and is it this submission's?\n"
    "  --few          try: only four of the solutions\n"
    "  --help         this help\n"
    "\nexit status: 0 all points; 1 some are missing; 2 bad usage; 125 the host or a file was in\n"
    "the way\n"
    "\nexamples:\n"
    "  vitrine lab start 7 pic.c\n"
    "  vitrine lab check 7 pic.c\n"
    "  vitrine lab grade 7 pic.c --seed 4711 --json results.json\n";

static bool read_spec(struct lab *l)
{
    char path[PATH_MAX], why[300];
    snprintf(path, sizeof path, "%.3000s/lab", l->folders.lab);
    if (lab_spec_read(&l->spec, path, why, sizeof why)) {
        host_say("%s: %s", path, why);
        return false;
    }
    return true;
}

static bool has_compiler(const struct lab *l)
{
    if (lab_spec_mends(&l->spec) && (!lab_has_tool("as") || !lab_has_tool("ld"))) {
        host_say("there is no assembler here: install as and ld (apt install binutils)");
        return false;
    }
    if (!l->spec.cut || lab_has_tool(l->compiler))
        return true;
    host_say("there is no compiler here: %.*s is not found.  Install it (apt install gcc), or "
             "name another with --cc", (int)strcspn(l->compiler, " "), l->compiler);
    return false;
}

/* Where the answers are: named by --answers; in the folder that is handed in; or, of a lab in which
 * nothing is written, they are the submission.  NULL: there are none. */
static const char *answers_path(const struct lab *l, char *path)
{
    if (l->answers || !l->file || l->spec.cut)
        return l->answers;
    if (!lab_spec_mends(&l->spec))
        return l->file;
    snprintf(path, PATH_MAX, "%.4000s/answers", l->file);
    return path;
}

/* NAME: ANSWER lines; a rule that is not named has no answer, and a folder need not have the file.
 * A symbolic link is refused: it could lead to the right answers. */
bool lab_read_answers(struct lab *l)
{
    char line[200], name[100], text[80], in_folder[PATH_MAX];
    const char *path = answers_path(l, in_folder);
    memset(l->answer, 0, sizeof l->answer);
    bool link = path && lab_is_link(path);
    FILE *f = path && !link ? fopen(path, "re") : NULL;
    if (link || (path && !f && path != in_folder)) {
        host_say("%s: %s", path, link ? "is a symbolic link: hand in the file itself"
                                      : strerror(errno));
        return false;
    }
    while (f && fgets(line, sizeof line, f))
        for (unsigned i = 0; i < l->spec.n_rules; i++)
            if (sscanf(line, " %99[^: ] : %79s", name, text) == 2 &&
                strcmp(name, l->spec.rule[i].name) == 0)
                l->answer[i] = strcpy(l->answer_text[i], text);
    if (f)
        fclose(f);
    return true;
}

/* ---- verbs ---- */

static int list(struct lab *l)
{
    char path[PATH_MAX], why[300];
    struct dirent **entry;
    int n = lab_folders_all(l, &entry);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%.3000s/lab/%.255s/lab", l->folders.root, entry[i]->d_name);
        if (lab_spec_read(&l->spec, path, why, sizeof why))
            host_say("%s: %s", path, why);
        else
            printf("%3s  %-50s %3u points  %s\n", l->spec.id, l->spec.title,
                   lab_spec_points(&l->spec),
                   l->spec.cut ? l->spec.cut : lab_spec_mends(&l->spec) ? "kernels" : "answers");
        lab_spec_free(&l->spec);
        free(entry[i]);
    }
    if (n >= 0)
        free(entry);
    return 0;
}

static void write_question(FILE *f, const struct lab_rule *r)
{
    fprintf(f, "\n# %s: %s", r->guest, r->say);
    for (unsigned i = 0; r->words && i < r->words->n; i++)
        fprintf(f, "%s%s", i ? ", " : "  (", r->words->word[i]);
    fprintf(f, "%s\n%s:\n", r->words ? ")" : "", r->name);
}

/* A form with a question above each line that is to be filled in. */
static int write_form(struct lab *l, const char *to, const char *hand_in)
{
    FILE *f = fopen(to, "wxe");
    if (!f) {
        host_say("%s: %s", to, strerror(errno));
        return LAB_CANNOT;
    }
    fprintf(f, "# Lab %s: %s\n", l->spec.id, l->spec.title);
    for (unsigned i = 0; i < l->spec.n_rules; i++)
        if (l->spec.rule[i].kind >= RULE_PREDICT)
            write_question(f, &l->spec.rule[i]);
    fclose(f);
    printf("%s: fill in the answers.  Read %s/README.md, then\n    vitrine lab check %s %s\n", to,
           l->folders.lab, l->spec.id, hand_in);
    return 0;
}

/* A folder with the kernels, and the form in it. */
static int start_folder(struct lab *l, const char *to)
{
    char why[PATH_MAX + 100], form[PATH_MAX];
    if (lab_mend_start(&l->folders, to, why, sizeof why)) {
        host_say("%s", why);
        return LAB_CANNOT;
    }
    for (unsigned i = 0; i < l->spec.n_guests; i++)
        if (l->spec.guest[i].mend.file)
            printf("%s/%s: yours to mend\n", to, l->spec.guest[i].mend.file);
    snprintf(form, sizeof form, "%.4000s/answers", to);
    return write_form(l, form, to);
}

static int start(struct lab *l)
{
    char why[PATH_MAX + 100];
    const char *to = l->file ? l->file : lab_part_name(&l->spec);
    if (access(to, F_OK) == 0) {
        host_say("%s is there already; it is not overwritten.  Name another, or `vitrine lab check "
                 "%s %s`", to, l->spec.id, to);
        return LAB_CANNOT;
    }
    if (lab_spec_mends(&l->spec))
        return start_folder(l, to);
    if (!l->spec.cut)
        return write_form(l, to, to);
    int cuts = lab_write_starter(&l->folders, &l->spec, to, why, sizeof why);
    if (cuts < 0) {
        host_say("%s", why);
        return LAB_CANNOT;
    }
    printf("%s: %d places are yours to write.  Read %s/README.md, then\n"
           "    vitrine lab check %s %s\n", to, cuts, l->folders.lab, l->spec.id, to);
    return 0;
}

static int explain(struct lab *l)
{
    printf("lab %s: %s\n\n", l->spec.id, l->spec.title);
    for (unsigned i = 0; i < l->spec.n_rules; i++) {
        const struct lab_rule *r = &l->spec.rule[i];
        if (r->hidden)
            printf("  %-14s %3u  Your teacher knows.\n", "a hidden test", r->points);
        else
            printf("  %-14s %3u  %s\n", r->name, r->points,
                   r->say ? r->say : "The guest prints what it should.");
    }
    return 0;
}

/* Assemble the kernels with their mistakes, and those of the folder `source`.  False: the user has
 * been told. */
static bool build_kernels(struct lab *l, const char *source)
{
    char why[PATH_MAX + 400];
    if (lab_mend_originals(&l->folders, &l->spec, &l->place.original, why, sizeof why) == 0 &&
        lab_mend_submission(&l->folders, &l->spec, source, &l->place.mended, why, sizeof why) == 0)
        return true;
    host_say("%s", why);
    return false;
}

int lab_grade_source(struct lab *l, const char *source, struct lab_grade *g, char *said,
                     size_t bytes)
{
    char why[400], program[PATH_MAX + 16];
    lab_grade_forget(g);
    g->spec = &l->spec;
    if (l->spec.cut && lab_build(&l->folders, source, l->compiler, said, bytes))
        return 1;
    if (lab_spec_mends(&l->spec) && !build_kernels(l, source))
        return LAB_CANNOT;
    snprintf(l->place.source, PATH_MAX, "%s", source ? source : "");
    snprintf(program, sizeof program, "%s/submission", l->folders.work);
    int err = g->has_reference ? 0 : lab_grade_reference(g, &l->spec, &l->place, l->seed, why,
                                                         sizeof why);
    if (!err && !lab_grade_submission(g, &l->place, program, l->answer, why, sizeof why))
        return 0;
    host_say("%s", why);
    return LAB_CANNOT;
}

static int grade(struct lab *l)
{
    static struct lab_grade g;
    char said[8000], source[PATH_MAX];
    if (l->class_folder)
        return lab_class(l);
    bool link = lab_is_link(l->file);                   /* it stays one: lab_build() refuses it */
    if (link)
        snprintf(source, sizeof source, "%s", l->file);
    else if (!realpath(l->file, source)) {
        host_say("%s: %s.  `vitrine lab start %s %s` makes it", l->file, strerror(errno),
                 l->spec.id, l->file);
        return LAB_CANNOT;
    }
    said[0] = 0;
    int status = lab_grade_source(l, source, &g, said, sizeof said);
    if (status == 1) {
        printf("it does not compile:\n%s", said);
        lab_tell_mistaken(l, source, said);
    } else if (status == 0) {
        if (said[0])
            printf("the compiler has doubts:\n%s\n", said);
        lab_grade_print(&g, strcmp(l->verb, "check") ? LAB_TEACHER : LAB_STUDENT, stdout);
        status = g.points < lab_spec_points(&l->spec);
        if (status)
            printf("  The runs' traces are in %s until the next check of this lab.\n",
                   l->folders.work);
    }
    if (status < LAB_CANNOT && l->json && !lab_write_json(l, &g, source, l->json))
        status = LAB_CANNOT;
    lab_grade_free(&g);
    return status;
}

static const struct verb {
    const char *name;
    int  (*run)(struct lab *l);
    bool runs, builds, judges;          /* needs a folder to work in; a compiler; a file */
    bool leaves;                        /* the folder stays, so that a student can look */
} verbs[] = {
    { "start",   start,   false, false, false, false },
    { "check",   grade,   true,  true,  true,  true },
    { "grade",   grade,   true,  true,  true,  true },
    { "explain", explain, false, false, false, false },
    { "try",     lab_try, true,  true,  false, false },
    { "keep",    lab_keep_runs, true, false, false, false },
    { "verify",  lab_verify_result, true, false, false, false },
};

static int run_verb(struct lab *l, const struct verb *v)
{
    int status = LAB_CANNOT;
    if (!lab_find(l) || !read_spec(l))
        return LAB_CANNOT;
    const char *usual = lab_part_name(&l->spec);
    if (v->judges && !l->file && !l->class_folder && access(usual, R_OK) == 0)
        l->file = usual;
    if (v->judges && !l->file && !l->class_folder) {
        host_say("which file?  Of this lab: vitrine lab %s %s %s", v->name, l->spec.id,
                 usual);
        status = 2;
    } else if (!v->builds || (has_compiler(l) && lab_read_answers(l))) {
        if (!v->runs || lab_make_work(l))
            status = v->run(l);
        if (v->runs && !v->leaves && l->folders.work[0]) {
            lab_empty_folder(l->folders.work);
            rmdir(l->folders.work);
        }
    }
    lab_spec_free(&l->spec);
    return status;
}

static int bad_usage(const char *what)
{
    host_say("%s; `vitrine lab --help` shows how", what);
    return 2;
}

/* Options may stand anywhere; the other words are VERB N FILE. */
static int parse(struct lab *l, int argc, char **argv)
{
    static const struct option options[] = {
        { "seed", required_argument, NULL, 's' }, { "json", required_argument, NULL, 'j' },
        { "answers", required_argument, NULL, 'a' }, { "cc", required_argument, NULL, 'c' },
        { "cc-seconds", required_argument, NULL, 't' },
        { "few", no_argument, NULL, 'f' }, { "part", required_argument, NULL, 'p' },
        { "sign", required_argument, NULL, 'S' }, { "key", required_argument, NULL, 'k' },
        { "of", required_argument, NULL, 'o' },
        { "class", required_argument, NULL, 'C' },
        { "help", no_argument, NULL, 'h' }, { 0 },
    };
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    *l = (struct lab){ .seed = 1, .compiler = "gcc -O2",
                       .folders.tool_seconds = 60,
                       .part = 1, .parts = 1,
                       .place.seats = { n > 0 ? (unsigned)n : 1, 0 } };
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1; )
        switch (c) {
        case 's': l->seed = strtoull(optarg, NULL, 0); break;
        case 'j': l->json = optarg; break;
        case 'a': l->answers = optarg; break;
        case 'c': l->compiler = optarg; break;
        case 't': l->folders.tool_seconds = (unsigned)strtoul(optarg, NULL, 0); break;
        case 'f': l->few = true; break;
        case 'C': l->class_folder = optarg; break;
        case 'S': l->sign = optarg; break;
        case 'k': l->key = optarg; break;
        case 'o': l->of = optarg; break;
        case 'p':
            if (sscanf(optarg, "%u/%u", &l->part, &l->parts) != 2 || !l->part || l->part > l->parts)
                return bad_usage("--part is K/N, as 3/8");
            break;
        case 'h': fputs(usage, stdout); return -1;
        default:  return bad_usage("that is no option of `vitrine lab`");
        }
    if (!l->folders.tool_seconds)
        return bad_usage("--cc-seconds wants a number from 1 on");
    l->verb = argv[optind];
    if (!l->verb)
        return bad_usage("list, start, check, grade, explain, try, keep or verify?");
    if (strcmp(l->verb, "list") == 0)
        return 0;
    if (!argv[optind + 1])
        return bad_usage("which lab? its number, or letter");
    l->which = argv[optind + 1];
    l->file = argv[optind + 2];
    return 0;
}

/* A verb that is none: which did they mean? */
static int no_verb(const char *word)
{
    struct likeness like = { .word = word, .len = strlen(word) };
    for (size_t i = 0; i < NELEM(verbs); i++)
        likeness_try(&like, verbs[i].name);
    likeness_try(&like, "list");
    if (!like.best)
        return bad_usage("there is no such verb");
    host_say("`vitrine lab` has no verb %s; did you mean %s?", word, like.best);
    return 2;
}

int cmd_lab(int argc, char **argv)
{
    static struct lab l;
    int status = parse(&l, argc, argv);
    if (status)
        return status < 0 ? 0 : status;
    if (!lab_find_root(&l))
        return LAB_CANNOT;
    if (strcmp(l.verb, "list") == 0)
        return list(&l);
    for (size_t i = 0; i < NELEM(verbs); i++)
        if (strcmp(l.verb, verbs[i].name) == 0)
            return run_verb(&l, &verbs[i]);
    return no_verb(l.verb);
}
