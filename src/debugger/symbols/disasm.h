/*
 * debugger/symbols/disasm.h -- guest code for people, in the mode the CPU reads it.
 */
#ifndef DEBUGGER_SYMBOLS_DISASM_H
#define DEBUGGER_SYMBOLS_DISASM_H

#include "base/types.h"

struct symbols;

struct insn {
    unsigned len;               /* 1 for what is no instruction                     */
    bool     ok;
    bool     is_call;           /* comes back behind itself: CALL, INT n, SYSCALL   */
    bool     is_return;         /* RET, RETF, IRET, SYSRET, SYSEXIT                 */
    bool     is_branch;         /* jumps, calls and returns                         */
    bool     has_target;        /* a direct branch: to `target`                     */
    uint64_t target;            /* as RIP                                           */
    char     text[120];         /* Intel syntax, with symbols for branch targets    */
};

/* Decode at `rip` (an offset in CS); bits is 16, 32 or 64; bytes: `avail` of them.
 * symbols, at offset + cs_base, may be NULL. */
void disasm(const uint8_t *bytes, unsigned avail, unsigned bits, uint64_t rip, uint64_t cs_base,
            const struct symbols *symbols, struct insn *out);

#endif
