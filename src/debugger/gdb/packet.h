/*
 * debugger/gdb/packet.h -- the framing of GDB's remote protocol: bytes in, packets
 * out, and back.  No socket: what goes over one is the caller's business.
 *
 *     $ body # xx      a packet; xx is the sum of the body's bytes
 *     + -              it came whole; it did not: once more, please
 *     0x03             stop the guest
 *     } c              in a body: the byte c ^ 0x20
 *
 *     $m1000,4#8e      for example: 4 bytes of memory at 0x1000, please
 *     +$78563412#a4    it came whole; and the answer, in the order of memory
 *
 * The client is not trusted: a packet with a wrong sum is answered with `-`, one that is too
 * long is read to its end and then answered with an error (by stub.c), and bytes outside of
 * packets are skipped.  [GDB manual "Overview" of the "Remote Protocol", "Packet
 * Acknowledgment", "Interrupts"]
 */
#ifndef DEBUGGER_GDB_PACKET_H
#define DEBUGGER_GDB_PACKET_H

#include "base/types.h"

#define GDB_PACKET_MAX 0x20020          /* bytes of a body: 64 KiB in hexadecimal, and a head */

/* Bytes in a buffer of `room` bytes, which grows.  Freed by gdb_packets_free(). */
struct gdb_bytes { uint8_t *byte; size_t n, room; };

/* What a new packet, or the lack of one, means. */
enum gdb_got {
    GDB_NOTHING,                        /* more bytes are needed                         */
    GDB_PACKET,                         /* in body, n_body; a 0 follows                  */
    GDB_TOO_LONG,                       /* a packet whose body nobody kept               */
    GDB_INTERRUPT,                      /* Ctrl-C                                        */
};

/* Both directions of one connection. */
struct gdb_packets {
    bool     no_ack;                    /* after QStartNoAckMode: no `+` and `-`         */
    bool     failed;                    /* out of memory: close the connection           */

    /* The packet that is coming in. */
    char    *body;                      /* unescaped; GDB_PACKET_MAX bytes and a 0       */
    size_t   n_body;
    enum { GDB_BETWEEN, GDB_BODY, GDB_ESCAPED, GDB_SUM1, GDB_SUM2 } state;
    bool     too_long;                  /* bytes of it had to be dropped                 */
    uint8_t  sum, sum_read;             /* of the bytes; what the client says it is      */

    /* What goes out. */
    unsigned n_resent;                  /* how often the last packet was sent again      */
    struct gdb_bytes answer;            /* the last packet's body, kept to send it again */
    struct gdb_bytes out;               /* to be sent                                    */
};

/* Make an empty one (false: out of memory), begin anew with another client, free what it
 * holds. */
bool gdb_packets_init(struct gdb_packets *p);
void gdb_packets_reset(struct gdb_packets *p);
void gdb_packets_free(struct gdb_packets *p);

/* Take bytes up to the end of the next packet, and say in *got what that gave.  The result
 * is how many bytes were taken; call it again with the rest. */
size_t gdb_packets_take(struct gdb_packets *p, const void *bytes, size_t n, enum gdb_got *got);

/* Is the first of these bytes, after any acknowledgements, the interrupt (0x03)? Nothing is
 * taken. */
bool gdb_begins_with_interrupt(const char *bytes, size_t n);

/* To answer: begin an empty answer, add to it, and send it, which appends the whole packet
 * with its sum to `out`. If memory runs out, p->failed says so. */
void gdb_begin(struct gdb_packets *p);
void gdb_put(struct gdb_packets *p, const char *text);
void gdb_printf(struct gdb_packets *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void gdb_put_hex(struct gdb_packets *p, const void *bytes, size_t n);
void gdb_put_binary(struct gdb_packets *p, const void *bytes, size_t n);     /* escaped */
void gdb_send(struct gdb_packets *p);

/* Turn hexadecimal text into at most `room` bytes; how many there were before the text
 * ended or was no hexadecimal any more. */
size_t gdb_from_hex(const char *text, size_t n_digits, void *bytes, size_t room);

/* Read a hexadecimal number at *at, which is moved behind it; false if there is none, or it
 * has more than 64 bits. */
bool gdb_number(const char **at, const char *end, uint64_t *value);

#endif
