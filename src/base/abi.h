/*
 * base/abi.h -- what guests of ours know about Vitrine.
 *
 * The only header shared by the monitor and the guests: port numbers and
 * hypercalls.  Plain constants, so that assembly can include it too.
 */
#ifndef BASE_ABI_H
#define BASE_ABI_H

/* Ports (all other devices are where a PC has them) */
#define PORT_MARK       0xe0    /* OUT 32 bits: the run enters phase n          */
#define PORT_HYPERCALL  0xe4    /* OUT 32 bits: as VMCALL, for hosts that eat it */
#define PORT_DEBUGCON   0xe9    /* OUT 8 bits: a byte for the debug console; IN reads 0xe9 */
#define PORT_EXIT       0xf4    /* OUT 8 bits: end the run with this exit status */
#define PORT_ACPI_PM1A  0x604   /* OUT 16 bits, bit 13 set: power off            */

/* CPUID leaf 0x40000000: EBX,ECX,EDX spell the signature, EAX the last leaf.
 * Leaf 0x40000001: EAX bit 0: VMCALL reaches the monitor; else use the port. */
#define CPUID_HV_BASE       0x40000000
#define CPUID_HV_FEATURES   0x40000001
#define HV_SIGNATURE        "VitrineVMM  "
#define HV_VMCALL_WORKS     0x1

/* Hypercall: number in (R/E)AX, arguments in BX, CX, DX, SI; result in AX. */
#define HC_PING         0       /* returns BX + 1                               */
#define HC_PUTS         1       /* BX = gla of a string, CX = bytes; to the debug console */
#define HC_TIME         2       /* returns virtual nanoseconds                  */
/* BX = gpa of a page of RAM: its next touch exits (EPT misconfiguration).  Returns 0, or
 * HC_BADCALL where the monitor keeps no nested tables. */
#define HC_TRAP_PAGE    3
/* What a guest can ask of the nested tables, to try them; HC_BADCALL where there are none.  Pages
 * that are taken away come back when the guest touches them, with what is in them.
 * BX = 4096 or 0x200000: from now on map pages of this size, where it can be done.  Returns 0. */
#define HC_MAP_SIZE     4
/* BX = gpa in RAM, CX = bytes: take their entries away.  Returns how many there were. */
#define HC_UNMAP        5
/* BX = gpa in RAM, CX = bytes, DX = rights (1 read, 2 write, 4 execute) that the entries there
 * have from now on, until the guest wants more.  Returns how many entries that has changed. */
#define HC_PROTECT      6
/* BX = gla.  Returns how many entries a processor reads to translate it, in the guest's tables and
 * in the nested ones, when no cache has any of them; -14 if it is not mapped. */
#define HC_WALK         7
/* Of our BIOS.  BX = the number of a software interrupt that no service is behind, CX = its linear
 * address.  Returns 0. */
#define HC_IGNORED_INT  8
#define HC_BADCALL      (-38)   /* what an unknown number returns               */

#endif
