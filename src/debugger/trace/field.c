/*
 * debugger/trace/field.c -- the table of fields, put together once from what is said
 * elsewhere: arguments from TRACE_LIST, and here the rest: how values look,
 * what is worth an index, and where an EXIT's two words have what.
 */
#include "debugger/trace/field.h"

#include <pthread.h>
#include <string.h>
#include <strings.h>

#include "base/host.h"
#include "base/x86.h"
#include "cpu/delivery.h"
#include "cpu/engine.h"
#include "cpu/state.h"
#include "debugger/trace/text.h"
#include "io/disk.h"
#include "io/oddity.h"
#include "mem/invariant.h"
#include "vm/vm.h"

#define MAX_FIELDS 96
#define NO_INDEX   0xff

/* Words of struct trace_event. */
enum { W_SEQ, W_TIME, W_ICOUNT, W_RIP, W_ARG, W_META = 7 };

/* Names that need saying more than that they exist.
 *    name         look     index   what it is */
#define KNOWN_LIST(X)                                                               \
    X(seq,         DEC,     NO_INDEX, "the event's number")                         \
    X(time,        TIME,    NO_INDEX, "virtual time: 1500, 1.5us, 20ms, 3s")        \
    X(icount,      DEC,     NO_INDEX, "guest instructions retired")                 \
    X(rip,         ADDRESS, 6,        "where the guest is (also: place): its linear " \
                                      "address, or CS:IP as in 07c0:0009")          \
    X(cs,          HEX,     NO_INDEX, "the code segment's selector there")          \
    X(ip,          HEX,     NO_INDEX, "the offset in that segment")                 \
    X(kind,        KIND,    NO_INDEX, "what happened")                              \
    X(layer,       LAYER,   NO_INDEX, "the monitor's layer that says so")           \
    X(engine,      ENGINE,  NO_INDEX, "who runs the guest")                         \
    X(vcpu,        DEC,     NO_INDEX, "on which virtual CPU")                       \
    X(cause,       DEC,     NO_INDEX, "the event this one answers; has(cause)")     \
    X(reason,      REASON,  0,        "why the guest stopped (also: exit)")         \
    X(port,        HEX,     0,        "an I/O port")                                \
    X(gpa,         HEX,     12,       "guest-physical address")                     \
    X(gla,         ADDRESS, 12,       "guest linear address")                       \
    X(address,     HEX,     0,        "a port or guest-physical address nobody claims") \
    X(vector,      HEX,     0,        "of an exception or interrupt")               \
    X(line,        DEC,     0,        "an interrupt line")                          \
    X(n,           DEC,     0,        "of a MARK")                                  \
    X(nr,          DEC,     0,        "of a hypercall")                             \
    X(leaf,        HEX,     0,        "of CPUID")                                   \
    X(msr,         HEX,     0,        "a model-specific register's number")         \
    X(cr,          DEC,     0,        "a control register's number")                \
    X(dr,          DEC,     NO_INDEX, "a debug register's number")                  \
    X(cr3,         HEX,     12,       "the page tables switched to")                \
    X(what,        ODDITY,  0,        "which oddity")                               \
    X(size,        DEC,     NO_INDEX, "of an access, or what was mapped, in bytes") \
    X(value,       HEX,     NO_INDEX, "read or written")                            \
    X(read,        YES_NO,  NO_INDEX, "an IN or a load")                            \
    X(write,       YES_NO,  NO_INDEX, "an OUT or a store")                          \
    X(verdict,     VERDICT, NO_INDEX, "how an exit was concluded")                  \
    X(mmu,         MMU,     NO_INDEX, "who translates")                             \
    X(perm,        RIGHTS,  NO_INDEX, "what a second-level entry allows")           \
    X(seed,        DEC,     NO_INDEX, "of the run")                                 \
    X(status,      DEC,     NO_INDEX, "of the process")                             \
    X(why,         STOPPED, NO_INDEX, "what ended the run")                         \
    X(exits,       DEC,     NO_INDEX, "in the whole run")                           \
    X(host_ns,     DEC,     NO_INDEX, "host nanoseconds in the monitor (--timing)") \
    X(entries,     DEC,     NO_INDEX, "how many")                                   \
    X(cached,      YES_NO,  NO_INDEX, "its shadow was still there")                 \
    X(level,       DEC,     NO_INDEX, "of an interrupt pin")                        \
    X(deadline,    DEC,     NO_INDEX, "virtual time at which a timer is due")       \
    X(generation,  DEC,     NO_INDEX, "of a timer")                                 \
    X(type,        EVENT,   NO_INDEX, "what is injected")                           \
    X(from,        MODE,    NO_INDEX, "operating mode before")                      \
    X(how,         STUCK,   0,        "in which way the guest is stuck")            \
    X(where,       HEX,     NO_INDEX, "a port, an address or a vector: see how")    \
    X(since_ns,    DEC,     NO_INDEX, "for how long already, in virtual nanoseconds") \
    X(broken,      INVARIANT, 0,      "which invariant")                            \
    X(found,       HEX,     NO_INDEX, "what was found: an address, or an error code") \
    X(obstacle,    OBSTACLE, 0,       "what kept an event from its handler")        \
    X(at,          HEX,     NO_INDEX, "the address or selector that is wrong")      \
    X(changed,     GPR,     NO_INDEX, "the first register that an instruction changed") \
    X(register,    GPR,     NO_INDEX, "another one")                                \
    X(to,          MODE,    NO_INDEX, "operating mode after; where RIP goes")       \
    X(drive,       DRIVE,   0,        "a disk: hda to hdd")                         \
    X(lba,         DEC,     0,        "the first sector of an operation")           \
    X(sectors,     DEC,     NO_INDEX, "how many")                                   \
    X(offset,      DEC,     9,        "in the disk's image, in bytes")              \
    X(bytes,       DEC,     NO_INDEX, "how many were read or written there")        \
    X(backing,     BACKING, 0,        "what the host did for a sector")

