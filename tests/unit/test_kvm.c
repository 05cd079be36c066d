/*
 * The KVM engine against tiny real-mode guests, byte by byte: is every record
 * what the exit language says, and does every verdict do what it says?
 *
 * Skipped, and says so, where there is no usable /dev/kvm.
 */
#include "cpu/vcpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/x86.h"
#include "cpu/cpuid.h"
#include "mem/dirty.h"
#include "mem/gmem.h"

#define CODE 0x1000u
#define DATA 0x3000u
#define ROM  0xf0000u

struct guest {
    struct gmem    *m;
    struct vcpu     v;
    struct vmexit   x;
    struct controls c;
};

static struct engine_caps caps;

static bool have_kvm(void)
{
    static int known = -1;
    if (known < 0) {
        known = engine_kvm.probe(&caps) == 0 && caps.real_mode;
        if (!known)
            print_message("skipped: the kvm engine does not work here: %s\n", caps.why);
    }
    return known;
}

/* RAM below 0xa0000, a ROM page, nothing else. */
static struct guest *start(const void *code, size_t n)
{
    static struct guest g;
    if (!have_kvm())
        skip();
    memset(&g, 0, sizeof(g));
    g.m = gmem_new();
    assert_int_equal(gmem_add(g.m, "RAM", 0, 0xa0000, GMEM_RAM), 0);
    assert_int_equal(gmem_add(g.m, "ROM", ROM, 0x1000, GMEM_ROM), 0);
    gmem_freeze(g.m);
    gmem_write(g.m, CODE, code, n);
    g.v = (struct vcpu){ .ops = &engine_kvm, .gmem = g.m, .mmu = MMU_NESTED, .dirty = dirty_new(g.m) };
    assert_int_equal(engine_kvm.create(&g.v), 0);
    struct cpu_state s;
    cpu_state_reset(&s);
    s.seg[SEG_CS].sel = 0;
    s.seg[SEG_CS].base = 0;
    s.rip = CODE;
    s.gpr[RSP] = 0x8000;
    assert_int_equal(engine_kvm.set_state(&g.v, ST_ALL, &s), 0);
    return &g;
}
#define START(...) start((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void stop(struct guest *g)
{
    engine_kvm.destroy(&g->v);
    dirty_free(g->v.dirty);
    gmem_free(g->m);
}

/* The next exit that is not a first touch. */
static struct vmexit *run(struct guest *g)
{
    for (;;) {
        engine_kvm.run(&g->v, UINT64_MAX, &g->x);
        if (g->x.reason != EXIT_EPT_VIOLATION)
            break;
        engine_kvm.conclude(&g->v, &g->x, RETRY);
    }
    return &g->x;
}

static void conclude(struct guest *g, enum verdict v)
{
    engine_kvm.conclude(&g->v, &g->x, v);
}

static struct cpu_state state(struct guest *g)
{
    struct cpu_state s;
    assert_int_equal(engine_kvm.get_state(&g->v, ST_ALL, &s), 0);
    return s;
}

/* An interrupt or exception handler for `vector`, at 0x100 * (vector + 2): OUT 0x80, al; HLT. */
static void put_handler(struct guest *g, unsigned vector)
{
    uint16_t entry[2] = { (uint16_t)(0x100 * (vector + 2)), 0 };
    gmem_write(g->m, 4 * vector, entry, sizeof(entry));
    gmem_write(g->m, entry[0], "\xe6\x80\xf4", 3);
}

static void expect_io(struct guest *g, uint64_t rip, const char *bytes, unsigned len, bool in,
                      unsigned port, unsigned size, uint64_t value)
{
    struct vmexit *x = run(g);
    assert_int_equal(x->reason, EXIT_IO);
    assert_int_equal(x->rip, rip);
    assert_int_equal(x->len, len);
    assert_memory_equal(x->bytes, bytes, len);
    assert_int_equal(x->io.in, in);
    assert_int_equal(x->io.port, port);
    assert_int_equal(x->io.size, size);
    assert_int_equal(x->io.value, value);
}

static void expect_hlt(struct guest *g, uint64_t rip)
{
    assert_int_equal(run(g)->reason, EXIT_HLT);
    assert_int_equal(g->x.rip, rip);
    conclude(g, RETIRE);
    assert_int_equal(state(g).rip, rip + 1);
}

/* KVM answers by itself: the table's answer less what limit_cpuid takes, and nothing
 * more.  A paravirtual KVM shows more of the host, but no APIC it cannot have. */
static void cpuid_is_the_table(void **st)
{
    (void)st;
    struct guest *g = START(0x66, 0xb8, 1, 0, 0, 0,     /* 1000 mov eax, 1 */
                            0x0f, 0xa2,                 /* 1006 cpuid */
                            0xf4,                       /* 1008 */
                            0x66, 0xb8, 7, 0, 0, 0,     /* 1009 mov eax, 7 */
                            0x66, 0x31, 0xc9,           /* 100f xor ecx, ecx */
                            0x0f, 0xa2, 0xf4);          /* 1012 cpuid; hlt */
    static const struct { uint32_t leaf; uint64_t hlt; } want[] = { { 1, 0x1008 }, { 7, 0x1014 } };
    for (size_t i = 0; i < 2; i++) {
        uint32_t r[4];
        expect_hlt(g, want[i].hlt);
        cpuid_answer(want[i].leaf, 0, false, 0, r);
        engine_kvm.limit_cpuid(&g->v, want[i].leaf, r);
        struct cpu_state s = state(g);
        uint64_t more = (s.gpr[RBX] ^ r[1]) | (s.gpr[RCX] ^ r[2]) | (s.gpr[RDX] ^ r[3]);
        assert_true(more == 0 || !caps.paging32);
        assert_false(want[i].leaf == 1 && s.gpr[RDX] & BIT(9));
    }
    stop(g);
}

static void out_of_every_form(void **st)
{
    (void)st;
    struct guest *g = START(0xb8, 0x41, 0x42,   /* mov ax, 0x4241 */
                            0xba, 0xe9, 0x00,   /* mov dx, 0xe9   */
                            0xe6, 0x80,         /* 1006 out 0x80, al */
                            0xe6, 0x80,         /* 1008 again        */
                            0xe7, 0x80,         /* 100a out 0x80, ax */
                            0xee, 0xee, 0xef,   /* 100c              */
                            0x66, 0xef,         /* 100f out dx, eax  */
                            0xf4);              /* 1011              */
    static const struct { uint64_t rip; const char *bytes; unsigned len, port, size, value; } want[] = {
        { 0x1006, "\xe6\x80", 2, 0x80, 1, 0x41   }, { 0x1008, "\xe6\x80", 2, 0x80, 1, 0x41   },
        { 0x100a, "\xe7\x80", 2, 0x80, 2, 0x4241 }, { 0x100c, "\xee",     1, 0xe9, 1, 0x41   },
        { 0x100d, "\xee",     1, 0xe9, 1, 0x41   }, { 0x100e, "\xef",     1, 0xe9, 2, 0x4241 },
        { 0x100f, "\x66\xef", 2, 0xe9, 4, 0x4241 },
    };
    for (size_t i = 0; i < NELEM(want); i++) {
        expect_io(g, want[i].rip, want[i].bytes, want[i].len, false, want[i].port, want[i].size,
                  want[i].value);
        assert_int_equal(state(g).rip, want[i].rip);    /* as the record tells it */
        conclude(g, RETIRE);
        if (i & 1)                                      /* settled or not: no difference */
            assert_int_equal(state(g).rip, want[i].rip + want[i].len);
    }
    expect_hlt(g, 0x1011);
    stop(g);
}

