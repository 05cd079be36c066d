/*
 * debugger/trace/file.c -- reading a trace file.
 *
 * Opening maps the file and hops from block header to block header: that
 * list is the index.  Contents are checked and unpacked one block at a time,
 * when asked for.  Nothing in the file is believed: lengths are checked
 * against what is there, sums against what they sum, and events against what
 * their block's header says.
 *
 * A file that ends inside a block was being written when its writer died.
 * Damage before the end makes the reader look for the next header that is
 * whole, and go on there.
 */
#include "debugger/trace/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/utf8.h"
#include "debugger/trace/field.h"
#include "debugger/trace/format.h"
#include "debugger/trace/index.h"

/* An open trace file: its bytes, mapped, and the list of its blocks. */
struct trace_file {
    const uint8_t      *bytes;
    uint64_t            n_bytes;
    int                 fd;             /* of a file that is mapped, else -1 */
    char               *info;           /* lines, each ended by NUL instead of newline */
    size_t              info_bytes;
    unsigned            version;        /* of the format */
    char              **engine;         /* into info's copy in engine_line */
    size_t              n_engines;
    char               *engine_line;
    struct trace_block *block;
    size_t              n_blocks, cap_blocks;
    uint64_t            scanned;        /* blocks up to here are in the list */
    uint64_t            n_events, lost;
    bool                is_complete;
    char               *words;          /* at its end; NULL: none */
    bool               *is_indexed;     /* by place in trace_field_at() */
    uint8_t             kind_map[256];  /* the file's numbers to ours; 255: not known here */
    char                damage[150], torn[150];
};

const char *trace_file_warning(const struct trace_file *f)
{
    return f->damage[0] ? f->damage : f->torn;
}

uint64_t trace_file_events(const struct trace_file *f) { return f->n_events; }
uint64_t trace_file_lost(const struct trace_file *f) { return f->lost; }
bool trace_file_is_complete(const struct trace_file *f) { return f->is_complete; }
const char *trace_file_words(const struct trace_file *f) { return f->words; }
const uint8_t *trace_file_kind_map(const struct trace_file *f) { return f->kind_map; }
unsigned trace_file_version(const struct trace_file *f) { return f->version; }
size_t trace_file_blocks(const struct trace_file *f) { return f->n_blocks; }

bool trace_file_is_indexed(const struct trace_file *f, const struct trace_field *field)
{
    return f->is_indexed[field - trace_field_at(0)];
}

const struct trace_block *trace_file_block(const struct trace_file *f, size_t i)
{
    return i < f->n_blocks ? &f->block[i] : NULL;
}

const char *trace_file_info(const struct trace_file *f, const char *key)
{
    size_t len = strlen(key);
    for (const char *p = f->info; p < f->info + f->info_bytes; p += strlen(p) + 1)
        if (strncmp(p, key, len) == 0 && p[len] == '=')
            return p + len + 1;
    return NULL;
}

const char *trace_file_engine(const struct trace_file *f, unsigned engine)
{
    return engine < f->n_engines ? f->engine[engine] : "?";
}

/*
 * The file's header
 */

static const char *header_complaint(const struct trace_file *f, const struct file_header *h)
{
    if (f->n_bytes < sizeof h->magic || memcmp(f->bytes, TRACE_FILE_MAGIC, sizeof h->magic) != 0)
        return "it is not a Vitrine trace (it does not begin with the magic number)";
    if (f->n_bytes < sizeof *h)
        return "it ends inside its header";
    if (h->version < TRACE_FILE_OLDEST || h->version > TRACE_FILE_VERSION)
        return "it is of another version of the format than this program reads";
    if (h->event_bytes != sizeof(struct trace_event))
        return "its events are not of 64 bytes";
    if (h->info_bytes > TRACE_INFO_MAX)
        return "its header claims to be longer than any header is";
    if (h->info_bytes > f->n_bytes - sizeof *h)
        return "it ends inside its header";
    uint64_t sum = trace_sum(TRACE_SUM_START, h, offsetof(struct file_header, sum));
    if (trace_sum(sum, f->bytes + sizeof *h, h->info_bytes) != h->sum)
        return "its header is damaged (wrong checksum)";
    return NULL;
}