static const struct {
    const char *name;
    enum look look;
    uint8_t grain;
    const char *about;
} known[] = {
#define X(name, look, index, about) { #name, look, index, about },
    KNOWN_LIST(X)
#undef X
};

/* What every event has.  Not in a run of bits: the cause, which is counted back; rip and ip, where
 * the place is said as CS:IP; and the layer, which goes by the kind. */
static const struct { const char *name; uint8_t word, hi, lo; } always[] = {
    { "seq",    W_SEQ,    63,  0 }, { "time",   W_TIME, 63,  0 }, { "icount", W_ICOUNT, 63, 0 },
    { "rip",    W_RIP,    63,  0 }, { "ip",     W_RIP,  63,  0 }, { "kind",   W_META, 39, 32 },
    { "engine", W_META,   43, 41 }, { "vcpu",   W_META, 47, 44 }, { "cs",     W_META, 63, 48 },
};

/* An EXIT's qualification (Q) and extra (E), by reason: see cpu/exit.c.
 *    reason          field      word  hi  lo  in place, add */
#define Q (W_ARG + 1)
#define E (W_ARG + 2)
static const struct { uint8_t exit; const char *name; struct trace_field_source s; } parts[] = {
    { EXIT_IDX_EXCEPTION,     "gla",     { true, Q, 63,  0, false, 0 } },
    { EXIT_IDX_EXCEPTION,     "vector",  { true, E,  7,  0, false, 0 } },
    { EXIT_IDX_EXCEPTION,     "error",   { true, E, 63, 32, false, 0 } },
    { EXIT_IDX_TRIPLE_FAULT,  "vector",  { true, Q,  7,  0, false, 0 } },
    { EXIT_IDX_TRIPLE_FAULT,  "obstacle", { true, Q, 23, 16, false, 0 } },
    { EXIT_IDX_BREAKPOINT,    "gla",     { true, Q, 63,  0, false, 0 } },
    { EXIT_IDX_CPUID,         "leaf",    { true, Q, 31,  0, false, 0 } },
    { EXIT_IDX_CPUID,         "subleaf", { true, Q, 63, 32, false, 0 } },
    { EXIT_IDX_INVLPG,        "gla",     { true, Q, 63,  0, false, 0 } },
    { EXIT_IDX_VMCALL,        "nr",      { true, Q, 63,  0, false, 0 } },
    { EXIT_IDX_VMCALL,        "arg",     { true, E, 63,  0, false, 0 } },
    { EXIT_IDX_CR_ACCESS,     "cr",      { true, Q,  3,  0, false, 0 } },
    { EXIT_IDX_CR_ACCESS,     "value",   { true, E, 63,  0, false, 0 } },
    { EXIT_IDX_DR_ACCESS,     "dr",      { true, Q,  2,  0, false, 0 } },
    { EXIT_IDX_DR_ACCESS,     "value",   { true, E, 63,  0, false, 0 } },
    { EXIT_IDX_IO,            "port",    { true, Q, 31, 16, false, 0 } },
    { EXIT_IDX_IO,            "size",    { true, Q,  2,  0, false, 1 } },
    { EXIT_IDX_IO,            "read",    { true, Q,  3,  3, false, 0 } },
    { EXIT_IDX_IO,            "value",   { true, E, 63,  0, false, 0 } },
    { EXIT_IDX_RDMSR,         "msr",     { true, Q, 31,  0, false, 0 } },
    { EXIT_IDX_WRMSR,         "msr",     { true, Q, 31,  0, false, 0 } },
    { EXIT_IDX_WRMSR,         "value",   { true, E, 63,  0, false, 0 } },
    { EXIT_IDX_EPT_VIOLATION, "gpa",     { true, E, 63,  0, false, 0 } },
    { EXIT_IDX_EPT_VIOLATION, "gla",     { true, Q, 63, 12, true,  0 } },
    { EXIT_IDX_EPT_MISCONFIG, "gpa",     { true, E, 63,  0, false, 0 } },
    { EXIT_IDX_MMIO,          "gpa",     { true, Q, 51,  0, false, 0 } },
    { EXIT_IDX_MMIO,          "size",    { true, Q, 54, 52, false, 1 } },
    { EXIT_IDX_MMIO,          "read",    { true, Q, 55, 55, false, 0 } },
    { EXIT_IDX_MMIO,          "value",   { true, E, 63,  0, false, 0 } },
};
#undef Q
#undef E