static void in_settles(void **st)
{
    (void)st;
    struct guest *g = START(0xe4, 0x60, 0xe4, 0x61, 0xe6, 0x80, 0xf4);
    expect_io(g, 0x1000, "\xe4\x60", 2, true, 0x60, 1, 0);
    g->x.io.value = 0x5a;
    conclude(g, RETIRE);
    struct cpu_state s = state(g);
    assert_int_equal(s.rip, 0x1002);
    assert_int_equal(s.gpr[RAX] & 0xff, 0x5a);
    expect_io(g, 0x1002, "\xe4\x61", 2, true, 0x61, 1, 0);
    g->x.io.value = 0xa5;
    conclude(g, RETIRE);
    expect_io(g, 0x1004, "\xe6\x80", 2, false, 0x80, 1, 0xa5);
    conclude(g, RETIRE);
    expect_hlt(g, 0x1006);
    stop(g);
}

static void retry_runs_it_again(void **st)
{
    (void)st;
    struct guest *g = START(0xb0, 0x11, 0xe4, 0x60, 0xe6, 0x80, 0xf4);
    for (int i = 0; i < 3; i++) {
        expect_io(g, 0x1002, "\xe4\x60", 2, true, 0x60, 1, 0);
        g->x.io.value = 0x77;
        conclude(g, i < 2 ? RETRY : RETIRE);
        assert_int_equal(state(g).gpr[RAX] & 0xff, i < 2 ? 0x11 : 0x77);
    }
    for (int i = 0; i < 3; i++) {
        expect_io(g, 0x1004, "\xe6\x80", 2, false, 0x80, 1, 0x77);
        conclude(g, i < 2 ? RETRY : RETIRE);
    }
    assert_int_equal(run(g)->reason, EXIT_HLT);
    conclude(g, RETRY);
    expect_hlt(g, 0x1006);
    stop(g);
}

static void strings_one_element_each(void **st)
{
    (void)st;
    struct guest *g = START(0xba, 0xe9, 0x00,           /* mov dx, 0xe9     */
                            0xbe, 0x00, 0x30,           /* mov si, 0x3000   */
                            0xb9, 0x03, 0x00,           /* mov cx, 3        */
                            0xf3, 0x6e,                 /* 1009 rep outsb   */
                            0xbf, 0x00, 0x40,           /* mov di, 0x4000   */
                            0xb9, 0x03, 0x00,           /* mov cx, 3        */
                            0xf3, 0x6d,                 /* 1011 rep insw    */
                            0x6e, 0x6c, 0xf4);          /* 1013 outsb; insb */
    gmem_write(g->m, DATA, "abcd", 4);
    for (unsigned i = 0; i < 3; i++) {
        expect_io(g, 0x1009, "\xf3\x6e", 2, false, 0xe9, 1, (uint64_t)"abc"[i]);
        assert_true(g->x.io.string && g->x.io.rep);
        assert_int_equal(g->x.io.gla, DATA + i);
        conclude(g, RETIRE);
        assert_int_equal(state(g).gpr[RCX], 2 - i);
        assert_int_equal(state(g).rip, 0x1009);         /* left only by finding CX = 0 */
    }
    for (unsigned i = 0; i < 3; i++) {
        expect_io(g, 0x1011, "\xf3\x6d", 2, true, 0xe9, 2, 0);
        assert_true(g->x.io.string && g->x.io.rep);
        assert_int_equal(g->x.io.gla, 0x4000 + 2 * i);
        g->x.io.value = 0x3130 + 0x202 * i;
        conclude(g, RETIRE);
        struct cpu_state s = state(g);
        assert_int_equal(s.gpr[RCX], 2 - i);
        assert_int_equal(s.gpr[RDI], 0x4000 + 2 * (i + 1));
        assert_int_equal(s.rip, 0x1011);
    }
    assert_memory_equal(gmem_ptr(g->m, 0x4000, 6), "012345", 6);
    expect_io(g, 0x1013, "\x6e", 1, false, 0xe9, 1, 'd');
    assert_true(g->x.io.string && !g->x.io.rep);
    conclude(g, RETIRE);
    expect_io(g, 0x1014, "\x6c", 1, true, 0xe9, 1, 0);
    g->x.io.value = '!';
    conclude(g, RETIRE);
    expect_hlt(g, 0x1015);
    assert_memory_equal(gmem_ptr(g->m, 0x4006, 1), "!", 1);
    stop(g);
}

/* OUT followed by REP OUTS to the same port: which was it? */
static void out_then_rep_outs(void **st)
{
    (void)st;
    struct guest *g = START(0xba, 0xe9, 0x00, 0xbe, 0x00, 0x30, 0xb9, 0x02, 0x00,
                            0xb0, 'x',                  /* mov al, 'x'    */
                            0xee,                       /* 100b out dx,al */
                            0xf3, 0x6e,                 /* 100c rep outsb */
                            0xf4);
    gmem_write(g->m, DATA, "xy", 2);
    expect_io(g, 0x100b, "\xee", 1, false, 0xe9, 1, 'x');
    conclude(g, RETIRE);
    run(g);                 /* with the same byte as AL nobody can tell; the value is right */
    assert_int_equal(g->x.io.value, 'x');
    conclude(g, RETIRE);
    expect_io(g, 0x100c, "\xf3\x6e", 2, false, 0xe9, 1, 'y');
    conclude(g, RETIRE);
    expect_hlt(g, 0x100e);
    stop(g);
}

