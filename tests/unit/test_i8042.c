/*
 * tests/unit/test_i8042.c -- keyboard controller and keyboard.
 *
 *   run   build/tests/test_i8042
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "board.h"
#include "io/keyboard.h"

#define CABLE_NS 200000     /* more than a byte takes */

static struct board *b;
static struct i8042 *kbd;

static int set_up(void **state)
{
    (void)state;
    b = board_new();
    kbd = b->part[B_KBD].dev;
    start_pics(b);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    board_free(b);
    return 0;
}

static bool irr(uint16_t port, uint8_t bit)
{
    out(b, port, 0x0a);
    return in(b, port) & bit;
}

/* The next byte from the keyboard, or -1. */
static int next(void)
{
    pass(b, CABLE_NS);
    return in(b, 0x64) & 1 ? in(b, 0x60) : -1;
}

static void assert_bytes(const char *bytes)
{
    for (; *bytes; bytes++)
        assert_int_equal(next(), (uint8_t)*bytes);
    assert_int_equal(next(), -1);
}

static void keyboard(uint8_t byte)
{
    out(b, 0x60, byte);
}

static void a_letter_is_make_and_break(void **state)
{
    (void)state;
    assert_int_equal(keyboard_type(kbd, 'a'), 0);
    assert_bytes("\x1e\x9e");
    assert_int_equal(keyboard_type(kbd, 'A'), 0);
    assert_bytes("\x2a\x1e\x9e\xaa");
    assert_int_equal(keyboard_type(kbd, 3), 0);             /* Ctrl-C */
    assert_bytes("\x1d\x2e\xae\x9d");
    assert_int_equal(keyboard_type(kbd, '\n'), 0);
    assert_bytes("\x1c\x9c");
    assert_int_equal(keyboard_type(kbd, (char)0xe9), -EINVAL);
}

static void keys_without_a_character_have_numbers(void **state)
{
    (void)state;
    assert_int_equal(keyboard_type(kbd, (char)KEYBOARD_UP), 0);
    assert_bytes("\xe0\x48\xe0\xc8");
    assert_int_equal(keyboard_type(kbd, (char)KEYBOARD_F12), 0);
    assert_bytes("\x58\xd8");
    assert_int_equal(keyboard_type(kbd, (char)KEYBOARD_BEHIND_SPECIALS), -EINVAL);
    assert_int_equal(keyboard_type(kbd, (char)KEYBOARD_BEFORE_SPECIALS), 0);    /* Delete is ^H */
    assert_bytes("\x0e\x8e");
}

static void every_printable_character_has_a_key(void **state)
{
    (void)state;
    bool shift, ctrl;
    for (char c = ' '; c < 0x7f; c++)
        assert_int_not_equal(keyboard_key_for(c, &shift, &ctrl), 0);
    assert_int_equal(keyboard_key_for('?', &shift, &ctrl), 0x35);
    assert_true(shift);
    assert_int_equal(keyboard_key_for('q', &shift, &ctrl), 0x10);
    assert_false(shift);
}

static void untranslated_it_speaks_set_2(void **state)
{
    (void)state;
    out(b, 0x64, 0x60);
    out(b, 0x60, 0x05);
    keyboard_type(kbd, 'a');
    assert_bytes("\x1c\xf0\x1c");
    i8042_key(kbd, 0xe048, true);                           /* cursor up */
    i8042_key(kbd, 0xe048, false);
    assert_bytes("\xe0\x75\xe0\xf0\x75");
}

static void extended_keys_keep_their_prefix(void **state)
{
    (void)state;
    i8042_key(kbd, 0xe048, true);
    i8042_key(kbd, 0xe048, false);
    assert_bytes("\xe0\x48\xe0\xc8");
    assert_int_equal(i8042_key(kbd, 0x55, true), -EINVAL);
}

static void both_scan_code_sets_agree(void **state)
{
    (void)state;
    unsigned keys = 0;
    for (unsigned code = 1; code < 0x80; code++) {
        uint8_t two = scancode_to_set2((uint8_t)code);
        if (!two)
            continue;
        keys++;
        assert_int_equal(scancode_to_set1(two), code);
    }
    assert_int_equal(keys, 90);
    assert_int_equal(scancode_to_set1(0xfa), 0xfa);
}

