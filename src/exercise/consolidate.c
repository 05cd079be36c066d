/*
 * exercise/consolidate.c -- exercise 22: what consolidation saves in servers and in watts.
 *
 * Plain arithmetic; all of it is in hundredths of a percent, so that nothing is rounded twice.
 */
#include "exercise/make.h"
#include "exercise/sheet.h"

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
