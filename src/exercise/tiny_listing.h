/*
 * exercise/tiny_listing.h -- code of a tiny guest, written together with its listing.
 *
 * An assembler would be too much for a dozen instructions: whoever writes them gives the bytes
 * and the text of each.  That both say the same the exercises' solver shows, which has only the
 * text: it must come to what the machine does with the bytes.
 */
#ifndef EXERCISE_TINY_LISTING_H
#define EXERCISE_TINY_LISTING_H

#include "exercise/sheet.h"
#include "exercise/tiny_guest.h"

/* Where each line of the listing goes; put may be NULL. */
struct tiny_listing {
    struct tiny_code *code;
    void            (*put)(void *arg, const char *line);
    void             *arg;
};

/* The next instruction: n bytes, and its text in AT&T's way of writing. */
void tiny_insn(struct tiny_listing *l, const void *bytes, size_t n, const char *fmt, ...)
    SHEET_PRINTF(4);

/* A jump of two bytes (JZ, LOOP ...) to `to`, an offset in the code. */
void tiny_jump(struct tiny_listing *l, const char *name, uint8_t opcode, unsigned to);

/* mov $value, %REG with 16 bits; reg is the register's number (0 AX, 1 CX, ... 7 DI). */
void tiny_mov16(struct tiny_listing *l, unsigned reg, unsigned value);

#endif
