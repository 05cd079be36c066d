/*
 * io/keyboard.h -- a PS/2 keyboard: the thing at the end of the cable.
 *   [IBM PS/2 Hardware Interface Technical Reference "Keyboard (101- and 102-Key)"]
 *
 * It lives inside the controller's struct (io/i8042.c) and speaks scan code
 * set 2, or 1 if it is told to; translation is the controller's affair.
 */
#ifndef IO_KEYBOARD_H
#define IO_KEYBOARD_H

#include "base/types.h"

struct oddity_log;

#define KEYBOARD_QUEUE 32       /* bytes, a power of two; the real one has 16 */

struct keyboard {
    uint8_t queue[KEYBOARD_QUEUE];
    uint8_t head, count;        /* next to send; how many             */
    uint8_t scanning;           /* key presses are sent               */
    uint8_t set;                /* scan code set, 1 or 2 (3 is refused) */
    uint8_t leds;               /* bit 0 scroll, 1 num, 2 caps        */
    uint8_t typematic;
    uint8_t command;            /* waiting for its argument, 0: none  */
    uint8_t last;               /* last byte sent, for FEh "resend"   */
};

/* As after power-on: set 2, keys are sent, nothing queued. */
void keyboard_reset(struct keyboard *k);

/* A byte from the controller; the answers are queued. */
void keyboard_command(struct keyboard *k, const struct oddity_log *t, uint8_t byte);

/* Is there a byte for the controller?  Take it; 0 if there is none. */
bool    keyboard_has_byte(const struct keyboard *k);
uint8_t keyboard_take(struct keyboard *k);

/* A key by its set-1 code (0xe0xx: an extended key) goes down or up.
 * 0, -EAGAIN (queue full) or -EINVAL (no such key). */
int keyboard_key(struct keyboard *k, const struct oddity_log *t, uint16_t set1_code, bool down);

/* Keys that type no character: what stands for them where characters are passed, and their codes
 * in set 1. */
#define KEYBOARD_SPECIAL_LIST(X)                                                              \
    X(UP,   0xe048) X(DOWN, 0xe050) X(LEFT, 0xe04b) X(RIGHT, 0xe04d) X(HOME, 0xe047)          \
    X(END,  0xe04f) X(PAGE_UP, 0xe049) X(PAGE_DOWN, 0xe051) X(INSERT, 0xe052)                 \
    X(DELETE, 0xe053) X(F1, 0x3b) X(F2, 0x3c) X(F3, 0x3d) X(F4, 0x3e) X(F5, 0x3f) X(F6, 0x40) \
    X(F7, 0x41) X(F8, 0x42) X(F9, 0x43) X(F10, 0x44) X(F11, 0x57) X(F12, 0x58)

enum keyboard_special {
    KEYBOARD_BEFORE_SPECIALS = 0x7f,        /* above every ASCII character */
#define X(name, code) KEYBOARD_##name,
    KEYBOARD_SPECIAL_LIST(X)
#undef X
    KEYBOARD_BEHIND_SPECIALS
};

/* The key that types `ascii` on a US keyboard, or that special key: its set-1 code, or 0; *shift
 * and *ctrl say what to hold. */
uint16_t keyboard_key_for(char ascii, bool *shift, bool *ctrl);

/* What the controller's translation makes of a byte that is no F0h, a scan code or not; and the
 * code in set 2 of a key of set 1 (0: no such key). */
uint8_t scancode_to_set1(uint8_t set2);
uint8_t scancode_to_set2(uint8_t set1);

/* After a load: whatever the file said, stay inside the queue. */
void keyboard_after_load(struct keyboard *k);

#endif
