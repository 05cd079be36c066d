/*
 * cpu/exit.c -- exits packed into two words for the trace, and told in words.
 *
 * Where the SDM defines an exit qualification, ours is that one, bit for bit
 * [SDM 3C "Basic VM-Exit Information"]; where it has none or puts the facts in
 * other VMCS fields, the packing is ours.  exit_unpack() is the inverse, so a
 * trace read years later tells the same story as the run did.
 *
 *                 qualification                          extra
 *   EXCEPTION     the address of a #PF, else 0           31:0 interruption information,
 *   BREAKPOINT      (as in the SDM)                      63:32 error code
 *   CPUID         31:0 leaf, 63:32 subleaf               -
 *   INVLPG        linear address                         -
 *   VMCALL        number                                 first argument
 *   CR_ACCESS     SDM: 3:0 register, 5:4 type,           value written (MOV to, LMSW)
 *                   11:8 GPR, 31:16 LMSW source
 *   DR_ACCESS     SDM: 2:0 register, 4 from, 11:8 GPR    value written
 *   IO            SDM: 2:0 size-1, 3 IN, 4 string,       value written; of a string
 *                   5 REP, 31:16 port                      instruction the linear address
 *   RDMSR, WRMSR  MSR                                    value written
 *   EPT_...       SDM: 2:0 access, 5:3 permission,       guest-physical address
 *                   7 linear address known, 8 not a page
 *                   walk; 63:12 of the linear address
 *                   stand in 63:12 (ours)
 *   MMIO          51:0 gpa, 54:52 size-1, 55 read        value written
 *   UNHANDLED     error, negative                        the engine's own code
 *   HOST
 */
#include "cpu/exit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/x86.h"
#include "cpu/state.h"

#define IO_SIZE         FIELD(2, 0)
#define IO_IN           BIT(3)
#define IO_STRING       BIT(4)
#define IO_REP          BIT(5)
#define CR_NR           FIELD(3, 0)
#define DR_NR           FIELD(2, 0)
#define DR_FROM         BIT(4)
#define EPT_GLA_VALID   BIT(7)
#define EPT_NOT_WALK    BIT(8)
#define MMIO_GPA        FIELD(51, 0)
#define MMIO_IN         BIT(55)

/* Interruption information  [SDM 3C "Information for VM Exits Due to Vectored Events"] */
#define INTR_VECTOR     FIELD(7, 0)
#define INTR_NMI        (UINT64_C(2) << 8)
#define INTR_HARDWARE   (UINT64_C(3) << 8)
#define INTR_ERROR      BIT(11)
#define INTR_VALID      BIT(31)

