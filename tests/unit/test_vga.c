/*
 * tests/unit/test_vga.c -- VGA registers and the text screen.
 *
 *   run   build/tests/test_vga
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "board.h"

static struct board *b;
static struct vga *vga;
static uint8_t vram[VGA_VRAM_BYTES];

static int set_up(void **state)
{
    (void)state;
    b = board_new();
    vga = b->part[B_VGA].dev;
    memset(vram, 0, sizeof vram);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    board_free(b);
    return 0;
}

static void crtc(uint8_t index, uint8_t value)
{
    bus_write(b->bus, from_cpu(0), 0x3d4, 2, (uint64_t)value << 8 | index);     /* as drivers do */
}

static uint8_t crtc_get(uint8_t index)
{
    out(b, 0x3d4, index);
    return in(b, 0x3d5);
}

static void text_at(unsigned cell, const char *text)
{
    for (; *text; text++, cell++) {
        vram[0x18000 + 2 * cell] = (uint8_t)*text;
        vram[0x18000 + 2 * cell + 1] = 0x07;
    }
}

/* The dumped screen; the caller frees it. */
static char *dump(void)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    vga_text_dump(vga, vram, f);
    fclose(f);
    return text;
}

static void powers_up_in_mode_3(void **state)
{
    (void)state;
    struct vga_text m;
    vga_text_mode(vga, &m);
    assert_true(m.text);
    assert_int_equal(m.columns, 80);
    assert_int_equal(m.rows, 25);
    assert_int_equal(m.pitch, 160);
    assert_int_equal(vga_text_cell(&m, 0, 0), 0x18000);
    assert_int_equal(vga_text_cell(&m, 79, 24), 0x18000 + 3998);
    assert_true(m.cursor);
}

static void a_word_write_is_index_and_data(void **state)
{
    (void)state;
    crtc(0x0e, 0x01);
    crtc(0x0f, 0x42);
    assert_int_equal(crtc_get(0x0e), 0x01);
    assert_int_equal(crtc_get(0x0f), 0x42);
    uint64_t both;
    bus_read(b->bus, from_cpu(0), 0x3d4, 2, &both);
    assert_int_equal(both, 0x420f);
}

static void cursor_is_where_the_registers_say(void **state)
{
    (void)state;
    struct vga_text m;
    crtc(0x0e, (80 * 3 + 7) >> 8);
    crtc(0x0f, (80 * 3 + 7) & 0xff);
    vga_text_mode(vga, &m);
    assert_int_equal(m.cursor_row, 3);
    assert_int_equal(m.cursor_column, 7);
    crtc(0x0a, 0x2d);
    vga_text_mode(vga, &m);
    assert_false(m.cursor);
}

static void dump_is_utf8_without_trailing_blanks(void **state)
{
    (void)state;
    text_at(0, "Hello  ");
    text_at(80, "\xc9\xcd\xbb \x01 \xe3");
    char *text = dump();
    assert_memory_equal(text, "Hello\n╔═╗ ☺ π\n\n", strlen("Hello\n╔═╗ ☺ π\n\n"));
    unsigned lines = 0;
    for (char *p = text; *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 25);
    free(text);
}

static void start_address_scrolls_and_wraps(void **state)
{
    (void)state;
    text_at(80, "second line");
    crtc(0x0c, 0);
    crtc(0x0d, 80);
    char *text = dump();
    assert_memory_equal(text, "second line\n", 12);
    free(text);
    crtc(0x0c, 0x3f);
    crtc(0x0d, 0xb0);                               /* one line before the end of 32 KiB */
    text = dump();
    assert_memory_equal(text, "\n\nsecond line\n", 14);
    free(text);
}

static void fifty_lines_by_character_height(void **state)
{
    (void)state;
    struct vga_text m;
    crtc(0x09, 0x47);
    vga_text_mode(vga, &m);
    assert_int_equal(m.rows, 50);
}

static void graphics_mode_has_no_text(void **state)
{
    (void)state;
    bus_write(b->bus, from_cpu(0), 0x3ce, 2, 0x0506);
    char *text = dump();
    assert_string_equal(text, "(a graphics mode)\n");
    free(text);
}

