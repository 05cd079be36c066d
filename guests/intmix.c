/*
 * intmix: what programs are made of, without any devices.
 *
 * The integer benchmark: a sieve (stores with a stride), CRC-32 bit by bit
 * (shifts and unpredictable branches), a matrix product (multiplications and
 * addresses), quicksort (recursion and compares).  No exits between the marks,
 * so it measures how fast an engine runs guest code and nothing else.  The
 * checksum does not depend on the width, the compiler or the engine.
 *
 *   run    vitrine run   build/guests/intmix32.elf
 *   watch  vitrine run   --stat build/guests/intmix32.elf
 *
 * Rounds: "rounds=N" on the command line, or make ROUNDS=N.
 * MARK 1 to 4: the nth kernel, in every round.  MARK 9: done.
 */
#include "lib/guest.h"

#ifndef ROUNDS
#define ROUNDS 8
#endif
enum { SIEVE_SIZE = 16384, CRC_BYTES = 4096, MATRIX = 24, SORT_SIZE = 2048 };

static uint8_t composite[SIEVE_SIZE];
static uint32_t a[MATRIX][MATRIX], b[MATRIX][MATRIX], keys[SORT_SIZE];
static uint32_t seed;

static uint32_t next_random(void)
{
    return seed = seed * 1664525 + 1013904223;
}

static uint32_t sieve(void)
{
    uint32_t primes = 0;

    memset(composite, 0, sizeof(composite));
    for (uint32_t i = 2; i < SIEVE_SIZE; i++) {
        if (composite[i])
            continue;
        primes++;
        for (uint32_t j = 2 * i; j < SIEVE_SIZE; j += i)
            composite[j] = 1;
    }
    return primes;
}

static uint32_t crc32(void)
{
    uint32_t crc = ~0u;

    for (uint32_t i = 0; i < CRC_BYTES; i++) {
        crc ^= next_random() >> 24;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    }
    return ~crc;
}

static uint32_t matrix(void)
{
    uint32_t trace = 0;

    for (int i = 0; i < MATRIX; i++)
        for (int j = 0; j < MATRIX; j++) {
            a[i][j] = next_random() >> 16;
            b[i][j] = next_random() >> 16;
        }
    for (int i = 0; i < MATRIX; i++)
        for (int j = 0; j < MATRIX; j++) {
            uint32_t sum = 0;
            for (int k = 0; k < MATRIX; k++)
                sum += a[i][k] * b[k][j];
            trace = trace * 31 + sum;
        }
    return trace;
}

static void quicksort(int from, int to)
{
    uint32_t pivot = keys[(from + to) / 2];
    int i = from, j = to;

    while (i <= j) {
        while (keys[i] < pivot)
            i++;
        while (keys[j] > pivot)
            j--;
        if (i <= j) {
            uint32_t t = keys[i];
            keys[i++] = keys[j];
            keys[j--] = t;
        }
    }
    if (from < j)
        quicksort(from, j);
    if (i < to)
        quicksort(i, to);
}

static uint32_t sort(void)
{
    uint32_t sum = 0;

    for (int i = 0; i < SORT_SIZE; i++)
        keys[i] = next_random();
    quicksort(0, SORT_SIZE - 1);
    for (int i = 0; i < SORT_SIZE; i++) {
        if (i && keys[i - 1] > keys[i])
            die("not sorted at %d", i);
        sum = sum * 31 + keys[i];
    }
    return sum;
}

int main(void)
{
    static uint32_t (*const kernel[])(void) = {sieve, crc32, matrix, sort};
    static const char *const name[] = {"sieve", "crc32", "matrix", "sort"};
    uint32_t rounds = option_number("rounds=", ROUNDS), sum[4] = {0}, all = 0;

    for (uint32_t r = 0; r < rounds; r++) {
        seed = r;
        for (unsigned k = 0; k < 4; k++) {
            mark(k + 1);
            sum[k] = sum[k] * 31 + kernel[k]();
        }
    }
    mark(9);
    for (unsigned k = 0; k < 4; k++) {
        printf("%-6s %08x\n", name[k], sum[k]);
        all = all * 31 + sum[k];
    }
    printf("rounds %u, checksum %08x\n", rounds, all);
    return 0;
}
