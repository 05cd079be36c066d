/*
 * lab/07-interrupts/server.c -- the main() of a submission: calls what the student wrote.
 *
 * The student's pic.c finds here what it needs of the monitor: nets that call its inputs, an
 * output pin, and a trace that forgets everything, because the true one is written elsewhere.
 */
#include "io/pic.h"

#include "../lab/07-interrupts/calls.h"
#include "../lab/common/part.h"
#include "base/trace.h"
#include "io/irq_net.h"
#include "io/slot.h"

static struct pic *pic;
static struct { void (*set)(void *arg, unsigned net, bool level); void *arg; } input;

void irq_nets_listen(struct irq_nets *w, void (*set)(void *arg, unsigned net, bool level),
                     void *arg)
{
    (void)w;
    input.set = set;
    input.arg = arg;
}

static void set_int(void *arg, unsigned n, bool level)
{
    (void)arg, (void)n;
    part_tell(LAB7_INT, level);
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
    case LAB7_READ:  m->arg[0] = pic_ops.read(pic, part_access(m->arg[0])); break;
    case LAB7_WRITE: pic_ops.write(pic, part_access(m->arg[0]), m->arg[1]); break;
    case LAB7_PEEK:  m->arg[0] = pic_ops.peek(pic, part_access(m->arg[0])); break;
    case LAB7_DEAF:  m->arg[0] = pic_is_deaf(pic); break;
    case LAB7_ACK:   answer_ack(m); break;
    default:         return false;
    }
    return true;
}

int main(void)
{
    static struct trace nowhere;
    struct irq_nets *nets = (struct irq_nets *)&part_wire;       /* only that there is one counts */
    struct slot slot = { .trace = &nowhere, .nets = nets, .pin = { { .set = set_int } } };
    pic = pic_ops.create(&slot);
    return pic ? part_serve(serve) : 1;
}
