/*
 * debugger/trace/columns.c -- unpacking a block.
 *
 * Nothing in it is believed: sums are checked first, those of the columns when
 * they are asked for, then every length against what is there.  A complaint is a sentence that
 * stays until the next block is opened.
 */
#include "debugger/trace/columns.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "debugger/trace/file.h"
#include "debugger/trace/format.h"

#define PAD 8           /* see trace/writer.c */

/* The block that is open, and what of it has been unpacked so far.  Rooms are kept from
 * block to block and grow to the largest block seen. */
struct trace_columns {
    const struct trace_file *file;
    const struct trace_block *block;
    size_t               n, cap;
    unsigned             n_stored;          /* columns that this version of the format has */
    struct column_header head[N_COLUMNS];
    const uint8_t       *packed[N_COLUMNS];
    uint64_t            *value;             /* N_COLUMNS + 1 (word 7) of cap + PAD each */
    uint8_t             *kind;              /* the file's */
    uint8_t             *our_kind;
    uint8_t             *narrow, *dense;    /* one column, decompressed, and with its zeros */
    bool                 have[N_COLUMNS + 1], have_kinds;
    ZSTD_DCtx           *zstd;
    const char          *complaint;
};

struct trace_columns *trace_columns_new(void)
{
    struct trace_columns *c = calloc(1, sizeof *c);
    if (c && !(c->zstd = ZSTD_createDCtx())) {
        free(c);
        return NULL;
    }
    return c;
}

static void free_room(struct trace_columns *c)
{
    free(c->value);
    free(c->kind);
    free(c->our_kind);
    free(c->narrow);
    free(c->dense);
    c->cap = 0;
}

void trace_columns_free(struct trace_columns *c)
{
    if (!c)
        return;
    free_room(c);
    ZSTD_freeDCtx(c->zstd);
    free(c);
}

/* Room for a block of n events; false if there is no memory (then there is no room at all). */
static bool make_room(struct trace_columns *c, size_t n)
{
    if (n <= c->cap)
        return true;
    free_room(c);
    c->value = malloc((N_COLUMNS + 1) * (n + PAD) * sizeof *c->value);
    c->kind = malloc(n);
    c->our_kind = malloc(n);
    c->narrow = malloc(8 * n + trace_bitmap_bytes(n));
    c->dense = malloc(8 * n);
    if (!c->value || !c->kind || !c->our_kind || !c->narrow || !c->dense) {
        free_room(c);
        c->value = NULL;
        c->kind = c->our_kind = c->narrow = c->dense = NULL;
        return false;
    }
    c->cap = n;
    return true;
}

/* Where the numbers of a column go once they are unpacked.  PAD numbers lie between two
 * columns: columns a power of two apart would all fall into the same few sets of the
 * processor's cache. */
static uint64_t *room_of(struct trace_columns *c, size_t column)
{
    return c->value + column * (c->cap + PAD);
}

/* Where each column's bytes are; NULL, or what is wrong. */
static const char *read_table(struct trace_columns *c, const uint8_t *content, size_t n_bytes)
{
    size_t table = c->n_stored * sizeof c->head[0];
    if (n_bytes < table)
        return "it is shorter than any block is";
    memcpy(c->head, content, table);
    content += table;
    n_bytes -= table;
    for (size_t i = c->n_stored; i < N_COLUMNS; i++)        /* all 0 in this file */
        c->head[i] = (struct column_header){ .coding = RAW,
                                             .sum = trace_sum(TRACE_SUM_START, content, 0) };
    for (size_t i = 0; i < N_COLUMNS; i++) {
        const struct column_header *h = &c->head[i];
        if (h->width > 8 || (h->width & (h->width - 1)))
            return "a column has a width that no column has";
        if (h->coding > KIND_DELTA || h->packed_bytes > n_bytes)
            return "a column is not what columns are";
        if (h->coding == TIME_DELTA && i == COLUMN_TIME)
            return "its times are counted from themselves";
        c->packed[i] = content;
        content += h->packed_bytes;
        n_bytes -= h->packed_bytes;
    }
    return n_bytes ? "it is not as long as its columns say" : NULL;
}

