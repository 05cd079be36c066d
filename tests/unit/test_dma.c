/*
 * tests/unit/test_dma.c -- a device reaches RAM, and nothing but RAM.
 *
 *   run   build/tests/test_dma
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "base/trace.h"
#include "mem/gmem.h"
#include "vm/dma.h"

#define KiB 1024u

/* Two regions of RAM side by side, ROM behind them, then nothing until more RAM. */
static const struct {
    const char *name;
    gpa_t base;
    uint64_t size;
    enum gmem_kind kind;
} layout[] = {
    { "low",  0,         64 * KiB, GMEM_RAM },
    { "more", 64 * KiB,  64 * KiB, GMEM_RAM },
    { "BIOS", 128 * KiB, 64 * KiB, GMEM_ROM },
    { "high", 256 * KiB, 64 * KiB, GMEM_RAM },
};

static struct trace *t;
static struct gmem *m;
static struct dma dma;
static gpa_t changed_at;
static uint64_t changed_bytes;

static void on_change(void *arg, gpa_t gpa, uint64_t len)
{
    (void)arg;
    changed_at = changed_bytes ? changed_at : gpa;
    changed_bytes += len;
}

static int set_up(void **state)
{
    (void)state;
    t = trace_new(64);
    t->mask = ~UINT64_C(0);
    m = gmem_new();
    for (size_t i = 0; i < NELEM(layout); i++)
        assert_int_equal(gmem_add(m, layout[i].name, layout[i].base, layout[i].size,
                                  layout[i].kind), 0);
    gmem_freeze(m);
    gmem_on_change(m, on_change, NULL);
    changed_at = changed_bytes = 0;
    dma = dma_to(m, (struct oddity_log){ t, NULL });
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gmem_free(m);
    trace_free(t);
    return 0;
}

static void it_writes_and_reads_ram(void **state)
{
    (void)state;
    char buf[6] = "";
    assert_int_equal(dma_write(&dma, 0x1234, "hello", 6), 0);
    assert_int_equal(dma_read(&dma, 0x1234, buf, 6), 0);
    assert_string_equal(buf, "hello");
    assert_int_equal(t->ring->head, 0);
}

static void a_transfer_may_cross_from_ram_to_ram(void **state)
{
    (void)state;
    char buf[6] = "";
    assert_int_equal(dma_write(&dma, 64 * KiB - 3, "hello", 6), 0);
    assert_int_equal(dma_read(&dma, 64 * KiB - 3, buf, 6), 0);
    assert_string_equal(buf, "hello");
}

static void those_who_keep_copies_are_told(void **state)
{
    (void)state;
    assert_int_equal(dma_write(&dma, 0x2000, "hello", 6), 0);
    assert_int_equal(changed_at, 0x2000);
    assert_int_equal(changed_bytes, 6);
}

static void all_else_is_refused_as_a_whole(void **state)
{
    (void)state;
    static const struct { gpa_t at; uint64_t len; } bad[] = {
        { 128 * KiB, 4 },               /* ROM */
        { 128 * KiB - 2, 4 },           /* the last RAM before it, and ROM */
        { 192 * KiB, 4 },               /* a hole: where devices are */
        { 256 * KiB - 1, 4 },           /* into RAM from below */
        { 320 * KiB - 2, 4 },           /* past the end of RAM */
        { 320 * KiB, 1 },
        { UINT64_MAX - 1, 4 },          /* around the end of addresses */
        { 0, UINT64_MAX },
    };
    char buf[16] = "untouched";
    for (size_t i = 0; i < NELEM(bad); i++) {
        uint64_t before = t->ring->head;
        assert_int_equal(dma_write(&dma, bad[i].at, "XXXX", bad[i].len), -EFAULT);
        assert_int_equal(dma_read(&dma, bad[i].at, buf, bad[i].len), -EFAULT);
        assert_int_equal(t->ring->head, before + 2);
        const struct trace_event *e = &t->ring->event[t->ring->head & (t->ring->size - 1)];
        assert_int_equal(e->kind, TRACE_ODDITY);
        assert_int_equal(e->arg[0], ODDITY_DMA_REFUSED);
        assert_int_equal(e->arg[1], bad[i].at);
        assert_int_equal(e->arg[2], bad[i].len);
    }
    assert_string_equal(buf, "untouched");
    assert_int_equal(changed_bytes, 0);
}

static void nothing_at_all_is_no_fault(void **state)
{
    (void)state;
    assert_int_equal(dma_write(&dma, 192 * KiB, NULL, 0), 0);
}

static void a_device_without_memory_is_refused(void **state)
{
    (void)state;
    struct dma none = { .odd.trace = t };
    char byte;
    assert_int_equal(dma_read(&none, 0, &byte, 1), -EFAULT);
    assert_int_equal(t->ring->head, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_writes_and_reads_ram),
        T(a_transfer_may_cross_from_ram_to_ram),
        T(those_who_keep_copies_are_told),
        T(all_else_is_refused_as_a_whole),
        T(nothing_at_all_is_no_fault),
        T(a_device_without_memory_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
