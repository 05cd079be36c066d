/*
 * debugger/trace/field.h -- the fields of events by name, for filters, tables and
 * the index: `port` is arg 0 of an IO_READ and bits 31:16 of the qualification
 * of an EXIT for IO.
 *
 * Every event has seq, time, icount, rip, cs, kind, ...; the names of arguments in
 * TRACE_LIST are fields of the kinds that have them; and the two words of an
 * EXIT are taken apart as doc/trace.md describes.  (An argument called rip is
 * the field `to`; the event itself has a rip.)
 */
#ifndef DEBUGGER_TRACE_FIELD_H
#define DEBUGGER_TRACE_FIELD_H

#include "base/trace.h"
#include "cpu/exit.h"

struct trace_text;

/* How a value is shown, and what words mean one. */
enum look { HEX, DEC, ADDRESS, TIME, KIND, LAYER, VERDICT, ENGINE, MMU, REASON, RIGHTS, YES_NO,
            ODDITY, STOPPED, EVENT, MODE, GPR, OBSTACLE, STUCK, INVARIANT, DRIVE, BACKING };

/* A run of bits of one 64-bit word of the event. */
struct trace_field_source {
    bool    is;
    uint8_t word;               /* 0 to 7, in the order of struct trace_event */
    uint8_t hi, lo;             /* the bits; */
    bool    in_place;           /* not shifted down */
    uint8_t add;
};

struct trace_field {
    const char *name;
    enum look   look;
    bool        indexed;        /* blocks know which values they hold, ...     */
    uint8_t     grain;          /* ... without so many low bits                */
    const char *about;
    struct trace_field_source of_kind[N_TRACE_KINDS];
    struct trace_field_source of_exit[N_EXITS];       /* besides: by exit_index()    */
    uint64_t    kinds;          /* BIT(kind) of those that can have it */
};

size_t trace_fields_count(void);
const struct trace_field *trace_field_at(size_t i);
const struct trace_field *trace_field_find(const char *name, size_t len);      /* NULL: none */

/* The value of a field of e, if it has it. */
bool trace_field_value(const struct trace_field *f, const struct trace_event *e, uint64_t *value);

/* The fields that others treat on their own. */
enum trace_field_role { ROLE_NONE, ROLE_SEQ, ROLE_TIME, ROLE_ICOUNT,
                        ROLE_RIP,   /* the linear address        */
                        ROLE_IP,    /* without the base of CS    */
                        ROLE_CAUSE  /* seq - cause_back: of two words */ };
enum trace_field_role trace_field_role(const struct trace_field *f);

static inline uint64_t trace_field_extract(const struct trace_field_source *s, uint64_t word)
{
    uint64_t mask = UINT64_MAX >> (63 - s->hi) & UINT64_MAX << s->lo;
    return ((word & mask) >> (s->in_place ? 0 : s->lo)) + s->add;
}

/* How an argument of this name is shown: HEX if nothing is known of it. */
enum look trace_field_look(const char *arg);

/* The word for a value, or NULL if only a number will do; and back. */
const char *trace_field_word(const struct trace_text *x, enum look look, uint64_t value);
bool trace_field_parse_word(const struct trace_text *x, enum look look, const char *word,
                            size_t len,
                      uint64_t *value);

#endif