/* The controller's table maps 01h to 7Fh onto themselves, in another order. */
static void the_translation_loses_nothing(void **state)
{
    (void)state;
    bool seen[0x80] = { false };
    for (unsigned code = 1; code < 0x80; code++) {
        uint8_t one = scancode_to_set1((uint8_t)code);
        assert_in_range(one, 1, 0x7f);
        assert_false(seen[one]);
        seen[one] = true;
    }
    assert_int_equal(scancode_to_set1(0), 0xff);            /* "too many keys" has a code in each */
    for (unsigned code = 0x85; code < 0x100; code++)
        assert_int_equal(scancode_to_set1((uint8_t)code), code);
}

static void irq1_once_per_byte(void **state)
{
    (void)state;
    keyboard_type(kbd, 'a');
    assert_false(irr(0x20, 2));
    pass(b, CABLE_NS);
    assert_true(irr(0x20, 2));
    assert_int_equal(pic_ack(b->part[B_PIC].dev).vector, 0x21);
    out(b, 0x20, 0x20);
    assert_int_equal(in(b, 0x60), 0x1e);
    assert_int_equal(in(b, 0x64) & 1, 0);
    pass(b, CABLE_NS);
    assert_int_equal(pic_ack(b->part[B_PIC].dev).vector, 0x21);    /* a new edge */
    out(b, 0x64, 0x60);                                     /* interrupts off */
    out(b, 0x60, 0x44);
    assert_false(irr(0x20, 2));
}

static void self_test_and_interface_tests(void **state)
{
    (void)state;
    out(b, 0x64, 0xaa);
    assert_int_equal(in(b, 0x64) & 0x05, 0x05);
    assert_int_equal(in(b, 0x60), 0x55);
    out(b, 0x64, 0xab);
    assert_int_equal(in(b, 0x60), 0x00);
    out(b, 0x64, 0xa9);
    assert_int_equal(in(b, 0x60), 0x00);
}

static void command_byte_reads_back(void **state)
{
    (void)state;
    out(b, 0x64, 0x60);
    assert_int_equal(in(b, 0x64) & 0x08, 0x08);
    out(b, 0x60, 0x47);
    assert_int_equal(in(b, 0x64) & 0x08, 0x00);
    out(b, 0x64, 0x20);
    assert_int_equal(in(b, 0x60), 0x47);
    out(b, 0x64, 0xad);
    out(b, 0x64, 0xa7);
    out(b, 0x64, 0x20);
    assert_int_equal(in(b, 0x60), 0x77);
    out(b, 0x64, 0xae);
    out(b, 0x64, 0xa8);
    out(b, 0x64, 0x20);
    assert_int_equal(in(b, 0x60), 0x47);
}

static void a_disabled_keyboard_waits(void **state)
{
    (void)state;
    out(b, 0x64, 0xad);
    keyboard_type(kbd, 'a');
    assert_int_equal(next(), -1);
    out(b, 0x64, 0xae);
    assert_bytes("\x1e\x9e");
}

static void a20_is_on_the_output_port(void **state)
{
    (void)state;
    assert_int_equal(b->a20, 1);
    out(b, 0x64, 0xd1);
    out(b, 0x60, 0xdd);
    assert_int_equal(b->a20, 0);
    out(b, 0x64, 0xd0);
    assert_int_equal(in(b, 0x60) & 0x03, 0x01);
    out(b, 0x64, 0xd1);
    out(b, 0x60, 0xdf);
    assert_int_equal(b->a20, 1);
    assert_int_equal(b->hooks, 0);
}

static void pulses_and_output_port_reset(void **state)
{
    (void)state;
    out(b, 0x64, 0xfe);
    assert_int_equal(b->hooks, 1);
    assert_int_equal(b->hook_value, RESET_I8042);
    out(b, 0x64, 0xff);                                     /* pulses nothing */
    assert_int_equal(b->hooks, 1);
    out(b, 0x64, 0xd1);
    out(b, 0x60, 0xfe);
    assert_int_equal(b->hooks, 2);
}

static void no_mouse_answers_sanely(void **state)
{
    (void)state;
    out(b, 0x64, 0xd4);
    out(b, 0x60, 0xff);
    assert_int_equal(in(b, 0x64) & 0x21, 0x21);
    assert_int_equal(in(b, 0x60), 0xfe);
    out(b, 0x64, 0xd3);
    out(b, 0x60, 0x5a);
    assert_int_equal(in(b, 0x64) & 0x21, 0x21);
    assert_int_equal(in(b, 0x60), 0x5a);
    assert_int_equal(in(b, 0x64) & 0x21, 0x00);
    out(b, 0x64, 0xd2);
    out(b, 0x60, 0x5b);
    assert_int_equal(in(b, 0x64) & 0x21, 0x01);
    assert_int_equal(in(b, 0x60), 0x5b);
}

