/*
 * cpu/soft/system/port.c -- IN, OUT, INS, OUTS.
 *
 * Every one exits: the devices are the monitor's.  Before that the guest's own
 * rules apply: IOPL, the I/O permission bitmap of its TSS, and for the string
 * forms the faults of the memory operand, so that an exit is always for an
 * access that will be completed.  A string is one exit an element; a REP that
 * begins with a count of zero does nothing and does not exit.
 *
 * [SDM 1 "Input/Output"; SDM 2A "IN-Input from Port", "INS/INSB/INSW/INSD"]
 */
#include "cpu/soft/system/system.h"

#define TSS_IOMAP 0x66          /* in a 32- or 64-bit TSS: offset of the bitmap */

/* Both bytes that can hold the bits are read, so a bitmap must end in a byte of
 * ones.  [SDM 1 "I/O Permission Bit Map"] */
static bool bitmap_allows(struct soft *s, uint16_t port, unsigned size)
{
    const struct segment *tr = &s->seg[SEG_TR];
    unsigned type = tr->attr & 0xf, at, bits;
    gla_t base = tr->base;

    if (!(tr->attr & SEG_P) || (type != SYS_TSS32 && type != SYS_TSS32_BUSY) ||
        tr->limit < TSS_IOMAP + 1)
        return false;
    at = (unsigned)soft_lin_load(s, base + TSS_IOMAP, 2, WALK_SYSTEM) + port / 8;
    if (at + 1 > tr->limit)
        return false;
    bits = (unsigned)soft_lin_load(s, base + at, 2, WALK_SYSTEM) >> (port & 7);
    return !(bits & ((1u << size) - 1));
}

/* Ports are open to a ring that IOPL allows.  To others single ports can be opened, by a zero
 * bit for each in the TSS; virtual-8086 mode is always asked there.  An operand of several
 * bytes needs all their bits. */
static void check_port(struct soft *s, uint16_t port, unsigned size)
{
    if (real_mode(s) || (!v86_mode(s) && s->cpl <= iopl(s)))
        return;
    if (!bitmap_allows(s, port, size))
        gp_because(s, OBSTACLE_PORT, port);
}

/* E4-E7 name the port in a byte, EC-EF in DX. */
static uint16_t port_of(const struct soft *s, const struct uop *u)
{
    return u->opcode & 8 ? (uint16_t)s->gpr[RDX] : u->imm & 0xff;
}

static unsigned element_size(const struct uop *u)
{
    return u->opsize > 4 ? 4 : u->opsize;
}

/* The exit is made before anything is read; conclude() writes the register when the device
 * has answered. */
void op_in(struct soft *s, const struct uop *u)
{
    uint16_t port = port_of(s, u);
    unsigned size = element_size(u);
    struct vmexit *x;

    check_port(s, port, size);
    x = soft_exit_record(s, EXIT_IO);
    x->io.port = port;
    x->io.size = (uint8_t)size;
    x->io.in = true;
    system_leave(s, u);
}

void op_out(struct soft *s, const struct uop *u)
{
    uint16_t port = port_of(s, u);
    unsigned size = element_size(u);
    struct vmexit *x;

    check_port(s, port, size);
    x = soft_exit_record(s, EXIT_IO);
    x->io.port = port;
    x->io.size = (uint8_t)size;
    x->io.value = low_bytes(s->gpr[RAX], size);
    system_leave(s, u);
}

/* ---- strings ---- */

static bool repeated(const struct uop *u)
{
    return u->rep || u->repne;
}

static bool count_is_zero(const struct soft *s, const struct uop *u)
{
    return repeated(u) && !low_bytes(s->gpr[RCX], u->asize);
}

static struct vmexit *string_record(struct soft *s, const struct uop *u, gla_t gla, bool in)
{
    struct vmexit *x = soft_exit_record(s, EXIT_IO);

    x->io.gla = gla;
    x->io.port = (uint16_t)s->gpr[RDX];
    x->io.size = (uint8_t)element_size(u);
    x->io.in = in;
    x->io.string = true;
    x->io.rep = repeated(u);
    return x;
}

