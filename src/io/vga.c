/*
 * io/vga.c -- the ports of a VGA.
 *
 *   3C0      attribute index and data, by turns (reading 3DA: index is next)
 *   3C1      attribute data, to read            3C2 w, 3CC r   miscellaneous output
 *   3C4 3C5  sequencer                          3C6-3C9        DAC: mask, indices, data
 *   3CE 3CF  graphics controller                3CA r, 3DA w   feature control
 *   3D4 3D5  CRT controller (mono: 3B4, 3B5)    3C2 r, 3DA r   input status 0 and 1
 *
 * Bit 0 of miscellaneous output decides whether the CRT controller and status
 * 1 are at 3Dx or 3Bx; at the other place nobody is home.
 *
 * The beam is a function of virtual time: 70 frames a second of 449 lines.
 * [PS/2 Video Subsystem "VGA Registers"]
 */
#include "io/vga.h"

#include <stdlib.h>

#include "io/oddity.h"
#include "io/slot.h"
#include "io/vga_regs.h"

enum {                                  /* offsets from 3B0h */
    ATTR = 0x10, ATTR_READ = 0x11, MISC_W = 0x12, ENABLE = 0x13, SEQ = 0x14,
    DAC_MASK = 0x16, DAC_READ = 0x17, DAC_WRITE = 0x18, DAC_DATA = 0x19,
    FEATURE_R = 0x1a, MISC_R = 0x1c, GFX = 0x1e, CRTC = 0x24, STATUS1 = 0x2a
};

#define MISC_COLOUR     BIT(0)
#define ATTR_INDEX      FIELD(4, 0)
#define ST1_BLANK       BIT(0)
#define ST1_RETRACE     BIT(3)
#define OVERFLOW_LINE_COMPARE BIT(4)    /* the one bit of CRTC 0-7 that is never protected */

#define LINE_NS         31778
#define LINE_SHOWN_NS   25422
#define LINES           449
#define LINES_SHOWN     400
#define RETRACE_LINE    412
#define RETRACE_LINES   2

struct vga {
    struct vclock  *clock;
    struct oddity_log   odd;
    struct vga_regs r;
};

/* Mode 3.  [PS/2 Video Subsystem "Mode Tables"] */
static const struct vga_regs vga_at_reset = {
    .misc = 0x67,
    .enable = 1,
    .seq = { 0x03, 0x00, 0x03, 0x00, 0x02 },
    .gfx = { 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff },
    .crtc = { 0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00,
              0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff },
    .attr_index = 0x20,                 /* the screen is on */
    .attr = { 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a,
              0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00 },
    .dac_mask = 0xff,
};

#define REG(member, name, text) DEV_FIELD(struct vga, r.member, name, FIELD_RW, text)
#define BANK(member, name, text) DEV_ARRAY(struct vga, r.member, name, FIELD_RW, text)

static const struct field vga_fields[] = {
    REG(misc, "MISC", "0: CRTC at 3Dx"),
    REG(feature, "FEATURE", "feature control"),
    REG(enable, "ENABLE", "video subsystem"),
    REG(seq_index, "SEQ_INDEX", "port 3C4h"),
    BANK(seq, "SEQ", "sequencer"),
    REG(gfx_index, "GFX_INDEX", "port 3CEh"),
    BANK(gfx, "GFX", "graphics controller"),
    REG(crtc_index, "CRTC_INDEX", "port 3D4h"),
    BANK(crtc, "CRTC", "CRT controller: 0C start, 0E cursor"),
    REG(attr_index, "ATTR_INDEX", "port 3C0h, bit 5: screen on"),
    REG(attr_data, "ATTR_FF", "flip-flop: 1, data is next"),
    BANK(attr, "ATTR", "attribute controller: palette, mode"),
    REG(dac_mask, "DAC_MASK", "port 3C6h"),
    REG(dac_index, "DAC_INDEX", "colour being read or written"),
    REG(dac_part, "DAC_PART", "0 red, 1 green, 2 blue"),
    REG(dac_state, "DAC_STATE", "3: reading, 0: writing"),
    DEV_ARRAY(struct vga, r.dac, "DAC", FIELD_HIDDEN, "256 colours"),
};

const struct vga_regs *vga_regs(const struct vga *v)
{
    return &v->r;
}

/* The three pairs of index and data ports are alike. */
struct bank { uint16_t index, reg; uint8_t n, index_mask; };

