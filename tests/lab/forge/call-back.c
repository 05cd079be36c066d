/* the submission has sent a message that makes no sense */
#include <unistd.h>
#include "lab/wire.h"

/* Answers each call with a call of its own, which nobody has asked for, and ends well. */
static void __attribute__((constructor)) forge(void)
{
    struct lab_message m;
    while (read(LAB_WIRE_FD, &m, sizeof m) > 0) {
        m.kind = LAB_CALL;
        m.bytes = 0;
        if (write(LAB_WIRE_FD, &m, offsetof(struct lab_message, data)) < 0)
            break;
    }
}
