/*
 * tests/unit/test_soft.c -- the interpreter's core: run loop, budget, blocks, TLB, exits.
 *
 * Each test puts a few bytes at 0x1000 of a small machine whose nested tables
 * are the identity, runs them and looks at the registers.  What instructions
 * compute is judged elsewhere (tests/judge), against another implementation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/x86.h"
#include "cpu/vcpu.h"
#include "mem/gmem.h"
#include "mem/hmem.h"
#include "mem/nested.h"

#define RAM   (1 << 20)
#define CODE  0x1000
#define STACK 0x8000

struct machine { struct vcpu v; struct nested *nested; struct vmexit x; };

enum bits { B16, B32, B64 };

static struct segment flat(uint16_t sel, uint16_t attr)
{
    return (struct segment){ .sel = sel, .attr = attr, .limit = 0xffffffff };
}

/* Page tables for long mode at 0x10000: the first 2 MiB, identity, user. */
static void long_tables(struct gmem *m)
{
    uint64_t e[3] = { 0x11007, 0x12007, 0x87 };

    for (unsigned i = 0; i < 3; i++)
        gmem_write(m, 0x10000 + 0x1000 * i, &e[i], 8);
}

static void set_mode(struct machine *m, enum bits bits)
{
    struct cpu_state s;

    memset(&s, 0, sizeof s);
    cpu_state_reset(&s);
    s.rip = CODE;
    s.rflags = FLAG_ONE;
    s.gpr[RSP] = STACK;
    for (int i = 0; i < 6; i++) {
        s.seg[i].sel = 0;
        s.seg[i].base = 0;
    }
    if (bits != B16) {
        s.cr0 |= CR0_PE;
        for (int i = 0; i < 6; i++)
            s.seg[i] = flat(0x10, 0xc093);
        s.seg[SEG_CS] = flat(0x08, 0xc09b);
    }
    if (bits == B64) {
        long_tables(m->v.gmem);
        s.cr0 |= CR0_PG;
        s.cr3 = 0x10000;
        s.cr4 |= CR4_PAE;
        s.efer = EFER_LME | EFER_LMA;
        s.seg[SEG_CS] = flat(0x08, 0xa09b);
    }
    m->v.ops->set_state(&m->v, ST_ALL, &s);
}

static struct machine *machine_new(enum bits bits)
{
    struct machine *m = calloc(1, sizeof *m);

    m->v.ops = &engine_soft;
    m->v.gmem = gmem_new();
    gmem_add(m->v.gmem, "RAM", 0, RAM, GMEM_RAM);
    gmem_freeze(m->v.gmem);
    m->v.hmem = hmem_new(m->v.gmem);
    m->nested = nested_new(m->v.hmem, NULL);
    m->v.eptp = nested_root(m->nested);
    for (gpa_t at = 0; at < RAM; at += PAGE_SIZE)
        nested_map(m->nested, at, HMEM_GUEST + at, PAGE_SIZE, EPT_RWX);
    assert_int_equal(engine_soft.create(&m->v), 0);
    set_mode(m, bits);
    return m;
}

static void machine_free(struct machine *m)
{
    engine_soft.destroy(&m->v);
    nested_free(m->nested);
    hmem_free(m->v.hmem);
    gmem_free(m->v.gmem);
    free(m);
}

static void put(struct machine *m, gpa_t at, const char *bytes, size_t n)
{
    assert_int_equal(gmem_write(m->v.gmem, at, bytes, n), 0);
}
#define PUT(m, at, bytes) put(m, at, bytes, sizeof(bytes) - 1)

static struct cpu_state get(struct machine *m)
{
    struct cpu_state s;

    memset(&s, 0, sizeof s);
    m->v.ops->get_state(&m->v, ST_ALL, &s);
    return s;
}

static enum exit_reason run(struct machine *m, uint64_t budget)
{
    m->v.ops->run(&m->v, budget, &m->x);
    return m->x.reason;
}

/* ---- */

