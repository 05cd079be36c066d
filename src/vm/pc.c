/*
 * vm/pc.c -- the wiring of the PC: one table of devices, and the loops that read it.
 *
 * A row is a device: what it is, its interrupt lines, and the ports where it
 * answers.  The order of the rows is the order in which devices are made, and
 * reset; they are saved and freed backwards.  A second table says why nobody
 * answers at other well-known ports.  Nothing registers itself: what is not
 * in these tables is not in the machine.
 *   [IBM PC/AT Technical Reference "I/O Address Map"]
 *
 * To add a device, write its file in io/ (a struct device_ops) and add a row;
 * doc/architecture.md goes through it step by step.
 */
#include "vm/pc.h"

#include <stdlib.h>
#include <string.h>

#include "base/vclock.h"
#include "io/ata.h"
#include "io/bus.h"
#include "io/debug_exit.h"
#include "io/i8042.h"
#include "io/irq_net.h"
#include "io/pcihost.h"
#include "io/pic.h"
#include "io/pit.h"
#include "io/rtc.h"
#include "io/slot.h"
#include "io/sysport.h"
#include "io/uart.h"
#include "io/vga.h"
#include "mem/gmem.h"
#include "vm/dma.h"
#include "vm/exits.h"
#include "vm/vm.h"

#define MAX_PORTS 3                     /* ranges of ports of one device */

struct port_range {
    uint16_t    base, len;              /* len 0: no more */
    uint8_t     offset;                 /* what the device sees for `base` */
    const char *why;
};

#define IRQ(line) ((line) + 1)          /* so that 0 is "no pin" */
#define HAS_DISKS(first) ((first) + 1)  /* disk `first` of the machine, and the next */


/* A character's time with --uart fast: none that a guest could notice, but still an interrupt
 * after each. */
#define FAST_CHAR_NS 10

/* The PIC is first because the others' pins lead to it. */
static const struct pc_device {
    const char *name;
    const struct device_ops *ops;
    uint8_t     irq[SLOT_PINS];
    const char *about;
    struct port_range port[MAX_PORTS];
    uint8_t     disks;                  /* HAS_DISKS: only there if one of them is */
} devices[] = {
    { "PIC", &pic_ops, { 0 }, "interrupt controllers",
      .port = { { 0x020, 2, 0, "first 8259A" },
                { 0x0a0, 2, 2, "second 8259A" },
                { 0x4d0, 2, 4, "8259A edge/level control" } } },
    { "PIT", &pit_ops, { IRQ(0) }, "interval timer and loudspeaker",
      .port = { { 0x040, 4, 0, "8254" },
                { 0x061, 1, 4, "system port B: timer 2 gate, loudspeaker, refresh" } } },
    { "KEYBOARD", &i8042_ops, { IRQ(1), IRQ(12) }, "keyboard controller with a keyboard",
      .port = { { 0x060, 1, 0, "8042 data" },
                { 0x064, 1, 4, "8042 command and status" } } },
    { "COM1", &uart_ops, { IRQ(4) }, "serial line: the user's terminal",
      .port = { { 0x3f8, 8, 0, "COM1" } } },
    { "RTC", &rtc_ops, { IRQ(8) }, "clock and CMOS memory",
      .port = { { 0x070, 2, 0, "MC146818 index and data" } } },
    { "VGA", &vga_ops, { 0 }, "text screen",
      .port = { { 0x3b0, 12, 0x00, "VGA, monochrome addresses" },
                { 0x3c0, 32, 0x10, "VGA, colour addresses" } } },
    { "PORT92", &port92_ops, { 0 },
      "A20 gate (a wire to nowhere: the line is always on) and fast reset",
      .port = { { 0x092, 1, 0, "system port A: A20, fast reset" } } },
    { "MARK", &markport_ops, { 0 }, "MARK: the guest names a phase of its run",
      .port = { { 0x0e0, 4, 0, "MARK n" } } },
    { "HYPERCALL", &hypercall_ops, { 0 }, "hypercalls where VMCALL does not reach the monitor",
      .port = { { 0x0e4, 4, 0, "hypercall" } } },
    { "DEBUGCON", &debugcon_ops, { 0 }, "debug console",
      .port = { { 0x0e9, 1, 0, "debug console, as on Bochs" },
                { 0x402, 1, 0, "debug console, where SeaBIOS writes under QEMU" } } },
    { "EXIT", &exitport_ops, { 0 }, "ends the run with a status",
      .port = { { 0x0f4, 1, 0, "exit status, as QEMU's isa-debug-exit" } } },
    { "DEBUG_EXIT", &debug_exit_ops, { 0 }, "ends the run as QEMU's isa-debug-exit does",
      .port = { { 0x501, 2, 0, "isa-debug-exit: a write of v gives status 2v + 1" } } },
    { "PM1A", &pm1a_ops, { 0 }, "ACPI power off",
      .port = { { 0x604, 2, 0, "ACPI PM1a control: power off" } } },
    { "PCI", &pcihost_ops, { 0 }, "PCI configuration, empty, and the reset control register",
      .port = { { 0xcf8, 8, 0, "PCI configuration; a byte at CF9 resets" } } },
    { "ATA0", &ata_ops, { IRQ(14) }, "first ATA channel: hda and hdb of --disk",
      .port = { { 0x1f0, 8, 0, "first ATA channel" },
                { 0x3f6, 1, 8, "first ATA channel: device control, alternate status" } },
      .disks = HAS_DISKS(0) },
    { "ATA1", &ata_ops, { IRQ(15) }, "second ATA channel: hdc and hdd of --disk",
      .port = { { 0x170, 8, 0, "second ATA channel" },
                { 0x376, 1, 8, "second ATA channel: device control, alternate status" } },
      .disks = HAS_DISKS(2) },
};

