/*
 * lab/wire.h -- what the monitor and a student's process say to each other.
 *
 * In a lab the student writes one part of the monitor, and that part runs in a process of
 * its own: the *submission*.  The trusted monitor has a *stand-in* in the part's place, which
 * turns each call of the part into a message and waits for the reply.  The submission's end
 * (a *server*) turns the message back into a call of what the student wrote.
 *
 *     trusted monitor                                   submission
 *     pic_ack()  in lab/07-.../standin.c   -- CALL -->   lab_serve() -> pic_ack() of the student
 *                                         <-- TELL --   irq_set(): the INT output moved
 *                                         <-- REPLY -   the vector
 *
 * While one side waits for a reply it serves what the other one asks meanwhile, so calls can
 * nest.  A TELL is a message that wants no reply.  The wire is a socket that keeps messages
 * apart (SOCK_SEQPACKET); when a process dies, the other end reads end-of-file.
 *
 * The submission may send anything.  Here a message is checked to be whole and of a kind that
 * is due; what its numbers mean is for the stand-in to check.
 */
#ifndef LAB_WIRE_H
#define LAB_WIRE_H

#include "base/types.h"

/* The descriptor that both processes inherit. */
#define LAB_WIRE_ENV "VITRINE_SUBMISSION"   /* of the monitor: its number in this variable */
#define LAB_WIRE_FD  3                      /* of the submission                            */

/* The status of a run whose submission has ended, or has sent what makes no sense. */
#define LAB_STATUS_LOST 123

#define LAB_WIRE_ARGS 6
#define LAB_WIRE_DATA 512                   /* bytes that may come with a message           */

enum lab_message_kind { LAB_CALL = 1, LAB_REPLY, LAB_TELL };

struct lab_message {
    uint16_t kind;                          /* enum lab_message_kind                        */
    uint16_t what;                          /* which function: the lab's own numbers        */
    uint32_t bytes;                         /* of data that are used                        */
    uint64_t arg[LAB_WIRE_ARGS];            /* of a reply: the results                      */
    uint8_t  data[LAB_WIRE_DATA];
};

/* One end.  serve() answers a CALL by changing the message into its reply, or takes a TELL;
 * false: there is no such function. */
struct lab_wire {
    int   fd;
    bool  (*serve)(void *arg, struct lab_message *m);
    void   *arg;
};

/* Send a CALL (what, arg, bytes and data of *m) and wait; *m is the reply then.  0; -EPIPE: the
 * other process has ended; -EPROTO: it sent nonsense; or another -errno. */
int lab_call(struct lab_wire *w, struct lab_message *m);

/* Send a TELL.  0 or -errno. */
int lab_tell(struct lab_wire *w, struct lab_message *m);

/* Serve calls until the other end goes: 0.  Or -errno. */
int lab_serve(struct lab_wire *w);

#endif
