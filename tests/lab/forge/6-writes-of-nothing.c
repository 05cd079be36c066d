/* message about its tables is no message */
static void __attribute__((constructor)) forge(void)
{
    tell(0x102, 1ull << 60, 1, 0, 0);
}
