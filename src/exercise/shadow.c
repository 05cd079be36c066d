/*
 * exercise/shadow.c -- exercise 13: what becomes of the shadow after each thing that a guest does.
 *
 * A guest's page tables are built, and the monitor's own shadow of them (mem/shadow.h); then the
 * guest reads, writes, changes its tables and invalidates.  What the shadow's walk and its keeper
 * say to each of these are the answers.
 *
 *     page directory 0x1000   entry 0: the table at 0x2000    entry 1: the table at 0x3000
 *     table 0x2000            the pages of the story, at linear PAGE_0 and behind
 *     table 0x3000            entry 0 maps the table at 0x2000, so that the guest can write to it
 */
#include <stdlib.h>

#include "base/host.h"
#include "base/x86.h"
#include "exercise/make.h"
#include "exercise/sheet.h"
#include "mem/gmem.h"
#include "mem/hmem.h"
#include "mem/shadow.h"

enum { DIRECTORY = 0x1000, TABLE = 0x2000, OTHER_TABLE = 0x3000, WINDOW = 0x400000 };
enum { PAGES = 3, PAGE_0 = 0x5000, FRAMES = 4, FRAME_0 = 0x8000, STEPS = 11 };

enum what { HIT, FILL, TRUE_FAULT, TABLE_WRITE, N_WHAT };

static const struct { const char *word, *because; } outcomes[N_WHAT] = {
    [HIT]         = { "hit",   "the shadow allows it" },
    [FILL]        = { "fill",  "the guest's entry allows it, and the shadow learns of it" },
    [TRUE_FAULT]  = { "true",  "the guest's entry forbids it" },
    [TABLE_WRITE] = { "table", "the table was write-protected, and is out of sync now" },
};

struct story {
    struct gmem   *memory;
    struct hmem   *hmem;
    struct shadow *shadow;
    struct paging  registers;
    struct sheet_text words, why;
    unsigned  accesses, exits;
    unsigned  stale_step;               /* a step that used an old translation; 0: none */
    gpa_t     stale_at;                 /* the page that it reached                    */
};

static void set_entry(struct story *t, gpa_t at, uint32_t entry)
{
    gmem_write(t->memory, at, &entry, sizeof entry);
}

static uint32_t get_entry(struct story *t, unsigned page)
{
    uint32_t entry = 0;
    gmem_read(t->memory, TABLE + 4 * (PAGE_0 / PAGE_SIZE + page), &entry, sizeof entry);
    return entry;
}

static void build(struct story *t)
{
    *t = (struct story){ .memory = gmem_new() };
    bug_if(!t->memory || gmem_add(t->memory, "RAM", 0, 0x100000, GMEM_RAM), "no guest memory");
    gmem_freeze(t->memory);
    t->hmem = hmem_new(t->memory);
    bug_if(!t->hmem, "no memory for tables");
    t->shadow = shadow_new(t->memory, t->hmem, NULL);
    bug_if(!t->shadow, "no memory for a shadow");
    set_entry(t, DIRECTORY, TABLE | PTE_P | PTE_W | PTE_A);
    set_entry(t, DIRECTORY + 4, OTHER_TABLE | PTE_P | PTE_W | PTE_A);
    set_entry(t, OTHER_TABLE, TABLE | PTE_P | PTE_W | PTE_A | PTE_D);
    t->registers = (struct paging){ .cr0 = CR0_PE | CR0_PG | CR0_WP, .cr3 = DIRECTORY };
    shadow_switch(t->shadow, &t->registers);
}

static void unbuild(struct story *t)
{
    shadow_free(t->shadow);
    hmem_free(t->hmem);
    gmem_free(t->memory);
    free(t->words.s);
    free(t->why.s);
}

/* An access as the processor makes it: through the shadow, and to the monitor if that will not do.
 * It must be done after one fault at most.  *gpa: where it came out, if it did. */