/* conclude.c could not store what the port gave: now, where faults and exits can happen. */
static bool take_late_input(struct soft *s, const struct uop *u)
{
    struct vmexit x = { .io = { .port = (uint16_t)s->gpr[RDX], .size = (uint8_t)element_size(u),
                                .in = true, .string = true, .rep = repeated(u),
                                .value = s->late_input_value } };

    if (!s->late_input || s->late_input_at != s->seg[SEG_CS].base + s->restart_rip)
        return false;
    x.io.gla = soft_linear(s, SEG_ES, low_bytes(s->gpr[RDI], u->asize), x.io.size, WALK_WRITE);
    if (!finish_io(s, u, &x))
        s->rip = s->restart_rip;
    s->late_input = false;
    return true;
}

/* The device must not be asked before it is certain that the value has a place: what was read
 * from a port cannot be put back. */
void op_ins(struct soft *s, const struct uop *u)
{
    unsigned size = element_size(u);
    gla_t gla;

    check_port(s, (uint16_t)s->gpr[RDX], size);     /* even if there is nothing to do */
    if (count_is_zero(s, u) || take_late_input(s, u))
        return;
    gla = soft_linear(s, SEG_ES, low_bytes(s->gpr[RDI], u->asize), size, WALK_WRITE);
    soft_lin_probe(s, gla, size, WALK_WRITE | (s->cpl == 3 ? WALK_USER : 0));
    string_record(s, u, gla, true);
    system_leave(s, u);
}

void op_outs(struct soft *s, const struct uop *u)
{
    unsigned size = element_size(u);
    uint64_t value;
    gla_t gla;

    check_port(s, (uint16_t)s->gpr[RDX], size);
    if (count_is_zero(s, u))
        return;
    gla = soft_linear(s, u->seg, low_bytes(s->gpr[RSI], u->asize), size, 0);
    value = soft_lin_load(s, gla, size, s->cpl == 3 ? WALK_USER : 0);
    string_record(s, u, gla, false)->io.value = value;
    system_leave(s, u);
}

/* RSI or RDI by one element, up or down as DF says. */
static void advance_index(struct soft *s, const struct uop *u, enum gpr reg, unsigned size)
{
    uint64_t by = s->flags & FLAG_DF ? (uint64_t)0 - size : size;

    soft_write_reg(s, reg, u->asize, low_bytes(s->gpr[reg] + by, u->asize));
}

/* Breakpoints on the port, which exist only with CR4.DE, and on what OUTS has read: that was
 * before the exit, and an exit drops what the unfinished instruction had met.
 * [SDM 3B "Data Memory and I/O Breakpoint Exception Conditions"] */
static void note_breakpoints(struct soft *s, const struct vmexit *x)
{
    if (s->cr4 & CR4_DE)
        s->pending_db |= breakpoints_met(s, BREAK_PORT, x->io.port, x->io.size);
    if (x->io.string && !x->io.in)
        s->pending_db |= breakpoints_met(s, BREAK_READ, x->io.gla, x->io.size);
}

/* Returns whether the instruction is over.  A REP is over when the count has come to 0; until
 * then RIP stays at it, and whatever comes between two elements finds it there.  [SDM 2B
 * "REP/REPE/REPZ/REPNE/REPNZ"]
 *
 * KVM leaves RIP at the instruction even then, and moves on with an iteration that finds nothing
 * left to do.  Ours does the same, so that engines agree after every exit, unless a debug trap is
 * due: that comes behind the instruction, and once.  [SDM 3B "Single-Step Exception Condition"] */
bool finish_io(struct soft *s, const struct uop *u, const struct vmexit *x)
{
    if (x->io.in && x->io.string)
        soft_lin_store(s, x->io.gla, x->io.size, low_bytes(x->io.value, x->io.size),
                       s->cpl == 3 ? WALK_USER : 0);
    else if (x->io.in)
        soft_write_reg(s, RAX, x->io.size, low_bytes(x->io.value, x->io.size));
    note_breakpoints(s, x);
    if (!x->io.string)
        return true;
    advance_index(s, u, x->io.in ? RDI : RSI, x->io.size);
    if (!x->io.rep)
        return true;
    soft_write_reg(s, RCX, u->asize, low_bytes(s->gpr[RCX] - 1, u->asize));
    return count_is_zero(s, u) && (s->flags & FLAG_TF || s->pending_db);
}
