/*
 * debugger/symbols/nearby.c -- ends of a path, tried below the folders above another file.
 *
 * The longest end is tried first, so that of two files of one name the right one is found; and a
 * name alone, which could be anybody's, only in the nearest folder.
 */
#include "debugger/symbols/nearby.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_UP 8               /* folders above the file */

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, R_OK) == 0;
}

/* `end` below the folder, or one above it. */
static bool below_one(const char *folder, const char *end, char *found, size_t n)
{
    char at[PATH_MAX];
    snprintf(at, sizeof at, "%s", folder);
    for (unsigned up = 0; up < MOST_UP; up++) {
        snprintf(found, n, "%s/%s", at, end);
        if (is_file(found))
            return true;
        char *slash = strrchr(at, '/');
        if (!slash || !strchr(end, '/'))
            return false;
        *slash = 0;
    }
    return false;
}

bool nearby_file(const char *path, const char *beside, char *found, size_t n)
{
    char *folder = beside ? realpath(beside, NULL) : NULL;
    char *slash = folder ? strrchr(folder, '/') : NULL;
    bool there = is_file(path);
    if (slash)
        *slash = 0;
    for (const char *end = path; !there && slash && end; ) {
        end += *end == '/';
        there = *end && below_one(folder, end, found, n);
        end = strchr(end, '/');
        if (there) {
            free(folder);
            return true;
        }
    }
    free(folder);
    snprintf(found, n, "%s", path);
    return there;
}
