/*
 * io/oddity.h -- what guests do that hardware leaves undefined, by number.
 *
 * The first argument of TRACE_ODDITY.  The device does what hardware would
 * have done; the event is there so that somebody can wonder.
 */
#ifndef IO_ODDITY_H
#define IO_ODDITY_H

#include "base/trace.h"

/*    name               a          b          one line
 *    and what a number of them means, behind that number: "9 bytes lost: ..."; "(s)" is an s if
 *    there are several.  It is told when a run has ended (debugger/report/last_words.c). */
#define ODDITY_LIST(X)                                                                         \
    X(NONE,              "",        "",        "nothing odd",                                  \
      "of nothing")                                                                            \
    X(UART_OVERRUN,      "byte",    "",        "a received byte found no room",                \
      "byte(s) from the serial line lost: read port 0x3f8 as soon as bit 0 of LSR (port "      \
      "0x3fd) is set")                                                                         \
    X(UART_THR_FULL,     "byte",    "",        "THR written while it was full",                \
      "byte(s) lost on the serial line: wait for LSR bit 5 (port 0x3fd) before each OUT to "   \
      "0x3f8, or run with --uart fast")                                                        \
    X(UART_DIVISOR_0,    "",        "",        "a divisor of zero: taken as 65536",            \
      "byte(s) sent with the divisor 0, which means 65536: each takes 6 s; set LCR bit 7, "    \
      "then ports 0x3f8 and 0x3f9")                                                            \
    X(PIC_SPURIOUS,      "vector",  "",        "acknowledged with nothing pending",            \
      "spurious interrupt(s), IRQ 7 or 15 with no device behind them: they want no EOI")       \
    X(PIC_BAD_EOI,       "chip",    "ocw2",    "an EOI with nothing in service",               \
      "EOI(s) to the PIC with no interrupt in service: one for each IRQ, none for exceptions") \
    X(PIC_NOT_READY,     "chip",    "value",   "an OCW before the last ICW",                   \
      "write(s) to a PIC in the midst of its initialisation: ICW1 is followed by ICW2, ICW3, " \
      "ICW4, all to the odd port")                                                             \
    X(PIC_8080_MODE,     "chip",    "icw4",    "ICW4 asks for the MCS-80 mode",                \
      "ICW4(s) with bit 0 clear: the PIC then answers as for an 8080")                         \
    X(PIT_BAD_BCD,       "channel", "count",   "a BCD count with digits above 9",              \
      "PIT count(s) in BCD with digits above 9: bit 0 of the control word (port 0x43) asks "   \
      "for BCD")                                                                               \
    X(PIT_COUNT_1,       "channel", "mode",    "a count of 1 where 2 is the least",            \
      "PIT count(s) of 1 in a mode that needs 2 at least")                                     \
    X(RTC_BAD_TIME,      "register","value",   "the clock was set to no such time",            \
      "time(s) the clock was set to a time that does not exist: BCD or binary is bit 2 of "    \
      "register B")                                                                            \
    X(RTC_BAD_DIVIDER,   "register","value",   "a divider for another crystal",                \
      "divider(s) in register A of the clock that stop it: bits 6-4 are 010")                  \
    X(I8042_BAD_COMMAND, "command", "",        "a controller command that is none",            \
      "command(s) to the keyboard controller (port 0x64) that it does not have")               \
    X(KBD_BAD_COMMAND,   "byte",    "",        "a keyboard command that is none",              \
      "byte(s) to the keyboard (port 0x60) that are no command of its")                        \
    X(KBD_OVERFLOW,      "byte",    "",        "the keyboard's buffer is full",                \
      "key code(s) lost: nobody read port 0x60")                                               \
    X(VGA_NO_REGISTER,   "port",    "index",   "an index with no register behind",             \
      "time(s) a VGA register was asked for that does not exist")                              \
    X(VGA_GRAPHICS,      "misc",    "",        "a graphics mode, which is not drawn",          \
      "time(s) a graphics mode was set: it is not drawn here, and there is nothing to see")    \
    X(PORT_READ_ONLY,    "port",    "value",   "a write where only reads go",                  \
      "write(s) to registers that can only be read")                                           \
    X(IRQ_MESSAGE_LOST,  "address", "data",    "an interrupt message that no controller takes", \
      "interrupt message(s) (MSI) that no controller takes")                                   \
    X(DMA_REFUSED,       "address", "bytes",   "a device reached for memory that is not RAM",  \
      "transfer(s) refused: a device was told to reach for memory that is not RAM")            \
    X(UART_NO_OUT2,      "iir",     "",        "an interrupt is due, and MCR.OUT2 keeps it",   \
      "time(s) the serial port had an interrupt that never reached IRQ 4: set bit 3 (OUT2) "   \
      "of MCR, port 0x3fc")                                                                    \
    X(LOADER_STACK,      "address", "rsp",                                                     \
      "it uses the boot loader's stack, and Multiboot promises none: set ESP first",           \
      "push(es) to the boot loader's stack, which Multiboot does not promise: set ESP first")  \
    X(LOADER_GDT,        "address", "rip",                                                     \
      "it uses the boot loader's GDT, and Multiboot promises none: LGDT first",                \
      "time(s) a selector was loaded from the boot loader's GDT, which Multiboot does not "    \
      "promise: LGDT first")                                                                   \
    X(INT_DOS,           "vector",  "address", "INT 21h: there is no DOS",                     \
      "time(s) INT 21h was executed, and nothing came of it: it belongs to DOS, which is not " \
      "there (INT 10h prints, 13h reads a disk, 16h a key)")                                   \
    X(INT_LINUX,         "vector",  "address", "INT 80h: there is no Linux",                   \
      "time(s) INT 80h was executed, and nothing came of it: it is a system call of Linux, "   \
      "which is not there (INT 10h prints, 13h reads a disk, 16h a key)")                      \
    X(INT_IGNORED,       "vector",  "address", "a software interrupt with no service behind",  \
      "time(s) a software interrupt was executed that has no service in the BIOS, and no "     \
      "handler of the guest's: `vitrine trace` shows which")                                   \
    X(NO_SERIAL,         "port",    "value",   "output to a serial port that is not there",    \
      "byte(s) written to COM2, 3 or 4, which are not there: COM1, port 0x3f8, is the only "   \
      "serial port")                                                                           \
    X(ROM_WRITE,         "address", "value",   "a write to ROM, which is lost",                \
      "write(s) to ROM lost (a BIOS made for other machines opens RAM behind its ROM by a PCI " \
      "bridge, which is not here)")                                                            \
    X(ATA_BUSY,          "register", "value",  "a write to a drive that is busy, or has data",  \
      "write(s) to a disk drive that took no notice: wait until BSY and DRQ (bits 7 and 3 of "  \
      "port 0x1f7) are 0")                                                                     \
    X(ATA_NO_DATA,       "write",   "value",   "a word passed that the drive did not ask for",  \
      "word(s) passed through port 0x1f0 without DRQ (bit 3 of port 0x1f7): they went nowhere") \
    X(NOWHERE_WRITE,     "address", "value",   "a write to where neither memory nor a device is", \
      "write(s) lost, to where neither memory nor a device is: --mem says how much memory " \
      "there is")                                                                              \
    X(UART_DLAB,         "byte",    "",        "the divisor is written again and again",       \
      "byte(s) written to port 0x3f8 while bit 7 of LCR (DLAB) was set: they went to the "     \
      "divisor and not to the line. Clear that bit (OUT 0x03 to port 0x3fb) when the divisor " \
      "is set")

enum oddity {
#define X(name, a, b, about, counted) ODDITY_##name,
    ODDITY_LIST(X)
#undef X
    N_ODDITIES
};

struct oddity_info { const char *name, *a, *b, *about, *counted; };
extern const struct oddity_info oddities[N_ODDITIES];      /* io/device.c */

/* Where a device reports them: to the log, if there is one, and to the machine's counters, which
 * are there without a log too.  Either may be NULL. */
struct oddity_log {
    struct trace *trace;
    uint64_t     *count;        /* N_ODDITIES of them */
};

/* Count one and log it. */
static inline void oddity(const struct oddity_log *log, enum oddity what, uint64_t a, uint64_t b)
{
    if (log->count)
        log->count[what]++;
    trace_emit(log->trace, TRACE_ODDITY, what, a, b);
}

#endif
