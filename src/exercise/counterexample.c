/*
 * exercise/counterexample.c -- exercise 4: the same kernel on a bare machine and under a monitor
 * that only traps and emulates.
 *
 * A few instructions of a guest's kernel are executed one by one (cpu/one_insn.h), once in ring 0,
 * and once in ring 3, where a small monitor emulates what traps.  Where the two end differently
 * is a counterexample: the proof that this processor's instructions cannot be virtualized so.
 * [Popek and Goldberg, "Formal Requirements for Virtualizable Third Generation Architectures"]
 */
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "base/x86.h"
#include "cpu/one_insn.h"
#include "exercise/make.h"
#include "exercise/sheet.h"
#include "mem/gmem.h"

enum { CODE = 0x1000, STACK = 0x5000, MEMORY = 0x10000, STEPS = 6 };
enum { BARE_CR0 = 0x11, BARE_CS = 0x08, REAL_CR0 = 0x33, REAL_CS = 0x0b };

enum emulate { NATIVE, SET_VIF, CLEAR_VIF, READ_CR0 };

/* Instructions of some use to a kernel; a line of the sheet may be two of them. */
static const struct line {
    const char  *text;
    uint8_t      bytes[2][6], len[2];
    enum emulate emulate;               /* what the monitor does when the first one traps */
    const char  *because;
} lines[] = {
    { "cli", { { 0xfa } }, { 1 }, CLEAR_VIF, "it traps, and the monitor clears its virtual IF" },
    { "sti", { { 0xfb } }, { 1 }, SET_VIF, "it traps, and the monitor sets its virtual IF" },
    { "pushf; pop %eax", { { 0x9c }, { 0x58 } }, { 1, 1 }, NATIVE,
      "PUSHF does not trap: it tells the real flags" },
    { "push $0x202; popf", { { 0x68, 0x02, 0x02, 0, 0 }, { 0x9d } }, { 5, 1 }, NATIVE,
      "POPF does not trap, and leaves the real IF as it is; the monitor is not told" },
    { "push $0x2; popf", { { 0x68, 0x02, 0, 0, 0 }, { 0x9d } }, { 5, 1 }, NATIVE,
      "POPF does not trap, and leaves the real IF as it is; the monitor is not told" },
    { "mov %cs, %ecx", { { 0x8c, 0xc9 } }, { 2 }, NATIVE,
      "it does not trap: it tells the real selector, with the ring in its low bits" },
    { "smsw %dx", { { 0x66, 0x0f, 0x01, 0xe2 } }, { 4 }, NATIVE,
      "it does not trap: it tells the real CR0" },
    { "mov %cr0, %ebx", { { 0x0f, 0x20, 0xc3 } }, { 3 }, READ_CR0,
      "it traps, and the monitor gives the virtual CR0" },
    { "lea 5(%esi), %esi", { { 0x8d, 0x76, 0x05 } }, { 3 }, NATIVE, "the same in every ring" },
};

struct machine {
    struct gmem     *memory;
    struct one_insn *executor;
    struct cpu_state cpu;
    bool             vif;               /* the monitor's; unused on the bare machine */
};

static void start(struct machine *m, bool bare)
{
    *m = (struct machine){ .memory = gmem_new(), .vif = true };
    bug_if(!m->memory || gmem_add(m->memory, "RAM", 0, MEMORY, GMEM_RAM), "no guest memory");
    gmem_freeze(m->memory);
    m->executor = one_insn_new(m->memory, NULL);
    bug_if(!m->executor, "no memory to execute an instruction");
    struct cpu_state *c = &m->cpu;
    unsigned ring = bare ? 0 : 3;
    cpu_state_reset(c);
    for (int i = 0; i <= SEG_GS; i++)
        c->seg[i] = (struct segment){ .sel = (uint16_t)(0x10 | ring), .limit = 0xffffffff,
                                      .attr = (uint16_t)(0xc093 | ring << 5) };
    c->seg[SEG_CS] = (struct segment){ .sel = bare ? BARE_CS : REAL_CS, .limit = 0xffffffff,
                                       .attr = (uint16_t)(0xc09b | ring << 5) };
    c->cr0 = bare ? BARE_CR0 : REAL_CR0;
    c->rip = CODE;
    c->rflags = FLAG_ONE | FLAG_IF;
    c->gpr[RAX] = c->gpr[RBX] = c->gpr[RCX] = c->gpr[RDX] = c->gpr[RSI] = 0;
    c->gpr[RSP] = STACK;
}

static void end(struct machine *m)
{
    one_insn_free(m->executor);
    gmem_free(m->memory);
}

/* True: it trapped, and was emulated. */
static bool execute(struct machine *m, const uint8_t *bytes, unsigned len, enum emulate emulate)
{
    struct controls none = { 0 };
    struct vmexit x;
    m->cpu.rip = CODE;
    gmem_write(m->memory, CODE, bytes, len);
    if (one_insn_run(m->executor, &m->cpu, &none, &x) == ONE_INSN_DONE) {
        one_insn_state(m->executor, &m->cpu);
        return false;
    }
    bug_if(x.reason != EXIT_EXCEPTION || x.fault.vector != VEC_GP || emulate == NATIVE,
           "an instruction of exercise 4 traps unasked");
    if (emulate == READ_CR0)
        m->cpu.gpr[RBX] = BARE_CR0;
    else
        m->vif = emulate == SET_VIF;
    return true;
}

