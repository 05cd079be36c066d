/*
 * exercise/theorem.c -- exercise 3: Popek and Goldberg's theorem on machines that a seed invents.
 *
 * A machine has a mode bit, a relocation register, and six instructions out of the table below;
 * which of them trap in user mode is the seed's.  [Popek and Goldberg, "Formal Requirements for
 * Virtualizable Third Generation Architectures"]
 */
#include <string.h>

#include "exercise/make.h"
#include "exercise/sheet.h"

static const struct effect {
    const char *what;                   /* it does */
    bool        in_supervisor, in_user; /* sensitive in this mode, if it does not trap */
    const char *because;                /* and what goes wrong, or why nothing does    */
} effects[] = {
    { "adds two registers", false, false, "it touches registers only" },
    { "stores a register at an address, relocated as all addresses are", false, false,
      "the address is relocated, so it does the same wherever the program lies" },
    { "calls a subroutine at a relocated address", false, false, "it touches the program's own" },
    { "compares two registers and skips an instruction", false, false, "it touches registers "
                                                                       "only" },
    { "loads the relocation register from a general register", true, true,
      "it changes which memory is the program's (control-sensitive)" },
    { "copies the relocation register into a general register", true, true,
      "a guest would see where it really lies (behaviour-sensitive)" },
    { "copies the mode bit into a general register", true, true,
      "a guest's kernel, which runs in user mode, would see 'user' (behaviour-sensitive)" },
    { "switches to user mode and jumps; in user mode it only jumps", true, false,
      "it changes the mode (control-sensitive), but only in supervisor mode; in user mode it is a "
      "jump" },
    { "loads the flags from memory; in user mode all but the interrupt flag", true, true,
      "its result depends on the mode (behaviour-sensitive): a guest's kernel cannot switch "
      "interrupts off with it, and is not told" },
    { "starts the disk", true, true, "it uses a resource that is not the program's "
      "(control-sensitive)" },
    { "loads from a physical address, without relocation", true, true,
      "its result depends on where the program lies (behaviour-sensitive)" },
    { "stops the processor until the next interrupt", true, true,
      "it takes the processor from everybody (control-sensitive)" },
};

enum { INSTRUCTIONS = 6 };

struct machine {
    const struct effect *effect[INSTRUCTIONS];
    bool traps[INSTRUCTIONS];
};

static void invent(struct sheet *s, struct machine *m)
{
    uint8_t order[NELEM(effects)];
    bool tidy = sheet_pick(s, 0, 2) == 0;           /* one machine in three is virtualizable */
    for (unsigned i = 0; i < NELEM(order); i++)
        order[i] = (uint8_t)i;
    sheet_shuffle(s, order, NELEM(order), 1);
    for (unsigned i = 0; i < INSTRUCTIONS; i++) {
        m->effect[i] = &effects[order[i]];
        unsigned chance = sheet_pick(s, 0, 9);
        m->traps[i] = m->effect[i]->in_supervisor ? tidy || chance < 7 : chance < 2;
    }
}

enum set { TRAPPING, SENSITIVE, SILENT, USER_SILENT };

static bool is_in(const struct machine *m, unsigned i, enum set set)
{
    const struct effect *e = m->effect[i];
    switch (set) {
    case TRAPPING:    return m->traps[i];
    case SENSITIVE:   return e->in_supervisor || e->in_user;
    case SILENT:      return e->in_supervisor && !m->traps[i];
    case USER_SILENT: return e->in_user && !m->traps[i];
    }
    return false;
}

/* "A C D", or "none". */
static const char *names_of(const struct machine *m, enum set set, char out[20])
{
    char *at = out;
    *out = 0;
    for (unsigned i = 0; i < INSTRUCTIONS; i++)
        if (is_in(m, i, set)) {
            if (at > out)
                *at++ = ' ';
            *at++ = (char)('A' + i);
        }
    *at = 0;
    return *out ? out : strcpy(out, "none");
}

static void tell_members(struct sheet *s, const struct machine *m, enum set set)
{
    for (unsigned i = 0; i < INSTRUCTIONS; i++)
        if (is_in(m, i, set))
            sheet_because(s, "%c: %s.", 'A' + i, m->effect[i]->because);
}

static void ask_theorems(struct sheet *s, const struct machine *m)
{
    char names[20];
    bool first = strcmp(names_of(m, SILENT, names), "none") == 0;
    sheet_ask_choice(s, sheet_yes_no, 2, !first, "Does Theorem 1 promise that a virtual machine "
                     "monitor can be built for it?");
    sheet_because(s, "It asks that every sensitive instruction is privileged. Then the proof "
                  "builds the monitor: a dispatcher, to which every trap goes; an allocator, "
                  "which keeps the resources apart; and for each privileged instruction an "
                  "interpreter. Guests run in user mode: what is innocuous runs by itself "
                  "(efficiency), what is sensitive traps (resource control) and its interpreter "
                  "does to the virtual machine what the instruction would do to a real one "
                  "(equivalence).");
    sheet_ask_words(s, names, "Which instructions break the condition? (Letters with blanks "
                    "between them; or: none.)");
    tell_members(s, m, SILENT);
    if (first)
        sheet_because(s, "All that is sensitive traps.");
    else
        sheet_because(s, "A counterexample is a guest whose kernel executes one of them: on the "
                      "bare machine, in supervisor mode, it has its effect; under the monitor, in "
                      "user mode, it does not trap, so nobody gives it that effect.");
    names_of(m, USER_SILENT, names);
    sheet_ask_choice(s, sheet_yes_no, 2, strcmp(names, "none") != 0, "Does Theorem 3 promise a "
                     "hybrid monitor, which interprets all code of the guest's virtual supervisor "
                     "mode?");
    sheet_because(s, "Theorem 3 asks only that what is sensitive in user mode is privileged; here "
                  "what is not: %s. Code of the virtual supervisor mode is interpreted one by one, "
                  "so an instruction that is sensitive only there does no harm.", names);
}

void make_theorem(struct sheet *s)
{
    struct machine m;
    char names[20];
    invent(s, &m);
    sheet_say(s, "A machine has a supervisor and a user mode, and a relocation register that is "
              "added to every address unless something else is said. These are its instructions:");
    for (unsigned i = 0; i < INSTRUCTIONS; i++)
        sheet_show(s, "%c  %s%s", 'A' + i, m.traps[i] ? "(traps in user mode) " : "",
                   m.effect[i]->what);
    sheet_ask_words(s, names_of(&m, TRAPPING, names), "Which instructions are privileged? (Letters "
                    "with blanks between them, in the order of the alphabet; or none.)");
    sheet_because(s, "Privileged is what traps in user mode and does not in supervisor mode, "
                  "whether it is sensitive or not.");
    sheet_ask_words(s, names_of(&m, SENSITIVE, names), "Which are sensitive, in at least one mode, "
                    "whether they trap or not?");
    tell_members(s, &m, SENSITIVE);
    ask_theorems(s, &m);
}
