/*
 * lib/pic.c -- the interrupt controllers and the timer of a PC, as far as guests need them.
 */
#include "lib/desc.h"
#include "lib/pic_show.h"

void pic_init(void)
{
    outb(0x43, 0x30);                   /* PIT channel 0: wait for a count; a timer the
                                         * firmware left running would tick once more */
    outb(PIC1, 0x11);                   /* ICW1: begin, ICW4 will follow      */
    outb(PIC2, 0x11);
    outb(PIC1 + 1, IRQ_BASE);           /* ICW2: the vector of line 0         */
    outb(PIC2 + 1, IRQ_BASE + 8);
    outb(PIC1 + 1, 1 << 2);             /* ICW3: the second one is on line 2  */
    outb(PIC2 + 1, 2);
    outb(PIC1 + 1, 0x01);               /* ICW4: 8086 mode                    */
    outb(PIC2 + 1, 0x01);
    outb(PIC1 + 1, 0xff);               /* OCW1: mask all                     */
    outb(PIC2 + 1, 0xff);
}

static uint16_t data_port(unsigned irq)
{
    return irq < 8 ? PIC1 + 1 : PIC2 + 1;
}

void pic_unmask(unsigned irq)
{
    outb(data_port(irq), (uint8_t)(inb(data_port(irq)) & ~(1u << (irq & 7))));
    if (irq >= 8)
        pic_unmask(2);
}

void pic_mask(unsigned irq)
{
    outb(data_port(irq), (uint8_t)(inb(data_port(irq)) | 1u << (irq & 7)));
}

void pic_eoi(unsigned irq)
{
    if (irq >= 8)
        outb(PIC2, 0x20);               /* OCW2: non-specific end of interrupt */
    outb(PIC1, 0x20);
}

void pit_periodic(unsigned hz)
{
    unsigned count = PIT_HZ / hz;

    outb(0x43, 0x34);                   /* channel 0, low then high byte, mode 2 */
    outb(0x40, (uint8_t)count);
    outb(0x40, (uint8_t)(count >> 8));
}

void pit_one_shot(uint16_t count)
{
    outb(0x43, 0x30);                   /* channel 0, low then high byte, mode 0 */
    outb(0x40, (uint8_t)count);
    outb(0x40, (uint8_t)(count >> 8));
}
