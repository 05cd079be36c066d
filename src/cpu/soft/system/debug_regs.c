/*
 * cpu/soft/system/debug_regs.c -- MOV to and from debug registers.
 *
 * DR0 to DR3 hold addresses, DR7 says what stops at them, DR6 what it was that stopped:
 * these are the guest's own breakpoints.  run.c looks for the ones on instructions, tlb.c
 * for the ones on data, port.c for the ones on ports.  A debugger outside of the guest uses
 * others (debug.c).
 * [SDM 3B "Debug Registers"; SDM 2B "MOV-Move to/from Debug Registers"]
 */
#include "cpu/soft/system/system.h"

#define DR6_WRITABLE UINT64_C(0xe00f)
#define DR7_WRITABLE UINT64_C(0xffff23ff)

/* DR7 has four bits for each of DR0 to DR3, from bit 16 up, and two that switch it on, from
 * bit 0 up:
 *
 *     3 2   1 0
 *     LEN   R/W     R/W: 0 execution, 1 write, 2 port (if CR4.DE is set), 3 read or write
 *                   LEN: 0 to 3 are 1, 2, 8 and 4 bytes; the address is aligned to that
 *
 * A breakpoint is met by an access that has any byte in common with it.
 * [SDM 3B "Debug Control Register (DR7)", "Breakpoint Field Recognition"] */
uint64_t breakpoints_met(const struct soft *s, unsigned kinds, uint64_t at, unsigned size)
{
    uint64_t met = 0;

    for (unsigned i = 0; i < 4; i++) {
        unsigned field = (unsigned)(s->dr[7] >> (16 + 4 * i)) & 15;
        unsigned len = field >> 2 == 2 ? 8 : (field >> 2) + 1;
        uint64_t first = s->dr[i] & ~(uint64_t)(len - 1);

        if ((s->dr[7] >> (2 * i) & 3) && (kinds >> (field & 3) & 1) &&
            at < first + len && first < at + size)
            met |= BIT(i);
    }
    return met;
}

/* DR6 and DR7 have bits that always read as 1 or 0.  soft_mode_changed() sees to what data
 * breakpoints cost: with any, no access may take the fast way. */
void write_dr(struct soft *s, unsigned nr, uint64_t value)
{
    if (nr >= 4 && value >> 32)
        gp_because(s, OBSTACLE_DR_UPPER, value);
    if (nr == 6)
        value = (value & DR6_WRITABLE) | DR6_INIT;
    else if (nr == 7)
        value = (value & DR7_WRITABLE) | DR7_INIT;
    s->dr[nr] = value;
    soft_mode_changed(s);
}

/* "General detect": a debugger in the guest has the registers to itself.  The #DB is a fault, so
 * the access has not happened.  [SDM 3B "General-Detect Exception Condition"] */
void check_dr_guard(struct soft *s)
{
    if (s->dr[7] & DR7_GD) {
        s->pending_db |= DR6_BD;
        fault_because(s, OBSTACLE_DR_GUARDED, s->dr[7], VEC_DB, 0);
    }
}

void op_mov_dr(struct soft *s, const struct uop *u)
{
    unsigned size = code64(s) ? 8 : 4, nr = u->reg;
    bool load = u->opcode == 0x0f23;

    if (nr > 7 || ((nr == 4 || nr == 5) && (s->cr4 & CR4_DE)))
        fault_because(s, OBSTACLE_REGISTER, nr, VEC_UD, 0);
    require_cpl0(s);
    nr = nr == 4 || nr == 5 ? nr + 2 : nr;
    if (s->ctl.mov_dr_exiting) {
        struct vmexit *x = soft_exit_record(s, EXIT_DR_ACCESS);
        x->cr.type = load ? CR_MOV_TO : CR_MOV_FROM;
        x->cr.nr = (uint8_t)nr;
        x->cr.gpr = u->rm;
        x->cr.value = load ? low_bytes(s->gpr[u->rm], size) : s->dr[nr];
        system_leave(s, u);
    }
    check_dr_guard(s);
    if (load)
        write_dr(s, nr, low_bytes(s->gpr[u->rm], size));
    else
        soft_write_reg(s, u->rm, size, s->dr[nr]);
}
