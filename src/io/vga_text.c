/*
 * io/vga_text.c -- the text screen: where the cells are, and what they say.
 *
 * Everything is read from the registers as the CRT controller would, so a
 * guest that scrolls by moving the start address or chooses 50 lines is shown
 * right.  A cell is two bytes: a character of code page 437 and its colours.
 * [PS/2 Video Subsystem "Alphanumeric Modes"]
 */
#include "io/vga.h"

#include <stdlib.h>

#include "io/vga_regs.h"

/* The glyphs, control characters included; 0 and 255 are blank. */
const uint16_t cp437_to_unicode[256] = {
    0x0020, 0x263a, 0x263b, 0x2665, 0x2666, 0x2663, 0x2660, 0x2022, 0x25d8, 0x25cb, 0x25d9, 0x2642,
    0x2640, 0x266a, 0x266b, 0x263c, 0x25ba, 0x25c4, 0x2195, 0x203c, 0x00b6, 0x00a7, 0x25ac, 0x21a8,
    0x2191, 0x2193, 0x2192, 0x2190, 0x221f, 0x2194, 0x25b2, 0x25bc, 0x0020, 0x0021, 0x0022, 0x0023,
    0x0024, 0x0025, 0x0026, 0x0027, 0x0028, 0x0029, 0x002a, 0x002b, 0x002c, 0x002d, 0x002e, 0x002f,
    0x0030, 0x0031, 0x0032, 0x0033, 0x0034, 0x0035, 0x0036, 0x0037, 0x0038, 0x0039, 0x003a, 0x003b,
    0x003c, 0x003d, 0x003e, 0x003f, 0x0040, 0x0041, 0x0042, 0x0043, 0x0044, 0x0045, 0x0046, 0x0047,
    0x0048, 0x0049, 0x004a, 0x004b, 0x004c, 0x004d, 0x004e, 0x004f, 0x0050, 0x0051, 0x0052, 0x0053,
    0x0054, 0x0055, 0x0056, 0x0057, 0x0058, 0x0059, 0x005a, 0x005b, 0x005c, 0x005d, 0x005e, 0x005f,
    0x0060, 0x0061, 0x0062, 0x0063, 0x0064, 0x0065, 0x0066, 0x0067, 0x0068, 0x0069, 0x006a, 0x006b,
    0x006c, 0x006d, 0x006e, 0x006f, 0x0070, 0x0071, 0x0072, 0x0073, 0x0074, 0x0075, 0x0076, 0x0077,
    0x0078, 0x0079, 0x007a, 0x007b, 0x007c, 0x007d, 0x007e, 0x2302, 0x00c7, 0x00fc, 0x00e9, 0x00e2,
    0x00e4, 0x00e0, 0x00e5, 0x00e7, 0x00ea, 0x00eb, 0x00e8, 0x00ef, 0x00ee, 0x00ec, 0x00c4, 0x00c5,
    0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9, 0x00ff, 0x00d6, 0x00dc, 0x00a2,
    0x00a3, 0x00a5, 0x20a7, 0x0192, 0x00e1, 0x00ed, 0x00f3, 0x00fa, 0x00f1, 0x00d1, 0x00aa, 0x00ba,
    0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab, 0x00bb, 0x2591, 0x2592, 0x2593, 0x2502,
    0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557, 0x255d, 0x255c, 0x255b, 0x2510,
    0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f, 0x255a, 0x2554, 0x2569, 0x2566,
    0x2560, 0x2550, 0x256c, 0x2567, 0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256b,
    0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580, 0x03b1, 0x00df, 0x0393, 0x03c0,
    0x03a3, 0x03c3, 0x00b5, 0x03c4, 0x03a6, 0x0398, 0x03a9, 0x03b4, 0x221e, 0x03c6, 0x03b5, 0x2229,
    0x2261, 0x00b1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00f7, 0x2248, 0x00b0, 0x2219, 0x00b7, 0x221a,
    0x207f, 0x00b2, 0x25a0, 0x0020,
};

/* Text memory by bits 3-2 of the miscellaneous graphics register. */
static const struct { uint32_t at, bytes; } window[4] = {
    { 0x00000, 0x20000 }, { 0x00000, 0x10000 }, { 0x10000, 0x08000 }, { 0x18000, 0x08000 },
};

/* The last line shown has ten bits, two of them in the "overflow" register; a row is as many lines
 * as a character is high.  [PS/2 Video Subsystem "CRT Controller Registers"] */
static unsigned rows_of(const struct vga_regs *r)
{
    unsigned last = r->crtc[CRTC_V_END] | (r->crtc[CRTC_OVERFLOW] & 0x02) << 7 |
                    (r->crtc[CRTC_OVERFLOW] & 0x40) << 3;
    unsigned height = (r->crtc[CRTC_MAX_LINE] & 0x1f) + 1u;
    return (last + 1) / height;
}

void vga_text_mode(const struct vga *v, struct vga_text *m)
{
    const struct vga_regs *r = vga_regs(v);
    unsigned map = r->gfx[GFX_MISC] >> 2 & 3;
    unsigned start = (unsigned)(r->crtc[CRTC_START_H] << 8 | r->crtc[CRTC_START_L]);
    unsigned cursor = (unsigned)(r->crtc[CRTC_CURSOR_H] << 8 | r->crtc[CRTC_CURSOR_L]);
    unsigned cells = r->crtc[CRTC_OFFSET] * 2u;     /* from row to row */
    *m = (struct vga_text){
        .text = !(r->gfx[GFX_MISC] & GFX_MISC_GRAPHICS),
        .columns = r->crtc[CRTC_H_END] + 1u,
        .rows = rows_of(r),
        .start = 2 * start,
        .pitch = 2 * cells,
        .window = window[map].at,
        .window_bytes = window[map].bytes,
    };
    if (!cells || cursor < start)
        return;
    m->cursor_row = (cursor - start) / cells;
    m->cursor_column = (cursor - start) % cells;
    m->cursor = !(r->crtc[CRTC_CURSOR_START] & CURSOR_OFF) && m->cursor_row < m->rows &&
                (r->crtc[CRTC_CURSOR_START] & 0x1f) <= (r->crtc[CRTC_CURSOR_END] & 0x1f);
}

uint32_t vga_text_cell(const struct vga_text *m, unsigned column, unsigned row)
{
    uint32_t at = m->start + row * m->pitch + 2 * column;
    return m->window + at % m->window_bytes;
}

/* One to three bytes: code page 437 has nothing beyond FFFFh. */
static void put_utf8(unsigned c, FILE *out)
{
    if (c < 0x80) {
        fputc((int)c, out);
        return;
    }
    if (c >= 0x800) {
        fputc((int)(0xe0 | c >> 12), out);
        fputc((int)(0x80 | (c >> 6 & 0x3f)), out);
    } else {
        fputc((int)(0xc0 | c >> 6), out);
    }
    fputc((int)(0x80 | (c & 0x3f)), out);
}

void vga_text_dump(const struct vga *v, const uint8_t *vram, FILE *out)
{
    struct vga_text m;
    vga_text_mode(v, &m);
    if (!m.text) {
        fprintf(out, "(a graphics mode)\n");
        return;
    }
    for (unsigned row = 0; row < m.rows; row++) {
        unsigned width = m.columns;
        while (width && cp437_to_unicode[vram[vga_text_cell(&m, width - 1, row)]] == ' ')
            width--;
        for (unsigned column = 0; column < width; column++)
            put_utf8(cp437_to_unicode[vram[vga_text_cell(&m, column, row)]], out);
        fputc('\n', out);
    }
}
