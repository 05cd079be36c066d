/*
 * debugger/report/explain_private.h -- what the files that explain share: the stopped machine
 * as they see it, how they name an address, and what each can say.
 */
#ifndef DEBUGGER_REPORT_EXPLAIN_PRIVATE_H
#define DEBUGGER_REPORT_EXPLAIN_PRIVATE_H

#include <stdio.h>

#include "base/x86.h"
#include "cpu/decode.h"
#include "cpu/delivery.h"
#include "cpu/regs.h"
#include "cpu/state.h"
#include "debugger/report/explain.h"

static inline bool explain_is_long(const struct cpu_state *c) { return c->efer & EFER_LMA; }
static inline bool explain_is_real(const struct cpu_state *c) { return !(c->cr0 & CR0_PE); }
static inline bool explain_is_paged(const struct cpu_state *c) { return c->cr0 & CR0_PG; }

/* The linear address of an offset in a segment.  In 64-bit code the bases of CS and SS are 0
 * whatever the registers say.  [SDM 3A "Segmentation in IA-32e Mode"] */
static inline gla_t explain_linear(const struct cpu_state *c, enum seg seg, uint64_t offset)
{
    if (explain_is_long(c) && c->seg[SEG_CS].attr & SEG_L)
        return offset;
    return (uint32_t)(c->seg[seg].base + offset);
}

/* How wide code is: D and L of CS.  [SDM 3A "Segment Descriptors"] */
static inline enum code_width explain_code_width(const struct cpu_state *c)
{
    if (explain_is_real(c) || c->rflags & FLAG_VM)
        return CODE16;
    if (explain_is_long(c) && c->seg[SEG_CS].attr & SEG_L)
        return CODE64;
    return c->seg[SEG_CS].attr & SEG_DB ? CODE32 : CODE16;
}

/* The size of an entry of the IDT. */
static inline unsigned explain_gate_bytes(const struct cpu_state *c)
{
    return explain_is_real(c) ? 4 : explain_is_long(c) ? 16 : 8;
}

/* Print text with its lines folded so that each fits into 80 columns; what is folded is indented
 * by 4 more than the line began with.  Longer words stay whole, and so do an address and the
 * symbol behind it. */
void explain_fold(const char *text, FILE *out);

/* Print an address, and its symbol and source line if there are any: "0x100010 <main+0x4>
 * (kernel.c:12)". */
void explain_say_place(const struct explain_input *in, uint64_t at, FILE *out);

/* Print a place in code as the CPU's mode says places, and its symbol if there is one:
 * "0x100010 <main+0x4>", "07c0:0009, linear 0x7c09 <start+0x9>". */
void explain_say_code(const struct explain_input *in, const struct code_segment *cs, uint64_t rip,
                      FILE *out);

/* Print why there is nothing at an address: "which the page tables at cr3 0x... do not map". */
void explain_say_not_mapped(const struct explain_input *in, FILE *out);

/* Print why the first exception of in->chain was raised, as a line of its own, or
 * nothing if there is no more to say than its vector and error code do. */
void explain_refusal(const struct explain_input *in, FILE *out);

/* Print which entry of the page tables does not allow an access, in brackets behind a space;
 * `error` is the page fault's error code.  Nothing if they do allow it, or if paging is off. */
void explain_say_walk(const struct explain_input *in, gla_t at, uint32_t error, FILE *out);

/* Does the way to an address lead to a page table that lies where there is no memory? */
bool explain_table_is_nowhere(const struct explain_input *in, gla_t at);

/* Was it the instruction itself that could not be read? */
bool explain_fetch_failed(const struct explain_input *in, const struct delivery_step *st);

/* If the step's instruction is IRET, print a line: what it has taken from the stack, and whether
 * an interrupt's frame lies nearby.  The distance to that in bytes; 0: IRET has found one, or
 * there is none. */
void explain_say_iret(const struct explain_input *in, const struct delivery_step *st, FILE *out);
int  explain_iret_distance(const struct explain_input *in, const struct delivery_step *st);

/* Is it an IRET that takes words of less bytes than those of the frame that lies there? */
bool explain_iret_is_narrow(const struct explain_input *in, const struct delivery_step *st);

/* Is it a far RET of 64-bit code that takes words of less bytes than those that lie there? */
bool explain_far_ret_is_narrow(const struct explain_input *in, const struct delivery_step *st);

/* Decode the instruction that has raised an exception.  False: the step is another event, or
 * there is no instruction. */
bool explain_decode(const struct explain_input *in, const struct delivery_step *st,
                    struct decoded *d);

