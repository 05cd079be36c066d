/*
 * debugger/report/explain_refusal.c -- why the first exception of a chain was raised.
 *
 * The vector says little: #GP has some sixty causes.  The engine has kept the one that it was, and
 * a number (cpu/refusal.h); here they become half a sentence.  A page fault says by itself, in
 * its error code, what was wrong, so there is nothing to add.
 */
#include "debugger/report/explain_private.h"

#include <inttypes.h>
#include <string.h>

/* A far transfer makes some of the checks of a delivery, with the same code.  What the sentences
 * of OBSTACLE_LIST say about a handler is then true of the transfer's target. */
static const char *const of_transfer[FIRST_REFUSAL] = {
    [OBSTACLE_HANDLER_LIMIT] = "the target lies beyond the end of the code segment, or is not "
                               "canonical",
    [OBSTACLE_TSS_NONE]      = "the target's ring needs a stack from the TSS, and no TSS is loaded",
    [OBSTACLE_TSS_LIMIT]     = "the TSS ends before the stack pointer of the target's ring",
    [OBSTACLE_STACK_NULL]    = "the TSS has the null selector as stack segment of the target's "
                               "ring",
    [OBSTACLE_STACK_LIMIT]   = "the TSS names a stack segment beyond the end of its table",
    [OBSTACLE_STACK_TYPE]    = "the TSS names a stack segment that is not writable data of the "
                               "target's ring",
    [OBSTACLE_STACK_ABSENT]  = "the TSS names a stack segment that is not present",
    [OBSTACLE_STACK_END]     = "the stack segment ends there",
    [OBSTACLE_STACK_ADDRESS] = "the stack pointer is not a canonical address",
    [OBSTACLE_TASK_TSS]      = "the task gate names a TSS that cannot be used",
};

/* "DS:0x12345, where DS is 0x10 with limit 0xffff" */
static void say_segment_place(const struct explain_input *in, uint64_t at, FILE *out)
{
    static const char *const names[] = { "ES", "CS", "SS", "DS", "FS", "GS" };
    unsigned seg = at >> 32 & 7;
    const struct segment *g = &in->cpu->seg[seg < NELEM(names) ? seg : SEG_DS];
    const char *name = names[seg < NELEM(names) ? seg : SEG_DS];
    fprintf(out, " (%s:%#x, where %s is %#x with limit %#x)", name, (uint32_t)at, name, g->sel,
            g->limit);
}

/* The number, unless the exception's error code, printed before, is the same selector. */
static void say_number(const struct explain_input *in, const char *what, uint64_t at, FILE *out)
{
    if (!strcmp(what, "segment:offset"))
        say_segment_place(in, at, out);
    else if (strcmp(what, "-") != 0 && strcmp(what, "selector") != 0)
        fprintf(out, " (%s %#" PRIx64 ")", what, at);
}

void explain_refusal(const struct explain_input *in, FILE *out)
{
    uint64_t why = in->chain->cause;
    if (why == OBSTACLE_UNKNOWN || why >= N_OBSTACLES)
        return;
    const struct obstacle_info *info = &obstacle_infos[why];
    bool shared = why < FIRST_REFUSAL && of_transfer[why];
    fprintf(out, "    the CPU refused it: %s", shared ? of_transfer[why] : info->about);
    say_number(in, info->at, in->chain->cause_at, out);
    fputs(".\n", out);
}
