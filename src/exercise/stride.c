/*
 * exercise/stride.c -- exercise 20: three virtual CPUs share one by stride scheduling.
 *
 * The scheduler is run for some quanta, and what it chose is the answer.
 */
#include <stdlib.h>
#include <string.h>

#include "exercise/make.h"
#include "exercise/sheet.h"

enum { CPUS = 3, QUANTA = 10, STRIDE_ONE = 2520 };      /* divisible by 1 to 10 */

void make_stride(struct sheet *s)
{
    unsigned tickets[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, pass[CPUS] = { 0 }, runs[CPUS] = { 0 };
    struct sheet_text order = { 0 }, story = { 0 };
    sheet_shuffle(s, tickets, NELEM(tickets), sizeof tickets[0]);
    unsigned all = tickets[0] + tickets[1] + tickets[2];
    sheet_say(s, "Three virtual CPUs share one processor by stride scheduling. A has %u tickets, "
              "B %u, C %u; a CPU's stride is %d / tickets. All passes begin at 0. The CPU of "
              "lowest pass runs for a quantum, then its stride is added to its pass; of equal "
              "ones the first in the alphabet runs.", tickets[0], tickets[1], tickets[2],
              STRIDE_ONE);
    for (unsigned q = 0; q < QUANTA; q++) {
        unsigned best = 0;
        for (unsigned i = 1; i < CPUS; i++)
            best = pass[i] < pass[best] ? i : best;
        sheet_text_add(&story, "quantum %2u  passes A %4u, B %4u, C %4u: %c runs\n",
                       q + 1, pass[0], pass[1], pass[2], 'A' + (char)best);
        pass[best] += STRIDE_ONE / tickets[best];
        runs[best]++;
        sheet_text_add(&order, "%s%c", q ? " " : "", 'A' + (char)best);
    }
    sheet_ask_words(s, order.s, "Which run in the first %d quanta? (Letters with blanks "
                    "between.)", QUANTA);
    sheet_because(s, "The strides are %u, %u and %u.", STRIDE_ONE / tickets[0],
                  STRIDE_ONE / tickets[1], STRIDE_ONE / tickets[2]);
    for (char *line = strtok(story.s, "\n"); line; line = strtok(NULL, "\n"))
        sheet_because_line(s, "%s", line);
    free(story.s);
    free(order.s);
    sheet_ask_number(s, runs[0], "How many of them did A get?");
    sheet_because(s, "Its share would be %d * %u / %u = %u.%02u.", QUANTA, tickets[0], all,
                  QUANTA * tickets[0] / all, QUANTA * tickets[0] * 100 / all % 100);
    sheet_ask_number(s, 1000 * tickets[0] / all, "In the long run, how many of 1000 quanta are "
                     "A's, rounded down?");
    sheet_because(s, "1000 * %u / %u.", tickets[0], all);
    sheet_ask_number(s, 1000 * tickets[0] / (tickets[0] + tickets[1]), "And if C sleeps?");
    sheet_because(s, "What C leaves is shared by the others in proportion to their tickets: 1000 "
                  "* %u / %u.", tickets[0], tickets[0] + tickets[1]);
}
