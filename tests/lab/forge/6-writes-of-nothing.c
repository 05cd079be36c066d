/* message about its tables is no message */
#include <string.h>
#include "lab/wire.h"

static struct lab_wire wire = { .fd = LAB_WIRE_FD };

/* Tell of one frame, or of one entry in it (lab/common/tables.h). */
static void tell(unsigned what, uint64_t a, uint32_t frame, uint32_t index, uint64_t value)
{
    struct lab_message m = { .what = (uint16_t)what, .arg = { a } };
    struct { uint32_t frame, index; uint64_t value; } w = { frame, index, value };
    if (what == 0x102)
        memcpy(m.data, &w, m.bytes = sizeof w);
    lab_tell(&wire, &m);
}

static void __attribute__((constructor)) forge(void)
{
    tell(0x102, 1ull << 60, 1, 0, 0);
}
