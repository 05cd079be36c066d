/*
 * exercise/trace.c -- exercise 8: read a trace, and say why an interrupt came so late.
 *
 * A guest arms the timer for one interrupt, and something of the seed's choice keeps that interrupt
 * from it for a while, or nothing does.  The guest runs on the machine, and its trace is the sheet.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/host.h"
#include "debugger/trace/text.h"
#include "exercise/make.h"
#include "exercise/sheet.h"
#include "exercise/tiny_listing.h"

enum { CX = 1 };
enum { FIRST_VECTOR = 0x20 };

enum story { FLAG_CLEAR, IN_SERVICE, MASKED, ASLEEP, RUNNING, N_STORIES };

static const char *const choices[N_STORIES] = {
    [FLAG_CLEAR] = "the guest had cleared IF",
    [IN_SERVICE] = "an interrupt of the same line was in service: no EOI yet",
    [MASKED]     = "the PIC's mask kept it",
    [ASLEEP]     = "it did not wait: it woke the CPU from HLT",
    [RUNNING]    = "it did not wait: the CPU was executing with IF set",
};

static const char *const because[N_STORIES] = {
    [FLAG_CLEAR] = "The monitor had something to inject and could not, so it asked for an exit "
                   "as soon as the guest would take it: the exit IRQ_WINDOW, long after the "
                   "line had risen. Before it the guest did nothing that the monitor saw: no "
                   "write to the PIC, no HLT. So it was an STI that opened the window.",
    [IN_SERVICE] = "The PIC gave the vector out right after it was told of the end of the one "
                   "before: the write of 0x20 to port 0x20, and IRQ_EOI.",
    [MASKED]     = "The PIC gave the vector out right after the guest had cleared a bit of the "
                   "mask: the write to port 0x21. Had IF been clear, the monitor would have had "
                   "to wait for an IRQ_WINDOW.",
    [ASLEEP]     = "The guest executed HLT, and the next thing that happened was the timer: "
                   "virtual time jumped to its deadline.",
    [RUNNING]    = "There is no exit for it in the guest's own code. The engine came back when "
                   "the timer was due (BUDGET), and the interrupt went in at once.",
};

static struct tiny_run run;             /* large */

/* ---- the guest ---- */

static void put_port(struct tiny_listing *l, unsigned port, unsigned value)
{
    uint8_t bytes[] = { 0xb0, (uint8_t)value, 0xe6, (uint8_t)port };
    tiny_insn(l, bytes, 2, "mov $0x%x, %%al", value);
    tiny_insn(l, bytes + 2, 2, "out %%al, $0x%x", port);
}

/* One interrupt after `count` ticks of 838 ns: channel 0, mode 0. */
static void arm(struct tiny_listing *l, unsigned count)
{
    put_port(l, 0x43, 0x30);
    put_port(l, 0x40, count & 0xff);
    put_port(l, 0x40, count >> 8);
}

static void wait_ns(struct tiny_listing *l, unsigned ns)
{
    tiny_mov16(l, CX, ns);
    tiny_jump(l, "loop", 0xe2, l->code->n);
}

/* Vector, the first 8259A, and all lines but 0 masked; returns where the address of the handler,
 * which is not known yet, is to be written. */
static unsigned set_up(struct tiny_listing *l)
{
    static const uint8_t icw[][2] = { { 0x20, 0x11 }, { 0x21, FIRST_VECTOR }, { 0x21, 4 },
                                      { 0x21, 1 }, { 0x21, 0xfe } };
    uint8_t store[] = { 0xc7, 0x06, 4 * FIRST_VECTOR, 0, 0, 0 };
    tiny_insn(l, store, sizeof store, "movw $handler, 0x%x", 4 * FIRST_VECTOR);
    unsigned hole = l->code->n - 2;
    store[2] += 2;
    tiny_insn(l, store, sizeof store, "movw $0, 0x%x", 4 * FIRST_VECTOR + 2);
    for (unsigned i = 0; i < NELEM(icw); i++)
        put_port(l, icw[i][0], icw[i][1]);
    return hole;
}

