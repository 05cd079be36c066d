/*
 * exercise/qos.c -- exercise 24: reservation, limit and shares: what each guest is sure to get.
 *
 * What a guest gets lies between its reservation and its limit, and in between goes by shares.
 * Which of the three holds for whom is found by trying all cases: exactly one fits.
 */
#include "base/host.h"
#include "exercise/make.h"
#include "exercise/sheet.h"

enum { GUESTS = 3 };
enum held { BY_RESERVATION, BY_SHARES, BY_LIMIT, N_HELD };

static const char *const held_names[N_HELD] = {
    [BY_RESERVATION] = "its reservation", [BY_SHARES] = "its shares",
    [BY_LIMIT] = "its limit, or what it asks for",
};

struct host {
    unsigned  mhz;                                      /* for all guests               */
    unsigned  shares[GUESTS], reservation[GUESTS], limit[GUESTS], demand[GUESTS];
    enum held held[GUESTS];
    unsigned  left, by_shares, shares_of_them;          /* left for those held by shares */
};

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned most(const struct host *h, unsigned i)
{
    return smaller(h->limit[i], h->demand[i]);
}

static unsigned least(const struct host *h, unsigned i)
{
    return smaller(h->reservation[i], h->demand[i]);
}

/* Does this choice of h->held hang together?  The price of a share must keep all at what holds
 * them: those at the reservation would get no more by shares, those at the limit no less. */
static bool fits(struct host *h)
{
    unsigned fixed = 0, shares = 0;
    for (unsigned i = 0; i < GUESTS; i++) {
        if (h->held[i] == BY_SHARES)
            shares += h->shares[i];
        else
            fixed += h->held[i] == BY_LIMIT ? most(h, i) : least(h, i);
    }
    if (fixed > h->mhz || (!shares && fixed != h->mhz))
        return false;
    h->left = h->mhz - fixed;
    h->shares_of_them = shares;
    for (unsigned i = 0; i < GUESTS && shares; i++) {
        uint64_t fair = (uint64_t)h->left * h->shares[i];       /* times shares */
        if (h->held[i] == BY_RESERVATION ? fair > (uint64_t)least(h, i) * shares :
            h->held[i] == BY_LIMIT       ? fair < (uint64_t)most(h, i) * shares :
            fair <= (uint64_t)least(h, i) * shares || fair >= (uint64_t)most(h, i) * shares)
            return false;
    }
    return true;
}

static bool divide(struct host *h)
{
    for (unsigned way = 0; way < N_HELD * N_HELD * N_HELD; way++) {
        h->held[0] = way % N_HELD;
        h->held[1] = way / N_HELD % N_HELD;
        h->held[2] = way / N_HELD / N_HELD;
        if (h->held[0] + h->held[1] + h->held[2] != 3 * BY_LIMIT && fits(h))
            return true;
    }
    return false;
}

static unsigned got(const struct host *h, unsigned i)
{
    return h->held[i] == BY_RESERVATION ? least(h, i) : h->held[i] == BY_LIMIT ? most(h, i) :
           h->left * h->shares[i] / h->shares_of_them;
}

/* A host that has less than is asked for, and at least one guest whose shares count. */
static void invent(struct sheet *s, struct host *h)
{
    do {
        h->mhz = 1000 * sheet_pick(s, 8, 16);
        for (unsigned i = 0; i < GUESTS; i++) {
            h->shares[i] = 1000 * sheet_pick(s, 1, 6);
            h->reservation[i] = 500 * sheet_pick(s, 0, 6);
            h->limit[i] = h->reservation[i] + 500 * sheet_pick(s, 2, 14);
            h->demand[i] = 500 * sheet_pick(s, 3, 20);
        }
    } while (h->reservation[0] + h->reservation[1] + h->reservation[2] > h->mhz ||
             most(h, 0) + most(h, 1) + most(h, 2) <= h->mhz || !divide(h) || !h->shares_of_them);
}

void make_qos(struct sheet *s)
{
    struct host h;
    invent(s, &h);
    unsigned promised = h.reservation[0] + h.reservation[1] + h.reservation[2];
    unsigned newcomer = 500 * sheet_pick(s, 2, 16);
    sheet_say(s, "A host has %u MHz of processor time for its guests. This was agreed upon, and "
              "so much each of them asks for just now:", h.mhz);
    sheet_show(s, "guest  shares  reservation  limit   asks for");
    for (unsigned i = 0; i < GUESTS; i++)
        sheet_show(s, "  %c    %5u     %5u     %6u   %6u", 'A' + i, h.shares[i],
                   h.reservation[i], h.limit[i], h.demand[i]);
    sheet_say(s, "No guest gets more than it asks for or its limit, whichever is less; each gets "
              "at least its reservation, or what it asks for if that is less; within that, time is "
              "divided by shares: if the price of a share is p MHz, a guest with n shares gets n * "
              "p, raised to its least or cut to its most, and p is such that all is used.");
    for (unsigned i = 0; i < GUESTS; i++) {
        sheet_ask_number(s, got(&h, i), "How many MHz does %c get, rounded down?", 'A' + i);
        sheet_because(s, "It is held by %s.", held_names[h.held[i]]);
        if (h.held[i] == BY_SHARES)
            sheet_because(s, "The others that are held by something else are paid first; %u MHz "
                          "are left, for %u shares: %u * %u / %u.", h.left, h.shares_of_them,
                          h.left, h.shares[i], h.shares_of_them);
    }
    sheet_ask_choice(s, sheet_yes_no, 2, promised + newcomer > h.mhz, "A fourth guest with a "
                     "reservation of %u MHz is to be started. May the host let it in?", newcomer);
    sheet_because(s, "Admission looks at reservations only: %u + %u of %u MHz. A reservation is a "
                  "promise for the worst moment, when all ask for it at once; shares promise "
                  "nothing but a proportion.", promised, newcomer, h.mhz);
}
