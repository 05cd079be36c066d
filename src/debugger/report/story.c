/*
 * debugger/report/story.c -- counting what is worth telling, and printing it at each MARK.
 *
 * story_add() chooses the events, print_phase() the words.
 */
#include "debugger/report/story.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/x86.h"
#include "cpu/exit.h"

#define MAX_LINES 64

/* What is told of the guest, in the order in which a phase is printed. */
enum verb { VERB_OUT, VERB_MEM_WRITE, VERB_TAKES, VERB_HALTS, VERB_CALLS, VERB_DIES, VERB_NOBODY,
            N_VERBS };

static const char *const verb_names[N_VERBS] = {
    "writes port", "writes device memory", "takes vector", "halts", "calls the monitor",
    "triple faults", "touches what nobody claims",
};

/* A line of the story: the guest did this to that, so often.  The values that it wrote go into
 * a hash: the text stays short, and yet one wrong byte changes it. */
struct line {
    enum verb verb;
    uint64_t  subject;          /* port, vector, address; 0 */
    uint64_t  count;
    uint32_t  hash;             /* of the values, in order; FNV-1a */
};

/* The phase that is being told. */
struct story {
    FILE       *out;
    size_t      n;
    struct line line[MAX_LINES];
    uint64_t    dropped;        /* events that found no line */
};

struct story *story_new(FILE *out)
{
    struct story *s = calloc(1, sizeof *s);
    if (s)
        s->out = out;
    return s;
}

/* Count something that the guest did.  A guest may write to thousands of ports; what has no
 * line is counted in `dropped`. */
static void count_deed(struct story *s, enum verb verb, uint64_t subject, uint64_t value)
{
    size_t i = 0;
    while (i < s->n && (s->line[i].verb != verb || s->line[i].subject != subject))
        i++;
    if (i == s->n) {
        if (s->n == MAX_LINES) {
            s->dropped++;
            return;
        }
        s->line[s->n++] = (struct line){ .verb = verb, .subject = subject, .hash = 2166136261u };
    }
    s->line[i].count++;
    for (unsigned b = 0; b < 8; b++)
        s->line[i].hash = (s->line[i].hash ^ ((value >> (8 * b)) & 0xff)) * 16777619u;
}

static int by_verb_and_subject(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    if (x->verb != y->verb)
        return x->verb < y->verb ? -1 : 1;
    return x->subject < y->subject ? -1 : x->subject > y->subject;
}

/* Print the lines, sorted: in which order two devices were used for the first time may differ
 * between engines that are equivalent.  Then a new phase begins. */
static void print_phase(struct story *s)
{
    qsort(s->line, s->n, sizeof s->line[0], by_verb_and_subject);
    for (size_t i = 0; i < s->n; i++) {
        const struct line *l = &s->line[i];
        bool has_subject = l->verb != VERB_HALTS && l->verb != VERB_DIES;
        bool has_values = l->verb == VERB_OUT || l->verb == VERB_MEM_WRITE;
        fprintf(s->out, "  %s", verb_names[l->verb]);
        if (has_subject)
            fprintf(s->out, " %#" PRIx64, l->subject);
        fprintf(s->out, ", %" PRIu64 " times", l->count);
        if (has_values)
            fprintf(s->out, ", values %08" PRIx32, l->hash);
        fputc('\n', s->out);
    }
    if (s->dropped)
        fprintf(s->out, "  and %" PRIu64 " things more\n", s->dropped);
    s->n = 0;
    s->dropped = 0;
}

/* Of exits only those are told that an outsider sees; how often an engine exits is its own
 * matter. */
static void tell_exit(struct story *s, const struct trace_event *e)
{
    if (e->arg[0] == EXIT_HLT)
        count_deed(s, VERB_HALTS, 0, 0);
    if (e->arg[0] == EXIT_TRIPLE_FAULT)
        count_deed(s, VERB_DIES, 0, 0);
}

void story_add(struct story *s, const struct trace_event *e)
{
    switch ((enum trace_kind)e->kind) {
    case TRACE_MARK:
        print_phase(s);
        fprintf(s->out, "MARK %" PRIu64 "\n", e->arg[0]);
        break;
    case TRACE_EXIT:       tell_exit(s, e);                                  break;
    case TRACE_IO_WRITE:   count_deed(s, VERB_OUT, e->arg[0], e->arg[2]);          break;
    case TRACE_MMIO_WRITE: count_deed(s, VERB_MEM_WRITE, e->arg[0], e->arg[2]);    break;
    case TRACE_DELIVER:    count_deed(s, VERB_TAKES, e->arg[0], 0);                break;
    case TRACE_HYPERCALL:  count_deed(s, VERB_CALLS, e->arg[0], 0);                break;
    case TRACE_UNCLAIMED:  count_deed(s, VERB_NOBODY, e->arg[0], 0);               break;
    default:                                    /* what the monitor did to bring that about */
        break;
    }
}

void story_end(struct story *s)
{
    if (!s)
        return;
    print_phase(s);
    free(s);
}