#define N_DEVICES NELEM(devices)

/* Devices that hold their line up until the handler has done something. */
static const struct service { const struct device_ops *ops; const char *what; } services[] = {
    { &i8042_ops, "read the byte at port 0x60" },
    { &uart_ops, "read what came at port 0x3f8, and IIR at port 0x3fa" },
    { &rtc_ops, "read the RTC's register C (12 to port 0x70, then port 0x71)" },
    { &ata_ops, "read the drive's STATUS at port 0x1f7 (IRQ 15: port 0x177)" },
};

/* Ports that guests write to and expect nothing.  They read as all ones and are no UNCLAIMED
 * event. */
static const struct port_range nobody[] = {
    { 0x080,  1, 0, "POST code: written for its delay of about 1 us" },
    { 0x0ed,  1, 0, "written for its delay, where 80h is taken" },
    { 0x0f0,  2, 0, "coprocessor busy and reset: no coprocessor" },
};

/* Ports of devices that other PCs have, and that guests are known to try.  They read as all ones,
 * too, and are no UNCLAIMED event either, but --strict stops there.  `offset` is LACKS_SERIAL of
 * serial ports. */
#define LACKS_SERIAL 1
static const struct port_range lacking[] = {
    { 0x000, 16, 0, "first 8237 DMA controller: nothing here uses DMA" },
    { 0x081, 15, 0, "DMA page registers" },
    { 0x0c0, 32, 0, "second 8237 DMA controller" },
    { 0x1f0,  8, 0, "first ATA channel: probed by everybody, there only with --disk" },
    { 0x2e8,  8, LACKS_SERIAL, "COM4: not there" },
    { 0x2f8,  8, LACKS_SERIAL, "COM2: not there" },
    { 0x378,  3, 0, "LPT1: not there" },
    { 0x3e8,  8, LACKS_SERIAL, "COM3: not there" },
    { 0x3f0,  6, 0, "floppy controller: not there" },
};

