/*
 * base/x86.h -- facts of the x86 architecture, each written once.
 *
 * Bits and numbers only; nothing here does anything.  Names are those of the
 * Intel SDM.  [SDM 3A "System Architecture Overview", "Paging"; SDM 4 "MSRs"]
 */
#ifndef BASE_X86_H
#define BASE_X86_H

#include "base/types.h"

/*  nr  name has-error-code   one line */
#define VECTOR_LIST(X)                                                  \
    X( 0, DE, 0, "division by zero or quotient too large")              \
    X( 1, DB, 0, "debug: single step, breakpoint register, task switch")\
    X( 2, NMI,0, "non-maskable interrupt")                              \
    X( 3, BP, 0, "INT3")                                                \
    X( 4, OF, 0, "INTO with OF set")                                    \
    X( 5, BR, 0, "BOUND range exceeded")                                \
    X( 6, UD, 0, "an opcode the CPU does not have")                     \
    X( 7, NM, 0, "no FPU, or FPU state not loaded")                     \
    X( 8, DF, 1, "a fault while delivering a fault")                    \
    X(10, TS, 1, "a TSS that cannot be used")                           \
    X(11, NP, 1, "a segment not present")                               \
    X(12, SS, 1, "stack segment limit or not present")                  \
    X(13, GP, 1, "general protection")                                  \
    X(14, PF, 1, "a page missing or forbidden")                         \
    X(16, MF, 0, "x87 error")                                           \
    X(17, AC, 1, "a misaligned access in user mode")                    \
    X(18, MC, 0, "machine check")                                       \
    X(19, XM, 0, "SIMD floating point")

enum vector {
#define X(nr, name, err, about) VEC_##name = nr,
    VECTOR_LIST(X)
#undef X
};

/* RFLAGS  [SDM 1 "EFLAGS Register"] */
#define FLAG_CF   BIT(0)            /* carry out of an unsigned operation           */
#define FLAG_ONE  BIT(1)            /* always set                                   */
#define FLAG_PF   BIT(2)            /* the low byte has an even number of 1 bits    */
#define FLAG_AF   BIT(4)            /* carry out of bit 3, for decimal arithmetic   */
#define FLAG_ZF   BIT(6)            /* the result is 0                              */
#define FLAG_SF   BIT(7)            /* the result is negative                       */
#define FLAG_TF   BIT(8)            /* #DB behind each instruction                  */
#define FLAG_IF   BIT(9)            /* external interrupts are taken                */
#define FLAG_DF   BIT(10)           /* string instructions go backward              */
#define FLAG_OF   BIT(11)           /* a signed operation has overflowed            */
#define FLAG_IOPL FIELD(13, 12)     /* outermost ring that may use IN, OUT, CLI     */
#define FLAG_NT   BIT(14)           /* IRET is to switch back to the task before    */
#define FLAG_RF   BIT(16)           /* no breakpoint at the next instruction        */
#define FLAG_VM   BIT(17)           /* virtual-8086 mode                            */
#define FLAG_AC   BIT(18)           /* alignment checks; with SMAP, access to user pages */
#define FLAG_VIF  BIT(19)           /* IF as an 8086 program sees it (CR4.VME)      */
#define FLAG_VIP  BIT(20)           /* an interrupt waits for VIF                   */
#define FLAG_ID   BIT(21)           /* it can be changed: there is CPUID            */
#define FLAGS_ARITH (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* Control registers  [SDM 3A "Control Registers"] */
#define CR0_PE    BIT(0)            /* protected mode                               */
#define CR0_MP    BIT(1)            /* FWAIT, too, looks at TS                      */
#define CR0_EM    BIT(2)            /* no FPU: #NM at its instructions              */
#define CR0_TS    BIT(3)            /* FPU state belongs to another task: #NM       */
#define CR0_ET    BIT(4)            /* always set                                   */
#define CR0_NE    BIT(5)            /* x87 errors are #MF, not an interrupt         */
#define CR0_WP    BIT(16)           /* read-only pages are so for the kernel as well */
#define CR0_AM    BIT(18)           /* RFLAGS.AC counts                             */
#define CR0_NW    BIT(29)           /* caches: not write-through                    */
#define CR0_CD    BIT(30)           /* caches: disabled                             */
#define CR0_PG    BIT(31)           /* paging                                       */
#define CR4_VME   BIT(0)            /* virtual-8086 mode with VIF, VIP              */
#define CR4_PVI   BIT(1)            /* the same for ring 3 of protected mode        */
#define CR4_TSD   BIT(2)            /* RDTSC in ring 0 alone                        */
#define CR4_DE    BIT(3)            /* I/O breakpoints; DR4 and DR5 are #UD         */
#define CR4_PSE   BIT(4)            /* 4 MiB pages in 32-bit paging                 */
#define CR4_PAE   BIT(5)            /* page-table entries of 8 bytes                */
#define CR4_MCE   BIT(6)            /* machine checks are #MC                       */
#define CR4_PGE   BIT(7)            /* global pages stay in the TLB                 */
#define CR4_PCE   BIT(8)            /* RDPMC in all rings                           */
#define CR4_OSFXSR     BIT(9)       /* the kernel saves SSE state: SSE works        */
#define CR4_OSXMMEXCPT BIT(10)      /* the kernel handles #XM                       */
#define CR4_UMIP  BIT(11)           /* SGDT and the like in ring 0 alone            */
#define CR4_LA57  BIT(12)           /* five levels of page tables                   */
#define CR4_FSGSBASE BIT(16)        /* RDFSBASE and the like                        */
#define CR4_PCIDE BIT(17)           /* TLB entries are tagged with CR3's low bits   */
#define CR4_OSXSAVE BIT(18)         /* XSAVE                                        */
#define CR4_SMEP  BIT(20)           /* the kernel may not execute user pages        */
#define CR4_SMAP  BIT(21)           /* nor read or write them, unless AC is set     */
#define EFER_SCE  BIT(0)            /* SYSCALL                                      */
#define EFER_LME  BIT(8)            /* long mode as soon as paging is on            */
#define EFER_LMA  BIT(10)           /* it is on now; set by the CPU                 */
#define EFER_NXE  BIT(11)           /* PTE_NX counts                                */