static struct trace_field fields[MAX_FIELDS];
static size_t n_fields;
static pthread_once_t built = PTHREAD_ONCE_INIT;

/* The field of that name, made if there is none yet.  Fields come from several tables:
 * arguments of different kinds that have one name are one field. */
static struct trace_field *named(const char *name)
{
    for (size_t i = 0; i < n_fields; i++)
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    bug_if(n_fields == MAX_FIELDS, "more than %d fields", MAX_FIELDS);
    fields[n_fields] = (struct trace_field){ .name = name, .look = trace_field_look(name),
                                             .about = "" };
    return &fields[n_fields++];
}

/* The three arguments of a kind become fields by the names that TRACE_LIST gives them.  An
 * argument called rip (where RESUME goes on) would be mistaken for the event's own rip; as
 * a field it is called "to". */
static void add_arguments(enum trace_kind kind)
{
    for (uint8_t i = 0; i < 3; i++) {
        const char *name = trace_kinds[kind].arg[i];
        if (name[0])
            named(strcmp(name, "rip") == 0 ? "to" : name)->of_kind[kind] =
                (struct trace_field_source){ .is = true, .word = (uint8_t)(W_ARG + i), .hi = 63 };
    }
}

/* A constant for each kind: no bits of the event, and the layer added to them. */
static void add_layers(void)
{
    for (unsigned k = 0; k < N_TRACE_KINDS; k++)
        named("layer")->of_kind[k] = (struct trace_field_source){
            .is = true, .word = W_META, .hi = 0, .lo = 1, .add = trace_kinds[k].layer };
}

/* Two arguments of an INSN share their words with the instruction's bytes (cpu/insn_event.h). */
static void narrow_insn(void)
{
    named("changed")->of_kind[TRACE_INSN].hi = 7;
    named("rflags")->of_kind[TRACE_INSN].hi = 23;
}

/* By their place in the table of known fields, which comes first. */
enum known_field {
#define X(name, look, index, about) KNOWN_##name,
    KNOWN_LIST(X)
#undef X
};

