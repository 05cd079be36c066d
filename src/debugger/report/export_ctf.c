/*
 * debugger/report/export_ctf.c -- the Common Trace Format, version 1.8.  The file `metadata`
 * describes, in a language called TSDL, how the binary file `events` is laid out; readers know
 * nothing else about it.
 *
 * `events` is a single packet: a magic number, the stream's number, then the events one behind
 * the other.  Each has its time and kind, then what all have, then three arguments that are
 * named as those of its kind (of an EXIT its reason and the two words that describe it).
 *
 * Readers insist on times that do not go back within a stream.  Virtual time does so only where a
 * debugger took the guest back or loaded a state: there another future begins
 * (trace/futures.h), and each has a stream of its own, in `events`, `events-2`, `events-3`, ...
 * An event's context names its future, too.
 */
#include "debugger/report/export.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/utf8.h"
#include "cpu/insn_event.h"
#include "debugger/trace/filter.h"
#include "debugger/trace/futures.h"
#include "debugger/trace/store.h"

#define CTF_MAGIC UINT32_C(0xc1fc1fc1)

/* A trace that somebody made up may have a CUT for each event, but a directory should not have that
 * many files: what comes behind is in the last one. */
#define MAX_STREAMS 1000

/* TSDL: names of integer types, the header of the file, the fields that all events have.
 * Arguments are mostly addresses and ports, so readers show them in hexadecimal (x64). */
static const char preamble[] =
    "/* CTF 1.8 */\n"
    "typealias integer { size = 8; align = 8; signed = false; } := u8;\n"
    "typealias integer { size = 32; align = 8; signed = false; } := u32;\n"
    "typealias integer { size = 64; align = 8; signed = false; } := u64;\n"
    "typealias integer { size = 64; align = 8; signed = false; base = 16; } := x64;\n"
    "trace { major = 1; minor = 8; byte_order = le;\n"
    "    packet.header := struct { u32 magic; u32 stream_id; }; };\n"
    "clock { name = vtime; description = \"virtual time\"; freq = 1000000000; };\n"
    "typealias integer { size = 64; align = 8; signed = false; map = clock.vtime.value; } := "
    "vtime_t;\n"
    "stream { id = 0;\n"
    "    event.header := struct { vtime_t timestamp; u8 id; };\n"
    "    event.context := struct { u64 seq; u64 cause; u64 icount; x64 rip; u8 vcpu;\n"
    "        u32 future; }; };\n";

/* Names of fields must not be words of TSDL, so all get an underscore, which readers take off.
 */
static void describe_kind(FILE *out, unsigned kind)
{
    fprintf(out, "event { name = \"%s\"; id = %u; stream_id = 0; fields := struct {",
            trace_kinds[kind].name, kind);
    for (unsigned i = 0; i < 3; i++)
        if (trace_kinds[kind].arg[i][0])
            fprintf(out, " x64 _%s;", trace_kinds[kind].arg[i]);
        else
            fprintf(out, " x64 _unused%u;", i);
    fputs(" }; };\n", out);
}

/* What the trace's header says of the run, as strings of TSDL, whose escapes are C's. */
static void put_environment(FILE *out, const struct store *s)
{
    static const char *const keys[] = { "guest", "engine", "mmu" };
    fputs("env { domain = \"vitrine\";", out);
    for (size_t i = 0; i < NELEM(keys); i++) {
        const char *text = store_info(s, keys[i]);
        if (!text)
            continue;
        fprintf(out, " %s = \"", keys[i]);
        for (size_t n; *text; text += n ? n : 1) {
            n = utf8_length(text);
            if (*text == '"' || *text == '\\')
                fprintf(out, "\\%c", *text);
            else if (utf8_is_shown(text, n))
                fwrite(text, 1, n, out);
            else
                fputc('?', out);
        }
        fputs("\";", out);
    }
    fputs(" };\n", out);
}

