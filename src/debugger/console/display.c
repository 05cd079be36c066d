/*
 * debugger/console/display.c -- display, undisplay, info display: expressions that are shown
 * whenever the guest has stopped.
 *
 *     (vitrine) display rax
 *     1: rax = 0x2
 *     (vitrine) display/2i $pc
 *     2: x/2i $pc
 *     => 0x100294 <main+0xb4> ...
 *
 * An entry is kept as text and evaluated anew each time, by print, or by x where its format names
 * instructions, strings or a size, as in gdb.  One that makes no sense at a stop, such as a local
 * of another function, says so there, and stays.
 */
#include <stdlib.h>
#include <string.h>

#include "debugger/console/private.h"

/* "/2i $pc" is for x; "/x rax" and "rax" are for print. */
static bool is_for_x(const char *text)
{
    return text[0] == '/' && text[1 + strcspn(text + 1, "isbhwg \t")] > ' ';
}

/* Show one entry.  It must not change what `$` means, or where `x` goes on. */
static void show(struct console *c, const struct display *d)
{
    uint64_t last_value = c->last_value, next_x = c->next_x;
    if (c->o.json) {
        fprintf(c->out, "{\"display\":%u,\"expression\":", d->nr);
        json_string(c->out, d->text);
        fputs("}\n", c->out);
    } else {
        fprintf(c->out, is_for_x(d->text) ? "%u: x%s\n" : "%u: %s = ", d->nr, d->text);
    }
    if (is_for_x(d->text))
        cmd_x(c, d->text);
    else
        cmd_print(c, d->text);
    c->last_value = last_value;
    c->next_x = next_x;
}

void show_displays(struct console *c)
{
    for (unsigned i = 0; i < c->n_displays; i++)
        show(c, &c->display[i]);
}

/* Does it make sense now?  Its answer goes nowhere, a complaint to the user. */
static enum console_result try_out(struct console *c, const char *args)
{
    uint64_t last_value = c->last_value, next_x = c->next_x;
    FILE *out = c->out;
    char *text = NULL;
    size_t n;
    c->out = open_memstream(&text, &n);
    if (!c->out) {
        c->out = out;
        return fail(c, "out of memory");
    }
    enum console_result result = is_for_x(args) ? cmd_x(c, args) : cmd_print(c, args);
    fclose(c->out);
    c->out = out;
    c->last_value = last_value;
    c->next_x = next_x;
    if (result != CONSOLE_OK)
        fputs(text, c->out);
    free(text);
    return result;
}

/* `display EXPR` adds one and shows it; `display` shows all.  What makes no sense now is not
 * added, so that a slip of the finger is told once, and not at every stop. */
enum console_result cmd_display(struct console *c, const char *args)
{
    struct display *d = &c->display[c->n_displays];
    if (!*args && !c->n_displays)
        return fail(c, "nothing is displayed; `display EXPRESSION` adds it");
    if (!*args) {
        show_displays(c);
        return CONSOLE_OK;
    }
    if (c->n_displays == MAX_DISPLAYS)
        return fail(c, "%d are displayed already; `undisplay` takes one away", MAX_DISPLAYS);
    if (strlen(args) >= sizeof d->text)
        return fail(c, "this is too long to be displayed");
    if (try_out(c, args) != CONSOLE_OK)
        return CONSOLE_ERROR;
    d->nr = ++c->last_display;
    strcpy(d->text, args);
    c->n_displays++;
    show(c, d);
    return CONSOLE_OK;
}

/* Take away the entry of this number; false: there is none. */
static bool drop(struct console *c, uint64_t nr)
{
    for (unsigned i = 0; i < c->n_displays; i++)
        if (c->display[i].nr == nr) {
            memmove(&c->display[i], &c->display[i + 1],
                    (--c->n_displays - i) * sizeof c->display[0]);
            return true;
        }
    return false;
}

/* By numbers; without any, all of them. */
enum console_result cmd_undisplay(struct console *c, const char *args)
{
    uint64_t nr;
    if (!*args)
        c->n_displays = 0;
    while (*args) {
        if (!arg_value(c, &args, &nr))
            return CONSOLE_ERROR;
        if (!drop(c, nr))
            return fail(c, "there is no display %llu; `info display` lists them",
                        (unsigned long long)nr);
    }
    return CONSOLE_OK;
}

enum console_result info_display(struct console *c, const char *args)
{
    if (nothing_more(c, args))
        return CONSOLE_ERROR;
    for (unsigned i = 0; i < c->n_displays; i++)
        fprintf(c->out, "%3u  %s%s\n", c->display[i].nr, c->display[i].text[0] == '/' ? "" : " ",
                c->display[i].text);
    if (!c->n_displays)
        fputs("nothing is displayed\n", c->out);
    return CONSOLE_OK;
}
