/*
 * debugger/gdb/scratch.c -- memory that LLDB borrows from the guest: the packets _M and _m.
 *
 * `expr f(1)` calls a function of the guest.  LLDB compiles the call, and needs memory to put the
 * code and its arguments into.  A kernel has nobody to ask for memory, so the stub lends the
 * topmost mapped RAM that is not lent yet, keeps what was there, and puts that back when LLDB
 * gives the memory back, lets go or hangs up.  Only what the call itself does to the guest stays.
 * [LLDB "_M<size>,<permissions>", "_m<addr>"]
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/x86.h"
#include "debugger/gdb/private.h"
#include "debugger/link/linear_map.h"

#define LOOKS 65536                     /* pieces of the guest's memory that are looked at */

/* Put back what was there. */
static void give_back(struct gdb_stub *s, struct gdb_loan *loan)
{
    link_write_linear(s->o.link, loan->at, loan->kept, loan->n);
    free(loan->kept);
    *loan = s->loan[--s->n_loans];
}

void gdb_give_all_back(struct gdb_stub *s)
{
    while (s->n_loans)
        give_back(s, &s->loan[s->n_loans - 1]);
}

/* The highest n bytes of [from, last] that are not lent.  False: there are none. */
static bool room_in(const struct gdb_stub *s, gla_t from, gla_t last, uint64_t n, gla_t *at)
{
    gla_t end = last;                   /* the last byte that may be lent */
    for (unsigned i = 0; i < s->n_loans && end >= from && end - from >= n - 1; i++)
        if (end - (n - 1) < s->loan[i].at + s->loan[i].n && end >= s->loan[i].at) {
            if (!s->loan[i].at)
                return false;
            end = s->loan[i].at - 1;
            i = UINT32_MAX;             /* look at all of them again */
        }
    if (end < from || end - from < n - 1)
        return false;
    *at = end - (n - 1);
    return true;
}

/* Outside of long mode linear addresses have 32 bits, and the map repeats itself behind them. */
static gla_t last_address(const struct gdb_stub *s)
{
    struct cpu_state cpu;
    link_get_groups(s->o.link, LINK_CORE, &cpu);
    return cpu.efer & EFER_LMA ? UINT64_MAX : UINT32_MAX;
}

/* The highest n bytes in a row, whole pages, that are RAM, mapped so that they can be written and
 * executed, and not lent.  False: there are none. */
static bool find_room(struct gdb_stub *s, uint64_t n, gla_t *at)
{
    static struct linear_map map;
    struct linear_piece p;
    gla_t from = 0, next = 0, end = last_address(s);
    bool in_row = false, found = false;
    linear_map_begin(&map, s->o.link);
    for (int i = 0; i < LOOKS; i++) {
        linear_map_at(&map, next, &p);
        bool good = p.present && p.behind == BEHIND_RAM && p.writable && p.executable;
        if (good && !in_row)
            from = p.from;
        in_row = good;
        found |= good && room_in(s, from, p.last, n, at);
        if (p.last >= end)
            break;
        next = p.last + 1;
    }
    return found;
}

/* "size,rights": the answer is the address.  The rights are those that most memory has. */
enum gdb_when gdb_lend(struct gdb_stub *s, struct gdb_args args)
{
    uint64_t n;
    gla_t at;
    if (!gdb_take_number(&args, &n) || !n || n > GDB_LOAN_MAX)
        return gdb_error(s, EINVAL, "_M wants a size of at most 1 MiB");
    n = (n + PAGE_SIZE - 1) & PAGE_MASK;
    if (s->n_loans == NELEM(s->loan) || !find_room(s, n, &at))
        return gdb_error(s, ENOMEM, "the guest has no memory to lend");
    struct gdb_loan loan = { .at = at, .n = n, .kept = malloc(n) };
    if (!loan.kept || link_read_linear(s->o.link, at, loan.kept, n)) {
        free(loan.kept);
        return gdb_error(s, ENOMEM, "out of memory");
    }
    s->loan[s->n_loans++] = loan;
    gdb_printf(&s->p, "%llx", (unsigned long long)at);
    return GDB_NOW;
}

enum gdb_when gdb_take_back(struct gdb_stub *s, struct gdb_args args)
{
    uint64_t at;
    if (!gdb_take_number(&args, &at))
        return gdb_error(s, EINVAL, "_m wants an address");
    for (unsigned i = 0; i < s->n_loans; i++)
        if (s->loan[i].at == at) {
            give_back(s, &s->loan[i]);
            return gdb_ok(s);
        }
    return gdb_error(s, EINVAL, "this memory was not lent");
}
