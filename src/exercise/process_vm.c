/*
 * exercise/process_vm.c -- exercise 6: one program on a process VM, under a user-mode emulator, in
 * a translator, and as a guest of a system VM.
 *
 * All four run while the exercise is made.  That they come to the same answer, which the host's
 * own C gives too, is checked each time.
 */
#include <inttypes.h>
#include <string.h>

#include "base/host.h"
#include "exercise/make.h"
#include "exercise/program.h"
#include "exercise/sheet.h"

struct runs {
    struct program    program;
    struct stack_code bytecode;
    struct rv32_code  rv32;
    struct tiny_code  pc;
    struct stack_run  stack;            /* interpreted, and what a translator does */
    struct rv32_run   foreign;
    bool              has_translated;   /* this host lets programs make code */
};

static struct tiny_run guest;           /* large */

static void show_line(void *sheet, const char *line)
{
    sheet_show(sheet, "%s", line);
}

static void choose(struct sheet *s, struct program *p)
{
    p->x = sheet_pick(s, 1, 60);
    p->n = sheet_pick(s, 4, 8);
    p->k = sheet_pick(s, 2, 9);
    p->a = sheet_pick(s, 0, 2) ? OP_MUL : OP_XOR;
    p->b = sheet_pick(s, OP_ADD, OP_XOR);
    p->c = sheet_pick(s, OP_ADD, OP_XOR);
}

/* Little-endian, as all three machines write it. */
static uint32_t written(const void *out, unsigned n)
{
    uint32_t v = 0;
    memcpy(&v, out, n < sizeof v ? n : sizeof v);
    return v;
}

static void run_all(struct runs *r)
{
    uint32_t answer = program_answer(&r->program);
    struct stack_run counted = { 0 };
    stack_interpret(&r->bytecode, &r->stack);
    bug_if(r->stack.answer != answer, "the interpreter says %u, not %u", r->stack.answer, answer);
    stack_count_blocks(&r->bytecode, &counted);
    r->has_translated = stack_translate(&r->bytecode, &r->stack);
    bug_if(r->has_translated && (r->stack.answer != answer || r->stack.blocks != counted.blocks ||
                                 r->stack.dispatches != counted.dispatches ||
                                 r->stack.host_insns != counted.host_insns),
           "the translator says %u, not %u", r->stack.answer, answer);
    r->stack.blocks = counted.blocks;
    r->stack.dispatches = counted.dispatches;
    r->stack.host_insns = counted.host_insns;
    rv32_run(&r->rv32, &r->foreign);
    bug_if(!r->foreign.exited || written(r->foreign.out, r->foreign.n_out) != answer,
           "the RISC-V program says %u, not %u", written(r->foreign.out, r->foreign.n_out), answer);
    tiny_guest_run(&r->pc, MMU_NESTED, 10000, &guest);
    bug_if(written(guest.out, guest.n_out) != answer, "the guest says %u, not %u",
           written(guest.out, guest.n_out), answer);
}

static void show_bytecode(struct sheet *s, const struct stack_code *c)
{
    for (unsigned i = 0; i < c->n; i++) {
        enum stack_op op = c->insn[i].op;
        if (!*stack_ops[op].argument)
            sheet_show(s, "%2u:  %s", i, stack_ops[op].name);
        else if (op == STACK_LOAD || op == STACK_STORE)
            sheet_show(s, "%2u:  %-6s%s", i, stack_ops[op].name, c->insn[i].arg ? "n" : "x");
        else
            sheet_show(s, "%2u:  %-6s%u", i, stack_ops[op].name, c->insn[i].arg);
    }
}

static void give(struct sheet *s, struct runs *r)
{
    const struct program *p = &r->program;
    sheet_say(s, "A small program; all numbers have 32 bits:");
    sheet_show(s, "x = %u; n = %u;", p->x, p->n);
    sheet_show(s, "do {");
    sheet_show(s, "    if (n & 1) x = (x %s %u) %s n;", operator_signs[p->a], p->k,
               operator_signs[p->b]);
    sheet_show(s, "    else       x = x %s n;", operator_signs[p->c]);
    sheet_show(s, "    n = n - 1;");
    sheet_show(s, "} while (n);");
    sheet_say(s, "As bytecode of a stack machine that was never built (PUSH a number, LOAD or "
              "STORE a variable; an operator takes two numbers from the stack, JZ and JNZ take "
              "one):");
    program_for_stack_vm(p, &r->bytecode);
    show_bytecode(s, &r->bytecode);
    sheet_say(s, "As a RISC-V program for Linux; system call 64 is write(), 93 is exit():");
    program_for_rv32(p, &r->rv32, show_line, s);
    sheet_say(s, "As all the software of a PC, in real mode; what is written to port 0xe9 is "
              "printed:");
    program_for_pc(p, &r->pc, show_line, s);
    sheet_say(s, "Four machines run it: an interpreter of the bytecode; a translator of the "
              "bytecode, which makes host code of a block (from where it enters to the next JZ, "
              "JNZ, JMP or HALT), keeps it in a cache, and looks there for the next block whenever "
              "one has ended (blocks are not chained); an emulator of RISC-V user-level "
              "instructions; and Vitrine.");
}

