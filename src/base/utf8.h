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
        { 0x00, 0x7f, 1, 0x00, 0x00 },
        { 0xc2, 0xdf, 2, 0x80, 0xbf },
        { 0xe0, 0xe0, 3, 0xa0, 0xbf },
        { 0xe1, 0xec, 3, 0x80, 0xbf },
        { 0xed, 0xed, 3, 0x80, 0x9f },
        { 0xee, 0xef, 3, 0x80, 0xbf },
        { 0xf0, 0xf0, 4, 0x90, 0xbf },
        { 0xf1, 0xf3, 4, 0x80, 0xbf },
        { 0xf4, 0xf4, 4, 0x80, 0x8f },
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
 * a control character (U+0000 to U+001F, U+007F to U+009F), which a terminal would obey, nor one
 * that is invisible or turns the direction of writing around (U+200B to U+200F, U+2028 to U+202E,
 * U+2060 to U+206F, U+FEFF): a name must not look like another one. */
static inline bool utf8_is_shown(const char *s, size_t length)
{
    const uint8_t *b = (const uint8_t *)s;
    if (length < 2)
        return length && b[0] >= 0x20 && b[0] != 0x7f;
    if (length == 2)
        return b[0] != 0xc2 || b[1] >= 0xa0;
    if (length > 3)
        return true;
    unsigned c = (b[0] & 15u) << 12 | (b[1] & 63u) << 6 | (b[2] & 63u);
    return !(c >= 0x200b && c <= 0x200f) && !(c >= 0x2028 && c <= 0x202e) &&
           !(c >= 0x2060 && c <= 0x206f) && c != 0xfeff;
}

/* How many bytes of s are no beginnings of characters: printf() pads by bytes, so a field for s
 * must be wider by that. */
static inline int utf8_extra(const char *s)
{
    int n = 0;
    for (; *s; s++)
        n += ((uint8_t)*s & 0xc0) == 0x80;
    return n;
}

/* Make a string fit to be shown, in its place: each byte of what may not be shown becomes '?'.  So
 * do quotes, backslashes and blanks where the string is a name (is_name), which is put into
 * commands and JSON as it is. */
static inline void utf8_clean(char *s, bool is_name)
{
    for (size_t n; *s; s += n ? n : 1) {
        n = utf8_length(s);
        if (utf8_is_shown(s, n) && !(is_name && (*s == ' ' || *s == '"' || *s == '\\')))
            continue;
        for (size_t i = 0; i < (n ? n : 1); i++)
            s[i] = '?';
    }
}

#endif