static void device_memory(void **st)
{
    (void)st;
    struct guest *g = START(0xb8, 0x00, 0xa0, 0x8e, 0xd8,       /* mov ds, 0xa000         */
                            0xc6, 0x06, 0x10, 0x00, 0x55,       /* mov byte [0x10], 0x55  */
                            0x66, 0xa1, 0x20, 0x00,             /* mov eax, [0x20]        */
                            0xa1, 0xff, 0x0f,                   /* mov ax, [0xfff]        */
                            0xf4);
    struct vmexit *x = run(g);
    assert_int_equal(x->reason, EXIT_MMIO);
    assert_true(x->mmio.write);
    assert_int_equal(x->mmio.gpa, 0xa0010);
    assert_int_equal(x->mmio.size, 1);
    assert_int_equal(x->mmio.value, 0x55);
    conclude(g, RETIRE);
    x = run(g);
    assert_int_equal(x->reason, EXIT_MMIO);
    assert_false(x->mmio.write);
    assert_int_equal(x->mmio.gpa, 0xa0020);
    assert_int_equal(x->mmio.size, 4);
    assert_int_equal(x->rip, 0x100a);
    x->mmio.value = 0x12345678;
    conclude(g, RETIRE);
    assert_int_equal(state(g).gpr[RAX], 0x12345678);
    for (unsigned i = 0; i < 2; i++) {                          /* one access, two pages */
        x = run(g);
        assert_int_equal(x->reason, EXIT_MMIO);
        assert_int_equal(x->mmio.gpa, 0xa0fff + i);
        assert_int_equal(x->mmio.size, 1);
        x->mmio.value = 0xc0 + i;
        conclude(g, RETIRE);
    }
    expect_hlt(g, 0x1011);
    assert_int_equal(state(g).gpr[RAX], 0x1234c1c0);
    stop(g);
}

static void rom_is_read_only(void **st)
{
    (void)st;
    struct guest *g = START(0xb8, 0x00, 0xf0, 0x8e, 0xd8, 0xa0, 0x04, 0x00,
                            0xc6, 0x06, 0x04, 0x00, 0x55, 0xf4);
    gmem_load_rom(g->m, ROM + 4, "R", 1);
    struct vmexit *x = run(g);
    assert_int_equal(x->reason, EXIT_MMIO);
    assert_true(x->mmio.write);
    assert_int_equal(x->mmio.gpa, ROM + 4);
    conclude(g, RETIRE);
    expect_hlt(g, 0x100d);
    assert_int_equal(state(g).gpr[RAX] & 0xff, 'R');
    assert_memory_equal(gmem_ptr(g->m, ROM + 4, 1), "R", 1);
    stop(g);
}

static void msrs_exit(void **st)
{
    (void)st;
    struct guest *g = START(0x66, 0xb9, 0x8b, 0, 0, 0, 0x0f, 0x32,  /* mov ecx,0x8b; 1006 rdmsr */
                            0x0f, 0x30,                             /* 1008 wrmsr */
                            0x0f, 0x32, 0xf4);                      /* 100a rdmsr */
    put_handler(g, VEC_GP);
    if (engine_kvm.probe(&caps) || !caps.sees_msr) {
        stop(g);
        print_message("skipped: %s\n", caps.why);
        skip();
    }
    assert_int_equal(run(g)->reason, EXIT_RDMSR);
    assert_int_equal(g->x.rip, 0x1006);
    assert_int_equal(g->x.msr.index, 0x8b);
    g->x.msr.value = 0x1122334455667788;
    conclude(g, RETIRE);
    assert_int_equal(state(g).gpr[RAX], 0x55667788);
    assert_int_equal(state(g).gpr[RDX], 0x11223344);
    assert_int_equal(run(g)->reason, EXIT_WRMSR);
    assert_int_equal(g->x.rip, 0x1008);
    assert_int_equal(g->x.msr.value, 0x1122334455667788);
    conclude(g, RETIRE);
    assert_int_equal(run(g)->reason, EXIT_RDMSR);
    conclude(g, exit_reflect(&g->x, VEC_GP, true, 0));
    expect_io(g, 0x100 * (VEC_GP + 2), "\xe6\x80", 2, false, 0x80, 1, 0x88);
    conclude(g, RETIRE);
    uint16_t pushed_ip = 0;
    gmem_read(g->m, state(g).gpr[RSP], &pushed_ip, 2);
    assert_int_equal(pushed_ip, 0x100a);
    stop(g);
}

static void reflect_delivers_at_the_instruction(void **st)
{
    (void)st;
    static const uint8_t code[][4] = { { 0xe4, 0x60, 0xf4 }, { 0xe6, 0x60, 0xf4 }, { 0xf4 } };
    for (size_t i = 0; i < NELEM(code); i++) {
        struct guest *g = start(code[i], sizeof(code[i]));
        put_handler(g, VEC_GP);
        run(g);
        assert_int_equal(g->x.rip, 0x1000);
        conclude(g, exit_reflect(&g->x, VEC_GP, true, 0));
        run(g);
        assert_int_equal(g->x.reason, EXIT_IO);
        assert_int_equal(g->x.rip, 0x100 * (VEC_GP + 2));
        uint16_t pushed_ip = 0;
        gmem_read(g->m, state(g).gpr[RSP], &pushed_ip, 2);
        assert_int_equal(pushed_ip, 0x1000);
        conclude(g, RETIRE);
        stop(g);
    }
}

static void interrupts_by_the_window(void **st)
{
    (void)st;
    struct guest *g = START(0xe6, 0x10,                 /* out 0x10, al: IF is 0 */
                            0xfb,                       /* 1002 sti              */
                            0x90,                       /* 1003 nop, in the shadow */
                            0xeb, 0xfe);                /* 1004 jmp $            */
    put_handler(g, 0x20);
    expect_io(g, 0x1000, "\xe6\x10", 2, false, 0x10, 1, 0);
    assert_false(g->v.irq_ready);
    struct event e = { .type = EVENT_IRQ, .vector = 0x20 };
    assert_int_not_equal(engine_kvm.inject(&g->v, &e), 0);      /* not now */
    conclude(g, RETIRE);
    g->c.irq_window_exiting = true;
    assert_int_equal(engine_kvm.set_controls(&g->v, &g->c), 0);
    assert_int_equal(run(g)->reason, EXIT_IRQ_WINDOW);
    assert_true(g->v.irq_ready);
    assert_true(g->x.rip == 0x1003 || g->x.rip == 0x1004);
    conclude(g, RETRY);
    g->c.irq_window_exiting = false;
    assert_int_equal(engine_kvm.set_controls(&g->v, &g->c), 0);
    assert_int_equal(engine_kvm.inject(&g->v, &e), 0);
    expect_io(g, 0x2200, "\xe6\x80", 2, false, 0x80, 1, 0);
    assert_false(g->v.irq_ready);
    conclude(g, RETIRE);
    stop(g);
}

static void *kick_later(void *arg)
{
    struct guest *g = arg;
    usleep(20000);
    engine_kvm.kick(&g->v);
    return NULL;
}

static void kicks_are_not_lost(void **st)
{
    (void)st;
    struct guest *g = START(0xeb, 0xfe);
    pthread_t t;
    engine_kvm.kick(&g->v);                             /* before run() */
    assert_int_equal(run(g)->reason, EXIT_KICKED);
    conclude(g, RETRY);
    for (int i = 0; i < 5; i++) {                       /* during run() */
        assert_int_equal(pthread_create(&t, NULL, kick_later, g), 0);
        assert_int_equal(run(g)->reason, EXIT_KICKED);
        assert_int_equal(g->x.rip, 0x1000);
        conclude(g, RETRY);
        pthread_join(t, NULL);
    }
    stop(g);
}

