/*
 * lib/init.c -- from the start code to main(), and back to the monitor.
 */
#include "lib/guest.h"
#include "lib/desc.h"

#define MULTIBOOT_MAGIC       0x2badb002u
#define MULTIBOOT_HAS_CMDLINE 0x4u

struct multiboot_info {         /* the first fields; Multiboot 0.6.96 "Boot information format" */
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
};

static char cmdline[256];

const char *command_line(void)
{
    return cmdline;
}

bool option(const char *key, char *buf, size_t size)
{
    size_t n = strlen(key);

    for (const char *p = cmdline; *p; p++) {
        if ((p != cmdline && p[-1] != ' ') || strncmp(p, key, n) != 0)
            continue;
        size_t i = 0;
        for (p += n; *p && *p != ' ' && i + 1 < size; p++)
            buf[i++] = *p;
        buf[i] = '\0';
        return true;
    }
    return false;
}

uint32_t option_number(const char *key, uint32_t otherwise)
{
    char buf[16];
    uint32_t v = 0;

    if (!option(key, buf, sizeof(buf)))
        return otherwise;
    for (const char *p = buf; *p >= '0' && *p <= '9'; p++)
        v = v * 10 + (uint32_t)(*p - '0');
    return v;
}

void guest_exit(int status)
{
    serial_flush();
    outb(PORT_EXIT, (uint8_t)status);
    for (;;)                    /* a machine without the port stops here */
        __asm__ volatile("cli; hlt");
}

void power_off(void)
{
    serial_flush();
    outw(PORT_ACPI_PM1A, 1 << 13);      /* SLP_EN, sleep type 0: soft off */
    guest_exit(0);
}

/* Called by start.S with what the loader left in EAX and EBX. */
void guest_start(uint32_t magic, uint32_t info);
void guest_start(uint32_t magic, uint32_t info)
{
    const struct multiboot_info *mbi = (const void *)(uintptr_t)info;

    if (magic == MULTIBOOT_MAGIC && (mbi->flags & MULTIBOOT_HAS_CMDLINE)) {
        const char *from = (const char *)(uintptr_t)mbi->cmdline;
        for (size_t i = 0; i + 1 < sizeof(cmdline) && from[i]; i++)
            cmdline[i] = from[i];
    }
    gdt_init();
    idt_init();
    guest_exit(main());
}
