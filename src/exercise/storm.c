/*
 * exercise/storm.c -- exercise 17: interrupt storms, livelock, and what moderation does about them.
 *
 * Each packet costs its work, and each interrupt its handler and some exits.
 */
#include "exercise/make.h"
#include "exercise/sheet.h"

void make_storm(struct sheet *s)
{
    unsigned packets = 1000 * sheet_pick(s, 20, 150), handler = 100 * sheet_pick(s, 10, 30);
    unsigned exits = sheet_pick(s, 2, 4), exit_ns = 100 * sheet_pick(s, 8, 25);
    unsigned batch = sheet_pick(s, 8, 64), each = handler + exits * exit_ns;
    unsigned work = 100 * sheet_pick(s, 5, 15);
    sheet_say(s, "A network card interrupts for every packet. The guest's handler takes %u ns, "
              "and each interrupt costs %u exits of %u ns (injection, EOI and the like). The "
              "packet itself takes %u ns of work after that.", handler, exits, exit_ns, work);
    sheet_ask_number(s, 1000000000u / (each + work), "How many packets a second can the guest "
                     "take at most, rounded down?");
    sheet_because(s, "One takes %u + %u * %u + %u = %u ns.", handler, exits, exit_ns, work,
                  each + work);
    sheet_ask_number(s, 100 * exits * exit_ns / (each + work), "How much of that time is spent in "
                     "exits, in percent, rounded down?");
    sheet_because(s, "%u of %u ns.", exits * exit_ns, each + work);
    bool livelock = 1000000000u / packets < each;
    sheet_ask_choice(s, sheet_yes_no, 2, !livelock, "%u packets a second arrive, and interrupts "
                     "have priority over the work. Is the guest in a livelock, with no time left "
                     "for the work at all?", packets);
    sheet_because(s, "A packet arrives every %u ns; interrupt and exits take %u. %s",
                  1000000000u / packets, each, livelock ? "So the next interrupt is there before "
                  "the last one is done with: the handler runs all the time, and every packet it "
                  "takes is thrown away in the end." : "What is left in between is for the work, "
                  "though it may not be enough for all packets.");
    uint64_t batched = UINT64_C(1000000000) * batch / (each + batch * work);
    sheet_ask_number(s, batched, "With one interrupt for %u packets (moderation), how many "
                     "packets a second can the guest take at most, rounded down?", batch);
    sheet_because(s, "%u packets take %u + %u * %u ns: handler and exits are paid once. The price "
                  "is that a packet may wait for the others.", batch, each, batch, work);
}
