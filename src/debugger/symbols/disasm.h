/*
 * debugger/symbols/disasm.h -- one instruction of guest code as text for people, and what kind
 * of instruction it is for the debugger's commands (`next` steps over calls, `finish` looks
 * for returns).
 *
 * Not to be confused with the soft engine's decoder: that one executes, and must be right
 * about every bit; this one is a library's, and only shows.
 */
#ifndef DEBUGGER_SYMBOLS_DISASM_H
#define DEBUGGER_SYMBOLS_DISASM_H

#include "base/types.h"

struct symbols;

struct insn {
    unsigned len;               /* in bytes; 1 for bytes that are no instruction    */
    bool     ok;                /* it is an instruction                             */
    bool     is_call;           /* comes back behind itself: CALL, INT n, SYSCALL   */
    bool     is_loop;           /* goes on behind itself when its count is over: REP with a
                                   string instruction, LOOP backwards               */
    bool     is_return;         /* RET, RETF, IRET, SYSRET, SYSEXIT                 */
    bool     is_branch;         /* jumps, calls and returns                         */
    bool     has_target;        /* a direct branch: to `target`                     */
    uint64_t target;            /* as RIP, that is, an offset in CS                 */
    char     text[120];         /* Intel syntax, with symbols for branch targets    */
};

/* Decode the instruction at `rip`, an offset in CS, of which the first `avail` bytes are in
 * `bytes`; `bits` is how the CPU reads code now: 16, 32 or 64. symbols (may be NULL) are
 * looked up at offset + cs_base.  Bytes that are no instruction become "db 0x0f", and if there
 * are no bytes "?". */
void disasm(const uint8_t *bytes, unsigned avail, unsigned bits, uint64_t rip, uint64_t cs_base,
            const struct symbols *symbols, struct insn *out);

#endif
