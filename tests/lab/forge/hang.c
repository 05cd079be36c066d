/* it was still running after 4 seconds */
__attribute__((constructor)) static void forge(void)
{
    for (;;)
        __asm__ volatile("");
}
