/*
 * debugger/gdb/stub.c -- the table of packets, registers and threads, and how a client comes
 * and goes; see gdb/stub.h.
 *
 *     $p10#d1   ->  gdb_stub_input()  answer()  find_row(): "p"  get_register()
 *     $f30c...  <-  gdb_send()        register 16, RIP, in the order of memory
 *
 * Not here: going and stopping (run.c), memory (memory.c), breakpoints (break.c), questions
 * and documents (query.c).
 */
#include "debugger/gdb/private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cpu/regs.h"
#include "debugger/console/command.h"

/* How long the VMM may take for an answer.  gdb gives up on ours after two seconds
 * (`set remotetimeout`), so we must know earlier. */
#define PATIENCE_MS 1200

/* ---- answers ---- */

enum gdb_when gdb_ok(struct gdb_stub *s)
{
    gdb_put(&s->p, "OK");
    return GDB_NOW;
}

enum gdb_when gdb_error(struct gdb_stub *s, int err, const char *what)
{
    int n = err < 0 ? -err : err;
    if (s->error_text)
        gdb_printf(&s->p, "E.%s", what);
    else
        gdb_printf(&s->p, "E%02x", n > 0 && n < 256 ? (unsigned)n : 1u);
    return GDB_NOW;
}

void gdb_console_text(struct gdb_stub *s, const char *text)
{
    gdb_begin(&s->p);
    gdb_put(&s->p, "O");
    gdb_put_hex(&s->p, text, strlen(text));
    gdb_send(&s->p);
}

/* ---- registers ---- */

static bool is_pc(const struct gdb_reg *r)
{
    return r->offset == offsetof(struct cpu_state, rip);
}

uint64_t gdb_seen_pc(const struct gdb_stub *s, const struct cpu_state *cpu)
{
    return s->o.cs_ip ? cpu->rip : state_pc(cpu);
}

void gdb_read_register(const struct gdb_stub *s, const struct gdb_reg *r,
                       const struct cpu_state *cpu, uint8_t out[GDB_REG_BYTES])
{
    gdb_reg_read(r, cpu, out);
    if (s->o.cs_ip && is_pc(r))
        memcpy(out, &cpu->rip, r->wire);
}

static void write_register(const struct gdb_stub *s, const struct gdb_reg *r,
                           struct cpu_state *cpu, const uint8_t in[GDB_REG_BYTES])
{
    gdb_reg_write(r, cpu, in);
    if (s->o.cs_ip && is_pc(r)) {
        cpu->rip = 0;
        memcpy(&cpu->rip, in, r->wire);
    }
}

/* `g`: the registers of the description, one after the other, in the order of memory. */
static enum gdb_when get_registers(struct gdb_stub *s, struct gdb_args args)
{
    struct cpu_state cpu;
    uint8_t image[GDB_REG_BYTES];
    (void)args;
    link_get_state(s->o.link, &cpu);
    for (size_t i = 0; i < gdb_reg_in_g(s->arch); i++) {
        const struct gdb_reg *r = gdb_reg_at(s->arch, i);
        gdb_read_register(s, r, &cpu, image);
        gdb_put_hex(&s->p, image, r->wire);
    }
    return GDB_NOW;
}

/* A running guest's registers cannot be set, and would be others by then. */
static enum gdb_when put_state(struct gdb_stub *s, unsigned groups, const struct cpu_state *cpu)
{
    int err =
        link_state(s->o.link) == LINK_RUNNING ? -EBUSY : link_set_state(s->o.link, groups, cpu);
    return err ? gdb_error(s, err, "the registers cannot be set") : gdb_ok(s);
}

/* `G`: fewer registers than there are is allowed; only the groups that were touched are
 * written back. */
static enum gdb_when set_registers(struct gdb_stub *s, struct gdb_args args)
{
    struct cpu_state cpu;
    unsigned groups = 0;
    link_get_state(s->o.link, &cpu);
    for (size_t i = 0; i < gdb_reg_in_g(s->arch) && gdb_more(&args); i++) {
        const struct gdb_reg *r = gdb_reg_at(s->arch, i);
        uint8_t image[GDB_REG_BYTES];
        if (gdb_from_hex(args.at, (size_t)(args.end - args.at), image, r->wire) != r->wire)
            return gdb_error(s, EINVAL, "these are no registers");
        args.at += 2 * r->wire;
        write_register(s, r, &cpu, image);
        groups |= r->st;
    }
    return put_state(s, groups, &cpu);
}