struct pc {
    struct vm       *vm;
    struct irq_nets *nets;
    void            *dev[N_DEVICES];
};

/* The device behind a row, by its kind.  There is one of each of those asked for here. */
static void *device_of(const struct pc *pc, const struct device_ops *ops)
{
    for (size_t i = 0; i < N_DEVICES; i++)
        if (devices[i].ops == ops)
            return pc->dev[i];
    return NULL;
}

/* ---- what devices may ask of the machine ---- */

/* A device only asks.  It is in the midst of the guest's OUT, and the machine cannot be reset
 * below an instruction that is still to retire: vm_prepare() does it before the next one. */
static void on_reset(void *arg, uint32_t source)
{
    struct vm *vm = arg;
    (void)source;
    vm->reset_wanted = true;
}

/* The first of two writes is the one that counts, as for every reason to stop. */
static void on_exit_port(void *arg, uint32_t value)
{
    struct vm *vm = arg;
    if (vm->stop != VM_RUNNING)
        return;
    vm_stop(vm, VM_EXIT_PORT, "status %u", value & 0xff);
    vm->status = (int)(value & 0xff);
}

/* SLP_TYP says how deep the guest wants the machine to sleep.  Whatever it is, this one goes
 * off.  [ACPI "PM1 Control Registers"] */
static void on_power_off(void *arg, uint32_t sleep_type)
{
    (void)sleep_type;
    vm_stop(arg, VM_POWER_OFF, NULL);
}

/* ---- making, resetting, taking apart ---- */

/* A20 leads nowhere, and a MARK is in the log already: both stay zero. */
static struct slot slot_for(struct pc *pc, const struct pc_device *row)
{
    struct vm *vm = pc->vm;
    struct slot s = {
        .clock = vm->clock, .trace = vm->trace, .n_oddities = vm->n_oddities,
        .message = irq_nets_messages(pc->nets), .nets = pc->nets,
        .ports = vm->ports, .mmio = vm->mmio,
        .serial = vm->cfg.serial, .debugcon = vm->cfg.debugcon,
        .ask = { .reset = { on_reset, vm }, .exit = { on_exit_port, vm },
                 .power_off = { on_power_off, vm }, .hypercall = { vm_hypercall_port, vm } },
        .rtc_start_s = vm->cfg.rtc_start_s,
    };
    for (size_t i = 0; row->disks && i < SLOT_DISKS; i++)
        s.disk[i] = vm->disk[row->disks - 1u + i];
    s.dma = dma_to(vm->gmem, slot_oddities(&s));
    for (size_t i = 0; i < SLOT_PINS; i++)
        if (row->irq[i])
            s.pin[i] = irq_nets_join(pc->nets, row->irq[i] - 1u);
    return s;
}

/* ops NULL: a range that is known and where nobody answers.  It is claimed nevertheless, so that
 * the bus does not report each access as one that no device had. */
static bool claim_ports(struct pc *pc, const struct port_range *p, const struct device_ops *ops,
                        void *dev)
{
    return bus_claim(pc->vm->ports, &(struct bus_range){
        .base = p->base, .len = p->len, .why = p->why, .offset = p->offset, .ops = ops, .dev = dev,
    }) == 0;
}

/* A controller without a disk is left out: guests then find the ports as on a machine that never
 * had one. */
static bool has_disks(const struct pc_device *row, const struct disk_image disk[MAX_DISKS])
{
    bool found = !row->disks;
    for (size_t i = 0; disk && row->disks && i < SLOT_DISKS; i++)
        found |= disk[row->disks - 1u + i].sectors != 0;
    return found;
}

/* Make the device of row i and connect it. */
static bool plug_in(struct pc *pc, size_t i)
{
    const struct pc_device *row = &devices[i];
    if (!has_disks(row, pc->vm->cfg.disk))
        return true;
    struct slot s = slot_for(pc, row);
    pc->dev[i] = row->ops->create(&s);
    if (!pc->dev[i])
        return false;
    for (size_t k = 0; k < MAX_PORTS && row->port[k].len; k++)
        if (!claim_ports(pc, &row->port[k], row->ops, pc->dev[i]))
            return false;
    return true;
}

