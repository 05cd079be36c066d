/*
 * A machine on engine kvm, put into a file and taken from it, and put back to its
 * checkpoints: what it prints, and what it answers to what is typed, is as if it
 * had never been interrupted.
 *
 * Guests of our own, one of them in the midst of a conversation on the serial line.
 * Time is the host's here, so not events are compared, but output and memory.
 * Skipped, and says so, where there is no usable /dev/kvm.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/host.h"
#include "base/vclock.h"
#include "io/uart.h"
#include "mem/gmem.h"
#include "vm/checkpoint.h"
#include "vm/loop.h"
#include "vm/pc.h"
#include "vm/snapshot.h"
#include "vm/state.h"

#define FILE_BYTES (16u << 20)

/* ---- guests ---- */

static struct engine_caps caps;

static bool in_long_mode(void) { return caps.long_mode; }
static bool with_irqs(void)    { return caps.protected_mode && caps.iret32; }
static bool in_32_bits(void)   { return caps.protected_mode; }
static bool without_irqs(void) { return caps.protected_mode && !caps.iret32; }
static bool with_calls(void)   { return caps.long_mode && caps.int64 && caps.syscall64 && caps.sse; }

static const struct guest {
    const char *name, *typed;
    const char *until;                  /* printed: it is enough */
    bool      (*can)(void);
    const char *append;
} guests[] = {
    { "hello",     "",                                    NULL, in_32_bits,   NULL },
    { "realmode",  "",                                    NULL, in_32_bits,   NULL },
    { "longmode",  "",                                    NULL, in_long_mode, NULL },
    { "string64",  "",                                    NULL, in_long_mode, NULL },
    { "smc64",     "",                                    NULL, in_long_mode, NULL },
    { "cr3loads64", "",                                   NULL, in_long_mode, NULL },
    { "echo",      "abc def\nThe second line\nthird q",   NULL, with_irqs,    NULL },
    /* what comes after the first line ends this KVM */
    { "echo",      "a first line that is polled for\n",   "by interrupt, until q:\n", without_irqs, NULL },
    { "timer",     "",                                    NULL, with_irqs,    NULL },
    { "tiny64",    "",                                    NULL, with_calls,   "run=primes; ps; exit 3" },
};

/* ---- a machine, what it has printed and what was typed ---- */

struct machine {
    const struct guest *g;
    struct vm *vm;
    size_t     typed, n_out;
    char       out[20000];
    char       path[200];
};

static void put(void *arg, uint8_t byte)
{
    struct machine *m = arg;
    if (m->n_out < sizeof m->out - 1)
        m->out[m->n_out++] = (char)byte;
}

static void type_on(void *arg)
{
    struct machine *m = arg;
    if (m->g->typed[m->typed] && uart_receive(pc_uart(m->vm->pc), (uint8_t)m->g->typed[m->typed]) == 0)
        m->typed++;
}

static bool is_over(struct machine *m)
{
    m->out[m->n_out] = 0;
    return m->vm->stop != VM_RUNNING || (m->g->until && strstr(m->out, m->g->until));
}

/* What was printed leaves the UART in its own time: the guest may sleep by then. */
static uint64_t idle(void *arg, uint64_t ns)
{
    type_on(arg);
    return is_over(arg) ? VCLOCK_NEVER : ns < 1000000 ? ns : 1000000;
}


static struct machine *make(const struct guest *g, struct machine *m)
{
    char why[300] = "";
    memset(m, 0, sizeof *m);
    m->g = g;
    snprintf(m->path, sizeof m->path, "%s/guests/%s.elf", getenv("BUILD") ? getenv("BUILD") : "build", g->name);
    struct vm_config c = {
        .engine = &engine_kvm, .ram_bytes = 8u << 20, .serial = { put, m }, .debugcon = { put, m },
        .idle = idle, .poll = type_on, .alarm = host_alarm_at, .hook_arg = m,
    };
    struct load_request q = { .path = m->path, .append = g->append };
    m->vm = vm_new(&c, why, sizeof why);
    if (!m->vm || vm_load(m->vm, &q, why, sizeof why))
        fail_msg("%s: %s", m->path, why);
    vm_begin(m->vm);
    return m;
}

static struct vm *running;              /* whom an alarm is for */

static void on_alarm(void *arg)
{
    (void)arg;
    if (running)
        vm_kick(running);
}

static void turns(struct machine *m, uint64_t n)
{
    struct vmexit x;
    assert_int_equal(host_alarm_init(on_alarm, NULL), 0);
    running = m->vm;
    while (n-- && !is_over(m)) {
        vm_step(m->vm, &x);
        type_on(m);
    }
    running = NULL;
    host_alarm_at(0);
}

