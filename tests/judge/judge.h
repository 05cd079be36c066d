/*
 * judge.h -- what the judges of the interpreter share: a case, an outcome, a world.
 *
 * A case is code, registers, flags and memory.  Our engine runs it (ours.c), a
 * judge runs it -- Unicorn (unicorn.c) or the very processor we run on
 * (silicon.c) -- and judge.c compares.  Cases come from generate.c.
 *
 * Where things are, as offsets in a window of 64 KiB; a world says where the
 * window is and through which segments code sees it:
 *
 *   1000  code, two pages, otherwise full of INT3
 *   8000  scratch, four pages; most memory operands and stacks fall here
 *   c000  scratch that can only be read
 *   e000  INT3, where computed branches go
 *   f000  scratch up to the end, where 16-bit addresses wrap
 *
 * Everything else is not mapped.
 */
#ifndef JUDGE_H
#define JUDGE_H

#include "base/x86.h"
#include "cpu/soft/ops/x87.h"
#include "cpu/vcpu.h"

#include <Zydis/Zydis.h>

enum { WINDOW_BYTES = 0x10000, CODE = 0x1000, CODE_END = 0x3000, SCRATCH = 0x8000, MIDDLE = 0xa000,
       READ_ONLY = 0xc000, TARGETS = 0xe000, LAST = 0xf000 };
#define WINDOW UINT64_C(0x10000000)         /* linear, where there is paging */

/* The parts of the window that exist. */
struct part { unsigned from, to; bool writable; };
extern const struct part parts[5];

enum world {
    W64,            /* 64-bit code                                             */
    W32,            /* 32-bit code, flat segments                              */
    W32S,           /* 32-bit code, segments of the LDT: bases, limits, types  */
    W16,            /* 16-bit protected mode, segments of the LDT at the window */
    REAL,           /* 16-bit real mode, the window at 0                       */
    N_WORLDS
};

/* Selectors of the worlds: Linux's GDT, and an LDT that silicon.c asks it for. */
enum { SEL_CODE32 = 0x23, SEL_DATA = 0x2b, SEL_CODE64 = 0x33,
       LDT_CODE16 = 0x07, LDT_DATA16 = 0x0f, LDT_CODE32 = 0x17, LDT_DATA32 = 0x1f,
       LDT_READ_ONLY = 0x27, LDT_DOWN = 0x2f, LDT_ABSENT = 0x37, LDT_CONFORMING = 0x3f,
       LDT_EXECUTE = 0x47, LDT_ROWS = 9 };

/* An LDT entry, as modify_ldt() wants it. */
struct ldt_row { uint32_t base, limit; uint8_t contents; bool big, read_exec_only, absent; };
extern const struct ldt_row ldt[LDT_ROWS];

struct test {
    enum world world;
    uint8_t  code[256];
    unsigned len, n;                        /* bytes, instructions                    */
    bool     step;                          /* TF: a single step; else up to an INT3  */
    uint64_t at;                            /* offset of the code in its segment      */
    uint64_t gpr[16], flags;
    struct fxsave fpu;                      /* XMM and MMX registers, MXCSR           */
    uint16_t cs, ss, ds, es;
    uint64_t ignore;                        /* flags the manual leaves undefined      */
    unsigned mnemonic;                      /* of the last instruction; 0: none valid */
    uint8_t  width;                         /* its operand width, in bits             */
    bool     wide_memory;                       /* its memory operand has 16 bytes or more */
    uint32_t vendor_rows;                   /* bit n: row n of vendor.c's table is about it    */
    char     text[512];
};

struct outcome {
    uint64_t gpr[16], rip, flags, cr2;
    struct fxsave fpu;
    uint16_t cs, ss, ds, es;
    int      vector;                        /* -1: none                        */
    uint32_t error;
    uint8_t  window[WINDOW_BYTES];
};

/* The memory a case begins with. */
extern uint8_t image[WINDOW_BYTES];

uint64_t world_base(enum world w);          /* linear address of the window    */
/* What an offset in a segment of the case is in the window. */
uint64_t window_offset(const struct test *t, uint16_t sel, uint64_t off);

/* generate.c: case number n of a seed, for that judge. */
enum judge { UNICORN, SILICON };
extern unsigned only_mnemonic;              /* no other is drawn; 0: all of them */
void generate_init(void);
void generate(struct test *t, enum judge j, uint64_t seed, uint64_t n);
bool in_our_tables(unsigned mnemonic);
/* Why this judge cannot run this instruction; NULL if it can. */
const char *unjudged(enum judge j, unsigned mnemonic);

void ours_init(void);
void ours(const struct test *t, struct outcome *o);

bool unicorn_init(void);
void unicorn(const struct test *t, struct outcome *o);

/* vendor.c: where processors of another maker do otherwise than ours. */
enum vendor { VENDOR_INTEL, VENDOR_AMD, N_VENDORS };
enum { MAX_VENDOR_ROWS = 32 };
extern const char *const vendor_names[N_VENDORS];
enum vendor host_vendor(void);
/* The row for which a case is not to be compared, with what our CPU made of it; -1: none. */
int vendor_excuse(enum vendor v, const struct test *t, const struct outcome *our);
/* Only the low halves of registers are to be compared. */
bool vendor_low_half(enum vendor v, const struct test *t);
/* Print the table, each row with how often it was the excuse. */
void vendor_list(const uint64_t excused[MAX_VENDOR_ROWS]);
/* Is each row about the instructions it should be about, and no others?  Prints what is not. */
bool vendor_test(void);

/* NULL, or why this host cannot judge. */
const char *silicon_init(void);
void silicon(const struct test *t, struct outcome *o);

#endif
