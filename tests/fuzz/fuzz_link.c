/*
 * tests/fuzz/fuzz_link.c -- what a VMM's process that a guest has taken over may tell the debugger.
 *   run    make fuzz
 *
 * The fuzzer plays the VMM.  The input is a row of steps: a message for the debugger (messages.h;
 * in byte 1 bit 0: it answers the next request, bit 1: with an error), bytes in the page of state
 * that both share, events in the shared ring, the VMM's end; and between them questions that the
 * debugger asks, by link.h and as gdb's stub.  The link, its store and the stub are put back
 * behind each input.
 *
 * Whatever comes: no crash, no hang, texts that end and print, numbers within what link.h says, and
 * the stub sends packets.
 */
#include <stdio.h>

#include "debugger/gdb/stub.h"
#include "debugger/trace/store.h"
#include "debugger/trace/text.h"
#include "io/device.h"
#include "one_guest.h"
#include "messages.h"
#include "vm/pc.h"

#define STEPS 40                        /* of an input */

static struct link *l;
static struct gdb_stub *stub;
static FILE *nowhere;
static int recording = -1;              /* the store's file, and how long it was at first */
static off_t recording_bytes;

/* ---- what the VMM does ---- */

static uint8_t *text_place(struct fuzz_message *m, unsigned which, size_t *room)
{
    switch (which) {
    case 0:  *room = sizeof m->stop.text;     return (uint8_t *)m->stop.text;
    case 1:  *room = sizeof m->brk.condition; return (uint8_t *)m->brk.condition;
    case 2:  *room = sizeof m->bytes.byte;    return m->bytes.byte;
    case 3:  *room = 300;                     return m->byte;
    default: return NULL;
    }
}

/* A message that makes sense, and how long it is. */
static size_t template(struct fuzz_message *m, uint32_t type)
{
    static const size_t answers[N_WIRE_REQUESTS] = {
#define X(name, in, out) [WIRE_##name] = sizeof(out) > 1 ? sizeof(out) : 0,
        WIRE_LIST(X)
#undef X
    };
    memset(m->byte, 0, 4096);
    switch (type) {
    case WIRE_STOPPED: m->stop.why = LINK_STEPPED;                            return sizeof m->stop;
    case WIRE_OUTPUT:  m->bytes.n = 3;                                     return WIRE_BYTES_HEAD + 3;
    case WIRE_DEVICE:  m->values.n = 2;            return offsetof(struct wire_values, value[2]);
    case WIRE_TYPE:    m->peek.value = 1;                                     return sizeof m->peek;
    default:           return type < N_WIRE_REQUESTS ? answers[type] : 0;
    }
}

static void say(struct fuzz_input *in)
{
    static struct fuzz_message m;
    uint32_t type = take(in) % (WIRE_RING_FULL + 2);
    unsigned how = take(in), off = how & 4 ? take(in) : 0;
    size_t n = template(&m, type);
    change(&m, in, how >> 3, text_place);
    if (type == WIRE_OUTPUT)
        n = WIRE_BYTES_HEAD + m.bytes.n % 300;
    n = (n + off) % WIRE_MAX;
    unsigned error = how & 2 ? take(in) : 0;
    m.head = (struct wire_head){ type, how & 1 ? l->id + 1 : 0,
                                 error == 255 ? INT32_MIN : -(int32_t)error, (uint32_t)n };
    put_in(&one.to_debugger, &m, n, -1);
}

static void change_page(struct fuzz_input *in)
{
    size_t at = take2(in) % sizeof *one.page, n;
    const uint8_t *bytes = take_string(in, &n);
    memcpy((uint8_t *)one.page + at, bytes, n < sizeof *one.page - at ? n : sizeof *one.page - at);
}

static struct trace_event *emitted[STEPS];     /* by this input */
static size_t n_emitted;

/* An event, of which some bytes are the input's. */
static void emit(struct fuzz_input *in)
{
    struct trace_ring *r = one.trace->ring;
    struct trace_event *e = &r->event[(r->head + 1) & (RING_EVENTS - 1)];
    emitted[n_emitted++] = e;
    size_t at = take(in) % sizeof *e, n;
    const uint8_t *bytes = take_string(in, &n);
    *e = (struct trace_event){ .seq = r->head + 1, .kind = (uint8_t)take(in) };
    memcpy((uint8_t *)e + at, bytes, n < sizeof *e - at ? n : sizeof *e - at);
    r->head++;
}

