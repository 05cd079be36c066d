/*
 * debugger/gdb/packet.h -- the framing of GDB's remote protocol: bytes in, packets
 * out, and back.  No socket: what goes over one is the caller's business.
 *
 *     $ body # xx      a packet; xx is the sum of the body's bytes
 *     + -              it came whole; it did not: once more, please
 *     0x03             stop the guest
 *     } c              in a body: the byte c ^ 0x20
 *
 * Nothing that comes can do more than be refused: a wrong sum gives `-`, a body
 * that is too long is swallowed and answered by the next layer with an error,
 * and what is no packet is skipped.
 * [GDB "Overview" of the "Remote Protocol"; "Packet Acknowledgment"]
 */
#ifndef DEBUGGER_GDB_PACKET_H
#define DEBUGGER_GDB_PACKET_H

#include "base/types.h"

#define GDB_PACKET_MAX 0x20020          /* bytes of a body: 64 KiB in hexadecimal, and a head */

/* Bytes that grow. */
struct gdb_bytes { uint8_t *byte; size_t n, room; };

/* What a new packet, or the lack of one, means. */
enum gdb_got {
    GDB_NOTHING,                        /* more bytes are needed                         */
    GDB_PACKET,                         /* in body, n_body; a 0 follows                  */
    GDB_TOO_LONG,                       /* a packet whose body nobody kept               */
    GDB_INTERRUPT,                      /* Ctrl-C                                        */
};

struct gdb_packets {
    bool     no_ack;                    /* after QStartNoAckMode                         */
    bool     failed;                    /* out of memory: the connection is no use       */
    char    *body;                      /* of the packet being taken, unescaped          */
    size_t   n_body;
    enum { GDB_BETWEEN, GDB_BODY, GDB_ESCAPED, GDB_SUM1, GDB_SUM2 } state;
    bool     too_long;
    uint8_t  sum, sum_read;
    unsigned n_resent;                  /* since something else than a NAK came          */
    struct gdb_bytes answer;            /* of which the last packet was made: for a NAK  */
    struct gdb_bytes out;               /* to be sent                                    */
};

bool gdb_packets_init(struct gdb_packets *p);       /* false: out of memory */
void gdb_packets_reset(struct gdb_packets *p);      /* a new connection     */
void gdb_packets_free(struct gdb_packets *p);

/* Take bytes up to the end of the next packet: how many were taken, and what that gave. */
size_t gdb_packets_take(struct gdb_packets *p, const void *bytes, size_t n, enum gdb_got *got);

/* Do these bytes, which nobody has taken yet, begin with Ctrl-C, acknowledgements apart? */
bool gdb_begins_with_interrupt(const char *bytes, size_t n);

/* An answer: begin it, add to it, send it (into `out`). */
void gdb_begin(struct gdb_packets *p);
void gdb_put(struct gdb_packets *p, const char *text);
void gdb_printf(struct gdb_packets *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void gdb_put_hex(struct gdb_packets *p, const void *bytes, size_t n);
void gdb_put_binary(struct gdb_packets *p, const void *bytes, size_t n);     /* escaped */
void gdb_send(struct gdb_packets *p);

/* n bytes of hexadecimal text; how many bytes it was good for. */
size_t gdb_from_hex(const char *text, size_t n_digits, void *bytes, size_t room);

/* A hexadecimal number at *at, which is moved behind it; false: there is none, or it
 * has more than 64 bits. */
bool gdb_number(const char **at, const char *end, uint64_t *value);

#endif
