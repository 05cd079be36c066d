/*
 * exercise/exits.c -- exercise 7: how often will this guest leave its processor?
 *
 * A program for real mode is put together out of blocks that a seed chooses; the student predicts
 * its exits from the listing, and the answers are what the machine counted while it ran.
 */
#include <stdlib.h>

#include "base/host.h"
#include "exercise/make.h"
#include "exercise/sheet.h"
#include "exercise/tiny_listing.h"

enum { AX, CX, DX, BX, SP, BP, SI, DI };
enum { BLOCKS = 5 };

static struct tiny_run run;             /* large */

static void show_line(void *sheet, const char *line)
{
    sheet_show(sheet, "%s", line);
}

/* ---- the blocks: each draws its numbers and leaves nothing that another one needs ---- */

/* Characters to the debug port, one by one. */
static void out_loop(struct sheet *s, struct tiny_listing *l)
{
    tiny_mov16(l, CX, sheet_pick(s, 3, 20));
    unsigned again = l->code->n;
    tiny_insn(l, "\xe6\xe9", 2, "out %%al, $0xe9");
    tiny_jump(l, "loop", 0xe2, again);
}

/* The same by one instruction that repeats itself. */
static void out_string(struct sheet *s, struct tiny_listing *l)
{
    tiny_mov16(l, SI, 0x1000 * sheet_pick(s, 2, 4) + 0x100);
    tiny_mov16(l, CX, sheet_pick(s, 3, 20));
    tiny_mov16(l, DX, 0xe9);
    tiny_insn(l, "\xf3\x6e", 2, "rep outsb");
}

/* Stores, some of them to pages that were not touched before. */
static void store_loop(struct sheet *s, struct tiny_listing *l)
{
    unsigned step = 0x400 * sheet_pick(s, 1, 6), most = 0x5000 / step;
    tiny_mov16(l, BX, 0x1000 * sheet_pick(s, 1, 2) + 0x10 * sheet_pick(s, 0, 63));
    tiny_mov16(l, CX, sheet_pick(s, 2, most < 12 ? most : 12));
    unsigned again = l->code->n;
    tiny_insn(l, "\x88\x07", 2, "mov %%al, (%%bx)");
    uint8_t add[] = { 0x81, 0xc3, (uint8_t)step, (uint8_t)(step >> 8) };
    tiny_insn(l, add, sizeof add, "add $0x%x, %%bx", step);
    tiny_jump(l, "loop", 0xe2, again);
}

static void ask_cpuid(struct sheet *s, struct tiny_listing *l)
{
    tiny_mov16(l, SI, sheet_pick(s, 2, 6));
    unsigned again = l->code->n;
    tiny_insn(l, "\x66\x31\xc0", 3, "xor %%eax, %%eax");
    tiny_insn(l, "\x0f\xa2", 2, "cpuid");
    tiny_insn(l, "\x4e", 1, "dec %%si");
    tiny_jump(l, "jnz", 0x75, again);
}

/* Sensitive, and yet without an exit: the hardware keeps the guest's own flags and time. */
static void flags_and_time(struct sheet *s, struct tiny_listing *l)
{
    tiny_mov16(l, CX, sheet_pick(s, 3, 9));
    unsigned again = l->code->n;
    tiny_insn(l, "\x9c", 1, "pushf");
    tiny_insn(l, "\xfa", 1, "cli");
    tiny_insn(l, "\x0f\x31", 2, "rdtsc");
    tiny_insn(l, "\x9d", 1, "popf");
    tiny_jump(l, "loop", 0xe2, again);
}

/* To the text of the VGA, which is a page like others, or to where nothing is. */
static void store_far(struct sheet *s, struct tiny_listing *l)
{
    tiny_mov16(l, AX, sheet_pick(s, 0, 2) ? 0xd000 : 0xb800);
    tiny_insn(l, "\x8e\xc0", 2, "mov %%ax, %%es");
    tiny_mov16(l, DI, 0);
    tiny_mov16(l, CX, sheet_pick(s, 2, 12));
    unsigned again = l->code->n;
    tiny_insn(l, "\x26\x88\x05", 3, "mov %%al, %%es:(%%di)");
    tiny_insn(l, "\x83\xc7\x02", 3, "add $2, %%di");
    tiny_jump(l, "loop", 0xe2, again);
}

