/*
 * The linear address space by the guest's tables: `info mem`, `info mmu`, and the pieces
 * they are made of.
 *   run    make unit
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/x86.h"
#include "debugger/console/command.h"
#include "debugger/link/linear_map.h"
#include "link_board.h"

#define ROOT  0x10000                   /* the upper table; others behind it */

static char path[] = "/tmp/vitrine-test-linear-XXXXXX";
static struct link *l;
static char *answer;
static unsigned asked, patience;

static int start(void **state)
{
    static const uint8_t code[] = { 0xeb, 0xfe };
    (void)state;
    l = start_guest(path, code, sizeof code);
    asked = 0;
    patience = 1000000;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    link_end(l);
    free(answer);
    answer = NULL;
    return 0;
}

static void set_paging(uint64_t cr4, uint64_t efer)
{
    struct cpu_state s;
    link_get_state(l, &s);
    s.cr0 |= CR0_PG | 1;
    s.cr3 = ROOT;
    s.cr4 = cr4;
    s.efer = efer;
    assert_int_equal(link_set_state(l, ST_CRS, &s), 0);
}

static void put(gpa_t table, unsigned i, unsigned size, uint64_t entry)
{
    assert_int_equal(link_write_phys(l, table + i * size, &entry, size), 0);
}

static bool enough(void *arg)
{
    (void)arg;
    return ++asked >= patience;
}

static const char *ask(const char *line)
{
    size_t n;
    free(answer);
    answer = NULL;
    FILE *out = open_memstream(&answer, &n);
    struct console *c = console_new(
        &(struct console_options){ .link = l, .store = link_store(l), .enough = enough });
    console_run(c, line, out);
    console_free(c);
    fclose(out);
    return answer;
}

static void says(const char *line, const char *what)
{
    if (!strstr(ask(line), what))
        print_message("%s: no \"%s\" in\n%s", line, what, answer);
    assert_non_null(strstr(answer, what));
}

static void no_paging(void **state)
{
    (void)state;
    says("info mem", "0x0000000000000000-0x00000000000bffff   768K urwx  rwx RAM");
    says("info mem", "0x00000000000f0000-0x00000000000fffff    64K urwx  r-x ROM");
    says("info mem", "0x0000000000100000-0x00000000001fffff     1M urwx  rwx RAM, 0 of 256 pages");
    says("info mem", "0x00000000ffff0000-0x00000000ffffffff    64K urwx  r-x ROM");
    says("info mem", "0x00000a0000-0x00000bffff RAM VGA memory");
}

/* Two levels, a table of pages and one page of 4 MiB. */
static void two_levels(void **state)
{
    (void)state;
    put(ROOT, 0, 4, 0x11000 | PTE_P | PTE_W | PTE_U);
    put(ROOT, 1, 4, 0 | PTE_P | PTE_W | PTE_PS);
    put(0x11000, 0, 4, 0x0000 | PTE_P | PTE_U);
    put(0x11000, 1, 4, 0x5000 | PTE_P | PTE_U);
    put(0x11000, 2, 4, 0x6000 | PTE_P | PTE_W);
    put(0x11000, 4, 4, 0xfee00000 | PTE_P | PTE_W);
    set_paging(CR4_PSE, 0);
    says("info mem", "paging: 32-bit, 2 levels");
    says("info mem", "0x0000000000000000-0x0000000000001fff     8K ur-x  rwx RAM");
    says("info mem", "0x0000000000002000-0x0000000000002fff     4K -rwx  rwx RAM");
    says("info mem", "0x0000000000004000-0x0000000000004fff     4K -rwx  --- a device's");
    says("info mem", "0x0000000000400000-0x00000000004bffff   768K -rwx  rwx RAM");
    says("info mem 0x402000", ")\n0x0000000000402000-0x00000000004bffff   760K -rwx");
    says("info mmu", "0x0000000000000000-0x0000000000000fff -> 0x0000000000 ur-x\n"
                     "0x0000000000001000-0x0000000000001fff -> 0x0000005000 ur-x\n");
    set_paging(0, 0);                           /* without PSE the bit means nothing */
    assert_null(strstr(ask("info mem"), "0x00000000004bffff"));
}

