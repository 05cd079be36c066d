/*
 * cmd/lab_class.c -- `vitrine lab grade N --class FOLDER`: a whole class at once.
 *
 * A submission is FOLDER/NAME.c, or FOLDER/NAME/ with a file of the cut part's name in it; of a lab
 * of answers FOLDER/NAME.txt, or NAME/answers; of a lab whose kernels are mended the folder NAME
 * with all of them.  The reference runs are made once.  Then each submission is graded by a process
 * of its own, as many at a time as there are processors, which leaves results/NAME.json and
 * NAME.txt, the first one last and under another name until it is whole.  So a run that was
 * interrupted goes on where it was: what has its JSON is not graded again.
 */
#include "cmd/lab.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/host.h"
#include "lab/class_table.h"

#define MAX_SUBMISSIONS 4096
#define MAX_SOURCE      (1u << 20)

struct submission {
    char  name[128];
    char  source[PATH_MAX];
    pid_t pid;                      /* of the process that grades it; 0: none */
    unsigned seat;
};

struct class {
    struct lab *l;
    struct lab_grade reference;
    struct submission *s;
    size_t n;
    char   results[PATH_MAX];
};

/* results/NAME.SUFFIX */
static void result_path(const struct class *c, const struct submission *s, const char *suffix,
                        char *path)
{
    snprintf(path, PATH_MAX, "%.3500s/%s.%s", c->results, s->name, suffix);
}

/* ---- which there are ---- */

/* Does a file's name end as that of a submission? */
static bool has_suffix(const struct lab *l, const char *entry, size_t *at)
{
    const char *suffix = l->spec.cut ? ".c" : ".txt";
    size_t n = strlen(entry), len = strlen(suffix);
    *at = n - len;
    return n > len && strcmp(entry + n - len, suffix) == 0 && !lab_spec_mends(&l->spec);
}

/* NAME.c, or NAME/part.c.  If NAME itself is a symbolic link, that is the source, and lab_build()
 * refuses it. */
static bool is_submission(const struct class *c, const char *entry, struct submission *s)
{
    size_t suffix;
    struct stat st;
    if (entry[0] == '.' || strlen(entry) >= sizeof s->name)
        return false;
    snprintf(s->name, sizeof s->name, "%.127s", entry);
    snprintf(s->source, PATH_MAX, "%.3000s/%.127s", c->l->class_folder, entry);
    if (lstat(s->source, &st))
        return false;
    if ((S_ISREG(st.st_mode) || S_ISLNK(st.st_mode)) && has_suffix(c->l, entry, &suffix)) {
        s->name[suffix] = 0;
        return true;
    }
    if (S_ISLNK(st.st_mode))
        return true;
    if (lab_spec_mends(&c->l->spec))
        return S_ISDIR(st.st_mode) && strcmp(entry, "results") != 0;
    snprintf(s->source, PATH_MAX, "%.3000s/%.127s/%.200s", c->l->class_folder, entry,
             lab_part_name(&c->l->spec));
    return S_ISDIR(st.st_mode) && access(s->source, R_OK) == 0;
}

/* A folder `a` and a file `a.c` are two submissions: the file, which comes later, keeps its
 * ending then. */
static void make_unique(struct class *c, const char *entry)
{
    struct submission *s = &c->s[c->n];
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->s[i].name, s->name) == 0)
            snprintf(s->name, sizeof s->name, "%.127s", entry);
}

static bool find_submissions(struct class *c)
{
    struct dirent **entry;
    int n = scandir(c->l->class_folder, &entry, NULL, alphasort);
    if (n < 0) {
        host_say("%s: %s", c->l->class_folder, strerror(errno));
        return false;
    }
    c->s = calloc((size_t)n + 1, sizeof *c->s);
    for (int i = 0; i < n; i++) {
        if (c->s && c->n < MAX_SUBMISSIONS && is_submission(c, entry[i]->d_name, &c->s[c->n])) {
            make_unique(c, entry[i]->d_name);
            c->n++;
        }
        free(entry[i]);
    }
    free(entry);
    if (!c->n)
        host_say("%s has no submission: neither NAME%s nor NAME/%s", c->l->class_folder,
                 c->l->spec.cut ? ".c" : ".txt", lab_part_name(&c->l->spec));
    return c->n > 0;
}

/* ---- one submission, in a process of its own ---- */

