/*
 * exercise/ept_saves.c -- exercise 14: what does nested paging save, and what does it cost?
 *
 * One program with page tables of its own runs twice on the machine, with shadow tables and with
 * nested ones.  Its exits are counted; what a walk costs is arithmetic (exercise 12).
 */
#include <stdlib.h>

#include "base/host.h"
#include "exercise/make.h"
#include "exercise/sheet.h"
#include "exercise/tiny_listing.h"

enum { AX, CX, DX, BX, SP, BP, SI, DI };
enum { DIRECTORY = 0x1000, TABLE = 0x2000, DATA = 0x9000 };

static struct tiny_run with_shadow, with_nested;        /* large */

/* What the guest does in each of its rounds. */
struct work {
    unsigned rounds, switches, reads, changes;
};

/* mov $value, %eax */
static void mov_eax(struct tiny_listing *l, uint32_t value)
{
    uint8_t bytes[] = { 0x66, 0xb8, (uint8_t)value, (uint8_t)(value >> 8),
                        (uint8_t)(value >> 16), (uint8_t)(value >> 24) };
    tiny_insn(l, bytes, sizeof bytes, "mov $0x%x, %%eax", value);
}

/* Page n is at physical n for all of the first 64 KiB; then paging is on.  The segments stay those
 * of real mode, so the code goes on with 16 bits. */
static void switch_paging_on(struct tiny_listing *l)
{
    mov_eax(l, 3);
    tiny_mov16(l, DI, TABLE);
    tiny_mov16(l, CX, 16);
    unsigned again = l->code->n;
    tiny_insn(l, "\x66\xab", 2, "stosl");
    tiny_insn(l, "\x66\x05\x00\x10\x00\x00", 6, "add $0x1000, %%eax");
    tiny_jump(l, "loop", 0xe2, again);
    tiny_insn(l, "\x66\xc7\x06\x00\x10\x03\x20\x00\x00", 9, "movl $0x2003, 0x1000");
    mov_eax(l, DIRECTORY);
    tiny_insn(l, "\x0f\x22\xd8", 3, "mov %%eax, %%cr3");
    tiny_insn(l, "\x0f\x20\xc0", 3, "mov %%cr0, %%eax");
    tiny_insn(l, "\x66\x0d\x01\x00\x01\x80", 6, "or $0x80010001, %%eax");
    tiny_insn(l, "\x0f\x22\xc0", 3, "mov %%eax, %%cr0");
}

static void work_one_round(struct tiny_listing *l, const struct work *w)
{
    mov_eax(l, DIRECTORY);
    for (unsigned i = 0; i < w->switches; i++)
        tiny_insn(l, "\x0f\x22\xd8", 3, "mov %%eax, %%cr3");
    for (unsigned i = 0; i < w->reads; i++) {
        unsigned at = DATA + 0x1000 * i;
        uint8_t read[] = { 0xa0, (uint8_t)at, (uint8_t)(at >> 8) };
        tiny_insn(l, read, sizeof read, "mov 0x%x, %%al", at);
    }
    for (unsigned i = 0; i < w->changes; i++) {
        unsigned at = DATA + 0x1000 * i, entry = TABLE + 4 * (at >> 12);
        uint8_t invert[] = { 0x66, 0x81, 0x36, (uint8_t)entry, (uint8_t)(entry >> 8), 2, 0, 0, 0 };
        uint8_t invlpg[] = { 0x0f, 0x01, 0x3e, (uint8_t)at, (uint8_t)(at >> 8) };
        tiny_insn(l, invert, sizeof invert, "xorl $2, 0x%x", entry);
        tiny_insn(l, invlpg, sizeof invlpg, "invlpg 0x%x", at);
    }
}

static void write_program(const struct work *w, struct tiny_code *code)
{
    struct tiny_listing l = { .code = code };
    switch_paging_on(&l);
    tiny_mov16(&l, BP, w->rounds);
    unsigned again = code->n;
    work_one_round(&l, w);
    tiny_insn(&l, "\x4d", 1, "dec %%bp");
    unsigned back = again - (code->n + 4);
    uint8_t jnz[] = { 0x0f, 0x85, (uint8_t)back, (uint8_t)(back >> 8) };
    tiny_insn(&l, jnz, sizeof jnz, "jnz %04x", TINY_CODE + again);
    tiny_insn(&l, "\xfa\xf4", 2, "cli; hlt");
}

