/*
 * debugger/gdb/query.c -- the packets q, Q and vFile: what each side can do, the documents that
 * the client reads (registers, memory map, threads), the console behind gdb's `monitor`, and
 * the guest's file.
 *
 * Begin reading with the tables `queries` and `settings`.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/x86.h"
#include "debugger/console/command.h"
#include "debugger/gdb/private.h"

/* ---- qSupported ---- */

/* Is the word in a list like "multiprocess+;swbreak+;xmlRegisters=i386"? */
static bool has_word(struct gdb_args a, const char *word)
{
    size_t len = strlen(word);
    while (gdb_more(&a)) {
        const char *end = memchr(a.at, ';', (size_t)(a.end - a.at));
        end = end ? end : a.end;
        if ((size_t)(end - a.at) == len && memcmp(a.at, word, len) == 0)
            return true;
        a.at = end < a.end ? end + 1 : end;
    }
    return false;
}

/* The first packet of each connection: both sides say what they can.  `+` means yes;
 * PacketSize is the longest packet we take, in hexadecimal.  [GDB manual "General Query
 * Packets", qSupported] */
static enum gdb_when supported(struct gdb_stub *s, struct gdb_args args)
{
    gdb_take(&args, ':');
    s->multiprocess = has_word(args, "multiprocess+");
    s->exec_events = has_word(args, "exec-events+");
    s->swbreak = has_word(args, "swbreak+");
    s->hwbreak = has_word(args, "hwbreak+");
    s->error_text = has_word(args, "error-message+");
    gdb_printf(&s->p,
               "PacketSize=%x;QStartNoAckMode+;multiprocess+;exec-events+;swbreak+;hwbreak+;"
               "vContSupported+;error-message+;"
               "qXfer:features:read+;qXfer:memory-map:read+;qXfer:threads:read+;"
               "qXfer:exec-file:read+;ConditionalBreakpoints+;ReverseStep+;ReverseContinue+;"
               "binary-upload+",
               GDB_PACKET_MAX - 0x10);
    return GDB_NOW;
}

/* ---- qXfer: documents, in pieces ---- */

/* A document is read in pieces: "offset,length" asks for one.  The answer is `m` and bytes,
 * or `l` and bytes if that was the last.  Every byte may have to be escaped, which doubles
 * it. */
static enum gdb_when piece(struct gdb_stub *s, struct gdb_args args, const char *text, size_t n)
{
    uint64_t off, len;
    if (!gdb_take_number(&args, &off) || !gdb_take(&args, ',') || !gdb_take_number(&args, &len) ||
        off > n)
        return gdb_error(s, EINVAL, "an offset and a length are wanted");
    if (len > GDB_PACKET_MAX / 2 - 8)   /* every byte may be escaped */
        len = GDB_PACKET_MAX / 2 - 8;
    bool last = n - off <= len;
    gdb_put(&s->p, last ? "l" : "m");
    gdb_put_binary(&s->p, text + off, last ? n - off : len);
    return GDB_NOW;
}

/* "annex:" in front of offset and length names a document of several.  If it is this one,
 * *a is moved behind it. */
static bool take_annex(struct gdb_args *a, const char *annex)
{
    size_t len = strlen(annex);
    if ((size_t)(a->end - a->at) <= len || memcmp(a->at, annex, len) || a->at[len] != ':')
        return false;
    a->at += len + 1;
    return true;
}

/* The description of the registers (symbols/gdb_regs.h). [GDB manual "Target Descriptions"] */
static enum gdb_when xfer_features(struct gdb_stub *s, struct gdb_args args)
{
    size_t n = 0;
    if (!take_annex(&args, "target.xml"))
        return gdb_error(s, ENOENT, "there is target.xml and no other");
    const char *text = gdb_reg_xml(s->arch, &n);
    return text ? piece(s, args, text, n) : gdb_error(s, ENOMEM, "out of memory");
}

