/*
 * A machine interrupted goes on as if it had not been.
 *
 * Each guest runs once to its end.  Then again, and at several points its state
 * is saved, the machine is led astray, and put back; or another machine is made
 * of a snapshot and runs the rest.  Every event from there on, and what all
 * ends in, must be as in the first run.  And damaged files are refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "disk_image.h"
#include "base/host.h"
#include "base/trace.h"
#include "base/vclock.h"
#include "mem/gmem.h"
#include "vm/loop.h"
#include "vm/pc.h"
#include "vm/snapshot.h"
#include "vm/state.h"

#define RING 65536

/* ---- a machine, and a sum over all it does ---- */

struct run {
    struct vm    *vm;
    struct trace *trace;
    uint64_t      sum, events, at_event;    /* of events behind at_event */
    uint64_t      output;
};

static void put(void *arg, uint8_t byte)
{
    struct run *r = arg;
    r->output = (r->output ^ byte) * UINT64_C(0x100000001b3);
}

static uint64_t idle(void *arg, uint64_t ns)
{
    (void)arg;
    return ns;
}

static void drain(void *arg)
{
    struct run *r = arg;
    struct trace_ring *ring = r->trace->ring;
    for (; ring->tail < ring->head; ring->tail++) {
        const struct trace_event *e = &ring->event[(ring->tail + 1) & (ring->size - 1)];
        const uint8_t *at = (const void *)e;
        if (e->seq <= r->at_event)
            continue;
        r->events++;
        for (size_t i = 0; i < sizeof *e; i++)
            r->sum = (r->sum ^ at[i]) * UINT64_C(0x100000001b3);
    }
}

static struct run *make(const char *guest, enum mmu_kind mmu, const char *append)
{
    struct run *r = calloc(1, sizeof *r);
    char path[200], why[300] = "";
    snprintf(path, sizeof path, "%s/guests/%s.elf", getenv("BUILD") ? getenv("BUILD") : "build", guest);
    r->trace = trace_new(RING);
    r->trace->mask = TRACE_DEFAULT_KINDS;
    r->trace->drain = drain;
    r->trace->drain_arg = r;
    struct vm_config c = {
        .engine = &engine_soft, .mmu = mmu, .ram_bytes = 16u << 20, .trace = r->trace,
        .serial = { put, r }, .debugcon = { put, r }, .idle = idle, .hook_arg = r,
        .limit_insns = 30000000,
    };
    if (strcmp(guest, "ata") == 0)
        c.disk[0] = c.disk[1] = test_disk();
    struct load_request q = { .path = strdup(path), .append = append };
    r->vm = vm_new(&c, why, sizeof why);
    if (!r->vm || vm_load(r->vm, &q, why, sizeof why))
        fail_msg("%s: %s", path, why);
    return r;
}

static void unmake(struct run *r)
{
    free((void *)(uintptr_t)load_files_request(r->vm->files)->path);
    vm_free(r->vm);
    trace_free(r->trace);
    free(r);
}

/* Until so many instructions, or the end. */
static void run_to(struct run *r, uint64_t icount)
{
    struct vmexit x;
    while (r->vm->stop == VM_RUNNING && boot_cpu(r->vm)->icount < icount) {
        r->vm->debug_wants.until = icount;
        if (vm_prepare(r->vm))
            vm_turn(r->vm, &x);
        r->vm->debug_wants.until = 0;
    }
    drain(r);
}

static void begin(struct run *r)
{
    vm_begin(r->vm);
}

static void from_here(struct run *r, uint64_t seq)
{
    r->at_event = seq;
    r->sum = r->events = 0;
}

struct end { uint64_t sum, events, hash; };

static struct end to_the_end(struct run *r)
{
    run_to(r, UINT64_MAX);
    return (struct end){ r->sum, r->events, vm_hash(r->vm) };
}

static void assert_same(const struct end *a, const struct end *b, const char *what, uint64_t at)
{
    if (a->events != b->events || a->sum != b->sum || a->hash != b->hash)
        fail_msg("%s, interrupted at %llu: %llu events (%llu), %s events, %s end", what,
                 (unsigned long long)at, (unsigned long long)b->events, (unsigned long long)a->events,
                 a->sum == b->sum ? "the same" : "other", a->hash == b->hash ? "the same" : "another");
}