static void give(struct sheet *s, const struct work *w)
{
    sheet_say(s, "A guest of 32-bit paging has its page directory at 0x%x, a page table at 0x%x "
              "and all its code in one page. It fills the tables with paging off, loads CR3, "
              "switches paging on by one load of CR0, and then does %u rounds of this:",
              DIRECTORY, TABLE, w->rounds);
    sheet_show(s, "load CR3 with the same value, %u times", w->switches);
    sheet_show(s, "read a byte of each of %u pages of data, always the same ones", w->reads);
    sheet_show(s, "of %u of these pages change the W bit in the page table, with an INVLPG for "
               "each", w->changes);
    sheet_say(s, "At last it executes HLT. No page of data was touched before the rounds, there "
              "is no stack, and nothing else is in any of these pages. All memory is mapped by 4 "
              "KiB.");
    sheet_say(s, "It was run with shadow tables, where loads of CR3 and of CR0's paging bits, "
              "INVLPG and page faults exit. There were %u page faults, all of them hidden: the "
              "monitor's to repair.", (unsigned)with_shadow.exits_by[EXIT_IDX_EXCEPTION]);
    sheet_say(s, "It was run again with nested tables, where none of these exit, but the first "
              "touch of each page does, be it by the guest or by the walk of its tables.");
}

static void ask(struct sheet *s, const struct work *w)
{
    unsigned exit_ns = 100 * sheet_pick(s, 8, 20), reference_ns = sheet_pick(s, 2, 20);
    uint64_t saved = (with_shadow.exits - with_nested.exits) * exit_ns;
    sheet_ask_number(s, with_shadow.exits_by[EXIT_IDX_CR_ACCESS], "With shadow tables: how many "
                     "exits are for control registers?");
    sheet_because(s, "%u * %u loads of CR3 in the rounds, the first one, and the load of CR0. "
                  "Each says what addresses mean from now on, so the monitor must hear of it.",
                  w->rounds, w->switches);
    sheet_ask_number(s, with_shadow.exits, "How many exits are there in all, HLT counted?");
    sheet_because(s, "These, %u * %u for INVLPG, the %u page faults, and HLT.", w->rounds,
                  w->changes, (unsigned)with_shadow.exits_by[EXIT_IDX_EXCEPTION]);
    sheet_ask_number(s, with_nested.exits, "And with nested tables, HLT counted?");
    sheet_because(s, "One for each page that is ever touched: code, directory, table and %u of "
                  "data; and HLT. Rounds cost none.", w->reads);
    sheet_ask_number(s, saved, "An exit costs %u ns. How many ns of exits does nested paging "
                     "save?", exit_ns);
    sheet_because(s, "(%u - %u) * %u.", (unsigned)with_shadow.exits, (unsigned)with_nested.exits,
                  exit_ns);
    sheet_ask_number(s, 10, "A shadow walk reads 4 entries of tables. How many more does a TLB "
                     "miss cost with nested tables of 4 levels, for this guest and without caches "
                     "of parts of a walk?");
    sheet_because(s, "The guest has 2 levels: (2 + 1) * (4 + 1) - 1 = 14 (exercise 12).");
    sheet_ask_number(s, saved / (10 * reference_ns), "Each such reference takes %u ns. How many "
                     "TLB misses use up what was saved, rounded down?", reference_ns);
    sheet_because(s, "%u / (10 * %u). So which of the two is faster is a question of the program: "
                  "many misses and few changes of tables speak for shadows, and almost everything "
                  "else for nested paging. Large nested pages make its walks shorter.",
                  (unsigned)saved, reference_ns);
}

void make_ept_saves(struct sheet *s)
{
    struct work w = { sheet_pick(s, 2, 12), sheet_pick(s, 1, 3), sheet_pick(s, 3, 7), 0 };
    struct tiny_code code = { .n = 0 };
    w.changes = sheet_pick(s, 1, w.reads);
    write_program(&w, &code);
    tiny_guest_run(&code, MMU_SHADOW, 10000, &with_shadow);
    tiny_guest_run(&code, MMU_NESTED, 10000, &with_nested);
    bug_if(with_nested.exits_by[EXIT_IDX_HLT] != 1 || with_shadow.exits_by[EXIT_IDX_HLT] != 1,
           "a guest of exercise 14 does not end");
    give(s, &w);
    ask(s, &w);
}
