/*
 * tests/fuzz/fuzz_gdb.c -- what a debugger, or somebody who says to be one, may send.
 *   run    make fuzz
 *
 * An input that begins with a NUL is bytes as they come over the socket; any other
 * is a session, a packet's body on each line, made into packets here, so that
 * what is mutated is what they say.  A line of "^C" is the interrupt, one of "..." lets
 * the guest run for a while, and a `monitor` command is in plain text.
 * The machine, the link and the stub are one for all inputs, in this process, and are put back
 * behind each (one_process.h).
 *
 * Whatever comes:
 *     what goes out is packets and acknowledgements
 *     the monitor lives, and answers a pause
 *     a guest that was told to go on is told of once as stopped, or still runs
 *     a guest that was only looked at is as it was before (vm_hash())
 * (Other `monitor` commands than those below are fuzz_console's, and may write files.)
 */
#include <stdio.h>

#include "base/trace.h"
#include "debugger/gdb/stub.h"
#include "debugger/symbols/gdb_regs.h"
#include "one_guest.h"
#include "vm/state.h"

#define LONG_ENOUGH 120                 /* bytes of an input that is made here */
#define PATIENCE 20000                  /* slices of the guest's, until it must have stopped */

static struct link *l;
static struct gdb_stub *stub;
static uint64_t hash;                   /* of the machine as it was at first, without memory */
static bool touched;                    /* the input may have changed it     */
static bool loose;                      /* ... or ended the conversation     */
static unsigned asked, answers;

/* Acknowledgements and whole packets with right sums.  Console output is no answer. */
static void check_output(void)
{
    size_t n;
    const unsigned char *out = gdb_stub_output(stub, &n);
    for (size_t i = 0; i < n; i++) {
        unsigned sum = 0, said;
        if (out[i] == '+' || out[i] == '-')
            continue;
        bug_if(out[i++] != '$', "this is no packet");
        answers += i < n && !(out[i] == 'O' && out[i + 1] != 'K');
        for (; i < n && out[i] != '#'; i++)
            sum += out[i];
        char hex[3] = { i + 1 < n ? (char)out[i + 1] : 0, i + 2 < n ? (char)out[i + 2] : 0, 0 };
        bug_if(i + 2 >= n || sscanf(hex, "%2x", &said) != 1 || said != (sum & 255), "a wrong sum");
        i += 2;
    }
    gdb_stub_sent(stub, n);
}

static void look(void)
{
    link_poll(l, 0);
    gdb_stub_news(stub);
    check_output();
}

static void give(const void *bytes, size_t n)
{
    gdb_stub_input(stub, bytes, n);
    look();
}

static void give_packet(const char *body, size_t n)
{
    char *packet = malloc(n + 5);
    unsigned sum = 0;
    bug_if(!packet, "no memory");
    for (size_t i = 0; i < n; i++)
        sum += (unsigned char)body[i];
    memcpy(packet + 1, body, n);
    packet[0] = '$';
    snprintf(packet + 1 + n, 4, "#%02x", sum & 255);
    give(packet, n + 4);
    free(packet);
}

/* One instruction on, back, and on again: what the first request to run and the first to go back
 * make, the machine's past and a ring of events for it, is made once. */
static void go_once(void)
{
    static const char *const ways[] = { "s", "bs", "s" };
    gdb_stub_connected(stub);
    for (size_t i = 0; i < NELEM(ways); i++) {
        give_packet(ways[i], strlen(ways[i]));
        for (int k = 0; k < PATIENCE && link_state(l) == LINK_RUNNING; k++)
            look();
        bug_if(link_state(l) != LINK_STOPPED, "`%s` does not stop", ways[i]);
    }
    gdb_stub_gone(stub);
}

static void begin(void)
{
    size_t bytes;
    for (unsigned a = 0; a < N_GDB_ARCHS; a++)
        gdb_reg_xml(a, &bytes);         /* makes tables that stay as long as the process */
    l = one_guest_begin();
    stub = gdb_stub_new(&(struct gdb_options){ .link = l, .guest_path = one_guest_path,
                                               .serves_file = true });
    bug_if(!stub, "no memory");
    go_once();
    one_guest_starts(l);
    gdb_stub_connected(stub);
    one_process_keep();
    hash = vm_hash_parts(one.vm);
    unlink(one_guest_path);
}

/* What may be said to the console here: nothing that writes a file. */
static void give_command(const char *line, size_t n)
{
    static const char *const allowed[] = {
        "pause", "stepi", "continue", "reverse-stepi", "info mem", "info registers",
        "break code 0x1020",
        "delete", "next", "where", "why", "walk 0x1000",
    };
    char body[200] = "qRcmd,";
    for (size_t i = 0; i < NELEM(allowed); i++)
        if (strlen(allowed[i]) == n && !memcmp(allowed[i], line, n)) {
            for (size_t k = 0; k < n; k++)
                snprintf(body + 6 + 2 * k, 3, "%02x", (unsigned char)line[k]);
            touched = true;
            asked++;
            give_packet(body, 6 + 2 * n);
        }
}

static void give_line(const char *line, size_t n)
{
    static const char looks[] = "gmpxqQ?HTzZ!";
    if (n == 2 && !memcmp(line, "^C", 2)) {
        give("\003", 1);
    } else if (n == 3 && !memcmp(line, "...", 3)) {
        for (int i = 0; i < 6; i++)
            look();
    } else if (n > 8 && !memcmp(line, "monitor ", 8)) {
        give_command(line + 8, n - 8);
    } else {
        bool breaks = n && (memchr(line, '#', n) || memchr(line, '$', n) || memchr(line, 3, n) ||
                             memchr(line, '}', n));
        touched |= breaks || !n || !memchr(looks, line[0], sizeof looks - 1);
        loose |= breaks || (n && memchr("DkR!", line[0], 4)) ||
                 (n >= 5 && !memcmp(line, "vKill", 5));
        asked++;
        give_packet(line, n);
    }
}

