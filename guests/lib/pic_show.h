/*
 * lib/pic_show.h -- the two 8259As: where they are, and what they say of themselves.
 *
 * For guests that test them.  Who only wants interrupts has enough with lib/desc.h.
 * [Intel 8259A data sheet "Reading the 8259A Status"]
 */
#ifndef LIB_PIC_SHOW_H
#define LIB_PIC_SHOW_H

#include "lib/x86.h"

enum { PIC1 = 0x20, PIC2 = 0xa0 };              /* command; data is one above                     */
enum { OCW3_IRR = 0x0a, OCW3_ISR = 0x0b };      /* the next read is of this register              */

uint8_t pic_register(unsigned chip, unsigned ocw3);
void pic_show(const char *what);                /* prints "WHAT: IRR 00 00 ISR 00 00", both chips */

#endif
