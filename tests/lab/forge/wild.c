/* the submission was ended by signal 11 */
__attribute__((constructor)) static void forge(void)
{
    *(volatile int *)8 = 1;
}
