/*
 * cpu/exit_text.c -- an exit in one line for people.
 *
 * One function for each payload (cpu/exit.h).  Only what the guest's side of the
 * exit is known for is printed; a value that the handler has yet to supply is not.
 * The record may have been unpacked from a damaged trace: every member is taken
 * as it is, and nothing is indexed by one unmasked.
 */
#include "cpu/exit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/x86.h"
#include "cpu/delivery.h"
#include "cpu/state.h"

const char *exit_vector_name(unsigned vector)
{
    switch (vector) {
#define X(nr, name, err, about) case nr: return "#" #name;
    VECTOR_LIST(X)
#undef X
    }
    return "vector";
}

/* An empty string for an MSR that this CPU does not have. */
static const char *msr_name(uint32_t index)
{
    switch (index) {
#define X(index, name, reset, about) case index: return #name;
    MSR_LIST(X)
#undef X
    }
    return "";
}

/* "rwx" with dashes, as ls(1) does. */
static const char *access_name(unsigned a)
{
    static const char *const names[8] = { "---", "r--", "-w-", "rw-", "--x", "r-x", "-wx", "rwx" };
    return names[a & 7];
}

/* An exit that has no facts of its own is its name.  A damaged trace may hold a reason that
 * is none. */
static void say_nothing(const struct vmexit *x, char *buf, size_t n)
{
    if (exit_index(x->reason) < 0)
        snprintf(buf, n, "? reason 0x%x", (unsigned)x->reason);
    else
        snprintf(buf, n, "%s", exit_name(x->reason));
}

/* "EXCEPTION #PF(14) error 0x2 gla 0x1000".  `gla` of a #DB holds bits of DR6. */
static void say_fault(const struct vmexit *x, char *buf, size_t n)
{
    int len = snprintf(buf, n, "%s %s(%u)", exit_name(x->reason), exit_vector_name(x->fault.vector),
                       x->fault.vector);
    char tail[80] = "";
    if (x->fault.has_error)
        snprintf(tail, sizeof tail, " error 0x%" PRIx32, x->fault.error);
    if (x->fault.vector == VEC_PF)
        snprintf(tail + strlen(tail), sizeof tail - strlen(tail), " gla 0x%" PRIx64, x->fault.gla);
    if (x->fault.vector == VEC_DB && x->fault.gla)
        snprintf(tail + strlen(tail), sizeof tail - strlen(tail), " dr6 0x%" PRIx64, x->fault.gla);
    if (len >= 0 && (size_t)len < n)
        snprintf(buf + len, n - (size_t)len, "%s", tail);
}

static void say_cpuid(const struct vmexit *x, char *buf, size_t n)
{
    snprintf(buf, n, "CPUID leaf 0x%" PRIx32 " subleaf 0x%" PRIx32, x->cpuid.leaf,
             x->cpuid.subleaf);
}

/* Access and permission in the style of ls(1): "access -w- allowed r-x". */
static void say_page(const struct vmexit *x, char *buf, size_t n)
{
    char gla[40] = "";
    if (x->reason == EXIT_INVLPG) {
        snprintf(buf, n, "INVLPG gla 0x%" PRIx64, x->page.gla);
        return;
    }
    if (x->page.gla)
        snprintf(gla, sizeof gla, " gla 0x%" PRIx64, x->page.gla);
    snprintf(buf, n, "%s gpa 0x%" PRIx64 " access %s allowed %s%s%s", exit_name(x->reason),
             x->page.gpa, access_name(x->page.access), access_name(x->page.perm), gla,
             x->page.in_walk ? " in page walk" : "");
}

static void say_mmio(const struct vmexit *x, char *buf, size_t n)
{
    char what[40] = "";
    if (x->mmio.write)
        snprintf(what, sizeof what, " value 0x%" PRIx64, x->mmio.value);
    snprintf(buf, n, "MMIO %s gpa 0x%" PRIx64 " size %u%s", x->mmio.write ? "write" : "read",
             x->mmio.gpa, x->mmio.size, what);
}

/* "IO rep outs 0x3f8 size 1 gla 0x1000".  What IN reads is not known yet. */
static void say_io(const struct vmexit *x, char *buf, size_t n)
{
    char what[40] = "";
    if (x->io.string)
        snprintf(what, sizeof what, " gla 0x%" PRIx64, x->io.gla);
    else if (!x->io.in)
        snprintf(what, sizeof what, " value 0x%" PRIx64, x->io.value);
    snprintf(buf, n, "IO %s%s%s 0x%x size %u%s", x->io.rep ? "rep " : "", x->io.in ? "in" : "out",
             x->io.string ? "s" : "", x->io.port, x->io.size, what);
}