/* Page-table entries  [SDM 3A "Paging"] */
#define PTE_P     BIT(0)            /* present: the other bits mean something */
#define PTE_W     BIT(1)            /* may be written                        */
#define PTE_U     BIT(2)            /* ring 3 may use it                     */
#define PTE_PWT   BIT(3)            /* caching                               */
#define PTE_PCD   BIT(4)
#define PTE_A     BIT(5)            /* accessed: set by the CPU              */
#define PTE_D     BIT(6)            /* dirty: written; set by the CPU        */
#define PTE_PS    BIT(7)            /* in a PDE or PDPTE: maps a large page */
#define PTE_G     BIT(8)            /* stays in the TLB when CR3 is loaded   */
#define PTE_NX    BIT(63)           /* nothing on it may be executed         */
#define PTE_ADDR  FIELD(51, 12)

/* Physical address bits of this CPU; CPUID says the same.  Bits above it in a
 * table entry are reserved. */
#define MAXPHYADDR 40

/* #PF error code  [SDM 3A "Page-Fault Exceptions"] */
#define PF_P      BIT(0)            /* 1: forbidden, 0: missing */
#define PF_W      BIT(1)            /* it was a write              */
#define PF_U      BIT(2)            /* by ring 3                   */
#define PF_RSVD   BIT(3)            /* a reserved bit is set in an entry */
#define PF_I      BIT(4)            /* it was a fetch of code      */

/* DR6 and DR7  [SDM 3B "Debug Registers"] */
#define DR6_INIT  UINT64_C(0xffff0ff0)
#define DR6_BD    BIT(13)           /* #DB because of DR7.GD       */
#define DR6_BS    BIT(14)           /* because of RFLAGS.TF        */
#define DR6_BT    BIT(15)           /* because of the T bit of a task */
#define DR7_INIT  UINT64_C(0x400)
#define DR7_GD    BIT(13)           /* #DB at an access to a debug register */

/* Segment attributes, VMCS layout  [SDM 3C "Guest Register State"]
 *   15 14 13 12 11...8  7   6 5   4  3 2 1 0
 *   G  D/B L AVL  0     P   DPL   S   type       (16: unusable) */
#define SEG_TYPE  FIELD(3, 0)
#define SEG_S     BIT(4)            /* code or data; clear: system */
#define SEG_DPL   FIELD(6, 5)
#define SEG_P     BIT(7)            /* present                               */
#define SEG_AVL   BIT(12)           /* for software                          */
#define SEG_L     BIT(13)           /* code of 64 bits                       */
#define SEG_DB    BIT(14)           /* code, stack pointer of 32 bits, else 16 */
#define SEG_G     BIT(15)           /* the limit counts pages, not bytes     */

/*    index        name            value after reset   one line */
#define MSR_LIST(X)                                                              \
    X(0x00000010, TSC,            0,                  "time stamp counter")      \
    X(0x0000001b, APIC_BASE,      0xfee00900,         "where the local APIC is") \
    X(0x0000008b, BIOS_SIGN_ID,   0,                  "microcode revision")      \
    X(0x000000fe, MTRRCAP,        0,                  "no MTRRs")                \
    X(0x00000174, SYSENTER_CS,    0,                  "SYSENTER: code selector") \
    X(0x00000175, SYSENTER_ESP,   0,                  "SYSENTER: stack")         \
    X(0x00000176, SYSENTER_EIP,   0,                  "SYSENTER: entry point")   \
    X(0x00000179, MCG_CAP,        0,                  "no machine-check banks")  \
    X(0x0000017a, MCG_STATUS,     0,                  "machine-check status")    \
    X(0x000001a0, MISC_ENABLE,    1,                  "fast strings")            \
    X(0x00000277, PAT,            0x0007040600070406, "page attribute table")    \
    X(0x000002ff, MTRR_DEF_TYPE,  0,                  "default memory type")     \
    X(0xc0000080, EFER,           0,                  "long mode, NX, SYSCALL")  \
    X(0xc0000081, STAR,           0,                  "SYSCALL: selectors")      \
    X(0xc0000082, LSTAR,          0,                  "SYSCALL: 64-bit entry")   \
    X(0xc0000083, CSTAR,          0,                  "SYSCALL: compat entry")   \
    X(0xc0000084, SFMASK,         0,                  "SYSCALL: flags cleared")  \
    X(0xc0000100, FS_BASE,        0,                  "base of FS")              \
    X(0xc0000101, GS_BASE,        0,                  "base of GS")              \
    X(0xc0000102, KERNEL_GS_BASE, 0,                  "what SWAPGS swaps in")    \
    X(0xc0000103, TSC_AUX,        0,                  "RDTSCP: ECX")

enum msr {
#define X(index, name, reset, about) MSR_##name = (int)(index),
    MSR_LIST(X)
#undef X
};

#endif