/* Numbers of the ring that no ring has. */
static void spoil_ring(struct fuzz_input *in)
{
    struct trace_ring *r = one.trace->ring;
    uint64_t *word = (uint64_t *)r + take(in) % 6;
    unsigned small = take(in);
    *word = word == &r->head ? r->tail + small % 64 : small & 1 ? ~(uint64_t)small : small;
}

static void end(struct fuzz_input *in)
{
    (void)in;
    one.vmm_has_ended = true;
}

/* ---- what the debugger asks ---- */

static void check_text(const char *text, size_t room)
{
    const char *nul = memchr(text, 0, room);
    bug_if(!nul, "a text has no end");
    for (; text < nul; text++)
        bug_if((unsigned char)*text < ' ' || *text == 127, "a text has control characters");
}

static void ask_poll(struct fuzz_input *in)
{
    (void)in;
    link_poll(l, 0);
    bug_if(link_state(l) > LINK_DEAD, "no such state");
    check_text(link_stopped(l)->text, sizeof link_stopped(l)->text);
}

static void ask_run(struct fuzz_input *in)
{
    unsigned how = take(in);
    if (how == 255)
        link_run_range(l, take2(in), take2(in));
    else if (how == 254)
        link_go_on(l);
    else if (how == 253)
        link_pause(l);
    else
        link_run(l, how % N_LINK_RUNS, how / N_LINK_RUNS);
    check_text(link_refusal(l), 200);
}

static void ask_state(struct fuzz_input *in)
{
    struct cpu_state s;
    struct link_status st;
    struct delivery_chain chain;
    (void)in;
    link_get_state(l, &s);
    link_get_status(l, &st);
    link_get_undelivered(l, &chain);
    free(link_explain(l, NULL));
}

static void ask_screen(struct fuzz_input *in)
{
    static uint16_t cells[LINK_CELLS];
    struct vga_text m;
    (void)in;
    link_screen(l, &m, cells);
}

static void ask_device(struct fuzz_input *in)
{
    struct pc_part part[32];
    size_t n_parts = link_parts(l, part, NELEM(part)), i = take(in) % n_parts;
    size_t n = WIRE_VALUES;
    static uint64_t values[WIRE_VALUES];
    if (link_device(l, (unsigned)i, values, &n) == 0 &&
        n == device_values(part[i].ops, NULL, NULL, 0))
        device_show_values(part[i].ops, values, nowhere);
}

static void ask_peek(struct fuzz_input *in)
{
    uint64_t value;
    unsigned size = 1u << take(in) % 4;
    link_peek_port(l, (uint16_t)take2(in), size, &value);
    link_peek_mmio(l, take2(in), size, &value);
}

static void ask_tables(struct fuzz_input *in)
{
    struct link_second s;
    struct walk w;
    uint8_t bytes[64];
    if (link_second(l, take2(in), &s) == 0)
        bug_if(s.depth > NELEM(s.step), "more steps than there is room for");
    link_walk(l, take2(in), WALK_READ, &w);
    link_read_linear(l, take2(in), bytes, sizeof bytes);
    link_readable(l, take2(in), 5000);
}

static void ask_break(struct fuzz_input *in)
{
    char why[200] = "";
    struct link_break b = { .at = take2(in), .enabled = true };
    link_break_add(l, &b, why, sizeof why);
    check_text(why, sizeof why);
    if (link_break_at(l, take(in), &b) == 0) {
        bug_if(!memchr(b.event, 0, sizeof b.event) || !memchr(b.condition, 0, sizeof b.condition),
               "a text of a breakpoint has no end");
        link_break_change(l, &b, why, sizeof why);
    }
    link_break_delete(l, b.nr);
}

static void ask_type(struct fuzz_input *in)
{
    size_t n;
    const uint8_t *text = take_string(in, &n);
    ssize_t typed = link_type(l, LINK_TO_KEYBOARD, (const char *)text, n);
    bug_if(typed > (ssize_t)n, "more was typed than there is");
}