static enum what access_through(struct story *t, gla_t gla, unsigned access, gpa_t *gpa)
{
    static const enum what of[] = { [SHADOW_TRUE] = TRUE_FAULT, [SHADOW_FILLED] = FILL,
                                    [SHADOW_UNPROTECTED] = TABLE_WRITE };
    struct shadow_walk h;
    struct walk w;
    shadow_walk(t->hmem, shadow_registers(t->shadow), gla, access, &h);
    *gpa = h.gpa;
    if (h.ok)
        return HIT;
    t->exits++;
    enum shadow_verdict v = shadow_fault(t->shadow, gla, access, &w);
    bug_if(v >= NELEM(of), "a shadow of exercise 13 fails");
    shadow_walk(t->hmem, shadow_registers(t->shadow), gla, access, &h);
    bug_if(h.ok == (v == SHADOW_TRUE), "an access of exercise 13 needs more than one fault");
    *gpa = h.gpa;
    return of[v];
}

static void tell(struct story *t, unsigned step, enum what what)
{
    sheet_text_add(&t->words, "%s%s", t->accesses++ ? " " : "", outcomes[what].word);
    sheet_text_add(&t->why, "%2u. %s: %s\n", step, outcomes[what].word, outcomes[what].because);
}

static void step_access(struct sheet *s, struct story *t, unsigned step, unsigned page)
{
    bool write = sheet_pick(s, 0, 2) == 0;
    gpa_t gpa;
    sheet_show(s, "%2u. %s at 0x%x", step, write ? "write" : "read", PAGE_0 + page * PAGE_SIZE);
    enum what what = access_through(t, PAGE_0 + page * PAGE_SIZE, write ? WALK_WRITE : WALK_READ,
                                    &gpa);
    uint32_t now = get_entry(t, page);
    tell(t, step, what);
    if (what == HIT && (!(now & PTE_P) || (now & 0xfffff000) != gpa || (write && !(now & PTE_W)))) {
        t->stale_step = step;
        t->stale_at = gpa;
        sheet_text_add(&t->why, "     though the guest's entry is 0x%x by now\n", now);
    }
}

static void step_change(struct sheet *s, struct story *t, unsigned step, unsigned page)
{
    static const uint32_t bits[] = { PTE_P, PTE_P | PTE_W, PTE_P | PTE_W, 0 };
    uint32_t b = bits[sheet_pick(s, 0, NELEM(bits) - 1)];
    uint32_t entry = b ? FRAME_0 + PAGE_SIZE * sheet_pick(s, 0, FRAMES - 1) + b : 0;
    unsigned at = 4 * (PAGE_0 / PAGE_SIZE + page);
    gpa_t gpa;
    sheet_show(s, "%2u. write 0x%x to the entry of 0x%x in the table at 0x%x", step, entry,
               PAGE_0 + page * PAGE_SIZE, TABLE);
    enum what what = access_through(t, WINDOW + at, WALK_WRITE, &gpa);
    set_entry(t, gpa, entry);
    tell(t, step, what);
}

/* INVLPG, or a load of CR3 with the value that it has. */
static void step_forget(struct sheet *s, struct story *t, unsigned step, unsigned page)
{
    t->exits++;
    if (sheet_pick(s, 0, 3)) {
        sheet_show(s, "%2u. INVLPG of 0x%x", step, PAGE_0 + page * PAGE_SIZE);
        shadow_invlpg(t->shadow, PAGE_0 + page * PAGE_SIZE);
    } else {
        sheet_show(s, "%2u. 0x%x is loaded into CR3 again", step, DIRECTORY);
        shadow_switch(t->shadow, &t->registers);
    }
}

static void play(struct sheet *s, struct story *t)
{
    unsigned changed = 0;
    for (unsigned step = 1; step <= STEPS; step++) {
        unsigned kind = sheet_pick(s, 0, 9), page = sheet_pick(s, 0, PAGES - 1);
        if (step <= 2 || kind < 4)
            step_access(s, t, step, page);
        else if (kind < 6)
            step_change(s, t, step, changed = page);
        else if (kind < 8)
            step_access(s, t, step, changed);
        else
            step_forget(s, t, step, changed);
    }
}