static void to_the_end(struct machine *m, const char *want, const char *what, uint64_t at)
{
    turns(m, UINT64_MAX);
    if (strcmp(m->out, want))
        fail_msg("%s, %s after %llu turns, prints\n%s\ninstead of\n%s\n(%s)", m->g->name, what,
                 (unsigned long long)at, m->out, want, m->vm->why);
}

/* Turns to where it can be saved. */
static void to_where_it_can_be_saved(struct machine *m)
{
    struct bytes_out o = { .bad = true };
    for (unsigned k = 0; o.bad && k < 1000; k++, o.n ? turns(m, 1) : (void)0) {
        free(o.data);
        o = (struct bytes_out){ 0 };
        vm_save_state(m->vm, &o);
        if (!o.bad)
            break;
        assert_true(o.not_now);
    }
    assert_false(o.bad);
    free(o.data);
}

/* ---- one guest, uninterrupted: what it prints, and how many turns that takes ---- */

static uint64_t whole_run(const struct guest *g, char *out, size_t n)
{
    static struct machine m;
    make(g, &m);
    turns(&m, UINT64_MAX);
    uint64_t exits = m.vm->n_exits;
    snprintf(out, n, "%s", m.out);
    assert_true(m.n_out > 5);
    vm_free(m.vm);
    return exits;
}

static void load(struct machine *m, int fd, const struct machine *as)
{
    struct snapshot_io io = snapshot_fd(&fd);
    char why[300] = "";
    lseek(fd, 0, SEEK_SET);
    if (snapshot_load(m->vm, &io, why, sizeof why))
        fail_msg("%s", why);
    m->typed = as->typed;
    m->n_out = as->n_out;
    memcpy(m->out, as->out, as->n_out);
}

/* Saved after so many turns; the same machine and another go on from the file. */
static void one_snapshot(const struct guest *g, const char *want, uint64_t at)
{
    static struct machine m, then, other;
    int fd;
    char why[300] = "";
    void *file = host_shared_alloc("snapshot", FILE_BYTES, &fd);
    struct snapshot_io io = snapshot_fd(&fd);
    make(g, &m);
    turns(&m, at);
    to_where_it_can_be_saved(&m);
    if (snapshot_save(m.vm, &io, why, sizeof why))
        fail_msg("%s", why);
    then = m;
    uint64_t sum = gmem_hash(m.vm->gmem);
    to_the_end(&m, want, "saved", at);
    make(g, &other);
    load(&other, fd, &then);
    assert_true(gmem_hash(other.vm->gmem) == sum);
    to_the_end(&other, want, "loaded into another machine", at);
    vm_free(other.vm);
    load(&m, fd, &then);
    assert_true(gmem_hash(m.vm->gmem) == sum);
    to_the_end(&m, want, "loaded again", at);
    vm_free(m.vm);
    host_shared_free(file, FILE_BYTES, fd);
}

static void each_guest(void one(const struct guest *g, const char *want, uint64_t at), unsigned points)
{
    static char want[20000];
    unsigned ran = 0;
    if (engine_kvm.probe(&caps) || !caps.protected_mode) {
        print_message("skipped: the kvm engine does not work here: %s\n", caps.why);
        skip();
    }
    for (size_t i = 0; i < NELEM(guests); i++) {
        if (!guests[i].can())
            continue;
        uint64_t n = whole_run(&guests[i], want, sizeof want);
        for (unsigned k = 0; k <= points; k++)
            one(&guests[i], want, n * k / (points + 1));
        ran++;
    }
    assert_true(ran > 0);
}

static void test_snapshots(void **state)
{
    (void)state;
    each_guest(one_snapshot, 3);
}

/* ---- checkpoints ---- */

#define POINTS 12

static struct { struct checkpoint *c; uint64_t sum; size_t typed, n_out; } point[POINTS];

/* In one run, every so many turns; then back to each in any order, and on for a while; and from
 * some on to the end. */