static void every_page_is_touched_once(void **st)
{
    (void)st;
    struct guest *g = START(0xa0, 0x00, 0x50,           /* mov al, [0x5000]  */
                            0xa2, 0x00, 0x60,           /* mov [0x6000], al  */
                            0xa2, 0x00, 0x50,           /* mov [0x5000], al  */
                            0xe6, 0x80, 0xf4);
    if (engine_kvm.probe(&caps) || !caps.sees_first_touch) {
        stop(g);
        print_message("skipped: %s\n", caps.why);
        skip();
    }
    gmem_write(g->m, 0x5000, "L", 1);                   /* filled by a loader: still a touch */
    unsigned seen[16] = { 0 }, n = 0;
    for (;; n++) {
        engine_kvm.run(&g->v, UINT64_MAX, &g->x);
        if (g->x.reason != EXIT_EPT_VIOLATION)
            break;
        assert_true(g->x.page.gpa < 0x10000);
        assert_int_equal(g->x.page.gpa & 0xfff, 0);
        seen[g->x.page.gpa >> 12]++;
        *(uint8_t *)gmem_ptr(g->m, 0x7000, 1) = 1;      /* the monitor never waits */
        conclude(g, RETRY);
    }
    assert_int_equal(seen[1], 1);                       /* code */
    assert_int_equal(seen[5], 1);
    assert_int_equal(seen[6], 1);
    assert_int_equal(g->x.reason, EXIT_IO);
    assert_int_equal(g->x.io.value, 'L');
    conclude(g, RETIRE);
    engine_kvm.run(&g->v, UINT64_MAX, &g->x);           /* nothing new to touch */
    assert_int_equal(g->x.reason, EXIT_HLT);
    assert_memory_equal(gmem_ptr(g->m, 0x6000, 1), "L", 1);
    stop(g);
}

static void single_steps(void **st)
{
    (void)st;
    struct guest *g = START(0x90, 0xe4, 0x60, 0x40, 0xf4);  /* nop; in al,0x60; inc ax; hlt */
    g->c.monitor_trap_flag = true;
    assert_int_equal(engine_kvm.set_controls(&g->v, &g->c), 0);
    assert_int_equal(run(g)->reason, EXIT_MTF);
    assert_int_equal(g->x.rip, 0x1001);
    conclude(g, RETRY);
    expect_io(g, 0x1001, "\xe4\x60", 2, true, 0x60, 1, 0);
    g->x.io.value = 6;
    conclude(g, RETIRE);
    assert_int_equal(run(g)->reason, EXIT_MTF);
    assert_int_equal(g->x.rip, 0x1004);
    assert_int_equal(state(g).gpr[RAX] & 0xff, 7);
    conclude(g, RETRY);
    expect_hlt(g, 0x1004);
    stop(g);
}

static void expect_stop(struct guest *g, gla_t at)
{
    assert_int_equal(run(g)->reason, EXIT_BREAKPOINT);
    assert_int_equal(g->x.breakpoint.data, false);
    assert_int_equal(g->x.breakpoint.at, at);
    assert_int_equal(state(g).rip, at);
    conclude(g, RETRY);
}

/* Each time round each stop once, before its instruction; also where that exits, and
 * when steps come there. */
static void hidden_stops(void **st)
{
    (void)st;
    static const gla_t at[] = { 0x1001, 0x1002 }, many[] = { 1, 2, 3, 4, 5 };
    /* inc ax; inc bx; in al,0x60; jmp 1000h */
    struct guest *g = START(0x40, 0x43, 0xe4, 0x60, 0xeb, 0xfa);
    if (!caps.breakpoints) {
        print_message("skipped: %s\n", caps.why);
        stop(g);
        skip();
    }
    assert_int_equal(engine_kvm.set_debug(&g->v, &(struct debug_stops){ .code = at, .n_code = 2 }), 0);
    for (unsigned i = 1; i < 4; i++) {
        expect_stop(g, 0x1001);
        assert_int_equal(state(g).gpr[RBX], i - 1);
        expect_stop(g, 0x1002);
        assert_int_equal(state(g).gpr[RBX], i);
        expect_io(g, 0x1002, "\xe4\x60", 2, true, 0x60, 1, 0);
        conclude(g, RETIRE);
    }
    g->c.monitor_trap_flag = true;
    assert_int_equal(engine_kvm.set_controls(&g->v, &g->c), 0);
    for (unsigned i = 0; i < 2; i++) {
        uint64_t rip = 0;
        while (run(g)->reason == EXIT_MTF) {
            rip = g->x.rip;
            conclude(g, RETRY);
        }
        assert_int_equal(g->x.reason, EXIT_BREAKPOINT);
        assert_int_equal(g->x.breakpoint.at, at[i]);
        assert_int_equal(rip, at[i]);
        conclude(g, RETRY);
    }
    g->c.monitor_trap_flag = false;
    assert_int_equal(engine_kvm.set_controls(&g->v, &g->c), 0);
    assert_int_equal(engine_kvm.set_debug(&g->v, &(struct debug_stops){ .code = many, .n_code = 5 }), -ENOTSUP);
    expect_io(g, 0x1002, "\xe4\x60", 2, true, 0x60, 1, 0);     /* now it stops nowhere */
    conclude(g, RETIRE);
    expect_io(g, 0x1002, "\xe4\x60", 2, true, 0x60, 1, 0);
    conclude(g, RETIRE);
    stop(g);
}

static void hidden_watch(void **st)
{
    (void)st;
    static const struct data_stop data[] = { { 0x3001, 3, ACCESS_W, false },
                                             { 0x3100, 1, ACCESS_R | ACCESS_W, false } };
    /* mov [3002h],al; mov al,[3100h]; mov al,[3001h]; hlt */
    struct guest *g = START(0xa2, 0x02, 0x30, 0xa0, 0x00, 0x31, 0xa0, 0x01, 0x30, 0xf4);
    if (!caps.watchpoints) {
        print_message("skipped: %s\n", caps.why);
        stop(g);
        skip();
    }
    assert_int_equal(engine_kvm.set_debug(&g->v, &(struct debug_stops){ .data = data, .n_data = 2 }), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(run(g)->reason, EXIT_BREAKPOINT);
        assert_int_equal(g->x.breakpoint.data, true);
        assert_int_equal(g->x.breakpoint.index, i);
        assert_int_equal(state(g).rip, 0x1003 + 3 * i);
        conclude(g, RETRY);
    }
    expect_hlt(g, 0x1009);
    stop(g);
}

