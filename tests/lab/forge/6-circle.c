/* the tables map more than there is: do they lead in circles? */
#include <string.h>
#include <unistd.h>
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

/* Each entry of a table leads to the next table, and all of the last one to one page: whoever
 * looks at each way sees 2^36 of them. */
static void __attribute__((constructor)) forge(void)
{
    struct lab_message m;
    for (uint64_t frame = 1; frame <= 4; frame++)
        tell(0x100, frame, 0, 0, 0);
    for (uint32_t frame = 1; frame <= 4; frame++)
        for (uint32_t i = 0; i < 512; i++)
            tell(0x102, 1, frame, i, frame < 4 ? (frame + 1) << 12 | 7 : 1ull << 40 | 6 << 3 | 7);
    while (read(LAB_WIRE_FD, &m, sizeof m) > 0) {       /* every call: the root is in frame 1 */
        m.kind = LAB_REPLY;
        m.bytes = 0;
        m.arg[0] = 0x1000;
        if (write(LAB_WIRE_FD, &m, offsetof(struct lab_message, data)) < 0)
            break;
    }
}
