/*
 * debugger/symbols/orc.c -- unwinding a Linux kernel by its ORC tables, as Linux 4.14 to 6.3
 * has them.
 *
 * Two tables of the same length, which the kernel's build makes and sorts by address:
 *
 *     __start_orc_unwind_ip  s32 each   an address, relative to where the s32 is
 *     __start_orc_unwind     6 bytes    what holds from there on:
 *         s16 sp_offset, s16 bp_offset, 4 bits sp_reg, 4 bits bp_reg, 2 bits type
 *
 * With type CALL, sp_reg + sp_offset is what the stack pointer was before the call, and the
 * return address lies just below.  With type REGS it is where an interrupt's entry code has
 * saved all registers, and with PARTIAL where the CPU itself has pushed its five words.
 *
 * How the tables are found: kallsyms gives their linear addresses, but we read guest-physical
 * memory.  A kernel is mapped by large pages, so a linear address and its physical one agree
 * in the low 21 bits; among the places that this leaves we take the one where a sorted table
 * is.
 *
 * Why they are copied: a kernel with page-table isolation hides itself from the page tables
 * that user programs run with.  If the guest is stopped in the first instructions of a system
 * call, the tables cannot be read through the tables that CR3 points to.
 *
 * The tables may be a guest's invention.  What comes of that are wrong frames, and not more of
 * them than the caller asks for.
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

/* DWARF's numbers of registers, which struct frame has.  [x86-64 psABI "DWARF Register Number
 * Mapping"] */
enum { DW_RDX = 1, DW_RBX = 3, DW_RDI = 5, DW_RBP = 6, DW_RSP = 7, DW_RIP = 16 };
/* What the fields `type`, `sp_reg` and `bp_reg` can be, in Linux's numbers.  [Linux
 * "arch/x86/include/asm/orc_types.h"] */
enum orc_type { TYPE_CALL, TYPE_REGS, TYPE_PARTIAL };
enum orc_reg { REG_UNDEFINED, REG_PREV_SP, REG_DX, REG_DI, REG_BP, REG_SP, REG_R10, REG_R13,
    REG_BP_INDIRECT, REG_SP_INDIRECT };

struct orc {
    uint64_t ip_table;                  /* linear address of the first table */
    size_t   n;
    int32_t *ip;                        /* n relative addresses */
    uint8_t *entry;                     /* n entries of ENTRY bytes each */
};

/* An entry, unpacked: what holds for the code from its address up to the next entry's. */
struct orc_entry {
    int sp_offset, bp_offset;
    unsigned sp_reg, bp_reg, type;
};

/* In which order an interrupt's entry code pushes the registers (struct pt_regs, from low
 * addresses to high), as DWARF's numbers: r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx
 * rsi rdi.  Above them lie orig_ax and what the CPU itself has pushed. */
static const uint8_t pt_regs[] = { 15, 14, 13, 12, 6, 3, 11, 10, 9, 8, 0, 2, 1, 4, 5 };
#define PT_REGS_IRET (16 * 8)           /* behind them and orig_ax: RIP, CS, RFLAGS, RSP, SS */
#define IRET_FRAME   (5 * 8)

/* ---- finding them ---- */

/* The address that entry i is about: each s32 counts from its own place. */
static uint64_t code_address(const struct orc *o, size_t i)
{
    return o->ip_table + 4 * i + (uint64_t)(int64_t)o->ip[i];
}

/* The table's first address is the start of the kernel's first function, so a symbol must
 * begin there.  Without this test memory that is filled with one value would pass for a sorted
 * table. */
static bool begins_at_symbol(const struct orc *o, const struct symbols *s)
{
    uint64_t offset;
    return symbols_find(s, code_address(o, 0), &offset) && !offset;
}

/* Do the addresses rise, as the binary search needs it? */
static bool is_sorted(const struct orc *o)
{
    for (size_t i = 1; i < o->n; i++)
        if (code_address(o, i) < code_address(o, i - 1))
            return false;
    return code_address(o, 0) < code_address(o, o->n - 1);
}

/* Read both tables, if the first one begins at guest-physical address gpa.  The cheap tests
 * come first: they fail at nearly all places. */
