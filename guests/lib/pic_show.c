/*
 * lib/pic_show.c -- what the interrupt controllers say of themselves.
 */
#include "lib/pic_show.h"

#include "lib/guest.h"

uint8_t pic_register(unsigned chip, unsigned ocw3)
{
    outb((uint16_t)chip, (uint8_t)ocw3);
    return inb((uint16_t)chip);
}

void pic_show(const char *what)
{
    printf("%s: IRR %02x %02x ISR %02x %02x\n", what, pic_register(PIC1, OCW3_IRR),
           pic_register(PIC2, OCW3_IRR), pic_register(PIC1, OCW3_ISR),
           pic_register(PIC2, OCW3_ISR));
}