/* The guest stands, and every packet has had its answer. */
static void settle(void)
{
    if (!gdb_stub_wants_close(stub) && !loose) {
        for (int i = 0; i < PATIENCE && answers < asked; i++)
            give("\003", 1);
        bug_if(answers != asked, "%u packets, %u answers", asked, answers);
    }
    gdb_stub_gone(stub);
    for (int i = 0; i < PATIENCE && link_state(l) == LINK_RUNNING; i++) {
        if (i == 0)
            link_pause(l);
        link_poll(l, 0);
    }
    bug_if(link_state(l) == LINK_RUNNING, "the guest does not pause");
    bug_if(link_state(l) == LINK_DEAD, "the monitor is gone");
}

static bool is_as_at_first(void)
{
    return vm_hash_parts(one.vm) == hash && world_same_ram(&kept.world, one.vm->gmem);
}

/* All as it was for the first input; now and then it is checked that the guest is. */
static void put_back(void)
{
    static unsigned n, n_looked;
    bug_if(!touched && ++n_looked % 16 == 0 && !is_as_at_first(), "looking has changed the guest");
    one_process_put_back();
    bug_if(++n % 64 == 0 && !is_as_at_first(), "the guest is not put back");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!l)
        begin();
    if (memmem(data, size, "Rcmd", 4))
        return 0;
    asked = answers = 0;
    touched = loose = size && !data[0];
    world_enter(&kept.world);
    if (size && !data[0]) {
        give(data + 1, size - 1);
    } else {
        const char *at = (const char *)data, *end = at + size;
        while (at < end && !gdb_stub_wants_close(stub)) {
            const char *eol = memchr(at, '\n', (size_t)(end - at));
            eol = eol ? eol : end;
            give_line(at, (size_t)(eol - at));
            at = eol + (eol < end);
        }
    }
    settle();
    put_back();
    return 0;
}

/* ---- mutation, a packet at a time ---- */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);

static const char *const packets[] = {
    "c", "s", "bs", "bc", "^C", "...", "?", "g", "vCont;c", "vCont;s:p1.1", "vCont;t",
    "vCont;r1020,1026:p1.1", "Z0,1020,1", "z0,1020,1", "Z1,1003,1", "Z2,2000,2", "z2,2000,2",
    "Z4,1040,4", "m1000,40", "x1000,40",
    "M2000,2:1234", "X2000,1:a", "p10", "P8=20100000", "P18=11000080", "qMemoryRegionInfo:1000",
    "qSearch:memory:0;1100;ab", "qCRC:1000,20", "qXfer:threads:read::0,1000",
    "qXfer:features:read:target.xml:0,1000", "qXfer:memory-map:read::0,1000", "!", "D;1", "D", "k",
    "vAttach;1",
    "qSupported:multiprocess+;exec-events+;swbreak+;hwbreak+;error-message+", "QStartNoAckMode",
    "vFile:setfs:0", "vFile:pread:3,40,0", "vFile:close:3", "monitor pause", "monitor stepi",
    "monitor continue",
    "monitor reverse-stepi", "monitor info mem", "monitor next",
};

/* Where a line begins that is drawn by lot. */
static size_t some_line(const uint8_t *data, size_t size, unsigned lot)
{
    size_t at = size ? lot % size : 0;
    while (at && data[at - 1] != '\n')
        at--;
    return at;
}

static size_t line_end(const uint8_t *data, size_t size, size_t at)
{
    const uint8_t *eol = at < size ? memchr(data + at, '\n', size - at) : NULL;
    return eol ? (size_t)(eol - data) + 1 : size;
}

static size_t insert(uint8_t *data, size_t size, size_t room, size_t at, const void *line, size_t n)
{
    if (size + n > room)
        return size;
    memmove(data + at + n, data + at, size - at);
    memcpy(data + at, line, n);
    return size + n;
}

/* Packets put in, taken out, said again elsewhere; or their bytes changed. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
    unsigned what = seed % 6, lot = seed / 6;
    char line[200];
    if (room > LONG_ENOUGH)             /* a long session is a slow one */
        room = size > LONG_ENOUGH ? size : LONG_ENOUGH;
    if ((size && !data[0]) || what > 3)
        return LLVMFuzzerMutate(data, size, room);
    size_t at = some_line(data, size, lot), end = line_end(data, size, at);
    if (what == 0 && end > at) {                        /* out */
        memmove(data + at, data + end, size - end);
        return size - (end - at);
    }
    if (what == 1 && end > at && end - at < sizeof line && data[end - 1] == '\n') {     /* again */
        memcpy(line, data + at, end - at);
        return insert(data, size, room, some_line(data, size, lot * 2654435761u), line, end - at);
    }
    if (what == 2 && end > at + 1) {                    /* this line only */
        size_t n = end - at, rest = size - end;
        uint8_t *copy = malloc(room);
        memcpy(copy, data + end, rest);
        n = LLVMFuzzerMutate(data + at, n, room - at - rest);
        memcpy(data + at + n, copy, rest);
        free(copy);
        return at + n + rest;
    }
    int n = snprintf(line, sizeof line, "%s\n", packets[lot % NELEM(packets)]);
    return insert(data, size, room, some_line(data, size, lot * 2654435761u), line, (size_t)n);
}
