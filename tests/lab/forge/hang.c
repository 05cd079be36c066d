/* it was still running after 1 second */
__attribute__((constructor)) static void forge(void)
{
    for (;;)
        __asm__ volatile("");
}
