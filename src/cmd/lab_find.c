/*
 * cmd/lab_find.c -- where `vitrine lab` finds things, and where it may leave some: the project, the
 * folder of a lab that a student names in their own way, and a folder to work in.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/host.h"
#include "base/likeness.h"
#include "cmd/lab.h"

#define MOST_AT_ONCE 64         /* graders of one user and one lab that run at the same time */

bool lab_find_root(struct lab *l)
{
    char *root = getenv("VITRINE_ROOT");
    char *exe = realpath("/proc/self/exe", NULL);
    if (!exe)
        return false;
    snprintf(l->place.vitrine, PATH_MAX, "%s", exe);
    *strrchr(exe, '/') = 0;
    snprintf(l->place.guests, PATH_MAX, "%.3000s/guests", exe);
    snprintf(l->folders.build, PATH_MAX, "%.3000s", exe);
    for (char *slash; !root && (slash = strrchr(exe, '/')) && slash > exe; ) {
        char probe[PATH_MAX];
        *slash = 0;
        snprintf(probe, sizeof probe, "%.3000s/src/lab", exe);
        root = access(probe, R_OK) == 0 ? exe : NULL;
    }
    if (root && !realpath(root, l->folders.root))
        snprintf(l->folders.root, PATH_MAX, "%.3000s", root);
    free(exe);
    if (!root)
        host_say("the labs are not here: set VITRINE_ROOT to the project's folder");
    return root != NULL;
}

/* ---- which lab ---- */

/* scandir()'s filter: NN-name, or L-name. */
static int is_lab(const struct dirent *e)
{
    return strlen(e->d_name) > 3 && (e->d_name[1] == '-' || e->d_name[2] == '-');
}

int lab_folders_all(const struct lab *l, struct dirent ***entry)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%.3000s/lab", l->folders.root);
    return scandir(path, entry, is_lab, alphasort);
}

/* A lab's number or letter without what people put around it: "lab07", "07-interrupts" and "7" are
 * the same.  Into id, which has room for n. */
static void plain_id(const char *word, char *id, size_t n)
{
    if (strncasecmp(word, "lab", 3) == 0 && word[3])
        word += 3 + (word[3] == '-' || word[3] == ' ' || word[3] == '_');
    size_t len = strcspn(word, "-");
    while (len > 1 && *word == '0')
        word++, len--;
    snprintf(id, n, "%.*s", (int)len, word);
}

/* Is the word the lab's number, or its name? */
static bool is_named(const char *folder, const char *word)
{
    char wanted[64], id[8];
    plain_id(word, wanted, sizeof wanted);
    plain_id(folder, id, sizeof id);
    return strcasecmp(wanted, id) == 0 || strcasecmp(strchr(folder, '-') + 1, word) == 0;
}

/* "there is no lab 9; there are 0, 1, 2": as the user has typed it. */
static void tell_labs(struct dirent **entry, int n, const char *word)
{
    char all[300] = "", id[8];
    size_t used = 0;
    struct likeness like = { .word = word, .len = strlen(word) };
    for (int i = 0; i < n && used < sizeof all; i++) {
        plain_id(entry[i]->d_name, id, sizeof id);
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", id);
        likeness_try(&like, strchr(entry[i]->d_name, '-') + 1);
    }
    if (like.best && strlen(word) > 3)
        host_say("there is no lab %s; did you mean %s?", word, like.best);
    else
        host_say("there is no lab %s; there are %s (`vitrine lab list`)", word, all);
}

bool lab_find(struct lab *l)
{
    struct dirent **entry;
    int n = lab_folders_all(l, &entry);
    for (int i = 0; i < n && !l->folders.lab[0]; i++)
        if (is_named(entry[i]->d_name, l->which)) {
            snprintf(l->folders.lab, PATH_MAX, "%.3000s/lab/%.255s", l->folders.root,
                     entry[i]->d_name);
            snprintf(l->folders.id, sizeof l->folders.id, "%.*s",
                     (int)strcspn(entry[i]->d_name, "-"), entry[i]->d_name);
        }
    if (!l->folders.lab[0])
        tell_labs(entry, n, l->which);
    for (int i = 0; i < n; i++)
        free(entry[i]);
    if (n >= 0)
        free(entry);
    return l->folders.lab[0];
}

/* ---- a folder to work in ---- */

/* nftw()'s function. */
static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind;
    return where->level ? remove(path) : 0;
}

void lab_empty_folder(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Make the folder, or take the one that the user has from the last time; in /tmp somebody else may
 * have made one of this name.  As long as the process lives it is locked. */
static bool take_folder(const char *path)
{
    struct stat st;
    if (mkdir(path, 0700) && errno != EEXIST)
        return false;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & 022) &&
        flock(fd, LOCK_EX | LOCK_NB) == 0) {
        lab_empty_folder(path);
        return true;
    }
    if (fd >= 0)
        close(fd);
    return false;
}

bool lab_make_work(struct lab *l)
{
    char top[PATH_MAX], *real = realpath(getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", NULL);
    bool made = false;
    snprintf(top, sizeof top, "%.3000s", real ? real : "/tmp");
    free(real);
    for (unsigned i = 1; i <= MOST_AT_ONCE && !made; i++) {
        char again[16] = "";
        if (i > 1)
            snprintf(again, sizeof again, "-%u", i);
        snprintf(l->folders.work, PATH_MAX, "%.3000s/vitrine-lab-%u-%s%s", top,
                 (unsigned)geteuid(), l->folders.id, again);
        made = take_folder(l->folders.work);
    }
    if (!made) {
        host_say("cannot make a folder in %s, or use one that is there: %s", top, strerror(errno));
        return false;
    }
    memcpy(l->place.work, l->folders.work, PATH_MAX);
    snprintf(l->place.monitor, PATH_MAX, "%.3000s/lab/%s/monitor", l->folders.build, l->folders.id);
    snprintf(l->place.kept, PATH_MAX, "%.3000s/lab/%s/reference", l->folders.build, l->folders.id);
    size_t n = strlen(l->place.kept);
    if (access(l->place.kept, R_OK))
        l->place.kept[0] = 0;
    else
        snprintf(l->place.kept + n, PATH_MAX - n, "/%" PRIu64, l->seed);
    return true;
}
