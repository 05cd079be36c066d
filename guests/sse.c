/*
 * sse: four numbers at once, and how a kernel lets its programs have them.
 *
 * SSE is not there until the kernel says that it will save the registers: CR4.OSFXSR;
 * without it every instruction is #UD.  CR0.TS makes the first one #NM, so that
 * the kernel saves them only for those who use them.  FXSAVE and FXRSTOR do it.  A
 * program may unmask exceptions of arithmetic in MXCSR: #XM, if CR4.OSXMMEXCPT says
 * that the kernel knows of them, else #UD.
 *
 *   run    vitrine run   build/guests/sse64.elf
 *   watch  vitrine run   --trace - --trace-kinds MARK,DELIVER build/guests/sse64.elf
 *
 * MARK 1: not switched on.  MARK 2: arithmetic.  MARK 3: saved and restored.
 * MARK 4: exceptions.  MARK 5: done.
 */
#include "lib/guest.h"
#include "lib/desc.h"
#include "lib/page.h"

#define CR4_OSFXSR     0x200ul
#define CR4_OSXMMEXCPT 0x400ul

typedef struct { uint32_t lane[4]; } __attribute__((aligned(16))) vec;

static vec a = { { 1, 2, 3, 4 } }, b = { { 10, 20, 30, 40 } }, c;
static uint8_t image[512] __attribute__((aligned(16)));

#define EM_TS (CR0_EM | CR0_TS)

static const char *name_of(bool trapped)
{
    if (!trapped)
        return "works";
    return caught.vector == 6 ? "#UD" : caught.vector == 7 ? "#NM" : caught.vector == 13 ? "#GP"
         : caught.vector == 19 ? "#XM" : "another exception";
}

static void not_switched_on(void)
{
    ulong cr0 = cr0_read() & ~EM_TS, cr4 = cr4_read() & ~CR4_OSFXSR;

    cr0_write(cr0);
    cr4_write(cr4);
    printf("without OSFXSR: %s\n", name_of(TRY("xorps %%xmm0, %%xmm0", : : : "memory")));
    cr4_write(cr4 | CR4_OSFXSR | CR4_OSXMMEXCPT);
    printf("with it: %s\n", name_of(TRY("xorps %%xmm0, %%xmm0", : : : "memory")));
    cr0_write(cr0 | CR0_TS);
    printf("with TS: %s\n", name_of(TRY("xorps %%xmm0, %%xmm0", : : : "memory")));
    cr0_write(cr0 | CR0_EM);
    printf("with EM: %s\n", name_of(TRY("xorps %%xmm0, %%xmm0", : : : "memory")));
    cr0_write(cr0);
}

static void show(const char *what)
{
    printf("%s: %u %u %u %u\n", what, c.lane[0], c.lane[1], c.lane[2], c.lane[3]);
}

static void arithmetic(void)
{
    __asm__ volatile ("movdqa %1, %%xmm0; paddd %2, %%xmm0; movdqa %%xmm0, %0"
                      : "=m"(c) : "m"(a), "m"(b));
    show("added as integers");
    __asm__ volatile ("cvtdq2ps %1, %%xmm0; cvtdq2ps %2, %%xmm1; mulps %%xmm1, %%xmm0;"
                      "sqrtps %%xmm0, %%xmm0; cvtps2dq %%xmm0, %%xmm0; movdqa %%xmm0, %0" : "=m"(c) : "m"(a), "m"(b));
    show("root of the product, rounded");
    __asm__ volatile ("pshufd $0x1b, %1, %%xmm2; movdqu %%xmm2, %0" : "=m"(c) : "m"(b));
    show("turned round");
    printf("misaligned: %s\n", name_of(TRY("movaps 4(%0), %%xmm0", : : "r"(&a) : "memory")));
}

static void saved_and_restored(void)
{
    __asm__ volatile ("movdqa %1, %%xmm3; fxsave %0" : "=m"(image) : "m"(a));
    printf("saved: XMM3 begins with %u, MXCSR is %x\n", image[160 + 48],
           (unsigned)(image[24] | image[25] << 8));
    image[160 + 48] = 99;
    __asm__ volatile ("fxrstor %1; movdqa %%xmm3, %0" : "=m"(c) : "m"(image));
    show("restored");
}

static void exceptions(void)
{
    static const uint32_t usual = 0x1f80, unmasked = 0x1d80;    /* division by zero */
    static uint32_t mxcsr;

#define DIVIDE "cvtdq2ps %0, %%xmm0; xorps %%xmm1, %%xmm1; divps %%xmm1, %%xmm0"
    printf("1 / 0: %s\n", name_of(TRY(DIVIDE, : : "m"(a) : "memory")));
    __asm__ volatile ("stmxcsr %0; ldmxcsr %1" : "=m"(mxcsr) : "m"(unmasked));
    printf("MXCSR is %x\n", mxcsr);
    printf("1 / 0, unmasked: %s\n", name_of(TRY(DIVIDE, : : "m"(a) : "memory")));
    cr4_write(cr4_read() & ~CR4_OSXMMEXCPT);
    __asm__ volatile ("ldmxcsr %0" : : "m"(unmasked));
    printf("1 / 0, unmasked, without OSXMMEXCPT: %s\n",
           name_of(TRY(DIVIDE, : : "m"(a) : "memory")));
    __asm__ volatile ("ldmxcsr %0" : : "m"(usual));
}

int main(void)
{
    mark(1);
    not_switched_on();
    mark(2);
    arithmetic();
    mark(3);
    saved_and_restored();
    mark(4);
    exceptions();
    mark(5);
    return check_result();
}