static void adds(void **state)
{
    (void)state;
    for (enum bits b = B16; b <= B64; b++) {
        struct machine *m = machine_new(b);
        PUT(m, CODE, "\xb0\x05\x04\x07\xf4");       /* mov al,5; add al,7; hlt */
        assert_int_equal(run(m, 100), EXIT_HLT);
        assert_int_equal(get(m).gpr[RAX] & 0xff, 12);
        assert_int_equal(m->x.rip, CODE + 4);
        assert_int_equal(m->x.len, 1);
        assert_int_equal(m->x.bytes[0], 0xf4);
        assert_int_equal(m->v.icount, 2);
        machine_free(m);
    }
}

/* mov ecx,N; L: dec ecx; jnz L; hlt */
static void loop_counts_exactly(void **state)
{
    (void)state;
    for (enum bits b = B32; b <= B64; b++) {
        struct machine *m = machine_new(b);
        PUT(m, CODE, "\xb9\x00\x00\x10\x00\x83\xe9\x01\x75\xfb\xf4");
        for (uint64_t n = 1; n < 50; n++) {
            assert_int_equal(run(m, 1), EXIT_BUDGET);
            assert_int_equal(m->v.icount, n);
        }
        assert_int_equal(run(m, 12345), EXIT_BUDGET);
        assert_int_equal(m->v.icount, 49 + 12345);
        assert_int_equal(get(m).gpr[RCX], 0x100000 - (49 + 12345 - 1 + 1) / 2);
        assert_int_equal(run(m, 100000000), EXIT_HLT);
        assert_int_equal(m->v.icount, 1 + 2 * 0x100000);
        machine_free(m);
    }
}

/* The instruction behind the store is overwritten by it: mov byte [rel +6], 0x42. */
static void modifies_itself(void **state)
{
    struct machine *m = machine_new(B32);

    (void)state;
    /* 1000: mov byte [0x1008],0x42 ; 1007: mov al,0 ; hlt */
    PUT(m, CODE, "\xc6\x05\x08\x10\x00\x00\x42\xb0\x00\xf4");
    assert_int_equal(run(m, 100), EXIT_HLT);
    assert_int_equal(get(m).gpr[RAX] & 0xff, 0x42);
    assert_int_equal(m->v.icount, 2);
    machine_free(m);
}

/* Code rewritten each time round: mov [0x1100],cl ; call 0x10ff ; add ebx,eax; loop */
static void modifies_a_callee(void **state)
{
    struct machine *m = machine_new(B32);

    (void)state;
    PUT(m, CODE, "\x88\x0d\x00\x11\x00\x00" "\xe8\xf4\x00\x00\x00" "\x0f\xb6\xc0\x01\xc3" "\xe2\xee\xf4");
    PUT(m, 0x10ff, "\xb0\x00\xc3");
    struct cpu_state s = get(m);
    s.gpr[RCX] = 200;
    m->v.ops->set_state(&m->v, ST_GPRS, &s);
    assert_int_equal(run(m, 100000), EXIT_HLT);
    assert_int_equal(get(m).gpr[RBX], 200 * 201 / 2);
    machine_free(m);
}

static void crosses_a_page(void **state)
{
    struct machine *m = machine_new(B32);

    (void)state;
    PUT(m, 0x1ffd, "\xb8\x01\x02\x03\x04\xf4");     /* mov eax,0x04030201 */
    PUT(m, CODE, "\xe9\xf8\x0f\x00\x00");
    assert_int_equal(run(m, 100), EXIT_HLT);
    assert_int_equal(get(m).gpr[RAX], 0x04030201);
    PUT(m, 0x2000, "\x22");
    m->v.ops->forget(&m->v, 0x2000, 1);
    set_mode(m, B32);
    assert_int_equal(run(m, 100), EXIT_HLT);
    assert_int_equal(get(m).gpr[RAX], 0x04220201);
    machine_free(m);
}