/* PUSHF under the debugger's trap flag shows the guest's own. */
static void steps_do_not_leak(void **st)
{
    (void)st;
    struct guest *g = START(0x9c, 0x58, 0x66, 0x9c, 0x66, 0x5b, 0xf4); /* pushf; pop ax; pushfd; pop ebx; hlt */
    g->c.monitor_trap_flag = true;
    assert_int_equal(engine_kvm.set_controls(&g->v, &g->c), 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(run(g)->reason, EXIT_MTF);
        conclude(g, RETRY);
    }
    assert_int_equal(state(g).gpr[RAX] & FLAG_TF, 0);
    assert_int_equal(state(g).gpr[RBX] & FLAG_TF, 0);
    assert_int_equal(state(g).rflags & FLAG_TF, 0);
    stop(g);
}

/* Vector 1: inc cx; iret. */
static void put_counter(struct guest *g, unsigned vector)
{
    uint16_t entry[2] = { (uint16_t)(0x100 * (vector + 2)), 0 };
    gmem_write(g->m, 4 * vector, entry, sizeof(entry));
    gmem_write(g->m, entry[0], "\x41\xcf", 2);
}

/* A guest that steps itself traps where it should: run freely, stepped, with a stop in its way. */
static void steps_itself(bool step, bool stop_there)
{
    /* push 102h; popf; nop; nop; pushf; pop ax; push 2; popf; hlt */
    struct guest *g = START(0x68, 0x02, 0x01, 0x9d, 0x90, 0x90, 0x9c, 0x58, 0x6a, 0x02, 0x9d, 0xf4);
    gla_t at = 0x1005;
    put_counter(g, VEC_DB);
    assert_int_equal(engine_kvm.set_debug(&g->v, stop_there ? &(struct debug_stops){ .code = &at, .n_code = 1 } : NULL),
                     0);
    g->c.monitor_trap_flag = step;
    assert_int_equal(engine_kvm.set_controls(&g->v, &g->c), 0);
    unsigned steps = 0, stops = 0;
    while (run(g)->reason == EXIT_MTF || g->x.reason == EXIT_BREAKPOINT) {
        steps += g->x.reason == EXIT_MTF;
        stops += g->x.reason == EXIT_BREAKPOINT;
        assert_true(steps < 60);
        conclude(g, RETRY);
    }
    assert_int_equal(g->x.reason, EXIT_HLT);
    struct cpu_state s = state(g);
    assert_int_equal(s.gpr[RCX] & 0xffff, 6);
    assert_int_equal(s.gpr[RAX] & 0xffff, 0x102 | (s.gpr[RAX] & 0x8d5));
    assert_int_equal(s.rflags & FLAG_TF, 0);
    assert_int_equal(s.dr[6] & (1 << 14), 1 << 14);
    assert_int_equal(stops, stop_there);
    assert_true(!step || steps >= 8 + 2 * 6);
    stop(g);
}

static void guest_steps_itself(void **st)
{
    (void)st;
    steps_itself(false, false);
    steps_itself(true, false);
    if (caps.breakpoints) {
        steps_itself(false, true);
        steps_itself(true, true);
    }
}

static void triple_fault_ends(void **st)
{
    (void)st;
    struct guest *g = START(0x0f, 0x0b);                /* ud2, and no IDT */
    struct cpu_state s = state(g);
    for (int i = SEG_ES; i <= SEG_GS; i++)
        s.seg[i] = (struct segment){ .sel = 8, .limit = 0xffffffff,
            .attr = SEG_P | SEG_S | SEG_DB | SEG_G | (i == SEG_CS ? 0xb : 0x3) };
    s.cr0 |= CR0_PE;
    s.idtr.limit = 0;
    assert_int_equal(engine_kvm.set_state(&g->v, ST_ALL, &s), 0);
    assert_int_equal(run(g)->reason, EXIT_TRIPLE_FAULT);
    conclude(g, STOP);
    stop(g);
}

static void state_comes_back_as_it_went(void **st)
{
    (void)st;
    struct guest *g = START(0xf4);
    struct cpu_state a = state(g), b;
    for (int i = 0; i < N_GPRS; i++)
        a.gpr[i] = 0x0101010101010101u * (unsigned)(i + 1);
    a.gdtr = (struct table_reg){ 0x1234, 0x77 };
    a.idtr = (struct table_reg){ 0x4321, 0x88 };
    a.cr2 = 0xdeadb000;
    a.star = 0x1b000800000000;
    a.lstar = 0xffff800000001000;
    a.sysenter_cs = 8;
    a.dr[0] = 0x1000;
    a.dr[7] = 0x401;
    a.fpu[32] = 0x5a;                       /* ST0 */
    assert_int_equal(engine_kvm.set_state(&g->v, ST_ALL, &a), 0);
    b = state(g);
    char why[1000];
    if (cpu_state_diff(&a, &b, ST_ALL, why, sizeof(why)))
        fail_msg("%s", why);
    stop(g);
}

/* ---- all of it out and in ---- */

static struct bytes_out save(struct guest *g)
{
    struct bytes_out o = { 0 };
    engine_kvm.save(&g->v, &o);
    assert_false(o.bad);
    return o;
}

static int load(struct guest *g, const struct bytes_out *o)
{
    struct bytes_in in = { o->data, o->data + o->n, false };
    int err = engine_kvm.load(&g->v, &in);
    assert_true(err || in.at == in.end);
    return err;
}

/* Some turns of a guest: what it did at the port, and where it was. */
struct a_turn { uint64_t rip, value; unsigned reason, port; };

static void take_turns(struct guest *g, struct a_turn *t, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct vmexit *x = run(g);
        t[i] = (struct a_turn){ x->rip, 0, x->reason, 0 };
        if (x->reason == EXIT_IO) {
            t[i].port = x->io.port;
            t[i].value = x->io.in ? 0 : x->io.value;
            x->io.value = x->io.in ? 0x33 + i : x->io.value;
        }
        conclude(g, RETIRE);
    }
}

/* A loop: a number comes in, is added to a sum in memory, and the sum goes out. */
static const uint8_t summing[] = { 0xe4, 0x60,                  /* 1000 in al, 0x60        */
                                   0x00, 0x06, 0x00, 0x30,      /* 1002 add [0x3000], al   */
                                   0xa0, 0x00, 0x30,            /* 1006 mov al, [0x3000]   */
                                   0xe6, 0x80, 0xeb, 0xf3 };    /* 1009 out; jmp 1000      */

