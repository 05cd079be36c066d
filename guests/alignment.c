/*
 * alignment: the exception nobody switches on.
 *
 * x86 forgives misaligned accesses, except in ring 3 with both CR0.AM and
 * EFLAGS.AC set: then they raise #AC, error code 0.  Ring 0 is never asked.
 *
 *   run    vitrine run   build/guests/alignment32.elf
 *   watch  vitrine run   --trace - --trace-kinds MARK,DELIVER build/guests/alignment32.elf
 *
 * MARK 1: ring 0.  MARK 2: ring 3 without AC.  MARK 3: with.  MARK 4: done.
 */
#include "lib/guest.h"
#include "lib/desc.h"
#include "lib/page.h"

static volatile struct {
    uint32_t aligned, other;
} cell __attribute__((aligned(8)));
static ulong trapped;

static void touch(ulong offset)
{
    trapped = TRY("movl (%0), %%eax", : : "r"((ulong)&cell + offset) : "eax", "memory");
}

static void user_aligned(void)
{
    touch(4);
    user_exit();
}

static void user_misaligned(void)
{
    touch(1);
    user_exit();
}

static void report(const char *what, bool want)
{
    printf("%s: %s\n", what, trapped ? "#AC" : "nothing");
    CHECK(what, trapped, want);
    if (trapped) {
        CHECK("vector", caught.vector, 17);
        CHECK("error", caught.error, 0);
    }
}

int main(void)
{
    page_start(PTE_U);
    cr0_write(cr0_read() | CR0_AM);
    mark(1);
    flags_write(flags_read() | FLAG_AC);
    touch(1);
    flags_write(flags_read() & ~FLAG_AC);
    report("ring 0, misaligned, AC", false);
    mark(2);
    user_run(user_misaligned, 2);
    report("ring 3, misaligned", false);
    mark(3);
    user_run(user_aligned, 2 | FLAG_AC);
    report("ring 3, aligned, AC", false);
    user_run(user_misaligned, 2 | FLAG_AC);
    report("ring 3, misaligned, AC", true);
    mark(4);
    return check_result();
}