/* Three levels, with NX; rights are those of all levels together. */
static void pae(void **state)
{
    (void)state;
    put(ROOT, 1, 8, 0x11000 | PTE_P);
    put(0x11000, 0, 8, 0x12000 | PTE_P | PTE_W | PTE_U);
    put(0x11000, 1, 8, 0x12000 | PTE_P | PTE_U | PTE_NX);
    put(0x11000, 2, 8, PTE_P | PTE_W | PTE_PS | PTE_NX);
    put(0x12000, 0, 8, 0x3000 | PTE_P | PTE_W | PTE_U);
    put(0x12000, 1, 8, 0x4000 | PTE_P | PTE_W);
    set_paging(CR4_PAE, EFER_NXE);
    says("info mem", "paging: PAE, 3 levels");
    says("info mem", "0x0000000040000000-0x0000000040000fff     4K urwx  rwx RAM");
    says("info mem", "0x0000000040001000-0x0000000040001fff     4K -rwx  rwx RAM");
    says("info mem", "0x0000000040200000-0x0000000040200fff     4K ur--  rwx RAM");
    says("info mem", "0x0000000040201000-0x0000000040201fff     4K -r--  rwx RAM");
    says("info mem", "0x0000000040400000-0x00000000404bffff   768K -rw-  rwx RAM");
}

/* Four levels: the upper half, and the hole that is no address. */
static void four_levels(void **state)
{
    struct linear_map m;
    struct linear_piece p;
    (void)state;
    put(ROOT, 0, 8, 0x11000 | PTE_P | PTE_W | PTE_U);
    put(ROOT, 511, 8, 0x11000 | PTE_P | PTE_W);
    put(0x11000, 0, 8, 0x12000 | PTE_P | PTE_W | PTE_U);
    put(0x12000, 0, 8, PTE_P | PTE_W | PTE_PS | PTE_U);
    set_paging(CR4_PAE, EFER_LME | EFER_LMA | EFER_NXE);
    says("info mem", "0x0000000000000000-0x00000000000bffff   768K urwx  rwx RAM");
    says("info mem", "0xffffff8000000000-0xffffff80000bffff   768K -rwx  rwx RAM");
    linear_map_begin(&m, l);
    linear_map_at(&m, BIT(47) + 5, &p);
    assert_false(p.present);
    assert_int_equal(p.from, BIT(47));
    assert_int_equal(p.last, ~BIT(47));
    linear_map_at(&m, UINT64_MAX, &p);
    assert_false(p.present);
    assert_int_equal(p.last, UINT64_MAX);
}

/* A table that is all tables, itself: 2^36 pages.  It ends, says where, and can be interrupted. */
static void hostile(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 512; i++)
        put(ROOT, i, 8, ROOT | PTE_P | PTE_W | PTE_U);
    set_paging(CR4_PAE, EFER_LME | EFER_LMA);
    says("info mem", "... and on from 0x");
    assert_true(asked > 100);
    patience = asked + 3;
    says("info mem", "interrupted at 0x");
    for (unsigned i = 0; i < 512; i++)          /* no two neighbours alike: too many lines */
        put(ROOT, i, 8, i % 2 ? ROOT | PTE_P | PTE_W | PTE_U : ROOT | PTE_P);
    patience = 1000000;
    says("info mem", "... and on from 0x");
}

int main(void)
{
    int fd = mkstemp(path);
    if (fd < 0)
        return 2;
    close(fd);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_paging, start, stop),
        cmocka_unit_test_setup_teardown(two_levels, start, stop),
        cmocka_unit_test_setup_teardown(pae, start, stop),
        cmocka_unit_test_setup_teardown(four_levels, start, stop),
        cmocka_unit_test_setup_teardown(hostile, start, stop),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