static void (*const blocks[])(struct sheet *, struct tiny_listing *) = {
    out_loop, out_string, store_loop, ask_cpuid, flags_and_time, store_far,
};

/* Two store loops at least in some programs: the second meets pages of the first. */
static void write_program(struct sheet *s, struct tiny_code *code)
{
    struct tiny_listing l = { code, show_line, s };
    uint8_t order[] = { 0, 1, 2, 3, 4, 5, 2 };
    sheet_shuffle(s, order, NELEM(order), 1);
    for (unsigned i = 0; i < BLOCKS; i++)
        blocks[order[i]](s, &l);
    tiny_insn(&l, "\xfa", 1, "cli");
    tiny_insn(&l, "\xf4", 1, "hlt");
}

/* The pages whose first touch made an exit, in order. */
static void tell_pages(struct sheet *s)
{
    for (unsigned i = 0; i < run.n_events; i++)
        if (run.event[i].kind == TRACE_NESTED_FILL)
            sheet_because_line(s, "page 0x%05x, at the instruction at %04x",
                               (unsigned)run.event[i].arg[0], (unsigned)trace_ip(&run.event[i]));
}

static void ask(struct sheet *s)
{
    unsigned of[N_EXITS];
    for (unsigned i = 0; i < N_EXITS; i++)
        of[i] = (unsigned)run.exits_by[i];
    sheet_ask_number(s, of[EXIT_IDX_IO], "How many exits are for I/O ports?");
    sheet_because(s, "One for each OUT that is executed, and one for each element of OUTSB: the "
                  "monitor is asked for each of them, for a device may answer each otherwise.");
    sheet_ask_number(s, of[EXIT_IDX_CPUID], "How many are for CPUID?");
    sheet_because(s, "CPUID exits always: what a guest may know of the processor is the monitor's "
                  "to say. PUSHF, CLI, POPF and RDTSC do not: the hardware keeps the guest's flags "
                  "apart, and adds an offset to the time.");
    sheet_ask_number(s, of[EXIT_IDX_EPT_VIOLATION], "How many are EPT violations, because a page "
                     "of RAM is touched for the first time?");
    sheet_because(s, "The nested tables are empty at first, and each violation maps one page of "
                  "4 KiB with all rights. Code, stack and data count alike; what was touched "
                  "before is there.");
    tell_pages(s);
    sheet_ask_number(s, of[EXIT_IDX_MMIO], "How many are accesses to memory where no RAM is?");
    sheet_because(s, "Addresses of devices, and those where nothing answers, are never mapped: "
                  "each access goes to the monitor, the tenth to a page as well as the first. "
                  "The VGA's text is no such case: nothing happens when it is written, so the "
                  "monitor maps it like RAM, and looks at it when it draws the screen.");
    sheet_ask_number(s, run.exits, "How many exits are there in all, the last HLT counted?");
    sheet_because(s, "The four numbers above, and 1.");
    sheet_ask_number(s, run.exits - of[EXIT_IDX_EPT_VIOLATION], "And if the same program ran once "
                     "more, with the same nested tables?");
    sheet_because(s, "The pages are mapped by then; all other exits come again. So exits for "
                  "memory are paid once, and those for devices for ever.");
}

void make_exits(struct sheet *s)
{
    struct tiny_code code = { .n = 0 };
    sheet_say(s, "This is all the software of a PC with nested paging. It runs in real mode, with "
              "DS, SS and CS at 0, SP at 0x8000 and interrupts off; port 0xe9 is a device that "
              "takes characters. RAM is below 0xa0000, and the page at 0xb8000, the text of the "
              "VGA, is mapped like RAM; nothing answers at 0xd0000 to 0xdffff.");
    write_program(s, &code);
    tiny_guest_run(&code, MMU_NESTED, 10000, &run);
    bug_if(run.exits_by[EXIT_IDX_HLT] != 1 || run.exits != run.exits_by[EXIT_IDX_IO] +
           run.exits_by[EXIT_IDX_CPUID] + run.exits_by[EXIT_IDX_EPT_VIOLATION] +
           run.exits_by[EXIT_IDX_MMIO] + 1, "a guest of exercise 7 exits for another reason");
    sheet_say(s, "Predict its exits before you look.");
    ask(s);
}
