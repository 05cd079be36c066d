/*
 * io/oddity.h -- what guests do that hardware leaves undefined, by number.
 *
 * The first argument of TRACE_ODDITY.  The device does what hardware would
 * have done; the event is there so that somebody can wonder.
 */
#ifndef IO_ODDITY_H
#define IO_ODDITY_H

#include "base/trace.h"

/*    name               a          b          one line */
#define ODDITY_LIST(X)                                                              \
    X(NONE,              "",        "",        "nothing odd")                       \
    X(UART_OVERRUN,      "byte",    "",        "a received byte found no room")     \
    X(UART_THR_FULL,     "byte",    "",        "THR written while it was full")     \
    X(UART_DIVISOR_0,    "",        "",        "a divisor of zero: taken as 65536") \
    X(PIC_SPURIOUS,      "vector",  "",        "acknowledged with nothing pending") \
    X(PIC_BAD_EOI,       "chip",    "ocw2",    "an EOI with nothing in service")    \
    X(PIC_NOT_READY,     "chip",    "value",   "an OCW before the last ICW")        \
    X(PIC_8080_MODE,     "chip",    "icw4",    "ICW4 asks for the MCS-80 mode")     \
    X(PIT_BAD_BCD,       "channel", "count",   "a BCD count with digits above 9")   \
    X(PIT_COUNT_1,       "channel", "mode",    "a count of 1 where 2 is the least") \
    X(RTC_BAD_TIME,      "register","value",   "the clock was set to no such time") \
    X(RTC_BAD_DIVIDER,   "register","value",   "a divider for another crystal")     \
    X(I8042_BAD_COMMAND, "command", "",        "a controller command that is none") \
    X(KBD_BAD_COMMAND,   "byte",    "",        "a keyboard command that is none")   \
    X(KBD_OVERFLOW,      "byte",    "",        "the keyboard's buffer is full")     \
    X(VGA_NO_REGISTER,   "port",    "index",   "an index with no register behind")  \
    X(PORT_READ_ONLY,    "port",    "value",   "a write where only reads go")      \
    X(IRQ_MESSAGE_LOST,  "address", "data",    "an interrupt message that no controller takes") \
    X(DMA_REFUSED,       "address", "bytes",   "a device reached for memory that is not RAM")

enum oddity {
#define X(name, a, b, about) ODDITY_##name,
    ODDITY_LIST(X)
#undef X
    N_ODDITIES
};

struct oddity_info { const char *name, *a, *b, *about; };
extern const struct oddity_info oddities[N_ODDITIES];      /* io/device.c */

/* Log one; t may be NULL. */
static inline void oddity(struct trace *t, enum oddity what, uint64_t a, uint64_t b)
{
    trace_emit(t, TRACE_ODDITY, what, a, b);
}

#endif