static void body(struct tiny_listing *l, enum story story, unsigned count, unsigned longer)
{
    arm(l, story == IN_SERVICE ? 2 : count);
    if (story == MASKED)
        put_port(l, 0x21, 0xff);
    if (story != FLAG_CLEAR)
        tiny_insn(l, "\xfb", 1, "sti");
    if (story == ASLEEP || story == IN_SERVICE)
        tiny_insn(l, "\xf4", 1, "hlt");
    else
        wait_ns(l, longer);
    if (story == MASKED)
        put_port(l, 0x21, 0xfe);
    if (story == FLAG_CLEAR)
        tiny_insn(l, "\xfb", 1, "sti");
    tiny_insn(l, "\x90\xfa\xf4", 3, "nop; cli; hlt");         /* STI works one instruction late */
}

/* IN_SERVICE: the first time it arms the timer once more, and takes its time before the EOI. */
static void handler(struct tiny_listing *l, enum story story, unsigned count, unsigned longer)
{
    if (story == IN_SERVICE) {
        tiny_insn(l, "\x43\x83\xfb\x01", 4, "inc %%bx; cmp $1, %%bx");
        unsigned jump = l->code->n;
        tiny_jump(l, "jne", 0x75, 0);
        arm(l, count);
        tiny_insn(l, "\xfb", 1, "sti");
        wait_ns(l, longer);
        l->code->byte[jump + 1] = (uint8_t)(l->code->n - (jump + 2));
    }
    put_port(l, 0x20, 0x20);
    tiny_insn(l, "\xcf", 1, "iret");
}

static void play(enum story story, unsigned count, unsigned longer)
{
    struct tiny_code code = { .n = 0 };
    struct tiny_listing l = { .code = &code };
    unsigned hole = set_up(&l);
    body(&l, story, count, longer);
    code.byte[hole] = (uint8_t)(TINY_CODE + code.n);
    code.byte[hole + 1] = (uint8_t)((TINY_CODE + code.n) >> 8);
    handler(&l, story, count, longer);
    tiny_guest_run(&code, MMU_NESTED, 200000, &run);
}

/* ---- its trace ---- */

/* The events that a student sees: from three exits before the line rises for the last time to the
 * EOI of that interrupt. */
struct window {
    unsigned from, to;                  /* in run.event[]; both are shown         */
    unsigned rise, inject, deliver;     /* IRQ_LINE 0 high, INJECT, DELIVER       */
    unsigned exits, asked;              /* of these the guest's own: IO, HLT      */
};

static unsigned find_last(uint8_t kind, unsigned before, uint64_t arg1, bool any)
{
    while (before-- > 0)
        if (run.event[before].kind == kind && (any || run.event[before].arg[1] == arg1))
            return before;
    bug("a guest of exercise 8 has no event %s", trace_kinds[kind].name);
}

static void find_window(struct window *w)
{
    w->rise = find_last(TRACE_IRQ_LINE, run.n_events, 1, false);
    w->deliver = find_last(TRACE_DELIVER, run.n_events, 0, true);
    w->inject = find_last(TRACE_INJECT, w->deliver, 0, true);
    bug_if(w->rise > w->inject, "an interrupt of exercise 8 comes before its line rises");
    w->from = w->rise;
    for (unsigned exits = 0; exits < 3; w->from -= exits < 3)
        exits += run.event[w->from].kind == TRACE_EXIT;
    w->to = w->deliver;
    while (run.event[w->to].kind != TRACE_IRQ_EOI)
        w->to++;
    for (unsigned i = w->from; i <= w->to; i++) {
        const struct trace_event *e = &run.event[i];
        w->exits += e->kind == TRACE_EXIT;
        w->asked += e->kind == TRACE_EXIT && (e->arg[0] == EXIT_IO || e->arg[0] == EXIT_HLT);
    }
}

