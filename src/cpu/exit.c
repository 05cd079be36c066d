/*
 * cpu/exit.c -- names of exits, and exits packed into two words for the trace.
 *
 * A TRACE_EXIT event has room for the reason and two words.  Where the SDM
 * defines an exit qualification, the first word is that one, bit for bit
 * [SDM 3C "Basic VM-Exit Information"]; where it defines none, or puts the facts
 * into other fields of the VMCS, the packing is ours.  exit_unpack() is the
 * inverse, so a trace that is read years later tells the same story as the run.
 *
 *                 qualification                          extra
 *   EXCEPTION     of a #PF the address, of a #DB the     31:0 interruption information,
 *                   bits of DR6, else 0                  63:32 error code
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
 *   BREAKPOINT    linear address                         0 about data, 1 more follow, 63:32 index
 *   UNHANDLED     error, negative                        the engine's own code
 *   HOST
 *
 * For an EPT misconfiguration the SDM defines no qualification: a processor tells
 * the guest-physical address alone.  Our engines know more, and say it.
 */
#include "cpu/exit.h"

#include <string.h>

#include "base/x86.h"

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
#define STOP_DATA       BIT(0)
#define STOP_MORE       BIT(1)

/*  31                    11 10    8 7          0
 *   V . . . . . . . . . . . E  type   vector        interruption information
 * [SDM 3C "Information for VM Exits Due to Vectored Events"] */
#define INTR_VECTOR     FIELD(7, 0)
#define INTR_TYPE       FIELD(10, 8)
#define INTR_ERROR      BIT(11)
#define INTR_VALID      BIT(31)

