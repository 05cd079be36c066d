/*
 * io/pcihost.h -- the door to PCI configuration space, with nothing behind it.
 *
 * Offsets 0-7 are ports CF8h-CFFh.  A guest that probes for PCI finds the
 * mechanism (the address register reads back) and no device (data reads as
 * ones).  A byte at CF9h is not part of the address but the reset control
 * register of the chip set.
 *   [PCI Local Bus Specification "Configuration Mechanism #1"; Intel 82371AB
 *    (PIIX4) "Reset Control Register"]
 */
#ifndef IO_PCIHOST_H
#define IO_PCIHOST_H

#include "io/device.h"

/* From its slot: ask.reset, for a rising bit 2 of CF9h; told RESET_CF9_HARD if bit 1 is set,
 * else RESET_CF9. */
extern const struct device_ops pcihost_ops;

#endif
