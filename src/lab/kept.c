/*
 * lab/kept.c -- reference runs into files, and out of them.
 */
#include "lab/kept.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/host.h"

#define MOST_BYTES (UINT64_C(256) << 20)        /* of a trace */

/* FOLDER/GUEST.SUFFIX, into path[PATH_MAX] */
static void kept_path(char *path, const char *folder, const struct lab_job *j, const char *suffix)
{
    snprintf(path, PATH_MAX, "%.3000s/%.200s.%s", folder, j->guest->name, suffix);
}

static int copy_file(const char *from, const char *to, char *why, size_t n)
{
    void *bytes;
    uint64_t size;
    int err = host_read_file(from, MOST_BYTES, &bytes, &size, why, n);
    if (err)
        return err;
    FILE *f = fopen(to, "we");
    bool ok = f && fwrite(bytes, 1, size, f) == size;
    if (f)
        ok &= fclose(f) == 0;
    err = ok ? 0 : -errno;
    if (err)
        snprintf(why, n, "%s: %s", to, strerror(-err));
    free(bytes);
    return err;
}

static int keep_result(const struct lab_job *j, const char *folder, char *why, size_t n)
{
    char path[PATH_MAX];
    kept_path(path, folder, j, "result");
    FILE *f = fopen(path, "we");
    bool ok = f && fprintf(f, "status %d\n%s", j->run.status, j->run.output) > 0;
    if (f)
        ok &= fclose(f) == 0;
    if (!ok)
        snprintf(why, n, "%s: %s", path, strerror(errno));
    return ok ? 0 : -EIO;
}

int lab_keep(const struct lab_grade *g, const char *folder, char *why, size_t n)
{
    char path[PATH_MAX];
    if (mkdir(folder, 0777) && errno != EEXIST) {
        int err = -errno;
        snprintf(why, n, "%s: %s", folder, strerror(errno));
        return err;
    }
    for (unsigned i = 0; i < g->spec->n_guests; i++) {
        const struct lab_job *j = &g->reference[i];
        if (j->guest->hidden)
            continue;
        kept_path(path, folder, j, "trace");
        int err = copy_file(j->trace, path, why, n);
        err = err ? err : keep_result(j, folder, why, n);
        if (err)
            return err;
    }
    return 0;
}

/* What keep_result() wrote.  The output becomes the job's. */
static int recall_result(struct lab_job *j, const char *folder, char *why, size_t n)
{
    char path[PATH_MAX];
    void *bytes;
    uint64_t size;
    int used = 0;
    kept_path(path, folder, j, "result");
    int err = host_read_file(path, MOST_BYTES, &bytes, &size, why, n);
    if (err)
        return err;
    char *text = malloc(size + 1);
    if (text) {
        memcpy(text, bytes, size);
        text[size] = 0;
        if (sscanf(text, "status %d%n", &j->run.status, &used) != 1 || text[used] != '\n') {
            snprintf(why, n, "%s is no kept result", path);
            free(text);
            text = NULL;
        } else
            memmove(text, text + used + 1, size - (size_t)used);
    }
    free(bytes);
    j->run.output = text;
    return text ? 0 : -EINVAL;
}

int lab_recall(struct lab_job *jobs, unsigned n_jobs, const char *folder, char *why, size_t n)
{
    struct stat st;
    if (stat(folder, &st)) {
        snprintf(why, n, "no right runs are kept here for this seed (%s): take another "
                 "one, or have your teacher's program grade it", folder);
        return -ENOENT;
    }
    for (unsigned i = 0; i < n_jobs; i++) {
        int err = recall_result(&jobs[i], folder, why, n);
        if (err)
            return err;
        kept_path(jobs[i].trace, folder, &jobs[i], "trace");
        lab_job_open(&jobs[i]);
    }
    return 0;
}
