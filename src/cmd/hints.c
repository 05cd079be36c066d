/*
 * cmd/hints.c -- what somebody would ask who sees nothing, answered before they ask.
 */
#include "cmd/hints.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/host.h"
#include "base/vclock.h"
#include "debugger/symbols/symbols.h"
#include "debugger/trace/stuck_text.h"
#include "io/known_places.h"
#include "vm/pc.h"

#define SECOND          UINT64_C(1000000000)
#define SILENT_NS       (3 * SECOND)
#define BETWEEN_LOOKS   SECOND

/* Is somebody there to read what is said while the guest runs? */
static bool is_watched(const struct hints *h)
{
    return !h->o->quiet && !h->o->replay && isatty(STDERR_FILENO);
}

/* ---- a guest that is stuck ---- */

/* Of a device that waits for the user: where the keys go that are typed, if not there.  NULL: they
 * go there, so the guest is waiting, not stuck. */
static const char *why_no_input(const struct hints *h, enum waits_for waits)
{
    bool is_serial = waits == WAITS_FOR_SERIAL;
    if (is_serial == h->o->keyboard)
        return is_serial ? "; what is typed goes to the keyboard (--keyboard)"
                         : "; what is typed goes to the serial line (not to the keyboard: "
                           "--keyboard)";
    return terminal_input_ended(h->terminal) ? "; no input is left" : NULL;
}

/* What to add about input; NULL: the guest waits for the user, or, while it runs, for its clock,
 * which is no reason to speak. */
static const char *remark(const struct hints *h, const struct stuck_report *r, bool is_over)
{
    const struct known_place *p = r->how == STUCK_PORT ? known_place(r->where) : NULL;
    if (!p || p->waits == WAITS_FOR_DEVICE || !pc_port_device((uint16_t)r->where))
        return "";
    if (p->waits == WAITS_FOR_TIME)
        return is_over ? "" : NULL;
    return why_no_input(h, p->waits);
}

static void say_stuck(struct hints *h, const struct stuck_report *r, const struct symbols *symbols,
                      bool is_over)
{
    char text[300], where[240] = "";
    const char *more = remark(h, r, is_over);
    if (!more)
        return;
    symbols_format(symbols, r->at, where, sizeof where);
    terminal_flush(h->terminal);
    host_say("the guest %s%s (at %#" PRIx64 "%s%s%s)", stuck_text(r, text, sizeof text), more,
             r->at, where[0] ? " <" : "", where, where[0] ? ">" : "");
}

static bool was_told(const struct hints *h, const struct stuck_report *r)
{
    for (unsigned i = 0; i < h->n_told; i++)
        if (h->told[i].how == r->how && h->told[i].where == r->where && h->told[i].at == r->at)
            return true;
    return false;
}

void hint_stuck(struct hints *h, const struct stuck_report *r, const struct symbols *symbols)
{
    if (!is_watched(h) || h->n_told == NELEM(h->told) || was_told(h, r))
        return;
    h->told[h->n_told++] = *r;
    say_stuck(h, r, symbols, false);
}

/* ---- output that goes where nobody looks ---- */

static bool is_linux_without_console(const struct vm *vm, const struct run_options *o)
{
    bool is_linux = vm->loaded.format == LOAD_LINUX || vm->loaded.format == LOAD_LINUX64;
    return is_linux && !(o->guest.append && strstr(o->guest.append, "console=ttyS0"));
}

static bool has_text(struct vm *vm)
{
    char *text = NULL;
    size_t n = 0, i = 0;
    FILE *f = open_memstream(&text, &n);
    if (!f)
        return false;
    pc_screen(vm->pc, f);
    fclose(f);
    while (i < n && (unsigned char)text[i] <= ' ')
        i++;
    free(text);
    return i < n;
}

/* Nothing to say: the guest has written to the serial line, or nowhere. */
static const char *where_output_is(struct vm *vm, const struct hints *h, bool is_over)
{
    if (terminal_has_printed(h->terminal))
        return NULL;
    if (is_linux_without_console(vm, h->o))
        return "nothing on the serial line: for a Linux, --append console=ttyS0 sends its messages "
               "there (and earlyprintk=ttyS0 the first ones)";
    if (h->o->screen_dump || !has_text(vm))
        return NULL;
    return is_over ? "nothing on the serial line, but text on the VGA screen: --screen-dump - "
                     "prints that at the end, `vitrine tui` shows it"
                   : "nothing on the serial line, but text on the VGA screen: Ctrl-A s shows it";
}

void hint_screen(struct hints *h, struct vm *vm)
{
    uint64_t now = vclock_now_ns(vm->clock);
    if (h->told_screen || now < SILENT_NS || now < h->next_look_ns || !is_watched(h))
        return;
    h->next_look_ns = now + BETWEEN_LOOKS;
    const char *text = where_output_is(vm, h, !terminal_is_interactive(h->terminal));
    h->told_screen = text || terminal_has_printed(h->terminal);
    if (text)
        host_say("%s", text);
}

/* ---- the end ---- */

/* A guest that was cut short by the user or by a limit may have been stuck. */
static bool was_cut_short(const struct vm *vm)
{
    return vm->stop == VM_LIMIT_INSNS || vm->stop == VM_LIMIT_EXITS || vm->stop == VM_INTERRUPTED ||
           vm->stop == VM_TERMINATED;
}

void hints_at_end(struct hints *h, struct vm *vm, const struct symbols *symbols)
{
    struct stuck_report r;
    const char *text = where_output_is(vm, h, true);
    if (was_cut_short(vm) && stuck_now(vm, &r))
        say_stuck(h, &r, symbols, true);
    if (text)
        host_say("%s", text);
}