int trace_columns_open(struct trace_columns *c, const struct trace_file *f, size_t i,
                       char *why, size_t n)
{
    struct block_header h;
    const uint8_t *content = trace_file_content(f, i, &h);
    c->file = f;
    c->block = trace_file_block(f, i);
    c->n = h.n_events;
    memset(c->have, 0, sizeof c->have);
    c->have_kinds = false;
    if (!make_room(c, c->n)) {
        snprintf(why, n, "there is not enough memory");
        return -ENOMEM;
    }
    size_t n_bytes = h.packed_bytes - h.index_bytes;
    c->n_stored = trace_columns_in(trace_file_version(f));
    size_t table = c->n_stored * sizeof c->head[0];
    bool whole = trace_sum(TRACE_SUM_START, content, h.index_bytes) == h.index_sum
              && trace_sum(TRACE_SUM_START, content + h.index_bytes,
                           n_bytes < table ? n_bytes : table) == h.table_sum;
    c->complaint = whole ? read_table(c, content + h.index_bytes,
                                      n_bytes) : "its checksum is wrong";
    if (!c->complaint)
        return (int)c->n;
    snprintf(why, n,
             "the block at byte %" PRIu64 " (events %" PRIu64 " to %" PRIu64 ") is damaged: %s",
             c->block->offset, c->block->first_seq, c->block->last_seq, c->complaint);
    return -EINVAL;
}

/* A column's bytes as they were before compression, and how many; NULL: damaged. */
static const uint8_t *decompress(struct trace_columns *c, size_t column, size_t *n)
{
    const struct column_header *h = &c->head[column];
    size_t room = c->n * h->width + trace_bitmap_bytes(c->n);
    if (trace_sum(TRACE_SUM_START, c->packed[column], h->packed_bytes) != h->sum) {
        c->complaint = "a column's checksum is wrong";
        return NULL;
    }
    *n = h->packed_bytes;
    if (!h->is_compressed)
        return c->packed[column];
    *n = ZSTD_decompressDCtx(c->zstd, c->narrow, room, c->packed[column], h->packed_bytes);
    if (!ZSTD_isError(*n))
        return c->narrow;
    c->complaint = ZSTD_getErrorName(*n);
    return NULL;
}

/* How many bits are set in a bitmap of n_bytes, a multiple of 8. */
static size_t count_bits(const uint8_t *bitmap, size_t n_bytes)
{
    size_t n = 0;
    for (uint64_t word; n_bytes; bitmap += 8, n_bytes -= 8) {
        memcpy(&word, bitmap, 8);
        n += (size_t)__builtin_popcountll(word);
    }
    return n;
}

/* Columns leave out numbers that are 0 and have a bitmap instead (format.h). Spreading puts
 * each number that is there at its place in `to`, which was zeroed before: one jump from
 * set bit to set bit, for each width its own copy of the loop. */
#define SPREAD(name, type)                                                                  \
    static void spread_##name(uint8_t *to, const uint8_t *bitmap, const uint8_t *from,      \
                              size_t n_words)                                               \
    {                                                                                       \
        for (size_t i = 0; i < n_words; i++, to += 64 * sizeof(type)) {                     \
            uint64_t word;                                                                  \
            memcpy(&word, bitmap + 8 * i, 8);                                               \
            for (; word; word &= word - 1, from += sizeof(type))                            \
                memcpy(to + (size_t)__builtin_ctzll(word) * sizeof(type), from, sizeof(type)); \
        }                                                                                   \
    }
SPREAD(1, uint8_t)
SPREAD(2, uint16_t)
SPREAD(4, uint32_t)
SPREAD(8, uint64_t)

