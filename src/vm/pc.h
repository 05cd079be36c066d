/*
 * vm/pc.h -- the machine: which device answers where.
 *
 * One table of devices and one of ports where nothing is (pc.c);
 * doc/machine.md is printed from them by `vitrine engines --machine`.
 */
#ifndef VM_PC_H
#define VM_PC_H

#include <stdio.h>
#include "io/device.h"
#include "io/disk.h"

struct vm;
struct pc;
struct pic;
struct uart;
struct vga;
struct i8042;

/* Make all devices, connect them to vm's buses, clock and trace, and reset them.
 * NULL: out of memory. */
struct pc *pc_new(struct vm *vm);
void pc_free(struct pc *pc);            /* pc may be NULL */

/* All devices as after power-on, in the order of the table. */
void pc_reset(struct pc *pc);

/* The devices that the monitor itself talks to. */
struct pic   *pc_pic(struct pc *pc);
struct uart  *pc_uart(struct pc *pc);
struct vga   *pc_vga(struct pc *pc);
struct i8042 *pc_keyboard(struct pc *pc);

/* The CPU takes an interrupt: acknowledge it at the controller and log that.  Returns the
 * vector; *cause is the trace event that the interrupt comes from (0: none, or not traced). */
uint8_t pc_ack_irq(struct pc *pc, uint64_t *cause);

/* The lines that the 8259As' masks let through, bit n for line n.  Lines 8 to 15 come through line
 * 2 of the first chip, and are open only if that is. */
unsigned pc_open_lines(struct pc *pc);

/* The lines for which a register of the 8259As has a bit set: "ISR" (in service), "EDGE" (it has
 * risen and was not yet taken).  0 if the PIC's description of its state has no such register. */
unsigned pc_pic_lines(struct pc *pc, const char *name);

/* Will a device interrupt at an open line of the second 8259A, and line 2 of the first one, which
 * is masked, keep that back? */
bool pc_cascade_is_masked(struct pc *pc);

/* When the next timer runs that could interrupt the CPU, as the 8259A's masks are now; or
 * VCLOCK_NEVER. */
uint64_t pc_next_wake_ns(struct pc *pc);

/* Is a line up that is not masked, and yet gives no interrupt?  Its device has interrupted and was
 * not asked why, so the line never falls and there is no further edge.  Then *line says which. */
bool pc_unserved(struct pc *pc, unsigned *line);

/* What the handler of a line must do for the line to fall: "read the byte at port 0x60".  NULL: it
 * falls by itself. */
const char *pc_service(unsigned line);

/* Every part by name, for `info`, snapshots and the debugger: the devices, and the interrupt
 * nets.  At most n are put into out; returns how many were.  pc_parts_of() is for those who have
 * no machine at hand but know its disks (NULL: there are none): dev is NULL then, and the order is
 * the same. */
#define PC_MAX_PARTS 32             /* more than any machine has */
struct pc_part { const char *name; const struct device_ops *ops; void *dev; };
size_t pc_parts(const struct pc *pc, struct pc_part *out, size_t n);
size_t pc_parts_of(const struct disk_image disk[MAX_DISKS], struct pc_part *out, size_t n);

/* What answers at a port, or why nothing does; NULL if the tables do not list it.  These two are of
 * a machine without disks. */
const char *pc_port_name(uint16_t port);

/* Do other PCs have a device there, and this one has not? */
bool pc_lacks(const struct pc *pc, uint16_t port);

/* Is it the port where a serial port that other PCs have, and this one has not, takes a byte? */
bool pc_lacks_serial(uint16_t port);

/* The device that answers at a port; NULL: none. */
const struct device_ops *pc_port_device(uint16_t port);

/* The screen as text (UTF-8). */
void pc_screen(const struct pc *pc, FILE *out);

/* The tables as Markdown, for doc/machine.md. */
void pc_document(FILE *out);

#endif
