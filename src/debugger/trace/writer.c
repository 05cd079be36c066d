/*
 * debugger/trace/writer.c -- events into a trace file, a block at a time.
 *
 * Events are spread over columns as they arrive; a full block has its columns
 * coded, narrowed, compressed and written.  The header of a block and its
 * content go out in one write(): after that they are the kernel's, and
 * killing us does not take them back.
 *
 * An error (a full disk) ends the writing, not the run: the first one is
 * told, later events are dropped, and trace_writer_close() returns it.
 */
#include "debugger/trace/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/host.h"
#include "debugger/trace/format.h"
#include "debugger/trace/index.h"

/* zstd's fast levels are negative.  Against level 1 this one makes files larger by a
 * seventh and takes a quarter less time to read them.  Columns under ZSTD_LEAST bytes are
 * not compressed; a column that did not get smaller by a third is left uncompressed for the
 * next ZSTD_PAUSE blocks. */
#define ZSTD_LEVEL -1       /* than 1: a seventh more bytes, a quarter less time to read them */
#define ZSTD_LEAST 64       /* bytes that are worth it */
#define ZSTD_PAUSE 15       /* blocks, after one where it was not */
#define COLUMN_PAD 8        /* columns a power of two apart would share their cache lines' sets */

static const uint8_t codings[N_COLUMNS] = {
#define X(name, coding, bytes) [COLUMN_##name] = coding,
    COLUMN_LIST(X)
#undef X
};

/* What a DELTA column expects of the next event: its number is one more. */
static const uint64_t steps[N_COLUMNS] = { [COLUMN_SEQ] = 1 };

struct trace_writer {
    int                 fd;
    int                 error;
    char               *path;
    const struct trace *trace;              /* whose ring counts the lost, or NULL: */
    uint64_t            lost;
    ZSTD_CCtx          *zstd;
    struct block_header head;               /* of the block being filled */
    uint64_t            last_seq;           /* written */
    struct trace_index *index;
    uint64_t            base[N_COLUMNS], before[N_COLUMNS];     /* of DELTA columns */
    uint64_t            least[N_COLUMNS], greatest[N_COLUMNS];  /* of KIND_DELTA columns          */
    uint64_t            last[COLUMN_WHO + 1 - COLUMN_ARG0][256];   /* by kind, of those */
    uint8_t             coding[N_COLUMNS];
    uint8_t             pause[N_COLUMNS];   /* blocks until it is worth trying to compress again */
    uint64_t            bits[N_COLUMNS];    /* the OR of all numbers of the column: its width */
    size_t              n_there[N_COLUMNS]; /* numbers that are not 0, and which events have one: */
    uint64_t            there[N_COLUMNS][TRACE_BLOCK_EVENTS / 64];
    uint64_t            column[N_COLUMNS][TRACE_BLOCK_EVENTS + COLUMN_PAD];
    uint8_t             narrow[TRACE_BLOCK_EVENTS * 8 + TRACE_BLOCK_EVENTS / 8 + 8];
    char               *words;              /* trace_writer_words(), or NULL */
    size_t              out_bytes, n_out;
    uint8_t            *out;                /* a block as it goes out */
};

/* Remember and report the first error only.  The run goes on: a full disk must not end a
 * guest. */
static int writer_fail(struct trace_writer *w, int error)
{
    char end[50] = "";
    if (w->error)
        return w->error;
    if (w->head.first_seq)
        snprintf(end, sizeof end, "; it ends before event %llu",
                 (unsigned long long)w->head.first_seq);
    host_say("cannot write trace %s: %s%s", w->path, strerror(error), end);
    return w->error = -error;
}

/* write() may take less than it was given, or be interrupted by a signal. */
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

/* Note in the ring which event was the last to get into the file.  A reader that finds the
 * ring of a killed run knows by this, and by the block's checksum, that ring and file
 * belong together and where the file ends (trace/ring.h). */
static void tell_ring(struct trace_writer *w, uint64_t seq, uint64_t sum)
{
    if (!w->trace)
        return;
    w->trace->ring->written = seq;
    w->trace->ring->written_sum = sum;
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
    fputs("\nindex=", f);
    trace_index_describe(f);
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
    if (write_all(w, &h, sizeof h) == 0 && write_all(w, lines, n) == 0)
        tell_ring(w, 0, h.sum);
    free(lines);
    return w->error;
}

/* An existing plain file is unlinked, not truncated: a reader that has the old trace mapped
 * keeps it, and does not die of SIGBUS. O_APPEND because blocks are only ever added. */