static void crtc_0_to_7_can_be_locked(void **state)
{
    (void)state;
    crtc(0x01, 0x27);
    assert_int_equal(crtc_get(0x01), 0x4f);         /* mode 3 leaves them locked */
    crtc(0x07, 0x0f);
    assert_int_equal(crtc_get(0x07), 0x0f);         /* 1f: only bit 4 followed */
    crtc(0x11, 0x0e);
    crtc(0x01, 0x27);
    assert_int_equal(crtc_get(0x01), 0x27);
}

static void attribute_flip_flop(void **state)
{
    (void)state;
    in(b, 0x3da);
    out(b, 0x3c0, 0x11);                            /* index, screen off */
    out(b, 0x3c0, 0x2a);                            /* data */
    assert_int_equal(in(b, 0x3c1), 0x2a);
    out(b, 0x3c0, 0x12);
    in(b, 0x3da);                                   /* forget: index is next */
    out(b, 0x3c0, 0x31);
    assert_int_equal(in(b, 0x3c0), 0x31);
    assert_int_equal(in(b, 0x3c1), 0x2a);
}

static void misc_moves_the_crtc(void **state)
{
    (void)state;
    crtc(0x0f, 0x55);
    assert_int_equal(in(b, 0x3b5), 0xff);
    out(b, 0x3c2, in(b, 0x3cc) & 0xfe);
    assert_int_equal(in(b, 0x3d5), 0xff);
    out(b, 0x3b4, 0x0f);
    assert_int_equal(in(b, 0x3b5), 0x55);
    out(b, 0x3d5, 0x66);                            /* nobody home */
    assert_int_equal(in(b, 0x3b5), 0x55);
}

static void the_beam_goes_round_seventy_times_a_second(void **state)
{
    (void)state;
    unsigned frames = 0;
    bool was = false;
    for (uint64_t ns = 0; ns < 1000000000; ns += 20000) {
        vclock_set_ns(b->clock, ns);
        bool retrace = in(b, 0x3da) & 8;
        if (retrace)
            assert_true(in(b, 0x3da) & 1);
        frames += retrace && !was;
        was = retrace;
    }
    assert_in_range(frames, 69, 71);
}

static void dac_goes_through_its_colours(void **state)
{
    (void)state;
    out(b, 0x3c7, 0x04);
    assert_int_equal(in(b, 0x3c7), 3);
    assert_int_equal(in(b, 0x3c9), 0x2a);           /* red */
    assert_int_equal(in(b, 0x3c9), 0x00);
    assert_int_equal(in(b, 0x3c9), 0x00);
    assert_int_equal(in(b, 0x3c8), 0x05);
    out(b, 0x3c8, 0x80);
    out(b, 0x3c9, 0xff), out(b, 0x3c9, 1), out(b, 0x3c9, 2);
    out(b, 0x3c7, 0x80);
    assert_int_equal(in(b, 0x3c9), 0x3f);           /* six bits */
    assert_int_equal(in(b, 0x3c9), 1);
    assert_int_equal(in(b, 0x3c9), 2);
}

static void sequencer_and_graphics_read_back(void **state)
{
    (void)state;
    bus_write(b->bus, from_cpu(0), 0x3c4, 2, 0x0f02);
    bus_write(b->bus, from_cpu(0), 0x3ce, 2, 0xa508);
    out(b, 0x3c4, 2);
    out(b, 0x3ce, 8);
    assert_int_equal(in(b, 0x3c5), 0x0f);
    assert_int_equal(in(b, 0x3cf), 0xa5);
    out(b, 0x3ce, 0x0c);
    out(b, 0x3cf, 1);
    assert_int_equal(last_oddity(b), ODDITY_VGA_NO_REGISTER);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(powers_up_in_mode_3),
        T(a_word_write_is_index_and_data),
        T(cursor_is_where_the_registers_say),
        T(dump_is_utf8_without_trailing_blanks),
        T(start_address_scrolls_and_wraps),
        T(fifty_lines_by_character_height),
        T(graphics_mode_has_no_text),
        T(crtc_0_to_7_can_be_locked),
        T(attribute_flip_flop),
        T(misc_moves_the_crtc),
        T(the_beam_goes_round_seventy_times_a_second),
        T(dac_goes_through_its_colours),
        T(sequencer_and_graphics_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
