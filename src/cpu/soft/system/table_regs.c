/*
 * cpu/soft/system/table_regs.c -- LGDT, LIDT, SGDT, SIDT, SLDT, STR, SMSW: where the tables are.
 *
 * GDTR and IDTR hold a linear address and a limit, and are loaded from and stored to six
 * or ten bytes in memory.  LDTR and TR are segment registers: segment.c loads them.
 * [SDM 3A "Memory-Management Registers"]
 */
#include "cpu/soft/system/system.h"

/* "If CR4.UMIP = 1 and CPL > 0": user code may not learn where they are. */
static void check_umip(struct soft *s)
{
    if (s->cpl && (s->cr4 & CR4_UMIP))
        gp_because(s, OBSTACLE_UMIP, s->cpl);
}

/* The address `bytes` behind ea, which wraps at the address size as the CPU's adder does. */
static uint64_t after(const struct uop *u, uint64_t ea, unsigned bytes)
{
    return low_bytes(ea + bytes, u->asize);
}

/* With a 16-bit operand the base has 24 bits, as on the 286.  Nothing is read from the table
 * now: a bad one is found at the next segment load, or at the next interrupt. */
static void load_table(struct soft *s, const struct uop *u, struct table_reg *t)
{
    uint64_t ea = soft_ea(s, u), base;
    uint16_t limit;

    require_cpl0(s);
    limit = (uint16_t)soft_load(s, u->seg, ea, 2);
    base = soft_load(s, u->seg, after(u, ea, 2), code64(s) ? 8 : 4);
    if (!code64(s) && u->opsize == 2)
        base &= 0xffffff;
    if (code64(s) && !canonical(base))
        gp_because(s, OBSTACLE_CANONICAL, base);
    *t = (struct table_reg){ .base = base, .limit = limit };
}

/* All of the base is stored whatever the operand size, as processors since the
 * 386 do.  [SDM 2B "SGDT-Store Global Descriptor Table Register"] */
static void store_table(struct soft *s, const struct uop *u, const struct table_reg *t)
{
    uint64_t ea = soft_ea(s, u);
    unsigned size = code64(s) ? 8 : 4;

    check_umip(s);
    soft_lin_probe(s, soft_linear(s, u->seg, after(u, ea, 2), size, WALK_WRITE), size,
                   WALK_WRITE | (s->cpl == 3 ? WALK_USER : 0));
    soft_store(s, u->seg, ea, 2, t->limit);
    soft_store(s, u->seg, after(u, ea, 2), size, t->base);
}

void op_lgdt(struct soft *s, const struct uop *u)
{
    load_table(s, u, &s->gdtr);
}

void op_lidt(struct soft *s, const struct uop *u)
{
    load_table(s, u, &s->idtr);
}

void op_sgdt(struct soft *s, const struct uop *u)
{
    store_table(s, u, &s->gdtr);
}

void op_sidt(struct soft *s, const struct uop *u)
{
    store_table(s, u, &s->idtr);
}

/* To a register at operand size, to memory always 16 bits. */
static void store_word(struct soft *s, const struct uop *u, uint64_t value)
{

    if (u->mem)
        soft_store(s, u->seg, soft_ea(s, u), 2, value);
    else
        soft_write_reg(s, u->rm, u->opsize, value);
}

static void store_selector(struct soft *s, const struct uop *u, enum seg seg)
{
    if (real_mode(s) || v86_mode(s))
        fault_because(s, OBSTACLE_INSN_MODE, 0, VEC_UD, 0);
    check_umip(s);
    store_word(s, u, s->seg[seg].sel);
}

void op_sldt(struct soft *s, const struct uop *u)
{
    store_selector(s, u, SEG_LDTR);
}

void op_str(struct soft *s, const struct uop *u)
{
    store_selector(s, u, SEG_TR);
}

void op_smsw(struct soft *s, const struct uop *u)
{
    check_umip(s);
    store_word(s, u, s->cr0);
}
