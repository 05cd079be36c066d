/*
 * vm/pc.c -- the wiring of the PC: two tables, and the loop that reads them.
 *
 * Parts are listed once with their interrupt line; ports once in address
 * order with the part that answers, or the reason why nothing does.  Nothing
 * registers itself: what is not in these tables is not in the machine.
 *   [IBM PC/AT Technical Reference "I/O Address Map"]
 */
#include "vm/pc.h"

#include <stdlib.h>

#include "base/abi.h"
#include "io/bus.h"
#include "io/i8042.h"
#include "io/pcihost.h"
#include "io/pic.h"
#include "io/pit.h"
#include "io/rtc.h"
#include "io/sysport.h"
#include "io/uart.h"
#include "io/vga.h"
#include "mem/gmem.h"
#include "vm/exits.h"
#include "vm/vm.h"

/* ---- the parts ---- */

/*    part      ops            irqs  one line */
#define PART_LIST(X)                                                              \
    X(PIC,      pic_ops,        -1, -1, "interrupt controllers")                      \
    X(PIT,      pit_ops,         0, -1, "interval timer and loudspeaker")             \
    X(KEYBOARD, i8042_ops,       1, 12, "keyboard controller with a keyboard")        \
    X(COM1,     uart_ops,        4, -1, "serial line: the user's terminal")           \
    X(RTC,      rtc_ops,         8, -1, "clock and CMOS memory")                      \
    X(VGA,      vga_ops,        -1, -1, "text screen")                                \
    X(PORT92,   port92_ops,     -1, -1, "A20 gate (a wire to nowhere: the line is always on) and fast reset") \
    X(MARK,     markport_ops,   -1, -1, "MARK: the guest names a phase of its run")   \
    X(HYPERCALL, hypercall_ops, -1, -1, "hypercalls where VMCALL does not reach the monitor") \
    X(DEBUGCON, debugcon_ops,   -1, -1, "debug console")                              \
    X(EXIT,     exitport_ops,   -1, -1, "ends the run with a status")                 \
    X(PM1A,     pm1a_ops,       -1, -1, "ACPI power off")                             \
    X(PCI,      pcihost_ops,    -1, -1, "PCI configuration, empty, and the reset control register")

enum part {
#define X(part, ops, irq, irq2, about) PART_##part,
    PART_LIST(X)
#undef X
    N_PARTS,
    NOBODY = -1
};

/* The hypercall port is a device like any other, with no state of its own. */
struct hypercall_port { struct port_hook hook; };

static void hypercall_reset(void *dev)
{
    (void)dev;
}

static uint64_t hypercall_read(void *dev, struct bus_access a)
{
    (void)dev;
    return low_bytes(~UINT64_C(0), a.size);
}

static uint64_t hypercall_peek(const void *dev, struct bus_access a)
{
    (void)dev;
    return low_bytes(~UINT64_C(0), a.size);
}

static void hypercall_write(void *dev, struct bus_access a, uint64_t value)
{
    struct hypercall_port *h = dev;
    if (a.off == 0 && a.size == 4)
        port_call(&h->hook, (uint32_t)value);
}

static const struct device_ops hypercall_ops = {
    .name = "hypercall", .about = "hypercalls by OUT",
    .state_bytes = sizeof(struct hypercall_port), .width = 4,
    .reset = hypercall_reset, .read = hypercall_read, .write = hypercall_write,
    .peek = hypercall_peek, .free = free,
};

static const struct part_info {
    const char *name;
    const struct device_ops *ops;
    int irq, irq2;              /* -1: none */
    const char *about;
} parts[N_PARTS] = {
#define X(part, ops, irq, irq2, about) [PART_##part] = { #part, &ops, irq, irq2, about },
    PART_LIST(X)
#undef X
};

/* ---- the ports, in address order ---- */

