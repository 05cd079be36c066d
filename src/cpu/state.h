/*
 * cpu/state.h -- the architectural state of one x86 CPU, engine-neutral.
 *
 * This is the state the manual describes, not the state of any engine.  An
 * engine keeps its own copy and exchanges it here by group (engine.h).
 */
#ifndef CPU_STATE_H
#define CPU_STATE_H

#include "base/types.h"
#include "mem/walk.h"

/* In encoding order: the index is the number in ModRM and in REX.B. */
#define GPR_LIST(X) \
    X(RAX,rax) X(RCX,rcx) X(RDX,rdx) X(RBX,rbx) X(RSP,rsp) X(RBP,rbp) X(RSI,rsi) X(RDI,rdi) \
    X(R8,r8) X(R9,r9) X(R10,r10) X(R11,r11) X(R12,r12) X(R13,r13) X(R14,r14) X(R15,r15)

/* In Sreg encoding order, then the ones with no encoding. */
#define SEG_LIST(X) \
    X(ES,es) X(CS,cs) X(SS,ss) X(DS,ds) X(FS,fs) X(GS,gs) X(LDTR,ldtr) X(TR,tr)

enum gpr {
#define X(id, name) id,
    GPR_LIST(X)
#undef X
    N_GPRS
};
enum seg {
#define X(id, name) SEG_##id,
    SEG_LIST(X)
#undef X
    N_SEGS
};

/* Operating mode: what decides how the bytes at CS:RIP are decoded.  In long mode CS says
 * whether code is 64 bits wide or runs in compatibility mode, 16 or 32 bits wide.
 * [SDM 3A "Modes of Operation"] */
enum cpu_mode {
    MODE_REAL, MODE_V86, MODE_PROT16, MODE_PROT32, MODE_LONG16, MODE_LONG32, MODE_LONG64,
    N_CPU_MODES
};

struct segment {            /* selector + the hidden part  [SDM 3A "Segment Registers"] */
    uint16_t sel;
    uint16_t attr;          /* SEG_ bits of base/x86.h; P clear: unusable */
    uint32_t limit;         /* in bytes, granularity applied              */
    uint64_t base;
};

struct table_reg { uint64_t base; uint16_t limit; };

enum {                      /* groups, for get_state and set_state */
    ST_GPRS = 1 << 0,       /* gpr[], rip, rflags */
    ST_SEGS = 1 << 1,       /* seg[], gdtr, idtr  */
    ST_CRS  = 1 << 2,       /* cr0..cr8, efer     */
    ST_DRS  = 1 << 3,
    ST_MSRS = 1 << 4,       /* star .. tsc_aux    */
    ST_FPU  = 1 << 5,
    ST_ALL  = (1 << 6) - 1
};

struct cpu_state {
    uint64_t gpr[N_GPRS], rip, rflags;
    struct segment seg[N_SEGS];         /* FS/GS bases live here, not in an MSR copy */
    struct table_reg gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4, cr8, efer;
    uint64_t dr[8];
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base, tsc_aux;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip, pat, tsc;
    uint8_t  fpu[512];                  /* FXSAVE image */
};

extern const char *const gpr_names[N_GPRS];
extern const char *const seg_names[N_SEGS];

/* [SDM 3A "Processor State After Reset"] */
void cpu_state_reset(struct cpu_state *s);

/* The registers that decide how linear addresses are translated, for mem/walk.h. */
struct paging paging_of(const struct cpu_state *s);

/* The same for a debugger that looks at everything a supervisor could reach: as if
 * RFLAGS.AC were set, so that SMAP hides no user page from it. */
struct paging paging_for_debugger(const struct cpu_state *s);

/* For lockstep and tests: a line for each register that differs, into out
 * (always terminated); how many differ.  tsc is not compared. */
unsigned cpu_state_diff(const struct cpu_state *a, const struct cpu_state *b,
                        unsigned groups, char *out, size_t n);

#endif