/* `p n`: one register, for those that `g` does not have. */
static enum gdb_when get_register(struct gdb_stub *s, struct gdb_args args)
{
    struct cpu_state cpu;
    uint8_t image[GDB_REG_BYTES];
    uint64_t nr;
    const struct gdb_reg *r = gdb_take_number(&args, &nr) ? gdb_reg_at(s->arch, nr) : NULL;
    if (!r)
        return gdb_error(s, EINVAL, "there is no such register");
    link_get_state(s->o.link, &cpu);
    gdb_read_register(s, r, &cpu, image);
    gdb_put_hex(&s->p, image, r->wire);
    return GDB_NOW;
}

/* `P n=value`. */
static enum gdb_when set_register(struct gdb_stub *s, struct gdb_args args)
{
    struct cpu_state cpu;
    uint8_t image[GDB_REG_BYTES];
    uint64_t nr;
    const struct gdb_reg *r = gdb_take_number(&args, &nr) ? gdb_reg_at(s->arch, nr) : NULL;
    if (!r || !gdb_take(&args, '=') ||
        gdb_from_hex(args.at, (size_t)(args.end - args.at), image, r->wire) != r->wire)
        return gdb_error(s, EINVAL, "there is no such register");
    link_get_state(s->o.link, &cpu);
    write_register(s, r, &cpu, image);
    return put_state(s, r->st, &cpu);
}

/* ---- threads: one CPU ---- */

const char *gdb_thread(const struct gdb_stub *s)
{
    return s->multiprocess ? "p1.1" : "1";
}

/* Thread ids are "p1.1" (process and thread), "p1", or "1"; 0 means any and -1 all.  Is
 * ours among them?  [GDB manual "Packets", thread-id] */
static bool is_our_thread(struct gdb_args a)
{
    uint64_t n;
    if (gdb_take(&a, 'p')) {
        if (!gdb_take(&a, '-') && (!gdb_take_number(&a, &n) || n > 1))
            return false;
        if (a.at < a.end && *a.at == '1')
            a.at++;
        if (!gdb_take(&a, '.'))
            return true;
    }
    return gdb_take(&a, '-') || (gdb_take_number(&a, &n) && n <= 1);
}

/* `H` and a letter (g: for registers, c: for continuing) and a thread id. */
static enum gdb_when choose_thread(struct gdb_stub *s, struct gdb_args args)
{
    if (gdb_more(&args))
        args.at++;                      /* g or c: for what */
    return is_our_thread(args) ? gdb_ok(s) : gdb_error(s, ESRCH, "there is one CPU, thread 1");
}

static enum gdb_when is_alive(struct gdb_stub *s, struct gdb_args args)
{
    return is_our_thread(args) ? gdb_ok(s) : gdb_error(s, ESRCH, "there is one CPU, thread 1");
}

/* ---- the table ---- */

/* `!`: the connection stays after the client has detached or killed. */
static enum gdb_when extended(struct gdb_stub *s, struct gdb_args args)
{
    (void)args;
    s->extended = true;
    return gdb_ok(s);
}

/* An unknown v packet gets the empty answer.  gdb probes with vMustReplyEmpty that this is
 * so. */
static enum gdb_when unknown(struct gdb_stub *s, struct gdb_args args)
{
    (void)s, (void)args;
    return GDB_NOW;
}

/* `R` would restart the program.  A machine is not started again by its debugger, and the
 * packet has no answer. */
static enum gdb_when restart(struct gdb_stub *s, struct gdb_args args)
{
    (void)s, (void)args;
    return GDB_LATER;
}

/* Packets by how they begin.  The first row that fits is taken, so longer names come before
 * shorter ones.  A packet that `greets` is no reason to stop the guest: the client may only
 * want to know who we are. */
