/*
 * debugger/trace_writer.c -- events into a trace file, a block at a time.
 *
 * Events are turned into columns of differences as they arrive; a full block
 * has its columns narrowed, is compressed and written.  The header of a block and its
 * content go out in one write(): after that they are the kernel's, and
 * killing us does not take them back.
 *
 * An error (a full disk) ends the writing, not the run: the first one is
 * told, later events are dropped, and trace_writer_close() returns it.
 */
#include "debugger/trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/host.h"
#include "debugger/trace_format.h"

#define ZSTD_LEVEL 1        /* columns of differences compress well at any level */
#define COLUMN_PAD 8        /* columns a power of two apart would share their cache lines' sets */

struct trace_writer {
    int                 fd;
    int                 error;
    char               *path;
    const struct trace *trace;              /* whose ring counts the lost, or NULL: */
    uint64_t            lost;
    ZSTD_CCtx          *zstd;
    struct block_header head;               /* of the block being filled */
    uint64_t            before[TRACE_EVENT_WORDS];
    uint64_t            bits[TRACE_EVENT_WORDS];    /* set in any number of the column */
    uint64_t            column[TRACE_EVENT_WORDS][TRACE_BLOCK_EVENTS + COLUMN_PAD];
    uint8_t             first[sizeof(struct trace_event)];
    uint8_t             narrow[TRACE_UNPACKED_MAX(TRACE_BLOCK_EVENTS)];
    size_t              out_bytes;
    uint8_t            *out;                /* a header and packed events */
};

static int writer_fail(struct trace_writer *w, int error)
{
    if (!w->error) {
        host_say("cannot write trace %s: %s; it ends before event %llu", w->path, strerror(error),
                 (unsigned long long)w->head.first_seq);
        w->error = -error;
    }
    return w->error;
}

