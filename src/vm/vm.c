/*
 * vm/vm.c -- one machine: made, loaded, reset, stopped.
 *
 * What it does while it runs is in loop.c; what time it is, in time_source.c; how the guest
 * gets its interrupts, in interrupts.c.  The PC's devices are wired in pc.c.
 */
#include "vm/vm.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "base/trace.h"
#include "base/vclock.h"
#include "io/bus.h"
#include "io/disk.h"
#include "io/uart.h"
#include "mem/dirty.h"
#include "mem/gmem.h"
#include "mem/hmem.h"
#include "mem/nested.h"
#include "mem/shadow.h"
#include "vm/exits.h"
#include "vm/guest_exited.h"
#include "vm/pc.h"
#include "vm/time_source.h"

const struct vm_stop_info vm_stops[N_VM_STOPS] = {
#define X(name, status, about) [VM_##name] = { #name, status, about },
    VM_STOP_LIST(X)
#undef X
};

/* ---- making one ---- */

#define MiB (UINT64_C(1) << 20)
#define VGA_MEMORY 0xa0000u
#define PCI_HOLE 0xc0000000u        /* RAM above this goes to 4 GiB, as on a PC */

/* The memory map of a PC.  The first MiB is as the IBM PC had it: 640 KiB of RAM, the screen's
 * memory, adapters and the BIOS.  Just below 4 GiB stands the BIOS once more, since a processor
 * fetches its first instruction 16 bytes below that address; devices on the PCI bus have the
 * rest of the hole.  RAM that would lie in the hole is seen above 4 GiB instead.
 *
 *     0        a0000      c0000   f0000   100000         c0000000        4 GiB
 *     | low RAM | VGA mem. |  ...  | BIOS | RAM           | hole ... BIOS | high RAM
 *
 * [SDM 3A "First Instruction Executed"] */
static int add_memory(struct vm *vm)
{
    uint64_t ram = vm->cfg.ram_bytes;
    uint64_t below = ram > PCI_HOLE ? PCI_HOLE : ram;
    uint64_t rom = vm->cfg.bios_bytes ? vm->cfg.bios_bytes : BIOS_SIZE;
    struct { const char *name; gpa_t base; uint64_t size; enum gmem_kind kind; } const layout[] = {
        { "low RAM",    0,               0xa0000,            GMEM_RAM },
        { "VGA memory", VGA_MEMORY,         0x20000,            GMEM_RAM },
        { "BIOS",       MiB - rom,       rom,                GMEM_ROM },
        { "RAM",        MiB,             below - MiB,        GMEM_RAM },
        { "BIOS at the top of 4 GiB", 4096 * MiB - rom, rom, GMEM_ROM },
        { "high RAM",   UINT64_C(4) << 30, ram - below,      GMEM_RAM },
    };
    for (size_t i = 0; i < NELEM(layout); i++) {
        if (!layout[i].size)
            continue;
        int err = gmem_add(vm->gmem, layout[i].name, layout[i].base, layout[i].size,
                           layout[i].kind);
        if (err)
            return err;
        /* Of the screen the video BIOS has made a clean one by the time a guest begins. */
        if (vm->cfg.seed && layout[i].kind == GMEM_RAM && layout[i].base != VGA_MEMORY)
            gmem_fill_noise(vm->gmem, layout[i].base, vm->cfg.seed);
    }
    gmem_freeze(vm->gmem);
    return 0;
}

/* Memory came by another way than the vCPU: its caches are out of date. */
static void on_memory_changed(void *arg, gpa_t gpa, uint64_t len)
{
    struct vm *vm = arg;
    if (vm->shadow) {
        shadow_forget(vm->shadow, gpa, len);
        bool flush = shadow_take_flush(vm->shadow);
        for (unsigned i = 0; flush && i < vm->n_vcpus; i++)
            vm->vcpu[i].ops->flush_tlb(&vm->vcpu[i]);
    }
    if (vm->dirty)
        dirty_mark(vm->dirty, gpa, len);
    for (unsigned i = 0; i < vm->n_vcpus; i++)
        if (vm->vcpu[i].ops->forget)
            vm->vcpu[i].ops->forget(&vm->vcpu[i], gpa, len);
}

