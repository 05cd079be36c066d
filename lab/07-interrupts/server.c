/*
 * lab/07-interrupts/server.c -- the main() of a submission: calls what the student wrote.
 *
 * The student's pic.c finds here what it needs of the monitor: nets that call its inputs, an
 * output pin, and a trace that forgets everything, because the true one is written elsewhere.
 */
#include "io/pic.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "../lab/07-interrupts/calls.h"
#include "base/host.h"
#include "base/trace.h"
#include "io/irq_net.h"
#include "io/slot.h"
#include "lab/wire.h"

static struct lab_wire wire;
static struct pic *pic;
static struct { void (*set)(void *arg, unsigned net, bool level); void *arg; } input;

void irq_nets_listen(struct irq_nets *w, void (*set)(void *arg, unsigned net, bool level),
                     void *arg)
{
    (void)w;
    input.set = set;
    input.arg = arg;
}

uint64_t trace_write(struct trace *t, enum trace_kind kind, uint64_t a0, uint64_t a1, uint64_t a2)
{
    (void)t, (void)kind, (void)a0, (void)a1, (void)a2;
    return 0;
}

void host_bug(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    abort();
}

static void set_int(void *arg, unsigned n, bool level)
{
    struct lab_message m = { .what = LAB7_INT, .arg = { level } };
    (void)arg, (void)n;
    lab_tell(&wire, &m);
}

static struct bus_access at(uint64_t offset)
{
    return (struct bus_access){ .off = (unsigned)offset, .size = 1, .from = from_cpu(0) };
}

static void answer_ack(struct lab_message *m)
{
    struct irq_ack a = pic_ack(pic);
    m->arg[0] = a.vector;
    m->arg[1] = a.line;
    m->arg[2] = a.spurious;
}

static bool serve(void *arg, struct lab_message *m)
{
    (void)arg;
    switch (m->what) {
    case LAB7_RESET: pic_ops.reset(pic); break;
    case LAB7_LINE:  if (input.set) input.set(input.arg, (unsigned)m->arg[0], m->arg[1]); break;
    case LAB7_READ:  m->arg[0] = pic_ops.read(pic, at(m->arg[0])); break;
    case LAB7_WRITE: pic_ops.write(pic, at(m->arg[0]), m->arg[1]); break;
    case LAB7_PEEK:  m->arg[0] = pic_ops.peek(pic, at(m->arg[0])); break;
    case LAB7_DEAF:  m->arg[0] = pic_is_deaf(pic); break;
    case LAB7_ACK:   answer_ack(m); break;
    default:         return false;
    }
    return true;
}

int main(void)
{
    static struct trace nowhere;
    struct irq_nets *nets = (struct irq_nets *)&wire;       /* only that there is one counts */
    struct slot slot = { .trace = &nowhere, .nets = nets, .pin = { { .set = set_int } } };
    wire = (struct lab_wire){ .fd = LAB_WIRE_FD, .serve = serve };
    pic = pic_ops.create(&slot);
    return pic && !lab_serve(&wire) ? 0 : 1;
}
