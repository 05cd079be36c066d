/*
 * debugger/symbols/frame.c -- unwinding from frame to frame, and finding variables by scope.
 *
 * What a frame is and how unwinding goes is told in frame.h.  The expressions that come out of
 * the debug information are computed by location.c.
 *
 * Unwinding must end, whatever the guest has on its stack: a caller's frame is accepted only
 * if it lies above its callee's, except across an interrupt, which may have switched stacks;
 * those who show a backtrace bound the number of frames too.
 *
 * Begin reading with frame_innermost(), then frame_caller().
 *
 * [DWARF 5 "Call Frame Information", "Location Descriptions"]
 */
#include "debugger/symbols/frame.h"

#include <dwarf.h>
#include <string.h>

#include "cpu/regs.h"
#include "debugger/symbols/location.h"
#include "debugger/symbols/orc.h"
#include "debugger/symbols/symbols.h"

#define MAX_VARIABLES 1000

/* DWARF numbers registers in an order of its own: in 64-bit code rax, rdx, rcx, rbx, ...
 * [x86-64 psABI "DWARF Register Number Mapping"].  In 32-bit code it is the manual's: eax,
 * ecx, edx, ebx, esp, ebp, esi, edi. */
static const uint8_t gprs64[16] = {
    RAX, RDX, RCX, RBX, RSI, RDI, RBP, RSP, R8, R9, R10, R11, R12, R13, R14, R15,
};

/* How many general registers there are; the program counter has the number behind them. */
static unsigned n_gprs(const struct expr_machine *m)
{
    return debuginfo_address_bytes(m->info) == 8 ? 16 : 8;
}

/* DWARF's number of the stack pointer. */
static unsigned sp_number(const struct expr_machine *m)
{
    return n_gprs(m) == 16 ? 7 : 4;
}

/* Addresses of a 32-bit program wrap round at 4 GiB. */
static uint64_t cut_to_width(const struct expr_machine *m, uint64_t v)
{
    return n_gprs(m) == 16 ? v : (uint32_t)v;
}

uint64_t frame_lookup_pc(const struct frame *f)
{
    return f->level && !f->interrupted ? f->pc - 1 : f->pc;
}

/* The CFA by the call frame information, mostly "register + number"; 0: not known. */
static uint64_t find_cfa(const struct expr_machine *m, const struct frame *f, Dwarf_Frame *unwind)
{
    Dwarf_Op *op;
    size_t n;
    struct location l;
    struct location_machine lm = { m, f, NULL };
    if (!unwind || dwarf_frame_cfa(unwind, &op, &n) || !location_eval(&lm, op, n, &l))
        return 0;
    return cut_to_width(m, l.value);
}

/* Code without call frame information is mostly assembly.  If the CPU is at the first
 * instruction of a function (at a symbol), nothing has been pushed yet: the return address is
 * on top of the stack.  Anywhere else we do not guess. */
static uint64_t guess_cfa(const struct expr_machine *m, const struct frame *f)
{
    uint64_t offset;
    unsigned sp = sp_number(m);
    const char *name = symbols_find(m->symbols, f->pc, &offset);
    return name && !offset && !f->level && (f->known & BIT(sp))
               ? f->reg[sp] + debuginfo_address_bytes(m->info)
               : 0;
}

/* Find the CFA of a frame whose pc and registers are known. */
static void finish_frame(const struct expr_machine *m, struct frame *f)
{
    Dwarf_Frame *unwind = debuginfo_unwind(m->info, frame_lookup_pc(f));
    f->cfa = find_cfa(m, f, unwind);
    if (!unwind)
        f->cfa = m->orc ? orc_cfa(m->orc, m, f) : guess_cfa(m, f);
}

