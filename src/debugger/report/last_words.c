/*
 * debugger/report/last_words.c -- the sum of what a guest did wrong without being stopped by it.
 */
#include "debugger/report/last_words.h"

#include <inttypes.h>

#include "io/oddity.h"

/* "9 bytes lost": the table has "byte(s) lost". */
static void say_counted(uint64_t n, const char *text, FILE *out)
{
    fprintf(out, "vitrine: %" PRIu64 " ", n);
    for (; *text; text++) {
        if (text[0] != '(' || text[1] != 's' || text[2] != ')') {
            fputc(*text, out);
            continue;
        }
        if (n != 1)
            fputc('s', out);
        text += 2;
    }
    fputc('\n', out);
}

void oddities_say(const struct vm *vm, bool lost_output, FILE *out)
{
    for (unsigned i = 0; i < N_ODDITIES; i++)
        if (vm->n_oddities[i] && (!lost_output || i == ODDITY_UART_THR_FULL))
            say_counted(vm->n_oddities[i], oddities[i].counted, out);
}
