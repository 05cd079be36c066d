/*
 * epttrap: an entry that makes no sense, on purpose.
 *
 * An entry of the second-level tables that may be written but not read is one
 * that no processor accepts: whoever touches the page, for whatever, leaves the
 * guest with the exit "EPT misconfiguration".  It looks like a bug of the
 * monitor's, and real monitors make it one that they like to meet: nothing else
 * makes this exit, so it needs no search for its reason.  KVM marks the pages of
 * devices so, which are touched again and again.  [SDM 3C "EPT Misconfigurations"]
 *
 * Here the guest asks for it.  HC_TRAP_PAGE has the monitor spoil the entry of a
 * page; the next touch exits, the monitor recognizes its own mark, mends the
 * entry, and the instruction is executed again.  Afterwards the page is like any
 * other.  The guest sees nothing of it: what it reads is what it wrote.
 *
 *   run    vitrine run   build/guests/epttrap.elf
 *   watch  vitrine run   --trace - --trace-kinds MARK,HYPERCALL,EXIT,NESTED_FILL,RESUME build/guests/epttrap.elf
 *
 * MARK 1: read.  MARK 2: written.  MARK 3: executed.  MARK 4: a page of page
 * tables, which the processor reads by itself.  MARK 5: done.
 */
#include "lib/guest.h"
#include "lib/page.h"

#define WINDOW 0x40000000ul

static volatile uint32_t data[1024] __attribute__((aligned(4096)));

/* A page with one function, nothing else: RET. */
static const unsigned char code[4096] __attribute__((aligned(4096))) = { 0xc3 };

/* By the monitor's leave: without one, or with one that keeps no such tables, nothing happens. */
static void trap(const volatile void *page)
{
    if (!hypercall_present())
        return;
    long result = hypercall(HC_TRAP_PAGE, (ulong)page, 0, 0, 0);
    check(result == 0 || result == HC_BADCALL, "the trap is laid", (ulong)result, 0);
}

int main(void)
{
    pte_t *root = page_start(0);                /* addresses mean what they say */
    pte_t *entry = page_entry(root, WINDOW);

    data[0] = 0x11223344;
    mark(1);
    trap(data);
    CHECK("read", data[0], 0x11223344);
    CHECK("read again", data[0], 0x11223344);

    mark(2);
    trap(data);
    data[1] = 0x55667788;
    CHECK("what was written", data[1], 0x55667788);
    CHECK("what was there before", data[0], 0x11223344);

    mark(3);
    trap(code);
    __asm__ volatile("call *%0" : : "r"(code) : "memory");

    mark(4);
    *entry = (ulong)data | PTE_P | PTE_W;
    trap(entry);
    CHECK("read through a table", *(volatile uint32_t *)(WINDOW + 4), 0x55667788);
    CHECK("the table's entry", (*entry & PTE_A) != 0, true);

    mark(5);
    printf("%s\n", check_result() ? "something was different" : "nothing was different");
    return check_result();
}
