/*
 * lib/x86.h -- one C function for each instruction that C has no word for.
 *
 * Everything here is one instruction of the basic integer ISA, inline, so a
 * guest's source shows which of its lines can trap.
 */
#ifndef LIB_X86_H
#define LIB_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef unsigned long ulong;        /* as wide as a register: 32 or 64 bits */

/* ---- ports ---- */
static inline void outb(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}
static inline void outw(uint16_t port, uint16_t v)
{
    __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port) : "memory");
}
static inline void outl(uint16_t port, uint32_t v)
{
    __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}
static inline uint8_t inb(uint16_t port)
{
    uint8_t v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}

static inline uint16_t inw(uint16_t port)
{
    uint16_t v;
    __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}

/* ---- control registers ---- */
#define CR_ACCESSORS(n)                                                     \
    static inline ulong cr##n##_read(void)                                  \
    {                                                                       \
        ulong v;                                                            \
        __asm__ volatile("mov %%cr" #n ", %0" : "=r"(v) : : "memory");      \
        return v;                                                           \
    }                                                                       \
    static inline void cr##n##_write(ulong v)                               \
    {                                                                       \
        __asm__ volatile("mov %0, %%cr" #n : : "r"(v) : "memory");          \
    }
CR_ACCESSORS(0)
CR_ACCESSORS(2)
CR_ACCESSORS(3)
CR_ACCESSORS(4)

#define CR0_PE 0x00000001ul
#define CR0_MP 0x00000002ul
#define CR0_EM 0x00000004ul
#define CR0_TS 0x00000008ul
#define CR0_WP 0x00010000ul
#define CR0_AM 0x00040000ul
#define CR0_PG 0x80000000ul
#define CR4_VME  0x001ul
#define CR4_PSE  0x010ul
#define CR4_PAE  0x020ul
#define CR4_PGE  0x080ul
#define CR4_UMIP 0x800ul

/* ---- model-specific registers ---- */
#define MSR_SYSENTER_CS  0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_EFER         0xc0000080u
#define MSR_STAR         0xc0000081u
#define MSR_LSTAR        0xc0000082u
#define MSR_FMASK        0xc0000084u
#define EFER_SCE         0x001
#define EFER_LME         0x100
#define EFER_LMA         0x400

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}
static inline void wrmsr(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" : : "a"((uint32_t)v), "d"((uint32_t)(v >> 32)), "c"(msr) : "memory");
}

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};
static inline struct cpuid cpuid(uint32_t leaf)
{
    struct cpuid r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(0));
    return r;
}

/* ---- flags, interrupts ---- */
#define FLAG_CF  0x00001ul
#define FLAG_TF  0x00100ul
#define FLAG_IF  0x00200ul
#define FLAG_DF  0x00400ul
#define FLAG_OF  0x00800ul
#define FLAG_NT  0x04000ul
#define FLAG_RF  0x10000ul
#define FLAG_VM  0x20000ul
#define FLAG_AC  0x40000ul

static inline ulong flags_read(void)
{
    ulong v;
    __asm__ volatile("pushf; pop %0" : "=r"(v) : : "memory");
    return v;
}
static inline void flags_write(ulong v)
{
    __asm__ volatile("push %0; popf" : : "r"(v) : "memory", "cc");
}
static inline void cli(void)
{
    __asm__ volatile("cli" : : : "memory");
}
static inline void sti(void)
{
    __asm__ volatile("sti" : : : "memory");
}

/* STI takes effect after the next instruction, so no interrupt fits between
 * the two and the HLT cannot miss its wake-up [SDM 2B "STI-Set Interrupt Flag"]. */
static inline void sti_hlt(void)
{
    __asm__ volatile("sti; hlt" : : : "memory");
}

static inline void invlpg(const void *p)
{
    __asm__ volatile("invlpg %0" : : "m"(*(const char *)p) : "memory");
}

#endif
