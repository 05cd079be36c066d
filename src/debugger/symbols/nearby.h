/*
 * debugger/symbols/nearby.h -- a file that is not where it was said to be.
 *
 * Debug information and traces have the paths of the machine where they were made.  Elsewhere the
 * same tree lies somewhere else: what is said to be /home/ann/course/lab/x.c is lab/x.c below one
 * of the folders that the program or the trace itself is in.
 */
#ifndef DEBUGGER_SYMBOLS_NEARBY_H
#define DEBUGGER_SYMBOLS_NEARBY_H

#include <stddef.h>

#include "base/types.h"

/* Into found (n bytes): `path`, if it can be read; else what lies at an end of it, as "lab/x.c",
 * below the folder of the file `beside` or one above; or its last name alone in that folder.
 * False, and `path` in found: nothing. */
bool nearby_file(const char *path, const char *beside, char *found, size_t n);

#endif