static void a_past_comes_again(void **st)
{
    (void)st;
    struct a_turn first[40], then[40], skipped[40];
    uint8_t before[PAGE_SIZE], after[PAGE_SIZE], again[PAGE_SIZE];
    struct guest *g = start(summing, sizeof summing);
    for (unsigned at = 0; at < 7; at++) {       /* behind an IN, and behind an OUT */
        take_turns(g, skipped, at);
        struct bytes_out o = save(g), twice;
        gmem_read(g->m, DATA, before, PAGE_SIZE);
        take_turns(g, first, NELEM(first));
        struct cpu_state a = state(g);
        gmem_read(g->m, DATA, after, PAGE_SIZE);
        for (unsigned k = 0; k < 3; k++) {
            gmem_write(g->m, DATA, before, PAGE_SIZE);
            assert_int_equal(load(g, &o), 0);
            take_turns(g, then, NELEM(then) - k);
            assert_memory_equal(first, then, (NELEM(then) - k) * sizeof first[0]);
        }
        gmem_write(g->m, DATA, before, PAGE_SIZE);
        assert_int_equal(load(g, &o), 0);
        twice = save(g);
        assert_int_equal(o.n, twice.n);
        take_turns(g, then, NELEM(then));
        struct cpu_state b = state(g);
        char why[1000];
        if (cpu_state_diff(&a, &b, ST_ALL, why, sizeof why))
            fail_msg("%s", why);
        gmem_read(g->m, DATA, again, PAGE_SIZE);
        assert_memory_equal(after, again, PAGE_SIZE);
        free(o.data);
        free(twice.data);
    }
    stop(g);
}

/* What is to be delivered is part of it. */
static void events_are_saved(void **st)
{
    (void)st;
    struct guest *g = START(0xe6, 0x70, 0xfb, 0xe6, 0x71, 0x90, 0xf4);  /* out; sti; 1003 out; nop; hlt */
    const struct event ud = { .type = EVENT_EXCEPTION, .vector = VEC_UD };
    put_handler(g, VEC_UD);
    put_handler(g, 0x20);
    expect_io(g, 0x1000, "\xe6\x70", 2, false, 0x70, 1, 0);
    conclude(g, RETIRE);
    assert_int_equal(engine_kvm.inject(&g->v, &ud), 0);
    struct bytes_out o = save(g);
    for (unsigned i = 0; i < 3; i++) {
        expect_io(g, 0x100 * (VEC_UD + 2), "\xe6\x80", 2, false, 0x80, 1, 0);
        conclude(g, RETIRE);
        assert_int_equal(load(g, &o), 0);
    }
    free(o.data);
    stop(g);
}

static void an_interrupt_is_saved(void **st)
{
    (void)st;
    struct guest *g = START(0xfb, 0xe6, 0x70, 0xe6, 0x71, 0xf4);        /* sti; 1001 out; 1003 out; hlt */
    const struct event irq = { .type = EVENT_IRQ, .vector = 0x20 };
    struct bytes_out none, pending;
    put_handler(g, 0x20);
    for (unsigned i = 0; i < 2; i++) {
        expect_io(g, 0x1001 + 2 * i, i ? "\xe6\x71" : "\xe6\x70", 2, false, 0x70 + i, 1, 0);
        conclude(g, RETIRE);
    }
    none = save(g);
    assert_true(g->v.irq_ready);
    assert_int_equal(engine_kvm.inject(&g->v, &irq), 0);
    pending = save(g);
    for (unsigned i = 0; i < 3; i++) {
        expect_io(g, 0x2200, "\xe6\x80", 2, false, 0x80, 1, 0);
        conclude(g, RETIRE);
        assert_int_equal(load(g, &none), 0);
        expect_hlt(g, 0x1005);                          /* it is not delivered */
        assert_int_equal(load(g, &pending), 0);
    }
    free(none.data);
    free(pending.data);
    stop(g);
}

/* In the midst of a REP INS the kernel knows more than it says: not now.  And it is left
 * from there, as from any exit that nobody has answered. */
static void left_half_way(void **st)
{
    (void)st;
    struct guest *g = START(0xe6, 0x70, 0xba, 0x60, 0, 0xbf, 0, 0x40, 0xb9, 8, 0,   /* out; mov dx, di, cx */
                            0xf3, 0x6c,                         /* 100b rep insb         */
                            0xa0, 0, 0x50, 0xa0, 0x02, 0xb0,    /* 100d mov al, [0x5000]; [0xb002] */
                            0xf4);
    struct bytes_out busy = { 0 };
    expect_io(g, 0x1000, "\xe6\x70", 2, false, 0x70, 1, 0);
    conclude(g, RETIRE);
    struct bytes_out o = save(g);
    unsigned refused = 0;
    for (unsigned stop_at = 1; stop_at <= 8; stop_at++) {
        for (unsigned i = 0; i < stop_at; i++) {
            run(g);
            assert_int_equal(g->x.reason, EXIT_IO);
            assert_int_equal(g->x.rip, 0x100b);
            assert_int_equal(g->x.io.gla, 0x4000 + i);
            g->x.io.value = 0x41 + i;
            conclude(g, RETIRE);
        }
        engine_kvm.save(&g->v, &busy);
        assert_int_equal(busy.bad, busy.not_now);
        refused += busy.bad;
        free(busy.data);
        busy = (struct bytes_out){ 0 };
        engine_kvm.drop(&g->v);
        gmem_write(g->m, 0x4000, "........", 8);        /* nobody writes there any more */
        assert_int_equal(load(g, &o), 0);
        assert_int_equal(state(g).rip, 0x1002);
        uint8_t now[8];
        gmem_read(g->m, 0x4000, now, 8);
        assert_memory_equal(now, "........", 8);
    }
    print_message("not to be saved at %u of 8 elements\n", refused);
    free(o.data);
    stop(g);
}

/* A step that is wanted, and one that was told, do not come with it. */
static void steps_after_loading(void **st)
{
    (void)st;
    struct guest *g = START(0xe4, 0x60, 0x90, 0x90, 0x90, 0xf4);
    struct bytes_out o = save(g);
    g->c.monitor_trap_flag = true;
    assert_int_equal(engine_kvm.set_controls(&g->v, &g->c), 0);
    for (unsigned k = 0; k < 3; k++) {
        expect_io(g, 0x1000, "\xe4\x60", 2, true, 0x60, 1, 0);
        conclude(g, RETIRE);
        for (unsigned i = 0; i < k; i++) {
            assert_int_equal(run(g)->reason, EXIT_MTF);
            assert_int_equal(g->x.rip, 0x1003 + i);
            conclude(g, RETRY);
        }
        assert_int_equal(load(g, &o), 0);
        assert_int_equal(state(g).rflags & FLAG_TF, 0);
    }
    free(o.data);
    stop(g);
}

/* A debugger that sets RIP between two steps steps on from there. */
static void steps_from_elsewhere(void **st)
{
    (void)st;
    struct guest *g = START(0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xe6, 0x80, 0xf4);
    g->c.monitor_trap_flag = true;
    assert_int_equal(engine_kvm.set_controls(&g->v, &g->c), 0);
    for (unsigned i = 0; i < 3; i++) {
        struct cpu_state s = state(g);
        s.rip = 0x1002 + i;
        assert_int_equal(engine_kvm.set_state(&g->v, ST_GPRS, &s), 0);
        assert_int_equal(run(g)->reason, EXIT_MTF);
        assert_int_equal(g->x.rip, 0x1003 + i);
        conclude(g, RETRY);
    }
    stop(g);
}

