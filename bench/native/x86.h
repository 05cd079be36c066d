/*
 * bench/native/x86.h -- stands in for guests/lib/x86.h: a guest as a program of the host.
 *
 * The benchmarks that need nothing but ring 3 are compiled from their own source
 * with this header included first.  The debug console is standard output; other
 * ports swallow what they get.
 */
#ifndef LIB_X86_H
#define LIB_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef unsigned long ulong;

void outb(uint16_t port, uint8_t v);
static inline void outl(uint16_t port, uint32_t v)
{
    (void)port, (void)v;
}
static inline uint8_t inb(uint16_t port)
{
    (void)port;
    return 0xff;
}

#endif
