/*
 * taskswitch: the context switch in hardware.
 *
 * A far JMP or CALL to a TSS, or an interrupt through a task gate, stores all
 * registers in the old task's segment and loads them from the new one's: 104
 * bytes each way.  CALL and the gate nest (NT set, a link back, both tasks
 * busy) and IRET goes back; JMP just leaves.  Hardly any system used it after
 * 1993, 64-bit mode dropped it, and every 32-bit monitor still has to play it.
 *
 *   run    vitrine run   build/guests/taskswitch.elf
 *   watch  vitrine run   --trace - --trace-kinds MARK,DELIVER build/guests/taskswitch.elf
 *
 * MARK 1: CALL.  MARK 2: JMP.  MARK 3: interrupt.  MARK 4: done.
 * See [SDM 3A "Task Switching"].
 */
#include "lib/guest.h"
#include "lib/desc.h"

#define SEL_B  SEL_FREE
#define SEL_B_TEXT "0x40"
#define VECTOR "0x50"

static struct tss tss_b;
static char stack_b[4096] __attribute__((aligned(16)));
static unsigned visits;
static struct { bool nt, ts, a_busy, b_busy; uint32_t link, bx; } seen;

/* The other task: look around, go back the way it was entered, and be ready to
 * go on from there the next time. */
__asm__(".text\n"
        "task_b:\n"
        "    call look_around\n"
        "    pushf\n"
        "    testl $0x4000, (%esp)\n"           /* NT: was it a nested entry? */
        "    lea 4(%esp), %esp\n"
        "    jz 1f\n"
        "    iret\n"                            /* to the task in our link */
        "    jmp task_b\n"
        "1:  ljmp $0x30, $0\n"
        "    jmp task_b\n");
extern char task_b[];
void look_around(void);

static bool busy(unsigned sel)
{
    return gdt[sel / 8] >> 41 & 1;
}

void look_around(void)
{
    seen.nt = flags_read() & FLAG_NT;
    seen.ts = cr0_read() & CR0_TS;
    seen.a_busy = busy(SEL_TSS);
    seen.b_busy = busy(SEL_B);
    seen.link = tss_b.link & 0xffff;
    seen.bx = tss.bx;                           /* A's EBX, as the switch stored it */
    __asm__ volatile("clts");
    visits++;
}

static void show(const char *how, bool nt, bool a_busy, bool nested)
{
    ulong dr = busy(SEL_TSS) | busy(SEL_B) << 1;

    printf("%-9s in B: NT %d, CR0.TS %d, A busy %d, B busy %d, link %x; back: A busy %lu, B busy %lu\n",
           how, seen.nt, seen.ts, seen.a_busy, seen.b_busy, nested ? seen.link : 0, dr & 1, dr >> 1);
    CHECK("NT", seen.nt, nt);
    CHECK("CR0.TS", seen.ts, true);
    CHECK("A busy, seen from B", seen.a_busy, a_busy);
    CHECK("B busy, seen from B", seen.b_busy, true);
    CHECK("busy after", dr, 1);
    if (nested)
        CHECK("link", seen.link, SEL_TSS);
    CHECK("EBX in A's TSS", seen.bx, 0x1234abcd);
    CHECK("CR0.TS after the way back", cr0_read() & CR0_TS, CR0_TS);
    __asm__ volatile("clts");
}

/* EBX has a known value on the way out and must still have it. */
#define GO(insn)                                                                       \
    do {                                                                               \
        uint32_t bx = 0x1234abcd;                                                      \
        __asm__ volatile(insn : "+b"(bx) : : "memory", "cc");                          \
        CHECK("EBX after " insn, bx, 0x1234abcd);                                      \
    } while (0)

int main(void)
{
    tss_b = (struct tss){
        .cr3 = cr3_read(), .ip = (uint32_t)task_b, .flags = 2,
        .sp = (uint32_t)stack_b + sizeof(stack_b), .cs = SEL_KCODE, .ss = SEL_KDATA,
        .ds = SEL_KDATA, .es = SEL_KDATA, .fs = SEL_KDATA, .gs = SEL_KDATA,
        .iomap = sizeof(tss_b),
    };
    tss.cr3 = cr3_read();
    gdt[SEL_B / 8] = seg_desc((uint32_t)&tss_b, sizeof(tss_b) - 1, ACC_TSS32_AVAIL, 0);
    gate_task(0x50, SEL_B);
    CHECK("A busy at first (LTR did it)", busy(SEL_TSS), true);

    mark(1);
    GO("lcall $" SEL_B_TEXT ", $0");
    show("CALL", true, true, true);
    GO("lcall $" SEL_B_TEXT ", $0");
    show("CALL", true, true, true);
    mark(2);
    GO("ljmp $" SEL_B_TEXT ", $0");
    show("JMP", false, false, false);
    mark(3);
    GO("int $" VECTOR);
    show("interrupt", true, true, true);
    GO("ljmp $" SEL_B_TEXT ", $0");
    show("JMP", false, false, false);
    mark(4);

    bool fell = TRY("ljmp $0x30, $0", : : : "memory");
    CHECK("a jump to the busy task faults", fell, true);
    CHECK("with #GP", caught.vector, 13);
    CHECK("and its selector", caught.error, SEL_TSS);
    printf("visits %u\n", visits);
    CHECK("visits", visits, 5);
    return check_result();
}
