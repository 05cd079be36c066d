/*
 * lib/guest.h -- what every guest can say and how it ends.
 *
 *     int main(void) { mark(1); printf("hello\n"); return 0; }
 *
 * is a whole guest: the start code (start.S, init.c) brings the CPU to flat
 * 32- or 64-bit mode with a stack, a GDT and an IDT, calls main() and hands
 * its value to the exit port.  Interrupts are off until the guest asks.
 */
#ifndef LIB_GUEST_H
#define LIB_GUEST_H

#include <stdarg.h>
#include "base/abi.h"
#include "lib/x86.h"
#include "lib/string.h"

int main(void);

/* ---- telling the monitor ---- */
static inline void mark(uint32_t n)             /* "the run enters phase n" */
{
    outl(PORT_MARK, n);
}
_Noreturn void guest_exit(int status);          /* through PORT_EXIT */
_Noreturn void power_off(void);                 /* through ACPI */

/* The word after KEY on the Multiboot command line ("rounds=" -> "12"), copied
 * to buf; false if the key is not there.  option_number() has a default. */
bool option(const char *key, char *buf, size_t size);
uint32_t option_number(const char *key, uint32_t otherwise);
const char *command_line(void);

/* ---- printing: %c %s %d %u %x %p, %l and %ll, width, 0 and - ---- */
enum { TO_DEBUGCON = 1, TO_SERIAL = 2 };
extern unsigned console;                        /* where putc goes; TO_DEBUGCON at first */
void putc(char c);
int printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int snprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* print, exit 1 */

/* Self-check: on a difference say so and remember; check_result() is for main's return. */
bool check(bool ok, const char *what, ulong got, ulong want);
#define CHECK(what, got, want) check((ulong)(got) == (ulong)(want), what, (ulong)(got), (ulong)(want))
int check_result(void);

/* ---- COM1, polled ---- */
#define COM1 0x3f8
void serial_init(void);
void serial_putc(char c);
void serial_flush(void);                        /* wait until the last bit is on the line */
int serial_getc(void);                          /* -1: nothing there */

/* ---- hypercalls: VMCALL where it reaches the monitor, else a port ---- */
bool hypercall_present(void);
bool hypercall_by_vmcall(void);
long hypercall(ulong nr, ulong a, ulong b, ulong c, ulong d);

#endif