/* Cut a list "a,b,c" into its words, in place. */
static size_t split_words(char *list, char **word, size_t max)
{
    size_t n = 0;
    for (char *save = NULL, *w = strtok_r(list, ",", &save); w && n < max;
         w = strtok_r(NULL, ",", &save))
        word[n++] = w;
    return n;
}

/* The kind of that name, or 255.  A file of this build has it at `guess`: look there first. */
static uint8_t kind_named(const char *name, size_t guess)
{
    if (guess < N_TRACE_KINDS && strcmp(name, trace_kinds[guess].name) == 0)
        return (uint8_t)guess;
    for (unsigned k = 0; k < N_TRACE_KINDS; k++)
        if (strcmp(name, trace_kinds[k].name) == 0)
            return (uint8_t)k;
    return 255;
}

/* A file of another build numbers its kinds its own way: go by name. */
static int read_kinds(struct trace_file *f)
{
    char *word[256];
    const char *names = trace_file_info(f, "kinds");
    char *list = strdup(names ? names : "");
    if (!list)
        return -ENOMEM;
    memset(f->kind_map, 255, sizeof f->kind_map);
    size_t n = split_words(list, word, NELEM(word));
    for (size_t i = 0; i < n; i++)
        f->kind_map[i] = kind_named(word[i], i);
    free(list);
    return 0;
}

/* What another build's index has nothing of must not be looked for in it. */
static int read_indexed(struct trace_file *f)
{
    const char *line = trace_file_info(f, "index");
    f->is_indexed = calloc(trace_fields_count(), sizeof *f->is_indexed);
    if (!f->is_indexed)
        return -ENOMEM;
    for (size_t i = 0; i < trace_fields_count(); i++)
        f->is_indexed[i] = line && trace_index_described(line, trace_field_at(i));
    return 0;
}

static int read_engines(struct trace_file *f)
{
    const char *names = trace_file_info(f, "engines");
    f->engine_line = strdup(names ? names : "");
    f->engine = calloc(256, sizeof *f->engine);
    if (!f->engine_line || !f->engine)
        return -ENOMEM;
    f->n_engines = split_words(f->engine_line, f->engine, 256);
    return 0;
}

/* Characters that a terminal would obey are replaced: what stands in the file will be shown to
 * people.  Names of files in other languages stay. */
static void make_printable(char *text, size_t n)
{
    for (char *zero; (zero = memchr(text, 0, n)) != NULL; )
        *zero = '?';
    for (char *line = text, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        bool more = *end;
        *end = '\0';
        utf8_clean(line, false);
        if (more)
            *end++ = '\n';
    }
}

/* The header's lines become strings one behind the other. */
static int read_info(struct trace_file *f, const struct file_header *h)
{
    f->version = h->version;
    f->info_bytes = (size_t)h->info_bytes + 1;
    f->info = malloc(f->info_bytes);
    if (!f->info)
        return -ENOMEM;
    memcpy(f->info, f->bytes + sizeof *h, h->info_bytes);
    f->info[h->info_bytes] = '\0';
    make_printable(f->info, h->info_bytes);
    for (size_t i = 0; i < h->info_bytes; i++)
        if (f->info[i] == '\n')
            f->info[i] = '\0';
    int err = read_kinds(f);
    if (!err)
        err = read_indexed(f);
    return err ? err : read_engines(f);
}

/*
 * The blocks' headers
 */

enum found { FOUND_BLOCK, FOUND_DAMAGE, FOUND_TORN };

#define BLOCK_BYTES_MAX (TRACE_INDEX_MAX + N_COLUMNS * (sizeof(struct column_header) \
                                                       + (size_t)TRACE_BLOCK_MAX * 8))

