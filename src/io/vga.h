/*
 * io/vga.h -- the registers of a VGA, and its text screen.
 *   [IBM PS/2 Hardware Interface Technical Reference "Video Subsystem"]
 *
 * Offset 0 is port 3B0h; claim 3B0-3BB and (offset 10h) 3C0-3DF.  The memory
 * at A0000h is ordinary RAM of the machine: planes and latches are not
 * modelled, so graphics modes set registers and show nothing.
 *
 * It powers up in mode 3 (80x25 colour text), as a VGA BIOS leaves it.
 */
#ifndef IO_VGA_H
#define IO_VGA_H

#include "base/vclock.h"
#include "io/device.h"

struct vga;

extern const struct device_ops vga_ops;

#define VGA_OFF(port) ((port) - 0x3b0)
#define VGA_VRAM_BYTES 0x20000          /* A0000-BFFFF */

/* What is on the screen, as the registers say. */
struct vga_text {
    bool     text;                      /* false: a graphics mode, the rest means nothing */
    unsigned columns, rows;
    uint32_t start;                     /* of the first cell, in bytes from A0000h */
    uint32_t pitch;                     /* bytes from row to row                   */
    uint32_t window, window_bytes;      /* text memory wraps inside this           */
    bool     cursor;                    /* is it shown?                            */
    unsigned cursor_column, cursor_row;
};

/* Fills in *m. */
void vga_text_mode(const struct vga *v, struct vga_text *m);

/* Offset from A0000h of a cell: its character, and in the next byte its colours. */
uint32_t vga_text_cell(const struct vga_text *m, unsigned column, unsigned row);

/* The screen as UTF-8 lines without trailing blanks.  vram: what is at A0000h. */
void vga_text_dump(const struct vga *v, const uint8_t *vram, FILE *out);

/* What the character generator draws for each code, as Unicode code points. */
extern const uint16_t cp437_to_unicode[256];

#endif