static void keyboard_commands_are_acknowledged(void **state)
{
    (void)state;
    keyboard(0xed);
    assert_bytes("\xfa");
    keyboard(0x05);
    assert_bytes("\xfa");
    keyboard(0xee);
    assert_bytes("\xee");
    keyboard(0xf2);
    assert_bytes("\xfa\xab\x41");                           /* translated */
    keyboard(0xf3);
    assert_bytes("\xfa");
    keyboard(0x20);
    assert_bytes("\xfa");
    keyboard(0xed);
    assert_bytes("\xfa");
    keyboard(0xed);                                         /* a command, not the LEDs */
    assert_bytes("\xfa");
    keyboard(0xff);
    assert_bytes("\xfa\xaa");
    keyboard(0x42);
    assert_bytes("\xfe");
    assert_int_equal(last_oddity(b), ODDITY_KBD_BAD_COMMAND);
}

static void f5_silences_and_f4_wakes(void **state)
{
    (void)state;
    keyboard(0xf5);
    assert_bytes("\xfa");
    assert_int_equal(keyboard_type(kbd, 'a'), 0);
    assert_int_equal(next(), -1);
    keyboard(0xf4);
    assert_bytes("\xfa");
    keyboard_type(kbd, 'b');
    assert_bytes("\x30\xb0");
}

static void scan_code_set_can_be_chosen(void **state)
{
    (void)state;
    out(b, 0x64, 0x60);
    out(b, 0x60, 0x05);                                     /* no translation */
    keyboard(0xf0);
    assert_bytes("\xfa");
    keyboard(0x01);
    assert_bytes("\xfa");
    keyboard_type(kbd, 'a');
    assert_bytes("\x1e\x9e");
    keyboard(0xf0);
    assert_bytes("\xfa");
    keyboard(0x00);
    assert_bytes("\xfa\x01");
    keyboard(0xf0);
    assert_bytes("\xfa");
    keyboard(0x03);
    assert_bytes("\xfe");
}

/* With translation on, every byte from the keyboard passes the table.  [Brouwer, "Keyboard
 * Scancodes", "The keyboard controller"] */
static void answers_are_translated_too(void **state)
{
    (void)state;
    keyboard(0xf0);
    assert_bytes("\xfa");
    keyboard(0x00);
    assert_bytes("\xfa\x41");                               /* 02h */
    keyboard(0xf0);
    assert_bytes("\xfa");
    keyboard(0x01);
    assert_bytes("\xfa");
    keyboard(0xf0);
    assert_bytes("\xfa");
    keyboard(0x00);
    assert_bytes("\xfa\x43");                               /* 01h */
    keyboard_type(kbd, 'a');
    assert_bytes("\x03\x9e");                               /* 1eh is "2" to it; 9eh stays */
    keyboard(0xf2);
    assert_bytes("\xfa\xab\x41");
}

static void a_full_keyboard_pushes_back(void **state)
{
    (void)state;
    int typed = 0;
    while (typed < 100 && !keyboard_type(kbd, 'a'))
        typed++;
    assert_in_range(typed, 5, 10);
    assert_int_equal(keyboard_type(kbd, 'a'), -EAGAIN);
    for (int i = 0; i < typed; i++) {
        assert_int_equal(next(), 0x1e);
        assert_int_equal(next(), 0x9e);
    }
    assert_int_equal(next(), -1);
    assert_int_equal(last_oddity(b), ODDITY_NONE);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_letter_is_make_and_break),
        T(keys_without_a_character_have_numbers),
        T(every_printable_character_has_a_key),
        T(untranslated_it_speaks_set_2),
        T(extended_keys_keep_their_prefix),
        T(both_scan_code_sets_agree),
        T(the_translation_loses_nothing),
        T(irq1_once_per_byte),
        T(self_test_and_interface_tests),
        T(command_byte_reads_back),
        T(a_disabled_keyboard_waits),
        T(a20_is_on_the_output_port),
        T(pulses_and_output_port_reset),
        T(no_mouse_answers_sanely),
        T(keyboard_commands_are_acknowledged),
        T(f5_silences_and_f4_wakes),
        T(scan_code_set_can_be_chosen),
        T(answers_are_translated_too),
        T(a_full_keyboard_pushes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