/* Put the zeros that are left out back; NULL: its bits are not what they should be. */
static const uint8_t *spread(struct trace_columns *c, const uint8_t *from, size_t n, unsigned width)
{
    static void (*const by_width[])(uint8_t *, const uint8_t *, const uint8_t *, size_t) = {
        [1] = spread_1, [2] = spread_2, [4] = spread_4, [8] = spread_8 };
    size_t n_bitmap = trace_bitmap_bytes(c->n);
    uint64_t last = 0;
    if (n < n_bitmap || n != n_bitmap + count_bits(from, n_bitmap) * width)
        return NULL;
    if (c->n % 64)
        memcpy(&last, from + n_bitmap - 8, 8);
    if (last >> c->n % 64)          /* of an event behind the last */
        return NULL;
    memset(c->dense, 0, c->n * width);
    by_width[width](c->dense, from, from + n_bitmap, n_bitmap / 8);
    return c->dense;
}

/* The numbers of a column, each of its width.  NULL: damaged. */
static const uint8_t *numbers(struct trace_columns *c, size_t column)
{
    const struct column_header *h = &c->head[column];
    size_t n;
    const uint8_t *from = decompress(c, column, &n);
    if (!from)
        return NULL;
    if (h->width && h->coding != RAW)
        from = spread(c, from, n, h->width);
    else if (n != c->n * h->width)
        from = NULL;
    if (!from)
        c->complaint = "a column is not as long as it says";
    return from;
}

/* A loop for each width, so that each has its own load; `use` gets `z`. */
#define FOR_EACH_NUMBER(from, width, n, use)                                                \
    switch (width) {                                                                        \
    case 0: for (size_t i = 0; i < (n); i++) { uint64_t z = 0; use; } break;                \
    case 1: for (size_t i = 0; i < (n); i++) { uint64_t z = (from)[i]; use; } break;        \
    case 2: for (size_t i = 0; i < (n); i++)                                                \
        { uint16_t v; memcpy(&v, (from) + 2 * i, 2); uint64_t z = v; use; } break;          \
    case 4: for (size_t i = 0; i < (n); i++)                                                \
        { uint32_t v; memcpy(&v, (from) + 4 * i, 4); uint64_t z = v; use; } break;          \
    default: for (size_t i = 0; i < (n); i++)                                               \
        { uint64_t z; memcpy(&z, (from) + 8 * i, 8); use; } break;                          \
    }

static bool unpack_kinds(struct trace_columns *c)
{
    const struct column_header *h = &c->head[COLUMN_KIND];
    if (c->have_kinds)
        return true;
    if (h->coding != RAW || h->width > 1) {
        c->complaint = "its kinds are not bytes";
        return false;
    }
    const uint8_t *from = numbers(c, COLUMN_KIND), *map = trace_file_kind_map(c->file);
    if (!from)
        return false;
    FOR_EACH_NUMBER(from, h->width, c->n, c->kind[i] = (uint8_t)z);
    for (size_t i = 0; i < c->n; i++)
        c->our_kind[i] = map[c->kind[i]];
    c->have_kinds = true;
    return true;
}

/* DELTA: every number is the difference from the one before. */
static void sum_up(const struct column_header *h, const uint8_t *from, uint64_t *to, size_t n)
{
    uint64_t now = h->base, step = h->step;
    FOR_EACH_NUMBER(from, h->width, n, to[i] = now += unzigzag(z) + step);
}

/* KIND_DELTA: every number is the difference from the last event of the same kind. */
static void sum_up_by_kind(const struct column_header *h, const uint8_t *from, uint64_t *to,
                           size_t n, const uint8_t *kind)
{
    uint64_t last[256] = { 0 };
    FOR_EACH_NUMBER(from, h->width, n, to[i] = last[kind[i]] += unzigzag(z));
}

/* The values of a column, unpacked at the first request and kept until another block is
 * opened.  A column may need another one first: differences by kind need the kinds,
 * differences from the time need the time.  NULL: damaged, c->complaint says how. */