static bool execute_line(struct machine *m, const struct line *l)
{
    bool trapped = false;
    for (unsigned i = 0; i < 2 && l->len[i]; i++)
        trapped |= execute(m, l->bytes[i], l->len[i], l->emulate);
    return trapped;
}

static const struct { const char *name; unsigned gpr; } shown[] = {
    { "eax", RAX }, { "ebx", RBX }, { "ecx", RCX }, { "edx", RDX }, { "esi", RSI },
};

static void ask(struct sheet *s, const struct machine *bare, const struct machine *virtual)
{
    static const char *const properties[] = { "equivalence", "resource control", "efficiency",
                                              "none of them" };
    bool bare_if = bare->cpu.rflags & FLAG_IF, differ = bare_if != virtual->vif;
    struct sheet_text others = { 0 };
    for (unsigned i = 0; i < NELEM(shown); i++)
        if (bare->cpu.gpr[shown[i].gpr] != virtual->cpu.gpr[shown[i].gpr])
            sheet_text_add(&others, "%s%s", others.n ? " " : "", shown[i].name);
    differ |= others.n != 0;
    if (!others.n)
        sheet_text_add(&others, "none");
    sheet_ask_number(s, bare_if, "What is IF at the end on the bare machine?");
    sheet_because(s, "There CLI, STI and POPF all have their effect.");
    sheet_ask_number(s, virtual->vif, "What is the guest's IF at the end under the monitor, that "
                     "is, what the monitor believes it to be?");
    sheet_because(s, "Only CLI and STI trap. Of a POPF the monitor never hears.");
    sheet_ask_hex(s, bare->cpu.gpr[RAX], "EAX at the end on the bare machine");
    sheet_because(s, "Bit 9 of the flags is IF, bit 1 is always set.");
    sheet_ask_hex(s, virtual->cpu.gpr[RAX], "EAX at the end under the monitor");
    sheet_because(s, "PUSHF tells the real flags, and the real IF is always set, for the monitor "
                  "must get its interrupts.");
    sheet_ask_words(s, others.s, "In which of EAX, EBX, ECX, EDX and ESI does the guest end with "
                    "another value than on the bare machine? (In this order, with blanks between; "
                    "or: none.)");
    sheet_because(s, "Both runs were made, and the registers compared.");
    sheet_ask_choice(s, properties, NELEM(properties), differ ? 0 : 3, "Which of Popek and "
                     "Goldberg's properties does this program show to be missing?");
    sheet_because(s, differ ? "A program has another effect under the monitor than on the bare "
                  "machine, though nothing ran short. This one program is a proof that the "
                  "monitor is none in their sense; that another program runs well is no proof of "
                  "the contrary." : "This program runs the same. That proves nothing: there are "
                  "others that do not, as other seeds show.");
    free(others.s);
}

/* Any lines, PUSHF perhaps twice; or, in one sheet of four, those of which most do no harm. */
static void choose(struct sheet *s, const struct line *line[STEPS])
{
    uint8_t any[] = { 0, 1, 2, 2, 3, 4, 5, 6, 7, 8 }, tame[STEPS] = { 0, 1, 1, 2, 7, 8 };
    bool is_tame = sheet_pick(s, 0, 3) == 0;
    sheet_shuffle(s, any, sizeof any, 1);
    sheet_shuffle(s, tame, sizeof tame, 1);
    for (unsigned i = 0; i < STEPS; i++)
        line[i] = &lines[is_tame ? tame[i] : any[i]];
}

void make_counterexample(struct sheet *s)
{
    struct machine bare, virtual;
    struct sheet_text traps = { 0 }, why = { 0 };
    const struct line *line[STEPS];
    choose(s, line);
    sheet_say(s, "A guest's kernel for 32-bit x86 executes the instructions below. On the bare "
              "machine it does so in ring 0, with CR0 = 0x%x and CS = 0x%x. Under a monitor that "
              "only traps and emulates it runs in ring 3, with IOPL 0 and CS = 0x%x; the real CR0 "
              "is 0x%x, the real IF is always 1, UMIP is off, and the monitor keeps a virtual IF "
              "and CR0 for the guest. In both cases IF is 1 at the beginning, the guest's CR0 is "
              "0x%x, the other flags and the registers are 0.", BARE_CR0, BARE_CS, REAL_CS,
              REAL_CR0, BARE_CR0);
    start(&bare, true);
    start(&virtual, false);
    for (unsigned i = 0; i < STEPS; i++) {
        const struct line *l = line[i];
        sheet_show(s, "%u. %s", i + 1, l->text);
        execute_line(&bare, l);
        if (execute_line(&virtual, l))
            sheet_text_add(&traps, "%s%u", traps.n ? " " : "", i + 1);
        sheet_text_add(&why, "%u. %s\n", i + 1, l->because);
    }
    sheet_ask_words(s, traps.n ? traps.s : "none", "Which lines trap under the monitor? (Their "
                    "numbers, with blanks between; or: none.)");
    for (char *text = strtok(why.s, "\n"); text; text = strtok(NULL, "\n"))
        sheet_because_line(s, "%s", text);
    ask(s, &bare, &virtual);
    end(&bare);
    end(&virtual);
    free(traps.s);
    free(why.s);
}
