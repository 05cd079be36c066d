/*
 * cpu/state.c -- the state after reset, and how two states differ.
 *
 * A state is compared by a table of its registers, so that what is compared
 * is what is listed.  Left out on purpose: tsc (it is time, not state), DR4
 * and DR5 (other names of DR6 and DR7), the x87 pointers to the last
 * instruction (processors differ in when they save them), and the hidden part
 * of segments that both sides call unusable.
 */
#include "cpu/state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/x86.h"

const char *const gpr_names[N_GPRS] = {
#define X(id, name) [id] = #name,
    GPR_LIST(X)
#undef X
};

const char *const seg_names[N_SEGS] = {
#define X(id, name) [SEG_##id] = #name,
    SEG_LIST(X)
#undef X
};

/* Attributes of segments as they are after reset; the limits are 64 KiB. */
#define DATA_RW  (SEG_P | SEG_S | 3)    /* read/write, accessed */
#define LDT      (SEG_P | 2)
#define BUSY_TSS (SEG_P | 11)           /* VM entry wants a busy TSS in TR */

/* What hardware holds at power-on.  The first instruction is at CS.base + RIP = FFFFFFF0h,
 * 16 bytes below 4 GiB, where a PC has its firmware, although CS holds F000h: the base is a
 * special one until CS is loaded.  [SDM 3A "IA-32 and Intel 64 Processor States Following
 * Power-up, Reset, or INIT"; "First Instruction Executed"] */
static const struct cpu_state after_reset = {
    .gpr[RDX] = 0x600,                  /* family 6 */
    .rip = 0xfff0,
    .rflags = FLAG_ONE,
    .seg = {
        [SEG_CS] = { .sel = 0xf000, .base = 0xffff0000, .limit = 0xffff, .attr = DATA_RW },
        [SEG_SS] = { .limit = 0xffff, .attr = DATA_RW },
        [SEG_DS] = { .limit = 0xffff, .attr = DATA_RW },
        [SEG_ES] = { .limit = 0xffff, .attr = DATA_RW },
        [SEG_FS] = { .limit = 0xffff, .attr = DATA_RW },
        [SEG_GS] = { .limit = 0xffff, .attr = DATA_RW },
        [SEG_LDTR] = { .limit = 0xffff, .attr = LDT },
        [SEG_TR] = { .limit = 0xffff, .attr = BUSY_TSS },
    },
    .gdtr = { .limit = 0xffff },
    .idtr = { .limit = 0xffff },
    .cr0 = CR0_CD | CR0_NW | CR0_ET,
    .dr = { [6] = DR6_INIT, [7] = DR7_INIT },
    .pat = 0x0007040600070406,
    .fpu = { [0] = 0x40, [4] = 0xff, [24] = 0x80, [25] = 0x1f },    /* FCW 0040, FTW, MXCSR 1f80 */
};

void cpu_state_reset(struct cpu_state *s)
{
    *s = after_reset;
}

/* A register that is compared, and where it lies in struct cpu_state. */
struct reg {
    const char *name;
    unsigned    group;
    size_t      offset;
    unsigned    size;
};

#define REG(group, name, field) \
    { name, group, offsetof(struct cpu_state, field), sizeof ((struct cpu_state *)0)->field }
#define FPU(name, at, bytes) \
    { name, ST_FPU, offsetof(struct cpu_state, fpu) + (at), bytes }

/* What is listed here is compared, and nothing else; segments and rows of FPU registers
 * follow in code. */
static const struct reg regs[] = {
#define X(id, name) REG(ST_GPRS, #name, gpr[id]),
    GPR_LIST(X)
#undef X
    REG(ST_GPRS, "rip", rip),
    REG(ST_GPRS, "rflags", rflags),
    REG(ST_SEGS, "gdtr.base", gdtr.base),
    REG(ST_SEGS, "gdtr.limit", gdtr.limit),
    REG(ST_SEGS, "idtr.base", idtr.base),
    REG(ST_SEGS, "idtr.limit", idtr.limit),
    REG(ST_CRS, "cr0", cr0),
    REG(ST_CRS, "cr2", cr2),
    REG(ST_CRS, "cr3", cr3),
    REG(ST_CRS, "cr4", cr4),
    REG(ST_CRS, "cr8", cr8),
    REG(ST_CRS, "efer", efer),
    REG(ST_DRS, "dr0", dr[0]),
    REG(ST_DRS, "dr1", dr[1]),
    REG(ST_DRS, "dr2", dr[2]),
    REG(ST_DRS, "dr3", dr[3]),
    REG(ST_DRS, "dr6", dr[6]),
    REG(ST_DRS, "dr7", dr[7]),
    REG(ST_MSRS, "star", star),
    REG(ST_MSRS, "lstar", lstar),
    REG(ST_MSRS, "cstar", cstar),
    REG(ST_MSRS, "sfmask", sfmask),
    REG(ST_MSRS, "kernel_gs_base", kernel_gs_base),
    REG(ST_MSRS, "tsc_aux", tsc_aux),
    REG(ST_MSRS, "sysenter_cs", sysenter_cs),
    REG(ST_MSRS, "sysenter_esp", sysenter_esp),
    REG(ST_MSRS, "sysenter_eip", sysenter_eip),
    REG(ST_MSRS, "pat", pat),
    FPU("fcw", 0, 2),
    FPU("fsw", 2, 2),
    FPU("ftw", 4, 1),
    FPU("mxcsr", 24, 4),
};

