/*
 * tests/fuzz/fuzz_trace_file.c -- any bytes as a trace file.
 *   run    make fuzz
 *
 * The input is taken in two ways.  As it is: few inputs get past the sums, but
 * those that do are whole files.  And with all sums and lengths made right, so
 * that the fuzzer's changes reach what lies behind them: the columns are the
 * input itself, packed here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/host.h"
#include "base/trace.h"
#include "debugger/report/stat.h"
#include "debugger/trace/columns.h"
#include "debugger/trace/file.h"
#include "debugger/trace/filter.h"
#include "debugger/trace/format.h"
#include "debugger/trace/text.h"
#include "debugger/trace/why.h"
#include "big_blocks.h"

#define FASTEST (-7)                    /* zstd's level */

static FILE *nowhere;
static uint64_t last_seq;

static const char *engine_of(const void *file, unsigned engine)
{
    return trace_file_engine(file, engine);
}

/* The block that is read, unpacked: what is behind its last event is poisoned. */
static struct trace_event *events;
static size_t n_events;

/* The causes of some inputs' events are looked for in the whole file, as `vitrine trace --why`
 * does; of the others, because that unpacks each block again, in the same block. */
static bool look_everywhere;
static unsigned filter_nr;              /* of the one that this input's blocks are searched with */

static int find_in(const struct trace_event *in, size_t n, uint64_t seq, struct trace_event *e)
{
    for (size_t i = n; i-- > 0; )
        if (in[i].seq == seq) {
            *e = in[i];
            return 0;
        }
    return -ENOENT;
}

static int find_event(const void *file, uint64_t seq, struct trace_event *e)
{
    const struct trace_file *f = file;
    static struct trace_event *other;
    char why[200];
    int err = find_in(events, n_events, seq, e);
    if (err == 0 || !look_everywhere)
        return err;
    if (!other)
        other = malloc(TRACE_BLOCK_MAX * sizeof *other);
    struct trace_columns *c = trace_columns_new();
    for (size_t i = 0; err && i < trace_file_blocks(f); i++)
        if (trace_columns_open(c, f, i, why, sizeof why) >= 0 &&
            trace_columns_events(c, other, why, sizeof why) >= 0)
            err = find_in(other, trace_file_block(f, i)->n_events, seq, e);
    trace_columns_free(c);
    return err;
}

struct reader { const struct trace_file *file; struct exit_stat *stat; unsigned n; };

static void read_event(struct reader *r, const struct trace_event *e)
{
    struct trace_text x = { .engine_name = engine_of, .engine_arg = r->file };
    if (e->seq <= last_seq || e->cause_back >= e->seq)
        abort();                /* promises that the reader of a file makes */
    last_seq = e->seq;
    stat_add(r->stat, e);
    if (r->n++ < 6) {
        trace_text_line(&x, e, nowhere);
        trace_text_json(&x, e, nowhere);
    }
    if (r->n < 4)
        trace_why(&x, e, find_event, r->file, nowhere);
}

/* The ways of searching a block agree with looking at its events: one filter for each input. */
static void search_block(struct trace_columns *c)
{
    static const char *const exprs[] = { "port==0x3f8", "exit==io || cause", "rip<0x1000 && !mark", "gpa" };
    static struct filter *filter[NELEM(exprs)];
    struct filter_error err;
    size_t k = filter_nr % NELEM(exprs);
    if (!filter[k])
        filter[k] = filter_compile(exprs[k], NULL, &err);
    for (size_t at = 0; at < n_events; at += 64) {
        uint64_t bits = 0, n = n_events - at;
        if (!filter_select(filter[k], c, at, n, &bits))
            abort();
        for (size_t b = 0; b < 64 && b < n; b++)
            if ((bits >> b & 1) != filter_match(filter[k], &events[at + b]))
                abort();
    }
}

/* Its columns are its own, of their exact size, so that the sanitizer sees their ends. */
static void read_block(const struct trace_file *f, size_t i, struct reader *r)
{
    char why[200];
    struct trace_columns *c = trace_columns_new();
    n_events = trace_file_block(f, i)->n_events;
    __asan_unpoison_memory_region(events, n_events * sizeof *events);
    bool good = trace_columns_open(c, f, i, why, sizeof why) >= 0 &&
                trace_columns_events(c, events, why, sizeof why) >= 0;
    for (size_t k = 0; good && k < n_events; k++)
        read_event(r, &events[k]);
    if (good)
        search_block(c);
    trace_columns_free(c);
    __asan_poison_memory_region(events, n_events * sizeof *events);
}

