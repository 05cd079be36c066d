/* it does not compile */
__asm__(".pushsection .text\n.include \"/proc/self/environ\"\n.popsection");
