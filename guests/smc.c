/*
 * smc: programs that write programs.
 *
 * x86 promises that a store to the instruction stream is seen by the very next
 * instruction [SDM 3A "Self-Modifying Code"].  For an interpreter that caches
 * decoded instructions, and for a binary translator, this is the hardest
 * promise to keep: the block being executed may be the one that is changed.
 *
 *   run    vitrine run   build/guests/smc32.elf
 *   watch  vitrine run   --trace - build/guests/smc32.elf
 *
 * MARK n: before the nth case below.
 */
#include "lib/guest.h"

#ifdef __x86_64__
#define AX "%%rax"
#define CX "%%rcx"
#define DI "%%rdi"
#else
#define AX "%%eax"
#define CX "%%ecx"
#define DI "%%edi"
#endif

/* The writable, executable page some cases assemble into. */
static uint8_t page[2 * 4096] __attribute__((aligned(4096)));
typedef unsigned fn(void);

/* B8 imm32; C3:  mov $value, %eax; ret */
static void assemble_return(uint8_t *at, uint32_t value)
{
    at[0] = 0xb8;
    memcpy(at + 1, &value, 4);
    at[5] = 0xc3;
}

/* The instruction after the store is the one stored to, in one basic block. */
static unsigned next_instruction(void)
{
    unsigned r;

    __asm__ volatile("movb $42, 1f+1\n"
                     ".byte 0xeb, 0x00\n"       /* jmp over nothing: first a block boundary ... */
                     "1: movl $1, %%eax\n"
                     "movb $43, 2f+1\n"         /* ... then none */
                     "2: movl $1, %%ecx\n"
                     "shl $8, %%eax\n"
                     "or %%ecx, %%eax"
                     : "=a"(r) : : "ecx", "memory", "cc");
    return r;
}

/* A loop whose body adds a constant that the body itself increments. */
static unsigned growing_loop(void)
{
    unsigned r;

    __asm__ volatile("movl $0, %%eax\n"
                     "movl $10, %%ecx\n"
                     "movl $0, 2f+1\n"          /* so that it can run twice */
                     "1: incl 2f+1\n"
                     "2: addl $0x7fffffff, %%eax\n"
                     "decl %%ecx\n"
                     "jnz 1b"
                     : "=a"(r) : : "ecx", "memory", "cc");
    return r;                                   /* 1 + 2 + ... + 10 */
}

/* REP STOSB paves over two UD2 that follow it: the string instruction, the
 * victims and all are one block. */
static unsigned pave_over_ud2(void)
{
    unsigned r;

    __asm__ volatile("mov $1f, " DI "\n"
                     "mov $4, " CX "\n"
                     "movb $0x90, %%al\n"
                     "rep stosb\n"
                     "1: ud2\n"
                     "ud2\n"
                     "movl $7, %0"
                     : "=r"(r) : : "eax", "ecx", "edi", "memory");
    return r;
}

/* An instruction with its opcode at the end of one page and the rest in the
 * next; only the second page is written. */
static unsigned across_pages(void)
{
    uint8_t *at = page + 4096 - 1;
    unsigned sum = 0;

    for (unsigned i = 0; i < 5; i++) {
        assemble_return(at, 0);
        sum += ((fn *)at)();
        page[4096] = (uint8_t)(i + 1);          /* the immediate alone */
        sum += ((fn *)at)();
    }
    return sum;
}

/* A small compiler: 300 functions, each in the place of the one before. */
static unsigned just_in_time(void)
{
    unsigned sum = 0;

    for (unsigned i = 1; i <= 300; i++) {
        assemble_return(page, i);
        sum += ((fn *)page)();
    }
    return sum;
}

/* Code becomes data becomes code: the bytes of a function copied elsewhere,
 * changed there, and moved back over the original. */
static unsigned there_and_back(void)
{
    uint8_t copy[6];

    assemble_return(page, 5);
    unsigned r = ((fn *)page)();
    memcpy(copy, page, sizeof(copy));
    copy[1] = 6;
    memcpy(page, copy, sizeof(copy));
    return r * 10 + ((fn *)page)();
}

/* One page called between writes to its unused end: nothing may change. */
static unsigned false_sharing(void)
{
    unsigned sum = 0;

    assemble_return(page, 1);
    for (unsigned i = 0; i < 1000; i++) {
        page[2048 + i % 64] = (uint8_t)i;
        sum += ((fn *)page)();
    }
    return sum;
}

static const struct {
    const char *what;
    unsigned (*run)(void);
    unsigned want;
} cases[] = {
    {"the next instruction", next_instruction, 42 << 8 | 43},
    {"a loop that changes itself", growing_loop, 55},
    {"REP STOSB over what follows", pave_over_ud2, 7},
    {"an instruction on two pages", across_pages, 15},
    {"just in time", just_in_time, 45150},
    {"there and back", there_and_back, 56},
    {"data beside code", false_sharing, 1000},
};

int main(void)
{
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mark(i + 1);
        unsigned got = cases[i].run();
        printf("%s: %u\n", cases[i].what, got);
        CHECK(cases[i].what, got, cases[i].want);
    }
    CHECK("the loop again", growing_loop(), 55);
    return check_result();
}