/* One CPU is one thread, and a process that has ended has none.  A client that asks for threads
 * while a change of mode is being told has stopped at that event for its user (`catch exec`);
 * then it knows of the stop, and no other reply is due. */
static enum gdb_when xfer_threads(struct gdb_stub *s, struct gdb_args args)
{
    char text[200];
    s->mode_told = false;
    if (!take_annex(&args, ""))
        return gdb_error(s, ENOENT, "no annex");
    int n = snprintf(text, sizeof text,
                     s->end_told ? "<?xml version=\"1.0\"?><threads></threads>"
                     : "<?xml version=\"1.0\"?><threads><thread id=\"%s\" core=\"0\" name=\"CPU\">"
                       "</thread></threads>",
                     gdb_thread(s));
    return piece(s, args, text, (size_t)n);
}

/* The file that the program was started from, so that gdb can load its symbols by itself.
 * A boot sector or a kernel image is nothing that gdb could read. */
static enum gdb_when xfer_exec_file(struct gdb_stub *s, struct gdb_args args)
{
    const char *colon = memchr(args.at, ':', (size_t)(args.end - args.at));
    if (!colon)
        return gdb_error(s, ENOENT, "no annex");
    args.at = colon + 1;
    if (!s->is_elf)
        return gdb_error(s, ENOENT, "the guest's file is nothing that a debugger could read");
    return piece(s, args, s->o.guest_path, strlen(s->o.guest_path));
}

static void print_memory(FILE *out, const char *type, uint64_t from, uint64_t n)
{
    if (n)
        fprintf(out, "<memory type=\"%s\" start=\"%#llx\" length=\"%#llx\"/>", type,
                (unsigned long long)from, (unsigned long long)n);
}

/* For qsort(): regions by their addresses. */
static int by_base(const void *a, const void *b)
{
    const struct gmem_region *x = a, *y = b;
    return x->base < y->base ? -1 : x->base > y->base;
}

/* Which addresses are memory, as an XML document.  gdb refuses to access what the document
 * does not list, and reads it only once.  So the gaps are listed too, as RAM: once the
 * guest turns paging on, anything may be there.  And nothing is called ROM while paging is
 * on, since the addresses are then not physical.  [GDB manual "Memory Map Format"] */
static void memory_map(struct gdb_stub *s, FILE *out)
{
    const struct gmem_region *all;
    struct gmem_region r[64];
    struct cpu_state cpu;
    uint64_t at = 0;
    size_t n = link_regions(s->o.link, &all);
    n = n < NELEM(r) ? n : NELEM(r);
    memcpy(r, all, n * sizeof *r);
    qsort(r, n, sizeof *r, by_base);
    link_get_state(s->o.link, &cpu);
    fputs("<?xml version=\"1.0\"?><!DOCTYPE memory-map PUBLIC "
          "\"+//IDN gnu.org//DTD GDB Memory Map V1.0//EN\" "
          "\"http://sourceware.org/gdb/gdb-memory-map.dtd\"><memory-map>",
          out);
    for (size_t i = 0; i < n && !(cpu.cr0 & CR0_PG); i++) {
        if (r[i].base < at)
            continue;
        print_memory(out, "ram", at, r[i].base - at);
        print_memory(out, r[i].kind == GMEM_ROM ? "rom" : "ram", r[i].base, r[i].size);
        at = r[i].base + r[i].size;
    }
    if (at < BIT(63))
        print_memory(out, "ram", at, BIT(63) - at);
    print_memory(out, "ram", BIT(63), BIT(63));
    fputs("</memory-map>\n", out);
}

/* open_memstream() lets the document be printed like a file and grows the buffer. */
static enum gdb_when xfer_memory_map(struct gdb_stub *s, struct gdb_args args)
{
    char *text = NULL;
    size_t n;
    if (!take_annex(&args, ""))
        return gdb_error(s, ENOENT, "no annex");
    FILE *out = open_memstream(&text, &n);
    if (!out)
        return gdb_error(s, ENOMEM, "out of memory");
    memory_map(s, out);
    fclose(out);
    enum gdb_when when = text ? piece(s, args, text, n) : gdb_error(s, ENOMEM, "out of memory");
    free(text);
    return when;
}