/* Is this the header of a block, and can its numbers be true?  The checksum alone is no
 * proof: whoever forges a file can compute it.  So every length is checked against the
 * largest there can be. */
static bool header_sane(const struct block_header *h)
{
    if (h->magic != TRACE_BLOCK_MAGIC ||
        trace_sum(TRACE_SUM_START, h, offsetof(struct block_header, sum)) != h->sum)
        return false;
    if (h->n_events == 0)
        return h->packed_bytes <= TRACE_WORDS_MAX && h->index_bytes == 0;
    return h->n_events <= TRACE_BLOCK_MAX
        && h->first_seq >= 1 && h->last_seq >= h->first_seq
        && h->last_seq - h->first_seq >= h->n_events - 1
        && h->index_bytes <= TRACE_INDEX_MAX && !(h->index_bytes & (h->index_bytes - 1))
        && h->index_bytes <= h->packed_bytes && h->packed_bytes <= BLOCK_BYTES_MAX;
}

/* The checksum of the text that follows the end's header at `p`. */
static uint64_t words_sum(const uint8_t *p, const struct block_header *h)
{
    return trace_sum(TRACE_SUM_START, p + sizeof *h, h->packed_bytes);
}

/* What stands at byte `at`: a whole block, something that is no block, or the beginning of
 * one that the file's end cuts off. */
static enum found look_at(const struct trace_file *f, uint64_t at, struct block_header *h)
{
    uint64_t left = f->n_bytes - at;
    if (left < sizeof *h)
        return FOUND_TORN;
    memcpy(h, f->bytes + at, sizeof *h);
    if (!header_sane(h))
        return FOUND_DAMAGE;
    if (h->packed_bytes > left - sizeof *h)
        return FOUND_TORN;
    return h->n_events || words_sum(f->bytes + at, h) == h->table_sum ? FOUND_BLOCK : FOUND_DAMAGE;
}

/* The file's mask of kinds in this program's numbering. */
static uint64_t map_kinds(const struct trace_file *f, uint64_t file_mask)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < 64; i++)
        if (file_mask & BIT(i))
            mask |= BIT(f->kind_map[i] & 63);
    return mask;
}

/* Append to the list of blocks.  0 or -ENOMEM. */
static int add_block(struct trace_file *f, uint64_t at, const struct block_header *h)
{
    if (f->n_blocks == f->cap_blocks) {
        size_t cap = f->cap_blocks ? 2 * f->cap_blocks : 64;
        struct trace_block *more = realloc(f->block, cap * sizeof *more);
        if (!more)
            return -ENOMEM;
        f->block = more;
        f->cap_blocks = cap;
    }
    f->block[f->n_blocks++] = (struct trace_block){
        .offset = at, .first_index = f->n_events,
        .first_seq = h->first_seq, .last_seq = h->last_seq,
        .min_ns = h->min_ns, .max_ns = h->max_ns,
        .min_icount = h->min_icount, .max_icount = h->max_icount,
        .min_rip = h->min_rip, .max_rip = h->max_rip,
        .kinds = map_kinds(f, h->kinds), .lost = h->lost,
        .n_events = h->n_events, .packed_bytes = h->packed_bytes,
    };
    f->n_events += h->n_events;
    return 0;
}

/* The next place after `at` where a whole header stands, or the end. */
static uint64_t resync(const struct trace_file *f, uint64_t at)
{
    static const uint32_t magic = TRACE_BLOCK_MAGIC;
    struct block_header h;
    while (++at < f->n_bytes) {
        const uint8_t *p = memmem(f->bytes + at, f->n_bytes - at, &magic, sizeof magic);
        if (!p)
            break;
        at = (uint64_t)(p - f->bytes);
        if (look_at(f, at, &h) == FOUND_BLOCK)
            return at;
    }
    return f->n_bytes;
}

/* Bytes left out.  At the end they may be a block that is being written now:
 * that is said only until the rest of it comes. */
