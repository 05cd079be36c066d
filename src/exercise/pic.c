/*
 * exercise/pic.c -- exercise 15: which interrupt is next?
 *
 * The monitor's pair of 8259A (io/pic.h) is set up without a machine around it and played a
 * story of rising lines and ending handlers; what it answers are the answers.
 */
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "base/vclock.h"
#include "exercise/make.h"
#include "exercise/sheet.h"
#include "io/irq_net.h"
#include "io/pic.h"
#include "io/slot.h"

enum { FIRST = 0, SECOND = 2 };         /* offsets of the two chips' registers in the device */

struct chips {
    struct irq_nets *nets;
    struct irq_line  pin[IRQ_NETS];
    struct pic      *pic;
    uint8_t          base[2];           /* ICW2 of each */
    uint16_t         mask;              /* OCW1 of both */
    unsigned         running[IRQ_NETS]; /* lines whose handlers have begun and not ended */
    unsigned         n_running;
    struct sheet_text vectors, story;   /* what was delivered; why */
};

static void put(struct chips *c, unsigned offset, uint8_t value)
{
    pic_ops.write(c->pic, (struct bus_access){ .off = offset, .size = 1, .from = from_cpu(0) },
                  value);
}

/* ISR (0Bh) or IRR (0Ah) of a chip. */
static unsigned get(struct chips *c, unsigned chip, uint8_t which)
{
    put(c, chip, which);
    return (unsigned)pic_ops.read(c->pic, (struct bus_access){ .off = chip, .size = 1,
                                                               .from = from_cpu(0) });
}

static void set_up(struct chips *c)
{
    struct slot slot = { 0 };
    slot.nets = c->nets = irq_nets_new(NULL, NULL);
    bug_if(!c->nets, "no memory for the nets");
    for (unsigned i = 0; i < IRQ_NETS; i++)
        c->pin[i] = irq_nets_join(c->nets, i);
    c->pic = pic_ops.create(&slot);
    bug_if(!c->pic, "no memory for the chips");
    pic_ops.reset(c->pic);
    for (unsigned i = 0; i < 2; i++) {
        unsigned chip = i ? SECOND : FIRST;
        put(c, chip, 0x11);                     /* ICW1: start over, ICW4 follows        */
        put(c, chip + 1, c->base[i]);           /* ICW2: vectors                         */
        put(c, chip + 1, i ? 2 : 4);            /* ICW3: the cascade is line 2           */
        put(c, chip + 1, 1);                    /* ICW4: 8086 mode, normal EOI           */
        put(c, chip + 1, (uint8_t)(c->mask >> 8 * i));
    }
}

/* The CPU takes what there is, handler upon handler. */
static void take_all(struct chips *c)
{
    while (pic_pending(c->pic)) {
        struct irq_ack ack = pic_ack(c->pic);
        sheet_text_add(&c->vectors, "%s0x%02x", c->vectors.n ? " " : "", ack.vector);
        sheet_text_add(&c->story, "; %u is served: vector 0x%02x", ack.line, ack.vector);
        irq_set(&c->pin[ack.line], false);
        c->running[c->n_running++] = ack.line;
    }
}

/* The handler that began last ends. */
static void end_handler(struct chips *c)
{
    unsigned line = c->running[--c->n_running];
    sheet_text_add(&c->story, "Handler %u ends", line);
    if (line >= 8)
        put(c, SECOND, 0x20);
    put(c, FIRST, 0x20);
}