static bool build(struct pc *pc)
{
    pc->nets = irq_nets_new(pc->vm->trace, pc->vm->n_oddities);
    if (!pc->nets)
        return false;
    for (size_t i = 0; i < N_DEVICES; i++)
        if (!plug_in(pc, i))
            return false;
    for (size_t i = 0; i < NELEM(nobody); i++)
        if (!claim_ports(pc, &nobody[i], NULL, NULL))
            return false;
    for (size_t i = 0; i < NELEM(lacking); i++)
        if (!bus_find(pc->vm->ports, lacking[i].base) && !claim_ports(pc, &lacking[i], NULL, NULL))
            return false;
    return true;
}

struct pc *pc_new(struct vm *vm)
{
    struct pc *pc = calloc(1, sizeof *pc);
    if (!pc)
        return NULL;
    pc->vm = vm;
    if (!build(pc)) {
        pc_free(pc);
        return NULL;
    }
    pc_reset(pc);
    uart_set_char_ns(pc_uart(pc), vm->cfg.uart_fast ? FAST_CHAR_NS : 0);
    return pc;
}

void pc_free(struct pc *pc)
{
    if (!pc)
        return;
    for (size_t i = N_DEVICES; i-- > 0; )
        if (pc->dev[i])
            devices[i].ops->free(pc->dev[i]);
    free(pc->nets);
    free(pc);
}

/* What a BIOS would have found and written into the CMOS memory: how much RAM lies below
 * 4 GiB, and how much above. */
static void tell_memory(struct pc *pc)
{
    const struct gmem_region *high = gmem_find(pc->vm->gmem, UINT64_C(4) << 30);
    uint64_t above = high ? high->size : 0;
    rtc_set_memory(device_of(pc, &rtc_ops), pc->vm->cfg.ram_bytes - above, above);
}

/* The board's reset line goes to every device at once; here in the order of the table, and what
 * the BIOS leaves in the CMOS memory comes after the clock's own reset. */
void pc_reset(struct pc *pc)
{
    for (size_t i = 0; i < N_DEVICES; i++)
        if (pc->dev[i])
            devices[i].ops->reset(pc->dev[i]);
    tell_memory(pc);
}

/* ---- for the rest of the monitor ---- */

struct pic *pc_pic(struct pc *pc)
{
    return device_of(pc, &pic_ops);
}

struct uart *pc_uart(struct pc *pc)
{
    return device_of(pc, &uart_ops);
}

struct vga *pc_vga(struct pc *pc)
{
    return device_of(pc, &vga_ops);
}

struct i8042 *pc_keyboard(struct pc *pc)
{
    return device_of(pc, &i8042_ops);
}

/* The interrupt-acknowledge cycle: the CPU asks "which?", the 8259A answers with a vector and
 * moves the request to its in-service register.  The vector is what the guest has programmed,
 * not the line's number.  [8259A data sheet "Interrupt Sequence"] */
uint8_t pc_ack_irq(struct pc *pc, uint64_t *cause)
{
    struct irq_ack ack = pic_ack(pc_pic(pc));
    *cause = irq_nets_log_ack(pc->nets, &ack);
    return ack.vector;
}

/* The mask registers are read like a guest's IN from 21h and A1h. */
static unsigned unmasked(struct pc *pc)
{
    const struct bus_access imr1 = { .off = 1, .size = 1 }, imr2 = { .off = 3, .size = 1 };
    const struct pic *pic = pc_pic(pc);
    return ~(unsigned)(pic_ops.peek(pic, imr1) | pic_ops.peek(pic, imr2) << 8) & 0xffff;
}

unsigned pc_open_lines(struct pc *pc)
{
    unsigned lines = unmasked(pc);
    return lines & BIT(PIC_CASCADE) ? lines : lines & 0xff;
}

