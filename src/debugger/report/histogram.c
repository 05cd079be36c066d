/*
 * debugger/report/histogram.c -- a tally of the values that a field has, and its table with
 * bars.
 *
 * A class is counted under the value it begins with: the start of a function, or the lower end
 * of a power of two.
 */
#include "debugger/report/histogram.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "debugger/report/tally.h"
#include "debugger/symbols/symbols.h"
#include "debugger/trace/field.h"
#include "debugger/trace/text.h"

#define BAR_WIDTH   30

struct histogram {
    const struct trace_field *field;
    const struct trace_text  *x;
    struct tally              values;
    struct tally_row         *row;      /* sorted; NULL: not yet */
    size_t                    n_rows;
    uint64_t                  total;        /* events that have the field           */
    bool                      by_size;      /* a time: classes are powers of two    */
};

struct histogram *histogram_new(const struct trace_field *field, const struct trace_text *x)
{
    struct histogram *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->field = field;
    h->x = x;
    h->by_size = field->look == TIME || strcmp(field->name, "host_ns") == 0;
    return h;
}

void histogram_free(struct histogram *h)
{
    if (h) {
        tally_free(&h->values);
        free(h->row);
    }
    free(h);
}

/* Which row a value is counted in: that of its power of two, of its function's start, or its
 * own. */
static uint64_t key_of(const struct histogram *h, uint64_t value)
{
    uint64_t offset;
    if (h->by_size)
        return value ? UINT64_C(1) << (63 - __builtin_clzll(value)) : 0;
    if (h->field->look == ADDRESS && h->x && symbols_find(h->x->symbols, value, &offset))
        return value - offset;
    return value;
}

/* Only the key is counted; a tally's amounts are not used here. */
void histogram_add(struct histogram *h, const struct trace_event *e)
{
    uint64_t value;
    if (!trace_field_value(h->field, e, &value))
        return;
    h->total++;
    tally_add(&h->values, &(struct tally_row){ .key = key_of(h, value), .count = 1 });
}

/* Orders for qsort(): the most frequent first, or by value. */
static int by_count(const void *a, const void *b)
{
    const struct tally_row *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return (x->key > y->key) - (x->key < y->key);
}

static int by_value(const void *a, const void *b)
{
    const struct tally_row *x = a, *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

const struct tally_row *histogram_rows(struct histogram *h, size_t *n, uint64_t *others)
{
    if (!h->row)
        h->row = tally_rows(&h->values, h->by_size ? by_value : by_count, &h->n_rows);
    *n = h->n_rows;
    *others = h->values.rest.count;
    return h->row;
}

/* A word such as an exit's name is better than a number, and a number is written as the field
 * is elsewhere. */
char *histogram_label(const struct histogram *h, uint64_t value, char *buf, size_t n)
{
    const char *word = trace_field_word(h->x, h->field->look, value);
    uint64_t offset;
    const char *symbol = h->field->look == ADDRESS && h->x
                             ? symbols_find(h->x->symbols, value, &offset) : NULL;
    if (h->by_size)
        snprintf(buf, n, "%" PRIu64 "..%" PRIu64 " ns", value, value ? 2 * value - 1 : 0);
    else if (word || symbol)
        snprintf(buf, n, "%s", word ? word : symbol);
    else if (h->field->look == DEC)
        snprintf(buf, n, "%" PRIu64, value);
    else
        snprintf(buf, n, "0x%" PRIx64, value);
    return buf;
}

/* Bars are drawn in proportion to the longest; every row has at least one mark. */
void histogram_print(struct histogram *h, size_t rows, FILE *out)
{
    static const char bar[] = "##############################";
    size_t n;
    uint64_t others, most = 1, shown = 0;
    const struct tally_row *row = histogram_rows(h, &n, &others);
    char label[240];
    for (size_t i = 0; i < n; i++)
        most = row[i].count > most ? row[i].count : most;
    fprintf(out, "%24s %12s %8s\n", h->field->name, "count", "share");
    for (size_t i = 0; i < n && (!rows || i < rows); i++) {
        histogram_label(h, row[i].key, label, sizeof label);
        fprintf(out, "%*s %12" PRIu64 " %7.2f%%  %.*s\n", 24 + utf8_extra(label), label,
                row[i].count,
                100.0 * (double)row[i].count / (double)h->total,
                (int)((row[i].count * BAR_WIDTH + most - 1) / most), bar);
        shown += row[i].count;
    }
    if (shown < h->total)
        fprintf(out, "%24s %12" PRIu64 " %7.2f%%\n", "others", h->total - shown,
                100.0 * (double)(h->total - shown) / (double)h->total);
    fprintf(out, "%24s %12" PRIu64 "\n", "all", h->total);
}
