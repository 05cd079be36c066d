/* takes frame 0x1 for a table, which is a table already */
static void __attribute__((constructor)) forge(void)
{
    tell(0x100, 1, 0, 0, 0);
    tell(0x100, 1, 0, 0, 0);
}
