/*
 * cmd/names.c -- opens the file that names addresses, and knows when not to trust it.
 */
#include "cmd/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/host.h"
#include "debugger/symbols/nearby.h"
#include "debugger/symbols/symbols.h"
#include "debugger/trace/store.h"

/* "FILE@0x1000" in its two parts.  A file whose name ends like that is taken as it is. */
static void split(struct names *n, const char *spec)
{
    struct stat file;
    snprintf(n->path, sizeof n->path, "%s", spec);
    char *end, *at = stat(n->path, &file) == 0 ? NULL : strrchr(n->path, '@');
    if (!at || at == n->path)
        return;
    uint64_t offset = strtoull(at + 1, &end, 0);
    if (end == at + 1 || *end)
        return;
    *at = 0;
    n->offset = offset;
}

/* What `spec` says, if it says anything.  False, and the reason in `why`: it cannot be read. */
static bool open_spec(struct names *n, const char *spec, char *why, size_t size)
{
    *n = (struct names){ .symbols = NULL };
    if (!spec)
        return true;
    split(n, spec);
    n->symbols = symbols_open(n->path, why, size);
    symbols_shift(n->symbols, n->offset);
    return n->symbols;
}

bool names_open(struct names *n, const char *given, const char *else_file)
{
    char why[300];
    if (open_spec(n, given ? given : else_file, why, sizeof why) || !given)
        return true;
    host_say("cannot read symbols of %s: %s", n->path, why);
    return false;
}

/* Was the file `a` changed later than the file `b`? */
static bool is_newer(const char *a, const char *b)
{
    struct stat x, y;
    if (stat(a, &x) != 0 || stat(b, &y) != 0)
        return false;
    return x.st_mtim.tv_sec != y.st_mtim.tv_sec ? x.st_mtim.tv_sec > y.st_mtim.tv_sec
                                                : x.st_mtim.tv_nsec > y.st_mtim.tv_nsec;
}

bool names_open_trace(struct names *n, const char *given, const struct store *s, const char *file)
{
    const char *recorded = store_info(s, "symbols");
    if (!recorded)
        recorded = store_info(s, "guest");
    char moved[sizeof n->path];         /* the trace may have come here with its guest */
    if (recorded && nearby_file(recorded, file, moved, sizeof moved))
        recorded = moved;
    if (!names_open(n, given, recorded))
        return false;
    if (!given && n->symbols && is_newer(n->path, file)) {
        host_say("%s was changed after %s was written: its names are left out (--symbols %s for "
                 "them all the same)", n->path, file, recorded);
        names_close(n);
    }
    return true;
}

const char *names_debuginfo(const struct names *n)
{
    return n->path[0] && !n->offset ? n->path : NULL;
}

void names_close(struct names *n)
{
    symbols_close(n->symbols);
    *n = (struct names){ .symbols = NULL };
}
