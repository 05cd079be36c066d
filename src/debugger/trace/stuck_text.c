/*
 * debugger/trace/stuck_text.c -- a sentence for each way of being stuck.
 *
 * What is at a port is asked of the machine's own table (vm/pc.h), and what PCs have there of the
 * table of known places (io/known_places.h).
 */
#include "debugger/trace/stuck_text.h"

#include <inttypes.h>
#include <stdio.h>

#include "cpu/exit.h"
#include "io/known_places.h"
#include "vm/pc.h"

/* "an IDE status register, no disk is there"; of a device that is there, what it waits for. */
static const char *say_place(uint64_t at, bool is_there, char *buf, size_t n)
{
    static const char *const waits[] = {
        [WAITS_FOR_DEVICE] = "",
        [WAITS_FOR_SERIAL] = ", where a byte may come in",
        [WAITS_FOR_KEY] = ", where a key may come in",
        [WAITS_FOR_TIME] = ", which tells the time that passes",
    };
    const struct known_place *p = known_place(at);
    const char *name = at <= UINT16_MAX ? pc_port_name((uint16_t)at) : NULL;
    if (is_there)
        snprintf(buf, n, "%s%s", p ? p->what : name ? name : "a device", p ? waits[p->waits] : "");
    else if (p)
        snprintf(buf, n, "%s, %s", p->what, p->lacks);
    else
        snprintf(buf, n, "no device is there");
    return buf;
}

/* "2.1 s", "3.0 ms" */
static const char *say_time(uint64_t ns, char *buf, size_t n)
{
    bool is_short = ns < 100000000;
    snprintf(buf, n, "%.1f %s", (double)ns / (is_short ? 1e6 : 1e9), is_short ? "ms" : "s");
    return buf;
}

/* Where a loop is, and what can end it. */
static void say_loop(const struct stuck_report *r, char *buf, size_t n)
{
    static const char *const ends[] = {
        [STUCK_LOOP] = "interrupts are on, but none has changed what it looks at",
        [STUCK_LOOP_MASKED] = "interrupts are on, but the PIC lets none through (masked, or one "
                              "without its EOI)",
        [STUCK_LOOP_CLI] = "interrupts are off (IF=0), so nothing changes what it looks at",
    };
    char to[32] = "", time[32];
    if (r->where != r->at)
        snprintf(to, sizeof to, " to %#" PRIx64, r->where);
    snprintf(buf, n, "loops at %#" PRIx64 "%s since %s: %s", r->at, to,
             say_time(r->ns, time, sizeof time), ends[r->how]);
}

/* A loop that could end if a certain interrupt came. */
static void say_unserved(const struct stuck_report *r, char *buf, size_t n)
{
    char time[32];
    const char *service = r->where < 16 ? pc_service((unsigned)r->where) : NULL;
    snprintf(buf, n, "loops at %#" PRIx64 " since %s: interrupts are on, but the line of IRQ "
             "%" PRIu64 " is still up since it came, so it cannot come again: its handler must %s",
             r->at, say_time(r->ns, time, sizeof time), r->where,
             service ? service : "serve its device");
}

char *stuck_text(const struct stuck_report *r, char *buf, size_t n)
{
    char place[160], time[32];
    const char *s = say_time(r->ns, time, sizeof time);
    bool is_port = r->where <= UINT16_MAX;
    switch (r->how) {
    case STUCK_PORT:
        say_place(r->where, is_port && pc_port_device((uint16_t)r->where), place, sizeof place);
        snprintf(buf, n, "reads port %#" PRIx64 " since %s: %s", r->where, s, place);
        break;
    case STUCK_MEMORY:
        say_place(r->where, false, place, sizeof place);
        snprintf(buf, n, "reads memory at %#" PRIx64 " since %s: %s", r->where, s, place);
        break;
    case STUCK_LOOP: case STUCK_LOOP_MASKED: case STUCK_LOOP_CLI:
        say_loop(r, buf, n);
        break;
    case STUCK_LOOP_UNSERVED:
        say_unserved(r, buf, n);
        break;
    case STUCK_IRQS:
        snprintf(buf, n, "is interrupted %" PRIu64 " times a second since %s, so that little else "
                 "gets done: is the timer's count right (the PIT's rate is 1193182 divided by it), "
                 "and the handler faster than its timer?", r->where, s);
        break;
    case STUCK_EXCEPTION:
        snprintf(buf, n, "raises %s (vector %" PRIu64 ") again and again since %s: the handler "
                 "returns to the instruction and has not removed the cause",
                 exit_vector_name((unsigned)r->where), r->where, s);
        break;
    default:
        snprintf(buf, n, "is stuck since %s", s);
        break;
    }
    return buf;
}
