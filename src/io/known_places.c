/*
 * io/known_places.c -- the table of places.
 *
 * Ranges of devices come first, and then single registers of them that guests are known to wait
 * for; the narrowest range that fits is the answer, so the order does not matter.
 * [R. Brown, "Ports List"; IBM PC/AT Technical Reference "I/O Address Map"]
 */
#include "io/known_places.h"

static const struct known_place places[] = {
    /* devices */
    { 0x0000, 0x000f, "the first DMA controller, 8237A", "no DMA is there", 0 },
    { 0x0020, 0x0021, "the first interrupt controller", "no PIC is there", 0 },
    { 0x0040, 0x0043, "the interval timer", "no PIT is there", WAITS_FOR_TIME },
    { 0x0070, 0x0071, "the clock and CMOS memory", "no clock is there", WAITS_FOR_TIME },
    { 0x0080, 0x008f, "the DMA page registers", "no DMA is there", 0 },
    { 0x00a0, 0x00a1, "the second interrupt controller", "no PIC is there", 0 },
    { 0x00b2, 0x00b3, "the command port of power management (SMI)", "no BIOS listens there", 0 },
    { 0x00c0, 0x00df, "the second DMA controller", "no DMA is there", 0 },
    { 0x00f0, 0x00ff, "the coprocessor's latch", "none is there", 0 },
    { 0x0170, 0x0177, "the secondary IDE channel", "no disk is there", 0 },
    { 0x01ce, 0x01d0, "the Bochs display interface (VBE)", "no linear frame buffer is there", 0 },
    { 0x01f0, 0x01f7, "the primary IDE channel", "no disk is there", 0 },
    { 0x0200, 0x0207, "the game port", "no joystick is there", 0 },
    { 0x0220, 0x022f, "a Sound Blaster", "no sound card is there", 0 },
    { 0x0278, 0x027f, "the parallel port LPT2", "no printer is there", 0 },
    { 0x02e8, 0x02ef, "the serial port COM4", "COM1 is the only serial port", 0 },
    { 0x02f8, 0x02ff, "the serial port COM2", "COM1 is the only serial port", 0 },
    { 0x0300, 0x031f, "an NE2000 network card", "no network card is there", 0 },
    { 0x0330, 0x0331, "a MIDI port", "no sound card is there", 0 },
    { 0x0376, 0x0376, "an IDE alternate status register", "no disk is there", 0 },
    { 0x0378, 0x037f, "the parallel port LPT1", "no printer is there", 0 },
    { 0x0388, 0x038b, "an AdLib synthesizer", "no sound card is there", 0 },
    { 0x03b0, 0x03df, "the VGA", "no screen is there", 0 },
    { 0x03e8, 0x03ef, "the serial port COM3", "COM1 is the only serial port", 0 },
    { 0x03f0, 0x03f5, "the floppy controller", "no diskette drive is there", 0 },
    { 0x03f8, 0x03ff, "the serial port COM1", "no serial port is there", WAITS_FOR_SERIAL },
    { 0x0510, 0x0511, "QEMU's fw_cfg", "this machine is not QEMU", 0 },
    { 0x0cf8, 0x0cff, "PCI configuration", "no PCI bus is there", 0 },
    { 0xfd000000, 0xfdffffff, "QEMU's frame buffer", "no linear frame buffer is there", 0 },
    { 0xfec00000, 0xfec00fff, "the I/O APIC", "the interrupt controllers are 8259As", 0 },
    { 0xfed00000, 0xfed003ff, "the HPET", "the timers are the PIT and the RTC", 0 },
    { 0xfed40000, 0xfed44fff, "the TPM", "none is there", 0 },
    { 0xfee00000, 0xfee00fff, "the local APIC", "the interrupt controllers are 8259As", 0 },

    /* registers that are read again and again */
    { 0x0060, 0x0060, "the keyboard controller's data", "no keyboard is there", WAITS_FOR_KEY },
    { 0x0061, 0x0061, "system port B (bit 4 toggles; bit 5 is timer 2's output, and it counts "
                      "while bit 0 is 1)", "no PIT is there", WAITS_FOR_TIME },
    { 0x0064, 0x0064, "the keyboard controller's status", "no keyboard is there", WAITS_FOR_KEY },
    { 0x0177, 0x0177, "an IDE status register", "no disk is there", 0 },
    { 0x01f7, 0x01f7, "an IDE status register", "no disk is there", 0 },
    { 0x02ed, 0x02ed, "COM4's line status", "COM1 is the only serial port", 0 },
    { 0x02fd, 0x02fd, "COM2's line status", "COM1 is the only serial port", 0 },
    { 0x0379, 0x0379, "LPT1's status", "no printer is there", 0 },
    { 0x03ba, 0x03ba, "VGA's input status (retrace)", "no screen is there", WAITS_FOR_TIME },
    { 0x03da, 0x03da, "VGA's input status (retrace)", "no screen is there", WAITS_FOR_TIME },
    { 0x03ed, 0x03ed, "COM3's line status", "COM1 is the only serial port", 0 },
    { 0x03f4, 0x03f4, "the floppy controller's main status", "no diskette drive is there", 0 },
    { 0x03f6, 0x03f6, "an IDE alternate status register", "no disk is there", 0 },
    { 0x03f7, 0x03f7, "the diskette's change line", "no diskette drive is there", 0 },
    { 0x03fd, 0x03fd, "COM1's line status", "no serial port is there", WAITS_FOR_SERIAL },
    { 0x0608, 0x060b, "the ACPI timer", "none is there", WAITS_FOR_TIME },
    { 0xb008, 0xb00b, "the ACPI timer", "none is there", WAITS_FOR_TIME },
    { 0xfee00300, 0xfee00303, "the local APIC's command register", "no local APIC is there", 0 },
};

const struct known_place *known_place(uint64_t at)
{
    const struct known_place *best = NULL;
    for (size_t i = 0; i < NELEM(places); i++) {
        const struct known_place *p = &places[i];
        if (at >= p->from && at <= p->to && (!best || p->to - p->from < best->to - best->from))
            best = p;
    }
    return best;
}