/* Files are hostile: each is refused or gives a CPU that can be run, or be given another state. */
static void nonsense_is_refused(void **st)
{
    (void)st;
    struct guest *g = start(summing, sizeof summing);
    struct bytes_out good = save(g), bad = { 0 };
    unsigned seed = 1, refused = 0;
    bytes_put(&bad, good.data, good.n);
    for (size_t n = 0; n < good.n; n += 13) {
        struct bytes_in in = { good.data, good.data + n, false };
        assert_int_equal(engine_kvm.load(&g->v, &in), -EINVAL);
    }
    for (unsigned k = 0; k < 400; k++) {
        memcpy(bad.data, good.data, good.n);
        for (unsigned i = 0; i <= k % 8; i++) {
            seed = seed * 1103515245 + 12345;
            bad.data[(seed >> 8) % (k & 1 ? good.n : 700)] = (uint8_t)(seed >> 24);
        }
        int err = load(g, &bad);
        assert_true(err == 0 || err == -EINVAL);
        refused += err != 0;
    }
    memset(bad.data, 0xff, bad.n);
    assert_int_equal(load(g, &bad), -EINVAL);
    assert_true(refused > 20);
    assert_int_equal(load(g, &good), 0);
    struct a_turn t;
    take_turns(g, &t, 1);
    assert_int_equal(t.rip, 0x1000);
    free(good.data);
    free(bad.data);
    stop(g);
}

static void the_time_stamp_goes_back(void **st)
{
    (void)st;
    struct guest *g = START(0xf4);
    struct bytes_out o = save(g);
    uint64_t then = state(g).tsc;
    usleep(500000);
    uint64_t later = state(g).tsc;
    bool back = false;
    for (unsigned tries = 0; tries < 20 && !back; tries++) {    /* a busy host may let time pass */
        assert_int_equal(load(g, &o), 0);
        uint64_t now = state(g).tsc;
        back = now >= then && now - then < (later - then) / 2;
    }
    free(o.data);
    struct cpu_state s = { .tsc = BIT(45) };
    engine_kvm.set_state(&g->v, ST_MSRS, &s);
    bool can = state(g).tsc - s.tsc < BIT(40);
    stop(g);
    assert_true(later - then > 20000000);
    if (!back && !can) {
        print_message("skipped: this KVM does not let the guest's TSC be set\n");
        skip();
    }
    assert_true(back);
}

/* ---- who wrote what ---- */

static void forget_dirty(struct guest *g)
{
    gpa_t all[200];
    engine_kvm.collect_dirty(&g->v);
    while (dirty_take(g->v.dirty, all, NELEM(all)))
        ;
}

static void expect_dirty(struct guest *g, const gpa_t *want, size_t n)
{
    gpa_t got[200];
    engine_kvm.collect_dirty(&g->v);
    size_t m = dirty_take(g->v.dirty, got, NELEM(got));
    for (size_t i = 0; i < n || i < m; i++)
        if (n != m || got[i] != want[i])
            fail_msg("page %zu of %zu (%zu): %#llx", i, m, n, i < m ? (unsigned long long)got[i] : 0);
}
#define EXPECT_DIRTY(g, ...) \
    expect_dirty(g, (const gpa_t[]){ __VA_ARGS__ }, sizeof((const gpa_t[]){ __VA_ARGS__ }) / sizeof(gpa_t))

/* [3000], [5ffe] and on, read [7000], push: out; each time round. */
static const uint8_t writing[] = { 0xa2, 0x00, 0x30,                        /* 1000 mov [0x3000], al    */
                                   0x66, 0xa3, 0xfe, 0x5f,                  /* 1003 mov [0x5ffe], eax   */
                                   0xa0, 0x00, 0x70,                        /* 1007 mov al, [0x7000]    */
                                   0xe6, 0x80,                              /* 100a out 0x80, al        */
                                   0xa2, 0x00, 0x90,                        /* 100c mov [0x9000], al    */
                                   0xe6, 0x80,                              /* 100f out 0x80, al        */
                                   0x8e, 0xd9, 0xa2, 0x00, 0x00, 0x8e, 0xda, /* ds = cx; mov [0], al; ds = dx */
                                   0xe6, 0x80, 0xeb, 0xe4 };                /* 1018 out; jmp 1000       */

/* Until it has done n OUTs.  A write to ROM may be an exit, too. */
static void until_outs(struct guest *g, unsigned n)
{
    while (n) {
        n -= run(g)->reason == EXIT_IO;
        conclude(g, RETIRE);
    }
}

static struct guest *start_writing(void)
{
    struct guest *g = start(writing, sizeof writing);
    struct cpu_state s = state(g);
    s.gpr[RCX] = ROM >> 4;
    s.gpr[RDX] = 0;
    assert_int_equal(engine_kvm.set_state(&g->v, ST_GPRS, &s), 0);
    return g;
}

static void the_log_is_exact(void **st)
{
    (void)st;
    struct guest *g = start_writing();
    expect_dirty(g, NULL, 0);                   /* nobody has been there yet */
    until_outs(g, 1);                           /* a page's first touch may count, whatever it was */
    engine_kvm.collect_dirty(&g->v);
    assert_true(dirty_test(g->v.dirty, 0x3000) && dirty_test(g->v.dirty, 0x6000));
    until_outs(g, 2);
    forget_dirty(g);
    for (unsigned i = 0; i < 3; i++) {
        until_outs(g, 1);
        EXPECT_DIRTY(g, 0x3000, 0x5000, 0x6000);
        until_outs(g, 1);
        EXPECT_DIRTY(g, 0x9000);
        expect_dirty(g, NULL, 0);
        until_outs(g, 1);                       /* that was no page of RAM */
        expect_dirty(g, NULL, 0);
    }
    until_outs(g, 6);
    EXPECT_DIRTY(g, 0x3000, 0x5000, 0x6000, 0x9000);
    stop(g);
}

/* Who asks late is told of all that may have been. */
static void a_log_that_begins_late(void **st)
{
    (void)st;
    static const gpa_t written[] = { 0x3000, 0x5000, 0x6000 };
    struct guest *g = start_writing();
    until_outs(g, 1);
    engine_kvm.collect_dirty(&g->v);
    for (size_t i = 0; i < NELEM(written); i++)
        assert_true(dirty_test(g->v.dirty, written[i]));
    until_outs(g, 2);
    forget_dirty(g);
    until_outs(g, 1);
    EXPECT_DIRTY(g, 0x3000, 0x5000, 0x6000);
    stop(g);
}

/* An INS has been answered, but only KVM can write it. */
static void what_is_owed_is_written_first(void **st)
{
    (void)st;
    struct guest *g = START(0xba, 0x60, 0, 0xbf, 0, 0x40, 0x6c, 0xf4);  /* mov dx; mov di; 1006 insb; hlt */
    expect_dirty(g, NULL, 0);
    expect_io(g, 0x1006, "\x6c", 1, true, 0x60, 1, 0);
    g->x.io.value = 0x5a;
    forget_dirty(g);
    conclude(g, RETIRE);
    EXPECT_DIRTY(g, 0x4000);
    uint8_t now;
    gmem_read(g->m, 0x4000, &now, 1);
    assert_int_equal(now, 0x5a);
    stop(g);
}