/* The instruction as an assembler would write it. */
static void say_cr(const struct vmexit *x, char *buf, size_t n)
{
    const char *name = exit_name(x->reason);
    const char *reg = x->reason == EXIT_DR_ACCESS ? "dr" : "cr";
    const char *gpr = gpr_names[x->cr.gpr & 15];
    switch (x->cr.type) {
    case CR_MOV_TO:
        snprintf(buf, n, "%s mov %s%u, %s value 0x%" PRIx64, name, reg, x->cr.nr, gpr,
                 x->cr.value);
        break;
    case CR_MOV_FROM:
        snprintf(buf, n, "%s mov %s, %s%u", name, gpr, reg, x->cr.nr);
        break;
    case CR_CLTS:
        snprintf(buf, n, "%s clts", name);
        break;
    case CR_LMSW:
        snprintf(buf, n, "%s lmsw 0x%" PRIx64, name, x->cr.value & 0xffff);
        break;
    }
}

/* RDTSC has the same payload, for it reads the TSC, an MSR. */
static void say_msr(const struct vmexit *x, char *buf, size_t n)
{
    const char *name = exit_name(x->reason);
    if (x->reason == EXIT_RDTSC)
        snprintf(buf, n, "%s", name);
    else if (x->reason == EXIT_WRMSR)
        snprintf(buf, n, "WRMSR 0x%" PRIx32 " %s value 0x%" PRIx64, x->msr.index,
                 msr_name(x->msr.index), x->msr.value);
    else
        snprintf(buf, n, "RDMSR 0x%" PRIx32 " %s", x->msr.index, msr_name(x->msr.index));
}

static void say_call(const struct vmexit *x, char *buf, size_t n)
{
    snprintf(buf, n, "VMCALL nr %" PRIu64 " arg 0x%" PRIx64, x->call.nr, x->call.arg[0]);
}

static void say_breakpoint(const struct vmexit *x, char *buf, size_t n)
{
    snprintf(buf, n, "BREAKPOINT %s 0x%" PRIx64, x->breakpoint.data ? "data" : "code",
             x->breakpoint.at);
}

static void say_fail(const struct vmexit *x, char *buf, size_t n)
{
    snprintf(buf, n, "%s error %d code 0x%" PRIx64 "%s%s", exit_name(x->reason), x->fail.error,
             x->raw, x->fail.what ? ": " : "", x->fail.what ? x->fail.what : "");
}

/* "TRIPLE_FAULT #UD at 0x100010 IDT_LIMIT, then #GP, #DF": what was being delivered first, what
 * stood in its way, and what came of it. */
static void say_chain(const struct vmexit *x, char *buf, size_t n)
{
    char first[24], then[80] = "";
    unsigned why = x->chain.obstacle;
    if (!x->chain.n) {
        say_nothing(x, buf, n);
        return;
    }
    if (x->chain.type == EVENT_EXCEPTION)
        snprintf(first, sizeof first, "%s", exit_vector_name(x->chain.vector[0]));
    else
        snprintf(first, sizeof first, "%s 0x%x", x->chain.type == EVENT_SOFTWARE ? "INT" :
                 event_type_names[x->chain.type % N_EVENT_TYPES], x->chain.vector[0]);
    for (unsigned i = 1; i < x->chain.n && i < NELEM(x->chain.vector); i++)
        snprintf(then + strlen(then), sizeof then - strlen(then), "%s%s", i == 1 ? ", then " : ", ",
                 exit_vector_name(x->chain.vector[i]));
    snprintf(buf, n, "%s %s at 0x%" PRIx64 " %s%s", exit_name(x->reason), first, x->chain.rip,
             why < N_OBSTACLES ? obstacle_infos[why].name : "?", then);
}

/* By payload. */
static void (*const sayings[N_PAYLOADS])(const struct vmexit *x, char *buf, size_t n) = {
    [PAYLOAD_none]  = say_nothing, [PAYLOAD_fault] = say_fault, [PAYLOAD_cpuid] = say_cpuid,
    [PAYLOAD_page]  = say_page,    [PAYLOAD_mmio]  = say_mmio,  [PAYLOAD_io]    = say_io,
    [PAYLOAD_cr]    = say_cr,      [PAYLOAD_msr]   = say_msr,   [PAYLOAD_call]  = say_call,
    [PAYLOAD_fail]  = say_fail,    [PAYLOAD_breakpoint] = say_breakpoint,
    [PAYLOAD_chain] = say_chain,
};

/* Never more than n bytes with the final 0; buf is returned, so that it can be an argument
 * of printf(). */
char *exit_describe(const struct vmexit *x, char *buf, size_t n)
{
    if (!n)
        return buf;
    buf[0] = '\0';
    sayings[exit_payload_of(x->reason)](x, buf, n);
    return buf;
}
