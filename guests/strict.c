/*
 * strict: rules of the manual that simulators forget.
 *
 * The same machinery as faults.c with cases that at least one widely used
 * simulator gets wrong: segment limits and types hold; an address that is not
 * canonical is #SS when it is reached through the stack; in 64-bit mode the
 * error code of a refused gate is still vector * 8 + 2, though gates are 16
 * bytes; a reserved bit in CR4 and paging without protection are refused.
 * QEMU 7.2 is no judge of this guest; Bochs and real processors are.
 *
 *   run    vitrine run   build/guests/strict32.elf
 *   watch  vitrine run   --trace - --trace-kinds MARK,DELIVER build/guests/strict32.elf
 *
 * MARKs as in faults.c.
 */
#define STRICT
#include "faults.c"
