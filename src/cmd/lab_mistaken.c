/*
 * cmd/lab_mistaken.c -- a file that does not fit the lab: which one is it of?
 *
 * The linker would tell it, by the names it misses, to whoever knows which lab has which.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "cmd/lab.h"
#include "lab/similar.h"

#define MOST_BYTES (1u << 20)           /* of a source */
#define ALIKE      0.4                  /* so much of it is in a lab's starter, or the other way */

/* A source's fingerprints; false: it cannot be read. */
static bool prints_of(const char *path, struct fingerprints *f)
{
    void *bytes;
    uint64_t size;
    char why[200];
    if (host_read_file(path, MOST_BYTES, &bytes, &size, why, sizeof why))
        return false;
    char *text = malloc(size + 1);
    if (text) {
        memcpy(text, bytes, size);
        text[size] = 0;
    }
    bool ok = text && fingerprints_make(f, text);
    free(text);
    free(bytes);
    return ok;
}

/* How much the submission is like the starter of the lab in this folder, 0 to 1; its number into id
 * and its part into part. */
static double likeness_to(const struct lab *l, const char *folder, const struct fingerprints *of,
                          char *id, char *part)
{
    struct lab_spec spec = { 0 };
    struct fingerprints starter = { 0 };
    char path[PATH_MAX + 16], why[PATH_MAX + 300];
    double alike = 0;
    snprintf(path, sizeof path, "%.3000s/lab/%.255s/lab", l->folders.root, folder);
    bool cut = lab_spec_read(&spec, path, why, sizeof why) == 0 && spec.cut;
    snprintf(path, sizeof path, "%s/other.c", l->folders.work);
    if (cut && lab_write_starter(&l->folders, &spec, path, why, sizeof why) > 0 &&
        prints_of(path, &starter)) {
        alike = fingerprints_shared(of, &starter);
        snprintf(id, 8, "%.7s", spec.id);
        snprintf(part, 80, "%.79s", lab_part_name(&spec));
        fingerprints_free(&starter);
    }
    lab_spec_free(&spec);
    return alike;
}

/* The names that the linker has missed, each once, as "a(), b()"; at most three. */
static void missed_names(const char *said, char *names, size_t n)
{
    static const char words[] = "undefined reference to `";
    size_t used = 0;
    unsigned found = 0;
    names[0] = 0;
    for (const char *p = said; found < 3 && (p = strstr(p, words)); found++) {
        char name[100];
        p += sizeof words - 1;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(p, "'\n"), p);
        if (!strstr(names, name) && used < n)
            used += (size_t)snprintf(names + used, n - used, "%s%s", used ? ", " : "", name);
    }
}

void lab_tell_mistaken(const struct lab *l, const char *source, const char *said)
{
    struct fingerprints of = { 0 };
    struct dirent **entry;
    char names[400], id[8], part[80], best_id[8] = "", best_part[80] = "";
    double best = ALIKE;
    int n = prints_of(source, &of) ? lab_folders_all(l, &entry) : -1;
    for (int i = 0; i < n; i++) {
        double alike = likeness_to(l, entry[i]->d_name, &of, id, part);
        if (alike > best) {
            best = alike;
            snprintf(best_id, sizeof best_id, "%s", id);
            snprintf(best_part, sizeof best_part, "%s", part);
        }
        free(entry[i]);
    }
    if (n >= 0)
        free(entry);
    fingerprints_free(&of);
    missed_names(said, names, sizeof names);
    if (names[0])
        printf("The file does not define what lab %s calls: %s.\n", l->spec.id, names);
    if (best_id[0] && strcmp(best_id, l->spec.id))
        printf("It looks like lab %s's %s: did you mean `vitrine lab check %s %s`?\n", best_id,
               best_part, best_id, l->file);
}
