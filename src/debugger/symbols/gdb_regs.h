/*
 * debugger/symbols/gdb_regs.h -- the registers as GDB numbers them: three descriptions of
 * one CPU, and the images that go over the wire.
 *
 * GDB knows no CPU whose registers change their size, so there are three:
 * i8086 (16-bit code), i386 and i386:x86-64; gdb/stub.c changes between them.
 * Each is a table made once from cpu_state and cpu/regs.c; the XML text,
 * the `g` packet, `p` and `P`, and the numbers in conditions all come from it.
 *
 * The program counter is the linear address: GDB adds no segment base.
 * [GDB "i386 Features"]
 */
#ifndef DEBUGGER_SYMBOLS_GDB_REGS_H
#define DEBUGGER_SYMBOLS_GDB_REGS_H

#include "cpu/state.h"

enum gdb_arch { GDB_I8086, GDB_I386, GDB_X86_64, N_GDB_ARCHS };
extern const char *const gdb_arch_names[N_GDB_ARCHS];

#define GDB_REG_BYTES 16                /* the widest: xmm */

struct gdb_reg {
    char        name[24];
    const char *type, *group;           /* for the XML; NULL: an integer, the general group */
    uint16_t    offset;                 /* in struct cpu_state */
    uint8_t     bytes;                  /* there               */
    uint8_t     wire;                   /* in a packet         */
    uint8_t     st;                     /* ST_ group           */
    uint8_t     special;
    uint8_t     feature;
};

/* The description that fits how the CPU reads code now. */
enum gdb_arch gdb_arch_of(const struct cpu_state *s);

size_t gdb_reg_count(enum gdb_arch a);
size_t gdb_reg_in_g(enum gdb_arch a);                   /* how many of them are in `g` */
const struct gdb_reg *gdb_reg_at(enum gdb_arch a, size_t nr);     /* NULL: none */

/* As on the wire, r->wire bytes. */
void gdb_reg_read(const struct gdb_reg *r, const struct cpu_state *s, uint8_t out[GDB_REG_BYTES]);
void gdb_reg_write(const struct gdb_reg *r, struct cpu_state *s, const uint8_t in[GDB_REG_BYTES]);

/* Those that GDB and LLDB look at after every stop. */
size_t gdb_reg_expedited(enum gdb_arch a, const uint8_t **numbers);

/* target.xml; the text lives as long as the program.  NULL: out of memory. */
const char *gdb_reg_xml(enum gdb_arch a, size_t *n);

/* An answer to LLDB's qRegisterInfo, in buf; false: no such register. */
bool gdb_reg_info(enum gdb_arch a, size_t nr, char *buf, size_t n);

#endif
