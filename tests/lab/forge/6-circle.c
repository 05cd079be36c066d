/* the tables map more than there is: do they lead in circles? */
#include <unistd.h>

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