static int write_all(struct trace_writer *w, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n) {
        ssize_t done = write(w->fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return writer_fail(w, errno);
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

/* The header's lines: what numbers in events mean, in this build. */
static char *make_info(const struct trace *t, const char *info, size_t *n)
{
    char *lines = NULL;
    FILE *f = open_memstream(&lines, n);
    if (!f)
        return NULL;
    fputs("writer=vitrine\nkinds=", f);
    for (unsigned i = 0; i < N_TRACE_KINDS; i++)
        fprintf(f, "%s%s", i ? "," : "", trace_kinds[i].name);
    fputs("\nengines=", f);
    for (unsigned i = 0; t && t->engine_names && t->engine_names[i]; i++)
        fprintf(f, "%s%s", i ? "," : "", t->engine_names[i]);
    fprintf(f, "\n%s", info ? info : "");
    if (fclose(f) != 0) {
        free(lines);
        return NULL;
    }
    return lines;
}

static int write_header(struct trace_writer *w, const char *info)
{
    size_t n;
    char *lines = make_info(w->trace, info, &n);
    if (!lines || n > TRACE_INFO_MAX) {
        free(lines);
        return writer_fail(w, lines ? E2BIG : ENOMEM);
    }
    struct file_header h = {
        .magic = TRACE_FILE_MAGIC, .version = TRACE_FILE_VERSION,
        .event_bytes = sizeof(struct trace_event), .info_bytes = (uint32_t)n,
        .n_kinds = N_TRACE_KINDS,
    };
    h.sum = trace_sum(TRACE_SUM_START, &h, offsetof(struct file_header, sum));
    h.sum = trace_sum(h.sum, lines, n);
    if (write_all(w, &h, sizeof h) == 0)
        write_all(w, lines, n);
    free(lines);
    return w->error;
}

/* A trace that is open in a reader stays whole there: it gets a new file, not
 * a shorter one. */
static int open_new(const char *path)
{
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
        unlink(path);
    return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_APPEND, 0666);
}

struct trace_writer *trace_writer_open_fd(int fd, const char *name, const struct trace *t,
                                          const char *info)
{
    struct trace_writer *w = calloc(1, sizeof *w);
    if (!w) {
        close(fd);
        errno = ENOMEM;
        return NULL;
    }
    w->trace = t;
    w->fd = fd;
    w->out_bytes = sizeof(struct block_header) + ZSTD_compressBound(sizeof w->narrow);
    w->path = strdup(name);
    w->zstd = ZSTD_createCCtx();
    w->out = malloc(w->out_bytes);
    if (!w->path || !w->zstd || !w->out || write_header(w, info) < 0) {
        int saved = w->error ? -w->error : ENOMEM;
        trace_writer_close(w);
        errno = saved;
        return NULL;
    }
    return w;
}

struct trace_writer *trace_writer_open(const char *path, const struct trace *t, const char *info)
{
    int fd = open_new(path);
    if (fd < 0) {
        int saved = errno;
        host_say("cannot create trace %s: %s", path, strerror(saved));
        errno = saved;
        return NULL;
    }
    return trace_writer_open_fd(fd, path, t, info);
}

void trace_writer_lost(struct trace_writer *w, uint64_t lost)
{
    w->lost = lost;
}

static unsigned width_of(uint64_t bits)
{
    return bits == 0 ? 0 : bits <= UINT8_MAX ? 1 : bits <= UINT16_MAX ? 2 : bits <= UINT32_MAX ? 4 : 8;
}

/* Numbers of `width` bytes; returns where they end. */
static uint8_t *narrow_column(uint8_t *to, const uint64_t *from, size_t n, unsigned width)
{
    switch (width) {
    case 1:
        for (size_t i = 0; i < n; i++)
            to[i] = (uint8_t)from[i];
        break;
    case 2:
        for (size_t i = 0; i < n; i++)
            memcpy(to + 2 * i, &from[i], 2);
        break;
    case 4:
        for (size_t i = 0; i < n; i++)
            memcpy(to + 4 * i, &from[i], 4);
        break;
    case 8:
        memcpy(to, from, 8 * n);
        break;
    }
    return to + n * width;
}

/* The block as trace_format.h describes it, in w->narrow; how long. */
static size_t narrow_block(struct trace_writer *w)
{
    uint8_t *widths = w->narrow + sizeof w->first, *to = widths + TRACE_EVENT_WORDS;
    memcpy(w->narrow, w->first, sizeof w->first);
    for (size_t c = 0; c < TRACE_EVENT_WORDS; c++) {
        widths[c] = (uint8_t)width_of(w->bits[c]);
        to = narrow_column(to, w->column[c], w->head.n_events, widths[c]);
    }
    return (size_t)(to - w->narrow);
}

static void write_block(struct trace_writer *w)
{
    struct block_header *h = &w->head;
    size_t packed = ZSTD_compressCCtx(w->zstd, w->out + sizeof *h, w->out_bytes - sizeof *h,
                                      w->narrow, narrow_block(w), ZSTD_LEVEL);
    bug_if(ZSTD_isError(packed), "zstd: %s", ZSTD_getErrorName(packed));
    h->magic = TRACE_BLOCK_MAGIC;
    h->packed_bytes = (uint32_t)packed;
    h->lost = w->trace ? w->trace->ring->lost : w->lost;
    h->payload_sum = trace_sum(TRACE_SUM_START, w->out + sizeof *h, packed);
    h->sum = trace_sum(TRACE_SUM_START, h, offsetof(struct block_header, sum));
    memcpy(w->out, h, sizeof *h);
    write_all(w, w->out, sizeof *h + packed);
    *h = (struct block_header){ 0 };
    memset(w->bits, 0, sizeof w->bits);
}

static void begin_block(struct trace_writer *w, const struct trace_event *e)
{
    memcpy(w->before, e, sizeof w->before);
    memcpy(w->first, e, sizeof w->first);
    w->head.first_seq = e->seq;
    w->head.first_ns = e->vtime_ns;
    w->head.first_icount = e->icount;
}

static void add_event(struct trace_writer *w, const struct trace_event *e)
{
    struct block_header *h = &w->head;
    uint64_t word[TRACE_EVENT_WORDS];

    if (h->n_events == 0)
        begin_block(w, e);
    memcpy(word, e, sizeof word);
    for (size_t c = 0; c < TRACE_EVENT_WORDS; c++) {
        uint64_t z = zigzag(word[c] - w->before[c]);
        w->column[c][h->n_events] = z;
        w->bits[c] |= z;
        w->before[c] = word[c];
    }
    h->last_seq = e->seq;
    h->last_ns = e->vtime_ns;
    h->last_icount = e->icount;
    h->kinds |= BIT(e->kind & 63);
    if (++h->n_events == TRACE_BLOCK_EVENTS)
        write_block(w);
}

void trace_writer_sink(void *writer, const struct trace_event *events, size_t n)
{
    struct trace_writer *w = writer;
    for (size_t i = 0; i < n && !w->error; i++)
        add_event(w, &events[i]);
}

int trace_writer_flush(struct trace_writer *w)
{
    if (!w->error && w->head.n_events)
        write_block(w);
    return w->error;
}

int trace_writer_close(struct trace_writer *w)
{
    if (!w)
        return 0;
    if (w->out && w->zstd)
        trace_writer_flush(w);
    if (close(w->fd) != 0)
        writer_fail(w, errno);
    int error = w->error;
    ZSTD_freeCCtx(w->zstd);
    free(w->out);
    free(w->path);
    free(w);
    return error;
}