/* The story: some lines rise, some handlers end. */
static void play(struct sheet *s, struct chips *c)
{
    unsigned lines[] = { 0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15 }, used = 0;
    unsigned steps = sheet_pick(s, 7, 9);
    sheet_shuffle(s, lines, NELEM(lines), sizeof lines[0]);
    for (unsigned i = 0; i < steps; i++) {
        if (c->n_running && i > 1 && sheet_pick(s, 0, 2) == 0) {
            sheet_show(s, "%u. the handler that runs now ends", i + 1);
            end_handler(c);
        } else {
            unsigned line = lines[used++];
            sheet_show(s, "%u. line %u rises", i + 1, line);
            sheet_text_add(&c->story, "Line %u rises", line);
            irq_set(&c->pin[line], true);
            if (c->mask & BIT(line))
                sheet_text_add(&c->story, " and is masked");
            else if (!pic_pending(c->pic))
                sheet_text_add(&c->story, " and waits");
        }
        take_all(c);
        if (c->n_running)
            sheet_text_add(&c->story, "; handler %u runs\n",
                           c->running[c->n_running - 1]);
        else
            sheet_text_add(&c->story, "; no handler runs\n");
    }
}

/* Each line of the story as a line of the solution. */
static void tell_story(struct sheet *s, struct chips *c)
{
    unsigned i = 1;
    for (char *line = strtok(c->story.s, "\n"); line; line = strtok(NULL, "\n"))
        sheet_because_line(s, "%u. %s", i++, line);
}

static void ask(struct sheet *s, struct chips *c)
{
    sheet_ask_words(s, c->vectors.s, "Which vectors does the CPU get, in this order? "
                    "(Numbers as 0x20, with blanks between them.)");
    sheet_because(s, "From the highest: lines 0, 1, then 8 to 15 (they come in through line 2), "
                  "then 3 to 7. A line interrupts a handler only if it is higher; and for the "
                  "first chip all lines of the second one are line 2: none of them interrupts "
                  "another until the first chip has had its EOI.");
    tell_story(s, c);
    sheet_ask_hex(s, get(c, FIRST, 0x0b), "The in-service register (ISR) of the first chip "
                  "at the end");
    sheet_because(s, "A bit is set at INTA and cleared by EOI; line 2 stands for the second chip.");
    sheet_ask_hex(s, get(c, SECOND, 0x0b), "The in-service register of the second chip");
    sheet_because(s, "Bit 0 is line 8, bit 7 is line 15.");
    sheet_ask_hex(s, get(c, FIRST, 0x0a), "The request register (IRR) of the first chip");
    sheet_because(s, "Lines that rose and were not served, the masked ones too. Bit 2 is set if "
                  "the second chip has something that is higher than all it has in service.");
    sheet_ask_hex(s, get(c, SECOND, 0x0a), "The request register of the second chip");
    sheet_because(s, "A mask keeps a request from being served, not from being remembered.");
}

void make_pic(struct sheet *s)
{
    static const uint8_t bases[][2] = { { 0x20, 0x28 }, { 0x08, 0x70 }, { 0x30, 0x38 },
                                        { 0x50, 0x58 }, { 0xa0, 0xa8 } };
    struct chips c = { 0 };
    memcpy(c.base, bases[sheet_pick(s, 0, NELEM(bases) - 1)], 2);
    for (unsigned i = 0; i < 3; i++)
        c.mask |= (uint16_t)BIT(sheet_pick(s, 0, 15));
    c.mask &= (uint16_t)~BIT(2);
    set_up(&c);
    sheet_say(s, "A PC's two 8259A are set up as usual: edge-triggered, fully nested (not special "
              "fully nested), normal end of interrupt, the second chip at line 2 of the first. "
              "ICW2 is 0x%02x for the first chip, 0x%02x for the second; the masks (OCW1) are "
              "0x%02x and 0x%02x.", c.base[0], c.base[1], c.mask & 0xff, c.mask >> 8);
    sheet_say(s, "The CPU takes every interrupt at once: each handler begins with STI. A line "
              "falls when its handler has begun. A handler ends with a non-specific EOI to the "
              "first chip, and before that one to the second chip if it is a handler of lines 8 "
              "to 15; then the handler that it had interrupted goes on. This happens:");
    play(s, &c);
    ask(s, &c);
    pic_ops.free(c.pic);
    free(c.nets);
    free(c.vectors.s);
    free(c.story.s);
}
