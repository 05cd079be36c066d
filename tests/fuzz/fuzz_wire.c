/*
 * tests/fuzz/fuzz_wire.c -- what the VMM's process may be sent by a debugger that lies.
 *   run    make fuzz
 *
 * The input is a row of messages (messages.h).  In byte 1 of each, bit 0: a file comes with it;
 * bit 1: then the guest runs for a while, if it was told to.  The machine is fuzz_gdb's, in this
 * process, and is put back behind each input.
 *
 * Whatever comes:
 *     what is sent back is whole: of a type that there is, as long as that type is
 *     every request has its answer, but one to run whose answer is the stop
 *     the monitor lives, and answers a pause; it ends only if it was asked to
 *     each descriptor that came is closed
 */
#include <stdio.h>
#include <sys/mman.h>

#include "one_guest.h"
#include "messages.h"
#include "vm/state.h"

#define MESSAGES 24                     /* of an input */
#define PATIENCE 20000                  /* slices of the guest's, until it must have stopped */

static uint64_t hash;                   /* of the machine as it was at first, without memory */
static int file = -1;                   /* what is sent along */
static bool answered;                   /* the message with last_id */
static uint32_t last_id;

/* How long each request is, and its answer. */
static const struct { size_t in, out; } sizes[N_WIRE_REQUESTS] = {
#define X(name, in, out) [WIRE_##name] = { sizeof(in), sizeof(out) },
    WIRE_LIST(X)
#undef X
};

/* ---- answers ---- */

static void check_notice(const struct fuzz_message *m)
{
    size_t n = m->head.bytes;
    switch (m->head.type) {
    case WIRE_STOPPED:
        bug_if(n != sizeof m->stop || !memchr(m->stop.text, 0, sizeof m->stop.text), "a bad stop");
        break;
    case WIRE_OUTPUT:
        bug_if(n < WIRE_BYTES_HEAD || n != WIRE_BYTES_HEAD + m->bytes.n, "bad output");
        break;
    default:
        bug_if(m->head.type != WIRE_RING_FULL || n, "a bad notice");
    }
}

static void check_message(const struct fuzz_message *m, size_t n)
{
    uint32_t type = m->head.type;
    bug_if(n < sizeof m->head || n != sizeof m->head + m->head.bytes, "a message is not whole");
    bug_if(m->head.error > 0, "an error has a wrong sign");
    answered |= m->head.id == last_id;
    if (type >= N_WIRE_REQUESTS && m->head.error != -EBADMSG) {
        check_notice(m);
        return;
    }
    n = m->head.bytes;
    bool open_ended = type == WIRE_DEVICE;
    bug_if(!m->head.error && n && !(open_ended ? n <= sizes[type].out : n == sizes[type].out),
           "an answer of type %u has %zu bytes", type, n);
}

static void run_vmm(void)
{
    static struct fuzz_message m;
    to_vmm();
    while (one.to_debugger.first) {
        ssize_t n = take_message(&one.to_debugger, &m, sizeof m, NULL);
        check_message(&m, (size_t)n);
    }
    one.trace->ring->tail = one.trace->ring->head;
}

/* ---- requests ---- */

/* A request that makes sense, and how long it is. */
static size_t template(struct fuzz_message *m, uint32_t type)
{
    memset(m->byte, 0, sizeof m->brk + sizeof m->state);
    size_t n = type < N_WIRE_REQUESTS ? sizes[type].in : 16;
    switch (type) {
    case WIRE_RUN:          m->run = (struct wire_run){ .how = LINK_STEP, .n = 1 }; break;
    case WIRE_PEEK:         m->peek = (struct wire_peek){ .size = 1, .at = 0x60 }; break;
    case WIRE_SET_STATE:    m->state.groups = ST_ALL; m->state.cpu = one.page->cpu; break;
    case WIRE_BREAK_ADD:
    case WIRE_BREAK_CHANGE: m->brk.nr = 1; m->brk.at = 0x1020; m->brk.enabled = true; break;
    case WIRE_BREAK_DELETE: m->brk.nr = 1; break;
    case WIRE_WRITE:        m->bytes.to = 1; m->bytes.at = 0x2000; // fall through
    case WIRE_TYPE:         m->bytes.n = 2; break;
    default: ;
    }
    return n;
}

static uint8_t *text_place(struct fuzz_message *m, unsigned which, size_t *room)
{
    switch (which) {
    case 0:  *room = sizeof m->brk.event;     return (uint8_t *)m->brk.event;
    case 1:  *room = sizeof m->brk.condition; return (uint8_t *)m->brk.condition;
    case 2:  *room = sizeof m->brk.agent;     return m->brk.agent;
    case 3:  *room = sizeof m->bytes.byte;    return m->bytes.byte;
    default: return NULL;
    }
}

static void one_request(struct fuzz_input *in)
{
    static struct fuzz_message m;
    uint32_t type = take(in) % (N_WIRE_REQUESTS + 2);
    unsigned how = take(in), off = how & 4 ? take(in) : 0;
    size_t n = template(&m, type);
    change(&m, in, how >> 3, text_place);
    if (type == WIRE_WRITE || type == WIRE_TYPE)
        n = WIRE_BYTES_HEAD + m.bytes.n % 300;
    n = (n + off) % WIRE_MAX;
    m.head = (struct wire_head){ type, ++last_id, 0, (uint32_t)n };
    lseek(file, 0, SEEK_SET);
    put_in(&one.to_vmm, &m, n, how & 1 ? file : -1);
    run_vmm();
    for (int i = 0; how & 2 && i < 4 && !one.vmm_has_ended; i++)
        run_vmm();
}

/* A pause, and a question that must have its answer. */
static void settle(void)
{
    static struct fuzz_message m;
    static const uint32_t types[] = { WIRE_PAUSE, WIRE_PEEK };
    for (size_t i = 0; i < NELEM(types) && !one.vmm_has_ended; i++) {
        size_t n = template(&m, types[i]);
        m.head = (struct wire_head){ types[i], ++last_id, 0, (uint32_t)n };
        answered = false;
        put_in(&one.to_vmm, &m, n, -1);
        for (int k = 0; k < PATIENCE && !answered; k++)
            run_vmm();
        bug_if(!answered, "request %u has no answer", types[i]);
    }
}

/* ---- an input ---- */

static int lowest_free_fd(void)
{
    int fd = dup(file);
    close(fd);
    return fd;
}

static void begin(void)
{
    struct link *l = one_guest_begin();
    one_guest_starts(l);
    one_process_keep();
    unlink(one_guest_path);
    hash = vm_hash_parts(one.vm);
    file = memfd_create("snapshot", MFD_CLOEXEC);
    bug_if(file < 0, "no file");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned n;
    if (file < 0)
        begin();
    struct fuzz_input in = { data, size };
    int next_fd = lowest_free_fd();
    last_id = 0;
    bug_if(ftruncate(file, 0), "the file is not emptied");
    world_enter(&kept.world);
    for (unsigned i = 0; in.left && i < MESSAGES && !one.vmm_has_ended; i++)
        one_request(&in);
    settle();
    if (one.vmm_has_ended && one.vmm->fd >= 0)
        close(one.vmm->fd);             /* as the end of its process does */
    one_process_put_back();
    bug_if(lowest_free_fd() != next_fd, "a descriptor is left open");
    bug_if(++n % 64 == 0 && (vm_hash_parts(one.vm) != hash ||
                             !world_same_ram(&kept.world, one.vm->gmem)),
           "the guest is not put back");
    return 0;
}
