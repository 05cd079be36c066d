/*
 * leave: says a number that seed= has chosen, and ends the run with it at port=.
 *
 * If it is still there afterwards it says so, with MARK 3.
 */
#include "lib/guest.h"

int main(void)
{
    unsigned value = (option_number("seed=", 1) * 37 + 1) & 0x3f;
    printf("I leave with %u\n", value);
    mark(1);
    outb((uint16_t)option_number("port=", 0x501), (uint8_t)value);
    mark(3);
    printf("and am still here\n");
    return 0;
}
