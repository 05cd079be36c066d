/*
 * tests/fuzz/fuzz_gdb.c -- what a debugger, or somebody who says to be one, may send.
 *   run    make fuzz
 *
 * An input that begins with a NUL is bytes as they come over the socket; any other
 * is a session, a packet's body on each line, made into packets here, so that
 * what is mutated is what they say.  A line of "^C" is the interrupt.
 * The machine is one for all inputs, and starts anew when it has ended.
 *
 * Whatever comes, what goes out is packets and acknowledgements, and the
 * monitor lives.  (`monitor` is fuzz_console's, and may write files.)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "debugger/gdb_stub.h"
#include "debugger/link.h"

/* 16-bit code at 1000h, as in tests/unit/test_gdb.c: counts, then goes to 32 bits for ever */
static const uint8_t code[0x70] = {
    0x31, 0xdb, 0x43, 0x89, 0x1e, 0x00, 0x20, 0x83, 0xfb, 0x03, 0x75, 0xf6, 0x0f, 0x01, 0x16, 0x60, 0x10,
    0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0, 0xea, 0x20, 0x10, 0x08, 0x00,
    [0x20] = 0x40, 0xbb, 0x78, 0x56, 0x34, 0x12, 0xeb, 0xf8,
    [0x48] = 0xff, 0xff, 0x00, 0x00, 0x00, 0x9b, 0xcf, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x93, 0xcf, 0x00,
    [0x60] = 0x17, 0x00, 0x40, 0x10, 0x00, 0x00,
};

static struct link *l;
static struct gdb_stub *stub;

static void restart(void)
{
    static char path[] = "/tmp/vitrine-fuzz-gdb-XXXXXX";
    char why[300];
    memset(strrchr(path, 0) - 6, 0x58, 6);          /* X */
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, code, sizeof code) != sizeof code)
        abort();
    close(fd);
    gdb_stub_free(stub);
    link_end(l);
    struct link_options o = {
        .machine = { .engine = &engine_soft, .mmu = MMU_NESTED, .ram_bytes = 2 << 20 },
        .guest = { .path = path, .format = "flat@0x1000:16" }, .no_sandbox = true,
    };
    l = link_start(&o, why, sizeof why);
    stub = l ? gdb_stub_new(&(struct gdb_options){ .link = l, .guest_path = path, .serves_file = true }) : NULL;
    if (!stub)
        abort();
    link_patience(l, 15000);            /* a busy machine is no hanging monitor */
    unlink(path);
}

/* Acknowledgements and whole packets with right sums. */
static void check_output(void)
{
    size_t n;
    const unsigned char *out = gdb_stub_output(stub, &n);
    for (size_t i = 0; i < n; i++) {
        unsigned sum = 0, said;
        if (out[i] == '+' || out[i] == '-')
            continue;
        if (out[i++] != '$')
            abort();
        for (; i < n && out[i] != '#'; i++)
            sum += out[i];
        char hex[3] = { i + 1 < n ? (char)out[i + 1] : 0, i + 2 < n ? (char)out[i + 2] : 0, 0 };
        if (i + 2 >= n || sscanf(hex, "%2x", &said) != 1 || said != (sum & 255))
            abort();
        i += 2;
    }
    gdb_stub_sent(stub, n);
}

static void give(const void *bytes, size_t n)
{
    gdb_stub_input(stub, bytes, n);
    link_poll(l, 0);
    gdb_stub_news(stub);
    check_output();
}

static void give_line(const char *line, size_t n)
{
    char *packet = malloc(n + 5);
    unsigned sum = 0;
    if (!packet)
        abort();
    for (size_t i = 0; i < n; i++)
        sum += (unsigned char)line[i];
    memcpy(packet + 1, line, n);
    packet[0] = '$';
    snprintf(packet + 1 + n, 4, "#%02x", sum & 255);
    if (n == 2 && !memcmp(line, "^C", 2))
        give("\003", 1);
    else
        give(packet, n + 4);
    free(packet);
}

/* The next input finds a machine that stands. */
static void settle(void)
{
    gdb_stub_gone(stub);
    if (link_state(l) == LINK_RUNNING && (link_pause(l) || link_wait(l, 15000)))
        abort();
    if (link_state(l) == LINK_DEAD)
        abort();
    if (link_state(l) == LINK_ENDED || gdb_stub_quit(stub))
        restart();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!l)
        restart();
    if (memmem(data, size, "Rcmd", 4))
        return 0;
    gdb_stub_connected(stub);
    if (size && !data[0]) {
        give(data + 1, size - 1);
    } else {
        const char *at = (const char *)data, *end = at + size;
        while (at < end) {
            const char *eol = memchr(at, '\n', (size_t)(end - at));
            eol = eol ? eol : end;
            give_line(at, (size_t)(eol - at));
            at = eol + (eol < end);
        }
    }
    settle();
    return 0;
}