static const struct row {
    const char *name;
    gdb_fn     *answer;
    bool        greets;
    const char *about;
} rows[] = {
    { "vMustReplyEmpty", unknown,        true,  "a probe"                                   },
    { "vCont?",       gdb_vcont_query,   true,  "which ways to go there are"                },
    { "vCont",        gdb_vcont,         false, "go: continue, step, step in a range, stop" },
    { "vKill",        gdb_vkill,         false, "as D"                                      },
    { "vAttach",      gdb_vattach,       true,  "debug again, after D"                      },
    { "vRun",         gdb_vrun,          false, "run it again, from where it began"         },
    { "vFile:",       gdb_file,          true,  "the guest's file, and no other"            },
    { "v",            unknown,           true,  "none that we know"                         },
    { "QStartNoAckMode", gdb_set,        true,  "no more + and -"                           },
    { "Q",            gdb_set,           false, "settings"                                  },
    { "qSupported",   gdb_query,         true,  "what can you do"                           },
    { "qHostInfo",    gdb_query,         true,  "LLDB: what machine"                        },
    { "q",            gdb_query,         false, "questions"                                 },
    { "bs",           gdb_back_step,     false, "one instruction back"                      },
    { "bc",           gdb_back,          false, "run backwards"                             },
    { "?",            gdb_stop_reason,   false, "why does it stand"                         },
    { "g",            get_registers,     false, "the registers"                             },
    { "G",            set_registers,     false, "set them"                                  },
    { "p",            get_register,      false, "one register"                              },
    { "P",            set_register,      false, "set it"                                    },
    { "m",            gdb_read_memory,   false, "memory, in hexadecimal"                    },
    { "M",            gdb_write_memory,  false, "write it"                                  },
    { "x",            gdb_read_binary,   false, "memory, as bytes"                          },
    { "X",            gdb_write_binary,  false, "write it"                                  },
    { "c",            gdb_continue,      false, "go"                                        },
    { "s",            gdb_step,          false, "one instruction"                           },
    { "Z",            gdb_insert,        false, "a breakpoint or watchpoint"                },
    { "z",            gdb_remove,        false, "take it away"                              },
    { "H",            choose_thread,     false, "which CPU is meant"                        },
    { "T",            is_alive,          false, "is there such a CPU"                       },
    { "D",            gdb_detach,        false, "good-bye; the guest runs on"               },
    { "k",            gdb_kill,          false, "as D"                                      },
    { "_M",           gdb_lend,          false, "LLDB: lend me memory"                      },
    { "_m",           gdb_take_back,     false, "LLDB: there it is"                         },
    { "!",            extended,          true,  "stay connected after D"                    },
    { "R",            restart,           true,  "nothing"                                   },
};

static const struct row *find_row(const char *body, size_t n)
{
    for (size_t i = 0; i < NELEM(rows); i++) {
        size_t len = strlen(rows[i].name);
        if (len <= n && memcmp(rows[i].name, body, len) == 0)
            return &rows[i];
    }
    return NULL;
}

/* Answer the packet in p.body.  The first that is no greeting attaches the client, which
 * stops the guest. */
static void answer(struct gdb_stub *s)
{
    const struct row *r = find_row(s->p.body, s->p.n_body);
    gdb_begin(&s->p);
    if (r && !r->greets && !s->attached)
        gdb_attach(s);
    gdb_begin(&s->p);
    struct gdb_args args = { s->p.body, s->p.body + s->p.n_body };
    if (r && r->answer != gdb_query && r->answer != gdb_set)    /* those have tables of their own */
        args.at += strlen(r->name);
    if (!r || r->answer(s, args) == GDB_NOW)
        gdb_send(&s->p);
}

/* `rest` is what follows the packet, where a long answer looks for an interrupt. */
void gdb_stub_input(struct gdb_stub *s, const void *bytes, size_t n)
{
    const char *from = bytes;
    while (n && !s->closing) {
        enum gdb_got got;
        size_t took = gdb_packets_take(&s->p, from, n, &got);
        from += took;
        n -= took;
        s->rest = from;
        s->n_rest = n;
        switch (got) {
        case GDB_NOTHING:   break;
        case GDB_PACKET:    answer(s);                              break;
        case GDB_INTERRUPT: gdb_interrupt(s);                       break;
        case GDB_TOO_LONG:
            gdb_begin(&s->p);
            gdb_error(s, EMSGSIZE, "this packet is too long");
            gdb_send(&s->p);
            break;
        }
        s->closing |= s->p.failed;
    }
    s->n_rest = 0;
}

