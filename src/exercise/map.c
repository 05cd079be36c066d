/*
 * exercise/map.c -- exercise 5: the map from a virtual machine's state to the real one's.
 *
 * Popek and Goldberg's proof says that a monitor is right if its map f commutes with every
 * instruction: to execute e on the virtual machine and then map, and to map and then let the real
 * machine and the monitor do e', comes to the same.  A small machine is executed here in both ways,
 * and the states are compared after each step.
 * [Popek and Goldberg, "Formal Requirements for Virtualizable Third Generation Architectures"]
 */
#include <string.h>

#include "base/host.h"
#include "exercise/make.h"
#include "exercise/sheet.h"

enum { WORDS = 4096, STEPS = 7 };
enum opcode { LOAD, STORE, ADD, SETR, GETR, GETM, N_OPCODES };

struct insn { enum opcode opcode; unsigned a, b; };

/* A machine: accumulator, mode bit, relocation register, memory. */
struct state {
    unsigned acc, user, base, bound;
    unsigned word[WORDS];
};

/* The monitor: where the virtual machine's memory is in the real one, and what it keeps. */
struct monitor {
    unsigned at, size;
    unsigned base, bound;               /* the guest's relocation register */
    bool     getr_traps, getm_traps;
    unsigned interpreted;               /* instructions that trapped       */
};

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* What the processor does with an instruction that does not trap. */
static void execute(struct state *m, const struct insn *i)
{
    switch (i->opcode) {
    case LOAD:  m->acc = m->word[m->base + i->a]; break;
    case STORE: m->word[m->base + i->a] = m->acc; break;
    case ADD:   m->acc += i->a; break;
    case SETR:  m->base = i->a; m->bound = i->b; break;
    case GETR:  m->acc = m->base; break;
    case GETM:  m->acc = m->user; break;
    case N_OPCODES: break;
    }
}

/* The same under the monitor: on the real machine in user mode, or by the interpreter. */
static void execute_virtual(struct monitor *v, struct state *real, const struct insn *i)
{
    bool traps = i->opcode == SETR || (i->opcode == GETR && v->getr_traps) ||
                 (i->opcode == GETM && v->getm_traps);
    if (!traps) {
        execute(real, i);
        return;
    }
    v->interpreted++;
    if (i->opcode == SETR) {
        v->base = i->a;
        v->bound = i->b;
        real->base = v->at + v->base;
        real->bound = smaller(v->bound, v->size - v->base);
    } else {
        real->acc = i->opcode == GETR ? v->base : 0;
    }
}

/* Is the real machine in the state that the bare one's is mapped to? */
static bool is_mapped(const struct monitor *v, const struct state *bare, const struct state *real)
{
    return bare->acc == real->acc && v->at + bare->base == real->base &&
           smaller(bare->bound, v->size - bare->base) == real->bound &&
           memcmp(bare->word, real->word + v->at, v->size * sizeof bare->word[0]) == 0;
}

/* ---- the sheet ---- */

struct story {
    struct monitor monitor;
    struct insn    insn[STEPS];
    unsigned       broken_at;           /* the first step after which f fails; 0: none */
    unsigned       store_step, store_at;        /* the last STORE, and its real word */
};

static struct state bare, real;         /* large */

static void invent(struct sheet *s, struct story *t)
{
    unsigned size = 100 * sheet_pick(s, 5, 9), bound = 100;
    enum opcode order[STEPS] = { LOAD, STORE, ADD, SETR, GETR, GETM, STORE };
    *t = (struct story){ .monitor = { .at = 100 * sheet_pick(s, 3, 30), .size = size } };
    t->monitor.getr_traps = sheet_pick(s, 0, 1);
    t->monitor.getm_traps = sheet_pick(s, 0, 1);
    sheet_shuffle(s, order, STEPS, sizeof order[0]);
    for (unsigned i = 0; i < STEPS; i++) {
        struct insn *n = &t->insn[i];
        n->opcode = order[i];
        if (n->opcode == SETR) {
            n->a = 50 * sheet_pick(s, 1, size / 50 - 2);
            n->b = 50 * sheet_pick(s, 2, 12);
            bound = smaller(n->b, size - n->a);
        } else {
            n->a = sheet_pick(s, 1, bound - 1);
        }
    }
}

static void show(struct sheet *s, const struct story *t)
{
    static const char *const names[N_OPCODES] = { "LOAD", "STORE", "ADD", "SETR", "GETR", "GETM" };
    for (unsigned i = 0; i < STEPS; i++) {
        const struct insn *n = &t->insn[i];
        if (n->opcode == SETR)
            sheet_show(s, "%u. SETR %u, %u", i + 1, n->a, n->b);
        else if (n->opcode == GETR || n->opcode == GETM)
            sheet_show(s, "%u. %s", i + 1, names[n->opcode]);
        else
            sheet_show(s, "%u. %s %u", i + 1, names[n->opcode], n->a);
    }
}

