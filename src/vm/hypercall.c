/*
 * vm/hypercall.c -- what a guest may ask the monitor by name.
 *
 * The numbers are base/abi.h's.  Arguments are the guest's and so hostile: a
 * string is read through the guest's own page tables, bounded, and a bad
 * pointer gets an error back.
 */
#include "base/abi.h"
#include "base/vclock.h"
#include "base/trace.h"
#include "vm/exits.h"
#include "vm/vm.h"

#define PUTS_MAX 4096

static uint64_t hc_ping(struct vm *vm, const uint64_t arg[4])
{
    (void)vm;
    return arg[0] + 1;
}

static uint64_t hc_puts(struct vm *vm, const uint64_t arg[4])
{
    char text[PUTS_MAX];
    uint64_t len = arg[1] < sizeof text ? arg[1] : sizeof text;
    int err = vm_read_linear(vm, arg[0], text, len);
    if (err)
        return (uint64_t)(int64_t)err;
    for (uint64_t i = 0; i < len; i++)
        char_put(&vm->cfg.debugcon, (uint8_t)text[i]);
    return len;
}

static uint64_t hc_time(struct vm *vm, const uint64_t arg[4])
{
    (void)arg;
    return vclock_now_ns(vm->clock);
}

static uint64_t (*const hypercalls[])(struct vm *vm, const uint64_t arg[4]) = {
    [HC_PING] = hc_ping,
    [HC_PUTS] = hc_puts,
    [HC_TIME] = hc_time,
};

uint64_t vm_hypercall(struct vm *vm, uint64_t nr, const uint64_t arg[4])
{
    uint64_t result = (uint64_t)(int64_t)HC_BADCALL;
    if (nr < NELEM(hypercalls))
        result = hypercalls[nr](vm, arg);
    trace_emit(vm->trace, TRACE_HYPERCALL, nr, arg[0], result);
    return result;
}

void vm_hypercall_port(void *arg, uint32_t eax)
{
    struct vm *vm = arg;
    struct cpu_state s;
    if (boot_cpu(vm)->ops->get_state(boot_cpu(vm), ST_GPRS, &s))
        return;
    const uint64_t args[4] = { s.gpr[RBX], s.gpr[RCX], s.gpr[RDX], s.gpr[RSI] };
    s.gpr[RAX] = vm_hypercall(vm, eax, args);
    boot_cpu(vm)->ops->set_state(boot_cpu(vm), ST_GPRS, &s);
    boot_cpu(vm)->turn.registers_changed = true;
}