/* Those that the configuration names. */
static bool make_disks(struct vm *vm)
{
    for (size_t i = 0; i < MAX_DISKS; i++) {
        if (!vm->cfg.disk[i].sectors)
            continue;
        vm->disk[i] = disk_new(&vm->cfg.disk[i], vm->trace);
        if (!vm->disk[i])
            return false;
    }
    return true;
}

/* Which tables there are follows from the machine's kind.  Shadow tables are the only ones that
 * the CPU walks then; nested ones are walked behind the guest's own.  An engine on a real
 * processor leaves nested tables to the host's kernel, and there are none here. */
static bool make_parts(struct vm *vm)
{
    struct trace *t = vm->trace;
    vm->clock = vclock_new(t);
    vm->ports = bus_new("port", TRACE_IO_READ, TRACE_IO_WRITE, t);
    vm->mmio = bus_new("mmio", TRACE_MMIO_READ, TRACE_MMIO_WRITE, t);
    vm->dirty = dirty_new(vm->gmem);
    vm->hmem = hmem_new(vm->gmem);
    if (!vm->hmem)
        return false;
    if (vm->cfg.mmu == MMU_SHADOW)
        vm->shadow = shadow_new(vm->gmem, vm->hmem, t);
    else if (vm->cfg.engine->walks_tables)
        vm->nested = nested_new(vm->hmem, t);
    if (!vm->clock || !vm->ports || !vm->mmio || !vm->dirty || !(vm->shadow || vm->nested ||
        !vm->cfg.engine->walks_tables) || !make_disks(vm))
        return false;
    vm->pc = pc_new(vm);
    return vm->pc != NULL;
}

/* The CPU counts as one of the machine's only when its engine has made it: vm_free() destroys
 * those that count.  An engine that fails has told the user why. */
static int make_cpu(struct vm *vm)
{
    struct vcpu *v = &vm->vcpu[vm->n_vcpus];
    *v = (struct vcpu){
        .ops = vm->cfg.engine, .number = vm->n_vcpus,
        .gmem = vm->gmem, .dirty = vm->dirty, .trace = vm->trace,
        .mmu = vm->cfg.mmu, .hmem = vm->hmem,
        .shadow_regs = vm->shadow ? shadow_registers(vm->shadow) : NULL,
        .eptp = vm->nested ? nested_root(vm->nested) : HMEM_NONE,
        .owner = vm_as_owner(vm), .timing = vm->cfg.timing,
    };
    vm->time->attach(vm, v);
    int err = v->ops->create(v);
    if (err)
        return err;
    vm->n_vcpus++;
    vm_initial_controls(vm, v);
    vm_reset_msrs(v);
    return v->ops->set_controls(v, &v->controls);
}

struct vm *vm_new(const struct vm_config *cfg, char *why, size_t n)
{
    struct vm *vm = calloc(1, sizeof *vm);
    if (!vm)
        return NULL;
    vm->cfg = *cfg;
    vm->trace = cfg->trace;
    vm->time = cfg->engine->counts ? &time_counted : &time_measured;
    vm->gmem = gmem_new();
    int err = vm->gmem ? add_memory(vm) : -ENOMEM;
    if (err) {
        snprintf(why, n, "cannot get %llu MiB of guest memory: %s; try a smaller --mem",
                 (unsigned long long)(cfg->ram_bytes / MiB), strerror(-err));
        goto fail;
    }
    if (!make_parts(vm)) {
        snprintf(why, n, "out of memory while building the machine");
        goto fail;
    }
    err = make_cpu(vm);
    if (err) {
        why[0] = 0;                             /* it has said so */
        goto fail;
    }
    gmem_on_change(vm->gmem, on_memory_changed, vm);
    return vm;
fail:
    vm_free(vm);
    return NULL;
}

