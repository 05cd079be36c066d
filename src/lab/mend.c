/*
 * lab/mend.c -- assembling kernels, and comparing them with what they were.
 */
#include "lab/mend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/host.h"

#define MAX_SOURCE  65536       /* bytes of one kernel's source       */
#define MAX_LINES   2000        /* of it, without those that are empty */
#define MAX_LINE    200

/* ---- in how many lines do two sources differ? ---- */

/* A source's lines as they are compared. */
struct lines {
    char   (*line)[MAX_LINE];
    unsigned n;
};

/* Copy one line without comments; blanks become one.  `inside` says that a comment of several lines
 * is open, before the line and behind it. */
static void plain_line(const char *text, const char *end, bool *inside, char *to)
{
    unsigned n = 0;
    for (const char *p = text; p < end && (*inside || *p != '#'); p++) {
        bool opens = !*inside && p + 1 < end && p[0] == '/' && p[1] == '*';
        bool closes = *inside && p + 1 < end && p[0] == '*' && p[1] == '/';
        bool blank = opens || *inside || *p == ' ' || *p == '\t' || *p == '\r';
        if (opens || closes) {
            *inside = opens;
            p++;
        }
        if (!blank && n + 1 < MAX_LINE)
            to[n++] = *p;
        else if (blank && n && to[n - 1] != ' ' && n + 1 < MAX_LINE)
            to[n++] = ' ';
    }
    while (n && to[n - 1] == ' ')
        n--;
    to[n] = 0;
}

static bool read_lines(struct lines *l, const char *text)
{
    bool inside = false;
    *l = (struct lines){ .line = malloc(MAX_LINES * sizeof *l->line) };
    while (l->line && *text && l->n < MAX_LINES) {
        const char *end = text + strcspn(text, "\n");
        plain_line(text, end, &inside, l->line[l->n]);
        l->n += l->line[l->n][0] != 0;
        text = *end ? end + 1 : end;
    }
    return l->line && l->n < MAX_LINES;
}

/* How many lines the two have in common, in the same order: the longest common subsequence, a row
 * at a time.  UINT_MAX: no memory. */
static unsigned lines_in_common(const struct lines *a, const struct lines *b)
{
    unsigned *row = calloc(b->n + 1, sizeof *row), common;
    if (!row)
        return UINT_MAX;
    for (unsigned i = 0; i < a->n; i++) {
        unsigned diagonal = 0;              /* row[j - 1] of the line before */
        for (unsigned j = 1; j <= b->n; j++) {
            unsigned above = row[j];
            if (strcmp(a->line[i], b->line[j - 1]) == 0)
                row[j] = diagonal + 1;
            else if (row[j - 1] > above)
                row[j] = row[j - 1];
            diagonal = above;
        }
    }
    common = row[b->n];
    free(row);
    return common;
}

unsigned lab_mend_lines(const char *original, const char *mended)
{
    struct lines a, b;
    unsigned differ = UINT_MAX;
    bool both = read_lines(&a, original);
    both &= read_lines(&b, mended);
    unsigned common = both ? lines_in_common(&a, &b) : UINT_MAX;
    if (common != UINT_MAX)
        differ = (a.n > b.n ? a.n : b.n) - common;
    free(a.line);
    free(b.line);
    return differ;
}

/* ---- assembling ---- */

/* Write the source into the folder `to` as NAME.S, and make NAME.elf and, of a boot sector,
 * NAME.bin of it there.  What is wrong with the source goes into k->trouble. */
static int assemble(const struct lab_folders *f, const struct lab_guest *g, const char *text,
                    const char *to, struct lab_kernel *k)
{
    char base[PATH_MAX], source[PATH_MAX + 8], object[PATH_MAX + 8], include[PATH_MAX + 16];
    char script[PATH_MAX + 32];
    snprintf(base, sizeof base, "%.3000s/%.200s", to, g->name);
    snprintf(source, sizeof source, "%s.S", base);
    snprintf(object, sizeof object, "%s.o", base);
    snprintf(k->symbols, PATH_MAX, "%.3500s.elf", base);
    snprintf(k->image, PATH_MAX, "%.3500s.%s", base, g->mend.boots ? "bin" : "elf");
    snprintf(include, sizeof include, "%.3000s/guests", f->lab);
    snprintf(script, sizeof script, "%s/%s.ld", include, g->mend.boots ? "boot" : "kernel");
    FILE *out = fopen(source, "we");
    if (!out || fputs(text, out) < 0 || fclose(out))
        return -errno;
    char *as[] = { "as", "--32", "-g", "-I", include, "-o", object, source, NULL };
    char *link[] = { "ld", "-m", "elf_i386", "-T", script, "-o", k->symbols, object, NULL };
    char *flat[] = { "ld", "-m", "elf_i386", "-T", script, "--oformat", "binary",
                     "-o", k->image, object, NULL };
    if (lab_run_tool(as, f, source, k->trouble, sizeof k->trouble) == 0 &&
        lab_run_tool(link, f, source, k->trouble, sizeof k->trouble) == 0 &&
        (!g->mend.boots || lab_run_tool(flat, f, source, k->trouble, sizeof k->trouble) == 0))
        k->trouble[0] = 0;          /* a warning is none */
    else if (!k->trouble[0])
        snprintf(k->trouble, sizeof k->trouble, "it cannot be assembled");
    return 0;
}

