/*
 * io/sysport.h -- the small ports: one or two bytes each, and a wire.
 *
 *   92h   A20 gate and fast reset     [IBM PS/2 Technical Reference "System Control Port A"]
 *   E0h   MARK: the guest names a phase of its run         (ours, base/abi.h)
 *   E4h   hypercalls, where VMCALL does not reach us        (ours, base/abi.h)
 *   E9h   debug console                                    (as Bochs)
 *   F4h   end the run with a status                        (as QEMU's isa-debug-exit)
 *   604h  power off                   [ACPI "PM1 Control Registers"]
 */
#ifndef IO_SYSPORT_H
#define IO_SYSPORT_H

#include "io/device.h"

/* What a reset hook is told: who pulled (CF9: io/pcihost.h). */
enum reset_source { RESET_I8042, RESET_PORT92, RESET_CF9, RESET_CF9_HARD };

/* Each is known to the machine by its ops alone.  In brackets what it takes from its slot.
 *   port92      92h: bit 1 is the A20 line, a rising bit 0 resets     [a20, ask.reset]
 *   markport    E0h, 4 ports: emits TRACE_MARK and tells the machine  [ask.mark]
 *   hypercall   E4h, 4 ports: 32 bits at once                         [ask.hypercall]
 *   debugcon    E9h: a byte out                                       [debugcon]
 *   exitport    F4h: a status                                         [ask.exit]
 *   pm1a        604h, 2 ports: bit 13 (SLP_EN) gives SLP_TYP          [ask.power_off]      */
extern const struct device_ops port92_ops, markport_ops, hypercall_ops, debugcon_ops,
    exitport_ops, pm1a_ops;

#endif
