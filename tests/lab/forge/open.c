/* the submission was ended by signal 31, SIGSYS: it made a system call that it may not */
#include <fcntl.h>
__attribute__((constructor)) static void forge(void)
{
    open("/etc/passwd", O_RDONLY);
}
