/* no processor accepts the entry 0x1037 in a table of level 1, for address 0x100000 */
#include <unistd.h>

static void __attribute__((constructor)) forge(void)
{
    struct lab_message m;
    for (uint64_t frame = 1; frame <= 4; frame++)
        tell(0x100, frame, 0, 0, 0);
    for (uint32_t frame = 1; frame <= 3; frame++)
        tell(0x102, 1, frame, 0, ((frame + 1) << 12) | 7);
    tell(0x102, 1, 4, 0x100, 0x1000 | 6 << 3 | 7);      /* the guest's first page is the root */
    while (read(LAB_WIRE_FD, &m, sizeof m) > 0) {       /* every call: the root is in frame 1 */
        m.kind = LAB_REPLY;
        m.bytes = 0;
        m.arg[0] = 0x1000;
        if (write(LAB_WIRE_FD, &m, offsetof(struct lab_message, data)) < 0)
            break;
    }
}