/* Ring 3 in long mode, with ports: there a paravirtual KVM uses the CPU's tables.  4 KiB
 * pages, all of them themselves, tables from 0x10000 on. */
static void enter_long_mode(struct guest *g)
{
    struct cpu_state s = state(g);
    const uint64_t up[3] = { 0x11007, 0x12007, 0x13007 };
    for (unsigned i = 0; i < 3; i++)
        gmem_write(g->m, 0x10000 + 0x1000 * i, &up[i], 8);
    for (uint64_t page = 0; page < 512; page++) {
        uint64_t pte = page * PAGE_SIZE | 7;
        gmem_write(g->m, 0x13000 + 8 * page, &pte, 8);
    }
    for (int i = SEG_ES; i <= SEG_GS; i++)
        s.seg[i] = (struct segment){ .sel = i == SEG_CS ? 11 : 19, .limit = 0xffffffff,
            .attr = SEG_P | SEG_S | SEG_G | 3 << 5 | (i == SEG_CS ? SEG_L | 0xb : SEG_DB | 0x3) };
    s.cr0 |= CR0_PE | CR0_PG;
    s.cr3 = 0x10000;
    s.cr4 |= CR4_PAE;
    s.efer |= EFER_LME | EFER_LMA;
    s.rflags |= FLAG_IOPL;
    assert_int_equal(engine_kvm.set_state(&g->v, ST_ALL, &s), 0);
}

static void map(struct guest *g, gla_t gla, uint64_t pte)
{
    gmem_write(g->m, 0x13000 + gla / PAGE_SIZE * 8, &pte, 8);
    engine_kvm.forget(&g->v, 0x13000, PAGE_SIZE);
}

static struct guest *start_in_long_mode(const void *code, size_t n)
{
    if (!have_kvm() || !caps.long_mode) {
        print_message("skipped: %s\n", caps.why);
        skip();
    }
    struct guest *g = start(code, n);
    enter_long_mode(g);
    return g;
}

static void the_log_in_ring_3(void **st)
{
    (void)st;
    static const uint8_t code[] = { 0x88, 0x04, 0x25, 0x00, 0x00, 0x03, 0x00,   /* mov [0x30000], al */
                                    0x88, 0x04, 0x25, 0x01, 0x00, 0x05, 0x00,   /* mov [0x50001], al */
                                    0x8a, 0x04, 0x25, 0x00, 0x00, 0x06, 0x00,   /* mov al, [0x60000] */
                                    0xe6, 0x80, 0xeb, 0xe7 };                   /* out 0x80, al; jmp */
    struct guest *g = start_in_long_mode(code, sizeof code);
    until_outs(g, 1);
    forget_dirty(g);
    for (unsigned i = 0; i < 5; i++) {
        until_outs(g, i % 3);
        engine_kvm.collect_dirty(&g->v);
        size_t tables = 0;                      /* AMD's walker takes the right to write them */
        for (gpa_t at = 0x10000; at < 0x14000; at += PAGE_SIZE)
            tables += dirty_test(g->v.dirty, at);
        assert_int_equal(dirty_count(g->v.dirty), tables + (i % 3 ? 2 : 0));
        assert_int_equal(dirty_test(g->v.dirty, 0x30000), i % 3 != 0);
        assert_int_equal(dirty_test(g->v.dirty, 0x50000), i % 3 != 0);
        forget_dirty(g);
    }
    stop(g);
}

/* The monitor writes the guest's page tables, and the guest goes by them. */
static void tables_that_others_write(void **st)
{
    (void)st;
    static const uint8_t code[] = { 0x8a, 0x04, 0x25, 0, 0, 0x10, 0,    /* 1000 mov al, [0x100000] */
                                    0xe6, 0x80, 0xeb, 0xf5 };           /* 1007 out 0x80, al; jmp  */
    struct guest *g = start_in_long_mode(code, sizeof code);
    for (unsigned i = 0; i < 10; i++) {
        gmem_write(g->m, 0x20000, "a", 1);
        gmem_write(g->m, 0x21000, "b", 1);
        map(g, 0x100000, (0x20000 + (i & 1) * PAGE_SIZE) | 7);
        for (unsigned k = 0; k < 3; k++) {
            expect_io(g, 0x1007, "\xe6\x80", 2, false, 0x80, 1, i & 1 ? 'b' : 'a');
            conclude(g, RETIRE);
        }
    }
    stop(g);
}

static void no_promises(void **st)
{
    (void)st;
    struct guest *g = START(0xf4);
    g->c.cr3_load_exiting = true;
    assert_int_not_equal(engine_kvm.set_controls(&g->v, &g->c), 0);
    struct vcpu shadowed = { .ops = &engine_kvm, .gmem = g->m, .mmu = MMU_SHADOW };
    assert_int_not_equal(engine_kvm.create(&shadowed), 0);
    assert_null(shadowed.priv);
    stop(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpuid_is_the_table),
        cmocka_unit_test(out_of_every_form),
        cmocka_unit_test(in_settles),
        cmocka_unit_test(retry_runs_it_again),
        cmocka_unit_test(strings_one_element_each),
        cmocka_unit_test(out_then_rep_outs),
        cmocka_unit_test(device_memory),
        cmocka_unit_test(rom_is_read_only),
        cmocka_unit_test(msrs_exit),
        cmocka_unit_test(reflect_delivers_at_the_instruction),
        cmocka_unit_test(interrupts_by_the_window),
        cmocka_unit_test(kicks_are_not_lost),
        cmocka_unit_test(every_page_is_touched_once),
        cmocka_unit_test(single_steps),
        cmocka_unit_test(hidden_stops),
        cmocka_unit_test(hidden_watch),
        cmocka_unit_test(steps_do_not_leak),
        cmocka_unit_test(guest_steps_itself),
        cmocka_unit_test(triple_fault_ends),
        cmocka_unit_test(state_comes_back_as_it_went),
        cmocka_unit_test(a_past_comes_again),
        cmocka_unit_test(events_are_saved),
        cmocka_unit_test(an_interrupt_is_saved),
        cmocka_unit_test(left_half_way),
        cmocka_unit_test(steps_after_loading),
        cmocka_unit_test(steps_from_elsewhere),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(the_time_stamp_goes_back),
        cmocka_unit_test(the_log_is_exact),
        cmocka_unit_test(a_log_that_begins_late),
        cmocka_unit_test(what_is_owed_is_written_first),
        cmocka_unit_test(the_log_in_ring_3),
        cmocka_unit_test(tables_that_others_write),
        cmocka_unit_test(no_promises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