static void read_file(const void *bytes, size_t n)
{
    char why[300];
    struct trace_file *f = trace_file_open_bytes(bytes, n, why, sizeof why);
    if (!f)
        return;
    struct reader r = { .file = f, .stat = stat_new() };
    last_seq = 0;
    for (size_t i = 0; i < trace_file_blocks(f); i++)
        read_block(f, i, &r);
    stat_print(nowhere, r.stat, NULL);
    stat_free(r.stat);
    trace_file_close(f);
}

/* The file so far, in memory. */
struct image { uint8_t bytes[1 << 19]; size_t n; };

static void put(struct image *i, const void *bytes, size_t n)
{
    if (n > sizeof i->bytes - i->n)
        n = sizeof i->bytes - i->n;
    memcpy(i->bytes + i->n, bytes, n);
    i->n += n;
}

/* A line of info that a file of this build has: "kinds=" and the names of all kinds. */
static const char *our_kinds(void)
{
    static char line[1500];
    if (line[0])
        return line;
    size_t n = (size_t)snprintf(line, sizeof line, "kinds=");
    for (unsigned k = 0; k < N_TRACE_KINDS; k++)
        n += (size_t)snprintf(line + n, sizeof line - n, "%s,", trace_kinds[k].name);
    bug_if(n >= sizeof line, "more names of kinds than were thought of");
    return line;
}

/* The file's header: info lines of the input's, or the list of our own kinds. */
static void put_header(struct image *i, const uint8_t *info, size_t n_info)
{
    struct file_header h = { .magic = TRACE_FILE_MAGIC, .version = TRACE_FILE_VERSION,
                             .event_bytes = sizeof(struct trace_event) };
    const char *kinds = our_kinds();
    const void *lines = n_info % 4 ? (const void *)info : kinds;
    size_t n = n_info % 4 ? n_info : strlen(kinds);
    h.info_bytes = (uint32_t)n;
    h.sum = trace_sum(TRACE_SUM_START, &h, offsetof(struct file_header, sum));
    h.sum = trace_sum(h.sum, lines, n);
    put(i, &h, sizeof h);
    put(i, lines, n);
}

/* Of a bitmap in words of 64 bits the bits from n on are cleared.  Returns how many are set. */
static size_t trim_bits(uint8_t *bits, size_t n)
{
    size_t set = 0;
    for (size_t at = 0; at < n; at += 64) {
        uint64_t word;
        memcpy(&word, bits + at / 8, 8);
        if (n - at < 64)
            word &= (UINT64_C(1) << (n - at)) - 1;
        memcpy(bits + at / 8, &word, 8);
        set += (size_t)__builtin_popcountll(word);
    }
    return set;
}

/* A column's bytes: the input's; where they begin with bits, as many numbers as those say. */
static size_t fill_column(uint8_t *to, const struct column_header *h, size_t n_events,
                          const uint8_t **data, size_t *size)
{
    size_t n_bits = h->coding != RAW ? trace_bitmap_bytes(n_events) : 0, n = n_events, most = n_bits + n * h->width;
    size_t have = most < *size ? most : *size;
    if (!h->width || h->width > 8)
        return 0;
    memset(to, 0, most);
    memcpy(to, *data, have);
    *data += have;
    *size -= have;
    if (n_bits)
        n = trim_bits(to, n_events);
    return n_bits + n * h->width;
}

/* The columns' bytes: the input's, as long as the widths want (the rest zeros),
 * compressed where the input says so; the headers get their lengths. */
