/*
 * hypercall: a guest that knows it is one.
 *
 * CPUID leaf 0x40000000 is left free by the CPU makers for hypervisors to sign
 * their name; a guest that finds a name it knows may call the monitor instead
 * of pretending to do I/O.  One call that prints a whole line replaces an OUT,
 * and an exit, for each byte: that is paravirtualization in one number.
 *
 *   run    vitrine run   build/guests/hypercall.elf
 *   watch  vitrine run   --stat build/guests/hypercall.elf
 *
 * MARK 1: who is below?  MARK 2: the calls.  MARK 3: done.
 */
#include "lib/guest.h"

static void calls(void)
{
    static const char line[] = "a whole line in one call\n";

    CHECK("ping 41", hypercall(HC_PING, 41, 0, 0, 0), 42);
    CHECK("ping -1", hypercall(HC_PING, ~0ul, 0, 0, 0), 0);
    hypercall(HC_PUTS, (ulong)line, sizeof(line) - 1, 0, 0);
    ulong before = (ulong)hypercall(HC_TIME, 0, 0, 0, 0);
    ulong after = (ulong)hypercall(HC_TIME, 0, 0, 0, 0);
    check(after - before < 1000000000, "time goes forward", after, before);
    CHECK("an unknown number", hypercall(0x7fff, 1, 2, 3, 4), HC_BADCALL);
}

int main(void)
{
    mark(1);
    bool there = hypercall_present();
    printf("monitor: %s\n", there ? HV_SIGNATURE : "none that I know");
    mark(2);
    if (there)
        calls();
    mark(3);
    printf("%s\n", !there ? "no calls made" : check_result() ? "calls went wrong" : "calls are right");
    return check_result();
}
