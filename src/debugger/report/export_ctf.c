/*
 * debugger/report/export_ctf.c -- the Common Trace Format, version 1.8.  The file `metadata`
 * describes, in a language called TSDL, how the binary file `events` is laid out; readers know
 * nothing else about it.
 *
 * `events` is a single packet: a magic number, the stream's number, then the events one behind
 * the other.  Each has its time and kind, then what all have, then three arguments that are
 * named as those of its kind (of an EXIT its reason and the two words that describe it).
 * Readers insist on times that do not go back; virtual time does not.
 */
#include "debugger/report/export.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "debugger/trace/filter.h"
#include "debugger/trace/store.h"

#define CTF_MAGIC UINT32_C(0xc1fc1fc1)

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
    "env { domain = \"vitrine\"; };\n"
    "clock { name = vtime; description = \"virtual time\"; freq = 1000000000; };\n"
    "typealias integer { size = 64; align = 8; signed = false; map = clock.vtime.value; } := "
    "vtime_t;\n"
    "stream { id = 0;\n"
    "    event.header := struct { vtime_t timestamp; u8 id; };\n"
    "    event.context := struct { u64 seq; u64 cause; u64 icount; x64 rip; u8 vcpu; }; };\n";

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

static int write_metadata(const char *directory)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/metadata", directory);
    FILE *out = fopen(path, "w");
    if (!out)
        return -errno;
    fputs(preamble, out);
    for (unsigned k = 0; k < N_TRACE_KINDS; k++)
        describe_kind(out, k);
    return fclose(out) == 0 ? 0 : -errno;
}

/* The record must be packed as the metadata says: align = 8 means bits, so there is no
 * padding.  A kind that we do not know has no description there, and is left out. */
static bool export_event(void *arg, uint64_t index, const struct trace_event *e)
{
    struct __attribute__((packed)) {
        uint64_t vtime_ns;
        uint8_t  kind;
        uint64_t seq, cause, icount, rip;
        uint8_t  vcpu;
        uint64_t arg[3];
    } r = { e->vtime_ns, e->kind, e->seq, e->cause_back ? e->seq - e->cause_back : 0, e->icount,
            e->rip, e->vcpu, { e->arg[0], e->arg[1], e->arg[2] } };
    (void)index;
    return e->kind >= N_TRACE_KINDS || fwrite(&r, sizeof r, 1, arg) == 1;
}

int trace_export_ctf(struct store *s, const struct filter *f, const char *directory)
{
    static const uint32_t header[2] = { CTF_MAGIC, 0 };
    char path[4096];
    if (mkdir(directory, 0777) != 0 && errno != EEXIST)
        return -errno;
    int err = write_metadata(directory);
    if (err)
        return err;
    snprintf(path, sizeof path, "%s/events", directory);
    FILE *out = fopen(path, "wb");
    if (!out)
        return -errno;
    fwrite(header, sizeof header, 1, out);
    int damaged = store_each(s, f, 0, UINT64_MAX, export_event, out);
    bool bad = ferror(out);
    return fclose(out) != 0 || bad ? -EIO : damaged;
}
