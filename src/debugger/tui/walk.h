/*
 * debugger/tui/walk.h -- one address on its way through two tables, drawn.
 */
#ifndef DEBUGGER_TUI_WALK_H
#define DEBUGGER_TUI_WALK_H

#include "debugger/link/link.h"
#include "debugger/tui/draw.h"

struct tui;

/* What was found of an address; and what it was at the stop before. */
struct walk_view {
    bool     known, has_before;
    uint64_t gla, stops, asked_ns;
    int      err;               /* of the second table: link_second() */
    struct walk walk, before;
    struct link_second second, second_before;
    struct link_second of_step[4];      /* nested: where the guest's tables themselves lie */
};

/* Look gla up, if it has not been since the guest stopped. */
void walk_look(struct tui *t, struct walk_view *v, uint64_t gla);

/* From line y on; the line below it. */
int walk_draw(struct tui *t, const struct walk_view *v, const struct area *a, int y);

const char *walk_level_name(unsigned level);            /* of an entry: 1 is "PTE" */
const char *walk_bits(uint64_t entry, char *buf, size_t n);

#endif