static int write_metadata(const char *directory, const struct store *s)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/metadata", directory);
    FILE *out = fopen(path, "w");
    if (!out)
        return -errno;
    fputs(preamble, out);
    put_environment(out, s);
    for (unsigned k = 0; k < N_TRACE_KINDS; k++)
        describe_kind(out, k);
    return fclose(out) == 0 ? 0 : -errno;
}

/*
 * Streams
 */

struct ctf {
    const char           *directory;
    const struct futures *futures;
    FILE                 *out;      /* the stream of ...                      */
    size_t                stream;   /* ... this future, as long as there are files enough */
    uint64_t              last_ns;  /* the latest time in it                  */
    int                   err;      /* the first error, negative              */
};

static void stream_path(const struct ctf *c, size_t stream, char *path, size_t n)
{
    if (stream)
        snprintf(path, n, "%s/events-%zu", c->directory, stream + 1);
    else
        snprintf(path, n, "%s/events", c->directory);
}

static void close_stream(struct ctf *c)
{
    if (!c->out)
        return;
    bool bad = ferror(c->out);
    if ((fclose(c->out) != 0 || bad) && !c->err)
        c->err = -EIO;
    c->out = NULL;
}

/* False: c->err says why. */
static bool open_stream(struct ctf *c, size_t stream)
{
    static const uint32_t header[2] = { CTF_MAGIC, 0 };
    char path[4096];
    close_stream(c);
    stream_path(c, stream, path, sizeof path);
    c->stream = stream;
    c->last_ns = 0;
    c->out = fopen(path, "wb");
    if (!c->out && !c->err)
        c->err = -errno;
    return c->out && fwrite(header, sizeof header, 1, c->out) == 1;
}

/* Streams of an earlier export into the same directory, of a trace with more futures, would be
 * read as part of this one. */
static void remove_old_streams(const struct ctf *c)
{
    char path[4096];
    for (size_t stream = 1; stream < MAX_STREAMS; stream++) {
        stream_path(c, stream, path, sizeof path);
        if (unlink(path) != 0)
            return;
    }
}

/* The record must be packed as the metadata says: align = 8 means bits, so there is no
 * padding.  A kind that we do not know has no description there, and is left out.  A time that
 * goes back without a CUT, in a trace that is damaged, is raised. */
static bool export_event(void *arg, uint64_t index, const struct trace_event *found)
{
    struct ctf *c = arg;
    struct trace_event event = found->kind == TRACE_INSN ? insn_event_plain(found) : *found;
    const struct trace_event *e = &event;
    size_t future = futures_of(c->futures, e->seq);
    size_t stream = future < MAX_STREAMS ? future : MAX_STREAMS - 1;
    (void)index;
    if (e->kind >= N_TRACE_KINDS)
        return true;
    if (stream != c->stream && !open_stream(c, stream))
        return false;
    c->last_ns = e->vtime_ns > c->last_ns ? e->vtime_ns : c->last_ns;
    struct __attribute__((packed)) {
        uint64_t vtime_ns;
        uint8_t  kind;
        uint64_t seq, cause, icount, rip;
        uint8_t  vcpu;
        uint32_t future;
        uint64_t arg[3];
    } r = { c->last_ns, e->kind, e->seq, e->cause_back ? e->seq - e->cause_back : 0, e->icount,
            trace_linear(e), e->who.vcpu, (uint32_t)future, { e->arg[0], e->arg[1], e->arg[2] } };
    return fwrite(&r, sizeof r, 1, c->out) == 1;
}

int trace_export_ctf(struct store *s, const struct filter *f, const char *directory)
{
    if (mkdir(directory, 0777) != 0 && errno != EEXIST)
        return -errno;
    int err = write_metadata(directory, s), damaged = 0;
    struct futures *futures = futures_find(s);
    struct ctf c = { .directory = directory, .futures = futures };
    if (!err && !futures)
        err = -ENOMEM;
    if (!err) {
        remove_old_streams(&c);
        if (open_stream(&c, 0))
            damaged = store_each(s, f, 0, UINT64_MAX, export_event, &c);
        close_stream(&c);
        err = c.err;
    }
    futures_free(futures);
    return err ? err : damaged;
}
