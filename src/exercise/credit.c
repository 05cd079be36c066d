/*
 * exercise/credit.c -- exercise 21: a credit scheduler, tick by tick.
 *
 * The scheduler is the first one of Xen in small: weights, credits that are burnt and handed out
 * again, and a boost for whoever wakes.  It is run for some ticks, and what it chose is the answer.
 * [Cherkasova, Gupta and Vahdat, "Comparison of the Three CPU Schedulers in Xen"]
 */
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "exercise/make.h"
#include "exercise/sheet.h"

enum { CPUS = 3, TICKS = 12, PERIOD = 3, GRANT = 300, BURN = 100, SLEEPER = CPUS - 1 };

struct scheduler {                      /* and what became of it */
    unsigned weight[CPUS];
    int      credits[CPUS];
    unsigned queue[CPUS], n_queued;     /* who is awake; the longest waiting first    */
    unsigned sleeps_at, wakes_at;       /* the sleeper; before the tick of that number */
    bool     was_boosted;
    bool     ran_again;
    unsigned waited;                    /* ticks from its waking until it ran         */
    struct sheet_text order, story;
};

static void enqueue(struct scheduler *c, unsigned at, unsigned cpu)
{
    memmove(c->queue + at + 1, c->queue + at, (c->n_queued - at) * sizeof c->queue[0]);
    c->queue[at] = cpu;
    c->n_queued++;
}

static void dequeue(struct scheduler *c, unsigned at)
{
    c->n_queued--;
    memmove(c->queue + at, c->queue + at + 1, (c->n_queued - at) * sizeof c->queue[0]);
}

static unsigned place_of(const struct scheduler *c, unsigned cpu)
{
    unsigned i = 0;
    while (c->queue[i] != cpu)
        i++;
    return i;
}

/* Credits for all that are awake, by their weights. */
static void hand_out(struct scheduler *c)
{
    unsigned all = 0;
    for (unsigned i = 0; i < c->n_queued; i++)
        all += c->weight[c->queue[i]];
    for (unsigned i = 0; i < c->n_queued; i++) {
        int *credits = &c->credits[c->queue[i]];
        *credits += (int)(GRANT * c->weight[c->queue[i]] / all);
        *credits = *credits > GRANT ? GRANT : *credits;
    }
}

/* The place in the queue of who runs next: the first that has credits, or else the first. */
static unsigned choose_next(const struct scheduler *c)
{
    for (unsigned i = 0; i < c->n_queued; i++)
        if (c->credits[c->queue[i]] > 0)
            return i;
    return 0;
}

static void sleep_or_wake(struct scheduler *c, unsigned tick)
{
    if (tick == c->sleeps_at)
        dequeue(c, place_of(c, SLEEPER));
    if (tick == c->wakes_at) {
        c->was_boosted = c->credits[SLEEPER] > 0;
        enqueue(c, c->was_boosted ? 0 : c->n_queued, SLEEPER);
    }
}

static void play(struct scheduler *c)
{
    for (unsigned tick = 0; tick < TICKS; tick++) {
        sleep_or_wake(c, tick);
        if (tick % PERIOD == 0)
            hand_out(c);
        unsigned at = choose_next(c), cpu = c->queue[at];
        c->ran_again |= tick >= c->wakes_at && cpu == SLEEPER;
        c->waited += tick >= c->wakes_at && !c->ran_again;
        sheet_text_add(&c->order, "%s%c", tick ? " " : "", 'A' + (char)cpu);
        sheet_text_add(&c->story, "tick %2u  credits A %4d, B %4d, C %4d%s: %c runs\n", tick,
                       c->credits[0], c->credits[1], c->credits[2],
                       tick >= c->sleeps_at && tick < c->wakes_at ? " (asleep)" : "",
                       'A' + (char)cpu);
        c->credits[cpu] -= BURN;
        dequeue(c, at);
        enqueue(c, c->n_queued, cpu);
    }
}

