/*
 * elf64: a guest that finds itself in long mode.
 *
 * A plain ELF64 file says of the machine only where the code goes and where it
 * begins; a 64-bit program can only begin in long mode, so the loader must
 * have made page tables, segments and control registers before the first
 * instruction.  The guest looks at what it was given.  (Multiboot loaders refuse
 * such a file; all other 64-bit guests climb by themselves.)
 *
 *   run    vitrine run   build/guests/elf64.elf
 *   watch  vitrine run   --trace - build/guests/elf64.elf
 *
 * MARK 1: the first look.  MARK 2: done.
 */
#include "lib/guest.h"

int main(void)
{
    mark(1);
    CHECK("CR0.PE and PG", cr0_read() & (CR0_PE | CR0_PG), CR0_PE | CR0_PG);
    CHECK("CR4.PAE", cr4_read() & CR4_PAE, CR4_PAE);
    CHECK("EFER.LME and LMA", rdmsr(MSR_EFER) & (EFER_LME | EFER_LMA), EFER_LME | EFER_LMA);
    check(cr3_read() < 0xa0000, "CR3 in low memory", cr3_read(), 0x9f000);
    CHECK("interrupts off", flags_read() & FLAG_IF, 0);
    CHECK("command line empty", command_line()[0], 0);
    printf("64 bits from the first instruction: %s\n", check_result() ? "no" : "yes");
    mark(2);
    return check_result();
}
