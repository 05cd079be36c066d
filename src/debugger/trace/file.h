/*
 * debugger/trace/file.h -- the trace on disk.
 *
 * A file is a header and then blocks, each complete in itself: magic, length,
 * checksums, a summary of what is inside, and up to TRACE_BLOCK_EVENTS events
 * packed by zstd in columns.  A block is written by one write() and nothing is ever
 * changed afterwards, so a writer killed at any moment leaves at worst a torn
 * last block, which the reader reports and ignores.  The blocks' headers and
 * their Bloom filters are the index.  doc/trace.md has the layout.
 *
 * No wall-clock time and no process id goes in: two runs, same bytes.
 */
#ifndef DEBUGGER_TRACE_FILE_H
#define DEBUGGER_TRACE_FILE_H

#include "base/trace.h"

#define TRACE_BLOCK_EVENTS 4096     /* in the blocks we write; readers take up to TRACE_BLOCK_MAX */
#define TRACE_BLOCK_MAX    65536

/* A new file to write to; access is O_WRONLY or O_RDWR. The descriptor, or -1 and errno.
 * If a reader has a trace of that name open it keeps the old file, for the name is given to
 * a new one.  A device or a pipe is opened as it is. */
int trace_file_create(const char *path, int access);

struct trace_writer;

/* Begin a trace file at `path`. `t` is the ring whose lost events are counted (may be
 * NULL); `info` is lines "key=value\n" that a reader may want ("guest=...", "timing=1"), or
 * NULL. NULL and errno on failure, after host_say() has told why. */
struct trace_writer *trace_writer_open(const char *path, const struct trace *t, const char *info);
/* The same on a descriptor, which the writer takes over even if this fails; `name` is for
 * messages. */
struct trace_writer *trace_writer_open_fd(int fd, const char *name, const struct trace *t,
                                          const char *info);

/* Append n events; `writer` is a struct trace_writer, so that this is a trace_sink_fn
 * (drain.h). Errors are kept until trace_writer_close(). */
void trace_writer_sink(void *writer, const struct trace_event *events, size_t n);
/* Events lost by the ring so far, where there is no `t` to ask. */
void trace_writer_lost(struct trace_writer *w, uint64_t lost);
/* Write what is there as a (short) block: 0, or -errno of the first error. */
int  trace_writer_flush(struct trace_writer *w);
/* Why the run ended as it did, in lines of text, to stand at the file's end.  The writer copies
 * it; the last text counts, NULL or "" is none. */
void trace_writer_words(struct trace_writer *w, const char *text);
/* Flush, write the mark of a proper end, close and free: 0, or -errno of the first error
 * there was. */
int  trace_writer_close(struct trace_writer *w);

/* What a block says about itself.  The events are read by trace/columns.h. */
struct trace_block {
    uint64_t offset;                    /* of its header in the file      */
    uint64_t first_index;               /* events in the blocks before it */
    uint64_t first_seq, last_seq;
    uint64_t min_ns, max_ns;            /* virtual time                   */
    uint64_t min_icount, max_icount;
    uint64_t min_rip, max_rip;
    uint64_t kinds;                     /* BIT(kind) of those inside; bit 63: others */
    uint64_t lost;                      /* lost by the ring so far        */
    uint32_t n_events, packed_bytes;
};

struct trace_file;

/* Open for reading.  NULL, and in `why` a sentence about what is wrong with the file. */
struct trace_file *trace_file_open(const char *path, char *why, size_t n);
/* The same of bytes in memory, which must stay until trace_file_close(). */
struct trace_file *trace_file_open_bytes(const void *bytes, uint64_t n_bytes, char *why, size_t n);
/* The same of an open file; fd stays the caller's. */
struct trace_file *trace_file_open_fd(int fd, char *why, size_t n);
void trace_file_close(struct trace_file *f);

/* Look whether blocks have been appended since: how many new ones.  Pointers to blocks end
 * here. */
size_t trace_file_refresh(struct trace_file *f);

/* "" or what was found damaged and left out: a torn last block, ... */
const char *trace_file_warning(const struct trace_file *f);

/* The value of a header line, or NULL: "engines", "kinds", and the writer's info. */
const char *trace_file_info(const struct trace_file *f, const char *key);
const char *trace_file_engine(const struct trace_file *f, unsigned engine);     /* "?" if unknown */

bool trace_file_is_complete(const struct trace_file *f);    /* properly closed by its writer */

/* The lines that its writer left at its end (trace_writer_words()), safe to print; NULL: none. */
const char *trace_file_words(const struct trace_file *f);
uint64_t trace_file_lost(const struct trace_file *f);
uint64_t trace_file_events(const struct trace_file *f);     /* in all its blocks */
size_t trace_file_blocks(const struct trace_file *f);
const struct trace_block *trace_file_block(const struct trace_file *f, size_t i);

/* Has it a block that ends with event `seq` and whose header has this checksum (seq 0: the
 * file's)? */
bool trace_file_has_written(const struct trace_file *f, uint64_t seq, uint64_t sum);

/* Can block i hold an event whose `field` is in lo..hi?  By its summary and index. */
struct trace_field;
bool trace_file_may_hold(const struct trace_file *f, size_t i, const struct trace_field *field,
                         uint64_t lo, uint64_t hi);

/* For trace/summary.c: has its writer's index this field? */
bool trace_file_is_indexed(const struct trace_file *f, const struct trace_field *field);

/* For trace/columns.c: what follows the header of block i, and the file's kinds to ours. */
struct block_header;
const uint8_t *trace_file_content(const struct trace_file *f, size_t i, struct block_header *h);
const uint8_t *trace_file_kind_map(const struct trace_file *f);
unsigned trace_file_version(const struct trace_file *f);

#endif
