/*
 * debugger/symbols/orc.c -- unwinding by ORC, as Linux 4.14 to 6.3 has it.
 *
 * Two tables of the same length, made with the kernel and sorted by address:
 *
 *     __start_orc_unwind_ip  s32 each   an address, relative to where the s32 is
 *     __start_orc_unwind     6 bytes    what holds from there on:
 *         s16 sp_offset, s16 bp_offset, 4 bits sp_reg, 4 bits bp_reg, 2 bits type
 *
 * sp_reg and sp_offset give the stack pointer before the call, and the return address is
 * below it (type CALL); or the place of the registers that an interrupt saved, all
 * of them (REGS) or only those the CPU itself has pushed (PARTIAL).
 *
 * The kernel is mapped by large pages, so an address and where it lies agree in the low 21 bits;
 * of the places that this leaves, the one is believed where a sorted table is.  The tables
 * are copied, for at the entries of a kernel that hides from its programs' page tables they
 * cannot be read. They may be a guest's inventions: what comes of them are wrong frames, a
 * bounded number.
 *
 * [Linux "Documentation/arch/x86/orc-unwinder.rst"]
 */
#include "debugger/symbols/orc.h"

#include <stdlib.h>
#include <string.h>

#include "debugger/symbols/symbols.h"

#define ENTRY      6                    /* bytes of an entry */
#define MAX_ENTRIES (1u << 22)
#define LARGE_PAGE (UINT64_C(1) << 21)

/* DWARF's numbers */
enum { DW_RDX = 1, DW_RBX = 3, DW_RDI = 5, DW_RBP = 6, DW_RSP = 7, DW_RIP = 16 };
enum orc_type { TYPE_CALL, TYPE_REGS, TYPE_PARTIAL };
enum orc_reg { REG_UNDEFINED, REG_PREV_SP, REG_DX, REG_DI, REG_BP, REG_SP, REG_R10, REG_R13,
    REG_BP_INDIRECT, REG_SP_INDIRECT };

struct orc {
    uint64_t ip_table;                  /* its linear address */
    size_t   n;
    int32_t *ip;
    uint8_t *entry;                     /* n of ENTRY bytes   */
};

struct orc_entry {
    int sp_offset, bp_offset;
    unsigned sp_reg, bp_reg, type;
};

/* How struct pt_regs saves registers, by DWARF's numbers; of an interrupt's own the last. */
static const uint8_t pt_regs[] = { 15, 14, 13, 12, 6, 3, 11, 10, 9, 8, 0, 2, 1, 4, 5 };
#define PT_REGS_IRET (16 * 8)           /* behind them and orig_ax: RIP, CS, RFLAGS, RSP, SS */
#define IRET_FRAME   (5 * 8)

/* ---- finding them ---- */

static uint64_t address(const struct orc *o, size_t i)
{
    return o->ip_table + 4 * i + (uint64_t)(int64_t)o->ip[i];
}

/* The kernel's first function begins where a symbol is; fillings of memory are sorted, too. */
static bool begins_at_symbol(const struct orc *o, const struct symbols *s)
{
    uint64_t offset;
    return symbols_find(s, address(o, 0), &offset) && !offset;
}

static bool sorted(const struct orc *o)
{
    for (size_t i = 1; i < o->n; i++)
        if (address(o, i) < address(o, i - 1))
            return false;
    return address(o, 0) < address(o, o->n - 1);
}

/* Both tables, if the first begins at gpa. */
static bool load_at(struct orc *o, const struct symbols *s, uint64_t entries,
                    orc_read_fn *read, void *arg, uint64_t gpa)
{
    return read(arg, gpa, o->ip, 4) == 0 && o->ip[0] < 0 && begins_at_symbol(o, s) &&
           read(arg, gpa, o->ip, 4 * o->n) == 0 && sorted(o) &&
           read(arg, gpa + (entries - o->ip_table), o->entry, ENTRY * o->n) == 0;
}

static bool extent(const struct symbols *s, const char *name, uint64_t *start)
{
    uint64_t end;
    return symbols_extent(s, name, strlen(name), start, &end);
}

struct orc *orc_load(const struct symbols *s, orc_read_fn *read, void *arg, uint64_t end)
{
    uint64_t ip, entries, stop;
    if (!extent(s, "__start_orc_unwind_ip", &ip) || !extent(s, "__start_orc_unwind", &entries) ||
        !extent(s, "__stop_orc_unwind", &stop) || entries <= ip || stop <= entries ||
        (stop - entries) / ENTRY > MAX_ENTRIES || stop - entries < 2 * ENTRY)
        return NULL;
    struct orc *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->ip_table = ip;
    o->n = (stop - entries) / ENTRY;
    o->ip = malloc(4 * o->n);
    o->entry = malloc(ENTRY * o->n);
    for (uint64_t gpa = ip % LARGE_PAGE; o->ip && o->entry && gpa < end; gpa += LARGE_PAGE)
        if (load_at(o, s, entries, read, arg, gpa))
            return o;
    orc_close(o);
    return NULL;
}