const struct exit_info exit_infos[N_EXITS] = {
#define X(nr, name, family, payload, about) \
    [EXIT_IDX_##name] = { nr, #name, FAMILY_##family, PAYLOAD_##payload, about },
    EXIT_LIST(X)
#undef X
};

const char *const verdict_names[4] = {
    [RETIRE] = "RETIRE", [RETRY] = "RETRY", [REFLECT] = "REFLECT", [STOP] = "STOP",
};

const char *const event_type_names[N_EVENT_TYPES] = {
    [EVENT_NONE] = "NONE", [EVENT_IRQ] = "IRQ", [EVENT_NMI] = "NMI",
    [EVENT_EXCEPTION] = "EXCEPTION", [EVENT_SOFTWARE] = "SOFTWARE", [EVENT_INT1] = "INT1",
};

/* Reasons are the SDM's numbers with gaps; the index counts those that we know.  -1: none
 * of them. */
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

EXIT_PATH enum exit_payload exit_payload_of(unsigned reason)
{
    int i = exit_index(reason);
    return i < 0 ? PAYLOAD_none : exit_infos[i].payload;
}

/* Ask for an exception to be delivered to the guest.  If the exit was about this very
 * exception, its type is kept: INT3 must stay a software exception, whose saved RIP is
 * behind it. */
enum verdict exit_reflect(struct vmexit *x, uint8_t vector, bool has_error, uint32_t error)
{
    bool same = x->reason == EXIT_EXCEPTION && x->fault.vector == vector &&
                x->fault.type != EVENT_NONE;

    x->reflect = (struct event){ .type = same ? x->fault.type : EVENT_EXCEPTION, .vector = vector,
                                 .len = x->len, .has_error = has_error, .error = error };
    return REFLECT;
}

/* ---- packing ---- */

static uint64_t pack_nothing(const struct vmexit *x)
{
    (void)x;
    return 0;
}

static uint64_t pack_fault(const struct vmexit *x)
{
    return x->fault.gla;
}

/* "Interruption type": what kind of event the vector is of. */
static const uint8_t intr_types[N_EVENT_TYPES] = {
    [EVENT_NONE] = 3, [EVENT_IRQ] = 0, [EVENT_NMI] = 2, [EVENT_EXCEPTION] = 3,
    [EVENT_INT1] = 5, [EVENT_SOFTWARE] = 6,
};

/* Vector, type, and error code: the VMCS has the last one in a field of its own. */
static uint64_t pack_interruption(const struct vmexit *x)
{
    uint64_t type = x->fault.vector == VEC_NMI ? intr_types[EVENT_NMI] : intr_types[x->fault.type];
    return x->fault.vector | type << 8 | INTR_VALID
         | (x->fault.has_error ? INTR_ERROR | (uint64_t)x->fault.error << 32 : 0);
}

static uint64_t pack_cpuid(const struct vmexit *x)
{
    return x->cpuid.leaf | (uint64_t)x->cpuid.subleaf << 32;
}

/* [SDM 3C "Exit Qualification for Control-Register Accesses", "Exit Qualification for MOV
 * DR"] */
static uint64_t pack_cr(const struct vmexit *x)
{
    if (x->reason == EXIT_DR_ACCESS)
        return (x->cr.nr & DR_NR) | (x->cr.type == CR_MOV_FROM ? DR_FROM : 0)
             | (uint64_t)(x->cr.gpr & 15) << 8;
    return (x->cr.nr & CR_NR) | (uint64_t)(x->cr.type & 3) << 4
         | (uint64_t)(x->cr.gpr & 15) << 8
         | (x->cr.type == CR_LMSW ? (x->cr.value & 0xffff) << 16 : 0);
}

static uint64_t pack_cr_value(const struct vmexit *x)
{
    return x->cr.type == CR_MOV_TO || x->cr.type == CR_LMSW ? x->cr.value : 0;
}

/* [SDM 3C "Exit Qualification for I/O Instructions"] */
static EXIT_PATH uint64_t pack_io(const struct vmexit *x)
{
    return ((uint64_t)(x->io.size - 1) & IO_SIZE) | (x->io.in ? IO_IN : 0)
         | (x->io.string ? IO_STRING : 0) | (x->io.rep ? IO_REP : 0)
         | (uint64_t)x->io.port << 16;
}

static EXIT_PATH uint64_t pack_io_value(const struct vmexit *x)
{
    return x->io.string ? x->io.gla : x->io.in ? 0 : x->io.value;
}

/* [SDM 3C "Exit Qualification for EPT Violations"] An engine that does not know the linear
 * address leaves it 0. */
static uint64_t pack_page(const struct vmexit *x)
{
    if (x->reason == EXIT_INVLPG)
        return x->page.gla;
    uint64_t known = x->page.gla ? (x->page.gla & PAGE_MASK) | EPT_GLA_VALID : 0;
    return (x->page.access & 7) | (uint64_t)(x->page.perm & 7) << 3 | known
         | (x->page.in_walk ? 0 : EPT_NOT_WALK);
}

static uint64_t pack_page_gpa(const struct vmexit *x)
{
    return x->reason == EXIT_INVLPG ? 0 : x->page.gpa;
}

static uint64_t pack_mmio(const struct vmexit *x)
{
    return (x->mmio.gpa & MMIO_GPA) | ((uint64_t)(x->mmio.size - 1) & 7) << 52
         | (x->mmio.write ? 0 : MMIO_IN);
}

static uint64_t pack_mmio_value(const struct vmexit *x)
{
    return x->mmio.write ? x->mmio.value : 0;
}

static uint64_t pack_msr(const struct vmexit *x)
{
    return x->reason == EXIT_RDTSC ? 0 : x->msr.index;
}

static uint64_t pack_msr_value(const struct vmexit *x)
{
    return x->reason == EXIT_WRMSR ? x->msr.value : 0;
}

static uint64_t pack_call(const struct vmexit *x)
{
    return x->call.nr;
}

static uint64_t pack_call_arg(const struct vmexit *x)
{
    return x->call.arg[0];
}

static uint64_t pack_error(const struct vmexit *x)
{
    return (uint64_t)(int64_t)x->fail.error;
}

static uint64_t pack_raw(const struct vmexit *x)
{
    return x->raw;
}

static uint64_t pack_breakpoint(const struct vmexit *x)
{
    return x->breakpoint.at;
}

static uint64_t pack_breakpoint_kind(const struct vmexit *x)
{
    return (x->breakpoint.data ? STOP_DATA : 0) | (x->breakpoint.more ? STOP_MORE : 0)
         | (uint64_t)x->breakpoint.index << 32;
}

/*  63   56 55    32 31  24 23      16 15   11 10   8 7      0
 *     0    vectors   n     obstacle     0      type  vector        the others; the first */
static uint64_t pack_chain(const struct vmexit *x)
{
    uint64_t others = x->chain.vector[1] | (uint64_t)x->chain.vector[2] << 8 |
                      (uint64_t)x->chain.vector[3] << 16;
    return x->chain.vector[0] | (uint64_t)x->chain.type << 8 | (uint64_t)x->chain.obstacle << 16 |
           (uint64_t)x->chain.n << 24 | others << 32;
}

static uint64_t pack_chain_rip(const struct vmexit *x)
{
    return x->chain.rip;
}

/* ---- unpacking: the two words may be anything ---- */

typedef void unpack_fn(struct vmexit *x, uint64_t qual, uint64_t extra);

static void unpack_nothing(struct vmexit *x, uint64_t qual, uint64_t extra)
{
    (void)x, (void)qual, (void)extra;
}

static void unpack_fault(struct vmexit *x, uint64_t qual, uint64_t extra)
{
    static const uint8_t types[8] = {
        [0] = EVENT_IRQ, [2] = EVENT_NMI, [3] = EVENT_EXCEPTION, [5] = EVENT_INT1,
        [6] = EVENT_SOFTWARE,
    };

    x->fault.gla = qual;
    x->fault.vector = extra & INTR_VECTOR;
    x->fault.type = (enum event_type)types[(extra & INTR_TYPE) >> 8];
    x->fault.has_error = extra & INTR_ERROR;
    x->fault.error = (uint32_t)(extra >> 32);
}

static void unpack_cpuid(struct vmexit *x, uint64_t qual, uint64_t extra)
{
    (void)extra;
    x->cpuid.leaf = (uint32_t)qual;
    x->cpuid.subleaf = (uint32_t)(qual >> 32);
}

/* The offset into the page is the same in both addresses, except in a page walk: there the
 * guest-physical address is that of an entry of the guest's tables. */
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
    if (qual & EPT_GLA_VALID)
        x->page.gla = (qual & PAGE_MASK) | (x->page.in_walk ? 0 : extra & ~PAGE_MASK);
}