const struct exit_info exit_infos[N_EXITS] = {
#define X(nr, name, family, payload, about) \
    [EXIT_IDX_##name] = { nr, #name, FAMILY_##family, about },
    EXIT_LIST(X)
#undef X
};

const char *const verdict_names[4] = {
    [RETIRE] = "RETIRE", [RETRY] = "RETRY", [REFLECT] = "REFLECT", [STOP] = "STOP",
};

/* Which member of the record's union an exit uses. */
enum payload {
    PAYLOAD_none, PAYLOAD_fault, PAYLOAD_cpuid, PAYLOAD_page, PAYLOAD_mmio,
    PAYLOAD_io, PAYLOAD_cr, PAYLOAD_msr, PAYLOAD_call, PAYLOAD_fail,
};

static const uint8_t payloads[N_EXITS] = {
#define X(nr, name, family, payload, about) [EXIT_IDX_##name] = PAYLOAD_##payload,
    EXIT_LIST(X)
#undef X
};

EXIT_PATH int exit_index(unsigned reason)
{
    switch (reason) {
#define X(nr, name, family, payload, about) case nr: return EXIT_IDX_##name;
    EXIT_LIST(X)
#undef X
    }
    return -1;
}

const char *exit_name(unsigned reason)
{
    int i = exit_index(reason);
    return i < 0 ? "?" : exit_infos[i].name;
}

static enum payload payload_of(unsigned reason)
{
    int i = exit_index(reason);
    return i < 0 ? PAYLOAD_none : (enum payload)payloads[i];
}

/*
 * Packing
 */

static uint64_t pack_cr(const struct vmexit *x)
{
    if (x->reason == EXIT_DR_ACCESS)
        return (x->cr.nr & DR_NR) | (x->cr.type == CR_MOV_FROM ? DR_FROM : 0)
             | (uint64_t)(x->cr.gpr & 15) << 8;
    return (x->cr.nr & CR_NR) | (uint64_t)(x->cr.type & 3) << 4
         | (uint64_t)(x->cr.gpr & 15) << 8
         | (x->cr.type == CR_LMSW ? (x->cr.value & 0xffff) << 16 : 0);
}

static uint64_t pack_io(const struct vmexit *x)
{
    return ((uint64_t)(x->io.size - 1) & IO_SIZE) | (x->io.in ? IO_IN : 0)
         | (x->io.string ? IO_STRING : 0) | (x->io.rep ? IO_REP : 0)
         | (uint64_t)x->io.port << 16;
}

static uint64_t pack_page(const struct vmexit *x)
{
    if (x->reason == EXIT_INVLPG)
        return x->page.gla;
    /* Address 0 is what an engine that does not know the linear address says. */
    uint64_t known = x->page.gla ? (x->page.gla & PAGE_MASK) | EPT_GLA_VALID : 0;
    return (x->page.access & 7) | (uint64_t)(x->page.perm & 7) << 3 | known
         | (x->page.in_walk ? 0 : EPT_NOT_WALK);
}

static uint64_t pack_mmio(const struct vmexit *x)
{
    return (x->mmio.gpa & MMIO_GPA) | ((uint64_t)(x->mmio.size - 1) & 7) << 52
         | (x->mmio.write ? 0 : MMIO_IN);
}

EXIT_PATH uint64_t exit_qualification(const struct vmexit *x)
{
    switch (payload_of(x->reason)) {
    case PAYLOAD_none:  return 0;
    case PAYLOAD_fault: return x->fault.gla;
    case PAYLOAD_cpuid: return x->cpuid.leaf | (uint64_t)x->cpuid.subleaf << 32;
    case PAYLOAD_page:  return pack_page(x);
    case PAYLOAD_mmio:  return pack_mmio(x);
    case PAYLOAD_io:    return pack_io(x);
    case PAYLOAD_cr:    return pack_cr(x);
    case PAYLOAD_msr:   return x->reason == EXIT_RDTSC ? 0 : x->msr.index;
    case PAYLOAD_call:  return x->call.nr;
    case PAYLOAD_fail:  return (uint64_t)(int64_t)x->fail.error;
    }
    return 0;
}

static uint64_t pack_interruption(const struct vmexit *x)
{
    uint64_t type = x->fault.vector == VEC_NMI ? INTR_NMI : INTR_HARDWARE;
    return x->fault.vector | type | INTR_VALID
         | (x->fault.has_error ? INTR_ERROR | (uint64_t)x->fault.error << 32 : 0);
}

EXIT_PATH uint64_t exit_extra(const struct vmexit *x)
{
    switch (payload_of(x->reason)) {
    case PAYLOAD_none:  return 0;
    case PAYLOAD_fault: return pack_interruption(x);
    case PAYLOAD_cpuid: return 0;
    case PAYLOAD_page:  return x->reason == EXIT_INVLPG ? 0 : x->page.gpa;
    case PAYLOAD_mmio:  return x->mmio.write ? x->mmio.value : 0;
    case PAYLOAD_io:    return x->io.string ? x->io.gla : x->io.in ? 0 : x->io.value;
    case PAYLOAD_cr:    return x->cr.type == CR_MOV_TO || x->cr.type == CR_LMSW ? x->cr.value : 0;
    case PAYLOAD_msr:   return x->reason == EXIT_WRMSR || x->reason == EXIT_XSETBV ? x->msr.value : 0;
    case PAYLOAD_call:  return x->call.arg[0];
    case PAYLOAD_fail:  return x->raw;
    }
    return 0;
}

/*
 * Unpacking.  Any two words are taken: they may come from a hostile file.
 */

static void unpack_page(struct vmexit *x, uint64_t qual, uint64_t extra)
{
    if (x->reason == EXIT_INVLPG) {
        x->page.gla = qual;
        return;
    }
    x->page.access = qual & 7;
    x->page.perm = qual >> 3 & 7;
    x->page.in_walk = !(qual & EPT_NOT_WALK);
    x->page.gpa = extra;
    if (qual & EPT_GLA_VALID)       /* a page walk is about an entry, elsewhere in its page */
        x->page.gla = (qual & PAGE_MASK) | (x->page.in_walk ? 0 : extra & ~PAGE_MASK);
}

static void unpack_io(struct vmexit *x, uint64_t qual, uint64_t extra)
{
    x->io.size = (uint8_t)((qual & IO_SIZE) + 1);
    x->io.in = qual & IO_IN;
    x->io.string = qual & IO_STRING;
    x->io.rep = qual & IO_REP;
    x->io.port = (uint16_t)(qual >> 16);
    if (x->io.string)
        x->io.gla = extra;
    else
        x->io.value = extra;
}

static void unpack_cr(struct vmexit *x, uint64_t qual, uint64_t extra)
{
    x->cr.gpr = qual >> 8 & 15;
    x->cr.value = extra;
    if (x->reason == EXIT_DR_ACCESS) {
        x->cr.nr = qual & DR_NR;
        x->cr.type = qual & DR_FROM ? CR_MOV_FROM : CR_MOV_TO;
    } else {
        x->cr.nr = qual & CR_NR;
        x->cr.type = (enum cr_access)(qual >> 4 & 3);
    }
}

static void unpack_fault(struct vmexit *x, uint64_t qual, uint64_t extra)
{
    x->fault.gla = qual;
    x->fault.vector = extra & INTR_VECTOR;
    x->fault.has_error = extra & INTR_ERROR;
    x->fault.error = (uint32_t)(extra >> 32);
}

void exit_unpack(unsigned reason, uint64_t qual, uint64_t extra, struct vmexit *x)
{
    memset(x, 0, sizeof *x);
    x->reason = (enum exit_reason)reason;
    switch (payload_of(reason)) {
    case PAYLOAD_none:
        break;
    case PAYLOAD_fault:
        unpack_fault(x, qual, extra);
        break;
    case PAYLOAD_cpuid:
        x->cpuid.leaf = (uint32_t)qual;
        x->cpuid.subleaf = (uint32_t)(qual >> 32);
        break;
    case PAYLOAD_page:
        unpack_page(x, qual, extra);
        break;
    case PAYLOAD_mmio:
        x->mmio.gpa = qual & MMIO_GPA;
        x->mmio.size = (uint8_t)((qual >> 52 & 7) + 1);
        x->mmio.write = !(qual & MMIO_IN);
        x->mmio.value = extra;
        break;
    case PAYLOAD_io:
        unpack_io(x, qual, extra);
        break;
    case PAYLOAD_cr:
        unpack_cr(x, qual, extra);
        break;
    case PAYLOAD_msr:
        x->msr.index = (uint32_t)qual;
        x->msr.value = extra;
        break;
    case PAYLOAD_call:
        x->call.nr = qual;
        x->call.arg[0] = extra;
        break;
    case PAYLOAD_fail:
        x->fail.error = (int)(int64_t)qual;
        x->raw = extra;
        break;
    }
}

/*
 * Words.  Values that a handler has yet to supply are not told.
 */

static const char *vector_name(unsigned vector)
{
    switch (vector) {
#define X(nr, name, err, about) case nr: return "#" #name;
    VECTOR_LIST(X)
#undef X
    }
    return "vector";
}

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

static int say_fault(const struct vmexit *x, char *buf, size_t n)
{
    int len = snprintf(buf, n, "%s %s(%u)", exit_name(x->reason), vector_name(x->fault.vector),
                       x->fault.vector);
    char tail[80] = "";
    if (x->fault.has_error)
        snprintf(tail, sizeof tail, " error 0x%" PRIx32, x->fault.error);
    if (x->fault.vector == VEC_PF)
        snprintf(tail + strlen(tail), sizeof tail - strlen(tail), " gla 0x%" PRIx64, x->fault.gla);
    if (len >= 0 && (size_t)len < n)
        snprintf(buf + len, n - (size_t)len, "%s", tail);
    return len;
}

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

static void say_msr(const struct vmexit *x, char *buf, size_t n)
{
    const char *name = exit_name(x->reason);
    if (x->reason == EXIT_RDTSC)
        snprintf(buf, n, "%s", name);
    else if (x->reason == EXIT_XSETBV)
        snprintf(buf, n, "XSETBV xcr%" PRIu32 " value 0x%" PRIx64, x->msr.index, x->msr.value);
    else if (x->reason == EXIT_WRMSR)
        snprintf(buf, n, "WRMSR 0x%" PRIx32 " %s value 0x%" PRIx64, x->msr.index,
                 msr_name(x->msr.index), x->msr.value);
    else
        snprintf(buf, n, "RDMSR 0x%" PRIx32 " %s", x->msr.index, msr_name(x->msr.index));
}

static void say_fail(const struct vmexit *x, char *buf, size_t n)
{
    snprintf(buf, n, "%s error %d code 0x%" PRIx64 "%s%s", exit_name(x->reason), x->fail.error,
             x->raw, x->fail.what ? ": " : "", x->fail.what ? x->fail.what : "");
}

char *exit_describe(const struct vmexit *x, char *buf, size_t n)
{
    if (!n)
        return buf;
    buf[0] = '\0';
    switch (payload_of(x->reason)) {
    case PAYLOAD_none:
        if (exit_index(x->reason) < 0)
            snprintf(buf, n, "? reason 0x%x", (unsigned)x->reason);
        else
            snprintf(buf, n, "%s", exit_name(x->reason));
        break;
    case PAYLOAD_cpuid:
        snprintf(buf, n, "CPUID leaf 0x%" PRIx32 " subleaf 0x%" PRIx32, x->cpuid.leaf,
                 x->cpuid.subleaf);
        break;
    case PAYLOAD_mmio:
        snprintf(buf, n, "MMIO %s gpa 0x%" PRIx64 " size %u", x->mmio.write ? "write" : "read",
                 x->mmio.gpa, x->mmio.size);
        if (x->mmio.write && strlen(buf) < n)
            snprintf(buf + strlen(buf), n - strlen(buf), " value 0x%" PRIx64, x->mmio.value);
        break;
    case PAYLOAD_call:
        snprintf(buf, n, "VMCALL nr %" PRIu64 " arg 0x%" PRIx64, x->call.nr, x->call.arg[0]);
        break;
    case PAYLOAD_fault: say_fault(x, buf, n); break;
    case PAYLOAD_page:  say_page(x, buf, n);  break;
    case PAYLOAD_io:    say_io(x, buf, n);    break;
    case PAYLOAD_cr:    say_cr(x, buf, n);    break;
    case PAYLOAD_msr:   say_msr(x, buf, n);   break;
    case PAYLOAD_fail:  say_fail(x, buf, n);  break;
    }
    return buf;
}

/* ---- snapshots ---- */

void event_save(struct bytes_out *o, const struct event *e)
{
    bytes_put_u64(o, (uint64_t)e->type | (uint64_t)e->vector << 8 | (uint64_t)e->has_error << 16 |
                     (uint64_t)e->error << 32);
    bytes_put_u64(o, e->cr2);
}

void event_load(struct bytes_in *in, struct event *e)
{
    uint64_t v = bytes_get_u64(in);
    *e = (struct event){ .type = (v & 0xff) <= EVENT_EXCEPTION ? (enum event_type)(v & 0xff) : EVENT_NONE,
                         .vector = (uint8_t)(v >> 8), .has_error = v >> 16 & 1,
                         .error = (uint32_t)(v >> 32), .cr2 = bytes_get_u64(in) };
}