static size_t put_columns(uint8_t *to, struct column_header *head, uint32_t n_events,
                          const uint8_t *data, size_t size)
{
    static uint8_t narrow[8 * TRACE_BLOCK_EVENTS + TRACE_BLOCK_EVENTS / 8 + 8];
    static const uint8_t legal[] = { 0, 1, 2, 4, 8 };
    static ZSTD_CCtx *zstd;
    size_t n_to = 0;
    if (!zstd)
        zstd = ZSTD_createCCtx();
    for (unsigned c = 0; c < N_COLUMNS; c++) {
        if (head[c].width < 250)
            head[c].width = c == COLUMN_KIND ? head[c].width & 1 : legal[head[c].width % sizeof legal];
        if (head[c].coding < 250)
            head[c].coding %= KIND_DELTA + 1;
        size_t n = fill_column(narrow, &head[c], n_events, &data, &size);
        if (head[c].is_compressed % 2) {
            n = ZSTD_compressCCtx(zstd, to + n_to, ZSTD_compressBound(n), narrow, n, FASTEST);
        } else {
            head[c].is_compressed = 0;
            memcpy(to + n_to, narrow, n);
        }
        if (head[c].packed_bytes % 16)          /* else: as the input has it */
            head[c].packed_bytes = (uint32_t)n;
        head[c].sum = trace_sum(TRACE_SUM_START, to + n_to, n);
        n_to += n;
    }
    return n_to;
}

/* A block whose header, as far as it may be anything, columns and index are the input's. */
static void put_block(struct image *i, const uint8_t *header, const uint8_t *content, size_t n)
{
    static uint8_t packed[N_COLUMNS * (8 * TRACE_BLOCK_EVENTS + 1000)];
    struct { uint8_t index[64]; struct column_header columns[N_COLUMNS]; } fixed = { 0 };
    struct block_header b;
    memcpy(&b, header, sizeof b);
    unsigned most = b.n_events & 7 ? 20 : b.n_events & 63 ? 70 : b.n_events & 511 ? 300
                                                               : TRACE_BLOCK_EVENTS;
    b.n_events = b.n_events % TRACE_BLOCK_EVENTS % most + 1;
    memcpy(&fixed, content, n < sizeof fixed ? n : sizeof fixed);
    content += n < sizeof fixed ? n : sizeof fixed;
    n -= n < sizeof fixed ? n : sizeof fixed;
    size_t n_packed = put_columns(packed, fixed.columns, b.n_events, content, n);
    if (b.lost % 2) {           /* else: as the input has it */
        b.first_seq = fixed.columns[COLUMN_SEQ].base + 1;
        b.last_seq = UINT64_MAX;
    }
    b.magic = TRACE_BLOCK_MAGIC;
    b.index_bytes = sizeof fixed.index;
    b.packed_bytes = (uint32_t)(sizeof fixed + n_packed);
    b.index_sum = trace_sum(TRACE_SUM_START, fixed.index, sizeof fixed.index);
    b.table_sum = trace_sum(TRACE_SUM_START, fixed.columns, sizeof fixed.columns);
    b.sum = trace_sum(TRACE_SUM_START, &b, offsetof(struct block_header, sum));
    put(i, &b, sizeof b);
    put(i, fixed.index, sizeof fixed.index);
    put(i, fixed.columns, sizeof fixed.columns);
    put(i, packed, n_packed);
}

static void read_with_right_sums(const uint8_t *data, size_t size)
{
    static struct image image;
    static uint8_t content[1 << 16];
    size_t head = 1 + sizeof(struct block_header);
    if (size < head)
        return;
    size_t n_info = data[0] < size - head ? data[0] : size - head;
    size_t n = size - head - n_info;
    if (n > sizeof content)
        n = sizeof content;
    memcpy(content, data + head + n_info, n);
    image.n = 0;
    put_header(&image, data + 1, n_info);
    put_block(&image, data + 1 + n_info, content, n);
    if (data[0] % 2)            /* the same again: its numbers do not go on */
        put_block(&image, data + 1 + n_info, content, n);
    uint8_t *exact = malloc(image.n);           /* so that the sanitizer sees its end */
    if (!exact)
        return;
    memcpy(exact, image.bytes, image.n);
    read_file(exact, image.n);
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!nowhere) {
        nowhere = fopen("/dev/null", "w");
        events = malloc(TRACE_BLOCK_MAX * sizeof *events);
        __asan_poison_memory_region(events, TRACE_BLOCK_MAX * sizeof *events);
    }
    look_everywhere = size && data[size - 1] % 16 == 0;
    filter_nr = size ? data[size - 1] / 16 : 0;
    read_file(data, size);
    read_with_right_sums(data, size);
    return 0;
}