/* The description says "ISR.1" and "ISR.2". */
unsigned pc_pic_lines(struct pc *pc, const char *name)
{
    size_t len = strlen(name);
    unsigned lines = 0;
    for (size_t i = 0; i < pic_ops.n_fields; i++) {
        const struct field *f = &pic_ops.fields[i];
        if (strncmp(f->name, name, len) == 0 && f->name[len] == '.')
            lines |= (unsigned)field_get(f, pc_pic(pc), 0) << 8 * (f->name[len + 1] == '2');
    }
    return lines;
}

/* When the next timer runs that can raise one of these lines. */
static uint64_t next_on(struct pc *pc, unsigned lines)
{
    uint64_t next = VCLOCK_NEVER;
    for (size_t i = 0; i < N_DEVICES; i++)
        for (size_t pin = 0; pin < SLOT_PINS; pin++) {
            bool is_heard = pc->dev[i] && devices[i].irq[pin] &&
                            lines & BIT(devices[i].irq[pin] - 1u);
            uint64_t at = is_heard ? vclock_next_of(pc->vm->clock, pc->dev[i]) : VCLOCK_NEVER;
            next = at < next ? at : next;
        }
    return next;
}

/* The timer may go on ticking for ever behind a mask: it wakes nobody. */
uint64_t pc_next_wake_ns(struct pc *pc)
{
    return next_on(pc, pc_open_lines(pc));
}

bool pc_cascade_is_masked(struct pc *pc)
{
    unsigned behind = unmasked(pc) & ~pc_open_lines(pc);
    for (unsigned line = 8; line < 16; line++)
        if (behind & BIT(line) && irq_nets_level(pc->nets, line))
            return true;
    return next_on(pc, behind) != VCLOCK_NEVER;
}

/* The device whose pin leads to a line; NULL: none does. */
static const struct pc_device *on_line(unsigned line)
{
    for (size_t i = 0; i < N_DEVICES; i++)
        for (size_t pin = 0; pin < SLOT_PINS; pin++)
            if (devices[i].irq[pin] == IRQ(line))
                return &devices[i];
    return NULL;
}

const char *pc_service(unsigned line)
{
    const struct pc_device *d = on_line(line);
    for (size_t i = 0; d && i < NELEM(services); i++)
        if (services[i].ops == d->ops)
            return services[i].what;
    return NULL;
}

/* A line that is up while the PIC asks for nothing: its edge was taken, and no other comes before
 * it falls. */
bool pc_unserved(struct pc *pc, unsigned *line)
{
    unsigned open = pic_pending(pc_pic(pc)) ? 0 : pc_open_lines(pc);
    for (*line = 0; *line < 16; ++*line)
        if (open & BIT(*line) && pc_service(*line) && irq_nets_level(pc->nets, *line))
            return true;
    return false;
}

/* What every machine has comes first, so that it has the same number in each.  pc NULL: of a
 * machine that is not here. */
static size_t list_parts(const struct pc *pc, const struct disk_image disk[MAX_DISKS],
                         struct pc_part *out, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < N_DEVICES; i++)
        if (!devices[i].disks && k < n)
            out[k++] = (struct pc_part){ devices[i].name, devices[i].ops, pc ? pc->dev[i] : NULL };
    if (k < n)
        out[k++] = (struct pc_part){ "IRQ", &irq_nets_ops, pc ? pc->nets : NULL };
    for (size_t i = 0; i < N_DEVICES; i++)
        if (devices[i].disks && has_disks(&devices[i], disk) && k < n)
            out[k++] = (struct pc_part){ devices[i].name, devices[i].ops, pc ? pc->dev[i] : NULL };
    return k;
}

size_t pc_parts_of(const struct disk_image disk[MAX_DISKS], struct pc_part *out, size_t n)
{
    return list_parts(NULL, disk, out, n);
}

