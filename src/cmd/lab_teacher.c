/*
 * cmd/lab_teacher.c -- what `vitrine lab` does for a teacher besides grading: right runs that are
 * kept for the students' tree, results that are signed, signatures that are checked.
 */
#include "cmd/lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "lab/kept.h"
#include "lab/sign.h"

#define MOST_BYTES (1u << 24)           /* of a result */

int lab_keep_runs(struct lab *l)
{
    static struct lab_grade g;
    char why[PATH_MAX + 400];
    if (!l->file) {
        host_say("into which folder? vitrine lab keep %s FOLDER", l->folders.id);
        return LAB_CANNOT;
    }
    l->place.portable = l->folders.root;
    int err = lab_mend_originals(&l->folders, &l->spec, &l->place.original, why, sizeof why);
    err = err ? err : lab_grade_reference(&g, &l->spec, &l->place, l->seed, why, sizeof why);
    err = err ? err : lab_keep(&g, l->file, why, sizeof why);
    if (err)
        host_say("%s", why);
    lab_grade_free(&g);
    return err ? LAB_CANNOT : 0;
}

/* The result as text, which the caller frees; signed if that is asked for. */
static char *result_text(struct lab *l, struct lab_grade *g, const char *source)
{
    char *text = NULL, *with = NULL, rules[PATH_MAX + 8], why[PATH_MAX + 400] = "";
    size_t size;
    FILE *f = open_memstream(&text, &size);
    bool ok = f && lab_grade_json(g, f) == 0;
    if (f)
        ok &= fclose(f) == 0;
    if (!ok || !l->sign)
        return text;
    snprintf(rules, sizeof rules, "%.4000s/lab", l->folders.lab);
    struct lab_receipt r = {
        .lab = l->folders.id, .seed = l->seed, .submission = source, .rules = rules,
        .program = l->place.vitrine, .monitor = l->place.monitor,
    };
    if (lab_sign(&r, &l->folders, l->sign, text, &with, why, sizeof why))
        host_say("%s", why);
    free(text);
    return with;
}

bool lab_write_json(struct lab *l, struct lab_grade *g, const char *source, const char *to)
{
    char *text = result_text(l, g, source);
    FILE *f = text ? fopen(to, "we") : NULL;
    bool ok = f && fputs(text, f) >= 0;
    if (text && !f)
        host_say("%s: %s", to, strerror(errno));
    if (f)
        ok &= fclose(f) == 0;
    free(text);
    return ok;
}

int lab_verify_result(struct lab *l)
{
    char why[PATH_MAX + 400];
    void *bytes = NULL;
    uint64_t size = 0;
    if (!l->key || !l->file) {
        host_say("vitrine lab verify %s RESULTS.JSON --key PUBLIC.PEM", l->folders.id);
        return 2;
    }
    int err = host_read_file(l->file, MOST_BYTES, &bytes, &size, why, sizeof why);
    char *text = err ? NULL : malloc(size + 1);
    if (text) {
        memcpy(text, bytes, size);
        text[size] = 0;
        err = lab_verify(&l->folders, l->key, l->of, text, why, sizeof why);
    }
    free(bytes);
    free(text);
    if (err)
        host_say("%s: %s", l->file, why);
    else
        printf("%s: the signature is right\n", l->file);
    return !err ? 0 : err == -EBADMSG ? 1 : LAB_CANNOT;
}