static const uint64_t *unpack(struct trace_columns *c, size_t column)
{
    const struct column_header *h = &c->head[column];
    uint64_t *to = room_of(c, column);
    if (c->have[column])
        return to;
    if (h->coding == KIND_DELTA && !unpack_kinds(c))
        return NULL;
    const uint64_t *time = NULL;
    if (h->coding == TIME_DELTA && !(time = unpack(c, COLUMN_TIME)))
        return NULL;
    const uint8_t *from = numbers(c, column);
    if (!from)
        return NULL;
    if (h->coding == DELTA || h->coding == TIME_DELTA)
        sum_up(h, from, to, c->n);
    else if (h->coding == KIND_DELTA)
        sum_up_by_kind(h, from, to, c->n, c->kind);
    else
        FOR_EACH_NUMBER(from, h->width, c->n, to[i] = z);
    for (size_t i = 0; time && i < c->n; i++)
        to[i] += time[i];
    c->have[column] = true;
    return to;
}

const uint8_t *trace_columns_kinds(struct trace_columns *c)
{
    return unpack_kinds(c) ? c->our_kind : NULL;
}

/* Engine and CPU of a file from before CS was noted, as struct trace_who has them. */
static uint64_t who_of_old(uint64_t who)
{
    return (who >> 8 & 7) << 1 | (who >> 16 & 15) << 4;
}

/* The last word of an event (cause, kind, who, CS) lies in three columns of the file. */
static const uint64_t *unpack_meta(struct trace_columns *c)
{
    uint64_t *to = room_of(c, N_COLUMNS);
    if (c->have[N_COLUMNS])
        return to;
    const uint64_t *cause = unpack(c, COLUMN_CAUSE), *who = unpack(c, COLUMN_WHO);
    if (!cause || !who || !unpack_kinds(c))
        return NULL;
    bool is_old = c->n_stored < N_COLUMNS;
    for (size_t i = 0; i < c->n; i++)
        to[i] = (cause[i] & UINT32_MAX) | (uint64_t)c->our_kind[i] << 32 |
                (is_old ? who_of_old(who[i]) : who[i]) << 40;
    c->have[N_COLUMNS] = true;
    return to;
}

const uint64_t *trace_columns_word(struct trace_columns *c, unsigned word)
{
    return word == TRACE_WORD_BASE ? unpack(c, COLUMN_BASE)
         : word < TRACE_EVENT_WORDS - 1 ? unpack(c, word) : unpack_meta(c);
}

/* What the rest of the program relies on: seq in order, causes before what they cause. */
static const char *check_events(const struct trace_columns *c, struct trace_event *events)
{
    uint64_t seq = c->block->first_seq - 1;
    for (size_t i = 0; i < c->n; i++) {
        struct trace_event *e = &events[i];
        if (e->seq <= seq || e->seq > c->block->last_seq)
            return "its events are out of order";
        seq = e->seq;
        if (e->cause_back >= e->seq)
            e->cause_back = 0;
    }
    return NULL;
}

int trace_columns_events(struct trace_columns *c, struct trace_event *events, char *why, size_t n)
{
    const uint64_t *word[TRACE_EVENT_WORDS] = { NULL };
    bool whole = true;
    for (unsigned w = 0; w < TRACE_EVENT_WORDS && whole; w++)
        whole = (word[w] = trace_columns_word(c, w));
    const uint64_t *base = whole ? trace_columns_word(c, TRACE_WORD_BASE) : NULL;
    whole = base;
    for (size_t i = 0; whole && i < c->n; i++) {
        uint64_t all[TRACE_EVENT_WORDS] = { word[0][i], word[1][i], word[2][i], word[3][i],
                                            word[4][i], word[5][i], word[6][i], word[7][i] };
        memcpy(&events[i], all, sizeof all);
        if (events[i].who.segmented)
            events[i].place = base[i] << 32 | (uint32_t)events[i].place;
    }
    if (whole && !(c->complaint = check_events(c, events)))
        return 0;
    snprintf(why, n,
             "the block at byte %" PRIu64 " (events %" PRIu64 " to %" PRIu64 ") is damaged: %s",
             c->block->offset, c->block->first_seq, c->block->last_seq, c->complaint);
    return -EINVAL;
}