int trace_file_create(const char *path, int access)
{
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
        unlink(path);
    return open(path, access | O_CREAT | O_TRUNC | O_CLOEXEC | O_APPEND, 0666);
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
    w->out_bytes = sizeof(struct block_header) + TRACE_INDEX_MAX
                 + N_COLUMNS * (sizeof(struct column_header)
                                + ZSTD_compressBound(sizeof w->narrow));
    w->index = trace_index_new();
    w->path = strdup(name);
    w->zstd = ZSTD_createCCtx();
    w->out = malloc(w->out_bytes);
    if (!w->path || !w->zstd || !w->out || !w->index || write_header(w, info) < 0) {
        int saved = w->error ? -w->error : ENOMEM;
        trace_writer_close(w);
        errno = saved;
        return NULL;
    }
    return w;
}

struct trace_writer *trace_writer_open(const char *path, const struct trace *t, const char *info)
{
    int fd = trace_file_create(path, O_WRONLY);
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

/* The least number of bytes, a power of two, that holds all numbers of a column; `bits` is
 * the OR of all of them.  0: all are 0 and need not be stored. */
static unsigned width_of(uint64_t bits)
{
    return bits == 0 ? 0 : bits <= UINT8_MAX ? 1 : bits <= UINT16_MAX ? 2 : bits <= UINT32_MAX
        ? 4 : 8;
}

/* Numbers of `width` bytes; returns where they end. */
static uint8_t *narrow_numbers(uint8_t *to, const uint64_t *from, size_t n, unsigned width)
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

/* n bytes of w->narrow to `to`, compressed unless that saves less than a third, which is
 * not worth our time and a reader's; such a column is left alone for a while. */
static size_t compress_column(struct trace_writer *w, enum column c, uint8_t *to, size_t n)
{
    size_t packed = n;
    if (n >= ZSTD_LEAST && !w->pause[c])
        packed = ZSTD_compressCCtx(w->zstd, to, w->out_bytes - w->n_out, w->narrow, n, ZSTD_LEVEL);
    bug_if(ZSTD_isError(packed), "zstd: %s", ZSTD_getErrorName(packed));
    if (packed < n - n / 3)
        return packed;
    w->pause[c] = (uint8_t)(w->pause[c] ? w->pause[c] - 1 : n >= ZSTD_LEAST ? ZSTD_PAUSE : 0);
    memcpy(to, w->narrow, n);
    return n;
}

/* Column c to the end of w->out. */
static void pack_column(struct trace_writer *w, enum column c, struct column_header *h)
{
    *h = (struct column_header){ .coding = w->coding[c], .width = (uint8_t)width_of(w->bits[c]) };
    h->base = h->coding == KIND_DELTA ? w->least[c] : w->base[c];
    h->step = h->coding == KIND_DELTA ? w->greatest[c] : steps[c];
    size_t n = h->width && h->coding != RAW ? trace_bitmap_bytes(w->head.n_events) : 0;
    memcpy(w->narrow, w->there[c], n);
    n = (size_t)(narrow_numbers(w->narrow + n, w->column[c], w->n_there[c], h->width) - w->narrow);
    uint8_t *to = w->out + w->n_out;
    h->packed_bytes = (uint32_t)compress_column(w, c, to, n);
    h->is_compressed = h->packed_bytes < n;
    h->sum = trace_sum(TRACE_SUM_START, to, h->packed_bytes);
    w->n_out += h->packed_bytes;
}

/* The header is done but for its sums; the block is in w->out. */
static void write_out(struct trace_writer *w)
{
    struct block_header *h = &w->head;
    const uint8_t *content = w->out + sizeof *h;
    h->magic = TRACE_BLOCK_MAGIC;
    h->packed_bytes = (uint32_t)(w->n_out - sizeof *h);
    h->lost = w->trace ? __atomic_load_n(&w->trace->ring->lost, __ATOMIC_RELAXED) : w->lost;
    h->index_sum = trace_sum(TRACE_SUM_START, content, h->index_bytes);
    h->table_sum = trace_sum(TRACE_SUM_START, content + h->index_bytes,
                             h->n_events ? N_COLUMNS * sizeof(struct column_header)
                                         : h->packed_bytes);
    h->sum = trace_sum(TRACE_SUM_START, h, offsetof(struct block_header, sum));
    memcpy(w->out, h, sizeof *h);
    if (write_all(w, w->out, w->n_out) == 0)
        tell_ring(w, h->last_seq, h->sum);
    w->last_seq = h->last_seq;
    *h = (struct block_header){ 0 };
}

/* A full block, or the rest at the end: index, table of columns, columns; then the header
 * before them and out.  The places of header and table are left free until their contents
 * are known. */
static void write_block(struct trace_writer *w)
{
    struct column_header columns[N_COLUMNS];
    w->n_out = sizeof w->head;
    w->head.index_bytes = (uint32_t)trace_index_take(w->index, w->out + w->n_out);
    w->n_out += w->head.index_bytes;
    size_t table = w->n_out;
    w->n_out += sizeof columns;
    for (unsigned c = 0; c < N_COLUMNS; c++)
        pack_column(w, c, &columns[c]);
    memcpy(w->out + table, columns, sizeof columns);
    write_out(w);
}

/* Every block stands alone: it can be unpacked without those before it.  So differences
 * start anew, from values that its header says. */
static void begin_block(struct trace_writer *w, const struct trace_event *e)
{
    struct block_header *h = &w->head;
    h->first_seq = h->last_seq = e->seq;
    h->min_ns = h->max_ns = e->vtime_ns;
    h->min_icount = h->max_icount = e->icount;
    h->min_rip = h->max_rip = trace_linear(e);
    memset(w->bits, 0, sizeof w->bits);
    memset(w->n_there, 0, sizeof w->n_there);
    memset(w->there, 0, sizeof w->there);
    memset(w->last, 0, sizeof w->last);
    memset(w->least, 0xff, sizeof w->least);
    memset(w->greatest, 0, sizeof w->greatest);
    memcpy(w->coding, codings, sizeof w->coding);
    if (e->icount)              /* else the engine cannot count */
        w->coding[COLUMN_ICOUNT] = TIME_DELTA;
    const uint64_t first[] = { e->seq, e->vtime_ns, e->icount - (e->icount ? e->vtime_ns : 0),
                               trace_linear(e) };
    for (size_t c = 0; c < NELEM(first); c++)
        w->base[c] = w->before[c] = first[c] - steps[c];
    w->base[COLUMN_BASE] = w->before[COLUMN_BASE] = trace_cs_base(e);
}

/*
 * Events into columns, up to 64 at once, which stay in the innermost cache from
 * column to column; each loop keeps in registers what it needs from one event to the
 * next.
 */

/* A column that is being added to.  A 0 is stored too, where the next number goes. */
struct adder { uint64_t *to, there, bits; };

/* Begin to add to column c; added() ends it. */
static inline struct adder adder_of(struct trace_writer *w, enum column c)
{
    return (struct adder){ .to = w->column[c] + w->n_there[c] };
}

/* Number i of the 64. It is written to memory in any case, and the place moves on only if
 * it is not 0: no branch that the processor could guess wrong. */
static inline void add_number(struct adder *a, size_t i, uint64_t z)
{
    *a->to = z;
    a->to += z != 0;
    a->there |= (uint64_t)(z != 0) << i;
    a->bits |= z;
}

/* Put what an adder has gathered back into the writer. */
static inline void added(struct trace_writer *w, enum column c, const struct adder *a)
{
    size_t at = w->head.n_events;
    w->there[c][at / 64] |= a->there << at % 64;
    w->n_there[c] = (size_t)(a->to - w->column[c]);
    w->bits[c] |= a->bits;
}

/* Word c of an event: columns are numbered as the words of struct trace_event. */
static inline uint64_t word_of(const struct trace_event *e, enum column c)
{
    uint64_t v;
    memcpy(&v, (const uint8_t *)e + 8 * c, 8);
    return v;
}

/* Word c of the events, and the least and greatest of its values; `against`: see TIME_DELTA. */
static inline void add_deltas(struct trace_writer *w, enum column c, bool against,
                              const struct trace_event *e, size_t n, uint64_t *min, uint64_t *max)
{
    struct adder a = adder_of(w, c);
    uint64_t before = w->before[c], least = *min, greatest = *max;
    for (size_t i = 0; i < n; i++) {
        uint64_t v = c == COLUMN_RIP ? trace_linear(&e[i]) : word_of(&e[i], c);
        uint64_t now = v - (against ? e[i].vtime_ns : 0);
        add_number(&a, i, zigzag(now - before - steps[c]));
        before = now;
        least = v < least ? v : least;
        greatest = v > greatest ? v : greatest;
    }
    added(w, c, &a);
    w->before[c] = before;
    *min = least;
    *max = greatest;
}

/* Engine, CPU and code segment in one number, which hardly ever changes: the upper bytes of the
 * event's last word. */
static inline uint64_t who_of(const struct trace_event *e)
{
    return word_of(e, TRACE_EVENT_WORDS - 1) >> 40;
}

/* A column coded by kind: the difference from the last event of the same kind, and the
 * least and the greatest value for the block's summary. */
static inline void add_by_kind(struct trace_writer *w, enum column c, const struct trace_event *e,
                               size_t n)
{
    struct adder a = adder_of(w, c);
    uint64_t *last = w->last[c - COLUMN_ARG0], least = w->least[c], greatest = w->greatest[c];
    for (size_t i = 0; i < n; i++) {
        uint64_t v = c == COLUMN_CAUSE ? e[i].cause_back : c == COLUMN_WHO
            ? who_of(&e[i]) : word_of(&e[i], c);
        add_number(&a, i, zigzag(v - last[e[i].kind]));
        last[e[i].kind] = v;
        least = v < least ? v : least;
        greatest = v > greatest ? v : greatest;
    }
    added(w, c, &a);
    w->least[c] = least;
    w->greatest[c] = greatest;
}

/* The base of CS changes seldom, and most guests have none but 0. */
static inline void add_bases(struct trace_writer *w, const struct trace_event *e, size_t n)
{
    struct adder a = adder_of(w, COLUMN_BASE);
    uint64_t before = w->before[COLUMN_BASE], any = before;
    for (size_t i = 0; i < n; i++)
        any |= e[i].who.segmented;
    for (size_t i = 0; any && i < n; i++) {
        uint64_t now = trace_cs_base(&e[i]);
        add_number(&a, i, zigzag(now - before));
        before = now;
    }
    added(w, COLUMN_BASE, &a);
    w->before[COLUMN_BASE] = before;
}

/* Kinds are stored as they are; the mask of those that occur goes into the header. */
static void add_kinds(struct trace_writer *w, const struct trace_event *e, size_t n)
{
    uint64_t *to = w->column[COLUMN_KIND] + w->head.n_events, bits = 0, mask = 0;
    for (size_t i = 0; i < n; i++) {
        bits |= to[i] = e[i].kind;
        mask |= BIT(e[i].kind & 63);
    }
    w->n_there[COLUMN_KIND] += n;
    w->bits[COLUMN_KIND] |= bits;
    w->head.kinds |= mask;
}

/* n events, for which there is room in the block. */
static void add_events(struct trace_writer *w, const struct trace_event *e, size_t n)
{
    struct block_header *h = &w->head;
    if (h->n_events == 0)
        begin_block(w, e);
    add_deltas(w, COLUMN_SEQ, false, e, n, &h->first_seq, &h->last_seq);
    add_deltas(w, COLUMN_TIME, false, e, n, &h->min_ns, &h->max_ns);
    if (w->coding[COLUMN_ICOUNT] == TIME_DELTA)
        add_deltas(w, COLUMN_ICOUNT, true, e, n, &h->min_icount, &h->max_icount);
    else
        add_deltas(w, COLUMN_ICOUNT, false, e, n, &h->min_icount, &h->max_icount);
    add_deltas(w, COLUMN_RIP, false, e, n, &h->min_rip, &h->max_rip);
    add_by_kind(w, COLUMN_ARG0, e, n);
    add_by_kind(w, COLUMN_ARG1, e, n);
    add_by_kind(w, COLUMN_ARG2, e, n);
    add_by_kind(w, COLUMN_CAUSE, e, n);
    add_by_kind(w, COLUMN_WHO, e, n);
    add_bases(w, e, n);
    add_kinds(w, e, n);
    trace_index_add(w->index, e, n);
    h->n_events += (uint32_t)n;
    if (h->n_events == TRACE_BLOCK_EVENTS)
        write_block(w);
}

/* In pieces that end at multiples of 64 events, as the bitmaps of the columns do. */
void trace_writer_sink(void *writer, const struct trace_event *events, size_t n)
{
    struct trace_writer *w = writer;
    while (n && !w->error) {
        size_t room = 64 - w->head.n_events % 64, now = n < room ? n : room;
        add_events(w, events, now);
        events += now;
        n -= now;
    }
}

int trace_writer_flush(struct trace_writer *w)
{
    if (!w->error && w->head.n_events)
        write_block(w);
    return w->error;
}

void trace_writer_words(struct trace_writer *w, const char *text)
{
    free(w->words);
    w->words = text && *text ? strndup(text, TRACE_WORDS_MAX) : NULL;
}

/* A header without events says that no more is to come; behind it are the last words. */
static void write_end(struct trace_writer *w)
{
    size_t n = w->words ? strlen(w->words) : 0;
    w->n_out = sizeof w->head + n;
    if (n)
        memcpy(w->out + sizeof w->head, w->words, n);
    w->head.first_seq = w->head.last_seq = w->last_seq;
    write_out(w);
}

int trace_writer_close(struct trace_writer *w)
{
    if (!w)
        return 0;
    if (w->out && w->zstd && w->index && trace_writer_flush(w) == 0)
        write_end(w);
    if (close(w->fd) != 0)
        writer_fail(w, errno);
    int error = w->error;
    ZSTD_freeCCtx(w->zstd);
    trace_index_free(w->index);
    free(w->out);
    free(w->words);
    free(w->path);
    free(w);
    return error;
}