/* ---- threads and process ---- */

/* The list of threads comes in two answers: `m` and our one thread, then `l`, the end. */
static enum gdb_when first_threads(struct gdb_stub *s, struct gdb_args args)
{
    (void)args;
    if (s->end_told)
        gdb_put(&s->p, "l");
    else
        gdb_printf(&s->p, "m%s", gdb_thread(s));
    return GDB_NOW;
}

static enum gdb_when more_threads(struct gdb_stub *s, struct gdb_args args)
{
    (void)args;
    gdb_put(&s->p, "l");
    return GDB_NOW;
}

static enum gdb_when current_thread(struct gdb_stub *s, struct gdb_args args)
{
    (void)args;
    if (!s->end_told)
        gdb_printf(&s->p, "QC%s", gdb_thread(s));
    return GDB_NOW;
}

/* The words that gdb shows behind the thread in `info threads`. */
static enum gdb_when thread_info(struct gdb_stub *s, struct gdb_args args)
{
    struct link_status st;
    char text[100];
    (void)args;
    link_get_status(s->o.link, &st);
    snprintf(text, sizeof text, "CPU%s, %s", st.halted ? " in HLT" : "",
             link_state_names[link_state(s->o.link)]);
    gdb_put_hex(&s->p, text, strlen(text));
    return GDB_NOW;
}

/* 1: we were attached to a running machine, and have not started it for gdb.  So `quit`
 * detaches and does not kill. */
static enum gdb_when attached(struct gdb_stub *s, struct gdb_args args)
{
    (void)args;
    gdb_put(&s->p, "1");
    return GDB_NOW;
}

/* LLDB's name for the kind of machine.  It compiles no calls (`expr f(1)`) for one without an
 * operating system, since nobody would lend it memory there; here the stub does (scratch.c).  It
 * then wants to hear where the program lies: qOffsets. */
static void put_triple(struct gdb_stub *s)
{
    const char *triple =
        s->arch == GDB_X86_64 ? "x86_64-unknown-linux-gnu" : "i386-unknown-linux-gnu";
    gdb_put(&s->p, "triple:");
    gdb_put_hex(&s->p, triple, strlen(triple));
    gdb_printf(&s->p, ";ptrsize:%d;endian:little;", s->arch == GDB_X86_64 ? 8 : 4);
}

/* LLDB asks this before it attaches to anything.  The mode of the guest decides the answer,
 * so the guest must stand. */
static enum gdb_when host_info(struct gdb_stub *s, struct gdb_args args)
{
    (void)args;
    if (!s->attached)
        gdb_attach(s);
    gdb_begin(&s->p);
    put_triple(s);
    gdb_put(&s->p, "vendor:unknown;ostype:linux;default_packet_timeout:5;");
    return GDB_NOW;
}

static enum gdb_when process_info(struct gdb_stub *s, struct gdb_args args)
{
    (void)args;
    gdb_put(&s->p, "pid:1;parent-pid:1;vendor:unknown;ostype:linux;");
    put_triple(s);
    return GDB_NOW;
}

/* LLDB asks for the registers one by one, by number. */
static enum gdb_when register_info(struct gdb_stub *s, struct gdb_args args)
{
    char text[300];
    uint64_t nr;
    if (!gdb_take_number(&args, &nr) || !gdb_reg_info(s->arch, nr, text, sizeof text))
        return gdb_error(s, EINVAL, "there is no such register");
    gdb_put(&s->p, text);
    return GDB_NOW;
}

static enum gdb_when thread_stop_info(struct gdb_stub *s, struct gdb_args args)
{
    return gdb_stop_reason(s, args);
}

/* ---- monitor ---- */

#define COMMAND_MS 1000                 /* gdb waits no longer than two seconds for an answer */

