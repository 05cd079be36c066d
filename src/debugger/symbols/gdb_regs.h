/*
 * debugger/symbols/gdb_regs.h -- the CPU's registers as GDB and LLDB number them, and the
 * bytes that stand for them in the remote protocol.
 *
 * For GDB a CPU has a fixed list of registers of fixed width.  An x86 changes that list when
 * it changes its mode, so we describe three CPUs: i8086 (16-bit code), i386, and i386:x86-64;
 * gdb/stub.c tells GDB when it has to take another one.
 *
 * Each description is a table made once, out of struct cpu_state and the table in cpu/regs.c.
 * All that GDB sees comes from it: the XML text that lists the registers, the `g` packet with
 * many of them, `p` and `P` for a single one, and the numbers in conditions.
 *
 * The program counter is told as a linear address (CS base + RIP), because GDB knows no
 * segments and adds no base.
 *
 * [GDB manual "Target Descriptions", "i386 Features"]
 */
#ifndef DEBUGGER_SYMBOLS_GDB_REGS_H
#define DEBUGGER_SYMBOLS_GDB_REGS_H

#include "cpu/state.h"

enum gdb_arch { GDB_I8086, GDB_I386, GDB_X86_64, N_GDB_ARCHS };
extern const char *const gdb_arch_names[N_GDB_ARCHS];

#define GDB_REG_BYTES 16                /* the widest: xmm */

struct gdb_reg {
    char        name[24];

    /* How GDB shows it. */
    const char *type;                   /* NULL: an integer of its width       */
    const char *group;                  /* NULL: the general group             */

    /* Where it is. */
    uint16_t    offset;                 /* in struct cpu_state                 */
    uint8_t     bytes;                  /* how wide it is there                */
    uint8_t     wire;                   /* how wide it is in a packet          */
    uint8_t     st;                     /* the ST_ group that an engine must be asked for */

    uint8_t     special;                /* not simply copied: PC or TAGS in gdb_regs.c    */
    uint8_t     feature;                /* the part of the XML text that lists it         */
};

/* The description that fits how the CPU reads code now. */
enum gdb_arch gdb_arch_of(const struct cpu_state *s);

/* How many registers there are; the first gdb_reg_in_g() of them are in the `g` packet, in
 * this order, the others can only be asked for one by one. */
size_t gdb_reg_count(enum gdb_arch a);
size_t gdb_reg_in_g(enum gdb_arch a);

/* The register with GDB's number nr; NULL: there is none.  It lives as long as the program. */
const struct gdb_reg *gdb_reg_at(enum gdb_arch a, size_t nr);

/* Copy a register out of s, or into it, as the r->wire bytes of a packet, little-endian. */
void gdb_reg_read(const struct gdb_reg *r, const struct cpu_state *s, uint8_t out[GDB_REG_BYTES]);
void gdb_reg_write(const struct gdb_reg *r, struct cpu_state *s, const uint8_t in[GDB_REG_BYTES]);

/* The numbers of the registers that GDB and LLDB look at after every stop; how many.  A stop
 * reply carries them along, which saves a packet each way. */
size_t gdb_reg_expedited(enum gdb_arch a, const uint8_t **numbers);

/* The text of target.xml, n bytes long; it lives as long as the program.  NULL: no memory. */
const char *gdb_reg_xml(enum gdb_arch a, size_t *n);

/* Write the answer to LLDB's packet qRegisterInfo for register nr to buf; false: no such
 * register. */
bool gdb_reg_info(enum gdb_arch a, size_t nr, char *buf, size_t n);

#endif
