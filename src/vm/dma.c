/*
 * vm/dma.c -- a device's reads and writes of guest memory, checked.
 *
 * One rule makes it safe: every byte of a transfer must be RAM before the
 * first one is copied.  gmem_write() then does for a device what it does for
 * a debugger: pages are marked dirty, decoded code and shadow tables of them
 * are forgotten, so that the CPU sees what the device wrote.
 *
 * The VGA's memory counts as RAM, as it does for the CPU (vm/vm.c).
 */
#include "vm/dma.h"

#include "mem/gmem.h"

/* A transfer may cross from one region of RAM into the next. */
static bool is_ram(const struct gmem *m, gpa_t gpa, uint64_t len)
{
    while (len) {
        const struct gmem_region *r = gmem_find(m, gpa);
        if (!r || r->kind != GMEM_RAM)
            return false;
        uint64_t here = r->size - (gpa - r->base);
        if (here >= len)
            return true;
        gpa += here;
        len -= here;
    }
    return true;
}

static int read_ram(void *arg, gpa_t gpa, void *buf, uint64_t len)
{
    return is_ram(arg, gpa, len) ? gmem_read(arg, gpa, buf, len) : -EFAULT;
}

static int write_ram(void *arg, gpa_t gpa, const void *buf, uint64_t len)
{
    return is_ram(arg, gpa, len) ? gmem_write(arg, gpa, buf, len) : -EFAULT;
}

struct dma dma_to(struct gmem *m, struct oddity_log odd)
{
    return (struct dma){ read_ram, write_ram, m, odd };
}
