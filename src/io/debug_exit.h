/*
 * io/debug_exit.h -- the ISA debug exit: two ports that end the run.
 *
 * Course kernels that are tested under QEMU with
 *     -device isa-debug-exit,iobase=0x501,iosize=2
 * write a value v there when they are done, and look for the exit status
 * (v << 1) | 1.  It is odd, so no test can take it for a success that nobody
 * reported.  [QEMU, hw/misc/debugexit.c]
 *
 * The other exit port, F4h in io/sysport.h, is ours: its status is the value.
 */
#ifndef IO_DEBUG_EXIT_H
#define IO_DEBUG_EXIT_H

#include "io/device.h"

/* From its slot: ask.exit. */
extern const struct device_ops debug_exit_ops;

#endif