/* First in the bytes that were read already; if there are none, in the socket. */
bool gdb_has_enough(const struct gdb_stub *s)
{
    if (s->n_rest)
        return gdb_begins_with_interrupt(s->rest, s->n_rest);
    return s->o.interrupted && s->o.interrupted(s->o.arg);
}

static bool has_enough(void *arg)
{
    return gdb_has_enough(arg);
}

/* ---- coming and going ---- */

/* When the guest's file was last changed, in ns, and its size, in one number; 0: not known. */
static uint64_t file_stamp(const struct gdb_stub *s)
{
    struct stat st;
    if (!s->o.guest_path || stat(s->o.guest_path, &st))
        return 0;
    return ((uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec) ^
           (uint64_t)st.st_size << 40;
}

bool gdb_file_changed(const struct gdb_stub *s)
{
    return file_stamp(s) != s->loaded;
}

/* Is the guest's file an ELF, and of how many bits (byte 4: 1 is 32, 2 is 64)? A client
 * that takes one description only gets that of the file.  [ELF "ELF Identification"] */
static void look_at_file(struct gdb_stub *s)
{
    s->loaded = file_stamp(s);
    unsigned char head[5] = { 0 };
    FILE *f = s->o.guest_path ? fopen(s->o.guest_path, "rb") : NULL;
    s->is_elf =
        f && fread(head, 1, sizeof head, f) == sizeof head && memcmp(head, "\177ELF", 4) == 0;
    if (f)
        fclose(f);
    s->own_arch = s->is_elf && head[4] == 1 ? GDB_I386 : GDB_X86_64;
}

/* The link must give up on an answer before gdb gives up on ours. */
struct gdb_stub *gdb_stub_new(const struct gdb_options *o)
{
    struct gdb_stub *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->o = *o;
    look_at_file(s);
    link_patience(o->link, PATIENCE_MS);
    s->console = console_new(&(struct console_options){
        .link = o->link, .store = link_store(o->link), .symbols = o->symbols, .info = o->info,
        .enough = has_enough, .wait_arg = s });
    if (s->console && gdb_packets_init(&s->p))
        return s;
    gdb_stub_free(s);
    return NULL;
}

void gdb_stub_free(struct gdb_stub *s)
{
    if (!s)
        return;
    gdb_give_all_back(s);
    gdb_close_files(s);
    if (s->console)
        console_free(s->console);
    gdb_packets_free(&s->p);
    free(s->point);
    free(s);
}

/* What the last client could do is not known of this one. */
void gdb_stub_connected(struct gdb_stub *s)
{
    gdb_packets_reset(&s->p);
    s->connected = true;
    s->closing = s->attached = s->waiting = s->pausing = s->mode_told = false;
    s->physical = s->changed_told = false;
    s->multiprocess = s->exec_events = s->swbreak = s->hwbreak = s->error_text = s->extended =
        false;
}

void gdb_stub_gone(struct gdb_stub *s)
{
    gdb_give_all_back(s);
    gdb_remove_all(s);
    gdb_close_files(s);
    s->connected = s->attached = s->waiting = s->closing = s->pausing = false;
}

const void *gdb_stub_output(const struct gdb_stub *s, size_t *n)
{
    *n = s->p.out.n;
    return s->p.out.byte;
}

/* Before the first output there is no buffer yet, and memmove() from NULL is undefined even for
 * 0 bytes: hence the look at n. */
void gdb_stub_sent(struct gdb_stub *s, size_t n)
{
    struct gdb_bytes *out = &s->p.out;
    if (n > out->n)
        n = out->n;
    if (!n)
        return;
    memmove(out->byte, out->byte + n, out->n - n);
    out->n -= n;
}

bool gdb_stub_wants_close(const struct gdb_stub *s) { return s->closing; }
bool gdb_stub_looking(const struct gdb_stub *s)
{
    return (s->attached && !s->end_told) || (s->connected && s->extended);
}
bool gdb_stub_starved(const struct gdb_stub *s)     { return s->starved; }
bool gdb_stub_steps(const struct gdb_stub *s)       { return s->waiting && s->how == LINK_STEP; }
bool gdb_stub_quit(const struct gdb_stub *s)        { return s->quit; }
