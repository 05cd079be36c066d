/*
 * exercise/share.c -- exercises 17 to 20, 22 and 23: arithmetic of a host that many guests share.
 *
 * Interrupt storms, virtual disks, memory that is lent twice, processor time by shares, and what
 * consolidation saves; each is a few lines of computation with its reasoning.
 */
#include <stdlib.h>

#include "exercise/make.h"
#include "exercise/sheet.h"

/* ---- 18: a virtual disk ---- */

void make_disk(struct sheet *s)
{
    unsigned heads = 2 * sheet_pick(s, 2, 8), sectors = sheet_pick(s, 9, 63);
    unsigned c = sheet_pick(s, 1, 900), h = sheet_pick(s, 0, heads - 1);
    unsigned sec = sheet_pick(s, 1, sectors), header = 512 * sheet_pick(s, 1, 64);
    unsigned other = sheet_pick(s, heads * sectors, 900 * heads * sectors);
    unsigned lba = (c * heads + h) * sectors + sec - 1;
    uint64_t offset = header + UINT64_C(512) * lba;
    sheet_say(s, "A virtual disk has %u heads and %u sectors of 512 bytes on each track; sectors "
              "count from 1, cylinders and heads from 0. It is kept in a file, whose first %u "
              "bytes are a header; the sectors follow in order of their number.", heads, sectors,
              header);
    sheet_say(s, "The guest's operation e writes one sector at cylinder %u, head %u, sector %u. "
              "The monitor does e' instead: a write to the file.", c, h, sec);
    sheet_ask_number(s, lba, "Which number has the sector (from 0)?");
    sheet_because(s, "(%u * %u + %u) * %u + %u - 1 = %u.", c, heads, h, sectors, sec, lba);
    sheet_ask_number(s, offset, "At which offset of the file does e' begin: V(sector)?");
    sheet_because(s, "%u + 512 * %u. V maps the guest's state to the host's, and e' does to "
                  "V(state) what e does to the state: whichever way round, the result is the "
                  "same.", header,
                  lba);
    uint64_t at = header + UINT64_C(512) * other;
    unsigned track = other / sectors;
    sheet_ask_number(s, track / heads, "And back: a byte at offset %llu of the file belongs to "
                     "which cylinder?", (unsigned long long)at);
    sheet_because(s, "(%llu - %u) / 512 = %u; / %u sectors = track %u; / %u heads = %u.",
                  (unsigned long long)at, header, other, sectors, track, heads, track / heads);
    sheet_ask_number(s, track % heads, "To which head?");
    sheet_because(s, "Track %u mod %u.", track, heads);
    sheet_ask_number(s, other % sectors + 1, "And to which sector of the track?");
    sheet_because(s, "%u mod %u, and 1, because sectors count from 1.", other, sectors);
}

/* ---- 20: stride scheduling ---- */

enum { CPUS = 3, QUANTA = 10, STRIDE_ONE = 2520 };      /* divisible by 1 to 10 */