static void checkpoints(const struct guest *g, const char *want, uint64_t at)
{
    static struct machine m;
    make(g, &m);
    struct checkpoints *all = checkpoints_new(m.vm, UINT64_C(1) << 28);
    unsigned n = 0;
    for (uint64_t step = at / POINTS + 1; n < POINTS && !is_over(&m); turns(&m, step)) {
        struct checkpoint *c = checkpoints_take(all, 30000000, true);
        if (!c)
            continue;                           /* not now */
        c->pins++;
        point[n].c = c;
        point[n].sum = gmem_hash(m.vm->gmem);
        point[n].typed = m.typed;
        assert_memory_equal(m.out, want, m.n_out);
        point[n++].n_out = m.n_out;
    }
    assert_true(n > 0);
    for (unsigned k = 0, i = 5 % n; k < 3 * n; k++, i = (i * 7 + 3) % n) {
        assert_true(checkpoints_return(all, point[i].c));
        if (gmem_hash(m.vm->gmem) != point[i].sum)
            fail_msg("%s: memory is not what it was at point %u of %u", g->name, i, n);
        m.typed = point[i].typed;
        m.n_out = point[i].n_out;
        memcpy(m.out, want, m.n_out);
        if (k + 4 < 3 * n)
            turns(&m, (k * 37) % (at / 2 + 1));
        else
            to_the_end(&m, want, "put back", i);
    }
    checkpoints_free(all);
    vm_free(m.vm);
}

static void all_checkpoints(const struct guest *g, const char *want, uint64_t at)
{
    if (at)
        checkpoints(g, want, at);
}

static void test_checkpoints(void **state)
{
    (void)state;
    each_guest(all_checkpoints, 1);
}

/* ---- refused ---- */

static void test_another_engine(void **state)
{
    static struct machine m;
    char why[300] = "";
    int fd;
    (void)state;
    if (engine_kvm.probe(&caps) || !caps.protected_mode)
        skip();
    void *file = host_shared_alloc("snapshot", FILE_BYTES, &fd);
    struct snapshot_io io = snapshot_fd(&fd);
    make(&guests[0], &m);
    turns(&m, 3);
    to_where_it_can_be_saved(&m);
    assert_int_equal(snapshot_save(m.vm, &io, why, sizeof why), 0);
    struct vm_config c = m.vm->cfg;
    c.engine = &engine_soft;
    c.alarm = NULL;
    struct vm *soft = vm_new(&c, why, sizeof why);
    assert_non_null(soft);
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(snapshot_load(soft, &io, why, sizeof why), -EINVAL);
    assert_non_null(strstr(why, "taken on engine kvm, and this is soft"));
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(snapshot_save(soft, &io, why, sizeof why), 0);
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(snapshot_load(m.vm, &io, why, sizeof why), -EINVAL);
    assert_non_null(strstr(why, "taken on engine soft, and this is kvm"));
    vm_free(soft);
    vm_free(m.vm);
    host_shared_free(file, FILE_BYTES, fd);
}

static uint64_t sleep_for_ever(void *arg, uint64_t ns)
{
    (void)arg, (void)ns;
    return VCLOCK_NEVER;
}

/* What it does now may be anything, an endless loop, too: an alarm ends each turn. */
static void some_turns(struct machine *m)
{
    struct vmexit x;
    m->vm->cfg.idle = sleep_for_ever;
    running = m->vm;
    for (unsigned t = 0; t < 3 && m->vm->stop == VM_RUNNING; t++)
        if (vm_prepare(m->vm))
            vm_turn(m->vm, &x);
    running = NULL;
    host_alarm_at(0);
}

/* Whatever stands in the file: refused, and the machine goes on unchanged, or it can be run. */
static void test_damaged_state(void **state)
{
    static struct machine m;
    static char want[20000];
    struct bytes_out good = { 0 };
    unsigned seed = 7, refused = 0;
    char why[300] = "";
    (void)state;
    if (engine_kvm.probe(&caps) || !caps.protected_mode)
        skip();
    uint64_t exits = whole_run(&guests[0], want, sizeof want);
    make(&guests[0], &m);
    turns(&m, exits / 2);
    to_where_it_can_be_saved(&m);
    vm_save_state(m.vm, &good);
    uint8_t *bad = malloc(good.n);
    for (unsigned k = 0; k < 200; k++) {
        memcpy(bad, good.data, good.n);
        for (unsigned i = 0; i <= k % 4; i++) {
            seed = seed * 1103515245 + 12345;
            bad[good.n - 1 - (seed >> 8) % (good.n < 5000 ? good.n : 5000)] = (uint8_t)(seed >> 24);
        }
        struct bytes_in in = { bad, bad + good.n, false };
        int err = vm_load_state(m.vm, &in, why, sizeof why);
        refused += err != 0;
        if (!err)
            some_turns(&m);
        in = (struct bytes_in){ good.data, good.data + good.n, false };
        assert_int_equal(vm_load_state(m.vm, &in, why, sizeof why), 0);
    }
    assert_true(refused > 10 && refused < 200);
    free(bad);
    free(good.data);
    vm_free(m.vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snapshots), cmocka_unit_test(test_checkpoints),
        cmocka_unit_test(test_another_engine), cmocka_unit_test(test_damaged_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
