/*
 * io/sysport.h -- the small ports: one or two bytes each, and a wire.
 *
 *   92h   A20 gate and fast reset     [IBM PS/2 Technical Reference "System Control Port A"]
 *   E0h   MARK: the guest names a phase of its run         (ours, base/abi.h)
 *   E9h   debug console                                    (as Bochs)
 *   F4h   end the run with a status                        (as QEMU's isa-debug-exit)
 *   604h  power off                   [ACPI "PM1 Control Registers"]
 */
#ifndef IO_SYSPORT_H
#define IO_SYSPORT_H

#include "io/device.h"

struct trace;

/* What a reset hook is told: who pulled (CF9: io/pcihost.h). */
enum reset_source { RESET_I8042, RESET_PORT92, RESET_CF9, RESET_CF9_HARD };

/* 92h: bit 1 is the A20 line, a rising bit 0 resets. */
struct port92;
extern const struct device_ops port92_ops;
struct port92 *port92_new(struct irq_line a20, struct port_hook reset);

/* E0h, 4 ports: emits TRACE_MARK and tells the machine. */
struct markport;
extern const struct device_ops markport_ops;
struct markport *markport_new(struct trace *t, struct port_hook mark);

/* E9h */
struct debugcon;
extern const struct device_ops debugcon_ops;
struct debugcon *debugcon_new(struct char_sink out);

/* F4h */
struct exitport;
extern const struct device_ops exitport_ops;
struct exitport *exitport_new(struct port_hook exit);

/* 604h, 2 ports: bit 13 (SLP_EN) calls the hook with SLP_TYP. */
struct pm1a;
extern const struct device_ops pm1a_ops;
struct pm1a *pm1a_new(struct port_hook power_off);

#endif