static const struct pc_port {
    uint16_t  base, len;
    enum part part;
    uint8_t   offset;           /* what the part sees for `base` */
    const char *why;
} pc_ports[] = {
    { 0x000, 16, NOBODY,        0, "first 8237 DMA controller: nothing here uses DMA" },
    { 0x020,  2, PART_PIC,      0, "first 8259A" },
    { 0x040,  4, PART_PIT,      0, "8254" },
    { 0x060,  1, PART_KEYBOARD, 0, "8042 data" },
    { 0x061,  1, PART_PIT,      4, "system port B: timer 2 gate, loudspeaker, refresh" },
    { 0x064,  1, PART_KEYBOARD, 4, "8042 command and status" },
    { 0x070,  2, PART_RTC,      0, "MC146818 index and data" },
    { 0x080,  1, NOBODY,        0, "POST code: written for its delay of about 1 us" },
    { 0x081, 15, NOBODY,        0, "DMA page registers" },
    { 0x092,  1, PART_PORT92,   0, "system port A: A20, fast reset" },
    { 0x0a0,  2, PART_PIC,      2, "second 8259A" },
    { 0x0c0, 32, NOBODY,        0, "second 8237 DMA controller" },
    { 0x0e0,  4, PART_MARK,     0, "MARK n" },
    { 0x0e4,  4, PART_HYPERCALL,0, "hypercall" },
    { 0x0e9,  1, PART_DEBUGCON, 0, "debug console, as on Bochs" },
    { 0x0ed,  1, NOBODY,        0, "written for its delay, where 80h is taken" },
    { 0x0f0,  2, NOBODY,        0, "coprocessor busy and reset: no coprocessor" },
    { 0x0f4,  1, PART_EXIT,     0, "exit status, as QEMU's isa-debug-exit" },
    { 0x1f0,  8, NOBODY,        0, "first ATA channel: probed by everybody, not there" },
    { 0x2e8,  8, NOBODY,        0, "COM4: not there" },
    { 0x2f8,  8, NOBODY,        0, "COM2: not there" },
    { 0x378,  3, NOBODY,        0, "LPT1: not there" },
    { 0x3b0, 12, PART_VGA,   0x00, "VGA, monochrome addresses" },
    { 0x3c0, 32, PART_VGA,   0x10, "VGA, colour addresses" },
    { 0x3e8,  8, NOBODY,        0, "COM3: not there" },
    { 0x3f0,  6, NOBODY,        0, "floppy controller: not there" },
    { 0x3f8,  8, PART_COM1,     0, "COM1" },
    { 0x4d0,  2, PART_PIC,      4, "8259A edge/level control" },
    { 0x604,  2, PART_PM1A,     0, "ACPI PM1a control: power off" },
    { 0xcf8,  8, PART_PCI,      0, "PCI configuration; a byte at CF9 resets" },
};

struct pc {
    struct vm *vm;
    void      *part[N_PARTS];
};

/* ---- what the parts tell the machine ---- */

static void on_reset(void *arg, uint32_t source)
{
    struct vm *vm = arg;
    (void)source;
    vm->reset_wanted = true;
}

static void on_exit_port(void *arg, uint32_t value)
{
    struct vm *vm = arg;
    vm_stop(vm, VM_EXIT_PORT, "status %u", value & 0xff);
    vm->status = (int)(value & 0xff);
}

static void on_power_off(void *arg, uint32_t sleep_type)
{
    (void)sleep_type;
    vm_stop(arg, VM_POWER_OFF, NULL);
}

static void *hypercall_new(struct vm *vm)
{
    struct hypercall_port *h = calloc(1, sizeof *h);
    if (h)
        h->hook = (struct port_hook){ vm_hypercall_port, vm };
    return h;
}

/* In the order of PART_LIST: the PIC is first because all others need its pins. */
static bool create_parts(struct pc *pc)
{
    struct vm *vm = pc->vm;
    struct vclock *c = vm->clock;
    struct trace *t = vm->trace;
    struct port_hook reset = { on_reset, vm };
    void **part = pc->part;
#define PIN_OF(line) ((struct irq_line){ pic_set_line, part[PART_PIC], (unsigned)(line) })
#define PIN(p)       PIN_OF(parts[p].irq)
#define PIN2(p)      PIN_OF(parts[p].irq2)
    static const struct irq_line no_pin;

    part[PART_PIC]       = pic_new(t, no_pin);
    part[PART_PIT]       = pit_new(c, t, PIN(PART_PIT));
    part[PART_KEYBOARD]  = i8042_new(c, t, PIN(PART_KEYBOARD), PIN2(PART_KEYBOARD), no_pin,
                                     reset);
    part[PART_COM1]      = uart_new(c, t, PIN(PART_COM1), vm->cfg.serial);
    part[PART_RTC]       = rtc_new(c, t, PIN(PART_RTC), vm->cfg.rtc_start_s);
    part[PART_VGA]       = vga_new(c, t);
    part[PART_PORT92]    = port92_new(no_pin, reset);
    part[PART_MARK]      = markport_new(t, (struct port_hook){ 0 });
    part[PART_HYPERCALL] = hypercall_new(vm);
    part[PART_DEBUGCON]  = debugcon_new(vm->cfg.debugcon);
    part[PART_EXIT]      = exitport_new((struct port_hook){ on_exit_port, vm });
    part[PART_PM1A]      = pm1a_new((struct port_hook){ on_power_off, vm });
    part[PART_PCI]       = pcihost_new(reset);
#undef PIN_OF
#undef PIN
#undef PIN2
    for (unsigned i = 0; i < N_PARTS; i++)
        if (!part[i])
            return false;
    return true;
}