static void ask_process_vms(struct sheet *s, const struct runs *r)
{
    const struct stack_run *t = &r->stack;
    sheet_ask_number(s, t->answer, "Which x do all of them come to?");
    sheet_because(s, "All four were run to make this sheet, and so was the same program in C.");
    sheet_ask_number(s, t->bytecodes, "How many bytecodes does the interpreter execute?");
    sheet_because(s, "4 before the loop; then in each of %" PRIu32 " rounds 4 for the test, and %u "
                  "where n is odd, 4 where it is even, and 6 for the end of the round; 2 behind "
                  "the loop.", r->program.n, 7);
    sheet_ask_number(s, t->blocks, "How many blocks does the translator translate?");
    sheet_because(s, "A block begins wherever the program enters after a jump, and at the "
                  "beginning: at 0 (which runs through the first test), at the test itself for "
                  "the later rounds, at the odd part, at the even part (which runs on through the "
                  "end of the round), at the end of the round alone, to which the odd part jumps, "
                  "and behind the loop. The same bytecodes can be in two blocks.");
    sheet_ask_number(s, t->dispatches, "How often does its dispatcher look for a block?");
    sheet_because(s, "Once for each block that is entered: per round the test, the odd part and "
                  "the end of the round (3) or the even part alone (2); and once behind the loop.");
    sheet_ask_number(s, t->host_insns, "PUSH, LOAD and STORE become 1 host instruction each, "
                     "an operator 2 (MUL 3), JZ and JNZ 6, JMP 2, HALT 3. How many "
                     "host instructions are executed in translated code?");
    sheet_because(s, r->has_translated ? "Counted while the translated code ran." :
                  "(This host allows no program to make code, so here it was only counted.)");
}

static void ask_others(struct sheet *s, const struct runs *r)
{
    static const char *const interfaces[] = {
        "the API", "the ABI: user-level instructions and system calls",
        "the ISA: all instructions and the devices",
    };
    sheet_ask_number(s, r->foreign.insns, "How many RISC-V instructions does the emulator "
                     "execute?");
    sheet_because(s, "3, then 7 in an odd round (andi, beq, two operators, jal, addi, bne) and 5 "
                  "in an even one, then 10. 2 of them are system calls, which the host answers in "
                  "the place of a RISC-V kernel.");
    sheet_ask_number(s, guest.insns, "How many instructions does the guest of Vitrine retire, "
                     "HLT counted too?");
    sheet_because(s, "3, then 7 in an odd round and 5 in an even one, then 4 OUT, 3 SHR, CLI, "
                  "HLT.");
    sheet_ask_number(s, guest.exits_by[EXIT_IDX_IO] + guest.exits_by[EXIT_IDX_HLT], "How many of "
                     "these make the guest exit to the monitor, on a CPU with hardware support?");
    sheet_because(s, "OUT and HLT. All the others, the whole loop among them, run without the "
                  "monitor: that is the difference between a hypervisor and an emulator. (soft, "
                  "which interprets, counted %" PRIu64 " exits in all; it too stops at its first "
                  "touch of a page.)", guest.exits);
    sheet_ask_choice(s, interfaces, NELEM(interfaces), 1, "Which interface does the RISC-V "
                     "emulator virtualize?");
    sheet_because(s, "It answers ECALL itself, as a kernel would. It has no privileged mode.");
    sheet_ask_choice(s, interfaces, NELEM(interfaces), 2, "And Vitrine?");
    sheet_because(s, "The guest has the machine for itself: it could load CR3, and it talks to "
                  "ports. Instructions for one answer:");
    sheet_because_line(s, "interpreter     %5u bytecodes, each some 10 to 20 host instructions",
                       r->stack.bytecodes);
    sheet_because_line(s, "translator      %5u host instructions, %u dispatches, %u translations",
                       r->stack.host_insns, r->stack.dispatches, r->stack.blocks);
    sheet_because_line(s, "RISC-V emulator %5u RISC-V instructions, %u system calls",
                       r->foreign.insns, r->foreign.syscalls);
    sheet_because_line(s, "guest           %5" PRIu64 " instructions, %" PRIu64 " exits for I/O",
                       guest.insns, guest.exits_by[EXIT_IDX_IO]);
}

void make_process_vm(struct sheet *s)
{
    struct runs r = { 0 };
    choose(s, &r.program);
    give(s, &r);
    run_all(&r);
    ask_process_vms(s, &r);
    ask_others(s, &r);
}
