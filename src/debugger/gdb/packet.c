/*
 * debugger/gdb/packet.c -- the framing of packets; see gdb/packet.h.
 *
 *              $                #               digit          digit
 *   BETWEEN -------> BODY -----------> SUM1 -----------> SUM2 -----------> BETWEEN
 *                    |  ^
 *                  } |  | any byte
 *                    v  |
 *                   ESCAPED
 *
 * Begin reading with one_byte(), which takes one step in this picture.
 */
#include "debugger/gdb/packet.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_RESENDS 8                   /* then something else must be wrong */

/* ---- bytes ---- */

/* Room for `more` bytes behind those there are.  false: out of memory, and the connection
 * has failed. */
static bool make_room(struct gdb_packets *p, struct gdb_bytes *b, size_t more)
{
    size_t room = b->room ? b->room : 4096;
    while (room < b->n + more)
        room *= 2;
    if (room == b->room)
        return true;
    uint8_t *bytes = realloc(b->byte, room);
    if (!bytes) {
        p->failed = true;
        return false;
    }
    b->byte = bytes;
    b->room = room;
    return true;
}

static void append_bytes(struct gdb_packets *p, struct gdb_bytes *b, const void *bytes, size_t n)
{
    if (!make_room(p, b, n))
        return;
    memcpy(b->byte + b->n, bytes, n);
    b->n += n;
}

bool gdb_packets_init(struct gdb_packets *p)
{
    *p = (struct gdb_packets){ .body = malloc(GDB_PACKET_MAX + 1) };
    return p->body != NULL;
}

/* The buffers are kept. */
void gdb_packets_reset(struct gdb_packets *p)
{
    struct gdb_packets fresh = { .body = p->body, .answer = p->answer, .out = p->out };
    fresh.answer.n = fresh.out.n = 0;
    *p = fresh;
}

void gdb_packets_free(struct gdb_packets *p)
{
    free(p->body);
    free(p->answer.byte);
    free(p->out.byte);
    *p = (struct gdb_packets){ .body = NULL };
}

/* ---- hexadecimal ---- */

static const char digits[] = "0123456789abcdef";

/* The value of a hexadecimal digit, or -1. */
static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Two digits make a byte; a lone digit at the end makes none. */
size_t gdb_from_hex(const char *text, size_t n_digits, void *bytes, size_t room)
{
    uint8_t *to = bytes;
    size_t n = 0;
    for (; n < room && 2 * n + 1 < n_digits; n++) {
        int hi = digit(text[2 * n]), lo = digit(text[2 * n + 1]);
        if (hi < 0 || lo < 0)
            break;
        to[n] = (uint8_t)(hi << 4 | lo);
    }
    return n;
}

bool gdb_number(const char **at, const char *end, uint64_t *value)
{
    const char *s = *at;
    uint64_t v = 0;
    for (; s < end && digit(*s) >= 0; s++) {
        if (v >> 60)
            return false;
        v = v << 4 | (unsigned)digit(*s);
    }
    if (s == *at)
        return false;
    *at = s;
    *value = v;
    return true;
}

/* ---- answers ---- */

void gdb_begin(struct gdb_packets *p)
{
    p->answer.n = 0;
}

void gdb_put(struct gdb_packets *p, const char *text)
{
    append_bytes(p, &p->answer, text, strlen(text));
}

/* For short texts: at most 399 bytes. */
void gdb_printf(struct gdb_packets *p, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    gdb_put(p, text);
}

/* Memory is sent so, and a register bank has hundreds of bytes, hence the table of all 256
 * pairs of digits. */
void gdb_put_hex(struct gdb_packets *p, const void *bytes, size_t n)
{
    const uint8_t *from = bytes;
    static uint16_t pair[256];          /* two digits, in the order of memory */
    if (!pair[1])
        for (unsigned i = 0; i < 256; i++)
            pair[i] = (uint16_t)((uint8_t)digits[i >> 4] | (uint8_t)digits[i & 15] << 8);
    if (!make_room(p, &p->answer, 2 * n))
        return;
    uint8_t *to = p->answer.byte + p->answer.n;
    for (size_t i = 0; i < n; i++)
        memcpy(to + 2 * i, &pair[from[i]], 2);
    p->answer.n += 2 * n;
}

/* Bytes that mean something in the protocol are escaped: `}` and the byte XOR 0x20. `*` is
 * one of them, since in answers it stands for repetition.  [GDB manual "Overview"] */
void gdb_put_binary(struct gdb_packets *p, const void *bytes, size_t n)
{
    const uint8_t *from = bytes;
    if (!make_room(p, &p->answer, 2 * n))
        return;
    uint8_t *to = p->answer.byte + p->answer.n;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = from[i];
        if (c == '$' || c == '#' || c == '}' || c == '*') {
            *to++ = '}';
            c ^= 0x20;
        }
        *to++ = c;
    }
    p->answer.n = (size_t)(to - p->answer.byte);
}