void orc_close(struct orc *o)
{
    if (!o)
        return;
    free(o->ip);
    free(o->entry);
    free(o);
}

/* ---- using them ---- */

static bool lookup(const struct orc *o, uint64_t pc, struct orc_entry *e)
{
    size_t lo = 0, hi = o ? o->n : 0;
    int16_t offset[2];
    while (lo < hi) {                   /* the first that is behind pc */
        size_t mid = lo + (hi - lo) / 2;
        if (address(o, mid) <= pc)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (!lo || !o)
        return false;
    const uint8_t *at = o->entry + ENTRY * (lo - 1);
    memcpy(offset, at, sizeof offset);
    *e = (struct orc_entry){ offset[0], offset[1], at[4] & 15, at[4] >> 4, at[5] & 3 };
    return e->sp_reg != REG_UNDEFINED;
}

static bool load(const struct expr_machine *m, uint64_t at, uint64_t *v)
{
    *v = 0;
    return m->read && m->read(m->arg, false, at, v, 8) == 0;
}

/* What sp_reg and sp_offset say: the cfa, or where an interrupt's registers are. */
static bool stack_of(const struct expr_machine *m, const struct frame *f, const struct orc_entry *e,
                     uint64_t *sp)
{
    static const uint8_t base[16] = { [REG_DX] = DW_RDX, [REG_DI] = DW_RDI, [REG_BP] = DW_RBP,
                                      [REG_SP] = DW_RSP,
        [REG_R10] = 10, [REG_R13] = 13, [REG_BP_INDIRECT] = DW_RBP, [REG_SP_INDIRECT] = DW_RSP };
    unsigned reg = base[e->sp_reg];
    uint64_t offset = (uint64_t)(int64_t)e->sp_offset;
    if (!reg || !(f->known & BIT(reg)))
        return false;
    *sp = f->reg[reg];
    switch (e->sp_reg) {
    case REG_BP:
    case REG_SP:          *sp += offset; return true;
    case REG_BP_INDIRECT: return load(m, *sp + offset, sp);
    case REG_SP_INDIRECT: return load(m, *sp, sp) && (*sp += offset, true);
    }
    return true;
}

/* Where an interrupt's RIP is; the others of IRET_FRAME bytes follow. */
static uint64_t iret_frame(const struct orc_entry *e, uint64_t sp)
{
    return e->type == TYPE_REGS ? sp + PT_REGS_IRET : sp;
}

uint64_t orc_cfa(const struct orc *o, const struct expr_machine *m, const struct frame *f)
{
    struct orc_entry e;
    uint64_t sp;
    if (!lookup(o, frame_lookup_pc(f), &e) || !stack_of(m, f, &e, &sp))
        return 0;
    return e.type == TYPE_CALL ? sp : iret_frame(&e, sp) + IRET_FRAME;
}

static void know(struct frame *f, unsigned reg, uint64_t v)
{
    f->reg[reg] = v;
    f->known |= (uint32_t)BIT(reg);
}

/* RBP is what a function may have saved that its callers' frames need. */
static void restore_rbp(const struct expr_machine *m, const struct frame *f,
                        const struct orc_entry *e, uint64_t sp, struct frame *caller)
{
    uint64_t v = f->reg[DW_RBP], offset = (uint64_t)(int64_t)e->bp_offset;
    bool ok = f->known & BIT(DW_RBP);
    if (e->bp_reg == REG_PREV_SP)
        ok = load(m, sp + offset, &v);
    else if (e->bp_reg == REG_BP)
        ok = ok && load(m, v + offset, &v);
    if (ok)
        know(caller, DW_RBP, v);
}

bool orc_caller(const struct orc *o, const struct expr_machine *m, const struct frame *f,
                struct frame *caller)
{
    struct orc_entry e;
    uint64_t sp, v;
    if (!lookup(o, frame_lookup_pc(f), &e) || !stack_of(m, f, &e, &sp))
        return false;
    restore_rbp(m, f, &e, sp, caller);
    caller->interrupted = e.type != TYPE_CALL;
    for (unsigned i = 0; e.type == TYPE_REGS && i < sizeof pt_regs; i++)
        if (load(m, sp + 8 * i, &v))
            know(caller, pt_regs[i], v);
    if (e.type == TYPE_PARTIAL) {       /* nothing has changed the others yet */
        uint32_t sure = f->known & ~(uint32_t)(BIT(DW_RSP) | BIT(DW_RIP) | BIT(DW_RBP));
        for (unsigned i = 0; i < DW_RIP && !f->level; i++)
            if (sure & BIT(i))
                know(caller, i, f->reg[i]);
    }
    uint64_t rip_at = e.type == TYPE_CALL ? sp - 8 : iret_frame(&e, sp);
    if (e.type != TYPE_CALL && load(m, rip_at + 24, &v))
        know(caller, DW_RSP, v);
    if (!load(m, rip_at, &v))
        return false;
    know(caller, DW_RIP, v);
    return true;
}
