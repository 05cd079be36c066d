/*
 * tests/fuzz/fuzz_trace_file.c -- any bytes as a trace file.
 *   run    make fuzz
 *
 * The input is taken in two ways.  As it is: few inputs get past the sums, but
 * those that do are whole files.  And with all sums and lengths made right, so
 * that the fuzzer's changes reach what lies behind them: the columns are the
 * input itself, packed here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/trace.h"
#include "debugger/stat.h"
#include "debugger/trace_file.h"
#include "debugger/trace_format.h"
#include "debugger/trace_text.h"

static FILE *nowhere;
static uint64_t last_seq;

static const char *engine_of(const void *file, unsigned engine)
{
    return trace_file_engine(file, engine);
}

static int find_event(const void *file, uint64_t seq, struct trace_event *e)
{
    return trace_file_find(file, seq, e);
}

struct reader { const struct trace_file *file; struct exit_stat *stat; unsigned n; };

static bool read_event(void *arg, const struct trace_event *e)
{
    struct reader *r = arg;
    struct trace_text x = { .engine_name = engine_of, .engine_arg = r->file };
    if (e->seq <= last_seq || e->cause_back >= e->seq)
        abort();                /* promises that the reader of a file makes */
    last_seq = e->seq;
    stat_add(r->stat, e);
    if (r->n++ < 100) {
        trace_text_line(&x, e, nowhere);
        trace_text_json(&x, e, nowhere);
    }
    if (r->n < 4)
        trace_text_why(&x, e, find_event, r->file, nowhere);
    return true;
}

static void read_file(const void *bytes, size_t n)
{
    char why[300];
    struct trace_file *f = trace_file_open_bytes(bytes, n, why, sizeof why);
    if (!f)
        return;
    struct reader r = { .file = f, .stat = stat_new() };
    last_seq = 0;
    trace_file_each(f, 0, UINT64_MAX, ~UINT64_C(0), read_event, &r);
    stat_print(nowhere, r.stat, NULL);
    stat_free(r.stat);
    trace_file_close(f);
}

/* How many events the content holds if its widths are what they say (made legal
 * here, most of the time); the rest is cut off. */
static uint32_t fit_events(uint8_t *content, size_t *n_content)
{
    static const uint8_t legal[] = { 0, 1, 2, 4, 8 };
    size_t per_event = 0, head = sizeof(struct trace_event) + TRACE_EVENT_WORDS;
    if (*n_content < head)
        return 1;
    for (size_t c = 0; c < TRACE_EVENT_WORDS; c++) {
        uint8_t *width = content + sizeof(struct trace_event) + c;
        if (*width < 250)
            *width = legal[*width % sizeof legal];
        per_event += *width;
    }
    uint32_t n = per_event ? (uint32_t)((*n_content - head) / per_event) : 5;
    *n_content = head + n * per_event;
    return n;
}

/* The file so far, in memory. */
struct image { uint8_t bytes[1 << 18]; size_t n; };

static void put(struct image *i, const void *bytes, size_t n)
{
    if (n > sizeof i->bytes - i->n)
        n = sizeof i->bytes - i->n;
    memcpy(i->bytes + i->n, bytes, n);
    i->n += n;
}

/* The file's header: info lines of the input's, or the list of our own kinds. */
static void put_header(struct image *i, const uint8_t *info, size_t n_info)
{
    struct file_header h = { .magic = TRACE_FILE_MAGIC, .version = TRACE_FILE_VERSION,
                             .event_bytes = sizeof(struct trace_event) };
    char kinds[1000] = "kinds=";
    for (unsigned k = 0; k < N_TRACE_KINDS; k++)
        snprintf(kinds + strlen(kinds), sizeof kinds - strlen(kinds), "%s,", trace_kinds[k].name);
    const void *lines = n_info % 4 ? (const void *)info : kinds;
    size_t n = n_info % 4 ? n_info : strlen(kinds);
    h.info_bytes = (uint32_t)n;
    h.sum = trace_sum(TRACE_SUM_START, &h, offsetof(struct file_header, sum));
    h.sum = trace_sum(h.sum, lines, n);
    put(i, &h, sizeof h);
    put(i, lines, n);
}

/* A block whose header, as far as it may be anything, and content are the input's. */
static void put_block(struct image *i, const uint8_t *header, uint8_t *content, size_t n)
{
    static uint8_t packed[1 << 17];
    struct block_header b;
    uint32_t n_events = fit_events(content, &n);
    size_t n_packed = ZSTD_compress(packed, sizeof packed, content, n, 1);
    if (ZSTD_isError(n_packed))
        return;
    memcpy(&b, header, sizeof b);
    if (b.n_events % 8) {       /* else: as the input has it */
        b.n_events = n_events;
        memcpy(&b.first_seq, content, n < 8 ? 0 : 8);
        b.last_seq = UINT64_MAX;
    }
    b.magic = TRACE_BLOCK_MAGIC;
    b.packed_bytes = (uint32_t)n_packed;
    b.payload_sum = trace_sum(TRACE_SUM_START, packed, n_packed);
    b.sum = trace_sum(TRACE_SUM_START, &b, offsetof(struct block_header, sum));
    put(i, &b, sizeof b);
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
    if (!nowhere)
        nowhere = fopen("/dev/null", "w");
    read_file(data, size);
    read_with_right_sums(data, size);
    return 0;
}
