/*
 * io/rtc.h -- the MC146818 real-time clock and its 128 bytes of CMOS memory.
 *   [Motorola MC146818A data sheet; IBM PC/AT Technical Reference "Real-Time Clock"]
 *
 * Offset 0 is the index (port 70h, bit 7 gates NMI), 1 the data (71h).
 *
 * The time of day is a parameter plus virtual time, never the host's, so that
 * two runs read the same clock.
 */
#ifndef IO_RTC_H
#define IO_RTC_H

#include "base/vclock.h"
#include "io/device.h"

struct rtc;

/* From its slot: a pin for IRQ 8, and rtc_start_s, the time of day at power-on. */
extern const struct device_ops rtc_ops;

/* The memory behind the clock: sizes, drive types, the checksum.  Index 0x0e-0x7f;
 * others read as 0. */
uint8_t rtc_nvram(const struct rtc *r, unsigned index);

/* What a BIOS would have written at power-on: the sizes of base and extended
 * memory (0x15-18, 30-31, 34-35, 5b-5d), equipment, and the checksum. */
void rtc_set_memory(struct rtc *r, uint64_t below_4g, uint64_t above_4g);

#endif