/* BIT(kind) of those kinds that have the field; all bits where every event has it. */
static uint64_t kinds_of(const struct trace_field *f)
{
    uint64_t kinds = 0;
    bool every = f->of_kind[0].is && (f->of_kind[0].word < W_ARG || f->of_kind[0].word == W_META);
    if ((every && f - fields != KNOWN_layer) || f - fields == KNOWN_cause)
        return ~UINT64_C(0);    /* of kinds not known here too */
    for (unsigned k = 0; k < N_TRACE_KINDS; k++)
        kinds |= f->of_kind[k].is ? BIT(k) : 0;
    for (unsigned i = 0; i < N_EXITS; i++)
        kinds |= f->of_exit[i].is ? BIT(TRACE_EXIT) : 0;
    return kinds;
}

/* Put the table of fields together, once for the process; see pthread_once() below. */
static void build(void)
{
    for (size_t i = 0; i < NELEM(known); i++) {
        struct trace_field *f = named(known[i].name);
        f->about = known[i].about;
        f->indexed = known[i].grain != NO_INDEX;
        f->grain = f->indexed ? known[i].grain : 0;
    }
    for (unsigned k = 0; k < N_TRACE_KINDS; k++)
        add_arguments((enum trace_kind)k);
    narrow_insn();
    for (size_t i = 0; i < NELEM(always); i++)
        for (unsigned k = 0; k < N_TRACE_KINDS; k++)
            named(always[i].name)->of_kind[k] = (struct trace_field_source){
                .is = true, .word = always[i].word, .hi = always[i].hi, .lo = always[i].lo };
    add_layers();
    for (size_t i = 0; i < NELEM(parts); i++)
        named(parts[i].name)->of_exit[parts[i].exit] = parts[i].s;
    for (size_t i = 0; i < n_fields; i++)
        fields[i].kinds = kinds_of(&fields[i]);
}

size_t trace_fields_count(void)
{
    pthread_once(&built, build);
    return n_fields;
}

const struct trace_field *trace_field_at(size_t i)
{
    return i < trace_fields_count() ? &fields[i] : NULL;
}

const struct trace_field *trace_field_find(const char *name, size_t len)
{
    if (len == 4 && strncasecmp(name, "exit", len) == 0)
        return trace_field_find("reason", 6);
    if (len == 5 && strncasecmp(name, "place", len) == 0)
        return trace_field_find("rip", 3);
    for (size_t i = 0; i < trace_fields_count(); i++)
        if (strlen(fields[i].name) == len && strncasecmp(fields[i].name, name, len) == 0)
            return &fields[i];
    return NULL;
}

enum trace_field_role trace_field_role(const struct trace_field *f)
{
    switch (f - fields) {
    case KNOWN_seq:    return ROLE_SEQ;
    case KNOWN_time:   return ROLE_TIME;
    case KNOWN_icount: return ROLE_ICOUNT;
    case KNOWN_rip:    return ROLE_RIP;
    case KNOWN_ip:     return ROLE_IP;
    case KNOWN_cause:  return ROLE_CAUSE;
    }
    return ROLE_NONE;
}

bool trace_field_value(const struct trace_field *f, const struct trace_event *e, uint64_t *value)
{
    const struct trace_field_source *s = &f->of_kind[e->kind < N_TRACE_KINDS
                                                     ? e->kind : TRACE_START];
    uint64_t word[8];
    if (trace_field_role(f) == ROLE_CAUSE) {
        *value = e->seq - e->cause_back;
        return e->cause_back != 0;
    }
    if (trace_field_role(f) == ROLE_RIP || trace_field_role(f) == ROLE_IP) {
        *value = trace_field_role(f) == ROLE_RIP ? trace_linear(e) : trace_ip(e);
        return true;
    }
    if (e->kind >= N_TRACE_KINDS && f->kinds != ~UINT64_C(0))
        return false;           /* of a kind not known here only what every event has */
    if (!s->is && e->kind == TRACE_EXIT) {
        int i = e->arg[0] <= UINT32_MAX ? exit_index((unsigned)e->arg[0]) : -1;
        if (i >= 0)
            s = &f->of_exit[i];
    }
    if (!s->is)
        return false;
    memcpy(word, e, sizeof word);
    *value = trace_field_extract(s, word[s->word]);
    return true;
}

