/*
 * memcpy: moving bytes, three ways.
 *
 * REP MOVSB, REP MOVS of a whole register, and a loop in C.  One instruction
 * that does a thousand loads and stores is a special case worth having in any
 * interpreter; this is where it shows.
 *
 *   run    vitrine run   build/guests/memcpy32.elf
 *   watch  vitrine run   --stat build/guests/memcpy32.elf
 *
 * Rounds: "rounds=N" on the command line, or make ROUNDS=N.
 * MARK 1: MOVSB.  MARK 2: MOVS of a register.  MARK 3: the loop.  MARK 9: done.
 */
#include "lib/guest.h"

#ifndef ROUNDS
#define ROUNDS 40
#endif
enum { BYTES = 65536, WORDS = BYTES / sizeof(ulong) };

static ulong from[WORDS], to[WORDS];

static void movs_words(void)
{
    ulong *d = to, *s = from, n = WORDS;

#ifdef __x86_64__
    __asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
#else
    __asm__ volatile("rep movsl" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
#endif
}

static void movs_bytes(void)
{
    memcpy(to, from, BYTES);
}

static void loop(void)
{
    for (volatile ulong *d = to, *s = from; d < to + WORDS; d++, s++)
        *d = *s;
}

int main(void)
{
    static void (*const way[])(void) = {movs_bytes, movs_words, loop};
    uint32_t rounds = option_number("rounds=", ROUNDS), wrong = 0;

    for (unsigned w = 0; w < 3; w++) {
        mark(w + 1);
        for (uint32_t r = 0; r < rounds; r++) {
            from[r % WORDS] = r * 3 + w;
            way[w]();
            wrong += to[r % WORDS] != r * 3 + w;
        }
    }
    mark(9);
    printf("rounds %u of %u KiB, three ways; wrong: %u\n", rounds, BYTES / 1024, wrong);
    return wrong || memcmp(from, to, BYTES) ? 1 : 0;
}