static void note(struct trace_file *f, uint64_t from, uint64_t to)
{
    unsigned long long a = from, n = to - from;
    if (to == f->n_bytes)
        snprintf(f->torn, sizeof f->torn, "its last block, at byte %llu, is torn; its %llu bytes "
                 "are ignored (was the writer killed?)", a, n);
    else if (!f->damage[0])         /* the first is the one to look into */
        snprintf(f->damage, sizeof f->damage, "%llu damaged bytes at byte %llu are left out", n, a);
}

/* The text behind the end's header at f->scanned.  0 or -ENOMEM. */
static int take_words(struct trace_file *f, const struct block_header *h)
{
    free(f->words);
    f->words = h->packed_bytes ? calloc(1, (size_t)h->packed_bytes + 1) : NULL;
    if (!f->words)
        return h->packed_bytes ? -ENOMEM : 0;
    memcpy(f->words, f->bytes + f->scanned + sizeof *h, h->packed_bytes);
    make_printable(f->words, h->packed_bytes);
    return 0;
}

/* Take in the block whose header was found at f->scanned. */
static int take_block(struct trace_file *f, const struct block_header *h)
{
    int err = h->n_events ? add_block(f, f->scanned, h) : take_words(f, h);
    f->is_complete = h->n_events == 0;
    f->lost = h->lost;
    f->scanned += sizeof *h + h->packed_bytes;
    return err;
}

/* Go on from where the list ends.  Blocks must have rising numbers: one that does not is
 * left out like a damaged one.  0 or -ENOMEM. */
static int read_blocks(struct trace_file *f)
{
    struct block_header h;
    f->torn[0] = '\0';
    while (f->scanned < f->n_bytes) {
        uint64_t seq = f->n_blocks ? f->block[f->n_blocks - 1].last_seq : 0;
        if (look_at(f, f->scanned, &h) == FOUND_BLOCK && (!h.n_events || h.first_seq > seq)) {
            int err = take_block(f, &h);
            if (err)
                return err;
            continue;
        }
        uint64_t next = resync(f, f->scanned);
        note(f, f->scanned, next);
        if (next == f->n_bytes)
            break;
        f->scanned = next;
    }
    return 0;
}

/*
 * Opening and closing
 */

void trace_file_close(struct trace_file *f)
{
    if (!f)
        return;
    if (f->fd >= 0) {
        munmap((void *)(uintptr_t)f->bytes, f->n_bytes);
        close(f->fd);
    }
    free(f->info);
    free(f->engine);
    free(f->engine_line);
    free(f->block);
    free(f->words);
    free(f->is_indexed);
    free(f);
}

/* Read header and list of blocks; frees f and says why if that cannot be done. */
static struct trace_file *read_all(struct trace_file *f, char *why, size_t n)
{
    struct file_header h = { .magic = "" };
    memcpy(&h, f->bytes, f->n_bytes < sizeof h ? f->n_bytes : sizeof h);
    const char *complaint = header_complaint(f, &h);
    if (!complaint) {
        f->scanned = sizeof h + h.info_bytes;
        if (read_info(f, &h) < 0 || read_blocks(f) < 0)
            complaint = "there is not enough memory to read it";
    }
    if (complaint) {
        snprintf(why, n, "%s", complaint);
        trace_file_close(f);
        return NULL;
    }
    return f;
}

struct trace_file *trace_file_open_bytes(const void *bytes, uint64_t n_bytes, char *why, size_t n)
{
    struct trace_file *f = calloc(1, sizeof *f);
    if (!f) {
        snprintf(why, n, "there is not enough memory to read it");
        return NULL;
    }
    f->fd = -1;
    f->bytes = bytes;
    f->n_bytes = n_bytes;
    return read_all(f, why, n);
}

