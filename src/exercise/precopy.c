/*
 * exercise/precopy.c -- exercise 23: the rounds of a live migration by pre-copy.
 *
 * The rounds are played one by one until what is left is small enough.
 */
#include <stdlib.h>

#include "exercise/make.h"
#include "exercise/sheet.h"

void make_precopy(struct sheet *s)
{
    unsigned pages = 1024 * sheet_pick(s, 64, 512), bandwidth = 1000 * sheet_pick(s, 20, 60);
    unsigned rate = 1000 * sheet_pick(s, 3, 15), stop = 100 * sheet_pick(s, 2, 30);
    unsigned rounds = 0, sent = 0, left = pages;
    struct sheet_text sizes = { 0 };
    sheet_say(s, "A guest of %u pages is migrated while it runs. The network carries %u pages a "
              "second; the guest writes to %u different pages a second, never the same one twice "
              "in a round. The first round sends all pages; each further round sends those that "
              "were written during the one before (rounded down to whole pages). As soon as at "
              "most %u pages are left, the guest is stopped and they are sent.", pages,
              bandwidth, rate,
              stop);
    for (; left > stop; rounds++) {
        sheet_text_add(&sizes, "%s%u", rounds ? ", " : "", left);
        sent += left;
        left = (unsigned)((uint64_t)left * rate / bandwidth);
    }
    sheet_ask_number(s, rounds, "How many rounds are sent while the guest runs?");
    sheet_because(s, "They send %s pages; each is %u / %u of the one before.", sizes.s, rate,
                  bandwidth);
    free(sizes.s);
    sheet_ask_number(s, left, "How many pages are left for the time when it is stopped?");
    sheet_because(s, "The first number that is not above %u.", stop);
    sheet_ask_number(s, UINT64_C(1000000) * left / bandwidth, "How long is the guest stopped, in "
                     "microseconds, rounded down?");
    sheet_because(s, "%u pages at %u a second.", left, bandwidth);
    sheet_ask_number(s, sent + left, "How many pages are sent in all?");
    sheet_because(s, "%u while it runs and %u while it is stopped: %u more than it has. With a "
                  "guest that writes as fast as the network carries, the rounds would never get "
                  "smaller.", sent, left, sent + left - pages);
}