bool frame_innermost(const struct expr_machine *m, struct frame *f)
{
    *f = (struct frame){ .level = 0 };
    if ((!m->info && !m->orc) || !m->cpu)
        return false;
    for (unsigned i = 0; i < n_gprs(m); i++)
        f->reg[i] = cut_to_width(m, m->cpu->gpr[n_gprs(m) == 16 ? gprs64[i] : i]);
    f->known = (uint32_t)(BIT(n_gprs(m)) - 1);
    f->pc = state_pc(m->cpu);
    f->reg[n_gprs(m)] = f->pc;
    f->known |= (uint32_t)BIT(n_gprs(m));
    finish_frame(m, f);
    return true;
}

/* Read an address or register that the guest saved on its stack. */
static bool load_saved(const struct expr_machine *m, uint64_t at, uint64_t *v)
{
    *v = 0;
    return m->read && m->read(m->arg, false, at, v, debuginfo_address_bytes(m->info)) == 0;
}

/* Find register n as the caller has it, by the rule that holds at f's pc. libdw answers with
 * an expression, or with none at all: then, if op is NULL the register was not changed, else
 * it is lost.  A register that a function is free to change, and for which there is no rule,
 * is lost. */
static void restore_register(const struct expr_machine *m, const struct frame *f,
                             Dwarf_Frame *unwind, unsigned n, struct frame *caller)
{
    Dwarf_Op mem[3], *op;
    size_t n_ops;
    struct location l;
    struct location_machine lm = { m, f, NULL };
    uint64_t v = f->reg[n];
    if (dwarf_frame_register(unwind, (int)n, mem, &op, &n_ops))
        return;
    bool same = !n_ops && !op, undefined = !n_ops && op;
    /* libdw has default rules for registers without one.  They keep those that the ABI says a
     * function must preserve, but have 0 (rax) where they mean 3 (rbx). */
    if (n_gprs(m) == 16 && (n == 0 || n == 3) && !n_ops) {
        same = n == 3;
        undefined = n == 0;
    }
    if (undefined || (same && !(f->known & BIT(n))))
        return;
    if (!same) {
        if (!location_eval(&lm, op, n_ops, &l))
            return;
        v = l.value;
        if (l.kind == LOCATION_MEMORY && !load_saved(m, l.value, &v))
            return;
    }
    caller->reg[n] = cut_to_width(m, v);
    caller->known |= (uint32_t)BIT(n);
}

/* Three sources, as in finish_frame(): DWARF, ORC, or the guess, for which all registers but
 * the program counter are still the caller's.  A return address of 0 ends the chain: start-up
 * code pushes it for that. */
bool frame_caller(const struct expr_machine *m, const struct frame *f, struct frame *caller)
{
    unsigned ra = n_gprs(m), sp = sp_number(m);
    *caller = (struct frame){ .level = f->level + 1 };
    if (!f->cfa)
        return false;
    Dwarf_Frame *unwind = debuginfo_unwind(m->info, frame_lookup_pc(f));
    if (unwind) {
        Dwarf_Addr start, end;
        for (unsigned i = 0; i <= ra; i++)
            restore_register(m, f, unwind, i, caller);
        dwarf_frame_info(unwind, &start, &end, &caller->interrupted);
    } else if (m->orc) {
        if (!orc_caller(m->orc, m, f, caller))
            return false;
    } else {
        memcpy(caller->reg, f->reg, sizeof f->reg);
        caller->known = f->known;
        if (!load_saved(m, f->cfa - debuginfo_address_bytes(m->info), &caller->reg[ra]))
            return false;
    }
    if (!(caller->known & BIT(ra)) || !caller->reg[ra])
        return false;
    caller->pc = caller->reg[ra];
    if (!(caller->known & BIT(sp)))
        caller->reg[sp] = f->cfa;
    caller->known |= (uint32_t)BIT(sp);
    finish_frame(m, caller);
    /* The stack grows downwards, so a caller's frame is higher; an interrupt may have switched
     * to another stack. */
    return !caller->cfa || caller->cfa > f->cfa || caller->interrupted;
}

/* ---- variables ---- */

void frame_open_scopes(struct debuginfo *d, const struct frame *f, struct frame_scopes *s)
{
    s->n = debuginfo_scopes(d, frame_lookup_pc(f), &s->die);
    if (s->n < 0)
        s->n = 0;
}

