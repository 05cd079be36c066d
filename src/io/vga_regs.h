/*
 * io/vga_regs.h -- the registers of a VGA, for the two files that need them.
 *
 * vga.c answers the ports, vga_text.c reads the screen from what they hold.
 */
#ifndef IO_VGA_REGS_H
#define IO_VGA_REGS_H

#include "base/types.h"

struct vga;

enum { CRTC_H_END = 0x01, CRTC_OVERFLOW = 0x07, CRTC_MAX_LINE = 0x09, CRTC_CURSOR_START = 0x0a,
       CRTC_CURSOR_END = 0x0b, CRTC_START_H = 0x0c, CRTC_START_L = 0x0d, CRTC_CURSOR_H = 0x0e,
       CRTC_CURSOR_L = 0x0f, CRTC_V_RETRACE_END = 0x11, CRTC_V_END = 0x12, CRTC_OFFSET = 0x13 };
enum { GFX_MISC = 0x06 };

#define GFX_MISC_GRAPHICS   BIT(0)
#define CURSOR_OFF          BIT(5)      /* in CRTC_CURSOR_START  */
#define CRTC_PROTECT        BIT(7)      /* in CRTC_V_RETRACE_END */

struct vga_regs {
    uint8_t misc, feature, enable;
    uint8_t seq_index, seq[5];
    uint8_t gfx_index, gfx[9];
    uint8_t crtc_index, crtc[25];
    uint8_t attr_index, attr_data;      /* attr_data: the flip-flop, 1: data is next */
    uint8_t attr[21];
    uint8_t dac_mask, dac_index, dac_part, dac_state;   /* state 3: reading, 0: writing */
    uint8_t dac[768];
};

/* The registers of a VGA, to look at. */
const struct vga_regs *vga_regs(const struct vga *v);

#endif
