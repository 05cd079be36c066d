/*
 * debugger/tui/walk.h -- one address on its way through two tables, drawn.
 *
 * A guest-linear address (gla) becomes an address in the monitor's memory (hva) by way of
 * two tables.  With nested paging the CPU walks both; with shadow paging it walks the
 * shadow alone, which the monitor has made of the guest's tables:
 *
 *     nested    gla -- the guest's tables --> gpa -- EPT --> hva
 *     shadow    gla -- the shadow ------------------------> hva
 *
 * The pane `paging` draws the guest's tables and beside them the other one.  See
 * [SDM 3A "Paging"] for the entries and [SDM 3C "The Extended Page Table Mechanism (EPT)"].
 */
#ifndef DEBUGGER_TUI_WALK_H
#define DEBUGGER_TUI_WALK_H

#include "debugger/link/link.h"
#include "debugger/tui/draw.h"

struct tui;

/* What both tables say of an address, and what they said of it at the stop before.  All
 * zero before the first walk_look(). */
struct walk_view {
    bool     known;             /* the fields below are valid                              */
    bool     has_before;        /* this address was looked up at the stop before, too      */
    uint64_t gla;
    uint64_t stops, asked_ns;   /* live.stops, and the host's time, when it was looked up  */
    int      err;               /* what link_second() gave for `second`: 0 or -errno       */
    struct walk walk, before;                   /* through the guest's tables              */
    struct link_second second, second_before;   /* through the other one                   */

    /* nested: where each of the guest's tables lies itself.  Its address is a gpa too, so
     * the CPU walks the EPT for every step of the guest's walk. */
    struct link_second of_step[4];
};

/* Look gla up, unless it has been looked up since the guest stopped.  Only live. */
void walk_look(struct tui *t, struct walk_view *v, uint64_t gla);

/* Draw it from line y on; returns the line below. */
int walk_draw(struct tui *t, const struct walk_view *v, const struct area *a, int y);

/* What entries of a level are called: 1 is "PTE", 4 is "PML4E". */
const char *walk_level_name(unsigned level);

/* The flags of an entry of the guest's tables, "PWU-- NX" or the like, in buf. */
const char *walk_bits(uint64_t entry, char *buf, size_t n);

#endif
