/*
 * exercise/balloon.c -- exercise 19: memory that was promised to more than one guest.
 *
 * What balloons can take back, and what the host must swap all the same.
 */
#include "exercise/make.h"
#include "exercise/sheet.h"

void make_balloon(struct sheet *s)
{
    unsigned host = 64 * sheet_pick(s, 40, 80), own = 64 * sheet_pick(s, 4, 12);
    unsigned size[3], used[3], all = 0, unused = 0;
    for (unsigned i = 0; i < 3; i++) {
        size[i] = 64 * sheet_pick(s, 20, 40);
        used[i] = size[i] * sheet_pick(s, 30, 60) / 100;
        all += size[i];
        unused += size[i] - used[i];
    }
    unsigned over = all > host - own ? all - (host - own) : 0;
    sheet_say(s, "A host has %u MiB, of which the monitor needs %u. Guests A, B and C were "
              "promised %u, %u and %u MiB; of these they use %u, %u and %u, but each has touched "
              "all of its memory once.", host, own, size[0], size[1], size[2], used[0], used[1],
              used[2]);
    sheet_ask_number(s, 100 * all / (host - own), "How much of the memory that is there for "
                     "guests was promised, in percent, rounded down?");
    sheet_because(s, "%u / (%u - %u).", all, host, own);
    sheet_ask_number(s, over, "How many MiB must balloons take back in all, so that nothing is "
                     "swapped out? (0: none)");
    sheet_because(s, "%u were promised and touched, %u are there.", all, host - own);
    sheet_ask_number(s, over > unused ? over - unused : 0, "If no balloon takes what its guest "
                     "uses: how many MiB must the host swap all the same?");
    sheet_because(s, over > unused ? "Balloons can take what is not used, %u MiB; the rest of the "
                  "%u must be swapped." : "Not used are %u MiB, and %u are to be taken back: the "
                  "balloons can do it alone.", unused, over);
    sheet_because(s, "The monitor cannot know which pages these are. The balloon is a driver in "
                  "the guest: it asks the guest's own kernel for pages, which gives those that it "
                  "needs least, and the monitor takes them.");
}
