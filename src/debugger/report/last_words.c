/*
 * debugger/report/last_words.c -- the sum of what a guest did wrong without being stopped by it.
 */
#include "debugger/report/last_words.h"

#include <inttypes.h>

#include "debugger/symbols/symbols.h"
#include "io/known_places.h"
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

/* Such bytes never reach the user. */
static bool loses_output(enum oddity what)
{
    return what == ODDITY_UART_THR_FULL || what == ODDITY_UART_DLAB;
}

static void say_lost_write(const struct lost_write *w, const struct symbols *symbols, FILE *out)
{
    const struct known_place *p = known_place(w->gpa);
    char where[240] = "";
    symbols_format(symbols, w->at, where, sizeof where);
    fprintf(out, "vitrine: the first of them was to %#" PRIx64, w->gpa);
    if (p)
        fprintf(out, " (%s, %s)", p->what, p->lacks);
    fprintf(out, ", at %#" PRIx64 "%s%s%s\n", w->at, where[0] ? " <" : "", where,
            where[0] ? ">" : "");
}

void oddities_say(const struct vm *vm, const struct symbols *symbols, bool lost_output, FILE *out)
{
    for (unsigned i = 0; i < N_ODDITIES; i++)
        if (vm->n_oddities[i] && (!lost_output || loses_output(i)))
            say_counted(vm->n_oddities[i], oddities[i].counted, out);
    if (!lost_output && vm->lost_write.at)
        say_lost_write(&vm->lost_write, symbols, out);
}