static void unpack_mmio(struct vmexit *x, uint64_t qual, uint64_t extra)
{
    x->mmio.gpa = qual & MMIO_GPA;
    x->mmio.size = (uint8_t)((qual >> 52 & 7) + 1);
    x->mmio.write = !(qual & MMIO_IN);
    x->mmio.value = extra;
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

static void unpack_msr(struct vmexit *x, uint64_t qual, uint64_t extra)
{
    x->msr.index = (uint32_t)qual;
    x->msr.value = extra;
}

static void unpack_call(struct vmexit *x, uint64_t qual, uint64_t extra)
{
    x->call.nr = qual;
    x->call.arg[0] = extra;
}

static void unpack_fail(struct vmexit *x, uint64_t qual, uint64_t extra)
{
    x->fail.error = (int)(int64_t)qual;
    x->raw = extra;
}

static void unpack_breakpoint(struct vmexit *x, uint64_t qual, uint64_t extra)
{
    x->breakpoint.at = qual;
    x->breakpoint.data = extra & STOP_DATA;
    x->breakpoint.more = extra & STOP_MORE;
    x->breakpoint.index = (uint32_t)(extra >> 32);
}

static void unpack_chain(struct vmexit *x, uint64_t qual, uint64_t extra)
{
    uint8_t n = qual >> 24 & 0xff, type = qual >> 8 & 7;

    x->chain.n = n <= NELEM(x->chain.vector) ? n : NELEM(x->chain.vector);
    x->chain.type = type < N_EVENT_TYPES ? type : EVENT_NONE;
    x->chain.obstacle = qual >> 16 & 0xff;
    x->chain.vector[0] = qual & 0xff;
    for (unsigned i = 1; i < NELEM(x->chain.vector); i++)
        x->chain.vector[i] = qual >> (24 + 8 * i) & 0xff;
    x->chain.rip = extra;
}

/* ---- the two words of each payload ---- */

static const struct {
    uint64_t (*qualification)(const struct vmexit *x);
    uint64_t (*extra)(const struct vmexit *x);
    unpack_fn *unpack;
} packings[N_PAYLOADS] = {
    [PAYLOAD_none]       = { pack_nothing,    pack_nothing,         unpack_nothing    },
    [PAYLOAD_fault]      = { pack_fault,      pack_interruption,    unpack_fault      },
    [PAYLOAD_cpuid]      = { pack_cpuid,      pack_nothing,         unpack_cpuid      },
    [PAYLOAD_page]       = { pack_page,       pack_page_gpa,        unpack_page       },
    [PAYLOAD_mmio]       = { pack_mmio,       pack_mmio_value,      unpack_mmio       },
    [PAYLOAD_io]         = { pack_io,         pack_io_value,        unpack_io         },
    [PAYLOAD_cr]         = { pack_cr,         pack_cr_value,        unpack_cr         },
    [PAYLOAD_msr]        = { pack_msr,        pack_msr_value,       unpack_msr        },
    [PAYLOAD_call]       = { pack_call,       pack_call_arg,        unpack_call       },
    [PAYLOAD_fail]       = { pack_error,      pack_raw,             unpack_fail       },
    [PAYLOAD_breakpoint] = { pack_breakpoint, pack_breakpoint_kind, unpack_breakpoint },
    [PAYLOAD_chain]      = { pack_chain,      pack_chain_rip,       unpack_chain      },
};

EXIT_PATH uint64_t exit_qualification(const struct vmexit *x)
{
    return packings[exit_payload_of(x->reason)].qualification(x);
}

EXIT_PATH uint64_t exit_extra(const struct vmexit *x)
{
    return packings[exit_payload_of(x->reason)].extra(x);
}

void exit_unpack(unsigned reason, uint64_t qual, uint64_t extra, struct vmexit *x)
{
    memset(x, 0, sizeof *x);
    x->reason = (enum exit_reason)reason;
    packings[exit_payload_of(reason)].unpack(x, qual, extra);
}

/* ---- snapshots ---- */

/*  63      32 31   24 23   16 15    8 7     0
 *   error code   len  has_error vector  type      and then CR2 in a word of its own */
void event_save(struct bytes_out *o, const struct event *e)
{
    bytes_put_u64(o, (uint64_t)e->type | (uint64_t)e->vector << 8 | (uint64_t)e->has_error << 16 |
                     (uint64_t)e->len << 24 | (uint64_t)e->error << 32);
    bytes_put_u64(o, e->cr2);
}

void event_load(struct bytes_in *in, struct event *e)
{
    uint64_t v = bytes_get_u64(in);
    unsigned type = v & 0xff;
    *e = (struct event){ .type = type < N_EVENT_TYPES ? (enum event_type)type : EVENT_NONE,
                         .vector = (uint8_t)(v >> 8), .has_error = v >> 16 & 1,
                         .len = (uint8_t)(v >> 24) & 15,
                         .error = (uint32_t)(v >> 32), .cr2 = bytes_get_u64(in) };
}