static void reads_a_device(void **state)
{
    struct machine *m = machine_new(B32);

    (void)state;
    /* mov eax,[0xfee00000]; inc dword [0xfee00004]; hlt */
    PUT(m, CODE, "\xa1\x00\x00\xe0\xfe\xff\x05\x04\x00\xe0\xfe\xf4");
    assert_int_equal(run(m, 100), EXIT_MMIO);
    assert_int_equal(m->x.mmio.gpa, 0xfee00000);
    assert_false(m->x.mmio.write);
    m->x.mmio.value = 0x12345678;
    m->v.ops->conclude(&m->v, &m->x, RETIRE);
    assert_int_equal(run(m, 100), EXIT_MMIO);
    assert_int_equal(get(m).gpr[RAX], 0x12345678);
    assert_false(m->x.mmio.write);
    m->x.mmio.value = 41;
    m->v.ops->conclude(&m->v, &m->x, RETIRE);
    assert_int_equal(run(m, 100), EXIT_MMIO);
    assert_true(m->x.mmio.write);
    assert_int_equal(m->x.mmio.value, 42);
    m->v.ops->conclude(&m->v, &m->x, RETIRE);
    assert_int_equal(run(m, 100), EXIT_HLT);
    assert_int_equal(m->v.icount, 2);
    machine_free(m);
}

static void violates_ept(void **state)
{
    struct machine *m = machine_new(B32);

    (void)state;
    PUT(m, CODE, "\xa3\x00\x50\x00\x00\xf4");       /* mov [0x5000],eax */
    nested_unmap(m->nested, 0x5000, 1);
    m->v.ops->flush_tlb(&m->v);
    assert_int_equal(run(m, 100), EXIT_EPT_VIOLATION);
    assert_int_equal(m->x.page.gpa, 0x5000);
    assert_int_equal(m->x.page.access, ACCESS_R | ACCESS_W);
    assert_int_equal(m->v.icount, 0);
    nested_map(m->nested, 0x5000, HMEM_GUEST + 0x5000, PAGE_SIZE, EPT_RWX);
    m->v.ops->conclude(&m->v, &m->x, RETRY);
    assert_int_equal(run(m, 100), EXIT_HLT);
    assert_int_equal(m->v.icount, 1);
    machine_free(m);
}

/* rep stosd of 5000 elements, a budget of 7 at a time */
static void repeats_within_budget(void **state)
{
    struct machine *m = machine_new(B32);
    uint64_t n = 0;

    (void)state;
    PUT(m, CODE, "\xf3\xab\xf4");
    struct cpu_state s = get(m);
    s.gpr[RCX] = 5000;
    s.gpr[RDI] = 0x20001;
    s.gpr[RAX] = 0x11223344;
    m->v.ops->set_state(&m->v, ST_GPRS, &s);
    while (run(m, 7) == EXIT_BUDGET) {
        n += 7;
        assert_int_equal(m->v.icount, n);
        s = get(m);
        assert_int_equal(s.gpr[RCX], 5000 - n);
    }
    assert_int_equal(m->x.reason, EXIT_HLT);
    assert_int_equal(m->v.icount, 5000);
    assert_int_equal(get(m).gpr[RDI], 0x20001 + 20000);
    assert_memory_equal(gmem_ptr(m->v.gmem, 0x20001 + 4 * 4999, 4), "\x44\x33\x22\x11", 4);
    assert_int_equal(*(uint8_t *)gmem_ptr(m->v.gmem, 0x20001 + 20000, 1), 0);
    machine_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds),
        cmocka_unit_test(loop_counts_exactly),
        cmocka_unit_test(modifies_itself),
        cmocka_unit_test(modifies_a_callee),
        cmocka_unit_test(crosses_a_page),
        cmocka_unit_test(reads_a_device),
        cmocka_unit_test(violates_ept),
        cmocka_unit_test(repeats_within_budget),
    };

    return cmocka_run_group_tests_name("soft", tests, NULL, NULL);
}