static bool write_results(struct class *c, const struct submission *s, struct lab_grade *g,
                          const char *said)
{
    char json[PATH_MAX], text[PATH_MAX], part[PATH_MAX];
    result_path(c, s, "json", json);
    result_path(c, s, "txt", text);
    result_path(c, s, "part", part);
    FILE *t = fopen(text, "we");
    bool ok = t != NULL;
    if (ok && said)
        fprintf(t, "it cannot be graded:\n%s", said);
    else if (ok)
        lab_grade_print(g, LAB_TEACHER, t);
    if (t)
        ok &= fclose(t) == 0;
    ok = ok && lab_write_json(c->l, g, s->source, part);
    return ok && rename(part, json) == 0;
}

/* Make ready what is to run: a program, kernels, or only answers.  0; 1 it cannot be graded, which
 * is the student's affair, and why is in said. */
static int build_one(struct lab *l, const struct submission *s, char *said, size_t bytes)
{
    if (l->spec.cut)
        return lab_build(&l->folders, s->source, l->compiler, said, bytes) ? 1 : 0;
    l->file = s->source;
    if (lab_spec_mends(&l->spec) && lab_mend_submission(&l->folders, &l->spec, s->source,
                                                        &l->place.mended, said, bytes))
        return 1;
    if (lab_read_answers(l))
        return 0;
    snprintf(said, bytes, "the answers cannot be read; a symbolic link is none\n");
    return 1;
}

/* The reference's traces are read here, too: a child has them as its parent left them. */
static int grade_one(struct class *c, const struct submission *s)
{
    struct lab *l = c->l;
    struct lab_grade *g = &c->reference;
    char said[8000], why[400], program[PATH_MAX + 16];
    snprintf(l->folders.work, PATH_MAX, "%.3000s/%s.work", c->results, s->name);
    if (mkdir(l->folders.work, 0700) && errno != EEXIST)
        return LAB_CANNOT;
    memcpy(l->place.work, l->folders.work, PATH_MAX);
    l->place.seats = (struct lab_seats){ 1, s->seat };
    bool compiles = build_one(l, s, said, sizeof said) == 0;
    snprintf(l->place.source, PATH_MAX, "%s", s->source);
    snprintf(program, sizeof program, "%s/submission", l->folders.work);
    if (compiles && lab_grade_submission(g, &l->place, program, l->answer, why, sizeof why)) {
        host_say("%s: %s", s->name, why);
        return LAB_CANNOT;
    }
    bool ok = write_results(c, s, g, compiles ? NULL : said);
    lab_empty_folder(l->folders.work);
    rmdir(l->folders.work);
    return ok ? 0 : LAB_CANNOT;
}

/* ---- all of them ---- */

static void show_progress(const struct class *c, size_t done, size_t skipped)
{
    enum { WIDTH = 40 };
    if (!isatty(STDERR_FILENO))
        return;
    int bar = (int)(WIDTH * done / c->n);
    fprintf(stderr, "\r[%.*s%*s] %zu of %zu (%zu were there, or are another part)", bar,
            "########################################", WIDTH - bar, "", done, c->n, skipped);
    if (done == c->n)
        fputc('\n', stderr);
}

/* Graded before, or another machine's to grade. */
static bool is_done(const struct class *c, const struct submission *s)
{
    char json[PATH_MAX];
    if ((size_t)(s - c->s) % c->l->parts != c->l->part - 1)
        return true;
    result_path(c, s, "json", json);
    return access(json, R_OK) == 0;
}

static void start_one(struct class *c, struct submission *s, unsigned seat)
{
    s->seat = seat;
    s->pid = fork();
    if (s->pid == 0)
        _exit(grade_one(c, s));
}

/* Wait for any of them: its seat is free then. */
static unsigned wait_for_one(struct class *c)
{
    int status;
    pid_t pid = waitpid(-1, &status, 0);
    for (size_t i = 0; i < c->n; i++)
        if (c->s[i].pid == pid) {
            c->s[i].pid = 0;
            return c->s[i].seat;
        }
    return 0;
}

static void grade_all(struct class *c)
{
    unsigned seats = c->l->place.seats.at_a_time, running = 0;
    size_t done = 0, skipped = 0;
    for (size_t next = 0; next < c->n || running; ) {
        if (next < c->n && is_done(c, &c->s[next])) {
            next++, skipped++, done++;
        } else if (next < c->n && running < seats) {
            start_one(c, &c->s[next++], running++);
        } else {
            unsigned seat = wait_for_one(c);
            done++, running--;
            if (next < c->n && !is_done(c, &c->s[next])) {
                start_one(c, &c->s[next++], seat);
                running++;
            }
        }
        show_progress(c, done, skipped);
    }
}

