/* the submission was ended by signal 31, SIGSYS: it made a system call that it may not */
#include <sys/socket.h>
__attribute__((constructor)) static void forge(void)
{
    socket(AF_INET, SOCK_STREAM, 0);
}