/* The CPU is in HLT: if the stack says that an interrupt's handler has come back here by RET, so
 * that CS and flags are still there, print a line that says so. */
void explain_say_lost_frame(const struct explain_input *in, FILE *out);

/* If further up the stack lies the frame of an interrupt or exception, print a line that says so:
 * the step's exception may have come in its handler. */
void explain_say_handler(const struct explain_input *in, const struct delivery_step *st, FILE *out);

/* What has led to `rip`, where there is no code?  If the stack tells that it was a CALL, an
 * interrupt or a RET, print a line or two that say so, and return true.  An interrupt also as a
 * question. */
bool explain_say_caller(const struct explain_input *in, uint64_t rip, FILE *out);
bool explain_is_in_handler(const struct explain_input *in);

/* If the CPU has come here through memory that nobody has filled: print where code of the program
 * ends before that. */
void explain_say_run_on(const struct explain_input *in, uint64_t rip, FILE *out);

/* What an entry of the IDT says: the handler is at selector:offset.  In real mode there is no
 * type. */
struct explain_gate { uint16_t selector; uint64_t offset; uint8_t type; };

/* Read the gate of a vector, of 0 to 255.  GATE_IS_READ: *g is what it says, whether it is present
 * or not. */
enum explain_gate_found { GATE_IS_READ, GATE_IS_BEYOND_LIMIT, GATE_IS_UNREADABLE };
enum explain_gate_found explain_read_gate(const struct explain_input *in, unsigned vector,
                                          struct explain_gate *g);

/* Is a gate that was read one that the CPU follows?  In real mode each is. */
bool explain_gate_is_present(const struct explain_input *in, const struct explain_gate *g);

/* Does a gate of the IDT lead to this address?  Is there one that leads to a function of the
 * program if the halves of its offset are swapped? */
bool explain_gate_leads_to(const struct explain_input *in, uint64_t rip);
bool explain_gate_is_swapped(const struct explain_input *in);

/* Is there no code at the instruction: was the CPU sent to a wrong address, or ran it on? */
bool explain_is_runaway(const struct explain_input *in, const struct delivery_step *st);

/* What to check because of the reason that explain_refusal() tells; NULL: nothing. */
const char *explain_check_refusal(const struct explain_input *in);

/* What to check, as whole sentences: because of the exception itself, and because of its way to
 * a handler.  NULL: no sign of a known mistake. */
const char *explain_check_cause(const struct explain_input *in, const struct delivery_step *st);
const char *explain_check_way(const struct explain_input *in, const struct delivery_step *st);

/* Parts of explain_check_cause(), each about one kind of cause; NULL: it is none of that kind. */
const char *explain_check_page_fault(const struct explain_input *in,
                                     const struct delivery_step *st);
const char *explain_check_segment(const struct explain_input *in, const struct delivery_step *st);
const char *explain_check_lost(const struct explain_input *in, const struct delivery_step *st);

/* What to check of a CPU that is still running, as if its next instruction had raised an exception.
 * NULL: it runs where code is, as far as anybody can tell. */
const char *explain_check_running(const struct explain_input *in, const struct delivery_step *st);

/* Print the first exception of in->chain, at which instruction it was and why; and what is to be
 * checked because of it and of its delivery. */
void explain_first(const struct explain_input *in, const struct delivery_step *st, FILE *out);
void explain_what_to_check(const struct explain_input *in, const struct delivery_step *st,
                           FILE *out);

/* Print the story of in->chain, which has at least one step. */
void explain_chain(const struct explain_input *in, FILE *out);

/* Does the handler of the exception that was delivered last still run, as its frame on the stack
 * tells?  Then print that exception, as a chain's first. */
bool explain_is_in_delivered(const struct explain_input *in);
void explain_delivered(const struct explain_input *in, FILE *out);

/* Is it a handler of the BIOS, which can only say so?  Then print that. */
bool explain_is_left_to_bios(const struct explain_input *in);
void explain_left_to_bios(const struct explain_input *in, FILE *out);

/* In code of the BIOS: print for whom, as a line.  Nothing if no INT on the stack tells. */
void explain_say_bios_call(const struct explain_input *in, FILE *out);

/* Print that the BIOS could not read or write a disk, if that is how its last attempt ended. */
void explain_say_disk_error(const struct explain_input *in, FILE *out);

/* Print that the bytes at the first exception's instruction are no longer those that were
 * executed, if one can see that. */
void explain_say_overwritten(const struct explain_input *in, const struct delivery_step *st,
                             FILE *out);

#endif
