/*
 * io/keyboard.c -- scan codes, a queue, and the few commands a keyboard knows.
 *
 * Scan codes are written once, as the table by which the controller translates
 * set 2 to set 1; sending in set 2 looks it up backwards.
 * A key released is F0h and the code in set 2, the code with bit 7 in set 1.
 *
 * Commands are answered with FAh ("acknowledge"); what is no command gets
 * FEh ("resend").  ED, F0 and F3 are followed by an argument.
 * [PS/2 Keyboard "Keyboard Commands", "Keyboard Scan Codes"]
 */
#include "io/keyboard.h"

#include <errno.h>
#include <string.h>

#include "io/oddity.h"

#define ACK         0xfa
#define RESEND      0xfe
#define SELF_TEST   0xaa            /* "passed" */
#define EXTENDED    0xe0
#define RELEASED    0xf0            /* in set 2 */
#define RELEASED_1  0x80            /* in set 1 */
#define MENU_1      0x5d            /* the last key of set 1 */
#define ANSWERS     4               /* room that keys leave for answers to commands */

/* The table in the controller's ROM, by what the keyboard sends: set 2 to set 1.  Of 01h to 7Fh
 * each appears once, whether or not a key has it; F7 and SysRq, 83h and 84h, come a second
 * time; what is above stays as it is, answers to commands (FAh, AAh) among it.
 * [Brouwer, "Keyboard Scancodes", "Scancode Sets"] */
static const uint8_t set1_of_set2[0x85] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
    0x80, 0x81, 0x82, 0x41, 0x54,
};

uint8_t scancode_to_set1(uint8_t set2)
{
    return set2 < sizeof set1_of_set2 ? set1_of_set2[set2] : set2;
}

/* The keys of set 1 have the codes from 1 to that of the menu key, but for three. */
static bool is_key(uint8_t set1)
{
    return set1 && set1 <= MENU_1 && set1 != 0x55 && set1 != 0x59 && set1 != 0x5a;
}

/* Backwards through the table, from its end, where F7 and SysRq stand. */
uint8_t scancode_to_set2(uint8_t set1)
{
    uint8_t code = set1 & (uint8_t)~RELEASED_1, two = sizeof set1_of_set2;

    if (!is_key(code))
        return 0;
    while (set1_of_set2[--two] != code)
        ;
    return two;
}

/* Unshifted and shifted character of each set-1 code, on a US keyboard. */
static const char plain[] =
    "\0\0331234567890-=\b\tqwertyuiop[]\n\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] =
    "\0\0!@#$%^&*()_+\0\0QWERTYUIOP{}\0\0ASDFGHJKL:\"~\0|ZXCVBNM<>?";

/* The characters stand where their key's code is: the index is the set-1 code; 0: not there. */
static uint16_t index_of(const char *table, size_t n, char c)
{
    const char *at = c ? memchr(table, c, n) : NULL;
    return at ? (uint16_t)(at - table) : 0;
}

/* In the order of their numbers. */
static const uint16_t special_keys[] = {
#define X(name, code) code,
    KEYBOARD_SPECIAL_LIST(X)
#undef X
};

/* Plain first, then with Shift; ^A to ^Z are what is left. */
uint16_t keyboard_key_for(char ascii, bool *shift, bool *ctrl)
{
    if (ascii == '\r')
        ascii = '\n';
    if (ascii == 0x7f)
        ascii = '\b';
    *shift = *ctrl = false;
    if ((uint8_t)ascii > KEYBOARD_BEFORE_SPECIALS)
        return (uint8_t)ascii < KEYBOARD_BEHIND_SPECIALS
                   ? special_keys[(uint8_t)ascii - KEYBOARD_BEFORE_SPECIALS - 1] : 0;
    uint16_t code = index_of(plain, sizeof plain - 1, ascii);
    if (code)
        return code;
    code = index_of(shifted, sizeof shifted - 1, ascii);
    *shift = code != 0;
    if (code || ascii < 1 || ascii > 26)
        return code;
    *ctrl = true;
    return index_of(plain, sizeof plain - 1, (char)('a' + ascii - 1));
}

/* --- The queue --- */

static unsigned room(const struct keyboard *k)
{
    return KEYBOARD_QUEUE - k->count;
}

static void queue_byte(struct keyboard *k, const struct oddity_log *t, uint8_t byte)
{
    if (!room(k)) {
        oddity(t, ODDITY_KBD_OVERFLOW, byte, 0);
        return;
    }
    k->queue[(k->head + k->count++) % KEYBOARD_QUEUE] = byte;
}

bool keyboard_has_byte(const struct keyboard *k)
{
    return k->count;
}

