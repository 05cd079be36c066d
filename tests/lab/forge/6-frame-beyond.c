/* which is none for tables */
static void __attribute__((constructor)) forge(void)
{
    tell(0x100, 1ull << 40, 0, 0, 0);
}