/* $ body # sum.  The sum is that of the body as it is sent, escapes included. */
void gdb_send(struct gdb_packets *p)
{
    uint8_t sum = 0;
    size_t n = p->answer.n;
    if (!make_room(p, &p->out, n + 4))
        return;
    uint8_t *to = p->out.byte + p->out.n;
    *to++ = '$';
    if (n)
        memcpy(to, p->answer.byte, n);
    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + to[i]);
    to += n;
    *to++ = '#';
    *to++ = (uint8_t)digits[sum >> 4];
    *to = (uint8_t)digits[sum & 15];
    p->out.n += n + 4;
}

/* ---- taking ---- */

/* `+` or `-`, unless the client has asked to do without them. */
static void acknowledge(struct gdb_packets *p, char how)
{
    if (!p->no_ack)
        append_bytes(p, &p->out, &how, 1);
}

/* The client says that the last packet came broken: send it again.  Not if bytes of it are
 * still waiting to be sent, and not for ever. */
static void resend(struct gdb_packets *p)
{
    if (p->no_ack || !p->answer.n || p->out.n || p->n_resent >= MAX_RESENDS)
        return;
    p->n_resent++;
    gdb_send(p);
}

static void begin_body(struct gdb_packets *p)
{
    p->state = GDB_BODY;
    p->n_body = 0;
    p->sum = 0;
    p->too_long = false;
}

/* A byte between packets.  `+` is ignored: what has been sent is not kept waiting for it. */
static enum gdb_got between(struct gdb_packets *p, uint8_t c)
{
    if (c == '$')
        begin_body(p);
    else if (c == '-')
        resend(p);
    else if (c == 0x03)
        return GDB_INTERRUPT;
    return GDB_NOTHING;
}

bool gdb_begins_with_interrupt(const char *bytes, size_t n)
{
    while (n && *bytes == '+')
        bytes++, n--;
    return n && *bytes == 0x03;
}

/* A byte of the body.  What has no room is dropped, and the packet counts as too long. */
static void keep(struct gdb_packets *p, uint8_t c)
{
    if (p->n_body < GDB_PACKET_MAX)
        p->body[p->n_body++] = (char)c;
    else
        p->too_long = true;
}

/* The packet is complete: acknowledge it, or ask for it once more.  After QStartNoAckMode
 * sums need not be checked, as nothing could be done about them. */
static enum gdb_got whole(struct gdb_packets *p)
{
    p->state = GDB_BETWEEN;
    if (p->sum != p->sum_read && !p->no_ack) {
        acknowledge(p, '-');
        return GDB_NOTHING;
    }
    acknowledge(p, '+');
    p->n_resent = 0;
    p->body[p->n_body] = 0;
    return p->too_long ? GDB_TOO_LONG : GDB_PACKET;
}

/* The state machine that reads packets.  Escaped bytes count for the sum as they came.  A
 * digit of the sum that is none is replaced by one that is wrong for sure, so the sum will
 * not match. */
static enum gdb_got one_byte(struct gdb_packets *p, uint8_t c)
{
    switch (p->state) {
    case GDB_BETWEEN:
        return between(p, c);
    case GDB_BODY:
        if (c == '$') {                 /* a new packet: the last one has no end */
            begin_body(p);
            return GDB_NOTHING;
        }
        if (c == '#') {
            p->state = GDB_SUM1;
            return GDB_NOTHING;
        }
        p->sum = (uint8_t)(p->sum + c);
        if (c == '}')
            p->state = GDB_ESCAPED;
        else
            keep(p, c);
        return GDB_NOTHING;
    case GDB_ESCAPED:
        p->sum = (uint8_t)(p->sum + c);
        keep(p, c ^ 0x20);
        p->state = GDB_BODY;
        return GDB_NOTHING;
    case GDB_SUM1:
        p->sum_read = (uint8_t)(digit((char)c) < 0 ? ~p->sum & 0xf0 : digit((char)c) << 4);
        p->state = GDB_SUM2;
        return GDB_NOTHING;
    case GDB_SUM2:
        p->sum_read |= (uint8_t)(digit((char)c) < 0 ? ~p->sum & 0x0f : digit((char)c));
        return whole(p);
    }
    return GDB_NOTHING;
}

size_t gdb_packets_take(struct gdb_packets *p, const void *bytes, size_t n, enum gdb_got *got)
{
    const uint8_t *from = bytes;
    size_t i = 0;
    *got = GDB_NOTHING;
    while (i < n && *got == GDB_NOTHING)
        *got = one_byte(p, from[i++]);
    return i;
}