static const struct pc_port *port_row(uint16_t port)
{
    for (size_t i = 0; i < NELEM(pc_ports); i++)
        if (port >= pc_ports[i].base && port - pc_ports[i].base < pc_ports[i].len)
            return &pc_ports[i];
    return NULL;
}

const char *pc_port_name(uint16_t port)
{
    const struct pc_port *p = port_row(port);
    return p ? p->why : NULL;
}

const struct device_ops *pc_port_device(uint16_t port)
{
    const struct pc_port *p = port_row(port);
    return p && p->part != NOBODY ? parts[p->part].ops : NULL;
}

static bool claim_ports(struct pc *pc)
{
    for (size_t i = 0; i < NELEM(pc_ports); i++) {
        const struct pc_port *p = &pc_ports[i];
        struct bus_range r = {
            .base = p->base, .len = p->len, .why = p->why, .offset = p->offset,
            .ops = p->part == NOBODY ? NULL : parts[p->part].ops,
            .dev = p->part == NOBODY ? NULL : pc->part[p->part],
        };
        if (bus_claim(pc->vm->ports, &r))
            return false;
    }
    return true;
}

struct pc *pc_new(struct vm *vm)
{
    struct pc *pc = calloc(1, sizeof *pc);
    if (!pc)
        return NULL;
    pc->vm = vm;
    if (!create_parts(pc) || !claim_ports(pc)) {
        pc_free(pc);
        return NULL;
    }
    pc_reset(pc);
    return pc;
}

void pc_free(struct pc *pc)
{
    if (!pc)
        return;
    for (unsigned i = N_PARTS; i-- > 0; )
        if (pc->part[i])
            parts[i].ops->free(pc->part[i]);
    free(pc);
}

/* As a BIOS would find it: what lies below 4 GiB, and what above. */
static void tell_memory(struct pc *pc)
{
    const struct gmem_region *high = gmem_find(pc->vm->gmem, UINT64_C(4) << 30);
    uint64_t above = high ? high->size : 0;
    rtc_set_memory(pc->part[PART_RTC], pc->vm->cfg.ram_bytes - above, above);
}

void pc_reset(struct pc *pc)
{
    for (unsigned i = 0; i < N_PARTS; i++)
        parts[i].ops->reset(pc->part[i]);
    tell_memory(pc);
}

struct pic *pc_pic(struct pc *pc)
{
    return pc->part[PART_PIC];
}

struct uart *pc_uart(struct pc *pc)
{
    return pc->part[PART_COM1];
}

struct vga *pc_vga(struct pc *pc)
{
    return pc->part[PART_VGA];
}

struct i8042 *pc_keyboard(struct pc *pc)
{
    return pc->part[PART_KEYBOARD];
}

size_t pc_parts(const struct pc *pc, struct pc_part *out, size_t n)
{
    size_t i;
    for (i = 0; i < N_PARTS && i < n; i++)
        out[i] = (struct pc_part){ parts[i].name, parts[i].ops, pc ? pc->part[i] : NULL };
    return i;
}

void pc_screen(const struct pc *pc, FILE *out)
{
    const uint8_t *vram = gmem_ptr(pc->vm->gmem, 0xa0000, VGA_VRAM_BYTES);
    if (vram)
        vga_text_dump(pc->part[PART_VGA], vram, out);
}

void pc_document(FILE *out)
{
    fprintf(out, "| part | IRQ | what it is |\n| --- | --- | --- |\n");
    for (unsigned i = 0; i < N_PARTS; i++) {
        char irq[24] = "";
        if (parts[i].irq2 >= 0)
            snprintf(irq, sizeof irq, "%d, %d", parts[i].irq, parts[i].irq2);
        else if (parts[i].irq >= 0)
            snprintf(irq, sizeof irq, "%d", parts[i].irq);
        fprintf(out, "| %s | %s | %s |\n", parts[i].name, irq, parts[i].about);
    }
    fprintf(out, "\n| ports | part | what for |\n| --- | --- | --- |\n");
    for (size_t i = 0; i < NELEM(pc_ports); i++) {
        const struct pc_port *p = &pc_ports[i];
        fprintf(out, "| %03x-%03x | %s | %s |\n", p->base, p->base + p->len - 1,
                p->part == NOBODY ? "nobody" : parts[p->part].name, p->why);
    }
}