void make_stride(struct sheet *s)
{
    unsigned tickets[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, pass[CPUS] = { 0 }, runs[CPUS] = { 0 };
    struct sheet_text order = { 0 };
    sheet_shuffle(s, tickets, NELEM(tickets), sizeof tickets[0]);
    unsigned all = tickets[0] + tickets[1] + tickets[2];
    sheet_say(s, "Three virtual CPUs share one processor by stride scheduling. A has %u tickets, B "
              "%u, C %u; a CPU's stride is %d / tickets. All passes begin at 0. The CPU of lowest "
              "pass runs for a quantum, then its stride is added to its pass; of equal ones the "
              "first in the alphabet runs.", tickets[0], tickets[1], tickets[2], STRIDE_ONE);
    for (unsigned q = 0; q < QUANTA; q++) {
        unsigned best = 0;
        for (unsigned i = 1; i < CPUS; i++)
            best = pass[i] < pass[best] ? i : best;
        pass[best] += STRIDE_ONE / tickets[best];
        runs[best]++;
        sheet_text_add(&order, "%s%c", q ? " " : "", 'A' + (char)best);
    }
    sheet_ask_words(s, order.s, "Which run in the first %d quanta? (Letters with blanks between.)",
                    QUANTA);
    sheet_because(s, "The strides are %u, %u and %u. After these quanta the passes are %u, %u "
                  "and %u.",
                  STRIDE_ONE / tickets[0], STRIDE_ONE / tickets[1], STRIDE_ONE / tickets[2],
                  pass[0], pass[1], pass[2]);
    free(order.s);
    sheet_ask_number(s, runs[0], "How many of them did A get?");
    sheet_because(s, "Its share would be %d * %u / %u = %u.%02u.", QUANTA, tickets[0], all,
                  QUANTA * tickets[0] / all, QUANTA * tickets[0] * 100 / all % 100);
    sheet_ask_number(s, 1000 * tickets[0] / all, "In the long run, how many of 1000 quanta are "
                     "A's, rounded down?");
    sheet_because(s, "1000 * %u / %u.", tickets[0], all);
    sheet_ask_number(s, 1000 * tickets[0] / (tickets[0] + tickets[1]), "And if C sleeps?");
    sheet_because(s, "What C leaves is shared by the others in proportion to their tickets: 1000 * "
                  "%u / %u.", tickets[0], tickets[0] + tickets[1]);
}

/* ---- 22: consolidation ---- */

void make_consolidate(struct sheet *s)
{
    unsigned n = sheet_pick(s, 20, 200), load = sheet_pick(s, 8, 25), most = sheet_pick(s, 60, 85);
    unsigned overhead = sheet_pick(s, 3, 12), idle = sheet_pick(s, 120, 220);
    unsigned busy = idle + sheet_pick(s, 80, 250);
    unsigned work = n * load * (100 + overhead);        /* hundredths of a percent of one server */
    unsigned hosts = (work + 100 * most - 1) / (100 * most);
    unsigned before = n * (100 * idle + load * (busy - idle)) / 100;
    sheet_say(s, "%u servers are busy %u %% of the time on average, as servers with one "
              "application each are (the textbooks say 20 %%). They become virtual machines on "
              "hosts of the same kind. Virtualization adds %u %% to the work, and no host is to "
              "be busier than %u %%.", n, load, overhead, most);
    sheet_say(s, "A server takes %u W when it is idle, %u W when it is busy all the time, and in "
              "between in proportion.", idle, busy);
    sheet_ask_number(s, hosts, "How many hosts are needed at least?");
    sheet_because(s, "The work is %u * %u %% * 1.%02u = %u.%02u %% of one server; divided by "
                  "%u %%, and rounded up: %u.", n, load, overhead, work / 100, work % 100, most,
                  hosts);
    sheet_ask_number(s, work / (100 * hosts), "How busy are they then, in percent, rounded down?");
    sheet_because(s, "%u.%02u %% / %u.", work / 100, work % 100, hosts);
    sheet_ask_number(s, before, "How many watts did the servers take before, rounded down?");
    sheet_because(s, "%u * (%u + %u %% of %u).", n, idle, load, busy - idle);
    unsigned after = (hosts * idle * 10000 + work * (busy - idle)) / 10000;
    sheet_ask_number(s, after, "And how many do the hosts take, rounded down?");
    sheet_because(s, "%u * %u, and %u.%02u %% of %u. An idle server still takes most of its power, "
                  "so switching servers off is what saves.", hosts, idle, work / 100, work % 100,
                  busy - idle);
}

/* ---- 23: pre-copy ---- */

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

/* ---- 19: ballooning ---- */

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
    sheet_ask_number(s, 100 * all / (host - own), "How much of the memory that is there for guests "
                     "was promised, in percent, rounded down?");
    sheet_because(s, "%u / (%u - %u).", all, host, own);
    sheet_ask_number(s, over, "How many MiB must balloons take back in all, so that nothing is "
                     "swapped out? (0: none)");
    sheet_because(s, "%u were promised and touched, %u are there.", all, host - own);
    sheet_ask_number(s, over > unused ? over - unused : 0, "If no balloon takes what its guest "
                     "uses: how many MiB must the host swap all the same?");
    sheet_because(s, "What is not used are %u MiB. The monitor cannot know which pages these are; "
                  "the balloon's driver asks the guest's own kernel for pages, and that gives "
                  "those it needs least.", unused);
}

/* ---- 17: interrupt storms ---- */

void make_storm(struct sheet *s)
{
    unsigned packets = 1000 * sheet_pick(s, 20, 150), handler = 100 * sheet_pick(s, 10, 30);
    unsigned exits = sheet_pick(s, 2, 4), exit_ns = 100 * sheet_pick(s, 8, 25);
    unsigned batch = sheet_pick(s, 8, 64), each = handler + exits * exit_ns;
    unsigned work = 100 * sheet_pick(s, 5, 15);
    sheet_say(s, "A network card interrupts for every packet. The guest's handler takes %u ns, and "
              "each interrupt costs %u exits of %u ns (injection, EOI and the like). The packet "
              "itself takes %u ns of work after that.", handler, exits, exit_ns, work);
    sheet_ask_number(s, 1000000000u / (each + work), "How many packets a second can the guest take "
                     "at most, rounded down?");
    sheet_because(s, "One takes %u + %u * %u + %u = %u ns.", handler, exits, exit_ns, work,
                  each + work);
    sheet_ask_number(s, 100 * exits * exit_ns / (each + work), "How much of that time is spent in "
                     "exits, in percent, rounded down?");
    sheet_because(s, "%u of %u ns.", exits * exit_ns, each + work);
    sheet_ask_number(s, 1000000000u / packets < each ? 1 : 0, "%u packets a second arrive, and "
                     "interrupts have priority over the work. Is the guest in a livelock, with no "
                     "time left for the work at all? (1: yes, 0: no)", packets);
    sheet_because(s, "A packet arrives every %u ns; interrupt and exits take %u.",
                  1000000000u / packets, each);
    uint64_t batched = UINT64_C(1000000000) * batch / (each + batch * work);
    sheet_ask_number(s, batched, "With one interrupt for %u packets (moderation), how many packets "
                     "a second can the guest take at most, rounded down?", batch);
    sheet_because(s, "%u packets take %u + %u * %u ns.", batch, each, batch, work);
}