static void give(struct sheet *s, const struct story *t)
{
    static const char *const traps[] = { "does not trap", "traps" };
    const struct monitor *v = &t->monitor;
    sheet_say(s, "A machine has an accumulator A, a mode bit M (0: supervisor, 1: user), and a "
              "relocation register (base, bound): a program's address a is the word base + a of "
              "memory if a < bound. It has these instructions:");
    sheet_show(s, "LOAD a, STORE a    A from memory, or to it, at the program's address a");
    sheet_show(s, "ADD n              adds n to A");
    sheet_show(s, "SETR base, bound   loads the relocation register; traps in user mode");
    sheet_show(s, "GETR               A = base; %s in user mode", traps[v->getr_traps]);
    sheet_show(s, "GETM               A = M; %s in user mode", traps[v->getm_traps]);
    sheet_say(s, "A monitor gives a guest a virtual machine of %u words, which lie in the real "
              "memory from word %u on. The guest's kernel runs in user mode. For what traps, the "
              "monitor has an interpreter, which does to the virtual machine what the instruction "
              "does to a bare one; after a SETR it loads the real relocation register so that the "
              "guest reaches what it asked for, and nothing behind the end of its memory.",
              v->size, v->at);
    sheet_say(s, "The map f takes each state of the bare machine (supervisor mode, %u words) to "
              "the real state that stands for it: the same A, M = 1, the words from %u on, the "
              "base higher by %u, the bound cut at the end of the virtual memory. Both begin in "
              "states that f relates: A = 0, base 0, bound 100 for the guest, memory 0. The "
              "guest's kernel executes:", v->size, v->at, v->at);
}

static void play(struct story *t)
{
    struct monitor *v = &t->monitor;
    memset(&bare, 0, sizeof bare);
    memset(&real, 0, sizeof real);
    bare.bound = real.bound = v->bound = 100;
    real.base = v->at;
    real.user = 1;
    for (unsigned i = 0; i < STEPS; i++) {
        if (t->insn[i].opcode == STORE) {
            t->store_step = i + 1;
            t->store_at = real.base + t->insn[i].a;
        }
        execute(&bare, &t->insn[i]);
        execute_virtual(v, &real, &t->insn[i]);
        if (!t->broken_at && !is_mapped(v, &bare, &real))
            t->broken_at = i + 1;
    }
}

static void ask(struct sheet *s, const struct story *t)
{
    const struct monitor *v = &t->monitor;
    sheet_ask_number(s, v->interpreted, "How many of these instructions does the monitor's "
                     "interpreter execute?");
    sheet_because(s, "Those that trap in user mode. The real processor executes the others by "
                  "itself: that is the efficiency.");
    sheet_ask_number(s, t->store_at, "To which word of the real memory does instruction %u "
                     "write?", t->store_step);
    sheet_because(s, "The word's number is the real base and the address; the real base is %u "
                  "higher than the guest's.", v->at);
    sheet_ask_number(s, real.base, "What is the real base at the end?");
    sheet_because(s, "%u + %u: the guest's base lies in its own memory, which lies in the real "
                  "one.", v->at, v->base);
    sheet_ask_number(s, real.bound, "What is the real bound at the end?");
    sheet_because(s, "The less of %u, which the guest asked for, and %u - %u, which its memory "
                  "has left. That is the resource control: the allocator gives no word of "
                  "another's away.", v->bound, v->size, v->base);
    sheet_ask_number(s, bare.acc, "What is A at the end on the bare machine?");
    sheet_because(s, "There the base is the guest's own, and M is 0.");
    sheet_ask_number(s, real.acc, "And under the monitor?");
    sheet_because(s, "What does not trap tells of the real machine: GETR the real base, GETM 1. "
                  "What traps is answered by the interpreter, as the bare machine would.");
    sheet_ask_number(s, t->broken_at, "After which instruction is the real state no longer f of "
                     "the bare one for the first time? (Its number; 0: it always is.)");
    if (t->broken_at)
        sheet_because(s, "e and e' do not commute with f for this instruction: f(e(S)) is not "
                      "e'(f(S)). One such instruction, and the proof's induction over the program "
                      "stops there; it is sensitive and not privileged.");
    else
        sheet_because(s, "Each instruction commutes with f: f(e(S)) = e'(f(S)). By induction so "
                      "does every program of them; this is the step that Popek and Goldberg's "
                      "proof makes for every machine whose sensitive instructions all trap.");
}

void make_map(struct sheet *s)
{
    struct story t;
    invent(s, &t);
    give(s, &t);
    show(s, &t);
    play(&t);
    ask(s, &t);
}