/* A `monitor` command may have sent the guest somewhere (stepi, back, load), of which gdb
 * knows nothing and would show old registers.  Wait for it a moment, since the next packet
 * should find the guest standing; then tell the user.  After `monitor continue` there is no
 * need to wait. */
static void tell_of_move(struct gdb_stub *s, const struct link_status *before, FILE *out)
{
    struct link_status after;
    if (s->waiting)
        return;
    if (link_state(s->o.link) == LINK_RUNNING &&
        (link_how(s->o.link) == LINK_FREE || link_wait(s->o.link, COMMAND_MS) == -ETIMEDOUT))
        fputs("(the guest is still on its way; `monitor pause` stops it)\n", out);
    link_get_status(s->o.link, &after);
    if (after.icount != before->icount || after.n_exits != before->n_exits ||
        after.past.seq != before->past.seq)
        fputs("(gdb does not know that the guest has moved; tell it: maintenance flush "
              "register-cache)\n",
              out);
}

/* `monitor ...` in gdb: a line for the console, in hexadecimal.  What it prints is sent in
 * O packets, of at most 16 KiB each, and then OK. `monitor mon...` is refused: the console
 * would trace the monitor's process, which gdb can do better, and only one can. */
static enum gdb_when run_command(struct gdb_stub *s, struct gdb_args args)
{
    char line[2000], *text = NULL;
    size_t n = 0;
    struct link_status before;
    n = gdb_from_hex(args.at, (size_t)(args.end - args.at), line, sizeof line - 1);
    line[n] = 0;
    if (!strcmp(line, "answer"))
        return gdb_go_on(s);
    if (!strncmp(line, "mon", 3)) {
        gdb_console_text(s, "gdb itself can step the monitor: `vitrine gdb`, and there "
                            "`vt-follow on`\n");
        gdb_begin(&s->p);
        return gdb_ok(s);
    }
    FILE *out = open_memstream(&text, &n);
    if (!out)
        return gdb_error(s, ENOMEM, "out of memory");
    link_get_status(s->o.link, &before);
    if (console_run(s->console, line, out) == CONSOLE_QUIT)
        s->quit = true;
    tell_of_move(s, &before, out);
    fclose(out);
    if (!text)
        return gdb_error(s, ENOMEM, "out of memory");
    for (size_t at = 0; at < n; ) {
        size_t k = n - at < 16384 ? n - at : 16384;
        gdb_begin(&s->p);
        gdb_put(&s->p, "O");
        gdb_put_hex(&s->p, text + at, k);
        gdb_send(&s->p);
        at += k;
    }
    free(text);
    gdb_begin(&s->p);
    return gdb_ok(s);
}

/* ---- settings ---- */

/* The OK to this packet is the last that is acknowledged, so it must be sent before the
 * switch.  [GDB manual "Packet Acknowledgment"] */
static enum gdb_when no_acks(struct gdb_stub *s, struct gdb_args args)
{
    (void)args;
    gdb_ok(s);
    gdb_send(&s->p);
    s->p.no_ack = true;
    return GDB_LATER;
}

/* Non-stop mode lets some threads run while others stand; with one CPU there is nothing to
 * gain. */
static enum gdb_when non_stop(struct gdb_stub *s, struct gdb_args args)
{
    if (gdb_more(&args) && *args.at == '0')
        return gdb_ok(s);
    return gdb_error(s, ENOTSUP, "one CPU stops as a whole");
}

/* The program lies where it was linked. */
static enum gdb_when offsets(struct gdb_stub *s, struct gdb_args args)
{
    (void)args;
    gdb_put(&s->p, "Text=0;Data=0;Bss=0");
    return GDB_NOW;
}

/* QEMU's switch, which people's scripts use: `maintenance packet Qqemu.PhyMemMode:1`. From then
 * on addresses of memory and watchpoints are guest-physical. */
