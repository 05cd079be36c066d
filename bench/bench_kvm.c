/*
 * What does our engine cost over KVM itself?  A guest that does nothing but
 * OUT 0xe9 in a loop, exits a second:
 *
 *   bare      a loop around ioctl(KVM_RUN) and nothing else, no registers shared
 *   engine    run() and conclude() of the kvm engine, record and all
 *   traced    the same, with an EXIT and a RESUME event for each
 *
 * The three take turns, many short rounds; medians are printed, and of the
 * shares of the bare rate each round's own: other load falls on a round's three
 * alike (the goal: traced, at least 95 %).
 *
 *   run: make bench, or build/bench/bench_kvm [rounds]
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/host.h"
#include "base/trace.h"
#include "base/x86.h"
#include "cpu/kvm/kvm.h"
#include "mem/gmem.h"

#define EXITS      1000         /* some 10 ms: who else uses the machine uses it for all three */
#define MAX_ROUNDS 2000
#define CODE       0x1000u

static const uint8_t out_loop[] = { 0xe6, 0xe9, 0xeb, 0xfc };

struct bare { int dev, vm, fd; struct kvm_run *run; };

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void bare_start(struct bare *b, void *ram)
{
    struct kvm_userspace_memory_region slot = { .memory_size = 0x10000,
                                                .userspace_addr = (uintptr_t)ram };
    struct kvm_sregs s;
    struct kvm_regs r = { .rip = CODE, .rflags = FLAG_ONE };

    b->dev = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    b->vm = b->dev < 0 ? -1 : ioctl(b->dev, KVM_CREATE_VM, 0);
    if (b->vm < 0) {
        puts("bench_kvm: skipped, no usable /dev/kvm");
        exit(0);
    }
    if (ioctl(b->vm, KVM_SET_USER_MEMORY_REGION, &slot) ||
        (b->fd = ioctl(b->vm, KVM_CREATE_VCPU, 0)) < 0 || ioctl(b->fd, KVM_GET_SREGS, &s))
        fail("bare KVM");
    s.cs.base = s.cs.selector = 0;
    b->run = mmap(NULL, (size_t)ioctl(b->dev, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
                  MAP_SHARED, b->fd, 0);
    if (b->run == MAP_FAILED || ioctl(b->fd, KVM_SET_SREGS, &s) || ioctl(b->fd, KVM_SET_REGS, &r))
        fail("bare KVM");
}

static double bare_rate(struct bare *b)
{
    uint64_t t0 = host_monotonic_ns();
    for (int i = 0; i < EXITS; i++)
        if (ioctl(b->fd, KVM_RUN, 0) || b->run->exit_reason != KVM_EXIT_IO)
            fail("KVM_RUN");
    return EXITS * 1e9 / (double)(host_monotonic_ns() - t0);
}

static double engine_rate(struct vcpu *v, struct trace *t)
{
    struct vmexit x;
    uint64_t t0 = host_monotonic_ns();
    for (int i = 0; i < EXITS;) {
        engine_kvm.run(v, UINT64_MAX, &x);
        i += x.reason == EXIT_IO;
        uint64_t seq = trace_emit(t, TRACE_EXIT, x.reason, exit_qualification(&x), exit_extra(&x));
        uint64_t old = trace_enter(t, seq);
        engine_kvm.conclude(v, &x, RETIRE);
        trace_emit(t, TRACE_RESUME, RETIRE, x.rip, 0);
        trace_leave(t, old);
    }
    return EXITS * 1e9 / (double)(host_monotonic_ns() - t0);
}

static void engine_start(struct vcpu *v, struct gmem *m)
{
    struct cpu_state s;
    *v = (struct vcpu){ .ops = &engine_kvm, .gmem = m, .mmu = MMU_NESTED };
    if (engine_kvm.create(v))
        exit(1);
    cpu_state_reset(&s);
    s.seg[SEG_CS].sel = 0;
    s.seg[SEG_CS].base = 0;
    s.rip = CODE;
    if (engine_kvm.set_state(v, ST_ALL, &s))
        fail("set_state");
}

static void drain(void *arg)
{
    struct trace *t = arg;
    t->ring->tail = t->ring->head;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof(*v), ascending);
    return v[n / 2];
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 && atoi(argv[1]) > 0 ? atoi(argv[1]) : 300;
    static double bare[MAX_ROUNDS], plain[MAX_ROUNDS], traced[MAX_ROUNDS];
    static double plain_share[MAX_ROUNDS], traced_share[MAX_ROUNDS];
    struct bare b;
    struct vcpu v;
    struct gmem *m = gmem_new();
    struct trace *t = trace_new(1 << 14);

    if (rounds > MAX_ROUNDS || !m || !t || gmem_add(m, "RAM", 0, 0x10000, GMEM_RAM))
        return 2;
    gmem_freeze(m);
    gmem_write(m, CODE, out_loop, sizeof(out_loop));
    t->mask = ~UINT64_C(0);
    t->drain = drain;
    t->drain_arg = t;
    bare_start(&b, gmem_ptr(m, 0, PAGE_SIZE));
    engine_start(&v, m);
    bare_rate(&b);              /* warm up */
    engine_rate(&v, NULL);
    for (int i = 0; i < rounds; i++) {
        bare[i] = bare_rate(&b);
        plain[i] = engine_rate(&v, NULL);
        traced[i] = engine_rate(&v, t);
        plain_share[i] = plain[i] / bare[i];
        traced_share[i] = traced[i] / bare[i];
    }
    double share = median(traced_share, rounds);
    printf("kvm exits/s, median of %d rounds of %d OUTs\n", rounds, EXITS);
    printf("  bare KVM_RUN loop   %8.0f\n", median(bare, rounds));
    printf("  engine              %8.0f  %5.1f %%\n", median(plain, rounds),
           100 * median(plain_share, rounds));
    printf("  engine with trace   %8.0f  %5.1f %%\n", median(traced, rounds), 100 * share);
    bool met = share >= 0.95;
    printf("  target 95 %% of the bare loop: %s\n", met ? "met" : "MISSED");
    engine_kvm.destroy(&v);
    trace_free(t);
    gmem_free(m);
    return !met;
}