/* The file's bytes, mapped; NULL and a sentence.  An empty file cannot be mapped. */
static const void *map_file(int fd, uint64_t *n_bytes, char *why, size_t n)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        snprintf(why, n, "%s", strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        snprintf(why, n, "it is not a regular file");
    } else if (st.st_size == 0) {
        snprintf(why, n, "it is empty");
    } else {
        *n_bytes = (uint64_t)st.st_size;
        void *hva = mmap(NULL, *n_bytes, PROT_READ, MAP_SHARED, fd, 0);
        if (hva != MAP_FAILED)
            return hva;
        snprintf(why, n, "%s", strerror(errno));
    }
    return NULL;
}

struct trace_file *trace_file_open_fd(int fd, char *why, size_t n)
{
    uint64_t n_bytes = 0;
    const void *bytes = map_file(fd, &n_bytes, why, n);
    if (!bytes)
        return NULL;
    struct trace_file *f = calloc(1, sizeof *f);
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (!f || copy < 0) {
        snprintf(why, n, "%s", f ? strerror(errno) : "there is not enough memory to read it");
        munmap((void *)(uintptr_t)bytes, n_bytes);
        free(f);
        return NULL;
    }
    f->bytes = bytes;
    f->n_bytes = n_bytes;
    f->fd = copy;
    return read_all(f, why, n);
}

struct trace_file *trace_file_open(const char *path, char *why, size_t n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        snprintf(why, n, "%s", strerror(errno));
        return NULL;
    }
    struct trace_file *f = trace_file_open_fd(fd, why, n);
    close(fd);
    return f;
}

size_t trace_file_refresh(struct trace_file *f)
{
    struct stat st;
    size_t before = f->n_blocks;
    if (f->fd < 0 || fstat(f->fd, &st) != 0 || (uint64_t)st.st_size <= f->n_bytes)
        return 0;
    void *moved = mremap((void *)(uintptr_t)f->bytes, f->n_bytes, (size_t)st.st_size,
                         MREMAP_MAYMOVE);
    if (moved == MAP_FAILED)
        return 0;
    f->bytes = moved;
    f->n_bytes = (uint64_t)st.st_size;
    read_blocks(f);             /* without memory for more: those we have */
    return f->n_blocks - before;
}

/*
 * The events
 */

/* Is the block in the file still?  What was mapped goes away if somebody shortens the file,
 * and to read it then is the end (SIGBUS). */
static bool is_there(const struct trace_file *f, const struct trace_block *b)
{
    struct stat st;
    return f->fd < 0 ||
           (fstat(f->fd, &st) == 0 &&
            b->offset + sizeof(struct block_header) + b->packed_bytes <= (uint64_t)st.st_size);
}

const uint8_t *trace_file_content(const struct trace_file *f, size_t i, struct block_header *h)
{
    static const uint8_t nothing[N_COLUMNS * sizeof(struct column_header)];
    const struct trace_block *b = &f->block[i];
    if (is_there(f, b)) {
        memcpy(h, f->bytes + b->offset, sizeof *h);
        if (header_sane(h) && h->n_events == b->n_events && h->packed_bytes == b->packed_bytes)
            return f->bytes + b->offset + sizeof *h;
    }
    /* it was another when the file was opened: its sums are wrong now */
    memset(h, 0, sizeof *h);
    h->n_events = b->n_events;
    h->table_sum = ~trace_sum(TRACE_SUM_START, nothing, 0);
    return nothing;
}

/* The first block whose last event is `seq` or later. */
/* A binary search: blocks are in the order of their events. */
static size_t block_from(const struct trace_file *f, uint64_t seq)
{
    size_t lo = 0, hi = f->n_blocks;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (f->block[mid].last_seq < seq)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

bool trace_file_has_written(const struct trace_file *f, uint64_t seq, uint64_t sum)
{
    struct file_header file;
    struct block_header h;
    memcpy(&file, f->bytes, sizeof file);
    if (seq == 0)
        return file.sum == sum;
    size_t i = block_from(f, seq);
    if (i == f->n_blocks || f->block[i].last_seq != seq)
        return false;
    trace_file_content(f, i, &h);
    return h.sum == sum;
}
