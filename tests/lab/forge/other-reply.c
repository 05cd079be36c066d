/* the submission has sent a message that makes no sense */
#include <unistd.h>
#include "lab/wire.h"

/* Replies to a call of another function than was called. */
static void __attribute__((constructor)) forge(void)
{
    struct lab_message m;
    while (read(LAB_WIRE_FD, &m, sizeof m) > 0) {
        m.kind = LAB_REPLY;
        m.what ^= 1;
        m.bytes = 0;
        if (write(LAB_WIRE_FD, &m, offsetof(struct lab_message, data)) < 0)
            break;
    }
}