/* ---- the table ---- */

static char *read_text(const char *path)
{
    void *bytes = NULL;
    uint64_t size;
    char why[200];
    char *text = NULL;
    if (host_read_file(path, MAX_SOURCE, &bytes, &size, why, sizeof why))
        return NULL;
    text = malloc(size + 1);
    if (text) {
        memcpy(text, bytes, size);
        text[size] = 0;
    }
    free(bytes);
    return text;
}

static void fill_row(const struct class *c, const struct submission *s,
                     const struct fingerprints *starter, struct class_row *row)
{
    char path[PATH_MAX];
    result_path(c, s, "json", path);
    char *json = read_text(path);
    char *source = NULL;
    if (c->l->spec.cut)             /* right answers are all alike */
        source = read_text(s->source);
    snprintf(row->name, sizeof row->name, "%s", s->name);
    if (!json || !class_row_read(row, &c->l->spec, json))
        snprintf(row->note, sizeof row->note, "not graded: results/%s.txt", s->name);
    if (source && fingerprints_make(&row->prints, source))
        fingerprints_without(&row->prints, starter);
    free(json);
    free(source);
}

static bool write_tables(struct class *c, const struct class_row *rows)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/class.csv", c->results);
    FILE *csv = fopen(path, "we");
    snprintf(path, sizeof path, "%s/class.html", c->results);
    FILE *html = fopen(path, "we");
    if (csv)
        class_table_csv(&c->l->spec, rows, c->n, csv);
    if (html)
        class_table_html(&c->l->spec, rows, c->n, html);
    bool ok = csv && html;
    if (csv)
        ok &= fclose(csv) == 0;
    if (html)
        ok &= fclose(html) == 0;
    if (ok)
        printf("%zu submissions: %s/class.csv and class.html\n", c->n, c->results);
    else
        host_say("cannot write the table: %s", strerror(errno));
    return ok;
}

static bool make_tables(struct class *c)
{
    struct fingerprints starter = { 0 };
    char path[PATH_MAX + 16], why[PATH_MAX + 100];
    struct class_row *rows = calloc(c->n, sizeof *rows);
    snprintf(path, sizeof path, "%s/starter.c", c->l->folders.work);
    if (c->l->spec.cut &&
        lab_write_starter(&c->l->folders, &c->l->spec, path, why, sizeof why) > 0) {
        char *text = read_text(path);
        if (text)
            fingerprints_make(&starter, text);
        free(text);
    }
    for (size_t i = 0; rows && i < c->n; i++)
        fill_row(c, &c->s[i], &starter, &rows[i]);
    bool ok = rows && write_tables(c, rows);
    for (size_t i = 0; rows && i < c->n; i++)
        fingerprints_free(&rows[i].prints);
    fingerprints_free(&starter);
    free(rows);
    return ok;
}

int lab_class(struct lab *l)
{
    static struct class c;
    char why[PATH_MAX + 400], folder[PATH_MAX], kept[PATH_MAX];
    c.l = l;
    if (!realpath(l->class_folder, folder)) {
        host_say("%s: %s", l->class_folder, strerror(errno));
        return LAB_CANNOT;
    }
    l->class_folder = folder;
    if (!find_submissions(&c))
        return LAB_CANNOT;
    snprintf(c.results, PATH_MAX, "%.3000s/results", l->class_folder);
    if (mkdir(c.results, 0777) && errno != EEXIST) {
        host_say("%s: %s", c.results, strerror(errno));
        return LAB_CANNOT;
    }
    memcpy(kept, l->folders.work, PATH_MAX);
    int err = lab_mend_originals(&l->folders, &l->spec, &l->place.original, why, sizeof why);
    if (!err)
        err = lab_grade_reference(&c.reference, &l->spec, &l->place, l->seed, why, sizeof why);
    if (err)
        host_say("%s", why);
    else
        grade_all(&c);
    bool ok = !err && make_tables(&c);
    lab_grade_free(&c.reference);
    lab_empty_folder(kept);
    rmdir(kept);
    free(c.s);
    return ok ? 0 : LAB_CANNOT;
}