static void ask_texts(struct fuzz_input *in)
{
    char buf[100];
    (void)in;
    for (unsigned i = 0; i < N_LINK_OUTPUTS; i++)
        bug_if(link_take_output(l, i, buf, sizeof buf) > sizeof buf, "more than there is room for");
    link_take_words(l, buf, sizeof buf);
}

static void ask_events(struct fuzz_input *in)
{
    struct store *s = link_store(l);
    uint64_t n = store_n_events(s), from = n > 4 ? n - 4 : 0;
    (void)in;
    for (uint64_t i = from; i < n; i++) {
        const struct trace_event *e = store_at(s, i);
        if (e)
            trace_text_line(store_text(s), e, nowhere);
    }
}

/* ---- as gdb's stub ---- */

static void check_output(void)
{
    size_t n;
    const unsigned char *out = gdb_stub_output(stub, &n);
    for (size_t i = 0; i < n; i++) {
        const unsigned char *sum;
        if (out[i] == '+' || out[i] == '-')
            continue;
        bug_if(out[i] != '$', "this is no packet");
        sum = memchr(out + i, '#', n - i);
        bug_if(!sum || out + n - sum < 3, "a packet has no end");
        i = (size_t)(sum - out) + 2;
    }
    gdb_stub_sent(stub, n);
}

static void ask_as_stub(struct fuzz_input *in)
{
    static const char *const packets[] = {
        "$?#3f", "$g#67", "$s#73", "$c#63", "\003", "$qXfer:threads:read::0,1000#a9",
        "$m1000,40#2e", "$qRcmd,696e666f206d656d#86", "$Z0,1020,1#d5", "$bs#d5",
    };
    const char *p = packets[take(in) % NELEM(packets)];
    gdb_stub_input(stub, p, strlen(p));
    link_poll(l, 0);
    gdb_stub_news(stub);
    check_output();
}

/* ---- an input ---- */

typedef void step_fn(struct fuzz_input *in);

static step_fn *const steps[] = {
    say, ask_poll, ask_run, ask_state, change_page, emit, spoil_ring, end, ask_screen, ask_device,
    ask_peek, ask_tables, ask_break, ask_type, ask_texts, ask_events, ask_as_stub,
};

struct trace_writer *__real_trace_writer_open_fd(int fd, const char *name, const struct trace *t,
                                                 const char *info);
struct trace_writer *__wrap_trace_writer_open_fd(int fd, const char *name, const struct trace *t,
                                                 const char *info);
struct trace_writer *__wrap_trace_writer_open_fd(int fd, const char *name, const struct trace *t,
                                                 const char *info)
{
    recording = dup(fd);
    return __real_trace_writer_open_fd(fd, name, t, info);
}

/* The library's own keeps what it says of a number that is none in memory of its own. */
char *__wrap_strerror(int err);
char *__wrap_strerror(int err)
{
    static char text[40];
    snprintf(text, sizeof text, "error %d", err);
    return text;
}

static void begin(void)
{
    nowhere = fopen("/dev/null", "w");
    l = one_guest_begin();
    stub = gdb_stub_new(&(struct gdb_options){ .link = l });
    bug_if(!stub || !nowhere, "no memory");
    one.vmm_is_played = true;
    link_patience(l, 0);                /* who is not answered at once is not answered */
    gdb_stub_connected(stub);
    kept.world.whole = true;            /* a message may lie anywhere in its buffer */
    one_process_keep();
    recording_bytes = lseek(recording, 0, SEEK_END);
    unlink(one_guest_path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    if (!l)
        begin();
    world_enter(&kept.world);
    for (unsigned i = 0; in.left && i < STEPS; i++)
        steps[take(&in) % NELEM(steps)](&in);
    ask_poll(&in);
    gdb_stub_gone(stub);
    one_process_put_back();
    while (n_emitted)
        memset(emitted[--n_emitted], 0, sizeof *emitted[0]);
    bug_if(ftruncate(recording, recording_bytes), "the recording is not cut off");
    return 0;
}