static void give(struct sheet *s, struct story *t)
{
    sheet_say(s, "A guest uses 32-bit paging; its page directory at 0x%x leads to a page table at "
              "0x%x, which maps linear 0x%x, 0x%x and 0x%x. The guest can reach that table at "
              "another linear address, through another table that is never changed. CR0.WP is "
              "set, and all accesses are the kernel's. At first the table says:", DIRECTORY,
              TABLE, PAGE_0, PAGE_0 + PAGE_SIZE, PAGE_0 + 2 * PAGE_SIZE);
    for (unsigned i = 0; i < PAGES; i++) {
        uint32_t entry = FRAME_0 + PAGE_SIZE * sheet_pick(s, 0, FRAMES - 1) + PTE_P;
        entry |= sheet_pick(s, 0, 3) ? PTE_W : 0;
        set_entry(t, TABLE + 4 * (PAGE_0 / PAGE_SIZE + i), entry);
        sheet_show(s, "0x%x:  0x%x", PAGE_0 + i * PAGE_SIZE, entry);
    }
    sheet_say(s, "The monitor keeps a shadow of it, empty at first. What the shadow allows is no "
              "exit (hit). Else there is a page fault, and the monitor walks the guest's tables "
              "as they are now. If they forbid the access, the guest gets the fault (true). If "
              "they allow it, A bits (and for a write the D bit) are set in them, and the shadow "
              "gets an entry for this one page (fill), writable only if W and D are set; and the "
              "table is write-protected, if it is not out of sync.");
    sheet_say(s, "A guest's write to the table is an access, too. It is a hit if its page is "
              "mapped and the table is not write-protected; a fill if its page is not mapped yet "
              "and the table is not write-protected; and if it is write-protected, the write is "
              "let through and the table is out of sync from now on (table): it can be written "
              "without exits, and the shadow goes on believing what it has. INVLPG, if the table "
              "is out of sync, removes the shadow's entry of that page. A load of CR3, if the "
              "table is out of sync, removes all entries of the three pages, and the table is "
              "neither out of sync nor write-protected until the next fill. If the table is in "
              "sync, both change nothing. This happens:");
}

static void ask(struct sheet *s, struct story *t)
{
    sheet_ask_words(s, t->words.s, "What is each access (read or write, in order, those to the "
                    "table too): hit, fill, true or table? (%u words with blanks between.)",
                    t->accesses);
    sheet_because(s, "Each was really made, in a shadow of Vitrine's own:");
    for (const char *line = t->why.s; *line; ) {
        int n = 0;
        while (line[n] != '\n')
            n++;
        sheet_because_line(s, "%.*s", n, line);
        line += n + 1;
    }
    sheet_ask_number(s, t->stale_step, "Which is the last step that used a translation, or a "
                     "right, that the guest's table did not give any more at that time? (Its "
                     "number; 0: none.)");
    if (t->stale_step)
        sheet_because(s, "Step %u reached physical 0x%x by the old entry. That is no mistake of "
                      "the monitor: a processor's TLB may do the same until INVLPG or a load of "
                      "CR3, and a shadow is a large TLB.", t->stale_step, (unsigned)t->stale_at);
    else
        sheet_because(s, "Whenever the shadow was used, its entry was what the guest's table "
                      "said. (It might have been otherwise: until an INVLPG or a load of CR3 the "
                      "shadow may be as old as a TLB.)");
    sheet_ask_number(s, t->exits, "How many exits were there in all, each INVLPG and load of CR3 "
                     "being one?");
    sheet_because(s, "All but the hits: with shadow tables the monitor must hear of everything "
                  "that changes what an address means.");
    sheet_ask_number(s, 0, "And with nested paging, if all pages had been touched before?");
    sheet_because(s, "The processor walks the guest's tables by itself, and true faults go to the "
                  "guest's handler without the monitor.");
}

void make_shadow(struct sheet *s)
{
    struct story t;
    build(&t);
    give(s, &t);
    play(s, &t);
    ask(s, &t);
    unbuild(&t);
}
