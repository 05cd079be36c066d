/*
 * io/pcihost.c -- CONFIG_ADDRESS, an empty CONFIG_DATA, and RST_CNT between them.
 *
 * A guest writes to CF8h (32 bits) which register of which device it means, and
 * reads or writes that register at CFCh.  A device that is not there reads as
 * all ones, and that is how a bus is searched.  A byte at CF9h never was part
 * of the address, so chip sets put their reset register there.
 * [PCI Local Bus Specification "Configuration Mechanism #1"]
 */
#include "io/pcihost.h"

#include <stdlib.h>

#include "io/slot.h"
#include "io/sysport.h"

#define OFF_RESET   1
/*   31      30..24  23..16 15..11 10..8 7..2      1..0
 *   enable  0       bus    device func  register  0    */
#define ADDRESS_MASK (BIT(31) | FIELD(23, 2))
#define RESET_HARD   BIT(1)
#define RESET_CPU    BIT(2)

struct pcihost {
    struct port_hook reset;
    uint32_t address;
    uint8_t  control;
};

static const struct field pcihost_fields[] = {
    DEV_FIELD(struct pcihost, address, "CONFIG_ADDRESS", FIELD_RW,
              "31 enable, 23-16 bus, 15-11 device, 10-8 function, 7-2 register"),
    DEV_FIELD(struct pcihost, control, "RST_CNT", FIELD_RW, "bit 2 reset now, bit 1 hard"),
};

static void *pcihost_create(const struct slot *s)
{
    struct pcihost *p = calloc(1, sizeof *p);
    if (p)
        p->reset = s->ask.reset;
    return p;
}

static void pcihost_reset(void *dev)
{
    struct pcihost *p = dev;
    p->address = 0;
    p->control = 0;
}

static uint64_t pcihost_peek(const void *dev, struct bus_access a)
{
    const struct pcihost *p = dev;
    if (a.off == 0 && a.size == 4)
        return p->address;
    if (a.off == OFF_RESET && a.size == 1)
        return p->control;
    return low_bytes(~UINT64_C(0), a.size);
}

static uint64_t pcihost_read(void *dev, struct bus_access a)
{
    return pcihost_peek(dev, a);
}

/* Bit 2 rising resets; bit 1 says how thoroughly. */
static void pcihost_write(void *dev, struct bus_access a, uint64_t value)
{
    struct pcihost *p = dev;
    if (a.off == 0 && a.size == 4)
        p->address = (uint32_t)(value & ADDRESS_MASK);
    if (a.off != OFF_RESET || a.size != 1)
        return;         /* the address takes whole words only; data goes nowhere */
    bool rising = value & RESET_CPU && !(p->control & RESET_CPU);
    p->control = value & (RESET_HARD | RESET_CPU);
    if (rising)
        port_call(&p->reset, value & RESET_HARD ? RESET_CF9_HARD : RESET_CF9);
}

const struct device_ops pcihost_ops = {
    .name = "pcihost",
    .about = "PCI configuration mechanism 1, no device; reset control (PIIX4)",
    .fields = pcihost_fields,
    .n_fields = NELEM(pcihost_fields),
    .state_bytes = sizeof(struct pcihost),
    .width = 4,
    .create = pcihost_create,
    .reset = pcihost_reset,
    .read = pcihost_read,
    .write = pcihost_write,
    .peek = pcihost_peek,
    .free = free,
};