static const struct { const char *name, *append; } guests[] = {
    { "hello", NULL }, { "timer", NULL }, { "ptchurn32", NULL }, { "ptchurn64", NULL }, { "paging", NULL },
    { "faults32", NULL }, { "smc32", NULL }, { "intmix64", NULL }, { "longmode", NULL }, { "v86", NULL },
    { "taskswitch", NULL }, { "sysenter", NULL }, { "cr3loads64", NULL },
    { "tiny32", "run=primes; ps; exit 3" }, { "ata", NULL },
};

/* The run's end, and its events behind each of n points. */
static uint64_t length_of(unsigned g, enum mmu_kind mmu)
{
    struct run *r = make(guests[g].name, mmu, guests[g].append);
    begin(r);
    run_to(r, UINT64_MAX);
    uint64_t n = boot_cpu(r->vm)->icount;
    unmake(r);
    return n;
}

/* What the rest would have been. */
static struct end uninterrupted(unsigned g, enum mmu_kind mmu, uint64_t at, uint64_t *seq)
{
    struct run *r = make(guests[g].name, mmu, guests[g].append);
    begin(r);
    run_to(r, at);
    *seq = r->trace->ring->head;
    from_here(r, *seq);
    struct end e = to_the_end(r);
    unmake(r);
    return e;
}

/* Save, run on a little, put memory and state back, run to the end. */
static void same_machine(unsigned g, enum mmu_kind mmu, uint64_t at)
{
    uint64_t seq;
    struct end want = uninterrupted(g, mmu, at, &seq), got;
    struct run *r = make(guests[g].name, mmu, guests[g].append);
    struct bytes_out state = { 0 }, again = { 0 };
    int fd;
    void *file = host_shared_alloc("snapshot", 64u << 20, &fd);
    char why[200] = "";
    begin(r);
    run_to(r, at);
    assert_int_equal(r->trace->ring->head, seq);
    struct snapshot_io io = snapshot_fd(&fd);
    if (snapshot_save(r->vm, &io, why, sizeof why))
        fail_msg("%s", why);
    vm_save_state(r->vm, &state);
    run_to(r, at + 5000);
    pc_reset(r->vm->pc);
    lseek(fd, 0, SEEK_SET);
    if (snapshot_load(r->vm, &io, why, sizeof why))
        fail_msg("%s", why);
    vm_save_state(r->vm, &again);
    if (again.n != state.n || memcmp(again.data, state.data, state.n))
        fail_msg("%s at %llu: the state is not what was saved (%zu bytes of %zu)", guests[g].name,
                 (unsigned long long)at, again.n, state.n);
    r->trace->ring->head = r->trace->ring->tail = seq;
    r->trace->room_to = 0;
    from_here(r, seq);
    got = to_the_end(r);
    assert_same(&want, &got, guests[g].name, at);
    host_shared_free(file, 64u << 20, fd);
    free(state.data);
    free(again.data);
    unmake(r);
}

/* A new machine, which has never run, goes on from the file. */
static void other_machine(unsigned g, enum mmu_kind mmu, uint64_t at)
{
    uint64_t seq;
    struct end want = uninterrupted(g, mmu, at, &seq), got;
    struct run *a = make(guests[g].name, mmu, guests[g].append);
    struct run *b = make(guests[g].name, mmu, guests[g].append);
    int fd;
    void *file = host_shared_alloc("snapshot", 64u << 20, &fd);
    struct snapshot_io io = snapshot_fd(&fd);
    char why[200] = "";
    begin(a);
    run_to(a, at);
    assert_int_equal(snapshot_save(a->vm, &io, why, sizeof why), 0);
    uint64_t hash = vm_hash(a->vm);
    unmake(a);
    lseek(fd, 0, SEEK_SET);
    if (snapshot_load(b->vm, &io, why, sizeof why))
        fail_msg("%s", why);
    assert_true(vm_hash(b->vm) == hash);
    b->trace->ctx.who.engine = 0;
    b->trace->ring->head = b->trace->ring->tail = seq;
    b->trace->room_to = 0;
    from_here(b, seq);
    got = to_the_end(b);
    assert_same(&want, &got, guests[g].name, at);
    host_shared_free(file, 64u << 20, fd);
    unmake(b);
}

static void test_points(enum mmu_kind mmu, void one(unsigned g, enum mmu_kind mmu, uint64_t at))
{
    for (unsigned g = 0; g < NELEM(guests); g++) {
        uint64_t n = length_of(g, mmu), seed = 12345 + g;
        for (unsigned k = 0; k < 4; k++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            one(g, mmu, n ? 1 + (seed >> 16) % n : 0);
        }
    }
}