/* A text file of at most MAX_SOURCE bytes, to be freed; NULL and a sentence in why. */
static char *read_source(const char *path, char *why, size_t n)
{
    void *bytes;
    uint64_t size;
    if (lab_is_link(path)) {
        snprintf(why, n, "it is a symbolic link: hand in the file itself");
        return NULL;
    }
    if (host_read_file(path, MAX_SOURCE, &bytes, &size, why, n))
        return NULL;
    char *text = malloc(size + 1);
    if (text) {
        memcpy(text, bytes, size);
        text[size] = 0;
    }
    free(bytes);
    return text;
}

/* work/NAME, made if it is not there. */
static int make_folder(const struct lab_folders *f, const char *name, char *path, char *why,
                       size_t n)
{
    snprintf(path, PATH_MAX, "%.3000s/%s", f->work, name);
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 0;
    snprintf(why, n, "%s: %s", path, strerror(errno));
    return -errno;
}

int lab_mend_originals(const struct lab_folders *f, const struct lab_spec *spec,
                       struct lab_kernels *kernels, char *why, size_t n)
{
    char to[PATH_MAX], path[PATH_MAX + 300];
    memset(kernels, 0, sizeof *kernels);
    int err = make_folder(f, "original", to, why, n);
    for (unsigned i = 0; !err && i < spec->n_guests; i++) {
        const struct lab_guest *g = &spec->guest[i];
        struct lab_kernel *k = &kernels->guest[i];
        if (!g->mend.file)
            continue;
        snprintf(path, sizeof path, "%.3000s/guests/%.200s", f->lab, g->mend.file);
        char *text = read_source(path, k->trouble, sizeof k->trouble);
        err = text ? assemble(f, g, text, to, k) : -EINVAL;
        free(text);
        if (err || k->trouble[0]) {
            snprintf(why, n, "%s: %.300s", path, k->trouble[0] ? k->trouble : strerror(-err));
            err = err ? err : -EINVAL;
        }
    }
    return err;
}

/* The student's source of one guest, if it is one that may be assembled; else NULL and trouble. */
static char *read_mended(const struct lab_folders *f, const struct lab_guest *g,
                         const char *submission, struct lab_kernel *k)
{
    char path[PATH_MAX + 300], why[300];
    snprintf(path, sizeof path, "%.3000s/guests/%.200s", f->lab, g->mend.file);
    char *original = read_source(path, why, sizeof why);
    snprintf(path, sizeof path, "%.3000s/%.200s", submission, g->mend.file);
    char *text = original ? read_source(path, why, sizeof why) : NULL;
    unsigned lines = text ? lab_mend_lines(original, text) : 0;
    free(original);
    if (text && lines <= g->mend.most_lines)
        return text;
    if (!text)
        snprintf(k->trouble, sizeof k->trouble, "%.200s: %.300s", g->mend.file, why);
    else
        snprintf(k->trouble, sizeof k->trouble, "%.200s differs in %u lines from what it was; to "
                 "mend it, %u are enough", g->mend.file, lines, g->mend.most_lines);
    free(text);
    return NULL;
}

int lab_mend_submission(const struct lab_folders *f, const struct lab_spec *spec,
                        const char *submission, struct lab_kernels *kernels, char *why, size_t n)
{
    char to[PATH_MAX];
    struct stat st;
    memset(kernels, 0, sizeof *kernels);
    if (lstat(submission, &st) || !S_ISDIR(st.st_mode)) {   /* nor a link to one */
        snprintf(why, n, "%s is no folder: hand in the whole folder", submission);
        return -ENOTDIR;
    }
    int err = make_folder(f, "mended", to, why, n);
    for (unsigned i = 0; !err && i < spec->n_guests; i++) {
        const struct lab_guest *g = &spec->guest[i];
        char *text = g->mend.file ? read_mended(f, g, submission, &kernels->guest[i]) : NULL;
        err = text ? assemble(f, g, text, to, &kernels->guest[i]) : 0;
        if (err)
            snprintf(why, n, "cannot write into %s: %s", to, strerror(-err));
        free(text);
    }
    return err;
}

/* ---- folders ---- */

int lab_mend_start(const struct lab_folders *f, const char *to, char *why, size_t n)
{
    char guests[PATH_MAX + 16];
    if (mkdir(to, 0777)) {
        int err = -errno;
        snprintf(why, n, "%s: %s", to, strerror(-err));
        return err;
    }
    snprintf(guests, sizeof guests, "%.4000s/guests/.", f->lab);
    char *copy[] = { "cp", "-r", guests, (char *)(uintptr_t)to, NULL };
    return lab_run_tool(copy, f, NULL, why, n) == 0 ? 0 : -EIO;
}

static int patch(const struct lab_folders *f, const char *file, const char *to, char *why,
                 size_t n)
{
    char path[PATH_MAX + 300];
    snprintf(path, sizeof path, "%.4000s/%.200s", f->lab, file);
    char *argv[] = { "patch", "-s", "-p1", "-d", (char *)(uintptr_t)to, "-i", path, NULL };
    return lab_run_tool(argv, f, NULL, why, n) == 0 ? 0 : -EINVAL;
}

int lab_mend_write_case(const struct lab_folders *f, const struct lab_case *c, const char *to,
                        char *why, size_t n)
{
    char answers[PATH_MAX + 16];
    int err = lab_mend_start(f, to, why, n);
    snprintf(answers, sizeof answers, "%.4000s/answers", f->lab);
    char *copy[] = { "cp", answers, (char *)(uintptr_t)to, NULL };
    if (!err && lab_run_tool(copy, f, NULL, why, n))
        err = -EIO;
    err = err ? err : patch(f, "mended.diff", to, why, n);
    return err || !c ? err : patch(f, c->file, to, why, n);
}