#define A_BANK(name, mask)                                                                  \
    { offsetof(struct vga_regs, name##_index), offsetof(struct vga_regs, name),             \
      sizeof(((struct vga_regs *)0)->name), mask }

static const struct bank seq_bank = A_BANK(seq, 0x07);
static const struct bank gfx_bank = A_BANK(gfx, 0x0f);
static const struct bank crtc_bank = A_BANK(crtc, 0x3f);

static const struct bank *bank_at(unsigned off)
{
    switch (off & ~1u) {
    case SEQ:  return &seq_bank;
    case GFX:  return &gfx_bank;
    case CRTC: return &crtc_bank;
    default:   return NULL;
    }
}

static uint8_t byte_at(const struct vga_regs *r, size_t offset)
{
    return ((const uint8_t *)r)[offset];
}

/* Few ports, many registers: the index port chooses, the data port is the chosen one. */
static uint8_t bank_peek(const struct vga_regs *r, const struct bank *b, bool data)
{
    uint8_t index = byte_at(r, b->index);
    if (!data)
        return index;
    return index < b->n ? byte_at(r, b->reg + index) : 0;
}

/* CRTC 0-7 may be locked, so that old programs cannot hurt the monitor. */
static uint8_t crtc_allowed(const struct vga_regs *r, unsigned index, uint8_t v)
{
    uint8_t old = r->crtc[index];
    if (index > CRTC_OVERFLOW || !(r->crtc[CRTC_V_RETRACE_END] & CRTC_PROTECT))
        return v;
    if (index < CRTC_OVERFLOW)
        return old;
    return (old & (uint8_t)~OVERFLOW_LINE_COMPARE) | (v & OVERFLOW_LINE_COMPARE);
}

static void bank_write(struct vga *v, const struct bank *b, unsigned off, uint8_t value)
{
    uint8_t *at = (uint8_t *)&v->r, index = at[b->index];
    if (!(off & 1))
        at[b->index] = value & b->index_mask;
    else if (index >= b->n)
        oddity(&v->odd, ODDITY_VGA_NO_REGISTER, 0x3b0 + off, index);
    else
        at[b->reg + index] = b == &crtc_bank ? crtc_allowed(&v->r, index, value) : value;
    if (off == GFX + 1 && index == GFX_MISC && value & GFX_MISC_GRAPHICS)
        oddity(&v->odd, ODDITY_VGA_GRAPHICS, value, 0);
}

/* Where CRTC and status 1 of a monochrome adapter are, or would be: the
 * offset of the colour one, or 0 if nobody answers there. */
static unsigned crtc_place(const struct vga_regs *r, unsigned off)
{
    bool mono_place = off < ATTR, colour = r->misc & MISC_COLOUR;
    bool moves = mono_place || off >= 0x20;
    if (!moves)
        return off;
    return mono_place == colour ? 0 : mono_place ? off + 0x20 : off;
}

/* One port for index and data, in turns: whoever lost count reads 3DAh, and the index is next.
 * [PS/2 Video Subsystem "Attribute Controller Registers"] */
static void attr_write(struct vga_regs *r, uint8_t v)
{
    unsigned index = r->attr_index & ATTR_INDEX;
    if (!r->attr_data)
        r->attr_index = v & 0x3f;
    else if (index < sizeof r->attr)
        r->attr[index] = v;
    r->attr_data = !r->attr_data;
}

/* Each colour is three accesses; after blue comes the next one. */
static void dac_step(struct vga_regs *r)
{
    if (++r->dac_part < 3)
        return;
    r->dac_part = 0;
    r->dac_index++;
}

static void dac_start(struct vga_regs *r, uint8_t index, uint8_t state)
{
    r->dac_index = index;
    r->dac_state = state;
    r->dac_part = 0;
}

/* The ports that are one register each. */
static void plain_write(struct vga *v, unsigned off, uint8_t value)
{
    struct vga_regs *r = &v->r;
    switch (off) {
    case ATTR:      attr_write(r, value); break;
    case MISC_W:    r->misc = value; break;
    case ENABLE:    r->enable = value & 1; break;
    case DAC_MASK:  r->dac_mask = value; break;
    case DAC_READ:  dac_start(r, value, 3); break;
    case DAC_WRITE: dac_start(r, value, 0); break;
    case DAC_DATA:
        r->dac[3 * r->dac_index + r->dac_part] = value & 0x3f;
        dac_step(r);
        break;
    case STATUS1:   r->feature = value & 3; break;
    default:        oddity(&v->odd, ODDITY_PORT_READ_ONLY, 0x3b0 + off, value); break;
    }
}

static void vga_write(void *dev, struct bus_access a, uint64_t value)
{
    struct vga *v = dev;
    unsigned at = crtc_place(&v->r, a.off);
    const struct bank *b = bank_at(at);
    if (b)
        bank_write(v, b, at, (uint8_t)value);
    else if (at)
        plain_write(v, at, (uint8_t)value);
}

/* Guests wait for the retrace before they touch the screen, and measure time by it. */
static uint8_t status1(const struct vga *v)
{
    uint64_t in_frame = vclock_now_ns(v->clock) % ((uint64_t)LINES * LINE_NS);
    unsigned line = (unsigned)(in_frame / LINE_NS);
    bool shown = line < LINES_SHOWN && in_frame % LINE_NS < LINE_SHOWN_NS;
    bool retrace = line >= RETRACE_LINE && line < RETRACE_LINE + RETRACE_LINES;
    return (uint8_t)((shown ? 0 : ST1_BLANK) | (retrace ? ST1_RETRACE : 0));
}

static uint64_t vga_peek(const void *dev, struct bus_access a)
{
    const struct vga *v = dev;
    const struct vga_regs *r = &v->r;
    unsigned at = crtc_place(r, a.off);
    const struct bank *b = bank_at(at);
    if (b)
        return bank_peek(r, b, at & 1);
    switch (at) {
    case ATTR:      return r->attr_index;
    case ATTR_READ: {
        unsigned index = r->attr_index & ATTR_INDEX;
        return index < sizeof r->attr ? r->attr[index] : 0;
    }
    case MISC_W:    return 0x10;        /* input status 0: a monitor is plugged in */
    case ENABLE:    return r->enable;
    case DAC_MASK:  return r->dac_mask;
    case DAC_READ:  return r->dac_state;
    case DAC_WRITE: return r->dac_index;
    case DAC_DATA:  return r->dac[3 * r->dac_index + r->dac_part];
    case FEATURE_R: return r->feature;
    case MISC_R:    return r->misc;
    case STATUS1:   return status1(v);
    default:        return 0xff;
    }
}

static uint64_t vga_read(void *dev, struct bus_access a)
{
    struct vga *v = dev;
    uint64_t value = vga_peek(dev, a);
    unsigned at = crtc_place(&v->r, a.off);
    if (at == STATUS1)
        v->r.attr_data = 0;
    else if (at == DAC_DATA)
        dac_step(&v->r);
    return value;
}

/* The first 64 colours are those of the EGA: bits rgbRGB, small letters a third. */
static void default_palette(struct vga_regs *r)
{
    for (unsigned i = 0; i < 64; i++)
        for (unsigned part = 0; part < 3; part++)
            r->dac[3 * i + part] = (uint8_t)((i >> (2 - part) & 1) * 0x2a +
                                             (i >> (5 - part) & 1) * 0x15);
}

static void vga_reset(void *dev)
{
    struct vga *v = dev;
    v->r = vga_at_reset;
    default_palette(&v->r);
}

/* The indices are used as such: whatever the file said, they stay inside their banks. */
static void vga_after_load(void *dev)
{
    struct vga_regs *r = &((struct vga *)dev)->r;
    r->seq_index &= seq_bank.index_mask;
    r->gfx_index &= gfx_bank.index_mask;
    r->crtc_index &= crtc_bank.index_mask;
    r->attr_data = !!r->attr_data;
    if (r->dac_part > 2)
        r->dac_part = 0;
}

static void *vga_create(const struct slot *s)
{
    struct vga *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    v->clock = s->clock;
    v->odd = slot_oddities(s);
    vga_reset(v);
    return v;
}

const struct device_ops vga_ops = {
    .name = "vga",
    .about = "display registers and text screen [IBM PS/2 Video Subsystem]",
    .fields = vga_fields,
    .n_fields = NELEM(vga_fields),
    .state_bytes = sizeof(struct vga),
    .width = 1,
    .create = vga_create,
    .reset = vga_reset,
    .read = vga_read,
    .write = vga_write,
    .peek = vga_peek,
    .after_load = vga_after_load,
    .free = free,
};
