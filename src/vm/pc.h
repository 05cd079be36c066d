/*
 * vm/pc.h -- the machine: which device answers where.
 *
 * One table of parts and one of ports (pc.c); doc/machine.md is printed from
 * them by `vitrine engines --machine`.
 */
#ifndef VM_PC_H
#define VM_PC_H

#include <stdio.h>
#include "io/device.h"

struct vm;
struct pc;
struct pic;
struct uart;
struct vga;
struct i8042;

struct pc *pc_new(struct vm *vm);       /* NULL: out of memory */
void pc_free(struct pc *pc);
void pc_reset(struct pc *pc);

struct pic   *pc_pic(struct pc *pc);
struct uart  *pc_uart(struct pc *pc);
struct vga   *pc_vga(struct pc *pc);
struct i8042 *pc_keyboard(struct pc *pc);

/* Every part by name, for `info`, snapshots and the debugger.  pc may be NULL:
 * then dev is. */
struct pc_part { const char *name; const struct device_ops *ops; void *dev; };
size_t pc_parts(const struct pc *pc, struct pc_part *out, size_t n);

/* What answers at a port, or why nothing does; NULL if the table does not list it. */
const char *pc_port_name(uint16_t port);

/* The device that answers at a port; NULL: none. */
const struct device_ops *pc_port_device(uint16_t port);

/* The screen as text. */
void pc_screen(const struct pc *pc, FILE *out);

/* The tables as Markdown, for doc/machine.md. */
void pc_document(FILE *out);

#endif
