/*
 * base/utf8.h -- is this text UTF-8?  For names that come from files of other people: a
 * character outside ASCII is passed on where it is whole and well-formed, and nowhere else.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/types.h"

/* How many bytes the character at s has (1 to 4), or 0 if there is no well-formed one: a byte of
 * the middle, too few bytes, one that could be written shorter, a surrogate, beyond U+10FFFF.
 * At the end of the string it is 1, for the 0.  [RFC 3629 "Syntax of UTF-8 Byte Sequences"] */
static inline size_t utf8_length(const char *s)
{
    /* First bytes lo to hi begin a character of n bytes; its second is second_lo to second_hi. */
    static const struct { uint8_t lo, hi, n, second_lo, second_hi; } forms[] = {
        { 0x00, 0x7f, 1, 0x00, 0x00 }, { 0xc2, 0xdf, 2, 0x80, 0xbf }, { 0xe0, 0xe0, 3, 0xa0, 0xbf },
        { 0xe1, 0xec, 3, 0x80, 0xbf }, { 0xed, 0xed, 3, 0x80, 0x9f }, { 0xee, 0xef, 3, 0x80, 0xbf },
        { 0xf0, 0xf0, 4, 0x90, 0xbf }, { 0xf1, 0xf3, 4, 0x80, 0xbf }, { 0xf4, 0xf4, 4, 0x80, 0x8f },
    };
    const uint8_t *b = (const uint8_t *)s;
    for (size_t i = 0; i < NELEM(forms); i++) {
        if (b[0] < forms[i].lo || b[0] > forms[i].hi)
            continue;
        if (forms[i].n > 1 && (b[1] < forms[i].second_lo || b[1] > forms[i].second_hi))
            return 0;
        for (size_t k = 2; k < forms[i].n; k++)
            if (b[k] < 0x80 || b[k] > 0xbf)
                return 0;
        return forms[i].n;
    }
    return 0;
}

/* May the character at s, of `length` bytes by utf8_length(), be shown?  Not if there is none, nor
 * a control character (U+0000 to U+001F, U+007F to U+009F), which a terminal would obey. */
static inline bool utf8_is_shown(const char *s, size_t length)
{
    uint8_t a = (uint8_t)s[0];
    return length && a >= 0x20 && a != 0x7f && !(a == 0xc2 && (uint8_t)s[1] < 0xa0);
}

#endif