void vm_free(struct vm *vm)
{
    if (!vm)
        return;
    for (unsigned i = 0; i < vm->n_vcpus; i++)
        vm->vcpu[i].ops->destroy(&vm->vcpu[i]);
    pc_free(vm->pc);
    for (size_t i = 0; i < MAX_DISKS; i++)
        disk_free(vm->disk[i]);
    bus_free(vm->ports);
    bus_free(vm->mmio);
    nested_free(vm->nested);
    shadow_free(vm->shadow);
    hmem_free(vm->hmem);
    dirty_free(vm->dirty);
    vclock_free(vm->clock);
    gmem_free(vm->gmem);
    load_files_free(vm->files);
    free(vm);
}

/* Copy the guest's files to where they belong in memory and set the CPU before its entry point,
 * in the state that its format promises.  Also after a reset, when memory holds what the guest
 * has made of it. */
static int place_guest(struct vm *vm, char *why, size_t n)
{
    if (!vm->files) {
        snprintf(why, n, "the guest's file is not at hand");
        return -ENOENT;
    }
    int err = load_files_place(vm->files, vm->gmem, &vm->loaded, why, n);
    if (err)
        return err;
    err = boot_cpu(vm)->ops->set_state(boot_cpu(vm), ST_ALL, &vm->loaded.cpu);
    if (err) {
        snprintf(why, n, "engine %s refuses the entry state of a guest in %s format",
                 vm->cfg.engine->name, vm->loaded.about);
        return err;
    }
    vm_paging_changed(vm, boot_cpu(vm));
    return 0;
}

int vm_load(struct vm *vm, const struct load_request *r, char *why, size_t n)
{
    struct load_request q = *r;
    q.disk = vm->cfg.disk;
    load_files_free(vm->files);
    vm->files = load_files_read(&q, why, n);
    return vm->files ? place_guest(vm, why, n) : -errno;
}

/* ---- stopping ---- */

void vm_stop(struct vm *vm, enum vm_stop stop, const char *fmt, ...)
{
    if (vm->stop != VM_RUNNING)
        return;                                 /* the first reason is the reason */
    vm->stop = stop;
    vm->status = stop == VM_HALTED ? vm->cfg.halt_status : vm_stops[stop].status;
    vm->why[0] = 0;
    if (!fmt)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(vm->why, sizeof vm->why, fmt, ap);
    va_end(ap);
}

void vm_kick(void *machine)
{
    struct vm *vm = machine;
    for (unsigned i = 0; i < vm->n_vcpus; i++)
        vm->vcpu[i].ops->kick(&vm->vcpu[i]);
}

void vm_interrupt(struct vm *vm, int signo)
{
    vm->interrupted = signo;
    vm_kick(vm);
}

/* Everything as after power-on, and the guest loaded anew. */
void vm_reset(struct vm *vm)
{
    char why[256];
    vm->reset_wanted = false;
    if (vm->cfg.no_reboot) {
        vm_stop(vm, VM_RESET, NULL);
        return;
    }
    pc_reset(vm->pc);
    stuck_reset(vm);
    for (unsigned i = 0; i < vm->n_vcpus; i++) {
        vm->vcpu[i].halted = false;
        vm_reset_msrs(&vm->vcpu[i]);
    }
    if (place_guest(vm, why, sizeof why))
        vm_stop(vm, VM_HOST, "cannot load the guest again after its reset: %s", why);
}

/* ---- from power-on to the end ---- */

static unsigned engine_number(const struct engine *e)
{
    unsigned i = 0;
    while (engines[i] && engines[i] != e)
        i++;
    return i;
}

void vm_begin(struct vm *vm)
{
    unsigned engine = engine_number(vm->cfg.engine);
    vm->host_base_ns = host_monotonic_ns();
    if (vm->trace)
        vm->trace->ctx.who.engine = engine & 7;
    vcpu_trace_here(boot_cpu(vm));
    trace_emit(vm->trace, TRACE_START, engine, vm->cfg.mmu, vm->cfg.seed);
}

void vm_finish(struct vm *vm)
{
    uart_flush(pc_uart(vm->pc));
    stuck_finish(vm);
    trace_emit(vm->trace, TRACE_STOP, (uint64_t)vm->status, vm->stop, vm->n_exits);
}