/* What was sent is kept for "resend". */
uint8_t keyboard_take(struct keyboard *k)
{
    if (!k->count)
        return 0;
    uint8_t byte = k->queue[k->head];
    k->head = (k->head + 1) % KEYBOARD_QUEUE;
    k->count--;
    if (byte != RESEND)
        k->last = byte;
    return byte;
}

/* A key that goes up sends its code as well, marked; so the guest knows what is held.
 * [PS/2 Keyboard "Scan Code Tables"] */
int keyboard_key(struct keyboard *k, const struct oddity_log *t, uint16_t set1_code, bool down)
{
    bool extended = set1_code >> 8 == EXTENDED;
    uint8_t code = set1_code & 0x7f, code2 = scancode_to_set2(code);
    if (!code2)
        return -EINVAL;
    if (!k->scanning)
        return 0;               /* a disabled keyboard forgets what is pressed */
    if (room(k) < ANSWERS + 3)
        return -EAGAIN;
    if (extended)
        queue_byte(k, t, EXTENDED);
    if (k->set == 1) {
        queue_byte(k, t, code | (down ? 0 : RELEASED_1));
        return 0;
    }
    if (!down)
        queue_byte(k, t, RELEASED);
    queue_byte(k, t, code2);
    return 0;
}

/* --- Commands --- */

enum { CMD_LEDS = 0xed, CMD_ECHO = 0xee, CMD_SCANSET = 0xf0, CMD_IDENTIFY = 0xf2,
       CMD_TYPEMATIC = 0xf3, CMD_ENABLE = 0xf4, CMD_DISABLE = 0xf5, CMD_DEFAULTS = 0xf6,
       CMD_RESEND = 0xfe, CMD_RESET = 0xff };

static const struct keyboard keyboard_at_reset = { .scanning = 1, .set = 2, .typematic = 0x2b };

/* The settings only: what is queued stays. */
static void set_defaults(struct keyboard *k, bool scanning)
{
    k->set = keyboard_at_reset.set;
    k->typematic = keyboard_at_reset.typematic;
    k->scanning = scanning;
}

/* LEDs, rate, or scan code set; of the last, 0 asks which it is. */
static void take_argument(struct keyboard *k, const struct oddity_log *t, uint8_t byte)
{
    uint8_t command = k->command;
    k->command = 0;
    if (command == CMD_SCANSET && byte > 2) {
        oddity(t, ODDITY_KBD_BAD_COMMAND, byte, 0);
        queue_byte(k, t, RESEND);   /* set 3 is for terminals */
        return;
    }
    queue_byte(k, t, ACK);
    if (command == CMD_LEDS)
        k->leds = byte & 7;
    else if (command == CMD_TYPEMATIC)
        k->typematic = byte & 0x7f;
    else if (byte)
        k->set = byte;
    else
        queue_byte(k, t, k->set);
}

static void tell_kind(struct keyboard *k, const struct oddity_log *t)
{
    queue_byte(k, t, ACK);
    queue_byte(k, t, 0xab);     /* "MF2 keyboard"; translated, 83h becomes 41h */
    queue_byte(k, t, 0x83);
}

static void self_test(struct keyboard *k, const struct oddity_log *t)
{
    *k = keyboard_at_reset;
    queue_byte(k, t, ACK);
    queue_byte(k, t, SELF_TEST);
}

/* A command clears what is queued: its answer comes first. */
void keyboard_command(struct keyboard *k, const struct oddity_log *t, uint8_t byte)
{
    if (byte != CMD_RESEND)
        k->count = 0;
    if (k->command && byte < CMD_LEDS) {
        take_argument(k, t, byte);
        return;
    }
    k->command = 0;
    switch (byte) {
    case CMD_ECHO:      queue_byte(k, t, CMD_ECHO); break;
    case CMD_IDENTIFY:  tell_kind(k, t); break;
    case CMD_RESEND:    queue_byte(k, t, k->last); break;
    case CMD_RESET:     self_test(k, t); break;
    case CMD_LEDS:
    case CMD_SCANSET:
    case CMD_TYPEMATIC:
        k->command = byte;
        queue_byte(k, t, ACK);
        break;
    case CMD_ENABLE:
        k->scanning = 1;
        queue_byte(k, t, ACK);
        break;
    case CMD_DISABLE:
    case CMD_DEFAULTS:
        set_defaults(k, byte == CMD_DEFAULTS);
        queue_byte(k, t, ACK);
        break;
    default:
        oddity(t, ODDITY_KBD_BAD_COMMAND, byte, 0);
        queue_byte(k, t, RESEND);
        break;
    }
}

void keyboard_reset(struct keyboard *k)
{
    *k = keyboard_at_reset;
}

void keyboard_after_load(struct keyboard *k)
{
    k->head %= KEYBOARD_QUEUE;
    if (k->count > KEYBOARD_QUEUE)
        k->count = KEYBOARD_QUEUE;
    if (k->set != 1)
        k->set = 2;
}
