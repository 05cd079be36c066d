/*
 * debugger/report/explain_bios.c -- what the BIOS has to do with it: a service that was called and
 * has not returned, an exception that the guest has left to it, a disk that could not be read.
 *
 * The guest's own view of the BIOS is enough for that: the stack, the vector table and the data
 * area at 400h [IBM PC AT Technical Reference "BIOS Data Area"].
 */
#include "debugger/report/explain_private.h"

#include <inttypes.h>

#define ROM_SEGMENT 0xf000

/* What people call the BIOS for; the others are told by number. */
static const struct { uint8_t vector; const char *what; } bios_services[] = {
    { 0x10, "the screen" },
    { 0x13, "a disk" },
    { 0x16, "the keyboard; AH=00h and 10h wait for a key, which comes from --keyboard" },
    { 0x1a, "the clock" },
};

/* In code of the BIOS: for whom?  The nearest frame on the stack that an INT outside of it has left
 * says so.  Nothing if there is none. */
void explain_say_bios_call(const struct explain_input *in, FILE *out)
{
    enum { DEPTH = 64, INT = 0xcd };
    const struct cpu_state *c = in->cpu;
    if (!explain_is_real(c) || c->seg[SEG_CS].sel != ROM_SEGMENT)
        return;
    for (unsigned i = 0; i < DEPTH; i++) {
        uint16_t frame[2];
        uint8_t insn[2];
        gla_t at = explain_linear(c, SEG_SS, (uint16_t)(c->gpr[RSP] + 2 * i));
        if (!in->read(in->arg, at, frame, sizeof frame) || frame[1] >= ROM_SEGMENT)
            continue;
        struct code_segment cs = { (uint32_t)frame[1] << 4, frame[1], true };
        uint16_t ip = (uint16_t)(frame[0] - sizeof insn);
        if (!in->read(in->arg, cs.base + ip, insn, sizeof insn) || insn[0] != INT)
            continue;
        fprintf(out, "  It is in the BIOS, called by INT %02Xh at ", insn[1]);
        explain_say_code(in, &cs, ip, out);
        for (size_t k = 0; k < NELEM(bios_services); k++)
            if (bios_services[k].vector == insn[1])
                fprintf(out, ": %s", bios_services[k].what);
        fputs(".\n", out);
        return;
    }
}

/* In real mode every vector leads somewhere: those that the guest has not set, to the BIOS. */
void explain_left_to_bios(const struct explain_input *in, FILE *out)
{
    unsigned vector = in->chain->latest.step.vector;
    fputs("Why: an exception came that the guest does not handle: it went to the BIOS, which can "
          "only say so and halt.\n", out);
    explain_delivered(in, out);
    fprintf(out, "  To handle it, put the offset and the segment of a handler into the vector "
                 "table, at %#x and %#x.\n", 4 * vector, 4 * vector + 2);
}

/* How the last operation on a disk has ended: a byte for diskettes and one for hard disks. */
static const struct { uint16_t at; const char *of; } disk_status[] = {
    { 0x441, "a diskette" }, { 0x474, "a hard disk" },
};

static const char *const disk_errors[] = {
    [0x01] = "there is no such function, or no such drive (DL; the BIOS starts a boot sector with "
             "the right one)",
    [0x04] = "there is no such sector on it (sectors count from 1, heads and cylinders from 0; "
             "and is the image long enough?)",
    [0x09] = "in memory the transfer would cross a multiple of 64 KiB, which a diskette's DMA "
             "cannot",
};

/* Is the BIOS still what INT 13h leads to?  Else its data area may hold anything. */
static bool has_disk_service(const struct explain_input *in)
{
    uint16_t vector[2];
    return in->physical && in->physical(in->arg, 4 * 0x13, vector, sizeof vector) &&
           vector[1] == ROM_SEGMENT;
}

void explain_say_disk_error(const struct explain_input *in, FILE *out)
{
    uint8_t status;
    for (size_t i = 0; i < NELEM(disk_status) && has_disk_service(in); i++)
        if (in->physical(in->arg, disk_status[i].at, &status, sizeof status) &&
            status < NELEM(disk_errors) && disk_errors[status])
            fprintf(out, "  The last INT 13h for %s failed with status %02xh: %s. It sets CF then, "
                    "and nothing is read.\n", disk_status[i].of, status, disk_errors[status]);
}
