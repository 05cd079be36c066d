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

/* A header whose info lines, and a block whose header and content, are the input's. */
static void read_with_right_sums(const uint8_t *data, size_t size)
{
    struct file_header h = { .magic = TRACE_FILE_MAGIC, .version = TRACE_FILE_VERSION,
                             .event_bytes = sizeof(struct trace_event) };
    struct block_header b;
    if (size < 1 + sizeof b)
        return;
    size_t n_info = data[0] < size - sizeof b - 1 ? data[0] : size - sizeof b - 1;
    const uint8_t *content = data + 1 + n_info + sizeof b;
    size_t n_content = size - 1 - n_info - sizeof b;
    size_t room = ZSTD_compressBound(n_content);
    uint8_t *file = malloc(sizeof h + n_info + sizeof b + room);
    if (!file)
        return;
    size_t packed = ZSTD_compress(file + sizeof h + n_info + sizeof b, room, content, n_content, 1);
    memcpy(&b, data + 1 + n_info, sizeof b);
    b.magic = TRACE_BLOCK_MAGIC;
    b.packed_bytes = (uint32_t)packed;
    b.n_events &= 0xffff;
    b.payload_sum = trace_sum(TRACE_SUM_START, file + sizeof h + n_info + sizeof b, packed);
    b.sum = trace_sum(TRACE_SUM_START, &b, offsetof(struct block_header, sum));
    h.info_bytes = (uint32_t)n_info;
    h.sum = trace_sum(TRACE_SUM_START, &h, offsetof(struct file_header, sum));
    h.sum = trace_sum(h.sum, data + 1, n_info);
    memcpy(file, &h, sizeof h);
    memcpy(file + sizeof h, data + 1, n_info);
    memcpy(file + sizeof h + n_info, &b, sizeof b);
    read_file(file, sizeof h + n_info + sizeof b + packed);
    free(file);
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
