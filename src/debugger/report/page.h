/*
 * debugger/report/page.h -- pieces of a web page: text that is only text, times, the frame of a
 * figure.  Private to the folder.
 *
 * A figure is an SVG without any words in it, stretched to the width there is, with its labels
 * beside it as HTML: so it fits into 500 pixels as into 1900, and its letters stay as large as
 * the page's.  Within it one unit is a column (a moment of the run) or a row; y grows downwards.
 *
 * Everything is well-formed XML too, which is easy to check (tests/unit/test_report.c does).
 */
#ifndef DEBUGGER_REPORT_PAGE_H
#define DEBUGGER_REPORT_PAGE_H

#include <stdio.h>
#include "base/types.h"

/* All before the first section; `title` is plain text. */
void page_begin(FILE *out, const char *title);
void page_end(FILE *out);

/* Text from anywhere: nothing of it is markup, nothing is unprintable. */
void put_text(FILE *out, const char *s);

/* A word of a command line, quoted for a POSIX shell if it needs to be: people will copy it, so a
 * hostile file name must stay one word. */
void put_word(FILE *out, const char *s);

/* A time with its unit, at most four digits. */
void put_time(FILE *out, uint64_t ns);

/* A number of bytes as people type it after --mem: 64M. */
void put_size(FILE *out, uint64_t bytes);

/* A figure of columns x rows units that is height_px pixels high.  `what` is for people who
 * cannot see it; `top` and `bottom` label the left side.  Between the two calls come put_rect() and
 * the like; `labels` then prints what stands below. */
void begin_figure(FILE *out, unsigned columns, unsigned rows, unsigned height_px, const char *what,
                  const char *top, const char *bottom);
void end_figure(FILE *out, uint64_t first_ns, uint64_t last_ns);

/* A rectangle with its upper left corner at (x, y).  Opacity is 0 to 1. */
void put_rect(FILE *out, double x, double y, double w, double h, const char *fill, double opacity);

#endif