static void test_nested_here(void **state)   { (void)state; test_points(MMU_NESTED, same_machine); }
static void test_shadow_here(void **state)   { (void)state; test_points(MMU_SHADOW, same_machine); }
static void test_nested_there(void **state)  { (void)state; test_points(MMU_NESTED, other_machine); }
static void test_shadow_there(void **state)  { (void)state; test_points(MMU_SHADOW, other_machine); }

/* ---- files that are not what they should be ---- */

/* A snapshot that does not fit on the disk is an error with the host's reason, not half a file that
 * is taken for a whole one. */
static void test_full_disk(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY);
    if (full < 0)
        skip();
    struct run *r = make("hello", MMU_NESTED, NULL);
    char why[200] = "";
    begin(r);
    struct snapshot_io io = snapshot_fd(&full);
    assert_int_equal(snapshot_save(r->vm, &io, why, sizeof why), -ENOSPC);
    assert_true(why[0] != 0);
    unmake(r);
    close(full);
}

/* Every byte of the head and many behind it: refused, and the machine goes on unchanged. */
static void test_damaged(void **state)
{
    struct run *r = make("hello", MMU_SHADOW, NULL);
    int fd;
    uint8_t *file = host_shared_alloc("snapshot", 64u << 20, &fd);
    struct snapshot_io io = snapshot_fd(&fd);
    char why[300];
    (void)state;
    begin(r);
    run_to(r, 100);
    assert_int_equal(snapshot_save(r->vm, &io, why, sizeof why), 0);
    size_t n = (size_t)lseek(fd, 0, SEEK_CUR);
    uint64_t hash = vm_hash(r->vm);
    for (size_t at = 0; at < n; at += at < 200 ? 1 : 97) {
        file[at] ^= 0x41;
        lseek(fd, 0, SEEK_SET);
        why[0] = 0;
        if (snapshot_load(r->vm, &io, why, sizeof why) == 0)
            fail_msg("byte %zu of %zu is wrong and nobody minds", at, n);
        assert_true(why[0]);
        assert_true(vm_hash(r->vm) == hash);
        file[at] ^= 0x41;
    }
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(snapshot_load(r->vm, &io, why, sizeof why), 0);
    host_shared_free(file, 64u << 20, fd);
    unmake(r);
}

static void test_other_machines(void **state)
{
    struct run *r = make("hello", MMU_SHADOW, NULL), *other = make("hello", MMU_NESTED, NULL);
    int fd;
    void *file = host_shared_alloc("snapshot", 64u << 20, &fd);
    struct snapshot_io io = snapshot_fd(&fd);
    char why[300] = "";
    (void)state;
    assert_int_equal(snapshot_save(r->vm, &io, why, sizeof why), 0);
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(snapshot_load(other->vm, &io, why, sizeof why), -EINVAL);
    assert_non_null(strstr(why, "--mmu shadow"));
    host_shared_free(file, 64u << 20, fd);
    unmake(r);
    unmake(other);
}

/* What was written to a disk is in the snapshot, its image is not. */
static void test_other_disks(void **state)
{
    struct run *r = make("ata", MMU_NESTED, NULL), *none = make("hello", MMU_NESTED, NULL);
    int fd;
    void *file = host_shared_alloc("snapshot", 64u << 20, &fd);
    struct snapshot_io io = snapshot_fd(&fd);
    struct disk_image image = test_disk();
    char why[300] = "";
    (void)state;
    assert_int_equal(snapshot_save(r->vm, &io, why, sizeof why), 0);
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(snapshot_load(none->vm, &io, why, sizeof why), -EINVAL);
    assert_non_null(strstr(why, "hda"));
    assert_int_equal(pwrite(image.fd, "X", 1, 70 * SECTOR_BYTES), 1);
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(snapshot_load(r->vm, &io, why, sizeof why), -EINVAL);
    assert_non_null(strstr(why, "have changed"));
    assert_int_equal(pwrite(image.fd, "", 1, 70 * SECTOR_BYTES), 1);
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(snapshot_load(r->vm, &io, why, sizeof why), 0);
    host_shared_free(file, 64u << 20, fd);
    unmake(r);
    unmake(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nested_here), cmocka_unit_test(test_shadow_here),
        cmocka_unit_test(test_nested_there), cmocka_unit_test(test_shadow_there),
        cmocka_unit_test(test_full_disk), cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_other_machines), cmocka_unit_test(test_other_disks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
