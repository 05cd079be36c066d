/* it does not compile */
#include "io/pic.c"