static void show_event(struct sheet *s, const struct trace_event *e)
{
    char args[200], cause[24] = "";
    if (e->cause_back)
        snprintf(cause, sizeof cause, "%" PRIu64, e->seq - e->cause_back);
    trace_text_args(NULL, e, args, sizeof args);
    if (e->kind == TRACE_RESUME)
        *strstr(args, " host_ns") = '\0';          /* it is not measured here */
    sheet_show(s, "%3" PRIu64 " %6" PRIu64 " %04x %4s %-11s %s", e->seq, e->vtime_ns,
               (unsigned)trace_ip(e), cause, trace_text_kind(e), args);
}

static void show(struct sheet *s, const struct window *w)
{
    sheet_show(s, "%3s %6s %4s %4s %-11s %s", "seq", "ns", "ip", "why", "kind", "what");
    for (unsigned i = w->from; i <= w->to; i++)
        show_event(s, &run.event[i]);
}

/* The chain of causes of an event, as far as it is shown; returns the first of it. */
static const struct trace_event *first_cause(const struct window *w, unsigned i, struct sheet *s)
{
    const struct trace_event *e = &run.event[i];
    while (e->cause_back && e->seq - e->cause_back >= run.event[w->from].seq) {
        if (s)
            sheet_because_line(s, "%" PRIu64 " %s because of %" PRIu64, e->seq,
                               trace_text_kind(e), e->seq - e->cause_back);
        e -= e->cause_back;
    }
    return e;
}

static void ask(struct sheet *s, const struct window *w, enum story story)
{
    const struct trace_event *rise = &run.event[w->rise], *deliver = &run.event[w->deliver];
    sheet_ask_number(s, rise->seq, "What is the number (seq) of the event in which the "
                     "interrupt's line rises?");
    sheet_because(s, "IRQ_LINE with level 1: from there on the interrupt is pending.");
    sheet_ask_number(s, deliver->vtime_ns - rise->vtime_ns, "How many ns later is the guest's "
                     "handler entered?");
    sheet_because(s, "DELIVER is where the processor enters the handler. Event %" PRIu64 " is at "
                  "%" PRIu64 " ns, event %" PRIu64 " at %" PRIu64 " ns.", deliver->seq,
                  deliver->vtime_ns, rise->seq, rise->vtime_ns);
    sheet_ask_choice(s, choices, N_STORIES, story, "What did the interrupt wait for?");
    sheet_because(s, "%s", because[story]);
    sheet_ask_number(s, first_cause(w, w->inject, NULL)->seq, "Follow the causes of the INJECT "
                     "back until there is none, or none that is shown. Which event is the first "
                     "of the chain?");
    sheet_because(s, "The guest armed the timer, long before it fired: so the guest is why.");
    first_cause(w, w->inject, s);
    sheet_ask_number(s, w->exits, "How many exits are shown?");
    sheet_because(s, "Each event EXIT is one. Most have a RESUME that says what became of it.");
    sheet_ask_number(s, w->asked, "How many of them happened because an instruction of the guest "
                     "asks the monitor for something?");
    sheet_because(s, "IO and HLT. The guest knows nothing of the others: BUDGET (the engine is to "
                  "come back when a timer is due), IRQ_WINDOW, and EPT_VIOLATION (a page is "
                  "touched for the first time) are the monitor's own affairs.");
}

void make_trace(struct sheet *s)
{
    struct window w = { 0 };
    static const uint8_t chances[] = { FLAG_CLEAR, FLAG_CLEAR, IN_SERVICE, IN_SERVICE, MASKED,
                                       MASKED, ASLEEP, RUNNING };
    enum story story = chances[sheet_pick(s, 0, NELEM(chances) - 1)];
    unsigned count = sheet_pick(s, 5, 50);
    play(story, count, 839 * count + 100 * sheet_pick(s, 10, 99));
    find_window(&w);
    sheet_say(s, "A PC in real mode, with nested paging, has only line 0 of its 8259A unmasked, "
              "with vector 0x20; the timer that drives it has been armed for one interrupt. The "
              "handler of the interrupt writes 0x20 (end of interrupt) to port 0x20. This is a "
              "part of the trace of its run. The number under `why` is that of the event which it "
              "answers, its cause; ns is virtual time.");
    show(s, &w);
    ask(s, &w, story);
}