/* A declaration of a variable of another file is none: it has no place here. */
static bool is_variable(Dwarf_Die *die)
{
    int tag = dwarf_tag(die);
    return (tag == DW_TAG_variable || tag == DW_TAG_formal_parameter) &&
           !dwarf_hasattr(die, DW_AT_declaration);
}

/* How many of the scopes belong to the innermost function, itself included.  Those further out
 * are the file, whose names are looked up elsewhere.  (An inlined function is a scope within
 * the function that it was inlined into.) */
static int n_inner(const struct frame_scopes *s)
{
    for (int i = 0; i < s->n; i++)
        if (dwarf_tag(&s->die[i]) == DW_TAG_subprogram)
            return i + 1;
    return 0;
}

/* The innermost block first, and within a block in the order of the source. */
bool frame_variable(const struct frame_scopes *s, unsigned i, Dwarf_Die *variable)
{
    unsigned seen = 0;
    for (int k = 0, n = n_inner(s); k < n; k++) {
        if (dwarf_child(&s->die[k], variable))
            continue;
        do
            if (is_variable(variable) && seen++ == i)
                return i < MAX_VARIABLES;
        while (dwarf_siblingof(variable, variable) == 0);
    }
    return false;
}

bool frame_variable_named(const struct frame_scopes *s, const char *name, size_t len,
                          Dwarf_Die *variable)
{
    for (int k = 0, n = n_inner(s); k < n; k++) {
        if (dwarf_child(&s->die[k], variable))
            continue;
        do {
            const char *is = is_variable(variable) ? dwarf_diename(variable) : NULL;
            if (is && strncmp(is, name, len) == 0 && !is[len])
                return true;
        } while (dwarf_siblingof(variable, variable) == 0);
    }
    return false;
}

bool frame_function(const struct frame_scopes *s, Dwarf_Die *function)
{
    int n = n_inner(s);
    if (n)
        *function = s->die[n - 1];
    return n > 0;
}

/* A variable that the compiler has replaced by a constant has a value but no place. */
static bool constant_value(Dwarf_Die *variable, struct location *l)
{
    Dwarf_Attribute a;
    Dwarf_Sword v;
    if (!dwarf_attr_integrate(variable, DW_AT_const_value, &a) || dwarf_formsdata(&a, &v))
        return false;
    *l = (struct location){ .kind = LOCATION_VALUE, .value = (uint64_t)v };
    return true;
}

bool frame_follow(const struct expr_machine *m, const struct frame *f, const struct frame_scopes *s,
                  const struct frame_way *way, struct location *l)
{
    static const struct frame none;
    Dwarf_Die function;
    struct location_machine lm = { m, f ? f : &none,
                                   s && frame_function(s, &function) ? &function : NULL };
    return location_eval(&lm, way->op, way->n, l);
}

/* A variable may have several locations, each for a part of its function;
 * dwarf_getlocation_addr() takes the one that holds at pc.  The same address without the bias,
 * as DWARF has it. */
bool frame_locate(const struct expr_machine *m, const struct frame *f, const struct frame_scopes *s,
                  Dwarf_Die *variable, struct location *l, struct frame_way *way)
{
    Dwarf_Attribute a;
    Dwarf_Op *op;
    size_t n;
    struct frame_way unasked;
    if (!way)
        way = &unasked;
    *way = (struct frame_way){ NULL, 0 };
    *l = (struct location){ .kind = LOCATION_NONE };
    if (!dwarf_attr_integrate(variable, DW_AT_location, &a))
        return constant_value(variable, l);
    uint64_t pc = f ? frame_lookup_pc(f) - debuginfo_bias(m->info) : 0;
    if (dwarf_getlocation_addr(&a, pc, &op, &n, 1) != 1 || !n)
        return false;
    *way = (struct frame_way){ op, n };
    return frame_follow(m, f, s, way, l);
}
