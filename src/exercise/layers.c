/*
 * exercise/layers.c -- exercise 1: which interface is virtualized here?
 *
 * A table of systems that a student has met or can imagine, each with its place.
 * [Smith and Nair, "The Architecture of Virtual Machines"]
 */
#include "exercise/make.h"
#include "exercise/sheet.h"

enum place { LANGUAGE, FOREIGN_PROCESS, SAME_PROCESS, LIGHTWEIGHT, SYSTEM, WHOLE_SYSTEM, N_PLACES };

static const char *const choices[N_PLACES] = {
    [LANGUAGE]        = "process VM at the API: a high-level-language VM",
    [FOREIGN_PROCESS] = "process VM at the ABI, for another instruction set",
    [SAME_PROCESS]    = "process VM at the ABI, same instruction set",
    [LIGHTWEIGHT]     = "lightweight VM: one kernel, its names and resources divided",
    [SYSTEM]          = "system VM at the ISA, same instruction set: a hypervisor",
    [WHOLE_SYSTEM]    = "system VM at the ISA, another instruction set, or one simulated",
};

static const char *const because[N_PLACES] = {
    [LANGUAGE] = "The program was compiled for a machine that was never built, and it sees the "
                 "library of its language instead of an operating system: the interface is the "
                 "API, and the VM lives and ends with one process.",
    [FOREIGN_PROCESS] = "User-level instructions of another processor are emulated or translated, "
                        "and system calls are handed to the host's kernel: user ISA and system "
                        "calls together are the ABI.",
    [SAME_PROCESS] = "The instructions are the host's own; between the program and the kernel "
                     "stands something that watches, rewrites or answers: at the ABI.",
    [LIGHTWEIGHT] = "There is one kernel. What is divided are its names (processes, files, "
                    "network) and its resources; no instruction set and no device is virtualized.",
    [SYSTEM] = "An operating system runs in it, which uses all of the ISA, privileged instructions "
               "and devices too; most instructions run directly on the CPU, because it has the "
               "same instruction set.",
    [WHOLE_SYSTEM] = "An operating system runs in it, so the interface is the whole ISA; but every "
                     "instruction is interpreted or translated, because the host's CPU cannot, or "
                     "is not to, execute it.",
};

static const struct { const char *what; enum place place; } systems[] = {
    { "a Java virtual machine that runs .class files", LANGUAGE },
    { "the Common Language Runtime of .NET", LANGUAGE },
    { "a browser's engine for WebAssembly", LANGUAGE },
    { "the interpreter of Python's bytecode", LANGUAGE },
    { "the Smalltalk-80 virtual machine with its bytecodes", LANGUAGE },
    { "qemu-arm, which runs one ARM Linux program on an x86-64 Linux", FOREIGN_PROCESS },
    { "Rosetta 2, which runs an x86-64 macOS application on an ARM Mac", FOREIGN_PROCESS },
    { "FX!32, which ran x86 Windows applications on Alpha Windows", FOREIGN_PROCESS },
    { "an emulator of RISC-V user-level instructions that passes ECALL to the host's kernel",
      FOREIGN_PROCESS },
    { "Dynamo, which re-optimizes a PA-RISC program on PA-RISC while it runs", SAME_PROCESS },
    { "Valgrind, which translates an x86-64 program into x86-64 with checks in it", SAME_PROCESS },
    { "Wine, which gives a Windows program its system calls on Linux", SAME_PROCESS },
    { "a Linux container with its own process numbers, mounts and network", LIGHTWEIGHT },
    { "a FreeBSD jail", LIGHTWEIGHT },
    { "a Solaris zone", LIGHTWEIGHT },
    { "VM/370, on which each user has a System/370 of their own", SYSTEM },
    { "Linux with KVM, which runs Windows for x86-64 on an x86-64 server", SYSTEM },
    { "Xen, with a Linux of its own as domain 0, on x86-64", SYSTEM },
    { "VMware Workstation of 1999: x86 Windows and its kernel in a window on an x86 PC", SYSTEM },
    { "Vitrine with the engine kvm", SYSTEM },
    { "Vitrine with the engine soft, which interprets a PC's CPU", WHOLE_SYSTEM },
    { "gem5, which models the pipeline and the caches of a machine to be built", WHOLE_SYSTEM },
    { "qemu-system-riscv64, which boots RISC-V Linux on an x86-64 laptop", WHOLE_SYSTEM },
    { "Virtual PC for Mac, which booted x86 Windows on a PowerPC", WHOLE_SYSTEM },
    { "an emulator of a games console, which starts the console's own firmware", WHOLE_SYSTEM },
};

void make_layers(struct sheet *s)
{
    enum { ASKED = 6 };
    uint8_t order[NELEM(systems)];
    for (unsigned i = 0; i < NELEM(order); i++)
        order[i] = (uint8_t)i;
    sheet_shuffle(s, order, NELEM(order), 1);
    sheet_say(s, "A computer's layers meet at three interfaces. The ISA is all of what the "
              "processor executes, privileged instructions too. The ABI is the user's part of the "
              "ISA and the system calls. The API is the ABI seen from a high-level language: "
              "calls of libraries. A virtual machine gives one of them, on top of something "
              "else. Say for each of these where it stands.");
    for (unsigned i = 0; i < ASKED; i++) {
        enum place p = systems[order[i]].place;
        sheet_ask_choice(s, choices, N_PLACES, p, "%s", systems[order[i]].what);
        sheet_because(s, "%s", because[p]);
    }
}