static enum gdb_when physical_mode(struct gdb_stub *s, struct gdb_args args)
{
    uint64_t on;
    if (!gdb_take(&args, ':') || !gdb_take_number(&args, &on) || on > 1 || gdb_more(&args))
        return gdb_error(s, EINVAL, "Qqemu.PhyMemMode takes 0 or 1");
    s->physical = on;
    return gdb_ok(s);
}

static enum gdb_when is_physical(struct gdb_stub *s, struct gdb_args args)
{
    (void)args;
    gdb_put(&s->p, s->physical ? "1" : "0");
    return GDB_NOW;
}

static enum gdb_when qemu_supported(struct gdb_stub *s, struct gdb_args args)
{
    (void)args;
    gdb_put(&s->p, "PhyMemMode");
    return GDB_NOW;
}

/* ---- the tables ---- */

static const struct row { const char *name; gdb_fn *answer; } queries[] = {
    { "qSupported",               supported        },
    { "qXfer:features:read:",     xfer_features    },
    { "qXfer:memory-map:read:",   xfer_memory_map  },
    { "qXfer:threads:read:",      xfer_threads     },
    { "qXfer:exec-file:read:",    xfer_exec_file   },
    { "qfThreadInfo",             first_threads    },
    { "qsThreadInfo",             more_threads     },
    { "qThreadExtraInfo",         thread_info      },
    { "qThreadStopInfo",          thread_stop_info },
    { "qAttached",                attached         },
    { "qRcmd,",                   run_command      },
    { "qSearch:memory:",          gdb_search       },
    { "qCRC:",                    gdb_crc          },
    { "qHostInfo",                host_info        },
    { "qProcessInfo",             process_info     },
    { "qRegisterInfo",            register_info    },
    { "qMemoryRegionInfo:",       gdb_region_info  },
    { "qqemu.PhyMemMode",         is_physical      },
    { "qemu.Supported",           qemu_supported   },
    { "qOffsets",                 offsets          },
    { "qC",                       current_thread   },
}, settings[] = {
    { "Qqemu.PhyMemMode",         physical_mode    },
    { "QStartNoAckMode",          no_acks          },
    { "QNonStop:",                non_stop         },
};

/* Find the row whose name the packet begins with.  An empty answer says that the packet is
 * not known: the protocol wants just that. */
static enum gdb_when look_up(struct gdb_stub *s, const struct row *rows, size_t n,
                             struct gdb_args args)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(rows[i].name);
        if ((size_t)(args.end - args.at) >= len && memcmp(args.at, rows[i].name, len) == 0) {
            args.at += len;
            return rows[i].answer(s, args);
        }
    }
    return GDB_NOW;
}

enum gdb_when gdb_query(struct gdb_stub *s, struct gdb_args args)
{
    return look_up(s, queries, NELEM(queries), args);
}

enum gdb_when gdb_set(struct gdb_stub *s, struct gdb_args args)
{
    return look_up(s, settings, NELEM(settings), args);
}

/* ---- vFile ----
 *
 * A gdb on another machine reads the guest's file through us.  On the same machine it opens
 * the file itself, which is quicker; so this is offered only if the options say so. */

#define FIRST_FD 3

/* "F result" or "F-1,errno". [GDB manual "Host I/O Packets"] */
static enum gdb_when file_result(struct gdb_stub *s, int result, int error)
{
    if (error)
        gdb_printf(&s->p, "F-1,%x", (unsigned)error);
    else
        gdb_printf(&s->p, "F%x", (unsigned)result);
    return GDB_NOW;
}

/* `vFile:open:path,flags,mode`, the path in hexadecimal.  The guest's file is the only one
 * that can be opened, and only for reading: the client may be anybody.  The numbers of
 * errors are the protocol's; those used here are Linux's, too.  [GDB manual "Errno Values"] */
