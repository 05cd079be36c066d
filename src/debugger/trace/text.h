/*
 * debugger/trace/text.h -- events for people, and for programs that are not ours.
 */
#ifndef DEBUGGER_TRACE_TEXT_H
#define DEBUGGER_TRACE_TEXT_H

#include <stdio.h>
#include "base/trace.h"

struct symbols;

/* What a reader knows besides the events. */
struct trace_text {
    const struct symbols *symbols;                      /* may be NULL              */
    const char *(*engine_name)(const void *arg, unsigned engine);    /* may be NULL */
    const void  *engine_arg;
};

/* For .engine_name, with a NULL-terminated list of names as .engine_arg: a trace's
 * engine_names, or engine_names() of this program.  "?" if the list is shorter. */
const char *trace_text_listed_engine(const void *names, unsigned engine);

/* What x calls this engine; "?" if it does not know. */
const char *trace_text_engine(const struct trace_text *x, unsigned engine);

/* What kind of event it is, by name; "?" if this program does not know the kind. */
const char *trace_text_kind(const struct trace_event *e);

/* The arguments in words: "IO out 0x3f8 size 1 value 0x41"; always terminated; returns buf. */
char *trace_text_args(const struct trace_text *x, const struct trace_event *e, char *buf, size_t n);

void trace_text_head(FILE *out);                        /* the line of column names */
void trace_text_line(const struct trace_text *x, const struct trace_event *e, FILE *out);
void trace_text_json(const struct trace_text *x, const struct trace_event *e, FILE *out);

/* The last n events still in the ring, read or not: for bug() and lockstep. */
void trace_text_recent(const struct trace *t, size_t n, FILE *out);

/* Table of kinds for doc/trace.md. */
void trace_text_kinds_markdown(FILE *out);

#endif