/* The report so far: text that may not fit, and how many differences. */
struct report {
    char    *out;
    size_t   n, used;
    unsigned differ;
};

__attribute__((format(printf, 2, 3)))
/* One difference.  It is counted even if its line does not fit. */
static void report_line(struct report *r, const char *fmt, ...)
{
    r->differ++;
    if (r->used + 1 >= r->n)
        return;
    va_list ap;
    va_start(ap, fmt);
    int len = vsnprintf(r->out + r->used, r->n - r->used, fmt, ap);
    va_end(ap);
    if (len > 0)
        r->used += (size_t)len < r->n - r->used ? (size_t)len : r->n - r->used - 1;
}

/* Members have 1 to 8 bytes; x86 is little-endian, so copying them to the front is right. */
static uint64_t load_member(const struct cpu_state *s, const struct reg *r)
{
    uint64_t v = 0;
    memcpy(&v, (const char *)s + r->offset, r->size);
    return v;
}

/* A line of the report, if a and b differ: name, value of a, value of b, as many digits as
 * fit size bytes. */
static void diff_value(struct report *r, const char *name, uint64_t a, uint64_t b, unsigned size)
{
    int digits = (int)(2 * size);
    if (a != b)
        report_line(r, "%-14s %0*llx  %0*llx\n", name, digits, (unsigned long long)a,
                    digits, (unsigned long long)b);
}

/* A segment that neither CPU can use has no limit or attributes that mean anything.  The
 * bases of FS and GS count even so, for 64-bit mode uses them. */
static void diff_segment(struct report *r, unsigned i, const struct segment *a,
                         const struct segment *b)
{
    char name[16];
    bool unusable = !(a->attr & SEG_P) && !(b->attr & SEG_P);

    snprintf(name, sizeof name, "%s.sel", seg_names[i]);
    diff_value(r, name, a->sel, b->sel, 2);
    snprintf(name, sizeof name, "%s.base", seg_names[i]);
    if (!unusable || i == SEG_FS || i == SEG_GS)
        diff_value(r, name, a->base, b->base, 8);
    if (unusable)
        return;
    snprintf(name, sizeof name, "%s.limit", seg_names[i]);
    diff_value(r, name, a->limit, b->limit, 4);
    snprintf(name, sizeof name, "%s.attr", seg_names[i]);
    diff_value(r, name, a->attr, b->attr, 2);
}

/* x87 and XMM registers: rows of 16 bytes, of which `bytes` are the register. */
static void diff_rows(struct report *r, const char *prefix, unsigned at, unsigned rows,
                      unsigned bytes, const uint8_t *a, const uint8_t *b)
{
    for (unsigned i = 0; i < rows; i++) {
        const uint8_t *pa = a + at + 16 * i, *pb = b + at + 16 * i;
        uint64_t la = 0, lb = 0, ha = 0, hb = 0;
        if (memcmp(pa, pb, bytes) == 0)
            continue;
        memcpy(&la, pa, 8);
        memcpy(&lb, pb, 8);
        memcpy(&ha, pa + 8, bytes - 8);
        memcpy(&hb, pb + 8, bytes - 8);
        report_line(r, "%s%-*u %0*llx%016llx  %0*llx%016llx\n", prefix,
                    (int)(14 - strlen(prefix)), i,
                    (int)(2 * (bytes - 8)), (unsigned long long)ha, (unsigned long long)la,
                    (int)(2 * (bytes - 8)), (unsigned long long)hb, (unsigned long long)lb);
    }
}

struct paging paging_of(const struct cpu_state *s)
{
    return (struct paging){
        .cr0 = s->cr0, .cr3 = s->cr3, .cr4 = s->cr4, .efer = s->efer,
        .ac = s->rflags & FLAG_AC,
    };
}

/* A debugger may look at user pages, whatever SMAP says: AC set allows it. */
struct paging paging_for_debugger(const struct cpu_state *s)
{
    struct paging pg = paging_of(s);
    pg.ac = true;
    return pg;
}

unsigned cpu_state_diff(const struct cpu_state *a, const struct cpu_state *b,
                        unsigned groups, char *out, size_t n)
{
    struct report r = { .out = out, .n = n };
    uint32_t mxcsr[2];

    if (n)
        out[0] = '\0';
    for (size_t i = 0; i < NELEM(regs); i++)
        if (regs[i].group & groups)
            diff_value(&r, regs[i].name, load_member(a, &regs[i]), load_member(b, &regs[i]),
                       regs[i].size);
    for (unsigned i = 0; i < N_SEGS && (groups & ST_SEGS); i++)
        diff_segment(&r, i, &a->seg[i], &b->seg[i]);
    if (groups & ST_FPU) {
        diff_rows(&r, "st", 32, 8, 10, a->fpu, b->fpu);
        diff_rows(&r, "xmm", 160, 16, 16, a->fpu, b->fpu);
        memcpy(&mxcsr[0], a->fpu + 24, 4);
        memcpy(&mxcsr[1], b->fpu + 24, 4);
        diff_value(&r, "mxcsr", mxcsr[0], mxcsr[1], 4);
    }
    return r.differ;
}
