/*
 * fpu_board.h -- a CPU for one floating-point instruction: the interpreter, 1 MiB of
 * RAM with a read-only page, 32-bit protected mode, EBX at the data.
 *
 *   begin(CR0_NE, CR4_OSFXSR);  GO("\x0f\x28\x03");  assert_fault(VEC_GP, 0);
 *
 * Included by the tests of engine `soft`'s FPU.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/x86.h"
#include "cpu/vcpu.h"
#include "mem/gmem.h"
#include "mem/hmem.h"
#include "mem/nested.h"

enum { RAM = 1 << 20, CODE = 0x1000, DATA = 0x2000, READ_ONLY = 0x5000 };

static struct vcpu cpu;
static struct nested *nested;
static struct vmexit out;

static int set_up(void **state)
{
    (void)state;
    memset(&cpu, 0, sizeof cpu);
    cpu.ops = &engine_soft;
    cpu.gmem = gmem_new();
    gmem_add(cpu.gmem, "RAM", 0, RAM, GMEM_RAM);
    gmem_freeze(cpu.gmem);
    cpu.hmem = hmem_new(cpu.gmem);
    nested = nested_new(cpu.hmem, NULL);
    cpu.eptp = nested_root(nested);
    for (gpa_t at = 0; at < RAM; at += PAGE_SIZE)
        nested_map(nested, at, HMEM_GUEST + at, PAGE_SIZE,
                   at == READ_ONLY ? EPT_R : EPT_RWX);
    return engine_soft.create(&cpu);
}

static int tear_down(void **state)
{
    (void)state;
    engine_soft.destroy(&cpu);
    nested_free(nested);
    hmem_free(cpu.hmem);
    gmem_free(cpu.gmem);
    return 0;
}

static struct cpu_state get(void)
{
    struct cpu_state s = { 0 };

    engine_soft.get_state(&cpu, ST_ALL, &s);
    return s;
}

static struct fxsave fpu(void)
{
    struct cpu_state s = get();
    struct fxsave f;

    memcpy(&f, s.fpu, sizeof f);
    return f;
}

static struct segment flat(uint16_t attr)
{
    return (struct segment){ .sel = 8, .attr = attr, .limit = 0xffffffff };
}

/* 32-bit protected mode with the FPU as after FNINIT, every exception an exit. */
static void begin(uint64_t cr0, uint64_t cr4)
{
    struct cpu_state s = { 0 };
    struct fxsave f = { .fcw = 0x37f, .mxcsr = 0x1f80 };
    static struct controls ctl = { .exception_bitmap = 0xffffffff };

    cpu_state_reset(&s);
    s.rip = CODE;
    s.rflags = FLAG_ONE;
    s.gpr[RBX] = DATA;
    s.cr0 = CR0_PE | CR0_ET | cr0;
    s.cr4 = cr4;
    for (int i = 0; i < 6; i++)
        s.seg[i] = flat(i == SEG_CS ? 0xc09b : 0xc093);
    memcpy(s.fpu, &f, sizeof f);
    engine_soft.set_state(&cpu, ST_ALL, &s);
    engine_soft.set_controls(&cpu, &ctl);
}

static enum exit_reason go(const char *code, size_t n)
{
    gmem_write(cpu.gmem, CODE, code, n);
    engine_soft.forget(&cpu, CODE, n);
    engine_soft.run(&cpu, 1000, &out);
    return out.reason;
}
#define GO(code) go(code "\xf4", sizeof(code))

static void assert_fault(unsigned vector, unsigned at)
{
    assert_int_equal(out.reason, EXIT_EXCEPTION);
    assert_int_equal(out.fault.vector, vector);
    assert_int_equal(out.rip, CODE + at);
}

static uint64_t memory(unsigned at, unsigned n)
{
    uint64_t v = 0;

    gmem_read(cpu.gmem, DATA + at, &v, n);
    return v;
}