static bool load_at(struct orc *o, const struct symbols *s, uint64_t entries,
                    orc_read_fn *read, void *arg, uint64_t gpa)
{
    return read(arg, gpa, o->ip, 4) == 0 && o->ip[0] < 0 && begins_at_symbol(o, s) &&
           read(arg, gpa, o->ip, 4 * o->n) == 0 && is_sorted(o) &&
           read(arg, gpa + (entries - o->ip_table), o->entry, ENTRY * o->n) == 0;
}

/* The address of a symbol. */
static bool symbol_start(const struct symbols *s, const char *name, uint64_t *start)
{
    uint64_t end;
    return symbols_extent(s, name, strlen(name), start, &end);
}

/* Try every place in memory that agrees with the table's linear address in the low 21 bits. */
struct orc *orc_load(const struct symbols *s, orc_read_fn *read, void *arg, uint64_t end)
{
    uint64_t ip, entries, stop;
    if (!symbol_start(s, "__start_orc_unwind_ip", &ip) ||
        !symbol_start(s, "__start_orc_unwind", &entries) ||
        !symbol_start(s, "__stop_orc_unwind", &stop) || entries <= ip || stop <= entries ||
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

/* The entry that holds at pc: binary search for the last one that does not begin behind it.
 * False: there is none, or it says that nothing is known (a function that unwinding cannot
 * cross). */
static bool lookup(const struct orc *o, uint64_t pc, struct orc_entry *e)
{
    size_t lo = 0, hi = o ? o->n : 0;
    int16_t offset[2];
    while (lo < hi) {                   /* the first that begins behind pc */
        size_t mid = lo + (hi - lo) / 2;
        if (code_address(o, mid) <= pc)
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

/* Read 8 bytes of the stack; false: they cannot be read. */
static bool load(const struct expr_machine *m, uint64_t at, uint64_t *v)
{
    *v = 0;
    return m->read && m->read(m->arg, false, at, v, 8) == 0;
}

/* What sp_reg and sp_offset say.  For a call it is the CFA; for an interrupt, where the saved
 * registers begin.  The INDIRECT kinds have it in memory: at RBP + offset, or at RSP with the
 * offset added afterwards. */
static bool stack_of(const struct expr_machine *m, const struct frame *f, const struct orc_entry *e,
                     uint64_t *sp)
{
    static const uint8_t base[16] = {
        [REG_DX] = DW_RDX, [REG_DI] = DW_RDI, [REG_BP] = DW_RBP, [REG_SP] = DW_RSP,
        [REG_R10] = 10, [REG_R13] = 13, [REG_BP_INDIRECT] = DW_RBP, [REG_SP_INDIRECT] = DW_RSP,
    };
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

/* Where the CPU has pushed RIP, CS, RFLAGS, RSP and SS (IRET_FRAME bytes) when it took the
 * interrupt.  [SDM 3A "64-Bit Mode Stack Frame"] */
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

/* Note the value of a register in f. */
static void set_known(struct frame *f, unsigned reg, uint64_t v)
{
    f->reg[reg] = v;
    f->known |= (uint32_t)BIT(reg);
}

/* The caller's RBP: saved at an offset from the CFA or from RBP, or, if neither is told,
 * unchanged.  Of the registers that a function must preserve only this one is recovered,
 * because the frames further out may be found by it. */
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
        set_known(caller, DW_RBP, v);
}

/* With all registers saved (REGS) the interrupted code's are in pt_regs.  With only the CPU's
 * own pushes (PARTIAL) the entry code has not yet changed the others; so if the CPU is there
 * now (level 0), its own registers are the interrupted code's. */
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
            set_known(caller, pt_regs[i], v);
    if (e.type == TYPE_PARTIAL) {       /* the others are still unchanged */
        uint32_t sure = f->known & ~(uint32_t)(BIT(DW_RSP) | BIT(DW_RIP) | BIT(DW_RBP));
        for (unsigned i = 0; i < DW_RIP && !f->level; i++)
            if (sure & BIT(i))
                set_known(caller, i, f->reg[i]);
    }
    uint64_t rip_at = e.type == TYPE_CALL ? sp - 8 : iret_frame(&e, sp);
    if (e.type != TYPE_CALL && load(m, rip_at + 24, &v))
        set_known(caller, DW_RSP, v);
    if (!load(m, rip_at, &v))
        return false;
    set_known(caller, DW_RIP, v);
    return true;
}