size_t pc_parts(const struct pc *pc, struct pc_part *out, size_t n)
{
    return list_parts(pc, pc->vm->cfg.disk, out, n);
}

void pc_screen(const struct pc *pc, FILE *out)
{
    const uint8_t *vram = gmem_ptr(pc->vm->gmem, 0xa0000, VGA_VRAM_BYTES);
    if (vram)
        vga_text_dump(device_of(pc, &vga_ops), vram, out);
}

/* ---- the tables, for those who have no machine ---- */

/* What the tables say of a range of ports; device: NULL, nobody. */
struct port_entry { const struct port_range *range; const struct pc_device *device; };

/* The i-th of all ranges in the three tables, in no particular order; false: no more. */
static bool port_entry_at(size_t i, struct port_entry *e)
{
    size_t n = N_DEVICES * MAX_PORTS;
    if (i < n)
        *e = (struct port_entry){ &devices[i / MAX_PORTS].port[i % MAX_PORTS],
                                  &devices[i / MAX_PORTS] };
    else if (i - n < NELEM(nobody))
        *e = (struct port_entry){ &nobody[i - n], NULL };
    else if (i - n - NELEM(nobody) < NELEM(lacking))
        *e = (struct port_entry){ &lacking[i - n - NELEM(nobody)], NULL };
    else
        return false;
    return true;
}

/* As on a machine without disks. */
static bool find_port(uint16_t port, struct port_entry *e)
{
    for (size_t i = 0; port_entry_at(i, e); i++)
        if (port >= e->range->base && port - e->range->base < e->range->len &&
            !(e->device && e->device->disks))
            return true;
    return false;
}

const char *pc_port_name(uint16_t port)
{
    struct port_entry e;
    return find_port(port, &e) ? e.range->why : NULL;
}

const struct device_ops *pc_port_device(uint16_t port)
{
    struct port_entry e;
    return find_port(port, &e) && e.device ? e.device->ops : NULL;
}

bool pc_lacks(const struct pc *pc, uint16_t port)
{
    const struct bus_range *r = bus_find(pc->vm->ports, port);
    for (size_t i = 0; i < NELEM(lacking); i++)
        if (port >= lacking[i].base && port - lacking[i].base < lacking[i].len)
            return !r || !r->ops;
    return false;
}

bool pc_lacks_serial(uint16_t port)
{
    for (size_t i = 0; i < NELEM(lacking); i++)
        if (lacking[i].offset == LACKS_SERIAL && port == lacking[i].base)
            return true;
    return false;
}

/* The range with the lowest address from `from` up. */
static bool next_port(uint32_t from, struct port_entry *next)
{
    struct port_entry e;
    bool found = false;
    for (size_t i = 0; port_entry_at(i, &e); i++)
        if (e.range->len && e.range->base >= from &&
            (!found || e.range->base < next->range->base)) {
            *next = e;
            found = true;
        }
    return found;
}

static void document_devices(FILE *out)
{
    fprintf(out, "| part | IRQ | what it is |\n| --- | --- | --- |\n");
    for (size_t i = 0; i < N_DEVICES; i++) {
        fprintf(out, "| %s | ", devices[i].name);
        for (size_t k = 0; k < SLOT_PINS && devices[i].irq[k]; k++)
            fprintf(out, "%s%d", k ? ", " : "", devices[i].irq[k] - 1);
        fprintf(out, " | %s |\n", devices[i].about);
    }
}

void pc_document(FILE *out)
{
    struct port_entry e;
    document_devices(out);
    fprintf(out, "\n| ports | part | what for |\n| --- | --- | --- |\n");
    for (uint32_t at = 0; next_port(at, &e); at = e.range->base + 1u)
        fprintf(out, "| %03x-%03x | %s | %s |\n", e.range->base,
                e.range->base + e.range->len - 1, e.device ? e.device->name : "nobody",
                e.range->why);
}
