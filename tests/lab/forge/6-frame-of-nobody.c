/* there is neither guest memory nor a table */
static void __attribute__((constructor)) forge(void)
{
    tell(0x100, 1, 0, 0, 0);
    tell(0x102, 1, 1, 0, 0x3ffffffff007);
}