static enum gdb_when file_open(struct gdb_stub *s, struct gdb_args args)
{
    char path[4096];
    size_t n = gdb_from_hex(args.at, (size_t)(args.end - args.at), path, sizeof path - 1);
    path[n] = 0;
    if (strcmp(path, s->o.guest_path) != 0)
        return file_result(s, 0, ENOENT);
    unsigned i = 0;
    while (i < NELEM(s->file) && s->file[i])
        i++;
    if (i == NELEM(s->file))
        return file_result(s, 0, ENFILE);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    s->file[i] = fd < 0 ? 0 : fd;
    return file_result(s, FIRST_FD + (int)i, fd < 0 ? EACCES : 0);
}

/* The client's descriptors are 3, 4, ...: our places in s->file, not descriptors of this
 * process.  NULL: it is none. */
static int *take_fd(struct gdb_stub *s, struct gdb_args *args)
{
    uint64_t fd;
    return gdb_take_number(args, &fd) && fd - FIRST_FD < NELEM(s->file) && s->file[fd - FIRST_FD]
         ? &s->file[fd - FIRST_FD] : NULL;
}

/* `vFile:pread:fd,count,offset`. A short answer is right; the client asks again. */
static enum gdb_when file_read(struct gdb_stub *s, struct gdb_args args)
{
    static char buf[32768];
    uint64_t n, off;
    const int *fd = take_fd(s, &args);
    if (!fd || !gdb_take(&args, ',') || !gdb_take_number(&args, &n) || !gdb_take(&args, ',') ||
        !gdb_take_number(&args, &off))
        return file_result(s, 0, EBADF);
    ssize_t got = pread(*fd, buf, n < sizeof buf ? n : sizeof buf, (off_t)(off & INT64_MAX));
    if (got < 0)
        return file_result(s, 0, EINVAL);
    gdb_printf(&s->p, "F%zx;", (size_t)got);
    gdb_put_binary(&s->p, buf, (size_t)got);
    return GDB_NOW;
}

static void put_big_endian(uint8_t *to, uint64_t value, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        to[i] = (uint8_t)(value >> 8 * (n - 1 - i));
}

/* `vFile:fstat:fd`: a struct of 64 bytes with its numbers in big-endian order.  Those that
 * gdb needs are the mode at 8, the size at 28 and the time of the last change at 52. [GDB
 * manual "struct stat"] */
static enum gdb_when file_stat(struct gdb_stub *s, struct gdb_args args)
{
    struct stat st;
    uint8_t image[64] = { 0 };
    const int *fd = take_fd(s, &args);
    if (!fd || fstat(*fd, &st))
        return file_result(s, 0, EBADF);
    put_big_endian(image + 8, 0100444, 4);
    put_big_endian(image + 28, (uint64_t)st.st_size, 8);
    put_big_endian(image + 52, (uint64_t)st.st_mtime, 4);
    gdb_printf(&s->p, "F%zx;", sizeof image);
    gdb_put_binary(&s->p, image, sizeof image);
    return GDB_NOW;
}

static enum gdb_when file_close(struct gdb_stub *s, struct gdb_args args)
{
    int *fd = take_fd(s, &args);
    if (!fd)
        return file_result(s, 0, EBADF);
    close(*fd);
    *fd = 0;
    return file_result(s, 0, 0);
}

/* The client chooses whose file system it means; there is one. */
static enum gdb_when file_setfs(struct gdb_stub *s, struct gdb_args args)
{
    (void)args;
    return file_result(s, 0, 0);
}

enum gdb_when gdb_file(struct gdb_stub *s, struct gdb_args args)
{
    static const struct row calls[] = {
        { "open:", file_open }, { "pread:", file_read }, { "fstat:", file_stat },
        { "close:", file_close }, { "setfs:", file_setfs },
    };
    return s->o.serves_file ? look_up(s, calls, NELEM(calls), args) : GDB_NOW;
}

void gdb_close_files(struct gdb_stub *s)
{
    for (size_t i = 0; i < NELEM(s->file); i++) {
        if (s->file[i])
            close(s->file[i]);
        s->file[i] = 0;
    }
}
