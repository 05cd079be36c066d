/*
 * exercise/disk.c -- exercise 18: a sector of a virtual disk, and where it is in a file.
 *
 * What Popek and Goldberg call the virtual machine map, on the simplest of resources.
 */
#include "exercise/make.h"
#include "exercise/sheet.h"

void make_disk(struct sheet *s)
{
    unsigned heads = 2 * sheet_pick(s, 2, 8), sectors = sheet_pick(s, 9, 63);
    unsigned c = sheet_pick(s, 1, 900), h = sheet_pick(s, 0, heads - 1);
    unsigned sec = sheet_pick(s, 1, sectors), header = 512 * sheet_pick(s, 1, 64);
    unsigned other = sheet_pick(s, heads * sectors, 900 * heads * sectors);
    unsigned lba = (c * heads + h) * sectors + sec - 1;
    uint64_t offset = header + UINT64_C(512) * lba;
    sheet_say(s, "A virtual disk has %u heads and %u sectors of 512 bytes on each track; sectors "
              "count from 1, cylinders and heads from 0. It is kept in a file, whose first %u "
              "bytes are a header; the sectors follow in order of their number.", heads, sectors,
              header);
    sheet_say(s, "The guest's operation e writes one sector at cylinder %u, head %u, sector %u. "
              "The monitor does e' instead: a write to the file.", c, h, sec);
    sheet_ask_number(s, lba, "Which number has the sector (from 0)?");
    sheet_because(s, "(%u * %u + %u) * %u + %u - 1 = %u.", c, heads, h, sectors, sec, lba);
    sheet_ask_number(s, offset, "At which offset of the file does e' begin: V(sector)?");
    sheet_because(s, "%u + 512 * %u. V maps the guest's state to the host's, and e' does to "
                  "V(state) what e does to the state: whichever way round, the result is the "
                  "same.", header,
                  lba);
    uint64_t at = header + UINT64_C(512) * other;
    unsigned track = other / sectors;
    sheet_ask_number(s, track / heads, "And back: a byte at offset %llu of the file belongs to "
                     "which cylinder?", (unsigned long long)at);
    sheet_because(s, "(%llu - %u) / 512 = %u; / %u sectors = track %u; / %u heads = %u.",
                  (unsigned long long)at, header, other, sectors, track, heads, track / heads);
    sheet_ask_number(s, track % heads, "To which head?");
    sheet_because(s, "Track %u mod %u.", track, heads);
    sheet_ask_number(s, other % sectors + 1, "And to which sector of the track?");
    sheet_because(s, "%u mod %u, and 1 more, because sectors count from 1.", other, sectors);
}