/*
 * Values and words
 */

enum look trace_field_look(const char *arg)
{
    for (size_t i = 0; i < NELEM(known); i++)
        if (strcmp(known[i].name, arg) == 0)
            return known[i].look;
    return HEX;
}

/* The engine's name, or NULL if x has none for it. */
static const char *engine_name(const struct trace_text *x, uint64_t engine)
{
    const char *name = engine <= UINT8_MAX ? trace_text_engine(x, (unsigned)engine) : "?";
    return strcmp(name, "?") ? name : NULL;
}

static const char *const stops[] = {
#define X(name, status, about) [VM_##name] = #name,
    VM_STOP_LIST(X)
#undef X
};

static const char *const modes[] = {
    [MODE_REAL] = "REAL", [MODE_V86] = "V86", [MODE_PROT16] = "PROT16", [MODE_PROT32] = "PROT32",
    [MODE_LONG16] = "LONG16", [MODE_LONG32] = "LONG32", [MODE_LONG64] = "LONG64",
};

static const char *const invariants[N_INVARIANTS] = {
#define X(name, at, found, base, about) [INVARIANT_##name] = #name,
    INVARIANT_LIST(X)
#undef X
};

static const char *const drives[MAX_DISKS] = { "hda", "hdb", "hdc", "hdd" };

static const char *const backings[N_DISK_BACKINGS] = {
#define X(id, name, about) [DISK_##id] = name,
    DISK_BACKING_LIST(X)
#undef X
};

const char *trace_field_word(const struct trace_text *x, enum look look, uint64_t v)
{
    static const char *const rights[8] = { "---", "r--", "-w-", "rw-", "--x", "r-x", "-wx", "rwx" };
    switch (look) {
    case KIND:    return v < N_TRACE_KINDS ? trace_kinds[v].name : NULL;
    case LAYER:   return v < N_LAYERS ? layer_names[v] : NULL;
    case VERDICT: return v < NELEM(verdict_names) ? verdict_names[v] : NULL;
    case ENGINE:  return engine_name(x, v);
    case MMU:     return v < NELEM(mmu_names) ? mmu_names[v] : NULL;
    case REASON:  return v <= UINT32_MAX && exit_index((unsigned)v) >= 0
        ? exit_name((unsigned)v) : NULL;
    case RIGHTS:  return v < 8 ? rights[v] : NULL;
    case YES_NO:  return v < 2 ? (v ? "yes" : "no") : NULL;
    case ODDITY:  return v < N_ODDITIES ? oddities[v].name : NULL;
    case STOPPED: return v < NELEM(stops) ? stops[v] : NULL;
    case EVENT:   return v < N_EVENT_TYPES ? event_type_names[v] : NULL;
    case MODE:    return v < NELEM(modes) ? modes[v] : NULL;
    case GPR:     return v < N_GPRS ? gpr_names[v] : v == TRACE_NO_REGISTER ? "none" : NULL;
    case STUCK:   return v < N_STUCK_HOWS ? stuck_infos[v].name : NULL;
    case INVARIANT: return v < N_INVARIANTS ? invariants[v] : NULL;
    case OBSTACLE: return v < N_OBSTACLES ? obstacle_infos[v].name : NULL;
    case DRIVE:   return v < NELEM(drives) ? drives[v] : NULL;
    case BACKING: return v < N_DISK_BACKINGS ? backings[v] : NULL;
    case HEX: case DEC: case ADDRESS: case TIME: return NULL;
    }
    return NULL;
}

static bool is_word(const char *word, const char *text, size_t len)
{
    return word && strlen(word) == len && strncasecmp(word, text, len) == 0;
}

bool trace_field_parse_word(const struct trace_text *x, enum look look, const char *word,
                            size_t len, uint64_t *value)
{
    for (unsigned i = 0; look == REASON && i < N_EXITS; i++)
        if (is_word(exit_infos[i].name, word, len)) {
            *value = exit_infos[i].reason;
            return true;
        }
    for (uint64_t v = 0; look != REASON && v <= UINT8_MAX; v++)
        if (is_word(trace_field_word(x, look, v), word, len)) {
            *value = v;
            return true;
        }
    return false;
}