static void give(struct sheet *s, const struct scheduler *c)
{
    sheet_say(s, "Virtual CPUs A, B and C of three guests share one processor by a credit "
              "scheduler. Their weights are %u, %u and %u. Time goes in ticks of 10 ms, numbered "
              "from 0, and whoever runs, runs for a whole tick.", c->weight[0], c->weight[1],
              c->weight[2]);
    sheet_say(s, "Before tick 0, and then before every %drd tick (3, 6, 9), %d credits are handed "
              "out to those that are awake, in proportion to their weights, each part rounded "
              "down; nobody keeps more than %d. All begin with none. A tick costs who has run in "
              "it %d credits, so they can fall below 0.", PERIOD, GRANT, GRANT, BURN);
    sheet_say(s, "Those that are awake wait in a queue, at first A, B, C. The first in it that has "
              "credits (more than 0) runs; if none has, the first of all. After its tick it goes "
              "to the end. C goes to sleep before tick %u and wakes before tick %u. Asleep it is "
              "not in the queue, gets nothing, and keeps what it has. If it wakes with credits it "
              "comes to the front of the queue (the boost), else to the end. It sleeps and wakes "
              "before credits are handed out.", c->sleeps_at, c->wakes_at);
}

static void ask(struct sheet *s, struct scheduler *c)
{
    unsigned all = c->weight[0] + c->weight[1] + c->weight[2];
    sheet_ask_words(s, c->order.s, "Which run in ticks 0 to %d? (Letters with blanks between.)",
                    TICKS - 1);
    sheet_because(s, "With the credits before each tick, when those of the period are handed out:");
    for (char *line = strtok(c->story.s, "\n"); line; line = strtok(NULL, "\n"))
        sheet_because_line(s, "%s", line);
    sheet_ask_choice(s, sheet_yes_no, 2, !c->was_boosted, "Is C boosted when it wakes?");
    sheet_because(s, "It is if it went to sleep with credits. A guest that waits for a network or "
                  "a disk uses little of its share, so it mostly has some; so the boost gives it "
                  "short delays without giving it more time.");
    sheet_ask_number(s, c->waited, "How many ticks does it wait from its waking until it runs "
                     "(0: it runs at once)?");
    sheet_because(s, c->was_boosted ? "It comes to the front and has credits." :
                  "It comes to the end of the queue like anybody else.");
    sheet_ask_number(s, 1000 * c->weight[0] / all, "If nobody ever sleeps: how many of 1000 ticks "
                     "are A's in the long run, rounded down?");
    sheet_because(s, "1000 * %u / %u: as with stride scheduling (exercise 20). What differs is "
                  "the short run.", c->weight[0], all);
    unsigned capped = 1000 * c->weight[1] * 8 / (10 * (c->weight[1] + c->weight[2]));
    sheet_ask_number(s, capped, "And if A's guest always runs and is capped at 20 %% (it gets no "
                     "more, even if the processor is idle): how many of 1000 ticks are B's then, "
                     "rounded down? (A would have more than that by its weight.)");
    sheet_because(s, "A has 200. The other 800 are divided by the weights of the others: 800 * %u "
                  "/ %u. A weight promises a part of what is asked for; a cap makes a guest as "
                  "slow on an empty host as on a full one, which is what some pay for.",
                  c->weight[1], c->weight[1] + c->weight[2]);
}

/* A story in which the sleeper wakes and runs again. */
static void invent(struct sheet *s, struct scheduler *c)
{
    do {
        free(c->order.s);
        free(c->story.s);
        *c = (struct scheduler){ .queue = { 0, 1, 2 }, .n_queued = CPUS };
        c->weight[0] = 256 * sheet_pick(s, 2, 4);
        c->weight[1] = 128 * sheet_pick(s, 1, 6);
        c->weight[2] = 128 * sheet_pick(s, 1, 6);
        c->sleeps_at = sheet_pick(s, 1, 4);
        c->wakes_at = c->sleeps_at + sheet_pick(s, 2, 5);
        play(c);
    } while (!c->ran_again);
}

void make_credit(struct sheet *s)
{
    struct scheduler c = { 0 };
    invent(s, &c);
    give(s, &c);
    ask(s, &c);
    free(c.order.s);
    free(c.story.s);
}
