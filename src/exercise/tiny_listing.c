/*
 * exercise/tiny_listing.c -- an instruction is added to the code and to its listing.
 */
#include "exercise/tiny_listing.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const reg16[8] = { "ax", "cx", "dx", "bx", "sp", "bp", "si", "di" };

void tiny_insn(struct tiny_listing *l, const void *bytes, size_t n, const char *fmt, ...)
{
    char line[80];
    int at = snprintf(line, sizeof line, "%04x:  ", TINY_CODE + l->code->n);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line + at, sizeof line - (size_t)at, fmt, ap);
    va_end(ap);
    if (l->put)
        l->put(l->arg, line);
    tiny_code_add(l->code, bytes, n);
}

void tiny_jump(struct tiny_listing *l, const char *name, uint8_t opcode, unsigned to)
{
    uint8_t bytes[2] = { opcode, (uint8_t)(to - (l->code->n + 2)) };
    tiny_insn(l, bytes, sizeof bytes, "%s %04x", name, TINY_CODE + to);
}

void tiny_mov16(struct tiny_listing *l, unsigned reg, unsigned value)
{
    uint8_t bytes[3] = { (uint8_t)(0xb8 + reg), (uint8_t)value, (uint8_t)(value >> 8) };
    tiny_insn(l, bytes, sizeof bytes, "mov $0x%x, %%%s", value, reg16[reg]);
}
